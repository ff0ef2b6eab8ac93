#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills a serving precis with SIGKILL under write load, again and again, and looks for every acknowledged write.

usage: kill9_serve.py PRECIS [ROUNDS]

Several clients write knowledge, turns and preferences over HTTP and remember what was acknowledged. At a random moment the
server is killed and started again. Every acknowledged item must be there, once and byte for byte; one that was sent but not
acknowledged is there whole or not at all; SQLite's integrity check must be clean. And the search must find exactly what the store
holds: each item that is listed by a word that it alone has, whole, with nothing said to lack.
"""
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

N_WRITERS = 6
N_SEARCHES = 50  # of each writer's items after each kill


class Server:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.process = None
        self.port = 0

    def start(self):
        self.process = subprocess.Popen([self.program, "serve", "--data", self.folder, "--listen", "127.0.0.1:0"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True)
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            raise SystemExit("kill9_serve: the server did not start:\n" + "".join(seen))
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, connection, method, path, body=None):
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def unique_word():
    """Letters alone, so that no analysis takes it apart or takes two for one."""
    return "zq" + "".join(random.choices("bcdfghjklmnpqrtvwxz", k=16))


class Writer(threading.Thread):
    """Writes until the server dies; `acknowledged` holds what a 2xx promised."""

    def __init__(self, server, number, round_number):
        super().__init__()
        self.server, self.user = server, f"writer-{number}"
        self.prefix = f"round {round_number} writer {number}"
        self.knowledge, self.turns, self.preferences, self.sent = {}, {}, {}, set()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            for n in range(1_000_000):
                self.write(connection, n)
        except (OSError, http.client.HTTPException, ValueError):
            pass  # killed in the middle: nothing was acknowledged
        finally:
            connection.close()

    def write(self, connection, n):
        content = f"{self.prefix} item {n} {unique_word()} " + "x" * random.randrange(300)
        self.sent.add(content)
        if n % 3 == 0:
            status, answer = self.server.call(connection, "POST", "/memory/add",
                                              {"content": content, "user_id": self.user, "tags": ["torture"]})
            if status == 201:
                self.knowledge[answer["id"]] = content
        elif n % 3 == 1:
            status, answer = self.server.call(connection, "POST", f"/conversations/{self.user}/messages",
                                              {"role": "user", "content": content, "user_id": self.user})
            if status in (200, 201):
                self.turns[answer["id"]] = content
        else:
            status, answer = self.server.call(connection, "POST", "/preferences/set",
                                              {"key": content[:60], "value": {"n": n}, "user_id": self.user})
            if status in (200, 201):
                self.preferences[content[:60]] = {"n": n}
        if status >= 300:
            raise SystemExit(f"kill9_serve: a good write got {status}: {answer}")


def check_through_database(folder, writers):
    """The rows themselves: each acknowledged one exactly once, nothing that was never sent."""
    db = sqlite3.connect(f"file:{folder}/precis.db?mode=ro", uri=True)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "integrity check failed"
    assert not db.execute("PRAGMA foreign_key_check").fetchall(), "foreign key check failed"
    rows = dict(db.execute("SELECT id, content FROM knowledge"))
    turns = dict(db.execute("SELECT id, content FROM conversations"))
    preferences = {(user, key): json.loads(value)
                   for user, key, value in db.execute("SELECT user_id, key, value FROM preferences")}
    n_rows = db.execute("SELECT count(*) FROM knowledge").fetchone()[0]
    assert n_rows == len(rows), "an id stands twice"
    db.close()
    sent = set().union(*(writer.sent for writer in writers))
    for writer in writers:
        for item, content in writer.knowledge.items():
            assert rows.get(item) == content, f"acknowledged knowledge {item} is lost or changed"
        for item, content in writer.turns.items():
            assert turns.get(item) == content, f"acknowledged turn {item} is lost or changed"
        for key, value in writer.preferences.items():
            assert preferences.get((writer.user, key)) == value, f"acknowledged preference {key} is lost or changed"
    for content in list(rows.values()) + list(turns.values()):
        assert content in sent, f"a row that nobody sent: {content!r}"


def list_all(server, connection, user):
    items, cursor = {}, ""
    while True:
        _, page = server.call(connection, "GET", "/memory?" + urllib.parse.urlencode({"user_id": user, "limit": 1000, "cursor": cursor}))
        items.update((item["id"], item["content"]) for item in page["items"])
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return items


def check_search(server):
    """What is listed is found, each by its own word; what is found is listed."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    n_found = 0
    for number in range(N_WRITERS):
        user = f"writer-{number}"
        listed = list_all(server, connection, user)
        for item, content in random.sample(sorted(listed.items()), min(N_SEARCHES, len(listed))):
            word = re.search(r"zq[a-z]{16}", content).group()
            query = urllib.parse.urlencode({"user_id": user, "query": word, "mode": "keyword"})
            _, answer = server.call(connection, "GET", "/memory/search?" + query)
            assert "degraded" not in answer, answer
            assert [found["id"] for found in answer["results"]] == [item], f"{item} {word}: {answer}"
            n_found += 1
        query = urllib.parse.urlencode({"user_id": user, "query": "item", "mode": "keyword", "limit": 1000})
        _, answer = server.call(connection, "GET", "/memory/search?" + query)
        found = {result["id"] for result in answer["results"]}
        assert found <= set(listed) and len(found) == min(1000, len(listed)), f"{user}: {len(found)} found, {len(listed)} listed"
    connection.close()
    return n_found


def check_through_server(server, writers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for writer in writers:
        for item, content in random.sample(sorted(writer.knowledge.items()), min(3, len(writer.knowledge))):
            status, answer = server.call(connection, "GET", f"/memory/{item}")
            assert status == 200 and answer["content"] == content, f"{item}: {status} {answer}"
    connection.close()


def main():
    program, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    folder = tempfile.mkdtemp(prefix="precis-kill9-")
    server, writers, n_acknowledged, n_found = Server(program, folder), [], 0, 0
    try:
        for number in range(rounds):
            server.start()
            check_through_server(server, writers[-N_WRITERS:])
            n_found += check_search(server)
            batch = [Writer(server, n, number) for n in range(N_WRITERS)]
            for writer in batch:
                writer.start()
            time.sleep(random.uniform(0.02, 0.4))  # the moment of the kill, not a wait for a result
            server.kill()
            for writer in batch:
                writer.join()
            writers += batch
            check_through_database(folder, writers)
            n_acknowledged += sum(len(w.knowledge) + len(w.turns) + len(w.preferences) for w in batch)
        print(f"kill9_serve: {rounds} kills, {n_acknowledged} acknowledged writes, 0 lost, {n_found} searches right, integrity clean")
        if n_acknowledged < rounds:
            raise SystemExit("kill9_serve: hardly anything was written: the test proves nothing")
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


main()
