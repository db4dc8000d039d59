/* SPDX-License-Identifier: Apache-2.0
 *
 * test_refusal.c: an engine whose data plane refuses: what callers are told, what the store has
 * afterwards, and what a repeat of the call gets. */
#include "engine/refusal.h"

#include <stdio.h>
#include <time.h>

#include "engine/engine_internal.h"
#include "tests/unit/fake_plane.h"
#include "tests/unit/fake_store.h"
#include "tests/unit/sa_fixture.h"

enum { ITEMS = 3 };

struct test_call {
    struct ipsec_call base;
    uint64_t ids[ITEMS];
    size_t items; /* contexts to create */
    enum ipsec_status item_status[ITEMS];
    char item_pointer[ITEMS][96];
    unsigned runs;
};

static struct ipsec_engine *engine;
static uint64_t outbound_filter;
static bool breaks_store; /* the plane's answer comes from a host whose disk just failed */

static void
apply(struct plane *plane, struct plane_action *actions, size_t action_count)
{
    fake_plane_apply(plane, actions, action_count);
    if (breaks_store)
        fake.commit_status = IPSEC_RPC_DISCONNECTED;
}

static enum ipsec_status
run_add_filters(struct ipsec_call *call, struct ipsec_session *session)
{
    const struct ipsec_filter outbound = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_filter inbound = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    struct ipsec_guid key;
    uint64_t id;
    enum ipsec_status status = ipsec_filter_add(session, &outbound, &outbound_filter, &key);

    (void)call;
    return status == IPSEC_OK ? ipsec_filter_add(session, &inbound, &id, &key) : status;
}

/* Makes as many keyed contexts as the call has items. */
static enum ipsec_status
run_create(struct ipsec_call *base, struct ipsec_session *session)
{
    struct test_call *call = (struct test_call *)base;
    struct ipsec_sa_bundle_input inbound = gcm_bundle(0, 1);
    struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI, 101);
    const struct ipsec_sa_context_options options = { .wants_spi = true,
                                                      .inbound = &inbound,
                                                      .outbound = &outbound };
    enum ipsec_status status = IPSEC_OK;

    call->runs++;
    for (uint8_t i = 0; i < call->items && status == IPSEC_OK; i++) {
        struct ipsec_traffic traffic = transport_traffic(outbound_filter);
        struct ipsec_sa_context context;

        (void)ipsec_session_savepoint(session, i);
        traffic.remote_address.bytes[3] = i;
        status = ipsec_sa_context_create_with(session, &traffic, &options, &context);
        call->ids[i] = context.id;
        ipsec_sa_context_unref(&context);
    }
    bundle_clear(&inbound);
    bundle_clear(&outbound);
    return status;
}

static void
note_item(struct ipsec_call *base, uint32_t item, const struct ipsec_fault *fault)
{
    struct test_call *call = (struct test_call *)base;

    call->item_status[item] = fault->status;
    memcpy(call->item_pointer[item], fault->pointer, sizeof fault->pointer);
}

static enum ipsec_status
point_to_item(struct ipsec_fault *fault, size_t item)
{
    char prefix[16];

    (void)snprintf(prefix, sizeof prefix, "/items/%zu", item);
    return ipsec_fault_prefix(fault, prefix);
}

static bool
encode(struct ipsec_call *base, struct buffer *answer)
{
    const struct test_call *call = (const struct test_call *)base;

    for (size_t i = 0; i < call->items; i++)
        buffer_append_format(answer, "%s ", ipsec_status_name(call->item_status[i]));
    return true;
}

static struct test_call
make_call(size_t items, const char *key)
{
    struct test_call call = {
        .base = { .caller = { .principal = "cn:test" },
                  .container = IPSEC_CONTAINER_SA_DATABASE,
                  .right = FWPM_ACTRL_ADD,
                  .run = items == 0 ? run_add_filters : run_create,
                  .encode = encode },
        .items = items,
    };

    memset(&call.base.caller.rights, 0xff, sizeof call.base.caller.rights);
    buffer_init(&call.base.replay.answer, 1024);
    if (key != NULL) {
        call.base.replay.wanted = true;
        memcpy(call.base.replay.key_digest, key, strlen(key));
    }
    return call;
}

static enum ipsec_status
do_call(struct test_call *call)
{
    return ipsec_engine_call(engine, &call->base);
}

static void
refuse_inbound(uint64_t context_id)
{
    fake_plane_state.refuses = true;
    fake_plane_state.refused_direction = IPSEC_DIRECTION_INBOUND;
    fake_plane_state.refused_context = context_id;
    fake_plane_state.refusal = IPSEC_ALREADY_EXISTS;
}

