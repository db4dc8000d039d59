/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_security.c: security descriptors as JSON, in the form that the access file has. */
#include <string.h>

#include "api/resource.h"
#include "auth/descriptor.h"
#include "auth/principal.h"
#include "auth/rights.h"

static enum ipsec_status decode_principal(struct codec_decoder *decoder,
                                          const struct codec_field *field,
                                          const json_t *value,
                                          void *object);
static void encode_principal(struct codec_encoder *encoder,
                             const struct codec_field *field,
                             const void *object);
static json_t *describe_principal(const struct codec_field *field);
static void clear_principal(void *object);
static enum ipsec_status decode_rights(struct codec_decoder *decoder,
                                       const struct codec_field *field,
                                       const json_t *value,
                                       void *object);
static enum ipsec_status
decode_right(struct codec_decoder *decoder, const json_t *value, uint32_t *rights);
static void
encode_rights(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_rights(const struct codec_field *field);
static enum ipsec_status sort_entries(struct codec_decoder *decoder, void *object);

static const struct codec_name type_rows[] = {
    { "deny", DESCRIPTOR_DENY, NULL },
    { "allow", DESCRIPTOR_ALLOW, NULL },
};
static const struct codec_names types = { .rows = type_rows, .count = CODEC_COUNT(type_rows) };

static const struct codec_custom principal_codec = {
    .decode = decode_principal,
    .encode = encode_principal,
    .describe = describe_principal,
    .clear = clear_principal,
};
static const struct codec_custom rights_codec = {
    .decode = decode_rights,
    .encode = encode_rights,
    .describe = describe_rights,
};

static const struct codec_field entry_fields[] = {
    CODEC_FIELD(descriptor_entry,
                type,
                "type",
                .kind = CODEC_ENUM,
                .flags = CODEC_REQUIRED,
                .names = &types,
                .summary = "Entries that deny come first; those of a kind keep their order."),
    CODEC_FIELD(descriptor_entry,
                principal,
                "principal",
                .kind = CODEC_CUSTOM,
                .flags = CODEC_REQUIRED,
                .custom = &principal_codec,
                .summary = "Whom it is about."),
    CODEC_FIELD(descriptor_entry,
                rights,
                "rights",
                .kind = CODEC_CUSTOM,
                .flags = CODEC_REQUIRED,
                .custom = &rights_codec,
                .summary = "WFP's access rights by name; generic ones are read as those they "
                           "stand for."),
};

static const struct codec_object codec_security_entry = {
    .name = "SecurityEntry",
    .summary = "One entry: for each right the first entry that names it decides.",
    .fields = entry_fields,
    .field_count = CODEC_COUNT(entry_fields),
    .closed = true,
};

static const struct codec_field descriptor_fields[] = {
    CODEC_FIELD(descriptor,
                entries,
                "dacl",
                .kind = CODEC_ARRAY,
                .object = &codec_security_entry,
                .form = CODEC_POINTED,
                .stride = sizeof(struct descriptor_entry),
                .maximum = DESCRIPTOR_ENTRIES_MAX,
                .too_many = IPSEC_OUT_OF_BOUNDS,
                .count_offset = offsetof(struct descriptor, entry_count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "The container's own entries; those of the engine follow behind them."),
};

const struct codec_object codec_security_descriptor = {
    .name = "SecurityDescriptor",
    .summary = "Who may do what with the objects of a container.",
    .fields = descriptor_fields,
    .field_count = CODEC_COUNT(descriptor_fields),
    .closed = true,
    .check = sort_entries,
};

static enum ipsec_status
decode_principal(struct codec_decoder *decoder,
                 const struct codec_field *field,
                 const json_t *value,
                 void *object)
{
    struct descriptor_entry *entry = object;
    const char *cause;

    (void)field;
    if (!json_is_string(value))
        return codec_refuse_type(decoder, value, "a string");
    if (!principal_parse(json_string_value(value), &entry->principal, &cause))
        return codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "%s", cause);
    return IPSEC_OK;
}

static void
encode_principal(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct descriptor_entry *entry = object;
    AUTO(buffer) text = BUFFER(1 << 16);

    (void)field;
    principal_append(&entry->principal, &text);
    buffer_append_json_string(encoder->out, text.data, text.size);
    if (text.failed)
        encoder->out->failed = true;
}

static json_t *
describe_principal(const struct codec_field *field)
{
    return json_pack("{s:s, s:s, s:[s, s, s, s]}", "type", "string", "description", field->summary,
                     "examples", "uri:spiffe://example.org/orchestrator/*", "dns:host.example.org",
                     "cn:admin", "everyone");
}

static void
clear_principal(void *object)
{
    struct descriptor_entry *entry = object;

    principal_clear(&entry->principal);
}

static enum ipsec_status
decode_rights(struct codec_decoder *decoder,
              const struct codec_field *field,
              const json_t *value,
              void *object)
{
    const struct codec_step *const outer = decoder->step;
    struct descriptor_entry *entry = object;
    enum ipsec_status status = IPSEC_OK;

    (void)field;
    if (!json_is_array(value))
        return codec_refuse_type(decoder, value, "an array");
    for (size_t i = 0; i < json_array_size(value) && status == IPSEC_OK; i++) {
        decoder->step = &(struct codec_step){ .parent = outer, .index = i };
        status = decode_right(decoder, json_array_get(value, i), &entry->rights);
        decoder->step = outer;
    }
    return status;
}

static enum ipsec_status
decode_right(struct codec_decoder *decoder, const json_t *value, uint32_t *rights)
{
    const char *name = json_string_value(value);
    uint32_t mask;

    if (name == NULL)
        return codec_refuse_type(decoder, value, "a string");
    if (!rights_find(name, &mask)) {
        const char *cause = rights_why_ungrantable(name);
        return codec_refuse(
            decoder, IPSEC_INVALID_ENUMERATOR, "%s",
            cause == NULL ? "is no access right of WFP, like FWPM_ACTRL_ADD or DELETE" : cause);
    }
    *rights |= mask;
    return IPSEC_OK;
}

static void
encode_rights(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct descriptor_entry *entry = object;
    const char *separator = "";
    size_t position = 0;
    const char *name;

    (void)field;
    buffer_append_char(encoder->out, '[');
    while ((name = rights_next_name(entry->rights, &position)) != NULL) {
        buffer_append_text(encoder->out, separator);
        buffer_append_json_string(encoder->out, name, strlen(name));
        separator = ",";
    }
    buffer_append_char(encoder->out, ']');
}

static json_t *
describe_rights(const struct codec_field *field)
{
    return json_pack("{s:s, s:s, s:{s:s}}", "type", "array", "description", field->summary, "items",
                     "type", "string");
}

static enum ipsec_status
sort_entries(struct codec_decoder *decoder, void *object)
{
    (void)decoder;
    descriptor_sort(object);
    return IPSEC_OK;
}
