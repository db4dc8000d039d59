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
#include "engine/store/sqlite_error.h"
#include "engine/store/sqlite_file.h"
#include "engine/store/sqlite_rows.h"
#include "engine/store/sqlite_schema.h"

/* How long a writing shell of an operator may hold up the start, and the engine at a commit.
 * Everything else does not wait: it will be tried again. */
enum { OPEN_BUSY_TIMEOUT_MS = 1000, COMMIT_BUSY_TIMEOUT_MS = 150 };

/* Pages in the log before they are copied to the database file; and again after so many more when
 * a reader stood in the way. */
enum { CHECKPOINT_PAGES = 2000 };

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_PUT_PRINCIPAL,
    STATEMENT_PUT_PROVIDER_CONTEXT,
    STATEMENT_PUT_PROPOSAL,
    STATEMENT_DELETE_PROVIDER_CONTEXT,
    STATEMENT_DELETE_PROPOSALS,
    STATEMENT_PUT_FILTER,
    STATEMENT_PUT_CONDITION,
    STATEMENT_DELETE_FILTER,
    STATEMENT_DELETE_CONDITIONS,
    STATEMENT_PUT_SA_CONTEXT,
    STATEMENT_SET_SA_CONTEXT,
    STATEMENT_DELETE_SA_CONTEXT,
    STATEMENT_PUT_BUNDLE,
    STATEMENT_DELETE_BUNDLE,
    STATEMENT_DELETE_BUNDLES,
    STATEMENT_PUT_LABEL,
    STATEMENT_DELETE_LABELS,
    STATEMENT_PUT_SESSION,
    STATEMENT_DELETE_SESSION,
    STATEMENT_PUT_QUARANTINE,
    STATEMENT_DELETE_QUARANTINE,
    STATEMENT_DELETE_DESCRIPTOR,
    STATEMENT_PUT_DESCRIPTOR,
    STATEMENT_PUT_REPLAY,
    STATEMENT_DELETE_REPLAY,
    STATEMENT_DELETE_REPLAYS_BELOW,
    STATEMENT_READ_REPLAY,
    STATEMENT_PUT_MARKS,
    STATEMENT_PROBE,
    STATEMENT_COUNT
};

static const char *const queries[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_PUT_PRINCIPAL] = SQLITE_ROWS_PUT_PRINCIPAL,
    [STATEMENT_PUT_PROVIDER_CONTEXT] = SQLITE_ROWS_PUT_PROVIDER_CONTEXT,
    [STATEMENT_PUT_PROPOSAL] = SQLITE_ROWS_PUT_PROPOSAL,
    [STATEMENT_DELETE_PROVIDER_CONTEXT] = "DELETE FROM provider_context WHERE id = ?1",
    [STATEMENT_DELETE_PROPOSALS] =
        "DELETE FROM provider_context_proposal WHERE provider_context_id = ?1",
    [STATEMENT_PUT_FILTER] = SQLITE_ROWS_PUT_FILTER,
    [STATEMENT_PUT_CONDITION] = SQLITE_ROWS_PUT_CONDITION,
    [STATEMENT_DELETE_FILTER] = "DELETE FROM filter WHERE id = ?1",
    [STATEMENT_DELETE_CONDITIONS] = "DELETE FROM filter_condition WHERE filter_id = ?1",
    [STATEMENT_PUT_SA_CONTEXT] = SQLITE_ROWS_PUT_SA_CONTEXT,
    [STATEMENT_SET_SA_CONTEXT] = SQLITE_ROWS_SET_SA_CONTEXT,
    [STATEMENT_DELETE_SA_CONTEXT] = "DELETE FROM sa_context WHERE id = ?1",
    [STATEMENT_PUT_BUNDLE] = SQLITE_ROWS_PUT_BUNDLE,
    [STATEMENT_DELETE_BUNDLE] = SQLITE_ROWS_DELETE_BUNDLE,
    [STATEMENT_DELETE_BUNDLES] = "DELETE FROM sa_bundle WHERE context_id = ?1",
    [STATEMENT_PUT_LABEL] = SQLITE_ROWS_PUT_LABEL,
    [STATEMENT_DELETE_LABELS] = "DELETE FROM sa_context_label WHERE context_id = ?1",
    [STATEMENT_PUT_SESSION] = SQLITE_ROWS_PUT_SESSION,
    [STATEMENT_DELETE_SESSION] = "DELETE FROM session WHERE number = ?1",
    [STATEMENT_PUT_QUARANTINE] = SQLITE_ROWS_PUT_QUARANTINE,
    [STATEMENT_DELETE_DESCRIPTOR] = "DELETE FROM descriptor WHERE id = ?1",
    [STATEMENT_DELETE_QUARANTINE] = "DELETE FROM spi_quarantine WHERE spi = ?1",
    [STATEMENT_PUT_DESCRIPTOR] = SQLITE_ROWS_PUT_DESCRIPTOR,
    [STATEMENT_PUT_REPLAY] = SQLITE_ROWS_PUT_REPLAY,
    [STATEMENT_DELETE_REPLAY] = "DELETE FROM replay WHERE number = ?1",
    [STATEMENT_DELETE_REPLAYS_BELOW] = "DELETE FROM replay WHERE number < ?1",
    [STATEMENT_READ_REPLAY] = "SELECT answer FROM replay WHERE number = ?1",
    [STATEMENT_PUT_MARKS] = SQLITE_ROWS_PUT_MARKS,
    [STATEMENT_PROBE] = SQLITE_ROWS_PROBE,
};

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

