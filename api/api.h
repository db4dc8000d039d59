/* SPDX-License-Identifier: Apache-2.0
 *
 * api.h: REST meaning without a socket.
 *
 * A request goes through here in three steps, each of which may already end in an answer:
 *
 *   api_call_start   on the headers alone: route, method, session, right, media type,
 *                    Idempotency-Key, If-Match, query
 *   api_call_body    decodes the body into the operation's input struct
 *   api_call_finish  after the engine gave the call back: renders the output struct or the problem
 *
 * Threads: one call belongs to one worker; only 'base.run' (the handler) and 'base.encode' run on
 * the engine thread, while the worker does not touch the call. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/identity.h"
#include "engine/base/attributes.h"
#include "engine/base/buffer.h"
#include "engine/engine.h"

#define API_REQUEST_ID_SIZE 65
#define API_SHORT_PROBLEM_SIZE 512

/* The request headers that mean something here.  The wire hands over their values, null if absent;
 * a header given twice is the wire's to join, if it is a list, or to refuse. */
enum api_header {
    API_HEADER_ACCEPT = 0,
    API_HEADER_CONTENT_TYPE,
    API_HEADER_CONTENT_ENCODING,
    API_HEADER_IDEMPOTENCY_KEY,
    API_HEADER_ENGINE_SESSION,
    API_HEADER_IF_MATCH,
    API_HEADER_IF_NONE_MATCH,
    API_HEADER_REQUEST_ID, /* X-Request-Id */
    API_HEADER_TRACEPARENT,
    API_HEADER_LAST_EVENT_ID,
    API_HEADER_COUNT
};
extern const char *const api_header_names[API_HEADER_COUNT];

struct access_policy;

/* What the whole service shares; immutable while calls run. */
struct api_service {
    struct ipsec_engine *engine;
    size_t max_body_bytes;
    size_t max_batch_body_bytes;
    uint32_t event_heartbeat_seconds; /* how often a watcher who has gone unnoticed is looked for */
    const char *version;
    /* The access policy in force, a new reference, on any thread; null: no access file. */
    struct access_policy *(*policy)(void *context);
    void *policy_context;
};

struct api_answer_header {
    const char *name; /* static */
    char value[160];
};

struct api_answer {
    int status;
    const char *content_type; /* static; null: no body */
    struct buffer body;       /* what is sent, unless 'static_body' is set */
    const char *static_body;  /* outlives the answer: the process's, or 'short_problem' */
    size_t static_body_size;
    char short_problem[API_SHORT_PROBLEM_SIZE]; /* a problem for which there was no memory */
    struct api_answer_header headers[6];
    size_t header_count;
    bool close;  /* the connection must not be used further */
    bool stream; /* no body but what api_stream_read() brings, on and on */
    bool lines;  /* as NDJSON, not as server-sent events */
};

struct api_route;

/* The query members that every write has besides its own. */
struct api_write_options {
    bool dry_run;
};

struct api_call {
    struct ipsec_call base; /* first: the engine gives this back */
    const struct api_service *service;

    /* Set by the wire before api_call_start, borrowed until api_call_clear. */
    const char *method;
    const char *path;  /* percent-decoded, without the query; no NUL or control bytes */
    const char *query; /* raw, after the '?'; null: none */
    const char *headers[API_HEADER_COUNT];
    const struct auth_identity *identity; /* null: no client certificate */
    struct ipsec_rights rights;

    /* Set by api_call_start. */
    const struct api_route *route;        /* null: no such route */
    size_t body_maximum;                  /* 0: no body wanted */
    char request_id[API_REQUEST_ID_SIZE]; /* the caller's if sane, else made here; always set */
    char trace_id[33];                    /* of a valid traceparent, else "" */

    struct api_write_options options;
    /* The operation's input and output, zeroed memory of the route's sizes. */
    void *in;
    void *out;
    uint64_t path_id;           /* {id} of the path */
    struct ipsec_guid path_key; /* {key} of the path */

    struct api_answer answer;
    uint64_t object_id; /* for the audit: what was made, read or deleted */
};

enum api_next {
    API_NEXT_ANSWER = 0, /* 'answer' is complete */
    API_NEXT_BODY,       /* read up to 'body_maximum' bytes, then api_call_body */
    API_NEXT_ENGINE,     /* reserve and submit 'base', then api_call_finish */
};

/* 'call' is zeroed but for the wire's members.  'has_body' tells whether the headers announce one.
 */
NODISCARD enum api_next api_call_start(struct api_call *call, bool has_body);
NODISCARD enum api_next api_call_body(struct api_call *call, const char *body, size_t size);
void api_call_finish(struct api_call *call);

/* Says of a body that is above 'call->body_maximum' what the limit is and who sets it. */
enum { API_LIMIT_TEXT_SIZE = 112 };
void api_call_describe_limit(const struct api_call *call, char text[API_LIMIT_TEXT_SIZE]);

/* The answer of a watcher, while 'answer.stream': whether there may be something to read, whether
 * the caller may have it, whose rights are now 'rights', and what it is.  With 'heartbeat'
 * something is appended even when nothing happened.  False: what was appended is the end.  Never
 * waits. */
bool api_stream_has_news(const struct api_call *call);
bool api_stream_is_allowed(const struct api_call *call, const struct ipsec_rights *rights);
NODISCARD bool api_stream_read(struct api_call *call,
                               const struct ipsec_rights *rights,
                               bool heartbeat,
                               struct buffer *out);

/* Replaces whatever answer there is by the problem for 'status': for what only the wire can see (a
 * full queue, a body above its maximum, a malformed request).  Needs no api_call_start before. */
void api_call_fail(struct api_call *call,
                   enum ipsec_status status,
                   enum ipsec_fault_place place,
                   const char *pointer,
                   const char *detail);

/* Frees what the call owns; leaves it zeroed. */
void api_call_clear(struct api_call *call);

/* The name of the matched operation ("createSaContext") for metrics and audit; "none" without one.
 */
const char *api_call_operation(const struct api_call *call);
size_t api_operation_count(void);
const char *api_operation_name(size_t index); /* "none" from the count on */
/* The index of the call's operation in the list above, api_operation_count() without a route. */
size_t api_call_operation_index(const struct api_call *call);

/* A problem body without a call, for errors that the HTTP library finds: RFC 9457 JSON.  The
 * request id in it is a new one, for the X-Request-Id header. */
void api_problem_for_http_status(int http_status,
                                 const char *detail,
                                 char request_id[API_REQUEST_ID_SIZE],
                                 struct buffer *body);
