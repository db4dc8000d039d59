/* SPDX-License-Identifier: Apache-2.0
 *
 * test_spi_table.c: SPIs are random, unique and in their range, to the last one of it. */
#include "engine/spi_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_random.h"

static uint32_t
draw(struct spi_table *table, uint64_t owner)
{
    uint32_t spi = 0;

    assert_true(spi_table_draw(table, &spi));
    assert_in_range(spi, table->minimum, table->maximum);
    assert_int_equal(spi_table_owner(table, spi), 0);
    assert_int_equal(spi_table_resting(table, spi), 0);
    assert_true(spi_table_reserve(table));
    spi_table_take(table, spi, owner);
    assert_int_equal(spi_table_owner(table, spi), owner);
    return spi;
}

static void
a_range_is_handed_out_to_its_last_spi(void **state)
{
    static const struct {
        uint32_t minimum, maximum;
    } ranges[] = {
        { 256, 256 }, { 300, 363 }, { 256, 320 }, { 1000, 70000 }, { UINT32_MAX - 4095, UINT32_MAX }
    };

    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        uint64_t size = ranges[i].maximum - ranges[i].minimum + 1;
        struct spi_table table;
        uint32_t spi = 0;

        assert_true(spi_table_init(&table, ranges[i].minimum, ranges[i].maximum));
        for (uint64_t owner = 1; owner <= size; owner++)
            (void)draw(&table, owner);
        assert_int_equal(table.taken, size);
        assert_false(spi_table_draw(&table, &spi));
        /* Each that comes free is found, wherever it lies. */
        for (int round = 0; round < 200; round++) {
            uint32_t given_back = ranges[i].minimum + random_below((unsigned)size);
            uint64_t owner = spi_table_owner(&table, given_back);

            spi_table_release(&table, given_back, owner);
            assert_int_equal(draw(&table, owner), given_back);
        }
        spi_table_clear(&table);
    }
}

static void
a_resting_spi_is_not_handed_out(void **state)
{
    struct spi_table table;
    uint32_t spi = 0;

    (void)state;
    assert_true(spi_table_init(&table, 256, 257));
    uint32_t first = draw(&table, 7);
    assert_true(spi_table_reserve(&table));
    assert_int_equal(spi_table_quarantine(&table, first, 5000), 0);
    spi_table_release(&table, first, 7);
    assert_int_equal(table.taken, 1);
    uint32_t second = draw(&table, 8);
    assert_int_not_equal(second, first);
    assert_false(spi_table_draw(&table, &spi));

    /* Its owner may bring it all the same; it rests on. */
    assert_true(spi_table_reserve(&table));
    spi_table_take(&table, first, 9);
    assert_int_equal(table.taken, 2);
    assert_int_equal(spi_table_quarantine(&table, first, 6000), 5000);
    assert_int_equal(spi_table_resting(&table, first), 6000);
    assert_int_equal(spi_table_quarantine(&table, first, 0), 6000);
    assert_false(spi_table_draw(&table, &spi));
    spi_table_release(&table, first, 9);
    assert_int_equal(draw(&table, 10), first);
    spi_table_clear(&table);
}

static void
spis_outside_the_range_do_not_fill_it(void **state)
{
    struct spi_table table;

    (void)state;
    assert_true(spi_table_init(&table, 1000, 1001));
    for (uint32_t spi = 256; spi < 356; spi++) {
        assert_true(spi_table_reserve(&table));
        spi_table_take(&table, spi, spi);
    }
    assert_int_equal(table.taken, 0);
    assert_int_not_equal(draw(&table, 1), draw(&table, 2));
    spi_table_clear(&table);
}

static void
a_million_are_unique_and_spread(void **state)
{
    enum { MILLION = 1000000 };
    static uint32_t quarters[4];
    struct spi_table table;

    (void)state;
    assert_true(spi_table_init(&table, 256, UINT32_MAX));
    for (uint64_t owner = 1; owner <= MILLION; owner++)
        quarters[draw(&table, owner) >> 30]++;
    assert_int_equal(table.taken, MILLION);
    for (size_t i = 0; i < 4; i++)
        assert_in_range(quarters[i], MILLION / 4 - 10000, MILLION / 4 + 10000);
    spi_table_clear(&table);
}

/* Against an array: every bit of a small range, taken and released at random. */
static void
the_bitmap_agrees_with_a_plain_array(void **state)
{
    enum { SIZE = 5000, STEPS = 100000 };
    struct spi_table table;
    bool *taken = calloc(SIZE, sizeof *taken);
    size_t count = 0;

    (void)state;
    assert_non_null(taken);
    assert_true(spi_table_init(&table, 256, 256 + SIZE - 1));
    for (int step = 0; step < STEPS; step++) {
        unsigned offset = random_below(SIZE);
        uint32_t spi = 0;

        if (taken[offset]) {
            spi_table_release(&table, 256 + offset, 1 + offset);
            taken[offset] = false;
            count--;
        } else if (random_below(8) == 0 || count < SIZE - 10) {
            assert_true(spi_table_draw(&table, &spi));
            assert_false(taken[spi - 256]);
            assert_true(spi_table_reserve(&table));
            spi_table_take(&table, spi, 1 + spi - 256);
            taken[spi - 256] = true;
            count++;
        }
        assert_int_equal(table.taken, count);
        if (step % 1000 == 0)
            spi_table_tidy(&table);
    }
    spi_table_clear(&table);
    free(taken);
}

static void
numbers_by_number_agree_with_a_plain_list(void **state)
{
    enum { KEYS = 50, VALUES = 40, STEPS = 50000 };
    struct number_map map;
    bool present[KEYS][VALUES + 1];
    size_t count = 0;

    (void)state;
    memset(present, 0, sizeof present);
    number_map_init(&map);
    assert_int_equal(number_map_find(&map, 3), 0);
    for (int step = 0; step < STEPS; step++) {
        unsigned key = random_below(KEYS);
        unsigned value = 1 + random_below(VALUES);

        if (present[key][value]) {
            number_map_remove(&map, key, value);
            count--;
        } else {
            assert_true(number_map_reserve(&map, 1));
            number_map_add(&map, key, value);
            count++;
        }
        present[key][value] = !present[key][value];
        if (step % 100 != 0)
            continue;
        number_map_tidy(&map);
        for (key = 0; key < KEYS; key++) {
            struct number_map_cursor cursor = number_map_seek(&map, key);
            size_t seen = 0;
            size_t expected = 0;
            uint64_t found;

            while ((found = number_map_next(&map, key, &cursor)) != 0) {
                assert_true(present[key][found]);
                seen++;
            }
            for (value = 1; value <= VALUES; value++)
                expected += present[key][value];
            assert_int_equal(seen, expected);
        }
    }
    assert_int_equal(map.count, count);
    number_map_clear(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_handed_out_to_its_last_spi),
        cmocka_unit_test(a_resting_spi_is_not_handed_out),
        cmocka_unit_test(spis_outside_the_range_do_not_fill_it),
        cmocka_unit_test(a_million_are_unique_and_spread),
        cmocka_unit_test(the_bitmap_agrees_with_a_plain_array),
        cmocka_unit_test(numbers_by_number_agree_with_a_plain_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
