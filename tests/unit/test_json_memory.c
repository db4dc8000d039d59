/* SPDX-License-Identifier: Apache-2.0
 *
 * test_json_memory.c: trees of any size, again and again, in several threads. */
#include "api/json_memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <cmocka.h>

/* An object of 'count' members, parsed, read and printed again. */
static bool
round_trip(int count)
{
    char text[65536] = "{";
    size_t length = 1;

    for (int i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "%s\"name-%d\": \"value-%d\"", i == 0 ? "" : ", ", i, i);
    (void)snprintf(text + length, sizeof text - length, "}");
    json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    char *printed = json_dumps(tree, JSON_PRESERVE_ORDER);
    bool same = printed != NULL && strcmp(printed, text) == 0;

    if (printed != NULL) {
        void (*release)(void *);
        json_get_alloc_funcs(NULL, &release);
        release(printed);
    }
    json_decref(tree);
    return same;
}

static void *
many_round_trips(void *result)
{
    for (int i = 0; i < 200; i++) {
        if (!round_trip(i * 7 % 900))
            return NULL;
    }
    return result;
}

static void
trees_survive_whatever_their_size(void **state)
{
    (void)state;
    assert_true(round_trip(0));
    assert_true(round_trip(5));
    assert_true(round_trip(1500)); /* far beyond the arena */
    assert_non_null(many_round_trips(state));
}

static void
threads_do_not_meet(void **state)
{
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_round_trips, state), 0);
    for (size_t i = 0; i < 4; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_survive_whatever_their_size),
        cmocka_unit_test(threads_do_not_meet),
    };

    json_memory_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
