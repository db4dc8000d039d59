#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# image.sh KERNEL DIRECTORY [PROGRAM…] -- COMMAND [ARGUMENT…]
#
# Makes DIRECTORY/kernel and DIRECTORY/initramfs: the tools of this machine with their libraries,
# the kernel's modules, the repository's sources under /src, and the command that init runs.
set -euo pipefail
# Debian's own tools, not what somebody has in front of them.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
kernel=$1
image=$2
shift 2
programs=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    programs+=("$1")
    shift
done
shift
tree=$image/tree

tools=(
    bash sh env cat cp mv rm mkdir ln ls chmod chown head tail tr cut sort uniq wc date sleep
    timeout seq tee touch mktemp dirname basename readlink realpath stat id true false echo printf
    test expr od nproc uname sync nice setsid nohup grep sed awk find xargs ps kill diff
    cmp paste flock tar gzip mount umount unshare nsenter setpriv dmesg sysctl kmod ip ss tcpdump ping curl jq
    openssl python3 sqlite3 strace nc busybox
)

skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}

# --- Where the kernel is --------------------------------------------------------------------------

# Unpacks Debian's newest cloud kernel of the version given, once.
unpack_cloud_kernel() {
    local version=$1 cache=$root/build/vm package

    package=$(apt-cache pkgnames "linux-image-$version." |
        grep -E "^linux-image-${version//./\\.}\.[0-9.]+(\+deb[0-9]+)?(-[0-9]+)?-cloud-amd64-unsigned$" |
        sort -V | tail -n 1) || true
    [ -n "$package" ] || skip "this machine's apt sources have no cloud kernel $version"
    unpacked=$cache/$package
    if [ -d "$unpacked" ]; then return; fi
    rm -rf "$unpacked.new"
    mkdir -p "$unpacked.new"
    (cd "$unpacked.new" && apt-get download -qq "$package" >&2 2>/dev/null && dpkg -x ./*.deb . && rm ./*.deb) ||
        skip "$package cannot be fetched"
    mv "$unpacked.new" "$unpacked"
}

find_kernel() {
    case $kernel in
    uml)
        command -v linux.uml >/dev/null || skip "user-mode-linux is not installed"
        file=$(command -v linux.uml)
        modules=$(find /usr/lib/uml/modules -mindepth 1 -maxdepth 1 | sort -V | tail -n 1)
        ;;
    6.1 | 6.12)
        command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86 is not installed"
        unpack_cloud_kernel "$kernel"
        file=$(find "$unpacked/boot" -name 'vmlinuz-*')
        modules=$(find "$unpacked" -path '*/lib/modules/*' -maxdepth 5 -name "$kernel.*" | tail -n 1)
        ;;
    *)
        printf 'image: unknown kernel %s\n' "$kernel" >&2
        exit 2
        ;;
    esac
}

# --- What goes in ---------------------------------------------------------------------------------

# Copies programs to where they are here, with the libraries that the loader would find.
copy_programs() {
    local -a libraries

    mapfile -t libraries < <(ldd "$@" 2>/dev/null |
        sed -nE 's,^[[:space:]]*(.* => )?(/[^ ]+) \(0x[0-9a-f]+\)$,\2,p' |
        sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,' | sort -u)
    cp -L --parents -t "$tree" "$@"
    if [ ${#libraries[@]} -gt 0 ]; then cp -L --parents -t "$tree" "${libraries[@]}"; fi
}

copy_tools() {
    local tool path python
    local -a paths=()

    for tool in "${tools[@]}"; do
        path=$(type -P "$tool") || {
            printf 'image: %s is not installed; run deploy/deps.sh --vm\n' "$tool" >&2
            exit 1
        }
        paths+=("$path")
    done
    copy_programs "${paths[@]}"
    ln -s ../bin/kmod "$tree/usr/sbin/modprobe"
    ln -s ../bin/kmod "$tree/usr/sbin/lsmod"

    python=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    tar -C / --exclude='dist-packages' --exclude='__pycache__' --exclude='config-*' \
        --exclude='idlelib' --exclude='ensurepip' --exclude='tkinter' --exclude='lib2to3' \
        -cf - "${python#/}" | tar -C "$tree" -xf -
    copy_programs "$python"/lib-dynload/_ssl*.so "$python"/lib-dynload/_sqlite3*.so \
        "$python"/lib-dynload/_ctypes*.so "$python"/lib-dynload/_hashlib*.so \
        "$python"/lib-dynload/_json*.so "$python"/lib-dynload/_uuid*.so
}

# The service manager, for the test of deploy/sa-contextd.service.
copy_systemd() {
    copy_programs /usr/lib/systemd/systemd "$(type -P systemctl)" "$(type -P systemd-sysusers)"
    cp --parents -t "$tree" /usr/lib/systemd/system/*.target
}

copy_settings() {
    printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n' \
        >"$tree/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$tree/etc/group"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$tree/etc/hosts"
    printf 'passwd: files\ngroup: files\nhosts: files\nprotocols: files\nservices: files\n' \
        >"$tree/etc/nsswitch.conf"
    cp -L --parents -t "$tree" /etc/ssl/openssl.cnf
    for path in /etc/protocols /etc/services; do
        if [ -r "$path" ]; then cp -L --parents -t "$tree" "$path"; fi
    done
    if [ -d /usr/lib/locale/C.utf8 ]; then cp -r --parents -t "$tree" /usr/lib/locale/C.utf8; fi
    mkdir -p "$tree/usr/lib/ssl"
    ln -s /etc/ssl/openssl.cnf "$tree/usr/lib/ssl/openssl.cnf"
}

copy_modules() {
    local version folder

    version=$(basename "$modules")
    folder=$tree/usr/lib/modules/$version
    mkdir -p "$folder"
    (
        cd "$modules"
        find kernel/crypto kernel/lib kernel/arch/*/crypto kernel/net/xfrm kernel/net/ipv4 \
            kernel/net/ipv6 kernel/net/key kernel/net/packet kernel/net/core kernel/drivers/net/veth* \
            kernel/drivers/char/hw_random -name netfilter -prune -o -type f -print 2>/dev/null || true
        ls modules.builtin modules.builtin.modinfo modules.order
    ) | tar -C "$modules" -T - -cf - | tar -C "$folder" -xf -
    depmod -b "$tree/usr" "$version" 2>/dev/null || depmod -b "$tree" "$version"
}

find_kernel
rm -rf "$image"
mkdir -p "$tree"/{dev,proc,sys,tmp,run,root,etc,var/lib,vm,src} \
    "$tree"/usr/{bin,sbin,lib,lib64,local/bin}
for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$tree/$folder"; done

copy_tools
if [ -x /usr/lib/systemd/systemd ]; then copy_systemd; fi
copy_settings
copy_modules
for program in ${programs[@]+"${programs[@]}"}; do
    copy_programs "$program"
    # Not where it is here: that may be below a folder that the machine covers, such as /tmp.
    mv -- "$tree/$program" "$tree/usr/local/bin/"
done
tar -C "$root" -cf - tests api deploy | tar -C "$tree/src" -xf -
cp "$root/tests/vm/init.sh" "$tree/init"
chmod 755 "$tree/init"
printf '%q ' "$@" >"$tree/vm/command"

cp "$file" "$image/kernel"
(cd "$tree" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) \
    >"$image/initramfs"
rm -rf "$tree"
