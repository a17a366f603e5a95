# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of a signer from outside: counters that are exact, in the form that Prometheus reads, and log lines."""
import json
import os
import pathlib
import re
import signal
import subprocess
import unittest
import urllib.error
import urllib.request

import support  # noqa: F401
from signer import PROGRAMS, TOP, Connection, SignerTest, attestation, block, randao, run, voluntary_exit, wait_for

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SERIES = re.compile(rf'^({NAME})(?:\{{((?:[a-zA-Z_]\w*="[^"\\\n]*",?)+)\}})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$')


def parse(text):
    """{series with its labels: value}; a strict reading of the text exposition format 0.0.4"""
    values, types, current = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in types, f"{current} is there twice"
            types[current] = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and kind in ["counter", "gauge", "histogram"], line
            types[name] = kind
        else:
            found = SERIES.match(line)
            assert found, line
            base = re.sub(r"_(bucket|sum|count)$", "", found[1]) if types[current] == "histogram" else found[1]
            assert base == current, f"{line} stands under {current}"
            key = line.rsplit(" ", 1)[0]
            assert key not in values, f"{key} is there twice"
            values[key] = float(found[3])
    return values, types


class Metrics(SignerTest):
    def start(self, *options):
        self.url = f"http://127.0.0.1:{self.reserve_port()}"
        up = self.up("signer", "--metrics-listen", self.url.removeprefix("http://"), *options)
        self.dir = pathlib.Path(up["dir"])
        return up

    def scrape(self):
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            return parse(answer.read().decode())[0]

    def test_counters_are_exact(self):
        up = self.start()
        key = up["public_keys"][0]
        before = self.scrape()
        self.assertEqual(before["signing_signers_loaded_count"], 1)
        with Connection(up) as connection:
            for epoch in range(10, 15):
                self.assertEqual(connection.sign(key, attestation(epoch))[0], 200)
            self.assertEqual(connection.sign(key, attestation(11, root="0x" + "44" * 32))[0], 412)
            self.assertEqual(connection.sign(key, block(1000))[0], 200)
            self.assertEqual(connection.sign(key, randao(3))[0], 200)
            self.assertEqual(connection.sign("0x" + "ab" * 48, randao(3))[0], 404)
            self.assertEqual(connection.sign(key, voluntary_exit(5))[0], 403)
            self.assertEqual(connection.sign(key, "{")[0], 400)
            after = self.scrape()
            self.assertEqual(after["ensign_open_connections"], 1)

        def grown(name):
            return after.get(name, 0) - before.get(name, 0)

        for name, count in [('ensign_signing_requests_total{type="ATTESTATION",status="200"}', 5), ('ensign_signing_requests_total{type="ATTESTATION",status="412"}', 1),
                            ('ensign_signing_requests_total{type="RANDAO_REVEAL",status="200"}', 1), ('ensign_signing_requests_total{type="RANDAO_REVEAL",status="404"}', 1),
                            ('ensign_signing_requests_total{type="VOLUNTARY_EXIT",status="403"}', 1), ('ensign_signing_refusals_total{reason="slashable"}', 1),
                            ('ensign_signing_refusals_total{reason="policy"}', 1), ("signing_bls_missing_identifier_count_total", 1), ("http_bls_malformed_request_count_total", 1),
                            ("eth2_slashingprotection_permitted_signings_total", 7), ("eth2_slashingprotection_prevented_signings_total", 1),
                            ('eth2_slashingprotection_database_duration_count{signingOperation="attestation"}', 5),
                            ('eth2_slashingprotection_database_duration_count{signingOperation="block"}', 1)]:
            with self.subTest(name):
                self.assertEqual(grown(name), count)
        self.assertEqual(after["ensign_enclave_up"], 1)
        self.assertEqual(after['ensign_host_state{state="serving"}'], 1)
        self.assertGreater(after['ensign_relay_bytes_in_total{relay="signing"}'], 0)
        # Openers live for one job. The second one opens nothing, and what the first one counted stays.
        calls = after['ensign_kms_calls_total{operation="Decrypt",outcome="ok"}']
        self.assertGreater(calls, 0)
        run("local", "reload", "--dir", self.dir, check=0)
        again = self.scrape()
        self.assertEqual(again["ensign_host_reloads_total"], 1)
        self.assertEqual(again['ensign_kms_calls_total{operation="Decrypt",outcome="ok"}'], calls)
        self.assertEqual(again['ensign_jobs_total{job="reload",outcome="ok"}'], 1)

    def test_other_requests(self):
        self.start()
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(self.url + "/", timeout=10)
        self.assertEqual(refused.exception.code, 404)
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(self.url + "/metrics", b"x", method="POST"), timeout=10)
        self.assertEqual(self.scrape()["ensign_enclave_up"], 1)

    def test_every_metric_is_documented(self):
        self.start()
        documented = set(re.findall(rf"^\| `({NAME})", (TOP / "docs/metrics.md").read_text(), re.MULTILINE))
        with urllib.request.urlopen(self.url + "/metrics", timeout=10) as answer:
            types = parse(answer.read().decode())[1]
        self.assertEqual(set(types), documented)

    def test_log_lines_arrive(self):
        up = self.start()
        log = self.dir / "log/host.log"
        with Connection(up) as connection:
            self.assertEqual(connection.sign(up["public_keys"][0], voluntary_exit(5))[0], 403)
        line = wait_for(lambda: next((line for line in log.read_text().splitlines() if "request_refused" in line), None), "the line arrives", 10)
        self.assertRegex(line, r"^\d{4}-\d\d-\d\dT[\d:.]+Z warning frontend request_refused status=403 client=\S+ method=POST ")
        self.assertIn("keys_loaded", log.read_text())

    def test_log_lines_as_json(self):
        """The host alone, started again with log_format; also what the enclave says at its end is JSON, and nothing is secret."""
        up = self.start(*self.options_of_a_keystore())
        os.kill(self.status()["host_pid"], signal.SIGTERM)
        wait_for(lambda: self.status()["host_pid"] == 0, "the host has ended")
        settings = self.dir / "json.json"
        settings.write_text(json.dumps({**json.loads((self.dir / "host.json").read_text()), "log_format": "json"}))
        log = self.folder / "json.log"
        with open(log, "wb") as stderr:
            host = subprocess.Popen([PROGRAMS / "ensign-host", "--config", settings], stdin=subprocess.DEVNULL, stderr=stderr)
        try:
            wait_for(lambda: '"event":"serving"' in log.read_text(), "it serves")
            with Connection(up) as connection:
                self.assertEqual(connection.sign(up["public_keys"][0], voluntary_exit(5))[0], 403)
            wait_for(lambda: '"event":"request_refused"' in log.read_text(), "the line arrives", 10)
        finally:
            host.terminate()
            host.wait(15)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        events = {(line["program"], line["event"]): line for line in lines}
        self.assertEqual(events["keeper", "keys_loaded"]["count"], 1)
        self.assertEqual(events["frontend", "request_refused"]["status"], 403)
        self.assertIn(("enclave", "enclave_stopped"), events)
        for line in lines:
            self.assertEqual(list(line)[:4], ["time", "level", "program", "event"])
        for text in [log.read_text(), (self.dir / "log/host.log").read_text()]:
            self.assertNotIn(self.password, text)
            self.assertNotIn(self.secret, text)

    def options_of_a_keystore(self):
        self.secret, self.password = "1f" * 32, "a very particular password"
        folder, password_file, _ = self.keystores([self.secret], password=self.password)
        return "--keystores", folder, "--password-file", password_file


if __name__ == "__main__":
    unittest.main()
