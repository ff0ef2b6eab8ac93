#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands of the program, as a person at a terminal uses them."""
import os
import shutil
import sqlite3
import stat
import sys

import cases

SHOP = """
recipe: orders
params:
  customer: { type: text, required: true }
sections:
  - name: open
    title: Open orders
    from: shop
    query: SELECT id, item FROM orders WHERE customer = :customer ORDER BY id
    item: "- {item}"
"""


def make_shop(world):
    with sqlite3.connect(world.path("shop.db")) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, item TEXT)")
        db.executemany("INSERT INTO orders (customer, item) VALUES (?, ?)",
                       [("ann", "red boots"), ("bob", "a kite"), ("ann", "two candles")])
    db.close()
    world.write("precis.yaml", 'connections: { shop: "sqlite:shop.db" }\nrecipes: [ recipes ]\n')
    world.write("recipes/orders.yaml", SHOP)


def case_demo_context_keeps_its_budget(world):
    world.run("init", "--demo", "--data", "d")
    for budget in (64, 300, 1000, 4000):
        answer = world.json("build", "--data", "d", "--recipe", "assistant", "--param", "user_id=demo", "--query",
                            "What is on today?", "--max-tokens", str(budget))
        assert 0 < answer["tokens"] <= budget, answer["tokens"]
        assert answer["complete"] is True, answer["sections"]
        counted = int(world.run("tokens", text=answer["context"])[0])
        assert counted == answer["tokens"], (counted, answer["tokens"])


def case_tokens_are_counted_line_by_line(world):
    lines = ["a b", "", "hello world again", "naïve"]
    out, _ = world.run("tokens", "--lines", text="\n".join(lines) + "\n")
    assert out.splitlines() == [world.run("tokens", text=line)[0].strip() for line in lines], out
    assert world.run("tokens", "--lines")[0] == ""


def case_demo_can_be_loaded_again(world):
    world.run("init", "--demo", "--data", "d")
    first = world.json("memory", "list", "--data", "d", "--user", "demo", "--limit", "1000")
    world.run("init", "--demo", "--data", "d")
    second = world.json("memory", "list", "--data", "d", "--user", "demo", "--limit", "1000")
    assert len(first) == len(second) > 10
    assert not {item["id"] for item in first} & {item["id"] for item in second}


def case_own_recipe_over_own_database(world):
    make_shop(world)
    world.run("init")
    out, err = world.run("build", "--recipe", "orders", "--param", "customer=ann")
    assert "## Open orders" in out and "- red boots" in out and "- two candles" in out and "kite" not in out
    assert "open" in err and "tokens" in err and "red boots" not in err


def case_typo_in_recipe_is_told_with_its_place(world):
    make_shop(world)
    world.write("recipes/orders.yaml", SHOP.replace("title:", "titel:"))
    out, _ = world.run("recipe", "check", "recipes/orders.yaml", expect=1)
    assert out.startswith("recipes/orders.yaml:7:5: ") and "title" in out, out
    findings = world.json("recipe", "check", "recipes/orders.yaml", expect=1)
    assert (findings[0]["line"], findings[0]["column"]) == (7, 5)
    world.run("init")
    _, err = world.run("build", "--recipe", "orders", "--param", "customer=ann", expect=1)
    assert "orders.yaml:7:5" in err, err


def case_check_with_connect_prepares_statements(world):
    make_shop(world)
    world.run("recipe", "check", "recipes/orders.yaml", "--connect")
    world.write("recipes/orders.yaml", SHOP.replace("FROM orders", "FROM order_lines"))
    world.run("recipe", "check", "recipes/orders.yaml")
    out, _ = world.run("recipe", "check", "recipes/orders.yaml", "--connect", expect=1)
    assert "order_lines" in out and "orders.yaml:6:" in out, out


def case_typo_in_configuration_is_told_with_its_place(world):
    world.write("precis.yaml", "listen: 127.0.0.1:8080\nconections: {}\n")
    _, err = world.run("recipe", "list", expect=1)
    assert "precis.yaml:2:1: unknown key 'conections'; did you mean 'connections'?" in err, err


def case_memory_is_added_found_and_forgotten(world):
    out, _ = world.run("memory", "add", "The boiler is serviced in May.", "--data", "d", "--user", "ann", "--tag", "house")
    row = out.strip()
    found = world.json("memory", "search", "boiler", "--data", "d", "--user", "ann")
    assert [item["id"] for item in found] == [row] and found[0]["tags"] == ["house"]
    assert world.json("memory", "search", "boiler", "--data", "d", "--user", "bob") == []
    out, _ = world.run("memory", "forget", "--data", "d", "--user", "ann", "--tag", "house", "--dry-run")
    assert out.strip() == row
    world.run("memory", "forget", "--data", "d", "--user", "ann", "--id", row)
    assert world.json("memory", "list", "--data", "d", "--user", "ann") == []


def case_long_text_comes_from_standard_input(world):
    world.run("memory", "add", "-", "--data", "d", text="The spare key hangs behind the clock.\n")
    assert len(world.json("memory", "search", "key", "--data", "d")) == 1


