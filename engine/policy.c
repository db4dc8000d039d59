/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.c: see policy.h and policy_change.h. */
#include "engine/policy.h"

#include <stdlib.h>

#include "engine/policy_change.h"
#include "engine/policy_lock.h"
#include "engine/session.h"
#include "engine/state.h"

static enum ipsec_status add_at_once(struct ipsec_session *session, struct policy_object *object);
static enum ipsec_status delete_in_transaction(struct ipsec_session *session,
                                               struct policy_object *object);
static enum ipsec_status delete_for_good(struct ipsec_session *session,
                                         struct policy_object *object);
static enum ipsec_status commit_phase(struct ipsec_session *session, enum policy_phase phase);
static enum ipsec_status commit_change(struct ipsec_session *session, struct policy_object *object);
static bool
note_change(struct engine_state *state, struct policy_object *object, const struct undo_ops *ops);
static bool withdraw_change(struct engine_state *state,
                            const struct policy_object *object,
                            const struct undo_ops *ops);
static void take_effect(struct engine_state *state, struct policy_object *object);
static void link_owned(struct engine_state *state, struct policy_object *object);
static void unlink_owned(struct engine_state *state, struct policy_object *object);

static void undo_add(struct engine_state *state, void *object, uint64_t number);
static void undo_commit_add(struct engine_state *state, void *object, uint64_t number);
static void undo_disown(struct engine_state *state, void *object, uint64_t number);
static void undo_note_add(struct engine_state *state, void *object, uint64_t number);
static void undo_note_delete(struct engine_state *state, void *object, uint64_t number);
static void undo_withdraw_add(struct engine_state *state, void *object, uint64_t number);
static void settle_withdraw_add(struct engine_state *state, void *object, uint64_t number);
static void undo_withdraw_delete(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops add_ops = { .undo = undo_add };
static const struct undo_ops commit_add_ops = { .undo = undo_commit_add };
static const struct undo_ops disown_ops = { .undo = undo_disown };
static const struct undo_ops note_add_ops = { .undo = undo_note_add };
static const struct undo_ops note_delete_ops = { .undo = undo_note_delete };
static const struct undo_ops withdraw_add_ops = { .undo = undo_withdraw_add,
                                                  .settle = settle_withdraw_add };
static const struct undo_ops withdraw_delete_ops = { .undo = undo_withdraw_delete };

enum ipsec_status
policy_begin_change(struct ipsec_session *session)
{
    return session_check_writable(session);
}

enum ipsec_status
policy_lifetime_of(struct ipsec_session *session, bool persistent, uint8_t *lifetime_out)
{
    bool dynamic = (session->flags & IPSEC_SESSION_DYNAMIC) != 0;

    if (dynamic && persistent)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_FLAGS, IPSEC_FAULT_BODY, "/flags",
                               "what a dynamic session adds ends with it and can't be persistent");
    *lifetime_out = dynamic      ? IPSEC_LIFETIME_DYNAMIC
                    : persistent ? IPSEC_LIFETIME_PERSISTENT
                                 : IPSEC_LIFETIME_STATIC;
    return IPSEC_OK;
}

enum ipsec_status
policy_add(struct ipsec_session *session,
           struct policy_object *object,
           const struct policy_ops *ops,
           uint8_t lifetime)
{
    object->ops = ops;
    object->owner = 0;
    object->next_owned = NULL;
    object->previous_owned = NULL;
    if (lifetime == IPSEC_LIFETIME_DYNAMIC)
        object->owner = session->entry->record.number;
    if (session->transaction != IPSEC_WRITE_TRANSACTION)
        return add_at_once(session, object);
    if (!note_change(session->state, object, &note_add_ops))
        return session_no_memory(session);
    object->phase = POLICY_ADDED;
    return IPSEC_OK;
}

enum ipsec_status
policy_delete(struct ipsec_session *session, struct policy_object *object)
{
    enum ipsec_status status;

    status = policy_check_owner(session, object);
    if (status != IPSEC_OK)
        return status;
    status = object->ops->check_unused(session, object);
    if (status != IPSEC_OK)
        return status;
    if (session->transaction == IPSEC_WRITE_TRANSACTION)
        return delete_in_transaction(session, object);
    status = policy_take_lock(session, true);
    if (status != IPSEC_OK)
        return status;
    return delete_for_good(session, object);
}

enum ipsec_status
policy_check_owner(struct ipsec_session *session, const struct policy_object *object)
{
    if ((session->flags & IPSEC_SESSION_DYNAMIC) == 0)
        return IPSEC_OK;
    if (object->owner == 0)
        return ipsec_fault_set(session->fault, IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_FAULT_PATH,
                               NULL, "a dynamic session may delete only what it added itself");
    if (object->owner != session->entry->record.number)
        return ipsec_fault_set(session->fault, IPSEC_WRONG_SESSION, IPSEC_FAULT_PATH, NULL,
                               "another dynamic session added the object");
    return IPSEC_OK;
}

