/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_context_load.c: taking SA contexts over from the store.
 *
 * The store has times of the wall clock.  They become times of CLOCK_BOOTTIME, as far from now but
 * never farther than they could have been when they were set, so that a wall clock that jumped
 * while the engine was away keeps nothing alive for years. */
#include <stddef.h>

#include "engine/engine.h"
#include "engine/filter.h"
#include "engine/sa_bundle.h"
#include "engine/sa_context.h"
#include "engine/sa_labels.h"
#include "engine/sa_policy.h"
#include "engine/state.h"
#include "engine/validate.h"

/* Two runs tell the same moment so differently: what is that much too far away is right. */
#define CLOCK_SLACK_MS 10

static bool is_valid(const struct engine_state *state, const struct ipsec_sa_context *context);
static bool has_parts_of_state(const struct ipsec_sa_context *context);
static bool load_parts(const struct engine_state *state,
                       const struct ipsec_sa_context *stored,
                       struct ipsec_sa_context *context);
static const struct ipsec_sa_bundle *load_bundle(const struct engine_state *state,
                                                 const struct ipsec_sa_bundle *stored);
static int64_t due_of(const struct engine_state *state, const struct ipsec_sa_context *context);
static int64_t to_clock(const struct engine_state *state, int64_t wall_ms, int64_t longest_ms);

enum ipsec_status
sa_context_load(struct engine_state *state,
                const struct ipsec_sa_context *context,
                struct ipsec_fault *fault)
{
    struct ipsec_sa_context loaded = *context;

    if (!is_valid(state, context))
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store holds an SA context %llu that is not valid",
                               (unsigned long long)context->id);
    if (context->created_by != 0 && principal_name(&state->principals, context->created_by)[0] == 0)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store's table sa_context, row %llu: created_by %u names no "
                               "principal",
                               (unsigned long long)context->id, context->created_by);
    /* The filter could go, once, although a context named it as its inbound one. */
    if (filter_find_committed(state, context->inbound_filter_id) == NULL)
        loaded.inbound_filter_id = 0;
    if (load_parts(state, context, &loaded)) {
        loaded.due_at_ms = due_of(state, &loaded);
        if (sa_load(state, &loaded))
            return IPSEC_OK;
    }
    ipsec_sa_context_unref(&loaded);
    return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "no memory for the SA contexts of the store");
}

enum ipsec_status
sa_quarantine_load(struct engine_state *state,
                   const struct store_quarantine *quarantine,
                   struct ipsec_fault *fault)
{
    int64_t until_ms = to_clock(state, quarantine->until_ms, state->sa.settings.quarantine_ms);

    if (quarantine->spi < SPI_FIRST || spi_table_resting(&state->sa.spis, quarantine->spi) != 0)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store holds an SPI %u in quarantine that can't be",
                               quarantine->spi);
    if (!sa_load_quarantine(state, quarantine->spi, until_ms))
        return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                               "no memory for the SPIs of the store");
    return IPSEC_OK;
}

static bool
is_valid(const struct engine_state *state, const struct ipsec_sa_context *context)
{
    const struct ipsec_traffic *traffic = &context->outbound_traffic;

    if (context->id == 0 || context->id > IPSEC_LUID_MAX ||
        context->state >= IPSEC_SA_CONTEXT_STATE_COUNT ||
        validate_traffic_members(traffic, NULL) != IPSEC_OK ||
        validate_traffic_meaning(traffic, NULL) != IPSEC_OK || !sa_policy_exists(state, traffic) ||
        sa_find(state, context->id) != NULL || context->predecessor_id >= context->id)
        return false;
    if (context->spi != 0 &&
        (context->spi < SPI_FIRST || spi_table_owner(&state->sa.spis, context->spi) != 0))
        return false;
    if (!has_parts_of_state(context) || sa_labels_check(context->labels, NULL) != IPSEC_OK)
        return false;
    if (context->inbound != NULL &&
        (!sa_bundle_is_plausible(context->inbound, IPSEC_DIRECTION_INBOUND, traffic) ||
         context->inbound->sas[0].spi != context->spi))
        return false;
    return context->outbound == NULL ||
           sa_bundle_is_plausible(context->outbound, IPSEC_DIRECTION_OUTBOUND, traffic);
}

