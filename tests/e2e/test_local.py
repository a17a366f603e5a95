# SPDX-License-Identifier: Apache-2.0
"""`ensign local`: up, status, down and up again; folders side by side; bad keystores; deaths."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import unittest

import support  # noqa: F401
from signer import PROGRAMS, TOP, Connection, SignerTest, attestation, block, processes_of, run, wait_for


class Life(SignerTest):
    def test_up_sign_down_up(self):
        up = self.up()
        self.assertEqual(len(up["public_keys"]), 1)
        self.assertRegex(up["public_keys"][0], "^0x[0-9a-f]{96}$")
        self.assertRegex(up["measurement"]["PCR0"], "^[0-9a-f]{96}$")
        self.assertEqual(up["keys_imported"], 1)
        self.assertFalse(up["already_up"])
        target = ["--url", up["url"], "--ca", up["ca_file"]]
        self.assertEqual(run("upcheck", *target, check=0).stdout, "OK\n")
        self.assertEqual(run("public-keys", *target, check=0).stdout.split(), up["public_keys"])
        self.assertEqual(json.loads(run("public-keys", "--json", *target, check=0).stdout), up["public_keys"])
        status = self.status()
        self.assertEqual((status["state"], status["signs"], status["key_count"]), ("serving", True, 1))
        run("local", "status", "--dir", self.folder / "signer", check=0)
        self.assertIn("host", run("local", "logs", "--dir", self.folder / "signer", check=0).stdout)

        again = self.up()
        self.assertTrue(again["already_up"])
        for member in ["url", "ca_file", "public_keys", "measurement"]:
            self.assertEqual(again[member], up[member])

        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertEqual(processes_of(self.folder), [])
        run("local", "status", "--dir", self.folder / "signer", check=1)
        run("upcheck", *target, check=1)
        self.assertIn("was not up", run("local", "down", "--dir", self.folder / "signer", check=0).stdout)

        back = self.up()
        for member in ["url", "public_keys", "measurement"]:
            self.assertEqual(back[member], up[member])
        self.assertEqual(back["keys_imported"], 0)
        self.assertFalse(back["measurement_changed"])

    def test_sign_command(self):
        up = self.up()
        key = up["public_keys"][0]
        request = self.folder / "request.json"

        def sign(body, *options, check, key=key):
            request.write_text(body if isinstance(body, str) else json.dumps(body))
            return run("sign", "--url", up["url"], "--ca", up["ca_file"], "--key", key, "--file", request, *options, check=check)

        first = sign(attestation(100), check=0).stdout.strip()
        self.assertRegex(first, "^0x[0-9a-f]{192}$")
        self.assertEqual(json.loads(sign(attestation(100), "--json", check=0).stdout)["signature"], first)
        self.assertIn("412", sign(attestation(100, root="0x" + "99" * 32), check=3).stderr)
        sign(attestation(99, source=98), check=3)
        sign(block(50), check=0)
        sign(block(50, root="0x" + "99" * 32), check=3)
        self.assertIn("404", sign(attestation(101), check=1, key="0x" + "00" * 48).stderr)
        self.assertIn("400", sign({"type": "ATTESTATION"}, check=2).stderr)
        sign("{not json", check=2)
        sign(attestation(101), check=2, key="0x1234")
        run("sign", "--url", up["url"], "--ca", up["ca_file"], "--key", key, "--file", self.folder / "missing", check=2)
        # Another CA does not vouch for this signer.
        other = self.up("other")
        run("upcheck", "--url", up["url"], "--ca", other["ca_file"], check=1)

    def test_folders_side_by_side(self):
        one, two = self.up("one"), self.up("two")
        self.assertNotEqual(one["url"], two["url"])
        self.assertNotEqual(one["public_keys"], two["public_keys"])
        run("local", "down", "--dir", self.folder / "one", check=0)
        self.assertFalse(processes_of(self.folder / "one"))
        connection = Connection(two)
        self.assertEqual(connection.sign(two["public_keys"][0], attestation(5))[0], 200)
        connection.close()

    def test_other_options_while_up(self):
        self.up()
        for options in [["--network", "hoodi"], ["--slashing", "off"]]:
            refused = run("local", "up", "--dir", self.folder / "signer", *options, check=1)
            self.assertIn("other options", refused.stderr)
            self.assertIn(f"ensign local down --dir {self.folder}/signer", refused.stderr)
            self.assertNotIn("WARNING", refused.stderr)
        self.assertTrue(self.status()["signs"])
        run("local", "down", "--dir", self.folder / "signer", check=0)
        # The keys are sealed for their network.
        refused = run("local", "up", "--dir", self.folder / "signer", "--network", "hoodi", check=2)
        self.assertIn("mainnet", refused.stderr)

    def test_log_format(self):
        """Asked for once, it stays; a file of JSON lines has no other line in it, whosever it is."""
        refused = run("local", "up", "--dir", self.folder / "signer", "--log-format", "xml", check=2)
        self.assertIn("--log-format", refused.stderr)
        log = self.folder / "signer/log/host.log"
        for options in [["--log-format", "json"], []]:
            log.unlink(missing_ok=True)
            self.up("signer", *options)
            wait_for(lambda: '"event":"keys_loaded"' in log.read_text(), "the enclave's lines arrive")
            run("local", "down", "--dir", self.folder / "signer", check=0)
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            self.assertLessEqual({"host", "keeper", "frontend", "enclave"}, {line["program"] for line in lines})
        log.unlink()
        self.up("signer", "--log-format", "text")
        self.assertRegex(log.read_text().splitlines()[0], r"^\d{4}-\d\d-\d\dT[\d:.]+Z info ")
        self.assertIn("other options", run("local", "up", "--dir", self.folder / "signer", "--log-format", "json", check=1).stderr)

    def test_what_to_do_next(self):
        nowhere = self.folder / "nowhere"
        starts = f"ensign local up --dir {nowhere}"
        for words, code, advice in [(["slashing", "show"], 1, starts), (["tls", "show"], 1, starts), (["local", "reload"], 1, starts),
                                    (["local", "logs"], 1, f"ensign local status --dir {nowhere}"), (["local", "logs", "--console"], 1, "--launcher qemu")]:
            with self.subTest(words=words):
                self.assertIn(advice, run(*words, "--dir", nowhere, check=code).stderr)
        authority = self.folder / "ca.pem"
        authority.write_text(pathlib.Path(self.up("other")["ca_file"]).read_text())
        up = self.up()
        for verb in ["upcheck", "public-keys"]:
            self.assertNotIn("local signer up", run(verb, "--url", "x", "--ca", authority, check=2).stderr)
            self.assertIn("--ca has to be", run(verb, "--url", up["url"], "--ca", authority, check=1).stderr)

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            failed = run("local", "up", "--dir", self.folder / "signer", "--listen", listen, check=1)
        self.assertIn(listen, failed.stderr)
        self.assertIn("--listen 127.0.0.1:0", failed.stderr)
        self.assertEqual(processes_of(self.folder), [])

    def test_long_folder_name(self):
        """Longer than the name of a unix socket may be."""
        name = "a" * 60 + "/" + "b" * 60
        (self.folder / name).parent.mkdir()
        self.assertEqual(len(self.up(name)["public_keys"]), 1)

    def test_slashing_off(self):
        loud = run("local", "up", "--dir", self.folder / "off", "--listen", "127.0.0.1:0", "--json", "--slashing", "off",
                   "--network", "hoodi", check=0)
        self.assertIn("slashing protection is OFF", loud.stderr)
        first = json.loads(loud.stdout)
        self.assertFalse(first["slashing_protection"])
        hoodi = "0x212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f"
        connection = Connection(first)
        for root in ["0x" + "11" * 32, "0x" + "99" * 32]:
            self.assertEqual(connection.sign(first["public_keys"][0], attestation(7, root=root, genesis=hoodi))[0], 200)
        connection.close()
        run("local", "down", "--dir", self.folder / "off", check=0)
        on = self.up("off", "--slashing", "on")
        self.assertTrue(on["measurement_changed"])
        self.assertNotEqual(on["measurement"]["PCR0"], first["measurement"]["PCR0"])
        self.assertEqual(on["measurement"]["PCR1"], first["measurement"]["PCR1"])
        self.assertEqual(on["public_keys"], first["public_keys"])

    def test_loud_warning(self):
        done = run("local", "up", "--dir", self.folder / "signer", "--listen", "127.0.0.1:0", "--slashing", "off",
                   "--network", "hoodi", check=0)
        self.assertIn("WARNING", done.stderr)
        self.assertIn("OFF", done.stdout)

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_without_root(self):
        os.chmod(self.folder, 0o777)
        home = self.folder / "home"
        home.mkdir()
        os.chown(home, 65534, 65534)
        options = {"user": 65534, "group": 65534, "extra_groups": [], "env": {"HOME": str(home), "PATH": os.environ["PATH"]}}
        try:
            subprocess.run([PROGRAMS / "ensign", "--help"], check=True, capture_output=True, **options)
        except (OSError, subprocess.CalledProcessError) as problem:
            self.skipTest(f"the programs are not there for others: {problem}")
        done = run("local", "up", "--listen", "127.0.0.1:0", "--json", **options)
        log = home / ".local/state/ensign/local/log/host.log"
        self.assertEqual(done.returncode, 0, done.stderr + (log.read_text()[-2000:] if log.exists() else ""))
        up = json.loads(done.stdout)
        self.assertTrue(up["ca_file"].startswith(str(home)))
        connection = Connection(up)
        self.assertEqual(connection.sign(up["public_keys"][0], attestation(5))[0], 200)
        connection.close()
        # Without --url and --ca the commands talk to the default folder's signer.
        self.assertEqual(run("upcheck", check=0, **options).stdout, "OK\n")
        run("local", "down", check=0, **options)


class Keystores(SignerTest):
    def test_import(self):
        folder, password_file, keys = self.keystores(count=3)
        options = ["--keystores", folder, "--password-file", password_file]
        up = self.up("signer", *options)
        self.assertEqual(up["public_keys"], sorted(keys))
        self.assertEqual((up["keys_imported"], up["keys_already_present"]), (3, 0))
        # The same command again changes nothing, up or down.
        self.assertTrue(self.up("signer", *options)["already_up"])
        run("local", "down", "--dir", self.folder / "signer", check=0)
        more, more_password, more_keys = self.keystores(count=1, name="more", password="\u00fcber \U0001f511")
        for file in folder.iterdir():
            file.rename(more / file.name)
            (self.folder / "passwords").mkdir(exist_ok=True)
        for file in more.iterdir():
            text = more_password.read_text() if f"{file.stem}" in more_keys else password_file.read_text()
            (self.folder / "passwords" / f"{file.stem}.txt").write_text(text)
        up = self.up("signer", "--keystores", more, "--passwords", self.folder / "passwords")
        self.assertEqual(up["public_keys"], sorted(keys + more_keys))
        self.assertEqual((up["keys_imported"], up["keys_already_present"]), (1, 3))

    def test_no_secret_on_disk(self):
        secret = "2a" * 31 + "07"
        folder, password_file, _ = self.keystores(secrets=[secret], password="correct horse battery staple")
        self.up("signer", "--keystores", folder, "--password-file", password_file)
        forms = [bytes.fromhex(secret), secret.encode(), b"correct horse"]
        for path in (self.folder / "signer").rglob("*"):
            if path.is_file():
                contents = path.read_bytes()
                for form in forms:
                    self.assertNotIn(form, contents, f"{path} holds a secret")

    def refused(self, folder, password_file, text):
        """Refused with exit code 2 and a message; nothing runs, nothing was imported."""
        done = run("local", "up", "--dir", self.folder / "signer", "--listen", "127.0.0.1:0", "--keystores", folder,
                   "--password-file", password_file, check=2)
        self.assertIn(text, done.stderr)
        self.assertEqual(processes_of(self.folder), [])
        return done.stderr

    def test_bad_keystores(self):
        folder, password_file, keys = self.keystores(count=2)
        files = sorted(folder.iterdir())
        good = files[1].read_text()

        wrong = self.folder / "wrong.txt"
        wrong.write_text("another password\n")
        self.assertIn(files[0].name, self.refused(folder, wrong, "wrong password"))

        lying = json.loads(good)
        lying["pubkey"] = json.loads(files[0].read_text())["pubkey"]
        files[1].write_text(json.dumps(lying))
        self.refused(folder, password_file, files[1].name)

        files[1].write_text(good[: len(good) // 2])
        self.refused(folder, password_file, files[1].name)
        files[1].write_text(json.dumps({**json.loads(good), "version": 3}))
        self.refused(folder, password_file, files[1].name)
        files[1].write_text(good)
        (folder / "copy.json").write_text(good)
        self.refused(folder, password_file, "same key")
        (folder / "copy.json").unlink()
        self.refused(folder, self.folder / "nothing.txt", "nothing.txt")
        self.refused(self.folder, password_file, "no *.json")

        # Nothing of all that stayed behind.
        up = self.up("signer", "--keystores", folder, "--password-file", password_file)
        self.assertEqual(up["public_keys"], sorted(keys))

    def test_create(self):
        folder, password_file, keys = self.keystores(count=2)
        for file in folder.iterdir():
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            keystore = json.loads(file.read_text())
            self.assertEqual((keystore["version"], keystore["description"]), (4, "test"))
            self.assertIn("0x" + keystore["pubkey"], keys)
        bad = self.folder / "bad.secret"
        bad.write_text("00" * 32 + "\n")
        for text in ["00" * 32, "ff" * 32, "12"]:
            bad.write_text(text + "\n")
            done = run("keystore", "create", "--out", self.folder / "x", "--password-file", password_file, "--secret-key-file", bad)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("line 1", done.stderr)


class Deaths(SignerTest):
    def serving_again(self, old_pid):
        def look():
            status = self.status()
            return status["signs"] and status["enclave_pid"] != old_pid and status

        return wait_for(look, "the signer serves again")

    def test_enclave_killed(self):
        up = self.up()
        before = self.status()
        os.kill(before["enclave_pid"], signal.SIGKILL)
        after = self.serving_again(before["enclave_pid"])
        self.assertEqual(after["restarts"], before["restarts"] + 1)
        connection = Connection(up)
        self.assertEqual(connection.sign(up["public_keys"][0], attestation(9))[0], 200)
        connection.close()

    def test_host_killed(self):
        up = self.up()
        status = self.status()
        os.kill(status["host_pid"], signal.SIGKILL)
        wait_for(lambda: not self.status()["host_pid"], "the host is gone")
        run("local", "status", "--dir", self.folder / "signer", check=1)
        back = self.up()
        self.assertEqual(back["public_keys"], up["public_keys"])
        os.kill(self.status()["host_pid"], signal.SIGKILL)
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertEqual(processes_of(self.folder), [])

    def test_simulator_killed(self):
        up = self.up()
        os.kill(self.status()["simulator_pid"], signal.SIGKILL)
        # KMS is only needed to open keys; signing goes on.
        connection = Connection(up)
        self.assertEqual(connection.sign(up["public_keys"][0], attestation(9))[0], 200)
        connection.close()
        self.assertTrue(self.up()["already_up"])
        self.assertTrue(self.status()["simulator_pid"])

    def test_stale_pid_file(self):
        up = self.up()
        run("local", "down", "--dir", self.folder / "signer", check=0)
        stranger = subprocess.Popen(["sleep", "60"])
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        for name in ["host.pid", "sim.pid"]:
            (self.folder / "signer" / name).write_text(f"{stranger.pid}\n")
        run("local", "down", "--dir", self.folder / "signer", check=0)
        self.assertIsNone(stranger.poll())
        self.assertEqual(self.up()["public_keys"], up["public_keys"])

    def test_changed_configuration(self):
        """The parent cannot change what was measured: KMS refuses, and nothing is signed."""
        up = self.up()
        configuration = pathlib.Path(self.folder / "signer/image/enclave.json")
        text = configuration.read_text()
        configuration.write_text(text.replace('"slashing_protection": true', '"slashing_protection": false'))
        os.kill(self.status()["enclave_pid"], signal.SIGKILL)

        def denied():
            last = self.status()["last_error"]
            return last and "AccessDenied" in last["message"] and last

        self.assertEqual(wait_for(denied, "KMS refuses")["code"], "policy")
        run("local", "status", "--dir", self.folder / "signer", check=1)
        with self.assertRaises(OSError):
            Connection(up).sign(up["public_keys"][0], attestation(9))
        # `up` writes what it measured before, so the signer comes back.
        run("local", "down", "--dir", self.folder / "signer", check=0)
        back = self.up()
        self.assertEqual(back["measurement"], up["measurement"])
        self.assertEqual(back["public_keys"], up["public_keys"])


class CommandLine(unittest.TestCase):
    def test_help(self):
        for words in [[], ["local"], ["keystore"]]:
            self.assertIn("usage:", run(*words, "--help", check=0).stdout)
            self.assertIn("usage:", run(*words, check=2).stderr)
        for words in [["local", "up"], ["local", "status"], ["local", "logs"], ["local", "down"], ["keystore", "create"], ["sign"],
                      ["public-keys"], ["upcheck"]]:
            page = run(*words, "--help", check=0).stdout
            self.assertIn("usage: ensign " + " ".join(words), page)
            self.assertIn("\n  ensign ", page, "no example")

    def test_version(self):
        """Of all programs that one has in one's hands, and the image's."""
        [version] = re.findall(r"^  version: '(.*)',$", (TOP / "meson.build").read_text(), re.MULTILINE)
        for name in ["ensign", "ensign-host", "ensign-enclave", "ensign-lambda", "ensign-sim", "image/ensign-enclave"]:
            done = subprocess.run([PROGRAMS / name, "--version"], check=True, capture_output=True, text=True)
            self.assertEqual(done.stdout, f"{pathlib.Path(name).name} {version}\n")

    def test_wrong(self):
        for words in [["nonsense"], ["local", "nonsense"], ["local", "up", "--nonsense"], ["local", "up", "extra"],
                      ["local", "up", "--network", "nonsense", "--dir", "/nonexistent/x"],
                      ["local", "up", "--slashing", "maybe", "--dir", "/nonexistent/x"],
                      ["local", "up", "--listen", "nonsense", "--dir", "/nonexistent/x"],
                      ["local", "up", "--keystores", "x", "--dir", "/nonexistent/x"],
                      ["sign"], ["upcheck", "--url", "https://localhost:1"],
                      ["upcheck", "--url", "http://localhost:1", "--ca", "/dev/null"], ["keystore", "create"]]:
            self.assertEqual(run(*words).returncode, 2, words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
