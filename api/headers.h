/* SPDX-License-Identifier: Apache-2.0
 *
 * headers.h: what request headers mean, each judged by itself. */
#pragma once

#include <stdbool.h>

#include "api/api.h"

enum { TRACE_ID_SIZE = 33 }; /* with its NUL */

/* How an Accept header (null: none) takes the media type: below 0 not at all, the higher the more
 * precisely it was named. (RFC 9110 section 12.5.1) */
int headers_accept(const char *accept, const char *type);

/* Is a Content-Type (null: none) application/json, at most with charset=utf-8?  Else 'refusal' says
 * what is wrong with it. */
enum { HEADERS_REFUSAL_SIZE = 128 };
bool headers_is_json(const char *content_type, char refusal[HEADERS_REFUSAL_SIZE]);

/* Does a Content-Encoding (null: none) leave the body as it is? */
bool headers_is_plain(const char *content_encoding);

/* 1 to 255 visible ASCII characters? */
bool headers_is_idempotency_key(const char *key);

/* Copies the caller's request id when it is 1 to 64 characters of A-Z a-z 0-9 . _ -, else makes a
 * fresh one of 32 hexadecimal digits. */
void headers_request_id(const char *given, char request_id[API_REQUEST_ID_SIZE]);

/* Copies the trace id of a valid traceparent (W3C Trace Context), else makes it "". */
void headers_trace_id(const char *traceparent, char trace_id[TRACE_ID_SIZE]);
