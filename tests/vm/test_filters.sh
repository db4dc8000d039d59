#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_filters.sh: filters are policies of the kernel: which of them decides, what can't be one, how
# they are replaced, what survives, and that nobody can cut the service off.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

passes() { left ping -c 1 -W 2 -q "$1" >/dev/null; }
count_policies() { policies_of left | grep -c '^src' || true; }
# The answer of left's daemon to right, over the wire: far URL
far() {
    right curl -s -o /dev/null -w '%{http_code}' --max-time 10 --cacert "$work/pki/ca.pem" \
        --cert "$work/pki/orchestrator.pem" --key "$work/pki/orchestrator.key" \
        --connect-to "localhost:8443:$1:8443" https://localhost:8443/filters || true
}

begin "the daemon starts"
make_hosts
make_pki
mkdir -p "$work/store"
store=sqlite:$work/store/left.db
listen='[::]:8443'
start_daemon left
[ "$(count_policies)" = 0 ] || fail "policies without filters: $(policies_of left)"

begin "somebody else's policy, with the conditions of a filter"
left ip xfrm policy add src 192.0.2.1 dst 192.0.2.99 dir out action block
refused left POST /filters FWP_E_ALREADY_EXISTS \
    "$(filter_body outboundTransportV4 block "$(condition ipLocalAddress 192.0.2.1),$(condition ipRemoteAddress 192.0.2.99)")"
must left GET /filters 200
[ "$(member '.items | length')" = 0 ] || fail "a refused filter is there"

begin "the heavier filter decides, whichever came first"
add_filter left outboundTransportV4 block "$(condition ipRemoteAddress 192.0.2.0/24)" '"weight":{"range":1}'
block=$filter_id
! passes 192.0.2.2 || fail "the block does not hold"
add_filter left outboundTransportV4 permit "$(condition ipRemoteAddress 192.0.2.2)" '"weight":{"range":3}'
passes 192.0.2.2 || fail "the heavier permit does not decide"
add_filter left outboundTransportV4 block "$(condition ipProtocol 1)" '"weight":{"range":2}'
passes 192.0.2.2 || fail "a lighter block decides"
must left DELETE "/filters/$filter_id" 204
must left DELETE "/filters/$block" 204
passes 192.0.2.2 || fail "the block holds although it is gone"
add_filter left outboundTransportV4 block "$(condition ipProtocol 1)"

begin "of many close weights the order holds"
for i in 1 2 3 4 5 6; do
    add_filter left outboundTransportV4 block \
        "$(condition ipRemoteAddress 192.0.2.2),$(condition ipRemotePort $((7000 + i)))" "\"weight\":$i"
done
left ip xfrm policy list dir out | sed -n 's/.*dport \([0-9]*\).*/\1/p; s/.*priority \([0-9]*\).*/\1/p' |
    grep -A1 '^700[1-6]$' | grep -v '^--' | paste -d ' ' - - | sort -n >/tmp/ranks
awk 'NR > 1 && $2 >= last { exit 1 } { last = $2 }' /tmp/ranks || fail "not heavier first: $(cat /tmp/ranks)"
[ "$(wc -l </tmp/ranks)" = 6 ] || fail "six expected: $(cat /tmp/ranks)"

begin "what the kernel can't express is refused before anything changes"
before=$(count_policies)
refused left POST /filters FWP_E_CALLOUT_NOTIFICATION_FAILED \
    "$(filter_body outboundTransportV4 block "$(condition ipProtocol 0)")"
[ "$(count_policies)" = "$before" ] || fail "a policy has come or gone"

begin "the same conditions twice"
refused left POST /filters FWP_E_ALREADY_EXISTS \
    "$(filter_body outboundTransportV4 block "$(condition ipProtocol 1)")"

