/* SPDX-License-Identifier: Apache-2.0
 *
 * security_table.h: the security descriptors that callers have set, one text a container.
 *
 * The engine keeps them and says when one takes effect; what a text means is for those to know who
 * grant the rights that calls come with. */
#pragma once

#include "engine/base/access.h"
#include "engine/base/attributes.h"
#include "engine/engine.h"

struct engine_state;
struct store_descriptor;

struct security_table {
    char *texts[IPSEC_CONTAINER_COUNT]; /* owned; null: none was set */
    struct ipsec_security_listener listener;
};

void security_table_clear(struct security_table *table);

/* Takes over what the store has. */
NODISCARD enum ipsec_status security_table_load(struct engine_state *state,
                                                const struct store_descriptor *descriptor,
                                                struct ipsec_fault *fault);
