/* SPDX-License-Identifier: Apache-2.0
 *
 * timer.h: deadlines of many objects: a binary heap of pairs (when, what).
 *
 * What is added one after the other for one time, with numbers that follow each other, is one entry
 * of the heap: the contexts of a batch, all of which have the same time to be keyed in, cost 16
 * bytes together.
 *
 * A deadline that changed or whose object went stays in the heap until its time comes or it is
 * swept out; the owner of the objects tells the valid ones apart.  While more than a quarter is
 * such garbage, timer_sweep() looks at a few entries each time it is asked, so the heap stays
 * near the number of live deadlines and no single batch pays for all of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

#define TIMER_NEVER INT64_MAX

struct timer_entry {
    int64_t due_ms; /* CLOCK_BOOTTIME */
    uint64_t what;
};

struct timer_run;

struct timer_heap {
    struct timer_run *runs;
    size_t count;
    size_t capacity;
    size_t reserved; /* taken out, but may come back: room is kept for them */
    size_t garbage;  /* about how many entries were not valid when the round of sweeping began */
    size_t fresh;    /* about how many have become so since */
    size_t sweep;    /* runs below this place were not looked at in this round */
};

void timer_heap_clear(struct timer_heap *heap);

/* Room for 'more' entries.  False: no memory. */
NODISCARD bool timer_reserve(struct timer_heap *heap, size_t more);
/* Adds an entry for which there is room.  'due_ms' is from 0 to 2^47. */
void timer_add(struct timer_heap *heap, int64_t due_ms, uint64_t what);
/* An entry is not valid any more. */
void timer_forget(struct timer_heap *heap);

/* An entry that was counted as not valid was not: it is, or was taken. */
void timer_recall(struct timer_heap *heap);

/* The first entry is due then; TIMER_NEVER: there is none. */
int64_t timer_first(const struct timer_heap *heap);
/* There must be one. */
struct timer_entry timer_peek(const struct timer_heap *heap);
/* Takes the first entry out and keeps room for it until timer_put_back() or timer_settle(); there
 * is room for one more. */
struct timer_entry timer_take(struct timer_heap *heap);
/* Drops the first entry, which is not valid any more. */
void timer_drop(struct timer_heap *heap);
/* Undoes timer_take(); can't fail. */
void timer_put_back(struct timer_heap *heap, struct timer_entry entry);
/* What was taken stays out. */
void timer_settle(struct timer_heap *heap);

/* Looks at up to 'budget' entries and drops those that are not valid; of a run, those before the
 * first that is. */
void timer_sweep(struct timer_heap *heap,
                 size_t budget,
                 bool (*is_valid)(const void *owner, struct timer_entry entry),
                 const void *owner);
