#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh: builds the container image, runs it with every capability dropped and a read-only root,
# creates an SA context in it and stops it; then the same with deploy/compose.yaml (compose.sh).
#
# Works without a Docker engine and without a registry: buildah builds, podman with runc runs, and the
# base image is made with debootstrap from the machine's own Debian mirror.  Images are kept in a
# storage of their own under the cache folder, apart from the machine's.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-/var/tmp}/sa-contextd-container
base=docker.io/library/debian:trixie-slim
image=localhost/sa-contextd-test
name=sa-contextd-test-$$
work=
step=

fail() {
    printf 'FAIL: %s: %s\n' "$step" "$*" >&2
    exit 1
}
skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}
begin() {
    step=$*
    printf '%s (%s s)\n' "--- $step" "$SECONDS"
}

store=()
engine=()
pod() { "${engine[@]}" "$@"; }

# Chooses the storage: overlay, or whole copies of each layer where overlays cannot be mounted.
open_storage() {
    local driver

    for driver in overlay vfs; do
        store=(--root "$cache/$driver" --runroot "$cache/run" --storage-driver "$driver")
        engine=(podman "${store[@]}" --runtime runc --cgroup-manager cgroupfs --events-backend file
            --log-level fatal)
        if pod info >"$cache/info.log" 2>&1; then return; fi
    done
    skip "no container storage can be opened here: $(tail -n 1 "$cache/info.log")"
}

cleanup() {
    local status=$?

    if [ -n "$work" ]; then
        if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then pod logs "$name" >&2 2>/dev/null || true; fi
        pod rm --force --time 5 --volumes "$name" >/dev/null 2>&1 || true
        clear_compose
        rm -rf "$work"
    fi
    exit "$status"
}

# --- The base image -------------------------------------------------------------------------------

# Debian trixie as small as debootstrap makes it, which fetches from where this machine's apt does
# and as it does.
make_base() {
    local mirror tree=$cache/trixie

    mirror=$(apt-get indextargets --format "\$(ORIGIN)|\$(LABEL)|\$(COMPONENT)|\$(REPO_URI)" \
        'Created-By: Packages' | sed -n 's/^Debian|Debian|main|//p' | sort -u | head -n 1)
    [ -n "$mirror" ] || skip "no Debian archive among this machine's apt sources"
    rm -rf "$tree" "$tree.tar"
    debootstrap --variant=minbase trixie "$tree" "$mirror" >"$cache/debootstrap.log" 2>&1 || {
        tail -n 5 "$cache/debootstrap.log" >&2
        skip "debootstrap cannot make the base image here"
    }
    apt-config dump | grep -E '^Acquire::(Check-|https?::|Retries)' \
        >"$tree/etc/apt/apt.conf.d/10machine" || true
    tar -C "$tree" --exclude='./var/cache/apt/archives/*.deb' --exclude='./dev/*' \
        -cf "$tree.tar" .
    pod import --quiet "$tree.tar" "$base" >/dev/null
    rm -rf "$tree" "$tree.tar"
}

# build TAG ARGUMENT…
build() {
    local tag=$1
    shift
    buildah "${store[@]}" bud --isolation chroot --format docker --layers --pull-never \
        --file "$root/deploy/Dockerfile" --tag "$tag" "$@" "$root" >"$work/build.log" 2>&1 || {
        tail -n 30 "$work/build.log" >&2
        fail "buildah failed"
    }
}

# --- Requests -------------------------------------------------------------------------------------

free_port() {
    local port=$1
    while (: </dev/tcp/127.0.0.1/"$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

# request EXPECTED METHOD PATH [BODY]: leaves the answer in $work/answer.
request() {
    local expected=$1 method=$2 path=$3 status
    local -a body=()

    if [ $# -gt 3 ]; then body=(-H 'Content-Type: application/json' -d "$4"); fi
    status=$(curl -s --max-time 20 -o "$work/answer" -w '%{http_code}' -X "$method" \
        --cacert "$work/pki/ca.pem" --cert "$work/pki/orchestrator.pem" \
        --key "$work/pki/orchestrator.key" "${body[@]}" "https://127.0.0.1:$port$path") ||
        fail "curl failed ($?)"
    [ "$status" = "$expected" ] || fail "$method $path gave $status: $(cat "$work/answer")"
}

add_filter() {
    request 201 POST /filters '{"displayData": {"name": "out"}, "layer": "outboundTransportV4",
        "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": "192.0.2.1"}],
        "action": {"type": "calloutTerminating", "callout": "ipsecOutboundTransportV4"}}'
    filter=$(jq -e .id "$work/answer")
}

create_context() {
    request 201 POST /sa-contexts '{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7",
        "trafficType": "transport", "ipsecFilterId": '"$filter"'}'
    context=$(jq -e .id "$work/answer")
}

