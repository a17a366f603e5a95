# SPDX-License-Identifier: Apache-2.0
"""Who may connect to a running signer, and how: client certificates, known clients, TLS versions, sessions, hosts, whose certificate."""
import base64
import contextlib
import http.client
import json
import re
import shlex
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
import unittest

import support  # noqa: F401
import certificates
from parent import ParentTest
from signer import Connection, SignerTest, randao, run, voluntary_exit

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def context_for(up, certificate=None, version=None):
    context = ssl.create_default_context(cafile=up["ca_file"])
    if certificate:
        context.load_cert_chain(certificate.path, certificate.key_path)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def connect(up, certificate=None, version=None):
    return Connection(up, context=context_for(up, certificate, version))


class TlsTest(SignerTest):
    def setUp(self):
        super().setUp()
        self.files = self.folder / "certificates"
        self.ca = certificates.authority(self.files, "clients-ca")

    def client(self, name, issuer=None, **options):
        return certificates.client(self.files, name, issuer, **options)

    def list_of(self, *clients, name="known-clients"):
        path = self.folder / name
        path.write_text("# known clients\n\n" + "".join(client.known for client in clients))
        return path

    def log(self):
        time.sleep(1.5)  # the host asks the enclave for its lines once a second
        return (self.folder / "signer/log/host.log").read_text()

    def assert_in(self, up, certificate, version=None):
        with connect(up, certificate, version) as connection:
            self.assertEqual(connection.request("GET", "/upcheck")[0], 200)

    def assert_out(self, up, certificate, version=None):
        """Refused in the handshake; with TLS 1.3 a client hears of it only afterwards."""
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)) as raised:
            with connect(up, certificate, version) as connection:
                connection.request("GET", "/upcheck")
        return raised.exception


