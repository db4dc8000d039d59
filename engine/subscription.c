/* SPDX-License-Identifier: Apache-2.0
 *
 * subscription.c: see subscription.h. */
#include "engine/subscription.h"

#include <inttypes.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "engine/sa_context.h"
#include "engine/sa_labels.h"
#include "engine/session.h"
#include "engine/state.h"

struct ipsec_subscription {
    struct subscription_table *table;
    struct ipsec_subscription *next;     /* guarded by the table's lock */
    struct ipsec_subscription *previous; /* the same */
    struct watch_group *group;
    struct ipsec_subscription_info info; /* immutable, but for its 'sequence', which is below */
    uint64_t session;                    /* number of its explicit session; 0: none */
    uint64_t since;
    uint64_t position; /* the reader's */
    _Atomic uint64_t sequence;
    _Atomic bool ended; /* its session is over */
    bool dropped;       /* the reader's */
};

struct watch_group {
    struct watch_group *next;
    struct ipsec_completion *completion;
    uint32_t subscriptions;
};

static enum ipsec_status add(struct ipsec_session *session,
                             struct ipsec_subscription *subscription,
                             struct ipsec_completion *completion);
static struct watch_group *join_group(struct subscription_table *table,
                                      struct ipsec_completion *completion) REQUIRES(table->lock);
static void leave_group(struct subscription_table *table, struct watch_group *group)
    REQUIRES(table->lock);
static enum ipsec_status refuse_dropped(const struct subscription_table *table,
                                        struct ipsec_fault *fault,
                                        const char *detail);
static size_t keep_wanted(const struct ipsec_subscription *subscription,
                          struct ipsec_event *events,
                          size_t count);
static bool is_wanted(const struct ipsec_subscription *subscription,
                      const struct ipsec_event *event);

void
subscription_table_init(struct subscription_table *table)
{
    *table = (struct subscription_table){ .maximum = 0 };
    mutex_init(&table->lock);
}

bool
subscription_table_configure(struct subscription_table *table, uint32_t kept, uint32_t maximum)
{
    table->maximum = maximum;
    return event_log_init(&table->log, kept);
}

void
subscription_table_clear(struct subscription_table *table)
{
    event_log_clear(&table->log);
    mutex_clear(&table->lock);
}

void
subscription_publish(struct subscription_table *table,
                     const struct ipsec_event *events,
                     size_t count,
                     uint64_t last_change)
{
    event_log_publish(&table->log, events, count, last_change);
    if (count == 0)
        return;
    table->wake = true;
    atomic_fetch_add_explicit(&table->published, count, memory_order_relaxed);
}

bool
subscription_is_in_session(struct subscription_table *table, uint64_t session)
{
    bool found = false;

    if (atomic_load_explicit(&table->live, memory_order_relaxed) == 0)
        return false;
    mutex_lock(&table->lock);
    for (const struct ipsec_subscription *each = table->first; each != NULL; each = each->next)
        found = found || each->session == session;
    mutex_unlock(&table->lock);
    return found;
}

void
subscription_end_session(struct subscription_table *table, uint64_t session)
{
    if (atomic_load_explicit(&table->live, memory_order_relaxed) == 0)
        return;
    mutex_lock(&table->lock);
    for (struct ipsec_subscription *each = table->first; each != NULL; each = each->next) {
        if (each->session == session) {
            atomic_store(&each->ended, true);
            table->wake = true;
        }
    }
    mutex_unlock(&table->lock);
}

/* The lock is held until all are awake: a completion is there as long as it has a subscription. */
void
subscription_deliver(struct subscription_table *table, struct handover_results *results)
{
    bool wake = table->wake;

    table->wake = false;
    if (!wake || atomic_load_explicit(&table->live, memory_order_relaxed) == 0) {
        handover_deliver(results);
        return;
    }
    mutex_lock(&table->lock);
    for (struct watch_group *group = table->groups; group != NULL; group = group->next)
        handover_touch(results, group->completion);
    handover_deliver(results);
    mutex_unlock(&table->lock);
}

enum ipsec_status
ipsec_sa_context_subscribe(struct ipsec_session *session,
                           const struct ipsec_subscription_options *options,
                           struct ipsec_completion *completion,
                           struct ipsec_subscription **subscription_out)
{
    struct engine_state *state = session->state;
    struct subscription_table *table = &state->watch;
    bool is_stored;

