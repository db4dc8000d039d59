/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context.c: creating, reading and deleting SA contexts. */
#include "engine/sa_context.h"

#include "engine/engine.h"
#include "engine/sa_labels.h"
#include "engine/sa_policy.h"
#include "engine/state.h"
#include "engine/validate.h"

static enum ipsec_status check_options(struct ipsec_session *session,
                                       const struct ipsec_sa_context_options *options);
static enum ipsec_status create(struct ipsec_session *session,
                                struct ipsec_sa_context *context,
                                const struct ipsec_sa_context_options *options);
static enum ipsec_status key(struct ipsec_session *session,
                             struct ipsec_sa_context *context,
                             const struct ipsec_sa_context_options *options);
static enum ipsec_status set_spi(struct ipsec_session *session,
                                 struct ipsec_sa_context *context,
                                 const struct ipsec_sa_context_options *options);
static enum ipsec_status add_bundle(struct ipsec_session *session,
                                    struct ipsec_sa_context *context,
                                    enum ipsec_direction direction,
                                    const struct ipsec_sa_bundle_input *input);
static enum ipsec_status store_new(struct ipsec_session *session,
                                   struct ipsec_sa_context *context,
                                   const struct ipsec_sa_context_options *options);
static const char *prefix_of(enum ipsec_direction direction);

static const char *const state_names[IPSEC_SA_CONTEXT_STATE_COUNT] = {
    [IPSEC_SA_CONTEXT_CREATED] = "created",   [IPSEC_SA_CONTEXT_SPI_SET] = "spiSet",
    [IPSEC_SA_CONTEXT_INBOUND] = "inbound",   [IPSEC_SA_CONTEXT_ACTIVE] = "active",
    [IPSEC_SA_CONTEXT_EXPIRING] = "expiring", [IPSEC_SA_CONTEXT_EXPIRED] = "expired",
};

enum ipsec_status
ipsec_sa_context_create(struct ipsec_session *session,
                        const struct ipsec_traffic *outbound_traffic,
                        uint64_t *inbound_filter_id_out,
                        uint64_t *id_out)
{
    const struct ipsec_sa_context_options nothing = { .spi = 0 };
    struct ipsec_sa_context context;
    enum ipsec_status status =
        ipsec_sa_context_create_with(session, outbound_traffic, &nothing, &context);

    if (status != IPSEC_OK)
        return status;
    if (inbound_filter_id_out != NULL)
        *inbound_filter_id_out = context.inbound_filter_id;
    *id_out = context.id;
    return IPSEC_OK; /* it has no parts to be unreferenced */
}

enum ipsec_status
ipsec_sa_context_create_with(struct ipsec_session *session,
                             const struct ipsec_traffic *outbound_traffic,
                             const struct ipsec_sa_context_options *options,
                             struct ipsec_sa_context *context_out)
{
    enum ipsec_status status;

    *context_out = (struct ipsec_sa_context){ .id = 0 };
    status = sa_context_check_call(session, IPSEC_RULE_DIRECT, FWPM_ACTRL_ADD);
    if (status != IPSEC_OK)
        return status;
    status = validate_traffic_members(outbound_traffic, session->fault);
    if (status != IPSEC_OK)
        return status;
    status = check_options(session, options);
    if (status != IPSEC_OK)
        return status;
    status = sa_policy_check(session, outbound_traffic);
    if (status != IPSEC_OK)
        return status;

    struct ipsec_sa_context context = {
        .outbound_traffic = *outbound_traffic,
        .inbound_filter_id = sa_policy_mirror(session->state, outbound_traffic),
    };
    status = create(session, &context, options);
    if (status == IPSEC_OK)
        *context_out = sa_copy(session->state, &context);
    return status;
}

enum ipsec_status
ipsec_sa_context_rotate(struct ipsec_session *session,
                        uint64_t id,
                        const struct ipsec_sa_context_options *options,
                        struct ipsec_sa_context *context_out)
{
    struct ipsec_sa_context_options wanted = *options;
    const struct ipsec_sa_context *predecessor;
    enum ipsec_status status;

    *context_out = (struct ipsec_sa_context){ .id = 0 };
    status = sa_context_check_call(session, IPSEC_RULE_DIRECT, FWPM_ACTRL_ADD);
    if (status != IPSEC_OK)
        return status;
    if (wanted.inbound == NULL)
        return ipsec_fault_set(session->fault, IPSEC_NULL_POINTER, IPSEC_FAULT_BODY, "/inbound",
                               "the successor needs its inbound bundle");
    status = check_options(session, &wanted);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_find(session, id, &predecessor);
    if (status != IPSEC_OK)
        return status;
    if (predecessor->state != IPSEC_SA_CONTEXT_ACTIVE)
        return sa_context_wrong_state(session, predecessor, "active, to have a successor");

