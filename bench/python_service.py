# SPDX-License-Identifier: Apache-2.0
"""The peer: what an engineer writes by hand for the same job, on the same SQLite files.

Eight fetches one after the other through the blocking sqlite3 driver, full-text search by FTS5, text put together with
f-strings, tokens guessed as len // 4. Used in process by bench.py: no HTTP in its figures.
"""
import json
import re
import sqlite3


class ContextBuilder:
    def __init__(self, folder):
        self.main = sqlite3.connect(f"file:{folder}/main.db?mode=ro", uri=True)
        self.series = sqlite3.connect(f"file:{folder}/series.db?mode=ro", uri=True)
        self.store = sqlite3.connect(f"file:{folder}/precis.db?mode=ro", uri=True)
        for db in (self.main, self.series, self.store):
            db.row_factory = sqlite3.Row
        self.fts = sqlite3.connect(":memory:")
        self.fts.execute("CREATE VIRTUAL TABLE knowledge USING fts5(content, tokenize='porter unicode61')")
        rows = self.store.execute("SELECT content FROM knowledge WHERE user_id = 'demo'").fetchall()
        self.fts.executemany("INSERT INTO knowledge(content) VALUES (?)", [(row[0],) for row in rows])
        self.fts.commit()

    def sections(self, query, user):
        words = " OR ".join(re.findall(r"\w+", query)) or '""'
        turns = self.store.execute("SELECT role, content FROM conversations WHERE user_id = ? ORDER BY row DESC LIMIT 10",
                                   (user,)).fetchall()
        yield "Recent Conversation", [f"{r['role'].capitalize()}: {r['content']}" for r in reversed(turns)]
        profile = self.main.execute("SELECT name, timezone, location, preferences FROM users WHERE id = ?",
                                    (user,)).fetchone()
        yield "User Profile", [f"{key}: {profile[key]}" for key in profile.keys() if profile[key]] if profile else []
        yield "Relevant Knowledge", [f"- {r[0]}" for r in self.fts.execute(
            "SELECT content FROM knowledge WHERE knowledge MATCH ? ORDER BY rank LIMIT 5", (words,))]
        yield "Upcoming Events", [f"- {r['title']} at {r['start_time']}" for r in self.main.execute(
            "SELECT title, start_time FROM calendar_events WHERE user_id = ? AND start_time >= datetime('now')"
            " AND start_time <= datetime('now', '+7 days') ORDER BY start_time LIMIT 20", (user,))]
        yield "Active Tasks", [f"- [{r['priority']}] {r['title']} {r['due_date'] or ''}" for r in self.main.execute(
            "SELECT title, priority, due_date FROM tasks WHERE user_id = ? AND status IN ('pending', 'in_progress')"
            " ORDER BY CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, due_date"
            " LIMIT 20", (user,))]
        if profile and profile["location"]:
            yield "Current Weather", [f"{r['temperature']} {r['conditions']}" for r in self.series.execute(
                "SELECT temperature, conditions FROM weather_data WHERE location = ? ORDER BY time DESC LIMIT 1",
                (profile["location"],))]
        symbols = [r[0] for r in self.main.execute("SELECT symbol FROM user_watchlist WHERE user_id = ?", (user,))]
        if symbols:
            marks = ",".join("?" * len(symbols))
            prices = self.series.execute(
                "SELECT symbol, price, change_percent FROM (SELECT *, row_number() OVER (PARTITION BY symbol ORDER BY"
                f" time DESC) AS place FROM financial_data WHERE symbol IN ({marks})) WHERE place = 1", symbols)
            yield "Financial Watchlist", [f"- {r['symbol']}: {r['price']} ({r['change_percent']}%)" for r in prices]
        yield "Smart Home Devices", [f"- {r['device_name']}: {r['state']}" for r in self.series.execute(
            "SELECT device_name, state FROM (SELECT *, row_number() OVER (PARTITION BY device_id ORDER BY time DESC)"
            " AS place FROM smart_home_states WHERE user_id = ?) WHERE place = 1", (user,))]

    def build(self, query, user, max_tokens):
        text, used = [], 0
        for title, items in self.sections(query, user):
            if not items:
                continue
            section = f"## {title}\n" + "\n".join(items)
            if used + len(section) // 4 > max_tokens:
                break
            used += len(section) // 4
            text.append(section)
        return json.dumps({"context": "\n\n".join(text), "tokens": used})
