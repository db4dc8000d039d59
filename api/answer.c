/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.c: see answer.h. */
#include "api/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/idempotency.h"
#include "api/precondition.h"
#include "api/problem.h"
#include "api/router.h"
#include "api/text.h"

static const char type_json[] = "application/json";
static const char type_problem[] = "application/problem+json";

static void begin_stream(struct api_call *call);
static void mark_dry_run(struct api_call *call);
static void add_header(struct api_call *call, const char *name, const char *value);
static void add_what_is_supported(struct api_call *call);
static void add_retry_after(struct api_call *call);
static void add_entity_tag(struct api_call *call, const char *tag);
static void format_location(const struct api_call *call, char *location, size_t size);

bool
answer_encode_remembered(struct ipsec_call *base, struct buffer *answer)
{
    const struct api_call *call = (const struct api_call *)base;
    struct codec_encoder encoder = { .out = answer, .engine = call->service->engine };
    char location[sizeof call->answer.headers->value];
    char tag[ENTITY_TAG_SIZE];

    precondition_tag(call, tag);
    format_location(call, location, sizeof location);
    idempotency_append_head(call->route->success, tag, location, answer);
    if (call->route->out != NULL)
        codec_encode(&encoder, call->route->out, call->out);
    return !answer->failed;
}

void
answer_success(struct api_call *call)
{
    const struct api_route *route = call->route;
    struct api_answer *answer = &call->answer;
    char tag[ENTITY_TAG_SIZE];

    if (route->conclude != NULL)
        route->conclude(call);
    answer->status = route->success;
    if (call->options.dry_run)
        mark_dry_run(call);
    if (route->stream) {
        begin_stream(call);
        return;
    }
    precondition_tag(call, tag);
    if (tag[0] != '\0' && !call->options.dry_run) {
        add_entity_tag(call, tag);
        if (precondition_has_tag(call, tag)) {
            answer->status = 304;
            return;
        }
    }
    if (answer->static_body != NULL)
        answer->content_type = type_json;
    if (route->out != NULL) {
        struct codec_encoder encoder = { .out = &answer->body, .engine = call->service->engine };
        codec_encode(&encoder, route->out, call->out);
        answer->content_type = type_json;
    }
    if (answer->body.failed) {
        api_call_fail(call, IPSEC_RPC_SERVER_CANTMARSHAL_DATA, IPSEC_FAULT_SERVICE, NULL,
                      "no memory for the answer");
        return;
    }
    if (route->location != NULL && !call->options.dry_run) {
        char location[sizeof answer->headers->value];
        format_location(call, location, sizeof location);
        add_header(call, "Location", location);
        if (!route->location_is_key)
            call->object_id = *(const uint64_t *)call->out;
    }
}

void
answer_remembered(struct api_call *call)
{
    struct api_answer *answer = &call->answer;
    struct idempotent_answer record;

    if (!idempotency_read(&call->base.replay.answer, &record)) {
        api_call_fail(call, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                      "the remembered answer cannot be read");
        return;
    }
    buffer_append(&answer->body, record.body, record.body_size);
    if (answer->body.failed) {
        api_call_fail(call, IPSEC_RPC_SERVER_CANTMARSHAL_DATA, IPSEC_FAULT_SERVICE, NULL,
                      "no memory for the answer");
        return;
    }
    answer->status = record.status;
    if (record.body_size > 0)
        answer->content_type = type_json;
    if (record.tag[0] != '\0')
        add_entity_tag(call, record.tag);
    if (record.location[0] != '\0')
        add_header(call, "Location", record.location);
    const char *id = strrchr(record.location, '/');
    if (id != NULL && !text_parse_unsigned(id + 1, strlen(id + 1), &call->object_id))
        call->object_id = 0;
    if (call->base.replay.replayed)
        add_header(call, "Idempotent-Replay", "true");
}

