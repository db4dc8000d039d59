/* SPDX-License-Identifier: Apache-2.0
 *
 * test_filter_plane.c: the data plane has the filters that are in force, and never fewer of them
 * than the policy of before or after a change says. */
#include "engine/filter_plane.h"

#include "tests/unit/fake_plane.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/provider_context_fixture.h"

static const enum ipsec_layer outbound = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4;
static const enum ipsec_layer inbound = IPSEC_LAYER_INBOUND_TRANSPORT_V4;

static struct fixture *
start(void **state)
{
    struct fixture *fixture = *state;

    memset(&fake_plane_state, 0, sizeof fake_plane_state);
    fixture->state.sa.plane_ops = &fake_plane;
    return fixture;
}

/* The plane must have it. */
static const struct fake_filter *
in_plane(uint64_t id)
{
    const struct fake_filter *filter = fake_plane_filter(id);

    if (filter == NULL)
        abort();
    return filter;
}

static void
undo_all(struct fixture *fixture)
{
    state_undo(&fixture->state, (struct batch_mark){ .undo_count = 0 });
}

static void
a_filter_comes_at_once_and_goes_with_the_commit(void **state)
{
    struct fixture *fixture = start(state);
    uint64_t id = add_transport_filter(fixture, outbound);

    assert_non_null(fake_plane_filter(id));
    end_batch(fixture);
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, id), IPSEC_OK);
    assert_non_null(fake_plane_filter(id));
    end_batch(fixture);
    assert_null(fake_plane_filter(id));
}

static void
a_commit_that_fails_takes_all_back(void **state)
{
    struct fixture *fixture = start(state);
    uint64_t old = add_transport_filter(fixture, outbound);

    end_batch(fixture);
    uint64_t new = add_transport_filter(fixture, inbound);
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, old), IPSEC_OK);
    undo_all(fixture);
    assert_null(fake_plane_filter(new));
    assert_non_null(fake_plane_filter(old));
    assert_false(in_plane(old)->is_released);
}

static void
what_the_plane_refuses_fails_and_leaves_nothing(void **state)
{
    struct fixture *fixture = start(state);
    const struct ipsec_filter filter = transport_filter(outbound);
    uint64_t id = 0;
    struct ipsec_guid key;

    fake_plane_state.filter_refusal = IPSEC_RPC_DISCONNECTED;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key),
                     IPSEC_RPC_DISCONNECTED);
    undo_all(fixture);
    assert_int_equal(fixture->state.filters.committed_count, 0);
    assert_int_equal(fixture->state.filter_plane.ranks.count, 0);
    assert_int_equal(count_filters(&fixture->session), 0);
}

static void
two_filters_of_the_same_packets_are_one_too_many(void **state)
{
    struct fixture *fixture = start(state);
    const struct ipsec_filter filter = transport_filter(outbound);
    uint64_t id = add_transport_filter(fixture, outbound);
    struct ipsec_guid key;

    end_batch(fixture);
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key), IPSEC_ALREADY_EXISTS);
    assert_string_equal(fixture->fault.pointer, "/conditions");
    undo_all(fixture);
    assert_int_equal(fake_plane_state.filter_count, 1);
}

static void
a_transaction_replaces_a_filter_in_one_step(void **state)
{
    struct fixture *fixture = start(state);
    uint64_t old = add_transport_filter(fixture, outbound);
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(outbound);

    end_batch(fixture);
    fake_plane_state.least_filters = 1;
    begin(&writer, false);
    /* The new one first: what goes is told to the plane before what comes all the same. */
    uint64_t new = add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, old), IPSEC_OK);
    assert_null(fake_plane_filter(new));
    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_OK);
    assert_non_null(fake_plane_filter(new));
    end_batch(fixture);
    assert_int_equal(fake_plane_state.filter_count, 1);
    assert_int_equal(fake_plane_state.least_filters, 1);
}

static void
a_replacement_that_is_undone_gives_the_place_back_in_one_step(void **state)
{
    struct fixture *fixture = start(state);
    uint64_t old = add_transport_filter(fixture, outbound);
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(outbound);

    end_batch(fixture);
    fake_plane_state.least_filters = 1;
    begin(&writer, false);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, old), IPSEC_OK);
    (void)add_filter_in(&writer, &filter);
    end_batch(fixture);
    struct batch_mark mark = batch_mark(&fixture->state.batch);
    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_OK);
    state_undo(&fixture->state, mark);
    assert_non_null(fake_plane_filter(old));
    assert_false(in_plane(old)->is_released);
    assert_int_equal(fake_plane_state.filter_count, 1);
    assert_int_equal(fake_plane_state.least_filters, 1);
}

static void
what_an_aborted_transaction_added_never_was_there(void **state)
{
    struct fixture *fixture = start(state);
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(outbound);

    begin(&writer, false);
    (void)add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_transaction_abort(&writer), IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(fake_plane_state.filter_count, 0);
}

