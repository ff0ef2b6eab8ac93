# SPDX-License-Identifier: Apache-2.0
"""What eval.py asks: Precis through its public API, and the peers a user could put together in Python.

An engine has a name and load(conversation), search(text) -> ids of items, best first, context(text, budget) -> a text of at
most so many tokens, or None when it builds none, and forget() of what it has loaded.
"""
import array
import os
import re
import sqlite3
import subprocess

from precis_server import Refused

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 50
BATCH = 500
TOKENIZER = "o200k_base"


class Precis:
    name = "precis"

    def __init__(self, client, mode="hybrid", recipe="chat", prefix=""):
        self.client, self.mode, self.recipe, self.prefix = client, mode, recipe, prefix
        self.no_context = None  # why there is none

    def load(self, conversation):
        self.user, self.items = self.prefix + conversation.id, {}
        for start in range(0, len(conversation.items), BATCH):
            batch = conversation.items[start:start + BATCH]
            answer = self.client.call("POST", "/memory/add", {"items": [
                {"content": item.content, "user_id": self.user, "source": item.source, "created_at": item.created_at,
                 "metadata": item.metadata} for item in batch]})
            self.items.update(zip(answer["ids"], (item.id for item in batch)))

    def search(self, text):
        results = self.client.search(query=text, limit=LIMIT, user_id=self.user, mode=self.mode)
        return [self.items[found["id"]] for found in results]

    def context(self, text, budget):
        if self.no_context:
            return None
        try:
            return self.client.call("POST", "/v1/context", {
                "recipe": self.recipe, "query": text, "max_tokens": budget, "tokenizer": TOKENIZER, "cache": "off",
                "params": {"user_id": self.user}})["context"]
        except Refused as refused:
            if refused.status != 404:
                raise
            self.no_context = str(refused)
            return None

    def forget(self):
        """Leaves a server that is not ours as it was found; our own goes whole."""
        ids = list(self.items) if self.prefix else []
        for start in range(0, len(ids), BATCH):
            self.client.call("POST", "/memory/forget", {"user_id": self.user, "ids": ids[start:start + BATCH]})


def stop_words():
    """Those of the analyzer: the peer must not lose for another list."""
    with open(os.path.join(ROOT, "src", "text", "stop_words.c"), encoding="utf-8") as file:
        return set(re.findall(r'"(\w+)"[,\s]', file.read()))


class Fts5:
    """SQLite's full-text search as people use it: Porter stems, any of the words, bm25's order."""

    name = "fts5"

    def __init__(self, program):
        self.program, self.stop_words = program, stop_words()

    def load(self, conversation):
        self.ids = [item.id for item in conversation.items]
        self.texts = [item.content for item in conversation.items]
        self.db = sqlite3.connect(":memory:")
        self.db.execute("CREATE VIRTUAL TABLE items USING fts5(content, tokenize='porter unicode61')")
        self.db.executemany("INSERT INTO items(rowid, content) VALUES (?, ?)", enumerate(self.texts))
        self.tokens = None

    def rows(self, text):
        words = [word for word in re.findall(r"\w+", text.lower()) if word not in self.stop_words]
        query = " OR ".join(f'"{word}"' for word in words)
        found = self.db.execute("SELECT rowid FROM items WHERE items MATCH ? ORDER BY rank LIMIT ?", (query, LIMIT)) if words else ()
        return [row for row, in found]

    def search(self, text):
        return [self.ids[row] for row in self.rows(text)]

    def context(self, text, budget):
        """Whole texts in its order while they fit, a line feed between them."""
        self.tokens = self.tokens or count_tokens(self.program, self.texts)
        kept = []
        for row in self.rows(text):
            if self.tokens[row] + 1 <= budget:
                budget -= self.tokens[row] + 1
                kept.append(self.texts[row])
        return "\n".join(kept)

    def forget(self):
        self.db.close()


def one_line(text):
    return " ".join(text.split())


def run_lines(program, arguments, texts):
    lines = "\n".join(map(one_line, texts)) + "\n"
    done = subprocess.run([program, *arguments], input=lines, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def count_tokens(program, texts):
    return [int(line) for line in run_lines(program, ["tokens", "--lines", "--tokenizer", TOKENIZER], texts)]


def embed(program, texts):
    vectors = [array.array("f", map(float, line.split()[1:])) for line in run_lines(program, ["embed"], texts)]
    return [vector.tobytes() for vector in vectors], len(vectors[0])


class Fts5Vec(Fts5):
    """FTS5 and sqlite-vec over the embeddings of Precis, joined by reciprocal ranks: the usual recipe."""

    name = "fts5+sqlite-vec"
    RANK_CONSTANT = 60

    def __init__(self, program, extension):
        super().__init__(program)
        self.extension, self.vectors = extension, {}

    def load(self, conversation):
        super().load(conversation)
        self.db.enable_load_extension(True)
        self.db.load_extension(self.extension)
        rows, n_dims = embed(self.program, self.texts)
        self.db.execute(f"CREATE VIRTUAL TABLE vectors USING vec0(vector float[{n_dims}] distance_metric=cosine)")
        self.db.executemany("INSERT INTO vectors(rowid, vector) VALUES (?, ?)", enumerate(rows))
        questions = [question.text for question in conversation.questions]
        self.vectors = dict(zip(questions, embed(self.program, questions)[0])) if questions else {}

    def rows(self, text):
        near = self.db.execute("SELECT rowid FROM vectors WHERE vector MATCH ? AND k = ? ORDER BY distance", (self.vectors[text], LIMIT))
        scores = {}
        for ranking in (super().rows(text), [row for row, in near]):
            for rank, row in enumerate(ranking, 1):
                scores[row] = scores.get(row, 0) + 1 / (self.RANK_CONSTANT + rank)
        return sorted(scores, key=scores.get, reverse=True)[:LIMIT]


def find_sqlite_vec(folder):
    """vec0.so from npm, fetched into `folder` once; or SystemExit's sentence why not."""
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        raise LookupError("this Python's sqlite3 loads no extensions: try PYTHON=/usr/bin/python3")
    for path, _, files in os.walk(folder):
        if "vec0.so" in files:
            return os.path.join(path, "vec0.so")
    os.makedirs(folder, exist_ok=True)
    try:
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, "sqlite-vec"], check=True,
                       capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LookupError(f"sqlite-vec cannot be had from npm: {error}") from None
    return find_sqlite_vec(folder)
