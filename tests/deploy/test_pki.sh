#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_pki.sh: the certificates of pki.sh are what their options say, in openssl's judgement.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
    printf 'FAIL: %s\n' "$*" >&2
    exit 1
}
pki() { "$root/deploy/pki.sh" "$dir" "$@"; }

# verifies NAME PURPOSE: openssl's verdict with the CRL; its words go to $dir/verdict.
verifies() {
    openssl verify -x509_strict -purpose "$2" -crl_check -CAfile "$dir/ca.pem" \
        -CRLfile "$dir/crl.pem" "$dir/$1.pem" >"$dir/verdict" 2>&1
}
refused() {
    local name=$1 purpose=$2 reason=$3
    if verifies "$name" "$purpose"; then fail "$name verifies as $purpose"; fi
    grep -q "$reason" "$dir/verdict" || fail "$name: not '$reason' but: $(cat "$dir/verdict")"
}

pki
verifies server sslserver || fail "server: $(cat "$dir/verdict")"
for name in orchestrator reader stranger; do
    verifies "$name" sslclient || fail "$name: $(cat "$dir/verdict")"
    openssl x509 -in "$dir/$name.pem" -noout -ext subjectAltName |
        grep -q "URI:spiffe://example.org/$name/1" || fail "$name has no SPIFFE identifier"
done
openssl x509 -in "$dir/server.pem" -noout -ext subjectAltName >"$dir/names"
grep -q 'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1' "$dir/names" ||
    fail "server's names: $(cat "$dir/names")"
if find "$dir" -type f -name '*.key' -perm /077 | grep .; then fail "a key others may read"; fi

before=$(cat "$dir/ca.pem" "$dir/server.pem" "$dir/reader.pem" | sha256sum)
pki
[ "$before" = "$(cat "$dir/ca.pem" "$dir/server.pem" "$dir/reader.pem" | sha256sum)" ] ||
    fail "a second run made new certificates"

pki client expired --expired
refused expired sslclient 'certificate has expired'
pki client early --not-yet-valid
refused early sslclient 'not yet valid'
pki client alone --self-signed
refused alone sslclient 'self-signed certificate'
pki client other-usage --eku serverAuth
refused other-usage sslclient 'unsuitable certificate purpose'
pki revoke reader
refused reader sslclient 'certificate revoked'
verifies orchestrator sslclient || fail "orchestrator after the revocation: $(cat "$dir/verdict")"
pki crl --stale
refused orchestrator sslclient 'CRL has expired'
pki crl

pki client weak --key rsa1024
openssl x509 -in "$dir/weak.pem" -noout -text | grep -q 'Public-Key: (1024 bit)' || fail "not weak"
pki client old --digest sha1
openssl x509 -in "$dir/old.pem" -noout -text | grep -q 'ecdsa-with-SHA1' || fail "not SHA-1"
pki intermediate below
pki client leaf --issuer below
openssl verify -purpose sslclient -CAfile "$dir/ca.pem" -untrusted "$dir/leaf.pem" "$dir/leaf.pem" \
    >/dev/null || fail "a chain through an intermediate CA does not verify"

for arguments in "client" "client ../x" "client x --key rot13" "nonsense" "client x --issuer none"; do
    read -ra words <<<"$arguments"
    if pki "${words[@]}" 2>"$dir/verdict"; then fail "pki.sh takes '$arguments'"; fi
    [ -s "$dir/verdict" ] || fail "pki.sh says nothing of '$arguments'"
done
echo "pki.sh: all as it should be"
