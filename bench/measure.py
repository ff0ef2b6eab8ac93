# SPDX-License-Identifier: Apache-2.0
"""Load, time and the machine: shared by the programs here that print tables."""
import glob
import json
import os
import platform
import random
import re
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def wrk(url, seconds, connections, folder, bodies=(), threads=1):
    """(requests a second, p50 in ms, p99 in ms); each request has the next of the bodies, or gets the next where they are
    texts, targets; without any it gets the URL"""
    env = dict(os.environ)
    env.pop("BODIES", None)
    if bodies:
        env["BODIES"] = os.path.join(folder, "bodies.jsonl")
        with open(env["BODIES"], "w", encoding="utf-8") as file:
            file.writelines((body if isinstance(body, str) else json.dumps(body)) + "\n" for body in bodies)
    out = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", os.path.join(HERE, "post.lua"), url],
                         env=env, capture_output=True, text=True, check=True).stdout
    rate, p50, p99, bad = re.search(r"RESULT ([\d.]+) ([\d.]+) ([\d.]+) (\d+)", out).groups()
    if int(bad):
        raise SystemExit(f"bench: {bad} bad answers from {url}\n{out}")
    return float(rate), float(p50) / 1e3, float(p99) / 1e3


def timed(seconds, action):
    """The same three figures of a call in this process."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return 1e3 / statistics.mean(times), times[len(times) // 2], times[int(len(times) * .99)]


def in_turn(rounds, *actions):
    """A B A B ...: for each action the medians of what it returns (a tuple)."""
    runs = [[action() for action in actions] for _ in range(rounds)]
    return [[statistics.median(column) for column in zip(*side)] for side in zip(*runs)]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return f"{os.cpu_count()} cores {model.group(1) if model else platform.machine()}, {time.strftime('%Y-%m-%d')}"


def made_up_texts(n, n_least, n_most, seed=7):
    """Texts of words drawn from this repository's own documents, as often as they stand there."""
    words = []
    for path in sorted(glob.glob(os.path.join(HERE, "..", "docs", "*.md"))):
        with open(path, encoding="utf-8") as file:
            words += re.findall(r"[A-Za-z]+", file.read())
    rng = random.Random(seed)
    return [" ".join(rng.choices(words, k=rng.randrange(n_least, n_most))) + "." for _ in range(n)]


def read_lines(path, n):
    with open(path, encoding="utf-8") as file:
        lines = [line for line in file.read().split("\n") if line][:n]
    return [lines[i % len(lines)] for i in range(n)]
