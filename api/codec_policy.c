/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_policy.c: see codec_policy.h. */
#include "api/codec_policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/policy_names.h"
#include "api/resource.h"
#include "api/sa_names.h"
#include "engine/types.h"

static enum ipsec_status note_endpoints(struct codec_decoder *decoder, void *object);
static enum ipsec_status refuse_keys(struct codec_decoder *decoder, const json_t *value);

/* --- Proposals -------------------------------------------------------------------------------- */

static const struct codec_field transform_fields[] = {
    CODEC_FIELD(ipsec_sa_transform,
                type,
                "saTransformType",
                .kind = CODEC_ENUM,
                .names = &sa_transform_types,
                .flags = CODEC_REQUIRED,
                .summary = "What the SA would do."),
    CODEC_FIELD(ipsec_sa_transform,
                auth,
                "authTransform",
                .kind = CODEC_ENUM,
                .names = &sa_auth_transforms,
                .flags = CODEC_OMIT_ZERO,
                .summary = "The integrity algorithm."),
    CODEC_FIELD(ipsec_sa_transform,
                cipher,
                "cipherTransform",
                .kind = CODEC_ENUM,
                .names = &sa_cipher_transforms,
                .flags = CODEC_OMIT_ZERO,
                .summary = "The encryption algorithm."),
};
static const struct codec_object codec_transform = {
    .name = "SaTransform",
    .summary = "Algorithms without keys (IPSEC_SA_TRANSFORM0).",
    .fields = transform_fields,
    .field_count = CODEC_COUNT(transform_fields),
    .closed = true,
};

static const struct codec_field proposal_fields[] = {
    CODEC_FIELD(ipsec_proposal,
                lifetime,
                "lifetime",
                .kind = CODEC_OBJECT,
                .object = &codec_lifetime,
                .flags = CODEC_REQUIRED,
                .summary = "At least one limit is not 0."),
    CODEC_FIELD(ipsec_proposal,
                transforms,
                "saTransforms",
                .kind = CODEC_ARRAY,
                .object = &codec_transform,
                .stride = sizeof(struct ipsec_sa_transform),
                .count_offset = offsetof(struct ipsec_proposal, transform_count),
                .count_size = sizeof(uint8_t),
                .minimum = 1,
                .too_many = IPSEC_OUT_OF_BOUNDS,
                .flags = CODEC_REQUIRED,
                .summary = "One, or two: first ESP, then AH."),
    CODEC_FIELD(ipsec_proposal,
                pfs_group,
                "pfsGroup",
                .kind = CODEC_ENUM,
                .names = &sa_pfs_groups,
                .summary = "Left out: none."),
};
static const struct codec_object codec_proposal = {
    .name = "IpsecProposal",
    .summary = "What a keying module would negotiate (IPSEC_PROPOSAL0); with manual keys it is "
               "only kept.",
    .fields = proposal_fields,
    .field_count = CODEC_COUNT(proposal_fields),
    .closed = true,
};

static const struct codec_field idle_timeout_fields[] = {
    CODEC_FIELD(ipsec_provider_context,
                idle_timeout_seconds,
                "idleTimeoutSeconds",
                .kind = CODEC_UNSIGNED,
                .summary = "Seconds without traffic; 0: no limit."),
    CODEC_FIELD(ipsec_provider_context,
                idle_timeout_fail_over_seconds,
                "idleTimeoutSecondsFailOver",
                .kind = CODEC_UNSIGNED,
                .summary = "The same where the peer supports fail-over."),
};
static const struct codec_object codec_idle_timeout = {
    .name = "SaIdleTimeout",
    .summary = "When SAs without traffic end (IPSEC_SA_IDLE_TIMEOUT0).",
    .fields = idle_timeout_fields,
    .field_count = CODEC_COUNT(idle_timeout_fields),
    .closed = true,
};

/* --- Transport and tunnel policies ------------------------------------------------------------ */

#define POLICY_FIELDS                                                                              \
    CODEC_FIELD(ipsec_provider_context, policy_flags, "flags", .kind = CODEC_FLAGS,                \
                .names = &policy_flags, .summary = "IPSEC_POLICY_FLAG_*."),                        \
        CODEC_FIELD(ipsec_provider_context, proposals, "ipsecProposals", .kind = CODEC_ARRAY,      \
                    .object = &codec_proposal, .stride = sizeof(struct ipsec_proposal),            \
                    .count_offset = offsetof(struct ipsec_provider_context, proposal_count),       \
                    .count_size = sizeof(uint8_t), .too_many = IPSEC_OUT_OF_BOUNDS, .minimum = 1,  \
                    .flags = CODEC_REQUIRED, .summary = "At least one, the most wanted first."),   \
        CODEC_GROUP("saIdleTimeout", .kind = CODEC_OBJECT, .object = &codec_idle_timeout,          \
                    .summary = "When SAs without traffic end.")

