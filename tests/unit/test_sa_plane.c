/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sa_plane.c: what is committed reaches the data plane once; what that refuses is taken back;
 * keys are gone afterwards. */
#include "engine/sa_plane.h"

#include "tests/unit/fake_plane.h"
#include "tests/unit/sa_fixture.h"

enum { REFUSALS = 16 };

static struct {
    struct plane_group groups[REFUSALS];
    size_t count;
} refusals;

static void
note_refusal(void *context, const struct plane_group *group)
{
    (void)context;
    assert_true(refusals.count < REFUSALS);
    refusals.groups[refusals.count++] = *group;
}

static struct sa_fixture
begin(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    memset(&fake_plane_state, 0, sizeof fake_plane_state);
    sa.state->sa.plane_ops = &fake_plane;
    refusals.count = 0;
    return sa;
}

static bool
queue_has_keys(const struct sa_fixture *sa)
{
    const struct plane_queue *queue = &sa->state->batch.plane;

    for (size_t i = 0; i < queue->action_count; i++) {
        if (queue->actions[i].keys != NULL)
            return true;
    }
    return false;
}

/* As the engine does after a commit; returns how many changes are to be committed then. */
static size_t
commit(const struct sa_fixture *sa)
{
    size_t before = sa->state->batch.change_count;

    sa_plane_apply(sa->state, note_refusal, NULL);
    assert_false(queue_has_keys(sa));
    size_t more = sa->state->batch.change_count - before;
    state_settle(sa->state);
    return more;
}

static void
refuse(uint8_t direction)
{
    fake_plane_state.refuses = true;
    fake_plane_state.refused_direction = direction;
    fake_plane_state.refusal = IPSEC_INVALID_CIPHER_TRANSFORM;
}

static void
the_plane_gets_each_bundle_once_with_its_keys(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);

    assert_true(queue_has_keys(&sa));
    assert_int_equal(commit(&sa), 0);
    assert_int_equal(fake_plane_state.applied, 2);
    assert_int_equal(fake_plane_get(id, IPSEC_DIRECTION_INBOUND)->first_key_byte, 1);
    assert_int_equal(fake_plane_get(id, IPSEC_DIRECTION_INBOUND)->spi, spi_of(&sa, id));
    assert_int_equal(fake_plane_get(id, IPSEC_DIRECTION_OUTBOUND)->first_key_byte, 101);
    assert_int_equal(fake_plane_get(id, IPSEC_DIRECTION_OUTBOUND)->key_size, 20);
    assert_int_equal(fake_plane_get(id, IPSEC_DIRECTION_OUTBOUND)->spi, PEER_SPI);
    assert_int_equal(commit(&sa), 0);
    assert_int_equal(fake_plane_state.applied, 2);

    assert_int_equal(ipsec_sa_context_expire(sa.session, id), IPSEC_OK);
    assert_int_equal(commit(&sa), 0);
    assert_null(fake_plane_find(id, IPSEC_DIRECTION_OUTBOUND));
    assert_non_null(fake_plane_find(id, IPSEC_DIRECTION_INBOUND));
    assert_int_equal(ipsec_sa_context_delete_by_id(sa.session, id), IPSEC_OK);
    assert_int_equal(commit(&sa), 0);
    assert_int_equal(fake_plane_state.sa_count, 0);
    assert_int_equal(refusals.count, 0);
}

static void
keys_go_with_what_is_undone(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_INBOUND);
    struct batch_mark mark = batch_mark(&sa.state->batch);

    add_outbound(&sa, id);
    assert_int_equal(sa.state->batch.plane.action_count, 2);
    state_undo(sa.state, mark);
    assert_int_equal(sa.state->batch.plane.action_count, 1);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_INBOUND);
    state_undo(sa.state, (struct batch_mark){ .change_count = 0 });
    assert_int_equal(sa.state->batch.plane.action_count, 0);
    assert_int_equal(sa.state->batch.plane.group_count, 0);
    assert_int_equal(commit(&sa), 0);
    assert_int_equal(fake_plane_state.applied, 0);
}

