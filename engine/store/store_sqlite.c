/* SPDX-License-Identifier: Apache-2.0
 *
 * store_sqlite.c: the store in an SQLite database.
 *
 * One connection, write-ahead log, synchronous=FULL, one transaction a commit.  What SQLite leaves
 * to its user is done here:
 *
 * A COMMIT that fails while the log is synced has already written all of its frames.  The
 * connection ignores them, but whoever opens the file next would find them whole and take them for
 * committed.  So before anything else is written, and at once if possible, a small transaction is
 * committed by the same connection: it goes over the first of these frames, which ends the chain of
 * checksums there.  Until that worked no commit is accepted, so a failed commit either vanishes or,
 * if the process ends before, is the last one in the log, with nothing acknowledged after it.
 *
 * After a failed sync the kernel may call pages clean that are not on the disk.  The connection is
 * then closed and opened again: the new one reads the log from its start and copies all of it once
 * more.  It must find the marks of the last acknowledged commit. */
#include "engine/store/store.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "engine/base/log.h"
#include "engine/store/sqlite_connection.h"
#include "engine/store/sqlite_error.h"
#include "engine/store/sqlite_file.h"
#include "engine/store/sqlite_rows.h"
#include "engine/store/sqlite_statements.h"

/* How long a writing shell of an operator may hold up the engine at a commit.  Everything else but
 * the start does not wait: it will be tried again. */
enum { COMMIT_BUSY_TIMEOUT_MS = 150 };

/* Pages in the log before they are copied to the database file; and again after so many more when
 * a reader stood in the way. */
enum { CHECKPOINT_PAGES = 2000 };

struct store {
    struct sqlite_file file;
    struct sqlite_connection connection; /* to it */
    struct store_marks marks;            /* of the last acknowledged commit */
    int checkpoint_at;
    bool unsettled; /* a failed commit may stand in the log */
    bool suspect;   /* the connection's idea of what is on the disk may be wrong */
};

/* What is to be known of a transaction that failed. */
struct attempt {
    int result;      /* SQLite's result code */
    bool committing; /* it may stand in the log */
    bool overtaken;  /* the marks are not ours */
};

static enum ipsec_status check_marks(struct store *store, struct ipsec_fault *fault);
static enum ipsec_status make_ready(struct store *store, struct ipsec_fault *fault);
static void give_up(struct store *store, bool committing);
static enum ipsec_status
fail(struct store *store, const struct attempt *attempt, struct ipsec_fault *fault);
static int run(struct store *store, enum sqlite_statement statement);
static struct attempt write_probe(struct store *store);
static struct attempt write_changes(struct store *store,
                                    const struct store_change *changes,
                                    size_t change_count,
                                    const struct store_marks *marks);
static struct attempt write_plane(struct store *store, const struct store_plane *plane);
static struct attempt
begin(struct store *store, enum sqlite_statement statement, const struct store_marks *marks);
static void finish(struct store *store, struct attempt *attempt);
static enum ipsec_status explain(struct store *store,
                                 const struct attempt *attempt,
                                 bool opening,
                                 struct ipsec_fault *fault);
static void checkpoint(struct store *store);

static enum ipsec_status
sqlite_open(const char *path, struct ipsec_fault *fault, struct store **store_out)
{
    struct store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: out of memory", path);
    store->connection.file = &store->file;
    store->checkpoint_at = CHECKPOINT_PAGES;

    enum ipsec_status status = sqlite_file_open(path, fault, &store->file);
    if (status == IPSEC_OK)
        status = sqlite_connection_open(&store->connection, true, fault);
    if (status == IPSEC_OK)
        status =
            sqlite_rows_read_marks(store->connection.db, store->file.label, &store->marks, fault);
    if (status == IPSEC_OK) {
        struct attempt attempt = write_probe(store);
        if (attempt.result != SQLITE_OK)
            status = explain(store, &attempt, true, fault);
    }
    if (status == IPSEC_OK)
        status = sqlite_file_sync_directory(&store->file, fault);
    if (status == IPSEC_OK)
        status = sqlite_file_note_log(&store->file, fault);
    if (status != IPSEC_OK) {
        sqlite_connection_close(&store->connection, true);
        sqlite_file_clear(&store->file);
        free(store);
        return status;
    }
    (void)sqlite3_busy_timeout(store->connection.db, 0);
    *store_out = store;
    return IPSEC_OK;
}

