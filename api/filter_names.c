/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_names.c: see filter_names.h. */
#include "api/filter_names.h"

#include <stdlib.h>

/* clang-format off */
static const struct codec_name layer_rows[] = {
    { "inboundTransportV4",  IPSEC_LAYER_INBOUND_TRANSPORT_V4,  "5926dfc8-e3cf-4426-a283-dc393f5d0f9d" },
    { "inboundTransportV6",  IPSEC_LAYER_INBOUND_TRANSPORT_V6,  "634a869f-fc23-4b90-b0c1-bf620a36ae6f" },
    { "outboundTransportV4", IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, "09e61aea-d214-46e2-9b21-b26b0b2f28c8" },
    { "outboundTransportV6", IPSEC_LAYER_OUTBOUND_TRANSPORT_V6, "e1735bde-013f-4655-b351-a49e15762df0" },
};

static const struct codec_name callout_rows[] = {
    { "ipsecInboundTransportV4",  IPSEC_CALLOUT_INBOUND_TRANSPORT_V4,  "5132900d-5e84-4b5f-80e4-01741e81ff10" },
    { "ipsecInboundTransportV6",  IPSEC_CALLOUT_INBOUND_TRANSPORT_V6,  "49d3ac92-2a6c-4dcf-955f-1c3be009dd99" },
    { "ipsecOutboundTransportV4", IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4, "4b46bf0a-4523-4e57-aa38-a87987c910d9" },
    { "ipsecOutboundTransportV6", IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6, "38d87722-ad83-4f11-a91f-df0fb077225b" },
    { "ipsecInboundTunnelV4",     IPSEC_CALLOUT_INBOUND_TUNNEL_V4,     "191a8a46-0bf8-46cf-b045-4b45dfa6a324" },
    { "ipsecInboundTunnelV6",     IPSEC_CALLOUT_INBOUND_TUNNEL_V6,     "80c342e3-1e53-4d6f-9b44-03df5aeee154" },
    { "ipsecOutboundTunnelV4",    IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4,    "70a4196c-835b-4fb0-98e8-075f4d977d46" },
    { "ipsecOutboundTunnelV6",    IPSEC_CALLOUT_OUTBOUND_TUNNEL_V6,    "f1835363-a6a5-4e62-b180-23db789d8da6" },
};

static const struct codec_name action_rows[] = {
    { "block",              IPSEC_ACTION_BLOCK,               NULL },
    { "permit",             IPSEC_ACTION_PERMIT,              NULL },
    { "calloutTerminating", IPSEC_ACTION_CALLOUT_TERMINATING, NULL },
    { "calloutInspection",  IPSEC_ACTION_CALLOUT_INSPECTION,  NULL },
    { "calloutUnknown",     IPSEC_ACTION_CALLOUT_UNKNOWN,     NULL },
};

static const struct codec_name condition_rows[] = {
    { "ipLocalAddress",  IPSEC_CONDITION_IP_LOCAL_ADDRESS,  "d9ee00de-c1ef-4617-bfe3-ffd8f5a08957" },
    { "ipRemoteAddress", IPSEC_CONDITION_IP_REMOTE_ADDRESS, "b235ae9a-1d64-49b8-a44c-5ff3d9095045" },
    { "ipProtocol",      IPSEC_CONDITION_IP_PROTOCOL,       "3971ef2b-623e-4f9a-8cb1-6e79b806b9a7" },
    { "ipLocalPort",     IPSEC_CONDITION_IP_LOCAL_PORT,     "0c1ba1af-5765-453f-af22-a8f791ac775b" },
    { "ipRemotePort",    IPSEC_CONDITION_IP_REMOTE_PORT,    "c35a604d-d22b-4e1a-91b4-68f674ee674b" },
};

static const struct codec_name match_type_rows[] = {
    { "equal", IPSEC_MATCH_EQUAL, NULL },
};
/* clang-format on */

/* FWP_MATCH_TYPE without EQUAL. */
static const char *const other_match_types[] = {
    "greater",     "less",         "greaterOrEqual",       "lessOrEqual", "range",  "flagsAllSet",
    "flagsAnySet", "flagsNoneSet", "equalCaseInsensitive", "notEqual",    "prefix", "notPrefix",
    NULL,
};

const struct codec_names filter_layers = {
    .rows = layer_rows,
    .count = CODEC_COUNT(layer_rows),
    .unknown = IPSEC_LAYER_NOT_FOUND,
};

const struct codec_names filter_callouts = {
    .rows = callout_rows,
    .count = CODEC_COUNT(callout_rows),
    .unknown = IPSEC_CALLOUT_NOT_FOUND,
};

const struct codec_names filter_actions = {
    .rows = action_rows,
    .count = CODEC_COUNT(action_rows),
    .unknown = IPSEC_INVALID_ACTION_TYPE,
};

const struct codec_names filter_conditions = {
    .rows = condition_rows,
    .count = CODEC_COUNT(condition_rows),
    .unknown = IPSEC_CONDITION_NOT_FOUND,
};

const struct codec_names filter_match_types = {
    .rows = match_type_rows,
    .count = CODEC_COUNT(match_type_rows),
    .not_carried = other_match_types,
    .not_carried_status = IPSEC_MATCH_TYPE_MISMATCH,
};

uint8_t
filter_layer_ip_version(enum ipsec_layer layer)
{
    switch (layer) {
    case IPSEC_LAYER_INBOUND_TRANSPORT_V4:
    case IPSEC_LAYER_OUTBOUND_TRANSPORT_V4:
    case IPSEC_LAYER_IPFORWARD_V4:
    case IPSEC_LAYER_IPSEC_V4:
    case IPSEC_LAYER_IKEEXT_V4:
        return IPSEC_IP_VERSION_V4;
    case IPSEC_LAYER_INBOUND_TRANSPORT_V6:
    case IPSEC_LAYER_OUTBOUND_TRANSPORT_V6:
    case IPSEC_LAYER_IPFORWARD_V6:
    case IPSEC_LAYER_IPSEC_V6:
    case IPSEC_LAYER_IKEEXT_V6:
        return IPSEC_IP_VERSION_V6;
    case IPSEC_LAYER_COUNT:
    default:
        abort();
    }
}
