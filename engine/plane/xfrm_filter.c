/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_filter.c: the policies of the kernel that a filter means. */
#include "engine/plane/xfrm_filter.h"

#include <string.h>

#include <netinet/in.h>

#include <linux/xfrm.h>

#include "engine/plane/xfrm_algorithm.h"
#include "engine/plane/xfrm_owner.h"

#define UNICAST 1 /* NlatUnicast */

enum path {
    PATH_NONE = 0, /* the layer only looks policy up: no packet passes it */
    PATH_OUT,
    PATH_IN,
    PATH_FORWARD,
};

/* A filter's conditions before they have a direction. */
struct sides {
    uint8_t ip_version;
    uint8_t ip_protocol;
    uint8_t local_prefix;
    uint8_t remote_prefix;
    uint16_t local_port;
    uint16_t local_port_mask;
    uint16_t remote_port;
    uint16_t remote_port_mask;
    struct ipsec_address local;
    struct ipsec_address remote;
};

static enum ipsec_status
read_conditions(const struct ipsec_filter *filter, struct sides *sides, struct ipsec_fault *fault);
static struct kernel_selector selector_of(const struct sides *sides, enum path path);
static enum ipsec_status set_templates(const struct plane_filter *filter,
                                       struct kernel_policy *policy,
                                       struct ipsec_fault *fault);

static enum path
path_of(uint8_t layer)
{
    switch (layer) {
    case IPSEC_LAYER_OUTBOUND_TRANSPORT_V4:
    case IPSEC_LAYER_OUTBOUND_TRANSPORT_V6:
        return PATH_OUT;
    case IPSEC_LAYER_INBOUND_TRANSPORT_V4:
    case IPSEC_LAYER_INBOUND_TRANSPORT_V6:
        return PATH_IN;
    case IPSEC_LAYER_IPFORWARD_V4:
    case IPSEC_LAYER_IPFORWARD_V6:
        return PATH_FORWARD;
    default:
        return PATH_NONE;
    }
}

static bool
is_v6(uint8_t layer)
{
    return layer == IPSEC_LAYER_OUTBOUND_TRANSPORT_V6 ||
           layer == IPSEC_LAYER_INBOUND_TRANSPORT_V6 || layer == IPSEC_LAYER_IPFORWARD_V6;
}

static bool
is_tunnel(uint8_t callout)
{
    return callout >= IPSEC_CALLOUT_INBOUND_TUNNEL_V4 &&
           callout <= IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V6;
}

/* In Linux what is forwarded is checked as "forward" when it came in and sent through "out". */
static enum kernel_policy_direction
direction_of(const struct ipsec_filter *filter, enum path path)
{
    if (path == PATH_OUT || filter->callout == IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4 ||
        filter->callout == IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V6)
        return KERNEL_POLICY_OUT;
    return path == PATH_IN ? KERNEL_POLICY_IN : KERNEL_POLICY_FORWARD;
}

enum ipsec_status
xfrm_filter_policies(const struct plane_filter *filter,
                     uint32_t instance,
                     struct kernel_policy policies_out[XFRM_FILTER_POLICIES_MAX],
                     size_t *count_out,
                     struct ipsec_fault *fault)
{
    const struct ipsec_filter *from = filter->filter;
    enum path path = path_of(from->layer);
    struct sides sides = { .ip_version =
                               is_v6(from->layer) ? IPSEC_IP_VERSION_V6 : IPSEC_IP_VERSION_V4 };
    struct kernel_policy *policy = &policies_out[0];
    enum ipsec_status status = IPSEC_OK;
    size_t count = 1;

    *count_out = 0;
    if (path == PATH_NONE || (from->flags & IPSEC_FILTER_DISABLED) != 0)
        return IPSEC_OK;
    /* What a tunnel forwards its other filters cover: in Linux "out" is for all that leaves, and
     * inbound tunnels take what they forward, too. */
    if (path == PATH_FORWARD && from->tunnel_id != 0)
        return IPSEC_OK;
    if (from->action != IPSEC_ACTION_PERMIT && from->action != IPSEC_ACTION_BLOCK &&
        from->callout == IPSEC_CALLOUT_NONE)
        return ipsec_fault_set(fault, IPSEC_CALLOUT_NOTIFICATION_FAILED, IPSEC_FAULT_BODY,
                               "/action", "the kernel has nothing like this action");
    status = read_conditions(from, &sides, fault);
    if (status != IPSEC_OK)
        return status;

