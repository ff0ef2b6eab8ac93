#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The fault proxy does to a connection what each fault says, and nothing once it is healed."""
import contextlib
import errno
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
import cases
import fault_proxy

WORD = b"twelve bytes"


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            while data := self.request.recv(65536):
                self.server.heard.append(data)
                self.request.sendall(data)


@contextlib.contextmanager
def standing():
    """A proxy before a server that says what it hears."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads, server.heard = True, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy = fault_proxy.FaultProxy(*server.server_address)
    proxy.heard = server.heard
    try:
        yield proxy
    finally:
        proxy.close()
        server.shutdown()
        server.server_close()


def connect(proxy, timeout=20):
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout)


def receive(client, n=len(WORD)):
    """Up to n bytes, fewer where the connection ended."""
    data = b""
    while len(data) < n and (part := client.recv(n - len(data))):
        data += part
    return data


def ask(client, n=len(WORD)):
    client.sendall(WORD)
    return receive(client, n)


def is_silent(client, seconds=0.3):
    before = client.gettimeout()
    client.settimeout(seconds)
    try:
        return client.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(before)


def serves(proxy):
    with connect(proxy) as client:
        return ask(client) == WORD


def case_without_a_fault_bytes_pass(world):
    with standing() as proxy, connect(proxy) as client:
        big = os.urandom(1 << 20)
        sender = threading.Thread(target=client.sendall, args=(big,))
        sender.start()
        assert receive(client, len(big)) == big
        sender.join()
        assert proxy.counts()["open"] == 1


def case_latency_and_jitter_delay(world):
    with standing() as proxy, connect(proxy) as client:
        proxy.set("latency", 200)
        start = time.monotonic()
        assert ask(client) == WORD and time.monotonic() - start >= 0.2
        proxy.set("jitter", 50)
        assert all(ask(client) == WORD for _ in range(5))
        proxy.heal()
        assert serves(proxy)


def case_trickle_is_slow_and_ends_with_healing(world):
    with standing() as proxy, connect(proxy) as client:
        proxy.set("trickle")
        client.sendall(WORD)
        assert client.recv(100) == WORD[:1]
        start = time.monotonic()
        assert client.recv(100) == WORD[1:2] and time.monotonic() - start > 0.5
        proxy.heal()
        assert receive(client, len(WORD) - 2) == WORD[2:]


def case_cut_ends_after_so_many_bytes(world):
    with standing() as proxy:
        with connect(proxy) as client:
            proxy.set("cut", 5)
            assert ask(client) == WORD[:5]
        with connect(proxy) as client:
            assert ask(client) == WORD[:5]
        proxy.heal()
        assert serves(proxy)


def case_reset_resets(world):
    with standing() as proxy, connect(proxy) as old:
        assert ask(old) == WORD
        proxy.set("reset")
        for use in (lambda: ask(old), lambda: serves(proxy)):
            try:
                use()
                raise AssertionError("no reset")
            except (ConnectionResetError, BrokenPipeError):
                pass
        proxy.heal()
        assert serves(proxy)


def case_blackhole_swallows_for_ever(world):
    with standing() as proxy, connect(proxy) as old:
        assert ask(old) == WORD
        proxy.set("blackhole")
        with connect(proxy) as new:
            for client in (old, new):
                client.sendall(WORD)
            assert is_silent(old) and is_silent(new)
            proxy.heal()
            old.sendall(WORD)
            assert is_silent(old) and is_silent(new)
        assert serves(proxy)
        assert proxy.heard == [WORD, WORD]


def case_unaccepted_connections_wait_and_open_ones_stand_still(world):
    with standing() as proxy, connect(proxy) as old:
        assert ask(old) == WORD
        proxy.set("unaccepted")
        try:
            connect(proxy, timeout=0.5)
            raise AssertionError("accepted")
        except TimeoutError:
            pass
        old.sendall(WORD)
        assert is_silent(old)
        proxy.heal()
        assert receive(old) == WORD
        assert serves(proxy)


def case_wrong_bytes_are_as_many(world):
    with standing() as proxy, connect(proxy) as client:
        proxy.set("wrong")
        wrong = ask(client)
        assert len(wrong) == len(WORD) and wrong != WORD
        proxy.heal()
        assert ask(client) == WORD


def case_extra_comes_unasked(world):
    with standing() as proxy, connect(proxy) as client:
        proxy.set("extra")
        assert ask(client) == WORD
        assert receive(client) == WORD
        proxy.heal()
        assert ask(client) == WORD and is_silent(client)


def case_half_close_still_hears(world):
    with standing() as proxy, connect(proxy) as client:
        assert ask(client) == WORD
        proxy.set("half_close")
        assert client.recv(1) == b""
        client.sendall(WORD)
        until = time.monotonic() + 10
        while proxy.heard != [WORD, WORD]:
            assert time.monotonic() < until
            time.sleep(0.01)
        proxy.heal()
        assert serves(proxy)


def case_refuse_refuses_and_keeps_the_port(world):
    with standing() as proxy, connect(proxy) as old:
        assert ask(old) == WORD
        for _ in range(3):
            proxy.set("refuse")
            with socket.socket() as new:
                assert new.connect_ex(("127.0.0.1", proxy.port)) == errno.ECONNREFUSED
            proxy.heal()
            assert serves(proxy)
        assert old.recv(1) == b""


def case_every_fault_follows_every_other(world):
    with standing() as proxy:
        for first in fault_proxy.FAULTS:
            for second in fault_proxy.FAULTS:
                proxy.set(first)
                proxy.set(second)
            proxy.heal()
            assert serves(proxy), first


def case_closed_connections_are_let_go(world):
    with standing() as proxy:
        for _ in range(20):
            assert serves(proxy)
        until = time.monotonic() + 10
        while proxy.counts()["open"]:
            assert time.monotonic() < until, proxy.counts()
            time.sleep(0.01)
        assert proxy.counts()["accepted"] == 20


def case_control_obeys(world):
    with standing() as far:
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fault_proxy.py")
        with subprocess.Popen([sys.executable, program, f"127.0.0.1:{far.port}"], stdout=subprocess.PIPE, text=True) as process:
            try:
                port, control = map(int, re.findall(r":(\d+)", process.stdout.readline()))
                with socket.create_connection(("127.0.0.1", control), timeout=10) as client, client.makefile("rw") as lines:
                    for line, answer in (("refuse", "ok"), ("nonsense", "error"), ("heal", "ok"), ("latency 5", "ok"), ("counts", '{"acc')):
                        lines.write(line + "\n")
                        lines.flush()
                        assert lines.readline().startswith(answer), line
                with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                    assert ask(client) == WORD
            finally:
                process.kill()


cases.main(sys.modules[__name__])
