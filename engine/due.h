/* SPDX-License-Identifier: Apache-2.0
 *
 * due.h: what the engine does by itself when its time has come.
 *
 * The loop sleeps no longer than to the earliest time that a source names, and then runs what is
 * due at the beginning of a batch, before its calls: what sources change is committed, or taken
 * back, with the batch.  Times are milliseconds of CLOCK_BOOTTIME, as 'state->clock_ms' holds them
 * for the batch. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DUE_NEVER INT64_MAX

struct engine_state;

/* A kind of timed work; the sources are rows of a table in due.c. */
struct due_source {
    /* When there is something to do next; DUE_NEVER: nothing is waiting.  Cheap: asked each round.
     */
    int64_t (*next)(const struct engine_state *state);
    /* Does what is due at 'state->clock_ms', or a part that takes a bounded time: the rest is due
     * still.  Changes go into the batch with their undo entries; half of a change is undone by the
     * source itself. */
    void (*run)(struct engine_state *state);
    /* Its changes go to the store, so that it rests while the store takes no writes. */
    bool stores;
};

/* The earliest time of all sources that may run. */
int64_t due_next(const struct engine_state *state, bool store_works);
void due_run(struct engine_state *state, int64_t clock_ms, bool store_works);
