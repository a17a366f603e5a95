# SPDX-License-Identifier: Apache-2.0
"""Key table and TLS table in DynamoDB, and a host that serves what is in them."""
import hashlib
import json
import pathlib
import socket
import sqlite3
import ssl
import subprocess

import certificates
from signer import PROGRAMS, Connection, SignerTest, randao, run, wait_for
from table import Door, Emulator, needs_emulator

UUID = "6b1f4e2a-0c57-4f0e-9d3c-2f4d1b6a7c10"
KEYS, TLS = "ValidatorKeys", "TLSKeys"


class FleetTest(SignerTest):
    """A local signer lends its image, its KMS and its instance metadata; the fleet's host is another one."""

    def lender_options(self):
        return []

    def setUp(self):
        needs_emulator()
        super().setUp()
        self.emulator = Emulator()
        self.addCleanup(self.emulator.stop)
        self.create(KEYS, web3signer_uuid="S", pubkey="S")
        self.create(TLS, key_id="N")
        self.table_ca = certificates.authority(self.folder / "tls", "ca")
        self.door = Door(self.emulator, certificates.server(self.folder / "tls", "server", self.table_ca))
        self.addCleanup(self.door.stop)
        self.lender = self.up("lender", *self.lender_options())
        self.lent = self.folder / "lender"
        self.endpoints = json.loads((self.lent / "sim/endpoints.json").read_text())
        self.ca = self.folder / "both.pem"
        self.ca.write_text(pathlib.Path(self.table_ca.path).read_text() + pathlib.Path(self.endpoints["kms_ca_file"]).read_text())
        lent = json.loads((self.lent / "local.json").read_text())
        self.pcr0 = lent["pcr0"]
        self.where = ["--table", KEYS, "--uuid", UUID, "--region", "us-east-1", "--host", f"localhost:{self.door.port}", "--ca", self.ca]
        self.sealing = ["--kms-host", self.endpoints["kms_url"].removeprefix("https://"), "--kms-key", lent["kms_key_arn"]]

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
        where = [*self.where, *self.sealing] if verb in ["generate", "import"] else self.where
        done = run("keys", verb, *where, "--credentials", credentials, "--json", *options, check=check)
        return json.loads(done.stdout) if check == 0 else done.stderr

    def tls(self, verb, *options, check=0, credentials=None):
        credentials = credentials or self.endpoints["operator_credentials_file"]
        where = ["--table", TLS, *self.where[4:], *(self.sealing if verb in ["create", "rotate", "clients"] else [])]
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
