/* SPDX-License-Identifier: Apache-2.0
 *
 * test_policy_store.c: policy objects through the engine's thread: what a transaction leaves in the
 * store, commits that fail, calls that wait, and what is there after a restart. */
#include "engine/engine_internal.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/lib/scratch.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/provider_context_fixture.h"

enum operation {
    OPEN,
    CLOSE,
    BEGIN,
    COMMIT,
    ABORT,
    ADD_FILTER,
    DELETE_FILTER,
    GET_FILTER,
    ADD_TUNNEL,
    DELETE_TUNNEL,
    CREATE_CONTEXT,
    DELETE_CONTEXT,
};

struct test_call {
    struct ipsec_call base;
    enum operation operation;
    uint64_t object; /* input: an id, or the flags of a session or filter */
    uint64_t id;     /* output */
    struct ipsec_guid key;
    struct ipsec_tunnel_made tunnel;
};

static struct ipsec_engine *engine;

static enum ipsec_status
add_one_filter(struct ipsec_session *session, struct test_call *call)
{
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);

    filter.flags = (uint32_t)call->object;
    return ipsec_filter_add(session, &filter, &call->id, &call->key);
}

static enum ipsec_status
add_one_tunnel(struct ipsec_session *session, struct test_call *call)
{
    static char name[] = "who";
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_provider_context main_mode = { .name = name, .type = IPSEC_CONTEXT_IKE_MM };
    const struct ipsec_tunnel tunnel = { .tunnel_policy = &policy, .main_mode_policy = &main_mode };

    return ipsec_tunnel_add(session, &tunnel, &call->tunnel);
}

static enum ipsec_status
run(struct ipsec_call *base, struct ipsec_session *session)
{
    struct test_call *call = (struct test_call *)base;
    struct ipsec_session_record record = { .flags = (uint32_t)call->object };
    const struct ipsec_traffic traffic = transport_traffic(call->object);
    const struct ipsec_filter *filter = NULL;
    enum ipsec_status status;

    switch (call->operation) {
    case OPEN:
        status = ipsec_session_open(session, &record, &record);
        call->key = record.key;
        return status;
    case CLOSE:
        return ipsec_session_close(session, &call->key);
    case BEGIN:
        return ipsec_transaction_begin(session, false);
    case COMMIT:
        return ipsec_transaction_commit(session);
    case ABORT:
        return ipsec_transaction_abort(session);
    case ADD_FILTER:
        return add_one_filter(session, call);
    case DELETE_FILTER:
        return ipsec_filter_delete_by_id(session, call->object);
    case GET_FILTER:
        status = ipsec_filter_get_by_id(session, call->object, &filter);
        ipsec_filter_unref(filter);
        return status;
    case ADD_TUNNEL:
        return add_one_tunnel(session, call);
    case DELETE_TUNNEL:
        return ipsec_tunnel_delete(session, call->object);
    case CREATE_CONTEXT:
        return ipsec_sa_context_create(session, &traffic, NULL, &call->id);
    case DELETE_CONTEXT:
        return ipsec_sa_context_delete_by_id(session, call->object);
    }
    return IPSEC_RPC_UNEXPECTED;
}

/* 'session' is null for an implicit one. */
static struct test_call
make_call(enum operation operation, uint64_t object, const struct ipsec_guid *session)
{
    struct test_call call = {
        .base = { .caller = { .principal = "cn:test" },
                  .container = IPSEC_CONTAINER_FILTERS,
                  .right = FWPM_ACTRL_ADD,
                  .run = run },
        .operation = operation,
        .object = object,
    };

    memset(&call.base.caller.rights, 0xff, sizeof call.base.caller.rights);
    if (session != NULL) {
        call.base.has_session = true;
        call.base.session_key = *session;
    }
    return call;
}

static enum ipsec_status
do_operation(enum operation operation, uint64_t object, const struct ipsec_guid *session)
{
    struct test_call call = make_call(operation, object, session);

    return ipsec_engine_call(engine, &call.base);
}

