# SPDX-License-Identifier: Apache-2.0
"""What the parts of `make bench` share: a signer to measure, raw blst beside every figure, tables."""
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/support"))
BUILD = TOP / os.environ.get("BUILD", "build")
os.environ.setdefault("ENSIGN_PROGRAMS", str(BUILD / "src/bin"))
ENSIGN = BUILD / "src/bin/ensign"
CONNECTIONS = 32
VOTERS = 400
# When blst alone was faster by this factor on one side of a part than on the other, the machine was busy with something else.
NOISE = 1.15


def output(*arguments):
    return subprocess.run([str(word) for word in arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def blst(seconds):
    """Signatures a second of blst alone, on all cores."""
    return float(output(BUILD / "bench/bench_blst", seconds))


def children_cpu_s():
    """Processor time of programs that were run and have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def raw_blst(seconds):
    """blst alone: signatures a second on all cores, and processor time of one signature (hash, multiply, compress), µs."""
    before_s = children_cpu_s()
    rate = blst(seconds)
    return {"per_second": rate, "cpu_us": (children_cpu_s() - before_s) / (rate * float(seconds)) * 1e6}


class Signer:
    """`ensign local` with as many keystores as steady connections; `on_up` is called as soon as it is up."""

    def __init__(self, folder, name="signer", options=(), on_up=lambda up: None):
        self.folder = folder / name
        password = folder / "password.txt"
        password.write_text("bench\n")
        made = json.loads(output(ENSIGN, "keystore", "create", "--out", folder / f"{name}-keystores", "--password-file", password,
                                 "--count", CONNECTIONS, "--light", "--json", "--description", "bench"))
        self.keys = folder / f"{name}-keys.txt"
        self.keys.write_text("".join(key["public_key"] + "\n" for key in made))
        self.burst_keys = folder / f"{name}-burst-keys.txt"
        begun = time.monotonic()
        up = json.loads(output(ENSIGN, "local", "up", "--dir", self.folder, "--listen", "127.0.0.1:0", "--keystores",
                               folder / f"{name}-keystores", "--password-file", password, "--json", *options))
        on_up(up)
        self.ready_s = time.monotonic() - begun
        self.target = [*up["url"].removeprefix("https://").rsplit(":", 1), up["ca_file"]]

    def load(self, kind, seconds, first_epoch=1000):
        return json.loads(output(BUILD / "bench/load", *self.target, self.keys, kind, seconds, first_epoch))

    def add_burst_keys(self):
        self.burst_keys.write_text(output(BUILD / "tests/e2e/add-keys", self.folder, VOTERS + 1))
        output(ENSIGN, "local", "reload", "--dir", self.folder)
        if self.status()["slashing_protection"]:
            output(ENSIGN, "slashing", "fresh", "--all-loaded", "--dir", self.folder)

    def burst(self, mode, connections, rounds, first_epoch, idle_blocks=0):
        return json.loads(output(BUILD / "bench/burst", *self.target, self.burst_keys, mode, connections, rounds, first_epoch, idle_blocks))

    def status(self):
        return json.loads(output(ENSIGN, "local", "status", "--dir", self.folder, "--json"))

    def down(self):
        subprocess.run([ENSIGN, "local", "down", "--dir", self.folder], stdout=subprocess.DEVNULL)


def spread(values):
    """As ± of the median."""
    return (max(values) - min(values)) / 2 / statistics.median(values)


def medians(turns):
    """Of every figure that all turns have, and the spread of those whose name says ratio."""
    figures = {name: statistics.median(turn[name] for turn in turns) for name, value in turns[0].items()
               if isinstance(value, (int, float))}
    spreads = {f"{name}_spread": spread([turn[name] for turn in turns]) for name in figures if "ratio" in name}
    return {**figures, **spreads}


def show_table(*rows):
    """The first row is the head."""
    print()
    for row in rows:
        print(f"  {row[0]:42}", *(f"{cell:>12}" for cell in row[1:]))


def children():
    """pid: parent pid, of every process"""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    return parents


def memory(pid):
    figures = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        figures[name] = int(value.split()[0]) / 1024
    return figures["Pss"], figures["Rss"]


def enclave_of(status):
    """init, and what it started"""
    parents = children()
    enclave = [status["enclave_pid"]]
    for pid in enclave:
        enclave += sorted(child for child, parent in parents.items() if parent == pid)
    return enclave


def cpu_s_of_enclave(status):
    """Processor time of all threads of all roles, as the scheduler counts it; opener and other jobs that have ended are not in it."""
    spent_ns = 0
    for pid in enclave_of(status):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            spent_ns += int((task / "schedstat").read_text().split()[0])
    return spent_ns / 1e9


def memory_of_roles(status):
    """MiB of each process; the programs are not dumpable, so a user who is not root gets none."""
    enclave = enclave_of(status)
    roles = []
    for pid, program in [(status["simulator_pid"], "ensign-sim"), (status["host_pid"], "ensign-host"),
                         *((pid, "enclave") for pid in enclave)]:
        try:
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
            pss, rss = memory(pid)
        except OSError:
            continue
        role = words[2] if words[1] == "--role" else "init"
        roles.append({"role": f"enclave: {role}" if program == "enclave" else program, "pss_mib": pss, "rss_mib": rss})
    return roles


def show_memory(roles):
    if not roles:
        print("  needs root: the programs are not dumpable")
        return
    for role in roles:
        print(f"  {role['role']:22} PSS {role['pss_mib']:7.1f}   RSS {role['rss_mib']:7.1f}")
    together = sum(role["pss_mib"] for role in roles if role["role"].startswith("enclave"))
    print(f"  {'the enclave together':22} PSS {together:7.1f}")