static void
a_refused_inbound_bundle_leaves_the_spi(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);

    settle(&sa);
    uint32_t spi = spi_of(&sa, id);
    add_inbound(&sa, id, spi);
    refuse(IPSEC_DIRECTION_INBOUND);
    assert_int_equal(commit(&sa), 1);
    assert_int_equal(refusals.count, 1);
    assert_int_equal(refusals.groups[0].status, IPSEC_INVALID_CIPHER_TRANSFORM);
    assert_string_equal(refusals.groups[0].reason, "the test wants it");
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_SPI_SET);
    assert_null(sa_find(sa.state, id)->inbound);
    assert_int_equal(spi_of(&sa, id), spi);
    assert_int_equal(fake_plane_state.sa_count, 0);

    /* And it may be tried again. */
    fake_plane_state.refuses = false;
    add_inbound(&sa, id, spi);
    assert_int_equal(commit(&sa), 0);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_INBOUND);
}

static void
a_refused_outbound_bundle_ends_nobody(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t old = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_INBOUND);
    struct ipsec_statistics statistics;

    assert_int_equal(commit(&sa), 0);
    add_outbound(&sa, id);
    assert_int_equal(state_of(&sa, old), IPSEC_SA_CONTEXT_EXPIRING);
    refuse(IPSEC_DIRECTION_OUTBOUND);
    assert_int_equal(commit(&sa), 2);
    assert_int_equal(state_of(&sa, old), IPSEC_SA_CONTEXT_ACTIVE);
    assert_int_equal(sa_find(sa.state, old)->outbound->sas[0].spi, PEER_SPI);
    assert_non_null(fake_plane_find(old, IPSEC_DIRECTION_OUTBOUND));
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_INBOUND);
    assert_int_equal(ipsec_get_statistics(sa.session, &statistics), IPSEC_OK);
    assert_int_equal(statistics.active_sas, 1);
    assert_int_equal(statistics.total_drop_packets_inbound, 17);
    /* The old one's times are what they were. */
    assert_int_equal(sa_find(sa.state, old)->due_at_ms, 0);
}

/* Makes an active context in one call. */
static uint64_t
create_keyed(const struct sa_fixture *sa, uint8_t last_byte)
{
    struct ipsec_traffic traffic = transport_traffic(sa->outbound_filter);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(0, 1);
    struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI, 101);
    const struct ipsec_sa_context_options options = { .wants_spi = true,
                                                      .inbound = &inbound,
                                                      .outbound = &outbound };
    struct ipsec_sa_context context;

    traffic.remote_address.bytes[3] = last_byte;
    assert_int_equal(ipsec_sa_context_create_with(sa->session, &traffic, &options, &context),
                     IPSEC_OK);
    ipsec_sa_context_unref(&context);
    bundle_clear(&inbound);
    bundle_clear(&outbound);
    return context.id;
}

static void
a_refused_create_leaves_nothing(void **test_state)
{
    struct sa_fixture sa = begin(test_state);

    settle(&sa);
    sa.state->sa.settings.quarantine_ms = 1000;
    uint64_t id = create_keyed(&sa, 7);
    refuse(IPSEC_DIRECTION_OUTBOUND);
    assert_int_equal(commit(&sa), 1);
    assert_null(sa_find(sa.state, id));
    assert_int_equal(fake_plane_state.sa_count, 0);
    assert_int_equal(sa.state->sa.spis.taken, 0);
}

static void
one_refusal_fails_all_of_a_call(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    struct ipsec_call call = { .status = IPSEC_OK };
    struct ipsec_call other = { .status = IPSEC_OK };
    uint64_t ids[12];

    settle(&sa);
    for (uint8_t i = 0; i < 12; i++) {
        sa.state->batch.plane.owner = i < 10 ? &call : &other;
        ids[i] = create_keyed(&sa, i);
    }
    refuse(IPSEC_DIRECTION_INBOUND);
    fake_plane_state.refused_context = ids[6];
    assert_int_equal(commit(&sa), 10);
    assert_int_equal(refusals.count, 10);
    for (size_t i = 0; i < refusals.count; i++)
        assert_ptr_equal(refusals.groups[i].owner, &call);
    for (size_t i = 0; i < 10; i++)
        assert_null(sa_find(sa.state, ids[i]));
    assert_int_equal(state_of(&sa, ids[10]), IPSEC_SA_CONTEXT_ACTIVE);
    assert_int_equal(state_of(&sa, ids[11]), IPSEC_SA_CONTEXT_ACTIVE);
    assert_int_equal(fake_plane_state.sa_count, 4);
}

