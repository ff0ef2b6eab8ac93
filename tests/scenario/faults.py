#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each kind of server x each fault before it: a running precis with a section for each, under load, while one of them misbehaves.

usage: faults.py PRECIS [--whole] [SERVER...]

A proxy (tests/backends/fault_proxy.py) stands before each server. A cell of the matrix sets one fault, asks from several threads,
heals it and asks until the section is well again; further cells kill and freeze the servers themselves. What must hold in each:
answers come within the deadline, the other sections are whole, no row is that of another request (each carries a canary of its own),
the section says what is wrong, it recovers, and no connection, descriptor or thread is left behind.

Without --whole each fault is tried on some of the servers, so that all servers and all faults come up. The table is printed either way.
"""
import argparse
import http.client
import http.server
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import cases
import fault_proxy
import promises
import servers

DEADLINE_MS = 400
N_CANARIES = 64
N_THREADS = 4
RECOVER_S = 5  # what is promised; a machine that is busy gets more
GIVE_UP_S = 30

# (fault, number), the first of a name for the short form.
FAULTS = (("latency", 800), ("jitter", 300), ("trickle", 1), ("cut", 0), ("reset", 0), ("blackhole", 0), ("unaccepted", 0), ("wrong", 0),
          ("extra", 20), ("half_close", 0), ("refuse", 0), ("latency", 40), ("cut", 20), ("extra", 0))
N_SHORT = 11
SHORT_SERVERS = 2  # in the short form, of each fault

SECTIONS = {
    "postgres": 'query: "SELECT :canary AS canary", item: "- {canary}"',
    "timescale": 'query: "SELECT :canary AS canary, time_bucket(\'5 minutes\'::interval, now()) AS bucket", item: "- {canary}"',
    "redis": 'key: "canary:{canary}", type: string, item: "- {value}"',
    "qdrant": 'collection: canaries, where: { canary: "{canary}" }, limit: 1, item: "- {canary}"',
    "chroma": 'collection: canaries, where: { canary: "{canary}" }, limit: 1, item: "- {canary}"',
    "http": 'path: "/canary/{canary}", item: "- {canary}"',
}
# An answer too many cannot be told from the one that is due, in a protocol that does not say whose it is.
CANNOT_TELL = {("http", "extra")}
SCHEMES = {"timescale": "postgres", "qdrant": "qdrant+http", "chroma": "chroma+http"}
VECTORS = ("qdrant", "chroma")


# ---- the servers ----

class Echo(http.server.BaseHTTPRequestHandler):
    """Answers /canary/NAME with {"canary": NAME}."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"canary": self.path.rsplit("/", 1)[1]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class EchoServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients go in the middle here


class HttpServer:
    """A process of its own, so that it can be killed and frozen."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None

    def start(self):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--echo", str(self.port)])
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return f"http://127.0.0.1:{self.port}"
            except OSError:
                assert time.monotonic() < until and self.process.poll() is None, "the HTTP server does not start"
                time.sleep(0.02)

    def send(self, signal_number):
        self.process.send_signal(signal_number)
        if signal_number == signal.SIGKILL:
            self.process.wait()

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()


class Servers:
    """All that can be had, each with its URL; may be killed and frozen."""

    def __init__(self, wanted):
        self.own = servers.Own()
        self.http = HttpServer()
        self.urls, self.keys = {}, {}
        for name in wanted:
            try:
                self.urls[name] = self.start(name)
            except servers.Lacking as reason:
                print(f"lacking: {reason}", flush=True)
        if "qdrant" in self.urls:
            self.keys["qdrant"] = self.own.facts.get("QDRANT_KEY")

    def start(self, name):
        return self.http.start() if name == "http" else self.own.start(name)

    def restart(self, name):
        self.start(name)
        if name == "redis":
            self.fill(name)  # it keeps nothing

    def kill(self, name):
        self.http.send(signal.SIGKILL) if name == "http" else self.own.kill(name)

    def freeze(self, name):
        self.http.send(signal.SIGSTOP) if name == "http" else self.own.freeze(name)

    def thaw(self, name):
        self.http.send(signal.SIGCONT) if name == "http" else self.own.thaw(name)

    def fill(self, name):
        """The rows that cannot be made of the request."""
        url = self.urls[name]
        if name == "redis":
            command = [self.own.facts["REDIS_CLI"], "-u", url]
            lines = "".join(f"SET canary:c{n} c{n}\n" for n in range(N_CANARIES))
            done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60, check=False)
            assert done.stdout.count("OK") == N_CANARIES, done.stdout + done.stderr
        if name == "timescale":
            servers.psql(self.own.facts["PSQL"], url, "CREATE EXTENSION IF NOT EXISTS timescaledb")

    def close(self):
        self.http.close()
        self.own.__exit__()


def url_at(name, url, port):
    """The server's URL in the configuration, with another port."""
    parts = urllib.parse.urlsplit(url)
    login = parts.netloc.rsplit("@", 1)[0] + "@" if "@" in parts.netloc else ""
    return parts._replace(scheme=SCHEMES.get(name, parts.scheme) if name in VECTORS else parts.scheme, netloc=f"{login}127.0.0.1:{port}").geturl()


