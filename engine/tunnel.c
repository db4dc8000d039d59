/* SPDX-License-Identifier: Apache-2.0
 *
 * tunnel.c: making and deleting tunnels; see tunnel.h.
 *
 * Packets of this host pass the transport layers, those of networks behind it the forward layers.
 */
#include "engine/tunnel.h"

#include <stdio.h>
#include <string.h>

#include "engine/condition.h"
#include "engine/engine.h"
#include "engine/filter.h"
#include "engine/filter_check.h"
#include "engine/guid.h"
#include "engine/policy_type.h"
#include "engine/provider_context.h"
#include "engine/provider_context_check.h"
#include "engine/session.h"
#include "engine/state.h"

/* FWPM_PROVIDER_CONTEXT_FLAG_PERSISTENT */
#define PERSISTENT UINT32_C(0x1)

struct part {
    uint8_t layer; /* that for IPv4 */
    uint8_t sub_layer;
    uint8_t callout;  /* that for IPv4 */
    bool is_forward;  /* not of point-to-point tunnels */
    bool is_reversed; /* packets come from the remote side: it is their source */
};
static const struct part parts[] = {
    { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, IPSEC_SUB_LAYER_IPSEC_TUNNEL,
      IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4, false, false },
    { IPSEC_LAYER_INBOUND_TRANSPORT_V4, IPSEC_SUB_LAYER_IPSEC_TUNNEL,
      IPSEC_CALLOUT_INBOUND_TUNNEL_V4, false, false },
    { IPSEC_LAYER_IPFORWARD_V4, IPSEC_SUB_LAYER_IPSEC_FORWARD_OUTBOUND_TUNNEL,
      IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4, true, false },
    { IPSEC_LAYER_IPFORWARD_V4, IPSEC_SUB_LAYER_IPSEC_TUNNEL,
      IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V4, true, true },
};
_Static_assert(sizeof parts / sizeof *parts + 1 <= IPSEC_TUNNEL_FILTERS_MAX, "room for all");

static enum ipsec_status check_rights_to_add(struct ipsec_session *session,
                                             const struct ipsec_tunnel *tunnel);
static enum ipsec_status check_values(const struct ipsec_tunnel *tunnel, struct ipsec_fault *fault);
static enum ipsec_status check_parts(struct ipsec_session *session,
                                     const struct ipsec_tunnel *tunnel);
static enum ipsec_status add_all(struct ipsec_session *session,
                                 const struct ipsec_tunnel *tunnel,
                                 struct provider_context_entry **policy_out);
static enum ipsec_status add_main_mode(struct ipsec_session *session,
                                       const struct ipsec_tunnel *tunnel,
                                       struct provider_context_entry *policy);
static bool has_part(const struct ipsec_tunnel *tunnel, const struct part *part);
static struct ipsec_filter part_filter(const struct ipsec_tunnel *tunnel,
                                       const struct ipsec_provider_context *policy,
                                       const struct part *part);
static struct ipsec_filter filter_for(const struct ipsec_provider_context *context);
static enum ipsec_status check_unused(struct ipsec_session *session,
                                      const struct provider_context_entry *policy);
static enum ipsec_status delete_all(struct ipsec_session *session,
                                    struct provider_context_entry *policy);
static enum ipsec_status refuse(struct ipsec_fault *fault,
                                enum ipsec_status status,
                                const char *pointer,
                                const char *detail);

enum ipsec_status
ipsec_tunnel_add(struct ipsec_session *session,
                 const struct ipsec_tunnel *tunnel,
                 struct ipsec_tunnel_made *made_out)
{
    struct engine_state *state = session->state;
    struct provider_context_entry *policy = NULL;
    enum ipsec_status status;

