/* SPDX-License-Identifier: Apache-2.0
 *
 * test_id_table.c: the table against a sorted array, order, undo without memory, and its size. */
#include "engine/id_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_random.h"

struct record {
    uint64_t id;
    uint64_t value;
    unsigned char filling[88];
};

static void
insert(struct id_table *table, uint64_t id)
{
    const struct record record = { .id = id, .value = id * 3 };

    assert_true(id_table_insert(table, &record));
}

/* The ids of the model are the indexes of its true elements. */
static void
assert_same(const struct id_table *table, const bool *model, size_t model_size)
{
    struct id_table_cursor cursor = id_table_seek(table, 0);
    uint64_t highest = 0;
    size_t count = 0;

    for (size_t id = 1; id < model_size; id++) {
        const struct record *found = id_table_find(table, id);

        if (!model[id]) {
            assert_null(found);
            continue;
        }
        assert_non_null(found);
        assert_int_equal(found->value, id * 3);
        assert_ptr_equal(id_table_next(table, &cursor), found);
        highest = id;
        count++;
    }
    assert_null(id_table_next(table, &cursor));
    assert_int_equal(table->count, count);
    assert_int_equal(id_table_highest(table), highest);
}

static void
an_empty_table_has_nothing(void **state)
{
    (void)state;
    struct id_table table;

    id_table_init(&table, sizeof(struct record));
    struct id_table_cursor cursor = id_table_seek(&table, 0);
    assert_null(id_table_find(&table, 1));
    assert_null(id_table_next(&table, &cursor));
    assert_int_equal(id_table_highest(&table), 0);
    id_table_settle(&table, 1);
    id_table_clear(&table);
}

static void
random_changes_agree_with_a_sorted_array(void **state)
{
    (void)state;
    enum { IDS = 4000, ROUNDS = 60000 };
    static bool model[IDS];
    struct id_table table;

    memset(model, 0, sizeof model);
    id_table_init(&table, sizeof(struct record));
    for (int round = 0; round < ROUNDS; round++) {
        /* Phases that fill and phases that empty. */
        bool fill = random_below(10) < ((round / 10000) % 2 == 0 ? 7 : 3);
        uint64_t id = 1 + random_below(IDS - 1);

        if (fill && !model[id]) {
            insert(&table, id);
            model[id] = true;
        } else if (!fill && model[id]) {
            id_table_remove(&table, id);
            model[id] = false;
            if (random_below(4) != 0)
                id_table_settle(&table, id);
        }
        if (round % 5000 == 0)
            assert_same(&table, model, IDS);
    }
    assert_same(&table, model, IDS);
    id_table_clear(&table);
}

static void
seeking_finds_the_next_higher_id(void **state)
{
    (void)state;
    struct id_table table;

    id_table_init(&table, sizeof(struct record));
    for (uint64_t id = 10; id <= 10000; id += 10)
        insert(&table, id);
    for (uint64_t after = 0; after < 10000; after++) {
        struct id_table_cursor cursor = id_table_seek(&table, after);
        const struct record *record = id_table_next(&table, &cursor);

        assert_non_null(record);
        assert_int_equal(record->id, (after / 10 + 1) * 10);
    }
    struct id_table_cursor cursor = id_table_seek(&table, 10000);
    assert_null(id_table_next(&table, &cursor));
    cursor = id_table_seek(&table, UINT64_MAX);
    assert_null(id_table_next(&table, &cursor));
    id_table_clear(&table);
}

static void
undoing_in_reverse_needs_no_new_page(void **state)
{
    (void)state;
    enum { COUNT = 3000, ADDED = 1000 };
    static bool model[COUNT + ADDED + 1];
    struct id_table table;

    id_table_init(&table, sizeof(struct record));
    for (uint64_t id = 1; id <= COUNT; id++) {
        insert(&table, id);
        model[id] = true;
    }
    for (uint64_t id = COUNT; id >= 1; id -= 3)
        id_table_remove(&table, id);
    for (uint64_t id = COUNT + 1; id <= COUNT + ADDED; id++)
        insert(&table, id);

    size_t page_count = table.page_count;
    for (uint64_t id = COUNT + ADDED; id > COUNT; id--)
        id_table_remove(&table, id);
    for (uint64_t id = COUNT % 3 == 0 ? 3 : COUNT % 3; id <= COUNT; id += 3)
        insert(&table, id);
    assert_int_equal(table.page_count, page_count);
    assert_same(&table, model, sizeof model / sizeof *model);
    id_table_clear(&table);
}

static void
settling_gives_pages_back(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct id_table table;

    id_table_init(&table, sizeof(struct record));
    for (uint64_t id = 1; id <= COUNT; id++)
        insert(&table, id);
    size_t full = table.page_count;
    for (uint64_t id = 1; id <= COUNT; id++) {
        if (id % 10 != 0) {
            id_table_remove(&table, id);
            id_table_settle(&table, id);
        }
    }
    assert_in_range(table.page_count, 1, full / 5);
    for (uint64_t id = 10; id <= COUNT; id += 10) {
        assert_non_null(id_table_find(&table, id));
        id_table_remove(&table, id);
        id_table_settle(&table, id);
    }
    assert_int_equal(table.page_count, 0);
    id_table_clear(&table);
}

static void
a_record_costs_hardly_more_than_its_size(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct id_table table;

    id_table_init(&table, sizeof(struct record));
    for (uint64_t id = 1; id <= COUNT; id++)
        insert(&table, id);
    size_t bytes = table.page_count * table.page_records * table.record_size +
                   table.page_capacity * sizeof *table.pages;
    assert_in_range(bytes / COUNT, sizeof(struct record), sizeof(struct record) + 9);
    id_table_clear(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(random_changes_agree_with_a_sorted_array),
        cmocka_unit_test(seeking_finds_the_next_higher_id),
        cmocka_unit_test(undoing_in_reverse_needs_no_new_page),
        cmocka_unit_test(settling_gives_pages_back),
        cmocka_unit_test(a_record_costs_hardly_more_than_its_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
