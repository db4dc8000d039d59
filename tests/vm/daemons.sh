# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# daemons.sh: a daemon on each host of lib.sh, driven through HTTPS with curl.
#
# Each listens on its own host's loopback, or on $listen, and has the kernel as its data plane.
# $store says where they keep their state ("memory:" unless set before start_daemon), $as, an array,
# what they are started by.

work=/tmp/daemons
declare -A daemon_pids=()
as=()
BODY=
STATUS=

# Also forgets what the tests before have stored.
make_pki() {
    mkdir -p "$work"
    rm -rf "$work/store"
    [ -d "$work/pki" ] || /src/deploy/pki.sh "$work/pki" >/dev/null
    cat >"$work/access.json" <<'JSON'
{"engine": {"dacl": [{"type": "allow", "principal": "uri:spiffe://example.org/orchestrator/*", "rights": [
    "FWPM_ACTRL_ADD", "FWPM_ACTRL_ADD_LINK", "FWPM_ACTRL_BEGIN_READ_TXN", "FWPM_ACTRL_BEGIN_WRITE_TXN",
    "FWPM_ACTRL_ENUM", "FWPM_ACTRL_OPEN", "FWPM_ACTRL_READ", "FWPM_ACTRL_READ_STATS",
    "FWPM_ACTRL_SUBSCRIBE", "FWPM_ACTRL_WRITE", "DELETE"]}]},
 "saDatabase": {"dacl": []}, "filters": {"dacl": []}, "providerContexts": {"dacl": []}}
JSON
}

# start_daemon HOST [OPTION]…; the host "outside" is the namespace that the machine began in.
start_daemon() {
    local host=$1
    local -a enter=(ip netns exec "$host")
    shift
    [ "$host" != outside ] || enter=()
    : >>"$work/$host.log"
    "${enter[@]}" "${as[@]}" sa-contextd --listen "${listen:-127.0.0.1:8443}" --ops-listen 127.0.0.1:9180 \
        --tls-cert "$work/pki/server.pem" --tls-key "$work/pki/server.key" \
        --client-ca "$work/pki/ca.pem" --access "$work/access.json" \
        --store "${store:-memory:}" --audit-log off --plane xfrm "$@" 2>>"$work/$host.log" &
    daemon_pids[$host]=$!
    local tries=300
    until daemon_is_ready "$host"; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ] || ! kill -0 "${daemon_pids[$host]}" 2>/dev/null; then
            cat "$work/$host.log"
            fail "the daemon of $host does not start"
        fi
        sleep 0.1
    done
}

daemon_is_ready() { "$1" curl -sf -o /dev/null http://127.0.0.1:9180/readyz; }

# stop_daemon HOST [SIGNAL]
stop_daemon() {
    kill "-${2:-TERM}" "${daemon_pids[$1]}" 2>/dev/null || true
    wait "${daemon_pids[$1]}" 2>/dev/null || true
    unset "daemon_pids[$1]"
}

stop_daemons() {
    local host
    for host in "${!followers[@]}"; do kill "${followers[$host]}" 2>/dev/null || true; done
    for host in "${!daemon_pids[@]}"; do stop_daemon "$host"; done
}

# api HOST METHOD PATH [BODY]: STATUS and BODY of the answer.
api() {
    local host=$1 method=$2 path=$3
    local -a body=()
    [ -z "${in_session-}" ] || body=(-H "Engine-Session: $in_session")
    [ -z "${4-}" ] || body+=(-H 'Content-Type: application/json' --data-binary "$4")
    STATUS=$("$host" curl -s --max-time 20 --cacert "$work/pki/ca.pem" \
        --cert "$work/pki/orchestrator.pem" --key "$work/pki/orchestrator.key" -X "$method" \
        "${body[@]}" -o "$work/body" -w '%{http_code}' "https://127.0.0.1:8443$path") || STATUS=000
    BODY=$(cat "$work/body")
}

# must HOST METHOD PATH STATUS [BODY]
must() {
    api "$1" "$2" "$3" "${5-}"
    [ "$STATUS" = "$4" ] || {
        cat "$work/$1.log"
        fail "$2 $3 on $1: $STATUS $BODY"
    }
}

# must_in SESSION HOST METHOD PATH STATUS [BODY]
must_in() {
    local in_session=$1
    shift
    must "$@"
}

# follow HOST: the host's events, a line each, in $work/HOST.events from now on.
declare -A followers=()
follow() {
    local host=$1
    : >"$work/$host.events"
    "$host" curl -sN --cacert "$work/pki/ca.pem" --cert "$work/pki/orchestrator.pem" \
        --key "$work/pki/orchestrator.key" -H 'Accept: application/x-ndjson' \
        https://127.0.0.1:8443/sa-contexts/events >"$work/$host.events" &
    followers[$host]=$!
    wait_for "the stream of events" sh -c "ip netns exec $host curl -s http://127.0.0.1:9180/metrics |
        grep -q '^sa_contextd_watchers [1-9]'"
}

# told HOST ID REASON: an event says so.
told() {
    jq -e --argjson id "$2" --arg reason "$3" 'select(.id == $id and .reason == $reason)' \
        "$work/$1.events" >/dev/null
}

# What the last answer has there: member .id
member() { jq -r "$1" <<<"$BODY"; }

# refused HOST METHOD PATH CODE [BODY]
refused() {
    api "$1" "$2" "$3" "${5-}"
    [ "$(member .code)" = "$4" ] || fail "$2 $3 on $1: not refused with $4 but $STATUS $BODY"
}

# add_filter HOST LAYER ACTION CONDITIONS [MORE-MEMBERS]: the id is in filter_id; ACTION is block,
# permit or the name of a callout.
add_filter() {
    must "$1" POST /filters 201 "$(filter_body "$2" "$3" "$4" "${5-}")"
    # shellcheck disable=SC2034
    filter_id=$(member .id)
}

filter_body() {
    local action="{\"type\":\"$2\"}"
    case $2 in block | permit) ;; *) action="{\"type\":\"calloutTerminating\",\"callout\":\"$2\"}" ;; esac
    printf '{"displayData":{"name":"%s %s"},"layer":"%s","conditions":[%s],"action":%s%s}' \
        "$1" "$2" "$1" "$3" "$action" "${4:+,$4}"
}

