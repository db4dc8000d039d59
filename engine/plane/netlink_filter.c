/* SPDX-License-Identifier: Apache-2.0
 *
 * netlink_filter.c: what a listener does not want to hear, told to the kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include <linux/filter.h>
#include <linux/netlink.h>

#include "engine/plane/netlink.h"

#define DROP BPF_STMT(BPF_RET | BPF_K, 0)
#define HEAR BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)

/* The program reads numbers in network order, where they stand in the machine's. */
int
netlink_hear_only(struct netlink *netlink,
                  const uint16_t *types,
                  size_t type_count,
                  uint32_t except_port_id)
{
    struct sock_filter program[5 + 2 * NETLINK_TYPES_MAX] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(except_port_id), 0, 1),
        DROP,
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
    };
    unsigned short length = 4;
    struct sock_fprog wire = { .filter = program };

    if (type_count > NETLINK_TYPES_MAX)
        return EINVAL;
    for (size_t i = 0; i < type_count; i++) {
        program[length++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(types[i]), 0, 1);
        program[length++] = (struct sock_filter)HEAR;
    }
    program[length++] = (struct sock_filter)DROP;
    wire.len = length;
    return setsockopt(netlink_fd(netlink), SOL_SOCKET, SO_ATTACH_FILTER, &wire, sizeof wire) == 0
               ? 0
               : errno;
}
