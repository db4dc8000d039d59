/* SPDX-License-Identifier: Apache-2.0
 *
 * codec.c: decodes JSON and query text by field tables.
 *
 * Within an object the order of checks is: unknown members, required members, then each value in
 * the order of the table, then the object's own check; the first failure is the answer. */
#include "api/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/key_text.h"
#include "api/text.h"
#include "engine/base/secret.h"
#include "engine/engine.h"

/* Quotes and colon around a name in a field's key; the most fields of an object. */
enum { KEY_FRAME = 3, FIELDS_MAXIMUM = 64 };

static const struct codec_name ip_version_rows[] = {
    { "v4", IPSEC_IP_VERSION_V4, NULL },
    { "v6", IPSEC_IP_VERSION_V6, NULL },
};
const struct codec_names codec_ip_versions = {
    .rows = ip_version_rows,
    .count = CODEC_COUNT(ip_version_rows),
};

const struct codec_object codec_no_members = {
    .name = "NoMembers",
    .summary = "Nothing: the path says it all.",
    .closed = true,
};

static enum ipsec_status decode_value(struct codec_decoder *decoder,
                                      const struct codec_field *field,
                                      const json_t *value,
                                      void *object);
static enum ipsec_status decode_unsigned(struct codec_decoder *decoder,
                                         const struct codec_field *field,
                                         const json_t *value,
                                         void *member);
static enum ipsec_status decode_string(struct codec_decoder *decoder,
                                       const struct codec_field *field,
                                       const char *text,
                                       void *object);
static enum ipsec_status decode_owned_text(struct codec_decoder *decoder,
                                           const struct codec_field *field,
                                           const char *text,
                                           char **text_out);
static enum ipsec_status
decode_boolean(struct codec_decoder *decoder, const json_t *value, void *member);
static enum ipsec_status decode_blob(struct codec_decoder *decoder,
                                     const struct codec_field *field,
                                     const char *text,
                                     void *object);
static enum ipsec_status
decode_secret(struct codec_decoder *decoder, const char *text, struct secret *secret_out);
static enum ipsec_status decode_elements(struct codec_decoder *decoder,
                                         const struct codec_field *field,
                                         const json_t *value,
                                         void *elements);
static enum ipsec_status no_memory(struct codec_decoder *decoder);
static void clear_field(const struct codec_field *field, void *decoded);
static enum ipsec_status decode_flags(struct codec_decoder *decoder,
                                      const struct codec_field *field,
                                      const json_t *value,
                                      void *member);
static enum ipsec_status decode_flag(struct codec_decoder *decoder,
                                     const struct codec_names *names,
                                     const json_t *value,
                                     uint64_t *flags);
static enum ipsec_status decode_array(struct codec_decoder *decoder,
                                      const struct codec_field *field,
                                      const json_t *value,
                                      void *object);
static enum ipsec_status
decode_address(struct codec_decoder *decoder, const char *text, struct ipsec_address *address_out);
static enum ipsec_status
decode_subnet(struct codec_decoder *decoder, const char *text, struct ipsec_subnet *subnet_out);
static enum ipsec_status
check_range(struct codec_decoder *decoder, const struct codec_field *field, bool fits);
static size_t find_field(const struct codec_object *object, const char *name, size_t name_size);
static void *member_of(void *object, size_t offset);
static void store_unsigned(void *member, size_t size, uint64_t value);
static void mark_given(const struct codec_field *field, void *object);

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
    enum ipsec_status status = IPSEC_OK;

    const json_t *given[FIELDS_MAXIMUM] = { NULL }; /* by field; null: absent, or null */
    if (!json_is_object(value))
        return codec_refuse_type(decoder, value, "an object");
    if (object->field_count > FIELDS_MAXIMUM)
        abort();

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

    for (size_t i = 0; i < object->field_count; i++) {
        const struct codec_field *field = &object->fields[i];
        if ((field->flags & CODEC_REQUIRED) == 0 || given[i] != NULL)
            continue;
        decoder->step = &(struct codec_step){ .parent = outer, .member = field->name };
        status =
            codec_refuse(decoder, field->missing == IPSEC_OK ? IPSEC_NULL_POINTER : field->missing,
                         "%s is required", field->name);
        decoder->step = outer;
        return status;
    }

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

