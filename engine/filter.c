/* SPDX-License-Identifier: Apache-2.0
 *
 * filter.c: adding, reading and deleting filters. */
#include "engine/filter.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "engine/state.h"
#include "engine/validate.h"

struct filter_row {
    uint64_t id;
    struct filter_entry *entry;
};

/* What stands behind every 'const struct ipsec_filter *' that callers see. */
struct filter_object {
    struct ipsec_filter filter;
    _Atomic uint32_t reference_count;
};

static struct ipsec_filter *object_new(const struct ipsec_filter *source);
static const struct ipsec_filter *object_ref(const struct ipsec_filter *filter);
static struct filter_object *object_of(const struct ipsec_filter *filter);
static struct filter_entry *entry_new(const struct ipsec_filter *filter_take);
static void entry_free(struct filter_entry *entry);
static bool link_entry(struct engine_state *state, struct filter_entry *entry);
static void unlink_entry(struct engine_state *state, struct filter_entry *entry);
static void drop_entry(struct engine_state *state, struct filter_entry *entry);
static struct filter_entry *find_key(const struct filter_table *table,
                                     const struct ipsec_guid *key);
static uint64_t hash_key(const struct filter_table *table, const struct ipsec_guid *key);
static struct ipsec_guid new_key(void);
static bool key_is_zero(const struct ipsec_guid *key);
static void normalise_conditions(struct ipsec_filter *filter);
static uint64_t effective_weight(const struct ipsec_filter *filter);
static bool is_inbound_ipsec(const struct ipsec_filter *filter);
static enum ipsec_status not_found(struct ipsec_session *session, uint64_t id);
static void undo_add(struct engine_state *state, void *object, uint64_t number);
static void undo_delete(struct engine_state *state, void *object, uint64_t number);
static void settle_delete(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops add_ops = { .undo = undo_add };
static const struct undo_ops delete_ops = { .undo = undo_delete, .settle = settle_delete };

/* --- Operations --- */

enum ipsec_status
ipsec_filter_add(struct ipsec_session *session,
                 const struct ipsec_filter *filter,
                 uint64_t *id_out,
                 struct ipsec_guid *key_out)
{
    struct engine_state *state = session->state;
    enum ipsec_status status;
    uint32_t created_by;

    status = session_check_writable(session);
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
    if (!key_is_zero(&filter->key) && find_key(&state->filters, &filter->key) != NULL)
        return ipsec_fault_set(session->fault, IPSEC_ALREADY_EXISTS, IPSEC_FAULT_BODY, "/key",
                               "another filter has this key");
    if (is_inbound_ipsec(filter) && !classify_has_room(&state->classify, filter))
        return ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_BODY,
                               "/conditions",
                               "the layer's filters already have %d different combinations of "
                               "condition fields and prefix lengths",
                               CLASSIFY_SHAPES_MAXIMUM);

    status = session_intern_caller(session, &created_by);
    if (status != IPSEC_OK)
        return status;
    struct ipsec_filter *copy = object_new(filter);
    struct filter_entry *entry = copy == NULL ? NULL : entry_new(copy);
    if (entry == NULL || !luid_next(&state->luids, &copy->id)) {
        entry_free(entry);
        return session_no_memory(session);
    }
    normalise_conditions(copy);
    copy->weight = copy->weight_type == IPSEC_WEIGHT_AUTOMATIC ? 0 : copy->weight;
    copy->effective_weight = effective_weight(copy);
    copy->created_at_ms = state->now_ms;
    copy->created_by = created_by;
    copy->revision = ++state->revision;
    if (key_is_zero(&copy->key))
        copy->key = new_key();

    if (!link_entry(state, entry)) {
        entry_free(entry);
        return session_no_memory(session);
    }
    if (!batch_reserve(&state->batch, 1) ||
        !batch_change(&state->batch,
                      (struct store_change){ .kind = STORE_PUT_FILTER, .filter = copy }) ||
        !batch_undo(&state->batch, &add_ops, entry, 0)) {
        drop_entry(state, entry);
        return session_no_memory(session);
    }
    *id_out = copy->id;
    *key_out = copy->key;
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
    const struct filter_entry *entry = filter_table_find(&session->state->filters, id);
    if (entry == NULL)
        return not_found(session, id);
    *filter_out = object_ref(entry->filter);
    return IPSEC_OK;
}

