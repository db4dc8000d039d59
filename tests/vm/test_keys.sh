#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_keys.sh: what SAs carry is counted, a wrong key stops it, SAs end as they should and somebody
# who watches is told, and new keys come without a packet lost.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

# both LEFT-SPI RIGHT-SPI [MORE-OF-LEFT'S-BUNDLES]: left_id, right_id.  The left one, whose time may
# be short, comes last.
both() {
    out_filter=$right_filter
    keyed_context right v4 192.0.2.2 192.0.2.1 "$2" "$1" gcm128
    right_id=$context_id
    out_filter=$left_filter
    keyed_context left v4 192.0.2.1 192.0.2.2 "$1" "$2" gcm128 "${3-}"
    left_id=$context_id
}
neither() {
    api left DELETE "/sa-contexts/$left_id"
    api right DELETE "/sa-contexts/$right_id"
}

begin "daemons start"
make_hosts
make_pki
start_daemon left
start_daemon right
left curl -s http://127.0.0.1:9180/readyz | grep -E '^plane xfrm ok, [0-9]+ of [0-9]+ transforms$' || fail "readyz"
must left GET /capabilities 200
[ "$(member '.items[] | select(.cipherTransform == "GCM_AES_128" and .authTransform == "GCM_AES_128") | .supported')" = true ] ||
    fail "no AES-GCM: $BODY"
filter_pair left v4 192.0.2.1 192.0.2.2
left_filter=$out_filter
filter_pair right v4 192.0.2.2 192.0.2.1
right_filter=$out_filter
follow left

begin "what SAs carry is counted"
both 4097 4098
must left GET "/sa-contexts/$left_id" 200
[ "$(member '.usage | .inbound.packets + .outbound.packets')" = 0 ] || fail "$BODY"
[ "$(member .usage.outbound.lastUsedAt)" = null ] || fail "used before use: $BODY"
left ping -c 5 -i 0.05 -W 2 -q 192.0.2.2 >/dev/null || fail "no answers"
must left GET "/sa-contexts/$left_id" 200
[ "$(member .usage.outbound.packets)" = 5 ] || fail "$BODY"
[ "$(member .usage.inbound.packets)" = 5 ] || fail "$BODY"
[ "$(member .usage.inbound.bytes)" -ge 320 ] || fail "$BODY"
# Kernel 6.1 does not tell when.
case $(uname -r) in 6.1.*) ;; *) [ "$(member .usage.inbound.lastUsedAt)" != null ] || fail "$BODY" ;; esac
must left GET /statistics 200
[ "$(member .outboundTrafficStatistics.totalSuccessfulPackets)" = 5 ] || fail "$BODY"
[ "$(member '.inboundTrafficStatistics.encryptedByteCount|tonumber')" -ge 320 ] || fail "$BODY"
neither
must left GET /statistics 200
[ "$(member '.outboundTrafficStatistics.totalSuccessfulPackets|tonumber')" = 5 ] || fail "SAs that are gone don't count: $BODY"

begin "a wrong key stops the traffic and is counted"
wrong=' but another' both 4099 4100
! left ping -c 3 -i 0.05 -W 1 -q 192.0.2.2 >/dev/null || fail "answers with a wrong key"
must right GET /statistics 200
[ "$(member '.espDropPacketStatistics.authenticationFailuresOnInbound')" = 3 ] || fail "$BODY"
neither

begin "an SPI that nobody has is counted"
both 4101 4102
must right DELETE "/sa-contexts/$right_id" 204
! left ping -c 3 -i 0.05 -W 1 -q 192.0.2.2 >/dev/null || fail "answers without an SA"
must right GET /statistics 200
[ "$(member '.espDropPacketStatistics.invalidSpisOnInbound')" -ge 3 ] || fail "$BODY"
neither

begin "packets, bytes and seconds end SAs, and whoever watches is told"
both 4103 4104 ',"lifetime":{"packets":5}'
left ping -c 12 -i 0.05 -W 1 -q 192.0.2.2 >/dev/null || true
wait_for "the end by packets" state_is left "$left_id" expiring
wait_for "the event" told left "$left_id" lifetime
neither
both 4105 4106 ',"lifetime":{"kilobytes":2}'
left ping -c 10 -i 0.05 -s 400 -W 1 -q 192.0.2.2 >/dev/null || true
wait_for "the end by bytes" state_is left "$left_id" expiring
wait_for "the event" told left "$left_id" lifetime
neither
both 4107 4108 ',"lifetime":{"seconds":2}'
wait_for "the end by time" state_is left "$left_id" gone
wait_for "the event" told left "$left_id" lifetime
neither

begin "an SA that nobody uses ends, one that is used stays"
both 4109 4110 ',"idleTimeoutSeconds":4'
nsenter --net=/run/netns/left ping -i 0.1 -q 192.0.2.2 >/dev/null &
ping_pid=$!
pause 6
state_is left "$left_id" active || fail "it ended although it was used: $BODY"
kill "$ping_pid"
# Where the kernel does not tell the last use it may take twice the time.
wait_for "the end of the idle" state_is left "$left_id" gone
wait_for "the event" told left "$left_id" idle
neither

begin "new keys under traffic lose no packet"
both 4111 4112
wire_look
left ping -c 800 -i 0.01 -W 60 -q 192.0.2.2 >/tmp/ping &
ping_pid=$!
spi_left=4111 spi_right=4112
for _ in 1 2 3; do
    old_left=$left_id
    rotate_both
    state_is left "$old_left" expiring || fail "the old one is $(member .state)"
done
wait "$ping_pid" || fail "ping failed: $(cat /tmp/ping)"
grep -q ' 0% packet loss' /tmp/ping || fail "packets were lost: $(cat /tmp/ping)"
wire_only esp
left ping -c 2 -i 0.1 -W 2 -q 192.0.2.2 >/dev/null || fail "no answers"
must left GET "/sa-contexts/$left_id" 200
[ "$(member .usage.outbound.packets)" -ge 2 ] || fail "the new SA carries nothing: $BODY"

begin "contexts whose SAs somebody deleted expire, and whoever watches is told"
ip -n left xfrm state delete src 192.0.2.2 dst 192.0.2.1 proto esp spi "$spi_left"
wait_for "the context to expire" state_is left "$left_id" expired
wait_for "the event" told left "$left_id" dataPlane
must left GET /drift 200
[ "$(member '[.sasMissing,.sasLeftOver]|add')" = 0 ] || fail "$BODY"

begin "tear down"
stop_daemons
drop_hosts
