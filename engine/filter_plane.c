/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_plane.c: see filter_plane.h. */
#include "engine/filter_plane.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "engine/base/log.h"
#include "engine/engine.h"
#include "engine/filter_table.h"
#include "engine/plane/plane.h"
#include "engine/session.h"
#include "engine/state.h"

/* Filters of which one pass says that they are refused: the log is not to be of nothing else. */
#define LINES_MAX 20

/* One that was added, or one that goes.  Lives as long as the batch, and so does what it points to.
 */
struct filter_change {
    struct plane_filter what;
    uint64_t replaced[PLANE_FILTER_POLICIES_MAX];
    struct filter_change *next; /* among those that go */
};

static enum ipsec_status refuse(struct ipsec_session *session, const struct plane_action *action);
static bool is_rehearsal(const struct ipsec_session *session);
static enum ipsec_status rehearse_add(struct ipsec_session *session, struct filter_change *change);
static struct plane_filter describe(const struct engine_state *state,
                                    const struct ipsec_filter *filter);
static struct filter_change *change_new(struct engine_state *state,
                                        const struct ipsec_filter *filter);
static struct plane_action
apply(struct engine_state *state, enum plane_action_kind kind, const struct plane_filter *what);
static bool apply_or_log(struct engine_state *state,
                         enum plane_action_kind kind,
                         const struct plane_filter *what);
static void renumber(struct engine_state *state);
static void set_enforcement(struct engine_state *state,
                            struct filter_entry *entry,
                            enum filter_enforcement enforcement);
