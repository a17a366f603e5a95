# SPDX-License-Identifier: Apache-2.0
"""The parent is not trusted: whatever it sends, cuts, corrupts or kills, keys stay safe, errors are clear, and nothing dies unless
dying is the safe answer."""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import threading
import time
import unittest

import support  # noqa: F401
from parent import (ROLES, FalseKms, ParentTest, SigningSocket, answer_garbage, corrupt_at, cut_after, forward, http_answer, stall,
                    unix_connection)
from signer import MAINNET_ROOT, attestation, wait_for

FRAME_MAX = 64 << 20
# Wherever a long message is cut, it is in the middle of a character of one of the two.
LONG_TEXTS = [prefix + "\u00e9" * 800 for prefix in ["", "a"]]


def flipped(text_b64, place):
    data = bytearray(base64.b64decode(text_b64))
    data[place] ^= 1
    return base64.b64encode(data).decode()


def without(members, name):
    return {key: value for key, value in members.items() if key != name}


class ControlChannel(ParentTest):
    def test_bad_frames(self):
        enclave, _ = self.boot()
        roles = enclave.roles()
        self.assertEqual(sorted(roles), ROLES)
        self.assert_waiting(enclave)
        status, body = enclave.ask({"operation": "status"})
        self.assertEqual((status, body["initialized"], body["network"], body["slashing_protection"]), (200, False, "mainnet", True))
        refused = [({"operation": "nonsense"}, 404, "nonsense"), ({}, 400, "operation: missing"), ({"operation": 1}, 400, "operation"),
                   (b"", 400, "empty"), (b"{", 400, "malformed JSON"), (b"[]", 400, "not a JSON object"), (b"1", 400, "malformed"),
                   (b"\0" * 100, 400, "malformed"), (os.urandom(5000), 400, "malformed"), (b"[" * 100000, 400, "malformed"),
                   (b'{"operation":"init_state","operation":"init"}', 400, "malformed"),
                   (b'{"operation":"init_state"} {}', 400, "malformed"), (b'{"operation":"\xff"}', 400, "malformed")]
        refused += [({"operation": text}, 404, "operation") for text in LONG_TEXTS]
        with enclave.control() as control:  # all on one connection
            for request, expected, text in refused:
                status, body = control.ask(request)
                self.assertEqual(status, expected, request)
                self.assertIn(text, body["message"])
                self.assertLess(len(body["message"]), 1024)
        # The parser may not quote what it could not read: it may be a credential.
        self.assertNotIn("SECRET", enclave.ask(b'{"operation":"init","credential":{"secret_access_key":"SECRET" "x"}}')[1]["message"])
        self.assertNotIn("SECRET", enclave.log)

        for size in [0xFFFFFFFF, FRAME_MAX + 1, 0x80000000]:
            with enclave.control() as control:
                control.socket.sendall(struct.pack(">I", size))
                status, body = control.receive()
                self.assertEqual(status, 413)
                self.assertIn(str(size), body["message"])
                self.assertTrue(control.is_closed())
        for half in [b"\0", b"\0\0\0", struct.pack(">I", 100) + b"{", struct.pack(">I", FRAME_MAX) + b"x" * 1000]:
            with enclave.control() as control:
                control.socket.sendall(half)
        with enclave.control() as control:  # half closed in the middle
            control.socket.sendall(struct.pack(">I", 100) + b"{")
            control.socket.shutdown(socket.SHUT_WR)
            self.assertTrue(control.is_closed())
        with enclave.control() as control:
            for value in [b"0", b"[]", b"{}"]:  # parsed they would take twenty times as much memory and more
                status, body = control.ask(b'{"operation":"nonsense","x":[' + (value + b",") * (1 << 20) + b"0]}")
                self.assertEqual(status, 413)
                self.assertIn("values", body["message"])
            self.assertEqual(control.ask(b'{"operation":"nonsense","x":[' + b"0," * 1000000 + b"0]}")[0], 404)
            # The largest frame there is.
            self.assertEqual(control.ask(b'{"operation":"nonsense","x":"' + b"a" * (FRAME_MAX - 31) + b'"}')[0], 404)
        self.assert_waiting(enclave)
        self.assertEqual(enclave.roles(), roles)

    def test_many_connections(self):
        enclave, _ = self.boot()
        roles = enclave.roles()

        def connect():
            with contextlib.suppress(OSError):
                unix_connection(enclave.control_path, 10).close()

        threads = [threading.Thread(target=connect) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assert_waiting(enclave)
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(enclave.control()) for _ in range(20)]
            begun = time.monotonic()
            self.assert_waiting(enclave)
            self.assertLess(time.monotonic() - begun, 20, "idle connections keep the next one waiting")
            self.assertTrue(all(one.is_closed() for one in idle[:8]))
        # One that asks but does not read the answers: they stay in the socket's buffer, and then the connection is given up.
        with enclave.control() as deaf:
            deaf.send(b'{"operation":"init_state"}')
            deaf.send(b'{"operation":"init_state"}')
        self.assert_waiting(enclave)
        self.assertEqual(enclave.roles(), roles)
        self.assert_init(enclave)
        self.assert_signs(enclave)

    def wait_opener(self, enclave):
        return wait_for(lambda: enclave.find_roles().get("opener"), "an opener")

    def check_opener_dies_half_way(self):
        """The keeper has the keys, but the frontend has no TLS identity: the job failed, and the next one does it all again."""
        enclave, _ = self.boot()
        roles = enclave.roles()
        os.kill(roles["frontend"], signal.SIGSTOP)
        with enclave.control() as control:
            control.send(json.dumps(self.init_request()).encode())
            wait_for(lambda: "keys_loaded" in enclave.log, "the keeper has the keys")
            # Meanwhile the parent is told so.
            self.assert_waiting(enclave)
            status, body = enclave.ask(self.init_request())
            self.assertEqual(status, 409)
            self.assertIn("under way", body["message"])
            os.kill(self.wait_opener(enclave), signal.SIGKILL)
            status, body = control.receive()
            self.assertEqual(status, 500)
            self.assertIn("signal 9", body["message"])
        os.kill(roles["frontend"], signal.SIGCONT)
        self.assertEqual(enclave.roles(), roles)
        self.assert_init(enclave)
        self.assert_signs(enclave)

    def check_parent_hangs_up(self):
        """A job goes on without the one who asked for it."""
        enclave, _ = self.boot()
        roles = enclave.roles()
        os.kill(roles["frontend"], signal.SIGSTOP)
        with enclave.control() as control:
            control.send(json.dumps(self.init_request()).encode())
            self.wait_opener(enclave)
        time.sleep(0.3)
        os.kill(roles["frontend"], signal.SIGCONT)
        wait_for(lambda: enclave.ask({"operation": "init_state"})[1]["initialized"], "the keys are loaded")
        self.assertEqual(enclave.roles(), roles)
        self.assert_signs(enclave)

    def test_killed_opener(self):
        self.check_opener_dies_half_way()
        self.check_parent_hangs_up()

    def test_killed_control(self):
        """Any other role takes the enclave with it."""
        enclave, _ = self.boot()
        os.kill(enclave.roles()["control"], signal.SIGKILL)
        self.assertEqual(enclave.wait_end(), 1)
        self.assertIn("the control died (signal 9)", enclave.log)


