/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_change.h: what transactions and sessions need of policy.c beside what kinds of policy
 * objects need (policy.h). */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct engine_state;
struct ipsec_call;
struct ipsec_session;
struct session_entry;

/* The lock, for a call of the session.  IPSEC_TIMEOUT: the call has to wait and is told so when its
 * time is over. */
NODISCARD enum ipsec_status policy_take_lock(struct ipsec_session *session, bool writes);

/* Makes all that the write transaction did take effect, in order.  On failure the caller undoes
 * what was done. */
NODISCARD enum ipsec_status policy_commit_changes(struct ipsec_session *session);

/* Forgets all that the write transaction did, at once and for good. */
void policy_drop_changes(struct engine_state *state);

/* Deletes the dynamic objects of a session that 'call' ends; null: its time does.  It does not wait
 * for the lock: no other session's object can refer to them.  False: no memory; the caller undoes
 * what was done. */
NODISCARD bool policy_delete_owned(struct engine_state *state,
                                   struct session_entry *entry,
                                   const struct ipsec_call *call);
