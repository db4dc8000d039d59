/* SPDX-License-Identifier: Apache-2.0
 *
 * trust.c: reads the client CA bundle and the CRLs.
 *
 * What could only fail later, at every handshake, is refused here, where an operator is looking: a
 * certificate that is no CA, a bundle no chain can end in, a CRL that nobody could use. */
#include "auth/trust.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "auth/certificate.h"
#include "auth/crl.h"
#include "auth/file.h"
#include "auth/names.h"
#include "engine/base/clock.h"

enum {
    CA_FILE_MAXIMUM = 16 << 20,
    CRL_FILE_MAXIMUM = 256 << 20,
    NAME_SHOWN_SIZE = 96,
};

/* One file while it is read. */
struct trust_file {
    const char *file;
    struct ipsec_fault *fault;
    struct auth_trust *trust;
    const STACK_OF(X509) * authorities; /* whoever may have signed a CRL */
    int count;                          /* of the object at hand, from 1 */
    bool anchored;                      /* a self-signed CA was among them */
};

typedef enum ipsec_status
add_block(struct trust_file *context, const char *label, const unsigned char *data, long size);

static enum ipsec_status read_blocks(struct trust_file *context, size_t maximum, add_block *add);
static enum ipsec_status read_authorities(struct trust_file *context);
static enum ipsec_status read_crls(struct trust_file *context);
static add_block add_authority;
static add_block add_crl;
static enum ipsec_status check_authority(struct trust_file *context, X509 *certificate);
static enum ipsec_status check_crl(struct trust_file *context, X509_CRL *crl);
static int tolerate_omissions(int good, X509_STORE_CTX *context);
static size_t count_text(const char *text, size_t size, const char *wanted);
static enum ipsec_status no_memory(const struct trust_file *context);

enum ipsec_status
auth_trust_load(const char *ca_file,
                const char *crl_file,
                struct ipsec_fault *fault,
                struct auth_trust **trust_out)
{
    struct trust_file context = { .file = ca_file, .fault = fault };
    enum ipsec_status status;

    *trust_out = NULL;
    context.trust = calloc(1, sizeof *context.trust);
    if (context.trust == NULL)
        return no_memory(&context);
    atomic_init(&context.trust->references, 1);
    context.trust->times = (struct auth_trust_times){ INT64_MAX, INT64_MAX };
    context.trust->recent = recent_chains_new();
    context.trust->store = X509_STORE_new();
    if (context.trust->store == NULL || context.trust->recent == NULL)
        status = no_memory(&context);
    else
        status = read_authorities(&context);
    if (status == IPSEC_OK && crl_file != NULL) {
        context.file = crl_file;
        status = read_crls(&context);
    }
    ERR_clear_error();
    if (status != IPSEC_OK) {
        auth_trust_unref(context.trust);
        return status;
    }
    *trust_out = context.trust;
    return IPSEC_OK;
}

struct auth_trust *
auth_trust_ref(struct auth_trust *trust)
{
    if (trust != NULL)
        atomic_fetch_add_explicit(&trust->references, 1, memory_order_relaxed);
    return trust;
}

void
auth_trust_unref(struct auth_trust *trust)
{
    if (trust == NULL ||
        atomic_fetch_sub_explicit(&trust->references, 1, memory_order_acq_rel) != 1)
        return;
    recent_chains_free(trust->recent);
    X509_STORE_free(trust->store);
    free(trust);
}

const struct auth_trust_times *
auth_trust_times(const struct auth_trust *trust)
{
    return &trust->times;
}

bool
auth_trust_read_time(const ASN1_TIME *time, int64_t *ms_out)
{
    struct tm broken_down;

    if (ASN1_TIME_to_tm(time, &broken_down) != 1)
        return false;
    *ms_out = (int64_t)timegm(&broken_down) * 1000;
    return true;
}

static enum ipsec_status
read_authorities(struct trust_file *context)
{
    X509_STORE *store = context->trust->store;

    enum ipsec_status status = read_blocks(context, CA_FILE_MAXIMUM, add_authority);
    if (status != IPSEC_OK)
        return status;
    if (context->count == 0)
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "holds no certificate");
    if (!context->anchored)
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "holds no self-signed CA certificate, so no chain could end in it");

    /* Level 2: keys and digests of 112 bits and more, the anchor's own signature excepted. */
    X509_VERIFY_PARAM *parameters = X509_STORE_get0_param(store);
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    /* OpenSSL counts neither the leaf nor the anchor. */
    X509_VERIFY_PARAM_set_depth(parameters, AUTH_CHAIN_DEPTH_MAX - 2);
    X509_STORE_set_verify_cb(store, tolerate_omissions);
    if (X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_CLIENT) != 1 ||
        X509_VERIFY_PARAM_set_trust(parameters, X509_TRUST_SSL_CLIENT) != 1 ||
        X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT) != 1)
        return no_memory(context);
    return IPSEC_OK;
}

static enum ipsec_status
read_crls(struct trust_file *context)
{
    STACK_OF(X509) *authorities = X509_STORE_get1_all_certs(context->trust->store);
    if (authorities == NULL)
        return no_memory(context);

    context->count = 0;
    context->authorities = authorities;
    enum ipsec_status status = read_blocks(context, CRL_FILE_MAXIMUM, add_crl);
    context->authorities = NULL;
    if (status == IPSEC_OK)
        context->trust->times.crls_until_ms = crl_until_ms(context->trust->store, authorities);
    sk_X509_pop_free(authorities, X509_free);
    if (status != IPSEC_OK)
        return status;
    if (context->count == 0)
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "holds no CRL");
    if (X509_STORE_set_flags(context->trust->store,
                             X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) != 1)
        return no_memory(context);
    return IPSEC_OK;
}

