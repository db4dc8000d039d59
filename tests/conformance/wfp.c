/* SPDX-License-Identifier: Apache-2.0
 *
 * wfp.c: see wfp.h. */
#include "tests/conformance/wfp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

static enum ipsec_status run(struct ipsec_call *base, struct ipsec_session *session);
static enum ipsec_status create(struct wfp_call *call, struct ipsec_session *session);
static enum ipsec_status enumerate(struct wfp_call *call, struct ipsec_session *session);
static enum ipsec_status enumerate_contexts(struct wfp_call *call, struct ipsec_session *session);
static enum ipsec_status get_context(struct wfp_call *call, struct ipsec_session *session);
static enum ipsec_status subscribe(struct wfp_call *call, struct ipsec_session *session);
static enum ipsec_status get_subscriptions(struct wfp_call *call, struct ipsec_session *session);

static const char *const operation_names[WFP_OPERATION_COUNT] = {
    [WFP_CREATE] = "IPsecSaContextCreate0",
    [WFP_DELETE_BY_ID] = "IPsecSaContextDeleteById0",
    [WFP_GET_SPI] = "IPsecSaContextGetSpi1",
    [WFP_SET_SPI] = "IPsecSaContextSetSpi0",
    [WFP_ADD_INBOUND] = "IPsecSaContextAddInbound1",
    [WFP_ADD_OUTBOUND] = "IPsecSaContextAddOutbound1",
    [WFP_UPDATE] = "IPsecSaContextUpdate0",
    [WFP_EXPIRE] = "IPsecSaContextExpire0",
    [WFP_ROTATE] = "rotate",
    [WFP_GET_BY_ID] = "IPsecSaContextGetById1",
    [WFP_ENUM] = "IPsecSaContextEnum1",
    [WFP_GET_STATISTICS] = "IPsecGetStatistics1",
    [WFP_FILTER_ADD] = "FwpmFilterAdd0",
    [WFP_FILTER_DELETE] = "FwpmFilterDeleteById0",
    [WFP_FILTER_GET] = "FwpmFilterGetById0",
    [WFP_FILTER_ENUM] = "FwpmFilterEnum0",
    [WFP_ENGINE_OPEN] = "FwpmEngineOpen0",
    [WFP_ENGINE_CLOSE] = "FwpmEngineClose0",
    [WFP_SESSION_GET] = "reading a session",
    [WFP_TRANSACTION_BEGIN] = "FwpmTransactionBegin0",
    [WFP_TRANSACTION_COMMIT] = "FwpmTransactionCommit0",
    [WFP_TRANSACTION_ABORT] = "FwpmTransactionAbort0",
    [WFP_SUBSCRIBE] = "IPsecSaContextSubscribe0",
    [WFP_SUBSCRIPTIONS_GET] = "IPsecSaContextSubscriptionsGet0",
    [WFP_CONTEXT_ADD] = "FwpmProviderContextAdd0",
    [WFP_CONTEXT_DELETE] = "FwpmProviderContextDeleteById0",
    [WFP_CONTEXT_GET] = "FwpmProviderContextGetById0",
    [WFP_CONTEXT_ENUM] = "FwpmProviderContextEnum0",
    [WFP_TUNNEL_ADD] = "FwpmIPsecTunnelAdd0",
    [WFP_TUNNEL_DELETE] = "FwpmIPsecTunnelDeleteByKey0",
    [WFP_TUNNEL_GET] = "reading a tunnel",
    [WFP_SECURITY_GET] = "IPsecSaDbGetSecurityInfo0",
    [WFP_SECURITY_SET] = "IPsecSaDbSetSecurityInfo0",
    [WFP_BUILTIN_DELETE] = "deleting what is built in",
    [WFP_RECONCILE] = "reconcile",
};

const char *
wfp_name(enum wfp_operation operation)
{
    return operation_names[operation];
}

/* --- The engine --- */

