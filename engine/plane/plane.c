/* SPDX-License-Identifier: Apache-2.0
 *
 * plane.c: which data planes there are. */
#include "engine/plane/plane.h"

#include <string.h>

static const struct plane_ops *const planes[] = {
    &plane_none,
    &plane_xfrm,
};

const struct plane_ops *
plane_find(const char *uri, const char **argument_out)
{
    const char *colon = strchr(uri, ':');
    size_t length = colon == NULL ? strlen(uri) : (size_t)(colon - uri);

    for (size_t i = 0; i < sizeof planes / sizeof(const struct plane_ops *); i++) {
        const char *name = planes[i]->name;

        if (strlen(name) != length || strncmp(name, uri, length) != 0)
            continue;
        *argument_out = colon == NULL ? "" : colon + 1;
        return planes[i];
    }
    return NULL;
}
