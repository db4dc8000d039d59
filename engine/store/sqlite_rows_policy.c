/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_rows_policy.c: filters and provider contexts; see sqlite_rows.h. */
#include <string.h>

#include <sqlite3.h>

#include "engine/store/sqlite_bind.h"
#include "engine/store/sqlite_rows.h"
#include "engine/store/sqlite_text.h"

/* What is read stays SQLite's until the next row; records own their texts, once copied. */
union borrowed_text {
    const char *read;
    char *owned;
};
union borrowed_bytes {
    const uint8_t *read;
    uint8_t *owned;
};

static int
put_condition(struct sqlite3_stmt *statement, const struct ipsec_filter *filter, unsigned position);
static int put_proposal(struct sqlite3_stmt *statement,
                        const struct ipsec_provider_context *provider_context,
                        unsigned position);
static void bind_transform(struct sqlite3_stmt *statement,
                           int index,
                           const struct ipsec_sa_transform *transform);
static void bind_endpoint(struct sqlite3_stmt *statement,
                          int index,
                          const struct ipsec_provider_context *provider_context,
                          const struct ipsec_address *endpoint,
                          char text[SQLITE_ADDRESS_SIZE]);
static void read_filter(struct sqlite_reader *reader, struct ipsec_filter *filter);
static void read_condition(struct sqlite_reader *reader, void *whole);
static void read_provider_context(struct sqlite_reader *reader,
                                  struct ipsec_provider_context *provider_context);
static void read_endpoints(struct sqlite_reader *reader,
                           struct ipsec_provider_context *provider_context);
static void read_proposal(struct sqlite_reader *reader, void *whole);
static void
read_transform(struct sqlite_reader *reader, int column, struct ipsec_sa_transform *transform);
static enum ipsec_ip_version version_of(uint8_t layer);

int
sqlite_rows_put_filter(struct sqlite3_stmt *filter_statement,
                       struct sqlite3_stmt *condition_statement,
                       const struct ipsec_filter *filter)
{
    char key[SQLITE_GUID_SIZE];
    char provider_key[SQLITE_GUID_SIZE];
    char provider_context_key[SQLITE_GUID_SIZE];
    char raw_context[SQLITE_WEIGHT_SIZE];
    char weight[SQLITE_WEIGHT_SIZE];
    char effective_weight[SQLITE_WEIGHT_SIZE];

    sqlite_guid_format(&filter->key, key);
    sqlite_weight_format(filter->weight, weight);
    sqlite_weight_format(filter->effective_weight, effective_weight);
    sqlite_bind_integer(filter_statement, 1, filter->id);
    sqlite_bind_text(filter_statement, 2, key);
    sqlite_bind_text(filter_statement, 3, filter->name);
    sqlite_bind_text(filter_statement, 4, filter->description);
    sqlite_bind_text(filter_statement, 5, sqlite_name(&sqlite_layer_names, filter->layer));
    sqlite_bind_text(filter_statement, 6, sqlite_name(&sqlite_action_names, filter->action));
    sqlite_bind_text(filter_statement, 7, sqlite_name(&sqlite_callout_names, filter->callout));
    sqlite_bind_text(filter_statement, 8,
                     sqlite_name(&sqlite_weight_type_names, filter->weight_type));
    sqlite_bind_text(filter_statement, 9, weight);
    sqlite_bind_text(filter_statement, 10, effective_weight);
    sqlite_bind_integer(filter_statement, 11, (uint64_t)filter->created_at_ms);
    sqlite_bind_integer(filter_statement, 12, filter->created_by);
    sqlite_bind_integer(filter_statement, 13, filter->revision);

    sqlite_bind_text(filter_statement, 14, sqlite_name(&sqlite_lifetime_names, filter->lifetime));
    sqlite_bind_integer(filter_statement, 15, filter->flags);
    sqlite_bind_text(filter_statement, 16, sqlite_name(&sqlite_sub_layer_names, filter->sub_layer));
    sqlite_bind_guid(filter_statement, 17, &filter->provider_key, provider_key);
    sqlite_bind_guid(filter_statement, 18, &filter->provider_context_key, provider_context_key);
    sqlite_bind_integer(filter_statement, 19, filter->provider_context_id);
    sqlite_bind_integer(filter_statement, 20, filter->tunnel_id);
    sqlite_weight_format(filter->raw_context, raw_context);
    sqlite_bind_text(filter_statement, 21, raw_context);
    if (filter->provider_data_size > 0)
        sqlite_bind_blob(filter_statement, 22, filter->provider_data, filter->provider_data_size);
    else
        sqlite_bind_null(filter_statement, 22);

    int result = sqlite_bind_run(filter_statement);
    for (unsigned i = 0; i < filter->condition_count && result == SQLITE_OK; i++)
        result = put_condition(condition_statement, filter, i);
    return result;
}

