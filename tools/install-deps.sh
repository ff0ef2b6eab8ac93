#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes sure that the Debian packages a job needs are there: tools/install-deps.sh GROUP...
# Groups: build, check, fuzz, bench. Quick and silent when nothing is missing. As root it installs what is; as anybody
# else it prints the command that would. Works on Debian 12 and later.
set -eu

usage() {
    echo "usage: $0 build|check|fuzz|bench..." >&2
    exit 2
}

is_installed() {
    status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) || return 1
    case $status in ii*) return 0 ;; *) return 1 ;; esac
}

# The runtime library of the sanitizers and of libFuzzer is versioned with the compiler.
clang_runtime() {
    if command -v clang >/dev/null 2>&1; then
        echo "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
    else
        apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: clang-\([0-9]*\)$/libclang-rt-\1-dev/p'
    fi
}

build="gcc libc6-dev make meson ninja-build pkg-config python3 tzdata libcurl4-openssl-dev libgnutls28-dev libmicrohttpd-dev
    libpq-dev libsodium-dev libsqlite3-dev libstemmer-dev libutf8proc-dev libyaml-dev"

packages_of() {
    case $1 in
    build) echo "$build" ;;
    check) echo "$build libcmocka-dev clang clang-format-14 openssl python3-yaml nodejs npm" ;;
    fuzz) echo "$build libcmocka-dev clang clang-runtime" ;;
    bench) echo "$build nginx wrk" ;;
    esac
}

# What stands for a package on this release: another name, or nothing.
resolve() {
    case $1 in
    clang-runtime) clang_runtime ;;
    # Layout is checked with this version only: others lay out differently. Later releases do not have it.
    clang-format-14) if is_installed "$1" || apt-cache show "$1" >/dev/null 2>&1; then echo "$1"; fi ;;
    # Vector databases come from npm; a Node.js that is no package of Debian's will do as well.
    nodejs) command -v node >/dev/null 2>&1 || echo nodejs ;;
    npm) command -v npm >/dev/null 2>&1 || echo npm ;;
    pkg-config) if is_installed pkgconf; then echo pkgconf; else echo pkg-config; fi ;;
    *) echo "$1" ;;
    esac
}

missing_of() {
    for name in $(for group in "$@"; do packages_of "$group"; done | tr ' ' '\n' | sort -u); do
        package=$(resolve "$name")
        [ -z "$package" ] || is_installed "$package" || echo "$package"
    done
}

# Daemons that come with a package must not start: only their programs are wanted.
forbid_services() {
    policy=/usr/sbin/policy-rc.d
    [ ! -e "$policy" ] || return 0
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT INT TERM
}

[ $# -gt 0 ] || usage
for group in "$@"; do
    case $group in build | check | fuzz | bench) ;; *) usage ;; esac
done
if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: this is no Debian system; see tools/install-deps.sh for the libraries that are needed" >&2
    exit 0
fi

missing=$(missing_of "$@" | tr '\n' ' ')
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "deps: missing: $missing" >&2
    echo "deps: install them with: sudo apt-get install --no-install-recommends $missing" >&2
    # The layout check can do without its tool; everything else cannot.
    [ -z "$(echo "$missing" | sed 's/clang-format-14//' | tr -d ' ')" ] && exit 0
    exit 1
fi

echo "deps: installing what is missing: $missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Some names can be told only now that the package lists are here.
missing=$(missing_of "$@" | tr '\n' ' ')
[ -n "$missing" ] || exit 0
forbid_services
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends $missing >/dev/null
echo "deps: done" >&2
