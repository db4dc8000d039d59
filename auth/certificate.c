/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate.c: see certificate.h.
 *
 * OpenSSL judges the chain (X509_verify_cert, strict, parameters set in trust.c); added here is
 * what it leaves open: which kinds of keys are good, that the leaf names clientAuth itself, that
 * the leaf is no CA. */
#include "auth/certificate.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "auth/names.h"
#include "auth/trust.h"

enum {
    CHAIN_LENGTH_MAXIMUM = 16, /* as sent: superfluous certificates included */
    CHAIN_SIZE_MAXIMUM = 65536,
    RSA_BITS_MINIMUM = 2048,
};

/* What one judgement holds while it lasts. */
struct judgement {
    STACK_OF(X509) * certificates; /* leaf first */
    X509_STORE_CTX *context;
};
static void judgement_clear(struct judgement *judgement);
AUTO_DEFINE(judgement, judgement_clear)

static enum auth_verdict
check_size(const struct auth_der *chain, size_t chain_length, char reason[AUTH_REASON_SIZE]);
static enum auth_verdict parse_chain(struct judgement *judgement,
                                     const struct auth_der *chain,
                                     size_t chain_length,
                                     char reason[AUTH_REASON_SIZE]);
static enum auth_verdict verify_chain(struct judgement *judgement,
                                      const struct auth_trust *trust,
                                      int64_t now_ms,
                                      char reason[AUTH_REASON_SIZE]);
static enum auth_verdict check_leaf_usage(X509 *leaf, char reason[AUTH_REASON_SIZE]);
static enum auth_verdict check_keys(const STACK_OF(X509) * verified, char reason[AUTH_REASON_SIZE]);
static const char *why_weak(const X509 *certificate);
static enum auth_verdict
make_identity(X509 *leaf, struct auth_identity **identity_out, char reason[AUTH_REASON_SIZE]);
static int64_t good_until(X509_STORE_CTX *context, int64_t now_ms);
static int64_t crls_good_until(X509_STORE_CTX *context, const X509_NAME *issuer, int64_t now_ms);
static bool read_fingerprint(const X509 *certificate, char text[65]);
static void format_fingerprint(const unsigned char *digest, char text[65]);
static enum auth_verdict verdict_of(int error);
static enum auth_verdict refuse(enum auth_verdict verdict,
                                const X509 *certificate,
                                char reason[AUTH_REASON_SIZE],
                                const char *cause);

static const char *const verdict_texts[AUTH_VERDICT_COUNT] = {
    [AUTH_GOOD] = "good",
    [AUTH_MALFORMED] = "malformed certificate",
    [AUTH_UNKNOWN_CA] = "unknown CA",
    [AUTH_EXPIRED] = "certificate expired",
    [AUTH_NOT_YET_VALID] = "certificate not yet valid",
    [AUTH_WRONG_USAGE] = "certificate not for client authentication",
    [AUTH_REVOKED] = "certificate revoked",
    [AUTH_CRL_UNUSABLE] = "no usable CRL",
    [AUTH_WEAK] = "key or signature too weak",
    [AUTH_TOO_DEEP] = "certificate chain too deep",
    [AUTH_INTERNAL] = "internal error",
};

const char *
auth_verdict_text(enum auth_verdict verdict)
{
    return (unsigned)verdict < AUTH_VERDICT_COUNT ? verdict_texts[verdict]
                                                  : verdict_texts[AUTH_INTERNAL];
}

