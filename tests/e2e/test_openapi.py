# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml against a running signer: every status in it is provoked and its answer checked, and nothing else is served."""
import itertools
import json
import os
import re
import signal
import struct
import threading
import unittest

import yaml

import support  # noqa: F401
from parent import read_exactly, unix_connection
from signer import TOP, Connection, SignerTest, attestation, block, randao, role_of, voluntary_exit, wait_for

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
UNKNOWN_KEY = "0x" + "ab" * 48
ATTESTATION = "/api/v1/enclave/attestation"
KEYSTORES = "/eth/v1/keystores"
BODY_LIMIT = 10 << 20


class Mismatch(Exception):
    pass


class Document:
    """The document, and a check of values against its schemas; a keyword that the check does not know is an error."""

    def __init__(self):
        self.tree = yaml.safe_load((TOP / "docs/openapi.yaml").read_text())

    def resolve(self, node):
        while "$ref" in node:
            found = self.tree
            for name in node["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            node = found
        return node

    def operations(self):
        """(path, method, operation)"""
        for path, item in self.tree["paths"].items():
            for method, operation in item.items():
                if method != "parameters":
                    yield path, method.upper(), operation

    def check(self, value, schema, where="answer"):
        schema = self.resolve(schema)
        if value is None and schema.get("nullable"):
            return
        for keyword, wanted in schema.items():
            if keyword not in ["description", "nullable"]:
                getattr(self, "check_" + keyword)(value, wanted, schema, where)

    @staticmethod
    def insist(condition, where, what):
        if not condition:
            raise Mismatch(f"{where}: {what}")

    def check_type(self, value, wanted, _, where):
        kind = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}[wanted]
        self.insist(isinstance(value, kind) and isinstance(value, bool) == (kind is bool), where, f"no {wanted}")

    def check_enum(self, value, wanted, _, where):
        self.insist(value in wanted, where, f"none of {wanted}")

    def check_pattern(self, value, wanted, _, where):
        self.insist(isinstance(value, str) and re.search(wanted, value) is not None, where, f"does not match {wanted}")

    def check_minimum(self, value, wanted, _, where):
        self.insist(value >= wanted, where, f"below {wanted}")

    def check_maximum(self, value, wanted, _, where):
        self.insist(value <= wanted, where, f"above {wanted}")

    def check_minLength(self, value, wanted, _, where):
        self.insist(len(value) >= wanted, where, f"shorter than {wanted}")

    def check_minItems(self, value, wanted, _, where):
        self.insist(len(value) >= wanted, where, f"fewer than {wanted}")

    def check_maxItems(self, value, wanted, _, where):
        self.insist(len(value) <= wanted, where, f"more than {wanted}")

    def check_items(self, value, wanted, _, where):
        for number, item in enumerate(value):
            self.check(item, wanted, f"{where}[{number}]")

    def check_required(self, value, wanted, _, where):
        for name in wanted:
            self.insist(name in value, where, f"{name} is missing")

    def check_properties(self, value, wanted, _, where):
        for name, schema in wanted.items():
            if name in value:
                self.check(value[name], schema, f"{where}.{name}")

    def check_additionalProperties(self, value, wanted, schema, where):
        self.insist(wanted or set(value) <= set(schema["properties"]), where, f"undocumented members in {sorted(value)}")

    def check_allOf(self, value, wanted, _, where):
        for schema in wanted:
            self.check(value, schema, where)

    def check_oneOf(self, value, wanted, _, where):
        self.insist(sum(self.fits(value, schema) for schema in wanted) == 1, where, "not exactly one of the alternatives")

    def fits(self, value, schema):
        try:
            self.check(value, schema)
        except Mismatch:
            return False
        return True


