/* SPDX-License-Identifier: Apache-2.0
 *
 * test_audit.c: the members of a line, and whole lines in the file whatever happens to it. */
#include "auth/audit.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/access.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "tests/lib/scratch.h"

static struct scratch scratch;

static const struct audit_record record = {
    .time_ms = INT64_C(1795489287042),
    .request_id = "r-1",
    .peer = "192.0.2.7:40312",
    .principal = "uri:spiffe://example.org/a",
    .fingerprint = "00ff",
    .method = "POST",
    .path = "/sa-contexts",
    .object_id = (UINT64_C(1) << 53) - 1,
    .container = "saDatabase",
    .right = FWPM_ACTRL_ADD,
    .granted = true,
    .http_status = 201,
    .status = IPSEC_OK,
    .duration_us = 950,
};

static struct audit *
open_audit(const char *destination)
{
    struct ipsec_fault fault;
    struct audit *audit;

    if (audit_open(destination, &fault, &audit) != IPSEC_OK)
        fail_msg("%s", fault.detail);
    return audit;
}

static void
write_text(struct audit *audit, const char *text)
{
    AUTO(buffer) lines = BUFFER(1 << 20);

    buffer_append_text(&lines, text);
    audit_write(audit, &lines);
    assert_int_equal(lines.size, 0);
}

static void
assert_file(const char *name, const char *expected)
{
    char *text = scratch_read(&scratch, name);

    assert_string_equal(text, expected);
    free(text);
}

static void
a_line_holds_what_was_decided(void **state)
{
    (void)state;
    AUTO(buffer) lines = BUFFER(4096);

    audit_append(&lines, &record);
    assert_string_equal(
        buffer_text(&lines),
        "{\"time\":\"2026-11-24T03:01:27.042Z\",\"requestId\":\"r-1\",\"peer\":\"192.0.2.7:40312\","
        "\"principal\":\"uri:spiffe://example.org/a\",\"fingerprint\":\"00ff\",\"method\":\"POST\","
        "\"path\":\"/sa-contexts\",\"container\":\"saDatabase\",\"right\":\"FWPM_ACTRL_ADD\","
        "\"decision\":\"allow\",\"status\":201,\"code\":\"ERROR_SUCCESS\","
        "\"objectId\":9007199254740991,\"us\":950}\n");
}

static void
members_that_mean_nothing_are_left_out(void **state)
{
    (void)state;
    AUTO(buffer) lines = BUFFER(4096);
    struct audit_record denied = record;

    denied.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    denied.principal = NULL;
    denied.fingerprint = NULL;
    denied.right = FWPM_ACTRL_ENUM | FWPM_ACTRL_READ;
    denied.granted = false;
    denied.http_status = 401;
    denied.status = IPSEC_NOT_AUTHENTICATED;
    denied.object_id = 0;
    denied.duration_us = -1;
    audit_append(&lines, &denied);
    assert_string_equal(
        buffer_text(&lines),
        "{\"time\":\"2026-11-24T03:01:27.042Z\",\"requestId\":\"r-1\","
        "\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"peer\":\"192.0.2.7:40312\","
        "\"principal\":null,\"fingerprint\":null,\"method\":\"POST\",\"path\":\"/sa-contexts\","
        "\"container\":\"saDatabase\",\"right\":\"FWPM_ACTRL_ENUM|FWPM_ACTRL_READ\","
        "\"decision\":\"deny\",\"status\":401,\"code\":\"ERROR_NOT_AUTHENTICATED\",\"us\":-1}\n");

    struct audit_record replayed = record;
    replayed.container = NULL;
    replayed.replayed = true;
    buffer_reset(&lines);
    audit_append(&lines, &replayed);
    assert_null(strstr(buffer_text(&lines), "container"));
    assert_null(strstr(buffer_text(&lines), "right"));
    assert_non_null(strstr(buffer_text(&lines), ",\"replayed\":true,"));
}

static void
a_refused_certificate_has_a_line(void **state)
{
    (void)state;
    AUTO(buffer) lines = BUFFER(4096);
    struct audit_refusal refusal = {
        .time_ms = INT64_C(1795489287042),
        .peer = "192.0.2.7:40312",
        .subject = "CN=a\"\n,O=\xff",
        .fingerprint = "00ff",
        .reason = "unknown CA",
        .detail = "self-signed",
        .left_out = 3,
    };

    audit_append_refusal(&lines, &refusal);
    assert_string_equal(
        buffer_text(&lines),
        "{\"time\":\"2026-11-24T03:01:27.042Z\",\"requestId\":null,\"peer\":\"192.0.2.7:40312\","
        "\"principal\":null,\"subject\":\"CN=a\\\"\\u000a,O=\\ufffd\",\"fingerprint\":\"00ff\","
        "\"decision\":\"deny\",\"code\":\"ERROR_NOT_AUTHENTICATED\",\"reason\":\"unknown CA\","
        "\"detail\":\"self-signed\",\"leftOut\":3}\n");

    refusal = (struct audit_refusal){ .peer = "192.0.2.7:1", .reason = "no handshake" };
    buffer_reset(&lines);
    audit_append_refusal(&lines, &refusal);
    assert_non_null(strstr(buffer_text(&lines), "\"subject\":null,\"fingerprint\":null,"));
    assert_null(strstr(buffer_text(&lines), "detail"));
    assert_null(strstr(buffer_text(&lines), "leftOut"));
}

