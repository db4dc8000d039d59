/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store_sqlite.c: who else opens the database: another service, a shell of an operator,
 * somebody who moves it away. */
#include "engine/store/store.h"

#include <signal.h>

#include <sys/wait.h>

#include "tests/conformance/store_record.h"
#include "tests/unit/sqlite_fixture.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(a_second_opener_is_refused_by_process_and_path),
        SQLITE_TEST(a_writing_shell_delays_the_start_and_then_refuses_it),
        SQLITE_TEST(a_shell_reads_while_the_store_writes),
        SQLITE_TEST(a_file_that_went_away_takes_no_more_commits),
        SQLITE_TEST(what_another_process_wrote_is_not_written_over),
        SQLITE_TEST(a_probe_finds_that_another_process_wrote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
