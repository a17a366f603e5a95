# SPDX-License-Identifier: Apache-2.0
"""`ensign keys`: the key table of a signer that is up, and of one that is down."""
import base64
import contextlib
import json
import os
import pathlib
import sqlite3
import subprocess
import time
import unittest

import support  # noqa: F401
from signer import PROGRAMS, Connection, SignerTest, attestation, randao, run

OWN_VECTORS = pathlib.Path(os.environ["ENSIGN_OWN_VECTORS"])
ADDRESS = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
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
        self.assertIn("is active", self.keys("remove", keys[0], check=1))
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
        refused = self.keys("import", folder, "--password-file", password, check=1)
        self.assertIn(f"start it: ensign local up --dir {self.folder / 'signer'}\n", refused)
        self.assertEqual(self.up()["public_keys"], [key])

    def test_nothing_to_import(self):
        self.up()
        self.assertNotIn("goes on", self.keys("import", self.folder / "nowhere", "--password-file", self.folder / "x", check=2))

    def test_assign(self):
        """To another signer of the table and back; nobody signs with it meanwhile."""
        up = self.up()
        folder, password, keys = self.keystores(count=2)
        self.keys("import", folder, "--password-file", password, "--fresh")
        self.assertEqual(self.keys("assign", *keys, "--to", "other", "--dry-run")["assigned"], keys)
        self.assertEqual(len(self.listed()), 3)
        self.assertEqual(self.keys("assign", keys[0], "--to", "other"), {"assigned": [keys[0]], "dry_run": False})
        self.assertEqual(self.sign(up, keys[0], randao(1))[0], 404)
        self.assertEqual(set(self.listed("--uuid", "other")), {keys[0]})
        self.keys("assign", keys[0], "--to", "local", "--uuid", "other")
        self.assertEqual(self.sign(up, keys[0], randao(1))[0], 200)
        self.assertIn("--to", self.keys("assign", keys[0], check=2))

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
        self.assertIn(f"there is no local signer in {self.folder}/nowhere; ensign local up --dir {self.folder}/nowhere makes one", done.stderr)


