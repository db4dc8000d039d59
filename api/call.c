/* SPDX-License-Identifier: Apache-2.0
 *
 * call.c: the life of one request, see api.h.
 *
 * The order of checks on the headers: authenticated, route and method known, session known and fit
 * for the operation, right there, object's id well-formed, answer acceptable, body as the operation
 * wants it, conditions, query. */
#include "api/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/answer.h"
#include "api/headers.h"
#include "api/idempotency.h"
#include "api/precondition.h"
#include "api/problem.h"
#include "api/query.h"
#include "api/resource.h"
#include "api/router.h"
#include "api/text.h"
#include "auth/rights.h"

/* The longest answer: a full page of provider contexts with the longest texts, each byte escaped.
 */
enum { ANSWER_MAXIMUM = 32 << 20, REPLAY_MAXIMUM = 1 << 16, REPLAY_BATCH_MAXIMUM = 4 << 20 };

const char *const api_header_names[API_HEADER_COUNT] = {
    [API_HEADER_ACCEPT] = "Accept",
    [API_HEADER_CONTENT_TYPE] = "Content-Type",
    [API_HEADER_CONTENT_ENCODING] = "Content-Encoding",
    [API_HEADER_IDEMPOTENCY_KEY] = "Idempotency-Key",
    [API_HEADER_ENGINE_SESSION] = "Engine-Session",
    [API_HEADER_IF_MATCH] = "If-Match",
    [API_HEADER_IF_NONE_MATCH] = "If-None-Match",
    [API_HEADER_REQUEST_ID] = "X-Request-Id",
    [API_HEADER_TRACEPARENT] = "traceparent",
    [API_HEADER_LAST_EVENT_ID] = "Last-Event-ID",
};

static void open_call(struct api_call *call);
static bool is_to_be_remembered(const struct api_call *call);
static enum ipsec_status check_route(struct api_call *call);
static enum ipsec_status check_path_key(struct api_call *call, const char *argument);
static enum ipsec_status check_session(struct api_call *call);
static enum ipsec_status read_session_key(struct api_call *call, bool *has_session_out);
static enum ipsec_status check_right(struct api_call *call);
static enum ipsec_status check_path_id(struct api_call *call, const char *argument);
static enum ipsec_status check_headers(struct api_call *call, bool has_body);
static enum ipsec_status check_accept(struct api_call *call);
static enum ipsec_status
refuse_right(struct api_call *call, enum ipsec_container container, uint32_t missing);
static enum ipsec_status reserve_memory(struct api_call *call);
static enum ipsec_status read_query(struct api_call *call);
static enum ipsec_status run_local(struct api_call *call);
static enum api_next go_to_engine(struct api_call *call, const char *body, size_t size);
static enum ipsec_status run_handler(struct ipsec_call *base, struct ipsec_session *session);

enum api_next
api_call_start(struct api_call *call, bool has_body)
{
    const char *argument = NULL;

    open_call(call);
    answer_begin(call);
    call->route = router_match(call->method, call->path, &argument);

    enum ipsec_status status = check_route(call);
    if (status == IPSEC_OK)
        status = check_path_key(call, argument);
    if (status == IPSEC_OK)
        status = check_session(call);
    if (status == IPSEC_OK)
        status = check_right(call);
    if (status == IPSEC_OK)
        status = check_path_id(call, argument);
    if (status == IPSEC_OK)
        status = check_headers(call, has_body);
    if (status == IPSEC_OK)
        status = precondition_read(call);
    if (status == IPSEC_OK)
        status = reserve_memory(call);
    if (status == IPSEC_OK)
        status = read_query(call);
    if (status != IPSEC_OK) {
        answer_fault(call);
        return API_NEXT_ANSWER;
    }

    if (router_body(call->route) != NULL) {
        call->body_maximum = call->route->large_body ? call->service->max_batch_body_bytes
                                                     : call->service->max_body_bytes;
        return has_body ? API_NEXT_BODY : api_call_body(call, "", 0);
    }
    if (!call->route->local)
        return go_to_engine(call, "", 0);
    if (run_local(call) == IPSEC_OK)
        answer_success(call);
    else
        answer_fault(call);
    return API_NEXT_ANSWER;
}

