/* SPDX-License-Identifier: Apache-2.0
 *
 * line_budget.h: how many audit lines those may cause who have shown no good certificate.
 *
 * Whoever can reach the port can be refused as often as he likes, and must not fill the disk that
 * way, nor drown the lines that others cause: an address has 20 lines and gets one more every 10
 * seconds, all together have 500 and get one more a second.  Addresses share places by their hash,
 * so that memory is bounded.  What was left out is told by the next line that is not. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/mutex.h"

enum {
    LINE_BUDGET_ADDRESS_BURST = 20,
    LINE_BUDGET_ADDRESS_MS = 10000,
    LINE_BUDGET_BURST = 500,
    LINE_BUDGET_MS = 1000,
    LINE_BUDGET_PLACES = 1024,
};

struct line_budget {
    struct mutex lock;
    /* When all that was spent will have been given back. */
    GUARDED_VAR int64_t even_at_ms;
    GUARDED_VAR int64_t address_even_at_ms[LINE_BUDGET_PLACES];
    GUARDED_VAR uint64_t left_out;
    uint64_t seed; /* nobody can tell which addresses share a place */
};

void line_budget_init(struct line_budget *budget, uint64_t seed);
void line_budget_clear(struct line_budget *budget);

/* Whether 'address' (its bytes as a number) may cause a line at 'now_ms' (monotonic); if so,
 * '*left_out_out' tells how many lines, of whomever, were left out since the one before. */
NODISCARD bool line_budget_take(struct line_budget *budget,
                                uint64_t address,
                                int64_t now_ms,
                                uint64_t *left_out_out);
