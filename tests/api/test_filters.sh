#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_filters.sh: add, read, list and delete filters: what works and every refusal.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

# 'adder' has ADD on filters and not ADD_LINK.
make_pki
"$ROOT/deploy/pki.sh" "$PKI" client adder --uri spiffe://example.org/adder/1 >/dev/null
jq '.filters.dacl += [{"type": "allow", "principal": "uri:spiffe://example.org/adder/*",
                       "rights": ["FWPM_ACTRL_ADD"]}]' \
    "$WORK/access.json" >"$WORK/access.new" && mv "$WORK/access.new" "$WORK/access.json"
STORE=sqlite:$WORK/state.db
start_daemon || exit 1

GOOD='{"displayData": {"name": "db out", "description": "to the database"},
       "layer": "outboundTransportV4",
       "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": "192.0.2.1"},
                      {"field": "ipRemoteAddress", "match": "equal", "value": "198.51.100.0/24"},
                      {"field": "ipProtocol", "match": "equal", "value": 6},
                      {"field": "ipRemotePort", "match": "equal", "value": 5432}],
       "action": {"type": "calloutTerminating", "callout": "ipsecOutboundTransportV4"}}'

# with FILTER: the good body changed by jq.
with() { jq -c "$1" <<<"$GOOD"; }

# refused NAME STATUS CODE POINTER JQ
refused() {
    call POST /filters "$(with "$5")"
    answered "$1" "$2" "$3" "$4"
}

# --- What works -----------------------------------------------------------------------------------

call POST /filters "$GOOD"
answered "add answers 201" 201
ID=$(member .id)
KEY=$(member .key)
is "add answers Location" "$(header Location)" "/filters/$ID"
check "the engine makes a key" grep -qE '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' <<<"$KEY"
call GET "/filters/$ID"
answered "get" 200
is "get shows what was added" \
    "$(member '[.id, .key, .layer, .displayData.name, .displayData.description, .action.type, .action.callout,
        (.conditions | map(.field + "=" + (.value | tostring)) | join(","))] | map(tostring) | join(" ")')" \
    "$ID $KEY outboundTransportV4 db out to the database calloutTerminating ipsecOutboundTransportV4 ipLocalAddress=192.0.2.1,ipRemoteAddress=198.51.100.0/24,ipProtocol=6,ipRemotePort=5432"
AUTO=$(member .effectiveWeight)

call POST /filters "$(with '.key = "6f1c2b3a-0000-4000-8000-000000000001"')"
answered "a key of one's own" 201
is "it is kept" "$(member .key)" "6f1c2b3a-0000-4000-8000-000000000001"
call POST /filters "$(with '.key = "6F1C2B3A-0000-4000-8000-000000000001"')"
answered "a key twice" 409 FWP_E_ALREADY_EXISTS

call POST /filters "$(with '.weight = {"range": 15}')"
call GET "/filters/$(member .id)"
is "a range takes the top four bits" "$(echo "$(member .effectiveWeight) / 2^60" | bc)" 15
call POST /filters "$(with '.weight = 77')"
call GET "/filters/$(member .id)"
is "an explicit weight is taken as it is" "$(member .effectiveWeight)" 77
call POST /filters "$(with '.weight = "18446744073709551615"')"
call GET "/filters/$(member .id)"
is "64 bits of it, as text" "$(member .effectiveWeight)" 18446744073709551615
call POST /filters "$(with 'del(.conditions[2, 3])')"
call GET "/filters/$(member .id)"
check "automatic weight: the more specific the higher" test "$(member .effectiveWeight)" -lt "$AUTO"
call POST /filters "$(with '.conditions = [] | .action = {"type": "permit"} | .layer = "inboundTransportV6"')"
answered "permit, without conditions" 201
call POST /filters "$(with 'del(.conditions) | .action = {"type": "block"}')"
answered "block, conditions left out" 201

# --- All that a filter may have -------------------------------------------------------------------

