#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_sa_contexts.sh: create, read, list and delete SA contexts: what works and every refusal.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

start_daemon || exit 1
add_filters
is "filters are there" "$OUT4 $IN4 $OUT6 $IN6" "1 2 3 4"

# traffic KEY VALUE…: the good v4 body with members replaced; value '-' leaves one out.
traffic() {
    local body='{"ipVersion": "v4", "localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7",
                 "trafficType": "transport", "ipsecFilterId": '$OUT4'}'
    while [ $# -gt 1 ]; do
        if [ "$2" = - ]; then
            body=$(jq -c "del(.$1)" <<<"$body")
        else
            body=$(jq -c ".$1 = $2" <<<"$body")
        fi
        shift 2
    done
    printf '%s' "$body"
}

# --- What works -----------------------------------------------------------------------------------

call POST /sa-contexts "$(traffic)"
answered "create answers 201" 201
ID=$(member .id)
is "create answers id and inbound filter" "$(jq -cS . <<<"$BODY")" \
    "{\"id\":$ID,\"inboundFilterId\":$IN4}"
is "create answers Location" "$(header Location)" "/sa-contexts/$ID"
is "create answers application/json" "$(header Content-Type)" "application/json"
check "create answers X-Request-Id" test -n "$(header X-Request-Id)"

call POST /sa-contexts "$(traffic ipVersion - remotePort 443 localPort 50000 ipProtocol 6)"
answered "ipVersion may be left out, ports and protocol may be given" 201
call POST /sa-contexts '{"ipVersion": "v6", "localAddress": "2001:db8::1",
    "remoteAddress": "2001:db8:1::7", "trafficType": "transport", "ipsecFilterId": '"$OUT6"'}'
answered "v6" 201
ID6=$(member .id)
is "v6 inbound filter" "$(member .inboundFilterId)" "$IN6"

call GET "/sa-contexts/$ID"
answered "get" 200
is "get shows what was created" \
    "$(member '[.id, .state, .inboundFilterId, .createdBy, .outboundTraffic.localAddress,
        .outboundTraffic.remoteAddress, .outboundTraffic.trafficType,
        .outboundTraffic.ipsecFilterId, .outboundTraffic.ipVersion] | map(tostring) | join(" ")')" \
    "$ID created $IN4 uri:spiffe://example.org/orchestrator/1 192.0.2.1 198.51.100.7 transport $OUT4 v4"
check "get has a revision and a time" test "$(member '.revision > 0 and (.createdAt | endswith("Z"))')" = true
call GET "/sa-contexts/$ID6"
is "get v6" "$(member .outboundTraffic.remoteAddress)" "2001:db8:1::7"
call HEAD "/sa-contexts/$ID"
answered "head" 200

# --- Each member missing, null, mistyped, out of range, unknown, duplicated -----------------------

# refused NAME STATUS CODE POINTER BODY
refused() {
    call POST /sa-contexts "$5"
    answered "$1" "$2" "$3" "$4"
}

for name in localAddress remoteAddress trafficType ipsecFilterId; do
    refused "$name missing" 400 FWP_E_NULL_POINTER "/$name" "$(traffic $name -)"
    refused "$name null" 400 FWP_E_NULL_POINTER "/$name" "$(traffic $name null)"
    refused "$name an array" 400 FWP_E_TYPE_MISMATCH "/$name" "$(traffic $name '[]')"
done
for name in ipVersion localAddress remoteAddress trafficType; do
    refused "$name a number" 400 FWP_E_TYPE_MISMATCH "/$name" "$(traffic $name 4)"
done
for name in ipsecFilterId remotePort localPort ipProtocol; do
    refused "$name a string" 400 FWP_E_TYPE_MISMATCH "/$name" "$(traffic $name '"1"')"
    refused "$name a real" 400 FWP_E_TYPE_MISMATCH "/$name" "$(traffic $name 1.5)"
    refused "$name negative" 400 FWP_E_OUT_OF_BOUNDS "/$name" "$(traffic $name -1)"
done
refused "remotePort too large" 400 FWP_E_OUT_OF_BOUNDS /remotePort "$(traffic remotePort 65536)"
refused "localPort too large" 400 FWP_E_OUT_OF_BOUNDS /localPort "$(traffic localPort 65536)"
refused "ipProtocol too large" 400 FWP_E_OUT_OF_BOUNDS /ipProtocol "$(traffic ipProtocol 256)"
refused "ipsecFilterId 0" 400 FWP_E_OUT_OF_BOUNDS /ipsecFilterId "$(traffic ipsecFilterId 0)"
refused "ipsecFilterId 2^53" 400 FWP_E_OUT_OF_BOUNDS /ipsecFilterId \
    '{"localAddress":"192.0.2.1","remoteAddress":"198.51.100.7","trafficType":"transport","ipsecFilterId":9007199254740992}'
