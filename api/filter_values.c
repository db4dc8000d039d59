/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_values.c: see filter_values.h. */
#include "api/filter_values.h"

#include <inttypes.h>
#include <string.h>

#include "api/filter_names.h"
#include "api/text.h"
#include "engine/types.h"

/* The largest integer that every JSON parser keeps exactly. */
#define EXACT_INTEGER_MAXIMUM IPSEC_LUID_MAX
enum { WEIGHT_RANGE_MAXIMUM = 15 };

static bool is_address_field(uint8_t field);
static enum ipsec_status decode_weight_range(struct codec_decoder *decoder,
                                             const struct codec_field *field,
                                             const json_t *value,
                                             void *object);
static enum ipsec_status
decode_unknown_key(struct codec_decoder *decoder, const json_t *value, enum ipsec_status unknown);

/* --- Layer --------------------------------------------------------------------------------------
 */

static enum ipsec_status
decode_layer(struct codec_decoder *decoder,
             const struct codec_field *field,
             const json_t *value,
             void *object)
{
    struct ipsec_filter *filter = object;
    int layer;

    if (!json_is_string(value))
        return codec_refuse_type(decoder, value, "a string");
    enum ipsec_status status =
        codec_decode_name(decoder, field->names, json_string_value(value), &layer);
    if (status != IPSEC_OK)
        return status;
    filter->layer = (uint8_t)layer;
    return codec_agree_ip_version(decoder, filter_layer_ip_version((enum ipsec_layer)layer));
}

static void
encode_layer(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_filter *filter = object;
    const char *name = codec_name_of(field->names, filter->layer);

    encoder->ip_version = filter_layer_ip_version((enum ipsec_layer)filter->layer);
    buffer_append_json_string(encoder->out, name, strlen(name));
}

static json_t *
describe_layer(const struct codec_field *field)
{
    return codec_describe_names(field->names);
}

const struct codec_custom filter_layer_codec = {
    .decode = decode_layer,
    .encode = encode_layer,
    .describe = describe_layer,
};

/* --- Condition value: its type is the field's ----------------------------------------------------
 */

static enum ipsec_status
decode_condition_value(struct codec_decoder *decoder,
                       const struct codec_field *field,
                       const json_t *value,
                       void *object)
{
    struct ipsec_condition *condition = object;
    uint8_t version;

    (void)field;
    if (is_address_field(condition->field)) {
        if (!json_is_string(value))
            return codec_refuse_type(decoder, value, "an address or prefix in a string");
        return codec_decode_prefix(decoder, json_string_value(value), &condition->address,
                                   &condition->prefix_length, &version);
    }

    json_int_t maximum = condition->field == IPSEC_CONDITION_IP_PROTOCOL ? UINT8_MAX : UINT16_MAX;
    if (!json_is_integer(value))
        return codec_refuse_type(decoder, value, "an integer");
    if (json_integer_value(value) < 0 || json_integer_value(value) > maximum)
        return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "must be from 0 to %d", (int)maximum);
    condition->number = (uint16_t)json_integer_value(value);
    return IPSEC_OK;
}

static void
encode_condition_value(struct codec_encoder *encoder,
                       const struct codec_field *field,
                       const void *object)
{
    const struct ipsec_condition *condition = object;
    uint8_t ip_version = (uint8_t)encoder->ip_version;

    (void)field;
    if (!is_address_field(condition->field)) {
        text_append_unsigned(encoder->out, condition->number);
        return;
    }
    buffer_append_char(encoder->out, '"');
    text_append_address(encoder->out, &condition->address, ip_version);
    if (condition->prefix_length != text_address_bits(ip_version)) {
        buffer_append_char(encoder->out, '/');
        text_append_unsigned(encoder->out, condition->prefix_length);
    }
    buffer_append_char(encoder->out, '"');
}

static json_t *
describe_condition_value(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:[{s:s},{s:s, s:i, s:i}]}", "oneOf", "type", "string", "type", "integer",
                     "minimum", 0, "maximum", UINT16_MAX);
}

const struct codec_custom filter_condition_value_codec = {
    .decode = decode_condition_value,
    .encode = encode_condition_value,
    .describe = describe_condition_value,
};

static bool
is_address_field(uint8_t field)
{
    return field == IPSEC_CONDITION_IP_LOCAL_ADDRESS || field == IPSEC_CONDITION_IP_REMOTE_ADDRESS;
}

/* --- Weight: FWP_EMPTY, FWP_UINT8 or FWP_UINT64 --------------------------------------------------
 */

static const struct codec_custom weight_range_codec = { .decode = decode_weight_range };
static const struct codec_field weight_range_fields[] = {
    CODEC_GROUP(
        "range", .kind = CODEC_CUSTOM, .custom = &weight_range_codec, .flags = CODEC_REQUIRED),
};
static const struct codec_object weight_range = {
    .fields = weight_range_fields,
    .field_count = CODEC_COUNT(weight_range_fields),
};

