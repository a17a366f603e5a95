#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The enclave as a machine of its own: the project's kernel, the program as /init, every byte over a real vsock; qemu under ensign-host.

What is missing is said and skipped: the kernel (scripts/get-kernel, minutes) and qemu (scripts/get-microvm) must be there.
"""
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import unittest
import urllib.request

import signer
from signer import TOP, Connection, SignerTest, attestation, block

COMMAND_LINE = "reboot=k panic=1 pci=off nomodules console=ttyS0 quiet random.trust_cpu=on"
MEMORY_MIB = 256
# An emulated processor on a busy machine.
PATIENCE_S = 90
MICROVM = TOP / ".deps/microvm/bin"
SKIPPED = 77  # as meson understands it


def pcr_of(data):
    return hashlib.sha384(bytes(48) + hashlib.sha384(data).digest()).hexdigest()


def kms(endpoints, operation, body):
    """One call of the operator's, signed as SigV4 says."""
    credentials = json.loads(pathlib.Path(endpoints["operator_credentials_file"]).read_text())
    text = json.dumps(body).encode()
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    host = endpoints["kms_url"].removeprefix("https://")
    headers = {"content-type": "application/x-amz-json-1.1", "host": host, "x-amz-date": now, "x-amz-target": f"TrentService.{operation}"}
    names = ";".join(sorted(headers))
    canonical = "POST\n/\n\n" + "".join(f"{name}:{headers[name]}\n" for name in sorted(headers)) + f"\n{names}\n" + hashlib.sha256(text).hexdigest()
    scope = f"{now[:8]}/{endpoints['region']}/kms/aws4_request"
    key = ("AWS4" + credentials["secret_access_key"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n" + hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credentials['access_key_id']}/{scope}, SignedHeaders={names}, Signature={signature}"
    request = urllib.request.Request(endpoints["kms_url"], text, headers, method="POST")
    context = ssl.create_default_context(cafile=endpoints["kms_ca_file"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    return opener.open(request, timeout=15).read()


def ask(vsock, request):
    """One operation of the control channel (port 5000 of the machine)."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(15)
        connection.connect(str(vsock))
        connection.sendall(b"CONNECT 5000\n")
        stream = connection.makefile("rb")
        assert stream.readline().startswith(b"OK ")
        text = json.dumps(request).encode()
        connection.sendall(struct.pack(">I", len(text)) + text)
        return json.loads(stream.read(*struct.unpack(">I", stream.read(4))))


def kernel():
    """Where the cached kernel of the present inputs is; None: it would have to be built."""
    cached = subprocess.run([TOP / "scripts/get-kernel", "--cached"], capture_output=True, text=True)
    return pathlib.Path(cached.stdout.strip()) if cached.returncode == 0 else None


def missing():
    if not kernel():
        return "no kernel of the present inputs: scripts/get-kernel builds it, in some ten minutes"
    if not (MICROVM / "qemu-system-x86_64").exists():
        return "no qemu: scripts/get-microvm downloads it"
    return None


class MicroVm(SignerTest):
    def setUp(self):
        super().setUp()
        # An ordinary local signer, to have keys, tables and a simulator; then the same in a machine.
        self.local = self.up()
        signer.run("local", "down", "--dir", self.folder / "signer", check=0)
        self.machine = self.folder / "machine"
        self.machine.mkdir(mode=0o700)
        configuration = json.loads((self.folder / "signer/image/enclave.json").read_text())
        configuration["debug"] = True
        (self.folder / "enclave.json").write_text(json.dumps(configuration))
        shutil.copy(kernel(), self.machine / "kernel")
        (self.machine / "cmdline").write_text(COMMAND_LINE)
        subprocess.run(
            [TOP / "tests/support/make-ramdisk", signer.PROGRAMS / "ensign-enclave", self.folder / "enclave.json", self.machine / "ramdisk"],
            check=True, capture_output=True)
        self.start("sim", "ensign-sim", "--dir", self.folder / "signer/sim", "--machine", self.machine)
        endpoints_file = self.folder / "signer/sim/endpoints.json"
        signer.wait_for(endpoints_file.exists, "the simulator")
        self.endpoints = json.loads(endpoints_file.read_text())
        self.allow(self.pcr0(), configuration["kms_key_arn"])

    def start(self, name, program, *arguments):
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([signer.PROGRAMS / program, *arguments], stderr=log, stdout=log, stdin=subprocess.DEVNULL)
        log.close()

        def stop():
            process.terminate()
            process.wait(30)

        self.addCleanup(stop)
        return process

    def pcr0(self):
        return pcr_of(b"".join((self.machine / name).read_bytes() for name in ("kernel", "cmdline", "ramdisk")))

    def allow(self, pcr0, key_arn):
        """Only this image may decrypt from now on."""
        answer = kms(self.endpoints, "GetKeyPolicy", {"KeyId": key_arn, "PolicyName": "default"})
        policy = json.loads(json.loads(answer)["Policy"])
        for statement in policy["Statement"]:
            if "Condition" in statement:
                statement["Condition"]["StringEqualsIgnoreCase"]["kms:RecipientAttestation:ImageSha384"] = pcr0
        kms(self.endpoints, "PutKeyPolicy", {"KeyId": key_arn, "PolicyName": "default", "Policy": json.dumps(policy)})

    def start_host(self):
        settings = json.loads((self.folder / "signer/host.json").read_text())
        vsock = self.machine / "vsock"
        settings.update({
            "launcher": "qemu",
            "credentials": f"imds:{self.endpoints['imds_url']}",
            "relays": [{"name": "kms", "listen": f"hybrid:{vsock}:8000", "connect": self.endpoints["kms_address"]}],
            "machine": {
                "folder": str(self.machine), "qemu": str(MICROVM / "qemu-system-x86_64"), "vsock_backend": str(MICROVM / "vhost-device-vsock"),
                "memory_mib": MEMORY_MIB},
        })
        (self.folder / "host.json").write_text(json.dumps(settings))
        self.host = self.start("host", "ensign-host", "--config", self.folder / "host.json")

    def status(self):
        try:
            return json.loads((self.folder / "signer/run/status.json").read_text())
        except FileNotFoundError:
            return {"state": "none"}

    def wait_serving(self, restarts=0):
        def serving():
            status = self.status()
            return status["state"] == "serving" and status["restarts"] >= restarts

        begun = time.monotonic()
        try:
            signer.wait_for(serving, "serving", PATIENCE_S)
        except AssertionError:
            for name in ("host.log", "machine/console.log"):
                print(name, (self.folder / name).read_text(errors="replace")[-3000:], file=sys.stderr)
            raise
        return time.monotonic() - begun

    def test_life_of_a_machine(self):
        key = self.local["public_keys"][0]
        self.start_host()
        booted = self.wait_serving()
        vsock = self.machine / "vsock"
        log = ask(vsock, {"operation": "log"})["body"]["lines"]
        self.assertEqual(ask(vsock, {"operation": "slashing", "action": "begin"})["status"], 200)
        with Connection(self.local) as connection:
            status, answer = connection.sign(key, attestation(1000))
            self.assertEqual(status, 200, answer)
            self.assertEqual(connection.sign(key, attestation(1000))[1], answer)
            self.assertEqual(connection.sign(key, attestation(1000, root="0x" + "99" * 32))[0], 412)
            self.assertEqual(connection.sign(key, block(32000))[0], 200)
            begun = time.monotonic()
            for target in range(1001, 1021):
                self.assertEqual(connection.sign(key, attestation(target))[0], 200)
            signed = (time.monotonic() - begun) / 20
        self.check_log(log + self.host_log())
        os.kill(self.status()["enclave_pid"], signal.SIGKILL)
        again = self.wait_serving(restarts=1)
        with Connection(self.local) as connection:
            # Its store was in its memory: nobody has said what this key signed before.
            self.assertNotEqual(connection.sign(key, attestation(2000))[0], 200)
        self.assertEqual(ask(vsock, {"operation": "slashing", "action": "begin"})["status"], 200)
        with Connection(self.local) as connection:
            self.assertEqual(connection.sign(key, attestation(2000))[0], 200)
        self.host.terminate()
        self.assertEqual(self.host.wait(30), 0)
        print(f"serving after {booted:.1f} s, a signature over TLS {1000 * signed:.0f} ms, serving again after a kill {again:.1f} s", file=sys.stderr)

    def host_log(self):
        return [{"event": line.split()[3]} for line in (self.folder / "host.log").read_text().splitlines() if len(line.split()) > 3]

    def check_log(self, lines):
        events = {line["event"] for line in lines}
        for event in ("entropy_seeded", "clock_checked", "machine_ready", "waiting_for_keys"):
            self.assertIn(event, events)

    def test_another_image_gets_no_keys(self):
        (self.machine / "cmdline").write_text(COMMAND_LINE + " ")
        self.start_host()
        status = signer.wait_for(lambda: self.status().get("last_error") and self.status(), "the refusal", PATIENCE_S)
        self.assertEqual(status["last_error"]["code"], "policy", status)
        self.assertIn("AccessDenied", status["last_error"]["message"])

    def test_a_machine_that_ends_is_reported(self):
        # Production does not keep its slashing store in memory.
        configuration = json.loads((self.folder / "enclave.json").read_text())
        del configuration["debug"]
        (self.folder / "enclave.json").write_text(json.dumps(configuration))
        subprocess.run(
            [TOP / "tests/support/make-ramdisk", signer.PROGRAMS / "ensign-enclave", self.folder / "enclave.json", self.machine / "ramdisk"],
            check=True, capture_output=True)
        self.start_host()
        status = signer.wait_for(lambda: self.status().get("last_error") and self.status(), "the end", PATIENCE_S)
        self.assertIn("qemu ended with status 0", status["last_error"]["message"])
        self.assertIn("slashing.store: embedded", (self.machine / "console.log").read_text())


if __name__ == "__main__":
    if missing():
        print(f"skipped: {missing()}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