static void
sqlite_close(struct store *store)
{
    if (store == NULL)
        return;
    sqlite_connection_close(&store->connection, true);
    sqlite_file_clear(&store->file);
    free(store);
}

static enum ipsec_status
sqlite_load(struct store *store,
            const struct store_loader *loader,
            struct store_marks *marks_out,
            struct ipsec_fault *fault)
{
    enum ipsec_status status = make_ready(store, fault);
    if (status != IPSEC_OK)
        return status;

    /* One transaction, so that all tables are of one moment even if a shell is writing. */
    (void)sqlite3_busy_timeout(store->connection.db, SQLITE_OPEN_BUSY_TIMEOUT_MS);
    int result = run(store, SQLITE_STATEMENT_BEGIN);
    (void)sqlite3_busy_timeout(store->connection.db, 0);
    if (result != SQLITE_OK) {
        status = sqlite_error_set(fault, store->connection.db, result, false, store->file.label,
                                  "read its tables");
        give_up(store, false);
        return status;
    }
    status = check_marks(store, fault);
    if (status == IPSEC_OK)
        status =
            sqlite_rows_load(store->connection.db, store->file.label, &store->marks, loader, fault);
    (void)run(store, SQLITE_STATEMENT_ROLLBACK);
    (void)sqlite3_db_release_memory(store->connection.db);
    *marks_out = store->marks;
    return status;
}

static enum ipsec_status
sqlite_commit(struct store *store,
              const struct store_change *changes,
              size_t change_count,
              const struct store_marks *marks,
              struct ipsec_fault *fault)
{
    enum ipsec_status status = make_ready(store, fault);
    if (status != IPSEC_OK)
        return status;

    (void)sqlite3_busy_timeout(store->connection.db, COMMIT_BUSY_TIMEOUT_MS);
    struct attempt attempt = write_changes(store, changes, change_count, marks);
    (void)sqlite3_busy_timeout(store->connection.db, 0);
    if (attempt.result != SQLITE_OK)
        return fail(store, &attempt, fault);
    store->marks = *marks;
    if (store->connection.log_pages >= store->checkpoint_at)
        checkpoint(store);
    return IPSEC_OK;
}

static enum ipsec_status
sqlite_probe(struct store *store, struct ipsec_fault *fault)
{
    enum ipsec_status status = make_ready(store, fault);
    if (status != IPSEC_OK)
        return status;

    struct attempt attempt = write_probe(store);
    return attempt.result == SQLITE_OK ? IPSEC_OK : fail(store, &attempt, fault);
}

static enum ipsec_status
sqlite_read_replay(struct store *store,
                   uint64_t number,
                   struct ipsec_fault *fault,
                   void **answer_out,
                   size_t *answer_size_out)
{
    enum ipsec_status status = make_ready(store, fault);
    if (status != IPSEC_OK)
        return status;

    sqlite3_stmt *statement = store->connection.statements.prepared[SQLITE_STATEMENT_READ_REPLAY];
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)number);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        const void *bytes = sqlite3_column_blob(statement, 0);
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        void *answer = size > 0 && bytes == NULL ? NULL : malloc(size == 0 ? 1 : size);
        if (answer == NULL) {
            status = ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                                     "store %s: out of memory", store->file.label);
        } else {
            if (size > 0)
                memcpy(answer, bytes, size);
            *answer_out = answer;
            *answer_size_out = size;
        }
    } else if (result == SQLITE_DONE) {
        status = ipsec_fault_set(fault, IPSEC_NOT_FOUND, IPSEC_FAULT_SERVICE, NULL,
                                 "no remembered answer has number %" PRIu64, number);
    } else {
        status = sqlite_error_set(fault, store->connection.db, result, false, store->file.label,
                                  "read an answer");
    }
    (void)sqlite3_reset(statement);
    return status;
}

