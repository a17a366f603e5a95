# SPDX-License-Identifier: Apache-2.0
"""`ensign image`: build, measure, describe, verify and sign, beside a second implementation of the format (eif.py)."""
import json
import os
import pathlib
import random
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import support  # noqa: F401
import eif
from signer import PROGRAMS, TOP, run

CONFIGURATION = {
    "version": 1,
    "network": "mainnet",
    "slashing_protection": True,
    "fleet": "test",
    "region": "us-east-1",
    "kms_host": "kms.us-east-1.amazonaws.com",
    "kms_key_arn": "arn:aws:kms:us-east-1:000000000000:key/1",
    "ca_pem": "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n",
}
# As large as the real one. Its contents do not matter, but for the header: it is not booted here.
KERNEL_SIZE = 3_000_000
SMALL_KERNEL_SIZE = 4096
IMAGE_MAX_SIZE = 15_000_000
MOUNT_POINTS = {"/dev", "/proc", "/run", "/sys", "/tmp"}
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="ensign-image-"))
REAL, SMALL = FOLDER / "real.eif", FOLDER / "small.eif"
BUILT = {}  # what `build` printed of each
LOADERS = {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}


def kernel(size):
    image = bytearray(random.Random(6).randbytes(size))
    image[0x1FE:0x200] = b"\x55\xaa"
    image[0x202:0x206] = b"HdrS"
    image[0x20E:0x210] = (0x400).to_bytes(2, "little")
    image[0x211] = 1
    version = b"6.12.48 (ensign@build) #1\0"
    image[0x600 : 0x600 + len(version)] = version
    return bytes(image)


def build(out, *options, kernel_name="small", program="/bin/true", config="config.json", check=0, **settings):
    """The image that costs least, unless told otherwise."""
    arguments = ["--kernel", FOLDER / kernel_name, "--config", FOLDER / config, "--program", program, "--out", out]
    done = run("image", "build", *arguments, *options, check=check, **settings)
    return json.loads(done.stdout) if check == 0 else done.stderr


def setUpModule():
    """Two images for all: one as it is meant to be, and a small one for what costs many builds or reads."""
    unittest.addModuleCleanup(shutil.rmtree, FOLDER)
    (FOLDER / "bzImage").write_bytes(kernel(KERNEL_SIZE))
    (FOLDER / "small").write_bytes(kernel(SMALL_KERNEL_SIZE))
    (FOLDER / "config.json").write_text(json.dumps(CONFIGURATION))
    BUILT[REAL] = build(REAL, kernel_name="bzImage", program=PROGRAMS / "image/ensign-enclave")
    BUILT[SMALL] = build(SMALL, "--uncompressed")


def measured(path):
    return json.loads(run("image", "measure", path, check=0).stdout)["Measurements"]


