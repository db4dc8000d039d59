/* SPDX-License-Identifier: Apache-2.0
 *
 * test_subscription.c: what watchers of SA contexts get to see, when, and how it ends. */
#include "engine/subscription.h"

#include <poll.h>
#include <pthread.h>

#include "engine/engine_internal.h"
#include "engine/session_due.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/sa_fixture.h"

enum { KEPT = 16, MAXIMUM = 3, READ_AT_ONCE = 5 };
enum { WRITERS = 3, WATCHERS = 4, CONTEXTS = 400 };

struct watching {
    struct sa_fixture sa;
    struct ipsec_completion *completion;
    struct ipsec_subscription *subscription;
    struct ipsec_event events[64]; /* what read_all() found */
    size_t count;
    struct ipsec_fault fault;
};

static struct ipsec_subscription *
subscribe(struct watching *watching, const struct ipsec_subscription_options *options)
{
    struct ipsec_subscription *subscription;

    assert_int_equal(ipsec_sa_context_subscribe(watching->sa.session, options, watching->completion,
                                                &subscription),
                     IPSEC_OK);
    return subscription;
}

static enum ipsec_status
try_subscribe(struct watching *watching, const struct ipsec_subscription_options *options)
{
    struct ipsec_subscription *subscription;
    enum ipsec_status status = ipsec_sa_context_subscribe(watching->sa.session, options,
                                                          watching->completion, &subscription);

    assert_int_equal(subscription == NULL, status != IPSEC_OK);
    ipsec_sa_context_unsubscribe(subscription);
    return status;
}

/* Everything there is, a few at a time. */
static enum ipsec_status
read_all(struct watching *watching)
{
    size_t count;
    enum ipsec_status status;

    watching->count = 0;
    do {
        status = ipsec_subscription_read(watching->subscription, watching->events + watching->count,
                                         READ_AT_ONCE, &count, &watching->fault);
        watching->count += count;
    } while (status == IPSEC_OK && count > 0);
    return status;
}

static struct watching
begin(void **test_state)
{
    struct watching watching = { .sa = sa_begin(test_state) };

    assert_true(subscription_table_configure(&watching.sa.state->watch, KEPT, MAXIMUM));
    assert_int_equal(ipsec_completion_open(&watching.completion), IPSEC_OK);
    settle(&watching.sa);
    watching.subscription =
        subscribe(&watching, &(struct ipsec_subscription_options){ .since = 0 });
    return watching;
}

static void
end(struct watching *watching)
{
    ipsec_sa_context_unsubscribe(watching->subscription);
    ipsec_completion_close(watching->completion);
}

/* What the engine does at the end of a batch. */
static bool
wakes(struct watching *watching)
{
    struct handover_results results = { .touched = NULL };
    struct pollfd event = { .fd = ipsec_completion_fd(watching->completion), .events = POLLIN };

    subscription_deliver(&watching->sa.state->watch, &results);
    bool woken = poll(&event, 1, 0) == 1;
    assert_null(ipsec_completion_take(watching->completion));
    assert_int_equal(poll(&event, 1, 0), 0);
    return woken;
}

static void
a_change_is_seen_once_it_is_committed(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;

    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 0);
    uint64_t id = new_context(sa);
    assert_false(ipsec_subscription_has_news(watching.subscription));
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 0);
    assert_false(wakes(&watching));

    settle(sa);
    assert_true(wakes(&watching));
    assert_true(ipsec_subscription_has_news(watching.subscription));
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 1);
    const struct ipsec_event *event = &watching.events[0];
    assert_int_equal(event->id, id);
    assert_int_equal(event->sequence, sa->state->revision);
    assert_int_equal(event->type, IPSEC_CHANGE_ADD);
    assert_int_equal(event->reason, IPSEC_REASON_CALL);
    assert_int_equal(event->state, IPSEC_SA_CONTEXT_CREATED);
    assert_int_equal(event->at_ms, sa->state->now_ms);
    assert_int_equal(event->ip_version, IPSEC_IP_VERSION_V4);
    assert_int_equal(event->traffic_type, IPSEC_TRAFFIC_TYPE_TRANSPORT);
    const struct ipsec_traffic traffic = transport_traffic(1);
    assert_memory_equal(&event->local_address, &traffic.local_address, 16);
    assert_memory_equal(&event->remote_address, &traffic.remote_address, 16);
    assert_false(ipsec_subscription_has_news(watching.subscription));
    assert_false(wakes(&watching));
    end(&watching);
}

