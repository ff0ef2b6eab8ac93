#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whole requests over HTTP, ingest and footprint, beside the server one would write in Python (python_server.py). Prints Markdown tables.

usage: whole.py PRECIS [--items 10000] [--more-items 100000] [--documents FILE] [--questions FILE] [--seconds S] [--rounds N] [--only-contexts]

FILE: one text a line; made up when not given. Needs wrk. The peer's packages come from PyPI into build/bench-python on first use;
without them ours stands alone, which is said.
"""
import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

import python_server
from measure import in_turn, machine, made_up_texts, read_lines, wrk
from precis_server import Client, Refused, Server, cpu_ms, rss_mb

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.join(HERE, "..", "build", "bench-python", "bin", "python3")
USER = "whole"
RECIPE = "chat"
BATCH = 500
MAX_TOKENS = 1000
N_QUESTIONS = 300
N_SINGLE_ADDS = 100
REST_S = 22  # without a request, and a Precis is at rest
ONE_FRONT = "limits: { front_threads: 1 }\n"


class Peer(Client):
    """The Python server over a folder of its own."""

    def __init__(self, folder, workers=1):
        os.makedirs(folder, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.process = subprocess.Popen([PYTHON, os.path.join(HERE, "python_server.py"), str(port), folder, str(workers)], cwd=HERE,
                                        stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONWARNINGS": "ignore"})
        until = time.monotonic() + 60
        while True:
            super().__init__(f"http://127.0.0.1:{port}")
            try:
                self.call("GET", "/items")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise SystemExit("whole: the Python server did not start") from None
                time.sleep(0.1)

    def rss_mb(self):
        return rss_mb(self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def has_peer():
    """Whether the peer's packages are there, or can be had."""
    check = [PYTHON, "-c", "import fastapi, uvicorn, model2vec, tokenizers, sqlite_vec, sqlite3; sqlite3.Connection.enable_load_extension"]
    try:
        if not os.path.exists(PYTHON):
            base = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
            subprocess.run([base, "-m", "venv", os.path.dirname(os.path.dirname(PYTHON))], check=True, capture_output=True)
        if subprocess.run(check, capture_output=True, check=False).returncode:
            subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *python_server.PACKAGES], check=True, capture_output=True)
            subprocess.run(check, check=True, capture_output=True)
        return True
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"whole: SKIPPED the Python server: {error}", file=sys.stderr)
        return False


# ---- requests --------------------------------------------------------------------------------------------------

def our_context(question, cache="off"):
    return {"recipe": RECIPE, "params": {"user_id": USER}, "query": question, "max_tokens": MAX_TOKENS, "cache": cache}


def our_searches(questions):
    return [f"/memory/search?user_id={USER}&query={urllib.parse.quote(question)}" for question in questions]


def peer_searches(questions):
    return [f"/search?query={urllib.parse.quote(question)}" for question in questions]


def fill_ours(server, texts):
    """Seconds of adding them all, durable and searchable."""
    start = time.perf_counter()
    for at in range(0, len(texts), BATCH):
        server.call("POST", "/memory/add", {"items": [{"user_id": USER, "content": text} for text in texts[at:at + BATCH]]})
    server.search(user_id=USER, query=texts[-1][:100])
    return time.perf_counter() - start


def fill_peer(peer, texts):
    """(seconds over HTTP, seconds of FTS5 with its rows and the commits, seconds of sqlite-vec, seconds of embedding)"""
    start, told = time.perf_counter(), []
    for at in range(0, len(texts), BATCH):
        told.append(peer.call("POST", "/add", {"items": [{"content": text} for text in texts[at:at + BATCH]]}))
    took = time.perf_counter() - start
    return (took, *(sum(one[name] for one in told for name in names) / 1e3
                    for names in (("fts_ms", "commit_ms"), ("vec_ms",), ("embed_ms",))))


def searchable_ms(server, add, search):
    """Median of: one durable add, then the search that finds it."""
    times = []
    for i in range(N_SINGLE_ADDS):
        word = f"zq{i}{time.time_ns() % 10**9}"
        start = time.perf_counter()
        server.call("POST", *add(f"The password of the {word} is with the porter."))
        found = server.call("GET", search(word))["results"]
        times.append((time.perf_counter() - start) * 1e3)
        if not found or word not in found[0]["content"]:
            raise SystemExit(f"whole: {word} was added and is not found")
    return statistics.median(times)


