/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_filter.h: the policies of the kernel that a filter means. */
#pragma once

#include <stddef.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/plane/plane.h"
#include "engine/plane/xfrm_msg.h"

/* Inbound tunnels take two: what is for this host, and what it forwards. */
#define XFRM_FILTER_POLICIES_MAX PLANE_FILTER_POLICIES_MAX

/* Priorities of policies: the lowest decides.  The first are the service's own. */
#define XFRM_PRIORITY_EXEMPT 1
#define XFRM_PRIORITY_FILTERS 1000

/* Writes the filter's policies; none for a layer that no packet passes.  What the kernel can't
 * express is IPSEC_CALLOUT_NOTIFICATION_FAILED, and the fault names the condition. */
NODISCARD enum ipsec_status
xfrm_filter_policies(const struct plane_filter *filter,
                     uint32_t instance,
                     struct kernel_policy policies_out[XFRM_FILTER_POLICIES_MAX],
                     size_t *count_out,
                     struct ipsec_fault *fault);
