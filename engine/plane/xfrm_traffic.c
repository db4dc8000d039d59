/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_traffic.c: what SAs have carried, summed up by kind as IPsecGetStatistics1 tells it. */
#include <netinet/in.h>

#include <linux/xfrm.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

static void
add_up(struct xfrm_sums *sums, const struct xfrm_sums *more)
{
    struct ipsec_traffic_statistics *sum = &sums->traffic;

    sum->encrypted_byte_count += more->traffic.encrypted_byte_count;
    sum->authenticated_ah_byte_count += more->traffic.authenticated_ah_byte_count;
    sum->authenticated_esp_byte_count += more->traffic.authenticated_esp_byte_count;
    sum->transport_byte_count += more->traffic.transport_byte_count;
    sum->tunnel_byte_count += more->traffic.tunnel_byte_count;
    sum->total_successful_packets += more->traffic.total_successful_packets;
    for (size_t i = 0; i < 2; i++) {
        sums->integrity_failures[i] += more->integrity_failures[i];
        sums->replay_failures[i] += more->replay_failures[i];
    }
}

void
xfrm_traffic_add(struct xfrm_sums *sums, const struct kernel_sa *state)
{
    uint64_t bytes = state->progress.bytes;
    bool is_ah = state->protocol == IPPROTO_AH;
    bool is_tunnel = state->mode == XFRM_MODE_TUNNEL;
    struct xfrm_sums more = {
        .traffic = { .encrypted_byte_count = is_ah ? 0 : bytes,
                     .authenticated_ah_byte_count = is_ah ? bytes : 0,
                     .authenticated_esp_byte_count = is_ah ? 0 : bytes,
                     .transport_byte_count = is_tunnel ? 0 : bytes,
                     .tunnel_byte_count = is_tunnel ? bytes : 0,
                     .total_successful_packets = state->progress.packets },
    };

    more.integrity_failures[is_ah] = state->integrity_failures;
    more.replay_failures[is_ah] = state->replay_failures;
    add_up(sums, &more);
}

struct traffic_look {
    const struct plane *plane;
    struct xfrm_sums by_direction[2];
};

static void
add_state(void *context, const struct nlmsghdr *message, size_t size)
{
    struct traffic_look *look = context;
    struct xfrm_msg read;
    struct xfrm_owner owner;

    if (xfrm_msg_read(message, size, &read) && read.kind == XFRM_MSG_KIND_SA &&
        xfrm_owner_read(read.sa.owner, &owner) && owner.instance == look->plane->instance &&
        owner.direction <= IPSEC_DIRECTION_INBOUND)
        xfrm_traffic_add(&look->by_direction[owner.direction], &read.sa);
}

void
xfrm_traffic_read(struct plane *plane, struct plane_statistics *statistics)
{
    struct traffic_look look = { .plane = plane };
    const struct xfrm_sums *inbound = &look.by_direction[IPSEC_DIRECTION_INBOUND];
    struct ipsec_drop_statistics *drops = &statistics->drops;
    uint32_t failures = 0;
    int error = 0;

    (void)xfrm_msg_dump_sas(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE);
    netlink_add(plane->requests);
    error = netlink_ask(plane->requests, add_state, &look);
    if (error != 0)
        log_warning("the kernel does not list its SAs: traffic is not summed up",
                    LOG_NUMBER("errno", error));
    for (size_t i = 0; i < 2; i++)
        add_up(&look.by_direction[i], &plane->ended[i]);
    statistics->inbound_traffic = inbound->traffic;
    statistics->outbound_traffic = look.by_direction[IPSEC_DIRECTION_OUTBOUND].traffic;

    /* The kernel counts a bad check value as a protocol error too; to callers it is either. */
    failures = (uint32_t)(inbound->integrity_failures[0] + inbound->integrity_failures[1]);
    drops->authentication_failures_on_inbound = failures;
    drops->decryption_failures_on_inbound -= failures < drops->decryption_failures_on_inbound
                                                 ? failures
                                                 : drops->decryption_failures_on_inbound;
    /* Only SAs tell the protocol: what found none, or failed before, counts as ESP. */
    statistics->ah_drops.authentication_failures_on_inbound =
        (uint32_t)inbound->integrity_failures[1];
    statistics->ah_drops.replay_check_failures_on_inbound = (uint32_t)inbound->replay_failures[1];
    statistics->esp_drops = *drops;
    statistics->esp_drops.authentication_failures_on_inbound =
        (uint32_t)inbound->integrity_failures[0];
    statistics->esp_drops.replay_check_failures_on_inbound -=
        statistics->ah_drops.replay_check_failures_on_inbound;
}
