/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context_update.c: changing parts of a context: IPsecSaContextUpdate0, and labels. */
#include <string.h>

#include "engine/engine.h"
#include "engine/sa_bundle.h"
#include "engine/sa_context.h"
#include "engine/sa_labels.h"
#include "engine/sa_policy.h"
#include "engine/state.h"
#include "engine/validate.h"

#define CONTEXT_PARTS ((uint32_t)IPSEC_UPDATE_TRAFFIC | (uint32_t)IPSEC_UPDATE_LABELS)
#define BUNDLE_PARTS                                                                               \
    ((uint32_t)IPSEC_UPDATE_UDP_ENCAPSULATION | (uint32_t)IPSEC_UPDATE_FLAGS |                     \
     (uint32_t)IPSEC_UPDATE_NAP_CONTEXT | (uint32_t)IPSEC_UPDATE_KEY_MODULE_STATE |                \
     (uint32_t)IPSEC_UPDATE_PEER_V4_PRIVATE_ADDRESS | (uint32_t)IPSEC_UPDATE_MM_SA_ID)

/* The parts of one direction. */
struct bundle_update {
    uint32_t parts;
    const struct ipsec_sa_bundle *values;
    const char *prefix; /* of pointers */
};

static enum ipsec_status check_values(struct ipsec_session *session,
                                      const struct ipsec_sa_context_update *update);
static enum ipsec_status check_traffic(struct ipsec_session *session,
                                       const struct ipsec_sa_context *context,
                                       const struct ipsec_traffic *changed);
static enum ipsec_status check_state(struct ipsec_session *session,
                                     const struct ipsec_sa_context *context,
                                     const struct ipsec_sa_context_update *update);
static enum ipsec_status change_bundle(struct ipsec_session *session,
                                       const struct ipsec_sa_context *context,
                                       const struct bundle_update *update,
                                       const struct ipsec_sa_bundle **bundle);
static struct ipsec_sa_bundle changed_bundle(const struct ipsec_sa_bundle *bundle,
                                             const struct bundle_update *update);
static enum ipsec_status store(struct ipsec_session *session,
                               struct ipsec_sa_context *context,
                               const struct ipsec_sa_context_update *update);
static bool ask_plane(struct engine_state *state,
                      const struct ipsec_sa_context *before,
                      const struct ipsec_sa_context *after,
                      enum ipsec_direction direction);
static void drop_new_parts(const struct ipsec_sa_context *context,
                           const struct ipsec_sa_context *row);

enum ipsec_status
ipsec_sa_context_update(struct ipsec_session *session,
                        uint64_t id,
                        const struct ipsec_sa_context_update *update,
                        struct ipsec_sa_context *context_out)
{
    const struct bundle_update inbound = { update->inbound_parts, &update->inbound, "/inbound" };
    const struct bundle_update outbound = { update->outbound_parts, &update->outbound,
                                            "/outbound" };
    const struct ipsec_sa_context *found;
    enum ipsec_status status;

    *context_out = (struct ipsec_sa_context){ .id = 0 };
    status = sa_context_check_call(session, IPSEC_RULE_NO_TRANSACTION, FWPM_ACTRL_ADD);
    if (status != IPSEC_OK)
        return status;
    status = check_values(session, update);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_find(session, id, &found);
    if (status != IPSEC_OK)
        return status;

    struct ipsec_sa_context context = *found;
    if ((update->parts & IPSEC_UPDATE_TRAFFIC) != 0) {
        context.outbound_traffic.local_address = update->traffic.local_address;
        context.outbound_traffic.remote_address = update->traffic.remote_address;
        status = update->traffic.ip_version == context.outbound_traffic.ip_version
                     ? check_traffic(session, found, &context.outbound_traffic)
                     : ipsec_fault_set(session->fault, IPSEC_TRAFFIC_MISMATCH, IPSEC_FAULT_BODY,
                                       "/outboundTraffic/localAddress",
                                       "a context keeps its IP version");
    }
    if (status == IPSEC_OK)
        status = change_bundle(session, found, &inbound, &context.inbound);
    if (status == IPSEC_OK)
        status = change_bundle(session, found, &outbound, &context.outbound);
    if (status == IPSEC_OK)
        status = check_state(session, found, update);
    if (status == IPSEC_OK && (update->parts & IPSEC_UPDATE_LABELS) != 0 &&
        !sa_labels_new(update->labels, &context.labels))
        status = session_no_memory(session);
    if (status == IPSEC_OK)
        status = store(session, &context, update);
    else
        drop_new_parts(&context, found);
    if (status == IPSEC_OK)
        *context_out = sa_copy(session->state, sa_find(session->state, id));
    return status;
}

