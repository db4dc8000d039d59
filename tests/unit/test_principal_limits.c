/* SPDX-License-Identifier: Apache-2.0
 *
 * test_principal_limits.c: connections are counted by principal. */
#include "server/principal_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
each_principal_has_its_own_limit(void **state)
{
    struct principal_limits *limits = principal_limits_open(2);
    struct principal_slot *first = principal_limits_enter(limits, "uri:a");
    struct principal_slot *second = principal_limits_enter(limits, "uri:a");
    struct principal_slot *other = principal_limits_enter(limits, "uri:ab");

    (void)state;
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_non_null(other);
    assert_null(principal_limits_enter(limits, "uri:a"));
    principal_limits_leave(limits, first);
    assert_non_null(principal_limits_enter(limits, "uri:a"));
    assert_null(principal_limits_enter(limits, "uri:a"));
    principal_limits_leave(limits, first);
    principal_limits_leave(limits, first);
    principal_limits_leave(limits, other);
    principal_limits_close(limits);
}

static void
zero_is_no_limit(void **state)
{
    struct principal_limits *limits = principal_limits_open(0);
    struct principal_slot *slot = NULL;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        slot = principal_limits_enter(limits, "cn:a");
        assert_non_null(slot);
    }
    for (int i = 0; i < 1000; i++)
        principal_limits_leave(limits, slot);
    principal_limits_close(limits);
    principal_limits_close(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_principal_has_its_own_limit),
        cmocka_unit_test(zero_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
