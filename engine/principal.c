/* SPDX-License-Identifier: Apache-2.0
 *
 * principal.c: see principal.h. */
#include "engine/principal.h"

#include <stdlib.h>
#include <string.h>

struct principal {
    struct hash_link link;
    uint32_t number;
    uint32_t sessions; /* explicit and live */
    bool is_stored;
    char name[];
};

struct principal_chunk {
    _Atomic(struct principal *) entries[PRINCIPAL_CHUNK_SIZE];
};

static struct principal *find(const struct principal_table *table, const char *name, uint64_t hash);
static struct principal *
add(struct principal_table *table, uint32_t number, const char *name, uint64_t hash);
static struct principal *entry_of(const struct principal_table *table, uint32_t number);

bool
principal_table_init(struct principal_table *table)
{
    table->last = 0;
    for (size_t i = 0; i < PRINCIPAL_CHUNK_COUNT; i++)
        atomic_init(&table->chunks[i], NULL);
    return hash_index_init(&table->names);
}

void
principal_table_clear(struct principal_table *table)
{
    hash_index_clear(&table->names);
    for (size_t i = 0; i <= table->last / PRINCIPAL_CHUNK_SIZE; i++) {
        struct principal_chunk *chunk = atomic_load(&table->chunks[i]);

        for (size_t j = 0; chunk != NULL && j < PRINCIPAL_CHUNK_SIZE; j++)
            free(atomic_load(&chunk->entries[j]));
        free(chunk);
        atomic_store(&table->chunks[i], NULL);
    }
    table->last = 0;
}

bool
principal_intern(struct principal_table *table,
                 const char *name,
                 uint32_t *number_out,
                 bool *is_stored_out)
{
    uint64_t hash = hash_bytes(table->names.seed, name, strlen(name));
    struct principal *principal = find(table, name, hash);

    if (principal == NULL)
        principal = add(table, table->last + 1, name, hash);
    if (principal == NULL)
        return false;
    *number_out = principal->number;
    *is_stored_out = principal->is_stored;
    return true;
}

void
principal_mark(struct principal_table *table, uint32_t number, bool is_stored)
{
    struct principal *principal = entry_of(table, number);

    if (principal == NULL)
        abort();
    principal->is_stored = is_stored;
}

enum ipsec_status
principal_load(struct principal_table *table, uint32_t number, const char *name)
{
    uint64_t hash = hash_bytes(table->names.seed, name, strlen(name));

    if (number <= table->last || number / PRINCIPAL_CHUNK_SIZE >= PRINCIPAL_CHUNK_COUNT ||
        find(table, name, hash) != NULL)
        return IPSEC_RPC_INVALID_DATA;
    struct principal *principal = add(table, number, name, hash);
    if (principal == NULL)
        return IPSEC_RPC_OUT_OF_RESOURCES;
    principal->is_stored = true;
    return IPSEC_OK;
}

uint32_t
principal_sessions(const struct principal_table *table, uint32_t number)
{
    const struct principal *principal = entry_of(table, number);

    return principal == NULL ? 0 : principal->sessions;
}

void
principal_add_sessions(struct principal_table *table, uint32_t number, int more)
{
    struct principal *principal = entry_of(table, number);

    if (principal != NULL)
        principal->sessions += (uint32_t)more;
}

const char *
principal_name(const struct principal_table *table, uint32_t number)
{
    if (number == 0)
        return "process";
    const struct principal *principal = entry_of(table, number);
    return principal == NULL ? "" : principal->name;
}

static struct principal *
find(const struct principal_table *table, const char *name, uint64_t hash)
{
    struct hash_link *link = hash_index_first(&table->names, hash);

    while (link != NULL) {
        struct principal *principal = HASH_OBJECT(link, struct principal, link);

        if (strcmp(principal->name, name) == 0)
            return principal;
        link = hash_index_next(link);
    }
    return NULL;
}

static struct principal *
add(struct principal_table *table, uint32_t number, const char *name, uint64_t hash)
{
    size_t index = number / PRINCIPAL_CHUNK_SIZE;
    size_t size = strlen(name) + 1;

    if (index >= PRINCIPAL_CHUNK_COUNT)
        return NULL;
    struct principal_chunk *chunk =
        atomic_load_explicit(&table->chunks[index], memory_order_relaxed);
    if (chunk == NULL) {
        chunk = calloc(1, sizeof *chunk);
        if (chunk == NULL)
            return NULL;
        atomic_store_explicit(&table->chunks[index], chunk, memory_order_release);
    }
    struct principal *principal = malloc(sizeof *principal + size);
    if (principal == NULL)
        return NULL;
    *principal = (struct principal){ .number = number };
    memcpy(principal->name, name, size);
    atomic_store_explicit(&chunk->entries[number % PRINCIPAL_CHUNK_SIZE], principal,
                          memory_order_release);
    hash_index_add(&table->names, &principal->link, hash);
    table->last = number;
    return principal;
}

static struct principal *
entry_of(const struct principal_table *table, uint32_t number)
{
    size_t index = number / PRINCIPAL_CHUNK_SIZE;

    if (index >= PRINCIPAL_CHUNK_COUNT)
        return NULL;
    struct principal_chunk *chunk =
        atomic_load_explicit(&table->chunks[index], memory_order_acquire);
    if (chunk == NULL)
        return NULL;
    return atomic_load_explicit(&chunk->entries[number % PRINCIPAL_CHUNK_SIZE],
                                memory_order_acquire);
}
