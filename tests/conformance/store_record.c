/* SPDX-License-Identifier: Apache-2.0
 *
 * store_record.c: see store_record.h. */
#include "tests/conformance/store_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Parts of a context are made from its id, and live as long as the program: a test may hold many
 * contexts at once. */
enum { PARTS_EVERY = 20, PARTS_COUNT = 1000 };
struct parts {
    struct ipsec_sa_bundle bundles[2];
    uint8_t key_module_state[16];
    struct ipsec_id ids[2];
    struct ipsec_labels labels;
};

static struct parts *make_parts(uint64_t id);
static struct ipsec_sa make_sa(uint64_t id);
static struct ipsec_id *make_id(struct ipsec_id *id, uint64_t n);
static struct ipsec_address make_address(uint8_t version, uint64_t number);

struct ipsec_sa_context
store_record_context(uint64_t id)
{
    struct parts *parts =
        id % PARTS_EVERY == 1 && id / PARTS_EVERY < PARTS_COUNT ? make_parts(id) : NULL;
    uint8_t version = id % 3 == 0 ? IPSEC_IP_VERSION_V6 : IPSEC_IP_VERSION_V4;
    bool tunnel = id % 5 == 0;

    return (struct ipsec_sa_context){
        .id = id,
        .outbound_traffic = {
            .local_address = make_address(version, id),
            .remote_address = make_address(version, ~id),
            .ipsec_filter_id = tunnel ? 0 : id + 1,
            .tunnel_policy_id = tunnel ? id + 2 : 0,
            .local_port = (uint16_t)(tunnel ? 0 : id),
            .remote_port = (uint16_t)(tunnel ? 0 : ~id),
            .ip_protocol = (uint8_t)(tunnel ? 0 : id),
            .ip_version = version,
            .type = tunnel ? IPSEC_TRAFFIC_TYPE_TUNNEL : IPSEC_TRAFFIC_TYPE_TRANSPORT,
        },
        .inbound_filter_id = id % 2 == 0 ? 0 : id + 3,
        .created_at_ms = 1700000000000 + (int64_t)id,
        .revision = id * 7,
        .created_by = (uint32_t)(id % 9),
        .predecessor_id = id % 4 == 0 ? 0 : id / 2,
        .due_at_ms = id % 6 == 0 ? 0 : 1800000000000 + (int64_t)id,
        .inbound = parts == NULL ? NULL : &parts->bundles[0],
        .outbound = parts == NULL || id % 3 == 0 ? NULL : &parts->bundles[1],
        .labels = parts == NULL || parts->labels.count == 0 ? NULL : &parts->labels,
        .spi = (uint32_t)(id * 2654435761u),
        .state = (uint8_t)(id % IPSEC_SA_CONTEXT_STATE_COUNT),
    };
}

