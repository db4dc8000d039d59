/* SPDX-License-Identifier: Apache-2.0
 *
 * batch.h: the changes of one commit, in the order made.
 *
 * One list serves twice: forwards it is what the store gets, backwards it is the undo log of
 * memory. A call notes where the list ends before it runs; when it fails, what lies behind is
 * undone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/store/store.h"
#include "engine/types.h"

struct filter_entry;

struct batch {
    struct store_change *changes;
    struct filter_entry *
        *deleted_filters; /* beside each change: what STORE_DELETE_FILTER took out */
    size_t change_count;
    size_t change_capacity;
    struct ipsec_sa_context **context_chunks; /* copies that the changes point to */
    size_t context_chunk_count;
    size_t context_chunk_capacity;
    size_t context_count;
};

void batch_clear(struct batch *batch);

/* Forgets all changes, keeps the memory. */
void batch_reset(struct batch *batch);
/* Forgets the changes from 'change_count' on, which the caller has undone. */
void batch_cut(struct batch *batch, size_t change_count);

/* Each appends one change; the record of a context is copied, all else borrowed until the commit.
 * False: no memory, and nothing was appended. */
NODISCARD bool batch_put_principal(struct batch *batch, uint32_t number, const char *name);
NODISCARD bool batch_put_filter(struct batch *batch, const struct ipsec_filter *filter);
NODISCARD bool batch_delete_filter(struct batch *batch, uint64_t id, struct filter_entry *entry);
NODISCARD bool batch_put_sa_context(struct batch *batch, const struct ipsec_sa_context *context);
/* 'context' as it was: undoing puts it back. */
NODISCARD bool batch_delete_sa_context(struct batch *batch, const struct ipsec_sa_context *context);
NODISCARD bool batch_put_replay(struct batch *batch, const struct store_replay *replay);
NODISCARD bool batch_delete_replays_below(struct batch *batch, uint64_t number);
