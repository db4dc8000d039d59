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

static enum ipsec_status
render_provider_context(void *context, const struct ipsec_provider_context *provider_context);
static enum ipsec_status render_session(void *context, const struct ipsec_session_record *session);
static enum ipsec_status render_quarantine(void *context,
                                           const struct store_quarantine *quarantine);
static enum ipsec_status render_descriptor(void *context,
                                           const struct store_descriptor *descriptor);
static enum ipsec_status
drop_provider_context(void *context, const struct ipsec_provider_context *provider_context);
static enum ipsec_status drop_session(void *context, const struct ipsec_session_record *session);
static enum ipsec_status drop_quarantine(void *context, const struct store_quarantine *quarantine);
static enum ipsec_status drop_descriptor(void *context, const struct store_descriptor *descriptor);
static void
render_bundle(struct buffer *text, const char *name, const struct ipsec_sa_bundle *bundle);
static void render_id(struct buffer *text, const struct ipsec_id *id);
static void render_transform(struct buffer *text, const struct ipsec_sa_transform *transform);
static void render_guid(struct buffer *text, const char *name, const struct ipsec_guid *guid);
static enum ipsec_status render_principal(void *context, const struct store_principal *principal);
static enum ipsec_status render_filter(void *context, const struct ipsec_filter *filter);
static enum ipsec_status render_context(void *context, const struct ipsec_sa_context *sa_context);
static enum ipsec_status render_replay(void *context, const struct store_replay *replay);
static enum ipsec_status drop_principal(void *context, const struct store_principal *principal);
static enum ipsec_status drop_filter(void *context, const struct ipsec_filter *filter);
static enum ipsec_status drop_context(void *context, const struct ipsec_sa_context *sa_context);
static enum ipsec_status drop_replay(void *context, const struct store_replay *replay);
static void append_bytes(struct buffer *text, const void *bytes, size_t size);

enum ipsec_status
store_text_render(const struct store_ops *ops, struct store *store, struct buffer *text)
{
    struct rendering rendering = { .text = text };
    const struct store_loader loader = {
        .context = &rendering,
        .principal = render_principal,
        .provider_context = render_provider_context,
        .filter = render_filter,
        .sa_context = render_context,
        .session = render_session,
        .quarantine = render_quarantine,
        .descriptor = render_descriptor,
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
        .provider_context = drop_provider_context,
        .filter = drop_filter,
        .sa_context = drop_context,
        .session = drop_session,
        .quarantine = drop_quarantine,
        .descriptor = drop_descriptor,
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
        buffer_append_format(text, " condition %u %u %u %" PRIu64 " %" PRIu64 " ", condition->field,
                             condition->match, condition->prefix_length, condition->number,
                             condition->number_high);
        append_bytes(text, condition->address.bytes, sizeof condition->address.bytes);
        append_bytes(text, condition->address_high.bytes, sizeof condition->address_high.bytes);
    }
    render_guid(text, "provider", &filter->provider_key);
    render_guid(text, "providerContext", &filter->provider_context_key);
    buffer_append_format(text,
                         " context %" PRIu64 " tunnel %" PRIu64 " raw %" PRIu64
                         " lifetime %u flags %" PRIu32 " subLayer %u data ",
                         filter->provider_context_id, filter->tunnel_id, filter->raw_context,
                         filter->lifetime, filter->flags, filter->sub_layer);
    append_bytes(text, filter->provider_data, filter->provider_data_size);
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
    buffer_append_format(text, " after %" PRIu64 " due %" PRId64, sa_context->predecessor_id,
                         sa_context->due_at_ms);
    render_bundle(text, "inbound", sa_context->inbound);
    render_bundle(text, "outbound", sa_context->outbound);
    for (uint32_t i = 0; sa_context->labels != NULL && i < sa_context->labels->count; i++)
        buffer_append_format(text, " label %s=%s", sa_context->labels->pairs[i].name,
                             sa_context->labels->pairs[i].value);
    buffer_append_char(text, '\n');
    return IPSEC_OK;
}

static enum ipsec_status
render_provider_context(void *context, const struct ipsec_provider_context *policy)
{
    struct buffer *text = ((struct rendering *)context)->text;

    buffer_append_format(text,
                         "policy %" PRIu64 " at %" PRId64 " revision %" PRIu64 " by %" PRIu32
                         " lifetime %u tunnel %d flags %" PRIu32 " type %u policyFlags %" PRIu32
                         " clear %" PRIu32 " idle %" PRIu32 " %" PRIu32 " version %u endpoints ",
                         policy->id, policy->created_at_ms, policy->revision, policy->created_by,
                         policy->lifetime, policy->is_tunnel, policy->flags, policy->type,
                         policy->policy_flags, policy->nd_allow_clear_timeout_seconds,
                         policy->idle_timeout_seconds, policy->idle_timeout_fail_over_seconds,
                         policy->ip_version);
    append_bytes(text, policy->local_endpoint.bytes, sizeof policy->local_endpoint.bytes);
    append_bytes(text, policy->remote_endpoint.bytes, sizeof policy->remote_endpoint.bytes);
    render_guid(text, "key", &policy->key);
    render_guid(text, "provider", &policy->provider_key);
    for (uint8_t i = 0; i < policy->proposal_count; i++) {
        const struct ipsec_proposal *proposal = &policy->proposals[i];

        buffer_append_format(text, " proposal %" PRIu32 " %" PRIu32 " %" PRIu32 " %u",
                             proposal->lifetime.seconds, proposal->lifetime.kilobytes,
                             proposal->lifetime.packets, proposal->pfs_group);
        for (uint8_t j = 0; j < proposal->transform_count; j++)
            render_transform(text, &proposal->transforms[j]);
    }
    buffer_append_text(text, " data ");
    append_bytes(text, policy->provider_data, policy->provider_data_size);
    buffer_append_format(text, " %s \"%s\" \"%s\"\n", policy->name,
                         policy->description == NULL ? "" : policy->description,
                         policy->policy == NULL ? "" : policy->policy);
    return IPSEC_OK;
}

