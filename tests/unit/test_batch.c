/* SPDX-License-Identifier: Apache-2.0
 *
 * test_batch.c: whatever was done, undoing takes memory back to what it was. */
#include "engine/batch.h"

#include "engine/base/buffer.h"
#include "engine/filter.h"
#include "engine/provider_context.h"
#include "engine/transaction.h"
#include "tests/unit/provider_context_fixture.h"
#include "tests/unit/test_random.h"

static void
describe_policy(const struct engine_state *state, struct buffer *text)
{
    struct id_table_cursor cursor = id_table_seek(&state->provider_contexts.ids, 0);
    const struct provider_context_row *context;
    const struct session_row *session;

    while ((context = id_table_next(&state->provider_contexts.ids, &cursor)) != NULL) {
        unsigned users = 0;
        unsigned parts = 0;

        for (const struct filter_entry *user = context->entry->first_user; user != NULL;
             user = user->user_link.next)
            users++;
        for (const struct filter_entry *part = context->entry->first_part; part != NULL;
             part = part->part_link.next)
            parts++;
        buffer_append_format(text, "provider context %llu users %u parts %u phase %u owner %llu\n",
                             (unsigned long long)context->id, users, parts,
                             context->entry->object.phase,
                             (unsigned long long)context->entry->object.owner);
    }
    cursor = id_table_seek(&state->sessions.numbers, 0);
    while ((session = id_table_next(&state->sessions.numbers, &cursor)) != NULL) {
        buffer_append_format(text, "session %llu transaction %u owns",
                             (unsigned long long)session->number,
                             session->entry->record.transaction);
        for (const struct policy_object *object = session->entry->owned; object != NULL;
             object = object->next_owned)
            buffer_append_format(text, " %p", (const void *)object);
        buffer_append_format(text, "\n");
    }
    buffer_append_format(
        text, "lock: writer %llu readers %u changes %zu, in force %llu, keys %zu\n",
        (unsigned long long)state->policy.writer, state->policy.readers, state->policy.change_count,
        (unsigned long long)state->filters.committed_count, state->provider_contexts.keys.count);
}

/* All that can be seen of a state, as text: objects, references, answers of the classifier. */
static void
describe(struct engine_state *state, struct buffer *text)
{
    struct id_table_cursor cursor = id_table_seek(&state->contexts, 0);
    const struct ipsec_sa_context *context;
    const uint64_t *filter_id;

    buffer_reset(text);
    while ((context = id_table_next(&state->contexts, &cursor)) != NULL)
        buffer_append_format(text,
                             "context %llu filter %llu inbound %llu revision %llu state %u spi %u "
                             "owner %llu due %lld parts %p %p %p\n",
                             (unsigned long long)context->id,
                             (unsigned long long)context->outbound_traffic.ipsec_filter_id,
                             (unsigned long long)context->inbound_filter_id,
                             (unsigned long long)context->revision, context->state, context->spi,
                             (unsigned long long)spi_table_owner(&state->sa.spis, context->spi),
                             (long long)context->due_at_ms, (const void *)context->inbound,
                             (const void *)context->outbound, (const void *)context->labels);
    for (size_t i = 0; i < IPSEC_SA_CONTEXT_STATE_COUNT; i++)
        buffer_append_format(text, "state %zu: %llu\n", i,
                             (unsigned long long)state->contexts_by_state[i]);
    buffer_append_format(
        text, "spis %llu owners %zu resting %zu traffics %zu added %u deleted %u rekeys %u\n",
        (unsigned long long)state->sa.spis.taken, state->sa.spis.owners.count,
        state->sa.spis.quarantined.count, state->sa.traffics.count, state->sa.counters.added,
        state->sa.counters.deleted, state->sa.counters.rekeys);
    buffer_append_format(text, "events %zu actions %zu groups %zu\n", state->batch.event_count,
                         state->batch.plane.action_count, state->batch.plane.group_count);

    cursor = id_table_seek(&state->filters.ids, 0);
    while ((filter_id = id_table_next(&state->filters.ids, &cursor)) != NULL) {
        const struct filter_entry *entry = filter_table_find(&state->filters, *filter_id);

        buffer_append_format(text, "filter %llu users %llu phase %u owner %llu tunnel %llu\n",
                             (unsigned long long)entry->filter->id,
                             (unsigned long long)entry->users.count, entry->object.phase,
                             (unsigned long long)entry->object.owner,
                             (unsigned long long)entry->filter->tunnel_id);
    }
    describe_policy(state, text);
    for (uint8_t i = 0; i < 8; i++) {
        struct classify_flow flow = { .local_address = address("192.0.2.1"),
                                      .remote_address = address("198.51.100.0") };

        flow.remote_address.bytes[3] = i;
        buffer_append_format(text, "flow %u inbound %llu\n", i,
                             (unsigned long long)classify_flow(&state->classify, &flow));
    }
    buffer_append_format(text, "keys %zu cells %zu replays %zu changes %zu copies %zu\n",
                         state->filters.keys.count, state->classify.cells.count,
                         state->replays.count, state->batch.change_count, state->batch.undo_count);
    assert_false(text->failed);
}

