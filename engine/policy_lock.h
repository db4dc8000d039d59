/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_lock.h: the lock on all policy: one writer or many readers, first come first served.
 *
 * Only explicit transactions hold it; a change outside of one takes and leaves it within its call.
 * Nobody waits on it in the sense of a thread: a call that has to wait is parked here and run again
 * from its start when its turn has come, or its time is over.  A parked call keeps its place
 * however often it runs, so that writers don't starve. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/engine.h"

struct policy_object;

struct policy_lock {
    uint64_t writer; /* number of the session whose write transaction is open; 0: none */
    uint32_t readers;
    /* What the write transaction did, in order; null: taken back. */
    struct policy_object **changes;
    size_t change_count;
    size_t change_capacity;
    /* The parked calls, by ticket. */
    struct ipsec_call *first;
    struct ipsec_call *last;
    size_t waiting;
    uint64_t last_ticket;
    int64_t next_look_ms; /* when a parked call's time may be over, or its client be gone */
    bool stopped;         /* nobody may wait any more */
};

void policy_lock_clear(struct policy_lock *lock);

/* Room for one more change.  False: no memory. */
NODISCARD bool policy_lock_reserve_change(struct policy_lock *lock);

/* Whether a call with 'ticket' (0: it was never parked) may have the lock now. */
bool policy_lock_may(const struct policy_lock *lock, uint64_t ticket, bool writes);

/* Parks a call until 'call->wait.deadline_ms'; the first time it gets its ticket. */
void policy_lock_park(struct policy_lock *lock, struct ipsec_call *call, int64_t clock_ms);

/* Takes the next call out that is to be run now and whose ticket is above 'after'; null: none. */
struct ipsec_call *policy_lock_take(struct policy_lock *lock, uint64_t after, int64_t clock_ms);
/* When policy_lock_take() has something to give, as far as time tells; INT64_MAX: nobody waits. */
int64_t policy_lock_next(const struct policy_lock *lock, int64_t clock_ms);

/* From now on every parked call is to run again. */
void policy_lock_stop(struct policy_lock *lock);

/* The session's parked calls are to run again: it has changed under them. */
void policy_lock_wake(struct policy_lock *lock, uint64_t session);
bool policy_lock_is_awaited_by(const struct policy_lock *lock, uint64_t session);
