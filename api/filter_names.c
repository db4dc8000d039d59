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
    { "ipforwardV4",         IPSEC_LAYER_IPFORWARD_V4,          "a82acc24-4ee1-4ee1-b465-fd1d25cb10a4" },
    { "ipforwardV6",         IPSEC_LAYER_IPFORWARD_V6,          "7b964818-19c7-493a-b71f-832c3684d28c" },
    { "ipsecV4",             IPSEC_LAYER_IPSEC_V4,              "eda65c74-610d-4bc5-948f-3c4f89556867" },
    { "ipsecV6",             IPSEC_LAYER_IPSEC_V6,              "13c48442-8d87-4261-9a29-59d2abc348b4" },
    { "ikeextV4",            IPSEC_LAYER_IKEEXT_V4,             "b14b7bdb-dbbd-473e-bed4-8b4708d4f270" },
    { "ikeextV6",            IPSEC_LAYER_IKEEXT_V6,             "b64786b3-f687-4eb9-89d2-8ef32acdabe2" },
};
_Static_assert(CODEC_COUNT(layer_rows) == IPSEC_LAYER_COUNT, "every layer has a name");

static const struct codec_name sub_layer_rows[] = {
    { "universal",                  IPSEC_SUB_LAYER_UNIVERSAL,                     "eebecc03-ced4-4380-819a-2734397b2b74" },
    { "ipsecTunnel",                IPSEC_SUB_LAYER_IPSEC_TUNNEL,                  "83f299ed-9ff4-4967-aff4-c309f4dab827" },
    { "ipsecForwardOutboundTunnel", IPSEC_SUB_LAYER_IPSEC_FORWARD_OUTBOUND_TUNNEL, "a5082e73-8f71-4559-8a9a-101cea04ef87" },
    { "lips",                       IPSEC_SUB_LAYER_LIPS,                          "1b75c0ce-ff60-4711-a70f-b4958cc3b2d0" },
    { "inspection",                 IPSEC_SUB_LAYER_INSPECTION,                    "877519e1-e6a9-41a5-81b4-8c4f118e4a60" },
};
_Static_assert(CODEC_COUNT(sub_layer_rows) == IPSEC_SUB_LAYER_COUNT, "every sublayer has a name");

static const struct codec_name callout_rows[] = {
    { "ipsecInboundTransportV4",      IPSEC_CALLOUT_INBOUND_TRANSPORT_V4,       "5132900d-5e84-4b5f-80e4-01741e81ff10" },
    { "ipsecInboundTransportV6",      IPSEC_CALLOUT_INBOUND_TRANSPORT_V6,       "49d3ac92-2a6c-4dcf-955f-1c3be009dd99" },
    { "ipsecOutboundTransportV4",     IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4,      "4b46bf0a-4523-4e57-aa38-a87987c910d9" },
    { "ipsecOutboundTransportV6",     IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6,      "38d87722-ad83-4f11-a91f-df0fb077225b" },
    { "ipsecInboundTunnelV4",         IPSEC_CALLOUT_INBOUND_TUNNEL_V4,          "191a8a46-0bf8-46cf-b045-4b45dfa6a324" },
    { "ipsecInboundTunnelV6",         IPSEC_CALLOUT_INBOUND_TUNNEL_V6,          "80c342e3-1e53-4d6f-9b44-03df5aeee154" },
    { "ipsecOutboundTunnelV4",        IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4,         "70a4196c-835b-4fb0-98e8-075f4d977d46" },
    { "ipsecOutboundTunnelV6",        IPSEC_CALLOUT_OUTBOUND_TUNNEL_V6,         "f1835363-a6a5-4e62-b180-23db789d8da6" },
    { "ipsecForwardInboundTunnelV4",  IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V4,  "28829633-c4f0-4e66-873f-844db2a899c7" },
    { "ipsecForwardInboundTunnelV6",  IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V6,  "af50bec2-c686-429a-884d-b74443e7b0b4" },
    { "ipsecForwardOutboundTunnelV4", IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4, "fb532136-15cb-440b-937c-1717ca320c40" },
    { "ipsecForwardOutboundTunnelV6", IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V6, "dae640cc-e021-4bee-9eb6-a48b275c8c1d" },
};
_Static_assert(CODEC_COUNT(callout_rows) == IPSEC_CALLOUT_COUNT - 1, "every callout has a name");

