/* SPDX-License-Identifier: Apache-2.0
 *
 * validate.c: see validate.h. */
#include "engine/validate.h"

#include <stdio.h>
#include <string.h>

#include "engine/classify.h"

/* What the addresses of SAs may not be. */
enum address_flaw {
    ADDRESS_FINE = 0,
    ADDRESS_UNSPECIFIED,
    ADDRESS_MULTICAST,
    ADDRESS_BROADCAST,
    ADDRESS_V4_MAPPED,
    ADDRESS_TRAILING_BYTES,
};
static const char *const address_flaw_texts[] = {
    [ADDRESS_FINE] = "",
    [ADDRESS_UNSPECIFIED] = "the unspecified address can't have an SA",
    [ADDRESS_MULTICAST] = "a multicast address can't have an SA",
    [ADDRESS_BROADCAST] = "the broadcast address can't have an SA",
    [ADDRESS_V4_MAPPED] = "an IPv4-mapped address never is in an IPv6 header; give it as IPv4",
    [ADDRESS_TRAILING_BYTES] = "an IPv4 address is 4 bytes long",
};

/* Which callout works at which layer. */
static const struct {
    uint8_t layer;
    bool tunnel;
} callout_rows[IPSEC_CALLOUT_COUNT] = {
    [IPSEC_CALLOUT_INBOUND_TRANSPORT_V4] = { IPSEC_LAYER_INBOUND_TRANSPORT_V4, false },
    [IPSEC_CALLOUT_INBOUND_TRANSPORT_V6] = { IPSEC_LAYER_INBOUND_TRANSPORT_V6, false },
    [IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4] = { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, false },
    [IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6] = { IPSEC_LAYER_OUTBOUND_TRANSPORT_V6, false },
    [IPSEC_CALLOUT_INBOUND_TUNNEL_V4] = { IPSEC_LAYER_INBOUND_TRANSPORT_V4, true },
    [IPSEC_CALLOUT_INBOUND_TUNNEL_V6] = { IPSEC_LAYER_INBOUND_TRANSPORT_V6, true },
    [IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4] = { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, true },
    [IPSEC_CALLOUT_OUTBOUND_TUNNEL_V6] = { IPSEC_LAYER_OUTBOUND_TRANSPORT_V6, true },
};

static enum ipsec_status check_transport_members(const struct ipsec_traffic *traffic,
                                                 struct ipsec_fault *fault);
static enum ipsec_status check_tunnel_members(const struct ipsec_traffic *traffic,
                                              struct ipsec_fault *fault);
static enum ipsec_status check_address(const struct ipsec_address *address,
                                       uint8_t ip_version,
                                       const char *pointer,
                                       struct ipsec_fault *fault);
static enum address_flaw flaw_of_v4(const uint8_t bytes[static 16]);
static enum address_flaw flaw_of_v6(const uint8_t bytes[static 16]);
static enum ipsec_status check_against_conditions(const struct ipsec_traffic *traffic,
                                                  const struct ipsec_filter *filter,
                                                  struct ipsec_fault *fault);
static enum ipsec_status check_against_condition(const struct ipsec_traffic *traffic,
                                                 const struct ipsec_condition *condition,
                                                 struct ipsec_fault *fault);
static enum ipsec_status check_traffic_number(uint16_t number,
                                              const struct ipsec_condition *condition,
                                              const char *pointer,
                                              struct ipsec_fault *fault);
static enum ipsec_status check_action_values(const struct ipsec_filter *filter,
                                             struct ipsec_fault *fault);
static enum ipsec_status check_action_meaning(const struct ipsec_filter *filter,
                                              struct ipsec_fault *fault);
static enum ipsec_status check_conditions(const struct ipsec_filter *filter,
                                          struct ipsec_fault *fault);
static enum ipsec_status check_condition(const struct ipsec_condition *condition,
                                         unsigned index,
                                         uint8_t ip_version,
                                         struct ipsec_fault *fault);
static enum ipsec_status
check_text(const char *text, size_t maximum, const char *pointer, struct ipsec_fault *fault);
static size_t printable_length(const unsigned char *text);
static bool is_callout_action(uint16_t action);
static enum ipsec_status refuse(struct ipsec_fault *fault,
                                enum ipsec_status status,
                                const char *pointer,
                                const char *detail);

