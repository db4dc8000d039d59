/* SPDX-License-Identifier: Apache-2.0
 *
 * policy.h: how policy objects (filters, provider contexts) change: at once in an implicit
 * transaction, at commit in an explicit one.
 *
 * There is one lock on all policy: one writer or many readers, first come first served.  As there
 * is at most one writer, a mark on each object tells what its open transaction did to it: what it
 * added only its own session sees, what it deleted only its own session misses.  Everything else --
 * other sessions, creates of SA contexts, the classifier, the store -- works with committed policy.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct engine_state;
struct ipsec_session;
struct policy_object;

enum policy_phase {
    POLICY_COMMITTED = 0,
    POLICY_ADDED,     /* by the open write transaction */
    POLICY_DELETED,   /* by the open write transaction */
    POLICY_DISCARDED, /* added and deleted by the open write transaction: nobody sees it */
};

/* What a kind of policy object does when it changes for good.  All run on the engine thread.  An
 * object lives in its kind's table (and index of keys) from policy_add() on, whatever its phase:
 * every look-up has to ask policy_is_visible(). */
struct policy_ops {
    /* The object takes effect: the indexes that show committed policy only, the store (unless it is
     * dynamic), and undo entries that take it out of *these* again.  It stays in its table when
     * undone: policy.c calls 'discard' where it has to go.  On failure nothing has changed. */
    enum ipsec_status (*commit_add)(struct ipsec_session *session, struct policy_object *object);
    /* Takes it out of everything: its table, the indexes, the store (unless it is dynamic); with
     * undo entries that put it back, and free it when they settle.  Only for want of memory may
     * this fail, and then nothing has changed. */
    enum ipsec_status (*commit_delete)(struct ipsec_session *session, struct policy_object *object);
    /* Whether nothing that the session sees refers to it, so that it may go: IPSEC_IN_USE with a
     * fault.  Asked at the delete and, in a transaction, again when it commits. */
    enum ipsec_status (*check_unused)(struct ipsec_session *session,
                                      const struct policy_object *object);
    /* Takes an object that is not committed out of its table, for ever, and frees it.  Can't fail;
     * not to be undone.  'is_final': nothing else of the batch will be undone any more either, so
     * that the table may give its place back. */
    void (*discard)(struct engine_state *state, struct policy_object *object, bool is_final);
};

/* The first member of every policy object's entry. */
struct policy_object {
    const struct policy_ops *ops;
    uint64_t owner; /* number of the dynamic session it ends with; 0: static or persistent */
    struct policy_object *next_owned; /* the one that this session added before it */
    struct policy_object *previous_owned;
    uint8_t phase; /* enum policy_phase */
};

/* First of all in an operation that changes policy: IPSEC_INCOMPATIBLE_TXN in a read-only
 * transaction.  The lock comes last (spec section 12): policy_add() and policy_delete() ask for it,
 * and whatever they return is to be returned at once, for a call that has to wait is undone, parked
 * and run again from its start (see call.h). */
NODISCARD enum ipsec_status policy_begin_change(struct ipsec_session *session);

/* The lifetime and the owner of an object that the session adds: 'persistent' as its flags say;
 * IPSEC_LIFETIME_* in '*lifetime_out'.  IPSEC_INVALID_FLAGS for a persistent object in a dynamic
 * session. */
NODISCARD enum ipsec_status
policy_lifetime_of(struct ipsec_session *session, bool persistent, uint8_t *lifetime_out);

/* An object that was just put into its table comes to be: now, or when the transaction commits.  On
 * failure it is still the caller's to take out; from then on undoing the call discards it.  In a
 * transaction its LUID is durable with the batch although the object is not. */
NODISCARD enum ipsec_status policy_add(struct ipsec_session *session,
                                       struct policy_object *object,
                                       const struct policy_ops *ops,
                                       uint8_t lifetime);

/* Deletes an object that the session sees, after the rules of dynamic sessions
 * (IPSEC_WRONG_SESSION, IPSEC_DYNAMIC_SESSION_IN_PROGRESS) and 'check_unused'.  Now, or when the
 * transaction commits. */
NODISCARD enum ipsec_status policy_delete(struct ipsec_session *session,
                                          struct policy_object *object);

/* The rules of dynamic sessions alone. */
NODISCARD enum ipsec_status policy_check_owner(struct ipsec_session *session,
                                               const struct policy_object *object);

/* Whether the session sees it. */
bool policy_is_visible(const struct ipsec_session *session, const struct policy_object *object);
/* Whether it is part of committed policy. */
bool policy_is_committed(const struct policy_object *object);

/* Whether an object that will have 'lifetime' and belong to 'session' may refer to 'target':
 * IPSEC_LIFETIME_MISMATCH when the target may live shorter.  'target_lifetime' is IPSEC_LIFETIME_*.
 */
NODISCARD enum ipsec_status policy_check_reference(struct ipsec_session *session,
                                                   uint8_t lifetime,
                                                   const struct policy_object *target,
                                                   uint8_t target_lifetime,
                                                   const char *pointer);