static void
take_item(struct ipsec_call *call, uint32_t item, const struct ipsec_fault *fault)
{
    (void)call;
    (void)item;
    (void)fault;
}

static void
a_call_of_items_loses_only_the_refused_one(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    struct ipsec_call call = { .item_refused = take_item };
    uint64_t ids[5];

    settle(&sa);
    sa.state->batch.plane.owner = &call;
    for (uint8_t i = 0; i < 5; i++) {
        struct ipsec_savepoint savepoint = ipsec_session_savepoint(sa.session, i);

        ids[i] = create_keyed(&sa, i);
        if (i == 2)
            ipsec_session_rollback(sa.session, &savepoint);
    }
    assert_int_equal(ids[3], ids[2]); /* no identifier is used up by what did not happen */
    refuse(IPSEC_DIRECTION_INBOUND);
    fake_plane_state.refused_context = ids[4];
    assert_int_equal(commit(&sa), 1);
    assert_int_equal(refusals.count, 1);
    assert_int_equal(refusals.groups[0].item, 4);
    assert_int_equal(sa.state->contexts.count, 3);
    assert_int_equal(fake_plane_state.sa_count, 6);
}

static void
what_builds_on_a_refused_step_is_refused_too(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t old = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    char name[] = "a";
    char value[] = "b";
    const struct ipsec_labels labels = { .count = 1,
                                         .pairs = { { .name = name, .value = value } } };
    const struct ipsec_sa_context_update update = { .parts = IPSEC_UPDATE_LABELS,
                                                    .labels = &labels };
    struct ipsec_sa_context context;

    assert_int_equal(commit(&sa), 0);
    add_inbound(&sa, id, spi_of(&sa, id));
    add_outbound(&sa, id);
    assert_int_equal(ipsec_sa_context_update(sa.session, id, &update, &context), IPSEC_OK);
    ipsec_sa_context_unref(&context);
    refuse(IPSEC_DIRECTION_INBOUND);
    fake_plane_state.refused_context = id;
    (void)commit(&sa);
    assert_int_equal(refusals.count, 2);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_SPI_SET);
    assert_int_equal(state_of(&sa, old), IPSEC_SA_CONTEXT_ACTIVE);
    assert_int_equal(fake_plane_state.sa_count, 2);
    /* What other calls did to it stays. */
    assert_non_null(sa_find(sa.state, id)->labels);
}

static void
behind_a_refusal_only_what_builds_on_it_is_refused(void **test_state)
{
    enum { OTHERS = 300 };
    struct sa_fixture sa = begin(test_state);
    uint64_t ids[OTHERS];

    for (int i = 0; i < OTHERS; i++)
        ids[i] = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);
    settle(&sa);
    for (int i = 0; i < OTHERS; i++)
        add_inbound(&sa, ids[i], spi_of(&sa, ids[i]));
    add_outbound(&sa, ids[0]);
    refuse(IPSEC_DIRECTION_INBOUND);
    fake_plane_state.refused_context = ids[0];
    (void)commit(&sa);
    assert_int_equal(refusals.count, 2);
    assert_int_equal(state_of(&sa, ids[0]), IPSEC_SA_CONTEXT_SPI_SET);
    assert_int_equal(state_of(&sa, ids[1]), IPSEC_SA_CONTEXT_INBOUND);
    assert_int_equal(state_of(&sa, ids[OTHERS - 1]), IPSEC_SA_CONTEXT_INBOUND);
    assert_int_equal(fake_plane_state.sa_count, OTHERS - 1);
}

static void
a_context_deleted_in_the_batch_stays_deleted(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_SPI_SET);

    settle(&sa);
    add_inbound(&sa, id, spi_of(&sa, id));
    assert_int_equal(ipsec_sa_context_delete_by_id(sa.session, id), IPSEC_OK);
    refuse(IPSEC_DIRECTION_INBOUND);
    assert_int_equal(commit(&sa), 0);
    assert_null(sa_find(sa.state, id));
    assert_int_equal(fake_plane_state.sa_count, 0);
}

