# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# peers.sh: the servers that run.sh compares, each on loopback in its own folder below $work, over
# TLS 1.3 with client certificates of one throwaway CA.  Sourced by run.sh,
# which sets work, pki, nginx_cpus, daemon and daemon_options and reads what start_NAME leaves.
#
# start_NAME leaves the process id in NAME_pid and the port in NAME_port; stop ends one process.

server_pids=()

# A CA, a server certificate (also for client authentication: etcd's gateway calls etcd with it) and
# a client certificate.
make_pki() {
    local folder=$1

    mkdir -p "$folder"
    make_certificate "$folder" ca "basicConstraints=critical,CA:TRUE" \
        "keyUsage=critical,keyCertSign,cRLSign"
    make_certificate "$folder" server "subjectAltName=IP:127.0.0.1,DNS:localhost" \
        "extendedKeyUsage=serverAuth,clientAuth" "keyUsage=critical,digitalSignature"
    make_certificate "$folder" client "subjectAltName=URI:spiffe://example.org/orchestrator/1" \
        "extendedKeyUsage=clientAuth" "keyUsage=critical,digitalSignature"
}

# make_certificate FOLDER NAME EXTENSION...: signed by the CA there, or by itself if it is the CA.
make_certificate() {
    local folder=$1 name=$2
    local issuer=(-CA "$folder/ca.crt" -CAkey "$folder/ca.key")

    shift 2
    [ "$name" != ca ] || issuer=(-signkey "$folder/ca.key")
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "/O=benchmark/CN=$name" \
        -keyout "$folder/$name.key" -out "$folder/$name.csr" 2>"$folder/log"
    openssl x509 -req -in "$folder/$name.csr" -days 2 -sha256 "${issuer[@]}" \
        -set_serial "0x1$(openssl rand -hex 8)" \
        -extfile <(printf '%s\n' "$@") -out "$folder/$name.crt" 2>>"$folder/log"
}

# start_nginx NAME WORKERS: "auto" is one for each CPU.  The constant answer has the size of a created
# context's.  In nginx_worker_pid is the first worker.
start_nginx() {
    local folder=$work/$1 workers=$2 affinity=''

    if [ "$workers" = 1 ] && [ "$nginx_cpus" != auto ]; then
        affinity="worker_cpu_affinity $nginx_cpus;"
    fi
    mkdir -p "$folder"
    nginx_port=$(free_port)
    cat >"$folder/nginx.conf" <<END
daemon off;
worker_processes $workers;
$affinity
error_log $folder/error.log warn;
pid $folder/pid;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $folder/body;
    proxy_temp_path $folder/proxy;
    fastcgi_temp_path $folder/fastcgi;
    uwsgi_temp_path $folder/uwsgi;
    scgi_temp_path $folder/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    server {
        listen 127.0.0.1:$nginx_port ssl backlog=4096;
        ssl_certificate $pki/server.crt;
        ssl_certificate_key $pki/server.key;
        ssl_client_certificate $pki/ca.crt;
        ssl_verify_client on;
        ssl_protocols TLSv1.3;
        ssl_session_cache shared:tls:10m;
        default_type application/json;
        location / { return 201 '{"id":1234567,"inboundFilterId":2}'; }
    }
}
END
    nginx -e "$folder/error.log" -p "$folder" -c "$folder/nginx.conf" >"$folder/log" 2>&1 &
    nginx_pid=$!
    server_pids+=("$nginx_pid")
    wait_for_port nginx "$nginx_pid" "$nginx_port" "$folder/log"
    nginx_worker_pid=$(cut -d' ' -f1 "/proc/$nginx_pid/task/$nginx_pid/children")
}

start_etcd() {
    local folder=$work/etcd peer

    mkdir -p "$folder"
    etcd_port=$(free_port)
    peer=http://127.0.0.1:$(free_port)
    ETCD_UNSUPPORTED_ARCH=$(uname -m | sed 's/aarch64/arm64/') \
        etcd --name bench --data-dir "$folder/data" --logger zap --log-level error \
        --listen-client-urls "https://127.0.0.1:$etcd_port" \
        --advertise-client-urls "https://127.0.0.1:$etcd_port" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
        --initial-cluster "bench=$peer" \
        --cert-file "$pki/server.crt" --key-file "$pki/server.key" \
        --client-cert-auth --trusted-ca-file "$pki/ca.crt" >"$folder/log" 2>&1 &
    etcd_pid=$!
    server_pids+=("$etcd_pid")
    wait_for_port etcd "$etcd_pid" "$etcd_port" "$folder/log"
    sleep 1
}

# PostgreSQL refuses to run as root.  Its superuser is who the client certificate names.
start_postgres() {
    local folder=$work/postgres bin as_user=()

    bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' | sort -V | tail -n 1)
    mkdir -p "$folder"
    cp "$pki/server.crt" "$pki/server.key" "$pki/ca.crt" "$folder"
    chmod 600 "$folder/server.key"
    if [ "$(id -u)" -eq 0 ]; then
        chown -R postgres "$folder"
        as_user=(setpriv --reuid postgres --regid postgres --init-groups)
    fi
    postgres_port=$(free_port)
    "${as_user[@]}" "$bin/initdb" -D "$folder/data" -U client -A reject >"$folder/log" 2>&1 ||
        die "initdb failed: $(tail -n 3 "$folder/log")"
    echo 'hostssl all client 127.0.0.1/32 cert' >"$folder/data/pg_hba.conf"
    "${as_user[@]}" "$bin/postgres" -D "$folder/data" -p "$postgres_port" -h 127.0.0.1 -k "$folder" \
        -c ssl=on -c ssl_cert_file="$folder/server.crt" -c ssl_key_file="$folder/server.key" \
        -c ssl_ca_file="$folder/ca.crt" >>"$folder/log" 2>&1 &
    postgres_pid=$!
    server_pids+=("$postgres_pid")
    wait_for_port postgres "$postgres_pid" "$postgres_port" "$folder/log"
    until ask_postgres psql -qc 'CREATE TABLE sa_context (id bigserial PRIMARY KEY, local inet,
        remote inet, type smallint, filter bigint, created timestamptz DEFAULT now())' \
        >>"$folder/log" 2>&1; do
        kill -0 "$postgres_pid" 2>/dev/null || die "postgres ended: $(tail -n 3 "$folder/log")"
        sleep 0.1
    done
    cat >"$folder/insert.sql" <<'END'
