/* SPDX-License-Identifier: Apache-2.0
 *
 * session_end.c: see session_end.h. */
#include "engine/session_end.h"

#include "engine/policy_change.h"
#include "engine/session.h"
#include "engine/state.h"
#include "engine/transaction.h"

static bool
end_session(struct engine_state *state, struct session_entry *entry, const struct ipsec_call *call);
static void undo_end(struct engine_state *state, void *object, uint64_t number);
static void settle_end(struct engine_state *state, void *object, uint64_t number);
static void undo_cancel(struct engine_state *state, void *object, uint64_t number);
static void settle_cancel(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops end_ops = { .undo = undo_end, .settle = settle_end };
static const struct undo_ops cancel_ops = { .undo = undo_cancel, .settle = settle_cancel };

bool
session_close(struct ipsec_session *session, struct session_entry *entry)
{
    if (!entry->record.aborted && !end_session(session->state, entry, session->call))
        return false;
    return session_remove(session->state, entry);
}

bool
session_cancel(struct engine_state *state, struct session_entry *entry)
{
    if (!end_session(state, entry, NULL) || !batch_undo(&state->batch, &cancel_ops, entry, 0) ||
        !session_show(state, entry))
        return false;
    entry->record.aborted = true;
    entry->aborted_at_ms = state->clock_ms;
    session_count_live(state, entry, -1);
    state->sessions.aborted++;
    return true;
}

static bool
end_session(struct engine_state *state, struct session_entry *entry, const struct ipsec_call *call)
{
    if (!transaction_roll_back(state, entry, false) || !policy_delete_owned(state, entry, call) ||
        !batch_undo(&state->batch, &end_ops, entry, entry->record.number))
        return false;
    policy_lock_wake(&state->policy, entry->record.number);
    return true;
}

static void
undo_end(struct engine_state *state, void *object, uint64_t number)
{
    (void)state;
    (void)object;
    (void)number;
}

static void
settle_end(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    subscription_end_session(&state->watch, number);
}

static void
undo_cancel(struct engine_state *state, void *object, uint64_t number)
{
    struct session_entry *entry = object;

    (void)number;
    entry->record.aborted = false;
    session_count_live(state, entry, 1);
    state->sessions.aborted--;
    session_look_at(state, state->clock_ms);
}

static void
settle_cancel(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    (void)number;
    state->sessions.cancelled++;
    if (state->sessions.next_forget_ms > state->clock_ms)
        state->sessions.next_forget_ms = state->clock_ms;
}
