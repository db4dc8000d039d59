/* SPDX-License-Identifier: Apache-2.0
 *
 * hash_index.c: see hash_index.h. */
#include "engine/hash_index.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"

#define FIRST_BUCKET_COUNT 64

static uint64_t mix(uint64_t hash);
static void grow(struct hash_index *index);
static struct hash_link **bucket_of(const struct hash_index *index, uint64_t hash);

bool
hash_index_init(struct hash_index *index)
{
    struct hash_link **buckets = calloc(FIRST_BUCKET_COUNT, sizeof(struct hash_link *));

    *index = (struct hash_index){ .buckets = buckets };
    if (buckets == NULL)
        return false;
    index->bucket_count = FIRST_BUCKET_COUNT;
    random_bytes(&index->seed, sizeof index->seed);
    return true;
}

void
hash_index_clear(struct hash_index *index)
{
    free(index->buckets);
    *index = (struct hash_index){ .count = 0 };
}

uint64_t
hash_bytes(uint64_t seed, const void *bytes, size_t size)
{
    const unsigned char *next = bytes;
    uint64_t hash = mix(seed ^ size);

    while (size >= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, next, sizeof word);
        hash = mix(hash ^ word);
        next += sizeof word;
        size -= sizeof word;
    }
    if (size > 0) {
        uint64_t word = 0;

        memcpy(&word, next, size);
        hash = mix(hash ^ word);
    }
    return hash;
}

void
hash_index_add(struct hash_index *index, struct hash_link *link, uint64_t hash)
{
    if (index->count >= index->bucket_count)
        grow(index);
    struct hash_link **bucket = bucket_of(index, hash);
    link->hash = hash;
    link->next = *bucket;
    *bucket = link;
    index->count++;
}

void
hash_index_remove(struct hash_index *index, struct hash_link *link)
{
    struct hash_link **place = bucket_of(index, link->hash);

    while (*place != link)
        place = &(*place)->next;
    *place = link->next;
    link->next = NULL;
    index->count--;
}

struct hash_link *
hash_index_first(const struct hash_index *index, uint64_t hash)
{
    struct hash_link *link = *bucket_of(index, hash);

    while (link != NULL && link->hash != hash)
        link = link->next;
    return link;
}

struct hash_link *
hash_index_next(const struct hash_link *link)
{
    struct hash_link *next = link->next;

    while (next != NULL && next->hash != link->hash)
        next = next->next;
    return next;
}

/* One round of a multiply-and-fold mixer; the odd constant is that of splitmix64. */
static uint64_t
mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    hash ^= hash >> 29;
    hash *= UINT64_C(0x94d049bb133111eb);
    return hash ^ (hash >> 32);
}

static void
grow(struct hash_index *index)
{
    size_t bucket_count = index->bucket_count * 2;
    struct hash_link **buckets = calloc(bucket_count, sizeof(struct hash_link *));
    struct hash_index grown = { .buckets = buckets, .bucket_count = bucket_count };

    if (buckets == NULL)
        return;
    for (size_t i = 0; i < index->bucket_count; i++) {
        struct hash_link *link = index->buckets[i];

        while (link != NULL) {
            struct hash_link *next = link->next;
            struct hash_link **bucket = bucket_of(&grown, link->hash);

            link->next = *bucket;
            *bucket = link;
            link = next;
        }
    }
    free(index->buckets);
    index->buckets = buckets;
    index->bucket_count = bucket_count;
}

static struct hash_link **
bucket_of(const struct hash_index *index, uint64_t hash)
{
    return &index->buckets[hash & (index->bucket_count - 1)];
}