static void
what_was_undone_is_never_seen(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;

    (void)new_context(sa);
    state_undo(sa->state, (struct batch_mark){ .change_count = 0 }); /* the commit failed */
    settle(sa);
    assert_false(wakes(&watching));
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 0);

    /* A part of a call that was taken back. */
    uint64_t kept = new_context(sa);
    struct ipsec_savepoint savepoint = ipsec_session_savepoint(sa->session, 1);
    (void)new_context(sa);
    ipsec_session_rollback(sa->session, &savepoint);
    settle(sa);
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 1);
    assert_int_equal(watching.events[0].id, kept);
    end(&watching);
}

static void
a_life_is_seen_step_by_step_in_order(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    uint64_t id = context_in(sa, IPSEC_SA_CONTEXT_ACTIVE);

    assert_int_equal(ipsec_sa_context_expire(sa->session, id), IPSEC_OK);
    advance(sa, 60000);
    run_due(sa);
    settle(sa);
    assert_int_equal(read_all(&watching), IPSEC_OK);
    static const struct {
        int type;
        int state;
        int reason;
    } expected[] = {
        { IPSEC_CHANGE_ADD, IPSEC_SA_CONTEXT_CREATED, IPSEC_REASON_CALL },
        { IPSEC_CHANGE_UPDATE, IPSEC_SA_CONTEXT_SPI_SET, IPSEC_REASON_CALL },
        { IPSEC_CHANGE_UPDATE, IPSEC_SA_CONTEXT_INBOUND, IPSEC_REASON_CALL },
        { IPSEC_CHANGE_UPDATE, IPSEC_SA_CONTEXT_ACTIVE, IPSEC_REASON_CALL },
        { IPSEC_CHANGE_UPDATE, IPSEC_SA_CONTEXT_EXPIRING, IPSEC_REASON_CALL },
        { IPSEC_CHANGE_DELETE, IPSEC_SA_CONTEXT_EXPIRING, IPSEC_REASON_GRACE },
    };
    assert_int_equal(watching.count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(watching.events[i].id, id);
        assert_int_equal(watching.events[i].type, expected[i].type);
        assert_int_equal(watching.events[i].state, expected[i].state);
        assert_int_equal(watching.events[i].reason, expected[i].reason);
        assert_true(i == 0 || watching.events[i].sequence > watching.events[i - 1].sequence);
    }
    end(&watching);
}

static void
only_what_the_template_wants_is_seen(void **test_state)
{
    static const struct {
        struct ipsec_subscription_options options;
        bool seen;
    } rows[] = {
        { { .match = { .traffic_type_given = true, .traffic_type = IPSEC_TRAFFIC_TYPE_TRANSPORT } },
          true },
        { { .match = { .traffic_type_given = true, .traffic_type = IPSEC_TRAFFIC_TYPE_TUNNEL } },
          false },
        { { .match = { .local_subnet = { true, IPSEC_IP_VERSION_V4, 24, { { 192, 0, 2 } } } } },
          true },
        { { .match = { .local_subnet = { true, IPSEC_IP_VERSION_V4, 32, { { 192, 0, 2, 2 } } } } },
          false },
        { { .match = { .remote_subnet = { true, IPSEC_IP_VERSION_V4, 0, { { 0 } } } } }, true },
        { { .match = { .remote_subnet = { true, IPSEC_IP_VERSION_V6, 0, { { 0 } } } } }, false },
    };
    struct watching watching = begin(test_state);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ipsec_sa_context_unsubscribe(watching.subscription);
        watching.subscription = subscribe(&watching, &rows[i].options);
        (void)new_context(&watching.sa);
        settle(&watching.sa);
        assert_int_equal(read_all(&watching), IPSEC_OK);
        assert_int_equal(watching.count, rows[i].seen ? 1 : 0);
        /* Also what did not match was looked at. */
        assert_int_equal(ipsec_subscription_sequence(watching.subscription),
                         watching.sa.state->revision);
    }
    end(&watching);
}

static void
set_label(struct watching *watching, uint64_t id, char site)
{
    char name[] = "site";
    char value[] = { site, '\0' };
    const struct ipsec_labels labels = { .count = 1, .pairs = { { name, value } } };
    const struct ipsec_sa_context_update update = { .parts = IPSEC_UPDATE_LABELS,
                                                    .labels = &labels };
    struct ipsec_sa_context changed;

    assert_int_equal(ipsec_sa_context_update(watching->sa.session, id, &update, &changed),
                     IPSEC_OK);
    ipsec_sa_context_unref(&changed);
}

