#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_quickstart.sh DIR: the quickstart in DIR, and then the README's walk as it stands there.
#
# Every block of the section is run, but for the event stream's, which goes on for ever: each call
# must succeed, so the identifiers in the text are those that a reader gets.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$1
pid=
calls=0

fail() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}
# shellcheck disable=SC2317
cleanup() {
    if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi
}
trap cleanup EXIT

"$root/deploy/quickstart.sh" --once --dir "$dir"
"$root/deploy/quickstart.sh" --dir "$dir" >"$dir/output"
pid=$(cat "$dir/sa-contextd.pid")
cd "$dir"

# In place of the README's alias of that name: the same, and the status is looked at.
sac() {
    local status

    status=$(curl -s --max-time 20 --cacert pki/ca.pem --cert pki/orchestrator.pem \
        --key pki/orchestrator.key -H "Content-Type: application/json" -o answer \
        -w '%{http_code}' "$@") || fail "curl failed: $*"
    calls=$((calls + 1))
    printf '%s %s\n' "$status" "$*"
    case $status in
    2??) ;;
    *) fail "$* gave $status: $(cat answer)" ;;
    esac
}

sed -n '/^## A walk with curl$/,/^## A walk: /p' "$root/README.md" >section
grep -q "^alias sac='curl " section || fail "the README has no alias 'sac'"
awk '/^```/ { inside = !inside; if (!inside && block !~ /since=|^\{/) printf "%s", block; block = ""; next }
    inside { block = block $0 "\n" }' section | grep -v '^alias \|^url=' >walk
[ -s walk ] || fail "the README has no walk"
# Read by the walk.
# shellcheck disable=SC2034
url=https://$(jq -r .listen sa-contextd.json)
# shellcheck source=/dev/null
. ./walk
[ "$calls" -ge 7 ] || fail "the walk has only $calls calls"

begin=$SECONDS
kill "$pid"
while kill -0 "$pid" 2>/dev/null; do
    [ $((SECONDS - begin)) -lt 30 ] || fail "the daemon does not end"
    sleep 0.1
done
pid=
grep -q '"event":"stopped"' log || fail "it did not end by itself"
echo "quickstart: all as it should be"
