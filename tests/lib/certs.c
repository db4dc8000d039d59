/* SPDX-License-Identifier: Apache-2.0
 *
 * certs.c: see certs.h. */
#include "tests/lib/certs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

enum { HOUR_S = 3600 };

static EVP_PKEY *make_key(enum certs_key kind);
static void set_subject(X509 *x509, const struct certs_request *request);
static void set_extensions(X509 *x509, X509 *issuer, const struct certs_request *request);
static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value);
static void add_raw_names(X509 *x509, const struct certs_name *names, size_t count);
static const EVP_MD *digest_for(const EVP_PKEY *key, const char *digest);
static char *take_text(BIO *bio);
static void need(bool good);

void
certs_make(struct certs_certificate *certificate,
           const struct certs_certificate *issuer,
           const struct certs_request *request)
{
    time_t now = time(NULL);
    X509 *x509 = X509_new();
    EVP_PKEY *key = make_key(request->key);
    X509 *issuer_x509 = issuer == NULL ? x509 : issuer->x509;
    EVP_PKEY *issuer_key = issuer == NULL ? key : issuer->key;
    unsigned char serial[8];

    need(x509 != NULL && RAND_bytes(serial, sizeof serial) == 1);
    serial[0] = (serial[0] & 0x3f) | 0x40; /* positive, with a fixed length */
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    need(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL);
    BN_free(number);
    need(X509_set_version(x509, X509_VERSION_3) == 1 && X509_set_pubkey(x509, key) == 1);
    need(ASN1_TIME_set(X509_getm_notBefore(x509),
                       request->not_before_s == 0 ? now - HOUR_S : request->not_before_s) != NULL);
    need(ASN1_TIME_set(X509_getm_notAfter(x509),
                       request->not_after_s == 0 ? now + HOUR_S : request->not_after_s) != NULL);
    set_subject(x509, request);
    need(X509_set_issuer_name(x509, X509_get_subject_name(issuer_x509)) == 1);
    set_extensions(x509, issuer_x509, request);
    need(X509_sign(x509, issuer_key, digest_for(issuer_key, request->digest)) > 0);

    *certificate = (struct certs_certificate){ .x509 = x509, .key = key };
    int size = i2d_X509(x509, &certificate->der);
    need(size > 0);
    certificate->der_size = (size_t)size;
}

void
certs_clear(struct certs_certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    OPENSSL_free(certificate->der);
    *certificate = (struct certs_certificate){ .x509 = NULL };
}

X509_CRL *
certs_make_crl(const struct certs_crl_request *request)
{
    time_t now = time(NULL);
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *update =
        ASN1_TIME_set(NULL, request->this_update_s == 0 ? now - HOUR_S : request->this_update_s);

    need(crl != NULL && update != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1);
    need(X509_CRL_set_issuer_name(crl, X509_get_subject_name(request->issuer->x509)) == 1);
    need(X509_CRL_set1_lastUpdate(crl, update) == 1);
    if (request->revoked != NULL) {
        X509_REVOKED *revoked = X509_REVOKED_new();
        need(revoked != NULL &&
             X509_REVOKED_set_serialNumber(revoked,
                                           X509_get_serialNumber(request->revoked->x509)) == 1 &&
             X509_REVOKED_set_revocationDate(revoked, update) == 1 &&
             X509_CRL_add0_revoked(crl, revoked) == 1);
    }
    if (request->next_update_s >= 0) {
        ASN1_TIME_set(update, request->next_update_s == 0 ? now + HOUR_S : request->next_update_s);
        need(X509_CRL_set1_nextUpdate(crl, update) == 1);
    }
    ASN1_TIME_free(update);

    EVP_PKEY *key = (request->signer == NULL ? request->issuer : request->signer)->key;
    need(X509_CRL_sign(crl, key, digest_for(key, request->digest)) > 0);
    return crl;
}

char *
certs_pem(const struct certs_certificate *const *certificates, size_t count)
{
    BIO *bio = BIO_new(BIO_s_mem());

    need(bio != NULL);
    for (size_t i = 0; i < count; i++)
        need(PEM_write_bio_X509(bio, certificates[i]->x509) == 1);
    return take_text(bio);
}

char *
certs_crl_pem(X509_CRL *const *crls, size_t count)
{
    BIO *bio = BIO_new(BIO_s_mem());

    need(bio != NULL);
    for (size_t i = 0; i < count; i++)
        need(PEM_write_bio_X509_CRL(bio, crls[i]) == 1);
    return take_text(bio);
}