class BadInit(ParentTest):
    def test_requests(self):
        enclave, _ = self.boot()
        roles = enclave.roles()
        good = self.init_request()
        for name in ["credential", "encrypted_tls_key", "encrypted_validator_keys"]:
            self.refused(enclave, without(good, name), 400, name, "missing")
            self.refused(enclave, {**good, name: 7}, 400, name)
        for name in ["access_key_id", "secret_access_key"]:
            self.refused(enclave, {**good, "credential": without(good["credential"], name)}, 400, "credential", name)
        for value in ["!!!", "AAA", "A" * 100001]:
            self.refused(enclave, {**good, "encrypted_tls_key": value}, 400, "encrypted_tls_key")
        self.refused(enclave, {**good, "encrypted_validator_keys": []}, 400, "encrypted_validator_keys: empty")
        self.refused(enclave, {**good, "encrypted_validator_keys": [[], {}]}, 400, "none of 2 rows is good",
                     "encrypted_validator_keys[0] (pubkey ?): not an object")
        for changes, text in [({"pubkey": None}, "pubkey: missing"), ({"pubkey": "12"}, "pubkey"), ({"pubkey": "zz" * 48}, "pubkey"),
                              ({"chain": None}, "chain: missing"), ({"sealed_key_b64": None}, "neither"),
                              ({"sealed_key_b64": "?"}, "sealed_key_b64: not base64"), ({"sealed_key_b64": "A" * 400}, "sealed_key_b64"),
                              ({"data_key_b64": None}, "data_key_b64: missing"), ({"data_key_b64": "="}, "data_key_b64"),
                              ({"pubkey": "line\nbreak"}, "pubkey"),
                              *(({"pubkey": text}, "pubkey") for text in LONG_TEXTS)]:
            self.refused_row(enclave, good, changes, 400, text)
        self.check_credentials(enclave, good)
        self.assertNotIn("\nbreak", enclave.log)
        self.accepted_after_all(enclave, roles)
        self.check_passed_over(enclave)
        self.assertNotIn("\nbreak", enclave.log)

    def check_credentials(self, enclave, good):
        credential = good["credential"]
        operator = json.loads((self.local / "sim/operator-credentials.json").read_text())
        for changes, status, text in [({"secret_access_key": "x" * 40}, 502, "Signature"),
                                      ({"access_key_id": "ASIA" + "A" * 16}, 502, "UnrecognizedClientException"),
                                      ({"token": "nonsense"}, 502, "UnrecognizedClientException"),
                                      ({"token": "line\r\nX-Other: header"}, 400, "token"),
                                      ({"access_key_id": "line\nbreak"}, 400, "access_key_id")]:
            self.refused(enclave, {**good, "credential": {**credential, **changes}}, status, text)
        # Known to KMS, but the key policy gives Decrypt to the enclave's role only.
        self.refused(enclave, {**good, "credential": {"token": "", **operator}}, 403, "AccessDeniedException")

    def refused_row(self, enclave, good, changes, status, *texts):
        """The second row, changed, and alone: the load is refused, and the row is named. check_passed_over() has it beside a good one."""
        row = {**good["encrypted_validator_keys"][1], **changes}
        self.refused(enclave, {**good, "encrypted_validator_keys": [row]}, status, "encrypted_validator_keys[0]", *texts)
        self.bad_rows.append((row, texts))

    def setUp(self):
        super().setUp()
        self.bad_rows = []

    def reload(self, enclave, *rows):
        return enclave.ask({**self.init_request(), "operation": "reload", "encrypted_validator_keys": rows})

    def check_passed_over(self, enclave):
        """Beside a good row each of them is passed over and told of, and the good one signs."""
        first, second = [dict(row) for row in self.rows]
        self.assertEqual(self.reload(enclave, first), (200, {"initialized": True, "key_count": 1, "added": 0, "removed": 1}))
        for row, texts in self.bad_rows:
            status, body = self.reload(enclave, row, first)
            failures = body.pop("failures")
            self.assertEqual((status, body), (200, {"initialized": True, "key_count": 1, "added": 0, "removed": 0, "failed": 1}))
            self.assertEqual(len(failures), 1)
            name = row["pubkey"] if isinstance(row["pubkey"], str) else "?"
            if name.isascii():  # of other texts what is left when they are cut
                self.assertEqual(failures[0]["pubkey"], name)
            self.assertLessEqual(len(failures[0]["pubkey"]), 98)
            self.assertIn(texts[-1], failures[0]["message"])
        # All of them: the reasons of ten are told.
        status, body = self.reload(enclave, first, *([row for row, _ in self.bad_rows] * 3))
        self.assertEqual((status, body["key_count"], body["failed"], len(body["failures"])), (200, 1, 3 * len(self.bad_rows), 10))
        # A key that signs goes on, whatever its row looks like now, and its row is told of as far as it is looked at.
        status, body = self.reload(enclave, {**first, "chain": "hoodi"}, second)
        self.assertEqual((status, body["key_count"], body["added"], body["removed"], body["failed"]), (200, 2, 1, 0, 1))
        self.assertEqual(body["failures"][0]["pubkey"], first["pubkey"])
        self.assertEqual(enclave.ask({"operation": "init_state"})[1]["failures"], body["failures"])
        status, body = self.reload(enclave, *[{**row, "chain": "hoodi"} for row in [first, second]])
        self.assertEqual(status, 422)
        self.assertIn("none of 2 rows is good", body["message"])
        self.assertEqual(self.reload(enclave, first, second), (200, {"initialized": True, "key_count": 2, "added": 0, "removed": 0}))
        self.assert_signs(enclave)

    def test_not_the_rows_fault(self):
        """What would be the same for the next row fails the load, and nothing changes."""
        enclave, relay = self.serve()
        first, second = [dict(row) for row in self.rows]
        self.assertEqual(self.reload(enclave, first)[1]["key_count"], 1)
        operator = json.loads((self.local / "sim/operator-credentials.json").read_text())
        status, body = enclave.ask({**self.init_request(), "operation": "reload", "credential": {"token": "", **operator}})
        self.assertEqual(status, 403, body)
        self.assertIn("AccessDeniedException", body["message"])
        relay.behave = answer_garbage(b"nonsense")
        status, body = self.reload(enclave, first, second)
        self.assertEqual(status, 502, body)
        self.assertIn("encrypted_validator_keys[1] (pubkey " + second["pubkey"], body["message"])
        self.assertEqual(enclave.ask({"operation": "init_state"}), (200, {"initialized": True, "key_count": 1}))
        relay.behave = forward(self.kms_address)
        self.assertEqual(self.reload(enclave, first, second)[1], {"initialized": True, "key_count": 2, "added": 1, "removed": 0})
        self.assert_signs(enclave)

    def test_init(self):
        """A bad row among good ones at the start: which it was is told, and logged."""
        enclave, _ = self.boot()
        first, second = [dict(row) for row in self.rows]
        bad = {**first, "sealed_key_b64": flipped(first["sealed_key_b64"], 20)}
        status, body = enclave.ask({**self.init_request(), "encrypted_validator_keys": [bad, second, second]})
        failures = body.pop("failures")
        self.assertEqual((status, body), (200, {"initialized": True, "key_count": 1, "failed": 2}))
        # What can be seen before anything is opened comes first.
        self.assertEqual([failure["pubkey"] for failure in failures], [second["pubkey"], first["pubkey"]])
        self.assertEqual(failures[0]["message"], "pubkey: the key is given twice")
        self.assertIn("sealed_key_b64", failures[1]["message"])
        wait_for(lambda: f"encrypted_validator_keys[0] (pubkey {first['pubkey']}): sealed_key_b64" in enclave.log, "the log has it")
        self.assertEqual(enclave.ask({"operation": "status"})[1]["failed"], 2)

    def test_rows(self):
        enclave, _ = self.boot()
        roles = enclave.roles()
        good = self.init_request()
        first, second = good["encrypted_validator_keys"]
        for chain in ["hoodi", "", *LONG_TEXTS]:
            self.refused_row(enclave, good, {"chain": chain}, 422, second["pubkey"], "chain")
        for place in [0, 30, -1]:
            changes = {"sealed_key_b64": flipped(second["sealed_key_b64"], place)}
            self.refused_row(enclave, good, changes, 422, second["pubkey"], "sealed_key_b64")
        self.refused_row(enclave, good, {"sealed_key_b64": "AAAA"}, 422, second["pubkey"], "sealed_key_b64")
        # Each row has the other's key.
        for name in ["sealed_key_b64", "pubkey"]:
            swapped = [{**first, name: second[name]}, {**second, name: first[name]}]
            self.refused(enclave, {**good, "encrypted_validator_keys": swapped}, 422, "encrypted_validator_keys[0]", swapped[0]["pubkey"])
        # KMS itself says no to these.
        for changes in [{"data_key_b64": flipped(second["data_key_b64"], -1)}, {"data_key_b64": self.tls_key},
                        {"data_key_b64": base64.b64encode(os.urandom(200)).decode()}]:
            self.refused_row(enclave, good, changes, 422, "data_key_b64", "InvalidCiphertextException")
        for tls_key in [first["data_key_b64"], flipped(self.tls_key, -1), base64.b64encode(os.urandom(200)).decode()]:
            self.refused(enclave, {**good, "encrypted_tls_key": tls_key}, 422, "encrypted_tls_key", "InvalidCiphertextException")
        # A form that the row's data cannot have.
        as_keystore = {**without(second, "sealed_key_b64"), "encrypted_key_password_mnemonic_b64": self.tls_key}
        self.refused(enclave, {**good, "encrypted_validator_keys": [as_keystore]}, 422, "encrypted_validator_keys[0]", "keystore_b64")
        self.bad_rows.append((as_keystore, ["keystore_b64"]))
        self.accepted_after_all(enclave, roles)
        self.check_passed_over(enclave)


