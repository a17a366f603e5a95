# SPDX-License-Identifier: Apache-2.0
"""Histories in a DynamoDB table that several signers share: the real programs, an emulator that others made, and a door that fails."""
import json
import subprocess
import threading
import time
import unittest

import support  # noqa: F401
import certificates
from signer import PROGRAMS, Connection, SignerTest, attestation, block, run, wait_for
from table import FAULTS, NAME, Door, Emulator, needs_emulator

OTHER_ROOT = "0x" + "99" * 32


class TableTest(SignerTest):
    def setUp(self):
        needs_emulator()
        super().setUp()
        self.emulator = Emulator()
        self.addCleanup(self.emulator.stop)
        self.ca = certificates.authority(self.folder / "tls", "ca")
        self.certificate = certificates.server(self.folder / "tls", "server", self.ca)
        self.doors = {}
        self.key_folder, self.password, self.keys = self.keystores(count=3)

    def door(self, name):
        if name not in self.doors:
            self.doors[name] = Door(self.emulator, self.certificate)
            self.addCleanup(self.doors[name].stop)
        return self.doors[name]

    def table_options(self, name):
        return ["--slashing-table", NAME, "--slashing-host", f"localhost:{self.door(name).port}", "--slashing-ca", self.ca.path]

    def signer(self, name, *options):
        return self.up(name, "--keystores", self.key_folder, "--password-file", self.password, *self.table_options(name), *options)

    def sign(self, up, key, body):
        with Connection(up, timeout=30) as connection:
            return connection.sign(key, body)


