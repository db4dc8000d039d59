/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_peek.c: looks at a database as the start would, and changes nothing.
 *
 * No file is created, no lock kept, no log copied.  What is not there yet, or of an older schema,
 * is made or migrated in memory, so that the rows are read by the same code as ever.  What another
 * process has open is left to it: that one has read it all.  Only its plane is looked up there. */
#include "engine/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "engine/base/buffer.h"
#include "engine/base/log.h"
#include "engine/store/sqlite_error.h"
#include "engine/store/sqlite_file.h"
#include "engine/store/sqlite_rows.h"
#include "engine/store/sqlite_schema.h"

enum { URI_MAXIMUM = 4096, MEMORY_FLAGS = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY };

struct store {
    struct sqlite_file file;
    sqlite3 *db;
    struct store_marks marks;
};

static void peek_close(struct store *store);
static enum ipsec_status open_file(struct store *store, struct ipsec_fault *fault);
static enum ipsec_status
open_read_only(struct store *store, bool has_log, struct ipsec_fault *fault);
static enum ipsec_status move_to_memory(struct store *store, struct ipsec_fault *fault);
static enum ipsec_status open_memory(struct store *store, struct ipsec_fault *fault);
static void write_uri(const struct store *store, bool has_log, struct buffer *uri);

static enum ipsec_status
peek_open(const char *path, struct ipsec_fault *fault, struct store **store_out)
{
    struct store *store = calloc(1, sizeof *store);
    bool is_there = false;

    *store_out = NULL;
    if (store == NULL)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: out of memory", path);
    enum ipsec_status status = sqlite_file_look(path, fault, &store->file, &is_there);
    if (status == IPSEC_OK)
        status = is_there ? open_file(store, fault) : open_memory(store, fault);
    if (status == IPSEC_OK)
        status = sqlite_rows_read_marks(store->db, store->file.label, &store->marks, fault);
    if (status != IPSEC_OK) {
        peek_close(store);
        return status;
    }
    *store_out = store;
    return IPSEC_OK;
}

static void
peek_close(struct store *store)
{
    if (store == NULL)
        return;
    (void)sqlite3_close(store->db);
    sqlite_file_clear(&store->file);
    free(store);
}

static enum ipsec_status
peek_load(struct store *store,
          const struct store_loader *loader,
          struct store_marks *marks_out,
          struct ipsec_fault *fault)
{
    const char *label = store->file.label;
    int result = sqlite3_exec(store->db, "BEGIN", NULL, NULL, NULL);