class Generate(ParentTest):
    def test_requests(self):
        enclave, _ = self.boot()
        roles = enclave.roles()
        good = {"operation": "generate", "credential": self.credential(), "count": 2, "withdrawal_address": "0x" + "12" * 20,
                "compounding": False, "amount_gwei": 32000000000}
        for name, value in [("credential", None), ("count", 0), ("count", 1001), ("count", -1), ("count", "x"), ("withdrawal_address", "0x12"),
                            ("withdrawal_address", None), ("compounding", 1), ("amount_gwei", 0), ("amount_gwei", 2**62),
                            ("recovery_public_key_b64", "?"), ("recovery_public_key_b64", "AAAA"), ("recovery_public_key_b64", 7)]:
            status, body = enclave.ask({**good, name: value})
            self.assertEqual(status, 400, (name, value, body))
            self.assertIn(name.removesuffix("_gwei").removesuffix("_b64"), body["message"])
        status, body = enclave.ask(good)
        self.assertEqual(status, 200, body)
        self.assertEqual((len(body["rows"]), "mnemonic_cms_b64" in body), (2, False))
        # Each time others.
        other = enclave.ask(good)[1]
        self.assertEqual(len({row["pubkey"] for row in [*body["rows"], *other["rows"]]}), 4)
        self.assertNotEqual(body["data_key_b64"], other["data_key_b64"])
        self.accepted_after_all(enclave, roles)


