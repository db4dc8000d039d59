#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_check.sh: --check finds what a start would fail on, names the option, changes nothing, and is
# no failure beside the running service.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

make_pki
S=$WORK/stores
mkdir "$S"
chmod 755 "$WORK" "$PKI" "$S"
chmod 644 "$PKI"/* "$WORK/access.json"
BASE=(--tls-cert "$PKI/server.pem" --tls-key "$PKI/server.key" --client-ca "$PKI/ca.pem"
    --access "$WORK/access.json")
QUIET=(--listen 127.0.0.1:0 --ops-listen off --audit-log off)
AS=()

listing() { find "$S" -printf '%p %s %m %T@\n' | sort; }

# finds NAME OPTION WORDS ARGUMENT…: --check does, with that option; and a start ends, too.
finds() {
    local name=$1 option=$2 words=$3 before
    shift 3
    before=$(listing)
    timeout 60 "${AS[@]}" "$SA_CONTEXTD" --check "${BASE[@]}" "$@" >"$WORK/out" 2>&1
    local got=$?
    if [ $got = 2 ] && jq -se --arg option "$option" --arg words "$words" \
        'any(.[]; .event == "configuration refused" and .option == $option and (.reason | contains($words)))' \
        "$WORK/out" >/dev/null; then
        pass "$name"
    else
        fail "$name" "exit $got, expected 2, '$option' and '$words'" "$(head -n 5 "$WORK/out")"
    fi
    is "$name: nothing changes" "$(listing)" "$before"
    timeout 60 "${AS[@]}" "$SA_CONTEXTD" "${BASE[@]}" "$@" >"$WORK/start" 2>&1
    got=$?
    check "$name: it would not start" test $got = 1 -o $got = 2
}

# passes NAME ARGUMENT…
passes() {
    local name=$1 before
    shift
    before=$(listing)
    timeout 60 "${AS[@]}" "$SA_CONTEXTD" --check "${BASE[@]}" "$@" >"$WORK/out" 2>&1
    local got=$?
    if [ $got = 0 ] && grep -q 'configuration is good' "$WORK/out"; then
        pass "$name"
    else
        fail "$name" "exit $got, expected 0" "$(head -n 5 "$WORK/out")"
    fi
    is "$name: nothing changes" "$(listing)" "$before"
}

# --- Between options, addresses -------------------------------------------------------------------

MEMORY=(--store memory:)
passes "a good one" "${QUIET[@]}" "${MEMORY[@]}"
finds "an SPI range upside down" spi-minimum 'above spi-maximum 300' "${QUIET[@]}" "${MEMORY[@]}" \
    --spi-minimum 301 --spi-maximum 300
passes "an SPI range of one" "${QUIET[@]}" "${MEMORY[@]}" --spi-minimum 300 --spi-maximum 300
LISTEN=(--audit-log off "${MEMORY[@]}" --listen)
finds "one address for both" ops-listen "taken by listen" "${LISTEN[@]}" 127.0.0.1:18443 --ops-listen 127.0.0.1:18443
finds "any address covers it" ops-listen "taken by listen" "${LISTEN[@]}" 0.0.0.0:18443 --ops-listen 127.0.0.1:18443
finds "and the other way" ops-listen "taken by listen" "${LISTEN[@]}" 127.0.0.1:18443 --ops-listen 0.0.0.0:18443
mkfifo "$WORK/fifo"
finds "a FIFO for the audit log" audit-log "audit-log $WORK/fifo: not a regular file" --listen 127.0.0.1:0 \
    --ops-listen off "${MEMORY[@]}" --audit-log "$WORK/fifo"
passes "two ports of the kernel's choice" "${LISTEN[@]}" 127.0.0.1:0 --ops-listen 127.0.0.1:0
passes "one port of two addresses" "${LISTEN[@]}" 127.0.0.1:18443 --ops-listen 127.0.0.2:18443
finds "somebody else's address" listen 'no interface of this host' "${LISTEN[@]}" 192.0.2.1:18443 --ops-listen off
finds "for operators too" ops-listen 'no interface of this host' "${LISTEN[@]}" 127.0.0.1:0 --ops-listen 192.0.2.1:18443
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
    passes "IPv6" "${LISTEN[@]}" '[::1]:0' --ops-listen '[::1]:0'
    finds "one IPv6 address for both" ops-listen "taken by listen" "${LISTEN[@]}" '[::1]:18443' --ops-listen '[0::1]:18443'
    finds "somebody else's IPv6 address" listen 'no interface of this host' "${LISTEN[@]}" '[2001:db8::1]:18443' --ops-listen off
    if [ "$(cat /proc/sys/net/ipv6/bindv6only)" = 0 ]; then
        finds "any IPv6 address covers IPv4" ops-listen "taken by listen" "${LISTEN[@]}" '[::]:18443' --ops-listen 127.0.0.1:18443
    fi
fi
finds "no network namespace" netns surely-none "${QUIET[@]}" "${MEMORY[@]}" --netns surely-none
finds "no name of one" netns "can't be the name" "${QUIET[@]}" "${MEMORY[@]}" --netns ../x
finds "no such user" user nobody-at-all "${QUIET[@]}" "${MEMORY[@]}" --user nobody-at-all

# --- The store ------------------------------------------------------------------------------------

STORE=sqlite:$S/state.db
start_daemon || exit 1
add_filters
call POST /sa-contexts '{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7",
    "trafficType": "transport", "ipsecFilterId": '"$OUT4"'}'
answered "something is in it" 201
RUNNING=(--listen "${URL#https://}" --ops-listen "${OPS#http://}" --store "$STORE" --audit-log off)
passes "beside the running service" "${RUNNING[@]}"
is "what is taken is told" "$(jq -r 'select(.event == "checked beside what runs") | .option' "$WORK/out" | xargs)" \
    "listen ops-listen store"
check "with its process" grep -q "process $DAEMON_PID has it open" "$WORK/out"
finds "a fault is found there, too" spi-minimum 'above' "${RUNNING[@]}" --spi-minimum 301 --spi-maximum 300
call GET /whoami
answered "the service goes on" 200
kill -9 "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
passes "after a crash, with its log" "${QUIET[@]}" --store "$STORE"
start_daemon || exit 1
stop_daemon
passes "at rest" "${QUIET[@]}" --store "$STORE"
passes "one to be made" "${QUIET[@]}" --store "sqlite:$S/new.db"

sqlite() { finds "$1" store "$2" "${QUIET[@]}" --store "sqlite:$3"; }
cp "$S/state.db" "$S/newer.db" && sqlite3 "$S/newer.db" 'pragma user_version = 9999'
sqlite "a newer schema" 'schema version 9999' "$S/newer.db"
head -c 8192 /dev/urandom >"$S/garbage.db"
sqlite "no database" 'not a database' "$S/garbage.db"
sqlite3 "$S/foreign.db" 'create table t (x)'
sqlite "another program's" 'another application' "$S/foreign.db"
cp "$S/state.db" "$S/row.db" && sqlite3 "$S/row.db" "update sa_context set state = 'sleeping'"
sqlite "a row that can't be" 'table sa_context' "$S/row.db"
cp "$S/state.db" "$S/descriptor.db"
sqlite3 "$S/descriptor.db" "insert into descriptor values (2, 'saDatabase', '{\"dacl\": [{\"type\": \"allow\",
    \"principal\": \"nobody\", \"rights\": []}]}')"
sqlite "a security descriptor that can't be" 'descriptor of saDatabase that a caller had set' "$S/descriptor.db"
passes "which the operator may forget" "${QUIET[@]}" --store "sqlite:$S/descriptor.db" --reset-security true
cp "$S/state.db" "$S/broken.db"
dd if=/dev/urandom of="$S/broken.db" bs=4096 seek=1 count=40 conv=notrunc 2>/dev/null
sqlite "broken pages" 'store' "$S/broken.db"
ln -s state.db "$S/link.db"
for file in wal shm; do
    cp "$S/state.db" "$S/$file.db" && echo x >"$S/$file.db-wal" && echo x >"$S/$file.db-shm"
    rm "$S/$file.db-$file" && mkdir "$S/$file.db-$file"
    sqlite "a folder for its -$file" "(-$file)" "$S/$file.db"
    rmdir "$S/$file.db-$file" && mkfifo "$S/$file.db-$file"
    sqlite "a FIFO for its -$file" "(-$file)" "$S/$file.db"
done
sqlite "a symbolic link" 'symbolic link' "$S/link.db"
mkdir "$S/folder"
sqlite "a folder" 'folder' "$S/folder"
sqlite "no such folder" 'directory does not exist' "$S/nowhere/state.db"
finds "no store at all" store 'names no store' "${QUIET[@]}" --store redis:x

# --- What an ordinary user may not ----------------------------------------------------------------

if [ "$(id -u)" != 0 ]; then
    as_nobody=(env)
else
    as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
if [ "$(id -u)" = 0 ] && "${as_nobody[@]}" test -r "$SA_CONTEXTD" -a -x "$SA_CONTEXTD"; then
    AS=("${as_nobody[@]}")
    # denied NAME OPTION WORDS ARGUMENT…: and by the same code, whatever it is that may not be had.
    denied() {
        finds "$@"
        is "$1: its code" "$(jq -r 'select(.event == "configuration refused") | .code' "$WORK/out" | xargs)" RPC_E_ACCESS_DENIED
        is "$1: at a start" "$(jq -r 'select(.event == "cannot start") | .code' "$WORK/start" | xargs)" RPC_E_ACCESS_DENIED
    }
    denied "another's store" store 'Permission denied' "${QUIET[@]}" --store "sqlite:$S/state.db"
    denied "another's folder" store 'Permission denied' "${QUIET[@]}" --store "sqlite:$S/new.db"
    denied "another's folder for the audit log" audit-log 'Permission denied' --listen 127.0.0.1:0 --ops-listen off \
        "${MEMORY[@]}" --audit-log "$S/audit.log"
    install -m 600 /dev/null "$S/own.log"
    echo '{}' >"$S/own.json" && chmod 600 "$S/own.json"
    for pair in tls-cert=$PKI/server.pem tls-key=$PKI/server.key client-ca=$PKI/ca.pem client-crl=$PKI/crl.pem \
        access=$WORK/access.json; do
        chmod 600 "${pair#*=}"
        crl=()
        [ "${pair%%=*}" != client-crl ] || crl=(--client-crl "$PKI/crl.pem")
        denied "another's ${pair%%=*}" "${pair%%=*}" "${pair%%=*} ${pair#*=}: Permission denied" "${QUIET[@]}" "${MEMORY[@]}" \
            "${crl[@]}"
        chmod 644 "${pair#*=}"
    done
    denied "another's audit log" audit-log "audit-log $S/own.log: Permission denied" --listen 127.0.0.1:0 --ops-listen off \
        "${MEMORY[@]}" --audit-log "$S/own.log"
    denied "another's options" config "config $S/own.json: Permission denied" "${QUIET[@]}" "${MEMORY[@]}" --config "$S/own.json"
    denied "another user" user "the process can't become user 'root': Operation not permitted" "${QUIET[@]}" "${MEMORY[@]}" --user root
    if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 1 ]; then
        denied "a port of the system's" listen 'CAP_NET_BIND_SERVICE' "${LISTEN[@]}" 127.0.0.1:1 --ops-listen off
    fi
    AS=()
else
    echo "# not root, or the daemon lies where nobody else may: another's files are left out"
fi
AS=("${as_nobody[@]}")
if [ "$(id -u)" != 0 ] || "${as_nobody[@]}" test -x "$SA_CONTEXTD"; then
    finds "the kernel's IPsec without the right" plane '' "${QUIET[@]}" "${MEMORY[@]}" --plane xfrm
fi
AS=()

# --- All at once ----------------------------------------------------------------------------------

"$SA_CONTEXTD" --check --listen 192.0.2.1:1 --ops-listen nowhere --spi-minimum 301 --spi-maximum 300 --netns none \
    --user nobody-at-all --tls-cert none --tls-key none --client-ca none --access none --audit-log "$S/none/x" \
    --store "sqlite:$S/none/x" >"$WORK/out" 2>&1
is "all is told: exit code" $? 2
is "all is told" "$(jq -r 'select(.event == "configuration refused") | .option' "$WORK/out" | sort | xargs)" \
    "access audit-log client-ca listen netns ops-listen spi-minimum store tls-cert user"
# told NAME OPTIONS ARGUMENT…: --check refuses these, and no other.
told() {
    local name=$1 expected=$2
    shift 2
    "$SA_CONTEXTD" --check "$@" >"$WORK/out" 2>&1
    is "$name" "$? $(jq -r 'select(.event == "configuration refused") | .option // .reason' "$WORK/out" | sort | xargs)" \
        "2 $expected"
}
told "options as well as what they say together" "listen log-level spi-minimum workers" "${BASE[@]}" "${QUIET[@]:2}" \
    "${MEMORY[@]}" --workers x --listen 7 --log-level loud --spi-minimum 301 --spi-maximum 300
told "the file, too" "listen queue-depth workers" "${BASE[@]}" "${QUIET[@]:2}" "${MEMORY[@]}" \
    --config <(echo '{"workers": "x", "listen": 8443, "queue-depth": 0}')
SA_CONTEXTD_WORKERS=x told "and the environment" "access listen workers" "${BASE[@]:0:6}" --listen 7 "${QUIET[@]:2}" "${MEMORY[@]}"
told "what is required and missing is told once" "access tls-key workers" "${BASE[@]:0:2}" "${BASE[@]:4:2}" \
    "${QUIET[@]}" "${MEMORY[@]}" --workers x
told "behind a file that can't be read nothing is guessed" "config workers" --config "$S/none.json" --workers x
"$SA_CONTEXTD" "${BASE[@]}" "${QUIET[@]}" "${MEMORY[@]}" --workers x --queue-depth 0 >"$WORK/out" 2>&1
is "a start tells all options" "$? $(jq -r 'select(.event == "cannot start") | .option' "$WORK/out" | xargs)" \
    "2 workers queue-depth"
"$ROOT/deploy/pki.sh" "$PKI" server old --expired >/dev/null
"$SA_CONTEXTD" --check "${BASE[@]:4}" --tls-cert "$PKI/old.pem" --tls-key "$PKI/old.key" "${QUIET[@]}" "${MEMORY[@]}" \
    >"$WORK/out" 2>&1
is "an expired certificate" "$? $(jq -r .option "$WORK/out")" "2 tls-cert"
own() { told "$1" "$2" "${BASE[@]:4}" --tls-cert "$PKI/$3.pem" --tls-key "$PKI/$3.key" "${QUIET[@]}" "${MEMORY[@]}"; }
own "a client's certificate" tls-cert reader
check "with the reason" grep -q 'without serverAuth' "$WORK/out"
"$ROOT/deploy/pki.sh" "$PKI" client old-client --expired >/dev/null
own "an expired one of a client" "tls-cert tls-cert" old-client
"$ROOT/deploy/pki.sh" "$PKI" server any --eku anyExtendedKeyUsage >/dev/null
own "one for any purpose, which clients with OpenSSL refuse" tls-cert any
check "as they say" sh -c "! openssl verify -purpose sslserver -CAfile '$PKI/ca.pem' '$PKI/any.pem' >/dev/null 2>&1"
for usage in none clientAuth,serverAuth anyExtendedKeyUsage,serverAuth; do
    "$ROOT/deploy/pki.sh" "$PKI" server "usage-${usage%,*}" --eku "$usage" >/dev/null
    check "a client takes $usage" openssl verify -purpose sslserver -CAfile "$PKI/ca.pem" "$PKI/usage-${usage%,*}.pem"
    BASE=(--tls-cert "$PKI/usage-${usage%,*}.pem" --tls-key "$PKI/usage-${usage%,*}.key" "${BASE[@]:4}")
    passes "an extended key usage: $usage" "${QUIET[@]}" "${MEMORY[@]}"
done

finish
