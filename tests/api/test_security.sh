#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_security.sh: security descriptors through the API: who may read and set them, what they do to
# open connections, and what is left of them after a restart.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

ORCHESTRATOR=uri:spiffe://example.org/orchestrator/1
READER=uri:spiffe://example.org/reader/1

# entry TYPE PRINCIPAL RIGHT…
entry() {
    local type=$1 principal=$2
    shift 2
    printf '{"type": "%s", "principal": "%s", "rights": [%s]}' "$type" "$principal" \
        "$(printf '"%s", ' "$@" | sed 's/, $//')"
}
# dacl ENTRY…
dacl() {
    local IFS=,
    printf '{"dacl": [%s]}' "$*"
}

make_pki
cat >"$WORK/access.json" <<JSON
{"engine": $(dacl "$(entry allow everyone FWPM_ACTRL_OPEN)" \
    "$(entry allow $ORCHESTRATOR READ_CONTROL WRITE_DAC)" \
    "$(entry allow $READER READ_CONTROL)"),
 "filters": $(dacl "$(entry allow $ORCHESTRATOR FWPM_ACTRL_ADD FWPM_ACTRL_ADD_LINK FWPM_ACTRL_READ FWPM_ACTRL_ENUM)"),
 "saDatabase": $(dacl "$(entry allow $ORCHESTRATOR FWPM_ACTRL_ADD FWPM_ACTRL_READ FWPM_ACTRL_ENUM DELETE)")}
JSON
STORE=sqlite:$WORK/state.db
start_daemon || exit 1
add_filters

# --- Reading --------------------------------------------------------------------------------------

call GET /sa-contexts/security
answered "the file's descriptor" 200
is "as it stands there" "$(member '.dacl | map([.type, .principal, (.rights | join(" "))] | join(" ")) | join(",")')" \
    "allow $ORCHESTRATOR FWPM_ACTRL_ADD FWPM_ACTRL_ENUM FWPM_ACTRL_READ DELETE"
TAG=$(header ETag)
call GET /sa-contexts/security '' -H "If-None-Match: $TAG"
answered "known already" 304
call GET /provider-contexts/security
is "a container that the file leaves out" "$STATUS $(member '.dacl | length')" "200 0"
call GET /engine/security
is "the engine's" "$STATUS $(member '.dacl | length')" "200 3"
CLIENT=reader
call GET /filters/security
answered "a reader of descriptors" 200
call PUT /filters/security "$(dacl)"
answered "does not set them" 403 ERROR_ACCESS_DENIED
call DELETE /filters/security
answered "nor reset them" 403 ERROR_ACCESS_DENIED
CLIENT=stranger
for container in sa-contexts filters provider-contexts engine; do
    call GET /$container/security
    answered "a stranger: $container" 403 ERROR_ACCESS_DENIED
done
CLIENT=orchestrator
call POST /sa-contexts/security '{}'
answered "no such method" 405
is "and it is no id" "$(header Allow | tr -d ' ' | tr , '\n' | sort | xargs)" "DELETE GET HEAD PUT"

for container in sa-contexts filters provider-contexts engine; do
    call GET /$container/security
    tag=$(header ETag)
    call GET /$container/security '' -H "If-None-Match: $tag"
    answered "known: $container" 304
    for request in GET PUT DELETE; do
        call $request /$container/security "$([ $request != PUT ] || dacl)" -H 'If-Match: "1"'
        answered "another revision: $request $container" 412 HTTP_E_STATUS_PRECOND_FAILED
    done
    call DELETE /$container/security '' -H "If-Match: $tag"
    answered "nothing to reset: $container" 204
done

# --- What is no descriptor ------------------------------------------------------------------------

refused() { # refused NAME STATUS CODE POINTER BODY
    call PUT /sa-contexts/security "$5"
    answered "$1" "$2" "$3" "$4"
}
refused "no list" 400 FWP_E_NULL_POINTER /dacl '{}'
refused "another member" 400 FWP_E_INVALID_PARAMETER /sacl '{"dacl": [], "sacl": []}'
refused "no array" 400 FWP_E_TYPE_MISMATCH /dacl '{"dacl": {}}'
refused "an unknown type" 400 FWP_E_INVALID_ENUMERATOR /dacl/0/type "$(dacl "$(entry audit everyone DELETE)")"
refused "an unknown right" 400 FWP_E_INVALID_ENUMERATOR /dacl/1/rights/1 \
    "$(dacl "$(entry allow everyone DELETE)" "$(entry allow everyone DELETE ADD)")"
refused "a right that cannot be granted" 400 FWP_E_INVALID_ENUMERATOR /dacl/0/rights/0 \
    "$(dacl "$(entry allow everyone MAXIMUM_ALLOWED)")"
