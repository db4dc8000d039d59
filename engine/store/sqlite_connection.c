/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_connection.c: see sqlite_connection.h. */
#include "engine/store/sqlite_connection.h"

#include <sqlite3.h>

#include "engine/store/sqlite_error.h"
#include "engine/store/sqlite_file.h"
#include "engine/store/sqlite_schema.h"

/* Before the first statement.  The cache holds the inner pages of the trees and a large batch.
 * Nothing is mapped: an I/O error must be a result code, not a signal.  Keys never come here, so
 * what is deleted need not be wiped. */
static const char settings[] = "PRAGMA synchronous = FULL;"
                               "PRAGMA cache_size = -4096;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA secure_delete = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA foreign_keys = OFF;"
                               "PRAGMA wal_autocheckpoint = 0;"
                               "PRAGMA journal_size_limit = 67108864;";

static enum ipsec_status
configure(struct sqlite_connection *connection, bool opening, struct ipsec_fault *fault);
static enum ipsec_status enter_wal_mode(struct sqlite_connection *connection,
                                        struct ipsec_fault *fault);
static enum ipsec_status
prepare(struct sqlite_connection *connection, bool opening, struct ipsec_fault *fault);
static int note_log_pages(void *context, sqlite3 *db, const char *name, int pages);

enum ipsec_status
sqlite_connection_open(struct sqlite_connection *connection,
                       bool opening,
                       struct ipsec_fault *fault)
{
    int result =
        sqlite3_open_v2(connection->file->path, &connection->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    enum ipsec_status status = IPSEC_OK;

    if (result != SQLITE_OK)
        status = sqlite_error_set(fault, connection->db, result, opening, connection->file->label,
                                  "open it");
    if (status == IPSEC_OK)
        status = configure(connection, opening, fault);
    if (status == IPSEC_OK && opening)
        status = sqlite_schema_check(connection->db, connection->file->label, fault);
    if (status == IPSEC_OK && opening)
        status = enter_wal_mode(connection, fault);
    if (status == IPSEC_OK && opening)
        status = sqlite_schema_migrate(connection->db, connection->file->label, fault);
    if (status == IPSEC_OK)
        status = prepare(connection, opening, fault);
    if (status != IPSEC_OK)
        sqlite_connection_close(connection, false);
    return status;
}

void
sqlite_connection_close(struct sqlite_connection *connection, bool copy_log)
{
    if (connection->db == NULL)
        return;
    sqlite_statements_clear(&connection->statements);
    (void)sqlite3_db_config(connection->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !copy_log, NULL);
    (void)sqlite3_close(connection->db);
    connection->db = NULL;
}

static enum ipsec_status
configure(struct sqlite_connection *connection, bool opening, struct ipsec_fault *fault)
{
    sqlite_schema_distrust(connection->db);
    (void)sqlite3_busy_timeout(connection->db, opening ? SQLITE_OPEN_BUSY_TIMEOUT_MS : 0);
    (void)sqlite3_wal_hook(connection->db, note_log_pages, connection);

    int result = sqlite3_exec(connection->db, settings, NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return sqlite_error_set(fault, connection->db, result, opening, connection->file->label,
                                "read it");
    /* The pragma of the automatic checkpoint took the hook's place. */
    (void)sqlite3_wal_hook(connection->db, note_log_pages, connection);
    return IPSEC_OK;
}

static enum ipsec_status
enter_wal_mode(struct sqlite_connection *connection, struct ipsec_fault *fault)
{
    sqlite3_stmt *statement = NULL;
    bool entered = false;
    int result =
        sqlite3_prepare_v2(connection->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

    if (result == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        entered = sqlite3_stricmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    int finalized = sqlite3_finalize(statement);
    if (result == SQLITE_OK)
        result = finalized;
    if (result != SQLITE_OK)
        return sqlite_error_set(fault, connection->db, result, true, connection->file->label,
                                "use a write-ahead log");
    if (!entered)
        return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: its file system allows no write-ahead log",
                               connection->file->label);
    return IPSEC_OK;
}

static enum ipsec_status
prepare(struct sqlite_connection *connection, bool opening, struct ipsec_fault *fault)
{
    int result = sqlite_statements_prepare(connection->db, &connection->statements);

    return result == SQLITE_OK ? IPSEC_OK
                               : sqlite_error_set(fault, connection->db, result, opening,
                                                  connection->file->label, "use its tables");
}

/* Called by SQLite after each commit. */
static int
note_log_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_connection *connection = context;

    (void)db;
    (void)name;
    connection->log_pages = pages;
    return SQLITE_OK;
}
