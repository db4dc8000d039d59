/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.h: where a walk through a list goes on.
 *
 * A cursor is opaque text (base64url) of a version, the last id seen and a digest of both and of
 * what the list was filtered by: one that was altered, or is used with other filters, is refused.
 * It is no secret and no proof, and it outlives a restart. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

enum { CURSOR_TEXT_SIZE = 24, CURSOR_SCOPE_SIZE = 64 }; /* the text with its NUL */

/* The list and its filters, as bytes that are equal exactly when they are the same. */
struct cursor_scope {
    uint8_t bytes[CURSOR_SCOPE_SIZE];
    size_t size;
};
void cursor_scope_add(struct cursor_scope *scope, const void *bytes, size_t size);

void cursor_encode(uint64_t last_id, const struct cursor_scope *scope, char text[CURSOR_TEXT_SIZE]);
NODISCARD bool
cursor_decode(const char *text, const struct cursor_scope *scope, uint64_t *last_id_out);
