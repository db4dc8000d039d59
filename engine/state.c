/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c: see state.h. */
#include "engine/state.h"

#include "engine/sa_context.h"

/* Objects that enumerations look at. */
enum { SCAN_BATCH = 50000, SCAN_CALL = 20000, SCAN_CALL_LEAST = 16 };

struct load {
    struct engine_state *state;
    struct ipsec_fault *fault;
};

static enum ipsec_status load_principal(void *context, const struct store_principal *principal);
static enum ipsec_status load_filter(void *context, const struct ipsec_filter *filter);
static enum ipsec_status load_sa_context(void *context, const struct ipsec_sa_context *sa_context);
static enum ipsec_status load_replay(void *context, const struct store_replay *replay);
static enum ipsec_status corrupt(struct ipsec_fault *fault, const char *what, uint64_t number);
static uint64_t highest_id(const struct engine_state *state);
static void undo_change(struct engine_state *state, size_t index);

bool
state_init(struct engine_state *state,
           uint32_t max_contexts,
           uint32_t max_replay_records,
           uint32_t max_batch)
{
    *state = (struct engine_state){ .max_contexts = max_contexts };
    id_table_init(&state->contexts, sizeof(struct ipsec_sa_context));

    /* All of them, so that all may be cleared. */
    bool filters = filter_table_init(&state->filters);
    bool classify = classify_init(&state->classify);
    bool principals = principal_table_init(&state->principals);
    bool replays = replay_index_init(&state->replays, max_replay_records, max_batch);
    return filters && classify && principals && replays;
}

void
state_clear(struct engine_state *state)
{
    batch_clear(&state->batch);
    id_table_clear(&state->contexts);
    filter_table_clear(&state->filters);
    classify_clear(&state->classify);
    principal_table_clear(&state->principals);
    replay_index_clear(&state->replays);
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
        .filter = load_filter,
        .sa_context = load_sa_context,
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
    state->revision = marks.revision;
    state->replays.last_number = marks.last_replay_number;
    state->replays.committed_number = marks.last_replay_number;
    return IPSEC_OK;
}

struct store_marks
state_marks(const struct engine_state *state)
{
    return (struct store_marks){
        .last_luid = state->luids.last,
        .revision = state->revision,
        .last_replay_number = state->replays.last_number,
    };
}

void
state_begin_batch(struct engine_state *state, int64_t now_ms)
{
    state->now_ms = now_ms;
    state->scanned = 0;
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
state_undo(struct engine_state *state, size_t change_count)
{
    for (size_t i = state->batch.change_count; i > change_count; i--)
        undo_change(state, i - 1);
    batch_cut(&state->batch, change_count);
}

void
state_settle(struct engine_state *state)
{
    struct batch *batch = &state->batch;
    bool replays_removed = false;

    for (size_t i = 0; i < batch->change_count; i++) {
        const struct store_change *change = &batch->changes[i];

        if (change->kind == STORE_DELETE_FILTER)
            filter_settle_delete(state, batch->deleted_filters[i]);
        else if (change->kind == STORE_DELETE_SA_CONTEXT)
            id_table_settle(&state->contexts, change->id);
        else if (change->kind == STORE_DELETE_REPLAYS_BELOW)
            replays_removed = true;
    }
    replay_commit(&state->replays, replays_removed);
    batch_reset(batch);
}

static enum ipsec_status
load_principal(void *context, const struct store_principal *principal)
{
    const struct load *load = context;

    if (!principal_load(&load->state->principals, principal->id, principal->name))
        return corrupt(load->fault, "a principal", principal->id);
    return IPSEC_OK;
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

static uint64_t
highest_id(const struct engine_state *state)
{
    const struct id_table *tables[] = { &state->contexts, &state->filters.ids };
    uint64_t highest = 0;

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        uint64_t id = id_table_highest(tables[i]);

        highest = id > highest ? id : highest;
    }
    return highest;
}

static void
undo_change(struct engine_state *state, size_t index)
{
    const struct store_change *change = &state->batch.changes[index];

    switch (change->kind) {
    case STORE_PUT_PRINCIPAL:
        principal_mark(&state->principals, change->principal.id, false);
        break;
    case STORE_PUT_FILTER:
        filter_undo_add(state, change->id);
        break;
    case STORE_DELETE_FILTER:
        filter_undo_delete(state, state->batch.deleted_filters[index]);
        break;
    case STORE_PUT_SA_CONTEXT:
        sa_context_undo_create(state, change->sa_context);
        break;
    case STORE_DELETE_SA_CONTEXT:
        sa_context_undo_delete(state, change->sa_context);
        break;
    case STORE_PUT_REPLAY:
        replay_undo(&state->replays);
        break;
    case STORE_DELETE_REPLAYS_BELOW: /* memory follows after the commit */
        break;
    }
}
