/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_udp.h: the sockets through which ESP in UDP comes in (RFC 3948).
 *
 * The kernel takes the ESP out of a port's datagrams only while a socket is bound to it that asked
 * for that.  A port stays held until the plane is closed: peers may still send to it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/plane/network_namespace.h"

#define XFRM_UDP_PORTS_MAX 64

struct xfrm_udp {
    enum network_place place;
    const char *namespace; /* of NETWORK_NAMED; borrowed */
    size_t count;
    struct {
        int fd; /* -1: another program has the port, and the say about it */
        uint16_t port;
    } ports[XFRM_UDP_PORTS_MAX];
};

/* Holds the port from now on.  0 or an errno; EMFILE: there are too many. */
NODISCARD int xfrm_udp_hold(struct xfrm_udp *udp, uint16_t port);
void xfrm_udp_close(struct xfrm_udp *udp);
