# SPDX-License-Identifier: Apache-2.0
"""Keys that move from signer to signer through the key manager API, the way an operator moves them: deleted here, imported there with
the history that the deletion gave back. Every step may be cut off and is then taken again."""
import json
import time

from signer import Connection

# A signer that was killed comes back within 30 s, and then the step is taken again.
STEP_S = 120
RETRY_S = 0.5


class Moves:
    def __init__(self, signers, keystores, password, lose_history=False):
        """`keystores`: text of the keystore of each public key. The signer at 0 has them all. `lose_history`: the control."""
        self.signers = signers
        self.keystores = keystores
        self.password = password
        self.lose_history = lose_history
        self.home = dict.fromkeys(keystores, 0)
        self.counts = {"moves": 0, "steps taken again": 0}

    def ask(self, signer, method, body):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {signer.token()}"}
        with Connection(signer.up, timeout=30) as connection:
            status, _, answer = connection.request(method, "/eth/v1/keystores", json.dumps(body), headers)
        if status != 200:
            raise ConnectionError(f"{method}: {status} {answer[:200]}")
        return json.loads(answer)

    def insist(self, signer, method, body, accepted):
        """Until the one key of the request has one of these statuses."""
        deadline = time.monotonic() + STEP_S
        while True:
            try:
                answer = self.ask(signer, method, body)
                if answer["data"][0]["status"] in accepted:
                    return answer
                problem = answer["data"][0]
            except (OSError, ValueError) as failure:
                problem = failure
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} does not get through: {problem}")
            self.counts["steps taken again"] += 1
            time.sleep(RETRY_S)

    def move(self, key, before_import=lambda: None):
        """The history of the second attempt counts: what the first one gave back is lost with its answer."""
        here = self.signers[self.home[key]]
        there = self.signers[1 - self.home[key]]
        history = self.insist(here, "DELETE", {"pubkeys": [key]}, ["deleted", "not_active"])["slashing_protection"]
        assert any(entry["pubkey"] == key for entry in json.loads(history)["data"]), history
        before_import()
        request = {"keystores": [self.keystores[key]], "passwords": [self.password], "slashing_protection": history}
        if self.lose_history:
            del request["slashing_protection"]
        self.insist(there, "POST", request, ["imported", "duplicate"])
        self.home[key] = 1 - self.home[key]
        self.counts["moves"] += 1
