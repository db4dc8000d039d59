/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.h: which requests were answered already and must not run again.
 *
 * Memory holds only digests and numbers, oldest first, in room that is reserved at the start and
 * taken from the system as it fills; the answers stay in the store.  Digests are told apart by
 * their first 16 bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

#define REPLAY_LIFETIME_MS (INT64_C(24) * 60 * 60 * 1000)
#define REPLAY_DIGEST_SIZE 16

struct replay_record {
    uint64_t number;
    int64_t created_at_ms;
    uint8_t key_digest[REPLAY_DIGEST_SIZE];
    uint8_t request_digest[REPLAY_DIGEST_SIZE];
    uint32_t next;   /* in the hash chain: place + 1, 0 at the end */
    uint32_t change; /* while uncommitted: which change of the batch holds the answer */
};

struct replay_index {
    struct replay_record *records; /* a ring of 'capacity' */
    uint32_t *buckets;             /* place + 1; 'bucket_count' of 'bucket_capacity' are in use */
    size_t capacity;
    size_t full_at; /* from there on no call is answered */
    size_t bucket_capacity;
    size_t bucket_count;
    size_t bucket_mask; /* covers 'bucket_count', half of it does not */
    size_t first;
    size_t count;
    size_t maximum;            /* of live records */
    size_t dropped;            /* the oldest that go with the next commit */
    uint64_t last_number;      /* the highest ever given out */
    uint64_t committed_number; /* records above it wait for the commit */
    uint64_t seed;
};

/* Room for 'maximum' live records, 'batch' more that await their removal, and for each call of a
 * batch one more that takes its first one's place.  False: no memory. */
NODISCARD bool replay_index_init(struct replay_index *index, uint32_t maximum, uint32_t batch);
void replay_index_clear(struct replay_index *index);

/* Null when the key is new or its record has expired. */
const struct replay_record *
replay_find(const struct replay_index *index, const uint8_t *key_digest, int64_t now_ms);
bool replay_is_pending(const struct replay_index *index, const struct replay_record *record);
bool replay_is_full(const struct replay_index *index);

/* Not when full, but in place of one that was added in this batch and is void now. */
const struct replay_record *replay_add(struct replay_index *index,
                                       const uint8_t *key_digest,
                                       const uint8_t *request_digest,
                                       int64_t now_ms,
                                       uint32_t change);
/* Takes the newest record back; its number is not used again. */
void replay_undo(struct replay_index *index);

/* The record's answer is not given any more, whatever its age; it goes from memory with its
 * neighbours.  For one that is not in the store any more. */
void replay_void(struct replay_index *index, uint64_t number);

/* Takes over what the store has, in ascending order; when there is no room the oldest go.  False:
 * the numbers do not ascend. */
NODISCARD bool replay_load(struct replay_index *index,
                           uint64_t number,
                           const uint8_t *key_digest,
                           const uint8_t *request_digest,
                           int64_t created_at_ms);

/* When the newest record was made; 0: there is none. */
int64_t replay_newest_ms(const struct replay_index *index);

/* To be asked before a batch: when it is worth a change, marks the oldest records that expired, or
 * that a clock gone wrong dated into the future, for removal and returns the number below which
 * they lie, else 0.  At most 4096 at a time. */
uint64_t replay_expire(struct replay_index *index, int64_t now_ms);
/* All records are committed; forgets those that replay_expire() marked if 'removed'. */
void replay_commit(struct replay_index *index, bool removed);
