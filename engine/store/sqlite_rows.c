/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_rows.c: see sqlite_rows.h. */
#include "engine/store/sqlite_rows.h"

#include <string.h>

#include <sqlite3.h>

#include "engine/base/access.h"
#include "engine/store/sqlite_bind.h"
#include "engine/store/sqlite_text.h"

static enum ipsec_status read_row_of_marks(struct sqlite_reader *reader, const char *query);
static void read_short_text(struct sqlite_reader *reader, int column, char *text, size_t size);
static enum ipsec_status load_principals(struct sqlite_reader reader,
                                         const struct store_loader *loader);
static enum ipsec_status load_sessions(struct sqlite_reader reader,
                                       const struct store_marks *marks,
                                       const struct store_loader *loader);
static enum ipsec_status load_quarantines(struct sqlite_reader reader,
                                          const struct store_loader *loader);
static enum ipsec_status load_descriptors(struct sqlite_reader reader,
                                          const struct store_loader *loader);
static enum ipsec_status load_replays(struct sqlite_reader reader,
                                      const struct store_marks *marks,
                                      const struct store_loader *loader);

int
sqlite_rows_put_principal(struct sqlite3_stmt *statement, const struct store_principal *principal)
{
    sqlite_bind_integer(statement, 1, principal->id);
    sqlite_bind_text(statement, 2, principal->name);
    return sqlite_bind_run(statement);
}

int
sqlite_rows_put_session(struct sqlite3_stmt *statement, const struct ipsec_session_record *session)
{
    char key[SQLITE_GUID_SIZE];

    sqlite_bind_integer(statement, 1, session->number);
    sqlite_bind_guid(statement, 2, &session->key, key);
    sqlite_bind_text(statement, 3, session->name);
    sqlite_bind_integer(statement, 4, (uint64_t)session->opened_at_ms);
    sqlite_bind_integer(statement, 5, session->opened_by);
    sqlite_bind_integer(statement, 6, session->flags);
    sqlite_bind_integer(statement, 7, session->txn_wait_timeout_ms);
    return sqlite_bind_run(statement);
}

int
sqlite_rows_put_quarantine(struct sqlite3_stmt *statement,
                           const struct store_quarantine *quarantine)
{
    sqlite_bind_integer(statement, 1, quarantine->spi);
    sqlite_bind_integer(statement, 2, (uint64_t)quarantine->until_ms);
    return sqlite_bind_run(statement);
}

/* Rows are numbered from 1, containers from 0. */
int
sqlite_rows_put_descriptor(struct sqlite3_stmt *statement,
                           const struct store_descriptor *descriptor)
{
    sqlite_bind_integer(statement, 1, descriptor->container + UINT64_C(1));
    sqlite_bind_text(statement, 2, sqlite_name(&sqlite_container_names, descriptor->container));
    sqlite_bind_text(statement, 3, descriptor->text);
    return sqlite_bind_run(statement);
}

int
sqlite_rows_put_replay(struct sqlite3_stmt *statement, const struct store_replay *replay)
{
    sqlite_bind_integer(statement, 1, replay->number);
    sqlite_bind_integer(statement, 2, (uint64_t)replay->created_at_ms);
    sqlite_bind_blob(statement, 3, replay->key_digest, sizeof replay->key_digest);
    sqlite_bind_blob(statement, 4, replay->request_digest, sizeof replay->request_digest);
    sqlite_bind_blob(statement, 5, replay->answer, replay->answer_size);
    return sqlite_bind_run(statement);
}

int
sqlite_rows_put_marks(struct sqlite3_stmt *statement,
                      const struct store_marks *marks,
                      const struct store_marks *previous)
{
    sqlite_bind_integer(statement, 1, marks->last_luid);
    sqlite_bind_integer(statement, 2, marks->revision);
    sqlite_bind_integer(statement, 3, marks->last_replay_number);
    sqlite_bind_integer(statement, 4, previous->last_luid);
    sqlite_bind_integer(statement, 5, previous->revision);
    sqlite_bind_integer(statement, 6, previous->last_replay_number);
    return sqlite_bind_run(statement);
}

int
sqlite_rows_put_plane(struct sqlite3_stmt *statement, const struct store_plane *plane)
{
    sqlite_bind_text(statement, 1, plane->name);
    sqlite_bind_integer(statement, 2, plane->instance);
    sqlite_bind_text(statement, 3, plane->netns);
    return sqlite_bind_run(statement);
}

int
sqlite_rows_delete(struct sqlite3_stmt *statement, uint64_t number)
{
    sqlite_bind_integer(statement, 1, number);
    return sqlite_bind_run(statement);
}

