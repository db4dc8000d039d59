/* SPDX-License-Identifier: Apache-2.0
 *
 * test_engine_failure.c: commits that fail, and how the engine comes out of that. */
#include "engine/engine_internal.h"

#include <unistd.h>

#include "tests/unit/running_engine.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_failed_commit_fails_whoever_may_have_seen_it),
        ENGINE_TEST(while_the_store_fails_reads_work_and_writes_do_not),
        ENGINE_TEST(a_probe_that_succeeds_ends_it_without_a_call),
        ENGINE_TEST(a_principal_of_a_failed_commit_is_stored_with_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
