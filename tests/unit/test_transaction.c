/* SPDX-License-Identifier: Apache-2.0
 *
 * test_transaction.c: transactions: what each call says in one and in a dynamic session, the lock,
 * and how transactions end. */
#include "engine/transaction.h"

#include "engine/policy_change.h"
#include "engine/session_due.h"
#include "engine/session_end.h"
#include "engine/subscription.h"
#include "tests/unit/provider_context_fixture.h"

/* --- Every call in every kind of session (spec section 6.2) --- */

static const uint64_t nothing = 999; /* names no object */

static enum ipsec_status
create(struct ipsec_session *session)
{
    const struct ipsec_traffic traffic = transport_traffic(nothing);
    uint64_t id;

    return ipsec_sa_context_create(session, &traffic, NULL, &id);
}

static enum ipsec_status
create_with(struct ipsec_session *session)
{
    const struct ipsec_traffic traffic = transport_traffic(nothing);
    const struct ipsec_sa_context_options options = { .labels = NULL };
    struct ipsec_sa_context context;

    return ipsec_sa_context_create_with(session, &traffic, &options, &context);
}

static enum ipsec_status
delete_context(struct ipsec_session *session)
{
    return ipsec_sa_context_delete_by_id(session, nothing);
}

static enum ipsec_status
try_get_spi(struct ipsec_session *session)
{
    const struct ipsec_traffic none = { .ipsec_filter_id = 0 };
    uint32_t spi;

    return ipsec_sa_context_get_spi(session, nothing, &none, &spi);
}

static enum ipsec_status
set_spi(struct ipsec_session *session)
{
    const struct ipsec_traffic none = { .ipsec_filter_id = 0 };

    return ipsec_sa_context_set_spi(session, nothing, &none, 4711);
}

static enum ipsec_status
add_bundle(struct ipsec_session *session, bool is_inbound)
{
    struct ipsec_sa_bundle_input bundle = gcm_bundle(PEER_SPI, 1);
    struct ipsec_sa_context context;
    enum ipsec_status status =
        is_inbound ? ipsec_sa_context_add_inbound(session, nothing, &bundle, &context)
                   : ipsec_sa_context_add_outbound(session, nothing, &bundle, &context);

    bundle_clear(&bundle);
    return status;
}

static enum ipsec_status
key_inbound(struct ipsec_session *session)
{
    return add_bundle(session, true);
}

static enum ipsec_status
key_outbound(struct ipsec_session *session)
{
    return add_bundle(session, false);
}

static enum ipsec_status
update(struct ipsec_session *session)
{
    const struct ipsec_sa_context_update update = { .parts = IPSEC_UPDATE_LABELS };
    struct ipsec_sa_context context;

    return ipsec_sa_context_update(session, nothing, &update, &context);
}

static enum ipsec_status
expire(struct ipsec_session *session)
{
    return ipsec_sa_context_expire(session, nothing);
}

static enum ipsec_status
get_context(struct ipsec_session *session)
{
    struct ipsec_sa_context context;

    return ipsec_sa_context_get_by_id(session, nothing, &context);
}

static enum ipsec_status
enum_contexts(struct ipsec_session *session)
{
    const struct ipsec_sa_context_template all = { .spi = 0 };
    struct ipsec_sa_context_page page;
    enum ipsec_status status = ipsec_sa_context_enum(session, &all, 0, 10, &page);

    ipsec_sa_context_page_clear(&page);
    return status;
}

static enum ipsec_status
subscriptions(struct ipsec_session *session)
{
    struct ipsec_subscription_page page;
    enum ipsec_status status = ipsec_sa_context_subscriptions_get(session, &page);

    ipsec_subscription_page_clear(&page);
    return status;
}

static enum ipsec_status
statistics(struct ipsec_session *session)
{
    struct ipsec_statistics all;

    return ipsec_get_statistics(session, &all);
}

static enum ipsec_status
add_one_filter(struct ipsec_session *session)
{
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_guid key;
    uint64_t id;

    return ipsec_filter_add(session, &filter, &id, &key);
}

static enum ipsec_status
add_one_context(struct ipsec_session *session)
{
    const struct ipsec_provider_context context = tunnel_policy();
    struct ipsec_guid key;
    uint64_t id;

    return ipsec_provider_context_add(session, &context, &id, &key);
}

static enum ipsec_status
add_one_tunnel(struct ipsec_session *session)
{
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_tunnel tunnel = { .tunnel_policy = &policy };
    struct ipsec_tunnel_made made;

    return ipsec_tunnel_add(session, &tunnel, &made);
}