refused "an unknown principal" 400 FWP_E_INVALID_PARAMETER /dacl/0/principal \
    "$(dacl "$(entry allow user:me DELETE)")"
refused "a wildcard in the middle" 400 FWP_E_INVALID_PARAMETER /dacl/0/principal \
    "$(dacl "$(entry allow 'uri:spiffe://example.org/*/1' DELETE)")"
refused "no rights" 400 FWP_E_NULL_POINTER /dacl/0/rights \
    '{"dacl": [{"type": "allow", "principal": "everyone"}]}'
refused "a right that is no text" 400 FWP_E_TYPE_MISMATCH /dacl/0/rights/0 \
    '{"dacl": [{"type": "allow", "principal": "everyone", "rights": [1]}]}'
call GET /sa-contexts/security '' -H "If-None-Match: $TAG"
answered "none of it had an effect" 304

# --- Sessions -------------------------------------------------------------------------------------

call POST /sessions '{"flags": ["dynamic"]}'
SESSION=$(member .sessionKey)
for request in "PUT /sa-contexts/security" "DELETE /sa-contexts/security"; do
    # shellcheck disable=SC2086
    call $request "$([[ $request = DELETE* ]] || dacl)" -H "Engine-Session: $SESSION"
    answered "in a dynamic session: $request" 409 FWP_E_DYNAMIC_SESSION_IN_PROGRESS
done
call GET /sa-contexts/security '' -H "Engine-Session: $SESSION"
answered "reading is possible there" 200

# --- Setting --------------------------------------------------------------------------------------

NEW=$(dacl "$(entry allow $READER FWPM_ACTRL_READ FWPM_ACTRL_ENUM)" \
    "$(entry allow $ORCHESTRATOR FWPM_GENERIC_ALL)" "$(entry deny $ORCHESTRATOR DELETE)")
call PUT '/sa-contexts/security?dryRun=true' "$NEW"
answered "a dry run" 200
call GET /sa-contexts/security '' -H "If-None-Match: $TAG"
answered "changes nothing" 304
call PUT /sa-contexts/security "$NEW" -H 'If-Match: "1"'
answered "another revision" 412 HTTP_E_STATUS_PRECOND_FAILED
CLIENT=reader
call GET /sa-contexts
answered "a reader does not list yet" 403
CLIENT=orchestrator
call PUT /sa-contexts/security "$NEW" -H "If-Match: $TAG"
answered "set" 200
is "in canonical order" "$(member '.dacl | map(.type) | join(" ")')" "deny allow allow"
SET=$(header ETag)
ANSWER=$BODY
call GET /sa-contexts/security
is "read back" "$STATUS $(header ETag) $BODY" "200 $SET $ANSWER"
call PUT /sa-contexts/security "$BODY" -H "If-Match: $SET"
is "what was read can be set" "$STATUS $(header ETag)" "200 $SET"
CLIENT=reader
call GET /sa-contexts
answered "a reader lists now" 200
call GET /whoami
is "whoami shows it" "$(member '.rights.saDatabase | join(" ")')" \
    "FWPM_ACTRL_ENUM FWPM_ACTRL_OPEN FWPM_ACTRL_READ READ_CONTROL"
CLIENT=orchestrator
call POST /sa-contexts "{\"localAddress\": \"192.0.2.1\", \"remoteAddress\": \"198.51.100.7\",
    \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT4}"
answered "generic rights hold" 201
ID=$(member .id)
call DELETE "/sa-contexts/$ID"
answered "deny goes before allow" 403 ERROR_ACCESS_DENIED
check "the log says it" grep -q '"event":"a security descriptor set by a caller is in force","container":"saDatabase"' "$LOG"

# Connections that are open: one curl, one connection, a change between its requests.
call PUT /filters/security "$(dacl)"
answered "nobody but by the engine's entries" 200
call GET /filters
answered "so the setter is out" 403 ERROR_ACCESS_DENIED
both() { # prints the status of a read of /filters, then of a DELETE, then of the same read again
    curl --silent --cacert "$CA" --cert "$PKI/orchestrator.pem" --key "$PKI/orchestrator.key" \
        -o /dev/null -w '%{http_code} ' "$URL/filters" \
        --next --silent --cacert "$CA" --cert "$PKI/orchestrator.pem" \
        --key "$PKI/orchestrator.key" -X DELETE -o /dev/null -w '%{http_code} ' \
        "$URL/filters/security" \
        --next --silent --cacert "$CA" --cert "$PKI/orchestrator.pem" \
        --key "$PKI/orchestrator.key" -o /dev/null -w '%{http_code} %{num_connects}' "$URL/filters"
}
is "an open connection has its rights at once" "$(both)" "403 204 200 0"

