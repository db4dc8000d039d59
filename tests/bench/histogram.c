/* SPDX-License-Identifier: Apache-2.0
 *
 * histogram.c: see histogram.h. */
#include "tests/bench/histogram.h"

#include <stddef.h>

static size_t bucket_of(uint64_t value_ns);
static uint64_t highest_of(size_t bucket);

void
histogram_record(struct histogram *histogram, uint64_t value_ns)
{
    histogram->counts[bucket_of(value_ns)]++;
    histogram->total++;
    histogram->sum_ns += value_ns;
    if (value_ns > histogram->max_ns)
        histogram->max_ns = value_ns;
}

void
histogram_add(struct histogram *histogram, const struct histogram *other)
{
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->counts[i] += other->counts[i];
    histogram->total += other->total;
    histogram->sum_ns += other->sum_ns;
    if (other->max_ns > histogram->max_ns)
        histogram->max_ns = other->max_ns;
}

uint64_t
histogram_percentile_ns(const struct histogram *histogram, double percent)
{
    double exact_rank = percent / 100.0 * (double)histogram->total;
    uint64_t rank = (uint64_t)exact_rank;
    uint64_t seen = 0;

    if ((double)rank < exact_rank || rank == 0)
        rank++;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->counts[i];
        if (seen >= rank) {
            uint64_t value_ns = highest_of(i);
            return value_ns < histogram->max_ns ? value_ns : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}

uint64_t
histogram_mean_ns(const struct histogram *histogram)
{
    return histogram->total == 0 ? 0 : histogram->sum_ns / histogram->total;
}

/* Below 2^7 a bucket is one value; above, the seven bits after the leading one pick the bucket. */
static size_t
bucket_of(uint64_t value_ns)
{
    if (value_ns >= UINT64_C(1) << HISTOGRAM_MAX_BITS)
        return HISTOGRAM_BUCKETS - 1;
    if (value_ns < UINT64_C(1) << HISTOGRAM_SUB_BITS)
        return (size_t)value_ns;

    unsigned int shift = 63U - (unsigned int)__builtin_clzll(value_ns) - HISTOGRAM_SUB_BITS;
    size_t sub = (size_t)(value_ns >> shift) & ((1U << HISTOGRAM_SUB_BITS) - 1U);
    return ((size_t)(shift + 1U) << HISTOGRAM_SUB_BITS) + sub;
}

static uint64_t
highest_of(size_t bucket)
{
    uint64_t sub = bucket & ((1U << HISTOGRAM_SUB_BITS) - 1U);
    size_t octave = bucket >> HISTOGRAM_SUB_BITS;

    if (octave == 0)
        return sub;
    return (((sub + (UINT64_C(1) << HISTOGRAM_SUB_BITS)) + 1) << (octave - 1)) - 1;
}