    status = policy_begin_change(session);
    if (status != IPSEC_OK)
        return status;
    status = check_rights_to_add(session, tunnel);
    if (status != IPSEC_OK)
        return status;
    status = check_values(tunnel, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = check_parts(session, tunnel);
    if (status != IPSEC_OK)
        return status;

    const struct batch_mark mark = batch_mark(&state->batch);
    const uint64_t last_luid = state->luids.last;
    const uint64_t revision = state->revision;
    status = add_all(session, tunnel, &policy);
    if (status != IPSEC_OK) {
        state_undo(state, mark);
        state->luids.last = last_luid;
        state->revision = revision;
        return status;
    }
    tunnel_describe(session, policy, made_out);
    return IPSEC_OK;
}

enum ipsec_status
ipsec_tunnel_delete(struct ipsec_session *session, uint64_t id)
{
    struct engine_state *state = session->state;
    struct provider_context_entry *policy = NULL;
    enum ipsec_status status;

    status = policy_begin_change(session);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_FILTERS, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    status = tunnel_find(session, id, &policy);
    if (policy == NULL)
        return status;
    status = policy_check_owner(session, &policy->object);
    if (status != IPSEC_OK)
        return status;
    status = session_check_revision(session, policy->provider_context->revision);
    if (status != IPSEC_OK)
        return status;
    status = check_unused(session, policy);
    if (status != IPSEC_OK)
        return status;

    const struct batch_mark mark = batch_mark(&state->batch);
    const uint64_t revision = state->revision;
    status = delete_all(session, policy);
    if (status != IPSEC_OK) {
        state_undo(state, mark);
        state->revision = revision;
    }
    return status;
}

/* --- Adding --- */

/* Those of all objects that are made: WFP checks these and nothing else. */
static enum ipsec_status
check_rights_to_add(struct ipsec_session *session, const struct ipsec_tunnel *tunnel)
{
    const struct ipsec_provider_context *contexts[] = { tunnel->tunnel_policy,
                                                        tunnel->main_mode_policy };
    enum ipsec_status status;

    for (size_t i = 0; i < 2; i++) {
        if (contexts[i] == NULL)
            continue;
        status = provider_context_check_right_to_add(session, contexts[i]);
        if (status != IPSEC_OK)
            return status;
    }
    status =
        session_check_right(session, IPSEC_CONTAINER_FILTERS, FWPM_ACTRL_ADD | FWPM_ACTRL_ADD_LINK);
    if (status != IPSEC_OK)
        return status;
    return session_check_right(session, IPSEC_CONTAINER_PROVIDER_CONTEXTS, FWPM_ACTRL_ADD_LINK);
}

static enum ipsec_status
check_values(const struct ipsec_tunnel *tunnel, struct ipsec_fault *fault)
{
    if (tunnel->tunnel_policy == NULL)
        return refuse(fault, IPSEC_NULL_POINTER, "/tunnelPolicy", "a tunnel needs a tunnel policy");
    if ((tunnel->flags & ~IPSEC_TUNNEL_POINT_TO_POINT) != 0)
        return refuse(fault, IPSEC_INVALID_FLAGS, "/flags", "pointToPoint is the only flag");
    if (tunnel->ip_version != IPSEC_IP_VERSION_V4 && tunnel->ip_version != IPSEC_IP_VERSION_V6)
        return refuse(fault, IPSEC_INVALID_ENUMERATOR, "/ipVersion", "is neither v4 nor v6");
    if (!policy_type_is_tunnel(tunnel->tunnel_policy->type))
        return refuse(fault, IPSEC_PROVIDER_CONTEXT_MISMATCH, "/tunnelPolicy/type",
                      "is no quick-mode tunnel policy");
    if (tunnel->main_mode_policy != NULL &&
        !policy_type_is_main_mode(tunnel->main_mode_policy->type))
        return refuse(fault, IPSEC_PROVIDER_CONTEXT_MISMATCH, "/mainModePolicy/type",
                      "is no main-mode policy");
    if ((tunnel->flags & IPSEC_TUNNEL_POINT_TO_POINT) != 0)
        return IPSEC_OK;
    /* More of them than fields is for the check of filters to say. */
    for (size_t i = 0; i < tunnel->condition_count && i < IPSEC_CONDITION_FIELD_COUNT; i++) {
        char pointer[48];

        (void)snprintf(pointer, sizeof pointer, "/conditions/%zu/field", i);
        if (!condition_is_on_address(&tunnel->conditions[i]))
            return ipsec_fault_set(
                fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, pointer,
                "without the flag pointToPoint a tunnel takes conditions on ipLocalAddress and "
                "ipRemoteAddress only");
    }
    return IPSEC_OK;
}

/* What is wrong with any part shows before the first is made: that one asks for the lock, and
 * nobody waits only to be refused.  Values first, then what there is already. */
static enum ipsec_status
check_parts(struct ipsec_session *session, const struct ipsec_tunnel *tunnel)
{
    const struct ipsec_provider_context *const contexts[] = { tunnel->tunnel_policy,
                                                              tunnel->main_mode_policy };
    static const char *const prefixes[] = { "/tunnelPolicy", "/mainModePolicy" };
    const size_t context_count = contexts[1] == NULL ? 1 : 2;
    enum ipsec_status status;
    uint8_t lifetime;

    for (size_t i = 0; i < context_count; i++) {
        status = provider_context_check(contexts[i], session->fault);
        if (status != IPSEC_OK)
            return ipsec_fault_prefix(session->fault, prefixes[i]);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!has_part(tunnel, &parts[i]))
            continue;
        const struct ipsec_filter filter = part_filter(tunnel, contexts[0], &parts[i]);

        status = filter_check_values(&filter, session->fault);
        if (status != IPSEC_OK)
            return status;
    }
    for (size_t i = 0; i < context_count; i++) {
        status = provider_context_check_new(session, contexts[i], &lifetime);
        if (status != IPSEC_OK)
            return ipsec_fault_prefix(session->fault, prefixes[i]);
    }
    if (context_count == 2 && !guid_is_zero(&contexts[0]->key) &&
        guid_equal(&contexts[0]->key, &contexts[1]->key))
        return refuse(session->fault, IPSEC_ALREADY_EXISTS, "/mainModePolicy/key",
                      "the tunnel policy has this key");
    return IPSEC_OK;
}