enum ipsec_status
sqlite_rows_read_marks(struct sqlite3 *db,
                       const char *label,
                       struct store_marks *marks_out,
                       struct ipsec_fault *fault)
{
    struct sqlite_reader reader = { .db = db, .label = label, .table = "marks", .fault = fault };
    enum ipsec_status status = read_row_of_marks(
        &reader, "SELECT id, last_luid, revision, last_replay_number FROM marks WHERE id = 1");

    if (status == IPSEC_OK) {
        *marks_out = (struct store_marks){
            .last_luid = sqlite_reader_integer(&reader, 1, 0, IPSEC_LUID_MAX),
            .revision = sqlite_reader_integer(&reader, 2, 0, INT64_MAX),
            .last_replay_number = sqlite_reader_integer(&reader, 3, 0, INT64_MAX),
        };
        status = sqlite_reader_end_row(&reader);
    }
    sqlite_reader_close(&reader);
    return status;
}

enum ipsec_status
sqlite_rows_read_plane(struct sqlite3 *db,
                       const char *label,
                       struct store_plane *plane_out,
                       struct ipsec_fault *fault)
{
    struct sqlite_reader reader = { .db = db, .label = label, .table = "marks", .fault = fault };
    enum ipsec_status status = read_row_of_marks(
        &reader, "SELECT id, plane, plane_instance, plane_netns FROM marks WHERE id = 1");

    if (status == IPSEC_OK) {
        *plane_out = (struct store_plane){
            .instance = (uint32_t)sqlite_reader_integer(&reader, 2, 0, UINT32_MAX),
        };
        read_short_text(&reader, 1, plane_out->name, sizeof plane_out->name);
        read_short_text(&reader, 3, plane_out->netns, sizeof plane_out->netns);
        status = sqlite_reader_end_row(&reader);
    }
    sqlite_reader_close(&reader);
    return status;
}

/* Opens 'reader' and stands in the only row. */
static enum ipsec_status
read_row_of_marks(struct sqlite_reader *reader, const char *query)
{
    bool found = false;
    enum ipsec_status status = sqlite_reader_open(reader, query);

    if (status == IPSEC_OK)
        status = sqlite_reader_next(reader, &found);
    if (status != IPSEC_OK)
        return status;
    if (!found)
        return ipsec_fault_set(reader->fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "store %s: table marks has no row", reader->label);
    sqlite_reader_begin_row(reader, 1, 1);
    return IPSEC_OK;
}

static void
read_short_text(struct sqlite_reader *reader, int column, char *text, size_t size)
{
    const char *found = sqlite_reader_text(reader, column);

    if (strlen(found) < size)
        memcpy(text, found, strlen(found) + 1);
    else
        sqlite_reader_mark_bad(reader, column, "is too long");
}

enum ipsec_status
sqlite_rows_load(struct sqlite3 *db,
                 const char *label,
                 const struct store_marks *marks,
                 const struct store_loader *loader,
                 struct ipsec_fault *fault)
{
    struct sqlite_reader reader = { .db = db, .label = label, .fault = fault };
    enum ipsec_status status = load_principals(reader, loader);

    if (status == IPSEC_OK)
        status = sqlite_rows_load_provider_contexts(&reader, marks, loader);
    if (status == IPSEC_OK)
        status = sqlite_rows_load_filters(&reader, marks, loader);
    if (status == IPSEC_OK)
        status = sqlite_rows_load_sa_contexts(&reader, marks, loader);
    if (status == IPSEC_OK)
        status = load_sessions(reader, marks, loader);
    if (status == IPSEC_OK)
        status = load_quarantines(reader, loader);
    if (status == IPSEC_OK)
        status = load_descriptors(reader, loader);
    if (status == IPSEC_OK)
        status = load_replays(reader, marks, loader);
    return status;
}

static enum ipsec_status
load_principals(struct sqlite_reader reader, const struct store_loader *loader)
{
    bool found = false;
    reader.table = "principal";
    enum ipsec_status status =
        sqlite_reader_open(&reader, "SELECT id, name FROM principal ORDER BY id");

    if (status == IPSEC_OK)
        status = sqlite_reader_next(&reader, &found);
    while (status == IPSEC_OK && found) {
        sqlite_reader_begin_row(&reader, 1, UINT32_MAX);
        const struct store_principal principal = { .id = (uint32_t)reader.number,
                                                   .name = sqlite_reader_text(&reader, 1) };
        status = sqlite_reader_end_row(&reader);
        if (status == IPSEC_OK)
            status = loader->principal(loader->context, &principal);
        if (status == IPSEC_OK)
            status = sqlite_reader_next(&reader, &found);
    }
    sqlite_reader_close(&reader);
    return status;
}

