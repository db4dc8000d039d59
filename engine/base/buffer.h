/* SPDX-License-Identifier: Apache-2.0
 *
 * buffer.h: a growing byte buffer that was born with a maximum.
 *
 * Appending is sticky: once an append does not fit (maximum reached, no memory) the buffer is
 * 'failed', later appends do nothing, and one check at the end tells.  Not for key material:
 * growing leaves copies behind. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/attributes.h"

struct buffer {
    char *data; /* 'size' bytes, not terminated; see buffer_text() */
    size_t size;
    size_t capacity;
    size_t maximum;
    bool failed;
};

/* For a buffer that lives in its scope: AUTO(buffer) text = BUFFER(4096). */
#define BUFFER(size_maximum)                                                                       \
    {                                                                                              \
        .maximum = (size_maximum)                                                                  \
    }

void buffer_init(struct buffer *buffer, size_t maximum);
void buffer_clear(struct buffer *buffer);
AUTO_DEFINE(buffer, buffer_clear)

/* Forgets the contents and the failure, keeps the memory. */
void buffer_reset(struct buffer *buffer);

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_FORMAT(2, 3);

/* Appends 'text' as a JSON string with its quotes: '"', '\' and control bytes escaped, bytes that
 * are not UTF-8 replaced by U+FFFD, so the result is valid JSON whatever the caller sent. */
void buffer_append_json_string(struct buffer *buffer, const char *text, size_t size);

/* The contents with a NUL behind them, or null when the buffer failed.  Valid until the next
 * change; belongs to the buffer. */
NODISCARD const char *buffer_text(struct buffer *buffer);
