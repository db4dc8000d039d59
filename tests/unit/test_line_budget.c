/* SPDX-License-Identifier: Apache-2.0
 *
 * test_line_budget.c: nobody without a certificate writes more audit lines than he is given. */
#include "server/line_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DAY_MS = 86400000, START_MS = 1000000 };

static struct line_budget budget;

static int
set_up(void **state)
{
    (void)state;
    line_budget_init(&budget, UINT64_C(0x9e3779b97f4a7c15));
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    line_budget_clear(&budget);
    return 0;
}

/* Asks 'times' times at once; returns how often a line was granted. */
static uint64_t
ask(uint64_t address, int64_t now_ms, int times)
{
    uint64_t granted = 0;
    uint64_t left_out;

    for (int i = 0; i < times; i++)
        granted += line_budget_take(&budget, address, now_ms, &left_out) ? 1 : 0;
    return granted;
}

static void
an_address_has_a_burst_and_then_one_line_an_interval(void **state)
{
    (void)state;
    assert_int_equal(ask(1, START_MS, 1000), LINE_BUDGET_ADDRESS_BURST);
    assert_int_equal(ask(1, START_MS + LINE_BUDGET_ADDRESS_MS - 1, 1000), 0);
    assert_int_equal(ask(1, START_MS + LINE_BUDGET_ADDRESS_MS, 1000), 1);
    assert_int_equal(ask(1, START_MS + DAY_MS, 1000), LINE_BUDGET_ADDRESS_BURST);
}

static void
an_address_that_floods_takes_nothing_from_another(void **state)
{
    (void)state;
    (void)ask(1, START_MS, 100000);
    assert_int_equal(ask(2, START_MS, 1), 1);
}

static void
what_was_left_out_is_told_once(void **state)
{
    uint64_t left_out = 99;

    (void)state;
    assert_true(line_budget_take(&budget, 1, START_MS, &left_out));
    assert_int_equal(left_out, 0);
    (void)ask(1, START_MS, LINE_BUDGET_ADDRESS_BURST - 1 + 7);
    assert_true(line_budget_take(&budget, 2, START_MS, &left_out));
    assert_int_equal(left_out, 7);
    assert_true(line_budget_take(&budget, 2, START_MS, &left_out));
    assert_int_equal(left_out, 0);
}

/* A hundred thousand addresses, each asking for a line a second, for an hour. */
static void
a_crowd_of_addresses_cannot_write_more_than_all_may(void **state)
{
    const int64_t seconds = 3600;
    uint64_t granted = 0;

    (void)state;
    for (int64_t second = 0; second < seconds; second++)
        for (uint64_t address = 0; address < 1000; address++)
            granted += ask((uint64_t)second % 100 * 1000 + address, START_MS + second * 1000, 1);
    assert_in_range(granted, LINE_BUDGET_BURST, LINE_BUDGET_BURST + seconds);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_has_a_burst_and_then_one_line_an_interval,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_that_floods_takes_nothing_from_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_left_out_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crowd_of_addresses_cannot_write_more_than_all_may, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
