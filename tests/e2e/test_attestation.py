# SPDX-License-Identifier: Apache-2.0
"""`ensign attest verify --url`: a client that trusts no CA finds out whom it talks to, and whoever is in between is found out."""
import base64
import hashlib
import http.server
import json
import socket
import ssl
import threading
import unittest

import support  # noqa: F401
import certificates
from signer import Connection, SignerTest, randao, run

PATH = "/api/v1/enclave/attestation"


class Between(http.server.BaseHTTPRequestHandler):
    """A server with a certificate of its own that answers with what it was given, or asks the signer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answer = self.server.answer(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Attestation(SignerTest):
    def setUp(self):
        super().setUp()
        self.signer = self.up()
        self.pcr0 = json.loads((self.folder / "signer/local.json").read_text())["pcr0"]
        self.root = self.folder / "signer/sim/attestation-root.pem"

    def verify(self, *options, url=None, pcr0=None, root=None, check=0):
        options = ["--url", url or self.signer["url"], "--pcr0", pcr0 or self.pcr0, "--root", root or self.root, "--json", *options]
        done = run("attest", "verify", *options, check=check)
        return json.loads(done.stdout) if check == 0 else done.stderr

    def ask(self, nonce):
        with Connection(self.signer) as connection:
            status, _, body = connection.request("GET", f"{PATH}?nonce={nonce}")
        return status, json.loads(body)

    def between(self, answer):
        authority = certificates.authority(self.folder / "between", "ca")
        certificate = certificates.server(self.folder / "between", "server", authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key_path)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
        server.daemon_threads = True
        server.answer = answer
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(lambda: (server.shutdown(), server.server_close()))
        return f"https://localhost:{server.server_address[1]}"

    def test_the_signer(self):
        certificate = self.folder / "signer.pem"
        verdict = self.verify("--cert-out", certificate)
        self.assertEqual((verdict["verified"], verdict["PCR0"]), (True, self.pcr0))
        keys = sorted(bytes.fromhex(key.removeprefix("0x")) for key in self.signer["public_keys"])
        self.assertEqual(verdict["public_keys_sha256"], hashlib.sha256(b"".join(keys)).hexdigest())
        host, port = self.signer["url"].removeprefix("https://").rsplit(":", 1)
        with socket.create_connection((host, int(port))) as raw:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            with context.wrap_socket(raw) as connection:
                self.assertEqual(ssl.DER_cert_to_PEM_cert(connection.getpeercert(True)), certificate.read_text())
        # Keys that come change the digest.
        folder, password, _ = self.keystores(count=2)
        run("keys", "import", folder, "--password-file", password, "--dir", self.folder / "signer", check=0)
        self.assertNotEqual(self.verify()["public_keys_sha256"], verdict["public_keys_sha256"])
        text = run("attest", "verify", "--url", self.signer["url"] + "/", "--pcr0", self.pcr0.upper(), "--root", self.root, check=0).stdout
        self.assertIn("This session ends in the enclave.", text)
        # Another key, and it is that one which is attested.
        run("tls", "rotate", "--dir", self.folder / "signer", check=0)
        run("tls", "rotate", "--activate", "--dir", self.folder / "signer", check=0)
        self.assertNotEqual(self.verify()["tls_public_key_sha256"], verdict["tls_public_key_sha256"])

    def test_another_image(self):
        self.assertIn("PCR0 is not the one", self.verify(pcr0="ab" * 48, check=3))
        self.assertIn("PCR8", self.verify("--pcr8", "ab" * 48, check=3))
        refused = run("attest", "verify", "--url", self.signer["url"], "--pcr0", self.pcr0, check=3).stderr
        self.assertIn("error: attestation document: cabundle: the root is not the pinned one", refused)
        self.assertIn("--root D/sim/attestation-root.pem", refused)

    def test_in_between(self):
        """Whoever relays the answer has another TLS key; whoever keeps one has another nonce."""
        def relay(path):
            with Connection(self.signer) as connection:
                return connection.request("GET", path)[2]

        self.assertIn("another key than the attested one", self.verify(url=self.between(relay), check=3))
        _, old = self.ask("11" * 32)
        self.assertIn("nonce", self.verify(url=self.between(lambda _: json.dumps(old).encode()), check=3))
        # With the very nonce it is the key that is wrong; a document that was touched is none.
        self.assertIn("another key", self.verify("--nonce", "11" * 32, url=self.between(lambda _: json.dumps(old).encode()), check=3))
        document = bytearray(base64.b64decode(old["attestation_document_b64"]))
        document[len(document) // 2] ^= 1
        touched = json.dumps({"attestation_document_b64": base64.b64encode(document).decode()}).encode()
        self.assertIn("attestation document", self.verify("--nonce", "11" * 32, url=self.between(lambda _: touched), check=3))
        self.assertIn("answer", self.verify(url=self.between(lambda _: b"[]"), check=1))

    def test_requests(self):
        for nonce, status in [("ab" * 8, 200), ("0x" + "AB" * 64, 200), ("ab" * 7, 400), ("ab" * 65, 400), ("abc" * 8 + "a", 400), ("xy" * 8, 400),
                              ("", 400)]:
            self.assertEqual(self.ask(nonce)[0], status, nonce)
        with Connection(self.signer) as connection:
            self.assertEqual(connection.request("GET", PATH)[0], 400)
        # Many at one time: each gets one or is told to come again, and the signer signs.
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.ask("cd" * 16)[0])) for _ in range(40)]
        for thread in threads:
            thread.start()
        with Connection(self.signer) as connection:
            self.assertEqual(connection.sign(self.signer["public_keys"][0], randao(1))[0], 200)
        for thread in threads:
            thread.join()
        self.assertEqual(len(statuses), 40)
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertIn(200, statuses)

    def test_mistakes(self):
        for options, text in [(["--url", self.signer["url"]], "--pcr0 or --pcr8"), (["--url", "http://localhost", "--pcr0", self.pcr0], "https://"),
                              (["--url", self.signer["url"], "--pcr0", "12"], "--pcr0"), ([], "FILE or --url"),
                              (["--url", self.signer["url"], "--pcr0", self.pcr0, "--nonce", "zz"], "--nonce"),
                              (["births.json", "--url", self.signer["url"]], "FILE or --url")]:
            self.assertIn(text, run("attest", "verify", *options, "--root", self.root, check=2).stderr)
        # Before the signer is asked, and before it turns out that its root is not AWS's.
        for option in ["--pcr0", "--pcr8"]:
            self.assertIn(f"{option}: not 96 hex digits", run("attest", "verify", "--url", "https://localhost:1", option, "null", check=2).stderr)


if __name__ == "__main__":
    unittest.main()
