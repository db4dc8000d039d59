/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_bundle.h: the states of the kernel that an SA bundle means. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/plane/plane.h"
#include "engine/plane/xfrm_msg.h"

/* Writes one state for each SA of the bundle, in its order.  With keys they are ready to be added
 * (keys are borrowed from the bundle); 'has_keys' false leaves the algorithms out: they name what
 * to delete or to ask for.  On failure '*reason_out' says what was wrong. */
NODISCARD enum ipsec_status xfrm_bundle_states(const struct plane_bundle *bundle,
                                               uint32_t instance,
                                               bool has_keys,
                                               struct kernel_sa states_out[IPSEC_SA_MAX],
                                               const char **reason_out);
