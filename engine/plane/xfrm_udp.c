/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_udp.c: the sockets through which ESP in UDP comes in. */
#include "engine/plane/xfrm_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/udp.h>

#include "engine/base/log.h"
#include "engine/plane/xfrm_bypass.h"
#include "engine/types.h"

struct opening {
    uint16_t port;
    int fd;
};

/* Packets of IKE come to the same port and stay unread: the least room makes the kernel drop them.
 * ESP never waits in it. */
static int
open_port(void *context)
{
    struct opening *opening = context;
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(opening->port) };
    int encapsulation = UDP_ENCAP_ESPINUDP;
    int least = 1;
    int error = 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_UDP, UDP_ENCAP, &encapsulation, sizeof encapsulation) != 0)
        error = errno;
    /* The datagrams themselves are checked before the ESP is taken out: they come in the clear. */
    if (error == 0)
        error = xfrm_bypass(fd, IPSEC_IP_VERSION_V4);
    if (error != 0) {
        close(fd);
        return error;
    }
    opening->fd = fd;
    return 0;
}

int
xfrm_udp_hold(struct xfrm_udp *udp, uint16_t port)
{
    struct opening opening = { .port = port, .fd = -1 };
    int error = 0;

    for (size_t i = 0; i < udp->count; i++) {
        if (udp->ports[i].port == port)
            return 0;
    }
    if (udp->count == XFRM_UDP_PORTS_MAX)
        return EMFILE;
    error = network_namespace_run(udp->place, udp->namespace, open_port, &opening);
    if (error == EADDRINUSE)
        log_warning("a program holds the port for ESP in UDP; it has to let the kernel unpack it",
                    LOG_NUMBER("port", port));
    else if (error != 0)
        return error;
    udp->ports[udp->count].fd = opening.fd;
    udp->ports[udp->count].port = port;
    udp->count++;
    return 0;
}

void
xfrm_udp_close(struct xfrm_udp *udp)
{
    for (size_t i = 0; i < udp->count; i++) {
        if (udp->ports[i].fd >= 0)
            close(udp->ports[i].fd);
    }
    udp->count = 0;
}
