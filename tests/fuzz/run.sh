#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [SECONDS]: builds the libFuzzer targets and runs each for so long (60 s), one after another
# on one core at the lowest priority.  What is new is kept in build/fuzz/corpus for the next run; the
# corpus of the sources is only read.  Prints executions per second, and per second of CPU time, which
# a busy machine leaves alone; exit status 1 when one fails, whose input is then in build/fuzz/found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-60}
case $seconds in
'' | *[!0-9]*)
    echo "usage: run.sh [SECONDS]" >&2
    exit 2
    ;;
esac

cmake --preset fuzz -DSAC_TESTS=ON --log-level=WARNING >/dev/null
targets=()
for source in tests/fuzz/fuzz_*.c; do targets+=("$(basename "$source" .c)"); done
nice -n 19 cmake --build build/fuzz --target "${targets[@]}" >build/fuzz/build.log || {
    tail -n 30 build/fuzz/build.log
    exit 1
}
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
failed=0
for name in "${targets[@]#fuzz_}"; do
    target=build/fuzz/tests/fuzz/fuzz_$name
    mkdir -p "build/fuzz/corpus/$name" build/fuzz/found
    log=build/fuzz/$name.log
    status=passed
    cpu=$(
        TIMEFORMAT='%U %S'
        { time nice -n 19 "$target" -max_total_time="$seconds" -print_final_stats=1 -timeout=20 \
            -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" \
            "tests/fuzz/corpus/$name" >"$log" 2>&1; } 2>&1
    ) || status=FAILED
    if [ "$status" = FAILED ]; then failed=1; fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf '%-12s %s  %9s runs  %7s a second  %7.0f a second of CPU time\n' "$name" "$status" \
        "${runs:-0}" "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")" \
        "$(awk -v runs="${runs:-0}" '{ print runs / ($1 + $2 + 0.001) }' <<<"$cpu")"
    if [ "$status" = FAILED ]; then grep -aE 'not so|ERROR|SUMMARY' "$log" | head -n 3; fi
done
exit "$failed"
