/* SPDX-License-Identifier: Apache-2.0
 *
 * filter.c: adding, reading and deleting filters. */
#include "engine/filter.h"

#include <stdlib.h>

#include "engine/builtin.h"
#include "engine/engine.h"
#include "engine/filter_check.h"
#include "engine/guid.h"
#include "engine/session.h"
#include "engine/state.h"

static enum ipsec_status check_references(struct ipsec_session *session,
                                          const struct ipsec_filter *filter);
static enum ipsec_status check_key(struct ipsec_session *session, const struct ipsec_guid *key);
static enum ipsec_status make_entry(struct ipsec_session *session,
                                    const struct ipsec_filter *filter,
                                    uint8_t lifetime,
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
    const struct filter_entry *entry;
    enum ipsec_status status;

    status = policy_begin_change(session);
    if (status != IPSEC_OK)
        return status;
    status = filter_check_right_to_add(session, filter);
    if (status != IPSEC_OK)
        return status;
    status = filter_add(session, filter, &entry);
    if (status != IPSEC_OK)
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
    *filter_out = filter_ref(entry->filter);
    return IPSEC_OK;
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
    return policy_delete(session, &entry->object);
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
           const struct filter_entry **entry_out)
{
    struct engine_state *state = session->state;
    struct filter_entry *entry;
    enum ipsec_status status;
    uint8_t lifetime;

    status = filter_check_values(filter, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = policy_lifetime_of(session, (filter->flags & IPSEC_FILTER_PERSISTENT) != 0, &lifetime);
    if (status != IPSEC_OK)
        return status;
    status = check_references(session, filter);
    if (status != IPSEC_OK)
        return status;
    status = filter_check_meaning(filter, NULL, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = check_key(session, &filter->key);
    if (status != IPSEC_OK)
        return status;
    status = make_entry(session, filter, lifetime, &entry);
    if (status != IPSEC_OK)
        return status;

    if (!filter_table_insert(&state->filters, entry)) {
        filter_entry_free(entry);
        return session_no_memory(session);
    }
    status = policy_add(session, &entry->object, &filter_policy_ops, lifetime);
    if (status != IPSEC_OK) {
        filter_policy_ops.discard(state, &entry->object, false);
        return status;
    }
    *entry_out = entry;
    return IPSEC_OK;
}

static enum ipsec_status
check_references(struct ipsec_session *session, const struct ipsec_filter *filter)
{
    if (!guid_is_zero(&filter->provider_key) &&
        builtin_find(IPSEC_BUILTIN_PROVIDER, &filter->provider_key) == NULL)
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_NOT_FOUND, IPSEC_FAULT_BODY,
                               "/providerKey", "no provider has this key");
    if (!guid_is_zero(&filter->provider_context_key))
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_BODY,
                               "/providerContextKey", "no provider context has this key");
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
           uint8_t lifetime,
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
    copy->lifetime = lifetime;
    copy->revision = ++state->revision;
    copy->provider_context_id = 0;
    copy->tunnel_id = 0;
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
