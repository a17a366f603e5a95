# SPDX-License-Identifier: Apache-2.0
"""The runtime API of AWS Lambda (2018-06-01), as a function of provided.al2023 meets it: one process, started by the first invocation and kept for the next ones."""
import http.server
import json
import os
import queue
import subprocess
import threading
import time
import uuid

VERSION = "/2018-06-01/runtime"


class Runtime:
    """`invoke` gives an event to the function and returns (whether it went well, its answer). The program has an environment of its own."""

    def __init__(self, program, environment, log=None, timeout_s=20):
        self.events = queue.Queue()
        self.answers = {}
        self.answered = threading.Condition()
        self.timeout_s = timeout_s
        self.first_next = None  # monotonic: the cold start's end
        self.requests = []  # (method, path, headers) of everything the function asked for
        self.init_error = None
        runtime = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                runtime.requests.append(("GET", self.path, dict(self.headers)))
                if self.path != f"{VERSION}/invocation/next":
                    return self.reply(404, b"{}")
                runtime.first_next = runtime.first_next or time.monotonic()
                event = runtime.events.get()
                if event is None:
                    self.close_connection = True
                    return None
                identifier, payload, deadline_ms = event
                return self.reply(200, payload, {
                    "Lambda-Runtime-Aws-Request-Id": identifier, "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:test", "Lambda-Runtime-Trace-Id": "Root=1"})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                runtime.requests.append(("POST", self.path, dict(self.headers)))
                if self.path == f"{VERSION}/init/error":
                    runtime.init_error = json.loads(body)
                    return self.reply(202, b'{"status":"OK"}')
                prefix = f"{VERSION}/invocation/"
                identifier, _, kind = self.path.removeprefix(prefix).partition("/")
                if not self.path.startswith(prefix) or kind not in ("response", "error") or identifier not in runtime.waiting:
                    return self.reply(400, b'{"errorType":"InvalidRequestID"}')
                with runtime.answered:
                    runtime.waiting.discard(identifier)
                    runtime.answers[identifier] = (kind == "response", body)
                    runtime.answered.notify_all()
                return self.reply(202, b'{"status":"OK"}')

            def reply(self, status, body, headers=None):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self.waiting = set()
        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [program], stdin=subprocess.DEVNULL, stdout=log or subprocess.DEVNULL, stderr=log or subprocess.DEVNULL,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_address[1]}", "AWS_LAMBDA_FUNCTION_NAME": "test", "LAMBDA_TASK_ROOT": os.path.dirname(program)})

    def invoke(self, event, raw=None, deadline_s=None):
        """`raw`: bytes instead of an event's JSON."""
        identifier = str(uuid.uuid4())
        with self.answered:
            self.waiting.add(identifier)
        patience_s = deadline_s or self.timeout_s
        self.events.put((identifier, json.dumps(event).encode() if raw is None else raw, int((time.time() + patience_s) * 1000)))
        with self.answered:
            if not self.answered.wait_for(lambda: identifier in self.answers or self.process.poll() is not None, patience_s + 5):
                raise AssertionError("the function did not answer by its deadline")
            if identifier not in self.answers:
                raise AssertionError(f"the function ended with {self.process.returncode}: {self.init_error}")
            ok, body = self.answers.pop(identifier)
        return ok, json.loads(body)

    def stop(self):
        self.events.put(None)
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.server.server_close()
