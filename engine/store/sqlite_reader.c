/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_reader.c: see sqlite_reader.h. */
#include "engine/store/sqlite_reader.h"

#include <inttypes.h>
#include <string.h>

#include <sqlite3.h>

#include "engine/store/sqlite_error.h"
#include "engine/store/sqlite_text.h"

static enum ipsec_status next_part(struct sqlite_reader *parts);

enum ipsec_status
sqlite_reader_open(struct sqlite_reader *reader, const char *query)
{
    int result = sqlite3_prepare_v2(reader->db, query, -1, &reader->statement, NULL);

    reader->number = 0;
    reader->row_count = 0;
    reader->bad_column = -1;
    if (result != SQLITE_OK)
        return sqlite_error_set(reader->fault, reader->db, result, false, reader->label,
                                "read its tables");
    return IPSEC_OK;
}

enum ipsec_status
sqlite_reader_next(struct sqlite_reader *reader, bool *found_out)
{
    int result = sqlite3_step(reader->statement);

    *found_out = result == SQLITE_ROW;
    if (result == SQLITE_ROW || result == SQLITE_DONE)
        return IPSEC_OK;
    return sqlite_error_set(reader->fault, reader->db, result, false, reader->label,
                            "read its tables");
}

void
sqlite_reader_begin_row(struct sqlite_reader *reader, uint64_t minimum, uint64_t maximum)
{
    uint64_t previous = reader->number;

    reader->bad_column = -1;
    reader->number = (uint64_t)sqlite3_column_int64(reader->statement, 0);
    if (reader->row_count++ > 0 && reader->number <= previous)
        sqlite_reader_mark_bad(reader, 0, "is out of order");
    (void)sqlite_reader_integer(reader, 0, minimum, maximum);
}

enum ipsec_status
sqlite_reader_end_row(struct sqlite_reader *reader)
{
    if (reader->bad_column < 0)
        return IPSEC_OK;
    return ipsec_fault_set(reader->fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                           "store %s: table %s, row %" PRId64 ": %s %s", reader->label,
                           reader->table, (int64_t)reader->number,
                           sqlite3_column_name(reader->statement, reader->bad_column),
                           reader->cause);
}

void
sqlite_reader_mark_bad(struct sqlite_reader *reader, int column, const char *cause)
{
    if (reader->bad_column >= 0)
        return;
    reader->bad_column = column;
    reader->cause = cause;
}

uint64_t
sqlite_reader_integer(struct sqlite_reader *reader, int column, uint64_t minimum, uint64_t maximum)
{
    int type = sqlite3_column_type(reader->statement, column);
    sqlite3_int64 value = sqlite3_column_int64(reader->statement, column);

    if (type != SQLITE_INTEGER)
        sqlite_reader_mark_bad(reader, column, "is no integer");
    else if (value < 0 || (uint64_t)value < minimum || (uint64_t)value > maximum)
        sqlite_reader_mark_bad(reader, column, "is out of range");
    return (uint64_t)value;
}

int64_t
sqlite_reader_time(struct sqlite_reader *reader, int column)
{
    if (sqlite3_column_type(reader->statement, column) != SQLITE_INTEGER)
        sqlite_reader_mark_bad(reader, column, "is no integer");
    return sqlite3_column_int64(reader->statement, column);
}

const char *
sqlite_reader_text(struct sqlite_reader *reader, int column)
{
    if (sqlite3_column_type(reader->statement, column) != SQLITE_TEXT) {
        sqlite_reader_mark_bad(reader, column, "is no text");
        return "";
    }

    const char *text = (const char *)sqlite3_column_text(reader->statement, column);
    if (text == NULL || strlen(text) != (size_t)sqlite3_column_bytes(reader->statement, column)) {
        sqlite_reader_mark_bad(reader, column, "is broken text");
        return "";
    }
    return text;
}

uint16_t
sqlite_reader_name(struct sqlite_reader *reader, int column, const struct sqlite_names *names)
{
    uint16_t value = 0;

    if (!sqlite_name_parse(names, sqlite_reader_text(reader, column), &value))
        sqlite_reader_mark_bad(reader, column, "is an unknown name");
    return value;
}

