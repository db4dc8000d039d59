/* SPDX-License-Identifier: Apache-2.0
 *
 * luid.c: see luid.h. */
#include "engine/luid.h"

#include "engine/types.h"

bool
luid_next(struct luid_sequence *sequence, uint64_t *id_out)
{
    if (sequence->last >= IPSEC_LUID_MAX)
        return false;
    *id_out = ++sequence->last;
    return true;
}
