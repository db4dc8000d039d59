/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c: the engine thread: takes calls, runs them in batches, commits, gives them back.
 *
 * While the store fails the engine is read-only: calls that change something are undone and refused
 * with the store's status, reads are answered from memory, and a probe write from time to time
 * tells when the store is well again. */
#include "engine/engine_internal.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/call.h"
#include "engine/due.h"
#include "engine/figures.h"
#include "engine/handover.h"
#include "engine/plane_exempt.h"
#include "engine/refusal.h"
#include "engine/state.h"
#include "engine/transaction.h"

#define SHORTEST_PROBE_INTERVAL_MS 10

struct ipsec_engine {
    struct ipsec_engine_options options;
    struct handover handover;
    struct figures figures;
    bool has_thread; /* or the thread of its caller runs it */
    pthread_t thread;

    /* The engine thread's; names of principals are for all. */
    struct engine_state state;
    struct call_runner runner;
    struct batch_call *batch_calls; /* 'options.max_batch' places */
    struct ipsec_call *waiting;     /* taken from the queue, for the next batches */
    int64_t next_probe_ms;
};

static enum ipsec_status check_options(const struct ipsec_engine_options *options,
                                       struct ipsec_fault *fault);
static enum ipsec_status make_engine(const struct ipsec_engine_options *options,
                                     const struct store_ops *ops,
                                     const char *path,
                                     const struct plane_ops *plane_ops,
                                     struct ipsec_fault *fault,
                                     struct ipsec_engine **engine_out);
static enum ipsec_status open_state(struct ipsec_engine *engine,
                                    const char *path,
                                    const struct plane_ops *plane_ops,
                                    struct ipsec_fault *fault);
static enum ipsec_status start_thread(struct ipsec_engine *engine, struct ipsec_fault *fault);
static void free_engine(struct ipsec_engine *engine);
static void *engine_thread(void *argument);
static bool run_round(struct ipsec_engine *engine);
static void flush_plane(const struct sa_database *database);
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

enum ipsec_status
ipsec_engine_open(const struct ipsec_engine_options *options,
                  struct ipsec_fault *fault,
                  struct ipsec_engine **engine_out)
{
    const char *path;
    const struct store_ops *ops = store_find(options->store_uri, &path);

    *engine_out = NULL;
    if (ops == NULL)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "store",
                               "\"%s\" names no store, such as memory: or sqlite:PATH",
                               options->store_uri);
    return ipsec_engine_open_with(options, ops, path, fault, engine_out);
}

enum ipsec_status
ipsec_engine_open_with(const struct ipsec_engine_options *options,
                       const struct store_ops *ops,
                       const char *path,
                       struct ipsec_fault *fault,
                       struct ipsec_engine **engine_out)
{
    return ipsec_engine_open_on(options, ops, path, NULL, fault, engine_out);
}

enum ipsec_status
ipsec_engine_open_on(const struct ipsec_engine_options *options,
                     const struct store_ops *ops,
                     const char *path,
                     const struct plane_ops *plane_ops,
                     struct ipsec_fault *fault,
                     struct ipsec_engine **engine_out)
{
    struct ipsec_engine *engine;
    enum ipsec_status status = make_engine(options, ops, path, plane_ops, fault, &engine);

    *engine_out = NULL;
    if (engine == NULL)
        return status;
    status = start_thread(engine, fault);
    if (status != IPSEC_OK) {
        free_engine(engine);
        return status;
    }
    *engine_out = engine;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_engine_open_unthreaded(const struct ipsec_engine_options *options,
                             const struct store_ops *ops,
                             const char *path,
                             struct ipsec_fault *fault,
                             struct ipsec_engine **engine_out)
{
    return make_engine(options, ops, path, NULL, fault, engine_out);
}

void
ipsec_engine_close(struct ipsec_engine *engine)
{
    if (engine == NULL)
        return;
    handover_close(&engine->handover);
    if (!engine->has_thread)
        (void)engine_thread(engine);
    else if (pthread_join(engine->thread, NULL) != 0)
        abort();
    free_engine(engine);
}

void
ipsec_engine_read_figures(const struct ipsec_engine *engine,
                          struct ipsec_engine_figures *figures_out)
{
    const struct subscription_table *watch = &engine->state.watch;

