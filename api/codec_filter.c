/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_filter.c: FWPM_FILTER0 as JSON, as callers give it and as they get it. */
#include "api/condition_values.h"
#include "api/filter_names.h"
#include "api/filter_values.h"
#include "api/resource.h"

static enum ipsec_status check_query(struct codec_decoder *decoder, void *object);

/* --- The parts of a filter ----------------------------------------------------------------------
 */

static const struct codec_field display_data_fields[] = {
    CODEC_FIELD(ipsec_filter,
                name,
                "name",
                .kind = CODEC_TEXT,
                .minimum = 1,
                .maximum = IPSEC_DISPLAY_NAME_MAX,
                .missing = IPSEC_NULL_DISPLAY_NAME,
                .flags = CODEC_REQUIRED,
                .summary = "What people call it."),
    CODEC_FIELD(ipsec_filter,
                description,
                "description",
                .kind = CODEC_TEXT,
                .maximum = IPSEC_DISPLAY_DESCRIPTION_MAX,
                .summary = "What it is for."),
};
static const struct codec_object display_data = {
    .name = "DisplayData",
    .summary = "Name and description for people (FWPM_DISPLAY_DATA0); control characters are "
               "refused.",
    .fields = display_data_fields,
    .field_count = CODEC_COUNT(display_data_fields),
    .closed = true,
};

static const struct codec_field action_fields[] = {
    CODEC_FIELD(ipsec_filter,
                action,
                "type",
                .kind = CODEC_ENUM,
                .names = &filter_actions,
                .flags = CODEC_REQUIRED,
                .summary = "What happens to traffic that matches."),
    CODEC_FIELD(ipsec_filter,
                callout,
                "callout",
                .kind = CODEC_ENUM,
                .names = &filter_callouts,
                .flags = CODEC_OMIT_ZERO,
                .summary = "The callout, with the callout actions."),
};
static const struct codec_object action = {
    .name = "Action",
    .summary = "The action of a filter (FWPM_ACTION0).",
    .fields = action_fields,
    .field_count = CODEC_COUNT(action_fields),
    .closed = true,
};

#define DISPLAY_DATA                                                                               \
    CODEC_GROUP("displayData", .kind = CODEC_OBJECT, .object = &display_data,                      \
                .missing = IPSEC_NULL_DISPLAY_NAME, .flags = CODEC_REQUIRED,                       \
                .summary = "Name and description.")
#define LAYER                                                                                      \
    CODEC_GROUP("layer", .kind = CODEC_CUSTOM, .custom = &filter_layer_codec,                      \
                .names = &filter_layers, .flags = CODEC_REQUIRED,                                  \
                .summary = "Where in the stack the filter is asked.")
#define SUB_LAYER                                                                                  \
    CODEC_FIELD(ipsec_filter, sub_layer, "subLayer", .kind = CODEC_ENUM,                           \
                .names = &filter_sub_layers,                                                       \
                .summary = "The group it is weighed in; left out: universal.")
#define CONDITIONS                                                                                 \
    CODEC_FIELD(ipsec_filter, conditions, "conditions", .kind = CODEC_ARRAY,                       \
                .object = &codec_condition, .stride = sizeof(struct ipsec_condition),              \
                .count_offset = offsetof(struct ipsec_filter, condition_count),                    \
                .count_size = sizeof(uint8_t), .too_many = IPSEC_DUPLICATE_CONDITION,              \
                .summary = "What traffic must match; none: all of it.")
#define ACTION                                                                                     \
    CODEC_GROUP("action", .kind = CODEC_OBJECT, .object = &action, .flags = CODEC_REQUIRED,        \
                .summary = "What happens to traffic that matches.")
#define WEIGHT                                                                                     \
    CODEC_GROUP("weight", .kind = CODEC_CUSTOM, .custom = &filter_weight_codec,                    \
                .summary = "Precedence.  Left out: automatic, the more specific the higher.  "     \
                           "{\"range\": n}: the top four bits, the rest automatic.  A number: "    \
                           "taken as it is; above 2^53-1 as decimal digits in a string.")

#define OWNER_AND_CONTEXT                                                                          \
    CODEC_FIELD(ipsec_filter, provider_key, "providerKey", .kind = CODEC_GUID,                     \
                .flags = CODEC_OMIT_ZERO, .summary = "Key of the provider that owns the filter."), \
        CODEC_FIELD(ipsec_filter, provider_data, "providerData", .kind = CODEC_BLOB,               \
                    .maximum = IPSEC_PROVIDER_DATA_MAX,                                            \
                    .count_offset = offsetof(struct ipsec_filter, provider_data_size),             \
                    .count_size = sizeof(uint16_t),                                                \
                    .summary = "Opaque bytes of that provider, kept and given back as base64; "    \
                               "readable by whoever may read the filter."),                        \
        CODEC_FIELD(ipsec_filter, provider_context_key, "providerContextKey", .kind = CODEC_GUID,  \
                    .flags = CODEC_OMIT_ZERO,                                                      \
                    .summary = "Key of the provider context whose policy the filter has."),        \
        CODEC_GROUP("rawContext", .kind = CODEC_CUSTOM, .custom = &filter_raw_context_codec,       \
                    .summary = "Flags for the callout, in a filter without a provider context; "   \
                               "64 bits, above 2^53-1 as decimal digits in a string.")

/* --- A filter from a caller ---------------------------------------------------------------------
 */

