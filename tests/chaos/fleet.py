# SPDX-License-Identifier: Apache-2.0
"""Two signers with the same keys on one DynamoDB table, each through a door of its own that fails in every way that a network and a service can."""
import sys
import time
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import certificates  # noqa: E402
from table import FAULTS, NAME, Door, Emulator  # noqa: E402

SIGNERS = 2
# Of single requests, while a door is ill.
FAULT_SHARE = 0.5


class Fleet:
    """Table, doors, and what a signer is told about them."""

    def __init__(self, folder):
        self.emulator = Emulator()
        authority = certificates.authority(folder / "tls", "ca")
        certificate = certificates.server(folder / "tls", "server", authority)
        self.authority = authority
        self.doors = [Door(self.emulator, certificate) for _ in range(SIGNERS)]

    def options(self, number):
        return ["--slashing-table", NAME, "--slashing-host", f"localhost:{self.doors[number].port}", "--slashing-ca", self.authority.path]

    def heal(self):
        for door in self.doors:
            door.fault = None
            door.thaw()

    def stop(self):
        self.heal()
        for door in self.doors:
            door.stop()
        self.emulator.stop()

    def faults(self):
        """By name; each is called with the number of a signer and a generator."""
        faults = {f"table: {name}": self.fault_of([name]) for name in FAULTS}
        faults["table: all sorts"] = self.fault_of(FAULTS)
        faults["table: frozen"] = self.freeze
        return faults

    def fault_of(self, kinds):
        def fault(number, generator):
            door = self.doors[number]
            door.fault = lambda _: generator.choice(kinds) if generator.random() < FAULT_SHARE else None
            time.sleep(generator.uniform(0.2, 4))
            door.fault = None
        return fault

    def freeze(self, number, generator):
        self.doors[number].freeze()
        time.sleep(generator.uniform(0.2, 4))
        self.doors[number].thaw()
