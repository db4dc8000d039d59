/* SPDX-License-Identifier: Apache-2.0
 *
 * test_api.c: requests from their headers to their answers, with a real engine in memory. */
#include "api/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "api/router.h"

#define ALL_RIGHTS 0x000F07FFu
#define FILTER                                                                                     \
    "{\"displayData\":{\"name\":\"out\"},\"layer\":\"outboundTransportV4\",\"action\":{\"type\":"  \
    "\"calloutTerminating\",\"callout\":\"ipsecOutboundTransportV4\"}}"
#define TRAFFIC(id)                                                                                \
    "{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"198.51.100.7\",\"trafficType\":"          \
    "\"transport\",\"ipsecFilterId\":" id "}"

struct fixture {
    struct api_service service;
    struct auth_identity identity;
    struct auth_name names[2];
    struct api_call call;
};

/* One request; what is null or zero is as a plain request with all rights has it. */
struct request {
    const char *method;
    const char *path;
    const char *query;
    const char *body; /* null: none */
    const char *headers[API_HEADER_COUNT];
    bool anonymous;
    const struct ipsec_rights *rights;
};

static int
open_engine(void **state)
{
    static const struct ipsec_engine_options options = { .store_uri = "memory:",
                                                         .queue_depth = 64,
                                                         .max_batch = 16,
                                                         .max_replay_records = 100,
                                                         .probe_interval_ms = 1000,
                                                         .abandoned_after_ms = 1000 };
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct ipsec_fault fault = { 0 };
    static char principal[] = "uri:spiffe://example.org/a";

    assert_non_null(fixture);
    fixture->service.max_body_bytes = 4096;
    fixture->service.max_batch_body_bytes = 1 << 20;
    fixture->service.version = "1.2.3";
    fixture->names[0] = (struct auth_name){ AUTH_NAME_URI, principal + 4 };
    fixture->names[1] = (struct auth_name){ AUTH_NAME_EVERYONE, NULL };
    fixture->identity = (struct auth_identity){ .principal = principal,
                                                .fingerprint = "0123",
                                                .names = fixture->names,
                                                .name_count = 2,
                                                .not_after_ms = 1000 };
    assert_int_equal(ipsec_engine_open(&options, &fault, &fixture->service.engine), IPSEC_OK);
    *state = fixture;
    return 0;
}

static int
close_engine(void **state)
{
    struct fixture *fixture = *state;

    api_call_clear(&fixture->call);
    ipsec_engine_close(fixture->service.engine);
    free(fixture);
    return 0;
}

/* Runs the request as the wire does; the answer stays in 'fixture->call' until the next one. */
static const struct api_answer *
ask(struct fixture *fixture, const struct request *request)
{
    struct api_call *call = &fixture->call;
    bool has_body = request->body != NULL;

    api_call_clear(call);
    call->service = &fixture->service;
    call->method = request->method;
    call->path = request->path;
    call->query = request->query;
    memcpy(call->headers, request->headers, sizeof call->headers);
    if (has_body && call->headers[API_HEADER_CONTENT_TYPE] == NULL)
        call->headers[API_HEADER_CONTENT_TYPE] = "application/json";
    call->identity = request->anonymous ? NULL : &fixture->identity;
    for (int i = 0; i < IPSEC_CONTAINER_COUNT; i++)
        call->rights.granted[i] = ALL_RIGHTS;
    if (request->rights != NULL)
        call->rights = *request->rights;

    enum api_next next = api_call_start(call, has_body);
    if (next == API_NEXT_BODY)
        next = api_call_body(call, request->body, strlen(request->body));
    if (next == API_NEXT_ENGINE) {
        (void)!ipsec_engine_call(fixture->service.engine, &call->base);
        api_call_finish(call);
    }
    return &call->answer;
}

static const char *
header(const struct api_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->header_count; i++) {
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    }
    return NULL;
}

