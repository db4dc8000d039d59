/* SPDX-License-Identifier: Apache-2.0
 *
 * clock.c: see clock.h. */
#include "engine/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sys/random.h>

static int64_t read_us(clockid_t clock);

int64_t
clock_monotonic_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t
clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void
clock_read(int64_t *wall_ms_out, int64_t *monotonic_ms_out)
{
    enum { TRIES = 4 };

    for (int i = 0; i < TRIES; i++) {
        *monotonic_ms_out = clock_monotonic_ms();
        *wall_ms_out = clock_wall_ms();
        if (clock_monotonic_ms() - *monotonic_ms_out <= 1)
            return;
    }
}

void
clock_format(int64_t wall_ms, char text[CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    int milliseconds = (int)(wall_ms % 1000);
    struct tm broken_down;

    if (milliseconds < 0) {
        milliseconds += 1000;
        seconds -= 1;
    }
    if (gmtime_r(&seconds, &broken_down) == NULL) {
        broken_down = (struct tm){ .tm_year = 70, .tm_mday = 1 };
        milliseconds = 0;
    }
    size_t length = strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &broken_down);
    (void)snprintf(text + length, CLOCK_TEXT_SIZE - length, ".%03dZ", milliseconds);
}

void
random_bytes(void *bytes, size_t size)
{
    unsigned char *next = bytes;

    while (size > 0) {
        ssize_t count = getrandom(next, size, 0);
        if (count < 0) {
            if (errno == EINTR)
                continue;
            abort();
        }
        next += count;
        size -= (size_t)count;
    }
}

static int64_t
read_us(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        abort();
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
