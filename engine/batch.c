/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.c: see batch.h. */
#include "engine/batch.h"

#include <stdlib.h>

#define CONTEXT_CHUNK_SIZE 256

static struct store_change *append(struct batch *batch, enum store_change_kind kind, uint64_t id);
static bool grow_changes(struct batch *batch);
static struct ipsec_sa_context *copy_context(struct batch *batch,
                                             const struct ipsec_sa_context *context);

void
batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->context_chunk_count; i++)
        free(batch->context_chunks[i]);
    free(batch->context_chunks);
    free(batch->deleted_filters);
    free(batch->changes);
    *batch = (struct batch){ .change_count = 0 };
}

void
batch_reset(struct batch *batch)
{
    batch->change_count = 0;
    batch->context_count = 0;
}

void
batch_cut(struct batch *batch, size_t change_count)
{
    for (size_t i = change_count; i < batch->change_count; i++) {
        if (batch->changes[i].sa_context != NULL)
            batch->context_count--;
    }
    batch->change_count = change_count;
}

bool
batch_put_principal(struct batch *batch, uint32_t number, const char *name)
{
    struct store_change *change = append(batch, STORE_PUT_PRINCIPAL, number);

    if (change == NULL)
        return false;
    change->principal = (struct store_principal){ .id = number, .name = name };
    return true;
}

bool
batch_put_filter(struct batch *batch, const struct ipsec_filter *filter)
{
    struct store_change *change = append(batch, STORE_PUT_FILTER, filter->id);

    if (change == NULL)
        return false;
    change->filter = filter;
    return true;
}

bool
batch_delete_filter(struct batch *batch, uint64_t id, struct filter_entry *entry)
{
    if (append(batch, STORE_DELETE_FILTER, id) == NULL)
        return false;
    batch->deleted_filters[batch->change_count - 1] = entry;
    return true;
}

bool
batch_put_sa_context(struct batch *batch, const struct ipsec_sa_context *context)
{
    const struct ipsec_sa_context *copy = copy_context(batch, context);

    if (copy == NULL)
        return false;
    struct store_change *change = append(batch, STORE_PUT_SA_CONTEXT, context->id);
    if (change == NULL)
        return false;
    change->sa_context = copy;
    batch->context_count++;
    return true;
}

bool
batch_delete_sa_context(struct batch *batch, const struct ipsec_sa_context *context)
{
    const struct ipsec_sa_context *copy = copy_context(batch, context);

    if (copy == NULL)
        return false;
    struct store_change *change = append(batch, STORE_DELETE_SA_CONTEXT, context->id);
    if (change == NULL)
        return false;
    change->sa_context = copy;
    batch->context_count++;
    return true;
}

bool
batch_put_replay(struct batch *batch, const struct store_replay *replay)
{
    struct store_change *change = append(batch, STORE_PUT_REPLAY, replay->number);

    if (change == NULL)
        return false;
    change->replay = *replay;
    return true;
}

bool
batch_delete_replays_below(struct batch *batch, uint64_t number)
{
    return append(batch, STORE_DELETE_REPLAYS_BELOW, number) != NULL;
}

static struct store_change *
append(struct batch *batch, enum store_change_kind kind, uint64_t id)
{
    if (batch->change_count == batch->change_capacity && !grow_changes(batch))
        return NULL;
    struct store_change *change = &batch->changes[batch->change_count];
    *change = (struct store_change){ .kind = kind, .id = id };
    batch->deleted_filters[batch->change_count] = NULL;
    batch->change_count++;
    return change;
}

static bool
grow_changes(struct batch *batch)
{
    size_t capacity = batch->change_capacity == 0 ? 256 : batch->change_capacity * 2;
    struct store_change *changes = reallocarray(batch->changes, capacity, sizeof *changes);

    if (changes == NULL)
        return false;
    batch->changes = changes;
    struct filter_entry **deleted =
        reallocarray(batch->deleted_filters, capacity, sizeof(struct filter_entry *));
    if (deleted == NULL)
        return false;
    batch->deleted_filters = deleted;
    batch->change_capacity = capacity;
    return true;
}

/* Into the place behind the last copy; it counts once its change is appended. */
static struct ipsec_sa_context *
copy_context(struct batch *batch, const struct ipsec_sa_context *context)
{
    size_t chunk = batch->context_count / CONTEXT_CHUNK_SIZE;

    if (chunk == batch->context_chunk_capacity) {
        size_t capacity = chunk == 0 ? 16 : chunk * 2;
        struct ipsec_sa_context **chunks =
            reallocarray(batch->context_chunks, capacity, sizeof(struct ipsec_sa_context *));

        if (chunks == NULL)
            return NULL;
        batch->context_chunks = chunks;
        batch->context_chunk_capacity = capacity;
    }
    if (chunk == batch->context_chunk_count) {
        batch->context_chunks[chunk] = malloc(CONTEXT_CHUNK_SIZE * sizeof(struct ipsec_sa_context));
        if (batch->context_chunks[chunk] == NULL)
            return NULL;
        batch->context_chunk_count++;
    }
    struct ipsec_sa_context *copy =
        &batch->context_chunks[chunk][batch->context_count % CONTEXT_CHUNK_SIZE];
    *copy = *context;
    return copy;
}
