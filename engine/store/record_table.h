/* SPDX-License-Identifier: Apache-2.0
 *
 * record_table.h: heap records in the order of their numbers.
 *
 * Numbers are given out in ascending order, so a new record nearly always goes to the end.  A
 * deleted one leaves an empty row behind; these are squeezed out when they are the majority. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

struct record_row {
    uint64_t number;
    void *record; /* one heap block, owned; null: deleted */
};

struct record_table {
    struct record_row *rows;
    size_t row_count;
    size_t capacity;
    size_t empty_count;
};

void record_table_clear(struct record_table *table);

/* The record of that number, or null. */
void *record_table_find(const struct record_table *table, uint64_t number);

/* The first row at or above 'number', deleted ones included; 'row_count' when there is none. */
size_t record_table_seek(const struct record_table *table, uint64_t number);

/* Puts 'record' in place of what the number had and hands that back in '*previous_out' (null: it
 * had none); null deletes.  Returns false, and changes nothing, when there is no memory, which can
 * only happen to a number that had no row yet. */
NODISCARD bool
record_table_swap(struct record_table *table, uint64_t number, void *record, void **previous_out);

/* Squeezes out empty rows when it is worth while. */
void record_table_tidy(struct record_table *table);