    if (result != SQLITE_OK)
        return sqlite_error_set(fault, store->db, result, true, label, "read its tables");
    enum ipsec_status status = sqlite_rows_load(store->db, label, &store->marks, loader, fault);
    *marks_out = store->marks;
    (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

static enum ipsec_status
peek_commit(struct store *store,
            const struct store_change *changes,
            size_t change_count,
            const struct store_marks *marks,
            struct ipsec_fault *fault)
{
    (void)store;
    (void)changes;
    (void)change_count;
    (void)marks;
    return ipsec_fault_set(fault, IPSEC_RPC_DISCONNECTED, IPSEC_FAULT_SERVICE, NULL,
                           "the store is only looked at");
}

static enum ipsec_status
peek_probe(struct store *store, struct ipsec_fault *fault)
{
    return peek_commit(store, NULL, 0, NULL, fault);
}

static enum ipsec_status
peek_read_replay(struct store *store,
                 uint64_t number,
                 struct ipsec_fault *fault,
                 void **answer_out,
                 size_t *answer_size_out)
{
    (void)number;
    *answer_out = NULL;
    *answer_size_out = 0;
    return peek_commit(store, NULL, 0, NULL, fault);
}

static enum ipsec_status
peek_read_plane(struct store *store, struct store_plane *plane_out, struct ipsec_fault *fault)
{
    return sqlite_rows_read_plane(store->db, store->file.label, plane_out, fault);
}

/* As anybody who reads along: by a snapshot, which the log is part of. */
static enum ipsec_status
peek_read_plane_beside(const char *path, struct store_plane *plane_out, struct ipsec_fault *fault)
{
    struct store store = { .file = { .lock_fd = -1 } };
    enum ipsec_status status = sqlite_file_find(path, fault, &store.file);

    if (status == IPSEC_OK)
        status = open_read_only(&store, true, fault);
    if (status == IPSEC_OK)
        status = peek_read_plane(&store, plane_out, fault);
    (void)sqlite3_close(store.db);
    sqlite_file_clear(&store.file);
    return status;
}

const struct store_ops store_sqlite_peek = {
    .name = "sqlite",
    .open = peek_open,
    .close = peek_close,
    .load = peek_load,
    .commit = peek_commit,
    .probe = peek_probe,
    .read_replay = peek_read_replay,
    .read_plane = peek_read_plane,
    .read_plane_beside = peek_read_plane_beside,
};

static enum ipsec_status
open_file(struct store *store, struct ipsec_fault *fault)
{
    struct stat log;
    bool has_log = stat(store->file.log_path, &log) == 0 && log.st_size > 0;

    /* Without it SQLite would make one. */
    if (has_log && access(store->file.index_path, R_OK) != 0) {
        log_warning(
            "the store's log (-wal) lies there without its index (-shm): the start reads it",
            LOG_TEXT("file", store->file.label));
        return open_memory(store, fault);
    }
    enum ipsec_status status = open_read_only(store, has_log, fault);
    if (status == IPSEC_OK && !sqlite_schema_is_current(store->db))
        status = move_to_memory(store, fault);
    return status;
}

static enum ipsec_status
open_read_only(struct store *store, bool has_log, struct ipsec_fault *fault)
{
    AUTO(buffer) uri = BUFFER(URI_MAXIMUM);

    write_uri(store, has_log, &uri);
    if (buffer_text(&uri) == NULL)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: out of memory", store->file.label);
    int result = sqlite3_open_v2(
        buffer_text(&uri), &store->db,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (result != SQLITE_OK)
        return sqlite_error_set(fault, store->db, result, true, store->file.label, "open it");
    sqlite_schema_distrust(store->db);
    return sqlite_schema_check(store->db, store->file.label, fault);
}

/* An older schema: the start will migrate it. */
static enum ipsec_status
move_to_memory(struct store *store, struct ipsec_fault *fault)
{
    sqlite3 *memory = NULL;
    int result = sqlite3_open_v2("", &memory,
                                 MEMORY_FLAGS | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    sqlite3_backup *copy =
        result == SQLITE_OK ? sqlite3_backup_init(memory, "main", store->db, "main") : NULL;

    if (copy != NULL) {
        (void)sqlite3_backup_step(copy, -1);
        result = sqlite3_backup_finish(copy);
    } else if (result == SQLITE_OK) {
        result = sqlite3_extended_errcode(memory);
    }
    (void)sqlite3_close(store->db);
    store->db = memory;
    if (result != SQLITE_OK)
        return sqlite_error_set(fault, memory, result, true, store->file.label, "copy it");
    sqlite_schema_distrust(memory);
    return sqlite_schema_migrate(memory, store->file.label, fault);
}

static enum ipsec_status
open_memory(struct store *store, struct ipsec_fault *fault)
{
    int result = sqlite3_open_v2("", &store->db,
                                 MEMORY_FLAGS | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

    if (result != SQLITE_OK)
        return sqlite_error_set(fault, store->db, result, true, store->file.label, "make one");
    return sqlite_schema_migrate(store->db, store->file.label, fault);
}

/* A database that nobody has open is all in its file, unless a crash left a log; the index of that
 * is then read without a lock on it. */
static void
write_uri(const struct store *store, bool has_log, struct buffer *uri)
{
    buffer_append_text(uri, "file:");
    for (const char *c = store->file.path; *c != '\0'; c++) {
        if (*c == '%' || *c == '?' || *c == '#')
            buffer_append_format(uri, "%%%02x", (unsigned int)(unsigned char)*c);
        else
            buffer_append_char(uri, *c);
    }
    buffer_append_text(uri, has_log ? "?readonly_shm=1" : "?immutable=1");
}
