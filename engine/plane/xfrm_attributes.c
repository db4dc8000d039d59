/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_attributes.c: the attributes behind the fixed part of a netlink message. */
#include "engine/plane/xfrm_attributes.h"

#include <linux/netlink.h>

bool
xfrm_attributes_read(const uint8_t *payload,
                     size_t payload_size,
                     size_t head_size,
                     const struct xfrm_attribute_rule *rules,
                     struct xfrm_attributes *attributes_out)
{
    size_t at = xfrm_align(head_size);

    *attributes_out = (struct xfrm_attributes){ .by_type = { { .size = 0 } } };
    if (payload_size < head_size)
        return false;
    /* Fewer bytes than a header are padding. */
    while (at + sizeof(struct nlattr) <= payload_size) {
        const struct nlattr *attribute = (const void *)(payload + at);
        uint16_t type = (uint16_t)(attribute->nla_type & (unsigned)NLA_TYPE_MASK);
        size_t size = attribute->nla_len;

        if (size < sizeof *attribute || size > payload_size - at)
            return false;
        size -= sizeof *attribute;
        if (type < XFRM_ATTRIBUTE_END && rules[type].maximum != 0) {
            if (size < rules[type].minimum || size > rules[type].maximum)
                return false;
            attributes_out->by_type[type] =
                (struct xfrm_attribute){ .payload = attribute + 1, .size = (uint16_t)size };
        }
        at += xfrm_align(sizeof *attribute + size);
    }
    return true;
}
