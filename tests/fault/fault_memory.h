/* SPDX-License-Identifier: Apache-2.0
 *
 * fault_memory.h: memory that runs out when told to.
 *
 * The linker puts these functions before the C library's (see CMakeLists.txt), for all that is
 * linked in statically: everything of ours, in every thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault_memory_plan {
    uint64_t first; /* the first allocation to fail, from 1; 0: none */
    bool lasting;   /* and all after it */
};

/* Starts counting anew. */
void fault_memory_plan(const struct fault_memory_plan *plan);
bool fault_memory_failed(void);

/* For libraries that take an allocator. */
void *fault_memory_take(size_t size);
