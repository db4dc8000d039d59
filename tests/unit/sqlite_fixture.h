/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_fixture.h: a folder for a database of the SQLite store, and what is to be found in it. */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "engine/store/store.h"
#include "tests/conformance/store_text.h"

/* A database as the first version left it. */
static const char sqlite_version_1[] =
    "PRAGMA journal_mode = WAL;"
    "PRAGMA application_id = 0x73614378; PRAGMA user_version = 1;"
    "CREATE TABLE marks (id INTEGER PRIMARY KEY CHECK (id = 1), last_luid INTEGER NOT NULL,"
    "  revision INTEGER NOT NULL, last_replay_number INTEGER NOT NULL, probes INTEGER NOT NULL)"
    "  STRICT;"
    "INSERT INTO marks VALUES (1, 7, 3, 1, 0);"
    "CREATE TABLE principal (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"
    "INSERT INTO principal VALUES (1, 'uri:spiffe://example.org/a');"
    "CREATE TABLE filter (id INTEGER PRIMARY KEY, filter_key TEXT NOT NULL, name TEXT NOT NULL,"
    "  description TEXT, layer TEXT NOT NULL, action TEXT NOT NULL, callout TEXT NOT NULL,"
    "  weight_type TEXT NOT NULL, weight TEXT NOT NULL, effective_weight TEXT NOT NULL,"
    "  created_at_ms INTEGER NOT NULL, created_by INTEGER NOT NULL, revision INTEGER NOT NULL)"
    "  STRICT;"
    "INSERT INTO filter VALUES (5, '6f1c2d3e-0123-4567-89ab-0123456789ab', 'db out', NULL,"
    "  'outboundTransportV4', 'calloutTerminating', 'ipsecOutboundTransportV4', 'automatic',"
    "  '0x0000000000000000', '0x00000000000000ff', 1700000000123, 1, 2);"
    "CREATE TABLE filter_condition (filter_id INTEGER NOT NULL, position INTEGER NOT NULL,"
    "  field TEXT NOT NULL, match_type TEXT NOT NULL, value TEXT NOT NULL,"
    "  PRIMARY KEY (filter_id, position)) STRICT, WITHOUT ROWID;"
    "INSERT INTO filter_condition VALUES (5, 0, 'ipLocalAddress', 'equal', '192.0.2.1/32');"
    "INSERT INTO filter_condition VALUES (5, 1, 'ipRemotePort', 'equal', '443');"
    "CREATE TABLE sa_context (id INTEGER PRIMARY KEY, state TEXT NOT NULL, traffic_type TEXT NOT"
    "  NULL, local_address TEXT NOT NULL, remote_address TEXT NOT NULL, local_port INTEGER NOT"
    "  NULL, remote_port INTEGER NOT NULL, ip_protocol INTEGER NOT NULL, ipsec_filter_id INTEGER"
    "  NOT NULL, tunnel_policy_id INTEGER NOT NULL, inbound_filter_id INTEGER NOT NULL, spi INTEGER"
    "  NOT NULL, created_at_ms INTEGER NOT NULL, created_by INTEGER NOT NULL, revision INTEGER NOT"
    "  NULL) STRICT;"
    "INSERT INTO sa_context VALUES (7, 'created', 'transport', '192.0.2.1', '198.51.100.7', 0, 443,"
    "  6, 5, 0, 0, 3735928559, 1700000000456, 1, 3);"
    "CREATE TABLE replay (number INTEGER PRIMARY KEY, created_at_ms INTEGER NOT NULL, key_digest"
    "  BLOB NOT NULL, request_digest BLOB NOT NULL, answer BLOB NOT NULL) STRICT;"
    "INSERT INTO replay VALUES (1, 1700000000456, zeroblob(32), zeroblob(32), x'7b7d');";

struct fixture {
    char *directory;
    char *path;
};

