# SPDX-License-Identifier: Apache-2.0
"""The Lambda, as Lambda runs it: a runtime API, KMS and tables of emulators, and a signer that serves with the key that it makes."""
import base64
import datetime
import hashlib
import hmac
import http.client
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

import support  # noqa: F401
import certificates
from fleet_tables import TLS, FleetTest
from lambda_runtime import RuntimeApi
from signer import PROGRAMS, Connection, randao, wait_for


class Program:
    """ensign-lambda and its Lambda."""

    def __init__(self, test, environment):
        self.api = RuntimeApi()
        test.addCleanup(self.api.stop)
        self.log = open(test.folder / f"lambda-{id(self)}.log", "w+")
        test.addCleanup(self.log.close)
        self.began = time.monotonic()
        # Nothing of ours is inherited: what is not in the list is not set in Lambda either.
        self.process = subprocess.Popen([PROGRAMS / "ensign-lambda"], env={**environment, "AWS_LAMBDA_RUNTIME_API": self.api.place},
                                        stdout=self.log, stderr=subprocess.STDOUT)
        test.addCleanup(lambda: (self.process.kill(), self.process.wait()))

    def invoke(self, operation, time_left_s=30, **members):
        return self.api.invoke({"operation": operation, **members}, time_left_s)

    def answer(self, operation, **members):
        kind, value = self.invoke(operation, **members)
        assert kind == "response", value
        return value

    def error(self, operation, **members):
        """(errorType, errorMessage)"""
        kind, value = self.invoke(operation, **members)
        assert kind == "error", value
        return value["errorType"], value["errorMessage"]

    def text(self):
        return pathlib.Path(self.log.name).read_text()


class TlsServer:
    """Answers whatever is asked."""

    def __init__(self, test, certificate):
        self.status, self.answer = 200, b"as told"
        this = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(this.status)
                self.end_headers()
                self.wfile.write(this.answer)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key_path)
        server = Server(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        test.addCleanup(lambda: (server.shutdown(), server.server_close()))


class LambdaTest(FleetTest):
    def setUp(self):
        super().setUp()
        self.lent_settings = json.loads((self.lent / "local.json").read_text())
        operator = json.loads(pathlib.Path(self.endpoints["operator_credentials_file"]).read_text())
        self.environment = {
            "NITRO_INSTANCE_PRIVATE_DNS": "localhost:1",
            "TLS_KEYS_TABLE_NAME": TLS,
            "KEY_ARN": self.lent_settings["kms_key_arn"],
            "DEPLOYMENT_MODE": "dev",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": operator["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": operator["secret_access_key"],
            "AWS_ENDPOINT_URL_KMS": self.endpoints["kms_url"],
            "AWS_ENDPOINT_URL_DYNAMODB": f"https://localhost:{self.door.port}",
            "AWS_CA_BUNDLE": str(self.ca),
            "ENSIGN_ATTESTATION_ROOT": self.endpoints["attestation_root_file"],
        }

    def start(self, **environment):
        return Program(self, {name: value for name, value in {**self.environment, **environment}.items() if value is not None})

    def row(self, key_id=1):
        return self.emulator.call("GetItem", {"TableName": TLS, "Key": {"key_id": {"N": str(key_id)}}, "ConsistentRead": True}).get("Item")

    def kms(self, operation, body):
        """A call of the operator's, signed by Python."""
        place = urllib.parse.urlparse(self.endpoints["kms_url"])
        text = json.dumps(body)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        headers = {"content-type": "application/x-amz-json-1.1", "host": place.netloc, "x-amz-date": now, "x-amz-target": f"TrentService.{operation}"}
        names = ";".join(headers)
        canonical = "\n".join(["POST", "/", "", *(f"{name}:{value}" for name, value in headers.items()), "", names,
                               hashlib.sha256(text.encode()).hexdigest()])
        scope = [now[:8], "us-east-1", "kms", "aws4_request"]
        to_sign = "\n".join(["AWS4-HMAC-SHA256", now, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + self.environment["AWS_SECRET_ACCESS_KEY"]).encode()
        for part in [*scope, to_sign]:
            key = hmac.new(key, part.encode(), "sha256").digest()
        headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.environment['AWS_ACCESS_KEY_ID']}/{'/'.join(scope)}, "
                                    f"SignedHeaders={names}, Signature={key.hex()}")
        connection = http.client.HTTPSConnection(place.hostname, place.port, context=ssl.create_default_context(cafile=self.ca), timeout=20)
        connection.request("POST", "/", text, headers)
        answer = connection.getresponse()
        found = answer.read()
        connection.close()
        self.assertEqual(answer.status, 200, found)
        return json.loads(found or b"{}")


