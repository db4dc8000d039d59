/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_plane.h: filters that are in force are so in the data plane.
 *
 * Other than SAs, a filter is made before its batch is committed, in the call that adds it: what
 * the plane refuses then fails that call like any other reason, and a commit that fails takes it
 * back with the rest.  It is taken away after the commit.  So at no time less is protected than
 * either the old or the new policy says; after a crash in between the next start compares. */
#pragma once

#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/rank_table.h"
#include "engine/types.h"

struct engine_state;
struct filter_change;
struct ipsec_drift_ids;
struct ipsec_session;

struct filter_plane {
    struct rank_table ranks;
    struct filter_change *going; /* filters that go when the batch is committed */
};

void filter_plane_clear(struct filter_plane *plane);

/* Before anything changes: IPSEC_CALLOUT_NOTIFICATION_FAILED for what the plane can't express.
 * 'policy' is the provider context that the filter names; null: none. */
NODISCARD enum ipsec_status filter_plane_check(struct ipsec_session *session,
                                               const struct ipsec_filter *filter,
                                               const struct ipsec_provider_context *policy);

/* It comes into force; takes the place of a filter with the same conditions that goes in the same
 * batch.  Undone with the batch.  On failure nothing has changed.  A dry run asks the plane, and is
 * told what it would say. */
NODISCARD enum ipsec_status filter_plane_add(struct ipsec_session *session,
                                             const struct ipsec_filter *filter);
/* It goes with the batch; called before whatever frees it when the batch is final.  Only for want
 * of memory this fails. */
NODISCARD enum ipsec_status filter_plane_delete(struct ipsec_session *session,
                                                const struct ipsec_filter *filter);

/* Makes all filters in force so, whatever the plane has of them: at the start, when the store is
 * loaded, and to repair.  Returns how many the plane refused.  One that it begins to refuse is
 * logged, and one that it takes again. */
uint64_t filter_plane_install(struct engine_state *state, bool is_start);
/* A comparison missed these; when none, it missed no filter. */
void filter_plane_missed(struct engine_state *state, const struct ipsec_drift_ids *missed);