/* Hands every PEM block of the file to 'add'.  A block that is damaged in its first or last line
 * would look like text between blocks, so they are counted. */
static enum ipsec_status
read_blocks(struct trust_file *context, size_t maximum, add_block *add)
{
    AUTO(buffer) contents = BUFFER(maximum);
    enum ipsec_status status = auth_file_read(context->file, context->fault, &contents);
    if (status != IPSEC_OK)
        return status;

    BIO *source = BIO_new_mem_buf(contents.data, (int)contents.size);
    if (source == NULL)
        return no_memory(context);
    while (status == IPSEC_OK) {
        char *label = NULL;
        char *header = NULL;
        unsigned char *data = NULL;
        long size = 0;
        if (PEM_read_bio(source, &label, &header, &data, &size) != 1)
            break;
        context->count++;
        status = add(context, label, data, size);
        OPENSSL_free(label);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    BIO_free(source);

    size_t announced = count_text(contents.data, contents.size, "-----BEGIN");
    if (status == IPSEC_OK && announced != (size_t)context->count)
        status =
            auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                            "PEM block %d of %zu does not parse", context->count + 1, announced);
    return status;
}

static enum ipsec_status
add_authority(struct trust_file *context, const char *label, const unsigned char *data, long size)
{
    if (strcmp(label, PEM_STRING_X509) != 0)
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "block %d is a %.40s, not a CERTIFICATE", context->count, label);
    const unsigned char *end = data;
    X509 *certificate = d2i_X509(NULL, &end, size);
    if (certificate == NULL || end != data + size) {
        X509_free(certificate);
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "certificate %d does not parse", context->count);
    }

    enum ipsec_status status = check_authority(context, certificate);
    if (status == IPSEC_OK && X509_STORE_add_cert(context->trust->store, certificate) != 1)
        status = no_memory(context);
    X509_free(certificate);
    return status;
}

static enum ipsec_status
check_authority(struct trust_file *context, X509 *certificate)
{
    char subject[NAME_SHOWN_SIZE];

    auth_name_show(X509_get_subject_name(certificate), subject, sizeof subject);
    if (X509_check_purpose(certificate, -1, 0) != 1)
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "certificate %d (%s) has extensions that do not parse",
                               context->count, subject);
    /* 1: by its basic constraints, not by some older convention. */
    if (X509_check_ca(certificate) != 1)
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "certificate %d (%s) is not a CA's", context->count, subject);
    int64_t until_ms;
    if (!auth_trust_read_time(X509_get0_notAfter(certificate), &until_ms))
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "certificate %d (%s) has a time that does not parse", context->count,
                               subject);
    if (until_ms < context->trust->times.authorities_until_ms)
        context->trust->times.authorities_until_ms = until_ms;
    if ((X509_get_extension_flags(certificate) & EXFLAG_SS) != 0)
        context->anchored = true;
    return IPSEC_OK;
}

static enum ipsec_status
add_crl(struct trust_file *context, const char *label, const unsigned char *data, long size)
{
    if (strcmp(label, PEM_STRING_X509_CRL) != 0)
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "block %d is a %.40s, not an X509 CRL", context->count, label);
    const unsigned char *end = data;
    X509_CRL *crl = d2i_X509_CRL(NULL, &end, size);
    if (crl == NULL || end != data + size) {
        X509_CRL_free(crl);
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "CRL %d does not parse", context->count);
    }

    enum ipsec_status status = check_crl(context, crl);
    if (status == IPSEC_OK && X509_STORE_add_crl(context->trust->store, crl) != 1)
        status = no_memory(context);
    X509_CRL_free(crl);
    return status;
}

static enum ipsec_status
check_crl(struct trust_file *context, X509_CRL *crl)
{
    const char *cause = crl_why_unusable(crl, context->authorities);
    if (cause != NULL) {
        char issuer[NAME_SHOWN_SIZE];
        auth_name_show(X509_CRL_get_issuer(crl), issuer, sizeof issuer);
        return auth_file_fault(context->fault, IPSEC_INVALID_PARAMETER, context->file, NULL,
                               "CRL %d (%s) %s", context->count, issuer, cause);
    }

    /* The first look-up sorts the list; later ones, in several threads, only read it. */
    X509_REVOKED *revoked;
    const X509 *any = sk_X509_value(context->authorities, 0);
    (void)X509_CRL_get0_by_serial(crl, &revoked, X509_get0_serialNumber(any));
    return IPSEC_OK;
}

/* Strict checking (RFC 5280) stays on for what changes who is trusted.  What a CA that was
 * set up with few options leaves out, and nobody can exploit, does not fail a chain. */
static int
tolerate_omissions(int good, X509_STORE_CTX *context)
{
    switch (X509_STORE_CTX_get_error(context)) {
    case X509_V_ERR_CA_BCONS_NOT_CRITICAL:
    case X509_V_ERR_CA_CERT_MISSING_KEY_USAGE:
    case X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER:
    case X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER:
    case X509_V_ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL:
        X509_STORE_CTX_set_error(context, X509_V_OK);
        return 1;
    default:
        return good;
    }
}

static size_t
count_text(const char *text, size_t size, const char *wanted)
{
    const char *end = text + size;
    size_t count = 0;

    while ((text = memmem(text, (size_t)(end - text), wanted, strlen(wanted))) != NULL) {
        count++;
        text += strlen(wanted);
    }
    return count;
}

static enum ipsec_status
no_memory(const struct trust_file *context)
{
    return auth_file_fault(context->fault, IPSEC_RPC_OUT_OF_RESOURCES, context->file, NULL,
                           "no memory");
}