enum ipsec_status
validate_traffic_members(const struct ipsec_traffic *traffic, struct ipsec_fault *fault)
{
    if (traffic->type != IPSEC_TRAFFIC_TYPE_TRANSPORT && traffic->type != IPSEC_TRAFFIC_TYPE_TUNNEL)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/trafficType",
                      "is neither transport nor tunnel");
    if (traffic->type == IPSEC_TRAFFIC_TYPE_TRANSPORT && traffic->ipsec_filter_id == 0)
        return refuse(fault, IPSEC_NULL_POINTER, "/ipsecFilterId",
                      "transport traffic needs the id of its outbound filter");
    if (traffic->type == IPSEC_TRAFFIC_TYPE_TUNNEL && traffic->tunnel_policy_id == 0)
        return refuse(fault, IPSEC_NULL_POINTER, "/tunnelPolicyId",
                      "tunnel traffic needs the id of its tunnel policy");
    if (traffic->ip_version != IPSEC_IP_VERSION_V4 && traffic->ip_version != IPSEC_IP_VERSION_V6)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/ipVersion", "is neither v4 nor v6");

    return IPSEC_OK;
}

enum ipsec_status
validate_traffic_meaning(const struct ipsec_traffic *traffic, struct ipsec_fault *fault)
{
    enum ipsec_status status;

    status = traffic->type == IPSEC_TRAFFIC_TYPE_TRANSPORT ? check_transport_members(traffic, fault)
                                                           : check_tunnel_members(traffic, fault);
    if (status != IPSEC_OK)
        return status;
    status = check_address(&traffic->local_address, traffic->ip_version, "/localAddress", fault);
    if (status != IPSEC_OK)
        return status;
    status = check_address(&traffic->remote_address, traffic->ip_version, "/remoteAddress", fault);
    if (status != IPSEC_OK)
        return status;
    if (traffic->type == IPSEC_TRAFFIC_TYPE_TUNNEL &&
        memcmp(&traffic->local_address, &traffic->remote_address, sizeof traffic->local_address) ==
            0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/remoteAddress",
                      "a tunnel can't end where it begins");
    return IPSEC_OK;
}

enum ipsec_status
validate_traffic_filter(const struct ipsec_traffic *traffic,
                        const struct ipsec_filter *filter,
                        struct ipsec_fault *fault)
{
    if (layer_direction(filter->layer) != IPSEC_DIRECTION_OUTBOUND ||
        layer_ip_version(filter->layer) != traffic->ip_version)
        return ipsec_fault_set(fault, IPSEC_INCOMPATIBLE_LAYER, IPSEC_FAULT_BODY, "/ipsecFilterId",
                               "filter %llu is not at the outbound transport layer of IP%s",
                               (unsigned long long)filter->id,
                               traffic->ip_version == IPSEC_IP_VERSION_V4 ? "v4" : "v6");
    if (filter->callout == IPSEC_CALLOUT_NONE || callout_rows[filter->callout].tunnel)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, "/ipsecFilterId",
                               "filter %llu does not have the IPsec transport callout",
                               (unsigned long long)filter->id);
    return check_against_conditions(traffic, filter, fault);
}

enum ipsec_status
validate_inbound_filter(const struct ipsec_traffic *traffic,
                        const struct ipsec_filter *filter,
                        const char *pointer,
                        struct ipsec_fault *fault)
{
    struct ipsec_fault flaw = { .status = IPSEC_OK };

    if ((filter->layer != IPSEC_LAYER_INBOUND_TRANSPORT_V4 &&
         filter->layer != IPSEC_LAYER_INBOUND_TRANSPORT_V6) ||
        layer_ip_version(filter->layer) != traffic->ip_version)
        return ipsec_fault_set(fault, IPSEC_INCOMPATIBLE_LAYER, IPSEC_FAULT_BODY, pointer,
                               "filter %llu is not at the inbound transport layer of IP%s",
                               (unsigned long long)filter->id,
                               traffic->ip_version == IPSEC_IP_VERSION_V4 ? "v4" : "v6");
    if (filter->callout == IPSEC_CALLOUT_NONE || callout_rows[filter->callout].tunnel)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, pointer,
                               "filter %llu does not have the IPsec transport callout",
                               (unsigned long long)filter->id);
    enum ipsec_status status = check_against_conditions(traffic, filter, &flaw);
    if (status != IPSEC_OK)
        return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer,
                               "the context's traffic %s: %s", flaw.pointer + 1, flaw.detail);
    return IPSEC_OK;
}

