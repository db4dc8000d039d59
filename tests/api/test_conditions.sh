#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_conditions.sh: ETag, If-Match and If-None-Match on single objects.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

start_daemon || exit 1
add_filters

# create: prints the id of a new SA context.
create() {
    call POST /sa-contexts "{\"localAddress\": \"192.0.2.1\", \"remoteAddress\": \"198.51.100.7\",
        \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT4, \"getSpi\": true}"
    member .id
}

# bundle SPI: the SAs of one direction.
bundle() {
    echo "{\"lifetime\": {\"seconds\": 3600}, \"saList\": [{\"spi\": $1,
        \"saTransformType\": \"espAuthAndCipher\", \"authTransform\": \"GCM_AES_128\",
        \"cipherTransform\": \"GCM_AES_128\", \"cipherKey\": \"hex:$(head -c 20 /dev/urandom | od -An -tx1 | tr -d '[:space:]')\"}]}"
}

# --- Tags -----------------------------------------------------------------------------------------

ID=$(create)
call GET "/sa-contexts/$ID"
TAG=$(header ETag)
is "the tag is the revision" "$TAG" "\"$(member .revision)\""
call HEAD "/sa-contexts/$ID"
is "HEAD has it" "$STATUS $(header ETag)" "200 $TAG"
call GET "/filters/$OUT4"
FILTER_TAG=$(header ETag)
is "a filter's is its revision" "$FILTER_TAG" "\"$(member .revision)\""
POLICY='{"displayData": {"name": "x"}, "type": "ipsecIkeQmTunnelContext", "tunnelPolicy": {
    "tunnelEndpoints": {"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7"},
    "ipsecProposals": [{"lifetime": {"seconds": 3600}, "saTransforms": [{"saTransformType": "espAuthAndCipher",
        "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128"}]}]}}'
call POST /tunnels "{\"tunnelPolicy\": $POLICY}"
answered "a tunnel" 201
TUNNEL=$(member .id)
call GET "/tunnels/$TUNNEL"
TUNNEL_TAG=$(header ETag)
is "a tunnel's is its revision" "$TUNNEL_TAG" "\"$(member .revision)\""
call GET "/provider-contexts/$TUNNEL"
is "which is that of its policy" "\"$(member .revision)\"" "$TUNNEL_TAG"
call GET "/sa-contexts"
is "a list has none" "$(header ETag)" ""

# --- If-None-Match --------------------------------------------------------------------------------

for tags in "$TAG" "W/$TAG" '*' "\"x\", $TAG" "\"x\",W/$TAG ,, \"y\"" "\"\", $TAG"; do
    call GET "/sa-contexts/$ID" '' -H "If-None-Match: $tags"
    is "known already: $tags" "$STATUS $BODY $(header ETag)" "304  $TAG"
done
call HEAD "/sa-contexts/$ID" '' -H "If-None-Match: $TAG"
answered "HEAD too" 304
for tags in '"1"' 'W/"1"' '"x"' "\"${TAG//\"/}x\"" '"", "a,b"'; do
    call GET "/sa-contexts/$ID" '' -H "If-None-Match: $tags"
    answered "not known: $tags" 200
done
call GET "/filters/$OUT4" '' -H "If-None-Match: $FILTER_TAG"
answered "a filter" 304
call GET "/tunnels/$TUNNEL" '' -H "If-None-Match: $TUNNEL_TAG"
answered "a tunnel" 304
call GET /sa-contexts/999 '' -H 'If-None-Match: *'
answered "what is not there is not found" 404 FWP_E_NOT_FOUND
CLIENT=stranger
call GET "/sa-contexts/$ID" '' -H "If-None-Match: $TAG"
answered "a right is needed to learn that nothing changed" 403 ERROR_ACCESS_DENIED
CLIENT=orchestrator

# --- What is not understood -----------------------------------------------------------------------

for value in x '"x' 'x"' "'x'" '"a" "b"' '"a", *' '*, *' ',' 'w/"x"' 'W"x"' '"a b"' '"a",b'; do
    call GET "/sa-contexts/$ID" '' -H "If-None-Match: $value"
    answered "If-None-Match: $value" 400 FWP_E_INVALID_PARAMETER If-None-Match
    call DELETE "/sa-contexts/$ID" '' -H "If-Match: $value"
    answered "If-Match: $value" 400 FWP_E_INVALID_PARAMETER If-Match
done
call DELETE "/sa-contexts/$ID" '' -H 'If-Match;'
answered "an empty If-Match" 400 FWP_E_INVALID_PARAMETER If-Match
call DELETE "/sa-contexts/$ID" '' -H 'If-Match: "1", "2", "3", "4", "5"'
answered "more tags than are looked at" 400 FWP_E_INVALID_PARAMETER If-Match
call DELETE "/sa-contexts/$ID" '' -H 'If-None-Match: "1"'
answered "If-None-Match on a change" 400 FWP_E_INVALID_PARAMETER If-None-Match
call POST /sa-contexts '{}' -H 'If-Match: "1"'
answered "a condition on what has no tag" 400 FWP_E_INVALID_PARAMETER If-Match
call GET /sa-contexts '' -H 'If-None-Match: "1"'
answered "nor has a list" 400 FWP_E_INVALID_PARAMETER If-None-Match

# --- If-Match -------------------------------------------------------------------------------------

