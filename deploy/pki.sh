#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# pki.sh: a throwaway certificate authority, with the certificates that trying and testing need.
#
# Everything is in one folder: ca.pem, ca.key, crl.pem, and NAME.pem with NAME.key for each
# certificate.  Not for production: the CA's key lies beside what it signed, without a passphrase.
set -euo pipefail
umask 077

usage() {
    cat <<'TEXT'
usage: pki.sh DIR                        a whole set: init, server, clients orchestrator, reader
                                         and stranger, crl; keeps what is there and still good
       pki.sh DIR init [OPTION…]         ca.pem, ca.key
       pki.sh DIR intermediate NAME [OPTION…]  a CA below, NAME.pem, NAME.key
       pki.sh DIR server NAME [OPTION…]  for localhost, 127.0.0.1, ::1 and what --san adds
       pki.sh DIR client NAME [OPTION…]
       pki.sh DIR crl [--issuer NAME] [--days N] [--stale]   ISSUER's CRL: crl.pem, NAME-crl.pem
       pki.sh DIR revoke NAME [--issuer NAME]                revokes and writes the CRL anew

  --san VALUE       subject alternative name as openssl writes it: DNS:host, IP:192.0.2.1, …
  --uri, --dns, --email VALUE            the same, one kind each; all may repeat
  --subject DN      as openssl's -subj takes it (default: /CN=NAME)
  --days N          valid for so long (default: 30)
  --not-before TIME, --not-after TIME    YYYYMMDDHHMMSSZ instead
  --expired, --not-yet-valid             dates wholly in the past or in the future
  --key TYPE        p256 (default), p384, p521, ed25519, rsa2048, rsa1024, secp256k1
  --digest NAME     of the signature (default: sha256), sha1 for a weak one
  --eku LIST        extended key usage (default: by command), none for none
  --issuer NAME     the CA that signs (default: ca)
  --self-signed     signed by its own key instead
  --raw-config LINE one more line for the extension section, as openssl.cnf has it; may repeat
TEXT
}

die() {
    printf 'pki: %s\n' "$*" >&2
    exit 1
}

bad_usage() {
    printf 'pki: %s (see pki.sh --help)\n' "$*" >&2
    exit 2
}

# openssl, quiet unless it fails.
run_openssl() {
    local output
    output=$(openssl "$@" 2>&1) || die "openssl $1 failed: $output"
}

# --- The pieces -----------------------------------------------------------------------------------

make_key() {
    local file=$1 type=$2

    case $type in
    p256) run_openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$file" ;;
    p384) run_openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$file" ;;
    p521) run_openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out "$file" ;;
    secp256k1) run_openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out "$file" ;;
    ed25519) run_openssl genpkey -algorithm ED25519 -out "$file" ;;
    rsa2048) run_openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$file" ;;
    rsa1024) run_openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out "$file" ;;
    *) bad_usage "unknown key type '$type'" ;;
    esac
    chmod 600 "$file"
}

# The state openssl's "ca" keeps for an issuer: its list of certificates, serial and CRL numbers.
prepare_issuer() {
    local issuer=$1 state=$dir/.state/$1

    mkdir -p "$state/certificates"
    [ -e "$state/index.txt" ] || : >"$state/index.txt"
    [ -e "$state/index.txt.attr" ] || echo "unique_subject = no" >"$state/index.txt.attr"
    [ -e "$state/crlnumber" ] || echo 01 >"$state/crlnumber"
    cat >"$state/openssl.cnf" <<TEXT
[ca]
default_ca = issuer
[issuer]
database = $state/index.txt
new_certs_dir = $state/certificates
crlnumber = $state/crlnumber
certificate = $dir/$issuer.pem
private_key = $dir/$issuer.key
rand_serial = yes
unique_subject = no
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
email_in_dn = yes
preserve = yes
string_mask = utf8only
[any]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
emailAddress = optional
[crl]
authorityKeyIdentifier = keyid:always
TEXT
}

