#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A re-ranker that answers well, badly, late or not at all: a search has its order, or its own order and says why."""
import concurrent.futures
import contextlib
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
import urllib.parse

import cases
from promises import serving

TEXTS = [f"The penguin number {word} lives in the zoo{' of the town' * i}." for i, word in
         enumerate(["one", "two", "three", "four", "five", "six"])]
QUERY = "where does the penguin live?"


def scores_of(texts):
    """A right answer: longer texts are better."""
    return [{"index": i, "relevance_score": len(text) / 1000} for i, text in enumerate(texts)]


def right(handler, texts):
    handler.answer({"results": sorted(scores_of(texts), key=lambda result: -result["relevance_score"])})  # best first, as most do


def bare_list(handler, texts):
    handler.answer([{"index": result["index"], "score": result["relevance_score"]} for result in scores_of(texts)])


def in_order_of_index(handler, texts):
    handler.answer({"id": "x", "results": [dict(result, document={"text": "t"}) for result in scores_of(texts)], "meta": {}})


def negative(handler, texts):
    """As the logits of a model are."""
    handler.answer([{"index": i, "score": -1000.0 + len(text)} for i, text in enumerate(texts)])


def changed(change):
    def behave(handler, texts):
        results = scores_of(texts)
        change(results)
        handler.answer({"results": results})
    return behave


def raw(data, status=200):
    return lambda handler, texts: handler.answer_bytes(data, status)


def close_at_once(handler, texts):
    handler.close_connection = True


def close_half_way(handler, texts):
    handler.head(1000)
    handler.wfile.write(b'{"results": [')
    handler.close_connection = True


def redirect(handler, texts):
    handler.send_response(307)
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def huge(handler, texts):
    with contextlib.suppress(OSError):
        handler.answer_bytes(b'{"results": [' + b" " * (64 << 20) + b"]}", 200)


def wait_for_the_end(handler, texts):
    handler.server.is_over.wait(60)
    handler.close_connection = True


def drip(handler, texts):
    handler.head(1000)
    with contextlib.suppress(OSError):
        while not handler.server.is_over.wait(1):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    handler.close_connection = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.n_connections += 1

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), asked))
        self.server.behave(self, asked.get("documents") or asked["texts"])

    def head(self, length, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer_bytes(self, data, status):
        self.head(len(data), status)
        self.wfile.write(data)

    def answer(self, value):
        self.answer_bytes(json.dumps(value).encode(), 200)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def reranker():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked, server.n_connections, server.behave = [], 0, right
    server.is_over = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}/v1/rerank"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.is_over.set()
        server.shutdown()
        server.server_close()


def configure(world, url, **settings):
    lines = "".join(f"  {name}: {value}\n" for name, value in {"url": url, **settings}.items())
    world.write("precis.yaml", f"rerank:\n{lines}")
    world.run("init", "--data", "d")


def add_texts(server):
    server.ask("POST", "/memory/add", {"items": [{"content": text} for text in TEXTS]}, expect=201)


def search(server, query=QUERY, **arguments):
    return json.loads(server.ask("GET", "/memory/search?" + urllib.parse.urlencode({"query": query, **arguments})))


def contents(answer):
    return [result["content"] for result in answer["results"]]


def by_length(texts):
    return sorted(texts, key=lambda text: -len(text))


def metrics_of(server):
    lines = server.ask("GET", "/metrics").splitlines()
    return {name: float(value) for name, value in (line.split() for line in lines if line.startswith("precis_rerank_"))}


def case_nothing_configured_asks_nobody(world):
    world.run("init", "--data", "d")
    with serving(world) as server:
        add_texts(server)
        answer = search(server, explain="true")
        assert len(answer["results"]) == len(TEXTS) and "degraded" not in answer
        assert all("rerank" not in result["parts"] for result in answer["results"])
        assert set(metrics_of(server).values()) == {0}


