/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_owner.h: how objects in the kernel are recognised as this service's.
 *
 * The kernel has no member for an owner.  16 bytes of ours travel where it keeps and shows them but
 * gives them no meaning: in a state's care-of address, which only Mobile IPv6 uses, and in the soft
 * byte and packet limits of a policy, which it never looks at.  Mark and interface id, which could
 * carry a number too, would change which traffic an object is for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/plane/xfrm_msg.h"

/* Two services in one network namespace tell their objects apart by 'instance'. */
struct xfrm_owner {
    uint32_t instance;
    uint8_t direction; /* state: enum ipsec_direction; policy: enum kernel_policy_direction */
    uint64_t id;       /* state: of the SA context; policy: of the filter; 0: the service's own */
};

void xfrm_owner_write(const struct xfrm_owner *owner, uint8_t tag[KERNEL_OWNER_SIZE]);
/* False: somebody else's. */
bool xfrm_owner_read(const uint8_t tag[KERNEL_OWNER_SIZE], struct xfrm_owner *owner_out);

/* The number that ties the states of a filter (or tunnel policy) to its policies.  Never 0.
 *
 * The kernel finds states in a table whose hash is a plain XOR of both addresses and this number,
 * so a number that counts up beside addresses would put all into few chains: it is mixed.  The top
 * bit is set, which keeps clear of the small numbers that key daemons and people use.  Two filters
 * get the same number only when they are 2^31 identifiers apart.
 *
 * So each pair of hosts has a chain of its own for each filter: between many hosts, or between two
 * under many filters, adding takes the same time however many there are.  All SAs between two hosts
 * under one filter are one chain, and each that is added walks it: that is the kernel's, which
 * looks up outbound states by this very number.  Inbound states, found by their SPI, could have
 * numbers that differ, but only under policies that ask for none; those would take packets from any
 * SA between the two hosts, also from one of a weaker filter or of somebody else. */
uint32_t xfrm_owner_reqid(uint64_t filter_id);