# --- What the file says, SIGHUP, restart ----------------------------------------------------------

kill -HUP "$DAEMON_PID"
until grep -q '"event":"reloaded"' "$LOG"; do sleep 0.05; done
call DELETE "/sa-contexts/$ID"
answered "a reload of the file does not undo it" 403
stop_daemon
is "stop" "$STATUS" 0
start_daemon
call GET /sa-contexts/security
is "nor does a restart" "$STATUS $(header ETag)" "200 $SET"
call DELETE "/sa-contexts/$ID"
answered "it still holds" 403
is "an operator can read it in the store" \
    "$(sqlite3 -readonly "$WORK/state.db" "select container, json_array_length(text, '\$.dacl') from descriptor" 2>/dev/null ||
        python3 -c "import json, sqlite3, sys
for name, text in sqlite3.connect('file:$WORK/state.db?mode=ro', uri=True).execute('select container, text from descriptor'):
    print(name + '|' + str(len(json.loads(text)['dacl'])))")" "saDatabase|3"
call DELETE /sa-contexts/security '' -H 'If-Match: "1"'
answered "reset another revision" 412
call DELETE /sa-contexts/security '' -H "If-Match: $SET"
answered "reset" 204
call DELETE /sa-contexts/security
answered "again is no change" 204
call GET /sa-contexts/security '' -H "If-None-Match: $TAG"
answered "the file's is in force" 304
call DELETE "/sa-contexts/$ID"
answered "and holds" 204

# --- The way back for the operator ----------------------------------------------------------------

call PUT /engine/security "$(dacl)"
answered "everybody locked out" 200
call GET /engine/security
answered "the setter as well" 403 ERROR_ACCESS_DENIED
call DELETE /engine/security
answered "for good" 403 ERROR_ACCESS_DENIED
stop_daemon
start_daemon
call DELETE /engine/security
answered "also after a restart" 403 ERROR_ACCESS_DENIED
stop_daemon
start_daemon --reset-security true
call GET /engine/security
answered "but not with reset-security" 200
check "which the log says" grep -q 'callers had set are forgotten' "$LOG"
stop_daemon
start_daemon
call GET /engine/security
answered "which lasts" 200

# --- A store that holds what is no descriptor -----------------------------------------------------

call PUT /filters/security "$(dacl)"
stop_daemon
python3 -c "import sqlite3
store = sqlite3.connect('$WORK/state.db')
store.execute('update descriptor set text = \'{\"dacl\": 1}\'')
store.commit()"
check "is not ignored" test "$(start_daemon >/dev/null 2>&1; echo $?)" = 1
check "but named" grep -q 'filters.*dacl.*must be an array' "$LOG"
start_daemon --reset-security true
call GET /filters/security
is "and can be forgotten, too" "$STATUS $(member '.dacl | length')" "200 1"

# --- The audit ------------------------------------------------------------------------------------

audited() { jq -rs --arg path "$1" '[.[] | select(.path == $path)][-1] | "\(.decision) \(.status)"' "$WORK/audit.log"; }
call PUT /provider-contexts/security "$(dacl "$(entry deny $ORCHESTRATOR WRITE_DAC)")"
answered "who may, takes the right away from itself" 200
is "which was allowed" "$(audited /provider-contexts/security)" "allow 200"
call DELETE /provider-contexts/security
answered "and is no longer" 403 ERROR_ACCESS_DENIED
is "nor told so" "$(audited /provider-contexts/security)" "deny 403"
stop_daemon

# --- The largest descriptor that the file may have can be read ------------------------------------

python3 - "$WORK/access.json" "$ORCHESTRATOR" <<'END'
import json, sys
readers = [{"type": "allow", "principal": sys.argv[2], "rights": ["READ_CONTROL"]}]
longest = [{"type": "allow", "principal": "cn:" + '"' * 2044 + "%04d" % i, "rights": ["GENERIC_ALL"]} for i in range(1023)]
json.dump({"filters": {"dacl": readers + longest}}, open(sys.argv[1], "w"))
END
start_daemon --reset-security true || exit 1
call GET /filters/security
answered "the largest descriptor" 200
is "is whole" "$(member '.dacl | [length, .[1023].principal[-4:]] | join(" ")')" "1024 1022"
stop_daemon
sed -i 's/"dacl": \[/&{"type": "deny", "principal": "everyone", "rights": []}, /' "$WORK/access.json"
check "one more is refused" test "$(start_daemon >/dev/null 2>&1; echo $?)" = 1
check "and says why" grep -q '/filters/dacl: has 1025 entries, 1024 are possible' "$LOG"

finish
