#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_instance.sh: what an instance left in the kernel keeps others from its store, until a flush
# took it away; what others made stays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

mark() { sqlite3 "$work/store/left.db" "select plane || ' ' || plane_instance from marks"; }
# Those of sockets aside: they are as the sockets are.
count_policies() { ip -n left xfrm policy list nosock | grep -c '^src'; }
count_states() { ip -n left xfrm state list | grep -c '^src'; }

# tool EXIT ARGUMENT… -- the daemon's binary on the left host, with that exit status; what it says
# is in 'said'.
tool() {
    local expected=$1 got=0
    shift
    said=$(left "${as[@]}" timeout 120 sa-contextd --listen 127.0.0.1:8443 --ops-listen 127.0.0.1:9180 --tls-cert "$work/pki/server.pem" \
        --tls-key "$work/pki/server.key" --client-ca "$work/pki/ca.pem" --access "$work/access.json" \
        --store "$store" --audit-log off "$@" 2>&1) || got=$?
    [ "$got" = "$expected" ] || fail "exit $got: $said"
}
# says WORDS -- 'said' does
says() { [[ $said == *"$1"* ]] || fail "no '$1' in: $said"; }

begin "keyed SAs and filters under instance 0, and foreign ones"
make_hosts
make_pki
chmod -R a+rX "$work"
chmod a+r "$work"/pki/*.key
mkdir -m 777 "$work/store"
store=sqlite:$work/store/left.db
ip -n left xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x9999 reqid 1 mode tunnel \
    aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128
ip -n left xfrm policy add src 10.9.0.1 dst 10.9.0.2 dir out tmpl src 10.9.0.1 dst 10.9.0.2 \
    proto esp mode tunnel reqid 1
start_daemon left --user nobody
[ "$(mark)" = "xfrm 0" ] || fail "the store remembers '$(mark)'"
filter_pair left v4 192.0.2.1 192.0.2.2
keyed_context left v4 192.0.2.1 192.0.2.2 4097 4098 gcm128
context=$context_id
[ "$(count_states)" = 3 ] || fail "SAs: $(ip -n left xfrm state list)"

begin "--flush beside the service is refused"
tool 1 --flush --plane xfrm --user nobody
says "has it open"
store=memory: tool 1 --flush --plane xfrm
says "a service runs with plane-instance 0"
[ "$(count_states)" = 3 ] || fail "SAs: $(ip -n left xfrm state list)"

begin "another instance, or another plane, does not start"
stop_daemon left
policies=$(count_policies)
tool 2 --plane xfrm --plane-instance 1 --user nobody
says '"option":"plane-instance"'
says "under xfrm, instance 0, which xfrm, instance 1 would leave behind"
tool 2 --plane none --user nobody
says '"option":"plane"'
tool 2 --check --plane xfrm --plane-instance 1 --user nobody
says "clear the kernel with --flush"
tool 0 --check --plane xfrm --user nobody
[ "$(count_states) $(count_policies)" = "3 $policies" ] || fail "something went, or came"
[ "$(mark)" = "xfrm 0" ] || fail "the store remembers '$(mark)'"

begin "without the right nothing goes, and nothing is forgotten"
as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
tool 1 --flush --plane xfrm
says CAP_NET_ADMIN
as=()
[ "$(mark)" = "xfrm 0" ] || fail "the store remembers '$(mark)'"
store=memory: tool 0 --flush --plane xfrm --plane-instance 7
says '"removedSas":0,"removedPolicies":0'
[ "$(count_states) $(count_policies)" = "3 $policies" ] || fail "another instance's flush took something"

begin "--flush takes what is remembered, whatever is configured, and nothing of others"
tool 0 --flush --plane none --plane-instance 5 --user nobody
says "\"removedSas\":2,\"removedPolicies\":$((policies - 1))"
[ "$(count_states) $(count_policies)" = "1 1" ] || fail "left: $(ip -n left xfrm state list) $(ip -n left xfrm policy list)"
ip -n left xfrm state list spi 0x9999 | grep -q 'reqid 1' || fail "the foreign state is gone"
ip -n left xfrm policy list src 10.9.0.1 | grep -q 'reqid 1' || fail "the foreign policy is gone"
[ "$(mark)" = " 0" ] || fail "the store remembers '$(mark)'"

begin "then instance 1 starts, with the same filters, and the context is expired"
start_daemon left --user nobody --plane-instance 1
[ "$(mark)" = "xfrm 1" ] || fail "the store remembers '$(mark)'"
[ "$(count_policies)" = "$policies" ] || fail "policies: $(ip -n left xfrm policy list)"
wait_for "the context to be expired" state_is left "$context" expired

begin "after a stop that flushed any instance starts"
stop_daemon left
start_daemon left --user nobody --plane-instance 1 --on-shutdown flush
stop_daemon left
[ "$(mark)" = " 0" ] || fail "the store remembers '$(mark)'"
start_daemon left --user nobody --plane-instance 2
[ "$(mark)" = "xfrm 2" ] || fail "the store remembers '$(mark)'"

begin "a killed service is remembered"
stop_daemon left KILL
tool 2 --plane xfrm --plane-instance 3 --user nobody
tool 0 --flush --user nobody
[ "$(count_states) $(count_policies)" = "1 1" ] || fail "left: $(ip -n left xfrm state list) $(ip -n left xfrm policy list)"

begin "tear down"
stop_daemons
drop_hosts