static const struct codec_field transport_fields[] = {
    POLICY_FIELDS,
    CODEC_FIELD(ipsec_provider_context,
                nd_allow_clear_timeout_seconds,
                "ndAllowClearTimeoutSeconds",
                .kind = CODEC_UNSIGNED,
                .summary = "Negotiation discovery: how long clear packets are accepted."),
};
const struct codec_object codec_transport_policy = {
    .name = "TransportPolicy",
    .summary = "A quick-mode policy for transport mode (IPSEC_TRANSPORT_POLICY0).",
    .fields = transport_fields,
    .field_count = CODEC_COUNT(transport_fields),
    .closed = true,
};

static const struct codec_field endpoints_fields[] = {
    CODEC_FIELD(ipsec_provider_context,
                ip_version,
                "ipVersion",
                .kind = CODEC_IP_VERSION,
                .summary = "IP version of both; may be left out, the addresses tell."),
    CODEC_FIELD(ipsec_provider_context,
                local_endpoint,
                "localAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "Where the tunnel ends here."),
    CODEC_FIELD(ipsec_provider_context,
                remote_endpoint,
                "remoteAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "Where it ends at the peer."),
};
static const struct codec_object codec_endpoints = {
    .name = "TunnelEndpoints",
    .summary = "The addresses of the outer header (IPSEC_TUNNEL_ENDPOINTS0).",
    .fields = endpoints_fields,
    .field_count = CODEC_COUNT(endpoints_fields),
    .closed = true,
    .check = note_endpoints,
};

static const struct codec_field tunnel_fields[] = {
    CODEC_GROUP("tunnelEndpoints",
                .kind = CODEC_OBJECT,
                .object = &codec_endpoints,
                .flags = CODEC_REQUIRED,
                .summary = "The addresses of the outer header."),
    POLICY_FIELDS,
};
const struct codec_object codec_tunnel_policy = {
    .name = "TunnelPolicy",
    .summary = "A quick-mode policy for tunnel mode (IPSEC_TUNNEL_POLICY0).",
    .fields = tunnel_fields,
    .field_count = CODEC_COUNT(tunnel_fields),
    .closed = true,
};

/* --- The arms --------------------------------------------------------------------------------- */

static enum ipsec_status decode_arm(struct codec_decoder *decoder,
                                    const struct codec_field *field,
                                    const json_t *value,
                                    void *object);
static void
encode_arm(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static json_t *describe_arm(const struct codec_field *field);
static bool lacks_transport_policy(const void *object);
static bool lacks_tunnel_policy(const void *object);
static enum ipsec_status decode_policy_text(struct codec_decoder *decoder,
                                            const struct codec_field *field,
                                            const json_t *value,
                                            void *object);
static void encode_policy_text(struct codec_encoder *encoder,
                               const struct codec_field *field,
                               const void *object);
static bool lacks_policy_text(const void *object);
static json_t *describe_policy_text(const struct codec_field *field);
static void clear_policy_text(void *object);

const struct codec_custom policy_transport_codec = {
    .decode = decode_arm,
    .encode = encode_arm,
    .absent = lacks_transport_policy,
    .describe = describe_arm,
};
const struct codec_custom policy_tunnel_codec = {
    .decode = decode_arm,
    .encode = encode_arm,
    .absent = lacks_tunnel_policy,
    .describe = describe_arm,
};
const struct codec_custom policy_text_codec = {
    .decode = decode_policy_text,
    .encode = encode_policy_text,
    .absent = lacks_policy_text,
    .describe = describe_policy_text,
    .clear = clear_policy_text,
};

/* --- Helpers ---------------------------------------------------------------------------------- */

enum policy_arm
policy_arm_of(uint8_t type)
{
    switch ((enum ipsec_provider_context_type)type) {
    case IPSEC_CONTEXT_IKE_QM_TRANSPORT:
    case IPSEC_CONTEXT_AUTHIP_QM_TRANSPORT:
    case IPSEC_CONTEXT_IKEV2_QM_TRANSPORT:
        return POLICY_TRANSPORT;
    case IPSEC_CONTEXT_IKE_QM_TUNNEL:
    case IPSEC_CONTEXT_AUTHIP_QM_TUNNEL:
    case IPSEC_CONTEXT_IKEV2_QM_TUNNEL:
        return POLICY_TUNNEL;
    case IPSEC_CONTEXT_KEYING:
    case IPSEC_CONTEXT_IKE_MM:
    case IPSEC_CONTEXT_AUTHIP_MM:
    case IPSEC_CONTEXT_CLASSIFY_OPTIONS:
    case IPSEC_CONTEXT_GENERAL:
    case IPSEC_CONTEXT_IKEV2_MM:
    case IPSEC_CONTEXT_DOSP:
    case IPSEC_CONTEXT_NETWORK_CONNECTION_POLICY:
    case IPSEC_CONTEXT_TYPE_COUNT:
    default:
        return POLICY_OTHER;
    }
}

static enum ipsec_status
note_endpoints(struct codec_decoder *decoder, void *object)
{
    struct ipsec_provider_context *context = object;

    context->ip_version = (uint8_t)decoder->ip_version;
    return IPSEC_OK;
}

static enum ipsec_status
decode_arm(struct codec_decoder *decoder,
           const struct codec_field *field,
           const json_t *value,
           void *object)
{
    return codec_decode_object(decoder, field->object, value, object);
}

static void
encode_arm(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    codec_encode(encoder, field->object, object);
}

static json_t *
describe_arm(const struct codec_field *field)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", field->object->name));
}

static bool
lacks_transport_policy(const void *object)
{
    const struct ipsec_provider_context *context = object;

    return policy_arm_of(context->type) != POLICY_TRANSPORT;
}

static bool
lacks_tunnel_policy(const void *object)
{
    const struct ipsec_provider_context *context = object;

    return policy_arm_of(context->type) != POLICY_TUNNEL;
}

/* Main-mode policies may have pre-shared keys in WFP.  This one is stored and given back, which no
 * key ever is. */
static enum ipsec_status
refuse_keys(struct codec_decoder *decoder, const json_t *value)
{
    const struct codec_step *const outer = decoder->step;
    enum ipsec_status status = IPSEC_OK;
    /* jansson's iterators take the object as not const and do not change it. */
    json_t *members = (json_t *)(uintptr_t)value;

    for (void *i = json_object_iter(members); i != NULL && status == IPSEC_OK;
         i = json_object_iter_next(members, i)) {
        decoder->step = &(struct codec_step){ .parent = outer, .member = json_object_iter_key(i) };
        status = strcasecmp(json_object_iter_key(i), "presharedKey") == 0
                     ? codec_refuse(decoder, IPSEC_INVALID_PARAMETER,
                                    "a key is never kept: leave it out")
                     : refuse_keys(decoder, json_object_iter_value(i));
        decoder->step = outer;
    }
    for (size_t i = 0; i < json_array_size(value) && status == IPSEC_OK; i++) {
        decoder->step = &(struct codec_step){ .parent = outer, .index = i };
        status = refuse_keys(decoder, json_array_get(value, i));
        decoder->step = outer;
    }
    return status;
}

static enum ipsec_status
decode_policy_text(struct codec_decoder *decoder,
                   const struct codec_field *field,
                   const json_t *value,
                   void *object)
{
    struct ipsec_provider_context *context = object;

    (void)field;
    if (!json_is_object(value))
        return codec_refuse_type(decoder, value, "an object");
    enum ipsec_status status = refuse_keys(decoder, value);
    if (status != IPSEC_OK)
        return status;
    size_t size = json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (size > IPSEC_POLICY_DATA_MAX)
        return codec_refuse(decoder, IPSEC_OUT_OF_BOUNDS, "has more than %d bytes",
                            IPSEC_POLICY_DATA_MAX);
    /* Not the library's own copy, which is wiped memory of this thread. */
    char *text = malloc(size + 1);
    if (text == NULL)
        return ipsec_fault_set(decoder->fault, IPSEC_RPC_OUT_OF_RESOURCES, IPSEC_FAULT_SERVICE,
                               NULL, "no memory to read the body");
    text[json_dumpb(value, text, size, JSON_COMPACT | JSON_ENSURE_ASCII)] = '\0';
    context->policy = text;
    return IPSEC_OK;
}

static void
encode_policy_text(struct codec_encoder *encoder,
                   const struct codec_field *field,
                   const void *object)
{
    const struct ipsec_provider_context *context = object;

    (void)field;
    buffer_append_text(encoder->out, context->policy);
}

static bool
lacks_policy_text(const void *object)
{
    const struct ipsec_provider_context *context = object;

    return context->policy == NULL;
}

static json_t *
describe_policy_text(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s}", "type", "object");
}

static void
clear_policy_text(void *object)
{
    struct ipsec_provider_context *context = object;

    free(context->policy);
    context->policy = NULL;
}
