/* SPDX-License-Identifier: Apache-2.0
 *
 * transport.c: see transport.h. */
#include "server/transport.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include <sys/socket.h>

#include "server/connection.h"
#include "server/library_wrap.h"

static ssize_t pull(gnutls_transport_ptr_t pointer, void *data, size_t size);
static ssize_t read_ahead(struct connection *connection);
static ssize_t note_read(struct connection *connection, ssize_t count);
static ssize_t take_ahead(struct connection *connection, void *data, size_t size);
static void note_bytes(struct connection *connection);
static ssize_t push(gnutls_transport_ptr_t pointer, const giovec_t *vector, int count);
static int pull_timeout(gnutls_transport_ptr_t pointer, unsigned int milliseconds);

void
transport_attach(gnutls_session_t session, struct connection *connection)
{
    gnutls_transport_set_ptr(session, connection);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_vec_push_function(session, push);
    gnutls_transport_set_pull_timeout_function(session, pull_timeout);
}

bool
library_has_input(gnutls_session_t session)
{
    struct connection *connection = gnutls_transport_get_ptr(session);

    if (connection == NULL || connection->cut || connection->ahead_start < connection->ahead_end ||
        gnutls_record_check_pending(session) > 0)
        return true;
    /* The end of the stream and errors are for GnuTLS to find again. */
    return read_ahead(connection) >= 0 || errno != EAGAIN;
}

static ssize_t
pull(gnutls_transport_ptr_t pointer, void *data, size_t size)
{
    struct connection *connection = pointer;

    /* What is left in the socket of a connection that was cut is not looked at. */
    if (connection == NULL || connection->cut) {
        errno = ECONNABORTED;
        return -1;
    }
    ssize_t count = take_ahead(connection, data, size);
    if (count == 0 && size >= sizeof connection->ahead) {
        count = note_read(connection, recv(connection->fd, data, size, 0));
    } else if (count == 0) {
        count = read_ahead(connection);
        if (count > 0)
            count = take_ahead(connection, data, size);
    }
    return count;
}

/* As recv(), into the empty place for bytes that were not asked for yet. */
static ssize_t
read_ahead(struct connection *connection)
{
    ssize_t count =
        note_read(connection, recv(connection->fd, connection->ahead, sizeof connection->ahead, 0));

    connection->ahead_start = 0;
    connection->ahead_end = (uint16_t)(count > 0 ? count : 0);
    return count;
}

static ssize_t
note_read(struct connection *connection, ssize_t count)
{
    connection->socket_empty = count < 0;
    if (count == 0)
        connection->pool->progress = true;
    else if (count > 0)
        note_bytes(connection);
    return count;
}

/* Bytes that an earlier system call brought; 0 when there are none. */
static ssize_t
take_ahead(struct connection *connection, void *data, size_t size)
{
    size_t there = (size_t)(connection->ahead_end - connection->ahead_start);
    size_t taken = there < size ? there : size;

    memcpy(data, connection->ahead + connection->ahead_start, taken);
    connection->ahead_start = (uint16_t)(connection->ahead_start + taken);
    /* They may have come with the request before this one. */
    if (taken > 0)
        note_bytes(connection);
    return (ssize_t)taken;
}

static void
note_bytes(struct connection *connection)
{
    connection->pool->progress = true;
    if (connection->phase == CONNECTION_IDLE)
        connection_enter(connection, CONNECTION_HEADER);
}

static ssize_t
push(gnutls_transport_ptr_t pointer, const giovec_t *vector, int count)
{
    struct connection *connection = pointer;
    struct msghdr message = { 0 };

    if (connection == NULL) {
        errno = ECONNABORTED;
        return -1;
    }
    /* giovec_t is struct iovec by GnuTLS's contract; sendmsg() only reads it. */
    message.msg_iov = (struct iovec *)(uintptr_t)vector;
    message.msg_iovlen = (size_t)count;
    ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    if (sent > 0)
        connection->pool->progress = true;
    return sent;
}

static int
pull_timeout(gnutls_transport_ptr_t pointer, unsigned int milliseconds)
{
    const struct connection *connection = pointer;

    (void)milliseconds; /* the worker never blocks */
    if (connection == NULL)
        return -1;
    if (connection->ahead_start < connection->ahead_end)
        return 1;
    struct pollfd descriptor = { .fd = connection->fd, .events = POLLIN };
    return poll(&descriptor, 1, 0);
}