/* Gives up what read_all() found. */
static void
drop_events(struct watching *watching)
{
    while (watching->count > 0)
        ipsec_event_unref(&watching->events[--watching->count]);
}

static void
an_event_has_the_labels_of_then(void **test_state)
{
    static const struct ipsec_subscription_options tunnels = {
        .match = { .traffic_type_given = true, .traffic_type = IPSEC_TRAFFIC_TYPE_TUNNEL }
    };
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    struct ipsec_subscription *other = subscribe(&watching, &tunnels);
    uint64_t id = new_context(sa);

    set_label(&watching, id, 'b'); /* all in one batch */
    set_label(&watching, id, 'c');
    assert_int_equal(ipsec_sa_context_delete_by_id(sa->session, id), IPSEC_OK);
    settle(sa);
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 4);
    assert_null(watching.events[0].labels);
    assert_string_equal(watching.events[1].labels->pairs[0].value, "b");
    assert_string_equal(watching.events[2].labels->pairs[0].value, "c");
    assert_ptr_equal(watching.events[3].labels, watching.events[2].labels);
    drop_events(&watching);

    /* Nothing is left of what a watcher did not want. */
    ipsec_sa_context_unsubscribe(watching.subscription);
    watching.subscription = other;
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 0);
    end(&watching);
}

/* The ring lets go of labels that nobody reads any more; who has an event has its labels. */
static void
labels_live_as_long_as_an_event_has_them(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    uint64_t id = new_context(sa);

    set_label(&watching, id, 'b');
    settle(sa);
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 2);
    for (size_t i = 0; i <= KEPT; i++)
        set_label(&watching, id, i % 2 == 0 ? 'c' : 'd');
    settle(sa);
    assert_string_equal(watching.events[1].labels->pairs[0].value, "b");
    drop_events(&watching);
    assert_int_equal(read_all(&watching), IPSEC_NOTIFICATION_DROPPED);
    end(&watching);
}

static void
a_list_and_what_follows_have_every_context_once(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    const struct ipsec_sa_context_template all = { .spi = 0 };
    struct ipsec_sa_context_page page;

    uint64_t before = new_context(sa);
    settle(sa);
    uint64_t same_batch = new_context(sa);
    assert_int_equal(ipsec_sa_context_enum(sa->session, &all, 0, 10, &page), IPSEC_OK);
    uint64_t after = new_context(sa);
    assert_int_equal(page.context_count, 2);
    assert_int_equal(page.contexts[0].id, before);
    assert_int_equal(page.contexts[1].id, same_batch);

    ipsec_sa_context_unsubscribe(watching.subscription);
    watching.subscription = subscribe(&watching, &(struct ipsec_subscription_options){
                                                     .since_given = true, .since = page.sequence });
    settle(sa);
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 1);
    assert_int_equal(watching.events[0].id, after);
    ipsec_sa_context_page_clear(&page);
    end(&watching);
}

static void
without_since_only_later_changes_are_seen(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;

    (void)new_context(sa); /* in the batch of the subscription, before it */
    ipsec_sa_context_unsubscribe(watching.subscription);
    watching.subscription =
        subscribe(&watching, &(struct ipsec_subscription_options){ .since = 0 });
    uint64_t later = new_context(sa);
    settle(sa);
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, 1);
    assert_int_equal(watching.events[0].id, later);
    end(&watching);
}

static void
what_may_not_watch_is_refused(void **test_state)
{
    static const uint32_t rights[] = { FWPM_ACTRL_SUBSCRIBE, FWPM_ACTRL_READ };
    const struct ipsec_subscription_options all = { .since = 0 };
    const struct ipsec_subscription_options contradiction = {
        .match = { .local_subnet = { .given = true, .ip_version = IPSEC_IP_VERSION_V4 },
                   .remote_subnet = { .given = true, .ip_version = IPSEC_IP_VERSION_V6 } },
    };
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    uint32_t *granted = &sa->base->caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE];
    uint32_t before = *granted;

    for (size_t i = 0; i < 2; i++) {
        *granted = ~rights[i];
        assert_int_equal(try_subscribe(&watching, &all), IPSEC_ACCESS_DENIED);
        *granted = FWPM_ACTRL_SUBSCRIBE | FWPM_ACTRL_READ;
        assert_int_equal(try_subscribe(&watching, &all), IPSEC_OK);
    }
    *granted = before;
    sa->session->transaction = IPSEC_READ_TRANSACTION;
    assert_int_equal(try_subscribe(&watching, &all), IPSEC_TXN_IN_PROGRESS);
    sa->session->transaction = IPSEC_NO_TRANSACTION;
    assert_int_equal(try_subscribe(&watching, &contradiction), IPSEC_NEVER_MATCH);
    sa->session->flags = IPSEC_SESSION_DYNAMIC;
    assert_int_equal(try_subscribe(&watching, &all), IPSEC_OK);
    sa->session->flags = 0;
    end(&watching);
}

