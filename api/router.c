/* SPDX-License-Identifier: Apache-2.0
 *
 * router.c: see router.h. */
#include "api/router.h"

#include <stdio.h>
#include <string.h>

#include "api/routes.h"

static bool is_post(const struct api_route *route);
static bool path_matches(const char *pattern, const char *path, const char **argument_out);

static const struct route_group *const groups[] = {
    &routes_sa_context, &routes_policy,   &routes_builtin,
    &routes_session,    &routes_security, &routes_service,
};

size_t
router_route_count(void)
{
    size_t count = 0;

    for (size_t i = 0; i < CODEC_COUNT(groups); i++)
        count += groups[i]->count;
    return count;
}

const struct api_route *
router_route(size_t index)
{
    size_t group = 0;

    for (; index >= groups[group]->count; group++)
        index -= groups[group]->count;
    return &groups[group]->routes[index];
}

size_t
router_index(const struct api_route *route)
{
    size_t before = 0;

    for (size_t i = 0; i < CODEC_COUNT(groups); i++) {
        /* Pointers into different arrays have no order in C. */
        uintptr_t distance = (uintptr_t)route - (uintptr_t)groups[i]->routes;

        if (distance < groups[i]->count * sizeof *route)
            return before + distance / sizeof *route;
        before += groups[i]->count;
    }
    return before;
}

/* A path that a row spells out is that row's alone: it is no id. */
const struct api_route *
router_match(const char *method, const char *path, const char **argument_out)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    const struct api_route *found = NULL;
    bool is_spelled_out = false;

    *argument_out = NULL;
    for (size_t group = 0; group < CODEC_COUNT(groups); group++) {
        for (size_t i = 0; i < groups[group]->count; i++) {
            const struct api_route *route = &groups[group]->routes[i];
            const char *argument;

            if (!path_matches(route->path, path, &argument))
                continue;
            bool is_method = strcmp(route->method, wanted) == 0;
            if (argument == NULL && is_method) {
                *argument_out = NULL;
                return route;
            }
            is_spelled_out = is_spelled_out || argument == NULL;
            if (found == NULL && is_method) {
                found = route;
                *argument_out = argument;
            }
        }
    }
    return is_spelled_out ? NULL : found;
}

bool
router_writes(const struct api_route *route)
{
    return strcmp(route->method, "GET") != 0;
}

const struct codec_object *
router_body(const struct api_route *route)
{
    return route->body == NULL && is_post(route) ? &codec_no_members : route->body;
}

bool
router_body_is_optional(const struct api_route *route)
{
    const struct codec_object *body = router_body(route);

    if (body == NULL || !is_post(route))
        return false;
    for (size_t i = 0; i < body->field_count; i++) {
        if ((body->fields[i].flags & CODEC_REQUIRED) != 0)
            return false;
    }
    return true;
}

bool
router_is_repeatable(const struct api_route *route)
{
    return router_body(route) != NULL;
}

bool
router_allowed(const char *path, char *methods, size_t methods_size)
{
    const char *argument;
    bool is_spelled_out = false;
    size_t length = 0;

    for (size_t i = 0; i < router_route_count() && !is_spelled_out; i++)
        is_spelled_out = path_matches(router_route(i)->path, path, &argument) && argument == NULL;
    methods[0] = '\0';
    for (size_t i = 0; i < router_route_count() && length < methods_size; i++) {
        const struct api_route *route = router_route(i);
        if (!path_matches(route->path, path, &argument) || (is_spelled_out && argument != NULL))
            continue;
        int added =
            snprintf(methods + length, methods_size - length, "%s%s%s", length == 0 ? "" : ", ",
                     route->method, strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
        length += added < 0 ? 0 : (size_t)added;
    }
    return length > 0;
}

static bool
is_post(const struct api_route *route)
{
    return strcmp(route->method, "POST") == 0;
}

/* Segment by segment; one in braces takes any text but none. */
static bool
path_matches(const char *pattern, const char *path, const char **argument_out)
{
    *argument_out = NULL;
    while (*pattern != '\0') {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        size_t size = strcspn(path, "/");
        if (size == 0)
            return false;
        *argument_out = path;
        path += size;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *path == '\0';
}
