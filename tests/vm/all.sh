#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# all.sh: inside the machine, runs every tests/vm/test_*.sh.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit

passed=0
failed=0
skipped=0
for test in test_*.sh; do
    start=$SECONDS
    bash "$test" >"/tmp/$test.log" 2>&1
    status=$?
    case $status in
    0)
        passed=$((passed + 1))
        printf 'ok   %s (%s s)\n' "$test" $((SECONDS - start))
        ;;
    77)
        skipped=$((skipped + 1))
        printf 'skip %s: %s\n' "$test" "$(tail -n 1 "/tmp/$test.log")"
        ;;
    *)
        failed=$((failed + 1))
        printf 'FAIL %s: exit status %s\n' "$test" "$status"
        cat "/tmp/$test.log"
        ;;
    esac
done
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
