/* SPDX-License-Identifier: Apache-2.0
 *
 * call.c: see call.h. */
#include "engine/call.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/session.h"
#include "engine/transaction.h"

/* Where a call began. */
struct call_start {
    struct batch_mark mark;
    uint64_t last_luid;
    uint64_t revision;
};

static bool was_abandoned(const struct call_runner *runner, const struct ipsec_call *call);
static enum ipsec_status check(struct ipsec_session *session, const struct ipsec_call *call);
static enum ipsec_status check_rule(struct ipsec_session *session, const struct ipsec_call *call);
static enum ipsec_status enter_session(struct ipsec_session *session,
                                       const struct ipsec_call *call);
static enum ipsec_status run_operation(const struct call_runner *runner,
                                       struct ipsec_call *call,
                                       struct ipsec_session *session);
static enum ipsec_status run_repeatable(const struct call_runner *runner,
                                        struct ipsec_call *call,
                                        struct ipsec_session *session);
static bool is_same_request(const struct ipsec_call *call, const struct replay_record *record);
static enum ipsec_status repeat_answer(const struct call_runner *runner,
                                       struct ipsec_call *call,
                                       const struct replay_record *record);
static void forget_answer(struct engine_state *state, const struct ipsec_call *call);
static enum ipsec_status encode_answer(struct ipsec_call *call);
static enum ipsec_status keep_answer(struct engine_state *state, struct ipsec_call *call);
static bool has_stored(const struct engine_state *state, const struct call_start *start);
static void undo(struct engine_state *state, const struct call_start *start);
static bool may_wait(const struct ipsec_session *session, struct ipsec_call *call);
static void end_undone_commit(const struct call_runner *runner, struct ipsec_session *session);

enum call_outcome
call_run(const struct call_runner *runner, struct ipsec_call *call)
{
    struct engine_state *state = runner->state;
    struct ipsec_session session = {
        .state = state,
        .caller = &call->caller,
        .fault = &call->fault,
        .call = call,
    };
    const struct call_start start = {
        .mark = batch_mark(&state->batch),
        .last_luid = state->luids.last,
        .revision = state->revision,
    };

    call->fault.status = IPSEC_OK;
    call->replay.replayed = false;
    state->batch.plane.owner = call;
    state->batch.plane.item = 0;
    if (was_abandoned(runner, call)) {
        (void)call_fail(call, IPSEC_RPC_CALL_CANCELED, "the caller went away before the call ran");
        return CALL_REFUSED;
    }
    call->status = check(&session, call);
    if (call->status != IPSEC_OK)
        return CALL_REFUSED;

    call->status = run_operation(runner, call, &session);
    if (call->status == IPSEC_OK && runner->store_fault.status != IPSEC_OK &&
        has_stored(state, &start))
        call_take_back(call, runner->store_fault.status);
    if (call->status == IPSEC_OK && !call->dry_run)
        return CALL_RAN;

    undo(state, &start);
    end_undone_commit(runner, &session);
    if (call->status == IPSEC_OK)
        return CALL_RAN;
    buffer_reset(&call->replay.answer);
    if (session.must_wait && may_wait(&session, call))
        return CALL_HAS_TO_WAIT;
    if (call->fault.status != call->status)
        (void)call_fail(call, call->status, ipsec_status_text(call->status));
    return CALL_RAN;
}

void
call_take_back(struct ipsec_call *call, enum ipsec_status status)
{
    (void)call_fail(call, status, "the store does not take writes; nothing was changed");
    call->replay.replayed = false;
    buffer_reset(&call->replay.answer);
}

void
call_refuse(struct engine_state *state, struct ipsec_call *call, const struct ipsec_fault *fault)
{
    forget_answer(state, call);
    call->status = fault->status;
    call->fault = *fault;
    call->replay.replayed = false;
    buffer_reset(&call->replay.answer);
}

void
call_answer_again(struct engine_state *state, struct ipsec_call *call)
{
    if (!call->replay.wanted || call->status != IPSEC_OK)
        return;
    forget_answer(state, call);
    buffer_reset(&call->replay.answer);
    enum ipsec_status status = encode_answer(call);
    if (status == IPSEC_OK)
        (void)!keep_answer(state, call);
}

void
call_repeat_again(struct ipsec_call *repeat, const struct ipsec_call *call)
{
    repeat->status = call->status;
    repeat->fault = call->fault;
    repeat->replay.replayed = call->status == IPSEC_OK;
    buffer_reset(&repeat->replay.answer);
    if (call->status != IPSEC_OK)
        return;
    buffer_append(&repeat->replay.answer, call->replay.answer.data, call->replay.answer.size);
    if (repeat->replay.answer.failed)
        (void)call_fail(repeat, IPSEC_RPC_OUT_OF_RESOURCES, "no room for the answer given before");
}