struct ipsec_engine_options
wfp_options(void)
{
    return (struct ipsec_engine_options){
        .store_uri = "memory:",
        .plane_uri = "none",
        .queue_depth = 64,
        .max_batch = 64,
        .max_sessions = 16,
        .txn_wait_ms = 1,
        .quarantine_ms = 300000,
        .kept_events = 64,
        .max_replay_records = 64,
        .probe_interval_ms = 1000,
        .abandoned_after_ms = 60000,
    };
}

void
wfp_open(struct wfp *wfp, const struct ipsec_engine_options *options)
{
    *wfp = (struct wfp){ .principal = "uri:spiffe://example.org/wfp" };
    memset(&wfp->rights, 0xff, sizeof wfp->rights);
    WFP_ASSERT(ipsec_engine_open(options, &wfp->fault, &wfp->engine), IPSEC_OK);
}

void
wfp_close(struct wfp *wfp)
{
    ipsec_engine_close(wfp->engine);
    wfp->engine = NULL;
}

int
wfp_setup(void **state)
{
    const struct ipsec_engine_options options = wfp_options();
    struct wfp *wfp = malloc(sizeof *wfp);

    if (wfp == NULL)
        return -1;
    wfp_open(wfp, &options);
    wfp_furnish(wfp);
    *state = wfp;
    return 0;
}

int
wfp_teardown(void **state)
{
    wfp_close(*state);
    free(*state);
    return 0;
}

/* --- Calls --- */

void
wfp_prepare(const struct wfp *wfp, struct wfp_call *call)
{
    call->base.caller = (struct ipsec_caller){ .principal = wfp->principal, .rights = wfp->rights };
    call->base.has_session = wfp->in_session;
    call->base.session_key = wfp->session;
    call->base.run = run;
}

enum ipsec_status
wfp_run(struct wfp *wfp, struct wfp_call *call)
{
    wfp_prepare(wfp, call);
    enum ipsec_status status = ipsec_engine_call(wfp->engine, &call->base);
    if (status != IPSEC_OK)
        wfp->fault = call->base.fault;
    return status;
}

enum ipsec_status
wfp_call(struct wfp *wfp, enum wfp_operation operation, uint64_t id)
{
    struct wfp_call call = { .operation = operation, .id = id };
    enum ipsec_status status = wfp_run(wfp, &call);

    wfp_clear(&call);
    return status;
}

void
wfp_clear(struct wfp_call *call)
{
    ipsec_sa_context_unref(&call->context);
    ipsec_filter_unref(call->filter_out);
    call->context = (struct ipsec_sa_context){ .id = 0 };
    call->filter_out = NULL;
}

