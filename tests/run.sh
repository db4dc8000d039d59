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
passed=0
failed=0
skipped=0
report=$(mktemp)
trap 'rm -f "$report"' EXIT

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

# An attribute of the report's first element, a number.
figure() {
    local value
    value=$(sed -n "s/^[[:space:]]*$1=\"\([0-9]*\)\".*/\1/p" "$report" | head -n 1)
    echo "${value:-0}"
}

# check PRESET CTEST-ARGUMENT… -- builds the preset and runs its cases; the figures are added up, a
# build that fails is a failure.
check() {
    local preset=$1 total bad left_out
    shift

    heading "preset $preset"
    if ! cmake --preset "$preset" -DSAC_TESTS=ON -DSAC_WERROR=ON --log-level=WARNING >/dev/null ||
        ! cmake --build "build/$preset"; then
        echo "preset $preset does not build"
        failed=$((failed + 1))
        return
    fi
    : >"$report"
    ctest --test-dir "build/$preset" --parallel "$(nproc)" --output-on-failure --no-tests=error \
        --output-junit "$report" "$@" || true
    total=$(figure tests)
    bad=$(figure failures)
    left_out=$(($(figure skipped) + $(figure disabled)))
    if [ "$total" -eq 0 ]; then bad=1 total=1; fi
    failed=$((failed + bad))
    skipped=$((skipped + left_out))
    passed=$((passed + total - bad - left_out))
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

heading "done"
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
