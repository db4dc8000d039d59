/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c: see connection.h. */
#include "server/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <microhttpd.h>

#include "api/api.h"
#include "auth/audit.h"
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "server/address_limits.h"
#include "server/library_wrap.h"
#include "server/line_budget.h"
#include "server/metrics.h"
#include "server/principal_limits.h"
#include "server/transport.h"
#include "server/turns.h"

enum {
    CHAIN_MAX = 32,
    REFUSALS_LOGGED_A_SECOND = 20,
    JUDGED_AT_ONCE = 32,
    HANDSHAKES_AT_ONCE = 64,
    HANDSHAKE_STEPS_A_ROUND = 4, /* each may take a millisecond: requests come in between */
};

static int judge_finished(gnutls_session_t session,
                          unsigned int message,
                          unsigned int when,
                          unsigned int incoming,
                          const gnutls_datum_t *data);
static void adopt_snapshot(struct connection_pool *pool);
static enum auth_verdict judge(struct connection *connection, char reason[AUTH_REASON_SIZE]);
static void
refuse_certificate(struct connection *connection, enum auth_verdict verdict, const char *reason);
static void audit_refusal(struct connection *connection, const char *reason, const char *detail);
static bool was_at_certificate(gnutls_session_t session);
static gnutls_alert_description_t alert_of(enum auth_verdict verdict);
static void count_principal(struct connection *connection);
static void format_peer(const struct sockaddr *address, char text[CONNECTION_PEER_SIZE]);
static void unlink_connection(struct connection *connection);
static void watch_handshake(struct connection *connection, bool watch);

