/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_context_table.c: see provider_context_table.h. */
#include "engine/provider_context_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/guid.h"

/* What stands behind every 'const struct ipsec_provider_context *' that callers see. */
struct provider_context_object {
    struct ipsec_provider_context provider_context;
    _Atomic uint32_t reference_count;
};

static struct provider_context_object *
object_of(const struct ipsec_provider_context *provider_context);
static bool copy_parts(struct ipsec_provider_context *copy,
                       const struct ipsec_provider_context *source);
static uint64_t hash_key(const struct provider_context_table *table, const struct ipsec_guid *key);

bool
provider_context_table_init(struct provider_context_table *table)
{
    *table = (struct provider_context_table){ .keys = { .count = 0 } };
    id_table_init(&table->ids, sizeof(struct provider_context_row));
    return hash_index_init(&table->keys);
}

void
provider_context_table_clear(struct provider_context_table *table)
{
    struct id_table_cursor cursor = id_table_seek(&table->ids, 0);
    const struct provider_context_row *row;

    while ((row = id_table_next(&table->ids, &cursor)) != NULL)
        provider_context_entry_free(row->entry);
    id_table_clear(&table->ids);
    hash_index_clear(&table->keys);
}

struct provider_context_entry *
provider_context_table_find(const struct provider_context_table *table, uint64_t id)
{
    const struct provider_context_row *row = id_table_find(&table->ids, id);

    return row == NULL ? NULL : row->entry;
}

struct provider_context_entry *
provider_context_table_next_of(const struct provider_context_table *table,
                               const struct ipsec_guid *key,
                               const struct provider_context_entry *previous)
{
    struct hash_link *link = previous == NULL ? hash_index_first(&table->keys, hash_key(table, key))
                                              : hash_index_next(&previous->key_link);

    while (link != NULL) {
        struct provider_context_entry *entry =
            HASH_OBJECT(link, struct provider_context_entry, key_link);

        if (guid_equal(&entry->provider_context->key, key))
            return entry;
        link = hash_index_next(link);
    }
    return NULL;
}

struct provider_context_entry *
provider_context_entry_new(const struct ipsec_provider_context *provider_context_take)
{
    struct provider_context_entry *entry = malloc(sizeof *entry);

    if (entry == NULL) {
        ipsec_provider_context_unref(provider_context_take);
        return NULL;
    }
    *entry = (struct provider_context_entry){ .provider_context = provider_context_take };
    return entry;
}

void
provider_context_entry_free(struct provider_context_entry *entry)
{
    if (entry == NULL)
        return;
    ipsec_provider_context_unref(entry->provider_context);
    free(entry);
}

bool
provider_context_table_insert(struct provider_context_table *table,
                              struct provider_context_entry *entry)
{
    const struct provider_context_row row = { .id = entry->provider_context->id, .entry = entry };

    if (!id_table_insert(&table->ids, &row))
        return false;
    hash_index_add(&table->keys, &entry->key_link, hash_key(table, &entry->provider_context->key));
    return true;
}

void
provider_context_table_remove(struct provider_context_table *table,
                              struct provider_context_entry *entry)
{
    id_table_remove(&table->ids, entry->provider_context->id);
    hash_index_remove(&table->keys, &entry->key_link);
}

void
provider_context_table_put_back(struct provider_context_table *table,
                                struct provider_context_entry *entry)
{
    /* The place it was taken from is still there, see id_table.h. */
    if (!provider_context_table_insert(table, entry))
        abort();
}

void
provider_context_table_settle(struct provider_context_table *table,
                              const struct provider_context_entry *entry)
{
    id_table_settle(&table->ids, entry->provider_context->id);
}

struct ipsec_provider_context *
provider_context_copy(const struct ipsec_provider_context *source)
{
    struct provider_context_object *object = malloc(sizeof *object);

    if (object == NULL)
        return NULL;
    object->provider_context = *source;
    atomic_init(&object->reference_count, 1);
    if (!copy_parts(&object->provider_context, source)) {
        ipsec_provider_context_unref(&object->provider_context);
        return NULL;
    }
    return &object->provider_context;
}

const struct ipsec_provider_context *
provider_context_ref(const struct ipsec_provider_context *provider_context)
{
    (void)atomic_fetch_add_explicit(&object_of(provider_context)->reference_count, 1,
                                    memory_order_relaxed);
    return provider_context;
}

void
ipsec_provider_context_unref(const struct ipsec_provider_context *provider_context)
{
    if (provider_context == NULL)
        return;
    struct provider_context_object *object = object_of(provider_context);
    if (atomic_fetch_sub_explicit(&object->reference_count, 1, memory_order_acq_rel) > 1)
        return;
    free(object->provider_context.name);
    free(object->provider_context.description);
    free(object->provider_context.provider_data);
    free(object->provider_context.policy);
    free(object);
}

/* Only the count behind the immutable object is ever written through this. */
static struct provider_context_object *
object_of(const struct ipsec_provider_context *provider_context)
{
    return (struct provider_context_object *)((uintptr_t)provider_context -
                                              offsetof(struct provider_context_object,
                                                       provider_context));
}

/* False: no memory; what there is has been copied, the rest is null. */
static bool
copy_parts(struct ipsec_provider_context *copy, const struct ipsec_provider_context *source)
{
    size_t size = source->provider_data_size;

    copy->name = strdup(source->name);
    copy->description = source->description == NULL ? NULL : strdup(source->description);
    copy->policy = source->policy == NULL ? NULL : strdup(source->policy);
    copy->provider_data = size == 0 ? NULL : malloc(size);
    if (copy->provider_data != NULL)
        memcpy(copy->provider_data, source->provider_data, size);
    return copy->name != NULL && (source->description == NULL || copy->description != NULL) &&
           (source->policy == NULL || copy->policy != NULL) &&
           (size == 0 || copy->provider_data != NULL);
}

static uint64_t
hash_key(const struct provider_context_table *table, const struct ipsec_guid *key)
{
    return hash_bytes(table->keys.seed, key, sizeof *key);
}
