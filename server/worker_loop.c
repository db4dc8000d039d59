/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_loop.c: see worker_loop.h.
 *
 * A round completes what the engine gave back, runs the library once, hands the calls it made to
 * the engine, and sees to streams and deadlines.  Between rounds one poll waits for all.
 */
#include "server/worker_loop.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include <microhttpd.h>

#include "engine/base/clock.h"
#include "server/handshake.h"
#include "server/library_wrap.h"
#include "server/request.h"
#include "server/worker.h"

enum {
    REAP_INTERVAL_MS = 250,
    BACK_OFF_MAX_MS = 16,
    FREE_ROUNDS = 2,
    FUTILE_ROUNDS = 4,
    CUT_BEFORE_DEADLINE_MS = 200,
};

enum { LIBRARY, HANDSHAKES, STREAM_ENDS, COMPLETIONS, WAKE, DESCRIPTOR_COUNT };

struct loop {
    struct worker *worker;
    int library_fd;
    struct pollfd descriptors[DESCRIPTOR_COUNT];
    int64_t next_reap_ms;
    bool look_at_streams;
    unsigned int idle_rounds;   /* in which nothing moved */
    unsigned int futile_rounds; /* for which the library's descriptor woke us */
};

static bool run_round(struct loop *loop);
static void finish_calls(struct worker *worker);
static void release_turns(struct worker *worker);
static bool is_draining(const struct worker *worker);
static bool drained(struct worker *worker);
static void wait_for_events(struct loop *loop, bool has_more);
static int wait_ms(struct loop *loop);

void *
worker_loop(void *argument)
{
    struct worker *worker = argument;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct loop loop = {
        .worker = worker,
        .library_fd = info->epoll_fd,
        .next_reap_ms = clock_monotonic_ms() + REAP_INTERVAL_MS,
        .descriptors = {
            [LIBRARY] = { .fd = info->epoll_fd, .events = POLLIN },
            [HANDSHAKES] = { .fd = worker->pool.handshake_fd, .events = POLLIN },
            [STREAM_ENDS] = { .fd = worker->streams.end_fd, .events = POLLIN },
            [COMPLETIONS] = { .fd = ipsec_completion_fd(worker->completion), .events = POLLIN },
            [WAKE] = { .fd = worker->wake_fd, .events = POLLIN },
        },
    };

    library_attach(&worker->metrics);
    while (true) {
        bool has_more = run_round(&loop);

        if (drained(worker)) {
            worker_signal(worker->ended_fd);
            return NULL;
        }
        wait_for_events(&loop, has_more);
    }
}

/* True when the next one is to come at once. */
static bool
run_round(struct loop *loop)
{
    struct worker *worker = loop->worker;

    worker->pool.now_ms = clock_monotonic_ms();
    bool sweeping = connection_pool_refresh(&worker->pool);
    finish_calls(worker);
    worker->pool.progress = false;
    handshake_look(&worker->pool);
    if ((loop->descriptors[STREAM_ENDS].revents & POLLIN) != 0 || loop->look_at_streams)
        stream_pool_end_gone(worker);
    (void)MHD_run(worker->daemon);
    worker_hand_in(worker);
    release_turns(worker); /* of those that did not get as far as the engine */
    worker_flush_audit(worker);
    /* Behind the callers whose answers were due. */
    bool streaming =
        stream_pool_run(worker, loop->look_at_streams || sweeping || is_draining(worker));
    loop->look_at_streams = clock_monotonic_ms() >= loop->next_reap_ms;
    if (loop->look_at_streams) {
        connection_pool_reap(&worker->pool);
        loop->next_reap_ms = clock_monotonic_ms() + REAP_INTERVAL_MS;
    }
    return sweeping || streaming;
}

/* Completes what the engine gave back; the audit lines of all go out before the first answer. */
static void
finish_calls(struct worker *worker)
{
    struct ipsec_call *first = ipsec_completion_take(worker->completion);

    for (struct ipsec_call *call = first; call != NULL; call = call->next)
        request_finish((struct request *)(void *)call);
    worker_flush_audit(worker);
    while (first != NULL) {
        struct request *request = (struct request *)(void *)first;
        first = first->next;
        worker->in_flight--;
        MHD_resume_connection(request->native);
    }
    release_turns(worker);
}

