/* SPDX-License-Identifier: Apache-2.0
 *
 * test_engine_repeat.c: a call that is repeated with its key gets the first answer, and is not
 * run again. */
#include "engine/engine_internal.h"

#include "tests/unit/running_engine.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_repeat_gets_the_first_answer),
        ENGINE_TEST(a_repeat_in_the_same_batch_gets_the_same_answer),
        ENGINE_TEST(a_key_with_another_request_is_refused),
        ENGINE_TEST(a_repeat_needs_the_right_too),
        ENGINE_TEST(a_failure_is_not_remembered),
        ENGINE_TEST(an_answer_that_does_not_fit_undoes_the_call),
        ENGINE_TEST(no_more_answers_are_remembered_than_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
