#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_provider_contexts.sh: provider contexts: what works and every refusal; filters and SA contexts
# that refer to them.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

STORE=sqlite:$WORK/state.db
start_daemon || exit 1

PROPOSAL='{"lifetime": {"seconds": 3600, "kilobytes": 0, "packets": 0}, "pfsGroup": "none",
           "saTransforms": [{"saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128"}]}'
TUNNEL='{"displayData": {"name": "site b", "description": "by hand"}, "type": "ipsecIkeQmTunnelContext",
         "tunnelPolicy": {"tunnelEndpoints": {"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7"},
                          "ipsecProposals": ['$PROPOSAL']}}'
TRANSPORT='{"displayData": {"name": "hosts"}, "type": "ipsecIkeQmTransportContext",
            "transportPolicy": {"ipsecProposals": ['$PROPOSAL']}}'
MAIN_MODE='{"displayData": {"name": "ike"}, "type": "ipsecIkeMmContext",
            "policy": {"softExpirationTime": 28800, "authenticationMethods": [{"type": "certificate"}], "name": "\u00e4"}}'

# refused NAME STATUS CODE POINTER JQ: the tunnel policy, changed.
refused() {
    call POST /provider-contexts "$(jq -c "$5" <<<"$TUNNEL")"
    answered "$1" "$2" "$3" "$4"
}

# --- What works -----------------------------------------------------------------------------------

