/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c: an engine from its opening to its close, and what other threads ask of it. */
#include "engine/engine_internal.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/plane_exempt.h"
#include "engine/plane_mark.h"
#include "engine/rounds.h"

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
static enum ipsec_status take_plane(const struct ipsec_engine *engine,
                                    const struct plane_ops *plane_ops,
                                    struct ipsec_fault *fault);
static enum ipsec_status start_thread(struct ipsec_engine *engine, struct ipsec_fault *fault);
static void free_engine(struct ipsec_engine *engine);
static void *engine_thread(void *argument);
static void flush_plane(const struct ipsec_engine *engine);

enum ipsec_status
ipsec_engine_open(const struct ipsec_engine_options *options,
                  struct ipsec_fault *fault,
                  struct ipsec_engine **engine_out)
{
    const char *path;
    const struct store_ops *ops;
    enum ipsec_status status = ipsec_engine_find_store(options, fault, &ops, &path);

    *engine_out = NULL;
    if (status != IPSEC_OK)
        return status;
    return ipsec_engine_open_with(options, ops, path, fault, engine_out);
}

enum ipsec_status
ipsec_engine_find_store(const struct ipsec_engine_options *options,
                        struct ipsec_fault *fault,
                        const struct store_ops **ops_out,
                        const char **path_out)
{
    *ops_out = store_find(options->store_uri, path_out);
    if (*ops_out != NULL)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "store",
                           "\"%s\" names no store, such as memory: or sqlite:PATH",
                           options->store_uri);
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
ipsec_engine_discard(struct ipsec_engine *engine)
{
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
            (void)rounds_run(engine);
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
    clock_read(&engine->state.now_ms, &engine->state.clock_ms);
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
    status = engine->runner.store_ops->open(path, fault, &engine->runner.store);
    if (status == IPSEC_OK)
        status = state_load(&engine->state, engine->runner.store_ops, engine->runner.store, fault);
    if (status == IPSEC_OK)
        status = take_plane(engine, plane_ops, fault);
    engine->options.plane_uri = NULL; /* borrowed, too */
    engine->options.plane_netns = NULL;
    if (status != IPSEC_OK) {
        if (fault != NULL && fault->pointer[0] == '\0')
            (void)snprintf(fault->pointer, sizeof fault->pointer, "store");
        return status;
    }
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

/* Before the plane makes its first object the store knows which one it is. */
static enum ipsec_status
take_plane(const struct ipsec_engine *engine,
           const struct plane_ops *plane_ops,
           struct ipsec_fault *fault)
{
    const struct sa_database *database = &engine->state.sa;
    struct store_plane own;
    enum ipsec_status status = plane_mark_of(&engine->options, plane_ops, fault, &own);

    if (status == IPSEC_OK)
        status = plane_mark_put(engine->runner.store_ops, engine->runner.store, &own, fault);
    if (status == IPSEC_OK && database->plane_ops->start != NULL)
        status = database->plane_ops->start(database->plane, fault);
    return status;
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

    while (rounds_run(engine))
        continue;
    if (engine->options.flush_on_close)
        flush_plane(engine);
    return NULL;
}

static void
flush_plane(const struct ipsec_engine *engine)
{
    const struct sa_database *database = &engine->state.sa;
    struct ipsec_fault fault = { 0 };
    enum ipsec_status status = IPSEC_OK;

    if (database->plane_ops->flush != NULL)
        status = database->plane_ops->flush(database->plane);
    if (status != IPSEC_OK) {
        log_error("the data plane can't be flushed, what is there stays",
                  LOG_TEXT("plane", database->plane_ops->name),
                  LOG_TEXT("code", ipsec_status_name(status)));
        return;
    }
    if (plane_mark_forget(engine->runner.store_ops, engine->runner.store, &fault) != IPSEC_OK)
        log_error("the store still says that the data plane has something of it",
                  LOG_TEXT("plane", database->plane_ops->name), LOG_TEXT("reason", fault.detail));
}
