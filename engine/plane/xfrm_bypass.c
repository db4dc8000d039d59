/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_bypass.c: a socket whose packets pass in the clear, whatever policies say. */
#include "engine/plane/xfrm_bypass.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include <linux/xfrm.h>

#include "engine/plane/xfrm_wire.h"

/* <linux/in.h> and <linux/in6.h> have them, and clash with the C library's headers. */
#ifndef IP_XFRM_POLICY
#define IP_XFRM_POLICY 17
#endif
#ifndef IPV6_XFRM_POLICY
#define IPV6_XFRM_POLICY 35
#endif

int
xfrm_bypass(int fd, uint8_t ip_version)
{
    static const uint8_t directions[] = { XFRM_POLICY_IN, XFRM_POLICY_OUT };
    bool is_v6 = ip_version == IPSEC_IP_VERSION_V6;

    for (size_t i = 0; i < sizeof directions; i++) {
        const struct xfrm_userpolicy_info permit = {
            .sel = { .family = xfrm_wire_family(ip_version) },
            .dir = directions[i],
            .action = XFRM_POLICY_ALLOW,
        };

        if (setsockopt(fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP,
                       is_v6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY, &permit, sizeof permit) != 0)
            return errno;
    }
    return 0;
}
