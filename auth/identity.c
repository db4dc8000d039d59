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

static void fold(char *text, size_t length);
static void fold_uri(char *uri);

const char *
auth_name_prefix(enum auth_name_kind kind)
{
    return name_prefixes[kind];
}

char *
auth_name_copy(enum auth_name_kind kind, const char *text, size_t size)
{
    char *copy = strndup(text, size);
    if (copy == NULL)
        return NULL;

    char *domain = strrchr(copy, '@');
    if (kind == AUTH_NAME_URI)
        fold_uri(copy);
    else if (kind == AUTH_NAME_DNS)
        fold(copy, strlen(copy));
    else if (kind == AUTH_NAME_EMAIL && domain != NULL)
        fold(domain, strlen(domain));
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
    for (size_t i = 0; i < identity->name_count + identity->further_count; i++)
        free(identity->names[i].text);
    free(identity->names);
    free(identity->principal);
    free(identity);
}

/* ASCII alone, in any locale. */
static void
fold(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] - 'A' + 'a');
    }
}

/* Scheme and host; a user before the host keeps its case. */
static void
fold_uri(char *uri)
{
    size_t scheme = strcspn(uri, ":/?#");

    if (uri[scheme] != ':')
        return;
    fold(uri, scheme);
    if (strncmp(uri + scheme, "://", strlen("://")) != 0)
        return;
    char *authority = uri + scheme + strlen("://");
    size_t length = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', length);
    size_t user = at == NULL ? 0 : (size_t)(at - authority) + 1;
    fold(authority + user, length - user);
}
