/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_events.c: watching SA contexts (specification sections 7.8 and 9): who may, what is told
 * and when, and what a watcher that fell behind learns. */
#include "tests/conformance/wfp.h"

struct watch {
    struct wfp *wfp;
    struct ipsec_completion *completion;
    struct ipsec_subscription *subscription;
};

static enum ipsec_status
try_watch(struct watch *watch, const struct ipsec_subscription_options *options)
{
    struct wfp_call call = {
        .operation = WFP_SUBSCRIBE,
        .watch = options,
        .watcher = watch->completion,
    };
    enum ipsec_status status = wfp_run(watch->wfp, &call);

    watch->subscription = status == IPSEC_OK ? call.subscription : NULL;
    return status;
}

static struct watch
watch_begin(void **state)
{
    struct watch watch = { .wfp = *state };

    WFP_ASSERT(ipsec_completion_open(&watch.completion), IPSEC_OK);
    return watch;
}

static void
watch_end(struct watch *watch)
{
    ipsec_sa_context_unsubscribe(watch->subscription);
    ipsec_completion_close(watch->completion);
}

/* The next event, which has to be there. */
static struct ipsec_event
next_event(struct watch *watch)
{
    struct ipsec_event event = { .sequence = 0 };
    size_t count = 0;

    WFP_ASSERT(ipsec_subscription_read(watch->subscription, &event, 1, &count, &watch->wfp->fault),
               IPSEC_OK);
    assert_int_equal(count, 1);
    return event;
}

static void
no_event(struct watch *watch)
{
    struct ipsec_event event;
    size_t count = 1;

    WFP_ASSERT(ipsec_subscription_read(watch->subscription, &event, 1, &count, &watch->wfp->fault),
               IPSEC_OK);
    assert_int_equal(count, 0);
}

static void
run_right(void **state)
{
    struct watch watch = watch_begin(state);
    uint32_t *granted = &watch.wfp->rights.granted[IPSEC_CONTAINER_SA_DATABASE];

    *granted = FWPM_ACTRL_READ;
    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_ACCESS_DENIED);
    *granted = FWPM_ACTRL_SUBSCRIBE;
    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_ACCESS_DENIED);
    WFP_ASSERT(wfp_call(watch.wfp, WFP_SUBSCRIPTIONS_GET, 0), IPSEC_ACCESS_DENIED);
    *granted = FWPM_ACTRL_READ | FWPM_ACTRL_SUBSCRIBE;
    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    watch_end(&watch);
}

static void
in_each_session(void **state)
{
    struct watch watch = watch_begin(state);

    (void)wfp_enter(watch.wfp, WFP_DYNAMIC);
    WFP_ASSERT(wfp_begin(watch.wfp, true), IPSEC_OK);
    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_TXN_IN_PROGRESS);
    WFP_ASSERT(wfp_call(watch.wfp, WFP_SUBSCRIPTIONS_GET, 0), IPSEC_OK);
    WFP_ASSERT(wfp_abort(watch.wfp), IPSEC_OK);
    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    wfp_leave(watch.wfp);
    watch_end(&watch);
}

static void
add_and_delete_are_told(void **state)
{
    struct watch watch = watch_begin(state);
    const struct ipsec_traffic traffic = wfp_traffic(watch.wfp);
    uint64_t id = 0;

    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    no_event(&watch);
    WFP_ASSERT(wfp_create(watch.wfp, &traffic, &id), IPSEC_OK);
    struct ipsec_event event = next_event(&watch);
    assert_int_equal(event.type, IPSEC_CHANGE_ADD);
    assert_int_equal(event.id, id);
    uint64_t first = event.sequence;
    no_event(&watch);
    WFP_ASSERT(wfp_call(watch.wfp, WFP_DELETE_BY_ID, id), IPSEC_OK);
    event = next_event(&watch);
    assert_int_equal(event.type, IPSEC_CHANGE_DELETE);
    assert_int_equal(event.id, id);
    assert_true(event.sequence > first);
    watch_end(&watch);
}

static void
expire_without_sas_is_a_delete(void **state)
{
    struct watch watch = watch_begin(state);

    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    WFP_ASSERT(wfp_call(watch.wfp, WFP_EXPIRE, watch.wfp->contexts[IPSEC_SA_CONTEXT_CREATED]),
               IPSEC_OK);
    assert_int_equal(next_event(&watch).type, IPSEC_CHANGE_DELETE);
    watch_end(&watch);
}

static void
what_was_refused_is_not_told(void **state)
{
    struct watch watch = watch_begin(state);
    struct ipsec_traffic traffic = wfp_traffic(watch.wfp);

    traffic.ipsec_filter_id = 999999;
    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    WFP_ASSERT(wfp_create(watch.wfp, &traffic, NULL), IPSEC_FILTER_NOT_FOUND);
    no_event(&watch);
    watch_end(&watch);
}

static void
only_what_the_template_matches(void **state)
{
    struct watch watch = watch_begin(state);
    const struct ipsec_subscription_options options = {
        .match = { .remote_subnet = { .given = true,
                                      .ip_version = IPSEC_IP_VERSION_V4,
                                      .prefix_length = 32,
                                      .address = wfp_address("198.51.100.7") } },
    };
    struct ipsec_traffic traffic = wfp_traffic(watch.wfp);

    WFP_ASSERT(try_watch(&watch, &options), IPSEC_OK);
    (void)wfp_new_context(watch.wfp, IPSEC_SA_CONTEXT_CREATED); /* to another address */
    no_event(&watch);
    WFP_ASSERT(wfp_create(watch.wfp, &traffic, NULL), IPSEC_OK);
    assert_int_equal(next_event(&watch).type, IPSEC_CHANGE_ADD);
    watch_end(&watch);
}

