/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_bind.h: values into prepared statements.
 *
 * Parameters are bound without a copy: each outlives its step, and a statement is reset and bound
 * anew before the next.  Binding fails only for a bad index or a statement under way: bugs that the
 * first test shows. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/types.h"

struct sqlite3_stmt;

void sqlite_bind_integer(struct sqlite3_stmt *statement, int index, uint64_t value);
void sqlite_bind_null(struct sqlite3_stmt *statement, int index);
/* Null binds null, which a column that must have a value refuses. */
void sqlite_bind_text(struct sqlite3_stmt *statement, int index, const char *text);
void sqlite_bind_blob(struct sqlite3_stmt *statement, int index, const void *bytes, size_t size);
/* 'text' is where the GUID is spelt; a zero GUID binds null. */
void sqlite_bind_guid(struct sqlite3_stmt *statement,
                      int index,
                      const struct ipsec_guid *guid,
                      char *text);

/* Steps and resets; SQLite's result code. */
NODISCARD int sqlite_bind_run(struct sqlite3_stmt *statement);