enum auth_verdict
auth_judge(struct auth_trust *trust,
           const struct auth_der *chain,
           size_t chain_length,
           int64_t now_ms,
           struct auth_identity **identity_out,
           int64_t *good_until_ms_out,
           char reason[AUTH_REASON_SIZE])
{
    AUTO(judgement) judgement = { .certificates = NULL };
    struct recent_key key;

    *identity_out = NULL;
    *good_until_ms_out = now_ms;
    reason[0] = '\0';
    enum auth_verdict verdict = check_size(chain, chain_length, reason);
    if (verdict != AUTH_GOOD)
        return verdict;
    if (!recent_key_make(chain, chain_length, &key))
        return refuse(AUTH_INTERNAL, NULL, reason, "no memory");
    *identity_out = recent_chains_find(trust->recent, &key, now_ms, good_until_ms_out);
    if (*identity_out != NULL)
        return AUTH_GOOD;

    verdict = parse_chain(&judgement, chain, chain_length, reason);
    if (verdict == AUTH_GOOD)
        verdict = verify_chain(&judgement, trust, now_ms, reason);
    if (verdict == AUTH_GOOD)
        verdict = make_identity(sk_X509_value(judgement.certificates, 0), identity_out, reason);
    if (verdict == AUTH_GOOD) {
        *good_until_ms_out = good_until(judgement.context, now_ms);
        recent_chains_add(trust->recent, &key, *identity_out, now_ms, *good_until_ms_out);
    }
    ERR_clear_error();
    return verdict;
}

void
auth_leaf_describe(const struct auth_der *leaf, struct auth_leaf *leaf_out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    const unsigned char *end = leaf->data;
    X509 *certificate =
        leaf->size <= CHAIN_SIZE_MAXIMUM ? d2i_X509(NULL, &end, (long)leaf->size) : NULL;

    *leaf_out = (struct auth_leaf){ .subject = "" };
    if (EVP_Digest(leaf->data, leaf->size, digest, NULL, EVP_sha256(), NULL) == 1)
        format_fingerprint(digest, leaf_out->fingerprint);
    if (certificate != NULL)
        auth_name_show(X509_get_subject_name(certificate), leaf_out->subject,
                       sizeof leaf_out->subject);
    X509_free(certificate);
    ERR_clear_error();
}

static void
judgement_clear(struct judgement *judgement)
{
    X509_STORE_CTX_free(judgement->context);
    sk_X509_pop_free(judgement->certificates, X509_free);
}

static enum auth_verdict
check_size(const struct auth_der *chain, size_t chain_length, char reason[AUTH_REASON_SIZE])
{
    size_t total = 0;

    if (chain_length == 0 || chain_length > CHAIN_LENGTH_MAXIMUM)
        return refuse(AUTH_MALFORMED, NULL, reason,
                      chain_length == 0 ? "the chain is empty"
                                        : "the chain has too many certificates");
    for (size_t i = 0; i < chain_length; i++) {
        if (chain[i].size > CHAIN_SIZE_MAXIMUM - total)
            return refuse(AUTH_MALFORMED, NULL, reason, "the chain has too many bytes");
        total += chain[i].size;
    }
    return AUTH_GOOD;
}

static enum auth_verdict
parse_chain(struct judgement *judgement,
            const struct auth_der *chain,
            size_t chain_length,
            char reason[AUTH_REASON_SIZE])
{
    judgement->certificates = sk_X509_new_reserve(NULL, (int)chain_length);
    if (judgement->certificates == NULL)
        return refuse(AUTH_INTERNAL, NULL, reason, "no memory");
    for (size_t i = 0; i < chain_length; i++) {
        const unsigned char *end = chain[i].data;
        X509 *certificate = d2i_X509(NULL, &end, (long)chain[i].size);
        if (certificate == NULL)
            return refuse(AUTH_MALFORMED, NULL, reason, "the chain holds what is no certificate");
        (void)sk_X509_push(judgement->certificates, certificate); /* reserved */
        if (end != chain[i].data + chain[i].size)
            return refuse(AUTH_MALFORMED, certificate, reason, "bytes follow the certificate");
        if (X509_check_purpose(certificate, -1, 0) != 1)
            return refuse(AUTH_MALFORMED, certificate, reason, "extensions that do not parse");
    }
    return AUTH_GOOD;
}

