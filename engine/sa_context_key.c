/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context_key.c: the bundles of a context: AddInbound and AddOutbound, and what a new outbound
 * SA does to the older ones of the same traffic. */
#include <stdint.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/sa_bundle.h"
#include "engine/sa_context.h"
#include "engine/state.h"

static enum ipsec_status add(struct ipsec_session *session,
                             uint64_t id,
                             enum ipsec_direction direction,
                             const struct ipsec_sa_bundle_input *input,
                             struct ipsec_sa_context *context_out);
static enum ipsec_status store(struct ipsec_session *session,
                               struct ipsec_sa_context *context,
                               enum ipsec_direction direction,
                               const struct ipsec_sa_bundle_input *input);
static enum ipsec_status check_own_key(struct ipsec_session *session,
                                       const struct ipsec_sa_context *context,
                                       const struct ipsec_sa_bundle_input *input);
static const struct ipsec_sa_bundle *new_bundle(const struct engine_state *state,
                                                const struct ipsec_sa_context *context,
                                                enum ipsec_direction direction,
                                                const struct ipsec_sa_bundle_input *input);

enum ipsec_status
ipsec_sa_context_add_inbound(struct ipsec_session *session,
                             uint64_t id,
                             const struct ipsec_sa_bundle_input *bundle,
                             struct ipsec_sa_context *context_out)
{
    return add(session, id, IPSEC_DIRECTION_INBOUND, bundle, context_out);
}

enum ipsec_status
ipsec_sa_context_add_outbound(struct ipsec_session *session,
                              uint64_t id,
                              const struct ipsec_sa_bundle_input *bundle,
                              struct ipsec_sa_context *context_out)
{
    return add(session, id, IPSEC_DIRECTION_OUTBOUND, bundle, context_out);
}

static enum ipsec_status check_capability(struct ipsec_session *session,
                                          const struct ipsec_sa_bundle_input *input);

enum ipsec_status
sa_context_check_bundle(struct ipsec_session *session,
                        const struct ipsec_sa_context *context,
                        enum ipsec_direction direction,
                        const struct ipsec_sa_bundle_input *input)
{
    const struct sa_bundle_place place = {
        .direction = direction,
        .traffic = &context->outbound_traffic,
        .allow_weak = session->state->sa.settings.allow_weak_transforms,
        .spi = context->spi,
        .other = direction == IPSEC_DIRECTION_INBOUND ? context->outbound : context->inbound,
    };
    enum ipsec_status status = sa_bundle_check_meaning(input, &place, session->fault);

    if (status == IPSEC_OK)
        status = check_capability(session, input);
    if (status == IPSEC_OK && direction == IPSEC_DIRECTION_OUTBOUND && context->inbound != NULL)
        status = check_own_key(session, context, input);
    return status;
}

/* What the data plane was found not to do at the start.  One that it was not tried for it may. */
static enum ipsec_status
check_capability(struct ipsec_session *session, const struct ipsec_sa_bundle_input *input)
{
    const struct sa_database *database = &session->state->sa;
    const struct plane_capability *capability;

    if (database->plane_ops->capability == NULL)
        return IPSEC_OK;
    for (size_t i = 0; (capability = database->plane_ops->capability(database->plane, i)) != NULL;
         i++) {
        for (size_t j = 0; !capability->is_supported && j < input->bundle.sa_count; j++) {
            const struct ipsec_sa_transform *transform = &input->bundle.sas[j].transform;

            if (memcmp(transform, &capability->transform, sizeof *transform) != 0)
                continue;
            return ipsec_fault_set(
                session->fault,
                transform->cipher == IPSEC_CIPHER_NONE ? IPSEC_INVALID_AUTH_TRANSFORM
                                                       : IPSEC_INVALID_CIPHER_TRANSFORM,
                IPSEC_FAULT_BODY,
                j == 0 ? "/saList/0/saTransformType" : "/saList/1/saTransformType",
                "the data plane has no %s: %s", capability->name, capability->reason);
        }
    }
    return IPSEC_OK;
}