static int
setup(void **state)
{
    static struct plane_ops plane;
    const struct ipsec_engine_options options = {
        .queue_depth = 64, .max_batch = 16, .max_replay_records = 100, .probe_interval_ms = 10
    };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    (void)state;
    plane = fake_plane;
    plane.apply = apply;
    memset(&fake_plane_state, 0, sizeof fake_plane_state);
    breaks_store = false;
    if (ipsec_engine_open_on(&options, &fake_store, "", &plane, &fault, &engine) != IPSEC_OK)
        return -1;
    struct test_call add = make_call(0, NULL);
    return do_call(&add) == IPSEC_OK ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    ipsec_engine_close(engine);
    fake_clear();
    return 0;
}

static void
a_refused_call_fails_and_leaves_no_row(void **state)
{
    struct test_call call = make_call(2, NULL);
    unsigned commits = fake.commits;

    (void)state;
    refuse_inbound(0);
    assert_int_equal(do_call(&call), IPSEC_ALREADY_EXISTS);
    assert_int_equal(call.base.fault.status, IPSEC_ALREADY_EXISTS);
    assert_string_equal(call.base.fault.detail, "the data plane refuses the SA: the test wants it");
    assert_int_equal(fake.commits, commits + 2);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 0);
    assert_int_equal(fake_plane_state.sa_count, 0);

    fake_plane_state.refuses = false;
    commits = fake.commits;
    assert_int_equal(do_call(&call), IPSEC_OK);
    assert_int_equal(fake.commits, commits + 1);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 2);
    assert_int_equal(fake_plane_state.sa_count, 4);
}

static void
the_sa_that_was_refused_is_pointed_at(void **state)
{
    struct test_call first = make_call(1, NULL);
    struct test_call call = make_call(ITEMS, NULL);
    struct test_call each = make_call(ITEMS, NULL);

    (void)state;
    assert_int_equal(do_call(&first), IPSEC_OK);
    refuse_inbound(0);
    assert_int_equal(do_call(&call), IPSEC_ALREADY_EXISTS);
    assert_string_equal(call.base.fault.pointer, "");
    assert_int_equal(call.base.fault.place, IPSEC_FAULT_SERVICE);

    fake_plane_state.blamed_sa = 1;
    assert_int_equal(do_call(&call), IPSEC_ALREADY_EXISTS);
    assert_string_equal(call.base.fault.pointer, "/inbound/saList/0/spi");
    assert_int_equal(call.base.fault.place, IPSEC_FAULT_BODY);
    fake_plane_state.refused_direction = IPSEC_DIRECTION_OUTBOUND;
    fake_plane_state.blamed_sa = 2;
    fake_plane_state.refusal = IPSEC_INVALID_CIPHER_TRANSFORM;
    assert_int_equal(do_call(&call), IPSEC_INVALID_CIPHER_TRANSFORM);
    assert_string_equal(call.base.fault.pointer, "/outbound/saList/1");

    /* Of many items it is in the one that was refused, whether they stand together or not. */
    call.base.point_to_item = point_to_item;
    assert_int_equal(do_call(&call), IPSEC_INVALID_CIPHER_TRANSFORM);
    assert_string_equal(call.base.fault.pointer, "/items/0/outbound/saList/1");
    fake_plane_state.refused_context = call.ids[ITEMS - 1] + ITEMS;
    assert_int_equal(do_call(&call), IPSEC_INVALID_CIPHER_TRANSFORM);
    assert_int_equal(call.ids[ITEMS - 1], fake_plane_state.refused_context);
    assert_string_equal(call.base.fault.pointer, "/items/2/outbound/saList/1");
    each.base.item_refused = note_item;
    fake_plane_state.refused_context += 2;
    assert_int_equal(do_call(&each), IPSEC_OK);
    assert_string_equal(each.item_pointer[1], "/outbound/saList/1");
    assert_string_equal(each.item_pointer[0], "");
}

