#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_walk.sh: keying a pair of hosts by hand, first in transport mode, then in tunnel mode between
# two networks: two daemons, one a host, and an orchestrator that talks to both with curl.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

A=192.0.2.1
B=198.51.100.7

start_daemon || exit 1
A_URL=$URL A_PID=$DAEMON_PID
LOG=$WORK/daemon-b.log
start_daemon || { kill -9 "$A_PID"; exit 1; }
B_URL=$URL B_PID=$DAEMON_PID

# on_a METHOD PATH [BODY] [CURL OPTION…], on_b: the same call as a person would type, to one host.
on_a() { URL=$A_URL; call "$@"; }
on_b() { URL=$B_URL; call "$@"; }

# random_key BYTES: as base64.
random_key() { head -c "$1" /dev/urandom | base64 -w0; }

# --- Transport mode -------------------------------------------------------------------------------

# policy CALL LOCAL REMOTE: one host's filters, all at once: ICMP passes in clear, so that path MTU
# and error messages work; all else between the two hosts must be secured.  Sets OUT_FILTER and
# IN_FILTER.
policy() {
    local on=$1 local_address=$2 remote_address=$3 key direction

    $on POST /sessions '{"displayData": {"name": "set-up"}}'
    key=$(member .sessionKey)
    $on POST "/sessions/$key/transaction" '{}'
    for direction in outbound inbound; do
        $on POST /filters '{"displayData": {"name": "icmp"}, "layer": "'$direction'TransportV4",
            "conditions": [{"field": "ipProtocol", "match": "equal", "value": 1}],
            "weight": {"range": 12}, "action": {"type": "permit"}}' -H "Engine-Session: $key"
        answered "$on: ICMP is exempt, $direction" 201
    done
    $on POST /filters '{"displayData": {"name": "out"}, "layer": "outboundTransportV4",
        "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": "'"$local_address"'"},
                       {"field": "ipRemoteAddress", "match": "equal", "value": "'"$remote_address"'"}],
        "action": {"type": "calloutTerminating", "callout": "ipsecOutboundTransportV4"}}' \
        -H "Engine-Session: $key"
    answered "$on: the outbound filter" 201
    OUT_FILTER=$(member .id)
    $on POST /filters '{"displayData": {"name": "in"}, "layer": "inboundTransportV4",
        "conditions": [{"field": "ipLocalAddressType", "match": "equal", "value": "unicast"},
                       {"field": "ipLocalAddress", "match": "equal", "value": "'"$local_address"'"},
                       {"field": "ipRemoteAddress", "match": "equal", "value": "'"$remote_address"'"}],
        "action": {"type": "calloutTerminating", "callout": "ipsecInboundTransportV4"}}' \
        -H "Engine-Session: $key"
    answered "$on: the inbound filter" 201
    IN_FILTER=$(member .id)
    $on POST "/sessions/$key/transaction/commit"
    answered "$on: all of it takes effect" 204
    $on DELETE "/sessions/$key"
}
policy on_a $A $B
A_OUT=$OUT_FILTER A_IN=$IN_FILTER
policy on_b $B $A
B_OUT=$OUT_FILTER B_IN=$IN_FILTER

# A context on each host, for the traffic as that host sees it.
on_a POST /sa-contexts '{"localAddress": "'$A'", "remoteAddress": "'$B'", "trafficType": "transport",
    "ipsecFilterId": '"$A_OUT"'}'
answered "a context on A" 201
A_CONTEXT=$(member .id)
is "A knows the inbound filter of the flow" "$(member .inboundFilterId)" "$A_IN"
on_b POST /sa-contexts '{"localAddress": "'$B'", "remoteAddress": "'$A'", "trafficType": "transport",
    "ipsecFilterId": '"$B_OUT"'}'
answered "a context on B" 201
B_CONTEXT=$(member .id)

# Each chooses the SPI of what it will receive.
on_a POST "/sa-contexts/$A_CONTEXT/spi" '{"localAddress": "'$A'", "remoteAddress": "'$B'",
    "ipsecFilterId": '"$A_IN"'}'
