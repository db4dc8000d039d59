#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# measure.sh [CONTEXTS] -- inside the machine: how fast SAs get into the kernel by raw netlink, through
# the data plane, with ip(8), and through the daemon's batch request, while the table grows to
# CONTEXTS (50000: 100,000 SAs).  The daemon's figure is the mean since the size before; the others
# are those of contexts added on top.  Prints the ratios; exit status 1 when one is below what is wanted.
#
# The daemon's first contexts pay for memory that it never touched before, and user-mode Linux takes
# 200 to 500 us for a page fault: some 2.7 of them for each of the first 500 contexts, less than one
# for each of the next 500, 0.3 to 0.7 later, whatever the layout and with the plane "none" too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap stop_daemons EXIT
contexts=${1:-50000}
# ip(8) takes milliseconds a context in this machine: so many are added with it at each size, the
# rest by raw netlink.
ip_contexts=500
results=/tmp/results

sizes=()
for size in 1000 10000; do [ "$size" -ge "$contexts" ] || sizes+=("$size"); done
sizes+=("$contexts")

begin "setup"
ip netns add left
ip -n left link set lo up
ip -n left addr add 10.0.0.1/32 dev lo
make_pki
uname -r
grep -m1 'model name' /proc/cpuinfo || true

# The kernel gives a table's memory back in the background, in so many seconds when it was full.
empty() {
    ip -n left xfrm state flush
    ip -n left xfrm policy flush
    sleep 4
}

# With ip(8), on top of a table that raw netlink filled.
ip_batch() {
    local first size started took
    for size in "${sizes[@]}"; do
        first=$((size > ip_contexts ? size - ip_contexts : 0))
        [ "$first" -eq 0 ] || left plane_bench fill "$1" "$first"
        plane_bench ip "$1" "$first" "$size" >/tmp/lines
        started=$(date +%s%N)
        ip -n left -batch /tmp/lines
        took=$(($(date +%s%N) - started))
        printf '%s ip %s %s\n' "$1" "$size" $((took / 1000 / (size - first))) | tee -a "$results"
        empty
    done
}

daemon_batch() {
    rm -f /tmp/bench.db*
    store=sqlite:/tmp/bench.db
    start_daemon left --max-batch-body-bytes 4194304 --spi-quarantine-seconds 0 --on-shutdown flush
    left python3 bench/batch.py "$work/pki" "$1" "$contexts" | sed "s/^/$1 /" | tee -a "$results"
    [[ $(ip -n left -s xfrm state count) == *"SAD count $((2 * contexts))"[!0-9]* ]] ||
        fail "not all states are there: $(ip -n left -s xfrm state count)"
    stop_daemon left
    empty
}

# Whoever comes first would pay for modules, and for memory that the machine never touched before.
left plane_bench fill peers "$contexts"
empty
for layout in peers pair; do
    case $layout in
    peers) begin "peers: a peer for each context, one filter each way" ;;
    pair) begin "pair: all between two hosts, 1,000 filters each way" ;;
    esac
    left plane_bench grow "$layout" "${sizes[@]}" | tee -a "$results"
    empty
    ip_batch "$layout"
    daemon_batch "$layout"
done
begin "filter: all between two hosts under one filter each way: one chain of the kernel's hash"
left plane_bench grow filter 1000 4000 | tee -a "$results"

begin "contexts a second, and in brackets to raw netlink, when there are so many"
awk '
    { row = $1 " " $3; if (!(row in seen)) { seen[row] = 1; order[++rows] = row } us[row, $2] = $4 }
    function cell(row, method) {
        if (!((row, method) in us)) return ""
        return sprintf("%9.0f (%.2f)", 1e6 / us[row, method], us[row, "raw"] / us[row, method])
    }
    END {
        printf "%-14s %9s %18s %18s %18s\n", "contexts", "raw", "data plane", "daemon, HTTPS", "ip -batch"
        for (i = 1; i <= rows; i++)
            printf "%-14s %9.0f %18s %18s %18s\n", order[i], 1e6 / us[order[i], "raw"],
                cell(order[i], "plane"), cell(order[i], "daemon"), cell(order[i], "ip")

        print "--- ratios"
        for (i = 1; i <= rows; i++) {
            ratio = us[order[i], "raw"] / us[order[i], "plane"]
            printf "%-14s data plane to raw netlink of 64 a send: %.2f (wanted: 0.85)\n", order[i], ratio
            if (ratio < 0.85) bad = 1
            if (!((order[i], "daemon") in us)) continue
            ratio = us[order[i], "ip"] / us[order[i], "daemon"]
            printf "%-14s daemon over HTTPS to ip -batch:         %.2f (wanted: 1.00)\n", order[i], ratio
            if (ratio < 1) bad = 1
        }
        exit bad
    }' "$results"
