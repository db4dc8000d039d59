/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_check.c: see plane_check.h. */
#include "engine/plane_check.h"

#include <inttypes.h>
#include <stddef.h>

#include "engine/base/buffer.h"
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
/* One that the plane has reason to doubt is, but not within ten milliseconds. */
#define SURE_REST_FACTOR 10
#define SHORTEST_REST_MS INT64_C(1000)
#define LONGEST_REST_MS SHORTEST_INTERVAL_MS
/* Callers who may not mend make none within 100 ms then; they get the last one. */
#define CALLER_REST_FACTOR 100
/* A line of the log names so many of a kind, each a number and a space. */
#define NAMES_LOGGED 16
#define NAMES_SIZE 512

static int64_t next_check(const struct engine_state *state);
static void run_check(struct engine_state *state);
static void answer_doubt(struct plane_check *check, const struct plane_drift *before);
static int64_t at_least(int64_t ms, int64_t least_ms);
static int64_t twice(int64_t rest_ms);
static void log_drift(const struct engine_state *state);
static void compare(struct engine_state *state);
static enum ipsec_status tell(struct ipsec_session *session,
                              bool is_fresh,
                              struct ipsec_drift *drift_out,
                              struct ipsec_drift_names *names_out);
static bool differs(const struct plane_drift *drift);
static bool is_same(const struct plane_drift *a, const struct plane_drift *b);
static void mend(struct engine_state *state);

const struct due_source plane_check_source = {
    .next = next_check,
    .run = run_check,
    .stores = true,
};

enum ipsec_status
ipsec_get_drift(struct ipsec_session *session,
                struct ipsec_drift *drift_out,
                struct ipsec_drift_names *names_out)
{
    enum ipsec_status status;

    *drift_out = (struct ipsec_drift){ .foreign = 0 };
    status = session_check_right(session, IPSEC_CONTAINER_SA_DATABASE, FWPM_ACTRL_READ_STATS);
    return status == IPSEC_OK ? tell(session, false, drift_out, names_out) : status;
}

enum ipsec_status
ipsec_reconcile(struct ipsec_session *session,
                struct ipsec_drift *found_out,
                struct ipsec_drift_names *names_out)
{
    bool is_dry = session->call != NULL && session->call->dry_run;
    enum ipsec_status status;

    *found_out = (struct ipsec_drift){ .foreign = 0 };
    status = session_check_no_transaction(session);
    if (status == IPSEC_OK)
        status = session_check_right(session, IPSEC_CONTAINER_ENGINE, FWPM_ACTRL_WRITE);
    if (status == IPSEC_OK)
        status = tell(session, !is_dry, found_out, names_out);
    if (status == IPSEC_OK && !is_dry)
        mend(session->state);
    return status;
}

void
plane_check_doubt(struct engine_state *state, enum plane_doubt doubt)
{
    struct plane_check *check = &state->plane_check;
    bool is_sure = doubt == PLANE_DOUBT_SURE;
    int64_t rest_ms = check->took_us * (is_sure ? SURE_REST_FACTOR : REST_FACTOR) / 1000;

    if (doubt <= check->doubt)
        return;
    rest_ms = at_least(rest_ms, is_sure ? check->sure_rest_ms : check->doubt_rest_ms);
    check->doubt = doubt;
    check->soon_ms = check->compared_clock_ms + at_least(rest_ms, SHORTEST_REST_MS);
}

static int64_t
next_check(const struct engine_state *state)
{
    const struct plane_check *check = &state->plane_check;

    if (state->sa.plane_ops->find_drift == NULL)
        return DUE_NEVER;
    return check->doubt != PLANE_DOUBT_NONE && check->soon_ms < check->next_ms ? check->soon_ms
                                                                               : check->next_ms;
}

static void
run_check(struct engine_state *state)
{
    struct plane_check *check = &state->plane_check;
    const struct plane_drift before = check->drift;

    /* The first look after a start is that of the contexts themselves. */
    if (check->next_ms == 0 || state->sa.resuming) {
        check->interval_ms = SHORTEST_INTERVAL_MS;
        check->next_ms = state->clock_ms + SHORTEST_INTERVAL_MS;
        check->soon_ms = state->clock_ms + SHORTEST_REST_MS;
        return;
    }
    compare(state);
    answer_doubt(check, &before);
    bool has_drift = check->status == IPSEC_OK && differs(&check->drift);
    if (has_drift) {
        const uint64_t refused_before = check->refused;

        mend(state);
        if (check->refused != refused_before) {
            check->mends_in_vain = false;
            check->doubt_rest_ms = check->sure_rest_ms = SHORTEST_REST_MS;
        }
        check->interval_ms = SHORTEST_INTERVAL_MS;
        /* Did it help? */
        plane_check_doubt(state, PLANE_DOUBT_FAINT);
    } else {
        check->interval_ms *= 2;
    }
    check->interval_ms = at_least(check->interval_ms, check->took_us * REST_FACTOR / 1000);
    if (check->interval_ms > LONGEST_INTERVAL_MS)
        check->interval_ms = LONGEST_INTERVAL_MS;
    check->next_ms = state->clock_ms + check->interval_ms;
    if (has_drift)
        log_drift(state);
}

static void
name_ids(const struct ipsec_drift_ids *ids, struct buffer *text)
{
    for (size_t i = 0; i < ids->count && i < NAMES_LOGGED; i++)
        buffer_append_format(text, "%s%" PRIu64, i == 0 ? "" : " ", ids->ids[i]);
    if (ids->count > NAMES_LOGGED)
        buffer_append_text(text, " ...");
}

/* After the mend, which can make filters again and take away what is left over; contexts whose SAs
 * are missing end. */
