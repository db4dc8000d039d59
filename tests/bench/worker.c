/* SPDX-License-Identifier: Apache-2.0
 *
 * worker.c: see worker.h.
 *
 * Sockets are watched edge-triggered for both directions from the start, so the steady state costs
 * one epoll_wait a batch, one read and one write a request.  That is sound because an answer is
 * read to its end before the next request goes out, and new bytes are always a new edge. */
#include "tests/bench/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>

#include <openssl/err.h>

#include "tests/bench/answer.h"
#include "tests/bench/keep.h"

enum {
    EVENTS_MAX = 256,
    INPUT_SIZE = 16384,
    TICK_MS = 10,
    DRAIN_MS = 5000,
    LENGTH_DIGITS_MAX = 20,
    STRIDE = 15485863, /* prime */
    KEEP_MAX = 4096,   /* bytes of an answer to keep something of */
};

enum connection_state { CLOSED, CONNECTING, HANDSHAKING, IDLE, SENDING, RECEIVING };

struct connection {
    enum connection_state state;
    int fd;
    SSL *ssl;
    SSL_SESSION *session; /* the last ticket, offered by the next connection */
    uint64_t since_ns;    /* start of the handshake, then of the request */
    uint64_t requests;    /* sent on this connection */
    size_t request_size;
    size_t sent;
    char *request;
    uint64_t number; /* the request's */
    char *text;      /* the answer, with 'keep_name' only */
    size_t text_size;
    struct answer answer;
};

struct worker {
    struct load_run *run;
    const struct load_plan *plan;
    size_t index;
    pthread_t thread;
    int epoll;
    struct connection *connections;
    size_t connection_count;
    size_t up;      /* connections past their handshake */
    size_t busy;    /* requests under way */
    bool reported;  /* 'up' has reached 'connection_count' */
    bool started;   /* idle connections were set going */
    bool neglected; /* some connection is closed or idle and wants attention */
    uint64_t sequence;
    uint64_t quota; /* requests still to send while measuring */
    uint64_t failures_in_row;
    struct load_tally tally;
    char input[INPUT_SIZE];
};

static void *work(void *argument);
static bool is_over(const struct worker *worker, uint64_t *stopping_since_ns);
static void tend(struct worker *worker);
static void open_connection(struct worker *worker, struct connection *connection);
static void close_connection(struct worker *worker, struct connection *connection, bool politely);
static void fail(struct worker *worker, struct connection *connection, const char *what);
static void advance(struct worker *worker, struct connection *connection);
static void finish_connect(struct worker *worker, struct connection *connection);
static void shake_hands(struct worker *worker, struct connection *connection);
static void handshake_done(struct worker *worker, struct connection *connection);
static void watch_idle(struct worker *worker, struct connection *connection);
static bool may_send(const struct worker *worker);
static void begin_request(struct worker *worker, struct connection *connection, uint64_t now_ns);
static void render_request(struct worker *worker, struct connection *connection);
static uint64_t number_of(const struct load_plan *plan, uint64_t sequence);
static uint64_t kept_of(const struct load_plan *plan, uint64_t number);
static size_t render_body(const struct load_plan *plan, uint64_t number, char *body);
static void send_request(struct worker *worker, struct connection *connection);
static void receive_answer(struct worker *worker, struct connection *connection);
static void keep_text(const struct worker *worker, struct connection *connection, size_t size);
static void keep_number(struct worker *worker, const struct connection *connection);
static void answer_done(struct worker *worker, struct connection *connection);
static void free_worker(struct worker *worker);
static enum load_phase phase_of(const struct worker *worker);
static bool wants_more(const struct connection *connection, int result);

