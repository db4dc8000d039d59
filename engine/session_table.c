/* SPDX-License-Identifier: Apache-2.0
 *
 * session_table.c: see session_table.h. */
#include "engine/session_table.h"

#include <stdlib.h>
#include <string.h>

#include "engine/due.h"
#include "engine/state.h"

static struct session_entry *new_entry(const struct ipsec_session_record *record);
static bool link_entry(struct engine_state *state, struct session_entry *entry);
static void unlink_entry(struct engine_state *state, struct session_entry *entry);
static void undo_add(struct engine_state *state, void *object, uint64_t number);
static void settle_add(struct engine_state *state, void *object, uint64_t number);
static void undo_remove(struct engine_state *state, void *object, uint64_t number);
static void settle_remove(struct engine_state *state, void *object, uint64_t number);
static void undo_nothing(struct engine_state *state, void *object, uint64_t number);
static void settle_show(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops add_ops = { .undo = undo_add, .settle = settle_add };
static const struct undo_ops remove_ops = { .undo = undo_remove, .settle = settle_remove };
static const struct undo_ops show_ops = { .undo = undo_nothing, .settle = settle_show };

bool
session_table_init(struct session_table *table)
{
    *table = (struct session_table){ .next_due_ms = DUE_NEVER, .next_forget_ms = DUE_NEVER };
    id_table_init(&table->numbers, sizeof(struct session_row));
    table->registry = session_registry_new();
    return hash_index_init(&table->keys) && table->registry != NULL;
}

void
session_table_clear(struct session_table *table)
{
    struct id_table_cursor cursor = id_table_seek(&table->numbers, 0);
    const struct session_row *row;

    session_registry_free(table->registry);
    while ((row = id_table_next(&table->numbers, &cursor)) != NULL)
        free(row->entry);
    id_table_clear(&table->numbers);
    hash_index_clear(&table->keys);
}

struct session_entry *
session_table_find(const struct session_table *table, const struct ipsec_guid *key)
{
    struct hash_link *link =
        hash_index_first(&table->keys, hash_bytes(table->keys.seed, key, sizeof *key));

    while (link != NULL) {
        struct session_entry *entry = HASH_OBJECT(link, struct session_entry, key_link);

        if (memcmp(&entry->record.key, key, sizeof *key) == 0)
            return entry;
        link = hash_index_next(link);
    }
    return NULL;
}

struct session_entry *
session_table_get(const struct session_table *table, uint64_t number)
{
    const struct session_row *row = id_table_find(&table->numbers, number);

    return row == NULL ? NULL : row->entry;
}

enum ipsec_status
session_load(struct engine_state *state,
             const struct ipsec_session_record *record,
             struct ipsec_fault *fault)
{
    struct session_table *table = &state->sessions;

    if (record->number == 0 || record->number > IPSEC_LUID_MAX ||
        session_table_get(table, record->number) != NULL ||
        session_table_find(table, &record->key) != NULL ||
        principal_name(&state->principals, record->opened_by)[0] == '\0')
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store holds a session %llu that is not valid",
                               (unsigned long long)record->number);
    struct ipsec_session_record aborted = *record;
    aborted.aborted = true;
    aborted.transaction = IPSEC_NO_TRANSACTION;
    struct session_entry *entry = new_entry(&aborted);
    if (entry == NULL || !link_entry(state, entry)) {
        free(entry);
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the sessions of the store");
    }
    entry->aborted_at_ms = state->clock_ms;
    session_registry_add(table->registry, &entry->shown, &entry->record);
    table->next_forget_ms = state->clock_ms;
    return IPSEC_OK;
}

bool
session_add(struct engine_state *state, const struct ipsec_session_record *record)
{
    struct session_entry *entry = new_entry(record);

    if (entry == NULL || !batch_reserve(&state->batch, 1) || !link_entry(state, entry)) {
        free(entry);
        return false;
    }
    const struct store_change change = {
        .kind = STORE_PUT_SESSION,
        .id = record->number,
        .session = &entry->record,
    };
    if (!batch_change(&state->batch, change) ||
        !batch_undo(&state->batch, &add_ops, entry, record->number))
        abort(); /* there is room */
    session_touch(state, entry);
    return true;
}

