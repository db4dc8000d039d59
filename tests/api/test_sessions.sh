#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_sessions.sh: sessions and transactions: what each call answers in each kind of session, one
# case a cell of the table of calls, sessions and transactions; ownership, waiting, ends.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

STORE=sqlite:$WORK/state.db
start_daemon --txn-wait-ms 300 || exit 1
add_filters

# open_session [BODY]: prints its key.
open_session() {
    call POST /sessions "${1-{\}}"
    member .sessionKey
}
# within SESSION METHOD PATH [BODY] [CURL OPTION…]
within() {
    local session=$1 method=$2 path=$3 body=${4-}
    shift 3
    [ $# -eq 0 ] || shift
    call "$method" "$path" "$body" -H "Engine-Session: $session" "$@"
}
begin() { call POST "/sessions/$1/transaction" "{\"flags\": [${2-}]}"; }
commit() { call POST "/sessions/$1/transaction/commit"; }
abort() { call DELETE "/sessions/$1/transaction"; }

TRAFFIC='{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7", "trafficType": "transport",
          "ipsecFilterId": '$OUT4'}'
FILTER='{"displayData": {"name": "of a session"}, "layer": "outboundTransportV6", "action": {"type": "permit"}}'
SA='{"saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128"'
new_context() {
    call POST /sa-contexts "$TRAFFIC"
    member .id
}
new_filter() {
    call POST /filters "$FILTER"
    member .id
}
inbound() { echo "{\"saList\": [$SA, \"spi\": $1, \"cipherKey\": \"hex:$(printf '11%.0s' {1..20})\"}]}"; }
outbound() { echo "{\"saList\": [$SA, \"spi\": 4096, \"cipherKey\": \"hex:$(printf '22%.0s' {1..20})\"}]}"; }

# --- Sessions themselves --------------------------------------------------------------------------

call POST /sessions '{"displayData": {"name": "nightly"}, "txnWaitTimeoutMs": 250}'
answered "open" 201
KEY=$(member .sessionKey)
is "open answers Location" "$(header Location)" "/sessions/$KEY"
is "open answers what was asked" "$(member '[.displayData.name, .txnWaitTimeoutMs, .flags, .openedBy] | tostring')" \
    '["nightly",250,[],"uri:spiffe://example.org/orchestrator/1"]'
call GET "/sessions/$KEY"
answered "read" 200
call POST /sessions "{\"sessionKey\": \"$KEY\"}"
answered "a key that is open" 409 FWP_E_ALREADY_EXISTS /sessionKey
call POST /sessions '{"sessionKey": "6f1c2b3a-0000-4000-8000-0000000000aa", "flags": ["dynamic"]}'
answered "a key of one's own" 201
is "is taken" "$(member .sessionKey)" 6f1c2b3a-0000-4000-8000-0000000000aa
call POST /sessions '{"serverName": "elsewhere"}'
answered "a server name: it is the one of the URL" 400 FWP_E_INVALID_PARAMETER /serverName
call POST /sessions '{"authnService": 9}'
answered "an authentication service: it is TLS" 400 FWP_E_INVALID_PARAMETER /authnService
call GET /sessions
is "list" "$(member '[.items[].sessionKey] | join(" ")')" "$KEY 6f1c2b3a-0000-4000-8000-0000000000aa"
for row in '{"sessionKey": "x"}|FWP_E_INVALID_PARAMETER|/sessionKey' '{"sessionKey": 1}|FWP_E_TYPE_MISMATCH|/sessionKey' \
    '{"flags": ["static"]}|FWP_E_INVALID_FLAGS|/flags/0' '{"flags": "dynamic"}|FWP_E_TYPE_MISMATCH|/flags' \
    '{"flags": ["dynamic", "dynamic"]}|FWP_E_INVALID_FLAGS|/flags/1' \
    '{"txnWaitTimeoutMs": -1}|FWP_E_OUT_OF_BOUNDS|/txnWaitTimeoutMs' \
    '{"txnWaitTimeoutMs": 4294967296}|FWP_E_OUT_OF_BOUNDS|/txnWaitTimeoutMs' \
    '{"displayData": 1}|FWP_E_TYPE_MISMATCH|/displayData' '{"processId": 1}|FWP_E_INVALID_PARAMETER|/processId' \
    '{"flags": [], "flags": []}|FWP_E_INVALID_PARAMETER|/flags'; do
    IFS='|' read -r body code pointer <<<"$row"
    call POST /sessions "$body"
    answered "open with $body" 400 "$code" "$pointer"
done
call GET /sessions/6f1c2b3a-0000-4000-8000-0000000000ff
answered "an unknown one" 404 ERROR_INVALID_HANDLE
call GET /sessions/nightly
answered "no key at all" 404 ERROR_INVALID_HANDLE