def our_searchable_ms(server):
    return searchable_ms(server, lambda text: ("/memory/add", {"user_id": USER, "content": text}),
                         lambda word: f"/memory/search?user_id={USER}&query={word}")


def peer_searchable_ms(peer):
    return searchable_ms(peer, lambda text: ("/add", {"items": [{"content": text}]}), lambda word: f"/search?query={word}")


# ---- tables ----------------------------------------------------------------------------------------------------

def figures(found):
    rate, p50, p99, cpu = found
    return f"{rate:,.0f} | {p50:.3f} | {p99:.3f} | {cpu:.3f}"


def print_row(name, ours, theirs, peer_name):
    row = f"| {name} | {figures(ours)} | "
    if theirs:
        ratios = (theirs[1] / ours[1], ours[0] / theirs[0], theirs[3] / ours[3])
        row += f"{peer_name} | {figures(theirs)} | " + " | ".join(f"{ratio:.1f}" for ratio in ratios) + " |"
    else:
        row += "- | - | - | - | - | - | - | - |"
    print(row, flush=True)


def load(args, server, path, connections, data, bodies):
    """What wrk says, and the milliseconds of processor time that a request took the server."""
    before = cpu_ms(server.process.pid)
    rate, p50, p99 = wrk(server.url + path, args.seconds, connections, data, bodies)
    return rate, p50, p99, (cpu_ms(server.process.pid) - before) / (rate * args.seconds)


def compare(args, name, ours, theirs, peer_name):
    results = in_turn(args.rounds, *([ours, theirs] if theirs else [ours]))
    print_row(name, results[0], results[1] if theirs else None, peer_name)


def requests_table(args, data, questions):
    """Each server twice: with one thread in front for what is compared by core, then with all that it takes."""
    bodies, cached = [our_context(question) for question in questions], [our_context(questions[0], "use")]
    asked = [{"query": question, "max_tokens": MAX_TOKENS} for question in questions]
    each = "per second | p50 ms | p99 ms | processor ms"
    print(f"\n| what | {each} | peer | {each} | ratio of p50 | of rates | of processor time |")
    print("|" + " --- |" * 13)

    def row(pair, name, peer_name, connections, ours, path, theirs):
        compare(args, name, lambda: load(args, pair.ours, "/v1/context", connections, data, ours),
                pair.peer and (lambda: load(args, pair.peer, path, connections, data, theirs)), peer_name)

    with Pair(args, data, ONE_FRONT) as pair:
        pair.ask(questions[:20])
        pair.check_cache(cached[0])
        row(pair, "whole context, 1 connection", "Python", 1, bodies, "/context", asked)
        row(pair, "cached context, 32 connections", "FastAPI, 20 items as JSON, nothing searched", 32, cached, "/items", ())
    with Pair(args, data, workers=2) as pair:
        pair.ask(questions[:20])
        row(pair, "whole context, 16 connections", "Python, 2 processes", 16, bodies, "/context", asked)
        row(pair, "search, 16 connections", "Python, 2 processes", 16, our_searches(questions), "/", peer_searches(questions))


def print_ingest(n, n_bytes, ours_s, theirs):
    print(f"\n| {n:,} items of {n_bytes:,.0f} bytes, durable, {BATCH} a commit | items a second | ratio |\n| --- | --- | --- |")
    print(f"| Precis, over HTTP, both indexes | {n / ours_s:,.0f} | |")
    if theirs:
        took, fts, vec, embed = theirs
        for name, seconds in (("Python server, over HTTP", took), ("its FTS5 and sqlite-vec alone", fts + vec), ("its FTS5 alone", fts),
                              ("its embedding alone", embed)):
            print(f"| {name} | {n / seconds:,.0f} | {seconds / ours_s:.2f} |")


