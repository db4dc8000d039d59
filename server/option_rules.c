/* SPDX-License-Identifier: Apache-2.0
 *
 * option_rules.c: see option_rules.h.  A rule is a function and a row. */
#include "server/option_rules.h"

#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include "server/listen.h"
#include "server/options.h"

typedef enum ipsec_status option_rule(const struct options *options, struct ipsec_fault *fault);
static option_rule listen_is_an_address;
static option_rule ops_listen_is_an_address;
static option_rule listeners_differ;
static option_rule spi_range_is_one;

static option_rule *const rules[] = {
    listen_is_an_address,
    ops_listen_is_an_address,
    listeners_differ,
    spi_range_is_one,
};

static bool overlap(const struct sockaddr_storage *left, const struct sockaddr_storage *right);
static bool is_any(const struct sockaddr_storage *address);
static in_port_t port_of(const struct sockaddr_storage *address);
static bool any_v6_takes_v4(void);

bool
option_rules_hold(const struct options *options, problem_sink *sink, void *context)
{
    bool all_hold = true;

    for (size_t i = 0; i < sizeof rules / sizeof(option_rule *); i++) {
        struct ipsec_fault fault = { 0 };

        if (rules[i](options, &fault) == IPSEC_OK)
            continue;
        sink(context, &fault);
        all_hold = false;
    }
    return all_hold;
}

static enum ipsec_status
listen_is_an_address(const struct options *options, struct ipsec_fault *fault)
{
    struct sockaddr_storage address;
    socklen_t size;

    return listen_parse("listen", options->listen, &address, &size, fault);
}

static enum ipsec_status
ops_listen_is_an_address(const struct options *options, struct ipsec_fault *fault)
{
    struct sockaddr_storage address;
    socklen_t size;

    if (strcmp(options->ops_listen, "off") == 0)
        return IPSEC_OK;
    return listen_parse("ops-listen", options->ops_listen, &address, &size, fault);
}

static enum ipsec_status
listeners_differ(const struct options *options, struct ipsec_fault *fault)
{
    struct sockaddr_storage callers;
    struct sockaddr_storage operators;
    socklen_t size;

    /* What is no address was told before. */
    if (strcmp(options->ops_listen, "off") == 0 ||
        listen_parse("listen", options->listen, &callers, &size, NULL) != IPSEC_OK ||
        listen_parse("ops-listen", options->ops_listen, &operators, &size, NULL) != IPSEC_OK ||
        !overlap(&callers, &operators))
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, "ops-listen",
                           "ops-listen '%s' is taken by listen '%s': operators need an address or "
                           "port of their own, or off",
                           options->ops_listen, options->listen);
}

static enum ipsec_status
spi_range_is_one(const struct options *options, struct ipsec_fault *fault)
{
    if (options->spi_minimum <= options->spi_maximum)
        return IPSEC_OK;
    return ipsec_fault_set(fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_SERVICE, "spi-minimum",
                           "spi-minimum %u is above spi-maximum %u", options->spi_minimum,
                           options->spi_maximum);
}

/* Whether one socket would hear what is meant for the other. */
static bool
overlap(const struct sockaddr_storage *left, const struct sockaddr_storage *right)
{
    const struct sockaddr_in *left_v4 = (const struct sockaddr_in *)(const void *)left;
    const struct sockaddr_in *right_v4 = (const struct sockaddr_in *)(const void *)right;
    const struct sockaddr_in6 *left_v6 = (const struct sockaddr_in6 *)(const void *)left;
    const struct sockaddr_in6 *right_v6 = (const struct sockaddr_in6 *)(const void *)right;

    if (port_of(left) != port_of(right) || port_of(left) == 0)
        return false;
    if (left->ss_family != right->ss_family)
        return is_any(left->ss_family == AF_INET6 ? left : right) && any_v6_takes_v4();
    if (is_any(left) || is_any(right))
        return true;
    if (left->ss_family == AF_INET6)
        return memcmp(&left_v6->sin6_addr, &right_v6->sin6_addr, sizeof left_v6->sin6_addr) == 0;
    return left_v4->sin_addr.s_addr == right_v4->sin_addr.s_addr;
}

static bool
is_any(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

    if (address->ss_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    return v4->sin_addr.s_addr == htonl(INADDR_ANY);
}

static in_port_t
port_of(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

    return address->ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port;
}

/* What /proc/sys/net/ipv6/bindv6only makes of new sockets. */
static bool
any_v6_takes_v4(void)
{
    int only = 1;
    socklen_t size = sizeof only;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    (void)getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size);
    close(fd);
    return only == 0;
}