    *subscription_out = NULL;
    enum ipsec_status status = session_check_no_transaction(session);
    if (status == IPSEC_OK)
        status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE,
                                     FWPM_ACTRL_SUBSCRIBE | FWPM_ACTRL_READ);
    if (status == IPSEC_OK)
        status = sa_context_check_template(session, &options->match);
    if (status != IPSEC_OK)
        return status;

    struct ipsec_subscription *subscription = calloc(1, sizeof *subscription);
    if (subscription == NULL)
        return session_no_memory(session);
    *subscription = (struct ipsec_subscription){
        .table = table,
        .info = { .since_ms = state->now_ms, .match = options->match },
        .since = options->since_given ? options->since : state_sequence(state),
    };
    if (session->entry != NULL) {
        subscription->session = session->entry->record.number;
        subscription->info.session_key = session->entry->record.key;
    }
    atomic_init(&subscription->sequence, subscription->since);
    if (session->caller->principal != NULL &&
        !principal_intern(&state->principals, session->caller->principal,
                          &subscription->info.principal, &is_stored))
        status = session_no_memory(session);
    else if (!event_log_find(&table->log, subscription->since, state->revision,
                             &subscription->position))
        status = refuse_dropped(table, session->fault,
                                subscription->since > state->revision
                                    ? "nothing has happened since then: it is above the newest"
                                    : "not all changes since then are kept");
    else
        status = add(session, subscription, completion);
    if (status != IPSEC_OK) {
        free(subscription);
        return status;
    }
    *subscription_out = subscription;
    return IPSEC_OK;
}

void
ipsec_sa_context_unsubscribe(struct ipsec_subscription *subscription)
{
    if (subscription == NULL)
        return;
    struct subscription_table *table = subscription->table;

    mutex_lock(&table->lock);
    if (subscription->previous != NULL)
        subscription->previous->next = subscription->next;
    else
        table->first = subscription->next;
    if (subscription->next != NULL)
        subscription->next->previous = subscription->previous;
    leave_group(table, subscription->group);
    atomic_fetch_sub(&table->live, 1);
    mutex_unlock(&table->lock);
    free(subscription);
}

enum ipsec_status
ipsec_subscription_read(struct ipsec_subscription *subscription,
                        struct ipsec_event *events,
                        size_t capacity,
                        size_t *count_out,
                        struct ipsec_fault *fault)
{
    struct subscription_table *table = subscription->table;

    *count_out = 0;
    if (atomic_load(&subscription->ended))
        return session_aborted(fault, IPSEC_FAULT_HEADER);
    /* Before the events: there is none between those that are found and this number. */
    uint64_t sequence = atomic_load_explicit(&table->log.sequence, memory_order_acquire);
    while (*count_out < capacity) {
        struct ipsec_event *room = events + *count_out;
        size_t count;

        if (subscription->dropped || !event_log_read(&table->log, subscription->position, room,
                                                     capacity - *count_out, &count)) {
            if (!subscription->dropped)
                atomic_fetch_add_explicit(&table->dropped, 1, memory_order_relaxed);
            subscription->dropped = true;
            /* What was found before is lost for the caller, who starts afresh anyway. */
            while (*count_out > 0)
                ipsec_event_unref(&events[--*count_out]);
            return refuse_dropped(table, fault,
                                  "the watcher fell behind the changes that are kept");
        }
        subscription->position += count;
        if (count == 0)
            break;
        if (room[count - 1].sequence > sequence)
            sequence = room[count - 1].sequence;
        *count_out += keep_wanted(subscription, room, count);
    }
    /* With the room used up, more may lie behind. */
    if (*count_out == capacity && capacity > 0)
        sequence = events[capacity - 1].sequence;
    if (sequence > atomic_load_explicit(&subscription->sequence, memory_order_relaxed))
        atomic_store_explicit(&subscription->sequence, sequence, memory_order_relaxed);
    return IPSEC_OK;
}

void
ipsec_event_unref(struct ipsec_event *event)
{
    sa_labels_unref(event->labels);
    event->labels = NULL;
}

bool
ipsec_subscription_has_news(const struct ipsec_subscription *subscription)
{
    const struct event_log *log = &subscription->table->log;

    return atomic_load_explicit(&log->end, memory_order_relaxed) != subscription->position ||
           atomic_load_explicit(&subscription->ended, memory_order_relaxed);
}

uint64_t
ipsec_subscription_sequence(const struct ipsec_subscription *subscription)
{
    return atomic_load_explicit(&subscription->sequence, memory_order_relaxed);
}

