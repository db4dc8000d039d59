/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c: see state.h. */
#include "engine/state.h"

#include "engine/provider_context.h"
#include "engine/sa_context.h"

/* Objects that enumerations look at. */
enum { SCAN_BATCH = 50000, SCAN_CALL = 20000, SCAN_CALL_LEAST = 16 };

/* The difference of two clocks changes by less for no reason. */
#define CLOCK_DRIFT_MS 2

struct load {
    struct engine_state *state;
    struct ipsec_fault *fault;
};

static enum ipsec_status load_principal(void *context, const struct store_principal *principal);
static enum ipsec_status
load_provider_context(void *context, const struct ipsec_provider_context *provider_context);
static enum ipsec_status load_filter(void *context, const struct ipsec_filter *filter);
static enum ipsec_status load_sa_context(void *context, const struct ipsec_sa_context *sa_context);
static enum ipsec_status load_session(void *context, const struct ipsec_session_record *session);
static enum ipsec_status load_descriptor(void *context, const struct store_descriptor *descriptor);
static enum ipsec_status load_quarantine(void *context, const struct store_quarantine *quarantine);
static enum ipsec_status load_replay(void *context, const struct store_replay *replay);
static enum ipsec_status corrupt(struct ipsec_fault *fault, const char *what, uint64_t number);
static void undo_put_replay(struct engine_state *state, void *object, uint64_t number);
static void undo_nothing(struct engine_state *state, void *object, uint64_t number);
static void settle_deleted_replays(struct engine_state *state, void *object, uint64_t number);
static uint64_t highest_id(const struct engine_state *state);
static void start_steady_clock(struct engine_state *state);

bool
state_init(struct engine_state *state,
           uint32_t max_contexts,
           uint32_t max_replay_records,
           uint32_t max_batch)
{
    *state = (struct engine_state){ .max_contexts = max_contexts };
    id_table_init(&state->contexts, sizeof(struct ipsec_sa_context));
    subscription_table_init(&state->watch);

    /* All of them, so that all may be cleared. */
    bool sa = sa_database_init(&state->sa);
    bool provider_contexts = provider_context_table_init(&state->provider_contexts);
    bool filters = filter_table_init(&state->filters);
    bool classify = classify_init(&state->classify);
    bool principals = principal_table_init(&state->principals);
    bool sessions = session_table_init(&state->sessions);
    bool replays = replay_index_init(&state->replays, max_replay_records, max_batch);
    return sa && provider_contexts && filters && classify && principals && sessions && replays;
}

void
state_clear(struct engine_state *state)
{
    batch_clear(&state->batch);
    sa_database_clear(state);
    filter_plane_clear(&state->filter_plane);
    filter_table_clear(&state->filters);
    provider_context_table_clear(&state->provider_contexts);
    classify_clear(&state->classify);
    principal_table_clear(&state->principals);
    session_table_clear(&state->sessions);
    policy_lock_clear(&state->policy);
    security_table_clear(&state->security);
    replay_index_clear(&state->replays);
    subscription_table_clear(&state->watch);
}

enum ipsec_status
state_load(struct engine_state *state,
           const struct store_ops *ops,
           struct store *store,
           struct ipsec_fault *fault)
{
    struct load load = { .state = state, .fault = fault };
    const struct store_loader loader = {
        .context = &load,
        .principal = load_principal,
        .provider_context = load_provider_context,
        .filter = load_filter,
        .sa_context = load_sa_context,
        .session = load_session,
        .quarantine = load_quarantine,
        .descriptor = load_descriptor,
        .replay = load_replay,
    };
    struct store_marks marks = { .last_luid = 0 };
    enum ipsec_status status = ops->load(store, &loader, &marks, fault);

    if (status != IPSEC_OK)
        return status;
    if (marks.last_luid > IPSEC_LUID_MAX || marks.last_luid < highest_id(state))
        return corrupt(fault, "a last identifier", marks.last_luid);
    if (marks.last_replay_number < state->replays.last_number)
        return corrupt(fault, "a last replay number", marks.last_replay_number);
    state->luids.last = marks.last_luid;
    state->stored = marks;
    state->revision = event_log_first_sequence(marks.revision, state->now_ms);
    event_log_start(&state->watch.log, marks.revision, state->revision);
    state->replays.last_number = marks.last_replay_number;
    state->replays.committed_number = marks.last_replay_number;
    start_steady_clock(state);
    return IPSEC_OK;
}

uint64_t
state_sequence(const struct engine_state *state)
{
    const struct event_log *log = &state->watch.log;

    return log->base != 0 && state->revision == log->start ? log->base : state->revision;
}

bool
state_is_ahead(const struct engine_state *state)
{
    return state->luids.last > state->stored.last_luid ||
           state_sequence(state) > state->stored.revision;
}

struct store_marks
state_marks(const struct engine_state *state)
{
    return (struct store_marks){
        .last_luid = state->luids.last,
        .revision = state_sequence(state),
        .last_replay_number = state->replays.last_number,
    };
}

void
state_begin_batch(struct engine_state *state, int64_t now_ms, int64_t clock_ms)
{
    int64_t offset_ms = state->now_ms - state->clock_ms;
    int64_t drift_ms = now_ms - clock_ms - offset_ms;

    /* The two clocks are read one after the other.  So small a difference is none, or what one
     * tells of the other would change with every batch. */
    bool is_same = drift_ms >= -CLOCK_DRIFT_MS && drift_ms <= CLOCK_DRIFT_MS;
    state->now_ms = is_same ? clock_ms + offset_ms : now_ms;
    state->clock_ms = clock_ms;
    state->steady_ms = clock_ms + state->steady_offset_ms;
    state->scanned = 0;
    state->batch.plane.owner = NULL;
}

