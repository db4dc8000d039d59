/* SPDX-License-Identifier: Apache-2.0
 *
 * subscription.h: who watches the changes of SA contexts.
 *
 * The engine thread adds subscriptions, publishes what a batch changed and wakes the threads whose
 * watchers wait.  Watchers read the log without a lock and end their subscription on a thread of
 * theirs: that, and waking, are the only things that take the table's lock, for a few instructions.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/mutex.h"
#include "engine/event_log.h"
#include "engine/handover.h"
#include "engine/types.h"

struct ipsec_subscription;
struct watch_group;

struct subscription_table {
    struct event_log log;
    struct mutex lock;
    struct ipsec_subscription *first GUARDED_VAR; /* the newest */
    struct watch_group *groups GUARDED_VAR;       /* one for each completion that waits */
    uint32_t maximum;
    uint64_t last_number;
    bool wake; /* in this batch something happened that watchers wait for */
    _Atomic uint64_t live;
    _Atomic uint64_t published; /* events, since the start */
    _Atomic uint64_t dropped;   /* subscriptions whose reader fell behind */
};

void subscription_table_init(struct subscription_table *table);
/* 'kept' events, 0: the default; 'maximum' subscriptions, 0: no limit.  False: no memory. */
NODISCARD bool
subscription_table_configure(struct subscription_table *table, uint32_t kept, uint32_t maximum);
/* All subscriptions have been ended. */
void subscription_table_clear(struct subscription_table *table);

/* The engine thread.  'last_change' is the number of the engine's last change, committed. */
void subscription_publish(struct subscription_table *table,
                          const struct ipsec_event *events,
                          size_t count,
                          uint64_t last_change);
/* Whether somebody watches in the explicit session with this number. */
bool subscription_is_in_session(struct subscription_table *table, uint64_t session);
/* The explicit session with this number is over. */
void subscription_end_session(struct subscription_table *table, uint64_t session);
/* Gives the batch's calls back, and wakes the watchers if there is news: once a thread for both. */
void subscription_deliver(struct subscription_table *table, struct handover_results *results);
