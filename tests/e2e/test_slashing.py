# SPDX-License-Identifier: Apache-2.0
"""Where histories come from: the first start of a key, import and export, and a store that was lost."""
import json
import shutil
import time
import unittest

import support  # noqa: F401
from signer import MAINNET_ROOT, Connection, SignerTest, attestation, block, run

OTHER_ROOT = "0x" + "99" * 32


def document(*entries, root=MAINNET_ROOT, version="5"):
    return {"metadata": {"interchange_format_version": version, "genesis_validators_root": root}, "data": list(entries)}


def entry(key, slots=(), votes=()):
    return {
        "pubkey": key,
        "signed_blocks": [{"slot": str(slot)} for slot in slots],
        "signed_attestations": [{"source_epoch": str(source), "target_epoch": str(target)} for source, target in votes],
    }


class Histories(SignerTest):
    def write(self, content, name="interchange.json"):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def show(self, *options, name="signer"):
        done = run("slashing", "show", "--dir", self.folder / name, "--json", *options, check=0)
        return {history["public_key"]: history for history in json.loads(done.stdout)}

    def slashing(self, verb, *options, name="signer", check=0):
        return run("slashing", verb, "--dir", self.folder / name, *options, check=check)

    def sign(self, up, key, body):
        with Connection(up) as connection:
            return connection.sign(key, body)

    def refused(self, up, key, body, *texts):
        status, answer = self.sign(up, key, body)
        self.assertEqual(status, 412, answer)
        for text in texts:
            self.assertIn(text, answer["message"])

    def lose_store(self, name="signer"):
        run("local", "down", "--dir", self.folder / name, check=0)
        shutil.rmtree(self.folder / name / "store")


class HighWatermark(Histories):
    def high(self, *options, check=0):
        return self.slashing("high-watermark", "--json", *options, check=check)

    def shown(self, up):
        with Connection(up) as connection:
            status, _, answer = connection.request("GET", "/api/v1/eth2/highWatermark")
        self.assertEqual(status, 200)
        return json.loads(answer)

    def test_high_watermark(self):
        """It is set where keys leave this signer, survives restarts, stops what is at or above it, and nothing else."""
        up = self.up()
        key = up["public_keys"][0]
        self.assertEqual(self.shown(up), {})
        self.assertEqual(json.loads(self.high().stdout), {})
        self.assertEqual(self.sign(up, key, block(10))[0], 200)
        self.assertEqual(self.sign(up, key, attestation(10))[0], 200)
        for option, number in [("--slot", 10), ("--epoch", 10)]:
            self.assertIn("signed", self.high(option, number, check=2).stderr)
        self.high("--slot", 20, "--remove", check=2)
        self.assertEqual(json.loads(self.high("--slot", 20).stdout), {"slot": "20"})
        self.assertEqual(json.loads(self.high("--epoch", 15).stdout), {"epoch": "15", "slot": "20"})
        for _ in range(2):
            self.assertEqual(self.shown(up), {"epoch": "15", "slot": "20"})
            self.refused(up, key, block(20), "slot 20 is not below the high watermark, slot 20")
            self.refused(up, key, block(2000), "high watermark")
            self.refused(up, key, attestation(15), "high watermark, epoch 15")
            run("local", "down", "--dir", self.folder / "signer", check=0)
            self.assertEqual(json.loads(self.high().stdout), {"epoch": "15", "slot": "20"})
            up = self.up()
        self.assertEqual(self.sign(up, key, block(19))[0], 200)
        self.assertEqual(self.sign(up, key, attestation(14))[0], 200)
        self.assertEqual(json.loads(self.high("--remove").stdout), {})
        self.assertEqual(self.sign(up, key, block(20))[0], 200)
        self.assertEqual(self.sign(up, key, attestation(15))[0], 200)
        self.assertEqual(self.shown(up), {})


