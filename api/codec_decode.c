/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_decode.c: decodes JSON by field tables, and frees what it made.
 *
 * Within an object the order of checks is: unknown members, required members, then each value in
 * the order of the table, then the object's own check; the first failure is the answer. */
#include "api/codec_decode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/codec_member.h"
#include "engine/base/secret.h"
#include "engine/types.h"

/* Quotes and colon around a name in a field's key; the most fields of an object. */
enum { KEY_FRAME = 3, FIELDS_MAXIMUM = 64 };

const struct codec_object codec_no_members = {
    .name = "NoMembers",
    .summary = "Nothing: the path says it all.",
    .closed = true,
};

static enum ipsec_status find_members(struct codec_decoder *decoder,
                                      const struct codec_object *object,
                                      const json_t *value,
                                      const json_t **given);
static enum ipsec_status require_members(struct codec_decoder *decoder,
                                         const struct codec_object *object,
                                         const json_t *const *given);
static size_t find_field(const struct codec_object *object, const char *name, size_t name_size);
static enum ipsec_status decode_value(struct codec_decoder *decoder,
                                      const struct codec_field *field,
                                      const json_t *value,
                                      void *object);
static enum ipsec_status
decode_boolean(struct codec_decoder *decoder, const json_t *value, void *member);
static enum ipsec_status decode_unsigned(struct codec_decoder *decoder,
                                         const struct codec_field *field,
                                         const json_t *value,
                                         void *member);
static enum ipsec_status decode_array(struct codec_decoder *decoder,
                                      const struct codec_field *field,
                                      const json_t *value,
                                      void *object);
static enum ipsec_status decode_elements(struct codec_decoder *decoder,
                                         const struct codec_field *field,
                                         const json_t *value,
                                         void *elements);
static void clear_field(const struct codec_field *field, void *decoded);

enum ipsec_status
codec_decode(const struct codec_object *object,
             const char *body,
             size_t size,
             void *object_out,
             struct ipsec_fault *fault)
{
    struct codec_decoder decoder = { .fault = fault, .place = IPSEC_FAULT_BODY, .ip_version = -1 };
    json_error_t error;

    if (size == 0)
        return codec_refuse(&decoder, IPSEC_NULL_POINTER, "the request needs a body");
    json_t *body_value = json_loadb(body, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (body_value == NULL)
        return codec_refuse_syntax(&decoder, &error, body, size);

    enum ipsec_status status = codec_decode_object(&decoder, object, body_value, object_out);
    json_decref(body_value);
    return status;
}

enum ipsec_status
codec_decode_object(struct codec_decoder *decoder,
                    const struct codec_object *object,
                    const json_t *value,
                    void *object_out)
{
    const struct codec_step *const outer = decoder->step;
    const json_t *given[FIELDS_MAXIMUM] = { NULL }; /* by field; null: absent, or null */

    if (!json_is_object(value))
        return codec_refuse_type(decoder, value, "an object");
    if (object->field_count > FIELDS_MAXIMUM)
        abort();

    enum ipsec_status status = find_members(decoder, object, value, given);
    if (status == IPSEC_OK)
        status = require_members(decoder, object, given);
    for (size_t i = 0; i < object->field_count && status == IPSEC_OK; i++) {
        const struct codec_field *field = &object->fields[i];
        if (given[i] == NULL)
            continue;
        decoder->step = &(struct codec_step){ .parent = outer, .member = field->name };
        status = decode_value(decoder, field, given[i], object_out);
        decoder->step = outer;
    }
    if (status != IPSEC_OK || object->check == NULL)
        return status;
    return object->check(decoder, object_out);
}

void
codec_clear(const struct codec_object *object, void *decoded)
{
    for (size_t i = 0; i < object->field_count; i++)
        clear_field(&object->fields[i], decoded);
}

uint64_t
codec_maximum(const struct codec_field *field)
{
    if (field->maximum != 0)
        return field->maximum;
    return field->size >= 8 ? IPSEC_LUID_MAX : (UINT64_C(1) << (8 * field->size)) - 1;
}

enum ipsec_status
codec_check_range(struct codec_decoder *decoder, const struct codec_field *field, bool fits)
{
    if (fits)
        return IPSEC_OK;
    return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "must be from %" PRIu64 " to %" PRIu64,
                        field->minimum, codec_maximum(field));
}

