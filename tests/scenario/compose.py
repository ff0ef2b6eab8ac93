#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What docker-compose.yml promises: nothing reachable from outside, no password in it, nothing that changes by itself.

Compose itself checks the file where it is installed; no container is started. What a database runs when it begins is run on a server of the tests.
"""
import os
import re
import shutil
import subprocess
import sys
import uuid

import cases
import servers

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SECRETS = ("POSTGRES_PASSWORD", "TIMESCALE_PASSWORD", "REDIS_PASSWORD", "QDRANT_API_KEY")
PROFILES = {"qdrant": ["qdrant"], "chroma": ["chroma"]}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def composition():
    try:
        import yaml
    except ImportError as error:
        raise servers.Lacking("python3-yaml, to read docker-compose.yml") from error
    return yaml.safe_load(read("docker-compose.yml"))


def services():
    return composition()["services"].items()


def compose():
    """The command that is there: a plugin of docker's, or a program of its own."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0:
            return command
    raise servers.Lacking("neither `docker compose` nor docker-compose is installed: the file was not checked by Compose itself")


def config(env):
    command = [*compose(), "-f", os.path.join(ROOT, "docker-compose.yml"), "--profile", "qdrant", "--profile", "chroma", "config"]
    if command[0] == "docker-compose":
        command = [part for part in command if part not in ("--profile", "qdrant", "chroma")]
        env = dict(env, COMPOSE_PROFILES="qdrant,chroma")
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def environment(world, **values):
    # An empty .env beside the file must not matter, nor what the caller has set.
    return {name: value for name, value in world.env.items() if name not in SECRETS and not name.startswith("HOST_PORT_")} | values


def case_compose_accepts_the_file_with_its_profiles(world):
    done = config(environment(world, **{name: f"pw{i}" for i, name in enumerate(SECRETS)}))
    assert done.returncode == 0, done.stderr
    for name in ("precis", "postgres", "timescale", "redis", "qdrant", "chroma"):
        assert f"  {name}:\n" in done.stdout, name
    assert "requirepass" in done.stdout and "pw2" in done.stdout


def case_a_missing_password_stops_compose_and_says_why(world):
    compose()
    if os.path.exists(os.path.join(ROOT, ".env")):
        raise servers.Lacking("there is a .env beside docker-compose.yml, which Compose reads")
    for missing in SECRETS:
        done = config(environment(world, **{name: "pw" for name in SECRETS if name != missing}))
        assert done.returncode != 0 and missing in done.stderr and ".env.example" in done.stderr, (missing, done.stderr)


def case_every_port_is_on_loopback_alone(_):
    for name, service in services():
        assert "network_mode" not in service, name
        for port in service.get("ports", []):
            assert isinstance(port, str) and re.fullmatch(r"127\.0\.0\.1:\$\{HOST_PORT_[A-Z]+:-\d+\}:\d+", port), f"{name}: {port}"


def case_every_service_says_whether_it_is_well(_):
    for name, service in services():
        check = service["healthcheck"]
        assert check["test"][0] in ("CMD", "CMD-SHELL") and check["timeout"] and check["retries"], name


def case_no_password_stands_in_the_file(_):
    for name, service in services():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|TOKEN|SECRET", variable):
                assert re.fullmatch(r"\$\{[A-Z_]+:\?[^}]+\}", value), f"{name}: {variable} has a value or a default"
    text = read("docker-compose.yml") + read("packaging", "precis.compose.yaml")
    assert not re.search(r"://[^/\s$]*:[^$@/\s]+@", text)
    for line in read(".env.example").split("\n"):
        assert not re.match(r"[A-Z_]*(PASSWORD|KEY)=.", line), line


def case_every_image_is_pinned(_):
    images = [service["image"] for _, service in services()] + re.findall(r"^FROM (\S+)", read("Dockerfile"), re.MULTILINE)
    for image in images:
        assert re.search(r":v?\d+\.\d+[\w.-]*$", image) and "latest" not in image, image


