/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_exempt.c: see plane_exempt.h. */
#include "engine/plane_exempt.h"

#include <arpa/inet.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "engine/sa_database.h"

static enum ipsec_status exempt_socket(const struct sa_database *database, int fd);
static enum ipsec_status exempt_port(const struct sa_database *database,
                                     uint8_t ip_version,
                                     const void *address,
                                     size_t size,
                                     uint16_t port);
static enum ipsec_status bypass(const struct sa_database *database, int fd, uint8_t ip_version);
static bool takes_v4_too(int fd, const struct sockaddr_in6 *name);

enum ipsec_status
plane_exempt(const struct sa_database *database,
             const int *fds,
             size_t count,
             struct ipsec_fault *fault)
{
    for (size_t i = 0; i < count; i++) {
        enum ipsec_status status = exempt_socket(database, fds[i]);

        if (status != IPSEC_OK)
            return ipsec_fault_set(fault, status, IPSEC_FAULT_SERVICE, "plane",
                                   "the data plane does not exempt the service's own port: %s",
                                   ipsec_status_text(status));
    }
    return IPSEC_OK;
}

static enum ipsec_status
exempt_socket(const struct sa_database *database, int fd)
{
    struct sockaddr_storage name = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof name;
    enum ipsec_status status;

    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return IPSEC_RPC_SYS_CALL_FAILED;
    if (name.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&name;

        status = exempt_port(database, IPSEC_IP_VERSION_V4, &v4->sin_addr, sizeof v4->sin_addr,
                             v4->sin_port);
        return status == IPSEC_OK ? bypass(database, fd, IPSEC_IP_VERSION_V4) : status;
    }
    if (name.ss_family != AF_INET6)
        return IPSEC_OK; /* no filter knows its packets */
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&name;
    status = exempt_port(database, IPSEC_IP_VERSION_V6, &v6->sin6_addr, sizeof v6->sin6_addr,
                         v6->sin6_port);
    if (status == IPSEC_OK && takes_v4_too(fd, v6))
        status = exempt_port(database, IPSEC_IP_VERSION_V4, NULL, 0, v6->sin6_port);
    return status == IPSEC_OK ? bypass(database, fd, IPSEC_IP_VERSION_V6) : status;
}

/* 'size' 0: any address. */
static enum ipsec_status
exempt_port(const struct sa_database *database,
            uint8_t ip_version,
            const void *address,
            size_t size,
            uint16_t port)
{
    struct ipsec_address copy = { .bytes = { 0 } };

    if (size > 0)
        memcpy(copy.bytes, address, size);
    if (database->plane_ops->exempt == NULL)
        return IPSEC_OK;
    return database->plane_ops->exempt(database->plane, ip_version, &copy, ntohs(port));
}

static enum ipsec_status
bypass(const struct sa_database *database, int fd, uint8_t ip_version)
{
    return database->plane_ops->bypass == NULL ? IPSEC_OK
                                               : database->plane_ops->bypass(fd, ip_version);
}

static bool
takes_v4_too(int fd, const struct sockaddr_in6 *name)
{
    int v6_only = 0;
    socklen_t size = sizeof v6_only;

    return IN6_IS_ADDR_UNSPECIFIED(&name->sin6_addr) &&
           getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &size) == 0 && !v6_only;
}
