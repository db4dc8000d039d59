/* SPDX-License-Identifier: Apache-2.0
 *
 * recent.h: chains that were found good lately, with what they made of their holder.
 *
 * Judging costs a few signature checks; a client that comes back, or resumes, shows the same chain
 * to the same CAs and CRLs.  Then only time can have changed the outcome, so a good one holds from
 * when it was found until the first certificate or CRL it rests on ends.  Bad ones are not kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/certificate.h"
#include "auth/identity.h"
#include "engine/base/attributes.h"

struct recent_chains; /* of one set of CAs and CRLs; any thread */

/* What tells chains apart: every byte of every certificate, and their order. */
#define RECENT_KEY_SIZE 32
struct recent_key {
    uint8_t digest[RECENT_KEY_SIZE];
};
NODISCARD bool
recent_key_make(const struct auth_der *chain, size_t chain_length, struct recent_key *key_out);

NODISCARD struct recent_chains *recent_chains_new(void);
void recent_chains_free(struct recent_chains *chains); /* accepts null */

/* A new reference, or null when the chain is not known to be good at 'now_ms'.  '*until_ms_out' is
 * what was given with the chain; untouched with null. */
struct auth_identity *recent_chains_find(struct recent_chains *chains,
                                         const struct recent_key *key,
                                         int64_t now_ms,
                                         int64_t *until_ms_out);

/* Keeps a reference of its own, until the place is needed. */
void recent_chains_add(struct recent_chains *chains,
                       const struct recent_key *key,
                       struct auth_identity *identity,
                       int64_t from_ms,
                       int64_t until_ms);
