/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c: see worker.h. */
#include "server/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <gnutls/abstract.h>
#include <microhttpd.h>

#include "auth/audit.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "server/address_limits.h"
#include "server/handshake.h"
#include "server/library_wrap.h"
#include "server/options.h"
#include "server/request.h"

enum {
    REAP_INTERVAL_MS = 250,
    BACK_OFF_MAX_MS = 16,
    FREE_ROUNDS = 2,
    CONNECTION_MEMORY = 8 * 1024, /* headers of a request at most, and what an idle one costs */
    AUDIT_LINES_MAX = 16 * 1024 * 1024,
    FREE_REQUESTS_MAX = 256,
    FREE_REQUEST_BODY_MAX = 4096,
    FUTILE_ROUNDS = 4,
    JOIN_GRACE_MS = 500,
    CUT_BEFORE_DEADLINE_MS = 200,
};

/* TLS 1.2 and 1.3 with forward secrecy and authenticated encryption alone. */
static const char tls_priorities[] = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
                                     ":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
                                     ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"
                                     ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
                                     ":%SERVER_PRECEDENCE";

static void *serve(void *argument);
static void finish_calls(struct worker *worker);
static void release_turns(struct worker *worker);
static void submit_round(struct worker *worker);
static int wait_ms(struct worker *worker, int64_t next_reap_ms, unsigned int *idle_rounds);
static bool is_draining(const struct worker *worker);
static bool drained(struct worker *worker);
static void signal_event(int event_fd);
static void wait_for_events(struct worker *worker,
                            struct pollfd *descriptors,
                            nfds_t count,
                            int timeout_ms,
                            bool library_left_out);
static enum MHD_Result
accept_policy(void *closure, const struct sockaddr *address, socklen_t address_size);
static void connection_event(void *closure,
                             struct MHD_Connection *native,
                             void **socket_context,
                             enum MHD_ConnectionNotificationCode code);
static enum MHD_Result access_handler(void *closure,
                                      struct MHD_Connection *native,
                                      const char *url,
                                      const char *method,
                                      const char *version,
                                      const char *upload,
                                      size_t *upload_size,
                                      void **context);
static void completed(void *closure,
                      struct MHD_Connection *native,
                      void **context,
                      enum MHD_RequestTerminationCode code);
static int no_certificate(gnutls_session_t session,
                          const struct gnutls_cert_retr_st *info,
                          gnutls_pcert_st **certificates,
                          unsigned int *certificate_count,
                          gnutls_ocsp_data_st **ocsp,
                          unsigned int *ocsp_count,
                          gnutls_privkey_t *key,
                          unsigned int *flags);

enum ipsec_status
worker_start(struct worker *worker,
             struct worker_common *common,
             int listen_fd_take,
             struct ipsec_fault *fault)
{
    const struct options *options = common->options;
    /* Resuming happens in this thread only: the library needs no wake-up channel of its own. */
    const unsigned int flags =
        MHD_USE_TLS | MHD_USE_EPOLL | MHD_USE_ERROR_LOG |
        ((unsigned int)MHD_ALLOW_SUSPEND_RESUME & ~(unsigned int)MHD_USE_ITC);

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
    enum ipsec_status status = ipsec_completion_open(&worker->completion);
    if (worker->wake_fd < 0 || worker->ended_fd < 0 || worker->pool.handshake_fd < 0 ||
        worker->streams.end_fd < 0 || status != IPSEC_OK)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "cannot make a worker's descriptors: %s", strerror(errno));

    worker->daemon = MHD_start_daemon(
        flags, 0, accept_policy, worker, access_handler, worker, MHD_OPTION_EXTERNAL_LOGGER,
        library_log, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd_take, MHD_OPTION_CONNECTION_LIMIT,
        options->max_connections + 1, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, MHD_OPTION_NOTIFY_CONNECTION, connection_event, worker,
        MHD_OPTION_NOTIFY_COMPLETED, completed, worker, MHD_OPTION_URI_LOG_CALLBACK,
        request_target_seen, worker, MHD_OPTION_HTTPS_PRIORITIES, tls_priorities,
        MHD_OPTION_HTTPS_CERT_CALLBACK2, no_certificate, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
    if (worker->daemon == NULL || api_operation_count() >= METRICS_OPERATIONS)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "the HTTP library does not start");
    if (pthread_create(&worker->thread, NULL, serve, worker) != 0)
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "cannot start a worker thread");
    worker->started = true;
    return IPSEC_OK;
}

