/* SPDX-License-Identifier: Apache-2.0
 *
 * refused_bodies.h: bodies with one flaw each, and what they are refused for. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/codec.h"
#include "api/problem.h"

/* What stands where a body has a key or the like, and is not to be repeated. */
#define REFUSED_SECRET "c2VjcmV0"

struct refused_case {
    const char *body;
    enum ipsec_status status;
    int http_status;
    const char *pointer;
};

/* 'size' is that of the struct the object decodes into. */
static inline void
assert_refused_bodies(const struct codec_object *object,
                      size_t size,
                      const struct refused_case *rows,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct refused_case *row = &rows[i];
        struct ipsec_fault fault = { 0 };
        void *decoded = calloc(1, size);
        enum ipsec_status status =
            codec_decode(object, row->body, strlen(row->body), decoded, &fault);

        print_message("%s\n", row->body);
        assert_string_equal(ipsec_status_name(status), ipsec_status_name(row->status));
        assert_int_equal(fault.status, status);
        assert_int_equal(problem_http_status(status, fault.place), row->http_status);
        assert_string_equal(fault.pointer, row->pointer);
        assert_true(fault.detail[0] != '\0');
        assert_null(strstr(fault.detail, REFUSED_SECRET));
        codec_clear(object, decoded);
        free(decoded);
    }
}
