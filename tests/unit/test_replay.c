/* SPDX-License-Identifier: Apache-2.0
 *
 * test_replay.c: finding, expiring, undoing and dropping of remembered requests. */
#include "engine/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MAXIMUM = 1000, BATCH = 100 };

static struct replay_index index_;

static int
setup(void **state)
{
    (void)state;
    return replay_index_init(&index_, MAXIMUM, BATCH) ? 0 : -1;
}

static int
teardown(void **state)
{
    (void)state;
    replay_index_clear(&index_);
    return 0;
}

static void
make_digest(uint64_t key, uint8_t digest[32])
{
    memset(digest, 0xab, 32);
    memcpy(digest, &key, sizeof key);
}

static const struct replay_record *
find(uint64_t key, int64_t now_ms)
{
    uint8_t digest[32];

    make_digest(key, digest);
    return replay_find(&index_, digest, now_ms);
}

static uint64_t
add(uint64_t key, int64_t now_ms)
{
    uint8_t digest[32];

    make_digest(key, digest);
    assert_false(replay_is_full(&index_));
    return replay_add(&index_, digest, digest, now_ms, 7)->number;
}

static void
a_key_is_found_until_it_expires(void **state)
{
    (void)state;
    assert_null(find(1, 0));
    assert_int_equal(add(1, 0), 1);
    assert_non_null(find(1, 0));
    assert_null(find(2, 0));
    assert_non_null(find(1, REPLAY_LIFETIME_MS - 1));
    assert_null(find(1, REPLAY_LIFETIME_MS));
}

static void
a_key_used_again_after_its_expiry_is_found_anew(void **state)
{
    (void)state;
    (void)add(1, 0);
    assert_int_equal(add(1, REPLAY_LIFETIME_MS), 2);
    assert_int_equal(find(1, REPLAY_LIFETIME_MS)->number, 2);
    /* A wall clock that was set back makes the first valid again; the newer one counts. */
    assert_int_equal(find(1, 5)->number, 2);
}

static void
an_undone_record_is_gone_and_its_number_is_not_used_again(void **state)
{
    (void)state;
    (void)add(1, 0);
    replay_commit(&index_, false);
    (void)add(2, 0);
    assert_false(replay_is_pending(&index_, find(1, 0)));
    assert_true(replay_is_pending(&index_, find(2, 0)));
    assert_int_equal(find(2, 0)->change, 7);
    replay_undo(&index_);
    assert_null(find(2, 0));
    assert_non_null(find(1, 0));
    assert_int_equal(add(2, 0), 3);
}

static void
a_full_index_says_so_until_records_expire(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < MAXIMUM; key++)
        (void)add(key, 0);
    replay_commit(&index_, false);
    assert_true(replay_is_full(&index_));
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS - 1), 0);
    assert_true(replay_is_full(&index_));

    /* A batch may fill the place of those that go with its commit. */
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS), MAXIMUM + 1);
    for (uint64_t key = 0; key < BATCH; key++)
        (void)add(key, REPLAY_LIFETIME_MS);
    assert_true(replay_is_full(&index_));
    replay_commit(&index_, true);
    assert_int_equal(index_.count, BATCH);
    for (uint64_t key = 0; key < MAXIMUM; key++)
        assert_int_equal(find(key, REPLAY_LIFETIME_MS) != NULL, key < BATCH);
}

static void
few_expired_records_are_not_worth_a_change(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 256; key++)
        (void)add(key, key < 255 ? 0 : 1);
    replay_commit(&index_, false);
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS), 0);
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS + 1), 257);
    /* Nothing was committed: the same is due next time. */
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS + 1), 257);
    replay_commit(&index_, true);
    assert_int_equal(index_.count, 0);
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS + 1), 0);
}

static void
a_record_from_the_future_keeps_none_behind_it(void **state)
{
    (void)state;
    (void)add(1, 1000 * REPLAY_LIFETIME_MS);
    for (uint64_t key = 2; key <= 300; key++)
        (void)add(key, 0);
    replay_commit(&index_, false);
    assert_non_null(find(1, 0));
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS - 1), 0);
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS), 301);
    replay_commit(&index_, true);
    assert_int_equal(index_.count, 0);
}

static void
a_clock_that_goes_back_a_little_leaves_the_ring_in_order(void **state)
{
    (void)state;
    (void)add(1, 2000);
    assert_int_equal(add(2, 1000), 2);
    assert_int_equal(find(2, 1000)->created_at_ms, 2000);
    /* A clock that was far ahead is no measure. */
    (void)add(3, REPLAY_LIFETIME_MS);
    (void)add(4, 3000);
    assert_int_equal(find(4, 3000)->created_at_ms, 3000);
}

static void
a_clock_that_goes_forward_and_back_drops_no_live_record(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 300; key++)
        (void)add(key, 1000);
    replay_commit(&index_, false);
    assert_int_equal(replay_expire(&index_, 2 * REPLAY_LIFETIME_MS), 301);
    /* That batch only read; before the next the clock is set right. */
    assert_int_equal(replay_expire(&index_, 2000), 0);
    replay_commit(&index_, true);
    assert_int_equal(index_.count, 300);
    assert_non_null(find(0, 2000));
}

