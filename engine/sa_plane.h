/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_plane.h: after the commit: the data plane does what the batch asks of it, and what it refuses
 * is put right. */
#pragma once

#include <stdbool.h>

#include "engine/plane_queue.h"

struct engine_state;

/* Told once for each group that came to nothing: of an owner that does not take refusals item by
 * item, for all of its groups. */
typedef void sa_plane_refused(void *context, const struct plane_group *group);

/* Applies the batch's actions once and wipes their keys.  Between the commit and state_settle().
 * What the refused groups did to contexts is taken back in memory, and these changes stand at the
 * end of the batch's list, to be committed too. */
void sa_plane_apply(struct engine_state *state, sa_plane_refused *refused, void *context);
