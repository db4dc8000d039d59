/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_policy.c: filters as policy objects: how they come into force and go. */
#include <stdlib.h>

#include "engine/filter.h"
#include "engine/filter_check.h"
#include "engine/filter_plane.h"
#include "engine/guid.h"
#include "engine/provider_context.h"
#include "engine/session.h"
#include "engine/state.h"

static enum ipsec_status commit_add(struct ipsec_session *session, struct policy_object *object);
static enum ipsec_status commit_delete(struct ipsec_session *session, struct policy_object *object);
static enum ipsec_status check_unused(struct ipsec_session *session,
                                      const struct policy_object *object);
static void discard(struct engine_state *state, struct policy_object *object, bool is_final);
static struct filter_entry *entry_of(struct policy_object *object);
static bool put_in_force(struct engine_state *state, struct filter_entry *entry);
static void take_out_of_force(struct engine_state *state, struct filter_entry *entry);
static bool may_be_mirrored(const struct ipsec_filter *filter);
static enum ipsec_status check_stored(const struct ipsec_filter *filter,
                                      const struct provider_context_entry *context,
                                      const struct provider_context_entry *tunnel,
                                      struct ipsec_fault *fault);
static void undo_commit_add(struct engine_state *state, void *object, uint64_t number);
static void undo_commit_delete(struct engine_state *state, void *object, uint64_t number);
static void settle_commit_delete(struct engine_state *state, void *object, uint64_t number);

const struct policy_ops filter_policy_ops = {
    .commit_add = commit_add,
    .commit_delete = commit_delete,
    .check_unused = check_unused,
    .discard = discard,
};
static const struct undo_ops commit_add_ops = { .undo = undo_commit_add };
static const struct undo_ops commit_delete_ops = { .undo = undo_commit_delete,
                                                   .settle = settle_commit_delete };

struct filter_entry *
filter_find_committed(const struct engine_state *state, uint64_t id)
{
    struct filter_entry *entry = filter_table_find(&state->filters, id);

    return entry == NULL || !policy_is_committed(&entry->object) ? NULL : entry;
}

const struct ipsec_condition *
filter_condition(const struct ipsec_filter *filter, enum ipsec_condition_field field)
{
    for (size_t i = 0; i < filter->condition_count; i++) {
        if (filter->conditions[i].field == field)
            return &filter->conditions[i];
    }
    return NULL;
}

enum ipsec_status
filter_load(struct engine_state *state,
            const struct ipsec_filter *filter,
            struct ipsec_fault *fault)
{
    struct provider_context_entry *context =
        provider_context_find_committed(state, filter->provider_context_id);
    struct provider_context_entry *tunnel =
        provider_context_find_committed(state, filter->tunnel_id);
    struct ipsec_fault flaw = { .status = IPSEC_OK };

    if (filter->id == 0 || filter->id > IPSEC_LUID_MAX ||
        filter->lifetime == IPSEC_LIFETIME_DYNAMIC ||
        filter_table_find(&state->filters, filter->id) != NULL ||
        filter_table_next_of(&state->filters, &filter->key, NULL) != NULL ||
        check_stored(filter, context, tunnel, &flaw) != IPSEC_OK)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store holds a filter %llu that is not valid%s%s",
                               (unsigned long long)filter->id, flaw.status == IPSEC_OK ? "" : ": ",
                               flaw.detail);

    const struct ipsec_filter *copy = filter_copy(filter);
    struct filter_entry *entry = copy == NULL ? NULL : filter_entry_new(copy);
    if (entry != NULL) {
        entry->provider_context = context;
        entry->tunnel = tunnel;
    }
    bool is_in_table = entry != NULL && filter_table_insert(&state->filters, entry);
    if (is_in_table && put_in_force(state, entry)) {
        entry->object.ops = &filter_policy_ops;
        return IPSEC_OK;
    }
    if (!is_in_table)
        filter_entry_free(entry);
    return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "no memory for the filters of the store");
}

/* --- Coming and going --- */

static enum ipsec_status
commit_add(struct ipsec_session *session, struct policy_object *object)
{
    struct engine_state *state = session->state;
    struct filter_entry *entry = entry_of(object);
    bool is_stored = object->owner == 0;

    bool is_explicit = session->transaction == IPSEC_WRITE_TRANSACTION;

    if (may_be_mirrored(entry->filter) && !classify_has_room(&state->classify, entry->filter))
        return ipsec_fault_set(session->fault, IPSEC_RPC_OUT_OF_RESOURCES,
                               is_explicit ? IPSEC_FAULT_SERVICE : IPSEC_FAULT_BODY,
                               is_explicit ? NULL : "/conditions",
                               "no room for the conditions of filter %llu: a layer has %d "
                               "combinations of fields and prefix lengths, and of each %d filters "
                               "that compare more than these",
                               (unsigned long long)entry->filter->id, CLASSIFY_SHAPES_MAXIMUM,
                               CLASSIFY_INEXACT_MAXIMUM);
    if (!batch_reserve(&state->batch, 2) || !put_in_force(state, entry))
        return session_no_memory(session);
    enum ipsec_status status = filter_plane_add(session, entry->filter);
    if (status != IPSEC_OK) {
        undo_commit_add(state, entry, 0);
        return status;
    }
    if ((is_stored &&
         !batch_change(&state->batch, (struct store_change){ .kind = STORE_PUT_FILTER,
                                                             .filter = entry->filter })) ||
        !batch_undo(&state->batch, &commit_add_ops, entry, 0))
        abort(); /* the room was reserved */
    return IPSEC_OK;
}

