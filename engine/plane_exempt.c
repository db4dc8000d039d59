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
static enum ipsec_status exempt_version(const struct sa_database *database,
                                        int fd,
                                        uint8_t ip_version,
                                        const struct ipsec_address *address,
                                        uint16_t port);

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

/* A socket for any address of IPv6 takes callers over IPv4 too. */
static enum ipsec_status
exempt_socket(const struct sa_database *database, int fd)
{
    static const struct ipsec_address any;
    struct ipsec_address address = any;
    struct sockaddr_storage name = { .ss_family = AF_UNSPEC };
    socklen_t size = sizeof name;
    int v6_only = 0;
    socklen_t flag_size = sizeof v6_only;

    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return IPSEC_RPC_SYS_CALL_FAILED;
    if (name.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&name;

        memcpy(address.bytes, &v4->sin_addr, sizeof v4->sin_addr);
        return exempt_version(database, fd, IPSEC_IP_VERSION_V4, &address, ntohs(v4->sin_port));
    }
    if (name.ss_family != AF_INET6)
        return IPSEC_OK; /* no filter knows its packets */
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&name;
    uint16_t port = ntohs(v6->sin6_port);

    memcpy(address.bytes, &v6->sin6_addr, sizeof v6->sin6_addr);
    enum ipsec_status status = exempt_version(database, fd, IPSEC_IP_VERSION_V6, &address, port);
    if (status != IPSEC_OK || memcmp(&address, &any, sizeof any) != 0)
        return status;
    if (getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &flag_size) != 0 || v6_only)
        return IPSEC_OK;
    return exempt_version(database, fd, IPSEC_IP_VERSION_V4, &any, port);
}

static enum ipsec_status
exempt_version(const struct sa_database *database,
               int fd,
               uint8_t ip_version,
               const struct ipsec_address *address,
               uint16_t port)
{
    const struct plane_ops *ops = database->plane_ops;
    enum ipsec_status status = IPSEC_OK;

    if (ops->exempt != NULL)
        status = ops->exempt(database->plane, ip_version, address, port);
    if (status == IPSEC_OK && ops->bypass != NULL)
        status = ops->bypass(fd, ip_version);
    return status;
}
