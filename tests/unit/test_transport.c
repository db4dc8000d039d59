/* SPDX-License-Identifier: Apache-2.0
 *
 * test_transport.c: whether there is something to read is known before GnuTLS is asked, and nothing
 * that came is lost by that. */
#include "server/transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "server/connection.h"
#include "server/library_wrap.h"

struct world {
    struct connection_pool pool;
    struct connection connection;
    int peer;
};

static int
setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    int fds[2];

    assert_non_null(world);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    world->connection.pool = &world->pool;
    world->connection.fd = fds[0];
    world->connection.phase = CONNECTION_IDLE;
    world->peer = fds[1];
    assert_int_equal(gnutls_init(&world->connection.session, GNUTLS_SERVER | GNUTLS_NONBLOCK), 0);
    transport_attach(world->connection.session, &world->connection);
    *state = world;
    return 0;
}

static int
teardown(void **state)
{
    struct world *world = *state;

    gnutls_deinit(world->connection.session);
    close(world->connection.fd);
    if (world->peer >= 0)
        close(world->peer);
    free(world);
    return 0;
}

static void
nothing_came(void **state)
{
    struct world *world = *state;

    assert_false(library_has_input(world->connection.session));
    assert_false(world->pool.progress);
    assert_int_equal(world->connection.phase, CONNECTION_IDLE);
}

static void
what_came_begins_a_request_and_is_kept(void **state)
{
    struct world *world = *state;
    gnutls_session_t session = world->connection.session;

    assert_int_equal(write(world->peer, "hello", 5), 5);
    assert_true(library_has_input(session));
    assert_true(library_has_input(session));
    assert_true(world->pool.progress);
    assert_int_equal(world->connection.phase, CONNECTION_HEADER);
    assert_int_equal(world->connection.ahead_end - world->connection.ahead_start, 5);
    assert_memory_equal(world->connection.ahead + world->connection.ahead_start, "hello", 5);
    /* More waits in the socket, not in the place of what came first. */
    assert_int_equal(write(world->peer, " again", 6), 6);
    assert_true(library_has_input(session));
    assert_memory_equal(world->connection.ahead + world->connection.ahead_start, "hello", 5);
}

/* A record of a handshake that nobody could have sent: GnuTLS reads it through the same functions
 * and takes what was read ahead first. */
static void
gnutls_gets_what_was_read_ahead(void **state)
{
    struct world *world = *state;
    gnutls_session_t session = world->connection.session;
    static const char junk[] = "\x16\x03\x01\x00\x04junk";

    assert_int_equal(gnutls_set_default_priority(session), 0);
    assert_int_equal(write(world->peer, junk, sizeof junk - 1), sizeof junk - 1);
    assert_true(library_has_input(session));
    /* As after an answer, when it came in one piece with the request before. */
    world->connection.phase = CONNECTION_IDLE;
    world->pool.progress = false;
    assert_true(gnutls_handshake(session) < 0);
    assert_int_equal(world->connection.ahead_start, world->connection.ahead_end);
    assert_int_equal(world->connection.phase, CONNECTION_HEADER);
    assert_true(world->pool.progress);
}

static void
the_end_and_a_cut_are_for_gnutls_to_find(void **state)
{
    struct world *world = *state;
    gnutls_session_t session = world->connection.session;

    close(world->peer);
    world->peer = -1;
    assert_true(library_has_input(session));
    assert_true(library_has_input(session));
    world->connection.cut = true;
    assert_true(library_has_input(session));
}

static void
a_session_without_a_connection_fails_in_gnutls(void **state)
{
    struct world *world = *state;

    transport_attach(world->connection.session, NULL);
    assert_true(library_has_input(world->connection.session));
    assert_true(gnutls_record_recv(world->connection.session, (char[1]){ 0 }, 1) < 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_came, setup, teardown),
        cmocka_unit_test_setup_teardown(what_came_begins_a_request_and_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(gnutls_gets_what_was_read_ahead, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_and_a_cut_are_for_gnutls_to_find, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_without_a_connection_fails_in_gnutls, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
