/* SPDX-License-Identifier: Apache-2.0
 *
 * library_epoll.c: see library_epoll.h. */
#include "server/library_epoll.h"

#include <stddef.h>

#include <sys/epoll.h>

#include <microhttpd.h>

#include "server/connection.h"

static _Thread_local struct MHD_Daemon *thread_daemon;
static _Thread_local int thread_epoll_fd = -1;
static _Thread_local struct connection *being_suspended;

/* The linker's names. */
int __real_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int __real_epoll_wait(int set, struct epoll_event *events, int maximum, int timeout_ms);
int __wrap_epoll_wait(int set, struct epoll_event *events, int maximum, int timeout_ms);

static int put_back(struct connection *connection, struct epoll_event *event);
static bool is_wanted(const struct epoll_event *event);
static struct connection *connection_of(const struct epoll_event *event);

void
library_epoll_attach(struct MHD_Daemon *daemon)
{
    thread_daemon = daemon;
    thread_epoll_fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void
library_suspend(struct MHD_Connection *native, struct connection *connection)
{
    connection->parked = true;
    being_suspended = connection;
    MHD_suspend_connection(native);
    being_suspended = NULL;
}

void
library_resume(struct MHD_Connection *native, struct connection *connection)
{
    connection->parked = false;
    MHD_resume_connection(native);
}

void
library_forget(struct connection *connection)
{
    if (connection->kept_in_set)
        (void)__real_epoll_ctl(thread_epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
    connection->kept_in_set = false;
}

/* One whose peer has closed his side is read to its end, which makes no further edge. */
void
library_note_read(struct connection *connection, bool short_read)
{
    connection->drained =
        short_read && !connection->peer_closed && connection->phase != CONNECTION_HANDSHAKE;
}

int
__wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    if (set != thread_epoll_fd)
        return __real_epoll_ctl(set, operation, fd, event);
    if (operation == EPOLL_CTL_DEL && being_suspended != NULL && being_suspended->fd == fd) {
        being_suspended->kept_in_set = true;
        return 0;
    }
    if (operation == EPOLL_CTL_ADD) {
        struct connection *connection = connection_of(event);

        /* Besides what the library asks for, which ignores it. */
        if (event->data.ptr != thread_daemon)
            event->events |= EPOLLRDHUP;
        if (connection != NULL && connection->kept_in_set)
            return put_back(connection, event);
    }
    return __real_epoll_ctl(set, operation, fd, event);
}

/* Changing the event asks the kernel to look once more. */
static int
put_back(struct connection *connection, struct epoll_event *event)
{
    connection->kept_in_set = false;
    if (!connection->event_missed)
        return 0;
    connection->event_missed = false;
    return __real_epoll_ctl(thread_epoll_fd, EPOLL_CTL_MOD, connection->fd, event);
}

int
__wrap_epoll_wait(int set, struct epoll_event *events, int maximum, int timeout_ms)
{
    int count = __real_epoll_wait(set, events, maximum, timeout_ms);
    int wanted = 0;

    if (set != thread_epoll_fd)
        return count;
    for (int i = 0; i < count; i++) {
        if (is_wanted(&events[i]))
            events[wanted++] = events[i];
    }
    return count < 0 ? count : wanted; /* what there was no room for comes in the next round */
}

/* The library must not hear of a suspended connection. */
static bool
is_wanted(const struct epoll_event *event)
{
    struct connection *connection = connection_of(event);

    if (connection == NULL)
        return true;
    connection->drained = false;
    if ((event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        connection->peer_closed = true;
    connection->event_missed = connection->event_missed || connection->parked;
    return !connection->parked;
}

/* Null: the listening socket, or a connection that is not open for us. */
static struct connection *
connection_of(const struct epoll_event *event)
{
    if (event->data.ptr == NULL || event->data.ptr == thread_daemon)
        return NULL;
    return MHD_get_connection_info(event->data.ptr, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        ->socket_context;
}
