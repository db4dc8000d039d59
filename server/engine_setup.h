/* SPDX-License-Identifier: Apache-2.0
 *
 * engine_setup.h: the options as the engine takes them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/engine.h"

struct options;

#define ENGINE_SETUP_PLANE_SIZE 64
struct engine_setup {
    struct ipsec_engine_options options;
    char plane[ENGINE_SETUP_PLANE_SIZE];
};

/* Fills 'setup', which must stay where it is; without sockets to exempt and without a listener. */
void engine_setup_fill(struct engine_setup *setup, const struct options *options);

/* Whether the data plane works in the kernel and its thread takes CAP_NET_ADMIN. */
bool engine_setup_needs_net_admin(const struct options *options);