static void
an_update_reaches_the_plane_or_is_taken_back(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);
    char name[] = "a";
    char value[] = "b";
    const struct ipsec_labels labels = { .count = 1,
                                         .pairs = { { .name = name, .value = value } } };
    const struct ipsec_sa_context_update update = {
        .parts = IPSEC_UPDATE_TRAFFIC | IPSEC_UPDATE_LABELS,
        .labels = &labels,
        .traffic = { .local_address = address("192.0.2.1"),
                     .remote_address = address("198.51.100.99") },
        .inbound_parts = IPSEC_UPDATE_UDP_ENCAPSULATION,
        .inbound = { .udp_encapsulation = { .local_port = 4500, .remote_port = 40000 } },
        .outbound_parts = IPSEC_UPDATE_FLAGS,
        .outbound = { .flags = IPSEC_SA_BUNDLE_NLB },
    };
    struct ipsec_sa_context context;

    assert_int_equal(commit(&sa), 0);
    const uint64_t filters[] = { fake_plane_get(id, 0)->filter_id,
                                 fake_plane_get(id, 1)->filter_id };
    assert_true(filters[0] != 0 && filters[1] != 0);
    for (int round = 0; round < 2; round++) {
        bool refused = round == 0;

        assert_int_equal(ipsec_sa_context_update(sa.session, id, &update, &context), IPSEC_OK);
        assert_int_equal(context.inbound->udp_encapsulation.remote_port, 40000);
        assert_int_equal(context.outbound->flags, IPSEC_SA_BUNDLE_NLB);
        ipsec_sa_context_unref(&context);
        fake_plane_state.refuses = refused;
        fake_plane_state.refused_direction = IPSEC_DIRECTION_OUTBOUND;
        fake_plane_state.refusal = IPSEC_RPC_DISCONNECTED;
        assert_int_equal(commit(&sa), refused ? 1 : 0);
        const struct ipsec_sa_context *row = sa_find(sa.state, id);
        assert_int_equal(row->outbound_traffic.remote_address.bytes[3], refused ? 7 : 99);
        assert_int_equal(row->inbound->udp_encapsulation.remote_port, refused ? 0 : 40000);
        assert_true(refused == (row->labels == NULL));
        for (uint8_t direction = 0; direction < 2; direction++) {
            assert_int_equal(fake_plane_get(id, direction)->remote_address.bytes[3],
                             refused ? 7 : 99);
            assert_int_equal(fake_plane_get(id, direction)->filter_id, filters[direction]);
        }
        assert_int_equal(fake_plane_get(id, IPSEC_DIRECTION_INBOUND)->udp_port, refused ? 0 : 4500);
    }
    /* Parts that are no business of the plane do not go there. */
    const struct ipsec_sa_context_update quiet = { .inbound_parts = IPSEC_UPDATE_NAP_CONTEXT };
    size_t applied = fake_plane_state.applied;
    assert_int_equal(ipsec_sa_context_update(sa.session, id, &quiet, &context), IPSEC_OK);
    ipsec_sa_context_unref(&context);
    assert_int_equal(commit(&sa), 0);
    assert_int_equal(fake_plane_state.applied, applied);
}

static void
after_a_start_what_the_plane_lost_is_expired(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t unkeyed = new_context(&sa);
    uint64_t lost = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);

    assert_int_equal(commit(&sa), 0);
    fake_plane_state.resume_done = false;
    fake_plane_state.loses = true;
    sa.state->sa.resuming = true;
    run_due(&sa);
    assert_true(fake_plane_state.resume_done);
    assert_int_equal(state_of(&sa, unkeyed), IPSEC_SA_CONTEXT_CREATED);
    assert_int_equal(state_of(&sa, lost), IPSEC_SA_CONTEXT_EXPIRED);
    assert_int_equal(sa.state->batch.events[0].reason, IPSEC_REASON_PLANE);

    /* A failed commit takes it back, and it is asked again. */
    state_undo(sa.state, (struct batch_mark){ .change_count = 0 });
    assert_int_equal(state_of(&sa, lost), IPSEC_SA_CONTEXT_ACTIVE);
    assert_true(sa.state->sa.resuming);
    run_due(&sa);
    assert_int_equal(commit(&sa), 0);
    assert_int_equal(state_of(&sa, lost), IPSEC_SA_CONTEXT_EXPIRED);
    assert_int_equal(ipsec_sa_context_expire(sa.session, lost), IPSEC_OK);
    assert_null(sa_find(sa.state, lost));
}

