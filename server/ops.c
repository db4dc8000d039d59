/* SPDX-License-Identifier: Apache-2.0
 *
 * ops.c: see ops.h. */
#include "server/ops.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "engine/base/buffer.h"
#include "engine/engine.h"
#include "server/address_limits.h"
#include "server/library_wrap.h"
#include "server/metrics.h"
#include "server/process_figures.h"
#include "server/worker.h"

enum { TEXT_MAX = 4 * 1024 * 1024, CONNECTIONS_MAX = 64, TIMEOUT_SECONDS = 5 };

struct ops {
    struct MHD_Daemon *daemon;
    struct ops_source *source;
    const struct metrics **metrics;
    int64_t process_started_ms;
};

static enum MHD_Result handle(void *closure,
                              struct MHD_Connection *native,
                              const char *url,
                              const char *method,
                              const char *version,
                              const char *upload,
                              size_t *upload_size,
                              void **context);
static unsigned int render_ready(const struct ops *ops, struct buffer *text);
static void render_capabilities(const struct ipsec_engine *engine, struct buffer *text);
static void render_drift(const struct ipsec_drift *drift, struct buffer *text);
static void render_filters(const struct ipsec_engine_figures *figures, struct buffer *text);
static void render_metrics(const struct ops *ops, struct buffer *text);

enum ipsec_status
ops_start(struct ops_source *source, int fd_take, struct ipsec_fault *fault, struct ops **ops_out)
{
    struct ops *ops = calloc(1, sizeof *ops);

    *ops_out = NULL;
    if (ops != NULL)
        ops->metrics = calloc(source->worker_count, sizeof(struct metrics *));
    if (ops == NULL || ops->metrics == NULL) {
        free(ops);
        close(fd_take);
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory");
    }
    ops->source = source;
    ops->process_started_ms = process_started_ms();
    for (size_t i = 0; i < source->worker_count; i++)
        ops->metrics[i] = &source->workers[i]->metrics;
    ops->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, ops,
        MHD_OPTION_EXTERNAL_LOGGER, library_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd_take,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned int)TIMEOUT_SECONDS, MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, MHD_OPTION_END);
    if (ops->daemon == NULL) {
        free(ops->metrics);
        free(ops);
        close(fd_take);
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, "ops-listen",
                               "the ops listener does not start");
    }
    *ops_out = ops;
    return IPSEC_OK;
}

void
ops_stop(struct ops *ops)
{
    if (ops == NULL)
        return;
    MHD_stop_daemon(ops->daemon);
    free(ops->metrics);
    free(ops);
}

static enum MHD_Result
handle(void *closure,
       struct MHD_Connection *native,
       const char *url,
       const char *method,
       const char *version,
       const char *upload,
       size_t *upload_size,
       void **context)
{
    static int seen;
    struct ops *ops = closure;
    const char *type = "text/plain; charset=utf-8";
    unsigned int status = MHD_HTTP_OK;
    AUTO(buffer) text = BUFFER(TEXT_MAX);

    (void)version;
    (void)upload;
    if (*context == NULL) { /* the headers; an answer is given when the request is whole */
        *context = &seen;
        return MHD_YES;
    }
    *upload_size = 0;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        status = MHD_HTTP_METHOD_NOT_ALLOWED;
        buffer_append_text(&text, "only GET\n");
    } else if (strcmp(url, "/livez") == 0 || strcmp(url, "/healthz") == 0) {
        buffer_append_text(&text, "ok\n");
    } else if (strcmp(url, "/readyz") == 0) {
        status = render_ready(ops, &text);
    } else if (strcmp(url, "/metrics") == 0) {
        type = "text/plain; version=0.0.4; charset=utf-8";
        render_metrics(ops, &text);
    } else {
        status = MHD_HTTP_NOT_FOUND;
        buffer_append_text(&text, "/livez /healthz /readyz /metrics\n");
    }
    if (text.failed) {
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        buffer_reset(&text);
    }

    struct MHD_Response *response = MHD_create_response_from_buffer_copy(text.size, text.data);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED && result == MHD_YES)
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (result == MHD_YES)
        result = MHD_queue_response(native, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Ready: callers are served and changes can be committed. */
static unsigned int
render_ready(const struct ops *ops, struct buffer *text)
{
    struct ipsec_engine_figures figures;
    bool draining = atomic_load(&ops->source->common->draining);

    ipsec_engine_read_figures(ops->source->common->engine, &figures);
    buffer_append_format(text, "engine ok\nstore %s %s\nlistener %s\nplane %s", figures.store_name,
                         figures.writable ? "ok" : ipsec_status_name(figures.store_status),
                         draining ? "draining" : "ok", figures.plane_name);
    render_capabilities(ops->source->common->engine, text);
    render_drift(&figures.drift, text);
    buffer_append_char(text, '\n');
    render_filters(&figures, text);
    return figures.writable && !draining ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* How many transforms the data plane has of those it was tried for; which, GET /capabilities tells.
 */
static void
render_capabilities(const struct ipsec_engine *engine, struct buffer *text)
{
    struct ipsec_capability capability;
    size_t tried = 0;
    size_t supported = 0;

    for (; ipsec_engine_capability(engine, tried, &capability); tried++)
        supported += capability.is_supported;
    if (tried > 0)
        buffer_append_format(text, " ok, %zu of %zu transforms", supported, tried);
    else
        buffer_append_text(text, " ok");
}

/* No reason not to be ready: callers are served, and what can be mended is. */
static void
render_drift(const struct ipsec_drift *drift, struct buffer *text)
{
    uint64_t missing = drift->sas_missing + drift->policies_missing;
    uint64_t left_over = drift->sas_left_over + drift->policies_left_over;

    if (missing + left_over > 0)
        buffer_append_format(
            text, ", the last comparison found %" PRIu64 " missing and %" PRIu64 " left over",
            missing, left_over);
}

/* Nor is this one: the others are in force, and what stands in the way is somebody else's. */
static void
render_filters(const struct ipsec_engine_figures *figures, struct buffer *text)
{
    if (figures->filters_unenforced == 0)
        buffer_append_text(text, "filters ok\n");
    else
        buffer_append_format(
            text, "filters %" PRIu64 " of %" PRIu64 " not enforced, GET /drift names them\n",
            figures->filters_unenforced, figures->filters);
}

static void
render_metrics(const struct ops *ops, struct buffer *text)
{
    struct worker_common *common = ops->source->common;
    const struct metrics_source source = {
        .workers = ops->metrics,
        .worker_count = ops->source->worker_count,
        .engine = common->engine,
        .security = common->holder,
        .audit = common->audit,
        .connections = address_limits_connections(common->limits),
        .reloads = atomic_load(&ops->source->reloads),
        .reload_failures = atomic_load(&ops->source->reload_failures),
        .started_ms = ops->process_started_ms,
        .version = common->service.version,
    };

    metrics_render(&source, text);
}
