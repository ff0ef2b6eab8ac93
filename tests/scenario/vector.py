#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Collections of real Qdrant and Chroma servers, filled by `precis vector load` and searched by recipes."""
import json
import socket
import sys
import time
import urllib.request
import uuid

import cases
from cases import servers

ITEMS = [
    {"id": "a1", "content": "Anna's garden gate key is canary-anna.", "user_id": "anna", "created_at": "2026-01-02T03:04:05Z"},
    {"id": "a2", "content": "Anna grows tomatoes in her garden.", "user_id": "anna", "tags": ["x"]},
    {"id": "b1", "content": "Ben's garden gate key is canary-ben.", "user_id": "ben"},
    {"id": "ä 漢", "content": "Ben has a garden shed.", "user_id": "ben", "none": None},
]

RECIPE = """recipe: remember
params: { user_id: { type: text, required: true } }
sections:
  - name: known
    from: mem
    collection: COLLECTION
    where: { user_id: "{user_id}" }
    limit: 10
  - name: fixed
    from: text
    text: Always here.
"""


def configure(world, kind, collection, **more):
    url = servers.shared(kind)
    key = servers.said("QDRANT_KEY") if kind == "qdrant" else ""
    connection = {"url": f"{kind}+{url}", **({"key": key} if key else {}), **more}
    world.write("precis.yaml", f"recipes: [ recipes ]\nconnections:\n  mem: {json.dumps(connection)}\n")
    world.write("recipes/r.yaml", RECIPE.replace("COLLECTION", collection))
    world.write("items.jsonl", "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in ITEMS))
    world.run("init")


def build(world, user, query="garden gate key", **options):
    return world.json("build", "--recipe", "remember", "--param", f"user_id={user}", "--query", query, "--deadline-ms", "10000", **options)


def each_kind(check):
    def case(world):
        lacking = []
        for kind in ("qdrant", "chroma"):
            inner = cases.World(world.program)
            try:
                check(inner, kind, "c" + uuid.uuid4().hex)
            except servers.Lacking as reason:
                lacking.append(reason)
            finally:
                inner.close()
        if lacking:
            raise lacking[0]
    return case


def status_of(answer, name):
    return next(section for section in answer["sections"] if section["name"] == name)


def two_users(world, kind, collection):
    configure(world, kind, collection)
    _, err = world.run("vector", "load", "mem", collection, "items.jsonl", expect=1)
    assert "--create makes it" in err, err
    for _ in range(2):
        out, _ = world.run("vector", "load", "mem", collection, "items.jsonl", "--create")
        assert out == "4 items loaded, 0 lines left out\n", out
    for user, other in (("anna", "ben"), ("ben", "anna")):
        answer = build(world, user)
        assert answer["complete"], answer
        assert f"canary-{user}" in answer["context"] and f"canary-{other}" not in answer["context"], answer
        assert status_of(answer, "known")["items"] == 2, answer
    for hostile in ('x" or "1"="1', "ann", "*", "{user_id}", "anna\n"):
        answer = build(world, hostile)
        assert "canary" not in answer["context"], answer


def schema_of(collection):
    """The payload indexes that Qdrant says the collection has."""
    request = urllib.request.Request(f"{servers.shared('qdrant')}/collections/{collection}", headers={"api-key": servers.said("QDRANT_KEY")})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["result"]["payload_schema"]


def case_fields_of_filters_have_an_index_in_qdrant(world):
    collection = "c" + uuid.uuid4().hex
    configure(world, "qdrant", collection)
    world.run("vector", "load", "mem", collection, "items.jsonl", "--create")
    made = schema_of(collection)
    assert {name: (index["data_type"], index["params"].get("is_tenant")) for name, index in made.items()} == {
        "user_id": ("keyword", True), "tenant": ("keyword", True)}, made
    # What an older program loaded has its indexes made, too, and those that are there stay.
    world.run("vector", "load", "mem", collection, "items.jsonl", "--create", "--filter", "user_id:integer,year:integer,done:bool")
    later = schema_of(collection)
    assert {name: index["data_type"] for name, index in later.items()} == {
        "user_id": "keyword", "tenant": "keyword", "year": "integer", "done": "bool"}, later
    assert build(world, "anna")["complete"]
    for wrong in (",", "a,,b", "year:number", ":integer", ",".join(f"f{i}" for i in range(17))):
        _, err = world.run("vector", "load", "mem", collection, "items.jsonl", "--create", "--filter", wrong, expect=2)
        assert "--filter must be" in err, err
    plain = "c" + uuid.uuid4().hex
    world.run("vector", "load", "mem", plain, "items.jsonl", "--create", "--filter", "")
    assert schema_of(plain) == {}, schema_of(plain)


case_two_users_never_see_each_others_entries = each_kind(two_users)


def bad_lines(world, kind, collection):
    configure(world, kind, collection)
    lines = ['{"id":"1","content":"a garden"}', '{"id":"2"', '{"content":"no id"}', '{"id":"3","content":7}', "[]", "", '{"id":4,"content":"a shed"}',
             '{"id":"5","content":"a fence"}']
    world.write("items.jsonl", "\n".join(lines))
    out, err = world.run("vector", "load", "mem", collection, "items.jsonl", "--create", expect=1)
    assert out == "3 items loaded, 4 lines left out\n", out
    for number, word in ((2, "column"), (3, "'id' must be"), (4, "'content' must be a text"), (5, "must be an object")):
        assert f"items.jsonl:{number}: " in err and word in err, err
    answer = world.json("vector", "load", "mem", collection, "items.jsonl", "--text", "id", expect=1)
    assert answer["loaded"] >= 0 and answer["left_out"] >= 3, answer
    _, err = world.run("vector", "load", "men", collection, "items.jsonl", expect=1)
    assert "did you mean 'mem'?" in err, err
    world.run("vector", "load", "mem", collection, expect=2)
    world.run("vector", "fill", "mem", collection, "items.jsonl", expect=2)


case_bad_lines_are_told_and_the_others_loaded = each_kind(bad_lines)


def told(world, kind, collection):
    configure(world, kind, collection)
    known = status_of(build(world, "anna"), "known")
    assert known["status"] == "failed" and f"there is no collection '{collection}'" in known["error"], known
    out, _ = world.run("doctor")
    assert ("Qdrant 1." if kind == "qdrant" else "Chroma 1.") in out, out
    shown = world.json("recipe", "show", "remember")
    assert shown["sections"][0]["settings"]["where"] == {"user_id": "{user_id}"}, shown


case_doctor_and_recipes_show_what_is_there = each_kind(told)


def case_wrong_key_is_told_and_never_shown(world):
    configure(world, "qdrant", "c1", key="wr0ng-s3cret")
    out, err = world.run("doctor", expect=1)
    assert "it wants another key" in out and "wr0ng" not in out + err, out
    known = status_of(build(world, "anna"), "known")
    assert "it wants another key" in known["error"] and "wr0ng" not in known["error"], known


def case_dead_and_frozen_servers_cost_their_section_alone(world):
    with servers.Own() as own:
        url = own.start("qdrant")
        world.write("precis.yaml", f"recipes: [ recipes ]\nconnections:\n  mem: {json.dumps({'url': 'qdrant+' + url, 'key': own.facts['QDRANT_KEY']})}\n")
        world.write("recipes/r.yaml", RECIPE.replace("COLLECTION", "c1"))
        world.write("items.jsonl", "".join(json.dumps(item) + "\n" for item in ITEMS))
        world.run("init")
        world.run("vector", "load", "mem", "c1", "items.jsonl", "--create")
        own.freeze("qdrant")
        started = time.monotonic()
        answer = world.json("build", "--recipe", "remember", "--param", "user_id=anna", "--query", "garden", "--deadline-ms", "200")
        assert time.monotonic() - started < 30, "it was not given up"
        own.thaw("qdrant")
        assert not answer["complete"] and "Always here." in answer["context"], answer
        assert status_of(answer, "known")["status"] == "timeout", answer
        own.kill("qdrant")
        answer = build(world, "anna")
        assert "Always here." in answer["context"] and status_of(answer, "known")["status"] == "failed", answer
        assert "connection refused" in status_of(answer, "known")["error"], answer
        assert own.start("qdrant") == url
        assert "canary-anna" in build(world, "anna")["context"]


def case_server_without_tls_is_told_in_words(world):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    world.write("precis.yaml", f"connections:\n  mem: qdrant+http://127.0.0.1:{port}\n")
    world.run("init")
    out, _ = world.run("doctor", expect=1)
    assert f"connection refused by 127.0.0.1:{port}" in out, out


if __name__ == "__main__":
    cases.main(sys.modules[__name__])