wipe left
begin "a transaction replaces a filter, and no packet gets through in between"
add_filter left outboundTransportV4 block "$(condition ipRemoteAddress 192.0.2.2)"
old=$filter_id
wire_seen >/dev/null
left ping -c 100 -i 0.01 -W 1 -q 192.0.2.2 >/tmp/ping 2>&1 &
ping_pid=$!
for _ in 1 2 3; do
    must left POST /sessions 201 '{}'
    session=$(member .sessionKey)
    must left POST "/sessions/$session/transaction" 201 '{}'
    must_in "$session" left DELETE "/filters/$old" 204
    must_in "$session" left POST /filters 201 \
        "$(filter_body outboundTransportV4 block "$(condition ipRemoteAddress 192.0.2.2)")"
    old=$(member .id)
    must left POST "/sessions/$session/transaction/commit" 204
    must left DELETE "/sessions/$session" 204
done
wait "$ping_pid" || true
# shellcheck disable=SC2119
wire_only
must left DELETE "/filters/$old" 204

begin "filters that cover everything don't cut the service off"
for version in V4 V6; do
    for direction in outbound inbound; do
        add_filter left "${direction}Transport$version" "ipsec${direction^}Transport$version" ''
    done
done
! passes 192.0.2.2 || fail "something gets through in the clear"
! passes 2001:db8::2 || fail "something gets through in the clear"
left ip neigh flush all
right ip neigh flush all
[ "$(far 192.0.2.1)" = 200 ] || fail "the service can't be reached over IPv4"
[ "$(far '[2001:db8::1]')" = 200 ] || fail "the service can't be reached over IPv6"

begin "after a crash the filters are there, and what should not be is gone"
wipe left
add_filter left outboundTransportV4 block "$(condition ipRemoteAddress 192.0.2.77)"
add_filter left outboundTransportV4 block "$(condition ipRemoteAddress 192.0.2.2)"
cp -r "$work/store" "$work/store.two"
add_filter left outboundTransportV4 block "$(condition ipRemoteAddress 192.0.2.78)"
stop_daemon left KILL
rm -rf "$work/store"
mv "$work/store.two" "$work/store"
left ip xfrm policy delete src 0.0.0.0/0 dst 192.0.2.77 dir out
! passes 192.0.2.2 || fail "the policy did not outlive the daemon"
start_daemon left
wait_for "the policies of the store" sh -c \
    "ip netns exec left ip xfrm policy list dir out | grep -q 192.0.2.77 &&
     ! ip netns exec left ip xfrm policy list dir out | grep -q 192.0.2.78"
! passes 192.0.2.2 || fail "the filter is gone"

begin "drift is told and mended"
must left GET /drift 200
[ "$(member '[.sasMissing,.sasLeftOver,.policiesMissing,.policiesLeftOver]|add')" = 0 ] || fail "$BODY"
[ "$(member .foreign)" -ge 1 ] || fail "the foreign policy does not count: $BODY"
left ip xfrm policy delete src 0.0.0.0/0 dst 192.0.2.2 dir out
must left GET /drift 200
[ "$(member .policiesMissing)" = 1 ] || fail "$BODY"
must left POST /reconcile 200
[ "$(member .policiesMissing)" = 1 ] || fail "$BODY"
must left GET /drift 200
[ "$(member .policiesMissing)" = 0 ] || fail "$BODY"
! passes 192.0.2.2 || fail "the filter was not mended"
metrics=$(left curl -s http://127.0.0.1:9180/metrics)
grep -q '^sa_contextd_plane_repairs_total [1-9]' <<<"$metrics" || fail "repairs are not counted"
grep -q '^sa_contextd_xfrm_stat_total{counter="XfrmOutPolBlock"} [1-9]' <<<"$metrics" ||
    fail "the kernel's counters are not shown"

begin "a stop keeps what is there, or flushes it"
stop_daemon left
! passes 192.0.2.2 || fail "the policies did not stay"
start_daemon left --on-shutdown flush
! passes 192.0.2.2 || fail "the policies were not adopted"
stop_daemon left
passes 192.0.2.2 || fail "something is left"
[ "$(left ip xfrm policy list | grep -c '^src')" = 1 ] || fail "left over: $(left ip xfrm policy list)"
left ip xfrm policy list | grep -q 192.0.2.99 || fail "the foreign policy is gone"

begin "tear down"
stop_daemons
drop_hosts