enum api_next
api_call_body(struct api_call *call, const char *body, size_t size)
{
    static const char no_members[] = "{}";
    struct ipsec_fault *fault = &call->base.fault;
    enum ipsec_status status = IPSEC_OK;

    if (size == 0 && router_body_is_optional(call->route)) {
        body = no_members;
        size = sizeof no_members - 1;
    }
    if (size > call->body_maximum) {
        char text[API_LIMIT_TEXT_SIZE];

        api_call_describe_limit(call, text);
        status = ipsec_fault_set(fault, IPSEC_HTTP_REQUEST_TOO_LARGE, IPSEC_FAULT_BODY, NULL, "%s",
                                 text);
    }
    if (status == IPSEC_OK)
        status = codec_decode(router_body(call->route), body, size, call->in, fault);
    if (status != IPSEC_OK) {
        answer_fault(call);
        return API_NEXT_ANSWER;
    }
    return go_to_engine(call, body, size);
}

void
api_call_describe_limit(const struct api_call *call, char text[API_LIMIT_TEXT_SIZE])
{
    (void)snprintf(text, API_LIMIT_TEXT_SIZE, "the body is above %zu bytes, the limit that %s sets",
                   call->body_maximum,
                   call->route->large_body ? "max-batch-body-bytes" : "max-body-bytes");
}

void
api_call_finish(struct api_call *call)
{
    if (call->base.status != IPSEC_OK) {
        if (call->base.fault.status != call->base.status)
            call->base.fault = (struct ipsec_fault){ .status = call->base.status };
        answer_fault(call);
    } else if (call->base.replay.wanted) {
        answer_remembered(call);
    } else {
        answer_success(call);
    }
}

void
api_call_fail(struct api_call *call,
              enum ipsec_status status,
              enum ipsec_fault_place place,
              const char *pointer,
              const char *detail)
{
    open_call(call); /* a malformed request fails before it starts */
    /* The fault is filled; its status is what is returned. */
    (void)!ipsec_fault_set(&call->base.fault, status, place, pointer, "%s",
                           detail == NULL ? "" : detail);
    answer_fault(call);
}

void
api_call_clear(struct api_call *call)
{
    const struct api_route *route = call->route;

    if (call->in != NULL && route->body != NULL)
        codec_clear(route->body, call->in);
    if (call->out != NULL && route->clear_out != NULL)
        route->clear_out(call->out);
    free(call->in);
    free(call->out);
    buffer_clear(&call->answer.body);
    buffer_clear(&call->base.replay.answer);
    *call = (struct api_call){ .service = NULL };
}

const char *
api_call_operation(const struct api_call *call)
{
    return call->route == NULL ? "none" : call->route->operation;
}

size_t
api_operation_count(void)
{
    return router_route_count();
}

const char *
api_operation_name(size_t index)
{
    return index < router_route_count() ? router_route(index)->operation : "none";
}

size_t
api_call_operation_index(const struct api_call *call)
{
    return router_index(call->route);
}

void
api_problem_for_http_status(int http_status,
                            const char *detail,
                            char request_id[API_REQUEST_ID_SIZE],
                            struct buffer *body)
{
    struct ipsec_fault fault;

    (void)!ipsec_fault_set(&fault, problem_status_of_http(http_status), IPSEC_FAULT_SERVICE, NULL,
                           "%s", detail == NULL ? "" : detail);
    headers_request_id(NULL, request_id);
    problem_encode(&fault, http_status, request_id, body);
}

/* What every answer needs, once a call. */
static void
open_call(struct api_call *call)
{
    if (call->request_id[0] != '\0')
        return;
    headers_request_id(call->headers[API_HEADER_REQUEST_ID], call->request_id);
    headers_trace_id(call->headers[API_HEADER_TRACEPARENT], call->trace_id);
    buffer_init(&call->answer.body, ANSWER_MAXIMUM);
}

static bool
is_to_be_remembered(const struct api_call *call)
{
    return router_is_repeatable(call->route) && call->headers[API_HEADER_IDEMPOTENCY_KEY] != NULL;
}

/* A caller without a certificate learns nothing, not even which paths there are. */
static enum ipsec_status
check_route(struct api_call *call)
{
    struct ipsec_fault *fault = &call->base.fault;
    char methods[sizeof call->answer.headers->value];

    if (call->identity == NULL)
        return ipsec_fault_set(fault, IPSEC_NOT_AUTHENTICATED, IPSEC_FAULT_SERVICE, NULL,
                               "connect with a client certificate");
    if (call->route != NULL)
        return IPSEC_OK;
    if (!router_allowed(call->path, methods, sizeof methods))
        return ipsec_fault_set(fault, IPSEC_HTTP_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                               "nothing is at %s", call->path);
    (void)!ipsec_fault_set(fault, IPSEC_HTTP_BAD_METHOD, IPSEC_FAULT_PATH, NULL,
                           "%s is none of the methods of this path: %s", call->method, methods);
    return fault->status;
}

