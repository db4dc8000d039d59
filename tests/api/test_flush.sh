#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_flush.sh: a store that remembers which plane may have something of it in the kernel starts with
# no other one, and --flush takes that away when nobody runs.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

make_pki
S=$WORK/stores
mkdir "$S"
STORE=sqlite:$S/state.db
BASE=(--tls-cert "$PKI/server.pem" --tls-key "$PKI/server.key" --client-ca "$PKI/ca.pem"
    --access "$WORK/access.json" --listen 127.0.0.1:0 --ops-listen off --audit-log off --store "$STORE")

# Journal and lock file come and go with an opening; what the database says does not.
listing() { find "$S" -printf '%p %s %m %T@\n' | sort; }
mark() { sqlite3 "$S/state.db" "select plane || ' ' || plane_instance || ' ' || plane_netns from marks"; }
remember() { sqlite3 "$S/state.db" "update marks set plane = '$1', plane_instance = $2, plane_netns = '${3-}'"; }
# run ARGUMENT…: the exit status in GOT, what it said in $WORK/out.
run() {
    timeout 60 "${AS[@]}" "$SA_CONTEXTD" "$@" >"$WORK/out" 2>&1
    GOT=$?
}
AS=()
# says NAME EXIT EVENT OPTION WORDS, of the last run
says() {
    local found
    found=$(jq -r --arg event "$3" 'select(.event == $event) | .option // "-"' "$WORK/out" | xargs)
    is "$1" "$GOT $found" "$2 $4"
    check "$1: in words" grep -qF -- "$5" "$WORK/out"
}

# --- Another plane --------------------------------------------------------------------------------

start_daemon --plane-instance 5 || exit 1
add_filters
is "the plane without packets is not remembered" "$(mark)" " 0 "
run --flush --store "$STORE"
says "beside a service" 1 "cannot flush" store "process $DAEMON_PID has it open"
remember xfrm 3
way="clear the kernel with --flush: it may have SAs and policies of this store under xfrm, instance 3, which none would leave"
before=$(listing)
run --check "${BASE[@]}"
says "--check with another plane beside the service" 2 "configuration refused" plane "$way"
run --check "${BASE[@]}" --on-shutdown flush
says "with a stop that flushes" 0 "checked beside what runs" store "with another plane: this starts only when that one flushes"
is "which leaves no trace either" "$(listing)" "$before"
call GET "/filters/$OUT4"
answered "and the service goes on" 200
stop_daemon
before=$(listing)
run --check "${BASE[@]}"
says "--check with another plane" 2 "configuration refused" plane "$way"
is "which leaves no trace" "$(listing)" "$before"
run "${BASE[@]}"
says "a start with another plane" 2 "cannot start" plane "$way"
check "in one line" test "$(wc -l <"$WORK/out")" = 1
is "it is remembered all the same" "$(mark)" "xfrm 3 "
run --check "${BASE[@]}" --plane xfrm --plane-instance 4
check "--check with another instance" grep -qF 'put plane-instance back, or clear' "$WORK/out"
run --check "${BASE[@]}" --plane xfrm --plane-instance 3
check "with the same one it has nothing to say" grep -vqF -- --flush "$WORK/out"

# --- --flush --------------------------------------------------------------------------------------

run --flush --store "sqlite:$S/none.db"
says "a store that is not there" 2 "cannot flush" store "there is no store $S/none.db"
check "none is made" test ! -e "$S/none.db"
run --flush --store "sqlite:$S/none/state.db" --plane xfrm
says "nor in a folder that is not there" 2 "cannot flush" store "there is no store $S/none/state.db"
run --flush --store memory:
says "nothing to flush" 0 "nothing to flush: this plane leaves nothing behind, and the store remembers none" - memory:
run --flush --store "$STORE" --netns surely-none
says "no such namespace" 2 "cannot flush" netns surely-none
remember xfrm 3 blue
run --flush --store "$STORE"
says "what is in another namespace" 2 "cannot flush" netns "namespace 'blue': say so with --netns"
remember xfrm 3
run --check --flush --store "$STORE"
says "beside --check" 2 "cannot start" flush "--check and --flush exclude each other"
run --flush --healthcheck --store "$STORE"
says "beside --healthcheck" 2 "cannot start" healthcheck "--flush and --healthcheck exclude each other"
run --healthcheck --check
says "nor these two" 2 "cannot start" healthcheck "--check and --healthcheck exclude each other"
is "nothing is flushed by them" "$(mark)" "xfrm 3 "
run --flush --check --help
is "--help comes first" "$GOT" 0
run --flush=yes --store "$STORE"
is "it takes no value" "$GOT" 2
run --flush --store redis:x
says "no store at all" 2 "cannot flush" store "names no store"

