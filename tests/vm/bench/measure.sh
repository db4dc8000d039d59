#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# measure.sh CONTEXTS -- inside the machine: how fast SAs get into the kernel by raw netlink, through
# the data plane, with ip(8), and through the daemon's batch request.  Prints the ratios.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap stop_daemons EXIT
contexts=${1:-50000}
# ip(8) is slow: fewer tell as much.
few=$((contexts < 2500 ? contexts : 2500))

begin "setup"
ip netns add left
left() { ip netns exec left "$@"; }
ip -n left link set lo up
ip -n left addr add 10.0.0.1/32 dev lo
make_pki
uname -r
grep -m1 'model name' /proc/cpuinfo || true

# The kernel gives a table's memory back a moment after it was emptied.
empty() {
    left ip xfrm state flush
    left ip xfrm policy flush
    sleep 2
}
# The last line of a file: microseconds in "... us each".
last_us() { sed -n 's/.* \([0-9.]*\) us each.*/\1/p' "$1" | tail -n 1; }

# The first SA after boot loads modules; whoever comes first would pay.
left plane_bench raw 100 >/dev/null
empty
# In turns and the best of each: what else the machine does falls on single rounds.
begin "raw netlink of 64 a send and the data plane, in turns"
for round in 1 2 3 4 5 6; do
    for mode in raw plane; do
        left plane_bench "$mode" "$few" | tail -n 1 | tee "/tmp/$mode.$round"
        empty
    done
done
begin "how it grows"
for mode in raw plane; do
    left plane_bench "$mode" "$contexts"
    empty
done

begin "ip -batch"
left plane_bench ip "$few" >/tmp/lines
started=$(date +%s%N)
left ip -batch /tmp/lines
ip_us=$((($(date +%s%N) - started) / 1000 / few))
printf 'ip: %s contexts: %s us each\n' "$few" "$ip_us"
empty

begin "the daemon's batch request"
store=sqlite:/tmp/bench.db
start_daemon left --max-batch-body-bytes 4194304 --spi-quarantine-seconds 0
conditions ipLocalAddress 10.0.0.1
add_filter left outboundTransportV4 ipsecOutboundTransportV4 "$conditions"
out=$filter_id
add_filter left inboundTransportV4 ipsecInboundTransportV4 "$conditions"
left python3 bench/batch.py "$work/pki" "$contexts" "$out" | tee /tmp/daemon
[ "$(left ip -s xfrm state count | sed -n 's/.*SAD count \([0-9]*\).*/\1/p')" = $((2 * contexts)) ] ||
    fail "not all states are there: $(left ip -s xfrm state count)"

begin "ratios"
best() { for round in 1 2 3 4 5 6; do last_us "/tmp/$1.$round"; done | sort -n | head -n 1; }
raw=$(best raw)
plane=$(best plane)
awk -v raw="$raw" -v plane="$plane" -v ip="$ip_us" -v daemon="$(last_us /tmp/daemon)" 'BEGIN {
    printf "data plane to raw netlink of 64 a send: %.2f (wanted: 0.85)\n", raw / plane
    printf "daemon over HTTPS to ip -batch:         %.2f (wanted: 1.00)\n", ip / daemon
    printf "daemon over HTTPS to raw netlink:       %.2f\n", 2 * raw / daemon
    exit raw / plane < 0.85 || ip / daemon < 1
}'
