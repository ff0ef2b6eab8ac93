#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Search within one of many tenants beside pgvector and Qdrant, real servers of this machine: see bench/tenants.py, which takes
# the same options. Needs Debian's python3-psycopg. With 1,000 tenants of 1,000 vectors the peers' graphs take half an hour to build.
set -eu

cd "$(dirname "$0")/.."
[ -e build/release/build.ninja ] || meson setup build/release -Dbuildtype=release -Dtests=false >/dev/null
ninja --quiet -C build/release >/dev/null
mkdir -p build/bench-tenants
cc -std=gnu17 -O3 -D_GNU_SOURCE -Wall -Wextra -Isrc bench/tenants.c build/release/src/libprecis_all.a -lutf8proc -lyaml -lm -pthread \
    -Wl,--gc-sections -o build/bench-tenants/tenants
# Debian's own Python, for which the package is.
exec /usr/bin/python3 bench/tenants.py build/bench-tenants/tenants tests/backends/backends.sh "$@"
