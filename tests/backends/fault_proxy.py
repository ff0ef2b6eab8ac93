#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that stands before a server and misbehaves on demand.

usage: fault_proxy.py HOST:PORT [--listen PORT] [--control PORT]

Passes bytes between clients and the server until a fault is set; the fault then holds for the connections that are open and for
new ones, until another is set or `heal`. In a test:

    proxy = FaultProxy("127.0.0.1", 5432)
    proxy.set("latency", 300)
    proxy.heal()
    proxy.close()

As a program it prints its port and the port of its control, which takes a line `latency 300`, `heal` or `counts` and answers each
with a line. The faults, and what their number is:

    latency MS      what the server sends arrives so much later
    jitter MS       later by anything between nothing and that, in order
    trickle N       what the server sends arrives N bytes a second (1)
    cut N           the connection ends after N more bytes from the server (0: with the first)
    reset           connections are reset, open ones at once, new ones when they were accepted
    blackhole       connections are accepted; what is sent is lost and nothing ever comes back
    unaccepted      connections are not accepted, as by a server whose queue is full; open ones stand still, and go on after `heal`
    wrong           what the server sends is replaced by as many bytes that mean nothing
    extra           what the server sends comes once more, N ms later (20), when nobody asked
    half_close      the server's half of the connection is closed; what the client sends still goes to the server
    refuse          nobody listens; open connections are closed