/* A key that is none names nothing. */
static enum ipsec_status
check_path_key(struct api_call *call, const char *argument)
{
    char text[64] = "";

    if (argument == NULL || strstr(call->route->path, "{key}") == NULL)
        return IPSEC_OK;
    size_t size = strcspn(argument, "/");
    if (size < sizeof text)
        memcpy(text, argument, size);
    if (text_parse_guid(text, &call->path_key))
        return IPSEC_OK;
    return ipsec_fault_set(&call->base.fault, call->route->not_found, IPSEC_FAULT_PATH, NULL,
                           "a key is a GUID like 6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11");
}

/* Begin and commit themselves change what they ask of the session's transaction: whether one with a
 * key is the repeat of one that succeeded only the engine knows. */
static enum ipsec_status
check_session(struct api_call *call)
{
    struct ipsec_call *base = &call->base;
    bool has_session;
    enum ipsec_status status = read_session_key(call, &has_session);

    base->rule = call->route->rule;
    if (status != IPSEC_OK || !has_session)
        return status;
    base->has_session = true;
    bool may_be_repeat = call->route->session_in_path && is_to_be_remembered(call);
    status =
        ipsec_session_preview(call->service->engine, &base->session_key, call->identity->principal,
                              may_be_repeat ? IPSEC_RULE_ANY : base->rule, &base->fault);
    if (status != IPSEC_OK && call->route->session_in_path) {
        base->fault.place = IPSEC_FAULT_PATH;
        base->fault.pointer[0] = '\0';
    }
    return status;
}

static enum ipsec_status
read_session_key(struct api_call *call, bool *has_session_out)
{
    const char *name = api_header_names[API_HEADER_ENGINE_SESSION];
    const char *header = call->headers[API_HEADER_ENGINE_SESSION];
    struct ipsec_guid *key = &call->base.session_key;

    *has_session_out = header != NULL || call->route->session_in_path;
    if (header != NULL && !text_parse_guid(header, key))
        return ipsec_fault_set(&call->base.fault, IPSEC_INVALID_HANDLE, IPSEC_FAULT_HEADER, name,
                               "not the key of a session, a GUID; leave the header out to have a "
                               "session for this request");
    if (!call->route->session_in_path)
        return IPSEC_OK;
    if (header != NULL && memcmp(key, &call->path_key, sizeof *key) != 0)
        return ipsec_fault_set(&call->base.fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_HEADER, name,
                               "the path names another session");
    *key = call->path_key;
    return IPSEC_OK;
}

static enum ipsec_status
check_right(struct api_call *call)
{
    const struct api_route *route = call->route;
    const uint32_t *granted = call->rights.granted;
    uint32_t missing = route->right & ~granted[route->container];
    uint32_t other_missing = route->other_right & ~granted[route->other_container];

    call->base.container = route->container;
    call->base.right = route->right;
    if (missing != 0)
        return refuse_right(call, route->container, missing);
    if (other_missing == 0)
        return IPSEC_OK;
    call->base.container = route->other_container; /* the audit tells which it was */
    call->base.right = route->other_right;
    return refuse_right(call, route->other_container, other_missing);
}

static enum ipsec_status
check_path_id(struct api_call *call, const char *argument)
{
    if (argument == NULL || strstr(call->route->path, "{id}") == NULL)
        return IPSEC_OK;
    if (text_parse_unsigned(argument, strcspn(argument, "/"), &call->path_id) &&
        call->path_id >= 1 && call->path_id <= IPSEC_LUID_MAX) {
        call->object_id = call->path_id;
        return IPSEC_OK;
    }
    call->path_id = 0;
    return ipsec_fault_set(&call->base.fault, call->route->not_found, IPSEC_FAULT_PATH, NULL,
                           "an id is an integer from 1 to 2^53-1");
}

static enum ipsec_status
check_headers(struct api_call *call, bool has_body)
{
    struct ipsec_fault *fault = &call->base.fault;
    const char *const *headers = call->headers;
    char refusal[HEADERS_REFUSAL_SIZE];
    enum api_header about;

    if (check_accept(call) != IPSEC_OK)
        return fault->status;
    if (router_body(call->route) == NULL && has_body)
        return ipsec_fault_set(fault, IPSEC_HTTP_BAD_REQUEST, IPSEC_FAULT_BODY, NULL,
                               "this operation takes no body");
    about = API_HEADER_CONTENT_TYPE;
    if (has_body && !headers_is_json(headers[about], refusal))
        return ipsec_fault_set(fault, IPSEC_HTTP_UNSUPPORTED_MEDIA, IPSEC_FAULT_HEADER,
                               api_header_names[about], "%s", refusal);
    about = API_HEADER_CONTENT_ENCODING;
    if (has_body && !headers_is_plain(headers[about]))
        return ipsec_fault_set(fault, IPSEC_HTTP_UNSUPPORTED_MEDIA, IPSEC_FAULT_HEADER,
                               api_header_names[about], "the body must not be encoded");
    about = API_HEADER_IDEMPOTENCY_KEY;
    if (is_to_be_remembered(call) && !headers_is_idempotency_key(headers[about]))
        return ipsec_fault_set(fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_HEADER,
                               api_header_names[about],
                               "must be 1 to 255 visible ASCII characters");
    return IPSEC_OK;
}

