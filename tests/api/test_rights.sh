#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_rights.sh: every operation with the rights it needs, with each of them missing, and with all
# others there; deny, inheritance and generic rights, through reloads of the running daemon.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

make_pki
"$ROOT/deploy/pki.sh" "$PKI" client holder --uri spiffe://example.org/holder >/dev/null
start_daemon || exit 1
add_filters
call POST /sa-contexts "{\"localAddress\": \"192.0.2.1\", \"remoteAddress\": \"198.51.100.7\",
    \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT4}"
CONTEXT=$(member .id)
# What the operations work on, in the state they need.
GCM='"saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128", "cipherTransform": "GCM_AES_128"'
bundle() { printf '{"saList": [{%s, "spi": %s, "cipherKey": "hex:%s"}]}' "$GCM" "$1" "$(printf "$2%.0s" {1..20})"; }
PROPOSALS="\"ipsecProposals\": [{\"lifetime\": {\"seconds\": 60}, \"saTransforms\": [{$GCM}]}]"
call POST /sa-contexts "{\"localAddress\": \"192.0.2.1\", \"remoteAddress\": \"198.51.100.9\",
    \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT4, \"spi\": 5000}"
KEYED=$(member .id)
POLICY="{\"displayData\": {\"name\": \"x\"}, \"type\": \"ipsecIkeQmTransportContext\", \"transportPolicy\": {$PROPOSALS}}"
call POST /provider-contexts "$POLICY"
POLICY_ID=$(member .id)
POLICY_KEY=$(member .key)
tunnel() {
    printf '{"tunnelPolicy": {"displayData": {"name": "x"}, "type": "ipsecIkeQmTunnelContext", "tunnelPolicy": {%s,
        "tunnelEndpoints": {"localAddress": "192.0.2.1", "remoteAddress": "203.0.113.%s"}}},
        "conditions": [{"field": "ipRemoteAddress", "match": "equal", "value": "10.%s.0.0/16"}]}' "$PROPOSALS" "$1" "$1"
}
call POST /tunnels "$(tunnel 1)"
TUNNEL_ID=$(member .id)
CLIENT=holder
ALL="FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK FWPM_ACTRL_BEGIN_READ_TXN FWPM_ACTRL_BEGIN_WRITE_TXN
    FWPM_ACTRL_CLASSIFY FWPM_ACTRL_ENUM FWPM_ACTRL_OPEN FWPM_ACTRL_READ FWPM_ACTRL_READ_STATS
    FWPM_ACTRL_SUBSCRIBE FWPM_ACTRL_WRITE DELETE READ_CONTROL WRITE_DAC WRITE_OWNER"

# policy JSON: puts it in force.
policy() {
    local before tries=0
    printf '%s' "$1" >"$WORK/access.json"
    before=$(grep -c '"event":"reloaded"' "$LOG")
    kill -HUP "$DAEMON_PID"
    until [ "$(grep -c '"event":"reloaded"' "$LOG")" -gt "$before" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { fail "reload" "$(tail -n 2 "$LOG")"; exit 1; }
        sleep 0.02
    done
}

# entry TYPE RIGHT…: an entry for the holder.
entry() {
    local type=$1
    shift
    printf '{"type": "%s", "principal": "uri:spiffe://example.org/holder", "rights": [%s]}' "$type" \
        "$(printf '"%s", ' "$@" | sed 's/, $//')"
}

# Reads filters besides: naming one takes that.
FILTERS_READ=$(entry allow FWPM_ACTRL_READ)

# operation NAME CONTAINER METHOD PATH BODY GOOD-STATUS RIGHT…
operation() {
    local name=$1 container=$2 method=$3 path=$4 body=$5 good=$6 right without
    shift 6
    policy "{\"$container\": {\"dacl\": [$(entry allow "$@")]}$(extra "$container")}"
    call "$method" "$path" "$body"
    answered "$name with $*" "$good"
    for right in "$@"; do
        without=$(tr ' ' '\n' <<<"$ALL" | grep -vx "$right" | xargs)
        # shellcheck disable=SC2086
        policy "{\"$container\": {\"dacl\": [$(entry allow $without)]}$(extra "$container")}"
        call "$method" "$path" "$body"
        answered "$name without $right" 403 ERROR_ACCESS_DENIED
        check "$name names $right" grep -q "$right" "$WORK/body"
    done
    # Rights on another container are none.
    local elsewhere=providerContexts
    [ "$container" != providerContexts ] || elsewhere=saDatabase
    # shellcheck disable=SC2086
    policy "{\"$elsewhere\": {\"dacl\": [$(entry allow $ALL)]}}"
    call "$method" "$path" "$body"
    answered "$name with rights elsewhere" 403 ERROR_ACCESS_DENIED
}
extra() {
    [ "$1" = filters ] || printf ', "filters": {"dacl": [%s]}' "$FILTERS_READ"
}

TRAFFIC="{\"localAddress\": \"192.0.2.1\", \"remoteAddress\": \"198.51.100.8\",
    \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT4}"