if [ "$(id -u)" = 0 ]; then
    chown nobody "$S" "$S"/*
    run --flush --store "$STORE"
    says "as root on another user's store" 1 "cannot flush" store "name that with --user"
    chown root "$S" "$S"/*
fi

# A network namespace of our own, with policies as the service tags them and one of somebody else.
made=$(python3 -c 'import sys
for instance in 3, 4: print(int.from_bytes(b"SAcx" + instance.to_bytes(4, "big"), sys.byteorder))' | xargs)
script='
policy() { ip xfrm policy add src "10.0.0.$1" dst 10.1.0.0/16 dir "$2" action block "${@:3}"; }
policy 1 out limit byte-soft '"${made% *}"' limit packet-soft 7 && policy 2 in limit byte-soft '"${made% *}"' &&
    policy 3 out limit byte-soft '"${made#* }"' && policy 4 out || exit 77
"$@"
status=$?
ip xfrm policy list | sed -n "s/^src \([^/ ]*\).*/\1/p" | sort | xargs >&2
exit $status'
if unshare -rn bash -c "$script" - true 2>/dev/null; then
    AS=(unshare -rn bash -c "$script" -)
    run --flush --store "$STORE" --plane none
    is "it takes away what the remembered instance has" "$GOT $(tail -n 1 "$WORK/out")" "0 10.0.0.3 10.0.0.4"
    is "counts it in one line" "$(jq -rR 'fromjson? | "\(.removedSas) \(.removedPolicies)"' "$WORK/out" | xargs)" "0 2"
    is "and says where it looked" "$(jq -rR 'fromjson? | select(.removedSas) | "\(.plane) \(.planeInstance) \(.store) \(.netns)"' "$WORK/out")" \
        "xfrm 3 $STORE null"
    nothing="nothing was found in this network namespace: if the service ran in another one"
    check "of another place it does not speak then" sh -c "! grep -qF '$nothing' '$WORK/out'"
    is "and forgets it" "$(mark)" " 0 "
    remember xfrm 5
    run --flush --store "$STORE"
    is "where nothing is found" "$GOT $(tail -n 1 "$WORK/out") $(mark)" "0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4  0 "
    is "it warns of another place" "$(jq -rR --arg nothing "$nothing" 'fromjson? | select(.event | startswith($nothing)) | .level' "$WORK/out")" warning
    run --flush --store "$STORE" --plane none
    is "a second one has nothing to do" "$GOT $(tail -n 1 "$WORK/out")" "0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4"
    run --flush --store memory: --plane xfrm --plane-instance 4
    is "without a remembered one it is the configured one" "$GOT $(tail -n 1 "$WORK/out")" "0 10.0.0.1 10.0.0.2 10.0.0.4"
    run --flush --store memory: --plane xfrm --plane-instance 4
    is "and no surprise that nothing is found" "$GOT $(grep -cF "$nothing" "$WORK/out")" "0 0"
    # The place of the instance is of the namespace: its holder is this python.
    remember xfrm 3
    script='python3 -c "import socket, subprocess, sys
place = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
place.bind(chr(0) + \"sa-contextd/plane-xfrm/3\")
sys.exit(subprocess.call(sys.argv[1:]))" "$@"'
    AS=(unshare -rn bash -c "$script" -)
    run --flush --store "$STORE"
    says "beside a service that has the instance" 1 "cannot flush" plane-instance "plane-instance 3: stop it before"
    is "which stays remembered" "$(mark)" "xfrm 3 "
    if [ "$(id -u)" = 0 ]; then AS=(setpriv --bounding-set -net_admin --inh-caps -net_admin --); else AS=(); fi
    run --flush --store "$STORE"
    says "without the right" 1 "cannot flush" plane CAP_NET_ADMIN
    is "it stays remembered, too" "$(mark)" "xfrm 3 "
else
    echo "# no network namespace with policies can be made here: --flush itself is left out"
fi
AS=()

remember '' 0
start_daemon --plane-instance 9 || exit 1
call GET "/filters/$OUT4"
answered "then another plane starts, with what is stored" 200

finish
