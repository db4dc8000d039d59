/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cursor.c: cursors survive a round trip and nothing else. */
#include "api/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/types.h"

static struct cursor_scope
scope_of(const char *text)
{
    struct cursor_scope scope = { .size = 0 };

    cursor_scope_add(&scope, text, strlen(text));
    return scope;
}

static void
an_id_comes_back(void **state)
{
    static const uint64_t ids[] = { 1, 255, 256, IPSEC_LUID_MAX };
    struct cursor_scope scope = scope_of("c");

    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char text[CURSOR_TEXT_SIZE];
        uint64_t id = 0;
        cursor_encode(ids[i], &scope, text);
        assert_int_equal(strlen(text), CURSOR_TEXT_SIZE - 1);
        assert_true(cursor_decode(text, &scope, &id));
        assert_int_equal(id, ids[i]);
    }
}

static void
every_altered_character_is_noticed(void **state)
{
    static const char others[] = "AQgw5-_z=+/ %\x7f";
    struct cursor_scope scope = scope_of("c");
    char text[CURSOR_TEXT_SIZE];
    uint64_t id;

    (void)state;
    cursor_encode(1234567, &scope, text);
    for (size_t i = 0; i < CURSOR_TEXT_SIZE - 1; i++) {
        const char original = text[i];
        for (const char *other = others; *other != '\0'; other++) {
            text[i] = *other;
            assert_true(*other == original || !cursor_decode(text, &scope, &id));
        }
        text[i] = original;
    }
    assert_true(cursor_decode(text, &scope, &id));
}

static void
other_filters_lengths_and_ids_are_refused(void **state)
{
    struct cursor_scope scope = scope_of("c1");
    struct cursor_scope other = scope_of("c2");
    char text[CURSOR_TEXT_SIZE];
    char longer[CURSOR_TEXT_SIZE + 1];
    uint64_t id;

    (void)state;
    cursor_encode(7, &scope, text);
    assert_false(cursor_decode(text, &other, &id));
    assert_false(cursor_decode("", &scope, &id));
    (void)snprintf(longer, sizeof longer, "%sA", text);
    assert_false(cursor_decode(longer, &scope, &id));
    text[CURSOR_TEXT_SIZE - 2] = '\0';
    assert_false(cursor_decode(text, &scope, &id));
    cursor_encode(0, &scope, text);
    assert_false(cursor_decode(text, &scope, &id));
    cursor_encode(IPSEC_LUID_MAX + 1, &scope, text);
    assert_false(cursor_decode(text, &scope, &id));
}

static void
filters_of_any_length_are_told_apart(void **state)
{
    uint8_t filter[300] = { 0 };
    char text[CURSOR_TEXT_SIZE];
    uint64_t id;

    (void)state;
    for (size_t size = 1; size < sizeof filter; size++) {
        struct cursor_scope scope = scope_of("c");
        struct cursor_scope other = scope_of("c");
        struct cursor_scope shorter = scope_of("c");

        cursor_scope_add(&scope, filter, size);
        cursor_scope_add(&shorter, filter, size - 1);
        cursor_encode(7, &scope, text);
        assert_true(cursor_decode(text, &scope, &id));
        assert_false(cursor_decode(text, &shorter, &id));
        filter[size - 1] = 1;
        cursor_scope_add(&other, filter, size);
        filter[size - 1] = 0;
        assert_false(cursor_decode(text, &other, &id));
        cursor_scope_add(&scope, filter, 1);
        assert_false(cursor_decode(text, &scope, &id));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_comes_back),
        cmocka_unit_test(every_altered_character_is_noticed),
        cmocka_unit_test(other_filters_lengths_and_ids_are_refused),
        cmocka_unit_test(filters_of_any_length_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
