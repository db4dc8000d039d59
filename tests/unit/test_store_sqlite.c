/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store_sqlite.c: files that the SQLite store must refuse, and say why; files of older
 * versions; what an operator finds in one. */
#include "engine/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "tests/conformance/store_record.h"
#include "tests/conformance/store_text.h"

/* A database as the first version left it. */
static const char version_1[] =
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
static char *
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

static void
assert_sql(const char *path, const char *sql, const char *expected)
{
    char *found = run_sql(path, sql);

    assert_string_equal(found, expected);
    free(found);
}

/* Names, sizes and times of change of all that begins as 'path' does, on the heap. */
static char *
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
static enum ipsec_status
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

static struct store *
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

static void
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

static void
assert_refused(const char *path, enum ipsec_status expected, const char *words)
{
    struct ipsec_fault fault = { 0 };
    enum ipsec_status status = peek(path, &fault);

    assert_string_equal(ipsec_status_name(status), ipsec_status_name(expected));
    if (strstr(fault.detail, words) == NULL)
        fail_msg("peek: '%s' does not say '%s'", fault.detail, words);
    assert_start_refused(path, expected, words);
}

static void
write_file(const char *path, const void *bytes, size_t size, off_t offset)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, offset), size);
    (void)close(fd);
}

static void
a_file_that_is_no_database_is_refused_and_kept(void **state)
{
    struct fixture *fixture = *state;
    char text[5000];
    char found[sizeof text];

    memset(text, 'x', sizeof text);
    write_file(fixture->path, text, sizeof text, 0);
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "not a database");
    int fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, found, sizeof found), sizeof found);
    (void)close(fd);
    assert_memory_equal(found, text, sizeof text);
}

