# SPDX-License-Identifier: Apache-2.0
"""
What slashing protection costs: the same votes to three signers that differ only in where histories are kept, in turn, several times:

- off: nothing is written (`local up --slashing off`, which no signer of a real network should have);
- SQLite: the embedded store, on the disk that the temporary folder is on;
- DynamoDB: a table of an emulator on this machine, through the host's relay and a TLS door, so without the way to AWS and back.

A commit is a group of the ledger's: one durable transaction of SQLite, one round of conditional writes to a table.
"""
import contextlib
import os
import re
import socket
import statistics
import subprocess
import urllib.request

import certificates
import common
from common import CONNECTIONS, NOISE, VOTERS, Signer, show_table
from table import NAME, Emulator

PREPARATIONS = [["scripts/install-packages", "bench"], ["scripts/get-dynoxide"]]
SECONDS = max(1, int(os.environ.get("BENCH_SECONDS", "5")) // 2)
TURNS = 5
ROUNDS = max(10, int(os.environ.get("BENCH_ROUNDS", "150")) // TURNS)
# Epochs of a turn; far more than it uses.
TURN_EPOCHS = 1_000_000


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def table_options(folder):
    """A table, and TLS in front of it: a program that is not ours and does nothing else."""
    emulator = Emulator()
    authority = certificates.authority(folder / "tls", "ca")
    certificate = certificates.server(folder / "tls", "server", authority)
    port = free_port()
    door = subprocess.Popen(["socat", f"OPENSSL-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,nodelay,verify=0,cert={certificate.path},"
                             f"key={certificate.key_path}", f"TCP:127.0.0.1:{emulator.port},nodelay"])
    try:
        yield ["--slashing-table", NAME, "--slashing-host", f"localhost:{port}", "--slashing-ca", authority.path]
    finally:
        door.kill()
        door.wait()
        emulator.stop()


class Store:
    """A signer and what was measured of it, turn by turn."""

    def __init__(self, folder, label, options):
        self.label = label
        self.metrics_port = free_port()
        self.signer = Signer(folder, label, ["--metrics-listen", f"127.0.0.1:{self.metrics_port}", *options])
        self.signer.add_burst_keys()
        self.turns = []

    def counts(self):
        """(commits, signings made durable) since the start"""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30) as answer:
            text = answer.read().decode()

        def value(name):
            found = re.search(rf"^{name} ([0-9.e+]+)$", text, re.MULTILINE)
            return float(found[1]) if found else 0.0
        return value("ensign_ledger_group_size_count"), value("ensign_ledger_group_size_sum")

    def per_thousand(self, measure):
        before = self.counts()
        figures = measure()
        commits, signings = (after - first for after, first in zip(self.counts(), before))
        figures["commits_per_1000"] = 1000 * commits / signings if signings else 0.0
        return figures

    def take_turn(self, number):
        first_epoch = (number + 1) * TURN_EPOCHS
        load = self.per_thousand(lambda: self.signer.load("attestation", SECONDS, first_epoch))
        burst = self.per_thousand(lambda: self.signer.burst("single", CONNECTIONS, ROUNDS, first_epoch))
        burst["per_second"] = VOTERS / burst["wall_p50_us"] * 1e6
        self.turns.append({"steady": load, "burst": burst})

    def median(self, kind, name):
        return statistics.median(turn[kind][name] for turn in self.turns)

    def spread(self, kind, name):
        values = [turn[kind][name] for turn in self.turns]
        return (max(values) - min(values)) / statistics.median(values)


def measure(folder):
    rates = []
    stores = []
    with table_options(folder) as table, contextlib.ExitStack() as signers:
        for label, options in [("off", ["--slashing", "off"]), ("SQLite", []), ("DynamoDB", table)]:
            stores.append(Store(folder, label, options))
            signers.callback(stores[-1].signer.down)
        for number in range(TURNS):
            rates.append(common.blst(SECONDS))
            for store in stores:
                store.take_turn(number)
        rates.append(common.blst(SECONDS))
    return {"cores": os.cpu_count(), "raw_blst_per_second": rates, "stores": [describe(store, stores[0], rates) for store in stores]}


def describe(store, off, rates):
    figures = {"store": store.label, "turns": store.turns}
    for kind in ["steady", "burst"]:
        rate = store.median(kind, "per_second")
        figures[kind] = {
            "per_second": rate, "spread": store.spread(kind, "per_second"),
            "of_off": statistics.median(mine[kind]["per_second"] / base[kind]["per_second"] for mine, base in zip(store.turns, off.turns)),
            "of_raw_blst": rate / statistics.median(rates), "commits_per_1000": store.median(kind, "commits_per_1000"),
        }
    for percentile in ["p50", "p99"]:
        figures["steady"][f"{percentile}_us"] = store.median("steady", f"{percentile}_us")
        figures["burst"][f"wall_{percentile}_us"] = store.median("burst", f"wall_{percentile}_us")
        figures["burst"][f"request_{percentile}_us"] = store.median("burst", f"request_{percentile}_us")
    return figures


def row(figures, *times):
    return [f"{figures['per_second']:.0f}", f"±{figures['spread'] / 2:.0%}", f"{figures['of_off']:.1%}", f"{figures['of_raw_blst']:.1%}",
            *(f"{figures[name] / 1000:.1f}" for name in times), f"{figures['commits_per_1000']:.1f}"]


def show(results):
    rates = results["raw_blst_per_second"]
    print(f"raw blst, {results['cores']} cores: {', '.join(f'{rate:.0f}' for rate in rates)} signatures/s")
    head = ["per second", "spread", "of off", "of raw blst", "p50 ms", "p99 ms", "commits/1000"]
    show_table([f"steady votes, {CONNECTIONS} connections, median of {TURNS}", *head],
               *([figures["store"], *row(figures["steady"], "p50_us", "p99_us")] for figures in results["stores"]))
    show_table([f"{VOTERS} votes at once, {ROUNDS} times {TURNS}", *head],
               *([figures["store"], *row(figures["burst"], "wall_p50_us", "wall_p99_us")] for figures in results["stores"]))
    if max(rates) > NOISE * min(rates):
        print(f"\nnoisy: blst alone differed by more than {NOISE - 1:.0%} from one turn to another")