static enum ipsec_status
run(struct ipsec_call *base, struct ipsec_session *session)
{
    struct wfp_call *call = (struct wfp_call *)base;
    static const struct ipsec_traffic no_traffic;
    const struct ipsec_traffic *traffic = call->traffic == NULL ? &no_traffic : call->traffic;
    const struct ipsec_sa_context_options bundles = { .inbound = call->bundle };
    const struct ipsec_security security = { call->container, WFP_OPERATORS_DESCRIPTOR };
    struct ipsec_drift drift;

    switch (call->operation) {
    case WFP_CREATE:
        return create(call, session);
    case WFP_DELETE_BY_ID:
        return ipsec_sa_context_delete_by_id(session, call->id);
    case WFP_GET_SPI:
        return ipsec_sa_context_get_spi(session, call->id, traffic, &call->spi_out);
    case WFP_SET_SPI:
        return ipsec_sa_context_set_spi(session, call->id, traffic, call->spi);
    case WFP_ADD_INBOUND:
        return ipsec_sa_context_add_inbound(session, call->id, call->bundle, &call->context);
    case WFP_ADD_OUTBOUND:
        return ipsec_sa_context_add_outbound(session, call->id, call->bundle, &call->context);
    case WFP_UPDATE:
        return ipsec_sa_context_update(session, call->id, call->update, &call->context);
    case WFP_EXPIRE:
        return ipsec_sa_context_expire(session, call->id);
    case WFP_ROTATE:
        return ipsec_sa_context_rotate(session, call->id, &bundles, &call->context);
    case WFP_GET_BY_ID:
        return ipsec_sa_context_get_by_id(session, call->id, &call->context);
    case WFP_ENUM:
    case WFP_FILTER_ENUM:
        return enumerate(call, session);
    case WFP_GET_STATISTICS:
        return ipsec_get_statistics(session, &call->statistics);
    case WFP_FILTER_ADD:
        return ipsec_filter_add(session, call->filter, &call->id_out, &call->key_out);
    case WFP_FILTER_DELETE:
        return ipsec_filter_delete_by_id(session, call->id);
    case WFP_FILTER_GET:
        return ipsec_filter_get_by_id(session, call->id, &call->filter_out);
    case WFP_ENGINE_OPEN:
        return ipsec_session_open(session, call->session, &call->session_out);
    case WFP_ENGINE_CLOSE:
        return ipsec_session_close(session, &call->key);
    case WFP_SESSION_GET:
        return ipsec_session_get(session, &call->key, &call->session_out);
    case WFP_TRANSACTION_BEGIN:
        return ipsec_transaction_begin(session, call->read_only);
    case WFP_TRANSACTION_COMMIT:
        return ipsec_transaction_commit(session);
    case WFP_TRANSACTION_ABORT:
        return ipsec_transaction_abort(session);
    case WFP_SUBSCRIBE:
        return subscribe(call, session);
    case WFP_SUBSCRIPTIONS_GET:
        return get_subscriptions(call, session);
    case WFP_CONTEXT_ADD:
        return ipsec_provider_context_add(session, call->provider_context, &call->id_out,
                                          &call->key_out);
    case WFP_CONTEXT_DELETE:
        return ipsec_provider_context_delete_by_id(session, call->id);
    case WFP_CONTEXT_GET:
        return get_context(call, session);
    case WFP_CONTEXT_ENUM:
        return enumerate_contexts(call, session);
    case WFP_TUNNEL_ADD:
        return ipsec_tunnel_add(session, call->tunnel, &call->tunnel_out);
    case WFP_TUNNEL_DELETE:
        return ipsec_tunnel_delete(session, call->id);
    case WFP_TUNNEL_GET:
        return ipsec_tunnel_get(session, call->id, &call->tunnel_out);
    case WFP_SECURITY_GET:
        return ipsec_security_get(session, &security, &call->text_out);
    case WFP_SECURITY_SET:
        return ipsec_security_set(session, &security, call->text);
    case WFP_BUILTIN_DELETE:
        return ipsec_builtin_delete_by_key(session, call->kind, &call->key);
    case WFP_RECONCILE:
        return ipsec_reconcile(session, &drift, NULL);
    case WFP_OPERATION_COUNT:
        break;
    }
    return IPSEC_RPC_UNEXPECTED;
}

static enum ipsec_status
create(struct wfp_call *call, struct ipsec_session *session)
{
    if (call->options == NULL)
        return ipsec_sa_context_create(session, call->traffic, &call->inbound_filter_id,
                                       &call->id_out);
    enum ipsec_status status =
        ipsec_sa_context_create_with(session, call->traffic, call->options, &call->context);
    call->id_out = call->context.id;
    call->inbound_filter_id = call->context.inbound_filter_id;
    call->spi_out = call->context.spi;
    return status;
}

static enum ipsec_status
enumerate(struct wfp_call *call, struct ipsec_session *session)
{
    static const struct ipsec_sa_context_template all;
    struct ipsec_sa_context_page page = { .context_count = 0 };
    struct ipsec_filter_page filters = { .filter_count = 0 };
    const size_t limit = call->limit == 0 ? 100 : call->limit;
    enum ipsec_status status;

    if (call->operation == WFP_FILTER_ENUM) {
        status = ipsec_filter_enum(session, -1, call->after, limit, &filters);
        call->count = filters.filter_count;
        call->next = filters.next;
        ipsec_filter_page_clear(&filters);
        return status;
    }
    status = ipsec_sa_context_enum(session, call->match == NULL ? &all : call->match, call->after,
                                   limit, &page);
    call->count = page.context_count;
    call->next = page.next;
    ipsec_sa_context_page_clear(&page);
    return status;
}

