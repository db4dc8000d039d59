/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.c: see identity.h. */
#include "auth/identity.h"

#include <stdatomic.h>
#include <stdlib.h>

struct auth_identity *
auth_identity_ref(struct auth_identity *identity)
{
    if (identity != NULL)
        atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
    return identity;
}

void
auth_identity_unref(struct auth_identity *identity)
{
    if (identity == NULL ||
        atomic_fetch_sub_explicit(&identity->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < identity->name_count; i++)
        free(identity->names[i].text);
    free(identity->names);
    free(identity->principal);
    free(identity);
}
