/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_exempt.h: the service's own traffic is never cut off by the filters of its callers. */
#pragma once

#include <stddef.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct sa_database;

/* Exempts listening TCP sockets: each by itself, which those that it accepts inherit, and its
 * address and port, for packets that find no socket. */
NODISCARD enum ipsec_status plane_exempt(const struct sa_database *database,
                                         const int *fds,
                                         size_t count,
                                         struct ipsec_fault *fault);
