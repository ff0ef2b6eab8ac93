#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything `make check` runs: tree checks, then builds and tests in each variant, then one closing line.

usage: run_checks.py [VARIANT...]     (all of them when none is named: see VARIANTS)

A test case counts once in each variant it runs in; so does each build and each tree check. Exits 1 if anything failed.
Tests that need real servers get them from tests/backends, all from one set, which ends with this program.
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What starts threads of its own; the other folders would only repeat themselves under the thread sanitizer.
CONCURRENT = ["net", "store", "search", "memory", "build", "serve"]

# name: (compiler, options of the build, suites to run or None for all of them)
VARIANTS = {
    "asan": ("gcc", {"buildtype": "debugoptimized", "b_sanitize": "address,undefined", "b_lundef": "false"}, None),
    "release": ("gcc", {"buildtype": "release"}, None),
    "clang": ("clang", {"buildtype": "debugoptimized"}, ["unit"]),
    "tsan": ("gcc", {"buildtype": "debugoptimized", "b_sanitize": "thread", "b_lundef": "false"}, CONCURRENT),
}

SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tools/tsan.supp",
}

# How a cmocka program reports a case.
CASE = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] ([A-Za-z_]\w*)\s*$", re.MULTILINE)
# How a test says why it skips a case.
LACKING = re.compile(r"^lacking: (.*)$", re.MULTILINE)
MAX_OUTPUT_LINES = 80

BACKENDS = "tests/backends/backends.sh"
SERVERS = ["postgres", "timescale", "redis", "qdrant", "chroma"]


class Tally:
    """What passed, failed and was skipped, and the names of the latter two."""

    def __init__(self):
        self.n_passed = 0
        self.failed = []
        self.skipped = []

    def add(self, name, is_good, output=""):
        if is_good:
            self.n_passed += 1
            return
        self.failed.append(name)
        lines = output.rstrip().split("\n")
        if len(lines) > MAX_OUTPUT_LINES:
            lines = [f"... {len(lines) - MAX_OUTPUT_LINES} lines before this ..."] + lines[-MAX_OUTPUT_LINES:]
        say(f"FAILED {name}")
        print("\n".join("    " + line for line in lines), flush=True)

    def skip(self, name, why):
        self.skipped.append(f"{name}: {why}")
        say(f"SKIPPED {name}: {why}")

    def counts(self):
        return f"{self.n_passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def say(text):
    print(f"check: {text}", flush=True)


def run(command, **options):
    """Exit code and all output of a command in the root of the tree."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          check=False, **options)
    return done.returncode, done.stdout


def check_tree(tally):
    for name, command in [("layers self-test", ["--self-test"]), ("layers", [])]:
        code, output = run([sys.executable, "tools/check_layers.py", *command])
        tally.add(name, code == 0, output)
    if not shutil.which("clang-format-14"):
        tally.skip("layout", "clang-format-14 is not installed")
        return
    sources = sorted(glob.glob("src/**/*.[ch]", root_dir=ROOT, recursive=True) +
                     glob.glob("tests/**/*.[ch]", root_dir=ROOT, recursive=True))
    code, output = run(["clang-format-14", "--dry-run", "-Werror", *sources])
    tally.add("layout (make format puts it right)", code == 0, output)


def thread_sanitizer_wrapper():
    """What must stand before a program built with it: nothing, `setarch -R` where the kernel places memory too randomly for
    it, None where it does not run at all."""
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "probe")
        code, _ = run(["gcc", "-x", "c", "-fsanitize=thread", "-o", program, "-"], input="int main(void) { return 0; }\n")
        if code != 0:
            return None
        for wrapper in [[], ["setarch", "-R"]]:
            if (not wrapper or shutil.which(wrapper[0])) and run([*wrapper, program])[0] == 0:
                return wrapper
    return None


def set_up(folder, compiler, options):
    """Makes or adjusts a build directory; 0 and output as run() gives them."""
    wanted = {**options, "tests": "true", "werror": "true"}
    arguments = [f"-D{name}={value}" for name, value in wanted.items()]
    if not os.path.exists(os.path.join(ROOT, folder, "build.ninja")):
        return run(["meson", "setup", folder, *arguments], env={**os.environ, "CC": compiler})
    code, output = run(["meson", "introspect", "--buildoptions", folder])
    if code != 0:
        return code, output
    present = {option["name"]: str(option["value"]) for option in json.loads(output)}
    if all(present.get(name, "").lower() == value for name, value in wanted.items()):
        return 0, ""
    return run(["meson", "configure", folder, *arguments])


def count_test(tally, variant, test):
    """One entry of testlog.json: its cases, or itself if it names none."""
    name = f"{variant}: {test['name'].split(' / ')[-1]}"
    output = f"{test.get('stdout') or ''}{test.get('stderr') or ''}"
    cases = CASE.findall(output)
    if test["result"] == "SKIP":
        tally.skip(name, output.strip().split("\n")[-1] or "it says not why")
        return
    lacking = LACKING.search(output)
    for case in {case for verdict, case in cases if verdict == "SKIPPED"}:
        tally.skip(f"{name}.{case}", lacking.group(1) if lacking else "skipped by the test")
    tally.n_passed += sum(verdict == "OK" for verdict, _ in cases)
    if test["result"] != "OK":
        failing = sorted({case for verdict, case in cases if verdict == "FAILED"})
        tally.add(f"{name} ({test['result'].lower()}{': ' if failing else ''}{', '.join(failing)})", False, output)
    elif not cases:
        tally.n_passed += 1


class Servers:
    """The real servers of this run: fetched while the first variant is built, started by the first test that needs one."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="precis-check-")
        os.chmod(self.folder, 0o755)  # the servers are another user when we are root
        self.env = {"BACKENDS_DATA": os.path.join(self.folder, "b"), "BACKENDS_OWNER": str(os.getpid())}
        self.lacking = {}
        self.fetching = threading.Thread(target=self._fetch)
        self.fetching.start()

    def _fetch(self):
        for name in SERVERS:
            code, output = run([BACKENDS, "install", name])
            if code != 0:
                self.lacking[name] = output.strip().split("\n")[-1]

    def report(self, tally):
        """What cannot be had, once that is known; each is told once."""
        self.fetching.join()
        while self.lacking:
            name, why = self.lacking.popitem()
            tally.skip(f"server {name}", why)

    def close(self):
        self.fetching.join()
        run([BACKENDS, "wipe"], env={**os.environ, **self.env})
        shutil.rmtree(self.folder, ignore_errors=True)


