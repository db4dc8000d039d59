/* SPDX-License-Identifier: Apache-2.0
 *
 * request.c: see request.h. */
#include "server/request.h"

#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "auth/audit.h"
#include "auth/rights.h"
#include "engine/base/clock.h"
#include "server/connection.h"
#include "server/metrics.h"
#include "server/options.h"
#include "server/stream.h"
#include "server/worker.h"

static int begin(struct request *request, const char *method);
static bool accept_head(struct request *request);
static int await_body(struct request *request);
static int take_body(struct request *request, const char *upload, size_t *upload_size);
static int take_turn(struct request *request);
static int go_on(struct request *request, enum api_next next);
static int queue_answer(struct request *request);
static void conclude(struct request *request);
static void refuse(struct request *request,
                   enum ipsec_status status,
                   enum ipsec_fault_place place,
                   const char *pointer,
                   const char *detail);
static bool caller_is_gone(const struct ipsec_call *call);
static enum MHD_Result collect_header(void *context,
                                      enum MHD_ValueKind kind,
                                      const char *name,
                                      size_t name_length,
                                      const char *value,
                                      size_t value_length);
static void keep_body(void *unused);

void *
request_target_seen(void *worker, const char *target, struct MHD_Connection *native)
{
    struct connection *connection =
        MHD_get_connection_info(native, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    struct request *request;

    if (connection == NULL)
        return NULL;
    request = worker_request_new(worker);
    if (request == NULL)
        return NULL;
    request->worker = worker;
    request->connection = connection;
    request->native = native;
    request->stage = REQUEST_NEW;
    request->target = strdup(target);
    request->started_us = clock_monotonic_us();
    /* A request that follows on the heels of another never was an idle connection. */
    if (connection->phase == CONNECTION_IDLE)
        connection_enter(connection, CONNECTION_HEADER);
    return request;
}

int
request_handle(const char *method, const char *upload, size_t *upload_size, struct request *request)
{
    if (request == NULL || request->target == NULL || request->connection->cut)
        return MHD_NO;

    switch (request->stage) {
    case REQUEST_NEW:
        return begin(request, method);
    case REQUEST_BODY:
        if (*upload_size > 0)
            return take_body(request, upload, upload_size);
        return take_turn(request);
    case REQUEST_READY:
        return take_turn(request);
    case REQUEST_ANSWERED:
        return queue_answer(request);
    case REQUEST_ENGINE:
    case REQUEST_SENDING:
        break;
    }
    return MHD_NO;
}

struct request *
request_of_turn(struct turn *turn)
{
    return (struct request *)(void *)((char *)turn - offsetof(struct request, turn));
}

void
request_completed(struct request *request)
{
    if (request == NULL)
        return;
    connection_enter(request->connection, CONNECTION_IDLE);
    stream_close(request->stream);
    request->stream = NULL;
    turn_give_back(&request->turn, 0, request->worker->pool.now_ms);
    worker_request_free(request->worker, request);
}

void
request_finish(struct request *request)
{
    api_call_finish(&request->call);
    conclude(request);
}

/* The headers are there. */
static int
begin(struct request *request, const char *method)
{
    struct api_call *call = &request->call;
    struct connection *connection = request->connection;
    struct guard *guard = &request->guard;

    call->service = &request->worker->common->service;
    call->identity = connection->identity;
    call->method = method;
    call->path = "/";
    (void)MHD_get_connection_values_n(request->native, MHD_HEADER_KIND, collect_header, guard);
    memcpy(call->headers, guard->headers, sizeof call->headers);

    if (!accept_head(request))
        return queue_answer(request);
    call->rights = connection->rights;

    call->base.completion = request->worker->completion;
    call->base.abandoned = caller_is_gone;
    enum api_next next = api_call_start(call, guard_has_body(guard));
    if (next == API_NEXT_BODY)
        return await_body(request);
    if (next == API_NEXT_ENGINE) {
        request->stage = REQUEST_READY;
        return MHD_YES;
    }
    if (!guard_has_body(guard)) {
        /* An answer in this first call would make the library close the connection: it comes in the
         * next, when the request is whole. */
        conclude(request);
        return MHD_YES;
    }
    /* The rest of a body that nobody wants is not waited for. */
    call->answer.close = true;
    connection->linger = true;
    conclude(request);
    return queue_answer(request);
}

/* What must hold before the call is looked at.  False: refused. */
static bool
accept_head(struct request *request)
{
    struct api_call *call = &request->call;
    struct guard *guard = &request->guard;

    if (guard_finish(guard) != IPSEC_OK) {
        refuse(request, guard->status, IPSEC_FAULT_HEADER, guard->header, guard->detail);
        return false;
    }
    if (strlen(request->target) > GUARD_TARGET_MAX) {
        refuse(request, IPSEC_HTTP_URI_TOO_LONG, IPSEC_FAULT_PATH, NULL,
               "the request target is above the limit");
        return false;
    }
    if (!guard_target(request->target, &call->path, &call->query)) {
        refuse(request, IPSEC_HTTP_BAD_REQUEST, IPSEC_FAULT_PATH, NULL,
               "the request target is malformed");
        return false;
    }

    if (!connection_is_good(request->connection)) {
        refuse(request, IPSEC_NOT_AUTHENTICATED, IPSEC_FAULT_HEADER, NULL,
               "the client certificate no longer holds");
        return false;
    }
    return true;
}

static int
await_body(struct request *request)
{
    struct api_call *call = &request->call;

    if (request->guard.content_length > call->body_maximum) {
        char limit[API_LIMIT_TEXT_SIZE];

        api_call_describe_limit(call, limit);
        refuse(request, IPSEC_HTTP_REQUEST_TOO_LARGE, IPSEC_FAULT_BODY, NULL, limit);
        return queue_answer(request);
    }
    request->body.maximum = call->body_maximum;
    request->stage = REQUEST_BODY;
    connection_enter(request->connection, CONNECTION_BODY);
    return MHD_YES;
}

static int
take_body(struct request *request, const char *upload, size_t *upload_size)
{
    char limit[API_LIMIT_TEXT_SIZE];

    buffer_append(&request->body, upload, *upload_size);
    /* It lies in the connection's memory, which the library keeps; it may hold keys, and the
     * library looks at it no more. */
    explicit_bzero((void *)(uintptr_t)upload, *upload_size);
    *upload_size = 0;
    if (!request->body.failed)
        return MHD_YES;
    /* A chunked body: the library cannot answer in its middle, so it is done by hand. */
    api_call_describe_limit(&request->call, limit);
    refuse(request, IPSEC_HTTP_REQUEST_TOO_LARGE, IPSEC_FAULT_BODY, NULL, limit);
    worker_flush_audit(request->worker);
    connection_answer_and_cut(request->connection, request->call.answer.status, limit);
    return MHD_NO;
}

/* The request is whole, and nothing of it was done yet.  While it waits the connection is
 * suspended; afterwards the library comes here again. */
static int
take_turn(struct request *request)
{
    struct worker *worker = request->worker;
    struct connection *connection = request->connection;

    if (connection->caller != NULL && request->turn.caller == NULL &&
        !turn_queue_take(&worker->turns, connection->caller, &request->turn, request->body.size,
                         worker->pool.now_ms)) {
        connection_enter(connection, CONNECTION_BUSY);
        MHD_suspend_connection(request->native);
        return MHD_YES;
    }
    if (request->stage == REQUEST_READY)
        return go_on(request, API_NEXT_ENGINE);
    return go_on(request, api_call_body(&request->call, request->body.data, request->body.size));
}

static int
go_on(struct request *request, enum api_next next)
{
    struct worker *worker = request->worker;

    if (next != API_NEXT_ENGINE) {
        conclude(request);
        return queue_answer(request);
    }
    /* A reload, or the end of the certificate, may have come while the body did. */
    if (!connection_is_good(request->connection)) {
        refuse(request, IPSEC_NOT_AUTHENTICATED, IPSEC_FAULT_HEADER, NULL,
               "the client certificate no longer holds");
        return queue_answer(request);
    }
    if (!ipsec_engine_reserve(worker->common->engine)) {
        api_call_fail(&request->call, IPSEC_RPC_CANTTRANSMIT_CALL, IPSEC_FAULT_SERVICE, NULL,
                      "the engine's queue is full");
        conclude(request);
        return queue_answer(request);
    }
    request->call.rights = request->connection->rights; /* the audit tells of these */
    request->call.base.caller.rights = request->call.rights;
    request->stage = REQUEST_ENGINE;
    connection_enter(request->connection, CONNECTION_BUSY);
    MHD_suspend_connection(request->native);
    worker_submit(worker, request);
    return MHD_YES;
}

/* Hands the answer to the library.  The body stays ours until request_completed(). */
static int
queue_answer(struct request *request)
{
    struct api_answer *answer = &request->call.answer;
    void *body = answer->static_body != NULL ? (void *)(uintptr_t)answer->static_body
                                             : (void *)answer->body.data;
    size_t size = answer->static_body != NULL ? answer->static_body_size : answer->body.size;

    worker_flush_audit(request->worker);
    request->stage = REQUEST_SENDING;
    connection_enter(request->connection, CONNECTION_ANSWER);
    struct MHD_Response *response =
        answer->stream
            ? stream_open(request)
            : MHD_create_response_from_buffer_with_free_callback_cls(size, body, keep_body, NULL);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_YES;
    /* A length in it would be that of the answer to a plain GET (RFC 9110 section 8.6), not 0. */
    if (answer->status == MHD_HTTP_NOT_MODIFIED)
        result = MHD_set_response_options(response, MHD_RF_HEAD_ONLY_RESPONSE, MHD_RO_END);
    if (answer->content_type != NULL && result == MHD_YES)
        result =
            MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    for (size_t i = 0; i < answer->header_count && result == MHD_YES; i++)
        result =
            MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    /* Who shows no certificate shall not hold a connection either. */
    if (result == MHD_YES &&
        (answer->close || request->connection->identity == NULL ||
         atomic_load_explicit(&request->worker->common->draining, memory_order_relaxed)))
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (result == MHD_YES)
        result = MHD_queue_response(request->native, (unsigned int)answer->status, response);
    MHD_destroy_response(response);
    return (int)result;
}

/* Counts the request and writes down what was decided. */
static void
conclude(struct request *request)
{
    const struct api_call *call = &request->call;
    struct worker *worker = request->worker;
    int64_t duration_us = clock_monotonic_us() - request->started_us;
    enum ipsec_status status = call->base.fault.status;
    /* Of calls that need no right by themselves, such as the commit of a transaction. */
    bool changes = call->route != NULL && strcmp(call->method, "GET") != 0 &&
                   strcmp(call->method, "HEAD") != 0;

    request->stage = REQUEST_ANSWERED;
    turn_give_back(&request->turn, call->answer.body.size, worker->pool.now_ms);
    metrics_count_request(&worker->metrics, api_call_operation_index(call), call->answer.status,
                          status, duration_us);
    if (!audit_enabled(worker->common->audit) ||
        (call->base.right == 0 && status != IPSEC_NOT_AUTHENTICATED && !changes))
        return;

    const struct auth_identity *identity = call->identity;
    uint64_t left_out = 0;
    if (identity == NULL && !connection_stranger_line(request->connection, &left_out))
        return;
    const struct audit_record record = {
        .time_ms = clock_wall_ms(),
        .request_id = call->request_id,
        .trace_id = call->trace_id[0] != '\0' ? call->trace_id : NULL,
        .peer = request->connection->peer,
        .principal = identity != NULL ? identity->principal : NULL,
        .fingerprint = identity != NULL ? identity->fingerprint : NULL,
        .method = call->method,
        .path = call->path,
        .object_id = call->object_id,
        .container = call->base.right != 0 ? container_name(call->base.container) : NULL,
        .right = call->base.right,
        .granted =
            identity != NULL && status != IPSEC_NOT_AUTHENTICATED &&
            status != IPSEC_ACCESS_DENIED &&
            (call->rights.granted[call->base.container] & call->base.right) == call->base.right,
        .http_status = call->answer.status,
        .status = status,
        .replayed = call->base.replay.replayed,
        .dry_run = call->options.dry_run,
        .duration_us = duration_us,
        .left_out = left_out,
    };
    audit_append(&worker->audit_lines, &record);
}

/* For what is wrong with the request as such: answered, and the connection is not used further. */
static void
refuse(struct request *request,
       enum ipsec_status status,
       enum ipsec_fault_place place,
       const char *pointer,
       const char *detail)
{
    api_call_fail(&request->call, status, place, pointer, detail);
    request->call.answer.close = true;
    request->connection->linger = true;
    conclude(request);
}

/* Asked by the engine of a call that waited long; the socket stays open while it is suspended. */
static bool
caller_is_gone(const struct ipsec_call *call)
{
    const struct request *request = (const struct request *)(const void *)call;
    struct pollfd descriptor = { .fd = request->connection->fd, .events = POLLRDHUP };

    return poll(&descriptor, 1, 0) == 1 &&
           (descriptor.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static enum MHD_Result
collect_header(void *context,
               enum MHD_ValueKind kind,
               const char *name,
               size_t name_length,
               const char *value,
               size_t value_length)
{
    (void)kind;
    guard_header(context, name, name_length, value, value_length);
    return MHD_YES;
}

static void
keep_body(void *unused)
{
    (void)unused;
}
