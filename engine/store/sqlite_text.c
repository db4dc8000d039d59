/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_text.c: see sqlite_text.h. */
#include "engine/store/sqlite_text.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "engine/base/access.h"

struct name_row {
    uint16_t value;
    const char *text;
};

struct sqlite_names {
    size_t count;
    const struct name_row *rows;
};

#define NAMES(array)                                                                               \
    {                                                                                              \
        .count = sizeof(array) / sizeof *(array), .rows = (array)                                  \
    }

/* clang-format off */
static const struct name_row states[] = {
    { IPSEC_SA_CONTEXT_CREATED,  "created" },
    { IPSEC_SA_CONTEXT_SPI_SET,  "spiSet" },
    { IPSEC_SA_CONTEXT_INBOUND,  "inbound" },
    { IPSEC_SA_CONTEXT_ACTIVE,   "active" },
    { IPSEC_SA_CONTEXT_EXPIRING, "expiring" },
    { IPSEC_SA_CONTEXT_EXPIRED,  "expired" },
};
_Static_assert(sizeof states / sizeof *states == IPSEC_SA_CONTEXT_STATE_COUNT, "every state");

static const struct name_row traffic_types[] = {
    { IPSEC_TRAFFIC_TYPE_TRANSPORT, "transport" },
    { IPSEC_TRAFFIC_TYPE_TUNNEL,    "tunnel" },
};

static const struct name_row layers[] = {
    { IPSEC_LAYER_INBOUND_TRANSPORT_V4,  "inboundTransportV4" },
    { IPSEC_LAYER_INBOUND_TRANSPORT_V6,  "inboundTransportV6" },
    { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, "outboundTransportV4" },
    { IPSEC_LAYER_OUTBOUND_TRANSPORT_V6, "outboundTransportV6" },
    { IPSEC_LAYER_IPFORWARD_V4,          "ipforwardV4" },
    { IPSEC_LAYER_IPFORWARD_V6,          "ipforwardV6" },
    { IPSEC_LAYER_IPSEC_V4,              "ipsecV4" },
    { IPSEC_LAYER_IPSEC_V6,              "ipsecV6" },
    { IPSEC_LAYER_IKEEXT_V4,             "ikeextV4" },
    { IPSEC_LAYER_IKEEXT_V6,             "ikeextV6" },
};
_Static_assert(sizeof layers / sizeof *layers == IPSEC_LAYER_COUNT, "every layer");

static const struct name_row callouts[] = {
    { IPSEC_CALLOUT_NONE,                  "none" },
    { IPSEC_CALLOUT_INBOUND_TRANSPORT_V4,  "ipsecInboundTransportV4" },
    { IPSEC_CALLOUT_INBOUND_TRANSPORT_V6,  "ipsecInboundTransportV6" },
    { IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4, "ipsecOutboundTransportV4" },
    { IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6, "ipsecOutboundTransportV6" },
    { IPSEC_CALLOUT_INBOUND_TUNNEL_V4,     "ipsecInboundTunnelV4" },
    { IPSEC_CALLOUT_INBOUND_TUNNEL_V6,     "ipsecInboundTunnelV6" },
    { IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4,    "ipsecOutboundTunnelV4" },
    { IPSEC_CALLOUT_OUTBOUND_TUNNEL_V6,    "ipsecOutboundTunnelV6" },
    { IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V4,  "ipsecForwardInboundTunnelV4" },
    { IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V6,  "ipsecForwardInboundTunnelV6" },
    { IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4, "ipsecForwardOutboundTunnelV4" },
    { IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V6, "ipsecForwardOutboundTunnelV6" },
};
_Static_assert(sizeof callouts / sizeof *callouts == IPSEC_CALLOUT_COUNT, "every callout");

static const struct name_row actions[] = {
    { IPSEC_ACTION_BLOCK,               "block" },
    { IPSEC_ACTION_PERMIT,              "permit" },
    { IPSEC_ACTION_CALLOUT_TERMINATING, "calloutTerminating" },
    { IPSEC_ACTION_CALLOUT_INSPECTION,  "calloutInspection" },
    { IPSEC_ACTION_CALLOUT_UNKNOWN,     "calloutUnknown" },
};

static const struct name_row weight_types[] = {
    { IPSEC_WEIGHT_AUTOMATIC, "automatic" },
    { IPSEC_WEIGHT_RANGE,     "range" },
    { IPSEC_WEIGHT_EXPLICIT,  "explicit" },
};

