# SPDX-License-Identifier: Apache-2.0
"""moto's server with what it lacks of AWS for deploy/: run by the Python of .deps/python-tools with a port as argument.

moto makes every load balancer of a template an application load balancer, and does not know its hosted zone. Here it is of the template's type. It deletes a VPC before what is in it, and fails; here the VPC of a deleted stack stays, and what
is RetainExceptOnCreate, which moto takes for Delete. When it updates a stack it forgets what had its default.

With ENSIGN_EMULATED, a JSON file, three services do something:
  {"kms": {"url", "ca", "key_id", "secret", "arn"}}   keys of a template are made in this KMS (ensign-sim), whose policies count; of this user
  {"instances": FOLDER}                               SSM runs a command on instance ID as `FOLDER/ID/shell LINE`
  {"functions": FOLDER, "function_environment"}       Lambda runs the `bootstrap` of a function's zip, unpacked in FOLDER, with its environment and this one
"""
import atexit
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import zipfile

import boto3
from moto.awslambda.models import LambdaFunction
from moto.cloudformation.models import CloudFormationBackend
from moto.cloudformation.parsing import ResourceMap
from moto.core.responses import ActionResult
from moto.ec2.models.vpcs import VPC
from moto.elbv2.models import FakeLoadBalancer, elbv2_backends
from moto.kms.models import Key
from moto.server import main
from moto.ssm.models import Command
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.sts.models import STSBackend

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lambda_runtime import RuntimeApi  # noqa: E402

COMMAND_TIMEOUT_S = 60
OUTPUT_SIZE = 2500  # SSM keeps no more


def settings():
    """Read anew at each use: roles, for instance, get their names only when a stack is up."""
    path = os.environ.get("ENSIGN_EMULATED")
    return json.loads(pathlib.Path(path).read_text()) if path else {}


# ---- CloudFormation ----


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

def resolve_parameters(self, instance, incoming_params):
    """One that had its default keeps it; moto knows only what was given."""
    return known_resolve(self, instance, [one for one in incoming_params if "UsePreviousValue" not in one or one["ParameterKey"] in instance.parameters])


known_resolve = CloudFormationBackend._resolve_update_parameters
CloudFormationBackend._resolve_update_parameters = resolve_parameters

# ---- KMS ----

known_create_key = Key.create_from_cloudformation_json.__func__
known_key_attribute = Key.get_cfn_attribute


def create_key(cls, resource_name, cloudformation_json, account_id, region_name, **more):
    key = known_create_key(cls, resource_name, cloudformation_json, account_id, region_name, **more)
    kms = settings().get("kms")
    if kms:
        client = boto3.client("kms", region_name=region_name, endpoint_url=kms["url"], verify=kms["ca"], aws_access_key_id=kms["key_id"],
                              aws_secret_access_key=kms["secret"])
        properties = cloudformation_json["Properties"]
        policy = {**properties["KeyPolicy"], "Statement": [one for one in properties["KeyPolicy"]["Statement"] if one]}  # AWS::NoValue
        made = client.create_key(Policy=json.dumps(policy), Description=properties.get("Description", ""))
        key.real_arn = made["KeyMetadata"]["Arn"]
    return key


Key.create_from_cloudformation_json = classmethod(create_key)
Key.get_cfn_attribute = lambda self, name: getattr(self, "real_arn", None) if name == "Arn" and hasattr(self, "real_arn") else known_key_attribute(self, name)

# ---- STS ----


def get_caller_identity(self, access_key_id, region):
    kms = settings().get("kms", {})
    if access_key_id == kms.get("key_id"):
        return access_key_id, kms["arn"], kms["arn"].split(":")[4]
    return known_caller(self, access_key_id, region)


known_caller = STSBackend.get_caller_identity
STSBackend.get_caller_identity = get_caller_identity

# ---- SSM ----


def run_command(folder, instance, line, invocation):
    shell = pathlib.Path(folder) / instance / "shell"
    if not shell.exists():  # nobody has started it
        invocation.update(Status="Undeliverable")
        return
    try:
        done = subprocess.run([shell, line], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, stdin=subprocess.DEVNULL)
        # As the agent has it (amazon-ssm-agent, runscript and iohandler): its own word on the exit code is among the errors.
        errors = done.stderr + (f"failed to run commands: exit status {done.returncode}" if done.returncode else "")
        output = done.stdout + (f"\n----------ERROR-------\n{errors}" if errors else "")
        invocation.update(Status="Success" if done.returncode == 0 else "Failed", output=output[:OUTPUT_SIZE])
    except subprocess.TimeoutExpired:
        invocation.update(Status="TimedOut")


def begin_command(self, *arguments, **named):
    given = list(named.get("instance_ids") or [])
    known_command(self, *arguments, **named)
    if not self.targets:  # moto takes none for all
        self.instance_ids = given
    folder = settings().get("instances")
    self.runs = {instance: {"Status": "Pending", "output": ""} for instance in self.instance_ids}
    for instance, invocation in self.runs.items():
        if folder:
            invocation["Status"] = "InProgress"
            threading.Thread(target=run_command, args=(folder, instance, "\n".join(self.parameters["commands"]), invocation), daemon=True).start()


def list_command_invocations(self):
    command = self.ssm_backend.get_command_by_id(self._get_param("CommandId"))
    return ActionResult({"CommandInvocations": [
        {"CommandId": command.command_id, "InstanceId": instance, "DocumentName": command.document_name, "Status": run["Status"],
         "CommandPlugins": [] if run["Status"] == "Pending" else [{"Name": "aws:runShellScript", "Status": run["Status"], "Output": run["output"]}]}
        for instance, run in command.runs.items()]})


known_command = Command.__init__
Command.__init__ = begin_command
SimpleSystemManagerResponse.list_command_invocations = list_command_invocations

# ---- Lambda ----

functions = {}  # of each code: (its process, its runtime API)


def start_function(function, options):
    folder = pathlib.Path(options["functions"]) / f"{function.function_name}-{len(functions)}"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
        for member in archive.infolist():
            path = pathlib.Path(archive.extract(member, folder))
            path.chmod(member.external_attr >> 16 & 0o777 or 0o644)
    api = RuntimeApi()
    environment = {"PATH": "/usr/bin:/bin", "AWS_REGION": function.region, "AWS_LAMBDA_RUNTIME_API": api.place, "LAMBDA_TASK_ROOT": str(folder),
                   **function.environment_vars, **options["function_environment"]}
    log = open(folder / "log", "wb")
    return subprocess.Popen([folder / "bootstrap"], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log), api


def invoke_function(self, event):
    options = settings()
    if "functions" not in options:
        return known_invoke(self, event)
    key = (self.function_name, self.code_sha_256)
    if key not in functions or functions[key][0].poll() is not None:
        functions[key] = start_function(self, options)
    kind, answer = functions[key][1].invoke(event)
    return json.dumps(answer), kind != "response", ""


@atexit.register
def end_functions():
    for process, _ in functions.values():
        process.kill()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
known_invoke = LambdaFunction._invoke_lambda
LambdaFunction._invoke_lambda = invoke_function

main(["-H", "127.0.0.1", "-p", sys.argv[1]])
