# SPDX-License-Identifier: Apache-2.0
"""moto's server with what its CloudFormation lacks of deploy/template.yaml: run by the Python of .deps/python-tools with a port as argument.

moto makes every load balancer of a template an application load balancer, and does not know its hosted zone. Here it is of the template's type. It deletes a VPC before what is in it, and fails; here the VPC of a deleted stack stays, and what
is RetainExceptOnCreate, which moto takes for Delete."""
import sys

from moto.cloudformation.parsing import ResourceMap
from moto.ec2.models.vpcs import VPC
from moto.elbv2.models import FakeLoadBalancer, elbv2_backends
from moto.server import main


def create(cls, resource_name, cloudformation_json, account_id, region_name, **_):
    properties = cloudformation_json["Properties"]
    return elbv2_backends[account_id][region_name].create_load_balancer(
        resource_name, properties.get("SecurityGroups"), properties["Subnets"], scheme=properties["Scheme"], loadbalancer_type=properties["Type"])


def delete(self):
    for resource in self._resource_json_map.values():
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
            resource["DeletionPolicy"] = "Retain"
    known_delete(self)


known_delete = ResourceMap.delete
ResourceMap.delete = delete
known = FakeLoadBalancer.get_cfn_attribute
FakeLoadBalancer.create_from_cloudformation_json = classmethod(create)
FakeLoadBalancer.get_cfn_attribute = lambda self, name: "ZEMULATED" if name == "CanonicalHostedZoneID" else known(self, name)
VPC.delete_from_cloudformation_json = classmethod(lambda *_, **__: None)
main(["-H", "127.0.0.1", "-p", sys.argv[1]])