static enum ipsec_status
enumerate_contexts(struct wfp_call *call, struct ipsec_session *session)
{
    struct ipsec_provider_context_page page = { .provider_context_count = 0 };
    enum ipsec_status status = ipsec_provider_context_enum(session, -1, 0, 100, &page);

    call->count = page.provider_context_count;
    ipsec_provider_context_page_clear(&page);
    return status;
}

static enum ipsec_status
get_context(struct wfp_call *call, struct ipsec_session *session)
{
    const struct ipsec_provider_context *found = NULL;
    enum ipsec_status status = ipsec_provider_context_get_by_id(session, call->id, &found);

    if (status == IPSEC_OK)
        ipsec_provider_context_unref(found);
    return status;
}

static enum ipsec_status
subscribe(struct wfp_call *call, struct ipsec_session *session)
{
    static const struct ipsec_subscription_options all;

    return ipsec_sa_context_subscribe(session, call->watch == NULL ? &all : call->watch,
                                      call->watcher, &call->subscription);
}

static enum ipsec_status
get_subscriptions(struct wfp_call *call, struct ipsec_session *session)
{
    struct ipsec_subscription_page page = { .subscription_count = 0 };
    enum ipsec_status status = ipsec_sa_context_subscriptions_get(session, &page);

    call->count = page.subscription_count;
    ipsec_subscription_page_clear(&page);
    return status;
}

/* --- Sessions --- */

struct ipsec_guid
wfp_enter(struct wfp *wfp, enum wfp_session_kind kind)
{
    const struct ipsec_session_record options = {
        .flags = kind == WFP_DYNAMIC ? IPSEC_SESSION_DYNAMIC : 0,
    };
    struct wfp_call call = { .operation = WFP_ENGINE_OPEN, .session = &options };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    wfp->session = call.session_out.key;
    wfp->in_session = true;
    return wfp->session;
}

void
wfp_leave(struct wfp *wfp)
{
    wfp->in_session = false;
}

enum ipsec_status
wfp_begin(struct wfp *wfp, bool read_only)
{
    struct wfp_call call = { .operation = WFP_TRANSACTION_BEGIN, .read_only = read_only };

    return wfp_run(wfp, &call);
}

enum ipsec_status
wfp_commit(struct wfp *wfp)
{
    return wfp_call(wfp, WFP_TRANSACTION_COMMIT, 0);
}

enum ipsec_status
wfp_abort(struct wfp *wfp)
{
    return wfp_call(wfp, WFP_TRANSACTION_ABORT, 0);
}

/* --- The usual things --- */

void
wfp_furnish(struct wfp *wfp)
{
    const struct ipsec_filter outbound = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_filter inbound = wfp_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);

    wfp->outbound_filter = wfp_add_filter(wfp, &outbound);
    wfp->inbound_filter = wfp_add_filter(wfp, &inbound);
    for (unsigned i = 0; i <= IPSEC_SA_CONTEXT_EXPIRING; i++)
        wfp->contexts[i] = wfp_new_context(wfp, (enum ipsec_sa_context_state)i);
}

struct ipsec_address
wfp_address(const char *text)
{
    struct ipsec_address address = { .bytes = { 0 } };

    if (inet_pton(AF_INET, text, address.bytes) != 1 &&
        inet_pton(AF_INET6, text, address.bytes) != 1)
        abort();
    return address;
}

struct ipsec_traffic
wfp_traffic(const struct wfp *wfp)
{
    return (struct ipsec_traffic){
        .local_address = wfp_address("192.0.2.1"),
        .remote_address = wfp_address("198.51.100.7"),
        .ipsec_filter_id = wfp->outbound_filter,
        .ip_version = IPSEC_IP_VERSION_V4,
        .type = IPSEC_TRAFFIC_TYPE_TRANSPORT,
    };
}

