/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_rows_read.c: see sqlite_rows.h. */
#include "engine/store/sqlite_rows.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <sqlite3.h>

#include "engine/store/sqlite_error.h"
#include "engine/store/sqlite_text.h"

/* One walk over a table.  The first value that cannot be is noted with its column; the rest of the
 * row is then read for nothing, and end_row() speaks. */
struct reader {
    struct sqlite3 *db;
    struct sqlite3_stmt *statement;
    const char *label;
    const char *table;
    struct ipsec_fault *fault;
    uint64_t number;   /* of this row */
    int bad_column;    /* -1: none */
    const char *cause; /* why it is bad */
};

/* A filter's conditions come from a walk of their own, which keeps step with the filters'. */
struct condition_reader {
    struct reader reader;
    bool row_waits;
    uint64_t filter_id;
};

static enum ipsec_status open_reader(struct reader *reader, const char *query);
static enum ipsec_status next_row(struct reader *reader, bool *found_out);
static void begin_row(struct reader *reader, uint64_t maximum);
static enum ipsec_status end_row(struct reader *reader);
static void mark_bad(struct reader *reader, int column, const char *cause);
static uint64_t read_integer(struct reader *reader, int column, uint64_t minimum, uint64_t maximum);
static int64_t read_time(struct reader *reader, int column);
static const char *read_text(struct reader *reader, int column);
static uint16_t read_name(struct reader *reader, int column, const struct sqlite_names *names);
static void read_digest(struct reader *reader, int column, uint8_t digest[32]);

static enum ipsec_status load_principals(struct reader reader, const struct store_loader *loader);
static enum ipsec_status load_filters(struct reader reader,
                                      const struct store_marks *marks,
                                      const struct store_loader *loader);
static void read_filter(struct reader *reader, struct ipsec_filter *filter);
static enum ipsec_status next_condition(struct condition_reader *conditions);
static enum ipsec_status read_conditions(struct condition_reader *conditions,
                                         struct ipsec_filter *filter);
static void read_condition(struct reader *reader, struct ipsec_filter *filter);
static enum ipsec_status load_sa_contexts(struct reader reader,
                                          const struct store_marks *marks,
                                          const struct store_loader *loader);
static void read_sa_context(struct reader *reader, struct ipsec_sa_context *sa_context);
static enum ipsec_status load_replays(struct reader reader,
                                      const struct store_marks *marks,
                                      const struct store_loader *loader);

enum ipsec_status
sqlite_rows_read_marks(struct sqlite3 *db,
                       const char *label,
                       struct store_marks *marks_out,
                       struct ipsec_fault *fault)
{
    struct reader reader = { .db = db, .label = label, .table = "marks", .fault = fault };
    bool found = false;
    enum ipsec_status status = open_reader(
        &reader, "SELECT id, last_luid, revision, last_replay_number FROM marks WHERE id = 1");

    if (status == IPSEC_OK)
        status = next_row(&reader, &found);
    if (status == IPSEC_OK && !found) {
        status = ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                                 "store %s: table marks has no row", label);
    } else if (status == IPSEC_OK) {
        begin_row(&reader, 1);
        *marks_out = (struct store_marks){
            .last_luid = read_integer(&reader, 1, 0, IPSEC_LUID_MAX),
            .revision = read_integer(&reader, 2, 0, INT64_MAX),
            .last_replay_number = read_integer(&reader, 3, 0, INT64_MAX),
        };
        status = end_row(&reader);
    }
    (void)sqlite3_finalize(reader.statement);
    return status;
}

enum ipsec_status
sqlite_rows_load(struct sqlite3 *db,
                 const char *label,
                 const struct store_marks *marks,
                 const struct store_loader *loader,
                 struct ipsec_fault *fault)
{
    struct reader reader = { .db = db, .label = label, .fault = fault };
    enum ipsec_status status = load_principals(reader, loader);

    if (status == IPSEC_OK)
        status = load_filters(reader, marks, loader);
    if (status == IPSEC_OK)
        status = load_sa_contexts(reader, marks, loader);
    if (status == IPSEC_OK)
        status = load_replays(reader, marks, loader);
    return status;
}

/* --- Tables ----------------------------------------------------------------------------------- */

