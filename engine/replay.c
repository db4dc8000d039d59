/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c: see replay.h. */
#include "engine/replay.h"

#include <string.h>

#include <sys/mman.h>

#include "engine/base/clock.h"
#include "engine/hash_index.h"

#define FIRST_BUCKETS 64 /* a power of two */
#define EXPIRED_WORTH_A_CHANGE 256
#define EXPIRED_A_BATCH 4096 /* dropping them takes the store's time */
#define VOID_MS INT64_MIN    /* older than any */
#define FUTURE_TOLERATED_MS (INT64_C(60) * 60 * 1000)

static void *reserve(size_t size);
static void give_back(void *room, size_t size);
static uint32_t *bucket_of(const struct replay_index *index, const uint8_t *key_digest);
static struct replay_record *record_at(const struct replay_index *index, size_t position);
static void append(struct replay_index *index, const struct replay_record *record);
static void unlink_record(struct replay_index *index, const struct replay_record *record);
static void drop_oldest(struct replay_index *index);
static void split_bucket(struct replay_index *index);
static bool is_too_old(const struct replay_record *record, int64_t now_ms);
static bool is_from_the_future(const struct replay_record *record, int64_t now_ms);

bool
replay_index_init(struct replay_index *index, uint32_t maximum, uint32_t batch)
{
    *index = (struct replay_index){
        .full_at = (size_t)maximum + batch,
        .capacity = (size_t)maximum + 2 * (size_t)batch,
        .bucket_capacity = maximum > FIRST_BUCKETS ? maximum : FIRST_BUCKETS,
        .bucket_count = FIRST_BUCKETS,
        .bucket_mask = FIRST_BUCKETS - 1,
        .maximum = maximum,
    };
    if (index->capacity >= UINT32_MAX)
        return false;
    index->records = reserve(index->capacity * sizeof *index->records);
    index->buckets = reserve(index->bucket_capacity * sizeof *index->buckets);
    random_bytes(&index->seed, sizeof index->seed);
    return index->records != NULL && index->buckets != NULL;
}

void
replay_index_clear(struct replay_index *index)
{
    give_back(index->records, index->capacity * sizeof *index->records);
    give_back(index->buckets, index->bucket_capacity * sizeof *index->buckets);
    *index = (struct replay_index){ .count = 0 };
}

const struct replay_record *
replay_find(const struct replay_index *index, const uint8_t *key_digest, int64_t now_ms)
{
    uint32_t link = *bucket_of(index, key_digest);

    while (link != 0) {
        const struct replay_record *record = &index->records[link - 1];

        if (memcmp(record->key_digest, key_digest, REPLAY_DIGEST_SIZE) == 0 &&
            !is_too_old(record, now_ms))
            return record;
        link = record->next;
    }
    return NULL;
}

bool
replay_is_pending(const struct replay_index *index, const struct replay_record *record)
{
    return record->number > index->committed_number;
}

bool
replay_is_full(const struct replay_index *index)
{
    return index->count - index->dropped >= index->maximum || index->count >= index->full_at;
}

const struct replay_record *
replay_add(struct replay_index *index,
           const uint8_t *key_digest,
           const uint8_t *request_digest,
           int64_t now_ms,
           uint32_t change)
{
    struct replay_record record = {
        .number = ++index->last_number,
        .created_at_ms = now_ms,
        .change = change,
    };

    /* The clock may go back, the ring stays in order: its oldest is the first to expire.  A newest
     * from the far future is no measure. */
    if (index->count > 0) {
        const struct replay_record *newest = record_at(index, index->count - 1);

        if (newest->created_at_ms > now_ms && !is_from_the_future(newest, now_ms))
            record.created_at_ms = newest->created_at_ms;
    }

    memcpy(record.key_digest, key_digest, REPLAY_DIGEST_SIZE);
    memcpy(record.request_digest, request_digest, REPLAY_DIGEST_SIZE);
    append(index, &record);
    return record_at(index, index->count - 1);
}

void
replay_undo(struct replay_index *index)
{
    unlink_record(index, record_at(index, index->count - 1));
    index->count--;
}

void
replay_void(struct replay_index *index, uint64_t number)
{
    size_t first = 0;
    size_t end = index->count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (record_at(index, middle)->number < number)
            first = middle + 1;
        else
            end = middle;
    }
    if (first < index->count && record_at(index, first)->number == number)
        record_at(index, first)->created_at_ms = VOID_MS;
}