static enum ipsec_status
sqlite_read_plane(struct store *store, struct store_plane *plane_out, struct ipsec_fault *fault)
{
    enum ipsec_status status = make_ready(store, fault);

    return status == IPSEC_OK
               ? sqlite_rows_read_plane(store->connection.db, store->file.label, plane_out, fault)
               : status;
}

static enum ipsec_status
sqlite_write_plane(struct store *store, const struct store_plane *plane, struct ipsec_fault *fault)
{
    enum ipsec_status status = make_ready(store, fault);
    if (status != IPSEC_OK)
        return status;

    (void)sqlite3_busy_timeout(store->connection.db, SQLITE_OPEN_BUSY_TIMEOUT_MS);
    struct attempt attempt = write_plane(store, plane);
    (void)sqlite3_busy_timeout(store->connection.db, 0);
    return attempt.result == SQLITE_OK ? IPSEC_OK : fail(store, &attempt, fault);
}

const struct store_ops store_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .is_there = sqlite_file_is_there,
    .load = sqlite_load,
    .commit = sqlite_commit,
    .probe = sqlite_probe,
    .read_replay = sqlite_read_replay,
    .read_plane = sqlite_read_plane,
    .write_plane = sqlite_write_plane,
    .peek = &store_sqlite_peek,
};

/* --- Failure ---------------------------------------------------------------------------------- */

static enum ipsec_status
check_marks(struct store *store, struct ipsec_fault *fault)
{
    struct store_marks found = { 0 };
    enum ipsec_status status =
        sqlite_rows_read_marks(store->connection.db, store->file.label, &found, fault);

    if (status != IPSEC_OK)
        return status;
    if (found.last_luid != store->marks.last_luid || found.revision != store->marks.revision ||
        found.last_replay_number != store->marks.last_replay_number)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: another process wrote it: it is at revision %" PRIu64
                               ", not at the last acknowledged one, %" PRIu64,
                               store->file.label, found.revision, store->marks.revision);
    return IPSEC_OK;
}

/* Before any work: brings the store out of what an earlier failure left. */
static enum ipsec_status
make_ready(struct store *store, struct ipsec_fault *fault)
{
    enum ipsec_status status = sqlite_file_check_place(&store->file, fault);
    if (status != IPSEC_OK)
        return status;

    if (store->unsettled) {
        struct attempt attempt = write_probe(store);
        if (attempt.result != SQLITE_OK) {
            status = explain(store, &attempt, false, fault);
            (void)run(store, SQLITE_STATEMENT_ROLLBACK);
            return status;
        }
        store->unsettled = false;
    }
    if (store->suspect) {
        sqlite_connection_close(&store->connection, false);
        store->suspect = false;
    }
    if (store->connection.db != NULL)
        return IPSEC_OK;

    status = sqlite_connection_open(&store->connection, false, fault);
    if (status == IPSEC_OK)
        status = check_marks(store, fault);
    if (status == IPSEC_OK)
        status = sqlite_file_note_log(&store->file, fault);
    if (status != IPSEC_OK)
        sqlite_connection_close(&store->connection, false);
    return status;
}

/* After a failure: ends the transaction and tries at once to come out of it, because the process
 * may not live to see the next commit. */
static void
give_up(struct store *store, bool committing)
{
    (void)run(store, SQLITE_STATEMENT_ROLLBACK);
    store->unsettled = store->unsettled || committing;
    store->suspect = true;
    (void)!make_ready(store, NULL);
}

