/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_tunnel.c: tunnels as JSON: what FwpmIPsecTunnelAdd0 takes and what became of it. */
#include "api/condition_values.h"
#include "api/policy_names.h"
#include "api/resource.h"
#include "api/text.h"

static enum ipsec_status decode_policy(struct codec_decoder *decoder,
                                       const struct codec_field *field,
                                       const json_t *value,
                                       void *object);
static json_t *describe_policy(const struct codec_field *field);
static void clear_policies(void *object);
static enum ipsec_status note_inner_version(struct codec_decoder *decoder, void *object);
static enum ipsec_status check_query(struct codec_decoder *decoder, void *object);
static void encode_filter_ids(struct codec_encoder *encoder,
                              const struct codec_field *field,
                              const void *object);
static json_t *describe_filter_ids(const struct codec_field *field);

static const struct codec_custom policy_codec = {
    .decode = decode_policy,
    .describe = describe_policy,
    .clear = clear_policies,
};
static const struct codec_custom filter_ids_codec = {
    .encode = encode_filter_ids,
    .describe = describe_filter_ids,
};

static const struct codec_field new_tunnel_fields[] = {
    CODEC_FIELD(new_tunnel,
                tunnel_policy,
                "tunnelPolicy",
                .kind = CODEC_CUSTOM,
                .custom = &policy_codec,
                .object = &codec_new_provider_context,
                .flags = CODEC_REQUIRED,
                .summary = "The quick-mode tunnel policy; its key and id name the tunnel."),
    CODEC_FIELD(new_tunnel,
                main_mode_policy,
                "mainModePolicy",
                .kind = CODEC_CUSTOM,
                .custom = &policy_codec,
                .object = &codec_new_provider_context,
                .given_offset = offsetof(struct new_tunnel, main_mode_policy_given),
                .summary = "A main-mode policy; kept, not executed."),
    CODEC_FIELD(new_tunnel,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &tunnel_flags,
                .summary = "pointToPoint: between two hosts, with any condition."),
    CODEC_FIELD(new_tunnel,
                ip_version,
                "ipVersion",
                .kind = CODEC_IP_VERSION,
                .summary = "IP version of what runs inside; left out: that of the conditions' "
                           "addresses, and without any that of the endpoints."),
    CODEC_FIELD(new_tunnel,
                conditions,
                "conditions",
                .kind = CODEC_ARRAY,
                .object = &codec_condition,
                .stride = sizeof(struct ipsec_condition),
                .count_offset = offsetof(struct new_tunnel, condition_count),
                .count_size = sizeof(uint8_t),
                .too_many = IPSEC_DUPLICATE_CONDITION,
                .summary = "What runs inside, as seen from here; without pointToPoint only "
                           "ipLocalAddress and ipRemoteAddress."),
};
const struct codec_object codec_new_tunnel = {
    .name = "NewTunnel",
    .summary = "A tunnel policy and the filters that use it, all or none.",
    .fields = new_tunnel_fields,
    .field_count = CODEC_COUNT(new_tunnel_fields),
    .closed = true,
    .check = note_inner_version,
};

static const struct codec_field tunnel_fields[] = {
    CODEC_FIELD(ipsec_tunnel_made,
                id,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "LUID of the tunnel policy: the tunnelPolicyId of traffic."),
    CODEC_FIELD(ipsec_tunnel_made,
                key,
                "key",
                .kind = CODEC_GUID,
                .flags = CODEC_REQUIRED,
                .summary = "GUID of the tunnel policy."),
    CODEC_FIELD(ipsec_tunnel_made,
                main_mode_id,
                "mainModeId",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_OMIT_ZERO,
                .summary = "LUID of the main-mode policy, if there is one."),
    CODEC_GROUP("filterIds",
                .kind = CODEC_CUSTOM,
                .custom = &filter_ids_codec,
                .flags = CODEC_REQUIRED,
                .summary = "The filters that were made with it."),
    CODEC_FIELD(ipsec_tunnel_made,
                revision,
                "revision",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Number of the change that added the tunnel."),
};
const struct codec_object codec_tunnel = {
    .name = "Tunnel",
    .summary = "What a tunnel consists of.",
    .fields = tunnel_fields,
    .field_count = CODEC_COUNT(tunnel_fields),
};

static const struct codec_field query_fields[] = {
    PAGE_QUERY_FIELDS(tunnel_query),
};
const struct codec_object codec_tunnel_query = {
    .fields = query_fields,
    .field_count = CODEC_COUNT(query_fields),
    .check = check_query,
};

static const struct codec_field list_fields[] = {
    CODEC_FIELD(tunnel_list,
                page.tunnels,
                "items",
                .kind = CODEC_ARRAY,
                .object = &codec_tunnel,
                .form = CODEC_POINTED,
                .stride = sizeof(struct ipsec_tunnel_made),
                .count_offset = offsetof(struct tunnel_list, page.tunnel_count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "In the order of their ids."),
    PAGE_NEXT_CURSOR_FIELD(tunnel_list),
};
const struct codec_object codec_tunnel_list = {
    .name = "TunnelList",
    .summary = "A page of tunnels.",
    .fields = list_fields,
    .field_count = CODEC_COUNT(list_fields),
};

struct cursor_scope
tunnel_query_scope(void)
{
    struct cursor_scope scope = { .size = 0 };

    cursor_scope_add(&scope, "t", 1);
    return scope;
}

static enum ipsec_status
check_query(struct codec_decoder *decoder, void *object)
{
    struct tunnel_query *query = object;
    struct cursor_scope scope = tunnel_query_scope();

    return page_query_check(decoder, &query->page, &scope);
}

/* The addresses outside may be of another version than those inside. */
static enum ipsec_status
decode_policy(struct codec_decoder *decoder,
              const struct codec_field *field,
              const json_t *value,
              void *object)
{
    const int inner_version = decoder->ip_version;

    decoder->ip_version = -1;
    enum ipsec_status status =
        codec_decode_object(decoder, field->object, value, (char *)object + field->offset);
    decoder->ip_version = inner_version;
    return status;
}

static json_t *
describe_policy(const struct codec_field *field)
{
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", field->object->name));
}

static void
clear_policies(void *object)
{
    struct new_tunnel *tunnel = object;

    codec_clear(&codec_new_provider_context, &tunnel->tunnel_policy);
    codec_clear(&codec_new_provider_context, &tunnel->main_mode_policy);
}

static enum ipsec_status
note_inner_version(struct codec_decoder *decoder, void *object)
{
    struct new_tunnel *tunnel = object;

    tunnel->ip_version = decoder->ip_version >= 0 ? (uint8_t)decoder->ip_version
                                                  : tunnel->tunnel_policy.context.ip_version;
    return IPSEC_OK;
}

static void
encode_filter_ids(struct codec_encoder *encoder,
                  const struct codec_field *field,
                  const void *object)
{
    const struct ipsec_tunnel_made *made = object;

    (void)field;
    buffer_append_char(encoder->out, '[');
    for (size_t i = 0; i < made->filter_count; i++) {
        if (i > 0)
            buffer_append_char(encoder->out, ',');
        text_append_unsigned(encoder->out, made->filter_ids[i]);
    }
    buffer_append_char(encoder->out, ']');
}

static json_t *
describe_filter_ids(const struct codec_field *field)
{
    (void)field;
    return json_pack("{s:s, s:i, s:{s:s, s:i, s:I}}", "type", "array", "maxItems",
                     IPSEC_TUNNEL_FILTERS_MAX, "items", "type", "integer", "minimum", 1, "maximum",
                     (json_int_t)IPSEC_LUID_MAX);
}
