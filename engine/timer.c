/* SPDX-License-Identifier: Apache-2.0
 *
 * timer.c: see timer.h. */
#include "engine/timer.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 256, MORE_BITS = 16 };

#define MORE_MASK ((UINT64_C(1) << MORE_BITS) - 1)
#define DUE_MAX_MS (INT64_C(1) << 47)

/* Things that are due together: the one with the number 'first', and those that follow it. */
struct timer_run {
    uint64_t key; /* when, and in the last 16 bits how many follow */
    uint64_t first;
};

static bool extend_last(struct timer_heap *heap, int64_t due_ms, uint64_t what);
static int64_t due_of(const struct timer_run *run);
static struct timer_entry first_of(const struct timer_run *run);
static void remove_first(struct timer_heap *heap, size_t place);
static void rise(struct timer_heap *heap, size_t place);
static void sink(struct timer_heap *heap, size_t place);
static void remove_at(struct timer_heap *heap, size_t place);
static void count_dropped(struct timer_heap *heap);

void
timer_heap_clear(struct timer_heap *heap)
{
    free(heap->runs);
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
    struct timer_run *runs = reallocarray(heap->runs, capacity, sizeof *runs);
    if (runs == NULL)
        return false;
    heap->runs = runs;
    heap->capacity = capacity;
    return true;
}

void
timer_add(struct timer_heap *heap, int64_t due_ms, uint64_t what)
{
    if (heap->count + heap->reserved >= heap->capacity || due_ms < 0 || due_ms > DUE_MAX_MS)
        abort();
    if (extend_last(heap, due_ms, what))
        return;
    heap->runs[heap->count] =
        (struct timer_run){ .key = (uint64_t)due_ms << MORE_BITS, .first = what };
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
    return heap->count == 0 ? TIMER_NEVER : due_of(&heap->runs[0]);
}

struct timer_entry
timer_peek(const struct timer_heap *heap)
{
    return first_of(&heap->runs[0]);
}

struct timer_entry
timer_take(struct timer_heap *heap)
{
    struct timer_entry first = first_of(&heap->runs[0]);

    remove_first(heap, 0);
    heap->reserved++;
    if (heap->count + heap->reserved > heap->capacity)
        abort();
    return first;
}

void
timer_drop(struct timer_heap *heap)
{
    remove_first(heap, 0);
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
        struct timer_run *runs = reallocarray(heap->runs, capacity, sizeof *runs);

        if (runs == NULL)
            return;
        heap->runs = runs;
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
        size_t place = heap->sweep - 1;
        size_t count = heap->count;
        bool valid = is_valid(owner, first_of(&heap->runs[place]));
        if (!valid) {
            remove_first(heap, place);
            count_dropped(heap);
        }
        if (valid || heap->count < count)
            heap->sweep = place; /* done with this run */
    }
}

/* What follows the last one belongs to its run. */
static bool
extend_last(struct timer_heap *heap, int64_t due_ms, uint64_t what)
{
    if (heap->count == 0)
        return false;
    struct timer_run *last = &heap->runs[heap->count - 1];
    uint64_t more = last->key & MORE_MASK;

    if (due_of(last) != due_ms || more == MORE_MASK || what != last->first + more + 1)
        return false;
    last->key++;
    return true;
}

static int64_t
due_of(const struct timer_run *run)
{
    return (int64_t)(run->key >> MORE_BITS);
}

static struct timer_entry
first_of(const struct timer_run *run)
{
    return (struct timer_entry){ .due_ms = due_of(run), .what = run->first };
}

static void
remove_first(struct timer_heap *heap, size_t place)
{
    struct timer_run *run = &heap->runs[place];

    if ((run->key & MORE_MASK) == 0) {
        remove_at(heap, place);
        return;
    }
    run->first++;
    run->key--;
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
    heap->runs[place] = heap->runs[heap->count];
    rise(heap, place);
    sink(heap, place);
}

static void
rise(struct timer_heap *heap, size_t place)
{
    struct timer_run run = heap->runs[place];

    while (place > 0) {
        size_t parent = (place - 1) / 2;

        if (due_of(&heap->runs[parent]) <= due_of(&run))
            break;
        heap->runs[place] = heap->runs[parent];
        place = parent;
    }
    heap->runs[place] = run;
}

static void
sink(struct timer_heap *heap, size_t place)
{
    struct timer_run run = heap->runs[place];

    for (;;) {
        size_t child = 2 * place + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && due_of(&heap->runs[child + 1]) < due_of(&heap->runs[child]))
            child++;
        if (due_of(&run) <= due_of(&heap->runs[child]))
            break;
        heap->runs[place] = heap->runs[child];
        place = child;
    }
    heap->runs[place] = run;
}