class Clients(TlsTest):
    def test_authority_and_list(self):
        listed, signed = self.client("listed"), self.client("signed", self.ca)
        stranger = self.client("stranger", certificates.authority(self.files, "other-ca"))
        namesake = self.client("namesake", common_name="listed")
        expired = self.client("expired", self.ca, days=-1)
        wrong_use = certificates.Certificate(self.files, "server-use", self.ca, extensions=["extendedKeyUsage = serverAuth"])
        up = self.up("signer", "--client-ca", self.ca.path, "--known-clients", self.list_of(listed))
        self.assertEqual(up["clients"], "CA, known (1)")
        self.assertEqual(self.status()["signs"], True)
        for version in VERSIONS:
            for certificate in [listed, signed]:
                self.assert_in(up, certificate, version)
            for certificate in [None, stranger, namesake, expired, wrong_use]:
                self.assert_out(up, certificate, version)
        self.assertIn("ACCESS_DENIED", str(self.assert_out(up, stranger, VERSIONS[0])).upper().replace(" ", "_"))
        refusals = [line for line in self.log().splitlines() if " client_refused " in line]
        self.assertTrue(any('reason="no certificate"' in line for line in refusals), refusals)
        self.assertTrue(any('common_name=stranger' in line and stranger.fingerprint in line for line in refusals), refusals)
        self.assertTrue(all(re.search(r" client=127\.0\.0\.1:\d+ ", line) for line in refusals), refusals)

    def test_commands_show_a_certificate(self):
        vc = self.client("vc", self.ca)
        up = self.up("signer", "--client-ca", self.ca.path)
        target = ["--url", up["url"], "--ca", up["ca_file"]]
        shown = [*target, "--client-cert", vc.path, "--client-key", vc.key_path]
        request = self.folder / "request.json"
        request.write_text(json.dumps(randao(5)))
        run("upcheck", *shown, check=0)
        self.assertEqual(run("public-keys", *shown, check=0).stdout.split(), up["public_keys"])
        run("sign", *shown, "--key", up["public_keys"][0], "--file", request, check=0)
        self.assertIn("denied", run("upcheck", *target, check=1).stderr)
        run("upcheck", *target, "--client-cert", vc.path, check=2)

    def test_policy_knows_the_client(self):
        """The example of docs/policy.md."""
        vc, ops = self.client("vc", self.ca), self.client("ops", self.ca)
        policy = self.folder / "policy.json"
        policy.write_text(json.dumps({"rules": [{"name": "exits-by-ops", "effect": "allow", "clients": ["ops"],
                                                 "types": ["VOLUNTARY_EXIT"], "keys": "*"}]}))
        up = self.up("signer", "--client-ca", self.ca.path, "--policy", policy)
        key = up["public_keys"][0]
        for version in VERSIONS:
            with connect(up, ops, version) as connection:
                self.assertEqual(connection.sign(key, voluntary_exit(5))[0], 200)
            with connect(up, vc, version) as connection:
                status, body = connection.sign(key, voluntary_exit(5))
                self.assertEqual(status, 403)
                self.assertIn('rule "default-exits"', body["message"])
                self.assertIn('client "vc"', body["message"])
                self.assertEqual(connection.sign(key, randao(5))[0], 200)
        refused = [line for line in self.log().splitlines() if "request_refused status=403" in line]
        self.assertRegex(refused[0], r" client=127\.0\.0\.1:\d+ ")
        self.assertEqual(run("local", "up", "--dir", self.folder / "signer", check=0).stderr, "")
        # Where none is asked for a certificate, such rules fit nobody.
        done = run("local", "up", "--dir", self.folder / "open", "--listen", "127.0.0.1:0", "--policy", policy, check=0)
        self.assertIn("the signing policy names clients", done.stderr)

    def test_what_is_measured(self):
        up = self.up()
        self.assertEqual(up["clients"], "any")
        self.assert_in(up, None)
        run("local", "up", "--dir", self.folder / "signer", "--client-ca", self.ca.path, check=1)  # it runs with other options
        run("local", "down", "--dir", self.folder / "signer", check=0)
        with_ca = self.up("signer", "--client-ca", self.ca.path)
        self.assertNotEqual(with_ca["measurement"]["PCR0"], up["measurement"]["PCR0"])
        self.assertTrue(self.up()["already_up"])
        run("local", "down", "--dir", self.folder / "signer", check=0)
        listed = self.client("listed")
        both = self.up("signer", "--known-clients", self.list_of(listed))
        self.assertEqual(both["clients"], "CA, known (1)")
        run("local", "down", "--dir", self.folder / "signer", check=0)
        # Another list is no other configuration: it is sealed, not measured.
        more = self.up("signer", "--known-clients", self.list_of(listed, self.client("second")))
        self.assertEqual(more["measurement"], both["measurement"])
        self.assertEqual(more["clients"], "CA, known (2)")
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertEqual(self.up("signer", "--clients", "any")["measurement"], up["measurement"])

    def test_mistakes(self):
        bad = self.folder / "bad"
        bad.write_text("vc-1 abc\n")
        for options, text in [(["--known-clients", bad], "line 1"), (["--client-ca", bad], "PEM"), (["--clients", "all"], "--clients"),
                              (["--clients", "any", "--client-ca", self.ca.path], "--clients any"),
                              (["--host-allowlist", "a b"], "--host-allowlist"), (["--tls-cert", self.ca.path], "--tls-key"),
                              (["--tls-cert", self.ca.path, "--tls-key", bad], "private key"),
                              (["--tls-keystore", bad], "--tls-password-file"), (["--tls-password-file", bad], "--tls-keystore")]:
            with self.subTest(options=options):
                done = run("local", "up", "--dir", self.folder / "signer", *options, check=2)
                self.assertIn(text, done.stderr)
        self.assertFalse((self.folder / "signer/tables.sqlite").exists())