static const struct codec_name action_rows[] = {
    { "block",              IPSEC_ACTION_BLOCK,               NULL },
    { "permit",             IPSEC_ACTION_PERMIT,              NULL },
    { "calloutTerminating", IPSEC_ACTION_CALLOUT_TERMINATING, NULL },
    { "calloutInspection",  IPSEC_ACTION_CALLOUT_INSPECTION,  NULL },
    { "calloutUnknown",     IPSEC_ACTION_CALLOUT_UNKNOWN,     NULL },
};

#define CONDITION_ROWS_BUT_ADDRESSES                                                                                         \
    { "ipProtocol",               IPSEC_CONDITION_IP_PROTOCOL,                 "3971ef2b-623e-4f9a-8cb1-6e79b806b9a7" },     \
    { "ipLocalPort",              IPSEC_CONDITION_IP_LOCAL_PORT,               "0c1ba1af-5765-453f-af22-a8f791ac775b" },     \
    { "ipRemotePort",             IPSEC_CONDITION_IP_REMOTE_PORT,              "c35a604d-d22b-4e1a-91b4-68f674ee674b" },     \
    { "ipLocalAddressType",       IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE,       "6ec7f6c4-376b-45d7-9e9c-d337cedcd237" },     \
    { "ipDestinationAddressType", IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE, "1ec1b7c9-4eea-4f5e-b9ef-76beaaaf17ee" },     \
    { "ipLocalInterface",         IPSEC_CONDITION_IP_LOCAL_INTERFACE,          "4cd62a49-59c3-4969-b7f3-bda5d32890a4" },     \
    { "flags",                    IPSEC_CONDITION_FLAGS,                       "632ce23b-5167-435c-86d7-e903684aa80c" }
static const struct codec_name condition_rows[] = {
    { "ipLocalAddress",           IPSEC_CONDITION_IP_LOCAL_ADDRESS,            "d9ee00de-c1ef-4617-bfe3-ffd8f5a08957" },
    { "ipRemoteAddress",          IPSEC_CONDITION_IP_REMOTE_ADDRESS,           "b235ae9a-1d64-49b8-a44c-5ff3d9095045" },
    CONDITION_ROWS_BUT_ADDRESSES,
};
static const struct codec_name forward_condition_rows[] = {
    { "ipSourceAddress",          IPSEC_CONDITION_IP_LOCAL_ADDRESS,            "ae96897e-2e94-4bc9-b313-b27ee80e574d" },
    { "ipDestinationAddress",     IPSEC_CONDITION_IP_REMOTE_ADDRESS,           "2d79133b-b390-45c6-8699-acaceaafed33" },
    CONDITION_ROWS_BUT_ADDRESSES,
};
_Static_assert(CODEC_COUNT(condition_rows) == IPSEC_CONDITION_FIELD_COUNT, "every field has a name");
_Static_assert(CODEC_COUNT(forward_condition_rows) == IPSEC_CONDITION_FIELD_COUNT, "here too");

