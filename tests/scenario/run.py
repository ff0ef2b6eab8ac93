#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scenarios over HTTP: small text files that say what is asked of a real server and what must come back.

usage: run.py PRECIS FILE.txt...

A file is a row of blocks with an empty line between them, each beginning with one of:

    demo                          the store gets the sample data (first block)
    option --flag value           the server is started with it (before the first request)
    key NAME SCOPES [TENANT]      makes a key; the server may be running
    as NAME | as nobody           the requests that follow carry that key
    sql FILE STATEMENT            runs a statement on a database in the data folder
    write FILE TEXT               writes a file in the data folder
    kill | stop                   ends the server, at once (-9) or in good order; it starts again with the next request
    METHOD TARGET                 a request: header lines, then its body, then what must hold:

    -> STATUS
    PATH == JSON                  a member of the answer: results.0.content, tags.#count; also != < > =~ REGEX
    PATH exists | PATH absent
    header NAME == TEXT           or =~ REGEX
    body =~ REGEX | body !~ REGEX
    save PATH as NAME             ${NAME} stands for it from here on
    log N REGEX                   so many lines of the server's log since its start

Each file gets a data folder and a free port of its own.
"""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ABSENT = object()


class Failure(Exception):
    """An expectation that does not hold, with its line."""


class Server:
    """One precis serve over a data folder; started when first asked, started again after it ended."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.data = os.path.join(folder, "data")
        self.log = os.path.join(folder, "log")
        self.options = []
        self.process = None
        self.address = None
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PRECIS_")}

    def run(self, *arguments):
        done = subprocess.run([self.program, "--data", self.data, *arguments], cwd=self.folder, env=self.env, text=True,
                              capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Failure(f"precis {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def start(self):
        if self.process:
            return
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self.program, "--data", self.data, "serve", "--listen", "127.0.0.1:0", *self.options],
                cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while True:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", self.read_log())
            if found:
                self.address = ("127.0.0.1", int(found.group(1)))
                return
            if self.process.poll() is not None or time.monotonic() > until:
                raise Failure("the server does not start:\n" + self.read_log())
            time.sleep(0.01)

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def end(self, how):
        if not self.process:
            return
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process = None
        if how == signal.SIGTERM and code != 0:
            raise Failure(f"the server ended with {code}:\n" + self.read_log())


def receive(connection, is_head):
    """Status, headers (names in small letters) and body."""
    file = connection.makefile("rb")
    status_line = file.readline().decode("latin-1")
    if not status_line.startswith("HTTP/1."):
        raise Failure(f"no answer, but {status_line!r}")
    headers = {}
    while (line := file.readline().decode("latin-1").strip()):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = 0 if is_head else int(headers.get("content-length", 0))
    return int(status_line.split()[1]), headers, file.read(length).decode("utf-8")


def member(document, path):
    value = document
    for part in path.split("."):
        if part == "#count":
            return len(value)
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return ABSENT
    return value


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


COMPARE = {
    "==": lambda value, wanted: value is not ABSENT and value == json.loads(wanted),
    "!=": lambda value, wanted: value is not ABSENT and value != json.loads(wanted),
    "<": lambda value, wanted: value is not ABSENT and value < json.loads(wanted),
    ">": lambda value, wanted: value is not ABSENT and value > json.loads(wanted),
    "=~": lambda value, wanted: value is not ABSENT and re.search(wanted, text_of(value), re.DOTALL) is not None,
}


class Scenario:
    """One file: its blocks in order, over one server."""

    def __init__(self, program, path, folder):
        self.path = path
        self.server = Server(program, folder)
        self.saved = {}
        self.keys = {}
        self.key = None

    def run(self):
        block, first = [], 0
        with open(self.path, encoding="utf-8") as file:
            lines = file.read().split("\n") + [""]
        for number, line in enumerate(lines, 1):
            if line.startswith("# ") or line == "#":
                continue
            if line.strip():
                if not block:
                    first = number
                block.append((number, line))
            elif block:
                self.act(first, block)
                block = []

    def act(self, number, block):
        for line_number, line in list(block):
            word, _, rest = self.expand(line).partition(" ")
            if word in METHODS:
                self.ask(block[block.index((line_number, line)):])
                return
            try:
                self.do(word, rest)
            except Failure as failure:
                raise Failure(f"{self.path}:{line_number}: {failure}") from None

    def do(self, word, rest):
        if word == "demo":
            self.server.run("init", "--demo")
        elif word == "option":
            self.server.options += rest.split()
        elif word == "key":
            name, scopes, *tenant = rest.split()
            arguments = ["key", "create", "--json", "--name", name, "--scopes", scopes]
            made = json.loads(self.server.run(*arguments, *(["--tenant", tenant[0]] if tenant else [])))
            self.keys[name] = made["key"]
        elif word == "as":
            self.key = None if rest == "nobody" else self.keys[rest]
        elif word == "sql":
            name, _, statement = rest.partition(" ")
            database = sqlite3.connect(os.path.join(self.server.data, name))
            with database:
                database.execute(statement)
            database.close()
        elif word == "write":
            name, _, text = rest.partition(" ")
            with open(os.path.join(self.server.data, name), "w", encoding="utf-8") as file:
                file.write(text)
        elif word == "kill":
            self.server.end(signal.SIGKILL)
        elif word == "stop":
            self.server.end(signal.SIGTERM)
        else:
            raise Failure(f"'{word}' is no step")

    def expand(self, text):
        return re.sub(r"\$\{(\w+)\}", lambda found: text_of(self.saved[found.group(1)]), text)

    def ask(self, block):
        number, line = block[0]
        method, target = self.expand(line).split(" ", 1)
        headers, body = {}, []
        at = 1
        while at < len(block) and not body and (found := re.match(r"([A-Za-z][A-Za-z-]*):\s*(.*)$", block[at][1])):
            headers[found.group(1)] = self.expand(found.group(2))
            at += 1
        while at < len(block) and not block[at][1].startswith("-> "):
            body.append(self.expand(block[at][1]))
            at += 1
        if at == len(block):
            raise Failure(f"{self.path}:{number}: a request without '-> STATUS'")
        answer = self.send(method, target, headers, "\n".join(body))
        for line_number, text in block[at:]:
            if not self.holds(self.expand(text), answer):
                raise Failure(f"{self.path}:{line_number}: does not hold: {text}\n{answer[0]} {answer[2]}")

    def send(self, method, target, headers, body):
        self.server.start()
        data = body.encode("utf-8")
        lines = [f"{method} {target} HTTP/1.1"]
        if "Host" not in headers:
            lines.append(f"Host: localhost:{self.server.address[1]}")
        if self.key and "Authorization" not in headers:
            lines.append(f"Authorization: Bearer {self.key}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if data:
            lines.append(f"Content-Length: {len(data)}")
        with socket.create_connection(self.server.address, timeout=30) as connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8") + data)
            return receive(connection, method == "HEAD")

    def holds(self, text, answer):
        status, headers, body = answer
        words = text.split(" ", 2)
        if words[0] == "->":
            return status == int(words[1])
        if words[0] == "body":
            return (re.search(words[2], body, re.DOTALL) is not None) == (words[1] == "=~")
        if words[0] == "header":
            name, operator, wanted = text.split(" ", 3)[1:]
            value = headers.get(name.lower(), "")
            return value == wanted if operator == "==" else re.search(wanted, value) is not None
        if words[0] == "log":
            lines = [line for line in self.server.read_log().split("\n") if re.search(words[2], line)]
            return len(lines) == int(words[1])
        if words[0] == "save":
            path, name = text.split(" as ")
            self.saved[name] = member(json.loads(body), path.split(" ", 1)[1])
            return self.saved[name] is not ABSENT
        value = member(json.loads(body), words[0])
        if words[1] in ("exists", "absent"):
            return (value is ABSENT) == (words[1] == "absent")
        return COMPARE[words[1]](value, words[2])


def run_file(program, path):
    folder = tempfile.mkdtemp(prefix="precis-scenario-")
    scenario = Scenario(program, path, folder)
    try:
        scenario.run()
        scenario.server.end(signal.SIGTERM)
        return None
    except Failure as failure:
        return str(failure)
    except (OSError, ValueError, KeyError, subprocess.SubprocessError, re.error) as error:
        return f"{path}: {error!r}\n" + (scenario.server.read_log() if os.path.exists(scenario.server.log) else "")
    finally:
        if scenario.server.process:
            scenario.server.process.kill()
            scenario.server.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    program, *paths = sys.argv[1:]
    n_failed = 0
    for path in paths:
        failure = run_file(os.path.abspath(program), path)
        name = os.path.splitext(os.path.basename(path))[0]
        if failure:
            print(failure)
        print(f"[{'  FAILED  ' if failure else '       OK '}] {name}", flush=True)
        n_failed += failure is not None
    sys.exit(1 if n_failed else 0)


main()