static void
a_dry_run_leaves_the_plane_alone(void **state)
{
    struct fixture *fixture = start(state);
    const struct ipsec_filter filter = transport_filter(outbound);
    struct ipsec_call call = { .dry_run = true };
    uint64_t id = 0;
    struct ipsec_guid key;

    fixture->session.call = &call;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key), IPSEC_OK);
    assert_int_equal(fake_plane_state.filter_count, 0);
    fixture->session.call = NULL;
}

/* The same call for real and without effect, for which the fixture is left as it was. */
static void
assert_dry_run_says_the_same(struct fixture *fixture,
                             struct ipsec_session *session,
                             enum ipsec_status (*call)(struct ipsec_session *session),
                             enum ipsec_status expected)
{
    struct ipsec_call dry = { .dry_run = true };
    struct batch_mark mark = batch_mark(&fixture->state.batch);
    const uint64_t last_luid = fixture->state.luids.last;
    const enum ipsec_transaction_kind transaction = session->transaction;
    struct ipsec_fault dry_fault;

    session->call = &dry;
    fixture->fault = (struct ipsec_fault){ .status = IPSEC_OK };
    assert_int_equal(call(session), expected);
    dry_fault = fixture->fault;
    session->call = NULL;
    assert_int_equal(fixture->state.plane_check.plane_failures, 0);
    state_undo(&fixture->state, mark);
    fixture->state.luids.last = last_luid;
    session->transaction = transaction;
    if (session->entry != NULL)
        session->entry->commit_undone = false;
    assert_int_equal(fake_plane_state.tried_count, 0);
    for (size_t i = 0; i < fake_plane_state.filter_count; i++)
        assert_false(fake_plane_state.filters[i].is_released);

    fixture->fault = (struct ipsec_fault){ .status = IPSEC_OK };
    assert_int_equal(call(session), expected);
    assert_string_equal(dry_fault.detail, fixture->fault.detail);
    assert_string_equal(dry_fault.pointer, fixture->fault.pointer);
    assert_int_equal(dry_fault.place, fixture->fault.place);
}

static enum ipsec_status
add_spoken_for(struct ipsec_session *session)
{
    const struct ipsec_filter filter = transport_filter(outbound);
    uint64_t id = 0;
    struct ipsec_guid key;

    return ipsec_filter_add(session, &filter, &id, &key);
}

static void
a_dry_run_says_that_packets_are_spoken_for(void **state)
{
    struct fixture *fixture = start(state);

    (void)add_transport_filter(fixture, outbound);
    end_batch(fixture);
    assert_dry_run_says_the_same(fixture, &fixture->session, add_spoken_for, IPSEC_ALREADY_EXISTS);
    assert_string_equal(fixture->fault.pointer, "/conditions");
    assert_int_equal(fake_plane_state.filter_count, 1);
}

static enum ipsec_status
add_site(struct ipsec_session *session)
{
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_tunnel tunnel = {
        .tunnel_policy = &policy,
        .condition_count = 1,
        .conditions = { { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
                          .prefix_length = 16,
                          .address = { .bytes = { 10, 2 } } } },
        .ip_version = IPSEC_IP_VERSION_V4,
    };
    struct ipsec_tunnel_made made;

    return ipsec_tunnel_add(session, &tunnel, &made);
}

static void
a_dry_run_says_so_of_tunnels_too(void **state)
{
    struct fixture *fixture = start(state);

    assert_dry_run_says_the_same(fixture, &fixture->session, add_site, IPSEC_OK);
    end_batch(fixture);
    assert_dry_run_says_the_same(fixture, &fixture->session, add_site, IPSEC_ALREADY_EXISTS);
}

static void
a_dry_run_says_what_else_the_plane_would(void **state)
{
    struct fixture *fixture = start(state);

    fake_plane_state.filter_refusal = IPSEC_RPC_DISCONNECTED;
    assert_dry_run_says_the_same(fixture, &fixture->session, add_spoken_for,
                                 IPSEC_RPC_DISCONNECTED);
}

static void
a_dry_commit_replaces_a_filter_and_changes_nothing(void **state)
{
    struct fixture *fixture = start(state);
    uint64_t old = add_transport_filter(fixture, outbound);
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(outbound);

    end_batch(fixture);
    begin(&writer, false);
    (void)add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, old), IPSEC_OK);
    end_batch(fixture);
    assert_dry_run_says_the_same(fixture, &writer, ipsec_transaction_commit, IPSEC_OK);
    end_batch(fixture);
    assert_null(fake_plane_filter(old));
    assert_int_equal(fake_plane_state.filter_count, 1);
}

static void
a_dry_commit_finds_two_of_its_own_with_the_same_packets(void **state)
{
    struct fixture *fixture = start(state);
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(outbound);

    begin(&writer, false);
    (void)add_filter_in(&writer, &filter);
    (void)add_filter_in(&writer, &filter);
    end_batch(fixture);
    assert_dry_run_says_the_same(fixture, &writer, ipsec_transaction_commit, IPSEC_ALREADY_EXISTS);
    undo_all(fixture);
}