struct store {
    struct sqlite_file file;
    sqlite3 *db; /* null: must be opened again */
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct store_marks marks; /* of the last acknowledged commit */
    int log_pages;
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

static enum ipsec_status connect(struct store *store, bool opening, struct ipsec_fault *fault);
static enum ipsec_status configure(struct store *store, bool opening, struct ipsec_fault *fault);
static enum ipsec_status enter_wal_mode(struct store *store, struct ipsec_fault *fault);
static enum ipsec_status prepare(struct store *store, bool opening, struct ipsec_fault *fault);
static void disconnect(struct store *store, bool checkpoint);
static int note_log_pages(void *context, sqlite3 *db, const char *name, int pages);
static enum ipsec_status check_marks(struct store *store, struct ipsec_fault *fault);
static enum ipsec_status make_ready(struct store *store, struct ipsec_fault *fault);
static void give_up(struct store *store, bool committing);
static int run(struct store *store, enum statement statement);
static struct attempt write_probe(struct store *store);
static struct attempt write_changes(struct store *store,
                                    const struct store_change *changes,
                                    size_t change_count,
                                    const struct store_marks *marks);
static struct attempt
begin(struct store *store, enum statement statement, const struct store_marks *marks);
static void finish(struct store *store, struct attempt *attempt);
static enum ipsec_status explain(struct store *store,
                                 const struct attempt *attempt,
                                 bool opening,
                                 struct ipsec_fault *fault);
static int write_change(struct store *store, const struct store_change *change);
static void checkpoint(struct store *store);

static enum ipsec_status
sqlite_open(const char *path, struct ipsec_fault *fault, struct store **store_out)
{
    struct store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: out of memory", path);
    store->checkpoint_at = CHECKPOINT_PAGES;

    enum ipsec_status status = sqlite_file_open(path, fault, &store->file);
    if (status == IPSEC_OK)
        status = connect(store, true, fault);
    if (status == IPSEC_OK)
        status = sqlite_rows_read_marks(store->db, store->file.label, &store->marks, fault);
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
        disconnect(store, true);
        sqlite_file_clear(&store->file);
        free(store);
        return status;
    }
    (void)sqlite3_busy_timeout(store->db, 0);
    *store_out = store;
    return IPSEC_OK;
}

