/* SPDX-License-Identifier: Apache-2.0
 *
 * line_budget.c: see line_budget.h. */
#include "server/line_budget.h"

static bool has_line(int64_t even_at_ms, int64_t now_ms, int64_t burst, int64_t interval_ms);
static int64_t spend_line(int64_t even_at_ms, int64_t now_ms, int64_t interval_ms);

void
line_budget_init(struct line_budget *budget, uint64_t seed)
{
    *budget = (struct line_budget){ .seed = seed | 1 };
    mutex_init(&budget->lock);
}

void
line_budget_clear(struct line_budget *budget)
{
    mutex_clear(&budget->lock);
}

bool
line_budget_take(struct line_budget *budget,
                 uint64_t address,
                 int64_t now_ms,
                 uint64_t *left_out_out)
{
    /* The high bits of a product with an odd number depend on all bits below. */
    uint64_t mixed = (address ^ address >> 32) * budget->seed;
    size_t place = (size_t)(mixed >> 32) % LINE_BUDGET_PLACES;

    mutex_lock(&budget->lock);
    int64_t *of_address = &budget->address_even_at_ms[place];
    bool granted =
        has_line(*of_address, now_ms, LINE_BUDGET_ADDRESS_BURST, LINE_BUDGET_ADDRESS_MS) &&
        has_line(budget->even_at_ms, now_ms, LINE_BUDGET_BURST, LINE_BUDGET_MS);
    if (granted) {
        *of_address = spend_line(*of_address, now_ms, LINE_BUDGET_ADDRESS_MS);
        budget->even_at_ms = spend_line(budget->even_at_ms, now_ms, LINE_BUDGET_MS);
        *left_out_out = budget->left_out;
        budget->left_out = 0;
    } else {
        budget->left_out++;
    }
    mutex_unlock(&budget->lock);
    return granted;
}

static bool
has_line(int64_t even_at_ms, int64_t now_ms, int64_t burst, int64_t interval_ms)
{
    return even_at_ms - now_ms <= (burst - 1) * interval_ms;
}

static int64_t
spend_line(int64_t even_at_ms, int64_t now_ms, int64_t interval_ms)
{
    return (even_at_ms > now_ms ? even_at_ms : now_ms) + interval_ms;
}
