#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs each fuzz target for a while, from its kept corpus: run_fuzz.py SECONDS [TARGET...]

New inputs that reach new code stay in build/fuzz-corpus/TARGET; one that crashes is kept as build/fuzz-crash-TARGET-...:
make it a file of tests/fuzz/corpus/TARGET together with the fix.
"""
import glob
import os
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
    name = os.path.basename(program)[len("fuzz_"):]
    found = f"build/fuzz-corpus/{name}"
    os.makedirs(found, exist_ok=True)
    print(f"fuzz: {name} for {seconds} s", flush=True)
    done = subprocess.run([program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
                           "-verbosity=0", f"-artifact_prefix=build/fuzz-crash-{name}-", found, f"tests/fuzz/corpus/{name}"],
                          env={**os.environ, "UBSAN_OPTIONS": "halt_on_error=1"}, check=False)
    return done.returncode == 0


def main():
    os.chdir(ROOT)
    seconds = int(sys.argv[1])
    build()
    programs = sorted(path for path in glob.glob(f"{FOLDER}/tests/fuzz/fuzz_*") if os.access(path, os.X_OK) and os.path.isfile(path))
    wanted = sys.argv[2:]
    programs = [path for path in programs if not wanted or os.path.basename(path)[len("fuzz_"):] in wanted]
    failed = [path for path in programs if not fuzz(path, seconds)]
    for path in failed:
        print(f"fuzz: FAILED {os.path.basename(path)}")
    print(f"fuzz: {len(programs) - len(failed)} targets clean, {len(failed)} failed")
    return 1 if failed or not programs else 0


sys.exit(main())
