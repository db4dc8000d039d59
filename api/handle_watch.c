/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_watch.c: who watches SA contexts, and who does so. */
#include <string.h>

#include "api/handle.h"
#include "api/resource.h"
#include "api/text.h"

static enum ipsec_status read_last_event_id(struct api_call *call,
                                            struct ipsec_subscription_options *options);

enum ipsec_status
handle_watch_sa_contexts(struct api_call *call, struct ipsec_session *session)
{
    const struct watch_query *query = call->in;
    struct ipsec_subscription_options options = query->options;
    struct sa_context_watch *reply = call->out;
    enum ipsec_status status = read_last_event_id(call, &options);

    if (status == IPSEC_OK)
        status = ipsec_sa_context_subscribe(session, &options, call->base.completion,
                                            &reply->subscription);
    if (status == IPSEC_NOTIFICATION_DROPPED)
        call->base.fault.place = call->headers[API_HEADER_LAST_EVENT_ID] != NULL
                                     ? IPSEC_FAULT_HEADER
                                     : IPSEC_FAULT_QUERY;
    return status;
}

void
handle_clear_watch(void *out)
{
    struct sa_context_watch *reply = out;

    ipsec_sa_context_unsubscribe(reply->subscription);
    reply->subscription = NULL;
}

enum ipsec_status
handle_list_subscriptions(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_sa_context_subscriptions_get(session, call->out);
}

void
handle_clear_subscription_list(void *out)
{
    ipsec_subscription_page_clear(out);
}

/* A browser that connects again repeats the query, and says where it really is in the header. */
static enum ipsec_status
read_last_event_id(struct api_call *call, struct ipsec_subscription_options *options)
{
    const char *name = api_header_names[API_HEADER_LAST_EVENT_ID];
    const char *text = call->headers[API_HEADER_LAST_EVENT_ID];

    if (text == NULL || text[0] == '\0')
        return IPSEC_OK;
    options->since_given = true;
    if (text_parse_unsigned(text, strlen(text), &options->since) &&
        options->since <= IPSEC_LUID_MAX)
        return IPSEC_OK;
    return ipsec_fault_set(&call->base.fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_HEADER, name,
                           "must be the id of an event, an integer below 2^53");
}