static enum ipsec_status
add_all(struct ipsec_session *session,
        const struct ipsec_tunnel *tunnel,
        struct provider_context_entry **policy_out)
{
    const struct filter_entry *entry;
    enum ipsec_status status;

    status = provider_context_add(session, tunnel->tunnel_policy, true, policy_out);
    if (status != IPSEC_OK)
        return ipsec_fault_prefix(session->fault, "/tunnelPolicy");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!has_part(tunnel, &parts[i]))
            continue;
        const struct ipsec_filter filter =
            part_filter(tunnel, (*policy_out)->provider_context, &parts[i]);

        status = filter_add(session, &filter, *policy_out, &entry);
        if (status != IPSEC_OK)
            return status;
    }
    return tunnel->main_mode_policy == NULL ? IPSEC_OK
                                            : add_main_mode(session, tunnel, *policy_out);
}

static bool
has_part(const struct ipsec_tunnel *tunnel, const struct part *part)
{
    return !part->is_forward || (tunnel->flags & IPSEC_TUNNEL_POINT_TO_POINT) == 0;
}

static struct ipsec_filter
part_filter(const struct ipsec_tunnel *tunnel,
            const struct ipsec_provider_context *policy,
            const struct part *part)
{
    struct ipsec_filter filter = filter_for(policy);

    filter.layer = (uint8_t)(part->layer + tunnel->ip_version);
    filter.sub_layer = part->sub_layer;
    filter.action = IPSEC_ACTION_CALLOUT_TERMINATING;
    filter.callout = (uint8_t)(part->callout + tunnel->ip_version);
    filter.condition_count = tunnel->condition_count;
    memcpy(filter.conditions, tunnel->conditions, sizeof filter.conditions);
    for (size_t i = 0; part->is_reversed && i < IPSEC_CONDITION_FIELD_COUNT; i++) {
        uint8_t *field = &filter.conditions[i].field;

        if (*field == IPSEC_CONDITION_IP_LOCAL_ADDRESS)
            *field = IPSEC_CONDITION_IP_REMOTE_ADDRESS;
        else if (*field == IPSEC_CONDITION_IP_REMOTE_ADDRESS)
            *field = IPSEC_CONDITION_IP_LOCAL_ADDRESS;
    }
    return filter;
}

