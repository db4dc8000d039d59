/* SPDX-License-Identifier: Apache-2.0
 *
 * lost_answers.h: the kernel does what a socket asks for, and its answers do not arrive. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include <cmocka.h>

#include "engine/plane/netlink.h"
#include "engine/plane/xfrm_msg.h"

static inline void
note_sequence(void *context, const struct nlmsghdr *message, size_t size)
{
    (void)size;
    *(uint32_t *)context = message->nlmsg_seq;
}

/* The sequence number of the socket's next request.  There has to be a policy. */
static inline uint32_t
next_sequence(struct netlink *netlink)
{
    uint32_t last = 0;

    assert_int_not_equal(xfrm_msg_dump_policies(netlink_room(netlink), XFRM_MSG_MAX_SIZE), 0);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, note_sequence, &last), 0);
    assert_int_not_equal(last, 0);
    return last + 1;
}

static inline void
attach_filter(struct netlink *netlink, struct sock_filter *filter, unsigned short count)
{
    const struct sock_fprog program = { .len = count, .filter = filter };
    /* The kernel answers within the send: what is not there then never comes. */
    const struct timeval patience = { .tv_usec = 50000 };
    int fd = netlink_fd(netlink);

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

/* All that answers the request of this number. */
static inline void
lose_answer(struct netlink *netlink, uint32_t sequence)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_seq)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(sequence), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };

    attach_filter(netlink, filter, sizeof filter / sizeof *filter);
}

static inline void
lose_all_answers(struct netlink *netlink)
{
    struct sock_filter filter[] = { BPF_STMT(BPF_RET | BPF_K, 0) };

    attach_filter(netlink, filter, 1);
}

static inline void
lose_none(struct netlink *netlink)
{
    int unused = 0;

    assert_int_equal(
        setsockopt(netlink_fd(netlink), SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused), 0);
}

/* From now on a few answers fill the socket, and the kernel says ENOBUFS for those behind them. */
static inline void
shrink_receive_buffer(struct netlink *netlink)
{
    int least = 1;

    assert_int_equal(setsockopt(netlink_fd(netlink), SOL_SOCKET, SO_RCVBUF, &least, sizeof least),
                     0);
}

/* How many the kernel could not deliver, whatever the reason. */
static inline uint32_t
count_lost(struct netlink *netlink)
{
    uint32_t info[SK_MEMINFO_VARS] = { 0 };
    socklen_t size = sizeof info;

    assert_int_equal(getsockopt(netlink_fd(netlink), SOL_SOCKET, SO_MEMINFO, info, &size), 0);
    return info[SK_MEMINFO_DROPS];
}