static void
sqlite_close(struct store *store)
{
    if (store == NULL)
        return;
    disconnect(store, true);
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
    (void)sqlite3_busy_timeout(store->db, OPEN_BUSY_TIMEOUT_MS);
    int result = run(store, STATEMENT_BEGIN);
    (void)sqlite3_busy_timeout(store->db, 0);
    if (result != SQLITE_OK) {
        status =
            sqlite_error_set(fault, store->db, result, false, store->file.label, "read its tables");
        give_up(store, false);
        return status;
    }
    status = check_marks(store, fault);
    if (status == IPSEC_OK)
        status = sqlite_rows_load(store->db, store->file.label, &store->marks, loader, fault);
    (void)run(store, STATEMENT_ROLLBACK);
    (void)sqlite3_db_release_memory(store->db);
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

    (void)sqlite3_busy_timeout(store->db, COMMIT_BUSY_TIMEOUT_MS);
    struct attempt attempt = write_changes(store, changes, change_count, marks);
    (void)sqlite3_busy_timeout(store->db, 0);
    if (attempt.result != SQLITE_OK) {
        status = explain(store, &attempt, false, fault);
        give_up(store, attempt.committing);
        return status;
    }
    store->marks = *marks;
    if (store->log_pages >= store->checkpoint_at)
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
    if (attempt.result != SQLITE_OK) {
        status = explain(store, &attempt, false, fault);
        give_up(store, attempt.committing);
    }
    return status;
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

    sqlite3_stmt *statement = store->statements[STATEMENT_READ_REPLAY];
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
        status =
            sqlite_error_set(fault, store->db, result, false, store->file.label, "read an answer");
    }
    (void)sqlite3_reset(statement);
    return status;
}

const struct store_ops store_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .load = sqlite_load,
    .commit = sqlite_commit,
    .probe = sqlite_probe,
    .read_replay = sqlite_read_replay,
    .peek = &store_sqlite_peek,
};

/* --- The connection --------------------------------------------------------------------------- */

static enum ipsec_status
connect(struct store *store, bool opening, struct ipsec_fault *fault)
{
    int result =
        sqlite3_open_v2(store->file.path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    enum ipsec_status status = IPSEC_OK;

    if (result != SQLITE_OK)
        status = sqlite_error_set(fault, store->db, result, opening, store->file.label, "open it");
    if (status == IPSEC_OK)
        status = configure(store, opening, fault);
    if (status == IPSEC_OK && opening)
        status = sqlite_schema_check(store->db, store->file.label, fault);
    if (status == IPSEC_OK && opening)
        status = enter_wal_mode(store, fault);
    if (status == IPSEC_OK && opening)
        status = sqlite_schema_migrate(store->db, store->file.label, fault);
    if (status == IPSEC_OK)
        status = prepare(store, opening, fault);
    if (status != IPSEC_OK)
        disconnect(store, false);
    return status;
}

static enum ipsec_status
configure(struct store *store, bool opening, struct ipsec_fault *fault)
{
    sqlite_schema_distrust(store->db);
    (void)sqlite3_busy_timeout(store->db, opening ? OPEN_BUSY_TIMEOUT_MS : 0);
    (void)sqlite3_wal_hook(store->db, note_log_pages, store);

    int result = sqlite3_exec(store->db, settings, NULL, NULL, NULL);
    if (result != SQLITE_OK)
        return sqlite_error_set(fault, store->db, result, opening, store->file.label, "read it");
    /* The pragma of the automatic checkpoint took the hook's place. */
    (void)sqlite3_wal_hook(store->db, note_log_pages, store);
    return IPSEC_OK;
}

static enum ipsec_status
enter_wal_mode(struct store *store, struct ipsec_fault *fault)
{
    sqlite3_stmt *statement = NULL;
    bool entered = false;
    int result = sqlite3_prepare_v2(store->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);

    if (result == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        entered = sqlite3_stricmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    int finalized = sqlite3_finalize(statement);
    if (result == SQLITE_OK)
        result = finalized;
    if (result != SQLITE_OK)
        return sqlite_error_set(fault, store->db, result, true, store->file.label,
                                "use a write-ahead log");
    if (!entered)
        return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: its file system allows no write-ahead log",
                               store->file.label);
    return IPSEC_OK;
}

static enum ipsec_status
prepare(struct store *store, bool opening, struct ipsec_fault *fault)
{
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        int result = sqlite3_prepare_v3(store->db, queries[i], -1, SQLITE_PREPARE_PERSISTENT,
                                        &store->statements[i], NULL);
        if (result != SQLITE_OK)
            return sqlite_error_set(fault, store->db, result, opening, store->file.label,
                                    "use its tables");
    }
    return IPSEC_OK;
}

