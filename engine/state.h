/* SPDX-License-Identifier: Apache-2.0
 *
 * state.h: all that the engine thread owns: the objects in memory and the batch under way.
 *
 * Every change of an object goes into the batch in the moment it is made.  After the commit
 * state_settle() makes the batch final; before it state_undo() takes changes back, in reverse. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/batch.h"
#include "engine/classify.h"
#include "engine/filter.h"
#include "engine/filter_plane.h"
#include "engine/id_table.h"
#include "engine/luid.h"
#include "engine/plane_check.h"
#include "engine/policy_lock.h"
#include "engine/principal.h"
#include "engine/provider_context_table.h"
#include "engine/replay.h"
#include "engine/sa_database.h"
#include "engine/security_table.h"
#include "engine/session_table.h"
#include "engine/store/store.h"
#include "engine/subscription.h"
#include "engine/types.h"

struct engine_state {
    struct luid_sequence luids;
    uint64_t revision;         /* the number of the last change */
    struct store_marks stored; /* what the store knows of these figures */
    int64_t now_ms;            /* wall clock, read once a batch */
    int64_t clock_ms;          /* CLOCK_BOOTTIME, read once a batch: for all that becomes due */
    int64_t steady_ms; /* as the wall clock, but nobody sets it while we run: for what has an age */
    int64_t steady_offset_ms; /* to 'clock_ms' */
    uint32_t max_contexts;
    size_t scanned;           /* objects that the enumerations of this batch have looked at */
    struct id_table contexts; /* struct ipsec_sa_context */
    uint64_t contexts_by_state[IPSEC_SA_CONTEXT_STATE_COUNT];
    struct sa_database sa; /* what stands beside the contexts */
    struct provider_context_table provider_contexts;
    struct filter_table filters;
    struct filter_plane filter_plane;
    struct plane_check plane_check;
    struct classify classify;
    struct principal_table principals;
    struct session_table sessions;
    struct security_table security;
    struct policy_lock policy;
    struct replay_index replays;
    bool replays_removed; /* the batch deletes the oldest */
    struct batch batch;
    struct subscription_table watch;
};

/* False: no memory.  To be cleared in any case. */
NODISCARD bool state_init(struct engine_state *state,
                          uint32_t max_contexts,
                          uint32_t max_replay_records,
                          uint32_t max_batch);
void state_clear(struct engine_state *state);

/* Fills a fresh state from the store. */
NODISCARD enum ipsec_status state_load(struct engine_state *state,
                                       const struct store_ops *ops,
                                       struct store *store,
                                       struct ipsec_fault *fault);

/* The number of the last change as callers see it: before a run's first change that is the last of
 * the run before, so that who has seen all goes on watching after any number of restarts. */
uint64_t state_sequence(const struct engine_state *state);

/* Whether identifiers or numbers of changes were given out that the store does not know of: those
 * of objects that only exist in an open transaction or a dynamic session, and where the numbers of
 * a new store begin.  Identifiers are never used again, and who has seen a number goes on watching
 * from there after a restart: so they are committed before anybody gets them. */
bool state_is_ahead(const struct engine_state *state);
/* The figures to go with the next commit. */
struct store_marks state_marks(const struct engine_state *state);

/* A new batch begins, at this time of the wall clock and of CLOCK_BOOTTIME. */
void state_begin_batch(struct engine_state *state, int64_t now_ms, int64_t clock_ms);
/* How many objects the next enumeration may look at, so that a batch takes a bounded time; at least
 * a few, so that every caller gets on. */
size_t state_scan_budget(const struct engine_state *state);

/* The record of an answer, which memory has already, goes with the batch.  False: no memory. */
NODISCARD bool state_put_replay(struct engine_state *state, const struct store_replay *replay);
/* So do the oldest records.  False: no memory, they stay for longer. */
NODISCARD bool state_delete_replays_below(struct engine_state *state, uint64_t number);

/* Takes back all that was done since the mark; a zeroed mark is the beginning of the batch. */
void state_undo(struct engine_state *state, struct batch_mark mark);
/* The batch is committed, or has nothing for the store: publishes its events, frees what undoing
 * would have needed and begins the next batch. */
void state_settle(struct engine_state *state);