static void
there_is_a_limit(void **test_state)
{
    const struct ipsec_subscription_options all = { .since = 0 };
    struct watching watching = begin(test_state);
    struct ipsec_subscription *more[MAXIMUM - 1];

    for (size_t i = 0; i < MAXIMUM - 1; i++)
        more[i] = subscribe(&watching, &all);
    assert_int_equal(try_subscribe(&watching, &all), IPSEC_RPC_OUT_OF_RESOURCES);
    ipsec_sa_context_unsubscribe(more[0]);
    assert_int_equal(try_subscribe(&watching, &all), IPSEC_OK);
    ipsec_sa_context_unsubscribe(more[1]);
    end(&watching);
}

static void
who_falls_behind_is_told(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    const struct ipsec_subscription_options too_old = { .since_given = true,
                                                        .since = sa->state->revision };

    for (int i = 0; i < KEPT; i++)
        (void)new_context(sa);
    settle(sa);
    assert_int_equal(try_subscribe(&watching, &too_old), IPSEC_OK);
    (void)new_context(sa);
    settle(sa);
    assert_int_equal(read_all(&watching), IPSEC_NOTIFICATION_DROPPED);
    assert_int_equal(watching.count, 0);
    assert_int_equal(watching.fault.oldest_sequence, too_old.since + 1);
    assert_int_equal(read_all(&watching), IPSEC_NOTIFICATION_DROPPED);
    assert_int_equal(sa->state->watch.dropped, 1);

    assert_int_equal(try_subscribe(&watching, &too_old), IPSEC_NOTIFICATION_DROPPED);
    assert_int_equal(sa->base->fault.oldest_sequence, too_old.since + 1);
    const struct ipsec_subscription_options oldest = { .since_given = true,
                                                       .since = too_old.since + 1 };
    ipsec_sa_context_unsubscribe(watching.subscription);
    watching.subscription = subscribe(&watching, &oldest);
    assert_int_equal(read_all(&watching), IPSEC_OK);
    assert_int_equal(watching.count, KEPT);
    const struct ipsec_subscription_options future = { .since_given = true,
                                                       .since = sa->state->revision + 1 };
    assert_int_equal(try_subscribe(&watching, &future), IPSEC_NOTIFICATION_DROPPED);
    end(&watching);
}

static void
a_subscription_ends_with_its_session(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    struct ipsec_session other = open_session(sa->base, 0);
    struct ipsec_session own = open_session(sa->base, 0);
    const struct ipsec_guid other_key = other.entry->record.key;
    const struct ipsec_guid own_key = own.entry->record.key;

    settle(sa);
    ipsec_sa_context_unsubscribe(watching.subscription);
    assert_int_equal(ipsec_sa_context_subscribe(&own,
                                                &(struct ipsec_subscription_options){ .since = 0 },
                                                watching.completion, &watching.subscription),
                     IPSEC_OK);
    assert_int_equal(ipsec_session_close(sa->session, &other_key), IPSEC_OK);
    settle(sa);
    assert_false(wakes(&watching));
    assert_int_equal(read_all(&watching), IPSEC_OK);

    assert_int_equal(ipsec_session_close(sa->session, &own_key), IPSEC_OK);
    assert_int_equal(read_all(&watching), IPSEC_OK); /* not committed yet */
    settle(sa);
    assert_true(wakes(&watching));
    assert_true(ipsec_subscription_has_news(watching.subscription));
    assert_int_equal(read_all(&watching), IPSEC_SESSION_ABORTED);
    end(&watching);
}

