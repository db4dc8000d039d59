#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh: checks handover.pml with spin: no assertion fails, nobody waits for ever, a drain ends; and
# that each of the model's bugs is found.  Exit status 77 where spin is missing.
set -euo pipefail

model=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/handover.pml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

if ! command -v spin >/dev/null || ! command -v cc >/dev/null; then
    echo "spin or a C compiler is missing"
    exit 77
fi

# check CC-FLAGS PAN-FLAGS [SPIN-FLAGS…] -- the errors found, or nothing when the search was cut short.
check() {
    local cc_flags=$1 pan_flags=$2
    shift 2

    spin "$@" -a "$model" >spin.log || {
        cat spin.log >&2
        return 1
    }
    # shellcheck disable=SC2086 # lists of flags
    cc -O2 -w -DVECTORSZ=2048 $cc_flags -o pan pan.c
    # shellcheck disable=SC2086
    ./pan -m2000000 $pan_flags >pan.log 2>&1 || true
    if grep -q 'max search depth too small\|out of memory\|Search not completed' pan.log &&
        ! grep -q 'errors: [1-9]' pan.log; then
        cat pan.log >&2
        return 1
    fi
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log
}

states() { sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log; }

failed=0
number=0
# expect NAME FOUND WANTED
expect() {
    number=$((number + 1))
    if [ "${2:-none}" = "$3" ]; then
        printf 'ok %d - %s (%s states)\n' "$number" "$1" "$(states)"
    else
        printf 'not ok %d - %s: %s errors\n' "$number" "$1" "${2:-no}"
        tail -n 25 pan.log | sed 's/^/# /'
        failed=1
    fi
}

expect "no assertion fails and nobody waits for ever" "$(check '-DSAFETY -DNOCLAIM' '')" 0
expect "a drain ends" "$(check '' '-a -f' -DSMALL)" 0
for bug in NO_SIGNAL NOT_SLEEPING EARLY_DELIVERY SIGNALLED_ONCE CLEAR_LATE LEAVES_EARLY; do
    expect "the bug $bug is found" "$(check '-DSAFETY -DNOCLAIM' '' "-DBUG_$bug")" 1
done
echo "1..$number"
exit "$failed"
