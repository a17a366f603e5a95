# SPDX-License-Identifier: Apache-2.0
"""
Signatures: a steady load, bursts of votes with a block in the middle, start-up and memory.

- a steady load: HTTPS signatures through the whole path, 32 kept connections;
- bursts: 400 keys vote for the same at once, and meanwhile one more key proposes a block; also by the batch route;
- the time from `local up` to the first signature, and the memory of every role.
"""
import http.client
import json
import os
import ssl

import common
from common import CONNECTIONS, NOISE, VOTERS, Signer, memory_of_roles, show_memory, show_table

SECONDS = os.environ.get("BENCH_SECONDS", "5")
# The bursts and the distinct roots, in turn; between two of them blst alone.
TURNS = int(os.environ.get("BENCH_TURNS", "5"))
TURN_SECONDS = max(1, int(SECONDS) // 2)
ROUNDS = max(10, int(os.environ.get("BENCH_ROUNDS", "150")) // TURNS)
# Blocks when there is nothing else, before each turn of each kind.
IDLE_BLOCKS = 50
# Epochs of a turn of a kind; far more than it uses.
TURN_EPOCHS = 100_000
# What bench/burst measures: a whole burst, a request of it, a block inside it, a block when there is nothing else.
TIMES = ["wall", "request", "block", "idle"]
# Name, mode and connections of bench/burst.
BURSTS = [
    (f"a request a key, {CONNECTIONS} connections", "single", CONNECTIONS),
    (f"a request a key, {VOTERS} connections", "single", VOTERS),
    ("one batch", "batch", 1),
]
DISTINCT = f"distinct roots, {CONNECTIONS} connections"


def first_signature(up):
    context = ssl.create_default_context(cafile=up["ca_file"])
    host, port = up["url"].removeprefix("https://").rsplit(":", 1)
    connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=10)
    body = {
        "type": "RANDAO_REVEAL",
        "fork_info": {
            "fork": {"previous_version": "0x05000000", "current_version": "0x06000000", "epoch": "0"},
            "genesis_validators_root": "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
        },
        "randao_reveal": {"epoch": "1"},
    }
    connection.request("POST", f"/api/v1/eth2/sign/{up['public_keys'][0]}", json.dumps(body))
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status


def beside_blst(raws, measure):
    """
    The figures that `measure` gives, beside blst alone just before (the last of `raws`) and just after it: a machine that others use too
    is not the same for long.
    """
    figures = measure()
    raws.append(common.raw_blst(TURN_SECONDS))
    rates = [raw["per_second"] for raw in raws[-2:]]
    figures["raw_blst_per_second"] = sum(rates) / 2
    figures["raw_cpu_us"] = sum(raw["cpu_us"] for raw in raws[-2:]) / 2
    figures["is_noisy"] = max(rates) > NOISE * min(rates)
    figures["wall_ratio"] = figures["per_second"] / figures["raw_blst_per_second"]
    if "enclave_cpu_us" in figures:
        figures["cpu_ratio"] = figures["raw_cpu_us"] / figures["enclave_cpu_us"]
    return figures


def with_cpu(signer, measure):
    """And what all roles of the enclave spend on one signature."""
    status = signer.status()
    before_s = common.cpu_s_of_enclave(status)
    figures = measure()
    figures["enclave_cpu_us"] = (common.cpu_s_of_enclave(status) - before_s) / figures["signatures"] * 1e6
    return figures


def burst(signer, mode, connections, first_epoch):
    """Blocks when there is nothing else are measured before it, and not in its processor time."""
    idle = signer.burst(mode, connections, 1, first_epoch, IDLE_BLOCKS)
    figures = with_cpu(signer, lambda: signer.burst(mode, connections, ROUNDS, first_epoch + TURN_EPOCHS // 2))
    figures["idle_p50_us"], figures["idle_p99_us"] = idle["idle_p50_us"], idle["idle_p99_us"]
    figures["per_second"] = VOTERS / figures["wall_p50_us"] * 1e6
    figures["block_p99_ratio"] = figures["block_p99_us"] / figures["idle_p50_us"]
    return figures


def compare_burst(figures):
    """With what blst alone would take: all cores for the burst, one for a signature."""
    burst_us = VOTERS / figures["raw_blst_per_second"] * 1e6
    signature_us = os.cpu_count() / figures["raw_blst_per_second"] * 1e6
    for name in TIMES:
        for percentile in ["p50", "p99"]:
            raw_us = burst_us if name == "wall" else signature_us
            figures[f"{name}_{percentile}_times_raw"] = figures[f"{name}_{percentile}_us"] / raw_us
    return figures


def measure(folder):
    signer = Signer(folder, on_up=first_signature)
    try:
        return measure_signer(signer)
    finally:
        signer.down()


def take_turns(signer, raws):
    """By name, the figures of every turn."""
    turns = {name: [] for name in [*(name for name, _, _ in BURSTS), DISTINCT]}
    epoch = TURN_EPOCHS
    for _ in range(TURNS):
        for name, mode, connections in BURSTS:
            epoch += TURN_EPOCHS
            turns[name].append(beside_blst(raws, lambda: burst(signer, mode, connections, epoch)))
        epoch += TURN_EPOCHS
        turns[DISTINCT].append(beside_blst(raws, lambda: with_cpu(signer, lambda: signer.load("distinct", TURN_SECONDS, epoch))))
    return turns


def measure_signer(signer):
    raws = [common.raw_blst(TURN_SECONDS)]
    steady = [{"name": kind, **beside_blst(raws, lambda: signer.load(kind, SECONDS))} for kind in ["randao", "attestation"]]
    roles = memory_of_roles(signer.status())
    signer.add_burst_keys()
    turns = take_turns(signer, raws)
    bursts = [{"name": name, **compare_burst(common.medians(turns[name]))} for name, _, _ in BURSTS]
    distinct = {"name": DISTINCT, **common.medians(turns[DISTINCT])}
    return {"cores": os.cpu_count(), "raw_blst": raws, "steady": steady, "bursts": bursts, "distinct": distinct, "turns": turns,
            "first_signature_s": signer.ready_s, "memory": roles}


def throughput(figures):
    return [figures["name"] + (" (noisy)" if figures["is_noisy"] else ""), f"{figures['per_second']:.0f}", f"{figures['wall_ratio']:.1%}"]


def milliseconds(figures, name):
    return [f"{figures[f'{name}{percentile}_us'] / 1000:.1f}" for percentile in ["p50", "p99"]]


def show(results):
    rates = [raw["per_second"] for raw in results["raw_blst"]]
    print(f"raw blst, {results['cores']} cores: {min(rates):.0f} to {max(rates):.0f} signatures/s")
    show_table([f"steady, {CONNECTIONS} connections", "per second", "of raw blst", "p50 ms", "p99 ms"],
               *([*throughput(figures), *milliseconds(figures, "")] for figures in [*results["steady"], results["distinct"]]))
    show_table([f"{VOTERS} votes at once, {ROUNDS} times {TURNS}", "per second", "of raw blst", "wall p50 ms", "p99 ms", "request p50",
                "p99 ms"],
               *([*throughput(figures), *milliseconds(figures, "wall_"), *milliseconds(figures, "request_")]
                 for figures in results["bursts"]))
    show_table([f"processor time, median of {TURNS}", "blst µs", "enclave µs", "blst / enclave", "spread", "wall, too", "spread"],
               *([figures["name"], f"{figures['raw_cpu_us']:.0f}", f"{figures['enclave_cpu_us']:.0f}", f"{figures['cpu_ratio']:.2f}",
                  f"±{figures['cpu_ratio_spread']:.0%}", f"{figures['wall_ratio']:.2f}", f"±{figures['wall_ratio_spread']:.0%}"]
                 for figures in [*results["bursts"], results["distinct"]]))
    show_table(["a block meanwhile", "p50 ms", "p99 ms", "alone p50", "p99 ms", "p99/alone p50", "spread", "late"],
               *([figures["name"], *milliseconds(figures, "block_"), *milliseconds(figures, "idle_"),
                  f"{figures['block_p99_ratio']:.1f}", f"±{figures['block_p99_ratio_spread']:.0%}", f"{figures['late_blocks']:.0f}"]
                 for figures in results["bursts"]))
    percentiles = [(name, percentile) for name in TIMES for percentile in ["p50", "p99"]]
    show_table(["as multiples of blst alone", *(f"{name} {percentile}" for name, percentile in percentiles)],
               *([figures["name"], *(f"{figures[f'{name}_{percentile}_times_raw']:.1f}" for name, percentile in percentiles)]
                 for figures in results["bursts"]))
    if max(rates) > NOISE * min(rates):
        print(f"\nnoisy: blst alone differed by more than {NOISE - 1:.0%} from one turn to another")
    print(f"\n`local up` with {CONNECTIONS} keystores to first signature: {results['first_signature_s']:.2f} s")
    print("memory of each process after the steady load, MiB (PSS counts shared pages once):")
    show_memory(results["memory"])