TRAFFIC6="{\"localAddress\": \"2001:db8::1\", \"remoteAddress\": \"2001:db8:1::8\",
    \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT6}"
FILTER='{"displayData": {"name": "x"}, "layer": "outboundTransportV6", "action": {"type": "permit"}}'

operation "create" saDatabase POST /sa-contexts "$TRAFFIC" 201 FWPM_ACTRL_ADD
operation "create v6" saDatabase POST /sa-contexts "$TRAFFIC6" 201 FWPM_ACTRL_ADD
operation "get" saDatabase GET "/sa-contexts/$CONTEXT" '' 200 FWPM_ACTRL_READ
operation "list" saDatabase GET /sa-contexts '' 200 FWPM_ACTRL_ENUM FWPM_ACTRL_READ
operation "drift" saDatabase GET /drift '' 200 FWPM_ACTRL_READ_STATS
operation "reconcile" engine POST /reconcile '' 200 FWPM_ACTRL_WRITE
operation "delete" saDatabase DELETE "/sa-contexts/$CONTEXT" '' 204 DELETE
operation "add filter" filters POST /filters "$FILTER" 201 FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK
operation "get filter" filters GET "/filters/$IN4" '' 200 FWPM_ACTRL_READ
operation "list filters" filters GET /filters '' 200 FWPM_ACTRL_ENUM FWPM_ACTRL_READ
operation "batch" saDatabase POST /sa-contexts/batch "{\"items\": [$TRAFFIC]}" 200 FWPM_ACTRL_ADD
operation "get SPI" saDatabase POST "/sa-contexts/$KEYED/spi" '{}' 200 FWPM_ACTRL_ADD
operation "set SPI" saDatabase PUT "/sa-contexts/$KEYED/spi" '{"spi": 5000}' 200 FWPM_ACTRL_ADD
operation "add inbound" saDatabase POST "/sa-contexts/$KEYED/inbound" "$(bundle 5000 11)" 201 FWPM_ACTRL_ADD
operation "add outbound" saDatabase POST "/sa-contexts/$KEYED/outbound" "$(bundle 6000 22)" 201 FWPM_ACTRL_ADD
operation "update" saDatabase PATCH "/sa-contexts/$KEYED" '{"labels": {"a": "b"}}' 200 FWPM_ACTRL_ADD
operation "rotate" saDatabase POST "/sa-contexts/$KEYED/rotate" "{\"inbound\": $(bundle 0 33)}" 201 FWPM_ACTRL_ADD
operation "expire" saDatabase POST "/sa-contexts/$KEYED/expire" '' 204 DELETE
operation "statistics" saDatabase GET /statistics '' 200 FWPM_ACTRL_READ_STATS
operation "add provider context" providerContexts POST /provider-contexts "$POLICY" 201 FWPM_ACTRL_ADD
operation "add provider context of a provider" providerContexts POST /provider-contexts \
    "$(jq -c '.providerKey = "10ad9216-ccde-456c-8b16-e9f04e60a90b"' <<<"$POLICY")" 201 FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK
operation "get provider context" providerContexts GET "/provider-contexts/$POLICY_ID" '' 200 FWPM_ACTRL_READ
operation "list provider contexts" providerContexts GET /provider-contexts '' 200 FWPM_ACTRL_ENUM FWPM_ACTRL_READ
operation "provider context by key" providerContexts GET "/provider-contexts?key=$POLICY_KEY" '' 200 FWPM_ACTRL_ENUM FWPM_ACTRL_READ
for list in providers layers sub-layers callouts; do
    operation "list $list" filters GET "/$list" '' 200 FWPM_ACTRL_ENUM FWPM_ACTRL_READ
