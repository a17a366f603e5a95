# SPDX-License-Identifier: Apache-2.0
"""
A power cut, as the SQLite files of the ledger would see it. strace watches the ledger's writes; at the cut everything is killed, and
the files become what a disk may then hold: everything up to each file's last completed fsync, and of what was written after it any
part: some writes, in any order, the last of them torn in the middle.
"""
import collections
import re
import shutil
import signal
import subprocess
import time

SECTOR_SIZE = 512
# A page with its frame header is 4,120 bytes; four characters of hex a byte.
STRACE_STRING_SIZE = 70000
ATTACH_TIMEOUT_S = 10

Write = collections.namedtuple("Write", "offset data")
Truncate = collections.namedtuple("Truncate", "size")

LINE = re.compile(r'^\d+ +(\w+)\(\d+<([^>]*)>(?:, (.*))?\)\s+= (-?\d+)')
WRITE = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?, \d+, (\d+)$')


class Recorder:
    """From attach() on, which wants the ledger at rest, every write of one process to the files of one folder."""

    def __init__(self, folder, base, log):
        self.folder = folder
        self.base = base
        self.log = log
        self.strace = None

    def attach(self, pid):
        shutil.rmtree(self.base, ignore_errors=True)
        # What is there now was made durable by whoever wrote it: nothing has been asked of this ledger yet.
        shutil.copytree(self.folder, self.base)
        self.strace = subprocess.Popen(
            ["strace", "-f", "-y", "-xx", "-s", str(STRACE_STRING_SIZE), "-e", "trace=pwrite64,write,fsync,fdatasync,ftruncate",
             "-o", str(self.log), "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        line = self.strace.stderr.readline()
        if "attached" not in line:
            raise RuntimeError(f"strace: {line}")

    def detach(self):
        """After the ledger is dead, so that its last write is in the log."""
        try:
            self.strace.wait(ATTACH_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.strace.send_signal(signal.SIGINT)
            self.strace.wait(ATTACH_TIMEOUT_S)
        self.strace.stderr.close()

    def operations(self):
        """(file name, operation or "sync"), in order"""
        for line in self.log.read_text(errors="replace").splitlines():
            found = LINE.match(line)
            path = unhex(found[2]).decode() if found else ""
            if not path.startswith(str(self.folder) + "/") or int(found[4]) < 0:
                continue
            name = path.removeprefix(str(self.folder) + "/")
            if found[1] in ("fsync", "fdatasync"):
                yield name, "sync"
            if found[1] == "ftruncate":
                yield name, Truncate(int(found[3]))
            if found[1] == "pwrite64":
                written = WRITE.match(found[3])
                if not written or written[2]:
                    raise RuntimeError(f"cannot read what was written: {line[:200]}")
                yield name, Write(int(written[3]), unhex(written[1]))
            if found[1] == "write":
                raise RuntimeError("a write without an offset: this recorder does not know where it went")

    def cut(self, random, keep_durable=True):
        """
        Leave in the folder what the disk may hold. Returns (writes that were durable, writes that were not). Without keep_durable it is
        a disk that lies: the control of the experiment.
        """
        disk = {path.name: bytearray(path.read_bytes()) for path in self.base.iterdir()}
        pending = collections.defaultdict(list)
        durable = 0
        for name, operation in self.operations():
            if operation != "sync":
                pending[name].append(operation)
                continue
            written = pending.pop(name, [])
            durable += len(written)
            for one in written if keep_durable else []:
                apply(disk.setdefault(name, bytearray()), one)
        lost = 0
        for name, operations in pending.items():
            lost += len(operations)
            some = random.sample(operations, random.randint(0, len(operations)))
            for i, one in enumerate(some):
                torn = i == len(some) - 1 and isinstance(one, Write)
                apply(disk.setdefault(name, bytearray()), tear(one, random) if torn else one)
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)
        for name, data in disk.items():
            (self.folder / name).write_bytes(data)
            (self.folder / name).chmod(0o600)
        return durable, lost


def unhex(text):
    return bytes.fromhex(text.replace("\\x", ""))


def apply(data, operation):
    if isinstance(operation, Truncate):
        del data[operation.size:]
        data.extend(bytes(operation.size - len(data)))
        return
    end = operation.offset + len(operation.data)
    data.extend(bytes(max(0, end - len(data))))
    data[operation.offset:end] = operation.data


def tear(write, random):
    sectors = len(write.data) // SECTOR_SIZE
    return Write(write.offset, write.data[:SECTOR_SIZE * random.randint(0, sectors)]) if sectors else write


def wait_until_dead(pids, timeout_s=10):
    deadline = time.monotonic() + timeout_s
    for pid in pids:
        while time.monotonic() < deadline:
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                    if stat.read().rsplit(")", 1)[1].split()[0] in "ZX":
                        break
            except OSError:
                break
            time.sleep(0.01)
        else:
            raise RuntimeError(f"process {pid} does not die")
