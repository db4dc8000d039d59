#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# measure.sh [CONTEXTS] -- inside the machine: how fast SAs get into the kernel by raw netlink, through
# the data plane, with ip(8), and through the daemon's batch request, while the table grows to
# CONTEXTS (50000: 100,000 SAs).  Prints the ratios; exit status 1 when one is below what is wanted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap stop_daemons EXIT
contexts=${1:-50000}
few=$((contexts < 2500 ? contexts : 2500))
results=/tmp/results

begin "setup"
ip netns add left
ip -n left link set lo up
ip -n left addr add 10.0.0.1/32 dev lo
make_pki
uname -r
grep -m1 'model name' /proc/cpuinfo || true

# The kernel gives a table's memory back a moment after it was emptied.
empty() {
    ip -n left xfrm state flush
    ip -n left xfrm policy flush
    sleep 2
}

# The first SA after boot loads modules; whoever comes first would pay.
left plane_bench raw peers 100 >/dev/null
empty
# In turns and the best of each: what else the machine does falls on single rounds.
begin "raw netlink of 64 a send and the data plane, $few contexts in turns"
for _ in 1 2 3 4 5 6; do
    for method in raw plane; do
        left plane_bench "$method" peers "$few" | awk -v few="$few" \
            '{ sum += ($3 - $2) * $4 } END { print $1, sum / few }' | tee -a /tmp/turns
        empty
    done
done

# ip_batch LAYOUT: the lines of plane_bench.
ip_batch() {
    local first=0 end started took
    for end in 1000 10000 "$contexts"; do
        [ "$end" -le "$contexts" ] && [ "$end" -gt "$first" ] || continue
        plane_bench ip "$1" "$first" "$end" >/tmp/lines
        started=$(date +%s%N)
        ip -n left -batch /tmp/lines
        took=$(($(date +%s%N) - started))
        printf 'ip %s %s %s\n' "$first" "$end" $((took / 1000 / (end - first)))
        first=$end
    done
}

daemon_batch() {
    rm -f /tmp/bench.db*
    store=sqlite:/tmp/bench.db
    start_daemon left --max-batch-body-bytes 4194304 --spi-quarantine-seconds 0 --on-shutdown flush
    left python3 bench/batch.py "$work/pki" "$1" "$contexts"
    [[ $(ip -n left -s xfrm state count) == *"SAD count $((2 * contexts))"[!0-9]* ]] ||
        fail "not all states are there: $(ip -n left -s xfrm state count)"
    stop_daemon left
}

for layout in peers pair; do
    case $layout in
    peers) begin "a peer for each context" ;;
    pair) begin "all between one pair of hosts, under 1,000 filters" ;;
    esac
    for method in raw plane ip_batch daemon_batch; do
        case $method in
        raw | plane) left plane_bench "$method" "$layout" "$contexts" ;;
        *) "$method" "$layout" ;;
        esac | sed "s/^/$layout /" | tee -a "$results"
        empty
    done
done

begin "contexts a second, and in brackets to raw netlink, while the table grows"
awk '
    { key = $1 " " $3 "-" $4; if (!(key in seen)) { seen[key] = 1; order[++rows] = key } us[key, $2] = $5 }
    function cell(key, method) {
        return sprintf("%9.0f (%.2f)", 1e6 / us[key, method], us[key, "raw"] / us[key, method])
    }
    END {
        printf "%-20s %9s %18s %18s %18s\n", "layout contexts", "raw", "data plane", "daemon, HTTPS", "ip -batch"
        for (i = 1; i <= rows; i++)
            printf "%-20s %9.0f %18s %18s %18s\n", order[i], 1e6 / us[order[i], "raw"],
                cell(order[i], "plane"), cell(order[i], "daemon"), cell(order[i], "ip")
    }' "$results"

begin "ratios"
awk '
    FILENAME == "/tmp/turns" { if (!($1 in best) || $2 < best[$1]) best[$1] = $2; next }
    $1 == "peers" { total[$2] += ($4 - $3) * $5 }
    END {
        printf "data plane to raw netlink of 64 a send: %.2f (wanted: 0.85)\n", best["raw"] / best["plane"]
        printf "daemon over HTTPS to ip -batch:         %.2f (wanted: 1.00)\n", total["ip"] / total["daemon"]
        printf "daemon over HTTPS to raw netlink:       %.2f\n", total["raw"] / total["daemon"]
        exit best["raw"] / best["plane"] < 0.85 || total["ip"] / total["daemon"] < 1
    }' /tmp/turns "$results"
