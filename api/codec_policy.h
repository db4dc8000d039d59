/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_policy.h: what a provider context holds, as JSON.
 *
 * WFP's union has three arms here: the policies of transport and of tunnel mode, member by member,
 * and for all other types a text that is kept as it came.  The type says which. */
#pragma once

#include <stdint.h>

#include "api/codec.h"

enum policy_arm { POLICY_TRANSPORT, POLICY_TUNNEL, POLICY_OTHER };

/* Of an enum ipsec_provider_context_type. */
enum policy_arm policy_arm_of(uint8_t type);

/* Of struct ipsec_provider_context; absent unless the type has that arm. */
extern const struct codec_custom policy_transport_codec; /* 'object': codec_transport_policy */
extern const struct codec_custom policy_tunnel_codec;    /* 'object': codec_tunnel_policy */
extern const struct codec_custom policy_text_codec;
extern const struct codec_object codec_transport_policy;
extern const struct codec_object codec_tunnel_policy;
