# SPDX-License-Identifier: Apache-2.0
"""The rows of servers.py: some users with a great deal of knowledge and their plans, and what is measured over time, for the tables
of data/assistant/postgres."""
import json
import os
import random
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

from measure import made_up_texts

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SYMBOLS = [f"S{i:02}" for i in range(20)]
N_EVENTS, N_TASKS, N_TURNS, N_DEVICES, N_WATCHED = 40, 60, 50, 12, 5
PRICE_MINUTES, STATE_MINUTES, WEATHER_MINUTES = 1, 15, 10
HOURS = 24


DEVICE, DEVICE_USER = "7d9f4c3e-5b1a-4e86-9f0d-2c6a81b4e573", "sam"  # of data/device/sample-fleet.sql
N_DEVICES_BESIDE = 1000


def user_ids(n_users):
    return [f"user-{i + 1}" for i in range(n_users)]


def location(user):
    return f"Town of {user}"


def copy(table, columns, rows):
    """A COPY of psql; rows are lists, None for NULL."""
    def cell(value):
        if value is None:
            return "\\N"
        if isinstance(value, (dict, list)):
            value = json.dumps(value)
        return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    lines = ["\t".join(cell(value) for value in row) for row in rows]
    return "\n".join([f"COPY {table} ({', '.join(columns)}) FROM STDIN;", *lines, "\\.", ""])


def embed(program, texts):
    out = subprocess.run([program, "embed"], input="\n".join(texts), capture_output=True, text=True, check=True).stdout
    return ["[" + ",".join(line.split(" ")[1:]) + "]" for line in out.rstrip("\n").split("\n")]


def knowledge(program, users, n_rows):
    texts = made_up_texts(n_rows, 8, 30)
    vectors = embed(program, texts)
    for user in users:
        # The same texts for each: a filter that does not filter would be seen, as each has the nearest of all.
        yield from ([user, text, {"source": "bench"}, vector] for text, vector in zip(texts, vectors))


