/* SPDX-License-Identifier: Apache-2.0
 *
 * session_end.h: how sessions end: closed by their owner, or cancelled by the engine. */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"
#include "engine/session_table.h"

struct engine_state;
struct ipsec_session;

/* Rolls the transaction back, deletes the dynamic objects, and takes the session out.  False: no
 * memory; the caller undoes what was done. */
NODISCARD bool session_close(struct ipsec_session *session, struct session_entry *entry);

/* The same, but it stays and answers IPSEC_SESSION_ABORTED.  Nothing of this goes to the store. */
NODISCARD bool session_cancel(struct engine_state *state, struct session_entry *entry);