static enum ipsec_status
load_principals(struct reader reader, const struct store_loader *loader)
{
    bool found = false;
    reader.table = "principal";
    enum ipsec_status status = open_reader(&reader, "SELECT id, name FROM principal ORDER BY id");

    if (status == IPSEC_OK)
        status = next_row(&reader, &found);
    while (status == IPSEC_OK && found) {
        begin_row(&reader, UINT32_MAX);
        const struct store_principal principal = { .id = (uint32_t)reader.number,
                                                   .name = read_text(&reader, 1) };
        status = end_row(&reader);
        if (status == IPSEC_OK)
            status = loader->principal(loader->context, &principal);
        if (status == IPSEC_OK)
            status = next_row(&reader, &found);
    }
    (void)sqlite3_finalize(reader.statement);
    return status;
}

static enum ipsec_status
load_filters(struct reader reader,
             const struct store_marks *marks,
             const struct store_loader *loader)
{
    struct condition_reader conditions = { .reader = reader };
    bool found = false;
    reader.table = "filter";
    conditions.reader.table = "filter_condition";
    enum ipsec_status status = open_reader(
        &reader, "SELECT id, filter_key, name, description, layer, action, callout, weight_type,"
                 " weight, effective_weight, created_at_ms, created_by, revision"
                 " FROM filter ORDER BY id");

    if (status == IPSEC_OK)
        status =
            open_reader(&conditions.reader, "SELECT filter_id, position, field, match_type, value"
                                            " FROM filter_condition ORDER BY filter_id, position");
    if (status == IPSEC_OK)
        status = next_condition(&conditions);
    if (status == IPSEC_OK)
        status = next_row(&reader, &found);
    while (status == IPSEC_OK && found) {
        struct ipsec_filter filter = { 0 };
        begin_row(&reader, marks->last_luid);
        read_filter(&reader, &filter);
        status = end_row(&reader);
        if (status == IPSEC_OK)
            status = read_conditions(&conditions, &filter);
        if (status == IPSEC_OK)
            status = loader->filter(loader->context, &filter);
        if (status == IPSEC_OK)
            status = next_row(&reader, &found);
    }
    if (status == IPSEC_OK && conditions.row_waits) {
        mark_bad(&conditions.reader, 0, "names no filter");
        status = end_row(&conditions.reader);
    }
    (void)sqlite3_finalize(reader.statement);
    (void)sqlite3_finalize(conditions.reader.statement);
    return status;
}

static void
read_filter(struct reader *reader, struct ipsec_filter *filter)
{
    /* The strings stay SQLite's, until the next row. */
    union {
        const char *read;
        char *owned;
    } name = { .read = read_text(reader, 2) }, description = { .read = NULL };
    const char *key = read_text(reader, 1);
    const char *weight = read_text(reader, 8);
    const char *effective_weight = read_text(reader, 9);

    if (sqlite3_column_type(reader->statement, 3) != SQLITE_NULL)
        description.read = read_text(reader, 3);
    filter->id = reader->number;
    filter->name = name.owned;
    filter->description = description.owned;
    filter->layer = (uint8_t)read_name(reader, 4, &sqlite_layer_names);
    filter->action = read_name(reader, 5, &sqlite_action_names);
    filter->callout = (uint8_t)read_name(reader, 6, &sqlite_callout_names);
    filter->weight_type = read_name(reader, 7, &sqlite_weight_type_names);
    filter->created_at_ms = read_time(reader, 10);
    filter->created_by = (uint32_t)read_integer(reader, 11, 0, UINT32_MAX);
    filter->revision = read_integer(reader, 12, 0, INT64_MAX);
    if (!sqlite_guid_parse(key, &filter->key))
        mark_bad(reader, 1, "is no GUID");
    if (!sqlite_weight_parse(weight, &filter->weight))
        mark_bad(reader, 8, "is no weight");
    if (!sqlite_weight_parse(effective_weight, &filter->effective_weight))
        mark_bad(reader, 9, "is no weight");
}

static enum ipsec_status
next_condition(struct condition_reader *conditions)
{
    enum ipsec_status status = next_row(&conditions->reader, &conditions->row_waits);

    if (status != IPSEC_OK || !conditions->row_waits)
        return status;
    /* The order is by filter and position, so the numbers here may repeat. */
    conditions->reader.bad_column = -1;
    conditions->filter_id = read_integer(&conditions->reader, 0, 1, IPSEC_LUID_MAX);
    conditions->reader.number = conditions->filter_id;
    return end_row(&conditions->reader);
}

/* Takes the rows of this filter; one of a lower number has no filter. */
static enum ipsec_status
read_conditions(struct condition_reader *conditions, struct ipsec_filter *filter)
{
    enum ipsec_status status = IPSEC_OK;

    while (status == IPSEC_OK && conditions->row_waits && conditions->filter_id <= filter->id) {
        if (conditions->filter_id < filter->id)
            mark_bad(&conditions->reader, 0, "names no filter");
        else
            read_condition(&conditions->reader, filter);
        status = end_row(&conditions->reader);
        if (status == IPSEC_OK)
            status = next_condition(conditions);
    }
    return status;
}