struct connection *
connection_open(struct connection_pool *pool, struct MHD_Connection *native)
{
    gnutls_session_t session =
        MHD_get_connection_info(native, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    const struct sockaddr *address =
        MHD_get_connection_info(native, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    struct connection *connection = calloc(1, sizeof *connection);

    /* Whatever happens, the library shall not talk to the socket by itself. */
    transport_attach(session, connection);
    if (connection == NULL)
        return NULL;

    connection->address = address_limits_enter(pool->limits, address);
    if (connection->address == NULL) {
        gnutls_transport_set_ptr(session, NULL);
        free(connection);
        return NULL;
    }
    connection->handshaking_counted = true;
    connection->pool = pool;
    connection->session = session;
    connection->fd = MHD_get_connection_info(native, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    connection->security = security_ref(pool->security);
    format_peer(address, connection->peer);

    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, connection->security->credentials);
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
    gnutls_session_ticket_enable_server(session, security_holder_ticket_key(pool->holder));
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       judge_finished);

    watch_handshake(connection, true);
    pool->handshakes++;
    connection->next = pool->first;
    if (pool->first != NULL)
        pool->first->previous = connection;
    pool->first = connection;
    connection_enter(connection, CONNECTION_HANDSHAKE);
    atomic_fetch_add_explicit(&pool->metrics->connections_accepted, 1, memory_order_relaxed);
    return connection;
}

void
connection_close(struct connection *connection)
{
    if (connection == NULL)
        return;
    unlink_connection(connection);
    if (connection->linger)
        lingerers_add(&connection->pool->lingerers, connection->fd);
    if (connection->handshaking_counted)
        connection->pool->handshakes--; /* closing the socket takes it out of the set */
    address_limits_leave(connection->pool->limits, connection->address,
                         connection->handshaking_counted);
    if (connection->caller != NULL)
        turn_queue_leave(connection->pool->turns, connection->caller);
    if (connection->principal != NULL)
        principal_limits_leave(connection->pool->principal_limits, connection->principal);
    /* The library has ended the TLS session already. */
    auth_identity_unref(connection->identity);
    security_unref(connection->security);
    free(connection);
}

void
connection_enter(struct connection *connection, enum connection_phase phase)
{
    const struct connection_pool *pool = connection->pool;
    int64_t timeout_ms = 0;

    switch (phase) {
    case CONNECTION_HANDSHAKE:
        timeout_ms = pool->handshake_timeout_ms;
        break;
    case CONNECTION_IDLE:
        /* Who shows no certificate shall not hold a place for long. */
        timeout_ms = connection->identity != NULL ? pool->idle_timeout_ms : pool->header_timeout_ms;
        break;
    case CONNECTION_HEADER:
        timeout_ms = pool->header_timeout_ms;
        break;
    case CONNECTION_BODY:
    case CONNECTION_ANSWER:
        timeout_ms = pool->body_timeout_ms;
        break;
    case CONNECTION_BUSY:
    case CONNECTION_WATCH:
        break;
    }
    connection->phase = phase;
    connection->deadline_ms = timeout_ms == 0 ? INT64_MAX : pool->now_ms + timeout_ms;
}

void
connection_hurry(struct connection *connection, int64_t deadline_ms)
{
    if (deadline_ms < connection->deadline_ms)
        connection->deadline_ms = deadline_ms;
}

void
connection_pool_reap(struct connection_pool *pool)
{
    int64_t now_ms = clock_monotonic_ms();

    lingerers_run(&pool->lingerers);
    for (struct connection *connection = pool->first; connection != NULL;
         connection = connection->next) {
        if (connection->cut)
            continue;
        bool rests = connection->phase == CONNECTION_IDLE || connection->phase == CONNECTION_WATCH;
        if (rests && !connection_is_good(connection)) {
            connection_cut(connection);
            continue;
        }
        if (connection->deadline_ms > now_ms)
            continue;
        if (connection->phase != CONNECTION_IDLE)
            metrics_count_refusal(pool->metrics, METRICS_DEADLINE);
        if (connection->phase == CONNECTION_HEADER || connection->phase == CONNECTION_BODY)
            connection_answer_and_cut(connection, 408, "the request did not arrive in time");
        else
            connection_cut(connection);
    }
}

bool
connection_pool_refresh(struct connection_pool *pool)
{
    adopt_snapshot(pool);
    for (int i = 0; i < JUDGED_AT_ONCE && pool->sweep != NULL; i++) {
        struct connection *connection = pool->sweep;

        pool->sweep = connection->next;
        /* The handshake's end judges by the snapshot of that time. */
        if (connection->phase != CONNECTION_HANDSHAKE && !connection_is_good(connection))
            connection_cut(connection);
    }
    return pool->sweep != NULL;
}

bool
connection_is_good(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;
    char reason[AUTH_REASON_SIZE];

    if (connection->cut)
        return false;
    adopt_snapshot(pool); /* the worker may have been held up since its round began */
    int64_t now_ms = clock_wall_ms();
    if (connection->judged_generation == pool->security->generation &&
        now_ms >= connection->good_from_ms && now_ms < connection->good_until_ms)
        return true;
    enum auth_verdict verdict = judge(connection, reason);
    if (verdict == AUTH_GOOD)
        return true;
    refuse_certificate(connection, verdict, reason);
    metrics_count_refusal(pool->metrics, METRICS_CUT);
    return false;
}

bool
connection_stranger_line(const struct connection *connection, uint64_t *left_out_out)
{
    return line_budget_take(connection->pool->stranger_lines,
                            address_limits_number(connection->address), clock_monotonic_ms(),
                            left_out_out);
}

void
connection_answer_and_cut(struct connection *connection, int http_status, const char *detail)
{
    AUTO(buffer) body = BUFFER(4096);
    AUTO(buffer) answer = BUFFER(8192);
    char date[64] = "";
    char request_id[API_REQUEST_ID_SIZE];
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm broken_down;

    if (connection->cut)
        return;
    if (gmtime_r(&now, &broken_down) != NULL)
        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &broken_down);
    api_problem_for_http_status(http_status, detail, request_id, &body);
    metrics_count_request(connection->pool->metrics, api_operation_count(), http_status, IPSEC_OK,
                          0);
    buffer_append_format(&answer,
                         "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\n"
                         "Content-Type: application/problem+json\r\nX-Request-Id: %s\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         http_status, MHD_get_reason_phrase_for((unsigned int)http_status), date,
                         request_id, body.size);
    buffer_append(&answer, body.data, body.size);
    /* Best effort: a client that does not read loses the answer, not we our time. */
    if (!answer.failed && gnutls_record_send(connection->session, answer.data, answer.size) > 0)
        (void)gnutls_bye(connection->session, GNUTLS_SHUT_WR);
    connection->linger = true;
    connection_cut(connection);
}

