/* SPDX-License-Identifier: Apache-2.0
 *
 * json_read.c: see json_read.h.  RFC 8259, strictly. */
#include "api/json_read.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *start;
    const char *next;
    const char *end;
    struct json_problem *problem;
    int depth;
};

/* A text as it is once its escapes are undone: a part of what is read when there are none. */
struct span {
    const char *bytes;
    size_t size;
    char *owned; /* null: borrowed */
};

static json_t *read_value(struct reader *reader);
static json_t *read_nested(struct reader *reader, json_t *(*read)(struct reader *reader));
static json_t *read_object(struct reader *reader);
static json_t *read_array(struct reader *reader);
static bool read_member(struct reader *reader, json_t *object);
static json_t *read_string(struct reader *reader);
static json_t *read_number(struct reader *reader);
static json_t *read_word(struct reader *reader, const char *word, json_t *value);
static bool read_text(struct reader *reader, struct span *text_out);
static bool undo_escapes(struct reader *reader, const char *from, const char *to, struct span *out);
static void clear(struct span *text);
static bool undo_escape(struct reader *reader, const char **from, const char *to, char **write);
static bool read_code_unit(const char *from, const char *to, uint32_t *unit_out);
static char *write_character(char *write, uint32_t character);
static size_t utf8_length(const unsigned char *bytes, size_t available);
static bool skip_to(struct reader *reader, char wanted);
static char skip_space(struct reader *reader);
static bool is_digit(const struct reader *reader, const char *place);
static void *fail(struct reader *reader, enum json_flaw flaw, const char *place, const char *text);

json_t *
json_read(const char *text, size_t size, struct json_problem *problem_out)
{
    struct reader reader = {
        .start = text,
        .next = text,
        .end = text + size,
        .problem = problem_out,
    };

    *problem_out = (struct json_problem){ .flaw = JSON_FLAW_NONE };
    json_t *value = read_value(&reader);
    if (value == NULL)
        return NULL;
    (void)skip_space(&reader);
    if (reader.next == reader.end)
        return value;
    json_decref(value);
    return fail(&reader, JSON_FLAW_SYNTAX, reader.next, "end of the text expected");
}

static json_t *
read_value(struct reader *reader)
{
    switch (skip_space(reader)) {
    case '{':
        return read_nested(reader, read_object);
    case '[':
        return read_nested(reader, read_array);
    case '"':
        return read_string(reader);
    case 't':
        return read_word(reader, "true", json_true());
    case 'f':
        return read_word(reader, "false", json_false());
    case 'n':
        return read_word(reader, "null", json_null());
    default:
        return read_number(reader);
    }
}

static json_t *
read_nested(struct reader *reader, json_t *(*read)(struct reader *reader))
{
    if (reader->depth == JSON_READ_DEPTH)
        return fail(reader, JSON_FLAW_DEPTH, reader->next, "nested too deeply");
    reader->depth++;
    reader->next++;
    json_t *value = read(reader);
    reader->depth--;
    return value;
}

static json_t *
read_object(struct reader *reader)
{
    json_t *object = json_object();

    if (object == NULL)
        return fail(reader, JSON_FLAW_MEMORY, reader->next, "");
    if (skip_space(reader) == '}') {
        reader->next++;
        return object;
    }
    while (read_member(reader, object)) {
        if (skip_space(reader) == ',') {
            reader->next++;
            continue;
        }
        if (skip_to(reader, '}'))
            return object;
        break;
    }
    json_decref(object);
    return NULL;
}

static bool
read_member(struct reader *reader, json_t *object)
{
    size_t count = json_object_size(object);
    struct span name;

    if (skip_space(reader) != '"') {
        fail(reader, JSON_FLAW_SYNTAX, reader->next, "a member's name expected");
        return false;
    }
    if (!read_text(reader, &name))
        return false;
    const char *behind_name = reader->next;
    bool is_read = false;
    json_t *value = skip_to(reader, ':') ? read_value(reader) : NULL;
    if (value == NULL)
        ; /* said already */
    else if (json_object_setn_new_nocheck(object, name.bytes, name.size, value) != 0)
        fail(reader, JSON_FLAW_MEMORY, behind_name, "");
    else if (json_object_size(object) == count)
        fail(reader, JSON_FLAW_DUPLICATE, behind_name, "");
    else
        is_read = true;
    clear(&name);
    return is_read;
}

