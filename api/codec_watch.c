/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_watch.c: changes of SA contexts, and subscriptions to them, as JSON. */
#include "api/resource.h"
#include "api/sa_labels_text.h"
#include "api/text.h"
#include "api/traffic_fields.h"

static const struct codec_name type_rows[] = {
    { "add", IPSEC_CHANGE_ADD, NULL },
    { "update", IPSEC_CHANGE_UPDATE, NULL },
    { "delete", IPSEC_CHANGE_DELETE, NULL },
};
static const struct codec_names change_types = {
    .rows = type_rows,
    .count = CODEC_COUNT(type_rows),
};

static const struct codec_name reason_rows[] = {
    { "call", IPSEC_REASON_CALL, NULL },       { "lifetime", IPSEC_REASON_LIFETIME, NULL },
    { "idle", IPSEC_REASON_IDLE, NULL },       { "larval", IPSEC_REASON_LARVAL, NULL },
    { "grace", IPSEC_REASON_GRACE, NULL },     { "duplicate", IPSEC_REASON_DUPLICATE, NULL },
    { "dataPlane", IPSEC_REASON_PLANE, NULL },
};
static const struct codec_names change_reasons = {
    .rows = reason_rows,
    .count = CODEC_COUNT(reason_rows),
};

static void
encode_labels(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static bool lacks_labels(const void *object);
static void
encode_local(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static bool lacks_local(const void *object);
static void
encode_remote(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static bool lacks_remote(const void *object);
static void
encode_type(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static bool lacks_type(const void *object);
static json_t *describe_subnet(const struct codec_field *field);
static json_t *describe_type(const struct codec_field *field);
static void append_subnet(struct buffer *out, const struct ipsec_subnet *subnet);

static const struct codec_custom labels_codec = {
    .encode = encode_labels,
    .absent = lacks_labels,
    .describe = sa_labels_describe,
};
static const struct codec_custom local_codec = {
    .encode = encode_local,
    .absent = lacks_local,
    .describe = describe_subnet,
};
static const struct codec_custom remote_codec = {
    .encode = encode_remote,
    .absent = lacks_remote,
    .describe = describe_subnet,
};
static const struct codec_custom type_codec = {
    .encode = encode_type,
    .absent = lacks_type,
    .describe = describe_type,
};

static const struct codec_field change_fields[] = {
    CODEC_FIELD(ipsec_event,
                sequence,
                "sequence",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Number of the change: ascending, with gaps, also across restarts."),
    CODEC_FIELD(ipsec_event,
                type,
                "type",
                .kind = CODEC_ENUM,
                .names = &change_types,
                .flags = CODEC_REQUIRED,
                .summary = "What happened to the context."),
    CODEC_FIELD(ipsec_event,
                reason,
                "reason",
                .kind = CODEC_ENUM,
                .names = &change_reasons,
                .flags = CODEC_REQUIRED,
                .summary = "Why: a call did it, or the engine for the reason named."),
    CODEC_FIELD(ipsec_event,
                id,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "LUID of the context."),
    CODEC_FIELD(ipsec_event,
                state,
                "state",
                .kind = CODEC_ENUM,
                .names = &sa_context_states,
                .flags = CODEC_REQUIRED,
                .summary = "How far the context is keyed now; at its deletion, was."),
    CODEC_FIELD(ipsec_event,
                traffic_type,
                "trafficType",
                .kind = CODEC_ENUM,
                .names = &traffic_types,
                .flags = CODEC_REQUIRED,
                .summary = "Transport or tunnel mode."),
    CODEC_FIELD(ipsec_event,
                ip_version,
                "ipVersion",
                .kind = CODEC_IP_VERSION,
                .flags = CODEC_REQUIRED,
                .summary = "IP version of both addresses."),
    CODEC_FIELD(ipsec_event,
                local_address,
                "localAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "Local address of the outbound traffic."),
    CODEC_FIELD(ipsec_event,
                remote_address,
                "remoteAddress",
                .kind = CODEC_ADDRESS,
                .flags = CODEC_REQUIRED,
                .summary = "Remote address of the outbound traffic."),
    CODEC_FIELD(ipsec_event,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .minimum = 1,
                .summary = "Inbound SPI, once there is one."),
    CODEC_FIELD(ipsec_event,
                predecessor_id,
                "predecessorId",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .minimum = 1,
                .summary = "The context that this one was rotated from."),
    CODEC_GROUP("labels",
                .kind = CODEC_CUSTOM,
                .custom = &labels_codec,
                .summary = "The context's labels after the change; at its deletion, before."),
    CODEC_FIELD(ipsec_event,
                at_ms,
                "time",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "When it happened."),
};

const struct codec_object codec_sa_context_change = {
    .name = "SaContextChange",
    .summary = "A change of an SA context (IPSEC_SA_CONTEXT_CHANGE0), one line.",
    .fields = change_fields,
    .field_count = CODEC_COUNT(change_fields),
};

static const struct codec_field query_fields[] = {
    CODEC_FIELD(watch_query,
                options.since,
                "since",
                .kind = CODEC_UNSIGNED,
                .given_offset = offsetof(struct watch_query, options.since_given),
                .summary = "The sequence of a list or of the last change seen: changes after it "
                           "come first.  Left out: changes from now on."),
    CODEC_FIELD(watch_query,
                options.match.local_subnet,
                "localAddress",
                .kind = CODEC_SUBNET,
                .summary = "Only contexts whose local address is this one or in this prefix."),
    CODEC_FIELD(watch_query,
                options.match.remote_subnet,
                "remoteAddress",
                .kind = CODEC_SUBNET,
                .summary = "Only contexts whose remote address is this one or in this prefix."),
    CODEC_FIELD(watch_query,
                options.match.traffic_type,
                "trafficType",
                .kind = CODEC_ENUM,
                .names = &traffic_types,
                .given_offset = offsetof(struct watch_query, options.match.traffic_type_given),
                .summary = "Only contexts of this mode."),
};

const struct codec_object codec_watch_query = {
    .fields = query_fields,
    .field_count = CODEC_COUNT(query_fields),
};

static const struct codec_field subscription_fields[] = {
    CODEC_FIELD(ipsec_subscription_info,
                number,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "Number of the subscription since the service started."),
    CODEC_FIELD(ipsec_subscription_info,
                session_key,
                "sessionKey",
                .kind = CODEC_GUID,
                .flags = CODEC_OMIT_ZERO,
                .summary = "The session that it ends with; absent: none of its own."),
    CODEC_FIELD(ipsec_subscription_info,
                principal,
                "createdBy",
                .kind = CODEC_PRINCIPAL,
                .flags = CODEC_REQUIRED,
                .summary = "The principal that watches."),
    CODEC_FIELD(ipsec_subscription_info,
                since_ms,
                "createdAt",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "Since when."),
    CODEC_FIELD(ipsec_subscription_info,
                sequence,
                "sequence",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "The changes up to here have been taken for the watcher."),
    CODEC_GROUP("localAddress",
                .kind = CODEC_CUSTOM,
                .custom = &local_codec,
                .summary = "The watcher's filter on the local address, if it has one."),
    CODEC_GROUP("remoteAddress",
                .kind = CODEC_CUSTOM,
                .custom = &remote_codec,
                .summary = "The watcher's filter on the remote address, if it has one."),
    CODEC_GROUP("trafficType",
                .kind = CODEC_CUSTOM,
                .custom = &type_codec,
                .summary = "The watcher's filter on the mode, if it has one."),
};

static const struct codec_object codec_subscription = {
    .name = "Subscription",
    .summary = "Somebody who watches (IPSEC_SA_CONTEXT_SUBSCRIPTION0).",
    .fields = subscription_fields,
    .field_count = CODEC_COUNT(subscription_fields),
};

static const struct codec_field list_fields[] = {
    CODEC_FIELD(ipsec_subscription_page,
                subscriptions,
                "items",
                .kind = CODEC_ARRAY,
                .object = &codec_subscription,
                .form = CODEC_POINTED,
                .stride = sizeof(struct ipsec_subscription_info),
                .count_offset = offsetof(struct ipsec_subscription_page, subscription_count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "The oldest first."),
};

const struct codec_object codec_subscription_list = {
    .name = "SubscriptionList",
    .summary = "All subscriptions.",
    .fields = list_fields,
    .field_count = CODEC_COUNT(list_fields),
};

static void
encode_labels(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    (void)field;
    sa_labels_encode(encoder, ((const struct ipsec_event *)object)->labels);
}

static bool
lacks_labels(const void *object)
{
    return ((const struct ipsec_event *)object)->labels == NULL;
}

static void
encode_local(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_subscription_info *info = object;

    (void)field;
    append_subnet(encoder->out, &info->match.local_subnet);
}

static bool
lacks_local(const void *object)
{
    return !((const struct ipsec_subscription_info *)object)->match.local_subnet.given;
}

static void
encode_remote(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_subscription_info *info = object;

    (void)field;
    append_subnet(encoder->out, &info->match.remote_subnet);
}

static bool
lacks_remote(const void *object)
{
    return !((const struct ipsec_subscription_info *)object)->match.remote_subnet.given;
}

static void
encode_type(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_subscription_info *info = object;

    (void)field;
    buffer_append_char(encoder->out, '"');
    buffer_append_text(encoder->out, codec_name_of(&traffic_types, info->match.traffic_type));
    buffer_append_char(encoder->out, '"');
}

static bool
lacks_type(const void *object)
{
    return !((const struct ipsec_subscription_info *)object)->match.traffic_type_given;
}

static json_t *
describe_subnet(const struct codec_field *field)
{
    return json_pack("{s:s, s:s}", "type", "string", "description", field->summary);
}

static json_t *
describe_type(const struct codec_field *field)
{
    json_t *schema = codec_describe_names(&traffic_types);

    json_object_set_new(schema, "description", json_string(field->summary));
    return schema;
}

static void
append_subnet(struct buffer *out, const struct ipsec_subnet *subnet)
{
    buffer_append_char(out, '"');
    text_append_address(out, &subnet->address, subnet->ip_version);
    buffer_append_char(out, '/');
    text_append_unsigned(out, subnet->prefix_length);
    buffer_append_char(out, '"');
}
