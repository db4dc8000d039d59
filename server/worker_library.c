/* SPDX-License-Identifier: Apache-2.0
 *
 * worker_library.c: see worker_library.h. */
#include "server/worker_library.h"

#include <sys/socket.h>

#include <gnutls/abstract.h>
#include <microhttpd.h>

#include "engine/base/log.h"
#include "server/address_limits.h"
#include "server/library_wrap.h"
#include "server/options.h"
#include "server/request.h"
#include "server/worker.h"

/* Headers of a request at most, and what an idle connection costs. */
enum { CONNECTION_MEMORY = 8 * 1024 };

/* TLS 1.2 and 1.3 with forward secrecy and authenticated encryption alone. */
static const char tls_priorities[] = "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
                                     ":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
                                     ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"
                                     ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
                                     ":%SERVER_PRECEDENCE";

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

struct MHD_Daemon *
worker_library_start(struct worker *worker, int listen_fd_take)
{
    const struct options *options = worker->common->options;
    /* Resuming happens in the worker's thread only: the library needs no wake-up channel of its
     * own. */
    const unsigned int flags =
        MHD_USE_TLS | MHD_USE_EPOLL | MHD_USE_ERROR_LOG |
        ((unsigned int)MHD_ALLOW_SUSPEND_RESUME & ~(unsigned int)MHD_USE_ITC);

    return MHD_start_daemon(
        flags, 0, accept_policy, worker, access_handler, worker, MHD_OPTION_EXTERNAL_LOGGER,
        library_log, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd_take, MHD_OPTION_CONNECTION_LIMIT,
        options->max_connections + 1, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, MHD_OPTION_NOTIFY_CONNECTION, connection_event, worker,
        MHD_OPTION_NOTIFY_COMPLETED, completed, worker, MHD_OPTION_URI_LOG_CALLBACK,
        request_target_seen, worker, MHD_OPTION_HTTPS_PRIORITIES, tls_priorities,
        MHD_OPTION_HTTPS_CERT_CALLBACK2, no_certificate, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
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
