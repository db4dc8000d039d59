/* SPDX-License-Identifier: Apache-2.0
 *
 * transaction.h: the transactions of explicit sessions: how they begin and end.
 *
 * A transaction that ends lets others see so with its batch: until that is settled a writer keeps
 * the lock and what it added stays in memory, unseen, so that all of it can be taken back. */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"
#include "engine/session_table.h"

struct engine_state;

/* Rolls the session's transaction back if it has one; 'is_forced': its next call is told.  False:
 * no memory; the caller undoes what was done. */
NODISCARD bool
transaction_roll_back(struct engine_state *state, struct session_entry *entry, bool is_forced);

/* After a batch that failed for the store and is undone: transactions whose commit was in it are
 * rolled back for good, as their callers were told. */
void transaction_drop_undone(struct engine_state *state);
