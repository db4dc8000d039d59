/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_context_table.h: provider contexts in memory, whatever their phase; as filter_table.h.
 */
#pragma once

#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/context_users.h"
#include "engine/hash_index.h"
#include "engine/id_table.h"
#include "engine/policy.h"
#include "engine/types.h"

struct filter_entry;

struct provider_context_entry {
    struct policy_object object;
    const struct ipsec_provider_context *provider_context; /* a reference */
    struct context_users users;      /* SA contexts whose tunnel policy it is */
    struct filter_entry *first_user; /* of the filters that name it, the newest first */
    struct filter_entry *first_part; /* of the filters of the tunnel whose policy it is */
    struct hash_link key_link;
};

struct provider_context_row {
    uint64_t id;
    struct provider_context_entry *entry;
};

struct provider_context_table {
    struct id_table ids; /* struct provider_context_row */
    struct hash_index keys;
};

/* False: no memory. */
NODISCARD bool provider_context_table_init(struct provider_context_table *table);
void provider_context_table_clear(struct provider_context_table *table);

/* Null when there is none. */
struct provider_context_entry *
provider_context_table_find(const struct provider_context_table *table, uint64_t id);
/* The entries with a key, of which at most one is committed: after 'previous', null for the first;
 * null when there is no more. */
struct provider_context_entry *
provider_context_table_next_of(const struct provider_context_table *table,
                               const struct ipsec_guid *key,
                               const struct provider_context_entry *previous);

/* An entry that keeps 'provider_context_take'; null for want of memory, and then the reference is
 * ended. */
struct provider_context_entry *
provider_context_entry_new(const struct ipsec_provider_context *provider_context_take);
void provider_context_entry_free(struct provider_context_entry *entry); /* accepts null */

/* False: no memory. */
NODISCARD bool provider_context_table_insert(struct provider_context_table *table,
                                             struct provider_context_entry *entry);
/* The entry's place stays until it is settled or put back, which can't fail. */
void provider_context_table_remove(struct provider_context_table *table,
                                   struct provider_context_entry *entry);
void provider_context_table_put_back(struct provider_context_table *table,
                                     struct provider_context_entry *entry);
void provider_context_table_settle(struct provider_context_table *table,
                                   const struct provider_context_entry *entry);

/* A copy with one reference, for its maker to fill; null for want of memory. */
struct ipsec_provider_context *provider_context_copy(const struct ipsec_provider_context *source);
const struct ipsec_provider_context *
provider_context_ref(const struct ipsec_provider_context *provider_context);