/* The status of a call whose transaction failed, and comes out of it. */
static enum ipsec_status
fail(struct store *store, const struct attempt *attempt, struct ipsec_fault *fault)
{
    enum ipsec_status status = explain(store, attempt, false, fault);

    give_up(store, attempt->committing);
    return status;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static int
run(struct store *store, enum sqlite_statement statement)
{
    return sqlite_statements_run(&store->connection.statements, statement);
}

static struct attempt
write_probe(struct store *store)
{
    struct attempt attempt = begin(store, SQLITE_STATEMENT_PROBE, &store->marks);

    finish(store, &attempt);
    return attempt;
}

static struct attempt
write_changes(struct store *store,
              const struct store_change *changes,
              size_t change_count,
              const struct store_marks *marks)
{
    struct attempt attempt = begin(store, SQLITE_STATEMENT_PUT_MARKS, marks);

    for (size_t i = 0; i < change_count && attempt.result == SQLITE_OK; i++)
        attempt.result = sqlite_statements_write(&store->connection.statements, &changes[i]);
    finish(store, &attempt);
    return attempt;
}

static struct attempt
write_plane(struct store *store, const struct store_plane *plane)
{
    struct attempt attempt = begin(store, SQLITE_STATEMENT_PUT_MARKS, &store->marks);

    if (attempt.result == SQLITE_OK)
        attempt.result = sqlite_rows_put_plane(
            store->connection.statements.prepared[SQLITE_STATEMENT_PUT_PLANE], plane);
    finish(store, &attempt);
    return attempt;
}

/* The marks come first: they tell whether the store is still ours to write. */
static struct attempt
begin(struct store *store, enum sqlite_statement statement, const struct store_marks *marks)
{
    struct attempt attempt = { .result = run(store, SQLITE_STATEMENT_BEGIN) };

    if (attempt.result == SQLITE_OK)
        attempt.result = sqlite_rows_put_marks(store->connection.statements.prepared[statement],
                                               marks, &store->marks);
    if (attempt.result == SQLITE_OK && sqlite3_changes(store->connection.db) != 1) {
        attempt.result = SQLITE_ABORT;
        attempt.overtaken = true;
    }
    return attempt;
}

static void
finish(struct store *store, struct attempt *attempt)
{
    if (attempt->result != SQLITE_OK)
        return;
    attempt->committing = true;
    attempt->result = run(store, SQLITE_STATEMENT_COMMIT);
}

static enum ipsec_status
explain(struct store *store, const struct attempt *attempt, bool opening, struct ipsec_fault *fault)
{
    if (attempt->overtaken)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: another process wrote it since revision %" PRIu64
                               ", the last acknowledged one",
                               store->file.label, store->marks.revision);
    return sqlite_error_set(fault, store->connection.db, attempt->result, opening,
                            store->file.label, attempt->committing ? "commit" : "write to it");
}

/* Copies the log into the database file, after an acknowledged commit.  A failure loses nothing:
 * the log stays.  A reader in the way is no failure: the rest follows later. */
static void
checkpoint(struct store *store)
{
    int log_pages = 0;
    int copied_pages = 0;
    int result = sqlite3_wal_checkpoint_v2(store->connection.db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                           &log_pages, &copied_pages);

    store->checkpoint_at = CHECKPOINT_PAGES;
    if (result == SQLITE_OK && copied_pages == log_pages)
        return;
    store->checkpoint_at = store->connection.log_pages + CHECKPOINT_PAGES;
    if (result == SQLITE_OK || result == SQLITE_BUSY)
        return;

    struct ipsec_fault fault = { 0 };
    (void)!sqlite_error_set(&fault, store->connection.db, result, false, store->file.label,
                            "checkpoint");
    log_warning("store checkpoint failed, keeping the log", LOG_TEXT("reason", fault.detail));
    store->suspect = true;
}
