/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context.c: the life of SA contexts. */
#include "engine/sa_context.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/session.h"
#include "engine/state.h"
#include "engine/validate.h"

static enum ipsec_status find_policy(struct ipsec_session *session,
                                     const struct ipsec_traffic *traffic,
                                     const struct ipsec_filter **filter_out);
static uint64_t find_inbound_filter(struct engine_state *state,
                                    const struct ipsec_traffic *traffic,
                                    const struct ipsec_filter *filter);
static uint16_t effective_number(uint16_t given,
                                 const struct ipsec_filter *filter,
                                 enum ipsec_condition_field field);
static struct ipsec_sa_context as_seen_now(const struct engine_state *state,
                                           const struct ipsec_sa_context *context);
static bool insert(struct engine_state *state, const struct ipsec_sa_context *context);
static void take_out(struct engine_state *state, const struct ipsec_sa_context *context);
static enum ipsec_status check_template(struct ipsec_session *session,
                                        const struct ipsec_sa_context_template *match);
static enum ipsec_status
check_subnet(struct ipsec_session *session, const struct ipsec_subnet *subnet, const char *name);
static bool matches(const struct ipsec_sa_context *context,
                    const struct ipsec_sa_context_template *match);
static enum ipsec_status not_found(struct ipsec_session *session, uint64_t id);

enum ipsec_status
ipsec_sa_context_create(struct ipsec_session *session,
                        const struct ipsec_traffic *outbound_traffic,
                        uint64_t *inbound_filter_id_out,
                        uint64_t *id_out)
{
    struct engine_state *state = session->state;
    const struct ipsec_filter *filter = NULL;
    enum ipsec_status status;

    status = session_check_direct(session);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_ADD);
    if (status != IPSEC_OK)
        return status;
    status = validate_traffic_members(outbound_traffic, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = find_policy(session, outbound_traffic, &filter);
    if (status != IPSEC_OK)
        return status;
    if (state->max_contexts != 0 && state->contexts.count >= state->max_contexts)
        return ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "the limit of %u SA contexts is reached", state->max_contexts);

    struct ipsec_sa_context context = {
        .outbound_traffic = *outbound_traffic,
        .inbound_filter_id = find_inbound_filter(state, outbound_traffic, filter),
        .created_at_ms = state->now_ms,
        .state = IPSEC_SA_CONTEXT_CREATED,
    };
    status = session_intern_caller(session, &context.created_by);
    if (status != IPSEC_OK)
        return status;
    if (!luid_next(&state->luids, &context.id))
        return session_no_memory(session);
    context.revision = ++state->revision;
    if (!insert(state, &context))
        return session_no_memory(session);
    if (!batch_put_sa_context(&state->batch, &context)) {
        take_out(state, &context);
        return session_no_memory(session);
    }
    if (inbound_filter_id_out != NULL)
        *inbound_filter_id_out = context.inbound_filter_id;
    *id_out = context.id;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_sa_context_get_by_id(struct ipsec_session *session,
                           uint64_t id,
                           struct ipsec_sa_context *context_out)
{
    enum ipsec_status status =
        session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ);

    if (status != IPSEC_OK)
        return status;
    const struct ipsec_sa_context *context = id_table_find(&session->state->contexts, id);
    if (context == NULL)
        return not_found(session, id);
    *context_out = as_seen_now(session->state, context);
    return IPSEC_OK;
}

enum ipsec_status
ipsec_sa_context_delete_by_id(struct ipsec_session *session, uint64_t id)
{
    struct engine_state *state = session->state;
    enum ipsec_status status;

    status = session_check_direct(session);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    const struct ipsec_sa_context *found = id_table_find(&state->contexts, id);
    if (found == NULL)
        return not_found(session, id);
    struct ipsec_sa_context context = *found;
    if (!batch_delete_sa_context(&state->batch, &context))
        return session_no_memory(session);
    take_out(state, &context);
    state->revision++;
    return IPSEC_OK;
}

enum ipsec_status
ipsec_sa_context_enum(struct ipsec_session *session,
                      const struct ipsec_sa_context_template *match,
                      uint64_t after,
                      size_t limit,
                      struct ipsec_sa_context_page *page_out)
{
    struct engine_state *state = session->state;
    const struct id_table *contexts = &state->contexts;
    enum ipsec_status status;