int
sqlite_rows_put_provider_context(struct sqlite3_stmt *context_statement,
                                 struct sqlite3_stmt *proposal_statement,
                                 const struct ipsec_provider_context *provider_context)
{
    struct sqlite3_stmt *statement = context_statement;
    char key[SQLITE_GUID_SIZE];
    char provider_key[SQLITE_GUID_SIZE];
    char local_endpoint[SQLITE_ADDRESS_SIZE];
    char remote_endpoint[SQLITE_ADDRESS_SIZE];

    sqlite_bind_integer(statement, 1, provider_context->id);
    sqlite_bind_guid(statement, 2, &provider_context->key, key);
    sqlite_bind_text(statement, 3, provider_context->name);
    sqlite_bind_text(statement, 4, provider_context->description);
    sqlite_bind_text(statement, 5,
                     sqlite_name(&sqlite_provider_context_type_names, provider_context->type));
    sqlite_bind_text(statement, 6, sqlite_name(&sqlite_lifetime_names, provider_context->lifetime));
    sqlite_bind_integer(statement, 7, provider_context->is_tunnel);
    sqlite_bind_guid(statement, 8, &provider_context->provider_key, provider_key);
    sqlite_bind_integer(statement, 9, provider_context->flags);
    if (provider_context->provider_data_size > 0)
        sqlite_bind_blob(statement, 10, provider_context->provider_data,
                         provider_context->provider_data_size);
    else
        sqlite_bind_null(statement, 10);
    sqlite_bind_integer(statement, 11, provider_context->policy_flags);
    sqlite_bind_integer(statement, 12, provider_context->nd_allow_clear_timeout_seconds);
    sqlite_bind_integer(statement, 13, provider_context->idle_timeout_seconds);
    sqlite_bind_integer(statement, 14, provider_context->idle_timeout_fail_over_seconds);
    bind_endpoint(statement, 15, provider_context, &provider_context->local_endpoint,
                  local_endpoint);
    bind_endpoint(statement, 16, provider_context, &provider_context->remote_endpoint,
                  remote_endpoint);
    sqlite_bind_text(statement, 17, provider_context->policy);
    sqlite_bind_integer(statement, 18, (uint64_t)provider_context->created_at_ms);
    sqlite_bind_integer(statement, 19, provider_context->created_by);
    sqlite_bind_integer(statement, 20, provider_context->revision);

    int result = sqlite_bind_run(statement);
    for (unsigned i = 0; i < provider_context->proposal_count && result == SQLITE_OK; i++)
        result = put_proposal(proposal_statement, provider_context, i);
    return result;
}

enum ipsec_status
sqlite_rows_load_filters(const struct sqlite_reader *base,
                         const struct store_marks *marks,
                         const struct store_loader *loader)
{
    struct sqlite_reader reader = *base;
    struct sqlite_reader conditions = *base;
    bool found = false;
    reader.table = "filter";
    conditions.table = "filter_condition";
    enum ipsec_status status = sqlite_reader_open(
        &reader, "SELECT id, filter_key, name, description, layer, action, callout, weight_type,"
                 " weight, effective_weight, created_at_ms, created_by, revision, lifetime, flags,"
                 " sub_layer, provider_key, provider_context_key, provider_context_id, tunnel_id,"
                 " raw_context, provider_data FROM filter ORDER BY id");

    if (status == IPSEC_OK)
        status = sqlite_parts_open(&conditions, "SELECT filter_id, position, field, match_type,"
                                                " value FROM filter_condition"
                                                " ORDER BY filter_id, position");
    if (status == IPSEC_OK)
        status = sqlite_reader_next(&reader, &found);
    while (status == IPSEC_OK && found) {
        struct ipsec_filter filter = { 0 };
        sqlite_reader_begin_row(&reader, 1, marks->last_luid);
        read_filter(&reader, &filter);
        status = sqlite_reader_end_row(&reader);
        if (status == IPSEC_OK)
            status = sqlite_parts_take(&conditions, filter.id, read_condition, &filter);
        if (status == IPSEC_OK)
            status = loader->filter(loader->context, &filter);
        if (status == IPSEC_OK)
            status = sqlite_reader_next(&reader, &found);
    }
    if (status == IPSEC_OK)
        status = sqlite_parts_end(&conditions);
    sqlite_reader_close(&reader);
    sqlite_reader_close(&conditions);
    return status;
}

