#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_quickstart.sh DIR: the quickstart in DIR, and then the README's walks as they stand there; and
# once more with the daemon that the README starts by hand.
#
# Every block of the walks is run, but for what is an answer.  Each call must succeed, so what the
# text promises is what a reader gets.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$1
pid=

fail() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}
# shellcheck disable=SC2317
cleanup() {
    if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi
}
trap cleanup EXIT

# In place of the README's function of that name: the same, and the status is looked at.  A stream
# goes on until it is cut, which is no failure.
sac() {
    local status=0 answer
    local -a options=(-s --cacert pki/ca.pem --cert pki/orchestrator.pem --key pki/orchestrator.key
        -H "Content-Type: application/json" -w '\n%{http_code}')

    if [ "$1" = -N ]; then options+=(--max-time 2); else options+=(--max-time 20); fi
    answer=$(curl "${options[@]}" "$@") || status=$?
    if [ "$status" != 0 ] && ! { [ "$1" = -N ] && [ "$status" = 28 ]; }; then
        fail "curl failed ($status): $*"
    fi
    status=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    printf '%s %s\n' "$status" "$*" >>calls
    case $status in
    2??) printf '%s\n' "$answer" ;;
    *) fail "$* gave $status: $answer" ;;
    esac
}

# blocks FROM TO: what is to be typed between two lines of the README.
blocks() {
    sed -n "/^$1/,/^$2/p" "$root/README.md" |
        awk '/^```/ { inside = !inside; if (!inside && block !~ /^\{/) printf "%s", block; block = ""; next }
             inside { block = block $0 "\n" }'
}

# walk: in the folder of a daemon that listens at $url.
walk() {
    : >calls
    blocks '## A walk with curl$' '## The interface$' | grep -v '^url=\|^sac() ' >walk
    [ "$(wc -l <walk)" -gt 60 ] || fail "the README has no walk"
    # Through a pipe, for what is shown with tee; a failure ends it here.
    # shellcheck source=/dev/null
    (. ./walk) 2>&1 | tee answers
    [ "$(wc -l <calls)" -ge 50 ] || fail "the walk has only $(wc -l <calls) calls"
    grep -q '"type":"delete"' answers || fail "no event was seen"
    grep -q '"state":"expiring"' answers || fail "the rotation ended nothing"
    local left='[.items[] | select(.displayData.name | startswith("IKE") | not)] | length'
    [ "$(sac "$url/filters" | jq "$left")" = "$1" ] || fail "the walk left filters behind"
}

stop() {
    local begin=$SECONDS

    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        [ $((SECONDS - begin)) -lt 30 ] || fail "the daemon does not end"
        sleep 0.1
    done
    pid=
    grep -q '"event":"stopped"' log || fail "it did not end by itself"
}

"$root/deploy/quickstart.sh" --once --dir "$dir"
"$root/deploy/quickstart.sh" --dir "$dir" >"$dir/output"
pid=$(cat "$dir/sa-contextd.pid")
cd "$dir"
url=https://$(jq -r .listen sa-contextd.json)
walk 2
walk 2
stop

# What is built is there already, and the ports may be taken.
export SA_CONTEXTD_LISTEN=127.0.0.1:0 SA_CONTEXTD_OPS_LISTEN=127.0.0.1:0
rm -rf "$dir/hand"
blocks 'By hand the same is:$' '## ' | grep -v 'cmake' |
    sed "s|build/hand|'$dir/hand'|g; s|\.\./\.\./|'$root'/|g" >by-hand
grep -q 'sa-contextd --tls-cert' by-hand || fail "the README starts nothing by hand"
# shellcheck source=/dev/null
. ./by-hand
pid=$!
begin=$SECONDS
until grep -q '"event":"listening for operators"' log; do
    kill -0 "$pid" 2>/dev/null || fail "the daemon did not start: $(cat log)"
    [ $((SECONDS - begin)) -lt 30 ] || fail "the daemon does not listen"
    sleep 0.1
done
url=https://$(sed -n 's/.*"event":"listening","address":"\([^"]*\)".*/\1/p' log)
walk 0
stop
echo "quickstart: all as it should be"