enum ipsec_status
validate_filter(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    enum ipsec_status status;

    if (filter->name == NULL || filter->name[0] == '\0')
        return refuse(fault, IPSEC_NULL_DISPLAY_NAME, "/displayData/name",
                      "a filter needs a display name");
    if (is_callout_action(filter->action) && filter->callout == IPSEC_CALLOUT_NONE)
        return refuse(fault, IPSEC_NULL_POINTER, "/action/callout",
                      "a callout action needs a callout");

    status = check_text(filter->name, IPSEC_DISPLAY_NAME_MAX, "/displayData/name", fault);
    if (status != IPSEC_OK)
        return status;
    if (filter->description != NULL) {
        status = check_text(filter->description, IPSEC_DISPLAY_DESCRIPTION_MAX,
                            "/displayData/description", fault);
        if (status != IPSEC_OK)
            return status;
    }
    if (filter->weight_type > IPSEC_WEIGHT_EXPLICIT ||
        (filter->weight_type == IPSEC_WEIGHT_RANGE && filter->weight > 15))
        return refuse(fault, IPSEC_INVALID_WEIGHT, "/weight",
                      "a weight is absent, a range from 0 to 15, or a 64-bit integer");

    if (filter->layer >= IPSEC_LAYER_COUNT)
        return refuse(fault, IPSEC_LAYER_NOT_FOUND, "/layer", "no layer has this number");
    status = check_action_values(filter, fault);
    if (status != IPSEC_OK)
        return status;
    status = check_conditions(filter, fault);
    if (status != IPSEC_OK)
        return status;
    return check_action_meaning(filter, fault);
}

uint8_t
layer_ip_version(enum ipsec_layer layer)
{
    return layer % 2 == 0 ? IPSEC_IP_VERSION_V4 : IPSEC_IP_VERSION_V6;
}

enum ipsec_direction
layer_direction(enum ipsec_layer layer)
{
    return layer == IPSEC_LAYER_INBOUND_TRANSPORT_V4 || layer == IPSEC_LAYER_INBOUND_TRANSPORT_V6
               ? IPSEC_DIRECTION_INBOUND
               : IPSEC_DIRECTION_OUTBOUND;
}

bool
validate_is_printable(const char *text)
{
    return text[printable_length((const unsigned char *)text)] == '\0';
}

static enum ipsec_status
check_transport_members(const struct ipsec_traffic *traffic, struct ipsec_fault *fault)
{
    if (traffic->tunnel_policy_id != 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/tunnelPolicyId",
                      "transport traffic has a filter, not a tunnel policy");
    return IPSEC_OK;
}

static enum ipsec_status
check_tunnel_members(const struct ipsec_traffic *traffic, struct ipsec_fault *fault)
{
    if (traffic->ipsec_filter_id != 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/ipsecFilterId",
                      "tunnel traffic has a tunnel policy, not a filter");
    if (traffic->local_port != 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/localPort",
                      "ports of a tunnel are in its policy");
    if (traffic->remote_port != 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/remotePort",
                      "ports of a tunnel are in its policy");
    if (traffic->ip_protocol != 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/ipProtocol",
                      "the protocol of a tunnel is in its policy");
    return IPSEC_OK;
}

static enum ipsec_status
check_address(const struct ipsec_address *address,
              uint8_t ip_version,
              const char *pointer,
              struct ipsec_fault *fault)
{
    enum address_flaw flaw =
        ip_version == IPSEC_IP_VERSION_V4 ? flaw_of_v4(address->bytes) : flaw_of_v6(address->bytes);

    if (flaw == ADDRESS_FINE)
        return IPSEC_OK;
    return refuse(fault, IPSEC_INVALID_PARAMETER, pointer, address_flaw_texts[flaw]);
}

static enum address_flaw
flaw_of_v4(const uint8_t bytes[static 16])
{
    static const uint8_t zero[16];
    static const uint8_t ones[4] = { 255, 255, 255, 255 };

    if (memcmp(bytes + 4, zero, 12) != 0)
        return ADDRESS_TRAILING_BYTES;
    if (memcmp(bytes, zero, 4) == 0)
        return ADDRESS_UNSPECIFIED;
    if (memcmp(bytes, ones, 4) == 0)
        return ADDRESS_BROADCAST;
    return (bytes[0] & 0xf0) == 0xe0 ? ADDRESS_MULTICAST : ADDRESS_FINE;
}