# condition FIELD VALUE, a number or an address
condition() {
    case $2 in *[.:]*) printf '{"field":"%s","match":"equal","value":"%s"}' "$1" "$2" ;; *) printf '{"field":"%s","match":"equal","value":%s}' "$1" "$2" ;; esac
}

# filter_pair HOST v4|v6 LOCAL REMOTE: adds filters for what is between the two, in both directions;
# their ids are in out_filter and in_filter.
filter_pair() {
    local host=$1 version=${2^^} local=$3 remote=$4 direction
    local conditions="[{\"field\":\"ipLocalAddress\",\"match\":\"equal\",\"value\":\"$local\"},
        {\"field\":\"ipRemoteAddress\",\"match\":\"equal\",\"value\":\"$remote\"}]"

    for direction in outbound inbound; do
        must "$host" POST /filters 201 "{\"displayData\":{\"name\":\"$direction $remote\"},
            \"layer\":\"${direction}Transport$version\",\"conditions\":$conditions,
            \"action\":{\"type\":\"calloutTerminating\",
                \"callout\":\"ipsec${direction^}Transport$version\"}}"
        # For whoever called.
        # shellcheck disable=SC2034
        if [ "$direction" = outbound ]; then out_filter=$(member .id); else in_filter=$(member .id); fi
    done
}

# A key of so many bytes, the same for the same name.
key() {
    printf '%s' "$1" | openssl dgst -sha512 -binary | head -c "$2" | openssl base64 -A
}

# sa KIND SPI NAME: one member of an "saList", its keys made from NAME.
sa() {
    local kind=$1 spi=$2 name=$3
    case $kind in
    gcm128)
        printf '{"spi":%d,"saTransformType":"espAuthAndCipher","authTransform":"GCM_AES_128","cipherTransform":"GCM_AES_128","cipherKey":"%s"}' \
            "$spi" "$(key "$name" 20)"
        ;;
    gcm256)
        printf '{"spi":%d,"saTransformType":"espAuthAndCipher","authTransform":"GCM_AES_256","cipherTransform":"GCM_AES_256","cipherKey":"%s"}' \
            "$spi" "$(key "$name" 36)"
        ;;
    cbc)
        printf '{"spi":%d,"saTransformType":"espAuthAndCipher","authTransform":"HMAC_SHA_256_128","authKey":"%s","cipherTransform":"AES_128","cipherKey":"%s"}' \
            "$spi" "$(key "$name auth" 32)" "$(key "$name" 16)"
        ;;
    ah)
        printf '{"spi":%d,"saTransformType":"ah","authTransform":"HMAC_SHA_256_128","authKey":"%s"}' \
            "$spi" "$(key "$name ah" 32)"
        ;;
    *) fail "unknown kind $kind" ;;
    esac
}

# keyed_context HOST v4|v6 LOCAL REMOTE SPI-IN SPI-OUT KIND [MORE-OF-BUNDLES]: a context with both
# bundles; the id is in context_id.  KIND names one SA or two with a plus: gcm128+ah.  With $wrong set
# the inbound keys are not those that the peer sends with.
keyed_context() {
    local host=$1 version=$2 local=$3 remote=$4 spi_in=$5 spi_out=$6 kind=$7 more=${8-}
    local inbound outbound one

    inbound='' outbound=''
    for one in ${kind//+/ }; do
        inbound+=${inbound:+,}$(sa "$one" "$spi_in" "to $local $spi_in${wrong-}")
        outbound+=${outbound:+,}$(sa "$one" "$spi_out" "to $remote $spi_out")
    done
    must "$host" POST /sa-contexts 201 "{\"ipVersion\":\"$version\",
        \"localAddress\":\"$local\",\"remoteAddress\":\"$remote\",\"trafficType\":\"transport\",
        \"ipsecFilterId\":$out_filter,\"spi\":$spi_in,
        \"inbound\":{\"saList\":[$inbound]$more},\"outbound\":{\"saList\":[$outbound]$more}}"
    # shellcheck disable=SC2034
    context_id=$(member .id)
}

# wipe HOST: all contexts and filters go.
wipe() {
    local host=$1 id
    must "$host" GET '/sa-contexts?limit=1000' 200
    for id in $(member '.items[].id'); do must "$host" DELETE "/sa-contexts/$id" 204; done
    must "$host" GET '/filters?limit=1000' 200
    for id in $(member '.items[].id'); do must "$host" DELETE "/filters/$id" 204; done
}

# policies_of HOST: the kernel's policies but for those that the service makes for itself, as
# ip(8) shows them.
policies_of() {
    "$1" ip xfrm policy list | awk '
        function flush() { if (text != "" && !own) printf "%s", text; text = ""; own = 0 }
        /^src / { flush() }
        /priority 1 / || /socket (in|out)/ { own = 1 }
        { text = text $0 "\n" }
        END { flush() }'
}