static json_t *
json_of(const struct api_answer *answer)
{
    json_t *json =
        answer->static_body != NULL
            ? json_loadb(answer->static_body, answer->static_body_size, JSON_REJECT_DUPLICATES,
                         NULL)
            : json_loadb(answer->body.data, answer->body.size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    return json;
}

/* What every answer has, and the code of a problem. */
static void
check_answer(const struct api_answer *answer, int status, const char *code)
{
    assert_int_equal(answer->status, status);
    assert_string_equal(header(answer, "Cache-Control"), "no-store");
    assert_non_null(header(answer, "X-Request-Id"));
    if (status == 204) {
        assert_null(answer->content_type);
        assert_int_equal(answer->body.size, 0);
        return;
    }
    json_t *json = json_of(answer);
    if (code == NULL) {
        assert_string_equal(answer->content_type, "application/json");
    } else {
        assert_string_equal(answer->content_type, "application/problem+json");
        assert_string_equal(json_string_value(json_object_get(json, "code")), code);
        assert_int_equal(json_integer_value(json_object_get(json, "status")), status);
        assert_string_equal(json_string_value(json_object_get(json, "requestId")),
                            header(answer, "X-Request-Id"));
    }
    json_decref(json);
}

static uint64_t
make(struct fixture *fixture, const char *path, const char *body)
{
    const struct api_answer *answer =
        ask(fixture, &(struct request){ .method = "POST", .path = path, .body = body });

    check_answer(answer, 201, NULL);
    return fixture->call.object_id;
}

static void
requests_are_refused_on_their_headers_alone(void **state)
{
    static const struct ipsec_rights none = { { 0 } };
    static const struct ipsec_rights only_read = { { [IPSEC_CONTAINER_SA_DATABASE] =
                                                         FWPM_ACTRL_READ } };
    static const struct {
        struct request request;
        int status;
        const char *code;
    } cases[] = {
        /* Who. */
        { { .method = "GET", .path = "/", .anonymous = true }, 401, "ERROR_NOT_AUTHENTICATED" },
        { { .method = "GET", .path = "/nowhere", .anonymous = true },
          401,
          "ERROR_NOT_AUTHENTICATED" },
        { { .method = "PUT", .path = "/", .anonymous = true }, 401, "ERROR_NOT_AUTHENTICATED" },
        { { .method = "POST", .path = "/sa-contexts", .body = "{", .anonymous = true },
          401,
          "ERROR_NOT_AUTHENTICATED" },
        /* What. */
        { { .method = "GET", .path = "/nowhere" }, 404, "HTTP_E_STATUS_NOT_FOUND" },
        { { .method = "POST", .path = "/session", .body = "{}" }, 404, "HTTP_E_STATUS_NOT_FOUND" },
        { { .method = "PUT", .path = "/sa-contexts" }, 405, "HTTP_E_STATUS_BAD_METHOD" },
        { { .method = "OPTIONS", .path = "/" }, 405, "HTTP_E_STATUS_BAD_METHOD" },
        /* May they: before the body is looked at. */
        { { .method = "POST", .path = "/sa-contexts", .body = "{", .rights = &none },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "POST", .path = "/sa-contexts", .body = "{", .rights = &only_read },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "GET", .path = "/sa-contexts", .rights = &only_read },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "GET", .path = "/sa-contexts/7", .rights = &none },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "GET", .path = "/sa-contexts/x", .rights = &none },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "DELETE", .path = "/sa-contexts/7", .rights = &only_read },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "POST", .path = "/filters", .body = FILTER, .rights = &only_read },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "GET", .path = "/filters", .rights = &only_read },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "GET", .path = "/filters/7", .rights = &only_read },
          403,
          "ERROR_ACCESS_DENIED" },
        { { .method = "DELETE", .path = "/filters/7", .rights = &only_read },
          403,
          "ERROR_ACCESS_DENIED" },
        /* Session. */
        { { .method = "GET",
            .path = "/sa-contexts",
            .headers[API_HEADER_ENGINE_SESSION] = "1",
            .rights = &none },
          404,
          "ERROR_INVALID_HANDLE" },
        { { .method = "GET", .path = "/", .headers[API_HEADER_ENGINE_SESSION] = "" },
          404,
          "ERROR_INVALID_HANDLE" },
        /* The object's id. */
        { { .method = "GET", .path = "/sa-contexts/x" }, 404, "FWP_E_NOT_FOUND" },
        { { .method = "GET", .path = "/sa-contexts/0" }, 404, "FWP_E_NOT_FOUND" },
        { { .method = "GET", .path = "/sa-contexts/01" }, 404, "FWP_E_NOT_FOUND" },
        { { .method = "GET", .path = "/sa-contexts/-1" }, 404, "FWP_E_NOT_FOUND" },
        { { .method = "GET", .path = "/sa-contexts/9007199254740992" }, 404, "FWP_E_NOT_FOUND" },
        { { .method = "DELETE", .path = "/sa-contexts/9007199254740991" }, 404, "FWP_E_NOT_FOUND" },
        { { .method = "GET", .path = "/sa-contexts/99999999999999999999" },
          404,
          "FWP_E_NOT_FOUND" },
        { { .method = "GET", .path = "/filters/x" }, 404, "FWP_E_FILTER_NOT_FOUND" },
        { { .method = "GET", .path = "/filters/4711" }, 404, "FWP_E_FILTER_NOT_FOUND" },
        { { .method = "DELETE", .path = "/filters/4711" }, 404, "FWP_E_FILTER_NOT_FOUND" },
        { { .method = "GET", .path = "/errors/FWP_E_NOTHING" }, 404, "FWP_E_NOT_FOUND" },
        { { .method = "GET", .path = "/errors/ERROR_SUCCESS" }, 404, "FWP_E_NOT_FOUND" },
        /* Negotiation and framing. */
        { { .method = "GET", .path = "/", .headers[API_HEADER_ACCEPT] = "text/html" },
          406,
          "HTTP_E_STATUS_NONE_ACCEPTABLE" },
        { { .method = "GET", .path = "/", .body = "{}" }, 400, "HTTP_E_STATUS_BAD_REQUEST" },
        { { .method = "DELETE", .path = "/filters/1", .body = "{}" },
          400,
          "HTTP_E_STATUS_BAD_REQUEST" },
        { { .method = "POST",
            .path = "/filters",
            .body = FILTER,
            .headers[API_HEADER_CONTENT_TYPE] = "text/plain" },
          415,
          "HTTP_E_STATUS_UNSUPPORTED_MEDIA" },
        { { .method = "POST",
            .path = "/filters",
            .body = FILTER,
            .headers[API_HEADER_CONTENT_ENCODING] = "gzip" },
          415,
          "HTTP_E_STATUS_UNSUPPORTED_MEDIA" },
        { { .method = "POST",
            .path = "/filters",
            .body = FILTER,
            .headers[API_HEADER_IDEMPOTENCY_KEY] = "a b" },
          400,
          "FWP_E_INVALID_PARAMETER" },
        { { .method = "POST", .path = "/filters" }, 400, "FWP_E_NULL_POINTER" },
        /* Query. */
        { { .method = "GET", .path = "/", .query = "x=1" }, 400, "FWP_E_INVALID_PARAMETER" },
        { { .method = "POST", .path = "/filters", .query = "x", .body = FILTER },
          400,
          "FWP_E_INVALID_PARAMETER" },
        { { .method = "GET", .path = "/sa-contexts", .query = "limit=0" },
          400,
          "FWP_E_OUT_OF_BOUNDS" },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%s %s\n", cases[i].request.method, cases[i].request.path);
        check_answer(ask(fixture, &cases[i].request), cases[i].status, cases[i].code);
    }
}

