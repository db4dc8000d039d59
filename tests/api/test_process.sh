#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_process.sh: options and exit codes, signals, readiness, metrics, what the process gave up.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

make_pki
COMMON=(--listen 127.0.0.1:0 --ops-listen off --tls-cert "$PKI/server.pem" --tls-key "$PKI/server.key"
    --client-ca "$PKI/ca.pem" --access "$WORK/access.json" --store memory: --audit-log off)

# exits NAME CODE WORD ARGUMENT…
exits() {
    local name=$1 code=$2 word=$3
    shift 3
    timeout 20 "$SA_CONTEXTD" "$@" >"$WORK/out" 2>&1
    local got=$?
    if [ $got = "$code" ] && grep -q -- "$word" "$WORK/out"; then
        pass "$name"
    else
        fail "$name" "exit $got, expected $code and '$word'" "$(head -n 5 "$WORK/out")"
    fi
}

# --- Options --------------------------------------------------------------------------------------

exits "--help" 0 'queue-depth' --help
exits "--version" 0 'sa-contextd 0' --version
exits "--check" 0 'configuration is good' --check "${COMMON[@]}"
exits "an unknown option" 2 '--surprise' --surprise
exits "a missing option" 2 "tls-key" --tls-cert x
exits "a bad number" 2 'queue-depth' "${COMMON[@]}" --queue-depth many
exits "a bad address" 2 'listen' --check "${COMMON[@]:2}" --listen 127.0.0.1
exits "a bad store" 2 'memory:' --check "${COMMON[@]:0:12}" --store redis:x
exits "a store without a folder" 2 'nowhere' --check "${COMMON[@]:0:12}" --store "sqlite:$WORK/nowhere/x.db"
exits "an audit log without a folder" 2 'nowhere' --check "${COMMON[@]:0:14}" --audit-log "$WORK/nowhere/audit"
exits "no such user" 2 'nobody-at-all' --check "${COMMON[@]}" --user nobody-at-all
"$ROOT/deploy/pki.sh" "$PKI" server old --expired >/dev/null
exits "an expired server certificate" 2 'expired' --check "${COMMON[@]:0:4}" --tls-cert "$PKI/old.pem" \
    --tls-key "$PKI/old.key" "${COMMON[@]:8}"
exits "a certificate that is not there" 2 'missing.pem' --check "${COMMON[@]:0:4}" \
    --tls-cert missing.pem "${COMMON[@]:6}"
exits "a key of another certificate" 2 'reader.key' --check "${COMMON[@]:0:6}" \
    --tls-key "$PKI/reader.key" "${COMMON[@]:8}"
echo '{"saDatabase": {"dacl": [{"type": "allow", "principal": "everyone", "rights": ["FWPM_ACTRL_ADDD"]}]}}' \
    >"$WORK/bad-access.json"
exits "an unknown right" 2 'FWPM_ACTRL_ADDD' --check "${COMMON[@]:0:10}" \
    --access "$WORK/bad-access.json" "${COMMON[@]:12}"
SA_CONTEXTD_WORKES=1 exits "a misspelt variable" 2 SA_CONTEXTD_WORKES --check "${COMMON[@]}"
python3 - "$WORK/taken" <<'PY' &
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], file=open(sys.argv[1], "w")); time.sleep(30)
PY
HOLDER=$!
for _ in $(seq 100); do [ -s "$WORK/taken" ] && break; sleep 0.05; done
exits "an address in use" 1 'in use' "${COMMON[@]:2}" --listen "127.0.0.1:$(cat "$WORK/taken")"
kill $HOLDER
exits "--healthcheck without a daemon" 1 'not ready' --healthcheck --ops-listen 127.0.0.1:1
exits "--healthcheck with nobody to ask" 2 'is off' --healthcheck --ops-listen off
exits "--healthcheck of no address" 2 'ADDRESS:PORT' --healthcheck --ops-listen localhost
exits "--healthcheck with a bad option" 2 'workers' --healthcheck --workers many
exits "-h" 0 'queue-depth' -h
exits "--version and something more" 2 'surprise' --version surprise
exits "a file that is not there" 2 '/nowhere.json: No such file' --config "$WORK/nowhere.json"
echo '{"workers": 1,' >"$WORK/cut.json"
exits "a file that is no JSON" 2 "config $WORK/cut.json:2: " --config "$WORK/cut.json"
"$SA_CONTEXTD" --version >"$WORK/version"
is "--version is one line" "$(wc -l <"$WORK/version")" 1
python3 - "$WORK/unready" <<'PY' &
import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); s.settimeout(30)
print(s.getsockname()[1], file=open(sys.argv[1], "w"))
c = s.accept()[0]; c.recv(4096)
c.sendall(b"HTTP/1.0 503 Service Unavailable\r\n\r\nstore RPC_E_DISCONNECTED\n"); c.close()
PY
UNREADY=$!
for _ in $(seq 100); do [ -s "$WORK/unready" ] && break; sleep 0.05; done
exits "--healthcheck of one that is not ready" 1 'store RPC_E_DISCONNECTED' --healthcheck \
    --ops-listen "127.0.0.1:$(cat "$WORK/unready")"
wait $UNREADY

# --- Readiness and metrics ------------------------------------------------------------------------

ops() { curl -sS --max-time 10 -o "$WORK/ops" -w '%{http_code}' "$OPS$1"; }
cat >"$WORK/config.json" <<JSON
{"workers": 2, "log-level": "debug", "idle-timeout-seconds": 60}
JSON
start_daemon --config "$WORK/config.json" || exit 1
add_filters
call POST /sa-contexts '{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7",
    "trafficType": "transport", "ipsecFilterId": '"$OUT4"'}'
