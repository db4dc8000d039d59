/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_context.c: adding, reading and deleting provider contexts. */
#include "engine/provider_context.h"

#include <stdlib.h>
#include <string.h>

#include "engine/builtin.h"
#include "engine/engine.h"
#include "engine/guid.h"
#include "engine/policy_type.h"
#include "engine/provider_context_check.h"
#include "engine/session.h"
#include "engine/state.h"

/* FWPM_PROVIDER_CONTEXT_FLAG_PERSISTENT */
#define PERSISTENT UINT32_C(0x1)

static enum ipsec_status check_references(struct ipsec_session *session,
                                          const struct ipsec_provider_context *provider_context);
static enum ipsec_status make_entry(struct ipsec_session *session,
                                    const struct ipsec_provider_context *provider_context,
                                    uint8_t lifetime,
                                    bool is_tunnel,
                                    struct provider_context_entry **entry_out);
static bool is_of_type(const struct ipsec_provider_context *provider_context, int type);
static void normalise(struct ipsec_provider_context *provider_context);
static enum ipsec_status not_found(struct ipsec_session *session, uint64_t id);

/* --- Operations --- */

enum ipsec_status
ipsec_provider_context_add(struct ipsec_session *session,
                           const struct ipsec_provider_context *provider_context,
                           uint64_t *id_out,
                           struct ipsec_guid *key_out)
{
    struct provider_context_entry *entry = NULL;
    enum ipsec_status status;

    status = policy_begin_change(session);
    if (status != IPSEC_OK)
        return status;
    status = provider_context_check_right_to_add(session, provider_context);
    if (status != IPSEC_OK)
        return status;
    status = provider_context_add(session, provider_context, false, &entry);
    if (entry == NULL)
        return status;
    *id_out = entry->provider_context->id;
    *key_out = entry->provider_context->key;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_provider_context_get_by_id(struct ipsec_session *session,
                                 uint64_t id,
                                 const struct ipsec_provider_context **provider_context_out)
{
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, FWPM_ACTRL_READ);

    if (status != IPSEC_OK)
        return status;
    const struct provider_context_entry *entry = provider_context_find_visible(session, id);
    if (entry == NULL)
        return not_found(session, id);
    status = session_check_revision(session, entry->provider_context->revision);
    if (status == IPSEC_OK)
        *provider_context_out = provider_context_ref(entry->provider_context);
    return status;
}

enum ipsec_status
ipsec_provider_context_get_by_key(struct ipsec_session *session,
                                  const struct ipsec_guid *key,
                                  const struct ipsec_provider_context **provider_context_out)
{
    const struct provider_context_table *table = &session->state->provider_contexts;
    const struct provider_context_entry *entry = NULL;
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, FWPM_ACTRL_READ);

    if (status != IPSEC_OK)
        return status;
    while ((entry = provider_context_table_next_of(table, key, entry)) != NULL) {
        if (!policy_is_visible(session, &entry->object))
            continue;
        *provider_context_out = provider_context_ref(entry->provider_context);
        return IPSEC_OK;
    }
    return ipsec_fault_set(session->fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                           "no provider context has this key");
}

enum ipsec_status
ipsec_provider_context_delete_by_id(struct ipsec_session *session, uint64_t id)
{
    enum ipsec_status status;

    status = policy_begin_change(session);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    struct provider_context_entry *entry = provider_context_find_visible(session, id);
    if (entry == NULL)
        return not_found(session, id);
    status = policy_check_owner(session, &entry->object);
    if (status != IPSEC_OK)
        return status;
    if (entry->provider_context->is_tunnel)
        return ipsec_fault_set(session->fault, IPSEC_IN_USE, IPSEC_FAULT_PATH, NULL,
                               "provider context %llu is part of a tunnel and goes with it",
                               (unsigned long long)id);
    status = session_check_revision(session, entry->provider_context->revision);
    return status == IPSEC_OK ? policy_delete(session, &entry->object) : status;
}

enum ipsec_status
ipsec_provider_context_enum(struct ipsec_session *session,
                            int type,
                            uint64_t after,
                            size_t limit,
                            struct ipsec_provider_context_page *page_out)
{
    enum ipsec_status status = session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS,
                                                   FWPM_ACTRL_ENUM | FWPM_ACTRL_READ);

    *page_out = (struct ipsec_provider_context_page){ .provider_context_count = 0 };
    if (status != IPSEC_OK)
        return status;
    if (type >= IPSEC_CONTEXT_TYPE_COUNT)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_ENUMERATOR, IPSEC_FAULT_QUERY, "type",
                               "is no type");
    return provider_context_page(session, is_of_type, type, after, limit, page_out);
}

