/* SPDX-License-Identifier: Apache-2.0
 *
 * test_context_users.c: the filters of an SA context, of both directions, stay as long as it does.
 */
#include "engine/context_users.h"

#include <stdio.h>

#include "engine/sa_context.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/sa_fixture.h"

static enum ipsec_status
delete_filter(const struct sa_fixture *sa, uint64_t id)
{
    return ipsec_filter_delete_by_id(sa->session, id);
}

static void
delete_context(const struct sa_fixture *sa, uint64_t id)
{
    assert_int_equal(ipsec_sa_context_delete_by_id(sa->session, id), IPSEC_OK);
}

/* Neither can go, and then both can. */
static void
assert_in_use(const struct sa_fixture *sa)
{
    assert_int_equal(delete_filter(sa, sa->outbound_filter), IPSEC_IN_USE);
    assert_int_equal(delete_filter(sa, sa->inbound_filter), IPSEC_IN_USE);
}

static void
assert_not_in_use(const struct sa_fixture *sa)
{
    assert_int_equal(delete_filter(sa, sa->outbound_filter), IPSEC_OK);
    assert_int_equal(delete_filter(sa, sa->inbound_filter), IPSEC_OK);
}

static void
the_refusal_says_how_many_and_names_one(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    const uint64_t filters[] = { sa.outbound_filter, sa.inbound_filter };
    uint64_t ids[3];
    char text[128];

    for (size_t i = 0; i < 3; i++)
        ids[i] = new_context(&sa);
    /* The oldest remains. */
    for (size_t count = 3; count > 0; count--) {
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(delete_filter(&sa, filters[i]), IPSEC_IN_USE);
            assert_int_equal(sa.base->fault.place, IPSEC_FAULT_PATH);
            (void)snprintf(text, sizeof text,
                           count == 1 ? "%d SA context refers to filter %d: SA context %d"
                                      : "%d SA contexts refer to filter %d, SA context %d among "
                                        "them",
                           (int)count, (int)filters[i], (int)ids[0]);
            assert_string_equal(sa.base->fault.detail, text);
        }
        delete_context(&sa, ids[count - 1]);
    }
    assert_not_in_use(&sa);
}

/* Who is not to read them does not learn which there are. */
static void
a_user_is_named_only_to_who_may_read_contexts(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    char text[64];

    (void)new_context(&sa);
    sa.base->caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE] = 0;
    assert_int_equal(delete_filter(&sa, sa.inbound_filter), IPSEC_IN_USE);
    (void)snprintf(text, sizeof text, "1 SA context refers to filter %d", (int)sa.inbound_filter);
    assert_string_equal(sa.base->fault.detail, text);
}

static void
both_filters_stay_through_the_whole_life(void **state)
{
    static const enum ipsec_sa_context_state states[] = {
        IPSEC_SA_CONTEXT_CREATED, IPSEC_SA_CONTEXT_SPI_SET,  IPSEC_SA_CONTEXT_INBOUND,
        IPSEC_SA_CONTEXT_ACTIVE,  IPSEC_SA_CONTEXT_EXPIRING,
    };
    struct sa_fixture sa = sa_begin(state);

    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        uint64_t id = context_in(&sa, states[i]);

        assert_in_use(&sa);
        delete_context(&sa, id);
    }
    assert_not_in_use(&sa);
}

static void
a_context_that_ends_by_itself_gives_its_filters_free(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_EXPIRING);

    advance(&sa, SA_GRACE_MS);
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_STATE_COUNT);
    assert_not_in_use(&sa);
}

/* GetSpi names another filter than the mirrored one; and then its batch fails. */
static void
what_get_spi_names_is_in_use_instead(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = new_context(&sa);
    uint64_t other = add_transport_filter(sa.base, IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    const struct ipsec_traffic named = { .ipsec_filter_id = other };
    uint32_t spi;

    settle(&sa);
    struct batch_mark mark = batch_mark(&sa.state->batch);
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, id, &named, &spi), IPSEC_OK);
    assert_int_equal(delete_filter(&sa, other), IPSEC_IN_USE);
    assert_int_equal(delete_filter(&sa, sa.inbound_filter), IPSEC_OK);

    state_undo(sa.state, mark);
    batch_cut(&sa.state->batch, mark);
    assert_in_use(&sa);
    assert_int_equal(delete_filter(&sa, other), IPSEC_OK);
}

static void
creates_and_deletes_that_are_undone_count_for_nothing(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);

    settle(&sa);
    struct batch_mark mark = batch_mark(&sa.state->batch);
    (void)new_context(&sa);
    delete_context(&sa, id);
    state_undo(sa.state, mark);
    batch_cut(&sa.state->batch, mark);

    assert_in_use(&sa);
    delete_context(&sa, id);
    assert_not_in_use(&sa);
}

static void
a_successor_keeps_the_filters_of_its_predecessor(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(0, 1);
    const struct ipsec_sa_context_options options = { .inbound = &inbound };
    struct ipsec_sa_context successor;

    /* It would be mirrored now. */
    struct ipsec_filter heavy = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    heavy.weight_type = IPSEC_WEIGHT_RANGE;
    heavy.weight = 15;
    uint64_t heavier = add_filter(sa.base, &heavy);
    assert_int_equal(ipsec_sa_context_rotate(sa.session, id, &options, &successor), IPSEC_OK);
    assert_int_equal(successor.inbound_filter_id, sa.inbound_filter);
    ipsec_sa_context_unref(&successor);
    bundle_clear(&inbound);

    assert_int_equal(delete_filter(&sa, heavier), IPSEC_OK);
    delete_context(&sa, id);
    assert_in_use(&sa);
    delete_context(&sa, successor.id);
    assert_not_in_use(&sa);
}

