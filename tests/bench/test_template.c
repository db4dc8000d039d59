/* SPDX-License-Identifier: Apache-2.0
 *
 * test_template.c: what the load generator sends. */
#include "tests/bench/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
a_text_with_too_many_fields_is_refused(void **state)
{
    (void)state;
    char text[TEMPLATE_PIECES_MAX * 3 + 1] = "";
    struct template template;

    for (size_t i = 0; i < TEMPLATE_PIECES_MAX; i++)
        memcpy(text + i * 3, "{i}", 4);
    assert_false(template_parse(text, &template));
    text[(TEMPLATE_PIECES_MAX - 1) * 3] = '\0';
    assert_true(template_parse(text, &template));
}

static void
fields_are_replaced_and_other_braces_stay(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t number;
        const char *expected;
    } cases[] = {
        { "", 1, "" },
        { "{\"a\": {}}", 1, "{\"a\": {}}" },
        { "{j}{i", 1, "{j}{i" },
        { "{i}", 0, "0" },
        { "{i}", UINT64_MAX, "18446744073709551615" },
        { "{{i}}", 12, "{12}" },
        { "{i}{i}x", 9, "99x" },
        { "{\"remoteAddress\": \"{addr}\"}", 257, "{\"remoteAddress\": \"10.0.1.1\"}" },
        { "{addr}", 0xffffff, "10.255.255.255" },
        { "{key}", 0, "AAAAAAAAAAA=" },
        { "{key}", 1, "AAAAAAAAAAE=" },
        { "{key}", UINT64_C(0x0102030405060708), "AQIDBAUGBwg=" },
        { "{key}", UINT64_MAX, "//////////8=" },
        { "{\"spi\":{kept}}", 5, "{\"spi\":3735928559}" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct template template;

        assert_true(template_parse(cases[i].text, &template));
        char *bytes = malloc(template.size_max);
        assert_non_null(bytes);
        size_t size = template_render(&template, cases[i].number, 3735928559, bytes);
        assert_int_equal(size, strlen(cases[i].expected));
        assert_memory_equal(bytes, cases[i].expected, size);
        free(bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_with_too_many_fields_is_refused),
        cmocka_unit_test(fields_are_replaced_and_other_braces_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
