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

# block REMOTE [MEMBERS]: a filter for what goes there; block_body REMOTE: its body, in 'filter'.
block() {
    conditions ipRemoteAddress "$1"
    add_filter left outboundTransportV4 block "$conditions" "${2-}"
}
block_body() {
    conditions ipRemoteAddress "$1"
    filter_body outboundTransportV4 block "$conditions"
}
passes() { left ping -c 1 -W 2 -q "$1" >/dev/null; }
count_policies() { policies_of left | grep -c '^src' || true; }
has_policy() { [ -n "$(ip -n left xfrm policy list dir out dst "$1")" ]; }
# The answer of left's daemon to right, over the wire: far URL
far() {
    right curl -s -o /dev/null -w '%{http_code}' --max-time 60 --cacert "$work/pki/ca.pem" \
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
ip -n left xfrm policy add src 192.0.2.1 dst 192.0.2.99 dir out action block
conditions ipLocalAddress 192.0.2.1 ipRemoteAddress 192.0.2.99
filter_body outboundTransportV4 block "$conditions"
refused left POST /filters FWP_E_ALREADY_EXISTS "$filter"
said=$(member .detail)
[[ $said == *': dir out action block priority 0 src 192.0.2.1/32 dst 192.0.2.99/32' ]] || fail "which it is, is not said: $said"
refused left POST '/filters?dryRun=true' FWP_E_ALREADY_EXISTS "$filter"
[ "$(member .detail)" = "$said" ] || fail "a dry run says otherwise: $BODY"
must left GET /filters 200
[ "$(member '.items | length')" = 0 ] || fail "a refused filter is there"

begin "the heavier filter decides, whichever came first"
block 192.0.2.0/24 '"weight":{"range":1}'
wide=$filter_id
! passes 192.0.2.2 || fail "the block does not hold"
conditions ipRemoteAddress 192.0.2.2
add_filter left outboundTransportV4 permit "$conditions" '"weight":{"range":3}'
passes 192.0.2.2 || fail "the heavier permit does not decide"
conditions ipProtocol 1
add_filter left outboundTransportV4 block "$conditions" '"weight":{"range":2}'
passes 192.0.2.2 || fail "a lighter block decides"
delete_all left "/filters/$filter_id" "/filters/$wide"
passes 192.0.2.2 || fail "the block holds although it is gone"
add_filter left outboundTransportV4 block "$conditions"

begin "of many close weights the order holds"
posts=()
for i in 1 2 3 4 5 6; do
    conditions ipRemoteAddress 192.0.2.2 ipRemotePort $((7000 + i))
    filter_body outboundTransportV4 block "$conditions" "\"weight\":$i"
    posts+=(/filters "$filter")
done
must_all left POST 201 "${posts[@]}"
ip -n left xfrm policy list dir out | sed -n 's/.*dport \([0-9]*\).*/\1/p; s/.*priority \([0-9]*\).*/\1/p' |
    grep -A1 '^700[1-6]$' | grep -v '^--' | paste -d ' ' - - | sort -n >/tmp/ranks
awk 'NR > 1 && $2 >= last { exit 1 } { last = $2 }' /tmp/ranks || fail "not heavier first: $(cat /tmp/ranks)"
[ "$(wc -l </tmp/ranks)" = 6 ] || fail "six expected: $(cat /tmp/ranks)"

begin "what the kernel can't express is refused before anything changes"
before=$(count_policies)
conditions ipProtocol 0
filter_body outboundTransportV4 block "$conditions"
refused left POST /filters FWP_E_CALLOUT_NOTIFICATION_FAILED "$filter"
[ "$(count_policies)" = "$before" ] || fail "a policy has come or gone"

begin "the same conditions twice"
conditions ipProtocol 1
filter_body outboundTransportV4 block "$conditions"
refused left POST /filters FWP_E_ALREADY_EXISTS "$filter"
said=$(member '.detail, .pointer')
refused left POST '/filters?dryRun=true' FWP_E_ALREADY_EXISTS "$filter"
[ "$(member '.detail, .pointer')" = "$said" ] || fail "a dry run says otherwise: $BODY"

begin "a dry run of a transaction says what its commit would, and changes nothing"
must left POST /sessions 201 '{}'
in_session=$(member .sessionKey)
must left POST "/sessions/$in_session/transaction" 201 '{}'
must left POST /filters 201 "$filter"
refused left POST "/sessions/$in_session/transaction/commit?dryRun=true" FWP_E_ALREADY_EXISTS
said=$(member .detail)
before=$(policies_of left)
must left DELETE "/filters/$filter_id" 204
must left POST "/sessions/$in_session/transaction/commit?dryRun=true" 204
[ "$(policies_of left)" = "$before" ] || fail "a policy has come or gone"
must left DELETE "/sessions/$in_session/transaction" 204
must left POST "/sessions/$in_session/transaction" 201 '{}'
must left POST /filters 201 "$filter"
refused left POST "/sessions/$in_session/transaction/commit" FWP_E_ALREADY_EXISTS
[ "${said#*filter [0-9]}" != "$said" ] && [ "$(member .detail)" = "$said" ] || fail "other words: $said, $BODY"
must left DELETE "/sessions/$in_session" 204
in_session=

wipe left
begin "a transaction replaces a filter, and no packet gets through in between"
block 192.0.2.2
old=$filter_id
wire_look
block_body 192.0.2.2
must left POST /sessions 201 '{}'
in_session=$(member .sessionKey)
left ping -c 400 -i 0.01 -W 1 -q 192.0.2.2 >/tmp/ping 2>&1 &
ping_pid=$!
for _ in 1 2 3; do
    requests=0 arguments=()
    request POST "/sessions/$in_session/transaction" '{}'
    request DELETE "/filters/$old"
    request POST /filters "$filter"
    request POST "/sessions/$in_session/transaction/commit"
    send left
    [ "${STATUSES[*]}" = "201 204 201 204" ] || fail "${STATUSES[*]}: ${BODIES[*]}"
    take_id "${BODIES[2]}"
    old=$id
done
must left DELETE "/sessions/$in_session" 204
in_session=
wait "$ping_pid" || true
wire_only
must left DELETE "/filters/$old" 204

begin "filters that cover everything don't cut the service off"
posts=()
for version in V4 V6; do
    for direction in outbound inbound; do
        filter_body "${direction}Transport$version" "ipsec${direction^}Transport$version" ''
        posts+=(/filters "$filter")
    done
done
must_all left POST 201 "${posts[@]}"
! passes 192.0.2.2 || fail "something gets through in the clear"
! passes 2001:db8::2 || fail "something gets through in the clear"
ip -n left neigh flush all
ip -n right neigh flush all
[ "$(far 192.0.2.1)" = 200 ] || fail "the service can't be reached over IPv4"
[ "$(far '[2001:db8::1]')" = 200 ] || fail "the service can't be reached over IPv6"

begin "after a crash the filters are there, and what should not be is gone"
wipe left
block 192.0.2.77
block 192.0.2.2
cp -r "$work/store" "$work/store.two"
block 192.0.2.78
stop_daemon left KILL
rm -rf "$work/store"
mv "$work/store.two" "$work/store"
ip -n left xfrm policy delete src 0.0.0.0/0 dst 192.0.2.77 dir out
! passes 192.0.2.2 || fail "the policy did not outlive the daemon"
start_daemon left
wait_for "the policies of the store" has_policy 192.0.2.77
! has_policy 192.0.2.78 || fail "a policy of no filter is left"
! passes 192.0.2.2 || fail "the filter is gone"

begin "drift is told and mended"
must left GET /drift 200
[ "$(member '[.sasMissing,.sasLeftOver,.policiesMissing,.policiesLeftOver]|add')" = 0 ] || fail "$BODY"
[ "$(member .foreign)" = 1 ] || fail "the foreign policy does not count alone: $BODY"
ready() { left curl -s http://127.0.0.1:9180/readyz; }
ready | grep -qx 'filters ok' || fail "readyz: $(ready)"
# In its place somebody else's lets all pass: that is no difference that the service mends.
ip -n left xfrm policy update src 0.0.0.0/0 dst 192.0.2.2 dir out priority 7
compare left
[ "$(member .policiesMissing)" = 1 ] || fail "$BODY"
must left POST /reconcile 200
[ "$(member .policiesMissing)" = 1 ] || fail "$BODY"
compare left
[ "$(member .policiesMissing)" = 1 ] || fail "$BODY"
must left GET "/filters/$(member '.missingFilterIds[0]')" 200
member .conditions | grep -q 192.0.2.2 || fail "another filter is named: $BODY"
ready | grep -q ', the last comparison found 1 missing and 0 left over$' || fail "readyz: $(ready)"
ready | grep -qx 'filters 1 of 2 not enforced, GET /drift names them' || fail "readyz: $(ready)"
metrics=$(left curl -s http://127.0.0.1:9180/metrics)
grep -qx 'sa_contextd_filters_unenforced 1' <<<"$metrics" || fail "the gauge is another: $(grep sa_contextd_filters <<<"$metrics")"
passes 192.0.2.2 || fail "the stranger's policy is gone"
ip -n left xfrm policy delete src 0.0.0.0/0 dst 192.0.2.2 dir out
must left POST /reconcile 200
must left GET /drift 200
[ "$(member .policiesMissing)" = 0 ] || fail "$BODY"
! passes 192.0.2.2 || fail "the filter was not mended"
ready | grep -qx 'filters ok' || fail "readyz: $(ready)"
metrics=$(left curl -s http://127.0.0.1:9180/metrics)
grep -qx 'sa_contextd_filters_unenforced 0' <<<"$metrics" || fail "the gauge is another: $(grep sa_contextd_filters <<<"$metrics")"
grep -q '^sa_contextd_plane_repairs_total [1-9]' <<<"$metrics" || fail "repairs are not counted"
grep -q '^sa_contextd_xfrm_stat_total{counter="XfrmOutPolBlock"} [1-9]' <<<"$metrics" ||
    fail "the kernel's counters are not shown"

begin "what the service needs for itself belongs to it"
permits() { ip -n left xfrm policy list | grep -c 'proto ipv6-icmp\|[sd]port 8443' || true; }
before=$(permits)
[ "$before" -ge 8 ] || fail "permits for neighbour discovery and the port: $(ip -n left xfrm policy list)"
ip -n left xfrm policy flush
ip -n left xfrm policy add src 0.0.0.0/0 dst 192.0.2.99 dir out
permits_are_back() { [ "$(permits)" = "$before" ]; }
wait_for "the permits" permits_are_back
must left GET /drift 200
[ "$(member '.policiesMissing + .policiesLeftOver')" = 0 ] || fail "$BODY"
! passes 192.0.2.2 || fail "the filter was not mended"
# One of a port that it had before.
stop_daemon left
listen='[::]:8444'
start_daemon left
listen='[::]:8443'
left_permits=$(ip -n left xfrm policy list | grep -c '[sd]port 8443' || true)
[ "$left_permits" = 0 ] || fail "the port before still passes: $(ip -n left xfrm policy list)"
stop_daemon left
start_daemon left

begin "a stop keeps what is there, or flushes it"
stop_daemon left
! passes 192.0.2.2 || fail "the policies did not stay"
start_daemon left --on-shutdown flush
! passes 192.0.2.2 || fail "the policies were not adopted"
stop_daemon left
passes 192.0.2.2 || fail "something is left"
[ "$(ip -n left xfrm policy list | grep -c '^src')" = 1 ] || fail "left over: $(ip -n left xfrm policy list)"
has_policy 192.0.2.99 || fail "the foreign policy is gone"

begin "tear down"
stop_daemons
drop_hosts