    uint64_t inbound = predecessor->inbound_filter_id;
    struct ipsec_sa_context context = {
        .outbound_traffic = predecessor->outbound_traffic,
        .inbound_filter_id = inbound != 0
                                 ? inbound
                                 : sa_policy_mirror(session->state, &predecessor->outbound_traffic),
        .predecessor_id = id,
    };
    wanted.wants_spi = wanted.spi == 0;
    if (wanted.labels == NULL)
        wanted.labels = predecessor->labels;
    status = create(session, &context, &wanted);
    if (status == IPSEC_OK)
        *context_out = sa_copy(session->state, &context);
    return status;
}

enum ipsec_status
ipsec_sa_context_get_by_id(struct ipsec_session *session,
                           uint64_t id,
                           struct ipsec_sa_context *context_out)
{
    const struct ipsec_sa_context *context;
    enum ipsec_status status;

    *context_out = (struct ipsec_sa_context){ .id = 0 };
    status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_find(session, id, &context);
    if (status == IPSEC_OK)
        *context_out = sa_copy(session->state, context);
    return status;
}

enum ipsec_status
ipsec_sa_context_delete_by_id(struct ipsec_session *session, uint64_t id)
{
    const struct ipsec_sa_context *context;
    enum ipsec_status status;

    status = sa_context_check_call(session, IPSEC_RULE_DIRECT, RIGHT_DELETE);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_find(session, id, &context);
    if (status != IPSEC_OK)
        return status;
    if (!sa_context_end(session->state, id, IPSEC_REASON_CALL))
        return session_no_memory(session);
    return IPSEC_OK;
}

enum ipsec_status
sa_context_check_call(struct ipsec_session *session, enum ipsec_session_rule rule, uint32_t rights)
{
    enum ipsec_status status = session_check_rule(session, rule);

    return status == IPSEC_OK ? session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, rights)
                              : status;
}

enum ipsec_status
sa_context_find(struct ipsec_session *session,
                uint64_t id,
                const struct ipsec_sa_context **context_out)
{
    *context_out = sa_find(session->state, id);
    if (*context_out == NULL)
        return ipsec_fault_set(session->fault, IPSEC_NOT_FOUND, IPSEC_FAULT_PATH, NULL,
                               "no SA context has id %llu", (unsigned long long)id);
    return session_check_revision(session, (*context_out)->revision);
}

enum ipsec_status
sa_context_wrong_state(struct ipsec_session *session,
                       const struct ipsec_sa_context *context,
                       const char *wanted)
{
    return ipsec_fault_set(session->fault, IPSEC_INCOMPATIBLE_SA_STATE, IPSEC_FAULT_BODY, NULL,
                           "the SA context is in the state %s; it has to be %s",
                           state_names[context->state], wanted);
}

/* All that depends on nothing but the options themselves. */
static enum ipsec_status
check_options(struct ipsec_session *session, const struct ipsec_sa_context_options *options)
{
    const struct {
        enum ipsec_direction direction;
        const struct ipsec_sa_bundle_input *input;
    } bundles[] = { { IPSEC_DIRECTION_INBOUND, options->inbound },
                    { IPSEC_DIRECTION_OUTBOUND, options->outbound } };
    enum ipsec_status status = sa_labels_check(options->labels, session->fault);

    if (status != IPSEC_OK)
        return status;
    if (options->spi != 0 && options->spi < SPI_FIRST)
        return ipsec_fault_set(session->fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_BODY, "/spi",
                               "an SPI is 256 or above; RFC 4303 reserves the others");
    if (options->spi != 0 && options->wants_spi)
        return ipsec_fault_set(session->fault, IPSEC_INVALID_PARAMETER, IPSEC_FAULT_BODY, "/getSpi",
                               "the engine draws an SPI or takes the one given, not both");
    for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++) {
        if (bundles[i].input == NULL)
            continue;
        status = sa_bundle_check_values(bundles[i].input, bundles[i].direction, session->fault);
        if (status != IPSEC_OK)
            return ipsec_fault_prefix(session->fault, prefix_of(bundles[i].direction));
    }
    return IPSEC_OK;
}

