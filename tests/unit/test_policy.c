/* SPDX-License-Identifier: Apache-2.0
 *
 * test_policy.c: who sees and who may delete which policy object: transactions, dynamic sessions,
 * and SA contexts that refer to it. */
#include "engine/policy.h"

#include "tests/unit/policy_fixture.h"

static const enum ipsec_layer outbound = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4;
static const enum ipsec_layer inbound = IPSEC_LAYER_INBOUND_TRANSPORT_V4;

/* --- Transactions --- */

static void
what_a_transaction_adds_only_its_session_sees(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(outbound);

    begin(&writer, false);
    uint64_t id = add_filter_in(&writer, &filter);
    assert_true(sees_filter(&writer, id));
    assert_int_equal(count_filters(&writer), 1);
    assert_false(sees_filter(&fixture->session, id));
    assert_int_equal(count_filters(&fixture->session), 0);
    assert_int_equal(fixture->state.filters.committed_count, 0);
    assert_int_equal(count_changes(fixture, STORE_PUT_FILTER), 0);
    assert_true(state_is_ahead(&fixture->state)); /* its number is not used again */

    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_OK);
    assert_true(sees_filter(&fixture->session, id));
    assert_int_equal(fixture->state.filters.committed_count, 1);
    assert_int_equal(count_changes(fixture, STORE_PUT_FILTER), 1);
    end_batch(fixture);
    assert_true(sees_filter(&fixture->session, id));
}

static void
what_a_transaction_deletes_only_its_session_misses(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = add_transport_filter(fixture, outbound);
    struct ipsec_session writer = open_session(fixture, 0);

    end_batch(fixture);
    begin(&writer, false);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, id), IPSEC_OK);
    assert_false(sees_filter(&writer, id));
    assert_int_equal(count_filters(&writer), 0);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, id), IPSEC_FILTER_NOT_FOUND);
    assert_true(sees_filter(&fixture->session, id));
    assert_int_equal(count_changes(fixture, STORE_DELETE_FILTER), 0);

    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_OK);
    assert_false(sees_filter(&fixture->session, id));
    assert_int_equal(count_changes(fixture, STORE_DELETE_FILTER), 1);
    end_batch(fixture);
    assert_int_equal(fixture->state.filters.ids.count, 0);
    assert_int_equal(fixture->state.filters.keys.count, 0);
}

static void
an_abort_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    uint64_t kept = add_transport_filter(fixture, inbound);
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(inbound);

    end_batch(fixture);
    begin(&writer, false);
    end_batch(fixture);
    for (int i = 0; i < 1000; i++) {
        uint64_t id = add_filter_in(&writer, &filter);

        if (i % 3 == 0)
            assert_int_equal(ipsec_filter_delete_by_id(&writer, id), IPSEC_OK);
        if (i % 100 == 0)
            end_batch(fixture);
    }
    assert_int_equal(ipsec_filter_delete_by_id(&writer, kept), IPSEC_OK);
    end_batch(fixture);
    roll_back(fixture, &writer);
    assert_true(sees_filter(&fixture->session, kept));
    assert_int_equal(count_filters(&fixture->session), 1);
    assert_int_equal(fixture->state.filters.ids.count, 1);
    assert_int_equal(fixture->state.filters.ids.page_count, 1);
    assert_int_equal(fixture->state.filters.keys.count, 1);
    assert_int_equal(fixture->state.classify.cells.count, 1);
    assert_int_equal(fixture->state.policy.change_count, 0);
}

static void
what_a_transaction_adds_and_deletes_was_never_there(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(inbound);

    end_batch(fixture);
    begin(&writer, false);
    uint64_t id = add_filter_in(&writer, &filter);
    end_batch(fixture);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, id), IPSEC_OK);
    assert_false(sees_filter(&writer, id));
    commit(fixture, &writer);
    assert_int_equal(fixture->state.filters.ids.count, 0);
    assert_int_equal(fixture->state.filters.keys.count, 0);
}

