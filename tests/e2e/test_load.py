# SPDX-License-Identifier: Apache-2.0
"""A signer that is full: 10,000 keys, and as many connections as it takes. It signs, and refuses at once what is too much."""
import concurrent.futures
import contextlib
import json
import random
import re
import resource
import ssl
import subprocess
import threading
import unittest
import urllib.request
import warnings

import support  # noqa: F401
from signer import TEST_TOOLS, Connection, SignerTest, attestation, run, wait_for

KEYS = 10_000
CONNECTIONS = 4_096  # CONNECTION_LIMIT of src/enclave/frontend/frontend.c
REFUSALS = 50
REPLACED = 100
SIGNERS = 32
OPENERS = 8
# Two a connection in the host, one in the enclave and one here, and what each has besides.
DESCRIPTORS = 2 * CONNECTIONS + 1_000
# A connection that is left waiting would be there for good; a busy machine may be slow.
PATIENCE_S = 30


class Load(SignerTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < DESCRIPTORS:
            self.skipTest(f"{DESCRIPTORS} descriptors are needed, and RLIMIT_NOFILE allows {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        # The ssl module leaves a socket that was reset before its handshake to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        self.metrics_url = f"http://127.0.0.1:{self.reserve_port()}"
        self.signer = self.up("signer", "--metrics-listen", self.metrics_url.removeprefix("http://"))
        # One for all: reading the CA takes longer than a handshake.
        self.context = ssl.create_default_context(cafile=self.signer["ca_file"])

    def metric(self, name):
        with urllib.request.urlopen(self.metrics_url + "/metrics", timeout=PATIENCE_S) as answer:
            return int(re.search(rf"^{name} (\d+)$", answer.read().decode(), re.MULTILINE)[1])

    def open(self):
        """A kept connection that has had an answer."""
        connection = Connection(self.signer, timeout=PATIENCE_S, context=self.context)
        self.addCleanup(connection.close)
        self.upcheck(connection)
        return connection

    def upcheck(self, connection):
        status, _, body = connection.request("GET", "/upcheck")
        self.assertEqual((status, body), (200, b"OK"))

    def open_or_none(self):
        """None: it was closed. One that hangs is a TimeoutError, which fails the test."""
        try:
            return self.open()
        except TimeoutError:
            raise
        except OSError:
            return None

    def on_all(self, function, arguments):
        with concurrent.futures.ThreadPoolExecutor(OPENERS) as pool:
            return list(pool.map(function, arguments))

    # ---- keys ----

    def add_keys(self):
        """All keys of the signer, of which there are KEYS then."""
        tool = [TEST_TOOLS / "add-keys", self.signer["dir"], str(KEYS - 1)]
        added = subprocess.run(tool, check=True, capture_output=True, text=True, timeout=120).stdout.split()
        reloaded = json.loads(run("local", "reload", "--dir", self.signer["dir"], "--json", check=0).stdout)
        self.assertEqual(reloaded, {"key_count": KEYS, "added": KEYS - 1, "removed": 0, "failed": 0, "failures": []})
        begun = json.loads(run("slashing", "fresh", "--all-loaded", "--dir", self.signer["dir"], "--json", check=0).stdout)
        self.assertEqual(begun, {"keys": KEYS, "new": KEYS - 1})
        return self.signer["public_keys"] + added

    def check_keys(self, keys):
        some = random.sample(keys, 100)
        with Connection(self.signer, timeout=PATIENCE_S, context=self.context) as connection:
            status, _, listed = connection.request("GET", "/api/v1/eth2/publicKeys")
            self.assertEqual((status, sorted(json.loads(listed))), (200, sorted(keys)))
            self.assertEqual(connection.sign("0x" + "ab" * 48, attestation(1))[0], 404)
            answers = [connection.sign(key, attestation(1)) for key in some]
            self.assertEqual([status for status, _ in answers], [200] * len(some))
            signatures = [answer["signature"] for _, answer in answers]
            self.assertEqual(len(set(signatures)), len(some))
            status, results = connection.sign_batch(some, attestation(1))
            self.assertEqual((status, [result["signature"] for result in results]), (200, signatures))

    # ---- connections ----

    def fill(self):
        wait_for(lambda: self.metric("ensign_open_connections") == 0, "nobody is connected", PATIENCE_S)
        connections = self.on_all(lambda _: self.open(), range(CONNECTIONS))
        self.assertEqual(self.metric("ensign_open_connections"), CONNECTIONS)
        return connections

    def assert_refuses(self):
        before = self.metric("ensign_connections_refused_total")
        for _ in range(REFUSALS):
            self.assertIsNone(self.open_or_none())
        self.assertEqual(self.metric("ensign_connections_refused_total"), before + REFUSALS)

    @contextlib.contextmanager
    def signing(self, connections, keys):
        """Meanwhile each of these connections signs with a key of its own, one request after the other."""
        stop = threading.Event()
        answers = [[] for _ in connections]

        def sign(connection, key, answers):
            while not stop.is_set():
                answers.append(connection.sign(key, attestation(2 + len(answers))))

        threads = [threading.Thread(target=sign, args=arguments) for arguments in zip(connections, keys, answers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for of_one in answers:
            self.assertGreater(len(of_one), 0)
            self.assertEqual([answer for answer in of_one if answer[0] != 200], [])

    def replace(self, connections):
        """Some go, and as many others find room; the signer hears of an end a little later than its client."""
        for connection in connections[:REPLACED]:
            connection.close()
        for place in range(REPLACED):
            connections[place] = wait_for(self.open_or_none, "there is room again", PATIENCE_S)

    def test_full(self):
        keys = self.add_keys()
        self.check_keys(keys)
        connections = self.fill()
        with self.signing(random.sample(connections, SIGNERS), random.sample(keys, SIGNERS)):
            self.assert_refuses()
        self.on_all(self.upcheck, connections)
        self.replace(connections)
        self.assert_refuses()
        self.on_all(self.upcheck, connections)
        self.assertEqual(self.metric("ensign_open_connections"), CONNECTIONS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
