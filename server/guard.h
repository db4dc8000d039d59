/* SPDX-License-Identifier: Apache-2.0
 *
 * guard.h: strict framing, judged on the headers before anything else looks at a request.
 *
 * What is ambiguous about its end, its target or its host is refused and the connection closed, so
 * that no proxy in front and this server can disagree about where one request stops (RFC 9112
 * sections 3.2, 5, 6 and 11.2).  Pure functions over what the HTTP library parsed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "engine/base/status.h"

/* The longest request target that is taken. */
enum { GUARD_TARGET_MAX = 4096 };

struct guard {
    const char *headers[API_HEADER_COUNT]; /* borrowed from the HTTP library */
    const char *host;
    uint64_t content_length;
    bool content_length_given;
    bool chunked;
    /* The first thing that was wrong; IPSEC_OK: nothing so far. */
    enum ipsec_status status;
    char detail[64];
    const char *header; /* static: which it is about, if it is one that means something here */
    char *joined[API_HEADER_COUNT]; /* lists that came on several lines */
};

/* Frees what taking fields has made; 'headers' may point there. */
void guard_clear(struct guard *guard);

/* Takes one header field.  A zeroed 'guard' begins.  A list on several lines is one list (RFC 9110
 * section 5.3); another header that means something here may be given once. */
void guard_header(struct guard *guard,
                  const char *name,
                  size_t name_length,
                  const char *value,
                  size_t value_length);

/* After all fields: Host, and body length against method-independent limits.  The result is also in
 * 'guard->status'. */
enum ipsec_status guard_finish(struct guard *guard);

/* Whether the headers announce a body. */
bool guard_has_body(const struct guard *guard);

/* Splits a raw request target, origin-form or absolute-form, in place: '*path_out' becomes the
 * percent-decoded path, '*query_out' the raw query or null.  False when it holds control bytes, NUL
 * (also as %00), a fragment, broken percent-encoding, or is of another form. */
bool guard_target(char *target, const char **path_out, const char **query_out);
