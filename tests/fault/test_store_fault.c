/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store_fault.c: the SQLite store on a file system that fails.
 *
 * A script of commits runs with the n-th operation failing, for every n.  A store in memory takes
 * what was acknowledged and says what must be found afterwards. */
#include "engine/store/store.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "engine/base/log.h"
#include "tests/conformance/store_record.h"
#include "tests/conformance/store_text.h"
#include "tests/fault/fault_vfs.h"

enum { COMMIT_COUNT = 8, CHANGE_COUNT = 40 };

struct script {
    char *directory;
    char *path;
    struct store *store;
    struct store *model; /* what was acknowledged */
    struct store_marks marks;
    unsigned failures;
};

/* The contents of one commit. */
struct batch {
    struct ipsec_sa_context contexts[CHANGE_COUNT];
    struct ipsec_filter filter;
    struct store_change changes[CHANGE_COUNT + 8];
    size_t count;
    struct store_marks marks;
};

static void
make_batch(uint64_t number, const struct store_marks *last, struct batch *batch)
{
    *batch = (struct batch){ .marks = { .last_luid = last->last_luid + 100,
                                        .revision = last->revision + 1,
                                        .last_replay_number = last->last_replay_number + 1 } };
    for (uint64_t i = 0; i < CHANGE_COUNT; i++) {
        batch->contexts[i] = store_record_context(last->last_luid + 2 + i);
        batch->changes[batch->count++] = store_record_put_context(&batch->contexts[i]);
    }
    batch->filter = store_record_filter(last->last_luid + 1);
    batch->changes[batch->count++] = store_record_put_filter(&batch->filter);
    batch->changes[batch->count++] =
        store_record_put_replay(batch->marks.last_replay_number, "{\"id\": 1}");
    if (number % 3 == 2) {
        batch->changes[batch->count++] =
            store_record_delete(STORE_DELETE_SA_CONTEXT, last->last_luid - 90);
        batch->changes[batch->count++] =
            store_record_delete(STORE_DELETE_FILTER, last->last_luid - 99);
        batch->changes[batch->count++] =
            store_record_delete(STORE_DELETE_REPLAYS_BELOW, last->last_replay_number);
    }
}

static void
start(struct script *script)
{
    struct ipsec_fault fault = { 0 };

    *script = (struct script){ .directory = store_text_make_directory() };
    script->path = store_text_join(script->directory, "db");
    assert_int_equal(store_memory.open("", &fault, &script->model), IPSEC_OK);
    fault_vfs_plan(&(struct fault_plan){ 0 });
    assert_int_equal(store_sqlite.open(script->path, &fault, &script->store), IPSEC_OK);
}

static void
assert_explained(enum ipsec_status status, const struct ipsec_fault *fault, int error)
{
    if (error == ENOSPC)
        assert_int_equal(status, IPSEC_RPC_OUT_OF_RESOURCES);
    else
        assert_int_equal(status, IPSEC_RPC_DISCONNECTED);
    assert_int_equal(fault->status, status);
    assert_non_null(strstr(fault->detail, "/db: "));
}

static enum ipsec_status
commit(struct script *script, const struct batch *batch, int error)
{
    struct ipsec_fault fault = { 0 };
    enum ipsec_status status =
        store_sqlite.commit(script->store, batch->changes, batch->count, &batch->marks, &fault);

    if (status == IPSEC_OK) {
        assert_int_equal(
            store_memory.commit(script->model, batch->changes, batch->count, &batch->marks, &fault),
            IPSEC_OK);
        script->marks = batch->marks;
        return status;
    }
    assert_explained(status, &fault, error);
    script->failures++;
    return status;
}

/* As the engine does: a failed batch is dropped, and its numbers are used by the next. */
static void
run_script(struct script *script, int error)
{
    struct batch *batch = malloc(sizeof *batch);

    for (uint64_t i = 0; i < COMMIT_COUNT; i++) {
        make_batch(i, &script->marks, batch);
        /* The second attempt differs: nothing of the first may shine through. */
        if (commit(script, batch, error) != IPSEC_OK) {
            batch->count /= 2;
            (void)commit(script, batch, error);
        }
    }
    free(batch);
}

static bool
is_as_the_model(struct script *script, struct buffer *expected, struct buffer *found)
{
    assert_int_equal(store_text_render(&store_memory, script->model, expected), IPSEC_OK);
    assert_int_equal(store_text_render(&store_sqlite, script->store, found), IPSEC_OK);
    return strcmp(buffer_text(found), buffer_text(expected)) == 0;
}