static uint64_t
random_id(const struct fixture *fixture)
{
    return 1 + random_below((unsigned)fixture->state.luids.last + 2);
}

static uint64_t
random_filter_id(const struct fixture *fixture)
{
    struct id_table_cursor cursor =
        id_table_seek(&fixture->state.filters.ids, random_id(fixture) - 1);
    const uint64_t *id = id_table_next(&fixture->state.filters.ids, &cursor);

    return id == NULL ? 1 : *id;
}

static void
forget_undone_commits(struct engine_state *state)
{
    struct id_table_cursor cursor = id_table_seek(&state->sessions.numbers, 0);
    const struct session_row *row;

    while ((row = id_table_next(&state->sessions.numbers, &cursor)) != NULL)
        row->entry->commit_undone = false;
}

/* The next step in the life of a random context, if that is what its state allows; a failure half
 * way is for the caller to undo. */
static void
live(struct fixture *fixture)
{
    const struct sa_fixture sa = { .base = fixture,
                                   .session = &fixture->session,
                                   .state = &fixture->state };
    struct id_table_cursor cursor = id_table_seek(&fixture->state.contexts, random_id(fixture) - 1);
    const struct ipsec_sa_context *context = id_table_next(&fixture->state.contexts, &cursor);
    const struct ipsec_traffic none = { .ipsec_filter_id = 0 };
    struct ipsec_sa_bundle_input input;
    struct ipsec_sa_context copy;
    uint32_t spi;

    if (context == NULL)
        return;
    uint64_t id = context->id;
    switch (random_below(6)) {
    case 0:
        (void)!ipsec_sa_context_expire(&fixture->session, id);
        break;
    case 1: {
        char name[] = "n";
        char value[] = "v";
        const struct ipsec_labels labels = { .count = 1,
                                             .pairs = { { .name = name, .value = value } } };
        const struct ipsec_sa_context_update update = {
            .parts = IPSEC_UPDATE_LABELS,
            .labels = random_below(2) == 0 ? &labels : NULL,
            .inbound_parts = random_below(2) == 0 ? IPSEC_UPDATE_NAP_CONTEXT : 0,
        };

        (void)!ipsec_sa_context_update(&fixture->session, id, &update, &copy);
        ipsec_sa_context_unref(&copy);
        break;
    }
    default:
        input = gcm_bundle(context->spi, 1);
        if (context->state == IPSEC_SA_CONTEXT_CREATED) {
            (void)!ipsec_sa_context_get_spi(&fixture->session, id, &none, &spi);
        } else if (context->state == IPSEC_SA_CONTEXT_SPI_SET) {
            input.bundle.lifetime.seconds = random_below(100);
            (void)!try_inbound(&sa, id, &input);
        } else if (context->state == IPSEC_SA_CONTEXT_INBOUND) {
            input.bundle.sas[0].spi = PEER_SPI;
            input.keys[0].cipher.bytes[0]++;
            (void)!try_outbound(&sa, id, &input);
        }
        bundle_clear(&input);
    }
}

