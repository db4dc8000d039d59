#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_tunnels.sh: tunnels: one request makes a policy and its filters, one delete takes them; what
# is refused leaves nothing.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

STORE=sqlite:$WORK/state.db
start_daemon || exit 1

GOOD='{"tunnelPolicy": {"displayData": {"name": "site b"}, "type": "ipsecIkeQmTunnelContext",
        "key": "6f1c2b3a-0000-4000-8000-000000000021",
        "tunnelPolicy": {"tunnelEndpoints": {"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7"},
            "ipsecProposals": [{"lifetime": {"seconds": 3600},
                "saTransforms": [{"saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128"}]}]}},
       "mainModePolicy": {"displayData": {"name": "ike"}, "type": "ipsecIkeMmContext", "policy": {"softExpirationTime": 28800}},
       "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": "10.1.0.0/16"},
                      {"field": "ipRemoteAddress", "match": "equal", "value": "10.2.0.0/16"}]}'
with() { jq -c "$1" <<<"$GOOD"; }
refused() {
    call POST /tunnels "$(with "$5")"
    answered "$1" "$2" "$3" "$4"
}
objects() {
    call GET '/filters?limit=1000'
    local filters
    filters=$(member '.items | length')
    call GET '/provider-contexts?limit=1000'
    echo "$filters filters, $(member '.items | length') provider contexts"
}

# --- What works -----------------------------------------------------------------------------------

call POST /tunnels "$GOOD"
answered "add" 201
ID=$(member .id)
MAIN=$(member .mainModeId)
FILTERS=$(member '.filterIds | join(" ")')
MADE=$BODY
is "Location" "$(header Location)" "/tunnels/$ID"
TAG=$(header ETag)
is "its revision is its entity tag" "$TAG" "\"$(member .revision)\""
is "the key is the policy's" "$(member .key)" 6f1c2b3a-0000-4000-8000-000000000021
call GET "/tunnels/$ID" '' -H "If-None-Match: $TAG"
answered "who made it has it already" 304
call GET "/tunnels/$ID"
is "read says the same" "$STATUS $(jq -cS . <<<"$BODY")" "200 $(jq -cS . <<<"$MADE")"
call GET /tunnels
is "the list has it as it is" "$STATUS $(member '.items | tojson') $(member .nextCursor)" "200 [$MADE] null"
call GET "/provider-contexts/$ID"
is "the policy" "$(member '[.isTunnel, .type, .key] | tostring')" \
    '[true,"ipsecIkeQmTunnelContext","6f1c2b3a-0000-4000-8000-000000000021"]'
call GET "/provider-contexts/$MAIN"
is "the main-mode policy" "$(member '[.isTunnel, .type, .policy.softExpirationTime] | tostring')" '[true,"ipsecIkeMmContext",28800]'
for id in $FILTERS; do
    call GET "/filters/$id"
    is "filter $id is the tunnel's" "$STATUS $(member .tunnelId)" "200 $ID"
    member '[.layer, (.action.callout // .action.type), .subLayer,
        ([.conditions[] | .field + "=" + .value] | join(","))] | join(" ")' >>"$WORK/shapes"
done
sed 's/^/# /' "$WORK/shapes"
for callout in ipsecOutboundTunnelV4 ipsecInboundTunnelV4; do
    check "a filter with $callout" grep -q " $callout ipsecTunnel " "$WORK/shapes"
done
check "between networks: forwarded, too" grep -q '^ipforwardV4 ' "$WORK/shapes"

call POST /sa-contexts '{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7", "trafficType": "tunnel", "tunnelPolicyId": '"$ID"'}'
answered "an SA context of the tunnel" 201
CONTEXT=$(member .id)

# --- All or nothing -------------------------------------------------------------------------------