/* With 'checkpoint' the log is copied and removed, else it stays as it is. */
static void
disconnect(struct store *store, bool checkpoint_wanted)
{
    if (store->db == NULL)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !checkpoint_wanted, NULL);
    (void)sqlite3_close(store->db);
    store->db = NULL;
}

/* Called by SQLite after each commit. */
static int
note_log_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    struct store *store = context;

    (void)db;
    (void)name;
    store->log_pages = pages;
    return SQLITE_OK;
}

static enum ipsec_status
check_marks(struct store *store, struct ipsec_fault *fault)
{
    struct store_marks found = { 0 };
    enum ipsec_status status = sqlite_rows_read_marks(store->db, store->file.label, &found, fault);

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

/* --- Failure ---------------------------------------------------------------------------------- */

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
            (void)run(store, STATEMENT_ROLLBACK);
            return status;
        }
        store->unsettled = false;
    }
    if (store->suspect) {
        disconnect(store, false);
        store->suspect = false;
    }
    if (store->db != NULL)
        return IPSEC_OK;

    status = connect(store, false, fault);
    if (status == IPSEC_OK)
        status = check_marks(store, fault);
    if (status == IPSEC_OK)
        status = sqlite_file_note_log(&store->file, fault);
    if (status != IPSEC_OK)
        disconnect(store, false);
    return status;
}

/* After a failure: ends the transaction and tries at once to come out of it, because the process
 * may not live to see the next commit. */
static void
give_up(struct store *store, bool committing)
{
    (void)run(store, STATEMENT_ROLLBACK);
    store->unsettled = store->unsettled || committing;
    store->suspect = true;
    (void)!make_ready(store, NULL);
}

/* --- Writing ---------------------------------------------------------------------------------- */

static int
run(struct store *store, enum statement statement)
{
    (void)sqlite3_step(store->statements[statement]);
    return sqlite3_reset(store->statements[statement]);
}

static struct attempt
write_probe(struct store *store)
{
    struct attempt attempt = begin(store, STATEMENT_PROBE, &store->marks);

    finish(store, &attempt);
    return attempt;
}

static struct attempt
write_changes(struct store *store,
              const struct store_change *changes,
              size_t change_count,
              const struct store_marks *marks)
{
    struct attempt attempt = begin(store, STATEMENT_PUT_MARKS, marks);

    for (size_t i = 0; i < change_count && attempt.result == SQLITE_OK; i++)
        attempt.result = write_change(store, &changes[i]);
    finish(store, &attempt);
    return attempt;
}

/* The marks come first: they tell whether the store is still ours to write. */
static struct attempt
begin(struct store *store, enum statement statement, const struct store_marks *marks)
{
    struct attempt attempt = { .result = run(store, STATEMENT_BEGIN) };

    if (attempt.result == SQLITE_OK)
        attempt.result = sqlite_rows_put_marks(store->statements[statement], marks, &store->marks);
    if (attempt.result == SQLITE_OK && sqlite3_changes(store->db) != 1) {
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
    attempt->result = run(store, STATEMENT_COMMIT);
}

static enum ipsec_status
explain(struct store *store, const struct attempt *attempt, bool opening, struct ipsec_fault *fault)
{
    if (attempt->overtaken)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: another process wrote it since revision %" PRIu64
                               ", the last acknowledged one",
                               store->file.label, store->marks.revision);
    return sqlite_error_set(fault, store->db, attempt->result, opening, store->file.label,
                            attempt->committing ? "commit" : "write to it");
}