def test_variant(tally, servers, variant, folder, suites, wrapper):
    log = os.path.join(ROOT, folder, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.remove(log)
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--timeout-multiplier", "4"]
    command += [part for suite in suites or [] for part in ("--suite", suite)]
    command += ["--wrapper", " ".join(wrapper)] if wrapper else []
    code, output = run(command, env={**os.environ, **SANITIZER_ENV, **servers.env})
    if not os.path.exists(log):
        tally.add(f"{variant}: no test ran", False, output)
        return
    with open(log, encoding="utf-8") as file:
        tests = [json.loads(line) for line in file]
    n_failed = len(tally.failed)
    for test in tests:
        count_test(tally, variant, test)
    # The runner's own verdict must not be better than ours.
    if code != 0 and len(tally.failed) == n_failed:
        tally.add(f"{variant}: meson test", False, output)


def check_variant(tally, servers, variant):
    compiler, options, suites = VARIANTS[variant]
    wrapper = []
    if variant == "tsan":
        wrapper = thread_sanitizer_wrapper()
        if wrapper is None:
            tally.skip(variant, "the thread sanitizer does not run on this machine")
            return
    start = time.monotonic()
    folder = f"build/{variant}"
    code, output = set_up(folder, compiler, options)
    if code == 0:
        say(f"{variant}: building with {compiler}")
        code, output = run(["ninja", "--quiet", "-C", folder])
    tally.add(f"{variant}: build", code == 0, output)
    if code != 0:
        return
    built = time.monotonic()
    before = (tally.n_passed, len(tally.failed))
    servers.report(tally)
    test_variant(tally, servers, variant, folder, suites, wrapper)
    say(f"{variant}: {tally.n_passed - before[0]} passed, {len(tally.failed) - before[1]} failed "
        f"(build {built - start:.0f} s, tests {time.monotonic() - built:.0f} s)")


def main():
    variants = sys.argv[1:] or list(VARIANTS)
    unknown = [variant for variant in variants if variant not in VARIANTS]
    if unknown:
        print(f"unknown variant {unknown[0]}; there are {', '.join(VARIANTS)}", file=sys.stderr)
        return 2
    tally = Tally()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end also then
    servers = Servers()
    try:
        check_tree(tally)
        for variant in variants:
            check_variant(tally, servers, variant)
    finally:
        servers.close()
    for line in tally.failed:
        say(f"FAILED {line}")
    for line in tally.skipped:
        say(f"SKIPPED {line}")
    print(tally.counts(), flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
