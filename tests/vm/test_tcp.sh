#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_tcp.sh: megabytes over TCP, in transport and in tunnel mode, arrive as they were sent although
# the keys change meanwhile: segments fit into ESP, the counters grow, and the kernel drops nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" "${server_pid:-}" "${sender_pid:-}" 2>/dev/null || true' EXIT

bytes=4000000

# drops HOST: what the kernel's IPsec dropped, in 'dropped'.
drops() {
    local name count
    dropped=0
    while read -r name count; do
        [ "$name" = XfrmAcquireError ] || dropped=$((dropped + count))
    done < <("$1" cat /proc/net/xfrm_stat)
}

# What left's SAs have carried out, those that are gone too: bytes, in 'count'.
encrypted() {
    must left GET /statistics 200
    count=$(member '.outboundTrafficStatistics.encryptedByteCount|tonumber')
}

# transfer WHAT FROM TO: between left_id and right_id, which get new keys on the way.
transfer() {
    local old_left=$left_id before sent drops_left drops_right

    begin "$1: TCP, and new keys on the way"
    drops left
    drops_left=$dropped
    drops right
    drops_right=$dropped
    encrypted
    before=$count
    wire_look
    rm -f /tmp/enough
    nsenter --net=/run/netns/left python3 tcp.py send "$2" "$3" 5000 $bytes /tmp/enough >/tmp/sent.tcp 2>&1 &
    sender_pid=$!
    wait_for "the old SA's traffic" carries "$left_id" 100
    rotate_both
    wait_for "the new SA's traffic" carries "$left_id" 100
    state_is left "$old_left" expiring || fail "the old one is $(member .state)"
    : >/tmp/enough
    wait "$sender_pid" || fail "$(cat /tmp/sent.tcp)"
    sender_pid=
    cat /tmp/sent.tcp
    read -r sent _ </tmp/sent.tcp
    wire_only esp
    encrypted
    [ $((count - before)) -gt "$sent" ] || fail "of $sent bytes are counted $((count - before))"
    must left GET "/sa-contexts/$left_id" 200
    [ "$(member .usage.inbound.packets)" -ge 100 ] || fail "no acknowledgements are counted: $BODY"
    drops left
    [ "$dropped" = "$drops_left" ] || fail "left dropped packets: $(left cat /proc/net/xfrm_stat)"
    drops right
    [ "$dropped" = "$drops_right" ] || fail "right dropped packets: $(right cat /proc/net/xfrm_stat)"
}

# carries ID PACKETS: at least so many have gone out.
carries() {
    api left GET "/sa-contexts/$1"
    [ "$(member .usage.outbound.packets)" -ge "$2" ]
}

begin "daemons start"
make_hosts
make_pki
start_daemon left
start_daemon right
nsenter --net=/run/netns/right python3 tcp.py serve 5000 &
server_pid=$!

begin "transport mode"
spi_left=4097 spi_right=4098
filter_pair right v4 192.0.2.2 192.0.2.1
keyed_context right v4 192.0.2.2 192.0.2.1 $spi_right $spi_left gcm128
right_id=$context_id
filter_pair left v4 192.0.2.1 192.0.2.2
keyed_context left v4 192.0.2.1 192.0.2.2 $spi_left $spi_right gcm128
left_id=$context_id
transfer "transport mode" 192.0.2.1 192.0.2.2
wipe left
wipe right

begin "tunnel mode"
spi_left=4197 spi_right=4198
tunnel right 192.0.2.2 192.0.2.1 10.2.0.0/16 10.1.0.0/16
sas right 192.0.2.2 192.0.2.1 $spi_right $spi_left
right_id=$context_id
tunnel left 192.0.2.1 192.0.2.2 10.1.0.0/16 10.2.0.0/16
sas left 192.0.2.1 192.0.2.2 $spi_left $spi_right
left_id=$context_id
transfer "tunnel mode" 10.1.0.1 10.2.0.1

begin "tear down"
stop_daemons
drop_hosts
