/* SPDX-License-Identifier: Apache-2.0
 *
 * connection.c: see connection.h. */
#include "server/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "api/api.h"
#include "engine/base/buffer.h"
#include "engine/base/clock.h"
#include "server/address_limits.h"
#include "server/connection_certificate.h"
#include "server/handshake.h"
#include "server/line_budget.h"
#include "server/metrics.h"
#include "server/principal_limits.h"
#include "server/transport.h"
#include "server/turns.h"

enum { JUDGED_AT_ONCE = 32 };

static void format_peer(const struct sockaddr *address, char text[CONNECTION_PEER_SIZE]);
static void unlink_connection(struct connection *connection);

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
                                       connection_judge_finished);

    handshake_watch(connection, true);
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
    connection_pool_adopt_snapshot(pool);
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
