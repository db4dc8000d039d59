/* SPDX-License-Identifier: Apache-2.0
 *
 * test_timer.c: a million deadlines come in order, those that are due together share an entry, and
 * garbage does not pile up. */
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

        assert_true(timer_reserve(&heap, 1));
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
    assert_true(timer_reserve(&heap, 1));
    for (size_t i = 0; i < 300; i++)
        taken[i] = timer_take(&heap);
    for (uint64_t i = 0; i < 300; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, 1000 + (int64_t)i, 1000);
    }
    size_t capacity = heap.capacity;
    for (size_t i = 300; i > 0; i--)
        timer_put_back(&heap, taken[i - 1]);
    assert_int_equal(heap.capacity, capacity);
    assert_int_equal(heap.count, 600);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(timer_peek(&heap).what, taken[i].what);
        timer_drop(&heap);
    }
    timer_heap_clear(&heap);
}

static void
those_of_a_batch_cost_one_entry(void **state)
{
    enum { BATCHES = 1000, OF_A_BATCH = 1000 };
    struct timer_heap heap = { .count = 0 };

    (void)state;
    for (uint64_t i = 0; i < BATCHES * OF_A_BATCH; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, 120000 + (int64_t)(i / OF_A_BATCH), 1 + i);
    }
    assert_int_equal(heap.count, BATCHES);
    for (uint64_t i = 0; i < BATCHES * OF_A_BATCH; i++) {
        assert_true(timer_reserve(&heap, 1));
        assert_int_equal(timer_first(&heap), 120000 + i / OF_A_BATCH);
        assert_int_equal(timer_peek(&heap).what, 1 + i);
        struct timer_entry entry = timer_take(&heap);

        assert_int_equal(entry.what, 1 + i);
        assert_int_equal(entry.due_ms, 120000 + i / OF_A_BATCH);
        if (i % OF_A_BATCH == 0)
            timer_settle(&heap);
    }
    assert_int_equal(heap.count, 0);
    timer_heap_clear(&heap);
}

/* Neither another time nor a number that does not follow, and no more than a run can count. */
static void
a_run_ends_where_it_has_to(void **state)
{
    enum { LONG = 70000 };
    struct timer_heap heap = { .count = 0 };

    (void)state;
    assert_true(timer_reserve(&heap, 8));
    timer_add(&heap, 5, 10);
    timer_add(&heap, 5, 11);
    timer_add(&heap, 5, 13);
    timer_add(&heap, 6, 14);
    timer_add(&heap, 5, 12);
    assert_int_equal(heap.count, 4);
    timer_heap_clear(&heap);

    for (uint64_t i = 0; i < LONG; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, 7, i);
    }
    assert_int_equal(heap.count, 2);
    for (uint64_t i = 0; i < LONG; i++) {
        assert_true(timer_first(&heap) == 7);
        timer_drop(&heap);
    }
    assert_true(timer_first(&heap) == TIMER_NEVER);
    timer_heap_clear(&heap);
}

static void
of_a_run_one_after_the_other_is_taken_and_put_back(void **state)
{
    struct timer_heap heap = { .count = 0 };
    struct timer_entry taken[300];

    (void)state;
    for (uint64_t i = 0; i < 300; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, 9, i);
    }
    for (size_t i = 0; i < 200; i++) {
        assert_true(timer_reserve(&heap, 1));
        taken[i] = timer_take(&heap);
    }
    size_t capacity = heap.capacity;
    for (size_t i = 200; i > 0; i--)
        timer_put_back(&heap, taken[i - 1]);
    assert_int_equal(heap.capacity, capacity);
    bool seen[300] = { false };
    for (size_t i = 0; i < 300; i++) {
        assert_true(timer_first(&heap) == 9);
        seen[timer_peek(&heap).what] = true;
        timer_drop(&heap);
    }
    for (size_t i = 0; i < 300; i++)
        assert_true(seen[i]);
    assert_int_equal(heap.count, 0);
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
        struct timer_entry entry = timer_peek(&heap);

        timer_drop(&heap);
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
is_above_ten(const void *owner, struct timer_entry entry)
{
    (void)owner;
    return entry.what > 10;
}

static void
of_a_run_the_sweep_drops_what_comes_before_a_valid_one(void **state)
{
    struct timer_heap heap = { .count = 0 };

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(timer_reserve(&heap, 1));
        timer_add(&heap, 3 + (int64_t)(i / 10), i);
        timer_forget(&heap);
    }
    assert_int_equal(heap.count, 100);
    timer_sweep(&heap, 10000, is_above_ten, NULL);
    assert_int_equal(heap.count, 99);
    assert_int_equal(timer_peek(&heap).what, 11);
    assert_int_equal(heap.garbage + heap.fresh, 0);
    timer_heap_clear(&heap);
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
        cmocka_unit_test(those_of_a_batch_cost_one_entry),
        cmocka_unit_test(a_run_ends_where_it_has_to),
        cmocka_unit_test(of_a_run_one_after_the_other_is_taken_and_put_back),
        cmocka_unit_test(garbage_is_swept_a_little_at_a_time),
        cmocka_unit_test(of_a_run_the_sweep_drops_what_comes_before_a_valid_one),
        cmocka_unit_test(what_was_counted_twice_does_not_keep_the_sweep_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