static enum address_flaw
flaw_of_v6(const uint8_t bytes[static 16])
{
    static const uint8_t zero[16];
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (memcmp(bytes, zero, sizeof zero) == 0)
        return ADDRESS_UNSPECIFIED;
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return ADDRESS_V4_MAPPED;
    return bytes[0] == 0xff ? ADDRESS_MULTICAST : ADDRESS_FINE;
}

static enum ipsec_status
check_against_conditions(const struct ipsec_traffic *traffic,
                         const struct ipsec_filter *filter,
                         struct ipsec_fault *fault)
{
    for (size_t i = 0; i < filter->condition_count; i++) {
        enum ipsec_status status = check_against_condition(traffic, &filter->conditions[i], fault);

        if (status != IPSEC_OK)
            return status;
    }
    return IPSEC_OK;
}

static enum ipsec_status
check_against_condition(const struct ipsec_traffic *traffic,
                        const struct ipsec_condition *condition,
                        struct ipsec_fault *fault)
{
    switch ((enum ipsec_condition_field)condition->field) {
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS:
        if (address_matches(&traffic->local_address, &condition->address, condition->prefix_length))
            return IPSEC_OK;
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/localAddress",
                      "is outside the filter's condition on the local address");
    case IPSEC_CONDITION_IP_REMOTE_ADDRESS:
        if (address_matches(&traffic->remote_address, &condition->address,
                            condition->prefix_length))
            return IPSEC_OK;
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/remoteAddress",
                      "is outside the filter's condition on the remote address");
    case IPSEC_CONDITION_IP_PROTOCOL:
        return check_traffic_number(traffic->ip_protocol, condition, "/ipProtocol", fault);
    case IPSEC_CONDITION_IP_LOCAL_PORT:
        return check_traffic_number(traffic->local_port, condition, "/localPort", fault);
    case IPSEC_CONDITION_IP_REMOTE_PORT:
        return check_traffic_number(traffic->remote_port, condition, "/remotePort", fault);
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE:
    case IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE:
    case IPSEC_CONDITION_IP_LOCAL_INTERFACE:
    case IPSEC_CONDITION_FLAGS:
    case IPSEC_CONDITION_FIELD_COUNT:
        break;
    }
    return IPSEC_OK;
}

static enum ipsec_status
check_traffic_number(uint16_t number,
                     const struct ipsec_condition *condition,
                     const char *pointer,
                     struct ipsec_fault *fault)
{
    if (number == 0 || number == condition->number)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, pointer,
                           "contradicts the filter, whose condition says %llu",
                           (unsigned long long)condition->number);
}

static enum ipsec_status
check_action_values(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    if (filter->action != IPSEC_ACTION_BLOCK && filter->action != IPSEC_ACTION_PERMIT &&
        !is_callout_action(filter->action))
        return refuse(fault, IPSEC_INVALID_ACTION_TYPE, "/action/type",
                      "a filter blocks, permits or asks a callout");
    if (filter->callout >= IPSEC_CALLOUT_COUNT)
        return refuse(fault, IPSEC_CALLOUT_NOT_FOUND, "/action/callout",
                      "no callout has this number");
    return IPSEC_OK;
}

/* Whether action, callout and layer go together.  The IPsec callouts decide about packets, so an
 * action that only inspects is not theirs; "unknown" leaves open which kind the callout is. */
static enum ipsec_status
check_action_meaning(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    if (!is_callout_action(filter->action)) {
        if (filter->callout == IPSEC_CALLOUT_NONE)
            return IPSEC_OK;
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/action/callout",
                      "a filter that blocks or permits has no callout");
    }
    if (callout_rows[filter->callout].layer != filter->layer)
        return refuse(fault, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER, "/action/callout",
                      "the callout does not work at this layer");
    if (filter->action == IPSEC_ACTION_CALLOUT_INSPECTION)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/action/type",
                      "the IPsec callouts are terminating, they do not only inspect");
    if (callout_rows[filter->callout].tunnel)
        return refuse(fault, IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT, "/action/callout",
                      "a tunnel callout needs the provider context of a tunnel policy");
    return IPSEC_OK;
}

