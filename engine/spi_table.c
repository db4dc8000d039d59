/* SPDX-License-Identifier: Apache-2.0
 *
 * spi_table.c: see spi_table.h. */
#include "engine/spi_table.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"

/* A bit for each SPI of the range that is not free; above it, a bit for each word that is full, and
 * so on until one word is left. */
enum { LEVELS_MAX = 5, WORD_BITS = 64, DRAWS = 128 };
#define BITMAP_RANGE_MAX (UINT64_C(1) << 26)

struct spi_bitmap {
    unsigned level_count;
    uint64_t sizes[LEVELS_MAX]; /* bits of each level */
    uint64_t *levels[LEVELS_MAX];
};

static bool is_free(const struct spi_table *table, uint32_t spi);
static bool is_in_range(const struct spi_table *table, uint32_t spi);
static uint64_t range_size(const struct spi_table *table);
static uint64_t random_offset(struct spi_table *table);
static void mark(struct spi_table *table, uint32_t spi);
static void unmark(struct spi_table *table, uint32_t spi);
static struct spi_bitmap *bitmap_new(uint64_t size);
static void bitmap_free(struct spi_bitmap *bitmap);
static void bitmap_set(struct spi_bitmap *bitmap, uint64_t bit);
static void bitmap_reset(struct spi_bitmap *bitmap, uint64_t bit);
static bool bitmap_find_zero(const struct spi_bitmap *bitmap, uint64_t from, uint64_t *bit_out);

bool
spi_table_init(struct spi_table *table, uint32_t minimum, uint32_t maximum)
{
    *table = (struct spi_table){ .minimum = minimum, .maximum = maximum };
    number_map_init(&table->owners);
    number_map_init(&table->quarantined);
    if (range_size(table) > BITMAP_RANGE_MAX)
        return true;
    table->bitmap = bitmap_new(range_size(table));
    return table->bitmap != NULL;
}

void
spi_table_clear(struct spi_table *table)
{
    number_map_clear(&table->owners);
    number_map_clear(&table->quarantined);
    bitmap_free(table->bitmap);
    *table = (struct spi_table){ .minimum = 0 };
}

bool
spi_table_reserve(struct spi_table *table)
{
    return number_map_reserve(&table->owners, 1) && number_map_reserve(&table->quarantined, 1);
}

uint64_t
spi_table_owner(const struct spi_table *table, uint32_t spi)
{
    return number_map_find(&table->owners, spi);
}

bool
spi_table_draw(struct spi_table *table, uint32_t *spi_out)
{
    uint64_t size = range_size(table);

    if (table->taken >= size)
        return false;
    for (unsigned i = 0; i < DRAWS; i++) {
        uint32_t spi = table->minimum + (uint32_t)random_offset(table);

        if (!is_free(table, spi))
            continue;
        *spi_out = spi;
        return true;
    }
    uint64_t offset = random_offset(table);
    if (table->bitmap == NULL || (!bitmap_find_zero(table->bitmap, offset, &offset) &&
                                  !bitmap_find_zero(table->bitmap, 0, &offset)))
        return false;
    *spi_out = table->minimum + (uint32_t)offset;
    return true;
}

void
spi_table_take(struct spi_table *table, uint32_t spi, uint64_t context_id)
{
    if (is_free(table, spi))
        mark(table, spi);
    number_map_add(&table->owners, spi, context_id);
}

void
spi_table_release(struct spi_table *table, uint32_t spi, uint64_t context_id)
{
    number_map_remove(&table->owners, spi, context_id);
    if (is_free(table, spi))
        unmark(table, spi);
}

int64_t
spi_table_quarantine(struct spi_table *table, uint32_t spi, int64_t until_ms)
{
    int64_t before = spi_table_resting(table, spi);
    bool was_free = is_free(table, spi);

    if (before != 0)
        number_map_remove(&table->quarantined, spi, (uint64_t)before);
    if (until_ms != 0)
        number_map_add(&table->quarantined, spi, (uint64_t)until_ms);
    if (was_free && !is_free(table, spi))
        mark(table, spi);
    else if (!was_free && is_free(table, spi))
        unmark(table, spi);
    return before;
}

int64_t
spi_table_resting(const struct spi_table *table, uint32_t spi)
{
    return (int64_t)number_map_find(&table->quarantined, spi);
}

void
spi_table_tidy(struct spi_table *table)
{
    number_map_tidy(&table->owners);
    number_map_tidy(&table->quarantined);
}

