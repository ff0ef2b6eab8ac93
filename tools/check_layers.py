#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the compiler does not: who includes whom, which library is used where, which functions are banned.

usage: check_layers.py [--self-test] [ROOT]

Prints one line a violation, `file:line: sentence`, and exits 1 if there is any. docs/ARCHITECTURE.md says why.
"""
import os
import re
import sys
import tempfile

# A folder may include itself and the folders before it.
ORDER = ["core", "net", "store", "text", "search", "memory", "context", "source", "recipe", "build", "serve", "cli"]
# Both stand at the top: cli starts the server through its public header.
PUBLIC_HEADERS_ONLY = {"cli": {"serve/serve.h"}}

# Third-party headers and where they may be included: how the path must begin.
LIBRARIES = {
    "yaml.h": ["core/yaml.c"],
    "curl/curl.h": ["net/http_curl_priv.h"],
    "gnutls/gnutls.h": ["net/tls.c"],
    "gnutls/crypto.h": ["net/tls.c"],
    "gnutls/x509.h": ["net/tls.c"],
    "libpq-fe.h": ["net/pg_priv.h"],
    "sqlite3.h": ["store/", "source/"],
    "microhttpd.h": ["serve/"],
    "utf8proc.h": ["text/"],
    "libstemmer.h": ["text/"],
    "sodium.h": ["core/", "store/", "memory/", "build/", "serve/", "cli/"],
}

# Outside core/, which holds their replacements: mem.h, str.h, buf.h, civil.h. The last two start a shell.
BANNED = ["malloc", "calloc", "realloc", "free", "strdup", "strndup", "strcpy", "strcat", "strncpy", "sprintf", "vsprintf",
          "strtok", "atoi", "atol", "gmtime", "localtime", "system", "popen"]

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# Comments, strings and character constants: blanked, keeping the lines.
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank(text):
    return NOISE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def folder_of(path):
    return path.split("/", 1)[0]


def check_include(path, kind, header):
    folder = folder_of(path)
    if kind == "<" or "/" not in header:
        allowed = LIBRARIES.get(header)
        if allowed and not path.startswith(tuple(allowed)):
            return f"<{header}> may be included only in {', '.join(allowed)}"
        return None
    target = folder_of(header)
    if target not in ORDER:
        return f'"{header}" is in no known folder'
    if target == folder:
        return None
    if header.endswith("_priv.h"):
        return f'"{header}" is private to {target}/'
    if ORDER.index(target) > ORDER.index(folder):
        return f"{folder}/ may not include {target}/, which stands above it"
    if target in ("serve", "cli") and header not in PUBLIC_HEADERS_ONLY.get(folder, set()):
        return f'{folder}/ may not include "{header}"'
    return None


def check_file(path, text):
    """Yields (line, sentence); path is relative to src/."""
    for number, line in enumerate(text.split("\n"), 1):
        match = INCLUDE.match(line)
        problem = match and check_include(path, match.group(1), match.group(2))
        if problem:
            yield number, problem
    if folder_of(path) == "core":
        return
    for number, line in enumerate(blank(text).split("\n"), 1):
        for match in CALL.finditer(line):
            yield number, f"{match.group(1)}() is banned outside core/"


def check_tree(root):
    """The number of files and all violations below root/src."""
    src = os.path.join(root, "src")
    n_files, violations = 0, []
    for folder, _, names in sorted(os.walk(src)):
        for name in sorted(names):
            if not name.endswith((".c", ".h")):
                continue
            full = os.path.join(folder, name)
            path = os.path.relpath(full, src)
            n_files += 1
            if folder_of(path) not in ORDER:
                violations.append(f"src/{path}:1: lies in no known folder")
                continue
            with open(full, encoding="utf-8") as file:
                violations += [f"src/{path}:{line}: {problem}" for line, problem in check_file(path, file.read())]
    return n_files, violations


def self_test():
    """A tree with one violation of each kind, each of which must be found, beside what must not be."""
    samples = {
        "core/a.c": ('#include "store/store.h"\n', True),
        "core/b.c": ("void f(void) { free(malloc(1)); }\n", False),
        "text/c.c": ('#include "search/search.h"\n', True),
        "build/d.c": ('#include "store/store_priv.h"\n', True),
        "store/e.c": ('#include "store/store_priv.h"\n#include <sqlite3.h>\n', False),
        "recipe/f.c": ("#include <sqlite3.h>\n", True),
        "memory/g.c": ("#include <yaml.h>\n", True),
        "net/h.c": ("int f(void)\n{\n    return atoi(\"1\");\n}\n", True),
        "net/i.c": ("/* free( */ const char *s = \"system(\"; // popen(\nvoid g(void) { mem_free(0); x.free(0); }\n", False),
        "cli/j.c": ('#include "serve/serve.h"\n', False),
        "cli/k.c": ('#include "serve/http.h"\n', True),
        "serve/l.c": ('#include "cli/app.h"\n', True),
        "misc/m.c": ("\n", True),
    }
    with tempfile.TemporaryDirectory() as root:
        for path, (text, _) in samples.items():
            full = os.path.join(root, "src", path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        _, violations = check_tree(root)
    found = {line.split(":")[0][len("src/"):] for line in violations}
    wrong = [path for path, (_, is_bad) in samples.items() if (path in found) != is_bad]
    for path in wrong:
        print(f"check_layers self-test: {path}: {'not found' if samples[path][1] else 'wrongly reported'}")
    return not wrong


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--self-test"]:
        return 0 if self_test() else 1
    root = arguments[0] if arguments else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    n_files, violations = check_tree(root)
    for line in violations:
        print(line)
    if n_files == 0:
        print(f"{root}/src: no sources found")
    return 1 if violations or n_files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
