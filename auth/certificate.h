/* SPDX-License-Identifier: Apache-2.0
 *
 * certificate.h: judges a client's certificate chain with OpenSSL, in one place.
 *
 * A chain is good when it leads to the client CA bundle (RFC 5280), is within its dates, is not
 * revoked by the CRLs (when given, every CA of the chain needs a current one: a stale or missing
 * CRL fails closed), its leaf has an extended key usage that names clientAuth, every key is RSA of
 * 2048 bits or more, on P-256, P-384 or P-521, or Ed25519, no signature uses SHA-1 or MD5, and it
 * is at most 8 certificates deep. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "auth/identity.h"
#include "engine/base/attributes.h"
#include "engine/base/status.h"

/* The client CA bundle and the CRLs.  Immutable, shared by reference count, any thread. */
struct auth_trust;

/* Reads both PEM files ('crl_file' may be null).  Refuses an empty bundle, a file with anything
 * that does not parse, a CRL that none of the CAs signed or that is past its nextUpdate.  'fault'
 * names file and cause. */
NODISCARD enum ipsec_status auth_trust_load(const char *ca_file,
                                            const char *crl_file,
                                            struct ipsec_fault *fault,
                                            struct auth_trust **trust_out);
struct auth_trust *auth_trust_ref(struct auth_trust *trust);
void auth_trust_unref(struct auth_trust *trust); /* accepts null */

/* When the first CA of the bundle ends, and when the first of them is without a current CRL; wall
 * clock, INT64_MAX: there are no CRLs. */
struct auth_trust_times {
    int64_t authorities_until_ms;
    int64_t crls_until_ms;
};
const struct auth_trust_times *auth_trust_times(const struct auth_trust *trust);

enum auth_verdict {
    AUTH_GOOD = 0,
    AUTH_MALFORMED,  /* not a certificate, or too many, or too large */
    AUTH_UNKNOWN_CA, /* another CA, self-signed */
    AUTH_EXPIRED,
    AUTH_NOT_YET_VALID,
    AUTH_WRONG_USAGE, /* extended key usage absent or without clientAuth; a CA as leaf */
    AUTH_REVOKED,
    AUTH_CRL_UNUSABLE, /* stale or missing */
    AUTH_WEAK,         /* key or signature algorithm */
    AUTH_TOO_DEEP,
    AUTH_INTERNAL, /* no memory */
    AUTH_VERDICT_COUNT
};
const char *auth_verdict_text(enum auth_verdict verdict);

struct auth_der {
    const uint8_t *data;
    size_t size;
};

/* What a certificate that was not taken says of itself. */
#define AUTH_SUBJECT_SIZE 256
struct auth_leaf {
    char subject[AUTH_SUBJECT_SIZE]; /* escaped and cut; empty when it does not parse */
    char fingerprint[65];            /* empty for want of memory */
};
void auth_leaf_describe(const struct auth_der *leaf, struct auth_leaf *leaf_out);

/* Judges 'chain' (leaf first, DER) at 'now_ms' (wall clock).  AUTH_GOOD: '*identity_out' is a new
 * reference, and '*good_until_ms_out' is the first moment, later than 'now_ms', at which a
 * certificate of the chain or a CRL of one of its issuers is past its time (INT64_MAX: never); the
 * caller must judge again from then on.  Else it is 'now_ms' and 'reason' gets one sentence for
 * the log with the subject and OpenSSL's error. */
#define AUTH_REASON_SIZE 512
NODISCARD enum auth_verdict auth_judge(struct auth_trust *trust,
                                       const struct auth_der *chain,
                                       size_t chain_length,
                                       int64_t now_ms,
                                       struct auth_identity **identity_out,
                                       int64_t *good_until_ms_out,
                                       char reason[AUTH_REASON_SIZE]);
