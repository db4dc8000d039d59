/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.h: what is wrong with a configuration, one line each. */
#pragma once

#include "engine/base/log.h"
#include "engine/base/status.h"

/* Gets one problem; its 'pointer' is the option. */
typedef void problem_sink(void *context, const struct ipsec_fault *problem);

/* Writes it with option (where it is of one), reason and code. */
void problem_log(enum log_level level, const char *event, const struct ipsec_fault *problem);