    *policy = (struct kernel_policy){
        .selector = selector_of(&sides, path),
        .direction = (uint8_t)direction_of(from, path),
        .is_block = from->action == IPSEC_ACTION_BLOCK,
        .priority = XFRM_PRIORITY_FILTERS + filter->rank,
    };
    if (from->callout != IPSEC_CALLOUT_NONE)
        status = set_templates(filter, policy, fault);
    if (status != IPSEC_OK)
        return status;
    if (policy->direction == KERNEL_POLICY_IN && is_tunnel(from->callout)) {
        policies_out[1] = *policy;
        policies_out[1].direction = KERNEL_POLICY_FORWARD;
        count = 2;
    }
    for (size_t i = 0; i < count; i++) {
        const struct xfrm_owner owner = {
            .instance = instance,
            .direction = policies_out[i].direction,
            .id = from->id,
        };

        xfrm_owner_write(&owner, policies_out[i].owner);
    }
    *count_out = count;
    return IPSEC_OK;
}

/* --- Conditions ------------------------------------------------------------------------------- */

static enum ipsec_status
refuse(const struct ipsec_filter *filter, size_t index, const char *what, struct ipsec_fault *fault)
{
    char pointer[32] = "/conditions/0";

    _Static_assert(IPSEC_CONDITION_FIELD_COUNT <= 10, "one digit is enough");
    (void)filter;
    pointer[sizeof "/conditions/" - 1] = (char)('0' + index);
    return ipsec_fault_set(fault, IPSEC_CALLOUT_NOTIFICATION_FAILED, IPSEC_FAULT_BODY, pointer,
                           "the kernel's policies can't express %s", what);
}

/* A range of numbers that one mask covers: its size is a power of two and it begins at a multiple
 * of that. */
static bool
to_mask(uint64_t low, uint64_t high, uint16_t *value_out, uint16_t *mask_out)
{
    uint64_t span = high - low + 1;

    if (low > high || high > UINT16_MAX || (span & (span - 1)) != 0 || (low & (span - 1)) != 0)
        return false;
    *value_out = (uint16_t)low;
    *mask_out = (uint16_t)(UINT16_MAX & ~(span - 1));
    return true;
}

/* The same for addresses: a prefix. */
static bool
to_prefix(const struct ipsec_condition *condition, uint8_t ip_version, uint8_t *prefix_out)
{
    size_t bits = ip_version == IPSEC_IP_VERSION_V6 ? 128 : 32;
    size_t prefix = 0;

    if (condition->match == IPSEC_MATCH_EQUAL) {
        *prefix_out = condition->prefix_length;
        return true;
    }
    if (condition->match != IPSEC_MATCH_RANGE)
        return false;
    for (prefix = 0; prefix < bits; prefix++) {
        uint8_t bit = (uint8_t)(0x80 >> (prefix % 8));

        if ((condition->address.bytes[prefix / 8] & bit) !=
            (condition->address_high.bytes[prefix / 8] & bit))
            break;
    }
    /* From the first difference on the low end is all zeros and the high one all ones. */
    for (size_t i = prefix; i < bits; i++) {
        uint8_t bit = (uint8_t)(0x80 >> (i % 8));

        if ((condition->address.bytes[i / 8] & bit) != 0 ||
            (condition->address_high.bytes[i / 8] & bit) == 0)
            return false;
    }
    *prefix_out = (uint8_t)prefix;
    return true;
}

static bool
read_port(const struct ipsec_condition *condition, uint16_t *port_out, uint16_t *mask_out)
{
    if (condition->match == IPSEC_MATCH_EQUAL)
        return to_mask(condition->number, condition->number, port_out, mask_out);
    return condition->match == IPSEC_MATCH_RANGE &&
           to_mask(condition->number, condition->number_high, port_out, mask_out);
}

static bool
read_condition(const struct ipsec_condition *condition, struct sides *sides)
{
    switch (condition->field) {
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS:
        sides->local = condition->address;
        return to_prefix(condition, sides->ip_version, &sides->local_prefix);
    case IPSEC_CONDITION_IP_REMOTE_ADDRESS:
        sides->remote = condition->address;
        return to_prefix(condition, sides->ip_version, &sides->remote_prefix);
    case IPSEC_CONDITION_IP_PROTOCOL:
        /* To the kernel protocol 0 is any. */
        sides->ip_protocol = (uint8_t)condition->number;
        return condition->match == IPSEC_MATCH_EQUAL && condition->number > 0 &&
               condition->number <= UINT8_MAX;
    case IPSEC_CONDITION_IP_LOCAL_PORT:
        return read_port(condition, &sides->local_port, &sides->local_port_mask);
    case IPSEC_CONDITION_IP_REMOTE_PORT:
        return read_port(condition, &sides->remote_port, &sides->remote_port_mask);
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE:
    case IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE:
        /* Says nothing new about packets that IPsec protects: they have one receiver. */
        return condition->match == IPSEC_MATCH_EQUAL && condition->number == UNICAST;
    default:
        return false;
    }
}