static void
a_wrong_method_is_told_the_right_ones(void **state)
{
    const struct api_answer *answer =
        ask(*state, &(struct request){ .method = "PUT", .path = "/sa-contexts/7" });

    assert_string_equal(header(answer, "Allow"), "GET, HEAD, DELETE, PATCH");
}

static void
a_missing_right_is_named_with_its_container(void **state)
{
    static const struct ipsec_rights none = { { 0 } };
    const struct api_answer *answer =
        ask(*state, &(struct request){ .method = "GET", .path = "/sa-contexts", .rights = &none });
    json_t *problem = json_of(answer);
    const char *detail = json_string_value(json_object_get(problem, "detail"));

    assert_non_null(strstr(detail, "FWPM_ACTRL_ENUM"));
    assert_non_null(strstr(detail, "FWPM_ACTRL_READ"));
    assert_non_null(strstr(detail, "saDatabase"));
    json_decref(problem);
}

static void
a_context_is_created_read_listed_and_deleted(void **state)
{
    struct fixture *fixture = *state;
    uint64_t filter_id = make(fixture, "/filters", FILTER);
    char body[256];
    char path[64];
    char expected[256];

    (void)snprintf(body, sizeof body, TRAFFIC("%llu"), (unsigned long long)filter_id);
    uint64_t id = make(fixture, "/sa-contexts", body);
    (void)snprintf(path, sizeof path, "/sa-contexts/%llu", (unsigned long long)id);
    (void)snprintf(expected, sizeof expected, "{\"id\":%llu,\"inboundFilterId\":0}",
                   (unsigned long long)id);
    assert_string_equal(header(&fixture->call.answer, "Location"), path);
    assert_string_equal(buffer_text(&fixture->call.answer.body), expected);

    check_answer(ask(fixture, &(struct request){ .method = "GET", .path = path }), 200, NULL);
    json_t *context = json_of(&fixture->call.answer);
    assert_int_equal(json_integer_value(json_object_get(context, "id")), id);
    assert_string_equal(json_string_value(json_object_get(context, "state")), "created");
    assert_string_equal(json_string_value(json_object_get(context, "createdBy")),
                        "uri:spiffe://example.org/a");
    assert_null(json_object_get(context, "spi"));
    json_t *traffic = json_object_get(context, "outboundTraffic");
    assert_string_equal(json_string_value(json_object_get(traffic, "localAddress")), "192.0.2.1");
    assert_string_equal(json_string_value(json_object_get(traffic, "ipVersion")), "v4");
    json_decref(context);

    static const struct {
        const char *query;
        size_t count;
    } lists[] = {
        { NULL, 1 },
        { "", 1 },
        { "localAddress=192.0.2.0%2F24&remoteAddress=198.51.100.7&state=created", 1 },
        { "localAddress=203.0.113.1", 0 },
        { "state=active", 0 },
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        check_answer(ask(fixture, &(struct request){ .method = "GET",
                                                     .path = "/sa-contexts",
                                                     .query = lists[i].query }),
                     200, NULL);
        json_t *list = json_of(&fixture->call.answer);
        assert_int_equal(json_array_size(json_object_get(list, "items")), lists[i].count);
        assert_null(json_object_get(list, "nextCursor"));
        json_decref(list);
    }

    check_answer(ask(fixture, &(struct request){ .method = "DELETE", .path = path }), 204, NULL);
    assert_int_equal(fixture->call.object_id, id);
    check_answer(ask(fixture, &(struct request){ .method = "GET", .path = path }), 404,
                 "FWP_E_NOT_FOUND");
}

