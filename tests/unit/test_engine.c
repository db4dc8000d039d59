/* SPDX-License-Identifier: Apache-2.0
 *
 * test_engine.c: the engine thread over a store that fails when told to: batches, repeats, failed
 * commits, restarts, and several threads at once. */
#include "engine/engine_internal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/engine_fixture.h"
#include "tests/unit/fake_store.h"

enum operation {
    CREATE_CONTEXT,
    DELETE_CONTEXT,
    GET_CONTEXT,
    ADD_FILTER,
    DELETE_FILTER,
    CREATE_TWO_THEN_FAIL,
    HOLD, /* keeps the engine thread until 'gate' is posted */
};

struct test_call {
    struct ipsec_call base;
    enum operation operation;
    uint64_t object; /* input: context or filter */
    uint64_t id;     /* output */
    struct ipsec_sa_context context;
    bool gone; /* what 'abandoned' answers */
    bool encode_fails;
    unsigned runs;
};

static struct ipsec_engine *engine;
static uint64_t filter_id; /* of the outbound filter that setup adds */
static sem_t gate;
static sem_t gate_reached;

static enum ipsec_status
run(struct ipsec_call *base, struct ipsec_session *session)
{
    struct test_call *call = (struct test_call *)base;
    const struct ipsec_traffic traffic = transport_traffic(call->object);
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_guid key;
    enum ipsec_status status;

    call->runs++;
    switch (call->operation) {
    case CREATE_CONTEXT:
        return ipsec_sa_context_create(session, &traffic, NULL, &call->id);
    case DELETE_CONTEXT:
        return ipsec_sa_context_delete_by_id(session, call->object);
    case GET_CONTEXT:
        return ipsec_sa_context_get_by_id(session, call->object, &call->context);
    case ADD_FILTER:
        return ipsec_filter_add(session, &filter, &call->id, &key);
    case DELETE_FILTER:
        return ipsec_filter_delete_by_id(session, call->object);
    case CREATE_TWO_THEN_FAIL:
        for (int i = 0; i < 2; i++) {
            status = ipsec_sa_context_create(session, &traffic, NULL, &call->id);
            if (status != IPSEC_OK)
                return status;
        }
        return IPSEC_CALLOUT_NOTIFICATION_FAILED;
    case HOLD:
        (void)sem_post(&gate_reached);
        while (sem_wait(&gate) != 0)
            continue;
        return IPSEC_OK;
    }
    return IPSEC_RPC_UNEXPECTED;
}

static bool
encode(struct ipsec_call *base, struct buffer *answer)
{
    const struct test_call *call = (const struct test_call *)base;

    buffer_append_format(answer, "{\"id\":%llu}", (unsigned long long)call->id);
    return !call->encode_fails;
}

static bool
is_abandoned(const struct ipsec_call *base)
{
    return ((const struct test_call *)base)->gone;
}

static struct test_call
make_call(enum operation operation, uint64_t object)
{
    struct test_call call = {
        .base = { .caller = { .principal = "cn:test" },
                  .container = IPSEC_CONTAINER_SA_DATABASE,
                  .right = FWPM_ACTRL_ADD,
                  .run = run,
                  .encode = encode },
        .operation = operation,
        .object = object,
    };

    memset(&call.base.caller.rights, 0xff, sizeof call.base.caller.rights);
    buffer_init(&call.base.replay.answer, 1024);
    return call;
}

static void
make_repeatable(struct test_call *call, const char *key, const char *request)
{
    call->base.replay.wanted = true;
    memset(call->base.replay.key_digest, 0, 32);
    memset(call->base.replay.request_digest, 0, 32);
    memcpy(call->base.replay.key_digest, key, strlen(key));
    memcpy(call->base.replay.request_digest, request, strlen(request));
}

static enum ipsec_status
do_call(struct test_call *call)
{
    return ipsec_engine_call(engine, &call->base);
}

static enum ipsec_status
do_operation(enum operation operation, uint64_t object)
{
    struct test_call call = make_call(operation, object);

    return do_call(&call);
}

