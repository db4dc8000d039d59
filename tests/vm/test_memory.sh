#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_memory.sh: keys go to the kernel, and the kernel's answers, lists and events bring them back:
# none stays in the daemon's memory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

keys=()
# remember NAME BYTES: the key that add_sa() or bundle() makes of the name is looked for from now on.
remember() {
    key "$1" "$2"
    keys+=("$key")
}
# Of a context's both bundles: SPI-IN SPI-OUT
remember_pair() {
    local name
    for name in "to 192.0.2.1 $1" "to 192.0.2.2 $2"; do
        remember "$name" 20
        remember "$name ah" 32
    done
}
found() { python3 ../api/memory.py "$1" "${keys[@]}"; }
is_compared() {
    api left GET /drift
    [ "$STATUS" = 200 ]
}
forgotten() { found "${daemon_pids[left]}" || fail "$1: a key is in memory"; }

begin "a daemon starts"
make_hosts
make_pki
start_daemon left --allow-weak-transforms true
follow left
filter_pair left v4 192.0.2.0/28 192.0.2.2
filter=$out_filter

begin "what is in memory is found"
remember "to be found" 20
env -i KEPT="$key" sleep 60 &
holder=$!
! found "$holder" >/dev/null || fail "a key in another process's memory is not found"
kill "$holder"
keys=()

begin "after SAs were added"
remember_pair 4097 5097
keyed_context left v4 192.0.2.1 192.0.2.2 4097 5097 gcm128+ah
context=$context_id
forgotten "add"
ip -n left xfrm state list spi 4097 | grep -q 'rfc4106(gcm(aes))' || fail "the kernel has no SA"

begin "after the kernel told of them"
must left GET "/sa-contexts/$context" 200
[ "$(member .usage.inbound.packets)" = 0 ] || fail "$BODY"
must left GET /statistics 200
forgotten "question"
compare left
[ "$(member .sasMissing)" = 0 ] || fail "$BODY"
must left POST /reconcile 200
wait_for "the end of the comparison" is_compared
forgotten "list"

begin "after one was refused"
remember_pair 4098 5098
ip -n left xfrm state add src 192.0.2.1 dst 192.0.2.2 proto ah spi 5098 reqid 1 mode transport \
    auth-trunc 'hmac(sha256)' 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f 128
out_filter=$filter
bundle gcm128+ah 4098 "to 192.0.2.1 4098"
inbound=$bundle
bundle gcm128+ah 5098 "to 192.0.2.2 5098"
refused left POST /sa-contexts FWP_E_ALREADY_EXISTS "{\"ipVersion\":\"v4\",\"localAddress\":\"192.0.2.1\",
    \"remoteAddress\":\"192.0.2.2\",\"trafficType\":\"transport\",\"ipsecFilterId\":$filter,\"spi\":4098,
    \"inbound\":$inbound,\"outbound\":$bundle}"
[ -z "$(ip -n left xfrm state list spi 4098)" ] || fail "half a context is left"
forgotten "refusal"

begin "after one has moved, whose keys come from the kernel and go back to it"
ip -n left addr add 192.0.2.11/24 dev wire
must left PATCH "/sa-contexts/$context" 200 \
    '{"outboundTraffic":{"localAddress":"192.0.2.11","remoteAddress":"192.0.2.2"}}'
ip -n left xfrm state list dst 192.0.2.11 | grep -q 'rfc4106(gcm(aes))' || fail "it has not moved"
forgotten "move"

begin "after somebody else added one, and it was listed"
key "somebody else's" 20
keys+=("$key")
foreign=$(openssl base64 -d <<<"$key" | od -An -tx1 | tr -d ' \n')
ip -n left xfrm state add src 192.0.2.9 dst 192.0.2.1 proto esp spi 4999 reqid 1 mode transport \
    aead 'rfc4106(gcm(aes))' "0x$foreign" 128
compare left
[ "$(member .foreign)" -ge 2 ] || fail "$BODY"
must left POST /reconcile 200
wait_for "the end of the comparison" is_compared
forgotten "somebody else's"

begin "after one has expired"
remember_pair 4100 5100
out_filter=$filter
keyed_context left v4 192.0.2.1 192.0.2.2 4100 5100 gcm128+ah ',"lifetime":{"seconds":1}'
wait_for "its end" told left "$context_id" lifetime
forgotten "expiry"

begin "after all were deleted"
must left DELETE "/sa-contexts/$context" 204
left python3 expire.py 192.0.2.1 4999
pause 0.5
forgotten "deletion"

begin "tear down"
stop_daemons
drop_hosts