class Operations(LambdaTest):
    def test_life(self):
        """What it makes serves: a host, an enclave, and the Lambda that looks at them."""
        first = self.start()
        kind, made = first.invoke("set_tls_key")
        self.assertEqual(kind, "response", made)
        self.assertEqual((made["ResponseMetadata"], made["key_id"]), ({"HTTPStatusCode": 200}, 1))
        row = self.row()
        self.assertEqual(set(row), {"key_id", "encrypted_tls_key_b64", "cert_pem"})
        self.assertEqual(row["cert_pem"]["S"], made["cert_pem"])
        self.assertEqual(made["names"], ["localhost", "127.0.0.1"])
        chain = base64.b64decode(made["cert_pem"]).decode()
        leaf = ssl.PEM_cert_to_DER_cert(chain[:chain.index("-----END CERTIFICATE-----") + 26])
        self.assertEqual(hashlib.sha256(leaf).hexdigest(), made["certificate_sha256"])
        self.assertEqual(first.answer("get_tls_key"), row["encrypted_tls_key_b64"]["S"])
        # It replaces nothing by accident.
        kind, refused = first.api.invoke({"operation": "set_tls_key"})
        self.assertEqual((kind, refused["errorType"]), ("error", "Forbidden"))
        self.assertIn("overwrite", refused["errorMessage"])
        self.assertEqual(self.row(), row)
        self.assertEqual(first.error("web3signer_status")[0], "Unavailable")
        anchors = self.folder / "anchors.pem"
        anchors.write_text(chain)
        folder, password, [key] = self.keystores()
        self.keys("import", folder, "--password-file", password)
        up = self.start_host(anchors)
        self.assertEqual(self.fingerprint(up), made["certificate_sha256"])
        place = up["url"].removeprefix("https://")
        signer = self.start(NITRO_INSTANCE_PRIVATE_DNS=place)
        self.assertEqual(signer.answer("web3signer_status"), "OK")
        self.assertEqual(signer.answer("web3signer_public_keys"), [key])
        self.check_attest(signer, place, made, key)
        # Another key: the signer takes it up, and until then says which one it has.
        self.put(TLS, key_id={"N": "1"}, known={"S": "what else is in the row"}, **{name: row[name] for name in ["encrypted_tls_key_b64", "cert_pem"]})
        other = signer.answer("set_tls_key", overwrite=True)
        self.assertNotEqual(other["certificate_sha256"], made["certificate_sha256"])
        self.assertEqual(self.row()["known"], {"S": "what else is in the row"})
        anchors.write_text(chain + base64.b64decode(other["cert_pem"]).decode())
        wait_for(lambda: self.fingerprint(up) == other["certificate_sha256"], "the host serves with the new one")
        self.assertEqual(signer.answer("web3signer_status"), "OK")
        with Connection(up) as connection:
            self.assertEqual(connection.sign(key, randao(1))[0], 200)
        self.assertNotIn(self.environment["AWS_SECRET_ACCESS_KEY"], first.text() + signer.text())

    def check_attest(self, signer, place, made, key):
        found = signer.answer("attest")
        self.assertEqual((found["verified"], found["debug"], found["tls_bound"], found["image_checked"]), (True, False, True, False))
        self.assertEqual(found["pcr0"], self.pcr0)
        self.assertEqual([len(found[name]) for name in ["pcr1", "pcr2", "pcr3"]], [96] * 3)
        self.assertEqual((found["certificate_sha256"], found["tls_public_key_sha256"]), (made["certificate_sha256"], made["public_key_sha256"]))
        self.assertEqual(found["public_keys_sha256"], hashlib.sha256(bytes.fromhex(key[2:])).hexdigest())
        self.assertTrue(signer.answer("attest", pcr0=self.pcr0.upper(), nonce="ab" * 16)["image_checked"])
        kind, message = signer.error("attest", pcr0="cd" * 48)
        self.assertEqual(kind, "CheckFailed")
        self.assertIn("PCR0 is not the one", message)
        # Without the simulator's root it is no enclave.
        production = self.start(NITRO_INSTANCE_PRIVATE_DNS=place, ENSIGN_ATTESTATION_ROOT=None, DEPLOYMENT_MODE="prod")
        kind, message = production.error("attest")
        self.assertEqual(kind, "CheckFailed")
        self.assertIn("root is not the pinned one", message)
        self.assertEqual(production.answer("web3signer_status"), "OK")

    def test_one_of_many_sets_the_key(self):
        """Many at one time: one makes the key, and the others leave it."""
        programs = [self.start() for _ in range(4)]
        outcomes = []
        threads = [threading.Thread(target=lambda one=one: outcomes.append(one.invoke("set_tls_key"))) for one in programs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = [value for kind, value in outcomes if kind == "response"]
        self.assertEqual(len(made), 1, outcomes)
        self.assertEqual({value["errorType"] for kind, value in outcomes if kind == "error"}, {"Forbidden"})
        self.assertEqual(self.row()["cert_pem"]["S"], made[0]["cert_pem"])

    def test_decrypt(self):
        """In a deployment for development alone, and what is decrypted stays inside."""
        program = self.start(AWS_ENDPOINT_URL_DYNAMODB=f"http://127.0.0.1:{self.emulator.port}")
        self.assertEqual(program.error("decrypt_tls_key")[0], "NotFound")
        program.answer("set_tls_key")
        kind, message = program.error("decrypt_tls_key")
        self.assertEqual(kind, "Forbidden")
        self.assertIn("AccessDeniedException", message)
        production = self.start(DEPLOYMENT_MODE="prod", ENSIGN_ATTESTATION_ROOT=None)
        kind, message = production.error("decrypt_tls_key")
        self.assertEqual((kind, message), ("Forbidden", "decrypt_tls_key: only with DEPLOYMENT_MODE=dev"))
        key = self.environment["KEY_ARN"]
        policy = json.loads(self.kms("GetKeyPolicy", {"KeyId": key, "PolicyName": "default"})["Policy"])
        policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": self.endpoints["operator_arn"]}, "Action": "kms:Decrypt", "Resource": "*"})
        self.kms("PutKeyPolicy", {"KeyId": key, "PolicyName": "default", "Policy": json.dumps(policy)})
        self.assertEqual(program.invoke("decrypt_tls_key"), ("response", None))
        # The form that the sample solution writes and reads.
        sealed = self.row()["encrypted_tls_key_b64"]["S"]
        opened = json.loads(base64.b64decode(self.kms("Decrypt", {"CiphertextBlob": sealed})["Plaintext"]))
        self.assertEqual(set(opened), {"tls_password_b64", "tls_keystore_b64"})
        password = base64.b64decode(opened["tls_password_b64"]).decode()
        keystore = base64.b64decode(opened["tls_keystore_b64"])
        shown = subprocess.run(["openssl", "pkcs12", "-nodes", "-passin", f"pass:{password}"], input=keystore, capture_output=True, check=True)
        self.assertIn(b"BEGIN PRIVATE KEY", shown.stdout)
        self.put(TLS, key_id={"N": "1"}, encrypted_tls_key_b64={"S": base64.b64encode(b"something else").decode()}, cert_pem={"S": ""})
        self.assertIn(program.error("decrypt_tls_key")[0], ["AwsError", "CheckFailed"])
        self.put(TLS, key_id={"N": "1"}, encrypted_tls_key_b64={"S": "?"}, cert_pem={"S": "?"})
        self.assertEqual(program.error("decrypt_tls_key")[0], "BadRequest")
        self.assertIn("cert_pem", program.error("web3signer_status")[1])

    def test_another_signer(self):
        """Each way in which a signer does not answer as it should, with its reason."""
        authority = certificates.authority(self.folder / "others", "ca")
        listed = certificates.server(self.folder / "others", "listed", authority)
        other = certificates.server(self.folder / "others", "other", authority)
        old_name = certificates.server(self.folder / "others", "old-name", authority, names=["DNS:old.example.org"])
        chain = listed.pem + authority.pem

        def put(pem):
            self.put(TLS, key_id={"N": "1"}, encrypted_tls_key_b64={"S": "AA=="}, cert_pem={"S": base64.b64encode(pem.encode()).decode()})

        server = TlsServer(self, listed)
        program = self.start(NITRO_INSTANCE_PRIVATE_DNS=f"localhost:{server.port}")
        kind, message = program.error("web3signer_status")
        self.assertEqual(kind, "NotFound")
        self.assertIn("set_tls_key comes first", message)
        put(chain)
        self.assertEqual(program.answer("web3signer_status"), "as told")
        server.status = 503
        kind, message = program.error("web3signer_status")
        self.assertEqual(kind, "Unavailable")
        self.assertIn("503", message)
        server.status = 200
        kind, message = program.error("web3signer_public_keys")
        self.assertIn("publicKeys", message)
        server.answer = b'["0x02","0x01"]'
        self.assertEqual(program.answer("web3signer_public_keys"), ["0x01", "0x02"])
        server.answer = b"[" + b'"' + b"0" * 7000000 + b'"]'
        kind, message = program.error("web3signer_public_keys")
        self.assertIn("Lambda takes", message)
        self.assertEqual(program.error("attest")[0], "Unavailable")
        # Of the same authority, and yet not the table's.
        put(other.pem + authority.pem)
        kind, message = program.error("web3signer_status")
        self.assertEqual(kind, "CheckFailed")
        self.assertIn("not the one of the TLS table", message)
        nameless = TlsServer(self, old_name)
        put(old_name.pem)
        program = self.start(NITRO_INSTANCE_PRIVATE_DNS=f"localhost:{nameless.port}")
        self.assertEqual(program.error("web3signer_status")[0], "CheckFailed")
        program = self.start(NITRO_INSTANCE_PRIVATE_DNS=f"127.0.0.1:{self.reserve_port()}")
        kind, message = program.error("web3signer_status")
        self.assertEqual(kind, "Unavailable")
        self.assertIn("cannot connect", message)


class Runtime(LambdaTest):
    def test_malformed_events(self):
        """Each gets an error, and the process lives."""
        program = self.start()
        for event, text in [(b"", "event"), (b"{", "event"), (b"[]", "event"), (b"null", "event"), (b'"set_tls_key"', "event"), (b"\xff\xfe", "event"),
                            (b"[" * 100000, "event"), (b"{}", "operation"), (b'{"operation":7}', "operation"), (b'{"operation":null}', "operation"),
                            (b'{"operation":"format"}', "none of set_tls_key, get_tls_key"), (b'{"operation":"get_tls_key","operation":"attest"}', "event"),
                            (b'{"operation":"get_tls_key","overwrite":true}', "overwrite"), (b'{"operation":"set_tls_key","overwite":true}', "overwite"),
                            (b'{"operation":"set_tls_key","overwrite":"true"}', "overwrite"), (b'{"operation":"attest","pcr0":"12"}', "pcr0"),
                            (b'{"operation":"attest","nonce":"abc"}', "nonce"), (b'{"operation":"attest","nonce":""}', "nonce"),
                            (b'{"operation":"get_tls_key"}' + b" " * 20000, "larger"), (b" " * 6000000, "larger")]:
            kind, value = program.api.invoke(event)
            self.assertEqual((kind, value["errorType"]), ("error", "BadRequest"), (event[:100], value))
            self.assertIn(text, value["errorMessage"], event[:100])
        self.assertIsNone(program.process.poll())
        self.assertEqual(program.error("get_tls_key")[0], "NotFound")
        self.assertIsNone(self.row())

    def test_deadlines(self):
        """Who makes it wait makes it answer in time."""
        program = self.start()
        program.answer("set_tls_key")
        self.door.freeze()
        for operation in ["get_tls_key", "web3signer_status", "set_tls_key"]:
            begun = time.monotonic()
            kind, _ = program.error(operation, time_left_s=2)
            self.assertEqual(kind, "Unavailable", operation)
            self.assertLess(time.monotonic() - begun, 2, operation)
        self.door.thaw()
        for time_left_s in [0.3, -5]:
            kind, message = program.error("get_tls_key", time_left_s=time_left_s)
            self.assertIn("over before it began", message)
        self.assertEqual(program.invoke("get_tls_key")[0], "response")
        # A signer that takes the connection and says nothing.
        silent = self.silent_port()
        program = self.start(NITRO_INSTANCE_PRIVATE_DNS=f"localhost:{silent}")
        for operation in ["web3signer_status", "attest"]:
            begun = time.monotonic()
            kind, message = program.error(operation, time_left_s=2)
            self.assertIn("timed out", message)
            self.assertLess(time.monotonic() - begun, 2, operation)

    def silent_port(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        return listener.getsockname()[1]

    def test_does_not_start(self):
        """It says why to Lambda, and ends."""
        for changes, text in [({"KEY_ARN": None}, "KEY_ARN"), ({"TLS_KEYS_TABLE_NAME": ""}, "TLS_KEYS_TABLE_NAME"),
                              ({"NITRO_INSTANCE_PRIVATE_DNS": None}, "NITRO_INSTANCE_PRIVATE_DNS"),
                              ({"NITRO_INSTANCE_PRIVATE_DNS": "a b"}, "NITRO_INSTANCE_PRIVATE_DNS"),
                              ({"DEPLOYMENT_MODE": "test"}, "DEPLOYMENT_MODE"), ({"AWS_REGION": None}, "AWS_REGION"),
                              ({"DEPLOYMENT_MODE": "prod"}, "ENSIGN_ATTESTATION_ROOT"),
                              ({"ENSIGN_ATTESTATION_ROOT": "/there/is/none"}, "ENSIGN_ATTESTATION_ROOT"),
                              ({"AWS_ACCESS_KEY_ID": None}, "AWS_ACCESS_KEY_ID"), ({"AWS_CA_BUNDLE": "/there/is/none"}, "AWS_CA_BUNDLE"),
                              ({"AWS_ENDPOINT_URL_KMS": "http://kms.example.org"}, "AWS_ENDPOINT_URL_KMS")]:
            program = self.start(**changes)
            told = program.api.wait_init_error()
            self.assertIn(text, told["errorMessage"])
            self.assertIn(told["errorType"], ["NotFound", "BadRequest"])
            self.assertEqual(program.process.wait(10), 1, text)
        done = subprocess.run([PROGRAMS / "ensign-lambda"], env={}, capture_output=True, text=True, timeout=10)
        self.assertEqual(done.returncode, 1)
        self.assertIn("AWS_LAMBDA_RUNTIME_API", done.stderr)
        self.assertEqual(subprocess.run([PROGRAMS / "ensign-lambda", "--what"], capture_output=True, timeout=10).returncode, 2)

    def test_lambda_fails(self):
        """What is handed in and not taken is no end; Lambda that cannot be understood is."""
        program = self.start()
        program.api.refuse = 400
        self.assertEqual(program.invoke("get_tls_key")[0], "refused")
        self.assertEqual(program.error("get_tls_key")[0], "NotFound")
        program.api.refuse = 500
        self.assertEqual(program.invoke("get_tls_key")[0], "refused")
        self.assertEqual(program.process.wait(10), 1)
        program = self.start()
        program.api.polled.wait(10)
        program.api.events.put(None)
        self.assertEqual(program.process.wait(10), 1)
        self.assertIn("next: status 500", program.text())
        for headers in [{"Lambda-Runtime-Aws-Request-Id": "../x"}, {"Lambda-Runtime-Aws-Request-Id": None}, {"Lambda-Runtime-Deadline-Ms": "soon"}]:
            program = self.start()
            program.api.events.put(("id", b"{}", 0, headers))
            self.assertEqual(program.process.wait(10), 1)
            self.assertIn("next: no Lambda-Runtime-", program.text())

    def resident_kib(self, program):
        lines = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{program.process.pid}/status").read_text().splitlines())
        return int(lines["VmRSS"].split()[0])

    def test_is_small(self):
        """How long it takes to be there, and what it takes."""
        began = []
        for _ in range(5):
            program = self.start()
            self.assertTrue(program.api.polled.wait(10))
            began.append(time.monotonic() - program.began)
        resident = self.resident_kib(program)
        program.answer("set_tls_key")
        print(f"\nfirst poll after {min(began) * 1000:.0f} ms; {resident} KiB, with a key made {self.resident_kib(program)} KiB", file=sys.stderr)
        self.assertLess(min(began), 2)
        self.assertLess(resident, 64 * 1024)


if __name__ == "__main__":
    unittest.main()