/* One of the explicit sessions, as a call that names it would find it. */
static bool
random_session(struct fixture *fixture, struct ipsec_session *session_out)
{
    const struct id_table *numbers = &fixture->state.sessions.numbers;
    struct id_table_cursor cursor = id_table_seek(numbers, 0);
    const struct session_row *row = NULL;

    if (numbers->count == 0)
        return false;
    for (unsigned i = random_below((unsigned)numbers->count) + 1; i > 0; i--)
        row = id_table_next(numbers, &cursor);
    *session_out = (struct ipsec_session){
        .state = &fixture->state,
        .caller = &fixture->caller,
        .fault = &fixture->fault,
        .entry = row->entry,
        .flags = row->entry->record.flags,
        .transaction = (enum ipsec_transaction_kind)row->entry->record.transaction,
    };
    return true;
}

static uint64_t
random_tunnel_id(const struct fixture *fixture)
{
    struct id_table_cursor cursor =
        id_table_seek(&fixture->state.provider_contexts.ids, random_id(fixture) - 1);
    const uint64_t *id = id_table_next(&fixture->state.provider_contexts.ids, &cursor);

    return id == NULL ? 1 : *id;
}

/* Something done to policy in a random session; in part only, if it fails. */
static enum ipsec_status
change_policy(struct fixture *fixture, struct ipsec_session *session)
{
    const struct ipsec_provider_context policy = tunnel_policy();
    struct ipsec_tunnel tunnel = { .tunnel_policy = &policy };
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    const struct ipsec_guid session_key = session->entry->record.key;
    struct ipsec_tunnel_made made;
    struct ipsec_guid key;
    uint64_t id;

    switch (random_below(10)) {
    case 0:
    case 1:
        return ipsec_transaction_begin(session, random_below(4) == 0);
    case 2:
        return ipsec_transaction_commit(session);
    case 3:
        return ipsec_transaction_abort(session);
    case 4:
    case 5:
        return ipsec_filter_add(session, &filter, &id, &key);
    case 6:
        return ipsec_filter_delete_by_id(session, random_filter_id(fixture));
    case 7:
        tunnel.flags = random_below(2);
        return ipsec_tunnel_add(session, &tunnel, &made);
    case 8:
        return ipsec_tunnel_delete(session, random_tunnel_id(fixture));
    default:
        return random_below(3) == 0 ? ipsec_session_close(&fixture->session, &session_key)
                                    : IPSEC_OK;
    }
}

/* As a call: on failure it is undone, and a commit that was undone may be tried again. */
static void
live_in_session(struct fixture *fixture)
{
    struct engine_state *state = &fixture->state;
    struct batch_mark mark = batch_mark(&state->batch);
    struct ipsec_session session;

    if (state->sessions.numbers.count < 4)
        (void)open_session(fixture, random_below(2));
    if (!random_session(fixture, &session) || change_policy(fixture, &session) == IPSEC_OK)
        return;
    state_undo(state, mark);
    forget_undone_commits(state);
}

