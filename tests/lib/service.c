/* SPDX-License-Identifier: Apache-2.0
 *
 * service.c: see service.h. */
#include "tests/lib/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_internal.h"

#define ALL_RIGHTS UINT32_C(0x000F07FF)

struct ipsec_engine_options
service_options(void)
{
    return (struct ipsec_engine_options){
        .queue_depth = 64,
        .max_batch = 16,
        .max_sessions = 16,
        .session_idle_ms = 3600000,
        .txn_hold_ms = 3600000,
        .txn_wait_ms = 1,
        .max_replay_records = 100,
        .probe_interval_ms = 10,
        .abandoned_after_ms = 3600000,
        .spi_minimum = 1000,
        .spi_maximum = 2000,
    };
}

static void
init(struct service *service)
{
    static char principal[] = "uri:spiffe://example.org/test";

    *service = (struct service){
        .api = { .max_body_bytes = 1 << 16, .max_batch_body_bytes = 1 << 20, .version = "1" },
        .identity = { .principal = principal, .fingerprint = "0123", .name_count = 2 },
        .names = { { AUTH_NAME_URI, principal + 4 }, { AUTH_NAME_EVERYONE, NULL } },
    };
    service->identity.names = service->names;
}

enum ipsec_status
service_open(struct service *service,
             const struct ipsec_engine_options *options,
             const char *store,
             const struct plane_ops *plane,
             struct ipsec_fault *fault)
{
    init(service);
    return ipsec_engine_open_on(options, &kept_store, store, plane, fault, &service->api.engine);
}

enum ipsec_status
service_open_unthreaded(struct service *service,
                        const struct ipsec_engine_options *options,
                        const char *store,
                        struct ipsec_fault *fault)
{
    init(service);
    return ipsec_engine_open_unthreaded(options, &kept_store, store, fault, &service->api.engine);
}

void
service_close(struct service *service)
{
    api_call_clear(&service->call);
    ipsec_engine_close(service->api.engine);
    service->api.engine = NULL;
}

const struct api_answer *
service_ask(struct service *service, const struct service_request *request)
{
    struct api_call *call = &service->call;
    bool has_body = request->body != NULL;

    api_call_clear(call);
    call->service = &service->api;
    call->method = request->method;
    call->path = request->path;
    call->query = request->query;
    memcpy(call->headers, request->headers, sizeof call->headers);
    if (has_body && call->headers[API_HEADER_CONTENT_TYPE] == NULL)
        call->headers[API_HEADER_CONTENT_TYPE] = "application/json";
    call->identity = &service->identity;
    for (size_t i = 0; i < IPSEC_CONTAINER_COUNT; i++)
        call->rights.granted[i] = ALL_RIGHTS;

    enum api_next next = api_call_start(call, has_body);
    if (next == API_NEXT_BODY)
        next = api_call_body(call, request->body, request->body_size);
    if (next == API_NEXT_ENGINE) {
        (void)!ipsec_engine_call(service->api.engine, &call->base);
        api_call_finish(call);
    }
    return &call->answer;
}

const char *
service_body(const struct api_answer *answer, size_t *size_out)
{
    *size_out = answer->static_body != NULL ? answer->static_body_size : answer->body.size;
    if (*size_out == 0)
        return NULL;
    return answer->static_body != NULL ? answer->static_body : answer->body.data;
}

/* The text between the quotes behind "nextCursor":, or "". */
static void
read_cursor(const char *body, size_t size, char query[128])
{
    static const char member[] = "\"nextCursor\":\"";
    const char *found = size == 0 ? NULL : memmem(body, size, member, sizeof member - 1);

    query[0] = '\0';
    if (found == NULL)
        return;
    found += sizeof member - 1;
    const char *end = memchr(found, '"', size - (size_t)(found - body));
    (void)snprintf(query, 128, "limit=1000&cursor=%.*s", (int)(end - found), found);
}

/* From "items" on: what stands before counts failed batches, too. */
static void
append_items(struct buffer *text, const char *body, size_t size)
{
    const char *items = size == 0 ? NULL : memmem(body, size, "\"items\"", 7);

    if (items != NULL)
        buffer_append(text, items, size - (size_t)(items - body));
    else
        buffer_append(text, body, size);
    buffer_append_char(text, '\n');
}

static bool
render_list(struct service *service, const char *path, struct buffer *text)
{
    char query[128] = "limit=1000";

    buffer_append_format(text, "%s\n", path);
    while (query[0] != '\0') {
        const struct service_request request = { .method = "GET", .path = path, .query = query };
        const struct api_answer *answer = service_ask(service, &request);
        size_t size = 0;
        const char *body = service_body(answer, &size);

        if (answer->status == 404)
            return true; /* no such resource in this version */
        append_items(text, body, size);
        if (answer->status != 200)
            return false;
        read_cursor(body, size, query);
    }
    return true;
}

bool
service_render(struct service *service, struct buffer *text)
{
    static const char *const paths[] = { "/filters", "/provider-contexts", "/sa-contexts",
                                         "/sessions" };
    bool good = true;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        good = render_list(service, paths[i], text) && good;
    return good && !text->failed;
}
