/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_error.h: what SQLite reports, as a status and a sentence. */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct sqlite3;

/* Turns the failure 'result' (an extended result code) of 'db' into a fault: "store LABEL: cannot
 * DOING: cause".  'opening' says that this is the start, when what may not be accessed or belongs
 * to another process has statuses of its own.  'db' may be null. */
NODISCARD enum ipsec_status sqlite_error_set(struct ipsec_fault *fault,
                                             struct sqlite3 *db,
                                             int result,
                                             bool opening,
                                             const char *label,
                                             const char *doing);
