/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_policy.c: see sa_policy.h. */
#include "engine/sa_policy.h"

#include <string.h>

#include "engine/policy.h"
#include "engine/policy_type.h"
#include "engine/provider_context.h"
#include "engine/state.h"
#include "engine/validate.h"

static enum ipsec_status check_transport(struct ipsec_session *session,
                                         const struct ipsec_traffic *traffic);
static enum ipsec_status check_tunnel(struct ipsec_session *session,
                                      const struct ipsec_traffic *traffic);
static struct context_users *users_of(const struct engine_state *state,
                                      const struct ipsec_traffic *traffic);
static struct context_users *users_of_filter(const struct engine_state *state, uint64_t id);
static const struct filter_entry *find_filter(struct ipsec_session *session, uint64_t id);
static enum ipsec_status
filter_not_found(struct ipsec_session *session, uint64_t id, const char *pointer);
static uint16_t effective_number(uint16_t given,
                                 const struct ipsec_filter *filter,
                                 enum ipsec_condition_field field);

enum ipsec_status
sa_policy_check(struct ipsec_session *session, const struct ipsec_traffic *traffic)
{
    return traffic->type == IPSEC_TRAFFIC_TYPE_TUNNEL ? check_tunnel(session, traffic)
                                                      : check_transport(session, traffic);
}

/* A context outlives every session, so what it refers to must not end with one. */
static enum ipsec_status
check_transport(struct ipsec_session *session, const struct ipsec_traffic *traffic)
{
    const struct filter_entry *entry = find_filter(session, traffic->ipsec_filter_id);
    enum ipsec_status status;

    if (entry == NULL)
        return filter_not_found(session, traffic->ipsec_filter_id, "/ipsecFilterId");
    status = policy_check_reference(session, IPSEC_LIFETIME_STATIC, &entry->object,
                                    entry->filter->lifetime, "/ipsecFilterId");
    if (status != IPSEC_OK)
        return status;
    status = validate_traffic_filter(traffic, entry->filter, session->fault);
    if (status != IPSEC_OK)
        return status;
    return validate_traffic_meaning(traffic, session->fault);
}

static enum ipsec_status
check_tunnel(struct ipsec_session *session, const struct ipsec_traffic *traffic)
{
    static const char pointer[] = "/tunnelPolicyId";
    const struct provider_context_entry *entry = NULL;
    unsigned long long id = traffic->tunnel_policy_id;
    enum ipsec_status status;

    if (session_has_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, FWPM_ACTRL_READ))
        entry = provider_context_find_committed(session->state, traffic->tunnel_policy_id);
    if (entry == NULL)
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_BODY,
                               pointer, "no provider context has id %llu", id);
    if (!policy_type_is_tunnel(entry->provider_context->type))
        return ipsec_fault_set(session->fault, IPSEC_PROVIDER_CONTEXT_MISMATCH, IPSEC_FAULT_BODY,
                               pointer, "provider context %llu is no quick-mode tunnel policy", id);
    status = policy_check_reference(session, IPSEC_LIFETIME_STATIC, &entry->object,
                                    entry->provider_context->lifetime, pointer);
    if (status != IPSEC_OK)
        return status;
    status = validate_traffic_meaning(traffic, session->fault);
    if (status != IPSEC_OK)
        return status;
    return validate_traffic_policy(traffic, entry->provider_context, session->fault);
}

enum ipsec_status
sa_policy_check_filter(struct ipsec_session *session, const struct ipsec_traffic *traffic)
{
    const struct filter_entry *entry =
        filter_table_find(&session->state->filters, traffic->ipsec_filter_id);

    return validate_traffic_filter(traffic, entry->filter, session->fault);
}

enum ipsec_status
sa_policy_check_ends(struct ipsec_session *session, const struct ipsec_traffic *traffic)
{
    const struct provider_context_entry *entry =
        provider_context_table_find(&session->state->provider_contexts, traffic->tunnel_policy_id);

    return validate_traffic_policy(traffic, entry->provider_context, session->fault);
}

