# SPDX-License-Identifier: Apache-2.0
"""AWS on this computer: moto's server for what it knows, ensign-sim for KMS, instance metadata and the NSM, one TLS door in front of both, and instances on which the
real ensign-host runs real images through a stand-in for nitro-cli."""
import http.client
import http.server
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import unittest

import certificates
from signer import PROGRAMS, TOP, wait_for

TOOLS = TOP / ".deps/python-tools/bin"
REGION = "us-east-1"
ACCOUNT = "000000000000"
PATIENCE_S = 60


def needs_tools():
    """With CI=true missing tools are a failure."""
    if (TOOLS / "moto_server").exists():
        return
    if os.environ.get("CI") == "true":
        raise AssertionError("scripts/get-python-tools has not run")
    raise unittest.SkipTest("scripts/get-python-tools has not run")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def stub_kernel(path):
    """What the format of images asks of a bzImage; nothing boots here."""
    image = bytearray(4096)
    image[0x1FE:0x206] = b"\x55\xaa\0\0HdrS"
    image[0x211] = 1
    path.write_bytes(bytes(image))
    return path


class Door:
    """TLS; requests go on to `route(operation)`, a function that makes a connection, as they are: their signatures are over the name of this door."""

    def __init__(self, certificate, route):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def read_body(self):
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return body

            def forward(self):
                body = self.read_body()
                far = route(self.headers.get("X-Amz-Target", ""))
                try:
                    far.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        if name.lower() not in ("content-length", "transfer-encoding", "expect", "connection"):
                            far.putheader(name, value)
                    far.putheader("Content-Length", str(len(body)))
                    far.endheaders(body)
                    answer = far.getresponse()
                    text = answer.read()
                finally:
                    far.close()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(text)))
                else:
                    self.send_header("Content-Length", answer.getheader("Content-Length", "0"))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = forward

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.path, certificate.key_path)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Cloud:
    def __init__(self, test, folder):
        needs_tools()
        self.test = test
        self.folder = folder
        (folder / "images").mkdir()
        (folder / "instances").mkdir()
        self.simulator = None
        self.start_simulator()
        ca = certificates.authority(folder / "tls", "ca")
        self.ca = folder / "ca-bundle.pem"
        self.ca.write_text(ca.pem + pathlib.Path(self.endpoints["kms_ca_file"]).read_text())
        self.moto_port = free_port()
        self.door = Door(certificates.server(folder / "tls", "server", ca), self.connect)
        test.addCleanup(self.door.stop)
        self.url = f"https://localhost:{self.door.port}"
        operator = json.loads(pathlib.Path(self.endpoints["operator_credentials_file"]).read_text())
        self.emulated = {
            "kms": {"url": self.endpoints["kms_url"], "ca": self.endpoints["kms_ca_file"], "key_id": operator["access_key_id"], "secret": operator["secret_access_key"],
                    "arn": self.endpoints["operator_arn"]},
            "instances": str(folder / "instances"), "functions": str(folder / "functions"), "function_environment": {}}
        self.write_emulated()
        self.env = {"PATH": f"{PROGRAMS}:{TOOLS}:{os.environ['PATH']}", "HOME": str(folder), "AWS_ACCESS_KEY_ID": operator["access_key_id"],
                    "AWS_SECRET_ACCESS_KEY": operator["secret_access_key"], "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": self.url,
                    "AWS_CA_BUNDLE": str(self.ca), "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true", "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
                    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required", "ENSIGN_DEPLOY_POLL_S": "0.2", "NO_PROXY": "localhost,127.0.0.1",
                    **{name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}}
        self.start_moto()

    # ---- services ----

    def start(self, name, arguments, **options):
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([str(one) for one in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        log.close()

        def stop():
            process.terminate()
            process.wait(PATIENCE_S)

        self.test.addCleanup(stop)
        return process

    def start_simulator(self, *options):
        """Again with other roles: keys, policies and ports stay."""
        if self.simulator:
            self.simulator.terminate()
            self.simulator.wait(PATIENCE_S)
        path = self.folder / "sim/endpoints.json"
        path.unlink(missing_ok=True)
        self.simulator = self.start("sim", [PROGRAMS / "ensign-sim", "--dir", self.folder / "sim", "--images", self.folder / "images", *options])
        wait_for(path.exists, "ensign-sim")
        self.endpoints = json.loads(path.read_text())

    def start_moto(self):
        env = {**self.env, "ENSIGN_EMULATED": str(self.folder / "emulated.json"), "MOTO_ACCOUNT_ID": ACCOUNT}
        self.start("moto", [TOOLS / "python", TOP / "tests/support/aws_emulator.py", self.moto_port], env=env)

        def is_up():
            try:
                with socket.create_connection(("127.0.0.1", self.moto_port), timeout=1):
                    return True
            except OSError:
                return False

        wait_for(is_up, "moto", PATIENCE_S)

    def write_emulated(self):
        (self.folder / "emulated.json").write_text(json.dumps(self.emulated))

    def connect(self, target):
        if not target.startswith("TrentService."):
            return http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=PATIENCE_S)
        host, port = self.endpoints["kms_address"].removeprefix("tcp:").rsplit(":", 1)
        context = ssl.create_default_context(cafile=self.endpoints["kms_ca_file"])
        context.check_hostname = False
        return http.client.HTTPSConnection(host, int(port), context=context, timeout=PATIENCE_S)

    # ---- clients ----

    def aws(self, *arguments):
        done = subprocess.run([TOOLS / "aws", "--output", "json", *map(str, arguments)], env=self.env, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, f"aws {arguments}\n{done.stderr}"
        return json.loads(done.stdout or "null")

    def ensign(self, *arguments, check=0):
        done = subprocess.run([PROGRAMS / "ensign", *map(str, arguments)], env=self.env, capture_output=True, text=True, timeout=120)
        assert done.returncode == check, f"ensign {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if check == 0 else done.stderr

    def create_table(self, name, **key):
        self.aws("dynamodb", "create-table", "--table-name", name, "--billing-mode", "PAY_PER_REQUEST", "--key-schema",
                 *[f"AttributeName={attribute},KeyType={kind}" for attribute, kind in zip(key, ["HASH", "RANGE"])],
                 "--attribute-definitions", *[f"AttributeName={attribute},AttributeType={kind}" for attribute, kind in key.items()])


class Instance:
    """An EC2 instance with ensign-host as a service: systemd's part is played here, nitro-cli's by tests/support/nitro-cli."""

    SYSTEMCTL = """#!/bin/bash
# systemctl reload|restart|stop|start ensign-host.service
pid=$(cat {folder}/pid)
case $1 in
reload) kill -HUP "$pid" ;;
stop) touch {folder}/stopped; kill -TERM "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done ;;
start) rm -f {folder}/stopped ;;
restart) kill -TERM "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; while [ "$(cat {folder}/pid)" = "$pid" ]; do sleep 0.05; done ;;
*) exit 1 ;;
esac
"""
    SHELL = """#!/bin/bash
# What SSM's agent does with a line.
line=${{1//\\/run\\/ensign/{folder}\\/run}}
line=${{line//\\/opt\\/ensign\\/bin/{programs}}}
line=${{line// status --json/ status --root {root} --json}}
line=${{line//127.0.0.1:9001/127.0.0.1:{metrics}}}
line=${{line//127.0.0.1:8443/127.0.0.1:{port}}}
PATH={folder}/bin:$PATH exec bash -c "$line"
"""

    def __init__(self, cloud, name, environment, image, programs=PROGRAMS, settings=None):
        self.cloud = cloud
        self.name = name
        self.folder = cloud.folder / "instances" / name
        self.port, self.metrics_port = free_port(), free_port()
        self.programs = programs
        self.environment = environment
        self.settings = settings or {}
        self.messages = []  # to systemd: (monotonic, text)
        self.host = None
        self.restarts = True
        for part in ["run", "store", "bin", "nitro"]:
            (self.folder / part).mkdir(parents=True, mode=0o700)
        (self.folder / "nitro/nitro-cli").symlink_to(TOP / "tests/support/nitro-cli")
        self.script("bin/systemctl", self.SYSTEMCTL.format(folder=self.folder))
        escaped = {"folder": str(self.folder).replace("/", "\\/"), "programs": str(self.programs).replace("/", "\\/")}
        self.script("shell", self.SHELL.format(metrics=self.metrics_port, port=self.port, root=str(cloud.folder / "sim/attestation-root.pem").replace("/", "\\/"), **escaped))
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(self.folder / "notify"))
        threading.Thread(target=self.listen, daemon=True).start()
        cloud.test.addCleanup(self.end)
        self.set_image(image)

    def script(self, name, text):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def set_image(self, image):
        """Of the next launch."""
        run = self.folder / "run"
        endpoints = self.cloud.endpoints
        arguments = ["--control", f"unix:{run}/e-control.sock", "--signing", f"unix:{run}/e-signing.sock", "--kms", f"unix:{run}/kms.sock", "--table", f"unix:{run}/dynamodb.sock",
                     "--nsm", endpoints["nsm_address"], "--store", str(self.folder / "store")]
        (self.folder / "nitro/stand-in.json").write_text(json.dumps({"arguments": arguments, "images": str(self.cloud.folder / "images")}))
        place = {"region": REGION, "host": f"localhost:{self.cloud.door.port}", "ca_file": str(self.cloud.ca)}
        door = f"tcp:127.0.0.1:{self.cloud.door.port}"
        (self.folder / "host.json").write_text(json.dumps({
            "listen": f"tcp:127.0.0.1:{self.port}", "metrics_listen": f"tcp:127.0.0.1:{self.metrics_port}", "credentials": f"imds:{endpoints['imds_url']}",
            "dynamodb": place, "ssm": place, "tables_poll_s": 1,
            "relays": [{"name": "kms", "listen": f"unix:{run}/kms.sock", "connect": endpoints["kms_address"]},
                       {"name": "dynamodb", "listen": f"unix:{run}/dynamodb.sock", "connect": door}],
            "nitro": {"eif": str(image), "cpu_count": 2, "memory_mib": 256, "nitro_cli": str(self.folder / "nitro/nitro-cli"),
                      "control": f"unix:{run}/e-control.sock", "signing": f"unix:{run}/e-signing.sock"}, **self.settings}))

    # ---- systemd ----

    def listen(self):
        while True:
            try:
                text = self.manager.recv(4096).decode()
            except OSError:
                return
            if not text:
                return
            if text != "WATCHDOG=1\n":
                self.messages.append((time.monotonic(), text))

    def said(self, text):
        return any(text in message for _, message in self.messages)

    def wait_said(self, text):
        wait_for(lambda: self.said(text), f"{self.name} says {text}")

    def launch(self):
        env = {**self.environment, "PATH": os.environ["PATH"], "RUNTIME_DIRECTORY": str(self.folder / "run"), "STATE_DIRECTORY": str(self.folder / "store"),
               "NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "2000000",
               **{name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}}
        log = open(self.folder / "host.log", "ab")
        self.host = subprocess.Popen([self.programs / "ensign-host", "--instance", "--config", self.folder / "host.json"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        log.close()
        (self.folder / "pid").write_text(str(self.host.pid))

    def start(self):
        self.launch()
        threading.Thread(target=self.keep, daemon=True).start()
        return self

    def keep(self):
        """Restart=always, RestartSec=1"""
        while self.restarts:
            self.host.wait()
            time.sleep(1)
            while self.restarts and (self.folder / "stopped").exists():
                time.sleep(0.05)
            if self.restarts:
                self.launch()

    def kill(self):
        """The instance is gone, at once, enclave and all."""
        self.restarts = False
        self.host.kill()
        enclave = self.folder / "nitro/enclave.json"
        if enclave.exists():
            try:
                os.kill(json.loads(enclave.read_text())["ProcessID"], signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.host.wait(PATIENCE_S)

    def terminate(self):
        """What EC2 does to an instance that is no longer wanted: it shuts down in order."""
        self.restarts = False
        self.host.terminate()
        self.host.wait(PATIENCE_S)

    def end(self):
        if self.host and self.host.poll() is None:
            self.kill()
        self.restarts = False
        try:
            self.manager.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.manager.close()

    # ---- looking ----

    def status(self):
        try:
            return json.loads((self.folder / "run/status.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {"state": "none", "last_error": None, "pid": 0}

    def wait_state(self, state, patience_s=PATIENCE_S):
        try:
            wait_for(lambda: self.status()["state"] == state, f"{self.name}: {state}", patience_s)
        except AssertionError:
            print(self.status(), (self.folder / "host.log").read_text()[-3000:], file=sys.stderr)
            raise

    def get(self, path):
        """(status, text) of the host's own port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text
