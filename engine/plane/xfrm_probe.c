/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_probe.c: what this kernel can do. */
#include <errno.h>
#include <string.h>

#include <netinet/in.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/secret.h"
#include "engine/plane/xfrm_algorithm.h"
#include "engine/plane/xfrm_plane.h"

/* A key of random bytes: those of DES must not be weak, and none may be predictable. */
static bool
make_key(struct secret *key, size_t size)
{
    if (size == 0)
        return true;
    if (!secret_init(key, size))
        return false;
    random_bytes(key->bytes, size);
    return true;
}

/* 0, or an errno.  Changes nothing. */
static int
try_transform(struct netlink *netlink, const struct xfrm_transform *transform)
{
    AUTO(secret) auth_key = { .bytes = NULL };
    AUTO(secret) cipher_key = { .bytes = NULL };
    struct netlink_result result;
    struct kernel_sa sa = {
        /* For documentation, RFC 5737: nobody has an SA between these. */
        .source = { .bytes = { 192, 0, 2, 1 } },
        .destination = { .bytes = { 192, 0, 2, 2 } },
    };

    random_bytes(&sa.spi, sizeof sa.spi);
    sa.spi |= 0x80000000;
    if (!make_key(&auth_key, transform->auth_key_size) ||
        !make_key(&cipher_key, transform->cipher_key_size))
        return ENOMEM;
    if (xfrm_algorithm_choose(&transform->transform, &auth_key, &cipher_key, &sa) != IPSEC_OK)
        return EINVAL;
    (void)xfrm_msg_try_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &sa);
    netlink_add(netlink);
    netlink_send(netlink, &result, NULL, NULL);
    return result.error == ESRCH ? 0 : result.error;
}

static const char *
reason_of(int error)
{
    switch (error) {
    case 0:
        return NULL;
    case ENOSYS:
        return "the kernel lacks the algorithm";
    case EPROTONOSUPPORT:
        return "the kernel lacks ESP or AH";
    case EINVAL:
        return "the kernel refuses the algorithm";
    default:
        return "the kernel failed to try it";
    }
}

enum ipsec_status
xfrm_probe(struct plane *plane, struct ipsec_fault *fault)
{
    const struct xfrm_transform *transform = NULL;
    size_t supported = 0;

    while ((transform = xfrm_algorithm_list(plane->capability_count)) != NULL &&
           plane->capability_count < XFRM_CAPABILITIES_MAX) {
        int error = try_transform(plane->requests, transform);

        if (error == EPERM)
            return ipsec_fault_set(fault, IPSEC_RPC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, "plane",
                                   "the plane \"xfrm\" takes CAP_NET_ADMIN");
        plane->capabilities[plane->capability_count++] = (struct plane_capability){
            .name = transform->name,
            .transform = transform->transform,
            .is_supported = error == 0,
            .reason = reason_of(error),
        };
        supported += error == 0;
    }
    if (supported == 0)
        return ipsec_fault_set(fault, IPSEC_RPC_NOT_REGISTERED, IPSEC_FAULT_SERVICE, "plane",
                               "the kernel can't make a single SA: %s",
                               plane->capabilities[0].reason);
    for (size_t i = 0; i < plane->capability_count; i++) {
        if (!plane->capabilities[i].is_supported)
            log_info("the kernel can't make SAs of a transform",
                     LOG_TEXT("transform", plane->capabilities[i].name),
                     LOG_TEXT("reason", plane->capabilities[i].reason));
    }
    return IPSEC_OK;
}