enum ipsec_status
sqlite_rows_load_provider_contexts(const struct sqlite_reader *base,
                                   const struct store_marks *marks,
                                   const struct store_loader *loader)
{
    struct sqlite_reader reader = *base;
    struct sqlite_reader proposals = *base;
    bool found = false;
    reader.table = "provider_context";
    proposals.table = "provider_context_proposal";
    enum ipsec_status status = sqlite_reader_open(
        &reader, "SELECT id, context_key, name, description, type, lifetime, is_tunnel,"
                 " provider_key, flags, provider_data, policy_flags,"
                 " nd_allow_clear_timeout_seconds, idle_timeout_seconds,"
                 " idle_timeout_fail_over_seconds, local_endpoint, remote_endpoint, policy,"
                 " created_at_ms, created_by, revision FROM provider_context ORDER BY id");

    if (status == IPSEC_OK)
        status =
            sqlite_parts_open(&proposals, "SELECT provider_context_id, position, lifetime_seconds,"
                                          " lifetime_kilobytes, lifetime_packets, pfs_group,"
                                          " transform1_type, transform1_auth, transform1_cipher,"
                                          " transform2_type, transform2_auth, transform2_cipher"
                                          " FROM provider_context_proposal"
                                          " ORDER BY provider_context_id, position");
    if (status == IPSEC_OK)
        status = sqlite_reader_next(&reader, &found);
    while (status == IPSEC_OK && found) {
        struct ipsec_provider_context provider_context = { 0 };
        sqlite_reader_begin_row(&reader, 1, marks->last_luid);
        read_provider_context(&reader, &provider_context);
        status = sqlite_reader_end_row(&reader);
        if (status == IPSEC_OK)
            status = sqlite_parts_take(&proposals, provider_context.id, read_proposal,
                                       &provider_context);
        if (status == IPSEC_OK)
            status = loader->provider_context(loader->context, &provider_context);
        if (status == IPSEC_OK)
            status = sqlite_reader_next(&reader, &found);
    }
    if (status == IPSEC_OK)
        status = sqlite_parts_end(&proposals);
    sqlite_reader_close(&reader);
    sqlite_reader_close(&proposals);
    return status;
}

static int
put_condition(struct sqlite3_stmt *statement, const struct ipsec_filter *filter, unsigned position)
{
    const struct ipsec_condition *condition = &filter->conditions[position];
    char value[SQLITE_CONDITION_SIZE];

    sqlite_condition_format(version_of(filter->layer), condition, value);
    sqlite_bind_integer(statement, 1, filter->id);
    sqlite_bind_integer(statement, 2, position);
    sqlite_bind_text(statement, 3, sqlite_name(&sqlite_field_names, condition->field));
    sqlite_bind_text(statement, 4, sqlite_name(&sqlite_match_names, condition->match));
    sqlite_bind_text(statement, 5, value);
    return sqlite_bind_run(statement);
}

static int
put_proposal(struct sqlite3_stmt *statement,
             const struct ipsec_provider_context *provider_context,
             unsigned position)
{
    const struct ipsec_proposal *proposal = &provider_context->proposals[position];

    sqlite_bind_integer(statement, 1, provider_context->id);
    sqlite_bind_integer(statement, 2, position);
    sqlite_bind_integer(statement, 3, proposal->lifetime.seconds);
    sqlite_bind_integer(statement, 4, proposal->lifetime.kilobytes);
    sqlite_bind_integer(statement, 5, proposal->lifetime.packets);
    sqlite_bind_text(statement, 6, sqlite_name(&sqlite_pfs_group_names, proposal->pfs_group));
    for (int i = 0; i < IPSEC_SA_MAX; i++)
        bind_transform(statement, 7 + 3 * i,
                       i < proposal->transform_count ? &proposal->transforms[i] : NULL);
    return sqlite_bind_run(statement);
}

/* Null: there is none. */
static void
bind_transform(struct sqlite3_stmt *statement,
               int index,
               const struct ipsec_sa_transform *transform)
{
    if (transform == NULL) {
        for (int i = 0; i < 3; i++)
            sqlite_bind_null(statement, index + i);
        return;
    }
    sqlite_bind_text(statement, index, sqlite_name(&sqlite_transform_type_names, transform->type));
    sqlite_bind_text(statement, index + 1,
                     sqlite_name(&sqlite_auth_transform_names, transform->auth));
    sqlite_bind_text(statement, index + 2,
                     sqlite_name(&sqlite_cipher_transform_names, transform->cipher));
}