static enum ipsec_status
load_sessions(struct sqlite_reader reader,
              const struct store_marks *marks,
              const struct store_loader *loader)
{
    bool found = false;
    reader.table = "session";
    enum ipsec_status status =
        sqlite_reader_open(&reader, "SELECT number, session_key, name, opened_at_ms, opened_by, "
                                    "flags, txn_wait_timeout_ms FROM session ORDER BY number");

    if (status == IPSEC_OK)
        status = sqlite_reader_next(&reader, &found);
    while (status == IPSEC_OK && found) {
        sqlite_reader_begin_row(&reader, 1, marks->last_luid);
        struct ipsec_session_record session = {
            .number = reader.number,
            .opened_at_ms = sqlite_reader_time(&reader, 3),
            .opened_by = (uint32_t)sqlite_reader_integer(&reader, 4, 0, UINT32_MAX),
            .flags = (uint32_t)sqlite_reader_integer(&reader, 5, 0, UINT32_MAX),
            .txn_wait_timeout_ms = (uint32_t)sqlite_reader_integer(&reader, 6, 0, UINT32_MAX),
        };
        const char *name = sqlite_reader_text(&reader, 2);
        if (!sqlite_guid_parse(sqlite_reader_text(&reader, 1), &session.key))
            sqlite_reader_mark_bad(&reader, 1, "is no GUID");
        if (strlen(name) < sizeof session.name)
            memcpy(session.name, name, strlen(name) + 1);
        else
            sqlite_reader_mark_bad(&reader, 2, "is too long");
        status = sqlite_reader_end_row(&reader);
        if (status == IPSEC_OK)
            status = loader->session(loader->context, &session);
        if (status == IPSEC_OK)
            status = sqlite_reader_next(&reader, &found);
    }
    sqlite_reader_close(&reader);
    return status;
}

static enum ipsec_status
load_quarantines(struct sqlite_reader reader, const struct store_loader *loader)
{
    bool found = false;
    reader.table = "spi_quarantine";
    enum ipsec_status status =
        sqlite_reader_open(&reader, "SELECT spi, until_ms FROM spi_quarantine ORDER BY spi");

    if (status == IPSEC_OK)
        status = sqlite_reader_next(&reader, &found);
    while (status == IPSEC_OK && found) {
        sqlite_reader_begin_row(&reader, 1, UINT32_MAX);
        const struct store_quarantine quarantine = { .spi = (uint32_t)reader.number,
                                                     .until_ms = sqlite_reader_time(&reader, 1) };
        status = sqlite_reader_end_row(&reader);
        if (status == IPSEC_OK)
            status = loader->quarantine(loader->context, &quarantine);
        if (status == IPSEC_OK)
            status = sqlite_reader_next(&reader, &found);
    }
    sqlite_reader_close(&reader);
    return status;
}

static enum ipsec_status
load_descriptors(struct sqlite_reader reader, const struct store_loader *loader)
{
    bool found = false;
    reader.table = "descriptor";
    enum ipsec_status status =
        sqlite_reader_open(&reader, "SELECT id, container, text FROM descriptor ORDER BY id");

    if (status == IPSEC_OK)
        status = sqlite_reader_next(&reader, &found);
    while (status == IPSEC_OK && found) {
        sqlite_reader_begin_row(&reader, 1, IPSEC_CONTAINER_COUNT);
        const struct store_descriptor descriptor = {
            .container = (uint8_t)sqlite_reader_name(&reader, 1, &sqlite_container_names),
            .text = sqlite_reader_text(&reader, 2),
        };
        if (descriptor.container + UINT64_C(1) != reader.number)
            sqlite_reader_mark_bad(&reader, 1, "is not that of its number");
        status = sqlite_reader_end_row(&reader);
        if (status == IPSEC_OK)
            status = loader->descriptor(loader->context, &descriptor);
        if (status == IPSEC_OK)
            status = sqlite_reader_next(&reader, &found);
    }
    sqlite_reader_close(&reader);
    return status;
}

static enum ipsec_status
load_replays(struct sqlite_reader reader,
             const struct store_marks *marks,
             const struct store_loader *loader)
{
    bool found = false;
    reader.table = "replay";
    enum ipsec_status status = sqlite_reader_open(
        &reader,
        "SELECT number, created_at_ms, key_digest, request_digest FROM replay ORDER BY number");

    if (status == IPSEC_OK)
        status = sqlite_reader_next(&reader, &found);
    while (status == IPSEC_OK && found) {
        sqlite_reader_begin_row(&reader, 1, marks->last_replay_number);
        struct store_replay replay = { .number = reader.number,
                                       .created_at_ms = sqlite_reader_time(&reader, 1) };
        sqlite_reader_digest(&reader, 2, replay.key_digest);
        sqlite_reader_digest(&reader, 3, replay.request_digest);
        status = sqlite_reader_end_row(&reader);
        if (status == IPSEC_OK)
            status = loader->replay(loader->context, &replay);
        if (status == IPSEC_OK)
            status = sqlite_reader_next(&reader, &found);
    }
    sqlite_reader_close(&reader);
    return status;
}
