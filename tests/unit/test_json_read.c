/* SPDX-License-Identifier: Apache-2.0
 *
 * test_json_read.c: what our reader takes and makes is what the library's own reader does. */
#include "api/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <cmocka.h>

/* A heap copy of the exact size, so that a read beyond it is seen. */
static json_t *
read_copy(const char *text, size_t size, struct json_problem *problem)
{
    char *copy = malloc(size == 0 ? 1 : size);

    assert_non_null(copy);
    memcpy(copy, text, size);
    json_t *value = json_read(copy, size, problem);
    free(copy);
    return value;
}

/* No number here has a fraction: their values differ. */
static void
reads_the_same(const char *text, size_t size)
{
    struct json_problem problem;
    json_t *theirs = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    json_t *ours = read_copy(text, size, &problem);

    if ((ours == NULL) != (theirs == NULL) || (ours != NULL && !json_equal(ours, theirs)))
        fail_msg("differs: %.*s", (int)size, text);
    assert_true((ours == NULL) == (problem.flaw != JSON_FLAW_NONE));
    assert_true(problem.position <= size);
    json_decref(theirs);
    json_decref(ours);
}

static const char *const samples[] = {
    "{}",
    "[]",
    " [ 1 , -2 ] ",
    "{\"a\":{\"b\":[null,true,false]},\"c\":\"\"}",
    "0",
    "-0",
    "9223372036854775807",
    "-9223372036854775808",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf\"",
    "{\"trafficTyp\\u0065\":\"tunnel\"}",
    "\t{\r\n\"a\" : [ ] }\n",
    "[[[[1]]]]",
    "\"\x7f\"",
};

static void
good_texts_read_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        struct json_problem problem;
        json_t *value = read_copy(samples[i], strlen(samples[i]), &problem);
        assert_non_null(value);
        json_decref(value);
        reads_the_same(samples[i], strlen(samples[i]));
    }
}

struct flawed {
    const char *text;
    enum json_flaw flaw;
    size_t position;
};

static const struct flawed flawed[] = {
    { "", JSON_FLAW_SYNTAX, 0 },
    { " ", JSON_FLAW_SYNTAX, 1 },
    { "{", JSON_FLAW_SYNTAX, 1 },
    { "{\"a\"", JSON_FLAW_SYNTAX, 4 },
    { "{\"a\":", JSON_FLAW_SYNTAX, 5 },
    { "{\"a\":1", JSON_FLAW_SYNTAX, 6 },
    { "{\"a\":1,}", JSON_FLAW_SYNTAX, 7 },
    { "{\"a\" 1}", JSON_FLAW_SYNTAX, 5 },
    { "{1:1}", JSON_FLAW_SYNTAX, 1 },
    { "{}}", JSON_FLAW_SYNTAX, 2 },
    { "[1,]", JSON_FLAW_SYNTAX, 3 },
    { "[1 2]", JSON_FLAW_SYNTAX, 3 },
    { "[1}", JSON_FLAW_SYNTAX, 2 },
    { "tru", JSON_FLAW_SYNTAX, 0 },
    { "True", JSON_FLAW_SYNTAX, 0 },
    { "nullx", JSON_FLAW_SYNTAX, 4 },
    { "01", JSON_FLAW_SYNTAX, 1 },
    { "-", JSON_FLAW_SYNTAX, 0 },
    { "+1", JSON_FLAW_SYNTAX, 0 },
    { ".5", JSON_FLAW_SYNTAX, 0 },
    { "1.", JSON_FLAW_SYNTAX, 2 },
    { "1e", JSON_FLAW_SYNTAX, 2 },
    { "1e+", JSON_FLAW_SYNTAX, 3 },
    { "0x1", JSON_FLAW_SYNTAX, 1 },
    { "NaN", JSON_FLAW_SYNTAX, 0 },
    { "\"", JSON_FLAW_SYNTAX, 1 },
    { "\"\\", JSON_FLAW_SYNTAX, 2 },
    { "\"\\\"", JSON_FLAW_SYNTAX, 3 },
    { "\"a\nb\"", JSON_FLAW_SYNTAX, 2 },
    { "\"\\x\"", JSON_FLAW_SYNTAX, 1 },
    { "\"\\u12\"", JSON_FLAW_SYNTAX, 1 },
    { "\"\\u12g4\"", JSON_FLAW_SYNTAX, 1 },
    { "\"\\ud800\"", JSON_FLAW_SYNTAX, 1 },
    { "\"\\ud800\\u0041\"", JSON_FLAW_SYNTAX, 1 },
    { "\"\\udc00\"", JSON_FLAW_SYNTAX, 1 },
    { "'a'", JSON_FLAW_SYNTAX, 0 },
    { "\xef\xbb\xbf{}", JSON_FLAW_SYNTAX, 0 },
    { "[1]/**/", JSON_FLAW_SYNTAX, 3 },
    { "\"\\u0000\"", JSON_FLAW_NUL, 1 },
    { "{\"a\\u0000\":1}", JSON_FLAW_NUL, 3 },
    { "{\"a\":1,\"a\":2}", JSON_FLAW_DUPLICATE, 10 },
    { "{\"a\":1,\"\\u0061\":2}", JSON_FLAW_DUPLICATE, 15 },
    { "9223372036854775808", JSON_FLAW_RANGE, 19 },
    { "-9223372036854775809", JSON_FLAW_RANGE, 20 },
    { "18446744073709551616", JSON_FLAW_RANGE, 20 },
    { "99999999999999999999999999", JSON_FLAW_RANGE, 26 },
    { "\"\x80\"", JSON_FLAW_UTF8, 1 },
    { "\"\xc0\xaf\"", JSON_FLAW_UTF8, 1 },         /* overlong */
    { "\"\xe0\x80\xaf\"", JSON_FLAW_UTF8, 1 },     /* overlong */
    { "\"\xf0\x80\x80\xaf\"", JSON_FLAW_UTF8, 1 }, /* overlong */
    { "\"\xed\xa0\x80\"", JSON_FLAW_UTF8, 1 },     /* a surrogate */
    { "\"\xf4\x90\x80\x80\"", JSON_FLAW_UTF8, 1 }, /* beyond U+10FFFF */
    { "\"\xf5\x80\x80\x80\"", JSON_FLAW_UTF8, 1 },
    { "\"\xc3\"", JSON_FLAW_UTF8, 1 },
    { "\"\xe2\x82", JSON_FLAW_UTF8, 1 },
};

