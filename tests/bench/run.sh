#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh: the daemon beside nginx, etcd, PostgreSQL and the bare disk, in one run on one machine;
# prints a table of ratios.  README.md says what the rows mean.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
PATH=$PATH:/usr/sbin:/sbin

usage() {
    cat <<'END'
usage: tests/bench/run.sh [--quick | --full] [--assert] [--peers-only] [--unpinned]
                          [--contexts N]… [--json FILE] [--plot FILE] [--folder FOLDER]
                          [-- DAEMON OPTIONS]
  --quick       half a minute: shows that everything works, measures nothing worth keeping
  --full        longer, also 1, 16 and 256 connections, handshakes, reads, lists, life cycles,
                PostgreSQL, watchers, where the CPU time goes, and 10,000,000 contexts
  --contexts    how many are many, may repeat; default 100000 and 1000000, with --full 10000000 too
  --json        the results for programs
  --plot        an SVG of rates and times over the number of contexts; plot.py draws one from JSON
  --assert      exit status 1 when a bound is missed
  --peers-only  nginx, etcd and the disk, without the daemon
  --unpinned    lets the scheduler place the client and nginx, see README.md
  --folder      where the temporary folder goes; default /var/tmp, must be on a disk
END
}

mode=normal assert=false with_daemon=true pinned=true parent=/var/tmp daemon_options=() sizes=() json='' plot=''
while [ $# -gt 0 ]; do
    case $1 in
    --quick | --full) mode=${1#--} ;;
    --assert) assert=true ;;
    --peers-only) with_daemon=false ;;
    --unpinned) pinned=false ;;
    --folder | --contexts | --json | --plot)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        case $1 in
        --folder) parent=$2 ;;
        --contexts) sizes+=("$2") ;;
        --json) json=$2 ;;
        --plot) plot=$2 ;;
        esac
        shift
        ;;
    --help)
        usage
        exit 0
        ;;
    --)
        shift
        daemon_options=("$@")
        break
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    shift
done

case $mode in
quick)
    rounds=1 seconds=0.4 warm_up=0.1 batch=2000 batches=3 appends=100 events=200
    all_sizes=(5000 20000)
    ;;
full)
    rounds=5 seconds=3 warm_up=0.5 batch=10000 batches=9 appends=500 events=2000
    all_sizes=(100000 1000000 10000000)
    ;;
*)
    rounds=3 seconds=2 warm_up=0.3 batch=10000 batches=7 appends=300 events=1000
    all_sizes=(100000 1000000)
    ;;
