# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Variables and arguments are for the tests that source this.
# shellcheck disable=SC2034,SC2120
#
# lib.sh: what the API tests share: a real daemon on loopback with a throwaway PKI, calls with curl,
# and TAP lines.  Source it, call start_daemon, make calls, end with 'finish'.
#
#   SA_CONTEXTD   the daemon's binary
#   WORK          a folder of this test, removed at the end
#   URL, OPS      where callers and operators connect, set by start_daemon
#   STATUS, BODY  of the last call; its headers are in "$WORK/headers"
#   SAC_RECORDS   a folder where what was answered is noted for tests/contract/coverage.py

set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SA_CONTEXTD=${SA_CONTEXTD:-$ROOT/build/asan/sa-contextd}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/sa-contextd-test.XXXXXX")
PKI=$WORK/pki
LOG=$WORK/daemon.log
STORE=${STORE:-memory:}
DAEMON_PID=
RECORD=${SAC_RECORDS:+$SAC_RECORDS/$(basename "${0%.*}").calls}
PASSED=0
FAILED=0
STATUS=
BODY=
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}

trap 'cleanup' EXIT
if [ -n "$RECORD" ]; then
    mkdir -p "$SAC_RECORDS"
    : >"$RECORD"
fi

cleanup() {
    [ -z "$DAEMON_PID" ] || kill -9 "$DAEMON_PID" 2>/dev/null
    if [ -n "${KEEP_WORK:-}" ]; then echo "# kept $WORK"; else rm -rf "$WORK"; fi
}

# make_pki: CA, server, clients orchestrator, reader and stranger, CRL; and the access policy.
make_pki() {
    [ -d "$PKI" ] || "$ROOT/deploy/pki.sh" "$PKI" >/dev/null
    [ -f "$WORK/access.json" ] || cp "$ROOT/deploy/access.example.json" "$WORK/access.json"
}

# start_daemon [OPTION…]: waits until it listens.  Options given here come after the common ones.
start_daemon() {
    make_pki
    : >"$LOG"
    "$SA_CONTEXTD" --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 \
        --tls-cert "$PKI/server.pem" --tls-key "$PKI/server.key" --client-ca "$PKI/ca.pem" \
        --access "$WORK/access.json" --store "$STORE" --audit-log "$WORK/audit.log" "$@" \
        2>>"$LOG" &
    DAEMON_PID=$!
    local tries=0
    until grep -q '"event":"listening for operators"' "$LOG"; do
        tries=$((tries + 1))
        if [ $tries -gt 600 ] || ! kill -0 "$DAEMON_PID" 2>/dev/null; then
            echo "# the daemon did not start:"
            sed 's/^/# /' "$LOG"
            return 1
        fi
        sleep 0.05
    done
    URL=https://$(sed -n 's/.*"event":"listening","address":"\([^"]*\)".*/\1/p' "$LOG" | tail -n 1)
    OPS=http://$(sed -n 's/.*"event":"listening for operators","address":"\([^"]*\)".*/\1/p' "$LOG" |
        tail -n 1)
}

# stop_daemon [SIGNAL]: sets STATUS to its exit code.
stop_daemon() {
    record_counts
    kill "-${1:-TERM}" "$DAEMON_PID" 2>/dev/null
    wait "$DAEMON_PID" 2>/dev/null
    STATUS=$?
    DAEMON_PID=
}

# record_counts: what the daemon counted, raw sockets and all.
record_counts() {
    [ -n "$RECORD" ] && [ -n "${OPS:-}" ] || return 0
    curl --silent --max-time 10 "$OPS/metrics" 2>/dev/null | sed -n \
        's/^sa_contextd_requests_total{operation="\([^"]*\)",status="\([0-9]*\)"}.*/@\1 \2/p' >>"$RECORD"
}

# record_call METHOD PATH: the last one.
record_call() {
    local body=
    [ -n "$RECORD" ] || return 0
    [ "$(stat -c %s "$WORK/body")" -gt 262144 ] || body=$(base64 -w 0 <"$WORK/body")
    printf '%s %s %s %s\n' "$1" "${2// /%20}" "$((10#$STATUS))" "$body" >>"$RECORD"
}

