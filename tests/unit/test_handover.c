/* SPDX-License-Identifier: Apache-2.0
 *
 * test_handover.c: the queue's bound, the order of calls, and the way back to several threads. */
#include "engine/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>

enum { THREADS = 4, CALLS = 20000, IN_FLIGHT = 32 };

struct numbered_call {
    struct ipsec_call base;
    unsigned number;
    unsigned taken;
};

struct submitter {
    struct handover *handover;
    bool in_order;
    unsigned full;
};

static bool
is_readable(const struct ipsec_completion *completion)
{
    struct pollfd event = { .fd = ipsec_completion_fd(completion), .events = POLLIN };

    return poll(&event, 1, 0) == 1;
}

static void
a_full_queue_gives_no_place(void **state)
{
    (void)state;
    struct handover handover;

    handover_init(&handover, 2);
    assert_true(handover_reserve(&handover));
    assert_true(handover_reserve(&handover));
    assert_false(handover_reserve(&handover));
    handover_release(&handover, 1);
    assert_true(handover_reserve(&handover));
    assert_false(handover_reserve(&handover));
    handover_clear(&handover);
}

static void
calls_are_taken_in_the_order_submitted(void **state)
{
    (void)state;
    struct numbered_call calls[4] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
    struct handover handover;
    bool closed = true;

    handover_init(&handover, 4);
    assert_null(handover_take(&handover, 0, &closed));
    assert_false(closed);
    assert_null(handover_take(&handover, 1, &closed));
    handover_submit(&handover, NULL);
    calls[0].base.next = &calls[1].base;
    handover_submit(&handover, &calls[0].base);
    handover_submit(&handover, &calls[2].base);
    struct ipsec_call *call = handover_take(&handover, -1, &closed);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(call, &calls[i].base);
        assert_true(call->queued_at_us > 0);
        call = call->next;
    }
    assert_null(call);

    handover_submit(&handover, &calls[3].base);
    handover_close(&handover);
    assert_ptr_equal(handover_take(&handover, -1, &closed), &calls[3].base);
    assert_true(closed);
    assert_null(handover_take(&handover, -1, &closed));
    handover_clear(&handover);
}

static void
a_delivery_wakes_each_thread_once(void **state)
{
    (void)state;
    struct ipsec_completion *completions[2];
    struct numbered_call calls[6] = { { .number = 0 } };
    struct handover_results results = { .touched = NULL };

    for (size_t i = 0; i < 2; i++)
        assert_int_equal(ipsec_completion_open(&completions[i]), IPSEC_OK);
    for (size_t i = 0; i < 6; i++) {
        calls[i].base.completion = completions[i % 2];
        handover_collect(&results, &calls[i].base);
        assert_false(is_readable(completions[i % 2]));
    }
    handover_deliver(&results);
    for (size_t i = 0; i < 2; i++) {
        assert_true(is_readable(completions[i]));
        struct ipsec_call *call = ipsec_completion_take(completions[i]);
        for (size_t j = i; j < 6; j += 2) {
            assert_ptr_equal(call, &calls[j].base);
            call = call->next;
        }
        assert_null(call);
        assert_false(is_readable(completions[i]));
        assert_null(ipsec_completion_take(completions[i]));
    }

    /* A second delivery before the first is taken goes behind it. */
    for (size_t i = 0; i < 2; i++) {
        handover_collect(&results, &calls[i * 2].base);
        handover_deliver(&results);
    }
    struct ipsec_call *call = ipsec_completion_take(completions[0]);
    assert_ptr_equal(call, &calls[0].base);
    assert_ptr_equal(call->next, &calls[2].base);
    assert_false(is_readable(completions[0]));
    for (size_t i = 0; i < 2; i++)
        ipsec_completion_close(completions[i]);
    ipsec_completion_close(NULL);
}