answered "A's inbound SPI" 200
A_SPI=$(member .spi)
on_b POST "/sa-contexts/$B_CONTEXT/spi" '{"localAddress": "'$B'", "remoteAddress": "'$A'",
    "ipsecFilterId": '"$B_IN"'}'
answered "B's inbound SPI" 200
B_SPI=$(member .spi)

# A key for each direction; who receives goes first.
bundle() { # bundle SPI KEY
    echo '{"lifetime": {"seconds": 3600}, "qmSaId": 1,
        "saList": [{"spi": '"$1"', "saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_128",
                    "cipherTransform": "GCM_AES_128", "cipherKey": "'"$2"'"}]}'
}
TO_A=$(random_key 20)
TO_B=$(random_key 20)
on_a POST "/sa-contexts/$A_CONTEXT/inbound" "$(bundle "$A_SPI" "$TO_A")"
answered "A can receive" 201
on_b POST "/sa-contexts/$B_CONTEXT/inbound" "$(bundle "$B_SPI" "$TO_B")"
answered "B can receive" 201
on_a POST "/sa-contexts/$A_CONTEXT/outbound" "$(bundle "$B_SPI" "$TO_B")"
answered "A sends" 201
on_b POST "/sa-contexts/$B_CONTEXT/outbound" "$(bundle "$A_SPI" "$TO_A")"
answered "B sends" 201

# What A sends is what B receives, and the reverse; keys are not shown.
sas() { member '[.state, .inbound.saList[0].spi, .outbound.saList[0].spi, .inbound.saList[0].keyLength] | tostring'; }
on_a GET "/sa-contexts/$A_CONTEXT"
is "A" "$(sas)" "[\"active\",$A_SPI,$B_SPI,20]"
on_b GET "/sa-contexts/$B_CONTEXT"
is "B" "$(sas)" "[\"active\",$B_SPI,$A_SPI,20]"
on_a GET /statistics
is "A counts them" "$(member .aggregateSaStatistics.activeSas)" 1

# A new key an hour later: B receives, A sends with it, the old SA of A ends.
on_b POST "/sa-contexts/$B_CONTEXT/rotate" '{"inbound": '"$(bundle 0 "$(random_key 20)")"'}'
answered "B's successor can receive" 201
is "it knows whom it succeeds" "$(member .predecessorId)" "$B_CONTEXT"
on_b DELETE "/sa-contexts/$(member .id)"

# Down again: contexts, then filters, the outbound ones first.
on_a DELETE "/filters/$A_OUT"
answered "a filter in use stays" 409 FWP_E_IN_USE
on_a DELETE "/sa-contexts/$A_CONTEXT"
answered "A's context" 204
on_b DELETE "/sa-contexts/$B_CONTEXT"
answered "B's context" 204
clear_filters() {
    $1 GET /filters
    for id in $(member '.items | sort_by(.layer | startswith("inbound")) | .[].id'); do
        $1 DELETE "/filters/$id"
        answered "$1: filter $id goes" 204
    done
}
clear_filters on_a
clear_filters on_b

# --- Tunnel mode ----------------------------------------------------------------------------------

# tunnel CALL LOCAL REMOTE LOCAL-NETWORK REMOTE-NETWORK: one request makes policy and filters.  The
# proposal is for a keying module; with manual keys it is only kept.  Sets POLICY and KEY.
tunnel() {
    $1 POST /tunnels '{
        "tunnelPolicy": {"displayData": {"name": "to the other site"}, "type": "ipsecIkeQmTunnelContext",
            "tunnelPolicy": {"tunnelEndpoints": {"localAddress": "'"$2"'", "remoteAddress": "'"$3"'"},
                "ipsecProposals": [{"lifetime": {"seconds": 3600},
                    "saTransforms": [{"saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_256",
                                      "cipherTransform": "GCM_AES_256"}]}]}},
        "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": "'"$4"'"},
                       {"field": "ipRemoteAddress", "match": "equal", "value": "'"$5"'"}]}'
    answered "$1: a tunnel" 201
    POLICY=$(member .id)
    FILTERS=$(member '.filterIds | join(" ")')
}
tunnel on_a $A $B 10.1.0.0/16 10.2.0.0/16
A_POLICY=$POLICY A_FILTERS=$FILTERS
tunnel on_b $B $A 10.2.0.0/16 10.1.0.0/16
B_POLICY=$POLICY

