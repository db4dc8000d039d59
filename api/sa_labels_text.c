/* SPDX-License-Identifier: Apache-2.0
 *
 * sa_labels_text.c: see sa_labels_text.h. */
#include "api/sa_labels_text.h"

#include <stdlib.h>
#include <string.h>

static enum ipsec_status add_label(struct codec_decoder *decoder,
                                   struct ipsec_labels *labels,
                                   const char *name,
                                   const char *value);

enum ipsec_status
sa_labels_decode(struct codec_decoder *decoder,
                 const json_t *value,
                 struct ipsec_labels *labels_out)
{
    const struct codec_step *const outer = decoder->step;
    enum ipsec_status status = IPSEC_OK;

    if (!json_is_object(value))
        return codec_refuse_type(decoder, value, "an object");
    if (json_object_size(value) > IPSEC_LABELS_MAX)
        return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "at most %d labels are possible",
                            IPSEC_LABELS_MAX);

    /* jansson's iterators take the object as not const and do not change it. */
    json_t *members = (json_t *)(uintptr_t)value;
    for (void *i = json_object_iter(members); i != NULL && status == IPSEC_OK;
         i = json_object_iter_next(members, i)) {
        const char *name = json_object_iter_key(i);
        const json_t *text = json_object_iter_value(i);

        decoder->step = &(struct codec_step){ .parent = outer, .member = name };
        status = json_is_string(text)
                     ? add_label(decoder, labels_out, name, json_string_value(text))
                     : codec_refuse_type(decoder, text, "a string");
        decoder->step = outer;
    }
    return status;
}

enum ipsec_status
sa_labels_decode_query(struct codec_decoder *decoder, char *text, struct ipsec_labels *labels_out)
{
    char *next = text;

    while (*next != '\0') {
        char *name = strsep(&next, "\n");
        char *value = strchr(name, '=');

        if (value != NULL)
            *value++ = '\0';
        if (name[0] == '\0')
            return codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                                "labels are asked for as name=value or name, with commas between "
                                "them");
        if (labels_out->count == IPSEC_LABELS_MAX)
            return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "at most %d labels are possible",
                                IPSEC_LABELS_MAX);
        labels_out->pairs[labels_out->count++] =
            (struct ipsec_label){ .name = name, .value = value };
    }
    return IPSEC_OK;
}

void
sa_labels_text_clear(struct ipsec_labels *labels)
{
    for (uint32_t i = 0; i < labels->count; i++) {
        free(labels->pairs[i].name);
        free(labels->pairs[i].value);
    }
    labels->count = 0;
}

void
sa_labels_encode(struct codec_encoder *encoder, const struct ipsec_labels *labels)
{
    struct buffer *out = encoder->out;

    buffer_append_char(out, '{');
    for (uint32_t i = 0; i < labels->count; i++) {
        const struct ipsec_label *pair = &labels->pairs[i];

        if (i > 0)
            buffer_append_char(out, ',');
        buffer_append_json_string(out, pair->name, strlen(pair->name));
        buffer_append_char(out, ':');
        buffer_append_json_string(out, pair->value, strlen(pair->value));
    }
    buffer_append_char(out, '}');
}

json_t *
sa_labels_describe(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:i, s:{s:s, s:i}, s:{s:i}}", "type", "object", "maxProperties",
                     IPSEC_LABELS_MAX, "additionalProperties", "type", "string", "maxLength",
                     IPSEC_LABEL_VALUE_MAX, "propertyNames", "maxLength", IPSEC_LABEL_NAME_MAX);
}

static enum ipsec_status
add_label(struct codec_decoder *decoder,
          struct ipsec_labels *labels,
          const char *name,
          const char *value)
{
    struct ipsec_label *pair = &labels->pairs[labels->count++];

    *pair = (struct ipsec_label){ .name = strdup(name), .value = strdup(value) };
    if (pair->name == NULL || pair->value == NULL)
        return ipsec_fault_set(decoder->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "no memory to read the labels");
    return IPSEC_OK;
}