enum ipsec_status
codec_decode_text(struct codec_decoder *decoder,
                  const struct codec_field *field,
                  const char *text,
                  void *object)
{
    uint64_t number;

    if (field->kind != CODEC_UNSIGNED)
        return decode_string(decoder, field, text, object);
    if (text[0] == '\0' || strspn(text, "-0123456789") != strlen(text))
        return codec_refuse(decoder, IPSEC_TYPE_MISMATCH, "%s is an integer", field->name);

    bool fits = text_parse_unsigned(text, strlen(text), &number) && number >= field->minimum &&
                number <= codec_maximum(field);
    enum ipsec_status status = check_range(decoder, field, fits);
    if (status != IPSEC_OK)
        return status;
    store_unsigned(member_of(object, field->offset), field->size, number);
    mark_given(field, object);
    return IPSEC_OK;
}

void
codec_clear(const struct codec_object *object, void *decoded)
{
    for (size_t i = 0; i < object->field_count; i++)
        clear_field(&object->fields[i], decoded);
}

enum ipsec_status
codec_decode_name(struct codec_decoder *decoder,
                  const struct codec_names *names,
                  const char *text,
                  int *value_out)
{
    struct codec_list list = { .length = 0 };

    for (size_t i = 0; i < names->count; i++) {
        const struct codec_name *row = &names->rows[i];
        if (strcmp(row->name, text) == 0 ||
            (row->guid != NULL && strcasecmp(row->guid, text) == 0)) {
            *value_out = row->value;
            return IPSEC_OK;
        }
    }
    for (size_t i = 0; i < names->count; i++)
        codec_list_name(&list, names->rows[i].name);
    for (size_t i = 0; names->not_carried != NULL && names->not_carried[i] != NULL; i++) {
        if (strcmp(names->not_carried[i], text) == 0)
            return codec_refuse(decoder, names->not_carried_status,
                                "this engine does not carry %s, only %s", text, list.text);
    }
    return codec_refuse(decoder,
                        names->unknown == IPSEC_OK ? IPSEC_INVALID_ENUMERATOR : names->unknown,
                        "must be %s%s", names->count == 1 ? "" : "one of ", list.text);
}

enum ipsec_status
codec_decode_prefix(struct codec_decoder *decoder,
                    const char *text,
                    void *address_out,
                    uint8_t *prefix_length_out,
                    uint8_t *version_out)
{
    switch (text_parse_prefix(text, address_out, prefix_length_out, version_out)) {
    case TEXT_PREFIX_GOOD:
        return codec_agree_ip_version(decoder, *version_out);
    case TEXT_PREFIX_NO_LENGTH:
        return codec_refuse(decoder, IPSEC_INVALID_NET_MASK,
                            "a prefix length is a number from 0 to %u",
                            text_address_bits(*version_out));
    case TEXT_PREFIX_HOST_BITS:
        return codec_refuse(decoder, IPSEC_INVALID_NET_MASK,
                            "the address has bits set behind the prefix length");
    case TEXT_PREFIX_NO_ADDRESS:
        break;
    }
    return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                        "not an address or prefix in text form, like 198.51.100.0/24 or "
                        "2001:db8::/32");
}

enum ipsec_status
codec_agree_ip_version(struct codec_decoder *decoder, uint8_t version)
{
    if (decoder->ip_version >= 0 && decoder->ip_version != version)
        return codec_refuse(decoder, IPSEC_TYPE_MISMATCH,
                            "an IPv%c address where the rest of the request is of IPv%c",
                            version == IPSEC_IP_VERSION_V4 ? '4' : '6',
                            version == IPSEC_IP_VERSION_V4 ? '6' : '4');
    decoder->ip_version = version;
    return IPSEC_OK;
}

uint64_t
codec_maximum(const struct codec_field *field)
{
    if (field->maximum != 0)
        return field->maximum;
    return field->size >= 8 ? IPSEC_LUID_MAX : (UINT64_C(1) << (8 * field->size)) - 1;
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
        status = decode_unsigned(decoder, field, value, member_of(object, field->offset));
        break;
    case CODEC_FLAGS:
        status = decode_flags(decoder, field, value, member_of(object, field->offset));
        break;
    case CODEC_OBJECT:
        status =
            codec_decode_object(decoder, field->object, value, member_of(object, field->offset));
        break;
    case CODEC_ARRAY:
        status = decode_array(decoder, field, value, object);
        break;
    case CODEC_BOOLEAN:
        status = decode_boolean(decoder, value, member_of(object, field->offset));
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
        return decode_string(decoder, field, json_string_value(value), object);
    case CODEC_DECIMAL:
    case CODEC_TIME:
    case CODEC_PRINCIPAL:
    default:
        abort(); /* a table that reads what is only written */
    }
    if (status == IPSEC_OK)
        mark_given(field, object);
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
    enum ipsec_status status = check_range(decoder, field, fits);
    if (status == IPSEC_OK)
        store_unsigned(member, field->size, (uint64_t)number);
    return status;
}

