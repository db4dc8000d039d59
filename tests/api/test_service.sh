#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_service.sh: routes, media types, the error catalogue, whoami, repeats, lists, request ids.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

start_daemon || exit 1
add_filters

create() { # create LAST-OCTET [CURL OPTION…]
    local octet=$1
    shift
    call POST /sa-contexts "{\"localAddress\": \"192.0.2.1\", \"remoteAddress\": \"198.51.100.$octet\",
        \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT4}" "$@"
}

# --- Routes ---------------------------------------------------------------------------------------

call GET /
answered "index" 200
call GET /openapi.json
answered "openapi" 200
is "openapi 3.1" "$(member .openapi | cut -d. -f1,2)" 3.1
call GET /nowhere
answered "unknown route" 404 HTTP_E_STATUS_NOT_FOUND
is "problems are problem+json" "$(header Content-Type)" "application/problem+json"
for path in /sa-context /sa-contexts/1/nowhere /sa-contexts/1/spi/2; do
    call POST $path '{}'
    answered "no route: $path" 404 HTTP_E_STATUS_NOT_FOUND
done
call PUT /sa-contexts '{}'
answered "wrong method" 405 HTTP_E_STATUS_BAD_METHOD
is "Allow names the others" "$(header Allow | tr -d ' ' | tr , '\n' | sort | xargs)" "GET HEAD POST"
call DELETE /sa-contexts
answered "wrong method on a list" 405 HTTP_E_STATUS_BAD_METHOD
call GET /sa-contexts '{}'
answered "a body where none belongs" 400
call GET / '' -H 'Accept: text/html'
answered "nothing acceptable" 406
call GET / '' -H 'Accept: text/html, application/*;q=0.5'
answered "acceptable" 200
call GET '/sa-contexts?surprise=1'
answered "unknown query member" 400 FWP_E_INVALID_PARAMETER surprise
call GET '/sa-contexts?limit=1&limit=2'
check "repeated query member" test "$STATUS" = 400

# --- Problems -------------------------------------------------------------------------------------

create 7 -H 'Content-Type: application/json' -H 'X-Request-Id: abc-123'
is "a sane request id is taken" "$(header X-Request-Id)" "abc-123"
call GET /sa-contexts/999 '' -H 'X-Request-Id: a b'
check "an odd one is replaced" grep -qE '^[0-9a-zA-Z._-]{8,64}$' <<<"$(header X-Request-Id)"
is "the problem has it" "$(member .requestId)" "$(header X-Request-Id)"
is "the problem's members" "$(member 'keys - ["detail", "pointer"] | join(" ")')" \
    "code requestId retryable status title type value"
is "its values" "$(member '[.type, .status, .value, .retryable] | map(tostring) | join(" ")')" \
    "/errors/FWP_E_NOT_FOUND 404 0x80320008 false"
call GET "$(member .type)"
answered "type leads to the catalogue" 200
is "the catalogue's row" "$(member .code)" FWP_E_NOT_FOUND
call GET /errors/0x80320008
is "by value" "$(member .code)" FWP_E_NOT_FOUND
call GET /errors/FWP_E_NONSENSE
answered "no such code" 404
CLIENT=stranger
call GET /errors
answered "the catalogue is for any caller" 200
is "FWP_E codes" "$(member '[.items[] | select(.code | startswith("FWP_E_"))] | length')" \
    "$(grep -c '^FWP_E_' "$ROOT/tests/contract/fwp_errors.tsv")"
is "RPC codes" "$(member '[.items[] | select(.code | test("^RPC_[ES]_"))] | length')" \
    "$(grep -cE '^RPC_[ES]_' "$ROOT/tests/contract/rpc_errors.tsv")"

# --- The data plane -------------------------------------------------------------------------------

call GET /capabilities
answered "what the data plane can do is for any caller" 200
is "this one touches no packets" "$(jq -c . <<<"$BODY")" '{"plane":"none","items":[]}'
call GET /drift
answered "drift takes a right" 403 ERROR_ACCESS_DENIED
call POST /reconcile
answered "reconcile takes a right" 403 ERROR_ACCESS_DENIED

# --- whoami ---------------------------------------------------------------------------------------

CLIENT=orchestrator
call GET /whoami
answered "whoami" 200
is "principal" "$(member .principal)" "uri:spiffe://example.org/orchestrator/1"
is "fingerprint" "$(member .fingerprint | tr -d : | tr A-F a-f)" \
    "$(openssl x509 -in "$PKI/orchestrator.pem" -outform DER | sha256sum | cut -d' ' -f1)"
check "rights of the SA database" test "$(member '.rights.saDatabase | index("FWPM_ACTRL_ADD") != null')" = true
check "engine rights are inherited" test "$(member '.rights.filters | index("FWPM_ACTRL_OPEN") != null')" = true
CLIENT=stranger
call GET /whoami
is "a stranger has what everyone has" "$(jq -c '.rights.saDatabase' <<<"$BODY")" '["FWPM_ACTRL_OPEN"]'
CLIENT=orchestrator

# --- Idempotency-Key ------------------------------------------------------------------------------

