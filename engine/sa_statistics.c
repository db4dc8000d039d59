/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_statistics.c: IPsecGetStatistics1: the engine counts SAs, the data plane counts packets. */
#include "engine/engine.h"
#include "engine/plane/plane.h"
#include "engine/session.h"
#include "engine/state.h"

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