static void
a_session_in_which_somebody_watches_is_in_use(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    const struct ipsec_subscription_options all = { .since = 0 };

    sa->state->sessions.limits.idle_ms = 1000;
    struct ipsec_session session = open_session(sa->base, 0);
    settle(sa);
    ipsec_sa_context_unsubscribe(watching.subscription);
    assert_int_equal(
        ipsec_sa_context_subscribe(&session, &all, watching.completion, &watching.subscription),
        IPSEC_OK);
    for (int i = 0; i < 3; i++) {
        advance(sa, 1000);
        session_end_due.run(sa->state);
        assert_false(session.entry->record.aborted);
    }
    ipsec_sa_context_unsubscribe(watching.subscription);
    watching.subscription = NULL;
    advance(sa, 1000);
    session_end_due.run(sa->state);
    assert_true(session.entry->record.aborted);
    end(&watching);
}

static void
subscriptions_are_listed(void **test_state)
{
    struct watching watching = begin(test_state);
    struct sa_fixture *sa = &watching.sa;
    struct ipsec_session session = open_session(sa->base, 0);
    struct ipsec_subscription *second;
    struct ipsec_subscription_page page;
    const struct ipsec_subscription_options options = {
        .match = { .remote_subnet = { true, IPSEC_IP_VERSION_V4, 24, { { 192, 0, 2 } } } },
    };

    settle(sa);
    assert_int_equal(ipsec_sa_context_subscribe(&session, &options, watching.completion, &second),
                     IPSEC_OK);
    assert_int_equal(ipsec_sa_context_subscriptions_get(sa->session, &page), IPSEC_OK);
    assert_int_equal(page.subscription_count, 2);
    assert_true(page.subscriptions[0].number < page.subscriptions[1].number);
    assert_false(page.subscriptions[0].match.remote_subnet.given);
    assert_true(page.subscriptions[1].match.remote_subnet.given);
    assert_memory_equal(&page.subscriptions[1].session_key, &session.entry->record.key, 16);
    assert_string_equal(principal_name(&sa->state->principals, page.subscriptions[1].principal),
                        sa->base->caller.principal);
    assert_int_equal(page.subscriptions[1].since_ms, sa->state->now_ms);
    assert_int_equal(page.subscriptions[1].sequence, sa->state->revision);
    ipsec_subscription_page_clear(&page);

    ipsec_sa_context_unsubscribe(watching.subscription);
    watching.subscription = second;
    assert_int_equal(ipsec_sa_context_subscriptions_get(sa->session, &page), IPSEC_OK);
    assert_int_equal(page.subscription_count, 1);
    ipsec_subscription_page_clear(&page);
    ipsec_sa_context_unsubscribe(second);
    watching.subscription = NULL;
    assert_int_equal(ipsec_sa_context_subscriptions_get(sa->session, &page), IPSEC_OK);
    assert_int_equal(page.subscription_count, 0);

    sa->base->caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE] &= ~(uint32_t)FWPM_ACTRL_READ;
    assert_int_equal(ipsec_sa_context_subscriptions_get(sa->session, &page), IPSEC_ACCESS_DENIED);
    end(&watching);
}

/* --- With an engine --- */

struct test_call {
    struct ipsec_call base;
    uint64_t filter_id; /* 0: subscribe */
    struct ipsec_subscription_options options;
    struct ipsec_completion *completion;
    struct ipsec_subscription *subscription;
    uint64_t id;
};

static struct ipsec_engine *engine;
static uint64_t filter_id;

static enum ipsec_status
run(struct ipsec_call *base, struct ipsec_session *session)
{
    struct test_call *call = (struct test_call *)base;
    const struct ipsec_traffic traffic = transport_traffic(call->filter_id);

    if (call->completion != NULL)
        return ipsec_sa_context_subscribe(session, &call->options, call->completion,
                                          &call->subscription);
    if (call->filter_id != 0)
        return ipsec_sa_context_create(session, &traffic, NULL, &call->id);
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_guid key;
    return ipsec_filter_add(session, &filter, &call->id, &key);
}

static enum ipsec_status
do_call(struct test_call *call)
{
    call->base = (struct ipsec_call){ .run = run };
    return ipsec_engine_call(engine, &call->base);
}

static uint64_t
revision(void)
{
    struct ipsec_engine_figures figures;

    ipsec_engine_read_figures(engine, &figures);
    return figures.revision;
}

