/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_session.c: the operations on sessions and their transactions. */
#include "api/handle.h"
#include "api/resource.h"

enum { TXN_READ_ONLY = 0x1 };

enum ipsec_status
handle_open_session(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_session_open(session, call->in, call->out);
}

enum ipsec_status
handle_get_session(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_session_get(session, &call->path_key, call->out);
}

enum ipsec_status
handle_list_sessions(struct api_call *call, struct ipsec_session *session)
{
    const struct session_query *query = call->in;
    struct session_list *reply = call->out;

    return ipsec_session_enum(session, query->page.after, query->page.limit, &reply->page);
}

enum ipsec_status
handle_close_session(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_session_close(session, &call->path_key);
}

enum ipsec_status
handle_begin_transaction(struct api_call *call, struct ipsec_session *session)
{
    const struct begin_transaction *options = call->in;
    enum ipsec_status status =
        ipsec_transaction_begin(session, (options->flags & TXN_READ_ONLY) != 0);

    if (status != IPSEC_OK)
        return status;
    return ipsec_session_current(session, call->out);
}

enum ipsec_status
handle_commit_transaction(struct api_call *call, struct ipsec_session *session)
{
    (void)call;
    return ipsec_transaction_commit(session);
}

enum ipsec_status
handle_abort_transaction(struct api_call *call, struct ipsec_session *session)
{
    (void)call;
    return ipsec_transaction_abort(session);
}

void
handle_conclude_session_list(struct api_call *call)
{
    struct cursor_scope scope = session_query_scope();
    struct session_list *reply = call->out;

    page_conclude(reply->page.next, &scope, reply->next_cursor);
}

void
handle_clear_session_list(void *out)
{
    struct session_list *reply = out;

    ipsec_session_page_clear(&reply->page);
}
