/* SPDX-License-Identifier: Apache-2.0
 *
 * test_turns.c: in which order requests go on when somebody asks for more than his share. */
#include "server/turns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { START_MS = 1000000, MANY = 1000, SHARE = TURN_SHARED_BUDGET / TURN_COST };

static const char alice[] = "alice";
static const char bob[] = "bob";
static const char carol[] = "carol";

static struct turn_board board;
static struct turn_queue queue;
static struct turn turns[3][MANY];
static struct turn_caller *callers[3];

static int
set_up(void **state)
{
    (void)state;
    board = (struct turn_board){ .latest = 0 };
    queue = (struct turn_queue){ .board = &board };
    callers[0] = turn_queue_enter(&queue, alice);
    callers[1] = turn_queue_enter(&queue, bob);
    callers[2] = turn_queue_enter(&queue, carol);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(callers[i]);
        for (size_t j = 0; j < MANY; j++)
            turns[i][j] = (struct turn){ .caller = NULL };
    }
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        turn_queue_leave(&queue, callers[i]);
    assert_null(queue.callers);
    return 0;
}

/* Asks for 'count' turns from 'first' on; returns how many go on at once. */
static int
take(int who, int first, int count, size_t body_size)
{
    int going = 0;

    for (int i = first; i < first + count; i++)
        going += turn_queue_take(&queue, callers[who], &turns[who][i], body_size, START_MS) ? 1 : 0;
    return going;
}

static void
give_back(int who, int first, int count)
{
    for (int i = first; i < first + count; i++)
        turn_give_back(&turns[who][i], 0, START_MS);
}

static void
make_both_known(void)
{
    for (int who = 0; who < 2; who++) {
        assert_int_equal(take(who, MANY - 1, 1, 0), 1);
        give_back(who, MANY - 1, 1);
    }
}

static void
who_is_alone_goes_on_at_once(void **state)
{
    (void)state;
    assert_int_equal(take(0, 0, MANY, 100), MANY);
    assert_null(turn_queue_next(&queue, START_MS));
    give_back(0, 0, MANY);
}

/* All his connections went, and another one says the same name: he is still alone. */
static void
who_comes_back_is_no_other(void **state)
{
    char name[sizeof alice];

    (void)state;
    assert_int_equal(take(0, 0, 1, 0), 1);
    give_back(0, 0, 1);
    turn_queue_leave(&queue, callers[0]);
    memcpy(name, alice, sizeof name);
    callers[0] = turn_queue_enter(&queue, name);
    assert_non_null(callers[0]);
    assert_int_equal(take(0, 0, MANY, 0), MANY);
    give_back(0, 0, MANY);
}

static void
beside_another_each_has_a_share(void **state)
{
    (void)state;
    make_both_known();
    assert_int_equal(take(0, 0, 500, 0), SHARE);
    assert_int_equal(take(1, 0, 1, 0), 1);
    assert_int_equal(queue.waiting, 500 - SHARE);
    assert_null(turn_queue_next(&queue, START_MS));

    /* In their order, one for each that is given back. */
    for (int i = 0; i < 500 - SHARE; i++) {
        give_back(0, i, 1);
        assert_ptr_equal(turn_queue_next(&queue, START_MS), &turns[0][SHARE + i]);
        assert_null(turn_queue_next(&queue, START_MS));
    }
    assert_int_equal(queue.waiting, 0);
    give_back(0, 500 - SHARE, SHARE);
    give_back(1, 0, 1);
}

static void
those_who_wait_go_on_one_after_another(void **state)
{
    (void)state;
    make_both_known();
    assert_int_equal(take(0, 0, 300, 0), SHARE);
    assert_int_equal(take(1, 0, 300, 0), SHARE);
    assert_int_equal(take(2, 0, 300, 0), SHARE);
    for (int who = 0; who < 3; who++)
        give_back(who, 0, SHARE);
    for (int i = 0; i < SHARE; i++) {
        for (int who = 0; who < 3; who++)
            assert_ptr_equal(turn_queue_next(&queue, START_MS), &turns[who][SHARE + i]);
    }
    assert_null(turn_queue_next(&queue, START_MS));
    for (int who = 0; who < 3; who++)
        give_back(who, SHARE, SHARE);
    while (queue.waiting > 0)
        turn_give_back(turn_queue_next(&queue, START_MS), 0, START_MS);
}