class Pair:
    """Ours and, where it can be had, the peer, each over its folder below `data`."""

    def __init__(self, args, data, config="", workers=1):
        self.ours = Server(args.program, os.path.join(data, "ours"), config)
        self.peer = Peer(os.path.join(data, "peer"), workers) if args.has_peer else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ours.stop()
        if self.peer:
            self.peer.stop()

    def ask(self, questions):
        # The first search after a start makes the index, which a context would not wait for.
        self.ours.search(user_id=USER, query="index")
        for question in questions:
            if not self.ours.call("POST", "/v1/context", our_context(question))["context"]:
                raise SystemExit("whole: an empty context")
            if self.peer:
                self.peer.call("POST", "/context", {"query": question, "max_tokens": MAX_TOKENS})

    def check_cache(self, body):
        if [self.ours.call("POST", "/v1/context", body)["cache"] for _ in range(2)][1] != "hit":
            raise SystemExit("whole: the second request was no cache hit")

    def rss_mb(self):
        return self.ours.rss_mb(), self.peer.rss_mb() if self.peer else 0


def fill(args, data, texts):
    """The same stores, unmeasured."""
    with Pair(args, data) as pair:
        fill_ours(pair.ours, texts)
        if pair.peer:
            fill_peer(pair.peer, texts)


def ingest(args, data, texts):
    """Fills empty stores; what the servers weigh before and after."""
    with Pair(args, data) as pair:
        time.sleep(0.3)  # start-up work ends before memory is read
        idle = pair.rss_mb()
        ours_s = fill_ours(pair.ours, texts)
        print_ingest(len(texts), mean_bytes(texts), ours_s, fill_peer(pair.peer, texts) if pair.peer else None)
        line = f"\nfrom a single add to the search that finds it, {len(texts):,} items: {our_searchable_ms(pair.ours):.2f} ms"
        print(line + (f"; Python {peer_searchable_ms(pair.peer):.2f} ms" if pair.peer else ""))
    return idle


def weigh(args, data, more_texts, questions):
    """What the servers weigh after searches, more items added."""
    with Pair(args, data) as pair:
        if more_texts:
            fill_ours(pair.ours, more_texts)
            if pair.peer:
                fill_peer(pair.peer, more_texts)
        pair.ask(questions[:20])
        ours, peer = pair.rss_mb()
        time.sleep(REST_S)
        return ours, peer, pair.rss_mb()[0]


def mean_bytes(texts):
    return statistics.mean(len(text.encode()) for text in texts)


def print_footprint(idle, by_items, text_bytes):
    print(f"\n| resident after searches | Precis MB | at rest | KB an item then, {text_bytes / 1024:.2f} of them text | Python MB | ratio at rest |"
          "\n| --- | --- | --- | --- | --- | --- |")
    print(f"| idle | {idle[0]:.1f} | | | {idle[1]:.0f} | {idle[0] / (idle[1] or 1):.2f} |")
    for n, (ours, peer, rest) in by_items.items():
        print(f"| {n:,} items | {ours:.1f} | {rest:.1f} | {(rest - idle[0]) * 1024 / n:.2f} | {peer:.0f} | {rest / (peer or 1):.2f} |")


def main():
    parser = argparse.ArgumentParser(description="Whole requests, ingest and footprint beside a server in Python.")
    parser.add_argument("program", metavar="PRECIS")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--more-items", type=int, default=100_000, help="footprint only")
    parser.add_argument("--documents")
    parser.add_argument("--questions")
    parser.add_argument("--only-contexts", action="store_true", help="the requests, without ingest and footprint")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    args.program, args.has_peer = os.path.abspath(args.program), has_peer()
    n = max(args.items, args.more_items)
    texts = read_lines(args.documents, n) if args.documents else made_up_texts(n, 8, 40)
    questions = read_lines(args.questions, N_QUESTIONS) if args.questions else made_up_texts(N_QUESTIONS, 4, 12, 8)
    data = tempfile.mkdtemp(prefix="precis-whole-")
    try:
        print(f"{machine()}; medians of {args.rounds} runs of {args.seconds} s taken in turn, one thread of wrk")
        if args.only_contexts:
            fill(args, data, texts[:args.items])
            requests_table(args, data, questions)
            return
        idle = ingest(args, data, texts[:args.items])
        requests_table(args, data, questions)
        by_items = {args.items: weigh(args, data, [], questions)}
        if args.more_items > args.items:
            by_items[args.more_items] = weigh(args, data, texts[args.items:], questions)
        print_footprint(idle, by_items, mean_bytes(texts))
    except Refused as refused:
        raise SystemExit(f"whole: {refused}") from None
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
