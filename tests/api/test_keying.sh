#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_keying.sh: the life of an SA context: each call in each state, what bundles are refused for,
# keys that come in and never go out, all in one request, many in one request, and rotation.
# Labels: slow
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

# Contexts outlive this test's many calls, and the store is read for keys at its end.
STORE=sqlite:$WORK/state.db
start_daemon --larval-timeout-seconds 0 --log-level debug || exit 1
add_filters

# Keys to be found nowhere afterwards, as bytes, as hexadecimal digits or as base64.
KEY_IN=$(printf 'canary-key-inbound-1' | xxd -p)
KEY_OUT=$(printf 'canary-key-outbound2' | xxd -p)
AUTH_KEY=$(printf 'canary-key-integrity-32-bytes-ok' | xxd -p | tr -d '\n')
CIPHER_KEY=$(printf 'canary-key-cbc16' | xxd -p)
AH_KEY=$(printf 'canary-key-of-sha-1!' | xxd -p)
base64_of() { xxd -r -p <<<"$1" | base64 -w0; }

TRAFFIC='{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7", "trafficType": "transport",
          "ipsecFilterId": '$OUT4'}'
NEXT_HOST=1
# traffic [JQ]: for a remote address of its own, so that no two contexts are duplicates; in BODY_OUT.
new_traffic() {
    NEXT_HOST=$((NEXT_HOST + 1))
    NEW_TRAFFIC=$(jq -c ".remoteAddress = \"198.51.100.$NEXT_HOST\" | ${1-.}" <<<"$TRAFFIC")
}
GCM='"saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128"'
inbound() { printf '{"saList": [{%s, "spi": %s, "cipherKey": "hex:%s"}]}' "$GCM" "$1" "$KEY_IN"; }
outbound() { printf '{"saList": [{%s, "spi": %s, "cipherKey": "hex:%s"}]}' "$GCM" "${1-5000}" "$KEY_OUT"; }

# in_state STATE: makes a context in it; sets ID, and SPI once there is one.
in_state() {
    SPI=
    new_traffic
    call POST /sa-contexts "$NEW_TRAFFIC"
    ID=$(member .id)
    [ "$1" != created ] || return 0
    call POST "/sa-contexts/$ID/spi" "{\"ipsecFilterId\": $IN4}"
    SPI=$(member .spi)
    [ "$1" != spiSet ] || return 0
    call POST "/sa-contexts/$ID/inbound" "$(inbound "$SPI")"
    [ "$1" != inbound ] || return 0
    call POST "/sa-contexts/$ID/outbound" "$(outbound)"
    [ "$1" != active ] || return 0
    call POST "/sa-contexts/$ID/expire"
    [ "$1" != expiring ] || return 0
    call DELETE "/sa-contexts/$ID"
}

# --- The table: each call in each state -----------------------------------------------------------

# cell STATE CALL STATUS CODE STATE-AFTER; "-" as code: none; "gone" as state: no longer there.
cell() {
    local state=$1 what=$2 status=$3 code=$4 after=$5 spi
    in_state "$state"
    spi=${SPI:-4660}
    case $what in
    getSpi) call POST "/sa-contexts/$ID/spi" "{\"ipsecFilterId\": $IN4}" ;;
    setSpi) call PUT "/sa-contexts/$ID/spi" "{\"ipsecFilterId\": $IN4, \"spi\": $spi}" ;;
    otherSpi) call PUT "/sa-contexts/$ID/spi" "{\"ipsecFilterId\": $IN4, \"spi\": 4661}" ;;
    otherTraffic) call POST "/sa-contexts/$ID/spi" "{\"ipsecFilterId\": $OTHER_IN}" ;;
    addInbound) call POST "/sa-contexts/$ID/inbound" "$(inbound "$spi")" ;;
    addOutbound) call POST "/sa-contexts/$ID/outbound" "$(outbound)" ;;
    updateInbound) call PATCH "/sa-contexts/$ID" '{"inbound": {"napContext": 9}}' ;;
    updateOutbound) call PATCH "/sa-contexts/$ID" '{"outbound": {"napContext": 9}}' ;;
    expire) call POST "/sa-contexts/$ID/expire" ;;
    delete) call DELETE "/sa-contexts/$ID" ;;
    esac
    if [ "$code" = - ]; then
        answered "$state: $what" "$status"
    else
        answered "$state: $what" "$status" "$code"
    fi
    # A repeat must answer the SPI that the first call gave.
    [ "$state $what" != "spiSet getSpi" ] || is "the same SPI again" "$(member .spi)" "$SPI"
    call GET "/sa-contexts/$ID"
    if [ "$after" = gone ]; then
        answered "$state: $what leaves nothing" 404 FWP_E_NOT_FOUND
    else
        is "$state: $what leaves it $after" "$STATUS $(member .state)" "200 $after"
    fi
}
OTHER_IN=$(add_filter inboundTransportV4 ipsecInboundTransportV4 192.0.2.1 198.51.0.0/16)
NO=FWP_E_INCOMPATIBLE_SA_STATE