void
connection_cut(struct connection *connection)
{
    if (connection->cut)
        return;
    connection->cut = true;
    connection->rights = (struct ipsec_rights){ { 0 } };
    /* The library sees the end at its next look and closes; it owns the descriptor. */
    (void)shutdown(connection->fd, SHUT_RDWR);
}

bool
library_handshake_may_step(gnutls_session_t session)
{
    struct connection *connection = gnutls_transport_get_ptr(session);

    if (connection == NULL || connection->cut)
        return true;
    if (connection->handshake_waits && !connection->handshake_readable &&
        gnutls_record_get_direction(session) == 0)
        return false;
    struct connection_pool *pool = connection->pool;
    if (pool->handshake_steps == HANDSHAKE_STEPS_A_ROUND) {
        pool->progress = true; /* the next round comes at once */
        return false;
    }
    pool->handshake_steps++;
    return true;
}

void
library_handshake_stepped(gnutls_session_t session, int result)
{
    static struct log_limit limit;
    struct connection *connection = gnutls_transport_get_ptr(session);

    if (connection == NULL)
        return;
    /* It takes one record a step, and the socket tells only of new bytes. */
    connection->handshake_readable =
        !connection->socket_empty || connection->ahead_start < connection->ahead_end;
    connection->handshake_waits = result == GNUTLS_E_AGAIN;
    if (result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED)
        return;
    struct connection_pool *pool = connection->pool;
    pool->progress = true;
    if (connection->handshaking_counted && (result == 0 || gnutls_error_is_fatal(result))) {
        address_limits_handshake_done(pool->limits, connection->address);
        connection->handshaking_counted = false;
        watch_handshake(connection, false);
        pool->handshakes--;
    }
    if (result == 0) {
        atomic_fetch_add_explicit(gnutls_session_is_resumed(session)
                                      ? &pool->metrics->handshakes_resumed
                                      : &pool->metrics->handshakes_full,
                                  1, memory_order_relaxed);
        connection_enter(connection, CONNECTION_IDLE);
        count_principal(connection);
        return;
    }
    if (connection->cut)
        return; /* by us: the reason was given */
    metrics_count_refusal(pool->metrics, METRICS_HANDSHAKE_FAILED);
    if (was_at_certificate(session))
        audit_refusal(connection, "handshake failed at the certificate", gnutls_strerror(result));
    (void)gnutls_alert_send_appropriate(session, result);
    int64_t left_out = log_limit_pass(&limit, REFUSALS_LOGGED_A_SECOND);
    if (left_out >= 0)
        log_info("handshake failed", LOG_TEXT("peer", connection->peer),
                 LOG_TEXT("reason", gnutls_strerror(result)), LOG_NUMBER("leftOut", left_out));
}

/* Now that it is known who calls.  Who has too many connections is told so on the new one. */
static void
count_principal(struct connection *connection)
{
    static struct log_limit limit;
    struct connection_pool *pool = connection->pool;

    if (connection->identity == NULL || connection->cut)
        return;
    connection->principal =
        principal_limits_enter(pool->principal_limits, connection->identity->principal);
    if (connection->principal != NULL) {
        connection->caller = turn_queue_enter(pool->turns, connection->identity->principal);
        return;
    }
    metrics_count_refusal(pool->metrics, METRICS_LIMIT_REACHED);
    int64_t left_out = log_limit_pass(&limit, REFUSALS_LOGGED_A_SECOND);
    if (left_out >= 0)
        log_warning("connection refused", LOG_TEXT("peer", connection->peer),
                    LOG_TEXT("principal", connection->identity->principal),
                    LOG_TEXT("reason", "the principal has too many connections"),
                    LOG_NUMBER("leftOut", left_out));
    connection_answer_and_cut(connection, 429, "too many connections of this principal");
}