struct ipsec_filter
store_record_filter(uint64_t id)
{
    static char name[] = "n\xc3\xa4me 'quoted' \"and\" \\escaped\n";
    static char description[] = "what it is for";
    static const uint16_t actions[] = { IPSEC_ACTION_BLOCK, IPSEC_ACTION_PERMIT,
                                        IPSEC_ACTION_CALLOUT_TERMINATING,
                                        IPSEC_ACTION_CALLOUT_INSPECTION,
                                        IPSEC_ACTION_CALLOUT_UNKNOWN };
    static uint8_t provider_data[] = { 0, 1, 0xff, 0, 7 };
    uint8_t layer = (uint8_t)(id % IPSEC_LAYER_COUNT);
    bool v6 = layer % 2 == 1;
    struct ipsec_filter filter = {
        .id = id,
        .effective_weight = UINT64_MAX - id,
        .created_at_ms = -1 - (int64_t)id,
        .revision = id,
        .created_by = UINT32_MAX,
        .key = { { 0x00, 0x9f, 0xa0, 0xff, (uint8_t)id, (uint8_t)(id >> 8), 1, 2, 3, 4, 5, 6, 7, 8,
                   9, 10 } },
        .weight = id % 3 == IPSEC_WEIGHT_RANGE ? 15 : UINT64_MAX / 2 + id,
        .weight_type = (uint16_t)(id % 3),
        .action = actions[id % 5],
        .layer = layer,
        .callout = (uint8_t)(id % IPSEC_CALLOUT_COUNT),
        .condition_count = (uint8_t)(id % (IPSEC_CONDITION_FIELD_COUNT + 1)),
        .name = name,
        .description = id % 2 == 0 ? NULL : description,
        .lifetime = (uint8_t)(id % 2),
        .flags = (uint32_t)(id * 3),
        .sub_layer = (uint8_t)(id % IPSEC_SUB_LAYER_COUNT),
        .provider_key = { { (uint8_t)(id % 3), (uint8_t)(id % 3) } },
        .provider_context_key = { { [15] = (uint8_t)(id % 4) } },
        .provider_context_id = id % 4 == 0 ? 0 : id + 100,
        .tunnel_id = id % 5 == 0 ? 0 : id + 200,
        .raw_context = UINT64_MAX - id * 5,
        .provider_data = id % 7 == 0 ? NULL : provider_data,
        .provider_data_size = id % 7 == 0 ? 0 : sizeof provider_data,
    };

    for (uint8_t i = 0; i < filter.condition_count; i++) {
        struct ipsec_condition *condition = &filter.conditions[i];
        condition->field = i;
        condition->match = (uint8_t)((id + i) % IPSEC_MATCH_COUNT);
        bool is_range = condition->match == IPSEC_MATCH_RANGE;
        if (i == IPSEC_CONDITION_IP_LOCAL_ADDRESS || i == IPSEC_CONDITION_IP_REMOTE_ADDRESS) {
            condition->prefix_length = (uint8_t)(v6 ? 60 + i : 20 + i * 12);
            condition->address.bytes[0] = 0x20;
            condition->address.bytes[1] = 0x01;
            if (is_range)
                condition->address_high = condition->address;
            condition->address_high.bytes[3] = is_range ? 0x99 : 0;
        } else {
            bool is_wide = i == IPSEC_CONDITION_IP_LOCAL_INTERFACE;
            bool is_port =
                i == IPSEC_CONDITION_IP_LOCAL_PORT || i == IPSEC_CONDITION_IP_REMOTE_PORT;
            condition->number = is_wide                      ? UINT64_MAX - id
                                : i == IPSEC_CONDITION_FLAGS ? UINT32_MAX
                                : is_port                    ? 65535
                                                             : 255;
            condition->number_high = is_range ? condition->number : 0;
        }
    }
    return filter;
}

struct ipsec_provider_context
store_record_provider_context(uint64_t id)
{
    static char name[] = "policy 'of' a \"site\"";
    static char description[] = "what it is for";
    static char policy[] = "{\"keyModules\":[\"ike\"]}";
    static uint8_t provider_data[] = { 9, 0, 9 };
    bool v6 = id % 3 == 0;
    bool has_endpoints = id % 2 == 0;
    struct ipsec_provider_context context = {
        .id = id,
        .created_at_ms = -7 - (int64_t)id,
        .revision = id * 11,
        .created_by = (uint32_t)(id % 5),
        .lifetime = (uint8_t)(id % 2),
        .is_tunnel = id % 3 == 1,
        .key = { { 1, 2, 3, (uint8_t)id, (uint8_t)(id >> 8) } },
        .provider_key = { { (uint8_t)(id % 2) } },
        .flags = (uint32_t)id,
        .type = (uint8_t)(id % IPSEC_CONTEXT_TYPE_COUNT),
        .name = name,
        .description = id % 2 == 0 ? NULL : description,
        .provider_data = id % 5 == 0 ? NULL : provider_data,
        .provider_data_size = id % 5 == 0 ? 0 : sizeof provider_data,
        .policy_flags = (uint32_t)(id * 17),
        .nd_allow_clear_timeout_seconds = (uint32_t)id + 1,
        .idle_timeout_seconds = (uint32_t)id + 2,
        .idle_timeout_fail_over_seconds = (uint32_t)id + 3,
        .proposal_count = (uint8_t)(id % (IPSEC_PROPOSALS_MAX + 1)),
        .policy = has_endpoints ? NULL : policy,
    };

    if (has_endpoints) {
        context.ip_version = v6 ? IPSEC_IP_VERSION_V6 : IPSEC_IP_VERSION_V4;
        context.local_endpoint = make_address(context.ip_version, id);
        context.remote_endpoint = make_address(context.ip_version, ~id);
    }
    for (uint8_t i = 0; i < context.proposal_count; i++) {
        struct ipsec_proposal *proposal = &context.proposals[i];

        proposal->lifetime = (struct ipsec_lifetime){ UINT32_MAX - i, i, i * 2u };
        proposal->pfs_group = (uint8_t)(i % IPSEC_PFS_COUNT);
        proposal->transform_count = (uint8_t)(1 + i % 2);
        for (uint8_t j = 0; j < proposal->transform_count; j++)
            proposal->transforms[j] = make_sa(id + i + j).transform;
    }
    return context;
}