write_extensions() {
    local file=$1 kind=$2 usage_names=$eku i name

    {
        echo "[extensions]"
        echo "subjectKeyIdentifier = hash"
        if [ -z "$self_signed" ]; then echo "authorityKeyIdentifier = keyid:always"; fi
        case $kind in
        ca | intermediate)
            echo "basicConstraints = critical, CA:TRUE"
            echo "keyUsage = critical, keyCertSign, cRLSign"
            ;;
        server)
            echo "basicConstraints = critical, CA:FALSE"
            echo "keyUsage = critical, digitalSignature"
            usage_names=${usage_names:-serverAuth}
            ;;
        client)
            echo "basicConstraints = critical, CA:FALSE"
            echo "keyUsage = critical, digitalSignature"
            usage_names=${usage_names:-clientAuth}
            ;;
        esac
        if [ -n "$usage_names" ] && [ "$usage_names" != none ]; then
            echo "extendedKeyUsage = $usage_names"
        fi
        if [ ${#raw_lines[@]} -gt 0 ]; then printf '%s\n' "${raw_lines[@]}"; fi
        if [ ${#alternative_names[@]} -gt 0 ]; then
            echo "subjectAltName = @alternative_names"
            echo "[alternative_names]"
            i=0
            for name in "${alternative_names[@]}"; do
                i=$((i + 1))
                echo "${name%%:*}.$i = ${name#*:}"
            done
        fi
    } >"$file"
}

# Makes NAME.key and NAME.pem; the certificate appears under its name only when it is whole.
issue() {
    local kind=$1 name=$2
    local work=$dir/.state/work.$$ start=$not_before end=$not_after
    local -a sign=(ca)

    mkdir -p "$work"
    # Signed a minute back, so that clocks a little behind accept it.
    start=${start:-$(date -u -d '-1 minute' +%Y%m%d%H%M%SZ)}
    end=${end:-$(date -u -d "+$days days" +%Y%m%d%H%M%SZ)}
    make_key "$dir/$name.key" "$key_type"
    write_extensions "$work/extensions" "$kind"
    run_openssl req -new -utf8 -key "$dir/$name.key" -subj "${subject:-/CN=$name}" \
        -config /dev/null -out "$work/request"

    if [ -n "$self_signed" ]; then
        # "ca -selfsign" wants an issuer's state; this one has its own.
        issuer=$name
        prepare_issuer "$issuer"
        sign+=(-selfsign -keyfile "$dir/$name.key")
    else
        [ -f "$dir/$issuer.key" ] || die "there is no CA '$issuer' in $dir: run init first"
        prepare_issuer "$issuer"
    fi
    # Ed25519 signs without a digest of its own.
    if openssl pkey -in "$dir/$issuer.key" -noout -text 2>/dev/null | grep -q '^ED25519'; then
        digest=default
    fi
    run_openssl "${sign[@]}" -batch -notext -config "$dir/.state/$issuer/openssl.cnf" \
        -md "$digest" -startdate "$start" -enddate "$end" \
        -extfile "$work/extensions" -extensions extensions \
        -in "$work/request" -out "$work/certificate"
    # A chain is sent from the leaf up to, but without, the root.
    if [ -z "$self_signed" ] && [ "$issuer" != ca ] && [ -f "$dir/.state/$issuer/is-intermediate" ]; then
        cat "$dir/$issuer.pem" >>"$work/certificate"
    fi
    chmod 600 "$work/certificate"
    mv "$work/certificate" "$dir/$name.pem"
    rm -rf "$work"
    if [ "$kind" = intermediate ]; then
        prepare_issuer "$name"
        : >"$dir/.state/$name/is-intermediate"
    fi
}

write_crl() {
    local name=crl.pem config=$dir/.state/$issuer/openssl.cnf
    local -a dates=(-crldays "$days")

    [ -f "$dir/$issuer.key" ] || die "there is no CA '$issuer' in $dir: run init first"
    [ "$issuer" = ca ] || name=$issuer-crl.pem
    if [ -n "$stale" ]; then dates=(-crl_lastupdate 20200101000000Z -crl_nextupdate 20200102000000Z); fi
    prepare_issuer "$issuer"
    run_openssl ca -gencrl -config "$config" -crlexts crl "${dates[@]}" -out "$dir/.state/crl.new"
    mv "$dir/.state/crl.new" "$dir/$name"
}

revoke() {
    [ -f "$dir/$1.pem" ] || die "there is no certificate '$1' in $dir"
    prepare_issuer "$issuer"
    run_openssl ca -config "$dir/.state/$issuer/openssl.cnf" -revoke "$dir/$1.pem"
    write_crl
}

# Whether certificate NAME is there and good for another day.
is_fresh() {
    [ -f "$dir/$1.key" ] && openssl x509 -checkend 86400 -noout -in "$dir/$1.pem" >/dev/null 2>&1
}

# The CRL is written each time: it lists what was revoked, and its date moves on.
default_set() {
    local name

    if ! is_fresh ca; then
        rm -rf "$dir"/{server,orchestrator,reader,stranger}.{pem,key} "$dir/.state/ca"
        "$0" "$dir" init --days 365
    fi
    is_fresh server || "$0" "$dir" server server
    for name in orchestrator reader stranger; do
        is_fresh "$name" || "$0" "$dir" client "$name" --uri "spiffe://example.org/$name/1"
    done
    "$0" "$dir" crl
}

# --- The command line -----------------------------------------------------------------------------

[ $# -gt 0 ] || bad_usage "a directory is needed"
case $1 in
-h | --help)
    usage
    exit 0
    ;;
-*) bad_usage "unknown option '$1'" ;;
esac
command -v openssl >/dev/null || die "openssl is not installed"
dir=$(realpath -m -- "$1")
shift
mkdir -p "$dir/.state"
if [ $# -eq 0 ]; then
    default_set
    exit 0
fi
# One change at a time: openssl rewrites an issuer's list as a whole.
exec 9>"$dir/.state/lock"
flock 9

command=$1
shift
name=
case $command in
init | crl) ;;
intermediate | server | client | revoke)
    [ $# -gt 0 ] || bad_usage "$command needs a name"
    name=$1
    shift
    case $name in
    '' | *[!A-Za-z0-9._-]* | [.-]*) bad_usage "'$name' is no name for a file" ;;
    esac
    ;;
