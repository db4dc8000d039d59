/* SPDX-License-Identifier: Apache-2.0
 *
 * test_plane_check.c: comparing with the data plane, what it counts of a context, and what it can't
 * do. */
#include "engine/plane_check.h"

#include "engine/sa_plane.h"

#include "tests/unit/fake_plane.h"
#include "tests/unit/sa_fixture.h"

static struct sa_fixture
start(void **state)
{
    struct sa_fixture sa = sa_begin(state);

    memset(&fake_plane_state, 0, sizeof fake_plane_state);
    sa.state->sa.plane_ops = &fake_plane;
    return sa;
}

/* Up to the next check, and runs it. */
static void
check(const struct sa_fixture *sa)
{
    int64_t next_ms = plane_check_source.next(sa->state);

    if (next_ms > sa->state->clock_ms)
        advance(sa, next_ms - sa->state->clock_ms);
    plane_check_source.run(sa->state);
}

static void
checks_come_less_often_while_there_is_nothing_to_find(void **state)
{
    struct sa_fixture sa = start(state);
    struct plane_check *checks = &sa.state->plane_check;
    int64_t before_ms = 0;

    check(&sa); /* decides when the first one is */
    assert_int_equal(checks->checks, 0);
    for (int i = 0; i < 10; i++) {
        check(&sa);
        assert_true(checks->interval_ms > before_ms || checks->interval_ms == 900000);
        before_ms = checks->interval_ms;
    }
    assert_int_equal(checks->checks, 10);
    assert_int_equal(checks->interval_ms, 900000);
    assert_int_equal(checks->repairs, 0);
}

static void
a_difference_is_mended_and_looked_for_again_soon(void **state)
{
    struct sa_fixture sa = start(state);
    struct plane_check *checks = &sa.state->plane_check;

    check(&sa);
    check(&sa);
    check(&sa);
    fake_plane_state.drift.filters_missing = 2;
    check(&sa);
    assert_int_equal(checks->repairs, 1);
    assert_int_equal(checks->interval_ms, 30000);
    /* The filters of the fixture were added to another plane: here they are missing. */
    assert_non_null(fake_plane_filter(sa.outbound_filter));
    assert_true(sa.state->sa.resuming);
}

static void
what_others_have_is_no_difference(void **state)
{
    struct sa_fixture sa = start(state);

    fake_plane_state.drift.foreign = 7;
    check(&sa);
    check(&sa);
    assert_int_equal(sa.state->plane_check.repairs, 0);
    assert_int_equal(sa.state->plane_check.drift.foreign, 7);
}

static void
a_plane_that_does_not_answer_is_counted(void **state)
{
    struct sa_fixture sa = start(state);
    struct ipsec_drift drift;

    fake_plane_state.drift_status = IPSEC_RPC_DISCONNECTED;
    check(&sa);
    check(&sa);
    assert_int_equal(sa.state->plane_check.failures, 1);
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_RPC_DISCONNECTED);
    assert_int_equal(ipsec_reconcile(sa.session, &drift, NULL), IPSEC_RPC_DISCONNECTED);
    assert_int_equal(sa.state->plane_check.repairs, 0);
}

static void
callers_may_ask_and_mend_with_the_right(void **state)
{
    struct sa_fixture sa = start(state);
    struct ipsec_drift drift;
    struct ipsec_call dry = { .dry_run = true };

    fake_plane_state.drift.bundles_missing = 3;
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_OK);
    assert_int_equal(drift.sas_missing, 3);
    assert_int_equal(sa.state->plane_check.repairs, 0);
    sa.session->call = &dry;
    assert_int_equal(ipsec_reconcile(sa.session, &drift, NULL), IPSEC_OK);
    sa.session->call = NULL;
    assert_int_equal(sa.state->plane_check.repairs, 0);
    assert_int_equal(ipsec_reconcile(sa.session, &drift, NULL), IPSEC_OK);
    assert_int_equal(drift.sas_missing, 3);
    assert_int_equal(sa.state->plane_check.repairs, 1);
    /* Contexts are asked for from the next batch on. */
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_RPC_SERVERCALL_RETRYLATER);
    run_due(&sa);
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_OK);

    sa.base->caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE] = ~(uint32_t)FWPM_ACTRL_READ_STATS;
    sa.base->caller.rights.granted[IPSEC_CONTAINER_ENGINE] = ~(uint32_t)FWPM_ACTRL_WRITE;
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_ACCESS_DENIED);
    assert_int_equal(ipsec_reconcile(sa.session, &drift, NULL), IPSEC_ACCESS_DENIED);
}