void
worker_wake(struct worker *worker)
{
    signal_event(worker->wake_fd);
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
    if (worker->wake_fd >= 0)
        close(worker->wake_fd);
    if (worker->ended_fd >= 0)
        close(worker->ended_fd);
    if (worker->pool.handshake_fd >= 0)
        close(worker->pool.handshake_fd);
    if (worker->streams.end_fd >= 0)
        close(worker->streams.end_fd);
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

static void *
serve(void *argument)
{
    struct worker *worker = argument;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd descriptors[] = {
        { .fd = info->epoll_fd, .events = POLLIN },
        { .fd = worker->pool.handshake_fd, .events = POLLIN },
        { .fd = worker->streams.end_fd, .events = POLLIN },
        { .fd = ipsec_completion_fd(worker->completion), .events = POLLIN },
        { .fd = worker->wake_fd, .events = POLLIN },
    };
    const struct pollfd *stream_end = &descriptors[2];
    int64_t next_reap_ms = clock_monotonic_ms() + REAP_INTERVAL_MS;
    unsigned int idle_rounds = 0;
    bool look_at_streams = false;

    library_attach(&worker->metrics);
    while (true) {
        worker->pool.now_ms = clock_monotonic_ms();
        bool sweeping = connection_pool_refresh(&worker->pool);

        finish_calls(worker);
        worker->pool.progress = false;
        handshake_look(&worker->pool);
        if ((stream_end->revents & POLLIN) != 0 || look_at_streams)
            stream_pool_end_gone(worker);
        (void)MHD_run(worker->daemon);
        submit_round(worker);
        release_turns(worker); /* of those that did not get as far as the engine */
        worker_flush_audit(worker);
        /* Behind the callers whose answers were due. */
        look_at_streams = look_at_streams || sweeping || is_draining(worker);
        bool streaming = stream_pool_run(worker, look_at_streams);
        look_at_streams = false;
        if (clock_monotonic_ms() >= next_reap_ms) {
            connection_pool_reap(&worker->pool);
            next_reap_ms = clock_monotonic_ms() + REAP_INTERVAL_MS;
            look_at_streams = true;
        }
        if (drained(worker)) {
            signal_event(worker->ended_fd);
            return NULL;
        }

        /* The library's descriptor stays readable while a connection can't be accepted for want of
         * descriptors: when it woke us for nothing some times, it has to wait its turn. */
        bool was_futile = (descriptors[0].revents & POLLIN) != 0 && !worker->pool.progress;
        worker->futile_rounds = was_futile ? worker->futile_rounds + 1 : 0;
        int timeout_ms = sweeping || streaming ? 0 : wait_ms(worker, next_reap_ms, &idle_rounds);
        bool leave_out = worker->futile_rounds > FUTILE_ROUNDS;
        if (leave_out && (timeout_ms < 0 || timeout_ms > BACK_OFF_MAX_MS))
            timeout_ms = BACK_OFF_MAX_MS;
        descriptors[0].fd = leave_out ? -1 : info->epoll_fd;
        descriptors[0].revents = leave_out ? POLLIN : 0;
        if (timeout_ms != 0)
            wait_for_events(worker, descriptors, sizeof descriptors / sizeof *descriptors,
                            timeout_ms, leave_out);
    }
}

static void
wait_for_events(struct worker *worker,
                struct pollfd *descriptors,
                nfds_t count,
                int timeout_ms,
                bool library_left_out)
{
    uint64_t ignored;

    if (poll(descriptors, count, timeout_ms) > 0 && (descriptors[count - 1].revents & POLLIN) != 0)
        (void)!read(worker->wake_fd, &ignored, sizeof ignored);
    if (library_left_out)
        descriptors[0].revents = POLLIN;
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

static void
signal_event(int event_fd)
{
    const uint64_t one = 1;

    (void)!write(event_fd, &one, sizeof one);
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

static void
submit_round(struct worker *worker)
{
    struct ipsec_call *first = worker->submit_first;

    if (first == NULL)
        return;
    worker->submit_first = NULL;
    worker->submit_last = NULL;
    ipsec_engine_submit(worker->common->engine, first);
}

/* How long to poll.  The library wants to run again at once while a connection is on its ready
 * list, and an unfinished handshake stays there for ever.  So a few rounds in which nothing moved
 * are free
 * -- the library needs them to notice that an answered connection has nothing more to read --, and
 * after them each waits longer than the one before: such connections cannot spin the thread.  New
 * bytes end the poll at once. */
static int
wait_ms(struct worker *worker, int64_t next_reap_ms, unsigned int *idle_rounds)
{
    int64_t until_reap_ms = next_reap_ms - clock_monotonic_ms();
    int wait = until_reap_ms > 0 ? (int)until_reap_ms : 0;

    *idle_rounds = worker->pool.progress ? 0 : *idle_rounds + 1;
    if (MHD_get_timeout64s(worker->daemon) == 0) {
        if (*idle_rounds <= FREE_ROUNDS)
            return 0;
        unsigned int shift = *idle_rounds - FREE_ROUNDS - 1;
        int back_off_ms = shift < 4 ? 1 << shift : BACK_OFF_MAX_MS;
        return wait < back_off_ms ? wait : back_off_ms;
    }
    if (worker->pool.first == NULL && worker->pool.lingerers.count == 0 && worker->in_flight == 0)
        return -1; /* nothing to reap: sleep until somebody calls */
    return wait;
}

static enum MHD_Result
accept_policy(void *closure, const struct sockaddr *address, socklen_t address_size)
{
    static struct log_limit limit;
    struct worker *worker = closure;

    (void)address_size;
    worker->pool.progress = true;
    if (address_limits_allow(worker->common->limits, address))
        return MHD_YES;
    metrics_count_refusal(&worker->metrics, METRICS_LIMIT_REACHED);
    if (log_limit_pass(&limit, 1) >= 0)
        log_warning("connection refused", LOG_TEXT("reason", "connection limit reached"));
    return MHD_NO;
}

static void
connection_event(void *closure,
                 struct MHD_Connection *native,
                 void **socket_context,
                 enum MHD_ConnectionNotificationCode code)
{
    struct worker *worker = closure;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = connection_open(&worker->pool, native);
    } else {
        connection_close(*socket_context);
        *socket_context = NULL;
    }
}

static enum MHD_Result
access_handler(void *closure,
               struct MHD_Connection *native,
               const char *url,
               const char *method,
               const char *version,
               const char *upload,
               size_t *upload_size,
               void **context)
{
    struct worker *worker = closure;

    /* Even if no byte came from the socket: a TLS record's contents are handed on in parts. */
    worker->pool.progress = true;
    (void)native;
    (void)url; /* judged from the raw target, see request_target_seen() */
    (void)version;
    return (enum MHD_Result)request_handle(method, upload, upload_size, *context);
}

static void
completed(void *closure,
          struct MHD_Connection *native,
          void **context,
          enum MHD_RequestTerminationCode code)
{
    (void)closure;
    (void)native;
    (void)code;
    request_completed(*context);
    *context = NULL;
}

/* The signature is the library's. */
/* NOLINTBEGIN(readability-non-const-parameter) */
/* The library wants a certificate at start; every session gets its own in connection_open(). */
static int
no_certificate(gnutls_session_t session,
               const struct gnutls_cert_retr_st *info,
               gnutls_pcert_st **certificates,
               unsigned int *certificate_count,
               gnutls_ocsp_data_st **ocsp,
               unsigned int *ocsp_count,
               gnutls_privkey_t *key,
               unsigned int *flags)
{
    (void)session;
    (void)info;
    (void)certificates;
    (void)certificate_count;
    (void)ocsp;
    (void)ocsp_count;
    (void)key;
    (void)flags;
    return -1;
}
/* NOLINTEND(readability-non-const-parameter) */