/* One random operation, which may well fail. */
static void
step(struct fixture *fixture)
{
    struct engine_state *state = &fixture->state;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_filter filter =
        transport_filter(random_below(2) == 0 ? IPSEC_LAYER_INBOUND_TRANSPORT_V4
                                              : IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_traffic traffic = transport_traffic(random_filter_id(fixture));
    uint8_t digest[32] = { 0 };
    struct ipsec_guid key;
    uint64_t inbound;
    uint64_t id;
    unsigned choice = random_below(100);

    if (random_below(3) == 0) {
        fixture->caller.principal = "cn:a"; /* whose the sessions are */
        live_in_session(fixture);
        return;
    }
    fixture->caller.principal = random_below(2) == 0 ? "cn:a" : "cn:b";
    filter.condition_count = (uint8_t)random_below(2);
    filter.conditions[0] = address_condition(IPSEC_CONDITION_IP_REMOTE_ADDRESS, "198.51.100.0",
                                             (uint8_t)(29 + random_below(4)));
    filter.conditions[0].address.bytes[3] = (uint8_t)random_below(8);
    traffic.remote_address.bytes[3] = (uint8_t)random_below(8);

    if (choice < 10) {
        (void)!ipsec_filter_add(session, &filter, &id, &key);
    } else if (choice < 25) {
        (void)!ipsec_filter_delete_by_id(session, random_filter_id(fixture));
    } else if (choice < 45) {
        (void)!ipsec_sa_context_create(session, &traffic, &inbound, &id);
    } else if (choice < 85) {
        live(fixture);
    } else if (choice < 95) {
        (void)!ipsec_sa_context_delete_by_id(session, random_id(fixture));
    } else if (!replay_is_full(&state->replays)) {
        id = state->revision++;
        memcpy(digest, &id, sizeof id);
        const struct replay_record *record =
            replay_add(&state->replays, digest, digest, state->now_ms, 0);
        const struct store_replay stored = { .number = record->number };

        assert_true(state_put_replay(state, &stored));
    }
}

static void
undoing_restores_the_state_before(void **state)
{
    struct fixture *fixture = *state;
    struct engine_state *engine_state = &fixture->state;
    struct buffer at_commit;
    struct buffer before;
    struct buffer after;

    engine_state->sa.settings =
        (struct sa_settings){ .larval_timeout_ms = 1000, .quarantine_ms = 5000 };
    buffer_init(&at_commit, 1 << 22);
    buffer_init(&before, 1 << 22);
    buffer_init(&after, 1 << 22);
    for (int round = 0; round < 250; round++) {
        state_begin_batch(engine_state, engine_state->now_ms + 10, engine_state->clock_ms + 10);
        describe(engine_state, &at_commit);
        sa_context_due_source.run(engine_state);
        for (int call = 0; call < 10; call++) {
            struct batch_mark savepoint = batch_mark(&engine_state->batch);

            describe(engine_state, &before);
            for (unsigned i = 0; i < 1 + random_below(10); i++)
                step(fixture);
            if (random_below(2) == 0) {
                state_undo(engine_state, savepoint);
                forget_undone_commits(engine_state);
                describe(engine_state, &after);
                assert_string_equal(buffer_text(&before), buffer_text(&after));
            }
        }
        if (random_below(3) == 0) {
            state_undo(engine_state, (struct batch_mark){ .undo_count = 0 });
            describe(engine_state, &after);
            assert_string_equal(buffer_text(&at_commit), buffer_text(&after));
            forget_undone_commits(engine_state);
        } else {
            state_settle(engine_state);
            assert_int_equal(engine_state->batch.change_count, 0);
        }
    }
    assert_true(engine_state->contexts.count > 0);
    assert_true(engine_state->sa.counters.rekeys > 0);
    assert_true(engine_state->filters.ids.count > 0);
    assert_true(engine_state->sessions.transactions_begun > 25);
    buffer_clear(&at_commit);
    buffer_clear(&before);
    buffer_clear(&after);
}

static void
changes_keep_the_contexts_they_were_made_with(void **state)
{
    struct fixture *fixture = *state;
    const struct batch *batch = &fixture->state.batch;
    uint64_t filter = add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);

    state_settle(&fixture->state);
    for (int i = 0; i < 1000; i++)
        (void)add_context(fixture, filter);
    for (uint64_t id = filter + 1; id <= filter + 1000; id += 2)
        assert_int_equal(ipsec_sa_context_delete_by_id(&fixture->session, id), IPSEC_OK);
    assert_int_equal(batch->change_count, 1500);
    for (size_t i = 0; i < 1500; i++) {
        const struct store_change *change = &batch->changes[i];

        assert_int_equal(change->kind, i < 1000 ? STORE_PUT_SA_CONTEXT : STORE_DELETE_SA_CONTEXT);
        assert_int_equal(change->id, i < 1000 ? filter + 1 + i : filter + 1 + (i - 1000) * 2);
        assert_int_equal(change->sa_context->id, change->id);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(undoing_restores_the_state_before),
        FIXTURE_TEST(changes_keep_the_contexts_they_were_made_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
