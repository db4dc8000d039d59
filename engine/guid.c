/* SPDX-License-Identifier: Apache-2.0
 *
 * guid.c: see guid.h. */
#include "engine/guid.h"

#include <string.h>

#include "engine/base/clock.h"

struct ipsec_guid
guid_new(void)
{
    struct ipsec_guid guid;

    random_bytes(guid.bytes, sizeof guid.bytes);
    guid.bytes[6] = (uint8_t)((guid.bytes[6] & 0x0f) | 0x40);
    guid.bytes[8] = (uint8_t)((guid.bytes[8] & 0x3f) | 0x80);
    return guid;
}

bool
guid_is_zero(const struct ipsec_guid *guid)
{
    static const struct ipsec_guid zero;

    return guid_equal(guid, &zero);
}

bool
guid_equal(const struct ipsec_guid *left, const struct ipsec_guid *right)
{
    return memcmp(left, right, sizeof *left) == 0;
}
