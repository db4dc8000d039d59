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
left_filter=$out_filter
filter_pair right v4 192.0.2.2 192.0.2.1
right_filter=$out_filter

begin "somebody else's state and policy"
ip -n left xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x9999 reqid 1 mode tunnel \
    aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128
ip -n left xfrm policy add src 10.9.0.1 dst 10.9.0.2 dir out tmpl src 10.9.0.1 dst 10.9.0.2 \
    proto esp mode tunnel reqid 1

# keyed HOST SPI-IN SPI-OUT [MORE-OF-BUNDLES]
keyed() {
    local host=$1 from=192.0.2.1 to=192.0.2.2
    out_filter=$left_filter
    [ "$host" = left ] || from=192.0.2.2 to=192.0.2.1 out_filter=$right_filter
    keyed_context "$host" v4 $from $to "$2" "$3" gcm128 "${4-}"
}
keyed right 4098 4097
right_context=$context_id

begin "an SA whose packets are used up ends its context's direction"
keyed left 4097 4098 ',"lifetime":{"packets":5}'
left ping -c 12 -i 0.05 -W 1 -q 192.0.2.2 >/dev/null || true
wait_for "the end of the outbound SA" state_is left "$context_id" expiring
api left DELETE "/sa-contexts/$context_id"

begin "an SA whose time is over ends"
keyed left 4100 4098 ',"lifetime":{"seconds":1}'
wait_for "the end of the context" state_is left "$context_id" gone
[ -z "$(ip -n left xfrm state list spi 4100)" ] || fail "the state is still there"

begin "a daemon that is killed and comes back loses no packet"
must right DELETE "/sa-contexts/$right_context" 204
keyed right 4102 4101
keyed left 4101 4102
left_context=$context_id
wire_look
left ping -c 400 -i 0.01 -W 60 -q 192.0.2.2 >/tmp/ping &
ping_pid=$!
pause 0.5
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
ip -n left xfrm state delete src 192.0.2.2 dst 192.0.2.1 proto esp spi 4101
start_daemon left --user nobody
wait_for "the context to be expired" state_is left "$left_context" expired
[ -z "$(ip -n left xfrm state list spi 4102)" ] || fail "half a pair is left"

begin "a stop keeps SAs and policies, or leaves nothing of the service"
must left DELETE "/sa-contexts/$left_context" 204
keyed left 4103 4104
left_context=$context_id
stop_daemon left
ip -n left xfrm state list spi 4103 | grep -q 192.0.2.1 || fail "the inbound SA did not stay"
ip -n left xfrm state list spi 4104 | grep -q 192.0.2.2 || fail "the outbound SA did not stay"
start_daemon left --user nobody --on-shutdown flush
state_is left "$left_context" active || fail "not adopted: $BODY"
must left POST /reconcile 200
stop_daemon left
[ "$(ip -n left xfrm state list | grep -c '^src')" = 1 ] || fail "left over: $(ip -n left xfrm state list)"
[ "$(ip -n left xfrm policy list | grep -c '^src')" = 1 ] || fail "left over: $(ip -n left xfrm policy list)"
grep -q '"removedSas":2,"removedPolicies":[1-9]' "$work/left.log" || fail "the log does not say so: $(cat "$work/left.log")"

begin "what others made is still there"
ip -n left xfrm state list spi 0x9999 | grep -q 'reqid 1' || fail "the state is gone"
ip -n left xfrm policy list src 10.9.0.1 | grep -q 'reqid 1' || fail "the policy is gone"

begin "tear down"
stop_daemons
drop_hosts
