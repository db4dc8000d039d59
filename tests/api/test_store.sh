#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_store.sh: what survives a restart, and what happens when the store's file or disk is bad.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

DB=$WORK/state.db
STORE=sqlite:$DB
create() {
    call POST /sa-contexts "{\"localAddress\": \"192.0.2.1\", \"remoteAddress\": \"198.51.100.$1\",
        \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT4}" "${@:2}"
}

# --- Restart --------------------------------------------------------------------------------------

start_daemon || exit 1
add_filters
create 7 -H 'Idempotency-Key: k'
FIRST=$BODY
ID=$(member .id)
create 8
call DELETE "/sa-contexts/$(member .id)"
LAST=$((ID + 1))
call GET "/sa-contexts/$ID"
SHOWN=$BODY
call GET "/filters/$OUT4"
FILTER=$BODY
check "an operator can read the rows" \
    test "$(sqlite3 -readonly "$DB" 'select remote_address from sa_context')" = 198.51.100.7

kill -9 "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
start_daemon || exit 1
call GET "/sa-contexts/$ID"
is "a context survives kill -9" "$BODY" "$SHOWN"
call GET "/filters/$OUT4"
is "a filter too" "$BODY" "$FILTER"
create 7 -H 'Idempotency-Key: k'
is "and the answer to a repeat" "$STATUS $(header Idempotent-Replay) $BODY" "201 true $FIRST"
create 9
check "identifiers are not reused, not even deleted ones" test "$(member .id)" -gt "$LAST"
call DELETE "/filters/$OUT4"
answered "a filter is still in use" 409 FWP_E_IN_USE
call DELETE "/filters/$IN4"
answered "and the inbound one" 409 FWP_E_IN_USE

# --- A store of before: the inbound filter of a context could go ----------------------------------

kill -9 "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
sqlite3 "$DB" "update sa_context set inbound_filter_id = 999 where id = $ID"
start_daemon || exit 1
call GET "/sa-contexts/$ID"
is "a context without its inbound filter is as it was but for that" "$BODY" \
    "$(jq -c '.inboundFilterId = 0' <<<"$SHOWN")"
call DELETE "/filters/$IN4"
is "and refers to no other" "$(member .detail | cut -d: -f1)" "1 SA context refers to filter $IN4"

# --- A second daemon on the same file -------------------------------------------------------------

OPTIONS=(--listen 127.0.0.1:0 --ops-listen off --tls-cert "$PKI/server.pem" --tls-key "$PKI/server.key"
    --client-ca "$PKI/ca.pem" --access "$WORK/access.json" --audit-log off)
# starts_not NAME WORD STORE
starts_not() {
    timeout 20 "$SA_CONTEXTD" "${OPTIONS[@]}" --store "$3" >"$WORK/out" 2>&1
    local got=$?
    if [ $got = 1 ] && grep -qi -- "$2" "$WORK/out"; then
        pass "$1"
    else
        fail "$1" "exit $got, expected 1 and '$2'" "$(tail -n 3 "$WORK/out")"
    fi
}
starts_not "a second daemon is refused" 'has it open' "sqlite:$DB"
call GET "/sa-contexts/$ID"
answered "the first is unharmed" 200
stop_daemon
is "stopped" "$STATUS" 0

# --- Bad files ------------------------------------------------------------------------------------

cp "$DB" "$WORK/newer.db"
sqlite3 "$WORK/newer.db" "pragma user_version = 9999"
starts_not "a newer schema" 'newer' "sqlite:$WORK/newer.db"
head -c 8192 /dev/urandom >"$WORK/garbage.db"
starts_not "no database" 'not a database\|corrupt' "sqlite:$WORK/garbage.db"
cp "$DB" "$WORK/broken.db"
sqlite3 "$WORK/broken.db" "pragma wal_checkpoint(truncate)" >/dev/null
dd if=/dev/urandom of="$WORK/broken.db" bs=4096 seek=1 count=40 conv=notrunc 2>/dev/null
starts_not "broken pages" 'corrupt\|malformed\|invalid' "sqlite:$WORK/broken.db"
sqlite3 "$WORK/foreign.db" "create table t (x)"
starts_not "another program's database" 'foreign.db' "sqlite:$WORK/foreign.db"
starts_not "no such folder" 'nowhere' "sqlite:$WORK/nowhere/state.db"
starts_not "a folder" 'folder' "sqlite:$(mkdir -p "$WORK/folder" && echo "$WORK/folder")"
sqlite3 "$DB" "update sa_context set state = 99" 2>/dev/null ||
    sqlite3 "$DB" "pragma ignore_check_constraints = 1; update sa_context set state = 'x'" 2>/dev/null
if [ "$(sqlite3 "$DB" "select count(*) from sa_context where state in ('x', 99)")" != 0 ]; then
    starts_not "a row with a value that is none" 'sa_context' "sqlite:$DB"
fi

# --- A disk that is full, read-only, and well again -----------------------------------------------

if [ "$(id -u)" = 0 ] && mkdir "$WORK/small" && mount -t tmpfs -o size=1m,mode=0700 tmpfs "$WORK/small" 2>/dev/null; then
    trap 'umount -l "$WORK/small" 2>/dev/null; cleanup' EXIT
    STORE=sqlite:$WORK/small/state.db
    start_daemon || exit 1
    add_filters
    create 7
    ID=$(member .id)
    head -c 2M /dev/zero >"$WORK/small/fill" 2>/dev/null
    for octet in $(seq 8 250); do
        create "$octet"
        [ "$STATUS" = 201 ] || break
        GOOD=$(member .id)
    done
    check "a full disk: 503 or 507" test "$STATUS" = 503 -o "$STATUS" = 507
    check "with the code" grep -q 'RPC_E_' "$WORK/body"
    is "and Retry-After" "$(header Retry-After)" 1
    call GET "/sa-contexts/$ID"
    answered "reads go on" 200
    is "readyz says so" "$(curl -s -o /dev/null -w '%{http_code}' "$OPS/readyz")" 503
    rm "$WORK/small/fill"
    for _ in $(seq 100); do
        [ "$(curl -s -o /dev/null -w '%{http_code}' "$OPS/readyz")" = 200 ] && break
        sleep 0.1
    done
    create 251
    answered "after a probe write it goes on" 201

    mount -o remount,ro "$WORK/small" 2>/dev/null && {
        create 252
        check "a disk gone read-only: 503" test "$STATUS" = 503
        mount -o remount,rw "$WORK/small"
        for _ in $(seq 100); do
            create 253
            [ "$STATUS" = 201 ] && break
            sleep 0.1
        done
        answered "and back" 201
    }
    call GET '/sa-contexts?limit=1000'
    BEFORE=$(member '[.items[].id] | join(" ")')
    kill -9 "$DAEMON_PID"
    wait "$DAEMON_PID" 2>/dev/null
    start_daemon || exit 1
    call GET '/sa-contexts?limit=1000'
    is "what was acknowledged is there, nothing else" "$(member '[.items[].id] | join(" ")')" "$BEFORE"
    check "the last acknowledged too" grep -qw "${GOOD:-$ID}" <<<"$BEFORE"
else
    echo "# not root, or no mount: full and read-only disks are left out"
fi

finish
