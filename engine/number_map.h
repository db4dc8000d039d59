/* SPDX-License-Identifier: Apache-2.0
 *
 * number_map.h: numbers by number, 16 bytes an entry; a key may stand more than once.
 *
 * Open addressing.  Removing never needs memory, and neither does adding again what was removed
 * since the last tidying, so that undoing can't fail. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

struct number_map_entry {
    uint64_t key;
    uint64_t value; /* 0: the place is free */
};

struct number_map {
    struct number_map_entry *entries; /* a power of two of them; null: none yet */
    size_t capacity;
    size_t count;
    uint64_t seed;
};

void number_map_init(struct number_map *map);
void number_map_clear(struct number_map *map);

/* Room for 'more' entries.  False: no memory, and nothing has changed. */
NODISCARD bool number_map_reserve(struct number_map *map, size_t more);
/* Adds an entry for which there is room; 'value' is not 0. */
void number_map_add(struct number_map *map, uint64_t key, uint64_t value);
/* The entry must be there. */
void number_map_remove(struct number_map *map, uint64_t key, uint64_t value);
/* Gives back memory when most of it is free.  Not while a removal may be undone. */
void number_map_tidy(struct number_map *map);

/* A value of the key, 0 when there is none. */
uint64_t number_map_find(const struct number_map *map, uint64_t key);

/* Where in 'entries' that value is, until the map changes; 'capacity' when there is none. */
size_t number_map_place(const struct number_map *map, uint64_t key);

/* All values of a key, one after another.  The map must not change in between. */
struct number_map_cursor {
    size_t place;
    size_t looked_at;
};
struct number_map_cursor number_map_seek(const struct number_map *map, uint64_t key);
/* 0 at the end. */
uint64_t
number_map_next(const struct number_map *map, uint64_t key, struct number_map_cursor *cursor);