/* Runs all calls in one batch: the first call of an earlier batch holds the thread meanwhile. */
static void
do_in_one_batch(struct test_call *calls, size_t count)
{
    struct test_call hold = make_call(HOLD, 0);
    struct ipsec_completion *completion;

    assert_int_equal(ipsec_completion_open(&completion), IPSEC_OK);
    hold.base.completion = completion;
    assert_true(ipsec_engine_reserve(engine));
    ipsec_engine_submit(engine, &hold.base);
    while (sem_wait(&gate_reached) != 0)
        continue;
    for (size_t i = 0; i < count; i++) {
        calls[i].base.completion = completion;
        calls[i].base.next = i + 1 < count ? &calls[i + 1].base : NULL;
        assert_true(ipsec_engine_reserve(engine));
    }
    ipsec_engine_submit(engine, &calls[0].base);
    (void)sem_post(&gate);

    for (size_t returned = 0; returned < count + 1;) {
        struct ipsec_call *call = ipsec_completion_take(completion);

        while (call != NULL) {
            assert_ptr_equal(call, returned == 0 ? &hold.base : &calls[returned - 1].base);
            call = call->next;
            returned++;
        }
    }
    ipsec_completion_close(completion);
}

static void
assert_answer(struct test_call *call, uint64_t id)
{
    char expected[64];

    (void)snprintf(expected, sizeof expected, "{\"id\":%llu}", (unsigned long long)id);
    assert_string_equal(buffer_text(&call->base.replay.answer), expected);
    buffer_clear(&call->base.replay.answer);
}

static struct ipsec_engine_figures
figures(void)
{
    struct ipsec_engine_figures result;

    ipsec_engine_read_figures(engine, &result);
    return result;
}

static void
open_engine(uint32_t max_replay_records)
{
    const struct ipsec_engine_options options = {
        .queue_depth = 64,
        .max_batch = 16,
        .max_replay_records = max_replay_records,
        .probe_interval_ms = 10,
    };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    assert_int_equal(ipsec_engine_open_with(&options, &fake_store, "", &fault, &engine), IPSEC_OK);
}

static void
restart(void)
{
    ipsec_engine_close(engine);
    open_engine(100);
}

static void
wait_until_writable(void)
{
    const struct timespec pause = { .tv_nsec = 1000000 };

    while (!figures().writable)
        (void)nanosleep(&pause, NULL);
}

static int
setup(void **state)
{
    (void)state;
    if (sem_init(&gate, 0, 0) != 0 || sem_init(&gate_reached, 0, 0) != 0)
        return -1;
    open_engine(100);
    struct test_call add = make_call(ADD_FILTER, 0);
    if (do_call(&add) != IPSEC_OK)
        return -1;
    filter_id = add.id;
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    ipsec_engine_close(engine);
    fake_clear();
    (void)sem_destroy(&gate);
    (void)sem_destroy(&gate_reached);
    return 0;
}

/* --- Opening --- */

static void
options_that_can_t_work_are_refused(void **state)
{
    (void)state;
    const struct ipsec_engine_options no_queue = { .max_batch = 1 };
    const struct ipsec_engine_options no_batch = { .queue_depth = 1 };
    const struct ipsec_engine_options no_store = { .store_uri = "nowhere",
                                                   .queue_depth = 1,
                                                   .max_batch = 1 };
    struct ipsec_engine *other;
    struct ipsec_fault fault;

    assert_int_equal(ipsec_engine_open_with(&no_queue, &fake_store, "", &fault, &other),
                     IPSEC_OUT_OF_BOUNDS);
    assert_null(other);
    assert_int_equal(ipsec_engine_open_with(&no_batch, &fake_store, "", &fault, &other),
                     IPSEC_OUT_OF_BOUNDS);
    assert_int_equal(ipsec_engine_open(&no_store, &fault, &other), IPSEC_INVALID_PARAMETER);
    assert_null(other);
    ipsec_engine_close(NULL);
}

