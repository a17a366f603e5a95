# SPDX-License-Identifier: Apache-2.0
"""The signing API over real TLS: statuses, content types, bad input, bad clients. After each, the signer still signs."""
import json
import os
import signal
import socket
import ssl
import threading
import time
import unittest
import warnings

import support  # noqa: F401
from signer import Connection, SignerTest, attestation, randao, role_of, wait_for

KEYS_PATH = "/api/v1/eth2/publicKeys"


class Api(SignerTest):
    def setUp(self):
        super().setUp()
        self.signer = self.up()
        self.key = self.signer["public_keys"][0]
        self.connection = Connection(self.signer)
        self.addCleanup(self.connection.close)
        host, port = self.signer["url"].removeprefix("https://").rsplit(":", 1)
        self.address = (host, int(port))
        self.epoch = 0

    def assert_signs(self):
        self.epoch += 1
        connection = Connection(self.signer)
        self.assertEqual(connection.sign(self.key, randao(self.epoch))[0], 200)
        connection.close()

    def sign(self, body, key=None):
        return self.connection.sign(key or self.key, body)

    def test_content_types(self):
        status, headers, body = self.connection.request("GET", "/upcheck")
        self.assertEqual((status, headers["Content-Type"], body), (200, "text/plain; charset=utf-8", b"OK"))
        status, headers, body = self.connection.request("GET", KEYS_PATH)
        self.assertEqual((status, headers["Content-Type"].split(";")[0]), (200, "application/json"))
        self.assertEqual(json.loads(body), [self.key])
        text = json.dumps(randao(3))
        path = f"/api/v1/eth2/sign/{self.key}"
        for accept in ["application/json", "*/*", "text/plain, application/json"]:
            status, headers, body = self.connection.request("POST", path, text, {"Accept": accept})
            self.assertEqual((status, headers["Content-Type"]), (200, "application/json; charset=utf-8"), accept)
            signature = json.loads(body)["signature"]
        for headers in [{"Accept": "text/plain"}, {"Accept": "application/*"}, {}]:
            status, answer, body = self.connection.request("POST", path, text, headers)
            self.assertEqual((status, answer["Content-Type"]), (200, "text/plain; charset=utf-8"))
            self.assertEqual(body.decode(), signature)
        # The key with and without 0x, in any letter case.
        for key in [self.key[2:], self.key.upper().replace("0X", "0x"), self.key[2:].upper()]:
            self.assertEqual(self.sign(randao(3), key)[1]["signature"], signature)

    def test_bad_requests(self):
        good = attestation(50)
        for body in ["", "{", "[]", "null", '{"type":"ATTESTATION"', "\0", b"\xff\xfe", "1" * 1000, "[" * 100000,
                     '{"type":"NONSENSE"}', '{"type":1}', "{}"]:
            self.assertEqual(self.sign(body)[0], 400, body[:40])
        for member in ["fork_info", "attestation"]:
            self.assertEqual(self.sign({name: value for name, value in good.items() if name != member})[0], 400, member)
        for path, value in [(("attestation", "slot"), "-1"), (("attestation", "slot"), "18446744073709551616"),
                            (("attestation", "slot"), "1e3"), (("attestation", "slot"), None), (("attestation", "slot"), []),
                            (("attestation", "beacon_block_root"), "0x" + "11" * 33),
                            (("attestation", "beacon_block_root"), "0x" + "zz" * 32),
                            (("attestation", "source"), "x"), (("fork_info", "fork"), {}),
                            (("fork_info", "genesis_validators_root"), "0x123")]:
            body = json.loads(json.dumps(good))
            body[path[0]][path[1]] = value
            self.assertEqual(self.sign(body)[0], 400, (path, value))
        for key in ["0x" + "00" * 48, "0x12", "nonsense", "0x" + "0" * 5000]:
            self.assertIn(self.sign(good, key)[0], [404, 414], key[:20])
        self.assertEqual(self.sign({**good, "signing_root": "0x" + "77" * 32})[0], 400)
        self.assert_signs()

    def test_paths_and_methods(self):
        self.assertEqual(self.connection.request("GET", "/nonsense")[0], 404)
        self.assertEqual(self.connection.request("GET", f"/api/v1/eth2/sign/{self.key}")[0], 405)
        self.assertEqual(self.connection.request("DELETE", "/upcheck")[0], 405)
        self.assert_signs()

    def test_oversize_body(self):
        # A server that answers before it has read all may close, which the client sees as a broken pipe.
        with Connection(self.signer) as connection:
            try:
                self.assertEqual(connection.sign(self.key, b" " * (11 << 20))[0], 413)
            except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
                pass
        big = json.dumps(randao(2)).encode()
        with Connection(self.signer) as connection:
            self.assertEqual(connection.sign(self.key, big + b" " * (9 << 20))[0], 200)
        self.assert_signs()

    def test_slashing(self):
        self.assertEqual(self.sign(attestation(10))[0], 200)
        self.assertEqual(self.sign(attestation(10))[0], 200)  # the same vote again is no second vote
        status, body = self.sign(attestation(10, root="0x" + "99" * 32))
        self.assertEqual(status, 412)
        self.assertTrue(body["message"])
        self.assertEqual(self.sign(attestation(12, source=8))[0], 412)  # surrounds
        self.assertEqual(self.sign(attestation(9, source=8))[0], 412)
        self.assertEqual(self.sign(attestation(11, genesis="0x" + "01" * 32))[0], 412)
        self.assertEqual(self.sign(attestation(11))[0], 200)

    def test_batch(self):
        folder, password_file, keys = self.keystores(count=200)
        up = self.up("many", "--keystores", folder, "--password-file", password_file)
        with Connection(up, timeout=60) as connection:
            vote = attestation(20)
            status, results = connection.sign_batch(keys, vote)
            self.assertEqual((status, [result["identifier"] for result in results]), (200, keys))
            self.assertEqual(len({result["signature"] for result in results}), len(keys))
            # Each is what the key signs alone, and a repeat is the same again.
            self.assertEqual(connection.sign(keys[7], vote), (200, {"signature": results[7]["signature"]}))
            self.assertEqual(connection.sign_batch(keys, vote), (200, results))
            # One key has voted for something else, one is not here, one is there twice.
            self.assertEqual(connection.sign(keys[1], attestation(21, root="0x" + "98" * 32))[0], 200)
            unknown = "0x" + "ab" * 48
            status, results = connection.sign_batch([keys[0], keys[1], unknown, keys[0]], attestation(21))
            self.assertEqual(status, 200)
            self.assertEqual([result.get("error", {"code": 200})["code"] for result in results], [200, 412, 404, 200])
            self.assertEqual(results[0], results[3])
            self.assertIn("21", results[1]["error"]["message"])
            self.assertEqual(connection.request("POST", "/api/v1/eth2/sign", json.dumps({"identifiers": [unknown]}))[0], 400)

    def test_health_follows_the_ledger(self):
        def health():
            status, _, body = self.connection.request("GET", "/healthcheck")
            body = json.loads(body)
            self.assertEqual(body["status"], "UP" if status == 200 else "DOWN")
            return status, {check["id"]: check for check in body["checks"]}

        status, checks = health()
        self.assertEqual((status, checks["keys-check"]["data"]["keys-loaded"]), (200, 1))
        self.assertNotIn("last-commit-age-ms", checks["slashing-protection-db-health-check"]["data"])
        self.assertEqual(self.sign(attestation(30))[0], 200)
        self.assertIn("last-commit-age-ms", health()[1]["slashing-protection-db-health-check"]["data"])
        ledger = role_of(self.folder, "ledger")
        os.kill(ledger, signal.SIGSTOP)
        try:
            answers = []
            other = Connection(self.signer)
            self.addCleanup(other.close)
            voter = threading.Thread(target=lambda: answers.append(other.sign(self.key, attestation(31))[0]))
            voter.start()
            status, checks = wait_for(lambda: health() if health()[0] == 503 else None, "the healthcheck sees a stalled ledger")
            self.assertEqual(checks["slashing-protection-db-health-check"]["status"], "DOWN")
            self.assertEqual(checks["default-check"]["status"], "UP")
        finally:
            os.kill(ledger, signal.SIGCONT)
        voter.join()
        self.assertEqual(answers, [200])
        self.assertEqual(health()[0], 200)

    def test_bad_clients(self):
        for _ in range(50):
            self.addCleanup(socket.create_connection(self.address).close)
        context = ssl.create_default_context(cafile=self.signer["ca_file"])
        for _ in range(20):
            connection = context.wrap_socket(socket.create_connection(self.address), server_hostname=self.address[0])
            connection.sendall(b"POST /api/v1/eth2/sign/0x00 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
            self.addCleanup(connection.close)
        for garbage in [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 600, b"\0" * 5000]:
            with socket.create_connection(self.address) as connection:
                connection.settimeout(10)
                try:
                    connection.sendall(garbage)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
                except (ConnectionError, OSError) as problem:
                    self.assertNotIsInstance(problem, TimeoutError, garbage[:8])
        begun = time.monotonic()
        self.assert_signs()
        self.assertLess(time.monotonic() - begun, 5, "stalled clients slow others down")

    def test_tls_versions(self):
        for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
            context = ssl.create_default_context(cafile=self.signer["ca_file"])
            context.minimum_version = context.maximum_version = version
            connection = Connection(self.signer, context=context)
            self.assertEqual(connection.request("GET", "/upcheck")[0], 200)
            connection.close()
        context = ssl.create_default_context(cafile=self.signer["ca_file"])
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with Connection(self.signer, context=context) as connection, self.assertRaises((ssl.SSLError, ConnectionResetError)):
            connection.request("GET", "/upcheck")

    def test_keep_alive(self):
        for epoch in range(200):
            self.assertEqual(self.sign(randao(epoch))[0], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
