#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Contexts of eight sections from real servers: Precis beside the service that its design documents have (mission_service.py), on the
same PostgreSQL with pgvector, TimescaleDB and Redis, the same rows, in turn. Prints Markdown tables. No cache anywhere.

usage: servers.py PRECIS [--rows 10000] [--users 3] [--seconds S] [--rounds N] [--rates 50,100,200] [--no-peer] [--no-qdrant]
                  [--device BENCH_DEVICE [--device-rounds N]]

BENCH_DEVICE is the program of bench/device.c: a whole context of a device beside its bare statements. Servers come from tests/backends, on private ports, and end with this program; the peer's packages from PyPI into build/bench-python
on first use. Load: wrk with one thread, whose processor time is told; and paced, requests at a steady rate over 32 connections
(paced.c), as a closed loop of 32 measures little but how many processors there are.
"""
import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import mission_service
import paced
import servers_data
from measure import in_turn, machine, wrk
from precis_server import Client, Server

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "backends"))
import servers  # noqa: E402

PYTHON = os.path.join(ROOT, "build", "bench-python", "bin", "python3")
RECIPE = "assistant"
SECTIONS = ["recent_interactions", "user_profile", "semantic", "calendar", "tasks", "weather", "financial", "smart_home"]
MAX_TOKENS = 2000
DEADLINE_MS = 20_000  # every section is waited for, however busy the machine
N_QUESTIONS = 100
N_TIMED = 300  # requests whose sections are looked at
TICKS = os.sysconf("SC_CLK_TCK")


class Peer(Client):
    """The documents' service over the same servers."""

    def __init__(self, facts):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        env = dict(os.environ, MAIN_URL=facts["POSTGRES_URL"], SERIES_URL=facts["TIMESCALE_URL"], REDIS_URL=facts["REDIS_URL"],
                   PYTHONWARNINGS="ignore")
        self.process = subprocess.Popen([PYTHON, "mission_service.py", str(port)], cwd=os.path.join(ROOT, "bench"), env=env,
                                        stdin=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while True:
            super().__init__(f"http://127.0.0.1:{port}")
            try:
                self.call("GET", "/healthz")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise SystemExit("servers: the Python service did not start") from None
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def has_peer():
    """Whether the peer's packages are there, or can be had."""
    check = [PYTHON, "-c", "import fastapi, uvicorn, model2vec, tokenizers, numpy, psycopg2, pgvector, redis"]
    try:
        if not os.path.exists(PYTHON):
            base = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
            subprocess.run([base, "-m", "venv", os.path.dirname(os.path.dirname(PYTHON))], check=True, capture_output=True)
        if subprocess.run(check, capture_output=True, check=False).returncode:
            subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *mission_service.PACKAGES], check=True, capture_output=True)
            subprocess.run(check, check=True, capture_output=True)
        return True
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"servers: SKIPPED the Python service: {error}", file=sys.stderr)
        return False


# ---- processor time --------------------------------------------------------------------------------------------


def stat_of(pid):
    """(parent, processor seconds with those of children that ended)"""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(") ", 1)[1].split(" ")
    return int(fields[1]), sum(int(field) for field in fields[11:15]) / TICKS


def cpu_of(roots):
    """Processor seconds of each named process and its children: {name: pid} to {name: seconds}."""
    stats = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stats[int(name)] = stat_of(name)
            except (OSError, IndexError):
                pass  # it ended
    def total(pid):
        return stats[pid][1] + sum(total(child) for child, (parent, _) in stats.items() if parent == pid) if pid in stats else 0.0
    return {name: total(pid) for name, pid in roots.items()}


# ---- what is asked ---------------------------------------------------------------------------------------------


def bodies(users, **more):
    questions = servers_data.made_up_texts(N_QUESTIONS, 5, 12, seed=11)
    return [{"recipe": RECIPE, "params": {"user_id": users[i % len(users)]}, "query": question, "max_tokens": MAX_TOKENS, "cache": "off",
             "deadline_ms": DEADLINE_MS,
             **more} for i, question in enumerate(questions)]


def check_precis(server, users):
    answer = server.call("POST", "/v1/context", bodies(users)[0])
    wrong = [section for section in answer["sections"] if section["status"] != "ok"]
    if wrong or [section["name"] for section in answer["sections"]] != SECTIONS or not answer["complete"]:
        raise SystemExit(f"servers: the context is not whole: {wrong}\n{answer['context']}")
    print(f"A context has {answer['tokens']} tokens and {sum(section['items'] for section in answer['sections'])} items.", end=" ")


