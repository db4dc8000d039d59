/* SPDX-License-Identifier: Apache-2.0
 *
 * crl.c: see crl.h. */
#include "auth/crl.h"

#include <stdbool.h>

#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "auth/trust.h"
#include "engine/base/clock.h"

enum { DIGEST_SIZE_MINIMUM = 28 /* SHA-224; SHA-1 has 20 bytes, MD5 16 */ };

static int64_t latest_end_ms(X509_STORE_CTX *context, const X509 *authority);
static const char *why_unsigned(X509_CRL *crl, const STACK_OF(X509) * authorities);
static const char *why_unfit(const X509_CRL *crl);
static bool is_weakly_signed(const X509_CRL *crl);
static int pss_digest(const X509_CRL *crl);

const char *
crl_why_unusable(X509_CRL *crl, const STACK_OF(X509) * authorities)
{
    const char *cause = why_unsigned(crl, authorities);

    return cause != NULL ? cause : why_unfit(crl);
}

int64_t
crl_until_ms(X509_STORE *store, const STACK_OF(X509) * authorities)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    int64_t until_ms = INT64_MAX;

    if (context != NULL && X509_STORE_CTX_init(context, store, NULL, NULL) == 1) {
        for (int i = 0; i < sk_X509_num(authorities); i++) {
            int64_t end_ms = latest_end_ms(context, sk_X509_value(authorities, i));

            if (end_ms < until_ms)
                until_ms = end_ms;
        }
    }
    X509_STORE_CTX_free(context);
    return until_ms;
}

/* An authority may have several lists: the last to end keeps its certificates good.  Two may have
 * one name. */
static int64_t
latest_end_ms(X509_STORE_CTX *context, const X509 *authority)
{
    STACK_OF(X509_CRL) *crls = X509_STORE_CTX_get1_crls(context, X509_get_subject_name(authority));
    EVP_PKEY *key = X509_get0_pubkey(authority);
    int64_t latest_ms = INT64_MIN;

    for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
        X509_CRL *crl = sk_X509_CRL_value(crls, i);
        int64_t end_ms;
        if (X509_CRL_verify(crl, key) == 1 &&
            auth_trust_read_time(X509_CRL_get0_nextUpdate(crl), &end_ms) && end_ms > latest_ms)
            latest_ms = end_ms;
    }
    sk_X509_CRL_pop_free(crls, X509_CRL_free);
    return latest_ms == INT64_MIN ? INT64_MAX : latest_ms;
}

/* Null when one of the CAs signed the list and may do so. */
static const char *
why_unsigned(X509_CRL *crl, const STACK_OF(X509) * authorities)
{
    const char *cause = "is of none of the CAs in the bundle";

    for (int i = 0; i < sk_X509_num(authorities); i++) {
        X509 *authority = sk_X509_value(authorities, i);
        EVP_PKEY *key = X509_get0_pubkey(authority);
        if (X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(crl)) != 0)
            continue;
        if (key == NULL || X509_CRL_verify(crl, key) != 1)
            cause = "has a signature that is not its CA's";
        else if ((X509_get_key_usage(authority) & X509v3_KU_CRL_SIGN) == 0)
            return "was signed with a key that may not sign CRLs";
        else
            return NULL;
    }
    return cause;
}

static const char *
why_unfit(const X509_CRL *crl)
{
    const ASN1_TIME *next_update = X509_CRL_get0_nextUpdate(crl);
    int64_t now_ms = clock_wall_ms();
    int64_t from_ms;
    int64_t until_ms;

    if (next_update == NULL)
        return "has no nextUpdate, so nobody could tell when it is stale";
    if (!auth_trust_read_time(next_update, &until_ms) ||
        !auth_trust_read_time(X509_CRL_get0_lastUpdate(crl), &from_ms))
        return "has a time that does not parse";
    if (now_ms >= until_ms)
        return "is stale, its nextUpdate has passed";
    if (now_ms < from_ms)
        return "is not valid yet, its thisUpdate is to come";
    if (is_weakly_signed(crl))
        return "is signed with a digest that is too weak";
    return NULL;
}

/* OpenSSL's levels do not reach CRLs. */
static bool
is_weakly_signed(const X509_CRL *crl)
{
    int signature = X509_CRL_get_signature_nid(crl);
    int digest = NID_undef;

    if (signature == NID_ED25519)
        return false;
    if (signature == NID_rsassaPss)
        digest = pss_digest(crl);
    else
        (void)OBJ_find_sigid_algs(signature, &digest, NULL);
    const EVP_MD *known = EVP_get_digestbynid(digest);
    return known == NULL || EVP_MD_get_size(known) < DIGEST_SIZE_MINIMUM;
}

/* RSASSA-PSS names its digest in the parameters; absent there means SHA-1 (RFC 4055). */
static int
pss_digest(const X509_CRL *crl)
{
    const X509_ALGOR *algorithm;
    int type;
    const void *value;

    X509_CRL_get0_signature(crl, NULL, &algorithm);
    X509_ALGOR_get0(NULL, &type, &value, algorithm);
    RSA_PSS_PARAMS *parameters =
        type == V_ASN1_SEQUENCE ? ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS)) : NULL;
    int digest = NID_sha1;
    if (parameters != NULL && parameters->hashAlgorithm != NULL)
        digest = OBJ_obj2nid(parameters->hashAlgorithm->algorithm);
    RSA_PSS_PARAMS_free(parameters);
    return digest;
}