refused "ipVersion unknown" 400 FWP_E_INVALID_ENUMERATOR /ipVersion "$(traffic ipVersion '"v5"')"
refused "trafficType unknown" 400 FWP_E_INVALID_ENUMERATOR /trafficType "$(traffic trafficType '"max"')"
refused "ipVersion disagrees" 400 FWP_E_TYPE_MISMATCH /localAddress "$(traffic ipVersion '"v6"')"
refused "addresses of two versions" 400 FWP_E_TYPE_MISMATCH /remoteAddress \
    "$(traffic ipVersion - remoteAddress '"2001:db8::1"')"
refused "unknown member" 400 FWP_E_INVALID_PARAMETER /surprise "$(traffic surprise 1)"
refused "unknown member with a slash" 400 FWP_E_INVALID_PARAMETER '/a~1b~0c' "$(traffic '["a/b~c"]' 1)"
refused "duplicate member" 400 FWP_E_INVALID_PARAMETER /localAddress \
    '{"localAddress":"192.0.2.1","localAddress":"192.0.2.1"}'
for address in '""' '"192.0.2"' '"192.0.2.256"' '"192.0.2.1/32"' '"192.0.2.1%eth0"' '"host"' '"192.0.2.01"'; do
    call POST /sa-contexts "$(traffic localAddress "$address")"
    answered "localAddress $address" 400 FWP_E_INVALID_PARAMETER /localAddress
done
for address in 0.0.0.0 224.0.0.1 255.255.255.255; do
    refused "remoteAddress $address" 400 FWP_E_INVALID_PARAMETER /remoteAddress \
        "$(traffic remoteAddress "\"$address\"")"
done
refused "v6 unspecified" 400 FWP_E_INVALID_PARAMETER /localAddress \
    '{"localAddress":"::","remoteAddress":"2001:db8:1::7","trafficType":"transport","ipsecFilterId":'"$OUT6"'}'
refused "v6 multicast" 400 FWP_E_INVALID_PARAMETER /remoteAddress \
    '{"localAddress":"2001:db8::1","remoteAddress":"ff02::1","trafficType":"transport","ipsecFilterId":'"$OUT6"'}'

# --- References and meaning -----------------------------------------------------------------------

refused "unknown filter" 422 FWP_E_FILTER_NOT_FOUND /ipsecFilterId "$(traffic ipsecFilterId 99)"
refused "an inbound filter" 422 FWP_E_INCOMPATIBLE_LAYER /ipsecFilterId "$(traffic ipsecFilterId "$IN4")"
refused "a filter of the other version" 422 FWP_E_INCOMPATIBLE_LAYER /ipsecFilterId \
    "$(traffic ipsecFilterId "$OUT6")"
refused "an address outside the filter" 400 FWP_E_INVALID_PARAMETER /remoteAddress \
    "$(traffic remoteAddress '"203.0.113.1"')"
refused "a local address outside the filter" 400 FWP_E_INVALID_PARAMETER /localAddress \
    "$(traffic localAddress '"192.0.2.2"')"
refused "transport with a tunnel policy" 400 FWP_E_INVALID_PARAMETER /tunnelPolicyId \
    "$(traffic tunnelPolicyId 1)"
refused "tunnel without its policy" 400 FWP_E_NULL_POINTER /tunnelPolicyId \
    "$(traffic trafficType '"tunnel"' ipsecFilterId -)"
# There are no tunnel policies yet, and what a body refers to comes before what it means.
refused "tunnel with a filter" 422 FWP_E_PROVIDER_CONTEXT_NOT_FOUND /tunnelPolicyId \
    "$(traffic trafficType '"tunnel"' tunnelPolicyId 1)"
refused "tunnel with a port" 422 FWP_E_PROVIDER_CONTEXT_NOT_FOUND /tunnelPolicyId \
    "$(traffic trafficType '"tunnel"' ipsecFilterId - tunnelPolicyId 1 remotePort 1)"
refused "tunnel with an unknown policy" 422 FWP_E_PROVIDER_CONTEXT_NOT_FOUND /tunnelPolicyId \
    "$(traffic trafficType '"tunnel"' ipsecFilterId - tunnelPolicyId 99)"

# --- The body as such -----------------------------------------------------------------------------

