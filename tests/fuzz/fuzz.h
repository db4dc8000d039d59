/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz.h: what a fuzz target defines, for libFuzzer and for replay.c, and what targets share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

/* Works on the bytes and returns 0; what must not be aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold; says where it does not. */
#define fuzz_check(holds)                                                                          \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds);              \
            abort();                                                                               \
        }                                                                                          \
    } while (false)

/* The bytes as a string of its own, up to their first NUL: not a byte of it is readable behind. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
    size_t length = size == 0 ? 0 : strnlen((const char *)data, size);
    char *text = malloc(length + 1);

    if (text == NULL)
        abort();
    if (length > 0)
        memcpy(text, data, length);
    text[length] = '\0';
    return text;
}

/* A file that is no file on the disk, with these bytes until the next call. */
static inline const char *
fuzz_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_check(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}
