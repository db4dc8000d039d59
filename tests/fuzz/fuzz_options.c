/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_options.c: the configuration file: refused with a reason, or within the ranges. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/options.h"
#include "tests/fuzz/fuzz.h"

/* A file that is no file on the disk. */
static const char *
write_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_check(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char program[] = "sa-contextd";
    char flag[] = "--config";
    char *path = strdup(write_file(data, size));
    char *const argv[] = { program, flag, path, NULL };
    struct options options = { .check = false };

    fuzz_check(path != NULL);
    if (options_read(3, argv, &options)) {
        fuzz_check(options.queue_depth > 0 && options.max_batch > 0 && options.max_body_bytes > 0);
        fuzz_check(options.tls_cert[0] != '\0' && options.access[0] != '\0');
    } else {
        fuzz_check(options.problem_count > 0 && options.problems[0].detail[0] != '\0');
    }
    options_clear(&options);
    free(path);
    return 0;
}
