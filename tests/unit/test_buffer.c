/* SPDX-License-Identifier: Apache-2.0
 *
 * test_buffer.c: growth up to the maximum, sticky failure, JSON strings. */
#include "engine/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
an_append_beyond_the_maximum_fails_and_sticks(void **state)
{
    (void)state;
    AUTO(buffer) buffer = BUFFER(8);

    buffer_append_text(&buffer, "12345678");
    assert_string_equal(buffer_text(&buffer), "12345678");
    buffer_append_char(&buffer, '9');
    assert_null(buffer_text(&buffer));
    buffer_reset(&buffer);
    buffer_append_text(&buffer, "ok");
    assert_string_equal(buffer_text(&buffer), "ok");
}

static void
json_strings_are_valid_whatever_the_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        const char *expected;
    } cases[] = {
        { "plain", 5, "\"plain\"" },
        { "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
        { "\x01\x7f\n", 3, "\"\\u0001\\u007f\\u000a\"" },
        { "a\0b", 3, "\"a\\u0000b\"" },
        { "\xc3\xa9", 2, "\"\xc3\xa9\"" },
        { "\xc3", 1, "\"\\ufffd\"" },
        { "\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"" }, /* a surrogate */
        { "\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
        { "\xc0\x80", 2, "\"\\ufffd\\ufffd\"" }, /* overlong NUL */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO(buffer) buffer = BUFFER(1024);
        buffer_append_json_string(&buffer, cases[i].text, cases[i].size);
        assert_string_equal(buffer_text(&buffer), cases[i].expected);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_beyond_the_maximum_fails_and_sticks),
        cmocka_unit_test(json_strings_are_valid_whatever_the_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
