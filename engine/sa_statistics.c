/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_statistics.c: IPsecGetStatistics1: the engine counts SAs, the data plane counts packets,
 * of all SAs or of one context. */
#include "engine/engine.h"
#include "engine/plane/plane.h"
#include "engine/sa_context.h"
#include "engine/session.h"
#include "engine/state.h"

static struct ipsec_sa_usage read_usage(const struct engine_state *state,
                                        const struct ipsec_sa_context *context,
                                        enum ipsec_direction direction);

enum ipsec_status
ipsec_get_statistics(struct ipsec_session *session, struct ipsec_statistics *statistics_out)
{
    const struct engine_state *state = session->state;
    const struct sa_counters *counters = &state->sa.counters;
    struct plane_statistics plane = { .total_drop_packets_inbound = 0 };
    enum ipsec_status status;

    *statistics_out = (struct ipsec_statistics){ .active_sas = 0 };
    status = session_check_no_transaction(session);
    if (status != IPSEC_OK)
        return status;
    status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ_STATS);
    if (status != IPSEC_OK)
        return status;
    if (state->sa.plane_ops->read_statistics != NULL)
        state->sa.plane_ops->read_statistics(state->sa.plane, &plane);
    *statistics_out = (struct ipsec_statistics){
        .active_sas = (uint32_t)state->contexts_by_state[IPSEC_SA_CONTEXT_ACTIVE],
        .pending_sa_negotiations = (uint32_t)(state->contexts_by_state[IPSEC_SA_CONTEXT_CREATED] +
                                              state->contexts_by_state[IPSEC_SA_CONTEXT_SPI_SET] +
                                              state->contexts_by_state[IPSEC_SA_CONTEXT_INBOUND]),
        .total_sas_added = counters->added,
        .total_sas_deleted = counters->deleted,
        .successful_rekeys = counters->rekeys,
        .active_tunnels = (uint32_t)counters->active_tunnels,
        .esp_drops = plane.esp_drops,
        .ah_drops = plane.ah_drops,
        .drops = plane.drops,
        .udp_esp_validation_failures_on_inbound = plane.udp_esp_validation_failures_on_inbound,
        .invalid_clear_text_inbound = plane.invalid_clear_text_inbound,
        .receive_over_incorrect_sa_inbound = plane.receive_over_incorrect_sa_inbound,
        .secure_receives_not_matching_filters = plane.secure_receives_not_matching_filters,
        .total_drop_packets_inbound = plane.total_drop_packets_inbound,
        .inbound_traffic = plane.inbound_traffic,
        .outbound_traffic = plane.outbound_traffic,
    };
    return IPSEC_OK;
}

enum ipsec_status
ipsec_sa_context_get_usage(struct ipsec_session *session,
                           uint64_t id,
                           struct ipsec_sa_context_usage *usage_out)
{
    const struct ipsec_sa_context *context;
    enum ipsec_status status;

    *usage_out = (struct ipsec_sa_context_usage){ .context = { .id = 0 } };
    status = ipsec_sa_context_get_by_id(session, id, &usage_out->context);
    if (status != IPSEC_OK)
        return status;
    context = sa_find(session->state, id);
    if (context->state == IPSEC_SA_CONTEXT_EXPIRED)
        return IPSEC_OK;
    if (context->inbound != NULL)
        usage_out->usage[IPSEC_DIRECTION_INBOUND] =
            read_usage(session->state, context, IPSEC_DIRECTION_INBOUND);
    if (context->outbound != NULL)
        usage_out->usage[IPSEC_DIRECTION_OUTBOUND] =
            read_usage(session->state, context, IPSEC_DIRECTION_OUTBOUND);
    return IPSEC_OK;
}

/* One that was added in the same batch is not in the plane yet: it has carried nothing. */
static struct ipsec_sa_usage
read_usage(const struct engine_state *state,
           const struct ipsec_sa_context *context,
           enum ipsec_direction direction)
{
    const struct plane_bundle what = sa_context_plane_bundle(context, direction);
    struct plane_counters counters = { .bytes = 0 };
    struct ipsec_sa_usage usage = { .is_known = false };

    if (state->sa.plane_ops->read_counters(state->sa.plane, &what, &counters) != IPSEC_OK)
        return usage;
    usage = (struct ipsec_sa_usage){
        .is_known = true,
        .bytes = counters.bytes,
        .packets = counters.packets,
    };
    if (counters.last_used_ms != 0)
        usage.last_used_at_ms = sa_wall_ms(state, counters.last_used_ms);
    return usage;
}