static const struct codec_name match_type_rows[] = {
    { "equal",                IPSEC_MATCH_EQUAL,                  NULL },
    { "greater",              IPSEC_MATCH_GREATER,                NULL },
    { "less",                 IPSEC_MATCH_LESS,                   NULL },
    { "greaterOrEqual",       IPSEC_MATCH_GREATER_OR_EQUAL,       NULL },
    { "lessOrEqual",          IPSEC_MATCH_LESS_OR_EQUAL,          NULL },
    { "range",                IPSEC_MATCH_RANGE,                  NULL },
    { "flagsAllSet",          IPSEC_MATCH_FLAGS_ALL_SET,          NULL },
    { "flagsAnySet",          IPSEC_MATCH_FLAGS_ANY_SET,          NULL },
    { "flagsNoneSet",         IPSEC_MATCH_FLAGS_NONE_SET,         NULL },
    { "equalCaseInsensitive", IPSEC_MATCH_EQUAL_CASE_INSENSITIVE, NULL },
    { "notEqual",             IPSEC_MATCH_NOT_EQUAL,              NULL },
};
_Static_assert(CODEC_COUNT(match_type_rows) == IPSEC_MATCH_COUNT, "every match type has a name");

/* NL_ADDRESS_TYPE of nldef.h. */
static const struct codec_name address_type_rows[] = {
    { "unspecified", 0, NULL },
    { "unicast",     1, NULL },
    { "anycast",     2, NULL },
    { "multicast",   3, NULL },
    { "broadcast",   4, NULL },
};

static const struct codec_name flag_rows[] = {
    { "persistent",                  IPSEC_FILTER_PERSISTENT,                     NULL },
    { "boottime",                    IPSEC_FILTER_BOOTTIME,                       NULL },
    { "hasProviderContext",          IPSEC_FILTER_HAS_PROVIDER_CONTEXT,           NULL },
    { "clearActionRight",            IPSEC_FILTER_CLEAR_ACTION_RIGHT,             NULL },
    { "permitIfCalloutUnregistered", IPSEC_FILTER_PERMIT_IF_CALLOUT_UNREGISTERED, NULL },
    { "disabled",                    IPSEC_FILTER_DISABLED,                       NULL },
    { "indexed",                     IPSEC_FILTER_INDEXED,                        NULL },
};

static const struct codec_name lifetime_rows[] = {
    { "static",     IPSEC_LIFETIME_STATIC,     NULL },
    { "persistent", IPSEC_LIFETIME_PERSISTENT, NULL },
    { "dynamic",    IPSEC_LIFETIME_DYNAMIC,    NULL },
};
/* clang-format on */

/* FWP_MATCH_TYPE of later systems: tests of texts, which no field here is. */
static const char *const other_match_types[] = { "prefix", "notPrefix", NULL };

const struct codec_names filter_layers = {
    .rows = layer_rows,
    .count = CODEC_COUNT(layer_rows),
    .unknown = IPSEC_LAYER_NOT_FOUND,
};

const struct codec_names filter_sub_layers = {
    .rows = sub_layer_rows,
    .count = CODEC_COUNT(sub_layer_rows),
    .unknown = IPSEC_SUBLAYER_NOT_FOUND,
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

const struct codec_names filter_forward_conditions = {
    .rows = forward_condition_rows,
    .count = CODEC_COUNT(forward_condition_rows),
    .unknown = IPSEC_CONDITION_NOT_FOUND,
};

const struct codec_names filter_match_types = {
    .rows = match_type_rows,
    .count = CODEC_COUNT(match_type_rows),
    .not_carried = other_match_types,
    .not_carried_status = IPSEC_MATCH_TYPE_MISMATCH,
};

const struct codec_names filter_address_types = {
    .rows = address_type_rows,
    .count = CODEC_COUNT(address_type_rows),
};

const struct codec_names filter_flags = {
    .rows = flag_rows,
    .count = CODEC_COUNT(flag_rows),
    .unknown = IPSEC_INVALID_FLAGS,
};

const struct codec_names policy_lifetimes = {
    .rows = lifetime_rows,
    .count = CODEC_COUNT(lifetime_rows),
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

bool
filter_layer_forwards(enum ipsec_layer layer)
{
    return layer == IPSEC_LAYER_IPFORWARD_V4 || layer == IPSEC_LAYER_IPFORWARD_V6;
}
