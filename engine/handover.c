/* SPDX-License-Identifier: Apache-2.0
 *
 * handover.c: see handover.h. */
#include "engine/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"

struct ipsec_completion {
    struct mutex lock;
    struct ipsec_call *first GUARDED_VAR;
    struct ipsec_call *last GUARDED_VAR;
    bool signalled GUARDED_VAR; /* the eventfd is readable or about to be */
    int event_fd;
    /* The engine thread's, while it collects. */
    struct ipsec_call *collected_first;
    struct ipsec_call *collected_last;
    struct ipsec_completion *next_touched;
    bool touched;
};

static void wait_for_calls(struct handover *handover, int64_t timeout_ms) REQUIRES(handover->lock);
static void deliver_to(struct ipsec_completion *completion);
static void signal_event(int event_fd);
static void clear_event(int event_fd);

void
handover_init(struct handover *handover, uint32_t depth)
{
    pthread_condattr_t attributes;

    *handover = (struct handover){ .depth = depth };
    mutex_init(&handover->lock);
    if (pthread_condattr_init(&attributes) != 0 ||
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(&handover->wake, &attributes) != 0 ||
        pthread_condattr_destroy(&attributes) != 0)
        abort();
}

void
handover_clear(struct handover *handover)
{
    if (pthread_cond_destroy(&handover->wake) != 0)
        abort();
    mutex_clear(&handover->lock);
}

bool
handover_reserve(struct handover *handover)
{
    uint32_t before = atomic_fetch_add_explicit(&handover->reserved, 1, memory_order_relaxed);

    if (before < handover->depth)
        return true;
    handover_release(handover, 1);
    return false;
}

void
handover_release(struct handover *handover, uint32_t places)
{
    (void)atomic_fetch_sub_explicit(&handover->reserved, places, memory_order_relaxed);
}

void
handover_submit(struct handover *handover, struct ipsec_call *first)
{
    int64_t now_us = clock_monotonic_us();
    struct ipsec_call *last = first;

    if (first == NULL)
        return;
    first->queued_at_us = now_us;
    while (last->next != NULL) {
        last = last->next;
        last->queued_at_us = now_us;
    }

    mutex_lock(&handover->lock);
    if (handover->last == NULL)
        handover->first = first;
    else
        handover->last->next = first;
    handover->last = last;
    bool wake = handover->sleeping;
    handover->sleeping = false;
    mutex_unlock(&handover->lock);
    if (wake && pthread_cond_signal(&handover->wake) != 0)
        abort();
}

void
handover_drain(struct handover *handover)
{
    atomic_store(&handover->draining, true);
    mutex_lock(&handover->lock);
    handover->nudged = true;
    handover->sleeping = false;
    if (pthread_cond_signal(&handover->wake) != 0)
        abort();
    mutex_unlock(&handover->lock);
}

bool
handover_is_draining(const struct handover *handover)
{
    return atomic_load(&handover->draining);
}

bool
handover_is_empty(struct handover *handover)
{
    mutex_lock(&handover->lock);
    bool is_empty = handover->first == NULL;
    mutex_unlock(&handover->lock);
    return is_empty;
}

void
handover_close(struct handover *handover)
{
    mutex_lock(&handover->lock);
    handover->closed = true;
    handover->sleeping = false;
    if (pthread_cond_signal(&handover->wake) != 0)
        abort();
    mutex_unlock(&handover->lock);
}

struct ipsec_call *
handover_take(struct handover *handover, int64_t timeout_ms, bool *closed_out)
{
    mutex_lock(&handover->lock);
    if (handover->first == NULL && !handover->closed && timeout_ms != 0)
        wait_for_calls(handover, timeout_ms);
    struct ipsec_call *calls = handover->first;
    handover->first = NULL;
    handover->last = NULL;
    *closed_out = handover->closed;
    mutex_unlock(&handover->lock);
    return calls;
}