static void
a_plane_that_does_not_tell_expires_nobody(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);

    assert_int_equal(commit(&sa), 0);
    fake_plane_state.resume_fails = IPSEC_RPC_DISCONNECTED;
    sa.state->sa.resuming = true;
    run_due(&sa);
    assert_true(fake_plane_state.resume_done);
    assert_int_equal(commit(&sa), 0);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_ACTIVE);
    assert_int_equal(fake_plane_state.sa_count, 2);
}

/* As the loop does when the time has come. */
static void
look_for_ends(const struct sa_fixture *sa)
{
    sa->state->clock_ms = sa_plane_events_source.next(sa->state);
    sa_plane_events_source.run(sa->state);
}

static void
plane_ends(uint64_t id, uint8_t direction)
{
    fake_plane_state.ended[fake_plane_state.ended_count++] =
        (struct plane_event){ .context_id = id, .direction = direction };
}

static void
what_the_plane_ends_ends_its_context(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t first = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);

    assert_int_equal(commit(&sa), 0);
    plane_ends(first, IPSEC_DIRECTION_OUTBOUND);
    plane_ends(99999, IPSEC_DIRECTION_INBOUND); /* of nobody: it ended otherwise meanwhile */
    look_for_ends(&sa);
    assert_int_equal(state_of(&sa, first), IPSEC_SA_CONTEXT_EXPIRING);
    assert_int_equal(sa.state->batch.events[0].reason, IPSEC_REASON_LIFETIME);
    assert_int_equal(commit(&sa), 0);
    plane_ends(first, IPSEC_DIRECTION_OUTBOUND);
    look_for_ends(&sa);
    assert_int_equal(state_of(&sa, first), IPSEC_SA_CONTEXT_EXPIRING);
    plane_ends(first, IPSEC_DIRECTION_INBOUND);
    look_for_ends(&sa);
    assert_null(sa_find(sa.state, first));
    assert_int_equal(commit(&sa), 0);
    assert_false(sa.state->sa.resuming);
}

static void
an_end_that_is_not_kept_makes_it_ask_for_all(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);

    assert_int_equal(commit(&sa), 0);
    plane_ends(id, IPSEC_DIRECTION_INBOUND);
    look_for_ends(&sa);
    state_undo(sa.state, (struct batch_mark){ .change_count = 0 });
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_ACTIVE);
    assert_true(sa.state->sa.resuming);
    fake_plane_state.loses = true;
    run_due(&sa);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_EXPIRED);
    assert_int_equal(commit(&sa), 0);
}

static void
ends_that_got_lost_make_it_ask_for_all(void **test_state)
{
    struct sa_fixture sa = begin(test_state);
    uint64_t id = context_in(&sa, IPSEC_SA_CONTEXT_ACTIVE);

    assert_int_equal(commit(&sa), 0);
    fake_plane_state.resumed = 0;
    fake_plane_state.has_lost_ends = true;
    look_for_ends(&sa);
    assert_true(sa.state->sa.resuming);
    run_due(&sa);
    assert_int_equal(fake_plane_state.resumed, 2);
    assert_int_equal(state_of(&sa, id), IPSEC_SA_CONTEXT_ACTIVE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_plane_gets_each_bundle_once_with_its_keys),
        FIXTURE_TEST(keys_go_with_what_is_undone),
        FIXTURE_TEST(a_refused_inbound_bundle_leaves_the_spi),
        FIXTURE_TEST(a_refused_outbound_bundle_ends_nobody),
        FIXTURE_TEST(a_refused_create_leaves_nothing),
        FIXTURE_TEST(one_refusal_fails_all_of_a_call),
        FIXTURE_TEST(a_call_of_items_loses_only_the_refused_one),
        FIXTURE_TEST(what_builds_on_a_refused_step_is_refused_too),
        FIXTURE_TEST(behind_a_refusal_only_what_builds_on_it_is_refused),
        FIXTURE_TEST(a_context_deleted_in_the_batch_stays_deleted),
        FIXTURE_TEST(an_update_reaches_the_plane_or_is_taken_back),
        FIXTURE_TEST(after_a_start_what_the_plane_lost_is_expired),
        FIXTURE_TEST(a_plane_that_does_not_tell_expires_nobody),
        FIXTURE_TEST(what_the_plane_ends_ends_its_context),
        FIXTURE_TEST(an_end_that_is_not_kept_makes_it_ask_for_all),
        FIXTURE_TEST(ends_that_got_lost_make_it_ask_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
