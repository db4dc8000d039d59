#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_esp.sh: the machine itself: an ESP SA pair made with ip(8) carries pings, the middle sees ESP
# only, and without SAs nothing crosses.  What this shows, the tests of the daemon rely on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
trap 'kill "${wire_pid:-}" 2>/dev/null || true' EXIT

key=0x000102030405060708090a0b0c0d0e0f10111213

# policies LEFT RIGHT -- both hosts send what is between these addresses through ESP only.
policies() {
    ip -n left xfrm policy add src "$1" dst "$2" dir out tmpl proto esp mode transport reqid 7
    ip -n left xfrm policy add src "$2" dst "$1" dir in tmpl proto esp mode transport reqid 7
    ip -n right xfrm policy add src "$2" dst "$1" dir out tmpl proto esp mode transport reqid 7
    ip -n right xfrm policy add src "$1" dst "$2" dir in tmpl proto esp mode transport reqid 7
}

# state HOST SOURCE DESTINATION SPI
state() {
    ip -n "$1" xfrm state add src "$2" dst "$3" proto esp spi "$4" reqid 7 mode transport \
        replay-window 32 aead 'rfc4106(gcm(aes))' "$key" 128
}

begin "hosts reach each other in the clear"
make_hosts
left ping -c 2 -i 0.1 -W 2 -q 192.0.2.2
left ping -c 2 -i 0.1 -W 2 -q 2001:db8::2
left ping -c 2 -i 0.1 -W 2 -q 10.2.0.1
wire_only clear-icmp clear-icmpv6

begin "policies without SAs let nothing cross"
policies 192.0.2.1 192.0.2.2
! left ping -c 1 -W 1 -q 192.0.2.2 || fail "an answer came without SAs"
wire_only

begin "with SAs pings cross, as ESP only"
for host in left right; do
    state "$host" 192.0.2.1 192.0.2.2 0x1001
    state "$host" 192.0.2.2 192.0.2.1 0x1002
done
left ping -c 5 -i 0.1 -W 2 -q 192.0.2.2
wire_only esp

begin "tear down"
drop_hosts
