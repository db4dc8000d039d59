/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_rows_sa.c: SA contexts with their bundles and labels; see sqlite_rows.h. */
#include <string.h>

#include <sqlite3.h>

#include "engine/store/sqlite_bind.h"
#include "engine/store/sqlite_rows.h"
#include "engine/store/sqlite_text.h"
#include "engine/store/sqlite_token.h"

struct label_texts {
    char name[IPSEC_LABEL_NAME_MAX + 1];
    char value[IPSEC_LABEL_VALUE_MAX + 1];
};

/* An SA context while it is read: its parts are here, for what SQLite lends is gone with the next
 * row of their table. */
struct whole {
    struct ipsec_sa_context sa_context;
    struct ipsec_sa_bundle bundles[2]; /* by direction */
    uint8_t key_module_states[2][IPSEC_KEY_MODULE_STATE_MAX];
    struct ipsec_id ids[2];
    struct ipsec_labels labels;
    struct label_texts texts[IPSEC_LABELS_MAX];
};

enum { BUNDLE_SA_COLUMNS = 6 };

/* Where an ipsecId is spelt until its row is written. */
struct id_texts {
    char explicit_credentials[SQLITE_WEIGHT_SIZE];
    char tokens[SQLITE_TOKENS_SIZE];
};

static int run_context(struct sqlite3_stmt *statement, const struct ipsec_sa_context *sa_context);
static int put_bundle(struct sqlite3_stmt *statement,
                      uint64_t context_id,
                      enum ipsec_direction direction,
                      const struct ipsec_sa_bundle *bundle);
static void bind_id(struct sqlite3_stmt *statement,
                    int index,
                    const struct ipsec_id *id,
                    struct id_texts *texts);
static void bind_sa(struct sqlite3_stmt *statement, int index, const struct ipsec_sa *sa);
static int
put_labels(struct sqlite3_stmt *statement, uint64_t context_id, const struct ipsec_labels *labels);
static void read_sa_context(struct sqlite_reader *reader, struct ipsec_sa_context *sa_context);
static void read_bundle(struct sqlite_reader *reader, void *whole);
static void read_sa(struct sqlite_reader *reader, int column, struct ipsec_sa *sa);
static void read_id(struct sqlite_reader *reader, int column, struct ipsec_id *id);
static void read_label(struct sqlite_reader *reader, void *whole);

int
sqlite_rows_put_sa_context(const struct sqlite_sa_statements *statements,
                           const struct ipsec_sa_context *sa_context)
{
    int result = run_context(statements->put, sa_context);

    if (sa_context->inbound != NULL && result == SQLITE_OK)
        result = put_bundle(statements->put_bundle, sa_context->id, IPSEC_DIRECTION_INBOUND,
                            sa_context->inbound);
    if (sa_context->outbound != NULL && result == SQLITE_OK)
        result = put_bundle(statements->put_bundle, sa_context->id, IPSEC_DIRECTION_OUTBOUND,
                            sa_context->outbound);
    if (sa_context->labels != NULL && result == SQLITE_OK)
        result = put_labels(statements->put_label, sa_context->id, sa_context->labels);
    return result;
}

int
sqlite_rows_set_sa_context(const struct sqlite_sa_statements *statements,
                           const struct ipsec_sa_context *sa_context)
{
    const struct {
        enum ipsec_direction direction;
        const struct ipsec_sa_bundle *bundle;
    } bundles[] = {
        { IPSEC_DIRECTION_INBOUND, sa_context->inbound },
        { IPSEC_DIRECTION_OUTBOUND, sa_context->outbound },
    };
    int result = run_context(statements->set, sa_context);

    for (size_t i = 0; i < 2 && result == SQLITE_OK; i++) {
        if (bundles[i].bundle != NULL) {
            result = put_bundle(statements->put_bundle, sa_context->id, bundles[i].direction,
                                bundles[i].bundle);
            continue;
        }
        sqlite_bind_integer(statements->delete_bundle, 1, sa_context->id);
        sqlite_bind_text(statements->delete_bundle, 2,
                         sqlite_name(&sqlite_direction_names, (uint16_t)bundles[i].direction));
        result = sqlite_bind_run(statements->delete_bundle);
    }
    if (result == SQLITE_OK)
        result = sqlite_rows_delete(statements->delete_labels, sa_context->id);
    if (sa_context->labels != NULL && result == SQLITE_OK)
        result = put_labels(statements->put_label, sa_context->id, sa_context->labels);
    return result;
}

