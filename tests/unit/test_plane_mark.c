/* SPDX-License-Identifier: Apache-2.0
 *
 * test_plane_mark.c: which data plane may have objects of a store, and who may come after it. */
#include "engine/plane_mark.h"

#include "engine/engine_internal.h"
#include "tests/unit/fake_plane.h"
#include "tests/unit/sqlite_fixture.h"

static const char mark_of_file[] =
    "SELECT plane || ' ' || plane_instance || ' ' || plane_netns FROM marks";

/* The plane of these tests: what it is, and what it sees of the store when it starts. */
static struct {
    struct plane_identity identity;
    const char *store_path;
    char *seen; /* the mark when start() was called; null: it was not */
    enum ipsec_status start_status;
    enum ipsec_status flush_status;
} own;

static enum ipsec_status
identify(const char *argument, struct ipsec_fault *fault, struct plane_identity *identity_out)
{
    (void)argument;
    (void)fault;
    *identity_out = own.identity;
    return IPSEC_OK;
}

static enum ipsec_status
start(struct plane *plane, struct ipsec_fault *fault)
{
    (void)plane;
    free(own.seen);
    own.seen = run_sql(own.store_path, mark_of_file);
    return own.start_status == IPSEC_OK
               ? IPSEC_OK
               : ipsec_fault_set(fault, own.start_status, IPSEC_FAULT_SERVICE, "plane", "told to");
}

static enum ipsec_status
flush(struct plane *plane)
{
    (void)plane;
    return own.flush_status;
}

static enum ipsec_status
open_engine(struct fixture *fixture, const char *netns, bool flushes, struct ipsec_fault *fault)
{
    const struct ipsec_engine_options options = {
        .queue_depth = 4,
        .max_batch = 4,
        .max_replay_records = 10,
        .kept_events = 16,
        .probe_interval_ms = 1000,
        .plane_netns = netns,
        .flush_on_close = flushes,
    };
    struct plane_ops ops = fake_plane;
    struct ipsec_engine *engine = NULL;

    ops.identify = identify;
    ops.start = start;
    ops.flush = flush;
    own.store_path = fixture->path;
    free(own.seen);
    own.seen = NULL;
    enum ipsec_status status =
        ipsec_engine_open_on(&options, &store_sqlite, fixture->path, &ops, fault, &engine);
    ipsec_engine_close(engine);
    return status;
}

static void
the_store_knows_the_plane_before_its_first_object(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };

    own.identity = (struct plane_identity){ .instance = 3 };
    assert_int_equal(open_engine(fixture, "blue", false, &fault), IPSEC_OK);
    assert_string_equal(own.seen, "fake 3 blue");
    assert_sql(fixture->path, mark_of_file, "fake 3 blue");
    /* A start that got no further may have made some. */
    own.start_status = IPSEC_RPC_DISCONNECTED;
    own.identity.instance = 4;
    free(run_sql(fixture->path, "UPDATE marks SET plane = ''"));
    assert_int_equal(open_engine(fixture, NULL, true, &fault), IPSEC_RPC_DISCONNECTED);
    assert_sql(fixture->path, mark_of_file, "fake 4 ");
    own.start_status = IPSEC_OK;
}

static void
another_instance_is_refused_and_starts_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };

    own.identity = (struct plane_identity){ .instance = 0 };
    assert_int_equal(open_engine(fixture, "", false, &fault), IPSEC_OK);
    own.identity.instance = 1;
    assert_int_equal(open_engine(fixture, "", true, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "plane-instance");
    assert_string_equal(fault.detail,
                        "put plane-instance back, or clear the kernel with --flush: it may have "
                        "SAs and policies of this store under fake, instance 0, which fake, "
                        "instance 1 would leave behind");
    assert_null(own.seen);
    assert_sql(fixture->path, mark_of_file, "fake 0 ");
    own.identity.instance = 0;
    assert_int_equal(open_engine(fixture, "blue", true, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "netns");
    assert_int_equal(open_engine(fixture, NULL, false, &fault), IPSEC_OK);
    assert_string_equal(own.seen, "fake 0 ");
}

static void
only_a_flush_that_left_nothing_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };

    own.identity = (struct plane_identity){ .instance = 7 };
    own.flush_status = IPSEC_RPC_TIMEOUT;
    assert_int_equal(open_engine(fixture, NULL, true, &fault), IPSEC_OK);
    assert_sql(fixture->path, mark_of_file, "fake 7 ");
    own.flush_status = IPSEC_OK;
    assert_int_equal(open_engine(fixture, NULL, true, &fault), IPSEC_OK);
    assert_sql(fixture->path, mark_of_file, " 0 ");
    own.identity.instance = 8;
    assert_int_equal(open_engine(fixture, NULL, false, &fault), IPSEC_OK);
    assert_sql(fixture->path, mark_of_file, "fake 8 ");
}