static void
read_condition(struct reader *reader, struct ipsec_filter *filter)
{
    bool v6 = filter->layer == IPSEC_LAYER_INBOUND_TRANSPORT_V6 ||
              filter->layer == IPSEC_LAYER_OUTBOUND_TRANSPORT_V6;
    struct ipsec_condition condition = {
        .field = (uint8_t)read_name(reader, 2, &sqlite_field_names),
        .match = (uint8_t)read_name(reader, 3, &sqlite_match_names),
    };
    const char *value = read_text(reader, 4);

    (void)read_integer(reader, 1, filter->condition_count, filter->condition_count);
    if (!sqlite_condition_parse(v6 ? IPSEC_IP_VERSION_V6 : IPSEC_IP_VERSION_V4, value, &condition))
        mark_bad(reader, 4, "does not suit the field");
    if (filter->condition_count == IPSEC_CONDITION_FIELD_COUNT) {
        mark_bad(reader, 1, "is one too many");
        return;
    }
    filter->conditions[filter->condition_count++] = condition;
}

static enum ipsec_status
load_sa_contexts(struct reader reader,
                 const struct store_marks *marks,
                 const struct store_loader *loader)
{
    bool found = false;
    reader.table = "sa_context";
    enum ipsec_status status = open_reader(
        &reader, "SELECT id, state, traffic_type, local_address, remote_address, local_port,"
                 " remote_port, ip_protocol, ipsec_filter_id, tunnel_policy_id, inbound_filter_id,"
                 " spi, created_at_ms, created_by, revision FROM sa_context ORDER BY id");

    if (status == IPSEC_OK)
        status = next_row(&reader, &found);
    while (status == IPSEC_OK && found) {
        struct ipsec_sa_context sa_context = { 0 };
        begin_row(&reader, marks->last_luid);
        read_sa_context(&reader, &sa_context);
        status = end_row(&reader);
        if (status == IPSEC_OK)
            status = loader->sa_context(loader->context, &sa_context);
        if (status == IPSEC_OK)
            status = next_row(&reader, &found);
    }
    (void)sqlite3_finalize(reader.statement);
    return status;
}

static void
read_sa_context(struct reader *reader, struct ipsec_sa_context *sa_context)
{
    struct ipsec_traffic *traffic = &sa_context->outbound_traffic;
    uint8_t remote_version = 0;

    sa_context->id = reader->number;
    sa_context->state = (uint8_t)read_name(reader, 1, &sqlite_state_names);
    traffic->type = (uint8_t)read_name(reader, 2, &sqlite_traffic_type_names);
    if (!sqlite_address_parse(read_text(reader, 3), &traffic->ip_version, &traffic->local_address))
        mark_bad(reader, 3, "is no address");
    if (!sqlite_address_parse(read_text(reader, 4), &remote_version, &traffic->remote_address))
        mark_bad(reader, 4, "is no address");
    else if (remote_version != traffic->ip_version)
        mark_bad(reader, 4, "is of another IP version than the local one");
    traffic->local_port = (uint16_t)read_integer(reader, 5, 0, UINT16_MAX);
    traffic->remote_port = (uint16_t)read_integer(reader, 6, 0, UINT16_MAX);
    traffic->ip_protocol = (uint8_t)read_integer(reader, 7, 0, UINT8_MAX);
    traffic->ipsec_filter_id = read_integer(reader, 8, 0, IPSEC_LUID_MAX);
    traffic->tunnel_policy_id = read_integer(reader, 9, 0, IPSEC_LUID_MAX);
    sa_context->inbound_filter_id = read_integer(reader, 10, 0, IPSEC_LUID_MAX);
    sa_context->spi = (uint32_t)read_integer(reader, 11, 0, UINT32_MAX);
    sa_context->created_at_ms = read_time(reader, 12);
    sa_context->created_by = (uint32_t)read_integer(reader, 13, 0, UINT32_MAX);
    sa_context->revision = read_integer(reader, 14, 0, INT64_MAX);
}