def port_of(url):
    return urllib.parse.urlsplit(url).port


# ---- precis ----

class Stand:
    """A running precis with a section for each server; ports: where each is to be asked."""

    def __init__(self, world, stage, ports, folder):
        self.world, self.stage, self.names = world, stage, list(ports)
        self.numbers = itertools.count()
        connections = []
        for name, port in ports.items():
            key = f', key: "{stage.keys[name]}"' if stage.keys.get(name) else ""
            connections.append(f'  {name}: {{ url: "{url_at(name, stage.urls[name], port)}"{key} }}\n')
        world.write(f"{folder}/precis.yaml", "connections:\n" + "".join(connections) + "recipes: [ r ]\n")
        sections = "".join(f"  - {{ name: {name}, from: {name}, {SECTIONS[name]} }}\n" for name in ports)
        world.write(f"{folder}/r/canary.yaml", f"recipe: canary\nparams:\n  canary: {{ type: text, required: true }}\ndeadline: {DEADLINE_MS}ms\n"
                    f"cache: {{ ttl: 0s }}\nsections:\n{sections}")
        self.config = world.path(f"{folder}/precis.yaml")
        world.run("init", "--data", "d", "--config", self.config)
        self.server = None

    def load(self):
        """Fills the vector databases, which takes the program itself."""
        for name in self.names:
            self.stage.fill(name)
            if name in VECTORS:
                self.world.write("canaries.jsonl", "".join(json.dumps({"id": f"c{n}", "content": f"The canary c{n} sings.", "canary": f"c{n}"}) + "\n"
                                                           for n in range(N_CANARIES)))
                self.world.run("vector", "load", name, "canaries", "canaries.jsonl", "--create", "--data", "d", "--config", self.config)

    def __enter__(self):
        self.server = promises.Server(self.world, "--config", self.config)
        self.pid = self.server.process.pid
        return self

    def __exit__(self, *_):
        self.server.stop()

    def ask(self):
        """One answer, looked at: status of each section, took_ms, the client's own time, and whose canaries were wrong."""
        canary = f"c{next(self.numbers) % N_CANARIES}"
        body = json.dumps({"recipe": "canary", "params": {"canary": canary}, "query": "which canary sings", "cache": "off", "format": "json"})
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request("POST", "/v1/context", body.encode())
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        assert reply.status == 200, f"{reply.status} {text}"
        answer = json.loads(text)
        seen = {"took_ms": answer["took_ms"], "client_ms": (time.monotonic() - began) * 1000, "sections": {}, "errors": {}, "swapped": []}
        for section in answer["sections"]:
            name, status = section["name"], section["status"]
            seen["sections"][name] = status
            if section["error"]:
                seen["errors"][name] = section["error"]
            items = answer["context"].get(name, [])
            if status == "ok" and [item.get("canary", item.get("value")) for item in items] != [canary]:
                seen["swapped"].append(f"{name}: asked for {canary}, got {items}")
        return seen

    def storm(self, n):
        """n answers from each of several threads at once."""
        seen, failures = [], []

        def work():
            try:
                for _ in range(n):
                    seen.append(self.ask())
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(N_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return seen

    def recover(self, name, may_swap=False):
        """Seconds until the section was well three times in a row."""
        began, n_well = time.monotonic(), 0
        while n_well < 3:
            seen = self.ask()
            is_swapped = bool(seen["swapped"])
            assert not is_swapped or may_swap, seen["swapped"]
            if seen["sections"][name] == "ok" and not is_swapped:
                n_well += 1
                first = time.monotonic() if n_well == 1 else first
            else:
                n_well = 0
                assert time.monotonic() - began < GIVE_UP_S, f"{name} does not recover: {seen['errors'].get(name, seen['sections'][name])} {seen['swapped']}"
                time.sleep(0.02)
        return first - began

    def pools(self):
        numbers = {}
        for metric, source, value in re.findall(r'^precis_pool_(\w+)\{source="(\w+)"\} (\S+)$', self.server.ask("GET", "/metrics"), re.MULTILINE):
            numbers.setdefault(source, {})[metric] = float(value)
        return numbers

    def counts(self):
        """Descriptors that are no pool's, threads."""
        n_open = sum(pool["open_connections"] for pool in self.pools().values())
        return len(os.listdir(f"/proc/{self.pid}/fd")) - n_open, len(os.listdir(f"/proc/{self.pid}/task"))

    def settle(self, before):
        """Waits until nothing is in use; what is left over after that is a leak."""
        until = time.monotonic() + GIVE_UP_S
        while True:
            busy = [f"{name} {pool}" for name, pool in self.pools().items()
                    if pool["open_connections"] != pool["idle_connections"] or pool["connecting"] or pool["waiting"]]
            n_fds, n_threads = self.counts()
            # libpq's call to cancel waits for the server without a limit: eight at most for a connection.
            n_cancels = 8 * sum(name in ("postgres", "timescale") for name in self.names)
            if not busy and n_fds <= before[0] + 2 + n_cancels and n_threads <= before[1] + 1 + n_cancels:
                return
            assert time.monotonic() < until, f"left behind: {busy}, descriptors {before[0]} -> {n_fds}, threads {before[1]} -> {n_threads}"
            time.sleep(0.1)


# ---- the matrix ----

def is_quiet():
    return os.getloadavg()[0] < 0.7 * (os.cpu_count() or 1)


class Cell:
    """What came of one fault on one server."""

    def __init__(self, name, fault, stand, n):
        self.name, self.fault, self.stand, self.n = name, fault, stand, n
        self.troubles = []
        self.statuses, self.max_over_ms, self.max_client_over_ms, self.recovery_s = {}, 0, 0, 0

    def run(self, begin, end, before):
        try:
            begin()
            try:
                seen = self.stand.storm(self.n)
            finally:
                end()
            for one in seen:
                self.look_at(one)
            self.recovery_s = self.stand.recover(self.name, (self.name, self.fault.split()[0]) in CANNOT_TELL)
            if self.recovery_s > (RECOVER_S if is_quiet() else 3 * RECOVER_S):
                self.troubles.append(f"recovered after {self.recovery_s:.1f} s")
            self.stand.settle(before)
        except AssertionError as error:
            self.troubles.append(str(error))
        return self

    def look_at(self, seen):
        status = seen["sections"][self.name]
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.max_over_ms = max(self.max_over_ms, seen["took_ms"] - DEADLINE_MS)
        self.max_client_over_ms = max(self.max_client_over_ms, seen["client_ms"] - DEADLINE_MS)
        if seen["took_ms"] > DEADLINE_MS + (50 if is_quiet() else 1000):
            self.troubles.append(f"took {seen['took_ms']} ms of {DEADLINE_MS}")
        if status not in ("ok", "failed", "timeout") or (status != "ok" and not seen["errors"].get(self.name)):
            self.troubles.append(f"section is {status}: {seen['errors'].get(self.name)}")
        if (self.name, self.fault.split()[0]) not in CANNOT_TELL:
            self.troubles += [f"swapped: {words}" for words in seen["swapped"]]
        elif seen["swapped"]:
            self.statuses["swapped"] = self.statuses.get("swapped", 0) + 1
        others = {name: (status, seen["errors"].get(name)) for name, status in seen["sections"].items() if name != self.name and status != "ok"}
        if others:
            self.troubles.append(f"others: {others}")

    def summary(self):
        statuses = " ".join(f"{status} {n}" for status, n in sorted(self.statuses.items()))
        return (f"{self.name:<10} {self.fault:<14} {statuses:<28} {self.max_over_ms:>+8.0f} {self.max_client_over_ms:>+8.0f} {self.recovery_s:>8.2f}  "
                + ("; ".join(dict.fromkeys(self.troubles))[:300] if self.troubles else "good"))


HEAD = (f"{'server':<10} {'fault':<14} {'section':<28} {'server':>8} {'client':>8} {'recovery':>8}\n"
        f"{'':<10} {'':<14} {'':<28} {'ms over':>8} {'ms over':>8} {'s':>8}")


def is_only_of_others(cell):
    """Only that another section was late or gone, which a machine that is busy can do, too: worth another try."""
    return cell.troubles and all(trouble.startswith("others") for trouble in cell.troubles)


def attempt(make, begin, end, before):
    cell = make().run(begin, end, before)
    for _ in range(2):
        if not is_only_of_others(cell):
            break
        cell = make().run(begin, end, before)
    print(cell.summary(), flush=True)
    return cell


def plan(names, is_whole):
    faults = FAULTS if is_whole else FAULTS[:N_SHORT]
    for i, (fault, number) in enumerate(faults):
        for k, name in enumerate(names):
            if is_whole or (k + i) % len(names) < SHORT_SERVERS:
                yield name, fault, number


def matrix(world, stage, is_whole):
    proxies = {name: fault_proxy.FaultProxy("127.0.0.1", port_of(url)) for name, url in stage.urls.items()}
    cells = []
    try:
        stand = Stand(world, stage, {name: proxy.port for name, proxy in proxies.items()}, "proxied")
        stand.load()
        with stand:
            for name in stand.names:
                stand.recover(name)
            stand.storm(6)
            before = stand.counts()
            for name, fault, number in plan(stand.names, is_whole):
                cells.append(attempt(lambda: Cell(name, f"{fault} {number}" if number else fault, stand, 6 if is_whole else 4),
                                     lambda: proxies[name].set(fault, number), proxies[name].heal, before))
    finally:
        for proxy in proxies.values():
            proxy.close()
    return cells


def break_servers(world, stage, is_whole):
    cells = []
    with Stand(world, stage, {name: port_of(url) for name, url in stage.urls.items()}, "direct") as stand:
        for name in stand.names:
            stand.recover(name)
        stand.storm(6)
        before = stand.counts()
        for k, name in enumerate(stand.names):
            if is_whole or k % 2 == 0:
                cells.append(attempt(lambda: Cell(name, "kill -9", stand, 4), lambda: stage.kill(name), lambda: stage.restart(name), before))
            if is_whole or k % 2 == 1:
                cells.append(attempt(lambda: Cell(name, "SIGSTOP", stand, 4), lambda: stage.freeze(name), lambda: stage.thaw(name), before))
    return cells


def speaks(world, name):
    """Whether the program has a kind for that server."""
    world.write("try.yaml", f"connections: {{ x: \"{url_at(name, f'{SCHEMES.get(name, name)}://h', 1)}\" }}\n")
    done = subprocess.run([world.program, "recipe", "list", "--config", world.path("try.yaml")], cwd=world.folder, env=world.env,
                          capture_output=True, check=False)
    if done.returncode != 0:
        print(f"lacking: precis has no kind of source for {name}", flush=True)
    return done.returncode == 0


OPTIONS = None


def case_one_server_that_misbehaves_costs_its_section_only(world):
    stage = Servers([name for name in OPTIONS.servers or SECTIONS if speaks(world, name)])
    try:
        if not stage.urls:
            raise servers.Lacking("none of the servers can be had")
        print(HEAD, flush=True)
        cells = matrix(world, stage, OPTIONS.whole) + break_servers(world, stage, OPTIONS.whole)
    finally:
        stage.close()
    bad = [cell for cell in cells if cell.troubles]
    print(f"{len(cells)} cells, {len(bad)} bad; at most {max(cell.max_over_ms for cell in cells):+.0f} ms beyond the deadline of {DEADLINE_MS} ms; "
          f"slowest recovery {max(cell.recovery_s for cell in cells):.2f} s", flush=True)
    assert not bad, "\n".join(f"{cell.name}, {cell.fault}: {trouble}" for cell in bad for trouble in dict.fromkeys(cell.troubles))


def main():
    global OPTIONS
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("precis", nargs="?")
    parser.add_argument("servers", nargs="*")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--echo", type=int, help=argparse.SUPPRESS)
    OPTIONS = parser.parse_args()
    if OPTIONS.echo:
        EchoServer(("127.0.0.1", OPTIONS.echo), Echo).serve_forever()
    sys.argv = [sys.argv[0], OPTIONS.precis]
    cases.main(sys.modules[__name__])


if __name__ == "__main__":
    main()
