/* SPDX-License-Identifier: Apache-2.0
 *
 * figures.c: see figures.h. */
#include "engine/figures.h"

#include <stddef.h>

#define FIRST_LATENCY_BUCKET_US 50

static void add(_Atomic uint64_t *figure, uint64_t value);
static void set(_Atomic uint64_t *figure, uint64_t value);
static uint64_t get(const _Atomic uint64_t *figure);
static size_t bucket_of(uint64_t value, uint64_t first_bound, size_t bucket_count);

void
figures_count_batch(struct figures *figures, uint64_t size)
{
    add(&figures->batches, 1);
    add(&figures->calls, size);
    add(&figures->batch_size_buckets[bucket_of(size, 1, IPSEC_BATCH_BUCKETS)], 1);
}

void
figures_count_abandoned(struct figures *figures)
{
    add(&figures->calls_abandoned, 1);
}

void
figures_count_commit(struct figures *figures, int64_t duration_us)
{
    uint64_t us = duration_us < 0 ? 0 : (uint64_t)duration_us;

    add(&figures->commits, 1);
    add(&figures->commit_us_sum, us);
    add(&figures->commit_us_buckets[bucket_of(us, FIRST_LATENCY_BUCKET_US, IPSEC_LATENCY_BUCKETS)],
        1);
}

void
figures_count_commit_failure(struct figures *figures)
{
    add(&figures->commit_failures, 1);
}

void
figures_set_store_status(struct figures *figures, enum ipsec_status status)
{
    set(&figures->store_status, status);
}

void
figures_publish(struct figures *figures, const struct engine_state *state)
{
    for (size_t i = 0; i < IPSEC_SA_CONTEXT_STATE_COUNT; i++)
        set(&figures->contexts_by_state[i], state->contexts_by_state[i]);
    set(&figures->filters, state->filters.committed_count);
    set(&figures->filters_unenforced, state->filters.unenforced_count);
    set(&figures->replay_records, state->replays.count);
    set(&figures->sessions, state->sessions.live);
    set(&figures->sessions_aborted, state->sessions.aborted);
    set(&figures->sessions_cancelled, state->sessions.cancelled);
    set(&figures->transactions_begun, state->sessions.transactions_begun);
    set(&figures->transactions_rolled_back, state->sessions.rolled_back);
    set(&figures->transactions_reading, state->policy.readers);
    set(&figures->transactions_writing, state->policy.writer != 0);
    set(&figures->calls_waiting, state->policy.waiting);
    set(&figures->plane_failures, state->plane_check.plane_failures);
    set(&figures->plane_checks, state->plane_check.checks);
    set(&figures->plane_check_failures, state->plane_check.failures);
    set(&figures->plane_repairs, state->plane_check.repairs);
    set(&figures->plane_overruns, state->plane_check.overruns);
    set(&figures->drift[0], state->plane_check.drift.bundles_missing);
    set(&figures->drift[1], state->plane_check.drift.bundles_left_over);
    set(&figures->drift[2], state->plane_check.drift.filters_missing);
    set(&figures->drift[3], state->plane_check.drift.filters_left_over);
    set(&figures->drift[4], state->plane_check.drift.foreign);
    set(&figures->last_luid, state->luids.last);
    set(&figures->revision, state->revision);
}

void
figures_read(const struct figures *figures, struct ipsec_engine_figures *figures_out)
{
    enum ipsec_status store_status = (enum ipsec_status)get(&figures->store_status);

    *figures_out = (struct ipsec_engine_figures){
        .writable = store_status == IPSEC_OK,
        .store_status = store_status,
        .batches = get(&figures->batches),
        .calls = get(&figures->calls),
        .calls_abandoned = get(&figures->calls_abandoned),
        .commits = get(&figures->commits),
        .commit_failures = get(&figures->commit_failures),
        .commit_us_sum = get(&figures->commit_us_sum),
        .filters = get(&figures->filters),
        .filters_unenforced = get(&figures->filters_unenforced),
        .replay_records = get(&figures->replay_records),
        .sessions = get(&figures->sessions),
        .sessions_aborted = get(&figures->sessions_aborted),
        .sessions_cancelled = get(&figures->sessions_cancelled),
        .transactions_begun = get(&figures->transactions_begun),
        .transactions_rolled_back = get(&figures->transactions_rolled_back),
        .transactions_reading = get(&figures->transactions_reading),
        .transactions_writing = get(&figures->transactions_writing),
        .calls_waiting = get(&figures->calls_waiting),
        .plane_failures = get(&figures->plane_failures),
        .plane_checks = get(&figures->plane_checks),
        .plane_check_failures = get(&figures->plane_check_failures),
        .plane_repairs = get(&figures->plane_repairs),
        .plane_overruns = get(&figures->plane_overruns),
        .drift = { .sas_missing = get(&figures->drift[0]),
                   .sas_left_over = get(&figures->drift[1]),
                   .policies_missing = get(&figures->drift[2]),
                   .policies_left_over = get(&figures->drift[3]),
                   .foreign = get(&figures->drift[4]) },
        .last_luid = get(&figures->last_luid),
        .revision = get(&figures->revision),
    };
    for (size_t i = 0; i < IPSEC_BATCH_BUCKETS; i++)
        figures_out->batch_size_buckets[i] = get(&figures->batch_size_buckets[i]);
    for (size_t i = 0; i < IPSEC_LATENCY_BUCKETS; i++)
        figures_out->commit_us_buckets[i] = get(&figures->commit_us_buckets[i]);
    for (size_t i = 0; i < IPSEC_SA_CONTEXT_STATE_COUNT; i++)
        figures_out->contexts_by_state[i] = get(&figures->contexts_by_state[i]);
}

static void
add(_Atomic uint64_t *figure, uint64_t value)
{
    set(figure, get(figure) + value);
}

static void
set(_Atomic uint64_t *figure, uint64_t value)
{
    atomic_store_explicit(figure, value, memory_order_relaxed);
}

static uint64_t
get(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

/* Bounds double from 'first_bound'; the last bucket has none. */
static size_t
bucket_of(uint64_t value, uint64_t first_bound, size_t bucket_count)
{
    size_t bucket = 0;

    while (bucket < bucket_count - 1 && value > first_bound << bucket)
        bucket++;
    return bucket;
}