static void
a_refused_call_may_be_repeated(void **state)
{
    struct test_call call = make_call(1, "key");
    struct test_call again = make_call(1, "key");
    struct test_call replay = make_call(1, "key");

    (void)state;
    refuse_inbound(0);
    assert_int_equal(do_call(&call), IPSEC_ALREADY_EXISTS);
    assert_int_equal(call.base.replay.answer.size, 0);
    assert_int_equal(fake_count(STORE_PUT_REPLAY), 0);
    fake_plane_state.refuses = false;
    assert_int_equal(do_call(&again), IPSEC_OK);
    assert_false(again.base.replay.replayed);
    assert_int_equal(again.runs, 1);
    assert_int_equal(fake_count(STORE_PUT_REPLAY), 1);
    assert_int_equal(do_call(&replay), IPSEC_OK);
    assert_true(replay.base.replay.replayed);
    assert_int_equal(replay.runs, 0);
    buffer_clear(&call.base.replay.answer);
    buffer_clear(&again.base.replay.answer);
    buffer_clear(&replay.base.replay.answer);
}

static void
items_that_were_refused_are_in_the_answer(void **state)
{
    struct test_call first = make_call(1, NULL);
    struct test_call call = make_call(ITEMS, "key");
    struct test_call replay = make_call(ITEMS, "key");

    (void)state;
    assert_int_equal(do_call(&first), IPSEC_OK);
    call.base.item_refused = note_item;
    refuse_inbound(first.ids[0] + 2);
    assert_int_equal(do_call(&call), IPSEC_OK);
    assert_int_equal(call.ids[1], first.ids[0] + 2);
    assert_string_equal(buffer_text(&call.base.replay.answer),
                        "ERROR_SUCCESS FWP_E_ALREADY_EXISTS ERROR_SUCCESS ");
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 3);
    assert_int_equal(fake_count(STORE_PUT_REPLAY), 1);
    assert_int_equal(do_call(&replay), IPSEC_OK);
    assert_true(replay.base.replay.replayed);
    assert_string_equal(buffer_text(&replay.base.replay.answer),
                        buffer_text(&call.base.replay.answer));
    buffer_clear(&call.base.replay.answer);
    buffer_clear(&replay.base.replay.answer);
}

static void
a_repeat_in_the_same_batch_shares_the_refusal(void **state)
{
    struct test_call calls[3] = { make_call(1, "key"), make_call(1, "key"), make_call(1, "other") };
    struct ipsec_completion *completion;
    size_t returned = 0;

    (void)state;
    refuse_inbound(0);
    assert_int_equal(ipsec_completion_open(&completion), IPSEC_OK);
    for (size_t i = 0; i < 3; i++) {
        calls[i].base.completion = completion;
        calls[i].base.next = i < 2 ? &calls[i + 1].base : NULL;
        assert_true(ipsec_engine_reserve(engine));
    }
    ipsec_engine_submit(engine, &calls[0].base);
    while (returned < 3) {
        for (struct ipsec_call *call = ipsec_completion_take(completion); call != NULL;
             call = call->next)
            returned++;
    }
    ipsec_completion_close(completion);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(calls[i].base.status, IPSEC_ALREADY_EXISTS);
        assert_false(calls[i].base.replay.replayed);
        assert_int_equal(calls[i].base.replay.answer.size, 0);
        buffer_clear(&calls[i].base.replay.answer);
    }
    assert_int_equal(fake_count(STORE_PUT_REPLAY), 0);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 0);
}

static void
when_the_store_fails_on_top_the_refusal_is_the_answer(void **state)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    struct test_call call = make_call(1, NULL);
    struct ipsec_engine_figures figures;

    (void)state;
    refuse_inbound(0);
    breaks_store = true;
    assert_int_equal(do_call(&call), IPSEC_ALREADY_EXISTS);
    ipsec_engine_read_figures(engine, &figures);
    assert_false(figures.writable);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 1);
    assert_int_equal(figures.contexts_by_state[IPSEC_SA_CONTEXT_ACTIVE], 1);

    /* Memory has what the store has, so that work goes on once that is well. */
    breaks_store = false;
    fake.commit_status = IPSEC_OK;
    fake_plane_state.refuses = false;
    do {
        (void)nanosleep(&pause, NULL);
        ipsec_engine_read_figures(engine, &figures);
    } while (!figures.writable);
    assert_int_equal(do_call(&call), IPSEC_OK);
    assert_int_equal(fake_count(STORE_PUT_SA_CONTEXT), 2);
}

#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(a_refused_call_fails_and_leaves_no_row),
        ENGINE_TEST(the_sa_that_was_refused_is_pointed_at),
        ENGINE_TEST(a_refused_call_may_be_repeated),
        ENGINE_TEST(items_that_were_refused_are_in_the_answer),
        ENGINE_TEST(a_repeat_in_the_same_batch_shares_the_refusal),
        ENGINE_TEST(when_the_store_fails_on_top_the_refusal_is_the_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