static void
a_key_may_be_taken_again_in_the_transaction_that_frees_it(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    struct ipsec_filter filter = transport_filter(outbound);
    struct ipsec_guid key;
    uint64_t other;

    filter.key.bytes[0] = 7;
    uint64_t id = add_filter(fixture, &filter);
    end_batch(fixture);
    begin(&writer, false);
    assert_int_equal(ipsec_filter_add(&writer, &filter, &other, &key), IPSEC_ALREADY_EXISTS);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, id), IPSEC_OK);
    uint64_t successor = add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_filter_add(&writer, &filter, &other, &key), IPSEC_ALREADY_EXISTS);
    /* Others go by what is committed. */
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &other, &key),
                     IPSEC_ALREADY_EXISTS);

    /* The store has a unique key: the old one goes first. */
    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_OK);
    assert_int_equal(fixture->state.batch.changes[0].kind, STORE_DELETE_FILTER);
    assert_int_equal(fixture->state.batch.changes[1].kind, STORE_PUT_FILTER);
    end_batch(fixture);
    assert_true(sees_filter(&fixture->session, successor));
    assert_false(sees_filter(&fixture->session, id));
}

static void
others_wait_for_the_writer_and_find_what_they_came_for(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    struct ipsec_filter filter = transport_filter(outbound);
    struct ipsec_guid key;
    uint64_t other = 0;

    filter.key.bytes[0] = 9;
    end_batch(fixture);
    begin(&writer, false);
    uint64_t id = add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &other, &key), IPSEC_TIMEOUT);
    assert_true(fixture->session.must_wait);
    assert_true(fixture->session.waits_to_write);
    assert_int_equal(fixture->state.filters.ids.count, 1); /* the writer's */
    commit(fixture, &writer);
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &other, &key),
                     IPSEC_ALREADY_EXISTS);
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, id), IPSEC_OK);
}

static void
a_deletion_fails_the_commit_when_its_object_came_into_use(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = add_transport_filter(fixture, outbound);
    uint64_t unused = add_transport_filter(fixture, outbound);
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(outbound);

    end_batch(fixture);
    begin(&writer, false);
    uint64_t added = add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, unused), IPSEC_OK);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, id), IPSEC_OK);
    end_batch(fixture);
    /* It is committed policy until the transaction is. */
    uint64_t context = add_context(fixture, id);
    end_batch(fixture);

    struct batch_mark mark = batch_mark(&fixture->state.batch);
    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_IN_USE);
    state_undo(&fixture->state, mark);
    assert_int_equal(fixture->state.batch.change_count, 0);
    assert_false(sees_filter(&fixture->session, added));
    assert_true(sees_filter(&fixture->session, unused));
    assert_true(sees_filter(&writer, added));
    assert_false(sees_filter(&writer, unused));

    assert_int_equal(ipsec_sa_context_delete_by_id(&fixture->session, context), IPSEC_OK);
    end_batch(fixture);
    commit(fixture, &writer);
    assert_true(sees_filter(&fixture->session, added));
    assert_int_equal(count_filters(&fixture->session), 1);
}

static void
an_sa_context_goes_by_committed_policy(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter out = transport_filter(outbound);
    const struct ipsec_filter in = transport_filter(inbound);
    uint64_t there = add_transport_filter(fixture, outbound);
    uint64_t mirrored = 99;
    uint64_t id;

    end_batch(fixture);
    begin(&writer, false);
    uint64_t added = add_filter_in(&writer, &out);
    uint64_t added_inbound = add_filter_in(&writer, &in);
    const struct ipsec_traffic traffic = transport_traffic(there);
    const struct ipsec_traffic early = transport_traffic(added);

    assert_int_equal(ipsec_sa_context_create(&fixture->session, &early, &mirrored, &id),
                     IPSEC_FILTER_NOT_FOUND);
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &mirrored, &id),
                     IPSEC_OK);
    assert_int_equal(mirrored, 0);
    commit(fixture, &writer);
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &early, &mirrored, &id), IPSEC_OK);
    assert_int_equal(mirrored, added_inbound);
}