static void
a_store_that_can_t_be_loaded_is_refused(void **state)
{
    (void)state;
    const struct ipsec_engine_options options = { .queue_depth = 1, .max_batch = 1 };
    struct ipsec_engine *other;
    struct ipsec_fault fault;

    fake.load_status = IPSEC_RPC_INVALID_DATA;
    assert_int_equal(ipsec_engine_open_with(&options, &fake_store, "", &fault, &other),
                     IPSEC_RPC_INVALID_DATA);
    assert_string_equal(fault.detail, "the test wants it");
    fake.load_status = IPSEC_OK;
}

static void
a_corrupt_store_is_refused(void **state)
{
    (void)state;
    const struct ipsec_engine_options options = { .queue_depth = 1, .max_batch = 1 };
    struct ipsec_engine *other;
    struct ipsec_fault fault;

    assert_int_equal(do_operation(CREATE_CONTEXT, filter_id), IPSEC_OK);
    struct fake_row *filter = fake_get(STORE_PUT_FILTER, filter_id);
    struct fake_row *context = fake_get(STORE_PUT_SA_CONTEXT, filter_id + 1);
    const struct fake_row good_filter = *filter;
    const struct fake_row good_context = *context;
    const struct store_marks good_marks = fake.marks;

    for (int flaw = 0; flaw < 8; flaw++) {
        *filter = good_filter;
        *context = good_context;
        fake.marks = good_marks;
        if (flaw == 0)
            filter->filter.callout = IPSEC_CALLOUT_COUNT;
        else if (flaw == 1)
            filter->filter.id = 0;
        else if (flaw == 2)
            context->sa_context.outbound_traffic.ipsec_filter_id = 99; /* there is none */
        else if (flaw == 3)
            context->sa_context.state = IPSEC_SA_CONTEXT_STATE_COUNT;
        else if (flaw == 4)
            context->sa_context.id = IPSEC_LUID_MAX + 1;
        else if (flaw == 5)
            context->sa_context.created_by = 99; /* there is no such principal */
        else if (flaw == 6)
            fake.marks.last_luid = good_context.id - 1; /* would be given out again */
        else
            fake.marks.last_luid = IPSEC_LUID_MAX + 1;
        assert_int_equal(ipsec_engine_open_with(&options, &fake_store, "", &fault, &other),
                         IPSEC_RPC_INVALID_DATA);
        if (flaw == 5)
            assert_non_null(strstr(fault.detail, "sa_context, row "));
    }
    *filter = good_filter;
    *context = good_context;
    fake.marks = good_marks;
}

static void
a_restart_brings_everything_back_and_reuses_no_identifier(void **state)
{
    (void)state;
    struct test_call create = make_call(CREATE_CONTEXT, filter_id);

    assert_int_equal(do_call(&create), IPSEC_OK);
    uint64_t first = create.id;
    assert_int_equal(do_call(&create), IPSEC_OK);
    assert_int_equal(do_operation(DELETE_CONTEXT, create.id), IPSEC_OK);
    uint64_t highest = create.id;
    restart();

    struct test_call get = make_call(GET_CONTEXT, first);
    assert_int_equal(do_call(&get), IPSEC_OK);
    assert_int_equal(get.context.outbound_traffic.ipsec_filter_id, filter_id);
    assert_string_equal(ipsec_principal_name(engine, get.context.created_by), "cn:test");
    assert_int_equal(do_operation(GET_CONTEXT, highest), IPSEC_NOT_FOUND);
    assert_int_equal(do_operation(DELETE_FILTER, filter_id), IPSEC_IN_USE);
    assert_int_equal(do_call(&create), IPSEC_OK);
    assert_true(create.id > highest);
    assert_int_equal(figures().contexts_by_state[IPSEC_SA_CONTEXT_CREATED], 2);
    assert_int_equal(figures().filters, 1);
    assert_int_equal(fake_count(STORE_PUT_PRINCIPAL), 1);
}

/* --- Batches --- */

