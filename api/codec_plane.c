/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_plane.c: what the data plane can do, and has, as JSON. */
#include "api/resource.h"
#include "api/sa_names.h"
#include "api/text.h"

static void
encode_ids(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_ids(const struct codec_field *field);

/* struct ipsec_drift_ids */
static const struct codec_custom ids_codec = {
    .encode = encode_ids,
    .describe = describe_ids,
};

static const struct codec_field capability_fields[] = {
    CODEC_FIELD(ipsec_capability,
                transform.type,
                "saTransformType",
                .kind = CODEC_ENUM,
                .names = &sa_transform_types,
                .flags = CODEC_REQUIRED,
                .summary = "What the SA does."),
    CODEC_FIELD(ipsec_capability,
                transform.auth,
                "authTransform",
                .kind = CODEC_ENUM,
                .names = &sa_auth_transforms,
                .flags = CODEC_OMIT_ZERO,
                .summary = "How it authenticates."),
    CODEC_FIELD(ipsec_capability,
                transform.cipher,
                "cipherTransform",
                .kind = CODEC_ENUM,
                .names = &sa_cipher_transforms,
                .flags = CODEC_OMIT_ZERO,
                .summary = "How it encrypts."),
    CODEC_FIELD(ipsec_capability,
                is_supported,
                "supported",
                .kind = CODEC_BOOLEAN,
                .flags = CODEC_REQUIRED,
                .summary = "Whether the data plane made such an SA when the service started."),
    CODEC_FIELD(ipsec_capability, reason, "reason", .kind = CODEC_TEXT, .summary = "Why not."),
};
static const struct codec_object codec_capability = {
    .name = "Capability",
    .summary = "A transform that the data plane was tried for.",
    .fields = capability_fields,
    .field_count = CODEC_COUNT(capability_fields),
};

static const struct codec_field capability_list_fields[] = {
    CODEC_FIELD(capability_list,
                plane,
                "plane",
                .kind = CODEC_TEXT,
                .flags = CODEC_REQUIRED,
                .summary = "Name of the data plane: none, xfrm."),
    CODEC_FIELD(capability_list,
                items,
                "items",
                .kind = CODEC_ARRAY,
                .object = &codec_capability,
                .stride = sizeof(struct ipsec_capability),
                .count_offset = offsetof(struct capability_list, count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "Empty for a plane that touches no packets: it takes every transform."),
};
const struct codec_object codec_capability_list = {
    .name = "CapabilityList",
    .summary = "What the data plane can do.",
    .fields = capability_list_fields,
    .field_count = CODEC_COUNT(capability_list_fields),
};

static const struct codec_field left_over_sa_fields[] = {
    CODEC_FIELD(ipsec_left_over_sa,
                sa_context_id,
                "saContextId",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "The context that it was made for, and that does not have it now."),
    CODEC_FIELD(ipsec_left_over_sa,
                ip_version,
                "ipVersion",
                .kind = CODEC_IP_VERSION,
                .flags = CODEC_REQUIRED,
                .summary = "Of the destination."),
    CODEC_FIELD(ipsec_left_over_sa,
                destination,
                "destinationAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "Whom its packets are for."),
    CODEC_FIELD(ipsec_left_over_sa,
                ip_protocol,
                "ipProtocol",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "50: ESP, 51: AH."),
    CODEC_FIELD(ipsec_left_over_sa,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Its SPI."),
};
static const struct codec_object codec_left_over_sa = {
    .name = "LeftOverSa",
    .summary = "An SA of this service that no context has.",
    .fields = left_over_sa_fields,
    .field_count = CODEC_COUNT(left_over_sa_fields),
};

static const struct codec_field drift_fields[] = {
    CODEC_FIELD(drift_report,
                drift.sas_missing,
                "sasMissing",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "SAs of contexts that the data plane does not have."),
    CODEC_FIELD(drift_report,
                drift.sas_left_over,
                "sasLeftOver",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "SAs of this service that no context has."),
    CODEC_FIELD(drift_report,
                drift.policies_missing,
                "policiesMissing",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Policies of filters, and permits of what the service needs, that the "
                           "data plane does not "
                           "have."),
    CODEC_FIELD(drift_report,
                drift.policies_left_over,
                "policiesLeftOver",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Policies of this service that no filter has."),
    CODEC_FIELD(drift_report,
                drift.foreign,
                "foreign",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary =
                    "SAs and policies of others, but not those of single sockets; never touched."),
    CODEC_FIELD(drift_report,
                drift.compared_at_ms,
                "comparedAt",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "When that was so."),
    CODEC_FIELD(drift_report,
                names.contexts_missing,
                "missingSaContextIds",
                .kind = CODEC_CUSTOM,
                .custom = &ids_codec,
                .flags = CODEC_REQUIRED,
                .summary = "Contexts of which SAs are missing: the first 100 that were found."),
    CODEC_FIELD(drift_report,
                names.filters_missing,
                "missingFilterIds",
                .kind = CODEC_CUSTOM,
                .custom = &ids_codec,
                .flags = CODEC_REQUIRED,
                .summary = "Filters of which policies are missing: the first 100. Permits of the "
                           "service's own, which count as missing too, have no filter."),
    CODEC_FIELD(drift_report,
                names.sas_left_over,
                "leftOverSas",
                .kind = CODEC_ARRAY,
                .object = &codec_left_over_sa,
                .stride = sizeof(struct ipsec_left_over_sa),
                .count_offset = offsetof(struct drift_report, names.sa_left_over_count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "SAs that no context has: the first 100."),
    CODEC_FIELD(drift_report,
                names.filters_left_over,
                "leftOverFilterIds",
                .kind = CODEC_CUSTOM,
                .custom = &ids_codec,
                .flags = CODEC_REQUIRED,
                .summary = "Filters that are no more and still have policies: the first 100."),
};
const struct codec_object codec_drift = {
    .name = "Drift",
    .summary = "What the data plane has against what it should have.",
    .fields = drift_fields,
    .field_count = CODEC_COUNT(drift_fields),
};

static void
encode_ids(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_drift_ids *list =
        (const void *)((const unsigned char *)object + field->offset);

    buffer_append_char(encoder->out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buffer_append_char(encoder->out, ',');
        text_append_unsigned(encoder->out, list->ids[i]);
    }
    buffer_append_char(encoder->out, ']');
}

static json_t *
describe_ids(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:i, s:{s:s, s:i, s:I}}", "type", "array", "maxItems",
                     IPSEC_DRIFT_NAMES_MAX, "items", "type", "integer", "minimum", 1, "maximum",
                     (json_int_t)IPSEC_LUID_MAX);
}
