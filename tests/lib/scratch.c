/* SPDX-License-Identifier: Apache-2.0
 *
 * scratch.c: see scratch.h. */
#include "tests/lib/scratch.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void need(bool good, const char *what);

void
scratch_init(struct scratch *scratch)
{
    const char *parent = getenv("TMPDIR");

    (void)snprintf(scratch->directory, sizeof scratch->directory, "%s/sac-test-XXXXXX",
                   parent == NULL || strlen(parent) > 40 ? "/tmp" : parent);
    need(mkdtemp(scratch->directory) != NULL, "mkdtemp");
}

void
scratch_clear(struct scratch *scratch)
{
    DIR *directory = opendir(scratch->directory);

    need(directory != NULL, "opendir");
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    }
    (void)closedir(directory);
    (void)rmdir(scratch->directory);
}

const char *
scratch_path(struct scratch *scratch, const char *name)
{
    int length = snprintf(scratch->path, sizeof scratch->path, "%s/%s", scratch->directory, name);
    need(length > 0 && (size_t)length < sizeof scratch->path, "path");
    return scratch->path;
}

const char *
scratch_write(struct scratch *scratch, const char *name, const void *data, size_t size)
{
    FILE *file = fopen(scratch_path(scratch, name), "we");

    need(file != NULL, "fopen");
    need(size == 0 || fwrite(data, size, 1, file) == 1, "fwrite");
    need(fclose(file) == 0, "fclose");
    return scratch->path;
}

char *
scratch_read(struct scratch *scratch, const char *name)
{
    FILE *file = fopen(scratch_path(scratch, name), "re");
    char *text = NULL;
    size_t size = 0;

    need(file != NULL, "fopen");
    /* Up to a NUL, which no file of a test holds: so all of it, terminated. */
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    need(text != NULL, "getdelim");
    (void)fclose(file);
    return text;
}

static void
need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}
