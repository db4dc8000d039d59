#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh: installs what the tests need, builds, and runs everything through ctest.
#
# --quick is the inner loop: the sanitizer build with unit, API and source checks, without those
# that are labelled slow.  The whole run adds the other presets, clang-tidy, -fanalyzer, valgrind,
# the quickstart, the container, and what runs in a kernel with ESP.  --soak is the long run: a
# thousand kills under load.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=
soak=
report=$(mktemp)
names=$(mktemp)
trap 'rm -f "$report" "$names"' EXIT

usage() {
    cat <<'TEXT'
usage: run.sh [--quick | --soak]

  --quick  the inner loop: sanitizer build, unit, API and source checks
  --soak   1,000 times kill -9 under load (ROUNDS says how often), about half an hour
TEXT
}

while [ $# -gt 0 ]; do
    case $1 in
    --quick) quick=1 ;;
    --soak) soak=1 ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    shift
done

heading() { printf '\n=== %s (%s s)\n' "$*" "$SECONDS"; }

# The report's cases, one a line: "passed|failed|skipped NAME SECONDS".  One that could not be started
# is left out in ctest's eyes; it failed.
cases() {
    awk -F '"' '
        /^\t<testcase / {
            name = $2; seconds = $6
            if ($8 == "run") print "passed", name, seconds
            if ($8 == "fail") print "failed", name, seconds
            if ($8 == "disabled") print "skipped", name, seconds
            open = $8 == "notrun"
        }
        open && /^\t\t<skipped / {
            print ($2 == "SKIP_RETURN_CODE=77" ? "skipped" : "failed"), name, seconds
            open = 0
        }
        open && /^\t<\/testcase>/ { print "failed", name, seconds; open = 0 }' "$report"
}

# summary -- who failed and who was left out, what took longest, and the figures.
summary() {
    heading "done"
    awk '$1 != "passed" { printf "%s: %s (%s)\n", $1, $2, $4 }' "$names" | sort
    printf 'longest:'
    sort -k 3,3gr "$names" | awk 'NR <= 5 { printf " %s (%s) %d s,", $2, $4, $3 }' | sed 's/,$//'
    printf '\n%s passed, %s failed, %s skipped in %s min %s s\n' "$(count passed)" "$(count failed)" \
        "$(count skipped)" $((SECONDS / 60)) $((SECONDS % 60))
    [ "$(count failed)" -eq 0 ] && [ "$(count passed)" -gt 0 ]
}

count() { grep -c "^$1 " "$names" || true; }

# check PRESET CTEST-ARGUMENT… -- builds the preset and runs its cases; a build that fails, or one
# without cases, is a failure.
check() {
    local preset=$1
    shift

    heading "preset $preset"
    if ! cmake --preset "$preset" -DSAC_TESTS=ON -DSAC_WERROR=ON --log-level=WARNING >/dev/null ||
        ! cmake --build "build/$preset"; then
        echo "preset $preset does not build"
        echo "failed build 0 $preset" >>"$names"
        return
    fi
    : >"$report"
    ctest --test-dir "build/$preset" --parallel "$(nproc)" --output-on-failure --no-tests=error \
        --output-junit "$report" "$@" || true
    [ -n "$(cases)" ] || echo "failed ctest 0 $preset" >>"$names"
    cases | sed "s/$/ $preset/" >>"$names"
}

# Nothing of the caller's own may steer a daemon under test.
for variable in ${!SA_CONTEXTD_*}; do unset "$variable"; done
export LC_ALL=C.UTF-8
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-second_deadlock_stack=1:halt_on_error=1}

heading "what the tests need"
if [ -n "$quick$soak" ]; then deploy/deps.sh --tests; else deploy/deps.sh --tests --vm; fi

if [ -n "$soak" ]; then
    heading "preset release"
    cmake --preset release -DSAC_WERROR=ON --log-level=WARNING >/dev/null
    cmake --build build/release --target sa-contextd
    heading "kills"
    SA_CONTEXTD=$PWD/build/release/sa-contextd ROUNDS=${ROUNDS:-1000} python3 tests/api/test_crash.py
    exit
fi
if [ -n "$quick" ]; then
    check asan --label-regex '^(unit|api|check)$' --label-exclude '^(slow|full|container)$'
else
    check asan
    check clang --label-regex '^unit$'
    check tsan --label-regex '^(unit|api)$'
    check release --label-regex '^(unit|api|valgrind|vm)$'
fi

summary