class Sessions(TlsTest):
    def resume(self, up, version, server_hostname="localhost"):
        context = context_for(up, self.vc, version)
        context.check_hostname = server_hostname is not None
        host, port = up["url"].removeprefix("https://").rsplit(":", 1)
        session = None
        for resumed in [False, True]:
            with socket.create_connection((host, int(port)), 15) as plain:
                with context.wrap_socket(plain, server_hostname=server_hostname, session=session) as tls:
                    tls.sendall(b"GET /upcheck HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    self.assertTrue(tls.recv(4096).startswith(b"HTTP/1.1 200"))
                    self.assertEqual(tls.session_reused, resumed)
                    session = tls.session

    def test_sessions_are_resumed(self):
        for name, options in [("vc", ["--client-ca", self.ca.path]), (None, ["--clients", "any"])]:
            self.vc = name and self.client(name, self.ca)
            up = self.up(name or "open", *options)
            for version in VERSIONS:
                self.resume(up, version)
                self.resume(up, version, None)  # no SNI


class Hosts(TlsTest):
    def next(self):
        """Runs it."""
        [line] = [line for line in run("local", "up", "--dir", self.folder / "signer", check=0).stdout.splitlines() if line.startswith("next: ")]
        command = line.removeprefix("next: ")
        answer = subprocess.run([*shlex.split(command), "-sS"], check=True, capture_output=True, text=True).stdout
        self.assertEqual(len(json.loads(answer)), 1)
        return command

    def test_only_listed_hosts(self):
        up = self.up("signer", "--host-allowlist", "signer.example,[::1]")
        self.assertEqual(up["host_allowlist"], ["::1", "signer.example"])
        key = up["public_keys"][0]
        with connect(up) as connection:
            for host in ["signer.example", "Signer.EXAMPLE:8443", "[::1]:443"]:
                self.assertEqual(connection.request("GET", "/upcheck", headers={"Host": host})[0], 200)
        for host, path in [("evil.example", "/upcheck"), ("", "/upcheck"), ("127.0.0.1", "/nowhere"), ("127.0.0.1", f"/api/v1/eth2/sign/{key}")]:
            with connect(up) as connection:
                status, headers, body = connection.request("GET", path, headers={"Host": host})
                self.assertEqual(status, 403, host)
                self.assertTrue(json.loads(body)["message"].startswith("Host not authorized."))
                self.assertEqual(json.loads(body)["code"], 403)
        self.assertIn("https://[::1]:", self.next())
        run("local", "down", "--dir", self.folder / "signer", check=0)
        with connect(self.up("signer", "--host-allowlist", "all")) as connection:
            self.assertEqual(connection.request("GET", "/upcheck", headers={"Host": "evil.example"})[0], 200)
        self.assertNotIn("Host:", self.next())

    def test_next(self):
        """By a name that the certificate does not have, and by one that it has."""
        up = self.up("signer", "--host-allowlist", "b.example,signer.example")
        self.assertIn("-H 'Host: b.example'", self.next())
        for step in [["--names", "signer.example"], ["--activate"]]:
            run("tls", "rotate", *step, "--dir", self.folder / "signer", check=0)
        self.assertIn(f"https://signer.example:{up['url'].rpartition(':')[2]}/", self.next())


class OwnIdentity(TlsTest):
    def served(self, up):
        host, port = up["url"].removeprefix("https://").rsplit(":", 1)
        return ssl.get_server_certificate((host, int(port)), ca_certs=up["ca_file"])

    def chain_of(self, leaf):
        path = self.files / f"{leaf.path.stem}-chain.pem"
        path.write_text(self.ca.pem + leaf.pem)  # not in the usual order
        return path

    def test_pem_and_pkcs12(self):
        first = certificates.server(self.files, "first", self.ca)
        second = certificates.server(self.files, "second", kind="rsa")  # signed by itself
        up = self.up("signer", "--tls-cert", self.chain_of(first), "--tls-key", first.key_path)
        self.assertEqual(self.served(up), first.pem)
        self.assertEqual(up["ca_file"], str(self.folder / "signer/ca.pem"))
        self.assertEqual((self.folder / "signer/ca.pem").read_text(), self.ca.pem)
        self.assert_in(up, None)
        self.assertTrue(self.up("signer", "--tls-cert", self.chain_of(first), "--tls-key", first.key_path)["already_up"])
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertEqual(self.served(self.up()), first.pem)  # as last time
        run("local", "down", "--dir", self.folder / "signer", check=0)

        store, password = self.files / "second.p12", self.files / "second.txt"
        password.write_text("a password\n")
        certificates.openssl("pkcs12", "-export", "-in", second.path, "-inkey", second.key_path, "-out", store, "-passout", "pass:a password")
        up = self.up("signer", "--tls-keystore", store, "--tls-password-file", password)
        self.assertEqual(self.served(up), second.pem)
        self.assert_in(up, None)
        run("local", "down", "--dir", self.folder / "signer", check=0)
        made = self.up("signer", "--tls-keystore", "none")
        self.assertNotIn(self.served(made), [first.pem, second.pem])
        self.assert_in(made, None)


class Changes(TlsTest):
    """What a running signer takes up without a restart."""

    def assert_same_enclave(self, before, up):
        self.assertTrue(up["already_up"])
        self.assertTrue(up["reloaded"])
        self.assertEqual(self.status()["enclave_pid"], before["enclave_pid"])

    def test_list_of_known_clients(self):
        first, second, third = [self.client(name) for name in ["first", "second", "third"]]
        up = self.up("signer", "--known-clients", self.list_of(first, second))
        before = self.status()
        for version in VERSIONS:
            self.assert_out(up, third, version)
        time.sleep(1.1)  # two refusals a second are logged
        with connect(up, first) as struck_off, connect(up, second) as kept:
            self.assertEqual(struck_off.request("GET", "/upcheck")[0], 200)
            self.assertEqual(kept.request("GET", "/upcheck")[0], 200)
            self.assert_same_enclave(before, self.up("signer", "--known-clients", self.list_of(second, third)))
            # The connection stays; the client is not known any more.
            with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                struck_off.request("GET", "/upcheck")
            self.assertEqual(kept.request("GET", "/upcheck")[0], 200)
        for version in VERSIONS:
            self.assert_in(up, second, version)
            self.assert_in(up, third, version)
            self.assert_out(up, first, version)
        self.assertIn("not on the list of known clients any more", self.log())
        # The same list once more is no change.
        self.assertFalse(self.up("signer", "--known-clients", self.list_of(third, second, name="again"))["reloaded"])
        # And it is there after a restart.
        run("local", "down", "--dir", self.folder / "signer", check=0)
        up = self.up()
        self.assert_in(up, third)
        self.assert_out(up, first)

    def test_identity_under_load(self):
        identities = [certificates.server(self.files, f"server-{n}", self.ca) for n in range(4)]
        options = [["--tls-cert", identity.path, "--tls-key", identity.key_path] for identity in identities]
        up = self.up("signer", *options[0])
        # ca.pem holds the leaf alone, since no CA was given.
        trust = {**up, "ca_file": str(self.ca.path)}
        before = self.status()
        key = up["public_keys"][0]
        failures, counts, stop = [], {"kept": 0, "new": 0}, threading.Event()

        def load(kind):
            kept = connect(trust) if kind == "kept" else None
            while not stop.is_set():
                try:
                    connection = kept or connect(trust, version=VERSIONS[counts[kind] % 2])
                    status, _ = connection.sign(key, randao(5))
                    if status != 200:
                        raise AssertionError(status)
                    if not kept:
                        connection.close()
                    counts[kind] += 1
                except Exception as failure:  # whatever it is, it must not be
                    failures.append(f"{kind}: {failure!r}")
                    break
            if kept:
                kept.close()

        threads = [threading.Thread(target=load, args=[kind]) for kind in ["kept", "kept", "new", "new"]]
        for thread in threads:
            thread.start()
        try:
            for identity, given in list(zip(identities, options))[1:]:
                self.assert_same_enclave(before, self.up("signer", *given))
                host, port = up["url"].removeprefix("https://").rsplit(":", 1)
                self.assertEqual(ssl.get_server_certificate((host, int(port)), ca_certs=self.ca.path), identity.pem)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(min(counts.values()), 20)


class HostileParent(ParentTest):
    """The list of known clients lies in the parent's hands, sealed."""

    def up(self, name="signer", *options, **others):
        self.vc = certificates.client(self.folder / "certificates", "vc")
        known = self.folder / "known-clients"
        known.write_text(self.vc.known)
        return super().up(name, *options, "--known-clients", known, **others)

    def init_request(self):
        return {**super().init_request(), "known_clients": self.known_clients}

    def read_tables(self):
        super().read_tables()
        with contextlib.closing(sqlite3.connect(self.local / "tables.sqlite")) as tables:
            sealed, data_key = tables.execute("select known_clients_sealed_b64, known_clients_data_key_b64 from TLSKeys").fetchone()
        self.known_clients = {"sealed_b64": sealed, "data_key_b64": data_key}

    def assert_signs(self, enclave):
        """As a known client, without a relay in front."""
        self.assertEqual(self.upcheck(enclave, self.vc), b"HTTP/1.1 200 OK")

    def upcheck(self, enclave, certificate):
        context = context_for(self.signer, certificate)
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(15)
            plain.connect(str(enclave.signing_path))
            with context.wrap_socket(plain, server_hostname="localhost") as tls:
                tls.sendall(b"GET /upcheck HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return tls.recv(4096).split(b"\r\n")[0]

    def test_lists_of_its_own_are_refused(self):
        enclave, _ = self.boot()
        roles = enclave.roles()
        good = self.known_clients
        sealed = base64.b64decode(good["sealed_b64"])
        for place in [0, 20, len(sealed) - 1]:
            forged = bytearray(sealed)
            forged[place] ^= 1
            self.known_clients = {**good, "sealed_b64": base64.b64encode(forged).decode()}
            self.refused(enclave, self.init_request(), 422, "known_clients")
        # A key row's ciphertext and data key are no list, and no list is of another form.
        self.known_clients = {"sealed_b64": self.rows[0]["sealed_key_b64"], "data_key_b64": self.rows[0]["data_key_b64"]}
        self.refused(enclave, self.init_request(), 422, "known_clients")
        self.known_clients = {"sealed_b64": good["sealed_b64"], "data_key_b64": self.rows[0]["data_key_b64"]}
        self.refused(enclave, self.init_request(), 422, "known_clients")
        for malformed in [[], "x", {}, {"sealed_b64": good["sealed_b64"]}, {**good, "sealed_b64": "!"}, {**good, "sealed_b64": "A" * 60000}]:
            self.known_clients = malformed
            self.refused(enclave, self.init_request(), 400, "known_clients")
        self.known_clients = good
        self.accepted_after_all(enclave, roles)

    def assert_not_let_in(self, enclave, certificate):
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.assertEqual(self.upcheck(enclave, certificate), b"")

    def test_an_older_list_is_passed_over(self):
        older = self.known_clients
        other = certificates.client(self.folder / "certificates", "other")
        known = self.folder / "newer"
        known.write_text(other.known)
        run("local", "up", "--dir", self.local, "--known-clients", known, check=0)
        self.stop_host()
        self.read_tables()
        enclave, _ = self.serve()
        self.assertEqual(self.upcheck(enclave, other), b"HTTP/1.1 200 OK")
        self.assert_not_let_in(enclave, self.vc)
        status, body = enclave.ask({**self.init_request(), "operation": "reload", "known_clients": older})
        self.assertEqual(status, 200, body)
        self.assertIn("known_clients_refused", enclave.log)
        self.assert_not_let_in(enclave, self.vc)
        self.assertEqual(self.upcheck(enclave, other), b"HTTP/1.1 200 OK")

    def test_without_a_list_nobody_is_known(self):
        enclave, _ = self.boot()
        request = self.init_request()
        del request["known_clients"]
        self.assertEqual(enclave.ask(request)[0], 200)
        self.assert_not_let_in(enclave, self.vc)
        self.assertIn("not on the list of known clients", enclave.log)


if __name__ == "__main__":
    unittest.main()