static void
a_request_above_the_share_goes_alone(void **state)
{
    (void)state;
    make_both_known();
    assert_int_equal(take(0, 0, 3, 4 << 20), 1);
    assert_null(turn_queue_next(&queue, START_MS));
    give_back(0, 0, 1);
    assert_ptr_equal(turn_queue_next(&queue, START_MS), &turns[0][1]);
    assert_null(turn_queue_next(&queue, START_MS));
    give_back(0, 1, 1);
    assert_ptr_equal(turn_queue_next(&queue, START_MS), &turns[0][2]);
    give_back(0, 2, 1);
}

static void
large_answers_count_against_the_next_requests_without_body(void **state)
{
    (void)state;
    make_both_known();
    assert_int_equal(take(0, 0, 1, 0), 1);
    turn_give_back(&turns[0][0], 300000, START_MS);
    assert_int_equal(take(0, 1, 3, 0), 1);
    give_back(0, 1, 1);
    for (int i = 2; i < 4; i++) {
        assert_ptr_equal(turn_queue_next(&queue, START_MS), &turns[0][i]);
        give_back(0, i, 1);
    }
    /* With a body it tells by itself what it takes; and large answers are forgotten. */
    assert_int_equal(take(0, 0, SHARE, 1), SHARE);
    give_back(0, 0, SHARE);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(take(0, 0, 1, 0), 1);
        give_back(0, 0, 1);
    }
    assert_int_equal(take(0, 0, SHARE, 0), SHARE);
    give_back(0, 0, SHARE);
}

static void
once_the_other_is_gone_all_goes_on(void **state)
{
    (void)state;
    make_both_known();
    assert_int_equal(take(0, 0, 500, 0), SHARE);
    for (int i = SHARE; i < 500; i++)
        assert_ptr_equal(turn_queue_next(&queue, START_MS + TURN_SHARED_MS), &turns[0][i]);
    for (int i = 0; i < 500; i++)
        turn_give_back(&turns[0][i], 0, START_MS + TURN_SHARED_MS);
}

/* As when they wait for a transaction whose commit waits behind them. */
static void
turns_that_nothing_comes_of_do_not_count_any_more(void **state)
{
    int64_t now_ms = START_MS;

    (void)state;
    make_both_known();
    assert_int_equal(take(0, 0, 3 * SHARE, 0), SHARE);
    assert_null(turn_queue_next(&queue, now_ms + TURN_STALL_MS - 1));
    for (int round = 1; round < 3; round++) {
        now_ms += TURN_STALL_MS;
        for (int i = 0; i < SHARE; i++)
            assert_ptr_equal(turn_queue_next(&queue, now_ms), &turns[0][round * SHARE + i]);
        assert_null(turn_queue_next(&queue, now_ms));
    }
    for (int i = 0; i < 3 * SHARE; i++)
        turn_give_back(&turns[0][i], 0, now_ms);
    assert_int_equal(take(0, 0, 3 * SHARE, 0), SHARE); /* and nothing was given back twice */
    give_back(0, 0, SHARE);
    struct turn *turn;
    while ((turn = turn_queue_next(&queue, START_MS)) != NULL)
        turn_give_back(turn, 0, START_MS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_alone_goes_on_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_comes_back_is_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(beside_another_each_has_a_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(those_who_wait_go_on_one_after_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_above_the_share_goes_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_answers_count_against_the_next_requests_without_body,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(once_the_other_is_gone_all_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(turns_that_nothing_comes_of_do_not_count_any_more, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
