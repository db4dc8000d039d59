/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.c: see stream.h. */
#include "server/stream.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <microhttpd.h>

#include "api/api.h"
#include "engine/base/clock.h"
#include "server/connection.h"
#include "server/request.h"
#include "server/worker.h"

enum {
    TEXT_MAX = 256 * 1024,    /* one piece: 64 changes and a problem are far less */
    TEXT_KEPT = 4096,         /* memory that a waiting stream keeps */
    SEND_BUFFER = 256 * 1024, /* what the kernel holds for a slow reader at most */
    BLOCK_SIZE = 4096,
    RESUMED_AT_ONCE = 32,
    ENDED_AT_ONCE = 64,
    DRAIN_STALL_MS = 1000, /* while draining, a reader that takes nothing is cut after that */
};

static ssize_t read_stream(void *closure, uint64_t position, char *data, size_t size);
static void fill(struct stream *stream);
static void wait_for_more(struct stream *stream);
static void go_on(struct stream *stream);
static struct stream *next_to_look_at(struct stream_pool *pool);
static bool has_to_go_on(const struct stream *stream, int64_t now_ms);
static bool is_draining(const struct stream *stream);

struct MHD_Response *
stream_open(struct request *request)
{
    struct stream_pool *pool = &request->worker->streams;
    struct stream *stream = calloc(1, sizeof *stream);
    struct epoll_event end = { .events = EPOLLRDHUP | EPOLLET, .data.ptr = stream };
    const int send_buffer = SEND_BUFFER;
    const unsigned int unanswered_ms = (unsigned int)request->connection->pool->body_timeout_ms;

    if (stream == NULL)
        return NULL;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_stream, stream, NULL);
    if (response == NULL) {
        free(stream);
        return NULL;
    }
    /* Without it the kernel would give a reader that does not read megabytes. */
    (void)setsockopt(request->connection->fd, SOL_SOCKET, SO_SNDBUF, &send_buffer,
                     sizeof send_buffer);
    /* A host that vanished without a word does not acknowledge its next heartbeat. */
    (void)setsockopt(request->connection->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms,
                     sizeof unanswered_ms);
    /* If that fails, the end is noticed at the next heartbeat. */
    (void)epoll_ctl(pool->end_fd, EPOLL_CTL_ADD, request->connection->fd, &end);
    buffer_init(&stream->text, TEXT_MAX);
    stream->request = request; /* its first heartbeat is due at once and says where it begins */
    stream->next = pool->first;
    if (pool->first != NULL)
        pool->first->previous = stream;
    pool->first = stream;
    pool->count++;
    request->stream = stream;
    return response;
}

void
stream_close(struct stream *stream)
{
    if (stream == NULL)
        return;
    struct stream_pool *pool = &stream->request->worker->streams;

    /* The connection may go on without it. */
    (void)epoll_ctl(pool->end_fd, EPOLL_CTL_DEL, stream->request->connection->fd, NULL);
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        pool->first = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    if (pool->next == stream)
        pool->next = stream->next;
    if (stream->suspended)
        pool->suspended--;
    pool->count--;
    buffer_clear(&stream->text);
    free(stream);
}

void
stream_pool_end_gone(struct worker *worker)
{
    struct epoll_event ends[ENDED_AT_ONCE];
    int count = epoll_wait(worker->streams.end_fd, ends, ENDED_AT_ONCE, 0);

    for (int i = 0; i < count; i++) {
        struct stream *stream = ends[i].data.ptr;

        connection_cut(stream->request->connection);
        if (stream->suspended)
            go_on(stream);
    }
}

bool
stream_pool_run(struct worker *worker, bool look)
{
    struct stream_pool *pool = &worker->streams;
    uint32_t resumed = 0;

    if (pool->first == NULL)
        return false;
    uint64_t published = ipsec_engine_event_count(worker->common->engine);
    if (published != pool->seen || look)
        pool->unlooked = pool->count;
    pool->seen = published;
    if (pool->unlooked == 0)
        return false;
    int64_t now_ms = clock_monotonic_ms();
    for (; pool->unlooked > 0 && resumed < RESUMED_AT_ONCE; pool->unlooked--) {
        struct stream *stream = next_to_look_at(pool);

        if (is_draining(stream))
            connection_hurry(stream->request->connection, now_ms + DRAIN_STALL_MS);
        if (!stream->suspended || !has_to_go_on(stream, now_ms))
            continue;
        go_on(stream);
        resumed++;
    }
    return resumed > 0;
}

/* The library asks for the next bytes once the socket has taken those before: so the reader's time
 * for taking them begins anew. */
static ssize_t
read_stream(void *closure, uint64_t position, char *data, size_t size)
{
    struct stream *stream = closure;
    struct connection *connection = stream->request->connection;

    (void)position;
    if (stream->sent == stream->text.size && !stream->last)
        fill(stream);
    if (connection->cut)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t left = stream->text.size - stream->sent;
    if (left == 0 && stream->last)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (left == 0) {
        wait_for_more(stream);
        return 0;
    }
    size_t count = left < size ? left : size;
    memcpy(data, stream->text.data + stream->sent, count);
    stream->sent += count;
    connection_enter(connection, CONNECTION_ANSWER);
    return (ssize_t)count;
}

/* The next piece, if there is one. */
static void
fill(struct stream *stream)
{
    struct request *request = stream->request;
    struct connection *connection = request->connection;
    int64_t now_ms = clock_monotonic_ms();

    buffer_reset(&stream->text);
    stream->sent = 0;
    if (is_draining(stream)) {
        stream->last = true;
        return;
    }
    if (!connection_is_good(connection)) {
        connection_cut(connection);
        return;
    }
    stream->last = !api_stream_read(&request->call, &connection->rights,
                                    now_ms >= stream->heartbeat_ms, &stream->text);
    if (stream->text.failed) { /* no memory: what was read would be lost in silence */
        connection_cut(connection);
        return;
    }
    if (stream->text.size > 0)
        stream->heartbeat_ms = now_ms + request->worker->streams.heartbeat_ms;
}

static void
wait_for_more(struct stream *stream)
{
    if (stream->text.capacity > TEXT_KEPT)
        buffer_clear(&stream->text);
    stream->text.maximum = TEXT_MAX;
    stream->sent = 0;
    stream->suspended = true;
    stream->request->worker->streams.suspended++;
    connection_enter(stream->request->connection, CONNECTION_WATCH);
    MHD_suspend_connection(stream->request->native);
}

static void
go_on(struct stream *stream)
{
    stream->suspended = false;
    stream->request->worker->streams.suspended--;
    connection_enter(stream->request->connection, CONNECTION_ANSWER);
    MHD_resume_connection(stream->request->native);
}

/* In turn; there is one at least. */
static struct stream *
next_to_look_at(struct stream_pool *pool)
{
    struct stream *stream = pool->next != NULL ? pool->next : pool->first;

    pool->next = stream->next;
    return stream;
}

static bool
has_to_go_on(const struct stream *stream, int64_t now_ms)
{
    const struct api_call *call = &stream->request->call;
    const struct connection *connection = stream->request->connection;

    return connection->cut || is_draining(stream) || now_ms >= stream->heartbeat_ms ||
           api_stream_has_news(call) || !api_stream_is_allowed(call, &connection->rights);
}

static bool
is_draining(const struct stream *stream)
{
    return atomic_load_explicit(&stream->request->worker->common->draining, memory_order_acquire);
}