enum ipsec_status
call_fail(struct ipsec_call *call, enum ipsec_status status, const char *detail)
{
    call->status = ipsec_fault_set(&call->fault, status, IPSEC_FAULT_SERVICE, NULL, "%s", detail);
    return status;
}

/* One that waited for the lock is asked always: it would get it for nobody. */
static bool
was_abandoned(const struct call_runner *runner, const struct ipsec_call *call)
{
    if (call->abandoned == NULL)
        return false;
    int64_t waited_us = clock_monotonic_us() - call->queued_at_us;
    bool waited_long = waited_us > (int64_t)runner->abandoned_after_ms * 1000;
    return (waited_long || call->wait.ticket != 0) && call->abandoned(call);
}

static enum ipsec_status
check(struct ipsec_session *session, const struct ipsec_call *call)
{
    enum ipsec_status status = IPSEC_OK;

    if (call->has_session)
        status = enter_session(session, call);
    if (status == IPSEC_OK)
        status = check_rule(session, call);
    if (status == IPSEC_OK)
        status = session_check_right(session, call->container, call->right);
    return status;
}

/* Of what was answered already nothing is asked: begin and commit change what their rule is about,
 * and their repeats shall get the first answer. */
static enum ipsec_status
check_rule(struct ipsec_session *session, const struct ipsec_call *call)
{
    enum ipsec_status status = session_check_rule(session, call->rule);
    const struct engine_state *state = session->state;
    const struct replay_record *record = NULL;

    if (status != IPSEC_OK && call->replay.wanted && !call->dry_run)
        record = replay_find(&state->replays, call->replay.key_digest, state->steady_ms);
    if (record == NULL || !is_same_request(call, record))
        return status;
    session->fault->status = IPSEC_OK;
    return IPSEC_OK;
}

/* That its transaction was rolled back a session is told once, by whatever call is its next. */
static enum ipsec_status
enter_session(struct ipsec_session *session, const struct ipsec_call *call)
{
    struct engine_state *state = session->state;
    struct session_entry *entry = session_table_find(&state->sessions, &call->session_key);

    if (entry == NULL ||
        !session_is_of(&state->principals, entry->record.opened_by, call->caller.principal))
        return session_unknown(session->fault, IPSEC_FAULT_HEADER);
    if (entry->record.aborted)
        return session_aborted(session->fault, IPSEC_FAULT_HEADER);
    session_touch(state, entry);
    if (session_take_notice(state, entry))
        return session_txn_aborted(session->fault);
    session->entry = entry;
    session->flags = entry->record.flags;
    session->transaction = (enum ipsec_transaction_kind)entry->record.transaction;
    return IPSEC_OK;
}

/* A dry run is not remembered, and not told from what is. */
static enum ipsec_status
run_operation(const struct call_runner *runner,
              struct ipsec_call *call,
              struct ipsec_session *session)
{
    if (!call->replay.wanted)
        return call->run(call, session);
    if (!call->dry_run)
        return run_repeatable(runner, call, session);
    enum ipsec_status status = call->run(call, session);
    return status == IPSEC_OK ? encode_answer(call) : status;
}

/* Runs the call, or gives the answer that it got before. */
static enum ipsec_status
run_repeatable(const struct call_runner *runner,
               struct ipsec_call *call,
               struct ipsec_session *session)
{
    struct engine_state *state = runner->state;

    const struct replay_record *record =
        replay_find(&state->replays, call->replay.key_digest, state->steady_ms);
    if (record != NULL)
        return repeat_answer(runner, call, record);
    if (session->transaction == IPSEC_WRITE_TRANSACTION && call->rule != IPSEC_RULE_TRANSACTION)
        return ipsec_fault_set(&call->fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_HEADER,
                               "Idempotency-Key",
                               "nothing is remembered of what a transaction may still roll back; "
                               "give the key with its commit");
    if (replay_is_full(&state->replays))
        return call_fail(call, IPSEC_RPC_OUT_OF_RESOURCES,
                         "no room to remember another Idempotency-Key");
    enum ipsec_status status = call->run(call, session);
    if (status == IPSEC_OK)
        status = encode_answer(call);
    return status == IPSEC_OK ? keep_answer(state, call) : status;
}

static bool
is_same_request(const struct ipsec_call *call, const struct replay_record *record)
{
    return memcmp(record->request_digest, call->replay.request_digest, REPLAY_DIGEST_SIZE) == 0;
}