/* All kinds that are strings on the wire. */
static enum ipsec_status
decode_string(struct codec_decoder *decoder,
              const struct codec_field *field,
              const char *text,
              void *object)
{
    void *member = member_of(object, field->offset);
    enum ipsec_status status = IPSEC_OK;
    int value = 0;

    switch (field->kind) {
    case CODEC_ENUM:
        status = codec_decode_name(decoder, field->names, text, &value);
        if (status == IPSEC_OK)
            store_unsigned(member, field->size, (uint64_t)value);
        break;
    case CODEC_IP_VERSION:
        status = codec_decode_name(decoder, &codec_ip_versions, text, &value);
        if (status != IPSEC_OK)
            break;
        status = codec_agree_ip_version(decoder, (uint8_t)value);
        store_unsigned(member, field->size, (uint64_t)value);
        break;
    case CODEC_ADDRESS:
        status = decode_address(decoder, text, member);
        break;
    case CODEC_SUBNET:
        status = decode_subnet(decoder, text, member);
        break;
    case CODEC_GUID:
        if (!text_parse_guid(text, member))
            return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                                "not a GUID like 6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11");
        break;
    case CODEC_TEXT:
        status = decode_owned_text(decoder, field, text, member);
        break;
    case CODEC_CHARS:
        if (strlen(text) >= field->size)
            return codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "longer than %zu bytes",
                                field->size - 1);
        memcpy(member, text, strlen(text) + 1);
        break;
    case CODEC_BLOB:
        status = decode_blob(decoder, field, text, object);
        break;
    case CODEC_SECRET:
        status = decode_secret(decoder, text, member);
        break;
    case CODEC_BOOLEAN: /* of a query */
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            return codec_refuse(decoder, IPSEC_TYPE_MISMATCH, "%s is true or false", field->name);
        *(bool *)member = text[0] == 't';
        break;
    case CODEC_UNSIGNED:
    case CODEC_FLAGS:
    case CODEC_DECIMAL:
    case CODEC_TIME:
    case CODEC_PRINCIPAL:
    case CODEC_OBJECT:
    case CODEC_ARRAY:
    case CODEC_CUSTOM:
    default:
        abort(); /* a table that reads what is only written */
    }
    if (status == IPSEC_OK)
        mark_given(field, object);
    return status;
}

static enum ipsec_status
decode_owned_text(struct codec_decoder *decoder,
                  const struct codec_field *field,
                  const char *text,
                  char **text_out)
{
    size_t size = strlen(text);

    if (size < field->minimum)
        return codec_refuse(decoder,
                            field->missing == IPSEC_OK ? IPSEC_INVALID_PARAMETER : field->missing,
                            "%s must not be empty", field->name);
    if (size > field->maximum)
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "%s is longer than %" PRIu64 " bytes",
                            field->name, field->maximum);
    char *copy = strdup(text);
    if (copy == NULL)
        return no_memory(decoder);
    *text_out = copy;
    return IPSEC_OK;
}

static enum ipsec_status
decode_blob(struct codec_decoder *decoder,
            const struct codec_field *field,
            const char *text,
            void *object)
{
    size_t capacity = strlen(text) / 4 * 3;
    size_t size = 0;

    if (capacity > field->maximum + 2)
        return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "more than %" PRIu64 " bytes",
                            field->maximum);
    uint8_t *bytes = malloc(capacity + 1);
    if (bytes == NULL)
        return no_memory(decoder);
    if (!key_text_decode(text, bytes, capacity, &size) || size > field->maximum) {
        free(bytes);
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                            "not base64 of at most %" PRIu64 " bytes", field->maximum);
    }
    if (size == 0) {
        free(bytes);
        bytes = NULL;
    }
    *(uint8_t **)member_of(object, field->offset) = bytes;
    store_unsigned(member_of(object, field->count_offset), field->count_size, size);
    return IPSEC_OK;
}

/* Nothing of the text may be repeated in the fault. */
static enum ipsec_status
decode_secret(struct codec_decoder *decoder, const char *text, struct secret *secret_out)
{
    uint8_t bytes[SECRET_MAX];
    size_t size = 0;
    bool good = key_text_decode(text, bytes, sizeof bytes, &size);
    bool has_memory = !good || secret_init(secret_out, size);

    if (good && has_memory && size > 0)
        memcpy(secret_out->bytes, bytes, size);
    explicit_bzero(bytes, sizeof bytes);
    if (!has_memory)
        return no_memory(decoder);
    return good ? IPSEC_OK
                : codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                               "a key is base64, or hexadecimal digits behind \"hex:\", of at most "
                               "%d bytes",
                               SECRET_MAX);
}

