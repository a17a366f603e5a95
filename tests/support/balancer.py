# SPDX-License-Identifier: Apache-2.0
"""A network load balancer: it passes TCP connections on to targets that pass its health check, HTTPS on /upcheck as deploy/template.yaml has it, and ends those of
targets that fail."""
import asyncio
import ssl
import threading
import time


class Target:
    def __init__(self, name, port):
        self.name = name
        self.port = port
        self.is_healthy = False
        self.streak = 0  # of checks that say otherwise
        self.connections = set()


class Balancer:
    """`outages` has the seconds in which no target was healthy, as (from, to)."""

    def __init__(self, port, targets, interval_s=1.0, timeout_s=1.0, healthy=2, unhealthy=2):
        self.port = port
        self.targets = [Target(name, target_port) for name, target_port in targets.items()]
        self.interval_s, self.timeout_s = interval_s, timeout_s
        self.thresholds = {False: healthy, True: unhealthy}
        self.events = []  # (monotonic, name, is healthy)
        self.outages = []
        self.next = 0
        self.context = ssl.create_default_context()  # a load balancer does not check certificates
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.begin())
        self.loop.run_forever()
        self.loop.close()

    async def begin(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]
        for target in self.targets:
            self.loop.create_task(self.watch(target))
        self.ready.set()

    # ---- health ----

    async def check(self, target):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port, ssl=self.context)
            writer.write(b"GET /upcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            try:
                line = await reader.readline()
            finally:
                writer.transport.abort()
            return line.split(b" ")[1:2] == [b"200"]
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            return False

    async def watch(self, target):
        while True:
            try:
                passed = await asyncio.wait_for(self.check(target), self.timeout_s)
            except asyncio.TimeoutError:
                passed = False
            target.streak = 0 if passed == target.is_healthy else target.streak + 1
            if target.streak >= self.thresholds[target.is_healthy]:
                self.change(target, passed)
            await asyncio.sleep(self.interval_s)

    def change(self, target, is_healthy):
        before = any(one.is_healthy for one in self.targets)
        target.is_healthy, target.streak = is_healthy, 0
        now = time.monotonic()
        self.events.append((now, target.name, is_healthy))
        after = any(one.is_healthy for one in self.targets)
        if before and not after:
            self.outages.append([now, None])
        if after and self.outages and self.outages[-1][1] is None:
            self.outages[-1][1] = now
        if not is_healthy:
            for writer in list(target.connections):
                writer.transport.abort()

    # ---- connections ----

    def choose(self):
        able = [target for target in self.targets if target.is_healthy] or self.targets  # with none, to all: so does AWS
        self.next += 1
        return able[self.next % len(able)]

    async def serve(self, reader, writer):
        try:
            await self.carry(reader, writer)
        except asyncio.CancelledError:
            pass  # the end of all

    async def carry(self, reader, writer):
        target = self.choose()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target.port)
        except OSError:
            writer.transport.abort()
            return
        target.connections |= {writer, far_writer}
        try:
            await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))
        finally:
            target.connections -= {writer, far_writer}
            writer.close()
            far_writer.close()

    async def pump(self, reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except (OSError, RuntimeError):
            writer.transport.abort()

    # ---- for tests ----

    def healthy(self):
        return {target.name for target in self.targets if target.is_healthy}

    def add(self, name, port):
        target = Target(name, port)
        self.targets.append(target)
        self.loop.call_soon_threadsafe(lambda: self.loop.create_task(self.watch(target)))

    def stop(self):
        async def end():
            self.server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self.loop)
        self.thread.join(10)
