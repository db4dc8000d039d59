# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# compose.sh: deploy/compose.yaml as its own first lines say, with podman-compose: build, start,
# create an SA context, take it down, start it again.  Sourced by run.sh, whose functions it uses.
#
# All of it happens in a copy of what the image is built from.  What this machine lacks is in two
# places: a second compose file lowers the limits that a sandbox may not raise, and a "podman" of its
# own names the storage and the runtime.

project=sa-contextd-test-$$

try_compose() {
    local tree=$work/tree

    begin "compose: what its comment says to prepare"
    mkdir "$tree"
    tar -C "$root" -cf - LICENSE CMakeLists.txt CMakePresets.json .dockerignore \
        deploy cmake engine auth api server | tar -C "$tree" -xf -
    prepare_compose "$tree"
    write_podman
    # Read by compose.yaml.
    port=$(free_port $((port + 1)))
    export SA_CONTEXTD_PORT=$port

    begin "compose: building"
    compose "$tree" build
    begin "compose: starting"
    compose "$tree" up --detach --no-build
    wait_for_compose
    begin "compose: what the process holds"
    check_compose
    begin "compose: creating an SA context"
    add_filter
    create_context
    begin "compose: down and up again: the context is still there"
    compose "$tree" down --timeout 45
    compose "$tree" up --detach --no-build
    wait_for_compose
    find_context
    compose "$tree" down --timeout 45
}

# The lines of the comment, as root and in the copy.
prepare_compose() (
    cd "$1" || exit
    deploy/pki.sh deploy/pki
    cp deploy/access.example.json deploy/access.json
    mkdir -p deploy/secrets
    cp deploy/pki/{server.pem,server.key,ca.pem,crl.pem} deploy/secrets/
    chown -R 65532:65532 deploy/secrets
    cp deploy/pki/* "$work/pki/"
)

# compose TREE ARGUMENT…
compose() {
    local tree=$1
    shift
    # It is as good as silent about commands that failed: its own status is that of Python.
    BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=docker \
        podman-compose --podman-path "$work/podman" --project-name "$project" \
        --podman-build-args '--layers --pull-never' \
        -f "$tree/deploy/compose.yaml" -f "$work/limits.yaml" "$@" >"$work/compose.log" 2>&1 || true
    if ! grep -q '^exit code: 0$' "$work/compose.log" ||
        grep -q '^exit code: [^0]' "$work/compose.log"; then
        tail -n 20 "$work/compose.log" >&2
        fail "podman-compose $1 failed"
    fi
}

write_podman() {
    printf '#!/bin/sh\nexec' >"$work/podman"
    printf ' %q' "${engine[@]}" >>"$work/podman"
    # shellcheck disable=SC2016
    printf ' "$@"\n' >>"$work/podman"
    chmod 755 "$work/podman"
    printf 'services:\n  sa-contextd:\n    ulimits:\n      nofile: 1024\n      nproc: 1024\n' \
        >"$work/limits.yaml"
}

wait_for_compose() {
    local count

    for ((count = 0; count < 200; count++)); do
        if pod exec "${project}_sa-contextd_1" /usr/bin/sa-contextd --healthcheck >/dev/null 2>&1; then
            return
        fi
        sleep 0.1
    done
    fail "the daemon is not ready after 20 s: $(pod logs "${project}_sa-contextd_1" 2>&1 | tail -n 5)"
}

check_compose() {
    local process

    process=$(pod inspect --format '{{.State.Pid}}' "${project}_sa-contextd_1")
    grep -E '^(Cap(Prm|Eff|Bnd|Amb)|Uid|NoNewPrivs):' "/proc/$process/status" >"$work/process"
    if grep '^Cap' "$work/process" | grep -qv '0000000000000000$'; then fail "it holds capabilities"; fi
    grep -q $'^Uid:\t65532\t65532\t65532\t65532$' "$work/process" || fail "it is not user 65532"
    grep -q $'^NoNewPrivs:\t1$' "$work/process" || fail "it may gain privileges"
    awk '$5 == "/" { print $6 }' "/proc/$process/mountinfo" | grep -q '^ro' || fail "its root is writable"
}

# Whatever is left.
clear_compose() {
    pod rm --force --time 5 "${project}_sa-contextd_1" >/dev/null 2>&1 || true
    pod volume rm --force "${project}_state" >/dev/null 2>&1 || true
    pod network rm --force "${project}_default" >/dev/null 2>&1 || true
}
