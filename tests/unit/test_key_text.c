/* SPDX-License-Identifier: Apache-2.0
 *
 * test_key_text.c: every byte string comes back, and nothing else is taken. */
#include "api/key_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/test_random.h"

static void
bytes_come_back_from_both_forms(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 64; size++) {
        AUTO(buffer) text = BUFFER(200);
        char hex[200] = "hex:";
        uint8_t bytes[64];
        uint8_t decoded[64];
        size_t decoded_size = 99;

        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)random_below(256);
            (void)snprintf(hex + 4 + 2 * i, 3, size % 2 == 0 ? "%02x" : "%02X", bytes[i]);
        }
        key_text_append(&text, bytes, size);
        assert_true(key_text_decode(buffer_text(&text), decoded, sizeof decoded, &decoded_size));
        assert_int_equal(decoded_size, size);
        assert_memory_equal(decoded, bytes, size);
        assert_true(key_text_decode(hex, decoded, sizeof decoded, &decoded_size));
        assert_int_equal(decoded_size, size);
        assert_memory_equal(decoded, bytes, size);
    }
}

static void
known_texts_are_what_they_are(void **state)
{
    uint8_t bytes[8];
    size_t size;

    (void)state;
    assert_true(key_text_decode("Zm9vYmFy", bytes, sizeof bytes, &size));
    assert_int_equal(size, 6);
    assert_memory_equal(bytes, "foobar", 6);
    assert_true(key_text_decode("++//", bytes, sizeof bytes, &size));
    assert_memory_equal(bytes, "\xfb\xef\xff", 3);
    assert_true(key_text_decode("hex:00fF", bytes, sizeof bytes, &size));
    assert_memory_equal(bytes, "\x00\xff", 2);
}

static void
every_other_byte_is_refused(void **state)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char hex_digits[] = "0123456789abcdefABCDEF";
    uint8_t bytes[8];
    size_t size;

    (void)state;
    for (int c = 1; c < 256; c++) {
        const char base64[] = { (char)c, 'A', 'A', 'A', '\0' };
        const char hex[] = { 'h', 'e', 'x', ':', '0', (char)c, '\0' };

        assert_int_equal(key_text_decode(base64, bytes, sizeof bytes, &size),
                         strchr(digits, c) != NULL);
        assert_int_equal(key_text_decode(hex, bytes, sizeof bytes, &size),
                         strchr(hex_digits, c) != NULL);
    }
}

static void
broken_forms_are_refused(void **state)
{
    static const char *const texts[] = { "A",      "AA",     "AAA",  "AAAAA", "A===",
                                         "====",   "AA=A",   "AB==", "AAB=",  "hex:0",
                                         "hex:0g", "hex:g0", "hex",  "HEX:00" };
    uint8_t bytes[8];
    size_t size;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        print_message("%s\n", texts[i]);
        assert_false(key_text_decode(texts[i], bytes, sizeof bytes, &size));
    }
    assert_false(key_text_decode("AAAAAAAAAAAA", bytes, sizeof bytes, &size)); /* 9 bytes */
    assert_false(key_text_decode("hex:000000000000000000", bytes, sizeof bytes, &size));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back_from_both_forms),
        cmocka_unit_test(known_texts_are_what_they_are),
        cmocka_unit_test(every_other_byte_is_refused),
        cmocka_unit_test(broken_forms_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
