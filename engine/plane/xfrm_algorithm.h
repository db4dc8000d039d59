/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_algorithm.h: which of the kernel's algorithms a WFP transform means. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/secret.h"
#include "engine/base/status.h"
#include "engine/plane/xfrm_msg.h"
#include "engine/types.h"

/* Fills the algorithms of 'sa' with names and, borrowed, keys.  A transform that has no counterpart
 * is IPSEC_INVALID_AUTH_TRANSFORM or IPSEC_INVALID_CIPHER_TRANSFORM, a key of another length than
 * its transform wants IPSEC_INVALID_PARAMETER. */
NODISCARD enum ipsec_status xfrm_algorithm_choose(const struct ipsec_sa_transform *transform,
                                                  const struct secret *auth_key,
                                                  const struct secret *cipher_key,
                                                  struct kernel_sa *sa);

/* IPPROTO_AH or IPPROTO_ESP. */
uint8_t xfrm_algorithm_protocol(uint8_t transform_type);

/* A transform and how long its keys are, in bytes; 0: it takes none of that kind. */
struct xfrm_transform {
    const char *name; /* as the API writes it: "ESP_AUTH_AND_CIPHER HMAC_SHA_256_128 AES_128" */
    struct ipsec_sa_transform transform;
    uint8_t auth_key_size;
    uint8_t cipher_key_size;
};

/* The 'index'-th of all combinations that have a counterpart in the kernel; null behind the last.
 */
const struct xfrm_transform *xfrm_algorithm_list(size_t index);
