/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_udp.c: the sockets through which ESP in UDP comes in. */
#include "engine/plane/xfrm_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
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

void
xfrm_udp_init(struct xfrm_udp *udp, enum network_place place, const char *namespace)
{
    *udp = (struct xfrm_udp){ .place = place, .namespace = namespace };
    number_map_init(&udp->users);
}

void
xfrm_udp_close(struct xfrm_udp *udp)
{
    number_map_clear(&udp->users);
    for (size_t i = 0; i < udp->count; i++)
        udp->ports[i].user_count = 0;
    xfrm_udp_tidy(udp);
}

/* XFRM_UDP_PORTS_MAX: it is not open. */
static size_t
find_port(const struct xfrm_udp *udp, uint16_t port)
{
    for (size_t i = 0; i < udp->count; i++) {
        if (udp->ports[i].port == port)
            return i;
    }
    return XFRM_UDP_PORTS_MAX;
}

static void
leave_one(struct xfrm_udp *udp, uint64_t key, uint64_t value)
{
    size_t place = find_port(udp, (uint16_t)value);

    number_map_remove(&udp->users, key, value);
    udp->ports[place].user_count--;
}

/* The port that it tells now; 0: none. */
static uint64_t
current(const struct xfrm_udp *udp, uint64_t key)
{
    struct number_map_cursor cursor = number_map_seek(&udp->users, key);
    uint64_t value = 0;

    while ((value = number_map_next(&udp->users, key, &cursor)) != 0) {
        if ((value & XFRM_UDP_BEFORE) == 0)
            return value;
    }
    return 0;
}

static bool
hears_before(const struct xfrm_udp *udp, uint64_t key, uint16_t port)
{
    struct number_map_cursor cursor = number_map_seek(&udp->users, key);
    uint64_t value = 0;

    while ((value = number_map_next(&udp->users, key, &cursor)) != 0) {
        if (value == (port | XFRM_UDP_BEFORE))
            return true;
    }
    return false;
}

/* Gives up the ports that no SA tells any more. */
static void
forget_befores(struct xfrm_udp *udp)
{
    struct number_map *users = &udp->users;
    size_t at = 0;

    while (at < users->capacity) {
        const struct number_map_entry *entry = &users->entries[at];

        if ((entry->value & XFRM_UDP_BEFORE) != 0)
            leave_one(udp, entry->key, entry->value);
        else
            at++;
    }
    xfrm_udp_tidy(udp);
}

int
xfrm_udp_open(struct xfrm_udp *udp, uint16_t port, size_t more_users)
{
    struct opening opening = { .port = port, .fd = -1 };
    int error = 0;

    if (!number_map_reserve(&udp->users, more_users))
        return ENOMEM;
    if (find_port(udp, port) != XFRM_UDP_PORTS_MAX)
        return 0;
    if (udp->count == XFRM_UDP_PORTS_MAX)
        forget_befores(udp);
    if (udp->count == XFRM_UDP_PORTS_MAX)
        return EMFILE;
    error = network_namespace_run(udp->place, udp->namespace, open_port, &opening);
    if (error == EADDRINUSE)
        log_warning("a program holds the port for ESP in UDP; it has to let the kernel unpack it",
                    LOG_NUMBER("port", port));
    else if (error != 0)
        return error;
    memset(&udp->ports[udp->count], 0, sizeof udp->ports[udp->count]);
    udp->ports[udp->count].fd = opening.fd;
    udp->ports[udp->count].port = port;
    udp->count++;
    return 0;
}

void
xfrm_udp_use(struct xfrm_udp *udp, uint64_t key, uint16_t port)
{
    uint64_t now = current(udp, key);
    size_t place = find_port(udp, port);

    if (now == port || place == XFRM_UDP_PORTS_MAX)
        return;
    /* Back where it was. */
    if (hears_before(udp, key, port)) {
        number_map_remove(&udp->users, key, port | XFRM_UDP_BEFORE);
    } else {
        udp->ports[place].user_count++;
    }
    if (now != 0) {
        number_map_remove(&udp->users, key, now);
        number_map_add(&udp->users, key, now | XFRM_UDP_BEFORE);
    }
    number_map_add(&udp->users, key, port);
}

void
xfrm_udp_leave(struct xfrm_udp *udp, uint64_t key)
{
    uint64_t value = 0;

    while ((value = number_map_find(&udp->users, key)) != 0)
        leave_one(udp, key, value);
}

void
xfrm_udp_retain(struct xfrm_udp *udp, const struct number_map *there)
{
    struct number_map *users = &udp->users;
    size_t at = 0;

    while (at < users->capacity) {
        const struct number_map_entry *entry = &users->entries[at];

        /* Removing moves up what stands behind, so the place is looked at again. */
        if (entry->value != 0 && number_map_find(there, entry->key) == 0)
            leave_one(udp, entry->key, entry->value);
        else
            at++;
    }
}

void
xfrm_udp_tidy(struct xfrm_udp *udp)
{
    size_t kept = 0;

    for (size_t i = 0; i < udp->count; i++) {
        if (udp->ports[i].user_count > 0)
            udp->ports[kept++] = udp->ports[i];
        else if (udp->ports[i].fd >= 0)
            close(udp->ports[i].fd);
    }
    udp->count = kept;
}
