/* SPDX-License-Identifier: Apache-2.0
 *
 * describe.c: the OpenAPI document of the route table. */
#include "api/describe.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/problem.h"
#include "api/resource.h"
#include "api/router.h"
#include "auth/rights.h"

static const char description[] =
    "The security associations of the Windows Filtering Platform, kept on Linux. Callers "
    "authenticate with a client certificate; an operation needs the right that x-right names, and "
    "x-right-too. "
    "In requests null stands for a member that is left out; unknown and duplicate members are "
    "refused. A requestBody that is not required may be left out, which is as good as {}. Every "
    "operation that is here as GET answers HEAD, too. Every failure is a Problem; "
    "its codes are at /errors.";

static const char stream_text[] =
    "Events without a name: data is a line of application/x-ndjson, id its sequence.  Comments "
    "with "
    "an id are heartbeats (as NDJSON: {sequence, type: \"heartbeat\"}).  An event named error is "
    "the last one and carries a Problem (as NDJSON: {type: \"error\", problem}).";

/* What can go wrong in an operation besides its own codes, by what the operation has. */
static const enum ipsec_status every_codes[] = {
    IPSEC_INVALID_PARAMETER,    IPSEC_INVALID_HANDLE,
    IPSEC_NOT_AUTHENTICATED,    IPSEC_HTTP_BAD_REQUEST,
    IPSEC_HTTP_NOT_ACCEPTABLE,  IPSEC_RPC_SERVER_CANTMARSHAL_DATA,
    IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_SESSION_ABORTED,
    IPSEC_TXN_ABORTED,          IPSEC_OK,
};
/* What a session may be told, by the operation's rule; see enum ipsec_session_rule. */
static const enum ipsec_status rule_codes[][4] = {
    [IPSEC_RULE_ANY] = { IPSEC_OK },
    [IPSEC_RULE_NO_TRANSACTION] = { IPSEC_TXN_IN_PROGRESS, IPSEC_OK },
    [IPSEC_RULE_DIRECT] = { IPSEC_TXN_IN_PROGRESS, IPSEC_DYNAMIC_SESSION_IN_PROGRESS, IPSEC_OK },
    [IPSEC_RULE_POLICY_WRITE] = { IPSEC_INCOMPATIBLE_TXN, IPSEC_OK },
    [IPSEC_RULE_TRANSACTION] = { IPSEC_NO_TXN_IN_PROGRESS, IPSEC_OK },
};
/* Of writing policy: what comes of waiting for another session's transaction. */
static const enum ipsec_status wait_codes[] = { IPSEC_TIMEOUT, IPSEC_OK };
static const enum ipsec_status right_codes[] = { IPSEC_ACCESS_DENIED, IPSEC_OK };
static const enum ipsec_status query_codes[] = {
    IPSEC_TYPE_MISMATCH,
    IPSEC_OUT_OF_BOUNDS,
    IPSEC_INVALID_ENUMERATOR,
    IPSEC_OK,
};
static const enum ipsec_status versioned_codes[] = { IPSEC_HTTP_PRECONDITION_FAILED, IPSEC_OK };
/* Of the query that every write has; a value that is wrong. */
static const enum ipsec_status write_codes[] = { IPSEC_TYPE_MISMATCH, IPSEC_OK };
static const enum ipsec_status body_codes[] = {
    IPSEC_NULL_POINTER,           IPSEC_TYPE_MISMATCH,
    IPSEC_OUT_OF_BOUNDS,          IPSEC_INVALID_ENUMERATOR,
    IPSEC_RPC_INVALID_DATA,       IPSEC_RPC_INVALID_PARAMETER,
    IPSEC_HTTP_REQUEST_TOO_LARGE, IPSEC_HTTP_UNSUPPORTED_MEDIA,
    IPSEC_HTTP_REQUEST_TIMEOUT,   IPSEC_OK,
};
static const enum ipsec_status repeatable_codes[] = { IPSEC_HTTP_KEY_REUSED, IPSEC_OK };
static const enum ipsec_status engine_codes[] = {
    IPSEC_RPC_CALL_REJECTED,
    IPSEC_RPC_CALL_CANCELED,
    IPSEC_RPC_CANTTRANSMIT_CALL,
    IPSEC_RPC_SYS_CALL_FAILED,
    IPSEC_RPC_DISCONNECTED,
    IPSEC_RPC_INVALID_DATA,
    IPSEC_OK,
};