static void
open_engine(void)
{
    const struct ipsec_engine_options options = {
        .queue_depth = 64,
        .max_batch = 16,
        .probe_interval_ms = 10,
        .kept_events = 1 << 14,
    };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    assert_int_equal(ipsec_engine_open_with(&options, &fake_store, "", &fault, &engine), IPSEC_OK);
}

static int
engine_setup(void **state)
{
    struct test_call add = { .filter_id = 0 };

    (void)state;
    open_engine();
    if (do_call(&add) != IPSEC_OK)
        return -1;
    filter_id = add.id;
    return 0;
}

static int
engine_teardown(void **state)
{
    (void)state;
    ipsec_engine_close(engine);
    fake_clear();
    return 0;
}

static void *
create_contexts(void *unused)
{
    uintptr_t failures = 0;

    (void)unused;
    for (int i = 0; i < CONTEXTS; i++) {
        struct test_call call = { .filter_id = filter_id };

        failures += do_call(&call) != IPSEC_OK;
    }
    return (void *)failures;
}

/* Subscribes and follows until all contexts were seen, each once, in order. */
static void *
watch(void *argument)
{
    const uint64_t *since = argument;
    struct test_call call = { .options = { .since_given = true, .since = *since } };
    struct ipsec_event events[16];
    struct ipsec_fault fault;
    uint64_t last_sequence = *since;
    uintptr_t failures = 0;
    size_t seen = 0;

    if (ipsec_completion_open(&call.completion) != IPSEC_OK || do_call(&call) != IPSEC_OK)
        return (void *)UINTPTR_MAX;
    struct pollfd event = { .fd = ipsec_completion_fd(call.completion), .events = POLLIN };
    while (seen < (size_t)WRITERS * CONTEXTS) {
        size_t count;

        if (!ipsec_subscription_has_news(call.subscription)) {
            (void)poll(&event, 1, -1);
            (void)ipsec_completion_take(call.completion);
        }
        if (ipsec_subscription_read(call.subscription, events, 16, &count, &fault) != IPSEC_OK)
            return (void *)UINTPTR_MAX;
        for (size_t i = 0; i < count; i++) {
            failures += events[i].sequence <= last_sequence || events[i].type != IPSEC_CHANGE_ADD;
            last_sequence = events[i].sequence;
        }
        seen += count;
    }
    failures += seen != (size_t)WRITERS * CONTEXTS;
    ipsec_sa_context_unsubscribe(call.subscription);
    ipsec_completion_close(call.completion);
    return (void *)failures;
}

static void
several_threads_watch_what_several_change(void **state)
{
    (void)state;
    pthread_t threads[WRITERS + WATCHERS];
    uint64_t since = revision();

    for (size_t i = 0; i < WRITERS + WATCHERS; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < WRITERS ? create_contexts : watch, &since), 0);
    for (size_t i = 0; i < WRITERS + WATCHERS; i++) {
        void *failures;

        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
    struct ipsec_engine_figures figures;
    ipsec_engine_read_figures(engine, &figures);
    assert_int_equal(figures.subscriptions, 0);
    assert_int_equal(figures.subscriptions_dropped, 0);
    assert_int_equal(figures.events_published, (uint64_t)WRITERS * CONTEXTS);
}