static void
callers_are_told_which_they_are(void **state)
{
    struct sa_fixture sa = start(state);
    struct ipsec_drift drift;
    static struct ipsec_drift_names names;

    fake_plane_state.drift.bundles_missing = 2;
    fake_plane_state.drift.names.contexts_missing =
        (struct ipsec_drift_ids){ .ids = { 7, 9 }, .count = 2 };
    fake_plane_state.drift.names.sa_left_over_count = 1;
    fake_plane_state.drift.names.sas_left_over[0].spi = 4097;
    assert_int_equal(ipsec_get_drift(sa.session, &drift, &names), IPSEC_OK);
    assert_int_equal(names.contexts_missing.count, 2);
    assert_int_equal(names.contexts_missing.ids[1], 9);
    memset(&names, 0, sizeof names);
    assert_int_equal(ipsec_reconcile(sa.session, &drift, &names), IPSEC_OK);
    assert_int_equal(names.sa_left_over_count, 1);
    assert_int_equal(names.sas_left_over[0].spi, 4097);
}

static void
callers_who_may_only_look_get_the_last_comparison_for_a_while(void **state)
{
    struct sa_fixture sa = start(state);
    const struct plane_check *checks = &sa.state->plane_check;
    struct ipsec_drift drift;

    fake_plane_state.drift_takes_us = 2000;
    fake_plane_state.drift.bundles_missing = 3;
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_OK);
    assert_int_equal(drift.compared_at_ms, sa.state->now_ms);
    int64_t first_ms = sa.state->now_ms;

    fake_plane_state.drift.bundles_missing = 4;
    advance(&sa, 100);
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_OK);
    assert_int_equal(drift.sas_missing, 3);
    assert_int_equal(drift.compared_at_ms, first_ms);
    assert_int_equal(checks->checks, 1);
    /* So does whoever tries a mend, as often as he likes. */
    struct ipsec_call dry = { .dry_run = true };
    sa.session->call = &dry;
    assert_int_equal(ipsec_reconcile(sa.session, &drift, NULL), IPSEC_OK);
    sa.session->call = NULL;
    assert_int_equal(drift.sas_missing, 3);
    assert_int_equal(checks->checks, 1);
    assert_int_equal(checks->repairs, 0);

    /* Later everybody sees what is. */
    fake_plane_state.drift.bundles_missing = 5;
    advance(&sa, checks->told_until_ms - sa.state->clock_ms);
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_OK);
    assert_int_equal(drift.sas_missing, 5);
    /* And after it was mended. */
    assert_int_equal(ipsec_reconcile(sa.session, &drift, NULL), IPSEC_OK);
    run_due(&sa);
    fake_plane_state.drift.bundles_missing = 0;
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_OK);
    assert_int_equal(drift.sas_missing, 0);

    /* A plane that does not answer is not asked more often either. */
    fake_plane_state.drift_status = IPSEC_RPC_DISCONNECTED;
    advance(&sa, 60000);
    uint64_t before = checks->checks;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_RPC_DISCONNECTED);
    assert_int_equal(checks->checks, before + 1);
}

/* --- Before it is time ------------------------------------------------------------------------ */

/* Up to the next check that is due by itself, and some more, so that none is for a long time. */
static void
come_to_rest(const struct sa_fixture *sa)
{
    for (int i = 0; i < 8; i++)
        check(sa);
    advance(sa, 60000);
    assert_true(plane_check_source.next(sa->state) > sa->state->clock_ms + 60000);
}