enum ipsec_status
sa_context_take_bundle(struct ipsec_session *session,
                       struct ipsec_sa_context *context,
                       enum ipsec_direction direction,
                       const struct ipsec_sa_bundle_input *input)
{
    const struct ipsec_sa_bundle *bundle = new_bundle(session->state, context, direction, input);

    if (bundle == NULL)
        return session_no_memory(session);
    if (direction == IPSEC_DIRECTION_INBOUND) {
        context->inbound = bundle;
        context->state = IPSEC_SA_CONTEXT_INBOUND;
    } else {
        context->outbound = bundle;
        context->state = IPSEC_SA_CONTEXT_ACTIVE;
    }
    context->due_at_ms = sa_context_due(context);
    return IPSEC_OK;
}

enum ipsec_status
sa_context_replace_others(struct ipsec_session *session, const struct ipsec_sa_context *context)
{
    struct engine_state *state = session->state;
    const struct ipsec_traffic *traffic = &context->outbound_traffic;
    const struct ipsec_sa_context *predecessor = sa_find(state, context->predecessor_id);
    struct number_map_cursor cursor = sa_seek_traffic(state, traffic);
    uint64_t other = sa_next_traffic(state, traffic, &cursor);

    if (other != 0 && !sa_count_rekey(state))
        return session_no_memory(session);
    if (predecessor != NULL && predecessor->outbound != NULL &&
        !sa_context_end_outbound(state, predecessor->id, IPSEC_REASON_DUPLICATE))
        return session_no_memory(session);
    if ((context->outbound->flags & IPSEC_SA_BUNDLE_SUPPRESS_DUPLICATE_DELETION) != 0)
        return IPSEC_OK;
    for (;;) {
        /* Each that is ended leaves the index, so the next is the first again. */
        cursor = sa_seek_traffic(state, traffic);
        other = sa_next_traffic(state, traffic, &cursor);
        if (other == 0)
            return IPSEC_OK;
        if (!sa_context_end_outbound(state, other, IPSEC_REASON_DUPLICATE))
            return session_no_memory(session);
    }
}

struct plane_bundle
sa_context_plane_bundle(const struct ipsec_sa_context *context, enum ipsec_direction direction)
{
    bool is_inbound = direction == IPSEC_DIRECTION_INBOUND;
    struct plane_bundle bundle = {
        .context_id = context->id,
        .direction = (uint8_t)direction,
        .traffic = context->outbound_traffic,
        .filter_id =
            is_inbound ? context->inbound_filter_id : context->outbound_traffic.ipsec_filter_id,
        .bundle = is_inbound ? context->inbound : context->outbound,
    };

    if (bundle.traffic.type == IPSEC_TRAFFIC_TYPE_TUNNEL)
        bundle.filter_id = bundle.traffic.tunnel_policy_id;
    return bundle;
}

bool
sa_context_ask_plane(struct engine_state *state,
                     enum plane_action_kind kind,
                     const struct ipsec_sa_context *context,
                     enum ipsec_direction direction,
                     const struct ipsec_sa_bundle_input *input)
{
    const struct plane_action action = {
        .kind = kind,
        .what = sa_context_plane_bundle(context, direction),
    };

    return plane_queue_add_action(&state->batch.plane, &action, input);
}

static enum ipsec_status
add(struct ipsec_session *session,
    uint64_t id,
    enum ipsec_direction direction,
    const struct ipsec_sa_bundle_input *input,
    struct ipsec_sa_context *context_out)
{
    bool is_inbound = direction == IPSEC_DIRECTION_INBOUND;
    const struct ipsec_sa_context *found;
    enum ipsec_status status;

