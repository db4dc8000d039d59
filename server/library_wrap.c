/* SPDX-License-Identifier: Apache-2.0
 *
 * library_wrap.c: see library_wrap.h. */
#include "server/library_wrap.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <sys/types.h>

#include <microhttpd.h>

#include "api/api.h"
#include "engine/base/buffer.h"
#include "engine/base/log.h"
#include "server/metrics.h"

/* Headers and body are put together up to what one TLS record holds. */
enum { RECORD_MAX = 16384, LOG_LINE_MAX = 512 };

/* The library says the status of an error page only in its log line, right before it makes the page
 * on the same thread. */
static _Thread_local int error_status;
static _Thread_local struct metrics *thread_metrics;

/* The linker's names. */
int __real_gnutls_handshake(gnutls_session_t session);
int __wrap_gnutls_handshake(gnutls_session_t session);
ssize_t __real_gnutls_record_recv(gnutls_session_t session, void *data, size_t size);
ssize_t __wrap_gnutls_record_recv(gnutls_session_t session, void *data, size_t size);
struct MHD_Response *__real_MHD_create_response_from_buffer_static(size_t size, const void *data);
struct MHD_Response *__wrap_MHD_create_response_from_buffer_static(size_t size, const void *data);
ssize_t __real_MHD_send_hdr_and_body_(struct MHD_Connection *connection,
                                      const char *header,
                                      size_t header_size,
                                      bool never_push_header,
                                      const char *body,
                                      size_t body_size,
                                      bool complete);
ssize_t __wrap_MHD_send_hdr_and_body_(struct MHD_Connection *connection,
                                      const char *header,
                                      size_t header_size,
                                      bool never_push_header,
                                      const char *body,
                                      size_t body_size,
                                      bool complete);
/* Internal to the library: sends over TLS or plain, pushing or not. */
ssize_t MHD_send_data_(struct MHD_Connection *connection, const char *data, size_t size, bool push);

static const char *detail_of(int http_status);

void
library_attach(struct metrics *metrics)
{
    thread_metrics = metrics;
}

void
library_log(void *unused, const char *format, va_list arguments)
{
    static struct log_limit limit;
    static const char error_page[] = "Error processing request (HTTP response code is %u";
    char line[LOG_LINE_MAX];

    (void)unused;
    if (strncmp(format, error_page, sizeof error_page - 1) == 0) {
        error_status = (int)va_arg(arguments, unsigned int);
        return;
    }
    (void)vsnprintf(line, sizeof line, format, arguments);
    bool is_accept = strstr(format, "accept") != NULL && log_limit_pass(&limit, 1) >= 0;
    size_t length = strlen(line);
    while (length > 0 && line[length - 1] == '\n')
        line[--length] = '\0';
    if (is_accept) /* out of descriptors, most likely */
        log_warning("connection not accepted", LOG_TEXT("message", line));
    else
        log_debug("http library", LOG_TEXT("message", line));
}

int
__wrap_gnutls_handshake(gnutls_session_t session)
{
    if (!library_handshake_may_step(session))
        return GNUTLS_E_AGAIN;
    int result = __real_gnutls_handshake(session);

    library_handshake_stepped(session, result);
    return result;
}

/* The library reads after each answer whether the next request is there, and mostly it is not.
 * GnuTLS would make two buffers of a whole record for that, which are wiped after it. */
ssize_t
__wrap_gnutls_record_recv(gnutls_session_t session, void *data, size_t size)
{
    return library_has_input(session) ? __real_gnutls_record_recv(session, data, size)
                                      : GNUTLS_E_AGAIN;
}

struct MHD_Response *
__wrap_MHD_create_response_from_buffer_static(size_t size, const void *data)
{
    AUTO(buffer) body = BUFFER(4096);
    char request_id[API_REQUEST_ID_SIZE];
    int http_status = error_status;

    error_status = 0;
    if (http_status == 0)
        return __real_MHD_create_response_from_buffer_static(size, data);
    api_problem_for_http_status(http_status, detail_of(http_status), request_id, &body);
    if (thread_metrics != NULL)
        metrics_count_request(thread_metrics, api_operation_count(), http_status, IPSEC_OK, 0);
    struct MHD_Response *response = MHD_create_response_from_buffer_copy(body.size, body.data);
    if (response == NULL)
        return NULL;
    (void)MHD_add_response_header(response, "Content-Type", "application/problem+json");
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, api_header_names[API_HEADER_REQUEST_ID], request_id);
    return response;
}

/* The library sends headers and body as two TLS records with a system call each; most answers here
 * fit one.  A partial send is reported as it is: the library counts bytes over both parts. */
ssize_t
__wrap_MHD_send_hdr_and_body_(struct MHD_Connection *connection,
                              const char *header,
                              size_t header_size,
                              bool never_push_header,
                              const char *body,
                              size_t body_size,
                              bool complete)
{
    char record[RECORD_MAX];

    if (body_size == 0 || header_size > RECORD_MAX || body_size > RECORD_MAX - header_size)
        return __real_MHD_send_hdr_and_body_(connection, header, header_size, never_push_header,
                                             body, body_size, complete);
    memcpy(record, header, header_size);
    memcpy(record + header_size, body, body_size);
    return MHD_send_data_(connection, record, header_size + body_size, complete);
}

static const char *
detail_of(int http_status)
{
    switch (http_status) {
    case 413:
        return "the request body, or a chunk of it, is above the limit";
    case 414:
        return "the request target is above the limit";
    case 431:
        return "the request headers are above the limit";
    case 501:
        return "a transfer coding or method that this server does not know";
    case 505:
        return "only HTTP/1.0 and HTTP/1.1 are spoken here";
    default:
        return "the request is not well-formed HTTP/1.1";
    }
}
