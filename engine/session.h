/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h: who runs the current operation, and what a session may do at all.
 *
 * A call without a session of its own runs in an implicit one: static, without a transaction, and
 * gone with the call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/access.h"
#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/state.h"

struct ipsec_session {
    struct engine_state *state;
    const struct ipsec_caller *caller;
    struct ipsec_fault *fault;
    const struct ipsec_call *call; /* null: the engine itself is at work */
    struct session_entry *entry;   /* the explicit session; null: an implicit one */
    uint32_t flags;                /* IPSEC_SESSION_DYNAMIC */
    enum ipsec_transaction_kind transaction;
    /* Set when the operation failed with IPSEC_TIMEOUT because it has to wait for the lock. */
    bool must_wait;
    bool waits_to_write;
};

/* What 'rule' says to a session: the order is that of the reference, transactions first. */
NODISCARD enum ipsec_status session_judge(enum ipsec_session_rule rule,
                                          uint32_t flags,
                                          enum ipsec_transaction_kind transaction,
                                          struct ipsec_fault *fault);
NODISCARD enum ipsec_status session_check_rule(struct ipsec_session *session,
                                               enum ipsec_session_rule rule);
/* For operations that are no part of transactions and whose objects outlive sessions:
 * IPSEC_TXN_IN_PROGRESS, then IPSEC_DYNAMIC_SESSION_IN_PROGRESS. */
NODISCARD enum ipsec_status session_check_direct(struct ipsec_session *session);
/* For operations that are no part of transactions: IPSEC_TXN_IN_PROGRESS. */
NODISCARD enum ipsec_status session_check_no_transaction(struct ipsec_session *session);
/* For changes of policy objects: IPSEC_INCOMPATIBLE_TXN in a read-only transaction. */
NODISCARD enum ipsec_status session_check_writable(struct ipsec_session *session);

/* IPSEC_ACCESS_DENIED unless the caller has all rights of the mask; the process itself has. */
NODISCARD enum ipsec_status
session_check_right(struct ipsec_session *session, enum ipsec_container container, uint32_t rights);
bool session_has_right(const struct ipsec_session *session,
                       enum ipsec_container container,
                       uint32_t rights);

/* IPSEC_HTTP_PRECONDITION_FAILED when the call wants the object it addresses in another revision
 * than this.  To be asked once the object is found, before the body is compared with it. */
NODISCARD enum ipsec_status session_check_revision(struct ipsec_session *session,
                                                   uint64_t revision);

/* The number under which records name the caller; adds the name to the store if it is new. */
NODISCARD enum ipsec_status session_intern_caller(struct ipsec_session *session,
                                                  uint32_t *number_out);

/* Whether the principal with the number 'opened_by' is 'principal' (null: the process itself). */
bool
session_is_of(const struct principal_table *principals, uint32_t opened_by, const char *principal);
/* IPSEC_INVALID_HANDLE, IPSEC_TXN_ABORTED and IPSEC_SESSION_ABORTED with their sentences. */
NODISCARD enum ipsec_status session_txn_aborted(struct ipsec_fault *fault);
NODISCARD enum ipsec_status session_unknown(struct ipsec_fault *fault,
                                            enum ipsec_fault_place place);
NODISCARD enum ipsec_status session_aborted(struct ipsec_fault *fault,
                                            enum ipsec_fault_place place);

/* IPSEC_RPC_OUT_OF_RESOURCES for want of memory. */
NODISCARD enum ipsec_status session_no_memory(struct ipsec_session *session);
