/* SPDX-License-Identifier: Apache-2.0
 *
 * page.h: what all lists share: how long a page is, where it begins, and where the next one does.
 */
#pragma once

#include <stdint.h>

#include "api/codec.h"
#include "api/cursor.h"

enum { LIST_LIMIT_DEFAULT = 100, LIST_LIMIT_MAXIMUM = 1000 };

/* What a query asks for. */
struct page_query {
    uint32_t limit;
    char cursor[CURSOR_TEXT_SIZE]; /* "": the first page */
    uint64_t after;                /* of the cursor */
};

/* Of a list's query, a struct with the member 'page', a page_query. */
#define PAGE_QUERY_FIELDS(type)                                                                    \
    CODEC_FIELD(type, page.limit, "limit", .kind = CODEC_UNSIGNED, .minimum = 1,                   \
                .maximum = LIST_LIMIT_MAXIMUM,                                                     \
                .summary = "How many items at most; 100 when left out."),                          \
        CODEC_FIELD(type, page.cursor, "cursor", .kind = CODEC_CHARS,                              \
                    .summary = "The nextCursor of the page before, with the same filters.")

/* Of a list's answer, a struct with the member 'next_cursor'. */
#define PAGE_NEXT_CURSOR_FIELD(type)                                                               \
    CODEC_FIELD(type, next_cursor, "nextCursor", .kind = CODEC_CHARS,                              \
                .summary = "Where the next page begins; absent at the end.  A page may be short, " \
                           "even empty, although more follow.")

/* For the checks of list queries: sets what was left out, and reads the cursor. */
NODISCARD enum ipsec_status page_query_check(struct codec_decoder *decoder,
                                             struct page_query *page,
                                             const struct cursor_scope *scope);

/* 'next': the id of the last item that was looked at; 0: the list ends here. */
void
page_conclude(uint64_t next, const struct cursor_scope *scope, char next_cursor[CURSOR_TEXT_SIZE]);