enum ipsec_status
ipsec_filter_delete_by_id(struct ipsec_session *session, uint64_t id)
{
    struct engine_state *state = session->state;
    enum ipsec_status status;

    status = session_check_writable(session);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_FILTERS, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    struct filter_entry *entry = filter_table_find(&state->filters, id);
    if (entry == NULL)
        return not_found(session, id);
    if (entry->context_count > 0)
        return ipsec_fault_set(session->fault, IPSEC_IN_USE, IPSEC_FAULT_PATH, NULL,
                               "%llu SA contexts refer to filter %llu",
                               (unsigned long long)entry->context_count, (unsigned long long)id);
    if (!batch_reserve(&state->batch, 1) ||
        !batch_change(&state->batch,
                      (struct store_change){ .kind = STORE_DELETE_FILTER, .id = id }) ||
        !batch_undo(&state->batch, &delete_ops, entry, 0))
        return session_no_memory(session);
    unlink_entry(state, entry);
    state->revision++;
    return IPSEC_OK;
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
        if (layer >= 0 && row->entry->filter->layer != layer)
            continue;
        page_out->filters[page_out->filter_count++] = object_ref(row->entry->filter);
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

void
ipsec_filter_unref(const struct ipsec_filter *filter)
{
    if (filter == NULL)
        return;
    struct filter_object *object = object_of(filter);
    if (atomic_fetch_sub_explicit(&object->reference_count, 1, memory_order_acq_rel) > 1)
        return;
    free(object->filter.name);
    free(object->filter.description);
    free(object);
}

/* --- The table --- */

bool
filter_table_init(struct filter_table *table)
{
    id_table_init(&table->ids, sizeof(struct filter_row));
    return hash_index_init(&table->keys);
}

void
filter_table_clear(struct filter_table *table)
{
    struct id_table_cursor cursor = id_table_seek(&table->ids, 0);
    const struct filter_row *row;

    while ((row = id_table_next(&table->ids, &cursor)) != NULL)
        entry_free(row->entry);
    id_table_clear(&table->ids);
    hash_index_clear(&table->keys);
}

struct filter_entry *
filter_table_find(const struct filter_table *table, uint64_t id)
{
    const struct filter_row *row = id_table_find(&table->ids, id);

    return row == NULL ? NULL : row->entry;
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
        filter_table_find(&state->filters, filter->id) != NULL ||
        find_key(&state->filters, &filter->key) != NULL ||
        validate_filter(filter, &flaw) != IPSEC_OK)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store holds a filter %llu that is not valid%s%s",
                               (unsigned long long)filter->id, flaw.status == IPSEC_OK ? "" : ": ",
                               flaw.detail);

    const struct ipsec_filter *copy = object_new(filter);
    struct filter_entry *entry = copy == NULL ? NULL : entry_new(copy);
    if (entry == NULL || !link_entry(state, entry)) {
        entry_free(entry);
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the filters of the store");
    }
    return IPSEC_OK;
}

/* --- Undoing --- */

static void
undo_add(struct engine_state *state, void *object, uint64_t number)
{
    (void)number;
    drop_entry(state, object);
}

static void
undo_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_entry *entry = object;
    struct filter_row row = { .id = entry->filter->id, .entry = entry };

    (void)number;
    /* The place it was taken from is still there, see id_table.h. */
    if (!id_table_insert(&state->filters.ids, &row))
        abort();
    hash_index_add(&state->filters.keys, &entry->key_link, entry->key_link.hash);
    if (entry->node.cell != NULL)
        classify_restore(&state->classify, &entry->node);
}

static void
settle_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_entry *entry = object;

    (void)number;
    id_table_settle(&state->filters.ids, entry->filter->id);
    if (entry->node.cell != NULL)
        classify_release(&state->classify, &entry->node);
    entry_free(entry);
}