done
operation "get layer" filters GET /layers/5926dfc8-e3cf-4426-a283-dc393f5d0f9d '' 200 FWPM_ACTRL_READ
for built_in in providers/10ad9216-ccde-456c-8b16-e9f04e60a90b layers/5926dfc8-e3cf-4426-a283-dc393f5d0f9d \
    sub-layers/83f299ed-9ff4-4967-aff4-c309f4dab827 callouts/70a4196c-835b-4fb0-98e8-075f4d977d46; do
    operation "delete $built_in" filters DELETE "/$built_in" '' 403 DELETE
done
operation "open session" engine POST /sessions '{}' 201 FWPM_ACTRL_OPEN
SESSION=$(policy "{\"engine\": {\"dacl\": [$(entry allow FWPM_ACTRL_OPEN)]}}"; call POST /sessions '{}'; member .sessionKey)
operation "list sessions" engine GET /sessions '' 200 FWPM_ACTRL_OPEN
operation "get session" engine GET "/sessions/$SESSION" '' 200 FWPM_ACTRL_OPEN
operation "close session" engine DELETE "/sessions/$SESSION" '' 204 FWPM_ACTRL_OPEN

# A transaction asks for a right by its kind, and so does its commit.
SESSION=$(policy "{\"engine\": {\"dacl\": [$(entry allow FWPM_ACTRL_OPEN)]}}"; call POST /sessions '{}'; member .sessionKey)
for row in 'FWPM_ACTRL_BEGIN_READ_TXN ["readOnly"]' 'FWPM_ACTRL_BEGIN_WRITE_TXN []'; do
    read -r right flags <<<"$row"
    without=$(tr ' ' '\n' <<<"$ALL" | grep -vx "$right" | xargs)
    # shellcheck disable=SC2086
    policy "{\"engine\": {\"dacl\": [$(entry allow $without)]}}"
    call POST "/sessions/$SESSION/transaction" "{\"flags\": $flags}"
    answered "begin without $right" 403 ERROR_ACCESS_DENIED
    check "begin names $right" grep -q "$right" "$WORK/body"
    policy "{\"engine\": {\"dacl\": [$(entry allow "$right")]}}"
    call POST "/sessions/$SESSION/transaction" "{\"flags\": $flags}"
    answered "begin with $right" 201
    # shellcheck disable=SC2086
    policy "{\"engine\": {\"dacl\": [$(entry allow $without)]}}"
    call POST "/sessions/$SESSION/transaction/commit"
    answered "commit without $right" 403 ERROR_ACCESS_DENIED
    policy "{\"engine\": {\"dacl\": [$(entry allow "$right")]}}"
    call POST "/sessions/$SESSION/transaction/commit"
    answered "commit with $right" 204
done

# Tunnels are filters and provider contexts: each right on each of both.
on_both() { # on_both NAME METHOD PATH BODY GOOD-STATUS RIGHT…
    local name=$1 method=$2 path=$3 body=$4 good=$5 container other right without
    shift 5
    for container in filters providerContexts; do
        other=filters
        [ $container != filters ] || other=providerContexts
        for right in "$@"; do
            without=$(tr ' ' '\n' <<<"$ALL" | grep -vx "$right" | xargs)
            # shellcheck disable=SC2086
            policy "{\"$container\": {\"dacl\": [$(entry allow $without)]}, \"$other\": {\"dacl\": [$(entry allow $ALL)]}}"
            call "$method" "$path" "$body"
            answered "$name without $right on $container" 403 ERROR_ACCESS_DENIED
            check "$name names $right on $container" grep -q "$right on $container" "$WORK/body"
        done
    done
    policy "{\"filters\": {\"dacl\": [$(entry allow "$@")]}, \"providerContexts\": {\"dacl\": [$(entry allow "$@")]}}"
    call "$method" "$path" "$body"
    answered "$name with $* on both" "$good"
}
on_both "add tunnel" POST /tunnels "$(tunnel 2)" 201 FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK
on_both "get tunnel" GET "/tunnels/$TUNNEL_ID" '' 200 FWPM_ACTRL_READ
on_both "list tunnels" GET /tunnels '' 200 FWPM_ACTRL_ENUM FWPM_ACTRL_READ
on_both "delete tunnel" DELETE "/tunnels/$TUNNEL_ID" '' 204 DELETE

# A filter that names a provider context links to it.
LINKED=$(jq -c ".layer = \"outboundTransportV4\" | .action = {\"type\": \"calloutTerminating\", \"callout\": \"ipsecOutboundTransportV4\"} |
    .providerContextKey = \"$POLICY_KEY\"" <<<"$FILTER")