static enum ipsec_status
load_replays(struct reader reader,
             const struct store_marks *marks,
             const struct store_loader *loader)
{
    bool found = false;
    reader.table = "replay";
    enum ipsec_status status =
        open_reader(&reader, "SELECT number, created_at_ms, key_digest, request_digest"
                             " FROM replay ORDER BY number");

    if (status == IPSEC_OK)
        status = next_row(&reader, &found);
    while (status == IPSEC_OK && found) {
        begin_row(&reader, marks->last_replay_number);
        struct store_replay replay = { .number = reader.number,
                                       .created_at_ms = read_time(&reader, 1) };
        read_digest(&reader, 2, replay.key_digest);
        read_digest(&reader, 3, replay.request_digest);
        status = end_row(&reader);
        if (status == IPSEC_OK)
            status = loader->replay(loader->context, &replay);
        if (status == IPSEC_OK)
            status = next_row(&reader, &found);
    }
    (void)sqlite3_finalize(reader.statement);
    return status;
}

/* --- Walking and checking --------------------------------------------------------------------- */

static enum ipsec_status
open_reader(struct reader *reader, const char *query)
{
    int result = sqlite3_prepare_v2(reader->db, query, -1, &reader->statement, NULL);

    reader->number = 0;
    reader->bad_column = -1;
    if (result != SQLITE_OK)
        return sqlite_error_set(reader->fault, reader->db, result, false, reader->label,
                                "read its tables");
    return IPSEC_OK;
}

static enum ipsec_status
next_row(struct reader *reader, bool *found_out)
{
    int result = sqlite3_step(reader->statement);

    *found_out = result == SQLITE_ROW;
    if (result == SQLITE_ROW || result == SQLITE_DONE)
        return IPSEC_OK;
    return sqlite_error_set(reader->fault, reader->db, result, false, reader->label,
                            "read its tables");
}

/* Reads the number in the first column.  It must be above that of the row before: rows out of
 * order or twice are what a damaged tree looks like. */
static void
begin_row(struct reader *reader, uint64_t maximum)
{
    uint64_t previous = reader->number;

    reader->bad_column = -1;
    reader->number = (uint64_t)sqlite3_column_int64(reader->statement, 0);
    if (reader->number <= previous)
        mark_bad(reader, 0, "is out of order");
    (void)read_integer(reader, 0, 1, maximum);
}

static enum ipsec_status
end_row(struct reader *reader)
{
    if (reader->bad_column < 0)
        return IPSEC_OK;
    return ipsec_fault_set(reader->fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                           "store %s: table %s, row %" PRId64 ": %s %s", reader->label,
                           reader->table, (int64_t)reader->number,
                           sqlite3_column_name(reader->statement, reader->bad_column),
                           reader->cause);
}

static void
mark_bad(struct reader *reader, int column, const char *cause)
{
    if (reader->bad_column >= 0)
        return;
    reader->bad_column = column;
    reader->cause = cause;
}

static uint64_t
read_integer(struct reader *reader, int column, uint64_t minimum, uint64_t maximum)
{
    int type = sqlite3_column_type(reader->statement, column);
    sqlite3_int64 value = sqlite3_column_int64(reader->statement, column);

    if (type != SQLITE_INTEGER)
        mark_bad(reader, column, "is no integer");
    else if (value < 0 || (uint64_t)value < minimum || (uint64_t)value > maximum)
        mark_bad(reader, column, "is out of range");
    return (uint64_t)value;
}

static int64_t
read_time(struct reader *reader, int column)
{
    if (sqlite3_column_type(reader->statement, column) != SQLITE_INTEGER)
        mark_bad(reader, column, "is no integer");
    return sqlite3_column_int64(reader->statement, column);
}

/* Never null, so that parsers need not ask. */
static const char *
read_text(struct reader *reader, int column)
{
    if (sqlite3_column_type(reader->statement, column) != SQLITE_TEXT) {
        mark_bad(reader, column, "is no text");
        return "";
    }

    const char *text = (const char *)sqlite3_column_text(reader->statement, column);
    if (text == NULL || strlen(text) != (size_t)sqlite3_column_bytes(reader->statement, column)) {
        mark_bad(reader, column, "is broken text");
        return "";
    }
    return text;
}

static uint16_t
read_name(struct reader *reader, int column, const struct sqlite_names *names)
{
    uint16_t value = 0;

    if (!sqlite_name_parse(names, read_text(reader, column), &value))
        mark_bad(reader, column, "is an unknown name");
    return value;
}

static void
read_digest(struct reader *reader, int column, uint8_t digest[32])
{
    const void *bytes = sqlite3_column_blob(reader->statement, column);

    if (sqlite3_column_type(reader->statement, column) != SQLITE_BLOB || bytes == NULL ||
        sqlite3_column_bytes(reader->statement, column) != 32)
        mark_bad(reader, column, "is no digest");
    else
        memcpy(digest, bytes, 32);
}
