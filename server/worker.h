/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.h: one thread that serves connections.
 *
 * Each worker drives an HTTP library daemon of its own from outside: one poll over the library's
 * epoll descriptor, the worker's completion eventfd and its wake-up eventfd, then one run of the
 * library.  So completions are resumed in the worker's own thread, one wake-up a batch, and calls
 * made in a round are handed to the engine some at a time, the last at its end. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "engine/base/attributes.h"
#include "engine/base/buffer.h"
#include "engine/base/status.h"
#include "server/connection.h"
#include "server/line_budget.h"
#include "server/metrics.h"
#include "server/stream.h"
#include "server/turns.h"

struct MHD_Daemon;
struct audit;
struct options;
struct request;

/* What the workers share. */
struct worker_common {
    struct api_service service;
    struct ipsec_engine *engine;
    struct security_holder *holder;
    struct address_limits *limits;
    struct principal_limits *principal_limits;
    struct audit *audit;
    struct line_budget stranger_lines;
    struct turn_board turn_board;
    const struct options *options;
    _Atomic bool draining;
};

struct worker {
    struct worker_common *common;
    struct MHD_Daemon *daemon;
    struct ipsec_completion *completion;
    struct connection_pool pool;
    struct metrics metrics;
    struct stream_pool streams;
    struct turn_queue turns;
    struct buffer audit_lines;
    struct ipsec_call *submit_first; /* calls to hand in, linked by 'next' */
    struct ipsec_call *submit_last;
    unsigned int submit_count;
    struct request *free_requests;
    uint32_t free_request_count;
    uint32_t in_flight; /* calls that the engine has */
    int wake_fd;
    int ended_fd; /* readable once the thread is about to end */
    pthread_t thread;
    bool started;
    bool quiesced;
    _Atomic bool stop;
    _Atomic int64_t deadline_ms; /* monotonic */
};

/* Makes the daemon on 'listen_fd_take' and starts the thread.  A worker is zeroed memory before. */
NODISCARD enum ipsec_status worker_start(struct worker *worker,
                                         struct worker_common *common,
                                         int listen_fd_take,
                                         struct ipsec_fault *fault);

/* Makes the worker look up: at a reload, when a drain begins. */
void worker_wake(struct worker *worker);

/* After 'common->draining' was set: lets the thread end when nothing is half done, or shortly
 * before 'deadline_ms' (monotonic) when nothing is in flight.  Then join it: that ends the worker
 * whole. False when the engine still has calls some time after the deadline; the thread goes on
 * then and nothing it uses may be freed. */
void worker_drain(struct worker *worker, int64_t deadline_ms);
NODISCARD bool worker_join(struct worker *worker);

/* For requests: puts a call into the next submission.  Once that has some it goes to the engine,
 * which commits them while the round goes on; the caller touches the request no more. */
void worker_submit(struct worker *worker, struct request *request);
/* Hands in what there is, at the end of a round. */
void worker_hand_in(struct worker *worker);
struct request *worker_request_new(struct worker *worker);
void worker_request_free(struct worker *worker, struct request *request);
/* Writes the audit lines gathered so far. */
void worker_flush_audit(struct worker *worker);
/* Makes an eventfd of the worker readable. */
void worker_signal(int event_fd);
