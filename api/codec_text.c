/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_text.c: decodes the members that are strings on the wire, and the parameters of a query. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/codec_decode.h"
#include "api/codec_member.h"
#include "api/key_text.h"
#include "api/text.h"
#include "engine/base/secret.h"
#include "engine/engine.h"

static enum ipsec_status decode_kind(struct codec_decoder *decoder,
                                     const struct codec_field *field,
                                     const char *text,
                                     void *object);
static enum ipsec_status decode_enum(struct codec_decoder *decoder,
                                     const struct codec_field *field,
                                     const char *text,
                                     void *member);
static enum ipsec_status
decode_ip_version(struct codec_decoder *decoder, const char *text, uint8_t *version_out);
static enum ipsec_status
decode_address(struct codec_decoder *decoder, const char *text, struct ipsec_address *address_out);
static enum ipsec_status
decode_subnet(struct codec_decoder *decoder, const char *text, struct ipsec_subnet *subnet_out);
static enum ipsec_status
decode_guid(struct codec_decoder *decoder, const char *text, struct ipsec_guid *guid_out);
static enum ipsec_status decode_owned_text(struct codec_decoder *decoder,
                                           const struct codec_field *field,
                                           const char *text,
                                           char **text_out);
static enum ipsec_status decode_chars(struct codec_decoder *decoder,
                                      const struct codec_field *field,
                                      const char *text,
                                      char *chars_out);
static enum ipsec_status decode_blob(struct codec_decoder *decoder,
                                     const struct codec_field *field,
                                     const char *text,
                                     void *object);
static enum ipsec_status
decode_secret(struct codec_decoder *decoder, const char *text, struct secret *secret_out);
static enum ipsec_status decode_query_boolean(struct codec_decoder *decoder,
                                              const struct codec_field *field,
                                              const char *text,
                                              bool *value_out);

enum ipsec_status
codec_decode_string(struct codec_decoder *decoder,
                    const struct codec_field *field,
                    const char *text,
                    void *object)
{
    enum ipsec_status status = decode_kind(decoder, field, text, object);

    if (status == IPSEC_OK)
        codec_mark_given(field, object);
    return status;
}

enum ipsec_status
codec_decode_text(struct codec_decoder *decoder,
                  const struct codec_field *field,
                  const char *text,
                  void *object)
{
    uint64_t number;

    if (field->kind != CODEC_UNSIGNED)
        return codec_decode_string(decoder, field, text, object);
    if (text[0] == '\0' || strspn(text, "-0123456789") != strlen(text))
        return codec_refuse(decoder, IPSEC_TYPE_MISMATCH, "%s is an integer", field->name);

    bool fits = text_parse_unsigned(text, strlen(text), &number) && number >= field->minimum &&
                number <= codec_maximum(field);
    enum ipsec_status status = codec_check_range(decoder, field, fits);
    if (status != IPSEC_OK)
        return status;
    codec_store_unsigned(codec_member_of(object, field->offset), field->size, number);
    codec_mark_given(field, object);
    return IPSEC_OK;
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

static enum ipsec_status
decode_kind(struct codec_decoder *decoder,
            const struct codec_field *field,
            const char *text,
            void *object)
{
    void *member = codec_member_of(object, field->offset);

    switch (field->kind) {
    case CODEC_ENUM:
        return decode_enum(decoder, field, text, member);
    case CODEC_IP_VERSION:
        return decode_ip_version(decoder, text, member);
    case CODEC_ADDRESS:
        return decode_address(decoder, text, member);
    case CODEC_SUBNET:
        return decode_subnet(decoder, text, member);
    case CODEC_GUID:
        return decode_guid(decoder, text, member);
    case CODEC_TEXT:
        return decode_owned_text(decoder, field, text, member);
    case CODEC_CHARS:
        return decode_chars(decoder, field, text, member);
    case CODEC_BLOB:
        return decode_blob(decoder, field, text, object);
    case CODEC_SECRET:
        return decode_secret(decoder, text, member);
    case CODEC_BOOLEAN:
        return decode_query_boolean(decoder, field, text, member);
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
}

static enum ipsec_status
decode_enum(struct codec_decoder *decoder,
            const struct codec_field *field,
            const char *text,
            void *member)
{
    int value = 0;
    enum ipsec_status status = codec_decode_name(decoder, field->names, text, &value);

    if (status == IPSEC_OK)
        codec_store_unsigned(member, field->size, (uint64_t)value);
    return status;
}

static enum ipsec_status
decode_ip_version(struct codec_decoder *decoder, const char *text, uint8_t *version_out)
{
    int value = 0;
    enum ipsec_status status = codec_decode_name(decoder, &codec_ip_versions, text, &value);

    if (status != IPSEC_OK)
        return status;
    *version_out = (uint8_t)value;
    return codec_agree_ip_version(decoder, *version_out);
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
decode_guid(struct codec_decoder *decoder, const char *text, struct ipsec_guid *guid_out)
{
    if (!text_parse_guid(text, guid_out))
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                            "not a GUID like 6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11");
    return IPSEC_OK;
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
        return codec_refuse_memory(decoder);
    *text_out = copy;
    return IPSEC_OK;
}

static enum ipsec_status
decode_chars(struct codec_decoder *decoder,
             const struct codec_field *field,
             const char *text,
             char *chars_out)
{
    if (strlen(text) >= field->size)
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "longer than %zu bytes",
                            field->size - 1);
    memcpy(chars_out, text, strlen(text) + 1);
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
        return codec_refuse_memory(decoder);
    if (!key_text_decode(text, bytes, capacity, &size) || size > field->maximum) {
        free(bytes);
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                            "not base64 of at most %" PRIu64 " bytes", field->maximum);
    }
    if (size == 0) {
        free(bytes);
        bytes = NULL;
    }
    *(uint8_t **)codec_member_of(object, field->offset) = bytes;
    codec_store_unsigned(codec_member_of(object, field->count_offset), field->count_size, size);
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
        return codec_refuse_memory(decoder);
    return good ? IPSEC_OK
                : codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                               "a key is base64, or hexadecimal digits behind \"hex:\", of at most "
                               "%d bytes",
                               SECRET_MAX);
}

static enum ipsec_status
decode_query_boolean(struct codec_decoder *decoder,
                     const struct codec_field *field,
                     const char *text,
                     bool *value_out)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return codec_refuse(decoder, IPSEC_TYPE_MISMATCH, "%s is true or false", field->name);
    *value_out = text[0] == 't';
    return IPSEC_OK;
}