/* What the first row of 'sql' gives, as text on the heap; null when there is none. */
static inline char *
run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *text = NULL;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
                     SQLITE_OK);
    while (*sql != '\0') {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(db, sql, -1, &statement, &sql) != SQLITE_OK)
            fail_msg("%s", sqlite3_errmsg(db));
        if (statement != NULL && sqlite3_step(statement) == SQLITE_ROW && text == NULL &&
            sqlite3_column_text(statement, 0) != NULL)
            text = strdup((const char *)sqlite3_column_text(statement, 0));
        if (sqlite3_finalize(statement) != SQLITE_OK)
            fail_msg("%s", sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return text;
}

static inline void
assert_sql(const char *path, const char *sql, const char *expected)
{
    char *found = run_sql(path, sql);

    assert_string_equal(found, expected);
    free(found);
}

/* Names, sizes and times of change of all that begins as 'path' does, on the heap. */
static inline char *
list_files(const char *path)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-journal", ".lock" };
    char *list = strdup("");

    for (size_t i = 0; i < sizeof endings / sizeof(const char *); i++) {
        struct stat properties;
        char *name = NULL;
        char *longer = NULL;

        assert_true(asprintf(&name, "%s%s", path, endings[i]) > 0);
        if (lstat(name, &properties) == 0) {
            assert_true(asprintf(&longer, "%s%s %lld %lld.%09ld\n", list, endings[i],
                                 (long long)properties.st_size,
                                 (long long)properties.st_mtim.tv_sec,
                                 properties.st_mtim.tv_nsec) > 0);
            free(list);
            list = longer;
        }
        free(name);
    }
    return list;
}

/* What peek says must be what open says, and it must leave no trace. */
static inline enum ipsec_status
peek(const char *path, struct ipsec_fault *fault)
{
    struct store *store = NULL;
    char *before = list_files(path);
    enum ipsec_status status = store_sqlite_peek.open(path, fault, &store);
    char *after = list_files(path);

    assert_int_equal(status == IPSEC_OK, store != NULL);
    store_sqlite_peek.close(store);
    assert_string_equal(after, before);
    free(after);
    after = list_files(path);
    assert_string_equal(after, before);
    free(before);
    free(after);
    return status;
}

static inline struct store *
open_store(const char *path)
{
    struct ipsec_fault fault = { 0 };
    enum ipsec_status peeked = peek(path, &fault);

    if (peeked != IPSEC_OK)
        fail_msg("peek: %s: %s", ipsec_status_name(peeked), fault.detail);
    struct store *store = NULL;
    enum ipsec_status status = store_sqlite.open(path, &fault, &store);

    if (status != IPSEC_OK)
        fail_msg("%s: %s", ipsec_status_name(status), fault.detail);
    return store;
}

static inline void
assert_start_refused(const char *path, enum ipsec_status expected, const char *words)
{
    struct ipsec_fault fault = { 0 };
    struct store *store = NULL;
    enum ipsec_status status = store_sqlite.open(path, &fault, &store);

    if (status == IPSEC_OK)
        fail_msg("opened, expected %s", words);
    assert_null(store);
    assert_string_equal(ipsec_status_name(status), ipsec_status_name(expected));
    if (strstr(fault.detail, words) == NULL)
        fail_msg("'%s' does not say '%s'", fault.detail, words);
}

static inline void
assert_refused(const char *path, enum ipsec_status expected, const char *words)
{
    struct ipsec_fault fault = { 0 };
    enum ipsec_status status = peek(path, &fault);

    assert_string_equal(ipsec_status_name(status), ipsec_status_name(expected));
    if (strstr(fault.detail, words) == NULL)
        fail_msg("peek: '%s' does not say '%s'", fault.detail, words);
    assert_start_refused(path, expected, words);
}

static inline void
write_file(const char *path, const void *bytes, size_t size, off_t offset)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, offset), size);
    (void)close(fd);
}

static inline int
sqlite_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    fixture->directory = store_text_make_directory();
    fixture->path = store_text_join(fixture->directory, "db");
    *state = fixture;
    return 0;
}

static inline int
sqlite_teardown(void **state)
{
    struct fixture *fixture = *state;

    store_text_remove_directory(fixture->directory);
    free(fixture->path);
    free(fixture);
    return 0;
}

#define SQLITE_TEST(name) cmocka_unit_test_setup_teardown(name, sqlite_setup, sqlite_teardown)
