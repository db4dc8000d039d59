/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_new_sa_context.c: what creates, keys and changes SA contexts, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "api/problem.h"
#include "api/resource.h"
#include "api/sa_labels_text.h"
#include "api/sa_names.h"
#include "api/traffic_fields.h"

static enum ipsec_status note_ip_version(struct codec_decoder *decoder, void *object);
static enum ipsec_status note_spi_traffic(struct codec_decoder *decoder, void *object);
static enum ipsec_status note_patch(struct codec_decoder *decoder, void *object);

/* --- Labels ----------------------------------------------------------------------------------- */

static enum ipsec_status decode_new_labels(struct codec_decoder *decoder,
                                           const struct codec_field *field,
                                           const json_t *value,
                                           void *object);
static void clear_new_labels(void *object);
static enum ipsec_status decode_patch_labels(struct codec_decoder *decoder,
                                             const struct codec_field *field,
                                             const json_t *value,
                                             void *object);
static void clear_patch_labels(void *object);

static const struct codec_custom new_labels_codec = {
    .decode = decode_new_labels,
    .describe = sa_labels_describe,
    .clear = clear_new_labels,
};
static const struct codec_custom patch_labels_codec = {
    .decode = decode_patch_labels,
    .describe = sa_labels_describe,
    .clear = clear_patch_labels,
};

/* --- Creating --------------------------------------------------------------------------------- */

static const struct codec_field new_fields[] = {
    TRAFFIC_FIELDS(new_sa_context, traffic.),
    CODEC_GROUP("labels",
                .kind = CODEC_CUSTOM,
                .custom = &new_labels_codec,
                .summary = "Names and values to find the context by, at most 16."),
    CODEC_FIELD(new_sa_context,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .minimum = 256,
                .summary = "Sets the inbound SPI in the same step (IPsecSaContextSetSpi0)."),
    CODEC_FIELD(new_sa_context,
                get_spi,
                "getSpi",
                .kind = CODEC_BOOLEAN,
                .summary = "Has an inbound SPI handed out in the same step "
                           "(IPsecSaContextGetSpi1)."),
    CODEC_FIELD(new_sa_context,
                inbound_filter_id,
                "inboundFilterId",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .summary = "Transport mode: the inbound filter for the SPI; left out: the one that "
                           "covers the same flow."),
    CODEC_FIELD(new_sa_context,
                inbound.input,
                "inbound",
                .kind = CODEC_OBJECT,
                .object = &codec_sa_bundle_input,
                .given_offset = offsetof(struct new_sa_context, inbound.given),
                .summary = "Adds the inbound bundle in the same step; needs spi or getSpi."),
    CODEC_FIELD(new_sa_context,
                outbound.input,
                "outbound",
                .kind = CODEC_OBJECT,
                .object = &codec_sa_bundle_input,
                .given_offset = offsetof(struct new_sa_context, outbound.given),
                .summary = "Adds the outbound bundle in the same step; needs inbound."),
};

const struct codec_object codec_new_sa_context = {
    .name = "NewSaContext",
    .summary =
        "The outbound traffic that an SA context protects (IPSEC_TRAFFIC), and what else may "
        "be done in the same step: all of it or nothing.",
    .fields = new_fields,
    .field_count = CODEC_COUNT(new_fields),
    .closed = true,
    .check = note_ip_version,
};

static const struct codec_field batch_fields[] = {
    CODEC_FIELD(new_sa_contexts,
                atomic,
                "atomic",
                .kind = CODEC_BOOLEAN,
                .given_offset = offsetof(struct new_sa_contexts, atomic_given),
                .summary = "true, as when left out: all or none; false: each by itself."),
    CODEC_FIELD(new_sa_contexts,
                items,
                "items",
                .kind = CODEC_ARRAY,
                .form = CODEC_POINTED,
                .object = &codec_new_sa_context,
                .stride = sizeof(struct new_sa_context),
                .count_offset = offsetof(struct new_sa_contexts, item_count),
                .count_size = sizeof(size_t),
                .minimum = 1,
                .maximum = BATCH_ITEMS_MAXIMUM,
                .too_few = IPSEC_ZERO_LENGTH_ARRAY,
                .too_many = IPSEC_OUT_OF_BOUNDS,
                .flags = CODEC_REQUIRED,
                .summary = "What to create, in this order."),
};
const struct codec_object codec_new_sa_contexts = {
    .name = "NewSaContexts",
    .summary = "Many creates in one request.",
    .fields = batch_fields,
    .field_count = CODEC_COUNT(batch_fields),
    .closed = true,
};

/* --- Results of a batch --- */

