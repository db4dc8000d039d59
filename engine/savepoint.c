/* SPDX-License-Identifier: Apache-2.0
 *
 * savepoint.c: parts of a call that may fail while the call goes on. */
#include "engine/engine.h"
#include "engine/session.h"
#include "engine/state.h"

struct ipsec_savepoint
ipsec_session_savepoint(struct ipsec_session *session, uint32_t item)
{
    struct engine_state *state = session->state;
    struct batch_mark mark = batch_mark(&state->batch);

    state->batch.plane.item = item;
    return (struct ipsec_savepoint){
        .marks = { mark.change_count, mark.undo_count, mark.event_count, mark.plane.action_count,
                   mark.plane.basis_count, mark.plane.group_count },
        .last_luid = state->luids.last,
        .revision = state->revision,
    };
}

void
ipsec_session_rollback(struct ipsec_session *session, const struct ipsec_savepoint *savepoint)
{
    struct engine_state *state = session->state;

    state_undo(state, (struct batch_mark){
                          .change_count = savepoint->marks[0],
                          .undo_count = savepoint->marks[1],
                          .event_count = savepoint->marks[2],
                          .plane = { .action_count = savepoint->marks[3],
                                     .basis_count = savepoint->marks[4],
                                     .group_count = savepoint->marks[5] },
                      });
    state->luids.last = savepoint->last_luid;
    state->revision = savepoint->revision;
}
