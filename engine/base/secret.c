/* SPDX-License-Identifier: Apache-2.0
 *
 * secret.c: see secret.h. */
#include "engine/base/secret.h"

#include <stdlib.h>
#include <string.h>

bool
secret_init(struct secret *secret, size_t size)
{
    *secret = (struct secret){ .size = 0 };
    if (size == 0)
        return true;
    if (size > SECRET_MAX)
        return false;
    secret->bytes = calloc(1, size);
    if (secret->bytes == NULL)
        return false;
    secret->size = size;
    return true;
}

bool
secret_copy(struct secret *secret_out, const struct secret *secret)
{
    if (!secret_init(secret_out, secret->size))
        return false;
    if (secret->size > 0)
        memcpy(secret_out->bytes, secret->bytes, secret->size);
    return true;
}

void
secret_clear(struct secret *secret)
{
    if (secret == NULL)
        return;
    if (secret->bytes != NULL)
        explicit_bzero(secret->bytes, secret->size);
    free(secret->bytes);
    *secret = (struct secret){ .size = 0 };
}

bool
secret_equal(const struct secret *a, const struct secret *b)
{
    uint8_t difference = 0;

    if (a->size != b->size)
        return false;
    for (size_t i = 0; i < a->size; i++)
        difference |= (uint8_t)(a->bytes[i] ^ b->bytes[i]);
    return difference == 0;
}

bool
secret_is_zero(const struct secret *secret)
{
    uint8_t bits = 0;

    for (size_t i = 0; i < secret->size; i++)
        bits |= secret->bytes[i];
    return bits == 0;
}