class Generate(Keys):
    def generate(self, *options, check=0):
        return self.keys("generate", "--withdrawal-address", ADDRESS, *options, check=check)

    def deposits(self, *options, name="deposits"):
        (self.folder / name).mkdir()
        answer = self.keys("export-deposits", "--out", self.folder / name, *options)
        return answer, json.loads(pathlib.Path(answer["file"]).read_text())

    def test_vectors(self):
        """From a mnemonic to the file for the launchpad, as deposit-cli makes it."""
        for name in ["hoodi_0x01_first1024", "hoodi_0x02_odd_gwei", "mainnet_0x01_passphrase", "mainnet_0x02_2048eth", "hoodi_0x02_max_index"]:
            vector = json.loads((OWN_VECTORS / f"deposit/generated/{name}.json").read_text())
            case = vector["input"]
            with self.subTest(name=name):
                run("local", "up", "--dir", self.folder / name, "--listen", "127.0.0.1:0", "--network", case["network"], check=0)
                place = ["--dir", self.folder / name]
                for file, text in [("mnemonic", case["mnemonic"]), ("passphrase", case["passphrase"])]:
                    (self.folder / file).touch(mode=0o600)
                    (self.folder / file).write_text(text + "\n")
                options = ["--passphrase-file", self.folder / "passphrase"] if case["passphrase"] else []
                if case["withdrawal_prefix"] in ["0x02", "02", 2]:
                    options.append("--compounding")
                run("keys", "generate", "-n", case["count"], "--first-index", case["first_index"], "--withdrawal-address",
                    case["withdrawal_address"], "--amount-gwei", case["amount_gwei"], "--mnemonic-file", self.folder / "mnemonic",
                    *options, *place, check=0)
                keys = [deposit["pubkey"] for deposit in vector["deposit_data"]]
                out = self.folder / f"{name}-out"
                out.mkdir()
                done = run("keys", "export-deposits", *keys, "--out", out, "--json", *place, check=0)
                made = json.loads(pathlib.Path(json.loads(done.stdout)["file"]).read_text())
                # Whose file it is like is the one thing that differs.
                self.assertEqual([{**one, "deposit_cli_version": "1.3.0"} for one in made], vector["deposit_data"])
                run("local", "down", *place, check=0)

    def test_new_mnemonic(self):
        """Written before any key is, used by the next run, and the keys of a new one sign at once."""
        up = self.up()
        mnemonic = self.folder / "mnemonic.txt"
        self.assertEqual(self.generate("-n", 2, "--mnemonic-out", mnemonic, "--dry-run")["dry_run"], True)
        self.assertFalse(mnemonic.exists())
        made = self.generate("-n", 3, "--mnemonic-out", mnemonic)["public_keys"]
        self.assertEqual((len(made), mnemonic.stat().st_mode & 0o777, len(mnemonic.read_text().split())), (3, 0o400, 24))
        self.assertEqual(self.sign(up, made[0], attestation(10))[0], 200)
        self.assertIn("exists", self.generate("-n", 1, "--mnemonic-out", mnemonic, check=2))
        again = self.generate("-n", 4, "--mnemonic-file", mnemonic)
        self.assertEqual((again["already_present"], len(again["public_keys"])), (3, 1))
        # What an old mnemonic's keys signed nobody knows here.
        self.assertEqual(self.sign(up, again["public_keys"][0], attestation(10))[0], 412)
        fresh = self.generate("-n", 5, "--mnemonic-file", mnemonic, "--fresh")["public_keys"]
        self.assertEqual(self.sign(up, fresh[0], attestation(10))[0], 200)
        answer, deposits = self.deposits()
        self.assertEqual((answer["deposits"], {"0x" + one["pubkey"] for one in deposits}),
                         (5, {*made, *again["public_keys"], *fresh}))
        self.assertEqual({one["withdrawal_credentials"][24:] for one in deposits}, {ADDRESS[2:].lower()})
        self.assertIn("has no deposit", self.keys("export-deposits", up["public_keys"][0], "--out", self.folder, check=1))
        self.assertEqual(self.keys("export-deposits", *fresh, "--out", self.folder / "new")["file"].rpartition("/")[0], str(self.folder / "new"))

    def test_interrupted(self):
        up = self.up()
        mnemonic = self.folder / "mnemonic.txt"
        command = [PROGRAMS / "ensign", "keys", "generate", "-n", "300", "--withdrawal-address", ADDRESS, "--dir", self.folder / "signer"]
        source = ["--mnemonic-out", mnemonic]
        for _ in range(3):
            with subprocess.Popen([str(word) for word in [*command, *source]], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as making:
                time.sleep(0.6)
                making.kill()
            rows = self.listed()
            if len(rows) > 1:
                self.assertTrue(mnemonic.exists())
            self.assertTrue(all(row["sealed"] == "data key" and row["has_deposit"] for key, row in rows.items()
                                if key not in up["public_keys"]))
            if mnemonic.exists():
                source = ["--mnemonic-file", mnemonic, "--fresh"]
        run(*command[1:], *source, check=0)
        self.assertEqual(len(self.listed()), 301)
        self.assertEqual(self.status()["key_count"], 301)

    def test_mistakes(self):
        self.up()
        new = ["--mnemonic-out", self.folder / "new.txt"]
        bad = self.folder / "bad.txt"
        bad.touch(mode=0o600)
        bad.write_text(" ".join(["abandon"] * 12))
        for arguments, text in [
            (["-n", 0, *new], "-n"), (["-n", 1], "--mnemonic-out"), (["-n", 1, *new, "--mnemonic-file", bad], "give one of them"),
            (["-n", 1, "--mnemonic-file", bad], "checksum"), (["-n", 1, *new, "--amount-gwei", 999999999], "amount"),
            (["-n", 1, *new, "--chain", "hoodi"], "the signer's network is mainnet"),
            (["-n", 2, "--first-index", 2**32 - 1, *new], "--first-index"),
        ]:
            with self.subTest(arguments=arguments):
                self.assertIn(text, self.generate(*arguments, check=2))
        for address in ["0x71c7656EC7ab88b098defB751B7401B5f6d8976F", "0x12", ADDRESS[2:]]:
            self.assertIn("--withdrawal-address", self.keys("generate", "-n", 1, *new, "--withdrawal-address", address, check=2))
        self.assertFalse((self.folder / "new.txt").exists())
        self.assertEqual(len(self.listed()), 1)


class Inside(Keys):
    """Keys that are born in the enclave."""

    def setUp(self):
        super().setUp()
        self.started = self.up()
        self.births = self.folder / "births.json"
        self.root = self.folder / "signer/sim/attestation-root.pem"

    def generate(self, *options, check=0):
        return self.keys("generate", "--inside", "--withdrawal-address", ADDRESS, *options, check=check)

    def recovery_key(self):
        private, public = self.folder / "recovery.key", self.folder / "recovery.pem"
        for command in [["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", private],
                        ["pkey", "-in", private, "-pubout", "-out", public]]:
            subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
        return private, public

    def verify(self, path, *options, check=0):
        return run("attest", "verify", path, "--root", self.root, *options, check=check)

    def test_birth(self):
        """They sign, their deposits are good, the enclave says that they are its own, and the mnemonic makes them again."""
        private, public = self.recovery_key()
        mnemonic = self.folder / "mnemonic.cms"
        made = self.generate("-n", 3, "--compounding", "--recovery-key", public, "--mnemonic-out", mnemonic, "--births-out",
                             self.births)["public_keys"]
        self.assertEqual(self.sign(self.started, made[0], attestation(10))[0], 200)
        rows = self.listed()
        self.assertEqual({(rows[key]["sealed"], rows[key]["has_deposit"]) for key in made}, {("data key", True)})
        self.assertEqual(self.keys("export-deposits", *made, "--out", self.folder)["deposits"], 3)
        found = json.loads(self.verify(self.births, "--json", "--pcr0", self.started["measurement"]["PCR0"]).stdout)
        self.assertEqual((found["keys"], found["recoverable"]), (3, True))
        words = subprocess.run(["openssl", "cms", "-decrypt", "-inform", "DER", "-inkey", private, "-in", mnemonic], check=True,
                               capture_output=True, text=True).stdout
        self.assertEqual(len(words.split()), 24)
        recovered = self.folder / "recovered.txt"
        recovered.touch(mode=0o600)
        recovered.write_text(words)
        again = self.keys("generate", "-n", 4, "--withdrawal-address", ADDRESS, "--mnemonic-file", recovered)
        self.assertEqual((again["already_present"], len(again["public_keys"])), (3, 1))
        # They open in the next enclave too.
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertEqual(self.sign(self.up(), made[1], attestation(11))[0], 200)

    def test_lies(self):
        """What was changed of a statement, or signed by somebody else, does not hold."""
        self.generate("-n", 2, "--births-out", self.births)
        good = json.loads(self.births.read_text())
        self.assertIn("never left", self.verify(self.births).stdout)
        refused = run("attest", "verify", self.births, check=3).stderr
        self.assertIn("error: attestation document: cabundle: the root is not the pinned one", refused)
        self.assertIn("--root D/sim/attestation-root.pem", refused)
        self.assertIn("PCR0", self.verify(self.births, "--pcr0", "00" * 48, check=3).stderr)
        document = bytearray(base64.b64decode(good["attestation_document_b64"]))
        document[len(document) // 2] ^= 1
        for name, value in [("public_keys", good["public_keys"][::-1]), ("public_keys", good["public_keys"][:1]),
                            ("withdrawal_credentials", "0x01" + "00" * 31), ("recovery_public_key_b64", "AAAA"),
                            ("attestation_document_b64", base64.b64encode(document).decode()),
                            ("attestation_document_b64", "AAAA")]:
            with self.subTest(name=name, value=value):
                changed = self.folder / "changed.json"
                changed.write_text(json.dumps({**good, name: value}))
                self.verify(changed, check=3)
        for value, text in [([], "empty"), ([7], "public_keys[0]"), ("x", "public_keys")]:
            changed.write_text(json.dumps({**good, "public_keys": value}))
            self.assertIn(text, self.verify(changed, check=2).stderr)

    def test_mistakes(self):
        weak = self.folder / "weak.pem"
        subprocess.run(f"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 | openssl pkey -pubout -out {weak}", shell=True,
                       check=True, capture_output=True)
        new = self.folder / "new.cms"
        for options, code, text in [
            (["-n", 1001], 2, "at most 1000"), (["-n", 1, "--dry-run"], 2, "--dry-run"), (["-n", 1, "--first-index", 3], 2, "--first-index"),
            (["-n", 1, "--pcr0", "zz"], 2, "--pcr0: not 96 hex digits"), (["-n", 1, "--mnemonic-out", new], 2, "give both or none"), (["-n", 1, "--recovery-key", weak], 2, "give both or none"),
            (["-n", 1, "--recovery-key", self.births, "--mnemonic-out", new], 2, "births.json"),
            (["-n", 1, "--recovery-key", weak, "--mnemonic-out", new], 2, "at least 2048 bits"),
        ]:
            with self.subTest(options=options):
                self.assertIn(text, self.generate(*options, check=code))
        self.assertFalse(new.exists())
        self.assertEqual(len(self.listed()), 1)
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertIn("does not run", self.generate("-n", 1, check=1))


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

    def test_load(self):
        """Many at once, when the signer starts; the one that holds another's key is passed over."""
        self.up()
        keys = self.sample_rows(count=20)
        with contextlib.closing(sqlite3.connect(self.folder / "signer/tables.sqlite")) as tables:
            tables.execute("update ValidatorKeys set encrypted_key_password_mnemonic_b64 = (select encrypted_key_password_mnemonic_b64"
                           " from ValidatorKeys where pubkey = ?) where pubkey = ?", [keys[1][2:], keys[0][2:]])
            tables.commit()
        run("local", "down", "--dir", self.folder / "signer", check=0)
        up = self.up()
        self.assertEqual((len(up["public_keys"]), set(keys) - set(up["public_keys"])), (20, {keys[0]}))
        status = self.status()
        self.assertEqual((status["key_count"], status["failed"]), (20, 1))
        self.assertEqual(status["failures"][0]["pubkey"], keys[0][2:])
        self.assertIn("holds the key of " + keys[1][2:], status["failures"][0]["message"])
        for key in keys[1:]:
            self.assertEqual(self.sign(up, key, randao(1))[0], 200)

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