static struct ipsec_guid
open_explicit(uint32_t flags)
{
    struct test_call call = make_call(OPEN, flags, NULL);

    assert_int_equal(ipsec_engine_call(engine, &call.base), IPSEC_OK);
    return call.key;
}

static enum ipsec_status
close_explicit(const struct ipsec_guid *key)
{
    struct test_call call = make_call(CLOSE, 0, NULL);

    call.key = *key;
    return ipsec_engine_call(engine, &call.base);
}

static uint64_t
add_filter_by(uint32_t flags, const struct ipsec_guid *session)
{
    struct test_call call = make_call(ADD_FILTER, flags, session);

    assert_int_equal(ipsec_engine_call(engine, &call.base), IPSEC_OK);
    return call.id;
}

static bool
is_there(uint64_t filter, const struct ipsec_guid *session)
{
    enum ipsec_status status = do_operation(GET_FILTER, filter, session);

    assert_true(status == IPSEC_OK || status == IPSEC_FILTER_NOT_FOUND);
    return status == IPSEC_OK;
}

static struct ipsec_engine_figures
figures(void)
{
    struct ipsec_engine_figures result;

    ipsec_engine_read_figures(engine, &result);
    return result;
}

static void
open_engine(void)
{
    const struct ipsec_engine_options options = {
        .queue_depth = 64,
        .max_batch = 16,
        .max_sessions = 16,
        .txn_wait_ms = 600000,
        .max_replay_records = 16,
        .probe_interval_ms = 10,
    };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    if (ipsec_engine_open_with(&options, &fake_store, "", &fault, &engine) != IPSEC_OK)
        fail_msg("%s", fault.detail);
}

static int
setup(void **state)
{
    (void)state;
    open_engine();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    ipsec_engine_close(engine);
    fake_clear();
    return 0;
}

/* --- What is stored, and when --- */

static void
a_transaction_is_one_commit_of_the_store(void **state)
{
    (void)state;
    const struct ipsec_guid session = open_explicit(0);
    uint64_t old = add_filter_by(0, NULL);

    assert_int_equal(do_operation(BEGIN, 0, &session), IPSEC_OK);
    uint64_t first = add_filter_by(0, &session);
    uint64_t second = add_filter_by(0, &session);
    assert_int_equal(do_operation(DELETE_FILTER, old, &session), IPSEC_OK);
    assert_int_equal(fake_count(STORE_PUT_FILTER), 1);
    unsigned commits = fake.commits;
    assert_int_equal(do_operation(COMMIT, 0, &session), IPSEC_OK);
    assert_int_equal(fake.commits, commits + 1);
    assert_int_equal(fake_count(STORE_PUT_FILTER), 2);
    assert_non_null(fake_find(STORE_PUT_FILTER, first));
    assert_non_null(fake_find(STORE_PUT_FILTER, second));
    assert_int_equal(figures().filters, 2);
}

static void
the_numbers_of_what_was_rolled_back_are_not_used_again(void **state)
{
    (void)state;
    const struct ipsec_guid session = open_explicit(0);

    assert_int_equal(do_operation(BEGIN, 0, &session), IPSEC_OK);
    uint64_t id = add_filter_by(0, &session);
    assert_int_equal(do_operation(ABORT, 0, &session), IPSEC_OK);
    assert_int_equal(fake_count(STORE_PUT_FILTER), 0);
    assert_true(fake.marks.last_luid >= id);
    ipsec_engine_close(engine);
    open_engine();
    assert_true(add_filter_by(0, NULL) > id);
}

/* --- Failed commits --- */

