/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_sa_context.c: the operations on SA contexts. */
#include "api/handle.h"
#include "api/resource.h"

enum ipsec_status
handle_create_sa_context(struct api_call *call, struct ipsec_session *session)
{
    struct sa_context_created *reply = call->out;

    return ipsec_sa_context_create(session, call->in, &reply->inbound_filter_id, &reply->id);
}

enum ipsec_status
handle_get_sa_context(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_sa_context_get_by_id(session, call->path_id, call->out);
}

enum ipsec_status
handle_list_sa_contexts(struct api_call *call, struct ipsec_session *session)
{
    const struct sa_context_query *query = call->in;
    struct sa_context_list *reply = call->out;

    return ipsec_sa_context_enum(session, &query->match, query->after, query->limit, &reply->page);
}

enum ipsec_status
handle_delete_sa_context(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_sa_context_delete_by_id(session, call->path_id);
}

void
handle_conclude_sa_context_list(struct api_call *call)
{
    struct cursor_scope scope = sa_context_query_scope(call->in);
    struct sa_context_list *reply = call->out;

    if (reply->page.next != 0)
        cursor_encode(reply->page.next, &scope, reply->next_cursor);
}

void
handle_clear_sa_context_list(void *out)
{
    struct sa_context_list *reply = out;

    ipsec_sa_context_page_clear(&reply->page);
}