static void
a_database_of_another_application_is_refused_and_kept(void **state)
{
    struct fixture *fixture = *state;

    free(run_sql(fixture->path, "CREATE TABLE t (x); INSERT INTO t VALUES ('theirs')"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "another application");
    assert_sql(fixture->path, "SELECT x FROM t", "theirs");
    assert_sql(fixture->path, "PRAGMA journal_mode", "delete");
}

static void
a_newer_schema_is_refused_with_both_versions(void **state)
{
    struct fixture *fixture = *state;

    store_sqlite.close(open_store(fixture->path));
    free(run_sql(fixture->path, "PRAGMA user_version = 99"));
    assert_refused(fixture->path, IPSEC_RPC_VERSION_MISMATCH,
                   "schema version 99, this program knows versions up to 5");
    free(run_sql(fixture->path, "PRAGMA user_version = -1"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "impossible schema version -1");
}

static void
version_1_is_migrated_with_its_rows(void **state)
{
    struct fixture *fixture = *state;
    AUTO(buffer) text = BUFFER(10000);

    free(run_sql(fixture->path, version_1));
    struct store *store = open_store(fixture->path);
    assert_int_equal(store_text_render(&store_sqlite, store, &text), IPSEC_OK);
    store_sqlite.close(store);
    const char *all = buffer_text(&text);
    assert_non_null(strstr(all, "principal 1 \"uri:spiffe://example.org/a\"\n"));
    assert_non_null(strstr(all, "filter 5 effective 255 at 1700000000123 "));
    assert_non_null(strstr(all, " condition 4 0 0 443 "));
    assert_non_null(strstr(all, "context 7 filter 5 policy 0 ports 0 443 protocol 6 version 0 "
                                "type 0 inbound 0 at 1700000000456 revision 3 by 1 spi 3735928559 "
                                "state 0 c0000201"));
    assert_non_null(strstr(all, "answer 1 \"{}\"\nmarks 7 3 1\n"));

    assert_sql(fixture->path, "PRAGMA user_version", "5");
    assert_sql(fixture->path,
               "SELECT concat FROM (SELECT id || ' ' || state || ' ' || spi || ' ' || created_at ||"
               " ' ' || created_by AS concat FROM sa_context_text)",
               "7 created 0xdeadbeef 2023-11-14T22:13:20.456Z uri:spiffe://example.org/a");
    assert_sql(fixture->path, "SELECT conditions FROM filter_text",
               "ipLocalAddress equal 192.0.2.1/32, ipRemotePort equal 443");
}

static void
a_new_file_has_the_same_schema_as_a_migrated_one(void **state)
{
    struct fixture *fixture = *state;
    static const char query[] = "SELECT group_concat(name || ':' || type, ' ') FROM"
                                " (SELECT name, type FROM sqlite_schema ORDER BY name)";
    char *other = store_text_join(fixture->directory, "other");

    free(run_sql(other, version_1));
    store_sqlite.close(open_store(other));
    store_sqlite.close(open_store(fixture->path));
    char *migrated = run_sql(other, query);
    assert_sql(fixture->path, query, migrated);
    free(migrated);
    free(other);
}

static void
a_row_that_cannot_be_ends_the_load_with_its_name(void **state)
{
    static const struct {
        const char *sql;
        const char *words;
    } cases[] = {
        { "UPDATE sa_context SET state = 'lost'", "table sa_context, row 7: state is an unknown" },
        { "UPDATE sa_context SET local_address = '192.0.2'", "row 7: local_address is no address" },
        { "UPDATE sa_context SET remote_address = '::1'",
          "row 7: remote_address is of another IP" },
        { "UPDATE sa_context SET local_port = 65536", "row 7: local_port is out of range" },
        { "UPDATE sa_context SET ip_protocol = -1", "row 7: ip_protocol is out of range" },
        { "UPDATE sa_context SET spi = 4294967296", "row 7: spi is out of range" },
        { "UPDATE sa_context SET traffic_type = 'x' || char(0) || 'y'", "traffic_type is" },
        { "UPDATE sa_context SET id = 8", "table sa_context, row 8: id is out of range" },
        { "UPDATE sa_context SET id = -8", "table sa_context, row -8: id is out of range" },
        { "UPDATE filter SET filter_key = '6f1c2d3e'",
          "table filter, row 5: filter_key is no GUID" },
        { "UPDATE filter SET weight = '12'", "row 5: weight is no 64-bit number" },
        { "UPDATE filter SET layer = ''", "row 5: layer is an unknown name" },
        { "UPDATE filter SET id = 8", "table filter, row 8: id is out of range" },
        { "UPDATE filter SET id = 6", "table filter_condition, row 5: filter_id names nothing" },
        { "UPDATE filter SET id = 4", "table filter_condition, row 5: filter_id names nothing" },
        { "UPDATE filter_condition SET value = '192.0.2.1/24' WHERE position = 0",
          "table filter_condition, row 5: value does not suit" },
        { "UPDATE filter_condition SET value = '::1/128' WHERE position = 0", "value does not" },
        { "UPDATE filter_condition SET value = '192.0.2.1/33' WHERE position = 0", "value does" },
        { "UPDATE filter_condition SET value = '65536' WHERE position = 1", "value does not suit" },
        { "UPDATE filter_condition SET value = '' WHERE position = 1", "value does not suit" },
        { "UPDATE filter_condition SET position = 3 WHERE position = 1", "position is out of" },
        { "UPDATE principal SET id = 4294967296", "table principal, row 4294967296: id is out" },
        { "UPDATE replay SET key_digest = x'00'", "table replay, row 1: key_digest is no digest" },
        { "UPDATE replay SET number = 2", "table replay, row 2: number is out of range" },
        { "DROP TABLE replay; CREATE TABLE replay (number INTEGER PRIMARY KEY, created_at_ms,"
          " key_digest, request_digest, answer); INSERT INTO replay VALUES (1, 'x', 1, 2, 3)",
          "row 1: created_at_ms is no integer" },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[32];
        struct ipsec_fault fault = { 0 };
        struct store_marks marks;
        (void)snprintf(name, sizeof name, "db%zu", i);
        char *path = store_text_join(fixture->directory, name);
        free(run_sql(path, version_1));
        free(run_sql(path, cases[i].sql));
        struct store *store = open_store(path);
        assert_int_equal(store_sqlite.load(store, store_text_silent_loader(), &marks, &fault),
                         IPSEC_RPC_INVALID_DATA);
        if (strstr(fault.detail, cases[i].words) == NULL)
            fail_msg("'%s' does not say '%s'", fault.detail, cases[i].words);
        store_sqlite.close(store);
        free(path);
    }
}

/* What version 5 added to bundles: null in those of version 4. */
static void
identities_of_bundles_are_null_or_whole(void **state)
{
    static const char bundle[] =
        "UPDATE sa_context SET state = 'inbound';"
        "INSERT INTO sa_bundle (context_id, direction, flags, lifetime_seconds,"
        " lifetime_kilobytes, lifetime_packets, idle_timeout_seconds,"
        " nd_allow_clear_timeout_seconds, nap_context, qm_sa_id, mm_sa_id, qm_filter_id,"
        " udp_local_port, udp_remote_port, pfs_group, added_at_ms, expires_at_ms, sa1_spi,"
        " sa1_type, sa1_auth, sa1_cipher, sa1_auth_key_length, sa1_cipher_key_length) VALUES (7,"
        " 'inbound', 0, 0, 0, 0, 0, 0, 0, 0, '0x0000000000000000', '0x0000000000000000', 0, 0,"
        " 'none', 1700000000456, 0, 3735928559, 'espAuthAndCipher', 'GCM_AES_128', 'GCM_AES_128',"
        " 0, 20);"
        "ALTER TABLE sa_bundle DROP COLUMN mm_target_name;"
        "ALTER TABLE sa_bundle DROP COLUMN em_target_name;"
        "ALTER TABLE sa_bundle DROP COLUMN explicit_credentials;"
        "ALTER TABLE sa_bundle DROP COLUMN tokens;"
        "PRAGMA user_version = 4;";
    static const struct {
        const char *sql;
        const char *words; /* null: it is read */
    } cases[] = {
        { "mm_target_name = 'b', em_target_name = '', explicit_credentials = '0x0000000000000007',"
          " tokens = 'machine peer main 0x000000000000002a'",
          NULL },
        { "tokens = 'machine peer 0x000000000000002a'", "tokens are no tokens" },
        { "tokens = NULL", "tokens is" },
        { "tokens = ''", NULL },
        { "explicit_credentials = '7'", "explicit_credentials is no 64-bit number" },
        { "explicit_credentials = '0x0000000000000007', em_target_name ="
          " printf('%.*c', 256, 'e')",
          "em_target_name is too long" },
    };
    struct fixture *fixture = *state;
    AUTO(buffer) text = BUFFER(10000);

    free(run_sql(fixture->path, version_1));
    store_sqlite.close(open_store(fixture->path));
    free(run_sql(fixture->path, bundle));
    struct store *store = open_store(fixture->path);
    assert_int_equal(store_text_render(&store_sqlite, store, &text), IPSEC_OK);
    store_sqlite.close(store);
    assert_non_null(strstr(buffer_text(&text), " inbound flags 0 "));
    assert_null(strstr(buffer_text(&text), " id \""));

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipsec_fault fault = { 0 };
        struct store_marks marks;
        char sql[300];

        (void)snprintf(sql, sizeof sql, "UPDATE sa_bundle SET %s", cases[i].sql);
        free(run_sql(fixture->path, sql));
        store = open_store(fixture->path);
        assert_int_equal(store_sqlite.load(store, store_text_silent_loader(), &marks, &fault),
                         cases[i].words == NULL ? IPSEC_OK : IPSEC_RPC_INVALID_DATA);
        if (cases[i].words != NULL && strstr(fault.detail, cases[i].words) == NULL)
            fail_msg("'%s' does not say '%s'", fault.detail, cases[i].words);
        store_sqlite.close(store);
    }
}

static void
marks_that_cannot_be_are_refused(void **state)
{
    struct fixture *fixture = *state;

    free(run_sql(fixture->path, version_1));
    free(run_sql(fixture->path, "UPDATE marks SET last_luid = -1"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "table marks, row 1: last_luid is out");
    free(run_sql(fixture->path, "DELETE FROM marks"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "table marks has no row");
    free(run_sql(fixture->path, "DROP TABLE marks"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "no such table");
}

static void
garbage_in_the_middle_is_reported(void **state)
{
    enum { COUNT = 5000 };
    struct fixture *fixture = *state;
    struct ipsec_sa_context *contexts = calloc(COUNT, sizeof *contexts);
    struct store_change *changes = calloc(COUNT, sizeof *changes);
    const struct store_marks marks = { .last_luid = COUNT, .revision = 1 };
    struct store_marks found;
    struct ipsec_fault fault = { 0 };
    struct stat size;
    char garbage[4096];

    for (uint64_t i = 0; i < COUNT; i++) {
        contexts[i] = store_record_context(i + 1);
        changes[i] = store_record_put_context(&contexts[i]);
    }
    struct store *store = open_store(fixture->path);
    assert_int_equal(store_sqlite.commit(store, changes, COUNT, &marks, &fault), IPSEC_OK);
    store_sqlite.close(store);
    memset(garbage, 0xa5, sizeof garbage);
    assert_int_equal(stat(fixture->path, &size), 0);
    write_file(fixture->path, garbage, sizeof garbage, size.st_size / 2 / 4096 * 4096);

    store = open_store(fixture->path);
    assert_int_equal(store_sqlite.load(store, store_text_silent_loader(), &found, &fault),
                     IPSEC_RPC_INVALID_DATA);
    assert_non_null(strstr(fault.detail, "malformed"));
    store_sqlite.close(store);
    free(contexts);
    free(changes);
}

static void
a_truncated_file_is_reported(void **state)
{
    struct fixture *fixture = *state;
    struct store_marks marks;
    struct ipsec_fault fault = { 0 };
    struct store *store = NULL;

    store_sqlite.close(open_store(fixture->path));
    assert_int_equal(truncate(fixture->path, 8192), 0);
    enum ipsec_status status = store_sqlite.open(fixture->path, &fault, &store);
    if (status == IPSEC_OK)
        status = store_sqlite.load(store, store_text_silent_loader(), &marks, &fault);
    assert_int_equal(status, IPSEC_RPC_INVALID_DATA);
    store_sqlite.close(store);
}

static void
a_second_opener_is_refused_by_process_and_path(void **state)
{
    struct fixture *fixture = *state;
    char words[64];
    int status = 0;

    struct store *store = open_store(fixture->path);
    (void)snprintf(words, sizeof words, "/db: process %ld has it open", (long)getpid());
    assert_refused(fixture->path, IPSEC_RPC_CALL_REJECTED, words);
    pid_t child = fork();
    if (child == 0) {
        struct ipsec_fault fault = { 0 };
        struct store *second = NULL;
        if (store_sqlite.open(fixture->path, &fault, &second) != IPSEC_RPC_CALL_REJECTED)
            _exit(1);
        (void)raise(SIGKILL); /* what it has from its parent is no leak to look for at an exit */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    store_sqlite.close(store);
    store_sqlite.close(open_store(fixture->path));
}

static enum ipsec_status
note_principal(void *context, const struct store_principal *principal)
{
    (void)snprintf(context, 32, "%s", principal->name);
    return IPSEC_OK;
}

/* Loads what peek sees; the last principal's name goes to 'name'. */
static enum ipsec_status
peek_and_load(const char *path, char name[32], struct ipsec_fault *fault)
{
    struct store_loader loader = *store_text_silent_loader();
    struct store *store = NULL;
    struct store_marks marks;
    char *before = list_files(path);
    enum ipsec_status status = store_sqlite_peek.open(path, fault, &store);

    name[0] = '\0';
    loader.principal = note_principal;
    loader.context = name;
    if (status == IPSEC_OK) {
        status = store_sqlite_peek.load(store, &loader, &marks, fault);
        assert_int_equal(store_sqlite_peek.commit(store, NULL, 0, &marks, NULL),
                         IPSEC_RPC_DISCONNECTED);
    }
    store_sqlite_peek.close(store);
    char *after = list_files(path);
    assert_string_equal(after, before);
    free(before);
    free(after);
    return status;
}

/* Who only looks sees what the start will, whatever was left there, and changes none of it. */
static void
a_look_reads_every_row_and_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };
    char *index = store_text_join(fixture->directory, "db-shm");
    char name[32];
    int status = 0;

    assert_int_equal(peek_and_load(fixture->path, name, &fault), IPSEC_OK);
    assert_string_equal(name, "");
    free(run_sql(fixture->path, version_1));
    assert_int_equal(peek_and_load(fixture->path, name, &fault), IPSEC_OK);
    assert_string_equal(name, "uri:spiffe://example.org/a");
    assert_sql(fixture->path, "PRAGMA user_version", "1");

    /* A crash leaves a log with what is in no file yet. */
    pid_t child = fork();
    if (child == 0) {
        struct store *store = open_store(fixture->path);
        const struct store_change put = store_record_put_principal(2, "of the log");
        const struct store_marks marks = { .last_luid = 8, .revision = 4, .last_replay_number = 1 };
        if (store_sqlite.commit(store, &put, 1, &marks, &fault) != IPSEC_OK)
            _exit(1);
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(peek_and_load(fixture->path, name, &fault), IPSEC_OK);
    assert_string_equal(name, "of the log");
    /* Without its index SQLite would have to make one. */
    assert_int_equal(unlink(index), 0);
    assert_int_equal(peek_and_load(fixture->path, name, &fault), IPSEC_OK);
    assert_string_equal(name, "");

    store_sqlite.close(open_store(fixture->path));
    assert_int_equal(peek_and_load(fixture->path, name, &fault), IPSEC_OK);
    assert_string_equal(name, "of the log");
    free(run_sql(fixture->path, "UPDATE sa_context SET state = 'sleeping'"));
    assert_int_equal(peek_and_load(fixture->path, name, &fault), IPSEC_RPC_INVALID_DATA);
    if (strstr(fault.detail, "table sa_context, row 7") == NULL)
        fail_msg("%s: %s", ipsec_status_name(fault.status), fault.detail);
    free(index);
}

static void
a_writing_shell_delays_the_start_and_then_refuses_it(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *shell = NULL;

    store_sqlite.close(open_store(fixture->path));
    assert_int_equal(sqlite3_open(fixture->path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_start_refused(fixture->path, IPSEC_RPC_CALL_REJECTED, "database is locked");
    assert_int_equal(sqlite3_close(shell), SQLITE_OK);
    store_sqlite.close(open_store(fixture->path));
}

static void
a_shell_reads_while_the_store_writes(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context context = store_record_context(7);
    const struct store_change change = store_record_put_context(&context);
    const struct store_marks marks = { .last_luid = 7, .revision = 1 };
    struct ipsec_fault fault = { 0 };
    sqlite3 *shell = NULL;

    struct store *store = open_store(fixture->path);
    assert_int_equal(sqlite3_open(fixture->path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "BEGIN; SELECT * FROM sa_context", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(store_sqlite.commit(store, &change, 1, &marks, &fault), IPSEC_OK);
    assert_int_equal(sqlite3_close(shell), SQLITE_OK);
    assert_sql(fixture->path, "SELECT count(*) FROM sa_context", "1");
    store_sqlite.close(store);
}

static void
a_bad_path_is_refused_with_the_reason(void **state)
{
    struct fixture *fixture = *state;
    char *missing = store_text_join(fixture->directory, "missing/db");
    char *below_file = store_text_join(fixture->directory, "file/db");
    char *file = store_text_join(fixture->directory, "file");
    char *symbolic = store_text_join(fixture->directory, "link");
    char *slash = store_text_join(fixture->directory, "");
    char *fifo = store_text_join(fixture->directory, "fifo");
    char *directory = store_text_join(fixture->directory, "directory");
    char name[600];

    write_file(file, "", 0, 0);
    assert_int_equal(symlink(file, symbolic), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(mkdir(directory, 0700), 0);
    memset(name, 'n', sizeof name);
    name[240] = '\0';
    char *long_name = store_text_join(fixture->directory, name);
    assert_refused(missing, IPSEC_RPC_ACCESS_DENIED, "its directory does not exist");
    assert_refused(below_file, IPSEC_RPC_ACCESS_DENIED, "Not a directory");
    assert_refused(symbolic, IPSEC_RPC_ACCESS_DENIED, "symbolic link");
    assert_refused(slash, IPSEC_RPC_ACCESS_DENIED, "is a directory");
    assert_refused(directory, IPSEC_RPC_ACCESS_DENIED, "directory");
    assert_refused(fifo, IPSEC_RPC_ACCESS_DENIED, "not a regular file");
    store_sqlite.close(open_store(long_name));
    free(missing);
    free(below_file);
    free(file);
    free(symbolic);
    free(slash);
    free(fifo);
    free(directory);
    free(long_name);
}

static void
odd_names_are_only_names(void **state)
{
    static const char *const names[] = { ":memory:", "file:x?mode=memory", "a b%20c#?'\".db",
                                         "\xc3\xa4\xff", "-wal" };
    struct fixture *fixture = *state;
    char *before = getcwd(NULL, 0);

    assert_int_equal(chdir(fixture->directory), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat found;
        struct store *store = open_store(names[i]);
        assert_int_equal(chdir("/"), 0);
        assert_int_equal(store_sqlite.probe(store, NULL), IPSEC_OK);
        assert_int_equal(chdir(fixture->directory), 0);
        store_sqlite.close(store);
        assert_int_equal(stat(names[i], &found), 0);
        assert_true(found.st_size > 0);
        assert_int_equal(found.st_mode & 07777, 0600);
    }
    assert_int_equal(chdir(before), 0);
    free(before);
}

/* As root nothing is read-only: the test goes on as nobody. */
static void
what_may_not_be_written_is_refused_at_the_start(void **state)
{
    struct fixture *fixture = *state;
    char *lock = store_text_join(fixture->directory, "db.lock");
    const uid_t nobody = 65534;
    bool is_root = geteuid() == 0;

    store_sqlite.close(open_store(fixture->path));
    if (is_root) {
        assert_int_equal(chown(fixture->directory, nobody, nobody), 0);
        assert_int_equal(chown(fixture->path, nobody, nobody), 0);
        assert_int_equal(chown(lock, nobody, nobody), 0);
        assert_int_equal(seteuid(nobody), 0);
    }
    assert_int_equal(chmod(fixture->path, 0400), 0);
    assert_refused(fixture->path, IPSEC_RPC_ACCESS_DENIED, "the file for reading and writing");
    assert_int_equal(chmod(fixture->path, 0600), 0);
    assert_int_equal(chmod(fixture->directory, 0500), 0);
    assert_refused(fixture->path, IPSEC_RPC_ACCESS_DENIED, "/db: cannot ");
    assert_int_equal(unlink(lock) == 0 ? 0 : errno, EACCES);
    assert_int_equal(chmod(fixture->directory, 0700), 0);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(chmod(fixture->directory, 0500), 0);
    assert_refused(fixture->path, IPSEC_RPC_ACCESS_DENIED, "its lock file (.lock) for reading");
    assert_int_equal(chmod(fixture->directory, 0700), 0);
    store_sqlite.close(open_store(fixture->path));
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    free(lock);
}

static void
a_file_that_went_away_takes_no_more_commits(void **state)
{
    struct fixture *fixture = *state;
    static const char *const endings[] = { "", "-wal", ".lock" };
    const struct store_marks marks = { .last_luid = 1, .revision = 1 };

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct ipsec_fault fault = { 0 };
        char *path = NULL;
        struct store *store = open_store(fixture->path);
        assert_true(asprintf(&path, "%s%s", fixture->path, endings[i]) > 0);
        char *away = store_text_join(fixture->directory, "away");
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(store_sqlite.commit(store, NULL, 0, &marks, &fault),
                         IPSEC_RPC_DISCONNECTED);
        assert_non_null(strstr(fault.detail, "was moved, replaced or deleted"));
        assert_int_equal(store_sqlite.probe(store, &fault), IPSEC_RPC_DISCONNECTED);
        assert_int_equal(rename(away, path), 0);
        assert_int_equal(store_sqlite.probe(store, &fault), IPSEC_OK);
        assert_int_equal(store_sqlite.commit(store, NULL, 0, &marks, &fault), IPSEC_OK);
        store_sqlite.close(store);
        free(path);
        free(away);
    }
}

/* Whoever removes the lock file lets a second process in: the first must notice, whether the lock
 * came back or not. */
static void
what_another_process_wrote_is_not_written_over(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_sa_context contexts[] = { store_record_context(7), store_record_context(7) };
    const struct store_change first = store_record_put_context(&contexts[0]);
    const struct store_change second = store_record_put_context(&contexts[1]);
    const struct store_marks marks = { .last_luid = 7, .revision = 1 };
    struct ipsec_fault fault = { 0 };
    char *lock = store_text_join(fixture->directory, "db.lock");
    char *away = store_text_join(fixture->directory, "away");

    contexts[0].spi = 1;
    contexts[1].spi = 2;
    struct store *store = open_store(fixture->path);
    assert_int_equal(rename(lock, away), 0);
    struct store *other = open_store(fixture->path);
    assert_int_equal(store_sqlite.commit(other, &second, 1, &marks, &fault), IPSEC_OK);
    assert_int_equal(store_sqlite.commit(store, &first, 1, &marks, &fault), IPSEC_RPC_DISCONNECTED);
    assert_non_null(strstr(fault.detail, "its lock file (.lock) was moved"));

    assert_int_equal(rename(away, lock), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_sqlite.commit(store, &first, 1, &marks, &fault),
                         IPSEC_RPC_INVALID_DATA);
        assert_non_null(strstr(fault.detail, "another process wrote it"));
        assert_int_equal(store_sqlite.probe(store, &fault), IPSEC_RPC_INVALID_DATA);
    }
    store_sqlite.close(store);
    store_sqlite.close(other);
    assert_sql(fixture->path, "SELECT spi FROM sa_context", "2");
    assert_sql(fixture->path, "SELECT revision FROM marks", "1");
    free(lock);
    free(away);
}

static void
a_probe_finds_that_another_process_wrote(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };

    struct store *store = open_store(fixture->path);
    free(run_sql(fixture->path, "UPDATE marks SET revision = 5"));
    assert_int_equal(store_sqlite.probe(store, &fault), IPSEC_RPC_INVALID_DATA);
    assert_non_null(strstr(fault.detail, "another process wrote it"));
    store_sqlite.close(store);
    assert_sql(fixture->path, "SELECT probes FROM marks", "1");
}

static void
a_uri_names_backend_and_path(void **state)
{
    static const char *const refused[] = { "",        "sqlite",      "sqlite:",  "memory",
                                           "sql:/db", "memory:path", "SQLITE:x", "/var/lib/db" };
    const char *path = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_null(store_find(refused[i], &path));
    assert_ptr_equal(store_find("memory:", &path), &store_memory);
    assert_string_equal(path, "");
    assert_ptr_equal(store_find("sqlite:/var/lib/x:y.db", &path), &store_sqlite);
    assert_string_equal(path, "/var/lib/x:y.db");
}

static int
set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    fixture->directory = store_text_make_directory();
    fixture->path = store_text_join(fixture->directory, "db");
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;

    store_text_remove_directory(fixture->directory);
    free(fixture->path);
    free(fixture);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_that_is_no_database_is_refused_and_kept),
        CASE(a_database_of_another_application_is_refused_and_kept),
        CASE(a_newer_schema_is_refused_with_both_versions),
        CASE(a_look_reads_every_row_and_leaves_no_trace),
        CASE(version_1_is_migrated_with_its_rows),
        CASE(a_new_file_has_the_same_schema_as_a_migrated_one),
        CASE(a_row_that_cannot_be_ends_the_load_with_its_name),
        CASE(identities_of_bundles_are_null_or_whole),
        CASE(marks_that_cannot_be_are_refused),
        CASE(garbage_in_the_middle_is_reported),
        CASE(a_truncated_file_is_reported),
        CASE(a_second_opener_is_refused_by_process_and_path),
        CASE(a_writing_shell_delays_the_start_and_then_refuses_it),
        CASE(a_shell_reads_while_the_store_writes),
        CASE(a_bad_path_is_refused_with_the_reason),
        CASE(odd_names_are_only_names),
        CASE(what_may_not_be_written_is_refused_at_the_start),
        CASE(a_file_that_went_away_takes_no_more_commits),
        CASE(what_another_process_wrote_is_not_written_over),
        CASE(a_probe_finds_that_another_process_wrote),
        cmocka_unit_test(a_uri_names_backend_and_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
