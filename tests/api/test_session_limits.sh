#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Labels: slow
#
# test_session_limits.sh: how many explicit sessions there may be, of all and of one principal.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

# The first two sessions of whoever asks, the third refused as one too many of its own.
share() {
    call POST /sessions '{}'
    answered "$CLIENT: the first" 201
    FIRST=$(member .sessionKey)
    call POST /sessions '{}'
    answered "$CLIENT: the second" 201
    call POST /sessions '{}'
    answered "$CLIENT: one too many" 429 RPC_E_SERVERCALL_RETRYLATER
}

start_daemon --max-sessions 5 --max-sessions-per-principal 2 --session-idle-seconds 600 || exit 1
"$ROOT/deploy/pki.sh" "$PKI" client orchestrator2 --uri spiffe://example.org/orchestrator/2 >/dev/null
"$ROOT/deploy/pki.sh" "$PKI" client orchestrator3 --uri spiffe://example.org/orchestrator/3 >/dev/null
CLIENT=orchestrator
share
is "and when to ask again" "$(header Retry-After)" 1
call POST '/sessions?dryRun=true' '{}'
answered "a dry run is told so, too" 429 RPC_E_SERVERCALL_RETRYLATER
CLIENT=orchestrator2
share
CLIENT=orchestrator3
call POST /sessions '{}'
answered "the last one" 201
call POST /sessions '{}'
answered "one too many of all" 503 RPC_E_OUT_OF_RESOURCES
CLIENT=orchestrator2
call DELETE "/sessions/$FIRST"
answered "closing one" 204
call POST '/sessions?dryRun=true' '{}'
answered "a dry run" 201
call POST /sessions '{}'
answered "makes room for one" 201
call POST /sessions '{}'
answered "and no more" 503 RPC_E_OUT_OF_RESOURCES
stop_daemon
is "stop" "$STATUS" 0

# What was cancelled counts no more.
CLIENT=orchestrator
start_daemon --max-sessions-per-principal 2 --session-idle-seconds 1 || exit 1
share
tries=0
until call GET "/sessions/$FIRST" && [ "$STATUS" = 410 ] || [ $tries -gt 300 ]; do
    tries=$((tries + 1))
    sleep 2
done
answered "nobody used it" 410 FWP_E_SESSION_ABORTED
call POST /sessions '{}'
answered "there is room again" 201
stop_daemon
is "stop" "$STATUS" 0

# No share where the operator wants none, and the default one.
open_many() { # open_many COUNT: prints how many got which status
    curl --silent --cacert "$PKI/ca.pem" --cert "$PKI/orchestrator.pem" --key "$PKI/orchestrator.key" \
        -H 'Content-Type: application/json' -d '{}' -o /dev/null -w '%{http_code}\n' \
        "$URL/sessions#[1-$1]" | sort | uniq -c | xargs
}
start_daemon --max-sessions-per-principal 0 || exit 1
is "no share" "$(open_many 257)" "257 201"
stop_daemon
start_daemon || exit 1
is "by default 256" "$(open_many 257)" "256 201 1 429"
finish