static void
what_a_body_refers_to_is_422_when_it_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    const struct api_answer *answer =
        ask(fixture,
            &(struct request){ .method = "POST", .path = "/sa-contexts", .body = TRAFFIC("4711") });

    check_answer(answer, 422, "FWP_E_FILTER_NOT_FOUND");
    json_t *problem = json_of(answer);
    assert_string_equal(json_string_value(json_object_get(problem, "pointer")), "/ipsecFilterId");
    json_decref(problem);
}

static void
a_filter_is_added_read_listed_and_deleted(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = make(fixture, "/filters", FILTER);
    char path[64];

    (void)snprintf(path, sizeof path, "/filters/%llu", (unsigned long long)id);
    assert_string_equal(header(&fixture->call.answer, "Location"), path);
    json_t *created = json_of(&fixture->call.answer);

    check_answer(ask(fixture, &(struct request){ .method = "GET", .path = path }), 200, NULL);
    json_t *filter = json_of(&fixture->call.answer);
    assert_true(json_equal(json_object_get(filter, "id"), json_object_get(created, "id")));
    assert_true(json_equal(json_object_get(filter, "key"), json_object_get(created, "key")));
    assert_true(json_is_string(json_object_get(filter, "effectiveWeight")));
    assert_null(json_object_get(filter, "weight"));
    json_decref(created);

    check_answer(ask(fixture, &(struct request){ .method = "GET",
                                                 .path = "/filters",
                                                 .query = "layer=outboundTransportV4" }),
                 200, NULL);
    json_t *list = json_of(&fixture->call.answer);
    assert_true(json_equal(json_array_get(json_object_get(list, "items"), 0), filter));
    json_decref(list);
    json_decref(filter);

    check_answer(ask(fixture, &(struct request){ .method = "DELETE", .path = path }), 204, NULL);
    check_answer(ask(fixture, &(struct request){ .method = "GET", .path = path }), 404,
                 "FWP_E_FILTER_NOT_FOUND");
}

