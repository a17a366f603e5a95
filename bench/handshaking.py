# SPDX-License-Identifier: Apache-2.0
"""
Clients that connect anew for every request: handshakes of TLS 1.2 and 1.3, full and resumed by a session ticket, in turn, several times.

The load generator shares the cores, so what counts is the processor time that all roles of the enclave spend on one: how many a core could
do in a second. Beside it, in the same turn: a full handshake with `openssl s_server` and a key of the same kind.
"""
import os
import socket
import statistics
import subprocess
import time

import common  # first: it says where the tests' modules are
import certificates
from common import BUILD, Signer, children_cpu_s, output, show_table, spread
from slashing import free_port

PREPARATIONS = [["scripts/install-packages", "test"]]
SECONDS = max(1, int(os.environ.get("BENCH_SECONDS", "5")) // 2)
TURNS = int(os.environ.get("BENCH_TURNS", "5"))
KINDS = [(version, kind) for version in ["1.2", "1.3"] for kind in ["full", "resumed"]]


def shake(target, version, kind):
    """handshakes, seconds"""
    return map(float, output(BUILD / "bench/handshakes", *target, version, kind, SECONDS).split())


def measure_signer(signer, version, kind):
    status = signer.status()
    before_s = common.cpu_s_of_enclave(status)
    count, seconds = shake(signer.target, version, kind)
    spent_s = common.cpu_s_of_enclave(status) - before_s
    return {"per_second": count / seconds, "cpu_us": spent_s / count * 1e6, "per_core_second": count / spent_s}


def wait_for(port):
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.01)


def measure_openssl(folder, authority, certificate, version):
    port = free_port()
    server = subprocess.Popen(["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", certificate.path, "-key",
                               certificate.key_path, "-www"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        count, _ = shake(["127.0.0.1", str(port), authority.path], version, "full")
        before_s = children_cpu_s()
    finally:
        server.kill()
        server.wait()
    return (children_cpu_s() - before_s) / count * 1e6


def measure(folder):
    authority = certificates.authority(folder / "tls", "ca")
    certificate = certificates.server(folder / "tls", "server", authority)
    signer = Signer(folder)
    turns = []
    try:
        for _ in range(TURNS):
            openssl = {version: measure_openssl(folder, authority, certificate, version) for version in ["1.2", "1.3"]}
            turns.append({f"TLS {version}, {kind}": {**measure_signer(signer, version, kind), "openssl_full_cpu_us": openssl[version]}
                          for version, kind in KINDS})
    finally:
        signer.down()
    return {"turns": turns, **{name: describe([turn[name] for turn in turns]) for name in turns[0]}}


def describe(turns):
    figures = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
    return {**figures, "spread": spread([turn["per_core_second"] for turn in turns])}


def show(results):
    show_table([f"handshakes, median of {TURNS}", "CPU µs", "a core, /s", "spread", "with load/s", "openssl µs"],
               *([name, f"{figures['cpu_us']:.0f}", f"{figures['per_core_second']:.0f}", f"±{figures['spread']:.0%}",
                  f"{figures['per_second']:.0f}", f"{figures['openssl_full_cpu_us']:.0f}"]
                 for name, figures in results.items() if name != "turns"))