static void tell(const struct filter_entry *entry, const struct plane_action *action);
static void unlink_going(struct engine_state *state, const struct filter_change *change);
static void undo_add(struct engine_state *state, void *object, uint64_t number);
static void undo_delete(struct engine_state *state, void *object, uint64_t number);
static void settle_delete(struct engine_state *state, void *object, uint64_t number);
static void undo_rehearsal(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops add_ops = { .undo = undo_add };
static const struct undo_ops delete_ops = { .undo = undo_delete, .settle = settle_delete };
static const struct undo_ops rehearsal_ops = { .undo = undo_rehearsal };

void
filter_plane_clear(struct filter_plane *plane)
{
    rank_table_clear(&plane->ranks);
}

enum ipsec_status
filter_plane_check(struct ipsec_session *session,
                   const struct ipsec_filter *filter,
                   const struct ipsec_provider_context *policy)
{
    const struct sa_database *database = &session->state->sa;
    const struct plane_filter what = { .filter = filter, .policy = policy };

    if (database->plane_ops->check_filter == NULL)
        return IPSEC_OK;
    return database->plane_ops->check_filter(database->plane, &what, session->fault);
}

enum ipsec_status
filter_plane_add(struct ipsec_session *session, const struct ipsec_filter *filter)
{
    struct engine_state *state = session->state;
    struct rank_table *ranks = &state->filter_plane.ranks;
    bool renumbered = false;

    struct filter_change *change = change_new(state, filter);
    if (change != NULL && is_rehearsal(session))
        return rehearse_add(session, change);
    if (change == NULL ||
        !rank_table_take(ranks, filter->effective_weight, &change->what.rank, &renumbered))
        return session_no_memory(session);
    if (renumbered)
        renumber(state);
    struct plane_action action = apply(state, PLANE_ADD_FILTER, &change->what);
    if (action.status != IPSEC_OK) {
        rank_table_release(ranks, filter->effective_weight);
        return refuse(session, &action);
    }
    for (size_t i = 0; i < PLANE_FILTER_POLICIES_MAX; i++)
        change->replaced[i] = action.replaced[i];
    if (!batch_undo(&state->batch, &add_ops, change, 0))
        abort(); /* the room was reserved */
    return IPSEC_OK;
}

enum ipsec_status
filter_plane_delete(struct ipsec_session *session, const struct ipsec_filter *filter)
{
    struct engine_state *state = session->state;

    struct filter_change *change = change_new(state, filter);
    if (change == NULL)
        return session_no_memory(session);
    change->what.rank = rank_table_find(&state->filter_plane.ranks, filter->effective_weight);
    (void)apply_or_log(state, PLANE_RELEASE_FILTER, &change->what);
    if (is_rehearsal(session)) {
        if (!batch_undo(&state->batch, &rehearsal_ops, change, 0))
            abort(); /* the room was reserved */
        return IPSEC_OK;
    }
    change->next = state->filter_plane.going;
    state->filter_plane.going = change;
    if (!batch_undo(&state->batch, &delete_ops, change, 0))
        abort(); /* the room was reserved */
    return IPSEC_OK;
}

uint64_t
filter_plane_install(struct engine_state *state, bool is_start)
{
    struct id_table_cursor cursor = id_table_seek(&state->filters.ids, 0);
    const struct filter_row *row;
    uint64_t refused = 0;
    bool renumbered = false;

    while ((row = id_table_next(&state->filters.ids, &cursor)) != NULL) {
        const struct ipsec_filter *filter = row->entry->filter;
        struct plane_filter what = describe(state, filter);

        if (!policy_is_committed(&row->entry->object))
            continue;
        if (is_start) {
            bool moved = false;

            if (!rank_table_take(&state->filter_plane.ranks, filter->effective_weight, &what.rank,
                                 &moved))
                return UINT64_MAX;
            renumbered = renumbered || moved;
        }
        what.rank = rank_table_find(&state->filter_plane.ranks, filter->effective_weight);
        what.is_stored = true;
        struct plane_action action = apply(state, PLANE_ADD_FILTER, &what);
        refused += action.status != IPSEC_OK;
        tell(row->entry, &action);
        set_enforcement(state, row->entry,
                        action.status == IPSEC_OK ? FILTER_ENFORCED : FILTER_REFUSED);
    }
    if (renumbered)
        renumber(state);
    return refused;
}

void
filter_plane_missed(struct engine_state *state, const struct ipsec_drift_ids *missed)
{
    struct id_table_cursor cursor = id_table_seek(&state->filters.ids, 0);
    const struct filter_row *row;

    for (size_t i = 0; i < missed->count; i++) {
        struct filter_entry *entry = filter_table_find(&state->filters, missed->ids[i]);

        if (entry != NULL && policy_is_committed(&entry->object) &&
            entry->enforcement == FILTER_ENFORCED)
            set_enforcement(state, entry, FILTER_MISSED);
    }
    while (missed->count == 0 && state->filters.unenforced_count > 0 &&
           (row = id_table_next(&state->filters.ids, &cursor)) != NULL) {
        if (policy_is_committed(&row->entry->object))
            set_enforcement(state, row->entry, FILTER_ENFORCED);
    }
}

/* --- Helpers --- */

static void
set_enforcement(struct engine_state *state,
                struct filter_entry *entry,
                enum filter_enforcement enforcement)
{
    state->filters.unenforced_count -= entry->enforcement != FILTER_ENFORCED;
    entry->enforcement = (uint8_t)enforcement;
    state->filters.unenforced_count += entry->enforcement != FILTER_ENFORCED;
}

/* What came of making it once more, when that is news. */
static void
tell(const struct filter_entry *entry, const struct plane_action *action)
{
    static struct log_limit refusals;
    static struct log_limit successes;
    bool was_refused = entry->enforcement == FILTER_REFUSED;

    if (action->status == IPSEC_OK && was_refused && log_limit_pass(&successes, LINES_MAX) >= 0)
        log_info("the data plane enforces a filter that it refused before",
                 LOG_NUMBER("filterId", entry->filter->id));
    if (action->status != IPSEC_OK && !was_refused && log_limit_pass(&refusals, LINES_MAX) >= 0)
        log_error("the data plane does not enforce a filter; each comparison tries it again",
                  LOG_NUMBER("filterId", entry->filter->id), LOG_TEXT("name", entry->filter->name),
                  LOG_TEXT("code", ipsec_status_name(action->status)),
                  LOG_TEXT("reason", action->holder != 0 || action->reason == NULL
                                         ? ipsec_status_text(action->status)
                                         : action->reason));
}

static enum ipsec_status
refuse(struct ipsec_session *session, const struct plane_action *action)
{
    if (action->holder != 0)
        return ipsec_fault_set(session->fault, action->status, IPSEC_FAULT_BODY, "/conditions",
                               "the data plane refuses the filter: filter %" PRIu64
                               " decides on packets of just these conditions",
                               action->holder);
    return ipsec_fault_set(session->fault, action->status, IPSEC_FAULT_BODY,
                           action->status == IPSEC_ALREADY_EXISTS ? "/conditions" : NULL,
                           "the data plane refuses the filter: %s",
                           action->reason != NULL ? action->reason
                                                  : ipsec_status_text(action->status));
}

/* A dry run says what would be, and changes nothing in the plane. */
static bool
is_rehearsal(const struct ipsec_session *session)
{
    return session->call != NULL && session->call->dry_run;
}

static enum ipsec_status
rehearse_add(struct ipsec_session *session, struct filter_change *change)
{
    struct engine_state *state = session->state;
    struct plane_action action = apply(state, PLANE_TRY_FILTER, &change->what);

    if (action.status != IPSEC_OK)
        return refuse(session, &action);
    if (!batch_undo(&state->batch, &rehearsal_ops, change, 0))
        abort(); /* the room was reserved */
    return IPSEC_OK;
}

static struct plane_filter
describe(const struct engine_state *state, const struct ipsec_filter *filter)
{
    const struct provider_context_entry *entry =
        provider_context_table_find(&state->provider_contexts, filter->provider_context_id);

    return (struct plane_filter){
        .filter = filter,
        .policy = entry == NULL ? NULL : entry->provider_context,
    };
}

/* With room in the batch for its undo entry; null: no memory. */
static struct filter_change *
change_new(struct engine_state *state, const struct ipsec_filter *filter)
{
    const struct filter_change change = { .what = describe(state, filter) };

    return batch_reserve(&state->batch, 1) ? batch_copy(&state->batch, &change, sizeof change)
                                           : NULL;
}

static struct plane_action
apply(struct engine_state *state, enum plane_action_kind kind, const struct plane_filter *what)
{
    struct plane_action action = { .kind = kind, .filter = *what };

    state->sa.plane_ops->apply(state->sa.plane, &action, 1);
    if (action.status != IPSEC_OK && kind != PLANE_UPDATE_FILTER && kind != PLANE_TRY_FILTER)
        state->plane_check.plane_failures++;
    return action;
}

static bool
apply_or_log(struct engine_state *state,
             enum plane_action_kind kind,
             const struct plane_filter *what)
{
    struct plane_action action = apply(state, kind, what);

    if (action.status != IPSEC_OK)
        log_error("the data plane can't change a filter, which is left to the next comparison",
                  LOG_NUMBER("filterId", what->filter->id),
                  LOG_TEXT("code", ipsec_status_name(action.status)),
                  LOG_TEXT("reason", action.reason == NULL ? "" : action.reason));
    return action.status == IPSEC_OK;
}

/* All filters in force, to the ranks that they have now. */
static void
renumber(struct engine_state *state)
{
    struct id_table_cursor cursor = id_table_seek(&state->filters.ids, 0);
    const struct filter_row *row;

    while ((row = id_table_next(&state->filters.ids, &cursor)) != NULL) {
        const struct ipsec_filter *filter = row->entry->filter;
        struct plane_filter what = describe(state, filter);

        if (!policy_is_committed(&row->entry->object))
            continue;
        what.rank = rank_table_find(&state->filter_plane.ranks, filter->effective_weight);
        /* One that is just being added is not there yet. */
        (void)apply(state, PLANE_UPDATE_FILTER, &what);
    }
}

static void
unlink_going(struct engine_state *state, const struct filter_change *change)
{
    struct filter_change **link = &state->filter_plane.going;

    while (*link != change)
        link = &(*link)->next;
    *link = change->next;
}

/* --- Undoing --- */

/* Whose place it took gets it back first, in one step. */
static void
undo_add(struct engine_state *state, void *object, uint64_t number)
{
    const struct filter_change *change = object;

    (void)number;
    (void)apply_or_log(state, PLANE_RELEASE_FILTER, &change->what);
    for (const struct filter_change *going = state->filter_plane.going; going != NULL;
         going = going->next) {
        for (size_t i = 0; i < PLANE_FILTER_POLICIES_MAX; i++) {
            if (change->replaced[i] == going->what.filter->id) {
                (void)apply_or_log(state, PLANE_ADD_FILTER, &going->what);
                (void)apply_or_log(state, PLANE_RELEASE_FILTER, &going->what);
            }
        }
    }
    (void)apply_or_log(state, PLANE_DELETE_FILTER, &change->what);
    rank_table_release(&state->filter_plane.ranks, change->what.filter->effective_weight);
}

static void
undo_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_change *change = object;

    (void)number;
    unlink_going(state, change);
    change->what.rank =
        rank_table_find(&state->filter_plane.ranks, change->what.filter->effective_weight);
    bool is_back = apply_or_log(state, PLANE_ADD_FILTER, &change->what);
    struct filter_entry *entry = filter_table_find(&state->filters, change->what.filter->id);
    if (!is_back && entry != NULL)
        set_enforcement(state, entry, FILTER_REFUSED);
}

static void
settle_delete(struct engine_state *state, void *object, uint64_t number)
{
    const struct filter_change *change = object;

    (void)number;
    unlink_going(state, change);
    (void)apply_or_log(state, PLANE_DELETE_FILTER, &change->what);
    rank_table_release(&state->filter_plane.ranks, change->what.filter->effective_weight);
}

/* Of an add or a delete: the plane forgets that it was said. */
static void
undo_rehearsal(struct engine_state *state, void *object, uint64_t number)
{
    const struct filter_change *change = object;

    (void)number;
    (void)apply_or_log(state, PLANE_KEEP_FILTER, &change->what);
}
