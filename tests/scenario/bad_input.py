#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a running server for nonsense through every route of its OpenAPI document, and through the bytes of HTTP itself.

usage: bad_input.py PRECIS

Every answer must be the right 4xx in the one shape of errors, with the culprit named; never a 5xx, never silence. What is
optional may be null. After each group a good request must work, and at the end the server must stop in good order with a log
that tells of no failure.
"""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

MAX_BODY_BYTES = 16 * 1024 * 1024
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
# What a good request says in each place that is required.
GOOD_MEMBERS = {"recipe": "assistant", "content": "x", "role": "user", "key": "k", "value": 1, "items": [{"content": "x"}],
                "fields": {"a": 1}}
BODIES_BY_METHOD = {"POST": b'{"content": "x", "role": "user"}', "PATCH": b'{"content": "x"}', "PUT": b'{"fields": {"a": 1}}'}
GOOD_PATHS = {"name": "assistant", "id": "mem_0", "session_id": "s", "key": "k"}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def error(self):
        return json.loads(self.body)["error"]


class Server:
    def __init__(self, program):
        self.folder = tempfile.mkdtemp(prefix="precis-bad-input-")
        env = {name: value for name, value in os.environ.items() if not name.startswith("PRECIS_")}
        data = os.path.join(self.folder, "data")
        subprocess.run([program, "init", "--demo", "--data", data], env=env, check=True, capture_output=True, timeout=120)
        self.log_path = os.path.join(self.folder, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([program, "serve", "--data", data, "--listen", "127.0.0.1:0"], env=env,
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", self.log())):
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit("bad_input: the server does not start:\n" + self.log())
            time.sleep(0.01)
        self.address = ("127.0.0.1", int(found.group(1)))

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def connect(self):
        return socket.create_connection(self.address, timeout=10)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def receive(file, is_head=False):
    """One answer; None when the server closed without any."""
    line = file.readline().decode("latin-1")
    if not line:
        return None
    assert line.startswith("HTTP/1."), f"not an answer: {line!r}"
    headers = {}
    while (field := file.readline().decode("latin-1").strip()):
        name, _, value = field.partition(":")
        headers[name.lower()] = value.strip()
    length = 0 if is_head else int(headers.get("content-length", 0))
    return Answer(int(line.split()[1]), headers, file.read(length))


class Tester:
    def __init__(self, server):
        self.server = server
        self.n_requests = 0
        self.failures = []

    def fail(self, what, why):
        self.failures.append(f"{what}: {why}")
        print(self.failures[-1], flush=True)
        if len(self.failures) > 40:
            raise SystemExit("bad_input: too many failures")

    def send_raw(self, data, is_head=False):
        """The answer to these bytes. They are written beside reading: the server may answer before it has them all."""
        self.n_requests += 1
        with self.server.connect() as connection:
            def write():
                try:
                    connection.sendall(data)
                except OSError:
                    pass  # refused in the middle: what counts is the answer
            if len(data) <= 65536:
                connection.sendall(data)
                return receive(connection.makefile("rb"), is_head)
            writer = threading.Thread(target=write)
            writer.start()
            try:
                return receive(connection.makefile("rb"), is_head)
            finally:
                writer.join()

    def send(self, method, target, body=None, headers=()):
        target = target if isinstance(target, bytes) else target.encode()
        lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: localhost", *headers]
        if body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        return self.send_raw(b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""), method == "HEAD")

    def expect(self, method, target, statuses, field=None, body=None, headers=()):
        """field: what error.field must be or begin with; None: anything; "": null."""
        what = f"{method} {target!r:.120}" + (f" {body!r:.120}" if body is not None else "")
        try:
            answer = self.send(method, target, body, headers)
        except (OSError, AssertionError) as error:
            self.fail(what, repr(error))
            return None
        if answer is None:
            self.fail(what, "the connection was dropped")
        elif answer.status not in statuses:
            self.fail(what, f"{answer.status} instead of {statuses}: {answer.body!r:.300}")
        else:
            self.check_shape(what, answer, field)
        return answer

    def check_shape(self, what, answer, field):
        request_id = answer.headers.get("x-request-id")
        if not request_id:
            self.fail(what, "no X-Request-Id")
        if answer.status < 400:
            return
        try:
            error = answer.error()
            assert set(error) == {"code", "message", "field", "request_id"}, set(error)
            assert re.fullmatch(r"[a-z0-9_]+", error["code"]), error["code"]
            assert len(error["message"]) > 5 and error["request_id"] == request_id
            assert answer.headers["content-type"].startswith("application/json")
            assert field is None or (error["field"] or "").startswith(field), f"field {error['field']!r}, not {field!r}"
            assert field != "" or error["field"] is None, f"field {error['field']!r}"
        except (ValueError, KeyError, TypeError, AssertionError) as problem:
            self.fail(what, f"{problem!r}: {answer.body!r:.300}")

    def check_alive(self, after):
        good = json.dumps({"recipe": "assistant", "params": {"user_id": "demo"}, "query": "what is on?"}).encode()
        answer = self.send("POST", "/v1/context", good)
        if answer is None or answer.status != 200 or not json.loads(answer.body)["complete"]:
            raise SystemExit(f"bad_input: after {after} a good request fails: {answer and answer.body}")


class Api:
    """The OpenAPI document: operations with their parameters and members, schemas followed to where they stand."""

    def __init__(self, document):
        self.document = document

    def resolve(self, schema):
        while "$ref" in schema:
            node = self.document
            for part in schema["$ref"].split("/")[1:]:
                node = node[part]
            schema = node
        return schema

    def operations(self):
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, operation

    def body_schemas(self, operation):
        if "requestBody" not in operation:
            return []
        schema = self.resolve(operation["requestBody"]["content"]["application/json"]["schema"])
        return [self.resolve(one) for one in schema.get("oneOf", [schema])]


def fill_path(path):
    return re.sub(r"\{(\w+)\}", lambda found: GOOD_PATHS[found.group(1)], path)


def good_body(schema):
    """The least that is complete; a rule to forget by fits nothing, and a patch finds nothing."""
    good = {name: GOOD_MEMBERS[name] for name in schema.get("required", ())}
    if "recipe" in good:
        good["params"] = {"user_id": "demo"}
    return good or {"source": "nowhere"}


def is_time(schema):
    return "ISO 8601" in schema.get("description", "")


WRONG_KINDS = {"string": ["x"], "integer": ["7"], "number": ["0.5"], "boolean": ["true"], "array": ["[]"], "object": ["{}"]}
SAMPLES = {"string": ['"x"', '"7"'], "integer": ["7"], "number": ["0.5"], "boolean": ["true", "false"],
           "array": ["[]", '["x"]', "[{}]"], "object": ["{}", '{"a":1}']}
BAD_TIMES = ["", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30", "99999-01-01T00:00:00Z", "2026-11-21T25:00:00Z", "-1",
             "2026-11-21T09:30:00Z;", "NaN", "1e9"]


def bad_json(api, schema):
    """JSON texts that this schema does not allow."""
    schema = api.resolve(schema)
    if "enum" in schema:
        yield from ('"nonsense"', '""', "1", "true", "[]", "{}", '"' + "x" * 5000 + '"', '"%s "' % schema["enum"][0],
                    '"%s"' % schema["enum"][0].upper())
        return
    kinds = schema.get("type")
    if not kinds:
        return
    kinds = kinds if isinstance(kinds, list) else [kinds]
    for kind, samples in SAMPLES.items():
        if kind not in kinds and not (kind == "integer" and "number" in kinds):
            yield from samples
    if "integer" in kinds:
        yield from ("1.5", "1e400", "1" + "0" * 40, "-" + "9" * 19 + "9", "1e2") if "string" not in kinds else ("1.5",)
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound in schema:
            yield str(schema[bound] + step)
            yield str(schema[bound] + step * 10**15)
    if "maxLength" in schema:
        yield json.dumps("x" * (schema["maxLength"] + 1))
        yield json.dumps("é" * (schema["maxLength"] // 2 + 1), ensure_ascii=False)
    if schema.get("minLength"):
        yield '""'
    if is_time(schema):
        yield from (json.dumps(text) for text in BAD_TIMES)
    if "array" in kinds:
        if schema.get("minItems"):
            yield "[]"
        if "maxItems" in schema:
            item = '{"content":"x"}' if "$ref" in schema["items"] else '"x"'
            yield "[" + ",".join([item] * (schema["maxItems"] + 1)) + "]"
        yield from ("[null]", "[1]", "[[]]", '["x", 1]')
        if "$ref" not in schema["items"]:
            yield from ("[" + one + "]" for one in bad_json(api, schema["items"]))


def with_member(good, name, text):
    rest = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in good.items() if key != name)
    return ("{" + json.dumps(name) + ": " + text + rest + "}").encode()


def members_take_only_what_is_documented(tester, api):
    for method, path, operation in api.operations():
        for schema in api.body_schemas(operation):
            good, target = good_body(schema), fill_path(path)
            for name, member in schema["properties"].items():
                for text in bad_json(api, member):
                    statuses = (400, 422) if re.search(r"\de400", text) else (422,)
                    field = None if 400 in statuses else name
                    if len(text) > MAX_BODY_BYTES - 100:
                        statuses = (413,)
                    missing = path == "/v1/context" and text in ('"x"', '"7"') and name in ("recipe", "tokenizer")
                    tester.expect(method, target, (404, 422) if missing else statuses, field, with_member(good, name, text))
                if name in schema.get("required", ()):
                    rest = {key: value for key, value in good.items() if key != name}
                    # Without "items" the body is one memory, which needs its content.
                    field = "content" if name == "items" else name
                    tester.expect(method, target, (422,), field, json.dumps(rest).encode())
                    if name != "value":
                        tester.expect(method, target, (422,), field, with_member(good, name, "null"))
                else:
                    answer = tester.expect(method, target, (200, 201, 404, 422), None, with_member(good, name, "null"))
                    # Without params the recipe's own are missing, and nothing else may be.
                    if answer and answer.status == 422 and name not in ("params", "source"):
                        tester.fail(f"{method} {path} {name}: null", answer.body)
                twice = with_member(good, name, "1")[:-1] + b", " + json.dumps(name).encode() + b": 1}"
                tester.expect(method, target, (400,), None, twice)
            for unknown in ("nonsense", "Content", "", "content ", "\u0430", "x" * 3000, "__proto__"):
                tester.expect(method, target, (422,), unknown[:40], json.dumps({**good, unknown: 1}).encode())
        tester.check_alive(f"bad members of {method} {path}")


def values_have_their_limits(tester, _api):
    tester.expect("POST", "/preferences/set", (422,), "value", b'{"key": "k", "value": "' + b"x" * 2_000_000 + b'"}')
    tester.expect("POST", "/memory/add", (422,), "metadata", b'{"content": "x", "metadata": {"a": "' + b"x" * 70_000 + b'"}}')
    tester.expect("POST", "/memory/add", (422,), "metadata", b'{"content": "x", "metadata": {"a": "' + b"x" * 2_000_000 + b'"}}')
    tester.expect("POST", "/memory/add", (422,), "created_at", b'{"content": "x", "created_at": "0000-01-01"}')
    tester.expect("POST", f"/conversations/{'x' * 256}/messages", (422,), "session_id", b'{"content": "x", "role": "user"}')
    answer = tester.send("POST", "/memory/add", b'{"content": "epoch", "created_at": "1970-01-01T00:00:00Z"}')
    item = json.loads(tester.send("GET", "/memory/" + json.loads(answer.body)["id"]).body)
    if not item["created_at"].startswith("1970-01-01T00:00:00"):
        tester.fail("the epoch", item["created_at"])
    for name, values in (("user_id", (1.5, True, [], {}, "", "x" * 257, "\u00e9" * 129)), ("session_id", (5.5, True, [], {})), ("usr", ("x",)),
                         ("", (1,)), ("now", ("x",)), ("x" * 500, (1,))):
        for value in values:
            params = {"user_id": "demo", name: value}
            tester.expect("POST", "/v1/context", (422,), f"params.{name}"[:60],
                          json.dumps({"recipe": "assistant", "params": params}).encode())
    for name, value, field in (("max_tokens", 32001, "max_tokens"), ("sections", ["tasks", "nope"], "sections[1]"), ("sections", ["x"] * 500, "sections")):
        tester.expect("POST", "/v1/context", (422,), field,
                      json.dumps({"recipe": "assistant", "params": {"user_id": "demo"}, name: value}).encode())
    tester.check_alive("values beyond their limits")


def items_name_their_place(tester, api):
    schema = api.document["components"]["schemas"]["NewMemory"]
    for name, member in schema["properties"].items():
        for text in bad_json(api, member):
            if len(text) < 100_000 and not re.search(r"\de400", text):
                body = b'{"items": [{"content": "fine"}, ' + with_member({"content": "x"}, name, text) + b"]}"
                tester.expect("POST", "/memory/add", (422,), f"items[1].{name}", body)
    tester.expect("POST", "/memory/add", (422,), "items[1].nonsense",
                  b'{"items": [{"content": "fine"}, {"content": "x", "nonsense": 1}]}')
    answer = tester.send("GET", "/memory/search?mode=keyword&query=fine")
    if json.loads(answer.body)["results"]:
        tester.fail("items", "a refused list left something behind")


BROKEN_JSON = [b"", b" ", b"{", b"}", b"[", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,', b'{"a":1,}', b"{a:1}", b"{'a':1}",
               b'{"a":01}', b'{"a":1.}', b'{"a":.5}', b'{"a":+1}', b'{"a":0x10}', b'{"a":NaN}', b'{"a":Infinity}',
               b'{"a":-Infinity}', b'{"a":tru}', b'{"a":True}', b'{"a":nul}', b'{"a":"\xff"}', b'{"a":"\xc0\x80"}',
               b'{"a":"\xed\xa0\x80"}', b'{"\xfe":1}', b'{"a":"\\ud800"}', b'{"a":"\\udc00\\ud800"}', b'{"a":"\\u12"}',
               b'{"a":"\\x41"}', b'{"a":"\n"}', b'{"a":"\x00"}', b'{"a":"\\u0000"}', b"\x00", b"\xef\xbb\xbf", b"\xff\xfe{\x00}\x00",
               b"{} {}", b"{}x", b"{},", b"{}\x00", b'{"a":1}}', b"//c\n{}", b"/**/{}", b'{"a":1 "b":2}', b'{"a" 1}', b'{:1}', b"nul",
               b"recipe=assistant&query=x", b"<context/>", b'{"a":1e}', b'{"a":--1}', b'{"a":"' + b"x" * 70000]
NOT_OBJECTS = [b"[]", b"null", b"1", b'"x"', b"true", b'[{"content": "x"}]', b"-0.0"]


def bodies_must_be_json_objects(tester, api):
    for method, path, operation in api.operations():
        target, schemas = fill_path(path), api.body_schemas(operation)
        if not schemas:
            if method != "GET" or path != "/":
                tester.expect(method, target, (400,), "", b"{}")
            continue
        good = json.dumps(good_body(schemas[0])).encode()
        for body in BROKEN_JSON + [good[:n] for n in range(len(good))] + [good + b"x", good + good]:
            tester.expect(method, target, (400,), None, body)
        for body in NOT_OBJECTS:
            tester.expect(method, target, (422,), "", body)
        for n in (33, 1000, 1_000_000):
            for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
                tester.expect(method, target, (400, 422), None, b'{"metadata":' + opening * n + b"1" + closing * n + b"}")
                tester.expect(method, target, (400, 422), None, opening * n)
        tester.expect(method, target, (400,), None, None)
        tester.expect(method, target, (415,), None, good, [b"Content-Type: multipart/form-data; boundary=x"])
        big = b'{"content": "' + b"x" * (20 * 1024 * 1024) + b'"}'
        tester.expect(method, target, (413,), None, big)
        tester.expect(method, target, (413,), None, big, [b"Expect: 100-continue"])
        tester.check_alive(f"broken bodies for {method} {path}")
    chunked = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(300)) + b"0\r\n\r\n"
    answer = tester.send_raw(b"POST /memory/add HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)
    if answer is None or answer.status != 413:
        tester.fail("20 MB in chunks", answer and answer.body)
    for kind in (b"text/plain", b"application/xml", b"", b"application/json; charset=utf-16", b"x" * 3000):
        tester.expect("POST", "/memory/add", (201, 415), None, b'{"content": "x"}', [b"Content-Type: " + kind])


def bad_texts(schema):
    """Values of a query parameter, as they stand in a URL."""
    if "enum" in schema:
        yield from ("", "nonsense", schema["enum"][0].upper(), "1")
    elif schema.get("type") == "integer":
        yield from ("", "x", "1.5", "1e2", "NaN", "0x10", "%201", "1%20", "--1", "9" * 40, "-" + "9" * 40, "1,2", "null",
                    str(schema["minimum"] - 1), str(schema["maximum"] + 1))
    elif schema.get("type") == "number":
        yield from ("-0.5", "1.01", "", "x", "NaN", "nan", "inf", "-Infinity", "1e999", "0x1p3", "1,5", "null", "%2B", "1" * 400)
    elif schema.get("type") == "boolean":
        yield from ("", "yes", "1", "TRUE", "null")
    elif is_time(schema):
        yield from (urllib.parse.quote(text) for text in BAD_TIMES)
    elif "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)


def queries_take_only_what_is_documented(tester, api):
    for method, path, operation in api.operations():
        target, parameters = fill_path(path), operation.get("parameters", [])
        body = [json.dumps(good_body(schema)).encode() for schema in api.body_schemas(operation)][:1] or [None]
        required = "&".join(f"{p['name']}=x" for p in parameters if p["in"] == "query" and p["required"])
        for parameter in (p for p in parameters if p["in"] == "query"):
            name = parameter["name"]
            rest = "&" + required if required and not parameter["required"] else ""
            for text in bad_texts(parameter["schema"]):
                tester.expect(method, f"{target}?{name}={text}{rest}", (422,), name)
            for escape in ("%", "%4", "%zz", "%00", "%ff", "%c0%80", "%ed%a0%80", "a%"):
                tester.expect(method, f"{target}?{name}={escape}{rest}", (400,), None)
            if parameter["schema"].get("type") != "array":
                tester.expect(method, f"{target}?{name}=1&{name}=1{rest}", (422,), name)
            if parameter["required"]:
                tester.expect(method, target, (422,), name)
                tester.expect(method, f"{target}?{name}", (422,), name)
                tester.expect(method, f"{target}?{name}=", (422,), name)
        for unknown in ("nonsense", "Limit", "user_id%20", "%D0%B0", "x" * 500, "user_id[]", "__proto__"):
            decoded = urllib.parse.unquote(unknown)
            tester.expect(method, f"{target}?{unknown}=1" + (f"&{required}" if required else ""), (422,), decoded[:20], body[0])
        for query in ("%zz=1", "%ff=1", "a=%", "=%00"):
            tester.expect(method, f"{target}?{query}", (400,), None, body[0])
        tester.expect(method, f"{target}?" + "&".join(f"a{n}=1" for n in range(500)), (400, 414, 422), None, body[0])
        tester.expect(method, f"{target}?a={'x' * 9000}", (414,), None, body[0])
        tester.check_alive(f"bad queries of {method} {path}")
    for cursor in ("x", "-1", "%F0%9F%98%80", "9" * 100, "mem_0", "%22", "'%20OR%201=1--", "x" * 4000):
        tester.expect("GET", f"/memory?cursor={cursor}", (422,), "cursor")
        tester.expect("GET", f"/conversations/s/messages?before={cursor}", (200, 422), "before")


def paths_and_methods(tester, api):
    by_path = {}
    for method, path, _ in api.operations():
        by_path.setdefault(path, set()).add(method)
    for path, methods in by_path.items():
        target = fill_path(path)
        for method in METHODS:
            if method in methods:
                continue
            answer = tester.expect(method, target, (405,), "")
            allowed = set((answer.headers.get("allow") or "").replace(" ", "").split(",")) if answer else set()
            if answer and not methods <= allowed:
                tester.fail(f"{method} {target}", f"Allow: {allowed}")
        if "GET" not in methods:
            answer = tester.send("HEAD", target)
            if answer.status != 405 or not answer.headers.get("x-request-id"):
                tester.fail(f"HEAD {target}", answer.status)
        for method in methods if "{" in path else ():
            for value in ("%", "%zz", "%00", "a%00b", "%ff", "%c0%af", "%ed%a0%80"):
                tester.expect(method, re.sub(r"\{\w+\}", value, path), (400,), None)
            tester.expect(method, re.sub(r"\{\w+\}", "x" * 9000, path), (414,), None)
            for value in ("x" * 4000, "%2e%2e%2fetc", "'%20OR%201=1", "%0d%0aX:%20y", "%7F", "+", "%F0%9F%98%80" * 100):
                body = BODIES_BY_METHOD.get(method)
                tester.expect(method, re.sub(r"\{\w+\}", value, path), (200, 201, 404, 422), None, body)
        tester.check_alive(f"bad paths and methods of {path}")
    for target in ("/nothing", "//", "/memory/", "/memory/a/b", "/v1", "/v1/context/", "/V1/context", "/memory%2fadd", "/../etc/passwd",
                   "/conversations//messages", "/%2e%2e/%2e%2e/etc/passwd", "/" + "a/" * 1000, "/.git/config", "/v1/recipes/"):
        tester.expect("GET", target, (404,), None)
    for target in ("*", "memory", "http://", "https://localhost/healthz", "/a b", "/\x01", "/\x7f", "localhost:80"):
        answer = tester.send("GET", target)
        if answer is None or not 400 <= answer.status < 500:
            tester.fail(f"GET {target!r}", answer and answer.status)


def hosts_and_origins(tester, _api):
    for host in ("evil.example", "127.0.0.1.evil.com", "localhost.", "127.0.0.1:99999", "127.0.0.1:", "[::1", "", "a b", "localhost:80:80",
                 "user@localhost", "localhost/", "\x80"):
        raw = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1")
        answer = tester.send_raw(raw)
        if answer is None or answer.status not in (400, 403):
            tester.fail(f"Host: {host}", answer and answer.status)
    for origin in (b"http://evil.example", b"null", b"", b"file://", b"http://localhost.evil.com", b"http://localhost@evil.com"):
        tester.expect("GET", "/healthz", (403,), None, None, [b"Origin: " + origin])
    for key in (b"Bearer", b"Bearer ", b"Bearer x", b"Basic eDp5", b"", b"Bearer " + b"x" * 8000, b"\xff\xfe"):
        tester.expect("GET", "/memory", (401,), "", None, [b"Authorization: " + key])
    for request_id in (b"x" * 65, b"a b", b"\xff", b"", b"a/b", b"<script>"):
        answer = tester.expect("GET", "/memory/mem_0", (404,), None, None, [b"X-Request-Id: " + request_id])
        if answer and answer.headers.get("x-request-id", "").encode("latin-1") == request_id:
            tester.fail("X-Request-Id", request_id)


START = b"POST /memory/add HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
ITEM = b'{"content": "smuggled"}'
# Messages that two parsers could read in two ways, or that are no HTTP: refused, or the connection is closed.
BROKEN_HTTP = [
    START + b"Content-Length: 23\r\nContent-Length: 23\r\n\r\n" + ITEM,
    START + b"Content-Length: 23\r\nContent-Length: 5\r\n\r\n" + ITEM,
    START + b"Content-Length: 23, 23\r\n\r\n" + ITEM,
    START + b"Content-Length: +23\r\n\r\n" + ITEM,
    START + b"Content-Length: -1\r\n\r\n" + ITEM,
    START + b"Content-Length: 0x17\r\n\r\n" + ITEM,
    START + b"Content-Length: 23 x\r\n\r\n" + ITEM,
    START + b"Content-Length: \r\n\r\n" + ITEM,
    START + b"Content-Length: 99999999999999999999999\r\n\r\n" + ITEM,
    START + b"Content-Length : 23\r\n\r\n" + ITEM,
    START + b"Content-Length: 23\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START + b"Transfer-Encoding: gzip, chunked\r\n\r\n17\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START + b"Transfer-Encoding: identity\r\n\r\n" + ITEM,
    START + b"Transfer-Encoding: xchunked\r\n\r\n17\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\n\r\n-17\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\n\r\n0x17\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + ITEM + b"\r\n0\r\n\r\n",
    START.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n17\r\n" + ITEM + b"\r\n0\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n\r\n",
    GET + b"Host: localhost\r\n\r\n",
    GET + b"Host: evil.example\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n",
    GET + b"no colon\r\n\r\n",
    GET + b"A B: x\r\n\r\n",
    GET + b"A: " + b"x" * 100_000 + b"\r\n\r\n",
    GET + b"A" * 100_000 + b": x\r\n\r\n",
    GET + b"A: x\r\n" * 10_000 + b"\r\n",
    b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
    b"GET /healthz\r\nHost: localhost\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x00" * 40_000,
    b"x" * 40_000,
]
# Read in one way only, if unusual: either answer will do.
ODD_HTTP = [
    GET + b"A: x\r\n y\r\n\r\n",
    GET.replace(b"\r\n", b"\n") + b"\n",
    GET + b"A:\x00x\r\n\r\n",
    GET + b": no name\r\n\r\n",
    GET + b"A: \xff\xfe\r\n\r\n",
    b"\r\n\r\n" + GET + b"\r\n",
    GET + b"Expect: 100-continue\r\n\r\n",
    GET + b"Expect: nonsense\r\n\r\n",
    GET + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    GET + b"Connection: close, keep-alive, x\r\n\r\n",
    START + b"Transfer-Encoding: chunked\r\n\r\n17;a=b\r\n" + ITEM + b"\r\n0\r\nTrailer: x\r\n\r\n",
]


def http_itself(tester, _api):
    for data in BROKEN_HTTP + ODD_HTTP:
        try:
            with tester.server.connect() as connection:
                tester.n_requests += 1
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                answer = receive(connection.makefile("rb"))
        except ConnectionError:
            answer = None
        except (OSError, AssertionError) as error:
            tester.fail(f"{data!r:.100}", repr(error))
            continue
        if answer and (answer.status >= 500 and answer.status != 505 or answer.status < 400 and data in BROKEN_HTTP):
            tester.fail(f"{data!r:.100}", f"{answer.status} {answer.body!r:.200}")
    answer = tester.send("GET", "/memory/search?query=smuggled&limit=1000")
    if len(json.loads(answer.body)["results"]) > 1:  # the last of the odd ones is well-formed
        tester.fail("broken messages", "one of them wrote something")
    tester.check_alive("broken HTTP")


def connections_that_misbehave(tester, _api):
    with tester.server.connect() as connection:  # a pipeline: every answer, in order
        connection.sendall((GET + b"\r\n") * 50 + b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        file = connection.makefile("rb")
        statuses = [receive(file).status for _ in range(51)]
        if statuses != [200] * 50 + [404]:
            tester.fail("a pipeline", statuses)
    with tester.server.connect() as connection:  # an error leaves the connection in step
        for body, status in ((b"{", 400), (b"[]", 422), (ITEM, 201)):
            connection.sendall(START + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            answer = receive(connection.makefile("rb"))
            if answer is None or answer.status != status:
                tester.fail("one connection", (body, answer and answer.status))
                break
    for n in range(1, 200, 7):  # half a request, then a reset
        data = START + b"Content-Length: 23\r\n\r\n" + ITEM
        connection = tester.server.connect()
        connection.sendall(data[:min(n, len(data) - 1)])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    good = json.dumps({"recipe": "assistant", "params": {"user_id": "demo"}, "cache": "off"}).encode()
    for _ in range(20):  # gone while the answer is being built
        connection = tester.server.connect()
        connection.sendall(b"POST /v1/context HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(good) + good)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    with tester.server.connect() as connection:  # asked to go on before the body
        connection.sendall(START + b"Content-Length: 23\r\nExpect: 100-continue\r\n\r\n")
        file = connection.makefile("rb")
        if receive(file).status == 100:
            connection.sendall(ITEM)
            if receive(file).status != 201:
                tester.fail("Expect: 100-continue", "the body was not taken")
    tester.check_alive("misbehaving connections")


GROUPS = [members_take_only_what_is_documented, values_have_their_limits, items_name_their_place,
          bodies_must_be_json_objects, queries_take_only_what_is_documented, paths_and_methods, hosts_and_origins,
          http_itself, connections_that_misbehave]


def main():
    server = Server(os.path.abspath(sys.argv[1]))
    tester = Tester(server)
    try:
        api = Api(json.loads(tester.send("GET", "/openapi.json").body))
        for group in GROUPS:
            n_before = len(tester.failures)
            group(tester, api)
            verdict = "  FAILED  " if len(tester.failures) > n_before else "       OK "
            print(f"[{verdict}] {group.__name__}", flush=True)
        code = server.stop()
        log = server.log()
        if code != 0:
            tester.fail("the server", f"ended with {code}:\n{log[-3000:]}")
        if re.search(r"runtime error|Sanitizer|request failed|\bERROR\b", log):
            tester.fail("the log", "\n".join(line for line in log.splitlines() if re.search("rror|Sani|fail", line))[:3000])
        if tester.n_requests < 2000:
            tester.fail("the test", f"only {tester.n_requests} requests: it proves nothing")
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        shutil.rmtree(server.folder, ignore_errors=True)
    print(f"bad_input: {tester.n_requests} requests, {len(tester.failures)} wrong answers")
    sys.exit(1 if tester.failures else 0)


main()
