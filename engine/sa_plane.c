/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_plane.c: see sa_plane.h.
 *
 * Groups are applied in units: all groups of one call, unless the call takes refusals item by item.
 * Of a unit everything is added first; only when the plane took it all, what it replaces is
 * deleted.  So a refused unit can be taken back whole: what it added is deleted, and nothing else
 * has changed.  A later unit that builds on what a refused one did is refused with it. */
#include "engine/sa_plane.h"

#include <stddef.h>
#include <stdlib.h>

#include "engine/base/log.h"
#include "engine/number_map.h"
#include "engine/sa_context.h"
#include "engine/sa_database.h"
#include "engine/sa_labels.h"
#include "engine/state.h"

/* What refused units leave to those behind them. */
struct broken_ground {
    struct number_map contexts; /* id -> group + 1 */
    bool is_unknown;            /* for want of memory: nobody may build on anything */
};

static size_t end_of_unit(const struct plane_queue *queue, size_t first);
static bool stands_on(const struct broken_ground *ground,
                      const struct plane_queue *queue,
                      size_t first,
                      size_t end,
                      size_t *group_out);
static void break_ground(struct broken_ground *ground,
                         const struct plane_queue *queue,
                         size_t first,
                         size_t end);
static void apply_unit(struct engine_state *state, size_t first, size_t end);
static void apply_kind(struct engine_state *state,
                       size_t first_action,
                       size_t end,
                       bool deletes,
                       struct plane_action *scratch);
static const struct plane_action *
find_refused(const struct plane_queue *queue, size_t first_action, size_t end);
static void take_back(struct engine_state *state,
                      size_t first_action,
                      size_t end,
                      struct plane_action *scratch);
static void log_failed_deletes(const struct plane_action *actions, size_t count);
static void refuse_unit(struct plane_queue *queue,
                        size_t first,
                        size_t end,
                        enum ipsec_status status,
                        const char *reason,
                        size_t blamed);
static bool put_right(struct engine_state *state, const struct plane_basis *basis);

void
sa_plane_apply(struct engine_state *state, sa_plane_refused *refused, void *context)
{
    struct plane_queue *queue = &state->batch.plane;
    struct broken_ground ground = { .is_unknown = false };
    size_t broken = 0;
    size_t end;

    number_map_init(&ground.contexts);
    for (size_t first = 0; first < queue->group_count; first = end) {
        end = end_of_unit(queue, first);
        if (ground.is_unknown)
            refuse_unit(queue, first, end, IPSEC_RPC_OUT_OF_RESOURCES, NULL, 0);
        else if (stands_on(&ground, queue, first, end, &broken))
            refuse_unit(queue, first, end, queue->groups[broken].status,
                        queue->groups[broken].reason, 0);
        else
            apply_unit(state, first, end);
        if (queue->groups[first].refused)
            break_ground(&ground, queue, first, end);
    }
    number_map_clear(&ground.contexts);
    plane_queue_wipe(queue);

    /* The first that touched a context knows best what it was before: it comes last. */
    for (size_t i = queue->group_count; i > 0; i--) {
        const struct plane_group *group = &queue->groups[i - 1];

        if (!group->refused)
            continue;
        for (size_t j = plane_queue_last_basis(queue, i - 1); j > group->first_basis; j--) {
            const struct plane_basis basis = queue->bases[j - 1];

            if (!put_right(state, &basis))
                log_error("no memory to take back what the data plane refused",
                          LOG_NUMBER("saContextId", basis.id));
        }
        refused(context, group);
    }
}

static size_t
end_of_unit(const struct plane_queue *queue, size_t first)
{
    const struct ipsec_call *owner = queue->groups[first].owner;
    size_t end = first + 1;

    if (owner == NULL || owner->item_refused != NULL)
        return end;
    while (end < queue->group_count && queue->groups[end].owner == owner)
        end++;
    return end;
}

/* Whether a group was refused whose contexts the unit works on too. */
static bool
stands_on(const struct broken_ground *ground,
          const struct plane_queue *queue,
          size_t first,
          size_t end,
          size_t *group_out)
{
    for (size_t i = queue->groups[first].first_basis; i < plane_queue_last_basis(queue, end - 1);
         i++) {
        uint64_t found = number_map_find(&ground->contexts, queue->bases[i].id);

        *group_out = (size_t)found - 1;
        if (found != 0)
            return true;
    }
    return false;
}

static void
break_ground(struct broken_ground *ground,
             const struct plane_queue *queue,
             size_t first,
             size_t end)
{
    size_t first_basis = queue->groups[first].first_basis;
    size_t last_basis = plane_queue_last_basis(queue, end - 1);

    if (!number_map_reserve(&ground->contexts, last_basis - first_basis)) {
        ground->is_unknown = true;
        return;
    }
    for (size_t i = first_basis; i < last_basis; i++)
        number_map_add(&ground->contexts, queue->bases[i].id, first + 1);
}

