# SPDX-License-Identifier: Apache-2.0
"""docs/walkthrough.md, every command of it in order and in one shell, as an operator would type them. What this adds is AWS: between two commands it does what EC2, the Auto
Scaling group, the load balancer and the names of a network do (tests/support/cloud.py). The transcript is printed with ENSIGN_TRANSCRIPT=FILE into that file.

The second story has keys and a table that are there already, as the sample solution's own key generation leaves them (option 1)."""
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import unittest
import zipfile

import support  # noqa: F401
from balancer import Balancer
from cloud import REGION, Cloud, Instance, stub_kernel
from signer import PROGRAMS, TOP, SignerTest, wait_for

PAGE = TOP / "docs/walkthrough.md"
COMMAND_TIMEOUT_S = 120
DONE = "--done--"


def chapters(text):
    """[(title, [shell block, …])]"""
    found = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        found.append((part.partition("\n")[0], re.findall(r"^```sh\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL)))
    return found


class Shell:
    """One bash; what it says goes into the transcript."""

    def __init__(self, folder, env):
        self.transcript = []
        self.process = subprocess.Popen(["bash"], cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.changed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.lines.append(f"{DONE} the shell has ended\n")
            self.changed.notify_all()

    def run(self, block, shown=True):
        """Every command of it has to end with 0, as with `set -e`, but the shell stays."""
        with self.changed:
            self.lines.clear()
        self.process.stdin.write(f"set -e -o pipefail\ntrap 'echo {DONE} $?; set +e' ERR\nfailed=\n{block}\ntrap - ERR; set +e\necho {DONE} 0\n")
        self.process.stdin.flush()
        with self.changed:
            if not self.changed.wait_for(lambda: any(line.startswith(DONE) for line in self.lines), COMMAND_TIMEOUT_S):
                raise AssertionError(f"still running after {COMMAND_TIMEOUT_S} s:\n{block}\n{''.join(self.lines)}")
            said = "".join(line for line in self.lines if not line.startswith(DONE))
            code = next(line for line in self.lines if line.startswith(DONE)).removeprefix(DONE).strip()
        if shown:
            self.transcript.append("".join(f"$ {line}\n" for line in block.rstrip().split("\n")) + said)
        if code != "0":
            raise AssertionError(f"{code}:\n{block}\n{said}")
        return said

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


class Story(SignerTest):
    def setUp(self):
        super().setUp()
        self.cloud = Cloud(self, self.folder)
        self.desk = self.folder / "desk"
        self.desk.mkdir()
        self.make_release()
        env = {**self.cloud.env, "PATH": f"{TOP}/.deps/python-tools/bin:{os.environ['PATH']}"}
        self.shell = Shell(self.desk, env)
        self.addCleanup(self.shell.end)
        self.addCleanup(self.write_transcript)
        self.instances = {}
        self.balancer = None

    def make_release(self):
        subprocess.run([TOP / "scripts/dist"], env={**os.environ, "DIST": str(self.desk)}, check=True, capture_output=True)

    def need_kernel(self):
        """Where the project's kernel is not built yet something in its form will do: no machine boots here."""
        [folder] = self.desk.glob("ensign-*-linux-x86_64/bin/image")
        if not (folder / "bzImage").exists():
            stub_kernel(folder / "bzImage")

    def write_transcript(self):
        if os.environ.get("ENSIGN_TRANSCRIPT"):
            pathlib.Path(os.environ["ENSIGN_TRANSCRIPT"]).write_text("\n".join(self.shell.transcript))

    # ---- what AWS does ----

    def outputs(self):
        return json.loads((self.desk / "output.json").read_text())["signer"]

    def group(self):
        found = self.cloud.aws("autoscaling", "describe-auto-scaling-groups", "--auto-scaling-group-names", self.outputs()["ASGGroupName"])
        return {one["InstanceId"] for one in found["AutoScalingGroups"][0]["Instances"]}

    def environment(self):
        """The variables that the template's script writes on an instance."""
        outputs = self.outputs()
        return {"REGION": REGION, "TLS_KEYS_TABLE_NAME": outputs["TLSKeysTableName"], "VALIDATOR_KEYS_TABLE_NAME": outputs["ValidatorKeysTableName"], "CF_STACK_NAME": "signer",
                "NITRO_ENCLAVE_DEBUG": "FALSE", "WEB3SIGNER_UUID": outputs["Web3SignerUuid"], "WEB3SIGNER_INIT_FLAG_PARAM": outputs["Web3SignerInitFlagParamName"]}

    def boot(self, name, image):
        """An instance that the group has started: what was unpacked from the archive, and the image."""
        [programs] = self.desk.glob("ensign-*-linux-x86_64/bin")
        self.instances[name] = Instance(self.cloud, name, self.environment(), self.desk / image, programs=programs, settings={"drain_s": 3}).start()
        if self.balancer:
            self.balancer.add(name, self.instances[name].port)

    def follow_group(self, image):
        """Those that are gone are shut down, those that are new boot; of more than one at a time the next waits for the one before."""
        wanted = self.group()
        for name in wanted - set(self.instances):
            self.boot(name, image)
            self.instances[name].wait_said("READY=1")
        for name in set(self.instances) - wanted:
            self.instances.pop(name).terminate()

    def name_roles(self):
        """Of instances and function, to KMS; the function's place in the network."""
        outputs = self.outputs()
        self.cloud.start_simulator("--role", outputs["EC2InstanceRoleARN"], "--function-role", outputs["LambdaExecutionArn"])
        port = self.balancer.port
        function = json.loads((self.folder / "sim/function-credentials.json").read_text())
        self.cloud.emulated["function_environment"] = {
            "AWS_ENDPOINT_URL": self.cloud.url, "AWS_CA_BUNDLE": str(self.cloud.ca), "AWS_ACCESS_KEY_ID": function["access_key_id"], "AWS_SECRET_ACCESS_KEY": function["secret_access_key"],
            "AWS_SESSION_TOKEN": function["token"], "NITRO_INSTANCE_PRIVATE_DNS": f"localhost:{port}", "DEPLOYMENT_MODE": "dev",
            "ENSIGN_ATTESTATION_ROOT": self.cloud.endpoints["attestation_root_file"]}
        self.cloud.write_emulated()

    def make_network(self):
        self.balancer = Balancer(0, {}, interval_s=0.5)
        self.addCleanup(self.balancer.stop)

    def localize(self, name):
        """In a configuration: KMS and DynamoDB are here."""
        path = self.desk / name
        configuration = json.loads(path.read_text())
        configuration["kms_host"] = "localhost"
        configuration["slashing"]["host"] = f"localhost:{self.cloud.door.port}"
        path.write_text(json.dumps(configuration))

    # ---- between the commands ----

    def after(self, chapter, block):
        if "tar -xzf" in block:
            self.need_kernel()
        if chapter == "Deploy" and "ensign-deploy up" in block and "--image" not in block:
            self.make_network()
            self.name_roles()
        if ">enclave.json" in block:
            self.localize("enclave.json")
        if chapter == "Upgrade":
            self.outages = list(self.balancer.outages)

    def before(self, chapter, block):
        """Commands that AWS answers in between are split from their block."""
        if chapter == "Deploy" and "--image signer.eif" in block:
            first, _, rest = block.partition("\n")
            return [first, lambda: self.follow_group("signer.eif"), rest]
        if "SIGNER=https" in block:
            first, _, rest = block.partition("\n")
            return [first, lambda: self.shell.run(f"SIGNER=https://localhost:{self.balancer.port}", shown=False), lambda: self.wait_healthy(2), rest]
        if "terminate-instance" in block:
            name, kill, *rest = block.strip().split("\n")
            return [name, kill, self.fail_over, "\n".join(rest)]
        if "--image next.eif" in block:
            head, _, deploy = block.strip().rpartition("\n")
            return [head, deploy, self.roll]
        if chapter == "Upgrade" and "policy rotate" in block and "--url" in block:
            status, rotate, sign = block.strip().split("\n")
            return [status, rotate.replace("--apply", f"--root {self.cloud.endpoints['attestation_root_file']} --apply"), sign]
        return [block]

    def wait_healthy(self, count):
        wait_for(lambda: len(self.balancer.healthy()) == count, f"{count} healthy targets", 60)

    def fail_over(self):
        """The one that was ended is gone at once; until the load balancer has seen it a request may fail. The group has started another."""
        gone = set(self.instances) - self.group()
        self.assertEqual(len(gone), 1)
        for name in gone:
            self.instances.pop(name).kill()
        wait_for(lambda: not gone & self.balancer.healthy(), "it is seen to be gone")
        self.assertEqual(len(self.balancer.healthy()), 1)
        self.follow_group("signer.eif")

    def roll(self):
        """The rolling update: a new one, which clients reach, and only then an old one goes."""
        for old in list(self.instances):
            self.cloud.aws("autoscaling", "terminate-instance-in-auto-scaling-group", "--instance-id", old, "--no-should-decrement-desired-capacity")
            [new] = self.group() - set(self.instances)
            self.boot(new, "next.eif")
            self.wait_healthy(3)
            self.instances.pop(old).terminate()
            self.wait_healthy(2)
        self.assertEqual(self.group(), set(self.instances))

    def tell(self, chapters_of_it):
        begun = time.monotonic()
        for chapter, blocks in chapters_of_it:
            for block in blocks:
                for part in self.before(chapter, block):
                    if callable(part):
                        part()
                    else:
                        self.said[chapter] = self.said.get(chapter, "") + self.shell.run(part)
                self.after(chapter, block)
        return time.monotonic() - begun

    def test_walkthrough(self):
        self.said = {}
        told = chapters(PAGE.read_text())
        self.assertGreater(sum(len(blocks) for _, blocks in told), 14)
        took_s = self.tell(told)
        serving = re.findall(r"^i-\w+ +serving +\w{12} yes +2 ", self.said["Status"], re.MULTILINE)
        self.assertEqual(len(serving), 2, self.said["Status"])
        self.assertIn("\nOK\n", self.said["Status"])
        self.assertTrue(self.said["Status"].endswith("true\n"), self.said["Status"])
        self.assertEqual(len(re.findall(r"^0x[0-9a-f]{192}$", self.said["Sign"], re.MULTILINE)), 1)
        self.assertIn("(status 412)", self.said["Sign"])
        self.assertEqual(self.outages, [], "there was a healthy target all the time")
        self.assertIn("schedule-key-deletion", self.said["Destroy"])
        history = json.loads((self.desk / "history.json").read_text())
        self.assertEqual(len(history["data"]), 2)
        print(f"walkthrough: {sum(len(blocks) for _, blocks in told)} blocks, {took_s:.0f} s", file=sys.stderr)


class KeysOfBefore(Story):
    """Option 1. Files of the release are not looked at here."""

    def make_release(self):
        for name in ["ensign-0.1.0-linux-x86_64.tar.gz", "ensign-lambda-0.1.0.zip"]:
            with zipfile.ZipFile(self.desk / name, "w") as archive:
                archive.writestr("bootstrap", "#!/bin/sh\n")

    def test_walkthrough(self):
        text = PAGE.read_text()
        key = self.cloud.aws("kms", "create-key")["KeyMetadata"]["Arn"]
        self.cloud.create_table("KeygenKeys", web3signer_uuid="S", pubkey="S")
        table = self.cloud.aws("dynamodb", "describe-table", "--table-name", "KeygenKeys")["Table"]["TableArn"]
        made = self.cloud.ensign("keys", "generate", "-n", 2, "--withdrawal-address", "0x71C7656EC7ab88b098defB751B7401B5f6d8976F", "--mnemonic-out", self.folder / "mnemonic", "--table", "KeygenKeys",
                                 "--uuid", "none", "--region", REGION, "--kms-key", key, "--json")
        keys = json.loads(made)["public_keys"]
        self.assertIn("`--set ExistingKeyArn=… --set ExistingValidatorKeysTableArn=…`", text)
        self.shell.run(f"export PATH={TOP}/deploy:{PROGRAMS}:$PATH\nensign-deploy up --stack signer --artifacts . --set ExistingKeyArn={key} --set ExistingValidatorKeysTableArn={table}")
        outputs = self.outputs()
        self.assertEqual((outputs["KMSKeyARN"], outputs["ValidatorKeysTableName"]), (key, "KeygenKeys"))
        self.assertIn(keys[0], self.shell.run(re.search(r"^ensign keys list --uuid none .*$", text, re.MULTILINE)[0]))
        self.shell.run(re.search(r"`(ensign keys assign .*?)`", text)[1].replace("PUBKEY…", keys[0]))
        self.assertEqual([one["public_key"] for one in json.loads(self.cloud.ensign("keys", "list", "--outputs", self.desk / "output.json", "--json"))], [keys[0]])
        left = json.loads(self.cloud.ensign("keys", "list", "--uuid", "none", "--outputs", self.desk / "output.json", "--json"))
        self.assertEqual([one["public_key"] for one in left], [keys[1]])
        self.shell.run("ensign-deploy down --stack signer --yes")
        self.assertEqual(self.cloud.aws("dynamodb", "list-tables")["TableNames"].count("KeygenKeys"), 1)


if __name__ == "__main__":
    unittest.main()