# A session is its principal's: to others it does not exist.
CLIENT=reader
call GET "/sessions/$KEY"
answered "another's session is not found" 404 ERROR_INVALID_HANDLE
call DELETE "/sessions/$KEY"
answered "nor closed" 404 ERROR_INVALID_HANDLE
within "$KEY" GET /sa-contexts
answered "nor used" 404 ERROR_INVALID_HANDLE
begin "$KEY"
answered "nor begun in" 404 ERROR_INVALID_HANDLE
call GET /sessions
is "nor listed" "$(member '.items | length')" 0
CLIENT=orchestrator

call DELETE "/sessions/$KEY"
answered "close" 204
call DELETE "/sessions/$KEY"
answered "close again" 404 ERROR_INVALID_HANDLE
within "$KEY" GET /sa-contexts
answered "use a closed one" 404 ERROR_INVALID_HANDLE
call DELETE /sessions/6f1c2b3a-0000-4000-8000-0000000000aa

# --- The table: each call in a transaction and in a dynamic session -------------------------------

READ=$(open_session)
begin "$READ" '"readOnly"'
answered "begin, read only" 201
is "it is one" "$(member .transaction)" readOnly
begin "$READ" '"readOnly"'
answered "a second one" 409 FWP_E_TXN_IN_PROGRESS
DYNAMIC=$(open_session '{"flags": ["dynamic"]}')

# One context in each state that the calls need.
CREATED=$(new_context)
SPI_SET=$(new_context)
call POST "/sa-contexts/$SPI_SET/spi" "{\"ipsecFilterId\": $IN4}"
SPI=$(member .spi)
INBOUND=$(new_context)
call POST "/sa-contexts/$INBOUND/spi" "{\"ipsecFilterId\": $IN4}"
call POST "/sa-contexts/$INBOUND/inbound" "$(inbound "$(member .spi)")"
answered "the contexts are there" 201

# cell NAME TRANSACTION-STATUS+CODE DYNAMIC-STATUS+CODE METHOD PATH [BODY]: in a read-only
# transaction, in a read/write one, and in a dynamic session; "-" as code: there is none.
cell() {
    local name=$1 in_transaction=$2 in_dynamic=$3 write
    shift 3
    # shellcheck disable=SC2086
    within "$READ" "$@" && answered "$name in a read-only transaction" $in_transaction
    abort "$READ"
    write=$(open_session)
    begin "$write"
    # shellcheck disable=SC2086
    within "$write" "$@" && answered "$name in a read/write transaction" $in_transaction
    call DELETE "/sessions/$write"
    begin "$READ" '"readOnly"'
    # shellcheck disable=SC2086
    within "$DYNAMIC" "$@" && answered "$name in a dynamic session" $in_dynamic
}
IN_TXN="409 FWP_E_TXN_IN_PROGRESS"
IN_DYNAMIC="409 FWP_E_DYNAMIC_SESSION_IN_PROGRESS"

cell "Create" "$IN_TXN" "$IN_DYNAMIC" POST /sa-contexts "$TRAFFIC"
cell "Create, many" "$IN_TXN" "$IN_DYNAMIC" POST /sa-contexts/batch "{\"items\": [$TRAFFIC]}"
cell "DeleteById" "$IN_TXN" "$IN_DYNAMIC" DELETE "/sa-contexts/$CREATED"
cell "GetSpi" "$IN_TXN" "200 -" POST "/sa-contexts/$SPI_SET/spi" "{\"ipsecFilterId\": $IN4}"
cell "SetSpi" "$IN_TXN" "200 -" PUT "/sa-contexts/$SPI_SET/spi" "{\"ipsecFilterId\": $IN4, \"spi\": $SPI}"
cell "AddInbound" "$IN_TXN" "201 -" POST "/sa-contexts/$SPI_SET/inbound" "$(inbound "$SPI")"
cell "AddOutbound" "$IN_TXN" "201 -" POST "/sa-contexts/$SPI_SET/outbound" "$(outbound)"
cell "Update" "$IN_TXN" "200 -" PATCH "/sa-contexts/$SPI_SET" '{"outbound": {"mmSaId": 7}}'
cell "Rotate" "$IN_TXN" "$IN_DYNAMIC" POST "/sa-contexts/$SPI_SET/rotate" "{\"inbound\": $(inbound 0)}"
cell "Expire" "$IN_TXN" 204 POST "/sa-contexts/$SPI_SET/expire"
cell "GetById" "200 -" "200 -" GET "/sa-contexts/$INBOUND"
cell "Enum" "200 -" "200 -" GET /sa-contexts
cell "GetStatistics" "$IN_TXN" "200 -" GET /statistics
# A stream does not end by itself: its status is what counts.
cell "Subscribe" "$IN_TXN" "200" GET /sa-contexts/events '' --max-time 2
cell "SubscriptionsGet" "200 -" "200 -" GET /subscriptions
cell "SaDbSetSecurityInfo" "$IN_TXN" "$IN_DYNAMIC" PUT /sa-contexts/security '{"dacl": []}'
cell "read a filter" "200 -" "200 -" GET "/filters/$OUT4"
cell "list filters" "200 -" "200 -" GET /filters

