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
trap 'stop_daemons; kill "${wire_pid:-}" "${echo_pid:-}" 2>/dev/null || true' EXIT

# policy VERSION LEFT RIGHT: filters on both hosts, between which nothing crosses any more.
policy() {
    version=$1 at_left=$2 at_right=$3
    begin "$version: filters without SAs let nothing cross"
    filter_pair right "$version" "$at_right" "$at_left"
    right_filters=("$out_filter" "$in_filter")
    filter_pair left "$version" "$at_left" "$at_right"
    left_filters=("$out_filter" "$in_filter")
    nothing_crosses
}

no_policy() {
    begin "$version: without filters all crosses again"
    delete_all left "${left_filters[@]/#//filters/}"
    delete_all right "${right_filters[@]/#//filters/}"
    left ping -c 1 -W 2 -q "$at_right" >/dev/null || fail "nothing crosses"
    [ -z "$(policies_of left)$(policies_of right)" ] || fail "a policy is left over"
}

nothing_crosses() {
    wire_look
    ! left ping -c 1 -W 1 -q "$at_right" >/dev/null || fail "an answer came without SAs"
    wire_only
}

# try KIND SEEN [MORE-OF-BUNDLES] -- a context on each host; pings and TCP cross as SEEN only.
try() {
    local kind=$1 seen_as=$2 more=${3-} left_id

    begin "$version transport, $kind"
    out_filter=${left_filters[0]}
    keyed_context left "$version" "$at_left" "$at_right" 4097 4098 "$kind" "$more"
    left_id=$context_id
    out_filter=${right_filters[0]}
    keyed_context right "$version" "$at_right" "$at_left" 4098 4097 "$kind" "$more"
    wire_look
    left ping -c 3 -i 0.1 -W 2 -q "$at_right" >/dev/null || fail "no answers"
    talk
    wire_only "$seen_as"

    state_is left "$left_id" active || fail "not active: $BODY"
    must left DELETE "/sa-contexts/$left_id" 204
    must right DELETE "/sa-contexts/$context_id" 204
    [ -z "$(ip -n left xfrm state)" ] || fail "left: a state is left over"
    [ -z "$(ip -n right xfrm state)" ] || fail "right: a state is left over"
    nothing_crosses
}

# 300 kB over TCP, and back.
talk() {
    left timeout 60 nc -N "$at_right" 5000 </tmp/sent >/tmp/received || fail "TCP does not flow"
    cmp /tmp/sent /tmp/received || fail "TCP delivered something else"
}

begin "daemons start"
make_hosts
make_pki
for host in left right; do start_daemon "$host" --allow-weak-transforms true; done
head -c 300000 "$(readlink /proc/$$/exe)" >/tmp/sent
nsenter --net=/run/netns/right python3 echo.py 5000 &
echo_pid=$!

policy v4 192.0.2.1 192.0.2.2
try gcm128 esp
try gcm256 esp
try cbc esp
try ah ah
try gcm128+ah ah-esp
try gcm128 udp-esp ',"udpEncapsulation":{"localPort":4500,"remotePort":4500}'
no_policy
policy v6 2001:db8::1 2001:db8::2
try gcm128+ah ah-esp
try gcm128 esp
try gcm256 esp
try cbc esp
no_policy

begin "tear down"
stop_daemons
drop_hosts