class FirstStart(Histories):
    def test_new_keys_begin_once(self):
        folder, password, keys = self.keystores()
        options = ["--keystores", folder, "--password-file", password]
        up = self.up("signer", *options)
        self.assertEqual(up["histories_begun"], 1)
        first = self.show()
        self.assertEqual(list(first), keys)
        self.assertEqual((first[keys[0]]["origin"], first[keys[0]]["block_slot"], first[keys[0]]["target_epoch"]), ("fresh", None, None))
        self.assertEqual(self.sign(up, keys[0], block(10))[0], 200)
        self.assertEqual(self.sign(up, keys[0], attestation(10))[0], 200)
        # The same again, running and after a stop: nothing is said a second time.
        self.assertEqual(self.up("signer", *options)["histories_begun"], 0)
        run("local", "down", "--dir", self.folder / "signer", check=0)
        up = self.up("signer", *options)
        self.assertEqual(up["histories_begun"], 0)
        after = self.show()[keys[0]]
        self.assertEqual(after["begun_at"], first[keys[0]]["begun_at"])
        self.assertEqual((after["block_slot"], after["source_epoch"], after["target_epoch"]), ("10", "9", "10"))
        # A key that comes later is new; the first one's history is what it was.
        more, password, new_keys = self.keystores(name="more")
        self.assertEqual(self.up("signer", "--keystores", more, "--password-file", password)["histories_begun"], 1)
        self.assertEqual(self.show(new_keys[0])[new_keys[0]]["origin"], "fresh")
        self.refused(up, keys[0], block(10, OTHER_ROOT), "10")

    def test_lost_store(self):
        """Whoever loses the store is told so, by every slashable request, until somebody answers for it."""
        up = self.up()
        key = up["public_keys"][0]
        self.assertEqual(self.sign(up, key, attestation(10))[0], 200)
        self.lose_store()
        up = self.up()
        self.assertEqual(up["histories_begun"], 0)
        for body in [attestation(11), block(11)]:
            self.refused(up, key, body, "knows nothing of what the key signed before", "ensign slashing import", "ensign slashing fresh")
        self.assertEqual(self.show(), {})
        report = json.loads(run("local", "status", "--dir", self.folder / "signer", "--json").stdout)
        self.assertEqual(report["histories"], {"none": 1, "unknown": 0, "fresh": 0, "imported": 0, "quiet": 0})
        with Connection(up) as connection:
            self.assertEqual(connection.request("GET", "/upcheck")[0], 200)
        # By a watermark that is high enough, or by word.
        self.assertEqual(self.slashing("raise", "--slot", 10, "--epoch", 10, key, check=1).returncode, 1)
        self.slashing("import", self.write(document(entry(key, [1000], [(10, 10)]))))
        self.refused(up, key, attestation(10), "10")
        self.assertEqual(self.sign(up, key, attestation(11))[0], 200)
        self.assertEqual(self.show()[key]["origin"], "imported")
        report = json.loads(run("local", "status", "--dir", self.folder / "signer", "--json").stdout)
        self.assertEqual((report["histories"]["none"], report["histories"]["imported"]), (0, 1))

    def test_fresh(self):
        up = self.up()
        key = up["public_keys"][0]
        self.lose_store()
        up = self.up()
        self.refused(up, key, attestation(11), "knows nothing")
        made = json.loads(self.slashing("fresh", "--all-loaded", "--json").stdout)
        self.assertEqual(made, {"keys": 1, "new": 1})
        self.assertEqual(json.loads(self.slashing("fresh", key, "--json").stdout), {"keys": 1, "new": 0})
        self.assertEqual(self.sign(up, key, attestation(11))[0], 200)
        for arguments in [[], [key, "--all-loaded"], ["0x12"]]:
            self.slashing("fresh", *arguments, check=2)

    def test_quiet_period(self):
        up = self.up("signer", "--quiet-period", 4)
        key = up["public_keys"][0]
        self.lose_store()
        up = self.up("signer", "--quiet-period", 4)
        self.refused(up, key, attestation(11), "knows nothing", "or wait ", " s more")
        deadline = time.monotonic() + 30
        while self.sign(up, key, attestation(11))[0] != 200:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.5)
        self.assertEqual(self.show()[key]["origin"], "quiet")

    def test_imported_instead(self):
        """A key that comes with what it signed elsewhere; one that its file does not name waits for somebody's word."""
        folder, password, keys = self.keystores(count=2)
        path = self.write(document(entry(keys[0], [20, 19], [(4, 7), (5, 6)])))
        up = self.up("signer", "--keystores", folder, "--password-file", password, "--slashing-import", path)
        self.assertEqual(up["histories_begun"], 1)
        histories = self.show()
        self.assertEqual(list(histories), [keys[0]])
        self.assertEqual((histories[keys[0]]["block_slot"], histories[keys[0]]["source_epoch"], histories[keys[0]]["target_epoch"]),
                         ("20", "5", "7"))
        self.refused(up, keys[0], attestation(7), "7")
        self.assertEqual(self.sign(up, keys[0], attestation(8))[0], 200)
        self.refused(up, keys[1], attestation(8), "knows nothing")
        # The next `up` without a file says nothing of the other.
        self.assertEqual(self.up("signer")["histories_begun"], 0)
        self.refused(up, keys[1], attestation(8), "knows nothing")


