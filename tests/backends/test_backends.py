#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The servers that tests stand on: each starts, answers as what it is, wants its password, survives being killed and leaves."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scenario"))
import cases
import servers


def get(url, key=""):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"api-key": key} if key else {}), timeout=10) as answer:
        return json.load(answer)


def redis(own, url, *arguments, tls=()):
    return subprocess.run([own.facts["REDIS_CLI"], "-u", url, *tls, *arguments], capture_output=True, text=True, timeout=20,
                          check=False).stdout.strip()


def is_reachable(url):
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", urllib.parse.urlsplit(url).port)) == 0


def case_postgres_has_vectors_a_password_and_a_certificate(world):
    with servers.Own() as own:
        url = own.start("postgres")
        program, tls = own.facts["PSQL"], own.facts["POSTGRES_TLS_URL"]
        assert servers.psql(program, url, "select '[1,2]'::vector <=> '[1,2]'") == "0"
        assert servers.psql(program, tls, "select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"
        password = urllib.parse.urlsplit(url).password
        for refused in (url.replace(password, "wrong"), tls.replace(own.facts["TLS_CA"], own.facts["TLS_OTHER_CA"])):
            try:
                servers.psql(program, refused, "select 1")
            except AssertionError:
                continue
            raise AssertionError(f"let in: {refused}")


def case_timescale_has_hypertables(world):
    with servers.Own() as own:
        url = own.start("timescale")
        rows = servers.psql(own.facts["PSQL"], url, "create table t (time timestamptz not null, v int)",
                            "select create_hypertable('t', by_range('time'))",
                            "insert into t values ('2026-01-01 10:20Z', 1), ('2026-01-01 10:40Z', 2)",
                            "select time_bucket('1 hour', time), sum(v) from t group by 1")
        assert rows.endswith("2026-01-01 10:00:00+00|3"), rows


def case_redis_wants_its_password_and_speaks_tls(world):
    with servers.Own() as own:
        url = own.start("redis")
        assert redis(own, url, "set", "k", "v") == "OK" and redis(own, url, "get", "k") == "v"
        tls_url = own.facts["REDIS_TLS_URL"]
        assert redis(own, tls_url, "get", "k", tls=("--cacert", own.facts["TLS_CA"])) == "v"
        assert redis(own, tls_url, "get", "k", tls=("--cacert", own.facts["TLS_OTHER_CA"])) == ""
        assert "NOAUTH" in redis(own, url.replace(urllib.parse.urlsplit(url).netloc.split("@")[0] + "@", ""), "get", "k")


def case_qdrant_wants_its_key(world):
    with servers.Own() as own:
        url = own.start("qdrant")
        assert get(url + "/collections", own.facts["QDRANT_KEY"])["status"] == "ok"
        try:
            get(url + "/collections")
            raise AssertionError("let in without a key")
        except urllib.error.HTTPError as error:
            assert error.code == 401


def case_chroma_answers(world):
    with servers.Own() as own:
        assert "nanosecond heartbeat" in get(own.start("chroma") + "/api/v2/heartbeat")


def case_instances_stand_beside_each_other(world):
    with servers.Own() as one, servers.Own() as other:
        first, second = one.start("redis"), other.start("redis")
        assert first != second
        redis(one, first, "set", "k", "1")
        assert redis(other, second, "get", "k") == ""
        assert one.start("redis") == first


def case_killed_servers_come_back_on_their_ports(world):
    with servers.Own() as own:
        urls = {name: own.start(name) for name in ("postgres", "redis")}
        servers.psql(own.facts["PSQL"], urls["postgres"], "create table kept as select 1 as v")
        for name, url in urls.items():
            own.kill(name)
            until = time.monotonic() + 10
            while is_reachable(url):
                assert time.monotonic() < until, f"{name} outlived SIGKILL"
            assert own.start(name) == url
        assert servers.psql(own.facts["PSQL"], urls["postgres"], "select v from kept") == "1"


def case_frozen_server_answers_again_when_thawed(world):
    with servers.Own() as own:
        url = own.start("postgres")
        own.freeze("postgres")
        asking = subprocess.Popen([own.facts["PSQL"], "-X", "-At", url, "-c", "select 7"], stdout=subprocess.PIPE, text=True)
        try:
            asking.wait(timeout=0.5)
            raise AssertionError("answered while it was frozen")
        except subprocess.TimeoutExpired:
            own.thaw("postgres")
            assert asking.communicate(timeout=20)[0].strip() == "7"


def case_servers_of_a_killed_owner_are_wiped(world):
    """An owner that is killed at once, as a test runner may be, cannot stop what it started."""
    shell = subprocess.Popen(["sh", "-c", f'"{servers.BACKENDS}" run redis -- sh -c \'echo "$TEST_REDIS_URL$TEST_REDIS_LACKING"\'; exec sleep 60'],
                             stdout=subprocess.PIPE, text=True, env={name: value for name, value in os.environ.items()
                                                                     if name not in ("BACKENDS_OWNER", "BACKENDS_DATA")})
    with shell:
        url = shell.stdout.readline().strip()
        shell.send_signal(signal.SIGKILL)
    if not url.startswith("redis://"):
        raise servers.Lacking(url)
    until = time.monotonic() + 20
    while is_reachable(url):
        assert time.monotonic() < until, f"{url} outlived its owner"
        time.sleep(0.1)


cases.main(sys.modules[__name__])
