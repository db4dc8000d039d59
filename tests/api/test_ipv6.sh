#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_ipv6.sh: callers and operators over IPv6, alone and beside IPv4 on one socket.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

if ! grep -q ' lo$' /proc/net/if_inet6 2>/dev/null; then
    echo "1..0 # SKIP no IPv6 here"
    exit 77
fi

# start ADDRESS: both listeners there; OPTIONS are then those that it has.
start() {
    OPTIONS=(--tls-cert "$PKI/server.pem" --tls-key "$PKI/server.key" --client-ca "$PKI/ca.pem"
        --access "$WORK/access.json" --store memory: --audit-log "$WORK/audit.log")
    make_pki
    : >"$LOG"
    "$SA_CONTEXTD" "${OPTIONS[@]}" --listen "$1:0" --ops-listen "$1:0" 2>>"$LOG" &
    DAEMON_PID=$!
    for _ in $(seq 600); do grep -q '"event":"listening for operators"' "$LOG" && break; sleep 0.05; done
    LISTEN=$(jq -r 'select(.event == "listening") | .address' "$LOG")
    OPS_LISTEN=$(jq -r 'select(.event == "listening for operators") | .address' "$LOG")
    OPTIONS+=(--listen "$LISTEN" --ops-listen "$OPS_LISTEN")
}
peers() { jq -r '.peer | sub(":[0-9]+$"; "")' "$WORK/audit.log" | sort -u | xargs; }

start '[::1]'
URL=https://$LISTEN
OPS=http://$OPS_LISTEN
is "it says where it listens" "${LISTEN%:*} ${OPS_LISTEN%:*}" "[::1] [::1]"
call GET /whoami '' -g
answered "a caller is served" 200
call POST /filters '{"displayData": {"name": "out"}, "layer": "outboundTransportV6",
    "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": "2001:db8::1"},
                   {"field": "ipRemoteAddress", "match": "equal", "value": "2001:db8:1::/64"}],
    "action": {"type": "calloutTerminating", "callout": "ipsecOutboundTransportV6"}}' -g
answered "a filter" 201
call POST /sa-contexts '{"localAddress": "2001:db8::1", "remoteAddress": "2001:db8:1::7",
    "trafficType": "transport", "ipsecFilterId": '"$(member .id)"'}' -g
answered "a context" 201
is "the audit's peer" "$(peers)" "[::1]"
check "readiness" curl -gsf --max-time 10 -o "$WORK/ready" "$OPS/readyz"
check "--healthcheck" "$SA_CONTEXTD" --healthcheck --ops-listen "$OPS_LISTEN"
check "--check beside it" bash -c '"$0" --check "$@" 2>/dev/null' "$SA_CONTEXTD" "${OPTIONS[@]}"
OPS=
stop_daemon
is "it ends" "$STATUS" 0

if [ "$(cat /proc/sys/net/ipv6/bindv6only)" = 0 ]; then
    rm -f "$WORK/audit.log"
    start '[::]'
    URL=https://127.0.0.1:${LISTEN##*:}
    call GET /sa-contexts
    answered "one socket takes a caller over IPv4" 200
    URL="https://[::1]:${LISTEN##*:}"
    call GET /sa-contexts '' -g
    answered "and over IPv6" 200
    is "each peer as it is" "$(peers)" "127.0.0.1 [::1]"
    check "--healthcheck asks the loopback address" "$SA_CONTEXTD" --healthcheck --ops-listen "$OPS_LISTEN"
fi
OPS=

finish
