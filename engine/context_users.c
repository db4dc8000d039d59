/* SPDX-License-Identifier: Apache-2.0
 *
 * context_users.c: see context_users.h. */
#include "engine/context_users.h"

#include <stdio.h>

#include "engine/engine.h"
#include "engine/session.h"
#include "engine/state.h"

static uint64_t
find_one(struct ipsec_session *session, const struct context_users *users, uint64_t object_id);

void
context_users_add(struct context_users *users, uint64_t context_id)
{
    users->count++;
    users->ids ^= context_id;
}

void
context_users_remove(struct context_users *users, uint64_t context_id)
{
    users->count--;
    users->ids ^= context_id;
}

enum ipsec_status
context_users_check_none(struct ipsec_session *session,
                         const struct context_users *users,
                         const char *noun,
                         uint64_t object_id)
{
    unsigned long long object = object_id;
    char named[64] = "";

    if (users->count == 0)
        return IPSEC_OK;
    unsigned long long id = find_one(session, users, object_id);
    if (id != 0 && users->count == 1)
        (void)snprintf(named, sizeof named, ": SA context %llu", id);
    else if (id != 0)
        (void)snprintf(named, sizeof named, ", SA context %llu among them", id);
    return ipsec_fault_set(session->fault, IPSEC_IN_USE, IPSEC_FAULT_PATH, NULL,
                           users->count == 1 ? "%llu SA context refers to %s %llu%s"
                                             : "%llu SA contexts refer to %s %llu%s",
                           (unsigned long long)users->count, noun, object, named);
}

/* 0: the caller may not know, or it would take too long to find out. */
static uint64_t
find_one(struct ipsec_session *session, const struct context_users *users, uint64_t object_id)
{
    struct engine_state *state = session->state;
    struct id_table_cursor cursor = id_table_seek(&state->contexts, 0);
    const struct ipsec_sa_context *context;

    if (!session_has_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ))
        return 0;
    if (users->count == 1)
        return users->ids;
    for (size_t left = state_scan_budget(state); left > 0; left--) {
        context = id_table_next(&state->contexts, &cursor);
        if (context == NULL)
            return 0;
        state->scanned++;
        if (context->outbound_traffic.ipsec_filter_id == object_id ||
            context->outbound_traffic.tunnel_policy_id == object_id ||
            context->inbound_filter_id == object_id)
            return context->id;
    }
    return 0;
}
