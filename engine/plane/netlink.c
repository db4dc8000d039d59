/* SPDX-License-Identifier: Apache-2.0
 *
 * netlink.c: messages to and from the kernel's IPsec. */
#include "engine/plane/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <linux/netlink.h>

#include <libmnl/libmnl.h>

#include "engine/plane/xfrm_msg.h"

/* The kernel fills datagrams of a dump up to 32 KiB and cuts silently what is longer than the
 * buffer. */
#define RECEIVE_SIZE ((size_t)64 * 1024)
#define SEND_SIZE ((size_t)NETLINK_BATCH_MAX * XFRM_MSG_MAX_SIZE)
/* The kernel answers within the send itself; waiting means that an answer was lost. */
#define ANSWER_SECONDS 5
#define SOCKET_BUFFER (8 * 1024 * 1024)

struct netlink {
    struct mnl_socket *socket;
    uint32_t next_sequence;
    size_t batch_size; /* messages */
    size_t used;       /* bytes of 'out' */
    uint8_t *out;      /* SEND_SIZE; null in a listener */
    uint8_t *in;       /* RECEIVE_SIZE */
};

/* The requests of one send, by their sequence numbers. */
struct expectation {
    uint32_t first;
    size_t count;
    struct netlink_result *results;
    bool is_complete;
};

static int
open_in_place(enum network_place place, const char *name, uint32_t groups, struct mnl_socket **out);
static int set_options(struct mnl_socket *socket);
static int make(struct mnl_socket *socket, bool has_requests, struct netlink **netlink_out);
static void seal(struct netlink *netlink, struct expectation *expectation);
static void match(struct expectation *expectation, const struct xfrm_msg *answer);
static void fail_all(struct expectation *expectation, int error);
static ssize_t receive(struct netlink *netlink, bool *is_short);
static int read_answers(struct netlink *netlink,
                        uint32_t sequence,
                        ssize_t received,
                        netlink_reader *reader,
                        void *context,
                        bool *is_complete);
static void forget_batch(struct netlink *netlink);

int
netlink_open(enum network_place place, const char *name, struct netlink **netlink_out)
{
    struct mnl_socket *socket = NULL;
    int error = open_in_place(place, name, 0, &socket);

    *netlink_out = NULL;
    if (error == 0)
        error = set_options(socket);
    if (error == 0)
        error = make(socket, true, netlink_out);
    if (error != 0 && socket != NULL)
        mnl_socket_close(socket);
    return error;
}

int
netlink_listen(enum network_place place,
               const char *name,
               uint32_t groups,
               struct netlink **netlink_out)
{
    struct mnl_socket *socket = NULL;
    int error = open_in_place(place, name, groups, &socket);

    *netlink_out = NULL;
    if (error == 0)
        error = set_options(socket);
    if (error == 0 && fcntl(mnl_socket_get_fd(socket), F_SETFL, O_NONBLOCK) != 0)
        error = errno;
    if (error == 0)
        error = make(socket, false, netlink_out);
    if (error != 0 && socket != NULL)
        mnl_socket_close(socket);
    return error;
}

void
netlink_close(struct netlink *netlink)
{
    if (netlink == NULL)
        return;
    forget_batch(netlink);
    mnl_socket_close(netlink->socket);
    free(netlink->out);
    free(netlink->in);
    free(netlink);
}

int
netlink_fd(const struct netlink *netlink)
{
    return mnl_socket_get_fd(netlink->socket);
}

uint32_t
netlink_port_id(const struct netlink *netlink)
{
    return mnl_socket_get_portid(netlink->socket);
}

void *
netlink_room(struct netlink *netlink)
{
    return netlink->batch_size < NETLINK_BATCH_MAX ? netlink->out + netlink->used : NULL;
}

void
netlink_add(struct netlink *netlink)
{
    const struct nlmsghdr *message = (const void *)(netlink->out + netlink->used);

    netlink->used += (message->nlmsg_len + 3) & ~(size_t)3;
    netlink->batch_size++;
}

size_t
netlink_batch_size(const struct netlink *netlink)
{
    return netlink->batch_size;
}