/* Only tunnel policies have endpoints; the others have zeros. */
static void
bind_endpoint(struct sqlite3_stmt *statement,
              int index,
              const struct ipsec_provider_context *provider_context,
              const struct ipsec_address *endpoint,
              char text[SQLITE_ADDRESS_SIZE])
{
    static const struct ipsec_address zero;

    if (memcmp(&provider_context->local_endpoint, &zero, sizeof zero) == 0 &&
        memcmp(&provider_context->remote_endpoint, &zero, sizeof zero) == 0) {
        sqlite_bind_null(statement, index);
        return;
    }
    sqlite_address_format((enum ipsec_ip_version)provider_context->ip_version, endpoint, text);
    sqlite_bind_text(statement, index, text);
}

static void
read_filter(struct sqlite_reader *reader, struct ipsec_filter *filter)
{
    union borrowed_text name = { .read = sqlite_reader_text(reader, 2) };
    union borrowed_text description = { .read = sqlite_reader_optional_text(reader, 3) };

    filter->id = reader->number;
    filter->name = name.owned;
    filter->description = description.owned;
    filter->layer = (uint8_t)sqlite_reader_name(reader, 4, &sqlite_layer_names);
    filter->action = sqlite_reader_name(reader, 5, &sqlite_action_names);
    filter->callout = (uint8_t)sqlite_reader_name(reader, 6, &sqlite_callout_names);
    filter->weight_type = sqlite_reader_name(reader, 7, &sqlite_weight_type_names);
    filter->weight = sqlite_reader_unsigned(reader, 8);
    filter->effective_weight = sqlite_reader_unsigned(reader, 9);
    filter->created_at_ms = sqlite_reader_time(reader, 10);
    filter->created_by = (uint32_t)sqlite_reader_integer(reader, 11, 0, UINT32_MAX);
    filter->revision = sqlite_reader_integer(reader, 12, 0, INT64_MAX);
    filter->lifetime = (uint8_t)sqlite_reader_name(reader, 13, &sqlite_lifetime_names);
    filter->flags = (uint32_t)sqlite_reader_integer(reader, 14, 0, UINT32_MAX);
    filter->sub_layer = (uint8_t)sqlite_reader_name(reader, 15, &sqlite_sub_layer_names);
    sqlite_reader_optional_guid(reader, 16, &filter->provider_key);
    sqlite_reader_optional_guid(reader, 17, &filter->provider_context_key);
    filter->provider_context_id = sqlite_reader_integer(reader, 18, 0, IPSEC_LUID_MAX);
    filter->tunnel_id = sqlite_reader_integer(reader, 19, 0, IPSEC_LUID_MAX);
    filter->raw_context = sqlite_reader_unsigned(reader, 20);
    union borrowed_bytes provider_data = {
        .read = sqlite_reader_optional_blob(reader, 21, IPSEC_PROVIDER_DATA_MAX,
                                            &filter->provider_data_size),
    };
    filter->provider_data = provider_data.owned;
    if (!sqlite_guid_parse(sqlite_reader_text(reader, 1), &filter->key))
        sqlite_reader_mark_bad(reader, 1, "is no GUID");
}

static void
read_condition(struct sqlite_reader *reader, void *whole)
{
    struct ipsec_filter *filter = whole;
    struct ipsec_condition condition = {
        .field = (uint8_t)sqlite_reader_name(reader, 2, &sqlite_field_names),
        .match = (uint8_t)sqlite_reader_name(reader, 3, &sqlite_match_names),
    };

    (void)sqlite_reader_integer(reader, 1, filter->condition_count, filter->condition_count);
    if (!sqlite_condition_parse(version_of(filter->layer), sqlite_reader_text(reader, 4),
                                &condition))
        sqlite_reader_mark_bad(reader, 4, "does not suit the field");
    if (filter->condition_count == IPSEC_CONDITION_FIELD_COUNT) {
        sqlite_reader_mark_bad(reader, 1, "is one too many");
        return;
    }
    filter->conditions[filter->condition_count++] = condition;
}

