/* SPDX-License-Identifier: Apache-2.0
 *
 * identity.c: see identity.h. */
#include "auth/identity.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const name_prefixes[AUTH_NAME_KIND_COUNT] = {
    [AUTH_NAME_URI] = "uri:",
    [AUTH_NAME_DNS] = "dns:",
    [AUTH_NAME_EMAIL] = "email:",
    [AUTH_NAME_DN] = "dn:",
    [AUTH_NAME_CN] = "cn:",
    [AUTH_NAME_SHA256] = "sha256:",
    [AUTH_NAME_EVERYONE] = "everyone",
};

const char *
auth_name_prefix(enum auth_name_kind kind)
{
    return name_prefixes[kind];
}

char *
auth_name_copy(enum auth_name_kind kind, const char *text, size_t size)
{
    char *copy = strndup(text, size);
    char *folded = NULL;

    if (copy != NULL && kind == AUTH_NAME_DNS)
        folded = copy;
    else if (copy != NULL && kind == AUTH_NAME_EMAIL)
        folded = strrchr(copy, '@');
    for (; folded != NULL && *folded != '\0'; folded++) {
        if (*folded >= 'A' && *folded <= 'Z')
            *folded = (char)(*folded - 'A' + 'a');
    }
    return copy;
}

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
