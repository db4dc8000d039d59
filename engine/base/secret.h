/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.h: the only type for the bytes of a key.
 *
 * The bytes are kept out of core dumps and wiped when they go; nothing here or elsewhere prints
 * them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/attributes.h"

#define SECRET_MAX 64 /* the longest key here has 36 bytes */

/* Zeroed: none. */
struct secret {
    uint8_t *bytes; /* owned; null: none */
    size_t size;
};

/* Room for 'size' bytes, at most SECRET_MAX, zeroed.  False: no memory. */
NODISCARD bool secret_init(struct secret *secret, size_t size);
NODISCARD bool secret_copy(struct secret *secret_out, const struct secret *secret);
/* Wipes and frees.  Accepts null and zeroed. */
void secret_clear(struct secret *secret);
AUTO_DEFINE(secret, secret_clear)

/* In a time that depends on the sizes only. */
bool secret_equal(const struct secret *a, const struct secret *b);
bool secret_is_zero(const struct secret *secret); /* every byte of it */
