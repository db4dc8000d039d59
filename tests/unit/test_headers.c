/* SPDX-License-Identifier: Apache-2.0
 *
 * test_headers.c: what request headers are taken for. */
#include "api/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void
accept_is_judged_by_its_most_precise_range(void **state)
{
    static const struct {
        const char *accept;
        bool taken;
    } cases[] = {
        { NULL, true },
        { "", true },
        { "*/*", true },
        { "application/json", true },
        { "Application/JSON", true },
        { "application/*;q=0.5", true },
        { "text/html, application/json;q=0.1", true },
        { "text/html , */* ; q=0.001", true },
        { "application/json;q=1.0", true },
        { "application/json;charset=utf-8;q=0.3", true },
        { "text/html;q=0, */*", true },
        { "text/html", false },
        { "application/xml,text/*", false },
        { "application/json;q=0", false },
        { "application/json;q=0.000, */*", false },
        { "*/*, application/json ; q=0", false },
        { "application/*;q=0, */*", false },
        { "application/jsonx", false },
        { "application/problem+json", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].accept == NULL ? "(none)" : cases[i].accept);
        assert_int_equal(headers_accept(cases[i].accept, "application/json") >= 0, cases[i].taken);
    }
}

static void
what_is_named_more_precisely_is_preferred(void **state)
{
    static const struct {
        const char *accept;
        bool lines;
    } cases[] = {
        { NULL, false },
        { "*/*", false },
        { "text/event-stream", false },
        { "application/x-ndjson", true },
        { "Application/X-NDJSON;q=0.5, */*", true },
        { "text/event-stream, application/x-ndjson", false },
        { "application/*, text/event-stream", false },
        { "application/*", true },
        { "application/x-ndjson;q=0, */*", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        print_message("%s\n", cases[i].accept == NULL ? "(none)" : cases[i].accept);
        assert_int_equal(headers_accept(cases[i].accept, "application/x-ndjson") >
                             headers_accept(cases[i].accept, "text/event-stream"),
                         cases[i].lines);
    }
}

static void
only_json_in_utf8_is_json(void **state)
{
    static const struct {
        const char *content_type;
        const char *refusal; /* "": it is */
    } cases[] = {
        { "application/json", "" },
        { "APPLICATION/json", "" },
        { " application/json ", "" },
        { "application/json;charset=utf-8", "" },
        { "application/json ; Charset=UTF-8", "" },
        { "application/json; charset=\"utf-8\"", "" },
        { "application/json; CHARSET=\"UTF-8\"", "" },
        { "application/json;", "" },
        { "application/json; ;charset=utf-8 ;", "" },
        { NULL, "a body needs a type: application/json" },
        { "", "a body needs a type: application/json" },
        { " ; charset=utf-8", "a body needs a type: application/json" },
        { "text/plain", "the body must be application/json, not text/plain" },
        { "text/plain;charset=utf-8", "the body must be application/json, not text/plain" },
        { "application/jsonp", "the body must be application/json, not application/jsonp" },
        { "application/merge-patch+json",
          "the body must be application/json, not application/merge-patch+json" },
        { "application/json, text/plain",
          "the body must be application/json, not application/json, text/plain" },
        { "application/json; charset=iso-8859-1", "the charset must be utf-8, not iso-8859-1" },
        { "application/json;charset=utf8", "the charset must be utf-8, not utf8" },
        { "application/json;charset=", "the charset must be utf-8, not " },
        { "application/json; charset=utf-8; charset=\"UTF-16\"",
          "the charset must be utf-8, not \"UTF-16\"" },
        { "application/json; charset=utf-8; x=y",
          "application/json takes no parameter but charset=utf-8" },
        { "application/json; char", "application/json takes no parameter but charset=utf-8" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char refusal[HEADERS_REFUSAL_SIZE] = "";
        bool is_json = headers_is_json(cases[i].content_type, refusal);

        assert_string_equal(refusal, cases[i].refusal);
        assert_int_equal(is_json, refusal[0] == '\0');
    }
    assert_true(headers_is_plain(NULL));
    assert_true(headers_is_plain("Identity"));
    assert_false(headers_is_plain("gzip"));
    assert_false(headers_is_plain("identity, gzip"));
}

static void
idempotency_keys_are_visible_ascii(void **state)
{
    char key[257];

    (void)state;
    memset(key, 'k', sizeof key);
    key[255] = '\0';
    assert_true(headers_is_idempotency_key(key));
    key[255] = 'k';
    key[256] = '\0';
    assert_false(headers_is_idempotency_key(key));
    assert_true(headers_is_idempotency_key("!~"));
    assert_false(headers_is_idempotency_key(""));
    assert_false(headers_is_idempotency_key("a b"));
    assert_false(headers_is_idempotency_key("a\tb"));
    assert_false(headers_is_idempotency_key("\x7f"));
    assert_false(headers_is_idempotency_key("k\xc3\xa4"));
}

static void
sane_request_ids_are_kept_and_others_replaced(void **state)
{
    static const char *const insane[] = { NULL, "", "a b", "a\"b", "a/b", "\xc3\xa4" };
    char id[API_REQUEST_ID_SIZE];
    char other[API_REQUEST_ID_SIZE];
    char longest[66];

    (void)state;
    headers_request_id("Az09._-", id);
    assert_string_equal(id, "Az09._-");
    memset(longest, 'x', sizeof longest);
    longest[64] = '\0';
    headers_request_id(longest, id);
    assert_string_equal(id, longest);
    longest[64] = 'x';
    longest[65] = '\0';
    headers_request_id(longest, id);
    assert_int_equal(strlen(id), 32);
    for (size_t i = 0; i < COUNT(insane); i++) {
        headers_request_id(insane[i], id);
        assert_int_equal(strspn(id, "0123456789abcdef"), 32);
        assert_int_equal(strlen(id), 32);
        headers_request_id(insane[i], other);
        assert_string_not_equal(id, other);
    }
}

static void
trace_ids_come_from_valid_traceparents(void **state)
{
#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
    static const struct {
        const char *traceparent;
        const char *trace_id;
    } cases[] = {
        { "00-" TRACE "-" PARENT "-01", TRACE },
        { "01-" TRACE "-" PARENT "-01", TRACE },
        { "01-" TRACE "-" PARENT "-01-more", TRACE },
        { NULL, "" },
        { "", "" },
        { "00-" TRACE "-" PARENT, "" },
        { "00-" TRACE "-" PARENT "-01-more", "" },
        { "00-" TRACE "-" PARENT "-01x", "" },
        { "01-" TRACE "-" PARENT "-01x", "" },
        { "ff-" TRACE "-" PARENT "-01", "" },
        { "00-00000000000000000000000000000000-" PARENT "-01", "" },
        { "00-" TRACE "-0000000000000000-01", "" },
        { "00-4BF92f3577b34da6a3ce929d0e0e4736-" PARENT "-01", "" },
        { "00_" TRACE "-" PARENT "-01", "" },
        { "00-" TRACE "-" PARENT "-0g", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char trace_id[TRACE_ID_SIZE];
        headers_trace_id(cases[i].traceparent, trace_id);
        assert_string_equal(trace_id, cases[i].trace_id);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_is_judged_by_its_most_precise_range),
        cmocka_unit_test(what_is_named_more_precisely_is_preferred),
        cmocka_unit_test(only_json_in_utf8_is_json),
        cmocka_unit_test(idempotency_keys_are_visible_ascii),
        cmocka_unit_test(sane_request_ids_are_kept_and_others_replaced),
        cmocka_unit_test(trace_ids_come_from_valid_traceparents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