cell created getSpi 200 - spiSet
cell created setSpi 200 - spiSet
cell created addInbound 409 $NO created
cell created addOutbound 409 $NO created
cell created updateInbound 409 $NO created
cell created updateOutbound 409 $NO created
cell created expire 204 - gone
cell created delete 204 - gone
cell spiSet getSpi 200 - spiSet
cell spiSet setSpi 200 - spiSet
cell spiSet otherSpi 409 $NO spiSet
cell spiSet otherTraffic 409 FWP_E_TRAFFIC_MISMATCH spiSet
cell spiSet addInbound 201 - inbound
cell spiSet addOutbound 409 $NO spiSet
cell spiSet updateInbound 409 $NO spiSet
cell spiSet updateOutbound 409 $NO spiSet
cell spiSet expire 204 - gone
cell spiSet delete 204 - gone
for state in inbound active expiring; do
    for what in getSpi setSpi addInbound; do
        cell $state $what 409 $NO $state
    done
done
cell inbound addOutbound 201 - active
cell inbound updateInbound 200 - inbound
cell inbound updateOutbound 409 $NO inbound
cell inbound expire 204 - expiring
cell inbound delete 204 - gone
cell active addOutbound 409 $NO active
cell active updateInbound 200 - active
cell active updateOutbound 200 - active
cell active expire 204 - expiring
cell active delete 204 - gone
cell expiring addOutbound 409 $NO expiring
cell expiring updateInbound 409 $NO expiring
cell expiring updateOutbound 409 $NO expiring
cell expiring expire 204 - expiring
cell expiring delete 204 - gone
for what in getSpi setSpi addInbound addOutbound updateInbound updateOutbound expire delete; do
    cell gone $what 404 FWP_E_NOT_FOUND gone
done

# --- SPIs -----------------------------------------------------------------------------------------

in_state created
A=$ID
call POST "/sa-contexts/$A/spi" '{}'
answered "without a filter: the one found at the create" 200
check "an SPI is 256 or more" test "$(member .spi)" -ge 256
TAKEN=$(member .spi)
in_state created
for row in "255 400 FWP_E_OUT_OF_BOUNDS /spi" "0 400 FWP_E_OUT_OF_BOUNDS /spi" \
    "4294967296 400 FWP_E_OUT_OF_BOUNDS /spi" "-1 400 FWP_E_OUT_OF_BOUNDS /spi" \
    "\"256\" 400 FWP_E_TYPE_MISMATCH /spi" "null 400 FWP_E_NULL_POINTER /spi" \
    "$TAKEN 409 FWP_E_ALREADY_EXISTS /spi"; do
    read -r value status code pointer <<<"$row"
    call PUT "/sa-contexts/$ID/spi" "{\"ipsecFilterId\": $IN4, \"spi\": $value}"
    answered "set SPI $value" "$status" "$code" "$pointer"
