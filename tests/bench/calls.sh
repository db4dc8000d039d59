# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# calls.sh: the rows of run.sh beyond single creates: batches, reads, lists, the life of a context,
# PostgreSQL, and where the CPU time goes.  Sourced by run.sh, whose variables and functions it uses.

items_a_batch=1000 puts_a_transaction=128

# Contexts a second, all of a request or none, beside the largest transactions that etcd takes.
compare_batches() {
    local round

    add_daemon batches
    for ((round = 1; round <= rounds; round++)); do
        for connections in 1 8; do
            progress "batches of $items_a_batch, $connections connections, round $round of $rounds"
            load_batches batches "$connections" $((20 * connections))
            sample "batches-$connections" \
                "$(calculate "$items_a_batch * $(member requestsPerSecond "$result")")"
            sample "batches-cpu-$connections" \
                "$(calculate "$(member serverCpuUs "$result") / $items_a_batch")"
        done
        progress "etcd's transactions of $puts_a_transaction puts, round $round of $rounds"
        load_transactions 8
        sample etcd-puts "$(calculate "$puts_a_transaction * $(member requestsPerSecond "$result")")"
        sample etcd-puts-cpu "$(calculate "$(member serverCpuUs "$result") / $puts_a_transaction")"
    done
    stop "${server_pid[batches]}"
    add_row "contexts/s in batches to 100,000, connections: 1" "$(median batches-1)" 100000 ''
    add_row "contexts/s in batches to 100,000, connections: 8" "$(median batches-8)" 100000 '>= 1'
    add_row "contexts/s in batches to etcd's puts, connections: 8" \
        "$(median batches-8)" "$(median etcd-puts)" '>= 10'
    add_row "CPU us a context in batches to etcd's put" \
        "$(median batches-cpu-8)" "$(median etcd-puts-cpu)" ''
}

# create_batches TARGET COUNT: so many batches.
create_batches() {
    load_batches "$1" 4 "$2"
}

# load_batches TARGET CONNECTIONS REQUESTS
load_batches() {
    load --url "${target_url[$1]}/batch" --method POST --items "$items_a_batch" \
        --before '{"atomic":true,"items":[' --body "${target_body[$1]}" --after ']}' \
        --expect 200 --server-pid "${server_pid[$1]}" --connections "$2" --warm-up 0 --requests "$3"
}

load_transactions() {
    load --url "https://127.0.0.1:$etcd_port/v3/kv/txn" --method POST \
        --items "$puts_a_transaction" --before '{"compare":[],"failure":[],"success":[' \
        --body "{\"requestPut\":${target_body[etcd]}}" --after ']}' \
        --expect 200 --first "${target_next[etcd]}" --server-pid "$etcd_pid" \
        --connections "$1" "${span[@]}"
    target_next[etcd]=$(member next "$result")
}

# One context by its id, and pages of a hundred.
compare_reads() {
    local round url=${target_url[daemon]} first

    first=$(create_one daemon 10.255.255.3)
    create daemon 10000
    for ((round = 1; round <= rounds; round++)); do
        progress "reads and lists, round $round of $rounds"
        load --url "$url/{i}" --expect 200 --first $((first + 1)) --server-pid \
            "${server_pid[daemon]}" --connections 64 --warm-up 0 --requests 10000
        sample reads "$(member requestsPerSecond "$result")"
        load --url "$url?limit=100" --expect 200 --server-pid "${server_pid[daemon]}" \
            --connections 16 "${span[@]}"
        sample lists "$(member requestsPerSecond "$result")"
        load --url "${target_url[nginx]}" --expect 201 --server-pid "${server_pid[nginx]}" \
            --connections 64 "${span[@]}"
        sample nginx-reads "$(member requestsPerSecond "$result")"
    done
    add_row "reads of a context/s to nginx, connections: 64" \
        "$(median reads)" "$(median nginx-reads)" ''
    add_row "lists of 100 contexts/s, connections: 16" "$(median lists)" 1 ''
}

