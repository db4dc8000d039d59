/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_encode.c: writes structs as JSON by field tables, straight into the answer's buffer. */
#include <stdlib.h>
#include <string.h>

#include "api/codec.h"
#include "api/codec_member.h"
#include "api/key_text.h"
#include "api/text.h"
#include "engine/base/clock.h"
#include "engine/engine.h"

static bool is_absent(const struct codec_field *field, const void *object);
static void
encode_value(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static void encode_flags(struct buffer *out, const struct codec_names *names, uint64_t flags);
static void
encode_array(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static const char *load_text(const void *member);
static void append_quoted(struct buffer *out, const char *plain);
static const void *member_of(const void *object, size_t offset);

void
codec_encode(struct codec_encoder *encoder, const struct codec_object *object, const void *value)
{
    struct buffer *out = encoder->out;
    bool first = true;

    buffer_append_char(out, '{');
    for (size_t i = 0; i < object->field_count; i++) {
        const struct codec_field *field = &object->fields[i];
        if (is_absent(field, value))
            continue;
        if (!first)
            buffer_append_char(out, ',');
        first = false;
        buffer_append(out, field->key, field->key_size);
        encode_value(encoder, field, value);
    }
    buffer_append_char(out, '}');
}

static bool
is_absent(const struct codec_field *field, const void *object)
{
    static const unsigned char zeroes[32];
    const void *member = member_of(object, field->offset);

    if (field->kind == CODEC_CUSTOM)
        return field->custom->absent != NULL && field->custom->absent(object);
    if (field->kind == CODEC_CHARS)
        return *(const char *)member == '\0';
    if (field->kind == CODEC_TEXT || field->kind == CODEC_BLOB ||
        (field->kind == CODEC_OBJECT && field->form == CODEC_POINTED))
        return load_text(member) == NULL;
    if (field->kind == CODEC_SECRET)
        return true;
    return (field->flags & CODEC_OMIT_ZERO) != 0 && field->size <= sizeof zeroes &&
           memcmp(member, zeroes, field->size) == 0;
}

static void
encode_value(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const void *member = member_of(object, field->offset);
    struct buffer *out = encoder->out;
    char time[CLOCK_TEXT_SIZE];
    const char *text;

    switch (field->kind) {
    case CODEC_UNSIGNED:
        text_append_unsigned(out, codec_load_unsigned(member, field->size));
        break;
    case CODEC_DECIMAL:
        buffer_append_char(out, '"');
        text_append_unsigned(out, codec_load_unsigned(member, field->size));
        buffer_append_char(out, '"');
        break;
    case CODEC_BOOLEAN:
        buffer_append_text(out, *(const bool *)member ? "true" : "false");
        break;
    case CODEC_ENUM:
        append_quoted(out,
                      codec_name_of(field->names, (int)codec_load_unsigned(member, field->size)));
        break;
    case CODEC_FLAGS:
        encode_flags(out, field->names, codec_load_unsigned(member, field->size));
        break;
    case CODEC_IP_VERSION:
        encoder->ip_version = *(const uint8_t *)member;
        append_quoted(out, codec_name_of(&codec_ip_versions, encoder->ip_version));
        break;
    case CODEC_ADDRESS:
        buffer_append_char(out, '"');
        text_append_address(out, member, (uint8_t)encoder->ip_version);
        buffer_append_char(out, '"');
        break;
    case CODEC_GUID:
        buffer_append_char(out, '"');
        text_append_guid(out, member);
        buffer_append_char(out, '"');
        break;
    case CODEC_TEXT:
        text = load_text(member);
        buffer_append_json_string(out, text, strlen(text));
        break;
    case CODEC_CHARS:
        buffer_append_json_string(out, member, strnlen(member, field->size));
        break;
    case CODEC_TIME:
        clock_format(*(const int64_t *)member, time);
        append_quoted(out, time);
        break;
    case CODEC_PRINCIPAL:
        text = ipsec_principal_name(encoder->engine, *(const uint32_t *)member);
        buffer_append_json_string(out, text, strlen(text));
        break;
    case CODEC_OBJECT:
        codec_encode(encoder, field->object,
                     field->form == CODEC_POINTED ? load_text(member) : member);
        break;
    case CODEC_BLOB:
        buffer_append_char(out, '"');
        key_text_append(
            out, (const uint8_t *)load_text(member),
            codec_load_unsigned(member_of(object, field->count_offset), field->count_size));
        buffer_append_char(out, '"');
        break;
    case CODEC_ARRAY:
        encode_array(encoder, field, object);
        break;
    case CODEC_CUSTOM:
        field->custom->encode(encoder, field, object);
        break;
    case CODEC_SUBNET:
    case CODEC_SECRET:
    default:
        abort(); /* a table that writes what is only read */
    }
}

static void
encode_flags(struct buffer *out, const struct codec_names *names, uint64_t flags)
{
    char separator = '[';

    for (size_t i = 0; i < names->count; i++) {
        if ((flags & (unsigned)names->rows[i].value) == 0)
            continue;
        buffer_append_char(out, separator);
        append_quoted(out, names->rows[i].name);
        separator = ',';
    }
    if (separator == '[')
        buffer_append_char(out, '[');
    buffer_append_char(out, ']');
}

static void
encode_array(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    uint64_t count = codec_load_unsigned(member_of(object, field->count_offset), field->count_size);
    const void *elements = member_of(object, field->offset);

    if (field->form != CODEC_IN_PLACE)
        elements = *(const void *const *)elements;
    buffer_append_char(encoder->out, '[');
    for (size_t i = 0; i < count; i++) {
        const void *element = field->form == CODEC_POINTERS
                                  ? ((const void *const *)elements)[i]
                                  : member_of(elements, i * field->stride);
        if (i > 0)
            buffer_append_char(encoder->out, ',');
        codec_encode(encoder, field->object, element);
    }
    buffer_append_char(encoder->out, ']');
}

/* A pointer: outputs hold const char *, inputs char *, others yet others; all are the same bytes.
 */
static const char *
load_text(const void *member)
{
    const char *text;

    memcpy(&text, member, sizeof text);
    return text;
}

/* For texts of our own that need no escapes. */
static void
append_quoted(struct buffer *out, const char *plain)
{
    buffer_append_char(out, '"');
    buffer_append_text(out, plain);
    buffer_append_char(out, '"');
}

static const void *
member_of(const void *object, size_t offset)
{
    return (const char *)object + offset;
}