static void
a_dry_close_of_a_session_leaves_the_plane_alone(void **state)
{
    struct fixture *fixture = start(state);
    struct ipsec_session owner = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    const struct ipsec_filter filter = transport_filter(outbound);
    struct ipsec_call dry = { .dry_run = true };
    uint64_t id = add_filter_in(&owner, &filter);

    end_batch(fixture);
    fake_plane_state.filter_refusal = IPSEC_ALREADY_EXISTS;
    fixture->session.call = &dry;
    assert_int_equal(ipsec_session_close(&fixture->session, &owner.entry->record.key), IPSEC_OK);
    fixture->session.call = NULL;
    assert_true(in_plane(id)->is_released);
    undo_all(fixture);
    assert_false(in_plane(id)->is_released);
    assert_int_equal(fixture->state.plane_check.plane_failures, 0);
    assert_int_equal(fixture->state.filters.unenforced_count, 0);

    assert_int_equal(ipsec_session_close(&fixture->session, &owner.entry->record.key), IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(fake_plane_state.filter_count, 0);
}

static void
what_the_plane_cannot_express_is_refused_before_anything_changes(void **state)
{
    struct fixture *fixture = start(state);
    struct ipsec_filter filter = transport_filter(outbound);
    uint64_t id = 0;
    struct ipsec_guid key;

    filter.condition_count = 3;
    filter.conditions[0].field = IPSEC_CONDITION_IP_PROTOCOL;
    filter.conditions[1].field = IPSEC_CONDITION_IP_LOCAL_PORT;
    filter.conditions[2].field = IPSEC_CONDITION_IP_REMOTE_PORT;
    filter.conditions[0].number = 6;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key),
                     IPSEC_CALLOUT_NOTIFICATION_FAILED);
    assert_string_equal(fixture->fault.pointer, "/conditions/2");
    assert_int_equal(fixture->state.batch.change_count, 0);
}

static void
heavier_filters_come_before_lighter_ones_also_when_ranks_run_out(void **state)
{
    struct fixture *fixture = start(state);
    uint64_t ids[100];

    for (size_t i = 0; i < 100; i++) {
        struct ipsec_filter filter = transport_filter(outbound);
        struct ipsec_guid key;

        filter.weight_type = IPSEC_WEIGHT_EXPLICIT;
        filter.weight = 100 - i;
        filter.condition_count = 1;
        filter.conditions[0].field = IPSEC_CONDITION_IP_REMOTE_PORT;
        filter.conditions[0].number = i + 1;
        assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &ids[i], &key), IPSEC_OK);
    }
    end_batch(fixture);
    assert_true(fixture->state.filter_plane.ranks.is_spread);
    for (size_t i = 1; i < 100; i++)
        assert_true(in_plane(ids[i - 1])->rank < in_plane(ids[i])->rank);
}

static void
after_a_loss_all_that_is_in_force_is_made_again(void **state)
{
    struct fixture *fixture = start(state);
    uint64_t one = add_transport_filter(fixture, outbound);
    uint64_t two = add_transport_filter(fixture, inbound);
    struct ipsec_session writer = open_session(fixture, 0);
    struct ipsec_filter other = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V6);

    end_batch(fixture);
    begin(&writer, false);
    uint64_t pending = add_filter_in(&writer, &other);
    fake_plane_state.filter_count = 0;
    assert_int_equal(filter_plane_install(&fixture->state, false), 0);
    assert_non_null(fake_plane_filter(one));
    assert_non_null(fake_plane_filter(two));
    assert_null(fake_plane_filter(pending));
    fake_plane_state.filter_refusal = IPSEC_ALREADY_EXISTS;
    assert_int_equal(filter_plane_install(&fixture->state, false), 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_filter_comes_at_once_and_goes_with_the_commit),
        FIXTURE_TEST(a_commit_that_fails_takes_all_back),
        FIXTURE_TEST(what_the_plane_refuses_fails_and_leaves_nothing),
        FIXTURE_TEST(two_filters_of_the_same_packets_are_one_too_many),
        FIXTURE_TEST(a_transaction_replaces_a_filter_in_one_step),
        FIXTURE_TEST(a_replacement_that_is_undone_gives_the_place_back_in_one_step),
        FIXTURE_TEST(what_an_aborted_transaction_added_never_was_there),
        FIXTURE_TEST(a_dry_run_leaves_the_plane_alone),
        FIXTURE_TEST(a_dry_run_says_that_packets_are_spoken_for),
        FIXTURE_TEST(a_dry_run_says_so_of_tunnels_too),
        FIXTURE_TEST(a_dry_run_says_what_else_the_plane_would),
        FIXTURE_TEST(a_dry_commit_replaces_a_filter_and_changes_nothing),
        FIXTURE_TEST(a_dry_commit_finds_two_of_its_own_with_the_same_packets),
        FIXTURE_TEST(a_dry_close_of_a_session_leaves_the_plane_alone),
        FIXTURE_TEST(what_the_plane_cannot_express_is_refused_before_anything_changes),
        FIXTURE_TEST(heavier_filters_come_before_lighter_ones_also_when_ranks_run_out),
        FIXTURE_TEST(after_a_loss_all_that_is_in_force_is_made_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