bool
replay_load(struct replay_index *index,
            uint64_t number,
            const uint8_t *key_digest,
            const uint8_t *request_digest,
            int64_t created_at_ms)
{
    struct replay_record record = { .number = number, .created_at_ms = created_at_ms };

    if (number <= index->last_number)
        return false;
    index->last_number = number;
    index->committed_number = number;
    if (index->maximum == 0)
        return true;
    if (index->count >= index->maximum)
        drop_oldest(index);
    memcpy(record.key_digest, key_digest, REPLAY_DIGEST_SIZE);
    memcpy(record.request_digest, request_digest, REPLAY_DIGEST_SIZE);
    append(index, &record);
    return true;
}

int64_t
replay_newest_ms(const struct replay_index *index)
{
    return index->count == 0 ? 0 : record_at(index, index->count - 1)->created_at_ms;
}

uint64_t
replay_expire(struct replay_index *index, int64_t now_ms)
{
    /* Counted anew: what was expired at the last look may not be, if the clock was set. */
    index->dropped = 0;
    while (index->dropped < index->count && index->dropped < EXPIRED_A_BATCH &&
           (is_too_old(record_at(index, index->dropped), now_ms) ||
            is_from_the_future(record_at(index, index->dropped), now_ms)))
        index->dropped++;
    if (index->dropped == 0 ||
        (index->dropped < EXPIRED_WORTH_A_CHANGE && index->count < index->maximum))
        return 0;
    return record_at(index, index->dropped - 1)->number + 1;
}

void
replay_commit(struct replay_index *index, bool removed)
{
    index->committed_number = index->last_number;
    while (removed && index->dropped > 0) {
        drop_oldest(index);
        index->dropped--;
    }
}

/* Zeroed room from the system.  Not from the heap, whose free() wipes what it takes back: that
 * would touch all of what was never used, half a gigabyte at every end of the process. */
static void *
reserve(size_t size)
{
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return room == MAP_FAILED ? NULL : room;
}

static void
give_back(void *room, size_t size)
{
    if (room != NULL)
        (void)munmap(room, size);
}

static uint32_t *
bucket_of(const struct replay_index *index, const uint8_t *key_digest)
{
    uint64_t hash = hash_bytes(index->seed, key_digest, REPLAY_DIGEST_SIZE);

    size_t place = hash & index->bucket_mask;

    return &index->buckets[place < index->bucket_count ? place : place & index->bucket_mask >> 1];
}

/* The record at 'position' counted from the oldest. */
static struct replay_record *
record_at(const struct replay_index *index, size_t position)
{
    size_t place = index->first + position;

    return &index->records[place < index->capacity ? place : place - index->capacity];
}

/* Newest first in its chain: a key that was used again after it expired is found with its newer
 * record. */
static void
append(struct replay_index *index, const struct replay_record *record)
{
    if (index->count >= index->bucket_count && index->bucket_count < index->bucket_capacity)
        split_bucket(index);

    struct replay_record *target = record_at(index, index->count);
    uint32_t *bucket = bucket_of(index, record->key_digest);

    *target = *record;
    target->next = *bucket;
    *bucket = (uint32_t)(target - index->records) + 1;
    index->count++;
}

/* Linear hashing: one more bucket, which takes its part of the chain of another.  So the array is
 * touched no further than there are records, and no insertion pays for the growth of all. */
static void
split_bucket(struct replay_index *index)
{
    if (index->bucket_count > index->bucket_mask)
        index->bucket_mask = index->bucket_mask * 2 + 1;
    uint32_t *kept = &index->buckets[index->bucket_count & index->bucket_mask >> 1];
    uint32_t *added = &index->buckets[index->bucket_count++];
    uint32_t *moved = added;
    uint32_t link = *kept;

    while (link != 0) {
        struct replay_record *record = &index->records[link - 1];
        uint32_t **end = bucket_of(index, record->key_digest) == added ? &moved : &kept;

        **end = link;
        *end = &record->next;
        link = record->next;
    }
    *kept = 0;
    *moved = 0;
}

static void
unlink_record(struct replay_index *index, const struct replay_record *record)
{
    uint32_t link = (uint32_t)(record - index->records) + 1;
    uint32_t *place = bucket_of(index, record->key_digest);

    while (*place != link)
        place = &index->records[*place - 1].next;
    *place = record->next;
}

static void
drop_oldest(struct replay_index *index)
{
    unlink_record(index, record_at(index, 0));
    index->first = index->first + 1 < index->capacity ? index->first + 1 : 0;
    index->count--;
}

static bool
is_too_old(const struct replay_record *record, int64_t now_ms)
{
    return record->created_at_ms <= now_ms - REPLAY_LIFETIME_MS;
}

/* A clock that was wrong made it.  Its answer holds, but others are not to wait until it is old. */
static bool
is_from_the_future(const struct replay_record *record, int64_t now_ms)
{
    return record->created_at_ms > now_ms + FUTURE_TOLERATED_MS;
}
