/* SPDX-License-Identifier: Apache-2.0
 *
 * test_timer.c: a million deadlines come in order, and garbage does not pile up. */
#include "engine/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/test_random.h"

enum { MILLION = 1000000 };

static void
a_million_deadlines_come_in_order(void **state)
{
    struct timer_heap heap = { .count = 0 };
    int64_t last = -1;

    (void)state;
    assert_true(timer_first(&heap) == TIMER_NEVER);
    for (uint64_t i = 0; i < MILLION; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, random_below(3600000), i);
    }
    for (size_t i = 0; i < MILLION; i++) {
        int64_t first = timer_first(&heap);
        struct timer_entry entry = timer_take(&heap);

        assert_true(entry.due_ms == first && entry.due_ms >= last);
        last = entry.due_ms;
        if (i % 4096 == 0)
            timer_settle(&heap);
    }
    timer_settle(&heap);
    assert_int_equal(heap.count, 0);
    assert_true(heap.capacity < MILLION / 100);
    timer_heap_clear(&heap);
}

static void
what_was_taken_can_be_put_back_without_memory(void **state)
{
    struct timer_heap heap = { .count = 0 };
    struct timer_entry taken[300];

    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, (int64_t)(i * 7919 % 300), i);
    }
    for (size_t i = 0; i < 300; i++)
        taken[i] = timer_take(&heap);
    for (uint64_t i = 0; i < 300; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, 1000, 1000 + i);
    }
    size_t capacity = heap.capacity;
    for (size_t i = 300; i > 0; i--)
        timer_put_back(&heap, taken[i - 1]);
    assert_int_equal(heap.capacity, capacity);
    assert_int_equal(heap.count, 600);
    for (size_t i = 0; i < 300; i++) {
        struct timer_entry entry = timer_take(&heap);

        assert_int_equal(entry.what, taken[i].what);
    }
    timer_heap_clear(&heap);
}

/* Each object has one deadline at a time. */
static bool
is_current(const void *owner, struct timer_entry entry)
{
    const int64_t *due = owner;

    return due[entry.what] == entry.due_ms;
}

static void
garbage_is_swept_a_little_at_a_time(void **state)
{
    enum { OBJECTS = 20000, ROUNDS = 60 };
    struct timer_heap heap = { .count = 0 };
    int64_t *due = calloc(OBJECTS, sizeof *due);
    size_t most = 0;

    (void)state;
    assert_non_null(due);
    for (int64_t round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < OBJECTS; i++) {
            assert_true(timer_reserve(&heap, 1));
            if (due[i] != 0)
                timer_forget(&heap);
            due[i] = 1 + round * OBJECTS + random_below(OBJECTS * 100);
            timer_add(&heap, due[i], i);
            timer_sweep(&heap, 4, is_current, due);
            most = heap.count > most ? heap.count : most;
        }
    }
    /* A million changes, and never much more than what is live. */
    assert_true(most < 2 * OBJECTS);
    size_t live = 0;
    while (heap.count > 0) {
        struct timer_entry entry = timer_take(&heap);

        if (due[entry.what] == entry.due_ms) {
            due[entry.what] = 0;
            live++;
        }
    }
    assert_int_equal(live, OBJECTS);
    timer_heap_clear(&heap);
    free(due);
}

static bool
is_always(const void *owner, struct timer_entry entry)
{
    (void)owner;
    (void)entry;
    return true;
}

static void
what_was_counted_twice_does_not_keep_the_sweep_busy(void **state)
{
    struct timer_heap heap = { .count = 0 };

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, (int64_t)i, i);
        timer_forget(&heap); /* which is not true */
    }
    timer_sweep(&heap, 10000, is_always, NULL);
    assert_int_equal(heap.count, 1000);
    assert_int_equal(heap.garbage + heap.fresh, 0);
    timer_heap_clear(&heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_deadlines_come_in_order),
        cmocka_unit_test(what_was_taken_can_be_put_back_without_memory),
        cmocka_unit_test(garbage_is_swept_a_little_at_a_time),
        cmocka_unit_test(what_was_counted_twice_does_not_keep_the_sweep_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