def case_good_answers_decide_the_order(world):
    with reranker() as fake:
        world.env["THE_KEY"] = "secret-17"
        world.env["http_proxy"] = world.env["ALL_PROXY"] = "http://127.0.0.1:1"  # where nobody is
        configure(world, fake.url, timeout="30s", model="m-1", key="${THE_KEY}", candidates=4)
        with serving(world) as server:
            add_texts(server)
            plain = search(server, mode="keyword")
            assert not fake.asked and "degraded" not in plain
            whole = None
            for behave in (right, bare_list, in_order_of_index, negative):
                fake.behave = behave
                answer = search(server, explain="true")
                whole = whole or answer
                assert "degraded" not in answer and contents(answer) == contents(whole), (behave.__name__, answer)
            path, headers, asked = fake.asked[0]
            assert path == "/v1/rerank" and headers["Authorization"] == "Bearer secret-17"
            assert asked["model"] == "m-1" and asked["query"] == QUERY and asked["top_n"] == 4 and len(asked["documents"]) == 4
            # Those that were sent, in their new order, before those that were not; scores fall as before.
            found = contents(whole)
            assert found[:4] == by_length(asked["documents"]) and sorted(found) == sorted(TEXTS)
            scores = [result["score"] for result in whole["results"]]
            assert scores == sorted(scores, reverse=True) and all(0 <= score <= 1 for score in scores)
            assert any(result["parts"].get("rerank", 0) > 0 for result in whole["results"][:4])
            assert all("rerank" not in result["parts"] for result in whole["results"][4:])
            # One that a search of one would not have found first.
            assert contents(search(server, limit=1)) == found[:1]
            assert fake.n_connections < len(fake.asked), "each call opened a connection"
            assert metrics_of(server) == {"precis_rerank_calls_total": 5, "precis_rerank_failures_total": 0,
                                          "precis_rerank_skipped_total": 0}
        assert "secret-17" not in server.log()


def case_texts_format_is_that_of_text_embeddings_inference(world):
    with reranker() as fake:
        configure(world, fake.url, timeout="30s", format="texts")
        fake.behave = bare_list
        with serving(world) as server:
            add_texts(server)
            assert contents(search(server)) == by_length(TEXTS)
        assert set(fake.asked[0][2]) == {"query", "texts", "truncate"} and "Authorization" not in fake.asked[0][1]


BAD = {
    "garbage": (raw(b"\x00\xff<html>"), "no JSON"),
    "empty": (raw(b""), "no JSON"),
    "another object": (raw(b'{"error": "x"}'), "no list of results"),
    "index out of range": (changed(lambda results: results[0].update(index=6)), "has the index 6 of 6 texts"),
    "negative index": (changed(lambda results: results[0].update(index=-1)), "has the index -1"),
    "index twice": (changed(lambda results: results[0].update(index=1)), "given twice"),
    "index missing": (changed(lambda results: results.pop()), "5 results for 6 texts"),
    "NaN": (changed(lambda results: results[2].update(relevance_score=float("nan"))), "no JSON"),
    "infinite": (raw(b'[' + b",".join(b'{"index":%d,"score":1e999}' % i for i in range(6)) + b"]"), "no JSON"),
    "score as text": (changed(lambda results: results[2].update(relevance_score="0.5")), "lacks its index or its score"),
    "500": (raw(b"{}", 500), "status 500"),
    "503": (raw(b"{}", 503), "status 503"),
    "redirect": (redirect, "status 307"),
    "closes": (close_at_once, "closed the connection"),
    "closes half way": (close_half_way, "closed the connection"),
    "huge": (huge, "larger than"),
}


def case_bad_answers_leave_the_own_order_and_say_so(world):
    with reranker() as fake:
        configure(world, fake.url, timeout="30s")
        with serving(world) as server:
            add_texts(server)
            own = None
            for name, (behave, sentence) in BAD.items():
                fake.behave = behave
                answer = search(server, explain="true")
                assert answer["degraded"].startswith("not re-ranked: ") and sentence in answer["degraded"], (name, answer)
                own = own or contents(answer)
                assert contents(answer) == own and sorted(own) == sorted(TEXTS), (name, answer)
                assert all("rerank" not in result["parts"] for result in answer["results"]), (name, answer)
                fake.behave = right  # so that it is asked again
                assert contents(search(server)) == by_length(TEXTS), name
            assert metrics_of(server)["precis_rerank_failures_total"] == len(BAD)


def case_late_answers_are_not_waited_for(world):
    with reranker() as fake:
        configure(world, fake.url, timeout="200ms")
        with serving(world) as server:
            add_texts(server)
            for behave in (wait_for_the_end, drip):
                fake.behave = behave
                answer = search(server)  # the fake gives up after a minute, when the client has long done so
                assert "no answer from" in answer["degraded"] and len(answer["results"]) == len(TEXTS), answer


