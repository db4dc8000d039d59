/* SPDX-License-Identifier: Apache-2.0
 *
 * test_random.h: numbers that look random and are the same in every run. */
#pragma once

#include <stdint.h>

/* xorshift64*; never 0. */
static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);

/* A number below 'end'. */
static inline unsigned
random_below(unsigned end)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % end;
}
