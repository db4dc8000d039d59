/* SPDX-License-Identifier: Apache-2.0
 *
 * test_guard.c: which requests are refused on their framing alone. */
#include "server/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Feeds "Name: value" lines separated by '\n'. */
static enum ipsec_status
judge(const char *lines, struct guard *guard)
{
    char *copy = strdup(lines);
    char *rest = copy;

    *guard = (struct guard){ 0 };
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        char *colon = strchr(line, ':');
        assert_non_null(colon);
        char *value = colon + 1 + strspn(colon + 1, " ");
        guard_header(guard, line, (size_t)(colon - line), value, strlen(value));
    }
    enum ipsec_status status = guard_finish(guard);
    free(copy);
    return status;
}

static void
lists_on_several_lines_are_one_list(void **state)
{
    struct guard guard = { .status = IPSEC_OK };
    static const char *const lines[][2] = {
        { "Accept", "text/html" }, { "If-Match", "\"1\"" },   { "accept", "application/json" },
        { "Accept", "" },          { "IF-MATCH", "W/\"2\"" }, { "If-None-Match", "*" },
        { "Host", "a" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        guard_header(&guard, lines[i][0], strlen(lines[i][0]), lines[i][1], strlen(lines[i][1]));
    assert_int_equal(guard_finish(&guard), IPSEC_OK);
    assert_string_equal(guard.headers[API_HEADER_ACCEPT], "text/html, application/json, ");
    assert_string_equal(guard.headers[API_HEADER_IF_MATCH], "\"1\", W/\"2\"");
    assert_string_equal(guard.headers[API_HEADER_IF_NONE_MATCH], "*");

    guard_header(&guard, "Last-Event-ID", 13, "1", 1);
    guard_header(&guard, "Last-Event-ID", 13, "2", 1);
    assert_int_equal(guard_finish(&guard), IPSEC_HTTP_BAD_REQUEST);
    assert_string_equal(guard.headers[API_HEADER_LAST_EVENT_ID], "1");
    guard_clear(&guard);
    assert_null(guard.headers[API_HEADER_ACCEPT]);
    guard_clear(&guard);
}

static void
ambiguous_framing_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        enum ipsec_status expected;
    } cases[] = {
        { "Host: a", IPSEC_OK },
        { "Host: a:8443", IPSEC_OK },
        { "Host: a:", IPSEC_OK },
        { "Host: [::1]:8443", IPSEC_OK },
        { "Host: 192.0.2.1", IPSEC_OK },
        { "Accept: x", IPSEC_HTTP_BAD_REQUEST },
        { "Host:", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a b", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a@b", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a/b", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a,b", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a:0", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a:65536", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a:8x", IPSEC_HTTP_BAD_REQUEST },
        { "Host: [::1", IPSEC_HTTP_BAD_REQUEST },
        { "Host: [::1]x", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nHost: a", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nContent-Length: 5", IPSEC_OK },
        { "Host: a\nContent-Length: 5\ncontent-length: 5", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nContent-Length: +5", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nContent-Length: 5, 5", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nContent-Length: 0x5", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nContent-Length:", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nContent-Length: 99999999999999999999", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nTransfer-Encoding: chunked", IPSEC_OK },
        { "Host: a\nTransfer-Encoding: Chunked", IPSEC_OK },
        { "Host: a\nTransfer-Encoding: gzip, chunked", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nTransfer-Encoding: chunked, chunked", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nTransfer-Encoding: identity", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked",
          IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nTransfer-Encoding: chunked\nContent-Length: 5", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nX Y: 1", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nX(Y): 1", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\n: 1", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nX: a\x01", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nX: a\tb", IPSEC_OK },
        { "Host: a\nContent-Type: a\nContent-Type: b", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nIdempotency-Key: a\nIdempotency-Key: b", IPSEC_HTTP_BAD_REQUEST },
        { "Host: a\nAccept: a\nAccept: b", IPSEC_OK },
        { "Host: a\nX-Other: a\nX-Other: b", IPSEC_OK },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct guard guard;
        enum ipsec_status status = judge(cases[i].lines, &guard);
        guard_clear(&guard);
        if (status != cases[i].expected)
            fail_msg("%s: %s", cases[i].lines, ipsec_status_name(status));
    }
}

static void
a_body_is_announced_by_a_length_or_by_chunks(void **state)
{
    (void)state;
    struct guard guard;

    assert_int_equal(judge("Host: a", &guard), IPSEC_OK);
    assert_false(guard_has_body(&guard));
    assert_int_equal(judge("Host: a\nContent-Length: 0", &guard), IPSEC_OK);
    assert_false(guard_has_body(&guard));
    assert_int_equal(judge("Host: a\nContent-Length: 70000", &guard), IPSEC_OK);
    assert_true(guard_has_body(&guard));
    assert_int_equal(guard.content_length, 70000);
    assert_int_equal(judge("Host: a\nTransfer-Encoding: chunked", &guard), IPSEC_OK);
    assert_true(guard_has_body(&guard));
}

static void
targets_are_split_and_decoded_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        const char *path; /* null: refused */
        const char *query;
    } cases[] = {
        { "/", "/", NULL },
        { "/a?b=c&d", "/a", "b=c&d" },
        { "/a?", "/a", "" },
        { "/a%20b", "/a b", NULL },
        { "/%41", "/A", NULL },
        { "https://host/a?b", "/a", "b" },
        { "HTTP://host:1/a", "/a", NULL },
        { "https://host", "/", NULL },
        { "https://host?x=1", "/", "x=1" },
        { "https:///a", NULL, NULL },
        { "https://u@h/a", NULL, NULL },
        { "ftp://host/a", NULL, NULL },
        { "a", NULL, NULL },
        { "*", NULL, NULL },
        { "", NULL, NULL },
        { "host:443", NULL, NULL },
        { "/a%00b", NULL, NULL },
        { "/a%0ab", NULL, NULL },
        { "/a%7f", NULL, NULL },
        { "/a%", NULL, NULL },
        { "/a%4", NULL, NULL },
        { "/a%zz", NULL, NULL },
        { "/a\x01", NULL, NULL },
        { "/a b", NULL, NULL },
        { "/a#b", NULL, NULL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *target = strdup(cases[i].target);
        const char *path = NULL;
        const char *query = NULL;
        bool taken = guard_target(target, &path, &query);

        if (taken != (cases[i].path != NULL))
            fail_msg("%s: %s", cases[i].target, taken ? "taken" : "refused");
        if (taken) {
            assert_string_equal(path, cases[i].path);
            assert_string_equal(query == NULL ? "-" : query,
                                cases[i].query == NULL ? "-" : cases[i].query);
        }
        free(target);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ambiguous_framing_is_refused),
        cmocka_unit_test(lists_on_several_lines_are_one_list),
        cmocka_unit_test(a_body_is_announced_by_a_length_or_by_chunks),
        cmocka_unit_test(targets_are_split_and_decoded_strictly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