call POST /sa-contexts '{"localAddress": '
answered "malformed JSON" 400 RPC_E_INVALID_DATA
call POST /sa-contexts '[]'
answered "an array" 400 FWP_E_TYPE_MISMATCH
call POST /sa-contexts '' -H 'Content-Type: application/json'
answered "no body" 400 FWP_E_NULL_POINTER
call POST /sa-contexts '{"ipsecFilterId": 99999999999999999999}'
answered "an integer beyond 64 bits" 400 RPC_E_INVALID_PARAMETER
call POST /sa-contexts $'{"localAddress": "\xff"}'
answered "invalid UTF-8" 400 RPC_E_INVALID_PARAMETER
call POST /sa-contexts '{"localAddress": "192.0.2.1\u0000"}'
answered "NUL in a string" 400
call POST /sa-contexts '{"a\u0000b": 1}'
answered "NUL in a name" 400
head -c 100000 /dev/zero | tr '\0' '[' >"$WORK/deep"
call POST /sa-contexts '' -H 'Content-Type: application/json' --data-binary "@$WORK/deep" -H 'Expect:'
answered "a body above the limit" 413
head -c 60000 /dev/zero | tr '\0' '[' >"$WORK/deep"
call POST /sa-contexts '' -H 'Content-Type: application/json' --data-binary "@$WORK/deep"
answered "deep nesting" 400 RPC_E_INVALID_DATA
call POST /sa-contexts "$(traffic)" -H 'Content-Type: text/plain'
answered "another media type" 415
is "and what would do" "$(header Accept) $(header Accept-Patch)" "application/json "
call POST /sa-contexts "$(traffic)" -H 'Content-Type: application/json; charset=UTF-16'
is "another charset" "$STATUS $(member .detail)" "415 the charset must be utf-8, not UTF-16"
call PATCH /sa-contexts/1 '{}' -H 'Content-Type: application/merge-patch+json'
answered "another kind of patch" 415
is "and the kind that would do" "$(header Accept) $(header Accept-Patch)" " application/json"
call OPTIONS /sa-contexts/1
is "that is for whoever asks, too" "$STATUS $(header Accept-Patch)" "405 application/json"
call OPTIONS /sa-contexts
is "where there is PATCH" "$STATUS $(header Accept-Patch)" "405 "
call POST /sa-contexts "$(traffic)" -H 'Content-Type: application/json; charset=utf-8'
answered "a charset is tolerated" 201
call POST /sa-contexts "$(traffic)" -H 'Content-Encoding: gzip'
answered "a content encoding" 415
is "and none is what would do" "$(header Accept) $(header Accept-Encoding)" " identity"
call POST /sa-contexts "$(traffic)" -H 'Engine-Session: 0b0e8f3c-8b9c-4f3e-9d58-1f6f5f6b7a11'
answered "an unknown session" 404 ERROR_INVALID_HANDLE

# --- Objects that are not there -------------------------------------------------------------------

for path in 999 0 -1 x 9007199254740992 99999999999999999999 evens; do
    call GET "/sa-contexts/$path"
    answered "get $path" 404 FWP_E_NOT_FOUND
done
call DELETE /sa-contexts/999
answered "delete what is not there" 404 FWP_E_NOT_FOUND

# --- Delete, and what a filter in use means -------------------------------------------------------

call DELETE "/filters/$OUT6"
answered "a filter in use stays" 409 FWP_E_IN_USE
call DELETE "/sa-contexts/$ID6"
answered "delete" 204
is "delete has no body" "$BODY" ""
call GET "/sa-contexts/$ID6"
answered "gone" 404 FWP_E_NOT_FOUND
call DELETE "/filters/$OUT6"
answered "the filter can go now" 204
call DELETE "/filters/$IN6"
answered "and the inbound one" 204
call DELETE "/filters/$IN4"
answered "an inbound filter in use stays" 409 FWP_E_IN_USE
is "the answer names a user" "$(member .detail | grep -c "filter $IN4.* SA context [0-9]")" 1
call GET "/sa-contexts/$ID"
is "and is named" "$(member .inboundFilterId)" "$IN4"
call POST /sa-contexts "$(traffic)"
is "also by the next" "$STATUS $(member .inboundFilterId)" "201 $IN4"
NEXT=$(member .id)
check "identifiers go up" test "$NEXT" -gt "$ID6"

# --- Rights ---------------------------------------------------------------------------------------

CLIENT=reader
call GET "/sa-contexts/$ID"
answered "a reader reads" 200
call GET /sa-contexts
answered "a reader lists" 200
call POST /sa-contexts "$(traffic)"
answered "a reader does not create" 403 ERROR_ACCESS_DENIED
call DELETE "/sa-contexts/$ID"
answered "a reader does not delete" 403 ERROR_ACCESS_DENIED
CLIENT=stranger
for request in "POST /sa-contexts" "GET /sa-contexts" "GET /sa-contexts/$ID" "DELETE /sa-contexts/$ID" \
    "GET /sa-contexts/999"; do
    # shellcheck disable=SC2086
    call $request
    answered "a stranger: $request" 403 ERROR_ACCESS_DENIED
done
CLIENT=
for request in "POST /sa-contexts" "GET /sa-contexts" "GET /sa-contexts/$ID" "GET /nowhere" "GET /"; do
    # shellcheck disable=SC2086
    call $request
    answered "without a certificate: $request" 401 ERROR_NOT_AUTHENTICATED
done
CLIENT=orchestrator

finish