static enum auth_verdict
verify_chain(struct judgement *judgement,
             const struct auth_trust *trust,
             int64_t now_ms,
             char reason[AUTH_REASON_SIZE])
{
    X509 *leaf = sk_X509_value(judgement->certificates, 0);
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    judgement->context = context;
    if (context == NULL ||
        X509_STORE_CTX_init(context, trust->store, leaf, judgement->certificates) != 1)
        return refuse(AUTH_INTERNAL, leaf, reason, "no memory");
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context), (time_t)(now_ms / 1000));

    if (X509_verify_cert(context) != 1) {
        int error = X509_STORE_CTX_get_error(context);
        const X509 *culprit = X509_STORE_CTX_get_current_cert(context);
        char cause[160];
        (void)snprintf(cause, sizeof cause, "%s (error %d at depth %d)",
                       X509_verify_cert_error_string(error), error,
                       X509_STORE_CTX_get_error_depth(context));
        return refuse(verdict_of(error), culprit == NULL ? leaf : culprit, reason, cause);
    }

    const STACK_OF(X509) *verified = X509_STORE_CTX_get0_chain(context);
    if (sk_X509_num(verified) > AUTH_CHAIN_DEPTH_MAX)
        return refuse(AUTH_TOO_DEEP, leaf, reason, "the chain is too long");
    enum auth_verdict verdict = check_leaf_usage(leaf, reason);
    if (verdict == AUTH_GOOD)
        verdict = check_keys(verified, reason);
    return verdict;
}

/* The purpose check lets a leaf without extended key usage pass, and a CA's certificate too. */
static enum auth_verdict
check_leaf_usage(X509 *leaf, char reason[AUTH_REASON_SIZE])
{
    if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0)
        return refuse(AUTH_WRONG_USAGE, leaf, reason, "no extended key usage");
    if ((X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT) == 0)
        return refuse(AUTH_WRONG_USAGE, leaf, reason, "extended key usage without clientAuth");
    if (X509_check_ca(leaf) != 0)
        return refuse(AUTH_WRONG_USAGE, leaf, reason, "a CA's certificate cannot be a client's");
    return AUTH_GOOD;
}

static enum auth_verdict
check_keys(const STACK_OF(X509) * verified, char reason[AUTH_REASON_SIZE])
{
    for (int i = 0; i < sk_X509_num(verified); i++) {
        const X509 *certificate = sk_X509_value(verified, i);
        const char *cause = why_weak(certificate);
        if (cause != NULL)
            return refuse(AUTH_WEAK, certificate, reason, cause);
    }
    return AUTH_GOOD;
}

/* Null when the key is of a kind and size that is accepted. */
static const char *
why_weak(const X509 *certificate)
{
    static const char *const curves[] = { "prime256v1", "secp384r1", "secp521r1" };
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    char curve[32];
    size_t length;

    switch (key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        return EVP_PKEY_get_bits(key) >= RSA_BITS_MINIMUM ? NULL : "RSA key too short";
    case EVP_PKEY_ED25519:
        return NULL;
    case EVP_PKEY_EC:
        if (EVP_PKEY_get_group_name(key, curve, sizeof curve, &length) == 1) {
            for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
                if (strcmp(curve, curves[i]) == 0)
                    return NULL;
            }
        }
        return "key on a curve other than P-256, P-384 and P-521";
    default:
        return "key that is neither RSA nor on a NIST curve nor Ed25519";
    }
}

static enum auth_verdict
make_identity(X509 *leaf, struct auth_identity **identity_out, char reason[AUTH_REASON_SIZE])
{
    struct auth_identity *identity = calloc(1, sizeof *identity);
    if (identity == NULL)
        return refuse(AUTH_INTERNAL, leaf, reason, "no memory");
    atomic_init(&identity->references, 1);

    const char *cause = "validity that does not parse";
    enum auth_verdict verdict = AUTH_MALFORMED;
    if (!read_fingerprint(leaf, identity->fingerprint)) {
        cause = "no memory";
        verdict = AUTH_INTERNAL;
    } else if (auth_trust_read_time(X509_get0_notBefore(leaf), &identity->not_before_ms) &&
               auth_trust_read_time(X509_get0_notAfter(leaf), &identity->not_after_ms)) {
        verdict = auth_names_read(leaf, identity, &cause);
    }
    if (verdict != AUTH_GOOD) {
        auth_identity_unref(identity);
        return refuse(verdict, leaf, reason, cause);
    }
    *identity_out = identity;
    return AUTH_GOOD;
}