class CreateTls(ParentTest):
    def test_requests(self):
        enclave, _ = self.boot()
        roles = enclave.roles()
        good = {"operation": "create_tls", "credential": self.credential(), "names": ["localhost", "127.0.0.1"], "days": 30}
        for name, value in [("credential", None), ("names", None), ("names", []), ("names", [7]), ("names", ["a b"]), ("names", ["a"] * 33),
                            ("names", "localhost"), ("days", 0), ("days", 826), ("days", -1), ("days", "x")]:
            status, body = enclave.ask({**good, name: value})
            self.assertEqual(status, 400, (name, value, body))
            self.assertIn(name, body["message"])
        made = [enclave.ask(good) for _ in range(2)]
        self.assertEqual([status for status, _ in made], [200, 200], made)
        (_, first), (_, second) = made
        self.assertEqual(set(first), {"encrypted_tls_key_b64", "tls_chain_pem_b64", "attestation_document_b64"})
        self.assertNotEqual(first["encrypted_tls_key_b64"], second["encrypted_tls_key_b64"])
        # The key opens in here alone, and with no other certificate than one of its own.
        for chain in [second["tls_chain_pem_b64"], "", base64.b64encode(b"no PEM").decode(), None, "?"]:
            request = {**self.init_request(), "encrypted_tls_key": first["encrypted_tls_key_b64"], "tls_chain_pem_b64": chain}
            status, body = enclave.ask(request)
            self.assertEqual(status, 422, (chain, body))
            self.assertIn("encrypted_tls_key", body["message"])
        self.init_members = {"encrypted_tls_key": first["encrypted_tls_key_b64"], "tls_chain_pem_b64": first["tls_chain_pem_b64"]}
        status, body = enclave.ask({**self.init_request(), **self.init_members})
        self.assertEqual(status, 200, body)
        self.assertEqual({**enclave.roles(), "frontend": 0}, {**roles, "frontend": 0})