/* Gives every call back as it came. */
static void *
echo(void *argument)
{
    struct handover *handover = argument;
    bool closed = false;

    while (!closed) {
        struct ipsec_call *call = handover_take(handover, -1, &closed);
        struct handover_results results = { .touched = NULL };
        uint32_t count = 0;

        while (call != NULL) {
            struct ipsec_call *next = call->next;

            ((struct numbered_call *)call)->taken++;
            handover_collect(&results, call);
            call = next;
            count++;
        }
        handover_release(handover, count);
        handover_deliver(&results);
    }
    return NULL;
}

/* Keeps calls in flight and checks that they come back in the order they went. */
static void *
submit(void *argument)
{
    struct submitter *submitter = argument;
    struct numbered_call calls[IN_FLIGHT] = { { .number = 0 } };
    struct ipsec_completion *completion;
    unsigned submitted = 0;
    unsigned returned = 0;

    submitter->in_order = ipsec_completion_open(&completion) == IPSEC_OK;
    while (submitter->in_order && returned < CALLS) {
        while (submitted < CALLS && submitted - returned < IN_FLIGHT) {
            struct numbered_call *call = &calls[submitted % IN_FLIGHT];

            if (!handover_reserve(submitter->handover)) {
                submitter->full++;
                break;
            }
            *call = (struct numbered_call){ .number = submitted++ };
            call->base.completion = completion;
            handover_submit(submitter->handover, &call->base);
        }
        struct pollfd event = { .fd = ipsec_completion_fd(completion), .events = POLLIN };
        if (submitted > returned)
            (void)poll(&event, 1, -1);
        struct ipsec_call *call = ipsec_completion_take(completion);
        while (call != NULL) {
            const struct numbered_call *numbered = (const struct numbered_call *)call;

            if (numbered->number != returned++ || numbered->taken != 1)
                submitter->in_order = false;
            call = call->next;
        }
    }
    ipsec_completion_close(completion);
    return NULL;
}

static void
a_touch_wakes_who_has_no_call(void **state)
{
    (void)state;
    struct numbered_call call = { .number = 0 };
    struct handover_results results = { .touched = NULL };
    struct ipsec_completion *with_call;
    struct ipsec_completion *without;

    assert_int_equal(ipsec_completion_open(&with_call), IPSEC_OK);
    assert_int_equal(ipsec_completion_open(&without), IPSEC_OK);
    call.base.completion = with_call;
    handover_collect(&results, &call.base);
    handover_touch(&results, with_call);
    handover_touch(&results, without);
    handover_touch(&results, without);
    handover_deliver(&results);
    assert_true(is_readable(with_call));
    assert_true(is_readable(without));
    assert_ptr_equal(ipsec_completion_take(with_call), &call.base);
    assert_null(ipsec_completion_take(without));
    assert_false(is_readable(without));

    handover_touch(&results, without);
    handover_deliver(&results);
    assert_true(is_readable(without));
    assert_false(is_readable(with_call));
    ipsec_completion_close(with_call);
    ipsec_completion_close(without);
}

static void
several_threads_get_back_what_is_theirs(void **state)
{
    (void)state;
    struct handover handover;
    struct submitter submitters[THREADS];
    pthread_t threads[THREADS];
    pthread_t engine;

    handover_init(&handover, THREADS * IN_FLIGHT / 2);
    assert_int_equal(pthread_create(&engine, NULL, echo, &handover), 0);
    for (size_t i = 0; i < THREADS; i++) {
        submitters[i] = (struct submitter){ .handover = &handover };
        assert_int_equal(pthread_create(&threads[i], NULL, submit, &submitters[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(submitters[i].in_order);
    }
    handover_close(&handover);
    assert_int_equal(pthread_join(engine, NULL), 0);
    assert_int_equal(handover.reserved, 0);
    handover_clear(&handover);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_gives_no_place),
        cmocka_unit_test(calls_are_taken_in_the_order_submitted),
        cmocka_unit_test(a_delivery_wakes_each_thread_once),
        cmocka_unit_test(a_touch_wakes_who_has_no_call),
        cmocka_unit_test(several_threads_get_back_what_is_theirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
