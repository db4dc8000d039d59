/* SPDX-License-Identifier: Apache-2.0
 *
 * rank_table.h: weights of 64 bits in their order, as ranks of 31 bits that a data plane takes.
 *
 * The heaviest has the lowest rank.  Weights that are used have a rank each, with room between
 * them; when a new one finds none, all are given new ranks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

struct rank {
    uint64_t weight;
    uint32_t rank;
    uint32_t users;
};

struct rank_table {
    struct rank *ranks; /* descending by weight, so ascending by rank */
    size_t count;
    size_t capacity;
    bool is_spread; /* ranks were given anew, so they don't follow from the weights any more */
};

void rank_table_clear(struct rank_table *table);

/* One more use of the weight.  '*renumbered_out': all other ranks may be different now.  False: no
 * memory. */
NODISCARD bool rank_table_take(struct rank_table *table,
                               uint64_t weight,
                               uint32_t *rank_out,
                               bool *renumbered_out);
/* One less; the weight must be in use. */
void rank_table_release(struct rank_table *table, uint64_t weight);
/* Of a weight that is in use. */
uint32_t rank_table_find(const struct rank_table *table, uint64_t weight);