class Fleet(TableTest):
    def test_two_signers_one_history(self):
        first, second = self.signer("first"), self.signer("second")
        self.assertEqual((first["histories_begun"], second["histories_begun"]), (3, 0))
        rows = self.emulator.rows()
        self.assertEqual(set(rows), set(self.keys))
        self.assertEqual(rows[self.keys[0]]["origin"], "fresh")
        self.assertEqual(self.sign(first, self.keys[0], attestation(10))[0], 200)
        self.assertEqual(self.sign(second, self.keys[0], attestation(10))[0], 200, "the very same vote again")
        status, answer = self.sign(second, self.keys[0], attestation(10, root=OTHER_ROOT))
        self.assertEqual(status, 412, answer)
        self.assertIn("10", answer["message"])
        self.assertEqual(self.sign(second, self.keys[1], block(100))[0], 200)
        self.assertEqual(self.sign(first, self.keys[1], block(100, OTHER_ROOT))[0], 412)
        self.assertEqual(self.sign(first, self.keys[1], block(100))[0], 200, "what was refused is not in the way of what the other one signed")
        self.assertEqual(self.sign(first, self.keys[1], block(101))[0], 200)
        row = self.emulator.rows()[self.keys[1]]
        self.assertEqual((row["block_slot"], row["genesis_validators_root"][:8]), ("101", "4b363db9"))
        # It is the table that remembers: a signer that lost all of its own goes on from there.
        run("local", "down", "--dir", self.folder / "first", check=0)
        first = self.signer("first")
        self.assertEqual(self.sign(first, self.keys[0], attestation(10, root=OTHER_ROOT))[0], 412)
        self.assertEqual(self.sign(first, self.keys[0], attestation(11))[0], 200)
        shown = json.loads(run("slashing", "show", "--dir", self.folder / "second", "--json", check=0).stdout)
        self.assertEqual({one["public_key"] for one in shown}, set(self.keys))
        self.assertEqual({one["target_epoch"] for one in shown}, {"11", None})

    def test_one_high_watermark_for_all(self):
        """Set through one of them, and taken away through the other."""
        first, second = self.signer("first"), self.signer("second")
        high = ["slashing", "high-watermark", "--json"]
        self.assertEqual(self.sign(second, self.keys[0], attestation(10))[0], 200)
        self.assertEqual(json.loads(run(*high, "--dir", self.folder / "first", "--epoch", 12, check=0).stdout), {"epoch": "12"})
        self.assertIn("high watermark, epoch 12", self.sign(first, self.keys[0], attestation(12))[1]["message"])
        deadline = time.monotonic() + 60
        epoch = 1000
        status, answer = self.sign(second, self.keys[1], attestation(epoch))
        while status == 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(1)
            epoch += 1
            status, answer = self.sign(second, self.keys[1], attestation(epoch))
        self.assertEqual(status, 412)
        self.assertIn("high watermark, epoch 12", answer["message"])
        self.assertEqual(self.sign(second, self.keys[0], attestation(11))[0], 200)
        self.assertEqual(json.loads(run(*high, "--dir", self.folder / "second", "--remove", check=0).stdout), {})
        self.assertEqual(self.sign(second, self.keys[0], attestation(12))[0], 200)
        while self.sign(first, self.keys[0], attestation(13))[0] != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(1)
        # It is no key: none of the others is missed because of it.
        shown = json.loads(run("slashing", "show", "--dir", self.folder / "second", "--json", check=0).stdout)
        self.assertEqual({one["public_key"] for one in shown}, set(self.keys))

    def test_operator(self):
        """Straight at the table, with credentials of one's own and no signer up: what `first_use: operator` leaves to the operator."""
        credentials = self.folder / "operator.json"
        credentials.write_text('{"access_key_id":"OPERATOR","secret_access_key":"secret"}')
        credentials.chmod(0o600)
        where = ["--table", NAME, "--region", "us-east-1", "--host", f"localhost:{self.door('operator').port}", "--ca", self.ca.path]
        mine = [*where, "--credentials", credentials]

        def slashing(verb, *options, check=0):
            done = run("slashing", verb, *mine, "--json", *options, check=check)
            return json.loads(done.stdout) if check == 0 else done.stderr

        self.assertEqual(slashing("show"), [])
        self.assertEqual(slashing("fresh", *self.keys[:2]), {"keys": 2, "new": 2})
        self.assertEqual(slashing("high-watermark", "--epoch", 50), {"epoch": "50"})
        self.assertEqual(slashing("raise", "--slot", 100, "--epoch", 20, self.keys[0]), {"keys": 1})
        self.assertEqual({one["public_key"]: one["target_epoch"] for one in slashing("show")}, {self.keys[0]: "20", self.keys[1]: None})
        self.assertEqual(self.door("operator").credentials, {"OPERATOR"})
        up = self.signer("first")
        self.assertEqual(up["histories_begun"], 1)
        self.assertIn("20", self.sign(up, self.keys[0], attestation(20))[1]["message"])
        self.assertEqual(self.sign(up, self.keys[0], attestation(21))[0], 200)
        self.assertIn("high watermark", self.sign(up, self.keys[0], attestation(50))[1]["message"])
        self.assertIn("signed source epoch 20 and target epoch 21", slashing("high-watermark", "--epoch", 21, check=2))
        self.assertIn("--region", run("slashing", "show", "--table", NAME, "--credentials", credentials, check=2).stderr)
        self.assertIn("only with --outputs or --table", run("slashing", "show", "--region", "us-east-1", check=2).stderr)
        self.assertIn("no AWS credentials", run("slashing", "show", *where, check=1).stderr)

    def test_key_without_row(self):
        up = self.signer("signer")
        self.emulator.delete(self.keys[0])
        status, answer = self.sign(up, self.keys[0], attestation(10))
        self.assertEqual(status, 412, answer)
        self.assertIn("knows nothing of what the key signed before", answer["message"])
        self.assertNotIn(self.keys[0], self.emulator.rows())
        run("slashing", "fresh", self.keys[0], "--dir", self.folder / "signer", check=0)
        self.assertEqual(self.sign(up, self.keys[0], attestation(11))[0], 200)
        self.assertEqual(self.emulator.rows()[self.keys[0]]["origin"], "fresh")

    def test_one_of_two_wins(self):
        """Both are asked at the same moment for what contradicts: one signature each time, which both repeat, and nothing else."""
        ups = [self.signer("first"), self.signer("second")]
        won = [0, 0]

        for target in range(10, 40):
            statuses = [None, None]

            def ask(number, body):
                statuses[number] = self.sign(ups[number], self.keys[0], body)[0]

            votes = [attestation(target, root="0x" + f"{number + 1:02x}" * 32) for number in range(2)]
            threads = [threading.Thread(target=ask, args=(number, votes[number])) for number in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(statuses), [200, 412], target)
            winner = statuses.index(200)
            won[winner] += 1
            for up in ups:
                self.assertEqual(self.sign(up, self.keys[0], votes[winner])[0], 200, target)
                self.assertEqual(self.sign(up, self.keys[0], votes[1 - winner])[0], 412, target)
        self.assertEqual(sum(won), 30)

    def test_sealed_credentials(self):
        """Credentials that the host never sees are what reaches the table; without them the table would be the host's too."""
        secret = self.folder / "table.json"
        secret.touch(mode=0o600)
        secret.write_text(json.dumps({"access_key_id": "AKIATABLEONLY0000000", "secret_access_key": "s" * 40}))
        up = self.signer("signer", "--slashing-credentials", secret)
        self.assertEqual(self.sign(up, self.keys[0], attestation(10))[0], 200)
        self.assertEqual(self.door("signer").credentials, {"AKIATABLEONLY0000000"})
        for path in (self.folder / "signer").rglob("*"):
            if path.is_file() and "sim" not in path.parts:
                self.assertNotIn(b"s" * 40, path.read_bytes(), path)
        other = self.signer("other")
        self.assertEqual(self.sign(other, self.keys[0], attestation(11))[0], 200)
        self.assertNotIn("AKIATABLEONLY0000000", self.door("other").credentials)


