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
ROUNDS = os.environ.get("BENCH_ROUNDS", "150")
# Each kind of burst has so many epochs; ROUNDS must not be more.
BURST_EPOCHS = 100_000
# What bench/burst measures: a whole burst, a request of it, a block inside it, a block when there is nothing else.
TIMES = ["wall", "request", "block", "idle"]
# Name, mode and connections of bench/burst.
BURSTS = [
    (f"a request a key, {CONNECTIONS} connections", "single", CONNECTIONS),
    (f"a request a key, {VOTERS} connections", "single", VOTERS),
    ("one batch", "batch", 1),
]


def blst():
    return common.blst(SECONDS)


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


def beside_blst(rates, measure):
    """
    The figures that `measure` gives, with the rate of blst alone just before (the last of `rates`) and just after it: a machine that
    others use too is not the same for long.
    """
    figures = measure()
    rates.append(blst())
    figures["raw_blst_per_second"] = sum(rates[-2:]) / 2
    figures["is_noisy"] = max(rates[-2:]) > NOISE * min(rates[-2:])
    return figures


def compare_burst(figures):
    """With what blst alone would take: all cores for the burst, one for a signature."""
    burst_us = VOTERS / figures["raw_blst_per_second"] * 1e6
    signature_us = os.cpu_count() / figures["raw_blst_per_second"] * 1e6
    figures["per_second"] = VOTERS / figures["wall_p50_us"] * 1e6
    figures["block_p50_times_idle"] = figures["block_p50_us"] / figures["idle_p50_us"]
    for name in TIMES:
        for percentile in ["p50", "p99"]:
            raw_us = burst_us if name == "wall" else signature_us
            figures[f"{name}_{percentile}_times_raw"] = figures[f"{name}_{percentile}_us"] / raw_us
    return figures


def with_cpu(signer, measure):
    """
    Processor time too: of one signature of blst alone (just before and just after), divided by what all roles of the enclave spend on one.
    """
    raw_us = [common.blst_cpu_us(SECONDS)]
    status = signer.status()
    before_s = common.cpu_s_of_enclave(status)
    figures = measure()
    spent_s = common.cpu_s_of_enclave(status) - before_s
    raw_us.append(common.blst_cpu_us(SECONDS))
    figures["enclave_cpu_us"] = spent_s / figures["signatures"] * 1e6
    figures["raw_cpu_us"] = sum(raw_us) / 2
    figures["raw_cpu_of_enclave_cpu"] = figures["raw_cpu_us"] / figures["enclave_cpu_us"]
    return figures


def measure(folder):
    signer = Signer(folder, on_up=first_signature)
    try:
        return measure_signer(signer)
    finally:
        signer.down()


def measure_signer(signer):
    rates = [blst()]
    steady = [{"name": kind, **beside_blst(rates, lambda: signer.load(kind, SECONDS))} for kind in ["randao", "attestation"]]
    roles = memory_of_roles(signer.status())
    signer.add_burst_keys()
    bursts = []
    for number, (name, mode, connections) in enumerate(BURSTS, 1):
        figures = beside_blst(rates, lambda: with_cpu(
            signer, lambda: signer.burst(mode, connections, ROUNDS, number * BURST_EPOCHS)))
        bursts.append({"name": name, **compare_burst(figures)})
    for figures in [*steady, *bursts]:
        figures["of_raw_blst"] = figures["per_second"] / figures["raw_blst_per_second"]
    return {"cores": os.cpu_count(), "raw_blst_per_second": rates, "steady": steady, "bursts": bursts,
            "first_signature_s": signer.ready_s, "memory": roles}


def throughput(figures):
    return [figures["name"] + (" (noisy)" if figures["is_noisy"] else ""), f"{figures['per_second']:.0f}",
            f"{figures['of_raw_blst']:.1%}"]


def milliseconds(figures, name):
    return [f"{figures[f'{name}{percentile}_us'] / 1000:.1f}" for percentile in ["p50", "p99"]]


def show(results):
    print(f"raw blst, {results['cores']} cores: {', '.join(f'{rate:.0f}' for rate in results['raw_blst_per_second'])} signatures/s")
    show_table([f"steady, {CONNECTIONS} connections", "per second", "of raw blst", "p50 ms", "p99 ms"],
               *([*throughput(figures), *milliseconds(figures, "")] for figures in results["steady"]))
    show_table([f"{VOTERS} votes at once, {ROUNDS} times", "per second", "of raw blst", "wall p50 ms", "p99 ms", "request p50", "p99 ms"],
               *([*throughput(figures), *milliseconds(figures, "wall_"), *milliseconds(figures, "request_")]
                 for figures in results["bursts"]))
    show_table(["processor time of one signature", "blst µs", "enclave µs", "blst / enclave"],
               *([figures["name"], f"{figures['raw_cpu_us']:.0f}", f"{figures['enclave_cpu_us']:.0f}",
                  f"{figures['raw_cpu_of_enclave_cpu']:.2f}"] for figures in results["bursts"]))
    show_table(["a block meanwhile", "p50 ms", "p99 ms", "alone p50", "p99 ms", "p50 / alone", "late"],
               *([figures["name"], *milliseconds(figures, "block_"), *milliseconds(figures, "idle_"),
                  f"{figures['block_p50_times_idle']:.1f}", str(figures["late_blocks"])] for figures in results["bursts"]))
    percentiles = [(name, percentile) for name in TIMES for percentile in ["p50", "p99"]]
    show_table(["as multiples of blst alone", *(f"{name} {percentile}" for name, percentile in percentiles)],
               *([figures["name"], *(f"{figures[f'{name}_{percentile}_times_raw']:.1f}" for name, percentile in percentiles)]
                 for figures in results["bursts"]))
    if any(figures["is_noisy"] for figures in [*results["steady"], *results["bursts"]]):
        print(f"\nnoisy: blst alone was faster on one side of it than on the other, by more than {NOISE - 1:.0%}")
    print(f"\n`local up` with {CONNECTIONS} keystores to first signature: {results['first_signature_s']:.2f} s")
    print("memory of each process after the steady load, MiB (PSS counts shared pages once):")
    show_memory(results["memory"])