class Rewrap(ParentTest):
    def rewrap(self, enclave, rows, **members):
        return enclave.ask({"operation": "rewrap", "credential": self.credential(), "encrypted_validator_keys": rows, **members})

    def test_rows(self):
        """Whoever asks gets rows for the table, sealed with a key that he cannot choose, and neither a row nor a request that is bad harms."""
        enclave, _ = self.boot()
        roles = enclave.roles()
        first, second = [dict(row) for row in self.rows]
        for members, text in [({}, "credential"), ({"credential": self.credential()}, "encrypted_validator_keys"),
                              ({"credential": self.credential(), "encrypted_validator_keys": 7}, "encrypted_validator_keys"),
                              ({"credential": self.credential(), "encrypted_validator_keys": [7]}, "encrypted_validator_keys[0]"),
                              ({"credential": self.credential(), "encrypted_validator_keys": [{}] * 10001}, "10001")]:
            status, body = enclave.ask({"operation": "rewrap", **members})
            self.assertEqual(status, 400, body)
            self.assertIn(text, body["message"])
        # A data key that the parent names is not used.
        status, body = self.rewrap(enclave, [first, second], data_key_b64=first["data_key_b64"])
        self.assertEqual(status, 200, body)
        self.assertNotEqual(body["data_key_b64"], first["data_key_b64"])
        self.assertEqual(([row["pubkey"] for row in body["rows"]], body["failed"]), ([first["pubkey"], second["pubkey"]], []))
        again = self.rewrap(enclave, [first])[1]
        self.assertNotEqual(again["data_key_b64"], body["data_key_b64"])
        bad = [{**first, "sealed_key_b64": flipped(first["sealed_key_b64"], 20)}, {**first, "chain": "hoodi"},
               {**first, "pubkey": second["pubkey"]}, without(first, "data_key_b64"), {**first, "pubkey": "12"}, {}]
        status, mixed = self.rewrap(enclave, [*bad, second])
        self.assertEqual(status, 200, mixed)
        self.assertEqual((len(mixed["failed"]), [row["pubkey"] for row in mixed["rows"]]), (len(bad), [second["pubkey"]]))
        # What came out opens in an enclave, and its key is the same.
        chain = body["chain"]
        self.rows = [{"pubkey": row["pubkey"], "chain": chain, "sealed_key_b64": row["sealed_key_b64"],
                      "data_key_b64": body["data_key_b64"]} for row in body["rows"]]
        self.accepted_after_all(enclave, roles)


