/* SPDX-License-Identifier: Apache-2.0
 *
 * rounds.c: see rounds.h. */
#include "engine/rounds.h"

#include <sched.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/due.h"
#include "engine/refusal.h"
#include "engine/transaction.h"

#define SHORTEST_PROBE_INTERVAL_MS 10

static bool is_finished(struct ipsec_engine *engine, bool closed);
static int64_t next_work_ms(const struct ipsec_engine *engine, int64_t clock_ms);
static int64_t time_to_wait(const struct ipsec_engine *engine);
static void run_batch(struct ipsec_engine *engine);
static size_t run_parked_calls(struct ipsec_engine *engine);
static size_t run_new_calls(struct ipsec_engine *engine, size_t call_count);
static size_t run_call(struct ipsec_engine *engine, struct ipsec_call *call, size_t call_count);
static bool park(struct ipsec_engine *engine, struct ipsec_call *call);
static void finish_batch(struct ipsec_engine *engine, size_t call_count);
static bool wants_commit(const struct ipsec_engine *engine);
static void commit(struct ipsec_engine *engine, size_t call_count);
static enum ipsec_status
commit_changes(struct ipsec_engine *engine, size_t first, struct ipsec_fault *fault);
static void apply_plane(struct ipsec_engine *engine, size_t call_count);
static void fail_exposed_calls(struct ipsec_engine *engine, size_t call_count);
static void become_read_only(struct ipsec_engine *engine, const struct ipsec_fault *fault);
static void schedule_probe(struct ipsec_engine *engine);
static void probe_store(struct ipsec_engine *engine);

bool
rounds_run(struct ipsec_engine *engine)
{
    struct policy_lock *policy = &engine->state.policy;
    bool closed = false;

    if (engine->waiting == NULL) {
        /* Workers that wait for a processor have calls for this batch.  Costs an idle machine
         * nothing. */
        (void)sched_yield();
        engine->waiting = handover_take(&engine->handover, time_to_wait(engine), &closed);
    }
    if ((closed || handover_is_draining(&engine->handover)) && !policy->stopped)
        policy_lock_stop(policy);
    if (engine->runner.store_fault.status != IPSEC_OK &&
        clock_monotonic_ms() >= engine->next_probe_ms)
        probe_store(engine);
    int64_t clock_ms = clock_monotonic_ms();
    if (engine->waiting != NULL || next_work_ms(engine, clock_ms) <= clock_ms)
        run_batch(engine);
    return !is_finished(engine, closed);
}

/* Calls may have come in behind the ones that were taken. */
static bool
is_finished(struct ipsec_engine *engine, bool closed)
{
    return closed && engine->waiting == NULL && engine->state.policy.first == NULL &&
           handover_is_empty(&engine->handover);
}

/* When there is something to do even if no call comes. */
static int64_t
next_work_ms(const struct ipsec_engine *engine, int64_t clock_ms)
{
    int64_t due_ms = due_next(&engine->state, engine->runner.store_fault.status == IPSEC_OK);
    int64_t parked_ms = policy_lock_next(&engine->state.policy, clock_ms);

    return due_ms < parked_ms ? due_ms : parked_ms;
}

/* Below 0: for ever. */
static int64_t
time_to_wait(const struct ipsec_engine *engine)
{
    int64_t clock_ms = clock_monotonic_ms();
    int64_t next_ms = next_work_ms(engine, clock_ms);

    if (engine->runner.store_fault.status != IPSEC_OK && engine->next_probe_ms < next_ms)
        next_ms = engine->next_probe_ms;
    if (next_ms == INT64_MAX)
        return -1;
    return next_ms < clock_ms ? 0 : next_ms - clock_ms;
}

