/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_bundle.c: the states of the kernel that an SA bundle means. */
#include "engine/plane/xfrm_bundle.h"

#include <netinet/in.h>

#include <linux/xfrm.h>

#include "engine/plane/xfrm_algorithm.h"
#include "engine/plane/xfrm_owner.h"

/* How many sequence numbers back a packet may come late: what the kernel's own bitmap holds without
 * extended sequence numbers, which WFP has no member for.  Outbound there is nothing to check, and
 * newer kernels insist on 0. */
#define REPLAY_WINDOW 32

static void set_addresses(const struct plane_bundle *bundle, struct kernel_sa *state);
static void set_selector(const struct plane_bundle *bundle, size_t index, struct kernel_sa *state);
static void set_encapsulation(const struct plane_bundle *bundle, struct kernel_sa *state);
static uint8_t flags_of(const struct plane_bundle *bundle, const struct kernel_sa *state);

enum ipsec_status
xfrm_bundle_states(const struct plane_bundle *bundle,
                   uint32_t instance,
                   bool has_keys,
                   struct kernel_sa states_out[IPSEC_SA_MAX],
                   const char **reason_out)
{
    const struct ipsec_sa_bundle *from = bundle->bundle;
    const struct ipsec_traffic *traffic = &bundle->traffic;
    bool is_tunnel = traffic->type == IPSEC_TRAFFIC_TYPE_TUNNEL;
    const struct xfrm_owner owner = {
        .instance = instance,
        .direction = bundle->direction,
        .id = bundle->context_id,
    };

    *reason_out = NULL;
    for (size_t i = 0; i < from->sa_count; i++) {
        const struct ipsec_sa *sa = &from->sas[i];
        struct kernel_sa *state = &states_out[i];

        *state = (struct kernel_sa){
            .protocol = xfrm_algorithm_protocol(sa->transform.type),
            .ip_version = traffic->ip_version,
            /* Of two only the inner one makes the tunnel; the outer one works on its packets. */
            .mode = is_tunnel && i == 0 ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT,
            .direction = bundle->direction,
            .has_direction = true,
            .replay_window = bundle->direction == IPSEC_DIRECTION_INBOUND ? REPLAY_WINDOW : 0,
            .spi = sa->spi,
            .reqid = xfrm_owner_reqid(bundle->filter_id),
            .hard_seconds = from->lifetime.seconds,
            .hard_bytes = (uint64_t)from->lifetime.kilobytes * 1024,
            .hard_packets = from->lifetime.packets,
        };
        set_addresses(bundle, state);
        set_selector(bundle, i, state);
        set_encapsulation(bundle, state);
        state->flags = flags_of(bundle, state);
        xfrm_owner_write(&owner, state->owner);
        if (has_keys) {
            enum ipsec_status status = xfrm_algorithm_choose(&sa->transform, &bundle->auth_keys[i],
                                                             &bundle->cipher_keys[i], state);

            if (status != IPSEC_OK) {
                *reason_out = status == IPSEC_INVALID_PARAMETER
                                  ? "a key has another length than its transform"
                                  : "the kernel has nothing like this transform";
                return status;
            }
        }
    }
    return IPSEC_OK;
}

static void
set_addresses(const struct plane_bundle *bundle, struct kernel_sa *state)
{
    const struct ipsec_traffic *traffic = &bundle->traffic;
    bool is_inbound = bundle->direction == IPSEC_DIRECTION_INBOUND;

    state->source = is_inbound ? traffic->remote_address : traffic->local_address;
    state->destination = is_inbound ? traffic->local_address : traffic->remote_address;
}

/* Transport: exactly the context's packets.  Tunnel: whatever the policies send in, of either
 * family, for the inner addresses are the policies' business. */
static void
set_selector(const struct plane_bundle *bundle, size_t index, struct kernel_sa *state)
{
    const struct ipsec_traffic *traffic = &bundle->traffic;
    bool is_inbound = bundle->direction == IPSEC_DIRECTION_INBOUND;
    uint8_t whole = traffic->ip_version == IPSEC_IP_VERSION_V6 ? 128 : 32;
    /* The kernel keeps the type of ICMP in the source port, whatever the direction; the traffic in
     * the local one. */
    bool swaps_ports = is_inbound && traffic->ip_protocol != IPPROTO_ICMP &&
                       traffic->ip_protocol != IPPROTO_ICMPV6;
    uint16_t source_port = swaps_ports ? traffic->remote_port : traffic->local_port;
    uint16_t destination_port = swaps_ports ? traffic->local_port : traffic->remote_port;

    if (traffic->type == IPSEC_TRAFFIC_TYPE_TUNNEL) {
        state->selector = (struct kernel_selector){
            .any_family = index == 0,
            .ip_version = index == 0 ? 0 : traffic->ip_version,
        };
        return;
    }
    state->selector = (struct kernel_selector){
        .ip_version = traffic->ip_version,
        .source_prefix = whole,
        .destination_prefix = whole,
        .ip_protocol = traffic->ip_protocol,
        .source_port = source_port,
        .source_port_mask = source_port == 0 ? 0 : UINT16_MAX,
        .destination_port = destination_port,
        .destination_port_mask = destination_port == 0 ? 0 : UINT16_MAX,
        .source = state->source,
        .destination = state->destination,
    };
}

static void
set_encapsulation(const struct plane_bundle *bundle, struct kernel_sa *state)
{
    const struct ipsec_udp_encapsulation *udp = &bundle->bundle->udp_encapsulation;
    bool is_inbound = bundle->direction == IPSEC_DIRECTION_INBOUND;

    /* AH can't be: the outer header is part of what it signs. */
    if (state->protocol != IPPROTO_ESP)
        return;
    state->encapsulation_source_port = is_inbound ? udp->remote_port : udp->local_port;
    state->encapsulation_destination_port = is_inbound ? udp->local_port : udp->remote_port;
}

static uint8_t
flags_of(const struct plane_bundle *bundle, const struct kernel_sa *state)
{
    unsigned flags = 0;

    if (state->selector.any_family)
        flags |= XFRM_STATE_AF_UNSPEC;
    /* RFC 4302 pads to 4 bytes in IPv4; the kernel's own default is 8. */
    if (state->protocol == IPPROTO_AH && state->ip_version == IPSEC_IP_VERSION_V4)
        flags |= XFRM_STATE_ALIGN4;
    if (state->mode == XFRM_MODE_TUNNEL && bundle->direction == IPSEC_DIRECTION_OUTBOUND &&
        (bundle->bundle->flags & IPSEC_SA_BUNDLE_CLEAR_DF_ON_TUNNEL) != 0)
        flags |= XFRM_STATE_NOPMTUDISC;
    return (uint8_t)flags;
}
