/* SPDX-License-Identifier: Apache-2.0
 *
 * refusal.h: what calls are told whose committed changes the data plane does not take. */
#pragma once

#include <stddef.h>

#include "engine/call.h"
#include "engine/state.h"

/* Applies the batch's actions, see sa_plane.h; calls whose actions are refused fail or have another
 * answer.  Changes that put it right are at the end of the batch's list. */
void refusal_apply(struct engine_state *state, struct batch_call *calls, size_t call_count);
