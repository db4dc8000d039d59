/* SPDX-License-Identifier: Apache-2.0
 *
 * principal.h: names of principals and the numbers that stand for them in records.
 *
 * The engine thread adds; any thread may ask for the name behind a number it has seen in a record.
 * Names are never changed or freed before the table is. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/status.h"
#include "engine/hash_index.h"

#define PRINCIPAL_CHUNK_SIZE 1024
#define PRINCIPAL_CHUNK_COUNT 4096

struct principal_chunk;

struct principal_table {
    struct hash_index names;
    uint32_t last; /* the highest number given out */
    _Atomic(struct principal_chunk *) chunks[PRINCIPAL_CHUNK_COUNT];
};

/* False: no memory. */
NODISCARD bool principal_table_init(struct principal_table *table);
void principal_table_clear(struct principal_table *table);

/* The number of 'name', which is copied when it is new.  '*is_stored_out' tells whether the store
 * has it or is about to; if not the caller adds the change and says so with principal_mark().
 * False: no memory, or no numbers left. */
NODISCARD bool principal_intern(struct principal_table *table,
                                const char *name,
                                uint32_t *number_out,
                                bool *is_stored_out);
/* Whether the store has the name.  Undoing the change takes it back; the number stays the name's.
 */
void principal_mark(struct principal_table *table, uint32_t number, bool is_stored);

/* Takes over what the store has.  IPSEC_RPC_INVALID_DATA: the number or the name is taken, or the
 * number can't be; IPSEC_RPC_OUT_OF_RESOURCES. */
NODISCARD enum ipsec_status
principal_load(struct principal_table *table, uint32_t number, const char *name);

/* How many live explicit sessions it has, and that it has so many more or less; the engine thread.
 * Those of 0, the process itself, are not counted. */
uint32_t principal_sessions(const struct principal_table *table, uint32_t number);
void principal_add_sessions(struct principal_table *table, uint32_t number, int more);

/* "process" for 0, "" for a number that was never given out.  Any thread. */
const char *principal_name(const struct principal_table *table, uint32_t number);