int
sqlite_rows_delete_sa_context(const struct sqlite_sa_statements *statements, uint64_t id)
{
    int result = sqlite_rows_delete(statements->remove, id);

    if (result == SQLITE_OK)
        result = sqlite_rows_delete(statements->delete_bundles, id);
    if (result == SQLITE_OK)
        result = sqlite_rows_delete(statements->delete_labels, id);
    return result;
}

enum ipsec_status
sqlite_rows_load_sa_contexts(const struct sqlite_reader *base,
                             const struct store_marks *marks,
                             const struct store_loader *loader)
{
    struct sqlite_reader reader = *base;
    struct sqlite_reader bundles = *base;
    struct sqlite_reader labels = *base;
    bool found = false;
    reader.table = "sa_context";
    bundles.table = "sa_bundle";
    labels.table = "sa_context_label";
    enum ipsec_status status = sqlite_reader_open(
        &reader, "SELECT id, state, traffic_type, local_address, remote_address, local_port,"
                 " remote_port, ip_protocol, ipsec_filter_id, tunnel_policy_id, inbound_filter_id,"
                 " spi, created_at_ms, created_by, revision, predecessor_id, due_at_ms"
                 " FROM sa_context ORDER BY id");

    if (status == IPSEC_OK)
        status = sqlite_parts_open(
            &bundles,
            "SELECT context_id, direction, flags, lifetime_seconds, lifetime_kilobytes,"
            " lifetime_packets, idle_timeout_seconds, nd_allow_clear_timeout_seconds,"
            " nap_context, qm_sa_id, mm_sa_id, qm_filter_id, sa_lookup_context,"
            " peer_v4_private_address, udp_local_port, udp_remote_port, pfs_group,"
            " key_module_key, key_module_state, added_at_ms, expires_at_ms, sa1_spi, sa1_type,"
            " sa1_auth, sa1_cipher, sa1_auth_key_length, sa1_cipher_key_length, sa2_spi,"
            " sa2_type, sa2_auth, sa2_cipher, sa2_auth_key_length, sa2_cipher_key_length,"
            " mm_target_name, em_target_name, explicit_credentials, tokens"
            " FROM sa_bundle ORDER BY context_id, direction");
    if (status == IPSEC_OK)
        status = sqlite_parts_open(&labels, "SELECT context_id, name, value FROM sa_context_label"
                                            " ORDER BY context_id, name");
    if (status == IPSEC_OK)
        status = sqlite_reader_next(&reader, &found);
    while (status == IPSEC_OK && found) {
        struct whole whole;
        memset(&whole.sa_context, 0, sizeof whole.sa_context);
        whole.labels.count = 0;
        sqlite_reader_begin_row(&reader, 1, marks->last_luid);
        read_sa_context(&reader, &whole.sa_context);
        status = sqlite_reader_end_row(&reader);
        if (status == IPSEC_OK)
            status = sqlite_parts_take(&bundles, reader.number, read_bundle, &whole);
        if (status == IPSEC_OK)
            status = sqlite_parts_take(&labels, reader.number, read_label, &whole);
        if (status == IPSEC_OK)
            status = loader->sa_context(loader->context, &whole.sa_context);
        if (status == IPSEC_OK)
            status = sqlite_reader_next(&reader, &found);
    }
    if (status == IPSEC_OK)
        status = sqlite_parts_end(&bundles);
    if (status == IPSEC_OK)
        status = sqlite_parts_end(&labels);
    sqlite_reader_close(&reader);
    sqlite_reader_close(&bundles);
    sqlite_reader_close(&labels);
    return status;
}

