/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_sa_context.c: SA contexts, their creation and their list as JSON. */
#include <string.h>

#include "api/resource.h"
#include "api/sa_labels_text.h"
#include "api/traffic_fields.h"

static const struct codec_name state_rows[] = {
    { "created", IPSEC_SA_CONTEXT_CREATED, NULL },   { "spiSet", IPSEC_SA_CONTEXT_SPI_SET, NULL },
    { "inbound", IPSEC_SA_CONTEXT_INBOUND, NULL },   { "active", IPSEC_SA_CONTEXT_ACTIVE, NULL },
    { "expiring", IPSEC_SA_CONTEXT_EXPIRING, NULL }, { "expired", IPSEC_SA_CONTEXT_EXPIRED, NULL },
};
const struct codec_names sa_context_states = {
    .rows = state_rows,
    .count = CODEC_COUNT(state_rows),
};
_Static_assert(CODEC_COUNT(state_rows) == IPSEC_SA_CONTEXT_STATE_COUNT, "every state has a name");

static void
encode_labels(struct codec_encoder *encoder, const struct codec_field *field, const void *object);
static bool lacks_labels(const void *object);
static enum ipsec_status check_query(struct codec_decoder *decoder, void *object);
static void add_subnet(struct cursor_scope *scope, const struct ipsec_subnet *subnet);

static const struct codec_custom labels_codec = {
    .encode = encode_labels,
    .absent = lacks_labels,
    .describe = sa_labels_describe,
};