done
for row in "{\"ipsecFilterId\": $OUT4} 422 FWP_E_INCOMPATIBLE_LAYER /ipsecFilterId" \
    "{\"ipsecFilterId\": $IN6} 422 FWP_E_INCOMPATIBLE_LAYER /ipsecFilterId" \
    "{\"ipsecFilterId\": 999999} 422 FWP_E_FILTER_NOT_FOUND /ipsecFilterId" \
    "{\"ipsecFilterId\": 0} 400 FWP_E_OUT_OF_BOUNDS /ipsecFilterId" \
    "{\"ipsecFilterId\": \"1\"} 400 FWP_E_TYPE_MISMATCH /ipsecFilterId" \
    "{\"localAddress\":\"192.0.2.9\",\"remoteAddress\":\"198.51.100.7\"} 409 FWP_E_TRAFFIC_MISMATCH /localAddress" \
    "{\"localAddress\":\"2001:db8::1\",\"remoteAddress\":\"198.51.100.7\"} 400 FWP_E_TYPE_MISMATCH /remoteAddress" \
    "{\"spi\":1} 400 FWP_E_INVALID_PARAMETER /spi" "[] 400 FWP_E_TYPE_MISMATCH -"; do
    read -r body rest <<<"${row/\": /\":}"
    read -r status code pointer <<<"$rest"
    call POST "/sa-contexts/$ID/spi" "$body"
    answered "get an SPI with $body" "$status" "$code" "$pointer"
done
call POST "/sa-contexts/$ID/spi"
answered "get an SPI without a body" 200

# --- Bundles --------------------------------------------------------------------------------------

in_state spiSet
GOOD=$(inbound "$SPI")
# refused NAME STATUS CODE POINTER JQ [HOST-FLAG]
refused() {
    call POST "/sa-contexts/$ID/inbound" "$(jq -c "$5" <<<"$GOOD")"
    answered "$1" "$2" "$3" "$4"
}
refused "saList missing" 400 FWP_E_NULL_POINTER /saList 'del(.saList)'
refused "saList an object" 400 FWP_E_TYPE_MISMATCH /saList '.saList = {}'
refused "no SA" 400 FWP_E_ZERO_LENGTH_ARRAY /saList '.saList = []'
refused "three SAs" 400 FWP_E_OUT_OF_BOUNDS /saList '.saList = [.saList[0], .saList[0], .saList[0]]'
refused "an SA that is none" 400 FWP_E_TYPE_MISMATCH /saList/0 '.saList = [1]'
refused "type missing" 400 FWP_E_NULL_POINTER /saList/0/saTransformType 'del(.saList[0].saTransformType)'
refused "type unknown" 400 FWP_E_INVALID_ENUMERATOR /saList/0/saTransformType '.saList[0].saTransformType = "esp"'
refused "auth unknown" 422 FWP_E_INVALID_AUTH_TRANSFORM /saList/0/authTransform '.saList[0].authTransform = "SHA"'
refused "cipher unknown" 422 FWP_E_INVALID_CIPHER_TRANSFORM /saList/0/cipherTransform '.saList[0].cipherTransform = "ROT13"'
refused "auth missing" 400 FWP_E_NULL_POINTER /saList/0/authTransform 'del(.saList[0].authTransform)'
refused "cipher missing" 400 FWP_E_NULL_POINTER /saList/0/cipherTransform 'del(.saList[0].cipherTransform)'
refused "key missing" 400 FWP_E_NULL_POINTER /saList/0/cipherKey 'del(.saList[0].cipherKey)'
refused "key a number" 400 FWP_E_TYPE_MISMATCH /saList/0/cipherKey '.saList[0].cipherKey = 1'
refused "key malformed" 400 FWP_E_INVALID_PARAMETER /saList/0/cipherKey '.saList[0].cipherKey = "hex:0g"'
refused "key of odd digits" 400 FWP_E_INVALID_PARAMETER /saList/0/cipherKey '.saList[0].cipherKey = "hex:123"'
refused "key a byte short" 422 FWP_E_INVALID_CIPHER_TRANSFORM /saList/0/cipherKey ".saList[0].cipherKey = \"hex:${KEY_IN:2}\""
refused "key a byte long" 422 FWP_E_INVALID_CIPHER_TRANSFORM /saList/0/cipherKey ".saList[0].cipherKey = \"hex:${KEY_IN}00\""
refused "key of zeros" 422 FWP_E_INVALID_CIPHER_TRANSFORM /saList/0/cipherKey ".saList[0].cipherKey = \"hex:$(printf '00%.0s' {1..20})\""
refused "another auth key with GCM" 422 FWP_E_INVALID_AUTH_TRANSFORM /saList/0/authKey ".saList[0].authKey = \"hex:$KEY_OUT\""
refused "GCM of two strengths" 422 FWP_E_INVALID_CIPHER_TRANSFORM /saList/0/cipherTransform '.saList[0].authTransform = "GCM_AES_256"'
refused "another SPI" 400 FWP_E_INVALID_PARAMETER /saList/0/spi '.saList[0].spi += 1'
refused "SPI negative" 400 FWP_E_OUT_OF_BOUNDS /saList/0/spi '.saList[0].spi = -1'
refused "unknown member of an SA" 400 FWP_E_INVALID_PARAMETER /saList/0/replayWindow '.saList[0].replayWindow = 64'
refused "unknown member of the bundle" 400 FWP_E_INVALID_PARAMETER /surprise '.surprise = 1'
refused "lifetime negative" 400 FWP_E_OUT_OF_BOUNDS /lifetime/seconds '.lifetime = {"seconds": -1}'
refused "lifetime unknown member" 400 FWP_E_INVALID_PARAMETER /lifetime/hours '.lifetime = {"hours": 1}'
refused "idle timeout too large" 400 FWP_E_OUT_OF_BOUNDS /idleTimeoutSeconds '.idleTimeoutSeconds = 4294967296'
refused "flags unknown" 400 FWP_E_INVALID_FLAGS /flags/0 '.flags = ["fast"]'
refused "clearDfOnTunnel in transport mode" 400 FWP_E_INVALID_FLAGS /flags '.flags = ["clearDfOnTunnel"]'
refused "pfs group unknown" 400 FWP_E_INVALID_ENUMERATOR /pfsGroup '.pfsGroup = "5"'
refused "UDP port 0" 400 FWP_E_OUT_OF_BOUNDS /udpEncapsulation/remotePort '.udpEncapsulation = {"localPort": 4500, "remotePort": 0}'
refused "UDP port missing" 400 FWP_E_NULL_POINTER /udpEncapsulation/localPort '.udpEncapsulation = {"remotePort": 4500}'
refused "AH alone" 422 FWP_E_INVALID_CIPHER_TRANSFORM /saList/0/saTransformType \
    ".saList = [{\"saTransformType\": \"ah\", \"authTransform\": \"HMAC_SHA_1_96\", \"authKey\": \"hex:$AH_KEY\", \"spi\": .saList[0].spi}]"
