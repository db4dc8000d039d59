/* SPDX-License-Identifier: Apache-2.0
 *
 * id_table.c: see id_table.h. */
#include "engine/id_table.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE 16384

static size_t page_of(const struct id_table *table, uint64_t id);
static size_t place_in(const struct id_table *table, const struct id_table_page *page, uint64_t id);
static uint64_t id_at(const struct id_table *table, const struct id_table_page *page, size_t i);
static bool add_page(struct id_table *table, size_t at, uint64_t low);
static void drop_page(struct id_table *table, size_t at);
static bool make_room(struct id_table *table, uint64_t id, size_t *page_out);
static bool try_merge(struct id_table *table, size_t left);

void
id_table_init(struct id_table *table, size_t record_size)
{
    *table = (struct id_table){
        .record_size = record_size,
        .page_records = PAGE_SIZE / record_size,
    };
}

void
id_table_clear(struct id_table *table)
{
    for (size_t i = 0; i < table->page_count; i++)
        free(table->pages[i].records);
    free(table->pages);
    *table =
        (struct id_table){ .record_size = table->record_size, .page_records = table->page_records };
}

void *
id_table_find(const struct id_table *table, uint64_t id)
{
    if (table->page_count == 0)
        return NULL;

    const struct id_table_page *page = &table->pages[page_of(table, id)];
    size_t place = place_in(table, page, id);
    if (place == page->count || id_at(table, page, place) != id)
        return NULL;
    return page->records + place * table->record_size;
}

bool
id_table_insert(struct id_table *table, const void *record)
{
    uint64_t id;
    size_t index;

    memcpy(&id, record, sizeof id);
    if (!make_room(table, id, &index))
        return false;

    struct id_table_page *page = &table->pages[index];
    size_t place = place_in(table, page, id);
    unsigned char *target = page->records + place * table->record_size;
    memmove(target + table->record_size, target, (page->count - place) * table->record_size);
    memcpy(target, record, table->record_size);
    page->count++;
    if (id < page->low)
        page->low = id;
    table->count++;
    return true;
}

void
id_table_remove(struct id_table *table, uint64_t id)
{
    struct id_table_page *page = &table->pages[page_of(table, id)];
    size_t place = place_in(table, page, id);

    if (place == page->count || id_at(table, page, place) != id)
        abort();
    unsigned char *target = page->records + place * table->record_size;
    page->count--;
    table->count--;
    memmove(target, target + table->record_size, (page->count - place) * table->record_size);
}

void
id_table_settle(struct id_table *table, uint64_t id)
{
    if (table->page_count == 0)
        return;

    size_t page = page_of(table, id);
    if (table->pages[page].count == 0) {
        drop_page(table, page);
        return;
    }
    if (page > 0 && try_merge(table, page - 1))
        page--;
    (void)try_merge(table, page);
}

uint64_t
id_table_highest(const struct id_table *table)
{
    for (size_t i = table->page_count; i > 0; i--) {
        const struct id_table_page *page = &table->pages[i - 1];

        if (page->count > 0)
            return id_at(table, page, page->count - 1);
    }
    return 0;
}

struct id_table_cursor
id_table_seek(const struct id_table *table, uint64_t after)
{
    if (table->page_count == 0 || after == UINT64_MAX)
        return (struct id_table_cursor){ .page = table->page_count };

    size_t page = page_of(table, after + 1);
    return (struct id_table_cursor){
        .page = page,
        .record = place_in(table, &table->pages[page], after + 1),
    };
}

const void *
id_table_next(const struct id_table *table, struct id_table_cursor *cursor)
{
    while (cursor->page < table->page_count) {
        const struct id_table_page *page = &table->pages[cursor->page];

        if (cursor->record < page->count)
            return page->records + cursor->record++ * table->record_size;
        cursor->page++;
        cursor->record = 0;
    }
    return NULL;
}

/* The last page whose 'low' is not above 'id', or the first.  There is a page. */
static size_t
page_of(const struct id_table *table, uint64_t id)
{
    size_t first = 0;
    size_t last = table->page_count - 1;

    if (table->pages[last].low <= id)
        return last;
    while (first < last) {
        size_t middle = first + (last - first + 1) / 2;

        if (table->pages[middle].low <= id)
            first = middle;
        else
            last = middle - 1;
    }
    return first;
}

/* Where 'id' is or would stand in its page. */
static size_t
place_in(const struct id_table *table, const struct id_table_page *page, uint64_t id)
{
    size_t first = 0;
    size_t end = page->count;

    if (end > 0 && id_at(table, page, end - 1) < id)
        return end;
    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (id_at(table, page, middle) < id)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static uint64_t
id_at(const struct id_table *table, const struct id_table_page *page, size_t i)
{
    uint64_t id;

    memcpy(&id, page->records + i * table->record_size, sizeof id);
    return id;
}

static bool
add_page(struct id_table *table, size_t at, uint64_t low)
{
    if (table->page_count == table->page_capacity) {
        size_t capacity = table->page_capacity == 0 ? 16 : table->page_capacity * 2;
        struct id_table_page *pages = reallocarray(table->pages, capacity, sizeof *pages);

        if (pages == NULL)
            return false;
        table->pages = pages;
        table->page_capacity = capacity;
    }
    /* As malloc() does; but there gcc's -fanalyzer does not see that the table keeps it. */
    unsigned char *records = aligned_alloc(alignof(max_align_t), PAGE_SIZE);
    if (records == NULL)
        return false;
    struct id_table_page *page = &table->pages[at];
    memmove(page + 1, page, (table->page_count - at) * sizeof *page);
    *page = (struct id_table_page){ .low = low, .records = records };
    table->page_count++;
    return true;
}

static void
drop_page(struct id_table *table, size_t at)
{
    struct id_table_page *page = &table->pages[at];

    free(page->records);
    table->page_count--;
    memmove(page, page + 1, (table->page_count - at) * sizeof *page);
}

/* Finds the page for a new id and sees that it has room: behind the last full page a new one
 * begins, a full page elsewhere is split in two halves. */
static bool
make_room(struct id_table *table, uint64_t id, size_t *page_out)
{
    if (table->page_count == 0) {
        *page_out = 0;
        return add_page(table, 0, id);
    }

    size_t index = page_of(table, id);
    *page_out = index;
    if (table->pages[index].count < table->page_records)
        return true;

    bool is_last = index == table->page_count - 1;
    if (is_last && id_at(table, &table->pages[index], table->page_records - 1) < id) {
        *page_out = index + 1;
        return add_page(table, index + 1, id);
    }

    size_t kept = table->page_records / 2;
    uint64_t low = id_at(table, &table->pages[index], kept);
    if (!add_page(table, index + 1, low))
        return false;
    struct id_table_page *left = &table->pages[index];
    struct id_table_page *right = &table->pages[index + 1];
    right->count = left->count - kept;
    memcpy(right->records, left->records + kept * table->record_size,
           right->count * table->record_size);
    left->count = kept;
    if (id >= low)
        *page_out = index + 1;
    return true;
}

/* Moves the page right of 'left' into it when both are thin enough to leave a quarter free. */
static bool
try_merge(struct id_table *table, size_t left)
{
    if (left + 1 >= table->page_count)
        return false;

    struct id_table_page *page = &table->pages[left];
    const struct id_table_page *next = page + 1;
    if (page->count + next->count > table->page_records - table->page_records / 4)
        return false;
    memcpy(page->records + page->count * table->record_size, next->records,
           next->count * table->record_size);
    page->count += next->count;
    drop_page(table, left + 1);
    return true;
}
