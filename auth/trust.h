/* SPDX-License-Identifier: Apache-2.0
 *
 * trust.h: what a chain is judged against; for trust.c and certificate.c alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "auth/certificate.h"
#include "auth/recent.h"
#include "engine/base/attributes.h"

/* A chain has at most this many certificates, the CA's own included. */
#define AUTH_CHAIN_DEPTH_MAX 8

struct auth_trust {
    _Atomic uint32_t references;
    /* CAs, CRLs and the parameters of verification.  Locks itself: chains may be judged in several
     * threads at once. */
    X509_STORE *store;
    struct recent_chains *recent;
    struct auth_trust_times times;
};

/* Wall-clock milliseconds of a certificate's or CRL's time; false when it does not parse. */
NODISCARD bool auth_trust_read_time(const ASN1_TIME *time, int64_t *ms_out);
