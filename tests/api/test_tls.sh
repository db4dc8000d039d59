#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_tls.sh: which certificates get in, what the log says of the others, reload, tickets.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

make_pki
pki() { "$ROOT/deploy/pki.sh" "$PKI" "$@" >/dev/null; }
pki client expired --uri spiffe://example.org/orchestrator/9 --expired
pki client future --uri spiffe://example.org/orchestrator/9 --not-yet-valid
pki client wrong-eku --uri spiffe://example.org/orchestrator/9 --eku serverAuth
pki client no-eku --uri spiffe://example.org/orchestrator/9 --eku none
pki client weak --uri spiffe://example.org/orchestrator/9 --key rsa1024
pki client sha1 --uri spiffe://example.org/orchestrator/9 --digest sha1
pki client self --uri spiffe://example.org/orchestrator/9 --self-signed
pki client revoked --uri spiffe://example.org/orchestrator/9
pki client ed25519 --uri spiffe://example.org/orchestrator/9 --key ed25519
pki client rsa --uri spiffe://example.org/orchestrator/9 --key rsa2048
pki intermediate below
pki client chained --uri spiffe://example.org/orchestrator/9 --issuer below
cat "$PKI/below.pem" >>"$PKI/chained.pem"
pki client later --uri spiffe://example.org/orchestrator/9
"$ROOT/deploy/pki.sh" "$WORK/other" init >/dev/null
"$ROOT/deploy/pki.sh" "$WORK/other" client foreign --uri spiffe://example.org/orchestrator/9 >/dev/null
cp "$WORK/other/foreign.pem" "$WORK/other/foreign.key" "$PKI"
pki revoke revoked
pki crl
pki crl --issuer below
cat "$PKI/crl.pem" "$PKI/below-crl.pem" >"$WORK/crl.pem"
cp "$PKI/ca.pem" "$WORK/server-ca.pem" # what callers trust stays when the daemon's is spoilt
CA=$WORK/server-ca.pem
cat "$PKI/below.pem" >>"$PKI/ca.pem" # its CRL is judged at load, so it is known

start_daemon --client-crl "$WORK/crl.pem" || exit 1

# --- Who gets in ----------------------------------------------------------------------------------

for CLIENT in orchestrator ed25519 rsa chained; do
    for version in 1.2 1.3; do
        call GET /whoami '' "--tlsv$version" --tls-max "$version"
        answered "$CLIENT, TLS $version" 200
    done
done

# refused NAME WORD: the handshake ends in an alert, and the log says why.
refused() {
    CLIENT=$1
    local version
    for version in 1.2 1.3; do
        : >"$LOG"
        call GET /whoami '' "--tlsv$version" --tls-max "$version" --verbose
        if [ "$STATUS" = 000 ] && grep -q '(IN), TLS alert' "$WORK/curl.err"; then
            pass "$1, TLS $version: an alert"
        else
            fail "$1, TLS $version: an alert" "status $STATUS" "$(tail -n 5 "$WORK/curl.err")"
        fi
        check "$1, TLS $version: one line says why" \
            test "$(grep -c "client certificate refused.*$2" "$LOG")" = 1
    done
}
refused foreign 'unknown'
refused self 'unknown'
refused expired 'expired'
refused future 'not yet'
refused wrong-eku 'not for client authentication'
refused no-eku 'not for client authentication'
refused revoked 'revoked'
# Curl's own library would not even load these.
for name in weak sha1; do
    for version in 1_2 1_3; do
        : >"$LOG"
        (printf 'GET /whoami HTTP/1.1\r\nHost: localhost\r\n\r\n'; sleep 0.5) |
            openssl s_client -connect "${URL#https://}" -CAfile "$CA" "-tls$version" -ign_eof \
                -cipher DEFAULT@SECLEVEL=0 -cert "$PKI/$name.pem" -key "$PKI/$name.key" \
                >"$WORK/session" 2>&1
        check "$name, TLS $version: an alert" grep -qi 'alert' "$WORK/session"
        check "$name, TLS $version: no answer" sh -c "! grep -q 'HTTP/1.1' '$WORK/session'"
        check "$name, TLS $version: one line says why" \
            test "$(grep -c 'client certificate refused.*too weak' "$LOG")" = 1
    done
done
CLIENT=
call GET /whoami
answered "no certificate" 401 ERROR_NOT_AUTHENTICATED
CLIENT=orchestrator
for version in 1.0 1.1; do
    call GET /whoami '' "--tlsv$version" --tls-max "$version" --ciphers 'DEFAULT:@SECLEVEL=0'
    is "TLS $version is not spoken" "$STATUS" 000
done

# --- Reload ---------------------------------------------------------------------------------------

# reload EVENT: SIGHUP, and waits for the log line.
reload() {
    local before tries=0
    before=$(grep -c "\"event\":\"$1" "$LOG")
    kill -HUP "$DAEMON_PID"
    until [ "$(grep -c "\"event\":\"$1" "$LOG")" -gt "$before" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { fail "reload: $1" "$(tail -n 3 "$LOG")"; return 1; }
        sleep 0.02
    done
}

serial() {
    openssl s_client -connect "${URL#https://}" -CAfile "$PKI/ca.pem" </dev/null 2>/dev/null |
        openssl x509 -noout -serial
}
BEFORE=$(serial)
cp "$PKI/server.pem" "$WORK/server.old" && cp "$PKI/server.key" "$WORK/server-key.old"
rm -f "$PKI/server.pem" "$PKI/server.key"
pki server server
reload reloaded
check "a new server certificate" test "$(serial)" != "$BEFORE"

