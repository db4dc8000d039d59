/* SPDX-License-Identifier: Apache-2.0
 *
 * listen.c: see listen.h. */
#include "server/listen.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum { BACKLOG = 1024, FIRST_PASSED_FD = 3 };

static int open_socket(const struct sockaddr_storage *address, socklen_t size, bool share);
static int bind_socket(const struct sockaddr_storage *address, socklen_t size, bool share);
static int give_up(int fd);
static int passed_socket(void);
static enum ipsec_status
refuse(struct ipsec_fault *fault, const char *option, const char *text, const char *cause);
static enum ipsec_status
refuse_call(struct ipsec_fault *fault, const char *option, const char *text, int error);

enum ipsec_status
listen_parse(const char *option,
             const char *text,
             struct sockaddr_storage *address_out,
             socklen_t *size_out,
             struct ipsec_fault *fault)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 1];
    size_t host_length = colon == NULL ? 0 : (size_t)(colon - text);
    unsigned int port = 0;

    memset(address_out, 0, sizeof *address_out);
    if (colon == NULL || host_length == 0 || host_length > sizeof host)
        return refuse(fault, option, text, "must be ADDRESS:PORT");
    for (const char *c = colon + 1; *c != '\0'; c++) {
        if (!isdigit((unsigned char)*c) || port > 65535)
            return refuse(fault, option, text, "the port must be a number from 0 to 65535");
        port = port * 10 + (unsigned int)(*c - '0');
    }
    if (colon[1] == '\0' || port > 65535)
        return refuse(fault, option, text, "the port must be a number from 0 to 65535");

    if (text[0] == '[' && colon[-1] == ']') {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)address_out;
        (void)snprintf(host, sizeof host, "%.*s", (int)host_length - 2, text + 1);
        if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
            return refuse(fault, option, text, "the address is no IPv6 address");
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *size_out = sizeof *v6;
        return IPSEC_OK;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address_out;
    (void)snprintf(host, sizeof host, "%.*s", (int)host_length, text);
    if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
        return refuse(fault, option, text,
                      "the address is no IPv4 address, nor an IPv6 one in brackets");
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    *size_out = sizeof *v4;
    return IPSEC_OK;
}

enum ipsec_status
listen_open(const char *option,
            const char *text,
            size_t count,
            bool take_passed,
            int *fds_out,
            struct ipsec_fault *fault)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    int passed = take_passed ? passed_socket() : -1;
    size_t opened = 0;

    if (passed < 0) {
        enum ipsec_status status = listen_parse(option, text, &address, &size, fault);
        if (status != IPSEC_OK)
            return status;
        /* Sharing would also let a second daemon join silently: a socket that does not share is
         * refused by the kernel when anybody listens there. */
        int alone = open_socket(&address, size, false);
        if (alone < 0)
            return refuse_call(fault, option, text, errno);
        (void)getsockname(alone, (struct sockaddr *)&address, &size);
        close(alone);
    }
    while (opened < count) {
        int fd = passed >= 0 ? fcntl(passed, F_DUPFD_CLOEXEC, FIRST_PASSED_FD)
                             : open_socket(&address, size, true);
        if (fd < 0) {
            enum ipsec_status status = refuse_call(fault, option, text, errno);
            while (opened > 0)
                close(fds_out[--opened]);
            return status;
        }
        fds_out[opened++] = fd;
    }
    if (passed >= 0)
        close(passed);
    return IPSEC_OK;
}

enum ipsec_status
listen_probe(const char *option, const char *text, bool *is_taken_out, struct ipsec_fault *fault)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    enum ipsec_status status = listen_parse(option, text, &address, &size, fault);

    *is_taken_out = false;
    if (status != IPSEC_OK)
        return status;
    int fd = bind_socket(&address, size, false);
    if (fd >= 0) {
        close(fd);
        return IPSEC_OK;
    }
    *is_taken_out = errno == EADDRINUSE;
    return refuse_call(fault, option, text, errno);
}

void
listen_describe(int fd, char text[LISTEN_TEXT_SIZE])
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof address;
    char host[INET6_ADDRSTRLEN] = "?";

    (void)snprintf(text, LISTEN_TEXT_SIZE, "?");
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return;
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&address;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(text, LISTEN_TEXT_SIZE, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else if (address.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(text, LISTEN_TEXT_SIZE, "%s:%u", host, ntohs(v4->sin_port));
    }
}

static int
open_socket(const struct sockaddr_storage *address, socklen_t size, bool share)
{
    int fd = bind_socket(address, size, share);

    if (fd >= 0 && listen(fd, BACKLOG) != 0)
        return give_up(fd);
    return fd;
}

static int
bind_socket(const struct sockaddr_storage *address, socklen_t size, bool share)
{
    int on = 1;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    /* Nagle's delay is off from here: accepted sockets inherit it. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
        bind(fd, (const struct sockaddr *)address, size) != 0)
        return give_up(fd);
    return fd;
}

static int
give_up(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

/* The first socket of systemd's protocol (sd_listen_fds(3)), or -1. */
static int
passed_socket(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *fds = getenv("LISTEN_FDS");

    if (pid == NULL || fds == NULL || strtol(pid, NULL, 10) != (long)getpid() ||
        strtol(fds, NULL, 10) < 1)
        return -1;
    int listens = 0;
    socklen_t size = sizeof listens;
    int flags = fcntl(FIRST_PASSED_FD, F_GETFL);
    if (getsockopt(FIRST_PASSED_FD, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || !listens ||
        flags < 0 || fcntl(FIRST_PASSED_FD, F_SETFL, flags | O_NONBLOCK) != 0)
        return -1;
    return FIRST_PASSED_FD;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, const char *option, const char *text, const char *cause)
{
    return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_SERVICE, option,
                           "%s '%s': %s", option, text, cause);
}

static enum ipsec_status
refuse_call(struct ipsec_fault *fault, const char *option, const char *text, int error)
{
    const char *cause = error == EADDRINUSE      ? "somebody listens there already"
                        : error == EADDRNOTAVAIL ? "no interface of this host has the address"
                        : error == EACCES        ? "ports below 1024 take CAP_NET_BIND_SERVICE"
                                                 : "cannot listen there";

    return ipsec_fault_set(fault, ipsec_status_of_errno(error), IPSEC_FAULT_SERVICE, option,
                           "%s '%s': %s: %s", option, text, cause, strerror(error));
}
