/* SPDX-License-Identifier: Apache-2.0
 *
 * codec_provider_context.c: FWPM_PROVIDER_CONTEXT0 as JSON, as callers give it and as they get it;
 * its policy is codec_policy.c's. */
#include "api/codec_policy.h"
#include "api/filter_names.h"
#include "api/policy_names.h"
#include "api/resource.h"

static enum ipsec_status check_arm(struct codec_decoder *decoder, void *object);
static enum ipsec_status check_query(struct codec_decoder *decoder, void *object);

#define ARMS(transport_given, tunnel_given, policy_given)                                          \
    CODEC_GROUP("transportPolicy", .kind = CODEC_CUSTOM, .custom = &policy_transport_codec,        \
                .object = &codec_transport_policy, .given_offset = (transport_given),              \
                .summary = "With the quick-mode transport types, required there."),                \
        CODEC_GROUP("tunnelPolicy", .kind = CODEC_CUSTOM, .custom = &policy_tunnel_codec,          \
                    .object = &codec_tunnel_policy, .given_offset = (tunnel_given),                \
                    .summary = "With the quick-mode tunnel types, required there."),               \
        CODEC_GROUP("policy", .kind = CODEC_CUSTOM, .custom = &policy_text_codec,                  \
                    .given_offset = (policy_given),                                                \
                    .summary = "With all other types, required there: kept and given back, not "   \
                               "executed.  It is readable, so a member named like a pre-shared "   \
                               "key is refused.")

/* --- A provider context from a caller --------------------------------------------------------- */

static const struct codec_field display_data_fields[] = {
    CODEC_FIELD(ipsec_provider_context,
                name,
                "name",
                .kind = CODEC_TEXT,
                .minimum = 1,
                .maximum = IPSEC_DISPLAY_NAME_MAX,
                .missing = IPSEC_NULL_DISPLAY_NAME,
                .flags = CODEC_REQUIRED,
                .summary = "What people call it."),
    CODEC_FIELD(ipsec_provider_context,
                description,
                "description",
                .kind = CODEC_TEXT,
                .maximum = IPSEC_DISPLAY_DESCRIPTION_MAX,
                .summary = "What it is for."),
};
/* The same schema as that of filters, at other places. */
static const struct codec_object display_data = {
    .name = "DisplayData",
    .summary = "Name and description for people (FWPM_DISPLAY_DATA0); control characters are "
               "refused.",
    .fields = display_data_fields,
    .field_count = CODEC_COUNT(display_data_fields),
    .closed = true,
};

#define COMMON_FIELDS                                                                              \
    CODEC_GROUP("displayData", .kind = CODEC_OBJECT, .object = &display_data,                      \
                .missing = IPSEC_NULL_DISPLAY_NAME, .flags = CODEC_REQUIRED,                       \
                .summary = "Name and description."),                                               \
        CODEC_FIELD(ipsec_provider_context, type, "type", .kind = CODEC_ENUM,                      \
                    .names = &provider_context_types, .flags = CODEC_REQUIRED,                     \
                    .summary = "What it holds (FWPM_PROVIDER_CONTEXT_TYPE)."),                     \
        CODEC_FIELD(ipsec_provider_context, provider_key, "providerKey", .kind = CODEC_GUID,       \
                    .flags = CODEC_OMIT_ZERO, .summary = "Key of the provider that owns it."),     \
        CODEC_FIELD(ipsec_provider_context, provider_data, "providerData", .kind = CODEC_BLOB,     \
                    .maximum = IPSEC_PROVIDER_DATA_MAX,                                            \
                    .count_offset = offsetof(struct ipsec_provider_context, provider_data_size),   \
                    .count_size = sizeof(uint16_t),                                                \
                    .summary = "Opaque bytes of that provider, kept and given back as base64; "    \
                               "readable by whoever may read the provider context.")

static const struct codec_field new_fields[] = {
    COMMON_FIELDS,
    CODEC_FIELD(ipsec_provider_context,
                key,
                "key",
                .kind = CODEC_GUID,
                .flags = CODEC_OMIT_ZERO,
                .summary =
                    "A GUID of the caller's choice; left out or zero: the engine makes one."),
    CODEC_FIELD(ipsec_provider_context,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &provider_context_flags,
                .summary = "FWPM_PROVIDER_CONTEXT_FLAG_*."),
    ARMS(offsetof(struct new_provider_context, transport_given),
         offsetof(struct new_provider_context, tunnel_given),
         offsetof(struct new_provider_context, policy_given)),
};
const struct codec_object codec_new_provider_context = {
    .name = "NewProviderContext",
    .summary = "A provider context to add (FWPM_PROVIDER_CONTEXT0).",
    .fields = new_fields,
    .field_count = CODEC_COUNT(new_fields),
    .closed = true,
    .check = check_arm,
};
_Static_assert(offsetof(struct new_provider_context, context) == 0, "the tables count on it");

/* --- A provider context to a caller ----------------------------------------------------------- */