/* The first three numbers are those of the fixture's own, static objects. */
enum { FILTER = 1, PROVIDER_CONTEXT = 2, TUNNEL = 3 };

static enum ipsec_status
delete_filter(struct ipsec_session *session)
{
    return ipsec_filter_delete_by_id(session, FILTER);
}

static enum ipsec_status
delete_provider_context(struct ipsec_session *session)
{
    return ipsec_provider_context_delete_by_id(session, PROVIDER_CONTEXT);
}

static enum ipsec_status
delete_tunnel(struct ipsec_session *session)
{
    return ipsec_tunnel_delete(session, TUNNEL);
}

static enum ipsec_status
get_filter(struct ipsec_session *session)
{
    const struct ipsec_filter *filter = NULL;
    enum ipsec_status status = ipsec_filter_get_by_id(session, FILTER, &filter);

    ipsec_filter_unref(filter);
    return status;
}

static enum ipsec_status
begin_again(struct ipsec_session *session)
{
    return ipsec_transaction_begin(session, true);
}

static enum ipsec_status
end_nothing(struct ipsec_session *session)
{
    return session->transaction == IPSEC_NO_TRANSACTION ? ipsec_transaction_abort(session)
                                                        : IPSEC_OK;
}

static void
each_call_says_what_the_table_says(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *name;
        enum ipsec_status (*call)(struct ipsec_session *session);
        enum ipsec_status plain; /* in a static session without a transaction */
        enum ipsec_status reading;
        enum ipsec_status writing;
        enum ipsec_status dynamic;
        enum ipsec_status dynamic_writing;
    } rows[] = {
        { "create", create, IPSEC_FILTER_NOT_FOUND, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS,
          IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS },
        { "create with", create_with, IPSEC_FILTER_NOT_FOUND, IPSEC_TXN_IN_PROGRESS,
          IPSEC_TXN_IN_PROGRESS, IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS },
        { "delete", delete_context, IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS,
          IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS },
        { "get spi", try_get_spi, IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS,
          IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS },
        { "set spi", set_spi, IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS,
          IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS },
        { "add inbound", key_inbound, IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS,
          IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS },
        { "add outbound", key_outbound, IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS,
          IPSEC_TXN_IN_PROGRESS, IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS },
        { "update", update, IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS,
          IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS },
        { "expire", expire, IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS,
          IPSEC_NOT_FOUND, IPSEC_TXN_IN_PROGRESS },
        { "get", get_context, IPSEC_NOT_FOUND, IPSEC_NOT_FOUND, IPSEC_NOT_FOUND, IPSEC_NOT_FOUND,
          IPSEC_NOT_FOUND },
        { "enum", enum_contexts, IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_OK },
        { "subscriptions", subscriptions, IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_OK },
        { "statistics", statistics, IPSEC_OK, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS,
          IPSEC_OK, IPSEC_TXN_IN_PROGRESS },
        { "add filter", add_one_filter, IPSEC_OK, IPSEC_INCOMPATIBLE_TXN, IPSEC_OK, IPSEC_OK,
          IPSEC_OK },
        { "add provider context", add_one_context, IPSEC_OK, IPSEC_INCOMPATIBLE_TXN, IPSEC_OK,
          IPSEC_OK, IPSEC_OK },
        { "add tunnel", add_one_tunnel, IPSEC_OK, IPSEC_INCOMPATIBLE_TXN, IPSEC_OK, IPSEC_OK,
          IPSEC_OK },
        { "delete filter", delete_filter, IPSEC_OK, IPSEC_INCOMPATIBLE_TXN, IPSEC_OK,
          IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_DYNAMIC_SESSION_IN_PROGRESS },
        { "delete provider context", delete_provider_context, IPSEC_OK, IPSEC_INCOMPATIBLE_TXN,
          IPSEC_OK, IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_DYNAMIC_SESSION_IN_PROGRESS },
        { "delete tunnel", delete_tunnel, IPSEC_OK, IPSEC_INCOMPATIBLE_TXN, IPSEC_OK,
          IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_DYNAMIC_SESSION_IN_PROGRESS },
        { "get filter", get_filter, IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_OK, IPSEC_OK },
        { "begin", begin_again, IPSEC_OK, IPSEC_TXN_IN_PROGRESS, IPSEC_TXN_IN_PROGRESS, IPSEC_OK,
          IPSEC_TXN_IN_PROGRESS },
        { "end", end_nothing, IPSEC_NO_TXN_IN_PROGRESS, IPSEC_OK, IPSEC_OK,
          IPSEC_NO_TXN_IN_PROGRESS, IPSEC_OK },
    };

    (void)add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    assert_int_equal(add_one_context(&fixture->session), IPSEC_OK);
    assert_int_equal(add_one_tunnel(&fixture->session), IPSEC_OK);
    end_batch(fixture);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const enum ipsec_status expected[] = { rows[i].plain, rows[i].reading, rows[i].writing,
                                               rows[i].dynamic, rows[i].dynamic_writing };

        for (int kind = 0; kind < 5; kind++) {
            struct ipsec_session session =
                open_session(fixture, kind >= 3 ? IPSEC_SESSION_DYNAMIC : 0);

            end_batch(fixture);
            if (kind == 1 || kind == 2 || kind == 4)
                begin(&session, kind == 1);
            enum ipsec_status status = rows[i].call(&session);
            if (status != expected[kind])
                print_error("%s in kind %d: %s\n", rows[i].name, kind, ipsec_status_name(status));
            assert_int_equal(status, expected[kind]);
            state_undo(&fixture->state, (struct batch_mark){ .undo_count = 0 });
            const struct ipsec_guid key = session.entry->record.key;
            assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
            end_batch(fixture);
        }
    }
}

