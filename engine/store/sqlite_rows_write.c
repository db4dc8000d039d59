/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_rows_write.c: see sqlite_rows.h.
 *
 * Parameters are bound without a copy (SQLITE_STATIC): each outlives its step, and a statement is
 * reset and bound anew before the next.  An enumerator without a name binds null, which its column
 * refuses. */
#include "engine/store/sqlite_rows.h"

#include <sqlite3.h>

#include "engine/store/sqlite_text.h"

static void bind_integer(struct sqlite3_stmt *statement, int index, uint64_t value);
static void bind_text(struct sqlite3_stmt *statement, int index, const char *text);
static void bind_blob(struct sqlite3_stmt *statement, int index, const void *bytes, size_t size);
static int run(struct sqlite3_stmt *statement);
static int
put_condition(struct sqlite3_stmt *statement, const struct ipsec_filter *filter, unsigned position);
static enum ipsec_ip_version version_of(uint8_t layer);

int
sqlite_rows_put_principal(struct sqlite3_stmt *statement, const struct store_principal *principal)
{
    bind_integer(statement, 1, principal->id);
    bind_text(statement, 2, principal->name);
    return run(statement);
}

int
sqlite_rows_put_filter(struct sqlite3_stmt *filter_statement,
                       struct sqlite3_stmt *condition_statement,
                       const struct ipsec_filter *filter)
{
    char key[SQLITE_GUID_SIZE];
    char weight[SQLITE_WEIGHT_SIZE];
    char effective_weight[SQLITE_WEIGHT_SIZE];

    sqlite_guid_format(&filter->key, key);
    sqlite_weight_format(filter->weight, weight);
    sqlite_weight_format(filter->effective_weight, effective_weight);
    bind_integer(filter_statement, 1, filter->id);
    bind_text(filter_statement, 2, key);
    bind_text(filter_statement, 3, filter->name);
    bind_text(filter_statement, 4, filter->description);
    bind_text(filter_statement, 5, sqlite_name(&sqlite_layer_names, filter->layer));
    bind_text(filter_statement, 6, sqlite_name(&sqlite_action_names, filter->action));
    bind_text(filter_statement, 7, sqlite_name(&sqlite_callout_names, filter->callout));
    bind_text(filter_statement, 8, sqlite_name(&sqlite_weight_type_names, filter->weight_type));
    bind_text(filter_statement, 9, weight);
    bind_text(filter_statement, 10, effective_weight);
    bind_integer(filter_statement, 11, (uint64_t)filter->created_at_ms);
    bind_integer(filter_statement, 12, filter->created_by);
    bind_integer(filter_statement, 13, filter->revision);

    int result = run(filter_statement);
    for (unsigned i = 0; i < filter->condition_count && result == SQLITE_OK; i++)
        result = put_condition(condition_statement, filter, i);
    return result;
}

int
sqlite_rows_put_sa_context(struct sqlite3_stmt *statement,
                           const struct ipsec_sa_context *sa_context)
{
    const struct ipsec_traffic *traffic = &sa_context->outbound_traffic;
    enum ipsec_ip_version version = (enum ipsec_ip_version)traffic->ip_version;
    char local_address[SQLITE_ADDRESS_SIZE];
    char remote_address[SQLITE_ADDRESS_SIZE];

    sqlite_address_format(version, &traffic->local_address, local_address);
    sqlite_address_format(version, &traffic->remote_address, remote_address);
    bind_integer(statement, 1, sa_context->id);
    bind_text(statement, 2, sqlite_name(&sqlite_state_names, sa_context->state));
    bind_text(statement, 3, sqlite_name(&sqlite_traffic_type_names, traffic->type));
    bind_text(statement, 4, local_address);
    bind_text(statement, 5, remote_address);
    bind_integer(statement, 6, traffic->local_port);
    bind_integer(statement, 7, traffic->remote_port);
    bind_integer(statement, 8, traffic->ip_protocol);
    bind_integer(statement, 9, traffic->ipsec_filter_id);
    bind_integer(statement, 10, traffic->tunnel_policy_id);
    bind_integer(statement, 11, sa_context->inbound_filter_id);
    bind_integer(statement, 12, sa_context->spi);
    bind_integer(statement, 13, (uint64_t)sa_context->created_at_ms);
    bind_integer(statement, 14, sa_context->created_by);
    bind_integer(statement, 15, sa_context->revision);
    return run(statement);
}

int
sqlite_rows_put_replay(struct sqlite3_stmt *statement, const struct store_replay *replay)
{
    bind_integer(statement, 1, replay->number);
    bind_integer(statement, 2, (uint64_t)replay->created_at_ms);
    bind_blob(statement, 3, replay->key_digest, sizeof replay->key_digest);
    bind_blob(statement, 4, replay->request_digest, sizeof replay->request_digest);
    bind_blob(statement, 5, replay->answer, replay->answer_size);
    return run(statement);
}

int
sqlite_rows_put_marks(struct sqlite3_stmt *statement,
                      const struct store_marks *marks,
                      const struct store_marks *previous)
{
    bind_integer(statement, 1, marks->last_luid);
    bind_integer(statement, 2, marks->revision);
    bind_integer(statement, 3, marks->last_replay_number);
    bind_integer(statement, 4, previous->last_luid);
    bind_integer(statement, 5, previous->revision);
    bind_integer(statement, 6, previous->last_replay_number);
    return run(statement);
}

int
sqlite_rows_delete(struct sqlite3_stmt *statement, uint64_t number)
{
    bind_integer(statement, 1, number);
    return run(statement);
}

/* Binding fails only for a bad index or a statement under way: bugs that the first test shows. */
static void
bind_integer(struct sqlite3_stmt *statement, int index, uint64_t value)
{
    (void)sqlite3_bind_int64(statement, index, (sqlite3_int64)value);
}

static void
bind_text(struct sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

static void
bind_blob(struct sqlite3_stmt *statement, int index, const void *bytes, size_t size)
{
    (void)sqlite3_bind_blob64(statement, index, size == 0 ? "" : bytes, size, SQLITE_STATIC);
}

static int
run(struct sqlite3_stmt *statement)
{
    (void)sqlite3_step(statement);
    return sqlite3_reset(statement);
}

static int
put_condition(struct sqlite3_stmt *statement, const struct ipsec_filter *filter, unsigned position)
{
    const struct ipsec_condition *condition = &filter->conditions[position];
    char value[SQLITE_CONDITION_SIZE];

    sqlite_condition_format(version_of(filter->layer), condition, value);
    bind_integer(statement, 1, filter->id);
    bind_integer(statement, 2, position);
    bind_text(statement, 3, sqlite_name(&sqlite_field_names, condition->field));
    bind_text(statement, 4, sqlite_name(&sqlite_match_names, condition->match));
    bind_text(statement, 5, value);
    return run(statement);
}

static enum ipsec_ip_version
version_of(uint8_t layer)
{
    return layer == IPSEC_LAYER_INBOUND_TRANSPORT_V6 || layer == IPSEC_LAYER_OUTBOUND_TRANSPORT_V6
               ? IPSEC_IP_VERSION_V6
               : IPSEC_IP_VERSION_V4;
}
