#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_unit.sh: deploy/sa-contextd.service under systemd, with its user, its sandbox and, at the end,
# the drop-in for the kernel's IPsec: start, reload, what happens to one that dies, stop.
#
# systemd is the first process of a PID namespace, with control groups of its own, in the network
# namespace "unit".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=tests/vm/lib.sh
source ./lib.sh
# shellcheck source=tests/vm/daemons.sh
source ./daemons.sh

manager=
etc=/etc/sa-contextd
unit=/etc/systemd/system/sa-contextd.service
[ -x /usr/lib/systemd/systemd ] || {
    echo "SKIP: there is no systemd here"
    exit 77
}

# On the host where systemd is.
unit() { ip netns exec unit "$@"; }
ctl() { nsenter --target "$manager" --mount --pid --net --cgroup systemctl --quiet "$@"; }
# property NAME: of the unit
property() { ctl show --property "$1" --value sa-contextd; }
is() { [ "$(property "$1")" = "$2" ]; }
# The main process as this test sees it: the last number is that in systemd's namespace.
main_process() {
    awk -v inner="$(property MainPID)" '$1 == "NSpid:" && NF == 3 && $3 == inner { print $2 }' \
        /proc/[0-9]*/status 2>/dev/null
}
serial() {
    unit openssl s_client -connect 127.0.0.1:8443 </dev/null 2>/dev/null | openssl x509 -noout -serial
}

# shellcheck disable=SC2317
cleanup() {
    local status=$?

    if [ "$status" -ne 0 ]; then cat /tmp/systemd.log /tmp/unit.log 2>/dev/null || true; fi
    # The first process of a namespace takes all others with it.
    if [ -n "$manager" ]; then kill -KILL "$manager" 2>/dev/null || true; fi
    exit "$status"
}
trap cleanup EXIT

# config MEMBERS: the example's, and what is given
config() { jq ". + {$1}" /src/deploy/sa-contextd.example.json >"$etc/sa-contextd.json"; }

