/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_index.h: how SA contexts are found by what they hold: their SPI, their traffic, the policy
 * they use, the time at which they are due, and their number by state. */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"

struct engine_state;
struct ipsec_sa_context;
struct sa_database;

/* Room for one change.  False: no memory. */
NODISCARD bool sa_index_reserve(struct sa_database *database);

/* A context changes from 'from' (null: it is new) to 'to' (null: it goes).  There is room. */
void sa_index_move(struct engine_state *state,
                   const struct ipsec_sa_context *from,
                   const struct ipsec_sa_context *to);

/* An old timer stays where it is until it is due or swept out.  So undoing needs no timers: the old
 * one is still there. */
void sa_index_move_timer(struct engine_state *state,
                         const struct ipsec_sa_context *from,
                         const struct ipsec_sa_context *to);
