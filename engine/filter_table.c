/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_table.c: see filter_table.h. */
#include "engine/filter_table.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/guid.h"
#include "engine/provider_context_table.h"

/* What stands behind every 'const struct ipsec_filter *' that callers see. */
struct filter_object {
    struct ipsec_filter filter;
    _Atomic uint32_t reference_count;
};

static struct filter_object *object_of(const struct ipsec_filter *filter);
static bool copy_parts(struct ipsec_filter *copy, const struct ipsec_filter *source);
static void link_to_context(struct filter_entry *entry);
static void unlink_from_context(struct filter_entry *entry);
static uint64_t hash_key(const struct filter_table *table, const struct ipsec_guid *key);

bool
filter_table_init(struct filter_table *table)
{
    *table = (struct filter_table){ .committed_count = 0 };
    id_table_init(&table->ids, sizeof(struct filter_row));
    return hash_index_init(&table->keys);
}

void
filter_table_clear(struct filter_table *table)
{
    struct id_table_cursor cursor = id_table_seek(&table->ids, 0);
    const struct filter_row *row;

    while ((row = id_table_next(&table->ids, &cursor)) != NULL)
        filter_entry_free(row->entry);
    id_table_clear(&table->ids);
    hash_index_clear(&table->keys);
}

struct filter_entry *
filter_table_find(const struct filter_table *table, uint64_t id)
{
    const struct filter_row *row = id_table_find(&table->ids, id);

    return row == NULL ? NULL : row->entry;
}

struct filter_entry *
filter_table_next_of(const struct filter_table *table,
                     const struct ipsec_guid *key,
                     const struct filter_entry *previous)
{
    struct hash_link *link = previous == NULL ? hash_index_first(&table->keys, hash_key(table, key))
                                              : hash_index_next(&previous->key_link);

    while (link != NULL) {
        struct filter_entry *entry = HASH_OBJECT(link, struct filter_entry, key_link);

        if (guid_equal(&entry->filter->key, key))
            return entry;
        link = hash_index_next(link);
    }
    return NULL;
}

struct filter_entry *
filter_entry_new(const struct ipsec_filter *filter_take)
{
    struct filter_entry *entry = malloc(sizeof *entry);

    if (entry == NULL) {
        ipsec_filter_unref(filter_take);
        return NULL;
    }
    *entry = (struct filter_entry){ .filter = filter_take };
    return entry;
}

void
filter_entry_free(struct filter_entry *entry)
{
    if (entry == NULL)
        return;
    ipsec_filter_unref(entry->filter);
    free(entry);
}

bool
filter_table_insert(struct filter_table *table, struct filter_entry *entry)
{
    const struct filter_row row = { .id = entry->filter->id, .entry = entry };

    if (!id_table_insert(&table->ids, &row))
        return false;
    hash_index_add(&table->keys, &entry->key_link, hash_key(table, &entry->filter->key));
    link_to_context(entry);
    return true;
}

void
filter_table_remove(struct filter_table *table, struct filter_entry *entry)
{
    id_table_remove(&table->ids, entry->filter->id);
    hash_index_remove(&table->keys, &entry->key_link);
    unlink_from_context(entry);
}

void
filter_table_put_back(struct filter_table *table, struct filter_entry *entry)
{
    /* The place it was taken from is still there, see id_table.h. */
    if (!filter_table_insert(table, entry))
        abort();
}

void
filter_table_settle(struct filter_table *table, const struct filter_entry *entry)
{
    id_table_settle(&table->ids, entry->filter->id);
}

struct ipsec_filter *
filter_copy(const struct ipsec_filter *source)
{
    struct filter_object *object = malloc(sizeof *object);

    if (object == NULL)
        return NULL;
    object->filter = *source;
    atomic_init(&object->reference_count, 1);
    if (!copy_parts(&object->filter, source)) {
        ipsec_filter_unref(&object->filter);
        return NULL;
    }
    return &object->filter;
}

const struct ipsec_filter *
filter_ref(const struct ipsec_filter *filter)
{
    (void)atomic_fetch_add_explicit(&object_of(filter)->reference_count, 1, memory_order_relaxed);
    return filter;
}

void
ipsec_filter_unref(const struct ipsec_filter *filter)
{
    if (filter == NULL)
        return;
    struct filter_object *object = object_of(filter);
    if (atomic_fetch_sub_explicit(&object->reference_count, 1, memory_order_acq_rel) > 1)
        return;
    free(object->filter.name);
    free(object->filter.description);
    free(object->filter.provider_data);
    free(object);
}

/* Only the count behind the immutable filter is ever written through this. */
static struct filter_object *
object_of(const struct ipsec_filter *filter)
{
    return (struct filter_object *)((uintptr_t)filter - offsetof(struct filter_object, filter));
}

/* False: no memory; what there is has been copied, the rest is null. */
static bool
copy_parts(struct ipsec_filter *copy, const struct ipsec_filter *source)
{
    size_t size = source->provider_data_size;

    copy->name = strdup(source->name);
    copy->description = source->description == NULL ? NULL : strdup(source->description);
    copy->provider_data = size == 0 ? NULL : malloc(size);
    if (copy->provider_data != NULL)
        memcpy(copy->provider_data, source->provider_data, size);
    return copy->name != NULL && (source->description == NULL || copy->description != NULL) &&
           (size == 0 || copy->provider_data != NULL);
}

static void
link_to_context(struct filter_entry *entry)
{
    entry->user_link = (struct filter_link){ .next = NULL };
    entry->part_link = (struct filter_link){ .next = NULL };
    if (entry->provider_context != NULL) {
        struct filter_entry **first = &entry->provider_context->first_user;

        entry->user_link.next = *first;
        if (*first != NULL)
            (*first)->user_link.previous = entry;
        *first = entry;
    }
    if (entry->tunnel != NULL) {
        struct filter_entry **first = &entry->tunnel->first_part;

        entry->part_link.next = *first;
        if (*first != NULL)
            (*first)->part_link.previous = entry;
        *first = entry;
    }
}

static void
unlink_from_context(struct filter_entry *entry)
{
    const struct filter_link *user = &entry->user_link;
    const struct filter_link *part = &entry->part_link;

    if (entry->provider_context != NULL) {
        *(user->previous == NULL ? &entry->provider_context->first_user
                                 : &user->previous->user_link.next) = user->next;
        if (user->next != NULL)
            user->next->user_link.previous = user->previous;
    }
    if (entry->tunnel != NULL) {
        *(part->previous == NULL ? &entry->tunnel->first_part : &part->previous->part_link.next) =
            part->next;
        if (part->next != NULL)
            part->next->part_link.previous = part->previous;
    }
}

static uint64_t
hash_key(const struct filter_table *table, const struct ipsec_guid *key)
{
    return hash_bytes(table->keys.seed, key, sizeof *key);
}