static bool
is_free(const struct spi_table *table, uint32_t spi)
{
    return number_map_find(&table->owners, spi) == 0 &&
           number_map_find(&table->quarantined, spi) == 0;
}

static bool
is_in_range(const struct spi_table *table, uint32_t spi)
{
    return spi >= table->minimum && spi <= table->maximum;
}

static uint64_t
range_size(const struct spi_table *table)
{
    return (uint64_t)table->maximum - table->minimum + 1;
}

/* A place in the range, all alike: what would favour the low ones is drawn again. */
static uint64_t
random_offset(struct spi_table *table)
{
    uint64_t size = range_size(table);
    uint64_t number;

    do {
        if (table->randoms_left == 0) {
            random_bytes(table->randoms, sizeof table->randoms);
            table->randoms_left = sizeof table->randoms / sizeof *table->randoms;
        }
        number = table->randoms[--table->randoms_left];
    } while (number > UINT64_MAX - UINT64_MAX % size - 1);
    return number % size;
}

static void
mark(struct spi_table *table, uint32_t spi)
{
    if (!is_in_range(table, spi))
        return;
    table->taken++;
    if (table->bitmap != NULL)
        bitmap_set(table->bitmap, spi - table->minimum);
}

static void
unmark(struct spi_table *table, uint32_t spi)
{
    if (!is_in_range(table, spi))
        return;
    table->taken--;
    if (table->bitmap != NULL)
        bitmap_reset(table->bitmap, spi - table->minimum);
}

static struct spi_bitmap *
bitmap_new(uint64_t size)
{
    struct spi_bitmap *bitmap = calloc(1, sizeof *bitmap);

    if (bitmap == NULL)
        return NULL;
    for (uint64_t bits = size;; bits = (bits + WORD_BITS - 1) / WORD_BITS) {
        unsigned level = bitmap->level_count;
        uint64_t words = (bits + WORD_BITS - 1) / WORD_BITS;

        bitmap->sizes[level] = bits;
        bitmap->levels[level] = calloc(words, sizeof *bitmap->levels[level]);
        if (bitmap->levels[level] == NULL) {
            bitmap_free(bitmap);
            return NULL;
        }
        bitmap->level_count++;
        /* What the last word has beyond the end is never free. */
        if (bits % WORD_BITS != 0)
            bitmap->levels[level][words - 1] = UINT64_MAX << bits % WORD_BITS;
        if (words == 1)
            return bitmap;
    }
}

static void
bitmap_free(struct spi_bitmap *bitmap)
{
    if (bitmap == NULL)
        return;
    for (unsigned level = 0; level < LEVELS_MAX; level++)
        free(bitmap->levels[level]);
    free(bitmap);
}

static void
bitmap_set(struct spi_bitmap *bitmap, uint64_t bit)
{
    for (unsigned level = 0; level < bitmap->level_count; level++, bit /= WORD_BITS) {
        uint64_t *word = &bitmap->levels[level][bit / WORD_BITS];

        *word |= UINT64_C(1) << bit % WORD_BITS;
        if (*word != UINT64_MAX)
            return;
    }
}

static void
bitmap_reset(struct spi_bitmap *bitmap, uint64_t bit)
{
    for (unsigned level = 0; level < bitmap->level_count; level++, bit /= WORD_BITS) {
        uint64_t *word = &bitmap->levels[level][bit / WORD_BITS];
        bool was_full = *word == UINT64_MAX;

        *word &= ~(UINT64_C(1) << bit % WORD_BITS);
        if (!was_full)
            return;
    }
}

/* The first free bit at or behind 'from': up while the rest of the word is taken, then down. */
static bool
bitmap_find_zero(const struct spi_bitmap *bitmap, uint64_t from, uint64_t *bit_out)
{
    unsigned level = 0;

    for (;;) {
        if (from >= bitmap->sizes[level])
            return false;
        uint64_t word = bitmap->levels[level][from / WORD_BITS];
        uint64_t free_bits = ~word & UINT64_MAX << from % WORD_BITS;

        if (free_bits != 0) {
            from = from / WORD_BITS * WORD_BITS + (uint64_t)__builtin_ctzll(free_bits);
            break;
        }
        if (++level == bitmap->level_count)
            return false;
        from = from / WORD_BITS + 1;
    }
    while (level-- > 0) {
        uint64_t free_bits = ~bitmap->levels[level][from];

        from = from * WORD_BITS + (uint64_t)__builtin_ctzll(free_bits);
    }
    *bit_out = from;
    return true;
}
