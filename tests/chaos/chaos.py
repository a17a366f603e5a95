#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Chaos: clients race each other for conflicting duties while everything that can fail does, in random order. A referee then looks at
every signature that ever left and searches all pairs for a slashable one. There must be none, and signing must go on when the faults stop.

  tests/chaos/chaos.py restarts --signatures 100000        one signer on SQLite: kills, frozen and slow ledgers, a full disk
  tests/chaos/chaos.py power-cut --rounds 50               what a disk may hold after the power went
  tests/chaos/chaos.py moves --rounds 50                   keys move between two signers, with their history, through kills and reloads
  tests/chaos/chaos.py fleet --signatures 100000           two signers with the same keys on one table, whose service and network fail too
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import powercut  # noqa: E402
from fleet import SIGNERS, Fleet  # noqa: E402
from moves import Moves  # noqa: E402
from referee import Attestation, Block, slashable_pairs  # noqa: E402
from signer import Connection, attestation, processes_of, role_of, run  # noqa: E402

KEYS = 50
CLIENT_PROCESSES = 2
# Fast enough that most requests are new duties, slow enough that most of them meet a rival.
EPOCHS_PER_SECOND = 20
# A move takes a second or two: the duties from before it must still be asked for after it.
EPOCHS_PER_SECOND_OF_MOVES = 0.5
# The host starts a dead enclave again after at most 30 s; loading takes a moment on a busy machine.
RECOVERY_S = 90
UP_TIMEOUT_S = 120
STORE_SIZE = "4m"


class Signer:
    """One `ensign local` signer and what one can do to it."""

    def __init__(self, folder, keystores=None, password_file=None, token_file=None, options=()):
        self.folder = folder
        self.token_file = token_file
        self.options = ["--dir", folder, "--listen", "127.0.0.1:0", *options]
        if token_file:
            self.options += ["--key-manager-token-file", token_file]
        self.first_options = ["--keystores", keystores, "--password-file", password_file] if keystores else []
        self.up = None

    def start(self):
        options = [*self.options, *self.first_options]
        self.first_options = []  # the keys are in its table then, or were taken out of it
        self.up = json.loads(run("local", "up", "--json", *options, check=0, timeout=UP_TIMEOUT_S).stdout)
        return self.up

    def token(self):
        return self.token_file.read_text().strip()

    def stop(self):
        run("local", "down", "--dir", self.folder)

    def kill_everything(self):
        """Like a power cut: no process has a moment left. Simulator and KMS are elsewhere in the world and stay."""
        victims = [pid for pid, arguments in processes_of(self.folder) if "ensign-sim" not in arguments]
        for pid in victims:
            send(pid, signal.SIGKILL)
        powercut.wait_until_dead(victims)

    def pid_of(self, role):
        if role == "host":
            return int((self.folder / "host.pid").read_text())
        if role == "init":
            return next((pid for pid, arguments in processes_of(self.folder)
                         if "ensign-enclave" in arguments and "--role" not in arguments and "ensign-host" not in arguments), 0)
        try:
            return role_of(self.folder, role)
        except AssertionError:
            return 0  # between two lives


def send(pid, number):
    try:
        if pid:
            os.kill(pid, number)
    except ProcessLookupError:
        pass