    figures_read(&engine->figures, figures_out);
    figures_out->queue_length =
        atomic_load_explicit(&engine->handover.reserved, memory_order_relaxed);
    figures_out->subscriptions = atomic_load_explicit(&watch->live, memory_order_relaxed);
    figures_out->subscriptions_dropped =
        atomic_load_explicit(&watch->dropped, memory_order_relaxed);
    figures_out->events_published = atomic_load_explicit(&watch->published, memory_order_relaxed);
    (void)snprintf(figures_out->store_name, sizeof figures_out->store_name, "%s",
                   engine->runner.store_ops->name);
    (void)snprintf(figures_out->plane_name, sizeof figures_out->plane_name, "%s",
                   engine->state.sa.plane_ops->name);
}

bool
ipsec_engine_capability(const struct ipsec_engine *engine,
                        size_t index,
                        struct ipsec_capability *capability_out)
{
    const struct sa_database *database = &engine->state.sa;
    const struct plane_capability *capability = NULL;

    /* Found at the start and never changed. */
    if (database->plane_ops->capability != NULL)
        capability = database->plane_ops->capability(database->plane, index);
    if (capability == NULL)
        return false;
    *capability_out = (struct ipsec_capability){
        .transform = capability->transform,
        .is_supported = capability->is_supported,
        .reason = capability->reason,
    };
    return true;
}

const char *
ipsec_engine_plane_name(const struct ipsec_engine *engine)
{
    return engine->state.sa.plane_ops->name;
}

uint64_t
ipsec_engine_event_count(const struct ipsec_engine *engine)
{
    return atomic_load_explicit(&engine->state.watch.published, memory_order_relaxed);
}

bool
ipsec_engine_reserve(struct ipsec_engine *engine)
{
    return handover_reserve(&engine->handover);
}

void
ipsec_engine_unreserve(struct ipsec_engine *engine)
{
    handover_release(&engine->handover, 1);
}

void
ipsec_engine_submit(struct ipsec_engine *engine, struct ipsec_call *first)
{
    handover_submit(&engine->handover, first);
}

enum ipsec_status
ipsec_engine_call(struct ipsec_engine *engine, struct ipsec_call *call)
{
    struct ipsec_completion *completion;
    enum ipsec_status status = ipsec_completion_open(&completion);

    if (status != IPSEC_OK)
        return call_fail(call, status, "no eventfd for the call");
    if (!ipsec_engine_reserve(engine)) {
        ipsec_completion_close(completion);
        return call_fail(call, IPSEC_RPC_CANTTRANSMIT_CALL, "the engine's queue is full");
    }
    call->completion = completion;
    call->next = NULL;
    ipsec_engine_submit(engine, call);

    struct pollfd event = { .fd = ipsec_completion_fd(completion), .events = POLLIN };
    while (ipsec_completion_take(completion) == NULL) {
        if (engine->has_thread)
            (void)poll(&event, 1, -1);
        else
            (void)run_round(engine);
    }
    ipsec_completion_close(completion);
    call->completion = NULL;
    return call->status;
}

void
ipsec_engine_drain(struct ipsec_engine *engine)
{
    if (engine != NULL)
        handover_drain(&engine->handover);
}

enum ipsec_status
ipsec_session_preview(const struct ipsec_engine *engine,
                      const struct ipsec_guid *key,
                      const char *principal,
                      enum ipsec_session_rule rule,
                      struct ipsec_fault *fault)
{
    const struct engine_state *state = &engine->state;

    return session_registry_judge(state->sessions.registry, &state->principals, key, principal,
                                  rule, fault);
}

const char *
ipsec_principal_name(const struct ipsec_engine *engine, uint32_t principal)
{
    return principal_name(&engine->state.principals, principal);
}

static enum ipsec_status
check_options(const struct ipsec_engine_options *options, struct ipsec_fault *fault)
{
    if (options->queue_depth == 0)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_SERVICE, "queue-depth",
                               "the queue needs at least one place");
    if (options->max_batch == 0)
        return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_SERVICE, "max-batch",
                               "a batch needs at least one place");
    return IPSEC_OK;
}

/* All but its thread.  '*engine_out' is null on failure. */
static enum ipsec_status
make_engine(const struct ipsec_engine_options *options,
            const struct store_ops *ops,
            const char *path,
            const struct plane_ops *plane_ops,
            struct ipsec_fault *fault,
            struct ipsec_engine **engine_out)
{
    enum ipsec_status status = check_options(options, fault);