static void
a_batch_is_committed_once(void **state)
{
    (void)state;
    struct test_call calls[10];
    unsigned commits = fake.commits;

    for (size_t i = 0; i < 10; i++)
        calls[i] = make_call(CREATE_CONTEXT, filter_id);
    do_in_one_batch(calls, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(calls[i].base.status, IPSEC_OK);
    assert_int_equal(fake.commits, commits + 1);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 10);
    assert_int_equal(figures().batch_size_buckets[4], 1); /* up to 16 */
    assert_string_equal(figures().store_name, "fake");
}

static void
a_long_queue_is_cut_into_batches(void **state)
{
    (void)state;
    struct test_call calls[40];
    unsigned commits = fake.commits;

    for (size_t i = 0; i < 40; i++)
        calls[i] = make_call(CREATE_CONTEXT, filter_id);
    do_in_one_batch(calls, 40);
    assert_int_equal(fake.commits, commits + 3); /* 16 and 16 and 8 */
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 40);
    assert_int_equal(figures().queue_length, 0);
}

static void
reads_alone_are_not_committed(void **state)
{
    (void)state;
    unsigned commits = fake.commits;

    assert_int_equal(do_operation(GET_CONTEXT, 99), IPSEC_NOT_FOUND);
    assert_int_equal(fake.commits, commits);
}

static void
a_failing_call_leaves_the_rest_of_its_batch_alone(void **state)
{
    (void)state;
    struct test_call calls[3] = {
        make_call(CREATE_CONTEXT, filter_id),
        make_call(CREATE_TWO_THEN_FAIL, filter_id),
        make_call(CREATE_CONTEXT, filter_id),
    };

    do_in_one_batch(calls, 3);
    assert_int_equal(calls[0].base.status, IPSEC_OK);
    assert_int_equal(calls[1].base.status, IPSEC_CALLOUT_NOTIFICATION_FAILED);
    assert_int_equal(calls[1].base.fault.status, IPSEC_CALLOUT_NOTIFICATION_FAILED);
    assert_int_equal(calls[2].base.status, IPSEC_OK);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 2);
    assert_int_equal(do_operation(GET_CONTEXT, calls[1].id), IPSEC_NOT_FOUND);
    assert_int_equal(do_operation(GET_CONTEXT, calls[2].id), IPSEC_OK);
}

static void
later_calls_of_a_batch_see_earlier_ones(void **state)
{
    (void)state;
    struct test_call calls[3] = {
        make_call(CREATE_CONTEXT, filter_id),
        make_call(GET_CONTEXT, filter_id + 1),
        make_call(DELETE_CONTEXT, filter_id + 1),
    };

    do_in_one_batch(calls, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(calls[i].base.status, IPSEC_OK);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 0);
}

static void
a_call_without_its_right_is_not_run(void **state)
{
    (void)state;
    struct test_call call = make_call(CREATE_CONTEXT, filter_id);

    call.base.caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE] = ~(uint32_t)FWPM_ACTRL_ADD;
    assert_int_equal(do_call(&call), IPSEC_ACCESS_DENIED);
    assert_int_equal(call.runs, 0);
}

static void
an_abandoned_call_is_not_run(void **state)
{
    (void)state;
    struct test_call calls[2] = {
        make_call(CREATE_CONTEXT, filter_id),
        make_call(CREATE_CONTEXT, filter_id),
    };

    for (size_t i = 0; i < 2; i++) {
        calls[i].base.abandoned = is_abandoned;
        calls[i].gone = i == 1;
    }
    do_in_one_batch(calls, 2);
    assert_int_equal(calls[0].base.status, IPSEC_OK);
    assert_int_equal(calls[1].base.status, IPSEC_RPC_CALL_CANCELED);
    assert_int_equal(calls[1].runs, 0);
    assert_int_equal(figures().calls_abandoned, 1);
}

static void
a_full_queue_is_said_at_once(void **state)
{
    (void)state;
    unsigned reserved = 0;

    while (ipsec_engine_reserve(engine))
        reserved++;
    assert_int_equal(reserved, 64);
    assert_int_equal(do_operation(GET_CONTEXT, 1), IPSEC_RPC_CANTTRANSMIT_CALL);
    while (reserved-- > 0)
        ipsec_engine_unreserve(engine);
    assert_int_equal(do_operation(GET_CONTEXT, 1), IPSEC_NOT_FOUND);
}

