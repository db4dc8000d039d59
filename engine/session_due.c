/* SPDX-License-Identifier: Apache-2.0
 *
 * session_due.c: what happens to sessions with time: transactions that were held too long are
 * rolled back, sessions that nobody uses are cancelled, and cancelled ones forgotten. */
#include "engine/session_due.h"

#include "engine/base/log.h"
#include "engine/session_end.h"
#include "engine/state.h"
#include "engine/transaction.h"

/* Without memory it is tried again. */
#define RETRY_MS 1000

static int64_t next_end(const struct engine_state *state);
static void run_ends(struct engine_state *state);
static int64_t look_at(struct engine_state *state, struct session_entry *entry);
static bool roll_back(struct engine_state *state, struct session_entry *entry);
static bool cancel(struct engine_state *state, struct session_entry *entry);
static int64_t next_forget(const struct engine_state *state);
static void run_forget(struct engine_state *state);
static struct session_entry *first_aborted(const struct session_table *table);
static void log_session(const char *message, const struct session_entry *entry);

const struct due_source session_end_due = { .next = next_end, .run = run_ends };
const struct due_source session_forget_due = {
    .next = next_forget,
    .run = run_forget,
    .stores = true,
};

static int64_t
next_end(const struct engine_state *state)
{
    return state->sessions.next_due_ms;
}

static void
run_ends(struct engine_state *state)
{
    struct session_table *table = &state->sessions;
    struct id_table_cursor cursor = id_table_seek(&table->numbers, 0);
    int64_t next_ms = DUE_NEVER;
    const struct session_row *row;

    while ((row = id_table_next(&table->numbers, &cursor)) != NULL) {
        int64_t due_ms = row->entry->record.aborted ? DUE_NEVER : look_at(state, row->entry);

        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    table->next_due_ms = next_ms;
}

/* Does what is due and returns when to look at the session again. */
static int64_t
look_at(struct engine_state *state, struct session_entry *entry)
{
    const struct session_limits *limits = &state->sessions.limits;
    int64_t idle_ms = DUE_NEVER;
    int64_t hold_ms = DUE_NEVER;

    if (limits->idle_ms != 0) {
        /* A call that waits is a use, and so is watching. */
        if (policy_lock_is_awaited_by(&state->policy, entry->record.number) ||
            subscription_is_in_session(&state->watch, entry->record.number))
            entry->used_at_ms = state->clock_ms;
        idle_ms = entry->used_at_ms + limits->idle_ms;
        if (idle_ms <= state->clock_ms)
            return cancel(state, entry) ? DUE_NEVER : state->clock_ms + RETRY_MS;
    }
    if (limits->hold_ms != 0 && entry->record.transaction != IPSEC_NO_TRANSACTION) {
        hold_ms = entry->begun_at_ms + limits->hold_ms;
        if (hold_ms <= state->clock_ms)
            hold_ms = roll_back(state, entry) ? DUE_NEVER : state->clock_ms + RETRY_MS;
    }
    return idle_ms < hold_ms ? idle_ms : hold_ms;
}

static bool
roll_back(struct engine_state *state, struct session_entry *entry)
{
    struct batch_mark mark = batch_mark(&state->batch);

    if (!transaction_roll_back(state, entry, true)) {
        state_undo(state, mark);
        return false;
    }
    log_session("transaction was open for too long, rolled back", entry);
    return true;
}

static bool
cancel(struct engine_state *state, struct session_entry *entry)
{
    struct batch_mark mark = batch_mark(&state->batch);

    if (!session_cancel(state, entry)) {
        state_undo(state, mark);
        return false;
    }
    log_session("session was not used for too long, cancelled", entry);
    return true;
}

static int64_t
next_forget(const struct engine_state *state)
{
    return state->sessions.next_forget_ms;
}

/* The oldest first. */
static void
run_forget(struct engine_state *state)
{
    struct session_table *table = &state->sessions;
    struct session_entry *entry;

    table->next_forget_ms = DUE_NEVER;
    while ((entry = first_aborted(table)) != NULL) {
        int64_t due_ms = entry->aborted_at_ms + SESSION_REMEMBERED_MS;
        bool too_many = table->aborted > table->limits.maximum;

        if (!too_many && due_ms > state->clock_ms) {
            table->next_forget_ms = due_ms;
            return;
        }
        if (!session_remove(state, entry)) {
            table->next_forget_ms = state->clock_ms + RETRY_MS;
            return;
        }
    }
}

static struct session_entry *
first_aborted(const struct session_table *table)
{
    struct id_table_cursor cursor = id_table_seek(&table->numbers, 0);
    const struct session_row *row;

    while ((row = id_table_next(&table->numbers, &cursor)) != NULL) {
        if (row->entry->record.aborted)
            return row->entry;
    }
    return NULL;
}

static void
log_session(const char *message, const struct session_entry *entry)
{
    log_warning(message, LOG_NUMBER("session", entry->record.number),
                LOG_TEXT("name", entry->record.name));
}
