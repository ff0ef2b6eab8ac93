#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs each fuzz target for a while, from its kept corpus: run_fuzz.py SECONDS [TARGET...]

New inputs that reach new code stay in build/fuzz-corpus/TARGET; one that crashes is kept as build/fuzz-crash-TARGET-...:
make it a file of tests/fuzz/corpus/TARGET together with the fix.
"""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = "build/fuzz"
OPTIONS = ["-Dbuildtype=debugoptimized", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dfuzz=true", "-Dtests=true"]


def build():
    if not os.path.exists(f"{FOLDER}/build.ninja"):
        subprocess.run(["meson", "setup", FOLDER, *OPTIONS], env={**os.environ, "CC": "clang"}, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "--quiet", "-C", FOLDER], check=True)


def fuzz(program, seconds):
    """Whether the target ran clean; says how many inputs it took, or all of its output when it did not."""
    name = os.path.basename(program)[len("fuzz_"):]
    found = f"build/fuzz-corpus/{name}"
    os.makedirs(found, exist_ok=True)
    done = subprocess.run([program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
                           "-verbosity=0", f"-artifact_prefix=build/fuzz-crash-{name}-", found, f"tests/fuzz/corpus/{name}"],
                          env={**os.environ, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    executed = re.search(r"number_of_executed_units: (\d+)", done.stdout)
    print(f"fuzz: {name}: {executed.group(1) if executed else 'an unknown number of'} inputs, "
          f"{'clean' if done.returncode == 0 else 'FAILED'}", flush=True)
    if done.returncode != 0:
        print(done.stdout, flush=True)
    return done.returncode == 0


def main():
    os.chdir(ROOT)
    seconds = int(sys.argv[1])
    build()
    programs = sorted(path for path in glob.glob(f"{FOLDER}/tests/fuzz/fuzz_*") if os.access(path, os.X_OK) and os.path.isfile(path))
    wanted = sys.argv[2:]
    programs = [path for path in programs if not wanted or os.path.basename(path)[len("fuzz_"):] in wanted]
    print(f"fuzz: {len(programs)} targets, {seconds} s each", flush=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda path: fuzz(path, seconds), programs))
    print(f"fuzz: {sum(results)} targets clean, {len(results) - sum(results)} failed")
    return 0 if results and all(results) else 1


sys.exit(main())
