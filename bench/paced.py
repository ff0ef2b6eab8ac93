# SPDX-License-Identifier: Apache-2.0
"""Requests at a steady rate, by the program of paced.c, which is compiled on first use."""
import json
import os
import subprocess
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE, PROGRAM = os.path.join(HERE, "paced.c"), os.path.join(HERE, "..", "build", "bench-paced")


def compiled():
    if not os.path.exists(PROGRAM) or os.path.getmtime(PROGRAM) < os.path.getmtime(SOURCE):
        os.makedirs(os.path.dirname(PROGRAM), exist_ok=True)
        subprocess.run(["cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", SOURCE, "-o", PROGRAM, "-lm"], check=True)
    return PROGRAM


def run(url, bodies, rate, connections, seconds):
    """(requests a second, p50 in ms, p99 in ms, how many found no connection free)"""
    parts = urllib.parse.urlsplit(url)
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(body) + "\n" for body in bodies)
        file.flush()
        done = subprocess.run([compiled(), str(parts.port), parts.path, file.name, str(rate), str(connections), str(seconds)],
                              capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return tuple(float(word) for word in done.stdout.split())
