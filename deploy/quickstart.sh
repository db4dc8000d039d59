#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# quickstart.sh: from a fresh Debian machine to an SA context, in one command.
#
# Installs what is missing, builds the daemon, makes throwaway certificates, starts the daemon on
# loopback with its SQLite store, and goes through the first requests with curl, printing each so
# that it can be copied.  The daemon stays up to be tried; --once stops it at the end.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$root/build/quickstart
port=
ops_port=
once=
pid=
finished=

usage() {
    cat <<'TEXT'
usage: quickstart.sh [--once] [--dir DIR] [--port PORT] [--ops-port PORT]

  --once           stop the daemon at the end
  --dir DIR        certificates, configuration, state and log (default: build/quickstart);
                   the state of an earlier run there is replaced
  --port PORT      HTTPS on 127.0.0.1 (default: 8443, or the next one that is free)
  --ops-port PORT  health and metrics on 127.0.0.1 (default: 9180, or the next one that is free)
TEXT
}

die() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}
heading() { printf '\n=== %s\n' "$*"; }

while [ $# -gt 0 ]; do
    case $1 in
    --once) once=1 ;;
    --dir | --port | --ops-port)
        [ $# -ge 2 ] || die "$1 needs a value"
        case $1 in
        --dir) dir=$(realpath -m -- "$2") ;;
        --port) port=$2 ;;
        --ops-port) ops_port=$2 ;;
        esac
        shift
        ;;
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
for number in "$port" "$ops_port"; do
    case $number in
    *[!0-9]*) die "'$number' is no port" ;;
    esac
done

# --- The daemon's life ----------------------------------------------------------------------------

# Asks process $1 to end and waits for it; false when it does not within 15 s.
stop_process() {
    local count

    kill -TERM "$1" 2>/dev/null || return 0
    for ((count = 0; count < 150; count++)); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    return 1
}

at_exit() {
    local status=$?

    if [ -n "$finished" ]; then exit "$status"; fi
    if [ -n "$pid" ]; then
        stop_process "$pid" || kill -KILL "$pid" 2>/dev/null || true
        rm -f "$dir/sa-contextd.pid"
        printf '\nquickstart: stopped before its end; the last lines of %s:\n' "$dir/log" >&2
        tail -n 20 "$dir/log" >&2 || true
    fi
    exit "$status"
}
trap at_exit EXIT

# A daemon that an earlier run in the same folder left running: that one, not another's.
stop_earlier() {
    local earlier

    [ -r "$dir/sa-contextd.pid" ] || return 0
    earlier=$(cat "$dir/sa-contextd.pid")
    case $earlier in
    '' | *[!0-9]*) return 0 ;;
    esac
    if tr '\0' '\n' <"/proc/$earlier/cmdline" 2>/dev/null | grep -qxF "$dir/sa-contextd.json"; then
        echo "stopping the daemon of an earlier run (process $earlier)"
        stop_process "$earlier" || die "process $earlier does not end"
    fi
    rm -f "$dir/sa-contextd.pid"
}

is_taken() { (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null; }

# Prints the port to use: $2 if it is given and free, else the first free one from $3 on.
choose_port() {
    local what=$1 wanted=$2 candidate=$3

    if [ -n "$wanted" ]; then
        if is_taken "$wanted"; then die "port $wanted is taken: give another one for $what"; fi
        echo "$wanted"
        return
    fi
    while is_taken "$candidate"; do
        echo "port $candidate is taken, trying $((candidate + 1)) for $what" >&2
        candidate=$((candidate + 1))
    done
    echo "$candidate"
}

wait_until_ready() {
    local count

    for ((count = 0; count < 300; count++)); do
        kill -0 "$pid" 2>/dev/null || die "the daemon ended"
        if curl -fs -o /dev/null "http://127.0.0.1:$ops_port/readyz"; then return; fi
        sleep 0.1
    done
    die "the daemon is not ready after 30 s"
}

# --- Requests -------------------------------------------------------------------------------------

# request EXPECTED CALLER CURL-ARGUMENT… -- prints the curl line and the answer, which must have the
# status EXPECTED; leaves the body in $answer.  CALLER "nobody" sends no certificate.
answer=
request() {
    local expected=$1 caller=$2 word line separator=' ' status
    local -a command=(curl -s --cacert pki/ca.pem)
    shift 2

    if [ "$caller" != nobody ]; then
        command+=(--cert "pki/$caller.pem" --key "pki/$caller.key")
    fi
    line=${command[*]}
    for word in "$@"; do
        case $word in
        -*) separator=$' \\\n    ' ;;
        esac
        case $word in
        *[!A-Za-z0-9_./:=,@%+-]*) line+=$separator"'$word'" ;;
        *) line+=$separator$word ;;
        esac
        separator=' '
    done
    printf '\n$ %s\n' "$line"
    (cd "$dir" && "${command[@]}" -o answer -w '%{http_code}' --max-time 30 "$@" >status) ||
        die "curl failed ($?)"
    status=$(cat "$dir/status")
    answer=$(cat "$dir/answer" 2>/dev/null || true)
    rm -f "$dir/answer" "$dir/status"
    printf '%s %s\n' "$status" "$(jq -c . <<<"$answer" 2>/dev/null || printf '%s' "$answer")"
    [ "$status" = "$expected" ] || die "expected status $expected"
}

