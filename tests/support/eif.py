#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second opinion on enclave images: measures an EIF and lists what is in its ramdisks. Written from the format's description alone, with
nothing but the standard library, and shares no line with the C that it is compared with.

usage: eif.py FILE            the measurements, as nitro-cli prints them
       eif.py --list FILE     the files of the ramdisks
"""
import base64
import hashlib
import json
import struct
import sys
import zlib

KERNEL, CMDLINE, RAMDISK, SIGNATURE, METADATA = 1, 2, 3, 4, 5
HEADER_SIZE = 548
GZIP = 31  # zlib's way to say: gzip, any window


def sections(image):
    """[(type, data)] in the order of the file; the CRC has to be right."""
    magic, version, _flags, _memory, _cpus, _reserved, count = struct.unpack_from(">4sHHQQHH", image)
    assert magic == b".eif" and version == 4, (magic, version)
    offsets = struct.unpack_from(">32Q", image, 0x1C)
    sizes = struct.unpack_from(">32Q", image, 0x11C)
    (stored,) = struct.unpack_from(">I", image, 0x220)
    crc = zlib.crc32(image[:0x220])
    found = []
    for offset, size in list(zip(offsets, sizes))[:count]:
        kind, _flags, size_again = struct.unpack_from(">HHQ", image, offset)
        assert size == size_again
        crc = zlib.crc32(image[offset : offset + 12 + size], crc)
        found.append((kind, image[offset + 12 : offset + 12 + size]))
    assert crc == stored, f"CRC {crc:08x}, the file says {stored:08x}"
    assert len(image) == HEADER_SIZE + sum(12 + len(data) for _, data in found)
    return found


def pcr(*parts):
    digest = hashlib.sha384(b"".join(parts)).digest()
    return hashlib.sha384(bytes(48) + digest).hexdigest()


class Cbor:
    """As much of CBOR as a signature section has: small numbers, texts, byte strings, arrays, maps."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        piece = self.data[self.at : self.at + size]
        assert len(piece) == size
        self.at += size
        return piece

    def item(self):
        first = self.take(1)[0]
        major, value = first >> 5, first & 31
        if value >= 24:
            value = int.from_bytes(self.take(1 << (value - 24)), "big")
        if major == 0:
            return value
        if major == 1:
            return -1 - value
        if major == 2:
            return self.take(value)
        if major == 3:
            return self.take(value).decode()
        if major == 4:
            return [self.item() for _ in range(value)]
        assert major == 5, major
        return {self.item(): self.item() for _ in range(value)}


def signature(section):
    """(DER of the certificate, protected header, payload, r || s) of a signature section."""
    (entry,) = Cbor(section).item()
    pem = bytes(entry["signing_certificate"]).decode()
    body = pem.split("-----BEGIN CERTIFICATE-----")[1].split("-----END CERTIFICATE-----")[0]
    protected, unprotected, payload, value = Cbor(bytes(entry["signature"])).item()
    assert unprotected == {} and Cbor(protected).item() == {1: -35}
    return base64.b64decode(body), protected, payload, value


def measure(image):
    parts = sections(image)
    ramdisks = [data for kind, data in parts if kind == RAMDISK]
    boot = [data for kind, data in parts if kind in (KERNEL, CMDLINE)]
    measurements = {
        "HashAlgorithm": "Sha384 { ... }",
        "PCR0": pcr(*boot, *ramdisks),
        "PCR1": pcr(*boot, ramdisks[0]),
        "PCR2": pcr(*ramdisks[1:]),
    }
    for kind, data in parts:
        if kind == SIGNATURE:
            certificate, _, payload, _ = signature(data)
            assert Cbor(payload).item() == {"register_index": 0, "register_value": list(bytes.fromhex(measurements["PCR0"]))}
            measurements["PCR8"] = pcr(certificate)
    return {"Measurements": measurements}


def unpacked(ramdisk):
    if ramdisk[:2] != b"\x1f\x8b":
        return ramdisk
    inflater = zlib.decompressobj(GZIP)
    archive = inflater.decompress(ramdisk)
    assert inflater.eof and inflater.unused_data.strip(b"\0") == b""
    return archive


def entries(ramdisk):
    """[(path, mode, contents)] of a newc archive; owner, group and time have to be 0."""
    archive = unpacked(ramdisk)
    at = 0
    found = []
    while True:
        assert archive[at : at + 6] == b"070701", at
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        _inode, mode, uid, gid, _links, mtime, size, *devices, name_size, _check = fields
        assert uid == gid == mtime == 0 and devices == [0, 0, 0, 0], fields
        name = archive[at + 110 : at + 110 + name_size - 1].decode()
        start = (at + 110 + name_size + 3) & ~3
        at = (start + size + 3) & ~3
        if name == "TRAILER!!!":
            assert at == len(archive)
            return found
        found.append(("/" + name, mode, archive[start : start + size]))


def files(image):
    """All ramdisks of an image, one behind the other."""
    return [entry for kind, data in sections(image) if kind == RAMDISK for entry in entries(data)]


def main():
    *options, path = sys.argv[1:]
    with open(path, "rb") as file:
        image = file.read()
    if options == ["--list"]:
        for name, mode, contents in files(image):
            print(f"{mode:06o} {len(contents):9} {hashlib.sha256(contents).hexdigest()[:16]} {name}")
        return
    print(json.dumps(measure(image), indent=2))


if __name__ == "__main__":
    main()