static void
a_commit_that_the_store_refuses_rolls_back(void **state)
{
    (void)state;
    const struct ipsec_guid session = open_explicit(0);
    uint64_t old = add_filter_by(0, NULL);

    assert_int_equal(do_operation(BEGIN, 0, &session), IPSEC_OK);
    uint64_t added = add_filter_by(0, &session);
    assert_int_equal(do_operation(DELETE_FILTER, old, &session), IPSEC_OK);
    fake.probe_status = IPSEC_RPC_OUT_OF_RESOURCES;
    fake.commit_status = IPSEC_RPC_OUT_OF_RESOURCES;
    assert_int_equal(do_operation(COMMIT, 0, &session), IPSEC_RPC_OUT_OF_RESOURCES);
    assert_true(is_there(old, NULL));
    assert_true(is_there(old, &session));
    assert_false(is_there(added, NULL));
    assert_false(is_there(added, &session));
    assert_int_equal(figures().filters, 1);
    assert_int_equal(figures().transactions_writing, 0);
    assert_int_equal(do_operation(COMMIT, 0, &session), IPSEC_NO_TXN_IN_PROGRESS);

    fake.commit_status = IPSEC_OK;
    fake.probe_status = IPSEC_OK;
    while (!figures().writable)
        (void)usleep(1000);
    assert_int_equal(do_operation(BEGIN, 0, &session), IPSEC_OK);
    added = add_filter_by(0, &session);
    assert_int_equal(do_operation(COMMIT, 0, &session), IPSEC_OK);
    assert_true(is_there(added, NULL));
    assert_int_equal(fake_count(STORE_PUT_FILTER), 2);
}

static void
a_tunnel_that_the_store_refuses_is_not_there(void **state)
{
    (void)state;
    struct test_call call = make_call(ADD_TUNNEL, 0, NULL);

    fake.probe_status = IPSEC_RPC_DISCONNECTED;
    fake.commit_status = IPSEC_RPC_DISCONNECTED;
    assert_int_equal(ipsec_engine_call(engine, &call.base), IPSEC_RPC_DISCONNECTED);
    assert_int_equal(figures().filters, 0);
    fake.commit_status = IPSEC_OK;
    fake.probe_status = IPSEC_OK;
    while (!figures().writable)
        (void)usleep(1000);
    assert_int_equal(ipsec_engine_call(engine, &call.base), IPSEC_OK);
    uint64_t id = call.tunnel.id;
    assert_int_equal(fake_count(STORE_PUT_FILTER), 5);
    assert_int_equal(fake_count(STORE_PUT_PROVIDER_CONTEXT), 2);

    fake.probe_status = IPSEC_RPC_DISCONNECTED;
    fake.commit_status = IPSEC_RPC_DISCONNECTED;
    assert_int_equal(do_operation(DELETE_TUNNEL, id, NULL), IPSEC_RPC_DISCONNECTED);
    assert_int_equal(figures().filters, 5);
    fake.commit_status = IPSEC_OK;
    fake.probe_status = IPSEC_OK;
    while (!figures().writable)
        (void)usleep(1000);
    assert_int_equal(do_operation(DELETE_TUNNEL, id, NULL), IPSEC_OK);
    assert_int_equal(fake_count(STORE_PUT_FILTER), 0);
    assert_int_equal(fake_count(STORE_PUT_PROVIDER_CONTEXT), 0);
}

static void
a_commit_with_a_deletion_in_use_stays_open(void **state)
{
    (void)state;
    const struct ipsec_guid session = open_explicit(0);
    uint64_t filter = add_filter_by(0, NULL);
    struct test_call create = make_call(CREATE_CONTEXT, filter, NULL);

    assert_int_equal(do_operation(BEGIN, 0, &session), IPSEC_OK);
    uint64_t added = add_filter_by(0, &session);
    assert_int_equal(do_operation(DELETE_FILTER, filter, &session), IPSEC_OK);
    assert_int_equal(ipsec_engine_call(engine, &create.base), IPSEC_OK);
    assert_int_equal(do_operation(COMMIT, 0, &session), IPSEC_IN_USE);
    assert_int_equal(figures().transactions_writing, 1);
    assert_false(is_there(added, NULL));
    assert_int_equal(do_operation(DELETE_CONTEXT, create.id, NULL), IPSEC_OK);
    assert_int_equal(do_operation(COMMIT, 0, &session), IPSEC_OK);
    assert_true(is_there(added, NULL));
    assert_false(is_there(filter, NULL));
    assert_int_equal(fake_count(STORE_PUT_FILTER), 1);
}

