/* SPDX-License-Identifier: Apache-2.0
 *
 * buffer.c: see buffer.h. */
#include "engine/base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool are_plain(const unsigned char *bytes);
static bool reserve(struct buffer *buffer, size_t more);
static size_t utf8_length(const unsigned char *text, size_t size);

void
buffer_init(struct buffer *buffer, size_t maximum)
{
    *buffer = (struct buffer){ .maximum = maximum };
}

void
buffer_clear(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ .maximum = buffer->maximum };
}

void
buffer_reset(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

void
buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (size == 0 || !reserve(buffer, size))
        return;
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

void
buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void
buffer_append_char(struct buffer *buffer, char c)
{
    if (reserve(buffer, 1))
        buffer->data[buffer->size++] = c;
}

void
buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
        return;
    }
    if (!reserve(buffer, (size_t)length))
        return;
    va_start(arguments, format);
    (void)vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
}

void
buffer_append_json_string(struct buffer *buffer, const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t plain_start = 0;
    size_t i = 0;

    buffer_append_char(buffer, '"');
    while (i < size) {
        /* Nearly every byte is ASCII that stands for itself. */
        if (size - i >= sizeof(uint64_t) && are_plain(bytes + i)) {
            i += sizeof(uint64_t);
            continue;
        }
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\') {
            i++;
            continue;
        }
        size_t length = utf8_length(bytes + i, size - i);
        if (length > 1) {
            i += length;
            continue;
        }
        buffer_append(buffer, bytes + plain_start, i - plain_start);
        if (length == 0)
            buffer_append_text(buffer, "\\ufffd");
        else if (bytes[i] == '"' || bytes[i] == '\\')
            buffer_append_format(buffer, "\\%c", bytes[i]);
        else
            buffer_append_format(buffer, "\\u%04x", bytes[i]);
        i++;
        plain_start = i;
    }
    buffer_append(buffer, bytes + plain_start, size - plain_start);
    buffer_append_char(buffer, '"');
}

const char *
buffer_text(struct buffer *buffer)
{
    if (buffer->failed || !reserve(buffer, 0))
        return NULL;
    buffer->data[buffer->size] = '\0';
    return buffer->data;
}

/* Eight bytes at once: all from 0x20 to 0x7e, and none of them a quote or a backslash.  A byte is
 * below n when taking n from it borrows and it had no high bit itself; a borrow from the next byte
 * can only come after a find. */
static bool
are_plain(const unsigned char *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t highs = UINT64_C(0x8080808080808080);
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    uint64_t quotes = word ^ ones * '"';
    uint64_t backslashes = word ^ ones * '\\';
    uint64_t above = word | (word + ones);
    uint64_t below = (word - ones * 0x20) | (quotes - ones) | (backslashes - ones);
    return ((above | below) & highs) == 0;
}

/* Makes room for 'more' bytes and a NUL. */
static bool
reserve(struct buffer *buffer, size_t more)
{
    if (buffer->failed)
        return false;
    if (more > buffer->maximum - buffer->size) {
        buffer->failed = true;
        return false;
    }

    size_t needed = buffer->size + more + 1;
    if (needed <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity < 256 ? 256 : buffer->capacity;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

/* The length of the UTF-8 character at 'text', or 0 when it is none (RFC 3629: no overlong forms,
 * no surrogates, nothing above U+10FFFF). */
static size_t
utf8_length(const unsigned char *text, size_t size)
{
    unsigned char lead = text[0];
    size_t length = lead < 0x80   ? 1
                    : lead < 0xc2 ? 0
                    : lead < 0xe0 ? 2
                    : lead < 0xf0 ? 3
                    : lead < 0xf5 ? 4
                                  : 0;

    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((lead == 0xe0 && text[1] < 0xa0) || (lead == 0xed && text[1] > 0x9f) ||
        (lead == 0xf0 && text[1] < 0x90) || (lead == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}
