/* SPDX-License-Identifier: Apache-2.0
 *
 * timer.c: see timer.h. */
#include "engine/timer.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 256 };

static void rise(struct timer_heap *heap, size_t place);
static void sink(struct timer_heap *heap, size_t place);
static void remove_at(struct timer_heap *heap, size_t place);
static void count_dropped(struct timer_heap *heap);

void
timer_heap_clear(struct timer_heap *heap)
{
    free(heap->entries);
    *heap = (struct timer_heap){ .count = 0 };
}

bool
timer_reserve(struct timer_heap *heap, size_t more)
{
    size_t capacity = heap->capacity == 0 ? FIRST_CAPACITY : heap->capacity;

    while (capacity < heap->count + heap->reserved + more)
        capacity *= 2;
    if (capacity == heap->capacity)
        return true;
    struct timer_entry *entries = reallocarray(heap->entries, capacity, sizeof *entries);
    if (entries == NULL)
        return false;
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

void
timer_add(struct timer_heap *heap, int64_t due_ms, uint64_t what)
{
    if (heap->count + heap->reserved >= heap->capacity)
        abort();
    heap->entries[heap->count] = (struct timer_entry){ .due_ms = due_ms, .what = what };
    rise(heap, heap->count++);
}

void
timer_forget(struct timer_heap *heap)
{
    heap->fresh++;
}

void
timer_recall(struct timer_heap *heap)
{
    count_dropped(heap);
}

int64_t
timer_first(const struct timer_heap *heap)
{
    return heap->count == 0 ? TIMER_NEVER : heap->entries[0].due_ms;
}

struct timer_entry
timer_peek(const struct timer_heap *heap)
{
    return heap->entries[0];
}

struct timer_entry
timer_take(struct timer_heap *heap)
{
    struct timer_entry first = heap->entries[0];

    remove_at(heap, 0);
    heap->reserved++;
    return first;
}

void
timer_drop(struct timer_heap *heap)
{
    remove_at(heap, 0);
    count_dropped(heap);
}

void
timer_put_back(struct timer_heap *heap, struct timer_entry entry)
{
    heap->reserved--;
    timer_add(heap, entry.due_ms, entry.what);
}

void
timer_settle(struct timer_heap *heap)
{
    heap->reserved = 0;
    if (heap->capacity > 16 * (size_t)FIRST_CAPACITY && heap->count < heap->capacity / 8) {
        size_t capacity = heap->capacity / 4;
        struct timer_entry *entries = reallocarray(heap->entries, capacity, sizeof *entries);

        if (entries == NULL)
            return;
        heap->entries = entries;
        heap->capacity = capacity;
    }
}

void
timer_sweep(struct timer_heap *heap,
            size_t budget,
            bool (*is_valid)(const void *owner, struct timer_entry entry),
            const void *owner)
{
    for (size_t i = 0; i < budget; i++) {
        size_t garbage = heap->garbage + heap->fresh;

        if (garbage < FIRST_CAPACITY || garbage < heap->count / 4)
            return;
        if (heap->sweep == 0 || heap->sweep > heap->count) {
            /* A new round: what the last one did not find was counted twice. */
            heap->sweep = heap->count;
            heap->garbage = heap->fresh;
            heap->fresh = 0;
            if (heap->count == 0)
                return;
        }
        size_t place = --heap->sweep;
        if (is_valid(owner, heap->entries[place]))
            continue;
        remove_at(heap, place);
        count_dropped(heap);
    }
}

static void
count_dropped(struct timer_heap *heap)
{
    if (heap->garbage > 0)
        heap->garbage--;
    else if (heap->fresh > 0)
        heap->fresh--;
}

static void
remove_at(struct timer_heap *heap, size_t place)
{
    heap->count--;
    if (place == heap->count)
        return;
    heap->entries[place] = heap->entries[heap->count];
    rise(heap, place);
    sink(heap, place);
}

static void
rise(struct timer_heap *heap, size_t place)
{
    struct timer_entry entry = heap->entries[place];

    while (place > 0) {
        size_t parent = (place - 1) / 2;

        if (heap->entries[parent].due_ms <= entry.due_ms)
            break;
        heap->entries[place] = heap->entries[parent];
        place = parent;
    }
    heap->entries[place] = entry;
}

static void
sink(struct timer_heap *heap, size_t place)
{
    struct timer_entry entry = heap->entries[place];

    for (;;) {
        size_t child = 2 * place + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            heap->entries[child + 1].due_ms < heap->entries[child].due_ms)
            child++;
        if (entry.due_ms <= heap->entries[child].due_ms)
            break;
        heap->entries[place] = heap->entries[child];
        place = child;
    }
    heap->entries[place] = entry;
}