# Here the orchestrator has chosen SPIs and keys itself, so one request a host does it all: first
# what receives, then what sends.
TO_A=$(random_key 36)
TO_B=$(random_key 36)
sa() { # sa SPI KEY
    echo '{"saList": [{"spi": '"$1"', "saTransformType": "espAuthAndCipher", "authTransform": "GCM_AES_256",
        "cipherTransform": "GCM_AES_256", "cipherKey": "'"$2"'"}]}'
}
on_a POST /sa-contexts '{"localAddress": "'$A'", "remoteAddress": "'$B'", "trafficType": "tunnel",
    "tunnelPolicyId": '"$A_POLICY"', "spi": 4097, "inbound": '"$(sa 4097 "$TO_A")"'}'
answered "A can receive through the tunnel" 201
A_CONTEXT=$(member .id)
on_b POST /sa-contexts '{"localAddress": "'$B'", "remoteAddress": "'$A'", "trafficType": "tunnel",
    "tunnelPolicyId": '"$B_POLICY"', "spi": 8193, "inbound": '"$(sa 8193 "$TO_B")"',
    "outbound": '"$(sa 4097 "$TO_A")"'}'
answered "B can receive and sends" 201
B_CONTEXT=$(member .id)
on_a POST "/sa-contexts/$A_CONTEXT/outbound" "$(jq -c '.flags = ["assumeUdpContextOutbound"]' <<<"$(sa 8193 "$TO_B")")"
answered "A sends" 201

# A NAT stands before B: ports for ESP in UDP once they are known.
on_a PATCH "/sa-contexts/$A_CONTEXT" '{"inbound": {"udpEncapsulation": {"localPort": 4500, "remotePort": 31000}},
    "outbound": {"udpEncapsulation": {"localPort": 4500, "remotePort": 31000}}}'
answered "A learns the NAT's port" 200
is "A" "$(member '[.state, .inbound.saList[0].spi, .outbound.saList[0].spi, .outbound.udpEncapsulation.remotePort] | tostring')" \
    '["active",4097,8193,31000]'
on_b GET "/sa-contexts/$B_CONTEXT"
is "B" "$(member '[.state, .inbound.saList[0].spi, .outbound.saList[0].spi] | tostring')" '["active",8193,4097]'
on_a GET /statistics
is "A counts a tunnel" "$(member .aggregateSaStatistics.activeTunnels)" 1

# Down again: one delete takes policy and filters, once nobody uses them.
on_a DELETE "/tunnels/$A_POLICY"
answered "a tunnel in use stays" 409 FWP_E_IN_USE
on_a DELETE "/sa-contexts/$A_CONTEXT"
answered "A's context" 204
on_b DELETE "/sa-contexts/$B_CONTEXT"
answered "B's context" 204
on_a DELETE "/tunnels/$A_POLICY"
answered "A's tunnel" 204
on_b DELETE "/tunnels/$B_POLICY"
answered "B's tunnel" 204
for id in $A_FILTERS; do
    on_a GET "/filters/$id"
    answered "with it went filter $id" 404 FWP_E_FILTER_NOT_FOUND
done

DAEMON_PID=$A_PID
LOG=$WORK/daemon.log
stop_daemon
is "A ends with 0" "$STATUS" 0
check "A: no sanitizer report" daemon_is_clean
DAEMON_PID=$B_PID
LOG=$WORK/daemon-b.log
finish
