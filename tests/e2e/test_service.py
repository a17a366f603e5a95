# SPDX-License-Identifier: Apache-2.0
"""ensign-host as a service of an instance: settings from its environment, the start flag, systemd's notifications, drain; and two of them behind a load balancer, one of
which is killed, and both of which are replaced, while clients sign."""
import http.client
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import unittest

import support  # noqa: F401
from balancer import Balancer
from cloud import REGION, TOP, Cloud, Instance, stub_kernel
from signer import MAINNET_ROOT, PROGRAMS, Connection, SignerTest, attestation, randao, wait_for

ADDRESS = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
UUID = "40eec9d0-6a37-11ed-bce8-02f9df3f099e"
FLAG = "/fleet/web3signer-init-flag"
KEYS, TLS, SLASHING = "ValidatorKeys", "TLSKeys", "SlashingProtection"
UNIT = TOP / "deploy/systemd/ensign-host.service"


class Unit(unittest.TestCase):
    def test_unit(self):
        """systemd takes it, and finds it well walled off: 10 would be a service without any protection."""
        text = UNIT.read_text()
        for needed in ["Type=notify", "WatchdogSec=", "Restart=always", "NoNewPrivileges=yes", "CapabilityBoundingSet=\n", "KillMode=process"]:
            self.assertIn(needed, text)
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=25", UNIT], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-400:] + done.stderr)


class ServiceTest(SignerTest):
    """A fleet's key, tables, image and TLS identity, with two keys of its own."""

    def setUp(self):
        super().setUp()
        self.cloud = Cloud(self, self.folder)
        for name, key in [(KEYS, {"web3signer_uuid": "S", "pubkey": "S"}), (TLS, {"key_id": "N"}), (SLASHING, {"pubkey": "S"})]:
            self.cloud.create_table(name, **key)
        self.key = self.cloud.aws("kms", "create-key")["KeyMetadata"]["Arn"]
        self.flag("false")
        self.image = self.folder / "signer.eif"
        self.pcr0 = self.build_image(self.image)
        where = ["--region", REGION, "--kms-key", self.key]
        made = self.cloud.ensign("keys", "generate", "-n", 2, "--withdrawal-address", ADDRESS, "--mnemonic-out", self.folder / "mnemonic", "--table", KEYS, "--uuid", UUID,
                                 *where, "--fleet", "fleet", "--json")
        self.public_keys = json.loads(made)["public_keys"]
        self.anchors = self.folder / "anchors.pem"
        self.cloud.ensign("tls", "create", "--outside", "--names", "localhost,127.0.0.1", "--ca-out", self.anchors, "--table", TLS, *where)
        self.cloud.ensign("slashing", "fresh", "--table", SLASHING, "--region", REGION, *self.public_keys)
        self.cloud.ensign("policy", "write", "--key", self.key, "--role", self.cloud.endpoints["role_arn"], "--pcr0", self.pcr0, "--keygen-role",
                          self.cloud.endpoints["operator_arn"], "--apply")

    def flag(self, value):
        self.cloud.aws("ssm", "put-parameter", "--name", FLAG, "--type", "String", "--value", value, "--overwrite")

    def build_image(self, path):
        configuration = self.folder / "enclave.json"
        configuration.write_text(json.dumps({
            "version": 1, "network": "mainnet", "slashing_protection": True, "fleet": "fleet", "region": REGION, "kms_host": "localhost", "kms_key_arn": self.key,
            "slashing": {"store": "dynamodb", "table": SLASHING, "host": f"localhost:{self.cloud.door.port}", "credentials": "parent", "first_use": "operator"},
            "ca_pem": self.cloud.ca.read_text()}))
        built = self.cloud.ensign("image", "build", "--config", configuration, "--kernel", stub_kernel(self.folder / "bzImage"), "--program",
                                  PROGRAMS / "image/ensign-enclave", "--out", path)
        return json.loads(built)["Measurements"]["PCR0"]

    def instance(self, name, **settings):
        environment = {"REGION": REGION, "VALIDATOR_KEYS_TABLE_NAME": KEYS, "TLS_KEYS_TABLE_NAME": TLS, "CF_STACK_NAME": "fleet", "WEB3SIGNER_UUID": UUID,
                       "NITRO_ENCLAVE_DEBUG": "FALSE", "WEB3SIGNER_INIT_FLAG_PARAM": FLAG}
        return Instance(self.cloud, name, environment, self.image, settings={"drain_s": 4, **settings}).start()

    def up_of(self, port):
        return {"url": f"https://localhost:{port}", "ca_file": self.anchors}


