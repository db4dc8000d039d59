# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# sizes.sh: the rows of run.sh that are about the number of contexts: what a call costs among many
# and among few, memory, restart.  Sourced by run.sh, whose variables and functions it uses.

measured_sizes=()

# compare_sizes COUNT: one daemon with few contexts and one with so many, taking turns.
compare_sizes() {
    local count=$1 few=few-$1 many=many-$1 rss round target metric bound_restart=''
    local -A first

    for target in "$few" "$many"; do
        add_daemon "$target"
        first[$target]=$(($(create_one "$target" 10.255.255.3) + 1))
        create "$target" "$few_contexts"
    done
    [ "$mode" = quick ] || create_batches "$many" 100 # buffers reach their size
    rss=$(resident_bytes "${server_pid[$many]}")
    fill "$many" "$count"
    rss=$(($(resident_bytes "${server_pid[$many]}") - rss))
    sample "$many-bytes" "$(calculate "$rss / $count")"

    # What one has created is deleted again, so that few stay few and its memory stays warm.
    for ((round = 1; round <= batches; round++)); do
        progress "among few and among $count, round $round of $batches"
        read_and_list "$few" "${first[$few]}" "$few_contexts"
        read_and_list "$many" "${first[$many]}" "$count"
        create_and_delete "$few"
        create "$many" "$batch"
        sample_create "$many"
    done
    for metric in us cpu p99 read list; do
        compare_size "$metric" "$count"
    done
    add_row "contexts/s in batches, the last of $count" "$(median "$many-batch")" 1 ''
    add_row "resident bytes a context, $count contexts" "$(median "$many-bytes")" 1 '<= 160'

    [ "$count" -gt 1000000 ] || bound_restart='<= 3'
    restart "$many" TERM "seconds to restart, $count contexts" "$bound_restart"
    sample "$many-restart" "$daemon_start_seconds"
    restart "$many" KILL "seconds to restart after kill -9, $count contexts" "$bound_restart"
    stop_all
    keep_size "$few" "$few_contexts"
    keep_size "$many" "$count"
}

# compare_size METRIC COUNT
compare_size() {
    local bound=''
    local -A titles=([us]="us a create" [cpu]="CPU us a create" [p99]="p99 us of a create"
        [read]="us a read" [list]="us a list of 100")

    [ "$1" != us ] || bound='<= 1.2'
    add_row "${titles[$1]}, among $2 to among $few_contexts" \
        "$(median "many-$2-$1")" "$(median "few-$2-$1")" "$bound"
}

# fill TARGET COUNT: in batches; the last tenth is timed.
fill() {
    local all=$(($2 / items_a_batch)) last

    last=$(((all + 9) / 10))
    progress "filling with $2 contexts"
    [ "$all" -le "$last" ] || create_batches "$1" $((all - last))
    create_batches "$1" "$last"
    sample "$1-batch" "$(calculate "$items_a_batch * $(member requestsPerSecond "$result")")"
}

# create TARGET COUNT: that many contexts over 64 connections.
create() {
    load_target "$1" --connections 64 --warm-up 0 --requests "$2"
}

sample_create() {
    local name

    sample "$1-us" "$(calculate "1e6 / $(member requestsPerSecond "$result")")"
    sample "$1-cpu" "$(member serverCpuUs "$result")"
    for name in p50 p99 p999; do
        sample "$1-$name" "$(member "${name}Us" "$result")"
    done
}

# read_and_list TARGET FIRST COUNT: contexts from FIRST on, out of order, and pages of a hundred.
read_and_list() {
    local options=(--expect 200 --server-pid "${server_pid[$1]}" --warm-up 0)

    load --url "${target_url[$1]}/{i}" --first "$2" --spread "$3" --connections 64 \
        --requests "$batch" "${options[@]}"
    sample "$1-read" "$(calculate "1e6 / $(member requestsPerSecond "$result")")"
    load --url "${target_url[$1]}?limit=100" --connections 16 --requests $((batch / 10)) "${options[@]}"
    sample "$1-list" "$(calculate "1e6 / $(member requestsPerSecond "$result")")"
}

# Identifiers are given in order: a batch's lie between those of a create before and one after it.
create_and_delete() {
    local target=$1 from to

    from=$(create_one "$target" 10.255.255.1)
    create "$target" "$batch"
    sample_create "$target"
    to=$(create_one "$target" 10.255.255.2)
    load_leniently --url "${target_url[$target]}/{i}" --method DELETE --connections 16 \
        --warm-up 0 --requests $((to - from + 1)) --first "$from"
    [ $(($(member requests "$result") - $(member unexpected "$result"))) -eq $((batch + 2)) ] ||
        die "the contexts of a batch could not be deleted: $result"
}

# create_one TARGET REMOTE: prints the new identifier.
create_one() {
    member id "$(request "${target_url[$1]}" "${target_body[$1]/"{addr}"/$2}")"
}

# restart TARGET SIGNAL TITLE BOUND
restart() {
    progress "$3"
    stop "${server_pid[$1]}" "$2"
    start_daemon "$1"
    server_pid[$1]=$daemon_pid
    add_row "$3" "$daemon_start_seconds" 1 "$4"
}

# keep_size TARGET COUNT: its samples are also those of the size, for the plot.
keep_size() {
    local metric

    for metric in us cpu p50 p99 p999 read list batch bytes restart; do
        [ ! -f "$work/samples/$1-$metric" ] ||
            cat "$work/samples/$1-$metric" >>"$work/samples/size-$2-$metric"
    done
    [[ " ${measured_sizes[*]} " = *" $2 "* ]] || measured_sizes+=("$2")
}
