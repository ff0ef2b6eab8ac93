# SPDX-License-Identifier: Apache-2.0
"""A precis serve of one's own for a measurement, and a client that keeps its connection: shared by the programs here."""
import http.client
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse


class Refused(Exception):
    """An answer that is no success: its status, its code and what it says."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code = status, code


class Client:
    """Requests one after the other over one connection."""

    def __init__(self, url, key=""):
        parts = urllib.parse.urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.url, self.path = url, parts.path.rstrip("/")
        self.connection = kind(parts.hostname, parts.port, timeout=120)
        self.headers = {"Content-Type": "application/json"}
        if key:
            self.headers["Authorization"] = "Bearer " + key

    def search(self, wait_s=120, **query):
        """Results of a search that the whole index answers: one that is still being loaded is asked again."""
        until = time.monotonic() + wait_s
        while True:
            answer = self.call("GET", "/memory/search?" + urllib.parse.urlencode(query))
            if not answer.get("degraded"):
                return answer["results"]
            if time.monotonic() > until:
                raise SystemExit(f"a degraded answer says nothing: {answer['degraded']}")
            time.sleep(0.01)

    def call(self, method, path, body=None, parse=True):
        self.connection.request(method, self.path + path, None if body is None else json.dumps(body).encode(), self.headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise refusal(answer.status, data)
        return json.loads(data) if parse else data


def refusal(status, data):
    try:
        error = json.loads(data)["error"]
        return Refused(status, error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        return Refused(status, "unknown", data[:200].decode(errors="replace"))


class Server(Client):
    """One on a free loopback port over the data in `folder`; `config` is the text of its precis.yaml."""

    def __init__(self, program, folder, config=""):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "bench.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        env = {name: value for name, value in os.environ.items() if not name.startswith("PRECIS_")}
        started = time.perf_counter()
        self.process = subprocess.Popen(
            [program, "--config", path, "--data", folder, "serve", "--listen", "127.0.0.1:0"],
            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                break
        else:
            raise SystemExit(f"{program} serve did not start:\n{''.join(said)}")
        super().__init__(found.group(0))
        self.call("GET", "/healthz", parse=False)
        self.start_ms = (time.perf_counter() - started) * 1e3
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def rss_mb(self):
        return rss_mb(self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait()


def cpu_ms(pid):
    """Processor time so far, of the process and those it started."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        children = [int(child) for child in file.read().split()]
    return (int(fields[11]) + int(fields[12])) * 1e3 / os.sysconf("SC_CLK_TCK") + sum(map(cpu_ms, children))


def rss_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024
