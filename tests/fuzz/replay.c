/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c DIRECTORY [STRIDE]: gives each file of a corpus to a fuzz target, whole and cut short at
 * every length or every so many, so that what fuzzing found stays found in builds without
 * libFuzzer.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define FILE_MAX 65536

static size_t
read_file(const char *directory, const char *name, uint8_t bytes[FILE_MAX])
{
    char path[4096];
    FILE *file = NULL;
    size_t size = 0;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "rbe");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size = fread(bytes, 1, FILE_MAX, file);
    (void)fclose(file);
    return size;
}

int
main(int argc, char **argv)
{
    static uint8_t bytes[FILE_MAX];
    size_t file_count = 0;
    size_t stride = argc == 3 ? strtoul(argv[2], NULL, 10) : 1;
    DIR *directory = argc == 2 || argc == 3 ? opendir(argv[1]) : NULL;

    if (directory == NULL || stride == 0) {
        (void)fputs("usage: replay DIRECTORY [STRIDE]\n", stderr);
        return 2;
    }
    for (const struct dirent *entry = readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        size_t size = 0;

        if (entry->d_name[0] == '.')
            continue;
        size = read_file(argv[1], entry->d_name, bytes);
        for (size_t cut = 0; cut < size; cut += stride)
            (void)LLVMFuzzerTestOneInput(bytes, cut);
        (void)LLVMFuzzerTestOneInput(bytes, size);
        file_count++;
    }
    (void)closedir(directory);
    (void)printf("%zu files\n", file_count);
    return file_count == 0 ? 1 : 0;
}
