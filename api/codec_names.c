/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_names.c: enumerations and flags, which are names on the wire. */
#include <string.h>
#include <strings.h>

#include "api/codec_decode.h"
#include "api/codec_member.h"
#include "engine/types.h"

static const struct codec_name ip_version_rows[] = {
    { "v4", IPSEC_IP_VERSION_V4, NULL },
    { "v6", IPSEC_IP_VERSION_V6, NULL },
};
const struct codec_names codec_ip_versions = {
    .rows = ip_version_rows,
    .count = CODEC_COUNT(ip_version_rows),
};

static enum ipsec_status decode_flag(struct codec_decoder *decoder,
                                     const struct codec_names *names,
                                     const json_t *value,
                                     uint64_t *flags);

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
codec_decode_flags(struct codec_decoder *decoder,
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
    codec_store_unsigned(member, field->size, flags);
    return status;
}

const char *
codec_name_of(const struct codec_names *names, int value)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->rows[i].value == value)
            return names->rows[i].name;
    }
    abort(); /* only values that were decoded or set by us are ever encoded */
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