    *page_out = (struct ipsec_sa_context_page){ .context_count = 0 };
    status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE,
                                 FWPM_ACTRL_ENUM | FWPM_ACTRL_READ);
    if (status != IPSEC_OK)
        return status;
    status = check_template(session, match);
    if (status != IPSEC_OK)
        return status;
    if (limit == 0)
        return ipsec_fault_set(session->fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_QUERY, "limit",
                               "a page has at least one place");

    size_t budget = state_scan_budget(state);
    size_t room = limit < budget ? limit : budget;
    room = room < contexts->count ? room : contexts->count;
    if (room == 0)
        return IPSEC_OK;
    page_out->contexts = malloc(room * sizeof *page_out->contexts);
    if (page_out->contexts == NULL)
        return session_no_memory(session);

    struct id_table_cursor cursor = id_table_seek(contexts, after);
    for (size_t looked_at = 0; looked_at <= budget; looked_at++) {
        const struct ipsec_sa_context *context = id_table_next(contexts, &cursor);

        if (context == NULL) {
            page_out->next = 0;
            break;
        }
        if (page_out->context_count == room || looked_at == budget)
            break;
        page_out->next = context->id;
        state->scanned++;
        if (matches(context, match))
            page_out->contexts[page_out->context_count++] = as_seen_now(state, context);
    }
    return IPSEC_OK;
}

void
ipsec_sa_context_page_clear(struct ipsec_sa_context_page *page)
{
    free(page->contexts);
    *page = (struct ipsec_sa_context_page){ .context_count = 0 };
}

enum ipsec_status
sa_context_load(struct engine_state *state,
                const struct ipsec_sa_context *context,
                struct ipsec_fault *fault)
{
    uint64_t filter_id = context->outbound_traffic.ipsec_filter_id;

    if (context->id == 0 || context->id > IPSEC_LUID_MAX ||
        context->state >= IPSEC_SA_CONTEXT_STATE_COUNT ||
        validate_traffic_members(&context->outbound_traffic, NULL) != IPSEC_OK ||
        validate_traffic_meaning(&context->outbound_traffic, NULL) != IPSEC_OK ||
        (filter_id != 0 && filter_table_find(&state->filters, filter_id) == NULL) ||
        id_table_find(&state->contexts, context->id) != NULL)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store holds an SA context %llu that is not valid",
                               (unsigned long long)context->id);
    if (context->created_by != 0 && principal_name(&state->principals, context->created_by)[0] == 0)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store's table sa_context, row %llu: created_by %u names no "
                               "principal",
                               (unsigned long long)context->id, context->created_by);
    if (!insert(state, context))
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the SA contexts of the store");
    return IPSEC_OK;
}

void
sa_context_undo_create(struct engine_state *state, const struct ipsec_sa_context *context)
{
    take_out(state, context);
}

void
sa_context_undo_delete(struct engine_state *state, const struct ipsec_sa_context *context)
{
    /* The place it was taken from is still there, see id_table.h. */
    if (!insert(state, context))
        abort();
}

/* The filter that the traffic names, as far as the caller may know of it.  This engine has no
 * provider contexts, so no tunnel policy can be found. */
static enum ipsec_status
find_policy(struct ipsec_session *session,
            const struct ipsec_traffic *traffic,
            const struct ipsec_filter **filter_out)
{
    if (traffic->type == IPSEC_TRAFFIC_TYPE_TUNNEL)
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_BODY,
                               "/tunnelPolicyId", "no provider context has id %llu",
                               (unsigned long long)traffic->tunnel_policy_id);

    const struct filter_entry *entry = NULL;
    if (session_has_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_READ))
        entry = filter_table_find(&session->state->filters, traffic->ipsec_filter_id);
    if (entry == NULL)
        return ipsec_fault_set(session->fault, IPSEC_FILTER_NOT_FOUND, IPSEC_FAULT_BODY,
                               "/ipsecFilterId", "no filter has id %llu",
                               (unsigned long long)traffic->ipsec_filter_id);
    *filter_out = entry->filter;
    enum ipsec_status status = validate_traffic_meaning(traffic, session->fault);
    if (status != IPSEC_OK)
        return status;
    return validate_traffic_filter(traffic, entry->filter, session->fault);
}

/* The inbound filter that classifies the same flow in the other direction: local stays local, so
 * nothing needs to be turned round. */
static uint64_t
find_inbound_filter(struct engine_state *state,
                    const struct ipsec_traffic *traffic,
                    const struct ipsec_filter *filter)
{
    struct classify_flow flow = {
        .local_address = traffic->local_address,
        .remote_address = traffic->remote_address,
        .local_port = effective_number(traffic->local_port, filter, IPSEC_CONDITION_IP_LOCAL_PORT),
        .remote_port =
            effective_number(traffic->remote_port, filter, IPSEC_CONDITION_IP_REMOTE_PORT),
        .ip_protocol =
            (uint8_t)effective_number(traffic->ip_protocol, filter, IPSEC_CONDITION_IP_PROTOCOL),
        .ip_version = traffic->ip_version,
    };

    return classify_flow(&state->classify, &flow);
}