size_t
state_scan_budget(const struct engine_state *state)
{
    size_t left = state->scanned < SCAN_BATCH ? SCAN_BATCH - state->scanned : 0;

    if (left < SCAN_CALL_LEAST)
        return SCAN_CALL_LEAST;
    return left < SCAN_CALL ? left : SCAN_CALL;
}

void
state_undo(struct engine_state *state, struct batch_mark mark)
{
    for (size_t i = state->batch.undo_count; i > mark.undo_count; i--) {
        const struct undo_entry *entry = &state->batch.undos[i - 1];

        entry->ops->undo(state, entry->object, entry->number);
    }
    batch_cut(&state->batch, mark);
    if (state->batch.undo_count == 0)
        batch_reset(&state->batch);
}

void
state_settle(struct engine_state *state)
{
    const struct batch *batch = &state->batch;

    subscription_publish(&state->watch, batch->events, batch->event_count, state_sequence(state));
    for (size_t i = 0; i < state->batch.undo_count; i++) {
        const struct undo_entry *entry = &state->batch.undos[i];

        if (entry->ops->settle != NULL)
            entry->ops->settle(state, entry->object, entry->number);
    }
    sa_database_settle(state);
    replay_commit(&state->replays, state->replays_removed);
    state->replays_removed = false;
    batch_reset(&state->batch);
}

bool
state_put_replay(struct engine_state *state, const struct store_replay *replay)
{
    static const struct undo_ops put_replay = { .undo = undo_put_replay };
    const struct store_replay *copy = batch_copy(&state->batch, replay, sizeof *replay);

    return copy != NULL && batch_reserve(&state->batch, 1) &&
           batch_change(&state->batch, (struct store_change){ .kind = STORE_PUT_REPLAY,
                                                              .id = copy->number,
                                                              .replay = copy }) &&
           batch_undo(&state->batch, &put_replay, NULL, copy->number);
}

bool
state_delete_replays_below(struct engine_state *state, uint64_t number)
{
    static const struct undo_ops delete_replays = { .undo = undo_nothing,
                                                    .settle = settle_deleted_replays };

    return batch_reserve(&state->batch, 1) &&
           batch_change(&state->batch, (struct store_change){ .kind = STORE_DELETE_REPLAYS_BELOW,
                                                              .id = number }) &&
           batch_undo(&state->batch, &delete_replays, NULL, number);
}

static enum ipsec_status
load_principal(void *context, const struct store_principal *principal)
{
    const struct load *load = context;

    enum ipsec_status status =
        principal_load(&load->state->principals, principal->id, principal->name);
    if (status == IPSEC_RPC_OUT_OF_RESOURCES)
        return ipsec_fault_set(load->fault, status, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the principals of the store");
    return status == IPSEC_OK ? status : corrupt(load->fault, "a principal", principal->id);
}

static enum ipsec_status
load_provider_context(void *context, const struct ipsec_provider_context *provider_context)
{
    const struct load *load = context;

    return provider_context_load(load->state, provider_context, load->fault);
}

static enum ipsec_status
load_filter(void *context, const struct ipsec_filter *filter)
{
    const struct load *load = context;

    return filter_load(load->state, filter, load->fault);
}

static enum ipsec_status
load_sa_context(void *context, const struct ipsec_sa_context *sa_context)
{
    const struct load *load = context;

    return sa_context_load(load->state, sa_context, load->fault);
}

static enum ipsec_status
load_session(void *context, const struct ipsec_session_record *session)
{
    const struct load *load = context;

    return session_load(load->state, session, load->fault);
}

static enum ipsec_status
load_quarantine(void *context, const struct store_quarantine *quarantine)
{
    const struct load *load = context;

    return sa_quarantine_load(load->state, quarantine, load->fault);
}

static enum ipsec_status
load_descriptor(void *context, const struct store_descriptor *descriptor)
{
    const struct load *load = context;

    return security_table_load(load->state, descriptor, load->fault);
}

static enum ipsec_status
load_replay(void *context, const struct store_replay *replay)
{
    const struct load *load = context;

    if (!replay_load(&load->state->replays, replay->number, replay->key_digest,
                     replay->request_digest, replay->created_at_ms))
        return corrupt(load->fault, "a replay record", replay->number);
    return IPSEC_OK;
}

static enum ipsec_status
corrupt(struct ipsec_fault *fault, const char *what, uint64_t number)
{
    return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                           "the store holds %s %llu that can't be", what,
                           (unsigned long long)number);
}

/* From the wall clock, or from where it was when the newest answer was remembered, if it has been
 * set back since: by more than records live it must have been wrong then. */
static void
start_steady_clock(struct engine_state *state)
{
    int64_t start_ms = state->now_ms;
    int64_t newest_ms = replay_newest_ms(&state->replays);

    if (newest_ms > start_ms && newest_ms - start_ms <= REPLAY_LIFETIME_MS)
        start_ms = newest_ms;
    state->steady_offset_ms = start_ms - state->clock_ms;
    state->steady_ms = start_ms;
}

static uint64_t
highest_id(const struct engine_state *state)
{
    const struct id_table *tables[] = { &state->contexts, &state->provider_contexts.ids,
                                        &state->filters.ids, &state->sessions.numbers };
    uint64_t highest = 0;

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        uint64_t id = id_table_highest(tables[i]);

        highest = id > highest ? id : highest;
    }
    return highest;
}

static void
undo_put_replay(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    (void)number;
    replay_undo(&state->replays);
}

static void
undo_nothing(struct engine_state *state, void *object, uint64_t number)
{
    (void)state;
    (void)object;
    (void)number;
}

/* Memory follows after the commit. */
static void
settle_deleted_replays(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    (void)number;
    state->replays_removed = true;
}
