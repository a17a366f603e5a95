# SPDX-License-Identifier: Apache-2.0
"""`ensign keys`: the key table of a signer that is up, and of one that is down."""
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import time
import unittest

from signer import PROGRAMS, Connection, SignerTest, attestation, randao, run

TOOLS = pathlib.Path(os.environ["ENSIGN_TEST_TOOLS"])


class Keys(SignerTest):
    def keys(self, verb, *options, check=0):
        done = run("keys", verb, "--dir", self.folder / "signer", "--json", *options, check=check)
        return json.loads(done.stdout) if check == 0 else done.stderr

    def listed(self, *options):
        return {row["public_key"]: row for row in self.keys("list", *options)}

    def sign(self, up, key, body):
        with Connection(up) as connection:
            return connection.sign(key, body)


class Table(Keys):
    def test_life(self):
        """In, off, on, off, out: what a running signer signs with follows at once, and what was signed is remembered."""
        up = self.up()
        folder, password, keys = self.keystores(count=3)
        source = [folder, "--password-file", password]
        self.assertEqual(self.keys("import", *source, "--dry-run"), {"added": 3, "already_present": 0, "dry_run": True})
        self.assertEqual(len(self.listed()), 1)
        self.assertEqual(self.keys("import", *source, "--fresh"), {"added": 3, "already_present": 0, "dry_run": False})
        self.assertEqual(self.keys("import", *source), {"added": 0, "already_present": 3, "dry_run": False})
        rows = self.listed()
        self.assertEqual(set(rows), {*keys, *up["public_keys"]})
        self.assertEqual({(row["chain"], row["active"], row["sealed"]) for row in rows.values()}, {("mainnet", True, "data key")})
        # One data key an import.
        self.assertEqual(len({rows[key]["data_key_id"] for key in keys}), 1)
        self.assertEqual(self.sign(up, keys[0], attestation(10))[0], 200)
        self.assertIn("is active", self.keys("remove", keys[0], check=2))
        self.assertEqual(self.keys("deactivate", keys[0], "--dry-run"), {"deactivated": [keys[0]], "dry_run": True})
        self.assertEqual(self.sign(up, keys[0], randao(1))[0], 200)
        self.assertEqual(self.keys("deactivate", keys[0]), {"deactivated": [keys[0]], "dry_run": False})
        self.assertEqual(self.sign(up, keys[0], randao(1))[0], 404)
        self.assertNotIn(keys[0], self.listed("--active"))
        self.assertFalse(self.keys("show", keys[0])[0]["active"])
        self.assertEqual(self.keys("activate", keys[0], keys[1]), {"activated": [keys[0]], "dry_run": False})
        self.assertEqual(self.sign(up, keys[0], attestation(10, root="0x" + "99" * 32))[0], 412)
        self.assertEqual(self.sign(up, keys[0], attestation(11))[0], 200)
        self.keys("deactivate", keys[0])
        self.assertEqual(self.keys("remove", keys[0]), {"removed": [keys[0]], "dry_run": False})
        self.assertEqual(self.sign(up, keys[0], attestation(12))[0], 404)
        self.assertNotIn(keys[0], self.listed())
        # It comes back, and its history was here all the time.
        self.assertEqual(self.keys("import", *source)["added"], 1)
        self.assertEqual(self.sign(up, keys[0], attestation(11, root="0x" + "99" * 32))[0], 412)
        self.assertEqual(self.sign(up, keys[0], attestation(12))[0], 200)

    def test_history_first(self):
        """Whoever says nothing of what a key signed elsewhere is told what to do."""
        up = self.up()
        folder, password, keys = self.keystores(count=2)
        done = run("keys", "import", folder, "--password-file", password, "--dir", self.folder / "signer", check=0)
        self.assertIn("ensign slashing import", done.stdout)
        self.assertEqual(self.sign(up, keys[0], attestation(10))[0], 412)
        run("slashing", "fresh", keys[0], "--dir", self.folder / "signer", check=0)
        self.assertEqual(self.sign(up, keys[0], attestation(10))[0], 200)

    def test_while_down(self):
        up = self.up()
        key = up["public_keys"][0]
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertEqual(self.keys("deactivate", key), {"deactivated": [key], "dry_run": False})
        self.assertFalse(self.listed()[key]["active"])
        self.keys("activate", key)
        folder, password, _ = self.keystores()
        self.assertIn("simulator", self.keys("import", folder, "--password-file", password, check=1))
        self.assertEqual(self.up()["public_keys"], [key])

    def test_interrupted(self):
        """Killed again and again an import leaves whole rows, and the next one does what is left."""
        self.up()
        folder, password, keys = self.keystores(count=400)
        command = [PROGRAMS / "ensign", "keys", "import", folder, "--password-file", password, "--fresh", "--dir", self.folder / "signer"]
        seen = set()
        for _ in range(5):
            with subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as importing:
                time.sleep(0.15)
                importing.kill()
            rows = self.listed()
            self.assertTrue(all(row["sealed"] == "data key" and row["data_key_id"] for row in rows.values()))
            self.assertLessEqual(seen, set(rows))
            seen = set(rows)
        self.keys("import", folder, "--password-file", password, "--fresh")
        self.assertEqual(set(keys) - set(self.listed()), set())
        self.assertEqual(self.status()["key_count"], 401)

    def test_mistakes(self):
        up = self.up()
        folder, password, keys = self.keystores()
        wrong = self.folder / "wrong.txt"
        wrong.write_text("not it\n")
        for verb, arguments, code, text in [
            ("import", [], 2, "DIR: missing"),
            ("import", [folder], 2, "--password"),
            ("import", [folder, "--password-file", wrong], 2, "wrong password"),
            ("import", [self.folder / "nowhere", "--password-file", password], 2, "nowhere"),
            ("show", [], 2, "PUBKEY: missing"),
            ("show", ["0x12"], 2, "not a public key"),
            ("show", [keys[0]], 1, "has no row"),
            ("deactivate", [up["public_keys"][0], keys[0]], 1, "has no row"),
        ]:
            with self.subTest(verb=verb, arguments=arguments):
                self.assertIn(text, self.keys(verb, *arguments, check=code))
        self.assertTrue(self.listed()[up["public_keys"][0]]["active"], "nothing is changed when one of them is wrong")
        done = run("keys", "list", "--dir", self.folder / "nowhere", check=1)
        self.assertIn("no local signer", done.stderr)


