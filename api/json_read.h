/* SPDX-License-Identifier: Apache-2.0
 *
 * json_read.h: JSON text into a tree of the JSON library, in one pass.
 *
 * Takes what the library's own reader takes with JSON_REJECT_DUPLICATES and JSON_DECODE_ANY, at a
 * quarter of its cost, which is half of what reading a request body cost.  Two things differ:
 * nesting ends at JSON_READ_DEPTH, and a number with a fraction or exponent is only noted as one,
 * with the value 0: no member here takes one. */
#pragma once

#include <stddef.h>

#include <jansson.h>

#include "engine/base/attributes.h"

enum { JSON_READ_DEPTH = 64 };

enum json_flaw {
    JSON_FLAW_NONE = 0,
    JSON_FLAW_SYNTAX,
    JSON_FLAW_DUPLICATE, /* a member is there twice */
    JSON_FLAW_RANGE,     /* an integer beyond 64 bits */
    JSON_FLAW_NUL,       /* in a text or name */
    JSON_FLAW_UTF8,
    JSON_FLAW_DEPTH,
    JSON_FLAW_MEMORY,
};

struct json_problem {
    enum json_flaw flaw;
    size_t position;  /* bytes before the place, which is behind a name or number at fault */
    const char *text; /* what was expected; never a part of what was read */
};

/* A new tree, or null and 'problem_out'. */
NODISCARD json_t *json_read(const char *text, size_t size, struct json_problem *problem_out);