# Policy: refused in a read-only transaction; in a dynamic session it becomes dynamic.
within "$READ" POST /filters "$FILTER"
answered "add a filter in a read-only transaction" 409 FWP_E_INCOMPATIBLE_TXN
within "$READ" DELETE "/filters/$OUT6"
answered "delete a filter in a read-only transaction" 409 FWP_E_INCOMPATIBLE_TXN
for path in /provider-contexts/1 /tunnels/1; do
    within "$READ" DELETE $path
    answered "DELETE $path in a read-only transaction" 409 FWP_E_INCOMPATIBLE_TXN
done
for path in /provider-contexts /tunnels; do
    within "$READ" POST $path '{}'
    answered "POST $path in a read-only transaction" 409 FWP_E_INCOMPATIBLE_TXN
done
abort "$READ"
answered "abort" 204
abort "$READ"
answered "abort again" 409 FWP_E_NO_TXN_IN_PROGRESS
commit "$READ"
answered "commit without one" 409 FWP_E_NO_TXN_IN_PROGRESS

STATIC=$(new_filter)
within "$DYNAMIC" POST /filters "$FILTER"
answered "add a filter in a dynamic session" 201
OWN=$(member .id)
call GET "/filters/$OWN"
is "it is dynamic" "$(member .lifetime)" dynamic
within "$DYNAMIC" DELETE "/filters/$STATIC"
answered "delete a static one from there" 409 FWP_E_DYNAMIC_SESSION_IN_PROGRESS
OTHER=$(open_session '{"flags": ["dynamic"]}')
within "$OTHER" DELETE "/filters/$OWN"
answered "delete another session's" 409 FWP_E_WRONG_SESSION
within "$DYNAMIC" POST /filters "$(jq -c '.layer = "inboundTransportV6"' <<<"$FILTER")"
SECOND=$(member .id)
within "$DYNAMIC" DELETE "/filters/$OWN"
answered "delete one's own" 204
call DELETE "/sessions/$DYNAMIC"
call GET "/filters/$SECOND"
answered "what is dynamic ends with its session" 404 FWP_E_FILTER_NOT_FOUND
call GET "/filters/$STATIC"
answered "what is static stays" 200

# Transaction before dynamic session, when both would refuse.
begin "$OTHER"
within "$OTHER" POST /sa-contexts "$TRAFFIC"
answered "a transaction is refused first" 409 FWP_E_TXN_IN_PROGRESS
call DELETE "/sessions/$OTHER"

# --- All or nothing -------------------------------------------------------------------------------

A=$(open_session)
begin "$A"
within "$A" POST /filters "$FILTER"
ADDED=$(member .id)
within "$A" DELETE "/filters/$STATIC"
answered "delete in a transaction" 204
within "$A" GET "/filters/$ADDED"
answered "one sees what one added" 200
within "$A" GET "/filters/$STATIC"
answered "and misses what one deleted" 404 FWP_E_FILTER_NOT_FOUND
call GET "/filters/$ADDED"
answered "others do not see it" 404 FWP_E_FILTER_NOT_FOUND
call GET "/filters/$STATIC"
answered "others do not miss it" 200
within "$A" POST /filters '{"displayData": {"name": "x"}, "layer": "nowhere", "action": {"type": "permit"}}'
answered "a call that fails" 422 FWP_E_LAYER_NOT_FOUND /layer
call GET "/sessions/$A"
is "leaves the transaction open" "$(member .transaction)" readWrite
abort "$A"
call GET "/filters/$STATIC"
answered "abort: what was deleted is there" 200
within "$A" GET "/filters/$ADDED"
answered "abort: what was added is not" 404 FWP_E_FILTER_NOT_FOUND
begin "$A"
within "$A" POST /filters "$FILTER"
ADDED=$(member .id)
within "$A" DELETE "/filters/$STATIC"
commit "$A"
answered "commit" 204
is "commit: a line of the audit tells of it" \
    "$(jq -rs --arg path "/sessions/$A/transaction/commit" '[.[] | select(.path == $path)][-1] | "\(.method) \(.status)"' "$WORK/audit.log")" \
    "POST 204"