create 20 -H 'Idempotency-Key: one'
answered "first" 201
FIRST=$BODY
LOCATION=$(header Location)
is "no replay header" "$(header Idempotent-Replay)" ""
create 20 -H 'Idempotency-Key: one'
answered "repeat" 201
is "the first answer again" "$BODY" "$FIRST"
is "with its Location" "$(header Location)" "$LOCATION"
is "and the header" "$(header Idempotent-Replay)" true
create 21 -H 'Idempotency-Key: one'
answered "another body" 422 HTTP_E_STATUS_UNPROCESSABLE_CONTENT
call DELETE "$LOCATION"
create 20 -H 'Idempotency-Key: one'
is "still the first answer when the object is gone" "$STATUS $BODY" "201 $FIRST"
call POST /sa-contexts '{}' -H 'Idempotency-Key: two'
answered "a failure" 400
create 22 -H 'Idempotency-Key: two'
answered "leaves no record" 201
create 22 -H 'Idempotency-Key: '"$(head -c 300 /dev/zero | tr '\0' k)"
answered "a key too long" 400
"$ROOT/deploy/pki.sh" "$PKI" client orchestrator2 --uri spiffe://example.org/orchestrator/2 >/dev/null
CLIENT=orchestrator2
create 20 -H 'Idempotency-Key: one'
check "another caller's key is another key" test "$STATUS" = 201 -a "$BODY" != "$FIRST"
CLIENT=orchestrator
call POST /filters '{"displayData": {"name": "x"}, "layer": "outboundTransportV4", "action": {"type": "block"}}' \
    -H 'Idempotency-Key: f'
FIRST=$BODY
call POST /filters '{"displayData": {"name": "x"}, "layer": "outboundTransportV4", "action": {"type": "block"}}' \
    -H 'Idempotency-Key: f'
is "filters too" "$STATUS $BODY $(header Idempotent-Replay)" "201 $FIRST true"

# --- Lists ----------------------------------------------------------------------------------------

for octet in $(seq 100 112); do create "$octet"; done
call POST /sa-contexts '{"localAddress": "2001:db8::1", "remoteAddress": "2001:db8:1::7",
    "trafficType": "transport", "ipsecFilterId": '"$OUT6"'}'
call GET '/sa-contexts?limit=1000'
ALL=$(member '[.items[].id] | join(" ")')
is "ascending" "$ALL" "$(member '[.items[].id] | sort | join(" ")')"
is "no cursor at the end" "$(member '.nextCursor')" null
call GET '/sa-contexts?limit=5'
seen=$(member '[.items[].id] | join(" ")')
call DELETE "/sa-contexts/$(member '.items[4].id')"
call GET "/sa-contexts?limit=5"
while cursor=$(member '.nextCursor // ""') && [ -n "$cursor" ]; do
    create 200
    call GET "/sa-contexts?limit=5&cursor=$cursor"
    seen="$seen $(member '[.items[].id] | join(" ")')"
    [ "$(wc -w <<<"$seen")" -lt 200 ] || break
done
check "a walk under change sees each object that stayed once" \
    test "$(tr ' ' '\n' <<<"$seen" | sort | uniq -d | wc -l)" = 0
call GET '/sa-contexts?remoteAddress=198.51.100.105'
is "by address" "$(member '[.items[].outboundTraffic.remoteAddress] | unique | join(" ")')" 198.51.100.105
call GET '/sa-contexts?remoteAddress=198.51.100.104/31&limit=1000'
is "by prefix" "$(member '[.items[].outboundTraffic.remoteAddress] | unique | join(" ")')" \
    "198.51.100.104 198.51.100.105"
call GET '/sa-contexts?localAddress=2001:db8::/32'
is "by v6 prefix" "$(member '.items | length')" 1
call GET '/sa-contexts?state=created&limit=1'
is "by state" "$(member '.items[0].state')" created
call GET '/sa-contexts?state=active'
is "none active" "$(member '.items | length')" 0
call GET '/sa-contexts?localAddress=192.0.2.1&remoteAddress=2001:db8::1'
answered "two versions" 422 FWP_E_NEVER_MATCH
call GET '/sa-contexts?limit=0'
answered "limit 0" 400 FWP_E_OUT_OF_BOUNDS limit
call GET '/sa-contexts?limit=1001'
answered "limit 1001" 400 FWP_E_OUT_OF_BOUNDS limit
call GET '/sa-contexts?limit=x'
answered "limit x" 400
call GET '/sa-contexts?state=x'
answered "state x" 400 FWP_E_INVALID_ENUMERATOR state
call GET '/sa-contexts?cursor=x'
answered "a broken cursor" 400
call GET '/sa-contexts?limit=1'
call GET "/sa-contexts?limit=1&state=created&cursor=$(member .nextCursor)"
answered "a cursor of another list" 400

# --- Audit ----------------------------------------------------------------------------------------

is "every audit line is JSON" "$(jq -s 'length' "$WORK/audit.log")" "$(wc -l <"$WORK/audit.log")"
call POST /sa-contexts '{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.50",
    "trafficType": "transport", "ipsecFilterId": '"$OUT4"'}' -H 'X-Request-Id: audited' \
    -H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
is "an audit line tells who did what" \
    "$(jq -r 'select(.requestId == "audited") | [.decision, .principal, .method, .path, .status, .objectId, .traceId] | map(tostring) | join(" ")' "$WORK/audit.log")" \
    "allow uri:spiffe://example.org/orchestrator/1 POST /sa-contexts 201 $(member .id) 4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT=stranger
call DELETE /sa-contexts/1 '' -H 'X-Request-Id: denied'
is "a denial too" "$(jq -r 'select(.requestId == "denied") | [.decision, .status, .code] | map(tostring) | join(" ")' "$WORK/audit.log")" \
    "deny 403 ERROR_ACCESS_DENIED"
CLIENT=orchestrator

finish