class Clients:
    """The processes of clients.py, their logs, and what the logs say."""

    def __init__(self, folder, keys, epochs_per_second=EPOCHS_PER_SECOND):
        self.folder = folder
        self.epochs_per_second = epochs_per_second
        self.keys = folder / "keys.txt"
        self.keys.write_text("\n".join(keys))
        self.processes = []
        self.read_to = {}
        self.signatures = []
        self.statuses = {}
        self.epoch = 1000
        self.started = 0.0

    def start(self, signers, seed):
        self.started = time.monotonic()
        for i in range(CLIENT_PROCESSES):
            self.processes.append(subprocess.Popen(
                [sys.executable, HERE / "clients.py", "--signers", json.dumps([[up["url"], up["ca_file"]] for up in signers]),
                 "--keys", self.keys, "--log", self.folder / f"client-{i}.log", "--seed", str(seed * 10 + i),
                 "--first-epoch", str(self.epoch), "--epochs-per-second", str(self.epochs_per_second)]))

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)
        if self.processes:
            self.epoch += int((time.monotonic() - self.started) * self.epochs_per_second) + 1
        self.processes = []
        self.read()

    def read(self):
        """How many signatures there are by now."""
        for log in sorted(self.folder.glob("client-*.log")):
            with open(log, encoding="utf-8") as lines:
                lines.seek(self.read_to.get(log, 0))
                for line in lines:
                    if not line.endswith("\n"):
                        break
                    self.read_to[log] = self.read_to.get(log, 0) + len(line)
                    self.take(json.loads(line))
        return len(self.signatures)

    def take(self, record):
        self.statuses[record["status"]] = self.statuses.get(record["status"], 0) + 1
        if record["status"] != 200:
            return
        if record["kind"] == "block":
            self.signatures.append(Block(record["key"], record["slot"], record["signature"]))
            return
        self.signatures.append(Attestation(record["key"], record["source"], record["target"], record["signature"]))


# ---- faults: what each does to a signer, and takes back ----

def kill(role):
    def fault(signer, _):
        send(signer.pid_of(role), signal.SIGKILL)
    return fault


def kill_host(signer, _):
    send(signer.pid_of("host"), signal.SIGKILL)
    time.sleep(0.5)
    signer.start()


def freeze(role):
    def fault(signer, generator):
        pid = signer.pid_of(role)
        send(pid, signal.SIGSTOP)
        time.sleep(generator.uniform(0.2, 4))
        send(pid, signal.SIGCONT)
    return fault


def slow_disk(signer, generator):
    pid = signer.pid_of("ledger")
    if not pid:
        return
    delay_us = generator.randint(50_000, 1_000_000)
    subprocess.run(["timeout", "-s", "INT", "3", "strace", "-f", "-e", "trace=fdatasync", "-e", f"inject=fdatasync:delay_exit={delay_us}",
                    "-o", "/dev/null", "-p", str(pid)], check=False, capture_output=True)


def full_disk(signer, generator):
    filler = signer.folder / "store/filler"
    try:
        with open(filler, "wb") as file:
            while True:
                file.write(bytes(65536))
                file.flush()
    except OSError:
        pass
    if generator.random() < 0.5:
        send(signer.pid_of("ledger"), signal.SIGKILL)
    time.sleep(generator.uniform(0.5, 2))
    filler.unlink()


def reload_tables(signer, _):
    run("local", "reload", "--dir", signer.folder)  # refused while the enclave is between two lives


def kills():
    return {f"kill -9 {role}": kill(role) for role in ["keeper", "ledger", "frontend", "control", "opener", "init"]}


def faults_for(signer):
    faults = kills()
    faults["kill -9 host"] = kill_host
    faults["reload"] = reload_tables
    faults.update({f"freeze {role}": freeze(role) for role in ["keeper", "ledger", "frontend", "host"]})
    if shutil.which("strace"):
        faults["slow disk"] = slow_disk
    else:
        print("left out: slow disk (no strace here)")
    if os.path.ismount(signer.folder / "store"):
        faults["full disk"] = full_disk
    else:
        print("left out: full disk (may not mount a small file system here)")
    return faults


# ---- scenarios ----

def must_recover(signers, keys, epoch):
    """Faults have stopped: every key signs something new; the keys are dealt out to the signers in turn, unless `signers` says of each."""
    if not isinstance(signers, dict):
        signers = {key: signers[number % len(signers)] for number, key in enumerate(keys)}
    deadline = time.monotonic() + RECOVERY_S
    waiting = list(keys)
    while waiting:
        key = waiting[0]
        try:
            with Connection(signers[key].up) as connection:
                status, answer = connection.sign(key, attestation(epoch + 10))
        except OSError as problem:
            status, answer = 0, problem
        if status == 200:
            waiting.pop(0)
            continue
        if time.monotonic() > deadline:
            raise AssertionError(f"no progress after the faults stopped: {key}: {status} {answer}")
        time.sleep(0.2)