/* Without conditions, with the transport callout of its layer. */
struct ipsec_filter
wfp_filter(enum ipsec_layer layer)
{
    static const uint8_t callouts[IPSEC_LAYER_COUNT] = {
        [IPSEC_LAYER_INBOUND_TRANSPORT_V4] = IPSEC_CALLOUT_INBOUND_TRANSPORT_V4,
        [IPSEC_LAYER_INBOUND_TRANSPORT_V6] = IPSEC_CALLOUT_INBOUND_TRANSPORT_V6,
        [IPSEC_LAYER_OUTBOUND_TRANSPORT_V4] = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4,
        [IPSEC_LAYER_OUTBOUND_TRANSPORT_V6] = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6,
    };
    static char name[] = "a filter";

    return (struct ipsec_filter){
        .name = name,
        .layer = (uint8_t)layer,
        .action = IPSEC_ACTION_CALLOUT_TERMINATING,
        .callout = callouts[layer],
    };
}

struct ipsec_provider_context
wfp_tunnel_policy(void)
{
    static char name[] = "a tunnel policy";

    return (struct ipsec_provider_context){
        .name = name,
        .type = IPSEC_CONTEXT_IKE_QM_TUNNEL,
        .ip_version = IPSEC_IP_VERSION_V4,
        .local_endpoint = wfp_address("192.0.2.1"),
        .remote_endpoint = wfp_address("198.51.100.7"),
        .proposal_count = 1,
        .proposals = { { .lifetime = { .seconds = 3600 },
                         .transform_count = 1,
                         .transforms = { { .type = IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER,
                                           .auth = IPSEC_AUTH_GCM_AES_128,
                                           .cipher = IPSEC_CIPHER_GCM_AES_128 } } } },
    };
}

struct ipsec_traffic
wfp_tunnel_traffic(uint64_t tunnel_policy_id)
{
    return (struct ipsec_traffic){
        .local_address = wfp_address("192.0.2.1"),
        .remote_address = wfp_address("198.51.100.7"),
        .tunnel_policy_id = tunnel_policy_id,
        .ip_version = IPSEC_IP_VERSION_V4,
        .type = IPSEC_TRAFFIC_TYPE_TUNNEL,
    };
}

uint64_t
wfp_add_context(struct wfp *wfp, const struct ipsec_provider_context *provider_context)
{
    struct wfp_call call = { .operation = WFP_CONTEXT_ADD, .provider_context = provider_context };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    return call.id_out;
}

uint64_t
wfp_add_filter(struct wfp *wfp, const struct ipsec_filter *filter)
{
    struct wfp_call call = { .operation = WFP_FILTER_ADD, .filter = filter };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    return call.id_out;
}

enum ipsec_status
wfp_create(struct wfp *wfp, const struct ipsec_traffic *traffic, uint64_t *id)
{
    struct wfp_call call = { .operation = WFP_CREATE, .traffic = traffic };
    enum ipsec_status status = wfp_run(wfp, &call);

    if (id != NULL)
        *id = call.id_out;
    return status;
}

/* Each has a remote address of its own, so that none is a duplicate of another. */
uint64_t
wfp_new_context(struct wfp *wfp, enum ipsec_sa_context_state state)
{
    static uint8_t last;
    struct ipsec_traffic traffic = wfp_traffic(wfp);
    uint64_t id = 0;

    traffic.remote_address.bytes[2] = 101;
    traffic.remote_address.bytes[3] = ++last;
    WFP_ASSERT(wfp_create(wfp, &traffic, &id), IPSEC_OK);
    if (state >= IPSEC_SA_CONTEXT_SPI_SET)
        WFP_ASSERT(wfp_call(wfp, WFP_GET_SPI, id), IPSEC_OK);
    if (state >= IPSEC_SA_CONTEXT_INBOUND)
        WFP_ASSERT(wfp_add_inbound(wfp, id, 1), IPSEC_OK);
    if (state >= IPSEC_SA_CONTEXT_ACTIVE)
        WFP_ASSERT(wfp_add_outbound(wfp, id, 101), IPSEC_OK);
    if (state >= IPSEC_SA_CONTEXT_EXPIRING)
        WFP_ASSERT(wfp_call(wfp, WFP_EXPIRE, id), IPSEC_OK);
    return id;
}