static int
write_change(struct store *store, const struct store_change *change)
{
    sqlite3_stmt *const *statements = store->statements;
    const struct sqlite_sa_statements sa = {
        .put = statements[STATEMENT_PUT_SA_CONTEXT],
        .set = statements[STATEMENT_SET_SA_CONTEXT],
        .remove = statements[STATEMENT_DELETE_SA_CONTEXT],
        .put_bundle = statements[STATEMENT_PUT_BUNDLE],
        .delete_bundle = statements[STATEMENT_DELETE_BUNDLE],
        .delete_bundles = statements[STATEMENT_DELETE_BUNDLES],
        .put_label = statements[STATEMENT_PUT_LABEL],
        .delete_labels = statements[STATEMENT_DELETE_LABELS],
    };
    int result = SQLITE_OK;

    switch (change->kind) {
    case STORE_PUT_PRINCIPAL:
        return sqlite_rows_put_principal(statements[STATEMENT_PUT_PRINCIPAL], &change->principal);
    case STORE_PUT_FILTER:
        return sqlite_rows_put_filter(statements[STATEMENT_PUT_FILTER],
                                      statements[STATEMENT_PUT_CONDITION], change->filter);
    case STORE_DELETE_FILTER:
        result = sqlite_rows_delete(statements[STATEMENT_DELETE_FILTER], change->id);
        if (result == SQLITE_OK)
            result = sqlite_rows_delete(statements[STATEMENT_DELETE_CONDITIONS], change->id);
        return result;
    case STORE_PUT_SA_CONTEXT:
        return sqlite_rows_put_sa_context(&sa, change->sa_context);
    case STORE_SET_SA_CONTEXT:
        return sqlite_rows_set_sa_context(&sa, change->sa_context);
    case STORE_DELETE_SA_CONTEXT:
        return sqlite_rows_delete_sa_context(&sa, change->id);
    case STORE_PUT_PROVIDER_CONTEXT:
        return sqlite_rows_put_provider_context(statements[STATEMENT_PUT_PROVIDER_CONTEXT],
                                                statements[STATEMENT_PUT_PROPOSAL],
                                                change->provider_context);
    case STORE_DELETE_PROVIDER_CONTEXT:
        result = sqlite_rows_delete(statements[STATEMENT_DELETE_PROVIDER_CONTEXT], change->id);
        if (result == SQLITE_OK)
            result = sqlite_rows_delete(statements[STATEMENT_DELETE_PROPOSALS], change->id);
        return result;
    case STORE_PUT_SESSION:
        return sqlite_rows_put_session(statements[STATEMENT_PUT_SESSION], change->session);
    case STORE_DELETE_SESSION:
        return sqlite_rows_delete(statements[STATEMENT_DELETE_SESSION], change->id);
    case STORE_PUT_QUARANTINE:
        return sqlite_rows_put_quarantine(statements[STATEMENT_PUT_QUARANTINE], change->quarantine);
    case STORE_DELETE_QUARANTINE:
        return sqlite_rows_delete(statements[STATEMENT_DELETE_QUARANTINE], change->id);
    case STORE_PUT_DESCRIPTOR:
        return sqlite_rows_put_descriptor(statements[STATEMENT_PUT_DESCRIPTOR], change->descriptor);
    case STORE_DELETE_DESCRIPTOR:
        return sqlite_rows_delete(statements[STATEMENT_DELETE_DESCRIPTOR], change->id);
    case STORE_PUT_REPLAY:
        return sqlite_rows_put_replay(statements[STATEMENT_PUT_REPLAY], change->replay);
    case STORE_DELETE_REPLAY:
        return sqlite_rows_delete(statements[STATEMENT_DELETE_REPLAY], change->id);
    case STORE_DELETE_REPLAYS_BELOW:
        return sqlite_rows_delete(statements[STATEMENT_DELETE_REPLAYS_BELOW], change->id);
    }
    abort();
}

/* Copies the log into the database file, after an acknowledged commit.  A failure loses nothing:
 * the log stays.  A reader in the way is no failure: the rest follows later. */
static void
checkpoint(struct store *store)
{
    int log_pages = 0;
    int copied_pages = 0;
    int result = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_pages,
                                           &copied_pages);

    store->checkpoint_at = CHECKPOINT_PAGES;
    if (result == SQLITE_OK && copied_pages == log_pages)
        return;
    store->checkpoint_at = store->log_pages + CHECKPOINT_PAGES;
    if (result == SQLITE_OK || result == SQLITE_BUSY)
        return;

    struct ipsec_fault fault = { 0 };
    (void)!sqlite_error_set(&fault, store->db, result, false, store->file.label, "checkpoint");
    log_warning("store checkpoint failed, keeping the log", LOG_TEXT("reason", fault.detail));
    store->suspect = true;
}