def report(clients, counts):
    pairs = slashable_pairs(clients.signatures)
    print(f"answers by status: {dict(sorted(clients.statuses.items()))} (0: connection lost)")
    print(f"faults: {dict(sorted(counts.items()))}")
    print(f"referee: {len(clients.signatures)} signatures, {len(set(clients.signatures))} different ones, {len(pairs)} slashable pairs")
    for pair in pairs[:10]:
        print("SLASHABLE:", " and ".join(str(one._replace(key=one.key[:12], signature=one.signature[:12])) for one in pair))
    return not pairs


def new_keys(folder):
    password = folder / "password.txt"
    password.write_text("a password\n")
    done = run("keystore", "create", "--out", folder / "keystores", "--password-file", password, "--light", "--json", "--count", KEYS, check=0)
    return folder / "keystores", password, [made["public_key"] for made in json.loads(done.stdout)]


def scenario_restarts(options, folder):
    generator = random.Random(options.seed)
    keystores, password, keys = new_keys(folder)
    signer = Signer(folder / "signer", keystores, password)
    (signer.folder / "store").mkdir(parents=True, mode=0o700)
    signer.folder.chmod(0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STORE_SIZE},mode=700", "tmpfs", signer.folder / "store"], check=False,
                   capture_output=True)
    counts = {}
    clients = Clients(folder, keys)
    try:
        clients.start([signer.start()], options.seed)
        faults = faults_for(signer)
        deadline = time.monotonic() + options.seconds
        while clients.read() < options.signatures and time.monotonic() < deadline:
            name = generator.choice(sorted(faults))
            counts[name] = counts.get(name, 0) + 1
            faults[name](signer, generator)
            time.sleep(generator.uniform(0.5, 6))
        clients.stop()
        must_recover([signer], keys, clients.epoch)
    finally:
        clients.stop()
        signer.stop()
        subprocess.run(["umount", "-l", signer.folder / "store"], check=False, capture_output=True)
    enough = len(clients.signatures) >= options.signatures
    if not enough:
        print(f"only {len(clients.signatures)} of {options.signatures} signatures in {options.seconds} s", file=sys.stderr)
    return report(clients, counts) and enough


def scenario_power_cut(options, folder):
    if not shutil.which("strace") or os.geteuid() != 0:
        print("skipped: watching the ledger's writes takes strace and root")
        return True
    generator = random.Random(options.seed)
    keystores, password, keys = new_keys(folder)
    signer = Signer(folder / "signer", keystores, password)
    clients = Clients(folder, keys)
    counts = {"power cuts": 0, "durable writes": 0, "writes at risk": 0}
    try:
        for number in range(options.rounds):
            up = signer.start()
            recorder = powercut.Recorder(signer.folder / "store", folder / "base", folder / "strace.log")
            recorder.attach(signer.pid_of("ledger"))
            clients.start([up], options.seed + number)
            time.sleep(generator.uniform(0.7, 2.5))
            signer.kill_everything()
            clients.stop()
            recorder.detach()
            durable, at_risk = recorder.cut(generator, keep_durable=not options.lying_disk)
            counts["power cuts"] += 1
            counts["durable writes"] += durable
            counts["writes at risk"] += at_risk
            # The same duties again: what was signed before the cut must be remembered after it.
            clients.epoch -= generator.randint(1, EPOCHS_PER_SECOND)
        signer.start()
        must_recover([signer], keys, clients.epoch + EPOCHS_PER_SECOND)
    finally:
        clients.stop()
        signer.stop()
    honest = report(clients, counts) and counts["durable writes"] > 0
    return not honest if options.lying_disk else honest


