/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_queue.c: see plane_queue.h. */
#include "engine/plane_queue.h"

#include <stdlib.h>

static void wipe_action(struct plane_action *action);
static struct plane_keys *copy_keys(const struct ipsec_sa_bundle_input *input);
static void free_keys(struct plane_keys *keys);
static bool grow(void **entries, size_t *capacity, size_t count, size_t entry_size);

void
plane_queue_clear(struct plane_queue *queue)
{
    plane_queue_cut(queue, (struct plane_queue_mark){ .action_count = 0 });
    free(queue->actions);
    free(queue->bases);
    free(queue->groups);
    *queue = (struct plane_queue){ .action_count = 0 };
}

struct plane_queue_mark
plane_queue_mark(const struct plane_queue *queue)
{
    return (struct plane_queue_mark){
        .action_count = queue->action_count,
        .basis_count = queue->basis_count,
        .group_count = queue->group_count,
    };
}

void
plane_queue_cut(struct plane_queue *queue, struct plane_queue_mark mark)
{
    while (queue->action_count > mark.action_count)
        wipe_action(&queue->actions[--queue->action_count]);
    queue->basis_count = mark.basis_count;
    queue->group_count = mark.group_count;
}

void
plane_queue_wipe(struct plane_queue *queue)
{
    for (size_t i = 0; i < queue->action_count; i++)
        wipe_action(&queue->actions[i]);
}

bool
plane_queue_begin(struct plane_queue *queue)
{
    void *groups = queue->groups;

    if (!grow(&groups, &queue->group_capacity, queue->group_count, sizeof *queue->groups))
        return false;
    queue->groups = groups;
    queue->groups[queue->group_count++] = (struct plane_group){
        .owner = queue->owner,
        .item = queue->item,
        .first_action = queue->action_count,
        .first_basis = queue->basis_count,
    };
    return true;
}

bool
plane_queue_add_basis(struct plane_queue *queue, uint64_t id, const struct ipsec_sa_context *before)
{
    void *bases = queue->bases;

    if (!grow(&bases, &queue->basis_capacity, queue->basis_count, sizeof *queue->bases))
        return false;
    queue->bases = bases;
    queue->bases[queue->basis_count++] = (struct plane_basis){ .id = id, .before = before };
    return true;
}

bool
plane_queue_add_action(struct plane_queue *queue,
                       const struct plane_action *action,
                       const struct ipsec_sa_bundle_input *input)
{
    void *actions = queue->actions;

    if (!grow(&actions, &queue->action_capacity, queue->action_count, sizeof *queue->actions))
        return false;
    queue->actions = actions;
    struct plane_keys *keys = NULL;
    if (input != NULL) {
        keys = copy_keys(input);
        if (keys == NULL)
            return false;
    }
    struct plane_action *added = &queue->actions[queue->action_count++];
    *added = *action;
    added->what.auth_keys = keys == NULL ? NULL : keys->auth;
    added->what.cipher_keys = keys == NULL ? NULL : keys->cipher;
    added->keys = keys;
    return true;
}

size_t
plane_queue_last_action(const struct plane_queue *queue, size_t group)
{
    return group + 1 == queue->group_count ? queue->action_count
                                           : queue->groups[group + 1].first_action;
}

size_t
plane_queue_last_basis(const struct plane_queue *queue, size_t group)
{
    return group + 1 == queue->group_count ? queue->basis_count
                                           : queue->groups[group + 1].first_basis;
}

static void
wipe_action(struct plane_action *action)
{
    free_keys(action->keys);
    action->keys = NULL;
    action->what.auth_keys = NULL;
    action->what.cipher_keys = NULL;
}

static struct plane_keys *
copy_keys(const struct ipsec_sa_bundle_input *input)
{
    struct plane_keys *keys = calloc(1, sizeof *keys);

    if (keys == NULL)
        return NULL;
    for (size_t i = 0; i < input->bundle.sa_count; i++) {
        if (!secret_copy(&keys->auth[i], &input->keys[i].auth) ||
            !secret_copy(&keys->cipher[i], &input->keys[i].cipher)) {
            free_keys(keys);
            return NULL;
        }
    }
    return keys;
}

static void
free_keys(struct plane_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < IPSEC_SA_MAX; i++) {
        secret_clear(&keys->auth[i]);
        secret_clear(&keys->cipher[i]);
    }
    free(keys);
}

/* Room for one more than 'count'. */
static bool
grow(void **entries, size_t *capacity, size_t count, size_t entry_size)
{
    if (count < *capacity)
        return true;
    size_t larger = *capacity == 0 ? 64 : *capacity * 2;
    void *moved = reallocarray(*entries, larger, entry_size);
    if (moved == NULL)
        return false;
    *entries = moved;
    *capacity = larger;
    return true;
}
