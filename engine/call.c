/* SPDX-License-Identifier: Apache-2.0
 *
 * call.c: see call.h. */
#include "engine/call.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/session.h"

static bool was_abandoned(const struct call_runner *runner, const struct ipsec_call *call);
static enum ipsec_status run_operation(const struct call_runner *runner,
                                       struct ipsec_call *call,
                                       struct ipsec_session *session);
static enum ipsec_status repeat_answer(const struct call_runner *runner,
                                       struct ipsec_call *call,
                                       const struct replay_record *record);
static enum ipsec_status keep_answer(struct engine_state *state, struct ipsec_call *call);

bool
call_run(const struct call_runner *runner, struct ipsec_call *call)
{
    struct engine_state *state = runner->state;
    struct ipsec_session session = {
        .state = state,
        .caller = &call->caller,
        .fault = &call->fault,
    };
    size_t savepoint = state->batch.change_count;

    call->fault.status = IPSEC_OK;
    call->replay.replayed = false;
    if (was_abandoned(runner, call)) {
        (void)call_fail(call, IPSEC_RPC_CALL_CANCELED, "the caller went away before the call ran");
        return false;
    }
    call->status = session_check_right(&session, call->container, call->right);
    if (call->status != IPSEC_OK)
        return false;

    call->status = run_operation(runner, call, &session);
    if (call->status == IPSEC_OK && state->batch.change_count > savepoint &&
        runner->store_fault.status != IPSEC_OK)
        call_take_back(call, runner->store_fault.status);
    if (call->status == IPSEC_OK)
        return true;

    state_undo(state, savepoint);
    buffer_reset(&call->replay.answer);
    if (call->fault.status != call->status)
        (void)call_fail(call, call->status, ipsec_status_text(call->status));
    return true;
}

void
call_take_back(struct ipsec_call *call, enum ipsec_status status)
{
    (void)call_fail(call, status, "the store does not take writes; nothing was changed");
    call->replay.replayed = false;
    buffer_reset(&call->replay.answer);
}

enum ipsec_status
call_fail(struct ipsec_call *call, enum ipsec_status status, const char *detail)
{
    call->status = ipsec_fault_set(&call->fault, status, IPSEC_FAULT_SERVICE, NULL, "%s", detail);
    return status;
}

static bool
was_abandoned(const struct call_runner *runner, const struct ipsec_call *call)
{
    if (call->abandoned == NULL)
        return false;
    int64_t waited_us = clock_monotonic_us() - call->queued_at_us;
    return waited_us > (int64_t)runner->abandoned_after_ms * 1000 && call->abandoned(call);
}

/* Runs the call, or gives the answer that it got before. */
static enum ipsec_status
run_operation(const struct call_runner *runner,
              struct ipsec_call *call,
              struct ipsec_session *session)
{
    struct engine_state *state = runner->state;

    if (!call->replay.wanted)
        return call->run(call, session);

    const struct replay_record *record =
        replay_find(&state->replays, call->replay.key_digest, state->now_ms);
    if (record != NULL)
        return repeat_answer(runner, call, record);
    if (replay_is_full(&state->replays))
        return call_fail(call, IPSEC_RPC_OUT_OF_RESOURCES,
                         "no room to remember another Idempotency-Key");
    enum ipsec_status status = call->run(call, session);
    if (status != IPSEC_OK)
        return status;
    return keep_answer(state, call);
}

static enum ipsec_status
repeat_answer(const struct call_runner *runner,
              struct ipsec_call *call,
              const struct replay_record *record)
{
    struct replay_index *replays = &runner->state->replays;

    if (memcmp(record->request_digest, call->replay.request_digest, REPLAY_DIGEST_SIZE) != 0)
        return ipsec_fault_set(&call->fault, IPSEC_HTTP_KEY_REUSED, IPSEC_FAULT_HEADER,
                               "Idempotency-Key", "the key was used with another request");

    if (replay_is_pending(replays, record)) {
        const struct store_replay *pending = &runner->state->batch.changes[record->change].replay;

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

/* The answer and its record go into the commit of the change they belong to. */
static enum ipsec_status
keep_answer(struct engine_state *state, struct ipsec_call *call)
{
    struct ipsec_replay *replay = &call->replay;

    if (!call->encode(call, &replay->answer) || replay->answer.failed)
        return call_fail(call, IPSEC_RPC_SERVER_CANTMARSHAL_DATA, "the answer can't be encoded");

    const struct replay_record *record =
        replay_add(&state->replays, replay->key_digest, replay->request_digest, state->now_ms,
                   (uint32_t)state->batch.change_count);
    struct store_replay stored = {
        .number = record->number,
        .created_at_ms = record->created_at_ms,
        .answer = replay->answer.data,
        .answer_size = replay->answer.size,
    };
    memcpy(stored.key_digest, replay->key_digest, sizeof stored.key_digest);
    memcpy(stored.request_digest, replay->request_digest, sizeof stored.request_digest);
    if (!batch_put_replay(&state->batch, &stored)) {
        replay_undo(&state->replays);
        return call_fail(call, IPSEC_RPC_OUT_OF_RESOURCES, "the service is out of memory");
    }
    return IPSEC_OK;
}
