/* SPDX-License-Identifier: Apache-2.0
 *
 * provider_context_policy.c: provider contexts as policy objects: how they come into force and go.
 */
#include <stdlib.h>

#include "engine/filter_table.h"
#include "engine/provider_context.h"
#include "engine/provider_context_check.h"
#include "engine/session.h"
#include "engine/state.h"

static enum ipsec_status commit_add(struct ipsec_session *session, struct policy_object *object);
static enum ipsec_status commit_delete(struct ipsec_session *session, struct policy_object *object);
static enum ipsec_status check_unused(struct ipsec_session *session,
                                      const struct policy_object *object);
static void discard(struct engine_state *state, struct policy_object *object, bool is_final);
static void undo_commit_delete(struct engine_state *state, void *object, uint64_t number);
static void settle_commit_delete(struct engine_state *state, void *object, uint64_t number);

const struct policy_ops provider_context_policy_ops = {
    .commit_add = commit_add,
    .commit_delete = commit_delete,
    .check_unused = check_unused,
    .discard = discard,
};
static const struct undo_ops commit_delete_ops = { .undo = undo_commit_delete,
                                                   .settle = settle_commit_delete };

enum ipsec_status
provider_context_load(struct engine_state *state,
                      const struct ipsec_provider_context *provider_context,
                      struct ipsec_fault *fault)
{
    struct provider_context_table *table = &state->provider_contexts;
    struct ipsec_fault flaw = { .status = IPSEC_OK };

    if (provider_context->id == 0 || provider_context->id > IPSEC_LUID_MAX ||
        provider_context->lifetime == IPSEC_LIFETIME_DYNAMIC ||
        provider_context_table_find(table, provider_context->id) != NULL ||
        provider_context_table_next_of(table, &provider_context->key, NULL) != NULL ||
        provider_context_check(provider_context, &flaw) != IPSEC_OK)
        return ipsec_fault_set(fault, IPSEC_RPC_INVALID_DATA, IPSEC_FAULT_SERVICE, NULL,
                               "the store holds a provider context %llu that is not valid%s%s",
                               (unsigned long long)provider_context->id,
                               flaw.status == IPSEC_OK ? "" : ": ", flaw.detail);

    const struct ipsec_provider_context *copy = provider_context_copy(provider_context);
    struct provider_context_entry *entry = copy == NULL ? NULL : provider_context_entry_new(copy);
    if (entry != NULL && provider_context_table_insert(table, entry)) {
        entry->object.ops = &provider_context_policy_ops;
        return IPSEC_OK;
    }
    provider_context_entry_free(entry);
    return ipsec_fault_set(fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "no memory for the provider contexts of the store");
}

/* Nothing goes by committed contexts but who looks one up. */
static enum ipsec_status
commit_add(struct ipsec_session *session, struct policy_object *object)
{
    const struct provider_context_entry *entry = (const struct provider_context_entry *)object;
    const struct store_change change = {
        .kind = STORE_PUT_PROVIDER_CONTEXT,
        .id = entry->provider_context->id,
        .provider_context = entry->provider_context,
    };

    if (object->owner == 0 && !batch_change(&session->state->batch, change))
        return session_no_memory(session);
    return IPSEC_OK;
}

static enum ipsec_status
commit_delete(struct ipsec_session *session, struct policy_object *object)
{
    struct provider_context_entry *entry = (struct provider_context_entry *)object;
    struct engine_state *state = session->state;
    const struct store_change change = {
        .kind = STORE_DELETE_PROVIDER_CONTEXT,
        .id = entry->provider_context->id,
    };

    if (!batch_reserve(&state->batch, 1) ||
        (object->owner == 0 && !batch_change(&state->batch, change)) ||
        !batch_undo(&state->batch, &commit_delete_ops, entry, 0))
        return session_no_memory(session);
    provider_context_table_remove(&state->provider_contexts, entry);
    state->revision++;
    return IPSEC_OK;
}

/* The filters of a tunnel refer to its own contexts alone, and go with them. */
static enum ipsec_status
check_unused(struct ipsec_session *session, const struct policy_object *object)
{
    const struct provider_context_entry *entry = (const struct provider_context_entry *)object;
    const struct filter_entry *user = entry->first_user;

    enum ipsec_status status = context_users_check_none(session, &entry->users, "provider context",
                                                        entry->provider_context->id);

    if (status != IPSEC_OK)
        return status;
    while (user != NULL && (user->tunnel != NULL || !policy_is_visible(session, &user->object)))
        user = user->user_link.next;
    if (user == NULL)
        return IPSEC_OK;
    return ipsec_fault_set(session->fault, IPSEC_IN_USE, IPSEC_FAULT_PATH, NULL,
                           "filter %llu refers to provider context %llu",
                           (unsigned long long)user->filter->id,
                           (unsigned long long)entry->provider_context->id);
}

static void
discard(struct engine_state *state, struct policy_object *object, bool is_final)
{
    struct provider_context_entry *entry = (struct provider_context_entry *)object;

    provider_context_table_remove(&state->provider_contexts, entry);
    if (is_final)
        provider_context_table_settle(&state->provider_contexts, entry);
    provider_context_entry_free(entry);
}

static void
undo_commit_delete(struct engine_state *state, void *object, uint64_t number)
{
    (void)number;
    provider_context_table_put_back(&state->provider_contexts, object);
}

static void
settle_commit_delete(struct engine_state *state, void *object, uint64_t number)
{
    struct provider_context_entry *entry = object;

    (void)number;
    provider_context_table_settle(&state->provider_contexts, entry);
    provider_context_entry_free(entry);
}