static void
apply_unit(struct engine_state *state, size_t first, size_t end)
{
    struct plane_queue *queue = &state->batch.plane;
    size_t first_action = queue->groups[first].first_action;
    size_t last_action = plane_queue_last_action(queue, end - 1);
    struct plane_action few[8];
    struct plane_action *scratch = few;

    if (last_action - first_action > sizeof few / sizeof *few) {
        scratch = calloc(last_action - first_action, sizeof *scratch);
        if (scratch == NULL) {
            refuse_unit(queue, first, end, IPSEC_RPC_OUT_OF_RESOURCES, NULL, 0);
            return;
        }
    }
    apply_kind(state, first_action, last_action, false, scratch);
    const struct plane_action *refused = find_refused(queue, first_action, last_action);
    if (refused == NULL) {
        apply_kind(state, first_action, last_action, true, scratch);
    } else {
        refuse_unit(queue, first, end, refused->status, refused->reason,
                    (size_t)(refused - queue->actions) + 1);
        take_back(state, first_action, last_action, scratch);
    }
    if (scratch != few)
        free(scratch);
}

/* The deletes of the unit, or all else. */
static void
apply_kind(struct engine_state *state,
           size_t first_action,
           size_t end,
           bool deletes,
           struct plane_action *scratch)
{
    struct plane_action *actions = state->batch.plane.actions;
    size_t count = 0;

    for (size_t i = first_action; i < end; i++) {
        if ((actions[i].kind == PLANE_DELETE_BUNDLE) == deletes)
            scratch[count++] = actions[i];
    }
    if (count == 0)
        return;
    state->sa.plane_ops->apply(state->sa.plane, scratch, count);
    for (size_t i = 0; i < count; i++)
        state->plane_check.plane_failures += scratch[i].status != IPSEC_OK;
    if (deletes) {
        log_failed_deletes(scratch, count);
        return;
    }
    count = 0;
    for (size_t i = first_action; i < end; i++) {
        if (actions[i].kind == PLANE_DELETE_BUNDLE)
            continue;
        actions[i].status = scratch[count].status;
        actions[i].refused_sa = scratch[count].refused_sa;
        actions[i].reason = scratch[count++].reason;
    }
}

static const struct plane_action *
find_refused(const struct plane_queue *queue, size_t first_action, size_t end)
{
    for (size_t i = first_action; i < end; i++) {
        const struct plane_action *action = &queue->actions[i];

        if (action->kind != PLANE_DELETE_BUNDLE && action->status != IPSEC_OK)
            return action;
    }
    return NULL;
}

/* What the plane took of a unit that it did not take whole, the last first. */
static void
take_back(struct engine_state *state, size_t first_action, size_t end, struct plane_action *scratch)
{
    const struct plane_action *actions = state->batch.plane.actions;
    size_t count = 0;

    for (size_t i = end; i > first_action; i--) {
        const struct plane_action *action = &actions[i - 1];

        if (action->kind == PLANE_DELETE_BUNDLE || action->status != IPSEC_OK)
            continue;
        scratch[count] = (struct plane_action){ .kind = PLANE_DELETE_BUNDLE, .what = action->what };
        if (action->kind == PLANE_UPDATE_BUNDLE) {
            scratch[count].kind = PLANE_UPDATE_BUNDLE;
            scratch[count].what = action->was;
            scratch[count].was = action->what;
        }
        scratch[count].what.auth_keys = NULL;
        scratch[count++].what.cipher_keys = NULL;
    }
    if (count == 0)
        return;
    state->sa.plane_ops->apply(state->sa.plane, scratch, count);
    log_failed_deletes(scratch, count);
}

/* The contexts are gone already; what the plane keeps of them is left over. */
static void
log_failed_deletes(const struct plane_action *actions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (actions[i].status != IPSEC_OK)
            log_warning("the data plane can't remove an SA, which stays until the next comparison",
                        LOG_NUMBER("saContextId", actions[i].what.context_id),
                        LOG_TEXT("code", ipsec_status_name(actions[i].status)));
    }
}

static void
refuse_unit(struct plane_queue *queue,
            size_t first,
            size_t end,
            enum ipsec_status status,
            const char *reason,
            size_t blamed)
{
    for (size_t i = first; i < end; i++) {
        queue->groups[i].refused = true;
        queue->groups[i].status = status;
        queue->groups[i].reason = reason;
        queue->groups[i].blamed = blamed;
    }
}

/* What a refused group did to a context; what other calls did to it since stays. */
static bool
put_right(struct engine_state *state, const struct plane_basis *basis)
{
    const struct ipsec_sa_context *row = sa_find(state, basis->id);

    if (row == NULL)
        return true; /* deleted since */
    if (basis->before == NULL)
        return sa_delete(state, basis->id, IPSEC_REASON_PLANE, true) != NULL;

    struct ipsec_sa_context changed = *row;
    changed.outbound_traffic = basis->before->outbound_traffic;
    changed.state = basis->before->state;
    changed.due_at_ms = basis->before->due_at_ms;
    if (basis->before->inbound != row->inbound)
        changed.inbound = sa_bundle_ref(basis->before->inbound);
    if (basis->before->outbound != row->outbound)
        changed.outbound = sa_bundle_ref(basis->before->outbound);
    if (basis->sets_labels && row->labels == basis->labels && row->labels != basis->before->labels)
        changed.labels = sa_labels_ref(basis->before->labels);
    if (sa_set(state, &changed, IPSEC_REASON_PLANE) != NULL)
        return true;
    if (changed.inbound != row->inbound)
        sa_bundle_unref(changed.inbound);
    if (changed.outbound != row->outbound)
        sa_bundle_unref(changed.outbound);
    if (changed.labels != row->labels)
        sa_labels_unref(changed.labels);
    return false;
}
