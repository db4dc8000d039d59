/* SPDX-License-Identifier: Apache-2.0
 *
 * filter.c: adding, reading and deleting filters. */
#include "engine/filter.h"

#include <stdlib.h>

#include "engine/builtin.h"
#include "engine/engine.h"
#include "engine/filter_check.h"
#include "engine/guid.h"
#include "engine/provider_context.h"
#include "engine/session.h"
#include "engine/state.h"

/* What a filter has that does not come from its caller; no context, no tunnel: null. */
struct relations {
    uint8_t lifetime;
    struct provider_context_entry *context;
    struct provider_context_entry *tunnel;
};

static enum ipsec_status find_references(struct ipsec_session *session,
                                         const struct ipsec_filter *filter,
                                         uint8_t lifetime,
                                         struct provider_context_entry **context_out);
static enum ipsec_status check_key(struct ipsec_session *session, const struct ipsec_guid *key);
static enum ipsec_status make_entry(struct ipsec_session *session,
                                    const struct ipsec_filter *filter,
                                    const struct relations *relations,
                                    struct filter_entry **entry_out);
static void normalise(struct ipsec_filter *filter);
static uint64_t effective_weight(const struct ipsec_filter *filter);
static struct filter_entry *find_visible(const struct ipsec_session *session, uint64_t id);
static enum ipsec_status not_found(struct ipsec_session *session, uint64_t id);

/* --- Operations --- */

enum ipsec_status
ipsec_filter_add(struct ipsec_session *session,
                 const struct ipsec_filter *filter,
                 uint64_t *id_out,
                 struct ipsec_guid *key_out)
{
    const struct filter_entry *entry = NULL;
    enum ipsec_status status;

    status = policy_begin_change(session);
    if (status != IPSEC_OK)
        return status;
    status = filter_check_right_to_add(session, filter);
    if (status != IPSEC_OK)
        return status;
    status = filter_add(session, filter, NULL, &entry);
    if (entry == NULL)
        return status;
    *id_out = entry->filter->id;
    *key_out = entry->filter->key;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_filter_get_by_id(struct ipsec_session *session,
                       uint64_t id,
                       const struct ipsec_filter **filter_out)
{
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_READ);

    if (status != IPSEC_OK)
        return status;
    const struct filter_entry *entry = find_visible(session, id);
    if (entry == NULL)
        return not_found(session, id);
    status = session_check_revision(session, entry->filter->revision);
    if (status == IPSEC_OK)
        *filter_out = filter_ref(entry->filter);
    return status;
}

enum ipsec_status
ipsec_filter_get_by_key(struct ipsec_session *session,
                        const struct ipsec_guid *key,
                        const struct ipsec_filter **filter_out)
{
    const struct filter_table *table = &session->state->filters;
    const struct filter_entry *entry = NULL;
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_READ);

    if (status != IPSEC_OK)
        return status;
    while ((entry = filter_table_next_of(table, key, entry)) != NULL) {
        if (!policy_is_visible(session, &entry->object))
            continue;
        *filter_out = filter_ref(entry->filter);
        return IPSEC_OK;
    }
    return ipsec_fault_set(session->fault, IPSEC_FILTER_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                           "no filter has this key");
}

enum ipsec_status
ipsec_filter_delete_by_id(struct ipsec_session *session, uint64_t id)
{
    enum ipsec_status status;

    status = policy_begin_change(session);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_FILTERS, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    struct filter_entry *entry = find_visible(session, id);
    if (entry == NULL)
        return not_found(session, id);
    status = policy_check_owner(session, &entry->object);
    if (status != IPSEC_OK)
        return status;
    if (entry->tunnel != NULL)
        return ipsec_fault_set(session->fault, IPSEC_IN_USE, IPSEC_FAULT_PATH, NULL,
                               "filter %llu is part of tunnel %llu and goes with it",
                               (unsigned long long)id,
                               (unsigned long long)entry->filter->tunnel_id);
    status = session_check_revision(session, entry->filter->revision);
    return status == IPSEC_OK ? policy_delete(session, &entry->object) : status;
}

enum ipsec_status
ipsec_filter_enum(struct ipsec_session *session,
                  int layer,
                  uint64_t after,
                  size_t limit,
                  struct ipsec_filter_page *page_out)
{
    struct engine_state *state = session->state;
    const struct id_table *ids = &state->filters.ids;
    enum ipsec_status status;

