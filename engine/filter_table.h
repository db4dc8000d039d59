/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_table.h: filters in memory, whatever their phase.
 *
 * A 'struct ipsec_filter' is immutable and counted, so that readers on other threads may hold it;
 * what the engine has to remember about it beside that is its entry.  The table and its index of
 * keys hold all filters, also those that an open transaction added or deleted (policy.h): who looks
 * one up asks what is visible to whom. */
#pragma once

#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/classify.h"
#include "engine/context_users.h"
#include "engine/hash_index.h"
#include "engine/id_table.h"
#include "engine/policy.h"
#include "engine/types.h"

struct provider_context_entry;

/* A filter's place in a list of a provider context's. */
struct filter_link {
    struct filter_entry *next;
    struct filter_entry *previous;
};

/* Whether packets go by a filter, as far as is known. */
enum filter_enforcement {
    FILTER_ENFORCED = 0,
    FILTER_MISSED,  /* the last comparison with the data plane did not find it there */
    FILTER_REFUSED, /* the data plane did not take it when it was made last */
};

struct filter_entry {
    struct policy_object object;
    const struct ipsec_filter *filter;               /* a reference */
    struct provider_context_entry *provider_context; /* that it names; null: none */
    struct provider_context_entry *tunnel;           /* that it is part of; null: none */
    struct filter_link user_link;                    /* of those that name the same */
    struct filter_link part_link;                    /* of the parts of the tunnel */
    struct context_users users; /* SA contexts whose filter it is, of either direction */
    struct hash_link key_link;
    struct classify_node node; /* in the classifier only while it is committed */
    uint8_t enforcement;       /* enum filter_enforcement; of one that is committed */
};

struct filter_row {
    uint64_t id;
    struct filter_entry *entry;
};

struct filter_table {
    struct id_table ids;       /* struct filter_row */
    struct hash_index keys;    /* by GUID */
    uint64_t committed_count;  /* filters that are in force */
    uint64_t unenforced_count; /* of these, those that are not FILTER_ENFORCED */
};

/* False: no memory. */
NODISCARD bool filter_table_init(struct filter_table *table);
void filter_table_clear(struct filter_table *table);

/* Null when there is none. */
struct filter_entry *filter_table_find(const struct filter_table *table, uint64_t id);
/* The entries with a key, of which at most one is committed: after 'previous', null for the first;
 * null when there is no more. */
struct filter_entry *filter_table_next_of(const struct filter_table *table,
                                          const struct ipsec_guid *key,
                                          const struct filter_entry *previous);

/* An entry that keeps 'filter_take'; null for want of memory, and then the reference is ended. */
struct filter_entry *filter_entry_new(const struct ipsec_filter *filter_take);
void filter_entry_free(struct filter_entry *entry); /* accepts null */

/* Puts it into the lists of its provider context and tunnel, too.  False: no memory. */
NODISCARD bool filter_table_insert(struct filter_table *table, struct filter_entry *entry);
/* The entry's place stays until it is settled or put back, which can't fail. */
void filter_table_remove(struct filter_table *table, struct filter_entry *entry);
void filter_table_put_back(struct filter_table *table, struct filter_entry *entry);
void filter_table_settle(struct filter_table *table, const struct filter_entry *entry);

/* A copy with one reference, for its maker to fill; null for want of memory. */
struct ipsec_filter *filter_copy(const struct ipsec_filter *source);
const struct ipsec_filter *filter_ref(const struct ipsec_filter *filter);