static void
assert_contents(struct script *script)
{
    AUTO(buffer) expected = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) found = BUFFER(SIZE_MAX / 4);

    if (!is_as_the_model(script, &expected, &found))
        assert_string_equal(buffer_text(&found), buffer_text(&expected));
}

/* 'batch' was under way when everything ended: it is there whole or not at all. */
static void
assert_contents_with_or_without(struct script *script, const struct batch *batch)
{
    struct ipsec_fault fault = { 0 };
    AUTO(buffer) expected = BUFFER(SIZE_MAX / 4);
    AUTO(buffer) found = BUFFER(SIZE_MAX / 4);

    if (is_as_the_model(script, &expected, &found))
        return;
    assert_int_equal(
        store_memory.commit(script->model, batch->changes, batch->count, &batch->marks, &fault),
        IPSEC_OK);
    assert_contents(script);
}

static void
open_again(struct script *script)
{
    struct ipsec_fault fault = { 0 };
    enum ipsec_status status = store_sqlite.open(script->path, &fault, &script->store);

    if (status != IPSEC_OK)
        fail_msg("%s: %s", ipsec_status_name(status), fault.detail);
}

static void
finish(struct script *script)
{
    store_sqlite.close(script->store);
    store_memory.close(script->model);
    store_text_remove_directory(script->directory);
    free(script->path);
}

static const struct fault_plan plans[] = {
    { .operations = FAULT_WRITE, .error = EIO },
    { .operations = FAULT_WRITE, .error = EIO, .short_write = true },
    { .operations = FAULT_WRITE, .error = ENOSPC },
    { .operations = FAULT_WRITE, .error = ENOSPC, .short_write = true },
    { .operations = FAULT_SYNC, .error = EIO },
    { .operations = FAULT_SYNC, .error = ENOSPC },
    { .operations = FAULT_READ, .error = EIO },
    { .operations = FAULT_TRUNCATE, .error = EIO },
};
#define PLAN_COUNT (sizeof plans / sizeof *plans)

static void
after_one_failure_exactly_the_acknowledged_commits_are_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLAN_COUNT; i++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            struct script script;
            struct fault_plan plan = plans[i];
            plan.first = n;
            start(&script);
            fault_vfs_plan(&plan);
            run_script(&script, plan.error);
            failed = fault_vfs_failed();
            /* A failure that passes costs the commit that met it and no other. */
            assert_true(script.failures <= 1);
            fault_vfs_plan(&(struct fault_plan){ 0 });
            assert_contents(&script);
            store_sqlite.close(script.store);
            open_again(&script);
            assert_contents(&script);
            finish(&script);
        }
    }
}

static void
the_plane_is_remembered_or_refused_and_then_survives_a_power_cut(void **state)
{
    static const struct store_plane first = { .name = "xfrm", .instance = 1 };
    static const struct store_plane second = { .name = "xfrm", .instance = 2, .netns = "blue" };

    (void)state;
    for (size_t i = 0; i < PLAN_COUNT; i++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            struct script script;
            struct fault_plan plan = plans[i];
            struct ipsec_fault fault = { 0 };
            struct store_plane found;
            plan.first = n;
            start(&script);
            assert_int_equal(store_sqlite.write_plane(script.store, &first, &fault), IPSEC_OK);
            fault_vfs_plan(&plan);
            enum ipsec_status status = store_sqlite.write_plane(script.store, &second, &fault);
            failed = fault_vfs_failed();
            if (status != IPSEC_OK)
                assert_explained(status, &fault, plan.error);
            fault_vfs_stop();
            store_sqlite.close(script.store);
            fault_vfs_cut_power(n);
            open_again(&script);
            assert_int_equal(store_sqlite.read_plane(script.store, &found, &fault), IPSEC_OK);
            assert_int_equal(found.instance, status == IPSEC_OK ? 2 : 1);
            assert_string_equal(found.netns, status == IPSEC_OK ? "blue" : "");
            finish(&script);
        }
    }
}

static void
a_crash_right_after_a_failure_brings_nothing_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLAN_COUNT * 2; i++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            struct script script;
            struct fault_plan plan = plans[i / 2];
            struct batch *batch = malloc(sizeof *batch);
            plan.first = n;
            start(&script);
            fault_vfs_plan(&plan);
            for (uint64_t j = 0; j < COMMIT_COUNT; j++) {
                make_batch(j, &script.marks, batch);
                if (commit(&script, batch, plan.error) != IPSEC_OK)
                    break;
            }
            failed = fault_vfs_failed();
            fault_vfs_stop();
            store_sqlite.close(script.store);
            if (i % 2 == 0)
                fault_vfs_restart();
            else
                fault_vfs_cut_power(n);
            open_again(&script);
            assert_contents(&script);
            finish(&script);
            free(batch);
        }
    }
}