/* The engine looks, and compares if that is due; whether it did. */
static bool
hear(const struct sa_fixture *sa, enum plane_doubt doubt)
{
    uint64_t before = sa->state->plane_check.checks;

    fake_plane_state.doubt = doubt;
    sa_plane_events_source.run(sa->state);
    assert_int_equal(fake_plane_state.doubt, PLANE_DOUBT_NONE);
    if (plane_check_source.next(sa->state) <= sa->state->clock_ms)
        plane_check_source.run(sa->state);
    return sa->state->plane_check.checks != before;
}

static void
what_somebody_else_took_away_is_mended_at_once(void **state)
{
    struct sa_fixture sa = start(state);

    come_to_rest(&sa);
    assert_false(hear(&sa, PLANE_DOUBT_NONE));
    fake_plane_state.drift.filters_missing = 2;
    assert_true(hear(&sa, PLANE_DOUBT_SURE));
    assert_int_equal(sa.state->plane_check.repairs, 1);
    assert_non_null(fake_plane_filter(sa.outbound_filter));
    assert_true(sa.state->sa.resuming);
    assert_int_equal(sa.state->plane_check.interval_ms, 30000);
}

static void
a_storm_of_doubts_makes_a_comparison_a_second(void **state)
{
    struct sa_fixture sa = start(state);
    size_t compared = 0;

    come_to_rest(&sa);
    for (int i = 0; i < 100; i++) {
        compared += hear(&sa, PLANE_DOUBT_SURE);
        advance(&sa, 100);
    }
    assert_int_equal(compared, 10);
    /* The last ones are answered too, when it is time, and then it is quiet. */
    advance(&sa, 1000);
    assert_true(hear(&sa, PLANE_DOUBT_NONE));
    advance(&sa, 10000);
    assert_false(hear(&sa, PLANE_DOUBT_NONE));
}

static void
what_others_replace_of_their_own_costs_less_and_less(void **state)
{
    struct sa_fixture sa = start(state);
    size_t compared = 0;

    come_to_rest(&sa);
    for (int i = 0; i < 6000; i++) {
        compared += hear(&sa, PLANE_DOUBT_FAINT);
        advance(&sa, 100);
    }
    /* 2, 4, 8, 16 and then 30 seconds apart. */
    assert_in_range(compared, 20, 25);

    /* What is sure does not wait for that. */
    advance(&sa, 1000);
    assert_true(hear(&sa, PLANE_DOUBT_SURE));
    /* Nor does what is faint, once there was something to find. */
    advance(&sa, 30000);
    fake_plane_state.drift.filters_missing = 1;
    assert_true(hear(&sa, PLANE_DOUBT_FAINT));
    run_due(&sa);
    advance(&sa, 1000);
    assert_true(hear(&sa, PLANE_DOUBT_FAINT));
    /* The same again is nothing new: it can't be mended. */
    run_due(&sa);
    advance(&sa, 1000);
    assert_false(hear(&sa, PLANE_DOUBT_FAINT));
}

static void
a_doubt_waits_for_the_data_plane_to_answer(void **state)
{
    struct sa_fixture sa = start(state);
    size_t compared = 0;

    come_to_rest(&sa);
    fake_plane_state.drift_status = IPSEC_RPC_DISCONNECTED;
    assert_true(hear(&sa, PLANE_DOUBT_SURE));
    for (int i = 0; i < 600; i++) {
        advance(&sa, 100);
        compared += hear(&sa, PLANE_DOUBT_SURE);
    }
    assert_in_range(compared, 2, 6);
    fake_plane_state.drift_status = IPSEC_OK;
    fake_plane_state.drift.bundles_missing = 1;
    advance(&sa, 30000);
    assert_true(hear(&sa, PLANE_DOUBT_NONE));
    assert_int_equal(sa.state->plane_check.repairs, 1);
}

/* A mend is looked at soon after, so what was mended is not told as missing for long; and when it
 * does not help it is not tried again and again, whatever the plane says of itself. */
