#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_life.sh: SAs end in the kernel and with them their contexts; a daemon that dies and comes back
# adopts its SAs under traffic; root is not needed; what others made stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

state_is() {
    api left GET "/sa-contexts/$1"
    if [ "$2" = gone ]; then [ "$STATUS" = 404 ]; else [ "$(member .state)" = "$2" ]; fi
}

begin "daemons start, one without root"
make_hosts
make_pki
chmod -R a+rX "$work"
chmod a+r "$work"/pki/*.key
mkdir -m 777 "$work/store"
store=sqlite:$work/store/left.db
start_daemon left --user nobody
grep -q '^Uid:.*65534' "/proc/${daemon_pids[left]}/status" || fail "it still is root"
store=memory:
start_daemon right
filter_pair left v4 192.0.2.1 192.0.2.2
filter_pair right v4 192.0.2.2 192.0.2.1

begin "somebody else's state and policy"
left ip xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x9999 reqid 1 mode tunnel \
    aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128
left ip xfrm policy add src 10.9.0.1 dst 10.9.0.2 dir out tmpl src 10.9.0.1 dst 10.9.0.2 \
    proto esp mode tunnel reqid 1

keyed_right() { keyed_context right v4 192.0.2.2 192.0.2.1 4098 4097 gcm128; }
keyed_left() {
    must left GET /filters 200
    out_filter=$(member '[.items[] | select(.layer == "outboundTransportV4")][0].id')
    keyed_context left v4 192.0.2.1 192.0.2.2 "$1" 4098 gcm128 "${2-}"
}
keyed_right

begin "an SA whose packets are used up ends its context's direction"
keyed_left 4097 ',"lifetime":{"packets":5}'
left ping -c 12 -i 0.05 -W 1 -q 192.0.2.2 >/dev/null || true
wait_for "the end of the outbound SA" state_is "$context_id" expiring
api left DELETE "/sa-contexts/$context_id"

begin "an SA whose time is over ends"
keyed_left 4100 ',"lifetime":{"seconds":1}'
wait_for "the end of the context" state_is "$context_id" gone
[ -z "$(left ip xfrm state list spi 4100)" ] || fail "the state is still there"

begin "a daemon that is killed and comes back loses no packet"
keyed_left 4101
must right GET /sa-contexts 200
must right DELETE "/sa-contexts/$(member '.items[0].id')" 204
keyed_right=$(must right GET /filters 200 && member '[.items[] | select(.layer == "outboundTransportV4")][0].id')
out_filter=$keyed_right
keyed_context right v4 192.0.2.2 192.0.2.1 4102 4101 gcm128
left_context=
must left GET /sa-contexts 200
left_context=$(member '[.items[] | select(.state == "active")][0].id')
# The peer's SPI is another now: make the left one anew toward it.
must left DELETE "/sa-contexts/$left_context" 204
must left GET /filters 200
out_filter=$(member '[.items[] | select(.layer == "outboundTransportV4")][0].id')
keyed_context left v4 192.0.2.1 192.0.2.2 4101 4102 gcm128
left_context=$context_id
wire_seen >/dev/null
left ping -c 400 -i 0.01 -W 2 -q 192.0.2.2 >/tmp/ping &
ping_pid=$!
sleep 0.5
stop_daemon left KILL
store=sqlite:$work/store/left.db
start_daemon left --user nobody
wait "$ping_pid" || fail "ping failed: $(cat /tmp/ping)"
grep -q ' 0% packet loss' /tmp/ping || fail "packets were lost: $(cat /tmp/ping)"
wire_only esp
must left GET "/sa-contexts/$left_context" 200
[ "$(member .state)" = active ] || fail "after the restart it is $(member .state)"

begin "what the kernel lost while the daemon was away is expired"
stop_daemon left
left ip xfrm state delete src 192.0.2.2 dst 192.0.2.1 proto esp spi 4101
start_daemon left --user nobody
wait_for "the context to be expired" state_is "$left_context" expired
[ -z "$(left ip xfrm state list spi 4102)" ] || fail "half a pair is left"

begin "what others made is still there"
left ip xfrm state list spi 0x9999 | grep -q 'reqid 1' || fail "the state is gone"
left ip xfrm policy list src 10.9.0.1 | grep -q 'reqid 1' || fail "the policy is gone"

begin "tear down"
stop_daemons
drop_hosts
