/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_status.c: what an error of the kernel means to a caller. */
#include <errno.h>

#include <netinet/in.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_plane.h"

/* The algorithm that the kernel lacks: with AEAD and ciphers it is the cipher, unless its words say
 * otherwise. */
static enum ipsec_status
missing_algorithm(const struct kernel_sa *sa)
{
    return sa->protocol == IPPROTO_AH || sa->cipher.key_bits == 0 ? IPSEC_INVALID_AUTH_TRANSFORM
                                                                  : IPSEC_INVALID_CIPHER_TRANSFORM;
}

enum ipsec_status
xfrm_status_of(int error,
               const struct kernel_sa *sa,
               const char *kernel_reason,
               const char **reason_out)
{
    static struct log_limit limit;

    *reason_out = NULL;
    switch (error) {
    case 0:
        return IPSEC_OK;
    case EEXIST:
        *reason_out = "the kernel has an SA with this address, SPI and protocol";
        return IPSEC_ALREADY_EXISTS;
    case ESRCH:
    case ENOENT:
        return IPSEC_NOT_FOUND;
    case ENOSYS:
        *reason_out = "the kernel lacks the algorithm";
        if (sa != NULL && sa->aead.name != NULL)
            return IPSEC_INVALID_CIPHER_TRANSFORM;
        return sa == NULL ? IPSEC_INVALID_CIPHER_TRANSFORM : missing_algorithm(sa);
    case EPROTONOSUPPORT:
        *reason_out = "the kernel lacks ESP or AH";
        return IPSEC_RPC_NOT_REGISTERED;
    case ENOBUFS:
    case ENOMEM:
        *reason_out = "the kernel is short of memory";
        return IPSEC_RPC_OUT_OF_RESOURCES;
    case NETLINK_UNKNOWN:
        *reason_out = "the kernel did not answer";
        return IPSEC_RPC_TIMEOUT;
    case EPERM:
    case EACCES:
        *reason_out = "the service may not change the kernel's IPsec: CAP_NET_ADMIN is missing";
        break;
    case EINVAL:
        *reason_out = "the kernel refuses the SA as it is";
        break;
    default:
        *reason_out = "the kernel's IPsec does not work";
        break;
    }
    if (log_limit_pass(&limit, 5) >= 0)
        log_warning("the kernel refused a request", LOG_NUMBER("errno", error),
                    LOG_TEXT("reason", kernel_reason));
    return error == EINVAL ? IPSEC_INVALID_PARAMETER : IPSEC_RPC_DISCONNECTED;
}
