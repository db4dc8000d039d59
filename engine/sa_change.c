/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_change.c: how an SA context changes: row, indexes, store change, undo entry and event, or
 * nothing. */
#include "engine/sa_database.h"

#include <stdlib.h>

#include "engine/sa_index.h"
#include "engine/sa_labels.h"
#include "engine/state.h"

/* What stands in the batch for one change of a context. */
struct sa_change {
    struct ipsec_sa_context before; /* not of a new one */
    struct ipsec_sa_context stored; /* not of one that goes; as the store has it */
    struct store_quarantine quarantine;
    int64_t quarantine_before_ms; /* CLOCK_BOOTTIME; 0: the SPI did not rest */
};

static void count_active(struct engine_state *state,
                         const struct ipsec_sa_context *from,
                         const struct ipsec_sa_context *to,
                         uint32_t step);
static bool add_event(struct engine_state *state,
                      const struct ipsec_sa_context *context,
                      enum ipsec_change_type type,
                      enum ipsec_change_reason reason);
static bool log_change(struct engine_state *state,
                       enum store_change_kind kind,
                       const struct undo_ops *ops,
                       struct sa_change *change,
                       uint64_t id);
static bool log_quarantine(struct engine_state *state, struct sa_change *change);
static void undo_put(struct engine_state *state, void *object, uint64_t number);
static void undo_set(struct engine_state *state, void *object, uint64_t number);
static void settle_set(struct engine_state *state, void *object, uint64_t number);
static void undo_delete(struct engine_state *state, void *object, uint64_t number);
static void settle_delete(struct engine_state *state, void *object, uint64_t number);
static void undo_quarantine(struct engine_state *state, void *object, uint64_t number);
static void undo_reschedule(struct engine_state *state, void *object, uint64_t number);
static void undo_rekey(struct engine_state *state, void *object, uint64_t number);
static void unref_other_parts(const struct ipsec_sa_context *context,
                              const struct ipsec_sa_context *kept);

static const struct undo_ops put_ops = { .undo = undo_put };
static const struct undo_ops set_ops = { .undo = undo_set, .settle = settle_set };
static const struct undo_ops delete_ops = { .undo = undo_delete, .settle = settle_delete };
static const struct undo_ops quarantine_ops = { .undo = undo_quarantine };
static const struct undo_ops reschedule_ops = { .undo = undo_reschedule };
static const struct undo_ops rekey_ops = { .undo = undo_rekey };

bool
sa_put(struct engine_state *state, struct ipsec_sa_context *context)
{
    struct batch *batch = &state->batch;
    struct batch_mark mark = batch_mark(batch);
    struct ipsec_sa_context *stored;

    context->revision = state->revision + 1;
    stored = batch_copy(batch, context, sizeof *context);
    if (stored == NULL || !sa_index_reserve(&state->sa) || !batch_reserve(batch, 1) ||
        !add_event(state, context, IPSEC_CHANGE_ADD, IPSEC_REASON_CALL) ||
        !id_table_insert(&state->contexts, context)) {
        batch_cut(batch, mark);
        return false;
    }
    stored->due_at_ms = sa_wall_ms(state, context->due_at_ms);
    if (!batch_change(batch, (struct store_change){ .kind = STORE_PUT_SA_CONTEXT,
                                                    .id = context->id,
                                                    .sa_context = stored }) ||
        !batch_undo(batch, &put_ops, NULL, context->id))
        abort(); /* there is room */
    state->revision++;
    sa_index_move(state, NULL, context);
    count_active(state, NULL, context, 1);
    sa_index_move_timer(state, NULL, context);
    return true;
}

const struct ipsec_sa_context *
sa_set(struct engine_state *state,
       struct ipsec_sa_context *changed,
       enum ipsec_change_reason reason)
{
    struct batch *batch = &state->batch;
    struct batch_mark mark = batch_mark(batch);
    struct ipsec_sa_context *row = id_table_find(&state->contexts, changed->id);
    struct sa_change change = { .before = *row };

