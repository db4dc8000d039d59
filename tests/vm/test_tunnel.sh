#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_tunnel.sh: tunnels between the networks behind two hosts, made through HTTPS: IPv4 and IPv6
# inside IPv4, and the middle sees nothing in the clear.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh
trap 'stop_daemons; kill "${wire_pid:-}" 2>/dev/null || true' EXIT

# try WHAT LEFT-NETWORK RIGHT-NETWORK LEFT-ADDRESS RIGHT-ADDRESS
try() {
    begin "$1: without SAs nothing crosses"
    tunnel left 192.0.2.1 192.0.2.2 "$2" "$3"
    local left_tunnel=$tunnel_id
    tunnel right 192.0.2.2 192.0.2.1 "$3" "$2"
    local right_tunnel=$tunnel_id
    wire_look
    ! left ping -c 1 -W 1 -q -I "$4" "$5" >/dev/null || fail "an answer came without SAs"
    wire_only

    begin "$1: with SAs it crosses as ESP only"
    tunnel_id=$left_tunnel
    sas left 192.0.2.1 192.0.2.2 4097 4098
    local left_id=$context_id
    tunnel_id=$right_tunnel
    sas right 192.0.2.2 192.0.2.1 4098 4097
    local right_id=$context_id
    left ping -c 3 -i 0.1 -W 2 -q -I "$4" "$5" >/dev/null || fail "no answers"
    wire_only esp
    must left GET "/sa-contexts/$left_id" 200
    [ "$(member .usage.inbound.packets)" = 3 ] || fail "not counted: $BODY"
    must left GET /statistics 200
    [ "$(member .aggregateSaStatistics.activeTunnels)" = 1 ] || fail "$BODY"

    delete_all left "/sa-contexts/$left_id" "/tunnels/$left_tunnel"
    delete_all right "/sa-contexts/$right_id" "/tunnels/$right_tunnel"
    [ -z "$(policies_of left)$(policies_of right)" ] || fail "a policy is left over"
    wire_look
}

begin "daemons start"
make_hosts
make_pki
start_daemon left
start_daemon right
try "IPv4 in IPv4" 10.1.0.0/16 10.2.0.0/16 10.1.0.1 10.2.0.1
try "IPv6 in IPv4" fd01::/64 fd02::/64 fd01::1 fd02::1

begin "tear down"
stop_daemons
drop_hosts
