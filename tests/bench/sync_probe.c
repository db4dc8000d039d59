/* SPDX-License-Identifier: Apache-2.0
 *
 * sync_probe.c: how long a 4 KiB append and its fdatasync take on the disk of a folder.
 *
 * What a store pays at least for one durable commit.  Prints one JSON line. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/histogram.h"

static int measure(int fd, long appends, struct histogram *histogram);
static uint64_t now_ns(void);

int
main(int argc, char **argv)
{
    static struct histogram histogram;
    char path[4096];
    long appends = argc == 3 ? strtol(argv[2], NULL, 10) : 0;

    if (appends <= 0 ||
        snprintf(path, sizeof path, "%s/sync-XXXXXX", argv[1]) >= (int)sizeof path) {
        (void)fprintf(stderr, "usage: sync_probe FOLDER APPENDS\n");
        return 2;
    }
    int fd = mkstemp(path);
    if (fd < 0 || unlink(path) != 0 || measure(fd, appends, &histogram) != 0) {
        perror(path);
        return 1;
    }
    (void)close(fd);
    (void)printf("{\"appends\":%ld,\"p50Us\":%.1f,\"p90Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f}\n",
                 appends, (double)histogram_percentile_ns(&histogram, 50) / 1e3,
                 (double)histogram_percentile_ns(&histogram, 90) / 1e3,
                 (double)histogram_percentile_ns(&histogram, 99) / 1e3,
                 (double)histogram.max_ns / 1e3);
    return 0;
}

static int
measure(int fd, long appends, struct histogram *histogram)
{
    char block[4096];

    memset(block, 0x5a, sizeof block);
    for (long i = 0; i < appends; i++) {
        uint64_t start_ns = now_ns();
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd) != 0)
            return -1;
        histogram_record(histogram, now_ns() - start_ns);
    }
    return 0;
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}
