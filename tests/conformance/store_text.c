/* SPDX-License-Identifier: Apache-2.0
 *
 * store_text.c: see store_text.h. */
#include "tests/conformance/store_text.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Rendering reads answers only after the load: a store takes one call at a time. */
struct rendering {
    struct buffer *text;
    uint64_t *replays;
    size_t replay_count;
};

static enum ipsec_status render_principal(void *context, const struct store_principal *principal);
static enum ipsec_status render_filter(void *context, const struct ipsec_filter *filter);
static enum ipsec_status render_context(void *context, const struct ipsec_sa_context *sa_context);
static enum ipsec_status render_replay(void *context, const struct store_replay *replay);
static enum ipsec_status drop_principal(void *context, const struct store_principal *principal);
static enum ipsec_status drop_filter(void *context, const struct ipsec_filter *filter);
static enum ipsec_status drop_context(void *context, const struct ipsec_sa_context *sa_context);
static enum ipsec_status drop_replay(void *context, const struct store_replay *replay);
static void append_bytes(struct buffer *text, const void *bytes, size_t size);
static struct ipsec_address make_address(uint8_t version, uint64_t number);

struct ipsec_sa_context
store_text_context(uint64_t id)
{
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
        .spi = (uint32_t)(id * 2654435761u),
        .state = (uint8_t)(id % IPSEC_SA_CONTEXT_STATE_COUNT),
    };
}

struct ipsec_filter
store_text_filter(uint64_t id)
{
    static char name[] = "n\xc3\xa4me 'quoted' \"and\" \\escaped\n";
    static char description[] = "what it is for";
    static const uint16_t actions[] = { IPSEC_ACTION_BLOCK, IPSEC_ACTION_PERMIT,
                                        IPSEC_ACTION_CALLOUT_TERMINATING,
                                        IPSEC_ACTION_CALLOUT_INSPECTION,
                                        IPSEC_ACTION_CALLOUT_UNKNOWN };
    uint8_t layer = (uint8_t)(id % IPSEC_LAYER_COUNT);
    bool v6 =
        layer == IPSEC_LAYER_INBOUND_TRANSPORT_V6 || layer == IPSEC_LAYER_OUTBOUND_TRANSPORT_V6;
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
    };

    for (uint8_t i = 0; i < filter.condition_count; i++) {
        struct ipsec_condition *condition = &filter.conditions[i];
        condition->field = i;
        if (i == IPSEC_CONDITION_IP_LOCAL_ADDRESS || i == IPSEC_CONDITION_IP_REMOTE_ADDRESS) {
            condition->prefix_length = (uint8_t)(v6 ? 60 + i : 20 + i * 12);
            condition->address.bytes[0] = 0x20;
            condition->address.bytes[1] = 0x01;
        } else {
            condition->number = i == IPSEC_CONDITION_IP_PROTOCOL ? 255 : 65535;
        }
    }
    return filter;
}

struct store_change
store_text_put_principal(uint32_t id, const char *name)
{
    return (struct store_change){ .kind = STORE_PUT_PRINCIPAL,
                                  .principal = { .id = id, .name = name } };
}

struct store_change
store_text_put_filter(const struct ipsec_filter *filter)
{
    return (struct store_change){ .kind = STORE_PUT_FILTER, .filter = filter };
}

struct store_change
store_text_put_context(const struct ipsec_sa_context *sa_context)
{
    return (struct store_change){ .kind = STORE_PUT_SA_CONTEXT, .sa_context = sa_context };
}

struct store_change
store_text_put_replay(uint64_t number, const char *answer)
{
    struct store_change change = { .kind = STORE_PUT_REPLAY,
                                   .replay = { .number = number,
                                               .created_at_ms = 1700000000000 + (int64_t)number,
                                               .answer = answer,
                                               .answer_size = strlen(answer) } };

    for (size_t i = 0; i < sizeof change.replay.key_digest; i++) {
        change.replay.key_digest[i] = (uint8_t)(number + i);
        change.replay.request_digest[i] = (uint8_t)(number - i);
    }
    return change;
}

struct store_change
store_text_delete(enum store_change_kind kind, uint64_t id)
{
    return (struct store_change){ .kind = kind, .id = id };
}

enum ipsec_status
store_text_render(const struct store_ops *ops, struct store *store, struct buffer *text)
{
    struct rendering rendering = { .text = text };
    const struct store_loader loader = {
        .context = &rendering,
        .principal = render_principal,
        .filter = render_filter,
        .sa_context = render_context,
        .replay = render_replay,
    };
    struct store_marks marks = { 0 };
    struct ipsec_fault fault = { 0 };

    buffer_reset(text);
    enum ipsec_status status = ops->load(store, &loader, &marks, &fault);
    for (size_t i = 0; i < rendering.replay_count && status == IPSEC_OK; i++) {
        void *answer = NULL;
        size_t size = 0;
        status = ops->read_replay(store, rendering.replays[i], &fault, &answer, &size);
        if (status != IPSEC_OK)
            break;
        buffer_append_format(text, "answer %" PRIu64 " ", rendering.replays[i]);
        buffer_append_json_string(text, answer, size);
        buffer_append_char(text, '\n');
        free(answer);
    }
    free(rendering.replays);
    if (status != IPSEC_OK) {
        (void)fprintf(stderr, "# %s: %s\n", ops->name, fault.detail);
        return status;
    }
    buffer_append_format(text, "marks %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", marks.last_luid,
                         marks.revision, marks.last_replay_number);
    return buffer_text(text) == NULL ? IPSEC_RPC_OUT_OF_RESOURCES : IPSEC_OK;
}