esac
[ ${#sizes[@]} -gt 0 ] || sizes=("${all_sizes[@]}")
span=(--seconds "$seconds" --warm-up "$warm_up")
few_contexts=1000
load_average=$(cut -d' ' -f1 /proc/loadavg)
missed=0
table=() rows=() notes=() daemons=(daemon)

# shellcheck source=tests/bench/peers.sh
. "$here/peers.sh"
# shellcheck source=tests/bench/calls.sh
. "$here/calls.sh"
# shellcheck source=tests/bench/sizes.sh
. "$here/sizes.sh"
# shellcheck source=tests/bench/report.sh
. "$here/report.sh"

main() {
    trap 'exit 130' INT
    trap 'exit 1' TERM
    install_peers
    build
    choose_cpus
    prepare_folder
    make_pki "$pki"
    write_access
    add_peers
    if $with_daemon; then
        add_daemon daemon
        add_one_worker
        compare_rates 64
        compare_latency
        compare_batches
        if [ "$mode" != normal ]; then
            for connections in 1 16 256; do
                compare_rates "$connections"
            done
            compare_handshakes full
            compare_handshakes resumed --resume
            compare_reads
            measure_life_cycles
            measure_watchers
            compare_postgres
            split_cpu_time
        fi
        stop_all
        for size in "${sizes[@]}"; do
            compare_sizes "$size"
        done
    else
        measure_peers
    fi
    print_table
    write_json >"$work/results.json"
    if [ -n "$json" ]; then cp "$work/results.json" "$json"; fi
    if [ -n "$plot" ]; then python3 "$here/plot.py" "$work/results.json" >"$plot"; fi
    if $assert && [ "$missed" -gt 0 ]; then
        exit 1
    fi
}

# --- What is measured ----------------------------------------------------------------------------

# Requests a second and CPU time, the targets taking turns.
compare_rates() {
    local connections=$1 target round bound_nginx='' bound_etcd='' bound_cpu='' bound_tail=''

    for ((round = 1; round <= rounds; round++)); do
        probe_disk
        for target in nginx nginx-all "${daemons[@]}" etcd; do
            progress "$target, $connections connections, round $round of $rounds"
            load_target "$target" --connections "$connections" "${span[@]}"
            sample "$target-rate-$connections" "$(member requestsPerSecond "$result")"
            sample "$target-cpu-$connections" "$(member serverCpuUs "$result")"
            sample "$target-p50-$connections" "$(member p50Us "$result")"
            sample "$target-p99-$connections" "$(member p99Us "$result")"
            sample "$target-p999-$connections" "$(member p999Us "$result")"
        done
    done
    if [ "$connections" = 64 ]; then
        bound_nginx='>= 0.5' bound_etcd='>= 10' bound_cpu='>= 0.9' bound_tail='<= 1'
    fi
    add_samples "requests/s to nginx" rate "$connections" nginx "$bound_nginx"
    add_samples "requests/s to nginx, a worker a CPU" rate "$connections" nginx-all ''
    add_samples "requests/s to etcd" rate "$connections" etcd "$bound_etcd"
    add_cpu_row "requests a CPU second to nginx" "$connections" daemon "$bound_cpu"
    add_samples "CPU us a request to nginx" cpu "$connections" nginx ''
    add_samples "CPU us a request to etcd" cpu "$connections" etcd ''
    add_samples "p50 us to nginx" p50 "$connections" nginx ''
    add_samples "p99 us to nginx" p99 "$connections" nginx ''
    add_samples "p99.9 us to nginx" p999 "$connections" nginx ''
    add_tail_row "p99 us to 2 fdatasync p99 + queueing" "$connections" daemon "$bound_tail"
    [[ ${daemons[*]} == *one-worker* ]] || return 0
    add_samples "requests/s to nginx, a worker each" rate "$connections" nginx '' one-worker
    add_samples "requests/s to etcd, one worker" rate "$connections" etcd '' one-worker
    add_cpu_row "requests a CPU second to nginx, a worker each" "$connections" one-worker ''
    add_tail_row "p99 us to 2 fdatasync p99 + queueing, one worker" "$connections" one-worker ''
}

# The median with one connection against what the disk and the protocol take anyway.
compare_latency() {
    local round target floor

    for ((round = 1; round <= rounds; round++)); do
        probe_disk
        for target in nginx daemon; do
            progress "$target, latency, round $round of $rounds"
            load_target "$target" --connections 1 "${span[@]}"
            sample "$target-latency" "$(member p50Us "$result")"
        done
    done
    floor=$(calculate "$(median fdatasync) + $(median nginx-latency)")
    add_row "median us to fdatasync + nginx, connections: 1" \
        "$(median daemon-latency)" "$floor" '<= 2'
}

# New connections, one request each.
compare_handshakes() {
    local kind=$1 round target count

    shift
    for ((round = 1; round <= rounds; round++)); do
        for target in nginx daemon; do
            progress "$target, $kind handshakes, round $round of $rounds"
            load_target "$target" --connections 16 "${span[@]}" --requests-per-connection 1 "$@"
            count=$(member "${kind}Handshakes" "$result")
            sample "$target-$kind-16" "$(calculate "$count / $(member seconds "$result")")"
        done
    done
    add_samples "handshakes/s to nginx, $kind" "$kind" 16 nginx ''
}

measure_peers() {
    local target round

    for ((round = 1; round <= rounds; round++)); do
        probe_disk
        for target in nginx etcd; do
            for connections in 1 64; do
                progress "$target, $connections connections, round $round of $rounds"
                load_target "$target" --connections "$connections" "${span[@]}"
                sample "$target-rate-$connections" "$(member requestsPerSecond "$result")"
                sample "$target-p50-$connections" "$(member p50Us "$result")"
            done
        done
    done
    for connections in 1 64; do
        add_row "requests/s, nginx to etcd, connections: $connections" \
            "$(median "nginx-rate-$connections")" "$(median "etcd-rate-$connections")" ''
        add_row "median us, nginx to etcd, connections: $connections" \
            "$(median "nginx-p50-$connections")" "$(median "etcd-p50-$connections")" ''
    done
}

probe_disk() {
    progress "fdatasync"
    result=$("$build/sync_probe" "$work" "$appends")
    sample fdatasync "$(member p50Us "$result")"
    sample fdatasync-p99 "$(member p99Us "$result")"
}

# --- Targets and load ----------------------------------------------------------------------------

declare -A server_pid target_url target_body target_status target_next target_filter

add_target() {
    local target=$1

    server_pid[$target]=$2
    target_url[$target]=$3
    target_body[$target]=$4
    target_status[$target]=$5
    target_next[$target]=256
}

add_peers() {
    start_nginx nginx 1
    add_target nginx "$nginx_worker_pid" "https://127.0.0.1:$nginx_port/sa-contexts" \
        "$(traffic 1)" 201
    start_nginx nginx-all auto
    add_target nginx-all "$nginx_worker_pid" "https://127.0.0.1:$nginx_port/sa-contexts" \
        "$(traffic 1)" 201
    start_etcd
    add_target etcd "$etcd_pid" "https://127.0.0.1:$etcd_port/v3/kv/put" \
        "{\"key\":\"{key}\",\"value\":\"$(traffic 1 | base64 -w0)\"}" 200
}

# add_daemon NAME [OPTION]...: a daemon with a store of its own and a pair of filters.
add_daemon() {
    local url filter

    start_daemon "$@"
    url=https://127.0.0.1:$daemon_port
    filter=$(add_filters "$url/filters")
    target_filter[$1]=$filter
    add_target "$1" "$daemon_pid" "$url/sa-contexts" "$(traffic "$filter")" 201
}

# A second daemon, with one worker as nginx has, unless the number was given.
add_one_worker() {
    [[ " ${daemon_options[*]} " != *" --workers"* ]] || return 0
    add_daemon one-worker --workers 1
    daemons+=(one-worker)
}

# traffic FILTER: the body that creates a context.
traffic() {
    printf '{"ipVersion":"v4","localAddress":"192.0.2.1","remoteAddress":"{addr}",'
    printf '"trafficType":"transport","ipsecFilterId":%s}' "$1"
}

# load_target TARGET OPTION...: the load generator against one target; its JSON line in 'result'.
load_target() {
    local target=$1

    shift
    load --url "${target_url[$target]}" --method POST --body "${target_body[$target]}" \
        --expect "${target_status[$target]}" --first "${target_next[$target]}" \
        --server-pid "${server_pid[$target]}" "$@"
    # nginx keeps nothing, so its numbers may come again.
    [[ $target = nginx* ]] || target_next[$target]=$(member next "$result")
}

load() {
    load_leniently "$@"
    [ "$(member unexpected "$result")$(member errors "$result")" = 00 ] ||
        die "not every request was served: $result
$(tail -n 1 "$work/load.log")"
}

load_leniently() {
    result=$("${on_client_cpu[@]}" "$build/load" --ca "$pki/ca.crt" \
        --cert "$pki/client.crt" --key "$pki/client.key" "$@" 2>>"$work/load.log") ||
        [ -n "$result" ] || die "$(tail -n 1 "$work/load.log")"
}

# --- Preparation ---------------------------------------------------------------------------------

install_peers() {
    local tool

    for tool in nginx etcd pgbench curl openssl cmake ninja cc; do
        command -v "$tool" >/dev/null && continue
        progress "installing what is missing ($tool)"
        "$root/deploy/deps.sh" --bench >&2
        return
    done
}

build() {
    local targets=(load sync_probe watch)

    ! $with_daemon || targets+=(sa-contextd)
    progress "building"
    mkdir -p "$root/build"
    (cd "$root" && cmake --preset release -DSAC_TESTS=ON &&
        cmake --build build/release --target "${targets[@]}") \
        >"$root/build/bench.log" 2>&1 || die "the build failed, see build/bench.log"
    build=$root/build/release/tests/bench
    daemon=$root/build/release/sa-contextd
}

# The client gets the last CPU and nginx's worker the first.  Left alone, the scheduler lets the two
# share one in some rounds and not in others, and nginx is then half as fast or not.  The daemon and
# etcd run where they like.
choose_cpus() {
    local cpus

    on_client_cpu=() nginx_cpus=auto
    cpus=$(taskset -cp $$ | sed 's/.*: //')
    if $pinned && [[ $cpus == *[,-]* ]]; then
        on_client_cpu=(taskset -c "${cpus##*[,-]}")
        nginx_cpus=$(printf '1%0*d' "${cpus%%[,-]*}" 0)
        [ "${cpus%%[,-]*}" -gt 0 ] || nginx_cpus=1
    fi
}

prepare_folder() {
    work=$(mktemp -d "$parent/sa-contextd-bench.XXXXXX")
    chmod 711 "$work" # PostgreSQL does not run as root
    trap 'stop_all; rm -rf "$work"' EXIT
    case $(stat -f -c %T "$work") in
    tmpfs | ramfs) die "$parent is in memory: name a folder on a disk with --folder" ;;
    esac
    pki=$work/pki
    mkdir "$work/samples"
}

progress() {
    printf 'bench: %s\n' "$*" >&2
}

# Also from within $(...): the whole run ends.
die() {
    printf 'bench: %s\n' "$*" >&2
    kill -TERM $$
    exit 1
}

main