begin "installing as the README says"
make_pki
cp -L "$(command -v sa-contextd)" /usr/bin/sa-contextd
mkdir -p "$etc" /usr/lib/sysusers.d /etc/systemd/system
cp /src/deploy/sa-contextd.sysusers /usr/lib/sysusers.d/sa-contextd.conf
cp /src/deploy/sa-contextd.service "$unit"
systemd-sysusers
# There is no journal here.
mkdir -p "$unit.d"
printf '[Service]\nStandardError=append:/tmp/unit.log\n' >"$unit.d/log.conf"
cp "$work"/pki/{server.pem,server.key,ca.pem,crl.pem} "$work/access.json" "$etc/"
config ''
chown -R root:sa-contextd "$etc"
chmod 750 "$etc"
chmod 640 "$etc"/*
SYSTEMD_OFFLINE=1 systemctl --quiet enable sa-contextd
SYSTEMD_OFFLINE=1 systemctl --quiet set-default multi-user.target

begin "systemd starts it"
ip netns add unit 2>/dev/null || true
ip -n unit link set lo up
# ip(8) gives the command a /sys of its own, without control groups.
ip netns exec unit unshare --mount --cgroup --uts --ipc --pid --fork --mount-proc sh -c '
    mount -t cgroup2 none /sys/fs/cgroup
    export container=test
    exec /usr/lib/systemd/systemd --log-target=console --log-level=notice --show-status=no' \
    </dev/null >/tmp/systemd.log 2>&1 &
unshare=$!
wait_for "systemd" grep -q . "/proc/$unshare/task/$unshare/children"
manager=$(tr -d ' ' <"/proc/$unshare/task/$unshare/children")
wait_for "systemctl" ctl list-units
wait_for "READY=1" is ActiveState active
unit curl -sf -o /dev/null http://127.0.0.1:9180/readyz || fail "it is not ready"
is SubState running || fail "it is $(property SubState)"

begin "what the process holds"
process=$(main_process)
user=$(id -u sa-contextd)
grep -qP "^Uid:\t$user\t$user\t$user\t$user$" "/proc/$process/status" || fail "another user"
if grep -E '^Cap(Prm|Eff|Bnd|Amb):' "/proc/$process/status" | grep -v '0000000000000000$'; then
    fail "it holds capabilities"
fi
grep -qP '^NoNewPrivs:\t1$' "/proc/$process/status" || fail "it may gain privileges"
grep -qP '^Seccomp:\t2$' "/proc/$process/status" || fail "there is no seccomp filter"
grep -qP '^Max open files +65536' "/proc/$process/limits" || fail "descriptors are limited otherwise"
awk '$5 == "/" { print $6 }' "/proc/$process/mountinfo" | tail -n 1 | grep -q '^ro' ||
    fail "its root can be written to"
grep -q 'hidepid=invisible.*subset=pid\|subset=pid.*hidepid=invisible' "/proc/$process/mountinfo" ||
    fail "it sees other processes"
[ "$(stat -c '%U %a' /var/lib/sa-contextd)" = 'sa-contextd 700' ] || fail "the state's folder is open"

begin "a context"
filter_pair unit v4 192.0.2.1 192.0.2.2
keyed_context unit v4 192.0.2.1 192.0.2.2 4097 4098 gcm128
context=$context_id

begin "reload: a new certificate and other rights, the same process"
before=$(serial)
/src/deploy/pki.sh "$work/pki" server server
cp "$work"/pki/server.{pem,key} "$etc/"
jq '.engine.dacl[0].rights -= ["DELETE"]' "$work/access.json" >"$etc/access.json"
ctl reload sa-contextd
wait_for "the end of the reload" is ActiveState active
[ "$(serial)" != "$before" ] || fail "it still has the old certificate"
api unit DELETE "/sa-contexts/$context"
[ "$STATUS" = 403 ] || fail "the old rights hold: $STATUS"
[ "$(main_process)" = "$process" ] || fail "it is another process"
cp "$work/access.json" "$etc/"
ctl reload sa-contextd

begin "one that is killed comes back, with its context"
kill -KILL "$process"
wait_for "the restart" is NRestarts 1
wait_for "READY=1" is ActiveState active
must unit GET "/sa-contexts/$context" 200
[ "$(main_process)" != "$process" ] || fail "it is the same process"

begin "stop: status 0, and nothing comes back"
ctl stop sa-contextd
is ActiveState inactive || fail "it is $(property ActiveState)"
is Result success || fail "the result is $(property Result)"
is ExecMainStatus 0 || fail "exit status $(property ExecMainStatus)"

begin "a configuration that is wrong is not tried again"
config '"workers": -1'
if ctl start sa-contextd; then fail "it starts"; fi
is Result exit-code || fail "the result is $(property Result)"
sleep 1.5
is ActiveState failed || fail "it is $(property ActiveState)"
is NRestarts 0 || fail "it was tried $(property NRestarts) times again"
ctl reset-failed sa-contextd

begin "the drop-in: CAP_NET_ADMIN for one thread, and SAs in the kernel"
cp /src/deploy/sa-contextd-xfrm.conf "$unit.d/xfrm.conf"
config '"plane": "xfrm"'
ctl daemon-reload
ctl start sa-contextd
process=$(main_process)
for thread in "/proc/$process/task"/*; do
    wanted=0000000000000000
    [ "$(cat "$thread/comm")" != engine ] || wanted=0000000000001000
    grep -qP "^CapEff:\t$wanted$" "$thread/status" ||
        fail "thread $(cat "$thread/comm"): $(grep CapEff "$thread/status")"
done
must unit GET "/sa-contexts/$context" 200
[ "$(member .state)" = expired ] || fail "a context without SAs is $(member .state)"
must unit GET /filters 200
out_filter=$(member '[.items[] | select(.layer == "outboundTransportV4")][0].id')
keyed_context unit v4 192.0.2.1 192.0.2.2 4101 4102 gcm128
unit ip xfrm state list spi 4101 | grep -q 'rfc4106(gcm(aes))' || fail "the kernel has no SA"

begin "restart: the SAs stay"
ctl restart sa-contextd
is ActiveState active || fail "it is $(property ActiveState)"
must unit GET "/sa-contexts/$context_id" 200
[ "$(member .state)" = active ] || fail "the context is $(member .state)"
ctl stop sa-contextd

begin "tear down"
kill -KILL "$manager"
manager=
wait "$unshare" 2>/dev/null || true
ip netns del unit
