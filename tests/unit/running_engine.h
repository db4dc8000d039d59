/* SPDX-License-Identifier: Apache-2.0
 *
 * running_engine.h: an engine with its thread, over a store that fails when told to, and calls to
 * make of it. */
#pragma once

#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#include "engine/engine_internal.h"
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

static inline enum ipsec_status
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

static inline bool
encode(struct ipsec_call *base, struct buffer *answer)
{
    const struct test_call *call = (const struct test_call *)base;

    buffer_append_format(answer, "{\"id\":%llu}", (unsigned long long)call->id);
    return !call->encode_fails;
}

static inline bool
is_abandoned(const struct ipsec_call *base)
{
    return ((const struct test_call *)base)->gone;
}

static inline struct test_call
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

static inline void
make_repeatable(struct test_call *call, const char *key, const char *request)
{
    call->base.replay.wanted = true;
    memset(call->base.replay.key_digest, 0, 32);
    memset(call->base.replay.request_digest, 0, 32);
    memcpy(call->base.replay.key_digest, key, strlen(key));
    memcpy(call->base.replay.request_digest, request, strlen(request));
}

static inline enum ipsec_status
do_call(struct test_call *call)
{
    return ipsec_engine_call(engine, &call->base);
}

static inline enum ipsec_status
do_operation(enum operation operation, uint64_t object)
{
    struct test_call call = make_call(operation, object);

    return do_call(&call);
}

/* Runs all calls in one batch: the first call of an earlier batch holds the thread meanwhile. */
static inline void
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

static inline void
assert_answer(struct test_call *call, uint64_t id)
{
    char expected[64];

    (void)snprintf(expected, sizeof expected, "{\"id\":%llu}", (unsigned long long)id);
    assert_string_equal(buffer_text(&call->base.replay.answer), expected);
    buffer_clear(&call->base.replay.answer);
}

static inline struct ipsec_engine_figures
figures(void)
{
    struct ipsec_engine_figures result;

    ipsec_engine_read_figures(engine, &result);
    return result;
}

static inline void
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

static inline void
restart(void)
{
    ipsec_engine_close(engine);
    open_engine(100);
}

static inline void
wait_until_writable(void)
{
    const struct timespec pause = { .tv_nsec = 1000000 };

    while (!figures().writable)
        (void)nanosleep(&pause, NULL);
}

static inline int
engine_setup(void **state)
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

static inline int
engine_teardown(void **state)
{
    (void)state;
    ipsec_engine_close(engine);
    fake_clear();
    (void)sem_destroy(&gate);
    (void)sem_destroy(&gate_reached);
    return 0;
}

#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, engine_setup, engine_teardown)
