/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_cursor.c: a cursor is taken only as it was written, and only by the list it is of. */
#include "api/cursor.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct cursor_scope scope = { .size = 0 };
    uint64_t last_id = 0;

    for (uint8_t list = 0; list < 4; list++) {
        char again[CURSOR_TEXT_SIZE];

        cursor_scope_add(&scope, &list, 1);
        if (!cursor_decode(text, &scope, &last_id))
            continue;
        cursor_encode(last_id, &scope, again);
        fuzz_check(strcmp(again, text) == 0);
    }
    free(text);
    return 0;
}
