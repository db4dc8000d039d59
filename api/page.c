/* SPDX-License-Identifier: Apache-2.0
 *
 * page.c: see page.h. */
#include "api/page.h"

enum ipsec_status
page_query_check(struct codec_decoder *decoder,
                 struct page_query *page,
                 const struct cursor_scope *scope)
{
    if (page->limit == 0)
        page->limit = LIST_LIMIT_DEFAULT;
    if (page->cursor[0] == '\0' || cursor_decode(page->cursor, scope, &page->after))
        return IPSEC_OK;

    struct codec_step step = { .member = "cursor" };
    decoder->step = &step;
    enum ipsec_status status = codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                                            "not a nextCursor of this list with these filters");
    decoder->step = NULL;
    return status;
}

void
page_conclude(uint64_t next, const struct cursor_scope *scope, char next_cursor[CURSOR_TEXT_SIZE])
{
    if (next != 0)
        cursor_encode(next, scope, next_cursor);
}
