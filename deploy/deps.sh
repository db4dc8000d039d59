#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh: installs what building and running sa-contextd need on Debian 12 or newer.
#
# Packages come from the machine's own apt sources and are installed only where they are missing.
# libmicrohttpd must be 1.0.10 or newer; where Debian's package is older, the newest source package
# of Debian (unstable) is fetched with "apt-get source" from the same mirror, with apt's signature
# checks on and lists, cache and sources of its own, so the machine's apt configuration stays as it
# is; a static library of it goes to build/deps.  Where all is there, nothing is done.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=$root/build/deps
minimum=1.0.10
scratch=
policy_rc_d=

base_packages=(
    build-essential cmake ninja-build pkg-config dpkg-dev
    libjansson-dev libssl-dev libsqlite3-dev libgnutls28-dev libseccomp-dev libcap-dev libmnl-dev uthash-dev
    ca-certificates curl jq openssl
)
test_packages=(
    clang clang-tidy clang-format libclang-rt-dev libcmocka-dev valgrind shellcheck
    sqlite3 faketime prometheus python3 python3-jsonschema iproute2 procps strace e2fsprogs util-linux spin
)
bench_packages=(nginx-light etcd-server etcd-client postgresql)
vm_packages=(
    user-mode-linux qemu-system-x86 busybox-static cpio kmod tcpdump iputils-ping netcat-openbsd
    python3 iproute2 procps strace sqlite3 util-linux systemd
)
container_packages=(buildah podman podman-compose runc debootstrap)
# Packages that bring a system service, which nobody asked for here.
service_units=(prometheus nginx etcd)

usage() {
    cat <<'TEXT'
usage: deps.sh [--prefix DIR] [--tests] [--bench] [--container] [--vm]

Installs what building and running sa-contextd need.
  --prefix DIR  where libmicrohttpd goes when Debian's is too old (default: build/deps)
  --tests       also what tests/run.sh needs
  --bench       also the servers that tests/bench compares with
  --container   also what builds and runs the container image without a Docker engine
  --vm          also what tests/vm boots: kernels that run as a plain process
TEXT
}

say() { printf 'deps: %s\n' "$*"; }
die() {
    printf 'deps: %s\n' "$*" >&2
    exit 1
}

cleanup() {
    if [ -n "$policy_rc_d" ]; then rm -f "$policy_rc_d"; fi
    if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
}
trap cleanup EXIT

packages=("${base_packages[@]}")
arguments=("$@")
while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -ge 2 ] || die "--prefix needs a directory"
        prefix=$(realpath -m -- "$2")
        shift
        ;;
    --tests) packages+=("${test_packages[@]}") ;;
    --bench) packages+=("${bench_packages[@]}") ;;
    --vm) packages+=("${vm_packages[@]}") ;;
    --container) packages+=("${container_packages[@]}") ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    shift
done

for tool in dpkg-query apt-get; do
    command -v "$tool" >/dev/null || die "this needs Debian: $tool is not here"
done

# --- Packages -------------------------------------------------------------------------------------

# The packages of the arguments that are not installed, one a line.
missing_packages() {
    local package installed

    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        case $'\n'$installed$'\n' in
        *$'\n'"installed $package"$'\n'*) ;;
        *) printf '%s\n' "$package" ;;
        esac
    done
}

# Installs the packages of the arguments without starting, now or at the next boot, a service that
# one of them brings.
install_packages() {
    local unit package

    if [ ! -e /usr/sbin/policy-rc.d ]; then
        policy_rc_d=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' >"$policy_rc_d"
        chmod 755 "$policy_rc_d"
    fi
    apt-get update -qq || say "apt-get update reported errors, going on with the lists there are"
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >&2
    if [ -n "$policy_rc_d" ]; then
        rm -f "$policy_rc_d"
        policy_rc_d=
    fi

    if command -v deb-systemd-helper >/dev/null; then
        for unit in "${service_units[@]}"; do
            for package in "$@"; do
                case $package in
                "$unit" | "$unit"-light | "$unit"-server)
                    DPKG_MAINTSCRIPT_PACKAGE=$package \
                        deb-systemd-helper disable "$unit.service" || true
                    ;;
                esac
            done
        done
    fi
}

missing=()
for package in $(missing_packages "${packages[@]}"); do missing+=("$package"); done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ]; then
        say "not installed: ${missing[*]}" >&2
        die "run as root: $root/deploy/deps.sh${arguments[*]:+ ${arguments[*]}}"
    fi
    say "installing ${missing[*]}"
    install_packages "${missing[@]}"
fi

# --- libmicrohttpd --------------------------------------------------------------------------------

# Whether the prefix given holds a static libmicrohttpd that is new enough.  The header's version is
# two decimal digits a part: 0x01001000 is 1.0.10.
has_libmicrohttpd() {
    local include=$1 library=$2 digits

    [ -f "$include/microhttpd.h" ] && [ -f "$library/libmicrohttpd.a" ] || return 1
    digits=$(sed -n 's/^#define MHD_VERSION 0x\([0-9]\{8\}\).*/\1/p' "$include/microhttpd.h")
    [ -n "$digits" ] || return 1
    dpkg --compare-versions \
        "$((10#${digits:0:2})).$((10#${digits:2:2})).$((10#${digits:4:2}))" ge "$minimum"
}

