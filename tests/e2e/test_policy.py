# SPDX-License-Identifier: Apache-2.0
"""The signing policy on a running signer: what is refused by default, what rules change, and that rules are measured."""
import json
import re
import unittest

import support  # noqa: F401
from signer import TOP, Connection, SignerTest, attestation, block, deposit, randao, run, voluntary_exit, wait_for

UNKNOWN_KEY = "0x" + "ab" * 48


def rule(name, effect, types="*", keys="*", clients="*"):
    return {"name": name, "effect": effect, "clients": clients, "types": types, "keys": keys}


class Policy(SignerTest):
    def policy(self, *rules, name="policy.json"):
        path = self.folder / name
        path.write_text(json.dumps({"rules": list(rules)}))
        return path

    def up_with_keys(self, count, *options):
        folder, password_file, keys = self.keystores(count=count)
        return self.up("signer", "--keystores", folder, "--password-file", password_file, *options), keys

    def down(self):
        run("local", "down", "--dir", self.folder / "signer", check=0)

    def assert_refused(self, answer, by):
        status, body = answer
        self.assertEqual(status, 403, body)
        self.assertEqual(body["code"], 403)
        self.assertIn(f'refused by rule "{by}"', body["message"])

    def public_keys(self, connection):
        return set(json.loads(connection.request("GET", "/api/v1/eth2/publicKeys")[2]))

    def test_exits_and_deposits_are_refused_unless_allowed(self):
        up = self.up()
        key = up["public_keys"][0]
        self.assertEqual(up["policy_rules"], [])
        with Connection(up) as connection:
            self.assert_refused(connection.sign(key, voluntary_exit(5)), "default-exits")
            self.assert_refused(connection.sign(key, deposit(key)), "default-deposits")
            # It is not said whether a key is there; what is malformed is.
            self.assert_refused(connection.sign(UNKNOWN_KEY, voluntary_exit(5)), "default-exits")
            self.assertEqual(connection.sign(UNKNOWN_KEY, {"type": "VOLUNTARY_EXIT"})[0], 400)
            self.assertEqual(connection.sign(UNKNOWN_KEY, randao(5))[0], 404)
            for request in [attestation(10), block(100), randao(5)]:
                self.assertEqual(connection.sign(key, request)[0], 200)
        self.down()
        allowed = self.up("signer", "--allow", "VOLUNTARY_EXIT")
        self.assertTrue(allowed["measurement_changed"])
        self.assertNotEqual(allowed["measurement"]["PCR0"], up["measurement"]["PCR0"])
        self.assertEqual(allowed["policy_rules"], ["allowed-types"])
        with Connection(allowed) as connection:
            self.assertEqual(connection.sign(key, voluntary_exit(5))[0], 200)
            self.assert_refused(connection.sign(key, deposit(key)), "default-deposits")
        # It stays so until it is taken back, and then the signer is the first one again, to the bit.
        self.assertTrue(self.up()["already_up"])
        run("local", "up", "--dir", self.folder / "signer", "--allow", "none", check=1)
        self.down()
        self.assertEqual(self.up()["measurement"], allowed["measurement"])
        self.down()
        back = self.up("signer", "--allow", "none")
        self.assertEqual(back["measurement"], up["measurement"])
        with Connection(back) as connection:
            self.assert_refused(connection.sign(key, voluntary_exit(5)), "default-exits")

    def test_rules_for_keys(self):
        folder, password_file, keys = self.keystores(count=3)
        exiting, retired, other = keys
        policy = self.policy(rule("exit-one", "allow", ["VOLUNTARY_EXIT"], [exiting]), rule("retired", "deny", keys=[retired]))
        up = self.up("signer", "--keystores", folder, "--password-file", password_file, "--policy", policy)
        with Connection(up) as connection:
            self.assertEqual(connection.sign(exiting, voluntary_exit(5))[0], 200)
            self.assert_refused(connection.sign(other, voluntary_exit(5)), "default-exits")
            self.assert_refused(connection.sign(retired, voluntary_exit(5)), "retired")
            self.assert_refused(connection.sign(retired, attestation(10)), "retired")
            # The refusal spent nothing: there is no vote of that key.
            self.assertEqual(connection.sign(exiting, attestation(10))[0], 200)
            self.assertEqual(self.public_keys(connection), {exiting, other})
            status, results = connection.sign_batch([exiting, retired, other, UNKNOWN_KEY], attestation(11))
            self.assertEqual(status, 200)
            self.assertEqual([item["identifier"] for item in results], [exiting, retired, other, UNKNOWN_KEY])
            self.assertEqual([item.get("error", {}).get("code") for item in results], [None, 403, None, 404])
            self.assertIn('"retired"', results[1]["error"]["message"])
            status, results = connection.sign_batch([exiting, retired, other], voluntary_exit(5))
            self.assertEqual([item.get("error", {}).get("code") for item in results], [None, 403, 403])
        log = self.folder / "signer/log/host.log"
        wait_for(lambda: "status=403" in log.read_text(), "the host has fetched the line")

    def test_a_closed_policy(self):
        """Only what is listed; a rule for a client that shows no certificate is for nobody."""
        policy = self.policy(rule("ops", "allow", clients=["ops", "sha256:" + "ab" * 32]),
                             rule("votes", "allow", ["ATTESTATION"]), rule("nothing-else", "deny"))
        up, keys = self.up_with_keys(1, "--policy", policy)
        with Connection(up) as connection:
            self.assertEqual(connection.sign(keys[0], attestation(10))[0], 200)
            for request in [block(100), randao(5), voluntary_exit(5), deposit(keys[0])]:
                self.assert_refused(connection.sign(keys[0], request), "nothing-else")
            self.assertEqual(self.public_keys(connection), set(keys))
        measured = json.loads((self.folder / "signer/image/enclave.json").read_text())
        self.assertEqual([entry["name"] for entry in measured["policy"]["rules"]], ["ops", "votes", "nothing-else"])

    def test_a_signer_may_refuse_everything(self):
        up, keys = self.up_with_keys(1, "--policy", self.policy(rule("frozen", "deny")))
        self.assertEqual((up["public_keys"], up["policy_rules"]), ([], ["frozen"]))
        with Connection(up) as connection:
            self.assert_refused(connection.sign(keys[0], attestation(10)), "frozen")
            self.assertEqual(connection.request("GET", "/healthcheck")[0], 200)

    def test_sign_command(self):
        up = self.up()
        request = self.folder / "exit.json"
        request.write_text(json.dumps(voluntary_exit(5)))
        done = run("sign", "--url", up["url"], "--ca", up["ca_file"], "--key", up["public_keys"][0], "--file", request, check=3)
        self.assertIn('rule "default-exits"', done.stderr)

    def test_check_command(self):
        mine, other = "0x" + "a1" * 48, "0x" + "b2" * 48
        policy = self.policy(rule("exits-by-ops", "allow", ["VOLUNTARY_EXIT"], clients=["ops", "sha256:" + "ab" * 32]),
                             rule("vc-1-own", "allow", keys=[mine], clients=["vc-1"]), rule("vc-1-rest", "deny", clients=["vc-1"]))
        for options, code, by in [
            (["--type", "VOLUNTARY_EXIT", "--key", mine], 3, "default-exits"),
            (["--type", "deposit", "--key", mine], 3, "default-deposits"),
            (["--type", "BLOCK", "--key", mine], 0, "default-allow"),
            (["--policy", policy, "--type", "VOLUNTARY_EXIT", "--key", mine], 3, "default-exits"),
            (["--policy", policy, "--type", "VOLUNTARY_EXIT", "--key", mine, "--client", "ops"], 0, "exits-by-ops"),
            (["--policy", policy, "--type", "VOLUNTARY_EXIT", "--key", mine, "--fingerprint", ":".join(["AB"] * 32)], 0, "exits-by-ops"),
            (["--policy", policy, "--type", "BLOCK_V2", "--key", mine, "--client", "vc-1"], 0, "vc-1-own"),
            (["--policy", policy, "--type", "BLOCK_V2", "--key", other, "--client", "vc-1"], 3, "vc-1-rest"),
        ]:
            done = run("policy", "check", *options, "--json", check=code)
            self.assertEqual(json.loads(done.stdout), {"allowed": code == 0, "rule": by})
            self.assertIn(f'{"allowed" if code == 0 else "refused"} by rule "{by}"', run("policy", "check", *options, check=code).stdout)

    def test_documented_examples(self):
        blocks = re.findall(r"```json\n(.*?)```", (TOP / "docs/policy.md").read_text(), re.DOTALL)
        examples = [block for block in blocks if "rules" in json.loads(block)]
        self.assertEqual(len(examples), 4)
        for number, example in enumerate(examples):
            path = self.folder / f"example-{number}.json"
            path.write_text(example)
            for entry in json.loads(example)["rules"]:
                client = [] if entry["clients"] == "*" else ["--client", entry["clients"][0]]
                key = UNKNOWN_KEY if entry["keys"] == "*" else entry["keys"][0]
                kind = "VOLUNTARY_EXIT" if entry["types"] == "*" else entry["types"][0]
                done = run("policy", "check", "--policy", path, "--type", kind, "--key", key, *client, "--json")
                if entry["name"] != "vc-2":  # behind its own exception for exits
                    self.assertEqual(json.loads(done.stdout), {"allowed": entry["effect"] == "allow", "rule": entry["name"]})

    def test_bad_options(self):
        bad = self.policy(rule("a", "allow", ["EXIT"]), name="bad.json")
        good = self.policy(rule("a", "deny"), name="good.json")
        up = ["local", "up", "--dir", self.folder / "signer"]
        check = ["policy", "check", "--key", UNKNOWN_KEY]
        for command, reason in [
            ([*up, "--allow", "EXIT"], '--allow: "EXIT" is no type'),
            ([*up, "--allow", "VOLUNTARY_EXIT,"], '--allow: "" is no type'),
            ([*up, "--allow", "DEPOSIT", "--policy", good], "give one of them"),
            ([*up, "--policy", self.folder / "missing.json"], "missing.json"),
            ([*up, "--policy", bad], 'rules[0]: types[0]: "EXIT" is no type'),
            ([*check, "--type", "BLOCK", "--policy", bad], "rules[0]: types[0]"),
            ([*check, "--type", "EXIT"], "--type"),
            (check, "--type: missing"),
            (["policy", "check", "--type", "BLOCK", "--key", "0x00"], "--key"),
            ([*check, "--type", "BLOCK", "--fingerprint", "abcd"], "--fingerprint"),
        ]:
            done = run(*command, check=2)
            self.assertIn(reason, done.stderr)
        self.assertFalse((self.folder / "signer").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
