/* SPDX-License-Identifier: Apache-2.0
 *
 * due.c: see due.h. */
#include "engine/due.h"

#include <stddef.h>

#include "engine/plane_check.h"
#include "engine/sa_context.h"
#include "engine/session_due.h"

static const struct due_source *const sources[] = {
    &session_end_due,        &session_forget_due, &sa_context_due_source,
    &sa_plane_events_source, &plane_check_source,
};

int64_t
due_next(const struct engine_state *state, bool store_works)
{
    int64_t next_ms = DUE_NEVER;

    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        int64_t source_ms =
            sources[i]->stores && !store_works ? DUE_NEVER : sources[i]->next(state);

        next_ms = source_ms < next_ms ? source_ms : next_ms;
    }
    return next_ms;
}

void
due_run(struct engine_state *state, int64_t clock_ms, bool store_works)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if ((!sources[i]->stores || store_works) && sources[i]->next(state) <= clock_ms)
            sources[i]->run(state);
    }
}