    *engine_out = NULL;
    if (status != IPSEC_OK)
        return status;
    struct ipsec_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the engine");
    engine->options = *options;
    engine->options.store_uri = NULL; /* borrowed for the call only */
    engine->runner = (struct call_runner){
        .state = &engine->state,
        .store_ops = ops,
        .abandoned_after_ms = options->abandoned_after_ms,
    };
    handover_init(&engine->handover, options->queue_depth);
    status = open_state(engine, path, plane_ops, fault);
    if (status != IPSEC_OK) {
        free_engine(engine);
        return status;
    }
    *engine_out = engine;
    return IPSEC_OK;
}

static enum ipsec_status
open_state(struct ipsec_engine *engine,
           const char *path,
           const struct plane_ops *plane_ops,
           struct ipsec_fault *fault)
{
    const struct ipsec_engine_options *options = &engine->options;
    bool has_state = state_init(&engine->state, options->max_contexts, options->max_replay_records,
                                options->max_batch);
    engine->state.clock_ms = clock_monotonic_ms();
    engine->state.now_ms = clock_wall_ms();
    engine->state.security.listener = options->security;
    engine->state.sessions.limits = (struct session_limits){
        .maximum = options->max_sessions,
        .per_principal = options->max_sessions_per_principal,
        .idle_ms = options->session_idle_ms,
        .wait_ms = options->txn_wait_ms,
        .hold_ms = options->txn_hold_ms,
    };

    engine->batch_calls = calloc(options->max_batch, sizeof *engine->batch_calls);
    bool has_watch = subscription_table_configure(&engine->state.watch, options->kept_events,
                                                  options->max_watchers);
    if (!has_state || !has_watch || engine->batch_calls == NULL)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the engine's tables");
    enum ipsec_status status = sa_database_configure(&engine->state.sa, options, plane_ops, fault);
    if (status != IPSEC_OK)
        return status;
    engine->options.plane_uri = NULL; /* borrowed, too */
    status = engine->runner.store_ops->open(path, fault, &engine->runner.store);
    if (status != IPSEC_OK)
        return status;
    status = state_load(&engine->state, engine->runner.store_ops, engine->runner.store, fault);
    if (status != IPSEC_OK)
        return status;
    status = plane_exempt(&engine->state.sa, options->exempt_fds, options->exempt_fd_count, fault);
    engine->options.exempt_fds = NULL;
    if (status != IPSEC_OK)
        return status;
    if (filter_plane_install(&engine->state, true) == UINT64_MAX)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the ranks of the store's filters");
    figures_publish(&engine->figures, &engine->state);
    return IPSEC_OK;
}

/* Signals are for other threads. */
static enum ipsec_status
start_thread(struct ipsec_engine *engine, struct ipsec_fault *fault)
{
    sigset_t all;
    sigset_t before;

    if (sigfillset(&all) != 0 || pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        abort();
    int error = pthread_create(&engine->thread, NULL, engine_thread, engine);
    if (pthread_sigmask(SIG_SETMASK, &before, NULL) != 0)
        abort();
    if (error != 0)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "the engine thread can't be started: errno %d", error);
    engine->has_thread = true;
    (void)pthread_setname_np(engine->thread, "engine");
    return IPSEC_OK;
}

static void
free_engine(struct ipsec_engine *engine)
{
    if (engine == NULL)
        return;
    engine->runner.store_ops->close(engine->runner.store);
    state_clear(&engine->state);
    handover_clear(&engine->handover);
    free(engine->batch_calls);
    free(engine);
}

static void *
engine_thread(void *argument)
{
    struct ipsec_engine *engine = argument;

    while (run_round(engine))
        continue;
    if (engine->options.flush_on_close)
        flush_plane(&engine->state.sa);
    return NULL;
}

/* Waits for something to do and does it.  False: it is closed, and nothing is left to do. */
static bool
run_round(struct ipsec_engine *engine)
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

static void
flush_plane(const struct sa_database *database)
{
    enum ipsec_status status = IPSEC_OK;

    if (database->plane_ops->flush != NULL)
        status = database->plane_ops->flush(database->plane);
    if (status != IPSEC_OK)
        log_error("the data plane can't be flushed, what is there stays",
                  LOG_TEXT("plane", database->plane_ops->name),
                  LOG_TEXT("code", ipsec_status_name(status)));
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

    state_begin_batch(state, clock_wall_ms(), clock_monotonic_ms());
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
        (void)call_fail(call, IPSEC_RPC_SERVERCALL_RETRYLATER,
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
