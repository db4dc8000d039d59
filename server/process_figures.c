/* SPDX-License-Identifier: Apache-2.0
 *
 * process_figures.c: see process_figures.h. */
#include "server/process_figures.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include "engine/base/clock.h"

/* In /proc/self/stat, counted from the state behind the command's name, which is 0. */
enum { STAT_START_TIME = 19 };

static void read_memory(struct process_figures *figures);
static void count_descriptors(struct process_figures *figures);
static bool read_text(const char *path, char *text, size_t size);

static uint64_t
microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

void
process_figures_read(struct process_figures *figures_out)
{
    struct rusage usage = { .ru_utime = { .tv_sec = 0 } };
    struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

    *figures_out = (struct process_figures){ .has_memory = false };
    (void)getrusage(RUSAGE_SELF, &usage);
    figures_out->cpu_us = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    figures_out->max_descriptors = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
    read_memory(figures_out);
    count_descriptors(figures_out);
}

/* The kernel tells clock ticks since it started. */
int64_t
process_started_ms(void)
{
    char text[1024];
    int64_t now_ms = clock_wall_ms();

    if (!read_text("/proc/self/stat", text, sizeof text))
        return now_ms;
    const char *field = strrchr(text, ')'); /* the name may hold anything */
    for (int i = 0; field != NULL && i <= STAT_START_TIME; i++)
        field = strchr(field + 1, ' ');
    long ticks_a_second = sysconf(_SC_CLK_TCK);
    if (field == NULL || ticks_a_second <= 0)
        return now_ms;
    int64_t started_ms = (int64_t)(strtoull(field, NULL, 10) * 1000 / (uint64_t)ticks_a_second);
    return now_ms - (clock_monotonic_ms() - started_ms);
}

/* In pages: the whole size, then what is resident. */
static void
read_memory(struct process_figures *figures)
{
    char text[256];
    char *end;
    long page_size = sysconf(_SC_PAGESIZE);

    if (page_size <= 0 || !read_text("/proc/self/statm", text, sizeof text))
        return;
    figures->virtual_bytes = strtoull(text, &end, 10) * (uint64_t)page_size;
    figures->resident_bytes = strtoull(end, NULL, 10) * (uint64_t)page_size;
    figures->has_memory = true;
}

/* The size of their directory, which Linux tells from 6.2 on; before that they are listed. */
static void
count_descriptors(struct process_figures *figures)
{
    const struct dirent *entry;
    struct stat status;
    DIR *directory;

    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0) {
        figures->open_descriptors = (uint64_t)status.st_size;
        figures->has_descriptors = true;
        return;
    }
    directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL)
        figures->open_descriptors += entry->d_name[0] != '.';
    (void)closedir(directory);
    /* The directory's own was among them; nothing at all: it can't be listed. */
    figures->has_descriptors = figures->open_descriptors > 0;
    figures->open_descriptors -= figures->has_descriptors;
}

/* The beginning of a small file as text. */
static bool
read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    size_t length = fread(text, 1, size - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    return length > 0;
}