# call METHOD PATH [BODY] [CURL OPTION…]: as the client named by CLIENT ("" for no certificate).
CLIENT=orchestrator
CA=$PKI/ca.pem
call() {
    local method=$1 path=$2 body=${3-}
    local -a options=(--silent --show-error --max-time 30 --cacert "$CA" -X "$method"
        -D "$WORK/headers" -o "$WORK/body" -w '%{http_code}')
    shift 2
    [ $# -eq 0 ] || shift
    [ -z "$CLIENT" ] || options+=(--cert "$PKI/$CLIENT.pem" --key "$PKI/$CLIENT.key")
    [ -z "$body" ] || options+=(--data-binary "$body")
    # A test's own media type stands in for the usual one: curl would send both.
    [ -z "$body" ] || [[ "$*" == *Content-Type:* ]] || options+=(-H 'Content-Type: application/json')
    [ "$method" != HEAD ] || options+=(--head)
    : >"$WORK/headers"
    : >"$WORK/body"
    STATUS=$(curl "${options[@]}" "$@" "$URL$path" 2>"$WORK/curl.err")
    CURL_EXIT=$?
    BODY=$(<"$WORK/body")
    record_call "$method" "$path"
}

# header NAME: its value in the last answer.
header() {
    sed -n "s/^$1: *//Ip" "$WORK/headers" | tr -d '\r' | tail -n 1
}

# member FILTER: what jq finds in the last body.
member() {
    jq -r "$1" "$WORK/body" 2>/dev/null
}

# refusal MEMBER: of the last body, "-" when it has none.  A problem's is read here: the hundreds of
# jq's own starts would take longer than all of the daemon's answers.
refusal() {
    local text=",\"$1\":\"([^\"]*)\""
    if [[ $BODY != '{"type":"/errors/'* || $BODY == *\\* ]]; then
        member ".$1 // \"-\""
    elif [[ $BODY =~ $text ]]; then
        echo "${BASH_REMATCH[1]}"
    else
        echo -
    fi
}

pass() {
    PASSED=$((PASSED + 1))
    echo "ok $((PASSED + FAILED)) - $1"
}

fail() {
    FAILED=$((FAILED + 1))
    echo "not ok $((PASSED + FAILED)) - $1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/#   /'
}

# check NAME COMMAND…: passes when the command does.
check() {
    local name=$1
    shift
    if "$@"; then pass "$name"; else fail "$name" "failed: $*" "last answer: $STATUS $BODY"; fi
}

# is NAME ACTUAL EXPECTED
is() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got:      $2" "expected: $3"; fi
}

# answered NAME STATUS [CODE [POINTER]]: the last call's.
answered() {
    local got="$STATUS" expected="$2"
    if [ $# -ge 3 ]; then
        got="$got $(refusal code)"
        expected="$expected $3"
    fi
    if [ $# -ge 4 ]; then
        got="$got $(refusal pointer)"
        expected="$expected $4"
    fi
    if [ "$got" = "$expected" ]; then
        pass "$1"
    else
        fail "$1" "got:      $got" "expected: $expected" "body:     ${BODY:0:400}" \
            "curl:     $(cat "$WORK/curl.err")"
    fi
}

# A filter pair for 192.0.2.1 <-> 198.51.100.0/24 and its v6 counterpart; sets OUT4 IN4 OUT6 IN6.
add_filters() {
    OUT4=$(add_filter outboundTransportV4 ipsecOutboundTransportV4 192.0.2.1 198.51.100.0/24)
    IN4=$(add_filter inboundTransportV4 ipsecInboundTransportV4 192.0.2.1 198.51.100.0/24)
    OUT6=$(add_filter outboundTransportV6 ipsecOutboundTransportV6 2001:db8::1 2001:db8:1::/64)
    IN6=$(add_filter inboundTransportV6 ipsecInboundTransportV6 2001:db8::1 2001:db8:1::/64)
}

# add_filter LAYER CALLOUT LOCAL REMOTE: prints the id.
add_filter() {
    call POST /filters "{\"displayData\": {\"name\": \"test\"}, \"layer\": \"$1\",
        \"conditions\": [{\"field\": \"ipLocalAddress\", \"match\": \"equal\", \"value\": \"$3\"},
                         {\"field\": \"ipRemoteAddress\", \"match\": \"equal\", \"value\": \"$4\"}],
        \"action\": {\"type\": \"calloutTerminating\", \"callout\": \"$2\"}}"
    member .id
}

# daemon_is_clean: the daemon's log holds no sanitizer report.
daemon_is_clean() {
    ! grep -qE 'AddressSanitizer|LeakSanitizer|runtime error:|ThreadSanitizer' "$LOG"
}

finish() {
    if [ -n "$DAEMON_PID" ]; then
        stop_daemon
        is "the daemon ends with 0" "$STATUS" 0
    fi
    if daemon_is_clean; then
        pass "no sanitizer report"
    else
        fail "no sanitizer report" "$(grep -nE -A 30 'Sanitizer|runtime error' "$LOG" | head -60)"
    fi
    echo "1..$((PASSED + FAILED))"
    [ "$FAILED" -eq 0 ]
}
