/* SPDX-License-Identifier: Apache-2.0
 *
 * certs.h: makes certificates and CRLs of every kind, good ones by default, for tests.  A failure
 * of OpenSSL aborts the test program. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "engine/base/attributes.h"

enum certs_key {
    CERTS_P256 = 0,
    CERTS_P384,
    CERTS_P521,
    CERTS_SECP256K1,
    CERTS_ED25519,
    CERTS_ED448,
    CERTS_RSA_1024,
    CERTS_RSA_2048,
    CERTS_RSA_PSS_2048,
};

/* A name with bytes that no configuration string can express. */
struct certs_name {
    int kind; /* of a subject: its NID; of an alternative name: GEN_URI, GEN_DNS, … */
    int type; /* of a subject: V_ASN1_UTF8STRING, …; unused otherwise */
    const char *bytes;
    size_t size;
};

/* A zeroed one, given 'common_name', makes a client's certificate that is good for two hours. */
struct certs_request {
    const char *common_name;          /* null: an empty subject but for 'subject' */
    const struct certs_name *subject; /* further parts of the subject */
    size_t subject_count;
    const char *alternative_names; /* "URI:spiffe://…,DNS:…"; null: none */
    const struct certs_name *raw_alternative_names;
    size_t raw_alternative_name_count;
    enum certs_key key;
    const char *digest;   /* "SHA1", …; null: SHA256, or none where the key has its own */
    int64_t not_before_s; /* 0: an hour ago */
    int64_t not_after_s;  /* 0: in an hour */
    bool ca;              /* basic constraints and key usage of a CA */
    const char *basic_constraints;  /* overrides, "" for none */
    const char *key_usage;          /* overrides, "" for none */
    const char *extended_key_usage; /* null: "clientAuth", or none for a CA; "" for none */
    bool no_key_identifiers;
};

struct certs_certificate {
    X509 *x509;
    EVP_PKEY *key;
    unsigned char *der;
    size_t der_size;
};

/* 'issuer' may be null: self-signed. */
void certs_make(struct certs_certificate *certificate,
                const struct certs_certificate *issuer,
                const struct certs_request *request);
void certs_clear(struct certs_certificate *certificate);
AUTO_DEFINE(certs_certificate, certs_clear)

/* A CRL of 'issuer' that revokes 'revoked' (may be null), current from 'this_update_s' to
 * 'next_update_s'; 0 means an hour ago and in an hour, a negative 'next_update_s' none at all. */
struct certs_crl_request {
    const struct certs_certificate *issuer;
    const struct certs_certificate *signer; /* null: the issuer */
    const struct certs_certificate *revoked;
    int64_t this_update_s;
    int64_t next_update_s;
    const char *digest; /* null: SHA256 */
};
X509_CRL *certs_make_crl(const struct certs_crl_request *request);

/* PEM text, one after another, for free(). */
char *certs_pem(const struct certs_certificate *const *certificates, size_t count);
char *certs_crl_pem(X509_CRL *const *crls, size_t count);
char *certs_key_pem(const struct certs_certificate *certificate);
