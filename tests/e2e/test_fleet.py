# SPDX-License-Identifier: Apache-2.0
"""Key table and TLS table in DynamoDB: an operator who fills them from afar, and a host that serves what is in them."""
import http.client
import json
import ssl
import unittest

import support  # noqa: F401
import certificates
from fleet_tables import KEYS, TLS, UUID, FleetTest
from signer import Connection, attestation, run, wait_for
from table import NAME

ADDRESS = "0x71C7656EC7ab88b098defB751B7401B5f6d8976F"


class Fleet(FleetTest):
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
        self.assertIn("there is a key already", self.tls("create", "--outside", "--names", "localhost", check=1))
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
        self.assertIn("--network: only with --outputs or --table", refused("--network", "hoodi"))
        for verb, option in [("list", "--kms-key"), ("deactivate", "--control"), ("import", "--control"), ("rewrap", "--fleet")]:
            self.assertIn(f"unknown option {option}", refused(*self.where, option, "x", verb=verb))
        for verb in ["create", "rotate", "show"]:
            self.assertIn("unknown option --uuid", run("tls", verb, "--uuid", UUID, check=2).stderr)
        self.assertIn("give one of them", refused(*self.where, "--dir", self.lent))
        self.assertIn("--network", refused(*self.where, *credentials, "--network", "nowhere"))
        self.assertIn("no AWS credentials", refused(*self.where, code=1))
        self.assertIn("ResourceNotFoundException", refused("--table", "Nowhere", *self.where[2:], *credentials, code=1))
        generate = ["-n", 1, "--withdrawal-address", ADDRESS, *self.where, *self.sealing, *credentials]
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
        message = self.keys("generate", *inside, "--pcr0", "ab" * 48, check=3, credentials=role)
        self.assertIn("PCR0", message)
        self.assertEqual(len(self.items()), 1)
        made = self.keys("generate", *inside, "--pcr0", self.pcr0, credentials=role)["public_keys"]
        for key in made:
            self.wait_sign(up, key, 200)
        self.assertIn("public_keys", json.loads(births.read_text()))


class KnownClients(FleetTest):
    """Who may connect is sealed by the operator, who never runs `ensign local up`."""

    def list_of(self, name, *clients):
        path = self.folder / name
        path.write_text("".join(client.known for client in clients))
        return path

    def lender_options(self):
        self.vc, self.other = (certificates.client(self.folder / "clients", name) for name in ["vc", "other"])
        return ["--known-clients", self.list_of("lender-list", self.vc)]

    def status_of(self, up, client):
        context = ssl.create_default_context(cafile=up["ca_file"])
        context.load_cert_chain(client.path, client.key_path)
        try:
            with Connection(up, context=context) as connection:
                return connection.request("GET", "/upcheck")[0]
        except (OSError, http.client.HTTPException):
            return None

    def test_list(self):
        anchors = self.folder / "anchors.pem"
        listed = self.list_of("known", self.vc)
        self.assertIn("ensign tls create", self.tls("clients", listed, check=1))
        self.tls("create", "--outside", "--names", "localhost,127.0.0.1", "--ca-out", anchors)
        self.assertEqual(self.tls("clients", listed), {"clients": 1})
        self.keys("generate", "-n", 1, "--withdrawal-address", ADDRESS, "--mnemonic-out", self.folder / "mnemonic.txt")
        up = self.start_host(anchors)
        self.assertEqual((self.status_of(up, self.vc), self.status_of(up, self.other)), (200, None))
        self.assertEqual(self.tls("clients", self.list_of("both", self.vc, self.other)), {"clients": 2})
        wait_for(lambda: self.status_of(up, self.other) == 200, "the other one is let in")
        self.assertEqual(self.tls("clients", self.list_of("nobody")), {"clients": 0})
        wait_for(lambda: self.status_of(up, self.vc) is None, "nobody is")
        broken = self.folder / "broken"
        broken.write_text("vc 12\n")
        self.assertIn("line 1", self.tls("clients", broken, check=2))
        self.assertIn("give one of them", self.tls("clients", listed, "--none", check=2))
        self.assertIn("FILE: missing", self.tls("clients", check=2))
        self.assertIn("local up --known-clients", run("tls", "clients", listed, check=2).stderr)
        self.assertEqual(self.tls("clients", "--none"), {"clients": 0})


class SealedCredentials(FleetTest):
    """The slashing table's own credentials, sealed by the operator: enclaves use them, hosts never see them."""

    def credentials(self, name):
        path = self.folder / f"{name}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"access_key_id": f"AKIA{name.upper():0<16}", "secret_access_key": "s" * 40}))
        return path

    def lender_options(self):
        return ["--slashing-table", NAME, "--slashing-host", f"localhost:{self.door.port}", "--slashing-ca", self.table_ca.path, "--slashing-credentials",
                self.credentials("lender")]

    def seal(self, *options, check=0):
        where = ["--tls-table", TLS, "--credentials", self.endpoints["operator_credentials_file"], *self.where[4:], *self.sealing]
        return run("slashing", "credentials", *options, *where, check=check)

    def test_sealed(self):
        anchors, path = self.folder / "anchors.pem", self.credentials("fleet")
        self.assertIn("ensign tls create", self.seal(path, check=1).stderr)
        self.tls("create", "--outside", "--names", "localhost,127.0.0.1", "--ca-out", anchors)
        self.seal(path)
        [key] = self.keys("generate", "-n", 1, "--withdrawal-address", ADDRESS, "--mnemonic-out", self.folder / "mnemonic.txt")["public_keys"]
        run("slashing", "fresh", key, "--table", NAME, "--region", "us-east-1", "--host", f"localhost:{self.door.port}", "--ca", self.ca, "--credentials",
            self.endpoints["operator_credentials_file"], check=0)
        self.assertNotIn("AKIAFLEET00000000000", self.door.credentials)
        up = self.start_host(anchors)
        with Connection(up) as connection:
            self.assertEqual(connection.sign(key, attestation(10))[0], 200)
        self.assertIn("AKIAFLEET00000000000", self.door.credentials)
        self.assertEqual(self.emulator.rows()[key]["target_epoch"], "10")
        for one in [self.folder / "host.log", *(self.folder / "run").rglob("*")]:
            if one.is_file():
                self.assertNotIn(b"s" * 40, one.read_bytes(), one)
        path.chmod(0o644)
        self.assertIn("fleet.json", self.seal(path, check=2).stderr)
        self.assertIn("give one of them", self.seal(path, "--none", check=2).stderr)
        self.assertIn("local up --slashing-credentials", run("slashing", "credentials", path, check=2).stderr)
        self.seal("--none")


if __name__ == "__main__":
    unittest.main()
