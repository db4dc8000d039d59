#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_strangers.sh: somebody else deletes SAs and policies of the service under traffic: policies
# come back and contexts whose SAs are gone are expired, without waiting for the time of the next
# comparison, which is half a minute after the start at the earliest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${ping_pid:-}" "${wire_pid:-}" 2>/dev/null || true' EXIT

# soon WHAT COMMAND… -- well before a comparison would come by itself
soon() {
    local what=$1 tries=150
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || {
            cat "$work/left.log"
            fail "waited in vain for $what"
        }
        pause 0.1
    done
}
policies() { ip -n left xfrm policy list | sort; }
has_policies() { [ "$(policies)" = "$wanted" ]; }
# A new daemon is half a minute away from its first comparison.
restart() {
    stop_daemon left
    start_daemon left
}
# keyed: a context on left to right; its id is in context_id.
spi=4200
keyed() {
    spi=$((spi + 2))
    out_filter=$right_filter
    keyed_context right v4 192.0.2.2 192.0.2.1 $spi $((spi + 1)) gcm128
    out_filter=$left_filter
    keyed_context left v4 192.0.2.1 192.0.2.2 $((spi + 1)) $spi gcm128
}

begin "two hosts with SAs, and traffic"
make_hosts
make_pki
mkdir -p "$work/store"
start_daemon right
store=sqlite:$work/store/strangers.db
start_daemon left
filter_pair left v4 192.0.2.1 192.0.2.2
left_filter=$out_filter
filter_pair right v4 192.0.2.2 192.0.2.1
right_filter=$out_filter
keyed
ip -n left xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x9999 reqid 1 mode tunnel \
    aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128
wanted=$(policies)
[[ $wanted == *'priority 1 '* ]] || fail "the service has no permits: $wanted"
wire_look
nsenter --net=/run/netns/left ping -i 0.05 -q 192.0.2.2 >/tmp/ping &
ping_pid=$!
pause 0.5
wire_only esp

begin "all policies are flushed: they come back, and with them protection"
ip -n left xfrm policy flush
soon "the policies" has_policies
wire_look
pause 1
wire_only esp

begin "so does one that is deleted"
ip -n left xfrm policy delete src 192.0.2.1 dst 192.0.2.2 dir out
soon "the policy" has_policies
wire_look
pause 1
wire_only esp

begin "the service's own permit comes back"
restart
ip -n left xfrm policy delete dir in src ::/0 dst ::/0 proto ipv6-icmp type 133
soon "the permit" has_policies

begin "an SA is deleted: the context is expired, and nothing goes in the clear"
restart
follow left
ip -n left xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi $spi
soon "the context to be expired" state_is left "$context_id" expired
soon "the event" told left "$context_id" dataPlane
[ -z "$(ip -n left xfrm state list spi $((spi + 1)))" ] || fail "half a pair is left"
wire_look
pause 0.5
wire_only

begin "all SAs are flushed: likewise, and new ones work"
must left DELETE "/sa-contexts/$context_id" 204
keyed
wire_look
pause 0.5
wire_only esp
ip -n left xfrm state flush
soon "the context to be expired" state_is left "$context_id" expired
soon "the event" told left "$context_id" dataPlane
wire_look
pause 0.5
wire_only
must left DELETE "/sa-contexts/$context_id" 204
keyed
pause 0.5
wire_look
pause 0.5
wire_only esp

begin "somebody else has taken a policy's place: it is said, and his stays"
restart
ip -n left xfrm policy update src 192.0.2.1 dst 192.0.2.2 dir out action block priority 7
is_missed() { grep -q '"event":"the data plane is not as it should be.*"policiesMissing":1' "$work/left.log"; }
soon "the comparison" is_missed
ip -n left xfrm policy list src 192.0.2.1 | grep -q 'action block priority 7' || fail "it is gone"
names_it() {
    grep -q '"event":"the data plane does not enforce a filter; each comparison tries it again","filterId":'"$left_filter,"'.*dir out action block priority 7 src 192.0.2.1/32 dst 192.0.2.2/32"' "$work/left.log"
}
soon "its name" names_it
! grep -q 'unprotected\|mending' "$work/left.log" || fail "the log knows more than there is: $(cat "$work/left.log")"

begin "when his goes the service's comes, also when mending did not help for long"
is_in_vain() { [ "$(grep -c '"event":"the data plane is still not as it should be' "$work/left.log")" -ge 3 ]; }
soon "comparisons in vain" is_in_vain
ip -n left xfrm policy delete src 192.0.2.1 dst 192.0.2.2 dir out
is_back() { ip -n left xfrm policy list dir out | grep -A3 'src 192.0.2.1/32 dst 192.0.2.2' | grep -q tmpl; }
soon "the filter's policy" is_back
is_enforced() { left curl -s http://127.0.0.1:9180/readyz | grep -qx 'filters ok'; }
soon "readyz to say so" is_enforced
grep -q '"event":"the data plane enforces a filter that it refused before","filterId":'"$left_filter}" "$work/left.log" || fail "the log does not say so"
ip -n left xfrm policy update src 192.0.2.1 dst 192.0.2.2 dir out action block priority 7

begin "so it is after a restart, and when his goes the service's comes"
restart
must left GET /drift 200
[ "$(member .policiesMissing)" = 1 ] || fail "the filter that was refused is not missed: $BODY"
ip -n left xfrm policy delete src 192.0.2.1 dst 192.0.2.2 dir out
soon "the filter's policy" is_back

begin "somebody else blocks what the service needs: that is missed and said until his goes"
permit=(src 0.0.0.0/0 dst 127.0.0.1/32 proto tcp dport 8443 dir in)
has_permit() { ip -n left xfrm policy get "${permit[@]}" | grep -q 'priority 1 '; }
has_permit || fail "the service's port is not exempt: $(policies)"
restart
ip -n left xfrm policy update "${permit[@]}" action block priority 0
is_blocked() { grep -q '"event":"another policy decides on packets that the service needs".*"policy":"dir in action block priority 0 src 0.0.0.0/0 dst 127.0.0.1/32' "$work/left.log"; }
soon "a line about it" is_blocked
for _ in 1 2; do
    must left GET /drift 200
    [ "$(member .policiesMissing)" = 1 ] || fail "$BODY"
    pause 1
done
ip -n left xfrm policy delete "${permit[@]}"
soon "the permit" has_permit
passes_again() { grep -q '"event":"packets that the service needs pass again"' "$work/left.log"; }
soon "a line about that" passes_again

begin "tear down"
kill "$ping_pid"
wait "$ping_pid" 2>/dev/null || true
ping_pid=
stop_daemons
drop_hosts