def scenario_moves(options, folder):
    """Both signers are asked for every duty of every key, all the time: only the one that has the key may sign, and nothing twice."""
    generator = random.Random(options.seed)
    keystores, password, keys = new_keys(folder)
    texts = [path.read_text() for path in keystores.glob("*.json")]
    signers = [Signer(folder / "first", keystores, password, folder / "first.token"), Signer(folder / "second", token_file=folder / "second.token")]
    moves = Moves(signers, {"0x" + json.loads(text)["pubkey"]: text for text in texts}, password.read_text().strip(),
                  options.lose_history)
    clients = Clients(folder, keys, EPOCHS_PER_SECOND_OF_MOVES)
    faults = kills() | {"reload": reload_tables}

    def fault():
        name = generator.choice(sorted(faults))
        moves.counts[name] = moves.counts.get(name, 0) + 1
        faults[name](generator.choice(signers), generator)

    try:
        clients.start([signer.start() for signer in signers], options.seed)
        for _ in range(options.rounds):
            if generator.random() < 0.5:
                fault()
            moves.move(generator.choice(keys), fault if generator.random() < 0.3 else lambda: None)
        clients.stop()
        must_recover({key: signers[moves.home[key]] for key in keys}, keys, clients.epoch)
    finally:
        clients.stop()
        for signer in signers:
            signer.stop()
    honest = report(clients, moves.counts) and moves.counts["moves"] > 0
    return not honest if options.lose_history else honest


def faults_of_fleet(fleet, signers):
    """Each hits one signer, or its way to the table."""
    faults = {name: lambda number, generator, fault=fault: fault(signers[number], generator)
              for name, fault in (kills() | {"kill -9 host": kill_host, "reload": reload_tables}
                                  | {f"freeze {role}": freeze(role) for role in ["keeper", "ledger", "frontend", "host"]}).items()}
    return faults | fleet.faults()


def scenario_fleet(options, folder):
    """Every client asks both signers for each duty, and others for what contradicts it: the table alone decides whose it is."""
    generator = random.Random(options.seed)
    keystores, password, keys = new_keys(folder)
    fleet = Fleet(folder)
    signers = [Signer(folder / f"signer-{number}", keystores, password, options=[] if options.own_stores else fleet.options(number))
               for number in range(SIGNERS)]
    faults = faults_of_fleet(fleet, signers)
    counts = {}
    clients = Clients(folder, keys)
    try:
        clients.start([signer.start() for signer in signers], options.seed)
        deadline = time.monotonic() + options.seconds
        while clients.read() < options.signatures and time.monotonic() < deadline:
            name = generator.choice(sorted(faults))
            counts[name] = counts.get(name, 0) + 1
            faults[name](generator.randrange(SIGNERS), generator)
            time.sleep(generator.uniform(0.2, 3))
        fleet.heal()
        clients.stop()
        must_recover(signers, keys, clients.epoch)
    finally:
        clients.stop()
        for signer in signers:
            signer.stop()
        fleet.stop()
    enough = len(clients.signatures) >= options.signatures
    if not enough:
        print(f"only {len(clients.signatures)} of {options.signatures} signatures in {options.seconds} s", file=sys.stderr)
    honest = report(clients, counts) and enough
    return not honest if options.own_stores else honest


SCENARIOS = {"fleet": scenario_fleet, "restarts": scenario_restarts, "power-cut": scenario_power_cut, "moves": scenario_moves}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=sorted(SCENARIOS))
    parser.add_argument("--signatures", type=int, default=100_000, help="stop when so many have left")
    parser.add_argument("--seconds", type=int, default=1800, help="give up after so long")
    parser.add_argument("--rounds", type=int, default=30, help="power cuts; moves")
    parser.add_argument("--lying-disk", action="store_true",
                        help="power-cut: the control. A disk that forgets what it was told to keep; fails unless the referee notices")
    parser.add_argument("--lose-history", action="store_true",
                        help="moves: the control. Keys move without their history; fails unless the referee notices")
    parser.add_argument("--own-stores", action="store_true",
                        help="fleet: the control. Each signer has a store of its own; fails unless the referee notices")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"{options.scenario}, seed {options.seed}")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ensign-chaos-"))
    try:
        passed = SCENARIOS[options.scenario](options, folder)
    finally:
        for pid, _ in processes_of(folder):
            send(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
