#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_transport.sh: two daemons, told through HTTPS, make SAs that carry traffic between their
# hosts, and the middle sees nothing in the clear.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

# try VERSION LEFT RIGHT KIND SEEN [MORE-OF-BUNDLES] -- a context on each host; pings and TCP cross as SEEN only.
try() {
    local version=$1 left=$2 right=$3 kind=$4 seen=$5 more=${6-} left_id right_id

    begin "$version transport, $kind"
    filter_pair left "$version" "$left" "$right"
    local left_filters=("$out_filter" "$in_filter")
    keyed_context left "$version" "$left" "$right" 4097 4098 "$kind" "$more"
    left_id=$context_id
    filter_pair right "$version" "$right" "$left"
    local right_filters=("$out_filter" "$in_filter")
    keyed_context right "$version" "$right" "$left" 4098 4097 "$kind" "$more"
    right_id=$context_id
    wire_seen >/dev/null
    left ping -c 3 -i 0.1 -W 2 -q "$right" >/dev/null || fail "no answers"
    talk "$left" "$right"
    wire_only "$seen"

    must left GET "/sa-contexts/$left_id" 200
    [ "$(member .state)" = active ] || fail "the state is $(member .state)"
    must left DELETE "/sa-contexts/$left_id" 204
    must right DELETE "/sa-contexts/$right_id" 204
    [ -z "$(left ip xfrm state)" ] || fail "left: a state is left over"
    [ -z "$(right ip xfrm state)" ] || fail "right: a state is left over"
    wire_seen >/dev/null
    ! left ping -c 1 -W 1 -q "$right" >/dev/null || fail "an answer came without SAs"
    wire_only
    for id in "${left_filters[@]}"; do must left DELETE "/filters/$id" 204; done
    for id in "${right_filters[@]}"; do must right DELETE "/filters/$id" 204; done
    left ping -c 1 -W 2 -q "$right" >/dev/null || fail "filters are gone, and still nothing crosses"
    [ -z "$(policies_of left)$(policies_of right)" ] || fail "a policy is left over"
    wire_seen >/dev/null
}

# talk FROM TO -- 300 kB over TCP.
talk() {
    head -c 300000 /dev/zero >/tmp/sent
    right timeout 20 nc -l -N "$2" 5000 >/tmp/received </dev/null &
    local pid=$!
    wait_for "the listener" sh -c "ip netns exec right ss -ltn | grep -q :5000"
    left timeout 20 nc -N "$2" 5000 </tmp/sent || fail "TCP does not flow"
    wait "$pid"
    cmp /tmp/sent /tmp/received || fail "TCP delivered something else"
}

begin "daemons start"
make_hosts
make_pki
for host in left right; do start_daemon "$host" --allow-weak-transforms true; done
grep CapEff "/proc/${daemon_pids[left]}/status"

try v4 192.0.2.1 192.0.2.2 gcm128 esp
try v4 192.0.2.1 192.0.2.2 gcm256 esp
try v4 192.0.2.1 192.0.2.2 cbc esp
try v4 192.0.2.1 192.0.2.2 ah ah
try v4 192.0.2.1 192.0.2.2 gcm128+ah ah-esp
try v4 192.0.2.1 192.0.2.2 gcm128 udp-esp \
    ',"udpEncapsulation":{"localPort":4500,"remotePort":4500}'
try v6 2001:db8::1 2001:db8::2 gcm128 esp
try v6 2001:db8::1 2001:db8::2 gcm256 esp
try v6 2001:db8::1 2001:db8::2 cbc esp
try v6 2001:db8::1 2001:db8::2 gcm128+ah ah-esp

begin "tear down"
stop_daemons
drop_hosts
