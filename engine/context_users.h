/* SPDX-License-Identifier: Apache-2.0
 *
 * context_users.h: the SA contexts that refer to a policy object: how many, and one of them.
 *
 * There may be a million, which have no room for a list of them. */
#pragma once

#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"

struct ipsec_session;

struct context_users {
    uint64_t count;
    uint64_t ids; /* all their ids, exclusive or: of one alone, that is who it is */
};

void context_users_add(struct context_users *users, uint64_t context_id);
void context_users_remove(struct context_users *users, uint64_t context_id);

/* IPSEC_IN_USE while there is one.  The fault says how many there are and, to who may read SA
 * contexts, names one if it is the only one or among the first that the engine has.  'noun' and
 * 'object_id' are what they refer to. */
NODISCARD enum ipsec_status context_users_check_none(struct ipsec_session *session,
                                                     const struct context_users *users,
                                                     const char *noun,
                                                     uint64_t object_id);