    *page_out = (struct ipsec_filter_page){ .filter_count = 0 };
    status =
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ENUM | FWPM_ACTRL_READ);
    if (status != IPSEC_OK)
        return status;
    if (layer >= IPSEC_LAYER_COUNT)
        return ipsec_fault_set(session->fault, IPSEC_LAYER_NOT_FOUND, IPSEC_FAULT_QUERY, "layer",
                               "no layer has this number");
    if (limit == 0)
        return ipsec_fault_set(session->fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_QUERY, "limit",
                               "a page has at least one place");

    size_t budget = state_scan_budget(state);
    size_t room = limit < budget ? limit : budget;
    room = room < ids->count ? room : ids->count;
    if (room == 0)
        return IPSEC_OK;
    page_out->filters = calloc(room, sizeof(const struct ipsec_filter *));
    if (page_out->filters == NULL)
        return session_no_memory(session);

    struct id_table_cursor cursor = id_table_seek(ids, after);
    for (size_t looked_at = 0; looked_at <= budget; looked_at++) {
        const struct filter_row *row = id_table_next(ids, &cursor);

        if (row == NULL) {
            page_out->next = 0;
            break;
        }
        if (page_out->filter_count == room || looked_at == budget)
            break;
        page_out->next = row->id;
        state->scanned++;
        if (!policy_is_visible(session, &row->entry->object) ||
            (layer >= 0 && row->entry->filter->layer != layer))
            continue;
        page_out->filters[page_out->filter_count++] = filter_ref(row->entry->filter);
    }
    return IPSEC_OK;
}

void
ipsec_filter_page_clear(struct ipsec_filter_page *page)
{
    for (size_t i = 0; i < page->filter_count; i++)
        ipsec_filter_unref(page->filters[i]);
    free(page->filters);
    *page = (struct ipsec_filter_page){ .filter_count = 0 };
}

/* --- Adding --- */

/* WFP asks for ADD_LINK on all that the filter refers to.  Layers, callouts and providers have no
 * descriptors of their own here, and a layer is always named. */
enum ipsec_status
filter_check_right_to_add(struct ipsec_session *session, const struct ipsec_filter *filter)
{
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ADD | FWPM_ACTRL_ADD_LINK);

    if (status != IPSEC_OK || guid_is_zero(&filter->provider_context_key))
        return status;
    return session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, FWPM_ACTRL_ADD_LINK);
}

enum ipsec_status
filter_add(struct ipsec_session *session,
           const struct ipsec_filter *filter,
           struct provider_context_entry *tunnel,
           const struct filter_entry **entry_out)
{
    struct engine_state *state = session->state;
    struct relations relations = { .tunnel = tunnel };
    const struct ipsec_provider_context *context = NULL;
    struct filter_entry *entry = NULL;
    enum ipsec_status status;

    status = filter_check_values(filter, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = policy_lifetime_of(session, (filter->flags & IPSEC_FILTER_PERSISTENT) != 0,
                                &relations.lifetime);
    if (status != IPSEC_OK)
        return status;
    status = find_references(session, filter, relations.lifetime, &relations.context);
    if (status != IPSEC_OK)
        return status;
    if (relations.context != NULL)
        context = relations.context->provider_context;
    status = filter_check_meaning(filter, context, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = check_key(session, &filter->key);
    if (status != IPSEC_OK)
        return status;
    status = filter_plane_check(session, filter, context);
    if (status != IPSEC_OK)
        return status;
    status = make_entry(session, filter, &relations, &entry);
    if (entry == NULL)
        return status;

    if (!filter_table_insert(&state->filters, entry)) {
        filter_entry_free(entry);
        return session_no_memory(session);
    }
    status = policy_add(session, &entry->object, &filter_policy_ops, relations.lifetime);
    if (status != IPSEC_OK) {
        filter_policy_ops.discard(state, &entry->object, false);
        return status;
    }
    *entry_out = entry;
    return IPSEC_OK;
}

/* '*context_out' is null when none is named.  What is persistent is so with its provider. */
static enum ipsec_status
find_references(struct ipsec_session *session,
                const struct ipsec_filter *filter,
                uint8_t lifetime,
                struct provider_context_entry **context_out)
{
    static const char pointer[] = "/providerContextKey";
    enum ipsec_status status;

    *context_out = NULL;
    if (!guid_is_zero(&filter->provider_key) &&
        builtin_find(IPSEC_BUILTIN_PROVIDER, &filter->provider_key) == NULL)
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_NOT_FOUND, IPSEC_FAULT_BODY,
                               "/providerKey", "no provider has this key");
    if (guid_is_zero(&filter->provider_context_key))
        return IPSEC_OK;
    struct provider_context_entry *context =
        provider_context_find_key(session, &filter->provider_context_key);
    if (context == NULL)
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_BODY,
                               pointer, "no provider context has this key");
    status = policy_check_reference(session, lifetime, &context->object,
                                    context->provider_context->lifetime, pointer);
    if (status != IPSEC_OK)
        return status;
    if (lifetime == IPSEC_LIFETIME_PERSISTENT &&
        !guid_equal(&filter->provider_key, &context->provider_context->provider_key))
        return ipsec_fault_set(session->fault, IPSEC_LIFETIME_MISMATCH, IPSEC_FAULT_BODY, pointer,
                               "what is persistent may not refer to what another provider owns");
    *context_out = context;
    return IPSEC_OK;
}

