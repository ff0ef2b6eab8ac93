#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The vector index beside hnswlib (Debian's libhnswlib-dev, compiled for this processor) and sqlite-vec (npm), in one run.
#
# usage: bench/vector.sh [-o] [DIM N]...     (256 dimensions and 1,000, 10,000 and 100,000 vectors when none are named; -o: ours alone)
set -eu

cd "$(dirname "$0")/.."
work=build/bench-vector
mkdir -p "$work"
if [ "${1-}" = -o ]; then
    shift
    export ONLY_OURS=1
fi
[ $# -gt 0 ] || set -- 256 1000 256 10000 256 100000

extension=
if [ -z "${ONLY_OURS-}" ]; then
    if [ ! -d "$work/node_modules/sqlite-vec" ] && command -v npm >/dev/null; then
        npm install --silent --no-audit --no-fund --prefix "$work" sqlite-vec >/dev/null || true
    fi
    extension=$(find "$work" -name 'vec0.so' | head -n 1)
    [ -n "$extension" ] || echo 'vector: no sqlite-vec (npm could not get it)' >&2
fi

flags="-O3 -g -D_GNU_SOURCE -Isrc -Ibench"
# What a release build has; only the peer is compiled for this processor alone.
for source in bench/vector.c src/search/vector*.c src/search/docs.c src/search/intern.c src/core/arena.c src/core/mem.c src/core/str.c \
    src/core/buf.c src/core/utf8.c src/core/err.c; do
    cc -std=gnu17 $flags -c "$source" -o "$work/$(echo "$source" | tr / _).o"
done
g++ $flags -march=native -w -c bench/vector_hnswlib.cc -o "$work/vector_hnswlib.o"
g++ "$work"/*.o -lsqlite3 -lm -o "$work/vector"
while [ $# -gt 1 ]; do
    "$work/vector" "$1" "$2" $extension
    shift 2
done