post() {
    local expected=$1 caller=$2 path=$3 body=$4

    request "$expected" "$caller" "$url$path" -H 'Content-Type: application/json' -d "$body"
}

# member NAME: a member of the last answer, which must be there.
member() {
    jq -er ".$1" <<<"$answer" || die "the answer has no '$1'"
}

# --- The way --------------------------------------------------------------------------------------

heading "What building needs"
"$root/deploy/deps.sh"

heading "Building"
(cd "$root" && cmake --preset release -DSAC_TESTS=OFF -DSAC_WERROR=OFF --log-level=WARNING >/dev/null &&
    cmake --build build/release --target sa-contextd) || die "the build failed"
daemon=$root/build/release/sa-contextd

heading "Certificates and configuration in $dir"
mkdir -p "$dir"
chmod 700 "$dir"
stop_earlier
"$root/deploy/pki.sh" "$dir/pki"
cp "$root/deploy/access.example.json" "$dir/access.json"
port=$(choose_port "HTTPS" "$port" 8443)
ops_port=$(choose_port "health and metrics" "$ops_port" 9180)
url=https://127.0.0.1:$port
rm -f "$dir"/state.db{,-wal,-shm}
jq --arg dir "$dir" --arg port "$port" --arg ops_port "$ops_port" '. + {
    "listen": "127.0.0.1:\($port)", "ops-listen": "127.0.0.1:\($ops_port)",
    "tls-cert": "\($dir)/pki/server.pem", "tls-key": "\($dir)/pki/server.key",
    "client-ca": "\($dir)/pki/ca.pem", "client-crl": "\($dir)/pki/crl.pem",
    "access": "\($dir)/access.json", "store": "sqlite:\($dir)/state.db"
}' "$root/deploy/sa-contextd.example.json" >"$dir/sa-contextd.json"
cat "$dir/sa-contextd.json"

heading "Starting the daemon"
printf '$ %s --config %s\n' "$daemon" "$dir/sa-contextd.json"
setsid "$daemon" --config "$dir/sa-contextd.json" </dev/null >"$dir/log" 2>&1 &
pid=$!
echo "$pid" >"$dir/sa-contextd.pid"
wait_until_ready
echo "process $pid, $url, log in $dir/log"

heading "Who am I?  (the lines below can be copied, after: cd $dir)"
request 200 orchestrator "$url/whoami"

heading "A filter for each direction: what an SA context refers to"
post 201 orchestrator /filters '{"displayData": {"name": "site b out"},
  "layer": "outboundTransportV4",
  "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": "192.0.2.1"},
                 {"field": "ipRemoteAddress", "match": "equal", "value": "198.51.100.0/24"}],
  "action": {"type": "calloutTerminating", "callout": "ipsecOutboundTransportV4"}}'
outbound=$(member id)
post 201 orchestrator /filters '{"displayData": {"name": "site b in"},
  "layer": "inboundTransportV4",
  "conditions": [{"field": "ipLocalAddress", "match": "equal", "value": "192.0.2.1"},
                 {"field": "ipRemoteAddress", "match": "equal", "value": "198.51.100.0/24"}],
  "action": {"type": "calloutTerminating", "callout": "ipsecInboundTransportV4"}}'
inbound=$(member id)

heading "An SA context: the answer names the inbound filter of the same flow"
traffic='{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7",
  "trafficType": "transport", "ipsecFilterId": '$outbound'}'
post 201 orchestrator /sa-contexts "$traffic"
context=$(member id)
[ "$(member inboundFilterId)" = "$inbound" ] || die "inboundFilterId is not $inbound"
request 200 reader "$url/sa-contexts/$context"
request 200 reader "$url/sa-contexts?limit=10"

heading "A filter that does not exist is refused, with WFP's code"
post 422 orchestrator /sa-contexts \
    "$(jq -c '.ipsecFilterId = 9007199254740991' <<<"$traffic")"

heading "A caller without the right is refused: 403"
post 403 reader /sa-contexts "$traffic"
request 403 stranger "$url/sa-contexts/$context"

heading "A caller without a certificate is refused: 401"
request 401 nobody "$url/sa-contexts/$context"

if [ -n "$once" ]; then
    heading "Stopping the daemon"
    kill -TERM "$pid"
    status=0
    wait "$pid" || status=$?
    rm -f "$dir/sa-contextd.pid"
    pid=
    [ "$status" = 0 ] || die "the daemon ended with status $status"
    finished=1
    echo "done"
    exit 0
fi
finished=1
disown "$pid"
heading "The daemon is running"
cat <<TEXT
try    cd $dir
       curl --cacert pki/ca.pem --cert pki/orchestrator.pem --key pki/orchestrator.key $url/
       curl http://127.0.0.1:$ops_port/metrics
reload kill -HUP $pid     (certificates, CRL, access.json)
stop   kill $pid
TEXT
