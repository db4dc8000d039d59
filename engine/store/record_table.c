/* SPDX-License-Identifier: Apache-2.0
 *
 * record_table.c: see record_table.h. */
#include "engine/store/record_table.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

static bool insert_row(struct record_table *table, size_t position, uint64_t number);

void
record_table_clear(struct record_table *table)
{
    for (size_t i = 0; i < table->row_count; i++)
        free(table->rows[i].record);
    free(table->rows);
    *table = (struct record_table){ 0 };
}

void *
record_table_find(const struct record_table *table, uint64_t number)
{
    size_t position = record_table_seek(table, number);

    if (position == table->row_count || table->rows[position].number != number)
        return NULL;
    return table->rows[position].record;
}

size_t
record_table_seek(const struct record_table *table, uint64_t number)
{
    size_t low = 0;
    size_t high = table->row_count;

    if (high > 0 && table->rows[high - 1].number < number)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->rows[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool
record_table_swap(struct record_table *table, uint64_t number, void *record, void **previous_out)
{
    size_t position = record_table_seek(table, number);

    if (position == table->row_count || table->rows[position].number != number) {
        *previous_out = NULL;
        if (record == NULL)
            return true;
        if (!insert_row(table, position, number))
            return false;
    }

    struct record_row *row = &table->rows[position];
    *previous_out = row->record;
    if (row->record == NULL && record != NULL)
        table->empty_count--;
    else if (row->record != NULL && record == NULL)
        table->empty_count++;
    row->record = record;
    return true;
}

void
record_table_tidy(struct record_table *table)
{
    size_t kept = 0;

    if (table->empty_count < FIRST_CAPACITY || table->empty_count < table->row_count / 2)
        return;
    for (size_t i = 0; i < table->row_count; i++) {
        if (table->rows[i].record != NULL)
            table->rows[kept++] = table->rows[i];
    }
    table->row_count = kept;
    table->empty_count = 0;
}

/* Makes an empty row at 'position'. */
static bool
insert_row(struct record_table *table, size_t position, uint64_t number)
{
    if (table->row_count == table->capacity) {
        size_t capacity = table->capacity == 0 ? FIRST_CAPACITY : table->capacity * 2;
        struct record_row *rows = reallocarray(table->rows, capacity, sizeof *rows);
        if (rows == NULL)
            return false;
        table->rows = rows;
        table->capacity = capacity;
    }
    memmove(&table->rows[position + 1], &table->rows[position],
            (table->row_count - position) * sizeof *table->rows);
    table->rows[position] = (struct record_row){ .number = number };
    table->row_count++;
    table->empty_count++;
    return true;
}
