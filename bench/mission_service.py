# SPDX-License-Identifier: Apache-2.0
"""The peer of servers.py: a context builder as its design documents have it, a Python service with blocking drivers inside asyncio. Eight
retrievals through psycopg2 and redis-py "in parallel" by asyncio.gather, ranked by guessed tokens, formatted by f-strings; its own
statements over PostgreSQL with pgvector, TimescaleDB and Redis. One connection to each, as in the design.

Corrected only so far that it runs and says something: connections commit at once (otherwise NOW() would stand still from the first request
on), Redis entries are read as JSON rather than evaluated, ids are text as the tables have them, the newest price and state
of each is taken (the window holds hundreds), a retrieval that fails is an error and not nothing. The cache stays off, as in
the measurement of Precis. The query is embedded by Model2Vec with Precis's model.

usage: mission_service.py PORT     (with the python3 of a virtual environment that has what PACKAGES says)
       MAIN_URL, SERIES_URL, REDIS_URL say where the servers are
"""
import asyncio
import json
import os
import sys
from datetime import datetime, timedelta, timezone

PACKAGES = ["fastapi", "uvicorn[standard]", "model2vec", "tokenizers", "numpy", "psycopg2-binary", "pgvector", "redis"]
PRIORITY = ["recent_interactions", "user_profile", "semantic", "calendar", "tasks", "weather", "financial", "smart_home"]


class Retriever:
    def __init__(self, postgres, redis_client, timescale, model):
        from pgvector.psycopg2 import register_vector
        self.postgres, self.redis, self.timescale, self.model = postgres, redis_client, timescale, model
        register_vector(postgres)

    async def retrieve(self, query, user_id):
        embedding = self.model.encode([query])[0]
        found = await asyncio.gather(
            self.recent_interactions(user_id), self.user_profile(user_id), self.semantic(embedding, user_id), self.calendar(user_id),
            self.tasks(user_id), self.weather(user_id), self.financial(user_id), self.smart_home(user_id))
        return dict(zip(PRIORITY, found))

    async def semantic(self, embedding, user_id, limit=5):
        with self.postgres.cursor() as cursor:
            cursor.execute("""
                SELECT id, content, metadata, 1 - (embedding <=> %s::vector) AS similarity
                FROM knowledge_base
                WHERE user_id = %s
                ORDER BY embedding <=> %s::vector
                LIMIT %s
            """, (embedding, user_id, embedding, limit))
            return [{"id": row[0], "content": row[1], "metadata": row[2], "similarity": row[3]} for row in cursor.fetchall()]

    async def user_profile(self, user_id):
        with self.postgres.cursor() as cursor:
            cursor.execute("SELECT name, email, preferences, timezone, location FROM users WHERE id = %s", (user_id,))
            row = cursor.fetchone()
        return dict(zip(("name", "email", "preferences", "timezone", "location"), row)) if row else None

    async def calendar(self, user_id, days_ahead=7):
        end_date = datetime.now(timezone.utc) + timedelta(days=days_ahead)
        with self.postgres.cursor() as cursor:
            cursor.execute("""
                SELECT id, title, description, start_time, end_time, location
                FROM calendar_events
                WHERE user_id = %s AND start_time >= NOW() AND start_time <= %s
                ORDER BY start_time ASC
                LIMIT 20
            """, (user_id, end_date))
            return [{"id": row[0], "title": row[1], "description": row[2], "start_time": row[3].isoformat(),
                     "end_time": row[4].isoformat(), "location": row[5]} for row in cursor.fetchall()]

    async def tasks(self, user_id):
        with self.postgres.cursor() as cursor:
            cursor.execute("""
                SELECT id, title, description, priority, due_date, status
                FROM tasks
                WHERE user_id = %s AND status != 'completed'
                ORDER BY priority DESC, due_date ASC
                LIMIT 20
            """, (user_id,))
            return [{"id": row[0], "title": row[1], "description": row[2], "priority": row[3],
                     "due_date": row[4].isoformat() if row[4] else None, "status": row[5]} for row in cursor.fetchall()]

    async def recent_interactions(self, user_id, limit=10):
        return [json.loads(entry) for entry in self.redis.lrange(f"user:{user_id}:recent_interactions", 0, limit - 1)]

    async def weather(self, user_id):
        profile = await self.user_profile(user_id)
        if not profile or not profile.get("location"):
            return None
        with self.timescale.cursor() as cursor:
            cursor.execute("""
                SELECT time, temperature, humidity, conditions, forecast
                FROM weather_data
                WHERE location = %s AND time >= NOW() - INTERVAL '1 hour'
                ORDER BY time DESC
                LIMIT 1
            """, (profile["location"],))
            row = cursor.fetchone()
        return {"time": row[0].isoformat(), "temperature": row[1], "humidity": row[2], "conditions": row[3],
                "forecast": row[4]} if row else None

    async def financial(self, user_id):
        with self.postgres.cursor() as cursor:
            cursor.execute("SELECT DISTINCT symbol FROM user_watchlist WHERE user_id = %s", (user_id,))
            symbols = [row[0] for row in cursor.fetchall()]
        if not symbols:
            return None
        with self.timescale.cursor() as cursor:
            cursor.execute("""
                SELECT DISTINCT ON (symbol) symbol, time, price, change_percent
                FROM financial_data
                WHERE symbol = ANY(%s) AND time >= NOW() - INTERVAL '1 hour'
                ORDER BY symbol, time DESC
            """, (symbols,))
            return {"watchlist": [{"symbol": row[0], "time": row[1].isoformat(), "price": float(row[2]), "change_percent": float(row[3])}
                                  for row in cursor.fetchall()]}

    async def smart_home(self, user_id):
        with self.timescale.cursor() as cursor:
            cursor.execute("""
                SELECT DISTINCT ON (device_id) device_id, device_name, device_type, state, time
                FROM smart_home_states
                WHERE user_id = %s AND time >= NOW() - INTERVAL '1 hour'
                ORDER BY device_id, time DESC
            """, (user_id,))
            return {"devices": [{"device_id": row[0], "device_name": row[1], "device_type": row[2], "state": row[3],
                                 "time": row[4].isoformat()} for row in cursor.fetchall()]}