def main_rows(program, users, n_rows, now):
    rng = random.Random(3)
    yield copy("users", ["id", "name", "email", "preferences", "timezone", "location"],
               [[user, f"Name of {user}", f"{user}@example.org", {"units": "metric", "language": "en"}, "Europe/Warsaw", location(user)]
                for user in users])
    yield copy("calendar_events", ["user_id", "title", "description", "start_time", "end_time", "location"],
               [[user, f"Meeting {i}", "About what was said last time.", now + timedelta(hours=6 * i + 1), now + timedelta(hours=6 * i + 2),
                 f"Room {i % 7}"] for user in users for i in range(-N_EVENTS // 2, N_EVENTS)])
    yield copy("tasks", ["user_id", "title", "description", "priority", "due_date", "status"],
               [[user, f"Task {i}", "As agreed.", rng.choice(["low", "medium", "high", "urgent"]), (now + timedelta(days=i % 20)).date(),
                 rng.choice(["pending", "in_progress", "completed", "cancelled"])] for user in users for i in range(N_TASKS)])
    yield copy("user_watchlist", ["user_id", "symbol", "asset_type"],
               [[user, symbol, "stock"] for user in users for symbol in rng.sample(SYMBOLS, N_WATCHED)])
    yield copy("knowledge_base", ["user_id", "content", "metadata", "embedding"], knowledge(program, users, n_rows))


def series_rows(users, now):
    rng = random.Random(5)

    def steps(minutes):  # from the oldest to now, and on for an hour, so that a long run has fresh rows
        return [now + timedelta(minutes=minutes * i) for i in range(-HOURS * 60 // minutes, 60 // minutes + 1)]
    yield copy("weather_data", ["time", "location", "temperature", "humidity", "conditions", "forecast"],
               [[time, location(user), round(rng.gauss(12, 6), 1), rng.randrange(30, 100), "Cloudy",
                 [{"day": "tomorrow", "summary": "Rain", "low": 4, "high": 9}]] for time in steps(WEATHER_MINUTES) for user in users])
    yield copy("financial_data", ["time", "symbol", "price", "volume", "change_percent"],
               [[time, symbol, round(rng.uniform(10, 400), 4), rng.randrange(10_000), round(rng.gauss(0, 2), 2)]
                for time in steps(PRICE_MINUTES) for symbol in SYMBOLS])
    yield copy("smart_home_states", ["time", "user_id", "device_id", "device_name", "device_type", "state"],
               [[time, user, f"{user}-device-{i}", f"Lamp {i}", "light", {"power": rng.choice(["on", "off"]), "level": rng.randrange(100)}]
                for time in steps(STATE_MINUTES) for user in users for i in range(N_DEVICES)])
    yield "ANALYZE;\n"


def turns(n):
    return [json.dumps({"role": "user" if i % 2 else "assistant", "content": f"What was said in turn {i}, and it was not little."})
            for i in range(n)]


def run_psql(psql, url, parts):
    """SQL texts through psql's standard input, which COPY reads its rows from."""
    done = subprocess.run([psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", url], input="".join(parts), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"servers: psql: {done.stderr}")


def read(*parts):
    with open(os.path.join(ROOT, "data", *parts), encoding="utf-8") as file:
        return file.read()


def schema(name, dims):
    return read("assistant", "postgres", name).replace("EMBED_DIMS", str(dims))


def fill(program, facts, n_users, n_rows):
    """Makes the tables and their rows; the users' ids."""
    users, now = user_ids(n_users), datetime.now(timezone.utc)
    dims = len(embed(program, ["one"])[0].split(","))
    main = schema("main.sql", dims)
    # The index is built once all rows are there, which takes a fraction of the time.
    run_psql(facts["PSQL"], facts["POSTGRES_URL"],
             [main, "DROP INDEX idx_knowledge_base_embedding;\n", *main_rows(program, users, n_rows, now),
              "SET maintenance_work_mem = '256MB';\n", main, "ANALYZE;\n"])
    run_psql(facts["PSQL"], facts["TIMESCALE_URL"], [schema("series.sql", dims), *series_rows(users, now)])
    commands = [["DEL", f"user:{user}:recent_interactions"] for user in users]
    commands += [["LPUSH", f"user:{user}:recent_interactions", turn] for user in users for turn in turns(N_TURNS)]
    # One string a line: redis-cli reads it the same way as a shell's words in quotes.
    text = "\n".join(" ".join(json.dumps(word) for word in command) for command in commands)
    subprocess.run([facts["REDIS_CLI"], "-u", facts["REDIS_URL"]], input=text, capture_output=True, text=True, check=True)
    return users


def fill_qdrant(program, folder, settings, users, n_rows):
    """The same knowledge, by `precis vector load`."""
    path, config = os.path.join(folder, "knowledge.jsonl"), os.path.join(folder, "load.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(settings)
    with open(path, "w", encoding="utf-8") as file:
        for user in users:
            for i, text in enumerate(made_up_texts(n_rows, 8, 30)):
                file.write(json.dumps({"id": f"{user}-{i}", "content": text, "user_id": user}) + "\n")
    done = subprocess.run([program, "--config", config, "--data", os.path.join(folder, "data"), "vector", "load", "qdrant", "knowledge", path,
                           "--create"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"servers: {done.stderr}")


def wait_for_qdrant(facts, wait_s=180):
    """Until its index is built over what was loaded."""
    request = urllib.request.Request(facts["QDRANT_URL"] + "/collections/knowledge", headers={"api-key": facts["QDRANT_KEY"]})
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        with urllib.request.urlopen(request, timeout=30) as answer:
            if json.load(answer)["result"]["status"] == "green":
                return
        time.sleep(0.5)
    print("servers: Qdrant still builds its index", file=sys.stderr)


# What other devices wrote, so that the one that is asked for has to be found.
FLEET_BESIDE = f"""
INSERT INTO devices (id, site_id, name, status) SELECT 10000 + i, 902, 'Device ' || i, 'online' FROM generate_series(1, {N_DEVICES_BESIDE}) i;
INSERT INTO health_checks (device_id, time, is_healthy, latency_ms)
SELECT 10000 + i, now() - n * interval '10 minutes', TRUE, 20 + n % 9 FROM generate_series(1, {N_DEVICES_BESIDE}) i, generate_series(0, 143) n;
INSERT INTO error_logs (device_id, time, severity, category, code, message)
SELECT 10000 + i, now() - n * interval '37 minutes', 'error', 'network', 'E' || n % 7, 'No answer from the host, attempt ' || n
FROM generate_series(1, {N_DEVICES_BESIDE}) i, generate_series(0, 99) n;
INSERT INTO api_request_logs (device_id, site_id, time, method, endpoint, status_code, response_time_ms)
SELECT 10000 + i, 902, now() - n * interval '20 minutes', 'POST', '/v1/sync', 200 + n % 4 * 100, n FROM generate_series(1, {N_DEVICES_BESIDE}) i,
generate_series(0, 59) n;
INSERT INTO audit_logs (device_id, site_id, time, event_type, description)
SELECT 10000 + i, 902, now() - n * interval '1 hour', 'login', 'Somebody logged in' FROM generate_series(1, {N_DEVICES_BESIDE}) i, generate_series(0, 19) n;
ANALYZE;
"""


def fill_fleet(facts):
    """The sample fleet in a database of its own, among many devices."""
    run_psql(facts["PSQL"], facts["POSTGRES_URL"], ["CREATE DATABASE fleet;"])
    url = urllib.parse.urlsplit(facts["POSTGRES_URL"])._replace(path="/fleet").geturl()
    run_psql(facts["PSQL"], url, [read("device", "postgres", "fleet.sql"), read("postgres", "sample-times.sql"), read("device", "sample-fleet.sql"),
                                  FLEET_BESIDE])
