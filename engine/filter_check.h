/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_check.h: what makes a filter valid, apart from what it refers to. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

/* What must be there and which values there are. */
NODISCARD enum ipsec_status filter_check_values(const struct ipsec_filter *filter,
                                                struct ipsec_fault *fault);

/* Whether its action, callout, layer, sublayer and contexts go together.  'context' is what its
 * providerContextKey names, null without one.  Layers and contexts:
 *   transport, forward  a tunnel callout needs a quick-mode tunnel policy, a transport callout may
 *                       have a quick-mode transport policy; without a callout there is none
 *   IPSEC               quick-mode policies, IKEEXT main-mode policies: no callout works there
 * Raw contexts are stored and have no effect here: what WFP would let pass in clear stays
 * protected. */
NODISCARD enum ipsec_status filter_check_meaning(const struct ipsec_filter *filter,
                                                 const struct ipsec_provider_context *context,
                                                 struct ipsec_fault *fault);