static void
a_dry_run_of_a_commit_changes_nothing(void **state)
{
    (void)state;
    const struct ipsec_guid session = open_explicit(0);
    struct test_call dry = make_call(COMMIT, 0, &session);

    assert_int_equal(do_operation(BEGIN, 0, &session), IPSEC_OK);
    uint64_t added = add_filter_by(0, &session);
    dry.base.dry_run = true;
    assert_int_equal(ipsec_engine_call(engine, &dry.base), IPSEC_OK);
    assert_false(is_there(added, NULL));
    assert_true(is_there(added, &session));
    assert_int_equal(do_operation(COMMIT, 0, &session), IPSEC_OK);
    assert_true(is_there(added, NULL));
}

/* --- Waiting --- */

static void
a_change_waits_until_the_writer_is_done(void **state)
{
    (void)state;
    const struct ipsec_guid session = open_explicit(0);
    struct test_call waiting[2] = { make_call(ADD_FILTER, 0, NULL),
                                    make_call(ADD_FILTER, 0, NULL) };
    struct ipsec_completion *completion;
    size_t returned = 0;

    assert_int_equal(do_operation(BEGIN, 0, &session), IPSEC_OK);
    uint64_t first = add_filter_by(0, &session);
    assert_int_equal(ipsec_completion_open(&completion), IPSEC_OK);
    for (size_t i = 0; i < 2; i++) {
        waiting[i].base.completion = completion;
        assert_true(ipsec_engine_reserve(engine));
        ipsec_engine_submit(engine, &waiting[i].base);
        while (figures().calls_waiting < i + 1)
            (void)usleep(1000);
    }
    assert_null(ipsec_completion_take(completion));
    assert_int_equal(do_operation(COMMIT, 0, &session), IPSEC_OK);
    while (returned < 2) {
        for (struct ipsec_call *call = ipsec_completion_take(completion); call != NULL;
             call = call->next) {
            assert_ptr_equal(call, &waiting[returned].base); /* who came first */
            assert_int_equal(call->status, IPSEC_OK);
            returned++;
        }
        (void)usleep(1000);
    }
    assert_true(first < waiting[0].id && waiting[0].id < waiting[1].id);
    assert_int_equal(fake_count(STORE_PUT_FILTER), 3);
    ipsec_completion_close(completion);
}

/* --- Restarts --- */

