/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_attributes.h: the attributes behind the fixed part of a netlink message, read through a
 * table that says how long each may be.  One that is too short or too long makes the message
 * malformed; one that the table does not name is passed over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

struct nlmsghdr;

#define XFRM_ATTRIBUTE_END 34 /* the types of which a table may have rows are below */

struct xfrm_attribute_rule {
    uint16_t minimum; /* bytes */
    uint16_t maximum; /* 0: not of interest */
};

struct xfrm_attribute {
    const void *payload; /* null: it is not there; in the message, aligned to 4 */
    uint16_t size;
};

/* One message under its rules. */
struct xfrm_attributes {
    struct xfrm_attribute by_type[XFRM_ATTRIBUTE_END];
};

/* Sorts what follows the first 'head_size' bytes of a payload by type.  'rules' has a row for each
 * type below XFRM_ATTRIBUTE_END.  Of a type that comes twice the last counts.  False: malformed. */
NODISCARD bool xfrm_attributes_read(const uint8_t *payload,
                                    size_t payload_size,
                                    size_t head_size,
                                    const struct xfrm_attribute_rule *rules,
                                    struct xfrm_attributes *attributes_out);

/* The table for states. */
extern const struct xfrm_attribute_rule xfrm_state_rules[XFRM_ATTRIBUTE_END];

static inline size_t
xfrm_align(size_t size)
{
    return (size + 3) & ~(size_t)3;
}
