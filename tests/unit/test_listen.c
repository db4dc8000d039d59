/* SPDX-License-Identifier: Apache-2.0
 *
 * test_listen.c: addresses that are taken and refused, and sharing one's own but nobody else's. */
#include "server/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
addresses_are_numeric_with_a_port(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family; /* 0: refused */
    } cases[] = {
        { "127.0.0.1:8443", AF_INET },
        { "0.0.0.0:0", AF_INET },
        { "[::]:8443", AF_INET6 },
        { "[2001:db8::1]:65535", AF_INET6 },
        { "", 0 },
        { ":8443", 0 },
        { "127.0.0.1", 0 },
        { "127.0.0.1:", 0 },
        { "127.0.0.1:65536", 0 },
        { "127.0.0.1:99999999999", 0 },
        { "127.0.0.1:-1", 0 },
        { "127.0.0.1:8443x", 0 },
        { "localhost:8443", 0 },
        { "::1:8443", 0 },
        { "[::1]", 0 },
        { "[::1:8443", 0 },
        { "[127.0.0.1]:8443", 0 },
        { "[::g]:1", 0 },
        { "127.0.0.01:1", 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sockaddr_storage address;
        socklen_t size = 0;
        struct ipsec_fault fault = { 0 };
        enum ipsec_status status = listen_parse("listen", cases[i].text, &address, &size, &fault);

        if ((status == IPSEC_OK) != (cases[i].family != 0))
            fail_msg("'%s': %s", cases[i].text, ipsec_status_name(status));
        if (status == IPSEC_OK)
            assert_int_equal(address.ss_family, cases[i].family);
        else
            assert_non_null(strstr(fault.detail, cases[i].text));
    }
}

static void
sockets_share_an_address_that_nobody_else_has(void **state)
{
    (void)state;
    struct ipsec_fault fault = { 0 };
    char address[LISTEN_TEXT_SIZE];
    char other[LISTEN_TEXT_SIZE];
    int fds[3];
    int more = -1;

    assert_int_equal(listen_open("listen", "127.0.0.1:0", 3, false, fds, &fault), IPSEC_OK);
    listen_describe(fds[0], address);
    for (size_t i = 1; i < 3; i++) {
        listen_describe(fds[i], other);
        assert_string_equal(other, address);
    }
    assert_int_equal(listen_open("ops-listen", address, 1, false, &more, &fault),
                     IPSEC_RPC_SYS_CALL_FAILED);
    assert_non_null(strstr(fault.detail, address));
    assert_string_equal(fault.pointer, "ops-listen");

    /* So is it with a probe, which says that this is all. */
    bool is_taken = false;
    assert_int_equal(listen_probe("listen", address, &is_taken, &fault), IPSEC_RPC_SYS_CALL_FAILED);
    assert_true(is_taken);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
    assert_int_equal(listen_probe("listen", address, &is_taken, &fault), IPSEC_OK);
    assert_false(is_taken);
    /* For documentation (RFC 5737): nobody's. */
    assert_int_equal(listen_probe("listen", "192.0.2.1:0", &is_taken, &fault),
                     IPSEC_RPC_SYS_CALL_FAILED);
    assert_false(is_taken);
    assert_non_null(strstr(fault.detail, "no interface of this host has the address"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_numeric_with_a_port),
        cmocka_unit_test(sockets_share_an_address_that_nobody_else_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
