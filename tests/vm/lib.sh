# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# lib.sh: two hosts and a wire between them, each a network namespace, for the tests of the machine.
#
# "left" (192.0.2.1, 2001:db8::1) and "right" (192.0.2.2, 2001:db8::2) share a link through a bridge
# of packets in "middle", which sees whatever crosses.  Each host has a network of its own behind it
# on a dummy address: 10.1.0.1 and fd01::1, 10.2.0.1 and fd02::1.

step=
fail() {
    printf 'FAIL: %s: %s\n' "$step" "$*"
    exit 1
}
begin() {
    step=$*
    printf '%s\n' "--- $step"
}

# On a host: left ip addr
left() { ip netns exec left "$@"; }
right() { ip netns exec right "$@"; }
middle() { ip netns exec middle "$@"; }

make_hosts() {
    local host number

    for host in left right middle; do
        # One that failed before may have left it.
        ip netns del "$host" 2>/dev/null || true
        ip netns add "$host"
        ip -n "$host" link set lo up
    done
    number=0
    for host in left right; do
        number=$((number + 1))
        ip -n "$host" link add wire type veth peer name "to-$host" netns middle
        # No duplicate address detection: addresses work at once.
        ip netns exec "$host" sysctl -qw net.ipv6.conf.wire.accept_dad=0 \
            net.ipv6.conf.wire.autoconf=0 net.ipv6.conf.wire.router_solicitations=0
        ip netns exec middle sysctl -qw "net.ipv6.conf.to-$host.disable_ipv6=1"
        # Nobody behind the wire would fill in the checksums that an interface leaves to its device.
        ip netns exec "$host" python3 "$(dirname "${BASH_SOURCE[0]}")/checksums.py" wire
        ip -n "$host" link set wire up
        ip -n middle link set "to-$host" up promisc on
        ip -n "$host" addr add "192.0.2.$number/24" dev wire
        ip -n "$host" addr add "2001:db8::$number/64" dev wire nodad
        ip -n "$host" addr add "10.$number.0.1/32" dev lo
        ip -n "$host" addr add "fd0$number::1/128" dev lo nodad
        ip -n "$host" route add "10.$((3 - number)).0.0/16" via "192.0.2.$((3 - number))" \
            src "10.$number.0.1"
        ip -n "$host" route add "fd0$((3 - number))::/64" via "2001:db8::$((3 - number))" \
            src "fd0$number::1"
    done
    ip netns exec middle python3 "$(dirname "${BASH_SOURCE[0]}")/wire.py" /run/wire.log to-left to-right &
    wire_pid=$!
    wait_for "the wire" test -s /run/wire.log
}

drop_hosts() {
    if [ -n "${wire_pid:-}" ]; then
        kill "$wire_pid"
        wait "$wire_pid" 2>/dev/null || true
        wire_pid=
    fi
    for host in left right middle; do ip netns del "$host"; done
    rm -f /run/wire.log
}

# wait_for WHAT COMMAND… -- up to 10 s
wait_for() {
    local what=$1 tries=100
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "waited in vain for $what"
        sleep 0.1
    done
}

# What crossed the wire since the last call: "COUNT KIND" lines, KIND being esp, ah, udp-esp, nd, arp
# or, for what is in the clear, "clear-" and the protocol.
wire_seen() {
    kill -USR1 "$wire_pid"
    wait_for "the wire's report" test -s /run/wire.report
    sed "/^0 end$/d" /run/wire.report
    rm -f /run/wire.report
}

# wire_only KIND… -- since the last look, each kind crossed and nothing else did but neighbours
# looking for each other.
wire_only() {
    local seen kind
    seen=$(wire_seen)
    for kind in "$@"; do
        grep -qE "^[0-9]+ $kind$" <<<"$seen" || fail "no $kind on the wire, but: $seen"
    done
    kind=$(IFS='|' && echo "$*")
    seen=$(grep -vE "^([0-9]+ (arp|nd|${kind:-none})|)$" <<<"$seen" || true)
    [ -z "$seen" ] || fail "also on the wire: $seen"
}
