# SPDX-License-Identifier: Apache-2.0
"""
Lambda as a custom runtime sees it: the runtime API, version 2018-06-01, by its documentation. `next` is held until there is an event, an answer or an
error is taken for the invocation that is out and for no other, and what a runtime hands in is checked.
"""
import http.server
import itertools
import json
import queue
import re
import threading
import time
import uuid

PREFIX = "/2018-06-01/runtime/"
ANSWER_MAX_SIZE = 6291556
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"


class RuntimeApi:
    def __init__(self):
        self.events = queue.Queue()
        self.outcomes = {}
        self.out = None  # the request id of the invocation that is out
        self.init_error = None
        self.polled = threading.Event()  # set while `next` is held
        self.problems = []
        self.changed = threading.Condition()
        self.numbers = itertools.count()
        self.fail_next = None  # a status with which `next` fails
        self.refuse = None  # a status with which the next thing handed in is refused
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                api.get(self)

            def do_POST(self):
                api.post(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # who is killed while it waits

        self.server = Server(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()

    # ---- what a test does ----

    def invoke(self, event, time_left_s=30, patience_s=60, headers=None):
        """("response", value) or ("error", {errorMessage, errorType}); `event` is sent as JSON, or as it is when it is bytes."""
        request_id = str(uuid.uuid4())
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        with self.changed:
            self.events.put((request_id, body, int((time.time() + time_left_s) * 1000), headers or {}))
            if not self.changed.wait_for(lambda: request_id in self.outcomes or self.problems, patience_s):
                raise AssertionError(f"no answer within {patience_s} s: {event!r}")
            if self.problems:
                raise AssertionError(self.problems)
            return self.outcomes[request_id]

    def wait_init_error(self, patience_s=30):
        with self.changed:
            if not self.changed.wait_for(lambda: self.init_error, patience_s):
                raise AssertionError("no init/error")
            return self.init_error

    # ---- what the runtime asks ----

    def problem(self, text):
        with self.changed:
            self.problems.append(text)
            self.changed.notify_all()

    def answer(self, handler, status, body=b"", headers=None):
        handler.send_response(status)
        for name, value in (headers or {}).items():
            if value is not None:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def accept(self, handler):
        status = self.refuse or 202
        self.refuse = None
        self.answer(handler, status, b'{"status":"OK"}\n' if status == 202 else b'{"errorMessage":"a test\'s","errorType":"Refused"}',
                    {"Content-Type": "application/json"})

    def get(self, handler):
        if handler.path != PREFIX + "invocation/next":
            self.problem(f"GET {handler.path}")
            return self.answer(handler, 404)
        if self.out:
            self.problem(f"next, while {self.out} has no answer")
            return self.answer(handler, 403)
        if self.fail_next:
            return self.answer(handler, self.fail_next, b'{"errorMessage":"a test\'s","errorType":"Failed"}')
        self.polled.set()
        event = self.events.get()
        self.polled.clear()
        if event is None:
            return self.answer(handler, 500)
        self.out, body, deadline_ms, headers = event
        return self.answer(handler, 200, body, {
            "Content-Type": "application/json", "Lambda-Runtime-Aws-Request-Id": self.out, "Lambda-Runtime-Deadline-Ms": deadline_ms,
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:111122223333:function:signer",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1", **headers})

    def post(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        found = re.fullmatch(re.escape(PREFIX) + r"(?:invocation/([^/]+)/(response|error)|init/error)", handler.path)
        if not found:
            self.problem(f"POST {handler.path}")
            return self.answer(handler, 404)
        request_id, kind = found[1], found[2]
        if kind and request_id != self.out:
            self.problem(f"{kind} for {request_id}, but {self.out} is out")
            return self.answer(handler, 400, b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}')
        if kind == "response" and len(body) > ANSWER_MAX_SIZE:
            self.problem(f"a response of {len(body)} bytes")
            return self.answer(handler, 413)
        value = json.loads(body)
        if kind != "response" and (set(value) < {"errorMessage", "errorType"} or handler.headers[ERROR_TYPE] != value["errorType"]):
            self.problem(f"a malformed error: {handler.headers} {body}")
        refused = self.refuse
        if kind:
            self.out = None  # before it hears of it: the next one is asked for at once
        self.accept(handler)
        with self.changed:
            if kind:
                self.outcomes[request_id] = ("refused" if refused else kind, value)
            else:
                self.init_error = value
            self.changed.notify_all()
