# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: real programs in a folder of their own, and an HTTPS client of the standard library."""
import http.client
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

# Set by meson; by hand: python3 tests/e2e/test_local.py Life.test_sign_command
TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("ENSIGN_PROGRAMS", TOP / "build/src/bin"))
TEST_TOOLS = pathlib.Path(os.environ.get("ENSIGN_TEST_TOOLS", TOP / "build/tests/e2e"))
OWN_VECTORS = pathlib.Path(os.environ.get("ENSIGN_OWN_VECTORS", TOP / "tests/vectors"))
PUBLIC_VECTORS = pathlib.Path(os.environ.get("ENSIGN_VECTORS", TOP / "../shared/vectors"))
MAINNET_ROOT = "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"


def run(*arguments, check=None, **options):
    """The `ensign` program; `check` is the exit code that is expected."""
    options.setdefault("timeout", 120)
    done = subprocess.run([PROGRAMS / "ensign", *map(str, arguments)], capture_output=True, text=True, **options)
    if check is not None and done.returncode != check:
        raise AssertionError(f"ensign {' '.join(map(str, arguments))}: {done.returncode}, expected {check}\n{done.stdout}{done.stderr}")
    return done


def processes_of(folder):
    """(pid, arguments) of every process that has the folder in its arguments or runs a program in it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        try:
            program = os.readlink(entry / "exe")
        except OSError:
            program = ""
        if str(folder) in arguments or program.startswith(str(folder)):
            found.append((int(entry.name), arguments))
    return found


def role_of(folder, role):
    """The pid of one role of the enclave that runs in this folder."""
    found = [pid for pid, arguments in processes_of(folder) if f"--role {role}" in arguments]
    assert len(found) == 1, (role, found)
    return found[0]


def wait_for(condition, what, timeout=30):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout} s: {what}")


class Connection:
    """One kept connection that checks the certificate and the name."""

    def __init__(self, up, timeout=15, context=None):
        context = context or ssl.create_default_context(cafile=up["ca_file"])
        host, port = up["url"].removeprefix("https://").rsplit(":", 1)
        self.http = http.client.HTTPSConnection(host, int(port), context=context, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        self.http.request(method, path, body, headers or {})
        answer = self.http.getresponse()
        return answer.status, answer.headers, answer.read()

    def sign(self, key, body):
        """(status, JSON of the answer or its bytes)"""
        text = body if isinstance(body, (bytes, str)) else json.dumps(body)
        status, _, answer = self.request(
            "POST", f"/api/v1/eth2/sign/{key}", text, {"Content-Type": "application/json", "Accept": "application/json"}
        )
        try:
            return status, json.loads(answer)
        except ValueError:
            return status, answer

    def sign_batch(self, keys, body):
        status, _, answer = self.request("POST", "/api/v1/eth2/sign", json.dumps({"identifiers": keys, "signing_request": body}))
        return status, json.loads(answer)

    def close(self):
        self.http.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SignerTest(unittest.TestCase):
    """Gives each test a folder, and afterwards insists that nothing of it is left running."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ensign-e2e-"))
        self.addCleanup(self.sweep)

    def sweep(self):
        for local in self.folder.rglob("local.json"):
            run("local", "down", "--dir", local.parent)
        left = processes_of(self.folder)
        for pid, _ in left:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(left, [], "left running")

    def reserve_port(self):
        """A port that no outgoing connection takes until the test is over, while a listener with SO_REUSEADDR may have it."""
        reserved = socket.socket()
        self.addCleanup(reserved.close)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        return reserved.getsockname()[1]

    def up(self, name="signer", *options, listen="127.0.0.1:0"):
        done = run("local", "up", "--dir", self.folder / name, "--listen", listen, "--json", *options)
        if done.returncode != 0:
            log = self.folder / name / "log/host.log"
            tail = log.read_text()[-4000:] if log.exists() else ""
            self.fail(f"local up: {done.returncode}\n{done.stderr}\n{tail}")
        return json.loads(done.stdout)

    def status(self, name="signer"):
        return json.loads(run("local", "status", "--dir", self.folder / name, "--json").stdout)

    def keystores(self, secrets=None, count=1, name="keystores", password="a password"):
        """Light keystores of given or new keys: (folder, password file, public keys)."""
        password_file = self.folder / f"{name}.txt"
        password_file.write_text(password + "\n")
        options = ["--count", count]
        if secrets:
            secret_file = self.folder / f"{name}.secret"
            secret_file.touch(mode=0o600)
            secret_file.write_text("\n".join(secrets) + "\n")
            options = ["--secret-key-file", secret_file]
        done = run("keystore", "create", "--out", self.folder / name, "--password-file", password_file, "--light", "--json",
                   "--description", "test", *options, check=0)
        return self.folder / name, password_file, [made["public_key"] for made in json.loads(done.stdout)]


def fork_info(root=MAINNET_ROOT):
    return {
        "fork": {"previous_version": "0x05000000", "current_version": "0x06000000", "epoch": "411392"},
        "genesis_validators_root": root,
    }


def attestation(target, source=None, root="0x" + "11" * 32, genesis=MAINNET_ROOT):
    source = target - 1 if source is None else source
    return {
        "type": "ATTESTATION",
        "fork_info": fork_info(genesis),
        "attestation": {
            "slot": str(target * 32),
            "index": "0",
            "beacon_block_root": root,
            "source": {"epoch": str(source), "root": "0x" + "22" * 32},
            "target": {"epoch": str(target), "root": "0x" + "33" * 32},
        },
    }


def block(slot, root="0x" + "44" * 32):
    return {
        "type": "BLOCK_V2",
        "fork_info": fork_info(),
        "beacon_block": {
            "version": "FULU",
            "block_header": {
                "slot": str(slot),
                "proposer_index": "7",
                "parent_root": "0x" + "55" * 32,
                "state_root": "0x" + "66" * 32,
                "body_root": root,
            },
        },
    }


def randao(epoch):
    return {"type": "RANDAO_REVEAL", "fork_info": fork_info(), "randao_reveal": {"epoch": str(epoch)}}


def voluntary_exit(epoch, validator=7):
    return {
        "type": "VOLUNTARY_EXIT",
        "fork_info": fork_info(),
        "voluntary_exit": {"epoch": str(epoch), "validator_index": str(validator)},
    }


def deposit(key):
    return {
        "type": "DEPOSIT",
        "deposit": {
            "pubkey": key,
            "withdrawal_credentials": "0x" + "00" * 32,
            "amount": "32000000000",
            "genesis_fork_version": "0x00000000",
        },
    }
