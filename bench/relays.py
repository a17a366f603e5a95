# SPDX-License-Identifier: Apache-2.0
"""
The relay between TCP and a unix socket, beside socat and beside no relay at all: in turn, several times.

- throughput: one connection that is always full, and the processor time that the relay takes for it;
- latency: requests and answers of a signer's size, one after the other.

socat is measured as it comes (8 KiB buffers) and with buffers as large as ours.
"""
import os
import statistics
import subprocess

from common import BUILD, children_cpu_s, output, show_table, spread
from slashing import free_port

PREPARATIONS = [["scripts/install-packages", "bench"]]
TURNS = int(os.environ.get("BENCH_TURNS", "7"))
MEBIBYTES = 2048
ASKS = 10000


def ours(port, sink):
    return [BUILD / "bench/bench_relay", "relay", f"tcp:127.0.0.1:{port}", f"unix:{sink}"]


def socat(*options):
    return lambda port, sink: ["socat", *options, f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,nodelay", f"UNIX-CONNECT:{sink}"]


def none(port, sink):
    return None


RELAYS = {"none": none, "ensign": ours, "socat": socat(), "socat, 64 KiB": socat("-b", "65536")}


def through(make, folder, kind, number):
    """What the tool printed, and the relay's processor time; the relay is there for one connection."""
    sink = folder / "sink"
    port = free_port()
    command = make(port, sink)
    relay = subprocess.Popen([str(word) for word in command]) if command else None
    try:
        address = f"tcp:127.0.0.1:{port}" if relay else f"unix:{sink}"
        words = output(BUILD / "bench/bench_relay", kind, f"unix:{sink}", address, number).split()
        before_s = children_cpu_s()
    finally:
        if relay:
            relay.kill()
            relay.wait()
    # socat may have ended by itself, but it is only counted when it is waited for, as ours is.
    return [float(word) for word in words], children_cpu_s() - before_s


def take_turn(folder):
    turn = {}
    for name, make in RELAYS.items():
        (seconds,), spent_s = through(make, folder, "stream", MEBIBYTES)
        (p50, p99), _ = through(make, folder, "ask", ASKS)
        turn[name] = {"mib_per_s": MEBIBYTES / seconds, "cpu_s_per_gib": spent_s / MEBIBYTES * 1024, "p50_us": p50, "p99_us": p99}
    return turn


def describe(name, turns):
    figures = {figure: statistics.median(turn[name][figure] for turn in turns) for figure in turns[0][name]}
    ratios = [turn[name]["mib_per_s"] / turn["socat"]["mib_per_s"] for turn in turns]
    added = [turn[name]["p50_us"] - turn["none"]["p50_us"] for turn in turns]
    return {**figures, "times_socat": statistics.median(ratios), "spread": spread(ratios), "added_p50_us": statistics.median(added)}


def measure(folder):
    turns = [take_turn(folder) for _ in range(TURNS)]
    return {"turns": turns, **{name: describe(name, turns) for name in RELAYS}}


def show(results):
    show_table([f"TCP to unix, median of {TURNS}", "MiB/s", "× socat", "spread", "CPU s/GiB", "p50 µs", "p99 µs", "added p50"],
               *([name, f"{results[name]['mib_per_s']:.0f}", f"{results[name]['times_socat']:.2f}", f"±{results[name]['spread']:.0%}",
                  f"{results[name]['cpu_s_per_gib']:.2f}", f"{results[name]['p50_us']:.0f}", f"{results[name]['p99_us']:.0f}",
                  f"{results[name]['added_p50_us']:.0f}"] for name in RELAYS))