/* --- Helpers --- */

/* A copy with one reference. */
static struct ipsec_filter *
object_new(const struct ipsec_filter *source)
{
    struct filter_object *object = malloc(sizeof *object);

    if (object == NULL)
        return NULL;
    object->filter = *source;
    object->filter.name = strdup(source->name);
    object->filter.description = source->description == NULL ? NULL : strdup(source->description);
    atomic_init(&object->reference_count, 1);
    if (object->filter.name == NULL ||
        (source->description != NULL && object->filter.description == NULL)) {
        ipsec_filter_unref(&object->filter);
        return NULL;
    }
    return &object->filter;
}

static const struct ipsec_filter *
object_ref(const struct ipsec_filter *filter)
{
    (void)atomic_fetch_add_explicit(&object_of(filter)->reference_count, 1, memory_order_relaxed);
    return filter;
}

/* Only the count behind the immutable filter is ever written through this. */
static struct filter_object *
object_of(const struct ipsec_filter *filter)
{
    return (struct filter_object *)((uintptr_t)filter - offsetof(struct filter_object, filter));
}

/* Keeps 'filter_take', on failure drops it. */
static struct filter_entry *
entry_new(const struct ipsec_filter *filter_take)
{
    struct filter_entry *entry = malloc(sizeof *entry);

    if (entry == NULL) {
        ipsec_filter_unref(filter_take);
        return NULL;
    }
    *entry = (struct filter_entry){ .filter = filter_take };
    return entry;
}

static void
entry_free(struct filter_entry *entry)
{
    if (entry == NULL)
        return;
    ipsec_filter_unref(entry->filter);
    free(entry);
}

/* All indexes or none. */
static bool
link_entry(struct engine_state *state, struct filter_entry *entry)
{
    struct filter_row row = { .id = entry->filter->id, .entry = entry };

    if (!id_table_insert(&state->filters.ids, &row))
        return false;
    if (is_inbound_ipsec(entry->filter) &&
        !classify_add(&state->classify, &entry->node, entry->filter)) {
        id_table_remove(&state->filters.ids, row.id);
        return false;
    }
    hash_index_add(&state->filters.keys, &entry->key_link,
                   hash_key(&state->filters, &entry->filter->key));
    return true;
}

static void
unlink_entry(struct engine_state *state, struct filter_entry *entry)
{
    id_table_remove(&state->filters.ids, entry->filter->id);
    hash_index_remove(&state->filters.keys, &entry->key_link);
    if (entry->node.cell != NULL)
        classify_remove(&state->classify, &entry->node);
}

/* Takes an entry out that nobody may want back. */
static void
drop_entry(struct engine_state *state, struct filter_entry *entry)
{
    unlink_entry(state, entry);
    if (entry->node.cell != NULL)
        classify_release(&state->classify, &entry->node);
    entry_free(entry);
}

static struct filter_entry *
find_key(const struct filter_table *table, const struct ipsec_guid *key)
{
    struct hash_link *link = hash_index_first(&table->keys, hash_key(table, key));

    while (link != NULL) {
        struct filter_entry *entry = HASH_OBJECT(link, struct filter_entry, key_link);

        if (memcmp(&entry->filter->key, key, sizeof *key) == 0)
            return entry;
        link = hash_index_next(link);
    }
    return NULL;
}

static uint64_t
hash_key(const struct filter_table *table, const struct ipsec_guid *key)
{
    return hash_bytes(table->keys.seed, key, sizeof *key);
}

/* A random GUID (RFC 9562, version 4). */
static struct ipsec_guid
new_key(void)
{
    struct ipsec_guid key;

    random_bytes(key.bytes, sizeof key.bytes);
    key.bytes[6] = (uint8_t)((key.bytes[6] & 0x0f) | 0x40);
    key.bytes[8] = (uint8_t)((key.bytes[8] & 0x3f) | 0x80);
    return key;
}

static bool
key_is_zero(const struct ipsec_guid *key)
{
    static const struct ipsec_guid zero;

    return memcmp(key, &zero, sizeof zero) == 0;
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
