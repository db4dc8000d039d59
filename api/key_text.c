/* SPDX-License-Identifier: Apache-2.0
 *
 * key_text.c: see key_text.h.
 *
 * A digit's value comes from arithmetic on ranges: (low - 1 - c) & (c - high - 1) is negative, so
 * its bits above the eighth are ones, exactly when c is within the range. */
#include "api/key_text.h"

#include <string.h>

static const char hex_prefix[] = "hex:";

static bool decode_hex(const char *text, uint8_t *bytes, size_t capacity, size_t *size_out);
static bool decode_base64(const char *text, uint8_t *bytes, size_t capacity, size_t *size_out);
static int within(int c, int low, int high);
static int hex_value(int c);
static int base64_value(int c);

bool
key_text_decode(const char *text, uint8_t *bytes, size_t capacity, size_t *size_out)
{
    *size_out = 0;
    if (strncmp(text, hex_prefix, sizeof hex_prefix - 1) == 0)
        return decode_hex(text + sizeof hex_prefix - 1, bytes, capacity, size_out);
    return decode_base64(text, bytes, capacity, size_out);
}

void
key_text_append(struct buffer *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        size_t count = size - i < 3 ? size - i : 3;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (count > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (count > 2 ? (uint32_t)bytes[i + 2] : 0);

        for (size_t j = 0; j < 4; j++)
            buffer_append_char(out, j > count ? '=' : digits[bits >> (18 - 6 * j) & 63]);
    }
}

static bool
decode_hex(const char *text, uint8_t *bytes, size_t capacity, size_t *size_out)
{
    size_t length = strlen(text);
    int bad = 0;

    if (length % 2 != 0 || length / 2 > capacity)
        return false;
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_value((unsigned char)text[i]);
        int low = hex_value((unsigned char)text[i + 1]);

        bad |= high | low;
        bytes[i / 2] = (uint8_t)((high & 15) << 4 | (low & 15));
    }
    *size_out = length / 2;
    return bad >= 0;
}

static bool
decode_base64(const char *text, uint8_t *bytes, size_t capacity, size_t *size_out)
{
    size_t length = strlen(text);
    int bad = 0;

    if (length % 4 != 0)
        return false;
    size_t padding = length == 0 ? 0 : (size_t)(text[length - 1] == '=');
    padding += padding == 1 && text[length - 2] == '=';
    size_t size = length / 4 * 3 - padding;
    if (size > capacity)
        return false;
    for (size_t i = 0; i < length; i += 4) {
        int bits = 0;

        for (size_t j = 0; j < 4; j++) {
            bool is_padding = i + j >= length - padding;
            int value = is_padding ? 0 : base64_value((unsigned char)text[i + j]);

            bad |= value;
            bits = bits << 6 | (value & 63);
        }
        for (size_t j = 0; j < 3 && i / 4 * 3 + j < size; j++)
            bytes[i / 4 * 3 + j] = (uint8_t)(bits >> (16 - 8 * j));
        /* What the padding leaves over must be zero: one value has one spelling. */
        if (i + 4 == length && padding > 0)
            bad |= -((bits & ((1 << 8 * padding) - 1)) != 0);
    }
    *size_out = size;
    return bad >= 0;
}

/* All ones when 'low' <= c <= 'high', else 0. */
static int
within(int c, int low, int high)
{
    return ((low - 1 - c) & (c - high - 1)) >> 8;
}

/* -1 for what is no digit. */
static int
hex_value(int c)
{
    return -1 + (within(c, '0', '9') & (c - '0' + 1)) + (within(c, 'a', 'f') & (c - 'a' + 11)) +
           (within(c, 'A', 'F') & (c - 'A' + 11));
}

static int
base64_value(int c)
{
    return -1 + (within(c, 'A', 'Z') & (c - 'A' + 1)) + (within(c, 'a', 'z') & (c - 'a' + 27)) +
           (within(c, '0', '9') & (c - '0' + 53)) + (within(c, '+', '+') & 63) +
           (within(c, '/', '/') & 64);
}