    changed->revision = state->revision + 1;
    change.stored = *changed;
    change.stored.due_at_ms = sa_wall_ms(state, changed->due_at_ms);
    struct sa_change *copy = batch_copy(batch, &change, sizeof change);
    if (copy == NULL || !sa_index_reserve(&state->sa) ||
        !add_event(state, changed, IPSEC_CHANGE_UPDATE, reason) ||
        !log_change(state, STORE_SET_SA_CONTEXT, &set_ops, copy, changed->id)) {
        batch_cut(batch, mark);
        return NULL;
    }
    state->revision++;
    sa_index_move(state, &copy->before, changed);
    count_active(state, &copy->before, changed, 1);
    sa_index_move_timer(state, &copy->before, changed);
    *row = *changed;
    return &copy->before;
}

const struct ipsec_sa_context *
sa_delete(struct engine_state *state,
          uint64_t id,
          enum ipsec_change_reason reason,
          bool no_quarantine)
{
    struct batch *batch = &state->batch;
    struct batch_mark mark = batch_mark(batch);
    const struct ipsec_sa_context *row = id_table_find(&state->contexts, id);
    bool rests = row->spi != 0 && !no_quarantine && state->sa.settings.quarantine_ms > 0;
    struct sa_change change = { .before = *row };

    if (rests)
        change.quarantine = (struct store_quarantine){
            .spi = row->spi,
            .until_ms = state->now_ms + state->sa.settings.quarantine_ms,
        };
    struct sa_change *copy = batch_copy(batch, &change, sizeof change);
    state->revision++;
    if (copy == NULL || !sa_index_reserve(&state->sa) || !batch_reserve(batch, 2) ||
        !add_event(state, &copy->before, IPSEC_CHANGE_DELETE, reason) ||
        !log_change(state, STORE_DELETE_SA_CONTEXT, &delete_ops, copy, id) ||
        (rests && !log_quarantine(state, copy))) {
        state->revision--;
        batch_cut(batch, mark);
        return NULL;
    }
    id_table_remove(&state->contexts, id);
    sa_index_move(state, &copy->before, NULL);
    count_active(state, &copy->before, NULL, 1);
    sa_index_move_timer(state, &copy->before, NULL);
    if (rests) {
        int64_t until_ms = state->clock_ms + state->sa.settings.quarantine_ms;

        copy->quarantine_before_ms =
            spi_table_quarantine(&state->sa.spis, copy->before.spi, until_ms);
        timer_add(&state->sa.timers, until_ms, SA_TIMER_SPI | copy->before.spi);
        if (copy->quarantine_before_ms != 0)
            timer_forget(&state->sa.timers);
    }
    return &copy->before;
}

bool
sa_reschedule(struct engine_state *state, uint64_t id, int64_t due_ms)
{
    struct ipsec_sa_context *row = id_table_find(&state->contexts, id);
    struct batch_mark mark = batch_mark(&state->batch);
    int64_t *before = batch_copy(&state->batch, &row->due_at_ms, sizeof row->due_at_ms);

    if (before == NULL || !timer_reserve(&state->sa.timers, 1) ||
        !batch_undo(&state->batch, &reschedule_ops, before, id)) {
        batch_cut(&state->batch, mark);
        return false;
    }
    struct ipsec_sa_context changed = *row;
    changed.due_at_ms = due_ms;
    sa_index_move_timer(state, row, &changed);
    row->due_at_ms = due_ms;
    return true;
}

bool
sa_count_rekey(struct engine_state *state)
{
    if (!batch_undo(&state->batch, &rekey_ops, NULL, 0))
        return false;
    state->sa.counters.rekeys++;
    return true;
}

/* Contexts that become active, and that no longer are; 'step' is 1, or -1 when undone. */
static void
count_active(struct engine_state *state,
             const struct ipsec_sa_context *from,
             const struct ipsec_sa_context *to,
             uint32_t step)
{
    bool was = from != NULL && from->state == IPSEC_SA_CONTEXT_ACTIVE;
    bool is = to != NULL && to->state == IPSEC_SA_CONTEXT_ACTIVE;

    if (is && !was)
        state->sa.counters.added += step;
    if (was && !is)
        state->sa.counters.deleted += step;
}

/* --- What goes into the batch --- */

