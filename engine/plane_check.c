/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_check.c: see plane_check.h. */
#include "engine/plane_check.h"

#include <stddef.h>

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/engine.h"
#include "engine/filter_plane.h"
#include "engine/sa_context.h"
#include "engine/session.h"
#include "engine/state.h"

#define SHORTEST_INTERVAL_MS INT64_C(30000)
#define LONGEST_INTERVAL_MS INT64_C(900000)
/* A check that took a millisecond is not repeated within a second. */
#define REST_FACTOR 1000

static int64_t next_check(const struct engine_state *state);
static void run_check(struct engine_state *state);
static enum ipsec_status compare(struct engine_state *state, struct plane_drift *drift_out);
static enum ipsec_status compare_for(struct ipsec_session *session, struct plane_drift *drift_out);
static bool differs(const struct plane_drift *drift);
static void mend(struct engine_state *state);
static struct ipsec_drift public(const struct plane_drift *drift);

const struct due_source plane_check_source = {
    .next = next_check,
    .run = run_check,
    .stores = true,
};

enum ipsec_status
ipsec_get_drift(struct ipsec_session *session, struct ipsec_drift *drift_out)
{
    struct plane_drift drift;
    enum ipsec_status status;

    *drift_out = (struct ipsec_drift){ .foreign = 0 };
    status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ_STATS);
    if (status == IPSEC_OK)
        status = compare_for(session, &drift);
    if (status == IPSEC_OK)
        *drift_out = public(&drift);
    return status;
}

enum ipsec_status
ipsec_reconcile(struct ipsec_session *session, struct ipsec_drift *found_out)
{
    struct engine_state *state = session->state;
    struct plane_drift drift;
    enum ipsec_status status;

    *found_out = (struct ipsec_drift){ .foreign = 0 };
    status = session_check_no_transaction(session);
    if (status == IPSEC_OK)
        status = session_check_right(session, IPSEC_CONTAINER_ENGINE, FWPM_ACTRL_WRITE);
    if (status == IPSEC_OK)
        status = compare_for(session, &drift);
    if (status != IPSEC_OK)
        return status;
    *found_out = public(&drift);
    if (session->call == NULL || !session->call->dry_run)
        mend(state);
    return IPSEC_OK;
}

static int64_t
next_check(const struct engine_state *state)
{
    return state->sa.plane_ops->find_drift == NULL ? DUE_NEVER : state->plane_check.next_ms;
}

static void
run_check(struct engine_state *state)
{
    struct plane_check *check = &state->plane_check;
    struct plane_drift drift;
    int64_t started_us = clock_monotonic_us();

    /* The first look after a start is that of the contexts themselves. */
    if (check->next_ms == 0 || state->sa.resuming) {
        check->interval_ms = SHORTEST_INTERVAL_MS;
        check->next_ms = state->clock_ms + SHORTEST_INTERVAL_MS;
        return;
    }
    enum ipsec_status status = compare(state, &drift);
    int64_t rest_ms = (clock_monotonic_us() - started_us) * REST_FACTOR / 1000;
    if (status == IPSEC_OK && differs(&drift)) {
        log_warning("the data plane is not as it should be, mending",
                    LOG_NUMBER("sas_missing", drift.bundles_missing),
                    LOG_NUMBER("sas_left_over", drift.bundles_left_over),
                    LOG_NUMBER("policies_missing", drift.filters_missing),
                    LOG_NUMBER("policies_left_over", drift.filters_left_over));
        mend(state);
        check->interval_ms = SHORTEST_INTERVAL_MS;
    } else {
        check->interval_ms *= 2;
    }
    if (check->interval_ms < rest_ms)
        check->interval_ms = rest_ms;
    if (check->interval_ms > LONGEST_INTERVAL_MS)
        check->interval_ms = LONGEST_INTERVAL_MS;
    check->next_ms = state->clock_ms + check->interval_ms;
}

static enum ipsec_status
compare(struct engine_state *state, struct plane_drift *drift_out)
{
    const struct sa_database *database = &state->sa;
    struct plane_check *check = &state->plane_check;
    enum ipsec_status status = IPSEC_OK;

    *drift_out = (struct plane_drift){ .foreign = 0 };
    if (database->plane_ops->find_drift != NULL)
        status = database->plane_ops->find_drift(database->plane, drift_out);
    check->checks++;
    if (status == IPSEC_OK)
        check->drift = *drift_out;
    else
        check->failures++;
    return status;
}

/* While contexts are asked for one after another, the plane knows only of a part of them. */
static enum ipsec_status
compare_for(struct ipsec_session *session, struct plane_drift *drift_out)
{
    enum ipsec_status status = IPSEC_RPC_SERVERCALL_RETRYLATER;

    if (session->state->sa.resuming)
        return ipsec_fault_set(session->fault, status, IPSEC_FAULT_SERVICE, NULL,
                               "a comparison with the data plane is under way");
    status = compare(session->state, drift_out);
    return status == IPSEC_OK ? status
                              : ipsec_fault_set(session->fault, status, IPSEC_FAULT_SERVICE, NULL,
                                                "the data plane does not tell what it has");
}

static bool
differs(const struct plane_drift *drift)
{
    return drift->bundles_missing > 0 || drift->bundles_left_over > 0 ||
           drift->filters_missing > 0 || drift->filters_left_over > 0;
}

/* Filters at once; contexts are asked for from the next batch on, which removes what is left over
 * too. */
static void
mend(struct engine_state *state)
{
    state->plane_check.repairs++;
    (void)filter_plane_install(state, false);
    if (state->sa.plane_ops->resume != NULL)
        sa_plane_ask_for_all(state);
}

static struct ipsec_drift public(const struct plane_drift *drift)
{
    return (struct ipsec_drift){
        .sas_missing = drift->bundles_missing,
        .sas_left_over = drift->bundles_left_over,
        .policies_missing = drift->filters_missing,
        .policies_left_over = drift->filters_left_over,
        .foreign = drift->foreign,
    };
}