static void
encode_results(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_results(const struct codec_field *field);

static const struct codec_custom results_codec = {
    .encode = encode_results,
    .describe = describe_results,
};
static const struct codec_field results_fields[] = {
    CODEC_GROUP("items",
                .kind = CODEC_CUSTOM,
                .custom = &results_codec,
                .object = &codec_sa_context_created,
                .flags = CODEC_REQUIRED,
                .summary = "A result for each item, in the same order."),
};
const struct codec_object codec_sa_context_results = {
    .name = "SaContextResults",
    .summary = "What became of a batch.",
    .fields = results_fields,
    .field_count = CODEC_COUNT(results_fields),
};

/* --- SPIs ------------------------------------------------------------------------------------- */

#define SPI_TRAFFIC_FIELDS                                                                         \
    CODEC_FIELD(spi_request, traffic.ip_version, "ipVersion", .kind = CODEC_IP_VERSION,            \
                .summary = "May be left out, the addresses tell."),                                \
        CODEC_FIELD(spi_request, traffic.local_address, "localAddress", .kind = CODEC_ADDRESS,     \
                    .summary = "The context's, or left out, and then both."),                      \
        CODEC_FIELD(spi_request, traffic.remote_address, "remoteAddress", .kind = CODEC_ADDRESS,   \
                    .summary = "The context's, or left out, and then both."),                      \
        CODEC_FIELD(spi_request, traffic.ipsec_filter_id, "ipsecFilterId", .kind = CODEC_UNSIGNED, \
                    .minimum = 1,                                                                  \
                    .summary = "Transport mode: the *inbound* filter, if not the context's.")
static const struct codec_field spi_request_fields[] = { SPI_TRAFFIC_FIELDS };
const struct codec_object codec_spi_request = {
    .name = "SpiRequest",
    .summary = "The inbound traffic that an SPI is wanted for (IPSEC_GETSPI).",
    .fields = spi_request_fields,
    .field_count = CODEC_COUNT(spi_request_fields),
    .closed = true,
    .check = note_spi_traffic,
};

static const struct codec_field spi_assignment_fields[] = {
    SPI_TRAFFIC_FIELDS,
    CODEC_FIELD(spi_request,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .minimum = 256,
                .flags = CODEC_REQUIRED,
                .summary = "The SPI that was agreed."),
};
const struct codec_object codec_spi_assignment = {
    .name = "SpiAssignment",
    .summary = "The inbound traffic and the SPI for it.",
    .fields = spi_assignment_fields,
    .field_count = CODEC_COUNT(spi_assignment_fields),
    .closed = true,
    .check = note_spi_traffic,
};

static const struct codec_field spi_reply_fields[] = {
    CODEC_FIELD(spi_reply,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .minimum = 256,
                .flags = CODEC_REQUIRED,
                .summary = "The inbound SPI."),
};
const struct codec_object codec_spi_reply = {
    .name = "Spi",
    .summary = "The inbound SPI of a context.",
    .fields = spi_reply_fields,
    .field_count = CODEC_COUNT(spi_reply_fields),
};

/* --- Rotation --------------------------------------------------------------------------------- */

static const struct codec_field rotation_fields[] = {
    CODEC_FIELD(sa_rotation,
                inbound,
                "inbound",
                .kind = CODEC_OBJECT,
                .object = &codec_sa_bundle_input,
                .flags = CODEC_REQUIRED,
                .summary = "The successor's inbound bundle."),
    CODEC_FIELD(sa_rotation,
                outbound.input,
                "outbound",
                .kind = CODEC_OBJECT,
                .object = &codec_sa_bundle_input,
                .given_offset = offsetof(struct sa_rotation, outbound.given),
                .summary = "If the peer is ready already; ends the predecessor."),
    CODEC_FIELD(sa_rotation,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .minimum = 256,
                .summary = "The new inbound SPI; left out: one is handed out."),
    CODEC_FIELD(sa_rotation,
                inbound_filter_id,
                "inboundFilterId",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .summary = "Transport mode: another inbound filter than the predecessor's."),
};
const struct codec_object codec_sa_rotation = {
    .name = "SaRotation",
    .summary = "New SAs for the traffic of a context.",
    .fields = rotation_fields,
    .field_count = CODEC_COUNT(rotation_fields),
    .closed = true,
};

/* --- Changes ---------------------------------------------------------------------------------- */

static enum ipsec_status decode_bundle_patch(struct codec_decoder *decoder,
                                             const struct codec_field *field,
                                             const json_t *value,
                                             void *object);
static json_t *describe_bundle_patch(const struct codec_field *field);
static void clear_bundle_patches(void *object);

static const struct codec_custom bundle_patch_codec = {
    .decode = decode_bundle_patch,
    .describe = describe_bundle_patch,
    .clear = clear_bundle_patches,
};

/* What is given says which parts change, see decode_bundle_patch(). */
static const struct codec_field bundle_patch_fields[] = {
    CODEC_FIELD(ipsec_sa_bundle,
                udp_encapsulation,
                "udpEncapsulation",
                .kind = CODEC_OBJECT,
                .object = &codec_udp_encapsulation,
                .summary = "Ports of ESP in UDP."),
    CODEC_FIELD(ipsec_sa_bundle,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &sa_bundle_flags,
                .summary = "All flags from now on."),
    CODEC_FIELD(ipsec_sa_bundle,
                nap_context,
                "napContext",
                .kind = CODEC_UNSIGNED,
                .summary = "Kept and given back."),
    CODEC_GROUP("keyModuleState",
                .kind = CODEC_CUSTOM,
                .custom = &codec_key_module,
                .summary = "What a keying module keeps with the SAs."),
    CODEC_GROUP("peerV4PrivateAddress",
                .kind = CODEC_CUSTOM,
                .custom = &codec_private_address,
                .summary = "IPv4: the private address of a peer behind a NAT."),
    CODEC_FIELD(ipsec_sa_bundle,
                mm_sa_id,
                "mmSaId",
                .kind = CODEC_UNSIGNED,
                .summary = "Id of the IKE SA; kept."),
};
static const struct codec_object codec_bundle_patch = {
    .name = "SaBundlePatch",
    .summary =
        "What may change in SAs that are in use: the members given (IPSEC_SA_BUNDLE_UPDATE_*).",
    .fields = bundle_patch_fields,
    .field_count = CODEC_COUNT(bundle_patch_fields),
    .closed = true,
};
static const struct {
    const char *name;
    uint32_t part;
} bundle_parts[] = {
    { "udpEncapsulation", IPSEC_UPDATE_UDP_ENCAPSULATION },
    { "flags", IPSEC_UPDATE_FLAGS },
    { "napContext", IPSEC_UPDATE_NAP_CONTEXT },
    { "keyModuleState", IPSEC_UPDATE_KEY_MODULE_STATE },
    { "peerV4PrivateAddress", IPSEC_UPDATE_PEER_V4_PRIVATE_ADDRESS },
    { "mmSaId", IPSEC_UPDATE_MM_SA_ID },
};

static const struct codec_field addresses_fields[] = {
    CODEC_FIELD(ipsec_traffic,
                ip_version,
                "ipVersion",
                .kind = CODEC_IP_VERSION,
                .summary = "May be left out, the addresses tell."),
    CODEC_FIELD(ipsec_traffic,
                local_address,
                "localAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "The local address from now on."),
    CODEC_FIELD(ipsec_traffic,
                remote_address,
                "remoteAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "The remote address from now on."),
};
static enum ipsec_status note_addresses(struct codec_decoder *decoder, void *object);
static const struct codec_object codec_addresses = {
    .name = "TrafficAddresses",
    .summary = "The addresses of a context's traffic, in both directions.",
    .fields = addresses_fields,
    .field_count = CODEC_COUNT(addresses_fields),
    .closed = true,
    .check = note_addresses,
};

static const struct codec_field patch_fields[] = {
    CODEC_GROUP("labels",
                .kind = CODEC_CUSTOM,
                .custom = &patch_labels_codec,
                .summary = "All labels from now on; {} removes them."),
    CODEC_FIELD(sa_context_patch,
                update.traffic,
                "outboundTraffic",
                .kind = CODEC_OBJECT,
                .object = &codec_addresses,
                .summary = "Other addresses, as after a move of a host."),
    CODEC_FIELD(sa_context_patch,
                update.inbound,
                "inbound",
                .kind = CODEC_CUSTOM,
                .custom = &bundle_patch_codec,
                .object = &codec_bundle_patch,
                .summary = "Parts of the inbound bundle."),
    CODEC_FIELD(sa_context_patch,
                update.outbound,
                "outbound",
                .kind = CODEC_CUSTOM,
                .custom = &bundle_patch_codec,
                .object = &codec_bundle_patch,
                .summary = "Parts of the outbound bundle."),
};
const struct codec_object codec_sa_context_patch = {
    .name = "SaContextPatch",
    .summary = "What changes in a context: the members given (IPsecSaContextUpdate0), and labels.",
    .fields = patch_fields,
    .field_count = CODEC_COUNT(patch_fields),
    .closed = true,
    .check = note_patch,
};

/* --- Helpers ---------------------------------------------------------------------------------- */

/* Both addresses are required, so the version is known by now. */
static enum ipsec_status
note_ip_version(struct codec_decoder *decoder, void *object)
{
    struct new_sa_context *context = object;

    context->traffic.ip_version = (uint8_t)decoder->ip_version;
    return IPSEC_OK;
}

static enum ipsec_status
note_spi_traffic(struct codec_decoder *decoder, void *object)
{
    struct spi_request *request = object;

    if (decoder->ip_version >= 0)
        request->traffic.ip_version = (uint8_t)decoder->ip_version;
    return IPSEC_OK;
}

static enum ipsec_status
note_addresses(struct codec_decoder *decoder, void *object)
{
    struct ipsec_traffic *traffic = object;

    traffic->ip_version = (uint8_t)decoder->ip_version;
    return IPSEC_OK;
}

/* Both addresses are required, so one that is not zero tells that they were given. */
static enum ipsec_status
note_patch(struct codec_decoder *decoder, void *object)
{
    static const struct ipsec_address none;
    struct sa_context_patch *patch = object;
    const struct ipsec_traffic *traffic = &patch->update.traffic;

    (void)decoder;
    if (memcmp(&traffic->local_address, &none, sizeof none) != 0 ||
        memcmp(&traffic->remote_address, &none, sizeof none) != 0)
        patch->update.parts |= IPSEC_UPDATE_TRAFFIC;
    return IPSEC_OK;
}

static enum ipsec_status
decode_new_labels(struct codec_decoder *decoder,
                  const struct codec_field *field,
                  const json_t *value,
                  void *object)
{
    struct new_sa_context *context = object;

    (void)field;
    context->labels_given = true;
    return sa_labels_decode(decoder, value, &context->labels);
}

static void
clear_new_labels(void *object)
{
    struct new_sa_context *context = object;

    sa_labels_text_clear(&context->labels);
}

static enum ipsec_status
decode_patch_labels(struct codec_decoder *decoder,
                    const struct codec_field *field,
                    const json_t *value,
                    void *object)
{
    struct sa_context_patch *patch = object;

    (void)field;
    patch->update.parts |= IPSEC_UPDATE_LABELS;
    return sa_labels_decode(decoder, value, &patch->labels);
}

static void
clear_patch_labels(void *object)
{
    struct sa_context_patch *patch = object;

    sa_labels_text_clear(&patch->labels);
}

static enum ipsec_status
decode_bundle_patch(struct codec_decoder *decoder,
                    const struct codec_field *field,
                    const json_t *value,
                    void *object)
{
    struct sa_context_patch *patch = object;
    struct ipsec_sa_context_update *update = &patch->update;
    bool is_inbound = field->offset == offsetof(struct sa_context_patch, update.inbound);
    uint32_t *parts = is_inbound ? &update->inbound_parts : &update->outbound_parts;
    enum ipsec_status status = codec_decode_object(
        decoder, &codec_bundle_patch, value, is_inbound ? &update->inbound : &update->outbound);

    if (status != IPSEC_OK)
        return status;
    for (size_t i = 0; i < CODEC_COUNT(bundle_parts); i++) {
        const json_t *member = json_object_get(value, bundle_parts[i].name);

        if (member != NULL && !json_is_null(member))
            *parts |= bundle_parts[i].part;
    }
    return IPSEC_OK;
}

static json_t *
describe_bundle_patch(const struct codec_field *field)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", field->object->name));
}

static void
clear_bundle_patches(void *object)
{
    struct sa_context_patch *patch = object;

    codec_clear(&codec_bundle_patch, &patch->update.inbound);
    codec_clear(&codec_bundle_patch, &patch->update.outbound);
}

static void
encode_results(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct sa_context_results *results = object;
    struct buffer *out = encoder->out;

    buffer_append_char(out, '[');
    for (size_t i = 0; i < results->result_count; i++) {
        const struct sa_context_result *result = &results->results[i];

        if (i > 0)
            buffer_append_char(out, ',');
        if (result->fault == NULL) {
            codec_encode(encoder, field->object, &result->created);
            continue;
        }
        buffer_append_text(out, "{\"error\":");
        problem_encode(result->fault,
                       problem_http_status(result->fault->status, result->fault->place), NULL, out);
        buffer_append_char(out, '}');
    }
    buffer_append_char(out, ']');
}

static json_t *
describe_results(const struct codec_field *field)
{
    return json_pack("{s:s, s:{s:[{s:o},{s:s, s:[s], s:{s:{s:s}}}]}}", "type", "array", "items",
                     "anyOf", "$ref", json_sprintf("#/components/schemas/%s", field->object->name),
                     "type", "object", "required", "error", "properties", "error", "$ref",
                     "#/components/schemas/ProblemOfItem");
}