static void
the_room_for_shapes_is_looked_at_again_when_the_transaction_commits(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    struct ipsec_filter filter = transport_filter(inbound);

    end_batch(fixture);
    begin(&writer, false);
    filter.condition_count = 2;
    for (unsigned i = 0; i <= CLASSIFY_SHAPES_MAXIMUM; i++) {
        filter.conditions[0] =
            address_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS, "0.0.0.0", (uint8_t)(i % 33));
        filter.conditions[1] =
            address_condition(IPSEC_CONDITION_IP_REMOTE_ADDRESS, "0.0.0.0", (uint8_t)(i / 33));
        (void)add_filter_in(&writer, &filter);
    }
    struct batch_mark mark = batch_mark(&fixture->state.batch);
    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_RPC_OUT_OF_RESOURCES);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_SERVICE);
    state_undo(&fixture->state, mark);
    assert_int_equal(fixture->state.filters.committed_count, 0);
    assert_int_equal(fixture->state.classify.cells.count, 0);
    roll_back(fixture, &writer);
    assert_int_equal(fixture->state.filters.ids.count, 0);
}

/* --- Dynamic sessions --- */

static void
a_dynamic_filter_ends_with_its_session_and_is_never_stored(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    const struct ipsec_filter filter = transport_filter(inbound);
    const struct ipsec_filter *found;

    uint64_t id = add_filter_in(&dynamic, &filter);
    (void)add_filter_in(&dynamic, &filter);
    assert_int_equal(ipsec_filter_get_by_id(&fixture->session, id, &found), IPSEC_OK);
    assert_int_equal(found->lifetime, IPSEC_LIFETIME_DYNAMIC);
    ipsec_filter_unref(found);
    end_batch(fixture);
    const struct ipsec_guid key = dynamic.entry->record.key;
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    assert_int_equal(count_filters(&fixture->session), 0);
    assert_int_equal(count_changes(fixture, STORE_PUT_FILTER), 0);
    assert_int_equal(count_changes(fixture, STORE_DELETE_FILTER), 0);
    end_batch(fixture);
    assert_int_equal(fixture->state.filters.ids.count, 0);
    assert_int_equal(fixture->state.classify.cells.count, 0);
}

static void
a_close_that_is_undone_brings_the_dynamic_filters_back(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    const struct ipsec_filter filter = transport_filter(inbound);
    uint64_t ids[3];

    for (size_t i = 0; i < 3; i++)
        ids[i] = add_filter_in(&dynamic, &filter);
    end_batch(fixture);
    const struct ipsec_guid key = dynamic.entry->record.key;
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    assert_int_equal(count_filters(&fixture->session), 0);
    state_undo(&fixture->state, (struct batch_mark){ .undo_count = 0 });
    for (size_t i = 0; i < 3; i++)
        assert_true(sees_filter(&fixture->session, ids[i]));
    assert_int_equal(ipsec_filter_delete_by_id(&dynamic, ids[1]), IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(fixture->state.filters.ids.count, 0);
}

static void
a_dynamic_session_deletes_only_what_it_added(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    struct ipsec_session other = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    const struct ipsec_filter filter = transport_filter(outbound);
    uint64_t fixed = add_transport_filter(fixture, outbound);
    uint64_t own = add_filter_in(&dynamic, &filter);
    uint64_t foreign = add_filter_in(&other, &filter);

    end_batch(fixture);
    assert_int_equal(ipsec_filter_delete_by_id(&dynamic, fixed), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    assert_int_equal(ipsec_filter_delete_by_id(&dynamic, foreign), IPSEC_WRONG_SESSION);
    assert_int_equal(ipsec_filter_delete_by_id(&dynamic, own), IPSEC_OK);
    /* A static session may delete anything. */
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, foreign), IPSEC_OK);
    end_batch(fixture);
    assert_null(dynamic.entry->owned);
    assert_null(other.entry->owned);
}