A connection that lost or gained bytes is not whole again after `heal`: after `blackhole` it stays silent until its client gives up.
"""
import argparse
import asyncio
import json
import random
import socket
import struct
import sys
import threading

FAULTS = {"latency": 300, "jitter": 300, "trickle": 1, "cut": 0, "reset": 0, "blackhole": 0, "unaccepted": 0, "wrong": 0, "extra": 20,
          "half_close": 0, "refuse": 0}
CHUNK = 65536
BACKLOG = 128


class Connection:
    """One client and its connection to the server."""

    def __init__(self, proxy, reader, writer):
        self.proxy = proxy
        self.reader, self.writer = reader, writer
        self.up_reader = self.up_writer = None
        self.is_lost = False  # bytes went missing: silent for ever
        self.n_until_cut = None
        self.tasks = []

    async def run(self):
        if self.proxy.fault == "reset":
            return self.reset()
        if self.proxy.fault == "blackhole":
            self.is_lost = True
        try:
            self.up_reader, self.up_writer = await asyncio.open_connection(*self.proxy.target)
        except OSError:
            return self.close()
        self.tasks = [asyncio.ensure_future(self.pump_up()), asyncio.ensure_future(self.pump_down())]
        self.begin_fault()
        await asyncio.wait(self.tasks, return_when=asyncio.ALL_COMPLETED)
        return self.close()

    async def pump_up(self):
        try:
            while data := await self.reader.read(CHUNK):
                await self.proxy.wait_while_still()
                if not self.is_lost:
                    self.up_writer.write(data)
                    await self.up_writer.drain()
            self.close()
        except (OSError, asyncio.CancelledError):
            self.close()

    async def pump_down(self):
        try:
            while data := await self.up_reader.read(CHUNK):
                await self.proxy.wait_while_still()
                if not self.is_lost:
                    await self.pass_down(data)
            if not self.is_lost:
                self.close()
        except (OSError, asyncio.CancelledError):
            self.close()

    async def pass_down(self, data):
        fault, number = self.proxy.fault, self.proxy.number
        if fault == "latency":
            await asyncio.sleep(number / 1000)
        elif fault == "jitter":
            await asyncio.sleep(self.proxy.random.uniform(0, number) / 1000)
        elif fault == "trickle":
            return await self.trickle(data)
        elif fault == "wrong":
            data = self.proxy.random.randbytes(len(data))
        elif fault == "half_close":
            return None
        elif fault == "extra":
            asyncio.get_running_loop().call_later(number / 1000, self.say, data)
        elif fault == "cut":
            data, is_cut = data[:self.n_until_cut], len(data) >= self.n_until_cut
            self.n_until_cut -= len(data)
            self.say(data)
            if is_cut:
                self.close()
            return None
        self.say(data)
        return await self.writer.drain()

    async def trickle(self, data):
        at = 0
        while at < len(data) and self.proxy.fault == "trickle":
            self.say(data[at:at + 1])
            at += 1
            await self.proxy.sleep(1 / self.proxy.number)
        self.say(data[at:])

    def say(self, data):
        if data and not self.writer.is_closing():
            self.writer.write(data)

    def begin_fault(self):
        """What a fault does to a connection that is open."""
        fault = self.proxy.fault
        self.n_until_cut = self.proxy.number if fault == "cut" else None
        if fault == "reset":
            self.reset()
        elif fault == "refuse":
            self.close()
        elif fault == "blackhole":
            self.is_lost = True
        elif fault == "half_close" and not self.writer.is_closing():
            self.writer.write_eof()

    def reset(self):
        raw = self.writer.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        self.close()

    def close(self):
        for writer in (self.writer, self.up_writer):
            if writer is not None and not writer.is_closing():
                writer.close()
        for task in self.tasks:
            task.cancel()
        self.proxy.connections.discard(self)


class FaultProxy:
    """The proxy, on a thread of its own; its methods may be called from any other."""

    def __init__(self, host, port, listen=0):
        self.target = (host, port)
        self.fault, self.number = None, 0
        self.random = random.Random(1)  # the same each time
        self.connections = set()
        self.n_accepted = 0
        self.fillers = []
        if not listen:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                listen = probe.getsockname()[1]
        self.port = listen
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", listen))  # to that very one: only so it is kept while nobody listens
        self.listener.setblocking(False)
        self.listener.listen(BACKLOG)
        self.loop = asyncio.new_event_loop()
        self.changed = asyncio.Event()
        self.accepting = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self._do(self._accept_again)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def _do(self, action, *arguments):
        """Runs it on the proxy's thread and waits for it."""
        async def act():
            return action(*arguments)
        return asyncio.run_coroutine_threadsafe(act(), self.loop).result(timeout=10)

    def set(self, fault, number=None):
        assert fault in FAULTS, f"no such fault: {fault} (known: {', '.join(FAULTS)})"
        self._do(self._set, fault, FAULTS[fault] if number is None else number)

    def heal(self):
        self._do(self._set, None, 0)

    def counts(self):
        return self._do(lambda: {"accepted": self.n_accepted, "open": len(self.connections)})

    def drop_all(self):
        """Closes the connections that are open."""
        self._do(lambda: [connection.close() for connection in list(self.connections)])

    def close(self):
        def end():
            for connection in list(self.connections):
                connection.close()
            self._unfill()
            if self.accepting:
                self.accepting.cancel()
            self.listener.close()
            self.loop.call_later(0.05, self.loop.stop)  # after what was closed has been let go
        self._do(end)
        self.thread.join(timeout=10)
        self.loop.close()

    # From here on: on the proxy's thread.

    def _set(self, fault, number):
        before, self.fault, self.number = self.fault, fault, number
        if before in ("unaccepted", "refuse"):
            self._unfill()
            self.listener.listen(BACKLOG)
            self._accept_again()
        if fault in ("unaccepted", "refuse"):
            self.accepting.cancel()
            if fault == "refuse":
                self.listener.shutdown(socket.SHUT_RDWR)  # the port stays ours
            else:
                self._fill()
        for connection in list(self.connections):
            connection.begin_fault()
        self.changed.set()
        self.changed = asyncio.Event()

    def _fill(self):
        """Puts so many into the queue that the next one's first packet is dropped."""
        self.listener.listen(0)
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)

    def _unfill(self):
        for filler in self.fillers:
            filler.close()
        self.fillers = []

    def _accept_again(self):
        self.accepting = asyncio.ensure_future(self._accept())

    async def _accept(self):
        while True:
            client, _ = await self.loop.sock_accept(self.listener)
            self.n_accepted += 1
            reader, writer = await asyncio.open_connection(sock=client)
            connection = Connection(self, reader, writer)
            self.connections.add(connection)
            asyncio.ensure_future(connection.run())

    async def wait_while_still(self):
        while self.fault == "unaccepted":
            await self.changed.wait()

    async def sleep(self, seconds):
        """Or until the fault changes."""
        try:
            await asyncio.wait_for(self.changed.wait(), seconds)
        except asyncio.TimeoutError:
            pass


def obey(proxy, line):
    """One line of the control, and its answer."""
    words = line.split()
    if words == ["heal"]:
        proxy.heal()
    elif words == ["counts"]:
        return json.dumps(proxy.counts())
    elif words and words[0] in FAULTS and all(word.isdigit() for word in words[1:2]):
        proxy.set(words[0], int(words[1]) if len(words) > 1 else None)
    else:
        return f"error: heal, counts, or one of {', '.join(FAULTS)} and a number"
    return "ok"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("--listen", type=int, default=0)
    parser.add_argument("--control", type=int, default=0)
    args = parser.parse_args()
    host, port = args.target.rsplit(":", 1)
    proxy = FaultProxy(host, int(port), args.listen)
    with socket.create_server(("127.0.0.1", args.control)) as control:
        print(f"listening on 127.0.0.1:{proxy.port}, control on 127.0.0.1:{control.getsockname()[1]}", flush=True)
        while True:
            client, _ = control.accept()
            with client, client.makefile("rw", encoding="ascii", errors="replace") as lines:
                for line in lines:
                    lines.write(obey(proxy, line) + "\n")
                    lines.flush()


if __name__ == "__main__":
    sys.exit(main())