enum ipsec_status
ipsec_sa_context_subscriptions_get(struct ipsec_session *session,
                                   struct ipsec_subscription_page *page_out)
{
    struct subscription_table *table = &session->state->watch;
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ);

    *page_out = (struct ipsec_subscription_page){ .subscription_count = 0 };
    if (status != IPSEC_OK)
        return status;
    /* Nobody else adds any. */
    size_t room = (size_t)atomic_load(&table->live);
    if (room == 0)
        return IPSEC_OK;
    page_out->subscriptions = calloc(room, sizeof *page_out->subscriptions);
    if (page_out->subscriptions == NULL)
        return session_no_memory(session);

    mutex_lock(&table->lock);
    size_t count = 0;
    for (const struct ipsec_subscription *each = table->first; each != NULL; each = each->next)
        count++;
    page_out->subscription_count = count;
    for (const struct ipsec_subscription *each = table->first; each != NULL; each = each->next) {
        struct ipsec_subscription_info *info = &page_out->subscriptions[--count];

        *info = each->info;
        info->sequence = ipsec_subscription_sequence(each);
    }
    mutex_unlock(&table->lock);
    return IPSEC_OK;
}

void
ipsec_subscription_page_clear(struct ipsec_subscription_page *page)
{
    free(page->subscriptions);
    *page = (struct ipsec_subscription_page){ .subscription_count = 0 };
}

static enum ipsec_status
add(struct ipsec_session *session,
    struct ipsec_subscription *subscription,
    struct ipsec_completion *completion)
{
    struct subscription_table *table = subscription->table;

    if (table->maximum != 0 && atomic_load(&table->live) >= table->maximum)
        return ipsec_fault_set(
            session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
            "%" PRIu32 " watchers at once are the limit that max-watchers sets", table->maximum);
    mutex_lock(&table->lock);
    subscription->group = join_group(table, completion);
    if (subscription->group != NULL) {
        subscription->info.number = ++table->last_number;
        subscription->next = table->first;
        if (table->first != NULL)
            table->first->previous = subscription;
        table->first = subscription;
        atomic_fetch_add(&table->live, 1);
    }
    mutex_unlock(&table->lock);
    return subscription->group != NULL ? IPSEC_OK : session_no_memory(session);
}

/* Null: no memory. */
static struct watch_group *
join_group(struct subscription_table *table, struct ipsec_completion *completion)
{
    struct watch_group *group = table->groups;

    while (group != NULL && group->completion != completion)
        group = group->next;
    if (group == NULL) {
        group = malloc(sizeof *group);
        if (group == NULL)
            return NULL;
        *group = (struct watch_group){ .next = table->groups, .completion = completion };
        table->groups = group;
    }
    group->subscriptions++;
    return group;
}

static void
leave_group(struct subscription_table *table, struct watch_group *group)
{
    struct watch_group **link = &table->groups;

    if (--group->subscriptions > 0)
        return;
    while (*link != group)
        link = &(*link)->next;
    *link = group->next;
    free(group);
}

static enum ipsec_status
refuse_dropped(const struct subscription_table *table,
               struct ipsec_fault *fault,
               const char *detail)
{
    uint64_t oldest = event_log_oldest(&table->log);
    enum ipsec_status status =
        ipsec_fault_set(fault, IPSEC_NOTIFICATION_DROPPED, IPSEC_FAULT_SERVICE, NULL,
                        "%s (the oldest sequence to go on from is %" PRIu64
                        "); list again, then watch from the list's sequence",
                        detail, oldest);

    fault->oldest_sequence = oldest;
    return status;
}

/* Moves those that the watcher wants to the front and says how many they are. */
static size_t
keep_wanted(const struct ipsec_subscription *subscription, struct ipsec_event *events, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(subscription, &events[i])) {
            ipsec_event_unref(&events[i]);
            continue;
        }
        if (kept != i)
            events[kept] = events[i];
        kept++;
    }
    return kept;
}

static bool
is_wanted(const struct ipsec_subscription *subscription, const struct ipsec_event *event)
{
    const struct ipsec_sa_context_template *match = &subscription->info.match;

    return event->sequence > subscription->since &&
           (!match->traffic_type_given || match->traffic_type == event->traffic_type) &&
           sa_context_in_subnet(&match->local_subnet, event->ip_version, &event->local_address) &&
           sa_context_in_subnet(&match->remote_subnet, event->ip_version, &event->remote_address);
}