def truncate(context, max_tokens):
    if isinstance(context, list):
        kept, tokens = [], 0
        for item in context:
            tokens += len(str(item)) // 4
            if tokens > max_tokens:
                break
            kept.append(item)
        return kept
    return {key: str(value)[:max_tokens * 4] + "..." if len(str(value)) > max_tokens * 4 else value for key, value in context.items()}


def rank(context, max_tokens):
    ranked, tokens = {}, 0
    for name in PRIORITY:
        if context.get(name) is None:
            continue
        estimated = len(str(context[name])) // 4
        if tokens + estimated > max_tokens:
            if max_tokens - tokens > 100:
                ranked[name] = truncate(context[name], max_tokens - tokens)
            break
        ranked[name] = context[name]
        tokens += estimated
    return ranked


def format_profile(profile):
    return [f"{label}: {profile[key]}" for key, label in (("name", "Name"), ("timezone", "Timezone"), ("location", "Location"),
                                                           ("preferences", "Preferences")) if profile.get(key)]


FORMATS = {
    "recent_interactions": ("Recent Conversation", lambda turns: [f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns]),
    "user_profile": ("User Profile", format_profile),
    "semantic": ("Relevant Knowledge",
                 lambda items: [f"{i}. (Similarity: {item['similarity']:.2f}) {item['content']}" for i, item in enumerate(items, 1)]),
    "calendar": ("Upcoming Events", lambda events: [f"- {event['title']} at {event['start_time']}" for event in events]),
    "tasks": ("Active Tasks", lambda tasks: [f"- [{task['priority']}] {task['title']}" + (f" (Due: {task['due_date']})" if task["due_date"]
                                                                                          else "") for task in tasks]),
    "weather": ("Current Weather", lambda weather: [f"{key.capitalize()}: {weather[key]}" for key in ("temperature", "conditions", "forecast")
                                                    if weather.get(key)]),
    "financial": ("Financial Watchlist", lambda found: [f"- {price['symbol']}: ${price['price']:.2f} ({price['change_percent']:+.2f}%)"
                                                        for price in found["watchlist"]]),
    "smart_home": ("Smart Home Devices", lambda found: [f"- {device['device_name']}: {device['state']}" for device in found["devices"]]),
}


def format_context(context):
    sections = []
    for name in PRIORITY:
        if context.get(name):
            title, lines = FORMATS[name]
            sections.append("\n".join([f"## {title}", *lines(context[name])]))
    return "\n\n".join(sections)


def make_app():
    import embed
    import fastapi
    import psycopg2
    import redis
    postgres, timescale = (psycopg2.connect(os.environ[name]) for name in ("MAIN_URL", "SERIES_URL"))
    postgres.autocommit = timescale.autocommit = True
    retriever = Retriever(postgres, redis.Redis.from_url(os.environ["REDIS_URL"]), timescale, embed.make_peer())
    app = fastapi.FastAPI()

    @app.post("/context")
    async def context(request: fastapi.Request):
        body = await request.json()
        found = await retriever.retrieve(body["query"], body["params"]["user_id"])
        return {"context": format_context(rank(found, body["max_tokens"])), "sections": [name for name in PRIORITY if found[name]]}

    @app.get("/healthz")
    async def health():
        return {}

    return app


if __name__ == "__main__":
    import uvicorn
    uvicorn.run("mission_service:make_app", factory=True, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False,
                timeout_keep_alive=3600)
