#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# watch.sh: how long after a create its event is with each of many watchers; prints a JSON line.
# usage: tests/bench/watch.sh [WATCHERS [EVENTS [DAEMON OPTION…]]]     default: 100 watchers, 2000
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
watchers=${1:-100} events=${2:-2000}
shift $(($# < 2 ? $# : 2))
work=$(mktemp -d /var/tmp/sa-contextd-watch.XXXXXX)
daemon=

end() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

cmake --build "$root/build/release" --target sa-contextd watch >"$work/build" ||
    { cat "$work/build" >&2; exit 1; }
"$root/deploy/pki.sh" "$work/pki" >/dev/null
"$root/build/release/sa-contextd" --listen 127.0.0.1:0 --ops-listen off --audit-log off \
    --tls-cert "$work/pki/server.pem" --tls-key "$work/pki/server.key" \
    --client-ca "$work/pki/ca.pem" --access "$root/deploy/access.example.json" \
    --store "sqlite:$work/state.db" --max-watchers 100000 "$@" 2>"$work/log" &
daemon=$!
for _ in $(seq 200); do
    grep -q '"event":"listening"' "$work/log" && break
    sleep 0.05
done
port=$(sed -n 's/.*"event":"listening","address":"127.0.0.1:\([0-9]*\)".*/\1/p' "$work/log")
[ -n "$port" ] || { cat "$work/log" >&2; exit 1; }

filter=$(curl -s --cacert "$work/pki/ca.pem" --cert "$work/pki/orchestrator.pem" \
    --key "$work/pki/orchestrator.key" -H 'Content-Type: application/json' \
    "https://127.0.0.1:$port/filters" -d '{"displayData": {"name": "out"},
    "layer": "outboundTransportV4", "action": {"type": "calloutTerminating",
    "callout": "ipsecOutboundTransportV4"}}' | sed -n 's/^{"id":\([0-9]*\).*/\1/p')
[ -n "$filter" ] || { echo "watch: no filter" >&2; exit 1; }
"$root/build/release/tests/bench/watch" 127.0.0.1 "$port" "$work/pki/ca.pem" \
    "$work/pki/orchestrator.pem" "$work/pki/orchestrator.key" "$filter" "$watchers" "$events"
