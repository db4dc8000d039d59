/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h: who runs the current operation, and what a session may do at all.
 *
 * A call without a session of its own runs in an implicit one: static, without a transaction, and
 * gone with the call. */
#pragma once

#include <stdint.h>

#include "engine/base/access.h"
#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/engine.h"
#include "engine/state.h"

enum session_flag {
    SESSION_DYNAMIC = 0x1, /* FWPM_SESSION_FLAG_DYNAMIC: what it adds ends with it */
};

enum session_transaction {
    SESSION_NO_TRANSACTION = 0,
    SESSION_READ_TRANSACTION,
    SESSION_WRITE_TRANSACTION,
};

struct ipsec_session {
    struct engine_state *state;
    const struct ipsec_caller *caller;
    struct ipsec_fault *fault;
    uint32_t flags; /* enum session_flag */
    enum session_transaction transaction;
};

/* For operations that are no part of transactions and whose objects outlive sessions:
 * IPSEC_TXN_IN_PROGRESS, then IPSEC_DYNAMIC_SESSION_IN_PROGRESS. */
NODISCARD enum ipsec_status session_check_direct(struct ipsec_session *session);

/* For changes of policy objects: IPSEC_INCOMPATIBLE_TXN in a read-only transaction. */
NODISCARD enum ipsec_status session_check_writable(struct ipsec_session *session);

/* IPSEC_ACCESS_DENIED unless the caller has all rights of the mask; the process itself has. */
NODISCARD enum ipsec_status
session_check_right(struct ipsec_session *session, enum ipsec_container container, uint32_t rights);
bool session_has_right(const struct ipsec_session *session,
                       enum ipsec_container container,
                       uint32_t rights);

/* The number under which records name the caller; adds the name to the store if it is new. */
NODISCARD enum ipsec_status session_intern_caller(struct ipsec_session *session,
                                                  uint32_t *number_out);

/* IPSEC_RPC_OUT_OF_RESOURCES for want of memory. */
NODISCARD enum ipsec_status session_no_memory(struct ipsec_session *session);
