/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context.h: SA contexts in memory; the operations are in engine.h. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

struct engine_state;

/* Takes over what the store has; filters come before. */
NODISCARD enum ipsec_status sa_context_load(struct engine_state *state,
                                            const struct ipsec_sa_context *context,
                                            struct ipsec_fault *fault);

/* Takes back the creation of 'context'. */
void sa_context_undo_create(struct engine_state *state, const struct ipsec_sa_context *context);
/* Takes back the deletion of 'context'. */
void sa_context_undo_delete(struct engine_state *state, const struct ipsec_sa_context *context);
