#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The enclave as a machine of its own: an image file with the project's kernel under qemu, and every byte over a real vsock.

What is missing is said and skipped: the kernel (scripts/get-kernel, minutes) and qemu (scripts/get-microvm) must be there.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import support  # noqa: F401
import eif
import signer
from signer import TOP, Connection, SignerTest, attestation, block, run
from test_table import TableTest

MACHINE = ["--launcher", "qemu"]
# An emulated processor on a busy machine.
PATIENCE_S = 90
MICROVM = TOP / ".deps/microvm/bin"
SKIPPED = 77  # as meson understands it
OTHER_ROOT = "0x" + "99" * 32
OTHER_PCR = "00" * 47 + "01"


def missing():
    cached = subprocess.run([TOP / "scripts/get-kernel", "--cached"], capture_output=True, check=False)
    if cached.returncode != 0:
        return "no kernel of the present inputs: scripts/get-kernel builds it, in some minutes"
    if not (MICROVM / "qemu-system-x86_64").exists():
        return "no qemu: scripts/get-microvm downloads it"
    return None


def is_alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


class MachineTest:
    """For a SignerTest: one signer, in the folder `signer`."""

    def dir(self):
        return self.folder / "signer"

    def image(self):
        return self.dir() / "machine/image.eif"

    def ensign(self, *words, check=0):
        return run(*words, "--dir", self.dir(), check=check)

    def sign(self, key, body):
        with Connection(self.local, timeout=30) as connection:
            return connection.sign(key, body)

    def kill_machine(self):
        """qemu is killed; how long until the signer serves again."""
        before = self.status()
        begun = time.monotonic()
        os.kill(before["enclave_pid"], signal.SIGKILL)

        def serves_again():
            status = self.status()
            return status["signs"] and status["restarts"] > before["restarts"]

        signer.wait_for(serves_again, "the machine, again", PATIENCE_S)
        return time.monotonic() - begun