static bool
add_event(struct engine_state *state,
          const struct ipsec_sa_context *context,
          enum ipsec_change_type type,
          enum ipsec_change_reason reason)
{
    const struct ipsec_traffic *traffic = &context->outbound_traffic;
    const struct ipsec_event event = {
        .sequence = type == IPSEC_CHANGE_DELETE ? state->revision : context->revision,
        .id = context->id,
        .at_ms = state->now_ms,
        .type = (uint8_t)type,
        .state = context->state,
        .reason = (uint8_t)reason,
        .ip_version = traffic->ip_version,
        .traffic_type = traffic->type,
        .local_address = traffic->local_address,
        .remote_address = traffic->remote_address,
        .spi = context->spi,
        .predecessor_id = context->predecessor_id,
        .labels = context->labels, /* lives until the event is published, see sa_database.h */
    };

    return batch_event(&state->batch, &event);
}

static bool
log_change(struct engine_state *state,
           enum store_change_kind kind,
           const struct undo_ops *ops,
           struct sa_change *change,
           uint64_t id)
{
    const struct store_change stored = {
        .kind = kind,
        .id = id,
        .sa_context = kind == STORE_DELETE_SA_CONTEXT ? &change->before : &change->stored,
    };

    return batch_reserve(&state->batch, 1) && batch_change(&state->batch, stored) &&
           batch_undo(&state->batch, ops, change, id);
}

static bool
log_quarantine(struct engine_state *state, struct sa_change *change)
{
    const struct store_change stored = {
        .kind = STORE_PUT_QUARANTINE,
        .id = change->quarantine.spi,
        .quarantine = &change->quarantine,
    };

    return batch_change(&state->batch, stored) &&
           batch_undo(&state->batch, &quarantine_ops, change, change->quarantine.spi);
}

/* --- Undoing --- */

static void
undo_put(struct engine_state *state, void *object, uint64_t number)
{
    struct ipsec_sa_context context = *sa_find(state, number);

    (void)object;
    sa_index_move(state, &context, NULL);
    count_active(state, NULL, &context, UINT32_MAX);
    id_table_remove(&state->contexts, number);
    if (context.due_at_ms != 0)
        timer_forget(&state->sa.timers);
    ipsec_sa_context_unref(&context);
}

static void
undo_set(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;
    struct ipsec_sa_context *row = id_table_find(&state->contexts, number);

    sa_index_move(state, row, &change->before);
    count_active(state, &change->before, row, UINT32_MAX);
    unref_other_parts(row, &change->before);
    *row = change->before;
}

static void
settle_set(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;

    (void)state;
    (void)number;
    unref_other_parts(&change->before, &change->stored);
}

static void
undo_delete(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;

    (void)number;
    /* The place it was taken from is still there, see id_table.h. */
    if (!id_table_insert(&state->contexts, &change->before))
        abort();
    sa_index_move(state, NULL, &change->before);
    count_active(state, &change->before, NULL, UINT32_MAX);
}

static void
settle_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct sa_change *change = object;

    ipsec_sa_context_unref(&change->before);
    id_table_settle(&state->contexts, number);
}

static void
undo_quarantine(struct engine_state *state, void *object, uint64_t number)
{
    const struct sa_change *change = object;

    (void)spi_table_quarantine(&state->sa.spis, (uint32_t)number, change->quarantine_before_ms);
    timer_forget(&state->sa.timers);
}

static void
undo_reschedule(struct engine_state *state, void *object, uint64_t number)
{
    struct ipsec_sa_context *row = id_table_find(&state->contexts, number);

    row->due_at_ms = *(const int64_t *)object;
}

static void
undo_rekey(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    (void)number;
    state->sa.counters.rekeys--;
}

/* The parts of 'context' that 'kept' does not have too. */
static void
unref_other_parts(const struct ipsec_sa_context *context, const struct ipsec_sa_context *kept)
{
    if (context->inbound != kept->inbound)
        sa_bundle_unref(context->inbound);
    if (context->outbound != kept->outbound)
        sa_bundle_unref(context->outbound);
    if (context->labels != kept->labels)
        sa_labels_unref(context->labels);
}
