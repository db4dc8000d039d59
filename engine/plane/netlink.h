/* SPDX-License-Identifier: Apache-2.0
 *
 * netlink.h: messages to and from the kernel's IPsec (NETLINK_XFRM).
 *
 * Requests go out many at a time, with an acknowledgement asked of the last one only: errors come
 * for each by itself and are matched by sequence number, and there are never more answers than the
 * receive buffer holds.  A socket works in the network namespace that it was opened in, whatever
 * its thread does later; CAP_NET_ADMIN is wanted at every send.  What keys passed through is wiped
 * in both directions.  One thread at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/plane/network_namespace.h"

struct netlink;
struct nlmsghdr;

#define NETLINK_BATCH_MAX 64
/* The outcome of a request whose answer got lost: ask the kernel before repeating it. */
#define NETLINK_UNKNOWN (-1)

struct netlink_result {
    int error;       /* 0, an errno, or NETLINK_UNKNOWN */
    char reason[96]; /* the kernel's own words, cut when too long; "" none */
};

/* Opens a socket for requests.  0 or an errno; then nothing is left behind. */
NODISCARD int
netlink_open(enum network_place place, const char *name, struct netlink **netlink_out);
/* Opens one that hears events of the groups (bits 1 << (XFRMNLGRP_x - 1)) and never blocks. */
NODISCARD int netlink_listen(enum network_place place,
                             const char *name,
                             uint32_t groups,
                             struct netlink **netlink_out);
/* From now on the listener hears nothing but messages of these types, and none of what the socket
 * with that port id asked for.  The kernel drops the others before they take room: so no crowd of
 * them keeps the rest out, and what keys they carry does not come here.  0 or an errno. */
#define NETLINK_TYPES_MAX 8
NODISCARD int netlink_hear_only(struct netlink *netlink,
                                const uint16_t *types,
                                size_t type_count,
                                uint32_t except_port_id);
void netlink_close(struct netlink *netlink); /* accepts null */
int netlink_fd(const struct netlink *netlink);
/* What the kernel puts into events as the sender of what this socket asked for. */
uint32_t netlink_port_id(const struct netlink *netlink);

/* --- Requests --------------------------------------------------------------------------------- */

/* Where to write the next message of the batch: XFRM_MSG_MAX_SIZE bytes.  There is room for
 * NETLINK_BATCH_MAX. */
void *netlink_room(struct netlink *netlink);
/* Takes the message that was just written there. */
void netlink_add(struct netlink *netlink);
size_t netlink_batch_size(const struct netlink *netlink);
/* Gets each message of an answer; 'size' bytes are there. */
typedef void netlink_reader(void *context, const struct nlmsghdr *message, size_t size);

/* Sends the batch and waits for the outcome of each, in their order.  What comes beside outcomes
 * goes to 'reader', which may be null. */
void netlink_send(struct netlink *netlink,
                  struct netlink_result *results,
                  netlink_reader *reader,
                  void *context);

/* Sends the one message of the batch, a question or a dump, and hands out what comes.  0, an errno,
 * or NETLINK_UNKNOWN. */
NODISCARD int netlink_ask(struct netlink *netlink, netlink_reader *reader, void *context);

/* --- Events ----------------------------------------------------------------------------------- */

/* Hands out the events that are there.  0, or ENOBUFS: some got lost before the ones that came;
 * whoever keeps count by events has to look at the whole. */
NODISCARD int netlink_receive(struct netlink *netlink, netlink_reader *reader, void *context);