static void
release_turns(struct worker *worker)
{
    if (worker->turns.waiting == 0)
        return;
    struct turn *turn;
    while ((turn = turn_queue_next(&worker->turns, worker->pool.now_ms)) != NULL)
        MHD_resume_connection(request_of_turn(turn)->native);
}

static bool
is_draining(const struct worker *worker)
{
    return atomic_load_explicit(&worker->common->draining, memory_order_acquire);
}

/* When a drain begins no more is accepted.  True when the thread shall end: nothing is half
 * done any more; close before the deadline whoever is still busy sending or reading is cut, and
 * only calls that the engine has are waited for. */
static bool
drained(struct worker *worker)
{
    if (!is_draining(worker))
        return false;
    if (!worker->quiesced) {
        int fd = MHD_quiesce_daemon(worker->daemon);
        if (fd >= 0)
            close(fd);
        worker->quiesced = true;
    }
    /* The library must not be stopped while a connection is suspended. */
    if (!atomic_load_explicit(&worker->stop, memory_order_acquire) || worker->in_flight > 0 ||
        worker->turns.waiting > 0 || worker->streams.suspended > 0)
        return false;
    if (clock_monotonic_ms() >= atomic_load(&worker->deadline_ms) - CUT_BEFORE_DEADLINE_MS)
        return true; /* what is left is cut when the library stops */
    for (const struct connection *connection = worker->pool.first; connection != NULL;
         connection = connection->next) {
        if (connection->phase != CONNECTION_IDLE && connection->phase != CONNECTION_HANDSHAKE &&
            !connection->cut)
            return false;
    }
    return true;
}

/* The library's descriptor stays readable while a connection can't be accepted for want of
 * descriptors: when it woke us for nothing some times, it has to wait its turn. */
static void
wait_for_events(struct loop *loop, bool has_more)
{
    struct pollfd *library = &loop->descriptors[LIBRARY];
    bool was_futile = (library->revents & POLLIN) != 0 && !loop->worker->pool.progress;
    int timeout_ms = has_more ? 0 : wait_ms(loop);
    uint64_t ignored;

    loop->futile_rounds = was_futile ? loop->futile_rounds + 1 : 0;
    bool leave_out = loop->futile_rounds > FUTILE_ROUNDS;
    if (leave_out && (timeout_ms < 0 || timeout_ms > BACK_OFF_MAX_MS))
        timeout_ms = BACK_OFF_MAX_MS;
    library->fd = leave_out ? -1 : loop->library_fd;
    library->revents = leave_out ? POLLIN : 0;
    if (timeout_ms == 0)
        return;
    if (poll(loop->descriptors, DESCRIPTOR_COUNT, timeout_ms) > 0 &&
        (loop->descriptors[WAKE].revents & POLLIN) != 0)
        (void)!read(loop->worker->wake_fd, &ignored, sizeof ignored);
    if (leave_out)
        library->revents = POLLIN;
}

/* How long to poll.  The library wants to run again at once while a connection is on its ready
 * list, and an unfinished handshake stays there for ever.  So a few rounds in which nothing moved
 * are free -- the library needs them to notice that an answered connection has nothing more to read
 * --, and after them each waits longer than the one before: such connections cannot spin the
 * thread.  New bytes end the poll at once. */
static int
wait_ms(struct loop *loop)
{
    const struct worker *worker = loop->worker;
    int64_t until_reap_ms = loop->next_reap_ms - clock_monotonic_ms();
    int wait = until_reap_ms > 0 ? (int)until_reap_ms : 0;

    loop->idle_rounds = worker->pool.progress ? 0 : loop->idle_rounds + 1;
    if (MHD_get_timeout64s(worker->daemon) == 0) {
        if (loop->idle_rounds <= FREE_ROUNDS)
            return 0;
        unsigned int shift = loop->idle_rounds - FREE_ROUNDS - 1;
        int back_off_ms = shift < 4 ? 1 << shift : BACK_OFF_MAX_MS;
        return wait < back_off_ms ? wait : back_off_ms;
    }
    if (worker->pool.first == NULL && worker->pool.lingerers.count == 0 && worker->in_flight == 0)
        return -1; /* nothing to reap: sleep until somebody calls */
    return wait;
}