/* Looked up by the tunnel's endpoints. */
static enum ipsec_status
add_main_mode(struct ipsec_session *session,
              const struct ipsec_tunnel *tunnel,
              struct provider_context_entry *policy)
{
    const struct ipsec_provider_context *ends = policy->provider_context;
    uint8_t prefix_length = ends->ip_version == IPSEC_IP_VERSION_V4 ? 32 : 128;
    struct provider_context_entry *main_mode = NULL;
    const struct filter_entry *entry;
    enum ipsec_status status;

    status = provider_context_add(session, tunnel->main_mode_policy, true, &main_mode);
    if (status != IPSEC_OK)
        return ipsec_fault_prefix(session->fault, "/mainModePolicy");
    struct ipsec_filter filter = filter_for(main_mode->provider_context);
    filter.layer = (uint8_t)(IPSEC_LAYER_IKEEXT_V4 + ends->ip_version);
    filter.action = IPSEC_ACTION_PERMIT;
    filter.condition_count = 2;
    filter.conditions[0] = (struct ipsec_condition){
        .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS,
        .prefix_length = prefix_length,
        .address = ends->local_endpoint,
    };
    filter.conditions[1] = (struct ipsec_condition){
        .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
        .prefix_length = prefix_length,
        .address = ends->remote_endpoint,
    };
    return filter_add(session, &filter, policy, &entry);
}

/* A filter that names 'context' and is called, owned and lives like it. */
static struct ipsec_filter
filter_for(const struct ipsec_provider_context *context)
{
    return (struct ipsec_filter){
        .name = context->name,
        .flags = (context->flags & PERSISTENT) != 0 ? IPSEC_FILTER_PERSISTENT : 0,
        .provider_key = context->provider_key,
        .provider_context_key = context->key,
    };
}

/* --- Deleting --- */

/* By others than its own parts.  As with check_parts(), this comes before the lock. */
static enum ipsec_status
check_unused(struct ipsec_session *session, const struct provider_context_entry *policy)
{
    const struct policy_object *object = &policy->object;
    enum ipsec_status status = object->ops->check_unused(session, object);

    for (struct filter_entry *part = tunnel_next_part(session, policy->first_part);
         status == IPSEC_OK && part != NULL;
         part = tunnel_next_part(session, part->part_link.next)) {
        if (tunnel_main_mode_of(part) == NULL)
            continue;
        object = &tunnel_main_mode_of(part)->object;
        status = object->ops->check_unused(session, object);
    }
    return status;
}

/* What refers goes before what it refers to. */
static enum ipsec_status
delete_all(struct ipsec_session *session, struct provider_context_entry *policy)
{
    struct filter_entry *part = tunnel_next_part(session, policy->first_part);
    enum ipsec_status status = IPSEC_OK;

    while (status == IPSEC_OK && part != NULL) {
        struct provider_context_entry *main_mode = tunnel_main_mode_of(part);
        struct filter_entry *next = tunnel_next_part(session, part->part_link.next);

        status = policy_delete(session, &part->object);
        if (status == IPSEC_OK && main_mode != NULL)
            status = policy_delete(session, &main_mode->object);
        part = next;
    }
    return status == IPSEC_OK ? policy_delete(session, &policy->object) : status;
}

static enum ipsec_status
refuse(struct ipsec_fault *fault, enum ipsec_status status, const char *pointer, const char *detail)
{
    return ipsec_fault_set(fault, status, IPSEC_FAULT_BODY, pointer, "%s", detail);
}
