#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ensign-host with the nitro launcher: the real host and the real enclave program, and a stand-in for nitro-cli (tests/support/nitro-cli)."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

import support  # noqa: F401
import signer
from signer import PROGRAMS, TOP, Connection, SignerTest, attestation

MEMORY_MIB = 256


def stub_kernel():
    """What the format asks of a bzImage; nothing boots here."""
    image = bytearray(4096)
    image[0x1FE:0x206] = b"\x55\xaa\0\0HdrS"
    image[0x211] = 1
    return bytes(image)


class Nitro(SignerTest):
    def setUp(self):
        super().setUp()
        # An ordinary local signer, to have keys, tables and a simulator; then the same as an enclave.
        self.local = self.up()
        self.signer = self.folder / "signer"
        signer.run("local", "down", "--dir", self.signer, check=0)
        (self.folder / "bzImage").write_bytes(stub_kernel())
        self.eif = self.folder / "ensign.eif"
        self.measured = self.build_image(self.eif)
        self.cli = self.folder / "nitro-cli"
        self.cli.symlink_to(TOP / "tests/support/nitro-cli")
        self.start("sim", "ensign-sim", "--dir", self.signer / "sim")
        endpoints = self.signer / "sim/endpoints.json"
        signer.wait_for(endpoints.exists, "the simulator")
        self.endpoints = json.loads(endpoints.read_text())
        self.stand_in()
        self.addCleanup(self.end_enclave)

    def build_image(self, out, *options):
        done = signer.run("image", "build", "--kernel", self.folder / "bzImage", "--program", self.signer / "image/ensign-enclave",
                          "--config", self.signer / "image/enclave.json", "--out", out, *options, check=0)
        return json.loads(done.stdout)["Measurements"]

    def stand_in(self, **wrong):
        run = self.signer / "run"
        arguments = ["--control", f"unix:{run}/e-control.sock", "--signing", f"unix:{run}/e-signing.sock", "--kms", f"unix:{run}/kms.sock",
                     "--nsm", self.endpoints["nsm_address"], "--store", str(self.signer / "store")]
        (self.folder / "stand-in.json").write_text(json.dumps({"arguments": arguments, **wrong}))

    def nitro_cli(self, *arguments):
        done = subprocess.run([self.cli, *arguments], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def end_enclave(self):
        self.stand_in()
        for enclave in self.nitro_cli("describe-enclaves"):
            self.nitro_cli("terminate-enclave", "--enclave-id", enclave["EnclaveID"])

    def start(self, name, program, *arguments):
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen([PROGRAMS / program, *arguments], stderr=log, stdout=log, stdin=subprocess.DEVNULL)

        def stop():
            process.terminate()
            process.wait(30)

        self.addCleanup(stop)
        return process

    def start_host(self, **nitro):
        settings = json.loads((self.signer / "host.json").read_text())
        run = self.signer / "run"
        settings.update({
            "launcher": "nitro",
            "credentials": f"imds:{self.endpoints['imds_url']}",
            "relays": [{"name": "kms", "listen": f"unix:{run}/kms.sock", "connect": self.endpoints["kms_address"]}],
            "nitro": {
                "eif": str(self.eif), "nitro_cli": str(self.cli), "cpu_count": 2, "memory_mib": MEMORY_MIB,
                "control": f"unix:{run}/e-control.sock", "signing": f"unix:{run}/e-signing.sock", **nitro},
        })
        (self.folder / "host.json").write_text(json.dumps(settings))
        (run / "status.json").unlink(missing_ok=True)
        self.host = self.start("host", "ensign-host", "--config", self.folder / "host.json")

    def status(self):
        try:
            return json.loads((self.signer / "run/status.json").read_text())
        except FileNotFoundError:
            return {"state": "none", "last_error": None, "restarts": 0}

    def wait_serving(self, restarts=0):
        def serving():
            status = self.status()
            return status["state"] == "serving" and status["restarts"] >= restarts and status

        try:
            return signer.wait_for(serving, "serving", 30)
        except AssertionError:
            print((self.folder / "host.log").read_text()[-3000:], file=sys.stderr)
            raise

    def wait_failed(self, patience_s=30):
        status = signer.wait_for(lambda: self.status()["last_error"] and self.status(), "an error", patience_s)
        return status["last_error"]["message"]

    def stop_host(self):
        self.host.terminate()
        self.assertEqual(self.host.wait(30), 0)

    def sign(self, target, expected=200, **options):
        with Connection(self.local) as connection:
            status, answer = connection.sign(self.local["public_keys"][0], attestation(target, **options))
        self.assertEqual(status, expected, answer)

    def test_life_of_an_enclave(self):
        self.start_host()
        status = self.wait_serving()
        enclave = self.nitro_cli("describe-enclaves")[0]
        self.assertEqual((enclave["EnclaveName"], enclave["EnclaveCID"], enclave["MemoryMiB"], enclave["Flags"]), ("ensign", 16, MEMORY_MIB, "NONE"))
        self.assertEqual(status["pcr0"], self.measured["PCR0"])
        self.assertEqual(status["enclave_pid"], enclave["ProcessID"])
        self.sign(1000)
        self.sign(1000, 412, root="0x" + "99" * 32)
        begun = time.monotonic()
        os.kill(enclave["ProcessID"], signal.SIGKILL)
        self.assertIn("the process of nitro-cli that held it", self.wait_serving(restarts=1)["last_error"]["message"])
        print(f"killed to serving again: {time.monotonic() - begun:.1f} s", file=sys.stderr)
        self.sign(1001)
        # Somebody else ends it.
        self.nitro_cli("terminate-enclave", "--enclave-id", self.nitro_cli("describe-enclaves")[0]["EnclaveID"])
        self.wait_serving(restarts=2)
        self.sign(1002)
        self.stop_host()
        self.assertEqual(self.nitro_cli("describe-enclaves"), [])

    def test_a_host_that_was_killed_goes_on_with_its_enclave(self):
        self.start_host()
        before = self.wait_serving()
        self.host.kill()
        self.host.wait(30)
        self.start_host()
        status = self.wait_serving()
        self.assertEqual((status["enclave_pid"], status["pcr0"]), (before["enclave_pid"], before["pcr0"]))
        self.assertIn("enclave_found_running", (self.folder / "host.log").read_text())
        self.sign(1000)
        # Of another image it is ended, whoever started it.
        self.host.kill()
        self.host.wait(30)
        self.measured = self.build_image(self.eif, "--cmdline", "another")
        self.start_host()
        status = self.wait_serving()
        self.assertNotEqual(status["enclave_pid"], before["enclave_pid"])
        self.assertEqual(status["pcr0"], self.measured["PCR0"])
        self.sign(1001)

    def test_debug_mode_is_said(self):
        self.start_host(debug=True)
        self.assertEqual(self.wait_serving()["pcr0"], "0" * 96)
        self.assertIn("debug mode", (self.folder / "host.log").read_text())

    def test_errors_of_nitro_cli(self):
        for wrong, nitro, message in [
            ({}, {"memory_mib": 129, "eif": "large.eif"}, "E26: Insufficient memory requested. User provided `memory` is 129 MB"),
            ({}, {"eif": "nothing.eif"}, "nothing.eif"),
            ({"fail": {"run-enclave": ["E22"]}}, {}, "cpu_count in /etc/nitro_enclaves/allocator.yaml"),
            ({"fail": {"run-enclave": ["E27"]}}, {}, "memory_mib in /etc/nitro_enclaves/allocator.yaml"),
            ({"fail": {"run-enclave": ["E36", "E39"]}}, {}, "E36: Enclave boot failure"),
            ({"fail": {"run-enclave": ["E39", "E36"]}}, {}, "E36: Enclave boot failure"),
            ({"fail": {"run-enclave": ["E39"]}}, {}, "the reason is in /var/log/nitro_enclaves"),
            ({"fail": {"describe-enclaves": ["E39"]}}, {}, "nitro-cli describe-enclaves: E39"),
            ({"print": {"run-enclave": "garbage"}}, {}, "the answer of nitro-cli"),
            ({"print": {"run-enclave": '{"EnclaveID": "../x", "EnclaveName": "ensign", "EnclaveCID": 16}'}}, {}, "EnclaveID: not 1 to"),
            ({"print": {"describe-enclaves": "[" * 1000}, "times": 1000}, {}, "prints more than 65536 bytes"),
        ]:
            with self.subTest(message):
                self.stand_in(**wrong)
                if nitro.get("eif") == "large.eif":
                    self.large_image()
                nitro = {**nitro, **({"eif": str(self.folder / nitro["eif"])} if "eif" in nitro else {})}
                self.start_host(**nitro)
                self.assertIn(message, self.wait_failed())
                self.assertNotEqual(self.status()["state"], "serving")
                self.host.kill()
                self.host.wait(30)
                self.end_enclave()

    def large_image(self):
        """An enclave needs four times its size; 129 MiB is the least that the settings take but for one."""
        kernel = self.folder / "large"
        kernel.write_bytes(stub_kernel() + os.urandom(40 << 20))
        signer.run("image", "build", "--kernel", kernel, "--program", "/bin/true", "--config", self.signer / "image/enclave.json", "--out",
                   self.folder / "large.eif", check=0)

    def test_a_nitro_cli_that_hangs(self):
        self.stand_in(hang=["run-enclave"])
        self.start_host()
        calls = self.folder / "calls.log"
        signer.wait_for(lambda: calls.exists() and "run-enclave" in calls.read_text(), "the call", 30)
        begun = time.monotonic()
        self.stop_host()
        self.assertLess(time.monotonic() - begun, 20)
        self.stand_in(hang=["describe-enclaves"])
        self.start_host()
        self.assertIn("not done within 10 s", self.wait_failed())
        # What it says of an enclave that serves does not matter.
        self.stand_in()
        self.wait_serving()
        self.stand_in(fail={"describe-enclaves": ["E39"]})
        signer.wait_for(lambda: "nitro_cli_failed" in (self.folder / "host.log").read_text(), "a warning", 30)
        self.sign(1000)
        self.assertEqual(self.status()["state"], "serving")
        self.stand_in()
        self.stop_host()


if __name__ == "__main__":
    unittest.main(verbosity=2)