for file in "$PKI/server.pem" "$PKI/server.key" "$PKI/ca.pem" "$WORK/crl.pem" "$WORK/access.json"; do
    cp "$file" "$WORK/kept"
    echo garbage >"$file"
    reload 'reload refused'
    check "a bad $(basename "$file") is named" grep -q "reload refused.*$(basename "$file")" "$LOG"
    call GET /whoami
    answered "and the old one stays" 200
    cp "$WORK/kept" "$file"
done
check "the server certificate is still the new one" test "$(serial)" != "$BEFORE"

# A kept connection whose certificate is revoked is cut; the others stay.
hold() { # hold CLIENT: a connection that asks five times a second, its answers go to hold.CLIENT
    {
        for _ in $(seq 80); do
            printf 'GET /whoami HTTP/1.1\r\nHost: localhost\r\n\r\n'
            sleep 0.2
        done
    } | openssl s_client -quiet -connect "${URL#https://}" -CAfile "$PKI/ca.pem" \
        -cert "$PKI/$1.pem" -key "$PKI/$1.key" >"$WORK/hold.$1" 2>/dev/null
}
hold later &
LATER=$!
hold orchestrator &
STAYING=$!
until_served() { # until_served CLIENT COUNT: at least so often
    for _ in $(seq 200); do
        [ "$(grep -sc '200 OK' "$WORK/hold.$1")" -ge "$2" ] 2>/dev/null && return
        sleep 0.05
    done
}
until_served later 1
until_served orchestrator 1
pki revoke later
cat "$PKI/crl.pem" "$PKI/below-crl.pem" >"$WORK/crl.pem"
reload reloaded
for _ in $(seq 100); do kill -0 $LATER 2>/dev/null || break; sleep 0.1; done
check "a revoked caller's connection is cut" sh -c "! kill -0 $LATER 2>/dev/null"
check "it had been served" grep -q 'orchestrator/9' "$WORK/hold.later"
check "another one's is not" kill -0 $STAYING
count=$(grep -c '200 OK' "$WORK/hold.orchestrator")
until_served orchestrator $((count + 2))
check "and goes on being served" test "$(grep -c '200 OK' "$WORK/hold.orchestrator")" -gt "$count"
kill $STAYING $LATER 2>/dev/null
wait $STAYING $LATER 2>/dev/null

# So is one whose certificate ends meanwhile, with a word.
pki client brief --uri spiffe://example.org/orchestrator/7 \
    --not-after "$(date -u -d '+5 seconds' +%Y%m%d%H%M%SZ)"
hold brief &
BRIEF=$!
for _ in $(seq 120); do kill -0 $BRIEF 2>/dev/null || break; sleep 0.1; done
check "a connection ends with its certificate" sh -c "! kill -0 $BRIEF 2>/dev/null"
check "it had been served before" grep -q '200 OK' "$WORK/hold.brief"
check "the log says why" grep -q 'client certificate refused.*expired' "$LOG"
kill $BRIEF 2>/dev/null
wait $BRIEF 2>/dev/null

# Rights follow at once, also on kept connections.
hold stranger &
HOLDER=$!
until_served stranger 1
jq '.saDatabase.dacl += [{"type": "allow", "principal": "everyone", "rights": ["FWPM_ACTRL_READ_STATS"]}]' \
    "$WORK/access.json" >"$WORK/access.new" && cp "$WORK/access.new" "$WORK/access.json"
reload reloaded
until_served stranger $(($(grep -c '200 OK' "$WORK/hold.stranger") + 2))
check "a kept connection has its new rights" grep -q READ_STATS "$WORK/hold.stranger"
kill $HOLDER 2>/dev/null
wait $HOLDER 2>/dev/null

# --- Tickets --------------------------------------------------------------------------------------

# session OPTION…: one request over openssl; prints "Reused" or "New".
session() {
    (printf 'GET /whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'; sleep 0.3) |
        openssl s_client -connect "${URL#https://}" -CAfile "$PKI/ca.pem" -cert "$PKI/$1.pem" \
            -key "$PKI/$1.key" -ign_eof "${@:2}" >"$WORK/session" 2>&1
    grep -oE '^(Reused|New)' "$WORK/session" | head -n 1
}
pki client resumer --uri spiffe://example.org/orchestrator/8
for version in -tls1_2 -tls1_3; do
    is "$version: first" "$(session resumer $version -sess_out "$WORK/ticket$version")" New
    is "$version: resumed" "$(session resumer $version -sess_in "$WORK/ticket$version")" Reused
    check "$version: the resumed one is who it was" grep -q orchestrator/8 "$WORK/session"
done
pki revoke resumer
cat "$PKI/crl.pem" "$PKI/below-crl.pem" >"$WORK/crl.pem"
reload reloaded
for version in -tls1_2 -tls1_3; do
    session resumer $version -sess_in "$WORK/ticket$version" >/dev/null
    check "$version: a resumed session is judged by today's CRL" \
        sh -c "! grep -q '200 OK' '$WORK/session' && grep -qi alert '$WORK/session'"
done

# --- A stale CRL fails closed ---------------------------------------------------------------------

pki crl --stale
cp "$PKI/crl.pem" "$WORK/crl.pem"
reload 'reload refused'
check "a stale CRL is refused at reload" grep -qi 'reload refused.*crl' "$LOG"
CLIENT=orchestrator
call GET /whoami
answered "and the one before stays" 200

finish