void
answer_fault(struct api_call *call)
{
    const struct ipsec_fault *fault = &call->base.fault;
    char methods[sizeof call->answer.headers->value];

    call->base.status = fault->status;
    answer_begin(call);
    call->answer.status = problem_http_status(fault->status, fault->place);
    call->answer.content_type = type_problem;
    if (fault->status == IPSEC_HTTP_BAD_METHOD &&
        router_allowed(call->path, methods, sizeof methods)) {
        add_header(call, "Allow", methods);
        if (strstr(methods, "PATCH") != NULL) /* RFC 5789 section 3.1 */
            add_header(call, "Accept-Patch", type_json);
    }
    if (fault->status == IPSEC_HTTP_UNSUPPORTED_MEDIA)
        add_what_is_supported(call);
    if (problem_rows[fault->status].retryable &&
        (call->answer.status == 503 || call->answer.status == 429))
        add_retry_after(call);
    problem_encode(fault, call->answer.status, call->request_id, &call->answer.body);
    if (call->answer.body.failed) { /* without memory the code is told all the same */
        problem_print(fault, call->answer.status, call->request_id, call->answer.short_problem,
                      sizeof call->answer.short_problem);
        call->answer.static_body = call->answer.short_problem;
        call->answer.static_body_size = strlen(call->answer.short_problem);
    }
}

void
answer_begin(struct api_call *call)
{
    struct api_answer *answer = &call->answer;

    buffer_reset(&answer->body);
    answer->static_body = NULL;
    answer->static_body_size = 0;
    answer->header_count = 0;
    answer->stream = false;
    add_header(call, api_header_names[API_HEADER_REQUEST_ID], call->request_id);
    add_header(call, "Cache-Control", "no-store");
    if (call->options.dry_run)
        mark_dry_run(call);
}

static void
mark_dry_run(struct api_call *call)
{
    add_header(call, "Dry-Run", "true");
}

/* Whoever asks for the head alone watches nothing. */
static void
begin_stream(struct api_call *call)
{
    struct api_answer *answer = &call->answer;

    answer->content_type = answer->lines ? "application/x-ndjson" : "text/event-stream";
    add_header(call, "X-Accel-Buffering", "no"); /* for proxies that would wait for more */
    answer->stream = strcmp(call->method, "HEAD") != 0;
    if (!answer->stream)
        call->route->clear_out(call->out);
}

static void
add_header(struct api_call *call, const char *name, const char *value)
{
    struct api_answer *answer = &call->answer;

    if (answer->header_count >= sizeof answer->headers / sizeof *answer->headers)
        abort();
    struct api_answer_header *header = &answer->headers[answer->header_count++];
    size_t size = strnlen(value, sizeof header->value - 1);
    header->name = name;
    memcpy(header->value, value, size);
    header->value[size] = '\0';
}

/* Of request bodies: RFC 9110 section 15.5.16, RFC 5789 section 2.2. */
static void
add_what_is_supported(struct api_call *call)
{
    if (strcmp(call->base.fault.pointer, api_header_names[API_HEADER_CONTENT_ENCODING]) == 0)
        add_header(call, "Accept-Encoding", "identity");
    else
        add_header(call, strcmp(call->method, "PATCH") == 0 ? "Accept-Patch" : "Accept", type_json);
}

/* Load passes within a second.  The place of a watcher becomes free when one leaves, and those who
 * went without a word are found by their heartbeats. */
static void
add_retry_after(struct api_call *call)
{
    bool waits_for_place = call->route != NULL && call->route->stream &&
                           call->base.fault.status == IPSEC_RPC_OUT_OF_RESOURCES;
    uint32_t seconds = waits_for_place ? call->service->event_heartbeat_seconds : 1;
    char text[16];

    (void)snprintf(text, sizeof text, "%" PRIu32, seconds);
    add_header(call, "Retry-After", text);
}

static void
add_entity_tag(struct api_call *call, const char *tag)
{
    char quoted[ENTITY_TAG_SIZE + 2];

    (void)snprintf(quoted, sizeof quoted, "\"%s\"", tag);
    add_header(call, "ETag", quoted);
}

static void
format_location(const struct api_call *call, char *location, size_t size)
{
    const struct api_route *route = call->route;
    AUTO(buffer) key = BUFFER(64);

    location[0] = '\0';
    if (route->location == NULL)
        return;
    if (!route->location_is_key) {
        (void)snprintf(location, size, "%s%llu", route->location,
                       (unsigned long long)*(const uint64_t *)call->out);
        return;
    }
    text_append_guid(&key, call->out);
    (void)snprintf(location, size, "%s%.*s", route->location, (int)key.size, key.data);
}
