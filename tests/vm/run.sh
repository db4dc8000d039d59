#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh: boots a real kernel with ESP as a plain process, runs a script inside and ends the kernel.
#
# Inside there are the tools of this machine, the repository's sources under /src and the release
# daemon; nothing of this machine is written to.  Without a script every tests/vm/test_*.sh runs, in
# one boot.  The exit status is that of the script, 77 where no kernel can be had.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/tests/vm
kernels=()
programs=()
memory=1024
limit=1200
work=
machine=
filter=

usage() {
    cat <<'TEXT'
usage: run.sh [--kernel uml|6.1|6.12]… [--all] [--memory MIB] [--limit SECONDS]
              [--program FILE]… [SCRIPT [ARGUMENT]…]

  --kernel   uml (default): Debian's user-mode-linux; 6.1, 6.12: Debian's cloud kernels under qemu
  --all      all three, one after the other
  --memory   of the machine (default 1024)
  --limit    ends the machine after so many seconds (default 1200; four times that under qemu)
  --program  put this program, with its libraries, on the machine's PATH
The daemon is build/release/sa-contextd, or what SA_CONTEXTD names; tests of the same build that want a
kernel with ESP come with it.
TEXT
}

die() {
    printf 'vm: %s\n' "$*" >&2
    exit 1
}
skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

# Ends what was started here and nothing else: 'timeout' hands the signal on to its own group.
cleanup() {
    local status=$?

    if [ -n "$machine" ]; then kill -TERM "$machine" 2>/dev/null || true; fi
    if [ -n "$filter" ]; then wait "$filter" 2>/dev/null || true; fi
    if [ -n "$work" ]; then rm -rf "$work"; fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

while [ $# -gt 0 ]; do
    case $1 in
    --kernel)
        [ $# -ge 2 ] || die "--kernel needs a name"
        kernels+=("$2")
        shift
        ;;
    --all) kernels=(uml 6.1 6.12) ;;
    --memory)
        [ $# -ge 2 ] || die "--memory needs a number"
        memory=$2
        shift
        ;;
    --limit)
        [ $# -ge 2 ] || die "--limit needs a number"
        limit=$2
        shift
        ;;
    --program)
        [ $# -ge 2 ] || die "--program needs a file"
        programs+=("$2")
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*)
        usage >&2
        exit 2
        ;;
    *) break ;;
    esac
    shift
done
[ ${#kernels[@]} -gt 0 ] || kernels=(uml)

daemon=${SA_CONTEXTD:-$root/build/release/sa-contextd}
# Tests that want a kernel with ESP, as CMake built them beside the daemon.
for program in "$daemon" "$(dirname "$daemon")"/tests/{test_netlink,test_plane,test_plane_lost,test_plane_watch,test_plane_xfrm,test_torture_plane,test_xfrm_udp}; do
    if [ -x "$program" ]; then programs+=("$program"); fi
done
if [ $# -gt 0 ]; then
    script=$(realpath -- "$1")
    shift
    case $script in
    "$root"/*) command=("/src/${script#"$root"/}" "$@") ;;
    *) die "$script is not in $root" ;;
    esac
else
    command=(/src/tests/vm/all.sh)
fi

# boot KERNEL -- runs the command in it; the status is the command's.
boot() {
    local kernel=$1 image console=$work/console status seconds=$limit
    local -a start

    image=$work/image.$kernel
    "$here/image.sh" "$kernel" "$image" "${programs[@]}" -- "${command[@]}" || return $?

    case $kernel in
    uml)
        start=("$image/kernel" "mem=${memory}M" "initrd=$image/initramfs" quiet panic=-1
            con=null "con0=null,fd:1" ssl=null "uml_dir=$work/uml")
        ;;
    *)
        seconds=$((limit * 4))
        # One thread: with a thread a core the guest dies when it patches its own code.  Without
        # the random instructions its random pool is never ready.
        start=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot
            -accel "tcg,thread=single" -cpu "qemu64,+rdrand,+rdseed" -m "$memory"
            -kernel "$image/kernel" -initrd "$image/initramfs" -serial stdio
            -append "console=ttyS0 quiet panic=-1 mitigations=off")
        ;;
    esac

    rm -f "$work/pipe"
    mkfifo "$work/pipe"
    # The machine's lines between its two marks are the command's.
    sed -u 's/\r//g' <"$work/pipe" | tee "$console" |
        sed -un '/^@@vm-begin$/,/^@@vm-end /{/^@@vm-/!p}' &
    filter=$!
    TMPDIR=/dev/shm timeout --signal=TERM --kill-after=5 "$seconds" "${start[@]}" \
        </dev/null >"$work/pipe" 2>&1 &
    machine=$!
    status=0
    wait "$machine" || status=$?
    machine=
    wait "$filter" || true
    filter=

    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        printf 'vm: %s: ended after %s s\n' "$kernel" "$seconds" >&2
        return 1
    fi
    status=$(sed -n 's/^@@vm-end \([0-9]*\)$/\1/p' "$console")
    if [ -z "$status" ]; then
        printf 'vm: %s: died before it was done\n' "$kernel" >&2
        tail -n 30 "$console" >&2
        return 1
    fi
    return "$status"
}

work=$(mktemp -d)
result=0
for kernel in "${kernels[@]}"; do
    printf '=== kernel %s\n' "$kernel"
    status=0
    boot "$kernel" || status=$?
    if [ "$status" -eq 77 ] && [ ${#kernels[@]} -eq 1 ]; then skip "kernel $kernel"; fi
    if [ "$status" -ne 0 ]; then
        printf 'vm: %s: exit status %s\n' "$kernel" "$status" >&2
        result=$status
    fi
    rm -rf "$work/image.$kernel"
done
exit "$result"
