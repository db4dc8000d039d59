/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_none.c: a data plane without packets, for demonstrations and tests: every action works and
 * nothing is ever counted, so idle times run from the moment an SA was added. */
#include "engine/plane/plane.h"

static enum ipsec_status
none_open(const char *argument, struct ipsec_fault *fault, struct plane **plane_out)
{
    *plane_out = NULL;
    if (argument[0] != '\0')
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "plane",
                               "the plane \"none\" takes no argument");
    return IPSEC_OK;
}

static void
none_close(struct plane *plane)
{
    (void)plane;
}

static void
none_apply(struct plane *plane, struct plane_action *actions, size_t action_count)
{
    (void)plane;
    for (size_t i = 0; i < action_count; i++)
        actions[i].status = IPSEC_OK;
}

static enum ipsec_status
none_read_counters(struct plane *plane,
                   const struct plane_bundle *what,
                   struct plane_counters *counters_out)
{
    (void)plane;
    (void)what;
    *counters_out = (struct plane_counters){ .bytes = 0 };
    return IPSEC_OK;
}

const struct plane_ops plane_none = {
    .name = "none",
    .open = none_open,
    .close = none_close,
    .apply = none_apply,
    .read_counters = none_read_counters,
};