def case_nothing_gains_privileges_and_precis_can_write_its_data_alone(_):
    for name, service in services():
        assert service["security_opt"] == ["no-new-privileges:true"] and "privileged" not in service, name
    precis = composition()["services"]["precis"]
    assert precis["read_only"] is True and precis["cap_drop"] == ["ALL"] and precis["user"] == "10001:10001"
    assert re.search(r"^USER 10001", read("Dockerfile"), re.MULTILINE)
    assert all(volume.endswith(":ro") or volume.startswith("precis-data:") for volume in precis["volumes"])


def case_data_lies_in_named_volumes(_):
    volumes = composition()["volumes"]
    used = [volume.split(":")[0] for _, service in services() for volume in service["volumes"]]
    assert set(volumes) == {name for name in used if not name.startswith(".")}


INIT = "/docker-entrypoint-initdb.d/"


def begin(world, service, url, *images):
    """A database of the test server, made as the image makes the first one, after statements of the image's own; its URL."""
    name = "precis_" + uuid.uuid4().hex[:12]
    servers.psql(servers.said("PSQL"), url, f"CREATE DATABASE {name}")
    folder = world.path(service)
    os.mkdir(folder)
    for volume in composition()["services"][service]["volumes"]:
        source, target = volume.split(":")[:2]
        if target.startswith(INIT):
            assert volume.endswith(":ro"), volume
            os.symlink(os.path.abspath(os.path.join(ROOT, source)), os.path.join(folder, target[len(INIT):]))
    own = servers.with_database(url, name)
    for text in images:
        servers.psql(servers.said("PSQL"), own, text)
    for script in sorted(os.listdir(folder)):
        if script.endswith(".sql"):  # a folder is passed over
            servers.psql(servers.said("PSQL"), own, "@" + os.path.join(folder, script))
    return own


def tables(url):
    return set(servers.psql(servers.said("PSQL"), url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'").split("\n"))


def drop(url, name):
    servers.psql(servers.said("PSQL"), url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def case_postgres_begins_with_the_tables_of_both_recipes(world):
    url = servers.shared("postgres")
    drop(url, "fleet")
    own = begin(world, "postgres", url)
    assert {"users", "tasks", "calendar_events", "knowledge_base", "user_watchlist"} <= tables(own), tables(own)
    fleet = tables(servers.with_database(url, "fleet"))
    assert {"users", "devices", "error_logs", "audit_logs", "incidents"} <= fleet, fleet
    assert "/fleet\n" in read("packaging", "precis.compose.yaml")
    drop(url, "fleet")
    drop(url, own.rsplit("/", 1)[1].split("?")[0])


def case_timescale_begins_with_hypertables(world):
    url = servers.shared("timescale")
    own = begin(world, "timescale", url, "CREATE EXTENSION IF NOT EXISTS timescaledb")
    found = servers.psql(servers.said("PSQL"), own, "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1")
    assert found.split("\n") == ["financial_data", "smart_home_states", "weather_data"], found
    drop(url, own.rsplit("/", 1)[1].split("?")[0])


def case_servers_that_not_everybody_needs_are_profiles(_):
    for name, service in services():
        assert service.get("profiles", []) == PROFILES.get(name, []), name


def case_the_image_holds_no_secret_of_the_folder(_):
    ignored = read(".dockerignore").split("\n")
    assert all(name in ignored for name in (".git", ".env", ".env.*", "var", "precis-data"))


def case_the_examples_are_there_for_every_secret(_):
    asked = set(re.findall(r"\$\{([A-Z_]+):\?", read("docker-compose.yml")))
    assert asked == set(SECRETS) and all(f"\n{name}=\n" in read(".env.example") for name in asked)
    ports = set(re.findall(r"\$\{(HOST_PORT_[A-Z]+):-(\d+)\}", read("docker-compose.yml")))
    assert ports == set(re.findall(r"^#(HOST_PORT_[A-Z]+)=(\d+)$", read(".env.example"), re.MULTILINE))


if __name__ == "__main__":
    cases.main(sys.modules[__name__])