static enum ipsec_status
read_conditions(const struct ipsec_filter *filter, struct sides *sides, struct ipsec_fault *fault)
{
    static const char *const names[IPSEC_CONDITION_FIELD_COUNT] = {
        [IPSEC_CONDITION_IP_LOCAL_ADDRESS] = "this match of addresses, only prefixes",
        [IPSEC_CONDITION_IP_REMOTE_ADDRESS] = "this match of addresses, only prefixes",
        [IPSEC_CONDITION_IP_PROTOCOL] = "this match of protocols, only one protocol but 0",
        [IPSEC_CONDITION_IP_LOCAL_PORT] = "this match of ports, only one port or an aligned range",
        [IPSEC_CONDITION_IP_REMOTE_PORT] = "this match of ports, only one port or an aligned range",
        [IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE] = "an address type other than unicast",
        [IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE] = "an address type other than unicast",
        [IPSEC_CONDITION_IP_LOCAL_INTERFACE] = "interfaces",
        [IPSEC_CONDITION_FLAGS] = "flags",
    };
    unsigned seen = 0;

    for (size_t i = 0; i < filter->condition_count; i++) {
        uint8_t field = filter->conditions[i].field;

        if (field >= IPSEC_CONDITION_FIELD_COUNT || (seen & 1U << field) != 0)
            return refuse(filter, i, "two conditions on one field", fault);
        seen |= 1U << field;
        if (!read_condition(&filter->conditions[i], sides))
            return refuse(filter, i, names[field], fault);
    }
    return IPSEC_OK;
}

/* Forward layers know source and destination; they stand where local and remote do. */
static struct kernel_selector
selector_of(const struct sides *sides, enum path path)
{
    bool is_inbound = path == PATH_IN;
    /* The kernel keeps the type of ICMP in the source port and the code in the other, whatever the
     * direction; so do the conditions with local and remote port. */
    bool swaps_ports =
        is_inbound && sides->ip_protocol != IPPROTO_ICMP && sides->ip_protocol != IPPROTO_ICMPV6;

    return (struct kernel_selector){
        .ip_version = sides->ip_version,
        .ip_protocol = sides->ip_protocol,
        .source = is_inbound ? sides->remote : sides->local,
        .source_prefix = is_inbound ? sides->remote_prefix : sides->local_prefix,
        .destination = is_inbound ? sides->local : sides->remote,
        .destination_prefix = is_inbound ? sides->local_prefix : sides->remote_prefix,
        .source_port = swaps_ports ? sides->remote_port : sides->local_port,
        .source_port_mask = swaps_ports ? sides->remote_port_mask : sides->local_port_mask,
        .destination_port = swaps_ports ? sides->local_port : sides->remote_port,
        .destination_port_mask = swaps_ports ? sides->local_port_mask : sides->remote_port_mask,
    };
}

/* --- Templates -------------------------------------------------------------------------------- */

static enum ipsec_status
set_templates(const struct plane_filter *filter,
              struct kernel_policy *policy,
              struct ipsec_fault *fault)
{
    const struct ipsec_filter *from = filter->filter;
    const struct ipsec_provider_context *context = filter->policy;
    bool tunnels = is_tunnel(from->callout);
    bool is_outbound = policy->direction == KERNEL_POLICY_OUT;
    const struct ipsec_proposal *proposal =
        context != NULL && context->proposal_count > 0 ? &context->proposals[0] : NULL;
    struct kernel_template template = {
        .protocol = IPPROTO_ESP,
        .mode = tunnels ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT,
        .ip_version = policy->selector.ip_version,
        .reqid = xfrm_owner_reqid(!tunnels               ? from->id
                                  : from->tunnel_id != 0 ? from->tunnel_id
                                                         : from->provider_context_id),
    };

    if (tunnels) {
        if (context == NULL)
            return ipsec_fault_set(fault, IPSEC_CALLOUT_NOTIFICATION_FAILED, IPSEC_FAULT_BODY,
                                   "/providerContextKey",
                                   "a tunnel has its ends from a provider context");
        template.ip_version = context->ip_version;
        template.source = is_outbound ? context->local_endpoint : context->remote_endpoint;
        template.destination = is_outbound ? context->remote_endpoint : context->local_endpoint;
    }
    policy->template_count = 1;
    if (proposal != NULL && proposal->transform_count > 0)
        template.protocol = xfrm_algorithm_protocol(proposal->transforms[0].type);
    policy->templates[0] = template;
    /* ESP inside, AH around it. */
    if (proposal != NULL && proposal->transform_count == 2) {
        policy->template_count = 2;
        policy->templates[1] = (struct kernel_template){
            .protocol = IPPROTO_AH,
            .mode = XFRM_MODE_TRANSPORT,
            .ip_version = template.ip_version,
            .reqid = template.reqid,
        };
    }
    return IPSEC_OK;
}