RICH='{"displayData": {"name": "rich"}, "layer": "outboundTransportV4", "subLayer": "lips",
       "key": "6f1c2b3a-0000-4000-8000-000000000002", "flags": ["persistent", "clearActionRight", "indexed"],
       "providerKey": "10ad9216-ccde-456c-8b16-e9f04e60a90b", "providerData": "AAECAw==",
       "rawContext": 1, "weight": {"range": 3},
       "conditions": [{"field": "ipLocalAddress", "match": "range", "value": {"low": "192.0.2.1", "high": "192.0.2.9"}},
                      {"field": "ipRemoteAddress", "match": "notEqual", "value": "198.51.100.1"},
                      {"field": "ipProtocol", "match": "lessOrEqual", "value": 17},
                      {"field": "ipLocalPort", "match": "range", "value": {"low": 1024, "high": 65535}},
                      {"field": "ipRemotePort", "match": "greater", "value": 1},
                      {"field": "ipLocalAddressType", "match": "equal", "value": "unicast"},
                      {"field": "ipDestinationAddressType", "match": "notEqual", "value": "multicast"},
                      {"field": "ipLocalInterface", "match": "equal", "value": "18446744073709551615"},
                      {"field": "flags", "match": "flagsNoneSet", "value": 1}],
       "action": {"type": "calloutTerminating", "callout": "ipsecOutboundTransportV4"}}'
call POST /filters "$RICH"
answered "a filter with all members" 201
RICH_ID=$(member .id)
rich() { jq -cS 'del(.id, .effectiveWeight, .createdAt, .createdBy, .revision)' <<<"$1"; }
call GET "/filters/$RICH_ID"
is "is given back as it came" "$(rich "$BODY")" "$(rich "$(jq '.lifetime = "persistent"' <<<"$RICH")")"
call GET '/filters?key=6F1C2B3A-0000-4000-8000-000000000002'
is "and is found by its key" "$(member '[.items[].id] | tostring')" "[$RICH_ID]"
call GET '/filters?key=6f1c2b3a-0000-4000-8000-000000000002&layer=inboundTransportV4'
is "at its layer only" "$STATUS $(member '.items | length')" "200 0"
call GET '/filters?key=6f1c2b3a-0000-4000-8000-0000000000ff'
is "a key that nothing has" "$STATUS $(member '.items | length')" "200 0"
call GET '/filters?key=x'
answered "no key at all" 400 FWP_E_INVALID_PARAMETER key
call POST /filters '{"displayData": {"name": "through"}, "layer": "ipforwardV6", "action": {"type": "block"},
    "conditions": [{"field": "ipSourceAddress", "match": "equal", "value": "2001:db8:1::/64"},
                   {"field": "ipDestinationAddress", "match": "less", "value": "2001:db8::9"}]}'
answered "at a forward layer" 201
call GET "/filters/$(member .id)"
is "with the names of that layer" "$(member '[.conditions[] | .field + " " + .match + " " + .value] | join("; ")')" \
    "ipSourceAddress equal 2001:db8:1::/64; ipDestinationAddress less 2001:db8::9"

# --- What is built in -----------------------------------------------------------------------------

call POST /sessions '{}'
READER=$(member .sessionKey)
call POST "/sessions/$READER/transaction" '{"flags": ["readOnly"]}'
answered "a read-only transaction" 201
for row in "providers 10ad9216-ccde-456c-8b16-e9f04e60a90b FWPM_PROVIDER_IKEEXT null FWP_E_PROVIDER_NOT_FOUND" \
    "layers 5926dfc8-e3cf-4426-a283-dc393f5d0f9d FWPM_LAYER_INBOUND_TRANSPORT_V4 inboundTransportV4 FWP_E_LAYER_NOT_FOUND" \
    "sub-layers 83f299ed-9ff4-4967-aff4-c309f4dab827 FWPM_SUBLAYER_IPSEC_TUNNEL ipsecTunnel FWP_E_SUBLAYER_NOT_FOUND" \
    "callouts 70a4196c-835b-4fb0-98e8-075f4d977d46 FWPM_CALLOUT_IPSEC_OUTBOUND_TUNNEL_V4 ipsecOutboundTunnelV4 FWP_E_CALLOUT_NOT_FOUND"; do
    read -r list key constant name code <<<"$row"
    call GET "/$list"
    answered "list $list" 200
    is "with $constant" "$(member ".items[] | select(.key == \"$key\") | .displayData.name")" "$constant"
    call GET "/$list/$key"
    is "read one of $list" "$STATUS $(member '[.key, .displayData.name, (.name | tostring)] | join(" ")')" "200 $key $constant $name"
    call GET "/$list/6f1c2b3a-0000-4000-8000-0000000000ff"
    answered "read none of $list" 404 "$code"
    call GET "/$list/$name"
    answered "a name is no key of $list" 404 "$code"
    call DELETE "/$list/$key"
    answered "what is built in stays: $list" 403 FWP_E_BUILTIN_OBJECT
    call DELETE "/$list/$key?dryRun=true"
    answered "a dry run says so, too: $list" 403 FWP_E_BUILTIN_OBJECT
    call DELETE "/$list/6f1c2b3a-0000-4000-8000-0000000000ff"
    answered "delete none of $list" 404 "$code"
    call DELETE "/$list/$name"
    answered "delete by name none of $list" 404 "$code"
    call DELETE "/$list/$key" '' -H "Engine-Session: $READER"
    answered "delete one of $list in a read-only transaction" 409 FWP_E_INCOMPATIBLE_TXN
    CLIENT=reader
    call DELETE "/$list/$key"
    answered "without the right: $list" 403 ERROR_ACCESS_DENIED
    call DELETE "/$list/6f1c2b3a-0000-4000-8000-0000000000ff"
    answered "nor whether there is one: $list" 403 ERROR_ACCESS_DENIED
    CLIENT=orchestrator
    call POST "/$list" '{}'
    answered "nothing is added to $list" 405
    is "which can be read" "$(header Allow)" "GET, HEAD"
    call PUT "/$list/$key" '{}'
    answered "or changed" 405
