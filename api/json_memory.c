/* SPDX-License-Identifier: Apache-2.0
 *
 * json_memory.c: see json_memory.h. */
#include "api/json_memory.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <malloc.h>

#include <jansson.h>

enum { ARENA_SIZE = 16 * 1024 };

struct arena {
    alignas(max_align_t) unsigned char bytes[ARENA_SIZE];
    size_t used;
    size_t live; /* objects not given back yet */
};

static _Thread_local struct arena arena;

static void *take(size_t size);
static void give_back(void *object);

void
json_memory_install(void)
{
    json_set_alloc_funcs(take, give_back);
}

static void *
take(size_t size)
{
    size_t rounded =
        (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);

    if (rounded < size || rounded > ARENA_SIZE - arena.used) {
        void *block = malloc(size);

        if (block == NULL)
            abort(); /* see json_memory.h */
        return block;
    }
    void *object = arena.bytes + arena.used;
    arena.used += rounded;
    arena.live++;
    return object;
}

static void
give_back(void *object)
{
    uintptr_t place = (uintptr_t)object;

    if (place < (uintptr_t)arena.bytes || place >= (uintptr_t)arena.bytes + ARENA_SIZE) {
        if (object != NULL)
            explicit_bzero(object, malloc_usable_size(object));
        free(object);
        return;
    }
    if (--arena.live > 0)
        return;
    explicit_bzero(arena.bytes, arena.used);
    arena.used = 0;
}
