# SPDX-License-Identifier: Apache-2.0
"""
Loading keys, by `local reload` of a signer that runs, so with all that a reload costs:

- sealed rows, beside the derivation of as many public keys on all cores, which is all that has to be computed;
- rows in the sample solution's form, each with a keystore and a salt of its own, beside scrypt alone;
- the memory of every role with 10,000 keys, and of the opener while it opens them;
- many reloads, and what they leave behind.
"""
import os
import pathlib
import threading
import time

import common
from common import BUILD, ENSIGN, Signer, memory_of_roles, output, show_memory, show_table

SEALED = [1_000, 10_000]
KEYSTORES = int(os.environ.get("BENCH_KEYSTORES", "8"))
RELOADS = int(os.environ.get("BENCH_RELOADS", "200"))
SAMPLE_INTERVAL_S = 0.01


def floor(kind, count):
    return float(output(BUILD / "bench/bench_floor", kind, count))


def timed_reload(signer):
    begun = time.monotonic()
    output(ENSIGN, "local", "reload", "--dir", signer.folder)
    return time.monotonic() - begun


class OpenerMemory:
    """The largest PSS that the signer's opener was seen with, MiB."""

    def __init__(self, enclave_pid):
        self.enclave_pid = enclave_pid
        self.peak_mib = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.ended.wait(SAMPLE_INTERVAL_S):
            for pid, parent in common.children().items():
                try:
                    if parent == self.enclave_pid and b"--role\0opener" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                        self.peak_mib = max(self.peak_mib, common.memory(pid)[0])
                except OSError:
                    pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def load_sealed(signer, count):
    output(BUILD / "tests/e2e/add-keys", signer.folder, count)
    before = floor("derive", count)
    with OpenerMemory(signer.status()["enclave_pid"]) as opener:
        seconds = timed_reload(signer)
    floor_s = (before + floor("derive", count)) / 2
    return {"rows": count, "seconds": seconds, "floor_s": floor_s, "times_floor": seconds / floor_s, "opener_peak_pss_mib": opener.peak_mib}


def load_keystores(signer, folder):
    password = folder / "sample.txt"
    password.write_text("bench\n")
    for _ in range(KEYSTORES):  # each with a salt of its own
        output(ENSIGN, "keystore", "create", "--out", folder / "sample", "--password-file", password)
    output(BUILD / "tests/e2e/add-sample-rows", signer.folder, folder / "sample", password)
    before = floor("scrypt", KEYSTORES)
    with OpenerMemory(signer.status()["enclave_pid"]) as opener:
        seconds = timed_reload(signer)
    floor_s = (before + floor("scrypt", KEYSTORES)) / 2
    return {"rows": KEYSTORES, "seconds": seconds, "floor_s": floor_s, "times_floor": seconds / floor_s, "opener_peak_pss_mib": opener.peak_mib}


def reload_often(signer):
    """MiB that each role grew by, over reloads of which none changes a thing."""
    before = {role["role"]: role["pss_mib"] for role in memory_of_roles(signer.status())}
    begun = time.monotonic()
    for _ in range(RELOADS):
        output(ENSIGN, "local", "reload", "--dir", signer.folder)
    seconds = time.monotonic() - begun
    after = {role["role"]: role["pss_mib"] for role in memory_of_roles(signer.status())}
    return {"reloads": RELOADS, "seconds": seconds, "grown_mib": {name: after[name] - before.get(name, 0) for name in after}}


def measure(folder):
    signers = []
    results = {"cores": os.cpu_count(), "sealed": []}
    try:
        for count in SEALED:
            signers.append(Signer(folder, f"sealed-{count}"))
            results["sealed"].append(load_sealed(signers[-1], count))
        results["memory"] = memory_of_roles(signers[-1].status())
        results["reloads"] = reload_often(signers[0])
        signers.append(Signer(folder, "keystores"))
        results["keystores"] = load_keystores(signers[-1], folder)
    finally:
        for signer in signers:
            signer.down()
    return results


def row(name, figures):
    return [name, f"{figures['seconds']:.2f}", f"{figures['floor_s']:.2f}", f"{figures['times_floor']:.1f}",
            f"{figures['rows'] / figures['seconds']:.0f}", f"{figures['opener_peak_pss_mib']:.1f}"]


def show(results):
    keystores = results["keystores"]
    show_table(["rows", "seconds", "floor", "times", "rows/s", "opener MiB"],
               *(row(f"{figures['rows']} sealed", figures) for figures in results["sealed"]),
               row(f"{keystores['rows']} keystores, scrypt", keystores))
    print("\nmemory of each process with 10,000 keys, MiB (PSS counts shared pages once):")
    show_memory(results["memory"])
    reloads = results["reloads"]
    print(f"\n{reloads['reloads']} reloads with 1,000 keys: {reloads['seconds'] / reloads['reloads'] * 1000:.0f} ms each; grown by",
          ", ".join(f"{name} {grown:+.2f} MiB" for name, grown in reloads["grown_mib"].items()))