done
call DELETE "/sessions/$READER"
call GET /callouts
is "a callout knows its layer" "$(member '.items[] | select(.name == "ipsecForwardInboundTunnelV6") | .layer')" ipforwardV6

# --- Each member ----------------------------------------------------------------------------------

refused "displayData missing" 400 FWP_E_NULL_DISPLAY_NAME /displayData 'del(.displayData)'
refused "name missing" 400 FWP_E_NULL_DISPLAY_NAME /displayData/name 'del(.displayData.name)'
refused "name empty" 400 FWP_E_NULL_DISPLAY_NAME /displayData/name '.displayData.name = ""'
refused "name a number" 400 FWP_E_TYPE_MISMATCH /displayData/name '.displayData.name = 1'
refused "name with a control character" 400 FWP_E_INVALID_PARAMETER /displayData/name '.displayData.name = "a\u0007"'
refused "name too long" 400 FWP_E_INVALID_PARAMETER /displayData/name '.displayData.name = ("x" * 257)'
refused "layer missing" 400 FWP_E_NULL_POINTER /layer 'del(.layer)'
refused "layer unknown" 422 FWP_E_LAYER_NOT_FOUND /layer '.layer = "nowhere"'
refused "layer of another kind" 422 FWP_E_LAYER_NOT_FOUND /layer '.layer = "aleAuthConnectV4"'
refused "action missing" 400 FWP_E_NULL_POINTER /action 'del(.action)'
refused "action type missing" 400 FWP_E_NULL_POINTER /action/type 'del(.action.type)'
refused "action type unknown" 400 FWP_E_INVALID_ACTION_TYPE /action/type '.action.type = "continue"'
refused "callout missing" 400 FWP_E_NULL_POINTER /action/callout 'del(.action.callout)'
refused "callout unknown" 422 FWP_E_CALLOUT_NOT_FOUND /action/callout '.action.callout = "mine"'
refused "callout of another layer" 422 FWP_E_ACTION_INCOMPATIBLE_WITH_LAYER /action/callout \
    '.action.callout = "ipsecInboundTransportV4"'
refused "tunnel callout without a policy" 422 FWP_E_CONTEXT_INCOMPATIBLE_WITH_CALLOUT /action/callout \
    '.action.callout = "ipsecOutboundTunnelV4"'
refused "permit with a callout" 400 FWP_E_INVALID_PARAMETER /action/callout '.action.type = "permit"'
refused "weight of a wrong type" 400 FWP_E_TYPE_MISMATCH /weight '.weight = true'
refused "weight negative" 400 FWP_E_INVALID_WEIGHT /weight '.weight = -1'
refused "weight range 16" 400 FWP_E_INVALID_WEIGHT /weight/range '.weight = {"range": 16}'
refused "weight range unknown member" 400 FWP_E_INVALID_PARAMETER /weight/x '.weight = {"range": 1, "x": 1}'
refused "key malformed" 400 FWP_E_INVALID_PARAMETER /key '.key = "x"'
refused "flags no array" 400 FWP_E_TYPE_MISMATCH /flags '.flags = 1'
refused "flags a number" 400 FWP_E_TYPE_MISMATCH /flags/0 '.flags = [1]'
refused "a flag twice" 400 FWP_E_INVALID_FLAGS /flags/1 '.flags = ["indexed", "indexed"]'
refused "boottime" 400 FWP_E_INVALID_FLAGS /flags '.flags = ["boottime"]'
refused "disabled" 400 FWP_E_INVALID_FLAGS /flags '.flags = ["disabled"]'
refused "permitIfCalloutUnregistered without a callout" 400 FWP_E_INVALID_FLAGS /flags \
    '.flags = ["permitIfCalloutUnregistered"] | .action = {"type": "permit"}'
