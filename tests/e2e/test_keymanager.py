# SPDX-License-Identifier: Apache-2.0
"""The key manager, as a validator's operator uses it: keys come with their history, and leave with it."""
import contextlib
import hashlib
import json
import pathlib
import sqlite3
import unittest

import support  # noqa: F401
from signer import MAINNET_ROOT, Connection, SignerTest, attestation, block, randao, run, wait_for

PATH = "/eth/v1/keystores"
PASSWORD = "correct horse battery staple"
OTHER = "0x" + "44" * 32


class KeyManager(SignerTest):
    def start(self, *options):
        self.token_file = self.folder / "api-token.txt"
        up = self.up("signer", "--key-manager-token-file", self.token_file, *options)
        self.token = self.token_file.read_text().strip()
        self.dir = pathlib.Path(up["dir"])
        self.assertTrue(up["key_manager"])
        return up

    def keystores(self, count):
        """[(public key, keystore text)] of new keys"""
        password = self.folder / "keystore-password"
        password.write_text(PASSWORD + "\n")
        folder = self.folder / f"keystores-{count}-{len(list(self.folder.iterdir()))}"
        run("keystore", "create", "--out", folder, "--password-file", password, "--count", count, "--light", check=0)
        texts = [path.read_text() for path in sorted(folder.glob("*.json"))]
        return [("0x" + json.loads(text)["pubkey"], text) for text in texts]

    def ask(self, connection, method, body=None, token=None):
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        status, headers, answer = connection.request(method, PATH, None if body is None else json.dumps(body), headers)
        self.assertEqual(headers["Content-Type"], "application/json; charset=utf-8")
        return status, json.loads(answer)

    def add(self, connection, keystores, password=PASSWORD, history=None):
        body = {"keystores": [text for _, text in keystores], "passwords": [password] * len(keystores)}
        if history is not None:
            body["slashing_protection"] = history if isinstance(history, str) else json.dumps(history)
        status, answer = self.ask(connection, "POST", body)
        self.assertEqual(status, 200, answer)
        return [(item["status"], item["message"]) for item in answer["data"]]

    def delete(self, connection, *keys):
        status, answer = self.ask(connection, "DELETE", {"pubkeys": list(keys)})
        self.assertEqual(status, 200, answer)
        return [item["status"] for item in answer["data"]], json.loads(answer["slashing_protection"])

    def listed(self, connection):
        status, answer = self.ask(connection, "GET")
        self.assertEqual(status, 200, answer)
        for item in answer["data"]:
            self.assertEqual((item["derivation_path"], item["readonly"]), (None, False))
        keys = [item["validating_pubkey"] for item in answer["data"]]
        self.assertEqual(keys, sorted(keys))
        return keys

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.dir / "tables.sqlite", timeout=20)) as database:
            return {"0x" + pubkey: active == "true" for pubkey, active in database.execute("SELECT pubkey, active FROM ValidatorKeys")}

    def wait_reloaded(self, count, what):
        """Until the host has reloaded so many times; a deletion is done with when it has."""
        return wait_for(lambda: (last := json.loads((self.dir / "run/status.json").read_text())["last_reload"]) and last["number"] >= count and last, what)

    def document(self, *entries, root=MAINNET_ROOT):
        return {"metadata": {"interchange_format_version": "5", "genesis_validators_root": root}, "data": list(entries)}

    def history(self, key, slot, source, target):
        return {"pubkey": key, "signed_blocks": [{"slot": str(slot)}],
                "signed_attestations": [{"source_epoch": str(source), "target_epoch": str(target)}]}

    def test_life_of_a_key(self):
        up = self.start()
        [first] = up["public_keys"]
        (one, one_text), (two, two_text) = self.keystores(2)
        with Connection(up, timeout=60) as connection:
            self.assertEqual(self.listed(connection), [first])
            # They come with what they signed elsewhere; what the document says of a key that does not come is none of our business.
            nothing = {"pubkey": two, "signed_blocks": [], "signed_attestations": []}
            history = self.document(self.history(one, 1000, 19, 20), nothing, self.history(first, 9999999, 999999, 999999))
            self.assertEqual(self.add(connection, [(one, one_text), (two, two_text)], history=history), [("imported", "")] * 2)
            self.assertEqual(self.listed(connection), sorted([first, one, two]))
            self.assertEqual(self.rows(), {first: True, one: True, two: True})
            for low in [attestation(20), attestation(19), attestation(22, source=18)]:
                self.assertEqual(connection.sign(one, low)[0], 412)
            self.assertEqual(connection.sign(one, block(1000))[0], 412)
            for key in [one, two, first]:
                self.assertEqual(connection.sign(key, attestation(21))[0], 200)
            self.assertEqual(connection.sign(one, block(1001))[0], 200)
            self.assertEqual(self.add(connection, [(one, one_text)]), [("duplicate", "this key is loaded already")])
        # They are in the table: a restart finds them.
        run("local", "down", "--dir", self.dir, check=0)
        up = json.loads(run("local", "up", "--dir", self.dir, "--json", check=0).stdout)
        with Connection(up, timeout=60) as connection:
            self.assertEqual(sorted(up["public_keys"]), sorted([first, one, two]))
            self.assertEqual(connection.sign(one, attestation(21, root=OTHER))[0], 412)
            self.assertEqual(connection.sign(one, attestation(22))[0], 200)
            # One goes, with its history.
            statuses, export = self.delete(connection, one, "0x" + "ab" * 48)
            self.assertEqual(statuses, ["deleted", "not_found"])
            self.assertEqual(connection.sign(one, attestation(23))[0], 404)
            self.assertEqual(export["metadata"], {"interchange_format_version": "5", "genesis_validators_root": MAINNET_ROOT})
            [entry] = export["data"]
            self.assertEqual(entry["pubkey"], one)
            self.assertEqual(entry["signed_blocks"][0]["slot"], "1001")
            self.assertEqual((entry["signed_attestations"][0]["source_epoch"], entry["signed_attestations"][0]["target_epoch"]), ("21", "22"))
            self.assertEqual(self.listed(connection), sorted([first, two]))
            self.wait_reloaded(1, "the host forgets the key")
            self.assertFalse(self.rows()[one])
            self.assertEqual(self.delete(connection, one)[0], ["not_active"])
            self.wait_reloaded(2, "the host forgets it again")
            # Whatever the parent does: a row that is active again brings a key that signs nothing.
            self.activate_all()
            run("local", "reload", "--dir", self.dir, check=0)
            self.assert_deleted(connection, one)
            # It comes back with the document that it left with, and signs again, but nothing old.
            self.assertEqual(self.add(connection, [(one, one_text)], history=export), [("duplicate", "this key is loaded already")])
            self.assertEqual(connection.sign(one, attestation(22, root=OTHER))[0], 412)
            self.assertEqual(connection.sign(one, attestation(30))[0], 200)
            # A whole round: out, and in again as a new key.
            self.assertEqual(self.delete(connection, one)[0], ["deleted"])
            wait_for(lambda: self.rows()[one] is False, "the host forgets the key")
            self.assertEqual(self.add(connection, [(one, one_text)]), [("imported", "")])
            self.assertEqual(connection.sign(one, attestation(30, root=OTHER))[0], 412)
            self.assertEqual(connection.sign(one, attestation(31))[0], 200)
        log = (self.dir / "log/host.log").read_text()
        for secret in [PASSWORD, self.token]:
            self.assertNotIn(secret, log)

    def test_document_that_leaves_a_key_out(self):
        """Nobody has said that it never signed: it waits for its history."""
        up = self.start()
        [(one, one_text)] = self.keystores(1)
        with Connection(up, timeout=60) as connection:
            [(status, message)] = self.add(connection, [(one, one_text)], history=self.document(self.history(up["public_keys"][0], 1, 1, 2)))
            self.assertEqual(status, "imported")
            self.assertIn("does not name this key", message)
            self.assertEqual(connection.sign(one, randao(1))[0], 200)
            status, answer = connection.sign(one, attestation(21))
            self.assertEqual(status, 412)
            self.assertIn("knows nothing of what the key signed before", answer["message"])
            self.assertEqual(self.add(connection, [(one, one_text)], history=self.document(self.history(one, 1000, 19, 20)))[0][0], "duplicate")
            self.assertEqual(connection.sign(one, attestation(20))[0], 412)
            self.assertEqual(connection.sign(one, attestation(21))[0], 200)

    def activate_all(self):
        with contextlib.closing(sqlite3.connect(self.dir / "tables.sqlite", timeout=20)) as database:
            database.execute("UPDATE ValidatorKeys SET active = 'true'")
            database.commit()

    def assert_deleted(self, connection, key):
        """It is loaded, yet it signs nothing of any type."""
        for body in [attestation(30), block(3000), randao(30)]:
            status, answer = connection.sign(key, body)
            self.assertEqual(status, 412)
            self.assertIn("deleted through the key manager", answer["message"])

    def test_row_that_comes_back(self):
        """A deleted key signs nothing after a restart either, until it is imported again."""
        up = self.start()
        [first] = up["public_keys"]
        [(key, text)] = self.keystores(1)
        with Connection(up, timeout=60) as connection:
            self.assertEqual(self.add(connection, [(key, text)]), [("imported", "")])
            self.assertEqual(connection.sign(key, randao(5))[0], 200)
            before = self.wait_reloaded(1, "the key was loaded")["number"]
            self.assertEqual(self.delete(connection, key)[0], ["deleted"])
            self.wait_reloaded(before + 1, "the host forgets the key")
        run("local", "down", "--dir", self.dir, check=0)
        self.activate_all()
        up = json.loads(run("local", "up", "--dir", self.dir, "--json", check=0).stdout)
        self.assertEqual(sorted(up["public_keys"]), sorted([first, key]))
        with Connection(up, timeout=60) as connection:
            self.assert_deleted(connection, key)
            self.assertEqual(connection.sign(first, randao(5))[0], 200)
            self.assertEqual(self.add(connection, [(key, text)]), [("duplicate", "this key is loaded already")])
            self.assertEqual(connection.sign(key, randao(5))[0], 200)
            self.assertEqual(connection.sign(key, attestation(30))[0], 200)

    def test_last_key(self):
        """A signer whose last key was deleted comes up again, and takes keys."""
        up = self.start()
        [first] = up["public_keys"]
        [(key, text)] = self.keystores(1)
        with Connection(up, timeout=60) as connection:
            self.assertEqual(self.delete(connection, first)[0], ["deleted"])
            wait_for(lambda: self.rows()[first] is False, "the host forgets the key")
            self.assertEqual(self.listed(connection), [])
        last = self.wait_reloaded(1, "the host reloads what is left")
        self.assertEqual((last["ok"], last["error"]), (True, None))
        self.assertEqual(json.loads(run("local", "reload", "--dir", self.dir, "--json", check=0).stdout), {"key_count": 0, "added": 0, "removed": 0, "failed": 0, "failures": []})
        run("local", "down", "--dir", self.dir, check=0)
        up = json.loads(run("local", "up", "--dir", self.dir, "--json", check=0).stdout)
        self.assertEqual(up["public_keys"], [])
        run("local", "status", "--dir", self.dir, check=0)
        with Connection(up, timeout=60) as connection:
            self.assertEqual(json.loads(connection.request("GET", "/api/v1/eth2/publicKeys")[2]), [])
            status, _, health = connection.request("GET", "/healthcheck")
            self.assertEqual((status, json.loads(health)["status"]), (200, "UP"))
            self.assertEqual(connection.sign(first, attestation(5))[0], 404)
            self.assertEqual(self.listed(connection), [])
            # The row of a deleted key still has the data key that new ones are sealed with.
            self.assertEqual(self.add(connection, [(key, text)]), [("imported", "")])
            self.assertEqual(connection.sign(key, attestation(5))[0], 200)
        run("local", "down", "--dir", self.dir, check=0)
        # Without the key manager it is a mistake: that is said, and the table is named.
        with contextlib.closing(sqlite3.connect(self.dir / "tables.sqlite", timeout=20)) as database:
            database.execute("UPDATE ValidatorKeys SET active = 'false'")
            database.commit()
        refused = run("local", "up", "--dir", self.dir, "--key-manager-token-file", "off", check=1)
        for text in ["no active keys", str(self.dir / "tables.sqlite"), "only a signer with a key manager"]:
            self.assertIn(text, refused.stderr)

    def test_refusals(self):
        up = self.start()
        [(key, text)] = self.keystores(1)
        with Connection(up, timeout=60) as connection:
            for method in ["GET", "POST", "DELETE"]:
                status, headers, answer = connection.request(method, PATH, b"{}" if method != "GET" else None)
                self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"), answer)
                for value in ["Basic abc", "Bearer", "Bearer "]:
                    self.assertEqual(connection.request(method, PATH, None, {"Authorization": value})[0], 401)
                self.assertEqual(self.ask(connection, method, token="x" * 64)[0], 403)
                self.assertEqual(self.ask(connection, method, token=hashlib.sha256(self.token.encode()).hexdigest())[0], 403)
            for body, reason in [({}, "keystores"), ({"keystores": [text], "passwords": []}, "passwords"), ({"keystores": [1], "passwords": ["x"]}, "keystores[0]"),
                                 ({"keystores": [text] * 33, "passwords": ["x"] * 33}, "at most 32"),
                                 ({"keystores": [text], "passwords": ["x"], "slashing_protection": "{"}, "slashing_protection"),
                                 ({"keystores": [text], "passwords": [PASSWORD], "slashing_protection": json.dumps(self.document(self.history(key, 1, 1, 2), root=OTHER))},
                                  "genesis_validators_root"),
                                 ({"keystores": [text], "passwords": [PASSWORD], "slashing_protection": json.dumps(self.document({"pubkey": key, "signed_blocks": [{"slot": "x"}]}))},
                                  "data[0]")]:
                status, answer = self.ask(connection, "POST", body)
                self.assertEqual(status, 400, answer)
                self.assertIn(reason, answer["message"])
            for body, reason in [({}, "pubkeys"), ({"pubkeys": ["0x12"]}, "pubkeys[0]"), ({"pubkeys": [key, key]}, "pubkeys[1]"), ({"pubkeys": ["0x" + "%096x" % i for i in range(1025)]}, "1024")]:
                status, answer = self.ask(connection, "DELETE", body)
                self.assertEqual(status, 400, answer)
                self.assertIn(reason, answer["message"])
            # What concerns one key is that key's.
            [(status, message)] = self.add(connection, [(key, text)], password="wrong")
            self.assertEqual(status, "error")
            self.assertTrue(message.startswith("Failed to decrypt keystore:"), message)
            other = json.loads(text) | {"pubkey": "ab" * 48}
            outcome = self.add(connection, [(key, "{}"), ("", json.dumps(other)), (key, text)])
            self.assertEqual([status for status, _ in outcome], ["error", "error", "imported"])
            self.assertEqual(self.listed(connection), sorted([up["public_keys"][0], key]))
            self.assertEqual(self.add(connection, []), [])
            self.assertEqual(self.delete(connection), ([], {"metadata": {"interchange_format_version": "5"}, "data": []}))
        # Without its digest in the configuration there is no such path.
        plain = self.up("plain")
        with Connection(plain) as connection:
            self.assertEqual(connection.request("GET", PATH, None, {"Authorization": f"Bearer {self.token}"})[0], 404)

    def test_without_slashing_protection(self):
        up = self.start("--slashing", "off")
        [(key, text)] = self.keystores(1)
        with Connection(up, timeout=60) as connection:
            self.assertEqual(self.add(connection, [(key, text)], history=self.document(self.history(key, 1, 1, 2))), [("imported", "")])
            self.assertEqual(connection.sign(key, attestation(5))[0], 200)
            statuses, export = self.delete(connection, key)
            self.assertEqual((statuses, export["data"]), (["deleted"], []))
            self.assertEqual(connection.sign(key, attestation(6))[0], 404)

    def test_many_keys(self):
        password = self.folder / "password"
        password.write_text("many\n")
        run("keystore", "create", "--out", self.folder / "many", "--password-file", password, "--count", 150, "--light", check=0)
        up = self.start("--keystores", self.folder / "many", "--password-file", password)
        with Connection(up, timeout=60) as connection:
            self.assertEqual(len(self.listed(connection)), 150)
            statuses, export = self.delete(connection, *up["public_keys"][:100])
            self.assertEqual((statuses, len(export["data"])), (["deleted"] * 100, 100))
            self.assertEqual(len(self.listed(connection)), 50)

    def test_deletion_waits_for_no_import(self):
        """A key that is being imported cannot be deleted meanwhile: the import's end would undo it."""
        up = self.start()
        [(key, text)] = self.keystores(1)
        with Connection(up, timeout=60) as importing, Connection(up, timeout=60) as deleting:
            headers = {"Authorization": f"Bearer {self.token}"}
            importing.http.request("POST", PATH, json.dumps({"keystores": [text], "passwords": [PASSWORD]}), headers)
            statuses = []
            while not statuses or statuses[-1] in ["error", "not_found"]:
                statuses += self.delete(deleting, key)[0]
            answer = json.loads(importing.http.getresponse().read())
            self.assertEqual(answer["data"][0]["status"], "imported")
            self.assertEqual(statuses[-1], "deleted")
            self.assertEqual(deleting.sign(key, attestation(5))[0], 404)
            wait_for(lambda: self.rows()[key] is False, "the host forgets the key")

    def test_reload_route(self):
        up = self.start()
        with Connection(up, timeout=60) as connection:
            self.assertEqual(json.loads(connection.request("GET", "/reload")[2]), {"status": "idle"})
            status, _, answer = connection.request("POST", "/reload")
            self.assertEqual((status, json.loads(answer)["code"]), (202, 202))
            status, headers, answer = connection.request("POST", "/reload")
            self.assertEqual((status, json.loads(answer)["code"]), (409, 409))
            state = wait_for(lambda: (now := json.loads(connection.request("GET", "/reload")[2]))["status"] != "running" and now, "the reload ends")
            self.assertEqual(state["status"], "completed")
            self.assertRegex(state["lastOperationTime"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d.*Z$")
            with contextlib.closing(sqlite3.connect(self.dir / "tables.sqlite", timeout=20)) as database:
                database.execute("UPDATE ValidatorKeys SET chain = 'hoodi'")
                database.commit()
            # Somebody else's reload counts too.
            run("local", "reload", "--dir", self.dir, check=1)
            state = json.loads(connection.request("GET", "/reload")[2])
            self.assertEqual(state["status"], "failed")
            self.assertIn("hoodi", state["lastError"])
            self.assertEqual(connection.sign(up["public_keys"][0], attestation(5))[0], 200)

    def test_token_files(self):
        short = self.folder / "short"
        short.write_text("0123456789\n")
        refused = run("local", "up", "--dir", self.folder / "signer", "--key-manager-token-file", short, check=2)
        self.assertIn("32 to 256", refused.stderr)
        up = self.start()
        self.assertEqual(self.token_file.stat().st_mode & 0o777, 0o600)
        self.assertRegex(self.token, "^[0-9a-f]{64}$")
        self.assertNotIn(self.token, (self.dir / "image/enclave.json").read_text())
        run("local", "down", "--dir", self.dir, check=0)
        again = json.loads(run("local", "up", "--dir", self.dir, "--json", check=0).stdout)
        self.assertEqual((again["key_manager"], again["measurement"]), (True, up["measurement"]))
        run("local", "down", "--dir", self.dir, check=0)
        off = json.loads(run("local", "up", "--dir", self.dir, "--key-manager-token-file", "off", "--json", check=0).stdout)
        self.assertFalse(off["key_manager"])
        self.assertNotEqual(off["measurement"], up["measurement"])


if __name__ == "__main__":
    unittest.main()
