/* SPDX-License-Identifier: Apache-2.0
 *
 * plane_queue.h: what the data plane is to do once the batch is committed.
 *
 * Actions that only make sense together form a group: when one of a group is refused, what the
 * group did to SA contexts is taken back.  The queue holds copies of keys, the only ones in the
 * engine, and wipes them when a group is cut off, was applied, or the queue is cleared. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/secret.h"
#include "engine/engine.h"
#include "engine/plane/plane.h"
#include "engine/types.h"

/* A context that a group changed, as it was before. */
struct plane_basis {
    uint64_t id;
    const struct ipsec_sa_context *before; /* borrowed from the batch; null: there was none */
    const struct ipsec_labels *labels;     /* that the group gave it */
    bool sets_labels;
};

struct plane_keys {
    struct secret auth[IPSEC_SA_MAX];
    struct secret cipher[IPSEC_SA_MAX];
};

struct plane_group {
    struct ipsec_call *owner; /* the call that wants it; null: the engine itself */
    uint32_t item;            /* which part of that call, see ipsec_session_savepoint() */
    size_t first_action;
    size_t first_basis;
    bool refused;
    enum ipsec_status status;
    const char *reason; /* static, may be null */
    size_t blamed;      /* action + 1 that the plane refused; 0: none of this unit */
};

struct plane_queue {
    struct plane_action *actions;
    size_t action_count;
    size_t action_capacity;
    struct plane_basis *bases;
    size_t basis_count;
    size_t basis_capacity;
    struct plane_group *groups;
    size_t group_count;
    size_t group_capacity;
    /* Whom new groups belong to. */
    struct ipsec_call *owner;
    uint32_t item;
};

struct plane_queue_mark {
    size_t action_count;
    size_t basis_count;
    size_t group_count;
};

void plane_queue_clear(struct plane_queue *queue);
struct plane_queue_mark plane_queue_mark(const struct plane_queue *queue);
/* Forgets what lies behind the mark and wipes its keys. */
void plane_queue_cut(struct plane_queue *queue, struct plane_queue_mark mark);
/* Wipes the keys of all actions. */
void plane_queue_wipe(struct plane_queue *queue);

/* Each appends to the last group; false: no memory, cut back to where the group began. */
NODISCARD bool plane_queue_begin(struct plane_queue *queue);
NODISCARD bool plane_queue_add_basis(struct plane_queue *queue,
                                     uint64_t id,
                                     const struct ipsec_sa_context *before);
/* Copies the keys of 'input'; null: the action needs none. */
NODISCARD bool plane_queue_add_action(struct plane_queue *queue,
                                      const struct plane_action *action,
                                      const struct ipsec_sa_bundle_input *input);

/* Where a group's actions and bases end. */
size_t plane_queue_last_action(const struct plane_queue *queue, size_t group);
size_t plane_queue_last_basis(const struct plane_queue *queue, size_t group);
