/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sqlite_schema.c: databases of other programs and versions, and rows that can't have
 * been written by this one. */
#include "engine/store/sqlite_schema.h"

#include "tests/conformance/store_record.h"
#include "tests/unit/sqlite_fixture.h"

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
                   "schema version 99, this program knows versions up to 6");
    free(run_sql(fixture->path, "PRAGMA user_version = -1"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "impossible schema version -1");
}

static void
version_1_is_migrated_with_its_rows(void **state)
{
    struct fixture *fixture = *state;
    AUTO(buffer) text = BUFFER(10000);

    free(run_sql(fixture->path, sqlite_version_1));
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

    assert_sql(fixture->path, "PRAGMA user_version", "6");
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

    free(run_sql(other, sqlite_version_1));
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
        free(run_sql(path, sqlite_version_1));
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
        "ALTER TABLE marks DROP COLUMN plane;"
        "ALTER TABLE marks DROP COLUMN plane_instance;"
        "ALTER TABLE marks DROP COLUMN plane_netns;"
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

    free(run_sql(fixture->path, sqlite_version_1));
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

    free(run_sql(fixture->path, sqlite_version_1));
    free(run_sql(fixture->path, "UPDATE marks SET last_luid = -1"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "table marks, row 1: last_luid is out");
    free(run_sql(fixture->path, "DELETE FROM marks"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "table marks has no row");
    free(run_sql(fixture->path, "DROP TABLE marks"));
    assert_refused(fixture->path, IPSEC_RPC_INVALID_DATA, "no such table");
}

/* What version 6 added to the marks: no plane is remembered in those of version 5. */
static void
the_plane_of_a_migrated_file_is_none_until_it_is_written(void **state)
{
    static const char before[] = "ALTER TABLE marks DROP COLUMN plane;"
                                 "ALTER TABLE marks DROP COLUMN plane_instance;"
                                 "ALTER TABLE marks DROP COLUMN plane_netns;"
                                 "PRAGMA user_version = 5;";
    static const struct store_plane planes[] = {
        { .name = "xfrm", .instance = UINT32_MAX, .netns = "blue" },
        { .name = "xfrm", .instance = 3 },
        { .name = "" },
    };
    static const struct {
        const char *sql;
        const char *words;
    } cases[] = {
        { "plane = 'a name of 16 let'", "table marks, row 1: plane is too long" },
        { "plane_instance = -1", "row 1: plane_instance is out of range" },
        { "plane_instance = 4294967296", "row 1: plane_instance is out of range" },
        { "plane_netns = printf('%.*c', 256, 'n')", "row 1: plane_netns is too long" },
    };
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };
    struct store_plane found = { .instance = 1 };

    free(run_sql(fixture->path, sqlite_version_1));
    store_sqlite.close(open_store(fixture->path));
    free(run_sql(fixture->path, before));
    struct store *store = NULL;
    assert_int_equal(store_sqlite_peek.open(fixture->path, &fault, &store), IPSEC_OK);
    assert_int_equal(store_sqlite_peek.read_plane(store, &found, &fault), IPSEC_OK);
    assert_true(found.name[0] == '\0' && found.netns[0] == '\0' && found.instance == 0);
    store_sqlite_peek.close(store);
    assert_sql(fixture->path, "PRAGMA user_version", "5");

    for (size_t i = 0; i < sizeof planes / sizeof *planes; i++) {
        store = open_store(fixture->path);
        assert_int_equal(store_sqlite.write_plane(store, &planes[i], &fault), IPSEC_OK);
        store_sqlite.close(store);
        store = open_store(fixture->path);
        assert_int_equal(store_sqlite.read_plane(store, &found, &fault), IPSEC_OK);
        store_sqlite.close(store);
        assert_string_equal(found.name, planes[i].name);
        assert_string_equal(found.netns, planes[i].netns);
        assert_int_equal(found.instance, planes[i].instance);
    }
    assert_sql(fixture->path, "SELECT last_luid || ' ' || revision FROM marks", "7 3");

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[100];

        free(run_sql(fixture->path, "UPDATE marks SET plane = '', plane_instance = 0,"
                                    " plane_netns = ''"));
        (void)snprintf(sql, sizeof sql, "UPDATE marks SET %s", cases[i].sql);
        free(run_sql(fixture->path, sql));
        store = open_store(fixture->path);
        assert_int_equal(store_sqlite.read_plane(store, &found, &fault), IPSEC_RPC_INVALID_DATA);
        store_sqlite.close(store);
        if (strstr(fault.detail, cases[i].words) == NULL)
            fail_msg("'%s' does not say '%s'", fault.detail, cases[i].words);
    }
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(a_file_that_is_no_database_is_refused_and_kept),
        SQLITE_TEST(a_database_of_another_application_is_refused_and_kept),
        SQLITE_TEST(a_newer_schema_is_refused_with_both_versions),
        SQLITE_TEST(version_1_is_migrated_with_its_rows),
        SQLITE_TEST(a_new_file_has_the_same_schema_as_a_migrated_one),
        SQLITE_TEST(a_row_that_cannot_be_ends_the_load_with_its_name),
        SQLITE_TEST(identities_of_bundles_are_null_or_whole),
        SQLITE_TEST(marks_that_cannot_be_are_refused),
        SQLITE_TEST(the_plane_of_a_migrated_file_is_none_until_it_is_written),
        SQLITE_TEST(garbage_in_the_middle_is_reported),
        SQLITE_TEST(a_truncated_file_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
