/* SPDX-License-Identifier: Apache-2.0
 *
 * healthcheck.c: see healthcheck.h. */
#include "server/healthcheck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "server/listen.h"

enum { TIMEOUT_SECONDS = 3, EXIT_USAGE = 2 };

static void aim_at_loopback(struct sockaddr_storage *address);
static int complain(const char *ops_listen, const char *cause);

int
healthcheck_run(const char *ops_listen)
{
    static const char request[] = "GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n";
    const struct timeval timeout = { .tv_sec = TIMEOUT_SECONDS };
    struct sockaddr_storage address;
    struct ipsec_fault fault = { 0 };
    socklen_t size = 0;
    char answer[512];
    size_t length = 0;

    if (strcmp(ops_listen, "off") == 0 ||
        listen_parse("ops-listen", ops_listen, &address, &size, &fault) != IPSEC_OK) {
        fprintf(stderr, "nobody can be asked: %s\n",
                fault.detail[0] == '\0' ? "ops-listen is off" : fault.detail);
        return EXIT_USAGE;
    }
    aim_at_loopback(&address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return complain(ops_listen, strerror(errno));
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
        connect(fd, (const struct sockaddr *)&address, size) != 0 ||
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1) {
        int error = errno;
        close(fd);
        return complain(ops_listen, strerror(error));
    }
    while (length < sizeof answer - 1) {
        ssize_t count = recv(fd, answer + length, sizeof answer - 1 - length, 0);
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    close(fd);
    answer[length] = '\0';
    const char *space = strchr(answer, ' ');
    if (space != NULL && strncmp(space, " 200 ", 5) == 0)
        return 0;
    const char *body = strstr(answer, "\r\n\r\n");
    return complain(ops_listen, body != NULL ? body + 4 : "no answer");
}

/* A daemon that listens on every address is asked at the loopback one. */
static void
aim_at_loopback(struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;
        if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
            v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)address;
        if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
            v6->sin6_addr = in6addr_loopback;
    }
}

static int
complain(const char *ops_listen, const char *cause)
{
    fprintf(stderr, "sa-contextd at %s is not ready: %s\n", ops_listen, cause);
    return 1;
}
