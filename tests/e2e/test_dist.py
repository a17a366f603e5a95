# SPDX-License-Identifier: Apache-2.0
"""`make dist`: the same bytes twice; what is in it; and its programs on a machine that has no libraries, from another folder."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import tarfile
import tempfile
import threading
import unittest
import zipfile

import support  # noqa: F401
import signer
from lambda_runtime import RuntimeApi
from signer import PROGRAMS, TOP, Connection, SignerTest, attestation, run, wait_for

BUILD = pathlib.Path(os.environ.get("BUILD", TOP / "build")).resolve()
NAMES = ["ensign", "ensign-host", "ensign-enclave", "ensign-sim"]
LOADER = "root/lib64/ld-linux-x86-64.so.2"
LIBRARIES = "root/lib/x86_64-linux-gnu"
CONFIGURATION = {
    "version": 1, "network": "mainnet", "slashing_protection": True, "fleet": "dist", "region": "us-east-1",
    "kms_host": "kms.us-east-1.amazonaws.com", "kms_key_arn": "arn:aws:kms:us-east-1:000000000000:key/1",
    "ca_pem": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
}
# Another machine, as far as a program can see: no file of this one but /proc and /dev.
ENTER = """
root=$1; shift
for folder in proc dev; do mount --rbind "/$folder" "$root/$folder"; done
exec chroot "$root" "$@"
"""
HOST_NAME = "signer.test"


def digest(contents):
    return hashlib.sha256(contents).hexdigest()


def cached_kernel():
    done = subprocess.run([TOP / "scripts/get-kernel", "--cached"], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def foreign_command(root, *command):
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *rights, "--mount", "sh", "-euc", ENTER, "sh", str(root), *map(str, command)]


def can_be_foreign(folder):
    root = folder / "probe"
    for name in ["proc", "dev", "bin"]:
        (root / name).mkdir(parents=True)
    done = subprocess.run(foreign_command(root, "/bin/nothing"), capture_output=True, text=True)
    return done.returncode == 127 and "chroot" in done.stderr


@contextlib.contextmanager
def echo_server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(connection.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


class Dist(SignerTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="ensign-dist-"))
        cls.addClassCleanup(shutil.rmtree, cls.shared, True)
        config = cls.shared / "enclave.json"
        config.write_text(json.dumps(CONFIGURATION))
        while True:  # scripts/test may be building the kernel at this very time
            cls.kernel = cached_kernel()
            for name, variables, umask in [("one", {"TZ": "UTC", "LC_ALL": "C"}, 0o022), ("two", {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}, 0o077)]:
                cls.dist(cls.shared / name, config if cls.kernel else None, variables, umask)
            if cached_kernel() == cls.kernel:
                break
        cls.one = cls.shared / "one"
        cls.config = config
        cls.archive, = cls.one.glob("ensign-*-linux-x86_64.tar.gz")
        cls.zip, = cls.one.glob("ensign-lambda*.zip")
        cls.sbom, = cls.one.glob("ensign-*.cdx.json")
        cls.version = cls.archive.name.removeprefix("ensign-").removesuffix("-linux-x86_64.tar.gz")
        # Neither the folder that it was packed from, nor one of this machine's.
        cls.foreign = cls.shared / "foreign"
        cls.release = cls.foreign / "srv/elsewhere"
        for name in ["proc", "dev", "tmp", "etc", "usr/lib", "srv/elsewhere", "var/task"]:
            (cls.foreign / name).mkdir(parents=True)
        (cls.foreign / "etc/hosts").write_text(f"127.0.0.1 localhost {HOST_NAME}\n")
        # Modules of another C library, which ours must do without.
        (cls.foreign / "etc/nsswitch.conf").write_text("hosts: myhostname resolve [!UNAVAIL=return] files dns\n")
        (cls.foreign / "usr/lib/libnss_myhostname.so.2").write_bytes(b"not for this loader")
        subprocess.run(["tar", "-xzf", cls.archive, "-C", cls.release, "--strip-components=1", "--no-same-owner"], check=True)
        with zipfile.ZipFile(cls.zip) as archive:
            for entry in archive.infolist():
                os.chmod(archive.extract(entry, cls.foreign / "var/task"), entry.external_attr >> 16 & 0o777)

    @classmethod
    def dist(cls, out, config, variables, umask):
        environment = {**os.environ, **variables, "BUILD": str(BUILD), "DIST": str(out)}
        environment.pop("CONFIG", None)
        if config:
            environment["CONFIG"] = str(config)
        done = subprocess.run([TOP / "scripts/dist"], capture_output=True, text=True, env=environment, umask=umask)
        if done.returncode != 0:
            raise AssertionError(f"scripts/dist: {done.returncode}\n{done.stdout}{done.stderr}")

    def in_foreign_root(self, *command, check=0, **options):
        done = subprocess.run(foreign_command(self.foreign, *command), capture_output=True, text=True, timeout=120,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, **options)
        self.assertEqual(done.returncode, check, f"{command}\n{done.stdout}{done.stderr}")
        return done

    def need_foreign_root(self):
        if can_be_foreign(self.folder):
            return
        self.assertNotEqual(os.environ.get("CI"), "true", "a root of another machine cannot be made here")
        self.skipTest("a root of another machine cannot be made here")

    def test_same_bytes(self):
        files = {path.name for path in self.one.iterdir()}
        expected = {self.archive.name, self.zip.name, f"ensign-{self.version}.cdx.json", "SHA256SUMS"}
        self.assertEqual(files, expected | ({"ensign.eif", "ensign.eif.json"} if self.kernel else set()))
        for name in files:
            self.assertEqual(digest((self.one / name).read_bytes()), digest((self.shared / "two" / name).read_bytes()), name)
        listed = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=self.one, capture_output=True, text=True)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertEqual(len(listed.stdout.splitlines()), len(files) - 1)

    def test_missing_lambda(self):
        build = self.folder / "build"
        (build / "src/bin").mkdir(parents=True)
        done = subprocess.run([TOP / "scripts/dist"], capture_output=True, text=True,
                              env={**os.environ, "BUILD": str(build), "DIST": str(self.folder / "out")})
        self.assertEqual(done.returncode, 1)
        self.assertIn("ensign-lambda", done.stderr)
        self.assertFalse((self.folder / "out").exists())

    def test_archive(self):
        with tarfile.open(self.archive) as archive:
            members = archive.getmembers()
        top = f"ensign-{self.version}-linux-x86_64"
        names = [member.name for member in members]
        self.assertEqual(len(set(names)), len(names))
        self.assertEqual({name.split("/")[0] for name in names}, {top})
        self.assertEqual(len({member.mtime for member in members}), 1)
        for member in members:
            self.assertEqual((member.uid, member.gid, member.uname, member.gname), (0, 0, "", ""), member.name)
            self.assertTrue(member.isfile() or member.isdir(), member.name)
            is_program = bool(re.search(rf"/bin/(image/)?ensign[^/]*$|/ensign-deploy$|{LOADER}$", member.name))
            self.assertEqual(member.mode & 0o777, 0o755 if member.isdir() or is_program else 0o644, member.name)
        inside = {name.removeprefix(top + "/") for name in names}
        self.assertLessEqual({f"bin/{name}" for name in NAMES}, inside)
        self.assertLessEqual({"bin/image/ensign-enclave", LOADER, f"{LIBRARIES}/libc.so.6", f"{LIBRARIES}/libgcc_s.so.1", "deploy/template.yaml",
                              "deploy/ensign-deploy", "deploy/systemd/ensign-host.service", "docs/walkthrough.md", "LICENSE", "README.md", "licences/libc6", "licences/common/LGPL-2.1"}, inside)
        self.assertEqual("bin/image/bzImage" in inside, bool(self.kernel))
        tracked = subprocess.run(["git", "-C", TOP, "ls-files", "deploy"], capture_output=True, text=True).stdout.split()
        elsewhere = {"deploy/archive-readme.md"}  # as README.md
        self.assertLessEqual({name for name in tracked if (TOP / name).exists()} - elsewhere, inside)
        files = {member.name.removeprefix(top + "/") for member in members if member.isfile()}
        sums = dict(reversed(line.split("  ./")) for line in (self.release / "SHA256SUMS").read_text().splitlines())
        self.assertEqual(set(sums), files - {"SHA256SUMS"})
        for name, value in sums.items():
            self.assertEqual(digest((self.release / name).read_bytes()), value, name)

    def test_every_library(self):
        """What a library of the archive needs is there too."""
        present = {path.name for path in (self.release / LIBRARIES).iterdir()} | {pathlib.Path(LOADER).name}
        for path in [*(self.release / LIBRARIES).iterdir(), *(self.release / "bin" / name for name in NAMES)]:
            headers = subprocess.run(["objdump", "-p", path], capture_output=True, text=True, check=True).stdout
            self.assertLessEqual(set(re.findall(r"NEEDED +(\S+)", headers)), present, path.name)
            self.assertNotIn("RUNPATH", headers, path.name)  # it would go before the release's

    def test_zip(self):
        with zipfile.ZipFile(self.zip) as archive:
            self.assertIsNone(archive.testzip())
            entries = archive.infolist()
        names = [entry.filename for entry in entries]
        self.assertEqual(names, sorted(set(names)))
        self.assertLessEqual({"bootstrap", "LICENSE", LOADER, f"{LIBRARIES}/libc.so.6"}, set(names))
        for entry in entries:
            mode = entry.external_attr >> 16
            self.assertTrue(stat.S_ISREG(mode), entry.filename)
            self.assertEqual(stat.S_IMODE(mode), 0o755 if entry.filename in ["bootstrap", LOADER] else 0o644, entry.filename)
            self.assertEqual(entry.date_time, entries[0].date_time)
        self.assertLess(self.zip.stat().st_size, 50 << 20)

    def test_zip_of_other_program(self):
        """One that would look for this machine's loader is refused."""
        done = subprocess.run([TOP / "scripts/make-lambda-zip", PROGRAMS / "ensign", self.folder / "x.zip"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("portable", done.stderr)
        self.assertFalse((self.folder / "x.zip").exists())

    def test_bill_of_materials(self):
        bill = json.loads(self.sbom.read_text())
        self.assertEqual((bill["bomFormat"], bill["specVersion"], bill["version"]), ("CycloneDX", "1.5", 1))
        self.assertRegex(bill["serialNumber"], "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertRegex(bill["metadata"]["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        ensign = bill["metadata"]["component"]
        self.assertEqual((ensign["type"], ensign["name"], ensign["version"]), ("application", "ensign", self.version))
        files = {}
        references = {ensign["bom-ref"]}
        for component in bill["components"]:
            for member in ["type", "name", "version", "purl", "bom-ref"]:
                self.assertTrue(component[member], component)
            self.assertNotIn(component["bom-ref"], references)
            references.add(component["bom-ref"])
        for component in [ensign, *bill["components"]]:
            for file in component.get("components", []):
                self.assertEqual((file["type"], file["hashes"][0]["alg"]), ("file", "SHA-256"))
                files[file["name"]] = file["hashes"][0]["content"]
        for path in self.release.rglob("*"):
            name = path.relative_to(self.release).as_posix()
            if path.is_file() and name.startswith(("bin/", "root/")) and name != "bin/image/bzImage":
                self.assertEqual(files.pop(name), digest(path.read_bytes()), name)
        self.assertEqual(files, {f"{self.zip.name}/bootstrap": digest((self.foreign / "var/task/bootstrap").read_bytes())})
        self.assertEqual({entry["ref"] for entry in bill["dependencies"]}, references)
        packages = {component["purl"] for component in bill["components"]}
        self.assertIn("pkg:npm/c-kzg@4.1.0", packages)
        self.assertTrue(any(re.match(r"pkg:deb/debian/libssl3@[^?]+\?arch=amd64$", purl) for purl in packages))
        kernels = [component for component in bill["components"] if component["type"] == "operating-system"]
        self.assertEqual([kernel["hashes"][0]["content"] for kernel in kernels],
                         [digest(pathlib.Path(self.kernel).read_bytes())] if self.kernel else [])

    def test_help_with_empty_environment(self):
        for name in NAMES:
            done = subprocess.run([self.release / "bin" / name, "--help"], capture_output=True, text=True, env={})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"usage: {name}", done.stdout)
        # By a relative name, by a link, and where somebody else's libraries are offered.
        (self.folder / "libcrypto.so.3").write_text("not a library")
        (self.folder / "link").symlink_to(self.release / "bin/ensign")
        for command, options in [(["./ensign", "--help"], {"cwd": self.release / "bin", "env": {}}), ([self.folder / "link", "--help"], {"env": {}}),
                                 ([self.release / "bin/ensign", "--help"], {"env": {"LD_LIBRARY_PATH": str(self.folder)}})]:
            done = subprocess.run(command, capture_output=True, text=True, **options)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_own_libraries_only(self):
        for path in [*(self.release / "bin" / name for name in NAMES), self.foreign / "var/task/bootstrap"]:
            root = path.parent / "root" if path.name == "bootstrap" else self.release / "root"
            done = subprocess.run([path], capture_output=True, text=True, env={"LD_TRACE_LOADED_OBJECTS": "1"})
            found = [os.path.realpath(file) for file in re.findall(r"(/\S+) \(0x", done.stdout)]
            self.assertGreater(len(found), 5, done.stdout + done.stderr)
            self.assertNotIn("not found", done.stdout)
            for file in found:
                self.assertTrue(file.startswith(f"{root.resolve()}/"), file)

    def test_broken_release(self):
        """Without its loader it says so, and does not run with another one."""
        (self.folder / "bin").mkdir()
        shutil.copy(self.release / "bin/ensign", self.folder / "bin/ensign")
        done = subprocess.run([self.folder / "bin/ensign", "--help"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 127)
        self.assertIn("root/lib64/ld-linux-x86-64.so.2", done.stderr)
        (self.folder / "root/lib64").mkdir(parents=True)
        for contents in [b"", b"#!/bin/sh\n" + b"\0" * 100, (self.release / LOADER).read_bytes()[:100]]:
            (self.folder / LOADER).write_bytes(contents)
            self.assertEqual(subprocess.run([self.folder / "bin/ensign", "--help"], capture_output=True).returncode, 127)

    def test_local_up(self):
        """`ensign local up` finds the other programs of the release, and the simulator measures the enclave, not its loader."""
        self.addCleanup(setattr, signer, "PROGRAMS", signer.PROGRAMS)
        signer.PROGRAMS = self.release / "bin"
        up = self.up()
        with Connection(up) as connection:
            self.assertEqual(connection.sign(up["public_keys"][0], attestation(5))[0], 200)
            self.assertEqual(connection.sign(up["public_keys"][0], attestation(5, root="0x" + "99" * 32))[0], 412)
        status = self.status()
        if os.geteuid() == 0:  # nobody else may look
            self.assertEqual(os.readlink(f"/proc/{status['host_pid']}/exe"), str(self.release / "bin/ensign-host"))
            self.assertEqual(os.readlink(f"/proc/{status['enclave_pid']}/exe"), str(self.folder / "signer/image/ensign-enclave"))
        run("local", "down", "--dir", self.folder / "signer", check=0)
        # The release moves, and another program measures otherwise.
        moved = self.folder / "moved"
        shutil.copytree(self.release, moved)
        signer.PROGRAMS = moved / "bin"
        back = self.up()
        self.assertEqual(back["measurement"], up["measurement"])
        self.assertEqual(back["public_keys"], up["public_keys"])
        run("local", "down", "--dir", self.folder / "signer", check=0)
        with open(moved / "bin/ensign-enclave", "ab") as program:
            program.write(b"\0")
        self.assertTrue(self.up()["measurement_changed"])

    def test_image(self):
        """An image of the release's parts is the one of the build's."""
        if not self.kernel:
            self.skipTest("no kernel: scripts/get-kernel builds it")
        epoch = subprocess.run(["git", "-C", TOP, "log", "-1", "--format=%ct"], capture_output=True, text=True, check=True).stdout.strip()
        made = subprocess.run([PROGRAMS / "ensign", "image", "build", "--config", self.config, "--out", self.folder / "ensign.eif"],
                              capture_output=True, text=True, env={**os.environ, "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", epoch)})
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(digest((self.folder / "ensign.eif").read_bytes()), digest((self.one / "ensign.eif").read_bytes()))
        self.assertEqual(json.loads(made.stdout), json.loads((self.one / "ensign.eif.json").read_text()))

    def test_foreign_help(self):
        self.need_foreign_root()
        for name in NAMES:
            self.assertIn(f"usage: {name}", self.in_foreign_root(f"/srv/elsewhere/bin/{name}", "--help").stdout)

    def test_foreign_lambda(self):
        """Where Lambda unpacks it, with the paths of libraries that Lambda sets: it starts, and asks for work."""
        self.need_foreign_root()
        api = RuntimeApi()
        self.addCleanup(api.stop)
        environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime", "AWS_LAMBDA_RUNTIME_API": api.place}
        started = subprocess.run(foreign_command(self.foreign, "/var/task/bootstrap"), capture_output=True, text=True, env=environment)
        self.assertEqual(started.returncode, 1, started.stderr)
        self.assertIn("NITRO_INSTANCE_PRIVATE_DNS", api.wait_init_error()["errorMessage"])
        program = subprocess.Popen(foreign_command(self.foreign, "/var/task/bootstrap"), stderr=subprocess.DEVNULL, env={
            **environment, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "DEPLOYMENT_MODE": "dev",
            "KEY_ARN": CONFIGURATION["kms_key_arn"], "NITRO_INSTANCE_PRIVATE_DNS": "localhost:1", "TLS_KEYS_TABLE_NAME": "tls"})
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        self.assertTrue(api.polled.wait(10), "it asks for work")

    def test_foreign_image(self):
        self.need_foreign_root()
        if not self.kernel:
            self.skipTest("no kernel: scripts/get-kernel builds it")
        shutil.copy(self.config, self.foreign / "tmp/enclave.json")
        made = self.in_foreign_root("/srv/elsewhere/bin/ensign", "image", "build", "--config", "/tmp/enclave.json", "--out", "/tmp/ensign.eif")
        self.assertEqual(json.loads(made.stdout), json.loads((self.one / "ensign.eif.json").read_text()))

    def test_foreign_signer(self):
        self.need_foreign_root()
        place = ["--dir", "/tmp/signer"]
        self.addCleanup(lambda: self.in_foreign_root("/srv/elsewhere/bin/ensign", "local", "down", *place))
        made = self.in_foreign_root("/srv/elsewhere/bin/ensign", "local", "up", *place, "--listen", f"{HOST_NAME}:0", "--json")
        up = json.loads(made.stdout)
        port = int(up["url"].rsplit(":", 1)[1])
        outside = {"url": f"https://127.0.0.1:{port}", "ca_file": str(self.foreign / up["ca_file"].lstrip("/"))}
        with Connection(outside) as connection:
            self.assertEqual(connection.sign(up["public_keys"][0], attestation(5))[0], 200)
            self.assertEqual(connection.sign(up["public_keys"][0], attestation(5, root="0x" + "99" * 32))[0], 412)
        self.in_foreign_root("/srv/elsewhere/bin/ensign", "local", "down", *place)
        failed = self.in_foreign_root("/srv/elsewhere/bin/ensign", "local", "up", *place, "--listen", "nobody.test:0", check=1)
        self.assertIn("resolve", failed.stderr)
        self.relay_by_name()

    def relay_by_name(self):
        """The host's relay finds a name in /etc/hosts; nothing else of the signer is up."""
        settings_file = self.foreign / "tmp/signer/host.json"
        settings = json.loads(settings_file.read_text())
        settings["listen"] = f"tcp:{HOST_NAME}:{self.reserve_port()}"
        port = self.reserve_port()
        with echo_server() as server_port:
            settings["relays"].append({"name": "echo", "listen": f"tcp:127.0.0.1:{port}", "connect": f"tcp:{HOST_NAME}:{server_port}"})
            settings_file.write_text(json.dumps(settings))
            host = subprocess.Popen(foreign_command(self.foreign, "/srv/elsewhere/bin/ensign-host", "--config", "/tmp/signer/host.json"),
                                    stderr=subprocess.PIPE, text=True)
            try:
                def answered():
                    try:
                        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                            connection.sendall(b"hello")
                            return connection.recv(100) == b"hello"
                    except OSError:
                        return False

                wait_for(answered, "the relay answers", timeout=15)
            finally:
                host.terminate()
                host.communicate()


if __name__ == "__main__":
    unittest.main(verbosity=2)
