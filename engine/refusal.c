/* SPDX-License-Identifier: Apache-2.0
 *
 * refusal.c: see refusal.h. */
#include "engine/refusal.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/sa_database.h"
#include "engine/sa_plane.h"
#include "engine/state.h"

struct batch_calls {
    struct engine_state *state;
    struct batch_call *calls;
    size_t count;
};

static void refuse(void *context, const struct plane_group *group);
static void blame(const struct plane_queue *queue,
                  const struct plane_group *group,
                  const struct ipsec_call *call,
                  struct ipsec_fault *fault);
static struct batch_call *mark_refused(const struct batch_calls *batch,
                                       const struct ipsec_call *call);
static void take_back_contexts(struct engine_state *state, const struct batch_call *batch_call);
static void answer_repeats(const struct batch_calls *batch, size_t first);

void
refusal_apply(struct engine_state *state, struct batch_call *calls, size_t call_count)
{
    struct batch_calls batch = { .state = state, .calls = calls, .count = call_count };

    sa_plane_apply(state, refuse, &batch);
    for (size_t i = 0; i < call_count; i++) {
        if (!calls[i].refused)
            continue;
        call_answer_again(state, calls[i].call);
        answer_repeats(&batch, i);
    }
}

static void
refuse(void *context, const struct plane_group *group)
{
    const struct batch_calls *batch = context;
    struct ipsec_call *call = group->owner;
    struct ipsec_fault fault;

    (void)!ipsec_fault_set(
        &fault, group->status, IPSEC_FAULT_SERVICE, NULL, "the data plane refuses the SA: %s",
        group->reason != NULL ? group->reason : ipsec_status_text(group->status));
    if (call == NULL) {
        log_warning("the data plane refuses what the engine wants of it",
                    LOG_TEXT("code", ipsec_status_name(fault.status)),
                    LOG_TEXT("reason", fault.detail));
        return;
    }
    blame(&batch->state->batch.plane, group, call, &fault);
    const struct batch_call *batch_call = mark_refused(batch, call);
    if (call->item_refused != NULL) {
        call->item_refused(call, group->item, &fault);
        return;
    }
    take_back_contexts(batch->state, batch_call);
    call_refuse(batch->state, call, &fault);
}

/* Where in the body of the call the SA stands that the plane refused: a context that the call makes
 * has its bundles in it, one that was there before gets a bundle that is the body. */
static void
blame(const struct plane_queue *queue,
      const struct plane_group *group,
      const struct ipsec_call *call,
      struct ipsec_fault *fault)
{
    const struct plane_action *action = NULL;
    const char *bundle = "";
    size_t at = 0;

    if (group->blamed == 0 || queue->actions[group->blamed - 1].refused_sa == 0)
        return;
    action = &queue->actions[group->blamed - 1];
    while (plane_queue_last_action(queue, at) < group->blamed)
        at++;
    if (queue->bases[queue->groups[at].first_basis].before == NULL)
        bundle = action->what.direction == IPSEC_DIRECTION_INBOUND ? "/inbound" : "/outbound";
    fault->place = IPSEC_FAULT_BODY;
    (void)snprintf(fault->pointer, sizeof fault->pointer, "%s/saList/%d%s", bundle,
                   action->refused_sa - 1, fault->status == IPSEC_ALREADY_EXISTS ? "/spi" : "");
    if (call->point_to_item != NULL)
        (void)!call->point_to_item(fault, queue->groups[at].item);
}

static struct batch_call *
mark_refused(const struct batch_calls *batch, const struct ipsec_call *call)
{
    struct batch_call *batch_call = batch->calls;

    while (batch_call->call != call)
        batch_call++;
    batch_call->refused = true;
    return batch_call;
}

/* A call fails as a whole: the contexts that it made and that ask nothing of the plane go, too. */
static void
take_back_contexts(struct engine_state *state, const struct batch_call *batch_call)
{
    for (size_t i = batch_call->last_change; i > batch_call->first_change; i--) {
        const struct store_change *change = &state->batch.changes[i - 1];

        if (change->kind != STORE_PUT_SA_CONTEXT)
            continue;
        uint64_t id = change->sa_context->id;
        if (sa_find(state, id) != NULL && sa_delete(state, id, IPSEC_REASON_PLANE, true) == NULL)
            log_error("no memory to take back what the data plane refused",
                      LOG_NUMBER("saContextId", id));
    }
}

/* What was repeated in the same batch gets the answer that holds. */
static void
answer_repeats(const struct batch_calls *batch, size_t first)
{
    const struct ipsec_call *call = batch->calls[first].call;

    for (size_t i = first + 1; call->replay.wanted && i < batch->count; i++) {
        struct ipsec_call *later = batch->calls[i].call;

        if (later->replay.replayed && memcmp(later->replay.key_digest, call->replay.key_digest,
                                             sizeof call->replay.key_digest) == 0)
            call_repeat_again(later, call);
    }
}
