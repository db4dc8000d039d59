/* SPDX-License-Identifier: Apache-2.0
 *
 * xfrm_owner.c: how objects in the kernel are recognised as this service's. */
#include "engine/plane/xfrm_owner.h"

#include <string.h>

/* Four letters, instance (4 bytes), direction (1 byte), identifier (7 bytes); big endian. */
static const uint8_t owner_letters[4] = { 'S', 'A', 'c', 'x' };

#define OWNER_INSTANCE_AT 4
#define OWNER_DIRECTION_AT 8
#define OWNER_ID_AT 9

#define REQID_BITS 31
#define REQID_MASK ((UINT32_C(1) << REQID_BITS) - 1)

void
xfrm_owner_write(const struct xfrm_owner *owner, uint8_t tag[KERNEL_OWNER_SIZE])
{
    memcpy(tag, owner_letters, sizeof owner_letters);
    for (int i = 0; i < 4; i++)
        tag[OWNER_INSTANCE_AT + i] = (uint8_t)(owner->instance >> (24 - 8 * i));
    tag[OWNER_DIRECTION_AT] = owner->direction;
    for (int i = 0; i < 7; i++)
        tag[OWNER_ID_AT + i] = (uint8_t)(owner->id >> (48 - 8 * i));
}

bool
xfrm_owner_read(const uint8_t tag[KERNEL_OWNER_SIZE], struct xfrm_owner *owner_out)
{
    *owner_out = (struct xfrm_owner){ .id = 0 };
    if (memcmp(tag, owner_letters, sizeof owner_letters) != 0)
        return false;
    for (int i = 0; i < 4; i++)
        owner_out->instance = owner_out->instance << 8 | tag[OWNER_INSTANCE_AT + i];
    owner_out->direction = tag[OWNER_DIRECTION_AT];
    for (int i = 0; i < 7; i++)
        owner_out->id = owner_out->id << 8 | tag[OWNER_ID_AT + i];
    return true;
}

uint32_t
xfrm_owner_reqid(uint64_t filter_id)
{
    uint32_t mixed = (uint32_t)filter_id & REQID_MASK;

    /* Each step can be undone within 31 bits, so different numbers stay different. */
    mixed ^= mixed >> 16;
    mixed = mixed * UINT32_C(0x2c1b3c6d) & REQID_MASK;
    mixed ^= mixed >> 15;
    mixed = mixed * UINT32_C(0x297a2d39) & REQID_MASK;
    mixed ^= mixed >> 16;
    return mixed | ~REQID_MASK;
}