# Create, GetSpi, AddInbound, AddOutbound: each step for all of a crowd, then the next step.
# Identifiers are given in order, so the crowd's follow that of a create before.  The SPIs are those
# that GetSpi answers; the peer's, outbound, are of no matter here.
measure_life_cycles() {
    local round first count=5000 took spis=$work/spis
    local -A bodies keys=([inbound]=AAECAwQFBgcICQoLDA0ODxAREhM= [outbound]=EBESExQVFhcYGRobHB0eHyAhIiM=)
    local path

    add_daemon life
    bodies[spi]="{\"ipsecFilterId\":$((target_filter[life] + 1))}"
    for path in inbound outbound; do
        bodies[$path]='{"lifetime":{"seconds":3600},"saList":[{"spi":SPI,'
        bodies[$path]+='"saTransformType":"espAuthAndCipher","authTransform":"GCM_AES_128",'
        bodies[$path]+="\"cipherTransform\":\"GCM_AES_128\",\"cipherKey\":\"${keys[$path]}\"}]}"
    done
    bodies[inbound]=${bodies[inbound]/SPI/'{kept}'}
    bodies[outbound]=${bodies[outbound]/SPI/'10000{i}'}
    [ "$mode" != quick ] || count=1000
    for ((round = 1; round <= rounds; round++)); do
        progress "life cycles, round $round of $rounds"
        first=$(($(create_one life 10.255.255.4) + 1))
        create life "$count"
        took=$(member seconds "$result")
        life_step spi 200 --keep spi --keep-file "$spis"
        life_step inbound 201 --kept "$spis"
        life_step outbound 201
        sample life-cycles "$(calculate "$count / ($took)")"
    done
    stop "${server_pid[life]}"
    add_row "life cycles of four steps/s, connections: 64" "$(median life-cycles)" 1 ''
}

# life_step PATH STATUS OPTION...: one call for each of the crowd.
life_step() {
    load --url "${target_url[life]}/{i}/$1" --method POST --body "${bodies[$1]}" --expect "$2" \
        --first "$first" --server-pid "${server_pid[life]}" --connections 64 \
        --warm-up 0 --requests "$count" "${@:3}"
    took+=" + $(member seconds "$result")"
}

# One INSERT a transaction, prepared, over TLS with a client certificate, synchronous_commit on.
compare_postgres() {
    local round

    start_postgres
    for ((round = 1; round <= rounds; round++)); do
        progress "PostgreSQL, 64 connections, round $round of $rounds"
        sample postgres "$(insert_rows 64)"
    done
    stop "$postgres_pid" INT
    add_row "requests/s to PostgreSQL's inserts, connections: 64" \
        "$(median daemon-rate-64)" "$(median postgres)" ''
}

# From a create to its event, with a hundred watchers.
measure_watchers() {
    local round line url=${target_url[daemon]} watchers=100 part

    url=${url#https://127.0.0.1:}
    for ((round = 1; round <= rounds; round++)); do
        progress "events to $watchers watchers, round $round of $rounds"
        line=$("${on_client_cpu[@]}" "$build/watch" 127.0.0.1 "${url%%/*}" "$pki/ca.crt" \
            "$pki/client.crt" "$pki/client.key" "${target_filter[daemon]}" "$watchers" "$events") ||
            die "the watchers failed"
        for part in answer watcher lastWatcher; do
            [[ $line =~ \"${part}Us\":\{\"p50\":([0-9]+),\"p99\":([0-9]+) ]] || die "no $part in: $line"
            sample "event-$part-p50" "${BASH_REMATCH[1]}"
            sample "event-$part-p99" "${BASH_REMATCH[2]}"
        done
    done
    for part in p50 p99; do
        add_row "$part us to an event, $watchers watchers, to the answer" \
            "$(median "event-watcher-$part")" "$(median "event-answer-$part")" ''
        add_row "$part us to the last watcher, to the answer" \
            "$(median "event-lastWatcher-$part")" "$(median "event-answer-$part")" ''
    done
}

# By part, from samples of the CPU clock: rows of the time of a create at 64 connections.
split_cpu_time() {
    local data=$work/perf.data recorder whole share part

    if ! command -v perf >/dev/null; then
        notes+=("where the CPU time goes: not measured, there is no perf here")
        return
    fi
    progress "where the CPU time goes"
    perf record -q -e cpu-clock -F 2000 -p "${server_pid[daemon]}" -o "$data" >/dev/null 2>&1 &
    recorder=$!
    load_target daemon --connections 64 "${span[@]}"
    whole=$(member serverCpuUs "$result")
    kill -INT "$recorder" 2>/dev/null || true
    wait "$recorder" || true
    if ! perf report -q -i "$data" --sort comm,dso,symbol -t '|' 2>/dev/null |
        python3 "$here/cpu_split.py" "$root/build" >"$work/parts" || [ ! -s "$work/parts" ]; then
        notes+=("where the CPU time goes: not measured, perf has no samples")
        return
    fi
    while IFS='|' read -r share part; do
        add_row "CPU us a create: $part, to all of it" \
            "$(calculate "$share / 100 * $whole")" "$whole" ''
    done <"$work/parts"
}
