/* SPDX-License-Identifier: Apache-2.0
 *
 * classify.h: which inbound IPsec filter would classify a flow.
 *
 * Tuple-space search: filters whose conditions have the same shape (layer, prefix lengths, which of
 * protocol and ports) form a tuple; within it a filter is found by one hash of the masked flow.  So
 * a look-up costs at most as many hashes as there are shapes, not as there are filters; it ends
 * where no later shape has a filter that weighs as much as the one found.  Before that stands
 * a small cache of flows, forgotten whenever a filter comes or goes.
 *
 * A shape is made of what a hash can find: prefixes, and single protocols and ports.  Ranges and
 * other comparisons go into it as far as they have a prefix in common, and conditions on what
 * a flow does not tell not at all; a filter with such conditions is inexact: its conditions are
 * looked at one by one once its cell is found, and it is an answer only if the flow meets all of
 * them.  As this takes time, a cell has a bounded number of inexact filters. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/condition.h"
#include "engine/hash_index.h"
#include "engine/types.h"

#define CLASSIFY_SHAPES_MAXIMUM 1024  /* a layer */
#define CLASSIFY_INEXACT_MAXIMUM 1024 /* with the same values of a shape */

struct classify_tuple;
struct classify_cell;

/* A filter's place, inside the engine's entry for it.  Zeroed: not in the classifier. */
struct classify_node {
    struct classify_node *previous;
    struct classify_node *next;
    struct classify_cell *cell;
    const struct ipsec_filter *filter; /* borrowed from the entry */
    bool is_inexact;
    uint64_t id;
    uint64_t weight;
};

struct classify_slot {
    uint64_t generation; /* of the cache when the slot was filled */
    uint64_t filter_id;
    struct classify_flow flow;
};

struct classify {
    struct hash_index cells;
    struct classify_tuple *tuples[IPSEC_LAYER_COUNT]; /* the highest weight first */
    uint32_t tuple_counts[IPSEC_LAYER_COUNT];
    struct classify_slot *slots;
    uint64_t generation;
};

/* False: no memory. */
NODISCARD bool classify_init(struct classify *classify);
void classify_clear(struct classify *classify);

/* Whether the filter's shape is there already or may still be added, and so may it be itself. */
bool classify_has_room(const struct classify *classify, const struct ipsec_filter *filter);
/* Adds a filter, which must be an inbound IPsec transport filter.  False: no memory. */
NODISCARD bool classify_add(struct classify *classify,
                            struct classify_node *node,
                            const struct ipsec_filter *filter);
/* Takes the filter out of every answer; its place is kept until classify_release(). */
void classify_remove(struct classify *classify, struct classify_node *node);
/* Undoes classify_remove(); can't fail. */
void classify_restore(struct classify *classify, struct classify_node *node);
/* Ends what classify_add() began, after classify_remove(). */
void classify_release(struct classify *classify, struct classify_node *node);

/* The id of the filter with the highest effective weight that matches, the lower id when weights
 * are equal; 0 when none matches. */
uint64_t classify_flow(struct classify *classify, const struct classify_flow *flow);