static void
text_from_outside_cannot_end_a_string_or_a_line(void **state)
{
    (void)state;
    AUTO(buffer) lines = BUFFER(4096);
    struct audit_record hostile = record;

    hostile.path = "/a\",\"decision\":\"allow\n\x7f\xff";
    hostile.method = "GET\r";
    audit_append(&lines, &hostile);
    const char *text = buffer_text(&lines);
    assert_non_null(strstr(text, "\"method\":\"GET\\u000d\""));
    assert_non_null(
        strstr(text, "\"path\":\"/a\\\",\\\"decision\\\":\\\"allow\\u000a\\u007f\\ufffd\","));
    assert_ptr_equal(strchr(text, '\n'), text + lines.size - 1);
}

static void
times_are_those_of_the_clock(void **state)
{
    (void)state;
    static const int64_t times[] = {
        0,
        INT64_C(951782399999),   /* 2000-02-28T23:59:59.999Z */
        INT64_C(951782400000),   /* 2000-02-29 */
        INT64_C(951868800000),   /* 2000-03-01 */
        INT64_C(1709164800001),  /* 2024-02-29 */
        INT64_C(1735689599999),  /* 2024-12-31 */
        INT64_C(4107542400000),  /* 2100-03-01, no leap year */
        INT64_C(253402300799999) /* 9999-12-31 */
    };
    struct audit_record at = record;
    AUTO(buffer) lines = BUFFER(4096);

    for (size_t i = 0; i < sizeof times / sizeof *times + 2000; i++) {
        char expected[CLOCK_TEXT_SIZE];
        /* After the edges: every 13th day and a bit of a hundred thousand days. */
        size_t edges = sizeof times / sizeof *times;
        at.time_ms = i < edges ? times[i] : (int64_t)(i - edges) * (13 * 86400000 + 3723004);
        buffer_reset(&lines);
        audit_append(&lines, &at);
        clock_format(at.time_ms, expected);
        assert_memory_equal(lines.data + strlen("{\"time\":\""), expected, strlen(expected));
    }
}

static void
a_file_is_made_for_its_owner_alone_and_appended_to(void **state)
{
    (void)state;
    struct stat properties;
    const char *path = scratch_path(&scratch, "audit.log");
    struct audit *audit = open_audit(path);

    assert_true(audit_enabled(audit));
    assert_int_equal(stat(path, &properties), 0);
    assert_int_equal(properties.st_mode & 07777, 0600);
    write_text(audit, "one\n");
    write_text(audit, "");
    write_text(audit, "two\nthree\n");
    audit_close(audit);
    audit = open_audit(path);
    write_text(audit, "four\n");
    assert_int_equal(audit_failures(audit), 0);
    audit_close(audit);
    assert_file("audit.log", "one\ntwo\nthree\nfour\n");
}

static void
a_line_torn_by_an_earlier_end_is_closed_first(void **state)
{
    (void)state;
    struct audit *audit = open_audit(scratch_write(&scratch, "torn.log", "{\"time", 6));

    write_text(audit, "one\n");
    write_text(audit, "two\n");
    audit_close(audit);
    assert_file("torn.log", "{\"time\none\ntwo\n");
}

static void
rotation_moves_to_the_new_file_and_keeps_the_old_if_it_cannot(void **state)
{
    (void)state;
    struct ipsec_fault fault;
    struct scratch other = scratch;
    const char *path = scratch_path(&scratch, "rotated.log");
    const char *moved = scratch_path(&other, "rotated.log.1");
    struct audit *audit = open_audit(path);

    write_text(audit, "one\n");
    assert_int_equal(rename(path, moved), 0);
    write_text(audit, "two\n");
    assert_int_equal(audit_reopen(audit, &fault), IPSEC_OK);
    write_text(audit, "three\n");

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(audit_reopen(audit, &fault), IPSEC_RPC_SYS_CALL_FAILED);
    assert_non_null(strstr(fault.detail, "/rotated.log: Is a directory"));
    write_text(audit, "four\n");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(audit_reopen(audit, &fault), IPSEC_OK);
    write_text(audit, "five\n");
    assert_int_equal(audit_failures(audit), 0);
    audit_close(audit);
    assert_file("rotated.log.1", "one\ntwo\n");
    assert_file("rotated.log", "five\n");
}