static int
run_context(struct sqlite3_stmt *statement, const struct ipsec_sa_context *sa_context)
{
    const struct ipsec_traffic *traffic = &sa_context->outbound_traffic;
    enum ipsec_ip_version version = (enum ipsec_ip_version)traffic->ip_version;
    char local_address[SQLITE_ADDRESS_SIZE];
    char remote_address[SQLITE_ADDRESS_SIZE];

    sqlite_address_format(version, &traffic->local_address, local_address);
    sqlite_address_format(version, &traffic->remote_address, remote_address);
    sqlite_bind_integer(statement, 1, sa_context->id);
    sqlite_bind_text(statement, 2, sqlite_name(&sqlite_state_names, sa_context->state));
    sqlite_bind_text(statement, 3, sqlite_name(&sqlite_traffic_type_names, traffic->type));
    sqlite_bind_text(statement, 4, local_address);
    sqlite_bind_text(statement, 5, remote_address);
    sqlite_bind_integer(statement, 6, traffic->local_port);
    sqlite_bind_integer(statement, 7, traffic->remote_port);
    sqlite_bind_integer(statement, 8, traffic->ip_protocol);
    sqlite_bind_integer(statement, 9, traffic->ipsec_filter_id);
    sqlite_bind_integer(statement, 10, traffic->tunnel_policy_id);
    sqlite_bind_integer(statement, 11, sa_context->inbound_filter_id);
    sqlite_bind_integer(statement, 12, sa_context->spi);
    sqlite_bind_integer(statement, 13, (uint64_t)sa_context->created_at_ms);
    sqlite_bind_integer(statement, 14, sa_context->created_by);
    sqlite_bind_integer(statement, 15, sa_context->revision);
    sqlite_bind_integer(statement, 16, sa_context->predecessor_id);
    sqlite_bind_integer(statement, 17, (uint64_t)sa_context->due_at_ms);
    return sqlite_bind_run(statement);
}

static int
put_bundle(struct sqlite3_stmt *statement,
           uint64_t context_id,
           enum ipsec_direction direction,
           const struct ipsec_sa_bundle *bundle)
{
    static const struct ipsec_address no_address;
    char mm_sa_id[SQLITE_WEIGHT_SIZE];
    char qm_filter_id[SQLITE_WEIGHT_SIZE];
    char sa_lookup_context[SQLITE_GUID_SIZE];
    char private_address[SQLITE_ADDRESS_SIZE];
    char key_module_key[SQLITE_GUID_SIZE];
    struct id_texts id_texts;

    sqlite_weight_format(bundle->mm_sa_id, mm_sa_id);
    sqlite_weight_format(bundle->qm_filter_id, qm_filter_id);
    sqlite_address_format(IPSEC_IP_VERSION_V4, &bundle->peer_v4_private_address, private_address);
    sqlite_bind_integer(statement, 1, context_id);
    sqlite_bind_text(statement, 2, sqlite_name(&sqlite_direction_names, (uint16_t)direction));
    sqlite_bind_integer(statement, 3, bundle->flags);
    sqlite_bind_integer(statement, 4, bundle->lifetime.seconds);
    sqlite_bind_integer(statement, 5, bundle->lifetime.kilobytes);
    sqlite_bind_integer(statement, 6, bundle->lifetime.packets);
    sqlite_bind_integer(statement, 7, bundle->idle_timeout_seconds);
    sqlite_bind_integer(statement, 8, bundle->nd_allow_clear_timeout_seconds);
    sqlite_bind_integer(statement, 9, bundle->nap_context);
    sqlite_bind_integer(statement, 10, bundle->qm_sa_id);
    sqlite_bind_text(statement, 11, mm_sa_id);
    sqlite_bind_text(statement, 12, qm_filter_id);
    sqlite_bind_guid(statement, 13, &bundle->sa_lookup_context, sa_lookup_context);
    if (memcmp(&bundle->peer_v4_private_address, &no_address, sizeof no_address) != 0)
        sqlite_bind_text(statement, 14, private_address);
    else
        sqlite_bind_null(statement, 14);
    sqlite_bind_integer(statement, 15, bundle->udp_encapsulation.local_port);
    sqlite_bind_integer(statement, 16, bundle->udp_encapsulation.remote_port);
    sqlite_bind_text(statement, 17, sqlite_name(&sqlite_pfs_group_names, bundle->pfs_group));
    sqlite_bind_guid(statement, 18, &bundle->key_module_key, key_module_key);
    if (bundle->key_module_state_size > 0)
        sqlite_bind_blob(statement, 19, bundle->key_module_state, bundle->key_module_state_size);
    else
        sqlite_bind_null(statement, 19);
    sqlite_bind_integer(statement, 20, (uint64_t)bundle->added_at_ms);
    sqlite_bind_integer(statement, 21, (uint64_t)bundle->expires_at_ms);
    for (int i = 0; i < IPSEC_SA_MAX; i++)
        bind_sa(statement, 22 + BUNDLE_SA_COLUMNS * i,
                i < bundle->sa_count ? &bundle->sas[i] : NULL);
    bind_id(statement, 22 + BUNDLE_SA_COLUMNS * IPSEC_SA_MAX, bundle->ipsec_id, &id_texts);
    return sqlite_bind_run(statement);
}