class Life(MachineTest, SignerTest):
    def setUp(self):
        super().setUp()
        self.local = self.up("signer", *MACHINE)
        self.key = self.local["public_keys"][0]

    def measured(self):
        """As built; by the other implementation too."""
        measured = json.loads(run("image", "measure", self.image(), check=0).stdout)["Measurements"]
        second = subprocess.run([sys.executable, eif.__file__, self.image()], capture_output=True, text=True, check=True).stdout
        self.assertEqual(json.loads(second)["Measurements"], measured)
        return measured

    def check_attestation(self):
        measured = self.measured()
        self.assertEqual({pcr: measured[pcr] for pcr in self.local["measurement"]}, self.local["measurement"])
        verify = ["attest", "verify", "--url", self.local["url"], "--root", self.dir() / "sim/attestation-root.pem"]
        self.assertIn(measured["PCR0"], run(*verify, "--pcr0", measured["PCR0"], "--json", check=0).stdout)
        self.assertIn("PCR0", run(*verify, "--pcr0", OTHER_PCR, check=3).stderr)

    def check_rules(self):
        with Connection(self.local, timeout=30) as connection:
            status, answer = connection.sign(self.key, attestation(1000))
            self.assertEqual(status, 200, answer)
            self.assertEqual(connection.sign(self.key, attestation(1000))[1], answer)
            self.assertEqual(connection.sign(self.key, attestation(1000, root=OTHER_ROOT))[0], 412)
            self.assertEqual(connection.sign(self.key, block(32000))[0], 200)
            self.assertEqual(connection.sign(self.key, block(32000, OTHER_ROOT))[0], 412)

    def check_verbs(self):
        status = self.status()
        self.assertEqual((status["launcher"], status["state"], status["histories"]["fresh"]), ("qemu", "serving", 1))
        log = self.ensign("local", "logs").stdout
        for event in ("entropy_seeded", "clock_checked", "machine_ready", "waiting_for_keys"):
            self.assertIn(event, log)
        self.assertIn("Run /init as init process", self.ensign("local", "logs", "--console").stdout)
        self.assertEqual(json.loads(self.ensign("local", "reload", "--json").stdout)["key_count"], 1)
        self.assertIn("other options", self.ensign("local", "up", "--launcher", "process", check=1).stderr)

    def test_life_of_a_machine(self):
        self.assertEqual((self.local["launcher"], self.local["keys_without_history"]), ("qemu", 0))
        self.check_attestation()
        self.check_rules()
        self.check_verbs()
        self.ensign("slashing", "export", "--out", self.folder / "export.json")
        again = self.kill_machine()
        # Its histories were in its memory. Nothing is signed until they are said again, and `up` says so.
        self.assertEqual(self.sign(self.key, attestation(2000))[0], 412)
        self.assertIn("1 keys have NONE", self.ensign("local", "up").stdout)
        self.ensign("slashing", "import", self.folder / "export.json")
        self.assertEqual(self.sign(self.key, attestation(1000, root=OTHER_ROOT))[0], 412)
        self.assertEqual(self.sign(self.key, attestation(2000))[0], 200)
        status = self.status()
        os.kill(status["host_pid"], signal.SIGKILL)
        signer.wait_for(lambda: not is_alive(status["enclave_pid"]), "the machine's end with its host")
        self.ensign("local", "down")
        self.assertEqual(signer.processes_of(self.folder), [])
        self.assertIn("were in the memory of its machine", self.ensign("slashing", "export", "--out", self.folder / "no.json", check=1).stderr)
        print(f"up after {self.local['took_ms'] / 1000:.1f} s, again after a kill {again:.1f} s", file=sys.stderr)

    def test_going_back_and_forth(self):
        """A process has a store that a machine cannot see, so that nothing that it knows may be left behind in it."""
        self.ensign("slashing", "export", "--out", self.folder / "export.json")
        self.ensign("local", "down")
        self.local = self.up("signer", "--launcher", "process")
        self.assertEqual((self.local["launcher"], self.local["keys_without_history"]), ("process", 1))
        self.assertTrue(self.local["measurement_changed"])
        self.assertEqual(self.sign(self.key, attestation(1))[0], 412)
        self.ensign("slashing", "import", self.folder / "export.json")
        self.ensign("local", "down")
        # It is remembered, and no other choice was made.
        self.assertEqual(self.up()["launcher"], "process")
        self.ensign("local", "down")
        self.assertIn("histories of 1 keys", self.ensign("local", "up", *MACHINE, check=2).stderr)
        self.assertEqual(self.status()["launcher"], "process")

    def test_only_what_was_pinned(self):
        self.ensign("local", "down")
        self.start("ensign-sim", "--dir", self.dir() / "sim", "--machine", self.dir() / "machine")
        signer.wait_for((self.dir() / "sim/endpoints.json").exists, "the simulator")
        configuration = json.loads((self.dir() / "image/enclave.json").read_text())
        # Another command line is another image.
        self.build(configuration, "--cmdline", "reboot=k panic=1 console=ttyS0 quiet")
        error = self.end_of_host()
        self.assertEqual(error["code"], "policy", error)
        self.assertIn("AccessDenied", error["message"])
        # Production does not keep its slashing store in memory.
        del configuration["debug"]
        self.build(configuration)
        self.assertIn("qemu ended with status 0", self.end_of_host()["message"])
        self.assertIn("slashing.store: embedded", self.ensign("local", "logs", "--console").stdout)
        # What is no image is not booted.
        self.image().write_bytes(self.image().read_bytes()[:-1])
        self.assertIn("image.eif", self.end_of_host()["message"])

    def build(self, configuration, *options):
        (self.folder / "enclave.json").write_text(json.dumps(configuration))
        run("image", "build", "--config", self.folder / "enclave.json", "--out", self.image(), *options, check=0)

    def start(self, program, *arguments):
        log = open(self.folder / f"{program}.log", "ab")
        process = subprocess.Popen([signer.PROGRAMS / program, *arguments], stderr=log, stdout=log, stdin=subprocess.DEVNULL)
        log.close()

        def stop():
            process.terminate()
            process.wait(30)

        self.addCleanup(stop)
        return stop

    def end_of_host(self):
        """What a host of this image has to report."""
        status_file = self.dir() / "run/status.json"
        status_file.unlink(missing_ok=True)
        stop = self.start("ensign-host", "--config", self.dir() / "host.json")

        def last_error():
            return status_file.exists() and json.loads(status_file.read_text()).get("last_error")

        error = signer.wait_for(last_error, "what the host reports", PATIENCE_S)
        stop()
        return error