/* --- Transactions and dynamic sessions --- */

static void
a_transaction_that_deletes_a_filter_in_use_does_not_commit(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    const uint64_t filters[] = { sa.outbound_filter, sa.inbound_filter };
    struct ipsec_session writer = open_session(sa.base, 0);

    for (size_t i = 0; i < 2; i++) {
        end_batch(sa.base);
        begin(&writer, false);
        assert_int_equal(ipsec_filter_delete_by_id(&writer, filters[i]), IPSEC_OK);
        /* To others it is still there. */
        uint64_t id = new_context(&sa);
        assert_int_equal(sa_find(sa.state, id)->inbound_filter_id, sa.inbound_filter);
        assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_IN_USE);
        delete_context(&sa, id);
        if (i == 0) {
            roll_back(sa.base, &writer);
            assert_int_equal(ipsec_filter_delete_by_id(sa.session, filters[0]), IPSEC_OK);
            sa.outbound_filter = add_transport_filter(sa.base, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
        } else {
            commit(sa.base, &writer);
        }
    }
    assert_false(sees_filter(sa.session, sa.inbound_filter));
}

/* It would end under the context. */
static void
a_dynamic_filter_is_neither_mirrored_nor_named(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    struct ipsec_session dynamic = open_session(sa.base, IPSEC_SESSION_DYNAMIC);
    struct ipsec_filter heavy = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    heavy.weight_type = IPSEC_WEIGHT_RANGE;
    heavy.weight = 15;
    const struct ipsec_traffic named = { .ipsec_filter_id = add_filter_in(&dynamic, &heavy) };
    uint64_t id = new_context(&sa);
    uint32_t spi;

    assert_int_equal(sa_find(sa.state, id)->inbound_filter_id, sa.inbound_filter);
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, id, &named, &spi),
                     IPSEC_LIFETIME_MISMATCH);
    assert_int_equal(sa.base->fault.place, IPSEC_FAULT_BODY);
    assert_string_equal(sa.base->fault.pointer, "/ipsecFilterId");
    assert_int_equal(ipsec_sa_context_set_spi(sa.session, id, &named, 4096),
                     IPSEC_LIFETIME_MISMATCH);

    const struct ipsec_sa_context_options options = {
        .wants_spi = true,
        .inbound_filter_id = named.ipsec_filter_id,
    };
    const struct ipsec_traffic traffic = transport_traffic(sa.outbound_filter);
    struct ipsec_sa_context context;
    assert_int_equal(ipsec_sa_context_create_with(sa.session, &traffic, &options, &context),
                     IPSEC_LIFETIME_MISMATCH);
    assert_string_equal(sa.base->fault.pointer, "/inboundFilterId");
}

/* --- Stores of before --- */

/* In them a context may name an inbound filter that went. */
static void
a_context_whose_inbound_filter_is_gone_is_loaded_without(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);
    struct ipsec_sa_context stored = *sa_find(sa.state, id);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(0, 1);
    const struct ipsec_sa_context_options options = { .inbound = &inbound };
    struct ipsec_sa_context shown;
    struct ipsec_fault fault = { .status = IPSEC_OK };

    stored.id = 1000;
    stored.spi = 70000;
    stored.inbound_filter_id = 999;
    struct ipsec_sa_bundle bundle = *stored.inbound;
    bundle.sas[0].spi = stored.spi;
    stored.inbound = &bundle;
    assert_int_equal(sa_context_load(sa.state, &stored, &fault), IPSEC_OK);
    assert_int_equal(ipsec_sa_context_get_by_id(sa.session, stored.id, &shown), IPSEC_OK);
    assert_int_equal(shown.inbound_filter_id, 0);
    ipsec_sa_context_unref(&shown);

    /* Its successor has what mirrors the traffic today. */
    assert_int_equal(ipsec_sa_context_rotate(sa.session, stored.id, &options, &shown), IPSEC_OK);
    assert_int_equal(shown.inbound_filter_id, sa.inbound_filter);
    ipsec_sa_context_unref(&shown);
    bundle_clear(&inbound);

    delete_context(&sa, id);
    delete_context(&sa, shown.id);
    assert_int_equal(delete_filter(&sa, sa.inbound_filter), IPSEC_OK);
    assert_int_equal(delete_filter(&sa, sa.outbound_filter), IPSEC_IN_USE);
    delete_context(&sa, stored.id);
    assert_int_equal(delete_filter(&sa, sa.outbound_filter), IPSEC_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_refusal_says_how_many_and_names_one),
        FIXTURE_TEST(a_user_is_named_only_to_who_may_read_contexts),
        FIXTURE_TEST(both_filters_stay_through_the_whole_life),
        FIXTURE_TEST(a_context_that_ends_by_itself_gives_its_filters_free),
        FIXTURE_TEST(what_get_spi_names_is_in_use_instead),
        FIXTURE_TEST(creates_and_deletes_that_are_undone_count_for_nothing),
        FIXTURE_TEST(a_successor_keeps_the_filters_of_its_predecessor),
        FIXTURE_TEST(a_transaction_that_deletes_a_filter_in_use_does_not_commit),
        FIXTURE_TEST(a_dynamic_filter_is_neither_mirrored_nor_named),
        FIXTURE_TEST(a_context_whose_inbound_filter_is_gone_is_loaded_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
