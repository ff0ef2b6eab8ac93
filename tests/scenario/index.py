#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The resident index from outside: a large one is loaded while others are answered, and one that differs from the store is found out.

usage: index.py PRECIS [ITEMS]

ITEMS: how many the large user has.
"""
import contextlib
import json
import mmap
import re
import sqlite3
import sys
import time
import urllib.parse

import cases
from promises import serving

N_ITEMS = int(sys.argv[2]) if len(sys.argv) > 2 else 40_000
BATCH = 1000
COLORS = ("amber", "blue", "coral", "denim", "ebony", "fawn", "green", "hazel", "ivory", "jade")


def database(world):
    return contextlib.closing(sqlite3.connect(world.path("d/precis.db"), timeout=30))


def put_behind_the_back(world, user, texts):
    """Rows in the store that nobody told the program of."""
    with database(world) as db, db:
        db.execute("UPDATE change_counter SET value = value + 1")
        change = db.execute("SELECT value FROM change_counter").fetchone()[0]
        db.executemany("INSERT INTO knowledge (id, tenant, user_id, content, created_at, updated_at, change) VALUES (?, 'default', ?, ?, 0, 0, ?)",
                       ((f"mem_{change}_{n}", user, text, change) for n, text in enumerate(texts)))


def large_text(n):
    return f"number{n} is {COLORS[n % len(COLORS)]} and stands in row {n // 100}"


def search(server, user, text, **more):
    return json.loads(server.ask("GET", "/memory/search?" + urllib.parse.urlencode({"user_id": user, "query": text, "limit": 5, **more})))


def contents(answer):
    return [result["content"] for result in answer["results"]]


def add(server, user, texts):
    for at in range(0, len(texts), BATCH):
        server.ask("POST", "/memory/add", {"user_id": user, "items": [{"content": text} for text in texts[at:at + BATCH]]}, expect=201)


def metric(server, name):
    return float(re.search(rf"^{name} (\S+)$", server.ask("GET", "/metrics"), re.MULTILINE).group(1))


def case_large_index_is_loaded_while_others_are_answered(world):
    world.run("init", "--data", "d")
    with serving(world) as server:
        add(server, "small", ["the walrus sleeps", "the narwhal dives"])
    put_behind_the_back(world, "large", (large_text(n) for n in range(N_ITEMS)))
    with serving(world) as server:
        assert server.ask("GET", "/healthz")
        first = search(server, "large", f"number{N_ITEMS - 1}", mode="keyword")
        assert "still being loaded" in first["degraded"], first
        n_degraded = 0
        while "degraded" in (answer := search(server, "large", f"number{N_ITEMS - 1}", mode="keyword")):
            assert re.search(r"^the index holds \d+ (of \d+ )?items and is still being loaded$", answer["degraded"]), answer
            small = search(server, "small", "walrus", mode="keyword")
            assert "degraded" not in small and contents(small) == ["the walrus sleeps"], small
            assert server.ask("GET", "/healthz")
            n_degraded += 1
        assert contents(answer)[0] == large_text(N_ITEMS - 1), answer
        while metric(server, "precis_index_loading"):
            time.sleep(0.01)
        assert metric(server, "precis_index_documents") == N_ITEMS + (2 if n_degraded else 0)
        assert metric(server, "precis_index_repairs_total") == 0
        for n in range(0, N_ITEMS, N_ITEMS // 20):
            assert contents(search(server, "large", f"number{n}", mode="keyword"))[0] == large_text(n)


def case_stop_does_not_wait_for_a_load(world):
    world.run("init", "--data", "d")
    put_behind_the_back(world, "large", (large_text(n) for n in range(N_ITEMS)))
    for _ in range(3):
        with serving(world) as server:
            assert "still being loaded" in search(server, "large", "amber")["degraded"]


def case_import_is_found_whole_when_it_returns(world):
    world.run("init", "--data", "d")
    with serving(world) as server:
        for n in range(3):
            add(server, "ann", [f"round {n} item{n}x{i}" for i in range(BATCH)])
            answer = search(server, "ann", f"item{n}x{BATCH - 1}", mode="keyword")
            assert "degraded" not in answer and contents(answer)[0] == f"round {n} item{n}x{BATCH - 1}", answer


def case_command_waits_for_the_whole_answer(world):
    world.run("init", "--data", "d")
    put_behind_the_back(world, "large", (large_text(n) for n in range(5000)))
    out, err = world.run("memory", "search", "number4999", "--user", "large", "--data", "d")
    assert large_text(4999) in out and not err, (out, err)


def case_rows_that_vanish_are_found_out_by_their_count(world):
    world.run("init", "--data", "d")
    with serving(world) as server:
        add(server, "ann", [large_text(n) for n in range(500)])
        assert contents(search(server, "ann", "number7", mode="keyword"))[0] == large_text(7)
        with database(world) as db, db:
            db.execute("DELETE FROM knowledge WHERE content = ?", (large_text(7),))
        add(server, "ann", [large_text(n) for n in range(500, 800)])
        answer = search(server, "ann", "number7", mode="keyword")
        assert "degraded" not in answer and large_text(7) not in contents(answer), answer
        assert metric(server, "precis_index_repairs_total") == 1
        assert metric(server, "precis_index_documents") == 799


def case_rows_whose_version_did_not_rise_are_found_all_the_same(world):
    world.run("init", "--data", "d")
    with serving(world) as server:
        add(server, "ann", ["the walrus sleeps"])
        assert contents(search(server, "ann", "walrus")) == ["the walrus sleeps"]
        put_behind_the_back(world, "ann", ["a narwhal dives"])
        while "a narwhal dives" not in contents(search(server, "ann", "narwhal")):  # the limit of the test is what ends this
            time.sleep(0.05)


def case_versions_with_flipped_bits_do_no_harm(world):
    world.run("init", "--data", "d")
    with serving(world) as server:
        add(server, "ann", ["the walrus sleeps"])
        assert contents(search(server, "ann", "walrus", mode="keyword")) == ["the walrus sleeps"]
        for bit in range(8):
            with open(world.path("d/precis.db.versions"), "r+b") as file, mmap.mmap(file.fileno(), 0) as map_:
                for at in range(0, len(map_), 8):
                    map_[at] ^= 1 << bit
            add(server, "ann", [f"walrus number{bit}"])
            assert len(contents(search(server, "ann", "walrus", limit=50, mode="keyword"))) == bit + 2
    with open(world.path("d/precis.db.versions"), "r+b") as file:
        file.truncate(1000)
    with serving(world) as server:
        add(server, "ann", ["the last walrus"])
        assert len(contents(search(server, "ann", "walrus", limit=50, mode="keyword"))) == 10


def doctors_index(world, expect):
    out, _ = world.run("doctor", "--json", "--data", "d", expect=expect)
    return [(line["verdict"], line["message"]) for line in json.loads(out) if line["subject"] == "index"]


def case_doctor_compares_index_and_store(world):
    world.run("init", "--data", "d")
    put_behind_the_back(world, "ann", [large_text(n) for n in range(3000)])
    for n in range(300):
        put_behind_the_back(world, f"user{n}", ["one item"])
    assert doctors_index(world, 0) == [("ok", "built for 301 users, it holds the 3300 items that the store has")]
    with database(world) as db, db:
        db.execute("UPDATE knowledge SET tags = 'no list' WHERE user_id = 'user7'")
    verdict, message = doctors_index(world, 1)[0]
    assert verdict == "problem" and "user 'user7'" in message and "tags" in message, message
    with database(world) as db, db:
        db.execute("UPDATE knowledge SET tags = '[]' WHERE user_id = 'user7'")
        db.execute("UPDATE change_counter SET value = 5")
    verdict, message = doctors_index(world, 1)[0]
    assert verdict == "problem" and "changes are counted up to 5 and a row has 301" in message, message


def case_store_of_the_first_schema_is_brought_up_to_date(world):
    world.run("init", "--data", "d")
    put_behind_the_back(world, "ann", ["the walrus sleeps"])
    with database(world) as db, db:
        db.execute("DROP INDEX knowledge_by_time")
        db.execute("CREATE INDEX knowledge_by_time ON knowledge (tenant, user_id, created_at, row)")
        db.execute("DELETE FROM precis_schema WHERE version > 1")
    with serving(world) as server:
        assert contents(search(server, "ann", "walrus")) == ["the walrus sleeps"]
        assert contents({"results": json.loads(server.ask("GET", "/memory?user_id=ann"))["items"]}) == ["the walrus sleeps"]
    with database(world) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT count(*) FROM knowledge WHERE tenant = 'default' AND user_id = 'ann' "
                          "AND is_deleted = 0").fetchall()
        assert "COVERING INDEX knowledge_by_time" in plan[0][3], plan


cases.main(sys.modules[__name__])
