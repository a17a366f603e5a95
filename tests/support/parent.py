# SPDX-License-Identifier: Apache-2.0
"""The parent instance as an attacker would play it: starts ensign-enclave by itself, relays its bytes as it likes, and stands in
for KMS. What it knows of the walls is docs/protocols.md."""
import base64
import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import pathlib
import re
import select
import signal
import socket
import sqlite3
import ssl
import struct
import subprocess
import threading
import time
import urllib.request

from signer import OWN_VECTORS, Connection, SignerTest, run, wait_for

ROLES = ["attester", "control", "frontend", "keeper", "ledger"]
ALL_WRITE_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
# Keeps descriptor 3 taken in this process: subprocess must not put a pipe of its own where the child gets the configuration.
RESERVED = os.open(os.devnull, os.O_RDONLY)


def unix_connection(path, timeout=15):
    """Where the listener is behind with accepting, as on a machine at work, a connection that does not block fails at once: again, then."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.connect(str(path))
            return connection
        except BlockingIOError:
            if time.monotonic() > deadline:
                connection.close()
                raise
            time.sleep(0.05)
        except OSError:
            connection.close()
            raise


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError(f"closed after {len(data)} of {size} bytes")
        data += more
    return data


class Control:
    """One connection to the control channel."""

    def __init__(self, path, timeout=60):
        self.socket = unix_connection(path, timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, payload):
        self.socket.sendall(struct.pack(">I", len(payload)) + payload)

    def receive(self):
        answer = json.loads(read_exactly(self.socket, struct.unpack(">I", read_exactly(self.socket, 4))[0]))
        return answer["status"], answer["body"]

    def ask(self, payload):
        self.send(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
        return self.receive()

    def is_closed(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


class SigningSocket(Connection):
    """The signing API over the enclave's unix socket."""

    def __init__(self, path, ca_file):
        context = ssl.create_default_context(cafile=ca_file)
        self.http = http.client.HTTPConnection("localhost")
        self.http.sock = context.wrap_socket(unix_connection(path), server_hostname="localhost")


def memfd(contents, seals=ALL_WRITE_SEALS):
    fd = os.memfd_create("configuration", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, contents)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


class Enclave:
    """A running ensign-enclave. Its sockets are in a folder that is made for it."""

    def __init__(self, program, configuration, nsm, folder, store=None, seals=ALL_WRITE_SEALS):
        folder.mkdir()
        self.folder = folder
        self.store = store or folder / "store"
        self.store.mkdir(exist_ok=True)
        self.log_file = folder / "log"
        self.fetched = []
        self.control_path, self.signing_path, self.kms_path = (folder / name for name in ["control", "signing", "kms"])
        arguments = [program, "--control", f"unix:{self.control_path}", "--signing", f"unix:{self.signing_path}", "--kms",
                     f"unix:{self.kms_path}", "--nsm", nsm, "--store", self.store]
        fd = memfd(configuration, seals)
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env={}, pass_fds=[3], preexec_fn=lambda: os.dup2(fd, 3))
        os.close(fd)

    def fetch_log(self):
        """What it has logged since the last time, as text; only its parent can ask for it."""
        with contextlib.suppress(OSError, ValueError), Control(self.control_path, 5) as control:
            more = True
            while more:
                status, body = control.ask({"operation": "log"})
                assert status == 200, body
                more = body["more"]
                for line in body["lines"]:
                    head = [str(line.pop(name, "?")) for name in ["time", "level", "program", "event"]]
                    self.fetched.append(" ".join(head + [f"{name}={value}" for name, value in line.items()]))

    @property
    def log(self):
        if self.process.poll() is None:
            self.fetch_log()
        return "\n".join(self.fetched) + "\n" + self.log_file.read_text(errors="replace")

    def wait_up(self):
        wait_for(lambda: self.control_path.exists() and "waiting_for_keys" in self.log or self.process.poll() is not None,
                 "the enclave waits for keys")
        if self.process.poll() is not None:
            raise AssertionError(f"the enclave ended with {self.process.returncode}:\n{self.log}")

    def wait_end(self, timeout=15):
        return self.process.wait(timeout)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def roles(self):
        """{role: pid} of init's children while there is nothing to open: an opener lives for one job."""
        return wait_for(lambda: sorted(found := self.find_roles()) == ROLES and found, "all roles run, and no opener")

    def find_roles(self):
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if not entry.name.isdigit() or f"PPid:\t{self.process.pid}\n" not in (entry / "status").read_text():
                    continue
                arguments = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if "--role" in arguments:
                found[arguments[arguments.index("--role") + 1]] = int(entry.name)
        return found

    def control(self):
        return Control(self.control_path)

    def ask(self, request):
        with self.control() as control:
            return control.ask(request)


