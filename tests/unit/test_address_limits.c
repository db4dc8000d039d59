/* SPDX-License-Identifier: Apache-2.0
 *
 * test_address_limits.c: connections are counted in all, by address and by unfinished handshake. */
#include "server/address_limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

static struct sockaddr_storage
address_of(const char *text)
{
    struct sockaddr_storage storage = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    else
        fail_msg("%s", text);
    return storage;
}

static bool
allows(struct address_limits *limits, const char *text)
{
    struct sockaddr_storage address = address_of(text);

    return address_limits_allow(limits, (const struct sockaddr *)&address);
}

static struct address_slot *
enter(struct address_limits *limits, const char *text)
{
    struct sockaddr_storage address = address_of(text);

    return address_limits_enter(limits, (const struct sockaddr *)&address);
}

static void
the_limit_in_all_holds(void **state)
{
    (void)state;
    struct address_limits *limits = address_limits_open(2, 0, 10);
    struct address_slot *first = enter(limits, "192.0.2.1");

    assert_true(allows(limits, "192.0.2.2"));
    struct address_slot *second = enter(limits, "192.0.2.2");
    assert_false(allows(limits, "192.0.2.3"));
    assert_int_equal(address_limits_connections(limits), 2);
    address_limits_leave(limits, first, true);
    assert_true(allows(limits, "192.0.2.3"));
    address_limits_leave(limits, second, true);
    assert_int_equal(address_limits_connections(limits), 0);
    address_limits_close(limits);
}

static void
one_address_has_its_own_limit(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        const char *second;
        bool same;
    } cases[] = {
        { "192.0.2.1", "192.0.2.1", true },          { "192.0.2.1", "192.0.2.2", false },
        { "192.0.2.1", "::ffff:192.0.2.1", true },   /* on a dual-stack socket */
        { "2001:db8::1", "2001:db8::ffff:1", true }, /* one /64, one host */
        { "2001:db8::1", "2001:db8:0:1::1", false },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address_limits *limits = address_limits_open(100, 1, 10);
        struct address_slot *slot = enter(limits, cases[i].first);

        if (allows(limits, cases[i].second) == cases[i].same)
            fail_msg("%s, %s", cases[i].first, cases[i].second);
        address_limits_leave(limits, slot, true);
        assert_true(allows(limits, cases[i].second));
        address_limits_close(limits);
    }
}

static void
unfinished_handshakes_are_limited(void **state)
{
    (void)state;
    struct address_limits *limits = address_limits_open(100, 0, 2);
    struct address_slot *first = enter(limits, "192.0.2.1");
    struct address_slot *second = enter(limits, "192.0.2.1");

    assert_false(allows(limits, "192.0.2.1"));
    assert_true(allows(limits, "192.0.2.2"));
    address_limits_handshake_done(limits, first);
    assert_true(allows(limits, "192.0.2.1"));
    address_limits_leave(limits, second, true);
    address_limits_leave(limits, first, false);
    address_limits_close(limits);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_in_all_holds),
        cmocka_unit_test(one_address_has_its_own_limit),
        cmocka_unit_test(unfinished_handshakes_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