before=$(objects)
refused "its key again" 409 FWP_E_ALREADY_EXISTS /tunnelPolicy/key .
OTHER='.tunnelPolicy.key = "6f1c2b3a-0000-4000-8000-000000000022"'
refused "policy missing" 400 FWP_E_NULL_POINTER /tunnelPolicy 'del(.tunnelPolicy)'
refused "policy no object" 400 FWP_E_TYPE_MISMATCH /tunnelPolicy '.tunnelPolicy = 1'
refused "policy without a name" 400 FWP_E_NULL_DISPLAY_NAME /tunnelPolicy/displayData "$OTHER | del(.tunnelPolicy.displayData)"
refused "policy without endpoints" 400 FWP_E_NULL_POINTER /tunnelPolicy/tunnelPolicy/tunnelEndpoints "$OTHER | del(.tunnelPolicy.tunnelPolicy.tunnelEndpoints)"
refused "policy without a proposal" 400 FWP_E_ZERO_LENGTH_ARRAY /tunnelPolicy/tunnelPolicy/ipsecProposals "$OTHER | .tunnelPolicy.tunnelPolicy.ipsecProposals = []"
refused "policy of transport mode" 422 FWP_E_PROVIDER_CONTEXT_MISMATCH /tunnelPolicy/type \
    "$OTHER | .tunnelPolicy |= (.type = \"ipsecIkeQmTransportContext\" | .transportPolicy = {ipsecProposals: .tunnelPolicy.ipsecProposals} | del(.tunnelPolicy))"
refused "main-mode policy that is none" 422 FWP_E_PROVIDER_CONTEXT_MISMATCH /mainModePolicy/type "$OTHER | .mainModePolicy.type = \"generalContext\""
refused "main-mode policy with the same key" 409 FWP_E_ALREADY_EXISTS /mainModePolicy/key "$OTHER | .mainModePolicy.key = .tunnelPolicy.key"
refused "main-mode policy with a key" 400 FWP_E_INVALID_PARAMETER /mainModePolicy/policy/presharedKey "$OTHER | .mainModePolicy.policy.presharedKey = \"x\""
refused "flags unknown" 400 FWP_E_INVALID_FLAGS /flags/0 "$OTHER | .flags = [\"enableVirtualIfTunneling\"]"
refused "unknown member" 400 FWP_E_INVALID_PARAMETER /surprise "$OTHER | .surprise = 1"
refused "conditions no array" 400 FWP_E_TYPE_MISMATCH /conditions "$OTHER | .conditions = 1"
refused "a condition's field twice" 422 FWP_E_DUPLICATE_CONDITION /conditions/1/field "$OTHER | .conditions[1] = .conditions[0]"
refused "conditions of two versions" 400 FWP_E_TYPE_MISMATCH /conditions/1/value "$OTHER | .conditions[1].value = \"2001:db8::/32\""
refused "a port without pointToPoint" 400 FWP_E_INVALID_PARAMETER /conditions/2/field \
    "$OTHER | .conditions += [{\"field\": \"ipRemotePort\", \"match\": \"equal\", \"value\": 443}]"
call POST /tunnels '{"tunnelPolicy": {}, "tunnelPolicy": {}}'
answered "a member twice" 400 FWP_E_INVALID_PARAMETER /tunnelPolicy
is "none of these left a trace" "$(objects)" "$before"

# --- Deleting -------------------------------------------------------------------------------------

call DELETE "/tunnels/$ID"
answered "in use by the SA context" 409 FWP_E_IN_USE
call DELETE "/provider-contexts/$ID"
answered "its policy goes with it only" 409 FWP_E_IN_USE
call DELETE "/filters/${FILTERS%% *}"
answered "so do its filters" 409 FWP_E_IN_USE
is "nothing has gone" "$(objects)" "$before"
stop_daemon KILL
start_daemon || exit 1
call GET "/tunnels/$ID"
is "after a kill it is as it was" "$STATUS $(jq -cS . <<<"$BODY")" "200 $(jq -cS . <<<"$MADE")"
call DELETE "/sa-contexts/$CONTEXT"
call DELETE "/tunnels/$ID"
answered "delete" 204
is "all of it" "$(objects)" "0 filters, 0 provider contexts"
call DELETE "/tunnels/$ID"
answered "delete again" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND
call GET "/tunnels/$ID"
answered "read what is gone" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND

