#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What doctor, /readyz, /metrics and the log say of sources that are down, each in its own way."""
import datetime
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

RECIPE = """recipe: own
cache: { ttl: 0s }
sections:
  - { name: rows, from: own, query: SELECT a FROM t, item: "- {a}" }
  - { name: one, from: dead, key: one, type: string }
  - { name: two, from: dead, key: two, type: string }
"""


class Hole:
    """Accepts connections and never says a word."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.accepted = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self.accepted.append((time.monotonic(), self.socket.accept()[0]))
            except OSError:
                return


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configure(world, recipe=RECIPE, **connections):
    world.write("r/own.yaml", recipe)
    promises.sql(world, "own.db", "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('here')")
    lines = "".join(f"  {name}: \"{url}\"\n" for name, url in {"own": "sqlite:own.db", **connections}.items())
    world.write("precis.yaml", f"connections:\n{lines}recipes: [ r ]\n")
    world.run("init", "--data", "d")


def diagnose(world, expect=1):
    return json.loads(world.run("doctor", "--data", "d", "--json", expect=expect)[0])


def said_of(findings, subject):
    return [finding for finding in findings if finding["subject"] == subject]


def case_doctor_says_what_is_wrong_and_what_to_do(world):
    good = servers.shared("redis")
    wrong = urllib.parse.urlsplit(good)._replace(netloc=f"default:open-sesame@{urllib.parse.urlsplit(good).netloc.split('@')[1]}").geturl()
    configure(world, good=good, dead=f"redis://127.0.0.1:{unused_port()}/0", wrong=wrong, nowhere="redis://no-such-host.invalid/0",
              nopass="redis://" + good.split("@")[1], untrusted=servers.said("REDIS_TLS_URL"))
    findings = diagnose(world)
    for name, verdict, words in (("own", "ok", "SQLite"), ("good", "ok", "answers"), ("dead", "problem", "refused.*is the server running"),
                                 ("wrong", "problem", "password.*check both"), ("nowhere", "problem", "host's name right"),
                                 ("nopass", "problem", "wants a password.*into the URL"), ("untrusted", "problem", "certificate.*authority")):
        finding, = said_of(findings, name)
        assert finding["verdict"] == verdict and re.search(words, finding["message"]) and finding["took_ms"] >= 0, finding
    assert "open-sesame" not in str(findings) and urllib.parse.urlsplit(good).password not in str(findings)
    text, error = world.run("doctor", "--data", "d", expect=1)
    assert re.search(r"^problem +dead +dead: .* ms\)$", text, re.MULTILINE) and "5 problems" in error, text + error


def case_doctor_asks_all_at_once(world):
    holes = [Hole(), Hole(), Hole()]
    configure(world, dead=f"redis://127.0.0.1:{holes[0].port}/0", b=f"redis://127.0.0.1:{holes[1].port}/0", c=f"redis://127.0.0.1:{holes[2].port}/0")
    findings = diagnose(world)
    assert all(said_of(findings, name)[0]["verdict"] == "problem" for name in ("dead", "b", "c")), findings
    connected = [hole.accepted[0][0] for hole in holes]
    assert max(connected) - min(connected) < 4, connected  # one after the other they are five seconds apart


def case_doctor_names_the_statement_and_its_place(world):
    configure(world, dead=servers.shared("redis"))
    assert said_of(diagnose(world, expect=0), "statements")[0]["verdict"] == "ok"
    world.write("r/own.yaml", RECIPE.replace("SELECT a FROM t", "SELECT a FROM gone"))
    finding = [finding for finding in diagnose(world) if "line" in finding][0]
    assert finding["recipe"] == "own" and finding["section"] == "rows" and finding["file"].endswith("r/own.yaml"), finding
    assert finding["line"] == 4 and "no such table: gone; make the table" in finding["message"], finding
    text, _ = world.run("recipe", "check", "r/own.yaml", "--connect", expect=1)
    assert re.search(r"r/own.yaml:4:\d+: 'rows': own: no such table: gone", text), text


def case_doctor_tells_of_variables_that_have_no_effect(world):
    configure(world, dead=servers.shared("redis"))
    world.env["PRECIS_LISTN"] = "127.0.0.1:1"
    finding, = said_of(diagnose(world, expect=0), "environment")
    assert finding["verdict"] == "note" and "did you mean PRECIS_LISTEN?" in finding["message"]


def case_ready_asks_all_at_once_and_says_since_when(world):
    holes = [Hole(), Hole()]
    configure(world, dead=f"redis://127.0.0.1:{holes[0].port}/0", other=f"redis://127.0.0.1:{holes[1].port}/0")
    with promises.serving(world) as server:
        answer = json.loads(server.ask("GET", "/readyz"))
        assert answer["status"] == "degraded" and answer["degraded"] == ["dead", "other"], answer
        checks = {check["name"]: check for check in answer["checks"]}
        assert checks["own"] == {"name": "own", "ready": True} and checks["store"]["ready"] is True
        for name in ("dead", "other"):
            since = datetime.datetime.fromisoformat(checks[name]["down_since"].replace("Z", "+00:00"))
            assert abs((datetime.datetime.now(datetime.timezone.utc) - since).total_seconds()) < 60
            assert checks[name]["breaker"] == "closed" and checks[name]["message"], checks[name]
        again = {check["name"]: check for check in json.loads(server.ask("GET", "/readyz"))["checks"]}
        assert again["dead"]["down_since"] == checks["dead"]["down_since"]


def case_ready_sees_a_source_come_back(world):
    port = unused_port()
    configure(world, dead=f"redis://127.0.0.1:{port}/0")
    with promises.serving(world) as server:
        assert json.loads(server.ask("GET", "/readyz"))["degraded"] == ["dead"]
        with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
            threading.Thread(target=answer_everything, args=(listener,), daemon=True).start()
            until = time.monotonic() + 30
            while json.loads(server.ask("GET", "/readyz"))["degraded"]:
                assert time.monotonic() < until, server.ask("GET", "/readyz")
                time.sleep(0.1)


def answer_everything(listener):
    """A Redis that says OK to each command, and to PING what it is sent."""
    def answer(command):
        words = command.split(b"\r\n")[2::2]
        return b"$%d\r\n%s\r\n" % (len(words[1]), words[1]) if words[:1] == [b"PING"] and len(words) > 1 else b"+OK\r\n"

    def serve(client):
        with client:
            while data := client.recv(65536):
                client.sendall(b"".join(answer(command) for command in re.split(rb"(?m)^\*", data)[1:]))
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(client,), daemon=True).start()


def case_source_that_is_down_has_one_log_line_and_its_numbers(world):
    configure(world, dead=f"redis://127.0.0.1:{unused_port()}/0")
    with promises.serving(world) as server:
        for _ in range(40):
            answer = server.context("own", user=None, cache="off")
            assert promises.status_of(answer) == {"rows": "ok", "one": "failed", "two": "failed"}, answer["sections"]
            assert "- here" in answer["context"]
        told = [line for line in server.log().split("\n") if "section failed" in line]
        assert len(told) == 1 and re.search(r"source=dead .*refused.* request_id=\w+", told[0]), told
        metrics = server.ask("GET", "/metrics")
        for words in (r'precis_source_questions_total\{source="own",outcome="answered"\} 40', r'precis_source_seconds_count\{source="own"\} 40',
                      r'precis_source_questions_total\{source="dead",outcome="unreachable"\} \d', r'precis_breaker_open\{source="dead"\} 1',
                      r'precis_breaker_openings_total\{source="dead"\} [1-9]', r'precis_pool_connect_failures_total\{source="dead"\} [1-9]',
                      r'precis_pool_max_connections\{source="dead"\} \d', r'precis_pool_waiting\{source="dead"\} 0'):
            assert re.search(f"^{words}", metrics, re.MULTILINE), words + "\n" + metrics
        refused = int(re.search(r'precis_source_questions_total\{source="dead",outcome="refused"\} (\d+)', metrics).group(1))
        unreachable = int(re.search(r'precis_source_questions_total\{source="dead",outcome="unreachable"\} (\d+)', metrics).group(1))
        assert refused + unreachable == 80, metrics
        assert len(re.findall(r"^# TYPE (\S+)", metrics, re.MULTILINE)) == len(set(re.findall(r"^# TYPE (\S+)", metrics, re.MULTILINE)))


if __name__ == "__main__":
    cases.main(sys.modules[__name__])