class Measured(unittest.TestCase):
    def test_second_opinion(self):
        """Both implementations measure the same, and so did the one that built it."""
        for path, built in BUILT.items():
            second = subprocess.run([sys.executable, eif.__file__, path], capture_output=True, text=True, check=True).stdout
            self.assertEqual(run("image", "measure", path, check=0).stdout, second)
            self.assertEqual(json.loads(second), built)

    def test_contents(self):
        """The program, its libraries, the configuration, mount points; nothing else, and small enough."""
        entries = eif.files(REAL.read_bytes())
        files = {path: contents for path, mode, contents in entries if stat.S_ISREG(mode)}
        folders = {path for path, mode, contents in entries if stat.S_ISDIR(mode)}
        self.assertEqual(len(files) + len(folders), len(entries))
        self.assertLess(REAL.stat().st_size, IMAGE_MAX_SIZE)
        self.assertEqual(files.pop("/init"), (PROGRAMS / "image/ensign-enclave").read_bytes())
        self.assertEqual(json.loads(files.pop("/etc/ensign/enclave.json")), CONFIGURATION)
        self.assertEqual(len(LOADERS & set(files)), 1)
        for path in set(files) - LOADERS:
            self.assertRegex(path, r"^/(usr/)?lib(64)?/([a-z0-9_]+-linux-gnu/)?lib[^/]+\.so(\.[0-9.]+)?$")
        parents = {str(parent) for path in [*files, "/etc/ensign/enclave.json"] for parent in pathlib.Path(path).parents} - {"/"}
        self.assertEqual(folders, MOUNT_POINTS | parents)
        # What the loader itself says that it maps.
        listed = subprocess.run(["ldd", PROGRAMS / "image/ensign-enclave"], capture_output=True, text=True, check=True).stdout
        wanted = {line.split()[0].rsplit("/", 1)[-1] for line in listed.splitlines()} - {"linux-vdso.so.1"}
        self.assertEqual({path.rsplit("/", 1)[-1] for path in files}, wanted)

    def test_runs_from_its_own_root(self):
        """The loader of the image finds all there is to find, in the image alone."""
        root = FOLDER / "root"
        for path, mode, contents in eif.files(REAL.read_bytes()):
            place = root / path[1:]
            if stat.S_ISDIR(mode):
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.write_bytes(contents)
            place.chmod(stat.S_IMODE(mode))
        enter = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
        done = subprocess.run([*enter, shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin"), root, "/init", "--help"],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("usage: ensign-enclave", done.stdout)

    def test_reproducible(self):
        """Another folder, time, user's environment and layout of the configuration: the same bytes."""
        folder = FOLDER / "elsewhere"
        folder.mkdir()
        (FOLDER / "other.json").write_text(json.dumps(dict(reversed(CONFIGURATION.items())), indent=3))
        again = folder / "again.eif"
        environment = {"TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8", "HOME": "/nonexistent", "USER": "somebody", "HOSTNAME": "elsewhere"}
        build(again, "--uncompressed", config="other.json", env=environment, cwd=folder, umask=0o077)
        self.assertTrue(again.read_bytes() == SMALL.read_bytes())
        build(again, kernel_name="bzImage", program=PROGRAMS / "image/ensign-enclave", env=environment, cwd=folder)
        self.assertTrue(again.read_bytes() == REAL.read_bytes())
        # The enclave program has no file names of the build in it, neither absolute nor relative.
        self.assertIsNone(re.search(rb"[a-z0-9_]+\.c\0", (PROGRAMS / "image/ensign-enclave").read_bytes()))

    def test_what_each_pcr_is_of(self):
        base = BUILT[SMALL]["Measurements"]
        (FOLDER / "changed.json").write_text(json.dumps({**CONFIGURATION, "fleet": "other"}))
        other = FOLDER / "other.eif"

        def differ(*options, layout=("--uncompressed",), **settings):
            built = build(other, *options, *layout, **settings)["Measurements"]
            self.assertEqual(built, measured(other))
            self.assertFalse(other.read_bytes() == SMALL.read_bytes())
            return {name for name in ["PCR0", "PCR1", "PCR2"] if built[name] != base[name]}

        (FOLDER / "own.json").write_text('{"ticket": 6}')
        ca_bundle = "/etc/ssl/certs/ca-certificates.crt"
        self.assertEqual(differ(config="changed.json"), {"PCR0", "PCR2"})
        self.assertEqual(differ("--ca-bundle", ca_bundle), {"PCR0", "PCR2"})
        self.assertEqual(eif.files(other.read_bytes())[-1][::2], (ca_bundle, pathlib.Path(ca_bundle).read_bytes()))
        # Any relocatable file stands in for the driver.
        subprocess.run(["ld", "-r", "-b", "binary", "-o", FOLDER / "nsm.ko", FOLDER / "own.json"], check=True)
        self.assertEqual(differ("--nsm-module", FOLDER / "nsm.ko"), {"PCR0", "PCR1"})
        self.assertIn(("/nsm.ko", 0o100644, (FOLDER / "nsm.ko").read_bytes()), eif.files(other.read_bytes()))
        self.assertEqual(differ("--cmdline", "console=ttyS0 quiet"), {"PCR0", "PCR1"})
        self.assertEqual(differ(program="/bin/false"), {"PCR0", "PCR1"})
        self.assertEqual(differ(layout=[]), {"PCR0", "PCR1", "PCR2"})
        self.assertEqual(differ("--build-time", "2026-11-23T00:39:22Z"), set())
        self.assertEqual(differ(env={**os.environ, "SOURCE_DATE_EPOCH": "1"}), set())
        self.assertEqual(differ("--name", "n", "--image-version", "2", "--metadata", FOLDER / "own.json"), set())
        described = json.loads(run("image", "describe", other, check=0).stdout)
        self.assertEqual((described["ImageName"], described["ImageVersion"], described["Metadata"]["ticket"]), ("n", "2", 6))


class Described(unittest.TestCase):
    def test_describe(self):
        described = json.loads(run("image", "describe", REAL, check=0).stdout)
        self.assertEqual(described, {
            "EifVersion": 4,
            **BUILT[REAL],
            "IsSigned": False,
            "CheckCRC": True,
            "ImageName": "ensign",
            "ImageVersion": described["Metadata"]["BuildToolVersion"],
            "Metadata": {
                "BuildTime": "1970-01-01T00:00:00Z",
                "BuildTool": "ensign",
                "BuildToolVersion": described["ImageVersion"],
                "OperatingSystem": "Linux",
                "KernelVersion": "6.12.48",
                "DockerInfo": None,
            },
        })

    def test_damage(self):
        """Whichever section a byte is changed in, somebody notices."""
        image = SMALL.read_bytes()
        damaged = FOLDER / "damaged.eif"
        at = eif.HEADER_SIZE
        places = [0, 9, 0x224 - 1]
        for _, data in eif.sections(image):
            places += [at, at + 12, at + 12 + len(data) // 2]
            at += 12 + len(data)
        noticed = set()
        for place in [*places, len(image) - 1]:
            damaged.write_bytes(image[:place] + bytes([image[place] ^ 1]) + image[place + 1 :])
            noticed.add(run("image", "verify", damaged).returncode)
        self.assertEqual(noticed, {1, 2})
        self.assertIn("CRC", run("image", "measure", damaged, check=1).stderr)
        damaged.write_bytes(image[:-1])
        self.assertIn("beyond the end", run("image", "verify", damaged, check=2).stderr)

    def test_verify(self):
        pcr0 = BUILT[REAL]["Measurements"]["PCR0"]
        self.assertIn("The image is sound.", run("image", "verify", REAL, "--pcr0", pcr0, check=0).stdout)
        self.assertIn("FAILED  pcr0", run("image", "verify", SMALL, "--pcr0", pcr0, check=1).stdout)
        self.assertIn("not signed", run("image", "verify", REAL, "--signed", check=1).stdout)
        self.assertIn("not signed", run("image", "verify", REAL, "--pcr8", pcr0, check=1).stdout)
        self.assertIn("--pcr0: not 96", run("image", "verify", REAL, "--pcr0", "00", check=2).stderr)
        verdict = json.loads(run("image", "verify", REAL, "--json", check=0).stdout)
        self.assertEqual(verdict["checks"], {"sections": "ok", "crc": "ok"})
        self.assertEqual(verdict["measurements"], BUILT[REAL]["Measurements"])

    def test_refusals(self):
        (FOLDER / "vmlinux").write_bytes(b"\x7fELF" + bytes(4096))
        (FOLDER / "bad.json").write_text(json.dumps({**CONFIGURATION, "misspelt": 1}))
        (FOLDER / "list.json").write_text("[]")
        out = FOLDER / "never.eif"
        for options, settings, message in [
            (["--kernel", FOLDER / "vmlinux"], {}, "bzImage"),
            (["--kernel", "/nonexistent"], {}, "--kernel: /nonexistent"),
            (["--nsm-module", "/bin/true"], {}, "--nsm-module /bin/true: not a kernel module"),
            (["--cmdline", "two\nlines"], {}, "cmdline: byte 3 is 0x0a"),
            (["--build-time", "yesterday"], {}, "--build-time"),
            (["--metadata", FOLDER / "list.json"], {}, "--metadata"),
            (["--ca-bundle", FOLDER / "list.json"], {}, "--ca-bundle"),
            (["--root", FOLDER], {}, "PT_INTERP"),
            ([], {"env": {"SOURCE_DATE_EPOCH": "x"}}, "SOURCE_DATE_EPOCH"),
            ([], {"config": "bad.json"}, "misspelt: no such setting"),
            ([], {"program": "/etc/passwd"}, "--program: /etc/passwd: not a little-endian ELF64"),
        ]:
            self.assertIn(message, build(out, "--uncompressed", *options, check=2, **settings))
        self.assertFalse(out.exists())
        for verb in ["build", "measure", "describe", "verify", "sign"]:
            self.assertIn("missing", run("image", verb, check=2).stderr)
            self.assertIn("ensign image " + verb, run("image", verb, "--help", check=0).stdout)


class DefaultKernel(unittest.TestCase):
    def test_documented(self):
        """What docs/configuration.md shows is a configuration, and it names every member that there is."""
        page = (TOP / "docs/configuration.md").read_text()
        whole, network = (json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
        path = FOLDER / "documented.json"
        for configuration in [whole, {**CONFIGURATION, "network": network}]:
            path.write_text(json.dumps(configuration))
            build(FOLDER / "documented.eif", config=path.name)
        source = (TOP / "src/image/configuration.c").read_text()
        members = re.findall(r'"(\w+)"', re.search(r"other_members\[\] = \{(.*?)\};", source, re.DOTALL)[1]) + re.findall(r'\{"(\w+)", offsetof', source)
        self.assertEqual({*whole, "debug"}, set(members))
        for member in members:
            self.assertIn(f"`{member}`", page)

    def test_installed(self):
        """Beside the program; without one it is said how to get it. What a build folder has is in test_microvm.py."""
        installed = FOLDER / "installed"
        (installed / "image").mkdir(parents=True)
        shutil.copy(PROGRAMS / "ensign", installed)
        words = [installed / "ensign", "image", "build", "--config", FOLDER / "config.json", "--program", "/bin/true", "--uncompressed",
                 "--out", FOLDER / "default.eif"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("image/bzImage does not exist; scripts/get-kernel", done.stderr)
        shutil.copy(FOLDER / "small", installed / "image/bzImage")
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(done.stdout), BUILT[SMALL])
        self.assertEqual((FOLDER / "default.eif").read_bytes(), SMALL.read_bytes())


class Signed(unittest.TestCase):
    def signer(self, name, *options, curve="secp384r1"):
        key, certificate = FOLDER / f"{name}.key", FOLDER / f"{name}.pem"
        subprocess.run(["openssl", "ecparam", "-name", curve, "-genkey", "-noout", "-out", key], check=True)
        subprocess.run(["openssl", "req", "-new", "-x509", "-key", key, "-sha384", "-subj", f"/C=US/CN={name}", "-out", certificate,
                        *options], check=True)
        return ["--key", key, "--cert", certificate]

    def test_sign(self):
        signed = FOLDER / "signed.eif"
        one, other = self.signer("one"), self.signer("other")
        printed = json.loads(run("image", "sign", SMALL, *one, "--out", signed, check=0).stdout)
        self.assertEqual(printed, eif.measure(signed.read_bytes()))
        pcr8 = printed["Measurements"].pop("PCR8")
        self.assertEqual(printed, BUILT[SMALL])
        self.assertIn("ok      pcr8", run("image", "verify", signed, "--signed", "--pcr8", pcr8, check=0).stdout)
        described = json.loads(run("image", "describe", signed, check=0).stdout)
        self.assertEqual((described["IsSigned"], described["CheckCRC"], described["SignatureCheck"]), (True, True, True))
        self.assertEqual(described["SigningCertificate"]["IssuerName"], {"countryName": "US", "commonName": "one"})
        self.assertEqual(described["SigningCertificate"]["Algorithm"], "ecdsa-with-SHA384")
        # Another signature takes the place of the first, and the same signer has the same PCR8 on another image.
        run("image", "sign", signed, *other, check=0)
        self.assertNotEqual(measured(signed)["PCR8"], pcr8)
        self.assertEqual([kind for kind, _ in eif.sections(signed.read_bytes())].count(eif.SIGNATURE), 1)
        run("image", "verify", signed, "--pcr8", pcr8, check=1)
        run("image", "sign", REAL, *one, "--out", signed, check=0)
        self.assertEqual(measured(signed)["PCR8"], pcr8)

    def test_signature_by_openssl(self):
        """What is signed is what the standards say, for somebody else's ECDSA too."""
        signed = FOLDER / "signed.eif"
        arguments = self.signer("third")
        run("image", "sign", SMALL, *arguments, "--out", signed, check=0)
        (section,) = [data for kind, data in eif.sections(signed.read_bytes()) if kind == eif.SIGNATURE]
        _, protected, payload, value = eif.signature(section)

        def head(major, size):
            return bytes([major << 5 | size]) if size < 24 else bytes([major << 5 | 24, size])

        def integer(number):
            raw = number.to_bytes(49, "big").lstrip(b"\0")
            raw = b"\0" + raw if raw[0] & 0x80 else raw
            return b"\x02" + bytes([len(raw)]) + raw

        message = b"\x84\x6aSignature1" + head(2, len(protected)) + protected + b"\x40" + head(2, len(payload)) + payload
        numbers = integer(int.from_bytes(value[:48], "big")) + integer(int.from_bytes(value[48:], "big"))
        (FOLDER / "message").write_bytes(message)
        (FOLDER / "signature").write_bytes(b"\x30" + bytes([len(numbers)]) + numbers)
        public = subprocess.run(["openssl", "x509", "-in", arguments[-1], "-pubkey", "-noout"], capture_output=True, check=True).stdout
        (FOLDER / "public.pem").write_bytes(public)
        subprocess.run(["openssl", "dgst", "-sha384", "-verify", FOLDER / "public.pem", "-signature", FOLDER / "signature",
                        FOLDER / "message"], check=True, stdout=subprocess.DEVNULL)

    def test_of_another_image(self):
        """A signature that is moved to another image, with a right CRC, is found out."""
        signed = FOLDER / "signed.eif"
        run("image", "sign", SMALL, *self.signer("mover"), "--out", signed, check=0)
        (section,) = [data for kind, data in eif.sections(signed.read_bytes()) if kind == eif.SIGNATURE]
        moved = bytearray(REAL.read_bytes())
        count = len(eif.sections(moved))
        moved[0x1A:0x1C] = (count + 1).to_bytes(2, "big")
        moved[0x1C + 8 * count : 0x24 + 8 * count] = len(moved).to_bytes(8, "big")
        moved[0x11C + 8 * count : 0x124 + 8 * count] = len(section).to_bytes(8, "big")
        moved += eif.SIGNATURE.to_bytes(2, "big") + bytes(2) + len(section).to_bytes(8, "big") + section
        crc = eif.zlib.crc32(moved[0x224:], eif.zlib.crc32(moved[:0x220]))
        moved[0x220:0x224] = crc.to_bytes(4, "big")
        (FOLDER / "moved.eif").write_bytes(moved)
        done = run("image", "verify", FOLDER / "moved.eif", check=1)
        self.assertIn("ok      crc", done.stdout)
        self.assertIn("FAILED  signature  the signature is of another image", done.stdout)
        self.assertFalse(json.loads(run("image", "describe", FOLDER / "moved.eif", check=0).stdout)["SignatureCheck"])

    def test_refusals(self):
        good = self.signer("good")
        other = self.signer("stranger")
        small = self.signer("p256", curve="prime256v1")
        expired = self.signer("expired")
        subprocess.run(["openssl", "x509", "-in", expired[3], "-signkey", expired[1], "-days", "-1", "-out", FOLDER / "old.pem"], check=True)
        encrypted = FOLDER / "encrypted.key"
        subprocess.run(["openssl", "pkey", "-in", good[1], "-aes256", "-passout", "pass:x", "-out", encrypted], check=True)
        damaged = FOLDER / "damaged.eif"
        damaged.write_bytes(SMALL.read_bytes()[:-1] + b"\xff")
        before = SMALL.read_bytes()
        for path, arguments, code, message in [
            (SMALL, ["--key", good[1], "--cert", other[3]], 2, "the key is not the certificate's"),
            (SMALL, small, 1, "P-384"),
            (SMALL, ["--key", encrypted, "--cert", good[3]], 2, "the key is encrypted"),
            (SMALL, ["--key", good[3], "--cert", good[3]], 2, "no private key"),
            (SMALL, ["--key", good[1], "--cert", good[1]], 2, "no certificate"),
            (SMALL, [*expired[:3], FOLDER / "old.pem"], 2, "expired"),
            (SMALL, good[:2], 2, "--cert: missing"),
            (damaged, good, 1, "CRC"),
        ]:
            self.assertIn(message, run("image", "sign", path, *arguments, check=code).stderr)
        self.assertTrue(SMALL.read_bytes() == before)


if __name__ == "__main__":
    unittest.main()
