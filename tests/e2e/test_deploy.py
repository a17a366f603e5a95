# SPDX-License-Identifier: Apache-2.0
"""deploy/: the template as data, and put up on moto's server by deploy/ensign-deploy with the AWS CLI, then read back. Dashboard and alerts name metrics
that there are. Of moto: its update of a stack forgets defaults of parameters, so the fleet with instances is made in one go here; it keeps no CreationPolicy
and UpdatePolicy, tables' encryption and recovery are checked in the template."""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request
import zipfile

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy"
TOOLS = TOP / ".deps/python-tools/bin"
SAMPLE_OUTPUTS = {"KMSKeyARN", "ValidatorKeysTableName", "TLSKeysTableName", "LambdaFunctionArn", "LambdaExecutionArn", "EC2InstanceRoleARN", "ASGGroupName",
                  "SignerELBFQDN", "Web3SignerInitFlagParamName"}


class Loader(yaml.SafeLoader):
    """CloudFormation's short forms as {"!Ref": …}"""


Loader.add_multi_constructor("!", lambda loader, name, node: {"!" + name: (
    loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else
    loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else loader.construct_mapping(node, deep=True))})
TEMPLATE = yaml.load((DEPLOY / "template.yaml").read_text(), Loader)
RESOURCES = TEMPLATE["Resources"]


def listed(value):
    return value if isinstance(value, list) else [value]


def of_type(kind):
    return {name: one for name, one in RESOURCES.items() if one["Type"] == kind}