def case_context_keeps_its_deadline(world):
    with reranker() as fake:
        world.write("precis.yaml", f"rerank: {{ url: \"{fake.url}\", timeout: 60s }}\nrecipes: [ recipes ]\n")
        world.write("recipes/own.yaml", "recipe: own\nparams: { user_id: { type: text } }\nbudget: { tokens: 500 }\n"
                    "sections:\n  - name: notes\n    from: memory\n")
        world.run("init", "--data", "d")
        with serving(world) as server:
            add_texts(server)
            ask = {"user": "default", "recipe": "own", "query": QUERY, "explain": True, "deadline_ms": 4000, "cache": "off"}
            section = server.context(**ask)["sections"][0]
            assert section["status"] == "ok" and "degraded" not in section, section
            fake.behave = wait_for_the_end
            answer = server.context(**ask)
            section = answer["sections"][0]
            assert section["status"] == "ok" and section["degraded"].startswith("not re-ranked: no answer from"), answer
            assert all(text in answer["context"] for text in TEXTS), answer


def case_server_that_is_not_there_is_left_alone_after_some_failures(world):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        configure(world, f"http://{place}/rerank", timeout="30s")
        with serving(world) as server:
            add_texts(server)
            for _ in range(5):
                assert search(server)["degraded"] == f"not re-ranked: connection refused by {place}"
            answer = search(server)
            assert f"{place} failed 5 times in a row and is not asked for" in answer["degraded"], answer
            assert len(answer["results"]) == len(TEXTS)
            assert metrics_of(server) == {"precis_rerank_calls_total": 5, "precis_rerank_failures_total": 5,
                                          "precis_rerank_skipped_total": 1}
        _, err = world.run("doctor", "--data", "d", expect=1)
        out, _ = world.run("doctor", "--data", "d", expect=1)
        assert "1 problem" in err and f"rerank         connection refused by {place}" in out, out


def case_certificate_that_nobody_vouches_for_gets_nothing(world):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=world.folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.path("cert.pem"), world.path("key.pem"))
    with reranker() as fake:
        fake.socket = context.wrap_socket(fake.socket, server_side=True)
        configure(world, fake.url.replace("http:", "https:"), timeout="30s", key="secret-17")
        with serving(world) as server:
            add_texts(server)
            answer = search(server)
            assert answer["degraded"].startswith("not re-ranked: no secure connection to 127.0.0.1:"), answer
            assert len(answer["results"]) == len(TEXTS) and not fake.asked


def case_many_searches_at_once_are_all_right(world):
    with reranker() as fake:
        configure(world, fake.url, timeout="60s")
        with serving(world) as server:
            add_texts(server)
            with concurrent.futures.ThreadPoolExecutor(24) as pool:
                answers = list(pool.map(lambda _: search(server), range(200)))
            assert all("degraded" not in answer and contents(answer) == by_length(TEXTS) for answer in answers)
            assert len(fake.asked) == 200


def case_doctor_asks_once(world):
    with reranker() as fake:
        configure(world, fake.url, timeout="30s", key="secret-17")
        out, _ = world.run("doctor", "--data", "d")
        assert f"rerank         127.0.0.1:{fake.server_port} answered in" in out and "secret" not in out, out
        assert len(fake.asked) == 1


def case_bad_settings_name_their_place(world):
    world.run("init", "--data", "d")
    for setting, sentence in [("url: ftp://x/", "must be like"), ("url: localhost", "must be like"), ("candidates: 1", "'candidates' must lie"),
                              ("timeout: soon", "must be a duration"), ("urls: x", "did you mean 'url'"), ("format: cohere", "documents, texts"),
                              ('url: "http://ann:secret-17@x/"', "name or password"), ('{ url: "http://x/", key: "secret-17\\nX: y" }', "visible ASCII")]:
        world.write("precis.yaml", "rerank: " + (setting if setting.startswith("{") else f"{{ {setting} }}") + "\n")
        _, err = world.run("memory", "search", "x", "--data", "d", expect=1)
        assert sentence in err and "secret-17" not in err, err


cases.main(sys.modules[__name__])