enum ipsec_status
sa_policy_check_inbound(struct ipsec_session *session,
                        const struct ipsec_traffic *outbound_traffic,
                        uint64_t filter_id,
                        const char *pointer)
{
    const struct filter_entry *entry = find_filter(session, filter_id);

    if (entry == NULL)
        return filter_not_found(session, filter_id, pointer);
    enum ipsec_status status = policy_check_reference(
        session, IPSEC_LIFETIME_STATIC, &entry->object, entry->filter->lifetime, pointer);
    if (status != IPSEC_OK)
        return status;
    return validate_inbound_filter(outbound_traffic, entry->filter, pointer, session->fault);
}

/* Local stays local in the other direction, so nothing needs to be turned round. */
uint64_t
sa_policy_mirror(struct engine_state *state, const struct ipsec_traffic *traffic)
{
    if (traffic->type != IPSEC_TRAFFIC_TYPE_TRANSPORT)
        return 0;
    const struct filter_entry *entry = filter_table_find(&state->filters, traffic->ipsec_filter_id);
    const struct ipsec_filter *filter = entry->filter;
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

void
sa_policy_ref(struct engine_state *state, const struct ipsec_sa_context *context)
{
    context_users_add(users_of(state, &context->outbound_traffic), context->id);
    if (context->inbound_filter_id != 0)
        context_users_add(users_of_filter(state, context->inbound_filter_id), context->id);
}

void
sa_policy_unref(struct engine_state *state, const struct ipsec_sa_context *context)
{
    context_users_remove(users_of(state, &context->outbound_traffic), context->id);
    if (context->inbound_filter_id != 0)
        context_users_remove(users_of_filter(state, context->inbound_filter_id), context->id);
}

bool
sa_policy_exists(const struct engine_state *state, const struct ipsec_traffic *traffic)
{
    if (traffic->type == IPSEC_TRAFFIC_TYPE_TRANSPORT)
        return filter_find_committed(state, traffic->ipsec_filter_id) != NULL;
    const struct provider_context_entry *entry =
        provider_context_find_committed(state, traffic->tunnel_policy_id);
    return entry != NULL && policy_type_is_tunnel(entry->provider_context->type);
}

/* Where the contexts of the filter or policy, which is there, are counted. */
static struct context_users *
users_of(const struct engine_state *state, const struct ipsec_traffic *traffic)
{
    if (traffic->type == IPSEC_TRAFFIC_TYPE_TRANSPORT)
        return users_of_filter(state, traffic->ipsec_filter_id);
    return &provider_context_table_find(&state->provider_contexts, traffic->tunnel_policy_id)
                ->users;
}

static struct context_users *
users_of_filter(const struct engine_state *state, uint64_t id)
{
    return &filter_table_find(&state->filters, id)->users;
}

bool
sa_traffic_equal(const struct ipsec_traffic *a, const struct ipsec_traffic *b)
{
    return memcmp(&a->local_address, &b->local_address, sizeof a->local_address) == 0 &&
           memcmp(&a->remote_address, &b->remote_address, sizeof a->remote_address) == 0 &&
           a->ipsec_filter_id == b->ipsec_filter_id && a->tunnel_policy_id == b->tunnel_policy_id &&
           a->local_port == b->local_port && a->remote_port == b->remote_port &&
           a->ip_protocol == b->ip_protocol && a->ip_version == b->ip_version && a->type == b->type;
}

/* As far as the caller may know of it. */
static const struct filter_entry *
find_filter(struct ipsec_session *session, uint64_t id)
{
    if (!session_has_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_READ))
        return NULL;
    return filter_find_committed(session->state, id);
}

static enum ipsec_status
filter_not_found(struct ipsec_session *session, uint64_t id, const char *pointer)
{
    return ipsec_fault_set(session->fault, IPSEC_FILTER_NOT_FOUND, IPSEC_FAULT_BODY, pointer,
                           "no filter has id %llu", (unsigned long long)id);
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
    return condition == NULL || condition->match != IPSEC_MATCH_EQUAL ? 0
                                                                      : (uint16_t)condition->number;
}