# Every operation on one object, none of which may do anything.
SPI_BODY="{\"ipsecFilterId\": $IN4}"
refused() { # refused METHOD PATH BODY
    local tags
    for tags in '"77777"' 'W/"77777"' "W/$TAG" '"x", "y"' '"0"' '"18446744073709551616"'; do
        call "$1" "$2" "$3" -H "If-Match: $tags"
        answered "$1 ${2##*/} with $tags" 412 HTTP_E_STATUS_PRECOND_FAILED If-Match
    done
}
refused GET "/sa-contexts/$ID" ''
refused DELETE "/sa-contexts/$ID" ''
refused PATCH "/sa-contexts/$ID" '{"labels": {"a": "b"}}'
refused POST "/sa-contexts/$ID/spi" "$SPI_BODY"
refused PUT "/sa-contexts/$ID/spi" "{\"ipsecFilterId\": $IN4, \"spi\": 4096}"
refused POST "/sa-contexts/$ID/inbound" "$(bundle 0)"
refused POST "/sa-contexts/$ID/outbound" "$(bundle 4097)"
refused POST "/sa-contexts/$ID/expire" ''
refused POST "/sa-contexts/$ID/rotate" "{\"inbound\": $(bundle 0)}"
TAG=$FILTER_TAG refused GET "/filters/$OUT4" ''
TAG=$FILTER_TAG refused DELETE "/filters/$OUT4" ''
TAG=$TUNNEL_TAG refused GET "/tunnels/$TUNNEL" ''
TAG=$TUNNEL_TAG refused DELETE "/tunnels/$TUNNEL" ''
call DELETE "/tunnels/$TUNNEL" '' -H "If-Match: $TUNNEL_TAG"
answered "a tunnel with its tag" 204
call DELETE "/tunnels/$TUNNEL" '' -H "If-Match: $TUNNEL_TAG"
answered "which is gone by now" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND
call GET "/sa-contexts/$ID" '' -H "If-None-Match: $TAG"
answered "and none did" 304

call PATCH "/sa-contexts/$ID" '{"labels": {"a": "b"}}' -H "If-Match: \"x\", $TAG"
answered "the right tag" 200
NEXT=$(header ETag)
check "the answer has the next tag" test "$NEXT" != "$TAG"
call PATCH "/sa-contexts/$ID" '{"labels": {"a": "c"}}' -H "If-Match: $TAG"
answered "the old one no longer does" 412 HTTP_E_STATUS_PRECOND_FAILED
call GET "/sa-contexts/$ID" '' -H "If-None-Match: $NEXT"
answered "the new one is what a read has" 304
call GET "/sa-contexts/$ID" '' -H "If-Match: $NEXT" -H 'If-None-Match: "1"'
answered "both conditions" 200
call PATCH "/sa-contexts/$ID" '{"labels": {"a": "c"}}' -H 'If-Match: *'
answered "any" 200
call DELETE /sa-contexts/999 '' -H 'If-Match: *'
answered "any, of what is not there" 404 FWP_E_NOT_FOUND
call DELETE /sa-contexts/999 '' -H 'If-Match: "1"'
answered "what is not there is not found" 404 FWP_E_NOT_FOUND

call POST /provider-contexts '{"displayData": {"name": "note"}, "type": "generalContext", "policy": {"note": "x"}}'
answered "a provider context" 201
POLICY=$(member .id)
call GET "/provider-contexts/$POLICY"
POLICY_TAG=$(header ETag)
is "a provider context's tag is its revision" "$POLICY_TAG" "\"$(member .revision)\""
call GET "/provider-contexts/$POLICY" '' -H "If-None-Match: $POLICY_TAG"
answered "known already" 304
TAG=$POLICY_TAG refused GET "/provider-contexts/$POLICY" ''
TAG=$POLICY_TAG refused DELETE "/provider-contexts/$POLICY" ''
call DELETE "/provider-contexts/$POLICY" '' -H "If-Match: $POLICY_TAG"
answered "deleted as it was read" 204

# A repeat gets the answer of the first time, its tag with it.
call GET "/sa-contexts/$ID"
TAG=$(header ETag)
SPI=$(member .spi)
INBOUND=$(bundle "$SPI")
call POST "/sa-contexts/$ID/inbound" "$INBOUND" -H "If-Match: $TAG" -H 'Idempotency-Key: one'
FIRST=$(header ETag)
check "a change under a condition, repeatable" test "$STATUS" = 201 -a -n "$FIRST"
call POST "/sa-contexts/$ID/inbound" "$INBOUND" -H "If-Match: $TAG" -H 'Idempotency-Key: one'
is "repeated" "$STATUS $(header ETag) $(header Idempotent-Replay)" "201 $FIRST true"
call POST "/sa-contexts/$ID/inbound" "$INBOUND" -H "If-Match: $FIRST" -H 'Idempotency-Key: one'
answered "another condition is another request" 422 HTTP_E_STATUS_UNPROCESSABLE_CONTENT

call POST "/sa-contexts/$ID/outbound" "$(bundle 4097)" -H "If-Match: $FIRST"
answered "and what it was changed to is known" 201
check "the SPI stayed" test "$(member .spi)" = "$SPI"
call DELETE "/sa-contexts/$ID" '' -H "If-Match: $(header ETag)"
answered "delete what was read" 204

finish