def check_peer(peer, users):
    answer = peer.call("POST", "/context", bodies(users)[0])
    if answer["sections"] != SECTIONS:
        raise SystemExit(f"servers: the peer's context has only {answer['sections']}")
    print(f"The peer's has {len(answer['context'])} characters.")


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def time_sections(server, asked, n):
    """Lists of took_ms by section, and of the whole under ""."""
    took, client = {"": []}, Client(server.url)  # the server's own may have been idle for too long
    for i in range(n):
        answer = client.call("POST", "/v1/context", asked[i % len(asked)])
        took[""].append(answer["took_ms"])
        for section in answer["sections"]:
            if section["status"] not in ("ok", "skipped", "empty"):
                raise SystemExit(f"servers: {section}")
            if section["status"] != "skipped":
                took.setdefault(section["name"], []).append(section["took_ms"])
    return took


# ---- measurements ----------------------------------------------------------------------------------------------


def load_row(name, figures, cpu, n_seconds):
    rate, p50, p99 = figures
    parts = ", ".join(f"{process} {seconds / (rate * n_seconds) * 1e3:.2f}" for process, seconds in cpu.items())
    print(f"| {name} | {rate:,.0f} | {p50:.2f} | {p99:.2f} | {parts} |", flush=True)


def measured(action, roots):
    """What the action returns, and the processor seconds of everybody meanwhile, the load's own under `load`."""
    before, own = cpu_of(roots), os.times()
    result = action()
    after, mine = cpu_of(roots), os.times()
    cpu = {name: after[name] - before[name] for name in roots}
    cpu["load"] = sum(mine[:4]) - sum(own[:4])
    return result, cpu


def bench_closed(args, server, peer, users, roots, folder):
    print("\n| closed loop | contexts a second | p50 ms | p99 ms | processor ms a context |\n| --- | --- | --- | --- | --- |")
    asked = bodies(users)
    for connections in (1, 32):
        def run(url):
            return (*(parts := measured(lambda: wrk(url, args.seconds, connections, folder, asked), roots))[0], parts[1])
        ours, theirs = [], []
        for _ in range(args.rounds):
            ours.append(run(server.url + "/v1/context"))
            if peer:
                theirs.append(run(peer.url + "/context"))
        for name, runs in (("Precis", ours), ("a Python service", theirs)):
            if runs:
                figures = [statistics.median(run[i] for run in runs) for i in range(3)]
                cpu = {process: statistics.median(run[3][process] for run in runs) for process in runs[0][3]}
                load_row(f"{name}, {connections} at once", figures, {k: v for k, v in cpu.items() if v > 0.005 * args.seconds}, args.seconds)


def bench_paced(args, server, peer, users):
    print("\n| paced, 32 connections | contexts a second | p50 ms | p99 ms | had to wait for a connection |\n| --- | --- | --- | --- | --- |")
    asked = bodies(users)
    for rate in args.rates:
        rows = in_turn(args.rounds, *[lambda url=url: paced.run(url, asked, rate, 32, args.seconds)
                                      for url in [server.url + "/v1/context"] + ([peer.url + "/context"] if peer else [])])
        for name, (done, p50, p99, late) in zip(("Precis", "a Python service"), rows):
            print(f"| {name}, {rate} a second | {done:,.0f} | {p50:.2f} | {p99:.2f} | {late:.0f} |", flush=True)