struct worker *
worker_start(struct load_run *run, size_t index)
{
    const struct load_plan *plan = run->plan;
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return NULL;

    worker->run = run;
    worker->plan = plan;
    worker->index = index;
    worker->connection_count =
        plan->connections / plan->threads + (index < plan->connections % plan->threads ? 1 : 0);
    worker->quota =
        plan->requests / plan->threads + (index < plan->requests % plan->threads ? 1 : 0);
    worker->tally.next = plan->first;
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    worker->connections = calloc(worker->connection_count, sizeof *worker->connections);
    if (worker->epoll < 0 || worker->connections == NULL)
        goto failed;

    size_t request_max = plan->head.size_max + LENGTH_DIGITS_MAX + strlen(plan->before) +
                         plan->items * (plan->body.size_max + 1) + strlen(plan->after);
    for (size_t i = 0; i < worker->connection_count; i++) {
        worker->connections[i].fd = -1;
        worker->connections[i].request = malloc(request_max);
        if (worker->connections[i].request == NULL)
            goto failed;
        if (plan->keep_name != NULL && (worker->connections[i].text = malloc(KEEP_MAX)) == NULL)
            goto failed;
    }
    errno = pthread_create(&worker->thread, NULL, work, worker);
    if (errno == 0)
        return worker;

failed:
    perror("load: worker");
    free_worker(worker);
    return NULL;
}

void
worker_join(struct worker *worker, struct load_tally *tally)
{
    pthread_join(worker->thread, NULL);

    const struct load_tally *own = &worker->tally;
    tally->answers += own->answers;
    tally->unexpected += own->unexpected;
    for (size_t i = 0; i < LOAD_STATUSES; i++)
        tally->statuses[i] += own->statuses[i];
    tally->full_handshakes += own->full_handshakes;
    tally->resumed_handshakes += own->resumed_handshakes;
    histogram_add(&tally->latency, &own->latency);
    histogram_add(&tally->handshake, &own->handshake);
    if (tally->errors == 0)
        memcpy(tally->first_error, own->first_error, sizeof tally->first_error);
    tally->errors += own->errors;
    if (own->next > tally->next)
        tally->next = own->next;
    memcpy(tally->cipher, own->cipher, sizeof tally->cipher);
    free_worker(worker);
}

int
worker_keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct connection *connection = SSL_get_app_data(ssl);

    SSL_SESSION_free(connection->session);
    connection->session = session;
    return 1;
}

uint64_t
load_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void *
work(void *argument)
{
    struct worker *worker = argument;
    struct epoll_event events[EVENTS_MAX];
    uint64_t tended_ns = load_now_ns();
    uint64_t stopping_since_ns = 0;

    for (size_t i = 0; i < worker->connection_count; i++)
        open_connection(worker, &worker->connections[i]);
    while (!is_over(worker, &stopping_since_ns)) {
        int count = epoll_wait(worker->epoll, events, EVENTS_MAX, TICK_MS);
        for (int i = 0; i < count; i++)
            advance(worker, events[i].data.ptr);

        /* Connections that failed are opened again at a walking pace. */
        bool start = !worker->started && phase_of(worker) != LOAD_CONNECT;
        if (start ||
            (worker->neglected && load_now_ns() - tended_ns >= TICK_MS * UINT64_C(1000000))) {
            tend(worker);
            worker->started = worker->started || start;
            tended_ns = load_now_ns();
        }
    }
    for (size_t i = 0; i < worker->connection_count; i++) {
        struct connection *connection = &worker->connections[i];
        if (connection->state == SENDING || connection->state == RECEIVING)
            fail(worker, connection, "no answer");
        close_connection(worker, connection, connection->state == IDLE);
    }
    atomic_fetch_add(&worker->run->finished, 1);
    return NULL;
}

/* Over is: told to stop, or everything sent, and all answered or the wait was long enough; or so
 * many failures without an answer between them that going on is pointless. */