call POST /provider-contexts "$TUNNEL"
answered "add a tunnel policy" 201
ID=$(member .id)
KEY=$(member .key)
is "Location" "$(header Location)" "/provider-contexts/$ID"
call GET "/provider-contexts/$ID"
answered "read it" 200
given() { jq -cS 'del(.id, .key, .createdAt, .createdBy, .revision, .lifetime, .isTunnel, .flags)' <<<"$1"; }
is "it is given back as it came, with what was left out" "$(given "$BODY")" \
    "$(given "$(jq '.tunnelPolicy += {flags: [], saIdleTimeout: {idleTimeoutSeconds: 0, idleTimeoutSecondsFailOver: 0}} |
        .tunnelPolicy.tunnelEndpoints.ipVersion = "v4"' <<<"$TUNNEL")")"
is "with what the engine adds" "$(member '[.id, .key, .lifetime, .isTunnel, .flags, .createdBy] | tostring')" \
    "[$ID,\"$KEY\",\"static\",false,[],\"uri:spiffe://example.org/orchestrator/1\"]"

RICH=$(jq -c '.key = "6f1c2b3a-0000-4000-8000-000000000011" | .flags = ["persistent"] | .providerData = "AAECAw==" |
    .providerKey = "10ad9216-ccde-456c-8b16-e9f04e60a90b" |
    .transportPolicy += {flags: ["ndSecure", "natEncapAllowPeerBehindNat"], ndAllowClearTimeoutSeconds: 9,
        saIdleTimeout: {idleTimeoutSeconds: 300, idleTimeoutSecondsFailOver: 60}}' <<<"$TRANSPORT")
call POST /provider-contexts "$RICH"
answered "add a transport policy with all members" 201
RICH_ID=$(member .id)
call GET "/provider-contexts/$RICH_ID"
is "is given back as it came" "$(jq -cS 'del(.id, .createdAt, .createdBy, .revision, .lifetime, .isTunnel)' <<<"$BODY")" "$(jq -cS . <<<"$RICH")"
is "is persistent" "$(member .lifetime)" persistent
call POST /provider-contexts "$MAIN_MODE"
answered "add a main-mode policy" 201
MAIN_ID=$(member .id)
call GET "/provider-contexts/$MAIN_ID"
is "it is kept as it came" "$(member .policy | jq -cS .)" "$(jq -cS .policy <<<"$MAIN_MODE")"
call POST /provider-contexts '{"displayData": {"name": "note"}, "type": "generalContext", "policy": {"note": "x"}}'
answered "add a general context" 201
call POST /provider-contexts '{"displayData": {"name": "keying"}, "type": "ipsecKeyingContext", "policy": {"keyModKeys": []}}'
answered "add a keying context" 201

# --- Each member ----------------------------------------------------------------------------------

refused "displayData missing" 400 FWP_E_NULL_DISPLAY_NAME /displayData 'del(.displayData)'
refused "name empty" 400 FWP_E_NULL_DISPLAY_NAME /displayData/name '.displayData.name = ""'
refused "name with a control character" 400 FWP_E_INVALID_PARAMETER /displayData/name '.displayData.name = "a\u0007"'
refused "name too long" 400 FWP_E_INVALID_PARAMETER /displayData/name '.displayData.name = ("x" * 257)'
refused "type missing" 400 FWP_E_NULL_POINTER /type 'del(.type)'
refused "type a number" 400 FWP_E_TYPE_MISMATCH /type '.type = 2'
refused "type unknown" 400 FWP_E_INVALID_ENUMERATOR /type '.type = "tunnel"'
refused "policy missing" 400 FWP_E_NULL_POINTER /tunnelPolicy 'del(.tunnelPolicy)'
refused "policy of another type" 400 FWP_E_INVALID_PARAMETER /policy '.policy = {}'
refused "policy no object" 400 FWP_E_TYPE_MISMATCH /tunnelPolicy '.tunnelPolicy = []'
refused "unknown member" 400 FWP_E_INVALID_PARAMETER /surprise '.surprise = 1'
refused "unknown member of the policy" 400 FWP_E_INVALID_PARAMETER /tunnelPolicy/surprise '.tunnelPolicy.surprise = 1'
refused "a member that is only read" 400 FWP_E_INVALID_PARAMETER /isTunnel '.isTunnel = true'
refused "key malformed" 400 FWP_E_INVALID_PARAMETER /key '.key = "x"'
refused "key twice" 409 FWP_E_ALREADY_EXISTS /key '.key = "6F1C2B3A-0000-4000-8000-000000000011"'
refused "flags unknown" 400 FWP_E_INVALID_FLAGS /flags/0 '.flags = ["x"]'
refused "provider unknown" 422 FWP_E_PROVIDER_NOT_FOUND /providerKey '.providerKey = "6f1c2b3a-0000-4000-8000-0000000000ff"'
refused "provider data no base64" 400 FWP_E_INVALID_PARAMETER /providerData '.providerData = "*"'
refused "endpoints missing" 400 FWP_E_NULL_POINTER /tunnelPolicy/tunnelEndpoints 'del(.tunnelPolicy.tunnelEndpoints)'
refused "an endpoint missing" 400 FWP_E_NULL_POINTER /tunnelPolicy/tunnelEndpoints/remoteAddress 'del(.tunnelPolicy.tunnelEndpoints.remoteAddress)'
refused "endpoints of two versions" 400 FWP_E_TYPE_MISMATCH /tunnelPolicy/tunnelEndpoints/remoteAddress '.tunnelPolicy.tunnelEndpoints.remoteAddress = "2001:db8::1"'
refused "an endpoint that is unspecified" 400 FWP_E_INVALID_PARAMETER /tunnelPolicy/tunnelEndpoints/remoteAddress '.tunnelPolicy.tunnelEndpoints.remoteAddress = "0.0.0.0"'
refused "a multicast endpoint" 400 FWP_E_INVALID_PARAMETER /tunnelPolicy/tunnelEndpoints/remoteAddress '.tunnelPolicy.tunnelEndpoints.remoteAddress = "224.0.0.1"'
refused "endpoints that are one" 400 FWP_E_INVALID_PARAMETER /tunnelPolicy/tunnelEndpoints/remoteAddress '.tunnelPolicy.tunnelEndpoints.remoteAddress = "192.0.2.1"'
refused "proposals missing" 400 FWP_E_NULL_POINTER /tunnelPolicy/ipsecProposals 'del(.tunnelPolicy.ipsecProposals)'
refused "no proposal" 400 FWP_E_ZERO_LENGTH_ARRAY /tunnelPolicy/ipsecProposals '.tunnelPolicy.ipsecProposals = []'
refused "17 proposals" 400 FWP_E_OUT_OF_BOUNDS /tunnelPolicy/ipsecProposals '.tunnelPolicy.ipsecProposals |= [range(17) as $i | .[0]]'
refused "a proposal without a lifetime" 400 FWP_E_NULL_POINTER /tunnelPolicy/ipsecProposals/0/lifetime 'del(.tunnelPolicy.ipsecProposals[0].lifetime)'
refused "a lifetime of nothing" 400 FWP_E_INVALID_INTERVAL /tunnelPolicy/ipsecProposals/0/lifetime '.tunnelPolicy.ipsecProposals[0].lifetime = {}'
refused "no transform" 400 FWP_E_ZERO_LENGTH_ARRAY /tunnelPolicy/ipsecProposals/0/saTransforms '.tunnelPolicy.ipsecProposals[0].saTransforms = []'
refused "three transforms" 400 FWP_E_OUT_OF_BOUNDS /tunnelPolicy/ipsecProposals/0/saTransforms '.tunnelPolicy.ipsecProposals[0].saTransforms |= [.[0], .[0], .[0]]'
refused "a transform without its cipher" 400 FWP_E_NULL_POINTER /tunnelPolicy/ipsecProposals/0/saTransforms/0/cipherTransform 'del(.tunnelPolicy.ipsecProposals[0].saTransforms[0].cipherTransform)'
refused "a transform unknown" 422 FWP_E_INVALID_AUTH_TRANSFORM /tunnelPolicy/ipsecProposals/0/saTransforms/0/authTransform '.tunnelPolicy.ipsecProposals[0].saTransforms[0].authTransform = "SHA"'
refused "policy flags unknown" 400 FWP_E_INVALID_FLAGS /tunnelPolicy/flags/0 '.tunnelPolicy.flags = ["x"]'
refused "policy flags of the other mode" 400 FWP_E_INVALID_FLAGS /tunnelPolicy/flags '.tunnelPolicy.flags = ["natEncapAllowPeerBehindNat"]'
refused "a timeout too large" 400 FWP_E_OUT_OF_BOUNDS /tunnelPolicy/saIdleTimeout/idleTimeoutSeconds '.tunnelPolicy.saIdleTimeout = {"idleTimeoutSeconds": 4294967296}'
call POST /provider-contexts "$(jq -c '.policy.authenticationMethods[0].presharedKey = "c2VjcmV0"' <<<"$MAIN_MODE")"
answered "a pre-shared key is not kept" 400 FWP_E_INVALID_PARAMETER /policy/authenticationMethods/0/presharedKey
call POST /provider-contexts "$(jq -c '.policy = 1' <<<"$MAIN_MODE")"
answered "a main-mode policy is an object" 400 FWP_E_TYPE_MISMATCH /policy
call POST /provider-contexts "$(jq -c '.policy = {x: ("x" * 16384)}' <<<"$MAIN_MODE")"
answered "of limited size" 400 FWP_E_OUT_OF_BOUNDS /policy
call POST /provider-contexts '{"displayData": {"name": "a"}, "displayData": {"name": "b"}}'
answered "a member twice" 400 FWP_E_INVALID_PARAMETER /displayData

# --- Lists ----------------------------------------------------------------------------------------

call GET '/provider-contexts?limit=2'
answered "list" 200
seen=$(member '[.items[].id] | join(" ")')
while cursor=$(member '.nextCursor // ""') && [ -n "$cursor" ]; do
    call GET "/provider-contexts?limit=2&cursor=$cursor"
    seen="$seen $(member '[.items[].id] | join(" ")')"
done
call GET '/provider-contexts?limit=1000'
is "the walk sees each once, in order" "$(xargs <<<"$seen")" "$(member '[.items[].id] | join(" ")')"
call GET '/provider-contexts?type=ipsecIkeMmContext'
is "by type" "$(member '[.items[].id] | tostring')" "[$MAIN_ID]"
call GET "/provider-contexts?key=$KEY"
is "by key" "$(member '[.items[].id] | tostring')" "[$ID]"
call GET "/provider-contexts?key=$KEY&type=ipsecIkeMmContext"
is "by key and type" "$STATUS $(member '.items | length')" "200 0"
call GET "/provider-contexts?key=6f1c2b3a-0000-4000-8000-0000000000ff"
is "by a key that nothing has" "$STATUS $(member '.items | length')" "200 0"
for row in "type=x FWP_E_INVALID_ENUMERATOR type" "key=x FWP_E_INVALID_PARAMETER key" \
    "limit=0 FWP_E_OUT_OF_BOUNDS limit" "cursor=x FWP_E_INVALID_PARAMETER cursor" "x=1 FWP_E_INVALID_PARAMETER x"; do
    read -r query code pointer <<<"$row"
    call GET "/provider-contexts?$query"
    answered "list with $query" 400 "$code" "$pointer"
done

# --- Who refers to it -----------------------------------------------------------------------------

FILTER='{"displayData": {"name": "in the tunnel"}, "layer": "outboundTransportV4", "subLayer": "ipsecTunnel",
         "providerContextKey": "'$KEY'",
         "conditions": [{"field": "ipRemoteAddress", "match": "equal", "value": "10.2.0.0/16"}],
         "action": {"type": "calloutTerminating", "callout": "ipsecOutboundTunnelV4"}}'
call POST /filters "$FILTER"
answered "a filter with the policy" 201
FILTER_ID=$(member .id)
call GET "/filters/$FILTER_ID"
is "knows it by key and id" "$(member '[.providerContextKey, .providerContextId, .flags] | tostring')" \
    "[\"$KEY\",$ID,[\"hasProviderContext\"]]"
call DELETE "/provider-contexts/$ID"
answered "it is in use by the filter" 409 FWP_E_IN_USE
call POST /filters "$(jq -c '.rawContext = 1' <<<"$FILTER")"
answered "a filter has one context" 400 FWP_E_INVALID_PARAMETER /rawContext
call POST /filters "$(jq -c '.providerContextKey = "6f1c2b3a-0000-4000-8000-000000000011"' <<<"$FILTER")"
answered "a tunnel callout wants a tunnel policy" 422 FWP_E_CONTEXT_INCOMPATIBLE_WITH_CALLOUT /providerContextKey
call POST /filters "$(jq -c '.flags = ["persistent"]' <<<"$FILTER")"
answered "a persistent filter may outlive a static policy" 422 FWP_E_LIFETIME_MISMATCH /providerContextKey

TRAFFIC='{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7", "trafficType": "tunnel", "tunnelPolicyId": '$ID'}'
call POST /sa-contexts "$TRAFFIC"
answered "an SA context with the policy" 201
CONTEXT=$(member .id)
is "in tunnel mode there is no inbound filter" "$(member .inboundFilterId)" 0
call POST /sa-contexts "$(jq -c '.remoteAddress = "198.51.100.8"' <<<"$TRAFFIC")"
answered "other endpoints than the policy's" 400 FWP_E_INVALID_PARAMETER /remoteAddress
call POST /sa-contexts "$(jq -c ".tunnelPolicyId = $RICH_ID" <<<"$TRAFFIC")"
answered "a transport policy" 422 FWP_E_PROVIDER_CONTEXT_MISMATCH /tunnelPolicyId
call POST /sa-contexts "$(jq -c ".tunnelPolicyId = 999999" <<<"$TRAFFIC")"
answered "an unknown policy" 422 FWP_E_PROVIDER_CONTEXT_NOT_FOUND /tunnelPolicyId
call POST "/sa-contexts/$CONTEXT/spi" '{}'
answered "an SPI for the tunnel" 200
call DELETE "/filters/$FILTER_ID"
answered "the filter goes" 204
call DELETE "/provider-contexts/$ID"
answered "it is in use by the SA context" 409 FWP_E_IN_USE
call DELETE "/sa-contexts/$CONTEXT"

# Dynamic policy: nothing that lives longer may refer to it.
call POST /sessions '{"flags": ["dynamic"]}'
SESSION=$(member .sessionKey)
call POST /provider-contexts "$TUNNEL" -H "Engine-Session: $SESSION"
answered "add in a dynamic session" 201
DYNAMIC=$(member .id)
DYNAMIC_KEY=$(member .key)
call GET "/provider-contexts/$DYNAMIC"
is "it is dynamic" "$(member .lifetime)" dynamic
call POST /filters "$(jq -c ".providerContextKey = \"$DYNAMIC_KEY\"" <<<"$FILTER")"
answered "a static filter would outlive it" 422 FWP_E_LIFETIME_MISMATCH /providerContextKey
call POST /sa-contexts "$(jq -c ".tunnelPolicyId = $DYNAMIC" <<<"$TRAFFIC")"
answered "so would an SA context" 422 FWP_E_LIFETIME_MISMATCH /tunnelPolicyId
call POST /filters "$(jq -c ".providerContextKey = \"$DYNAMIC_KEY\"" <<<"$FILTER")" -H "Engine-Session: $SESSION"
answered "a dynamic filter does not" 201
call DELETE "/provider-contexts/$RICH_ID" '' -H "Engine-Session: $SESSION"
answered "what is not dynamic is not deleted from there" 409 FWP_E_DYNAMIC_SESSION_IN_PROGRESS
call POST /provider-contexts "$(jq -c '.flags = ["persistent"]' <<<"$TUNNEL")" -H "Engine-Session: $SESSION"
answered "persistent and dynamic" 400 FWP_E_INVALID_FLAGS /flags
call POST /sessions '{"flags": ["dynamic"]}'
OTHER=$(member .sessionKey)
call DELETE "/provider-contexts/$DYNAMIC" '' -H "Engine-Session: $OTHER"
answered "nor from another session" 409 FWP_E_WRONG_SESSION
call DELETE "/sessions/$SESSION"
call GET "/provider-contexts/$DYNAMIC"
answered "it ends with its session" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND

