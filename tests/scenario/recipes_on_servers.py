#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/recipes-on-servers.md, word by word, on five real servers: every section of `assistant` and `device` has something to say."""
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
import uuid

import cases
from cases import servers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEVICE = "7d9f4c3e-5b1a-4e86-9f0d-2c6a81b4e573"
ASSISTANT = ["recent_interactions", "user_profile", "semantic", "calendar", "tasks", "weather", "financial", "smart_home"]
DEVICE_SECTIONS = ["metadata", "site", "state", "errors", "jobs", "config", "memory", "api", "push", "audit", "user", "knowledge"]


def database(url, name):
    """A database of that name on the server, by its URL."""
    shell = [servers.said("PSQL"), url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", f'CREATE DATABASE "{name}"']
    subprocess.run(shell, check=True, capture_output=True, timeout=60)
    return re.sub(r"(//[^/]*/)[^?]*", rf"\g<1>{name}", url)


def drop(url, name):
    subprocess.run([servers.said("PSQL"), url, "-X", "-q", "-c", f'DROP DATABASE "{name}" WITH (FORCE)'], check=True, capture_output=True, timeout=60)


class Page:
    """The page's blocks over databases of this run's own."""

    def __init__(self, world, incidents):
        with open(os.path.join(ROOT, "docs/recipes-on-servers.md"), encoding="utf-8") as file:
            text = file.read()
        self.world = world
        self.blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        self.config = re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1)
        self.postgres, self.timescale = servers.shared("postgres"), servers.shared("timescale")
        self.name = "precis_" + uuid.uuid4().hex[:12]
        self.env = dict(world.env, INCIDENTS_URL=incidents, PROJECT=ROOT, REDIS_URL=re.sub(r"/\d+$", "/7", servers.shared("redis")),
                        MAIN_URL=database(self.postgres, self.name + "_main"), FLEET_URL=database(self.postgres, self.name + "_fleet"),
                        SERIES_URL=database(self.timescale, self.name), PRECIS=world.program)
        for name in ("data", "recipes"):
            os.symlink(os.path.join(ROOT, name), world.path(name))
        os.mkdir(world.path("bin"))
        os.symlink(world.program, world.path("bin/precis"))
        os.symlink(servers.said("REDIS_CLI"), world.path("bin/redis-cli"))
        os.symlink(servers.said("PSQL"), world.path("bin/psql"))
        self.env["PATH"] = world.path("bin") + ":" + self.env["PATH"]
        world.env = self.env
        world.write("precis.yaml", self.config)

    def run(self, block):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=self.world.folder, env=self.env, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, f"{block}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def close(self):
        drop(self.postgres, self.name + "_main")
        drop(self.postgres, self.name + "_fleet")
        drop(self.timescale, self.name)


def ask(url, **request):
    request = {"cache": "off", "deadline_ms": 30000, **request}
    call = urllib.request.Request(url + "/v1/context", data=json.dumps(request).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(call, timeout=60) as answer:
        return json.load(answer)


def check(answer, names):
    states = {section["name"]: section["status"] for section in answer["sections"] if section["status"] != "skipped"}
    assert states == {name: "ok" for name in names}, answer
    assert answer["complete"] and answer["tokens"] <= answer["max_tokens"], answer
    assert "hunter2" not in answer["context"] and "s3cr3t" not in answer["context"] and "V3ry" not in answer["context"], answer["context"]


def ask_all(url):
    check(ask(url, recipe="assistant", params={"user_id": "demo"}, query="What did we decide about conflicts?"), ASSISTANT)
    whole = ask(url, recipe="device", params={"device_id": DEVICE, "user_id": "sam"}, query="Why does Till 3 keep going offline?")
    check(whole, DEVICE_SECTIONS)
    for told in ("Till 3", "FLAPPING", "Incident 2231", "mqtt.keepalive_s: 60 -> 15", "mqtt.password: [redacted:password]", "Sam Okoro"):
        assert told in whole["context"], (told, whole["context"])
    for name in DEVICE_SECTIONS:
        check(ask(url, recipe="device", params={"device_id": DEVICE, "user_id": "sam"}, query="offline", sections=[name]), [name])
    fleet = [name for name in DEVICE_SECTIONS if name not in ("metadata", "site", "user")]
    check(ask(url, recipe="device", query="Which devices have trouble?"), fleet)


def both_recipes(world, incidents):
    page = Page(world, incidents)
    try:
        for block in page.blocks[1:4]:
            page.run(block)
        page.run(page.blocks[2])  # doing it again renews it
        server = subprocess.Popen([world.program, "serve", "--listen", "127.0.0.1:0"], cwd=world.folder, env=world.env,
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            ask_all(re.search(r"http://\S+", server.stderr.readline()).group(0))
        finally:
            server.send_signal(signal.SIGTERM)
            _, err = server.communicate(timeout=60)
        assert server.returncode == 0, err
    finally:
        page.close()


def case_all_sections_with_chroma(world):
    both_recipes(world, "chroma+" + servers.shared("chroma"))


def case_past_incidents_in_qdrant(world):
    url = servers.shared("qdrant")
    key = servers.said("QDRANT_KEY")
    page = Page(world, "unused")
    try:
        config = page.config.replace("incidents: ${INCIDENTS_URL}", f'incidents: {{ url: "qdrant+{url}", key: "{key}" }}')
        world.write("precis.yaml", config)
        world.run("init")
        page.run(page.blocks[1])
        page.run(page.blocks[2])
        answer = world.json("build", "--recipe", "device", "--param", f"device_id={DEVICE}", "--sections", "memory", "--deadline-ms", "30000")
        check(answer, ["memory"])
        assert "Incident 2231" in answer["context"], answer
    finally:
        page.close()


def case_past_incidents_in_pgvector(world):
    page = Page(world, "unused")
    try:
        world.write("precis.yaml", page.config.replace("incidents: ${INCIDENTS_URL}", "incidents_sql: ${FLEET_URL}"))
        world.run("init")
        page.run(page.blocks[1])
        page.run("\n".join(line for line in page.blocks[2].splitlines() if "sample-fleet" in line))
        page.run(page.blocks[4])
        for more in (["--query", "Why does it lose its connection after an update?"], []):
            answer = world.json("build", "--recipe", "device", "--param", f"device_id={DEVICE}", "--sections", "memory", "--deadline-ms", "30000", *more)
            check(answer, ["memory"])
            assert "Incident 2231" in answer["context"], answer
    finally:
        page.close()


cases.main(sys.modules[__name__])