static void
a_mend_that_does_not_help_is_tried_less_and_less(void **state)
{
    struct sa_fixture sa = start(state);
    const struct plane_check *checks = &sa.state->plane_check;
    size_t compared = 0;

    come_to_rest(&sa);
    fake_plane_state.drift.bundles_missing = 1;
    assert_true(hear(&sa, PLANE_DOUBT_SURE));
    fake_plane_state.drift.bundles_missing = 0;
    run_due(&sa);
    advance(&sa, 1000);
    assert_true(hear(&sa, PLANE_DOUBT_NONE));
    assert_int_equal(checks->drift.bundles_missing, 0);

    fake_plane_state.drift.bundles_missing = 1;
    uint64_t repairs = checks->repairs;
    for (int i = 0; i < 6000; i++) {
        compared += hear(&sa, PLANE_DOUBT_SURE);
        run_due(&sa);
        advance(&sa, 100);
    }
    assert_in_range(compared, 20, 30);
    assert_in_range(checks->repairs - repairs, 20, 30);
}

/* Filters that are missing and refused for hours are no reason to let what somebody does wait. */
static void
what_somebody_does_beside_a_mend_in_vain_is_answered_at_once(void **state)
{
    struct sa_fixture sa = start(state);
    const struct plane_check *checks = &sa.state->plane_check;

    come_to_rest(&sa);
    fake_plane_state.drift.filters_missing = 2;
    fake_plane_state.filter_refusal = IPSEC_ALREADY_EXISTS;
    assert_true(hear(&sa, PLANE_DOUBT_FAINT));
    for (int i = 0; i < 6000; i++) {
        run_due(&sa);
        advance(&sa, 100);
        (void)hear(&sa, PLANE_DOUBT_NONE);
    }
    assert_true(checks->mends_in_vain);
    assert_int_equal(checks->doubt_rest_ms, 30000);
    while (!hear(&sa, PLANE_DOUBT_NONE))
        advance(&sa, 100);
    run_due(&sa);

    /* What stood in the way goes. */
    fake_plane_state.filter_refusal = IPSEC_OK;
    advance(&sa, 1000);
    assert_true(hear(&sa, PLANE_DOUBT_SURE));
    assert_non_null(fake_plane_filter(sa.outbound_filter));
    /* That this helped is looked at soon, too. */
    fake_plane_state.drift.filters_missing = 0;
    run_due(&sa);
    advance(&sa, 1000);
    assert_true(hear(&sa, PLANE_DOUBT_NONE));
    assert_false(checks->mends_in_vain);
}

static void
filters_that_the_plane_does_not_enforce_are_counted(void **state)
{
    struct sa_fixture sa = start(state);
    const struct filter_table *filters = &sa.state->filters;

    come_to_rest(&sa);
    fake_plane_state.drift.filters_missing = 1;
    fake_plane_state.drift.names.filters_missing = (struct ipsec_drift_ids){
        .ids = { sa.outbound_filter },
        .count = 1,
    };
    struct ipsec_drift drift;
    assert_int_equal(ipsec_get_drift(sa.session, &drift, NULL), IPSEC_OK);
    assert_int_equal(filters->unenforced_count, 1);

    /* Of all that it is told to make it takes none. */
    fake_plane_state.filter_refusal = IPSEC_ALREADY_EXISTS;
    advance(&sa, 1000);
    assert_true(hear(&sa, PLANE_DOUBT_SURE));
    assert_int_equal(filters->unenforced_count, filters->committed_count);
    run_due(&sa);

    /* One that goes does not count, unless it stays. */
    uint64_t before = filters->unenforced_count;
    struct batch_mark mark = batch_mark(&sa.state->batch);
    assert_int_equal(ipsec_filter_delete_by_id(sa.session, sa.inbound_filter), IPSEC_OK);
    assert_int_equal(filters->unenforced_count, before - 1);
    state_undo(sa.state, mark);
    assert_int_equal(filters->unenforced_count, before);

    fake_plane_state.filter_refusal = IPSEC_OK;
    fake_plane_state.drift = (struct plane_drift){ .foreign = 0 };
    assert_int_equal(ipsec_reconcile(sa.session, &drift, NULL), IPSEC_OK);
    assert_int_equal(filters->unenforced_count, 0);
}

/* Contexts are asked for one after another: what is missing meanwhile can't be told. */
static void
a_doubt_waits_until_all_contexts_were_asked_for(void **state)
{
    struct sa_fixture sa = start(state);

    come_to_rest(&sa);
    sa_plane_ask_for_all(sa.state);
    assert_false(hear(&sa, PLANE_DOUBT_SURE));
    /* Not a round of the engine after another. */
    assert_true(plane_check_source.next(sa.state) > sa.state->clock_ms);
    run_due(&sa);
    advance(&sa, 1000);
    assert_true(hear(&sa, PLANE_DOUBT_NONE));
}