static const struct codec_field new_filter_fields[] = {
    DISPLAY_DATA,
    LAYER,
    SUB_LAYER,
    CONDITIONS,
    ACTION,
    WEIGHT,
    OWNER_AND_CONTEXT,
    CODEC_FIELD(ipsec_filter,
                key,
                "key",
                .kind = CODEC_GUID,
                .flags = CODEC_OMIT_ZERO,
                .summary =
                    "A GUID of the caller's choice; left out or zero: the engine makes one."),
    CODEC_FIELD(ipsec_filter,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &filter_flags,
                .summary = "FWPM_FILTER_FLAG_*; hasProviderContext follows from "
                           "providerContextKey and may be left out, disabled is only given back."),
};

const struct codec_object codec_new_filter = {
    .name = "NewFilter",
    .summary = "A filter to add (FWPM_FILTER0).",
    .fields = new_filter_fields,
    .field_count = CODEC_COUNT(new_filter_fields),
    .closed = true,
};

/* --- A filter to a caller -----------------------------------------------------------------------
 */

static const struct codec_field filter_fields[] = {
    CODEC_FIELD(ipsec_filter,
                id,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "LUID of the filter: never reused."),
    CODEC_FIELD(ipsec_filter,
                key,
                "key",
                .kind = CODEC_GUID,
                .flags = CODEC_REQUIRED,
                .summary = "GUID of the filter."),
    CODEC_FIELD(ipsec_filter,
                lifetime,
                "lifetime",
                .kind = CODEC_ENUM,
                .names = &policy_lifetimes,
                .flags = CODEC_REQUIRED,
                .summary = "static and persistent: until it is deleted; dynamic: until the session "
                           "that added it ends."),
    DISPLAY_DATA,
    LAYER,
    SUB_LAYER,
    CONDITIONS,
    ACTION,
    WEIGHT,
    OWNER_AND_CONTEXT,
    CODEC_FIELD(ipsec_filter,
                provider_context_id,
                "providerContextId",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_OMIT_ZERO,
                .summary = "LUID of the provider context that the key names."),
    CODEC_FIELD(ipsec_filter,
                tunnel_id,
                "tunnelId",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_OMIT_ZERO,
                .summary = "LUID of the tunnel that the filter is part of, and ends with."),
    CODEC_FIELD(ipsec_filter,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &filter_flags,
                .flags = CODEC_REQUIRED,
                .summary = "FWPM_FILTER_FLAG_*."),
    CODEC_FIELD(ipsec_filter,
                effective_weight,
                "effectiveWeight",
                .kind = CODEC_DECIMAL,
                .flags = CODEC_REQUIRED,
                .summary = "The weight that decides, 0 to 2^64-1."),
    CODEC_FIELD(ipsec_filter,
                created_at_ms,
                "createdAt",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "When the filter was added."),
    CODEC_FIELD(ipsec_filter,
                created_by,
                "createdBy",
                .kind = CODEC_PRINCIPAL,
                .flags = CODEC_REQUIRED,
                .summary = "The principal that added the filter."),
    CODEC_FIELD(ipsec_filter,
                revision,
                "revision",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Number of the change that added the filter."),
};

const struct codec_object codec_filter = {
    .name = "Filter",
    .summary = "A filter of the engine.",
    .fields = filter_fields,
    .field_count = CODEC_COUNT(filter_fields),
};

static const struct codec_field created_fields[] = {
    CODEC_FIELD(filter_created,
                id,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "LUID of the new filter."),
    CODEC_FIELD(filter_created,
                key,
                "key",
                .kind = CODEC_GUID,
                .flags = CODEC_REQUIRED,
                .summary = "GUID of the new filter."),
};

const struct codec_object codec_filter_created = {
    .name = "FilterCreated",
    .summary = "What FwpmFilterAdd0 returns.",
    .fields = created_fields,
    .field_count = CODEC_COUNT(created_fields),
};

/* --- The list -----------------------------------------------------------------------------------
 */

static const struct codec_field query_fields[] = {
    PAGE_QUERY_FIELDS(filter_query),
    CODEC_FIELD(filter_query,
                layer,
                "layer",
                .kind = CODEC_ENUM,
                .names = &filter_layers,
                .given_offset = offsetof(struct filter_query, layer_given),
                .summary = "Only filters at this layer."),
    CODEC_FIELD(filter_query,
                key,
                "key",
                .kind = CODEC_GUID,
                .given_offset = offsetof(struct filter_query, key_given),
                .summary = "Only the filter with this key."),
};

const struct codec_object codec_filter_query = {
    .fields = query_fields,
    .field_count = CODEC_COUNT(query_fields),
    .check = check_query,
};

static const struct codec_field list_fields[] = {
    CODEC_FIELD(filter_list,
                page.filters,
                "items",
                .kind = CODEC_ARRAY,
                .object = &codec_filter,
                .form = CODEC_POINTERS,
                .stride = sizeof(struct ipsec_filter *),
                .count_offset = offsetof(struct filter_list, page.filter_count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "In the order of their ids."),
    PAGE_NEXT_CURSOR_FIELD(filter_list),
};

const struct codec_object codec_filter_list = {
    .name = "FilterList",
    .summary = "A page of filters.",
    .fields = list_fields,
    .field_count = CODEC_COUNT(list_fields),
};

struct cursor_scope
filter_query_scope(const struct filter_query *query)
{
    struct cursor_scope scope = { .size = 0 };
    const uint8_t bytes[] = { 'f', query->layer_given, query->layer, query->key_given };

    cursor_scope_add(&scope, bytes, sizeof bytes);
    cursor_scope_add(&scope, query->key.bytes, sizeof query->key.bytes);
    return scope;
}

static enum ipsec_status
check_query(struct codec_decoder *decoder, void *object)
{
    struct filter_query *query = object;
    struct cursor_scope scope = filter_query_scope(query);

    return page_query_check(decoder, &query->page, &scope);
}
