/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_locate.c: finds the member of a body in which the parser stopped.
 *
 * The parser tells a byte position, callers want a JSON pointer.  The text before the position is
 * known to be well formed, so it is enough to follow strings, brackets and separators. */
#include <stdio.h>
#include <string.h>

#include "api/codec.h"

enum { LEVEL_MAXIMUM = 16 };

struct level {
    bool array;
    size_t index;
    char member[64]; /* cut: a pointer that long does not fit anyway */
};

static size_t string_end(const char *body, size_t start, size_t size);
static void read_member(const char *body, size_t start, size_t end, char *member, size_t size);

void
codec_locate(const char *body, size_t position, char *pointer, size_t pointer_size)
{
    struct level levels[LEVEL_MAXIMUM] = { 0 };
    size_t depth = 0;
    bool key_expected = false;

    for (size_t i = 0; i < position; i++) {
        struct level *level = depth > 0 && depth <= LEVEL_MAXIMUM ? &levels[depth - 1] : NULL;
        switch (body[i]) {
        case '"': {
            size_t end = string_end(body, i, position);
            if (key_expected && level != NULL)
                read_member(body, i, end, level->member, sizeof level->member);
            key_expected = false;
            i = end;
            break;
        }
        case '{':
        case '[':
            if (depth < LEVEL_MAXIMUM)
                levels[depth] = (struct level){ .array = body[i] == '[' };
            depth++;
            key_expected = body[i] == '{';
            break;
        case '}':
        case ']':
            depth -= depth > 0;
            break;
        case ',':
            if (level != NULL && level->array)
                level->index++;
            key_expected = level != NULL && !level->array;
            break;
        default:
            break;
        }
    }

    pointer[0] = '\0';
    for (size_t i = 0; i < depth && i < LEVEL_MAXIMUM; i++) {
        char index[24];
        (void)snprintf(index, sizeof index, "%zu", levels[i].index);
        if (!codec_append_token(pointer, pointer_size, levels[i].array ? index : levels[i].member))
            return;
    }
}

bool
codec_append_token(char *pointer, size_t pointer_size, const char *token)
{
    size_t start = strlen(pointer);
    size_t length = start;

    if (length + 2 > pointer_size)
        return false;
    pointer[length++] = '/';
    for (size_t i = 0; token[i] != '\0'; i++) {
        bool escaped = token[i] == '~' || token[i] == '/';
        if (length + (escaped ? 2 : 1) >= pointer_size) {
            pointer[start] = '\0';
            return false;
        }
        if (escaped)
            pointer[length++] = '~';
        pointer[length++] = token[i] == '~' ? '0' : token[i] == '/' ? '1' : token[i];
    }
    pointer[length] = '\0';
    return true;
}

/* The index of the quote that ends the string begun at 'start', or the last byte there is. */
static size_t
string_end(const char *body, size_t start, size_t size)
{
    for (size_t i = start + 1; i < size; i++) {
        if (body[i] == '\\')
            i++;
        else if (body[i] == '"')
            return i;
    }
    return size - 1;
}

/* Lets the parser undo the escapes of a name. */
static void
read_member(const char *body, size_t start, size_t end, char *member, size_t size)
{
    json_t *name = json_loadb(body + start, end - start + 1, JSON_DECODE_ANY, NULL);

    if (json_is_string(name))
        (void)snprintf(member, size, "%s", json_string_value(name));
    else
        member[0] = '\0';
    json_decref(name);
}