void
netlink_send(struct netlink *netlink,
             struct netlink_result *results,
             netlink_reader *reader,
             void *context)
{
    struct expectation expectation = { .results = results };
    bool is_short = false;
    ssize_t sent = 0;

    if (netlink->batch_size == 0)
        return;
    seal(netlink, &expectation);
    do
        sent = mnl_socket_sendto(netlink->socket, netlink->out, netlink->used);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        fail_all(&expectation, errno);
    forget_batch(netlink);

    while (!expectation.is_complete) {
        ssize_t received = receive(netlink, &is_short);
        const struct nlmsghdr *message = (const void *)netlink->in;
        int left = (int)received;

        /* What was answered until here is right, of the rest nobody knows. */
        if (received < 0)
            fail_all(&expectation, NETLINK_UNKNOWN);
        for (; received > 0 && mnl_nlmsg_ok(message, left);
             message = mnl_nlmsg_next(message, &left)) {
            struct xfrm_msg answer;

            if (!xfrm_msg_read(message, (size_t)left, &answer))
                continue;
            if (answer.kind == XFRM_MSG_KIND_ACK)
                match(&expectation, &answer);
            else if (reader != NULL && answer.sequence - expectation.first < expectation.count)
                reader(context, message, (size_t)left);
        }
        if (received > 0)
            explicit_bzero(netlink->in, (size_t)received);
    }
    /* No news is good news only when none got lost. */
    if (is_short)
        fail_all(&expectation, NETLINK_UNKNOWN);
}

int
netlink_ask(struct netlink *netlink, netlink_reader *reader, void *context)
{
    struct netlink_result result;
    struct expectation expectation = { .results = &result };
    bool is_complete = false;
    bool is_short = false;
    ssize_t sent = 0;
    int error = 0;

    if (netlink->batch_size != 1)
        return EINVAL;
    seal(netlink, &expectation);
    do
        sent = mnl_socket_sendto(netlink->socket, netlink->out, netlink->used);
    while (sent < 0 && errno == EINTR);
    error = sent < 0 ? errno : 0;
    forget_batch(netlink);

    while (error == 0 && !is_complete) {
        ssize_t received = receive(netlink, &is_short);

        if (received < 0)
            return NETLINK_UNKNOWN;
        error = read_answers(netlink, expectation.first, received, reader, context, &is_complete);
        explicit_bzero(netlink->in, (size_t)received);
    }
    return error == 0 && is_short ? NETLINK_UNKNOWN : error;
}

