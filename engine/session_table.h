/* SPDX-License-Identifier: Apache-2.0
 *
 * session_table.h: the explicit sessions: in memory, across a restart, and how they end.
 *
 * The store remembers only that there was a session, so that after a restart it answers
 * IPSEC_SESSION_ABORTED until its owner closes it.  Nobody may ever do that: aborted sessions are
 * forgotten after a day, or when there are too many. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/hash_index.h"
#include "engine/id_table.h"
#include "engine/session_registry.h"
#include "engine/types.h"

struct engine_state;
struct policy_object;

#define SESSION_REMEMBERED_MS (INT64_C(24) * 60 * 60 * 1000)

struct session_limits {
    uint32_t maximum;       /* live ones; as many aborted ones are remembered */
    uint32_t per_principal; /* live ones of one; 0: no limit */
    uint32_t idle_ms;       /* 0: never cancelled */
    uint32_t wait_ms;       /* for the lock, unless the session says otherwise; 0: no waiting */
    uint32_t hold_ms;       /* of an explicit transaction; 0: no limit */
};

struct session_entry {
    struct ipsec_session_record record;
    struct hash_link key_link;
    struct session_shown shown;
    struct policy_object *owned; /* dynamic objects, the newest first */
    int64_t used_at_ms;          /* state->clock_ms of its last call */
    int64_t begun_at_ms;         /* the same of its transaction */
    int64_t aborted_at_ms;
    bool commit_undone; /* a commit of its transaction was taken back */
    bool rolled_back;   /* its transaction was, in this batch, and it does not know yet */
};

struct session_row {
    uint64_t number;
    struct session_entry *entry;
};

struct session_table {
    struct session_limits limits;
    struct id_table numbers; /* struct session_row */
    struct hash_index keys;
    struct session_registry *registry;
    uint32_t live;
    uint32_t aborted;
    int64_t next_due_ms;    /* no live one is due before */
    int64_t next_forget_ms; /* no aborted one is to be forgotten before */
    /* Counted since the start. */
    uint64_t cancelled;   /* sessions, for nobody used them */
    uint64_t rolled_back; /* transactions, for they were held too long */
    uint64_t transactions_begun;
};

/* False: no memory. */
NODISCARD bool session_table_init(struct session_table *table);
void session_table_clear(struct session_table *table);

/* Null when there is none. */
struct session_entry *session_table_find(const struct session_table *table,
                                         const struct ipsec_guid *key);
struct session_entry *session_table_get(const struct session_table *table, uint64_t number);

/* Takes over what the store has: a session that ended with the engine that opened it. */
NODISCARD enum ipsec_status session_load(struct engine_state *state,
                                         const struct ipsec_session_record *record,
                                         struct ipsec_fault *fault);

/* Puts a new session in, or takes one out, with the store's change and the undo entry.  False: no
 * memory, and nothing has changed. */
NODISCARD bool session_add(struct engine_state *state, const struct ipsec_session_record *record);
NODISCARD bool session_remove(struct engine_state *state, struct session_entry *entry);

/* There are so many more or less live ones of its owner. */
void session_count_live(struct engine_state *state, const struct session_entry *entry, int more);

/* 'entry' is in use, or is to be looked at at 'due_ms' at the latest. */
void session_touch(struct engine_state *state, struct session_entry *entry);
void session_look_at(struct engine_state *state, int64_t due_ms);

/* What other threads know of the session is to be what its record says, once the batch is
 * committed.  False: no memory. */
NODISCARD bool session_show(struct engine_state *state, struct session_entry *entry);

/* Whether the session is to be told that its transaction was rolled back; from now on it is told.
 */
NODISCARD bool session_take_notice(struct engine_state *state, struct session_entry *entry);
