#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_expiry.sh: what ends, and when, in the metrics: server certificate, client CAs, CRLs.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

make_pki
# The second CA ends first.
"$ROOT/deploy/pki.sh" "$WORK/other" init --days 3 >/dev/null
"$ROOT/deploy/pki.sh" "$WORK/other" crl --days 2 >/dev/null
"$ROOT/deploy/pki.sh" "$PKI" crl --days 9 >/dev/null
cp "$PKI/ca.pem" "$WORK/own.pem"
cp "$PKI/crl.pem" "$WORK/crls.pem"

seconds_of() { date -d "$("$@" -noout | cut -d = -f 2)" +%s; }
end_of() { seconds_of openssl x509 -in "$1" -enddate; }
next_of() { seconds_of openssl crl -in "$1" -nextupdate; }
metric() { curl -sS --max-time 10 "$OPS/metrics" | sed -n "s/^sa_contextd_$1 //p"; }
reload() {
    local before
    before=$(grep -c '"event":"reloaded"' "$LOG")
    kill -HUP "$DAEMON_PID"
    for _ in $(seq 200); do
        [ "$(grep -c '"event":"reloaded"' "$LOG")" -gt "$before" ] && return 0
        sleep 0.05
    done
    return 1
}

start_daemon || exit 1
is "the server certificate" "$(metric server_certificate_expiry_seconds)" "$(end_of "$PKI/server.pem")"
is "the client CA" "$(metric client_ca_expiry_seconds)" "$(end_of "$WORK/own.pem")"
is "no CRL, no time" "$(metric client_crl_expiry_seconds)" ""
stop_daemon

start_daemon --client-crl "$WORK/crls.pem" || exit 1
is "the CRL" "$(metric client_crl_expiry_seconds)" "$(next_of "$PKI/crl.pem")"
cat "$WORK/other/ca.pem" >>"$PKI/ca.pem"
cat "$WORK/other/crl.pem" >>"$WORK/crls.pem"
check "reloaded" reload
is "of two CAs the first to end" "$(metric client_ca_expiry_seconds)" "$(end_of "$WORK/other/ca.pem")"
is "of two CRLs too" "$(metric client_crl_expiry_seconds)" "$(next_of "$WORK/other/crl.pem")"
"$ROOT/deploy/pki.sh" "$WORK/other" crl --days 20 >/dev/null
cat "$WORK/other/crl.pem" >>"$WORK/crls.pem"
check "reloaded again" reload
is "the fresh one of a CA counts" "$(metric client_crl_expiry_seconds)" "$(next_of "$PKI/crl.pem")"
if command -v promtool >/dev/null; then
    curl -sS --max-time 10 "$OPS/metrics" >"$WORK/metrics"
    is "promtool check metrics" "$(promtool check metrics <"$WORK/metrics" 2>&1)" ""
fi

finish
