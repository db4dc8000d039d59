/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_provider_context.c: the operations on provider contexts. */
#include <stdlib.h>

#include "api/handle.h"
#include "api/resource.h"

static enum ipsec_status list_by_key(struct api_call *call, struct ipsec_session *session);

enum ipsec_status
handle_add_provider_context(struct api_call *call, struct ipsec_session *session)
{
    const struct new_provider_context *request = call->in;
    struct provider_context_created *reply = call->out;

    return ipsec_provider_context_add(session, &request->context, &reply->id, &reply->key);
}

enum ipsec_status
handle_get_provider_context(struct api_call *call, struct ipsec_session *session)
{
    struct provider_context_reply *reply = call->out;

    enum ipsec_status status =
        ipsec_provider_context_get_by_id(session, call->path_id, &reply->reference);
    if (status == IPSEC_OK)
        reply->context = *reply->reference;
    return status;
}

enum ipsec_status
handle_list_provider_contexts(struct api_call *call, struct ipsec_session *session)
{
    const struct provider_context_query *query = call->in;
    struct provider_context_list *reply = call->out;
    int type = query->type_given ? query->type : -1;

    if (query->key_given)
        return list_by_key(call, session);
    return ipsec_provider_context_enum(session, type, query->page.after, query->page.limit,
                                       &reply->page);
}

enum ipsec_status
handle_delete_provider_context(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_provider_context_delete_by_id(session, call->path_id);
}

void
handle_conclude_provider_context_list(struct api_call *call)
{
    struct cursor_scope scope = provider_context_query_scope(call->in);
    struct provider_context_list *reply = call->out;

    page_conclude(reply->page.next, &scope, reply->next_cursor);
}

void
handle_clear_provider_context_reply(void *out)
{
    struct provider_context_reply *reply = out;

    if (reply->reference != NULL)
        ipsec_provider_context_unref(reply->reference);
    *reply = (struct provider_context_reply){ 0 };
}

void
handle_clear_provider_context_list(void *out)
{
    struct provider_context_list *reply = out;

    ipsec_provider_context_page_clear(&reply->page);
}

/* A page of the one that has the key, or of none. */
static enum ipsec_status
list_by_key(struct api_call *call, struct ipsec_session *session)
{
    const struct provider_context_query *query = call->in;
    struct provider_context_list *reply = call->out;
    const struct ipsec_provider_context *found;

    enum ipsec_status status = ipsec_provider_context_get_by_key(session, &query->key, &found);
    if (status == IPSEC_PROVIDER_CONTEXT_NOT_FOUND)
        return IPSEC_OK;
    if (status != IPSEC_OK)
        return status;
    if (query->type_given && found->type != query->type) {
        ipsec_provider_context_unref(found);
        return IPSEC_OK;
    }
    reply->page.provider_contexts = malloc(sizeof *reply->page.provider_contexts);
    if (reply->page.provider_contexts == NULL) {
        ipsec_provider_context_unref(found);
        return ipsec_fault_set(ipsec_session_fault(session), IPSEC_RPC_OUT_OF_RESOURCES,
                               IPSEC_FAULT_SERVICE, NULL, "no memory for the answer");
    }
    reply->page.provider_contexts[0] = found;
    reply->page.provider_context_count = 1;
    return IPSEC_OK;
}