# Where the plain Debian archive is, as the machine's apt sources name it, one URI a line: not the
# security archive (label Debian-Security), not a third party's (another origin).  apt knows origin
# and label from the lists it has; where there are none, they are fetched into the scratch folder.
debian_archives() {
    local wanted
    local -a targets=(
        apt-get indextargets
        --format "\$(ORIGIN)|\$(LABEL)|\$(COMPONENT)|\$(REPO_URI)" 'Created-By: Packages'
    )
    wanted='s/^Debian|Debian|main|\(.*\)$/\1/p'

    if "${targets[@]}" | sed -n "$wanted" | sort -u | grep .; then return; fi
    say "fetching the package lists to learn where Debian's archive is" >&2
    mkdir -p "$scratch/machine/lists/partial" "$scratch/machine/cache"
    apt-get -qq -o Dir::State::Lists="$scratch/machine/lists" \
        -o Dir::Cache="$scratch/machine/cache" update >&2 || true
    "${targets[@]}" -o Dir::State::Lists="$scratch/machine/lists" |
        sed -n "$wanted" | sort -u | grep .
}

# Fetches the newest source package of Debian unstable from the archive given into scratch/source.
fetch_source() {
    local archive=$1 keyring options=
    local -a private

    for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        if [ -r "$keyring" ]; then options="[signed-by=$keyring] "; fi
    done
    rm -rf "$scratch/apt" "$scratch/source"
    mkdir -p "$scratch/apt/lists/partial" "$scratch/apt/cache/archives/partial" "$scratch/source"
    printf 'deb-src %s%s unstable main\n' "$options" "$archive" >"$scratch/apt/sources.list"
    # As root, apt fetches as its own user.
    if [ "$(id -u)" -eq 0 ] && getent passwd _apt >/dev/null; then
        chown _apt "$scratch/source" "$scratch/apt/lists/partial"
    fi

    private=(
        -qq
        -o Dir::Etc::SourceList="$scratch/apt/sources.list"
        -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::Preferences=/dev/null
        -o Dir::Etc::PreferencesParts=/dev/null
        -o Dir::State::Lists="$scratch/apt/lists"
        -o Dir::Cache="$scratch/apt/cache"
    )
    apt-get "${private[@]}" update >&2 &&
        (cd "$scratch/source" &&
            apt-get "${private[@]}" --download-only source libmicrohttpd >&2) &&
        compgen -G "$scratch/source/libmicrohttpd_*.dsc" >/dev/null
}

# Builds the fetched source package and installs library and header into the prefix.  Debian's
# patches are left out: they touch automake's input only, and would want automake.  The header is
# installed last: its version is what tells that all is there.
build_source() {
    local tree=$scratch/tree log=$scratch/build.log

    dpkg-source --no-check --skip-patches -x "$scratch"/source/libmicrohttpd_*.dsc "$tree" \
        >"$log" 2>&1 || return 1
    (
        cd "$tree" &&
            ./configure --prefix="$prefix" --disable-shared --enable-static --enable-https \
                --disable-doc --disable-examples --disable-curl --disable-tools \
                CFLAGS="-O2 -g -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2" &&
            make -j"$(nproc)" -C src/microhttpd libmicrohttpd.la &&
            make -C src/microhttpd install-libLTLIBRARIES &&
            make -C src/include install
    ) >>"$log" 2>&1
}

install_libmicrohttpd() {
    local archive version newest=

    scratch=$(mktemp -d)
    chmod 755 "$scratch"
    for archive in $(debian_archives || true); do
        fetch_source "$archive" || continue
        version=$(sed -n 's/^Version: *//p' "$scratch"/source/libmicrohttpd_*.dsc | head -n 1)
        if dpkg --compare-versions "$version" ge "$minimum"; then
            say "building libmicrohttpd $version"
            mkdir -p "$prefix"
            if ! build_source; then
                tail -n 30 "$scratch/build.log" >&2
                die "building libmicrohttpd $version failed"
            fi
            return
        fi
        newest=$version
    done

    [ -z "$newest" ] ||
        die "libmicrohttpd $minimum or newer is needed, this machine's Debian mirror has $newest"
    die "found no Debian archive with libmicrohttpd's source among this machine's apt sources"
}

multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
if ! has_libmicrohttpd "$prefix/include" "$prefix/lib" &&
    ! has_libmicrohttpd /usr/include "/usr/lib/$multiarch"; then
    candidate=$(apt-cache policy libmicrohttpd-dev | sed -n 's/^ *Candidate: *\([0-9]\)/\1/p')
    if [ "$(id -u)" -eq 0 ] && dpkg --compare-versions "${candidate:-0}" ge "$minimum"; then
        say "installing libmicrohttpd-dev"
        install_packages libmicrohttpd-dev
    else
        install_libmicrohttpd
    fi
    has_libmicrohttpd "$prefix/include" "$prefix/lib" ||
        has_libmicrohttpd /usr/include "/usr/lib/$multiarch" ||
        die "libmicrohttpd was installed but is not usable"
fi
say "all is there"