refused "private address of v6" 400 FWP_E_INVALID_PARAMETER /peerV4PrivateAddress '.peerV4PrivateAddress = "2001:db8::1"'
refused "key module state without its key" 400 FWP_E_NULL_POINTER /keyModuleState/keyModuleKey '.keyModuleState = {"stateBlob": "AAAA"}'
TOKEN='{"type": "machine", "principal": "peer", "mode": "main", "token": 42}'
refused "logonId, which must be 0" 400 FWP_E_INVALID_PARAMETER /ipsecId/logonId '.ipsecId = {"logonId": 1}'
refused "an ipsecId that is none" 400 FWP_E_TYPE_MISMATCH /ipsecId '.ipsecId = "b"'
refused "a target name too long" 400 FWP_E_INVALID_PARAMETER /ipsecId/mmTargetName '.ipsecId = {"mmTargetName": ("b" * 256)}'
refused "a target name with a control" 400 FWP_E_INVALID_PARAMETER /ipsecId/emTargetName '.ipsecId = {"emTargetName": "a\u0007"}'
refused "a token of no type" 400 FWP_E_NULL_POINTER /ipsecId/tokens/0/type ".ipsecId = {\"tokens\": [$TOKEN]} | del(.ipsecId.tokens[0].type)"
refused "a token of another type" 400 FWP_E_INVALID_ENUMERATOR /ipsecId/tokens/1/type ".ipsecId = {\"tokens\": [$TOKEN, $TOKEN]} | .ipsecId.tokens[1].type = \"user\""
refused "nine tokens" 400 FWP_E_OUT_OF_BOUNDS /ipsecId/tokens ".ipsecId = {\"tokens\": [range(9) | $TOKEN]}"
for weak in '"saTransformType": "espCipher", "cipherTransform": "AES_128", "cipherKey"|'"$CIPHER_KEY" \
    '"saTransformType": "ah", "authTransform": "HMAC_MD5_96", "authKey"|'"$CIPHER_KEY"; do
    IFS='|' read -r members key <<<"$weak"
    call POST "/sa-contexts/$ID/inbound" "{\"saList\": [{$members: \"hex:$key\"}]}"
    check "weak: $members" test "$STATUS" = 422
