/* SPDX-License-Identifier: Apache-2.0
 *
 * validate.c: see validate.h. */
#include "engine/validate.h"

#include <string.h>

#include "engine/condition.h"
#include "engine/layer.h"

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

static enum ipsec_status check_transport_members(const struct ipsec_traffic *traffic,
                                                 struct ipsec_fault *fault);
static enum ipsec_status check_tunnel_members(const struct ipsec_traffic *traffic,
                                              struct ipsec_fault *fault);
static enum address_flaw flaw_of_v4(const uint8_t bytes[static 16]);
static enum address_flaw flaw_of_v6(const uint8_t bytes[static 16]);
static enum ipsec_status check_against_conditions(const struct ipsec_traffic *traffic,
                                                  const struct ipsec_filter *filter,
                                                  struct ipsec_fault *fault);
static const char *pointer_of(uint8_t field);
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
    status =
        validate_sa_address(&traffic->local_address, traffic->ip_version, "/localAddress", fault);
    if (status != IPSEC_OK)
        return status;
    status =
        validate_sa_address(&traffic->remote_address, traffic->ip_version, "/remoteAddress", fault);
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
    if (filter->layer != layer_transport(IPSEC_DIRECTION_OUTBOUND, traffic->ip_version))
        return ipsec_fault_set(fault, IPSEC_INCOMPATIBLE_LAYER, IPSEC_FAULT_BODY, "/ipsecFilterId",
                               "filter %llu is not at the outbound transport layer of IP%s",
                               (unsigned long long)filter->id,
                               traffic->ip_version == IPSEC_IP_VERSION_V4 ? "v4" : "v6");
    if (!callout_is_transport((enum ipsec_callout)filter->callout))
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, "/ipsecFilterId",
                               "filter %llu does not have the IPsec transport callout",
                               (unsigned long long)filter->id);
    return check_against_conditions(traffic, filter, fault);
}

enum ipsec_status
validate_traffic_policy(const struct ipsec_traffic *traffic,
                        const struct ipsec_provider_context *policy,
                        struct ipsec_fault *fault)
{
    if (traffic->ip_version != policy->ip_version)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/ipVersion",
                      "is not that of the policy's tunnel endpoints");
    if (memcmp(&traffic->local_address, &policy->local_endpoint, sizeof policy->local_endpoint) !=
        0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/localAddress",
                      "is not the policy's local tunnel endpoint");
    if (memcmp(&traffic->remote_address, &policy->remote_endpoint,
               sizeof policy->remote_endpoint) != 0)
        return refuse(fault, IPSEC_INVALID_PARAMETER, "/remoteAddress",
                      "is not the policy's remote tunnel endpoint");
    return IPSEC_OK;
}

enum ipsec_status
validate_inbound_filter(const struct ipsec_traffic *traffic,
                        const struct ipsec_filter *filter,
                        const char *pointer,
                        struct ipsec_fault *fault)
{
    struct ipsec_fault flaw = { .status = IPSEC_OK };

    if (filter->layer != layer_transport(IPSEC_DIRECTION_INBOUND, traffic->ip_version))
        return ipsec_fault_set(fault, IPSEC_INCOMPATIBLE_LAYER, IPSEC_FAULT_BODY, pointer,
                               "filter %llu is not at the inbound transport layer of IP%s",
                               (unsigned long long)filter->id,
                               traffic->ip_version == IPSEC_IP_VERSION_V4 ? "v4" : "v6");
    if (!callout_is_transport((enum ipsec_callout)filter->callout))
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
validate_sa_address(const struct ipsec_address *address,
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
    static const char *const texts[IPSEC_CONDITION_FIELD_COUNT] = {
        [IPSEC_CONDITION_IP_LOCAL_ADDRESS] = "is outside the filter's condition on the local "
                                             "address",
        [IPSEC_CONDITION_IP_REMOTE_ADDRESS] = "is outside the filter's condition on the remote "
                                              "address",
        [IPSEC_CONDITION_IP_PROTOCOL] = "contradicts the filter's condition on the protocol",
        [IPSEC_CONDITION_IP_LOCAL_PORT] = "contradicts the filter's condition on the local port",
        [IPSEC_CONDITION_IP_REMOTE_PORT] = "contradicts the filter's condition on the remote port",
        [IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE] = "is not of the filter's local address type",
        [IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE] = "is not of the filter's destination "
                                                        "address type",
    };
    const struct classify_flow flow = {
        .local_address = traffic->local_address,
        .remote_address = traffic->remote_address,
        .local_port = traffic->local_port,
        .remote_port = traffic->remote_port,
        .ip_protocol = traffic->ip_protocol,
        .ip_version = traffic->ip_version,
    };

    for (size_t i = 0; i < filter->condition_count; i++) {
        const struct ipsec_condition *condition = &filter->conditions[i];

        if (condition_judge(condition, &flow) == CONDITION_FAILED)
            return refuse(fault, IPSEC_INVALID_PARAMETER, pointer_of(condition->field),
                          texts[condition->field]);
    }
    return IPSEC_OK;
}

/* The member of traffic that a condition is about. */
static const char *
pointer_of(uint8_t field)
{
    switch (field) {
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS:
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE:
        return "/localAddress";
    case IPSEC_CONDITION_IP_REMOTE_ADDRESS:
    case IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE:
        return "/remoteAddress";
    case IPSEC_CONDITION_IP_PROTOCOL:
        return "/ipProtocol";
    case IPSEC_CONDITION_IP_LOCAL_PORT:
        return "/localPort";
    default:
        return "/remotePort";
    }
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *pointer, const char *detail)
{
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