/* A protocol or port of 0 in the traffic means the filter's. */
static uint16_t
effective_number(uint16_t given,
                 const struct ipsec_filter *filter,
                 enum ipsec_condition_field field)
{
    if (given != 0)
        return given;
    const struct ipsec_condition *condition = filter_condition(filter, field);
    return condition == NULL ? 0 : condition->number;
}

/* The inbound filter is a hint that keeps no filter from going: one that went is not named. */
static struct ipsec_sa_context
as_seen_now(const struct engine_state *state, const struct ipsec_sa_context *context)
{
    struct ipsec_sa_context seen = *context;

    if (seen.inbound_filter_id != 0 &&
        filter_table_find(&state->filters, seen.inbound_filter_id) == NULL)
        seen.inbound_filter_id = 0;
    return seen;
}

static bool
insert(struct engine_state *state, const struct ipsec_sa_context *context)
{
    uint64_t filter_id = context->outbound_traffic.ipsec_filter_id;

    if (!id_table_insert(&state->contexts, context))
        return false;
    if (filter_id != 0)
        filter_table_find(&state->filters, filter_id)->context_count++;
    state->contexts_by_state[context->state]++;
    return true;
}

static void
take_out(struct engine_state *state, const struct ipsec_sa_context *context)
{
    uint64_t filter_id = context->outbound_traffic.ipsec_filter_id;

    id_table_remove(&state->contexts, context->id);
    if (filter_id != 0)
        filter_table_find(&state->filters, filter_id)->context_count--;
    state->contexts_by_state[context->state]--;
}

static enum ipsec_status
check_template(struct ipsec_session *session, const struct ipsec_sa_context_template *match)
{
    enum ipsec_status status;

    status = check_subnet(session, &match->local_subnet, "localAddress");
    if (status != IPSEC_OK)
        return status;
    status = check_subnet(session, &match->remote_subnet, "remoteAddress");
    if (status != IPSEC_OK)
        return status;
    if (match->state_given && match->state >= IPSEC_SA_CONTEXT_STATE_COUNT)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_ENUMERATOR, IPSEC_FAULT_QUERY, "state",
                               "no state has this number");
    if (match->local_subnet.given && match->remote_subnet.given &&
        match->local_subnet.ip_version != match->remote_subnet.ip_version)
        return ipsec_fault_set(session->fault, IPSEC_NEVER_MATCH, IPSEC_FAULT_QUERY,
                               "remoteAddress", "the two addresses differ in IP version");
    return IPSEC_OK;
}

static enum ipsec_status
check_subnet(struct ipsec_session *session, const struct ipsec_subnet *subnet, const char *name)
{
    if (!subnet->given)
        return IPSEC_OK;
    if (subnet->ip_version != IPSEC_IP_VERSION_V4 && subnet->ip_version != IPSEC_IP_VERSION_V6)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_ENUMERATOR, IPSEC_FAULT_QUERY, name,
                               "is neither an IPv4 nor an IPv6 address");
    if (subnet->prefix_length > (subnet->ip_version == IPSEC_IP_VERSION_V4 ? 32 : 128))
        return ipsec_fault_set(session->fault, IPSEC_INVALID_NET_MASK, IPSEC_FAULT_QUERY, name,
                               "the prefix is longer than the address");
    return IPSEC_OK;
}

static bool
matches(const struct ipsec_sa_context *context, const struct ipsec_sa_context_template *match)
{
    const struct ipsec_traffic *traffic = &context->outbound_traffic;
    const struct ipsec_subnet *local = &match->local_subnet;
    const struct ipsec_subnet *remote = &match->remote_subnet;

    if (match->state_given && context->state != match->state)
        return false;
    if (local->given &&
        (traffic->ip_version != local->ip_version ||
         !address_matches(&traffic->local_address, &local->address, local->prefix_length)))
        return false;
    return !remote->given ||
           (traffic->ip_version == remote->ip_version &&
            address_matches(&traffic->remote_address, &remote->address, remote->prefix_length));
}

static enum ipsec_status
not_found(struct ipsec_session *session, uint64_t id)
{
    return ipsec_fault_set(session->fault, IPSEC_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                           "no SA context has id %llu", (unsigned long long)id);
}
