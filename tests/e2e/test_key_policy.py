# SPDX-License-Identifier: Apache-2.0
"""`ensign policy write` and `rotate` against the simulator's KMS, with a signer that lives under the policy."""
import json
import unittest

import support  # noqa: F401
from signer import Connection, SignerTest, randao, run

OTHER = "ab" * 48


class KeyPolicy(SignerTest):
    def setUp(self):
        super().setUp()
        self.signer = self.up()
        folder = self.folder / "signer"
        self.endpoints = json.loads((folder / "sim/endpoints.json").read_text())
        settings = json.loads((folder / "local.json").read_text())
        self.key, self.pcr0 = settings["kms_key_arn"], settings["pcr0"]
        self.at_kms = ["--key", self.key, "--kms-host", self.endpoints["kms_url"].removeprefix("https://"), "--ca", self.endpoints["kms_ca_file"],
                       "--credentials", self.endpoints["operator_credentials_file"]]
        operator = self.endpoints["operator_arn"]
        self.who = ["--role", self.endpoints["role_arn"], "--admin", operator, "--keygen-role", operator]

    def policy(self, *arguments, check=0):
        return run("policy", *arguments, check=check)

    def statements(self, *arguments):
        return {one["Sid"]: one for one in json.loads(self.policy("write", *self.who, *self.at_kms, *arguments).stdout)["Statement"]}

    def rewrap(self):
        """Whether an enclave can decrypt: its data key, and make another."""
        return run("keys", "rewrap", "--dir", self.folder / "signer").returncode

    def test_written_and_rotated(self):
        images = "kms:RecipientAttestation:ImageSha384"
        shown = self.statements("--pcr0", self.pcr0)
        self.assertEqual(shown["EnsignTheseImagesUseIt"]["Condition"]["StringEqualsIgnoreCase"][images], [self.pcr0])
        self.assertEqual(shown["EnsignNobodyElseDecrypts"]["Effect"], "Deny")
        self.assertIn("OperatorAdministersAndSeals", shown, "what was there is kept")
        # Another image alone, and the signer is locked out; its own, and it is in again.
        self.statements("--pcr0", OTHER, "--apply")
        self.assertNotEqual(self.rewrap(), 0)
        self.statements("--pcr0", f"{OTHER},{self.pcr0}", "--apply")
        self.assertEqual(self.rewrap(), 0)
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.signer = self.up()
        self.assertEqual(len(self.signer["public_keys"]), 1)
        # From the other image to this one.
        self.statements("--pcr0", OTHER, "--apply")
        rotate = ["rotate", *self.at_kms, "--from", OTHER, "--to", self.pcr0, "--root", self.endpoints["attestation_root_file"]]
        self.assertIn("Step 1 is next", self.policy(*rotate).stdout)
        self.assertIn("Step 1 is done", self.policy(*rotate, "--apply").stdout)
        self.assertEqual(self.rewrap(), 0)
        self.assertIn("Step 2 is next", self.policy(*rotate).stdout)
        # A signer that is not the new image keeps the old one in.
        back = ["rotate", *self.at_kms, "--from", self.pcr0, "--to", OTHER, "--root", self.endpoints["attestation_root_file"], "--url", self.signer["url"]]
        self.assertIn("PCR0 is not the one", self.policy(*back, "--apply", check=1).stderr)
        self.assertIn("Step 4 is next", self.policy(*rotate, "--url", self.signer["url"]).stdout)
        self.assertIn("Step 4 is done", self.policy(*rotate, "--url", self.signer["url"], "--apply").stdout)
        self.assertIn("All is done", self.policy(*rotate).stdout)
        self.assertEqual(self.statements("--pcr0", self.pcr0)["EnsignTheseImagesUseIt"]["Condition"]["StringEqualsIgnoreCase"][images], [self.pcr0])
        self.assertEqual(self.rewrap(), 0)
        with Connection(self.signer) as connection:
            self.assertEqual(connection.sign(self.signer["public_keys"][0], randao(1))[0], 200)

    def test_outputs_and_mistakes(self):
        outputs = self.folder / "output.json"
        outputs.write_text(json.dumps({"Stack": {"KMSKeyARN": self.key, "EC2InstanceRoleARN": self.endpoints["role_arn"],
                                                 "LambdaExecutionArn": self.endpoints["operator_arn"]}}))
        done = self.policy("--outputs", outputs, "--pcr0", self.pcr0, *self.at_kms[2:])
        sids = [one.get("Sid") for one in json.loads(done.stdout)["Statement"]]
        self.assertEqual(sids[:3], ["EnsignAdministers", "EnsignTheseImagesUseIt", "EnsignNobodyElseDecrypts"])
        self.assertIn("may change this policy", done.stderr)
        offline = self.policy("write", "--role", "arn:aws:iam::111122223333:role/r", "--pcr8", OTHER)
        self.assertIn("arn:aws:iam::111122223333:root", offline.stdout)
        for options, text, code in [(["--pcr0", "0" * 96, *self.who], "debug", 3), (["--pcr0", "12", *self.who], "--pcr0", 2),
                                    (self.who, "PCR0 or PCR8", 2), (["--pcr0", OTHER], "role: missing", 2),
                                    (["--pcr0", OTHER, "--pcr8", OTHER, *self.who], "PCR0 or PCR8", 2),
                                    (["--pcr0", OTHER, *self.who, "--apply"], "--apply", 2)]:
            self.assertIn(text, self.policy("write", *options, check=code).stderr)
        self.assertIn("no stack", self.policy("--outputs", self.write({"A": {}}), "--pcr0", OTHER, check=2).stderr)
        rotate = ["rotate", *self.at_kms, "--from", OTHER]
        self.assertIn("--to: missing", self.policy(*rotate, check=2).stderr)
        self.assertIn("the same image", self.policy(*rotate, "--to", OTHER, check=2).stderr)
        self.assertIn("pins no image", self.policy(*rotate, "--to", self.pcr0, check=1).stderr)
        self.statements("--pcr0", self.pcr0, "--apply")
        self.assertIn("does not have this image", self.policy(*rotate, "--to", "cd" * 48, check=2).stderr)

    def write(self, value):
        path = self.folder / "value.json"
        path.write_text(json.dumps(value))
        return path


if __name__ == "__main__":
    unittest.main()