bool
policy_is_visible(const struct ipsec_session *session, const struct policy_object *object)
{
    bool is_writer = session->transaction == IPSEC_WRITE_TRANSACTION;

    switch ((enum policy_phase)object->phase) {
    case POLICY_COMMITTED:
        return true;
    case POLICY_ADDED:
        return is_writer;
    case POLICY_DELETED:
        return !is_writer;
    case POLICY_DISCARDED:
        return false;
    }
    return false;
}

bool
policy_is_committed(const struct policy_object *object)
{
    return object->phase == POLICY_COMMITTED || object->phase == POLICY_DELETED;
}

enum ipsec_status
policy_check_reference(struct ipsec_session *session,
                       uint8_t lifetime,
                       const struct policy_object *target,
                       uint8_t target_lifetime,
                       const char *pointer)
{
    if (lifetime == IPSEC_LIFETIME_PERSISTENT && target_lifetime == IPSEC_LIFETIME_STATIC)
        return ipsec_fault_set(session->fault, IPSEC_LIFETIME_MISMATCH, IPSEC_FAULT_BODY, pointer,
                               "what is persistent may not refer to what is not");
    if (target_lifetime != IPSEC_LIFETIME_DYNAMIC)
        return IPSEC_OK;
    if (lifetime != IPSEC_LIFETIME_DYNAMIC)
        return ipsec_fault_set(session->fault, IPSEC_LIFETIME_MISMATCH, IPSEC_FAULT_BODY, pointer,
                               "this is dynamic: it ends with its session, and only what ends with "
                               "the same session may refer to it");
    if (session->entry == NULL || target->owner != session->entry->record.number)
        return ipsec_fault_set(session->fault, IPSEC_LIFETIME_MISMATCH, IPSEC_FAULT_BODY, pointer,
                               "this ends with another dynamic session");
    return IPSEC_OK;
}

enum ipsec_status
policy_take_lock(struct ipsec_session *session, bool writes)
{
    uint64_t ticket = session->call == NULL ? 0 : session->call->wait.ticket;

    if (policy_lock_may(&session->state->policy, ticket, writes))
        return IPSEC_OK;
    session->must_wait = true;
    session->waits_to_write = writes;
    return ipsec_fault_set(session->fault, IPSEC_TIMEOUT, IPSEC_FAULT_SERVICE, NULL,
                           "another session's transaction has locked policy for longer than this "
                           "call waits");
}

enum ipsec_status
policy_commit_changes(struct ipsec_session *session)
{
    /* What goes first: what comes may take its place in the data plane. */
    enum ipsec_status status = commit_phase(session, POLICY_DELETED);

    return status == IPSEC_OK ? commit_phase(session, POLICY_ADDED) : status;
}

/* The newest first: objects refer to older ones. */
void
policy_drop_changes(struct engine_state *state)
{
    struct policy_lock *lock = &state->policy;

    for (size_t i = lock->change_count; i > 0; i--) {
        struct policy_object *object = lock->changes[i - 1];

        if (object == NULL)
            continue;
        if (object->phase == POLICY_DELETED)
            object->phase = POLICY_COMMITTED;
        else
            object->ops->discard(state, object, true);
    }
    lock->change_count = 0;
}

bool
policy_delete_owned(struct engine_state *state,
                    struct session_entry *entry,
                    const struct ipsec_call *call)
{
    const struct ipsec_caller process = { .principal = NULL };
    struct ipsec_fault fault;
    struct ipsec_session session = {
        .state = state,
        .caller = &process,
        .fault = &fault,
        .call = call,
    };

    while (entry->owned != NULL) {
        struct policy_object *object = entry->owned;

        /* A transaction, of this session or another, may have deleted it. */
        if (object->phase == POLICY_DELETED &&
            !withdraw_change(state, object, &withdraw_delete_ops))
            return false;
        if (delete_for_good(&session, object) != IPSEC_OK)
            return false;
    }
    return true;
}

/* --- Adding and deleting --- */

static enum ipsec_status
add_at_once(struct ipsec_session *session, struct policy_object *object)
{
    struct engine_state *state = session->state;
    struct batch_mark mark = batch_mark(&state->batch);
    enum ipsec_status status = policy_take_lock(session, true);

    if (status != IPSEC_OK)
        return status;
    if (!batch_undo(&state->batch, &add_ops, object, 0))
        return session_no_memory(session);
    take_effect(state, object);
    status = object->ops->commit_add(session, object);
    if (status != IPSEC_OK) {
        /* It is the caller's again, who takes it out of its table. */
        unlink_owned(state, object);
        batch_cut(&state->batch, mark);
    }
    return status;
}

static enum ipsec_status
delete_in_transaction(struct ipsec_session *session, struct policy_object *object)
{
    struct engine_state *state = session->state;

    if (object->phase == POLICY_ADDED) {
        if (!withdraw_change(state, object, &withdraw_add_ops))
            return session_no_memory(session);
        object->phase = POLICY_DISCARDED;
        return IPSEC_OK;
    }
    if (!note_change(state, object, &note_delete_ops))
        return session_no_memory(session);
    object->phase = POLICY_DELETED;
    return IPSEC_OK;
}

