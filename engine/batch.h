/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.h: all that the calls of one commit did.
 *
 * Four lists grow together: the changes that the store gets, the undo log of memory, and what
 * happens once the commit is through: actions of the data plane, and events for watchers.  A call
 * notes where they end before it runs; when it fails, what lies behind is undone and cut off. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/plane_queue.h"
#include "engine/store/store.h"
#include "engine/types.h"

struct engine_state;

/* One kind of change of memory. */
struct undo_ops {
    /* Takes the change back, in the reverse order of all changes.  Can't fail. */
    void (*undo)(struct engine_state *state, void *object, uint64_t number);
    /* The change is final: frees what undoing would have needed.  Null: nothing to free. */
    void (*settle)(struct engine_state *state, void *object, uint64_t number);
};

struct undo_entry {
    const struct undo_ops *ops;
    void *object;
    uint64_t number;
};

struct batch_chunk;

struct batch {
    struct store_change *changes;
    size_t change_count;
    size_t change_capacity;
    struct undo_entry *undos;
    size_t undo_count;
    size_t undo_capacity;
    struct ipsec_event *events;
    size_t event_count;
    size_t event_capacity;
    struct plane_queue plane;
    struct batch_chunk *chunks; /* copies, see batch_copy(); the newest first */
    struct batch_chunk *spares; /* empty ones for the next batches */
    size_t spare_count;
};

/* Where the lists end. */
struct batch_mark {
    size_t change_count;
    size_t undo_count;
    size_t event_count;
    struct plane_queue_mark plane;
};

void batch_clear(struct batch *batch);
/* Forgets all, keeps some memory. */
void batch_reset(struct batch *batch);
struct batch_mark batch_mark(const struct batch *batch);
/* Forgets what lies behind the mark, which the caller has undone, and wipes keys in it. */
void batch_cut(struct batch *batch, struct batch_mark mark);
/* Whether nothing was done since the mark. */
bool batch_is_at(const struct batch *batch, struct batch_mark mark);

/* A copy that lives until the batch is reset; null for want of memory.  Never for keys. */
void *batch_copy(struct batch *batch, const void *bytes, size_t size);

/* Each appends one entry; what it points to is borrowed until the commit.  False: no memory, and
 * nothing was appended. */
NODISCARD bool batch_change(struct batch *batch, struct store_change change);
NODISCARD bool
batch_undo(struct batch *batch, const struct undo_ops *ops, void *object, uint64_t number);
NODISCARD bool batch_event(struct batch *batch, const struct ipsec_event *event);

/* Room for so many more of the first two each, so that a few appends that must go together can't
 * fail half way. */
NODISCARD bool batch_reserve(struct batch *batch, size_t count);