static const struct codec_field usage_fields[] = {
    CODEC_FIELD(ipsec_sa_usage,
                bytes,
                "bytes",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Of packets that were protected or accepted."),
    CODEC_FIELD(ipsec_sa_usage,
                packets,
                "packets",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "How many these were."),
    CODEC_FIELD(ipsec_sa_usage,
                last_used_at_ms,
                "lastUsedAt",
                .kind = CODEC_TIME,
                .flags = CODEC_OMIT_ZERO,
                .summary = "When the last of them passed; absent: none did."),
};
static const struct codec_object codec_usage = {
    .name = "SaUsage",
    .summary = "What the SAs of one direction have carried.",
    .fields = usage_fields,
    .field_count = CODEC_COUNT(usage_fields),
};
/* As ipsec_sa_context_usage has them. */
struct usages {
    struct ipsec_sa_usage by_direction[2];
};
static const struct codec_field usages_fields[] = {
    CODEC_FIELD(usages,
                by_direction[IPSEC_DIRECTION_INBOUND],
                "inbound",
                .kind = CODEC_OBJECT,
                .object = &codec_usage,
                .flags = CODEC_OMIT_ZERO,
                .summary = "Received."),
    CODEC_FIELD(usages,
                by_direction[IPSEC_DIRECTION_OUTBOUND],
                "outbound",
                .kind = CODEC_OBJECT,
                .object = &codec_usage,
                .flags = CODEC_OMIT_ZERO,
                .summary = "Sent."),
};
static const struct codec_object codec_usages = {
    .name = "SaUsages",
    .summary = "What the SAs have carried, by direction.",
    .fields = usages_fields,
    .field_count = CODEC_COUNT(usages_fields),
};

static const struct codec_field sa_context_fields[] = {
    CODEC_FIELD(ipsec_sa_context,
                id,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "LUID of the context: never reused."),
    CODEC_FIELD(ipsec_sa_context,
                state,
                "state",
                .kind = CODEC_ENUM,
                .names = &sa_context_states,
                .flags = CODEC_REQUIRED,
                .summary = "How far the context is keyed."),
    CODEC_FIELD(ipsec_sa_context,
                outbound_traffic,
                "outboundTraffic",
                .kind = CODEC_OBJECT,
                .object = &codec_traffic,
                .flags = CODEC_REQUIRED,
                .summary = "The traffic as it was given."),
    CODEC_FIELD(ipsec_sa_context,
                inbound_filter_id,
                "inboundFilterId",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Id of the inbound filter that covers the same flow, or was named; it "
                           "stays as long as the context; 0: none."),
    CODEC_FIELD(ipsec_sa_context,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .minimum = 1,
                .summary = "Inbound SPI, once there is one."),
    CODEC_FIELD(ipsec_sa_context,
                inbound,
                "inbound",
                .kind = CODEC_OBJECT,
                .form = CODEC_POINTED,
                .object = &codec_sa_bundle,
                .summary = "The inbound SAs, once added."),
    CODEC_FIELD(ipsec_sa_context,
                outbound,
                "outbound",
                .kind = CODEC_OBJECT,
                .form = CODEC_POINTED,
                .object = &codec_sa_bundle,
                .summary = "The outbound SAs, once added."),
    CODEC_FIELD(ipsec_sa_context,
                predecessor_id,
                "predecessorId",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .minimum = 1,
                .summary = "The context that this one was rotated from."),
    CODEC_GROUP("labels",
                .kind = CODEC_CUSTOM,
                .custom = &labels_codec,
                .summary = "Names and values to find the context by."),
    CODEC_FIELD(ipsec_sa_context,
                created_at_ms,
                "createdAt",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "When the context was created."),
    CODEC_FIELD(ipsec_sa_context,
                due_at_ms,
                "endsAt",
                .kind = CODEC_TIME,
                .flags = CODEC_OMIT_ZERO,
                .summary = "When the context is removed unless a call comes before: nobody keyed "
                           "it, its lifetime or the minute after expire is over. Idle timeouts, "
                           "kilobytes and packets may end it earlier; absent: no time is set."),
    CODEC_FIELD(ipsec_sa_context,
                created_by,
                "createdBy",
                .kind = CODEC_PRINCIPAL,
                .flags = CODEC_REQUIRED,
                .summary = "The principal that created the context."),
    CODEC_FIELD(ipsec_sa_context,
                revision,
                "revision",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Number of the change that last touched the context."),
    /* The last row is not one of SaContext. */
    CODEC_FIELD(ipsec_sa_context_usage,
                usage,
                "usage",
                .kind = CODEC_OBJECT,
                .object = &codec_usages,
                .flags = CODEC_REQUIRED,
                .summary = "What the SAs of each direction have carried so far; absent for a "
                           "direction without SAs."),
};

const struct codec_object codec_sa_context = {
    .name = "SaContext",
    .summary = "An SA context (IPSEC_SA_CONTEXT).",
    .fields = sa_context_fields,
    .field_count = CODEC_COUNT(sa_context_fields) - 1,
};

const struct codec_object codec_sa_context_usage = {
    .name = "SaContextUsage",
    .summary = "An SA context, and what it has carried.",
    .fields = sa_context_fields,
    .field_count = CODEC_COUNT(sa_context_fields),
};
_Static_assert(offsetof(struct ipsec_sa_context_usage, context) == 0, "rows are shared");

static const struct codec_field created_fields[] = {
    CODEC_FIELD(sa_context_created,
                id,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "LUID of the new context."),
    CODEC_FIELD(sa_context_created,
                inbound_filter_id,
                "inboundFilterId",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Id of the inbound filter that covers the same flow in the other "
                           "direction; 0: none."),
    CODEC_FIELD(sa_context_created,
                spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_OMIT_ZERO,
                .minimum = 256,
                .summary = "The inbound SPI, if one was asked for."),
    CODEC_FIELD(sa_context_created,
                state,
                "state",
                .kind = CODEC_ENUM,
                .names = &sa_context_states,
                .flags = CODEC_OMIT_ZERO,
                .summary = "How far the context is keyed, when it is more than created."),
};

const struct codec_object codec_sa_context_created = {
    .name = "SaContextCreated",
    .summary = "What IPsecSaContextCreate0 returns.",
    .fields = created_fields,
    .field_count = CODEC_COUNT(created_fields),
};

static const struct codec_field query_fields[] = {
    PAGE_QUERY_FIELDS(sa_context_query),
    CODEC_FIELD(sa_context_query,
                match.local_subnet,
                "localAddress",
                .kind = CODEC_SUBNET,
                .summary = "Only contexts whose local address is this one or in this prefix."),
    CODEC_FIELD(sa_context_query,
                match.remote_subnet,
                "remoteAddress",
                .kind = CODEC_SUBNET,
                .summary = "Only contexts whose remote address is this one or in this prefix."),
    CODEC_FIELD(sa_context_query,
                match.state,
                "state",
                .kind = CODEC_ENUM,
                .names = &sa_context_states,
                .given_offset = offsetof(struct sa_context_query, match.state_given),
                .summary = "Only contexts in this state."),
    CODEC_FIELD(sa_context_query,
                match.traffic_type,
                "trafficType",
                .kind = CODEC_ENUM,
                .names = &traffic_types,
                .given_offset = offsetof(struct sa_context_query, match.traffic_type_given),
                .summary = "Only contexts of this mode."),
    CODEC_FIELD(sa_context_query,
                match.spi,
                "spi",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .summary = "Only the context with this inbound SPI."),
    CODEC_FIELD(sa_context_query,
                label,
                "label",
                .kind = CODEC_CHARS,
                .flags = CODEC_LIST,
                .summary = "Only contexts with these labels: name=value, or name for any value, "
                           "with commas between them, or the parameter again; a comma in a value "
                           "is %2C."),
};

const struct codec_object codec_sa_context_query = {
    .fields = query_fields,
    .field_count = CODEC_COUNT(query_fields),
    .check = check_query,
};

static const struct codec_field list_fields[] = {
    CODEC_FIELD(sa_context_list,
                page.sequence,
                "sequence",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary =
                    "Of the last change this page shows: watch from the first page's to miss "
                    "nothing."),
    CODEC_FIELD(sa_context_list,
                page.contexts,
                "items",
                .kind = CODEC_ARRAY,
                .object = &codec_sa_context,
                .form = CODEC_POINTED,
                .stride = sizeof(struct ipsec_sa_context),
                .count_offset = offsetof(struct sa_context_list, page.context_count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "In the order of their ids."),
    PAGE_NEXT_CURSOR_FIELD(sa_context_list),
};

const struct codec_object codec_sa_context_list = {
    .name = "SaContextList",
    .summary = "A page of SA contexts.",
    .fields = list_fields,
    .field_count = CODEC_COUNT(list_fields),
};

struct cursor_scope
sa_context_query_scope(const struct sa_context_query *query)
{
    struct cursor_scope scope = { .size = 0 };
    const uint8_t state[] = { query->match.state_given, query->match.state,
                              query->match.traffic_type_given, query->match.traffic_type };

    cursor_scope_add(&scope, "c", 1);
    add_subnet(&scope, &query->match.local_subnet);
    add_subnet(&scope, &query->match.remote_subnet);
    cursor_scope_add(&scope, state, sizeof state);
    cursor_scope_add(&scope, &query->match.spi, sizeof query->match.spi);
    cursor_scope_add(&scope, query->label, strlen(query->label));
    return scope;
}

static enum ipsec_status
check_query(struct codec_decoder *decoder, void *object)
{
    struct sa_context_query *query = object;
    struct cursor_scope scope = sa_context_query_scope(query);

    if (query->label[0] != '\0') {
        struct codec_step step = { .member = "label" };

        decoder->step = &step;
        memcpy(query->label_texts, query->label, strlen(query->label) + 1);
        enum ipsec_status status =
            sa_labels_decode_query(decoder, query->label_texts, &query->labels);
        decoder->step = NULL;
        if (status != IPSEC_OK)
            return status;
        query->match.labels = &query->labels;
    }
    return page_query_check(decoder, &query->page, &scope);
}

static void
add_subnet(struct cursor_scope *scope, const struct ipsec_subnet *subnet)
{
    const uint8_t head[] = { subnet->given, subnet->ip_version, subnet->prefix_length };

    cursor_scope_add(scope, head, sizeof head);
    cursor_scope_add(scope, subnet->address.bytes, sizeof subnet->address.bytes);
}

static void
encode_labels(struct codec_encoder *encoder, const struct codec_field *field, const void *object)
{
    const struct ipsec_sa_context *context = object;

    (void)field;
    sa_labels_encode(encoder, context->labels);
}

static bool
lacks_labels(const void *object)
{
    const struct ipsec_sa_context *context = object;

    return context->labels == NULL;
}