/* Fills 'given' with the value of each field. */
static enum ipsec_status
find_members(struct codec_decoder *decoder,
             const struct codec_object *object,
             const json_t *value,
             const json_t **given)
{
    /* jansson's iterators take the object as not const and do not change it. */
    json_t *members = (json_t *)(uintptr_t)value;
    for (void *i = json_object_iter(members); i != NULL; i = json_object_iter_next(members, i)) {
        const char *name = json_object_iter_key(i);
        size_t place = find_field(object, name, json_object_iter_key_len(i));

        if (place == object->field_count)
            return codec_refuse_unknown(decoder, object, name);
        if (!json_is_null(json_object_iter_value(i)))
            given[place] = json_object_iter_value(i);
    }
    return IPSEC_OK;
}

static enum ipsec_status
require_members(struct codec_decoder *decoder,
                const struct codec_object *object,
                const json_t *const *given)
{
    const struct codec_step *const outer = decoder->step;

    for (size_t i = 0; i < object->field_count; i++) {
        const struct codec_field *field = &object->fields[i];
        if ((field->flags & CODEC_REQUIRED) == 0 || given[i] != NULL)
            continue;
        decoder->step = &(struct codec_step){ .parent = outer, .member = field->name };
        enum ipsec_status status =
            codec_refuse(decoder, field->missing == IPSEC_OK ? IPSEC_NULL_POINTER : field->missing,
                         "%s is required", field->name);
        decoder->step = outer;
        return status;
    }
    return IPSEC_OK;
}

/* Its place; the number of fields: there is none of that name. */
static size_t
find_field(const struct codec_object *object, const char *name, size_t name_size)
{
    size_t i = 0;

    for (; i < object->field_count; i++) {
        const struct codec_field *field = &object->fields[i];
        if (field->key_size == name_size + KEY_FRAME && memcmp(field->name, name, name_size) == 0)
            break;
    }
    return i;
}

static enum ipsec_status
decode_value(struct codec_decoder *decoder,
             const struct codec_field *field,
             const json_t *value,
             void *object)
{
    enum ipsec_status status;

    switch (field->kind) {
    case CODEC_UNSIGNED:
        status = decode_unsigned(decoder, field, value, codec_member_of(object, field->offset));
        break;
    case CODEC_FLAGS:
        status = codec_decode_flags(decoder, field, value, codec_member_of(object, field->offset));
        break;
    case CODEC_OBJECT:
        status = codec_decode_object(decoder, field->object, value,
                                     codec_member_of(object, field->offset));
        break;
    case CODEC_ARRAY:
        status = decode_array(decoder, field, value, object);
        break;
    case CODEC_BOOLEAN:
        status = decode_boolean(decoder, value, codec_member_of(object, field->offset));
        break;
    case CODEC_CUSTOM:
        status = field->custom->decode(decoder, field, value, object);
        break;
    case CODEC_ENUM:
    case CODEC_IP_VERSION:
    case CODEC_ADDRESS:
    case CODEC_SUBNET:
    case CODEC_GUID:
    case CODEC_TEXT:
    case CODEC_CHARS:
    case CODEC_BLOB:
    case CODEC_SECRET:
        if (!json_is_string(value))
            return codec_refuse_type(decoder, value, "a string");
        return codec_decode_string(decoder, field, json_string_value(value), object);
    case CODEC_DECIMAL:
    case CODEC_TIME:
    case CODEC_PRINCIPAL:
    default:
        abort(); /* a table that reads what is only written */
    }
    if (status == IPSEC_OK)
        codec_mark_given(field, object);
    return status;
}