static const struct codec_field context_fields[] = {
    CODEC_FIELD(ipsec_provider_context,
                id,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "LUID: never reused.  Of a tunnel policy, the tunnelPolicyId of "
                           "traffic."),
    CODEC_FIELD(ipsec_provider_context,
                key,
                "key",
                .kind = CODEC_GUID,
                .flags = CODEC_REQUIRED,
                .summary = "GUID: the providerContextKey of filters."),
    CODEC_FIELD(ipsec_provider_context,
                lifetime,
                "lifetime",
                .kind = CODEC_ENUM,
                .names = &policy_lifetimes,
                .flags = CODEC_REQUIRED,
                .summary = "static and persistent: until it is deleted; dynamic: until the session "
                           "that added it ends."),
    CODEC_FIELD(ipsec_provider_context,
                is_tunnel,
                "isTunnel",
                .kind = CODEC_BOOLEAN,
                .flags = CODEC_REQUIRED,
                .summary = "true: made by, and deleted with, a tunnel."),
    COMMON_FIELDS,
    CODEC_FIELD(ipsec_provider_context,
                flags,
                "flags",
                .kind = CODEC_FLAGS,
                .names = &provider_context_flags,
                .flags = CODEC_REQUIRED,
                .summary = "FWPM_PROVIDER_CONTEXT_FLAG_*."),
    ARMS(0, 0, 0),
    CODEC_FIELD(ipsec_provider_context,
                created_at_ms,
                "createdAt",
                .kind = CODEC_TIME,
                .flags = CODEC_REQUIRED,
                .summary = "When it was added."),
    CODEC_FIELD(ipsec_provider_context,
                created_by,
                "createdBy",
                .kind = CODEC_PRINCIPAL,
                .flags = CODEC_REQUIRED,
                .summary = "The principal that added it."),
    CODEC_FIELD(ipsec_provider_context,
                revision,
                "revision",
                .kind = CODEC_UNSIGNED,
                .flags = CODEC_REQUIRED,
                .summary = "Number of the change that added it."),
};
const struct codec_object codec_provider_context = {
    .name = "ProviderContext",
    .summary = "A provider context of the engine.",
    .fields = context_fields,
    .field_count = CODEC_COUNT(context_fields),
};

static const struct codec_field created_fields[] = {
    CODEC_FIELD(provider_context_created,
                id,
                "id",
                .kind = CODEC_UNSIGNED,
                .minimum = 1,
                .flags = CODEC_REQUIRED,
                .summary = "LUID of the new provider context."),
    CODEC_FIELD(provider_context_created,
                key,
                "key",
                .kind = CODEC_GUID,
                .flags = CODEC_REQUIRED,
                .summary = "GUID of the new provider context."),
};
const struct codec_object codec_provider_context_created = {
    .name = "ProviderContextCreated",
    .summary = "What FwpmProviderContextAdd0 returns.",
    .fields = created_fields,
    .field_count = CODEC_COUNT(created_fields),
};

/* --- The list --------------------------------------------------------------------------------- */

static const struct codec_field query_fields[] = {
    PAGE_QUERY_FIELDS(provider_context_query),
    CODEC_FIELD(provider_context_query,
                type,
                "type",
                .kind = CODEC_ENUM,
                .names = &provider_context_types,
                .given_offset = offsetof(struct provider_context_query, type_given),
                .summary = "Only those of this type."),
    CODEC_FIELD(provider_context_query,
                key,
                "key",
                .kind = CODEC_GUID,
                .given_offset = offsetof(struct provider_context_query, key_given),
                .summary = "Only the one with this key."),
};
const struct codec_object codec_provider_context_query = {
    .fields = query_fields,
    .field_count = CODEC_COUNT(query_fields),
    .check = check_query,
};

static const struct codec_field list_fields[] = {
    CODEC_FIELD(provider_context_list,
                page.provider_contexts,
                "items",
                .kind = CODEC_ARRAY,
                .object = &codec_provider_context,
                .form = CODEC_POINTERS,
                .stride = sizeof(struct ipsec_provider_context *),
                .count_offset = offsetof(struct provider_context_list, page.provider_context_count),
                .count_size = sizeof(size_t),
                .flags = CODEC_REQUIRED,
                .summary = "In the order of their ids."),
    PAGE_NEXT_CURSOR_FIELD(provider_context_list),
};
const struct codec_object codec_provider_context_list = {
    .name = "ProviderContextList",
    .summary = "A page of provider contexts.",
    .fields = list_fields,
    .field_count = CODEC_COUNT(list_fields),
};

struct cursor_scope
provider_context_query_scope(const struct provider_context_query *query)
{
    struct cursor_scope scope = { .size = 0 };
    const uint8_t bytes[] = { 'p', query->type_given, query->type, query->key_given };

    cursor_scope_add(&scope, bytes, sizeof bytes);
    cursor_scope_add(&scope, query->key.bytes, sizeof query->key.bytes);
    return scope;
}

static enum ipsec_status
check_query(struct codec_decoder *decoder, void *object)
{
    struct provider_context_query *query = object;
    struct cursor_scope scope = provider_context_query_scope(query);

    return page_query_check(decoder, &query->page, &scope);
}

/* --- Helpers ---------------------------------------------------------------------------------- */

/* The arm of the type must be there, and no other. */
static enum ipsec_status
check_arm(struct codec_decoder *decoder, void *object)
{
    const struct new_provider_context *request = object;
    enum policy_arm wanted = policy_arm_of(request->context.type);
    const struct {
        const char *name;
        enum policy_arm arm;
        bool given;
    } arms[] = {
        { "transportPolicy", POLICY_TRANSPORT, request->transport_given },
        { "tunnelPolicy", POLICY_TUNNEL, request->tunnel_given },
        { "policy", POLICY_OTHER, request->policy_given },
    };
    const struct codec_step *const outer = decoder->step;
    enum ipsec_status status = IPSEC_OK;

    for (size_t i = 0; i < CODEC_COUNT(arms) && status == IPSEC_OK; i++) {
        decoder->step = &(struct codec_step){ .parent = outer, .member = arms[i].name };
        if (arms[i].arm == wanted && !arms[i].given)
            status = codec_refuse(decoder, IPSEC_NULL_POINTER, "%s is required with this type",
                                  arms[i].name);
        else if (arms[i].arm != wanted && arms[i].given)
            status = codec_refuse(decoder, IPSEC_INVALID_PARAMETER, "%s does not go with this type",
                                  arms[i].name);
        decoder->step = outer;
    }
    return status;
}