call GET "/filters/$ADDED"
answered "commit: what was added is there" 200
call GET "/filters/$STATIC"
answered "commit: what was deleted is not" 404 FWP_E_FILTER_NOT_FOUND
begin "$A"
within "$A" POST /filters "$FILTER"
ADDED=$(member .id)
call DELETE "/sessions/$A"
call GET "/filters/$ADDED"
answered "closing aborts" 404 FWP_E_FILTER_NOT_FOUND

# --- The lock: one writer or many readers ---------------------------------------------------------

A=$(open_session)
B=$(open_session '{"txnWaitTimeoutMs": 100}')
begin "$A" '"readOnly"'
begin "$B" '"readOnly"'
answered "two readers" 201
abort "$B"
begin "$B"
answered "a writer waits for a reader, and gives up" 503 FWP_E_TIMEOUT
check "it may be tried again" test "$(member .retryable)" = true
abort "$A"
begin "$B"
answered "nobody reads: it writes" 201
begin "$A" '"readOnly"'
answered "a reader waits for a writer, and gives up" 503 FWP_E_TIMEOUT
call POST /filters "$FILTER"
answered "so does a call in a transaction of its own" 503 FWP_E_TIMEOUT
call GET /filters
answered "a read does not wait" 200
call POST /sa-contexts "$TRAFFIC"
answered "nor does the SA database" 201
CLIENT=reader
call GET /filters
answered "for anyone" 200
CLIENT=orchestrator
# A waiter is served when the writer ends.
call POST /sessions '{"txnWaitTimeoutMs": 60000}'
C=$(member .sessionKey)
curl --silent --max-time 60 --cacert "$CA" --cert "$PKI/orchestrator.pem" --key "$PKI/orchestrator.key" \
    -H 'Content-Type: application/json' -d '{}' -o "$WORK/waiter" "$URL/sessions/$C/transaction" &
WAITER=$!
for _ in $(seq 200); do
    curl --silent "$OPS/metrics" | grep -qE '^sa_contextd_calls_waiting 1$' && break
    sleep 0.05
done
commit "$B"
answered "the writer ends" 204
wait "$WAITER"
is "the waiter begins" "$(jq -r .transaction "$WORK/waiter")" readWrite
call DELETE "/sessions/$C"

# --- Ends: a kill, idleness, held too long --------------------------------------------------------

begin "$A"
within "$A" POST /filters "$FILTER"
LOST=$(member .id)
D=$(open_session '{"flags": ["dynamic"]}')
abort "$A"
within "$D" POST /filters "$FILTER"
OF_D=$(member .id)
begin "$A"
stop_daemon KILL
start_daemon --session-idle-seconds 4 --txn-hold-seconds 1 || exit 1
within "$A" GET /filters
answered "after a kill: aborted" 410 FWP_E_SESSION_ABORTED
within "$A" POST /filters "$FILTER"
answered "for every call" 410 FWP_E_SESSION_ABORTED
begin "$A"
answered "begin too" 410 FWP_E_SESSION_ABORTED
call GET "/sessions/$A"
answered "reading it too" 410 FWP_E_SESSION_ABORTED
call GET /sessions
is "the list shows it as aborted" "$(member "[.items[] | select(.sessionKey == \"$A\") | .aborted] | tostring")" '[true]'
call DELETE "/sessions/$A"
answered "until it is closed" 204
within "$A" GET /filters
answered "then it is not known" 404 ERROR_INVALID_HANDLE
call GET "/filters/$LOST"
answered "an open transaction left no trace" 404 FWP_E_FILTER_NOT_FOUND
call GET "/filters/$OF_D"
answered "nor did a dynamic session" 404 FWP_E_FILTER_NOT_FOUND
within "$D" GET /filters
answered "which is aborted" 410 FWP_E_SESSION_ABORTED

# until_done COMMAND…: repeats it until it succeeds.
until_done() {
    for _ in $(seq 300); do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}
has_no_transaction() { call GET "/sessions/$1" && [ "$(member .transaction)" = null ]; }
is_cancelled() { call GET "/sessions/$1" && [ "$(member .code)" = FWP_E_SESSION_ABORTED ]; }
E=$(open_session)
begin "$E"
within "$E" POST /filters "$FILTER"
HELD=$(member .id)
check "a transaction held too long is rolled back" until_done has_no_transaction "$E"
within "$E" GET /filters
answered "the next call is told" 409 FWP_E_TXN_ABORTED
within "$E" GET /filters
answered "once" 200
call GET "/filters/$HELD"
answered "what it added is gone" 404 FWP_E_FILTER_NOT_FOUND
check "a session that nobody uses is cancelled" until_done is_cancelled "$E"
within "$E" GET /filters
answered "its calls are told" 410 FWP_E_SESSION_ABORTED
call DELETE "/sessions/$E"
answered "it can be closed" 204

finish