class Service(ServiceTest):
    def test_life(self):
        drain_s = 8  # all that is checked while it drains has to fit, on a busy machine
        one = self.instance("i-1", drain_s=drain_s)
        one.wait_said("READY=1")
        one.wait_said(f"STATUS=waiting for the start flag {FLAG}")
        self.wait_health(one, 503, f"waiting for the start flag {FLAG}\n")
        self.assertEqual(one.status()["enclave_pid"], None)
        self.flag("true")
        one.wait_state("serving")
        one.wait_said("STATUS=serving 2 keys")
        self.wait_health(one, 200, "serving 2 keys\n")
        self.assertEqual(one.status()["pcr0"], self.pcr0)
        with Connection(self.up_of(one.port)) as kept:
            self.assertEqual(kept.sign(self.public_keys[0], randao(1))[0], 200)
            self.assertEqual(kept.request("GET", "/upcheck")[0], 200)
            # systemctl stop: clients are told, and served
            begun = time.monotonic()
            one.restarts = False
            one.host.terminate()
            wait_for(lambda: one.status()["state"] == "draining", "it drains")
            one.wait_said("STOPPING=1")
            wait_for(lambda: self.upcheck(one) == 503, "its health check fails")
            self.assertEqual(kept.sign(self.public_keys[0], randao(2))[0], 200)
            self.assertEqual(one.get("/healthz")[0], 503)
        with Connection(self.up_of(one.port)) as fresh:
            status, headers, _ = fresh.request("GET", "/api/v1/eth2/publicKeys")
            self.assertEqual((status, headers["Connection"]), (200, "close"))
        self.assertEqual(one.host.wait(30), 0)
        self.assertGreaterEqual(time.monotonic() - begun, drain_s)
        self.assertEqual(one.status()["state"], "stopped")

    def wait_health(self, instance, *answer):
        """The host's word to systemd, on /healthz and in its status file come one after the other."""
        wait_for(lambda: instance.get("/healthz") == answer, f"/healthz says {answer}")

    def upcheck(self, instance):
        try:
            with Connection(self.up_of(instance.port)) as connection:
                return connection.request("GET", "/upcheck")[0]
        except (OSError, http.client.HTTPException):
            return None

    def test_flag_ends_it(self):
        self.flag("true")
        one = self.instance("i-1", drain_s=0)
        one.wait_state("serving")
        self.flag("false")
        one.wait_state("waiting")
        self.assertIsNone(self.upcheck(one))
        self.flag("true")
        one.wait_state("serving")
        self.assertEqual(self.upcheck(one), 200)

    def test_settings_that_are_missing_are_named(self):
        done = subprocess.run([PROGRAMS / "ensign-host", "--instance"], env={"REGION": "us-east-1"}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("VALIDATOR_KEYS_TABLE_NAME: not set", done.stderr)


class Client(threading.Thread):
    """A validator client: a kept connection, a vote of its key a moment; what fails is tried anew on another connection, as clients do, and counted."""

    def __init__(self, up, key, first_epoch):
        super().__init__(daemon=True)
        self.context = ssl.create_default_context(cafile=up["ca_file"])
        self.up, self.key, self.epoch = up, key, first_epoch
        self.failures = []  # (monotonic, what)
        self.signed = []  # (target, root, signature)
        self.ends = False

    def run(self):
        connection = Connection(self.up, timeout=5, context=self.context)
        while not self.ends:
            try:
                body = attestation(self.epoch, genesis=MAINNET_ROOT)
                status, answer = connection.sign(self.key, body)
                if status == 200:
                    self.signed.append((self.epoch, body["attestation"]["beacon_block_root"], answer["signature"]))
                if status in (200, 412):  # 412: the other one was ahead
                    self.epoch += 1
                else:
                    self.failures.append((time.monotonic(), f"{status} {answer}"))
            except (OSError, http.client.HTTPException) as problem:
                self.failures.append((time.monotonic(), repr(problem)))
                connection.close()
                connection = Connection(self.up, timeout=5, context=self.context)
            time.sleep(0.02)
        connection.close()


class Failover(ServiceTest):
    INTERVAL_S = 1.0

    def setUp(self):
        super().setUp()
        self.flag("true")
        self.both = [self.instance("i-1"), self.instance("i-2")]
        for one in self.both:
            one.wait_state("serving")
        self.balancer = Balancer(0, {one.name: one.port for one in self.both}, interval_s=self.INTERVAL_S)
        self.addCleanup(self.balancer.stop)
        self.wait_healthy(2)
        # Two clients a key, one behind the other: what one signs the other has signed at another instance.
        self.clients = [Client(self.up_of(self.balancer.port), key, 10) for key in self.public_keys for _ in range(2)]
        for client in self.clients:
            client.start()
        time.sleep(2)

    def wait_healthy(self, count):
        wait_for(lambda: len(self.balancer.healthy()) == count, f"{count} healthy targets", 60)

    def end_clients(self):
        for client in self.clients:
            client.ends = True
        for client in self.clients:
            client.join(20)
        pairs = {}
        for client in self.clients:
            self.assertGreater(len(client.signed), 20)
            for target, root, signature in client.signed:
                pairs.setdefault((client.key, target), set()).add((root, signature))
        self.assertEqual({len(signatures) for signatures in pairs.values()}, {1}, "two different votes for one target are slashable")
        return [failure for client in self.clients for failure in client.failures]

    def test_one_is_killed(self):
        killed = time.monotonic()
        self.both[0].kill()
        self.wait_healthy(1)
        detected = self.balancer.events[-1][0]
        time.sleep(5)
        # EC2's part: the instance boots again, the host starts by itself.
        self.both[0].restarts = True
        self.both[0].start()
        self.wait_healthy(2)
        back = time.monotonic()
        time.sleep(2)
        failures = self.end_clients()
        late = [what for when, what in failures if when > detected + 1]
        print(f"failover: {sum(len(client.signed) for client in self.clients)} signatures, detected after {detected - killed:.1f} s, {len(failures)} failed requests, {len(late)} of them "
              f"after that; healthy again {back - killed:.1f} s after the kill; {sum(end - begin for begin, end in self.balancer.outages):.1f} s without a healthy target", file=sys.stderr)
        self.assertEqual(late, [])
        self.assertEqual(self.balancer.outages, [])

    def test_rolling_replacement(self):
        """A third comes before the first goes: no request fails, and there is a healthy target all the time."""
        begun = time.monotonic()
        for number, old in enumerate(self.both, 3):
            new = self.instance(f"i-{number}")
            new.wait_state("serving")
            self.balancer.add(new.name, new.port)
            self.wait_healthy(3)
            old.terminate()
            self.wait_healthy(2)
        failures = self.end_clients()
        print(f"rolling replacement of two: {time.monotonic() - begun:.1f} s, {sum(len(client.signed) for client in self.clients)} signatures, {len(failures)} failed requests",
              file=sys.stderr)
        self.assertEqual(failures, [])
        self.assertEqual(self.balancer.outages, [])


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    unittest.main()