static void
nobody_begins_to_watch_in_a_transaction(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_subscription_options options = { .since = 0 };
    struct ipsec_subscription *subscription;

    for (int read_only = 0; read_only < 2; read_only++) {
        struct ipsec_session session = open_session(fixture, 0);

        end_batch(fixture);
        begin(&session, read_only);
        assert_int_equal(ipsec_sa_context_subscribe(&session, &options, NULL, &subscription),
                         IPSEC_TXN_IN_PROGRESS);
        roll_back(fixture, &session);
    }
}

/* --- The lock --- */

static void
many_read_or_one_writes(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session readers[2] = { open_session(fixture, 0), open_session(fixture, 0) };
    struct ipsec_session writer = open_session(fixture, 0);

    end_batch(fixture);
    begin(&readers[0], true);
    begin(&readers[1], true);
    assert_int_equal(ipsec_transaction_begin(&writer, false), IPSEC_TIMEOUT);
    assert_true(writer.must_wait);
    assert_int_equal(add_one_filter(&fixture->session), IPSEC_TIMEOUT);
    commit(fixture, &readers[0]);
    assert_int_equal(ipsec_transaction_begin(&writer, false), IPSEC_TIMEOUT);
    roll_back(fixture, &readers[1]);
    begin(&writer, false);
    assert_int_equal(ipsec_transaction_begin(&readers[0], true), IPSEC_TIMEOUT);
    assert_false(readers[0].waits_to_write);
    /* Reads outside of transactions do not wait. */
    assert_int_equal(count_filters(&fixture->session), 0);
    roll_back(fixture, &writer);
    begin(&readers[0], true);
    commit(fixture, &readers[0]);
}

static void
a_reader_sees_only_what_is_committed(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session reader = open_session(fixture, 0);
    uint64_t id = add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);

    end_batch(fixture);
    begin(&reader, true);
    assert_true(sees_filter(&reader, id));
    assert_int_equal(count_filters(&reader), 1);
    assert_int_equal(add_one_filter(&fixture->session), IPSEC_TIMEOUT);
    assert_int_equal(count_filters(&reader), 1);
    roll_back(fixture, &reader);
}

static void
beginning_and_committing_need_the_right(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session session = open_session(fixture, 0);
    uint32_t *granted = &fixture->caller.rights.granted[IPSEC_CONTAINER_ENGINE];

    *granted = ~(uint32_t)FWPM_ACTRL_BEGIN_WRITE_TXN;
    assert_int_equal(ipsec_transaction_begin(&session, false), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_BEGIN_READ_TXN;
    assert_int_equal(ipsec_transaction_begin(&session, true), IPSEC_ACCESS_DENIED);
    begin(&session, false);
    *granted = ~(uint32_t)FWPM_ACTRL_BEGIN_WRITE_TXN;
    assert_int_equal(ipsec_transaction_commit(&session), IPSEC_ACCESS_DENIED);
    assert_int_equal(session.transaction, IPSEC_WRITE_TRANSACTION);
    /* To give up takes no right. */
    roll_back(fixture, &session);
}

static void
an_implicit_session_has_no_transaction(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(ipsec_transaction_begin(&fixture->session, false), IPSEC_INVALID_HANDLE);
    assert_int_equal(ipsec_transaction_commit(&fixture->session), IPSEC_NO_TXN_IN_PROGRESS);
    assert_int_equal(ipsec_transaction_abort(&fixture->session), IPSEC_NO_TXN_IN_PROGRESS);
}

/* --- Ends --- */

static void
a_failing_call_leaves_the_transaction_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);

    end_batch(fixture);
    begin(&writer, false);
    uint64_t id = add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, nothing), IPSEC_FILTER_NOT_FOUND);
    assert_int_equal(writer.transaction, IPSEC_WRITE_TRANSACTION);
    commit(fixture, &writer);
    assert_true(sees_filter(&fixture->session, id));
}

