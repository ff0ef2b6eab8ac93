#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The vector index beside hnswlib (Debian's libhnswlib-dev) and usearch (npm's headers), both compiled for this processor,
# faiss (Debian's libfaiss-dev, a generic build) and sqlite-vec (npm), in one run. A peer that is missing is left out, and said.
#
# usage: bench/vector.sh [-o] [-t TEXTS] [DIM N]...
#
# -o: ours alone. -t: vectors of these texts, one a line, by the built-in embedder (256 dimensions) in place of seeded ones.
# 256 dimensions and 1,000, 10,000, 100,000 and 600,000 vectors when none are named, which is a quarter of an hour. From 50,000 on
# graphs are built on two threads and faiss is left out, from 200,000 on only hnswlib runs beside.
set -eu

cd "$(dirname "$0")/.."
work=build/bench-vector
mkdir -p "$work"
peers=hfus texts=-
while getopts ot: option; do
    case $option in
    o) peers=- ;;
    t) texts=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- 256 1000 256 10000 256 100000 256 600000

missing() {
    echo "vector: left out: $1" >&2
}

[ -e build/release/build.ninja ] || meson setup build/release -Dbuildtype=release -Dtests=false >/dev/null
ninja --quiet -C build/release >/dev/null

extension=
sources="bench/vector_hnswlib.cc"
flags="-D_GNU_SOURCE -Isrc -Ibench"
libs=
if [ "$peers" != - ]; then
    if command -v npm >/dev/null; then
        npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" sqlite-vec usearch >/dev/null || true
    fi
    extension=$(find "$work" -name 'vec0.so' | head -n 1)
    [ -n "$extension" ] || missing 'sqlite-vec (npm)'
    if [ -d "$work/node_modules/usearch/include" ]; then
        sources="$sources bench/vector_usearch.cc"
        flags="$flags -DHAVE_USEARCH -I$work/node_modules/usearch/include"
    else
        missing 'usearch (npm)'
    fi
    if [ -e /usr/include/faiss/IndexHNSW.h ]; then
        sources="$sources bench/vector_faiss.cc"
        flags="$flags -DHAVE_FAISS"
        libs="-lfaiss -lopenblas -lgomp"
    else
        missing 'faiss (libfaiss-dev)'
    fi
fi

# Ours is the release build's; what is compiled here, for this processor alone, are the peers and the exact search.
rm -f "$work"/*.o
cc -std=gnu17 -O3 -march=native -Wall -Wextra $flags -c bench/vector.c -o "$work/vector.o"
for source in $sources; do
    g++ -std=c++17 -O3 -march=native -w $flags -c "$source" -o "$work/$(basename "$source" .cc).o"
done
g++ "$work"/*.o build/release/src/libprecis_all.a $libs -lsqlite3 -lutf8proc -lyaml -lm -pthread -Wl,--gc-sections -o "$work/vector"
while [ $# -gt 1 ]; do
    now=$peers
    if [ "$peers" != - ]; then
        [ "$2" -lt 50000 ] || now=hus2
        [ "$2" -lt 200000 ] || now=h2
    fi
    "$work/vector" "$1" "$2" "$now" "$texts" data/embed/minilm.bin $extension
    shift 2
done
