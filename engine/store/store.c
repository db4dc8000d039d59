/* SPDX-License-Identifier: Apache-2.0
 *
 * store.c: finds the backend that a URI names. */
#include "engine/store/store.h"

#include <stdbool.h>
#include <string.h>

static const struct {
    const struct store_ops *ops;
    bool takes_path;
} backends[] = {
    { &store_memory, false },
    { &store_sqlite, true },
};

const struct store_ops *
store_find(const char *uri, const char **path_out)
{
    const char *colon = strchr(uri, ':');

    if (colon == NULL)
        return NULL;

    size_t scheme_length = (size_t)(colon - uri);
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        const char *name = backends[i].ops->name;
        if (strlen(name) != scheme_length || strncmp(name, uri, scheme_length) != 0)
            continue;
        if (backends[i].takes_path != (colon[1] != '\0'))
            return NULL;
        *path_out = colon + 1;
        return backends[i].ops;
    }
    return NULL;
}
