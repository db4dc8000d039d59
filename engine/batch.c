/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.c: see batch.h. */
#include "engine/batch.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIZE = 64 << 10, CHUNKS_KEPT = 64 };

struct batch_chunk {
    struct batch_chunk *next;
    size_t used;
    size_t size;
    max_align_t bytes[];
};

static void *grow(void *entries, size_t *capacity, size_t wanted, size_t entry_size);
static void free_chunks(struct batch_chunk *chunk);
static struct batch_chunk *chunk_with_room(struct batch *batch, size_t size);

void
batch_clear(struct batch *batch)
{
    free_chunks(batch->chunks);
    free_chunks(batch->spares);
    free(batch->changes);
    free(batch->undos);
    free(batch->events);
    plane_queue_clear(&batch->plane);
    *batch = (struct batch){ .change_count = 0 };
}

void
batch_reset(struct batch *batch)
{
    batch_cut(batch, (struct batch_mark){ .change_count = 0 });

    while (batch->chunks != NULL) {
        struct batch_chunk *chunk = batch->chunks;

        batch->chunks = chunk->next;
        if (chunk->size != CHUNK_SIZE || batch->spare_count >= CHUNKS_KEPT) {
            free(chunk); /* a crowd's memory is given back */
            continue;
        }
        chunk->used = 0;
        chunk->next = batch->spares;
        batch->spares = chunk;
        batch->spare_count++;
    }
}

struct batch_mark
batch_mark(const struct batch *batch)
{
    return (struct batch_mark){
        .change_count = batch->change_count,
        .undo_count = batch->undo_count,
        .event_count = batch->event_count,
        .plane = plane_queue_mark(&batch->plane),
    };
}

void
batch_cut(struct batch *batch, struct batch_mark mark)
{
    batch->change_count = mark.change_count;
    batch->undo_count = mark.undo_count;
    batch->event_count = mark.event_count;
    plane_queue_cut(&batch->plane, mark.plane);
}

bool
batch_is_at(const struct batch *batch, struct batch_mark mark)
{
    return batch->change_count == mark.change_count && batch->undo_count == mark.undo_count;
}

void *
batch_copy(struct batch *batch, const void *bytes, size_t size)
{
    size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct batch_chunk *chunk = chunk_with_room(batch, rounded);

    if (chunk == NULL)
        return NULL;
    unsigned char *copy = (unsigned char *)chunk->bytes + chunk->used;
    chunk->used += rounded;
    memcpy(copy, bytes, size);
    return copy;
}

bool
batch_change(struct batch *batch, struct store_change change)
{
    if (batch->change_count == batch->change_capacity && !batch_reserve(batch, 1))
        return false;
    batch->changes[batch->change_count++] = change;
    return true;
}

bool
batch_undo(struct batch *batch, const struct undo_ops *ops, void *object, uint64_t number)
{
    if (batch->undo_count == batch->undo_capacity && !batch_reserve(batch, 1))
        return false;
    batch->undos[batch->undo_count++] =
        (struct undo_entry){ .ops = ops, .object = object, .number = number };
    return true;
}

bool
batch_event(struct batch *batch, const struct ipsec_event *event)
{
    if (batch->event_count == batch->event_capacity) {
        struct ipsec_event *events =
            grow(batch->events, &batch->event_capacity, batch->event_count + 1, sizeof *events);

        if (events == NULL)
            return false;
        batch->events = events;
    }
    batch->events[batch->event_count++] = *event;
    return true;
}

bool
batch_reserve(struct batch *batch, size_t count)
{
    if (batch->change_count + count > batch->change_capacity) {
        struct store_change *changes = grow(batch->changes, &batch->change_capacity,
                                            batch->change_count + count, sizeof *changes);

        if (changes == NULL)
            return false;
        batch->changes = changes;
    }
    if (batch->undo_count + count > batch->undo_capacity) {
        struct undo_entry *undos =
            grow(batch->undos, &batch->undo_capacity, batch->undo_count + count, sizeof *undos);

        if (undos == NULL)
            return false;
        batch->undos = undos;
    }
    return true;
}

/* Null for want of memory, and then the old place is still good. */
static void *
grow(void *entries, size_t *capacity, size_t wanted, size_t entry_size)
{
    size_t larger = *capacity == 0 ? 256 : *capacity;

    while (larger < wanted)
        larger *= 2;
    void *moved = reallocarray(entries, larger, entry_size);
    if (moved != NULL)
        *capacity = larger;
    return moved;
}

static void
free_chunks(struct batch_chunk *chunk)
{
    while (chunk != NULL) {
        struct batch_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

static struct batch_chunk *
chunk_with_room(struct batch *batch, size_t size)
{
    struct batch_chunk *chunk = batch->chunks;

    if (chunk != NULL && chunk->size - chunk->used >= size)
        return chunk;
    if (batch->spares != NULL && size <= CHUNK_SIZE) {
        chunk = batch->spares;
        batch->spares = chunk->next;
        batch->spare_count--;
    } else {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

        chunk = malloc(sizeof *chunk + room);
        if (chunk == NULL)
            return NULL;
        chunk->used = 0;
        chunk->size = room;
    }
    chunk->next = batch->chunks;
    batch->chunks = chunk;
    return chunk;
}
