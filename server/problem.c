/* SPDX-License-Identifier: Apache-2.0
 *
 * problem.c: see problem.h. */
#include "server/problem.h"

#include <stddef.h>

enum ipsec_status
problem_name_option(struct ipsec_fault *problem, const char *option)
{
    const struct ipsec_fault unnamed = *problem;

    return ipsec_fault_set(problem, unnamed.status, unnamed.place, option, "%s %s", option,
                           unnamed.detail[0] != '\0' ? unnamed.detail
                                                     : ipsec_status_text(unnamed.status));
}

void
problem_log(enum log_level level, const char *event, const struct ipsec_fault *problem)
{
    const struct log_field fields[] = {
        LOG_TEXT("option", problem->pointer),
        LOG_TEXT("reason", problem->detail),
        LOG_TEXT("code", ipsec_status_name(problem->status)),
    };
    size_t first = problem->pointer[0] == '\0' ? 1 : 0;

    log_line(level, event, fields + first, sizeof fields / sizeof *fields - first);
}
