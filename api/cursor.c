/* SPDX-License-Identifier: Apache-2.0
 *
 * cursor.c: see cursor.h. */
#include "api/cursor.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "engine/types.h"

/* One byte version, eight bytes id (big endian), eight bytes digest. */
enum { VERSION = 1, ID_SIZE = 8, DIGEST_SIZE = 8, HEAD_SIZE = 1 + ID_SIZE };
enum { CURSOR_SIZE = HEAD_SIZE + DIGEST_SIZE };
_Static_assert((CURSOR_SIZE * 8 + 5) / 6 + 1 == CURSOR_TEXT_SIZE, "base64url of a cursor");

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void make(uint64_t id, const struct cursor_scope *scope, uint8_t bytes[CURSOR_SIZE]);
static void to_text(const uint8_t bytes[CURSOR_SIZE], char text[CURSOR_TEXT_SIZE]);
static bool from_text(const char *text, uint8_t bytes[CURSOR_SIZE]);

void
cursor_scope_add(struct cursor_scope *scope, const void *bytes, size_t size)
{
    uint8_t digests[2 * SHA256_DIGEST_LENGTH];

    if (size <= sizeof scope->bytes - scope->size) {
        memcpy(scope->bytes + scope->size, bytes, size);
        scope->size += size;
        return;
    }
    /* What is long is stood for by its digest, and so is all before it. */
    _Static_assert(sizeof digests == sizeof scope->bytes, "a scope is two digests");
    if (SHA256(scope->bytes, scope->size, digests) == NULL ||
        SHA256(bytes, size, digests + SHA256_DIGEST_LENGTH) == NULL)
        abort();
    memcpy(scope->bytes, digests, sizeof digests);
    scope->size = sizeof digests;
}

void
cursor_encode(uint64_t last_id, const struct cursor_scope *scope, char text[CURSOR_TEXT_SIZE])
{
    uint8_t bytes[CURSOR_SIZE];

    make(last_id, scope, bytes);
    to_text(bytes, text);
}

bool
cursor_decode(const char *text, const struct cursor_scope *scope, uint64_t *last_id_out)
{
    uint8_t given[CURSOR_SIZE];
    uint8_t expected[CURSOR_SIZE];
    uint64_t id = 0;

    if (!from_text(text, given))
        return false;
    for (size_t i = 0; i < ID_SIZE; i++)
        id = id << 8 | given[1 + i];
    make(id, scope, expected);
    if (memcmp(given, expected, sizeof given) != 0 || id == 0 || id > IPSEC_LUID_MAX)
        return false;
    *last_id_out = id;
    return true;
}

static void
make(uint64_t id, const struct cursor_scope *scope, uint8_t bytes[CURSOR_SIZE])
{
    uint8_t hashed[HEAD_SIZE + CURSOR_SCOPE_SIZE];
    uint8_t digest[SHA256_DIGEST_LENGTH];

    bytes[0] = VERSION;
    for (size_t i = 0; i < ID_SIZE; i++)
        bytes[1 + i] = (uint8_t)(id >> (8 * (ID_SIZE - 1 - i)));
    memcpy(hashed, bytes, HEAD_SIZE);
    memcpy(hashed + HEAD_SIZE, scope->bytes, scope->size);
    if (SHA256(hashed, HEAD_SIZE + scope->size, digest) == NULL)
        abort();
    memcpy(bytes + HEAD_SIZE, digest, DIGEST_SIZE);
}

static void
to_text(const uint8_t bytes[CURSOR_SIZE], char text[CURSOR_TEXT_SIZE])
{
    unsigned bits = 0;
    unsigned bit_count = 0;
    size_t length = 0;

    for (size_t i = 0; i < CURSOR_SIZE; i++) {
        bits = bits << 8 | bytes[i];
        bit_count += 8;
        for (; bit_count >= 6; bit_count -= 6)
            text[length++] = alphabet[bits >> (bit_count - 6) & 63];
    }
    if (bit_count > 0)
        text[length++] = alphabet[bits << (6 - bit_count) & 63];
    text[length] = '\0';
}

/* Accepts only what to_text() writes. */
static bool
from_text(const char *text, uint8_t bytes[CURSOR_SIZE])
{
    char again[CURSOR_TEXT_SIZE];
    unsigned bits = 0;
    unsigned bit_count = 0;
    size_t length = 0;

    if (strlen(text) != CURSOR_TEXT_SIZE - 1)
        return false;
    for (const char *c = text; *c != '\0'; c++) {
        const char *place = strchr(alphabet, *c);
        if (place == NULL)
            return false;
        bits = bits << 6 | (unsigned)(place - alphabet);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            if (length < CURSOR_SIZE)
                bytes[length++] = (uint8_t)(bits >> bit_count);
        }
    }
    if (length != CURSOR_SIZE)
        return false;
    to_text(bytes, again);
    return strcmp(again, text) == 0;
}
