/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_key_text.c: the text of a key, and of other bytes. */
#include "api/key_text.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    uint8_t *bytes = malloc(64);
    uint8_t again[64];
    size_t count = 0;
    size_t count_again = 0;

    fuzz_check(bytes != NULL);
    if (key_text_decode(text, bytes, 64, &count)) {
        AUTO(buffer) written = BUFFER(256);

        fuzz_check(count <= 64);
        key_text_append(&written, bytes, count);
        fuzz_check(key_text_decode(buffer_text(&written), again, sizeof again, &count_again));
        fuzz_check(count_again == count && memcmp(again, bytes, count) == 0);
        fuzz_check(strncmp(text, "hex:", 4) == 0 || strcmp(buffer_text(&written), text) == 0);
    }
    free(bytes);
    free(text);
    return 0;
}
