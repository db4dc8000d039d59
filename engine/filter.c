/* SPDX-License-Identifier: Apache-2.0
 *
 * filter.c: adding, reading and deleting filters. */
#include "engine/filter.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/guid.h"
#include "engine/session.h"
#include "engine/state.h"
#include "engine/validate.h"

static enum ipsec_status make_entry(struct ipsec_session *session,
                                    const struct ipsec_filter *filter,
                                    uint8_t lifetime,
                                    struct filter_entry **entry_out);
static struct filter_entry *find_visible(const struct ipsec_session *session, uint64_t id);
static enum ipsec_status check_key(struct ipsec_session *session, const struct ipsec_guid *key);
static void normalise_conditions(struct ipsec_filter *filter);
static uint64_t effective_weight(const struct ipsec_filter *filter);
static bool is_inbound_ipsec(const struct ipsec_filter *filter);
static enum ipsec_status not_found(struct ipsec_session *session, uint64_t id);

static enum ipsec_status commit_add(struct ipsec_session *session, struct policy_object *object);
static enum ipsec_status commit_delete(struct ipsec_session *session, struct policy_object *object);
static enum ipsec_status check_unused(struct ipsec_session *session,
                                      const struct policy_object *object);
static void discard(struct engine_state *state, struct policy_object *object, bool is_final);
static struct filter_entry *entry_of(struct policy_object *object);
static bool put_in_force(struct engine_state *state, struct filter_entry *entry);
static void take_out_of_force(struct engine_state *state, struct filter_entry *entry);
static void undo_commit_add(struct engine_state *state, void *object, uint64_t number);
static void undo_commit_delete(struct engine_state *state, void *object, uint64_t number);
static void settle_commit_delete(struct engine_state *state, void *object, uint64_t number);

static const char too_many_shapes[] =
    "the layer's filters already have %d different combinations of condition fields and prefix "
    "lengths";
static const struct policy_ops filter_ops = {
    .commit_add = commit_add,
    .commit_delete = commit_delete,
    .check_unused = check_unused,
    .discard = discard,
};
static const struct undo_ops commit_add_ops = { .undo = undo_commit_add };
static const struct undo_ops commit_delete_ops = { .undo = undo_commit_delete,
                                                   .settle = settle_commit_delete };

/* --- Operations --- */

enum ipsec_status
ipsec_filter_add(struct ipsec_session *session,
                 const struct ipsec_filter *filter,
                 uint64_t *id_out,
                 struct ipsec_guid *key_out)
{
    struct engine_state *state = session->state;
    struct filter_entry *entry;
    enum ipsec_status status;
    uint8_t lifetime;

    status = policy_begin_change(session);
    if (status != IPSEC_OK)
        return status;
    /* WFP asks for ADD_LINK on the layer and the callout.  These have no descriptors of their own
     * here, and a layer is always named. */
    status =
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ADD | FWPM_ACTRL_ADD_LINK);
    if (status != IPSEC_OK)
        return status;
    status = validate_filter(filter, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = policy_lifetime_of(session, (filter->flags & IPSEC_FILTER_PERSISTENT) != 0, &lifetime);
    if (status != IPSEC_OK)
        return status;
    status = check_key(session, &filter->key);
    if (status != IPSEC_OK)
        return status;
    if (is_inbound_ipsec(filter) && !classify_has_room(&state->classify, filter))
        return ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_BODY,
                               "/conditions", too_many_shapes, CLASSIFY_SHAPES_MAXIMUM);
    status = make_entry(session, filter, lifetime, &entry);
    if (status != IPSEC_OK)
        return status;

    if (!filter_table_insert(&state->filters, entry)) {
        filter_entry_free(entry);
        return session_no_memory(session);
    }
    status = policy_add(session, &entry->object, &filter_ops, lifetime);
    if (status != IPSEC_OK) {
        discard(state, &entry->object, false);
        return status;
    }
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

/* --- What others need --- */

struct filter_entry *
filter_find_committed(const struct engine_state *state, uint64_t id)
{
    struct filter_entry *entry = filter_table_find(&state->filters, id);

    return entry == NULL || !policy_is_committed(&entry->object) ? NULL : entry;
}