enum ipsec_status
provider_context_page(struct ipsec_session *session,
                      bool (*is_wanted)(const struct ipsec_provider_context *context, int what),
                      int what,
                      uint64_t after,
                      size_t limit,
                      struct ipsec_provider_context_page *page_out)
{
    struct engine_state *state = session->state;
    const struct id_table *ids = &state->provider_contexts.ids;

    *page_out = (struct ipsec_provider_context_page){ .provider_context_count = 0 };
    if (limit == 0)
        return ipsec_fault_set(session->fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_QUERY, "limit",
                               "a page has at least one place");

    size_t budget = state_scan_budget(state);
    size_t room = limit < budget ? limit : budget;
    room = room < ids->count ? room : ids->count;
    if (room == 0)
        return IPSEC_OK;
    page_out->provider_contexts = calloc(room, sizeof(const struct ipsec_provider_context *));
    if (page_out->provider_contexts == NULL)
        return session_no_memory(session);

    struct id_table_cursor cursor = id_table_seek(ids, after);
    for (size_t looked_at = 0; looked_at <= budget; looked_at++) {
        const struct provider_context_row *row = id_table_next(ids, &cursor);

        if (row == NULL) {
            page_out->next = 0;
            break;
        }
        if (page_out->provider_context_count == room || looked_at == budget)
            break;
        page_out->next = row->id;
        state->scanned++;
        if (!policy_is_visible(session, &row->entry->object) ||
            !is_wanted(row->entry->provider_context, what))
            continue;
        page_out->provider_contexts[page_out->provider_context_count++] =
            provider_context_ref(row->entry->provider_context);
    }
    return IPSEC_OK;
}

void
ipsec_provider_context_page_clear(struct ipsec_provider_context_page *page)
{
    for (size_t i = 0; i < page->provider_context_count; i++)
        ipsec_provider_context_unref(page->provider_contexts[i]);
    free(page->provider_contexts);
    *page = (struct ipsec_provider_context_page){ .provider_context_count = 0 };
}

/* --- Adding --- */

/* Providers have no descriptors of their own here. */
enum ipsec_status
provider_context_check_right_to_add(struct ipsec_session *session,
                                    const struct ipsec_provider_context *provider_context)
{
    uint32_t rights = FWPM_ACTRL_ADD;

    if (!guid_is_zero(&provider_context->provider_key))
        rights |= FWPM_ACTRL_ADD_LINK;
    return session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, rights);
}

enum ipsec_status
provider_context_check_new(struct ipsec_session *session,
                           const struct ipsec_provider_context *provider_context,
                           uint8_t *lifetime_out)
{
    enum ipsec_status status = provider_context_check(provider_context, session->fault);

    if (status != IPSEC_OK)
        return status;
    status = policy_lifetime_of(session, (provider_context->flags & PERSISTENT) != 0, lifetime_out);
    return status == IPSEC_OK ? check_references(session, provider_context) : status;
}

enum ipsec_status
provider_context_add(struct ipsec_session *session,
                     const struct ipsec_provider_context *provider_context,
                     bool is_tunnel,
                     struct provider_context_entry **entry_out)
{
    struct engine_state *state = session->state;
    struct provider_context_entry *entry = NULL;
    enum ipsec_status status;
    uint8_t lifetime;

    status = provider_context_check_new(session, provider_context, &lifetime);
    if (status != IPSEC_OK)
        return status;
    status = make_entry(session, provider_context, lifetime, is_tunnel, &entry);
    if (entry == NULL)
        return status;

    if (!provider_context_table_insert(&state->provider_contexts, entry)) {
        provider_context_entry_free(entry);
        return session_no_memory(session);
    }
    status = policy_add(session, &entry->object, &provider_context_policy_ops, lifetime);
    if (status != IPSEC_OK) {
        provider_context_policy_ops.discard(state, &entry->object, false);
        return status;
    }
    *entry_out = entry;
    return IPSEC_OK;
}

