#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents show works as it stands there: README.md's own recipe, and every example of docs/http.md."""
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request

import cases

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def indented_blocks(text):
    """The indented blocks of a page, in order, without their indent."""
    blocks = re.findall(r"(?:^ {4}.*\n(?:\n(?= {4}))?)+", text, re.MULTILINE)
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in blocks]


def case_readme_recipe_of_your_own(world):
    section = read("README.md").split("## A recipe of your own", 1)[1].split("\n## ", 1)[0]
    config, recipe, commands = indented_blocks(section)
    world.write("precis.yaml", config)
    world.write("recipes/orders.yaml", recipe)
    with sqlite3.connect(world.path("shop.db")) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, item TEXT, due TEXT, open INTEGER)")
        db.executemany("INSERT INTO orders (customer, item, due, open) VALUES (?, ?, ?, ?)",
                       [("ann", "red boots", "2026-12-01", 1), ("ann", "a kite", None, 0), ("bob", "two candles", None, 1)])
    db.close()
    outs = []
    for command in commands.splitlines():
        program, *arguments = shlex.split(command, comments=True)
        assert program == "build/precis", command
        outs.append(world.run(*arguments)[0])
    assert len(outs) == 3
    assert outs[2].startswith("## Open orders\n") and "- red boots (due " in outs[2], outs[2]
    assert "kite" not in outs[2] and "candles" not in outs[2], outs[2]


class Server:
    """precis serve over the world's folder."""

    def __init__(self, world):
        self.process = subprocess.Popen([world.program, "serve", "--listen", "127.0.0.1:0"], cwd=world.folder, env=world.env,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        self.url = re.search(r"http://\S+", line).group(0)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err


def curl(command):
    """Status and body of what that command line asks; the options of curl that the page uses, and no others."""
    program, *words = shlex.split(command)
    assert program == "curl", command
    url, method, data, headers = None, None, None, {}
    while words:
        word = words.pop(0)
        if word == "-s":
            continue
        if word == "-X":
            method = words.pop(0)
        elif word == "-d":
            data = words.pop(0).encode("utf-8")
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif word == "-H":
            name, _, value = words.pop(0).partition(":")
            headers[name] = value.strip()
        else:
            assert not word.startswith("-") and url is None, word
            url = word
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode("utf-8")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8")


def has_shape(shown, answer):
    """The answer has every member shown, and values of their kinds; other members may stand beside them."""
    if isinstance(shown, dict):
        return isinstance(answer, dict) and all(name in answer and has_shape(shown[name], answer[name]) for name in shown)
    if isinstance(shown, list):
        return isinstance(answer, list) and len(answer) >= len(shown) and all(map(has_shape, shown, answer))
    if isinstance(shown, bool) or shown is None:
        return answer is shown
    if isinstance(shown, (int, float)):
        return isinstance(answer, (int, float)) and not isinstance(answer, bool)
    return isinstance(answer, str) and (("…" in shown) or answer == shown or shown == "miss")


def case_examples_of_http_page(world):
    page = read("docs/http.md")
    examples = re.findall(r"```sh\n(.*?)```\n(?:```json\n(.*?)```)?", page, re.DOTALL)
    world.run("init", "--demo")
    server = Server(world)
    asked, found_id = set(), ""
    try:
        for command, shown in examples:
            status, body = curl(command.replace("$PRECIS", server.url).replace("$ID", found_id))
            assert status in (200, 201), (command, status, body)
            if shown:
                answer = json.loads(body)
                assert has_shape(json.loads(shown), answer), (command, body)
                found_id = answer.get("id", found_id)
            method = re.search(r"-X (\w+)", command)
            path = re.search(r"\$PRECIS(/[^?\s\"]*)", command).group(1)
            asked.add((method.group(1) if method else "POST" if " -d " in command else "GET", path))
    finally:
        server.stop()
    shown_nowhere = []
    for path, methods in json.loads(read("docs/openapi.json"))["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + "$"
        for method in methods:
            if method != "parameters" and not any(m == method.upper() and re.match(pattern, p) for m, p in asked):
                shown_nowhere.append((method, path))
    # The page says in words what these two do.
    assert set(shown_nowhere) <= {("delete", "/preferences"), ("get", "/")}, shown_nowhere


cases.main(sys.modules[__name__])
