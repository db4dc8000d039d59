/* SPDX-License-Identifier: Apache-2.0
 *
 * test_codec_list.c: lists of names in refusals hold whole names, and say when some are left out.
 */
#include "api/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char rest[] = ", … (/openapi.json has all)";

static struct codec_list
list_of(size_t count, const char *name)
{
    struct codec_list list = { .length = 0 };

    for (size_t i = 0; i < count; i++)
        codec_list_name(&list, name);
    assert_int_equal(strlen(list.text), list.length);
    return list;
}

static void
names_have_commas_between(void **state)
{
    (void)state;
    assert_string_equal(list_of(0, "").text, "");
    assert_string_equal(list_of(1, "equal").text, "equal");
    assert_string_equal(list_of(3, "v4").text, "v4, v4, v4");
}

static void
what_does_not_fit_is_left_out_whole(void **state)
{
    char name[CODEC_LIST_SIZE + 1];

    (void)state;
    for (size_t length = 1; length < sizeof name; length++) {
        memset(name, 'x', length);
        name[length] = '\0';
        const struct codec_list list = list_of(CODEC_LIST_SIZE, name);
        size_t place = 0;

        assert_true(list.is_full);
        while (strncmp(list.text + place, name, length) == 0) {
            place += length;
            if (strcmp(list.text + place, rest) == 0)
                break;
            assert_memory_equal(list.text + place, ", ", 2);
            place += 2;
        }
        assert_string_equal(list.text + place, place == 0 ? rest + 2 : rest);
    }
}

static void
after_the_end_nothing_is_added(void **state)
{
    struct codec_list list = list_of(CODEC_LIST_SIZE, "longish");
    const struct codec_list before = list;

    (void)state;
    codec_list_name(&list, "a");
    assert_string_equal(list.text, before.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_commas_between),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
        cmocka_unit_test(after_the_end_nothing_is_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
