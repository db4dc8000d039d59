/* SPDX-License-Identifier: Apache-2.0
 *
 * rank_table.c: see rank_table.h.
 *
 * As long as there is room a weight's rank is its upper 31 bits: automatic weights, which differ in
 * the upper 13, have the same rank in every run of the service. */
#include "engine/rank_table.h"

#include <stdlib.h>
#include <string.h>

#include "engine/plane/plane.h"

/* How far from its neighbour a new rank is at most. */
#define STEP (UINT32_C(1) << 16)

static size_t place_of(const struct rank_table *table, uint64_t weight);
static bool choose(const struct rank_table *table, size_t place, uint64_t weight, uint32_t *rank);
static void spread(struct rank_table *table);

void
rank_table_clear(struct rank_table *table)
{
    free(table->ranks);
    *table = (struct rank_table){ .count = 0 };
}

bool
rank_table_take(struct rank_table *table, uint64_t weight, uint32_t *rank_out, bool *renumbered_out)
{
    size_t place = place_of(table, weight);

    *renumbered_out = false;
    if (place == table->count || table->ranks[place].weight != weight) {
        struct rank new = { .weight = weight };
        bool has_room = choose(table, place, weight, &new.rank);

        if (table->count == table->capacity) {
            size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
            struct rank *ranks = reallocarray(table->ranks, capacity, sizeof *ranks);

            if (ranks == NULL)
                return false;
            table->ranks = ranks;
            table->capacity = capacity;
        }
        memmove(&table->ranks[place + 1], &table->ranks[place],
                (table->count - place) * sizeof *table->ranks);
        table->ranks[place] = new;
        table->count++;
        if (!has_room) {
            spread(table);
            *renumbered_out = true;
        }
    }
    table->ranks[place].users++;
    *rank_out = table->ranks[place].rank;
    return true;
}

void
rank_table_release(struct rank_table *table, uint64_t weight)
{
    size_t place = place_of(table, weight);

    if (--table->ranks[place].users > 0)
        return;
    table->count--;
    memmove(&table->ranks[place], &table->ranks[place + 1],
            (table->count - place) * sizeof *table->ranks);
    if (table->count == 0)
        table->is_spread = false;
}

uint32_t
rank_table_find(const struct rank_table *table, uint64_t weight)
{
    return table->ranks[place_of(table, weight)].rank;
}

/* The first that is not heavier. */
static size_t
place_of(const struct rank_table *table, uint64_t weight)
{
    size_t low = 0;
    size_t high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (table->ranks[middle].weight > weight)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A rank between the neighbours of a place; false: there is none. */
static bool
choose(const struct rank_table *table, size_t place, uint64_t weight, uint32_t *rank)
{
    int64_t low = place == 0 ? 0 : (int64_t)table->ranks[place - 1].rank + 1;
    int64_t high =
        place == table->count ? (int64_t)PLANE_RANK_MAX : (int64_t)table->ranks[place].rank - 1;
    int64_t natural = (int64_t)(~weight >> 33);
    int64_t step = (high - low) / 2 < STEP ? (high - low) / 2 : STEP;

    if (low > high)
        return false;
    if (!table->is_spread && natural >= low && natural <= high)
        *rank = (uint32_t)natural;
    else if (place == 0 || natural > high)
        *rank = (uint32_t)(high - step);
    else
        *rank = (uint32_t)(low + step);
    return true;
}

/* Evenly over the middle half, with room for more at both ends. */
static void
spread(struct rank_table *table)
{
    uint64_t width = PLANE_RANK_MAX / 2 / (table->count + 1);

    for (size_t i = 0; i < table->count; i++)
        table->ranks[i].rank = (uint32_t)(PLANE_RANK_MAX / 4 + width * (i + 1));
    table->is_spread = true;
}
