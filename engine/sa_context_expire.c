/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context_expire.c: how contexts end: when a caller says so, when their time has come, when a
 * newer one takes their place, and when the data plane has lost their SAs. */
#include <stddef.h>

#include "engine/base/log.h"
#include "engine/engine.h"
#include "engine/sa_bundle.h"
#include "engine/sa_context.h"
#include "engine/state.h"

/* What one batch looks at. */
enum { DUE_BUDGET = 4096, RESUME_BUDGET = 4096 };

/* A failure for want of memory is tried again after so long. */
#define RETRY_MS 100
#define ASK_AGAIN_MS 1000

static int64_t next_due(const struct engine_state *state);
static void run_due(struct engine_state *state);
static bool run_timer(struct engine_state *state);
static void give_up_for_now(struct engine_state *state, struct batch_mark mark, uint64_t revision);
static bool end_due(struct engine_state *state, uint64_t id);
static bool end_keyed_due(struct engine_state *state, const struct ipsec_sa_context *context);
static bool judge(struct engine_state *state,
                  const struct ipsec_sa_context *context,
                  enum ipsec_direction direction,
                  int64_t *next_ms,
                  enum ipsec_change_reason *reason_out);
static bool end_quarantine(struct engine_state *state, uint32_t spi);
static int64_t earlier(int64_t a, int64_t b);
static void resume(struct engine_state *state);
static bool resume_context(struct engine_state *state, const struct ipsec_sa_context *context);
static bool plane_has(struct engine_state *state,
                      const struct ipsec_sa_context *context,
                      enum ipsec_direction direction);
