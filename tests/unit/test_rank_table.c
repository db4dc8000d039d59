/* SPDX-License-Identifier: Apache-2.0
 *
 * test_rank_table.c: ranks follow weights, whatever comes in which order. */
#include "engine/rank_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/plane/plane.h"

static uint32_t
take(struct rank_table *table, uint64_t weight)
{
    bool renumbered = false;
    uint32_t rank = 0;

    assert_true(rank_table_take(table, weight, &rank, &renumbered));
    assert_int_equal(rank_table_find(table, weight), rank);
    return rank;
}

static void
check_order(const struct rank_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        assert_true(table->ranks[i].rank <= PLANE_RANK_MAX);
        if (i == 0)
            continue;
        assert_true(table->ranks[i - 1].weight > table->ranks[i].weight);
        assert_true(table->ranks[i - 1].rank < table->ranks[i].rank);
    }
}

static void
heavier_weights_have_lower_ranks(void **state)
{
    (void)state;
    struct rank_table table = { .count = 0 };
    uint32_t light = take(&table, 1);
    uint32_t heavy = take(&table, UINT64_MAX);
    uint32_t middle = take(&table, UINT64_C(1) << 62);

    assert_true(heavy < middle);
    assert_true(middle < light);
    rank_table_clear(&table);
}

static void
equal_weights_share_a_rank_until_the_last_goes(void **state)
{
    (void)state;
    struct rank_table table = { .count = 0 };
    uint32_t rank = take(&table, 77);

    assert_int_equal(take(&table, 77), rank);
    rank_table_release(&table, 77);
    assert_int_equal(table.count, 1);
    rank_table_release(&table, 77);
    assert_int_equal(table.count, 0);
    rank_table_clear(&table);
}

/* Weights as filters have them without an explicit one: the same ranks after a restart. */
static void
automatic_weights_have_ranks_that_do_not_depend_on_their_order(void **state)
{
    (void)state;
    struct rank_table up = { .count = 0 };
    struct rank_table down = { .count = 0 };

    for (uint64_t i = 0; i < 8192; i += 64)
        (void)take(&up, i << 51);
    for (uint64_t i = 8192; i > 0; i -= 64)
        (void)take(&down, (i - 64) << 51);
    for (uint64_t i = 0; i < 8192; i += 64)
        assert_int_equal(rank_table_find(&up, i << 51), rank_table_find(&down, i << 51));
    rank_table_clear(&up);
    rank_table_clear(&down);
}

/* Neighbours everywhere: in the worst order all are given new ranks, but seldom. */
static void
any_order_of_close_weights_works(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    /* Ascending, descending, and from the middle outwards. */
    for (int order = 0; order < 3; order++) {
        struct rank_table table = { .count = 0 };
        size_t renumberings = 0;

        for (uint64_t i = 0; i < COUNT; i++) {
            uint64_t weight = order == 0   ? i
                              : order == 1 ? COUNT - i
                              : i % 2 == 0 ? COUNT + i
                                           : COUNT - i;
            bool renumbered = false;
            uint32_t rank = 0;

            assert_true(rank_table_take(&table, weight, &rank, &renumbered));
            renumberings += renumbered;
        }
        check_order(&table);
        assert_true(renumberings < 20);
        rank_table_clear(&table);
    }
}

/* The worst of all: always between the same two. */
static void
weights_that_halve_a_gap_get_ranks(void **state)
{
    (void)state;
    struct rank_table table = { .count = 0 };
    size_t renumberings = 0;
    uint64_t weight = UINT64_C(1) << 40;

    (void)take(&table, 0);
    for (int i = 0; i < 40; i++) {
        bool renumbered = false;
        uint32_t rank = 0;

        assert_true(rank_table_take(&table, weight, &rank, &renumbered));
        renumberings += renumbered;
        weight /= 2;
        check_order(&table);
    }
    assert_true(renumberings > 0);
    assert_true(renumberings < 5);
    rank_table_clear(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heavier_weights_have_lower_ranks),
        cmocka_unit_test(equal_weights_share_a_rank_until_the_last_goes),
        cmocka_unit_test(automatic_weights_have_ranks_that_do_not_depend_on_their_order),
        cmocka_unit_test(any_order_of_close_weights_works),
        cmocka_unit_test(weights_that_halve_a_gap_get_ranks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
