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
};
_Static_assert(sizeof fields / sizeof *fields == IPSEC_CONDITION_FIELD_COUNT, "every field");

static const struct name_row matches[] = {
    { IPSEC_MATCH_EQUAL, "equal" },
};
/* clang-format on */

const struct sqlite_names sqlite_state_names = NAMES(states);
const struct sqlite_names sqlite_traffic_type_names = NAMES(traffic_types);
const struct sqlite_names sqlite_layer_names = NAMES(layers);
const struct sqlite_names sqlite_callout_names = NAMES(callouts);
const struct sqlite_names sqlite_action_names = NAMES(actions);
const struct sqlite_names sqlite_weight_type_names = NAMES(weight_types);
const struct sqlite_names sqlite_field_names = NAMES(fields);
const struct sqlite_names sqlite_match_names = NAMES(matches);

static bool is_address_field(uint8_t field);
static bool host_bits_are_zero(const struct ipsec_address *address, unsigned prefix_length);
static bool parse_decimal(const char *text, unsigned long maximum, unsigned long *value_out);
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
    char address[SQLITE_ADDRESS_SIZE];

    if (!is_address_field(condition->field)) {
        (void)snprintf(text, SQLITE_CONDITION_SIZE, "%u", (unsigned)condition->number);
        return;
    }
    sqlite_address_format(version, &condition->address, address);
    (void)snprintf(text, SQLITE_CONDITION_SIZE, "%s/%u", address,
                   (unsigned)condition->prefix_length);
}

bool
sqlite_condition_parse(enum ipsec_ip_version version,
                       const char *text,
                       struct ipsec_condition *condition)
{
    unsigned long number = 0;

    if (!is_address_field(condition->field)) {
        unsigned long maximum =
            condition->field == IPSEC_CONDITION_IP_PROTOCOL ? UINT8_MAX : UINT16_MAX;
        if (!parse_decimal(text, maximum, &number))
            return false;
        condition->number = (uint16_t)number;
        return true;
    }

    char address[SQLITE_ADDRESS_SIZE];
    const char *slash = strchr(text, '/');
    uint8_t read_version = 0;

    if (slash == NULL || slash - text >= (ptrdiff_t)sizeof address)
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    if (!sqlite_address_parse(address, &read_version, &condition->address) ||
        read_version != version ||
        !parse_decimal(slash + 1, version == IPSEC_IP_VERSION_V6 ? 128 : 32, &number))
        return false;
    condition->prefix_length = (uint8_t)number;
    return host_bits_are_zero(&condition->address, condition->prefix_length);
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

static bool
parse_decimal(const char *text, unsigned long maximum, unsigned long *value_out)
{
    unsigned long value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (unsigned long)(*text - '0');
        if (value > maximum)
            return false;
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