class Faults(TableTest):
    def test_each_fault(self):
        """Whatever the table does, a request is signed or refused within its time, and the next one is signed when it is well again."""
        up = self.signer("signer")
        door = self.door("signer")
        target = 10
        for fault in FAULTS:
            door.fault = lambda operation, fault=fault: fault
            begun = time.monotonic()
            status, answer = self.sign(up, self.keys[0], attestation(target))
            self.assertIn(status, [200] if fault == "slow" else [503], (fault, answer))
            self.assertLess(time.monotonic() - begun, 15, fault)
            door.fault = None
            # The very same is signed then, whether it was applied or not; another at its place is not.
            self.assertEqual(self.sign(up, self.keys[0], attestation(target))[0], 200, fault)
            self.assertEqual(self.sign(up, self.keys[0], attestation(target, root=OTHER_ROOT))[0], 412, fault)
            target += 1
        with Connection(up) as connection:
            self.assertEqual(connection.request("GET", "/upcheck")[0], 200)

    def test_passing_faults(self):
        """A fault that passes while the ledger tries again costs nothing but time."""
        up = self.signer("signer")
        door = self.door("signer")
        for target, fault in enumerate(["drop", "lose", "500", "throttle", "503"], 10):
            left = [2]

            def fail_twice(_, fault=fault, left=left):
                left[0] -= 1
                return fault if left[0] >= 0 else None

            door.fault = fail_twice
            status, answer = self.sign(up, self.keys[0], attestation(target))
            self.assertEqual(status, 200, (fault, answer))
            self.assertLess(left[0], 0, fault)

    def test_frozen_table(self):
        up = self.signer("signer")
        door = self.door("signer")
        door.freeze()
        status, answer = self.sign(up, self.keys[0], attestation(10))
        self.assertEqual(status, 503, answer)
        self.assertIn("slashing protection store failed", answer["message"])
        door.thaw()
        wait_for(lambda: self.sign(up, self.keys[0], attestation(10))[0] == 200, "the table is well again")
        self.assertEqual(self.sign(up, self.keys[0], attestation(10, root=OTHER_ROOT))[0], 412)

    def test_start_without_table(self):
        """A signer that cannot read its table does not start to sign, and says why."""
        self.door("signer").fault = lambda _: "denied"
        done = run("local", "up", "--dir", self.folder / "signer", "--listen", "127.0.0.1:0", *self.table_options("signer"))
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("AccessDeniedException", done.stderr)
        self.door("signer").fault = None
        self.assertEqual(self.up("signer", *self.table_options("signer"))["histories_begun"], 1)

    def test_wrong_authority(self):
        """Who cannot show the table's certificate is not asked for anything."""
        other = certificates.authority(self.folder / "other", "ca")
        starting = subprocess.Popen([PROGRAMS / "ensign", "local", "up", "--dir", self.folder / "signer", "--listen", "127.0.0.1:0",
                                     "--slashing-table", NAME, "--slashing-host", f"localhost:{self.door('signer').port}",
                                     "--slashing-ca", other.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(starting.wait)
        self.addCleanup(starting.kill)
        report = wait_for(self.last_error, "an error")
        self.assertIn("certificate", report["message"])
        self.assertEqual(self.door("signer").credentials, set())

    def last_error(self):
        try:
            return json.loads((self.folder / "signer/run/status.json").read_text())["last_error"]
        except (OSError, ValueError):
            return None

    def test_options(self):
        for options, text in [(["--slashing-host", "h"], "--slashing-table"), (["--slashing-table", "t"], "--slashing-host"),
                              (["--slashing-table", "a/b", "--slashing-host", "h"], "table"),
                              (["--slashing-table", "t", "--slashing-host", "h", "--slashing-credentials", self.folder / "no"], "no")]:
            done = run("local", "up", "--dir", self.folder / "bad", "--listen", "127.0.0.1:0", *options)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