class WithTable(MachineTest, TableTest):
    def test_histories_outlive_the_machine(self):
        self.local = self.signer("signer", *MACHINE, "--quiet-period", 3600)
        self.assertEqual((self.local["launcher"], self.local["histories_begun"]), ("qemu", 3))
        # As in production.
        self.assertNotIn("debug", json.loads((self.dir() / "image/enclave.json").read_text()))
        self.assertEqual(self.sign(self.keys[0], attestation(10))[0], 200)
        self.kill_machine()
        status, answer = self.sign(self.keys[0], attestation(10, root=OTHER_ROOT))
        self.assertEqual(status, 412, answer)
        self.assertEqual(self.sign(self.keys[0], attestation(11))[0], 200)
        # A process may go on with them, or another machine.
        self.ensign("local", "down")
        self.local = self.up("signer", "--launcher", "process")
        self.assertEqual(self.sign(self.keys[0], attestation(11, root=OTHER_ROOT))[0], 412)


class Refusals(MachineTest, SignerTest):
    def refuse(self, *options, check=2, **settings):
        done = run("local", "up", "--dir", self.dir(), *options, check=check, **settings)
        self.assertFalse((self.dir() / "local.json").exists())
        self.assertEqual(signer.processes_of(self.folder), [])
        return done.stderr

    def test_options(self):
        self.assertIn("--launcher: process or qemu", self.refuse("--launcher", "docker"))
        self.assertIn("--kernel: only with --launcher qemu", self.refuse("--kernel", "default"))
        self.assertIn("--kernel: /nonexistent does not exist", self.refuse(*MACHINE, "--kernel", "/nonexistent"))
        self.assertIn("--quiet-period: not with", self.refuse(*MACHINE, "--quiet-period", 60))

    def test_what_is_no_kernel(self):
        (self.folder / "kernel").write_text("no kernel")
        self.assertIn("not a bzImage", run("local", "up", "--dir", self.dir(), "--listen", "127.0.0.1:0", *MACHINE,
                                           "--kernel", self.folder / "kernel", check=2).stderr)
        self.assertEqual(signer.processes_of(self.folder), [])

    def test_without_qemu(self):
        """Programs that were installed have no source folder beside them."""
        self.install()
        bare = {"PATH": "/nonexistent"}
        up = ["local", "up", "--dir", self.dir(), *MACHINE]
        done = self.run_installed(*up, env=bare)
        self.assertEqual(done.returncode, 1)
        self.assertIn("qemu-system-x86_64 is not in $PATH; scripts/get-microvm gets it", done.stderr)
        done = self.run_installed(*up, env={"PATH": str(MICROVM)})
        self.assertEqual(done.returncode, 1)
        self.assertIn("image/bzImage does not exist; scripts/get-kernel of the sources builds one", done.stderr)

    def install(self):
        (self.folder / "bin").mkdir()
        (self.folder / "bin/ensign").write_bytes((signer.PROGRAMS / "ensign").read_bytes())
        (self.folder / "bin/ensign").chmod(0o755)

    def run_installed(self, *words, env):
        return subprocess.run([self.folder / "bin/ensign", *map(str, words)], capture_output=True, text=True, env=env, timeout=30, check=False)


if __name__ == "__main__":
    if missing():
        print(f"skipped: {missing()}")
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