static void
read_provider_context(struct sqlite_reader *reader, struct ipsec_provider_context *provider_context)
{
    union borrowed_text name = { .read = sqlite_reader_text(reader, 2) };
    union borrowed_text description = { .read = sqlite_reader_optional_text(reader, 3) };
    union borrowed_text policy = { .read = sqlite_reader_optional_text(reader, 16) };
    union borrowed_bytes provider_data = {
        .read = sqlite_reader_optional_blob(reader, 9, IPSEC_PROVIDER_DATA_MAX,
                                            &provider_context->provider_data_size),
    };

    provider_context->id = reader->number;
    provider_context->name = name.owned;
    provider_context->description = description.owned;
    provider_context->policy = policy.owned;
    provider_context->provider_data = provider_data.owned;
    provider_context->type =
        (uint8_t)sqlite_reader_name(reader, 4, &sqlite_provider_context_type_names);
    provider_context->lifetime = (uint8_t)sqlite_reader_name(reader, 5, &sqlite_lifetime_names);
    provider_context->is_tunnel = sqlite_reader_integer(reader, 6, 0, 1) != 0;
    sqlite_reader_optional_guid(reader, 7, &provider_context->provider_key);
    provider_context->flags = (uint32_t)sqlite_reader_integer(reader, 8, 0, UINT32_MAX);
    provider_context->policy_flags = (uint32_t)sqlite_reader_integer(reader, 10, 0, UINT32_MAX);
    provider_context->nd_allow_clear_timeout_seconds =
        (uint32_t)sqlite_reader_integer(reader, 11, 0, UINT32_MAX);
    provider_context->idle_timeout_seconds =
        (uint32_t)sqlite_reader_integer(reader, 12, 0, UINT32_MAX);
    provider_context->idle_timeout_fail_over_seconds =
        (uint32_t)sqlite_reader_integer(reader, 13, 0, UINT32_MAX);
    read_endpoints(reader, provider_context);
    provider_context->created_at_ms = sqlite_reader_time(reader, 17);
    provider_context->created_by = (uint32_t)sqlite_reader_integer(reader, 18, 0, UINT32_MAX);
    provider_context->revision = sqlite_reader_integer(reader, 19, 0, INT64_MAX);
    if (!sqlite_guid_parse(sqlite_reader_text(reader, 1), &provider_context->key))
        sqlite_reader_mark_bad(reader, 1, "is no GUID");
}

static void
read_endpoints(struct sqlite_reader *reader, struct ipsec_provider_context *provider_context)
{
    const char *local = sqlite_reader_optional_text(reader, 14);
    const char *remote = sqlite_reader_optional_text(reader, 15);
    uint8_t remote_version = 0;

    if (local == NULL && remote == NULL)
        return;
    if (local == NULL || !sqlite_address_parse(local, &provider_context->ip_version,
                                               &provider_context->local_endpoint))
        sqlite_reader_mark_bad(reader, 14, "is no address");
    if (remote == NULL ||
        !sqlite_address_parse(remote, &remote_version, &provider_context->remote_endpoint))
        sqlite_reader_mark_bad(reader, 15, "is no address");
    else if (remote_version != provider_context->ip_version)
        sqlite_reader_mark_bad(reader, 15, "is of another IP version than the local one");
}

static void
read_proposal(struct sqlite_reader *reader, void *whole)
{
    struct ipsec_provider_context *provider_context = whole;

    (void)sqlite_reader_integer(reader, 1, provider_context->proposal_count,
                                provider_context->proposal_count);
    if (provider_context->proposal_count == IPSEC_PROPOSALS_MAX) {
        sqlite_reader_mark_bad(reader, 1, "is one too many");
        return;
    }
    struct ipsec_proposal *proposal =
        &provider_context->proposals[provider_context->proposal_count++];
    proposal->lifetime = (struct ipsec_lifetime){
        .seconds = (uint32_t)sqlite_reader_integer(reader, 2, 0, UINT32_MAX),
        .kilobytes = (uint32_t)sqlite_reader_integer(reader, 3, 0, UINT32_MAX),
        .packets = (uint32_t)sqlite_reader_integer(reader, 4, 0, UINT32_MAX),
    };
    proposal->pfs_group = (uint8_t)sqlite_reader_name(reader, 5, &sqlite_pfs_group_names);
    proposal->transform_count = sqlite_reader_is_null(reader, 9) ? 1 : 2;
    for (int i = 0; i < proposal->transform_count; i++)
        read_transform(reader, 6 + 3 * i, &proposal->transforms[i]);
}

static void
read_transform(struct sqlite_reader *reader, int column, struct ipsec_sa_transform *transform)
{
    transform->type = (uint8_t)sqlite_reader_name(reader, column, &sqlite_transform_type_names);
    transform->auth = (uint8_t)sqlite_reader_name(reader, column + 1, &sqlite_auth_transform_names);
    transform->cipher =
        (uint8_t)sqlite_reader_name(reader, column + 2, &sqlite_cipher_transform_names);
}

/* Layers come in pairs, the one for IPv4 first. */
static enum ipsec_ip_version
version_of(uint8_t layer)
{
    return layer % 2 == 0 ? IPSEC_IP_VERSION_V4 : IPSEC_IP_VERSION_V6;
}