class OpenApi(SignerTest):
    @classmethod
    def setUpClass(cls):
        cls.document = Document()

    def setUp(self):
        super().setUp()
        self.token_file = self.folder / "api-token.txt"
        self.signer = self.up("signer", "--key-manager-token-file", self.token_file)
        self.key = self.signer["public_keys"][0]
        self.unprotected = None

    # ---- how each status is provoked: a function gives (signer, headers, body) for one request ----

    def body(self, path, request, key=None):
        if path.endswith("/sign"):
            request = {"identifiers": [self.key, key or UNKNOWN_KEY], "signing_request": request}
        if path == KEYSTORES:  # of a POST and a DELETE at once
            request = {"keystores": ["{}"], "passwords": ["x"], "pubkeys": [UNKNOWN_KEY]} if "randao_reveal" in request else {}
        return json.dumps(request)

    def authorization(self, path, how):
        """Headers that every request to the key manager has but for those that are to show what happens without."""
        if path != KEYSTORES or how == "no-token":
            return {}
        return {"Authorization": "Bearer " + ("0" * 64 if how == "wrong-token" else self.token_file.read_text().strip())}

    def plain(self, path):
        return self.signer, {}, self.body(path, randao(5))

    no_token = wrong_token = plain

    def idle_reload(self, path):
        with Connection(self.signer) as connection:
            wait_for(lambda: json.loads(connection.request("GET", path)[2])["status"] != "running", "no reload is under way")
        return self.signer, {}, None

    def not_acceptable(self, path):
        return self.signer, {"Accept": "image/png"}, self.body(path, randao(5))

    def malformed(self, path):
        return self.signer, {}, self.body(path, {"type": "RANDAO_REVEAL"})

    def refused_by_policy(self, path):
        return self.signer, {}, self.body(path, voluntary_exit(5))

    def slashable(self, path):
        with Connection(self.signer) as connection:
            self.assertEqual(connection.sign(self.key, block(100))[0], 200)
        return self.signer, {}, self.body(path, block(100, root="0x" + "45" * 32))

    def costly(self, _):
        text = '{"x":[' + "0," * (BODY_LIMIT // 2 - 10)
        return self.signer, {}, text + "0]}"

    def too_large(self, _):
        # The size that is announced is enough; the server does not wait for the bytes.
        return self.signer, {"Content-Length": str(BODY_LIMIT + 1)}, None

    def slashing_off(self, path):
        self.unprotected = self.unprotected or self.up("unprotected", "--slashing", "off")
        return self.unprotected, {}, self.body(path, randao(5))

    # ---- asking and checking ----

    def ask(self, method, path, signer, headers, body):
        with Connection(signer, timeout=60) as connection:
            return connection.request(method, path, body if method in ["POST", "DELETE"] else None, headers)

    def check_answer(self, answer, status, content):
        """Its content type, after a check of everything."""
        got, headers, body = answer
        self.assertEqual(got, status, body[:300])
        kind = headers["Content-Type"].split(";")[0]
        self.assertIn("charset=utf-8", headers["Content-Type"])
        self.assertIn(kind, content)
        value = json.loads(body) if kind == "application/json" else body.decode()
        self.document.check(value, content[kind]["schema"])
        if status >= 400 and "code" in value:
            self.assertEqual(value["code"], status)
        return kind

    def responses(self):
        """(path, method, status, how, content)"""
        for path, method, operation in self.document.operations():
            for status, response in operation["responses"].items():
                response = self.document.resolve(response)
                yield path, method, int(status), response["x-provoke"], response["content"]

    def at(self, path, how):
        if path == ATTESTATION:
            return path + "?nonce=" + ("00" if how == "malformed" else "0x" + "ab" * 32)
        return path.replace("{identifier}", UNKNOWN_KEY if how == "unknown-key" else self.key)

    def test_every_documented_answer(self):
        count = 0
        for path, method, status, how, content in self.responses():
            if how in ["stopped-keeper", "stopped-control", "draining"]:
                continue  # the next tests
            with self.subTest(f"{method} {path} {status}"):
                provoke = self.plain if how == "unknown-key" else getattr(self, how.replace("-", "_"))
                seen = set()
                for accept in itertools.chain([{}], ({"Accept": kind} for kind in content)):
                    signer, headers, body = provoke(path)
                    answer = self.ask(method, self.at(path, how), signer, {**self.authorization(path, how), **accept, **headers}, body)
                    seen.add(self.check_answer(answer, status, content))
                    count += 1
                self.assertEqual(seen, set(content), "a documented content type was not seen")
        self.assertGreater(count, 30)
        print(f"{count} answers", flush=True)

    def test_every_documented_answer_without_a_keeper(self):
        cases = [case for case in self.responses() if case[3] == "stopped-keeper"]
        answers = {}

        def ask(path, method):
            answers[path] = self.ask(method, self.at(path, "stopped-keeper"), self.signer, self.authorization(path, "stopped-keeper"), None)

        self.assertGreater(len(cases), 0)
        keeper = role_of(self.folder, "keeper")
        os.kill(keeper, signal.SIGSTOP)
        try:
            threads = [threading.Thread(target=ask, args=case[:2]) for case in cases]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            os.kill(keeper, signal.SIGCONT)
        for path, method, status, _, content in cases:
            with self.subTest(f"{method} {path} {status}"):
                self.check_answer(answers[path], status, content)
                again = self.ask(method, self.at(path, "stopped-keeper"), self.signer, self.authorization(path, "stopped-keeper"), None)
                self.assertEqual(again[0], 200, "afterwards")

    def test_every_documented_answer_without_control(self):
        [(path, method, status, _, content)] = [case for case in self.responses() if case[3] == "stopped-control"]
        control = role_of(self.folder, "control")
        os.kill(control, signal.SIGSTOP)
        try:
            self.assertEqual(self.ask(method, path, self.signer, {}, None)[0], 202)
            self.check_answer(self.ask(method, path, self.signer, {}, None), status, content)
            with Connection(self.signer) as connection:
                self.assertEqual(json.loads(connection.request("GET", path)[2]), {"status": "running"})
        finally:
            os.kill(control, signal.SIGCONT)
        self.idle_reload(path)
        self.assertEqual(self.ask(method, path, self.signer, {}, None)[0], 202, "afterwards")

    def test_every_documented_answer_while_draining(self):
        """The last that this signer does."""
        [(path, method, status, _, content)] = [case for case in self.responses() if case[3] == "draining"]
        request = b'{"operation":"drain"}'
        with unix_connection(self.folder / "signer/run/control.sock") as control:
            control.sendall(struct.pack(">I", len(request)) + request)
            size, = struct.unpack(">I", read_exactly(control, 4))
            self.assertEqual(json.loads(read_exactly(control, size))["status"], 200)
        wait_for(lambda: self.ask(method, path, self.signer, {}, None)[0] == status, "it drains")
        self.check_answer(self.ask(method, path, self.signer, {}, None), status, content)
        for path, method, status, provocation, content in self.responses():
            if path == "/healthcheck" and status == 503:
                self.check_answer(self.ask(method, path, self.signer, {}, None), status, content)

    def test_every_other_method_is_405(self):
        error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        for path in self.document.tree["paths"]:
            documented = {method for other, method, _ in self.document.operations() if other == path}
            allowed = documented | ({"HEAD"} if "GET" in documented else set())
            for method in {*METHODS, "HEAD"} - allowed:
                with self.subTest(f"{method} {path}"), Connection(self.signer) as connection:
                    status, headers, body = connection.request(method, self.at(path, None), "{}", {"Accept": "image/png"})
                    self.assertEqual(set(headers["Allow"].split(", ")), allowed)
                    if method == "HEAD":
                        self.assertEqual((status, body), (405, b""))
                    else:
                        self.check_answer((status, headers, body), 405, error)

    def test_head_is_get_without_the_body(self):
        for path, method, _ in self.document.operations():
            if method != "GET":
                continue
            with self.subTest(path), Connection(self.signer) as connection:
                token = self.authorization(path, None)
                status, headers, body = connection.request("HEAD", self.at(path, None), None, token)
                self.assertEqual((status, body), (200, b""))
                with_body = connection.request("GET", self.at(path, None), None, token)
                self.assertEqual(headers["Content-Type"], with_body[1]["Content-Type"])
                if path != "/healthcheck":  # it has ages in it
                    self.assertEqual(headers["Content-Length"], str(len(with_body[2])))

    def test_nothing_else_is_served(self):
        served = re.findall(r'^\t\{"([A-Z]+)", "(/[^"]*)", (true|false), ', (TOP / "src/enclave/frontend/api.c").read_text(), re.MULTILINE)
        served = {(path + ("{identifier}" if more == "true" else ""), method) for method, path, more in served}
        documented = {(path, method) for path, method, _ in self.document.operations()}
        self.assertEqual(served, documented)
        error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        paths = ["/", "/metrics", "/eth/v1/remotekeys", "/api/v1/eth2/ext/sign/" + self.key, "/signer/v1/get_pubkeys",
                 "/api/v1/eth2", "/api/v1/eth2/sign/", f"/api/v1/eth2/sign/{self.key}/", "//upcheck", "/UPCHECK"]
        paths += [path + "x" for path, _ in documented if "{" not in path] + [path + "/" for path, _ in documented if "{" not in path]
        for path, method in itertools.product(paths, METHODS):
            with self.subTest(f"{method} {path}"):
                self.check_answer(self.ask(method, path, self.signer, {}, "{}"), 404, error)

    def test_requests_fit_the_document(self):
        schemas = self.document.tree["components"]["schemas"]
        for request in [attestation(10), block(10), randao(10), {**randao(10), "signing_root": None},
                        {**randao(10), "signing_root": "0x" + "77" * 32}]:
            self.document.check(request, schemas["SigningRequest"])
            self.document.check({"identifiers": [self.key], "signing_request": request}, schemas["BatchRequest"])
            self.document.check({"identifiers": [self.key], **request}, schemas["BatchRequest"])
        for request in [{}, {"type": 7}, {"type": "X", "signing_root": "0x" + "7" * 66}, {"type": "X", "fork_info": {}}]:
            self.assertFalse(self.document.fits(request, schemas["SigningRequest"]), request)
        self.assertFalse(self.document.fits({"identifiers": []}, schemas["BatchRequest"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
