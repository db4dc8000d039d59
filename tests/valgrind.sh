#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# valgrind.sh DIR: the test programs of build folder DIR under valgrind: no error, no leak.
set -euo pipefail

suppressions=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/valgrind.supp
cd "${1:?a build folder is needed}/tests"
status=0
for program in test_*; do
    if [ ! -f "$program" ] || [ ! -x "$program" ]; then continue; fi
    # It opens the store some thousand times; AddressSanitizer watches it in the other presets.
    if [ "$program" = test_store_fault ]; then continue; fi
    # It has the kernel restrict its calls, of which valgrind knows nothing.
    if [ "$program" = test_harden ]; then continue; fi
    log=$(mktemp)
    result=0
    timeout 600 valgrind --quiet --error-exitcode=99 --leak-check=full \
        --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect \
        --suppressions="$suppressions" --trace-children=no "./$program" >"$log" 2>&1 || result=$?
    # 77: the program skipped itself.
    if [ "$result" -ne 0 ] && [ "$result" -ne 77 ]; then
        printf '%s: exit status %s under valgrind\n' "$program" "$result"
        tail -n 40 "$log"
        status=1
    fi
    rm -f "$log"
done
exit "$status"
