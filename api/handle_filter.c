/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_filter.c: the operations on filters. */
#include <stdlib.h>

#include "api/handle.h"
#include "api/resource.h"

static enum ipsec_status list_by_key(struct api_call *call, struct ipsec_session *session);

enum ipsec_status
handle_add_filter(struct api_call *call, struct ipsec_session *session)
{
    struct filter_created *reply = call->out;

    return ipsec_filter_add(session, call->in, &reply->id, &reply->key);
}

enum ipsec_status
handle_get_filter(struct api_call *call, struct ipsec_session *session)
{
    struct filter_reply *reply = call->out;

    enum ipsec_status status = ipsec_filter_get_by_id(session, call->path_id, &reply->reference);
    if (status == IPSEC_OK)
        reply->filter = *reply->reference;
    return status;
}

enum ipsec_status
handle_list_filters(struct api_call *call, struct ipsec_session *session)
{
    const struct filter_query *query = call->in;
    struct filter_list *reply = call->out;
    int layer = query->layer_given ? query->layer : -1;

    if (query->key_given)
        return list_by_key(call, session);
    return ipsec_filter_enum(session, layer, query->page.after, query->page.limit, &reply->page);
}

enum ipsec_status
handle_delete_filter(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_filter_delete_by_id(session, call->path_id);
}

void
handle_conclude_filter_list(struct api_call *call)
{
    struct cursor_scope scope = filter_query_scope(call->in);
    struct filter_list *reply = call->out;

    page_conclude(reply->page.next, &scope, reply->next_cursor);
}

void
handle_clear_filter_reply(void *out)
{
    struct filter_reply *reply = out;

    if (reply->reference != NULL)
        ipsec_filter_unref(reply->reference);
    *reply = (struct filter_reply){ 0 };
}

void
handle_clear_filter_list(void *out)
{
    struct filter_list *reply = out;

    ipsec_filter_page_clear(&reply->page);
}

/* A page of the one that has the key, or of none. */
static enum ipsec_status
list_by_key(struct api_call *call, struct ipsec_session *session)
{
    const struct filter_query *query = call->in;
    struct filter_list *reply = call->out;
    const struct ipsec_filter *found;

    enum ipsec_status status = ipsec_filter_get_by_key(session, &query->key, &found);
    if (status == IPSEC_FILTER_NOT_FOUND)
        return IPSEC_OK;
    if (status != IPSEC_OK)
        return status;
    if (query->layer_given && found->layer != query->layer) {
        ipsec_filter_unref(found);
        return IPSEC_OK;
    }
    reply->page.filters = malloc(sizeof *reply->page.filters);
    if (reply->page.filters == NULL) {
        ipsec_filter_unref(found);
        return ipsec_fault_set(ipsec_session_fault(session), IPSEC_RPC_OUT_OF_RESOURCES,
                               IPSEC_FAULT_SERVICE, NULL, "no memory for the answer");
    }
    reply->page.filters[0] = found;
    reply->page.filter_count = 1;
    return IPSEC_OK;
}
