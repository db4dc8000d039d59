/* SPDX-License-Identifier: Apache-2.0
 *
 * describe_schema.c: field tables as JSON Schema (2020-12, the dialect of OpenAPI 3.1). */
#include <stdlib.h>

#include "api/codec.h"

static json_t *describe_unsigned(const struct codec_field *field);
static json_t *describe_text(const struct codec_field *field);
static json_t *describe_array(const struct codec_field *field);
static json_t *refer(const struct codec_object *object);

json_t *
codec_describe(const struct codec_object *object)
{
    json_t *schema = json_object();
    json_t *properties = json_object();
    json_t *required = json_array();

    for (size_t i = 0; i < object->field_count; i++) {
        const struct codec_field *field = &object->fields[i];
        json_object_set_new(properties, field->name, codec_describe_field(field));
        if ((field->flags & CODEC_REQUIRED) != 0)
            json_array_append_new(required, json_string(field->name));
    }
    json_object_set_new(schema, "type", json_string("object"));
    json_object_set_new(schema, "description", json_string(object->summary));
    json_object_set_new(schema, "required", required);
    json_object_set_new(schema, "properties", properties);
    if (object->closed)
        json_object_set_new(schema, "additionalProperties", json_false());
    return schema;
}

json_t *
codec_describe_field(const struct codec_field *field)
{
    json_t *schema = NULL;

    switch (field->kind) {
    case CODEC_UNSIGNED:
        schema = describe_unsigned(field);
        break;
    case CODEC_DECIMAL:
        schema = json_pack("{s:s, s:s}", "type", "string", "pattern", "^(0|[1-9][0-9]{0,19})$");
        break;
    case CODEC_BOOLEAN:
        schema = json_pack("{s:s}", "type", "boolean");
        break;
    case CODEC_ENUM:
        schema = codec_describe_names(field->names);
        break;
    case CODEC_FLAGS:
        schema = json_pack("{s:s, s:o, s:b}", "type", "array", "items",
                           codec_describe_names(field->names), "uniqueItems", 1);
        break;
    case CODEC_IP_VERSION:
        schema = codec_describe_names(&codec_ip_versions);
        break;
    case CODEC_ADDRESS:
        schema = json_pack("{s:s, s:[{s:s},{s:s}]}", "type", "string", "anyOf", "format", "ipv4",
                           "format", "ipv6");
        break;
    case CODEC_GUID:
        schema = json_pack("{s:s, s:s}", "type", "string", "format", "uuid");
        break;
    case CODEC_TIME:
        schema = json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
        break;
    case CODEC_TEXT:
    case CODEC_CHARS:
        schema = describe_text(field);
        break;
    case CODEC_BLOB:
        schema = json_pack("{s:s, s:s}", "type", "string", "contentEncoding", "base64");
        break;
    case CODEC_SECRET:
        schema = json_pack("{s:s, s:b}", "type", "string", "writeOnly", 1);
        break;
    case CODEC_SUBNET:
    case CODEC_PRINCIPAL:
        schema = json_pack("{s:s}", "type", "string");
        break;
    case CODEC_OBJECT:
        schema = refer(field->object);
        break;
    case CODEC_ARRAY:
        schema = describe_array(field);
        break;
    case CODEC_CUSTOM:
        schema = field->custom->describe(field);
        break;
    default:
        abort();
    }
    if (field->summary != NULL)
        json_object_set_new(schema, "description", json_string(field->summary));
    return schema;
}

json_t *
codec_describe_names(const struct codec_names *names)
{
    json_t *values = json_array();

    for (size_t i = 0; i < names->count; i++)
        json_array_append_new(values, json_string(names->rows[i].name));
    return json_pack("{s:s, s:o}", "type", "string", "enum", values);
}

static json_t *
describe_unsigned(const struct codec_field *field)
{
    return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)field->minimum,
                     "maximum", (json_int_t)codec_maximum(field));
}

/* Limits count bytes here and characters there: no text within ours is beyond the schema's. */
static json_t *
describe_text(const struct codec_field *field)
{
    json_t *schema = json_pack("{s:s}", "type", "string");

    if (field->minimum > 0)
        json_object_set_new(schema, "minLength", json_integer((json_int_t)field->minimum));
    if (field->maximum > 0)
        json_object_set_new(schema, "maxLength", json_integer((json_int_t)field->maximum));
    return schema;
}

static json_t *
describe_array(const struct codec_field *field)
{
    json_t *schema = json_pack("{s:s, s:o}", "type", "array", "items", refer(field->object));

    if (field->form == CODEC_IN_PLACE)
        json_object_set_new(schema, "maxItems",
                            json_integer((json_int_t)(field->size / field->stride)));
    else if (field->maximum > 0)
        json_object_set_new(schema, "maxItems", json_integer((json_int_t)field->maximum));
    if (field->minimum > 0)
        json_object_set_new(schema, "minItems", json_integer((json_int_t)field->minimum));
    return schema;
}

static json_t *
refer(const struct codec_object *object)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", object->name));
}
