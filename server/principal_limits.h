/* SPDX-License-Identifier: Apache-2.0
 *
 * principal_limits.h: how many connections each principal has, over all workers, so that one caller
 * can't hold all of them.  Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"

struct principal_limits;
struct principal_slot; /* one principal with connections */

/* 'maximum' 0: no limit. */
NODISCARD struct principal_limits *principal_limits_open(uint32_t maximum);
/* After every connection has left.  Accepts null. */
void principal_limits_close(struct principal_limits *limits);

/* Counts one more connection; null: that would be above the limit, or there is no memory. */
struct principal_slot *principal_limits_enter(struct principal_limits *limits,
                                              const char *principal);
void principal_limits_leave(struct principal_limits *limits, struct principal_slot *slot);