static enum ipsec_status
check_key(struct ipsec_session *session, const struct ipsec_guid *key)
{
    const struct filter_table *table = &session->state->filters;
    const struct filter_entry *entry = NULL;

    if (guid_is_zero(key))
        return IPSEC_OK;
    while ((entry = filter_table_next_of(table, key, entry)) != NULL) {
        if (policy_is_visible(session, &entry->object))
            return ipsec_fault_set(session->fault, IPSEC_ALREADY_EXISTS, IPSEC_FAULT_BODY, "/key",
                                   "another filter has this key");
    }
    return IPSEC_OK;
}

/* A checked filter with all that the engine adds to it. */
static enum ipsec_status
make_entry(struct ipsec_session *session,
           const struct ipsec_filter *filter,
           const struct relations *relations,
           struct filter_entry **entry_out)
{
    struct engine_state *state = session->state;
    enum ipsec_status status;
    uint32_t created_by;

    status = session_intern_caller(session, &created_by);
    if (status != IPSEC_OK)
        return status;
    struct ipsec_filter *copy = filter_copy(filter);
    struct filter_entry *entry = copy == NULL ? NULL : filter_entry_new(copy);
    if (entry == NULL || !luid_next(&state->luids, &copy->id)) {
        filter_entry_free(entry);
        return session_no_memory(session);
    }
    normalise(copy);
    copy->effective_weight = effective_weight(copy);
    copy->created_at_ms = state->now_ms;
    copy->created_by = created_by;
    copy->lifetime = relations->lifetime;
    copy->revision = ++state->revision;
    entry->provider_context = relations->context;
    entry->tunnel = relations->tunnel;
    copy->provider_context_id =
        entry->provider_context == NULL ? 0 : entry->provider_context->provider_context->id;
    copy->tunnel_id = entry->tunnel == NULL ? 0 : entry->tunnel->provider_context->id;
    *entry_out = entry;
    return IPSEC_OK;
}

/* What means the same gets the same bytes; what is missing is made. */
static void
normalise(struct ipsec_filter *filter)
{
    if (guid_is_zero(&filter->key))
        filter->key = guid_new();
    if (filter->weight_type == IPSEC_WEIGHT_AUTOMATIC)
        filter->weight = 0;
    if (!guid_is_zero(&filter->provider_context_key))
        filter->flags |= IPSEC_FILTER_HAS_PROVIDER_CONTEXT;
    for (size_t i = 0; i < filter->condition_count; i++)
        condition_normalise(&filter->conditions[i], (enum ipsec_layer)filter->layer);
    for (size_t i = filter->condition_count; i < IPSEC_CONDITION_FIELD_COUNT; i++)
        filter->conditions[i] = (struct ipsec_condition){ .field = 0 };
}

/* The automatic weight counts the bits that conditions fix and puts the sum at the top of the 60
 * bits that WFP leaves to it. */
static uint64_t
effective_weight(const struct ipsec_filter *filter)
{
    uint64_t fixed_bits = 0;

    if (filter->weight_type == IPSEC_WEIGHT_EXPLICIT)
        return filter->weight;
    for (size_t i = 0; i < filter->condition_count; i++)
        fixed_bits += condition_fixed_bits(&filter->conditions[i]);
    return (filter->weight << 60) | (fixed_bits << 51);
}

/* --- Finding --- */

static struct filter_entry *
find_visible(const struct ipsec_session *session, uint64_t id)
{
    struct filter_entry *entry = filter_table_find(&session->state->filters, id);

    return entry == NULL || !policy_is_visible(session, &entry->object) ? NULL : entry;
}

static enum ipsec_status
not_found(struct ipsec_session *session, uint64_t id)
{
    return ipsec_fault_set(session->fault, IPSEC_FILTER_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                           "no filter has id %llu", (unsigned long long)id);
}