static void
a_plane_that_leaves_nothing_is_refused_too_and_says_nothing_of_itself(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };
    struct ipsec_engine *engine = NULL;
    char uri[300];
    const struct ipsec_engine_options options = {
        .store_uri = uri,
        .queue_depth = 4,
        .max_batch = 4,
        .max_replay_records = 10,
        .kept_events = 16,
        .plane_uri = "none",
        .flush_on_close = true,
    };

    (void)snprintf(uri, sizeof uri, "sqlite:%s", fixture->path);
    assert_int_equal(ipsec_engine_open(&options, &fault, &engine), IPSEC_OK);
    ipsec_engine_close(engine);
    assert_sql(fixture->path, mark_of_file, " 0 ");
    free(run_sql(fixture->path, "UPDATE marks SET plane = 'xfrm', plane_instance = 4294967295"));
    char *before = list_files(fixture->path);
    assert_int_equal(ipsec_engine_check_store(&options, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "plane");
    char *after = list_files(fixture->path);
    assert_string_equal(after, before);
    free(before);
    free(after);
    fault = (struct ipsec_fault){ 0 };
    assert_int_equal(ipsec_engine_open(&options, &fault, &engine), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "plane");
    assert_non_null(strstr(fault.detail, "put plane back"));
    assert_non_null(strstr(fault.detail, "under xfrm, instance 4294967295, which none would"));
    assert_sql(fixture->path, mark_of_file, "xfrm 4294967295 ");
    /* The same one is no reason to refuse. */
    struct ipsec_engine_options same = options;
    same.plane_uri = "xfrm:instance=4294967295";
    assert_int_equal(ipsec_engine_check_store(&same, &fault), IPSEC_OK);
    same.plane_uri = "xfrm:instance=4294967294";
    assert_int_equal(ipsec_engine_check_store(&same, &fault), IPSEC_INVALID_PARAMETER);
    same.plane_uri = "nonsense";
    assert_int_equal(ipsec_engine_check_store(&same, &fault), IPSEC_OK);
}

static void
what_the_store_can_not_write_is_not_started(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };
    struct store_ops ops = store_sqlite;
    const struct store_plane mark = { .name = "fake", .instance = 1 };

    struct store *store = open_store(fixture->path);
    free(run_sql(fixture->path, "UPDATE marks SET revision = 5"));
    assert_int_equal(plane_mark_put(&ops, store, &mark, &fault), IPSEC_RPC_INVALID_DATA);
    assert_int_equal(plane_mark_forget(&ops, store, &fault), IPSEC_RPC_INVALID_DATA);
    assert_int_equal(store_sqlite.write_plane(store, &mark, &fault), IPSEC_RPC_INVALID_DATA);
    store_sqlite.close(store);
    assert_sql(fixture->path, mark_of_file, " 0 ");
}

static void
a_store_that_ends_with_the_process_remembers_nothing(void **state)
{
    const struct store_plane mark = { .name = "fake", .instance = 1 };
    struct store_plane found = { .name = "x" };
    struct ipsec_fault fault = { 0 };
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_memory.open("", &fault, &store), IPSEC_OK);
    assert_int_equal(plane_mark_put(&store_memory, store, &mark, &fault), IPSEC_OK);
    assert_int_equal(plane_mark_read(&store_memory, store, &fault, &found), IPSEC_OK);
    assert_string_equal(found.name, "");
    assert_int_equal(plane_mark_forget(&store_memory, store, &fault), IPSEC_OK);
    store_memory.close(store);
}

static void
a_flush_without_an_engine_keeps_to_what_is_remembered(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_fault fault = { 0 };
    char uri[300];
    struct ipsec_engine_options options = { .store_uri = uri, .plane_uri = "none" };

    (void)snprintf(uri, sizeof uri, "sqlite:%s", fixture->path);
    /* A store that is not there is not this service's, and none is made. */
    assert_int_equal(ipsec_engine_flush_plane(&options, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "store");
    char *files = list_files(fixture->path);
    assert_string_equal(files, "");
    free(files);

    struct store *store = open_store(fixture->path);
    assert_int_equal(ipsec_engine_flush_plane(&options, &fault), IPSEC_RPC_CALL_REJECTED);
    assert_string_equal(fault.pointer, "store");
    store_sqlite.close(store);
    static const struct {
        const char *sql;
        const char *netns;
        enum ipsec_status expected;
        const char *pointer;
    } cases[] = {
        { "plane = 'ebpf'", NULL, IPSEC_RPC_INVALID_DATA, "store" },
        { "plane = 'none'", NULL, IPSEC_RPC_INVALID_DATA, "store" },
        { "plane = 'xfrm', plane_netns = 'blue'", NULL, IPSEC_INVALID_PARAMETER, "netns" },
        { "plane = 'xfrm', plane_netns = 'blue'", "red", IPSEC_INVALID_PARAMETER, "netns" },
        { "plane = 'xfrm', plane_netns = ''", "red", IPSEC_INVALID_PARAMETER, "netns" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[100];

        (void)snprintf(sql, sizeof sql, "UPDATE marks SET %s", cases[i].sql);
        free(run_sql(fixture->path, sql));
        char *before = run_sql(fixture->path, mark_of_file);
        fault = (struct ipsec_fault){ 0 };
        options.plane_netns = cases[i].netns;
        assert_int_equal(ipsec_engine_flush_plane(&options, &fault), cases[i].expected);
        assert_string_equal(fault.pointer, cases[i].pointer);
        assert_sql(fixture->path, mark_of_file, before);
        free(before);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(the_store_knows_the_plane_before_its_first_object),
        SQLITE_TEST(another_instance_is_refused_and_starts_nothing),
        SQLITE_TEST(only_a_flush_that_left_nothing_is_forgotten),
        SQLITE_TEST(a_plane_that_leaves_nothing_is_refused_too_and_says_nothing_of_itself),
        SQLITE_TEST(what_the_store_can_not_write_is_not_started),
        SQLITE_TEST(a_store_that_ends_with_the_process_remembers_nothing),
        SQLITE_TEST(a_flush_without_an_engine_keeps_to_what_is_remembered),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);

    free(own.seen);
    return failures;
}
