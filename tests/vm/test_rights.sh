#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_rights.sh: what the data plane takes of the system: CAP_NET_ADMIN, which may be all that the
# process ever had, and nothing of root; and a network namespace other than the one callers are in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

# The namespace that the machine began in, as a host of lib.sh.
outside() { "$@"; }
capabilities() { sed -n "s/^$2:[[:space:]]*//p" "/proc/${daemon_pids[$1]}/task/$3/status"; }
engine_thread() { grep -lx engine /proc/"${daemon_pids[$1]}"/task/*/comm | cut -d/ -f5; }

begin "a daemon that only ever had CAP_NET_ADMIN"
make_hosts
make_pki
chmod -R a+rX "$work"
chmod a+r "$work"/pki/*.key
nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
only='-all,+net_admin'
as=("${nobody[@]}" "--inh-caps=$only" "--ambient-caps=$only" "--bounding-set=$only")
start_daemon left
as=()
start_daemon right
main=${daemon_pids[left]}
[ "$(capabilities left CapEff "$main")" = 0000000000000000 ] || fail "the main thread keeps a capability"
[ "$(capabilities left CapEff "$(engine_thread left)")" = 0000000000001000 ] ||
    fail "the engine's thread has $(capabilities left CapEff "$(engine_thread left)")"

begin "makes ESP flow"
filter_pair left v4 192.0.2.1 192.0.2.2
keyed_context left v4 192.0.2.1 192.0.2.2 4097 4098 gcm128
filter_pair right v4 192.0.2.2 192.0.2.1
keyed_context right v4 192.0.2.2 192.0.2.1 4098 4097 gcm128
right_filter=$out_filter
wire_look
left ping -c 3 -i 0.1 -W 2 -q 192.0.2.2 >/dev/null || fail "no answer"
wire_only esp

begin "a check beside it finds nothing wrong and puts nothing into the kernel"
check=(--check --listen 127.0.0.1:8444 --ops-listen off --tls-cert "$work/pki/server.pem"
    --tls-key "$work/pki/server.key" --client-ca "$work/pki/ca.pem" --access "$work/access.json"
    --store memory: --audit-log off --plane xfrm)
in_kernel() { left ip xfrm state list nokeys && left ip xfrm policy list; }
before=$(in_kernel)
left "${nobody[@]}" "--inh-caps=$only" "--ambient-caps=$only" "--bounding-set=$only" \
    sa-contextd "${check[@]}" 2>"$work/checked.log" || fail "it says: $(cat "$work/checked.log")"
outside sa-contextd "${check[@]}" --netns right 2>"$work/checked.log" || fail "it says: $(cat "$work/checked.log")"
[ "$(in_kernel)" = "$before" ] || fail "the kernel has $(in_kernel)"
middle sa-contextd "${check[@]}" 2>"$work/checked.log" || fail "it says: $(cat "$work/checked.log")"
[ -z "$(middle ip xfrm policy list)$(middle ip xfrm state list)" ] || fail "something is left in an empty kernel"
if left "${nobody[@]}" --bounding-set=-all sa-contextd "${check[@]}" 2>"$work/checked.log"; then
    fail "without the capability it passes"
fi
grep -q '"option":"plane".*CAP_NET_ADMIN' "$work/checked.log" || fail "it says: $(cat "$work/checked.log")"

begin "without the capability one line says so"
stop_daemon left
if left "${nobody[@]}" --bounding-set=-all sa-contextd --listen 127.0.0.1:8443 --ops-listen off \
    --tls-cert "$work/pki/server.pem" --tls-key "$work/pki/server.key" \
    --client-ca "$work/pki/ca.pem" --access "$work/access.json" \
    --store memory: --audit-log off --plane xfrm 2>"$work/refused.log"; then
    fail "it starts"
fi
[ "$(grep -c CAP_NET_ADMIN "$work/refused.log")" = 1 ] || fail "it says: $(cat "$work/refused.log")"

begin "callers outside, packets in a network namespace of their own"
ip -n left xfrm state flush
ip -n left xfrm policy flush
start_daemon outside --netns left
filter_pair outside v4 192.0.2.1 192.0.2.2
keyed_context outside v4 192.0.2.1 192.0.2.2 4099 4100 gcm128
out_filter=$right_filter
keyed_context right v4 192.0.2.2 192.0.2.1 4100 4099 gcm128
[ -z "$(outside ip xfrm state list)" ] || fail "an SA is where the callers are"
ip -n left xfrm state list spi 4099 | grep -q 192.0.2.1 || fail "no SA in the namespace"
wire_look
left ping -c 3 -i 0.1 -W 2 -q 192.0.2.2 >/dev/null || fail "no answer"
wire_only esp
[ "$(capabilities outside CapEff "$(engine_thread outside)")" = 0000000000001000 ] ||
    fail "it keeps more than CAP_NET_ADMIN"

begin "a second service in the namespace needs another instance"
second() {
    outside sa-contextd --listen 127.0.0.1:8444 --ops-listen off --tls-cert "$work/pki/server.pem" \
        --tls-key "$work/pki/server.key" --client-ca "$work/pki/ca.pem" --access "$work/access.json" \
        --store memory: --audit-log off --plane xfrm --netns left "$@" 2>"$work/refused.log"
}
if second; then fail "it starts"; fi
grep -q '"option":"plane".*plane-instance 0: give this one another' "$work/refused.log" ||
    fail "it says: $(cat "$work/refused.log")"
second --check || fail "a check beside the service fails: $(cat "$work/refused.log")"
grep -q 'checked beside what runs' "$work/refused.log" || fail "it says: $(cat "$work/refused.log")"
second --check --plane-instance 1 || fail "another instance: $(cat "$work/refused.log")"
left ping -c 3 -i 0.1 -W 2 -q 192.0.2.2 >/dev/null || fail "the first one's SAs are gone"

begin "a namespace that is not there"
if outside sa-contextd --listen 127.0.0.1:8444 --ops-listen off --tls-cert "$work/pki/server.pem" \
    --tls-key "$work/pki/server.key" --client-ca "$work/pki/ca.pem" --access "$work/access.json" \
    --store memory: --audit-log off --plane xfrm --netns nowhere 2>"$work/refused.log"; then
    fail "it starts"
fi
grep -q "no network namespace 'nowhere'" "$work/refused.log" || fail "it says: $(cat "$work/refused.log")"

begin "tear down"
stop_daemons
drop_hosts