static void
a_dynamic_session_may_use_transactions(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    const struct ipsec_filter filter = transport_filter(outbound);

    uint64_t first = add_filter_in(&dynamic, &filter);
    end_batch(fixture);
    begin(&dynamic, false);
    uint64_t second = add_filter_in(&dynamic, &filter);
    assert_int_equal(ipsec_filter_delete_by_id(&dynamic, first), IPSEC_OK);
    end_batch(fixture);

    /* Closing rolls back, then deletes: the one that was there and the one that never was. */
    const struct ipsec_guid key = dynamic.entry->record.key;
    struct batch_mark mark = batch_mark(&fixture->state.batch);
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    state_undo(&fixture->state, mark);
    assert_true(sees_filter(&dynamic, second));
    assert_false(sees_filter(&dynamic, first));
    commit(fixture, &dynamic);
    assert_true(sees_filter(&fixture->session, second));
    assert_false(sees_filter(&fixture->session, first));
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(fixture->state.filters.ids.count, 0);
}

static void
an_sa_context_may_not_refer_to_what_is_dynamic(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    const struct ipsec_filter filter = transport_filter(outbound);
    const struct ipsec_traffic traffic = transport_traffic(add_filter_in(&dynamic, &filter));
    uint64_t id;

    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, NULL, &id),
                     IPSEC_LIFETIME_MISMATCH);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_BODY);
    assert_string_equal(fixture->fault.pointer, "/ipsecFilterId");
}

/* --- Persistent --- */

static void
what_a_dynamic_session_adds_is_not_persistent(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    struct ipsec_filter filter = transport_filter(outbound);
    const struct ipsec_filter *found;
    struct ipsec_guid key;
    uint64_t id;

    filter.flags = IPSEC_FILTER_PERSISTENT;
    assert_int_equal(ipsec_filter_add(&dynamic, &filter, &id, &key), IPSEC_INVALID_FLAGS);
    assert_string_equal(fixture->fault.pointer, "/flags");
    id = add_filter(fixture, &filter);
    assert_int_equal(ipsec_filter_get_by_id(&fixture->session, id, &found), IPSEC_OK);
    assert_int_equal(found->lifetime, IPSEC_LIFETIME_PERSISTENT);
    ipsec_filter_unref(found);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_a_transaction_adds_only_its_session_sees),
        FIXTURE_TEST(what_a_transaction_deletes_only_its_session_misses),
        FIXTURE_TEST(an_abort_leaves_no_trace),
        FIXTURE_TEST(what_a_transaction_adds_and_deletes_was_never_there),
        FIXTURE_TEST(a_key_may_be_taken_again_in_the_transaction_that_frees_it),
        FIXTURE_TEST(others_wait_for_the_writer_and_find_what_they_came_for),
        FIXTURE_TEST(a_deletion_fails_the_commit_when_its_object_came_into_use),
        FIXTURE_TEST(an_sa_context_goes_by_committed_policy),
        FIXTURE_TEST(the_room_for_shapes_is_looked_at_again_when_the_transaction_commits),
        FIXTURE_TEST(a_dynamic_filter_ends_with_its_session_and_is_never_stored),
        FIXTURE_TEST(a_close_that_is_undone_brings_the_dynamic_filters_back),
        FIXTURE_TEST(a_dynamic_session_deletes_only_what_it_added),
        FIXTURE_TEST(a_dynamic_session_may_use_transactions),
        FIXTURE_TEST(an_sa_context_may_not_refer_to_what_is_dynamic),
        FIXTURE_TEST(what_a_dynamic_session_adds_is_not_persistent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