static void
log_drift(const struct engine_state *state)
{
    const struct plane_check *check = &state->plane_check;
    const struct plane_drift *drift = &check->drift;
    AUTO(buffer) contexts = BUFFER(NAMES_SIZE);
    AUTO(buffer) filters = BUFFER(NAMES_SIZE);

    name_ids(&drift->names.contexts_missing, &contexts);
    name_ids(&drift->names.filters_missing, &filters);
    log_warning(
        check->mends_in_vain ? "the data plane is still not as it should be, it is tried again"
                             : "the data plane is not as it should be, what can be is put right",
        LOG_NUMBER("sasMissing", drift->bundles_missing),
        LOG_NUMBER("sasLeftOver", drift->bundles_left_over),
        LOG_NUMBER("policiesMissing", drift->filters_missing),
        LOG_NUMBER("policiesLeftOver", drift->filters_left_over),
        LOG_TEXT("contexts", buffer_text(&contexts)), LOG_TEXT("filters", buffer_text(&filters)),
        LOG_NUMBER("filtersRefused", check->refused),
        LOG_NUMBER("nextComparisonSeconds", (next_check(state) - state->clock_ms + 999) / 1000));
}

/* After a comparison: one that the plane did not answer leaves the doubt for later. */
static void
answer_doubt(struct plane_check *check, const struct plane_drift *before)
{
    bool has_drift = check->status == IPSEC_OK && differs(&check->drift);
    bool has_news = has_drift && !is_same(&check->drift, before);

    check->mends_in_vain = has_drift && !has_news;
    if (check->mends_in_vain && check->doubt == PLANE_DOUBT_SURE)
        check->sure_rest_ms = twice(check->sure_rest_ms);
    else if (check->status == IPSEC_OK && !check->mends_in_vain)
        check->sure_rest_ms = SHORTEST_REST_MS;
    if (has_news)
        check->doubt_rest_ms = SHORTEST_REST_MS;
    else if (check->doubt == PLANE_DOUBT_FAINT || check->status != IPSEC_OK || check->mends_in_vain)
        check->doubt_rest_ms = twice(check->doubt_rest_ms);
    if (check->status == IPSEC_OK)
        check->doubt = PLANE_DOUBT_NONE;
    else
        check->soon_ms = check->compared_clock_ms + check->doubt_rest_ms;
}

static int64_t
at_least(int64_t ms, int64_t least_ms)
{
    return ms < least_ms ? least_ms : ms;
}

static int64_t
twice(int64_t rest_ms)
{
    rest_ms = 2 * at_least(rest_ms, SHORTEST_REST_MS);
    return rest_ms > LONGEST_REST_MS ? LONGEST_REST_MS : rest_ms;
}

static void
compare(struct engine_state *state)
{
    const struct sa_database *database = &state->sa;
    struct plane_check *check = &state->plane_check;
    struct plane_drift drift = { .foreign = 0 };
    int64_t started_us = clock_monotonic_us();

    check->status = IPSEC_OK;
    if (database->plane_ops->find_drift != NULL)
        check->status = database->plane_ops->find_drift(database->plane, &drift);
    if (check->status == IPSEC_OK) {
        check->drift = drift;
        filter_plane_missed(state, &drift.names.filters_missing);
    } else {
        check->failures++;
    }
    check->checks++;
    check->took_us = clock_monotonic_us() - started_us;
    check->compared_at_ms = state->now_ms;
    check->compared_clock_ms = state->clock_ms;
    check->told_until_ms = state->clock_ms + check->took_us * CALLER_REST_FACTOR / 1000;
}

/* While contexts are asked for one after another, the plane knows only of a part of them. */
static enum ipsec_status
tell(struct ipsec_session *session,
     bool is_fresh,
     struct ipsec_drift *drift_out,
     struct ipsec_drift_names *names_out)
{
    struct engine_state *state = session->state;
    const struct plane_check *check = &state->plane_check;

    if (state->sa.resuming)
        return ipsec_fault_set(session->fault, IPSEC_RPC_SERVERCALL_RETRYLATER, IPSEC_FAULT_SERVICE,
                               NULL, "a comparison with the data plane is under way");
    if (is_fresh || check->told_until_ms <= state->clock_ms)
        compare(state);
    if (check->status != IPSEC_OK)
        return ipsec_fault_set(session->fault, check->status, IPSEC_FAULT_SERVICE, NULL,
                               "the data plane does not tell what it has");
    *drift_out = (struct ipsec_drift){
        .sas_missing = check->drift.bundles_missing,
        .sas_left_over = check->drift.bundles_left_over,
        .policies_missing = check->drift.filters_missing,
        .policies_left_over = check->drift.filters_left_over,
        .foreign = check->drift.foreign,
        .compared_at_ms = check->compared_at_ms,
    };
    if (names_out != NULL)
        *names_out = check->drift.names;
    return IPSEC_OK;
}

static bool
differs(const struct plane_drift *drift)
{
    return drift->bundles_missing > 0 || drift->bundles_left_over > 0 ||
           drift->filters_missing > 0 || drift->filters_left_over > 0;
}

/* Others may change what they have. */
static bool
is_same(const struct plane_drift *a, const struct plane_drift *b)
{
    return a->bundles_missing == b->bundles_missing &&
           a->bundles_left_over == b->bundles_left_over &&
           a->filters_missing == b->filters_missing && a->filters_left_over == b->filters_left_over;
}

/* Filters at once; contexts are asked for from the next batch on, which removes what is left over
 * too. */
static void
mend(struct engine_state *state)
{
    state->plane_check.repairs++;
    state->plane_check.told_until_ms = 0;
    state->plane_check.refused = filter_plane_install(state, false);
    if (state->sa.plane_ops->resume != NULL)
        sa_plane_ask_for_all(state);
}