def statements(role):
    """With those of !If: whatever a role can ever have."""
    for policy in RESOURCES[role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            yield statement["!If"][1] if "!If" in statement else statement


class Template(unittest.TestCase):
    def test_rights(self):
        bare = {"AsksForItsHealth", "TakesCommands", "JoinsTheNetwork"}  # AWS knows no resource of these actions
        for role in ["InstanceRole", "LambdaRole"]:
            for statement in statements(role):
                with self.subTest(statement["Sid"]):
                    self.assertFalse([action for action in listed(statement["Action"]) if "*" in action])
                    self.assertEqual(statement["Resource"] == "*", statement["Sid"] in bare)
        for statement in statements("InstanceRole"):
            if "ValidatorKeysTable" in json.dumps(statement["Resource"]) and statement["Sid"] != "StoresWhatItsEnclaveSeals":
                self.assertEqual(statement["Action"], "dynamodb:Query")
            self.assertFalse([action for action in listed(statement["Action"]) if action.startswith("kms:")])
        self.assertEqual(TEMPLATE["Parameters"]["HostStoresKeys"]["Default"], "no")

    def test_key_policy(self):
        key = RESOURCES["EncryptionKey"]["Properties"]
        self.assertTrue(key["EnableKeyRotation"])
        administers, denies, sealer, seals = key["KeyPolicy"]["Statement"]
        self.assertEqual(sealer["!If"][1]["Action"], ["kms:Encrypt", "kms:GenerateDataKey"])
        condition, production, _ = denies["!If"]
        self.assertEqual((condition, production["Effect"], production["Principal"], production["Action"]), ("IsProduction", "Deny", "*", "kms:Decrypt"))
        self.assertNotIn("Condition", production)
        source = (TOP / "src/image/key_pinning.c").read_text()
        ours = re.findall(r'"(kms:[^"]+)"', re.search(r"admin_actions\[\] = \{(.*?)\};", source, re.DOTALL)[1])
        self.assertEqual(set(administers["Action"]), set(ours), "`ensign policy` gives administrators the same")
        self.assertEqual(seals["Action"], "kms:Encrypt")

    def test_kept_and_encrypted(self):
        tables = of_type("AWS::DynamoDB::Table")
        self.assertEqual(len(tables), 3)
        for table in [*tables.values(), RESOURCES["EncryptionKey"]]:
            self.assertEqual((table["DeletionPolicy"], table["UpdateReplacePolicy"]), ("RetainExceptOnCreate", "Retain"))
        for table in tables.values():
            self.assertTrue(table["Properties"]["SSESpecification"]["SSEEnabled"])
            self.assertTrue(table["Properties"]["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"])
            self.assertEqual(table["Properties"]["DeletionProtectionEnabled"], {"!If": ["ProtectsTables", True, False]})
        # CloudFormation takes back what a first run has made, and cannot delete a table that is protected.
        self.assertEqual(TEMPLATE["Conditions"]["ProtectsTables"], {"!And": [{"!Condition": "IsProduction"}, {"!Condition": "HasImage"}]})
        self.assertFalse(of_type("AWS::S3::Bucket"))

    def test_rolling(self):
        group = RESOURCES["SignerGroup"]
        rolling = group["UpdatePolicy"]["AutoScalingRollingUpdate"]
        self.assertTrue(rolling["WaitOnResourceSignals"])
        self.assertEqual(rolling["MinInstancesInService"], int(group["Properties"]["DesiredCapacity"]))
        self.assertLess(rolling["MinInstancesInService"], int(group["Properties"]["MaxSize"]))
        self.assertEqual(group["Properties"]["HealthCheckType"], "EC2", "a host that drains or waits is no reason to end its machine")
        self.assertEqual(RESOURCES["LambdaFunction"]["Properties"]["Runtime"], "provided.al2023")
        self.assertLessEqual(SAMPLE_OUTPUTS, set(TEMPLATE["Outputs"]))

    def test_metrics_of_dashboard_and_alerts_exist(self):
        kinds = dict(re.findall(r"^\| `(\w+)` \| (\w+)", (TOP / "docs/metrics.md").read_text(), re.MULTILINE))
        known = {name + suffix for name, kind in kinds.items() for suffix in (["_bucket", "_sum", "_count"] if kind == "histogram" else [""])}
        dashboard = json.loads((DEPLOY / "grafana.json").read_text())
        alerts = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]] + [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
        self.assertGreater(len(queries), 15)
        for query in queries:
            names = re.findall(r"\b(?:ensign|signing|http|eth2)_\w+", query)
            self.assertTrue(names, query)
            self.assertLessEqual(set(names), known, query)


class UserData(unittest.TestCase):
    """The script that instances run, with other folders for /etc and /opt and stand-ins for what it calls."""

    def run_script(self, flag, sha):
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        for part in ["bin", "etc/nitro_enclaves", "etc/systemd/system", "host/deploy/systemd"]:
            (folder / part).mkdir(parents=True)
        (folder / "host/deploy/systemd/ensign-host.service").write_text("[Service]\n")
        subprocess.run(["tar", "-czf", folder / "file", "-C", folder, "host"], check=True)
        log = f'echo "$(basename "$0") $*" >>{folder}/calls\n'
        for name, text in {"aws": f'case "$*" in *get-parameter*) echo {flag} ;; "s3 cp"*) cp {folder}/file "$5" ;; esac', "curl": "echo i-1", "dnf": "", "systemctl": "", "useradd": "",
                           "logger": "cat"}.items():
            (folder / "bin" / name).write_text(f"#!/bin/bash\n{log if name != 'logger' else ''}{text}\n")
            (folder / "bin" / name).chmod(0o755)
        script = RESOURCES["LaunchTemplate"]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["!Sub"][0]
        sha = sha or subprocess.run(["sha256sum", folder / "file"], check=True, capture_output=True, text=True).stdout.split()[0]
        values = {"TarballSha256": sha, "ImageSha256": sha, "HostSettings": '"metrics_listen": "tcp:0.0.0.0:9001"', "EnclaveMemoryMiB": "1024", "EnclaveCpuCount": "2", "AWS::StackName": "fleet"}
        script = re.sub(r"\$\{([A-Za-z:0-9]+)\}", lambda found: values.get(found[1], found[1].replace("::", "")), script)
        script = script.replace("/etc/", f"{folder}/etc/").replace("/opt/", f"{folder}/opt/")
        done = subprocess.run(["bash", "-c", script], env={"PATH": f"{folder}/bin:{os.environ['PATH']}"}, capture_output=True, timeout=30)
        return done.returncode, (folder / "calls").read_text(), folder

    def test_installs_and_tells(self):
        code, calls, folder = self.run_script("true", None)
        self.assertEqual(code, 0, calls)
        self.assertLess(calls.index("elbv2 wait"), calls.index("--status SUCCESS"), "clients reach it before the next one goes")
        self.assertEqual((folder / "etc/nitro_enclaves/allocator.yaml").read_text(), "memory_mib: 1024\ncpu_count: 2\n")
        environment = (folder / "etc/ensign/environment").read_text()
        self.assertEqual(json.loads((folder / "etc/ensign/host.json").read_text()), {"metrics_listen": "tcp:0.0.0.0:9001"})
        for line in ["CF_STACK_NAME=fleet", "ENCLAVE_CPU_COUNT=2", "ENCLAVE_MEMORY_MIB=1024"]:
            self.assertIn(f"\n{line}\n", environment)
        names = re.findall(r"^ \*   (\w+)", (TOP / "src/host/instance_settings.h").read_text(), re.MULTILINE)
        known = {*names, "ENSIGN_HOST_OPTIONS"}  # which is the unit's
        self.assertLessEqual({line.partition("=")[0] for line in environment.splitlines()}, known, "the host knows all of them")
        self.assertTrue((folder / "etc/systemd/system/ensign-host.service").exists())
        code, calls, _ = self.run_script("false", None)
        self.assertEqual(code, 0)
        self.assertNotIn("elbv2 wait", calls)

    def test_other_bytes_are_not_run(self):
        code, calls, _ = self.run_script("true", "0" * 64)
        self.assertNotEqual(code, 0)
        self.assertIn("--status FAILURE", calls)
        self.assertNotIn("ensign-host", calls)


class Deployed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (TOOLS / "moto_server").exists():
            if os.environ.get("CI") == "true":
                raise AssertionError("scripts/get-python-tools has not run")
            raise unittest.SkipTest("scripts/get-python-tools has not run")
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        cls.env = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "HOME": str(cls.folder), "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
                   "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "ENSIGN_DEPLOY_POLL_S": "0.2", "NO_PROXY": "127.0.0.1"}
        log = open(cls.folder / "moto.log", "wb")
        server = subprocess.Popen([TOOLS / "python", TOP / "tests/support/aws_emulator.py", str(port)], stdout=log, stderr=log, env=cls.env)
        cls.addClassCleanup(lambda: (server.terminate(), server.wait(10), log.close()))
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/moto-api/", timeout=5).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        (cls.folder / "dist").mkdir()
        (cls.folder / "dist/ensign-0.1.0-linux-x86_64.tar.gz").write_bytes(b"tarball")
        (cls.folder / "signer.eif").write_bytes(b"image")
        with zipfile.ZipFile(cls.folder / "dist/ensign-lambda-0.1.0.zip", "w") as archive:
            archive.writestr("bootstrap", "#!/bin/sh\n")
        cls.up = cls.deploy("up", "--stack", "fleet", "--image", "signer.eif")
        cls.outputs = json.loads((cls.folder / "output.json").read_text())["fleet"]

    @classmethod
    def deploy(cls, *arguments, check=0):
        done = subprocess.run([DEPLOY / "ensign-deploy", *arguments], cwd=cls.folder, env=cls.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == check, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def aws(self, *arguments):
        done = subprocess.run([TOOLS / "aws", "--region", "us-east-1", "--output", "json", *arguments], env=self.env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout or "null")

    def test_key_and_tables(self):
        key = self.outputs["KMSKeyARN"]
        self.assertTrue(self.aws("kms", "get-key-rotation-status", "--key-id", key)["KeyRotationEnabled"])
        policy = self.aws("kms", "get-key-policy", "--key-id", key, "--policy-name", "default")["Policy"]
        policy = policy if isinstance(policy, dict) else json.loads(policy)  # moto keeps a template's as it is there
        self.assertEqual([one["Sid"] for one in policy["Statement"] if one], ["EnsignAdministers", "EnsignNobodyElseDecrypts", "EnsignSealsTLSKeys"])
        for output, keys in [("ValidatorKeysTableName", ["web3signer_uuid", "pubkey"]), ("TLSKeysTableName", ["key_id"]), ("SlashingTableName", ["pubkey"])]:
            table = self.aws("dynamodb", "describe-table", "--table-name", self.outputs[output])["Table"]
            self.assertEqual([one["AttributeName"] for one in table["KeySchema"]], keys)
            self.assertEqual(table["BillingModeSummary"]["BillingMode"], "PAY_PER_REQUEST")

    def test_instances(self):
        group, = self.aws("autoscaling", "describe-auto-scaling-groups", "--auto-scaling-group-names", self.outputs["ASGGroupName"])["AutoScalingGroups"]
        self.assertEqual((group["MinSize"], group["MaxSize"], group["DesiredCapacity"]), (2, 3, 2))
        self.assertEqual(len(group["AvailabilityZones"]), 2)
        template = self.aws("ec2", "describe-launch-template-versions", "--launch-template-id", group["LaunchTemplate"]["LaunchTemplateId"])
        data = template["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        self.assertTrue(data["EnclaveOptions"]["Enabled"])
        self.assertEqual((data["MetadataOptions"]["HttpTokens"], data["MetadataOptions"]["HttpPutResponseHopLimit"]), ("required", 1))
        disk = data["BlockDeviceMappings"][0]["Ebs"]
        self.assertEqual((disk["VolumeType"], disk["Encrypted"]), ("gp3", True))

    def test_balancer_record_flag_and_lambda(self):
        target, = self.aws("elbv2", "describe-target-groups")["TargetGroups"]
        self.assertEqual((target["Protocol"], target["Port"], target["HealthCheckProtocol"], target["HealthCheckPath"]), ("TCP", 8443, "HTTPS", "/upcheck"))
        balancer, = self.aws("elbv2", "describe-load-balancers")["LoadBalancers"]
        self.assertEqual((balancer["Type"], balancer["Scheme"]), ("network", "internal"))
        listener, = self.aws("elbv2", "describe-listeners", "--load-balancer-arn", balancer["LoadBalancerArn"])["Listeners"]
        self.assertEqual((listener["Protocol"], listener["Port"]), ("TCP", 443))
        zone, = self.aws("route53", "list-hosted-zones")["HostedZones"]
        records = self.aws("route53", "list-resource-record-sets", "--hosted-zone-id", zone["Id"])["ResourceRecordSets"]
        self.assertIn("signer.fleet.private", [one["Name"].rstrip(".") for one in records if one["Type"] == "A"])
        flag = self.aws("ssm", "get-parameter", "--name", self.outputs["Web3SignerInitFlagParamName"])["Parameter"]
        self.assertEqual(flag["Value"], "false")
        function = self.aws("lambda", "get-function-configuration", "--function-name", self.outputs["LambdaFunctionArn"])
        self.assertEqual(function["Runtime"], "provided.al2023")
        self.assertEqual(function["Environment"]["Variables"]["TLS_KEYS_TABLE_NAME"], self.outputs["TLSKeysTableName"])
        self.assertEqual(len(function["VpcConfig"]["SubnetIds"]), 2)
        self.assertEqual(len(self.aws("ec2", "describe-vpc-endpoints")["VpcEndpoints"]), 7)
        self.assertEqual(set(self.outputs), set(TEMPLATE["Outputs"]))

    def test_bucket(self):
        bucket = "ensign-123456789012-us-east-1"
        self.assertTrue(all(self.aws("s3api", "get-public-access-block", "--bucket", bucket)["PublicAccessBlockConfiguration"].values()))
        rule, = self.aws("s3api", "get-bucket-encryption", "--bucket", bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")

    def test_down(self):
        self.deploy("up", "--stack", "trial", "--dev", "--outputs", "trial.json")
        outputs = json.loads((self.folder / "trial.json").read_text())["trial"]
        self.assertNotIn("ASGGroupName", outputs, "without an image there are no instances")
        said = self.deploy("down", "--stack", "trial", "--yes")
        self.assertIn("7 days", said)
        self.assertFalse([name for name in self.aws("dynamodb", "list-tables")["TableNames"] if name.startswith("trial")])
        self.assertIn("no stack", self.deploy("down", "--stack", "trial", "--yes"))
        self.deploy("up", "--stack", "real", "--outputs", "real.json")
        outputs = json.loads((self.folder / "real.json").read_text())["real"]
        said = self.deploy("down", "--stack", "real", "--yes")
        for kept in ["ValidatorKeysTableName", "TLSKeysTableName", "SlashingTableName", "KMSKeyARN"]:
            self.assertIn(outputs[kept].rpartition("/")[2], said)
        self.assertIn("no-deletion-protection", said)

    def test_again_and_mistakes(self):
        said = self.deploy("up", "--stack", "fleet")
        self.assertIn("nothing to change", said)
        self.assertIn("already", said)
        self.assertIn("stays it", self.deploy("up", "--stack", "fleet", "--dev", check=1))
        self.assertIn("no stack", self.deploy("outputs", "--stack", "other", check=1))
        self.assertIn("make dist", self.deploy("up", "--stack", "other", "--artifacts", "nowhere", check=1))
        self.assertIn("unknown", self.deploy("up", "--nonsense", check=2))
        self.assertIn("no parameter", self.deploy("up", "--stack", "other", "--set", "Nonsense=1", check=2))
        self.assertIn("--yes", self.deploy("down", "--stack", "fleet", check=1))
        self.assertIn("output.json", self.deploy("help"))


if __name__ == "__main__":
    unittest.main()