def forward(address, alter=lambda data, offset: data, totals=None):
    """To `address`; what comes back goes through `alter`, which may return None to cut the connection."""

    def behave(client):
        offset = 0
        with socket.create_connection(address) as server:
            while True:
                ready = select.select([client, server], [], [], 30)[0]
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        if totals is not None:
                            totals.append(offset)
                        return
                    if source is client:
                        server.sendall(data)
                        continue
                    offset += len(data)
                    data = alter(data, offset - len(data))
                    if data is None:
                        return
                    client.sendall(data)

    return behave


def cut_after(size):
    return lambda data, offset: data if offset + len(data) <= size else None


def corrupt_at(place):
    def alter(data, offset):
        if not offset <= place < offset + len(data):
            return data
        index = place - offset
        return data[:index] + bytes([data[index] ^ 1]) + data[index + 1:]

    return alter


def answer_garbage(garbage):
    def behave(client):
        client.recv(65536)
        client.sendall(garbage)

    return behave


def stall(seconds):
    return lambda client: time.sleep(seconds)


class Listener:
    """Serves each connection in a thread of its own."""

    def __init__(self, server):
        self.server = server
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping:
            try:
                client = self.server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.guard, args=[client], daemon=True).start()

    def guard(self, client):
        # A peer that hangs up is part of every test.
        with client, contextlib.suppress(OSError):
            self.serve(client)

    def stop(self):
        self.stopping = True
        with contextlib.suppress(OSError):
            self.server.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)
        self.server.close()


class Relay(Listener):
    def __init__(self, path, behave):
        self.path = path
        self.behave = behave
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen(64)
        super().__init__(server)

    def serve(self, client):
        self.behave(client)

    def stop(self):
        super().stop()
        self.path.unlink(missing_ok=True)