static const struct name_row fields[] = {
    { IPSEC_CONDITION_IP_LOCAL_ADDRESS,  "ipLocalAddress" },
    { IPSEC_CONDITION_IP_REMOTE_ADDRESS, "ipRemoteAddress" },
    { IPSEC_CONDITION_IP_PROTOCOL,       "ipProtocol" },
    { IPSEC_CONDITION_IP_LOCAL_PORT,     "ipLocalPort" },
    { IPSEC_CONDITION_IP_REMOTE_PORT,    "ipRemotePort" },
    { IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE,       "ipLocalAddressType" },
    { IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE, "ipDestinationAddressType" },
    { IPSEC_CONDITION_IP_LOCAL_INTERFACE,          "ipLocalInterface" },
    { IPSEC_CONDITION_FLAGS,                       "flags" },
};
_Static_assert(sizeof fields / sizeof *fields == IPSEC_CONDITION_FIELD_COUNT, "every field");

static const struct name_row matches[] = {
    { IPSEC_MATCH_EQUAL,                  "equal" },
    { IPSEC_MATCH_GREATER,                "greater" },
    { IPSEC_MATCH_LESS,                   "less" },
    { IPSEC_MATCH_GREATER_OR_EQUAL,       "greaterOrEqual" },
    { IPSEC_MATCH_LESS_OR_EQUAL,          "lessOrEqual" },
    { IPSEC_MATCH_RANGE,                  "range" },
    { IPSEC_MATCH_FLAGS_ALL_SET,          "flagsAllSet" },
    { IPSEC_MATCH_FLAGS_ANY_SET,          "flagsAnySet" },
    { IPSEC_MATCH_FLAGS_NONE_SET,         "flagsNoneSet" },
    { IPSEC_MATCH_EQUAL_CASE_INSENSITIVE, "equalCaseInsensitive" },
    { IPSEC_MATCH_NOT_EQUAL,              "notEqual" },
};
_Static_assert(sizeof matches / sizeof *matches == IPSEC_MATCH_COUNT, "every match type");

static const struct name_row containers[] = {
    { IPSEC_CONTAINER_ENGINE,            "engine" },
    { IPSEC_CONTAINER_SA_DATABASE,       "saDatabase" },
    { IPSEC_CONTAINER_FILTERS,           "filters" },
    { IPSEC_CONTAINER_PROVIDER_CONTEXTS, "providerContexts" },
};
_Static_assert(sizeof containers / sizeof *containers == IPSEC_CONTAINER_COUNT, "all of them");

static const struct name_row directions[] = {
    { IPSEC_DIRECTION_OUTBOUND, "outbound" },
    { IPSEC_DIRECTION_INBOUND,  "inbound" },
};

static const struct name_row lifetimes[] = {
    { IPSEC_LIFETIME_STATIC,     "static" },
    { IPSEC_LIFETIME_PERSISTENT, "persistent" },
};

static const struct name_row sub_layers[] = {
    { IPSEC_SUB_LAYER_UNIVERSAL,                     "universal" },
    { IPSEC_SUB_LAYER_IPSEC_TUNNEL,                  "ipsecTunnel" },
    { IPSEC_SUB_LAYER_IPSEC_FORWARD_OUTBOUND_TUNNEL, "ipsecForwardOutboundTunnel" },
    { IPSEC_SUB_LAYER_LIPS,                          "lips" },
    { IPSEC_SUB_LAYER_INSPECTION,                    "inspection" },
};
_Static_assert(sizeof sub_layers / sizeof *sub_layers == IPSEC_SUB_LAYER_COUNT, "all of them");

static const struct name_row transform_types[] = {
    { IPSEC_TRANSFORM_AH,                  "ah" },
    { IPSEC_TRANSFORM_ESP_AUTH,            "espAuth" },
    { IPSEC_TRANSFORM_ESP_CIPHER,          "espCipher" },
    { IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER, "espAuthAndCipher" },
    { IPSEC_TRANSFORM_ESP_AUTH_FW,         "espAuthFw" },
};