/* Makes and stores the context; on success the parts belong to the table. */
static enum ipsec_status
create(struct ipsec_session *session,
       struct ipsec_sa_context *context,
       const struct ipsec_sa_context_options *options)
{
    struct engine_state *state = session->state;
    enum ipsec_status status = key(session, context, options);

    if (status == IPSEC_OK && state->max_contexts != 0 &&
        state->contexts.count >= state->max_contexts)
        status =
            ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                            "the limit of %u SA contexts is reached", state->max_contexts);
    if (status == IPSEC_OK && !sa_labels_new(options->labels, &context->labels))
        status = session_no_memory(session);
    if (status == IPSEC_OK)
        status = store_new(session, context, options);
    if (status != IPSEC_OK)
        ipsec_sa_context_unref(context);
    return status;
}

/* The steps of keying, as far as the options go. */
static enum ipsec_status
key(struct ipsec_session *session,
    struct ipsec_sa_context *context,
    const struct ipsec_sa_context_options *options)
{
    enum ipsec_status status = IPSEC_OK;
    int64_t larval_ms = session->state->sa.settings.larval_timeout_ms;

    context->due_at_ms = larval_ms == 0 ? 0 : session->state->clock_ms + larval_ms;
    if (options->spi != 0 || options->wants_spi || options->inbound_filter_id != 0)
        status = set_spi(session, context, options);
    if (status == IPSEC_OK && options->inbound != NULL)
        status = add_bundle(session, context, IPSEC_DIRECTION_INBOUND, options->inbound);
    if (status == IPSEC_OK && options->outbound != NULL)
        status = add_bundle(session, context, IPSEC_DIRECTION_OUTBOUND, options->outbound);
    return status;
}

static enum ipsec_status
set_spi(struct ipsec_session *session,
        struct ipsec_sa_context *context,
        const struct ipsec_sa_context_options *options)
{
    enum ipsec_status status;

    status = sa_context_set_inbound_filter(session, context, options->inbound_filter_id,
                                           "/inboundFilterId");
    if (status != IPSEC_OK || (options->spi == 0 && !options->wants_spi))
        return status;
    return sa_context_assign_spi(session, context, options->spi, "/spi");
}

static enum ipsec_status
add_bundle(struct ipsec_session *session,
           struct ipsec_sa_context *context,
           enum ipsec_direction direction,
           const struct ipsec_sa_bundle_input *input)
{
    bool is_inbound = direction == IPSEC_DIRECTION_INBOUND;
    uint8_t wanted = is_inbound ? IPSEC_SA_CONTEXT_SPI_SET : IPSEC_SA_CONTEXT_INBOUND;
    enum ipsec_status status = sa_context_check_bundle(session, context, direction, input);

    if (status != IPSEC_OK)
        return ipsec_fault_prefix(session->fault, prefix_of(direction));
    if (context->state != wanted)
        return ipsec_fault_set(session->fault, IPSEC_INCOMPATIBLE_SA_STATE, IPSEC_FAULT_BODY,
                               prefix_of(direction),
                               is_inbound ? "an inbound bundle needs an SPI: spi or getSpi"
                                          : "an outbound bundle needs the inbound one before it");
    return sa_context_take_bundle(session, context, direction, input);
}

static enum ipsec_status
store_new(struct ipsec_session *session,
          struct ipsec_sa_context *context,
          const struct ipsec_sa_context_options *options)
{
    struct engine_state *state = session->state;
    enum ipsec_status status = session_intern_caller(session, &context->created_by);

    if (status != IPSEC_OK)
        return status;
    context->created_at_ms = state->now_ms;
    if (!luid_next(&state->luids, &context->id))
        return session_no_memory(session);
    if (context->inbound == NULL)
        return sa_put(state, context) ? IPSEC_OK : session_no_memory(session);

    if (!plane_queue_begin(&state->batch.plane) ||
        !plane_queue_add_basis(&state->batch.plane, context->id, NULL) ||
        !sa_context_ask_plane(state, PLANE_ADD_BUNDLE, context, IPSEC_DIRECTION_INBOUND,
                              options->inbound))
        return session_no_memory(session);
    if (context->outbound != NULL) {
        if (!sa_context_ask_plane(state, PLANE_ADD_BUNDLE, context, IPSEC_DIRECTION_OUTBOUND,
                                  options->outbound))
            return session_no_memory(session);
        status = sa_context_replace_others(session, context);
        if (status != IPSEC_OK)
            return status;
    }
    return sa_put(state, context) ? IPSEC_OK : session_no_memory(session);
}

static const char *
prefix_of(enum ipsec_direction direction)
{
    return direction == IPSEC_DIRECTION_INBOUND ? "/inbound" : "/outbound";
}
