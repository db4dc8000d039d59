# shellcheck shell=bash disable=SC2034 # answers are for whoever called
# SPDX-License-Identifier: Apache-2.0
#
# daemons.sh: a daemon on each host of lib.sh, driven through HTTPS with curl.
#
# Each listens on its own host's loopback, or on $listen, and has the kernel as its data plane.
# $store says where they keep their state ("memory:" unless set before start_daemon), $as, an array,
# what they are started by.  Every request is curl's; what can be sent in one go is, since its start
# and the handshake are what takes the time.

work=/tmp/daemons
declare -A daemon_pids=()
as=()
BODY=
STATUS=
BODIES=()

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
# User-mode Linux takes 10 s to give back the room for ten million replay records; in a machine that
# has a tenth of a processor a handshake takes as long.
start_daemon() {
    local host=$1
    local -a enter=(nsenter "--net=/run/netns/$host")
    shift
    [ "$host" != outside ] || enter=()
    : >>"$work/$host.log"
    "${enter[@]}" "${as[@]}" sa-contextd --listen "${listen:-127.0.0.1:8443}" --ops-listen 127.0.0.1:9180 \
        --tls-cert "$work/pki/server.pem" --tls-key "$work/pki/server.key" \
        --client-ca "$work/pki/ca.pem" --access "$work/access.json" \
        --store "${store:-memory:}" --audit-log off --max-replay-records 1000 \
        --header-timeout-seconds 60 --body-timeout-seconds 60 --plane xfrm "$@" 2>>"$work/$host.log" &
    daemon_pids[$host]=$!
    local tries=900
    until daemon_is_ready "$host"; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ] || ! kill -0 "${daemon_pids[$host]}" 2>/dev/null; then
            cat "$work/$host.log"
            fail "the daemon of $host does not start"
        fi
        pause 0.1
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

