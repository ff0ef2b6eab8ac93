# SPDX-License-Identifier: Apache-2.0
"""Runs the cases of a scenario, each a function `case_...` of one argument, and reports them one a line.

A scenario is a program: main(sys.modules[__name__]) with the path of precis as its first argument. Each case gets a World of
its own: an empty folder, and the program to run in it. A case says in its name what must hold; one that needs a server which
cannot be had (tests/backends/servers.py) is skipped.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "backends"))
import servers


# Variables that configure precis begin with these.
CONFIGURING = ("PRECIS_", "CACHE_", "EMBEDDING_", "POSTGRES_", "TIMESCALE_", "REDIS_", "OLLAMA_", "OPENAI_")


class World:
    """An empty folder and the program; the environment holds nothing that configures it."""

    def __init__(self, program):
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="precis-scenario-")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURING)}

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def run(self, *arguments, expect=0, text=""):
        """stdout and stderr of a command that must end with the exit code `expect`."""
        done = subprocess.run([self.program, *arguments], cwd=self.folder, env=self.env, input=text, text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == expect, f"precis {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout, done.stderr

    def json(self, *arguments, **options):
        """What a command prints with --json."""
        return json.loads(self.run(*arguments, "--json", **options)[0])

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def main(module):
    program = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
    n_failed = 0
    for name in [name for name in vars(module) if name.startswith("case_")]:
        world = World(program)
        try:
            getattr(module, name)(world)
            print(f"[       OK ] {name[5:]}", flush=True)
        except servers.Lacking as reason:
            print(f"lacking: {reason}\n[  SKIPPED ] {name[5:]}", flush=True)
        except Exception:  # whatever it is, the case failed
            traceback.print_exc()
            print(f"[  FAILED  ] {name[5:]}", flush=True)
            n_failed += 1
        finally:
            world.close()
    sys.exit(1 if n_failed else 0)
