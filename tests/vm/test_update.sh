#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_update.sh: contexts that are keyed step by step, by GetSpi and SetSpi, carry traffic from the
# last step on, and go on when they are told of ports behind a NAT or of a host that moved.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

here=192.0.2.1
crosses_as() {
    wire_look
    left ping -c 3 -i 0.1 -W 2 -q -I "$here" 192.0.2.2 >/dev/null || fail "no answers"
    wire_only "$1"
}
nothing_crosses() {
    wire_look
    ! left ping -c 1 -W 1 -q -I "$here" 192.0.2.2 >/dev/null || fail "an answer came"
    wire_only "$@"
}
# ports HOST ID LOCAL REMOTE: of ESP in UDP, in both directions.
ports() {
    local both="{\"udpEncapsulation\":{\"localPort\":$3,\"remotePort\":$4}}"
    must "$1" PATCH "/sa-contexts/$2" 200 "{\"inbound\":$both,\"outbound\":$both}"
}
# addresses LOCAL-OF-LEFT: both daemons are told that left is there now.
addresses() {
    must right PATCH "/sa-contexts/$right_id" 200 \
        "{\"outboundTraffic\":{\"localAddress\":\"192.0.2.2\",\"remoteAddress\":\"$1\"}}"
    must left PATCH "/sa-contexts/$left_id" 200 \
        "{\"outboundTraffic\":{\"localAddress\":\"$1\",\"remoteAddress\":\"192.0.2.2\"}}"
    here=$1
}
# hears HOST PORT: a socket is bound to it.
hears() { "$1" ss -uan | grep -q ":$2 "; }
sent_by_left() {
    must left GET "/sa-contexts/$left_id" 200
    sent=$(member .usage.outbound.packets)
}

begin "daemons start, with filters that cover where left may be"
make_hosts
make_pki
start_daemon left
start_daemon right
ip -n left addr add 192.0.2.11/24 dev wire
filter_pair left v4 192.0.2.0/28 192.0.2.2
left_out=$out_filter left_in=$in_filter
filter_pair right v4 192.0.2.2 192.0.2.0/28
right_out=$out_filter right_in=$in_filter

begin "step by step, left asks for an SPI and right brings its own"
must left POST /sa-contexts 201 "{\"localAddress\":\"$here\",\"remoteAddress\":\"192.0.2.2\",
    \"trafficType\":\"transport\",\"ipsecFilterId\":$left_out}"
take_id
left_id=$id
must left POST "/sa-contexts/$left_id/spi" 200 "{\"ipsecFilterId\":$left_in}"
left_spi=$(member .spi)
must right POST /sa-contexts 201 "{\"localAddress\":\"192.0.2.2\",\"remoteAddress\":\"$here\",
    \"trafficType\":\"transport\",\"ipsecFilterId\":$right_out}"
take_id
right_id=$id
must right PUT "/sa-contexts/$right_id/spi" 200 "{\"ipsecFilterId\":$right_in,\"spi\":5001}"
[ -z "$(ip -n left xfrm state; ip -n right xfrm state)" ] || fail "an SPI makes a state"
nothing_crosses

begin "with inbound SAs alone nothing crosses"
bundle gcm128 "$left_spi" "to left"
to_left=$bundle
bundle gcm128 5001 "to right"
to_right=$bundle
must left POST "/sa-contexts/$left_id/inbound" 201 "$to_left"
must right POST "/sa-contexts/$right_id/inbound" 201 "$to_right"
[ "$(ip -n left xfrm state list spi "$left_spi" | grep -c '^src 192.0.2.2 dst 192.0.2.1')" = 1 ] ||
    fail "no inbound state: $(ip -n left xfrm state)"
nothing_crosses

begin "with one outbound SA it crosses one way"
must left POST "/sa-contexts/$left_id/outbound" 201 "$to_right"
nothing_crosses esp

begin "with both it crosses"
must right POST "/sa-contexts/$right_id/outbound" 201 "$to_left"
crosses_as esp
state_is left "$left_id" active || fail "$BODY"

begin "a NAT comes between: ESP in UDP"
ports right "$right_id" 4500 4500
ports left "$left_id" 4500 4500
crosses_as udp-esp

begin "the NAT chooses other ports, and no packet is lost"
sent_by_left
before=$sent
wire_look
left ping -c 300 -i 0.01 -W 60 -q 192.0.2.2 >/tmp/ping &
ping_pid=$!
for port in 4501 4502 4503; do
    ports left "$left_id" $port 4500
    ports right "$right_id" 4500 $port
done
wait "$ping_pid" || fail "ping failed: $(cat /tmp/ping)"
grep -q ' 0% packet loss' /tmp/ping || fail "packets were lost: $(cat /tmp/ping)"
wire_only udp-esp
crosses_as udp-esp
ip -n left xfrm state list spi 5001 | grep -q 'sport 4503 dport 4500' || fail "$(ip -n left xfrm state)"
sent_by_left
[ "$sent" = $((before + 303)) ] || fail "$sent packets are counted, $before before 303 were sent"

begin "the NAT is gone, and so are the sockets for it"
hears right 4500 || fail "no socket where ESP in UDP comes in: $(right ss -uan)"
ports right "$right_id" 0 0
ports left "$left_id" 0 0
crosses_as esp
! hears right '45[0-9]*' || fail "a port is still held: $(right ss -uan)"
! hears left '45[0-9]*' || fail "a port is still held: $(left ss -uan)"

begin "left moves, and takes its SAs with it"
sent_by_left
before=$sent
addresses 192.0.2.11
crosses_as esp
sent_by_left
[ "$sent" = $((before + 3)) ] || fail "$sent packets are counted, $before before the move"
here=192.0.2.1
nothing_crosses
here=192.0.2.11
ip -n left xfrm state | grep -q 'dst 192.0.2.1$' && fail "a state is left behind: $(ip -n left xfrm state)"

begin "what the kernel or the filter refuses changes nothing"
refused left PATCH "/sa-contexts/$left_id" FWP_E_INVALID_PARAMETER \
    '{"outboundTraffic":{"localAddress":"192.0.2.99","remoteAddress":"192.0.2.2"}}'
ip -n left xfrm state add src 192.0.2.2 dst 192.0.2.1 proto esp spi "$left_spi" reqid 1 mode transport \
    aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128
refused left PATCH "/sa-contexts/$left_id" FWP_E_ALREADY_EXISTS \
    '{"outboundTraffic":{"localAddress":"192.0.2.1","remoteAddress":"192.0.2.2"}}'
must left GET "/sa-contexts/$left_id" 200
[ "$(member .outboundTraffic.localAddress)" = 192.0.2.11 ] || fail "$BODY"
crosses_as esp
compare left
[ "$(member '[.sasMissing,.sasLeftOver]|add')" = 0 ] || fail "$BODY"

begin "a state of somebody else in the place of one of ours is not moved"
ip -n left xfrm state delete src 192.0.2.2 dst 192.0.2.11 proto esp spi "$left_spi"
ip -n left xfrm state add src 192.0.2.2 dst 192.0.2.11 proto esp spi "$left_spi" reqid 1 mode transport \
    aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128
api left PATCH "/sa-contexts/$left_id" \
    '{"outboundTraffic":{"localAddress":"192.0.2.3","remoteAddress":"192.0.2.2"}}'
[ "$STATUS" -ge 400 ] || fail "$STATUS $BODY"
ip -n left xfrm state list dst 192.0.2.11 | grep -q 'reqid 1 ' || fail "$(ip -n left xfrm state)"

begin "tear down"
stop_daemons
drop_hosts
