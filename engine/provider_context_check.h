/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_context_check.h: what makes a provider context valid, apart from what it refers to. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

/* What must be there, which values there are, and, of transport and tunnel policies, whether they
 * make sense: proposals, flags, endpoints.  Policies of other types are not looked into. */
NODISCARD enum ipsec_status
provider_context_check(const struct ipsec_provider_context *provider_context,
                       struct ipsec_fault *fault);