void
sqlite_reader_digest(struct sqlite_reader *reader, int column, uint8_t digest[32])
{
    const void *bytes = sqlite3_column_blob(reader->statement, column);

    if (sqlite3_column_type(reader->statement, column) != SQLITE_BLOB || bytes == NULL ||
        sqlite3_column_bytes(reader->statement, column) != 32)
        sqlite_reader_mark_bad(reader, column, "is no digest");
    else
        memcpy(digest, bytes, 32);
}

void
sqlite_reader_close(struct sqlite_reader *reader)
{
    (void)sqlite3_finalize(reader->statement);
    reader->statement = NULL;
}

bool
sqlite_reader_is_null(const struct sqlite_reader *reader, int column)
{
    return sqlite3_column_type(reader->statement, column) == SQLITE_NULL;
}

const char *
sqlite_reader_optional_text(struct sqlite_reader *reader, int column)
{
    return sqlite_reader_is_null(reader, column) ? NULL : sqlite_reader_text(reader, column);
}

void
sqlite_reader_optional_guid(struct sqlite_reader *reader, int column, struct ipsec_guid *guid_out)
{
    *guid_out = (struct ipsec_guid){ { 0 } };
    if (!sqlite_reader_is_null(reader, column) &&
        !sqlite_guid_parse(sqlite_reader_text(reader, column), guid_out))
        sqlite_reader_mark_bad(reader, column, "is no GUID");
}

uint64_t
sqlite_reader_unsigned(struct sqlite_reader *reader, int column)
{
    uint64_t value = 0;

    if (!sqlite_weight_parse(sqlite_reader_text(reader, column), &value))
        sqlite_reader_mark_bad(reader, column, "is no 64-bit number");
    return value;
}

const uint8_t *
sqlite_reader_optional_blob(struct sqlite_reader *reader,
                            int column,
                            uint16_t maximum,
                            uint16_t *size_out)
{
    *size_out = 0;
    if (sqlite_reader_is_null(reader, column))
        return NULL;
    const uint8_t *bytes = sqlite3_column_blob(reader->statement, column);
    int size = sqlite3_column_bytes(reader->statement, column);
    if (sqlite3_column_type(reader->statement, column) != SQLITE_BLOB || bytes == NULL ||
        size > maximum) {
        sqlite_reader_mark_bad(reader, column, "is no blob of a possible size");
        return NULL;
    }
    *size_out = (uint16_t)size;
    return bytes;
}

enum ipsec_status
sqlite_parts_open(struct sqlite_reader *parts, const char *query)
{
    enum ipsec_status status = sqlite_reader_open(parts, query);

    return status == IPSEC_OK ? next_part(parts) : status;
}

enum ipsec_status
sqlite_parts_take(struct sqlite_reader *parts,
                  uint64_t number,
                  void (*read)(struct sqlite_reader *parts, void *whole),
                  void *whole)
{
    enum ipsec_status status = IPSEC_OK;

    while (status == IPSEC_OK && parts->row_waits && parts->number <= number) {
        if (parts->number < number)
            sqlite_reader_mark_bad(parts, 0, "names nothing");
        else
            read(parts, whole);
        status = sqlite_reader_end_row(parts);
        if (status == IPSEC_OK)
            status = next_part(parts);
    }
    return status;
}

enum ipsec_status
sqlite_parts_end(struct sqlite_reader *parts)
{
    if (!parts->row_waits)
        return IPSEC_OK;
    sqlite_reader_mark_bad(parts, 0, "names nothing");
    return sqlite_reader_end_row(parts);
}

static enum ipsec_status
next_part(struct sqlite_reader *parts)
{
    enum ipsec_status status = sqlite_reader_next(parts, &parts->row_waits);

    if (status != IPSEC_OK || !parts->row_waits)
        return status;
    /* Several parts belong to one whole, so the numbers here may repeat. */
    parts->bad_column = -1;
    parts->number = sqlite_reader_integer(parts, 0, 1, IPSEC_LUID_MAX);
    return sqlite_reader_end_row(parts);
}
