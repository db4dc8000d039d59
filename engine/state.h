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
#include "engine/id_table.h"
#include "engine/luid.h"
#include "engine/principal.h"
#include "engine/replay.h"
#include "engine/store/store.h"
#include "engine/types.h"

struct engine_state {
    struct luid_sequence luids;
    uint64_t revision; /* the number of the last change */
    int64_t now_ms;    /* wall clock, read once a batch */
    uint32_t max_contexts;
    size_t scanned;           /* objects that the enumerations of this batch have looked at */
    struct id_table contexts; /* struct ipsec_sa_context */
    uint64_t contexts_by_state[IPSEC_SA_CONTEXT_STATE_COUNT];
    struct filter_table filters;
    struct classify classify;
    struct principal_table principals;
    struct replay_index replays;
    struct batch batch;
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

/* The figures to go with the next commit. */
struct store_marks state_marks(const struct engine_state *state);

/* A new batch begins. */
void state_begin_batch(struct engine_state *state, int64_t now_ms);
/* How many objects the next enumeration may look at, so that a batch takes a bounded time; at least
 * a few, so that every caller gets on. */
size_t state_scan_budget(const struct engine_state *state);

/* Takes back the changes from 'change_count' on. */
void state_undo(struct engine_state *state, size_t change_count);
/* The batch is committed: frees what undoing would have needed and begins the next batch. */
void state_settle(struct engine_state *state);