def case_key_is_made_listed_and_revoked(world):
    made = world.json("key", "create", "--data", "d", "--name", "phone", "--expires", "90d")
    listed = world.json("key", "list", "--data", "d")
    assert [key["id"] for key in listed] == [made["id"]]
    assert made["key"] not in str(listed)
    world.run("key", "revoke", made["id"], "--data", "d")
    assert world.json("key", "list", "--data", "d")[0]["revoked_at"] is not None
    world.run("key", "revoke", "key_unknown", "--data", "d", expect=1)


def case_backup_brings_back_what_was_forgotten(world):
    world.run("memory", "add", "Worth keeping.", "--data", "d")
    world.run("backup", "copy.db", "--data", "d")
    world.run("backup", "copy.db", "--data", "d", expect=1)  # never over a file that is there
    world.run("memory", "forget", "--contains", "keeping", "--data", "d")
    world.run("restore", "copy.db", "--data", "d")
    assert world.json("memory", "list", "--data", "d")[0]["content"] == "Worth keeping."
    world.write("broken.db", "this is no backup")
    world.run("restore", "broken.db", "--data", "d", expect=1)
    world.run("restore", "missing.db", "--data", "fresh", expect=1)
    assert not os.path.exists(world.path("fresh"))  # nothing is left of a restore that could not begin
    assert len(world.json("memory", "list", "--data", "d")) == 1


def case_doctor_says_what_is_wrong(world):
    make_shop(world)
    world.run("init")
    out, _ = world.run("doctor")
    assert "problem" not in out and "sqlite" in out and "shop" in out
    os.unlink(world.path("shop.db"))
    verdicts = world.json("doctor", expect=1)
    assert [v["subject"] for v in verdicts if v["verdict"] == "problem"] == ["shop"], verdicts


def case_recipe_without_its_connections_is_left_out_with_the_reason(world):
    world.run("init")
    for command in (["recipe", "list"], ["doctor"]):
        out, err = world.run(*command)
        assert "assistant.yaml: unknown connection 'main'" in out + err and "init --demo" in out + err, out + err
    assert "unknown connection 'main'" in world.run("build", "--recipe", "assistant", expect=1)[1]
    world.run("init", "--demo")
    assert world.run("recipe", "list")[0].startswith("assistant")


def case_store_is_its_owners_alone(world):
    world.run("init", "--data", "d")
    assert stat.S_IMODE(os.stat(world.path("d")).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(world.path("d/precis.db")).st_mode) & 0o077 == 0


def case_reading_makes_no_store(world):
    _, err = world.run("memory", "list", "--data", "nowhere", expect=1)
    assert "precis init" in err
    assert not os.path.exists(world.path("nowhere"))


def case_wrong_use_exits_with_two(world):
    for arguments in (["bulid"], ["build"], ["build", "--recpie", "x"], ["memory", "forgt"], ["memory", "add"], ["key", "revoke"],
                      ["build", "--recipe", "x", "--max-tokens", "many"], ["recipe", "show"], ["memory", "forget"], ["key", "create"],
                      ["key", "create", "--name", "x", "--scopes", "reed"], ["key", "create", "--name", "x", "--expires", "soon"],
                      ["init", "--data", ""], ["serve", "--data="], ["doctor", "--config="], ["help"], []):
        out, err = world.run(*arguments, expect=2)
        assert out == "" and err != ""
    assert "did you mean 'build'?" in world.run("bulid", expect=2)[1]
    assert "precis 0." in world.run("version")[0]
    assert os.listdir(world.folder) == []


def case_store_that_is_none_is_refused_and_left_alone(world):
    world.run("memory", "add", "Worth keeping.", "--data", "good")

    def newer(path):
        with sqlite3.connect(path) as db:
            db.execute("INSERT INTO precis_schema VALUES (99, 1)")
        db.close()

    def other(path):
        os.unlink(path)
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE theirs (a)")
        db.close()

    def patch(at, data):
        def damage(path):
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(data)
        return damage

    harm = {"version 99": newer, "not one of Precis's": other, "not a database": patch(0, b"garbage!"),
            "damaged": patch(4096, b"\xff" * 80000), "is damaged": lambda path: os.truncate(path, 5000)}
    for number, (words, damage) in enumerate(harm.items()):
        folder = f"bad{number}"
        shutil.copytree(world.path("good"), world.path(folder))
        store = world.path(f"{folder}/precis.db")
        damage(store)
        with open(store, "rb") as file:
            before = file.read()
        for arguments in (["memory", "list"], ["memory", "add", "x"], ["backup", "copy.db"], ["init"], ["key", "list"],
                          ["serve", "--listen", "127.0.0.1:0"], ["build", "--recipe", "assistant", "--param", "user_id=x"]):
            _, err = world.run(*arguments, "--data", folder, expect=1)
            assert words in err and "precis.db" in err, err
        with open(store, "rb") as file:
            assert file.read() == before, words
    world.write("file", "")
    for arguments in (["memory", "list"], ["init"], ["serve"]):
        assert "Not a directory" in world.run(*arguments, "--data", "file", expect=1)[1]


cases.main(sys.modules[__name__])
