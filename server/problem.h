/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.h: what is wrong with a configuration, one line each. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/log.h"
#include "engine/base/status.h"

/* Gets one problem; its 'pointer' is the option. */
typedef void problem_sink(void *context, const struct ipsec_fault *problem);

/* For a fault that tells of the option's file or value without naming the option: now it does, as
 * its pointer and before its detail.  Returns its status. */
NODISCARD enum ipsec_status problem_name_option(struct ipsec_fault *problem, const char *option);

/* Writes it with option (where it is of one), reason and code. */
void problem_log(enum log_level level, const char *event, const struct ipsec_fault *problem);