static void
walking_a_list_by_cursors_meets_every_object_once(void **state)
{
    enum { COUNT = 7 };
    struct fixture *fixture = *state;
    uint64_t ids[COUNT];
    char query[128] = "limit=3";
    size_t met = 0;

    for (size_t i = 0; i < COUNT; i++)
        ids[i] = make(fixture, "/filters", FILTER);
    for (;;) {
        check_answer(
            ask(fixture, &(struct request){ .method = "GET", .path = "/filters", .query = query }),
            200, NULL);
        json_t *list = json_of(&fixture->call.answer);
        json_t *items = json_object_get(list, "items");
        for (size_t i = 0; i < json_array_size(items); i++) {
            assert_true(met < COUNT);
            assert_int_equal(json_integer_value(json_object_get(json_array_get(items, i), "id")),
                             ids[met++]);
        }
        const char *cursor = json_string_value(json_object_get(list, "nextCursor"));
        if (cursor != NULL)
            (void)snprintf(query, sizeof query, "limit=3&cursor=%s", cursor);
        json_decref(list);
        if (cursor == NULL)
            break;
    }
    assert_int_equal(met, COUNT);

    char filtered[sizeof query + 32];
    (void)snprintf(filtered, sizeof filtered, "%s&layer=outboundTransportV4", query);
    check_answer(
        ask(fixture, &(struct request){ .method = "GET", .path = "/filters", .query = filtered }),
        400, "FWP_E_INVALID_PARAMETER");
    assert_string_equal(fixture->call.base.fault.pointer, "cursor");
}

static void
a_repeat_gets_the_first_answer_and_another_body_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct request request = { .method = "POST",
                               .path = "/filters",
                               .body = FILTER,
                               .headers[API_HEADER_IDEMPOTENCY_KEY] = "k1" };
    char first[256];
    char location[64];

    check_answer(ask(fixture, &request), 201, NULL);
    assert_null(header(&fixture->call.answer, "Idempotent-Replay"));
    uint64_t id = fixture->call.object_id;
    assert_int_not_equal(id, 0);
    (void)snprintf(first, sizeof first, "%s", buffer_text(&fixture->call.answer.body));
    (void)snprintf(location, sizeof location, "%s", header(&fixture->call.answer, "Location"));

    check_answer(ask(fixture, &request), 201, NULL);
    assert_string_equal(header(&fixture->call.answer, "Idempotent-Replay"), "true");
    assert_string_equal(buffer_text(&fixture->call.answer.body), first);
    assert_string_equal(header(&fixture->call.answer, "Location"), location);
    assert_int_equal(fixture->call.object_id, id);

    request.body = FILTER " ";
    check_answer(ask(fixture, &request), 422, "HTTP_E_STATUS_UNPROCESSABLE_CONTENT");

    /* Another operation has keys of its own. */
    request.path = "/sa-contexts";
    request.body = TRAFFIC("4711");
    check_answer(ask(fixture, &request), 422, "FWP_E_FILTER_NOT_FOUND");
    /* Another principal has, too. */
    request.path = "/filters";
    request.body = FILTER " ";
    static char other[] = "uri:spiffe://example.org/b";
    fixture->identity.principal = other;
    check_answer(ask(fixture, &request), 201, NULL);
    assert_int_not_equal(fixture->call.object_id, id);
}

