# SPDX-License-Identifier: Apache-2.0
"""Every vector of the types that the signer signs, through the running HTTPS server."""
import json
import os
import unittest

from signer import OWN_VECTORS, PUBLIC_VECTORS, Connection, SignerTest

HEADER_FORKS = ["BELLATRIX", "CAPELLA", "DENEB", "ELECTRA", "FULU", "GLOAS", "HEZE"]


def is_signed(request):
    """Types of this release: blocks by their header only."""
    if request["type"] == "BLOCK_V2":
        return request["beacon_block"]["version"] in HEADER_FORKS and "block_header" in request["beacon_block"]
    return request["type"] in ["ATTESTATION", "RANDAO_REVEAL", "AGGREGATION_SLOT"]


def signing_cases():
    cases = []
    for name in ["attestation", "block_v2", "randao_reveal", "aggregation_slot"]:
        cases += json.loads((OWN_VECTORS / f"signing/{name}.json").read_text())
    return [case for case in cases if is_signed(case["body"]) and case["network"] == "mainnet"]


class Vectors(SignerTest):
    def serve(self, secrets, *options):
        folder, password_file, _ = self.keystores(secrets=sorted(set(secrets)))
        up = self.up("signer", "--keystores", folder, "--password-file", password_file, *options)
        connection = Connection(up)
        self.addCleanup(connection.close)
        return connection

    def check(self, connection, cases):
        """cases: (name, public key, request, signing root, signature)"""
        self.assertGreater(len(cases), 0)
        for name, key, request, root, signature in cases:
            with self.subTest(name):
                self.assertEqual(connection.sign(key, request), (200, {"signature": signature}))
                if request["type"] in ["RANDAO_REVEAL", "AGGREGATION_SLOT"]:
                    wrong = "0x" + "00" * 32
                    request = {member: value for member, value in request.items() if member != "signingRoot"}
                    self.assertEqual(connection.sign(key, {**request, "signing_root": root})[0], 200)
                    self.assertEqual(connection.sign(key, {**request, "signing_root": wrong})[0], 400)
        print(f"{len(cases)} vectors", flush=True)

    @staticmethod
    def own(cases):
        return [(case["name"], case["public_key"], case["body"], case["signing_root"], case["signature"]) for case in cases]

    def test_signing_protected(self):
        cases = [case for case in signing_cases() if case["slashing_safe"]]
        self.check(self.serve([case["secret_key"] for case in cases]), self.own(cases))

    def test_signing_unprotected(self):
        cases = signing_cases()
        connection = self.serve([case["secret_key"] for case in cases], "--slashing", "off")
        self.check(connection, self.own(cases))

    def signing_roots(self, network, *options):
        cases = json.loads((OWN_VECTORS / "signing-roots/signing.json").read_text())
        cases = [case for case in cases if case["network"] == network and is_signed(case["request"])]
        connection = self.serve([case["secret"] for case in cases], "--network", network, "--slashing", "off", *options)
        self.check(connection, [(c["name"], c["pubkey"], c["request"], c["signing_root"], c["signature"]) for c in cases])

    def test_signing_roots_mainnet(self):
        self.signing_roots("mainnet")

    def test_signing_roots_hoodi(self):
        self.signing_roots("hoodi")

    def test_web3signer(self):
        path = PUBLIC_VECTORS / "web3signer/eth2-sign-vectors.json"
        if not path.exists():
            self.assertNotEqual(os.environ.get("CI"), "true", f"missing: {path}")
            self.skipTest(f"{path} is not there: its vectors were not run")
        vectors = json.loads(path.read_text())
        key = vectors["test_key"]
        cases = [c for c in vectors["vectors"] if is_signed(c["request"]) and "minimal" in c["ssz_presets_where_valid"]]
        connection = self.serve([key["private_key"]], "--network", "minimal", "--slashing", "off")
        self.check(connection, [(c["name"], key["public_key"], c["request"], c["signing_root"],
                                 c["expected_signature_with_test_key"]) for c in cases])


if __name__ == "__main__":
    unittest.main(verbosity=2)
