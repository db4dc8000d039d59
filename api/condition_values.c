/* SPDX-License-Identifier: Apache-2.0
 *
 * condition_values.c: see condition_values.h.  What a value is follows from the field that is
 * compared, and with "range" there are two of them. */
#include "api/condition_values.h"

#include <string.h>

#include "api/filter_names.h"
#include "api/text.h"
#include "api/wide_number.h"
#include "engine/types.h"

/* Where one end of a range, or a single value, goes. */
struct place {
    struct ipsec_address *address;
    uint64_t *number;
    uint8_t *prefix_length; /* null: a prefix is not possible */
};

static enum ipsec_status decode_field(struct codec_decoder *decoder,
                                      const struct codec_field *field,
                                      const json_t *value,
                                      void *object);
static void
encode_field(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_fields(const struct codec_field *field);
static enum ipsec_status decode_value(struct codec_decoder *decoder,
                                      const struct codec_field *field,
                                      const json_t *value,
                                      void *object);
static void
encode_value(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_value(const struct codec_field *field);
static enum ipsec_status decode_low(struct codec_decoder *decoder,
                                    const struct codec_field *field,
                                    const json_t *value,
                                    void *object);
static enum ipsec_status decode_high(struct codec_decoder *decoder,
                                     const struct codec_field *field,
                                     const json_t *value,
                                     void *object);
static enum ipsec_status decode_single(struct codec_decoder *decoder,
                                       uint8_t field,
                                       const json_t *value,
                                       struct place place);
static enum ipsec_status
decode_address(struct codec_decoder *decoder, const json_t *value, struct place place);
static enum ipsec_status decode_number(struct codec_decoder *decoder,
                                       const json_t *value,
                                       uint64_t maximum,
                                       uint64_t *number_out);
static enum ipsec_status
decode_address_type(struct codec_decoder *decoder, const json_t *value, uint64_t *number_out);
static void append_single(struct codec_encoder *encoder,
                          const struct ipsec_condition *condition,
                          const struct ipsec_address *address,
                          uint64_t number);

static const struct codec_custom field_codec = {
    .decode = decode_field,
    .encode = encode_field,
    .describe = describe_fields,
};
static const struct codec_custom value_codec = {
    .decode = decode_value,
    .encode = encode_value,
    .describe = describe_value,
};

static const struct codec_field condition_fields[] = {
    CODEC_GROUP("field",
                .kind = CODEC_CUSTOM,
                .custom = &field_codec,
                .flags = CODEC_REQUIRED,
                .summary = "What is compared; each field once.  The forward layers have "
                           "ipSourceAddress and ipDestinationAddress, the others ipLocalAddress "
                           "and ipRemoteAddress.  With ICMP the local port is the type and the "
                           "remote port the code."),
    CODEC_FIELD(ipsec_condition,
                match,
                "match",
                .kind = CODEC_ENUM,
                .names = &filter_match_types,
                .flags = CODEC_REQUIRED,
                .summary = "How it is compared."),
    CODEC_GROUP("value",
                .kind = CODEC_CUSTOM,
                .custom = &value_codec,
                .flags = CODEC_REQUIRED,
                .summary = "Addresses: an address or prefix of the layer's IP version.  Address "
                           "types: their names.  Others: an integer, of 8 bits for the protocol, "
                           "16 for ports, 32 for flags, 64 for the interface (above 2^53-1 as "
                           "decimal digits in a string).  With range: {\"low\": …, \"high\": …}, "
                           "ends included."),
};
const struct codec_object codec_condition = {
    .name = "Condition",
    .summary = "One condition of a filter (FWPM_FILTER_CONDITION0); all of them must hold.",
    .fields = condition_fields,
    .field_count = CODEC_COUNT(condition_fields),
    .closed = true,
};

static const struct codec_custom low_codec = { .decode = decode_low };
static const struct codec_custom high_codec = { .decode = decode_high };
static const struct codec_field range_fields[] = {
    CODEC_GROUP("low", .kind = CODEC_CUSTOM, .custom = &low_codec, .flags = CODEC_REQUIRED),
    CODEC_GROUP("high", .kind = CODEC_CUSTOM, .custom = &high_codec, .flags = CODEC_REQUIRED),
};
static const struct codec_object range = {
    .fields = range_fields,
    .field_count = CODEC_COUNT(range_fields),
};

static bool
is_address_field(uint8_t field)
{
    return field == IPSEC_CONDITION_IP_LOCAL_ADDRESS || field == IPSEC_CONDITION_IP_REMOTE_ADDRESS;
}

static bool
is_address_type_field(uint8_t field)
{
    return field == IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE ||
           field == IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE;
}

/* --- Field ------------------------------------------------------------------------------------ */

static enum ipsec_status
decode_field(struct codec_decoder *decoder,
             const struct codec_field *field,
             const json_t *value,
             void *object)
{
    struct ipsec_condition *condition = object;
    int number = 0;

    (void)field;
    if (!json_is_string(value))
        return codec_refuse_type(decoder, value, "a string");
    enum ipsec_status status = codec_decode_name(
        decoder, decoder->forwards ? &filter_forward_conditions : &filter_conditions,
        json_string_value(value), &number);
    condition->field = (uint8_t)number;
    return status;
}

static void
encode_field(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_condition *condition = object;
    const char *name = codec_name_of(
        encoder->forwards ? &filter_forward_conditions : &filter_conditions, condition->field);

    (void)field;
    buffer_append_json_string(encoder->out, name, strlen(name));
}

static json_t *
describe_fields(const struct codec_field *field)
{
    json_t *schema = codec_describe_names(&filter_conditions);
    json_t *names = json_object_get(schema, "enum");

    (void)field;
    for (size_t i = 0; i < filter_forward_conditions.count; i++) {
        const struct codec_name *row = &filter_forward_conditions.rows[i];
        if (is_address_field((uint8_t)row->value))
            json_array_append_new(names, json_string(row->name));
    }
    return schema;
}

/* --- Value ------------------------------------------------------------------------------------ */

static enum ipsec_status
decode_value(struct codec_decoder *decoder,
             const struct codec_field *field,
             const json_t *value,
             void *object)
{
    struct ipsec_condition *condition = object;

    (void)field;
    if (condition->match == IPSEC_MATCH_RANGE) {
        condition->prefix_length = is_address_field(condition->field) && decoder->ip_version >= 0
                                       ? (uint8_t)text_address_bits((uint8_t)decoder->ip_version)
                                       : 0;
        return codec_decode_object(decoder, &range, value, condition);
    }
    return decode_single(decoder, condition->field, value,
                         (struct place){ .address = &condition->address,
                                         .number = &condition->number,
                                         .prefix_length = &condition->prefix_length });
}

static enum ipsec_status
decode_low(struct codec_decoder *decoder,
           const struct codec_field *field,
           const json_t *value,
           void *object)
{
    struct ipsec_condition *condition = object;

    (void)field;
    return decode_single(
        decoder, condition->field, value,
        (struct place){ .address = &condition->address, .number = &condition->number });
}

static enum ipsec_status
decode_high(struct codec_decoder *decoder,
            const struct codec_field *field,
            const json_t *value,
            void *object)
{
    struct ipsec_condition *condition = object;

    (void)field;
    return decode_single(
        decoder, condition->field, value,
        (struct place){ .address = &condition->address_high, .number = &condition->number_high });
}

static enum ipsec_status
decode_single(struct codec_decoder *decoder, uint8_t field, const json_t *value, struct place place)
{
    switch ((enum ipsec_condition_field)field) {
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS:
    case IPSEC_CONDITION_IP_REMOTE_ADDRESS:
        return decode_address(decoder, value, place);
    case IPSEC_CONDITION_IP_PROTOCOL:
        return decode_number(decoder, value, UINT8_MAX, place.number);
    case IPSEC_CONDITION_IP_LOCAL_PORT:
    case IPSEC_CONDITION_IP_REMOTE_PORT:
        return decode_number(decoder, value, UINT16_MAX, place.number);
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE:
    case IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE:
        return decode_address_type(decoder, value, place.number);
    case IPSEC_CONDITION_IP_LOCAL_INTERFACE:
        return wide_number_decode(decoder, value, IPSEC_OUT_OF_BOUNDS, "", place.number);
    case IPSEC_CONDITION_FLAGS:
    case IPSEC_CONDITION_FIELD_COUNT:
    default:
        return decode_number(decoder, value, UINT32_MAX, place.number);
    }
}

static enum ipsec_status
decode_address(struct codec_decoder *decoder, const json_t *value, struct place place)
{
    uint8_t version;

    if (!json_is_string(value))
        return codec_refuse_type(decoder, value,
                                 place.prefix_length == NULL ? "an address in a string"
                                                             : "an address or prefix in a string");
    if (place.prefix_length != NULL)
        return codec_decode_prefix(decoder, json_string_value(value), place.address,
                                   place.prefix_length, &version);
    if (!text_parse_address(json_string_value(value), place.address, &version))
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                            "not an address in text form, like 192.0.2.1 or 2001:db8::1");
    return codec_agree_ip_version(decoder, version);
}

static enum ipsec_status
decode_number(struct codec_decoder *decoder,
              const json_t *value,
              uint64_t maximum,
              uint64_t *number_out)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value))
        return codec_refuse_type(decoder, value, "an integer");
    if (number < 0 || (uint64_t)number > maximum)
        return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "must be from 0 to %llu",
                            (unsigned long long)maximum);
    *number_out = (uint64_t)number;
    return IPSEC_OK;
}

