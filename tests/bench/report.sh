# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# report.sh: numbers of run.sh, the table that it prints, and the same as JSON.  Sourced by run.sh.

# member NAME JSON: a number of a flat JSON object.
member() {
    local pattern="\"$1\": *(-?[0-9.]+)"

    [[ $2 =~ $pattern ]] || die "no $1 in: $2"
    echo "${BASH_REMATCH[1]}"
}

calculate() {
    awk "BEGIN { printf \"%.10g\n\", ($(tr '\n' ' ' <<<"$1")) }"
}

sample() {
    echo "$2" >>"$work/samples/$1"
}

median() {
    sort -g "$work/samples/$1" |
        awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

resident_bytes() {
    awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$1/status"
}

# add_samples TITLE METRIC CONNECTIONS PEER BOUND [DAEMON]: medians of the daemon and of a peer.
add_samples() {
    add_row "$1, connections: $3" "$(median "${6:-daemon}-$2-$3")" "$(median "$4-$2-$3")" "$5"
}

# add_cpu_row TITLE CONNECTIONS DAEMON BOUND: requests for a second of CPU time, beside nginx.
add_cpu_row() {
    add_row "$1, connections: $2" "$(calculate "1e6 / $(median "$3-cpu-$2")")" \
        "$(calculate "1e6 / $(median "nginx-cpu-$2")")" "$4"
}

# add_tail_row TITLE CONNECTIONS DAEMON BOUND: by Little's law a request takes connections / rate in
# the mean.
add_tail_row() {
    add_row "$1, connections: $2" "$(median "$3-p99-$2")" \
        "$(calculate "2 * $(median fdatasync-p99) + 1e6 * $2 / $(median "$3-rate-$2")")" "$4"
}

# add_row TITLE OURS THEIRS BOUND: BOUND is on the ratio, '<= 2' or '>= 10', or empty.
add_row() {
    local title=$1 ours=$2 theirs=$3 bound=$4 ratio verdict=''

    ratio=$(calculate "$theirs > 0 ? $ours / $theirs : 0")
    if [ -n "$bound" ]; then
        verdict=met
        if [ "$(calculate "$ratio $bound")" != 1 ]; then
            verdict=MISSED
            missed=$((missed + 1))
        fi
    fi
    table+=("$(printf '%-58s %11s %11s %9.3f  %-8s %s' \
        "$title" "$(short "$ours")" "$(short "$theirs")" "$ratio" "$bound" "$verdict")")
    rows+=("$(printf '{"title":"%s","measured":%s,"beside":%s,"ratio":%s,"bound":"%s","verdict":"%s"}' \
        "$title" "$ours" "$theirs" "$ratio" "$bound" "$verdict")")
}

short() {
    calculate "$1 + 0" | awk '{ printf ($1 >= 1000 ? "%.0f" : "%.4g"), $1 }'
}

machine() {
    printf '%s CPUs (load average before: %s), %s, nginx %s, etcd %s, %s' \
        "$(nproc)" "$load_average" "$(stat -f -c %T "$work")" \
        "$(nginx -v 2>&1 | sed 's,.*/,,')" "$(etcd --version | sed -n 's/etcd Version: //p')" \
        "$(openssl version | cut -d' ' -f1-2)"
}

print_table() {
    printf '\n%s\n' "$(machine)"
    if [ -f "$work/samples/fdatasync" ]; then
        printf 'append and fdatasync of 4 KiB: median %s us, p99 %s us\n' \
            "$(short "$(median fdatasync)")" "$(short "$(median fdatasync-p99)")"
    fi
    printf '\n%-58s %11s %11s %9s  %-8s\n' '' measured beside ratio bound
    printf '%s\n' "${table[@]}"
    if [ ${#notes[@]} -gt 0 ]; then
        printf '\n'
        printf '%s\n' "${notes[@]}"
    fi
    if [ "$mode" = quick ]; then
        printf '\nA quick run shows that the benchmark works; its numbers mean little.\n'
    fi
}

# The rows of the table, and by number of contexts what plot.py draws.
write_json() {
    local IFS=, size metric sizes_text=() members

    for size in "${measured_sizes[@]}"; do
        members=("\"contexts\":$size")
        for metric in us cpu p50 p99 p999 read list batch bytes restart; do
            [ ! -f "$work/samples/size-$size-$metric" ] ||
                members+=("\"$metric\":$(median "size-$size-$metric")")
        done
        sizes_text+=("{${members[*]}}")
    done
    printf '{"machine":"%s","mode":"%s",\n"rows":[\n%s\n],\n"sizes":[\n%s\n]}\n' \
        "$(machine)" "$mode" "${rows[*]}" "${sizes_text[*]}"
}
