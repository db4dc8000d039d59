/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.h: THE table, every operation of the service, in one group of rows for each noun. */
#pragma once

#include <stddef.h>

#include "api/router.h"

struct route_group {
    const struct api_route *routes;
    size_t count;
};

extern const struct route_group routes_sa_context;
extern const struct route_group routes_policy;
extern const struct route_group routes_builtin;
extern const struct route_group routes_session;
extern const struct route_group routes_security;
extern const struct route_group routes_service;