    *context_out = (struct ipsec_sa_context){ .id = 0 };
    status = sa_context_check_call(session, IPSEC_RULE_NO_TRANSACTION, FWPM_ACTRL_ADD);
    if (status != IPSEC_OK)
        return status;
    status = sa_bundle_check_values(input, direction, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_find(session, id, &found);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_check_bundle(session, found, direction, input);
    if (status != IPSEC_OK)
        return status;
    if (found->state != (is_inbound ? IPSEC_SA_CONTEXT_SPI_SET : IPSEC_SA_CONTEXT_INBOUND))
        return sa_context_wrong_state(session, found,
                                      is_inbound ? "spiSet, to get its inbound bundle"
                                                 : "inbound, to get its outbound bundle");

    struct ipsec_sa_context context = *found;
    status = sa_context_take_bundle(session, &context, direction, input);
    if (status != IPSEC_OK)
        return status;
    status = store(session, &context, direction, input);
    if (status == IPSEC_OK)
        *context_out = sa_copy(session->state, sa_find(session->state, id));
    return status;
}

/* The new bundle of 'context' belongs to the table afterwards, or is gone. */
static enum ipsec_status
store(struct ipsec_session *session,
      struct ipsec_sa_context *context,
      enum ipsec_direction direction,
      const struct ipsec_sa_bundle_input *input)
{
    struct engine_state *state = session->state;
    enum ipsec_status status = IPSEC_OK;
    const struct ipsec_sa_context *before = NULL;

    if (!plane_queue_begin(&state->batch.plane) ||
        !sa_context_ask_plane(state, PLANE_ADD_BUNDLE, context, direction, input))
        status = session_no_memory(session);
    if (status == IPSEC_OK && direction == IPSEC_DIRECTION_OUTBOUND)
        status = sa_context_replace_others(session, context);
    if (status == IPSEC_OK) {
        before = sa_set(state, context, IPSEC_REASON_CALL);
        if (before == NULL)
            status = session_no_memory(session);
    }
    if (status != IPSEC_OK) {
        sa_bundle_unref(direction == IPSEC_DIRECTION_INBOUND ? context->inbound
                                                             : context->outbound);
        return status;
    }
    return plane_queue_add_basis(&state->batch.plane, context->id, before)
               ? IPSEC_OK
               : session_no_memory(session);
}

/* With GCM the nonces of both directions would repeat under one key. */
static enum ipsec_status
check_own_key(struct ipsec_session *session,
              const struct ipsec_sa_context *context,
              const struct ipsec_sa_bundle_input *input)
{
    struct sa_key_digest digest;
    bool is_gmac = input->bundle.sas[0].transform.type == IPSEC_TRANSFORM_ESP_AUTH;

    sa_bundle_digest(session->state->sa.digester, input, &digest);
    bool equal = sa_key_digest_equal(&digest, &sa_bundle_private(context->inbound)->digest);
    explicit_bzero(&digest, sizeof digest);
    if (!equal)
        return IPSEC_OK;
    return ipsec_fault_set(session->fault,
                           is_gmac ? IPSEC_INVALID_AUTH_TRANSFORM : IPSEC_INVALID_CIPHER_TRANSFORM,
                           IPSEC_FAULT_BODY, is_gmac ? "/saList/0/authKey" : "/saList/0/cipherKey",
                           "is the key of the inbound SA; with GCM its nonces would repeat");
}

static const struct ipsec_sa_bundle *
new_bundle(const struct engine_state *state,
           const struct ipsec_sa_context *context,
           enum ipsec_direction direction,
           const struct ipsec_sa_bundle_input *input)
{
    struct ipsec_sa_bundle bundle = input->bundle;
    int64_t lifetime_ms = (int64_t)bundle.lifetime.seconds * 1000;
    struct sa_bundle_private beside = {
        .added_ms = state->clock_ms,
        .end_ms = lifetime_ms == 0 ? INT64_MAX : state->clock_ms + lifetime_ms,
    };

    bundle.added_at_ms = state->now_ms;
    bundle.expires_at_ms = lifetime_ms == 0 ? 0 : state->now_ms + lifetime_ms;
    for (size_t i = 0; i < bundle.sa_count; i++) {
        struct ipsec_sa *sa = &bundle.sas[i];
        bool has_one_key = sa_uses_nonces(sa) && sa_is_encrypted(sa);

        if (direction == IPSEC_DIRECTION_INBOUND)
            sa->spi = context->spi;
        sa->cipher_key_length = (uint8_t)input->keys[i].cipher.size;
        sa->auth_key_length = has_one_key ? 0 : (uint8_t)input->keys[i].auth.size;
    }
    if (direction == IPSEC_DIRECTION_INBOUND)
        sa_bundle_digest(state->sa.digester, input, &beside.digest);
    const struct ipsec_sa_bundle *made = sa_bundle_new(&bundle, &beside);
    explicit_bzero(&beside.digest, sizeof beside.digest);
    return made;
}