static void
bodies_may_be_as_long_as_the_limit(void **state)
{
    struct fixture *fixture = *state;
    char body[8192];

    memset(body, ' ', sizeof body);
    memcpy(body, FILTER, strlen(FILTER));
    body[fixture->service.max_body_bytes] = '\0';
    struct request request = { .method = "POST", .path = "/filters", .body = body };
    check_answer(ask(fixture, &request), 201, NULL);
    body[fixture->service.max_body_bytes] = ' ';
    body[fixture->service.max_body_bytes + 1] = '\0';
    check_answer(ask(fixture, &request), 413, "HTTP_E_STATUS_REQUEST_TOO_LARGE");
}

static void
the_service_tells_about_itself_without_any_right(void **state)
{
    static const struct ipsec_rights none = { { 0 } };
    static const char *const paths[] = {
        "/", "/whoami", "/errors", "/errors/FWP_E_IN_USE", "/errors/0x8032000a", "/openapi.json",
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct request request = { .method = "GET", .path = paths[i], .rights = &none };
        print_message("%s\n", paths[i]);
        check_answer(ask(fixture, &request), 200, NULL);
        request.method = "HEAD";
        check_answer(ask(fixture, &request), 200, NULL);
    }

    check_answer(ask(fixture, &(struct request){ .method = "GET", .path = "/" }), 200, NULL);
    json_t *index = json_of(&fixture->call.answer);
    assert_string_equal(json_string_value(json_object_get(index, "service")), "sa-contextd");
    assert_string_equal(json_string_value(json_object_get(index, "version")), "1.2.3");
    for (size_t i = 0; i < router_route_count(); i++) {
        const struct api_route *route = router_route(i);
        bool is_linked = strcmp(route->method, "GET") == 0 && strchr(route->path, '{') == NULL;
        const json_t *link = json_object_get(json_object_get(index, "links"), route->operation);

        assert_int_equal(link != NULL, is_linked);
        if (is_linked)
            assert_string_equal(json_string_value(link), route->path);
    }
    json_decref(index);

    static const struct ipsec_rights some = { { [IPSEC_CONTAINER_SA_DATABASE] =
                                                    FWPM_ACTRL_ADD | RIGHT_DELETE } };
    check_answer(
        ask(fixture, &(struct request){ .method = "GET", .path = "/whoami", .rights = &some }), 200,
        NULL);
    assert_string_equal(
        buffer_text(&fixture->call.answer.body),
        "{\"principal\":\"uri:spiffe://example.org/a\",\"fingerprint\":\"0123\","
        "\"names\":[\"uri:spiffe://example.org/a\",\"everyone\"],"
        "\"certificate\":{\"notBefore\":\"1970-01-01T00:00:00.000Z\","
        "\"notAfter\":\"1970-01-01T00:00:01.000Z\"},"
        "\"rights\":{\"engine\":[],\"saDatabase\":[\"FWPM_ACTRL_ADD\",\"DELETE\"],\"filters\":[],"
        "\"providerContexts\":[]}}");

    check_answer(ask(fixture, &(struct request){ .method = "GET", .path = "/errors" }), 200, NULL);
    json_t *errors = json_of(&fixture->call.answer);
    assert_int_equal(json_array_size(json_object_get(errors, "items")), IPSEC_STATUS_COUNT - 1);
    json_decref(errors);

    check_answer(ask(fixture, &(struct request){ .method = "GET",
                                                 .path = "/errors/FWP_E_FILTER_NOT_FOUND" }),
                 200, NULL);
    json_t *error = json_of(&fixture->call.answer);
    assert_int_equal(json_integer_value(json_object_get(error, "status")), 404);
    assert_int_equal(json_integer_value(json_object_get(error, "bodyStatus")), 422);
    assert_null(json_object_get(error, "pathStatus"));
    assert_string_equal(json_string_value(json_object_get(error, "ntstatus")), "0xC0220003");
    json_decref(error);
}

