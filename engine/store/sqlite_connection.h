/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_connection.h: one open connection to the database: its settings, its write-ahead log and
 * its statements. */
#pragma once

#include <stdbool.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/store/sqlite_statements.h"

struct sqlite3;
struct sqlite_file;

/* How long a writing shell of an operator may hold up the start. */
enum { SQLITE_OPEN_BUSY_TIMEOUT_MS = 1000 };

struct sqlite_connection {
    const struct sqlite_file *file;
    struct sqlite3 *db; /* null: must be opened again */
    struct sqlite_statements statements;
    int log_pages; /* in the log after the last commit */
};

/* 'opening' is the start: the schema is then checked and brought up to date, and the log made.
 * After a failure the connection is closed. */
NODISCARD enum ipsec_status sqlite_connection_open(struct sqlite_connection *connection,
                                                   bool opening,
                                                   struct ipsec_fault *fault);

/* With 'copy_log' the log is copied to the database file and removed, else it stays as it is. */
void sqlite_connection_close(struct sqlite_connection *connection, bool copy_log);