/* --- Repeats --- */

static void
a_repeat_gets_the_first_answer(void **state)
{
    (void)state;
    struct test_call call = make_call(CREATE_CONTEXT, filter_id);

    make_repeatable(&call, "key", "request");
    assert_int_equal(do_call(&call), IPSEC_OK);
    assert_false(call.base.replay.replayed);
    uint64_t id = call.id;
    assert_answer(&call, id);

    for (int round = 0; round < 2; round++) {
        assert_int_equal(do_call(&call), IPSEC_OK);
        assert_true(call.base.replay.replayed);
        assert_answer(&call, id);
        restart();
    }
    assert_int_equal(call.runs, 1);
    assert_int_equal(fake.answers_read, 2);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 1);
    assert_int_equal(figures().replay_records, 1);
}

static void
a_repeat_in_the_same_batch_gets_the_same_answer(void **state)
{
    (void)state;
    struct test_call calls[4];

    for (size_t i = 0; i < 4; i++) {
        calls[i] = make_call(CREATE_CONTEXT, filter_id);
        make_repeatable(&calls[i], i == 3 ? "other key" : "key", "request");
    }
    do_in_one_batch(calls, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(calls[i].base.status, IPSEC_OK);
        assert_int_equal(calls[i].base.replay.replayed, i == 1 || i == 2);
        assert_answer(&calls[i], i == 3 ? calls[3].id : calls[0].id);
    }
    assert_int_equal(fake.answers_read, 0);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 2);
}

static void
a_key_with_another_request_is_refused(void **state)
{
    (void)state;
    struct test_call calls[2] = {
        make_call(CREATE_CONTEXT, filter_id),
        make_call(CREATE_CONTEXT, filter_id),
    };

    make_repeatable(&calls[0], "key", "request");
    make_repeatable(&calls[1], "key", "another request");
    do_in_one_batch(calls, 2);
    assert_int_equal(calls[0].base.status, IPSEC_OK);
    assert_int_equal(calls[1].base.status, IPSEC_HTTP_KEY_REUSED);
    assert_string_equal(calls[1].base.fault.pointer, "Idempotency-Key");
    assert_int_equal(do_call(&calls[1]), IPSEC_HTTP_KEY_REUSED);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 1);
    buffer_clear(&calls[0].base.replay.answer);
}

static void
a_repeat_needs_the_right_too(void **state)
{
    (void)state;
    struct test_call call = make_call(CREATE_CONTEXT, filter_id);

    make_repeatable(&call, "key", "request");
    assert_int_equal(do_call(&call), IPSEC_OK);
    buffer_clear(&call.base.replay.answer);
    call.base.caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE] = 0;
    assert_int_equal(do_call(&call), IPSEC_ACCESS_DENIED);
    assert_false(call.base.replay.replayed);
    assert_int_equal(call.base.replay.answer.size, 0);
}

static void
a_failure_is_not_remembered(void **state)
{
    (void)state;
    struct test_call call = make_call(CREATE_TWO_THEN_FAIL, filter_id);

    make_repeatable(&call, "key", "request");
    assert_int_equal(do_call(&call), IPSEC_CALLOUT_NOTIFICATION_FAILED);
    assert_int_equal(do_call(&call), IPSEC_CALLOUT_NOTIFICATION_FAILED);
    assert_int_equal(call.runs, 2);
    call.operation = CREATE_CONTEXT;
    call.encode_fails = true;
    assert_int_equal(do_call(&call), IPSEC_RPC_SERVER_CANTMARSHAL_DATA);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 0);
    call.encode_fails = false;
    assert_int_equal(do_call(&call), IPSEC_OK);
    assert_answer(&call, call.id);
}

static void
an_answer_that_does_not_fit_undoes_the_call(void **state)
{
    (void)state;
    struct test_call call = make_call(CREATE_CONTEXT, filter_id);

    make_repeatable(&call, "key", "request");
    buffer_init(&call.base.replay.answer, 3);
    assert_int_equal(do_call(&call), IPSEC_RPC_SERVER_CANTMARSHAL_DATA);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 0);
    assert_int_equal(figures().replay_records, 0);
    buffer_clear(&call.base.replay.answer);
}

