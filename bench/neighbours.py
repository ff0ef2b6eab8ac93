#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small user's search beside a large one's: alone, beside it idle, searched, and being loaded. Prints a Markdown table.

usage: neighbours.py PRECIS [--small 1000] [--large 500000] [--queries 200] [--rounds 5]

Two servers run at once: one store has the small user alone, the other both; their searches take turns, so that whatever else the
machine does meets both. The answers of both must be equal bit for bit, scores included.
"""
import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.parse

from measure import machine, made_up_texts
from precis_server import Client, Server

CONFIG = "limits: { max_index_bytes: 4GiB }\n"


def fill(program, folder, users):
    """Rows straight into a new store, as fast as a disk takes them; the same ids and times for the same user in each."""
    subprocess.run([program, "--data", folder, "init"], check=True, capture_output=True)
    with sqlite3.connect(os.path.join(folder, "precis.db")) as db:
        change = 0
        for user, texts in users:
            change += 1
            db.executemany("INSERT INTO knowledge (id, tenant, user_id, content, created_at, updated_at, change) VALUES (?, 'default', ?, ?, ?, 0, ?)",
                           ((f"mem_{user}_{n}", user, text, n * 60_000_000, change) for n, text in enumerate(texts)))
            db.execute("UPDATE change_counter SET value = ?", (change,))


def search(client, user, query, limit=10):
    path = "/memory/search?" + urllib.parse.urlencode({"user_id": user, "query": query, "limit": limit})
    start = time.perf_counter()
    answer = client.call("GET", path)
    return (time.perf_counter() - start) * 1e3, answer


def wait_until_whole(client, user):
    start = time.perf_counter()
    first, n_degraded = None, 0
    while True:
        took, answer = search(client, user, "whole")
        first = first or took
        if "degraded" not in answer:
            return first, (time.perf_counter() - start), n_degraded
        n_degraded += 1
        time.sleep(0.02)


class Load(threading.Thread):
    """Searches of the large user, one after the other, until told to stop."""

    def __init__(self, url, queries):
        super().__init__()
        self.client, self.queries, self.is_ending, self.times = Client(url), queries, False, []

    def run(self):
        while not self.is_ending:
            self.times.append(search(self.client, "large", self.queries[len(self.times) % len(self.queries)])[0])


def compare(alone, beside, queries, times):
    for query in queries:
        took_alone, expected = search(alone, "small", query)
        took_beside, found = search(beside, "small", query)
        if json.dumps(expected) != json.dumps(found) or "degraded" in found:
            raise SystemExit(f"neighbours: not the same answers to {query!r}:\n{expected}\n{found}")
        times[0].append(took_alone)
        times[1].append(took_beside)


def p(times, share):
    return sorted(times)[int(len(times) * share)]


def row(what, times, note=""):
    medians = [statistics.median(side) for side in times]
    print(f"| {what} | {medians[0]:.3f} | {medians[1]:.3f} | {medians[1] / medians[0]:.2f} | {p(times[0], .99):.3f} | {p(times[1], .99):.3f} | {note} |",
          flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--large", type=int, default=500_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    program = os.path.abspath(options.program)
    folder = tempfile.mkdtemp(prefix="precis-neighbours-")
    small, queries = made_up_texts(options.small, 10, 40, 3), made_up_texts(options.queries, 3, 8, 5)
    servers = []
    try:
        fill(program, os.path.join(folder, "alone"), [("small", small)])
        fill(program, os.path.join(folder, "beside"), [("small", small), ("large", made_up_texts(options.large, 10, 40, 4))])
        alone, beside = servers = [Server(program, os.path.join(folder, name), CONFIG) for name in ("alone", "beside")]
        print(f"{machine()}; small: {options.small} items, large: {options.large}; {options.queries} questions, {options.rounds} rounds\n")
        print("| the large one is | alone p50 ms | beside p50 ms | ratio | alone p99 ms | beside p99 ms | |\n| --- | --- | --- | --- | --- | --- | --- |")
        for server in servers:
            wait_until_whole(server, "small")
        times = ([], [])
        for _ in range(options.rounds):
            compare(alone, beside, queries, times)
        row("not yet resident", times)

        loading, times = threading.Thread(target=lambda: loaded.extend(wait_until_whole(Client(beside.url), "large"))), ([], [])
        loaded = []
        loading.start()
        while loading.is_alive():
            compare(alone, beside, queries[:20], times)
        loading.join()
        row("being loaded", times, f"{loaded[1]:.1f} s, its own first answer after {loaded[0]:.0f} ms, {loaded[2]} searches told what they lack")

        times = ([], [])
        for _ in range(options.rounds):
            compare(alone, beside, queries, times)
        row("resident, idle", times)

        load, times = Load(beside.url, made_up_texts(500, 3, 8, 9)), ([], [])
        load.start()
        for _ in range(options.rounds):
            compare(alone, beside, queries, times)
        load.is_ending = True
        load.join()
        row("searched without pause", times, f"its own p50 {statistics.median(load.times):.2f} ms")
        print("\nEvery answer was the same from both, bit for bit.")
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