refused "hasProviderContext without one" 400 FWP_E_NULL_POINTER /providerContextKey '.flags = ["hasProviderContext"]'
refused "sublayer a number" 400 FWP_E_TYPE_MISMATCH /subLayer '.subLayer = 1'
refused "sublayer unknown" 422 FWP_E_SUBLAYER_NOT_FOUND /subLayer '.subLayer = "mine"'
refused "sublayer for inspection" 422 FWP_E_ACTION_INCOMPATIBLE_WITH_SUBLAYER /subLayer '.subLayer = "inspection"'
refused "raw context of a wrong type" 400 FWP_E_TYPE_MISMATCH /rawContext '.rawContext = true'
refused "raw context negative" 400 FWP_E_OUT_OF_BOUNDS /rawContext '.rawContext = -1'
refused "raw context too large" 400 FWP_E_OUT_OF_BOUNDS /rawContext '.rawContext = "18446744073709551616"'
refused "raw context that the callout does not know" 422 FWP_E_CONTEXT_INCOMPATIBLE_WITH_CALLOUT /rawContext '.rawContext = 4'
refused "provider data of a wrong type" 400 FWP_E_TYPE_MISMATCH /providerData '.providerData = {}'
refused "provider data no base64" 400 FWP_E_INVALID_PARAMETER /providerData '.providerData = "*"'
refused "provider data too long" 400 FWP_E_INVALID_PARAMETER /providerData ".providerData = \"$(head -c 4097 /dev/zero | base64 -w0)\""
refused "provider key malformed" 400 FWP_E_INVALID_PARAMETER /providerKey '.providerKey = "x"'
refused "provider context key malformed" 400 FWP_E_INVALID_PARAMETER /providerContextKey '.providerContextKey = "x"'
refused "a member that is only read" 400 FWP_E_INVALID_PARAMETER /lifetime '.lifetime = "static"'
refused "flags unknown" 400 FWP_E_INVALID_FLAGS /flags/0 '.flags = ["persistent2"]'
refused "provider unknown" 422 FWP_E_PROVIDER_NOT_FOUND /providerKey '.providerKey = "6f1c2b3a-0000-4000-8000-000000000009"'
refused "provider context unknown" 422 FWP_E_PROVIDER_CONTEXT_NOT_FOUND /providerContextKey \
    '.providerContextKey = "6f1c2b3a-0000-4000-8000-000000000009"'
refused "unknown member" 400 FWP_E_INVALID_PARAMETER /surprise '.surprise = 1'

# --- Conditions -----------------------------------------------------------------------------------

