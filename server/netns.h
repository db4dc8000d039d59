/* SPDX-License-Identifier: Apache-2.0
 *
 * netns.h: working in a named network namespace. */
#pragma once

#include "engine/base/attributes.h"
#include "engine/base/status.h"

/* Puts the calling thread, and all that it starts from then on, into the network namespace that
 * ip-netns(8) calls so.  Sockets that are open stay where they are: callers connect as before,
 * while what the data plane opens later is there.  Takes CAP_SYS_ADMIN, once.  A name that is none,
 * or of none, is IPSEC_INVALID_PARAMETER. */
NODISCARD enum ipsec_status netns_enter(const char *name, struct ipsec_fault *fault);