static void
run_batch(struct ipsec_engine *engine)
{
    struct engine_state *state = &engine->state;
    struct handover_results results = { .touched = NULL };
    int64_t now_ms;
    int64_t clock_ms;

    clock_read(&now_ms, &clock_ms);
    state_begin_batch(state, now_ms, clock_ms);
    uint64_t expired_below = replay_expire(&state->replays, state->steady_ms);
    due_run(state, state->clock_ms, engine->runner.store_fault.status == IPSEC_OK);
    size_t call_count = run_parked_calls(engine);
    call_count = run_new_calls(engine, call_count);

    /* Without memory for this change the old records merely stay for longer. */
    if (expired_below != 0 && wants_commit(engine))
        (void)!state_delete_replays_below(state, expired_below);
    finish_batch(engine, call_count);
    if (call_count > 0)
        figures_count_batch(&engine->figures, call_count);
    figures_publish(&engine->figures, state);
    for (size_t i = 0; i < call_count; i++)
        handover_collect(&results, engine->batch_calls[i].call);
    subscription_deliver(&state->watch, &results);
}

/* First those that wait for the lock on policy and may go on, each once, in their order. */
static size_t
run_parked_calls(struct ipsec_engine *engine)
{
    struct engine_state *state = &engine->state;
    size_t call_count = 0;
    uint64_t ticket = 0;

    while (call_count < engine->options.max_batch) {
        struct ipsec_call *call = policy_lock_take(&state->policy, ticket, state->clock_ms);

        if (call == NULL)
            break;
        ticket = call->wait.ticket;
        call_count = run_call(engine, call, call_count);
    }
    return call_count;
}

/* A call that is parked leaves its place in the queue. */
static size_t
run_new_calls(struct ipsec_engine *engine, size_t call_count)
{
    uint32_t taken = 0;

    while (engine->waiting != NULL && call_count < engine->options.max_batch) {
        struct ipsec_call *call = engine->waiting;

        engine->waiting = call->next;
        call->wait = (struct ipsec_wait){ .ticket = 0 };
        call_count = run_call(engine, call, call_count);
        taken++;
    }
    handover_release(&engine->handover, taken);
    return call_count;
}

/* Returns how many calls of the batch are finished. */
static size_t
run_call(struct ipsec_engine *engine, struct ipsec_call *call, size_t call_count)
{
    const struct batch *batch = &engine->state.batch;
    size_t first_change = batch->change_count;
    enum call_outcome outcome = call_run(&engine->runner, call);

    if (outcome == CALL_HAS_TO_WAIT && park(engine, call))
        return call_count;
    if (call->status == IPSEC_RPC_CALL_CANCELED && outcome == CALL_REFUSED)
        figures_count_abandoned(&engine->figures);
    engine->batch_calls[call_count] = (struct batch_call){
        .call = call,
        .exposed = outcome != CALL_REFUSED && (batch->change_count > 0 || batch->undo_count > 0),
        .first_change = first_change,
        .last_change = batch->change_count,
    };
    return call_count + 1;
}

/* False: it is refused. */
static bool
park(struct ipsec_engine *engine, struct ipsec_call *call)
{
    struct engine_state *state = &engine->state;

    if (state->policy.stopped) {
        (void)call_fail(call, IPSEC_RPC_CANTTRANSMIT_CALL,
                        "the service is stopping and waits for no transaction");
        return false;
    }
    if (state->policy.waiting >= engine->options.queue_depth) {
        (void)call_fail(call, IPSEC_RPC_CANTTRANSMIT_CALL,
                        "too many calls wait for the lock on policy");
        return false;
    }
    policy_lock_park(&state->policy, call, state->clock_ms);
    return true;
}

static void
finish_batch(struct ipsec_engine *engine, size_t call_count)
{
    if (wants_commit(engine))
        commit(engine, call_count);
    else
        state_settle(&engine->state);
}

/* Figures alone are no reason to try a store that does not take any: that is for the probe. */
static bool
wants_commit(const struct ipsec_engine *engine)
{
    const struct engine_state *state = &engine->state;

    return state->batch.change_count > 0 ||
           (engine->runner.store_fault.status == IPSEC_OK && state_is_ahead(state));
}

