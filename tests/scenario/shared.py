#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers that share a Redis which is killed, comes back, freezes, and is full: answers go on, /readyz and the log say it, limits hold."""
import contextlib
import json
import re
import socket
import sys
import threading
import time
import urllib.parse

import cases
import promises
import servers

N_THREADS = 3
GIVE_UP_S = 60
RECIPE = """recipe: own
params: { user_id: { type: text, required: true }, a: { type: text } }
cache: { ttl: 1h }
deadline: 5s
sections:
  - { name: rows, from: own, query: "SELECT :a AS a", item: "- {a}" }
"""


def configure(world, url, rate="100000/s"):
    promises.sql(world, "own.db", "CREATE TABLE t (a TEXT)")
    world.write("r/own.yaml", RECIPE)
    world.write("precis.yaml", f"connections: {{ own: \"sqlite:own.db\" }}\nrecipes: [ r ]\nshared: {{ redis: \"{url}\", cache_wait: 1s }}\n"
                               f"limits: {{ rate: {rate} }}\n")
    world.run("init", "--data", "d")


def command(url, *words):
    """What a Redis server says to a command: the first line."""
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection, connection.makefile("rb") as replies:
        for each in (("AUTH", urllib.parse.unquote(parts.password)), words):
            connection.sendall(b"*%d\r\n" % len(each) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in each))
            line = replies.readline().decode().strip()
    return line


def ask(server, a, user="ann", expect=200):
    return json.loads(server.ask("POST", "/v1/context", {"recipe": "own", "params": {"user_id": user, "a": a}}, expect=expect))


def wait_until_ready_says(server, degraded):
    until = time.monotonic() + GIVE_UP_S
    while (answer := json.loads(server.ask("GET", "/readyz")))["degraded"] != degraded:
        assert time.monotonic() < until, answer
        time.sleep(0.05)
    assert answer["status"] == ("degraded" if degraded else "ready"), answer
    return {check["name"]: check for check in answer["checks"]}["shared"]


def wait_until_shared(first, second, name):
    """Until the second finds what the first built."""
    until = time.monotonic() + GIVE_UP_S
    for i in range(10**6):
        ask(first, f"{name} {i}")
        time.sleep(0.05)
        if ask(second, f"{name} {i}")["cache"] == "hit":
            return
        assert time.monotonic() < until, second.ask("GET", "/cache/stats")


class Load:
    """Asks both servers for what nobody has asked for yet, from several threads, and looks at each answer."""

    def __init__(self, asked):
        self.asked, self.is_ending, self.n_good, self.wrong = asked, False, [0] * N_THREADS, []
        self.threads = [threading.Thread(target=self._work, args=(i,)) for i in range(N_THREADS)]

    def _work(self, i):
        while not self.is_ending:
            a = f"canary {i} {self.n_good[i]}"
            try:
                answer = ask(self.asked[i % len(self.asked)], a)
                assert answer["complete"] and f"- {a}\n" in answer["context"] + "\n", answer
                self.n_good[i] += 1
            except Exception as failure:  # told by whoever waits for the end
                self.wrong.append(repr(failure))
                return

    def see_more(self):
        """Returns when each thread has had further answers."""
        before, until = list(self.n_good), time.monotonic() + GIVE_UP_S
        while not self.wrong and any(now < then + 20 for now, then in zip(self.n_good, before)):
            assert time.monotonic() < until, self.n_good
            time.sleep(0.02)
        assert not self.wrong, self.wrong

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_ending = True
        for thread in self.threads:
            thread.join()
        assert not self.wrong, self.wrong


def case_killed_tier_costs_no_answer_and_is_used_again_when_it_is_back(world):
    with servers.Own() as own, contextlib.ExitStack() as stack:
        url = own.start("redis")
        configure(world, url)
        first, second = (stack.enter_context(promises.serving(world)) for _ in range(2))
        wait_until_ready_says(first, [])
        wait_until_shared(first, second, "before")
        first.ask("PUT", "/v1/sessions/s1", {"fields": {"step": 1}})
        with Load([first, second]) as load:
            load.see_more()
            own.kill("redis")
            load.see_more()
            check = wait_until_ready_says(first, ["shared"])
            assert check["message"] and urllib.parse.urlsplit(url).password not in str(check), check
            first.ask("GET", "/v1/sessions/s1", expect=503)
            load.see_more()
            assert own.start("redis") == url
            wait_until_ready_says(first, [])
            wait_until_ready_says(second, [])
            load.see_more()
        first.ask("PUT", "/v1/sessions/s2", {"fields": {"step": 2}})
        assert json.loads(second.ask("GET", "/v1/sessions/s2"))["fields"] == {"step": 2}
        wait_until_shared(first, second, "after")
        told = [line for line in first.log().split("\n") if "shared tier" in line]
        assert re.search("does not serve.*alone", told[0]) and "serves again" in told[-1] and len(told) <= 6, told
        assert urllib.parse.urlsplit(url).password not in first.log()


def case_frozen_tier_costs_no_answer_and_none_is_mistaken_for_another(world):
    with servers.Own() as own:
        configure(world, own.start("redis"))
        with promises.serving(world) as server, Load([server]) as load:
            load.see_more()
            own.freeze("redis")
            load.see_more()
            assert wait_until_ready_says(server, ["shared"])["message"]
            server.ask("PUT", "/v1/sessions/s1", {"fields": {"step": 1}}, expect=503)
            own.thaw("redis")
            wait_until_ready_says(server, [])
            load.see_more()
            server.ask("PUT", "/v1/sessions/s1", {"fields": {"step": 1}})


def case_limit_holds_in_each_server_while_the_tier_is_down(world):
    with servers.Own() as own:
        configure(world, own.start("redis"), rate="20/d")
        with promises.serving(world) as server:
            ask(server, "0")
            own.kill("redis")
            n_refused = 0
            for i in range(1, 30):
                answer = ask(server, str(i), expect=None)
                n_refused += answer.get("error", {}).get("code") == "rate_limited"
            assert n_refused == 10, n_refused  # of 30
            assert ask(server, "0", user="ben")["complete"]


def case_full_tier_is_told_and_each_server_goes_on_alone(world):
    with servers.Own() as own:
        url = own.start("redis")
        configure(world, url, rate="20/d")
        with promises.serving(world) as server:
            server.ask("PUT", "/v1/sessions/s1", {"fields": {"step": 1}})
            wait_until_ready_says(server, [])
            assert command(url, "CONFIG", "SET", "maxmemory", "1") == "+OK"
            n_refused = sum("error" in ask(server, str(i), expect=None) for i in range(30))
            assert n_refused == 10, n_refused
            assert "no memory left (OOM)" in wait_until_ready_says(server, ["shared"])["message"]
            refusal = json.loads(server.ask("PATCH", "/v1/sessions/s1", {"fields": {"step": 2}}, expect=502))["error"]
            assert "no memory left (OOM)" in refusal["message"], refusal
            assert json.loads(server.ask("GET", "/v1/sessions/s1"))["fields"] == {"step": 1}
            assert command(url, "CONFIG", "SET", "maxmemory", "0") == "+OK"
            wait_until_ready_says(server, [])
            server.ask("PATCH", "/v1/sessions/s1", {"fields": {"step": 2}})


if __name__ == "__main__":
    cases.main(sys.modules[__name__])
