/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_stat.h: /proc/net/xfrm_stat: what the kernel dropped and why.  The numbers belong to the
 * network namespace, those of others in it included, and never start anew. */
#pragma once

#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/plane/network_namespace.h"

enum xfrm_stat_name {
    XFRM_STAT_IN_ERROR = 0,
    XFRM_STAT_IN_BUFFER_ERROR,
    XFRM_STAT_IN_HEADER_ERROR,
    XFRM_STAT_IN_NO_STATES,
    XFRM_STAT_IN_STATE_PROTO_ERROR,
    XFRM_STAT_IN_STATE_MODE_ERROR,
    XFRM_STAT_IN_STATE_SEQUENCE_ERROR,
    XFRM_STAT_IN_STATE_EXPIRED,
    XFRM_STAT_IN_STATE_MISMATCH,
    XFRM_STAT_IN_STATE_INVALID,
    XFRM_STAT_IN_TEMPLATE_MISMATCH,
    XFRM_STAT_IN_NO_POLICIES,
    XFRM_STAT_IN_POLICY_BLOCK,
    XFRM_STAT_IN_POLICY_ERROR,
    XFRM_STAT_IN_STATE_DIRECTION_ERROR,
    XFRM_STAT_ACQUIRE_ERROR,
    XFRM_STAT_COUNT,
    XFRM_STAT_IN_END = XFRM_STAT_ACQUIRE_ERROR, /* those before it are drops of inbound packets */
};

struct xfrm_stat {
    int fd;                          /* -1: not open */
    uint64_t first[XFRM_STAT_COUNT]; /* when it was opened */
};

/* Opens it in the network namespace named.  0 or an errno; ENOENT: the kernel was built without. */
NODISCARD int xfrm_stat_open(enum network_place place, const char *name, struct xfrm_stat *stat);
void xfrm_stat_close(struct xfrm_stat *stat);
/* The counts since it was opened; zeros when it can't be read. */
void xfrm_stat_read(const struct xfrm_stat *stat, uint64_t counts_out[XFRM_STAT_COUNT]);