/* Null: there is none. */
static void
bind_id(struct sqlite3_stmt *statement,
        int index,
        const struct ipsec_id *id,
        struct id_texts *texts)
{
    if (id == NULL) {
        for (int i = 0; i < 4; i++)
            sqlite_bind_null(statement, index + i);
        return;
    }
    sqlite_weight_format(id->explicit_credentials, texts->explicit_credentials);
    sqlite_tokens_format(id, texts->tokens);
    sqlite_bind_text(statement, index, id->mm_target_name);
    sqlite_bind_text(statement, index + 1, id->em_target_name);
    sqlite_bind_text(statement, index + 2, texts->explicit_credentials);
    sqlite_bind_text(statement, index + 3, texts->tokens);
}

/* Null: there is none. */
static void
bind_sa(struct sqlite3_stmt *statement, int index, const struct ipsec_sa *sa)
{
    if (sa == NULL) {
        for (int i = 0; i < BUNDLE_SA_COLUMNS; i++)
            sqlite_bind_null(statement, index + i);
        return;
    }
    const struct ipsec_sa_transform *transform = &sa->transform;
    sqlite_bind_integer(statement, index, sa->spi);
    sqlite_bind_text(statement, index + 1,
                     sqlite_name(&sqlite_transform_type_names, transform->type));
    sqlite_bind_text(statement, index + 2,
                     sqlite_name(&sqlite_auth_transform_names, transform->auth));
    sqlite_bind_text(statement, index + 3,
                     sqlite_name(&sqlite_cipher_transform_names, transform->cipher));
    sqlite_bind_integer(statement, index + 4, sa->auth_key_length);
    sqlite_bind_integer(statement, index + 5, sa->cipher_key_length);
}

static int
put_labels(struct sqlite3_stmt *statement, uint64_t context_id, const struct ipsec_labels *labels)
{
    int result = SQLITE_OK;

    for (uint32_t i = 0; i < labels->count && result == SQLITE_OK; i++) {
        sqlite_bind_integer(statement, 1, context_id);
        sqlite_bind_text(statement, 2, labels->pairs[i].name);
        sqlite_bind_text(statement, 3, labels->pairs[i].value);
        result = sqlite_bind_run(statement);
    }
    return result;
}