call GET /sa-contexts/999
for path in /livez /healthz /readyz; do
    is "$path" "$(ops $path)" 200
done
is "unknown ops path" "$(ops /nowhere)" 404
is "/metrics" "$(ops /metrics)" 200
for name in 'sa_contextd_requests_total{operation="createSaContext",status="201"} 1' \
    'sa_contextd_contexts{state="created"} 1' 'sa_contextd_codes_total{code="FWP_E_NOT_FOUND"} 1' \
    'sa_contextd_filters 4' 'sa_contextd_filters_unenforced 0' 'sa_contextd_server_certificate_expiry_seconds' 'sa_contextd_build_info' \
    'sa_contextd_commit_duration_seconds_count' 'sa_contextd_batch_size_bucket' 'sa_contextd_queue_length' \
    'sa_contextd_connections ' 'sa_contextd_handshakes_total{kind="full"}' 'sa_contextd_store_errors_total 0'; do
    check "metrics have $name" grep -qF "$name" "$WORK/ops"
done
is "and what every process has, once each" "$(sed -n 's/^\(process_[a-z_]*\) [0-9.]*$/\1/p' "$WORK/ops" | sort | tr '\n' ' ')" \
    "process_cpu_seconds_total process_max_fds process_open_fds process_resident_memory_bytes process_start_time_seconds process_virtual_memory_bytes "
check "that make sense" awk '/^process_/ { value[$1] = $2 } END { exit !(value["process_open_fds"] > 0 &&
    value["process_open_fds"] < value["process_max_fds"] && value["process_resident_memory_bytes"] > 0 &&
    value["process_resident_memory_bytes"] < value["process_virtual_memory_bytes"] &&
    value["process_cpu_seconds_total"] > 0 && value["process_start_time_seconds"] > 1.7e9) }' "$WORK/ops"
if command -v promtool >/dev/null; then
    check "promtool check metrics" sh -c "promtool check metrics <'$WORK/ops' >'$WORK/promtool' 2>&1 && ! [ -s '$WORK/promtool' ]"
fi
check "--healthcheck" "$SA_CONTEXTD" --healthcheck --ops-listen "${OPS#http://}"
check "every log line is JSON" sh -c "jq -e . <'$LOG' >/dev/null"

# --- What the process gave up ---------------------------------------------------------------------

status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$DAEMON_PID/status"; }
is "no-new-privileges" "$(status_of NoNewPrivs)" 1
for set in CapEff CapPrm CapInh; do is "$set is empty" "$(status_of $set)" 0000000000000000; done
is "no core dumps" "$(awk '/Max core file size/ {print $5, $6}' "/proc/$DAEMON_PID/limits")" "0 0"
if ! grep -aq __asan_init "$SA_CONTEXTD" && ! grep -aq __tsan_init "$SA_CONTEXTD"; then
    is "seccomp filter" "$(status_of Seccomp)" 2
fi

# --- Signals --------------------------------------------------------------------------------------

# In the middle of a load SIGTERM ends the process with 0, and nothing answered 201 is an error.
curl -sS --parallel --parallel-max 8 --cacert "$PKI/ca.pem" --cert "$PKI/orchestrator.pem" \
    --key "$PKI/orchestrator.key" -H 'Content-Type: application/json' -o /dev/null -w '%{http_code}\n' \
    --data '{"localAddress": "192.0.2.1", "remoteAddress": "198.51.100.7", "trafficType": "transport", "ipsecFilterId": '"$OUT4"'}' \
    "$URL/sa-contexts?[1-400]" >"$WORK/answers" 2>/dev/null &
LOAD=$!
sleep 0.5
stop_daemon TERM
is "SIGTERM under load exits 0" "$STATUS" 0
wait $LOAD
check "drained" grep -q '"event":"stopped"' "$LOG"
check "answers were whole" sh -c "! grep -qvE '^(201|400|503|000)$' '$WORK/answers'"

start_daemon || exit 1
stop_daemon INT
is "SIGINT exits 0" "$STATUS" 0

# --- sd_notify, and a socket passed in ------------------------------------------------------------

python3 - "$WORK/notify" "$WORK/notified" <<'PY' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1]); s.settimeout(20)
with open(sys.argv[2], "w") as out:
    while True:
        text = s.recv(4096).decode()
        out.write(text.splitlines()[0] + "\n"); out.flush()
        if text.startswith("STOPPING"):
            break
PY
LISTENER=$!
for _ in $(seq 100); do [ -S "$WORK/notify" ] && break; sleep 0.05; done
NOTIFY_SOCKET=$WORK/notify start_daemon || exit 1
kill -HUP "$DAEMON_PID"
for _ in $(seq 100); do grep -q '"event":"reloaded"' "$LOG" && break; sleep 0.05; done
sleep 0.2
stop_daemon
wait $LISTENER
is "the service manager is told" "$(xargs <"$WORK/notified")" "READY=1 RELOADING=1 READY=1 STOPPING=1"

python3 - "$SA_CONTEXTD" "${COMMON[@]}" 2>"$LOG" <<'PY' &
import os, socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(64)
fd = s.detach()
if fd != 3:
    os.dup2(fd, 3)
os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"; os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[1], sys.argv[1:])
PY
DAEMON_PID=$!
for _ in $(seq 100); do grep -q '"event":"listening"' "$LOG" && break; sleep 0.05; done
URL=https://$(sed -n 's/.*"event":"listening","address":"\([^"]*\)".*/\1/p' "$LOG")
call GET /whoami
answered "a passed socket is served" 200

finish