static enum ipsec_status
no_memory(struct codec_decoder *decoder)
{
    return ipsec_fault_set(decoder->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE, NULL,
                           "no memory to read the body");
}

static enum ipsec_status
decode_flags(struct codec_decoder *decoder,
             const struct codec_field *field,
             const json_t *value,
             void *member)
{
    const struct codec_step *const outer = decoder->step;
    enum ipsec_status status = IPSEC_OK;
    uint64_t flags = 0;

    if (!json_is_array(value))
        return codec_refuse_type(decoder, value, "an array");
    for (size_t i = 0; i < json_array_size(value) && status == IPSEC_OK; i++) {
        decoder->step = &(struct codec_step){ .parent = outer, .index = i };
        status = decode_flag(decoder, field->names, json_array_get(value, i), &flags);
        decoder->step = outer;
    }
    store_unsigned(member, field->size, flags);
    return status;
}

static enum ipsec_status
decode_flag(struct codec_decoder *decoder,
            const struct codec_names *names,
            const json_t *value,
            uint64_t *flags)
{
    int flag = 0;

    if (!json_is_string(value))
        return codec_refuse_type(decoder, value, "a string");
    enum ipsec_status status = codec_decode_name(decoder, names, json_string_value(value), &flag);
    if (status != IPSEC_OK)
        return status;
    if ((*flags & (unsigned)flag) != 0)
        return codec_refuse(decoder, IPSEC_INVALID_FLAGS, "%s is given twice",
                            json_string_value(value));
    *flags |= (unsigned)flag;
    return IPSEC_OK;
}

static enum ipsec_status
decode_array(struct codec_decoder *decoder,
             const struct codec_field *field,
             const json_t *value,
             void *object)
{
    bool is_pointed = field->form == CODEC_POINTED;
    void *elements = member_of(object, field->offset);

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
            return no_memory(decoder);
        *(void **)elements = heap;
        elements = heap;
    }
    store_unsigned(member_of(object, field->count_offset), field->count_size, count);
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
                                     member_of(elements, i * field->stride));
        decoder->step = outer;
    }
    return status;
}

static enum ipsec_status
decode_address(struct codec_decoder *decoder, const char *text, struct ipsec_address *address_out)
{
    uint8_t version;

    if (!text_parse_address(text, address_out, &version))
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                            "not an address in text form, like 192.0.2.1 or 2001:db8::1");
    return codec_agree_ip_version(decoder, version);
}

/* Subnets of a template may differ in version: the engine says what that means. */
static enum ipsec_status
decode_subnet(struct codec_decoder *decoder, const char *text, struct ipsec_subnet *subnet_out)
{
    decoder->ip_version = -1;
    enum ipsec_status status = codec_decode_prefix(
        decoder, text, &subnet_out->address, &subnet_out->prefix_length, &subnet_out->ip_version);
    subnet_out->given = status == IPSEC_OK;
    return status;
}

static enum ipsec_status
check_range(struct codec_decoder *decoder, const struct codec_field *field, bool fits)
{
    if (fits)
        return IPSEC_OK;
    return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "must be from %" PRIu64 " to %" PRIu64,
                        field->minimum, codec_maximum(field));
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

static void *
member_of(void *object, size_t offset)
{
    return (char *)object + offset;
}

static void
store_unsigned(void *member, size_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)member = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)member = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)member = (uint32_t)value;
        break;
    case 8:
        *(uint64_t *)member = value;
        break;
    default:
        abort();
    }
}

static void
mark_given(const struct codec_field *field, void *object)
{
    if (field->given_offset != 0)
        *(bool *)member_of(object, field->given_offset) = true;
}

static void
clear_field(const struct codec_field *field, void *decoded)
{
    void *member = member_of(decoded, field->offset);
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
            codec_load_unsigned(member_of(decoded, field->count_offset), field->count_size);
        void *elements = is_pointed ? *(void **)member : member;

        for (uint64_t i = 0; elements != NULL && i < count; i++)
            codec_clear(field->object, member_of(elements, i * field->stride));
        if (is_pointed) {
            free(elements);
            *(void **)member = NULL;
        }
    }
}