def bench_sections(server, users, folder):
    print("\n| section, ms | alone p50 | p99 | beside 31 others p50 | p99 |\n| --- | --- | --- | --- | --- |")
    asked = bodies(users)
    quiet = time_sections(server, asked, N_TIMED)
    load = threading.Thread(target=lambda: wrk(server.url + "/v1/context", 8, 31, folder, asked))
    load.start()
    time.sleep(1)
    busy = time_sections(server, asked, N_TIMED // 5)
    load.join()
    for name in SECTIONS + [""]:
        print(f"| {name or 'whole build'} | {quantile(quiet[name], .5):.2f} | {quantile(quiet[name], .99):.2f} |"
              f" {quantile(busy[name], .5):.2f} | {quantile(busy[name], .99):.2f} |")


def bench_vectors(server, users, has_qdrant):
    """Of the section's own time."""
    print("\n| vector search alone, one user of several, ms | p50 | p99 |\n| --- | --- | --- |")
    took = time_sections(server, bodies(users, sections=["semantic"]), N_TIMED)["semantic"]
    print(f"| pgvector | {quantile(took, .5):.2f} | {quantile(took, .99):.2f} |", flush=True)
    if has_qdrant:
        took = time_sections(server, [dict(body, recipe="vector_servers") for body in bodies(users)], N_TIMED)["qdrant"]
        print(f"| Qdrant | {quantile(took, .5):.2f} | {quantile(took, .99):.2f} |", flush=True)


def explain_search(facts, program, user):
    """How PostgreSQL finds the nearest."""
    vector = servers_data.embed(program, ["what was agreed about the roof"])[0]
    plan = servers.psql(facts["PSQL"], facts["POSTGRES_URL"],
                        "SET hnsw.iterative_scan = strict_order",
                        f"EXPLAIN (ANALYZE, COSTS OFF) SELECT id FROM knowledge_base WHERE user_id = '{user}'"
                        f" ORDER BY embedding <=> '{vector}' LIMIT 5")
    lines = [line for line in plan.split("\n") if " on knowledge_base" in line or "Execution Time" in line]
    print("PostgreSQL's plan: " + "; ".join(line.strip(" ->").split(" (actual")[0] for line in lines) + ".")


def tree_of(pid):
    """The process and its children."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid, *map(int, file.read().split())]


def bench_device(args, own):
    """Wherever the kernel puts server and program, then each on a core of its own, as where they are two machines."""
    servers_data.fill_fleet(own.facts)
    url = servers.with_database(own.facts["POSTGRES_URL"], "fleet")
    command = [args.device, url, servers_data.DEVICE, servers_data.DEVICE_USER, os.path.join(ROOT, "recipes"), str(args.device_rounds)]
    cores = sorted(os.sched_getaffinity(0))
    ways = [("wherever the kernel puts them", cores, cores)]
    if len(cores) > 1:
        ways.append(("server and program each on a core of its own", cores[:1], cores[1:2]))
    for name, of_server, of_program in ways:
        for pid in tree_of(own.pid("postgres")):
            os.sched_setaffinity(pid, of_server)
        out = subprocess.run(["taskset", "-c", ",".join(map(str, of_program)), *command], capture_output=True, text=True, check=False)
        if out.returncode:
            raise SystemExit(f"servers: {out.stderr}")
        print(f"\n{name}: {out.stdout}", end="", flush=True)
    for pid in tree_of(own.pid("postgres")):
        os.sched_setaffinity(pid, cores)


def config(facts):
    lines = [f'  {name}: "{facts[key]}"' for name, key in (("main", "POSTGRES_URL"), ("knowledge", "POSTGRES_URL"),
                                                     ("series", "TIMESCALE_URL"), ("redis", "REDIS_URL"))]
    if "QDRANT_URL" in facts:
        lines.append(f"  qdrant: {{ url: \"qdrant+{facts['QDRANT_URL']}\", key: \"{facts['QDRANT_KEY']}\" }}")
    recipes = f"recipes: [ {os.path.join(ROOT, 'bench', 'recipes')} ]\n" if "QDRANT_URL" in facts else ""
    return f"{recipes}connections:\n" + "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("precis")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", type=lambda text: [int(word) for word in text.split(",")], default=[50, 100, 200])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--no-qdrant", action="store_true")
    parser.add_argument("--device")
    parser.add_argument("--device-rounds", type=int, default=1000)
    args = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("servers: wrk is missing")
    program, folder = os.path.abspath(args.precis), tempfile.mkdtemp(prefix="precis-bench-")
    wants_peer = not args.no_peer and has_peer()
    server = peer = None
    with servers.Own() as own:
        try:
            names = ["postgres", "timescale", "redis"] + ([] if args.no_qdrant else ["qdrant"])
            for name in names:
                own.start(name)
            users = servers_data.fill(program, own.facts, args.users, args.rows)
            settings = config(own.facts)
            if not args.no_qdrant:
                servers_data.fill_qdrant(program, folder, settings, users, args.rows)
                own.freeze("qdrant")  # it would go on to tidy up what was loaded; only the searches below need it
            server = Server(program, os.path.join(folder, "data"), settings)
            peer = Peer(own.facts) if wants_peer else None
            print(f"{machine()}; {args.users} users with {args.rows:,} rows of knowledge each; medians of {args.rounds} runs of"
                  f" {args.seconds} s taken in turn.", end=" ")
            check_precis(server, users)
            if peer:
                check_peer(peer, users)
            roots = {"precis": server.process.pid, **({"python": peer.process.pid} if peer else {}), **{name: own.pid(name) for name in names[:3]}}
            bench_closed(args, server, peer, users, roots, folder)
            bench_paced(args, server, peer, users)
            bench_sections(server, users, folder)
            if not args.no_qdrant:
                own.thaw("qdrant")
                servers_data.wait_for_qdrant(own.facts)
            bench_vectors(server, users, not args.no_qdrant)
            explain_search(own.facts, program, users[0])
            if args.device:
                bench_device(args, own)
        finally:
            for process in (server, peer):
                if process:
                    process.stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
