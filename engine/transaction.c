/* SPDX-License-Identifier: Apache-2.0
 *
 * transaction.c: see transaction.h. */
#include "engine/transaction.h"

#include "engine/policy.h"
#include "engine/policy_change.h"
#include "engine/session.h"
#include "engine/state.h"

enum ending { ENDING_ABORT = 0, ENDING_FORCED, ENDING_COMMIT };

static enum ipsec_status check_right(struct ipsec_session *session, bool read_only);
static bool end(struct engine_state *state, struct session_entry *entry, enum ending ending);
static void finish(struct engine_state *state, struct session_entry *entry);
static void undo_begin(struct engine_state *state, void *object, uint64_t number);
static void settle_begin(struct engine_state *state, void *object, uint64_t number);
static void undo_end_reading(struct engine_state *state, void *object, uint64_t number);
static void settle_end_reading(struct engine_state *state, void *object, uint64_t number);
static void undo_end_writing(struct engine_state *state, void *object, uint64_t number);
static void settle_end_writing(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops begin_ops = { .undo = undo_begin, .settle = settle_begin };
static const struct undo_ops end_reading_ops = { .undo = undo_end_reading,
                                                 .settle = settle_end_reading };
static const struct undo_ops end_writing_ops = { .undo = undo_end_writing,
                                                 .settle = settle_end_writing };

enum ipsec_status
ipsec_transaction_begin(struct ipsec_session *session, bool read_only)
{
    struct engine_state *state = session->state;
    struct session_entry *entry = session->entry;
    enum ipsec_status status;

    if (entry == NULL)
        return session_unknown(session->fault, IPSEC_FAULT_HEADER);
    status = session_check_no_transaction(session);
    if (status != IPSEC_OK)
        return status;
    status = check_right(session, read_only);
    if (status != IPSEC_OK)
        return status;
    status = policy_take_lock(session, !read_only);
    if (status != IPSEC_OK)
        return status;
    if (!batch_undo(&state->batch, &begin_ops, entry, 0) || !session_show(state, entry))
        return session_no_memory(session);

    entry->record.transaction = read_only ? IPSEC_READ_TRANSACTION : IPSEC_WRITE_TRANSACTION;
    entry->begun_at_ms = state->clock_ms;
    session->transaction = (enum ipsec_transaction_kind)entry->record.transaction;
    if (read_only)
        state->policy.readers++;
    else
        state->policy.writer = entry->record.number;
    if (state->sessions.limits.hold_ms != 0)
        session_look_at(state, state->clock_ms + state->sessions.limits.hold_ms);
    return IPSEC_OK;
}

enum ipsec_status
ipsec_transaction_commit(struct ipsec_session *session)
{
    struct session_entry *entry = session->entry;
    enum ipsec_status status = session_check_rule(session, IPSEC_RULE_TRANSACTION);

    if (status != IPSEC_OK)
        return status;
    status = check_right(session, session->transaction == IPSEC_READ_TRANSACTION);
    if (status != IPSEC_OK)
        return status;
    if (session->transaction == IPSEC_WRITE_TRANSACTION) {
        status = policy_commit_changes(session);
        if (status != IPSEC_OK)
            return status;
    }
    if (!end(session->state, entry, ENDING_COMMIT))
        return session_no_memory(session);
    session->transaction = IPSEC_NO_TRANSACTION;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_transaction_abort(struct ipsec_session *session)
{
    enum ipsec_status status = session_check_rule(session, IPSEC_RULE_TRANSACTION);

    if (status != IPSEC_OK)
        return status;
    if (!transaction_roll_back(session->state, session->entry, false))
        return session_no_memory(session);
    session->transaction = IPSEC_NO_TRANSACTION;
    return IPSEC_OK;
}

bool
transaction_roll_back(struct engine_state *state, struct session_entry *entry, bool is_forced)
{
    if (entry->record.transaction == IPSEC_NO_TRANSACTION)
        return true;
    if (!end(state, entry, is_forced ? ENDING_FORCED : ENDING_ABORT))
        return false;
    entry->rolled_back = is_forced;
    return true;
}

void
transaction_drop_undone(struct engine_state *state)
{
    struct id_table_cursor cursor = id_table_seek(&state->sessions.numbers, 0);
    const struct session_row *row;

    while ((row = id_table_next(&state->sessions.numbers, &cursor)) != NULL) {
        struct session_entry *entry = row->entry;

        if (!entry->commit_undone)
            continue;
        entry->commit_undone = false;
        if (entry->record.transaction != IPSEC_NO_TRANSACTION)
            finish(state, entry);
    }
}

/* Who may begin it may commit it. */
static enum ipsec_status
check_right(struct ipsec_session *session, bool read_only)
{
    return session_check_right(session, IPSEC_CONTAINER_ENGINE,
                               read_only ? FWPM_ACTRL_BEGIN_READ_TXN : FWPM_ACTRL_BEGIN_WRITE_TXN);
}

static bool
end(struct engine_state *state, struct session_entry *entry, enum ending ending)
{
    bool reads = entry->record.transaction == IPSEC_READ_TRANSACTION;

    if (!batch_undo(&state->batch, reads ? &end_reading_ops : &end_writing_ops, entry,
                    (uint64_t)ending) ||
        !session_show(state, entry))
        return false;
    entry->record.transaction = IPSEC_NO_TRANSACTION;
    if (reads)
        state->policy.readers--;
    return true;
}

/* At once and for good. */
static void
finish(struct engine_state *state, struct session_entry *entry)
{
    if (entry->record.transaction == IPSEC_READ_TRANSACTION) {
        state->policy.readers--;
    } else {
        policy_drop_changes(state);
        state->policy.writer = 0;
    }
    entry->record.transaction = IPSEC_NO_TRANSACTION;
    session_registry_update(state->sessions.registry, &entry->shown, &entry->record, false);
}

static void
undo_begin(struct engine_state *state, void *object, uint64_t number)
{
    struct session_entry *entry = object;

    (void)number;
    if (entry->record.transaction == IPSEC_READ_TRANSACTION)
        state->policy.readers--;
    else
        state->policy.writer = 0;
    entry->record.transaction = IPSEC_NO_TRANSACTION;
}

static void
settle_begin(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    (void)number;
    state->sessions.transactions_begun++;
}

static void
undo_end_reading(struct engine_state *state, void *object, uint64_t number)
{
    struct session_entry *entry = object;

    state->policy.readers++;
    entry->record.transaction = IPSEC_READ_TRANSACTION;
    entry->commit_undone = number == ENDING_COMMIT;
    entry->rolled_back = false;
    session_look_at(state, state->clock_ms); /* the hold limit may have ended it */
}

static void
settle_end_reading(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    state->sessions.rolled_back += number == ENDING_FORCED;
}

static void
undo_end_writing(struct engine_state *state, void *object, uint64_t number)
{
    struct session_entry *entry = object;

    entry->record.transaction = IPSEC_WRITE_TRANSACTION;
    entry->commit_undone = number == ENDING_COMMIT;
    entry->rolled_back = false;
    session_look_at(state, state->clock_ms); /* the hold limit may have ended it */
}

static void
settle_end_writing(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    state->sessions.rolled_back += number == ENDING_FORCED;
    if (number == ENDING_COMMIT)
        state->policy.change_count = 0;
    else
        policy_drop_changes(state);
    state->policy.writer = 0;
}
