# SPDX-License-Identifier: Apache-2.0
"""Real servers for scenarios and benchmarks, from backends.sh: those that the test runner shares, and instances of one's own.

    url = servers.shared("postgres")        # of `backends.sh run postgres -- ...`, which tests/meson.build calls
    with servers.Own() as own:              # may be killed and frozen without harm to others
        url = own.start("redis")
        own.kill("redis")

What cannot be had raises Lacking, which the runner of cases takes for "skipped".
"""
import os
import shutil
import subprocess
import tempfile
import urllib.parse

BACKENDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "backends.sh")
NAMES = ("postgres", "timescale", "redis", "qdrant", "chroma")


class Lacking(Exception):
    """A server that cannot be had here, and why."""


def said(variable):
    """What the runner says of its servers: said("POSTGRES_TLS_URL")."""
    return os.environ[f"TEST_{variable}"]


def shared(name):
    """The URL of the runner's server."""
    name = name.upper()
    if f"TEST_{name}_URL" in os.environ:
        return said(f"{name}_URL")
    raise Lacking(os.environ.get(f"TEST_{name}_LACKING", f"{name.lower()}: the test was not run by backends.sh"))


class Own:
    """An instance of its own, wiped at the end; also when this process is killed."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="precis-own-")
        os.chmod(self.folder, 0o755)  # the servers may be another user
        self.env = dict(os.environ, BACKENDS_DATA=os.path.join(self.folder, "b"), BACKENDS_OWNER=str(os.getpid()))
        self.facts = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._call("wipe")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _call(self, command, *names):
        done = subprocess.run([BACKENDS, command, *names], env=self.env, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode == 77:
            raise Lacking(done.stderr.strip().split("\n")[-1])
        assert done.returncode == 0, f"backends.sh {command} {' '.join(names)}: {done.stderr}"
        return done.stdout

    def start(self, name):
        """Its URL, which stays the same when it is started again."""
        self.facts |= dict(line.split("=", 1) for line in self._call("start-for-owner", name).split("\n") if line)
        return self.facts[f"{name.upper()}_URL"]

    def stop(self, name):
        self._call("stop", name)

    def kill(self, name):
        self._call("kill", name)

    def freeze(self, name):
        self._call("freeze", name)

    def thaw(self, name):
        self._call("thaw", name)

    def pid(self, name):
        with open(os.path.join(self.env["BACKENDS_DATA"], f"{name}.pid"), encoding="ascii") as file:
            return int(file.read())


def psql(program, url, *statements):
    """Runs SQL texts, or files given as "@path"; the output, a line a row, columns with |."""
    arguments = [part for text in statements for part in (("-f", text[1:]) if text.startswith("@") else ("-c", text))]
    done = subprocess.run([program, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, *arguments], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def with_database(url, name):
    """The URL of another database of that server."""
    return urllib.parse.urlsplit(url)._replace(path=f"/{name}").geturl()