void
handover_collect(struct handover_results *results, struct ipsec_call *call)
{
    struct ipsec_completion *completion = call->completion;

    call->next = NULL;
    handover_touch(results, completion);
    if (completion->collected_last == NULL)
        completion->collected_first = call;
    else
        completion->collected_last->next = call;
    completion->collected_last = call;
}

void
handover_touch(struct handover_results *results, struct ipsec_completion *completion)
{
    if (completion->touched)
        return;
    completion->touched = true;
    completion->next_touched = results->touched;
    results->touched = completion;
}

void
handover_deliver(struct handover_results *results)
{
    struct ipsec_completion *completion = results->touched;

    while (completion != NULL) {
        struct ipsec_completion *next = completion->next_touched;

        deliver_to(completion);
        completion = next;
    }
    results->touched = NULL;
}

enum ipsec_status
ipsec_completion_open(struct ipsec_completion **completion_out)
{
    *completion_out = NULL;
    struct ipsec_completion *completion = calloc(1, sizeof *completion);
    if (completion == NULL)
        return IPSEC_RPC_OUT_OF_RESOURCES;
    completion->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (completion->event_fd < 0) {
        free(completion);
        return IPSEC_RPC_OUT_OF_RESOURCES;
    }
    mutex_init(&completion->lock);
    *completion_out = completion;
    return IPSEC_OK;
}

void
ipsec_completion_close(struct ipsec_completion *completion)
{
    if (completion == NULL)
        return;
    (void)close(completion->event_fd);
    mutex_clear(&completion->lock);
    free(completion);
}

int
ipsec_completion_fd(const struct ipsec_completion *completion)
{
    return completion->event_fd;
}

struct ipsec_call *
ipsec_completion_take(struct ipsec_completion *completion)
{
    mutex_lock(&completion->lock);
    struct ipsec_call *calls = completion->first;
    completion->first = NULL;
    completion->last = NULL;
    if (completion->signalled)
        clear_event(completion->event_fd);
    completion->signalled = false;
    mutex_unlock(&completion->lock);
    return calls;
}

/* Returns when something is there, or at the end of the time. */
static void
wait_for_calls(struct handover *handover, int64_t timeout_ms)
{
    struct timespec deadline;

    if (clock_gettime(CLOCK_MONOTONIC, &deadline) != 0)
        abort();
    deadline.tv_sec += (time_t)(timeout_ms / 1000);
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }

    int result = 0;
    while (handover->first == NULL && !handover->closed && !handover->nudged &&
           result != ETIMEDOUT) {
        handover->sleeping = true;
        result = timeout_ms < 0
                     ? pthread_cond_wait(&handover->wake, &handover->lock.native)
                     : pthread_cond_timedwait(&handover->wake, &handover->lock.native, &deadline);
        if (result != 0 && result != ETIMEDOUT)
            abort();
    }
    handover->sleeping = false;
    handover->nudged = false;
}

/* The eventfd is written under the lock: once the owner has taken the calls it may close the
 * completion, and must not do so under our hands. */
static void
deliver_to(struct ipsec_completion *completion)
{
    struct ipsec_call *first = completion->collected_first;
    struct ipsec_call *last = completion->collected_last;

    completion->collected_first = NULL;
    completion->collected_last = NULL;
    completion->next_touched = NULL;
    completion->touched = false;

    mutex_lock(&completion->lock);
    if (completion->last == NULL)
        completion->first = first;
    else
        completion->last->next = first;
    if (last != NULL)
        completion->last = last;
    if (!completion->signalled)
        signal_event(completion->event_fd);
    completion->signalled = true;
    mutex_unlock(&completion->lock);
}

static void
signal_event(int event_fd)
{
    const uint64_t one = 1;

    if (write(event_fd, &one, sizeof one) != sizeof one)
        abort();
}

static void
clear_event(int event_fd)
{
    uint64_t count;

    if (read(event_fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
        abort();
}