struct ipsec_session_record
store_record_session(uint64_t number)
{
    struct ipsec_session_record session = {
        .key = { { 5, 5, (uint8_t)number, (uint8_t)(number >> 8) } },
        .opened_at_ms = 1700000000000 - (int64_t)number,
        .number = number,
        .opened_by = UINT32_MAX - (uint32_t)number,
        .flags = (uint32_t)(number % 2),
        .txn_wait_timeout_ms = (uint32_t)number * 3,
    };

    (void)snprintf(session.name, sizeof session.name, "s%" PRIu64, number);
    return session;
}

struct store_change
store_record_put_principal(uint32_t id, const char *name)
{
    return (struct store_change){ .kind = STORE_PUT_PRINCIPAL,
                                  .principal = { .id = id, .name = name } };
}

struct store_change
store_record_put_filter(const struct ipsec_filter *filter)
{
    return (struct store_change){ .kind = STORE_PUT_FILTER, .filter = filter };
}

struct store_change
store_record_put_context(const struct ipsec_sa_context *sa_context)
{
    return (struct store_change){ .kind = STORE_PUT_SA_CONTEXT, .sa_context = sa_context };
}

struct store_change
store_record_put_replay(uint64_t number, const char *answer)
{
    /* Borrowed until the commit: no commit of a test has more of them. */
    static struct store_replay replays[256];
    static size_t next;
    struct store_replay *replay = &replays[next++ % (sizeof replays / sizeof *replays)];

    *replay = (struct store_replay){ .number = number,
                                     .created_at_ms = 1700000000000 + (int64_t)number,
                                     .answer = answer,
                                     .answer_size = strlen(answer) };
    for (size_t i = 0; i < sizeof replay->key_digest; i++) {
        replay->key_digest[i] = (uint8_t)(number + i);
        replay->request_digest[i] = (uint8_t)(number - i);
    }
    return (struct store_change){ .kind = STORE_PUT_REPLAY, .id = number, .replay = replay };
}

struct store_change
store_record_delete(enum store_change_kind kind, uint64_t id)
{
    return (struct store_change){ .kind = kind, .id = id };
}