static void
request_and_trace_ids_are_handed_on(void **state)
{
    struct fixture *fixture = *state;
    const struct api_answer *answer =
        ask(fixture,
            &(struct request){ .method = "GET",
                               .path = "/nowhere",
                               .headers[API_HEADER_REQUEST_ID] = "my-id.1",
                               .headers[API_HEADER_TRACEPARENT] =
                                   "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" });

    assert_string_equal(header(answer, "X-Request-Id"), "my-id.1");
    assert_string_equal(fixture->call.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
}

static void
what_the_wire_refuses_is_a_problem_with_retry_after_where_it_helps(void **state)
{
    struct fixture *fixture = *state;

    (void)ask(fixture, &(struct request){ .method = "GET", .path = "/whoami" });
    api_call_fail(&fixture->call, IPSEC_RPC_CANTTRANSMIT_CALL, IPSEC_FAULT_SERVICE, NULL,
                  "the queue is full");
    check_answer(&fixture->call.answer, 503, "RPC_E_CANTTRANSMIT_CALL");
    assert_string_equal(header(&fixture->call.answer, "Retry-After"), "1");
    assert_int_equal(fixture->call.base.status, IPSEC_RPC_CANTTRANSMIT_CALL);

    (void)ask(fixture, &(struct request){ .method = "GET", .path = "/openapi.json" });
    api_call_fail(&fixture->call, IPSEC_HTTP_REQUEST_TIMEOUT, IPSEC_FAULT_SERVICE, NULL, NULL);
    check_answer(&fixture->call.answer, 408, "HTTP_E_STATUS_REQUEST_TIMEOUT");
    assert_null(header(&fixture->call.answer, "Retry-After"));
    assert_null(fixture->call.answer.static_body);
}

static void
operations_are_named_and_numbered(void **state)
{
    struct fixture *fixture = *state;

    (void)ask(fixture, &(struct request){ .method = "GET", .path = "/nowhere" });
    assert_string_equal(api_call_operation(&fixture->call), "none");
    assert_int_equal(api_call_operation_index(&fixture->call), api_operation_count());
    (void)ask(fixture, &(struct request){ .method = "GET", .path = "/filters/1" });
    assert_string_equal(api_call_operation(&fixture->call), "getFilter");
    assert_string_equal(api_operation_name(api_call_operation_index(&fixture->call)), "getFilter");
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, open_engine, close_engine)
    const struct CMUnitTest tests[] = {
        CASE(requests_are_refused_on_their_headers_alone),
        CASE(a_wrong_method_is_told_the_right_ones),
        CASE(a_missing_right_is_named_with_its_container),
        CASE(a_context_is_created_read_listed_and_deleted),
        CASE(what_a_body_refers_to_is_422_when_it_is_not_there),
        CASE(a_filter_is_added_read_listed_and_deleted),
        CASE(walking_a_list_by_cursors_meets_every_object_once),
        CASE(a_repeat_gets_the_first_answer_and_another_body_is_refused),
        CASE(bodies_may_be_as_long_as_the_limit),
        CASE(the_service_tells_about_itself_without_any_right),
        CASE(request_and_trace_ids_are_handed_on),
        CASE(what_the_wire_refuses_is_a_problem_with_retry_after_where_it_helps),
        CASE(operations_are_named_and_numbered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