refused "conditions no array" 400 FWP_E_TYPE_MISMATCH /conditions '.conditions = {}'
refused "condition no object" 400 FWP_E_TYPE_MISMATCH /conditions/0 '.conditions[0] = 1'
refused "field missing" 400 FWP_E_NULL_POINTER /conditions/0/field 'del(.conditions[0].field)'
refused "field unknown" 422 FWP_E_CONDITION_NOT_FOUND /conditions/0/field '.conditions[0].field = "ipWhatever"'
refused "match missing" 400 FWP_E_NULL_POINTER /conditions/0/match 'del(.conditions[0].match)'
refused "match unknown" 400 FWP_E_INVALID_ENUMERATOR /conditions/0/match '.conditions[0].match = "alike"'
refused "match not of addresses" 422 FWP_E_MATCH_TYPE_MISMATCH /conditions/0/match '.conditions[0].match = "flagsAllSet"'
refused "match of texts" 422 FWP_E_MATCH_TYPE_MISMATCH /conditions/0/match '.conditions[0].match = "prefix"'
refused "match of texts on a number" 422 FWP_E_MATCH_TYPE_MISMATCH /conditions/2/match '.conditions[2].match = "equalCaseInsensitive"'
refused "a network can only be equal" 422 FWP_E_MATCH_TYPE_MISMATCH /conditions/1/match '.conditions[1].match = "notEqual"'
refused "range of one value" 400 FWP_E_TYPE_MISMATCH /conditions/3/value '.conditions[3].match = "range"'
refused "two values without range" 400 FWP_E_TYPE_MISMATCH /conditions/3/value '.conditions[3].value = {"low": 1, "high": 2}'
refused "range without its end" 400 FWP_E_NULL_POINTER /conditions/3/value/high '.conditions[3] |= (.match = "range" | .value = {"low": 1})'
refused "range too wide" 400 FWP_E_OUT_OF_BOUNDS /conditions/3/value/high '.conditions[3] |= (.match = "range" | .value = {"low": 1, "high": 65536})'
refused "range that ends before it begins" 400 FWP_E_INVALID_RANGE /conditions/3/value '.conditions[3] |= (.match = "range" | .value = {"low": 2, "high": 1})'
refused "range of two IP versions" 400 FWP_E_TYPE_MISMATCH /conditions/0/value/high '.conditions[0] |= (.match = "range" | .value = {"low": "192.0.2.1", "high": "2001:db8::1"})'
refused "range of networks" 400 FWP_E_INVALID_PARAMETER /conditions/0/value/low '.conditions[0] |= (.match = "range" | .value = {"low": "192.0.2.0/24", "high": "192.0.3.0"})'
refused "address type unknown" 400 FWP_E_INVALID_ENUMERATOR /conditions/0/value '.conditions[0] = {"field": "ipLocalAddressType", "match": "equal", "value": "anyone"}'
refused "interface too large" 400 FWP_E_OUT_OF_BOUNDS /conditions/0/value '.conditions[0] = {"field": "ipLocalInterface", "match": "equal", "value": "18446744073709551616"}'
refused "flags too large" 400 FWP_E_OUT_OF_BOUNDS /conditions/0/value '.conditions[0] = {"field": "flags", "match": "flagsAllSet", "value": 4294967296}'
refused "a field of the forward layers" 422 FWP_E_CONDITION_NOT_FOUND /conditions/0/field '.conditions[0].field = "ipSourceAddress"'
refused "a field that the layer lacks" 422 FWP_E_CONDITION_NOT_FOUND /conditions/0/field \
    '.layer = "inboundTransportV4" | .action = {"type": "permit"} | .conditions = [{"field": "ipDestinationAddressType", "match": "equal", "value": "unicast"}]'
refused "the transport fields at a forward layer" 422 FWP_E_CONDITION_NOT_FOUND /conditions/0/field '.layer = "ipforwardV4" | .action = {"type": "permit"}'
refused "value missing" 400 FWP_E_NULL_POINTER /conditions/0/value 'del(.conditions[0].value)'
refused "value of a wrong type" 400 FWP_E_TYPE_MISMATCH /conditions/0/value '.conditions[0].value = 1'
refused "address of the other version" 400 FWP_E_TYPE_MISMATCH /conditions/0/value '.conditions[0].value = "2001:db8::1"'
refused "prefix too long" 400 FWP_E_INVALID_NET_MASK /conditions/1/value '.conditions[1].value = "198.51.100.0/33"'
refused "host bits set" 400 FWP_E_INVALID_NET_MASK /conditions/1/value '.conditions[1].value = "198.51.100.1/24"'
refused "protocol out of range" 400 FWP_E_OUT_OF_BOUNDS /conditions/2/value '.conditions[2].value = 256'
refused "port out of range" 400 FWP_E_OUT_OF_BOUNDS /conditions/3/value '.conditions[3].value = 65536'
refused "a field twice" 422 FWP_E_DUPLICATE_CONDITION /conditions/1/field '.conditions[1] = .conditions[0]'

# --- A context must not contradict the conditions -------------------------------------------------

TRAFFIC='{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7", "trafficType": "transport", "ipsecFilterId": '$ID'}'
call POST /sa-contexts "$(jq -c '.remotePort = 5432 | .ipProtocol = 6' <<<"$TRAFFIC")"
answered "the filter's own port and protocol" 201
call POST /sa-contexts "$(jq -c '.remotePort = 80' <<<"$TRAFFIC")"
answered "another port" 400 FWP_E_INVALID_PARAMETER /remotePort
call POST /sa-contexts "$(jq -c '.ipProtocol = 17' <<<"$TRAFFIC")"
answered "another protocol" 400 FWP_E_INVALID_PARAMETER /ipProtocol

# --- The inbound filter: highest weight among those that classify the flow ------------------------