static enum ipsec_status
decode_boolean(struct codec_decoder *decoder, const json_t *value, void *member)
{
    if (!json_is_boolean(value))
        return codec_refuse_type(decoder, value, "true or false");
    *(bool *)member = json_is_true(value);
    return IPSEC_OK;
}

static enum ipsec_status
decode_unsigned(struct codec_decoder *decoder,
                const struct codec_field *field,
                const json_t *value,
                void *member)
{
    if (!json_is_integer(value))
        return codec_refuse_type(decoder, value, "an integer");
    json_int_t number = json_integer_value(value);
    bool fits = number >= 0 && (uint64_t)number >= field->minimum &&
                (uint64_t)number <= codec_maximum(field);
    enum ipsec_status status = codec_check_range(decoder, field, fits);
    if (status == IPSEC_OK)
        codec_store_unsigned(member, field->size, (uint64_t)number);
    return status;
}

static enum ipsec_status
decode_array(struct codec_decoder *decoder,
             const struct codec_field *field,
             const json_t *value,
             void *object)
{
    bool is_pointed = field->form == CODEC_POINTED;
    void *elements = codec_member_of(object, field->offset);

    if (!json_is_array(value))
        return codec_refuse_type(decoder, value, "an array");
    size_t count = json_array_size(value);
    size_t room = is_pointed ? field->maximum : field->size / field->stride;
    size_t least = is_pointed ? field->minimum : 0;
    if (count > room || count < least)
        return codec_refuse(decoder, count > room ? field->too_many : field->too_few,
                            "has %zu elements; there must be from %zu to %zu", count, least, room);
    if (is_pointed && count > 0) {
        void *heap = calloc(count, field->stride);

        if (heap == NULL)
            return codec_refuse_memory(decoder);
        *(void **)elements = heap;
        elements = heap;
    }
    codec_store_unsigned(codec_member_of(object, field->count_offset), field->count_size, count);
    return decode_elements(decoder, field, value, elements);
}

static enum ipsec_status
decode_elements(struct codec_decoder *decoder,
                const struct codec_field *field,
                const json_t *value,
                void *elements)
{
    const struct codec_step *const outer = decoder->step;
    enum ipsec_status status = IPSEC_OK;

    for (size_t i = 0; i < json_array_size(value) && status == IPSEC_OK; i++) {
        decoder->step = &(struct codec_step){ .parent = outer, .index = i };
        /* Elements are strangers to each other: one may be of IPv4 and the next of IPv6. */
        if (field->form == CODEC_POINTED)
            decoder->ip_version = -1;
        status = codec_decode_object(decoder, field->object, json_array_get(value, i),
                                     codec_member_of(elements, i * field->stride));
        decoder->step = outer;
    }
    return status;
}

static void
clear_field(const struct codec_field *field, void *decoded)
{
    void *member = codec_member_of(decoded, field->offset);
    bool is_pointed = field->form == CODEC_POINTED;

    if (field->kind == CODEC_OBJECT) {
        codec_clear(field->object, member);
    } else if (field->kind == CODEC_TEXT || field->kind == CODEC_BLOB) {
        free(*(void **)member);
        *(void **)member = NULL;
    } else if (field->kind == CODEC_SECRET) {
        secret_clear(member);
    } else if (field->kind == CODEC_CUSTOM && field->custom->clear != NULL) {
        field->custom->clear(decoded);
    } else if (field->kind == CODEC_ARRAY) {
        uint64_t count =
            codec_load_unsigned(codec_member_of(decoded, field->count_offset), field->count_size);
        void *elements = is_pointed ? *(void **)member : member;

        for (uint64_t i = 0; elements != NULL && i < count; i++)
            codec_clear(field->object, codec_member_of(elements, i * field->stride));
        if (is_pointed) {
            free(elements);
            *(void **)member = NULL;
        }
    }
}
