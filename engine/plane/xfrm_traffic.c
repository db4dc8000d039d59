/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_traffic.c: what SAs have carried, summed up by kind as IPsecGetStatistics1 tells it. */
#include <netinet/in.h>

#include <linux/xfrm.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"

static void
add_up(struct ipsec_traffic_statistics *sum, const struct ipsec_traffic_statistics *more)
{
    sum->encrypted_byte_count += more->encrypted_byte_count;
    sum->authenticated_ah_byte_count += more->authenticated_ah_byte_count;
    sum->authenticated_esp_byte_count += more->authenticated_esp_byte_count;
    sum->transport_byte_count += more->transport_byte_count;
    sum->tunnel_byte_count += more->tunnel_byte_count;
    sum->total_successful_packets += more->total_successful_packets;
}

void
xfrm_traffic_add(struct ipsec_traffic_statistics *sum, const struct kernel_sa *state)
{
    uint64_t bytes = state->progress.bytes;
    bool is_ah = state->protocol == IPPROTO_AH;
    bool is_tunnel = state->mode == XFRM_MODE_TUNNEL;

    add_up(sum, &(const struct ipsec_traffic_statistics){
                    .encrypted_byte_count = is_ah ? 0 : bytes,
                    .authenticated_ah_byte_count = is_ah ? bytes : 0,
                    .authenticated_esp_byte_count = is_ah ? 0 : bytes,
                    .transport_byte_count = is_tunnel ? 0 : bytes,
                    .tunnel_byte_count = is_tunnel ? bytes : 0,
                    .total_successful_packets = state->progress.packets,
                });
}

struct traffic_sums {
    const struct plane *plane;
    struct ipsec_traffic_statistics by_direction[2];
    uint64_t integrity_failures;
};

static void
add_state(void *context, const struct nlmsghdr *message, size_t size)
{
    struct traffic_sums *sums = context;
    struct xfrm_msg read;
    struct xfrm_owner owner;

    if (!xfrm_msg_read(message, size, &read) || read.kind != XFRM_MSG_KIND_SA ||
        !xfrm_owner_read(read.sa.owner, &owner) || owner.instance != sums->plane->instance ||
        owner.direction > IPSEC_DIRECTION_INBOUND)
        return;
    xfrm_traffic_add(&sums->by_direction[owner.direction], &read.sa);
    sums->integrity_failures += read.sa.integrity_failures;
}

void
xfrm_traffic_read(struct plane *plane, struct plane_statistics *statistics)
{
    struct traffic_sums sums = { .plane = plane };
    struct ipsec_drop_statistics *drops = &statistics->drops;
    uint32_t failures = 0;
    int error = 0;

    (void)xfrm_msg_dump_sas(netlink_room(plane->requests), XFRM_MSG_MAX_SIZE);
    netlink_add(plane->requests);
    error = netlink_ask(plane->requests, add_state, &sums);
    if (error != 0)
        log_warning("the kernel does not list its SAs: traffic is not summed up",
                    LOG_NUMBER("errno", error));
    statistics->inbound_traffic = plane->ended[IPSEC_DIRECTION_INBOUND];
    statistics->outbound_traffic = plane->ended[IPSEC_DIRECTION_OUTBOUND];
    add_up(&statistics->inbound_traffic, &sums.by_direction[IPSEC_DIRECTION_INBOUND]);
    add_up(&statistics->outbound_traffic, &sums.by_direction[IPSEC_DIRECTION_OUTBOUND]);

    /* The kernel counts a bad check value as a protocol error too; to callers it is either. */
    failures = (uint32_t)sums.integrity_failures;
    drops->authentication_failures_on_inbound = failures;
    drops->decryption_failures_on_inbound -= failures < drops->decryption_failures_on_inbound
                                                 ? failures
                                                 : drops->decryption_failures_on_inbound;
}
