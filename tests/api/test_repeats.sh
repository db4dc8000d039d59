#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_repeats.sh: Idempotency-Key on every POST: the repeat gets the first answer and nothing happens
# twice, also where the first changed what the call asks of its session or its object.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

STORE=sqlite:$WORK/state.db
cat >"$WORK/access.json" <<END
{"engine": {"dacl": [{"type": "allow", "principal": "uri:spiffe://example.org/orchestrator/*", "rights": ["GENERIC_ALL"]}]}}
END
start_daemon || exit 1
add_filters

TRAFFIC='{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7", "trafficType": "transport",
          "ipsecFilterId": '$OUT4'}'
KEYED=${TRAFFIC%\}}', "labels": {"of": "repeats"}, "spi": 4096, "inbound": {"saList": [{"spi": 4096, "saTransformType": "espAuthAndCipher",
    "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128", "cipherKey": "hex:'$(printf '11%.0s' {1..20})'"}]},
    "outbound": {"saList": [{"spi": 8192, "saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128",
    "cipherTransform": "GCM_AES_128", "cipherKey": "hex:'$(printf '22%.0s' {1..20})'"}]}}'
FILTER='{"displayData": {"name": "of a session"}, "layer": "outboundTransportV6", "action": {"type": "permit"}}'

# keyed KEY METHOD PATH [BODY] [CURL OPTION…]
keyed() {
    local key=$1 method=$2 path=$3 body=${4-}
    shift 3
    [ $# -eq 0 ] || shift
    call "$method" "$path" "$body" -H "Idempotency-Key: $key" "$@"
}
replayed() { is "$1" "$STATUS $(header Idempotent-Replay) $BODY" "$2 true $FIRST"; }
sequence() {
    call GET /sa-contexts
    member .sequence
}
count() { # count PATH
    call GET "$1"
    member '.items | length'
}

# --- Expire, which has no body --------------------------------------------------------------------

call POST /sa-contexts "$KEYED"
answered "a context with keys" 201
ID=$(member .id)
keyed end POST "/sa-contexts/$ID/expire"
answered "expire" 204
is "nothing was there before" "$(header Idempotent-Replay)" ""
FIRST=
BEFORE=$(sequence)
keyed end POST "/sa-contexts/$ID/expire"
replayed "the repeat of expire" 204
is "has no media type" "$(header Content-Type)" ""
is "and changes nothing" "$(sequence)" "$BEFORE"
check "the audit names the context" grep -q "/$ID/expire\".*\"objectId\":$ID,\"replayed\":true" "$WORK/audit.log"
call DELETE "/sa-contexts/$ID"
keyed end POST "/sa-contexts/$ID/expire"
replayed "also when the context is gone" 204
keyed end POST "/sa-contexts/$((ID + 1000))/expire"
answered "the key with another context" 422 HTTP_E_STATUS_UNPROCESSABLE_CONTENT Idempotency-Key
keyed end POST "/sa-contexts/$ID/expire?dryRun=true"
answered "a dry run is told what holds now" 404 FWP_E_NOT_FOUND
keyed "$(head -c 256 /dev/zero | tr '\0' k)" POST "/sa-contexts/$ID/expire"
answered "a key too long" 400 FWP_E_INVALID_PARAMETER
keyed gone POST "/sa-contexts/$ID/expire"
answered "a failure" 404 FWP_E_NOT_FOUND
keyed gone POST "/sa-contexts/$ID/expire"
is "is not remembered" "$STATUS $(header Idempotent-Replay)" "404 "

# --- A comparison with the data plane -------------------------------------------------------------

keyed compare POST /reconcile
answered "reconcile" 200
FIRST=$BODY
keyed compare POST /reconcile
replayed "the repeat of reconcile" 200
call POST /sessions '{}'
OTHER=$(member .sessionKey)
keyed compare POST /reconcile '' -H "Engine-Session: $OTHER"
answered "the key in another session" 422 HTTP_E_STATUS_UNPROCESSABLE_CONTENT

# --- Transactions ---------------------------------------------------------------------------------

keyed end POST /sessions
is "another operation has keys of its own" "$STATUS $(header Idempotent-Replay)" "201 "
keyed open POST /sessions '{}'
answered "open" 201
FIRST=$BODY
KEY=$(member .sessionKey)
SESSIONS=$(count /sessions)
keyed open POST /sessions '{}'
replayed "the repeat of open" 201
is "opens no second one" "$(count /sessions)" "$SESSIONS"

keyed begin POST "/sessions/$KEY/transaction" '{}'
answered "begin" 201
FIRST=$BODY
keyed begin POST "/sessions/$KEY/transaction" '{}'
replayed "the repeat of begin, in the transaction" 201
keyed begin POST "/sessions/$KEY/transaction" '{"flags": ["readOnly"]}'
answered "another begin with the key, in the transaction" 409 FWP_E_TXN_IN_PROGRESS
keyed another POST "/sessions/$KEY/transaction" '{}'
answered "begin with another key, in the transaction" 409 FWP_E_TXN_IN_PROGRESS
keyed part POST /filters "$FILTER" -H "Engine-Session: $KEY"
answered "a part of the transaction takes no key" 400 FWP_E_INVALID_PARAMETER Idempotency-Key
FILTERS=$(count /filters)
call POST /filters "$FILTER" -H "Engine-Session: $KEY"
answered "a part" 201
keyed commit POST "/sessions/$KEY/transaction/commit"
answered "commit" 204
FIRST=
is "and there it is" "$(count /filters)" $((FILTERS + 1))
keyed commit POST "/sessions/$KEY/transaction/commit"
replayed "the repeat of commit, without a transaction" 204
keyed another POST "/sessions/$KEY/transaction/commit"
answered "a commit with another key" 409 FWP_E_NO_TXN_IN_PROGRESS
call POST "/sessions/$KEY/transaction/commit"
answered "a commit without" 409 FWP_E_NO_TXN_IN_PROGRESS
keyed commit POST "/sessions/$OTHER/transaction/commit"
answered "the key in another session, which has no transaction" 409 FWP_E_NO_TXN_IN_PROGRESS
call POST "/sessions/$OTHER/transaction" '{}'
keyed commit POST "/sessions/$OTHER/transaction/commit"
answered "and which has one" 422 HTTP_E_STATUS_UNPROCESSABLE_CONTENT
keyed abort DELETE "/sessions/$OTHER/transaction"
answered "abort, a DELETE, takes none" 204
keyed abort DELETE "/sessions/$OTHER/transaction"
answered "and is told what holds now" 409 FWP_E_NO_TXN_IN_PROGRESS
CLIENT=stranger
keyed commit POST "/sessions/$KEY/transaction/commit"
answered "somebody else's repeat" 404 ERROR_INVALID_HANDLE
CLIENT=orchestrator

# --- The rest -------------------------------------------------------------------------------------

# Every POST of the contract takes a key.
call GET /openapi.json
is "no POST is without" "$(jq -r '.paths | to_entries[] | select(.value.post != null)
    | select([.value.post.parameters[]."$ref" // ""] | any(endswith("/IdempotencyKey")) | not) | .key' "$WORK/body")" ""

# --- After a crash --------------------------------------------------------------------------------

call POST /sa-contexts "$TRAFFIC"
ID=$(member .id)
keyed crash POST "/sa-contexts/$ID/expire"
answered "expire" 204
kill -9 "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
start_daemon || exit 1
keyed crash POST "/sa-contexts/$ID/expire"
replayed "its repeat after a crash" 204
keyed commit POST "/sessions/$KEY/transaction/commit"
answered "a session ends with the service, whatever the key" 410 FWP_E_SESSION_ABORTED
finish