static void
read_sa_context(struct sqlite_reader *reader, struct ipsec_sa_context *sa_context)
{
    struct ipsec_traffic *traffic = &sa_context->outbound_traffic;
    uint8_t remote_version = 0;

    sa_context->id = reader->number;
    sa_context->state = (uint8_t)sqlite_reader_name(reader, 1, &sqlite_state_names);
    traffic->type = (uint8_t)sqlite_reader_name(reader, 2, &sqlite_traffic_type_names);
    if (!sqlite_address_parse(sqlite_reader_text(reader, 3), &traffic->ip_version,
                              &traffic->local_address))
        sqlite_reader_mark_bad(reader, 3, "is no address");
    if (!sqlite_address_parse(sqlite_reader_text(reader, 4), &remote_version,
                              &traffic->remote_address))
        sqlite_reader_mark_bad(reader, 4, "is no address");
    else if (remote_version != traffic->ip_version)
        sqlite_reader_mark_bad(reader, 4, "is of another IP version than the local one");
    traffic->local_port = (uint16_t)sqlite_reader_integer(reader, 5, 0, UINT16_MAX);
    traffic->remote_port = (uint16_t)sqlite_reader_integer(reader, 6, 0, UINT16_MAX);
    traffic->ip_protocol = (uint8_t)sqlite_reader_integer(reader, 7, 0, UINT8_MAX);
    traffic->ipsec_filter_id = sqlite_reader_integer(reader, 8, 0, IPSEC_LUID_MAX);
    traffic->tunnel_policy_id = sqlite_reader_integer(reader, 9, 0, IPSEC_LUID_MAX);
    sa_context->inbound_filter_id = sqlite_reader_integer(reader, 10, 0, IPSEC_LUID_MAX);
    sa_context->spi = (uint32_t)sqlite_reader_integer(reader, 11, 0, UINT32_MAX);
    sa_context->created_at_ms = sqlite_reader_time(reader, 12);
    sa_context->created_by = (uint32_t)sqlite_reader_integer(reader, 13, 0, UINT32_MAX);
    sa_context->revision = sqlite_reader_integer(reader, 14, 0, INT64_MAX);
    sa_context->predecessor_id = sqlite_reader_integer(reader, 15, 0, IPSEC_LUID_MAX);
    sa_context->due_at_ms = sqlite_reader_time(reader, 16);
}

static void
read_bundle(struct sqlite_reader *reader, void *context)
{
    struct whole *whole = context;
    uint16_t direction = sqlite_reader_name(reader, 1, &sqlite_direction_names);
    struct ipsec_sa_bundle *bundle = &whole->bundles[direction];
    const struct ipsec_sa_bundle **place = direction == IPSEC_DIRECTION_INBOUND
                                               ? &whole->sa_context.inbound
                                               : &whole->sa_context.outbound;
    const char *private_address = sqlite_reader_optional_text(reader, 13);
    uint8_t version = IPSEC_IP_VERSION_V4;

    *bundle = (struct ipsec_sa_bundle){
        .flags = (uint32_t)sqlite_reader_integer(reader, 2, 0, UINT32_MAX),
        .lifetime = { .seconds = (uint32_t)sqlite_reader_integer(reader, 3, 0, UINT32_MAX),
                      .kilobytes = (uint32_t)sqlite_reader_integer(reader, 4, 0, UINT32_MAX),
                      .packets = (uint32_t)sqlite_reader_integer(reader, 5, 0, UINT32_MAX) },
        .idle_timeout_seconds = (uint32_t)sqlite_reader_integer(reader, 6, 0, UINT32_MAX),
        .nd_allow_clear_timeout_seconds =
            (uint32_t)sqlite_reader_integer(reader, 7, 0, UINT32_MAX),
        .nap_context = (uint32_t)sqlite_reader_integer(reader, 8, 0, UINT32_MAX),
        .qm_sa_id = (uint32_t)sqlite_reader_integer(reader, 9, 0, UINT32_MAX),
        .mm_sa_id = sqlite_reader_unsigned(reader, 10),
        .qm_filter_id = sqlite_reader_unsigned(reader, 11),
        .udp_encapsulation = {
            .local_port = (uint16_t)sqlite_reader_integer(reader, 14, 0, UINT16_MAX),
            .remote_port = (uint16_t)sqlite_reader_integer(reader, 15, 0, UINT16_MAX),
        },
        .pfs_group = (uint8_t)sqlite_reader_name(reader, 16, &sqlite_pfs_group_names),
        .added_at_ms = sqlite_reader_time(reader, 19),
        .expires_at_ms = sqlite_reader_time(reader, 20),
        .sa_count = sqlite_reader_is_null(reader, 27) ? 1 : 2,
    };
    sqlite_reader_optional_guid(reader, 12, &bundle->sa_lookup_context);
    if (private_address != NULL &&
        (!sqlite_address_parse(private_address, &version, &bundle->peer_v4_private_address) ||
         version != IPSEC_IP_VERSION_V4))
        sqlite_reader_mark_bad(reader, 13, "is no IPv4 address");
    sqlite_reader_optional_guid(reader, 17, &bundle->key_module_key);
    uint16_t size = 0;
    const uint8_t *state =
        sqlite_reader_optional_blob(reader, 18, IPSEC_KEY_MODULE_STATE_MAX, &size);
    if (state != NULL)
        memcpy(whole->key_module_states[direction], state, size);
    bundle->key_module_state = state == NULL ? NULL : whole->key_module_states[direction];
    bundle->key_module_state_size = size;
    for (int i = 0; i < bundle->sa_count; i++)
        read_sa(reader, 21 + BUNDLE_SA_COLUMNS * i, &bundle->sas[i]);
    const int id_column = 21 + BUNDLE_SA_COLUMNS * IPSEC_SA_MAX;
    if (!sqlite_reader_is_null(reader, id_column)) {
        bundle->ipsec_id = &whole->ids[direction];
        read_id(reader, id_column, bundle->ipsec_id);
    }
    if (*place != NULL)
        sqlite_reader_mark_bad(reader, 1, "is there twice");
    *place = bundle;
}