/* What does not depend on the context. */
static enum ipsec_status
check_values(struct ipsec_session *session, const struct ipsec_sa_context_update *update)
{
    uint32_t bundle_parts = update->inbound_parts | update->outbound_parts;
    enum ipsec_status status;

    if ((update->parts | bundle_parts) == 0)
        return ipsec_fault_set(
            session->fault, IPSEC_INVALID_FLAGS, IPSEC_FAULT_BODY, NULL,
            "nothing to change: give labels, outboundTraffic, or a member of inbound "
            "or outbound");
    if ((update->parts & ~CONTEXT_PARTS) != 0 || (bundle_parts & ~BUNDLE_PARTS) != 0)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_FLAGS, IPSEC_FAULT_BODY, NULL,
                               "the update names a part that there is not");
    if ((update->parts & IPSEC_UPDATE_LABELS) != 0) {
        status = sa_labels_check(update->labels, session->fault);
        if (status != IPSEC_OK)
            return status;
    }
    status = sa_bundle_check_update(&update->inbound, update->inbound_parts, session->fault);
    if (status != IPSEC_OK)
        return ipsec_fault_prefix(session->fault, "/inbound");
    status = sa_bundle_check_update(&update->outbound, update->outbound_parts, session->fault);
    if (status != IPSEC_OK)
        return ipsec_fault_prefix(session->fault, "/outbound");
    return IPSEC_OK;
}

/* A host that moved has other addresses; they are still the filter's business. */
static enum ipsec_status
check_traffic(struct ipsec_session *session,
              const struct ipsec_sa_context *context,
              const struct ipsec_traffic *changed)
{
    enum ipsec_status status = validate_traffic_meaning(changed, session->fault);

    if (status == IPSEC_OK)
        status = context->outbound_traffic.type == IPSEC_TRAFFIC_TYPE_TRANSPORT
                     ? sa_policy_check_filter(session, changed)
                     : sa_policy_check_ends(session, changed);
    return status == IPSEC_OK ? status : ipsec_fault_prefix(session->fault, "/outboundTraffic");
}

/* Labels may change in any state. */
static enum ipsec_status
check_state(struct ipsec_session *session,
            const struct ipsec_sa_context *context,
            const struct ipsec_sa_context_update *update)
{
    bool is_active = context->state == IPSEC_SA_CONTEXT_ACTIVE;

    if (((update->parts & IPSEC_UPDATE_TRAFFIC) != 0 || update->outbound_parts != 0) && !is_active)
        return sa_context_wrong_state(session, context, "active, to be changed like this");
    if (update->inbound_parts != 0 && !is_active && context->state != IPSEC_SA_CONTEXT_INBOUND)
        return sa_context_wrong_state(session, context,
                                      "inbound or active, to be changed like this");
    return IPSEC_OK;
}

/* Puts the changed bundle in place of '*bundle', which is that of 'context'. */
static enum ipsec_status
change_bundle(struct ipsec_session *session,
              const struct ipsec_sa_context *context,
              const struct bundle_update *update,
              const struct ipsec_sa_bundle **bundle)
{
    if (update->parts == 0 || *bundle == NULL)
        return IPSEC_OK;
    const struct ipsec_sa_bundle changed = changed_bundle(*bundle, update);
    enum ipsec_status status = sa_bundle_check_changed(&changed, &context->outbound_traffic,
                                                       update->parts, session->fault);
    if (status != IPSEC_OK)
        return ipsec_fault_prefix(session->fault, update->prefix);
    const struct ipsec_sa_bundle *made = sa_bundle_new(&changed, sa_bundle_private(*bundle));
    if (made == NULL)
        return session_no_memory(session);
    *bundle = made;
    return IPSEC_OK;
}

