/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_type.h: what the types of provider contexts hold. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/types.h"

/* Quick mode: transport and tunnel policies, which the engine understands. */
static inline bool
policy_type_is_transport(uint8_t type)
{
    return type == IPSEC_CONTEXT_IKE_QM_TRANSPORT || type == IPSEC_CONTEXT_AUTHIP_QM_TRANSPORT ||
           type == IPSEC_CONTEXT_IKEV2_QM_TRANSPORT;
}

static inline bool
policy_type_is_tunnel(uint8_t type)
{
    return type == IPSEC_CONTEXT_IKE_QM_TUNNEL || type == IPSEC_CONTEXT_AUTHIP_QM_TUNNEL ||
           type == IPSEC_CONTEXT_IKEV2_QM_TUNNEL;
}

static inline bool
policy_type_is_main_mode(uint8_t type)
{
    return type == IPSEC_CONTEXT_IKE_MM || type == IPSEC_CONTEXT_AUTHIP_MM ||
           type == IPSEC_CONTEXT_IKEV2_MM;
}
