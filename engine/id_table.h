/* SPDX-License-Identifier: Apache-2.0
 *
 * id_table.h: records of one size, ordered by the 64-bit id they begin with.
 *
 * Two levels: a sorted directory of pages, and pages that hold the records themselves.  New ids are
 * the highest, so pages fill up one after another and a record costs hardly more than its size.
 *
 * Removal leaves its room in the page until id_table_settle(), so that undoing changes in the
 * reverse order never needs memory and never fails. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

struct id_table_page {
    uint64_t low; /* ids from here up to the next page's 'low' belong here */
    unsigned char *records;
    size_t count;
};

struct id_table {
    struct id_table_page *pages;
    size_t page_count;
    size_t page_capacity;
    size_t record_size;
    size_t page_records;
    size_t count;
};

/* 'record_size' is that of a struct whose first member is its uint64_t id. */
void id_table_init(struct id_table *table, size_t record_size);
void id_table_clear(struct id_table *table);

/* Null when there is none.  Valid until the next insert, remove or settle. */
void *id_table_find(const struct id_table *table, uint64_t id);

/* Copies 'record', whose id must not be in the table.  False: no memory. */
NODISCARD bool id_table_insert(struct id_table *table, const void *record);

/* The id must be in the table. */
void id_table_remove(struct id_table *table, uint64_t id);

/* Gives back what removals around 'id' left over.  Not before they are final. */
void id_table_settle(struct id_table *table, uint64_t id);

/* The highest id in the table, 0 when it is empty. */
uint64_t id_table_highest(const struct id_table *table);

/* Walks in id order.  The table must not change in between. */
struct id_table_cursor {
    size_t page;
    size_t record;
};
/* Before the first record whose id is above 'after'. */
struct id_table_cursor id_table_seek(const struct id_table *table, uint64_t after);
/* The next record, null at the end. */
const void *id_table_next(const struct id_table *table, struct id_table_cursor *cursor);