const struct store_loader *
store_text_silent_loader(void)
{
    static const struct store_loader loader = {
        .principal = drop_principal,
        .filter = drop_filter,
        .sa_context = drop_context,
        .replay = drop_replay,
    };

    return &loader;
}

char *
store_text_make_directory(void)
{
    const char *parent = getenv("TMPDIR");
    char *directory = store_text_join(parent == NULL ? "/tmp" : parent, "store-test-XXXXXX");

    if (mkdtemp(directory) == NULL)
        abort();
    return directory;
}

void
store_text_remove_directory(char *directory_take)
{
    DIR *stream = opendir(directory_take);

    if (stream == NULL)
        abort();
    for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = store_text_join(directory_take, entry->d_name);
        if (unlink(path) != 0 && rmdir(path) != 0)
            abort();
        free(path);
    }
    (void)closedir(stream);
    (void)rmdir(directory_take);
    free(directory_take);
}

char *
store_text_join(const char *directory, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        abort();
    return path;
}

static enum ipsec_status
render_principal(void *context, const struct store_principal *principal)
{
    struct rendering *rendering = context;

    buffer_append_format(rendering->text, "principal %" PRIu32 " ", principal->id);
    buffer_append_json_string(rendering->text, principal->name, strlen(principal->name));
    buffer_append_char(rendering->text, '\n');
    return IPSEC_OK;
}

static enum ipsec_status
render_filter(void *context, const struct ipsec_filter *filter)
{
    struct buffer *text = ((struct rendering *)context)->text;

    buffer_append_format(text,
                         "filter %" PRIu64 " effective %" PRIu64 " at %" PRId64 " revision %" PRIu64
                         " by %" PRIu32 " weight %u %" PRIu64 " action %x layer %u callout %u key ",
                         filter->id, filter->effective_weight, filter->created_at_ms,
                         filter->revision, filter->created_by, filter->weight_type, filter->weight,
                         filter->action, filter->layer, filter->callout);
    append_bytes(text, filter->key.bytes, sizeof filter->key.bytes);
    for (size_t i = 0; i < filter->condition_count; i++) {
        const struct ipsec_condition *condition = &filter->conditions[i];
        buffer_append_format(text, " condition %u %u %u %u ", condition->field, condition->match,
                             condition->prefix_length, condition->number);
        append_bytes(text, condition->address.bytes, sizeof condition->address.bytes);
    }
    buffer_append_char(text, ' ');
    buffer_append_json_string(text, filter->name, strlen(filter->name));
    if (filter->description != NULL)
        buffer_append_json_string(text, filter->description, strlen(filter->description));
    buffer_append_char(text, '\n');
    return IPSEC_OK;
}

static enum ipsec_status
render_context(void *context, const struct ipsec_sa_context *sa_context)
{
    struct buffer *text = ((struct rendering *)context)->text;
    const struct ipsec_traffic *traffic = &sa_context->outbound_traffic;

    buffer_append_format(
        text,
        "context %" PRIu64 " filter %" PRIu64 " policy %" PRIu64
        " ports %u %u protocol %u version %u type %u inbound %" PRIu64 " at %" PRId64
        " revision %" PRIu64 " by %" PRIu32 " spi %" PRIu32 " state %u ",
        sa_context->id, traffic->ipsec_filter_id, traffic->tunnel_policy_id, traffic->local_port,
        traffic->remote_port, traffic->ip_protocol, traffic->ip_version, traffic->type,
        sa_context->inbound_filter_id, sa_context->created_at_ms, sa_context->revision,
        sa_context->created_by, sa_context->spi, sa_context->state);
    append_bytes(text, traffic->local_address.bytes, sizeof traffic->local_address.bytes);
    buffer_append_char(text, ' ');
    append_bytes(text, traffic->remote_address.bytes, sizeof traffic->remote_address.bytes);
    buffer_append_char(text, '\n');
    return IPSEC_OK;
}

static enum ipsec_status
render_replay(void *context, const struct store_replay *replay)
{
    struct rendering *rendering = context;
    struct buffer *text = rendering->text;

    buffer_append_format(text, "replay %" PRIu64 " at %" PRId64 " ", replay->number,
                         replay->created_at_ms);
    append_bytes(text, replay->key_digest, sizeof replay->key_digest);
    buffer_append_char(text, ' ');
    append_bytes(text, replay->request_digest, sizeof replay->request_digest);
    buffer_append_format(text, "%s\n", replay->answer == NULL ? "" : " with its answer");

    uint64_t *replays =
        reallocarray(rendering->replays, rendering->replay_count + 1, sizeof *replays);
    if (replays == NULL)
        abort();
    rendering->replays = replays;
    replays[rendering->replay_count++] = replay->number;
    return IPSEC_OK;
}

static enum ipsec_status
drop_principal(void *context, const struct store_principal *principal)
{
    (void)context;
    (void)principal;
    return IPSEC_OK;
}

static enum ipsec_status
drop_filter(void *context, const struct ipsec_filter *filter)
{
    (void)context;
    (void)filter;
    return IPSEC_OK;
}

static enum ipsec_status
drop_context(void *context, const struct ipsec_sa_context *sa_context)
{
    (void)context;
    (void)sa_context;
    return IPSEC_OK;
}

static enum ipsec_status
drop_replay(void *context, const struct store_replay *replay)
{
    (void)context;
    (void)replay;
    return IPSEC_OK;
}

static void
append_bytes(struct buffer *text, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        uint8_t byte = ((const uint8_t *)bytes)[i];
        const char pair[] = { digits[byte >> 4], digits[byte & 15] };
        buffer_append(text, pair, sizeof pair);
    }
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