static void
closing_the_session_aborts(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    struct ipsec_session next = open_session(fixture, 0);

    end_batch(fixture);
    begin(&writer, false);
    assert_int_equal(add_one_filter(&writer), IPSEC_OK);
    end_batch(fixture);
    const struct ipsec_guid key = writer.entry->record.key;
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(fixture->state.filters.ids.count, 0);
    begin(&next, false);
    roll_back(fixture, &next);
}

static void
one_that_is_held_too_long_is_rolled_back_and_told_so_once(void **state)
{
    struct fixture *fixture = *state;
    struct engine_state *engine_state = &fixture->state;
    struct ipsec_session writer;

    engine_state->sessions.limits.hold_ms = 1000;
    writer = open_session(fixture, 0);
    end_batch(fixture);
    begin(&writer, false);
    assert_int_equal(add_one_filter(&writer), IPSEC_OK);
    end_batch(fixture);
    state_begin_batch(engine_state, engine_state->now_ms, engine_state->clock_ms + 999);
    session_end_due.run(engine_state);
    assert_int_equal(writer.entry->record.transaction, IPSEC_WRITE_TRANSACTION);
    state_begin_batch(engine_state, engine_state->now_ms, engine_state->clock_ms + 1);
    session_end_due.run(engine_state);
    end_batch(fixture);
    assert_int_equal(writer.entry->record.transaction, IPSEC_NO_TRANSACTION);
    assert_int_equal(engine_state->filters.ids.count, 0);
    assert_int_equal(engine_state->sessions.rolled_back, 1);
    assert_true(session_take_notice(engine_state, writer.entry));
    assert_false(session_take_notice(engine_state, writer.entry));
}

static void
a_commit_that_is_undone_leaves_the_transaction_whole(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    uint64_t deleted = add_transport_filter(fixture, IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);

    end_batch(fixture);
    begin(&writer, false);
    uint64_t added = add_filter_in(&writer, &filter);
    assert_int_equal(ipsec_filter_delete_by_id(&writer, deleted), IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(ipsec_transaction_commit(&writer), IPSEC_OK);
    assert_true(sees_filter(&fixture->session, added));
    state_undo(&fixture->state, (struct batch_mark){ .undo_count = 0 });
    writer.transaction = IPSEC_WRITE_TRANSACTION; /* as the next call finds it */
    assert_int_equal(writer.entry->record.transaction, IPSEC_WRITE_TRANSACTION);
    assert_true(writer.entry->commit_undone);
    assert_false(sees_filter(&fixture->session, added));
    assert_true(sees_filter(&fixture->session, deleted));
    assert_true(sees_filter(&writer, added));
    assert_false(sees_filter(&writer, deleted));

    /* What the engine does when it was the store that failed. */
    transaction_drop_undone(&fixture->state);
    assert_int_equal(writer.entry->record.transaction, IPSEC_NO_TRANSACTION);
    assert_int_equal(fixture->state.filters.ids.count, 1);
    assert_true(sees_filter(&fixture->session, deleted));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_call_says_what_the_table_says),
        FIXTURE_TEST(nobody_begins_to_watch_in_a_transaction),
        FIXTURE_TEST(many_read_or_one_writes),
        FIXTURE_TEST(a_reader_sees_only_what_is_committed),
        FIXTURE_TEST(beginning_and_committing_need_the_right),
        FIXTURE_TEST(an_implicit_session_has_no_transaction),
        FIXTURE_TEST(a_failing_call_leaves_the_transaction_as_it_is),
        FIXTURE_TEST(closing_the_session_aborts),
        FIXTURE_TEST(one_that_is_held_too_long_is_rolled_back_and_told_so_once),
        FIXTURE_TEST(a_commit_that_is_undone_leaves_the_transaction_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
