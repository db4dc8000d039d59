/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_bundle.h: SA bundles: what makes one valid, and the immutable counted objects that contexts
 * and readers share. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/types.h"

/* --- Validity (sa_bundle_check.c) --------------------------------------------------------------*/

/* Where a bundle is to be used. */
struct sa_bundle_place {
    enum ipsec_direction direction;
    const struct ipsec_traffic *traffic;
    bool allow_weak;
    uint32_t spi; /* inbound: the context's, for which 0 in an SA stands; 0: it has none yet */
    const struct ipsec_sa_bundle *other; /* of the other direction; null: none */
};

/* Required members, enumerators, flags and bounds: all that does not depend on the context. */
NODISCARD enum ipsec_status sa_bundle_check_values(const struct ipsec_sa_bundle_input *input,
                                                   enum ipsec_direction direction,
                                                   struct ipsec_fault *fault);
/* Whether a bundle of valid values makes sense in its place: transforms, keys, flags, SPIs. */
NODISCARD enum ipsec_status sa_bundle_check_meaning(const struct ipsec_sa_bundle_input *input,
                                                    const struct sa_bundle_place *place,
                                                    struct ipsec_fault *fault);
/* The parts that IPsecSaContextUpdate0 may change, 'parts' of enum ipsec_update_part. */
NODISCARD enum ipsec_status sa_bundle_check_update(const struct ipsec_sa_bundle *bundle,
                                                   uint32_t parts,
                                                   struct ipsec_fault *fault);
/* The same, asked of the bundle 'changed' that the update would make. */
NODISCARD enum ipsec_status sa_bundle_check_changed(const struct ipsec_sa_bundle *changed,
                                                    const struct ipsec_traffic *traffic,
                                                    uint32_t parts,
                                                    struct ipsec_fault *fault);
/* Whether a bundle that a store had may be one. */
bool sa_bundle_is_plausible(const struct ipsec_sa_bundle *bundle,
                            enum ipsec_direction direction,
                            const struct ipsec_traffic *traffic);

/* Whether the SA's algorithm counts its packets into the nonce, so that no two SAs may share a key.
 */
bool sa_uses_nonces(const struct ipsec_sa *sa);
bool sa_is_encrypted(const struct ipsec_sa *sa);

/* --- Objects ---------------------------------------------------------------------------------- */

/* Tells whether two bundles have the same key without keeping either: a digest under a random key
 * of the process, in memory only and wiped with the object.  The inbound bundle has one, for the
 * outbound one to be compared with. */
#define SA_KEY_DIGEST_SIZE 16
struct sa_key_digest {
    bool given; /* false: no such key, an outbound bundle, or one that the store had */
    uint8_t bytes[SA_KEY_DIGEST_SIZE];
};

/* What the engine keeps beside the bundle. */
struct sa_bundle_private {
    int64_t added_ms; /* CLOCK_BOOTTIME */
    int64_t end_ms;   /* CLOCK_BOOTTIME, of lifetime.seconds; INT64_MAX: never */
    struct sa_key_digest digest;
    /* Of a data plane that counts packets and does not tell when they came. */
    uint64_t seen_packets; /* at the last look */
    int64_t seen_ms;       /* CLOCK_BOOTTIME, of the last look that saw more than the one before */
};

/* A copy of 'bundle' with one reference; null for want of memory. */
const struct ipsec_sa_bundle *sa_bundle_new(const struct ipsec_sa_bundle *bundle,
                                            const struct sa_bundle_private *beside);
const struct ipsec_sa_bundle *sa_bundle_ref(const struct ipsec_sa_bundle *bundle);
/* Any thread.  Accepts null. */
void sa_bundle_unref(const struct ipsec_sa_bundle *bundle);
/* Of a bundle that sa_bundle_new() made. */
const struct sa_bundle_private *sa_bundle_private(const struct ipsec_sa_bundle *bundle);
/* A look at the bundle's packets.  Engine thread only. */
void sa_bundle_see(const struct ipsec_sa_bundle *bundle, uint64_t packets, int64_t now_ms);

/* What makes digests, with a random key of its own; null for want of memory. */
struct sa_digester;
struct sa_digester *sa_digester_new(void);
void sa_digester_free(struct sa_digester *digester);
/* The digest of the key that must not be used twice. */
void sa_bundle_digest(struct sa_digester *digester,
                      const struct ipsec_sa_bundle_input *input,
                      struct sa_key_digest *digest_out);
bool sa_key_digest_equal(const struct sa_key_digest *a, const struct sa_key_digest *b);
