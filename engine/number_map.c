/* SPDX-License-Identifier: Apache-2.0
 *
 * number_map.c: see number_map.h. */
#include "engine/number_map.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/hash_index.h"

enum { FIRST_CAPACITY = 64 };

static bool is_enough(size_t capacity, size_t count);
static bool rehash(struct number_map *map, size_t capacity);
static size_t home_of(const struct number_map *map, uint64_t key);
static void place(struct number_map *map, uint64_t key, uint64_t value);

void
number_map_init(struct number_map *map)
{
    *map = (struct number_map){ .count = 0 };
    random_bytes(&map->seed, sizeof map->seed);
}

void
number_map_clear(struct number_map *map)
{
    free(map->entries);
    *map = (struct number_map){ .seed = map->seed };
}

bool
number_map_reserve(struct number_map *map, size_t more)
{
    size_t capacity = map->capacity == 0 ? FIRST_CAPACITY : map->capacity;

    while (!is_enough(capacity, map->count + more))
        capacity *= 2;
    return capacity == map->capacity || rehash(map, capacity);
}

void
number_map_add(struct number_map *map, uint64_t key, uint64_t value)
{
    if (value == 0 || !is_enough(map->capacity, map->count + 1))
        abort();
    place(map, key, value);
    map->count++;
}

void
number_map_remove(struct number_map *map, uint64_t key, uint64_t value)
{
    size_t mask = map->capacity - 1;
    size_t hole = home_of(map, key);

    while (map->entries[hole].key != key || map->entries[hole].value != value) {
        if (map->entries[hole].value == 0)
            abort();
        hole = (hole + 1) & mask;
    }
    /* What stands behind the hole moves up unless it would land before its home. */
    for (size_t next = (hole + 1) & mask; map->entries[next].value != 0; next = (next + 1) & mask) {
        size_t home = home_of(map, map->entries[next].key);

        if (((next - home) & mask) < ((next - hole) & mask))
            continue;
        map->entries[hole] = map->entries[next];
        hole = next;
    }
    map->entries[hole] = (struct number_map_entry){ .value = 0 };
    map->count--;
}

void
number_map_tidy(struct number_map *map)
{
    if (map->capacity > 16 * (size_t)FIRST_CAPACITY && map->count < map->capacity / 8)
        (void)!rehash(map, map->capacity / 4); /* without memory it stays as large as it is */
}

uint64_t
number_map_find(const struct number_map *map, uint64_t key)
{
    struct number_map_cursor cursor = number_map_seek(map, key);

    return number_map_next(map, key, &cursor);
}

size_t
number_map_place(const struct number_map *map, uint64_t key)
{
    struct number_map_cursor cursor = number_map_seek(map, key);

    /* The cursor stands behind what it found. */
    return number_map_next(map, key, &cursor) == 0 ? map->capacity
                                                   : (cursor.place - 1) & (map->capacity - 1);
}

struct number_map_cursor
number_map_seek(const struct number_map *map, uint64_t key)
{
    return (struct number_map_cursor){ .place = map->capacity == 0 ? 0 : home_of(map, key) };
}

uint64_t
number_map_next(const struct number_map *map, uint64_t key, struct number_map_cursor *cursor)
{
    while (cursor->looked_at < map->capacity) {
        const struct number_map_entry *entry = &map->entries[cursor->place];

        if (entry->value == 0)
            break;
        cursor->place = (cursor->place + 1) & (map->capacity - 1);
        cursor->looked_at++;
        if (entry->key == key)
            return entry->value;
    }
    return 0;
}

/* At most three quarters of the places are taken. */
static bool
is_enough(size_t capacity, size_t count)
{
    return count <= capacity - capacity / 4;
}

static bool
rehash(struct number_map *map, size_t capacity)
{
    struct number_map larger = { .capacity = capacity, .count = map->count, .seed = map->seed };

    larger.entries = calloc(capacity, sizeof *larger.entries);
    if (larger.entries == NULL)
        return false;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].value != 0)
            place(&larger, map->entries[i].key, map->entries[i].value);
    }
    free(map->entries);
    *map = larger;
    return true;
}

static size_t
home_of(const struct number_map *map, uint64_t key)
{
    return (size_t)hash_bytes(map->seed, &key, sizeof key) & (map->capacity - 1);
}

static void
place(struct number_map *map, uint64_t key, uint64_t value)
{
    size_t at = home_of(map, key);

    while (map->entries[at].value != 0)
        at = (at + 1) & (map->capacity - 1);
    map->entries[at] = (struct number_map_entry){ .key = key, .value = value };
}
