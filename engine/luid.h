/* SPDX-License-Identifier: Apache-2.0
 *
 * luid.h: local identifiers, one sequence for all kinds of objects.
 *
 * The store keeps the highest one given out with every commit.  A number that a failed commit
 * leaves unused is skipped, for a caller may have seen it in a log. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"

struct luid_sequence {
    uint64_t last; /* the highest ever given out; 0: none yet */
};

/* False: all 2^53-1 are used up. */
NODISCARD bool luid_next(struct luid_sequence *sequence, uint64_t *id_out);
