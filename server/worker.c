/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c: see worker.h. */
#include "server/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <microhttpd.h>

#include "auth/audit.h"
#include "engine/base/clock.h"
#include "server/options.h"
#include "server/request.h"
#include "server/worker_library.h"
#include "server/worker_loop.h"

enum {
    CALLS_TO_HAND_IN = 16,
    AUDIT_LINES_MAX = 16 * 1024 * 1024,
    FREE_REQUESTS_MAX = 256,
    FREE_REQUEST_BODY_MAX = 4096,
    JOIN_GRACE_MS = 500,
};

static void set_up(struct worker *worker, struct worker_common *common);
static void close_descriptor(int fd);

enum ipsec_status
worker_start(struct worker *worker,
             struct worker_common *common,
             int listen_fd_take,
             struct ipsec_fault *fault)
{
    set_up(worker, common);
    enum ipsec_status status = ipsec_completion_open(&worker->completion);
    if (worker->wake_fd < 0 || worker->ended_fd < 0 || worker->pool.handshake_fd < 0 ||
        worker->streams.end_fd < 0 || status != IPSEC_OK)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "cannot make a worker's descriptors: %s", strerror(errno));

    worker->daemon = worker_library_start(worker, listen_fd_take);
    if (worker->daemon == NULL || api_operation_count() >= METRICS_OPERATIONS)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "the HTTP library does not start");
    if (pthread_create(&worker->thread, NULL, worker_loop, worker) != 0)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "cannot start a worker thread");
    worker->started = true;
    return IPSEC_OK;
}

void
worker_wake(struct worker *worker)
{
    worker_signal(worker->wake_fd);
}

void
worker_drain(struct worker *worker, int64_t deadline_ms)
{
    atomic_store(&worker->deadline_ms, deadline_ms);
    atomic_store(&worker->stop, true);
    worker_wake(worker);
}

bool
worker_join(struct worker *worker)
{
    if (worker->started) {
        struct pollfd ended = { .fd = worker->ended_fd, .events = POLLIN };
        int64_t left_ms = atomic_load(&worker->deadline_ms) - clock_monotonic_ms();

        if (poll(&ended, 1, (int)(left_ms > 0 ? left_ms : 0) + JOIN_GRACE_MS) != 1 ||
            pthread_join(worker->thread, NULL) != 0)
            return false;
    }
    if (worker->daemon != NULL)
        MHD_stop_daemon(worker->daemon);
    while (worker->free_requests != NULL) {
        struct request *request = worker->free_requests;
        worker->free_requests = request->next_free;
        buffer_clear(&request->body);
        free(request);
    }
    lingerers_clear(&worker->pool.lingerers);
    buffer_clear(&worker->audit_lines);
    ipsec_completion_close(worker->completion);
    security_unref(worker->pool.security);
    close_descriptor(worker->wake_fd);
    close_descriptor(worker->ended_fd);
    close_descriptor(worker->pool.handshake_fd);
    close_descriptor(worker->streams.end_fd);
    return true;
}

void
worker_submit(struct worker *worker, struct request *request)
{
    struct ipsec_call *call = &request->call.base;

    call->next = NULL;
    if (worker->submit_last != NULL)
        worker->submit_last->next = call;
    else
        worker->submit_first = call;
    worker->submit_last = call;
    worker->in_flight++;
    if (++worker->submit_count >= CALLS_TO_HAND_IN)
        worker_hand_in(worker);
}

void
worker_hand_in(struct worker *worker)
{
    struct ipsec_call *first = worker->submit_first;

    if (first == NULL)
        return;
    worker->submit_first = NULL;
    worker->submit_last = NULL;
    worker->submit_count = 0;
    ipsec_engine_submit(worker->common->engine, first);
}

struct request *
worker_request_new(struct worker *worker)
{
    struct request *request = worker->free_requests;

    if (request == NULL)
        return calloc(1, sizeof *request);
    worker->free_requests = request->next_free;
    worker->free_request_count--;
    struct buffer body = request->body;
    *request = (struct request){ .body = body };
    return request;
}

void
worker_request_free(struct worker *worker, struct request *request)
{
    api_call_clear(&request->call);
    guard_clear(&request->guard);
    free(request->target);
    request->target = NULL;
    /* A crowd's memory is given back once it has gone. */
    if (worker->free_request_count >= FREE_REQUESTS_MAX) {
        buffer_clear(&request->body);
        free(request);
        return;
    }
    if (request->body.capacity > FREE_REQUEST_BODY_MAX)
        buffer_clear(&request->body);
    else if (request->body.size > 0)
        explicit_bzero(request->body.data, request->body.size);
    buffer_reset(&request->body);
    request->next_free = worker->free_requests;
    worker->free_requests = request;
    worker->free_request_count++;
}

void
worker_flush_audit(struct worker *worker)
{
    if (worker->audit_lines.size > 0)
        audit_write(worker->common->audit, &worker->audit_lines);
}

void
worker_signal(int event_fd)
{
    const uint64_t one = 1;

    (void)!write(event_fd, &one, sizeof one);
}

static void
set_up(struct worker *worker, struct worker_common *common)
{
    const struct options *options = common->options;

    worker->common = common;
    worker->turns.board = &common->turn_board;
    worker->pool = (struct connection_pool){
        .holder = common->holder,
        .security = security_holder_get(common->holder),
        .limits = common->limits,
        .principal_limits = common->principal_limits,
        .turns = &worker->turns,
        .metrics = &worker->metrics,
        .audit = common->audit,
        .audit_lines = &worker->audit_lines,
        .stranger_lines = &common->stranger_lines,
        .handshake_timeout_ms = (int64_t)options->header_timeout_seconds * 1000,
        .idle_timeout_ms = (int64_t)options->idle_timeout_seconds * 1000,
        .header_timeout_ms = (int64_t)options->header_timeout_seconds * 1000,
        .body_timeout_ms = (int64_t)options->body_timeout_seconds * 1000,
    };
    worker->streams.heartbeat_ms = (int64_t)options->event_heartbeat_seconds * 1000;
    buffer_init(&worker->audit_lines, AUDIT_LINES_MAX);
    worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    worker->ended_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    worker->pool.handshake_fd = epoll_create1(EPOLL_CLOEXEC);
    worker->streams.end_fd = epoll_create1(EPOLL_CLOEXEC);
}

static void
close_descriptor(int fd)
{
    if (fd >= 0)
        close(fd);
}
