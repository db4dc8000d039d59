#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_overrun.sh: the kernel tells of ends faster than a daemon listens, so some are lost: it asks
# for all of its SAs again and misses none that ended meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

# expire SPI [COUNT]: of an inbound SA of left
expire() { left python3 expire.py 192.0.2.1 "$@" || fail "the kernel knows of no SA $1"; }
# Events that the daemon's sockets had no room for: the second number from behind.
lost() {
    left awk '$2 == 6 { lost += $(NF - 1) } END { exit lost == 0 }' /proc/net/netlink
}
overruns() { left curl -s http://127.0.0.1:9180/metrics | sed -n 's/^sa_contextd_plane_overruns_total //p'; }
# keyed NUMBER: a context with the host of that number.
keyed() { keyed_context left v4 192.0.2.1 "192.0.2.$1" $((4080 + $1)) $((5080 + $1)) gcm128; }

begin "a daemon starts"
make_hosts
make_pki
start_daemon left
filter_pair left v4 192.0.2.1 192.0.2.16/28
follow left
keyed 17
heard=$context_id
keyed 18
unheard=$context_id
keyed 19
deleted=$context_id
keyed 20
kept=$context_id
ip -n left xfrm state add src 192.0.2.9 dst 192.0.2.1 proto esp spi 4999 reqid 1 mode transport \
    aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128
[ "$(overruns)" = 0 ] || fail "overruns before: $(overruns)"

begin "while it does not listen, too much is told"
kill -STOP "${daemon_pids[left]}"
expire 4097
for ((round = 0; round < 20; round++)); do
    expire 4999 5000
    ! lost || break
done
lost || fail "nothing was lost: $(left cat /proc/net/netlink)"
expire 4098
ip -n left xfrm state delete src 192.0.2.19 dst 192.0.2.1 proto esp spi 4099
kill -CONT "${daemon_pids[left]}"

begin "what it heard of, what it did not hear of and what nobody tells: all of it ends"
wait_for "the end that it heard of" told left "$heard" lifetime
wait_for "the end that it did not hear of" told left "$unheard" dataPlane
wait_for "the end that nobody told" told left "$deleted" dataPlane
state_is left "$unheard" expired || fail "$BODY"
state_is left "$deleted" expired || fail "$BODY"
state_is left "$kept" active || fail "$BODY"
for spi in 5098 5099; do
    [ -z "$(ip -n left xfrm state list spi "$spi")" ] || fail "half a pair is left: SPI $spi"
done
[ "$(ip -n left xfrm state list spi 4999 | grep -c 'reqid 1 ')" = 1 ] || fail "the foreign state is gone"
[ "$(jq -s 'map(select(.reason != null and .reason != "call")) | length' "$work/left.events")" = 3 ] ||
    fail "other events: $(cat "$work/left.events")"

begin "it is said once"
[ "$(overruns)" = 1 ] || fail "overruns: $(overruns)"
[ "$(grep -c 'told too fast' "$work/left.log")" = 1 ] || fail "$(cat "$work/left.log")"
compare left
[ "$(member '[.sasMissing,.sasLeftOver,.policiesMissing,.policiesLeftOver]|add')" = 0 ] || fail "$BODY"

begin "and it still listens"
expire 4100
wait_for "the end of the last" told left "$kept" lifetime
[ "$(overruns)" = 1 ] || fail "overruns: $(overruns)"

begin "tear down"
stop_daemons
drop_hosts
