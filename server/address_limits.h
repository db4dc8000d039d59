/* SPDX-License-Identifier: Apache-2.0
 *
 * address_limits.h: how many connections there are, in all and of each address.
 *
 * Shared by the workers.  An IPv6 caller counts by its /64, the least that one host is given. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sys/socket.h>

#include "engine/base/attributes.h"

struct address_limits;
struct address_slot; /* one address with connections */

/* 'maximum_per_address' 0: no limit.  Unfinished handshakes of one address are always limited. */
NODISCARD struct address_limits *address_limits_open(uint32_t maximum,
                                                     uint32_t maximum_per_address,
                                                     uint32_t maximum_handshakes_per_address);
/* After every connection has left.  Accepts null. */
void address_limits_close(struct address_limits *limits);

/* Whether one more connection of 'address' is within the limits: asked at accept. */
bool address_limits_allow(struct address_limits *limits, const struct sockaddr *address);

/* Counts an accepted connection, its handshake unfinished; null when there is no memory. */
struct address_slot *address_limits_enter(struct address_limits *limits,
                                          const struct sockaddr *address);
void address_limits_handshake_done(struct address_limits *limits, struct address_slot *slot);
void address_limits_leave(struct address_limits *limits,
                          struct address_slot *slot,
                          bool handshake_unfinished);
/* The address as a number. */
uint64_t address_limits_number(const struct address_slot *slot);
uint64_t address_limits_connections(const struct address_limits *limits);
