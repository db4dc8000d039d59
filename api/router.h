/* SPDX-License-Identifier: Apache-2.0
 *
 * router.h: which operation a method and a path mean.
 *
 * A row of the table holds all that a handler could forget; the rows are in routes_*.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "api/codec.h"

/* Runs the operation: reads 'call->in' and 'call->path_id', fills 'call->out'.  On the engine
 * thread with a session, or, for a local operation, at once on the worker with none. */
typedef enum ipsec_status api_handler(struct api_call *call, struct ipsec_session *session);

struct api_route {
    const char *method;
    const char *path; /* segments in braces stand for any text; "{id}" for an identifier,
                         "{key}" for a GUID */
    const char *operation;
    const char *summary;
    const char *description; /* sentences: rules that the summary does not tell; null: none */
    const char *wfp;         /* the WFP call it is; null: none */

    /* What the caller must be granted; 0: any authenticated caller. */
    enum ipsec_container container;
    uint32_t right;
    /* And on a second container, where the operation works on two. */
    enum ipsec_container other_container;
    uint32_t other_right;
    /* What the caller's session must be like, and whether "{key}" of the path names it. */
    enum ipsec_session_rule rule;
    bool session_in_path;

    /* The input: a struct of 'in_size' bytes that the query and then the body fill, each the
     * members that its table has.  Operations that change something also take the members of
     * codec_write_options, see router_writes(). */
    const struct codec_object *body;
    const struct codec_object *query;
    size_t in_size;

    /* It is about one object that has revisions: If-Match is for the engine to judge, and 'out', if
     * it shows the object, has its uint64_t revision at 'revision_offset' (0: not there). */
    bool versioned;
    size_t revision_offset;

    bool secret;     /* the body may hold keys: nothing stored is a bare digest of it */
    bool large_body; /* up to the service's larger limit */

    bool stream; /* 'out' is of each of the objects that the answer consists of, without end */
    const struct codec_object *out; /* null: nothing, or 'call->answer.static_body' */
    size_t out_size;
    void (*clear_out)(void *out); /* null: nothing to free */
    int success;                  /* 0: there is none */
    /* Where what was made is found, without its id: 'out' then begins with its uint64_t id, or with
     * its struct ipsec_guid. */
    const char *location;
    bool location_is_key;

    /* On the worker, once the input is read: what 'call->out' needs that is of no fixed size.
     * Memory that the engine's thread asked for and a worker gave back would lie between its
     * records and stay free.  May be null. */
    enum ipsec_status (*prepare)(struct api_call *call);
    api_handler *handler;
    bool local;
    /* Completes 'call->out' on the worker; may be null. */
    void (*conclude)(struct api_call *call);

    enum ipsec_status not_found;    /* for a path that names no object */
    const enum ipsec_status *codes; /* of the operation itself, ends with IPSEC_OK; may be null */
};

size_t router_route_count(void);
const struct api_route *router_route(size_t index);
/* The count for null, and what is no row. */
size_t router_index(const struct api_route *route);

/* Whether the operation may change something: all but GET. */
bool router_writes(const struct api_route *route);

/* What the body is: null for what takes none.  A POST that needs nothing but its path takes an
 * object without members. */
const struct codec_object *router_body(const struct api_route *route);

/* Whether a request without a body is as good as one with {}: a POST, no member of which must be
 * there. */
bool router_body_is_optional(const struct api_route *route);

/* Whether it takes an Idempotency-Key: every POST, and whatever else has a body. */
bool router_is_repeatable(const struct api_route *route);

/* The row for 'method' and 'path', or null.  HEAD is GET without its body.  '*argument_out' is
 * where the segment in braces begins; null without one. */
const struct api_route *
router_match(const char *method, const char *path, const char **argument_out);

/* Writes the methods that 'path' has ("GET, HEAD, POST"); false when there is no such path. */
bool router_allowed(const char *path, char *methods, size_t methods_size);
