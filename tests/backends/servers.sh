# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# How each server of backends.sh is made and started; sourced by it. start_NAME PORT makes what is not there yet below $data,
# launches the server on that port of 127.0.0.1, waits until it answers, and writes what others need into $data/NAME.urls.
# It fails, and says nothing, when the server ended by itself, as it does when somebody took the port meanwhile.

# ---- a password, and a certificate authority that lives as long as the data ----

make_password() {
    [ -s "$data/password" ] || (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$data/password")
}

openssl_quiet() { "$debian_bin/openssl" "$@" 2>>"$data/tls.log" || die "openssl failed: $data/tls.log"; }

make_certificates() {
    local tls=$data/tls
    [ ! -e "$tls/complete" ] || return 0
    mkdir -p "$tls"
    cat >"$tls/openssl.cnf" <<EOF
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
EOF
    local new=(-config "$tls/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30) name
    for name in ca other_ca; do
        openssl_quiet req -x509 "${new[@]}" -extensions authority -subj "/CN=test $name" -keyout "$tls/$name.key" -out "$tls/$name.crt"
    done
    openssl_quiet req "${new[@]}" -keyout "$tls/server.key" -out "$tls/server.csr"
    openssl_quiet x509 -req -in "$tls/server.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -CAcreateserial -days 30 \
        -extfile "$tls/openssl.cnf" -extensions server -out "$tls/server.crt"
    # PostgreSQL wants a key that nobody else may read.
    chmod 600 "$tls"/*.key
    give_to_user "$tls/server.key"
    : >"$tls/complete"
}

# ---- PostgreSQL, with pgvector; and once more with TimescaleDB: a server of its own, so that one can fail alone ----

make_cluster() { # NAME SETTING...
    local name=$1 folder=$data/$1
    shift
    [ ! -e "$data/$name.made" ] || return 0
    rm -rf "$folder"
    own "$folder"
    chmod 700 "$folder"
    (umask 077 && cp "$data/password" "$data/$name.password")
    give_to_user "$data/$name.password"
    "${as_user[@]}" "$postgres_bin/initdb" -D "$folder" -U postgres -A scram-sha-256 --pwfile="$data/$name.password" --no-sync \
        --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 >"$data/$name.log" 2>&1 ||
        die "initdb failed: $data/$name.log"
    # Fast, and safe only against a killed server, not a dead machine: data here lives as long as a test.
    cat >>"$folder/postgresql.conf" <<EOF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
timezone = 'GMT'
log_timezone = 'GMT'
fsync = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
shared_buffers = ${BACKENDS_SHARED_BUFFERS:-128MB}
maintenance_work_mem = ${BACKENDS_MAINTENANCE_MEMORY:-256MB}
jit = off
ssl = on
ssl_cert_file = '$data/tls/server.crt'
ssl_key_file = '$data/tls/server.key'
EOF
    [ $# -eq 0 ] || printf '%s\n' "$@" >>"$folder/postgresql.conf"
    : >"$data/$name.made"
}

# A killed server's children leave by themselves; until they have, a new one refuses to start.
forget_crash() { # NAME
    local folder=$data/$1 segment
    [ -e "$folder/postmaster.pid" ] || return 0
    # Line 7 names the segment of shared memory, which the last of them lets go of.
    segment=$(awk 'NR == 7 { print $2 }' "$folder/postmaster.pid")
    for _ in $(seq 100); do
        awk -v id="$segment" 'NR > 1 && $2 == id && $7 > 0 { found = 1 } END { exit !found }' /proc/sysvipc/shm 2>/dev/null || break
        sleep 0.1
    done
    rm -f "$folder/postmaster.pid"
}

start_cluster() { # NAME PORT EXTENSION
    local name=$1 port=$2 extension=$3 password base
    password=$(cat "$data/password")
    base=postgresql://postgres:$password@127.0.0.1:$port/postgres
    forget_crash "$name"
    launch "$name" / "$postgres_bin/postgres" -D "$data/$name/" -p "$port"
    await "$name" "$postgres_bin/pg_isready" -q -h 127.0.0.1 -p "$port" || return 1
    "$postgres_bin/psql" -X -q -v ON_ERROR_STOP=1 "$base?sslmode=disable" -c "create extension if not exists $extension" \
        >>"$data/$name.log" 2>&1 || die "$name: no extension $extension: $data/$name.log"
    cat >"$data/$name.urls" <<EOF
${name^^}_URL=$base?sslmode=disable
${name^^}_TLS_URL=$base?sslmode=verify-full&sslrootcert=$data/tls/ca.crt
PSQL=$postgres_bin/psql
TLS_CA=$data/tls/ca.crt
TLS_OTHER_CA=$data/tls/other_ca.crt
EOF
}

start_postgres() {
    make_certificates
    make_cluster postgres
    start_cluster postgres "$1" vector
}

start_timescale() {
    make_certificates
    # Its background workers do nothing useful in Debian's edition, and hold databases that a test wants to copy.
    make_cluster timescale "shared_preload_libraries = 'timescaledb'" 'timescaledb.telemetry_level = off' \
        'timescaledb.max_background_workers = 0'
    start_cluster timescale "$1" timescaledb
}

# ---- Redis: Valkey, which speaks the same ----

start_redis() {
    local port=$1 tls_port password
    make_certificates
    own "$data/redis"
    tls_port=$(port_for redis-tls)
    password=$(cat "$data/password")
    (
        umask 077
        cat >"$data/redis.conf" <<EOF
bind 127.0.0.1
port $port
tls-port $tls_port
tls-cert-file $data/tls/server.crt
tls-key-file $data/tls/server.key
tls-ca-cert-file $data/tls/ca.crt
tls-auth-clients no
requirepass $password
dir $data/redis/
save ""
appendonly no
set-proc-title no
maxmemory 256mb
EOF
    )
    give_to_user "$data/redis.conf"
    launch redis / "$debian_bin/valkey-server" "$data/redis.conf"
    await redis is_listening "$tls_port" && is_listening "$port" || return 1
    cat >"$data/redis.urls" <<EOF
REDIS_URL=redis://default:$password@127.0.0.1:$port/0
REDIS_TLS_URL=rediss://default:$password@127.0.0.1:$tls_port/0
REDIS_CLI=$debian_bin/valkey-cli
TLS_CA=$data/tls/ca.crt
TLS_OTHER_CA=$data/tls/other_ca.crt
EOF
}

# ---- Qdrant ----

answers_http() { # PORT PATH
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3
        read -r -t 2 line <&3
        case $line in *' 200'*) ;; *) exit 1 ;; esac
    ) 2>/dev/null
}

start_qdrant() {
    local port=$1 folder=$data/qdrant
    own "$folder"
    (umask 077 && : >"$data/qdrant.yaml")
    give_to_user "$data/qdrant.yaml"
    cat >"$data/qdrant.yaml" <<EOF
service: { host: 127.0.0.1, http_port: $port, grpc_port: $(port_for qdrant-grpc), api_key: "$(cat "$data/password")" }
storage: { storage_path: $folder/storage, snapshots_path: $folder/snapshots }
telemetry_disabled: true
EOF
    launch qdrant "$folder" "$cache/qdrant/bin/qdrant" --disable-telemetry --config-path "$data/qdrant.yaml"
    await qdrant answers_http "$port" /readyz || return 1
    printf 'QDRANT_URL=http://127.0.0.1:%s\nQDRANT_KEY=%s\n' "$port" "$(cat "$data/password")" >"$data/qdrant.urls"
}

# ---- Chroma ----

start_chroma() {
    local port=$1 folder=$data/chroma node loader
    own "$folder"
    node=$(readlink -f "$(command -v node)")
    "${as_user[@]}" test -r "$node" || lacking "$node may not be read by the user who runs the servers"
    loader=$debian/$(loader_below "$debian")
    launch chroma "$folder" "$loader" --inhibit-cache --library-path "${loader%/*}" "$node" \
        -e 'require(process.argv[1]).cli(["chroma", "run", "--host", "127.0.0.1", "--port", process.argv[2], "--path", process.argv[3]])' \
        "$cache/chroma/$chroma_file" "$port" "$folder/data"
    await chroma answers_http "$port" /api/v2/heartbeat || return 1
    echo "CHROMA_URL=http://127.0.0.1:$port" >"$data/chroma.urls"
}
