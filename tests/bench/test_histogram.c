/* SPDX-License-Identifier: Apache-2.0
 *
 * test_histogram.c: percentiles are within one per cent. */
#include "tests/bench/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
an_empty_histogram_reads_zero(void **state)
{
    (void)state;
    static struct histogram histogram;

    assert_int_equal(histogram_percentile_ns(&histogram, 50), 0);
    assert_int_equal(histogram_mean_ns(&histogram), 0);
}

static void
a_value_reads_back_within_one_per_cent(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < UINT64_C(1) << 39; value = value * 5 / 4 + 1) {
        struct histogram histogram = { 0 };

        histogram_record(&histogram, value);
        histogram_record(&histogram, value * 2);
        uint64_t read = histogram_percentile_ns(&histogram, 50);
        assert_true(read >= value);
        assert_true(read - value <= value / 100);
        assert_int_equal(histogram_percentile_ns(&histogram, 100), value * 2);
    }
}

static void
percentiles_of_a_sum_are_those_of_all_values(void **state)
{
    (void)state;
    static struct histogram low, high;

    for (uint64_t i = 1; i <= 50; i++) {
        histogram_record(&low, i);
        histogram_record(&high, i + 50);
    }
    histogram_add(&low, &high);
    assert_int_equal(low.total, 100);
    assert_int_equal(histogram_percentile_ns(&low, 50), 50);
    assert_int_equal(histogram_percentile_ns(&low, 99), 99);
    assert_int_equal(histogram_percentile_ns(&low, 99.9), 100);
    assert_int_equal(histogram_mean_ns(&low), 50);
}

static void
a_value_beyond_the_last_bucket_is_kept_as_the_maximum(void **state)
{
    (void)state;
    static struct histogram histogram;

    histogram_record(&histogram, UINT64_MAX);
    assert_int_equal(histogram.max_ns, UINT64_MAX);
    assert_int_equal(histogram.counts[HISTOGRAM_BUCKETS - 1], 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_reads_zero),
        cmocka_unit_test(a_value_reads_back_within_one_per_cent),
        cmocka_unit_test(percentiles_of_a_sum_are_those_of_all_values),
        cmocka_unit_test(a_value_beyond_the_last_bucket_is_kept_as_the_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