static void undo_timer(struct engine_state *state, void *object, uint64_t number);
static void undo_resume(struct engine_state *state, void *object, uint64_t number);
static void undo_quarantine(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops timer_ops = { .undo = undo_timer };
static const struct undo_ops resume_ops = { .undo = undo_resume };
static const struct undo_ops quarantine_ops = { .undo = undo_quarantine };

const struct due_source sa_context_due_source = {
    .next = next_due,
    .run = run_due,
    .stores = true,
};

enum ipsec_status
ipsec_sa_context_expire(struct ipsec_session *session, uint64_t id)
{
    struct engine_state *state = session->state;
    const struct ipsec_sa_context *context;
    enum ipsec_status status;
    bool done = true;

    status = sa_context_check_call(session, IPSEC_RULE_NO_TRANSACTION, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_find(session, id, &context);
    if (status != IPSEC_OK)
        return status;
    switch ((enum ipsec_sa_context_state)context->state) {
    case IPSEC_SA_CONTEXT_CREATED:
    case IPSEC_SA_CONTEXT_SPI_SET:
    case IPSEC_SA_CONTEXT_EXPIRED:
    case IPSEC_SA_CONTEXT_STATE_COUNT:
        done = sa_context_end(state, id, IPSEC_REASON_CALL);
        break;
    case IPSEC_SA_CONTEXT_INBOUND:
    case IPSEC_SA_CONTEXT_ACTIVE:
        done = plane_queue_begin(&state->batch.plane) &&
               sa_context_end_outbound(state, id, IPSEC_REASON_CALL);
        break;
    case IPSEC_SA_CONTEXT_EXPIRING:
        break;
    }
    return done ? IPSEC_OK : session_no_memory(session);
}

int64_t
sa_context_due(const struct ipsec_sa_context *context)
{
    const struct ipsec_sa_bundle *const bundles[] = { context->inbound, context->outbound };
    int64_t due_ms = INT64_MAX;

    for (size_t i = 0; i < 2; i++) {
        if (bundles[i] == NULL)
            continue;
        const struct sa_bundle_private *beside = sa_bundle_private(bundles[i]);

        due_ms = earlier(due_ms, beside->end_ms);
        if (bundles[i]->idle_timeout_seconds != 0)
            due_ms = earlier(due_ms,
                             beside->added_ms + (int64_t)bundles[i]->idle_timeout_seconds * 1000);
    }
    return due_ms == INT64_MAX ? 0 : due_ms;
}

bool
sa_context_end_outbound(struct engine_state *state, uint64_t id, enum ipsec_change_reason reason)
{
    const struct ipsec_sa_context *row = sa_find(state, id);
    struct ipsec_sa_context changed = *row;
    bool has_outbound = row->outbound != NULL;

    changed.outbound = NULL;
    changed.state = IPSEC_SA_CONTEXT_EXPIRING;
    changed.due_at_ms =
        earlier(state->clock_ms + SA_GRACE_MS, sa_bundle_private(row->inbound)->end_ms);
    const struct ipsec_sa_context *before = sa_set(state, &changed, reason);
    return before != NULL && plane_queue_add_basis(&state->batch.plane, id, before) &&
           (!has_outbound || sa_context_ask_plane(state, PLANE_DELETE_BUNDLE, before,
                                                  IPSEC_DIRECTION_OUTBOUND, NULL));
}

bool
sa_context_end(struct engine_state *state, uint64_t id, enum ipsec_change_reason reason)
{
    const struct ipsec_sa_context *before = sa_delete(state, id, reason, false);

    if (before == NULL)
        return false;
    if (before->inbound == NULL || before->state == IPSEC_SA_CONTEXT_EXPIRED)
        return true;
    return plane_queue_begin(&state->batch.plane) &&
           (before->outbound == NULL || sa_context_ask_plane(state, PLANE_DELETE_BUNDLE, before,
                                                             IPSEC_DIRECTION_OUTBOUND, NULL)) &&
           sa_context_ask_plane(state, PLANE_DELETE_BUNDLE, before, IPSEC_DIRECTION_INBOUND, NULL);
}

bool
sa_context_end_direction(struct engine_state *state,
                         uint64_t id,
                         enum ipsec_direction direction,
                         enum ipsec_change_reason reason)
{
    const struct ipsec_sa_context *context = sa_find(state, id);

    if (context == NULL || context->state == IPSEC_SA_CONTEXT_EXPIRED)
        return true;
    if (direction == IPSEC_DIRECTION_INBOUND)
        return context->inbound == NULL || sa_context_end(state, id, reason);
    return context->outbound == NULL ||
           (plane_queue_begin(&state->batch.plane) && sa_context_end_outbound(state, id, reason));
}

/* --- What becomes due --- */

static int64_t
next_due(const struct engine_state *state)
{
    int64_t first_ms = state->sa.resuming ? 0 : timer_first(&state->sa.timers);

    return first_ms > state->sa.retry_ms ? first_ms : state->sa.retry_ms;
}

static void
run_due(struct engine_state *state)
{
    if (state->sa.resuming) {
        resume(state);
        return;
    }
    for (size_t i = 0; i < DUE_BUDGET; i++) {
        if (timer_first(&state->sa.timers) > state->clock_ms || !run_timer(state))
            return;
    }
}

/* Handles the first timer; false: not for want of memory, but later. */
static bool
run_timer(struct engine_state *state)
{
    struct timer_heap *timers = &state->sa.timers;
    struct timer_entry entry = timer_peek(timers);
    struct batch_mark mark = batch_mark(&state->batch);
    uint64_t revision = state->revision;

    if (!sa_timer_is_valid(state, entry)) {
        timer_drop(timers);
        return true;
    }
    struct timer_entry *copy = batch_copy(&state->batch, &entry, sizeof entry);
    if (copy == NULL || !timer_reserve(timers, 1) ||
        !batch_undo(&state->batch, &timer_ops, copy, 0)) {
        give_up_for_now(state, mark, revision);
        return false;
    }
    (void)timer_take(timers);
    bool done = (entry.what & SA_TIMER_SPI) != 0 ? end_quarantine(state, (uint32_t)entry.what)
                                                 : end_due(state, entry.what);
    if (!done) {
        give_up_for_now(state, mark, revision);
        return false;
    }
    /* Its entry is not garbage in the heap, as it would be had the context changed before. */
    if ((entry.what & SA_TIMER_SPI) == 0)
        timer_recall(timers);
    return true;
}

static void
give_up_for_now(struct engine_state *state, struct batch_mark mark, uint64_t revision)
{
    state_undo(state, mark);
    state->revision = revision;
    state->sa.retry_ms = state->clock_ms + RETRY_MS;
    log_warning("no memory to end what is due, trying again", LOG_NUMBER("retryMs", RETRY_MS));
}

static bool
end_due(struct engine_state *state, uint64_t id)
{
    const struct ipsec_sa_context *context = sa_find(state, id);
    bool lived_out =
        context->inbound != NULL && sa_bundle_private(context->inbound)->end_ms <= state->clock_ms;

    switch ((enum ipsec_sa_context_state)context->state) {
    case IPSEC_SA_CONTEXT_CREATED:
    case IPSEC_SA_CONTEXT_SPI_SET:
        return sa_context_end(state, id, IPSEC_REASON_LARVAL);
    case IPSEC_SA_CONTEXT_INBOUND:
    case IPSEC_SA_CONTEXT_ACTIVE:
        return end_keyed_due(state, context);
    case IPSEC_SA_CONTEXT_EXPIRING:
        return sa_context_end(state, id, lived_out ? IPSEC_REASON_LIFETIME : IPSEC_REASON_GRACE);
    case IPSEC_SA_CONTEXT_EXPIRED:
    case IPSEC_SA_CONTEXT_STATE_COUNT:
        break;
    }
    return sa_context_end(state, id, IPSEC_REASON_LIFETIME);
}

static bool
end_keyed_due(struct engine_state *state, const struct ipsec_sa_context *context)
{
    uint64_t id = context->id;
    int64_t next_ms = INT64_MAX;
    enum ipsec_change_reason reason;

    if (judge(state, context, IPSEC_DIRECTION_INBOUND, &next_ms, &reason))
        return sa_context_end_direction(state, id, IPSEC_DIRECTION_INBOUND, reason);
    if (context->outbound != NULL &&
        judge(state, context, IPSEC_DIRECTION_OUTBOUND, &next_ms, &reason))
        return sa_context_end_direction(state, id, IPSEC_DIRECTION_OUTBOUND, reason);
    return sa_reschedule(state, id, next_ms == INT64_MAX ? 0 : next_ms);
}

/* Whether a direction's time is over; else '*next_ms' is no later than when to look again. */
static bool
judge(struct engine_state *state,
      const struct ipsec_sa_context *context,
      enum ipsec_direction direction,
      int64_t *next_ms,
      enum ipsec_change_reason *reason_out)
{
    const struct plane_bundle what = sa_context_plane_bundle(context, direction);
    const struct sa_bundle_private *beside = sa_bundle_private(what.bundle);
    struct plane_counters counters = { .last_used_ms = 0 };

    *reason_out = IPSEC_REASON_LIFETIME;
    if (beside->end_ms <= state->clock_ms)
        return true;
    *next_ms = earlier(*next_ms, beside->end_ms);
    if (what.bundle->idle_timeout_seconds == 0)
        return false;
    *reason_out = IPSEC_REASON_IDLE;
    /* What the plane lost ends by its own report, and counts as not used; one that does not answer
     * now is asked again. */
    enum ipsec_status status =
        state->sa.plane_ops->read_counters(state->sa.plane, &what, &counters);
    if (status != IPSEC_OK && status != IPSEC_NOT_FOUND) {
        *next_ms = earlier(*next_ms, state->clock_ms + ASK_AGAIN_MS);
        return false;
    }
    if (counters.last_used_ms == 0)
        sa_bundle_see(what.bundle, counters.packets, state->clock_ms);
    int64_t used_ms =
        counters.last_used_ms > beside->added_ms ? counters.last_used_ms : beside->added_ms;
    if (beside->seen_ms > used_ms)
        used_ms = beside->seen_ms;
    int64_t idle_end_ms = used_ms + (int64_t)what.bundle->idle_timeout_seconds * 1000;
    if (idle_end_ms <= state->clock_ms)
        return true;
    *next_ms = earlier(*next_ms, idle_end_ms);
    return false;
}

static bool
end_quarantine(struct engine_state *state, uint32_t spi)
{
    struct batch *batch = &state->batch;
    int64_t until_ms = spi_table_resting(&state->sa.spis, spi);
    int64_t *copy = batch_copy(batch, &until_ms, sizeof until_ms);

    if (copy == NULL || !batch_reserve(batch, 1) ||
        !batch_change(batch, (struct store_change){ .kind = STORE_DELETE_QUARANTINE, .id = spi }) ||
        !batch_undo(batch, &quarantine_ops, copy, spi))
        return false;
    (void)spi_table_quarantine(&state->sa.spis, spi, 0);
    return true;
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- After a start --- */

/* Asks the plane for the keyed contexts one after another; one that it lost is expired from now on,
 * so that its owner sees it and keys anew. */
static void
resume(struct engine_state *state)
{
    struct sa_database *database = &state->sa;

    if (!batch_undo(&state->batch, &resume_ops, NULL, database->resumed)) {
        database->retry_ms = state->clock_ms + RETRY_MS;
        return;
    }
    for (size_t i = 0; i < RESUME_BUDGET; i++) {
        struct id_table_cursor cursor = id_table_seek(&state->contexts, database->resumed);
        const struct ipsec_sa_context *context = id_table_next(&state->contexts, &cursor);

        if (context == NULL) {
            database->resuming = false;
            if (database->plane_ops->resume_done != NULL)
                database->plane_ops->resume_done(database->plane);
            return;
        }
        struct batch_mark mark = batch_mark(&state->batch);
        uint64_t revision = state->revision;
        uint64_t id = context->id;
        if (!resume_context(state, context)) {
            give_up_for_now(state, mark, revision);
            return;
        }
        database->resumed = id;
    }
}

static bool
resume_context(struct engine_state *state, const struct ipsec_sa_context *context)
{
    struct ipsec_sa_context changed = *context;

    if (context->inbound == NULL || context->state == IPSEC_SA_CONTEXT_EXPIRED)
        return true;
    bool has_inbound = plane_has(state, context, IPSEC_DIRECTION_INBOUND);
    bool has_outbound =
        context->outbound == NULL || plane_has(state, context, IPSEC_DIRECTION_OUTBOUND);
    if (has_inbound && has_outbound)
        return true;
    changed.state = IPSEC_SA_CONTEXT_EXPIRED;
    changed.outbound = NULL;
    changed.due_at_ms = sa_bundle_private(context->inbound)->end_ms;
    if (changed.due_at_ms == INT64_MAX)
        changed.due_at_ms = 0;
    const struct ipsec_sa_context *before = sa_set(state, &changed, IPSEC_REASON_PLANE);
    if (before == NULL)
        return false;
    /* Half of a pair is of no use. */
    return plane_queue_begin(&state->batch.plane) &&
           (!has_inbound || sa_context_ask_plane(state, PLANE_DELETE_BUNDLE, before,
                                                 IPSEC_DIRECTION_INBOUND, NULL)) &&
           (before->outbound == NULL || !has_outbound ||
            sa_context_ask_plane(state, PLANE_DELETE_BUNDLE, before, IPSEC_DIRECTION_OUTBOUND,
                                 NULL));
}

/* Only a clear no counts. */
static bool
plane_has(struct engine_state *state,
          const struct ipsec_sa_context *context,
          enum ipsec_direction direction)
{
    const struct plane_bundle what = sa_context_plane_bundle(context, direction);

    return state->sa.plane_ops->resume(state->sa.plane, &what) != IPSEC_NOT_FOUND;
}

/* --- Undoing --- */

static void
undo_timer(struct engine_state *state, void *object, uint64_t number)
{
    (void)number;
    timer_put_back(&state->sa.timers, *(const struct timer_entry *)object);
}

static void
undo_resume(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    /* Somebody may have made it begin anew since. */
    if (number < state->sa.resumed)
        state->sa.resumed = number;
    state->sa.resuming = true;
}

static void
undo_quarantine(struct engine_state *state, void *object, uint64_t number)
{
    (void)spi_table_quarantine(&state->sa.spis, (uint32_t)number, *(const int64_t *)object);
}
