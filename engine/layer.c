/* SPDX-License-Identifier: Apache-2.0
 *
 * layer.c: see layer.h. */
#include "engine/layer.h"

static const uint8_t layers_of_callouts[IPSEC_CALLOUT_COUNT] = {
    [IPSEC_CALLOUT_NONE] = IPSEC_LAYER_COUNT,
    [IPSEC_CALLOUT_INBOUND_TRANSPORT_V4] = IPSEC_LAYER_INBOUND_TRANSPORT_V4,
    [IPSEC_CALLOUT_INBOUND_TRANSPORT_V6] = IPSEC_LAYER_INBOUND_TRANSPORT_V6,
    [IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4] = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
    [IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6] = IPSEC_LAYER_OUTBOUND_TRANSPORT_V6,
    [IPSEC_CALLOUT_INBOUND_TUNNEL_V4] = IPSEC_LAYER_INBOUND_TRANSPORT_V4,
    [IPSEC_CALLOUT_INBOUND_TUNNEL_V6] = IPSEC_LAYER_INBOUND_TRANSPORT_V6,
    [IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4] = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
    [IPSEC_CALLOUT_OUTBOUND_TUNNEL_V6] = IPSEC_LAYER_OUTBOUND_TRANSPORT_V6,
    [IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V4] = IPSEC_LAYER_IPFORWARD_V4,
    [IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V6] = IPSEC_LAYER_IPFORWARD_V6,
    [IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4] = IPSEC_LAYER_IPFORWARD_V4,
    [IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V6] = IPSEC_LAYER_IPFORWARD_V6,
};

/* Layers come in pairs, the one for IPv4 first. */
uint8_t
layer_ip_version(enum ipsec_layer layer)
{
    return layer % 2 == 0 ? IPSEC_IP_VERSION_V4 : IPSEC_IP_VERSION_V6;
}

enum ipsec_layer
layer_transport(enum ipsec_direction direction, uint8_t ip_version)
{
    if (direction == IPSEC_DIRECTION_INBOUND)
        return ip_version == IPSEC_IP_VERSION_V4 ? IPSEC_LAYER_INBOUND_TRANSPORT_V4
                                                 : IPSEC_LAYER_INBOUND_TRANSPORT_V6;
    return ip_version == IPSEC_IP_VERSION_V4 ? IPSEC_LAYER_OUTBOUND_TRANSPORT_V4
                                             : IPSEC_LAYER_OUTBOUND_TRANSPORT_V6;
}

enum ipsec_layer
callout_layer(enum ipsec_callout callout)
{
    return (enum ipsec_layer)layers_of_callouts[callout];
}

bool
callout_is_transport(enum ipsec_callout callout)
{
    return callout >= IPSEC_CALLOUT_INBOUND_TRANSPORT_V4 &&
           callout <= IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6;
}

bool
callout_is_tunnel(enum ipsec_callout callout)
{
    return callout >= IPSEC_CALLOUT_INBOUND_TUNNEL_V4 &&
           callout <= IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V6;
}