/* The first moment at which a certificate or CRL that a good chain may rest on is past its time;
 * 'now_ms', so never kept, when that cannot be told. */
static int64_t
good_until(X509_STORE_CTX *context, int64_t now_ms)
{
    const STACK_OF(X509) *verified = X509_STORE_CTX_get0_chain(context);
    unsigned long flags = X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(context));
    int64_t until_ms = INT64_MAX;

    for (int i = 0; i < sk_X509_num(verified); i++) {
        const X509 *certificate = sk_X509_value(verified, i);
        int64_t end_ms;
        if (!auth_trust_read_time(X509_get0_notAfter(certificate), &end_ms))
            return now_ms;
        if (end_ms < until_ms)
            until_ms = end_ms;
        if ((flags & X509_V_FLAG_CRL_CHECK) == 0)
            continue;
        end_ms = crls_good_until(context, X509_get_issuer_name(certificate), now_ms);
        if (end_ms < until_ms)
            until_ms = end_ms;
    }
    return until_ms;
}

/* An issuer may have several CRLs.  One that is past its time already was not used. */
static int64_t
crls_good_until(X509_STORE_CTX *context, const X509_NAME *issuer, int64_t now_ms)
{
    STACK_OF(X509_CRL) *crls = X509_STORE_CTX_get1_crls(context, issuer);
    int64_t until_ms = INT64_MAX;

    if (crls == NULL)
        return now_ms;
    for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
        int64_t end_ms;
        if (!auth_trust_read_time(X509_CRL_get0_nextUpdate(sk_X509_CRL_value(crls, i)), &end_ms))
            until_ms = now_ms;
        else if (end_ms > now_ms && end_ms < until_ms)
            until_ms = end_ms;
    }
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return until_ms;
}

static bool
read_fingerprint(const X509 *certificate, char text[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1)
        return false;
    format_fingerprint(digest, text);
    return true;
}

static void
format_fingerprint(const unsigned char *digest, char text[65])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < 32; i++) {
        text[2 * i] = digits[digest[i] >> 4];
        text[2 * i + 1] = digits[digest[i] & 0xf];
    }
    text[64] = '\0';
}

/* Whatever is not named here leaves the chain without a trusted end. */
static enum auth_verdict
verdict_of(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return AUTH_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return AUTH_NOT_YET_VALID;
    case X509_V_ERR_INVALID_PURPOSE:
        return AUTH_WRONG_USAGE;
    case X509_V_ERR_CERT_REVOKED:
        return AUTH_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
        return AUTH_CRL_UNUSABLE;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
        return AUTH_WEAK;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        return AUTH_TOO_DEEP;
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
    case X509_V_ERR_INVALID_EXTENSION:
    case X509_V_ERR_INVALID_POLICY_EXTENSION:
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
    case X509_V_ERR_EXTENSIONS_REQUIRE_VERSION_3:
    case X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH:
    case X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY:
    case X509_V_ERR_ISSUER_NAME_EMPTY:
    case X509_V_ERR_SUBJECT_NAME_EMPTY:
    case X509_V_ERR_EMPTY_SUBJECT_ALT_NAME:
        return AUTH_MALFORMED;
    case X509_V_ERR_OUT_OF_MEM:
    case X509_V_ERR_UNSPECIFIED:
        return AUTH_INTERNAL;
    default:
        return AUTH_UNKNOWN_CA;
    }
}

/* Writes "subject: cause", the subject escaped and cut, and returns 'verdict'. */
static enum auth_verdict
refuse(enum auth_verdict verdict,
       const X509 *certificate,
       char reason[AUTH_REASON_SIZE],
       const char *cause)
{
    char subject[AUTH_SUBJECT_SIZE] = "";

    if (certificate != NULL)
        auth_name_show(X509_get_subject_name(certificate), subject, sizeof subject);
    (void)snprintf(reason, AUTH_REASON_SIZE, "%s%s%s%s", certificate == NULL ? "" : "\"", subject,
                   certificate == NULL ? "" : "\": ", cause);
    return verdict;
}