static void
no_more_answers_are_remembered_than_allowed(void **state)
{
    (void)state;
    struct test_call call = make_call(CREATE_CONTEXT, filter_id);
    char key[16];

    ipsec_engine_close(engine);
    open_engine(3);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(key, sizeof key, "key %d", i);
        make_repeatable(&call, key, "request");
        assert_int_equal(do_call(&call), IPSEC_OK);
        buffer_reset(&call.base.replay.answer);
    }
    make_repeatable(&call, "one more", "request");
    assert_int_equal(do_call(&call), IPSEC_RPC_OUT_OF_RESOURCES);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 3);
    make_repeatable(&call, "key 1", "request");
    assert_int_equal(do_call(&call), IPSEC_OK);
    assert_true(call.base.replay.replayed);
    buffer_clear(&call.base.replay.answer);

    /* They expire: the store's clock is in the rows. */
    for (size_t i = 0; i < fake.row_count; i++)
        fake.rows[i].replay.created_at_ms = 1;
    ipsec_engine_close(engine);
    open_engine(3);
    make_repeatable(&call, "key 1", "another request");
    assert_int_equal(do_call(&call), IPSEC_OK);
    assert_false(call.base.replay.replayed);
    assert_int_equal(fake_count(STORE_PUT_REPLAY), 1);
    assert_int_equal(figures().replay_records, 1);
    buffer_clear(&call.base.replay.answer);
}

/* --- Failed commits --- */

static void
a_failed_commit_fails_whoever_may_have_seen_it(void **state)
{
    (void)state;
    struct test_call calls[6] = {
        make_call(GET_CONTEXT, filter_id + 1), /* before the first change */
        make_call(CREATE_CONTEXT, filter_id),  make_call(GET_CONTEXT, filter_id + 2),
        make_call(CREATE_CONTEXT, filter_id),  make_call(DELETE_CONTEXT, filter_id + 1),
        make_call(CREATE_CONTEXT, filter_id),
    };

    assert_int_equal(do_operation(CREATE_CONTEXT, filter_id), IPSEC_OK);
    make_repeatable(&calls[1], "key", "request");
    make_repeatable(&calls[3], "key", "request");
    calls[5].base.caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE] = 0;
    fake.probe_status = IPSEC_RPC_OUT_OF_RESOURCES;
    fake.commit_status = IPSEC_RPC_OUT_OF_RESOURCES;
    do_in_one_batch(calls, 6);
    assert_int_equal(calls[0].base.status, IPSEC_OK);
    for (size_t i = 1; i < 5; i++) {
        assert_int_equal(calls[i].base.status, IPSEC_RPC_OUT_OF_RESOURCES);
        /* The store's own words may hold its path. */
        assert_string_equal(calls[i].base.fault.detail,
                            "the store does not take writes; nothing was changed");
        assert_false(calls[i].base.replay.replayed);
        assert_int_equal(calls[i].base.replay.answer.size, 0);
        buffer_clear(&calls[i].base.replay.answer);
    }
    assert_int_equal(calls[5].base.status, IPSEC_ACCESS_DENIED);
    assert_int_equal(figures().contexts_by_state[IPSEC_SA_CONTEXT_CREATED], 1);
    assert_int_equal(figures().replay_records, 0);
    assert_int_equal(figures().commit_failures, 1);
    assert_int_equal(figures().store_status, IPSEC_RPC_OUT_OF_RESOURCES);
}