static void
static_and_persistent_objects_survive_a_restart_and_dynamic_ones_do_not(void **state)
{
    (void)state;
    const struct ipsec_guid dynamic = open_explicit(IPSEC_SESSION_DYNAMIC);
    const struct ipsec_guid writer = open_explicit(0);
    uint64_t fixed = add_filter_by(0, NULL);
    uint64_t persistent = add_filter_by(IPSEC_FILTER_PERSISTENT, NULL);
    uint64_t passing = add_filter_by(0, &dynamic);
    struct test_call tunnel = make_call(ADD_TUNNEL, 0, NULL);
    struct test_call passing_tunnel = make_call(ADD_TUNNEL, 0, &dynamic);

    assert_int_equal(ipsec_engine_call(engine, &tunnel.base), IPSEC_OK);
    assert_int_equal(ipsec_engine_call(engine, &passing_tunnel.base), IPSEC_OK);
    assert_int_equal(do_operation(BEGIN, 0, &writer), IPSEC_OK);
    uint64_t open = add_filter_by(0, &writer);
    assert_int_equal(do_operation(DELETE_FILTER, fixed, &writer), IPSEC_OK);
    assert_true(is_there(passing, NULL));
    ipsec_engine_close(engine);
    open_engine();

    assert_true(is_there(fixed, NULL));
    assert_true(is_there(persistent, NULL));
    assert_false(is_there(passing, NULL));
    assert_false(is_there(open, NULL));
    assert_int_equal(figures().filters, 2 + 5);
    /* All that belongs together still does. */
    assert_int_equal(do_operation(DELETE_FILTER, tunnel.tunnel.filter_ids[0], NULL), IPSEC_IN_USE);
    assert_int_equal(do_operation(DELETE_TUNNEL, passing_tunnel.tunnel.id, NULL),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    assert_int_equal(do_operation(DELETE_TUNNEL, tunnel.tunnel.id, NULL), IPSEC_OK);
    assert_int_equal(fake_count(STORE_PUT_FILTER), 2);
    assert_int_equal(fake_count(STORE_PUT_PROVIDER_CONTEXT), 0);
}

/* Each match of each field, in filters of their own, as far as they are valid. */
static size_t
add_every_condition(struct ipsec_session *session)
{
    size_t added = 0;

    for (uint8_t field = 0; field < IPSEC_CONDITION_FIELD_COUNT; field++) {
        for (uint8_t match = 0; match < IPSEC_MATCH_COUNT; match++) {
            struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
            struct ipsec_condition *condition = &filter.conditions[0];
            struct ipsec_guid key;
            uint64_t id;

            *condition = address_condition(field, "192.0.2.3", 32);
            condition->match = match;
            condition->address_high = address("192.0.2.200");
            condition->number = 2;
            condition->number_high = 4;
            filter.condition_count = 1;
            added += ipsec_filter_add(session, &filter, &id, &key) == IPSEC_OK;
        }
    }
    return added;
}

static enum ipsec_status
run_every_condition(struct ipsec_call *base, struct ipsec_session *session)
{
    ((struct test_call *)base)->id = add_every_condition(session);
    return IPSEC_OK;
}

static struct ipsec_filter_page listed;

static enum ipsec_status
run_list(struct ipsec_call *base, struct ipsec_session *session)
{
    (void)base;
    return ipsec_filter_enum(session, -1, 0, 1000, &listed);
}

static void
every_condition_survives_a_file(void **state)
{
    (void)state;
    struct scratch scratch;
    char uri[192];
    const struct ipsec_engine_options options = {
        .store_uri = uri,
        .queue_depth = 1,
        .max_batch = 1,
    };
    struct test_call call = make_call(ADD_FILTER, 0, NULL);
    struct ipsec_filter_page before;
    struct ipsec_fault fault = { .status = IPSEC_OK };

    scratch_init(&scratch);
    (void)snprintf(uri, sizeof uri, "sqlite:%s", scratch_path(&scratch, "store"));
    ipsec_engine_close(engine);
    assert_int_equal(ipsec_engine_open(&options, &fault, &engine), IPSEC_OK);
    call.base.run = run_every_condition;
    assert_int_equal(ipsec_engine_call(engine, &call.base), IPSEC_OK);
    assert_int_equal(call.id, 2 * 7 + 7 * 10);
    call.base.run = run_list;
    assert_int_equal(ipsec_engine_call(engine, &call.base), IPSEC_OK);
    before = listed;
    ipsec_engine_close(engine);
    assert_int_equal(ipsec_engine_open(&options, &fault, &engine), IPSEC_OK);
    assert_int_equal(ipsec_engine_call(engine, &call.base), IPSEC_OK);
    assert_int_equal(before.filter_count, 2 * 7 + 7 * 10);
    assert_int_equal(listed.filter_count, before.filter_count);
    for (size_t i = 0; i < before.filter_count; i++) {
        const struct ipsec_condition *was = &before.filters[i]->conditions[0];
        const struct ipsec_condition *is = &listed.filters[i]->conditions[0];

        assert_int_equal(is->field, was->field);
        assert_int_equal(is->match, was->match);
        assert_int_equal(is->prefix_length, was->prefix_length);
        assert_true(is->number == was->number && is->number_high == was->number_high);
        assert_memory_equal(&is->address, &was->address, sizeof was->address);
        if (was->match == IPSEC_MATCH_RANGE)
            assert_memory_equal(&is->address_high, &was->address_high, sizeof was->address);
        assert_true(listed.filters[i]->effective_weight == before.filters[i]->effective_weight);
    }
    ipsec_filter_page_clear(&before);
    ipsec_filter_page_clear(&listed);
    scratch_clear(&scratch);
}

static void
a_dynamic_session_that_ends_leaves_nothing(void **state)
{
    (void)state;
    const struct ipsec_guid dynamic = open_explicit(IPSEC_SESSION_DYNAMIC);
    uint64_t passing = add_filter_by(0, &dynamic);

    assert_int_equal(fake_count(STORE_PUT_FILTER), 0);
    assert_int_equal(figures().filters, 1);
    assert_int_equal(do_operation(BEGIN, 0, &dynamic), IPSEC_OK);
    uint64_t open = add_filter_by(0, &dynamic);
    assert_int_equal(close_explicit(&dynamic), IPSEC_OK);
    assert_false(is_there(passing, NULL));
    assert_false(is_there(open, NULL));
    assert_int_equal(figures().filters, 0);
}

static void
a_store_with_broken_references_is_refused(void **state)
{
    (void)state;
    struct test_call tunnel = make_call(ADD_TUNNEL, 0, NULL);
    const struct ipsec_engine_options options = { .queue_depth = 1, .max_batch = 1 };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    assert_int_equal(ipsec_engine_call(engine, &tunnel.base), IPSEC_OK);
    ipsec_engine_close(engine);
    engine = NULL;
    struct fake_row *row = fake_get(STORE_PUT_FILTER, tunnel.tunnel.filter_ids[0]);

    row->filter.provider_context_id += 1000;
    assert_int_equal(ipsec_engine_open_with(&options, &fake_store, "", &fault, &engine),
                     IPSEC_RPC_INVALID_DATA);
    row->filter.provider_context_id -= 1000;
    row->filter.tunnel_id += 1000;
    assert_int_equal(ipsec_engine_open_with(&options, &fake_store, "", &fault, &engine),
                     IPSEC_RPC_INVALID_DATA);
    row->filter.tunnel_id -= 1000;
    row->filter.lifetime = IPSEC_LIFETIME_DYNAMIC;
    assert_int_equal(ipsec_engine_open_with(&options, &fake_store, "", &fault, &engine),
                     IPSEC_RPC_INVALID_DATA);
    row->filter.lifetime = IPSEC_LIFETIME_STATIC;
    fake_get(STORE_PUT_PROVIDER_CONTEXT, tunnel.tunnel.id)->provider_context.proposal_count = 0;
    assert_int_equal(ipsec_engine_open_with(&options, &fake_store, "", &fault, &engine),
                     IPSEC_RPC_INVALID_DATA);
    fake_get(STORE_PUT_PROVIDER_CONTEXT, tunnel.tunnel.id)->provider_context.proposal_count = 1;
    open_engine();
}

#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_transaction_is_one_commit_of_the_store),
        ENGINE_TEST(the_numbers_of_what_was_rolled_back_are_not_used_again),
        ENGINE_TEST(a_commit_that_the_store_refuses_rolls_back),
        ENGINE_TEST(a_tunnel_that_the_store_refuses_is_not_there),
        ENGINE_TEST(a_commit_with_a_deletion_in_use_stays_open),
        ENGINE_TEST(a_dry_run_of_a_commit_changes_nothing),
        ENGINE_TEST(a_change_waits_until_the_writer_is_done),
        ENGINE_TEST(static_and_persistent_objects_survive_a_restart_and_dynamic_ones_do_not),
        ENGINE_TEST(every_condition_survives_a_file),
        ENGINE_TEST(a_dynamic_session_that_ends_leaves_nothing),
        ENGINE_TEST(a_store_with_broken_references_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