inbound() {
    call POST /filters "$(with ".layer = \"inboundTransportV4\" | .action.callout = \"ipsecInboundTransportV4\" | $1")"
    member .id
}
create_inbound() {
    call POST /sa-contexts "$TRAFFIC"
    member .inboundFilterId
}
is "none yet" "$(create_inbound)" 0
WIDE=$(inbound 'del(.conditions[2, 3])')
is "a wide one" "$(create_inbound)" "$WIDE"
EXACT=$(inbound '.')
is "a more specific one wins" "$(create_inbound)" "$EXACT"
inbound '.conditions[3].value = 80 | .weight = {"range": 15}' >/dev/null
is "one for another port does not" "$(create_inbound)" "$EXACT"
HEAVY=$(inbound 'del(.conditions[2, 3]) | .weight = {"range": 9}')
is "a heavier one does" "$(create_inbound)" "$HEAVY"
call POST /filters "$(with '.layer = "inboundTransportV4" | .action = {"type": "permit"} | .weight = {"range": 15}')"
is "a permit has no callout" "$(create_inbound)" "$HEAVY"
call DELETE "/filters/$HEAVY"
answered "it is in use" 409 FWP_E_IN_USE
is "by two" "$(member .detail | cut -d, -f1)" "2 SA contexts refer to filter $HEAVY"
call GET '/sa-contexts?limit=1000'
for id in $(member ".items[] | select(.inboundFilterId == $HEAVY) | .id"); do
    call DELETE "/sa-contexts/$id"
done
call DELETE "/filters/$HEAVY"
answered "and can go when they have" 204
is "the cache forgets a deleted one" "$(create_inbound)" "$EXACT"

# --- Lists ----------------------------------------------------------------------------------------

call GET '/filters?limit=2'
answered "list" 200
is "two a page" "$(member '.items | length')" 2
seen=$(member '[.items[].id] | join(" ")')
while cursor=$(member '.nextCursor // ""') && [ -n "$cursor" ]; do
    call GET "/filters?limit=2&cursor=$cursor"
    seen="$seen $(member '[.items[].id] | join(" ")')"
done
call GET '/filters?limit=1000'
is "the walk sees each once, in order" "$(xargs <<<"$seen")" "$(member '[.items[].id] | join(" ")')"
call GET '/filters?layer=inboundTransportV6'
is "by layer" "$(member '[.items[].layer] | unique | join(" ")')" "inboundTransportV6"
call GET '/filters?layer=x'
check "an unknown layer is refused" test "$STATUS" -ge 400

# --- Rights and absence ---------------------------------------------------------------------------

call GET /filters/9999
answered "get what is not there" 404 FWP_E_FILTER_NOT_FOUND
call DELETE /filters/9999
answered "delete what is not there" 404 FWP_E_FILTER_NOT_FOUND
CLIENT=reader
call GET "/filters/$ID"
answered "a reader reads" 200
call POST /filters "$GOOD"
answered "a reader does not add" 403 ERROR_ACCESS_DENIED
call DELETE "/filters/$ID"
answered "a reader does not delete" 403 ERROR_ACCESS_DENIED
CLIENT=adder
call POST /filters "$GOOD"
answered "ADD without ADD_LINK does not add" 403 ERROR_ACCESS_DENIED
CLIENT=stranger
for request in "POST /filters" "GET /filters" "GET /filters/$ID" "DELETE /filters/$ID"; do
    # shellcheck disable=SC2086
    call $request
    answered "a stranger: $request" 403 ERROR_ACCESS_DENIED
done
CLIENT=orchestrator

# All of it outlives the process.
call GET '/filters?limit=1000'
before=$BODY
stop_daemon KILL
start_daemon || exit 1
call GET '/filters?limit=1000'
is "after a kill all filters are as they were" "$(jq -cS . <<<"$BODY")" "$(jq -cS . <<<"$before")"

# A caller who may create but not read filters cannot probe for them.
jq '.filters.dacl = []' "$WORK/access.json" >"$WORK/access.new" && cp "$WORK/access.new" "$WORK/access.json"
kill -HUP "$DAEMON_PID"
for _ in $(seq 100); do grep -q '"event":"reloaded"' "$LOG" && break; sleep 0.05; done
call POST /sa-contexts "$TRAFFIC"
answered "no READ on filters: it is not found" 422 FWP_E_FILTER_NOT_FOUND /ipsecFilterId

finish
