/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_lock.c: see policy_lock.h. */
#include "engine/policy_lock.h"

#include <stdlib.h>

/* How often parked calls are asked whether their client is still there. */
#define LOOK_INTERVAL_MS 1000

static bool is_free_for(const struct policy_lock *lock, bool writes);
static bool is_to_run(const struct policy_lock *lock,
                      const struct ipsec_call *call,
                      const struct ipsec_call *previous,
                      int64_t clock_ms);
static bool is_abandoned(const struct ipsec_call *call);
static void
take_out(struct policy_lock *lock, struct ipsec_call *call, struct ipsec_call *previous);

void
policy_lock_clear(struct policy_lock *lock)
{
    free(lock->changes);
    *lock = (struct policy_lock){ .writer = 0 };
}

bool
policy_lock_reserve_change(struct policy_lock *lock)
{
    if (lock->change_count < lock->change_capacity)
        return true;
    size_t capacity = lock->change_capacity == 0 ? 64 : 2 * lock->change_capacity;
    struct policy_object **changes =
        reallocarray(lock->changes, capacity, sizeof(struct policy_object *));
    if (changes == NULL)
        return false;
    lock->changes = changes;
    lock->change_capacity = capacity;
    return true;
}

bool
policy_lock_may(const struct policy_lock *lock, uint64_t ticket, bool writes)
{
    if (lock->first != NULL && (ticket == 0 || ticket > lock->first->wait.ticket))
        return false;
    return is_free_for(lock, writes);
}

void
policy_lock_park(struct policy_lock *lock, struct ipsec_call *call, int64_t clock_ms)
{
    struct ipsec_call *previous = NULL;
    int64_t look_ms = clock_ms + LOOK_INTERVAL_MS;

    if (call->wait.ticket == 0)
        call->wait.ticket = ++lock->last_ticket;
    call->wait.wake = false;
    if (lock->last != NULL && lock->last->wait.ticket < call->wait.ticket) {
        previous = lock->last;
    } else {
        for (struct ipsec_call *next = lock->first;
             next != NULL && next->wait.ticket < call->wait.ticket; next = next->next)
            previous = next;
    }
    call->next = previous == NULL ? lock->first : previous->next;
    if (previous == NULL)
        lock->first = call;
    else
        previous->next = call;
    if (call->next == NULL)
        lock->last = call;
    if (call->wait.deadline_ms < look_ms)
        look_ms = call->wait.deadline_ms;
    if (lock->waiting == 0 || look_ms < lock->next_look_ms)
        lock->next_look_ms = look_ms;
    lock->waiting++;
}

struct ipsec_call *
policy_lock_take(struct policy_lock *lock, uint64_t after, int64_t clock_ms)
{
    struct ipsec_call *previous = NULL;

    /* Only the first may have its turn; the others are looked at when it is time. */
    if (lock->first == NULL ||
        (clock_ms < lock->next_look_ms && !is_free_for(lock, lock->first->wait.writes)))
        return NULL;
    bool look = clock_ms >= lock->next_look_ms;
    int64_t next_look_ms = clock_ms + LOOK_INTERVAL_MS;
    for (struct ipsec_call *call = lock->first; call != NULL; call = call->next) {
        if (call->wait.ticket > after && is_to_run(lock, call, previous, clock_ms)) {
            take_out(lock, call, previous);
            return call;
        }
        if (!look)
            return NULL;
        if (call->wait.deadline_ms < next_look_ms)
            next_look_ms = call->wait.deadline_ms;
        previous = call;
    }
    lock->next_look_ms = next_look_ms;
    return NULL;
}

int64_t
policy_lock_next(const struct policy_lock *lock, int64_t clock_ms)
{
    if (lock->first == NULL)
        return INT64_MAX;
    if (lock->stopped || is_free_for(lock, lock->first->wait.writes))
        return clock_ms;
    return lock->next_look_ms;
}

void
policy_lock_stop(struct policy_lock *lock)
{
    lock->stopped = true;
    lock->next_look_ms = INT64_MIN;
}

void
policy_lock_wake(struct policy_lock *lock, uint64_t session)
{
    for (struct ipsec_call *call = lock->first; call != NULL; call = call->next) {
        if (call->wait.session == session) {
            call->wait.wake = true;
            lock->next_look_ms = INT64_MIN;
        }
    }
}

bool
policy_lock_is_awaited_by(const struct policy_lock *lock, uint64_t session)
{
    for (const struct ipsec_call *call = lock->first; call != NULL; call = call->next) {
        if (call->wait.session == session)
            return true;
    }
    return false;
}

static bool
is_free_for(const struct policy_lock *lock, bool writes)
{
    return lock->writer == 0 && (!writes || lock->readers == 0);
}

static bool
is_to_run(const struct policy_lock *lock,
          const struct ipsec_call *call,
          const struct ipsec_call *previous,
          int64_t clock_ms)
{
    if (lock->stopped || call->wait.wake || clock_ms >= call->wait.deadline_ms ||
        is_abandoned(call))
        return true;
    return previous == NULL && is_free_for(lock, call->wait.writes);
}

static bool
is_abandoned(const struct ipsec_call *call)
{
    return call->abandoned != NULL && call->abandoned(call);
}

static void
take_out(struct policy_lock *lock, struct ipsec_call *call, struct ipsec_call *previous)
{
    if (previous == NULL)
        lock->first = call->next;
    else
        previous->next = call->next;
    if (lock->last == call)
        lock->last = previous;
    call->next = NULL;
    lock->waiting--;
}