# request METHOD PATH [BODY]: what curl takes for it is appended to 'arguments'; its answer goes to
# the file $work/body.NUMBER, 'requests' being the last number.  In the session $in_session, if set.
request() {
    [ ${#arguments[@]} -eq 0 ] || arguments+=(--next)
    requests=$((requests + 1))
    : >"$work/body.$requests"
    arguments+=(-s --max-time 60 --cacert "$work/pki/ca.pem" --cert "$work/pki/orchestrator.pem"
        --key "$work/pki/orchestrator.key" -X "$1" -o "$work/body.$requests"
        -w '%{http_code}\n' "https://127.0.0.1:8443$2")
    [ -z "${in_session-}" ] || arguments+=(-H "Engine-Session: $in_session")
    [ -z "${3-}" ] || arguments+=(-H 'Content-Type: application/json' --data-binary "$3")
}

# send HOST: what request() has gathered, over one connection; STATUSES and BODIES.
send() {
    local number

    "$1" curl "${arguments[@]}" >"$work/statuses" || true
    mapfile -t STATUSES <"$work/statuses"
    BODIES=()
    for ((number = 1; number <= requests; number++)); do
        IFS= read -rd '' "BODIES[number - 1]" <"$work/body.$number" || true
    done
}

# api HOST METHOD PATH [BODY]: STATUS and BODY of the answer.
api() {
    local host=$1 requests=0
    local -a arguments=()
    shift
    request "$@"
    send "$host"
    STATUS=${STATUSES[0]-000} BODY=${BODIES[0]}
}

# must_all HOST METHOD STATUS PATH BODY [PATH BODY]…: the answers are in BODIES.
must_all() {
    local host=$1 method=$2 status=$3 requests=0 number
    local -a arguments=()
    shift 3
    while [ $# -gt 0 ]; do
        request "$method" "$1" "$2"
        shift 2
    done
    [ "$requests" -gt 0 ] || return 0
    send "$host"
    for ((number = 0; number < requests; number++)); do
        [ "${STATUSES[number]-}" = "$status" ] || {
            cat "$work/$host.log"
            fail "$method on $host: ${STATUSES[*]} ${BODIES[*]}"
        }
    done
}

# delete_all HOST PATH…
delete_all() {
    local host=$1 path
    local -a paths=()
    shift
    for path in "$@"; do paths+=("$path" ''); done
    must_all "$host" DELETE 204 "${paths[@]}"
}

# must HOST METHOD PATH STATUS [BODY]
must() {
    api "$1" "$2" "$3" "${5-}"
    [ "$STATUS" = "$4" ] || {
        cat "$work/$1.log"
        fail "$2 $3 on $1: $STATUS $BODY"
    }
}

# compare HOST: what the kernel has against what it should have, as of now.
compare() { must "$1" POST '/reconcile?dryRun=true' 200; }

# follow HOST: the host's events, a line each, in $work/HOST.events from now on.
declare -A followers=()
follow() {
    local host=$1
    : >"$work/$host.events"
    nsenter "--net=/run/netns/$host" curl -sN --cacert "$work/pki/ca.pem" --cert "$work/pki/orchestrator.pem" \
        --key "$work/pki/orchestrator.key" -H 'Accept: application/x-ndjson' \
        https://127.0.0.1:8443/sa-contexts/events >"$work/$host.events" &
    followers[$host]=$!
    wait_for "the stream of events" is_watched "$host"
}
is_watched() { "$1" curl -s http://127.0.0.1:9180/metrics | grep -q '^sa_contextd_watchers [1-9]'; }

# told HOST ID REASON: an event says so.
told() {
    jq -en --argjson id "$2" --arg reason "$3" 'any(inputs; .id == $id and .reason == $reason)' \
        "$work/$1.events" >/dev/null
}

# What the last answer has there: member .id
member() { jq -r "$1" <<<"$BODY"; }

# take_id [BODY]: the id that an answer begins with is in 'id'.
take_id() {
    [[ ${1-$BODY} =~ ^\{\"id\":([0-9]+)[,}] ]] || fail "no id in ${1-$BODY}"
    id=${BASH_REMATCH[1]}
}

# state_is HOST ID STATE: of a context; "gone" when there is none.
state_is() {
    api "$1" GET "/sa-contexts/$2"
    if [ "$3" = gone ]; then [ "$STATUS" = 404 ]; else [[ $BODY == *"\"state\":\"$3\""* ]]; fi
}

# refused HOST METHOD PATH CODE [BODY]
refused() {
    api "$1" "$2" "$3" "${5-}"
    [[ $BODY == *"\"code\":\"$4\""* ]] || fail "$2 $3 on $1: not refused with $4 but $STATUS $BODY"
}

# add_filter HOST LAYER ACTION CONDITIONS [MORE-MEMBERS]: the id is in filter_id; ACTION is block,
# permit or the name of a callout.
add_filter() {
    filter_body "$2" "$3" "$4" "${5-}"
    must "$1" POST /filters 201 "$filter"
    take_id
    filter_id=$id
}

# filter_body LAYER ACTION CONDITIONS [MORE-MEMBERS]: in 'filter'
filter_body() {
    local action="{\"type\":\"$2\"}"
    case $2 in block | permit) ;; *) action="{\"type\":\"calloutTerminating\",\"callout\":\"$2\"}" ;; esac
    filter="{\"displayData\":{\"name\":\"$1 $2\"},\"layer\":\"$1\",\"conditions\":[$3],"
    filter+="\"action\":$action${4:+,$4}}"
}

# conditions FIELD VALUE [FIELD VALUE]…, numbers or addresses: in 'conditions'
conditions() {
    local value
    conditions=
    while [ $# -gt 0 ]; do
        case $2 in *[.:]*) value="\"$2\"" ;; *) value=$2 ;; esac
        conditions+="${conditions:+,}{\"field\":\"$1\",\"match\":\"equal\",\"value\":$value}"
        shift 2
    done
}

# filter_pair HOST v4|v6 LOCAL REMOTE: adds filters for what is between the two, in both directions;
# their ids are in out_filter and in_filter.
filter_pair() {
    local version=${2^^} out

    conditions ipLocalAddress "$3" ipRemoteAddress "$4"
    filter_body "outboundTransport$version" "ipsecOutboundTransport$version" "$conditions"
    out=$filter
    filter_body "inboundTransport$version" "ipsecInboundTransport$version" "$conditions"
    must_all "$1" POST 201 /filters "$out" /filters "$filter"
    take_id "${BODIES[0]}"
    out_filter=$id
    take_id "${BODIES[1]}"
    in_filter=$id
}

# key NAME BYTES: in 'key', as base64, the same for the same name.
key() {
    local LC_ALL=C digits=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/
    local number=7 letter i

    key=
    for ((i = 0; i < ${#1}; i++)); do
        printf -v letter %d "'${1:i:1}"
        number=$((((number ^ letter) * 0x01000193) & 0x7fffffff))
    done
    # The last digit stands for fewer bits than others: A fits any.
    for ((i = 0; i < ($2 * 8 + 5) / 6 - ($2 % 3 != 0); i++)); do
        number=$(((number * 1103515245 + 12345) & 0x7fffffff))
        key+=${digits:number >> 16 & 63:1}
    done
    case $(($2 % 3)) in 1) key+=A== ;; 2) key+=A= ;; esac
}

# add_sa KIND SPI NAME: appends a member of an "saList" to 'sas', its keys made from NAME.
add_sa() {
    local first

    sas+=${sas:+,}
    case $1 in
    gcm128 | gcm256)
        key "$3" $((${1#gcm} / 8 + 4))
        sas+="{\"spi\":$2,\"saTransformType\":\"espAuthAndCipher\",\"authTransform\":\"GCM_AES_${1#gcm}\","
        sas+="\"cipherTransform\":\"GCM_AES_${1#gcm}\",\"cipherKey\":\"$key\"}"
        ;;
    cbc)
        key "$3 auth" 32
        first=$key
        key "$3" 16
        sas+="{\"spi\":$2,\"saTransformType\":\"espAuthAndCipher\",\"authTransform\":\"HMAC_SHA_256_128\","
        sas+="\"authKey\":\"$first\",\"cipherTransform\":\"AES_128\",\"cipherKey\":\"$key\"}"
        ;;
    ah)
        key "$3 ah" 32
        sas+="{\"spi\":$2,\"saTransformType\":\"ah\",\"authTransform\":\"HMAC_SHA_256_128\",\"authKey\":\"$key\"}"
        ;;
    *) fail "unknown kind $1" ;;
    esac
}

# bundle KIND SPI NAME [MORE]: in 'bundle'.  KIND names one SA or two with a plus: gcm128+ah.
bundle() {
    local sas='' one

    for one in ${1//+/ }; do add_sa "$one" "$2" "$3"; done
    bundle="{\"saList\":[$sas]${4-}}"
}

# keyed_context HOST v4|v6 LOCAL REMOTE SPI-IN SPI-OUT KIND [MORE-OF-BUNDLES]: a context with both
# bundles; the id is in context_id.  With $wrong set the inbound keys are not those that the peer
# sends with.
keyed_context() {
    local inbound

    bundle "$7" "$5" "to $3 $5${wrong-}" "${8-}"
    inbound=$bundle
    bundle "$7" "$6" "to $4 $6" "${8-}"
    must "$1" POST /sa-contexts 201 "{\"ipVersion\":\"$2\",
        \"localAddress\":\"$3\",\"remoteAddress\":\"$4\",\"trafficType\":\"transport\",
        \"ipsecFilterId\":$out_filter,\"spi\":$5,\"inbound\":$inbound,\"outbound\":$bundle}"
    take_id
    context_id=$id
}

# tunnel HOST LOCAL REMOTE LOCAL-NETWORK REMOTE-NETWORK: its id is in tunnel_id
tunnel() {
    must "$1" POST /tunnels 201 "{\"tunnelPolicy\":{\"displayData\":{\"name\":\"to $3\"},
        \"type\":\"ipsecIkeQmTunnelContext\",\"tunnelPolicy\":{
            \"tunnelEndpoints\":{\"localAddress\":\"$2\",\"remoteAddress\":\"$3\"},
            \"ipsecProposals\":[{\"lifetime\":{\"seconds\":3600},\"saTransforms\":[{
                \"saTransformType\":\"espAuthAndCipher\",\"authTransform\":\"GCM_AES_128\",
                \"cipherTransform\":\"GCM_AES_128\"}]}]}},
        \"conditions\":[{\"field\":\"ipLocalAddress\",\"match\":\"equal\",\"value\":\"$4\"},
            {\"field\":\"ipRemoteAddress\",\"match\":\"equal\",\"value\":\"$5\"}]}"
    take_id
    tunnel_id=$id
}

# sas HOST LOCAL REMOTE SPI-IN SPI-OUT: a context of the tunnel tunnel_id; its id is in context_id
sas() {
    local inbound
    bundle gcm128 "$4" "to $2 $4"
    inbound=$bundle
    bundle gcm128 "$5" "to $3 $5"
    must "$1" POST /sa-contexts 201 "{\"ipVersion\":\"v4\",\"localAddress\":\"$2\",
        \"remoteAddress\":\"$3\",\"trafficType\":\"tunnel\",\"tunnelPolicyId\":$tunnel_id,\"spi\":$4,
        \"inbound\":$inbound,\"outbound\":$bundle}"
    take_id
    context_id=$id
}

# rotate_both: left_id and right_id get new SAs, the receivers' first, with SPIs that are 2 more than
# spi_left and spi_right; all four say so afterwards.
rotate_both() {
    local to_left to_right new_left

    spi_left=$((spi_left + 2)) spi_right=$((spi_right + 2))
    bundle gcm128 $spi_left "left $spi_left"
    to_left=$bundle
    bundle gcm128 $spi_right "right $spi_right"
    to_right=$bundle
    must left POST "/sa-contexts/$left_id/rotate" 201 "{\"spi\":$spi_left,\"inbound\":$to_left}"
    take_id
    new_left=$id
    must right POST "/sa-contexts/$right_id/rotate" 201 "{\"spi\":$spi_right,\"inbound\":$to_right}"
    take_id
    must left POST "/sa-contexts/$new_left/outbound" 201 "$to_right"
    must right POST "/sa-contexts/$id/outbound" 201 "$to_left"
    left_id=$new_left right_id=$id
}

# wipe HOST: all contexts and filters go.
wipe() {
    local kind
    local -a ids
    for kind in sa-contexts filters; do
        must "$1" GET "/$kind?limit=1000" 200
        mapfile -t ids < <(member '.items[].id')
        delete_all "$1" "${ids[@]/#//$kind/}"
    done
}

# policies_of HOST: the kernel's policies but for those that the service makes for itself, as
# ip(8) shows them.
policies_of() {
    ip -n "$1" xfrm policy list | awk '
        function flush() { if (text != "" && !own) printf "%s", text; text = ""; own = 0 }
        /^src / { flush() }
        /priority 1 / || /socket (in|out)/ { own = 1 }
        { text = text $0 "\n" }
        END { flush() }'
}