static json_t *
read_array(struct reader *reader)
{
    json_t *array = json_array();

    if (array == NULL)
        return fail(reader, JSON_FLAW_MEMORY, reader->next, "");
    if (skip_space(reader) == ']') {
        reader->next++;
        return array;
    }
    while (true) {
        json_t *value = read_value(reader);

        if (value == NULL)
            break;
        if (json_array_append_new(array, value) != 0) {
            fail(reader, JSON_FLAW_MEMORY, reader->next, "");
            break;
        }
        if (skip_space(reader) == ',') {
            reader->next++;
            continue;
        }
        if (skip_to(reader, ']'))
            return array;
        break;
    }
    json_decref(array);
    return NULL;
}

static json_t *
read_string(struct reader *reader)
{
    struct span text;

    if (!read_text(reader, &text))
        return NULL;
    json_t *value = json_stringn_nocheck(text.bytes, text.size);
    clear(&text);
    return value != NULL ? value : fail(reader, JSON_FLAW_MEMORY, reader->next, "");
}

static json_t *
read_number(struct reader *reader)
{
    const char *place = reader->next;
    bool is_negative = place < reader->end && *place == '-';
    bool is_integer = true;
    bool is_too_large = false;
    uint64_t magnitude = 0;

    place += is_negative;
    if (!is_digit(reader, place))
        return fail(reader, JSON_FLAW_SYNTAX, reader->next, "a value expected");
    if (*place == '0' && is_digit(reader, place + 1))
        return fail(reader, JSON_FLAW_SYNTAX, place + 1, "a number does not begin with 0");
    for (; is_digit(reader, place); place++) {
        unsigned int digit = (unsigned int)(*place - '0');

        is_too_large = is_too_large || magnitude > (UINT64_MAX - digit) / 10;
        magnitude = magnitude * 10 + digit;
    }
    if (place < reader->end && *place == '.') {
        is_integer = false;
        if (!is_digit(reader, ++place))
            return fail(reader, JSON_FLAW_SYNTAX, place, "a digit expected");
        while (is_digit(reader, place))
            place++;
    }
    if (place < reader->end && (*place == 'e' || *place == 'E')) {
        is_integer = false;
        place++;
        place += place < reader->end && (*place == '+' || *place == '-');
        if (!is_digit(reader, place))
            return fail(reader, JSON_FLAW_SYNTAX, place, "a digit expected");
        while (is_digit(reader, place))
            place++;
    }
    reader->next = place;
    if (is_integer && (is_too_large || magnitude > (uint64_t)INT64_MAX + is_negative))
        return fail(reader, JSON_FLAW_RANGE, place, "");
    json_t *value = !is_integer   ? json_real(0)
                    : is_negative ? json_integer((json_int_t)(0 - magnitude))
                                  : json_integer((json_int_t)magnitude);
    return value != NULL ? value : fail(reader, JSON_FLAW_MEMORY, place, "");
}

static json_t *
read_word(struct reader *reader, const char *word, json_t *value)
{
    size_t size = strlen(word);

    if ((size_t)(reader->end - reader->next) < size || memcmp(reader->next, word, size) != 0)
        return fail(reader, JSON_FLAW_SYNTAX, reader->next, "a value expected");
    reader->next += size;
    return value;
}

/* --- Texts ------------------------------------------------------------------------------------ */

/* Goes behind the closing quote.  What is an escape is looked at afterwards. */
static bool
read_text(struct reader *reader, struct span *text_out)
{
    const char *from = reader->next + 1;
    const char *place = from;
    bool has_escapes = false;

    while (place < reader->end && *place != '"') {
        unsigned char byte = (unsigned char)*place;

        if (byte < 0x20) {
            fail(reader, JSON_FLAW_SYNTAX, place, "a control character must be escaped");
            return false;
        }
        if (byte == '\\') {
            has_escapes = true;
            /* A quote behind it does not end the text. */
            place += reader->end - place > 1 ? 2 : 1;
        } else if (byte < 0x80) {
            place++;
        } else {
            size_t length =
                utf8_length((const unsigned char *)place, (size_t)(reader->end - place));
            if (length == 0) {
                fail(reader, JSON_FLAW_UTF8, place, "");
                return false;
            }
            place += length;
        }
    }
    if (place >= reader->end) {
        fail(reader, JSON_FLAW_SYNTAX, reader->end, "the end of a string expected");
        return false;
    }
    reader->next = place + 1;
    *text_out = (struct span){ .bytes = from, .size = (size_t)(place - from) };
    return !has_escapes || undo_escapes(reader, from, place, text_out);
}

/* What it becomes is never longer. */
static bool
undo_escapes(struct reader *reader, const char *from, const char *to, struct span *out)
{
    char *text = malloc((size_t)(to - from));
    char *write = text;

    if (text == NULL) {
        fail(reader, JSON_FLAW_MEMORY, from, "");
        return false;
    }
    while (from < to) {
        if (*from != '\\') {
            *write++ = *from++;
        } else if (!undo_escape(reader, &from, to, &write)) {
            *out = (struct span){ .size = (size_t)(write - text), .owned = text };
            clear(out);
            return false;
        }
    }
    *out = (struct span){ .bytes = text, .size = (size_t)(write - text), .owned = text };
    return true;
}