static enum ipsec_status
decode_weight(struct codec_decoder *decoder,
              const struct codec_field *field,
              const json_t *value,
              void *object)
{
    struct ipsec_filter *filter = object;
    const char *digits = json_string_value(value);

    (void)field;
    if (json_is_object(value)) {
        filter->weight_type = IPSEC_WEIGHT_RANGE;
        return codec_decode_object(decoder, &weight_range, value, filter);
    }
    filter->weight_type = IPSEC_WEIGHT_EXPLICIT;
    if (digits != NULL) {
        if (text_parse_unsigned(digits, strlen(digits), &filter->weight))
            return IPSEC_OK;
        return codec_refuse(decoder, IPSEC_INVALID_WEIGHT,
                            "must be decimal digits of at most 2^64-1");
    }
    if (!json_is_integer(value))
        return codec_refuse_type(decoder, value,
                                 "an integer, decimal digits in a string or {\"range\": 0 to 15}");
    if (json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > EXACT_INTEGER_MAXIMUM)
        return codec_refuse(decoder, IPSEC_INVALID_WEIGHT,
                            "must be from 0 to 2^53-1; write more as decimal digits in a string");
    filter->weight = (uint64_t)json_integer_value(value);
    return IPSEC_OK;
}

static enum ipsec_status
decode_weight_range(struct codec_decoder *decoder,
                    const struct codec_field *field,
                    const json_t *value,
                    void *object)
{
    struct ipsec_filter *filter = object;

    (void)field;
    if (!json_is_integer(value))
        return codec_refuse_type(decoder, value, "an integer");
    if (json_integer_value(value) < 0 || json_integer_value(value) > WEIGHT_RANGE_MAXIMUM)
        return codec_refuse(decoder, IPSEC_INVALID_WEIGHT, "must be from 0 to %d",
                            WEIGHT_RANGE_MAXIMUM);
    filter->weight = (uint64_t)json_integer_value(value);
    return IPSEC_OK;
}

static void
encode_weight(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_filter *filter = object;
    bool range = filter->weight_type == IPSEC_WEIGHT_RANGE;
    const char *before = range ? "{\"range\":" : filter->weight > EXACT_INTEGER_MAXIMUM ? "\"" : "";
    const char *behind = range ? "}" : before;

    (void)field;
    buffer_append_text(encoder->out, before);
    text_append_unsigned(encoder->out, filter->weight);
    buffer_append_text(encoder->out, behind);
}

static bool
weight_is_automatic(const void *object)
{
    const struct ipsec_filter *filter = object;

    return filter->weight_type == IPSEC_WEIGHT_AUTOMATIC;
}

static json_t *
describe_weight(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:[{s:s, s:i, s:I},{s:s, s:s},{s:s, s:[s], s:b, s:{s:{s:s, s:i, s:i}}}]}",
                     "oneOf", "type", "integer", "minimum", 0, "maximum",
                     (json_int_t)EXACT_INTEGER_MAXIMUM, "type", "string", "pattern",
                     "^(0|[1-9][0-9]{0,19})$", "type", "object", "required", "range",
                     "additionalProperties", 0, "properties", "range", "type", "integer", "minimum",
                     0, "maximum", WEIGHT_RANGE_MAXIMUM);
}

const struct codec_custom filter_weight_codec = {
    .decode = decode_weight,
    .encode = encode_weight,
    .absent = weight_is_automatic,
    .describe = describe_weight,
};

/* --- What this version has none of ---------------------------------------------------------------
 */

static enum ipsec_status
decode_flags(struct codec_decoder *decoder,
             const struct codec_field *field,
             const json_t *value,
             void *object)
{
    (void)field;
    (void)object;
    if (!json_is_array(value))
        return codec_refuse_type(decoder, value, "an array");
    if (json_array_size(value) == 0)
        return IPSEC_OK;

    const json_t *first = json_array_get(value, 0);
    const struct codec_step *const outer = decoder->step;
    struct codec_step step = { .parent = outer, .index = 0 };
    decoder->step = &step;
    enum ipsec_status status =
        json_is_string(first)
            ? codec_refuse(decoder, IPSEC_INVALID_FLAGS, "this version carries no filter flag")
            : codec_refuse_type(decoder, first, "a string");
    decoder->step = outer;
    return status;
}

static json_t *
describe_flags(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:{s:s}, s:i}", "type", "array", "items", "type", "string", "maxItems",
                     0);
}

const struct codec_custom filter_flags_codec = {
    .decode = decode_flags,
    .describe = describe_flags,
};

static enum ipsec_status
decode_provider_key(struct codec_decoder *decoder,
                    const struct codec_field *field,
                    const json_t *value,
                    void *object)
{
    (void)field;
    (void)object;
    return decode_unknown_key(decoder, value, IPSEC_PROVIDER_NOT_FOUND);
}

static enum ipsec_status
decode_provider_context_key(struct codec_decoder *decoder,
                            const struct codec_field *field,
                            const json_t *value,
                            void *object)
{
    (void)field;
    (void)object;
    return decode_unknown_key(decoder, value, IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
}

static enum ipsec_status
decode_unknown_key(struct codec_decoder *decoder, const json_t *value, enum ipsec_status unknown)
{
    struct ipsec_guid key;

    if (!json_is_string(value))
        return codec_refuse_type(decoder, value, "a string");
    if (!text_parse_guid(json_string_value(value), &key))
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                            "not a GUID like 6f1c0a52-5f30-4c2e-9f43-0d7a5d2b8c11");
    return codec_refuse(decoder, unknown, "nothing has the key %s", json_string_value(value));
}

static json_t *
describe_guid(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:s}", "type", "string", "format", "uuid");
}

const struct codec_custom filter_provider_key_codec = {
    .decode = decode_provider_key,
    .describe = describe_guid,
};

const struct codec_custom filter_provider_context_key_codec = {
    .decode = decode_provider_context_key,
    .describe = describe_guid,
};
