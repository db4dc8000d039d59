#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_deps.sh: deps.sh does nothing where all is there, and names what is wrong with its arguments.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}

output=$("$root/deploy/deps.sh" --tests) || fail "deps.sh --tests failed"
[ "$output" = "deps: all is there" ] || fail "there was something to do: $output"

# An apt-get that must not be asked.
mkdir "$work/bin"
printf '#!/bin/sh\nexit 99\n' >"$work/bin/apt-get"
chmod +x "$work/bin/apt-get"
PATH=$work/bin:$PATH "$root/deploy/deps.sh" --tests >/dev/null || fail "it asked apt-get"

status=0
"$root/deploy/deps.sh" --unknown >"$work/output" 2>&1 || status=$?
[ "$status" = 2 ] || fail "an unknown option gives status $status"
grep -q '^usage:' "$work/output" || fail "an unknown option does not show the usage"

# A libmicrohttpd that is too old, or a header without a library, does not count.
mkdir -p "$work/prefix/include" "$work/prefix/lib"
: >"$work/prefix/lib/libmicrohttpd.a"
echo '#define MHD_VERSION 0x00097500' >"$work/prefix/include/microhttpd.h"
status=0
PATH=$work/bin:$PATH "$root/deploy/deps.sh" --prefix "$work/prefix" >"$work/output" 2>&1 || status=$?
[ "$status" = 1 ] || fail "version 0.9.75 gives status $status"
echo "deps.sh: all as it should be"