policy "{\"filters\": {\"dacl\": [$(entry allow FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK)]}}"
call POST /filters "$LINKED"
check "link to a provider context without ADD_LINK there" test "$STATUS" -ge 400
policy "{\"filters\": {\"dacl\": [$(entry allow FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK)]},
    \"providerContexts\": {\"dacl\": [$(entry allow FWPM_ACTRL_ADD_LINK FWPM_ACTRL_READ)]}}"
call POST /filters "$LINKED"
answered "with it" 201
LINKED_ID=$(member .id)
operation "delete filter" filters DELETE "/filters/$LINKED_ID" '' 204 DELETE
operation "delete provider context" providerContexts DELETE "/provider-contexts/$POLICY_ID" '' 204 DELETE

# A repeat needs the right as the first time did.
policy "{\"saDatabase\": {\"dacl\": [$(entry allow FWPM_ACTRL_ADD)]}, \"filters\": {\"dacl\": [$FILTERS_READ]}}"
call POST /sa-contexts "$TRAFFIC" -H 'Idempotency-Key: r'
answered "first" 201
policy '{}'
call POST /sa-contexts "$TRAFFIC" -H 'Idempotency-Key: r'
answered "a repeat without the right" 403 ERROR_ACCESS_DENIED

# --- How entries add up ---------------------------------------------------------------------------

may_list() { # may_list NAME STATUS POLICY
    policy "$3"
    call GET /sa-contexts
    answered "$1" "$2"
}
LIST=$(entry allow FWPM_ACTRL_ENUM FWPM_ACTRL_READ)
may_list "inherited from the engine" 200 "{\"engine\": {\"dacl\": [$LIST]}}"
may_list "deny before allow, whatever the order" 403 \
    "{\"saDatabase\": {\"dacl\": [$LIST, $(entry deny FWPM_ACTRL_READ)]}}"
may_list "one's own allow before an inherited deny" 200 \
    "{\"engine\": {\"dacl\": [$(entry deny FWPM_ACTRL_READ)]}, \"saDatabase\": {\"dacl\": [$LIST]}}"
may_list "one's own deny before an inherited allow" 403 \
    "{\"engine\": {\"dacl\": [$LIST]}, \"saDatabase\": {\"dacl\": [$(entry deny FWPM_ACTRL_ENUM)]}}"
may_list "two entries, a right each" 200 \
    "{\"saDatabase\": {\"dacl\": [$(entry allow FWPM_ACTRL_ENUM), $(entry allow FWPM_ACTRL_READ)]}}"
may_list "generic read holds no ENUM" 403 "{\"saDatabase\": {\"dacl\": [$(entry allow FWPM_GENERIC_READ)]}}"
may_list "generic read and execute do" 200 \
    "{\"saDatabase\": {\"dacl\": [$(entry allow FWPM_GENERIC_READ FWPM_GENERIC_EXECUTE)]}}"
may_list "GENERIC_ALL" 200 "{\"saDatabase\": {\"dacl\": [$(entry allow GENERIC_ALL)]}}"
may_list "everyone" 200 '{"saDatabase": {"dacl": [{"type": "allow", "principal": "everyone",
    "rights": ["FWPM_ACTRL_ENUM", "FWPM_ACTRL_READ"]}]}}'
may_list "nobody" 403 '{"saDatabase": {"dacl": []}}'
may_list "nothing said" 403 '{}'
for principal in "cn:holder" "dn:CN=holder" \
    "sha256:$(openssl x509 -in "$PKI/holder.pem" -outform DER | sha256sum | cut -d' ' -f1)" \
    "uri:spiffe://example.org/*"; do
    may_list "by $principal" 200 "$(jq -nc --arg p "$principal" '{saDatabase: {dacl: [{type: "allow",
        principal: $p, rights: ["FWPM_ACTRL_ENUM", "FWPM_ACTRL_READ"]}]}}')"
done
for principal in "cn:Holder" "cn:hold" "dn:CN=other" "uri:spiffe://example.org/holder/*" \
    "uri:spiffe://example.org/hold" "dns:holder" "email:holder@example.org"; do
    may_list "not by $principal" 403 "$(jq -nc --arg p "$principal" '{saDatabase: {dacl: [{type: "allow",
        principal: $p, rights: ["FWPM_ACTRL_ENUM", "FWPM_ACTRL_READ"]}]}}')"
done

finish
