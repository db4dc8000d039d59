#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_limits.sh: a refusal names the limit, its option or the header; an answer without a body says
# nothing of its length.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

start_daemon --max-body-bytes 2000 --max-batch-body-bytes 3000 || exit 1
JSON='Content-Type: application/json'
head -c 2001 /dev/zero | tr '\0' '[' >"$WORK/2001"
head -c 3001 /dev/zero | tr '\0' '[' >"$WORK/3001"

# too_large NAME PATH BODY LIMIT OPTION [CURL OPTION…]
too_large() {
    local name=$1 path=$2 body=$3 limit=$4 option=$5
    shift 5
    call POST "$path" '' -H "$JSON" --data-binary "@$WORK/$body" -H 'Expect:' "$@"
    is "$name" "$STATUS $(member .detail)" "413 the body is above $limit bytes, the limit that $option sets"
}
too_large "a declared body" /filters 2001 2000 max-body-bytes
too_large "a chunked body" /filters 2001 2000 max-body-bytes -H 'Transfer-Encoding: chunked'
too_large "a declared batch" /sa-contexts/batch 3001 3000 max-batch-body-bytes
too_large "a chunked batch" /sa-contexts/batch 3001 3000 max-batch-body-bytes -H 'Transfer-Encoding: chunked'
call POST /sa-contexts/batch '' -H "$JSON" --data-binary "@$WORK/2001"
answered "what a batch may have" 400 RPC_E_INVALID_DATA

for name in Content-Type Content-Encoding Idempotency-Key Engine-Session X-Request-Id traceparent \
    Last-Event-ID; do
    call GET /whoami '' -H "$name: a" -H "${name,,}: b"
    is "a repeated $name" "$STATUS $(member .detail)" "400 more than one $name"
done
call GET /whoami '' -H 'Accept: text/html' -H 'Accept: application/json'
answered "Accept on two lines, the second will do" 200
call GET /whoami '' -H 'Accept: application/json' -H 'accept: text/html'
answered "and the first" 200
call GET /whoami '' -H 'Accept: text/html' -H 'Accept: text/plain'
answered "and neither" 406

add_filters
call GET "/filters/$OUT4"
TAG=$(header ETag)
LENGTH=$(header Content-Length)
call GET "/filters/$OUT4" '' -H "If-None-Match: $TAG"
is "304 has the tag and no length" "$STATUS $(header ETag) $(header Content-Length)" "304 $TAG "
call GET "/filters/$OUT4" '' -H "If-None-Match: $TAG" -H 'If-None-Match: "1"'
answered "tags on two lines are one list" 304
call GET "/filters/$OUT4" '' -H 'If-None-Match: "1"' -H "If-None-Match: $TAG"
answered "in any order" 304
call DELETE "/filters/$OUT4?dryRun=true" '' -H "If-Match: $TAG" -H 'If-Match: "1"'
answered "of those to change as well" 204
call DELETE "/filters/$OUT4?dryRun=true" '' -H 'If-Match: "1"' -H 'If-Match: "2"'
answered "and none of them is none" 412
call GET "/filters/$OUT4" '' -H 'If-None-Match: *' -H 'If-None-Match: "1"'
answered "any tag stands alone, on lines too" 400 FWP_E_INVALID_PARAMETER
call HEAD "/filters/$OUT4"
is "HEAD has the length of GET" "$STATUS $(header Content-Length)" "200 $LENGTH"
call HEAD "/filters/$OUT4" '' -H "If-None-Match: $TAG"
is "HEAD may be 304 as well" "$STATUS $(header Content-Length)" "304 "
call GET "/filters/$OUT4"
is "and the connection is not confused" "$STATUS $(header Content-Length)" "200 $LENGTH"
# On one connection: a client that waited for a body would hang.
is "two on one connection" "$(curl -sS --max-time 20 --cacert "$PKI/ca.pem" --cert "$PKI/$CLIENT.pem" \
    --key "$PKI/$CLIENT.key" -H "If-None-Match: $TAG" -o /dev/null -o /dev/null \
    -w '%{http_code} %{num_connects} ' "$URL/filters/$OUT4" "$URL/filters/$OUT4")" "304 1 304 0 "

# --- Descriptors ----------------------------------------------------------------------------------

stop_daemon
cat >"$WORK/few" <<SH
#!/bin/sh
ulimit -Sn 100 && ulimit -Hn 400 && exec '$SA_CONTEXTD' "\$@"
SH
chmod +x "$WORK/few"
SA_CONTEXTD=$WORK/few start_daemon --workers 1 || exit 1
told=$(jq -r 'select(.event | startswith("the hard limit of descriptors")) | "\(.limit) \(.wanted) \(.connections)"' "$LOG")
is "the hard limit of descriptors, what all connections take, how many it has room for" "$told" "400 16648 136"
taken=$(python3 - "${URL##*:}" <<'PY'
import socket, sys

def is_cut(connection):
    # Who is not cut gets no answer to nothing either: wait for none but the last.
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except BlockingIOError:
        return False

connections = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(200)]
connections[-1].settimeout(60)
is_cut(connections[-1])
for connection in connections:
    connection.setblocking(False)
print(200 - sum(is_cut(connection) for connection in connections))
PY
)
is "so many are taken" "$taken" 136
call GET /whoami
answered "and when they are gone, others" 200

finish