bool
session_remove(struct engine_state *state, struct session_entry *entry)
{
    const struct store_change change = {
        .kind = STORE_DELETE_SESSION,
        .id = entry->record.number,
    };

    if (!batch_reserve(&state->batch, 1))
        return false;
    if (!batch_change(&state->batch, change) ||
        !batch_undo(&state->batch, &remove_ops, entry, entry->record.number))
        abort(); /* there is room */
    unlink_entry(state, entry);
    return true;
}

void
session_touch(struct engine_state *state, struct session_entry *entry)
{
    entry->used_at_ms = state->clock_ms;
    if (state->sessions.limits.idle_ms != 0)
        session_look_at(state, state->clock_ms + state->sessions.limits.idle_ms);
}

void
session_look_at(struct engine_state *state, int64_t due_ms)
{
    if (due_ms < state->sessions.next_due_ms)
        state->sessions.next_due_ms = due_ms;
}

bool
session_show(struct engine_state *state, struct session_entry *entry)
{
    return batch_undo(&state->batch, &show_ops, entry, 0);
}

bool
session_take_notice(struct engine_state *state, struct session_entry *entry)
{
    bool is_new = entry->rolled_back;

    entry->rolled_back = false;
    return is_new || session_registry_take_notice(state->sessions.registry, &entry->shown);
}

void
session_count_live(struct engine_state *state, const struct session_entry *entry, int more)
{
    state->sessions.live += (uint32_t)more;
    principal_add_sessions(&state->principals, entry->record.opened_by, more);
}

static struct session_entry *
new_entry(const struct ipsec_session_record *record)
{
    struct session_entry *entry = calloc(1, sizeof *entry);

    if (entry != NULL)
        entry->record = *record;
    return entry;
}

static bool
link_entry(struct engine_state *state, struct session_entry *entry)
{
    const struct session_row row = { .number = entry->record.number, .entry = entry };
    struct session_table *table = &state->sessions;

    if (!id_table_insert(&table->numbers, &row))
        return false;
    hash_index_add(&table->keys, &entry->key_link,
                   hash_bytes(table->keys.seed, &entry->record.key, sizeof entry->record.key));
    if (entry->record.aborted)
        table->aborted++;
    else
        session_count_live(state, entry, 1);
    return true;
}

static void
unlink_entry(struct engine_state *state, struct session_entry *entry)
{
    struct session_table *table = &state->sessions;

    id_table_remove(&table->numbers, entry->record.number);
    hash_index_remove(&table->keys, &entry->key_link);
    if (entry->record.aborted)
        table->aborted--;
    else
        session_count_live(state, entry, -1);
}

static void
undo_add(struct engine_state *state, void *object, uint64_t number)
{
    (void)number;
    unlink_entry(state, object);
    free(object);
}

static void
settle_add(struct engine_state *state, void *object, uint64_t number)
{
    struct session_entry *entry = object;

    (void)number;
    session_registry_add(state->sessions.registry, &entry->shown, &entry->record);
}

static void
undo_remove(struct engine_state *state, void *object, uint64_t number)
{
    (void)number;
    /* The place it was taken from is still there, see id_table.h. */
    if (!link_entry(state, object))
        abort();
    state->sessions.next_forget_ms = state->clock_ms;
}

static void
settle_remove(struct engine_state *state, void *object, uint64_t number)
{
    struct session_entry *entry = object;

    session_registry_remove(state->sessions.registry, &entry->shown);
    id_table_settle(&state->sessions.numbers, number);
    free(entry);
}

static void
undo_nothing(struct engine_state *state, void *object, uint64_t number)
{
    (void)state;
    (void)object;
    (void)number;
}

static void
settle_show(struct engine_state *state, void *object, uint64_t number)
{
    struct session_entry *entry = object;

    (void)number;
    session_registry_update(state->sessions.registry, &entry->shown, &entry->record,
                            entry->rolled_back);
    entry->rolled_back = false;
}