static void
commit(struct ipsec_engine *engine, size_t call_count)
{
    struct engine_state *state = &engine->state;
    struct ipsec_fault fault = { .status = IPSEC_OK };
    int64_t started_us = clock_monotonic_us();
    enum ipsec_status status = commit_changes(engine, 0, &fault);

    if (status == IPSEC_OK) {
        figures_count_commit(&engine->figures, clock_monotonic_us() - started_us);
        apply_plane(engine, call_count);
        state_settle(state);
        return;
    }
    state_undo(state, (struct batch_mark){ .change_count = 0 });
    transaction_drop_undone(state);
    become_read_only(engine, &fault);
    fail_exposed_calls(engine, call_count);
}

/* Those of the batch from the 'first' on, with the figures beside them.  On failure 'fault' has a
 * sentence in any case. */
static enum ipsec_status
commit_changes(struct ipsec_engine *engine, size_t first, struct ipsec_fault *fault)
{
    struct engine_state *state = &engine->state;
    const struct batch *batch = &state->batch;
    struct store_marks marks = state_marks(state);
    const struct store_change *changes = first == 0 ? batch->changes : batch->changes + first;
    enum ipsec_status status = engine->runner.store_ops->commit(
        engine->runner.store, changes, batch->change_count - first, &marks, fault);

    if (status == IPSEC_OK) {
        state->stored = marks;
        return status;
    }
    if (fault->status != status)
        (void)!ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, NULL, "%s",
                               ipsec_status_text(status));
    figures_count_commit_failure(&engine->figures);
    return status;
}

/* What is committed becomes so in the data plane; what that refuses is put right by another commit,
 * before anybody gets an answer. */
static void
apply_plane(struct ipsec_engine *engine, size_t call_count)
{
    struct engine_state *state = &engine->state;
    struct batch_mark committed = batch_mark(&state->batch);
    struct ipsec_fault fault = { .status = IPSEC_OK };

    state->batch.plane.owner = NULL;
    if (state->batch.plane.group_count == 0)
        return;
    refusal_apply(state, engine->batch_calls, call_count);
    if (state->batch.change_count == committed.change_count ||
        commit_changes(engine, committed.change_count, &fault) == IPSEC_OK)
        return;
    /* Memory stays what the store has: SAs that the plane lacks, until they end or its restart. */
    state_undo(state, committed);
    become_read_only(engine, &fault);
}

/* What these calls did is gone, and what they saw or said may be. */
static void
fail_exposed_calls(struct ipsec_engine *engine, size_t call_count)
{
    for (size_t i = 0; i < call_count; i++) {
        if (engine->batch_calls[i].exposed)
            call_take_back(engine->batch_calls[i].call, engine->runner.store_fault.status);
    }
}

static void
become_read_only(struct ipsec_engine *engine, const struct ipsec_fault *fault)
{
    log_error("store failed, refusing changes until it takes writes again",
              LOG_TEXT("store", engine->runner.store_ops->name),
              LOG_TEXT("code", ipsec_status_name(fault->status)),
              LOG_TEXT("reason", fault->detail));
    engine->runner.store_fault = *fault;
    schedule_probe(engine);
    figures_set_store_status(&engine->figures, fault->status);
}

static void
schedule_probe(struct ipsec_engine *engine)
{
    int64_t interval_ms = engine->options.probe_interval_ms;

    if (interval_ms < SHORTEST_PROBE_INTERVAL_MS)
        interval_ms = SHORTEST_PROBE_INTERVAL_MS;
    engine->next_probe_ms = clock_monotonic_ms() + interval_ms;
}

static void
probe_store(struct ipsec_engine *engine)
{
    struct ipsec_fault fault = { .status = IPSEC_OK };

    enum ipsec_status status = engine->runner.store_ops->probe(engine->runner.store, &fault);
    if (status != IPSEC_OK) {
        fault.status = status;
        if (status != engine->runner.store_fault.status)
            become_read_only(engine, &fault); /* for another reason now */
        schedule_probe(engine);
        return;
    }
    engine->runner.store_fault = (struct ipsec_fault){ .status = IPSEC_OK };
    figures_set_store_status(&engine->figures, IPSEC_OK);
    log_info("store takes writes again", LOG_TEXT("store", engine->runner.store_ops->name));
}
