/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_guard.c: a request's target and header fields, a line each: what the guard lets through has
 * one host, one length, and a path that is clean. */
#include "server/guard.h"
#include "tests/fuzz/fuzz.h"

static void
take_target(const uint8_t *line, size_t size)
{
    char *target = fuzz_text(line, size);
    size_t length = strlen(target);
    const char *path = NULL;
    const char *query = NULL;

    if (guard_target(target, &path, &query)) {
        fuzz_check(path[0] == '/');
        fuzz_check(strlen(path) <= length || length == 0);
        for (const char *c = path; *c != '\0'; c++)
            fuzz_check((unsigned char)*c >= 0x20 && *c != 0x7f);
        for (const char *c = query == NULL ? "" : query; *c != '\0'; c++)
            fuzz_check((unsigned char)*c > 0x20 && *c != 0x7f && *c != '#');
    }
    free(target);
}

/* The library's fields are terminated. */
static void
take_field(struct guard *guard, char *line)
{
    char *colon = strchr(line, ':');
    char *value = colon == NULL ? NULL : colon + 1 + strspn(colon + 1, " ");

    if (colon != NULL)
        *colon = '\0';
    guard_header(guard, line, strlen(line), value, value == NULL ? 0 : strlen(value));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard guard = { .status = IPSEC_OK };
    char *lines[64];
    size_t line_count = 0;
    size_t hosts = 0;
    size_t lengths = 0;

    while (size > 0 && line_count < sizeof lines / sizeof *lines) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - data);

        if (line_count == 0)
            take_target(data, length);
        lines[line_count] = fuzz_text(data, length);
        hosts += line_count > 0 && strncasecmp(lines[line_count], "host:", 5) == 0;
        lengths += line_count > 0 && strncasecmp(lines[line_count], "content-length:", 15) == 0;
        if (line_count > 0)
            take_field(&guard, lines[line_count]);
        line_count++;
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    if (guard_finish(&guard) == IPSEC_OK) {
        fuzz_check(hosts == 1 && lengths <= 1 && guard.host != NULL && guard.host[0] != '\0');
        fuzz_check(guard.chunked + guard.content_length_given <= 1);
        (void)guard_has_body(&guard);
    } else {
        fuzz_check(guard.detail[0] != '\0');
    }
    guard_clear(&guard);
    while (line_count > 0)
        free(lines[--line_count]);
    return 0;
}