static void
while_failures_last_every_commit_is_refused_and_afterwards_all_works(void **state)
{
    (void)state;
    for (size_t i = 0; i < PLAN_COUNT; i++) {
        bool failed = true;
        if (plans[i].operations == FAULT_READ || plans[i].operations == FAULT_TRUNCATE)
            continue; /* these need not concern a commit */
        for (uint64_t n = 1; failed; n++) {
            struct script script;
            struct fault_plan plan = plans[i];
            struct ipsec_fault fault = { 0 };
            plan.first = n;
            plan.lasting = true;
            start(&script);
            fault_vfs_plan(&plan);
            run_script(&script, plan.error);
            failed = fault_vfs_failed();
            if (script.failures > 0)
                assert_explained(store_sqlite.probe(script.store, &fault), &fault, plan.error);
            fault_vfs_plan(&(struct fault_plan){ 0 });
            assert_int_equal(store_sqlite.probe(script.store, &fault), IPSEC_OK);
            assert_contents(&script);
            run_script(&script, 0);
            store_sqlite.close(script.store);
            open_again(&script);
            assert_contents(&script);
            finish(&script);
        }
    }
}

/* In the middle of a commit, between any two writes or syncs. */
static void
after_a_power_cut_exactly_the_acknowledged_commits_are_there(void **state)
{
    bool failed = true;

    (void)state;
    for (uint64_t n = 1; failed; n++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct script script;
            struct batch *batch = malloc(sizeof *batch);
            struct fault_plan plan = { .operations = FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE,
                                       .first = n,
                                       .lasting = true,
                                       .error = EIO };
            start(&script);
            run_script(&script, 0);
            make_batch(COMMIT_COUNT, &script.marks, batch);
            fault_vfs_plan(&plan);
            enum ipsec_status status = commit(&script, batch, plan.error);
            failed = fault_vfs_failed();
            fault_vfs_stop();
            store_sqlite.close(script.store);
            fault_vfs_cut_power(seed * 1000 + n);
            open_again(&script);
            if (status == IPSEC_OK)
                assert_contents(&script);
            else
                assert_contents_with_or_without(&script, batch);
            store_sqlite.close(script.store);
            open_again(&script);
            assert_contents(&script);
            finish(&script);
            free(batch);
        }
    }
}

/* A batch whose answer fills the log, so that its commit is followed by a checkpoint. */
enum { ANSWER_SIZE = 9000000 };

static char *
make_answer(void)
{
    char *answer = malloc(ANSWER_SIZE);

    memset(answer, 'x', ANSWER_SIZE - 1);
    answer[ANSWER_SIZE - 1] = '\0';
    return answer;
}

static void
commit_large(struct script *script, const char *answer, int error)
{
    struct batch *batch = malloc(sizeof *batch);

    make_batch(0, &script->marks, batch);
    batch->changes[batch->count - 1] =
        store_record_put_replay(batch->marks.last_replay_number, answer);
    (void)commit(script, batch, error);
    free(batch);
}

static void
a_checkpoint_that_fails_costs_no_commit(void **state)
{
    static const struct {
        unsigned operations;
        uint64_t stride;
    } rounds[] = { { FAULT_SYNC, 1 }, { FAULT_READ, 331 }, { FAULT_WRITE, 331 } };
    char *answer = make_answer();

    (void)state;
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n += rounds[i].stride) {
            struct script script;
            struct fault_plan plan = { .operations = rounds[i].operations,
                                       .first = n,
                                       .error = EIO };
            start(&script);
            fault_vfs_plan(&plan);
            commit_large(&script, answer, plan.error);
            run_script(&script, plan.error);
            failed = fault_vfs_failed();
            assert_true(script.failures <= 1);
            fault_vfs_stop();
            store_sqlite.close(script.store);
            fault_vfs_cut_power(n);
            open_again(&script);
            assert_contents(&script);
            finish(&script);
        }
    }
    free(answer);
}

/* A reader keeps a checkpoint from its end: what was copied is not synced yet, but counts as done.
 * When the sync of the next one fails, all of it must be copied again. */