/* --- What is told ----------------------------------------------------------------------------- */

static void
what_a_context_has_carried_is_told_by_direction(void **state)
{
    struct sa_fixture sa = start(state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    struct ipsec_sa_context_usage usage;

    assert_int_equal(ipsec_sa_context_get_usage(sa.session, id, &usage), IPSEC_OK);
    assert_false(usage.usage[IPSEC_DIRECTION_INBOUND].is_known);
    ipsec_sa_context_unref(&usage.context);

    add_inbound(&sa, id, spi_of(&sa, id));
    sa_plane_apply(sa.state, NULL, NULL);
    settle(&sa);
    fake_plane_state.counters = (struct plane_counters){ .bytes = 840,
                                                         .packets = 10,
                                                         .last_used_ms = sa.state->clock_ms - 200 };
    assert_int_equal(ipsec_sa_context_get_usage(sa.session, id, &usage), IPSEC_OK);
    assert_true(usage.usage[IPSEC_DIRECTION_INBOUND].is_known);
    assert_int_equal(usage.usage[IPSEC_DIRECTION_INBOUND].bytes, 840);
    assert_int_equal(usage.usage[IPSEC_DIRECTION_INBOUND].packets, 10);
    assert_int_equal(usage.usage[IPSEC_DIRECTION_INBOUND].last_used_at_ms, sa.state->now_ms - 200);
    assert_false(usage.usage[IPSEC_DIRECTION_OUTBOUND].is_known);
    ipsec_sa_context_unref(&usage.context);
    assert_int_equal(ipsec_sa_context_get_usage(sa.session, id + 1000, &usage), IPSEC_NOT_FOUND);
}

static void
a_transform_that_the_plane_lacks_is_refused_before_anything_is_stored(void **state)
{
    struct sa_fixture sa = start(state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    struct ipsec_sa_bundle_input input = gcm_bundle(spi_of(&sa, id), 1);
    size_t changes = sa.state->batch.change_count;

    fake_plane_state.lacks_gcm = true;
    assert_int_equal(try_inbound(&sa, id, &input), IPSEC_INVALID_CIPHER_TRANSFORM);
    assert_string_equal(sa.base->fault.pointer, "/saList/0/saTransformType");
    assert_int_equal(sa.state->batch.change_count, changes);
    assert_int_equal(sa.state->batch.plane.action_count, 0);
    bundle_clear(&input);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(checks_come_less_often_while_there_is_nothing_to_find),
        FIXTURE_TEST(a_difference_is_mended_and_looked_for_again_soon),
        FIXTURE_TEST(what_others_have_is_no_difference),
        FIXTURE_TEST(a_plane_that_does_not_answer_is_counted),
        FIXTURE_TEST(callers_may_ask_and_mend_with_the_right),
        FIXTURE_TEST(callers_are_told_which_they_are),
        FIXTURE_TEST(callers_who_may_only_look_get_the_last_comparison_for_a_while),
        FIXTURE_TEST(what_somebody_else_took_away_is_mended_at_once),
        FIXTURE_TEST(a_storm_of_doubts_makes_a_comparison_a_second),
        FIXTURE_TEST(what_others_replace_of_their_own_costs_less_and_less),
        FIXTURE_TEST(a_doubt_waits_for_the_data_plane_to_answer),
        FIXTURE_TEST(a_mend_that_does_not_help_is_tried_less_and_less),
        FIXTURE_TEST(what_somebody_does_beside_a_mend_in_vain_is_answered_at_once),
        FIXTURE_TEST(filters_that_the_plane_does_not_enforce_are_counted),
        FIXTURE_TEST(a_doubt_waits_until_all_contexts_were_asked_for),
        FIXTURE_TEST(what_a_context_has_carried_is_told_by_direction),
        FIXTURE_TEST(a_transform_that_the_plane_lacks_is_refused_before_anything_is_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
