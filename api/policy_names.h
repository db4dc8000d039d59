/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_names.h: names of what provider contexts and tunnels are made of. */
#pragma once

#include "api/codec.h"

extern const struct codec_names provider_context_types; /* enum ipsec_provider_context_type */
extern const struct codec_names provider_context_flags; /* FWPM_PROVIDER_CONTEXT_FLAG_* */
extern const struct codec_names policy_flags;           /* IPSEC_POLICY_FLAG_* */
extern const struct codec_names tunnel_flags;           /* FWPM_TUNNEL_FLAG_* */