done
call GET "/sa-contexts/$ID"
is "none of these left a trace" "$(member '[.state, .inbound] | tostring')" '["spiSet",null]'

# base64 and hexadecimal are the same key; each transform has its length; what is read has no key.
call POST "/sa-contexts/$ID/inbound" "$(jq -c ".saList[0].cipherKey = \"$(base64_of "$KEY_IN")\" |
    .lifetime = {\"seconds\": 3600, \"kilobytes\": 5, \"packets\": 6} | .idleTimeoutSeconds = 7 | .qmSaId = 8 |
    .flags = [\"ndSecure\", \"nlb\"] | .ipsecId = {\"mmTargetName\": \"host/b\", \"tokens\": [$TOKEN], \"explicitCredentials\": 7}" <<<"$GOOD")"
answered "a key as base64" 201
is "what is read" "$(member '.inbound | [.saList[0].spi, .saList[0].keyLength, .saList[0].cipherTransform, .lifetime, .idleTimeoutSeconds, .qmSaId, .flags] | tostring')" \
    "[$SPI,20,\"GCM_AES_128\",{\"seconds\":3600,\"kilobytes\":5,\"packets\":6},7,8,[\"ndSecure\",\"nlb\"]]"
is "whom it is said to be with" "$(member '.inbound.ipsecId | [.mmTargetName, .emTargetName, .tokens, .explicitCredentials] | tostring')" \
    "$(jq -c "[\"host/b\", null, [$TOKEN], 7]" <<<null)"
check "no member is a key" sh -c "! grep -qE '\"(authKey|cipherKey)\"' '$WORK/body'"
call POST "/sa-contexts/$ID/outbound" "$(jq -c '.saList[0].spi = 255' <<<"$(outbound)")"
answered "the peer's SPI is 256 or more" 400 FWP_E_OUT_OF_BOUNDS /saList/0/spi
call POST "/sa-contexts/$ID/outbound" "$(jq -c ".saList[0].cipherKey = \"hex:$KEY_IN\"" <<<"$(outbound)")"
answered "one GCM key for both directions" 422 FWP_E_INVALID_CIPHER_TRANSFORM /saList/0/cipherKey
call POST "/sa-contexts/$ID/outbound" "$(jq -c '.qmSaId = 9' <<<"$(outbound)")"
answered "another qmSaId than inbound" 400 FWP_E_INVALID_PARAMETER /qmSaId
call POST "/sa-contexts/$ID/outbound" "$(jq -c ".saList += [{saTransformType: \"ah\", authTransform: \"HMAC_SHA_1_96\", authKey: \"hex:$AH_KEY\", spi: 256}]" <<<"$(outbound)")"
answered "more SAs than inbound" 400 FWP_E_INVALID_PARAMETER /saList

in_state spiSet
TWO="{\"saList\": [{\"spi\": $SPI, \"saTransformType\": \"espAuthAndCipher\", \"authTransform\": \"HMAC_SHA_256_128\", \"authKey\": \"hex:$AUTH_KEY\",
                   \"cipherTransform\": \"AES_128\", \"cipherKey\": \"$(base64_of "$CIPHER_KEY")\"},
                  {\"spi\": $SPI, \"saTransformType\": \"ah\", \"authTransform\": \"HMAC_SHA_1_96\", \"authKey\": \"hex:$AH_KEY\"}]}"
call POST "/sa-contexts/$ID/inbound" "$(jq -c '.saList |= reverse' <<<"$TWO")"
answered "AH before ESP" 400 FWP_E_INVALID_PARAMETER /saList/0/saTransformType
call POST "/sa-contexts/$ID/inbound" "$TWO"
answered "ESP and AH" 201
is "each with its lengths" "$(member '[.inbound.saList[] | [.saTransformType, .authKeyLength, .cipherKeyLength]] | tostring')" \
    '[["espAuthAndCipher",32,16],["ah",20,null]]'

# --- In one request -------------------------------------------------------------------------------

new_traffic ".getSpi = true | .inbound = $(inbound 0) | .outbound = $(outbound 6000) | .labels = {\"pair\": \"7\"}"
call POST /sa-contexts "$NEW_TRAFFIC"
answered "create, SPI and keys in one request" 201
is "it answers state and SPI" "$(member '[.state, (.spi >= 256)] | tostring')" '["active",true]'
ONE=$(member .id)
SPI=$(member .spi)
call GET "/sa-contexts/$ONE"
is "and that is how it is" "$(member '[.state, .inbound.saList[0].spi, .outbound.saList[0].spi, .labels.pair] | tostring')" \
    "[\"active\",$SPI,6000,\"7\"]"
new_traffic ".spi = 70000 | .inboundFilterId = $OTHER_IN | .inbound = $(inbound 70000)"
call POST /sa-contexts "$NEW_TRAFFIC"
answered "with a chosen SPI, inbound only" 201
is "it answers that" "$(member '[.state, .spi, .inboundFilterId] | tostring')" "[\"inbound\",70000,$OTHER_IN]"
# nothing NAME STATUS CODE POINTER JQ
nothing() {
    new_traffic ".labels = {\"probe\": \"1\"} | $5"
    call POST /sa-contexts "$NEW_TRAFFIC"
    answered "$1" "$2" "$3" "$4"
}
nothing "an SPI that is taken" 409 FWP_E_ALREADY_EXISTS /spi '.spi = 70000'
nothing "SPI below 256" 400 FWP_E_OUT_OF_BOUNDS /spi '.spi = 255'
nothing "getSpi a number" 400 FWP_E_TYPE_MISMATCH /getSpi '.getSpi = 1'
nothing "inbound without an SPI" 409 $NO /inbound ".inbound = $(inbound 0)"
nothing "outbound without inbound" 409 $NO /outbound ".getSpi = true | .outbound = $(outbound)"
nothing "a bad inbound bundle" 422 FWP_E_INVALID_CIPHER_TRANSFORM /inbound/saList/0/cipherKey \
    ".getSpi = true | .inbound = $(inbound 0) | .inbound.saList[0].cipherKey = \"AAAA\""
nothing "a bad outbound bundle" 400 FWP_E_OUT_OF_BOUNDS /outbound/saList/0/spi \
    ".getSpi = true | .inbound = $(inbound 0) | .outbound = $(outbound 1)"
nothing "a bad inbound filter" 422 FWP_E_INCOMPATIBLE_LAYER /inboundFilterId ".getSpi = true | .inboundFilterId = $OUT4"
call GET '/sa-contexts?label=probe'
is "nothing is left of these" "$(member '.items | length')" 0
new_traffic '.labels = {"probe": "2"}'
call POST /sa-contexts "$NEW_TRAFFIC"
call GET '/sa-contexts?label=probe'
is "which would be found" "$(member '.items | length')" 1
new_traffic '.spi = 70001'
call POST /sa-contexts "$NEW_TRAFFIC"
answered "nor a reserved SPI: the next one is free" 201

# --- Many in one request --------------------------------------------------------------------------

ITEM=$(jq -c '.remoteAddress = "198.51.100.200"' <<<"$TRAFFIC")
batch() { # batch ATOMIC COUNT JQ: COUNT items, changed by JQ ($i is the index)
    jq -cn --argjson item "$ITEM" "{atomic: $1, items: [range($2) as \$i | \$item | $3]}" >"$WORK/batch"
    call POST /sa-contexts/batch "@$WORK/batch"
}
batch true 1000 .
answered "1,000 creates" 200
is "1,000 results" "$(member '[(.items | length), (.items | map(.id) | unique | length)] | tostring')" '[1000,1000]'
is "in order" "$(member '.items | map(.id) | . == sort')" true

KEYED=".spi = 4000000000 + \$i | .inbound = $(inbound 0) | .outbound = $(outbound)"
jq -cn --argjson item "$ITEM" "{items: [range(1000) as \$i | \$item | $KEYED]}" >"$WORK/batch"
call POST /sa-contexts/batch "@$WORK/batch" -H 'Idempotency-Key: many'
answered "1,000 keyed creates that may be repeated" 200
FIRST=$BODY
call POST /sa-contexts/batch "@$WORK/batch" -H 'Idempotency-Key: many'
answered "and are" 200
is "with the first answer" "$(header Idempotent-Replay) $([ "$BODY" = "$FIRST" ] && echo same)" "true same"
batch true 1001 .
answered "1,001 creates" 400 FWP_E_OUT_OF_BOUNDS /items
batch true 0 .
answered "none" 400 FWP_E_ZERO_LENGTH_ARRAY /items
call POST /sa-contexts/batch '{}'
answered "items missing" 400 FWP_E_NULL_POINTER /items
call POST /sa-contexts/batch '{"items": {}}'
answered "items no array" 400 FWP_E_TYPE_MISMATCH /items
call POST /sa-contexts/batch "{\"atomic\": 1, \"items\": [$ITEM]}"
answered "atomic a number" 400 FWP_E_TYPE_MISMATCH /atomic
call POST /sa-contexts/batch "{\"items\": [$ITEM], \"x\": 1}"
answered "unknown member" 400 FWP_E_INVALID_PARAMETER /x
call GET '/statistics'
pending=$(member '.aggregateSaStatistics.pendingSaNegotiations')
batch true 5 'if $i == 3 then .ipsecFilterId = 999999 else . end'
answered "all or none: the failing item is named" 422 FWP_E_FILTER_NOT_FOUND /items/3/ipsecFilterId
batch true 5 'if $i == 2 then .localAddress = 7 else . end'
answered "and one that is malformed" 400 FWP_E_TYPE_MISMATCH /items/2/localAddress
call GET '/statistics'
is "none it is" "$(member '.aggregateSaStatistics.pendingSaNegotiations')" "$pending"
batch false 5 'if $i == 1 then .ipsecFilterId = 999999 elif $i == 3 then .remotePort = 7 | .tunnelPolicyId = 1 else .getSpi = true end'
answered "each by itself" 200
is "results in order" "$(member '.items | map(if .id then "made" else .error.code + " " + (.error.pointer) end) | join("; ")')" \
    "made; FWP_E_FILTER_NOT_FOUND /items/1/ipsecFilterId; made; FWP_E_INVALID_PARAMETER /items/3/tunnelPolicyId; made"
batch false 2 ".spi = 80000 | .inbound = $(inbound 0)"
is "the second of one SPI fails, the first stays" "$(member '.items | map(.spi // .error.code) | join(" ")')" \
    "80000 FWP_E_ALREADY_EXISTS"

# --- Rotation: inbound first, outbound switches, old inbound last ---------------------------------

in_state active
OLD=$ID
call POST "/sa-contexts/$OLD/rotate" "{\"inbound\": $(inbound 0)}"
answered "rotate" 201
NEW=$(member .id)
is "Location" "$(header Location)" "/sa-contexts/$NEW"
is "the successor knows its predecessor" "$(member '[.predecessorId, .state] | tostring')" "[$OLD,\"inbound\"]"
check "with an SPI of its own" test "$(member .spi)" != "$SPI"
call GET "/sa-contexts/$OLD"
is "the predecessor goes on meanwhile" "$(member '[.state, (.outbound != null)] | tostring')" '["active",true]'
call POST "/sa-contexts/$NEW/outbound" "$(outbound 7000)"
answered "outbound switches" 201
call GET "/sa-contexts/$OLD"
is "the predecessor only receives now" "$(member '[.state, (.inbound != null), .outbound] | tostring')" '["expiring",true,null]'
is "and says until when" "$(member '.createdAt < .endsAt')" true
call POST "/sa-contexts/$OLD/rotate" "{\"inbound\": $(inbound 0)}"
answered "rotate what ends" 409 $NO
call POST "/sa-contexts/$NEW/rotate" "{\"inbound\": $(inbound 0), \"outbound\": $(outbound 7001), \"spi\": 90000}"
answered "both directions at once, with a chosen SPI" 201
is "is active at once" "$(member '[.state, .spi, .predecessorId] | tostring')" "[\"active\",90000,$NEW]"
LAST=$(member .id)
for row in "{} 400 FWP_E_NULL_POINTER /inbound" "{\"inbound\":1} 400 FWP_E_TYPE_MISMATCH /inbound" \
    "{\"inbound\":{}} 400 FWP_E_NULL_POINTER /inbound/saList" "{\"inbound\":{\"saList\":[]},\"x\":1} 400 FWP_E_INVALID_PARAMETER /x"; do
    read -r body status code pointer <<<"$row"
    call POST "/sa-contexts/$LAST/rotate" "$body"
    answered "rotate with $body" "$status" "$code" "$pointer"
done
call POST "/sa-contexts/$LAST/rotate" "{\"inbound\": $(inbound 0), \"spi\": 90000}"
answered "rotate to an SPI that is taken" 409 FWP_E_ALREADY_EXISTS /spi
call POST /sa-contexts/999999/rotate "{\"inbound\": $(inbound 0)}"
answered "rotate what is not there" 404 FWP_E_NOT_FOUND

# --- Updates --------------------------------------------------------------------------------------

in_state active
update() { # update NAME STATUS CODE POINTER BODY
    call PATCH "/sa-contexts/$ID" "$5"
    answered "$1" "$2" "$3" "$4"
}
update "update nothing" 400 FWP_E_INVALID_FLAGS - '{}'
update "update an SPI" 400 FWP_E_INVALID_PARAMETER /spi '{"spi": 300}'
update "update a lifetime" 400 FWP_E_INVALID_PARAMETER /inbound/lifetime '{"inbound": {"lifetime": {}}}'
update "update a key" 400 FWP_E_INVALID_PARAMETER /inbound/saList '{"inbound": {"saList": []}}'
update "update to another IP version" 409 FWP_E_TRAFFIC_MISMATCH /outboundTraffic/localAddress \
    '{"outboundTraffic": {"localAddress": "2001:db8::1", "remoteAddress": "2001:db8::2"}}'
update "update one address" 400 FWP_E_NULL_POINTER /outboundTraffic/remoteAddress '{"outboundTraffic": {"localAddress": "192.0.2.1"}}'
update "update a flag that is none" 400 FWP_E_INVALID_FLAGS /outbound/flags/0 '{"outbound": {"flags": ["x"]}}'
call PATCH "/sa-contexts/$ID" '{"inbound": {"udpEncapsulation": {"localPort": 4500, "remotePort": 4501}},
    "outbound": {"udpEncapsulation": {"localPort": 4500, "remotePort": 4501}, "mmSaId": 5, "flags": ["nlb"]}, "labels": {"a": "b"}}'
answered "update ports, flags, ids and labels" 200
is "they are as said" "$(member '[.inbound.udpEncapsulation.remotePort, .outbound.mmSaId, .outbound.flags, .labels.a] | tostring')" \
    '[4501,5,["nlb"],"b"]'

# --- Keys stay nowhere ----------------------------------------------------------------------------

for key in "$KEY_IN" "$KEY_OUT" "$AUTH_KEY" "$CIPHER_KEY" "$AH_KEY"; do
    text=$(xxd -r -p <<<"$key")
    for file in "$LOG" "$WORK/audit.log" "$WORK"/state.db*; do
        check "no key in ${file##*/}" sh -c "! grep -qaF -e '$text' -e '$key' -e '$(base64_of "$key")' '$file'"
    done
done

finish