void
connection_pool_look(struct connection_pool *pool)
{
    struct epoll_event events[HANDSHAKES_AT_ONCE];

    pool->handshake_steps = 0;
    if (pool->handshakes == 0)
        return;
    int count = epoll_wait(pool->handshake_fd, events, HANDSHAKES_AT_ONCE, 0);

    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        connection->handshake_readable = true;
    }
}

/* The library steps every unfinished handshake in every round, whether bytes came or not.  An epoll
 * set of our own, edge-triggered, tells which of them have something to read. */
static void
watch_handshake(struct connection *connection, bool watch)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection };

    if (epoll_ctl(connection->pool->handshake_fd, watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                  connection->fd, &event) != 0)
        connection->handshake_readable = true; /* then it is stepped in every round */
}

/* --- The client's certificate ----------------------------------------------------------------- */

/* Runs inside the handshake when the client's Finished has arrived, for a resumed session as for a
 * full one: its certificate and the proof of its key came before, and no byte of a request has been
 * looked at. */
static int
judge_finished(gnutls_session_t session,
               unsigned int message,
               unsigned int when,
               unsigned int incoming,
               const gnutls_datum_t *data)
{
    struct connection *connection = gnutls_transport_get_ptr(session);
    char reason[AUTH_REASON_SIZE];

    (void)message;
    (void)when;
    (void)data;
    if (!incoming || connection == NULL)
        return 0;
    enum auth_verdict verdict = judge(connection, reason);
    if (verdict != AUTH_GOOD) {
        metrics_count_refusal(connection->pool->metrics, METRICS_CERTIFICATE_REFUSED);
        refuse_certificate(connection, verdict, reason);
        (void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert_of(verdict));
        connection_cut(connection);
        return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
    }
    return 0;
}

static void
adopt_snapshot(struct connection_pool *pool)
{
    if (security_holder_is_current(pool->holder, pool->security->generation))
        return;
    security_unref(pool->security);
    pool->security = security_holder_get(pool->holder);
    pool->sweep = pool->first;
}

/* Judges by the worker's current snapshot and, if that is good, fills identity and rights.  No
 * certificate is good, with no identity and no rights. */
static enum auth_verdict
judge(struct connection *connection, char reason[AUTH_REASON_SIZE])
{
    const struct security *security = connection->pool->security;
    unsigned int length = 0;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(connection->session, &length);
    struct auth_identity *identity = NULL;
    int64_t now_ms = clock_wall_ms();
    int64_t good_until_ms = INT64_MAX;
    struct auth_der chain[CHAIN_MAX];

    if (peers == NULL)
        length = 0;
    if (length > CHAIN_MAX) {
        (void)snprintf(reason, AUTH_REASON_SIZE, "%u certificates", length);
        return AUTH_TOO_DEEP;
    }
    for (unsigned int i = 0; i < length; i++)
        chain[i] = (struct auth_der){ .data = peers[i].data, .size = peers[i].size };
    if (length > 0) {
        enum auth_verdict verdict =
            auth_judge(security->trust, chain, length, now_ms, &identity, &good_until_ms, reason);
        if (verdict != AUTH_GOOD)
            return verdict;
    }
    /* The same certificate says the same: a request under way keeps what it points to. */
    if (connection->identity == NULL)
        connection->identity = identity;
    else
        auth_identity_unref(identity);
    connection->judged_generation = security->generation;
    connection->good_from_ms = now_ms;
    connection->good_until_ms = good_until_ms;
    access_policy_rights(security->policy, connection->identity, &connection->rights);
    return AUTH_GOOD;
}

