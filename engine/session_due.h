/* SPDX-License-Identifier: Apache-2.0
 *
 * session_due.h: what happens to sessions with time. */
#pragma once

#include "engine/due.h"

extern const struct due_source session_end_due;
extern const struct due_source session_forget_due;