static bool
is_over(const struct worker *worker, uint64_t *stopping_since_ns)
{
    enum load_phase phase = phase_of(worker);

    if (worker->failures_in_row > 100 + 4 * worker->connection_count)
        return true;
    if (phase == LOAD_MEASURE && worker->plan->requests > 0)
        return worker->quota == 0 && worker->busy == 0;
    if (phase != LOAD_STOP)
        return false;
    if (*stopping_since_ns == 0)
        *stopping_since_ns = load_now_ns();
    return worker->busy == 0 || load_now_ns() - *stopping_since_ns > DRAIN_MS * UINT64_C(1000000);
}

static void
tend(struct worker *worker)
{
    worker->neglected = false;
    for (size_t i = 0; i < worker->connection_count; i++) {
        struct connection *connection = &worker->connections[i];

        if (connection->state == CLOSED)
            open_connection(worker, connection);
        else if (connection->state == IDLE && may_send(worker))
            begin_request(worker, connection, load_now_ns());
    }
}

static void
open_connection(struct worker *worker, struct connection *connection)
{
    const struct load_plan *plan = worker->plan;
    const int on = 1;

    connection->since_ns = load_now_ns();
    connection->requests = 0;
    connection->state = CONNECTING;
    connection->fd = socket(plan->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    connection->ssl = SSL_new(plan->tls);
    if (connection->fd < 0 || connection->ssl == NULL ||
        SSL_set_fd(connection->ssl, connection->fd) != 1) {
        fail(worker, connection, "socket");
        return;
    }
    SSL_set_app_data(connection->ssl, connection);
    SSL_set_connect_state(connection->ssl);
    if (plan->resume && connection->session != NULL)
        (void)SSL_set_session(connection->ssl, connection->session);
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = connection };
    const struct sockaddr *address = (const struct sockaddr *)&plan->address;
    if ((connect(connection->fd, address, plan->address_size) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(worker->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        fail(worker, connection, "connect");
}

static void
close_connection(struct worker *worker, struct connection *connection, bool politely)
{
    if (connection->state == SENDING || connection->state == RECEIVING)
        worker->busy--;
    if (connection->state >= IDLE)
        worker->up--;
    if (politely)
        (void)SSL_shutdown(connection->ssl);
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    if (connection->fd >= 0)
        (void)close(connection->fd);
    connection->fd = -1;
    connection->state = CLOSED;
    worker->neglected = true;
    ERR_clear_error();
}

static void
fail(struct worker *worker, struct connection *connection, const char *what)
{
    struct load_tally *tally = &worker->tally;
    int error = errno;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    if (tally->errors++ == 0)
        (void)snprintf(tally->first_error, sizeof tally->first_error, "%s: %s", what,
                       reason != NULL ? reason
                       : error != 0   ? strerror(error)
                                      : "connection closed");
    worker->failures_in_row++;
    close_connection(worker, connection, false);
}

static void
advance(struct worker *worker, struct connection *connection)
{
    errno = 0;
    if (connection->state == CONNECTING)
        finish_connect(worker, connection);
    if (connection->state == HANDSHAKING)
        shake_hands(worker, connection);
    else if (connection->state == IDLE)
        watch_idle(worker, connection);
    else if (connection->state == SENDING)
        send_request(worker, connection);
    else if (connection->state == RECEIVING)
        receive_answer(worker, connection);
}

static void
finish_connect(struct worker *worker, struct connection *connection)
{
    int error = 0;
    socklen_t size = sizeof error;

    (void)getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
        connection->state = HANDSHAKING;
    } else {
        errno = error;
        fail(worker, connection, "connect");
    }
}

static void
shake_hands(struct worker *worker, struct connection *connection)
{
    int result = SSL_do_handshake(connection->ssl);

    if (result == 1)
        handshake_done(worker, connection);
    else if (!wants_more(connection, result))
        fail(worker, connection, "handshake");
}

static void
handshake_done(struct worker *worker, struct connection *connection)
{
    struct load_tally *tally = &worker->tally;
    uint64_t now_ns = load_now_ns();

    if (phase_of(worker) == LOAD_MEASURE) {
        if (SSL_session_reused(connection->ssl))
            tally->resumed_handshakes++;
        else
            tally->full_handshakes++;
        histogram_record(&tally->handshake, now_ns - connection->since_ns);
    }
    if (tally->cipher[0] == '\0')
        (void)snprintf(tally->cipher, sizeof tally->cipher, "%s %s",
                       SSL_get_version(connection->ssl), SSL_get_cipher_name(connection->ssl));
    connection->state = IDLE;
    worker->up++;
    if (!worker->reported && worker->up == worker->connection_count) {
        worker->reported = true;
        atomic_fetch_add(&worker->run->ready, 1);
    }
    if (may_send(worker))
        begin_request(worker, connection, now_ns);
}

/* Between requests only tickets and the end of the connection may come. */
static void
watch_idle(struct worker *worker, struct connection *connection)
{
    size_t size;
    int result = SSL_read_ex(connection->ssl, worker->input, INPUT_SIZE, &size);

    if (result == 1)
        fail(worker, connection, "bytes without a request");
    else if (SSL_get_error(connection->ssl, result) == SSL_ERROR_ZERO_RETURN)
        close_connection(worker, connection, true);
    else if (!wants_more(connection, result))
        fail(worker, connection, "idle connection");
}

static bool
may_send(const struct worker *worker)
{
    enum load_phase phase = phase_of(worker);

    if (phase == LOAD_MEASURE)
        return worker->plan->requests == 0 || worker->quota > 0;
    return phase == LOAD_WARM_UP;
}

static void
begin_request(struct worker *worker, struct connection *connection, uint64_t now_ns)
{
    if (worker->plan->requests > 0 && phase_of(worker) == LOAD_MEASURE)
        worker->quota--;
    worker->busy++;
    connection->state = SENDING;
    connection->since_ns = now_ns;
    connection->requests++;
    connection->sent = 0;
    render_request(worker, connection);
    send_request(worker, connection);
}

/* Workers take the numbers in turn, so they need not agree on each. */
static void
render_request(struct worker *worker, struct connection *connection)
{
    const struct load_plan *plan = worker->plan;
    uint64_t number = number_of(plan, worker->index + worker->sequence * plan->threads);
    char *request = connection->request;
    size_t size = template_render(&plan->head, number, kept_of(plan, number), request);

    worker->sequence++;
    connection->number = number;
    worker->tally.next = number + 1;
    if (plan->has_body) {
        /* The body goes where it can't be too early, then moves up behind its length. */
        char *body = request + size + LENGTH_DIGITS_MAX;
        size_t body_size = render_body(plan, number, body);
        char digits[LENGTH_DIGITS_MAX];
        int digit_count = snprintf(digits, sizeof digits, "%zu\r\n\r\n", body_size);

        memcpy(request + size, digits, (size_t)digit_count);
        size += (size_t)digit_count;
        memmove(request + size, body, body_size);
        size += body_size;
    }
    connection->request_size = size;
}

/* A large prime as stride visits all of a range before it comes back, far from the number before.
 */
static uint64_t
number_of(const struct load_plan *plan, uint64_t sequence)
{
    return plan->first + (plan->spread == 0 ? sequence : sequence * STRIDE % plan->spread);
}

static uint64_t
kept_of(const struct load_plan *plan, uint64_t number)
{
    return plan->kept == NULL ? 0 : plan->kept[number - plan->first];
}

/* Each item of each request has a number of its own. */
static size_t
render_body(const struct load_plan *plan, uint64_t number, char *body)
{
    size_t size = strlen(plan->before);

    memcpy(body, plan->before, size);
    for (uint64_t i = 0; i < plan->items; i++) {
        if (i > 0)
            body[size++] = ',';
        size += template_render(&plan->body, number * plan->items + i, kept_of(plan, number),
                                body + size);
    }
    memcpy(body + size, plan->after, strlen(plan->after));
    return size + strlen(plan->after);
}

static void
send_request(struct worker *worker, struct connection *connection)
{
    while (connection->sent < connection->request_size) {
        size_t written;
        int result = SSL_write_ex(connection->ssl, connection->request + connection->sent,
                                  connection->request_size - connection->sent, &written);
        if (result != 1) {
            if (!wants_more(connection, result))
                fail(worker, connection, "send");
            return;
        }
        connection->sent += written;
    }
    answer_begin(&connection->answer);
    connection->text_size = 0;
    connection->state = RECEIVING;
}

static void
receive_answer(struct worker *worker, struct connection *connection)
{
    for (;;) {
        size_t size, taken;
        int result = SSL_read_ex(connection->ssl, worker->input, INPUT_SIZE, &size);

        if (result != 1) {
            if (wants_more(connection, result))
                return;
            /* A body that ends with the connection needs the peer's word that this is the end. */
            if (SSL_get_error(connection->ssl, result) == SSL_ERROR_ZERO_RETURN &&
                answer_end_of_stream(&connection->answer))
                answer_done(worker, connection);
            else
                fail(worker, connection, "receive");
            return;
        }
        enum answer_progress progress =
            answer_feed(&connection->answer, worker->input, size, &taken);
        if (worker->plan->keep_name != NULL)
            keep_text(worker, connection, taken);
        if (progress == ANSWER_MORE)
            continue;
        if (progress == ANSWER_DONE && taken == size)
            answer_done(worker, connection);
        else
            fail(worker, connection,
                 progress == ANSWER_DONE ? "bytes after the answer" : "malformed answer");
        return;
    }
}

/* What was just taken; of an answer that is too long the end is missing, and then the number. */
static void
keep_text(const struct worker *worker, struct connection *connection, size_t size)
{
    size_t room = KEEP_MAX - connection->text_size;

    size = size < room ? size : room;
    memcpy(connection->text + connection->text_size, worker->input, size);
    connection->text_size += size;
}

static void
keep_number(struct worker *worker, const struct connection *connection)
{
    const struct load_plan *plan = worker->plan;
    uint64_t *number = &plan->keep[connection->number - plan->first];

    if (!keep_find(connection->text, connection->text_size, plan->keep_name, number))
        worker->tally.unexpected++;
}

static void
answer_done(struct worker *worker, struct connection *connection)
{
    const struct load_plan *plan = worker->plan;
    struct load_tally *tally = &worker->tally;
    uint64_t now_ns = load_now_ns();
    int status = connection->answer.status;

    worker->failures_in_row = 0;
    worker->busy--;
    connection->state = IDLE;
    if (phase_of(worker) == LOAD_MEASURE) {
        tally->answers++;
        tally->statuses[status]++;
        if (plan->expected_status != 0 ? status != plan->expected_status : status / 100 != 2)
            tally->unexpected++;
        histogram_record(&tally->latency, now_ns - connection->since_ns);
        if (plan->keep_name != NULL)
            keep_number(worker, connection);
    }
    if (connection->answer.closes || (plan->requests_per_connection > 0 &&
                                      connection->requests >= plan->requests_per_connection)) {
        close_connection(worker, connection, true);
        if (may_send(worker))
            open_connection(worker, connection);
    } else if (may_send(worker)) {
        begin_request(worker, connection, now_ns);
    }
}

static void
free_worker(struct worker *worker)
{
    for (size_t i = 0; worker->connections != NULL && i < worker->connection_count; i++) {
        SSL_SESSION_free(worker->connections[i].session);
        free(worker->connections[i].request);
        free(worker->connections[i].text);
    }
    free(worker->connections);
    if (worker->epoll >= 0)
        (void)close(worker->epoll);
    free(worker);
}

static enum load_phase
phase_of(const struct worker *worker)
{
    return atomic_load_explicit(&worker->run->phase, memory_order_acquire);
}

static bool
wants_more(const struct connection *connection, int result)
{
    int error = SSL_get_error(connection->ssl, result);

    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}