class BadRelay(ParentTest):
    def whole_answer(self, enclave, relay):
        """Bytes that KMS sends for the TLS identity, its first answer."""
        totals = []
        relay.behave = forward(self.kms_address, totals=totals)
        good = self.init_request()
        rows = [{**good["encrypted_validator_keys"][0], "sealed_key_b64": "AAAA"}]
        self.refused(enclave, {**good, "encrypted_validator_keys": rows}, 422, "sealed_key_b64")
        return wait_for(lambda: totals, "the relay's count")[0]

    def test_relay(self):
        enclave, relay = self.boot()
        roles = enclave.roles()
        total = self.whole_answer(enclave, relay)
        good = self.init_request()
        for cut in [0, total // 4, total - 200]:
            relay.behave = forward(self.kms_address, cut_after(cut))
            self.refused(enclave, good, 502, "encrypted_tls_key")
        for place in [0, 60, total - 200]:
            relay.behave = forward(self.kms_address, corrupt_at(place))
            self.refused(enclave, good, 502, "encrypted_tls_key")
        for behave in [answer_garbage(os.urandom(5000)), answer_garbage(b"HTTP/1.1 200 OK\r\n\r\n{}"), stall(0.5)]:
            relay.behave = behave
            self.refused(enclave, good, 502, "encrypted_tls_key")
        relay.behave = forward(self.other_simulator())
        self.refused(enclave, good, 502, "encrypted_tls_key", "certificate")
        relay.stop()
        self.refused(enclave, good, 502, "encrypted_tls_key", str(enclave.kms_path))
        self.relay(enclave, forward(self.kms_address))
        self.accepted_after_all(enclave, roles)

    def test_false_kms(self):
        """TLS is broken and the answers are of the attacker's choice."""
        enclave, relay = self.boot()
        roles = enclave.roles()
        kms = FalseKms(self.local / "sim", self.folder)
        self.addCleanup(kms.stop)
        relay.behave = forward(kms.address)
        good = self.init_request()
        blobs = [os.urandom(500), bytes.fromhex("3080") * 200, b"\x30\x84\xff\xff\xff\xff"]
        for answer, *texts in [
            (http_answer(b"not JSON"), "malformed JSON"),
            (http_answer(b""), "CiphertextForRecipient: missing"),
            (http_answer(b'{"CiphertextForRecipient":null,"Plaintext":"AAAA"}'), "CiphertextForRecipient: missing"),
            (http_answer(b'{"CiphertextForRecipient":""}'), "CiphertextForRecipient: empty"),
            (http_answer(b'{"CiphertextForRecipient":"?"}'), "CiphertextForRecipient: not base64"),
            (http_answer(b'{"CiphertextForRecipient":"' + b"A" * 40000 + b'"}'), "CiphertextForRecipient"),
            (http_answer(b" " * (8 << 20)), "larger than"),
            (http_answer(b"", "200 OK", *(f"X-{i}: {'x' * 1000}" for i in range(100))), "headers"),
            (http_answer(b"{", length=1000),),
            (b"\0" * 1000,),
            (http_answer(b"", "302 Found", "Location: https://localhost:1/"), "302"),
            (http_answer(b"<html>", "503 Slow Down"), "503"),
            *((http_answer(json.dumps({"__type": "E", "message": text}, ensure_ascii=False).encode(), "400 Bad"), "E")
              for text in LONG_TEXTS),
            *((http_answer(json.dumps({"CiphertextForRecipient": base64.b64encode(blob).decode()}).encode()), "CMS") for blob in blobs),
        ]:
            kms.answer = answer
            with self.subTest(answer[:100]):
                self.refused(enclave, good, 502, "encrypted_tls_key", *texts)
        kms.answer = http_answer(b'{"__type":"AccessDeniedException","message":"no"}', "400 Bad")
        self.refused(enclave, good, 403, "encrypted_tls_key", "AccessDeniedException: no")

        true_answers = []

        def replay(request):
            """The first answer of the real KMS, over and over."""
            if not true_answers:
                context = ssl.create_default_context(cafile=self.endpoints["kms_ca_file"])
                with context.wrap_socket(socket.create_connection(self.kms_address), server_hostname="localhost") as real:
                    real.sendall(request)
                    answer = http.client.HTTPResponse(real)
                    answer.begin()
                    true_answers.append(http_answer(answer.read()))
            return true_answers[0]

        kms.answer = replay
        self.refused(enclave, good, 422, "sealed_key_b64")  # the TLS secret is no data key
        self.refused(enclave, good, 502, "encrypted_tls_key", "CMS")  # sealed for the key of the try before
        relay.behave = forward(self.kms_address)
        self.accepted_after_all(enclave, roles)


class Histories(ParentTest):
    """What the parent may say about what keys have signed."""

    def document(self, key, root=None):
        return {"metadata": {"interchange_format_version": "5", "genesis_validators_root": root or MAINNET_ROOT},
                "data": [{"pubkey": key, "signed_blocks": [{"slot": "9"}], "signed_attestations": []}]}

    def said(self, enclave, status, text, **members):
        answer, body = enclave.ask({"operation": "slashing", **members})
        self.assertEqual(answer, status, body)
        self.assertIn(text, body["message"])

    def test_requests(self):
        enclave, _ = self.boot()
        roles = enclave.roles()
        key = self.rows[0]["pubkey"]
        self.said(enclave, 400, "action: missing")
        self.said(enclave, 400, "action: unknown: lower", action="lower")
        for pubkeys in [7, ["12"], [None]]:
            self.said(enclave, 400, "pubkeys", action="begin", pubkeys=pubkeys)
        self.said(enclave, 400, "pubkeys", action="read", pubkeys=[key] * 2001)
        self.said(enclave, 400, "after", action="read", after="12")
        for interchange in [None, 7, {}, self.document("12"), self.document(key, "0x12")]:
            self.said(enclave, 400, "interchange", action="import", interchange=interchange)
        self.said(enclave, 400, "not that of this signer's network", action="import", interchange=self.document(key, "0x" + "77" * 32))
        self.assertEqual(enclave.ask({"operation": "slashing", "action": "read"})[1]["histories"], [])
        # Before init too; and it is what holds afterwards.
        self.assertEqual(enclave.ask({"operation": "slashing", "action": "import", "interchange": self.document(key)}),
                         (200, {"keys": 1, "new": 1}))
        self.assertEqual(enclave.ask({"operation": "credential"})[0], 409)
        self.accepted_after_all(enclave, roles)
        status, body = enclave.ask({"operation": "slashing", "action": "read", "pubkeys": [key]})
        self.assertEqual((status, body["histories"][0]["origin"], body["more"]), (200, "imported", False))

    def test_not_the_parents_word(self):
        """Where the measured configuration leaves the first word to the operator, the parent can only read."""
        configuration = json.loads(self.configuration)
        self.assertEqual(configuration["slashing"]["first_use"], "host")
        del configuration["slashing"]
        enclave, _ = self.boot(json.dumps(configuration).encode())
        key = self.rows[0]["pubkey"]
        self.said(enclave, 403, "first_use: operator", action="begin", pubkeys=[key])
        self.said(enclave, 403, "first_use: operator", action="import", interchange=self.document(key))
        self.assertEqual(enclave.ask({"operation": "slashing", "action": "read"}), (200, {"histories": [], "more": False}))


class Walls(ParentTest):
    # Standard streams and what init/roles.c lists; then what the role opened by itself before its sandbox.
    DESCRIPTORS = {
        "keeper": [{3: "socket", 5: "socket", 6: "socket", 7: "socket"}, set()],
        "ledger": [{3: "socket", 4: "socket", 11: "/store"}, {"/store/slashing.sqlite", "/store/slashing.sqlite-wal"}],
        "frontend": [{3: "socket", 4: "socket", 7: "socket", 8: "socket", 13: "socket", 16: "socket"}, {"anon_inode", "socket"}],
        "attester": [{3: "socket", 5: "socket", 9: "socket"}, set()],
        "control": [{3: "socket", 5: "socket", 7: "socket", 8: "socket", 12: "socket", 15: "pipe"}, {"socket"}],
    }

    def test_second_init(self):
        enclave, relay = self.boot()
        before = enclave.roles()
        self.assert_init(enclave)
        # The opener that saw the keys is gone when the answer is there.
        self.assertEqual(enclave.find_roles(), before)
        roles = enclave.roles()
        for request in [self.init_request(), {"operation": "init"}]:
            status, body = enclave.ask(request)
            self.assertEqual(status, 409)
            self.assertIn("already", body["message"])
        status, body = enclave.ask({"operation": "status"})
        self.assertEqual((status, body["initialized"], body["key_count"], body["network"]), (200, True, 2, "mainnet"))
        self.assertEqual(enclave.roles(), roles)
        # KMS is not needed to sign.
        relay.stop()
        self.assert_signs(enclave)
        self.check_walls(roles)

    def check_walls(self, roles):
        for role, pid in roles.items():
            status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            self.assertEqual((status["Seccomp"], status["NoNewPrivs"]), ("2", "1"), role)
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
            self.assertRegex(limits, r"Max core file size +0 +0 ", role)
            self.assertEqual(self.environment(pid), b"", role)
            self.check_descriptors(role, pid)

    def environment(self, pid):
        try:
            return pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except PermissionError:
            return b""  # not dumpable: even its own user may not look

    def descriptors(self, pid):
        found = {}
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[int(fd)] = os.readlink(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:
                pass  # a connection that has just been closed
        return found

    def check_descriptors(self, role, pid):
        try:
            found = self.descriptors(pid)
        except PermissionError:
            return
        given, own = self.DESCRIPTORS[role]
        for fd, what in given.items():
            self.assertTrue(what in found[fd] and (what.startswith("/") or found[fd].startswith(what)), f"{role}: {fd} is {found[fd]}")
        for fd in found.keys() - given.keys() - {0, 1, 2}:
            kind = found[fd].split(":")[0]
            self.assertTrue(any(kind.endswith(allowed) for allowed in own), f"{role}: {fd} is {found[fd]}")

    def test_configuration(self):
        configuration = json.loads(self.configuration)

        def changed(**changes):
            return json.dumps({**configuration, **changes}).encode()

        for contents, seals, text in [(self.configuration, 0, "seals"), (b"", None, "empty"), (b"{", None, "malformed"),
                                      (changed(nonsense=1), None, "nonsense: no such setting"), (changed(network="x"), None, "network"),
                                      (changed(version=2), None, "version"), (changed(slashing_protection="no"), None, "slashing_protection"),
                                      (changed(ca_pem="x"), None, "ca_pem"), (changed(fleet=""), None, "fleet"),
                                      (changed(kms_host="a b"), None, "kms_host"),
                                      (changed(policy={"rules": [{"name": "x", "effect": "Deny"}]}), None, "policy: rules[0]: effect")]:
            options = {} if seals is None else {"seals": seals}
            enclave = self.launch(contents, **options)
            self.assertEqual(enclave.wait_end(), 2, contents)
            self.assertIn("enclave_not_started", enclave.log)
            self.assertIn(text, enclave.log)
        # Well-formed, but not what the key policy names: another configuration, and another program.
        other = self.folder / "other-program"
        other.write_bytes(self.program.read_bytes() + b"\0")
        other.chmod(0o700)
        for options in [{"configuration": changed(slashing_protection=False)}, {"configuration": self.configuration + b"\n"},
                        {"program": other}]:
            enclave, _ = self.boot(**options)
            for _ in range(2):
                status, body = enclave.ask(self.init_request())
                self.assertEqual(status, 403, body)
                self.assertIn("AccessDeniedException", body["message"])
                self.assert_waiting(enclave)
            enclave.stop()
        self.assertEqual(self.measurement(self.configuration), self.signer["measurement"]["PCR0"])


class Signing(ParentTest):
    def vote(self, enclave, request):
        with contextlib.closing(SigningSocket(enclave.signing_path, self.signer["ca_file"])) as connection:
            return connection.sign(self.cases[0]["public_key"], request)

    def check_watermarks(self):
        enclave, _ = self.serve()
        self.assertEqual(self.vote(enclave, attestation(10))[0], 200)
        enclave.stop()  # by SIGKILL
        again, _ = self.serve(store=enclave.store)
        self.assertEqual(self.vote(again, attestation(10, root="0x" + "99" * 32))[0], 412)
        self.assertEqual(self.vote(again, attestation(9))[0], 412)
        self.assertEqual(self.vote(again, attestation(11))[0], 200)

    def check_deaths(self):
        for role in ["keeper", "ledger", "frontend"]:
            enclave, _ = self.serve()
            roles = enclave.roles()
            os.kill(roles[role], signal.SIGKILL)
            self.assertEqual(enclave.wait_end(), 1)
            self.assertIn(f"the {role} died (signal 9)", enclave.log)
            self.assertEqual([name for name, pid in roles.items() if os.path.exists(f"/proc/{pid}")], [])
        for number in [signal.SIGTERM, signal.SIGINT]:
            enclave, _ = self.boot()
            enclave.process.send_signal(number)
            self.assertEqual(enclave.wait_end(), 0)
            self.assertIn("enclave_stopped", enclave.log)
        # init's own death takes everything with it.
        enclave, _ = self.serve()
        roles = enclave.roles()
        enclave.stop()
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in roles.values()), "the roles are gone")

    def check_two_enclaves_of_one_store(self):
        """Side by side on one folder they would each believe to be alone: the second must not start."""
        enclave, _ = self.serve()
        second = self.launch(store=enclave.store)
        self.assertEqual(second.wait_end(), 1)
        self.assertIn("ledger", second.log)
        self.assert_signs(enclave)

    def test_deadlines(self):
        """Whoever trickles is cut off after 30 s, on either port, and nobody else notices."""
        enclave, _ = self.serve()
        stopping = threading.Event()
        ended = {}
        begun = time.monotonic()
        context = ssl.create_default_context(cafile=self.signer["ca_file"])

        def trickle(name, connection, byte):
            with connection, contextlib.suppress(OSError):
                while not stopping.wait(0.5):
                    connection.sendall(byte)
            ended[name] = time.monotonic() - begun

        slow_frame = unix_connection(enclave.control_path)
        slow_frame.sendall(struct.pack(">I", 1000))
        slow_headers = context.wrap_socket(unix_connection(enclave.signing_path), server_hostname="localhost")
        slow_headers.sendall(b"GET /upcheck HTTP/1.1\r\nX-Slow: ")
        slow_hello = unix_connection(enclave.signing_path)
        slow_hello.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        threads = [threading.Thread(target=trickle, args=arguments) for arguments in
                   [("frame", slow_frame, b" "), ("headers", slow_headers, b"x"), ("hello", slow_hello, b"x")]]
        for thread in threads:
            thread.start()
        try:
            with contextlib.ExitStack() as half_open:
                for _ in range(200):
                    half_open.enter_context(unix_connection(enclave.signing_path))
                self.abuse(enclave)
                # Whatever happens in other enclaves meanwhile.
                for check in [self.check_watermarks, self.check_two_enclaves_of_one_store, self.check_deaths]:
                    check()
                    self.assert_signs(enclave)
                with enclave.control() as waiting:
                    self.assertEqual(waiting.ask({"operation": "init_state"})[1]["key_count"], 2)
                self.assertLess(abs(time.monotonic() - begun - 30), 8, "the trickled frame's deadline")
                while len(ended) < 3 and time.monotonic() - begun < 45:
                    self.assert_signs(enclave)
                    time.sleep(0.5)
        finally:
            stopping.set()
            for thread in threads:
                thread.join()
        for name, seconds in ended.items():
            self.assertLess(abs(seconds - 30), 8, f"the trickled {name}'s deadline")
        self.assertIn("did not arrive within 30000 ms", enclave.log)

    def abuse(self, enclave):
        for garbage in [b"GET /upcheck HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 600, os.urandom(5000), b"\0" * 70000]:
            with unix_connection(enclave.signing_path) as connection, contextlib.suppress(ConnectionError):
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(4096):
                    pass
            begun = time.monotonic()
            self.assert_signs(enclave)
            self.assertLess(time.monotonic() - begun, 5, "others slow a client down")


if __name__ == "__main__":
    unittest.main(verbosity=2)