static void
pages_that_a_failed_sync_lost_are_written_again(void **state)
{
    char *answer = make_answer();
    bool failed = true;

    (void)state;
    for (uint64_t n = 1; failed; n++) {
        struct script script;
        struct fault_plan plan = { .operations = FAULT_SYNC, .first = n, .error = EIO };
        sqlite3 *reader = NULL;
        start(&script);
        run_script(&script, 0);
        assert_int_equal(sqlite3_open(script.path, &reader), SQLITE_OK);
        assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM marks", NULL, NULL, NULL),
                         SQLITE_OK);
        commit_large(&script, answer, 0);
        assert_int_equal(sqlite3_close(reader), SQLITE_OK);

        fault_vfs_plan(&plan);
        commit_large(&script, answer, plan.error);
        failed = fault_vfs_failed();
        fault_vfs_plan(&(struct fault_plan){ 0 });
        commit_large(&script, answer, 0);
        run_script(&script, 0);
        fault_vfs_stop();
        store_sqlite.close(script.store);
        fault_vfs_cut_power(n);
        open_again(&script);
        assert_contents(&script);
        finish(&script);
    }
    free(answer);
}

static void
an_open_that_fails_says_why_and_leaves_a_good_file(void **state)
{
    static const unsigned operations[] = { FAULT_WRITE, FAULT_SYNC, FAULT_READ, FAULT_OPEN };

    (void)state;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        bool failed = true;
        for (uint64_t n = 1; failed; n++) {
            struct script script = { .directory = store_text_make_directory() };
            struct fault_plan plan = {
                .operations = operations[i], .first = n, .lasting = true, .error = EIO
            };
            struct ipsec_fault fault = { 0 };
            script.path = store_text_join(script.directory, "db");
            assert_int_equal(store_memory.open("", &fault, &script.model), IPSEC_OK);
            fault_vfs_plan(&plan);
            enum ipsec_status status = store_sqlite.open(script.path, &fault, &script.store);
            failed = fault_vfs_failed();
            fault_vfs_plan(&(struct fault_plan){ 0 });
            if (status == IPSEC_OK) {
                store_sqlite.close(script.store);
            } else {
                assert_true(status == IPSEC_RPC_DISCONNECTED || status == IPSEC_RPC_ACCESS_DENIED);
                assert_non_null(strstr(fault.detail, "/db: cannot "));
            }
            open_again(&script);
            assert_contents(&script);
            finish(&script);
        }
    }
}

static void
a_writer_in_the_way_hardly_delays_a_commit_and_nothing_else(void **state)
{
    const struct store_marks marks = { .last_luid = 1, .revision = 1 };
    struct ipsec_fault fault = { 0 };
    struct script script;
    sqlite3 *shell = NULL;

    (void)state;
    start(&script);
    assert_int_equal(sqlite3_open(script.path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    fault_vfs_plan(&(struct fault_plan){ 0 });
    assert_int_not_equal(store_sqlite.probe(script.store, &fault), IPSEC_OK);
    assert_int_equal(fault_vfs_slept_us(), 0);
    assert_int_not_equal(store_sqlite.commit(script.store, NULL, 0, &marks, &fault), IPSEC_OK);
    assert_in_range(fault_vfs_slept_us(), 1, 200000);
    assert_int_equal(sqlite3_close(shell), SQLITE_OK);
    assert_int_equal(store_sqlite.probe(script.store, &fault), IPSEC_OK);
    assert_int_equal(store_sqlite.commit(script.store, NULL, 0, &marks, &fault), IPSEC_OK);
    finish(&script);
}

static int
set_up(void **state)
{
    (void)state;
    fault_vfs_install();
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    fault_vfs_remove();
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_one_failure_exactly_the_acknowledged_commits_are_there),
        cmocka_unit_test(the_plane_is_remembered_or_refused_and_then_survives_a_power_cut),
        cmocka_unit_test(a_crash_right_after_a_failure_brings_nothing_back),
        cmocka_unit_test(while_failures_last_every_commit_is_refused_and_afterwards_all_works),
        cmocka_unit_test(after_a_power_cut_exactly_the_acknowledged_commits_are_there),
        cmocka_unit_test(a_checkpoint_that_fails_costs_no_commit),
        cmocka_unit_test(pages_that_a_failed_sync_lost_are_written_again),
        cmocka_unit_test(a_writer_in_the_way_hardly_delays_a_commit_and_nothing_else),
        cmocka_unit_test(an_open_that_fails_says_why_and_leaves_a_good_file),
    };

    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