static enum ipsec_status
decode_address_type(struct codec_decoder *decoder, const json_t *value, uint64_t *number_out)
{
    int type = 0;

    if (!json_is_string(value))
        return codec_refuse_type(decoder, value, "a string");
    enum ipsec_status status =
        codec_decode_name(decoder, &filter_address_types, json_string_value(value), &type);
    *number_out = (uint64_t)type;
    return status;
}

static void
encode_value(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_condition *condition = object;
    unsigned bits = text_address_bits((uint8_t)encoder->ip_version);

    (void)field;
    if (condition->match == IPSEC_MATCH_RANGE) {
        buffer_append_text(encoder->out, "{\"low\":");
        append_single(encoder, condition, &condition->address, condition->number);
        buffer_append_text(encoder->out, ",\"high\":");
        append_single(encoder, condition, &condition->address_high, condition->number_high);
        buffer_append_char(encoder->out, '}');
        return;
    }
    if (!is_address_field(condition->field) || condition->prefix_length == bits) {
        append_single(encoder, condition, &condition->address, condition->number);
        return;
    }
    buffer_append_char(encoder->out, '"');
    text_append_address(encoder->out, &condition->address, (uint8_t)encoder->ip_version);
    buffer_append_char(encoder->out, '/');
    text_append_unsigned(encoder->out, condition->prefix_length);
    buffer_append_char(encoder->out, '"');
}

static void
append_single(struct codec_encoder *encoder,
              const struct ipsec_condition *condition,
              const struct ipsec_address *address,
              uint64_t number)
{
    if (is_address_field(condition->field)) {
        buffer_append_char(encoder->out, '"');
        text_append_address(encoder->out, address, (uint8_t)encoder->ip_version);
        buffer_append_char(encoder->out, '"');
    } else if (is_address_type_field(condition->field)) {
        const char *name = codec_name_of(&filter_address_types, (int)number);

        buffer_append_json_string(encoder->out, name, strlen(name));
    } else {
        wide_number_append(encoder->out, number);
    }
}

static json_t *
describe_value(const struct codec_field *field)
{
    json_t *end = json_pack("{s:[s,s]}", "type", "string", "integer");
    json_t *ranges =
        json_pack("{s:s, s:[s,s], s:b, s:{s:O, s:o}}", "type", "object", "required", "low", "high",
                  "additionalProperties", 0, "properties", "low", end, "high", end);

    (void)field;
    return json_pack("{s:[{s:s},{s:s, s:i, s:I}, o]}", "oneOf", "type", "string", "type", "integer",
                     "minimum", 0, "maximum", (json_int_t)IPSEC_LUID_MAX, ranges);
}
