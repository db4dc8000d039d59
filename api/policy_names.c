/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_names.c: see policy_names.h. */
#include "api/policy_names.h"

#include "engine/engine.h"
#include "engine/types.h"

#define FLAG(bits) ((int)UINT32_C(bits))

/* clang-format off */
static const struct codec_name type_rows[] = {
    { "ipsecKeyingContext",             IPSEC_CONTEXT_KEYING, NULL },
    { "ipsecIkeQmTransportContext",     IPSEC_CONTEXT_IKE_QM_TRANSPORT, NULL },
    { "ipsecIkeQmTunnelContext",        IPSEC_CONTEXT_IKE_QM_TUNNEL, NULL },
    { "ipsecAuthipQmTransportContext",  IPSEC_CONTEXT_AUTHIP_QM_TRANSPORT, NULL },
    { "ipsecAuthipQmTunnelContext",     IPSEC_CONTEXT_AUTHIP_QM_TUNNEL, NULL },
    { "ipsecIkeMmContext",              IPSEC_CONTEXT_IKE_MM, NULL },
    { "ipsecAuthipMmContext",           IPSEC_CONTEXT_AUTHIP_MM, NULL },
    { "classifyOptionsContext",         IPSEC_CONTEXT_CLASSIFY_OPTIONS, NULL },
    { "generalContext",                 IPSEC_CONTEXT_GENERAL, NULL },
    { "ipsecIkev2QmTunnelContext",      IPSEC_CONTEXT_IKEV2_QM_TUNNEL, NULL },
    { "ipsecIkev2MmContext",            IPSEC_CONTEXT_IKEV2_MM, NULL },
    { "ipsecDospContext",               IPSEC_CONTEXT_DOSP, NULL },
    { "ipsecIkev2QmTransportContext",   IPSEC_CONTEXT_IKEV2_QM_TRANSPORT, NULL },
    { "networkConnectionPolicyContext", IPSEC_CONTEXT_NETWORK_CONNECTION_POLICY, NULL },
};
_Static_assert(CODEC_COUNT(type_rows) == IPSEC_CONTEXT_TYPE_COUNT, "every type has a name");

static const struct codec_name context_flag_rows[] = {
    { "persistent", 0x1, NULL },
    { "downlevel",  0x2, NULL },
};

static const struct codec_name policy_flag_rows[] = {
    { "ndSecure",                          FLAG(0x00000002), NULL },
    { "ndBoundary",                        FLAG(0x00000004), NULL },
    { "clearDfOnTunnel",                   FLAG(0x00000008), NULL },
    { "natEncapAllowPeerBehindNat",        FLAG(0x00000010), NULL },
    { "natEncapAllowGeneralNatTraversal",  FLAG(0x00000020), NULL },
    { "dontNegotiateSecondLifetime",       FLAG(0x00000040), NULL },
    { "dontNegotiateByteLifetime",         FLAG(0x00000080), NULL },
    { "enableV6InV4Tunneling",             FLAG(0x00000100), NULL },
    { "enableServerAddrAssignment",        FLAG(0x00000200), NULL },
    { "tunnelAllowOutboundClearConnection", FLAG(0x00000400), NULL },
    { "tunnelBypassAlreadySecureConnection", FLAG(0x00000800), NULL },
    { "tunnelBypassIcmpv6",                FLAG(0x00001000), NULL },
    { "keyManagerAllowDictateKey",         FLAG(0x00002000), NULL },
    { "keyManagerAllowNotifyKey",          FLAG(0x00004000), NULL },
    { "siteToSiteTunnel",                  FLAG(0x00010000), NULL },
    { "pointToSiteTunnel",                 FLAG(0x00020000), NULL },
    { "bandwidth1",                        FLAG(0x10000000), NULL },
    { "bandwidth2",                        FLAG(0x20000000), NULL },
    { "bandwidth3",                        FLAG(0x40000000), NULL },
    { "bandwidth4",                        FLAG(0x80000000), NULL },
};

static const struct codec_name tunnel_flag_rows[] = {
    { "pointToPoint", IPSEC_TUNNEL_POINT_TO_POINT, NULL },
};
/* clang-format on */

const struct codec_names provider_context_types = {
    .rows = type_rows,
    .count = CODEC_COUNT(type_rows),
};
const struct codec_names provider_context_flags = {
    .rows = context_flag_rows,
    .count = CODEC_COUNT(context_flag_rows),
    .unknown = IPSEC_INVALID_FLAGS,
};
const struct codec_names policy_flags = {
    .rows = policy_flag_rows,
    .count = CODEC_COUNT(policy_flag_rows),
    .unknown = IPSEC_INVALID_FLAGS,
};
const struct codec_names tunnel_flags = {
    .rows = tunnel_flag_rows,
    .count = CODEC_COUNT(tunnel_flag_rows),
    .unknown = IPSEC_INVALID_FLAGS,
};
