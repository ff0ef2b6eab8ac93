#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make eval`: its figures, counted by hand over small data of each format, and what it says of data it cannot read.

Figures are checked against a server that ranks in the order of loading and whose contexts hold the first max_tokens items: then
they follow from the data alone. The last cases ask a real server.
"""
import http.server
import json
import os
import subprocess
import sys
import threading

import cases

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "eval")
EVAL = os.path.join(HERE, "..", "..", "bench", "eval.py")


class InOrder(http.server.BaseHTTPRequestHandler):
    """Ranks items as they were loaded."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        users, added = self.server.users, self.server.added
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/memory/add":
            for item in body["items"]:
                users.setdefault(item["user_id"], []).append((f"m{len(added)}", item["content"]))
                added.append(item)
            self.answer(201, {"ids": [f"m{len(added) - len(body['items']) + i}" for i in range(len(body["items"]))]})
        elif self.path == "/memory/forget":
            self.server.forgotten += body["ids"]
            self.answer(200, {"forgotten": len(body["ids"])})
        elif body["recipe"] == "chat":
            texts = [text for _, text in users[body["params"]["user_id"]]]
            self.answer(200, {"context": "- **" + "**\n- **".join(texts[:body["max_tokens"]])})
        else:
            self.answer(404, {"error": {"code": "not_found", "message": "there is no recipe 'none'"}})

    def do_GET(self):
        query = dict(pair.split("=", 1) for pair in self.path.split("?")[1].split("&"))
        found = self.server.users[query["user_id"]][:int(query["limit"])]
        self.answer(200, {"results": [{"id": name, "content": text} for name, text in found]})


class Server:
    def __enter__(self):
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), InOrder)
        self.http.users, self.http.added, self.http.forgotten = {}, [], []
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self.http, f"http://127.0.0.1:{self.http.server_port}"

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


def evaluate(world, *arguments, expect=0):
    done = subprocess.run([sys.executable, EVAL, *arguments], cwd=world.folder, env=world.env, text=True, capture_output=True,
                          timeout=120, check=False)
    assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, done.stderr


def tables(world, data, *arguments):
    """(what the server got, the file of results, what was printed)"""
    with Server() as (server, url):
        out, _ = evaluate(world, data, "--url", url, "--json", world.path("r.json"), *arguments)
    with open(world.path("r.json"), encoding="utf-8") as file:
        return server, json.load(file), out


def check(table, **wanted):
    for name, value in wanted.items():
        name = name.replace("_at_", "@")
        found = table[name] if name == "n" else table[name]["mean"]
        assert abs(found - value) < 1e-9, (name, found, value)


def case_locomo_figures_are_those_counted_by_hand(world):
    _, results, _ = tables(world, f"{DATA}/locomo.json", "--budgets", "2,20", "--by-conversation")
    turns = results["engines"]["precis"]["turns"]
    # Evidence at ranks 1; 2 and 5; 11. The adversarial question and two without evidence are left out.
    check(turns["all"], n=3, recall_at_1=1 / 3, recall_at_5=2 / 3, recall_at_10=2 / 3, recall_at_20=1, recall_at_50=1,
          all_at_10=2 / 3, mrr=(1 + 1 / 2 + 1 / 11) / 3, cover_at_2=(1 + 1 / 2 + 0) / 3, cover_at_20=1)
    check(turns["multi-hop"], n=1, recall_at_1=0, recall_at_5=1, mrr=1 / 2, cover_at_2=1 / 2)
    check(turns["tuned on"], n=2, recall_at_1=1 / 2)
    check(turns["held out"], n=1, recall_at_10=0, recall_at_20=1)
    check(turns["conv-50"], n=1, mrr=1 / 11)
    assert "temporal" not in turns and "adversarial" not in turns


def case_sessions_count_where_their_first_item_stands(world):
    _, results, _ = tables(world, f"{DATA}/locomo.json")
    sessions = results["engines"]["precis"]["sessions"]
    check(sessions["all"], n=3, hit_at_1=1, all_at_5=1)
    # The question without an answer has its evidence in the second session.
    check(sessions["all with extra"], n=4, hit_at_1=3 / 4, any_at_5=1, recall_at_5=1)


def case_intervals_are_the_same_in_every_run_and_hold_the_mean(world):
    runs = [tables(world, f"{DATA}/locomo.json")[1]["engines"]["precis"]["turns"] for _ in range(2)]
    assert runs[0] == runs[1]
    mrr = runs[0]["all"]["mrr"]
    assert mrr["low"] < mrr["mean"] < mrr["high"], mrr
    sure = runs[0]["all"]["recall@50"]
    assert sure == {"mean": 1, "low": 1, "high": 1}, sure