enum ipsec_sa_context_state
wfp_state(struct wfp *wfp, uint64_t id)
{
    struct wfp_call call = { .operation = WFP_GET_BY_ID, .id = id };
    enum ipsec_sa_context_state state = IPSEC_SA_CONTEXT_STATE_COUNT;

    if (wfp_run(wfp, &call) == IPSEC_OK)
        state = (enum ipsec_sa_context_state)call.context.state;
    wfp_clear(&call);
    return state;
}

uint32_t
wfp_spi(struct wfp *wfp, uint64_t id)
{
    struct wfp_call call = { .operation = WFP_GET_BY_ID, .id = id };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    uint32_t spi = call.context.spi;
    wfp_clear(&call);
    return spi;
}

/* --- Bundles --- */

struct ipsec_sa_bundle_input
wfp_bundle(uint32_t spi, uint8_t fill)
{
    struct ipsec_sa_bundle_input input = {
        .bundle = { .sa_count = 1,
                    .sas = { { .spi = spi,
                               .transform = { .type = IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER,
                                              .auth = IPSEC_AUTH_GCM_AES_128,
                                              .cipher = IPSEC_CIPHER_GCM_AES_128 } } } },
    };

    wfp_set_key(&input.keys[0].cipher, 20, fill);
    return input;
}

void
wfp_set_key(struct secret *key, size_t size, uint8_t fill)
{
    secret_clear(key);
    if (!secret_init(key, size))
        abort();
    for (size_t i = 0; i < size; i++)
        key->bytes[i] = (uint8_t)(fill + i);
}

void
wfp_clear_bundle(struct ipsec_sa_bundle_input *bundle)
{
    for (size_t i = 0; i < IPSEC_SA_MAX; i++) {
        secret_clear(&bundle->keys[i].auth);
        secret_clear(&bundle->keys[i].cipher);
    }
}

enum ipsec_status
wfp_add_inbound(struct wfp *wfp, uint64_t id, uint8_t fill)
{
    struct ipsec_sa_bundle_input bundle = wfp_bundle(wfp_spi(wfp, id), fill);
    struct wfp_call call = { .operation = WFP_ADD_INBOUND, .id = id, .bundle = &bundle };
    enum ipsec_status status = wfp_run(wfp, &call);

    wfp_clear(&call);
    wfp_clear_bundle(&bundle);
    return status;
}

enum ipsec_status
wfp_add_outbound(struct wfp *wfp, uint64_t id, uint8_t fill)
{
    struct ipsec_sa_bundle_input bundle = wfp_bundle(0xabcdef01, fill);
    struct wfp_call call = { .operation = WFP_ADD_OUTBOUND, .id = id, .bundle = &bundle };
    enum ipsec_status status = wfp_run(wfp, &call);

    wfp_clear(&call);
    wfp_clear_bundle(&bundle);
    return status;
}

/* --- Cases that are rows --- */

void
wfp_case(
    struct wfp_suite *suite, CMUnitTestFunction run_case, const void *row, const char *name, ...)
{
    struct CMUnitTest *cases =
        reallocarray(suite->cases, suite->count + 1, sizeof(struct CMUnitTest));
    char *text = NULL;
    va_list arguments;

    va_start(arguments, name);
    if (vasprintf(&text, name, arguments) < 0 || cases == NULL)
        abort();
    va_end(arguments);
    suite->cases = cases;
    /* cmocka hands the row on as it is. */
    suite->cases[suite->count++] = (struct CMUnitTest){
        .name = text,
        .test_func = run_case,
        .initial_state = (void *)(uintptr_t)row,
    };
}

void
wfp_sentence(struct wfp_suite *suite, CMUnitTestFunction run_case, const char *name)
{
    wfp_case(suite, run_case, NULL, "%s", name);
    suite->cases[suite->count - 1].setup_func = wfp_setup;
    suite->cases[suite->count - 1].teardown_func = wfp_teardown;
}

int
wfp_run_suite(struct wfp_suite *suite, const char *name)
{
    int failed = _cmocka_run_group_tests(name, suite->cases, suite->count, NULL, NULL);

    for (size_t i = 0; i < suite->count; i++)
        free((void *)(uintptr_t)suite->cases[i].name);
    free(suite->cases);
    *suite = (struct wfp_suite){ .count = 0 };
    return failed;
}