static enum ipsec_status
check_references(struct ipsec_session *session,
                 const struct ipsec_provider_context *provider_context)
{
    if (!guid_is_zero(&provider_context->provider_key) &&
        builtin_find(IPSEC_BUILTIN_PROVIDER, &provider_context->provider_key) == NULL)
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_NOT_FOUND, IPSEC_FAULT_BODY,
                               "/providerKey", "no provider has this key");
    if (!guid_is_zero(&provider_context->key) &&
        provider_context_find_key(session, &provider_context->key) != NULL)
        return ipsec_fault_set(session->fault, IPSEC_ALREADY_EXISTS, IPSEC_FAULT_BODY, "/key",
                               "another provider context has this key");
    return IPSEC_OK;
}

/* A checked context with all that the engine adds to it. */
static enum ipsec_status
make_entry(struct ipsec_session *session,
           const struct ipsec_provider_context *provider_context,
           uint8_t lifetime,
           bool is_tunnel,
           struct provider_context_entry **entry_out)
{
    struct engine_state *state = session->state;
    enum ipsec_status status;
    uint32_t created_by;

    status = session_intern_caller(session, &created_by);
    if (status != IPSEC_OK)
        return status;
    struct ipsec_provider_context *copy = provider_context_copy(provider_context);
    struct provider_context_entry *entry = copy == NULL ? NULL : provider_context_entry_new(copy);
    if (entry == NULL || !luid_next(&state->luids, &copy->id)) {
        provider_context_entry_free(entry);
        return session_no_memory(session);
    }
    normalise(copy);
    copy->created_at_ms = state->now_ms;
    copy->created_by = created_by;
    copy->lifetime = lifetime;
    copy->is_tunnel = is_tunnel;
    copy->revision = ++state->revision;
    *entry_out = entry;
    return IPSEC_OK;
}

static bool
is_of_type(const struct ipsec_provider_context *provider_context, int type)
{
    return type < 0 || provider_context->type == type;
}

/* Nothing in members that the type does not have; what is missing is made. */
static void
normalise(struct ipsec_provider_context *provider_context)
{
    bool is_tunnel = policy_type_is_tunnel(provider_context->type);

    if (guid_is_zero(&provider_context->key))
        provider_context->key = guid_new();
    if (!is_tunnel) {
        provider_context->ip_version = 0;
        provider_context->local_endpoint = (struct ipsec_address){ .bytes = { 0 } };
        provider_context->remote_endpoint = (struct ipsec_address){ .bytes = { 0 } };
    }
    if (!is_tunnel && !policy_type_is_transport(provider_context->type)) {
        provider_context->policy_flags = 0;
        provider_context->nd_allow_clear_timeout_seconds = 0;
        provider_context->idle_timeout_seconds = 0;
        provider_context->idle_timeout_fail_over_seconds = 0;
        provider_context->proposal_count = 0;
    }
    for (size_t i = provider_context->proposal_count; i < IPSEC_PROPOSALS_MAX; i++)
        provider_context->proposals[i] = (struct ipsec_proposal){ .transform_count = 0 };
    for (size_t i = 0; i < provider_context->proposal_count; i++) {
        struct ipsec_proposal *proposal = &provider_context->proposals[i];

        if (proposal->transform_count == 1)
            proposal->transforms[1] = (struct ipsec_sa_transform){ .type = 0 };
    }
}

/* --- Finding --- */

struct provider_context_entry *
provider_context_find_committed(const struct engine_state *state, uint64_t id)
{
    struct provider_context_entry *entry =
        provider_context_table_find(&state->provider_contexts, id);

    return entry == NULL || !policy_is_committed(&entry->object) ? NULL : entry;
}

struct provider_context_entry *
provider_context_find_visible(const struct ipsec_session *session, uint64_t id)
{
    struct provider_context_entry *entry =
        provider_context_table_find(&session->state->provider_contexts, id);

    return entry == NULL || !policy_is_visible(session, &entry->object) ? NULL : entry;
}

struct provider_context_entry *
provider_context_find_key(const struct ipsec_session *session, const struct ipsec_guid *key)
{
    const struct provider_context_table *table = &session->state->provider_contexts;
    struct provider_context_entry *entry = NULL;

    while ((entry = provider_context_table_next_of(table, key, entry)) != NULL) {
        if (policy_is_visible(session, &entry->object))
            return entry;
    }
    return NULL;
}

static enum ipsec_status
not_found(struct ipsec_session *session, uint64_t id)
{
    return ipsec_fault_set(session->fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                           "no provider context has id %llu", (unsigned long long)id);
}
