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

/* Wherever a byte stands in a long text it comes out as it does alone. */
static void
each_byte_is_seen_at_each_place(void **state)
{
    (void)state;
    for (unsigned int byte = 0; byte < 256; byte++) {
        const char alone[] = { (char)byte };
        AUTO(buffer) expected = BUFFER(64);

        buffer_append_json_string(&expected, alone, 1);
        for (size_t place = 0; place < 19; place++) {
            char text[19];
            AUTO(buffer) buffer = BUFFER(64);
            AUTO(buffer) whole = BUFFER(64);

            memset(text, 'a', sizeof text);
            text[place] = (char)byte;
            buffer_append_json_string(&buffer, text, sizeof text);
            buffer_append_char(&whole, '"');
            buffer_append(&whole, "aaaaaaaaaaaaaaaaaaa", place);
            buffer_append(&whole, expected.data + 1, expected.size - 2);
            buffer_append(&whole, "aaaaaaaaaaaaaaaaaaa", sizeof text - 1 - place);
            buffer_append_char(&whole, '"');
            assert_string_equal(buffer_text(&buffer), buffer_text(&whole));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_beyond_the_maximum_fails_and_sticks),
        cmocka_unit_test(json_strings_are_valid_whatever_the_bytes),
        cmocka_unit_test(each_byte_is_seen_at_each_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