/* A stream comes as lines to those who ask for that by name. */
static enum ipsec_status
check_accept(struct api_call *call)
{
    const char *accept = call->headers[API_HEADER_ACCEPT];
    const char *available = "application/json";

    if (call->route->stream) {
        int lines = headers_accept(accept, "application/x-ndjson");
        int events = headers_accept(accept, "text/event-stream");

        call->answer.lines = lines > events;
        if (lines >= 0 || events >= 0)
            return IPSEC_OK;
        available = "text/event-stream and application/x-ndjson";
    } else if (headers_accept(accept, available) >= 0) {
        return IPSEC_OK;
    }
    return ipsec_fault_set(&call->base.fault, IPSEC_HTTP_NOT_ACCEPTABLE, IPSEC_FAULT_HEADER,
                           api_header_names[API_HEADER_ACCEPT], "only %s is available", available);
}

static enum ipsec_status
refuse_right(struct api_call *call, enum ipsec_container container, uint32_t missing)
{
    AUTO(buffer) names = BUFFER(sizeof call->base.fault.detail);
    size_t position = 0;
    const char *name;
    while ((name = rights_next_name(missing, &position)) != NULL) {
        if (names.size > 0)
            buffer_append_text(&names, " and ");
        buffer_append_text(&names, name);
    }
    const char *text = buffer_text(&names);
    return ipsec_fault_set(&call->base.fault, IPSEC_ACCESS_DENIED, IPSEC_FAULT_SERVICE, NULL,
                           "needs %s on %s", text == NULL ? "a right" : text,
                           container_name(container));
}

static enum ipsec_status
reserve_memory(struct api_call *call)
{
    const struct api_route *route = call->route;

    if (route->in_size > 0)
        call->in = calloc(1, route->in_size);
    if (route->out_size > 0)
        call->out = calloc(1, route->out_size);
    if ((route->in_size > 0 && call->in == NULL) || (route->out_size > 0 && call->out == NULL))
        return ipsec_fault_set(&call->base.fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "no memory for the call");
    return IPSEC_OK;
}

static enum ipsec_status
read_query(struct api_call *call)
{
    const struct api_route *route = call->route;
    const struct query_part parts[] = {
        { .object = route->query, .out = call->in },
        { .object = router_writes(route) ? &codec_write_options : NULL, .out = &call->options },
    };

    return query_decode(parts, CODEC_COUNT(parts), call->query, &call->base.fault);
}

static enum ipsec_status
run_local(struct api_call *call)
{
    enum ipsec_status status = call->route->handler(call, NULL);

    if (status != IPSEC_OK && call->base.fault.status != status)
        call->base.fault = (struct ipsec_fault){ .status = status };
    return status;
}

static enum api_next
go_to_engine(struct api_call *call, const char *body, size_t size)
{
    struct ipsec_call *base = &call->base;

    if (call->route->prepare != NULL && call->route->prepare(call) != IPSEC_OK) {
        answer_fault(call);
        return API_NEXT_ANSWER;
    }
    if (is_to_be_remembered(call) && !call->options.dry_run &&
        idempotency_want(call, body, size) != IPSEC_OK) {
        answer_fault(call);
        return API_NEXT_ANSWER;
    }
    base->caller.principal = call->identity->principal;
    base->caller.rights = call->rights;
    base->run = run_handler;
    base->dry_run = call->options.dry_run;
    if (base->replay.wanted) {
        base->encode = answer_encode_remembered;
        buffer_init(&base->replay.answer,
                    call->route->large_body ? REPLAY_BATCH_MAXIMUM : REPLAY_MAXIMUM);
    }
    return API_NEXT_ENGINE;
}

static enum ipsec_status
run_handler(struct ipsec_call *base, struct ipsec_session *session)
{
    struct api_call *call = (struct api_call *)base;

    return call->route->handler(call, session);
}
