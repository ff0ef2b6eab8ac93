#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Keyword search beside SQLite FTS5 (libsqlite3, in the same process). Prints rows of a Markdown table.
#
# usage: bench/keyword.sh BUILD_DIR [N]... [-- DOCUMENTS [QUESTIONS]]
#
# BUILD_DIR: a release build; N: numbers of documents (800, 38,000 and 500,000 when none are named); DOCUMENTS, QUESTIONS: files with
# one a line, made up from a seed when not given.
set -eu

[ $# -gt 0 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 2; }
root=$(dirname "$0")/..
build=$1
shift
sizes=
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    sizes="$sizes $1"
    shift
done
[ $# -eq 0 ] || shift

cc -std=gnu17 -O3 -Wall -Wextra -D_GNU_SOURCE -I"$root/src" "$root/bench/keyword.c" "$build/src/libprecis_all.a" -Wl,--gc-sections \
    -lsqlite3 -lutf8proc -lstemmer -lyaml -lsodium -lm -pthread -o "$build/bench-keyword"
echo '| documents | engine | p50 us | p95 us | p99 us | build ms | ratio of p50 | holds of the first ten of FTS5 |'
echo '| --- | --- | --- | --- | --- | --- | --- | --- |'
for n in ${sizes:-800 38000 500000}; do
    "$build/bench-keyword" "$n" "$@"
done
