/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_names.c: see sa_names.h.  Transform ids keep the spelling of their constants. */
#include "api/sa_names.h"

#include "engine/types.h"

#define FLAG(bits) ((int)UINT32_C(bits))
#define NAMES(array, unknown_status)                                                               \
    {                                                                                              \
        .rows = (array), .count = CODEC_COUNT(array), .unknown = (unknown_status)                  \
    }

/* clang-format off */
static const struct codec_name type_rows[] = {
    { "ah",               IPSEC_TRANSFORM_AH, NULL },
    { "espAuth",          IPSEC_TRANSFORM_ESP_AUTH, NULL },
    { "espCipher",        IPSEC_TRANSFORM_ESP_CIPHER, NULL },
    { "espAuthAndCipher", IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER, NULL },
    { "espAuthFw",        IPSEC_TRANSFORM_ESP_AUTH_FW, NULL },
};

static const struct codec_name token_type_rows[] = {
    { "machine",       IPSEC_TOKEN_MACHINE, NULL },
    { "impersonation", IPSEC_TOKEN_IMPERSONATION, NULL },
};
static const struct codec_name token_principal_rows[] = {
    { "local", IPSEC_TOKEN_LOCAL, NULL },
    { "peer",  IPSEC_TOKEN_PEER, NULL },
};
static const struct codec_name token_mode_rows[] = {
    { "main",     IPSEC_TOKEN_MAIN, NULL },
    { "extended", IPSEC_TOKEN_EXTENDED, NULL },
};

static const struct codec_name auth_rows[] = {
    { "HMAC_MD5_96",      IPSEC_AUTH_HMAC_MD5_96, NULL },
    { "HMAC_SHA_1_96",    IPSEC_AUTH_HMAC_SHA_1_96, NULL },
    { "HMAC_SHA_256_128", IPSEC_AUTH_HMAC_SHA_256_128, NULL },
    { "GCM_AES_128",      IPSEC_AUTH_GCM_AES_128, NULL },
    { "GCM_AES_192",      IPSEC_AUTH_GCM_AES_192, NULL },
    { "GCM_AES_256",      IPSEC_AUTH_GCM_AES_256, NULL },
};

static const struct codec_name cipher_rows[] = {
    { "CBC_DES",     IPSEC_CIPHER_CBC_DES, NULL },
    { "CBC_3DES",    IPSEC_CIPHER_CBC_3DES, NULL },
    { "AES_128",     IPSEC_CIPHER_AES_128, NULL },
    { "AES_192",     IPSEC_CIPHER_AES_192, NULL },
    { "AES_256",     IPSEC_CIPHER_AES_256, NULL },
    { "GCM_AES_128", IPSEC_CIPHER_GCM_AES_128, NULL },
    { "GCM_AES_192", IPSEC_CIPHER_GCM_AES_192, NULL },
    { "GCM_AES_256", IPSEC_CIPHER_GCM_AES_256, NULL },
};

static const struct codec_name group_rows[] = {
    { "none",   IPSEC_PFS_NONE, NULL },
    { "1",      IPSEC_PFS_1, NULL },
    { "2",      IPSEC_PFS_2, NULL },
    { "2048",   IPSEC_PFS_2048, NULL },
    { "ecp256", IPSEC_PFS_ECP_256, NULL },
    { "ecp384", IPSEC_PFS_ECP_384, NULL },
    { "mm",     IPSEC_PFS_MM, NULL },
    { "24",     IPSEC_PFS_24, NULL },
};
_Static_assert(CODEC_COUNT(group_rows) == IPSEC_PFS_COUNT, "every group has a name");

/* IPSEC_SA_BUNDLE_FLAG_*: those without an effect here are stored and given back. */
static const struct codec_name flag_rows[] = {
    { "ndSecure",                       FLAG(0x00000001), NULL },
    { "ndBoundary",                     FLAG(0x00000002), NULL },
    { "ndPeerNatBoundary",              FLAG(0x00000004), NULL },
    { "guaranteeEncryption",            FLAG(0x00000008), NULL },
    { "nlb",                            FLAG(0x00000010), NULL },
    { "noMachineLuidVerify",            FLAG(0x00000020), NULL },
    { "noImpersonationLuidVerify",      FLAG(0x00000040), NULL },
    { "noExplicitCredMatch",            FLAG(0x00000080), NULL },
    { "allowNullTargetNameMatch",       FLAG(0x00000200), NULL },
    { "clearDfOnTunnel",                FLAG(0x00000400), NULL },
    { "assumeUdpContextOutbound",       FLAG(0x00000800), NULL },
    { "ndPeerBoundary",                 FLAG(0x00001000), NULL },
    { "suppressDuplicateDeletion",      FLAG(0x00002000), NULL },
    { "peerSupportsGuaranteeEncryption", FLAG(0x00004000), NULL },
    { "forceInboundConnections",        FLAG(0x00008000), NULL },
    { "forceOutboundConnections",       FLAG(0x00010000), NULL },
    { "forwardPathInitiator",           FLAG(0x00020000), NULL },
    { "enableOptionalAsymmetricIdle",   FLAG(0x00040000), NULL },
    { "usingDictatedKeys",              FLAG(0x00080000), NULL },
    { "locallyDictatedKeys",            FLAG(0x00100000), NULL },
    { "saOffloaded",                    FLAG(0x00200000), NULL },
    { "ipInIpPkt",                      FLAG(0x00400000), NULL },
    { "lowPowerModeSupport",            FLAG(0x00800000), NULL },
    { "tunnelBandwidth1",               FLAG(0x10000000), NULL },
    { "tunnelBandwidth2",               FLAG(0x20000000), NULL },
    { "tunnelBandwidth3",               FLAG(0x40000000), NULL },
    { "tunnelBandwidth4",               FLAG(0x80000000), NULL },
};
/* clang-format on */

const struct codec_names sa_transform_types = NAMES(type_rows, IPSEC_OK);
const struct codec_names sa_auth_transforms = NAMES(auth_rows, IPSEC_INVALID_AUTH_TRANSFORM);
const struct codec_names sa_cipher_transforms = NAMES(cipher_rows, IPSEC_INVALID_CIPHER_TRANSFORM);
const struct codec_names sa_pfs_groups = NAMES(group_rows, IPSEC_OK);
const struct codec_names sa_token_types = NAMES(token_type_rows, IPSEC_OK);
const struct codec_names sa_token_principals = NAMES(token_principal_rows, IPSEC_OK);
const struct codec_names sa_token_modes = NAMES(token_mode_rows, IPSEC_OK);
const struct codec_names sa_bundle_flags = NAMES(flag_rows, IPSEC_INVALID_FLAGS);