const struct ipsec_condition *
filter_condition(const struct ipsec_filter *filter, enum ipsec_condition_field field)
{
    for (size_t i = 0; i < filter->condition_count; i++) {
        if (filter->conditions[i].field == field)
            return &filter->conditions[i];
    }
    return NULL;
}

enum ipsec_status
filter_load(struct engine_state *state,
            const struct ipsec_filter *filter,
            struct ipsec_fault *fault)
{
    struct ipsec_fault flaw = { .status = IPSEC_OK };

    if (filter->id == 0 || filter->id > IPSEC_LUID_MAX ||
        filter->lifetime == IPSEC_LIFETIME_DYNAMIC ||
        filter_table_find(&state->filters, filter->id) != NULL ||
        filter_table_next_of(&state->filters, &filter->key, NULL) != NULL ||
        validate_filter(filter, &flaw) != IPSEC_OK)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store holds a filter %llu that is not valid%s%s",
                               (unsigned long long)filter->id, flaw.status == IPSEC_OK ? "" : ": ",
                               flaw.detail);

    const struct ipsec_filter *copy = filter_copy(filter);
    struct filter_entry *entry = copy == NULL ? NULL : filter_entry_new(copy);
    bool is_in_table = entry != NULL && filter_table_insert(&state->filters, entry);
    if (is_in_table && put_in_force(state, entry)) {
        entry->object.ops = &filter_ops;
        return IPSEC_OK;
    }
    if (!is_in_table)
        filter_entry_free(entry);
    return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "no memory for the filters of the store");
}

/* --- As a policy object --- */

static enum ipsec_status
commit_add(struct ipsec_session *session, struct policy_object *object)
{
    struct engine_state *state = session->state;
    struct filter_entry *entry = entry_of(object);
    bool is_stored = object->owner == 0;

    /* Other filters of the transaction may have taken the room that was there when it was added. */
    if (is_inbound_ipsec(entry->filter) && !classify_has_room(&state->classify, entry->filter))
        return ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, too_many_shapes, CLASSIFY_SHAPES_MAXIMUM);
    if (!batch_reserve(&state->batch, 1) || !put_in_force(state, entry))
        return session_no_memory(session);
    if ((is_stored &&
         !batch_change(&state->batch, (struct store_change){ .kind = STORE_PUT_FILTER,
                                                             .filter = entry->filter })) ||
        !batch_undo(&state->batch, &commit_add_ops, entry, 0))
        abort(); /* the room was reserved */
    return IPSEC_OK;
}

static enum ipsec_status
commit_delete(struct ipsec_session *session, struct policy_object *object)
{
    struct engine_state *state = session->state;
    struct filter_entry *entry = entry_of(object);
    bool is_stored = object->owner == 0;

    if (!batch_reserve(&state->batch, 1) ||
        (is_stored &&
         !batch_change(&state->batch, (struct store_change){ .kind = STORE_DELETE_FILTER,
                                                             .id = entry->filter->id })) ||
        !batch_undo(&state->batch, &commit_delete_ops, entry, 0))
        return session_no_memory(session);
    take_out_of_force(state, entry);
    filter_table_remove(&state->filters, entry);
    state->revision++;
    return IPSEC_OK;
}

static enum ipsec_status
check_unused(struct ipsec_session *session, const struct policy_object *object)
{
    const struct filter_entry *entry = (const struct filter_entry *)object;

    if (entry->context_count == 0)
        return IPSEC_OK;
    return ipsec_fault_set(session->fault, IPSEC_IN_USE, IPSEC_FAULT_PATH, NULL,
                           "%llu SA contexts refer to filter %llu",
                           (unsigned long long)entry->context_count,
                           (unsigned long long)entry->filter->id);
}

static void
discard(struct engine_state *state, struct policy_object *object, bool is_final)
{
    struct filter_entry *entry = entry_of(object);

    filter_table_remove(&state->filters, entry);
    if (is_final)
        filter_table_settle(&state->filters, entry);
    filter_entry_free(entry);
}

static struct filter_entry *
entry_of(struct policy_object *object)
{
    return (struct filter_entry *)object;
}