static enum ipsec_status
check_conditions(const struct ipsec_filter *filter, struct ipsec_fault *fault)
{
    unsigned seen = 0;

    if (filter->condition_count > IPSEC_CONDITION_FIELD_COUNT)
        return refuse(fault, IPSEC_DUPLICATE_CONDITION, "/conditions",
                      "there are more conditions than fields");
    for (unsigned i = 0; i < filter->condition_count; i++) {
        const struct ipsec_condition *condition = &filter->conditions[i];
        enum ipsec_status status =
            check_condition(condition, i, layer_ip_version(filter->layer), fault);

        if (status != IPSEC_OK)
            return status;
        if ((seen & (1u << condition->field)) != 0) {
            char pointer[48];

            (void)snprintf(pointer, sizeof pointer, "/conditions/%u/field", i);
            return refuse(fault, IPSEC_DUPLICATE_CONDITION, pointer,
                          "an earlier condition is on the same field");
        }
        seen |= 1u << condition->field;
    }
    return IPSEC_OK;
}

static enum ipsec_status
check_condition(const struct ipsec_condition *condition,
                unsigned index,
                uint8_t ip_version,
                struct ipsec_fault *fault)
{
    unsigned prefix_maximum = ip_version == IPSEC_IP_VERSION_V4 ? 32 : 128;
    bool is_address = condition->field <= IPSEC_CONDITION_IP_REMOTE_ADDRESS;
    char pointer[48];

    if (condition->field >= IPSEC_CONDITION_FIELD_COUNT) {
        (void)snprintf(pointer, sizeof pointer, "/conditions/%u/field", index);
        return refuse(fault, IPSEC_CONDITION_NOT_FOUND, pointer, "the layer has no such field");
    }
    if (condition->match != IPSEC_MATCH_EQUAL) {
        (void)snprintf(pointer, sizeof pointer, "/conditions/%u/match", index);
        return refuse(fault, IPSEC_MATCH_TYPE_MISMATCH, pointer, "only equal is possible here");
    }
    (void)snprintf(pointer, sizeof pointer, "/conditions/%u/value", index);
    if (is_address && condition->prefix_length > prefix_maximum)
        return ipsec_fault_set(fault, IPSEC_INVALID_NET_MASK, IPSEC_FAULT_BODY, pointer,
                               "the prefix is longer than %u bits", prefix_maximum);
    if (condition->field == IPSEC_CONDITION_IP_PROTOCOL && condition->number > 255)
        return refuse(fault, IPSEC_OUT_OF_BOUNDS, pointer, "an IP protocol is at most 255");
    return IPSEC_OK;
}

static enum ipsec_status
check_text(const char *text, size_t maximum, const char *pointer, struct ipsec_fault *fault)
{
    size_t length = strnlen(text, maximum + 1);

    if (length > maximum)
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, pointer,
                               "is longer than %zu bytes", maximum);
    if (printable_length((const unsigned char *)text) != length)
        return refuse(fault, IPSEC_INVALID_PARAMETER, pointer,
                      "is not UTF-8 text without control characters");
    return IPSEC_OK;
}

/* How many bytes from the start are UTF-8 without control characters (C0, DEL, C1). */
static size_t
printable_length(const unsigned char *text)
{
    static const uint32_t lowest[] = { 0, 0x80, 0x800, 0x10000 };
    size_t i = 0;

    while (text[i] != '\0') {
        unsigned char lead = text[i];
        size_t more = lead < 0x80 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        uint32_t code = lead;

        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4)
            return i;
        if (more > 0)
            code = lead & (0x3fu >> more);
        for (size_t j = 1; j <= more; j++) {
            if ((text[i + j] & 0xc0) != 0x80)
                return i;
            code = code << 6 | (text[i + j] & 0x3f);
        }
        if (code < lowest[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ||
            code < 0x20 || (code >= 0x7f && code <= 0x9f))
            return i;
        i += more + 1;
    }
    return i;
}

static bool
is_callout_action(uint16_t action)
{
    return action == IPSEC_ACTION_CALLOUT_TERMINATING ||
           action == IPSEC_ACTION_CALLOUT_INSPECTION || action == IPSEC_ACTION_CALLOUT_UNKNOWN;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *pointer, const char *detail)
{
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