char *
certs_key_pem(const struct certs_certificate *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());

    need(bio != NULL);
    need(PEM_write_bio_PrivateKey(bio, certificate->key, NULL, NULL, 0, NULL, NULL) == 1);
    return take_text(bio);
}

static EVP_PKEY *
make_key(enum certs_key kind)
{
    EVP_PKEY *key = NULL;

    switch (kind) {
    case CERTS_P256:
        key = EVP_EC_gen("P-256");
        break;
    case CERTS_P384:
        key = EVP_EC_gen("P-384");
        break;
    case CERTS_P521:
        key = EVP_EC_gen("P-521");
        break;
    case CERTS_SECP256K1:
        key = EVP_EC_gen("secp256k1");
        break;
    case CERTS_ED25519:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    case CERTS_ED448:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
        break;
    case CERTS_RSA_1024:
        key = EVP_RSA_gen(1024);
        break;
    case CERTS_RSA_2048:
        key = EVP_RSA_gen(2048);
        break;
    case CERTS_RSA_PSS_2048: {
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);
        need(context != NULL && EVP_PKEY_keygen_init(context) == 1 &&
             EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048) == 1 &&
             EVP_PKEY_generate(context, &key) == 1);
        EVP_PKEY_CTX_free(context);
        break;
    }
    }
    need(key != NULL);
    return key;
}

static void
set_subject(X509 *x509, const struct certs_request *request)
{
    X509_NAME *subject = X509_get_subject_name(x509);

    if (request->common_name != NULL)
        need(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                        (const unsigned char *)request->common_name, -1, -1,
                                        0) == 1);
    for (size_t i = 0; i < request->subject_count; i++) {
        const struct certs_name *part = &request->subject[i];
        need(X509_NAME_add_entry_by_NID(subject, part->kind, part->type,
                                        (const unsigned char *)part->bytes, (int)part->size, -1,
                                        0) == 1);
    }
}

static void
set_extensions(X509 *x509, X509 *issuer, const struct certs_request *request)
{
    const char *constraints = request->ca ? "critical,CA:TRUE" : "critical,CA:FALSE";
    const char *usage = request->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature";
    const char *extended_usage = request->ca ? "" : "clientAuth";

    add_extension(x509, issuer, NID_basic_constraints,
                  request->basic_constraints == NULL ? constraints : request->basic_constraints);
    add_extension(x509, issuer, NID_key_usage,
                  request->key_usage == NULL ? usage : request->key_usage);
    add_extension(x509, issuer, NID_ext_key_usage,
                  request->extended_key_usage == NULL ? extended_usage
                                                      : request->extended_key_usage);
    if (!request->no_key_identifiers) {
        add_extension(x509, issuer, NID_subject_key_identifier, "hash");
        if (X509_get_ext_by_NID(issuer, NID_subject_key_identifier, -1) >= 0)
            add_extension(x509, issuer, NID_authority_key_identifier, "keyid");
    }
    if (request->alternative_names != NULL)
        add_extension(x509, issuer, NID_subject_alt_name, request->alternative_names);
    if (request->raw_alternative_name_count > 0)
        add_raw_names(x509, request->raw_alternative_names, request->raw_alternative_name_count);
}

static void
add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    if (value[0] == '\0')
        return;
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&context);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    need(extension != NULL && X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void
add_raw_names(X509 *x509, const struct certs_name *names, size_t count)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();

    need(list != NULL);
    for (size_t i = 0; i < count; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        need(name != NULL && text != NULL);
        need(ASN1_STRING_set(text, names[i].bytes, (int)names[i].size) == 1);
        GENERAL_NAME_set0_value(name, names[i].kind, text);
        need(sk_GENERAL_NAME_push(list, name) > 0);
    }
    need(X509_add1_ext_i2d(x509, NID_subject_alt_name, list, 0, X509V3_ADD_APPEND) == 1);
    GENERAL_NAMES_free(list);
}

static const EVP_MD *
digest_for(const EVP_PKEY *key, const char *digest)
{
    int kind = EVP_PKEY_get_base_id(key);

    if (kind == EVP_PKEY_ED25519 || kind == EVP_PKEY_ED448)
        return NULL;
    return digest == NULL ? EVP_sha256() : EVP_get_digestbyname(digest);
}

static char *
take_text(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)size);

    BIO_free(bio);
    need(text != NULL);
    return text;
}

static void
need(bool good)
{
    if (good)
        return;
    ERR_print_errors_fp(stderr);
    abort();
}