static void
a_template_of_two_versions(void **state)
{
    struct watch watch = watch_begin(state);
    const struct ipsec_subscription_options options = {
        .match = { .local_subnet = { .given = true, .ip_version = IPSEC_IP_VERSION_V4 },
                   .remote_subnet = { .given = true, .ip_version = IPSEC_IP_VERSION_V6 } },
    };

    WFP_ASSERT(try_watch(&watch, &options), IPSEC_NEVER_MATCH);
    watch_end(&watch);
}

/* The engine keeps 64 events here. */
static void
who_falls_behind(void **state)
{
    struct watch watch = watch_begin(state);
    struct ipsec_event event;
    size_t count = 0;

    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    for (int i = 0; i < 100; i++)
        (void)wfp_new_context(watch.wfp, IPSEC_SA_CONTEXT_CREATED);
    WFP_ASSERT(ipsec_subscription_read(watch.subscription, &event, 1, &count, &watch.wfp->fault),
               IPSEC_NOTIFICATION_DROPPED);
    watch_end(&watch);
}

static void
since_what_is_no_longer_kept(void **state)
{
    struct watch watch = watch_begin(state);
    struct ipsec_subscription_options options = { .since_given = true };

    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    (void)wfp_new_context(watch.wfp, IPSEC_SA_CONTEXT_CREATED);
    options.since = next_event(&watch).sequence;
    (void)wfp_new_context(watch.wfp, IPSEC_SA_CONTEXT_CREATED);
    uint64_t following = next_event(&watch).sequence;
    ipsec_sa_context_unsubscribe(watch.subscription);

    WFP_ASSERT(try_watch(&watch, &options), IPSEC_OK);
    assert_int_equal(next_event(&watch).sequence, following);
    ipsec_sa_context_unsubscribe(watch.subscription);
    for (int i = 0; i < 100; i++)
        (void)wfp_new_context(watch.wfp, IPSEC_SA_CONTEXT_CREATED);
    WFP_ASSERT(try_watch(&watch, &options), IPSEC_NOTIFICATION_DROPPED);
    watch_end(&watch);
}

static void
it_ends_with_its_session(void **state)
{
    struct watch watch = watch_begin(state);
    struct wfp_call close = {
        .operation = WFP_ENGINE_CLOSE,
        .key = wfp_enter(watch.wfp, WFP_STATIC),
    };
    struct ipsec_event event;
    size_t count = 0;

    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    wfp_leave(watch.wfp);
    WFP_ASSERT(wfp_run(watch.wfp, &close), IPSEC_OK);
    WFP_ASSERT(ipsec_subscription_read(watch.subscription, &event, 1, &count, &watch.wfp->fault),
               IPSEC_SESSION_ABORTED);
    watch_end(&watch);
}

static void
subscriptions_are_listed_until_they_end(void **state)
{
    struct watch watch = watch_begin(state);
    struct wfp_call list = { .operation = WFP_SUBSCRIPTIONS_GET };

    WFP_ASSERT(try_watch(&watch, NULL), IPSEC_OK);
    WFP_ASSERT(wfp_run(watch.wfp, &list), IPSEC_OK);
    assert_int_equal(list.count, 1);
    ipsec_sa_context_unsubscribe(watch.subscription);
    watch.subscription = NULL;
    ipsec_sa_context_unsubscribe(NULL); /* does nothing */
    WFP_ASSERT(wfp_run(watch.wfp, &list), IPSEC_OK);
    assert_int_equal(list.count, 0);
    watch_end(&watch);
}

int
main(void)
{
    struct wfp_suite suite = { .count = 0 };

    wfp_sentence(&suite, run_right,
                 "IPsecSaContextSubscribe0 without FWPM_ACTRL_SUBSCRIBE or READ: "
                 "ERROR_ACCESS_DENIED");
    wfp_sentence(&suite, in_each_session,
                 "IPsecSaContextSubscribe0 in a transaction: FWP_E_TXN_IN_PROGRESS; "
                 "SubscriptionsGet0 and dynamic sessions may");
    wfp_sentence(&suite, add_and_delete_are_told,
                 "15.11, 15.12: ADD is told at Create, DELETE when gone, own changes too");
    wfp_sentence(&suite, expire_without_sas_is_a_delete,
                 "IPsecSaContextExpire0 of a context without SAs: DELETE is told");
    wfp_sentence(&suite, what_was_refused_is_not_told, "a call that is refused tells nothing");
    wfp_sentence(&suite, only_what_the_template_matches,
                 "IPsecSaContextSubscribe0 with a template: the rest is not told");
    wfp_sentence(&suite, a_template_of_two_versions,
                 "IPsecSaContextSubscribe0 with two IP versions: FWP_E_NEVER_MATCH");
    wfp_sentence(&suite, who_falls_behind,
                 "a watcher that fell behind: FWP_E_NOTIFICATION_DROPPED");
    wfp_sentence(&suite, since_what_is_no_longer_kept,
                 "IPsecSaContextSubscribe0 since a sequence: what followed, or "
                 "FWP_E_NOTIFICATION_DROPPED");
    wfp_sentence(&suite, it_ends_with_its_session,
                 "FwpmEngineClose0 ends the subscriptions of its session: FWP_E_SESSION_ABORTED");
    wfp_sentence(&suite, subscriptions_are_listed_until_they_end,
                 "IPsecSaContextSubscriptionsGet0 lists subscriptions until Unsubscribe0");
    return wfp_run_suite(&suite, "WFP notifications");
}