static void
after_a_restart_only_who_missed_nothing_goes_on(void **state)
{
    (void)state;
    struct test_call create = { .filter_id = filter_id };
    struct test_call subscribe_call = { .options = { .since_given = true } };
    struct ipsec_event events[4];
    struct ipsec_fault fault;
    size_t count;

    assert_int_equal(ipsec_completion_open(&subscribe_call.completion), IPSEC_OK);
    assert_int_equal(do_call(&create), IPSEC_OK);
    uint64_t missed_one = revision();
    assert_int_equal(do_call(&create), IPSEC_OK);
    uint64_t last = revision();
    ipsec_engine_close(engine);
    open_engine();

    subscribe_call.options.since = missed_one;
    assert_int_equal(do_call(&subscribe_call), IPSEC_NOTIFICATION_DROPPED);
    assert_int_equal(subscribe_call.base.fault.oldest_sequence, last);
    subscribe_call.options.since = last + 1;
    assert_int_equal(do_call(&subscribe_call), IPSEC_NOTIFICATION_DROPPED);
    subscribe_call.options.since = last;
    assert_int_equal(do_call(&subscribe_call), IPSEC_OK);

    assert_int_equal(do_call(&create), IPSEC_OK);
    assert_int_equal(
        ipsec_subscription_read(subscribe_call.subscription, events, 4, &count, &fault), IPSEC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(events[0].id, create.id);
    assert_true(events[0].sequence > last);
    ipsec_sa_context_unsubscribe(subscribe_call.subscription);
    ipsec_completion_close(subscribe_call.completion);
}

/* What a watcher has seen last, or a list has said, holds over restarts while nothing changes. */
static void
who_missed_nothing_goes_on_over_many_restarts(void **state)
{
    (void)state;
    struct test_call create = { .filter_id = filter_id };
    struct test_call subscribe_call = { .options = { .since_given = false } };
    uint64_t last = 0;

    assert_int_equal(ipsec_completion_open(&subscribe_call.completion), IPSEC_OK);
    for (int i = 0; i < 6; i++) {
        if (i == 3)
            assert_int_equal(do_call(&create), IPSEC_OK);
        assert_int_equal(do_call(&subscribe_call), IPSEC_OK);
        uint64_t sequence = ipsec_subscription_sequence(subscribe_call.subscription);
        assert_true(sequence >= last);
        if (i != 3 && i != 0)
            assert_int_equal(sequence, last);
        last = sequence;
        ipsec_sa_context_unsubscribe(subscribe_call.subscription);

        ipsec_engine_close(engine);
        open_engine();
        if (i == 4) { /* a run that nobody called */
            ipsec_engine_close(engine);
            open_engine();
        }
        subscribe_call.options =
            (struct ipsec_subscription_options){ .since_given = true, .since = last };
        assert_int_equal(do_call(&subscribe_call), IPSEC_OK);
        ipsec_sa_context_unsubscribe(subscribe_call.subscription);
        subscribe_call.options.since_given = false;
    }
    ipsec_completion_close(subscribe_call.completion);
}

static void
a_commit_that_fails_publishes_nothing(void **state)
{
    (void)state;
    struct test_call create = { .filter_id = filter_id };
    struct test_call subscribe_call = { .options = { .since = 0 } };
    struct ipsec_event events[4];
    struct ipsec_fault fault;
    struct ipsec_engine_figures figures = { .writable = false };
    size_t count;

    assert_int_equal(ipsec_completion_open(&subscribe_call.completion), IPSEC_OK);
    assert_int_equal(do_call(&subscribe_call), IPSEC_OK);
    fake.commit_status = IPSEC_RPC_SYS_CALL_FAILED;
    assert_int_equal(do_call(&create), IPSEC_RPC_SYS_CALL_FAILED);
    fake.commit_status = IPSEC_OK;
    while (!figures.writable)
        ipsec_engine_read_figures(engine, &figures);
    assert_int_equal(do_call(&create), IPSEC_OK);
    assert_int_equal(
        ipsec_subscription_read(subscribe_call.subscription, events, 4, &count, &fault), IPSEC_OK);
    assert_int_equal(count, 1);
    assert_int_equal(events[0].id, create.id);
    ipsec_sa_context_unsubscribe(subscribe_call.subscription);
    ipsec_completion_close(subscribe_call.completion);
}

#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, engine_setup, engine_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_change_is_seen_once_it_is_committed),
        FIXTURE_TEST(what_was_undone_is_never_seen),
        FIXTURE_TEST(a_life_is_seen_step_by_step_in_order),
        FIXTURE_TEST(only_what_the_template_wants_is_seen),
        FIXTURE_TEST(an_event_has_the_labels_of_then),
        FIXTURE_TEST(labels_live_as_long_as_an_event_has_them),
        FIXTURE_TEST(a_list_and_what_follows_have_every_context_once),
        FIXTURE_TEST(without_since_only_later_changes_are_seen),
        FIXTURE_TEST(what_may_not_watch_is_refused),
        FIXTURE_TEST(there_is_a_limit),
        FIXTURE_TEST(who_falls_behind_is_told),
        FIXTURE_TEST(a_subscription_ends_with_its_session),
        FIXTURE_TEST(a_session_in_which_somebody_watches_is_in_use),
        FIXTURE_TEST(subscriptions_are_listed),
        ENGINE_TEST(several_threads_watch_what_several_change),
        ENGINE_TEST(after_a_restart_only_who_missed_nothing_goes_on),
        ENGINE_TEST(who_missed_nothing_goes_on_over_many_restarts),
        ENGINE_TEST(a_commit_that_fails_publishes_nothing),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
