/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_bind.c: see sqlite_bind.h. */
#include "engine/store/sqlite_bind.h"

#include <string.h>

#include <sqlite3.h>

#include "engine/store/sqlite_text.h"

void
sqlite_bind_integer(struct sqlite3_stmt *statement, int index, uint64_t value)
{
    (void)sqlite3_bind_int64(statement, index, (sqlite3_int64)value);
}

void
sqlite_bind_null(struct sqlite3_stmt *statement, int index)
{
    (void)sqlite3_bind_null(statement, index);
}

void
sqlite_bind_text(struct sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

void
sqlite_bind_blob(struct sqlite3_stmt *statement, int index, const void *bytes, size_t size)
{
    (void)sqlite3_bind_blob64(statement, index, size == 0 ? "" : bytes, size, SQLITE_STATIC);
}

void
sqlite_bind_guid(struct sqlite3_stmt *statement,
                 int index,
                 const struct ipsec_guid *guid,
                 char *text)
{
    static const struct ipsec_guid zero;

    if (memcmp(guid, &zero, sizeof zero) == 0) {
        sqlite_bind_null(statement, index);
        return;
    }
    sqlite_guid_format(guid, text);
    sqlite_bind_text(statement, index, text);
}

int
sqlite_bind_run(struct sqlite3_stmt *statement)
{
    (void)sqlite3_step(statement);
    return sqlite3_reset(statement);
}
