/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.h: how calls cross from the threads that submit to the engine thread and back.
 *
 * This is the most expensive part of a request next to the commit, so all of it is here, where it
 * can be measured and replaced.  In: one list under one lock, and a wake-up only when the engine
 * sleeps.  Out: one list for each submitting thread, filled once a batch, and one eventfd write
 * when that list was empty.  The bound of the queue is a counter of places that submitters reserve
 * before they hand over, so a full queue is noticed without a lock and before any work is done. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/mutex.h"
#include "engine/engine.h"

struct handover {
    struct mutex lock;
    pthread_cond_t wake;
    struct ipsec_call *first GUARDED_VAR;
    struct ipsec_call *last GUARDED_VAR;
    bool sleeping GUARDED_VAR;
    bool closed GUARDED_VAR;
    bool nudged GUARDED_VAR;
    _Atomic bool draining;
    _Atomic uint32_t reserved;
    uint32_t depth;
};

void handover_init(struct handover *handover, uint32_t depth);
void handover_clear(struct handover *handover);

/* Submitters; see ipsec_engine_reserve() and its neighbours. */
NODISCARD bool handover_reserve(struct handover *handover);
void handover_release(struct handover *handover, uint32_t places);
void handover_submit(struct handover *handover, struct ipsec_call *first);

/* Tells the engine thread, and wakes it. */
void handover_drain(struct handover *handover);
bool handover_is_draining(const struct handover *handover);
bool handover_is_empty(struct handover *handover);

/* No more calls will come: handover_take() returns what is left and then null at once. */
void handover_close(struct handover *handover);

/* The engine thread: all that was submitted, in order.  Waits for it up to 'timeout_ms', for ever
 * when below 0.  Null: the time is over, it is draining, or '*closed_out'.  Places stay reserved
 * until they are released. */
struct ipsec_call *handover_take(struct handover *handover, int64_t timeout_ms, bool *closed_out);

/* The engine thread: gives finished calls back.  Collect all calls of a batch, then deliver once;
 * from then on the calls are the submitters'. */
struct handover_results {
    struct ipsec_completion *touched;
};
void handover_collect(struct handover_results *results, struct ipsec_call *call);
/* Also wakes the owner of 'completion', who may have no call in the batch. */
void handover_touch(struct handover_results *results, struct ipsec_completion *completion);
void handover_deliver(struct handover_results *results);