static json_t *describe_paths(json_t *schemas);
static json_t *describe_operation(const struct api_route *route, json_t *schemas);
static json_t *describe_right(enum ipsec_container container, uint32_t right);
static json_t *describe_parameters(const struct api_route *route);
static void describe_query(const struct codec_object *query, json_t *parameters);
static void describe_path_parameter(const struct api_route *route, json_t *parameters);
static json_t *describe_responses(const struct api_route *route, json_t *schemas);
static json_t *describe_failure_headers(const struct api_route *route, int status);
static json_t *describe_success(const struct api_route *route, json_t *schemas);
static json_t *describe_not_modified(void);
static void add_codes(const enum ipsec_status *codes, enum ipsec_fault_place place, json_t *found);
static void add_schema(const struct codec_object *object, json_t *schemas);
static json_t *describe_common_parameters(void);
static json_t *describe_headers(void);
static json_t *refer(const char *section, const char *name);

json_t *
describe_service(const char *version)
{
    json_t *schemas = json_object();
    json_t *paths = describe_paths(schemas);

    add_schema(&codec_problem, schemas);
    add_schema(&codec_problem_of_item, schemas);
    return json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:{s:s, s:s}}, s:[{s:[]}], s:o, s:{s:o, s:o, s:o, s:{s:{s:s, "
        "s:s}}}}",
        "openapi", "3.1.0", "info", "title", "sa-contextd", "version", version, "description",
        description, "license", "name", "Apache License 2.0", "identifier", "Apache-2.0",
        "security", "mutualTLS", "paths", paths, "components", "parameters",
        describe_common_parameters(), "headers", describe_headers(), "schemas", schemas,
        "securitySchemes", "mutualTLS", "type", "mutualTLS", "description",
        "A client certificate that leads to the service's client CA.");
}

static json_t *
describe_paths(json_t *schemas)
{
    json_t *paths = json_object();

    for (size_t i = 0; i < router_route_count(); i++) {
        const struct api_route *route = router_route(i);
        json_t *path = json_object_get(paths, route->path);
        char method[16] = "";

        for (size_t j = 0; j + 1 < sizeof method && route->method[j] != '\0'; j++)
            method[j] = (char)tolower((unsigned char)route->method[j]);
        if (path == NULL) {
            path = json_object();
            json_object_set_new(paths, route->path, path);
        }
        json_object_set_new(path, method, describe_operation(route, schemas));
    }
    return paths;
}

static json_t *
describe_operation(const struct api_route *route, json_t *schemas)
{
    const struct codec_object *body = router_body(route);
    json_t *operation =
        json_pack("{s:s, s:s}", "operationId", route->operation, "summary", route->summary);

    if (route->description != NULL)
        json_object_set_new(operation, "description", json_string(route->description));
    if (route->wfp != NULL)
        json_object_set_new(operation, "x-wfp", json_string(route->wfp));
    if (route->right != 0)
        json_object_set_new(operation, "x-right", describe_right(route->container, route->right));
    if (route->other_right != 0)
        json_object_set_new(operation, "x-right-too",
                            describe_right(route->other_container, route->other_right));
    json_object_set_new(operation, "parameters", describe_parameters(route));
    if (body != NULL) {
        add_schema(body, schemas);
        json_object_set_new(operation, "requestBody",
                            json_pack("{s:b, s:{s:{s:o}}}", "required",
                                      !router_body_is_optional(route), "content",
                                      "application/json", "schema", refer("schemas", body->name)));
    }
    json_object_set_new(operation, "responses", describe_responses(route, schemas));
    return operation;
}

static json_t *
describe_right(enum ipsec_container container, uint32_t right)
{
    json_t *names = json_array();
    size_t position = 0;
    const char *name;

    while ((name = rights_next_name(right, &position)) != NULL)
        json_array_append_new(names, json_string(name));
    return json_pack("{s:s, s:o}", "container", container_name(container), "rights", names);
}

static json_t *
describe_parameters(const struct api_route *route)
{
    json_t *parameters = json_array();

    describe_path_parameter(route, parameters);
    if (route->query != NULL)
        describe_query(route->query, parameters);
    if (router_writes(route))
        json_array_append_new(parameters, refer("parameters", "DryRun"));
    if (router_is_repeatable(route))
        json_array_append_new(parameters, refer("parameters", "IdempotencyKey"));
    if (route->versioned)
        json_array_append_new(parameters, refer("parameters", "IfMatch"));
    if (route->versioned && !router_writes(route))
        json_array_append_new(parameters, refer("parameters", "IfNoneMatch"));
    if (route->stream)
        json_array_append_new(parameters, refer("parameters", "LastEventId"));
    json_array_append_new(parameters, refer("parameters", "EngineSession"));
    json_array_append_new(parameters, refer("parameters", "RequestId"));
    json_array_append_new(parameters, refer("parameters", "Traceparent"));
    return parameters;
}

static void
describe_query(const struct codec_object *query, json_t *parameters)
{
    for (size_t i = 0; i < query->field_count; i++) {
        const struct codec_field *field = &query->fields[i];
        json_t *schema = codec_describe_field(field);

        json_object_del(schema, "description");
        json_array_append_new(parameters,
                              json_pack("{s:s, s:s, s:s, s:o}", "name", field->name, "in", "query",
                                        "description", field->summary, "schema", schema));
    }
}

static void
describe_path_parameter(const struct api_route *route, json_t *parameters)
{
    const char *brace = strchr(route->path, '{');

    if (brace == NULL)
        return;
    size_t size = strcspn(brace + 1, "}");
    bool is_id = size == 2 && strncmp(brace + 1, "id", size) == 0;
    bool is_key = size == 3 && strncmp(brace + 1, "key", size) == 0;
    json_t *schema = is_id    ? json_pack("{s:s, s:i, s:I}", "type", "integer", "minimum", 1,
                                          "maximum", (json_int_t)IPSEC_LUID_MAX)
                     : is_key ? json_pack("{s:s, s:s}", "type", "string", "format", "uuid")
                              : json_pack("{s:s}", "type", "string");
    json_array_append_new(parameters, json_pack("{s:s%, s:s, s:b, s:o}", "name", brace + 1, size,
                                                "in", "path", "required", 1, "schema", schema));
}

static json_t *
describe_responses(const struct api_route *route, json_t *schemas)
{
    json_t *responses = json_object();
    json_t *found = json_object();
    char status[8];

    add_codes(every_codes, IPSEC_FAULT_SERVICE, found);
    add_codes(rule_codes[route->rule], IPSEC_FAULT_HEADER, found);
    if (route->rule == IPSEC_RULE_POLICY_WRITE && route->success != 0)
        add_codes(wait_codes, IPSEC_FAULT_HEADER, found);
    if (route->right != 0)
        add_codes(right_codes, IPSEC_FAULT_SERVICE, found);
    if (route->not_found != IPSEC_OK)
        add_codes((const enum ipsec_status[]){ route->not_found, IPSEC_OK }, IPSEC_FAULT_PATH,
                  found);
    if (route->query != NULL)
        add_codes(query_codes, IPSEC_FAULT_QUERY, found);
    if (router_writes(route))
        add_codes(write_codes, IPSEC_FAULT_QUERY, found);
    if (route->versioned)
        add_codes(versioned_codes, IPSEC_FAULT_HEADER, found);
    if (router_body(route) != NULL)
        add_codes(body_codes, IPSEC_FAULT_BODY, found);
    if (router_is_repeatable(route))
        add_codes(repeatable_codes, IPSEC_FAULT_HEADER, found);
    if (!route->local)
        add_codes(engine_codes, IPSEC_FAULT_SERVICE, found);
    if (route->codes != NULL)
        add_codes(route->codes,
                  route->body != NULL    ? IPSEC_FAULT_BODY
                  : route->query != NULL ? IPSEC_FAULT_QUERY
                                         : IPSEC_FAULT_PATH,
                  found);

    (void)snprintf(status, sizeof status, "%d", route->success);
    if (route->success != 0)
        json_object_set_new(responses, status, describe_success(route, schemas));
    if (route->revision_offset != 0 && !router_writes(route))
        json_object_set_new(responses, "304", describe_not_modified());
    for (int i = 400; i < 600; i++) {
        (void)snprintf(status, sizeof status, "%d", i);
        const json_t *codes = json_object_get(found, status);
        if (codes == NULL)
            continue;
        json_object_set_new(responses, status,
                            json_pack("{s:O, s:o, s:{s:{s:o}}}", "description", codes, "headers",
                                      describe_failure_headers(route, i), "content",
                                      "application/problem+json", "schema",
                                      refer("schemas", "Problem")));
    }
    json_decref(found);
    return responses;
}

static json_t *
describe_failure_headers(const struct api_route *route, int status)
{
    json_t *headers = json_pack("{s:o}", "X-Request-Id", refer("headers", "RequestId"));
    bool patches = strcmp(route->method, "PATCH") == 0;

    if (status == 503 || status == 429)
        json_object_set_new(headers, "Retry-After", refer("headers", "RetryAfter"));
    if (status == 415) {
        json_object_set_new(headers, patches ? "Accept-Patch" : "Accept",
                            refer("headers", "AcceptedType"));
        json_object_set_new(headers, "Accept-Encoding", refer("headers", "AcceptedEncoding"));
    }
    return headers;
}

static json_t *
describe_success(const struct api_route *route, json_t *schemas)
{
    json_t *headers = json_pack("{s:o}", "X-Request-Id", refer("headers", "RequestId"));
    json_t *response = json_object();

    if (route->location != NULL)
        json_object_set_new(headers, "Location", refer("headers", "Location"));
    if (route->revision_offset != 0)
        json_object_set_new(headers, "ETag", refer("headers", "ETag"));
    if (router_writes(route))
        json_object_set_new(headers, "Dry-Run", refer("headers", "DryRun"));
    if (router_is_repeatable(route))
        json_object_set_new(headers, "Idempotent-Replay", refer("headers", "IdempotentReplay"));
    json_object_set_new(response, "description",
                        json_string(route->success == 204 ? "Done." : "Done, and this is it."));
    json_object_set_new(response, "headers", headers);
    if (route->success == 204)
        return response;

    json_t *schema = NULL;
    if (route->out != NULL) {
        add_schema(route->out, schemas);
        schema = refer("schemas", route->out->name);
    } else {
        schema = json_pack("{s:s}", "type", "object");
    }
    json_object_set_new(response, "content",
                        route->stream
                            ? json_pack("{s:{s:{s:s, s:s}}, s:{s:o}}", "text/event-stream",
                                        "schema", "type", "string", "description", stream_text,
                                        "application/x-ndjson", "schema", schema)
                            : json_pack("{s:{s:o}}", "application/json", "schema", schema));
    return response;
}

static json_t *
describe_not_modified(void)
{
    return json_pack("{s:s, s:{s:o, s:o}}", "description", "The caller has this already.",
                     "headers", "X-Request-Id", refer("headers", "RequestId"), "ETag",
                     refer("headers", "ETag"));
}

/* 'found' maps a status to the names of its codes, "A, B". */
static void
add_codes(const enum ipsec_status *codes, enum ipsec_fault_place place, json_t *found)
{
    for (; *codes != IPSEC_OK; codes++) {
        const char *name = ipsec_status_name(*codes);
        char status[8];

        (void)snprintf(status, sizeof status, "%d", problem_http_status(*codes, place));
        const char *names = json_string_value(json_object_get(found, status));
        if (names == NULL)
            json_object_set_new(found, status, json_string(name));
        else if (strstr(names, name) == NULL)
            json_object_set_new(found, status, json_sprintf("%s, %s", names, name));
    }
}

/* Adds the object and all it refers to. */
static void
add_schema(const struct codec_object *object, json_t *schemas)
{
    if (json_object_get(schemas, object->name) != NULL)
        return;
    json_object_set_new(schemas, object->name, codec_describe(object));
    for (size_t i = 0; i < object->field_count; i++) {
        if (object->fields[i].object != NULL)
            add_schema(object->fields[i].object, schemas);
    }
}

static json_t *
describe_common_parameters(void)
{
    static const struct {
        const char *key;
        enum api_header header;
        const char *description;
        const char *pattern;
    } rows[] = {
        { "IdempotencyKey", API_HEADER_IDEMPOTENCY_KEY,
          "Makes the request repeatable: for 24 hours the same key and request get the first "
          "answer again, the same key with another request is refused. Each operation has keys of "
          "its own, and so has each caller. Within a write transaction only its commit takes one.",
          "^[!-~]{1,255}$" },
        { "EngineSession", API_HEADER_ENGINE_SESSION,
          "Key of a session of the caller. Left out: the request has a static session of its own, "
          "without a transaction.",
          "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$" },
        { "IfMatch", API_HEADER_IF_MATCH,
          "Entity tags, the call is refused unless the object has one of them; at most four, or *.",
          NULL },
        { "IfNoneMatch", API_HEADER_IF_NONE_MATCH,
          "Entity tags, the answer is 304 without a body when the object has one of them.", NULL },
        { "RequestId", API_HEADER_REQUEST_ID,
          "Name of the request in answers and logs; one is made when it is absent or unfit.",
          "^[A-Za-z0-9._-]{1,64}$" },
        { "LastEventId", API_HEADER_LAST_EVENT_ID,
          "The id of the last event that came before: changes after it come first.  Wins over "
          "since.",
          "^(0|[1-9][0-9]{0,15})?$" },
        { "Traceparent", API_HEADER_TRACEPARENT,
          "W3C Trace Context; its trace id goes into the logs.", NULL },
    };
    json_t *parameters = json_object();
    json_t *options = json_array();

    for (size_t i = 0; i < CODEC_COUNT(rows); i++) {
        json_t *schema = json_pack("{s:s}", "type", "string");
        if (rows[i].pattern != NULL)
            json_object_set_new(schema, "pattern", json_string(rows[i].pattern));
        json_object_set_new(parameters, rows[i].key,
                            json_pack("{s:s, s:s, s:s, s:o}", "name",
                                      api_header_names[rows[i].header], "in", "header",
                                      "description", rows[i].description, "schema", schema));
    }
    describe_query(&codec_write_options, options);
    json_object_set(parameters, "DryRun", json_array_get(options, 0));
    json_decref(options);
    return parameters;
}

static json_t *
describe_headers(void)
{
    static const struct {
        const char *key;
        const char *description;
        const char *type;
    } rows[] = {
        { "RequestId", "Name of the request, the caller's if it gave one.", "string" },
        { "Location", "Path of what was made.", "string" },
        { "ETag", "Stands for the object as the answer shows it, for If-Match and If-None-Match.",
          "string" },
        { "DryRun", "true: nothing was changed; on problems, too.", "string" },
        { "IdempotentReplay", "true: the answer given to the first request with this key.",
          "string" },
        { "RetryAfter", "Seconds after which a repeat is worth while, on retryable problems.",
          "integer" },
        { "AcceptedType", "The type that a body may have, when another was refused.", "string" },
        { "AcceptedEncoding", "identity: a body may not be encoded, when one was.", "string" },
    };
    json_t *headers = json_object();

    for (size_t i = 0; i < CODEC_COUNT(rows); i++)
        json_object_set_new(headers, rows[i].key,
                            json_pack("{s:s, s:{s:s}}", "description", rows[i].description,
                                      "schema", "type", rows[i].type));
    return headers;
}

static json_t *
refer(const char *section, const char *name)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", section, name));
}
