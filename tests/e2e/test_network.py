# SPDX-License-Identifier: Apache-2.0
"""Networks from a file: a devnet with fork versions and epochs of its own, with a known root and with one that is learned."""
import hashlib
import json
import unittest

import support  # noqa: F401
from signer import OWN_VECTORS, Connection, SignerTest, attestation, randao, run

DEVNET = OWN_VECTORS / "network/devnet.yaml"
OURS = "0x" + "a7" * 32
FOREIGN = "0x" + "b8" * 32
# Of devnet.yaml: Electra from epoch 3, Fulu from epoch 7.
ELECTRA, FULU, FULU_EPOCH = "0x70000038", "0x50000038", 7


def pair(left, right):
    return hashlib.sha256(left + right).digest()


def number(value):
    return int(value).to_bytes(8, "little") + bytes(24)


def octets(text):
    return bytes.fromhex(text[2:])


def signing_root(request, version):
    """Of an attestation, from the specification: merkleized here, with nothing of the signer's."""
    data = request["attestation"]
    checkpoints = [pair(number(data[name]["epoch"]), octets(data[name]["root"])) for name in ["source", "target"]]
    zero = bytes(32)
    left = pair(pair(number(data["slot"]), number(data["index"])), pair(octets(data["beacon_block_root"]), checkpoints[0]))
    right = pair(pair(checkpoints[1], zero), pair(zero, zero))
    fork_data = pair(octets(version) + bytes(28), octets(request["fork_info"]["genesis_validators_root"]))
    return "0x" + pair(pair(left, right), bytes([1, 0, 0, 0]) + fork_data[:28]).hex()


def vote(target, genesis=OURS, version=None):
    """An attestation as a devnet's client asks for it, with the signing root that it expects."""
    request = attestation(target, genesis=genesis)
    request["fork_info"]["fork"] = {"previous_version": ELECTRA, "current_version": FULU, "epoch": str(FULU_EPOCH)}
    request["signing_root"] = signing_root(request, version or (FULU if target >= FULU_EPOCH else ELECTRA))
    return request


class Networks(SignerTest):
    def devnet(self, root, *options):
        return self.up("signer", "--network-config", DEVNET, "--genesis-validators-root", root, *options)

    def down(self):
        run("local", "down", "--dir", self.folder / "signer", check=0)

    def sign(self, up, request):
        with Connection(up) as connection:
            return connection.sign(up["public_keys"][0], request)

    def assert_signs(self, up, request):
        status, answer = self.sign(up, request)
        self.assertEqual(status, 200, answer)

    def assert_refused(self, up, request):
        status, answer = self.sign(up, request)
        self.assertEqual(status, 412, answer)
        self.assertIn("genesis_validators_root", answer["message"])
        self.assertIn(OURS, answer["message"])

    def measured_network(self):
        return json.loads((self.folder / "signer/image/enclave.json").read_text())["network"]

    def test_known_root(self):
        up = self.devnet(OURS)
        self.assertEqual(up["network"], "devnet-7")
        self.assertEqual(self.status()["network"], "devnet-7")
        self.assertEqual(self.measured_network()["genesis_validators_root"], OURS)
        self.assert_refused(up, vote(1, genesis=FOREIGN))
        self.assert_signs(up, vote(6))
        self.assertEqual(self.sign(up, vote(7, version=ELECTRA))[0], 400, "a wrong signing root")
        self.assert_signs(up, vote(7))
        # The same options on a signer that is up are no change; others are.
        self.assertTrue(self.devnet(OURS)["already_up"])
        run("local", "up", "--dir", self.folder / "signer", "--network-config", DEVNET, "--genesis-validators-root", "learn", check=1)
        self.down()
        back = self.up()
        self.assertEqual((back["network"], back["measurement"]), (up["network"], up["measurement"]))
        self.assert_refused(back, vote(8, genesis=FOREIGN))
        self.assert_signs(back, vote(8))

    def test_learned_root(self):
        up = self.devnet("learn")
        self.assertEqual(self.measured_network()["genesis_validators_root"], "learn")
        # What cannot be slashed teaches nothing.
        self.assert_signs(up, {**randao(1), "fork_info": vote(1, genesis=FOREIGN)["fork_info"]})
        self.assert_signs(up, vote(6))
        self.assert_refused(up, vote(1000, genesis=FOREIGN))
        self.down()
        up = self.up()
        # The first request after the restart is a foreign one, and it spends none of our epochs.
        self.assert_refused(up, vote(1000, genesis=FOREIGN))
        self.assert_signs(up, vote(7))
        self.assert_refused(up, vote(1000, genesis=FOREIGN))
        self.assertEqual(self.sign(up, vote(6))[0], 412)

    def test_without_protection_nothing_is_learned(self):
        up = self.devnet("learn", "--slashing", "off")
        for genesis in [OURS, FOREIGN, OURS]:
            self.assert_signs(up, vote(7, genesis=genesis))

    def test_keys_stay_on_their_network(self):
        self.devnet(OURS)
        self.down()
        for options, reason in [
            (["--network-config", DEVNET, "--genesis-validators-root", FOREIGN], "with another one"),
            (["--network-config", DEVNET, "--genesis-validators-root", "learn"], "with another one"),
            (["--network", "hoodi"], "sealed for devnet-7"),
        ]:
            done = run("local", "up", "--dir", self.folder / "signer", *options, check=2)
            self.assertIn(reason, done.stderr)
        # A fork that gets its epoch is no other network, but another measurement.
        config = self.folder / "next.yaml"
        config.write_text(DEVNET.read_text().replace("GLOAS_FORK_EPOCH: 18446744073709551615", "GLOAS_FORK_EPOCH: 9"))
        up = self.up("signer", "--network-config", config, "--genesis-validators-root", OURS)
        self.assertTrue(up["measurement_changed"])
        self.assertEqual(self.measured_network()["forks"][-1], {"name": "GLOAS", "version": "0x60000038", "epoch": "9"})
        self.assert_signs(up, vote(8))

    def test_bad_options(self):
        bad = self.folder / "bad.yaml"
        bad.write_text(DEVNET.read_text().replace("FULU_FORK_EPOCH: 7", "FULU_FORK_EPOCH: soon"))
        line = bad.read_text().splitlines().index("FULU_FORK_EPOCH: soon") + 1
        for options, reason in [
            (["--network-config", bad, "--genesis-validators-root", OURS], f"line {line}: FULU_FORK_EPOCH"),
            (["--network-config", DEVNET], "--genesis-validators-root"),
            (["--network-config", DEVNET, "--genesis-validators-root", "0x00"], "--genesis-validators-root 0x00"),
            (["--network-config", DEVNET, "--genesis-validators-root", OURS, "--network", "hoodi"], "give one of them"),
            (["--genesis-validators-root", OURS], "only with --network-config"),
            (["--network-config", self.folder / "none.yaml", "--genesis-validators-root", OURS], "none.yaml"),
        ]:
            done = run("local", "up", "--dir", self.folder / "signer", *options, check=2)
            self.assertIn(reason, done.stderr)
        self.assertFalse((self.folder / "signer").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
