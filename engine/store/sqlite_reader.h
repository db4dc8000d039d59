/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_reader.h: walking over a table and checking every value.
 *
 * The first value that cannot be is noted with its column; the rest of the row is then read for
 * nothing, and sqlite_reader_end_row() speaks: IPSEC_RPC_INVALID_DATA with table, row and column.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/types.h"

struct sqlite3;
struct sqlite3_stmt;
struct sqlite_names;

struct sqlite_reader {
    struct sqlite3 *db;
    struct sqlite3_stmt *statement;
    const char *label;
    const char *table;
    struct ipsec_fault *fault;
    uint64_t number;    /* of this row */
    uint64_t row_count; /* so far */
    int bad_column;     /* -1: none */
    const char *cause;  /* why it is bad */
    bool row_waits;     /* of a table of parts: its row was not taken yet */
};

NODISCARD enum ipsec_status sqlite_reader_open(struct sqlite_reader *reader, const char *query);
void sqlite_reader_close(struct sqlite_reader *reader);
NODISCARD enum ipsec_status sqlite_reader_next(struct sqlite_reader *reader, bool *found_out);
/* Reads the number in the first column.  It must be above that of the row before: rows out of order
 * or twice are what a damaged tree looks like. */
void sqlite_reader_begin_row(struct sqlite_reader *reader, uint64_t minimum, uint64_t maximum);
NODISCARD enum ipsec_status sqlite_reader_end_row(struct sqlite_reader *reader);
void sqlite_reader_mark_bad(struct sqlite_reader *reader, int column, const char *cause);

uint64_t
sqlite_reader_integer(struct sqlite_reader *reader, int column, uint64_t minimum, uint64_t maximum);
int64_t sqlite_reader_time(struct sqlite_reader *reader, int column);
bool sqlite_reader_is_null(const struct sqlite_reader *reader, int column);
/* Never null, so that parsers need not ask. */
const char *sqlite_reader_text(struct sqlite_reader *reader, int column);
/* Null when the column is. */
const char *sqlite_reader_optional_text(struct sqlite_reader *reader, int column);
uint16_t
sqlite_reader_name(struct sqlite_reader *reader, int column, const struct sqlite_names *names);
/* Zero when the column is null. */
void
sqlite_reader_optional_guid(struct sqlite_reader *reader, int column, struct ipsec_guid *guid_out);
uint64_t sqlite_reader_unsigned(struct sqlite_reader *reader, int column);
void sqlite_reader_digest(struct sqlite_reader *reader, int column, uint8_t digest[32]);
/* Null and 0 when the column is null; valid until the next row. */
const uint8_t *sqlite_reader_optional_blob(struct sqlite_reader *reader,
                                           int column,
                                           uint16_t maximum,
                                           uint16_t *size_out);

/* A table of parts is walked in step with the table of what they belong to: its first column names
 * the whole.  Opens it and stands on the first row. */
NODISCARD enum ipsec_status sqlite_parts_open(struct sqlite_reader *parts, const char *query);
/* Hands the waiting rows of the whole 'number' to 'read', one after another; a row of a lower
 * number belongs to nothing. */
NODISCARD enum ipsec_status sqlite_parts_take(struct sqlite_reader *parts,
                                              uint64_t number,
                                              void (*read)(struct sqlite_reader *parts,
                                                           void *whole),
                                              void *whole);
/* No row may be left. */
NODISCARD enum ipsec_status sqlite_parts_end(struct sqlite_reader *parts);
