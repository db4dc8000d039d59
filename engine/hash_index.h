/* SPDX-License-Identifier: Apache-2.0
 *
 * hash_index.h: a chained hash index over links that live inside the indexed objects.
 *
 * Adding can't fail: when memory for more buckets is short the chains merely grow.  Hashes are
 * seeded with random bytes, so that callers who choose the keys can't choose the chains. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

struct hash_link {
    struct hash_link *next;
    uint64_t hash;
};

struct hash_index {
    struct hash_link **buckets; /* a power of two of them */
    size_t bucket_count;
    size_t count;
    uint64_t seed;
};

/* False: no memory. */
NODISCARD bool hash_index_init(struct hash_index *index);
/* Frees the buckets; the objects belong to the caller. */
void hash_index_clear(struct hash_index *index);

uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t size);

void hash_index_add(struct hash_index *index, struct hash_link *link, uint64_t hash);
/* 'link' must be in the index. */
void hash_index_remove(struct hash_index *index, struct hash_link *link);

/* The links with this hash, one after another; the caller compares keys.  Null at the end. */
struct hash_link *hash_index_first(const struct hash_index *index, uint64_t hash);
struct hash_link *hash_index_next(const struct hash_link *link);

/* The object that holds 'link' as its member. */
#define HASH_OBJECT(link, type, member)                                                            \
    ((type *)(void *)((unsigned char *)(link)-offsetof(type, member)))