static void
refuse_certificate(struct connection *connection, enum auth_verdict verdict, const char *reason)
{
    static struct log_limit limit;
    int64_t left_out = log_limit_pass(&limit, REFUSALS_LOGGED_A_SECOND);

    if (left_out >= 0)
        log_warning("client certificate refused", LOG_TEXT("peer", connection->peer),
                    LOG_TEXT("reason", auth_verdict_text(verdict)), LOG_TEXT("detail", reason),
                    LOG_NUMBER("leftOut", left_out));
    audit_refusal(connection, auth_verdict_text(verdict), reason);
}

/* Of whoever was good before there are as many lines as there were such connections. */
static void
audit_refusal(struct connection *connection, const char *reason, const char *detail)
{
    const struct connection_pool *pool = connection->pool;
    const struct auth_identity *identity = connection->identity;
    unsigned int length = 0;
    struct auth_leaf leaf;
    uint64_t left_out = 0;

    if (!audit_enabled(pool->audit) ||
        (identity == NULL && !connection_stranger_line(connection, &left_out)))
        return;
    const gnutls_datum_t *peers = gnutls_certificate_get_peers(connection->session, &length);
    bool has_leaf = peers != NULL && length > 0;
    if (has_leaf)
        auth_leaf_describe(&(struct auth_der){ .data = peers[0].data, .size = peers[0].size },
                           &leaf);
    const struct audit_refusal refusal = {
        .time_ms = clock_wall_ms(),
        .peer = connection->peer,
        .principal = identity != NULL ? identity->principal : NULL,
        .subject = has_leaf ? leaf.subject : NULL,
        .fingerprint = has_leaf ? leaf.fingerprint : NULL,
        .reason = reason,
        .detail = detail,
        .left_out = left_out,
    };
    audit_append_refusal(pool->audit_lines, &refusal);
}

/* Whether the TLS library itself ended a handshake over what the client showed, or was about to. */
static bool
was_at_certificate(gnutls_session_t session)
{
    gnutls_handshake_description_t last = gnutls_handshake_get_last_in(session);
    unsigned int length = 0;

    return last == GNUTLS_HANDSHAKE_CERTIFICATE_PKT ||
           last == GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY ||
           gnutls_certificate_get_peers(session, &length) != NULL;
}

static gnutls_alert_description_t
alert_of(enum auth_verdict verdict)
{
    switch (verdict) {
    case AUTH_UNKNOWN_CA:
    case AUTH_TOO_DEEP:
        return GNUTLS_A_UNKNOWN_CA;
    case AUTH_EXPIRED:
        return GNUTLS_A_CERTIFICATE_EXPIRED;
    case AUTH_WRONG_USAGE:
        return GNUTLS_A_UNSUPPORTED_CERTIFICATE;
    case AUTH_REVOKED:
        return GNUTLS_A_CERTIFICATE_REVOKED;
    case AUTH_CRL_UNUSABLE:
        return GNUTLS_A_CERTIFICATE_UNKNOWN;
    case AUTH_INTERNAL:
        return GNUTLS_A_INTERNAL_ERROR;
    case AUTH_GOOD:
    case AUTH_MALFORMED:
    case AUTH_NOT_YET_VALID:
    case AUTH_WEAK:
    case AUTH_VERDICT_COUNT:
        break;
    }
    return GNUTLS_A_BAD_CERTIFICATE;
}

static void
format_peer(const struct sockaddr *address, char text[CONNECTION_PEER_SIZE])
{
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned int port = 0;

    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        port = ntohs(v4->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        /* A caller over IPv4 is written as such, also on a socket that takes both. */
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            (void)inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, host, sizeof host);
        else
            (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        port = ntohs(v6->sin6_port);
    }
    (void)snprintf(text, CONNECTION_PEER_SIZE, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                   host, port);
}

static void
unlink_connection(struct connection *connection)
{
    if (connection->pool->sweep == connection)
        connection->pool->sweep = connection->next;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connection->pool->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
}
