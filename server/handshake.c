/* SPDX-License-Identifier: Apache-2.0
 *
 * handshake.c: see handshake.h. */
#include "server/handshake.h"

#include <sys/epoll.h>

#include "engine/base/log.h"
#include "server/address_limits.h"
#include "server/connection.h"
#include "server/connection_certificate.h"
#include "server/library_wrap.h"
#include "server/metrics.h"
#include "server/principal_limits.h"
#include "server/turns.h"

enum {
    REFUSALS_LOGGED_A_SECOND = 20,
    HANDSHAKES_AT_ONCE = 64,
    HANDSHAKE_STEPS_A_ROUND = 4, /* each may take a millisecond: requests come in between */
};

static void count_principal(struct connection *connection);
static bool was_at_certificate(gnutls_session_t session);

void
handshake_watch(struct connection *connection, bool watch)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection };

    if (epoll_ctl(connection->pool->handshake_fd, watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                  connection->fd, &event) != 0)
        connection->handshake_readable = true; /* then it is stepped in every round */
}

void
handshake_look(struct connection_pool *pool)
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
        handshake_watch(connection, false);
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
        connection_audit_refusal(connection, "handshake failed at the certificate",
                                 gnutls_strerror(result));
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
