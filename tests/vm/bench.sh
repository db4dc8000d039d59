#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# bench.sh [--kernel KERNEL] [CONTEXTS]: keyed contexts a second into a real kernel, in one boot:
# raw netlink, the data plane alone, ip -batch, and the daemon's batch request over HTTPS, from 1,000
# contexts to 50,000 (100,000 SAs), with a peer for each and all between one pair of hosts.  Prints
# the ratios; exit status 1 when one is below what is wanted.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
kernel=uml
if [ "${1-}" = --kernel ]; then
    kernel=$2
    shift 2
fi
exec "$root/tests/vm/run.sh" --kernel "$kernel" --memory 2560 --limit 1500 \
    --program "$root/build/release/tests/plane_bench" "$root/tests/vm/bench/measure.sh" "$@"