static void
what_is_no_file_of_ours_is_refused(void **state)
{
    (void)state;
    struct ipsec_fault fault;
    struct audit *audit;
    struct scratch other = scratch;
    const char *target = scratch_write(&scratch, "target.log", "", 0);
    const char *link_path = scratch_path(&other, "link.log");

    assert_int_equal(symlink(target, link_path), 0);
    assert_int_equal(audit_open(link_path, &fault, &audit), IPSEC_RPC_SYS_CALL_FAILED);
    assert_null(audit);
    assert_non_null(strstr(fault.detail, "/link.log: is a symbolic link"));
    assert_int_equal(mkfifo(scratch_path(&scratch, "fifo.log"), 0600), 0);
    assert_int_equal(audit_open(scratch.path, &fault, &audit), IPSEC_INVALID_PARAMETER);
    assert_non_null(strstr(fault.detail, "/fifo.log: not a regular file"));
    assert_int_equal(audit_open("/nonexistent/audit.log", &fault, &audit),
                     IPSEC_RPC_SYS_CALL_FAILED);
    assert_string_equal(fault.detail, "/nonexistent/audit.log: No such file or directory");
}

static void
off_writes_nothing_and_stderr_needs_no_file(void **state)
{
    (void)state;
    struct ipsec_fault fault;
    struct audit *audit = open_audit("off");

    assert_false(audit_enabled(audit));
    write_text(audit, "lost\n");
    assert_int_equal(audit_reopen(audit, &fault), IPSEC_OK);
    assert_int_equal(audit_failures(audit), 0);
    audit_close(audit);
    assert_int_not_equal(access("off", F_OK), 0);

    audit = open_audit("stderr");
    assert_true(audit_enabled(audit));
    assert_int_equal(audit_reopen(audit, &fault), IPSEC_OK);
    audit_close(audit);
    assert_int_not_equal(access("stderr", F_OK), 0);
    audit_close(NULL);
    assert_false(audit_enabled(NULL));
}

/* A file-size limit makes the disk "full" in the middle of a line. */
static void
a_full_disk_is_counted_and_tears_no_later_line(void **state)
{
    (void)state;
    struct rlimit before;
    struct rlimit limited;
    struct audit *audit = open_audit(scratch_path(&scratch, "full.log"));

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limited = before;
    limited.rlim_cur = 10;
    (void)signal(SIGXFSZ, SIG_IGN);
    write_text(audit, "12345\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
    write_text(audit, "abcdefgh\n");
    write_text(audit, "lost\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(audit_failures(audit), 2);
    write_text(audit, "67890\n");
    assert_int_equal(audit_failures(audit), 2);
    audit_close(audit);
    assert_file("full.log", "12345\nabcd\n67890\n");
}

static void
lines_that_did_fit_a_full_buffer_are_written(void **state)
{
    (void)state;
    AUTO(buffer) lines = BUFFER(16);
    struct audit *audit = open_audit(scratch_path(&scratch, "buffer.log"));

    buffer_append_text(&lines, "one\ntwo\nth");
    buffer_append_text(&lines, "ree is too long\n");
    assert_true(lines.failed);
    audit_write(audit, &lines);
    assert_false(lines.failed);
    assert_int_equal(audit_failures(audit), 1);
    write_text(audit, "four\n");
    audit_close(audit);
    assert_file("buffer.log", "one\ntwo\nfour\n");
}

enum { WRITERS = 4, WRITES = 100 };

static void *
write_often(void *argument)
{
    AUTO(buffer) lines = BUFFER(1 << 16);

    for (int i = 0; i < WRITES; i++) {
        audit_append(&lines, &record);
        audit_append(&lines, &record);
        audit_write(argument, &lines);
    }
    return NULL;
}

static void
threads_write_whole_lines_while_the_file_is_rotated(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    struct ipsec_fault fault;
    struct audit *audit = open_audit(scratch_path(&scratch, "threads.log"));
    AUTO(buffer) line = BUFFER(4096);

    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, audit), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(audit_reopen(audit, &fault), IPSEC_OK);
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(audit_failures(audit), 0);
    audit_close(audit);

    audit_append(&line, &record);
    char *text = scratch_read(&scratch, "threads.log");
    assert_int_equal(strlen(text), line.size * WRITERS * WRITES * 2);
    for (const char *next = text; *next != '\0'; next += line.size)
        assert_memory_equal(next, line.data, line.size);
    free(text);
}

static int
set_up(void **state)
{
    (void)state;
    scratch_init(&scratch);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    scratch_clear(&scratch);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_holds_what_was_decided),
        cmocka_unit_test(members_that_mean_nothing_are_left_out),
        cmocka_unit_test(a_refused_certificate_has_a_line),
        cmocka_unit_test(text_from_outside_cannot_end_a_string_or_a_line),
        cmocka_unit_test(times_are_those_of_the_clock),
        cmocka_unit_test(a_file_is_made_for_its_owner_alone_and_appended_to),
        cmocka_unit_test(a_line_torn_by_an_earlier_end_is_closed_first),
        cmocka_unit_test(rotation_moves_to_the_new_file_and_keeps_the_old_if_it_cannot),
        cmocka_unit_test(what_is_no_file_of_ours_is_refused),
        cmocka_unit_test(off_writes_nothing_and_stderr_needs_no_file),
        cmocka_unit_test(a_full_disk_is_counted_and_tears_no_later_line),
        cmocka_unit_test(lines_that_did_fit_a_full_buffer_are_written),
        cmocka_unit_test(threads_write_whole_lines_while_the_file_is_rotated),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
