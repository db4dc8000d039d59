/* SPDX-License-Identifier: Apache-2.0
 *
 * keep.c: see keep.h. */
#include "tests/bench/keep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
keep_find(const char *text, size_t size, const char *name, uint64_t *number_out)
{
    const size_t name_size = strlen(name);
    const char *const end = text + size;
    uint64_t number = 0;
    size_t digits = 0;

    for (const char *at = text; (at = memchr(at, '"', (size_t)(end - at))) != NULL;) {
        at++;
        if ((size_t)(end - at) < name_size + 2 || memcmp(at, name, name_size) != 0 ||
            memcmp(at + name_size, "\":", 2) != 0)
            continue;
        at += name_size + 2;
        while (at < end && *at == ' ')
            at++;
        for (; at < end && *at >= '0' && *at <= '9' && digits < 19; at++, digits++)
            number = number * 10 + (uint64_t)(*at - '0');
        *number_out = number;
        return digits > 0 && at < end && (*at == ',' || *at == '}' || *at == ' ');
    }
    return false;
}

bool
keep_write(const char *path, const uint64_t *numbers, size_t count)
{
    FILE *stream = fopen(path, "we");
    bool good = stream != NULL;

    for (size_t i = 0; good && i < count; i++)
        good = fprintf(stream, "%" PRIu64 "\n", numbers[i]) > 0;
    if (stream != NULL && fclose(stream) != 0)
        good = false;
    return good;
}

uint64_t *
keep_read(const char *path, size_t *count_out)
{
    FILE *stream = fopen(path, "re");
    uint64_t *numbers = NULL;
    size_t capacity = 0;
    size_t count = 0;
    uint64_t number;

    while (stream != NULL && fscanf(stream, "%" SCNu64, &number) == 1) {
        if (count == capacity) {
            capacity = capacity == 0 ? 1024 : capacity * 2;
            uint64_t *larger = realloc(numbers, capacity * sizeof *numbers);
            if (larger == NULL)
                break;
            numbers = larger;
        }
        numbers[count++] = number;
    }
    bool good = stream != NULL && feof(stream) != 0 && count > 0;
    if (stream != NULL)
        (void)fclose(stream);
    if (good) {
        *count_out = count;
        return numbers;
    }
    free(numbers);
    if (errno == 0)
        errno = EINVAL;
    return NULL;
}