static const struct name_row auth_transforms[] = {
    { IPSEC_AUTH_NONE,             "none" },
    { IPSEC_AUTH_HMAC_MD5_96,      "HMAC_MD5_96" },
    { IPSEC_AUTH_HMAC_SHA_1_96,    "HMAC_SHA_1_96" },
    { IPSEC_AUTH_HMAC_SHA_256_128, "HMAC_SHA_256_128" },
    { IPSEC_AUTH_GCM_AES_128,      "GCM_AES_128" },
    { IPSEC_AUTH_GCM_AES_192,      "GCM_AES_192" },
    { IPSEC_AUTH_GCM_AES_256,      "GCM_AES_256" },
};
_Static_assert(sizeof auth_transforms / sizeof *auth_transforms == IPSEC_AUTH_TRANSFORM_COUNT, "all of them");

static const struct name_row cipher_transforms[] = {
    { IPSEC_CIPHER_NONE,        "none" },
    { IPSEC_CIPHER_CBC_DES,     "CBC_DES" },
    { IPSEC_CIPHER_CBC_3DES,    "CBC_3DES" },
    { IPSEC_CIPHER_AES_128,     "AES_128" },
    { IPSEC_CIPHER_AES_192,     "AES_192" },
    { IPSEC_CIPHER_AES_256,     "AES_256" },
    { IPSEC_CIPHER_GCM_AES_128, "GCM_AES_128" },
    { IPSEC_CIPHER_GCM_AES_192, "GCM_AES_192" },
    { IPSEC_CIPHER_GCM_AES_256, "GCM_AES_256" },
};
_Static_assert(sizeof cipher_transforms / sizeof *cipher_transforms == IPSEC_CIPHER_TRANSFORM_COUNT, "all of them");

static const struct name_row pfs_groups[] = {
    { IPSEC_PFS_NONE,    "none" },
    { IPSEC_PFS_1,       "1" },
    { IPSEC_PFS_2,       "2" },
    { IPSEC_PFS_2048,    "2048" },
    { IPSEC_PFS_ECP_256, "ecp256" },
    { IPSEC_PFS_ECP_384, "ecp384" },
    { IPSEC_PFS_MM,      "mm" },
    { IPSEC_PFS_24,      "24" },
};
_Static_assert(sizeof pfs_groups / sizeof *pfs_groups == IPSEC_PFS_COUNT, "all of them");

static const struct name_row provider_context_types[] = {
    { IPSEC_CONTEXT_KEYING,                    "ipsecKeyingContext" },
    { IPSEC_CONTEXT_IKE_QM_TRANSPORT,          "ipsecIkeQmTransportContext" },
    { IPSEC_CONTEXT_IKE_QM_TUNNEL,             "ipsecIkeQmTunnelContext" },
    { IPSEC_CONTEXT_AUTHIP_QM_TRANSPORT,       "ipsecAuthipQmTransportContext" },
    { IPSEC_CONTEXT_AUTHIP_QM_TUNNEL,          "ipsecAuthipQmTunnelContext" },
    { IPSEC_CONTEXT_IKE_MM,                    "ipsecIkeMmContext" },
    { IPSEC_CONTEXT_AUTHIP_MM,                 "ipsecAuthipMmContext" },
    { IPSEC_CONTEXT_CLASSIFY_OPTIONS,          "classifyOptionsContext" },
    { IPSEC_CONTEXT_GENERAL,                   "generalContext" },
    { IPSEC_CONTEXT_IKEV2_QM_TUNNEL,           "ipsecIkev2QmTunnelContext" },
    { IPSEC_CONTEXT_IKEV2_MM,                  "ipsecIkev2MmContext" },
    { IPSEC_CONTEXT_DOSP,                      "ipsecDospContext" },
    { IPSEC_CONTEXT_IKEV2_QM_TRANSPORT,        "ipsecIkev2QmTransportContext" },
    { IPSEC_CONTEXT_NETWORK_CONNECTION_POLICY, "networkConnectionPolicyContext" },
};
_Static_assert(sizeof provider_context_types / sizeof *provider_context_types == IPSEC_CONTEXT_TYPE_COUNT, "all of them");
/* clang-format on */

