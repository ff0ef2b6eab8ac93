# SPDX-License-Identifier: Apache-2.0
"""The peer of whole.py: a small memory server as one writes it in Python today. FastAPI on uvicorn, SQLite FTS5 and sqlite-vec in one
file, embeddings by Model2Vec (the same model as Precis's), both lists joined by reciprocal ranks, whole texts packed while they fit.

usage: python_server.py PORT FOLDER [WORKERS]     (with the python3 of a virtual environment that has what PACKAGES says)
"""
import os
import re
import sqlite3
import sys
import time

PACKAGES = ["fastapi", "uvicorn[standard]", "model2vec", "tokenizers", "sqlite-vec"]
LIMIT = 50
RANK_CONSTANT = 60
STOP_WORDS = set("a about all an and any are as at be been but by can could did do does for from had has have how i if in into is it its "
                 "me more my no not of on or our out should so some than that the their them then there these they this to was we were "
                 "what when where which who why will with would you your".split())
TWENTY_ITEMS = [{"id": i, "content": "x" * 200} for i in range(20)]


class Store:
    def __init__(self, folder):
        import sqlite_vec

        import embed
        self.model = embed.make_peer()
        self.db = sqlite3.connect(os.path.join(folder, "peer.db"), isolation_level=None, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.enable_load_extension(True)
        sqlite_vec.load(self.db)
        self.db.execute("CREATE TABLE IF NOT EXISTS items(id INTEGER PRIMARY KEY, content TEXT, created_at TEXT)")
        self.db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(content, content='items', content_rowid='id', tokenize='porter unicode61')")
        n_dims = self.embed(["a"]).shape[1]
        self.db.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS vectors USING vec0(vector float[{n_dims}] distance_metric=cosine)")

    def embed(self, texts):
        return self.model.encode(texts)

    def add(self, texts):
        """All in one commit; how long embedding, inserting and committing took."""
        times = [time.perf_counter()]
        vectors = self.embed(texts)
        times.append(time.perf_counter())
        self.db.execute("BEGIN")
        first = self.db.execute("SELECT coalesce(max(id), 0) + 1 FROM items").fetchone()[0]
        self.db.executemany("INSERT INTO items(id, content, created_at) VALUES (?, ?, datetime('now'))", enumerate(texts, first))
        self.db.executemany("INSERT INTO words(rowid, content) VALUES (?, ?)", enumerate(texts, first))
        times.append(time.perf_counter())
        self.db.executemany("INSERT INTO vectors(rowid, vector) VALUES (?, ?)", ((first + i, v.tobytes()) for i, v in enumerate(vectors)))
        times.append(time.perf_counter())
        self.db.execute("COMMIT")
        times.append(time.perf_counter())
        return dict(zip(("embed_ms", "fts_ms", "vec_ms", "commit_ms"), ((b - a) * 1e3 for a, b in zip(times, times[1:]))))

    def find(self, query):
        words = [word for word in re.findall(r"\w+", query.lower()) if word not in STOP_WORDS]
        lists = []
        if words:
            match = " OR ".join(f'"{word}"' for word in words)
            lists.append(self.db.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", (match, LIMIT)).fetchall())
        vector = self.embed([query])[0].tobytes()
        lists.append(self.db.execute("SELECT rowid FROM vectors WHERE vector MATCH ? AND k = ? ORDER BY distance", (vector, LIMIT)).fetchall())
        scores = {}
        for found in lists:
            for rank, (row,) in enumerate(found, 1):
                scores[row] = scores.get(row, 0) + 1 / (RANK_CONSTANT + rank)
        best = sorted(scores, key=scores.get, reverse=True)[:LIMIT]
        marks = ",".join("?" * len(best))
        texts = dict(self.db.execute(f"SELECT id, content FROM items WHERE id IN ({marks})", best))
        return [(row, texts[row], scores[row]) for row in best]

    def context(self, query, max_tokens):
        lines, used = ["## Relevant Knowledge"], 6
        for _, text, _ in self.find(query):
            cost = len(text) // 4 + 2
            if used + cost <= max_tokens:
                used += cost
                lines.append("- " + text)
        return {"context": "\n".join(lines), "tokens": used}


def make_app():
    import fastapi
    app = fastapi.FastAPI()
    store = Store(os.environ["PEER_FOLDER"])

    # Plain coroutines: a hand-over to a thread for each request would cost more than it saves.
    @app.post("/add")
    async def add(request: fastapi.Request):
        return store.add([item["content"] for item in (await request.json())["items"]])

    @app.get("/search")
    async def search(query: str):
        return {"results": [{"id": row, "content": text, "score": score} for row, text, score in store.find(query)]}

    @app.post("/context")
    async def context(request: fastapi.Request):
        body = await request.json()
        return store.context(body["query"], body["max_tokens"])

    @app.get("/items")
    async def items():
        return {"items": TWENTY_ITEMS}

    return app


def main():
    import uvicorn
    port, folder, *workers = sys.argv[1:]
    os.environ["PEER_FOLDER"] = folder
    uvicorn.run("python_server:make_app", factory=True, host="127.0.0.1", port=int(port), workers=int(workers[0]) if workers else 1,
                log_level="error", access_log=False, timeout_keep_alive=3600)


if __name__ == "__main__":
    main()
