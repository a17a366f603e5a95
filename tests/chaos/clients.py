# SPDX-License-Identifier: Apache-2.0
"""Validator clients that race each other for conflicting duties, in processes of their own, and write down every signature they were
given: the referee's evidence. Whatever a signer does to them, down to cutting the connection, they go on."""
import argparse
import http.client
import json
import pathlib
import random
import signal
import ssl
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from signer import attestation, block  # noqa: E402

SLOTS_PER_EPOCH = 32
# Every signature in the log is there before the next request: one line, one write.
RECONNECT_S = 0.1
REQUEST_TIMEOUT_S = 5


class Duties:
    """What all clients want signed at about the same time: the same few epochs, with roots that contradict each other."""

    def __init__(self, seed, keys, first_epoch, epochs_per_second):
        self.random = random.Random(seed)
        self.keys = keys
        self.first_epoch = first_epoch
        self.epochs_per_second = epochs_per_second
        self.start = time.monotonic()

    def next(self):
        now = self.first_epoch + int((time.monotonic() - self.start) * self.epochs_per_second)
        key = self.random.choice(self.keys)
        root = "0x" + self.random.choice(["11", "99"]) * 32
        if self.random.random() < 0.25:
            slot = now * SLOTS_PER_EPOCH + self.random.randint(-3, 3)
            return key, block(slot, root), {"kind": "block", "key": key, "slot": slot}
        target = now + self.random.randint(-2, 2)
        source = target - self.random.randint(1, 4)
        return key, attestation(target, source, root), {"kind": "attestation", "key": key, "source": source, "target": target}


class Client(threading.Thread):
    def __init__(self, signers, duties, log, stop):
        super().__init__(daemon=True)
        self.signers = signers
        self.duties = duties
        self.log = log
        self.stop = stop
        self.connections = {}

    def connection(self, signer):
        if signer not in self.connections:
            host, port = signer[0].removeprefix("https://").rsplit(":", 1)
            context = ssl.create_default_context(cafile=signer[1])
            self.connections[signer] = http.client.HTTPSConnection(host, int(port), context=context, timeout=REQUEST_TIMEOUT_S)
        return self.connections[signer]

    def ask(self, signer, key, body):
        try:
            connection = self.connection(signer)
            connection.request("POST", f"/api/v1/eth2/sign/{key}", json.dumps(body),
                               {"Content-Type": "application/json", "Accept": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            old = self.connections.pop(signer, None)
            if old:
                old.close()
            self.stop.wait(RECONNECT_S)
            return 0, b""

    def run(self):
        while not self.stop.is_set():
            key, body, record = self.duties.next()
            # Every signer is asked for the same duty, in an order that differs from client to client.
            for signer in self.duties.random.sample(self.signers, len(self.signers)):
                status, answer = self.ask(signer, key, body)
                record["status"] = status
                if status == 200:
                    record["signature"] = json.loads(answer)["signature"]
                self.log(record)
                record.pop("signature", None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--signers", required=True, help='JSON: [["https://…","ca.pem"],…]')
    parser.add_argument("--keys", required=True, help="file with one public key a line")
    parser.add_argument("--log", required=True)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--first-epoch", type=int, required=True)
    parser.add_argument("--epochs-per-second", type=float, required=True)
    options = parser.parse_args()
    keys = pathlib.Path(options.keys).read_text().split()
    signers = [tuple(signer) for signer in json.loads(options.signers)]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with open(options.log, "a", buffering=1) as log:
        lock = threading.Lock()

        def write(record):
            with lock:
                log.write(json.dumps(record) + "\n")

        clients = [Client(signers, Duties(options.seed * 1000 + i, keys, options.first_epoch, options.epochs_per_second), write, stop)
                   for i in range(options.threads)]
        for client in clients:
            client.start()
        stop.wait()
        for client in clients:
            client.join(2 * REQUEST_TIMEOUT_S)


if __name__ == "__main__":
    main()