# --- Point to point, IPv6 in IPv4, by hand --------------------------------------------------------

call POST /tunnels "$(with '.flags = ["pointToPoint"] | del(.mainModePolicy, .conditions) |
    .conditions = [{"field": "ipProtocol", "match": "equal", "value": 6}, {"field": "ipRemotePort", "match": "equal", "value": 443}]')"
answered "between two hosts, with a port" 201
is "without a main-mode policy" "$(member .mainModeId)" null
call DELETE "/tunnels/$(member .id)"
answered "and away" 204
call POST /tunnels "$(with '.conditions = [{"field": "ipRemoteAddress", "match": "equal", "value": "2001:db8:2::/48"}]')"
answered "IPv6 inside" 201
call GET "/filters/$(member '.filterIds[0]')"
check "filters of IPv6" grep -q 'V6"' "$WORK/body"
call POST /provider-contexts "$(jq -c '.tunnelPolicy | del(.key)' <<<"$GOOD")"
HAND=$(member .id)
call GET "/tunnels/$HAND"
answered "a policy by hand is no tunnel" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND
call DELETE "/tunnels/$HAND"
answered "nor deleted as one" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND

# --- Lists ----------------------------------------------------------------------------------------

call GET '/tunnels?limit=1000'
IDS=$(member '.items | map(.id) | join(" ")')
check "there are some, and none made by hand" test "$(wc -w <<<"$IDS")" -ge 1 -a "$(grep -cw "$HAND" <<<"$IDS")" = 0
call POST /tunnels "$(with 'del(.tunnelPolicy.key)')"
IDS="$IDS $(member .id)"
query=limit=1 walked=
while :; do
    call GET "/tunnels?$query"
    walked="$walked $(member '.items | map(.id) | join(" ")')"
    [ "$(member .nextCursor)" != null ] || break
    query="limit=1&cursor=$(member .nextCursor)"
done
is "page by page" "$(xargs <<<"$walked")" "$IDS"
call GET '/provider-contexts?limit=1'
call GET "/tunnels?cursor=$(member .nextCursor)"
answered "the cursor of another list" 400 "$(member .code)" cursor
call GET '/tunnels?limit=0'
answered "an empty page" 400 FWP_E_OUT_OF_BOUNDS limit
call DELETE "/tunnels/${IDS##* }"

# --- Sessions -------------------------------------------------------------------------------------

call POST /sessions '{"flags": ["dynamic"]}'
SESSION=$(member .sessionKey)
before=$(objects)
call POST /tunnels "$(with "$OTHER")" -H "Engine-Session: $SESSION"
answered "in a dynamic session" 201
call DELETE "/sessions/$SESSION"
is "it ends with the session" "$(objects)" "$before"
call POST /sessions '{}'
SESSION=$(member .sessionKey)
call POST "/sessions/$SESSION/transaction" '{"flags": ["readOnly"]}'
call POST /tunnels "$(with "$OTHER")" -H "Engine-Session: $SESSION"
answered "add in a read-only transaction" 409 FWP_E_INCOMPATIBLE_TXN
call DELETE "/sessions/$SESSION/transaction"
call POST "/sessions/$SESSION/transaction" '{}'
call POST /tunnels "$(with "$OTHER")" -H "Engine-Session: $SESSION"
answered "add in a transaction" 201
is "others do not see it" "$(objects)" "$before"
call DELETE "/sessions/$SESSION/transaction"
is "abort leaves nothing" "$(objects)" "$before"

CLIENT=reader
call POST /tunnels "$GOOD"
answered "a reader does not add" 403 ERROR_ACCESS_DENIED
CLIENT=orchestrator

finish
