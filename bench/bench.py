#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Side-by-side figures, each beside a peer in the same run: what `make bench` prints.

usage: bench.py PRECIS [--seconds S] [--rounds N]

Rates and latencies come from shared machines: pairs are taken in turn (A B A B ...), medians and the ratio of medians count.
Needs wrk and nginx. Everything listens on 127.0.0.1 and is stopped at the end.
"""
import argparse
import json
import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import python_service  # noqa: E402
from measure import in_turn, machine, timed, wrk  # noqa: E402
from precis_server import Server  # noqa: E402

REQUEST = {"recipe": "assistant", "params": {"user_id": "demo"}, "query": "what is on today?", "max_tokens": 300}
N_KNOWLEDGE = 10_000
ONE_FRONT = "limits: { front_threads: 1 }\n"  # as nginx has one worker


class Nginx:
    """One worker that serves one static file."""

    def __init__(self, folder, data):
        os.makedirs(os.path.join(folder, "www"))
        with open(os.path.join(folder, "www", "file.json"), "wb") as file:
            file.write(data)
        port = random.randrange(20000, 30000)
        self.url = f"http://127.0.0.1:{port}/file.json"
        conf = os.path.join(folder, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as file:
            file.write(f"""worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr crit;
{'user root;' if os.getuid() == 0 else ''}
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 100000000; open_file_cache max=100; default_type application/json;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
""")
        self.process = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stdin=subprocess.DEVNULL)
        for _ in range(100):
            try:
                urllib.request.urlopen(self.url, timeout=1).read()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("bench: nginx did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def compare(args, name, ours, peer_name, theirs):
    """A B A B ..., then a row of medians."""
    a, b = in_turn(args.rounds, ours, theirs)
    print(f"| {name} | {a[0]:,.0f} | {a[1]:.3f} | {a[2]:.3f} | {peer_name} | {b[0]:,.0f} | {b[1]:.3f} | {b[2]:.3f} |"
          f" {a[0] / b[0]:.2f} |", flush=True)


def fill_knowledge(server):
    """10,000 sentences over a vocabulary of a hundred-odd words, for the sample user."""
    rng = random.Random(7)
    words = [f"{a}{b}" for a in ("bo", "ka", "lu", "mer", "no", "pa", "ri", "sta", "ten", "vi") for b in
             ("ler", "gon", "der", "sel", "tra", "min", "rof", "pik", "lan", "ver")] + ["today", "meeting", "on", "what"]
    items = [{"user_id": "demo", "content": " ".join(rng.choices(words, k=rng.randrange(8, 30))) + "."}
             for _ in range(N_KNOWLEDGE)]
    for start in range(0, N_KNOWLEDGE, 1000):
        server.call("POST", "/memory/add", {"items": items[start:start + 1000]})


def bench_cached(args, server, folder):
    server.call("POST", "/v1/context", REQUEST)
    data = server.call("POST", "/v1/context", REQUEST, parse=False)
    if json.loads(data)["cache"] != "hit":
        raise SystemExit("bench: the second request was no cache hit")
    nginx = Nginx(os.path.join(folder, "nginx"), data)
    try:
        for connections in (32, 1):
            compare(args, f"cached context, {len(data)} bytes, {connections} connections",
                    lambda: wrk(server.url + "/v1/context", args.seconds, connections, folder, [REQUEST]),
                    "nginx, static file", lambda: wrk(nginx.url, args.seconds, connections, folder))
    finally:
        nginx.stop()


def bench_uncached(args, server, folder):
    body = dict(REQUEST, cache="off", max_tokens=1000)
    answer = server.call("POST", "/v1/context", body)
    n_sections = sum(section["status"] == "ok" for section in answer["sections"])
    if n_sections != 8:
        raise SystemExit(f"bench: only {n_sections} sections have something to say: {answer['sections']}")
    peer = python_service.ContextBuilder(server.folder)
    compare(args, f"uncached context over HTTP, {n_sections} sections, {N_KNOWLEDGE:,} items",
            lambda: wrk(server.url + "/v1/context", args.seconds, 1, folder, [body]), "Python, sqlite3 + FTS5, no HTTP",
            lambda: timed(args.seconds, lambda: peer.build(body["query"], "demo", body["max_tokens"])))


def bench_write(args, server, folder):
    body = {"user_id": "writer", "content": "The boiler of house %d was serviced in May by the usual firm."}
    db = sqlite3.connect(os.path.join(folder, "peer.db"), isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE knowledge(id INTEGER PRIMARY KEY, user_id TEXT, content TEXT, created_at TEXT)")
    for connections in (1, 32):
        compare(args, f"durable write over HTTP, {connections} connections",
                lambda: wrk(server.url + "/memory/add", args.seconds, connections, folder, [body]),
                "Python, sqlite3, one commit each, no HTTP",
                lambda: timed(args.seconds, lambda: db.execute(
                    "INSERT INTO knowledge(user_id, content, created_at) VALUES (?, ?, datetime('now'))",
                    ("writer", body["content"]))))
    db.close()


def program_size(program):
    """(code, data built into it) in MB: the vocabularies and the model stand in a section of their own."""
    out = subprocess.run(["size", "-A", "-d", program], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^precis_data\s+(\d+)", out, re.MULTILINE)
    data = int(found.group(1)) if found else 0
    return (os.path.getsize(program) - data) / 1e6, data / 1e6


def measure_start(args, program, data):
    """Medians of (start to first answer in ms, idle memory in MB)."""
    runs = []
    for _ in range(args.rounds):
        server = Server(program, data, ONE_FRONT)
        time.sleep(0.2)  # let start-up work end before memory is read
        runs.append((server.start_ms, server.rss_mb()))
        server.stop()
    return [statistics.median(column) for column in zip(*runs)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("precis")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    for tool in ("wrk", "nginx"):
        if not shutil.which(tool):
            raise SystemExit(f"bench: {tool} is missing")
    program = os.path.abspath(args.precis)
    folder = tempfile.mkdtemp(prefix="precis-bench-")
    data = os.path.join(folder, "data")
    server = None
    try:
        subprocess.run([program, "--data", data, "init", "--demo"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        start_ms, idle_mb = measure_start(args, program, data)
        server = Server(program, data, ONE_FRONT)
        fill_knowledge(server)
        print(f"{machine()}; medians of {args.rounds} runs of {args.seconds} s taken in turn; one front thread, one nginx"
              " worker, one wrk thread\n")
        print("| what | per second | p50 ms | p99 ms | peer | per second | p50 ms | p99 ms | ratio |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        bench_cached(args, server, folder)
        bench_uncached(args, server, folder)
        bench_write(args, server, folder)
        print(f"\nstart to first answer {start_ms:.0f} ms; idle memory {idle_mb:.1f} MB; "
              f"program {program_size(program)[0]:.2f} MB and {program_size(program)[1]:.1f} MB of built-in data")
    finally:
        if server and server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