static struct parts *
make_parts(uint64_t id)
{
    static struct parts pool[PARTS_COUNT];
    static char names[IPSEC_LABELS_MAX][12];
    static char value[] = "v\xc3\xa4lue";
    struct parts *parts = &pool[id / PARTS_EVERY];

    memset(parts, 0, sizeof *parts);
    memset(parts->key_module_state, (int)(id % 251) + 1, sizeof parts->key_module_state);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t n = id + i;

        parts->bundles[i] = (struct ipsec_sa_bundle){
            .flags = (uint32_t)(n * 3),
            .lifetime = { (uint32_t)n, UINT32_MAX - (uint32_t)n, (uint32_t)n * 2 },
            .idle_timeout_seconds = (uint32_t)n + 4,
            .nd_allow_clear_timeout_seconds = (uint32_t)n + 5,
            .nap_context = (uint32_t)n + 6,
            .qm_sa_id = (uint32_t)n + 7,
            .mm_sa_id = UINT64_MAX - n,
            .qm_filter_id = UINT64_MAX / 2 + n,
            .sa_lookup_context = { { (uint8_t)(n % 2) } },
            .udp_encapsulation = { (uint16_t)n, (uint16_t)(n + 1) },
            .pfs_group = (uint8_t)(n % IPSEC_PFS_COUNT),
            .sa_count = (uint8_t)(1 + n % 2),
            .sas = { make_sa(n), n % 2 == 0 ? (struct ipsec_sa){ 0 } : make_sa(n + 9) },
            .key_module_key = { { [15] = (uint8_t)(n % 3) } },
            .key_module_state = n % 2 == 0 ? NULL : parts->key_module_state,
            .key_module_state_size = (uint16_t)(n % 2 == 0 ? 0 : sizeof parts->key_module_state),
            .added_at_ms = 1700000000000 + (int64_t)n,
            .expires_at_ms = n % 3 == 0 ? 0 : 1900000000000 + (int64_t)n,
        };
        if (n % 2 == 0)
            parts->bundles[i].peer_v4_private_address = make_address(IPSEC_IP_VERSION_V4, n);
        if (n % 3 != 0)
            parts->bundles[i].ipsec_id = make_id(&parts->ids[i], n);
    }
    parts->labels.count = (uint32_t)(id / PARTS_EVERY % (IPSEC_LABELS_MAX + 1));
    for (uint32_t i = 0; i < parts->labels.count; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%02u", i);
        parts->labels.pairs[i] = (struct ipsec_label){ .name = names[i], .value = value };
    }
    return parts;
}

/* As short and as long as can be. */
static struct ipsec_id *
make_id(struct ipsec_id *id, uint64_t n)
{
    *id = (struct ipsec_id){ .explicit_credentials = UINT64_MAX - n,
                             .token_count = (uint8_t)(n % (IPSEC_TOKENS_MAX + 1)) };
    memset(id->mm_target_name, 'm', n % (IPSEC_TARGET_NAME_MAX + 1));
    memcpy(id->em_target_name, "v\xc3\xa4lue", n % 2 == 0 ? 0 : 7);
    for (uint8_t i = 0; i < id->token_count; i++)
        id->tokens[i] = (struct ipsec_token){ .token = UINT64_MAX / (n + i),
                                              .type = (uint8_t)((n + i) % 2),
                                              .principal = (uint8_t)((n + i) / 2 % 2),
                                              .mode = (uint8_t)((n + i) / 4 % 2) };
    return id;
}

static struct ipsec_sa
make_sa(uint64_t id)
{
    return (struct ipsec_sa){
        .spi = (uint32_t)(id * 40503u),
        .transform = { .type = (uint8_t)(1 + id % 5),
                       .auth = (uint8_t)(id % IPSEC_AUTH_TRANSFORM_COUNT),
                       .cipher = (uint8_t)(id % IPSEC_CIPHER_TRANSFORM_COUNT) },
        .auth_key_length = (uint8_t)id,
        .cipher_key_length = (uint8_t)(id + 3),
    };
}

static struct ipsec_address
make_address(uint8_t version, uint64_t number)
{
    struct ipsec_address address = { { 0 } };

    if (version == IPSEC_IP_VERSION_V6) {
        address.bytes[0] = 0x20;
        address.bytes[1] = 0x01;
    }
    for (int i = 0; i < 4; i++)
        address.bytes[(version == IPSEC_IP_VERSION_V6 ? 12 : 0) + i] = (uint8_t)(number >> 8 * i);
    return address;
}
