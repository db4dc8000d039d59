/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context_spi.c: the inbound SPI of a context: GetSpi and SetSpi. */
#include <string.h>

#include "engine/engine.h"
#include "engine/sa_context.h"
#include "engine/sa_policy.h"
#include "engine/state.h"

static enum ipsec_status prepare(struct ipsec_session *session,
                                 uint64_t id,
                                 const struct ipsec_traffic *inbound_traffic,
                                 struct ipsec_sa_context *context_out);
static enum ipsec_status check_same_traffic(struct ipsec_session *session,
                                            const struct ipsec_sa_context *context,
                                            const struct ipsec_traffic *inbound);
static bool is_none(const struct ipsec_address *address);
static enum ipsec_status
mismatch(struct ipsec_session *session, const char *pointer, const char *detail);
static enum ipsec_status store(struct ipsec_session *session, struct ipsec_sa_context *context);

enum ipsec_status
ipsec_sa_context_get_spi(struct ipsec_session *session,
                         uint64_t id,
                         const struct ipsec_traffic *inbound_traffic,
                         uint32_t *spi_out)
{
    struct ipsec_sa_context context;
    enum ipsec_status status = prepare(session, id, inbound_traffic, &context);

    if (status != IPSEC_OK)
        return status;
    if (context.state == IPSEC_SA_CONTEXT_SPI_SET) {
        *spi_out = context.spi;
        return IPSEC_OK;
    }
    if (context.state != IPSEC_SA_CONTEXT_CREATED)
        return sa_context_wrong_state(session, &context, "created, to get its SPI");
    status = sa_context_assign_spi(session, &context, 0, NULL);
    if (status != IPSEC_OK)
        return status;
    *spi_out = context.spi;
    return store(session, &context);
}

enum ipsec_status
ipsec_sa_context_set_spi(struct ipsec_session *session,
                         uint64_t id,
                         const struct ipsec_traffic *inbound_traffic,
                         uint32_t spi)
{
    struct ipsec_sa_context context;
    enum ipsec_status status;

    status = sa_context_check_call(session, IPSEC_RULE_NO_TRANSACTION, FWPM_ACTRL_ADD);
    if (status != IPSEC_OK)
        return status;
    if (spi < SPI_FIRST)
        return ipsec_fault_set(session->fault, IPSEC_OUT_OF_BOUNDS, IPSEC_FAULT_BODY, "/spi",
                               "an SPI is 256 or above; RFC 4303 reserves the others");
    status = prepare(session, id, inbound_traffic, &context);
    if (status != IPSEC_OK)
        return status;
    if (context.state == IPSEC_SA_CONTEXT_SPI_SET && context.spi == spi)
        return IPSEC_OK;
    if (context.state != IPSEC_SA_CONTEXT_CREATED)
        return sa_context_wrong_state(session, &context, "created, to be given an SPI");
    status = sa_context_assign_spi(session, &context, spi, "/spi");
    return status == IPSEC_OK ? store(session, &context) : status;
}

enum ipsec_status
sa_context_assign_spi(struct ipsec_session *session,
                      struct ipsec_sa_context *context,
                      uint32_t spi,
                      const char *pointer)
{
    struct spi_table *spis = &session->state->sa.spis;

    if (spi != 0 && spi_table_owner(spis, spi) != 0)
        return ipsec_fault_set(session->fault, IPSEC_ALREADY_EXISTS, IPSEC_FAULT_BODY, pointer,
                               "another SA context has this SPI");
    if (spi == 0 && !spi_table_draw(spis, &spi))
        return ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "no SPI from %u to %u is free", spis->minimum, spis->maximum);
    context->spi = spi;
    context->state = IPSEC_SA_CONTEXT_SPI_SET;
    return IPSEC_OK;
}

