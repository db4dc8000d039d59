# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# lib.sh: two hosts and a wire between them, each a network namespace, for the tests of the machine.
#
# "left" (192.0.2.1, 2001:db8::1) and "right" (192.0.2.2, 2001:db8::2) share a link through a bridge
# of packets in "middle", which sees whatever crosses.  Each host has a network of its own behind it
# on a dummy address: 10.1.0.1 and fd01::1, 10.2.0.1 and fd02::1.
#
# In this machine a process costs up to a tenth of a second, a subshell as much: what is done often
# is done by the shell itself, and functions answer in variables.

step=
fail() {
    printf 'FAIL: %s: %s\n' "$step" "$*"
    exit 1
}
begin() {
    step=$*
    printf '%s\n' "--- $step"
}

# On a host: left ip addr.  In the background they would leave a shell in between, which a signal
# ends instead: nsenter itself is to be started there.
left() { nsenter --net=/run/netns/left "$@"; }
right() { nsenter --net=/run/netns/right "$@"; }
middle() { nsenter --net=/run/netns/middle "$@"; }

make_hosts() {
    local host number other setting

    # What the interfaces of new namespaces begin with: addresses work at once, nobody asks for
    # routers.
    echo 1 >/proc/sys/net/core/devconf_inherit_init_net
    for setting in accept_dad autoconf router_solicitations; do
        echo 0 >"/proc/sys/net/ipv6/conf/default/$setting"
    done
    for host in left right middle; do
        # One that failed before may have left it.
        [ ! -e "/run/netns/$host" ] || ip netns del "$host"
        ip netns add "$host"
    done
    number=0
    for host in left right; do
        number=$((number + 1))
        other=$((3 - number))
        ip -n "$host" -batch - <<LINES
link set lo up
link add wire type veth peer name to-$host netns middle
link set wire up
addr add 192.0.2.$number/24 dev wire
addr add 2001:db8::$number/64 dev wire nodad
addr add 10.$number.0.1/32 dev lo
addr add fd0$number::1/128 dev lo nodad
route add 10.$other.0.0/16 via 192.0.2.$other src 10.$number.0.1
route add fd0$other::/64 via 2001:db8::$other src fd0$number::1
LINES
    done
    ip -n middle -batch - <<'LINES'
link set to-left addrgenmode none
link set to-right addrgenmode none
link set to-left up promisc on
link set to-right up promisc on
LINES
    : >/run/wire.report
    nsenter --net=/run/netns/middle python3 "${BASH_SOURCE[0]%/*}/wire.py" /run/wire.report to-left to-right &
    wire_pid=$!
    wait_for "the wire" test -s /run/wire.report
}

drop_hosts() {
    local host

    if [ -n "${wire_pid:-}" ]; then
        kill "$wire_pid"
        wait "$wire_pid" 2>/dev/null || true
        wire_pid=
    fi
    for host in left right middle; do ip netns del "$host"; done
}

# Sleeps without a process; seconds.
pause() { read -rt "$1" -u "$never" || true; }
exec {never}<> <(:)

# wait_for WHAT COMMAND… -- up to a minute
wait_for() {
    local what=$1 tries=600
    shift
    while ! "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "waited in vain for $what"
        pause 0.1
    done
}

# What crossed the wire since the last call is in 'seen': "COUNT KIND" lines, KIND being esp, ah,
# udp-esp, nd, arp or, for what is in the clear, "clear-" and the protocol.
wire_look() {
    : >/run/wire.report
    kill -USR1 "$wire_pid"
    wait_for "the wire's report" test -s /run/wire.report
    mapfile -t seen </run/wire.report
}

# wire_only KIND… -- since the last look, each kind crossed and nothing else did but neighbours
# looking for each other.
wire_only() {
    local line kind
    local -A missing=()

    wire_look
    for kind in "$@"; do missing[$kind]=1; done
    for line in "${seen[@]}"; do
        kind=${line#* }
        case " arp nd end $* " in
        *" $kind "*) unset "missing[$kind]" ;;
        *) fail "on the wire: ${seen[*]}" ;;
        esac
    done
    [ ${#missing[@]} -eq 0 ] || fail "no ${!missing[*]} on the wire, but: ${seen[*]}"
}
