/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sqlite_file.c: which files the SQLite store takes, and what its start and a look at it
 * refuse. */
#include "engine/store/sqlite_file.h"

#include <errno.h>
#include <signal.h>

#include <sys/wait.h>

#include "tests/conformance/store_record.h"
#include "tests/unit/sqlite_fixture.h"

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
    free(run_sql(fixture->path, sqlite_version_1));
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(a_bad_path_is_refused_with_the_reason),
        SQLITE_TEST(odd_names_are_only_names),
        SQLITE_TEST(what_may_not_be_written_is_refused_at_the_start),
        SQLITE_TEST(a_look_reads_every_row_and_leaves_no_trace),
        cmocka_unit_test(a_uri_names_backend_and_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