/* It may be a key. */
static void
clear(struct span *text)
{
    if (text->owned == NULL)
        return;
    explicit_bzero(text->owned, text->size);
    free(text->owned);
}

static bool
undo_escape(struct reader *reader, const char **from, const char *to, char **write)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *place = *from;
    const char *letter = place[1] == '\0' ? NULL : strchr(letters, place[1]);
    uint32_t character;
    uint32_t low;

    if (letter != NULL) {
        *(*write)++ = meanings[letter - letters];
        *from += 2;
        return true;
    }
    if (place[1] != 'u' || !read_code_unit(place + 2, to, &character)) {
        fail(reader, JSON_FLAW_SYNTAX, place, "no such escape");
        return false;
    }
    place += 6;
    if (character >= 0xd800 && character <= 0xdbff && to - place >= 6 && place[0] == '\\' &&
        place[1] == 'u' && read_code_unit(place + 2, to, &low) && low >= 0xdc00 && low <= 0xdfff) {
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
        place += 6;
    } else if (character >= 0xd800 && character <= 0xdfff) {
        fail(reader, JSON_FLAW_SYNTAX, *from, "half of a surrogate pair");
        return false;
    } else if (character == 0) {
        fail(reader, JSON_FLAW_NUL, *from, "");
        return false;
    }
    *write = write_character(*write, character);
    *from = place;
    return true;
}

static bool
read_code_unit(const char *from, const char *to, uint32_t *unit_out)
{
    uint32_t unit = 0;

    if (to - from < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char digit = from[i];

        if (digit >= '0' && digit <= '9')
            unit = unit << 4 | (uint32_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            unit = unit << 4 | (uint32_t)(digit - 'a' + 10);
        else if (digit >= 'A' && digit <= 'F')
            unit = unit << 4 | (uint32_t)(digit - 'A' + 10);
        else
            return false;
    }
    *unit_out = unit;
    return true;
}

static char *
write_character(char *write, uint32_t character)
{
    if (character < 0x80) {
        *write++ = (char)character;
        return write;
    }
    if (character < 0x800) {
        *write++ = (char)(0xc0 | character >> 6);
    } else {
        if (character < 0x10000) {
            *write++ = (char)(0xe0 | character >> 12);
        } else {
            *write++ = (char)(0xf0 | character >> 18);
            *write++ = (char)(0x80 | (character >> 12 & 0x3f));
        }
        *write++ = (char)(0x80 | (character >> 6 & 0x3f));
    }
    *write++ = (char)(0x80 | (character & 0x3f));
    return write;
}

/* The bytes of the character that begins here, 0x80 or above; 0: it is none.  No overlong form, no
 * surrogate, nothing beyond U+10FFFF. */
static size_t
utf8_length(const unsigned char *bytes, size_t available)
{
    unsigned char first = bytes[0];
    size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                    : first >= 0xe0 && first <= 0xef ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;

    if (length == 0 || available < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((first == 0xe0 && bytes[1] < 0xa0) || (first == 0xed && bytes[1] > 0x9f) ||
        (first == 0xf0 && bytes[1] < 0x90) || (first == 0xf4 && bytes[1] > 0x8f))
        return 0;
    return length;
}

/* --- Small parts ------------------------------------------------------------------------------ */

/* Goes behind 'wanted', which must come next. */
static bool
skip_to(struct reader *reader, char wanted)
{
    if (skip_space(reader) == wanted) {
        reader->next++;
        return true;
    }
    fail(reader, JSON_FLAW_SYNTAX, reader->next,
         wanted == ':'   ? "':' expected"
         : wanted == '}' ? "',' or '}' expected"
                         : "',' or ']' expected");
    return false;
}

/* The character that is next then; NUL at the end, and for a NUL, which is no part of JSON. */
static char
skip_space(struct reader *reader)
{
    while (reader->next < reader->end) {
        char character = *reader->next;

        if (character != ' ' && character != '\n' && character != '\t' && character != '\r')
            return character;
        reader->next++;
    }
    return '\0';
}

static bool
is_digit(const struct reader *reader, const char *place)
{
    return place < reader->end && *place >= '0' && *place <= '9';
}

/* Always null. */
static void *
fail(struct reader *reader, enum json_flaw flaw, const char *place, const char *text)
{
    *reader->problem = (struct json_problem){
        .flaw = flaw,
        .position = (size_t)(place - reader->start),
        .text = text,
    };
    return NULL;
}
