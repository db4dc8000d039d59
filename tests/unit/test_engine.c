/* SPDX-License-Identifier: Apache-2.0
 *
 * test_engine.c: the engine thread: opening, batches, restarts, and several threads at
 * once. */
#include "engine/engine_internal.h"

#include <pthread.h>

#include "tests/unit/running_engine.h"

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
        ENGINE_TEST(several_threads_share_the_engine),
        ENGINE_TEST(closing_finishes_what_was_submitted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
