# SPDX-License-Identifier: Apache-2.0
"""Key table and TLS table in DynamoDB: an operator who fills them from afar, and a host that serves what is in them."""
import hashlib
import json
import pathlib
import socket
import sqlite3
import ssl
import subprocess
import sys
import unittest

import certificates
from signer import PROGRAMS, Connection, SignerTest, randao, run, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from table import Door, Emulator, needs_emulator  # noqa: E402

ADDRESS = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"
UUID = "6b1f4e2a-0c57-4f0e-9d3c-2f4d1b6a7c10"
KEYS, TLS = "ValidatorKeys", "TLSKeys"


class Fleet(SignerTest):
    """A local signer lends its image, its KMS and its instance metadata; the fleet's host is another one."""

    def setUp(self):
        needs_emulator()
        super().setUp()
        self.lender = self.up("lender")
        self.lent = self.folder / "lender"
        self.endpoints = json.loads((self.lent / "sim/endpoints.json").read_text())
        self.emulator = Emulator()
        self.addCleanup(self.emulator.stop)
        self.create(KEYS, web3signer_uuid="S", pubkey="S")
        self.create(TLS, key_id="N")
        ca = certificates.authority(self.folder / "tls", "ca")
        self.door = Door(self.emulator, certificates.server(self.folder / "tls", "server", ca))
        self.addCleanup(self.door.stop)
        self.ca = self.folder / "both.pem"
        self.ca.write_text(pathlib.Path(ca.path).read_text() + pathlib.Path(self.endpoints["kms_ca_file"]).read_text())
        lent = json.loads((self.lent / "local.json").read_text())
        self.pcr0 = lent["pcr0"]
        self.where = ["--table", KEYS, "--uuid", UUID, "--region", "us-east-1", "--host", f"localhost:{self.door.port}", "--ca", self.ca,
                      "--kms-host", self.endpoints["kms_url"].removeprefix("https://"),
                      "--kms-key", lent["kms_key_arn"]]

    def create(self, name, **key):
        self.emulator.call("CreateTable", {
            "TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": attribute, "KeyType": kind} for attribute, kind in zip(key, ["HASH", "RANGE"])],
            "AttributeDefinitions": [{"AttributeName": attribute, "AttributeType": kind} for attribute, kind in key.items()],
        })

    def put(self, table, **attributes):
        self.emulator.call("PutItem", {"TableName": table, "Item": attributes})

    def items(self):
        return {item["pubkey"]["S"]: item for item in self.emulator.call("Scan", {"TableName": KEYS})["Items"]}

    def keys(self, verb, *options, check=0, credentials=None):
        credentials = credentials or self.endpoints["operator_credentials_file"]
        done = run("keys", verb, *self.where, "--credentials", credentials, "--json", *options, check=check)
        return json.loads(done.stdout) if check == 0 else done.stderr

    def tls(self, verb, *options, check=0, credentials=None):
        credentials = credentials or self.endpoints["operator_credentials_file"]
        where = ["--table", TLS, *self.where[4:]]
        done = run("tls", verb, *where, "--credentials", credentials, "--json", *options, check=check)
        return json.loads(done.stdout) if check == 0 else done.stderr

    def lend_tls(self):
        with sqlite3.connect(self.lent / "tables.sqlite") as database:
            [row] = database.execute("SELECT encrypted_tls_key_b64, cert_pem FROM TLSKeys")
        self.put(TLS, key_id={"N": "1"}, encrypted_tls_key_b64={"S": row[0]}, cert_pem={"S": row[1]})

    def start_host(self, ca_file):
        settings = json.loads((self.lent / "host.json").read_text())
        run_folder = self.folder / "run"
        port = self.reserve_port()
        for relay in settings["relays"]:
            relay["listen"] = f"unix:{run_folder}/{relay['name']}.sock"
        settings.update(run_folder=str(run_folder), store_folder=str(self.folder / "store"), web3signer_uuid=UUID, tables_poll_s=1,
                        key_table=f"dynamodb:{KEYS}", tls_table=f"dynamodb:{TLS}", listen=f"tcp:127.0.0.1:{port}",
                        dynamodb={"region": "us-east-1", "host": f"localhost:{self.door.port}", "ca_file": str(self.ca)})
        run_folder.mkdir(mode=0o700)
        (self.folder / "store").mkdir(mode=0o700)
        path = self.folder / "host.json"
        path.write_text(json.dumps(settings))
        log = open(self.folder / "host.log", "w")
        self.addCleanup(log.close)
        host = subprocess.Popen([PROGRAMS / "ensign-host", "--config", path], stdout=log, stderr=subprocess.STDOUT)
        self.addCleanup(lambda: (host.terminate(), host.wait()))
        wait_for(lambda: (run_folder / "status.json").exists() and self.host_status()["state"] == "serving", "the host serves")
        return {"url": f"https://localhost:{port}", "ca_file": ca_file}

    def host_status(self):
        return json.loads((self.folder / "run/status.json").read_text())

    def sign(self, up, key):
        with Connection(up) as connection:
            return connection.sign(key, randao(1))[0]

    def fingerprint(self, up):
        host, port = up["url"].removeprefix("https://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            with ssl.create_default_context(cafile=up["ca_file"]).wrap_socket(raw, server_hostname=host) as connection:
                return hashlib.sha256(connection.getpeercert(True)).hexdigest()

    def wait_sign(self, up, key, status):
        wait_for(lambda: self.sign(up, key) == status, f"{status} for {key}")

    def test_life(self):
        mnemonic = self.folder / "mnemonic.txt"
        made_keys = self.keys("generate", "-n", 2, "--withdrawal-address", ADDRESS, "--mnemonic-out", mnemonic)["public_keys"]
        rows = self.items()
        self.assertEqual({"0x" + pubkey for pubkey in rows}, set(made_keys))
        self.assertEqual({(row["web3signer_uuid"]["S"], row["chain"]["S"], row["active"]["BOOL"]) for row in rows.values()},
                         {(UUID, "mainnet", True)})
        # The first key cannot be made in an enclave that has none.
        anchors = self.folder / "anchors.pem"
        first = self.tls("create", "--outside", "--names", "localhost,127.0.0.1", "--ca-out", anchors)
        self.assertIn("there is a key already", self.tls("create", "--outside", "--names", "localhost", check=2))
        up = self.start_host(anchors)
        with Connection(up) as connection:
            self.assertEqual(set(json.loads(connection.request("GET", "/api/v1/eth2/publicKeys")[2])), set(made_keys))
        self.assertEqual([self.sign(up, key) for key in made_keys], [200, 200])
        # What the operator changes the host sees by itself.
        self.keys("deactivate", made_keys[0])
        self.wait_sign(up, made_keys[0], 404)
        self.keys("activate", made_keys[0])
        self.wait_sign(up, made_keys[0], 200)
        # A row that somebody typed in stops nobody's key, and is named.
        self.put(KEYS, web3signer_uuid={"S": UUID}, pubkey={"S": "0xAB"}, chain={"N": "1"}, active={"BOOL": True})
        wait_for(lambda: self.host_status()["failed"] == 1, "the bad row is told of")
        [failure] = self.host_status()["failures"]
        self.assertEqual(failure["pubkey"], "0xAB")
        self.assertIn("pubkey", failure["message"])
        self.assertIn({"pubkey": "0xAB", "problem": "pubkey: not 96 lower-case hex digits"}, self.keys("list"))
        self.assertEqual(self.sign(up, made_keys[0]), 200)
        # Keystores from elsewhere; all of it under a data key of the enclave's own, with the role's credentials.
        folder, password, [imported] = self.keystores()
        self.assertEqual(self.keys("import", folder, "--password-file", password)["added"], 1)
        self.wait_sign(up, imported, 200)
        before = {row["data_key_b64"]["S"] for row in self.items().values() if "data_key_b64" in row}
        role = f"imds:{self.endpoints['imds_url']}"
        control = f"unix:{self.folder}/run/control.sock"
        self.assertIn("--control: missing", self.keys("rewrap", check=2))
        self.assertEqual(self.keys("rewrap", "--control", control, credentials=role),
                         {"rewrapped": 3, "failed": [], "dry_run": False})
        after = {row["data_key_b64"]["S"] for row in self.items().values() if "data_key_b64" in row}
        self.assertEqual((len(after), before & after), (1, set()))
        self.assertEqual([self.sign(up, key) for key in [*made_keys, imported]], [200] * 3)
        # And the next TLS key is made inside.
        inside = ["--control", control, "--root", self.endpoints["attestation_root_file"], "--pcr0", self.pcr0, "--ca-out", anchors]
        self.assertIn("--pcr0: missing", self.tls("rotate", check=2))
        made = self.tls("rotate", *inside, credentials=role)
        self.assertEqual(made["names"], first["names"])
        self.assertEqual(self.tls("rotate", "--activate"), made)
        wait_for(lambda: self.fingerprint(up) == made["certificate_sha256"], "the host serves with the new one")
        self.assertEqual(self.sign(up, made_keys[0]), 200)
        self.keys("deactivate", imported)
        self.keys("remove", imported)
        self.wait_sign(up, imported, 404)
        self.assertEqual(len(self.items()), 3)

    def test_mistakes(self):
        credentials = ["--credentials", self.endpoints["operator_credentials_file"]]

        def refused(*options, verb="list", code=2):
            return run("keys", verb, *options, check=code).stderr

        self.assertIn("--region: missing", refused("--table", KEYS))
        self.assertIn("--uuid: missing", refused("--table", KEYS, "--region", "us-east-1"))
        self.assertIn("only with --outputs or --table", refused("--network", "hoodi"))
        self.assertIn("give one of them", refused(*self.where, "--dir", self.lent))
        self.assertIn("--network", refused(*self.where, *credentials, "--network", "nowhere"))
        self.assertIn("no AWS credentials", refused(*self.where, code=1))
        self.assertIn("ResourceNotFoundException", refused("--table", "Nowhere", *self.where[2:], *credentials, code=1))
        generate = ["-n", 1, "--withdrawal-address", ADDRESS, *self.where, *credentials]
        mnemonic = self.folder / "mnemonic.txt"
        self.assertIn("--pcr0: missing", refused(*generate, "--inside", verb="generate"))
        self.assertIn("zero", refused(*generate, "--withdrawal-address", "0x" + "0" * 40, "--mnemonic-out", mnemonic, verb="generate"))
        self.assertIn("slashing fresh", refused(*generate, "--mnemonic-file", mnemonic, "--fresh", verb="generate"))
        self.assertFalse(mnemonic.exists())
        self.assertEqual(self.items(), {})

    def test_inside(self):
        births = self.folder / "births.json"
        self.lend_tls()
        self.keys("generate", "-n", 1, "--withdrawal-address", ADDRESS, "--mnemonic-out", self.folder / "mnemonic.txt")
        up = self.start_host(self.lender["ca_file"])
        role = f"imds:{self.endpoints['imds_url']}"
        control = f"unix:{self.folder}/run/control.sock"
        inside = ["--inside", "-n", 2, "--withdrawal-address", ADDRESS, "--births-out", births, "--control", control,
                  "--root", self.endpoints["attestation_root_file"]]
        message = self.keys("generate", *inside, "--pcr0", "ab" * 48, check=1, credentials=role)
        self.assertIn("PCR0", message)
        self.assertEqual(len(self.items()), 1)
        made = self.keys("generate", *inside, "--pcr0", self.pcr0, credentials=role)["public_keys"]
        for key in made:
            self.wait_sign(up, key, 200)
        self.assertIn("public_keys", json.loads(births.read_text()))


if __name__ == "__main__":
    unittest.main()