static void
while_the_store_fails_reads_work_and_writes_do_not(void **state)
{
    (void)state;
    struct test_call create = make_call(CREATE_CONTEXT, filter_id);

    assert_int_equal(do_call(&create), IPSEC_OK);
    uint64_t id = create.id;
    make_repeatable(&create, "key", "request");
    assert_int_equal(do_call(&create), IPSEC_OK);
    buffer_reset(&create.base.replay.answer);

    fake.probe_status = IPSEC_RPC_DISCONNECTED;
    fake.commit_status = IPSEC_RPC_DISCONNECTED;
    assert_int_equal(do_operation(DELETE_CONTEXT, id), IPSEC_RPC_DISCONNECTED);
    assert_false(figures().writable);
    assert_int_equal(do_operation(CREATE_CONTEXT, filter_id), IPSEC_RPC_DISCONNECTED);
    assert_int_equal(do_operation(DELETE_CONTEXT, id), IPSEC_RPC_DISCONNECTED);
    assert_int_equal(do_operation(GET_CONTEXT, id), IPSEC_OK);
    assert_int_equal(do_operation(GET_CONTEXT, 999), IPSEC_NOT_FOUND);
    assert_int_equal(do_operation(DELETE_CONTEXT, 999), IPSEC_NOT_FOUND);
    /* An answer given before is in the store, which is not even asked. */
    assert_int_equal(do_call(&create), IPSEC_RPC_DISCONNECTED);
    assert_false(create.base.replay.replayed);
    assert_string_equal(create.base.fault.detail,
                        "the store can't give the answer that this key got before");
    assert_int_equal(fake.answers_read, 0);
    assert_int_equal(fake.failed_commits, 1); /* only a probe tries again */
    buffer_clear(&create.base.replay.answer);
}

static void
a_probe_that_succeeds_ends_it_without_a_call(void **state)
{
    (void)state;
    struct test_call create = make_call(CREATE_CONTEXT, filter_id);

    assert_int_equal(do_call(&create), IPSEC_OK);
    uint64_t highest = create.id;
    fake.probe_status = IPSEC_RPC_DISCONNECTED;
    fake.commit_status = IPSEC_RPC_DISCONNECTED;
    assert_int_equal(do_call(&create), IPSEC_RPC_DISCONNECTED);
    uint64_t skipped = create.id;
    while (fake.probes < 2)
        (void)usleep(1000);
    assert_false(figures().writable);
    assert_int_equal(figures().store_status, IPSEC_RPC_DISCONNECTED);
    fake.probe_status = IPSEC_RPC_INVALID_DATA;
    for (unsigned seen = fake.probes; fake.probes < seen + 2;)
        (void)usleep(1000);
    assert_false(figures().writable);
    assert_int_equal(figures().store_status, IPSEC_RPC_INVALID_DATA);
    fake.commit_status = IPSEC_OK;
    fake.probe_status = IPSEC_OK;
    wait_until_writable();
    assert_int_equal(figures().store_status, IPSEC_OK);

    /* The principal's row was undone with the rest and is not lost; the number is not used again.
     */
    assert_int_equal(do_call(&create), IPSEC_OK);
    assert_true(skipped > highest);
    assert_true(create.id > skipped);
    restart();
    assert_int_equal(do_operation(GET_CONTEXT, create.id), IPSEC_OK);
}

static void
a_principal_of_a_failed_commit_is_stored_with_the_next(void **state)
{
    (void)state;
    struct test_call create = make_call(CREATE_CONTEXT, filter_id);

    create.base.caller.principal = "cn:newcomer";
    fake.commit_status = IPSEC_RPC_DISCONNECTED;
    assert_int_equal(do_call(&create), IPSEC_RPC_DISCONNECTED);
    fake.commit_status = IPSEC_OK;
    wait_until_writable();
    assert_int_equal(do_call(&create), IPSEC_OK);
    assert_int_equal(fake_count(STORE_PUT_PRINCIPAL), 2);
    restart();
    struct test_call get = make_call(GET_CONTEXT, create.id);
    assert_int_equal(do_call(&get), IPSEC_OK);
    assert_string_equal(ipsec_principal_name(engine, get.context.created_by), "cn:newcomer");
}

/* --- Threads --- */

enum { THREADS = 4, ROUNDS = 300 };

