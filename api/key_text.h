/* SPDX-License-Identifier: Apache-2.0
 *
 * key_text.h: bytes as text: base64 (RFC 4648 section 4, with its padding), or hexadecimal digits
 * behind "hex:".
 *
 * Decoding takes a time that depends on the lengths only: no table is indexed with, and nothing
 * branches on, what may be a key. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"
#include "engine/base/buffer.h"

/* Writes at most 'capacity' bytes and '*size_out'.  False: neither form, or longer. */
NODISCARD bool key_text_decode(const char *text, uint8_t *bytes, size_t capacity, size_t *size_out);

/* As base64.  Not for keys: nothing here writes one. */
void key_text_append(struct buffer *out, const uint8_t *bytes, size_t size);
