#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_programs.sh: the test programs that want a kernel with ESP, with nothing skipped.
set -euo pipefail

found=
for program in /usr/local/bin/test_*; do
    [ -x "$program" ] || continue
    found=1
    printf '%s\n' "--- ${program##*/}"
    "$program" >/tmp/output 2>&1 || {
        cat /tmp/output
        exit 1
    }
    cat /tmp/output
    if grep -q SKIPPED /tmp/output; then
        echo "FAIL: $program left something out"
        exit 1
    fi
done
[ -n "$found" ] || {
    echo "SKIP: no test program was built"
    exit 77
}