/* Creates, reads back and deletes, with repeats in between. */
static void *
work(void *argument)
{
    const char *name = argument;
    uintptr_t failures = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct test_call create = make_call(CREATE_CONTEXT, filter_id);
        struct test_call get = make_call(GET_CONTEXT, 0);
        char key[32];

        create.base.caller.principal = name;
        if (round % 10 == 0) {
            (void)snprintf(key, sizeof key, "%s %u", name, round);
            make_repeatable(&create, key, "request");
        }
        failures += do_call(&create) != IPSEC_OK;
        get.object = create.id;
        failures += do_call(&get) != IPSEC_OK;
        failures += strcmp(ipsec_principal_name(engine, get.context.created_by), name) != 0;
        if (round % 3 != 0)
            failures += do_operation(DELETE_CONTEXT, create.id) != IPSEC_OK;
        failures += figures().store_status != IPSEC_OK;
        buffer_clear(&create.base.replay.answer);
    }
    return (void *)failures;
}

static void
several_threads_share_the_engine(void **state)
{
    (void)state;
    static char names[THREADS][8] = { "cn:a", "cn:b", "cn:c", "cn:d" };
    pthread_t threads[THREADS];

    ipsec_engine_close(engine);
    open_engine(THREADS * ROUNDS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, names[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failures;

        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), THREADS * ROUNDS / 3);
    assert_int_equal(figures().contexts_by_state[IPSEC_SA_CONTEXT_CREATED], THREADS * ROUNDS / 3);
}

static void
closing_finishes_what_was_submitted(void **state)
{
    (void)state;
    struct test_call calls[30];
    struct ipsec_completion *completion;

    assert_int_equal(ipsec_completion_open(&completion), IPSEC_OK);
    for (size_t i = 0; i < 30; i++) {
        calls[i] = make_call(CREATE_CONTEXT, filter_id);
        calls[i].base.completion = completion;
        assert_true(ipsec_engine_reserve(engine));
        ipsec_engine_submit(engine, &calls[i].base);
    }
    ipsec_engine_close(engine);
    engine = NULL;
    size_t returned = 0;
    for (struct ipsec_call *call = ipsec_completion_take(completion); call != NULL;
         call = call->next) {
        assert_int_equal(call->status, IPSEC_OK);
        returned++;
    }
    assert_int_equal(returned, 30);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 30);
    ipsec_completion_close(completion);
}

int
main(void)
{
#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(options_that_can_t_work_are_refused),
        ENGINE_TEST(a_store_that_can_t_be_loaded_is_refused),
        ENGINE_TEST(a_corrupt_store_is_refused),
        ENGINE_TEST(a_restart_brings_everything_back_and_reuses_no_identifier),
        ENGINE_TEST(a_batch_is_committed_once),
        ENGINE_TEST(a_long_queue_is_cut_into_batches),
        ENGINE_TEST(reads_alone_are_not_committed),
        ENGINE_TEST(a_failing_call_leaves_the_rest_of_its_batch_alone),
        ENGINE_TEST(later_calls_of_a_batch_see_earlier_ones),
        ENGINE_TEST(a_call_without_its_right_is_not_run),
        ENGINE_TEST(an_abandoned_call_is_not_run),
        ENGINE_TEST(a_full_queue_is_said_at_once),
        ENGINE_TEST(a_repeat_gets_the_first_answer),
        ENGINE_TEST(a_repeat_in_the_same_batch_gets_the_same_answer),
        ENGINE_TEST(a_key_with_another_request_is_refused),
        ENGINE_TEST(a_repeat_needs_the_right_too),
        ENGINE_TEST(a_failure_is_not_remembered),
        ENGINE_TEST(an_answer_that_does_not_fit_undoes_the_call),
        ENGINE_TEST(no_more_answers_are_remembered_than_allowed),
        ENGINE_TEST(a_failed_commit_fails_whoever_may_have_seen_it),
        ENGINE_TEST(while_the_store_fails_reads_work_and_writes_do_not),
        ENGINE_TEST(a_probe_that_succeeds_ends_it_without_a_call),
        ENGINE_TEST(a_principal_of_a_failed_commit_is_stored_with_the_next),
        ENGINE_TEST(several_threads_share_the_engine),
        ENGINE_TEST(closing_finishes_what_was_submitted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