static bool
has_parts_of_state(const struct ipsec_sa_context *context)
{
    bool has_spi = context->spi != 0;
    bool has_inbound = context->inbound != NULL;
    bool has_outbound = context->outbound != NULL;

    switch ((enum ipsec_sa_context_state)context->state) {
    case IPSEC_SA_CONTEXT_CREATED:
        return !has_spi && !has_inbound && !has_outbound;
    case IPSEC_SA_CONTEXT_SPI_SET:
        return has_spi && !has_inbound && !has_outbound;
    case IPSEC_SA_CONTEXT_ACTIVE:
        return has_spi && has_inbound && has_outbound;
    case IPSEC_SA_CONTEXT_INBOUND:
    case IPSEC_SA_CONTEXT_EXPIRING:
    case IPSEC_SA_CONTEXT_EXPIRED:
        return has_spi && has_inbound && !has_outbound;
    case IPSEC_SA_CONTEXT_STATE_COUNT:
        break;
    }
    return false;
}

/* False: no memory; what there is has its references. */
static bool
load_parts(const struct engine_state *state,
           const struct ipsec_sa_context *stored,
           struct ipsec_sa_context *context)
{
    context->inbound = load_bundle(state, stored->inbound);
    context->outbound = load_bundle(state, stored->outbound);
    return sa_labels_new(stored->labels, &context->labels) &&
           (context->inbound == NULL) == (stored->inbound == NULL) &&
           (context->outbound == NULL) == (stored->outbound == NULL);
}

static const struct ipsec_sa_bundle *
load_bundle(const struct engine_state *state, const struct ipsec_sa_bundle *stored)
{
    if (stored == NULL)
        return NULL;

    int64_t lifetime_ms = (int64_t)stored->lifetime.seconds * 1000;
    int64_t age_ms = state->now_ms > stored->added_at_ms ? state->now_ms - stored->added_at_ms : 0;
    const struct sa_bundle_private beside = {
        .added_ms = state->clock_ms - age_ms,
        .end_ms = stored->expires_at_ms == 0 ? INT64_MAX
                                             : to_clock(state, stored->expires_at_ms, lifetime_ms),
    };

    return sa_bundle_new(stored, &beside);
}

static int64_t
due_of(const struct engine_state *state, const struct ipsec_sa_context *context)
{
    int64_t larval_ms = state->sa.settings.larval_timeout_ms;
    int64_t end_ms =
        context->inbound == NULL ? INT64_MAX : sa_bundle_private(context->inbound)->end_ms;
    int64_t due_ms;

    switch ((enum ipsec_sa_context_state)context->state) {
    case IPSEC_SA_CONTEXT_CREATED:
    case IPSEC_SA_CONTEXT_SPI_SET:
        if (larval_ms == 0)
            return 0;
        return context->due_at_ms == 0 ? state->clock_ms + larval_ms
                                       : to_clock(state, context->due_at_ms, larval_ms);
    case IPSEC_SA_CONTEXT_INBOUND:
    case IPSEC_SA_CONTEXT_ACTIVE:
        return sa_context_due(context);
    case IPSEC_SA_CONTEXT_EXPIRING:
        due_ms = to_clock(state, context->due_at_ms, SA_GRACE_MS);
        return due_ms < end_ms ? due_ms : end_ms;
    case IPSEC_SA_CONTEXT_EXPIRED:
    case IPSEC_SA_CONTEXT_STATE_COUNT:
        break;
    }
    return end_ms == INT64_MAX ? 0 : end_ms;
}

/* Not 0, which is never; not before now. */
static int64_t
to_clock(const struct engine_state *state, int64_t wall_ms, int64_t longest_ms)
{
    int64_t left_ms = wall_ms - state->now_ms;

    if (left_ms < 0)
        left_ms = 0;
    if (left_ms > longest_ms + CLOCK_SLACK_MS)
        left_ms = longest_ms;
    int64_t due_ms = state->clock_ms + left_ms;
    return due_ms == 0 ? 1 : due_ms;
}
