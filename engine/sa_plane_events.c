/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_plane_events.c: SAs that ended by themselves in the data plane end their contexts.
 *
 * The plane tells an end once.  When the change that it makes can't be made or kept -- no memory, a
 * batch that is taken back, ends that got lost on their way -- the plane is asked for every bundle
 * again, as after a start. */
#include <stddef.h>

#include "engine/base/log.h"
#include "engine/plane_check.h"
#include "engine/sa_context.h"
#include "engine/state.h"

/* How long an end may go unnoticed, or a change by somebody else.  Looking costs two system calls
 * that find nothing. */
enum { LOOK_MS = 100 };

static int64_t next_look(const struct engine_state *state);
static void look(struct engine_state *state);
static void end_sa(void *context, const struct plane_event *event);
static void undo_ends(struct engine_state *state, void *object, uint64_t number);

static const struct undo_ops ends_ops = { .undo = undo_ends };

const struct due_source sa_plane_events_source = {
    .next = next_look,
    .run = look,
    .stores = true,
};

static int64_t
next_look(const struct engine_state *state)
{
    return state->sa.plane_ops->read_events == NULL ? DUE_NEVER : state->sa.next_look_ms;
}

static void
look(struct engine_state *state)
{
    struct sa_database *database = &state->sa;

    database->next_look_ms = state->clock_ms + LOOK_MS;
    if (!database->plane_ops->read_events(database->plane, end_sa, state)) {
        log_warning("the data plane told too fast what has ended, comparing",
                    LOG_NUMBER("contexts", state->contexts.count));
        state->plane_check.overruns++;
        sa_plane_ask_for_all(state);
    }
    if (database->plane_ops->take_doubt != NULL)
        plane_check_doubt(state, database->plane_ops->take_doubt(database->plane));
}

static void
end_sa(void *context, const struct plane_event *event)
{
    struct engine_state *state = context;
    struct batch_mark mark = batch_mark(&state->batch);
    uint64_t revision = state->revision;

    /* The kernel was to end what the engine's own timer ended first: no change, nothing to undo. */
    if (batch_undo(&state->batch, &ends_ops, NULL, 0) &&
        sa_context_end_direction(state, event->context_id, (enum ipsec_direction)event->direction,
                                 IPSEC_REASON_LIFETIME))
        return;
    state_undo(state, mark);
    state->revision = revision;
    sa_plane_ask_for_all(state);
}

void
sa_plane_ask_for_all(struct engine_state *state)
{
    state->sa.resuming = state->sa.plane_ops->resume != NULL;
    state->sa.resumed = 0;
}

static void
undo_ends(struct engine_state *state, void *object, uint64_t number)
{
    (void)object;
    (void)number;
    sa_plane_ask_for_all(state);
}
