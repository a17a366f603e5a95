# SPDX-License-Identifier: Apache-2.0
"""Every signing vector through the running HTTPS server, counted: a case that was not run fails the run."""
import json
import os
import unittest

import support  # noqa: F401
from signer import OWN_VECTORS, PUBLIC_VECTORS, Connection, SignerTest

# How many there are. A new case is added here too; one that is lost is missed here.
SIGNING_CASES = {"mainnet": 63, "hoodi": 2}
SIGNING_SLASHING_UNSAFE_CASES = 3  # all of them on mainnet
SIGNING_ROOT_CASES = {"mainnet": 67, "hoodi": 50}
WEB3SIGNER_CASES = {"minimal": 23, "mainnet": 9}
# Heze is a draft without an agreed form of the request: it is refused, and that is checked.
TYPES_WITHOUT_A_REQUEST_FORM = {"INCLUSION_LIST"}


def load(folder, name):
    return json.loads((folder / name).read_text())


def signing_cases(network):
    cases = [case for path in sorted((OWN_VECTORS / "signing").glob("*.json")) for case in json.loads(path.read_text())]
    expected = sum(SIGNING_CASES.values())
    assert len(cases) == expected, f"{len(cases)} cases in {OWN_VECTORS / 'signing'}, expected {expected}"
    return [case for case in cases if case["network"] == network]


def own(cases):
    return [(case["name"], case["public_key"], case["body"], case["signing_root"], case["signature"]) for case in cases]


class Vectors(SignerTest):
    def serve(self, network, secrets, *options):
        folder, password_file, _ = self.keystores(secrets=sorted(set(secrets)))
        up = self.up("signer", "--network", network, "--keystores", folder, "--password-file", password_file,
                     "--allow", "VOLUNTARY_EXIT,DEPOSIT", *options)
        connection = Connection(up)
        self.addCleanup(connection.close)
        return connection

    def check_one(self, connection, key, request, root, signature):
        if request["type"] in TYPES_WITHOUT_A_REQUEST_FORM:
            status, answer = connection.sign(key, request)
            self.assertEqual(status, 400)
            self.assertIn("is unknown", answer["message"])
            return
        self.assertEqual(connection.sign(key, request), (200, {"signature": signature}))
        # The root that the server computed is the vector's, and only that one.
        bare = {member: value for member, value in request.items() if member not in ["signing_root", "signingRoot"]}
        if bare["type"] not in ["BLOCK", "BLOCK_V2", "ATTESTATION"]:
            self.assertEqual(connection.sign(key, {**bare, "signing_root": root}), (200, {"signature": signature}))
        self.assertEqual(connection.sign(key, {**bare, "signing_root": "0x" + "00" * 32})[0], 400)

    def check(self, what, connection, cases, expected):
        """cases: (name, public key, request, signing root, signature)"""
        done = 0
        for name, key, request, root, signature in cases:
            with self.subTest(name):
                self.check_one(connection, key, request, root, signature)
                done += 1
        print(f"{what}: {done} of {expected} cases", flush=True)
        self.assertEqual(done, expected)

    def test_signing_protected(self):
        cases = [case for case in signing_cases("mainnet") if case["slashing_safe"]]
        connection = self.serve("mainnet", [case["secret_key"] for case in cases])
        self.check("signing, mainnet, protected", connection, own(cases),
                   SIGNING_CASES["mainnet"] - SIGNING_SLASHING_UNSAFE_CASES)

    def test_signing_unprotected(self):
        cases = signing_cases("mainnet")
        connection = self.serve("mainnet", [case["secret_key"] for case in cases], "--slashing", "off")
        self.check("signing, mainnet, unprotected", connection, own(cases), SIGNING_CASES["mainnet"])

    def test_signing_other_network(self):
        cases = signing_cases("hoodi")
        connection = self.serve("hoodi", [case["secret_key"] for case in cases])
        self.check("signing, hoodi, protected", connection, own(cases), SIGNING_CASES["hoodi"])

    def signing_roots(self, network):
        cases = load(OWN_VECTORS, "signing-roots/signing.json")
        self.assertEqual(len(cases), sum(SIGNING_ROOT_CASES.values()))
        cases = [case for case in cases if case["network"] == network]
        connection = self.serve(network, [case["secret"] for case in cases], "--slashing", "off")
        self.check(f"signing-roots, {network}", connection,
                   [(c["name"], c["pubkey"], c["request"], c["signing_root"], c["signature"]) for c in cases],
                   SIGNING_ROOT_CASES[network])

    def test_signing_roots_mainnet(self):
        self.signing_roots("mainnet")

    def test_signing_roots_hoodi(self):
        self.signing_roots("hoodi")

    def web3signer(self, network):
        path = PUBLIC_VECTORS / "web3signer/eth2-sign-vectors.json"
        if not path.exists():
            self.assertNotEqual(os.environ.get("CI"), "true", f"missing: {path}")
            self.skipTest(f"{path} is not there: {WEB3SIGNER_CASES[network]} cases were not run")
        vectors = json.loads(path.read_text())
        key = vectors["test_key"]
        self.assertEqual(len(vectors["vectors"]), sum(WEB3SIGNER_CASES.values()))
        # Most examples are of a network whose genesis version is the minimal preset's.
        cases = [c for c in vectors["vectors"] if ("minimal" in c["ssz_presets_where_valid"]) == (network == "minimal")]
        connection = self.serve(network, [key["private_key"]], "--slashing", "off")
        self.check(f"web3signer, {network}", connection,
                   [(c["name"], key["public_key"], c["request"], c["signing_root"], c["expected_signature_with_test_key"])
                    for c in cases], WEB3SIGNER_CASES[network])

    def test_web3signer_minimal(self):
        self.web3signer("minimal")

    def test_web3signer_mainnet(self):
        self.web3signer("mainnet")


if __name__ == "__main__":
    unittest.main(verbosity=2)