def case_misses_are_written_with_what_was_missed(world):
    tables(world, f"{DATA}/locomo.json", "--misses", world.path("m.json"))
    with open(world.path("m.json"), encoding="utf-8") as file:
        miss, = json.load(file)
    assert miss["question"] == "Whose uncle tends the lighthouse?" and miss["category"] == "open-domain"
    assert miss["missing"] == [{"text": "Dee: The lighthouse keeper is my uncle.", "rank": 11}] and len(miss["got"]) == 5


def case_locomo_items_are_dated_and_say_who_spoke(world):
    server, _, _ = tables(world, f"{DATA}/locomo.json")
    last = server.added[4]
    assert last["content"] == "Ben: Look at this. (shares a picture: a photo of a cello in a case)"
    assert last["created_at"] == "2023-05-25T09:05:00+00:00" and last["metadata"]["dia_id"] == "D2:2"


def case_a_server_of_the_users_own_is_left_as_it_was(world):
    server, _, _ = tables(world, f"{DATA}/locomo.json")
    assert all(user.startswith("eval-") for user in server.users), list(server.users)
    assert server.forgotten == [f"m{i}" for i in range(len(server.added))]


def case_without_the_recipe_cover_is_skipped_and_said(world):
    _, results, out = tables(world, f"{DATA}/locomo.json", "--recipe", "none")
    assert "cover@B skipped" in out and "there is no recipe 'none'" in out
    assert not [name for name in results["engines"]["precis"]["turns"]["all"] if name.startswith("cover")]


def case_beam_marks_are_cut_and_nested_evidence_is_found(world):
    server, results, _ = tables(world, f"{DATA}/beam", "--budgets", "3")
    texts = [item["content"] for item in server.added]
    assert texts[0] == "I want to build a shed." and texts[3] == "Good choice.\n\nAnything else?" and not [t for t in texts if "->" in t]
    assert server.added[4]["created_at"] == "2024-04-02T00:00:00+00:00"
    assert server.added[1]["metadata"] == {"role": "assistant", "message_id": 1}
    turns = results["engines"]["precis"]["turns"]
    check(turns["knowledge_update"], n=1, recall_at_1=0, recall_at_5=1, mrr=1 / 3, cover_at_3=1 / 2)
    check(turns["event_ordering"], n=1, recall_at_1=1 / 3, mrr=1, cover_at_3=2 / 3)
    check(turns["all"], n=2)


def case_longmemeval_counts_sessions_and_hides_its_labels(world):
    server, results, _ = tables(world, f"{DATA}/longmemeval.json", "--budgets", "2")
    engine = results["engines"]["precis"]
    check(engine["sessions"]["all"], n=1, hit_at_1=0, all_at_5=1)
    check(engine["turns"]["all"], n=1, recall_at_1=0, recall_at_5=1, mrr=1 / 3, cover_at_2=0)
    assert "answer" not in json.dumps(server.added) and len(server.added) == 5


def case_what_cannot_be_read_is_named(world):
    with open(f"{DATA}/locomo.json", encoding="utf-8") as file:
        good = file.read()
    for text, said in [
            ("{", "no JSON"),
            ("[1]", "of no known format"),
            (good.replace('"text": "How nice!"', '"words": 1'), "conv-26: session_1: turn 3: 'text' is missing"),
            (good.replace("1:56 pm on 8 May, 2023", "yesterday"), "conv-26: session_1: 'yesterday' is no time like '01:56 PM on 08 May, 2023'"),
            (good.replace('"category": 3', '"category": 7'), "conv-50: question 1: category 7 is none of 1 to 5"),
            (good.replace('"evidence"', '"proof"'), "no question in it names evidence"),
    ]:
        world.write("bad.json", text)
        with Server() as (_, url):
            _, err = evaluate(world, "bad.json", "--url", url, expect=1)
        assert err.startswith("eval: bad.json: ") and said in err and err.count("\n") == 1, err
    _, err = evaluate(world, world.folder, "--url", "http://127.0.0.1:9", expect=1)
    assert "no chat.json within" in err, err
    _, err = evaluate(world, "absent.json", "--url", "http://127.0.0.1:9", expect=1)
    assert err == "eval: absent.json: No such file or directory\n", err


def case_a_real_server_finds_what_shares_its_words(world):
    out, _ = evaluate(world, f"{DATA}/locomo.json", "--program", world.program, "--mode", "keyword", "--peer", "fts5", "--json",
                      world.path("r.json"))
    with open(world.path("r.json"), encoding="utf-8") as file:
        results = json.load(file)
    for engine in ("precis", "fts5"):
        check(results["engines"][engine]["turns"]["all"], n=3, recall_at_10=1, mrr=1)
    assert "misses of precis over those of fts5" in out
    # The peer's contexts: whole texts within 500 tokens.
    check(results["engines"]["fts5"]["turns"]["all"], **{"cover@500": 1})


cases.main(sys.modules[__name__])