enum ipsec_status
sa_context_set_inbound_filter(struct ipsec_session *session,
                              struct ipsec_sa_context *context,
                              uint64_t filter_id,
                              const char *pointer)
{
    enum ipsec_status status;

    if (context->outbound_traffic.type == IPSEC_TRAFFIC_TYPE_TUNNEL) {
        if (filter_id == 0)
            return IPSEC_OK;
        return mismatch(session, pointer, "a tunnel's SPI goes by its policy, not by a filter");
    }
    if (filter_id == 0) {
        if (context->spi != 0 || context->inbound_filter_id != 0)
            return IPSEC_OK;
        return ipsec_fault_set(session->fault, IPSEC_NULL_POINTER, IPSEC_FAULT_BODY, pointer,
                               "no inbound filter mirrors the traffic: name one");
    }
    status = sa_policy_check_inbound(session, &context->outbound_traffic, filter_id, pointer);
    if (status != IPSEC_OK)
        return status;
    if (context->spi != 0 && filter_id != context->inbound_filter_id)
        return mismatch(session, pointer, "the SPI was given out for another inbound filter");
    context->inbound_filter_id = filter_id;
    return IPSEC_OK;
}

/* Everything but the state: the copy of the context with the inbound filter that the traffic names.
 */
static enum ipsec_status
prepare(struct ipsec_session *session,
        uint64_t id,
        const struct ipsec_traffic *inbound_traffic,
        struct ipsec_sa_context *context_out)
{
    const struct ipsec_sa_context *context;
    enum ipsec_status status;

    status = sa_context_check_call(session, IPSEC_RULE_NO_TRANSACTION, FWPM_ACTRL_ADD);
    if (status != IPSEC_OK)
        return status;
    status = sa_context_find(session, id, &context);
    if (status != IPSEC_OK)
        return status;
    *context_out = *context;
    status = sa_context_set_inbound_filter(session, context_out, inbound_traffic->ipsec_filter_id,
                                           "/ipsecFilterId");
    if (status != IPSEC_OK)
        return status;
    return check_same_traffic(session, context, inbound_traffic);
}

/* What the inbound traffic gives has to be what the context has. */
static enum ipsec_status
check_same_traffic(struct ipsec_session *session,
                   const struct ipsec_sa_context *context,
                   const struct ipsec_traffic *inbound)
{
    const struct ipsec_traffic *own = &context->outbound_traffic;

    if (is_none(&inbound->local_address) != is_none(&inbound->remote_address))
        return mismatch(session,
                        is_none(&inbound->local_address) ? "/localAddress" : "/remoteAddress",
                        "both addresses are given, or none");
    if (!is_none(&inbound->local_address)) {
        if (inbound->ip_version != own->ip_version ||
            memcmp(&inbound->local_address, &own->local_address, sizeof own->local_address) != 0)
            return mismatch(session, "/localAddress", "is not that of the context");
        if (memcmp(&inbound->remote_address, &own->remote_address, sizeof own->remote_address) != 0)
            return mismatch(session, "/remoteAddress", "is not that of the context");
    }
    if (inbound->tunnel_policy_id != 0 && inbound->tunnel_policy_id != own->tunnel_policy_id)
        return mismatch(session, "/tunnelPolicyId", "is not that of the context");
    if (inbound->local_port != 0 && inbound->local_port != own->local_port)
        return mismatch(session, "/localPort", "is not that of the context");
    if (inbound->remote_port != 0 && inbound->remote_port != own->remote_port)
        return mismatch(session, "/remotePort", "is not that of the context");
    if (inbound->ip_protocol != 0 && inbound->ip_protocol != own->ip_protocol)
        return mismatch(session, "/ipProtocol", "is not that of the context");
    return IPSEC_OK;
}

static bool
is_none(const struct ipsec_address *address)
{
    static const struct ipsec_address none;

    return memcmp(address, &none, sizeof none) == 0;
}

static enum ipsec_status
mismatch(struct ipsec_session *session, const char *pointer, const char *detail)
{
    return ipsec_fault_set(session->fault, IPSEC_TRAFFIC_MISMATCH, IPSEC_FAULT_BODY, pointer, "%s",
                           detail);
}

static enum ipsec_status
store(struct ipsec_session *session, struct ipsec_sa_context *context)
{
    if (sa_set(session->state, context, IPSEC_REASON_CALL) == NULL)
        return session_no_memory(session);
    return IPSEC_OK;
}