int
netlink_receive(struct netlink *netlink, netlink_reader *reader, void *context)
{
    bool is_short = false;

    for (;;) {
        ssize_t received = receive(netlink, &is_short);
        const struct nlmsghdr *message = (const void *)netlink->in;
        int left = (int)received;

        if (received < 0 && errno != EAGAIN)
            return errno;
        if (received < 0)
            return is_short ? ENOBUFS : 0;
        for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
            reader(context, message, (size_t)left);
        explicit_bzero(netlink->in, (size_t)received);
    }
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* What the work in the other namespace takes and gives. */
struct opening {
    uint32_t groups;
    struct mnl_socket *socket;
};

static int
open_socket(void *context)
{
    struct opening *opening = context;

    opening->socket = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
    if (opening->socket == NULL ||
        mnl_socket_bind(opening->socket, opening->groups, MNL_SOCKET_AUTOPID) != 0)
        return errno;
    return 0;
}

static int
open_in_place(enum network_place place, const char *name, uint32_t groups, struct mnl_socket **out)
{
    struct opening opening = { .groups = groups };
    int error = network_namespace_run(place, name, open_socket, &opening);

    *out = opening.socket;
    return error;
}

static int
set_options(struct mnl_socket *socket)
{
    const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
    int fd = mnl_socket_get_fd(socket);
    int size = SOCKET_BUFFER;
    int on = 1;

    /* An error without the request that it is about, which may hold a key. */
    if (setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        return errno;
    /* Without the right to have more there is what there is. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return 0;
}

static int
make(struct mnl_socket *socket, bool has_requests, struct netlink **netlink_out)
{
    struct netlink *netlink = calloc(1, sizeof *netlink);

    if (netlink == NULL)
        return ENOMEM;
    netlink->in = malloc(RECEIVE_SIZE);
    netlink->out = has_requests ? malloc(SEND_SIZE) : NULL;
    if (netlink->in == NULL || (has_requests && netlink->out == NULL)) {
        free(netlink->in);
        free(netlink->out);
        free(netlink);
        return ENOMEM;
    }
    netlink->socket = socket;
    netlink->next_sequence = 1;
    *netlink_out = netlink;
    return 0;
}

/* --- Sending ---------------------------------------------------------------------------------- */

/* Numbers the messages of the batch and asks the last one for an acknowledgement. */
static void
seal(struct netlink *netlink, struct expectation *expectation)
{
    uint8_t *at = netlink->out;

    expectation->first = netlink->next_sequence;
    expectation->count = netlink->batch_size;
    for (size_t i = 0; i < netlink->batch_size; i++) {
        struct nlmsghdr *message = (void *)at;

        message->nlmsg_seq = netlink->next_sequence++;
        message->nlmsg_pid = netlink_port_id(netlink);
        if (i + 1 == netlink->batch_size)
            message->nlmsg_flags |= NLM_F_ACK;
        expectation->results[i] = (struct netlink_result){ .error = 0 };
        at += (message->nlmsg_len + 3) & ~(size_t)3;
    }
}

static void
match(struct expectation *expectation, const struct xfrm_msg *answer)
{
    uint32_t index = answer->sequence - expectation->first;
    struct netlink_result *result = NULL;

    /* Of a send whose answers came too late. */
    if (index >= expectation->count)
        return;
    result = &expectation->results[index];
    result->error = answer->error;
    if (answer->reason != NULL)
        (void)snprintf(result->reason, sizeof result->reason, "%s", answer->reason);
    /* The kernel works in order, so all before the last one are done. */
    if (index + 1 == expectation->count)
        expectation->is_complete = true;
}

static void
fail_all(struct expectation *expectation, int error)
{
    for (size_t i = 0; i < expectation->count; i++) {
        if (expectation->results[i].error == 0)
            expectation->results[i].error = error;
    }
    expectation->is_complete = true;
}

/* The next datagram; -1 and EAGAIN when none comes.  'is_short' is set when some got lost.  Then
 * only what is there is waited for: all that was to come has come, and until the socket is empty
 * the kernel drops the answers to whatever is asked next. */
static ssize_t
receive(struct netlink *netlink, bool *is_short)
{
    for (;;) {
        /* With MSG_TRUNC the size is told as it was. */
        ssize_t received = recv(netlink_fd(netlink), netlink->in, RECEIVE_SIZE,
                                MSG_TRUNC | (*is_short ? MSG_DONTWAIT : 0));

        if (received > (ssize_t)RECEIVE_SIZE) {
            explicit_bzero(netlink->in, RECEIVE_SIZE);
            *is_short = true;
        } else if (received < 0 && errno == ENOBUFS) {
            *is_short = true;
        } else if (received >= 0 || errno != EINTR) {
            return received;
        }
    }
}

static int
read_answers(struct netlink *netlink,
             uint32_t sequence,
             ssize_t received,
             netlink_reader *reader,
             void *context,
             bool *is_complete)
{
    const struct nlmsghdr *message = (const void *)netlink->in;
    int left = (int)received;

    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        struct xfrm_msg answer;

        if (message->nlmsg_seq != sequence)
            continue;
        if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE) {
            reader(context, message, (size_t)left);
            continue;
        }
        *is_complete = true;
        if (!xfrm_msg_read(message, (size_t)left, &answer))
            return EBADMSG;
        return answer.error;
    }
    return 0;
}

static void
forget_batch(struct netlink *netlink)
{
    if (netlink->out != NULL)
        explicit_bzero(netlink->out, netlink->used);
    netlink->used = 0;
    netlink->batch_size = 0;
}