# In a transaction: seen by its session only, until it commits.
call POST /sessions '{}'
SESSION=$(member .sessionKey)
call POST "/sessions/$SESSION/transaction" '{"flags": ["readOnly"]}'
call POST /provider-contexts "$TUNNEL" -H "Engine-Session: $SESSION"
answered "add in a read-only transaction" 409 FWP_E_INCOMPATIBLE_TXN
call DELETE "/provider-contexts/$RICH_ID" '' -H "Engine-Session: $SESSION"
answered "delete in a read-only transaction" 409 FWP_E_INCOMPATIBLE_TXN
call DELETE "/sessions/$SESSION/transaction"
call POST "/sessions/$SESSION/transaction" '{}'
call POST /provider-contexts "$TUNNEL" -H "Engine-Session: $SESSION"
NEW=$(member .id)
NEW_KEY=$(member .key)
call GET "/provider-contexts/$NEW"
answered "others do not see it" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND
call GET "/provider-contexts?key=$NEW_KEY"
is "nor find it by its key" "$(member '.items | length')" 0
call POST /filters "$(jq -c ".providerContextKey = \"$NEW_KEY\"" <<<"$FILTER")" -H "Engine-Session: $SESSION"
answered "a filter of the same transaction refers to it" 201
NEW_FILTER=$(member .id)
call POST "/sessions/$SESSION/transaction/commit"
answered "commit" 204
call GET "/filters/$NEW_FILTER"
is "both are there" "$STATUS $(member .providerContextId)" "200 $NEW"

# --- Deleting, and what a kill leaves -------------------------------------------------------------

call GET /provider-contexts
before=$BODY
stop_daemon KILL
start_daemon || exit 1
call GET /provider-contexts
is "after a kill all are as they were" "$(jq -cS . <<<"$BODY")" "$(jq -cS . <<<"$before")"
call DELETE "/provider-contexts/$NEW"
answered "and in use as they were" 409 FWP_E_IN_USE
call DELETE "/filters/$NEW_FILTER"
call DELETE "/provider-contexts/$NEW"
answered "delete" 204
call DELETE "/provider-contexts/$NEW"
answered "delete again" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND
call GET /provider-contexts/0
answered "0 is no id" 404 FWP_E_PROVIDER_CONTEXT_NOT_FOUND
CLIENT=reader
call GET "/provider-contexts/$ID"
answered "a reader reads" 200
call POST /provider-contexts "$TUNNEL"
answered "a reader does not add" 403 ERROR_ACCESS_DENIED
CLIENT=orchestrator

finish
