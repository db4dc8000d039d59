/* SPDX-License-Identifier: Apache-2.0
 *
 * tunnel_read.c: what tunnels there are and what they consist of; see tunnel.h. */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/policy_type.h"
#include "engine/provider_context.h"
#include "engine/session.h"
#include "engine/state.h"
#include "engine/tunnel.h"

static enum ipsec_status check_rights(struct ipsec_session *session, uint32_t rights);
static bool names_tunnel(const struct ipsec_provider_context *context, int unused);

enum ipsec_status
ipsec_tunnel_get(struct ipsec_session *session, uint64_t id, struct ipsec_tunnel_made *made_out)
{
    struct provider_context_entry *policy = NULL;
    enum ipsec_status status;

    status = check_rights(session, FWPM_ACTRL_READ);
    if (status != IPSEC_OK)
        return status;
    status = tunnel_find(session, id, &policy);
    if (policy == NULL)
        return status;
    status = session_check_revision(session, policy->provider_context->revision);
    if (status != IPSEC_OK)
        return status;
    tunnel_describe(session, policy, made_out);
    return IPSEC_OK;
}

enum ipsec_status
ipsec_tunnel_enum(struct ipsec_session *session,
                  uint64_t after,
                  size_t limit,
                  struct ipsec_tunnel_page *page_out)
{
    struct ipsec_provider_context_page policies;
    enum ipsec_status status = check_rights(session, FWPM_ACTRL_ENUM | FWPM_ACTRL_READ);

    *page_out = (struct ipsec_tunnel_page){ .tunnel_count = 0 };
    if (status != IPSEC_OK)
        return status;
    status = provider_context_page(session, names_tunnel, 0, after, limit, &policies);
    if (status != IPSEC_OK)
        return status;
    if (policies.provider_context_count > 0)
        page_out->tunnels = calloc(policies.provider_context_count, sizeof *page_out->tunnels);
    if (policies.provider_context_count > 0 && page_out->tunnels == NULL) {
        ipsec_provider_context_page_clear(&policies);
        return session_no_memory(session);
    }
    page_out->next = policies.next;
    for (; page_out->tunnel_count < policies.provider_context_count; page_out->tunnel_count++) {
        uint64_t id = policies.provider_contexts[page_out->tunnel_count]->id;

        tunnel_describe(session, provider_context_find_visible(session, id),
                        &page_out->tunnels[page_out->tunnel_count]);
    }
    ipsec_provider_context_page_clear(&policies);
    return IPSEC_OK;
}

void
ipsec_tunnel_page_clear(struct ipsec_tunnel_page *page)
{
    free(page->tunnels);
    *page = (struct ipsec_tunnel_page){ .tunnel_count = 0 };
}

enum ipsec_status
tunnel_find(struct ipsec_session *session, uint64_t id, struct provider_context_entry **policy_out)
{
    struct provider_context_entry *entry = provider_context_find_visible(session, id);

    if (entry == NULL || !names_tunnel(entry->provider_context, 0))
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_PATH,
                               NULL, "no tunnel has id %llu", (unsigned long long)id);
    *policy_out = entry;
    return IPSEC_OK;
}

/* 'part' or the first behind it that the session sees; null when there is none. */
struct filter_entry *
tunnel_next_part(const struct ipsec_session *session, struct filter_entry *part)
{
    while (part != NULL && !policy_is_visible(session, &part->object))
        part = part->part_link.next;
    return part;
}

struct provider_context_entry *
tunnel_main_mode_of(const struct filter_entry *part)
{
    return part->provider_context == part->tunnel ? NULL : part->provider_context;
}

/* The list of parts has the newest first. */
void
tunnel_describe(const struct ipsec_session *session,
                const struct provider_context_entry *policy,
                struct ipsec_tunnel_made *made_out)
{
    *made_out = (struct ipsec_tunnel_made){
        .id = policy->provider_context->id,
        .key = policy->provider_context->key,
        .revision = policy->provider_context->revision,
    };
    for (struct filter_entry *part = tunnel_next_part(session, policy->first_part);
         part != NULL && made_out->filter_count < IPSEC_TUNNEL_FILTERS_MAX;
         part = tunnel_next_part(session, part->part_link.next)) {
        memmove(&made_out->filter_ids[1], &made_out->filter_ids[0],
                made_out->filter_count * sizeof *made_out->filter_ids);
        made_out->filter_ids[0] = part->filter->id;
        made_out->filter_count++;
        if (tunnel_main_mode_of(part) != NULL)
            made_out->main_mode_id = tunnel_main_mode_of(part)->provider_context->id;
    }
}

static enum ipsec_status
check_rights(struct ipsec_session *session, uint32_t rights)
{
    enum ipsec_status status = session_check_right(session, IPSEC_CONTAINER_FILTERS, rights);

    if (status != IPSEC_OK)
        return status;
    return session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, rights);
}

/* A tunnel's main-mode policy is part of it as well. */
static bool
names_tunnel(const struct ipsec_provider_context *context, int unused)
{
    (void)unused;
    return context->is_tunnel && policy_type_is_tunnel(context->type);
}