class Rewrap(Keys):
    def sample_rows(self, count=3):
        """As the sample solution's loader writes them; loaded by the running signer."""
        folder, password, keys = self.keystores(count=count, name="sample")
        subprocess.run([TOOLS / "add-sample-rows", self.folder / "signer", folder, password], check=True, stdout=subprocess.DEVNULL)
        run("local", "reload", "--dir", self.folder / "signer", check=0)
        run("slashing", "fresh", *keys, "--dir", self.folder / "signer", check=0)
        return keys

    def columns(self):
        with contextlib.closing(sqlite3.connect(self.folder / "signer/tables.sqlite")) as tables:
            tables.row_factory = sqlite3.Row
            return {"0x" + row["pubkey"]: dict(row) for row in tables.execute("select * from ValidatorKeys")}

    def test_sample(self):
        """Rows of the sample's loader become sealed ones, without keystore, password and mnemonic; and all have one data key."""
        up = self.up()
        keys = self.sample_rows()
        self.assertEqual(self.listed()[keys[0]]["sealed"], "keystore")
        self.assertEqual(self.sign(up, keys[0], attestation(10))[0], 200)
        self.assertEqual(self.keys("rewrap", "--dry-run"), {"rewrapped": 4, "failed": [], "dry_run": True})
        self.assertEqual(self.listed()[keys[0]]["sealed"], "keystore")
        self.assertEqual(self.keys("rewrap", keys[0]), {"rewrapped": 1, "failed": [], "dry_run": False})
        self.assertEqual([self.listed()[key]["sealed"] for key in keys], ["data key", "keystore", "keystore"])
        self.assertEqual(self.keys("rewrap")["rewrapped"], 4)
        self.assertEqual(self.keys("rewrap")["rewrapped"], 4)
        rows = self.columns()
        self.assertEqual(len({row["data_key_b64"] for row in rows.values()}), 1)
        for key in keys:
            self.assertIsNone(rows[key]["encrypted_key_password_mnemonic_b64"])
            self.assertEqual((rows[key]["deposit_json_b64"], rows[key]["active"]), ("W10=", "true"))
        # They open in a new enclave, and nothing was forgotten.
        run("local", "down", "--dir", self.folder / "signer", check=0)
        up = self.up()
        self.assertEqual(len(up["public_keys"]), 4)
        self.assertEqual(self.sign(up, keys[0], attestation(10, root="0x" + "99" * 32))[0], 412)
        self.assertEqual(self.sign(up, keys[1], attestation(10))[0], 200)

    def test_bad_row(self):
        """It is named and stays as it is; the others are rewrapped."""
        self.up()
        keys = self.sample_rows(count=2)
        with contextlib.closing(sqlite3.connect(self.folder / "signer/tables.sqlite")) as tables:
            tables.execute("update ValidatorKeys set encrypted_key_password_mnemonic_b64 = (select encrypted_key_password_mnemonic_b64"
                           " from ValidatorKeys where pubkey = ?) where pubkey = ?", [keys[1][2:], keys[0][2:]])
            tables.commit()
        before = self.columns()
        done = run("keys", "rewrap", "--dir", self.folder / "signer", "--json", check=1)
        answer = json.loads(done.stdout)
        self.assertEqual(answer["rewrapped"], 2)
        self.assertEqual([failed["public_key"] for failed in answer["failed"]], [keys[0]])
        self.assertIn("holds the key of " + keys[1][2:], answer["failed"][0]["message"])
        self.assertEqual(self.columns()[keys[0]], before[keys[0]])

    def test_down(self):
        self.up()
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertIn("does not run", self.keys("rewrap", check=1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