static enum ipsec_status
delete_for_good(struct ipsec_session *session, struct policy_object *object)
{
    if (object->owner != 0) {
        if (!batch_undo(&session->state->batch, &disown_ops, object, 0))
            return session_no_memory(session);
        unlink_owned(session->state, object);
    }
    return object->ops->commit_delete(session, object);
}

static enum ipsec_status
commit_phase(struct ipsec_session *session, enum policy_phase phase)
{
    const struct policy_lock *lock = &session->state->policy;

    for (size_t i = 0; i < lock->change_count; i++) {
        if (lock->changes[i] == NULL || lock->changes[i]->phase != phase)
            continue;
        enum ipsec_status status = commit_change(session, lock->changes[i]);
        if (status != IPSEC_OK)
            return status;
    }
    return IPSEC_OK;
}

/* Others may have come to use meanwhile what the transaction deleted. */
static enum ipsec_status
commit_change(struct ipsec_session *session, struct policy_object *object)
{
    struct engine_state *state = session->state;

    if (object->phase == POLICY_DELETED) {
        enum ipsec_status status = object->ops->check_unused(session, object);

        return status == IPSEC_OK ? delete_for_good(session, object) : status;
    }
    if (!batch_undo(&state->batch, &commit_add_ops, object, 0))
        return session_no_memory(session);
    take_effect(state, object);
    return object->ops->commit_add(session, object);
}

/* --- What the write transaction did --- */

static bool
note_change(struct engine_state *state, struct policy_object *object, const struct undo_ops *ops)
{
    struct policy_lock *lock = &state->policy;

    if (!policy_lock_reserve_change(lock) || !batch_undo(&state->batch, ops, object, 0))
        return false;
    lock->changes[lock->change_count++] = object;
    return true;
}

/* The object's change is no longer one. */
static bool
withdraw_change(struct engine_state *state,
                const struct policy_object *object,
                const struct undo_ops *ops)
{
    struct policy_lock *lock = &state->policy;
    size_t at = lock->change_count;

    while (lock->changes[at - 1] != object)
        at--;
    if (!batch_undo(&state->batch, ops, lock->changes[at - 1], at - 1))
        return false;
    lock->changes[at - 1] = NULL;
    return true;
}

/* --- Owners --- */

static void
take_effect(struct engine_state *state, struct policy_object *object)
{
    object->phase = POLICY_COMMITTED;
    if (object->owner != 0)
        link_owned(state, object);
}

/* The newest first. */
static void
link_owned(struct engine_state *state, struct policy_object *object)
{
    struct session_entry *entry = session_table_get(&state->sessions, object->owner);

    object->previous_owned = NULL;
    object->next_owned = entry->owned;
    if (entry->owned != NULL)
        entry->owned->previous_owned = object;
    entry->owned = object;
}

/* The object keeps its neighbours, so that it finds its place again when that is undone. */
static void
unlink_owned(struct engine_state *state, struct policy_object *object)
{
    if (object->owner == 0)
        return;
    if (object->next_owned != NULL)
        object->next_owned->previous_owned = object->previous_owned;
    if (object->previous_owned != NULL)
        object->previous_owned->next_owned = object->next_owned;
    else
        session_table_get(&state->sessions, object->owner)->owned = object->next_owned;
}

/* --- Undoing --- */

static void
undo_add(struct engine_state *state, void *object, uint64_t number)
{
    struct policy_object *added = object;

    (void)number;
    unlink_owned(state, added);
    added->ops->discard(state, added, false);
}

static void
undo_commit_add(struct engine_state *state, void *object, uint64_t number)
{
    struct policy_object *added = object;

    (void)number;
    unlink_owned(state, added);
    added->phase = POLICY_ADDED;
}

static void
undo_disown(struct engine_state *state, void *object, uint64_t number)
{
    struct policy_object *disowned = object;

    (void)number;
    if (disowned->next_owned != NULL)
        disowned->next_owned->previous_owned = disowned;
    if (disowned->previous_owned != NULL)
        disowned->previous_owned->next_owned = disowned;
    else
        session_table_get(&state->sessions, disowned->owner)->owned = disowned;
}

static void
undo_note_add(struct engine_state *state, void *object, uint64_t number)
{
    struct policy_object *added = object;

    (void)number;
    state->policy.change_count--;
    added->ops->discard(state, added, false);
}

static void
undo_note_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct policy_object *deleted = object;

    (void)number;
    state->policy.change_count--;
    deleted->phase = POLICY_COMMITTED;
}

static void
undo_withdraw_add(struct engine_state *state, void *object, uint64_t number)
{
    struct policy_object *withdrawn = object;

    state->policy.changes[number] = withdrawn;
    withdrawn->phase = POLICY_ADDED;
}

static void
settle_withdraw_add(struct engine_state *state, void *object, uint64_t number)
{
    struct policy_object *withdrawn = object;

    (void)number;
    withdrawn->ops->discard(state, withdrawn, true);
}

static void
undo_withdraw_delete(struct engine_state *state, void *object, uint64_t number)
{
    state->policy.changes[number] = object;
}