static struct ipsec_sa_bundle
changed_bundle(const struct ipsec_sa_bundle *bundle, const struct bundle_update *update)
{
    const struct ipsec_sa_bundle *values = update->values;
    struct ipsec_sa_bundle changed = *bundle;

    if ((update->parts & IPSEC_UPDATE_UDP_ENCAPSULATION) != 0)
        changed.udp_encapsulation = values->udp_encapsulation;
    if ((update->parts & IPSEC_UPDATE_FLAGS) != 0)
        changed.flags = values->flags;
    if ((update->parts & IPSEC_UPDATE_NAP_CONTEXT) != 0)
        changed.nap_context = values->nap_context;
    if ((update->parts & IPSEC_UPDATE_PEER_V4_PRIVATE_ADDRESS) != 0)
        changed.peer_v4_private_address = values->peer_v4_private_address;
    if ((update->parts & IPSEC_UPDATE_MM_SA_ID) != 0)
        changed.mm_sa_id = values->mm_sa_id;
    if ((update->parts & IPSEC_UPDATE_KEY_MODULE_STATE) != 0) {
        changed.key_module_key = values->key_module_key;
        changed.key_module_state = values->key_module_state;
        changed.key_module_state_size = values->key_module_state_size;
    }
    return changed;
}

static enum ipsec_status
store(struct ipsec_session *session,
      struct ipsec_sa_context *context,
      const struct ipsec_sa_context_update *update)
{
    struct engine_state *state = session->state;
    const struct ipsec_sa_context *before = sa_set(state, context, IPSEC_REASON_CALL);
    uint32_t moved = update->parts & IPSEC_UPDATE_TRAFFIC;
    bool inbound = (moved | (update->inbound_parts & IPSEC_UPDATE_UDP_ENCAPSULATION)) != 0;
    bool outbound = (moved | (update->outbound_parts & IPSEC_UPDATE_UDP_ENCAPSULATION)) != 0;

    if (before == NULL) {
        drop_new_parts(context, sa_find(state, context->id));
        return session_no_memory(session);
    }
    if (!inbound && !outbound)
        return IPSEC_OK;
    struct plane_queue *queue = &state->batch.plane;
    /* Inbound first: the peer may have changed already. */
    if (!plane_queue_begin(queue) || !plane_queue_add_basis(queue, context->id, before))
        return session_no_memory(session);
    queue->bases[queue->basis_count - 1].sets_labels = (update->parts & IPSEC_UPDATE_LABELS) != 0;
    queue->bases[queue->basis_count - 1].labels = context->labels;
    if ((inbound && !ask_plane(state, before, context, IPSEC_DIRECTION_INBOUND)) ||
        (outbound && !ask_plane(state, before, context, IPSEC_DIRECTION_OUTBOUND)))
        return session_no_memory(session);
    return IPSEC_OK;
}

static bool
ask_plane(struct engine_state *state,
          const struct ipsec_sa_context *before,
          const struct ipsec_sa_context *after,
          enum ipsec_direction direction)
{
    const struct plane_action action = {
        .kind = PLANE_UPDATE_BUNDLE,
        .what = sa_context_plane_bundle(after, direction),
        .was = sa_context_plane_bundle(before, direction),
    };

    return plane_queue_add_action(&state->batch.plane, &action, NULL);
}

/* The parts of an update that did not come to be. */
static void
drop_new_parts(const struct ipsec_sa_context *context, const struct ipsec_sa_context *row)
{
    if (context->inbound != row->inbound)
        sa_bundle_unref(context->inbound);
    if (context->outbound != row->outbound)
        sa_bundle_unref(context->outbound);
    if (context->labels != row->labels)
        sa_labels_unref(context->labels);
}
