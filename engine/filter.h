/* SPDX-License-Identifier: Apache-2.0
 *
 * filter.h: filters in memory.
 *
 * A 'struct ipsec_filter' is immutable and counted, so that readers on other threads may hold it;
 * what the engine has to remember about it beside that is its entry. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/classify.h"
#include "engine/hash_index.h"
#include "engine/id_table.h"
#include "engine/types.h"

struct engine_state;

struct filter_entry {
    const struct ipsec_filter *filter; /* a reference */
    uint64_t context_count;            /* SA contexts whose outbound filter it is */
    struct hash_link key_link;
    struct classify_node node;
};

struct filter_table {
    struct id_table ids;    /* struct filter_row */
    struct hash_index keys; /* by GUID */
};

/* False: no memory. */
NODISCARD bool filter_table_init(struct filter_table *table);
void filter_table_clear(struct filter_table *table);

/* Null when there is none. */
struct filter_entry *filter_table_find(const struct filter_table *table, uint64_t id);

/* The value of one condition, null when the filter has none on that field. */
const struct ipsec_condition *filter_condition(const struct ipsec_filter *filter,
                                               enum ipsec_condition_field field);

/* Takes over what the store has. */
NODISCARD enum ipsec_status filter_load(struct engine_state *state,
                                        const struct ipsec_filter *filter,
                                        struct ipsec_fault *fault);
