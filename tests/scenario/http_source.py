#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sections from an HTTP server: values reach it as they are and nowhere else, and connections are kept by a server that serves."""
import contextlib
import http.server
import json
import ssl
import subprocess
import sys
import threading
import urllib.parse

import cases
from promises import serving

RECIPE = """recipe: shop
params:
  user_id: { type: text, required: true }
  lang: { type: text }
sections:
  - name: orders
    from: shop
    path: /users/{user_id}/orders
    query: { status: open, user: "{user_id}", lang: "{lang?{lang}}" }
    pointer: /data/items
    missing: empty
    item: "- {name}: {count}"
  - name: fixed
    from: text
    text: Always here.
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, self.client_address, dict(self.headers)))
        path = urllib.parse.urlsplit(self.path)
        user = urllib.parse.unquote(path.path.split("/")[3]) if path.path.count("/") == 4 else ""
        data = json.dumps({"data": {"items": [{"name": f"order of {user}", "count": 2}]}}).encode()
        self.send_response(404 if user == "nobody" else 500 if user == "broken" else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def shop(world, recipe=RECIPE, tls=None, scheme="http", params=""):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    connection = {"url": f"{scheme}://127.0.0.1:{server.server_port}/v1{params}", "key": "k3y", "headers": {"X-Team": "search"}}
    world.write("precis.yaml", f"recipes: [ recipes ]\nconnections:\n  shop: {json.dumps(connection)}\n")
    world.write("recipes/shop.yaml", recipe)
    world.run("init")
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def build(world, user, *more):
    return world.json("build", "--recipe", "shop", "--param", f"user_id={user}", "--deadline-ms", "10000", *more)


def case_section_has_what_the_server_says(world):
    with shop(world) as server:
        answer = build(world, "anna")
        assert "order of anna: 2" in answer["context"] and answer["complete"], answer
        path, _, headers = server.seen[0]
        assert path == "/v1/users/anna/orders?status=open&user=anna", path
        assert headers["Authorization"] == "Bearer k3y" and headers["X-Team"] == "search", headers
        build(world, "anna", "--param", "lang=de")
        assert server.seen[-1][0].endswith("&lang=de"), server.seen[-1]


def case_hostile_values_stay_in_their_segment(world):
    with shop(world) as server:
        for user in ("a/b", "a?x=1", "a#b", "%2e", "ä 漢", 'q"q', "a\r\nHost: evil", "a b", "http://evil"):
            answer = build(world, user)
            if "\r" in user:
                assert answer["sections"][0]["status"] == "failed", answer
                continue
            raw = server.seen[-1][0]
            path, _, query = raw.partition("?")
            if user == "%2e":  # would be a step if decoded twice
                continue
            assert path.count("/") == 4 and urllib.parse.unquote(path.split("/")[3]) == user, raw
            assert urllib.parse.parse_qs(query)["user"] == [user], raw
        n = len(server.seen)
        for user in ("..", ".", "../admin", "a/../../b", "..\\x", "%2e%2e", "%2e%2e%2fadmin", " ..", ".. "):
            answer = build(world, user)
            if answer["sections"][0]["status"] != "failed":
                assert " " in user, (user, answer)  # a name with a space is none of the steps
                n += 1
            assert "Always here." in answer["context"], answer
        assert len(server.seen) == n, server.seen[n:]


def case_missing_is_empty_and_an_error_is_told(world):
    with shop(world) as server:
        answer = build(world, "nobody")
        assert answer["complete"] and answer["sections"][0]["status"] in ("ok", "empty"), answer
        answer = build(world, "broken")
        assert not answer["complete"] and "status 500" in answer["sections"][0]["error"], answer
        assert "k3y" not in json.dumps(answer)
        assert server.seen


def case_connection_is_kept_between_builds(world):
    with shop(world) as server:
        world.run("init", "--data", "d")
        with serving(world) as precis:
            for i in range(8):
                answer = precis.context("shop", user=f"u{i}", deadline_ms=10000)
                assert f"order of u{i}" in answer["context"], answer
        assert len(server.seen) == 8 and len({address for _, address, _ in server.seen}) == 1, server.seen


def case_certificates_are_verified_by_the_authority_of_the_url(world):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
                   cwd=world.folder, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(world.path("cert.pem"), world.path("key.pem"))
    for scheme, params, word in (("https", f"?ca={world.path('cert.pem')}", None), ("https", "", "no secure connection"),
                                 ("https", "?ca=/nonexistent", "no secure connection"), ("http", "", "")):
        with shop(world, tls=tls, scheme=scheme, params=params) as server:
            answer = build(world, "anna")
            error = answer["sections"][0]["error"]
            if word is None:
                assert "order of anna: 2" in answer["context"], answer
            else:
                assert word in error and not answer["complete"], answer
                assert not server.seen, server.seen


def case_mistakes_of_recipes_are_told_with_their_place(world):
    wrong = RECIPE.replace("path: /users/{user_id}/orders", "path: users/{user_id}?x=1").replace('user: "{user_id}"', 'user: "{user}"') \
        .replace("pointer: /data/items", "pointer: data").replace("missing: empty", "missing: nothing")
    with shop(world):
        world.write("recipes/shop.yaml", wrong)
        out, err = world.run("recipe", "check", "recipes/shop.yaml", expect=1)
        told = out + err
        for place, word in (("8:11", "'path': a path begins with a slash"), ("9:", "user"), ("10:14", "'pointer'"), ("11:14", "'missing'")):
            assert f"shop.yaml:{place}" in told and word in told, told
        world.write("recipes/shop.yaml", RECIPE.replace("query: { status: open", "query: [ a ]\n    # {").replace("[ a ]\n    # {, user", "[ a ]\n    # { user"))
        out, err = world.run("recipe", "check", "recipes/shop.yaml", expect=1)
        assert "shop.yaml:9:12" in out + err and "'query' must be a map" in out + err, out + err


if __name__ == "__main__":
    cases.main(sys.modules[__name__])