/* From here on traffic goes by it.  False: no memory. */
static bool
put_in_force(struct engine_state *state, struct filter_entry *entry)
{
    if (is_inbound_ipsec(entry->filter) &&
        !classify_add(&state->classify, &entry->node, entry->filter))
        return false;
    state->filters.committed_count++;
    return true;
}

/* Its place in the classifier is kept, to be restored or released. */
static void
take_out_of_force(struct engine_state *state, struct filter_entry *entry)
{
    if (entry->node.cell != NULL)
        classify_remove(&state->classify, &entry->node);
    state->filters.committed_count--;
}

static void
undo_commit_add(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_entry *entry = object;

    (void)number;
    take_out_of_force(state, entry);
    if (entry->node.cell != NULL)
        classify_release(&state->classify, &entry->node);
}

static void
undo_commit_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_entry *entry = object;

    (void)number;
    filter_table_put_back(&state->filters, entry);
    if (entry->node.cell != NULL)
        classify_restore(&state->classify, &entry->node);
    state->filters.committed_count++;
}

static void
settle_commit_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_entry *entry = object;

    (void)number;
    filter_table_settle(&state->filters, entry);
    if (entry->node.cell != NULL)
        classify_release(&state->classify, &entry->node);
    filter_entry_free(entry);
}

/* --- Helpers --- */

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
    normalise_conditions(copy);
    copy->weight = copy->weight_type == IPSEC_WEIGHT_AUTOMATIC ? 0 : copy->weight;
    copy->effective_weight = effective_weight(copy);
    copy->created_at_ms = state->now_ms;
    copy->created_by = created_by;
    copy->lifetime = lifetime;
    copy->revision = ++state->revision;
    copy->provider_context_id = 0;
    copy->tunnel_id = 0;
    if (guid_is_zero(&copy->key))
        copy->key = guid_new();
    *entry_out = entry;
    return IPSEC_OK;
}

static struct filter_entry *
find_visible(const struct ipsec_session *session, uint64_t id)
{
    struct filter_entry *entry = filter_table_find(&session->state->filters, id);

    return entry == NULL || !policy_is_visible(session, &entry->object) ? NULL : entry;
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

/* Host bits to zero, and nothing in members that the field does not use: equal conditions are equal
 * bytes. */
static void
normalise_conditions(struct ipsec_filter *filter)
{
    for (size_t i = 0; i < IPSEC_CONDITION_FIELD_COUNT; i++) {
        struct ipsec_condition *condition = &filter->conditions[i];
        struct ipsec_condition given = *condition;

        memset(condition, 0, sizeof *condition);
        if (i >= filter->condition_count)
            continue;
        condition->field = given.field;
        condition->match = given.match;
        if (given.field <= IPSEC_CONDITION_IP_REMOTE_ADDRESS) {
            condition->prefix_length = given.prefix_length;
            condition->address = given.address;
            address_mask(&condition->address, given.prefix_length);
        } else {
            condition->number = given.number;
        }
    }
}

/* The automatic weight counts the bits that conditions fix (at most 2 * 128 + 8 + 2 * 16, so 9
 * bits) and puts them at the top of the 60 bits that WFP leaves to it. */
static uint64_t
effective_weight(const struct ipsec_filter *filter)
{
    uint64_t fixed_bits = 0;

    if (filter->weight_type == IPSEC_WEIGHT_EXPLICIT)
        return filter->weight;
    for (size_t i = 0; i < filter->condition_count; i++) {
        const struct ipsec_condition *condition = &filter->conditions[i];

        if (condition->field <= IPSEC_CONDITION_IP_REMOTE_ADDRESS)
            fixed_bits += condition->prefix_length;
        else
            fixed_bits += condition->field == IPSEC_CONDITION_IP_PROTOCOL ? 8 : 16;
    }
    return (filter->weight << 60) | (fixed_bits << 51);
}

static bool
is_inbound_ipsec(const struct ipsec_filter *filter)
{
    return filter->callout == IPSEC_CALLOUT_INBOUND_TRANSPORT_V4 ||
           filter->callout == IPSEC_CALLOUT_INBOUND_TRANSPORT_V6;
}

static enum ipsec_status
not_found(struct ipsec_session *session, uint64_t id)
{
    return ipsec_fault_set(session->fault, IPSEC_FILTER_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                           "no filter has id %llu", (unsigned long long)id);
}
