/* SPDX-License-Identifier: Apache-2.0
 *
 * test_luid.c: identifiers ascend and end. */
#include "engine/luid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/types.h"

static void
identifiers_begin_at_one_and_ascend(void **state)
{
    (void)state;
    struct luid_sequence sequence = { .last = 0 };

    for (uint64_t expected = 1; expected < 1000; expected++) {
        uint64_t id = 0;

        assert_true(luid_next(&sequence, &id));
        assert_int_equal(id, expected);
    }
}

static void
the_last_identifier_is_two_to_the_53_less_one(void **state)
{
    (void)state;
    struct luid_sequence sequence = { .last = IPSEC_LUID_MAX - 1 };
    uint64_t id = 0;

    assert_true(luid_next(&sequence, &id));
    assert_int_equal(id, (UINT64_C(1) << 53) - 1);
    assert_false(luid_next(&sequence, &id));
    assert_int_equal(sequence.last, IPSEC_LUID_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers_begin_at_one_and_ascend),
        cmocka_unit_test(the_last_identifier_is_two_to_the_53_less_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
