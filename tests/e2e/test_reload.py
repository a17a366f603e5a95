# SPDX-License-Identifier: Apache-2.0
"""Tables that change under a running signer: keys come and go without a restart, a dropped connection or a refused request."""
import base64
import contextlib
import json
import pathlib
import sqlite3
import threading
import time
import unittest
import urllib.request

import support  # noqa: F401
from signer import Connection, SignerTest, attestation, processes_of, randao, role_of, run, wait_for

ROLES = ["attester", "control", "frontend", "keeper", "ledger"]


class Reload(SignerTest):
    def start(self, *options):
        self.password = self.folder / "password"
        self.password.write_text("reload\n")
        up = self.up("signer", *self.keystores("first", 2), *options)
        self.dir = pathlib.Path(up["dir"])
        return up

    def keystores(self, name, count):
        folder = self.folder / name
        made = run("keystore", "create", "--out", folder, "--password-file", self.password, "--count", count, "--light", "--json", check=0)
        self.made = [key["public_key"] for key in json.loads(made.stdout)]
        return "--keystores", folder, "--password-file", self.password

    def reload(self, check=0):
        done = run("local", "reload", "--dir", self.dir, "--json", check=check)
        return json.loads(done.stdout) if check == 0 else done.stderr

    def table(self, statement, *values):
        with contextlib.closing(sqlite3.connect(self.dir / "tables.sqlite", timeout=20)) as database:
            rows = database.execute(statement, values).fetchall()
            database.commit()
        return rows

    def set_active(self, key, active):
        self.table("UPDATE ValidatorKeys SET active = ? WHERE pubkey = ?", "true" if active else "false", key.removeprefix("0x"))

    def status(self):
        return json.loads((self.dir / "run/status.json").read_text())

    def pids(self):
        return {role: role_of(self.dir, role) for role in ROLES}

    def test_keys_come_and_go(self):
        up = self.start()
        pids = self.pids()
        first, second = up["public_keys"]
        with Connection(up) as kept:
            self.assertEqual(kept.sign(first, attestation(5))[0], 200)
            # Two more, while it is up.
            more = json.loads(run("local", "up", "--dir", self.dir, *self.keystores("second", 2), "--json", check=0).stdout)
            self.assertEqual((more["already_up"], more["keys_imported"]), (True, 2))
            self.assertEqual(sorted(more["public_keys"]), sorted([first, second, *self.made]))
            for key in self.made:
                self.assertEqual(kept.sign(key, attestation(5))[0], 200)
            # One goes, and it comes back to what it signed.
            self.set_active(first, False)
            self.assertEqual(self.reload(), {"key_count": 3, "added": 0, "removed": 1, "failed": 0, "failures": []})
            status, answer = kept.sign(first, attestation(6))
            self.assertEqual(status, 404, answer)
            self.assertNotIn(first, json.loads(kept.request("GET", "/api/v1/eth2/publicKeys")[2]))
            self.set_active(first, True)
            self.assertEqual(self.reload(), {"key_count": 4, "added": 1, "removed": 0, "failed": 0, "failures": []})
            status, answer = kept.sign(first, attestation(5, root="0x" + "44" * 32))
            self.assertEqual(status, 412, answer)
            self.assertEqual(kept.sign(first, attestation(6))[0], 200)
            health = json.loads(kept.request("GET", "/healthcheck")[2])
            self.assertEqual(next(check["data"]["keys-loaded"] for check in health["checks"] if check["id"] == "keys-check"), 4)
        self.assertEqual(self.pids(), pids)
        self.assertEqual(self.status()["restarts"], 0)
        # After a restart it is the same.
        run("local", "down", "--dir", self.dir, check=0)
        up = json.loads(run("local", "up", "--dir", self.dir, "--json", check=0).stdout)
        with Connection(up) as again:
            self.assertEqual(again.sign(first, attestation(6, root="0x" + "44" * 32))[0], 412)

    def break_row(self, key):
        """Its sealed key does not open any more; returns what it was."""
        [(sealed,)] = self.table("SELECT sealed_key_b64 FROM ValidatorKeys WHERE pubkey = ?", key.removeprefix("0x"))
        broken = bytearray(base64.b64decode(sealed))
        broken[20] ^= 1
        self.seal(key, base64.b64encode(broken).decode())
        return sealed

    def seal(self, key, sealed):
        self.table("UPDATE ValidatorKeys SET sealed_key_b64 = ? WHERE pubkey = ?", sealed, key.removeprefix("0x"))

    def show_status(self):
        """(JSON, text) of `ensign local status`"""
        as_json, text = [run("local", "status", "--dir", self.dir, *options, check=0).stdout for options in [["--json"], []]]
        return json.loads(as_json), text

    def assert_one_bad_row(self, up, key, metrics_url):
        """Wherever somebody may look; and the other key signs."""
        name = key.removeprefix("0x")
        shown, text = self.show_status()
        for told in [shown, self.status()]:
            self.assertEqual((told["failed"], [failure["pubkey"] for failure in told["failures"]]), (1, [name]))
            self.assertIn("sealed_key_b64", told["failures"][0]["message"])
        self.assertIn("bad rows    1 ", text)
        self.assertIn(f"{name}: sealed_key_b64", text)
        with urllib.request.urlopen(metrics_url + "/metrics", timeout=10) as answer:
            self.assertIn("\nensign_keys_failed 1\n", answer.read().decode())
        with Connection(up) as connection:
            status, _, answer = connection.request("GET", "/healthcheck")
            health = json.loads(answer)
            self.assertEqual((status, health["status"]), (200, "UP"))
            self.assertIn({"id": "keys-check", "status": "UP", "data": {"keys-loaded": 1, "error-count": 1}}, health["checks"])
            self.assertEqual(connection.sign(key, attestation(5))[0], 404)
            [other] = [one for one in self.first if one != key]
            self.assertEqual(connection.sign(other, randao(1))[0], 200)

    def test_a_bad_row_stops_no_other(self):
        url = f"http://127.0.0.1:{self.reserve_port()}"
        up = self.start("--metrics-listen", url.removeprefix("http://"))
        self.first = up["public_keys"]
        key = self.first[0]
        name = key.removeprefix("0x")
        sealed = self.break_row(key)
        # It signs already, and goes on.
        self.assertEqual(self.reload(), {"key_count": 2, "added": 0, "removed": 0, "failed": 0, "failures": []})
        self.set_active(key, False)
        self.reload()
        self.set_active(key, True)
        reloaded = self.reload()
        [failure] = reloaded.pop("failures")
        self.assertEqual(reloaded, {"key_count": 1, "added": 0, "removed": 0, "failed": 1})
        self.assertEqual(failure["pubkey"], name)
        self.assertTrue(self.status()["last_reload"]["ok"])
        self.assert_one_bad_row(up, key, url)
        with Connection(up) as connection:
            state = json.loads(connection.request("GET", "/reload")[2])
        self.assertEqual((state["status"], state["lastError"]), ("completed_with_errors", failure["message"]))
        log = self.dir / "log/host.log"
        wait_for(lambda: f"(pubkey {name}): sealed_key_b64" in log.read_text(), "the log names it")
        text = run("local", "reload", "--dir", self.dir, check=0).stdout
        self.assertIn(name, text)
        # At the start it is the same.
        run("local", "down", "--dir", self.dir, check=0)
        up = json.loads(run("local", "up", "--dir", self.dir, "--json", check=0).stdout)
        self.assertEqual(up["public_keys"], self.first[1:])
        self.assert_one_bad_row(up, key, url)
        # One that cannot even be read as a row is told of likewise.
        rename = "UPDATE ValidatorKeys SET chain = ? WHERE pubkey = ?"
        self.table(rename, "x" * 80, name)
        self.assertEqual([one["message"] for one in self.reload()["failures"]], ["chain: 80 bytes, at most 31 are allowed"])
        self.table(rename, "mainnet", name)
        # And it is over when the row is good.
        self.seal(key, sealed)
        self.assertEqual(self.reload(), {"key_count": 2, "added": 1, "removed": 0, "failed": 0, "failures": []})
        shown, text = self.show_status()
        self.assertEqual((shown["failed"], shown["failures"]), (0, []))
        self.assertNotIn("bad rows", text)
        with Connection(up) as connection:
            self.assertEqual(json.loads(connection.request("GET", "/reload")[2])["status"], "completed")
            self.assertEqual(connection.sign(key, randao(1))[0], 200)

    def test_a_reload_that_fails_changes_nothing(self):
        up = self.start()
        pids = self.pids()
        key, other = up["public_keys"]
        sealed = self.break_row(key)
        for one in [key, other]:
            self.set_active(one, one == other)
        self.reload()
        # Now the only row is a bad one.
        for one in [key, other]:
            self.set_active(one, one == key)
        reason = self.reload(check=1)
        self.assertIn(key.removeprefix("0x"), reason)
        self.assertIn("nothing changed", reason)
        last = self.status()["last_reload"]
        self.assertFalse(last["ok"])
        self.assertIn(key.removeprefix("0x"), last["error"]["message"])
        with Connection(up) as connection:
            self.assertEqual(connection.sign(up["public_keys"][1], attestation(5))[0], 200)
            self.assertEqual(connection.sign(key, attestation(5))[0], 404)
        # A table without any active key is a mistake, not a wish.
        for one in up["public_keys"]:
            self.set_active(one, False)
        self.assertIn("no active keys", self.reload(check=1))
        self.set_active(up["public_keys"][1], True)
        self.seal(key, sealed)
        self.set_active(key, True)
        self.assertEqual(self.reload()["key_count"], 2)
        self.assertEqual(self.pids(), pids)

    def test_many_reloads_under_load(self):
        up = self.start()
        pids = self.pids()
        stop = threading.Event()
        failures = []
        signed = [0]

        def sign(key):
            epoch = 10
            with Connection(up) as connection:
                while not stop.is_set():
                    epoch += 1
                    status, answer = connection.sign(key, attestation(epoch))
                    signed[0] += 1
                    if status != 200:
                        failures.append((status, answer))

        def memory():
            return {role: int(next(line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                                   if line.startswith("VmRSS"))) for role, pid in pids.items()}

        steady, moving = up["public_keys"]
        thread = threading.Thread(target=sign, args=[steady])
        thread.start()
        try:
            for number in range(120):
                self.set_active(moving, number % 2 == 1)
                result = self.reload()
                self.assertEqual(result, {"key_count": 1 + number % 2, "added": number % 2, "removed": 1 - number % 2, "failed": 0, "failures": []})
                if number == 20:
                    before = memory()
            after = memory()
        finally:
            stop.set()
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(signed[0], 100)
        self.assertEqual(self.pids(), pids)
        for role in ROLES:
            self.assertLess(after[role], before[role] + 2048, f"{role}: KiB, before {before}, after {after}")
        wait_for(lambda: not [pid for pid, arguments in processes_of(self.dir) if "--role opener" in arguments], "no opener is left")

    def test_wrong(self):
        refused = run("local", "reload", "--dir", self.folder / "nowhere", check=1)
        self.assertIn("not up", refused.stderr)


if __name__ == "__main__":
    unittest.main()
