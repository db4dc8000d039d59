/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_router.c: any path leads to one route or none, the same with every method that it has, and
 * what the path names lies within it. */
#include "api/router.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };
    char *path = fuzz_text(data, size);
    char allowed[160];
    bool exists = router_allowed(path, allowed, sizeof allowed);

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const char *argument = NULL;
        const struct api_route *route = router_match(methods[i], path, &argument);

        fuzz_check((route != NULL) == (exists && strstr(allowed, methods[i]) != NULL));
        if (route == NULL)
            continue;
        fuzz_check((argument != NULL) == (strchr(route->path, '{') != NULL));
        fuzz_check(argument == NULL || (argument > path && argument <= path + strlen(path)));
    }
    fuzz_check(router_match("get", path, &(const char *){ NULL }) == NULL);
    free(path);
    return 0;
}