const struct sqlite_names sqlite_state_names = NAMES(states);
const struct sqlite_names sqlite_traffic_type_names = NAMES(traffic_types);
const struct sqlite_names sqlite_layer_names = NAMES(layers);
const struct sqlite_names sqlite_callout_names = NAMES(callouts);
const struct sqlite_names sqlite_action_names = NAMES(actions);
const struct sqlite_names sqlite_weight_type_names = NAMES(weight_types);
const struct sqlite_names sqlite_field_names = NAMES(fields);
const struct sqlite_names sqlite_match_names = NAMES(matches);
const struct sqlite_names sqlite_container_names = NAMES(containers);
const struct sqlite_names sqlite_direction_names = NAMES(directions);
const struct sqlite_names sqlite_lifetime_names = NAMES(lifetimes);
const struct sqlite_names sqlite_sub_layer_names = NAMES(sub_layers);
const struct sqlite_names sqlite_transform_type_names = NAMES(transform_types);
const struct sqlite_names sqlite_auth_transform_names = NAMES(auth_transforms);
const struct sqlite_names sqlite_cipher_transform_names = NAMES(cipher_transforms);
const struct sqlite_names sqlite_pfs_group_names = NAMES(pfs_groups);
const struct sqlite_names sqlite_provider_context_type_names = NAMES(provider_context_types);

static bool is_address_field(uint8_t field);
static bool host_bits_are_zero(const struct ipsec_address *address, unsigned prefix_length);
static uint64_t maximum_of(uint8_t field);
static bool parse_address(const char *text,
                          const char *end,
                          enum ipsec_ip_version version,
                          struct ipsec_address *address_out);
static bool parse_decimal(const char *text, const char *end, uint64_t maximum, uint64_t *value_out);
static int hex_digit(char c);

const char *
sqlite_name(const struct sqlite_names *names, uint16_t value)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->rows[i].value == value)
            return names->rows[i].text;
    }
    return NULL;
}

bool
sqlite_name_parse(const struct sqlite_names *names, const char *text, uint16_t *value_out)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->rows[i].text, text) == 0) {
            *value_out = names->rows[i].value;
            return true;
        }
    }
    return false;
}

void
sqlite_address_format(enum ipsec_ip_version version,
                      const struct ipsec_address *address,
                      char text[SQLITE_ADDRESS_SIZE])
{
    if (version == IPSEC_IP_VERSION_V6) {
        if (inet_ntop(AF_INET6, address->bytes, text, SQLITE_ADDRESS_SIZE) == NULL)
            abort();
        return;
    }

    /* Twice a row: inet_ntop() formats through printf, which would be a tenth of a commit. */
    char *next = text;
    for (int i = 0; i < 4; i++) {
        unsigned byte = address->bytes[i];
        if (byte >= 100)
            *next++ = (char)('0' + byte / 100);
        if (byte >= 10)
            *next++ = (char)('0' + byte / 10 % 10);
        *next++ = (char)('0' + byte % 10);
        *next++ = i < 3 ? '.' : '\0';
    }
}

bool
sqlite_address_parse(const char *text, uint8_t *version_out, struct ipsec_address *address_out)
{
    bool v6 = strchr(text, ':') != NULL;

    *address_out = (struct ipsec_address){ { 0 } };
    *version_out = v6 ? IPSEC_IP_VERSION_V6 : IPSEC_IP_VERSION_V4;
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, address_out->bytes) == 1;
}

void
sqlite_condition_format(enum ipsec_ip_version version,
                        const struct ipsec_condition *condition,
                        char text[SQLITE_CONDITION_SIZE])
{
    bool is_range = condition->match == IPSEC_MATCH_RANGE;
    char low[SQLITE_ADDRESS_SIZE];
    char high[SQLITE_ADDRESS_SIZE];

    if (!is_address_field(condition->field)) {
        int size = snprintf(text, SQLITE_CONDITION_SIZE, "%" PRIu64, condition->number);
        if (is_range)
            (void)snprintf(text + size, SQLITE_CONDITION_SIZE - (size_t)size, "-%" PRIu64,
                           condition->number_high);
        return;
    }
    sqlite_address_format(version, &condition->address, low);
    sqlite_address_format(version, &condition->address_high, high);
    (void)snprintf(text, SQLITE_CONDITION_SIZE, "%s%s%s/%u", low, is_range ? "-" : "",
                   is_range ? high : "", (unsigned)condition->prefix_length);
}

bool
sqlite_condition_parse(enum ipsec_ip_version version,
                       const char *text,
                       struct ipsec_condition *condition)
{
    bool is_range = condition->match == IPSEC_MATCH_RANGE;
    const char *dash = strchr(text, '-');
    const char *end = text + strlen(text);

