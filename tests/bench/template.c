/* SPDX-License-Identifier: Apache-2.0
 *
 * template.c: see template.h. */
#include "tests/bench/template.h"

#include <string.h>

static enum template_field find_field(const char *text, const char **start_out, size_t *size_out);
static size_t render_field(enum template_field field, uint64_t number, uint64_t kept, char *bytes);
static size_t render_number(uint64_t number, char *bytes);
static size_t render_address(uint64_t number, char *bytes);
static size_t render_key(uint64_t number, char *bytes);

bool
template_parse(const char *text, struct template *template_out)
{
    *template_out = (struct template){ 0 };
    while (template_out->count < TEMPLATE_PIECES_MAX) {
        struct template_piece *piece = &template_out->pieces[template_out->count++];
        const char *start;
        size_t size;

        piece->text = text;
        piece->field = find_field(text, &start, &size);
        piece->size = (size_t)(start - text);
        template_out->size_max += piece->size + TEMPLATE_VALUE_MAX;
        if (piece->field == TEMPLATE_ADDRESS)
            template_out->has_address = true;
        if (piece->field == TEMPLATE_KEPT)
            template_out->has_kept = true;
        if (piece->field == TEMPLATE_END)
            return true;
        text = start + size;
    }
    return false;
}

size_t
template_render(const struct template *template, uint64_t number, uint64_t kept, char *bytes)
{
    size_t size = 0;

    for (size_t i = 0; i < template->count; i++) {
        const struct template_piece *piece = &template->pieces[i];

        memcpy(bytes + size, piece->text, piece->size);
        size += piece->size;
        size += render_field(piece->field, number, kept, bytes + size);
    }
    return size;
}

/* The next field of 'text' and where it stands; TEMPLATE_END stands at the text's end. */
static enum template_field
find_field(const char *text, const char **start_out, size_t *size_out)
{
    static const struct {
        const char *name;
        size_t size;
        enum template_field field;
    } fields[] = {
        { "{i}", 3, TEMPLATE_NUMBER },
        { "{addr}", 6, TEMPLATE_ADDRESS },
        { "{key}", 5, TEMPLATE_KEY },
        { "{kept}", 6, TEMPLATE_KEPT },
    };

    for (; *text != '\0'; text++) {
        for (size_t i = 0; *text == '{' && i < sizeof fields / sizeof *fields; i++) {
            if (strncmp(text, fields[i].name, fields[i].size) == 0) {
                *start_out = text;
                *size_out = fields[i].size;
                return fields[i].field;
            }
        }
    }
    *start_out = text;
    *size_out = 0;
    return TEMPLATE_END;
}

static size_t
render_field(enum template_field field, uint64_t number, uint64_t kept, char *bytes)
{
    switch (field) {
    case TEMPLATE_NUMBER:
        return render_number(number, bytes);
    case TEMPLATE_ADDRESS:
        return render_address(number, bytes);
    case TEMPLATE_KEY:
        return render_key(number, bytes);
    case TEMPLATE_KEPT:
        return render_number(kept, bytes);
    case TEMPLATE_END:
    default:
        return 0;
    }
}

static size_t
render_number(uint64_t number, char *bytes)
{
    char digits[TEMPLATE_VALUE_MAX];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++)
        bytes[i] = digits[count - 1 - i];
    return count;
}

static size_t
render_address(uint64_t number, char *bytes)
{
    size_t size = 2;

    memcpy(bytes, "10", 2);
    for (unsigned int shift = 24; shift > 0;) {
        shift -= 8;
        bytes[size++] = '.';
        size += render_number(number >> shift & 0xff, bytes + size);
    }
    return size;
}

/* Eight bytes are ten sextets, two bits and four zero bits, and one '='. */
static size_t
render_key(uint64_t number, char *bytes)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (unsigned int i = 0; i < 10; i++)
        bytes[i] = alphabet[number >> (58 - 6 * i) & 63];
    bytes[10] = alphabet[number << 2 & 63];
    bytes[11] = '=';
    return 12;
}
