#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_files.sh: a file that keeps the service from starting is told by option, path and cause, in
# words; the same at a reload, which goes on with what was.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

make_pki
F=$WORK/files
mkdir "$F"
cp "$PKI"/server.pem "$PKI"/server.key "$PKI"/ca.pem "$PKI"/crl.pem "$WORK/access.json" "$F"
OPTIONS=(--listen 127.0.0.1:0 --ops-listen off --tls-cert "$F/server.pem" --tls-key "$F/server.key"
    --client-ca "$F/ca.pem" --client-crl "$F/crl.pem" --access "$F/access.json" --store memory:
    --audit-log off)

quietly() { "$@" >/dev/null; }

# refused NAME FILE OPTION WORDS: starting with what lies in FILE now; then FILE is good again.
refused() {
    local path=$F/$2
    timeout 20 "$SA_CONTEXTD" "${OPTIONS[@]}" >"$WORK/out" 2>&1
    is "$1: exit code" $? 2
    is "$1: option" "$(jq -r 'select(.event == "cannot start") | .option' "$WORK/out")" "$3"
    check "$1: '$3 …$2: $4'" \
        quietly jq -e --arg start "$3 $path: $4" 'select(.event == "cannot start") | .reason | startswith($start)' "$WORK/out"
    rm -rf "$path"
    case $2 in
    audit) ;;
    access.json) cp "$WORK/$2" "$path" ;;
    *) cp "$PKI/$2" "$path" ;;
    esac
}

for pair in server.pem=tls-cert server.key=tls-key ca.pem=client-ca crl.pem=client-crl access.json=access; do
    file=${pair%=*} option=${pair#*=}
    rm "$F/$file"
    refused "no $file" "$file" "$option" 'No such file or directory'
    rm "$F/$file" && mkdir "$F/$file"
    refused "a folder $file" "$file" "$option" 'not a regular file'
    chmod 0 "$F/$file"
    refused "an unreadable $file" "$file" "$option" 'Permission denied'
    rm -f "$F/$file" && mkfifo "$F/$file"
    refused "a FIFO for $file" "$file" "$option" 'not a regular file'
    rm "$F/$file" && ln -s /dev/zero "$F/$file"
    refused "an endless $file" "$file" "$option" 'not a regular file'
    rm "$F/$file" && truncate -s 300M "$F/$file"
    refused "a huge $file" "$file" "$option" 'larger than '
done
mkfifo "$F/audit"
OPTIONS[${#OPTIONS[@]}-1]=$F/audit
refused "a FIFO for the audit log" audit audit-log 'not a regular file'
OPTIONS[${#OPTIONS[@]}-1]=off
echo nonsense >"$F/server.pem"
refused "a certificate that is no PEM" server.pem tls-cert 'holds no certificate in PEM ('
cp "$PKI/server.key" "$F/server.pem"
refused "a key for a certificate" server.pem tls-cert 'holds no certificate in PEM ('
: >"$F/server.key"
refused "an empty key" server.key tls-key 'holds no private key in PEM ('
cp "$PKI/server.pem" "$F/server.key"
refused "a certificate for a key" server.key tls-key 'holds no private key in PEM ('
cp "$PKI/reader.key" "$F/server.key"
refused "another's key" server.key tls-key 'is not the key of the certificate in tls-cert ('
openssl pkcs8 -topk8 -in "$PKI/server.key" -out "$F/server.key" -passout pass:secret 2>/dev/null
refused "an encrypted key" server.key tls-key 'is encrypted, and nobody could be asked for the passphrase ('
echo nonsense >"$F/ca.pem"
refused "a CA that is no PEM" ca.pem client-ca 'holds no certificate'
cp "$PKI/reader.pem" "$F/ca.pem"
refused "a CA that is none" ca.pem client-ca 'certificate 1 '
cp "$PKI/ca.pem" "$F/crl.pem"
refused "a CRL that is none" crl.pem client-crl 'block 1 is a CERTIFICATE'
"$ROOT/deploy/pki.sh" "$PKI" crl --stale >/dev/null && cp "$PKI/crl.pem" "$F/crl.pem"
"$ROOT/deploy/pki.sh" "$PKI" crl >/dev/null
refused "a stale CRL" crl.pem client-crl 'CRL 1 '
echo '{' >"$F/access.json"
refused "an access file that is no JSON" access.json access ''

start_daemon || exit 1
cp "$PKI/reader.key" "$PKI/server.key.new" && cp "$PKI/server.key" "$F/kept.key"
mv "$PKI/server.key.new" "$PKI/server.key"
kill -HUP "$DAEMON_PID"
for _ in $(seq 200); do grep -q '"event":"reload refused' "$LOG" && break; sleep 0.05; done
is "a reload tells the same" "$(jq -r 'select(.event | startswith("reload refused")) | .option + " " + .reason' "$LOG")" \
    "tls-key tls-key $PKI/server.key: is not the key of the certificate in tls-cert (The certificate and the given key do not match.)"
call GET /whoami
answered "and goes on" 200

stop_daemon

# --- Dates: the service runs, whoever may come in ----------------------------------------------------

told() { jq -r 'select(.level == "warning") | .option + ": " + .reason' "$1"; }
"$ROOT/deploy/pki.sh" "$WORK/old" init --expired >/dev/null
cp "$PKI/ca.pem" "$F/ca.pem"
cat "$WORK/old/ca.pem" >>"$PKI/ca.pem"
"$ROOT/deploy/pki.sh" "$PKI" server old --expired >/dev/null
"$ROOT/deploy/pki.sh" "$PKI" server early --not-yet-valid >/dev/null
mv "$F/kept.key" "$PKI/server.key"
cp "$PKI/server.pem" "$F/kept.pem"
"$ROOT/deploy/pki.sh" "$PKI" client client >/dev/null
for case in old=expired early='is not valid yet' client='without serverAuth'; do
    cp "$PKI/${case%=*}.pem" "$PKI/server.pem"
    cp "$PKI/${case%=*}.key" "$PKI/server.key"
    start_daemon || exit 1
    check "a certificate that ${case#*=}: a warning" \
        grep -q "^tls-cert: tls-cert $PKI/server.pem: the certificate .*${case#*=}" <(told "$LOG")
    check "an expired CA: a warning" \
        grep -q "^client-ca: client-ca $PKI/ca.pem: a CA in it has expired" <(told "$LOG")
    kill -HUP "$DAEMON_PID"
    for _ in $(seq 200); do grep -q '"event":"reloaded"' "$LOG" && break; sleep 0.05; done
    is "again at a reload" "$(told "$LOG" | grep -c "^tls-cert: .*${case#*=}")" 2
    stop_daemon
    "$SA_CONTEXTD" --check "${OPTIONS[@]:0:4}" --tls-cert "$PKI/server.pem" --tls-key "$PKI/server.key" \
        "${OPTIONS[@]:8}" 2>"$WORK/out"
    is "which --check refuses" "$? $(jq -r '.option' "$WORK/out")" "2 tls-cert"
done
"$SA_CONTEXTD" --check "${OPTIONS[@]:0:8}" --client-ca "$PKI/ca.pem" "${OPTIONS[@]:10}" 2>"$WORK/out"
is "an expired CA alone passes with a warning" "$? $(told "$WORK/out")" \
    "0 client-ca: client-ca $PKI/ca.pem: a CA in it has expired, and its clients are refused"

finish