    if (is_range != (dash != NULL))
        return false;
    if (!is_address_field(condition->field))
        return parse_decimal(text, dash == NULL ? end : dash, maximum_of(condition->field),
                             &condition->number) &&
               (dash == NULL || parse_decimal(dash + 1, end, maximum_of(condition->field),
                                              &condition->number_high));

    const char *slash = strchr(text, '/');
    uint64_t prefix_length = 0;
    if (slash == NULL || (dash != NULL && dash > slash) ||
        !parse_address(text, dash == NULL ? slash : dash, version, &condition->address) ||
        (dash != NULL && !parse_address(dash + 1, slash, version, &condition->address_high)) ||
        !parse_decimal(slash + 1, end, version == IPSEC_IP_VERSION_V6 ? 128 : 32, &prefix_length))
        return false;
    condition->prefix_length = (uint8_t)prefix_length;
    return is_range || host_bits_are_zero(&condition->address, condition->prefix_length);
}

void
sqlite_guid_format(const struct ipsec_guid *guid, char text[SQLITE_GUID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *next = text;

    for (size_t i = 0; i < sizeof guid->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *next++ = '-';
        *next++ = digits[guid->bytes[i] >> 4];
        *next++ = digits[guid->bytes[i] & 15];
    }
    *next = '\0';
}

bool
sqlite_guid_parse(const char *text, struct ipsec_guid *guid_out)
{
    const char *next = text;

    for (size_t i = 0; i < sizeof guid_out->bytes; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *next++ != '-')
            return false;
        int high = hex_digit(next[0]);
        int low = high < 0 ? -1 : hex_digit(next[1]);
        if (low < 0)
            return false;
        guid_out->bytes[i] = (uint8_t)(high << 4 | low);
        next += 2;
    }
    return *next == '\0';
}

void
sqlite_weight_format(uint64_t weight, char text[SQLITE_WEIGHT_SIZE])
{
    (void)snprintf(text, SQLITE_WEIGHT_SIZE, "0x%016" PRIx64, weight);
}

bool
sqlite_weight_parse(const char *text, uint64_t *weight_out)
{
    uint64_t weight = 0;

    if (strlen(text) != SQLITE_WEIGHT_SIZE - 1 || text[0] != '0' || text[1] != 'x')
        return false;
    for (const char *next = text + 2; *next != '\0'; next++) {
        int digit = hex_digit(*next);
        if (digit < 0)
            return false;
        weight = weight << 4 | (uint64_t)digit;
    }
    *weight_out = weight;
    return true;
}

static bool
is_address_field(uint8_t field)
{
    return field == IPSEC_CONDITION_IP_LOCAL_ADDRESS || field == IPSEC_CONDITION_IP_REMOTE_ADDRESS;
}

static bool
host_bits_are_zero(const struct ipsec_address *address, unsigned prefix_length)
{
    for (unsigned i = 0; i < sizeof address->bytes; i++) {
        unsigned network_bits = prefix_length <= i * 8 ? 0 : prefix_length - i * 8;
        if (network_bits < 8 && (address->bytes[i] & (0xffu >> network_bits)) != 0)
            return false;
    }
    return true;
}

/* The largest number a field may be compared with. */
static uint64_t
maximum_of(uint8_t field)
{
    if (field == IPSEC_CONDITION_IP_LOCAL_INTERFACE)
        return UINT64_MAX;
    if (field == IPSEC_CONDITION_FLAGS)
        return UINT32_MAX;
    return field == IPSEC_CONDITION_IP_LOCAL_PORT || field == IPSEC_CONDITION_IP_REMOTE_PORT
               ? UINT16_MAX
               : UINT8_MAX;
}

static bool
parse_address(const char *text,
              const char *end,
              enum ipsec_ip_version version,
              struct ipsec_address *address_out)
{
    char address[SQLITE_ADDRESS_SIZE];
    uint8_t read_version = 0;

    if (end - text >= (ptrdiff_t)sizeof address)
        return false;
    memcpy(address, text, (size_t)(end - text));
    address[end - text] = '\0';
    return sqlite_address_parse(address, &read_version, address_out) && read_version == version;
}

static bool
parse_decimal(const char *text, const char *end, uint64_t maximum, uint64_t *value_out)
{
    uint64_t value = 0;

    if (text == end)
        return false;
    for (; text < end; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (*text < '0' || *text > '9' || value > (maximum - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *value_out = value;
    return true;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}
