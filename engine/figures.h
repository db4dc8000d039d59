/* SPDX-License-Identifier: Apache-2.0
 *
 * figures.h: what the engine counts, readable from any thread.
 *
 * Only the engine thread writes, so plain loads and stores of atomics do; a reader may see the
 * figures of two batches mixed, never a torn number. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/state.h"

struct figures {
    _Atomic uint64_t store_status; /* IPSEC_OK: writable */
    _Atomic uint64_t batches;
    _Atomic uint64_t calls;
    _Atomic uint64_t calls_abandoned;
    _Atomic uint64_t commits;
    _Atomic uint64_t commit_failures;
    _Atomic uint64_t commit_us_sum;
    _Atomic uint64_t batch_size_buckets[IPSEC_BATCH_BUCKETS];
    _Atomic uint64_t commit_us_buckets[IPSEC_LATENCY_BUCKETS];
    _Atomic uint64_t contexts_by_state[IPSEC_SA_CONTEXT_STATE_COUNT];
    _Atomic uint64_t filters;
    _Atomic uint64_t filters_unenforced;
    _Atomic uint64_t replay_records;
    _Atomic uint64_t sessions;
    _Atomic uint64_t sessions_aborted;
    _Atomic uint64_t sessions_cancelled;
    _Atomic uint64_t transactions_begun;
    _Atomic uint64_t transactions_rolled_back;
    _Atomic uint64_t transactions_reading;
    _Atomic uint64_t transactions_writing;
    _Atomic uint64_t calls_waiting;
    _Atomic uint64_t plane_failures;
    _Atomic uint64_t plane_checks;
    _Atomic uint64_t plane_check_failures;
    _Atomic uint64_t plane_repairs;
    _Atomic uint64_t plane_overruns;
    _Atomic uint64_t drift[5]; /* in the order of struct ipsec_drift */
    _Atomic uint64_t last_luid;
    _Atomic uint64_t revision;
};

void figures_count_batch(struct figures *figures, uint64_t size);
void figures_count_abandoned(struct figures *figures);
void figures_count_commit(struct figures *figures, int64_t duration_us);
void figures_count_commit_failure(struct figures *figures);
void figures_set_store_status(struct figures *figures, enum ipsec_status status);
/* The numbers of objects, after a batch. */
void figures_publish(struct figures *figures, const struct engine_state *state);

/* All but 'queue_length', 'store_name' and those of watching. */
void figures_read(const struct figures *figures, struct ipsec_engine_figures *figures_out);
