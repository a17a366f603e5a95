# SPDX-License-Identifier: Apache-2.0
"""
A slashing table of a fleet: an emulator of DynamoDB that others made, and in front of it a door with TLS that can fail in every way that a
network and a service can.
"""
import http.client
import http.server
import json
import os
import pathlib
import random
import socket
import ssl
import subprocess
import threading
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
DYNOXIDE = pathlib.Path(os.environ.get("ENSIGN_DYNOXIDE", TOP / ".deps/dynoxide/bin/dynoxide"))
NAME = "SlashingProtection"
PATIENCE_S = 20


def needs_emulator():
    """With CI=true a missing emulator is a failure."""
    if DYNOXIDE.exists():
        return
    if os.environ.get("CI") == "true":
        raise AssertionError(f"no DynamoDB emulator at {DYNOXIDE}; scripts/get-dynoxide fetches it")
    raise unittest.SkipTest(f"no DynamoDB emulator at {DYNOXIDE}; scripts/get-dynoxide fetches it")


class Emulator:
    """dynoxide, in memory, with the table in it."""

    def __init__(self):
        needs_emulator()
        for _ in range(5):  # somebody else may take a port that was free a moment ago
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
            self.process = subprocess.Popen([DYNOXIDE, "serve", "--port", str(self.port), "--log", "quiet"],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self.is_up():
                break
            self.stop()
        self.call("CreateTable", {
            "TableName": NAME, "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pubkey", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pubkey", "AttributeType": "S"}],
        })

    def is_up(self):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.call("ListTables", {})
                return True
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
        return False

    def call(self, operation, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request("POST", "/", json.dumps(body), {
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"DynamoDB_20120810.{operation}", "X-Amz-Date": "20260101T000000Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise AssertionError(f"{operation}: {answer.status} {text}")
        return json.loads(text)

    def rows(self):
        """{public key with 0x: {attribute: value}}"""
        rows = {}
        start = {}
        while True:
            answer = self.call("Scan", {"TableName": NAME, "ConsistentRead": True, **start})
            for item in answer["Items"]:
                rows["0x" + item["pubkey"]["S"]] = {name: next(iter(value.values())) for name, value in item.items()}
            if "LastEvaluatedKey" not in answer:
                return rows
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def delete(self, key):
        self.call("DeleteItem", {"TableName": NAME, "Key": {"pubkey": {"S": key.removeprefix("0x")}}})

    def stop(self):
        self.process.kill()
        self.process.wait()


class Door:
    """TLS in front of the emulator. `fault`, if it is set, is called with each request's operation and says what becomes of it."""

    def __init__(self, emulator, certificate):
        self.emulator = emulator
        self.fault = None
        self.thawed = threading.Event()
        self.thawed.set()
        self.credentials = set()  # access key ids that were seen
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            timeout = 60

            def do_POST(self):
                door.serve(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # connections that are torn are what this is for

            def finish_request(self, request, address):
                request.settimeout(60)
                with context.wrap_socket(request, server_side=True) as connection:
                    super().finish_request(connection, address)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key_path)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forward(self, handler, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/", body, {name: handler.headers[name] for name in
                                                   ["Content-Type", "X-Amz-Target", "X-Amz-Date", "Authorization"]
                                                   if handler.headers[name]})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def serve(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        authorization = handler.headers["Authorization"] or ""
        self.credentials.add(authorization.partition("Credential=")[2].partition("/")[0])
        fault = self.fault(handler.headers["X-Amz-Target"].partition(".")[2]) if self.fault else None
        if not self.thawed.wait(30) or fault == "drop":
            handler.close_connection = True
            return
        if fault == "slow":
            time.sleep(random.uniform(0.2, 0.7))  # of the second that an attempt has: three that take longer would be a failure
        if fault in REFUSALS:
            self.answer(handler, *REFUSALS[fault])
            return
        status, answer = self.forward(handler, body)
        if fault == "lose":
            handler.close_connection = True
            return
        self.answer(handler, status, answer)

    def answer(self, handler, status, body):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/x-amz-json-1.0")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def freeze(self):
        """Requests are taken, and nothing is answered, until thaw()."""
        self.thawed.clear()

    def thaw(self):
        self.thawed.set()

    def stop(self):
        self.thaw()
        self.server.shutdown()
        self.server.server_close()


def refusal(name):
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": "a test's"}).encode()


REFUSALS = {
    "500": (500, refusal("InternalServerError")),
    "503": (503, b"<html>Service Unavailable</html>"),
    "throttle": (400, refusal("ThrottlingException")),
    "denied": (400, refusal("AccessDeniedException")),
    "no table": (400, refusal("ResourceNotFoundException")),
    "garbage": (200, b'{"Responses": 7'),
}
FAULTS = ["drop", "lose", "slow", "500", "503", "throttle", "garbage"]