static void
read_id(struct sqlite_reader *reader, int column, struct ipsec_id *id)
{
    char *const names[] = { id->mm_target_name, id->em_target_name };

    *id = (struct ipsec_id){ .explicit_credentials = sqlite_reader_unsigned(reader, column + 2) };
    for (int i = 0; i < 2; i++) {
        const char *name = sqlite_reader_text(reader, column + i);

        if (strlen(name) > IPSEC_TARGET_NAME_MAX)
            sqlite_reader_mark_bad(reader, column + i, "is too long");
        else
            memcpy(names[i], name, strlen(name) + 1);
    }
    if (!sqlite_tokens_parse(sqlite_reader_text(reader, column + 3), id))
        sqlite_reader_mark_bad(reader, column + 3, "are no tokens");
}

static void
read_sa(struct sqlite_reader *reader, int column, struct ipsec_sa *sa)
{
    sa->spi = (uint32_t)sqlite_reader_integer(reader, column, 0, UINT32_MAX);
    sa->transform.type =
        (uint8_t)sqlite_reader_name(reader, column + 1, &sqlite_transform_type_names);
    sa->transform.auth =
        (uint8_t)sqlite_reader_name(reader, column + 2, &sqlite_auth_transform_names);
    sa->transform.cipher =
        (uint8_t)sqlite_reader_name(reader, column + 3, &sqlite_cipher_transform_names);
    sa->auth_key_length = (uint8_t)sqlite_reader_integer(reader, column + 4, 0, UINT8_MAX);
    sa->cipher_key_length = (uint8_t)sqlite_reader_integer(reader, column + 5, 0, UINT8_MAX);
}

/* The row's texts are gone with the next row, so they are kept until the loader has the whole. */
static void
read_label(struct sqlite_reader *reader, void *context)
{
    struct whole *whole = context;
    struct ipsec_labels *labels = &whole->labels;
    const char *name = sqlite_reader_text(reader, 1);
    const char *value = sqlite_reader_text(reader, 2);

    if (labels->count == IPSEC_LABELS_MAX || strlen(name) > IPSEC_LABEL_NAME_MAX ||
        strlen(value) > IPSEC_LABEL_VALUE_MAX) {
        sqlite_reader_mark_bad(reader, 1, "is one too many or too long");
        return;
    }
    struct label_texts *texts = &whole->texts[labels->count];
    memcpy(texts->name, name, strlen(name) + 1);
    memcpy(texts->value, value, strlen(value) + 1);
    labels->pairs[labels->count++] =
        (struct ipsec_label){ .name = texts->name, .value = texts->value };
    whole->sa_context.labels = labels;
}
