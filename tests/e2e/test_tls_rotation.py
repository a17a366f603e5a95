# SPDX-License-Identifier: Apache-2.0
"""`ensign tls`: the first key and certificate, the next ones, and where they were born."""
import contextlib
import hashlib
import http.client
import json
import pathlib
import socket
import sqlite3
import ssl
import unittest

import support  # noqa: F401
import certificates
from signer import Connection, SignerTest, randao, run


class Rotation(SignerTest):
    def tls(self, verb, *options, check=0):
        done = run("tls", verb, "--dir", self.folder / "signer", "--json", *options, check=check)
        return json.loads(done.stdout) if check == 0 else done.stderr

    def fingerprint(self, up, anchors, name=None):
        """Of the certificate that is shown to who trusts these and looks for this name."""
        host, port = up["url"].removeprefix("https://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            with ssl.create_default_context(cafile=anchors).wrap_socket(raw, server_hostname=name or host) as connection:
                return hashlib.sha256(connection.getpeercert(True)).hexdigest()

    def connect(self, up, certificate=None):
        context = ssl.create_default_context(cafile=up["ca_file"])
        if certificate:
            context.load_cert_chain(certificate.path, certificate.key_path)
        return Connection(up, context=context)

    def served_to(self, name, up):
        return self.fingerprint(up, up["ca_file"], name)

    def test_life(self):
        up = self.up()
        key = up["public_keys"][0]
        old_anchor = self.folder / "old.pem"
        old_anchor.write_bytes(pathlib.Path(up["ca_file"]).read_bytes())
        self.assertIn("there is a key already", self.tls("create", check=1))
        self.assertIn("none that is to follow", self.tls("rotate", "--activate", check=1))
        before = self.tls("show")
        self.assertIsNone(before["next"])
        self.assertEqual(self.fingerprint(up, old_anchor), before["current"]["certificate_sha256"])
        with Connection(up) as kept:
            self.assertEqual(kept.sign(key, randao(1))[0], 200)
            # It does not serve yet, and clients can be told.
            made = self.tls("rotate", "--names", "localhost,127.0.0.1,signer.example.org", "--days", 90)
            self.assertEqual(made["names"], ["localhost", "127.0.0.1", "signer.example.org"])
            self.assertEqual(self.tls("show"), {"current": before["current"], "next": made})
            self.assertEqual(self.fingerprint(up, up["ca_file"]), before["current"]["certificate_sha256"])
            self.assertEqual(self.tls("rotate", "--activate"), made)
            self.assertEqual(kept.sign(key, randao(2))[0], 200, "the connection that was open stays open")
            self.assertEqual(self.fingerprint(up, up["ca_file"]), made["certificate_sha256"])
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.fingerprint(up, old_anchor)
        self.assertEqual(self.tls("show"), {"current": made, "next": None})
        # What KMS sealed opens at the next start too, and `up` leaves it.
        run("local", "down", "--dir", self.folder / "signer", check=0)
        up = self.up()
        self.assertEqual(self.fingerprint(up, up["ca_file"]), made["certificate_sha256"])
        # The names stay when nothing is said; from outside, and of one's own.
        self.assertEqual(self.tls("rotate", "--outside")["names"], made["names"])
        outside = self.tls("rotate", "--activate")
        self.assertEqual(self.fingerprint(up, up["ca_file"]), outside["certificate_sha256"])
        authority = certificates.authority(self.folder / "own", "ca")
        own = certificates.server(self.folder / "own", "server", authority)
        chain = self.folder / "chain.pem"
        chain.write_text(pathlib.Path(own.path).read_text() + pathlib.Path(authority.path).read_text())
        self.tls("rotate", "--tls-cert", chain, "--tls-key", own.key_path)
        mine = self.tls("rotate", "--activate")
        self.assertEqual(self.fingerprint(up, authority.path), mine["certificate_sha256"])
        anchors = self.folder / "anchors.pem"
        self.tls("show", "--ca-out", anchors)
        self.assertEqual(self.fingerprint(up, anchors), mine["certificate_sha256"])

    def test_create(self):
        """Where the table has no key; what is around it stays."""
        up = self.up()
        place = self.folder / "signer"
        with contextlib.closing(sqlite3.connect(place / "tables.sqlite")) as tables:
            tables.execute("delete from TLSKeys")
            tables.commit()
        self.assertIn("no key", self.tls("show", check=1))
        self.assertIn("no key to follow", self.tls("rotate", check=1))
        self.tls("create", "--dry-run")
        self.assertIn("no key", self.tls("show", check=1))
        made = self.tls("create")
        self.assertEqual(made["names"], ["localhost", "127.0.0.1", "::1"])
        self.assertEqual(self.tls("show"), {"current": made, "next": None})
        self.check_births(up, made)
        self.assertEqual(self.fingerprint(up, up["ca_file"]), made["certificate_sha256"], "the running signer took it up")
        self.assertIn("there is a key already", self.tls("create", "--outside", check=1))
        with Connection(up) as connection:
            self.assertEqual(connection.sign(up["public_keys"][0], randao(1))[0], 200)

    def check_births(self, up, made):
        self.assertEqual((made["sealed"], made["born_inside"], made["born_pcr0"]), ("key pair of KMS", True, up["measurement"]["PCR0"]))
        outside = self.tls("rotate", "--outside")
        self.assertEqual((outside["sealed"], outside["born_inside"], "born_pcr0" in outside), ("KMS Encrypt", False, False))
        inside = self.tls("rotate")
        documents = [self.folder / f"signer/tls-births/{one['certificate_sha256']}.cbor" for one in [made, inside]]
        self.assertEqual(self.tls("show")["next"], inside)
        self.assertIn("yes, attested", run("tls", "show", "--dir", self.folder / "signer", check=0).stdout)
        # Another certificate's document says nothing of this one, nor does none.
        documents[1].write_bytes(documents[0].read_bytes())
        self.assertEqual([self.tls("show")[which]["born_inside"] for which in ["current", "next"]], [True, None])
        documents[1].unlink()
        self.assertIn("not known", run("tls", "show", "--dir", self.folder / "signer", check=0).stdout)

    def test_name_of_a_load_balancer(self):
        """A certificate need not name the host that the signer listens at: `up` and `status` do without, and leave it."""
        up = self.up()
        made = self.tls("rotate", "--names", "signer.example.org", "--days", 20)
        warning = run("tls", "rotate", "--activate", "--dir", self.folder / "signer", check=0).stderr
        self.assertIn("expires within 30 days", warning)
        for _ in range(2):
            self.assertEqual(self.served_to("signer.example.org", up), made["certificate_sha256"])
            self.assertTrue(self.status()["signs"])
            up = self.up()
            self.assertEqual(up["already_up"], True)
            run("local", "down", "--dir", self.folder / "signer", check=0)
            up = self.up()
        # And back to one that `up` makes.
        run("local", "down", "--dir", self.folder / "signer", check=0)
        up = self.up("signer", "--tls-keystore", "none")
        self.assertNotEqual(self.fingerprint(up, up["ca_file"]), made["certificate_sha256"])

    def test_the_rest_of_the_row_stays(self):
        known = certificates.client(self.folder / "certificates", "known")
        listed = self.folder / "known-clients"
        listed.write_text(known.known)
        up = self.up("signer", "--known-clients", listed)

        def columns():
            with contextlib.closing(sqlite3.connect(self.folder / "signer/tables.sqlite")) as tables:
                return tables.execute("select known_clients_sealed_b64, known_clients_data_key_b64 from TLSKeys where key_id = 1").fetchone()

        before = columns()
        self.assertTrue(all(before))
        self.tls("rotate")
        self.tls("rotate", "--activate")
        self.assertEqual(columns(), before)
        with self.connect(up, known) as connection:
            self.assertEqual(connection.request("GET", "/upcheck")[0], 200)
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)), self.connect(up) as connection:
            connection.request("GET", "/upcheck")

    def test_mistakes(self):
        self.up()
        for options, text in [(["--days", 0, "--names", ""], "--names: empty"), (["--days", 826], "--days"), (["--names", "a b,-"], "names["),
                              (["--outside", "--pcr0", "ab"], "--pcr0"), (["--tls-cert", "x", "--outside"], "--outside"),
                              (["--activate", "--outside"], "--activate"), (["--pcr0", "zz"], "--pcr0: not 96 hex digits")]:
            self.assertIn(text, self.tls("rotate", *options, check=2))
        self.assertIn("PCR0", self.tls("rotate", "--pcr0", "ab" * 48, check=3))
        self.assertIsNone(self.tls("show")["next"])
        self.assertIsNone(self.tls("rotate", "--dry-run"))
        self.assertIsNone(self.tls("show")["next"])
        made = self.tls("rotate")
        self.assertEqual(self.tls("rotate", "--activate", "--dry-run"), made)
        self.assertEqual(self.tls("show")["next"], made)


if __name__ == "__main__":
    unittest.main()