class Moves(Histories):
    def test_export_and_import(self):
        """What one signer signed the other refuses, in either direction of the file."""
        folder, password, keys = self.keystores(count=3)
        options = ["--keystores", folder, "--password-file", password]
        first = self.up("first", *options)
        self.assertEqual(self.sign(first, keys[0], attestation(50))[0], 200)
        self.assertEqual(self.sign(first, keys[1], block(500))[0], 200)
        path = self.folder / "export.json"
        self.slashing("export", "--out", path, name="first")
        exported = json.loads(path.read_text())
        self.assertEqual({one["pubkey"] for one in exported["data"]}, set(keys))
        second = self.up("second", *options, "--slashing-import", path)
        self.refused(second, keys[0], attestation(50, root=OTHER_ROOT), "50")
        self.refused(second, keys[1], block(500, OTHER_ROOT), "500")
        self.assertEqual(self.sign(second, keys[0], attestation(50))[0], 200, "the very same vote again")
        self.assertEqual(self.sign(second, keys[2], block(1))[0], 200)
        # Of one key alone, on standard output; nothing is lowered by importing what is older.
        one = json.loads(self.slashing("export", keys[0], name="second").stdout)
        self.assertEqual([item["pubkey"] for item in one["data"]], [keys[0]])
        self.assertEqual(self.sign(second, keys[0], attestation(60))[0], 200)
        self.slashing("import", path, name="second")
        self.refused(second, keys[0], attestation(55), "60")

    def test_without_a_signer(self):
        """The same on a store that no enclave has open; one that is open is refused."""
        up = self.up()
        key = up["public_keys"][0]
        store = self.folder / "signer/store"
        self.assertEqual(self.sign(up, key, block(10))[0], 200)
        self.assertEqual(run("slashing", "show", "--store", store).returncode, 1)
        self.assertIn("stop it first: ensign local down --dir", self.slashing("prune", check=1).stderr)
        for option in ["--control", "--table", "--outputs", "--region"]:
            self.assertIn(f"unknown option {option}", self.slashing("prune", option, "x", check=2).stderr)
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertEqual(self.show()[key]["block_slot"], "10")
        self.slashing("raise", "--slot", 100, "--epoch", 5)
        self.slashing("prune")
        path = self.folder / "export.json"
        run("slashing", "export", "--store", store, "--out", path, check=0)
        self.assertEqual(json.loads(path.read_text()), document(entry(key, [100], [(5, 5)])))
        other = "0x" + "ab" * 48
        self.assertEqual(json.loads(run("slashing", "fresh", other, "--store", store, "--json", check=0).stdout), {"keys": 1, "new": 1})
        run("slashing", "import", path, "--store", store, "--network", "hoodi", check=2)
        self.slashing("import", self.write(document(entry(key, [90], [(7, 8)]))))
        up = self.up()
        self.refused(up, key, block(100, OTHER_ROOT), "100")
        self.refused(up, key, attestation(8), "8")
        self.assertEqual(self.sign(up, key, block(101))[0], 200)
        self.assertEqual(set(self.show()), {key, other})

    def test_bad_files(self):
        """Nothing of a bad file is taken, and the error names the place."""
        key = self.up()["public_keys"][0]
        before = self.show()
        good = entry(key, [10], [(1, 2)])
        cases = [
            ("{", "line 1"), ("[]", "not a JSON object"), (document(good, version="4"), "interchange_format_version"),
            (document(good, root="0x12"), "genesis_validators_root"), ({"metadata": document()["metadata"]}, "data: missing"),
            (document(good, {**good, "pubkey": "0x12"}), "data[1].pubkey"),
            (document(good, entry(key, ["x"])), "data[1].signed_blocks[0].slot"),
            (document(good, entry(key, [], [(1, -1)])), "data[1].signed_attestations[0].target_epoch"),
            (document(good, {"pubkey": key, "signed_blocks": []}), "data[1].signed_attestations"),
            (document(good, root="0x" + "77" * 32), "not that of this signer's network"),
        ]
        for content, text in cases:
            done = self.slashing("import", self.write(content), check=2)
            self.assertIn(text, done.stderr, content)
        self.slashing("import", self.folder / "nothing.json", check=2)
        self.slashing("import", check=2)
        self.assertEqual(self.show(), before)
        failed = run("local", "up", "--dir", self.folder / "other", "--listen", "127.0.0.1:0", "--slashing-import", self.write("{"))
        self.assertEqual(failed.returncode, 2)
        self.assertFalse((self.folder / "other").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
