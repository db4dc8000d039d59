/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram.h: durations counted in log-linear buckets, as HdrHistogram does. */
#pragma once

#include <stdint.h>

/* Each power of two is cut into 128 buckets, so a value read back is less than 1 % off.  Everything
 * above 2^40 ns (18 minutes) falls into the last bucket; the maximum is kept exactly. */
enum {
    HISTOGRAM_SUB_BITS = 7,
    HISTOGRAM_MAX_BITS = 40,
    HISTOGRAM_BUCKETS = (HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
};

/* Zeroed is empty. */
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t sum_ns;
    uint64_t max_ns;
};

void histogram_record(struct histogram *histogram, uint64_t value_ns);
void histogram_add(struct histogram *histogram, const struct histogram *other);
/* The value that 'percent' of all values do not exceed; 0 when there are none. */
uint64_t histogram_percentile_ns(const struct histogram *histogram, double percent);
uint64_t histogram_mean_ns(const struct histogram *histogram);