static void
each_flaw_is_told_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof flawed / sizeof *flawed; i++) {
        struct json_problem problem;

        assert_null(read_copy(flawed[i].text, strlen(flawed[i].text), &problem));
        if (problem.flaw != flawed[i].flaw || problem.position != flawed[i].position)
            fail_msg("%s: flaw %d at %zu", flawed[i].text, (int)problem.flaw, problem.position);
        reads_the_same(flawed[i].text, strlen(flawed[i].text));
    }
}

static void
numbers_with_a_fraction_are_noted_as_such(void **state)
{
    static const char *const numbers[] = { "0.5", "-1.25e+10", "1E5", "0e0", "1e999" };

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct json_problem problem;
        json_t *value = read_copy(numbers[i], strlen(numbers[i]), &problem);
        assert_true(json_is_real(value));
        json_decref(value);
    }
}

static void
nesting_ends_somewhere(void **state)
{
    char text[2 * JSON_READ_DEPTH + 2];
    struct json_problem problem;

    (void)state;
    memset(text, '[', JSON_READ_DEPTH);
    memset(text + JSON_READ_DEPTH, ']', JSON_READ_DEPTH);
    json_t *value = read_copy(text, sizeof text - 2, &problem);
    assert_non_null(value);
    json_decref(value);

    memset(text, '[', JSON_READ_DEPTH + 1);
    assert_null(read_copy(text, JSON_READ_DEPTH + 1, &problem));
    assert_int_equal(problem.flaw, JSON_FLAW_DEPTH);
    assert_int_equal(problem.position, JSON_READ_DEPTH);
}

static void
a_nul_is_no_space(void **state)
{
    (void)state;
    reads_the_same("\0", 1);
    reads_the_same("{}\0", 3);
    reads_the_same("\"a\0b\"", 5);
    reads_the_same("\"\\\0\"", 4);
    reads_the_same("[\0]", 3);
}

/* Samples with bytes changed, taken out and doubled, from a fixed seed. */
static void
broken_texts_read_the_same(void **state)
{
    static const char bytes[] = "{}[]:,\"\\u0019eE+-. \n\x01\x80\xc3\xe2\xf0/tfn";
    uint32_t seed = 12345;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[128];
        const char *sample = samples[(size_t)round % (sizeof samples / sizeof *samples)];
        size_t size = strlen(sample);

        memcpy(text, sample, size);
        for (int i = 0; i <= round % 3 && size > 1; i++) {
            seed = seed * 1664525 + 1013904223;
            size_t place = (seed >> 8) % size;
            char byte = bytes[(seed >> 4) % (sizeof bytes - 1)];

            if (seed >> 30 == 0) {
                memmove(text + place, text + place + 1, --size - place);
            } else if (seed >> 30 == 1) {
                memmove(text + place + 1, text + place, size - place);
                text[place] = byte;
                size++;
            } else {
                text[place] = byte;
            }
        }
        /* Numbers with a fraction read as 0. */
        if (memchr(text, '.', size) == NULL && memchr(text, 'e', size) == NULL &&
            memchr(text, 'E', size) == NULL)
            reads_the_same(text, size);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_texts_read_the_same),
        cmocka_unit_test(each_flaw_is_told_with_its_place),
        cmocka_unit_test(numbers_with_a_fraction_are_noted_as_such),
        cmocka_unit_test(nesting_ends_somewhere),
        cmocka_unit_test(a_nul_is_no_space),
        cmocka_unit_test(broken_texts_read_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
