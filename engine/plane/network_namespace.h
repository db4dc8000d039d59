/* SPDX-License-Identifier: Apache-2.0
 *
 * network_namespace.h: doing something in another network namespace.  Namespaces are a thread's
 * own; what is opened there stays there when the thread has come back. */
#pragma once

#include "engine/base/attributes.h"

enum network_place {
    NETWORK_HERE = 0, /* the calling thread's namespace */
    NETWORK_NAMED,    /* the one that "ip netns" made under 'name' */
};

/* Runs 'work' there and comes back.  Returns what 'work' does, or the errno that kept it from
 * running. */
NODISCARD int network_namespace_run(enum network_place place,
                                    const char *name,
                                    int (*work)(void *context),
                                    void *context);
