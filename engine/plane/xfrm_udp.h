/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_udp.h: the sockets through which ESP in UDP comes in (RFC 3948).
 *
 * The kernel takes the ESP out of a port's datagrams only while a socket is bound to it that asked
 * for that.  A port is opened before its first SA is made and closed when its last one is gone.  An
 * SA that changes its port hears on the one before, too: the peer sends there until it is told.
 * Such a port goes earlier when there would be too many. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/number_map.h"
#include "engine/plane/network_namespace.h"

#define XFRM_UDP_PORTS_MAX 64
#define XFRM_UDP_BEFORE UINT64_C(0x10000)

struct xfrm_udp {
    enum network_place place;
    const char *namespace; /* of NETWORK_NAMED; borrowed */
    /* Name of a state, hashed -> a port that it hears on; XFRM_UDP_BEFORE: and no longer tells. */
    struct number_map users;
    size_t count;
    struct {
        int fd; /* -1: another program has the port, and the say about it */
        uint16_t port;
        size_t user_count;
    } ports[XFRM_UDP_PORTS_MAX];
};

void xfrm_udp_init(struct xfrm_udp *udp, enum network_place place, const char *namespace);
void xfrm_udp_close(struct xfrm_udp *udp);

/* Opens the port unless it is, and makes room for so many users.  Until it has one it lasts to the
 * next tidying.  0 or an errno; EMFILE: there are too many. */
NODISCARD int xfrm_udp_open(struct xfrm_udp *udp, uint16_t port, size_t more_users);
/* A state hears on the port from now on, which is open; there is room for it. */
void xfrm_udp_use(struct xfrm_udp *udp, uint64_t key, uint16_t port);
/* It is gone, whether it heard on a port or not. */
void xfrm_udp_leave(struct xfrm_udp *udp, uint64_t key);
/* All states are gone that are not among 'there', by their keys. */
void xfrm_udp_retain(struct xfrm_udp *udp, const struct number_map *there);
/* Closes the ports on which nobody hears. */
void xfrm_udp_tidy(struct xfrm_udp *udp);