static enum ipsec_status
commit_delete(struct ipsec_session *session, struct policy_object *object)
{
    struct engine_state *state = session->state;
    struct filter_entry *entry = entry_of(object);
    bool is_stored = object->owner == 0;
    enum ipsec_status status = filter_plane_delete(session, entry->filter);

    if (status != IPSEC_OK)
        return status;
    if (!batch_reserve(&state->batch, 1) ||
        (is_stored &&
         !batch_change(&state->batch, (struct store_change){ .kind = STORE_DELETE_FILTER,
                                                             .id = entry->filter->id })) ||
        !batch_undo(&state->batch, &commit_delete_ops, entry, 0))
        return session_no_memory(session);
    take_out_of_force(state, entry);
    filter_table_remove(&state->filters, entry);
    state->revision++;
    return IPSEC_OK;
}

static enum ipsec_status
check_unused(struct ipsec_session *session, const struct policy_object *object)
{
    const struct filter_entry *entry = (const struct filter_entry *)object;

    return context_users_check_none(session, &entry->users, "filter", entry->filter->id);
}

static void
discard(struct engine_state *state, struct policy_object *object, bool is_final)
{
    struct filter_entry *entry = entry_of(object);

    filter_table_remove(&state->filters, entry);
    if (is_final)
        filter_table_settle(&state->filters, entry);
    filter_entry_free(entry);
}

static struct filter_entry *
entry_of(struct policy_object *object)
{
    return (struct filter_entry *)object;
}

/* From here on traffic goes by it.  False: no memory. */
static bool
put_in_force(struct engine_state *state, struct filter_entry *entry)
{
    if (may_be_mirrored(entry->filter) &&
        !classify_add(&state->classify, &entry->node, entry->filter))
        return false;
    state->filters.committed_count++;
    return true;
}

/* Its place in the classifier is kept, to be restored or released. */
static void
take_out_of_force(struct engine_state *state, struct filter_entry *entry)
{
    if (entry->node.cell != NULL)
        classify_remove(&state->classify, &entry->node);
    state->filters.committed_count--;
    state->filters.unenforced_count -= entry->enforcement != FILTER_ENFORCED;
}

static void
undo_commit_add(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_entry *entry = object;

    (void)number;
    take_out_of_force(state, entry);
    if (entry->node.cell != NULL)
        classify_release(&state->classify, &entry->node);
}

static void
undo_commit_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_entry *entry = object;

    (void)number;
    filter_table_put_back(&state->filters, entry);
    if (entry->node.cell != NULL)
        classify_restore(&state->classify, &entry->node);
    state->filters.committed_count++;
    state->filters.unenforced_count += entry->enforcement != FILTER_ENFORCED;
}

static void
settle_commit_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct filter_entry *entry = object;

    (void)number;
    filter_table_settle(&state->filters, entry);
    if (entry->node.cell != NULL)
        classify_release(&state->classify, &entry->node);
    filter_entry_free(entry);
}

/* An SA context outlives every session, so it refers to nothing dynamic. */
static bool
may_be_mirrored(const struct ipsec_filter *filter)
{
    return filter->lifetime != IPSEC_LIFETIME_DYNAMIC &&
           (filter->callout == IPSEC_CALLOUT_INBOUND_TRANSPORT_V4 ||
            filter->callout == IPSEC_CALLOUT_INBOUND_TRANSPORT_V6);
}

static enum ipsec_status
check_stored(const struct ipsec_filter *filter,
             const struct provider_context_entry *context,
             const struct provider_context_entry *tunnel,
             struct ipsec_fault *fault)
{
    enum ipsec_status status = filter_check_values(filter, fault);

    if (status == IPSEC_OK)
        status =
            filter_check_meaning(filter, context == NULL ? NULL : context->provider_context, fault);
    if (status != IPSEC_OK)
        return status;
    if (guid_is_zero(&filter->provider_context_key)
            ? filter->provider_context_id != 0
            : context == NULL ||
                  !guid_equal(&context->provider_context->key, &filter->provider_context_key))
        return ipsec_fault_set(fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_SERVICE, NULL,
                               "it names a provider context that is not there");
    if (filter->tunnel_id != 0 && (tunnel == NULL || !tunnel->provider_context->is_tunnel))
        return ipsec_fault_set(fault, IPSEC_PROVIDER_CONTEXT_NOT_FOUND, IPSEC_FAULT_SERVICE, NULL,
                               "it is part of a tunnel that is not there");
    return IPSEC_OK;
}
