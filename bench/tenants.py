#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Search within one of many tenants: Precis, an index a tenant, beside pgvector and Qdrant, one collection with a filter.

usage: tenants.py PROGRAM BACKENDS [--tenants N] [--vectors N] [--queries N] [--only NAME]

PROGRAM: bench/tenants.c, built; BACKENDS: tests/backends/backends.sh, which has and runs the servers; bench/tenants.sh
knows both. The peers are asked one query at a time over loopback, through psycopg with a prepared statement and
through HTTP on one connection. The same vectors and queries for all; exact results within the tenant are the truth.
A peer that cannot be had is left out, and said.
"""
import argparse
import array
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

DIM, TOP = 256, 10
BATCH = 500


class Data:
    """What bench/tenants.c wrote."""

    def __init__(self, path, args):
        self.n_tenants, self.n_vectors, self.n_queries = args.tenants, args.vectors, args.queries
        self.vectors, self.queries, self.truth = array.array("f"), array.array("f"), array.array("I")
        with open(path, "rb") as file:
            self.vectors.fromfile(file, args.tenants * args.vectors * DIM)
            self.queries.fromfile(file, args.queries * DIM)
            self.truth.fromfile(file, args.queries * TOP)

    def vector(self, row):
        return self.vectors[row * DIM:(row + 1) * DIM]

    def query(self, number):
        return self.queries[number * DIM:(number + 1) * DIM]


def measure(data, ask):
    """Recall, and times in microseconds; ask(tenant, query) gives numbers within the tenant."""
    took, n_true = [], 0
    for number in range(-100, data.n_queries):  # the first hundred warm up
        q = number % data.n_queries
        vector = data.query(q)
        start = time.perf_counter()
        found = ask(q % data.n_tenants, vector)
        if number >= 0:
            took.append((time.perf_counter() - start) * 1e6)
            n_true += len(set(found) & set(data.truth[q * TOP:(q + 1) * TOP]))
    took.sort()
    return {"recall": n_true / (data.n_queries * TOP), "p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100]}


def round_trip(ask, n=300):
    took = []
    for _ in range(n):
        start = time.perf_counter()
        ask()
        took.append((time.perf_counter() - start) * 1e6)
    return statistics.median(took)


def run_pgvector(facts, data):
    import psycopg
    from array import array as numbers
    with psycopg.connect(facts["POSTGRES_URL"], autocommit=True) as db:
        db.execute("drop table if exists item")
        db.execute(f"create table item (tenant int not null, id int not null, embedding vector({DIM}) not null)")
        start = time.perf_counter()
        header = DIM.to_bytes(2, "big") + b"\0\0"
        with db.cursor().copy("copy item from stdin (format binary)") as copy:
            copy.set_types(["int4", "int4", "bytea"])
            for row in range(data.n_tenants * data.n_vectors):
                vector = numbers("f", data.vector(row))
                vector.byteswap()  # PostgreSQL's binary form is big-endian
                copy.write_row((row // data.n_vectors, row % data.n_vectors, header + vector.tobytes()))
        loaded = time.perf_counter()
        db.execute("set maintenance_work_mem = '2GB'")
        db.execute("set max_parallel_maintenance_workers = 2")
        db.execute("create index on item using hnsw (embedding vector_cosine_ops)")
        build_s, insert_s = time.perf_counter() - loaded, loaded - start
        db.execute("vacuum analyze item")
        floor = round_trip(lambda: db.execute("select 1", prepare=True).fetchone())

        def ask(tenant, vector):
            text = "[" + ",".join(map(repr, vector)) + "]"
            rows = db.execute("select id from item where tenant = %s order by embedding <=> %s::vector limit 10", (tenant, text),
                              prepare=True).fetchall()
            return [row[0] for row in rows]

        for scan in ("off", "strict_order", "relaxed_order"):
            db.execute(f"set hnsw.iterative_scan = {scan}")
            db.execute("set hnsw.ef_search = 100")
            db.execute("set hnsw.max_scan_tuples = 1000000")
            db.execute("set hnsw.scan_mem_multiplier = 8")
            db.execute("set enable_seqscan = off")
            name = f"pgvector, HNSW ef 100, iterative scan {scan}"
            few = Few(data, 30) if scan != "off" else data
            yield {"name": name, "insert_s": insert_s, "build_s": build_s, "round_trip_us": floor} | measure(few, ask)
        db.execute("create index on item (tenant)")
        db.execute("analyze item")
        db.execute("reset enable_seqscan")
        db.execute("drop index item_embedding_idx")
        yield {"name": "pgvector, index on the tenant, exact", "insert_s": insert_s, "round_trip_us": floor} | measure(data, ask)


class Few:
    """The first queries alone: some ways take seconds for each."""

    def __init__(self, data, n):
        self.__dict__ = dict(data.__dict__, n_queries=min(n, data.n_queries))
        self.query = data.query


def run_qdrant(facts, data):
    client = http.client.HTTPConnection(facts["QDRANT_URL"].removeprefix("http://"), timeout=600)
    headers = {"Content-Type": "application/json", "api-key": facts["QDRANT_KEY"]}

    def call(method, path, body=None):
        text = body and json.dumps(body)
        try:
            client.request(method, path, text, headers)
            reply = client.getresponse()
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):  # it closes what was idle for seconds
            client.close()
            client.request(method, path, text, headers)
            reply = client.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            raise RuntimeError(f"{method} {path}: {answer}")
        return answer["result"]

    client.request("DELETE", "/collections/items", headers=headers)
    client.getresponse().read()
    # The makers' advice for many tenants: a keyword index on the tenant that says so, and graphs within tenants alone.
    call("PUT", "/collections/items", {"vectors": {"size": DIM, "distance": "Cosine"}, "hnsw_config": {"payload_m": 16, "m": 0}})
    call("PUT", "/collections/items/index?wait=true",
         {"field_name": "tenant", "field_schema": {"type": "keyword", "is_tenant": True}})
    start = time.perf_counter()
    n = data.n_tenants * data.n_vectors
    for first in range(0, n, BATCH):
        points = [{"id": row, "vector": list(data.vector(row)), "payload": {"tenant": f"t{row // data.n_vectors}"}}
                  for row in range(first, min(first + BATCH, n))]
        call("PUT", f"/collections/items/points?wait={'true' if first + BATCH >= n else 'false'}", {"points": points})
    inserted = time.perf_counter()
    while call("GET", "/collections/items")["status"] != "green":
        time.sleep(1)
    green = time.perf_counter()
    floor = round_trip(lambda: call("GET", "/collections/items/exists"))

    def ask(tenant, vector):
        found = call("POST", "/collections/items/points/query", {
            "query": list(vector), "limit": TOP, "filter": {"must": [{"key": "tenant", "match": {"value": f"t{tenant}"}}]}})
        return [point["id"] - tenant * data.n_vectors for point in found["points"]]

    yield {"name": "Qdrant, payload filter", "insert_s": inserted - start, "build_s": green - inserted,
           "round_trip_us": floor} | measure(data, ask)


PEERS = {"postgres": run_pgvector, "qdrant": run_qdrant}


def show(row):
    print(f"| {row['name']} | {row['recall']:.4f} | {row['p50_us']:,.0f} | {row['p99_us']:,.0f} | {row.get('round_trip_us', 0):,.0f} "
          f"| {row.get('insert_s', 0):,.1f} + {row.get('build_s', 0):,.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("backends")
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--vectors", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--only", choices=sorted(PEERS))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="precis-tenants-") as folder:
        path = f"{folder}/data"
        out = subprocess.run([args.program, str(args.tenants), str(args.vectors), str(args.queries), path], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        print("| engine | recall@10 | p50 us | p99 us | bare round trip us | insert + build s |\n| --- | --- | --- | --- | --- | --- |")
        ours = json.loads(out)
        show({"name": "Precis, an index a tenant (in process)", "insert_s": ours["build_ms"] / 1e3} | ours)
        data = Data(path, args)
        env = {"BACKENDS_DATA": f"{folder}/b", "BACKENDS_SHARED_BUFFERS": "2GB", "BACKENDS_MAINTENANCE_MEMORY": "2GB"} | os.environ
        if os.geteuid() == 0:
            os.chmod(folder, 0o755)  # the servers are not root
        for name in [args.only] if args.only else PEERS:
            started = subprocess.run([args.backends, "start", name], stdout=subprocess.PIPE, text=True, env=env)
            if started.returncode != 0:
                print(f"tenants: left out: {name}", file=sys.stderr)
                continue
            try:
                for row in PEERS[name](dict(line.split("=", 1) for line in started.stdout.split("\n") if line), data):
                    show(row)
            except ImportError as error:
                print(f"tenants: left out: {name}: {error}", file=sys.stderr)
            finally:
                subprocess.run([args.backends, "stop", name], env=env, check=True)


main()
