/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.h: time and randomness.  Everything else asks here. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Milliseconds that never go back and count suspend (CLOCK_BOOTTIME): for durations. */
int64_t clock_monotonic_ms(void);
/* Microseconds of CLOCK_MONOTONIC: for measuring short spans. */
int64_t clock_monotonic_us(void);
/* Milliseconds since 1970 UTC: for what people and records see. */
int64_t clock_wall_ms(void);

/* Both, read at the same moment as nearly as a busy machine lets them be. */
void clock_read(int64_t *wall_ms_out, int64_t *monotonic_ms_out);

/* "2026-11-24T03:01:27.042Z" (RFC 3339) and its NUL. */
#define CLOCK_TEXT_SIZE 32
void clock_format(int64_t wall_ms, char text[CLOCK_TEXT_SIZE]);

/* Fills 'bytes' from the kernel's generator; never fails on a booted system, else aborts. */
void random_bytes(void *bytes, size_t size);