static enum ipsec_status
repeat_answer(const struct call_runner *runner,
              struct ipsec_call *call,
              const struct replay_record *record)
{
    struct replay_index *replays = &runner->state->replays;

    if (!is_same_request(call, record))
        return ipsec_fault_set(&call->fault, IPSEC_HTTP_KEY_REUSED, IPSEC_FAULT_HEADER,
                               "Idempotency-Key", "the key was used with another request");

    if (replay_is_pending(replays, record)) {
        const struct store_replay *pending = runner->state->batch.changes[record->change].replay;

        buffer_append(&call->replay.answer, pending->answer, pending->answer_size);
    } else {
        /* What the store says of itself is for the operator. */
        struct ipsec_fault fault = runner->store_fault;
        void *answer = NULL;
        size_t answer_size = 0;

        if (fault.status == IPSEC_OK) {
            fault.status = runner->store_ops->read_replay(runner->store, record->number, &fault,
                                                          &answer, &answer_size);
            if (fault.status != IPSEC_OK)
                log_error("an answer given before can't be read",
                          LOG_TEXT("store", runner->store_ops->name),
                          LOG_TEXT("code", ipsec_status_name(fault.status)),
                          LOG_TEXT("reason", fault.detail));
        }
        if (fault.status != IPSEC_OK)
            return call_fail(call, fault.status,
                             "the store can't give the answer that this key got before");
        buffer_append(&call->replay.answer, answer, answer_size);
        free(answer);
    }
    if (call->replay.answer.failed)
        return call_fail(call, IPSEC_RPC_OUT_OF_RESOURCES, "no room for the answer given before");
    call->replay.replayed = true;
    return IPSEC_OK;
}

/* The committed record says what did not come to be.  Without memory for the change the store keeps
 * it, and only memory does not give it again. */
static void
forget_answer(struct engine_state *state, const struct ipsec_call *call)
{
    const struct replay_record *record = NULL;

    if (call->replay.wanted && !call->replay.replayed && !call->dry_run)
        record = replay_find(&state->replays, call->replay.key_digest, state->steady_ms);
    if (record == NULL)
        return;
    (void)!batch_change(&state->batch,
                        (struct store_change){ .kind = STORE_DELETE_REPLAY, .id = record->number });
    replay_void(&state->replays, record->number);
}

static enum ipsec_status
encode_answer(struct ipsec_call *call)
{
    if (!call->encode(call, &call->replay.answer) || call->replay.answer.failed)
        return call_fail(call, IPSEC_RPC_SERVER_CANTMARSHAL_DATA, "the answer can't be encoded");
    return IPSEC_OK;
}

/* The record of the answer goes into the commit of the change it belongs to. */
static enum ipsec_status
keep_answer(struct engine_state *state, struct ipsec_call *call)
{
    struct ipsec_replay *replay = &call->replay;
    const struct replay_record *record =
        replay_add(&state->replays, replay->key_digest, replay->request_digest, state->steady_ms,
                   (uint32_t)state->batch.change_count);
    struct store_replay stored = {
        .number = record->number,
        .created_at_ms = record->created_at_ms,
        .answer = replay->answer.data,
        .answer_size = replay->answer.size,
    };
    memcpy(stored.key_digest, replay->key_digest, sizeof stored.key_digest);
    memcpy(stored.request_digest, replay->request_digest, sizeof stored.request_digest);
    if (!state_put_replay(state, &stored)) {
        replay_undo(&state->replays);
        return call_fail(call, IPSEC_RPC_OUT_OF_RESOURCES, "the service is out of memory");
    }
    return IPSEC_OK;
}

/* Whether the call did something that needs the store. */
static bool
has_stored(const struct engine_state *state, const struct call_start *start)
{
    return state->batch.change_count > start->mark.change_count ||
           state->luids.last > start->last_luid;
}

/* No identifier and no revision is used up by what did not happen. */
static void
undo(struct engine_state *state, const struct call_start *start)
{
    state_undo(state, start->mark);
    state->luids.last = start->last_luid;
    state->revision = start->revision;
}

/* The first time decides until when. */
static bool
may_wait(const struct ipsec_session *session, struct ipsec_call *call)
{
    const struct engine_state *state = session->state;
    uint32_t timeout_ms = state->sessions.limits.wait_ms;

    if (session->entry != NULL)
        timeout_ms = session->entry->record.txn_wait_timeout_ms;
    if (call->wait.ticket == 0)
        call->wait.deadline_ms = state->clock_ms + timeout_ms;
    call->wait.session = session->entry == NULL ? 0 : session->entry->record.number;
    call->wait.writes = session->waits_to_write;
    return state->clock_ms < call->wait.deadline_ms;
}

/* A commit that can't be stored ends the transaction; any other failure leaves it open. */
static void
end_undone_commit(const struct call_runner *runner, struct ipsec_session *session)
{
    struct session_entry *entry = session->entry;

    if (entry == NULL || !entry->commit_undone)
        return;
    entry->commit_undone = false;
    if (session->call->dry_run || session->call->status == IPSEC_OK ||
        session->call->status != runner->store_fault.status)
        return;
    struct batch_mark mark = batch_mark(&runner->state->batch);
    if (!transaction_roll_back(runner->state, entry, false))
        state_undo(runner->state, mark);
}
