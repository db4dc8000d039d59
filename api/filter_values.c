/* SPDX-License-Identifier: Apache-2.0
 *
 * filter_values.c: see filter_values.h. */
#include "api/filter_values.h"

#include <string.h>

#include "api/filter_names.h"
#include "api/text.h"
#include "api/wide_number.h"
#include "engine/types.h"

enum { WEIGHT_RANGE_MAXIMUM = 15 };

static enum ipsec_status decode_weight_range(struct codec_decoder *decoder,
                                             const struct codec_field *field,
                                             const json_t *value,
                                             void *object);

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
    decoder->forwards = filter_layer_forwards((enum ipsec_layer)layer);
    return codec_agree_ip_version(decoder, filter_layer_ip_version((enum ipsec_layer)layer));
}

static void
encode_layer(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_filter *filter = object;
    const char *name = codec_name_of(field->names, filter->layer);

    encoder->ip_version = filter_layer_ip_version((enum ipsec_layer)filter->layer);
    encoder->forwards = filter_layer_forwards((enum ipsec_layer)filter->layer);
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

    (void)field;
    if (json_is_object(value)) {
        filter->weight_type = IPSEC_WEIGHT_RANGE;
        return codec_decode_object(decoder, &weight_range, value, filter);
    }
    filter->weight_type = IPSEC_WEIGHT_EXPLICIT;
    return wide_number_decode(decoder, value, IPSEC_INVALID_WEIGHT, " or {\"range\": 0 to 15}",
                              &filter->weight);
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

    (void)field;
    if (filter->weight_type != IPSEC_WEIGHT_RANGE) {
        wide_number_append(encoder->out, filter->weight);
        return;
    }
    buffer_append_text(encoder->out, "{\"range\":");
    text_append_unsigned(encoder->out, filter->weight);
    buffer_append_char(encoder->out, '}');
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
    json_t *schema = wide_number_describe();

    (void)field;
    json_array_append_new(json_object_get(schema, "oneOf"),
                          json_pack("{s:s, s:[s], s:b, s:{s:{s:s, s:i, s:i}}}", "type", "object",
                                    "required", "range", "additionalProperties", 0, "properties",
                                    "range", "type", "integer", "minimum", 0, "maximum",
                                    WEIGHT_RANGE_MAXIMUM));
    return schema;
}

const struct codec_custom filter_weight_codec = {
    .decode = decode_weight,
    .encode = encode_weight,
    .absent = weight_is_automatic,
    .describe = describe_weight,
};

/* --- Raw context: FWPM_FILTER0's other arm than a provider context
 * --------------------------------
 */

static enum ipsec_status
decode_raw_context(struct codec_decoder *decoder,
                   const struct codec_field *field,
                   const json_t *value,
                   void *object)
{
    struct ipsec_filter *filter = object;

    (void)field;
    return wide_number_decode(decoder, value, IPSEC_OUT_OF_BOUNDS, "", &filter->raw_context);
}

static void
encode_raw_context(struct codec_encoder *encoder,
                   const struct codec_field *field,
                   const void *object)
{
    const struct ipsec_filter *filter = object;

    (void)field;
    wide_number_append(encoder->out, filter->raw_context);
}

static bool
lacks_raw_context(const void *object)
{
    const struct ipsec_filter *filter = object;

    return filter->raw_context == 0;
}

static json_t *
describe_raw_context(const struct codec_field *field)
{
    (void)field;
    return wide_number_describe();
}

const struct codec_custom filter_raw_context_codec = {
    .decode = decode_raw_context,
    .encode = encode_raw_context,
    .absent = lacks_raw_context,
    .describe = describe_raw_context,
};
