/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_options.c: the configuration file: refused with a reason, or within the ranges. */
#include "server/options.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char program[] = "sa-contextd";
    char flag[] = "--config";
    char *path = strdup(fuzz_file(data, size));
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