static void
a_batch_removes_a_bounded_number_of_records(void **state)
{
    static struct replay_index large;
    uint8_t digest[32];

    (void)state;
    assert_true(replay_index_init(&large, 10000, 1));
    for (uint64_t key = 1; key <= 10000; key++) {
        make_digest(key, digest);
        assert_true(replay_load(&large, key, digest, digest, 0));
    }
    for (uint64_t left = 10000; left > 0; left -= left < 4096 ? left : 4096) {
        assert_int_equal(large.count, left);
        assert_int_equal(replay_expire(&large, REPLAY_LIFETIME_MS),
                         10001 - left + (left < 4096 ? left : 4096));
        replay_commit(&large, true);
    }
    assert_int_equal(large.count, 0);
    replay_index_clear(&large);
}

static void
buckets_are_touched_no_further_than_there_are_records(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 500; key++) {
        (void)add(key, 0);
        assert_true(index_.bucket_count <= (key < 64 ? 64 : key + 1));
    }
    for (uint64_t key = 0; key < 500; key++)
        assert_non_null(find(key, 0));
    for (size_t i = index_.bucket_count; i < index_.bucket_capacity; i++)
        assert_int_equal(index_.buckets[i], 0);
}

static void
the_ring_goes_round(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 40; day++) {
        int64_t now_ms = day * REPLAY_LIFETIME_MS;

        uint64_t below = replay_expire(&index_, now_ms);
        assert_int_equal(below, day == 0 ? 0 : (uint64_t)day * 700 + 1);
        for (uint64_t key = 0; key < 300; key++)
            (void)add((uint64_t)day * 1000 + key, now_ms);
        replay_commit(&index_, below != 0);
        for (uint64_t key = 300; key < 700; key++)
            (void)add((uint64_t)day * 1000 + key, now_ms);
        replay_commit(&index_, false);
        assert_int_equal(index_.count, 700);
        for (uint64_t key = 0; key < 700; key++) {
            assert_non_null(find((uint64_t)day * 1000 + key, now_ms));
            if (day > 0)
                assert_null(find((uint64_t)(day - 1) * 1000 + key, now_ms));
        }
    }
}

static void
a_batch_that_filled_it_can_be_answered_anew(void **state)
{
    (void)state;
    uint8_t digest[32];
    uint64_t numbers[BATCH];

    for (uint64_t key = 0; key < MAXIMUM; key++)
        (void)add(key, 0);
    replay_commit(&index_, false);
    assert_int_equal(replay_expire(&index_, REPLAY_LIFETIME_MS), MAXIMUM + 1);
    for (size_t i = 0; i < BATCH; i++)
        numbers[i] = add(MAXIMUM + i, REPLAY_LIFETIME_MS);
    assert_true(replay_is_full(&index_));
    for (size_t i = 0; i < BATCH; i++) {
        replay_void(&index_, numbers[i]);
        make_digest(MAXIMUM + i, digest);
        (void)replay_add(&index_, digest, digest, REPLAY_LIFETIME_MS, 7);
    }
    /* The commit that takes the old ones away failed: they are as they were. */
    for (uint64_t key = 0; key < MAXIMUM; key++)
        assert_int_equal(find(key, 0)->number, key + 1);
    for (size_t i = 0; i < BATCH; i++)
        assert_int_equal(find(MAXIMUM + i, REPLAY_LIFETIME_MS)->number, numbers[i] + BATCH);
}

static void
loading_keeps_the_newest_that_fit(void **state)
{
    (void)state;
    uint8_t digest[32];

    for (uint64_t number = 1; number <= MAXIMUM + 50; number++) {
        make_digest(number, digest);
        assert_true(replay_load(&index_, number * 2, digest, digest, 0));
    }
    assert_false(replay_load(&index_, 2 * MAXIMUM, digest, digest, 0));
    assert_int_equal(index_.count, MAXIMUM);
    assert_null(find(50, 0));
    assert_non_null(find(51, 0));
    assert_false(replay_is_pending(&index_, find(MAXIMUM + 50, 0)));
    assert_true(replay_is_full(&index_));
}

int
main(void)
{
#define INDEX_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        INDEX_TEST(a_key_is_found_until_it_expires),
        INDEX_TEST(a_key_used_again_after_its_expiry_is_found_anew),
        INDEX_TEST(an_undone_record_is_gone_and_its_number_is_not_used_again),
        INDEX_TEST(a_full_index_says_so_until_records_expire),
        INDEX_TEST(few_expired_records_are_not_worth_a_change),
        INDEX_TEST(a_record_from_the_future_keeps_none_behind_it),
        INDEX_TEST(a_clock_that_goes_back_a_little_leaves_the_ring_in_order),
        INDEX_TEST(a_clock_that_goes_forward_and_back_drops_no_live_record),
        INDEX_TEST(a_batch_removes_a_bounded_number_of_records),
        INDEX_TEST(buckets_are_touched_no_further_than_there_are_records),
        INDEX_TEST(the_ring_goes_round),
        INDEX_TEST(a_batch_that_filled_it_can_be_answered_anew),
        INDEX_TEST(loading_keeps_the_newest_that_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
