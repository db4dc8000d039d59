/* SPDX-License-Identifier: Apache-2.0
 *
 * test_xfrm_udp.c: a port for ESP in UDP is open as long as an SA hears on it, and no longer.  Left
 * out where a socket may not ask for ESP. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "engine/plane/xfrm_udp.h"

#define PORT 4500

/* In a network namespace of the test's own. */
static void
begin(struct xfrm_udp *udp)
{
    int error = 0;

    if (unshare(CLONE_NEWNET) != 0)
        skip();
    xfrm_udp_init(udp, NETWORK_HERE, NULL);
    error = xfrm_udp_open(udp, PORT, 1);
    if (error == EPERM || error == ENOPROTOOPT || error == EOPNOTSUPP) {
        xfrm_udp_close(udp);
        skip();
    }
    assert_int_equal(error, 0);
    xfrm_udp_tidy(udp);
}

/* Of somebody else; -1: the port is taken. */
static int
bind_port(uint16_t port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    return -1;
}

static bool
is_open(uint16_t port)
{
    int fd = bind_port(port);

    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static void
use(struct xfrm_udp *udp, uint64_t key, uint16_t port)
{
    assert_int_equal(xfrm_udp_open(udp, port, 1), 0);
    xfrm_udp_use(udp, key, port);
}

static void
a_port_is_open_until_its_last_user_leaves(void **state)
{
    (void)state;
    struct xfrm_udp udp;

    begin(&udp);
    assert_false(is_open(PORT));
    use(&udp, 1, PORT);
    use(&udp, 2, PORT);
    xfrm_udp_leave(&udp, 1);
    xfrm_udp_tidy(&udp);
    assert_true(is_open(PORT));
    /* Twice is once; who never came does not leave. */
    xfrm_udp_leave(&udp, 1);
    xfrm_udp_leave(&udp, 3);
    xfrm_udp_tidy(&udp);
    assert_true(is_open(PORT));
    xfrm_udp_leave(&udp, 2);
    assert_true(is_open(PORT));
    xfrm_udp_tidy(&udp);
    assert_false(is_open(PORT));
    xfrm_udp_close(&udp);
}

static void
what_nobody_came_to_use_is_closed(void **state)
{
    (void)state;
    struct xfrm_udp udp;

    begin(&udp);
    assert_int_equal(xfrm_udp_open(&udp, PORT, 1), 0);
    assert_true(is_open(PORT));
    xfrm_udp_tidy(&udp);
    assert_false(is_open(PORT));
    xfrm_udp_close(&udp);
}

static void
a_user_that_changes_its_port_hears_on_the_one_before_too(void **state)
{
    (void)state;
    struct xfrm_udp udp;

    begin(&udp);
    use(&udp, 1, PORT);
    use(&udp, 1, PORT + 1);
    /* The same again. */
    use(&udp, 1, PORT + 1);
    xfrm_udp_tidy(&udp);
    assert_true(is_open(PORT));
    assert_true(is_open(PORT + 1));
    /* To and fro. */
    use(&udp, 1, PORT);
    assert_int_equal(udp.users.count, 2);
    xfrm_udp_leave(&udp, 1);
    xfrm_udp_tidy(&udp);
    assert_false(is_open(PORT));
    assert_false(is_open(PORT + 1));

    /* One that never settles down leaves room for others. */
    for (uint16_t i = 0; i < 3 * XFRM_UDP_PORTS_MAX; i++)
        use(&udp, 1, (uint16_t)(PORT + i));
    use(&udp, 2, PORT - 1);
    assert_true(is_open(PORT - 1));
    assert_true(is_open(PORT + 3 * XFRM_UDP_PORTS_MAX - 1));
    assert_false(is_open(PORT));
    xfrm_udp_close(&udp);
    assert_false(is_open(PORT - 1));
}

static void
users_that_are_not_there_are_gone(void **state)
{
    (void)state;
    enum { USERS = 500 };
    struct xfrm_udp udp;
    struct number_map there;

    begin(&udp);
    number_map_init(&there);
    for (uint64_t key = 1; key <= USERS; key++)
        use(&udp, key, key % 2 == 0 ? PORT : PORT + 1);
    assert_true(number_map_reserve(&there, USERS));
    for (uint64_t key = 1; key <= USERS; key += 2)
        number_map_add(&there, key, 1);
    xfrm_udp_retain(&udp, &there);
    xfrm_udp_tidy(&udp);
    assert_false(is_open(PORT));
    assert_true(is_open(PORT + 1));
    assert_int_equal(udp.users.count, USERS / 2);
    number_map_clear(&there);
    xfrm_udp_retain(&udp, &there);
    xfrm_udp_tidy(&udp);
    assert_false(is_open(PORT + 1));
    xfrm_udp_close(&udp);
}

static void
there_are_so_many_ports_at_a_time(void **state)
{
    (void)state;
    struct xfrm_udp udp;

    begin(&udp);
    for (uint16_t i = 0; i < XFRM_UDP_PORTS_MAX; i++)
        use(&udp, 1U + i, (uint16_t)(PORT + i));
    assert_int_equal(xfrm_udp_open(&udp, PORT - 1, 1), EMFILE);
    use(&udp, 1000, PORT); /* one that is open */
    xfrm_udp_leave(&udp, 2);
    xfrm_udp_tidy(&udp);
    use(&udp, 1001, PORT - 1);
    assert_true(is_open(PORT - 1));
    assert_false(is_open(PORT + 1));
    xfrm_udp_close(&udp);
}

static void
a_port_of_another_program_is_left_to_it(void **state)
{
    (void)state;
    struct xfrm_udp udp;
    int fd = -1;

    begin(&udp);
    fd = bind_port(PORT);
    assert_true(fd >= 0);
    use(&udp, 1, PORT);
    xfrm_udp_leave(&udp, 1);
    xfrm_udp_tidy(&udp);
    close(fd);
    assert_false(is_open(PORT));
    /* That it was taken is not remembered. */
    use(&udp, 2, PORT);
    assert_true(is_open(PORT));
    xfrm_udp_close(&udp);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_open_until_its_last_user_leaves),
        cmocka_unit_test(what_nobody_came_to_use_is_closed),
        cmocka_unit_test(a_user_that_changes_its_port_hears_on_the_one_before_too),
        cmocka_unit_test(users_that_are_not_there_are_gone),
        cmocka_unit_test(there_are_so_many_ports_at_a_time),
        cmocka_unit_test(a_port_of_another_program_is_left_to_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