\set n random(1, 16000000)
INSERT INTO sa_context (local, remote, type, filter)
    VALUES ('192.0.2.1', inet '10.0.0.0' + :n, 1, 1) RETURNING id;
END
}

ask_postgres() {
    PGHOST=127.0.0.1 PGPORT=$postgres_port PGUSER=client PGDATABASE=postgres PGSSLMODE=verify-ca \
        PGSSLROOTCERT=$pki/ca.crt PGSSLCERT=$pki/client.crt PGSSLKEY=$pki/client.key "$@"
}

# insert_rows CONNECTIONS: transactions a second; opening the connections takes some seconds more.
insert_rows() {
    ask_postgres pgbench -n -M prepared -c "$1" -j 1 -T "$(calculate "int($seconds + 3.999)")" \
        -f "$work/postgres/insert.sql" 2>>"$work/postgres/log" |
        sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

# start_daemon NAME [OPTION]...: a daemon with its own store, kept in $work/NAME over restarts.  Leaves
# daemon_pid, daemon_port and, in daemon_start_seconds, the time until it was ready.
start_daemon() {
    local name=$1 folder=$work/$1 ops begin

    mkdir -p "$folder"
    daemon_port=$(free_port)
    ops=127.0.0.1:$(free_port)
    begin=$EPOCHREALTIME
    "$daemon" --listen "127.0.0.1:$daemon_port" --ops-listen "$ops" --access "$work/access.json" \
        --tls-cert "$pki/server.crt" --tls-key "$pki/server.key" --client-ca "$pki/ca.crt" \
        --store "sqlite:$folder/state.db" --larval-timeout-seconds 0 "${daemon_options[@]}" "${@:2}" >>"$folder/log" 2>&1 &
    daemon_pid=$!
    disown "$daemon_pid"
    server_pids+=("$daemon_pid")
    until curl -sf -o /dev/null "http://$ops/readyz"; do
        kill -0 "$daemon_pid" 2>/dev/null || die "$name ended: $(tail -n 3 "$folder/log")"
        [ "$(calculate "$EPOCHREALTIME - $begin < 300")" = 1 ] || die "$name is not ready after 300 s"
        sleep 0.005
    done
    daemon_start_seconds=$(calculate "$EPOCHREALTIME - $begin")
}

# Who may do everything: the client certificate of make_pki.
write_access() {
    local all='{"dacl":[{"type":"allow","principal":"uri:spiffe://example.org/orchestrator/*",
        "rights":["GENERIC_ALL"]}]}'

    printf '{"engine":%s,"saDatabase":%s,"filters":%s,"providerContexts":%s}\n' \
        "$all" "$all" "$all" "$all" >"$work/access.json"
}

# add_filters URL: the outbound filter, whose id is printed, and its inbound mirror.
add_filters() {
    add_filter "$1" outboundTransportV4 ipsecOutboundTransportV4
    add_filter "$1" inboundTransportV4 ipsecInboundTransportV4 >/dev/null
}

add_filter() {
    local url=$1 layer=$2 callout=$3 body

    printf -v body '{"displayData":{"name":"%s"},"layer":"%s","conditions":[
        {"field":"ipLocalAddress","match":"equal","value":"192.0.2.1"},
        {"field":"ipRemoteAddress","match":"equal","value":"10.0.0.0/8"}],
        "action":{"type":"calloutTerminating","callout":"%s"}}' "$layer" "$layer" "$callout"
    member id "$(request "$url" "$body")"
}

# request URL BODY: one POST with curl; the answer's body is printed.
request() {
    curl -sS --fail-with-body -H 'Content-Type: application/json' -d "$2" "$1" \
        --cacert "$pki/ca.crt" --cert "$pki/client.crt" --key "$pki/client.key" ||
        die "POST $1 was refused"
}

# stop PID [SIGNAL]: and wait until it is gone; after ten seconds by force.
stop() {
    local pid=$1 signal=${2:-TERM} waited=0

    kill "-$signal" "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null && [ $((waited += 1)) -lt 1000 ]; do
        sleep 0.01
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

stop_all() {
    local pid

    for pid in "${server_pids[@]}"; do
        stop "$pid"
    done
    server_pids=()
}

# wait_for_port NAME PID PORT LOG
wait_for_port() {
    local waited=0

    until (: <"/dev/tcp/127.0.0.1/$3") 2>/dev/null; do
        kill -0 "$2" 2>/dev/null || die "$1 ended: $(tail -n 3 "$4")"
        [ $((waited += 1)) -lt 1000 ] || die "$1 does not listen after 10 s"
        sleep 0.01
    done
}

free_port() {
    local port

    while :; do
        port=$((20000 + SRANDOM % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}
