/* SPDX-License-Identifier: Apache-2.0
 *
 * template.h: a text with places that differ from request to request.
 *
 *   {i}     the request's number, decimal
 *   {addr}  the number as an address of 10.0.0.0/8: 257 is 10.0.1.1
 *   {key}   the number as eight bytes, big endian, in base64
 *   {kept}  what an answer of an earlier run gave for this number (keep.h), decimal
 *
 * Everything else, other braces included, stands for itself.  The text is cut once, so that a
 * request costs a few copies. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEMPLATE_PIECES_MAX = 32, TEMPLATE_VALUE_MAX = 20, TEMPLATE_ADDRESSES = 1 << 24 };

enum template_field {
    TEMPLATE_END,
    TEMPLATE_NUMBER,
    TEMPLATE_ADDRESS,
    TEMPLATE_KEY,
    TEMPLATE_KEPT
};

/* Some text as it stands, then a field. */
struct template_piece {
    const char *text;
    size_t size;
    enum template_field field;
};

struct template
{
    struct template_piece pieces[TEMPLATE_PIECES_MAX];
    size_t count;
    size_t size_max; /* of any rendering */
    bool has_address;
    bool has_kept;
};

/* Borrows 'text'.  False when it has too many fields. */
bool template_parse(const char *text, struct template *template_out);
/* Writes to 'bytes', which hold 'size_max', and returns the size. */
size_t
template_render(const struct template *template, uint64_t number, uint64_t kept, char *bytes);