def http_answer(body, status="200 OK", *headers, length=None):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class FalseKms(Listener):
    """A KMS that has the simulator's TLS identity, as if TLS were broken, and answers as the test says."""

    def __init__(self, simulator, folder):
        with contextlib.closing(sqlite3.connect(simulator / "sim.sqlite")) as store:
            settings = dict(store.execute("select name, value from settings"))
        key = base64.encodebytes(settings["tls-key-pkcs8"]).decode()
        identity = folder / "false-kms.pem"
        identity.touch(mode=0o600)
        identity.write_text(f"{settings['tls-chain-pem'].decode()}-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity)
        self.answer = None  # bytes, or what makes them of the request
        server = socket.create_server(("127.0.0.1", 0))
        self.address = server.getsockname()
        super().__init__(server)

    def serve(self, client):
        with self.context.wrap_socket(client, server_side=True) as tls:
            request = b""
            while b"\r\n\r\n" not in request:
                request += tls.recv(65536)
            head, body = request.split(b"\r\n\r\n", 1)
            size = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
            body += read_exactly(tls, size - len(body))
            tls.sendall(self.answer(head + b"\r\n\r\n" + body) if callable(self.answer) else self.answer)


class ParentTest(SignerTest):
    """A sealed table of two keys and a simulator that serves; the host is gone and the test takes its place."""

    def setUp(self):
        super().setUp()
        cases = json.loads((OWN_VECTORS / "signing/randao_reveal.json").read_text())
        self.cases = [case for case in cases if case["network"] == "mainnet"][:2]
        folder, password_file, _ = self.keystores(secrets=[case["secret_key"] for case in self.cases])
        self.signer = self.up("signer", "--keystores", folder, "--password-file", password_file)
        self.local = self.folder / "signer"
        self.stop_host()
        self.endpoints = json.loads((self.local / "sim/endpoints.json").read_text())
        self.program = self.local / "image/ensign-enclave"
        self.configuration = (self.local / "image/enclave.json").read_bytes()
        self.read_tables()
        host, port = self.endpoints["kms_address"].removeprefix("tcp:").rsplit(":", 1)
        self.kms_address = (host, int(port))
        self.enclaves = 0

    def stop_host(self):
        status = self.status()
        os.kill(status["host_pid"], signal.SIGTERM)
        wait_for(lambda: not self.status()["host_pid"], "the host is gone")

    def read_tables(self):
        with contextlib.closing(sqlite3.connect(self.local / "tables.sqlite")) as tables:
            tables.row_factory = sqlite3.Row
            rows = tables.execute("select pubkey, chain, sealed_key_b64, data_key_b64 from ValidatorKeys order by pubkey")
            self.rows = [dict(row) for row in rows]
            self.tls_key = tables.execute("select encrypted_tls_key_b64 from TLSKeys").fetchone()[0]

    def credential(self):
        """Of the instance's role, as the host gets it."""
        base = self.endpoints["imds_url"] + "/latest"

        def get(path, method="GET", **headers):
            request = urllib.request.Request(base + path, method=method, headers=headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read().decode()

        token = {"X-aws-ec2-metadata-token": get("/api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})}
        role = get("/meta-data/iam/security-credentials/", **token).split()[0]
        found = json.loads(get(f"/meta-data/iam/security-credentials/{role}", **token))
        return {"access_key_id": found["AccessKeyId"], "secret_access_key": found["SecretAccessKey"], "token": found["Token"]}

    def init_request(self):
        return {"operation": "init", "credential": self.credential(), "encrypted_tls_key": self.tls_key,
                "encrypted_validator_keys": [dict(row) for row in self.rows]}

    def launch(self, configuration=None, program=None, **options):
        """Not waited for."""
        self.enclaves += 1
        configuration = self.configuration if configuration is None else configuration
        enclave = Enclave(program or self.program, configuration, self.endpoints["nsm_address"], self.folder / f"e{self.enclaves}",
                          **options)
        self.addCleanup(enclave.stop)
        return enclave

    def boot(self, *arguments, **options):
        """(enclave that waits for keys, its relay to KMS)"""
        enclave = self.launch(*arguments, **options)
        enclave.wait_up()
        return enclave, self.relay(enclave, forward(self.kms_address))

    def relay(self, enclave, behave):
        relay = Relay(enclave.kms_path, behave)
        self.addCleanup(relay.stop)
        return relay

    def serve(self, **options):
        """(enclave that signs, its relay to KMS)"""
        enclave, relay = self.boot(**options)
        self.assert_init(enclave)
        return enclave, relay

    def assert_init(self, enclave):
        status, body = enclave.ask(self.init_request())
        self.assertEqual((status, body), (200, {"initialized": True, "key_count": len(self.rows)}), enclave.log)
        status, body = enclave.ask({"operation": "slashing", "action": "begin"})
        self.assertEqual((status, body["keys"]), (200, len(self.rows)), enclave.log)

    def assert_signs(self, enclave):
        """The signatures of the vectors, which were made elsewhere."""
        with contextlib.closing(SigningSocket(enclave.signing_path, self.signer["ca_file"])) as connection:
            for case in self.cases:
                self.assertEqual(connection.sign(case["public_key"], case["body"]), (200, {"signature": case["signature"]}))

    def assert_waiting(self, enclave):
        """Uninitialised, serving nothing, and whole."""
        self.assertIsNone(enclave.process.poll(), enclave.log)
        self.assertEqual(enclave.ask({"operation": "init_state"}), (200, {"initialized": False, "key_count": 0}))
        with self.assertRaises(ConnectionRefusedError):
            unix_connection(enclave.signing_path)

    def refused(self, enclave, request, status, *texts):
        answer, body = enclave.ask(request)
        for text in texts:
            self.assertIn(text, body["message"])
        self.assertEqual(answer, status, body)
        self.assertLess(len(body["message"]), 1024)
        self.assert_waiting(enclave)

    def accepted_after_all(self, enclave, roles):
        """Nothing died on the way, and the same enclave can be provisioned."""
        self.assertEqual(enclave.roles(), roles)
        self.assert_init(enclave)
        self.assert_signs(enclave)
        for secret in [self.credential()["secret_access_key"], *(case["secret_key"].removeprefix("0x") for case in self.cases)]:
            self.assertNotIn(secret, enclave.log)

    def measurement(self, configuration):
        """PCR0 as docs/protocols.md defines it."""
        image = hashlib.sha384(self.program.read_bytes() + configuration).digest()
        return hashlib.sha384(bytes(48) + image).hexdigest()

    def other_simulator(self):
        """The address of a KMS with the same names, but with a certificate of another authority."""
        folder = self.folder / "other"
        run("local", "up", "--dir", folder, "--listen", "127.0.0.1:0", "--json", check=0)
        endpoints = json.loads((folder / "sim/endpoints.json").read_text())
        host, port = endpoints["kms_address"].removeprefix("tcp:").rsplit(":", 1)
        return (host, int(port))