*) bad_usage "unknown command '$command'" ;;
esac

alternative_names=()
raw_lines=()
subject=
days=30
not_before=
not_after=
key_type=p256
digest=sha256
eku=
issuer=ca
self_signed=
stale=
while [ $# -gt 0 ]; do
    case $1 in
    --expired)
        not_before=20200101000000Z
        not_after=20200102000000Z
        shift
        continue
        ;;
    --not-yet-valid)
        not_before=20980101000000Z
        not_after=20990101000000Z
        shift
        continue
        ;;
    --self-signed)
        self_signed=1
        shift
        continue
        ;;
    --stale)
        stale=1
        shift
        continue
        ;;
    esac
    [ $# -ge 2 ] || bad_usage "'$1' is no option or needs a value"
    case $1 in
    --san)
        case $2 in
        [A-Za-z]*:*) alternative_names+=("$2") ;;
        *) bad_usage "'$2' is no alternative name: DNS:host, IP:address, URI:…" ;;
        esac
        ;;
    --uri) alternative_names+=("URI:$2") ;;
    --dns) alternative_names+=("DNS:$2") ;;
    --email) alternative_names+=("email:$2") ;;
    --subject) subject=$2 ;;
    --days) days=$2 ;;
    --not-before) not_before=$2 ;;
    --not-after) not_after=$2 ;;
    --key) key_type=$2 ;;
    --digest) digest=$2 ;;
    --eku) eku=$2 ;;
    --issuer) issuer=$2 ;;
    --raw-config) raw_lines+=("$2") ;;
    *) bad_usage "unknown option '$1'" ;;
    esac
    shift 2
done

case $command in
init)
    subject=${subject:-/CN=sa-contextd throwaway CA}
    self_signed=1
    issue ca ca
    ;;
intermediate) issue intermediate "$name" ;;
server)
    alternative_names=(DNS:localhost IP:127.0.0.1 IP:::1 "${alternative_names[@]}")
    issue server "$name"
    ;;
client) issue client "$name" ;;
crl) write_crl ;;
revoke) revoke "$name" ;;
esac