find_context() {
    request 200 GET "/sa-contexts/$context"
    jq -e --argjson filter "$filter" '.outboundTraffic.ipsecFilterId == $filter' "$work/answer" \
        >/dev/null || fail "it is another one: $(cat "$work/answer")"
}

start_container() {
    pod run --detach --name "$name" --network host \
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        --health-interval disable \
        --cap-drop all --read-only --read-only-tmpfs=false --security-opt no-new-privileges \
        --volume "$work/secrets:/etc/sa-contextd/pki:ro" \
        --volume "$work/access.json:/etc/sa-contextd/access.json:ro" \
        --volume "$work/state:/var/lib/sa-contextd" \
        --env "SA_CONTEXTD_LISTEN=127.0.0.1:$port" \
        --env "SA_CONTEXTD_OPS_LISTEN=127.0.0.1:$ops_port" \
        --env SA_CONTEXTD_CLIENT_CRL=/etc/sa-contextd/pki/crl.pem \
        "$image" >/dev/null || fail "the container does not start"
    for ((count = 0; count < 200; count++)); do
        if curl -fs -o /dev/null "http://127.0.0.1:$ops_port/readyz"; then return; fi
        [ "$(pod inspect --format '{{.State.Running}}' "$name")" = true ] || fail "the daemon ended"
        sleep 0.1
    done
    fail "the daemon is not ready after 20 s"
}

stop_container() {
    pod kill --signal TERM "$name" >/dev/null
    status=$(timeout 60 "${engine[@]}" wait "$name") || fail "it does not end"
    [ "$status" = 0 ] || fail "exit status $status"
    pod rm "$name" >/dev/null
}

# shellcheck source=tests/container/compose.sh
. "$root/tests/container/compose.sh"

# --- The test -------------------------------------------------------------------------------------

[ "$(id -u)" -eq 0 ] || skip "building and running a container here needs root"
"$root/deploy/deps.sh" --container || skip "the container tools cannot be installed"
mkdir -p "$cache"
open_storage
work=$(mktemp -d)
chmod 755 "$work"
trap cleanup EXIT

begin "base image $base"
pod image exists "$base" || make_base

# The dependencies have a name of their own, so that pruning what is left of earlier builds keeps them.
begin "building the image"
build "$image-dependencies" --target dependencies
build "$image"

begin "what the image says of itself"
pod image inspect "$image" >"$work/inspect.json"
jq -e '.[0].Config | .User == "65532:65532" and .Entrypoint == ["/usr/bin/sa-contextd"]
    and (.Volumes | has("/var/lib/sa-contextd")) and (.ExposedPorts | has("8443/tcp"))' \
    "$work/inspect.json" >/dev/null || fail "user, entry point, volume or port is not as it should be"
jq -e '.[0] | (.Healthcheck // .HealthCheck // .Config.Healthcheck).Test
    == ["CMD", "/usr/bin/sa-contextd", "--healthcheck"]' "$work/inspect.json" >/dev/null ||
    fail "no health check"
tree=$(buildah "${store[@]}" from --pull-never "$image")
mount=$(buildah "${store[@]}" mount "$tree")
find "$mount" -type f >"$work/files"
buildah "${store[@]}" rm "$tree" >/dev/null
if grep -E '/(sh|bash|dash|busybox|apt|dpkg|perl)$' "$work/files"; then fail "there is a shell or more"; fi

begin "starting it without capabilities, root read-only"
"$root/deploy/pki.sh" "$work/pki"
mkdir -p "$work/secrets" "$work/state"
cp "$work"/pki/{server.pem,server.key,ca.pem,crl.pem} "$work/secrets/"
cp "$root/deploy/access.example.json" "$work/access.json"
chmod 644 "$work/access.json"
chown -R 65532:65532 "$work/secrets" "$work/state"
port=$(free_port 18443)
ops_port=$(free_port 19180)
start_container

begin "what the process holds"
process=$(pod inspect --format '{{.State.Pid}}' "$name")
grep -E '^(Cap(Prm|Eff|Bnd|Amb)|Uid|NoNewPrivs|Seccomp):' "/proc/$process/status" >"$work/process"
cat "$work/process"
if grep '^Cap' "$work/process" | grep -qv '0000000000000000$'; then fail "it holds capabilities"; fi
grep -q $'^Uid:\t65532\t65532\t65532\t65532$' "$work/process" || fail "it is not user 65532"
grep -q $'^NoNewPrivs:\t1$' "$work/process" || fail "it may gain privileges"

begin "the health check"
pod exec "$name" /usr/bin/sa-contextd --healthcheck || fail "it says unhealthy"
pod healthcheck run "$name" || fail "podman's health check says unhealthy"

begin "creating an SA context"
add_filter
create_context

begin "SIGTERM: exit status 0"
stop_container

begin "starting it again: the context is still there"
start_container
find_context
stop_container

try_compose
pod image prune --force >/dev/null
echo "container: all as it should be"
