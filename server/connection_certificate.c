/* SPDX-License-Identifier: Apache-2.0
 *
 * connection_certificate.c: see connection_certificate.h. */
#include "server/connection_certificate.h"

#include <stdio.h>

#include "auth/audit.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "server/connection.h"
#include "server/metrics.h"

enum { CHAIN_MAX = 32, REFUSALS_LOGGED_A_SECOND = 20 };

static enum auth_verdict judge(struct connection *connection, char reason[AUTH_REASON_SIZE]);
static void
refuse_certificate(struct connection *connection, enum auth_verdict verdict, const char *reason);
static gnutls_alert_description_t alert_of(enum auth_verdict verdict);

bool
connection_is_good(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;
    char reason[AUTH_REASON_SIZE];

    if (connection->cut)
        return false;
    /* The worker may have been held up since its round began. */
    connection_pool_adopt_snapshot(pool);
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

int
connection_judge_finished(gnutls_session_t session,
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

void
connection_pool_adopt_snapshot(struct connection_pool *pool)
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
    connection_audit_refusal(connection, auth_verdict_text(verdict), reason);
}

void
connection_audit_refusal(struct connection *connection, const char *reason, const char *detail)
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
