/* SPDX-License-Identifier: Apache-2.0
 *
 * handle_sa_context.c: the operations on SA contexts. */
#include <stdio.h>
#include <stdlib.h>

#include "api/handle.h"
#include "api/resource.h"

static struct ipsec_sa_context_options options_of(const struct new_sa_context *request);
static enum ipsec_status create(struct ipsec_session *session,
                                const struct new_sa_context *request,
                                struct sa_context_created *created_out);
static void forget_results(struct sa_context_results *reply);
static enum ipsec_status create_all(struct api_call *call, struct ipsec_session *session);
static enum ipsec_status create_each(struct api_call *call, struct ipsec_session *session);
static enum ipsec_status point_to_item(struct ipsec_fault *fault, size_t item);
static bool
keep_fault(struct sa_context_result *result, size_t item, const struct ipsec_fault *fault);

enum ipsec_status
handle_create_sa_context(struct api_call *call, struct ipsec_session *session)
{
    return create(session, call->in, call->out);
}

enum ipsec_status
handle_create_sa_contexts(struct api_call *call, struct ipsec_session *session)
{
    const struct new_sa_contexts *request = call->in;

    /* Run again after a wait, the results of the first time are still there. */
    forget_results(call->out);
    return !request->atomic_given || request->atomic ? create_all(call, session)
                                                     : create_each(call, session);
}

void
handle_refuse_sa_context_item(struct ipsec_call *base,
                              uint32_t item,
                              const struct ipsec_fault *fault)
{
    struct api_call *call = (struct api_call *)base;
    struct sa_context_results *reply = call->out;

    if (item < reply->result_count)
        (void)keep_fault(&reply->results[item], item, fault);
}

enum ipsec_status
handle_prepare_sa_context_results(struct api_call *call)
{
    const struct new_sa_contexts *request = call->in;
    struct sa_context_results *reply = call->out;

    reply->results = calloc(request->item_count, sizeof *reply->results);
    if (reply->results == NULL)
        return ipsec_fault_set(&call->base.fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "no memory for the answer");
    reply->result_count = request->item_count;
    return IPSEC_OK;
}

void
handle_clear_sa_context_results(void *out)
{
    struct sa_context_results *reply = out;

    forget_results(reply);
    free(reply->results);
    *reply = (struct sa_context_results){ .result_count = 0 };
}

enum ipsec_status
handle_get_sa_context(struct api_call *call, struct ipsec_session *session)
{
    return ipsec_sa_context_get_usage(session, call->path_id, call->out);
}

enum ipsec_status
handle_list_sa_contexts(struct api_call *call, struct ipsec_session *session)
{
    const struct sa_context_query *query = call->in;
    struct sa_context_list *reply = call->out;

    return ipsec_sa_context_enum(session, &query->match, query->page.after, query->page.limit,
                                 &reply->page);
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

    page_conclude(reply->page.next, &scope, reply->next_cursor);
}

void
handle_clear_sa_context_list(void *out)
{
    struct sa_context_list *reply = out;

    ipsec_sa_context_page_clear(&reply->page);
}

void
handle_clear_sa_context(void *out)
{
    ipsec_sa_context_unref(out);
}

static struct ipsec_sa_context_options
options_of(const struct new_sa_context *request)
{
    return (struct ipsec_sa_context_options){
        .labels = request->labels_given ? &request->labels : NULL,
        .inbound_filter_id = request->inbound_filter_id,
        .spi = request->spi,
        .wants_spi = request->get_spi,
        .inbound = request->inbound.given ? &request->inbound.input : NULL,
        .outbound = request->outbound.given ? &request->outbound.input : NULL,
    };
}

static enum ipsec_status
create(struct ipsec_session *session,
       const struct new_sa_context *request,
       struct sa_context_created *created_out)
{
    const struct ipsec_sa_context_options options = options_of(request);
    struct ipsec_sa_context context;

    if (options.labels == NULL && options.inbound_filter_id == 0 && options.spi == 0 &&
        !options.wants_spi && options.inbound == NULL && options.outbound == NULL)
        return ipsec_sa_context_create(session, &request->traffic, &created_out->inbound_filter_id,
                                       &created_out->id);

    enum ipsec_status status =
        ipsec_sa_context_create_with(session, &request->traffic, &options, &context);
    if (status != IPSEC_OK)
        return status;
    *created_out = (struct sa_context_created){
        .id = context.id,
        .inbound_filter_id = context.inbound_filter_id,
        .spi = context.spi,
        .state = context.state,
    };
    ipsec_sa_context_unref(&context);
    return IPSEC_OK;
}

static void
forget_results(struct sa_context_results *reply)
{
    for (size_t i = 0; i < reply->result_count; i++) {
        free(reply->results[i].fault);
        reply->results[i] = (struct sa_context_result){ .fault = NULL };
    }
}

/* The first failure is the answer. */
static enum ipsec_status
create_all(struct api_call *call, struct ipsec_session *session)
{
    const struct new_sa_contexts *request = call->in;
    struct sa_context_results *reply = call->out;

    call->base.point_to_item = point_to_item;
    for (size_t i = 0; i < request->item_count; i++) {
        enum ipsec_status status;

        /* Only to say which item what follows is for. */
        (void)ipsec_session_savepoint(session, (uint32_t)i);
        status = create(session, &request->items[i], &reply->results[i].created);
        if (status != IPSEC_OK)
            return point_to_item(ipsec_session_fault(session), i);
    }
    return IPSEC_OK;
}

static enum ipsec_status
create_each(struct api_call *call, struct ipsec_session *session)
{
    const struct new_sa_contexts *request = call->in;
    struct sa_context_results *reply = call->out;
    struct ipsec_fault *fault = ipsec_session_fault(session);

    call->base.item_refused = handle_refuse_sa_context_item;
    for (size_t i = 0; i < request->item_count; i++) {
        struct ipsec_savepoint savepoint = ipsec_session_savepoint(session, (uint32_t)i);

        if (create(session, &request->items[i], &reply->results[i].created) == IPSEC_OK)
            continue;
        ipsec_session_rollback(session, &savepoint);
        if (!keep_fault(&reply->results[i], i, fault))
            return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                                   "no memory for the answer");
        *fault = (struct ipsec_fault){ .status = IPSEC_OK };
    }
    return IPSEC_OK;
}

static bool
keep_fault(struct sa_context_result *result, size_t item, const struct ipsec_fault *fault)
{
    if (result->fault == NULL)
        result->fault = malloc(sizeof *result->fault);
    if (result->fault == NULL)
        return false;
    *result->fault = *fault;
    (void)!point_to_item(result->fault, item);
    return true;
}

/* Pointers are to the request's body, wherever the fault was found. */
static enum ipsec_status
point_to_item(struct ipsec_fault *fault, size_t item)
{
    char prefix[32];

    (void)snprintf(prefix, sizeof prefix, "/items/%zu", item);
    return ipsec_fault_prefix(fault, prefix);
}