static enum ipsec_status
render_session(void *context, const struct ipsec_session_record *session)
{
    struct buffer *text = ((struct rendering *)context)->text;

    buffer_append_format(text,
                         "session %" PRIu64 " at %" PRId64 " by %" PRIu32 " flags %" PRIu32
                         " wait %" PRIu32 " name %s",
                         session->number, session->opened_at_ms, session->opened_by, session->flags,
                         session->txn_wait_timeout_ms, session->name);
    render_guid(text, "key", &session->key);
    buffer_append_char(text, '\n');
    return IPSEC_OK;
}

static enum ipsec_status
render_quarantine(void *context, const struct store_quarantine *quarantine)
{
    buffer_append_format(((struct rendering *)context)->text,
                         "quarantine %" PRIu32 " until %" PRId64 "\n", quarantine->spi,
                         quarantine->until_ms);
    return IPSEC_OK;
}

static enum ipsec_status
render_descriptor(void *context, const struct store_descriptor *descriptor)
{
    buffer_append_format(((struct rendering *)context)->text, "descriptor %u %s\n",
                         descriptor->container, descriptor->text);
    return IPSEC_OK;
}

static void
render_bundle(struct buffer *text, const char *name, const struct ipsec_sa_bundle *bundle)
{
    if (bundle == NULL)
        return;
    buffer_append_format(
        text,
        " %s flags %" PRIu32 " lifetime %" PRIu32 " %" PRIu32 " %" PRIu32 " idle %" PRIu32
        " clear %" PRIu32 " nap %" PRIu32 " qm %" PRIu32 " mm %" PRIu64 " filter %" PRIu64
        " udp %u %u pfs %u added %" PRId64 " expires %" PRId64 " private ",
        name, bundle->flags, bundle->lifetime.seconds, bundle->lifetime.kilobytes,
        bundle->lifetime.packets, bundle->idle_timeout_seconds,
        bundle->nd_allow_clear_timeout_seconds, bundle->nap_context, bundle->qm_sa_id,
        bundle->mm_sa_id, bundle->qm_filter_id, bundle->udp_encapsulation.local_port,
        bundle->udp_encapsulation.remote_port, bundle->pfs_group, bundle->added_at_ms,
        bundle->expires_at_ms);
    append_bytes(text, bundle->peer_v4_private_address.bytes, 4);
    render_guid(text, "lookup", &bundle->sa_lookup_context);
    render_guid(text, "module", &bundle->key_module_key);
    append_bytes(text, bundle->key_module_state, bundle->key_module_state_size);
    render_id(text, bundle->ipsec_id);
    for (uint8_t i = 0; i < bundle->sa_count; i++) {
        const struct ipsec_sa *sa = &bundle->sas[i];

        buffer_append_format(text, " sa %" PRIu32 " keys %u %u", sa->spi, sa->auth_key_length,
                             sa->cipher_key_length);
        render_transform(text, &sa->transform);
    }
}

static void
render_id(struct buffer *text, const struct ipsec_id *id)
{
    if (id == NULL)
        return;
    buffer_append_format(text, " id \"%s\" \"%s\" %" PRIu64, id->mm_target_name, id->em_target_name,
                         id->explicit_credentials);
    for (unsigned i = 0; i < id->token_count; i++)
        buffer_append_format(text, " token %u %u %u %" PRIu64, id->tokens[i].type,
                             id->tokens[i].principal, id->tokens[i].mode, id->tokens[i].token);
}

static void
render_transform(struct buffer *text, const struct ipsec_sa_transform *transform)
{
    buffer_append_format(text, " transform %u %u %u", transform->type, transform->auth,
                         transform->cipher);
}

static void
render_guid(struct buffer *text, const char *name, const struct ipsec_guid *guid)
{
    buffer_append_format(text, " %s ", name);
    append_bytes(text, guid->bytes, sizeof guid->bytes);
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
drop_provider_context(void *context, const struct ipsec_provider_context *provider_context)
{
    (void)context;
    (void)provider_context;
    return IPSEC_OK;
}

static enum ipsec_status
drop_session(void *context, const struct ipsec_session_record *session)
{
    (void)context;
    (void)session;
    return IPSEC_OK;
}

static enum ipsec_status
drop_quarantine(void *context, const struct store_quarantine *quarantine)
{
    (void)context;
    (void)quarantine;
    return IPSEC_OK;
}

static enum ipsec_status
drop_descriptor(void *context, const struct store_descriptor *descriptor)
{
    (void)context;
    (void)descriptor;
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
