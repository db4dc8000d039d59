/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_sessions.c: sessions and transactions (specification section 6): what every call does in
 * every kind of session, and what sessions and transactions do themselves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/conformance/wfp.h"
#include "tests/lib/scratch.h"

/* --- 6.2: the table, a case a cell ------------------------------------------------------------ */

enum situation {
    IN_A_STATIC_SESSION = 0,
    IN_A_READ_ONLY_TRANSACTION,
    IN_A_TRANSACTION,
    IN_A_DYNAMIC_SESSION,
    IN_A_TRANSACTION_OF_A_DYNAMIC_SESSION,
    SITUATION_COUNT
};
static const char *const situation_names[SITUATION_COUNT] = {
    "in a static session",
    "in a read-only transaction",
    "in a read/write transaction",
    "in a dynamic session",
    "in a transaction of a dynamic session",
};

#define TXN IPSEC_TXN_IN_PROGRESS
#define DYNAMIC IPSEC_DYNAMIC_SESSION_IN_PROGRESS
#define READ_ONLY IPSEC_INCOMPATIBLE_TXN
#define NO_TXN IPSEC_NO_TXN_IN_PROGRESS

/* clang-format off */
static const struct {
    enum wfp_operation operation;
    enum ipsec_status expected[SITUATION_COUNT];
} table[] = {
    /* SA contexts are no part of a transaction and outlive sessions. */
    { WFP_CREATE,             { IPSEC_OK, TXN,       TXN,      DYNAMIC,  TXN } },
    { WFP_DELETE_BY_ID,       { IPSEC_OK, TXN,       TXN,      DYNAMIC,  TXN } },
    { WFP_ROTATE,             { IPSEC_OK, TXN,       TXN,      DYNAMIC,  TXN } },
    { WFP_GET_SPI,            { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_SET_SPI,            { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_ADD_INBOUND,        { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_ADD_OUTBOUND,       { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_UPDATE,             { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_EXPIRE,             { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_GET_BY_ID,          { IPSEC_OK, IPSEC_OK,  IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_ENUM,               { IPSEC_OK, IPSEC_OK,  IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_GET_STATISTICS,     { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_FILTER_ADD,         { IPSEC_OK, READ_ONLY, IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_FILTER_DELETE,      { IPSEC_OK, READ_ONLY, IPSEC_OK, DYNAMIC,  DYNAMIC } },
    { WFP_FILTER_GET,         { IPSEC_OK, IPSEC_OK,  IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_FILTER_ENUM,        { IPSEC_OK, IPSEC_OK,  IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_CONTEXT_ADD,        { IPSEC_OK, READ_ONLY, IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_CONTEXT_DELETE,     { IPSEC_OK, READ_ONLY, IPSEC_OK, DYNAMIC,  DYNAMIC } },
    { WFP_CONTEXT_GET,        { IPSEC_OK, IPSEC_OK,  IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_CONTEXT_ENUM,       { IPSEC_OK, IPSEC_OK,  IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_TUNNEL_ADD,         { IPSEC_OK, READ_ONLY, IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_TUNNEL_DELETE,      { IPSEC_OK, READ_ONLY, IPSEC_OK, DYNAMIC,  DYNAMIC } },
    { WFP_SUBSCRIBE,          { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_SUBSCRIPTIONS_GET,  { IPSEC_OK, IPSEC_OK,  IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    /* The database is no object of a session. */
    { WFP_SECURITY_GET,       { IPSEC_OK, IPSEC_OK,  IPSEC_OK, IPSEC_OK, IPSEC_OK } },
    { WFP_SECURITY_SET,       { IPSEC_OK, TXN,       TXN,      DYNAMIC,  TXN } },
    { WFP_RECONCILE,          { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_TRANSACTION_BEGIN,  { IPSEC_OK, TXN,       TXN,      IPSEC_OK, TXN } },
    { WFP_TRANSACTION_COMMIT, { NO_TXN,   IPSEC_OK,  IPSEC_OK, NO_TXN,   IPSEC_OK } },
    { WFP_TRANSACTION_ABORT,  { NO_TXN,   IPSEC_OK,  IPSEC_OK, NO_TXN,   IPSEC_OK } },
};
/* clang-format on */

struct cell {
    enum wfp_operation operation;
    enum situation situation;
    enum ipsec_status expected;
};

static void
enter_situation(struct wfp *wfp, enum situation situation)
{
    bool is_dynamic =
        situation == IN_A_DYNAMIC_SESSION || situation == IN_A_TRANSACTION_OF_A_DYNAMIC_SESSION;

    (void)wfp_enter(wfp, is_dynamic ? WFP_DYNAMIC : WFP_STATIC);
    if (situation == IN_A_READ_ONLY_TRANSACTION)
        WFP_ASSERT(wfp_begin(wfp, true), IPSEC_OK);
    if (situation == IN_A_TRANSACTION || situation == IN_A_TRANSACTION_OF_A_DYNAMIC_SESSION)
        WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
}

/* Static objects that nothing uses. */
struct spares {
    uint64_t filter;
    uint64_t provider_context;
    uint64_t tunnel;
};

static struct spares
make_spares(struct wfp *wfp)
{
    const struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    const struct ipsec_tunnel tunnel = { .tunnel_policy = &policy,
                                         .ip_version = IPSEC_IP_VERSION_V4 };
    struct wfp_call call = { .operation = WFP_TUNNEL_ADD, .tunnel = &tunnel };

    WFP_ASSERT(wfp_run(wfp, &call), IPSEC_OK);
    return (struct spares){ .filter = wfp_add_filter(wfp, &filter),
                            .provider_context = wfp_add_context(wfp, &policy),
                            .tunnel = call.tunnel_out.id };
}

static uint64_t
object_of(const struct spares *spares, enum wfp_operation operation, uint64_t context)
{
    if (operation == WFP_FILTER_DELETE || operation == WFP_FILTER_GET)
        return spares->filter;
    if (operation == WFP_CONTEXT_DELETE || operation == WFP_CONTEXT_GET)
        return spares->provider_context;
    return operation == WFP_TUNNEL_DELETE ? spares->tunnel : context;
}

/* The call on an object that lets it succeed. */
static enum ipsec_status
try_operation(struct wfp *wfp, enum wfp_operation operation, const struct spares *spares)
{
    static const uint8_t states[WFP_OPERATION_COUNT] = {
        [WFP_GET_SPI] = IPSEC_SA_CONTEXT_CREATED,     [WFP_SET_SPI] = IPSEC_SA_CONTEXT_CREATED,
        [WFP_ADD_INBOUND] = IPSEC_SA_CONTEXT_SPI_SET, [WFP_ADD_OUTBOUND] = IPSEC_SA_CONTEXT_INBOUND,
        [WFP_UPDATE] = IPSEC_SA_CONTEXT_ACTIVE,       [WFP_ROTATE] = IPSEC_SA_CONTEXT_ACTIVE,
    };
    const struct ipsec_traffic traffic = wfp_traffic(wfp);
    const struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_sa_context_update update = { .inbound_parts = IPSEC_UPDATE_MM_SA_ID };
    const struct ipsec_provider_context policy = wfp_tunnel_policy();
    const struct ipsec_tunnel tunnel = { .tunnel_policy = &policy,
                                         .ip_version = IPSEC_IP_VERSION_V4 };
    struct ipsec_sa_bundle_input bundle = wfp_bundle(0xabcdef01, 33);
    uint64_t context = wfp->contexts[states[operation]];
    struct ipsec_completion *watcher = NULL;
    struct wfp_call call = {
        .operation = operation,
        .id = object_of(spares, operation, context),
        .spi = 0x12345678,
        .traffic = operation == WFP_CREATE ? &traffic : NULL,
        .filter = &filter,
        .update = &update,
        .bundle = &bundle,
        .provider_context = &policy,
        .tunnel = &tunnel,
        .container = IPSEC_CONTAINER_SA_DATABASE,
        .text = "{\"dacl\": []}",
    };

    WFP_ASSERT(ipsec_completion_open(&watcher), IPSEC_OK);
    call.watcher = watcher;
    if (operation == WFP_ADD_INBOUND)
        bundle.bundle.sas[0].spi = wfp_spi(wfp, context);
    if (operation == WFP_ROTATE)
        bundle.bundle.sas[0].spi = 0;
    enum ipsec_status status = wfp_run(wfp, &call);
    wfp_clear(&call);
    wfp_clear_bundle(&bundle);
    ipsec_sa_context_unsubscribe(call.subscription);
    ipsec_completion_close(watcher);
    free(call.text_out);
    return status;
}

static void
run_cell(void **state)
{
    const struct cell *cell = *state;
    void *furnished = NULL;

    assert_int_equal(wfp_setup(&furnished), 0);
    struct wfp *wfp = furnished;
    const struct spares spares = make_spares(wfp);
    enter_situation(wfp, cell->situation);
    WFP_ASSERT(try_operation(wfp, cell->operation, &spares), cell->expected);
    (void)wfp_teardown(&furnished);
}

static void
add_cells(struct wfp_suite *suite, struct cell *cells)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (unsigned j = 0; j < SITUATION_COUNT; j++) {
            *cells = (struct cell){ table[i].operation, (enum situation)j, table[i].expected[j] };
            wfp_case(suite, run_cell, cells, "%s %s: %s", wfp_name(table[i].operation),
                     situation_names[j], ipsec_status_name(table[i].expected[j]));
            cells++;
        }
    }
}

/* --- 6.1: sessions ---------------------------------------------------------------------------- */

static enum ipsec_status
open_with(struct wfp *wfp, const struct ipsec_session_record *options)
{
    struct wfp_call call = { .operation = WFP_ENGINE_OPEN, .session = options };

    return wfp_run(wfp, &call);
}

static enum ipsec_status
close_session(struct wfp *wfp, const struct ipsec_guid *key)
{
    struct wfp_call call = { .operation = WFP_ENGINE_CLOSE, .key = *key };

    return wfp_run(wfp, &call);
}

static enum ipsec_status
get_session(struct wfp *wfp, const struct ipsec_guid *key)
{
    struct wfp_call call = { .operation = WFP_SESSION_GET, .key = *key };

    return wfp_run(wfp, &call);
}

static void
a_key_is_made_when_none_is_given(void **state)
{
    struct wfp *wfp = *state;
    static const struct ipsec_guid zero;
    struct ipsec_guid first = wfp_enter(wfp, WFP_STATIC);
    struct ipsec_guid second = wfp_enter(wfp, WFP_STATIC);

    assert_memory_not_equal(&first, &zero, sizeof zero);
    assert_memory_not_equal(&first, &second, sizeof first);
}

static void
a_key_that_is_taken(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_session_record options = { .key = { .bytes = { 1 } } };

    WFP_ASSERT(open_with(wfp, &options), IPSEC_OK);
    WFP_ASSERT(open_with(wfp, &options), IPSEC_ALREADY_EXISTS);
    WFP_ASSERT(close_session(wfp, &options.key), IPSEC_OK);
    WFP_ASSERT(open_with(wfp, &options), IPSEC_OK);
}

static void
a_flag_that_there_is_not(void **state)
{
    const struct ipsec_session_record reserved = { .flags = 0x10000000 };
    const struct ipsec_session_record unknown = { .flags = 0x2 };

    WFP_ASSERT(open_with(*state, &reserved), IPSEC_INVALID_FLAGS);
    WFP_ASSERT(open_with(*state, &unknown), IPSEC_INVALID_FLAGS);
}

/* Nobody takes all the sessions there may be. */
static void
no_more_than_the_callers_share(void **state)
{
    struct ipsec_engine_options engine_options = wfp_options();
    const struct ipsec_session_record options = { .flags = 0 };
    struct wfp wfp;

    (void)state;
    engine_options.max_sessions = 3;
    engine_options.max_sessions_per_principal = 2;
    wfp_open(&wfp, &engine_options);
    struct ipsec_guid first = wfp_enter(&wfp, WFP_STATIC);
    wfp_leave(&wfp);
    WFP_ASSERT(open_with(&wfp, &options), IPSEC_OK);
    WFP_ASSERT(open_with(&wfp, &options), IPSEC_RPC_SERVERCALL_RETRYLATER);
    wfp.principal = "uri:spiffe://example.org/somebody-else";
    WFP_ASSERT(open_with(&wfp, &options), IPSEC_OK);
    WFP_ASSERT(open_with(&wfp, &options), IPSEC_RPC_OUT_OF_RESOURCES);
    wfp.principal = "uri:spiffe://example.org/wfp";
    WFP_ASSERT(close_session(&wfp, &first), IPSEC_OK);
    WFP_ASSERT(open_with(&wfp, &options), IPSEC_OK);
    wfp_close(&wfp);
}

static void
opening_needs_its_right(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_session_record options = { .flags = 0 };

    wfp->rights.granted[IPSEC_CONTAINER_ENGINE] &= ~(uint32_t)FWPM_ACTRL_OPEN;
    WFP_ASSERT(open_with(wfp, &options), IPSEC_ACCESS_DENIED);
}

static void
an_unknown_handle(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_guid unknown = { .bytes = { 9 } };

    WFP_ASSERT(get_session(wfp, &unknown), IPSEC_INVALID_HANDLE);
    WFP_ASSERT(close_session(wfp, &unknown), IPSEC_INVALID_HANDLE);
    wfp->session = unknown;
    wfp->in_session = true;
    WFP_ASSERT(wfp_call(wfp, WFP_GET_BY_ID, wfp->contexts[0]), IPSEC_INVALID_HANDLE);
}

static void
a_handle_of_another_principal(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_guid key = wfp_enter(wfp, WFP_STATIC);

    wfp->principal = "uri:spiffe://example.org/other";
    WFP_ASSERT(wfp_call(wfp, WFP_GET_BY_ID, wfp->contexts[0]), IPSEC_INVALID_HANDLE);
    wfp_leave(wfp);
    WFP_ASSERT(get_session(wfp, &key), IPSEC_INVALID_HANDLE);
    WFP_ASSERT(close_session(wfp, &key), IPSEC_INVALID_HANDLE);
}

static void
a_closed_handle(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_guid key = wfp_enter(wfp, WFP_STATIC);

    WFP_ASSERT(close_session(wfp, &key), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_GET_BY_ID, wfp->contexts[0]), IPSEC_INVALID_HANDLE);
}

static void
a_session_that_was_cancelled(void **state)
{
    struct ipsec_engine_options options = wfp_options();
    struct wfp wfp;

    (void)state;
    options.session_idle_ms = 1;
    wfp_open(&wfp, &options);
    struct ipsec_guid key = wfp_enter(&wfp, WFP_STATIC);
    wfp_leave(&wfp);
    struct ipsec_engine_figures figures = { .sessions_cancelled = 0 };
    while (figures.sessions_cancelled == 0) {
        (void)usleep(1000);
        ipsec_engine_read_figures(wfp.engine, &figures);
    }
    WFP_ASSERT(get_session(&wfp, &key), IPSEC_SESSION_ABORTED);
    wfp.in_session = true;
    WFP_ASSERT(wfp_call(&wfp, WFP_FILTER_ENUM, 0), IPSEC_SESSION_ABORTED);
    WFP_ASSERT(wfp_begin(&wfp, false), IPSEC_SESSION_ABORTED);
    wfp_leave(&wfp);
    WFP_ASSERT(close_session(&wfp, &key), IPSEC_OK);
    WFP_ASSERT(get_session(&wfp, &key), IPSEC_INVALID_HANDLE);
    wfp_close(&wfp);
}

static void
contexts_outlive_the_session_that_made_them(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_guid key = wfp_enter(wfp, WFP_STATIC);
    uint64_t id = wfp_new_context(wfp, IPSEC_SA_CONTEXT_ACTIVE);

    wfp_leave(wfp);
    WFP_ASSERT(close_session(wfp, &key), IPSEC_OK);
    assert_int_equal(wfp_state(wfp, id), IPSEC_SA_CONTEXT_ACTIVE);
}

/* --- 6.2: transactions ------------------------------------------------------------------------ */

static void
beginning_needs_the_right_of_its_kind(void **state)
{
    struct wfp *wfp = *state;
    uint32_t *granted = &wfp->rights.granted[IPSEC_CONTAINER_ENGINE];

    (void)wfp_enter(wfp, WFP_STATIC);
    *granted = FWPM_ACTRL_BEGIN_READ_TXN;
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_ACCESS_DENIED);
    WFP_ASSERT(wfp_begin(wfp, true), IPSEC_OK);
    WFP_ASSERT(wfp_commit(wfp), IPSEC_OK);
    *granted = FWPM_ACTRL_BEGIN_WRITE_TXN;
    WFP_ASSERT(wfp_begin(wfp, true), IPSEC_ACCESS_DENIED);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    WFP_ASSERT(wfp_abort(wfp), IPSEC_OK);
}

/* Who comes second waits for as long as its session says, here 1 ms. */
static void
run_lock(void **state)
{
    static const struct {
        bool first_reads;
        bool second_reads;
        enum ipsec_status expected;
    } rows[] = {
        { true, true, IPSEC_OK },
        { true, false, IPSEC_TIMEOUT },
        { false, true, IPSEC_TIMEOUT },
        { false, false, IPSEC_TIMEOUT },
    };
    struct wfp *wfp = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ipsec_guid first = wfp_enter(wfp, WFP_STATIC);
        WFP_ASSERT(wfp_begin(wfp, rows[i].first_reads), IPSEC_OK);
        struct ipsec_guid second = wfp_enter(wfp, WFP_STATIC);
        WFP_ASSERT(wfp_begin(wfp, rows[i].second_reads), rows[i].expected);
        wfp_leave(wfp);
        WFP_ASSERT(close_session(wfp, &first), IPSEC_OK);
        WFP_ASSERT(close_session(wfp, &second), IPSEC_OK);
    }
}

static void
closing_aborts_the_transaction(void **state)
{
    struct wfp *wfp = *state;
    struct ipsec_guid key = wfp_enter(wfp, WFP_STATIC);

    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    wfp_leave(wfp);
    WFP_ASSERT(close_session(wfp, &key), IPSEC_OK);
    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
}

static void
create_does_not_wait_for_a_writer(void **state)
{
    struct wfp *wfp = *state;
    const struct ipsec_traffic traffic = wfp_traffic(wfp);

    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    wfp_leave(wfp);
    WFP_ASSERT(wfp_create(wfp, &traffic, NULL), IPSEC_OK);
}

static void
a_failing_call_leaves_the_transaction_open(void **state)
{
    struct wfp *wfp = *state;

    (void)wfp_enter(wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(wfp, false), IPSEC_OK);
    WFP_ASSERT(wfp_call(wfp, WFP_FILTER_DELETE, 999), IPSEC_FILTER_NOT_FOUND);
    WFP_ASSERT(wfp_call(wfp, WFP_GET_STATISTICS, 0), IPSEC_TXN_IN_PROGRESS);
    WFP_ASSERT(wfp_commit(wfp), IPSEC_OK);
    WFP_ASSERT(wfp_commit(wfp), IPSEC_NO_TXN_IN_PROGRESS);
}

static void
a_transaction_held_too_long(void **state)
{
    struct ipsec_engine_options options = wfp_options();
    struct ipsec_engine_figures figures = { .transactions_rolled_back = 0 };
    struct wfp wfp;

    (void)state;
    options.txn_hold_ms = 1;
    wfp_open(&wfp, &options);
    (void)wfp_enter(&wfp, WFP_STATIC);
    WFP_ASSERT(wfp_begin(&wfp, false), IPSEC_OK);
    while (figures.transactions_rolled_back == 0) {
        (void)usleep(1000);
        ipsec_engine_read_figures(wfp.engine, &figures);
    }
    WFP_ASSERT(wfp_call(&wfp, WFP_FILTER_ENUM, 0), IPSEC_TXN_ABORTED);
    WFP_ASSERT(wfp_call(&wfp, WFP_FILTER_ENUM, 0), IPSEC_OK);
    WFP_ASSERT(wfp_commit(&wfp), IPSEC_NO_TXN_IN_PROGRESS);
    wfp_close(&wfp);
}

/* 6.3, 15.27: what the design has instead of WFP's end of all at a restart. */
static void
what_a_restart_leaves(void **state)
{
    struct ipsec_engine_options options = wfp_options();
    AUTO(scratch) scratch = { .path = "" };
    char uri[sizeof scratch.path + 8];
    struct wfp wfp;

    (void)state;
    scratch_init(&scratch);
    (void)snprintf(uri, sizeof uri, "sqlite:%s", scratch_path(&scratch, "state.db"));
    options.store_uri = uri;
    wfp_open(&wfp, &options);
    wfp_furnish(&wfp);
    struct ipsec_filter filter = wfp_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V6);
    struct ipsec_guid key = wfp_enter(&wfp, WFP_DYNAMIC);
    uint64_t dynamic = wfp_add_filter(&wfp, &filter);
    wfp_close(&wfp);

    struct wfp before = wfp;
    wfp_open(&wfp, &options);
    wfp.session = key;
    wfp.in_session = true;
    WFP_ASSERT(wfp_call(&wfp, WFP_FILTER_ENUM, 0), IPSEC_SESSION_ABORTED);
    wfp_leave(&wfp);
    WFP_ASSERT(close_session(&wfp, &key), IPSEC_OK);
    WFP_ASSERT(close_session(&wfp, &key), IPSEC_INVALID_HANDLE);
    WFP_ASSERT(wfp_call(&wfp, WFP_FILTER_GET, dynamic), IPSEC_FILTER_NOT_FOUND);
    WFP_ASSERT(wfp_call(&wfp, WFP_FILTER_GET, before.outbound_filter), IPSEC_OK);
    for (unsigned i = 0; i <= IPSEC_SA_CONTEXT_EXPIRING; i++)
        assert_int_equal(wfp_state(&wfp, before.contexts[i]), i);
    assert_true(wfp_add_filter(&wfp, &filter) > dynamic);
    wfp_close(&wfp);
}

int
main(void)
{
    static struct cell cells[sizeof table / sizeof *table * SITUATION_COUNT];
    struct wfp_suite suite = { .count = 0 };

    add_cells(&suite, cells);
    wfp_sentence(&suite, a_key_is_made_when_none_is_given,
                 "FwpmEngineOpen0 without a key: the engine makes one");
    wfp_sentence(&suite, a_key_that_is_taken,
                 "FwpmEngineOpen0 with a taken key: FWP_E_ALREADY_EXISTS");
    wfp_sentence(&suite, a_flag_that_there_is_not,
                 "FwpmEngineOpen0 with an unknown flag: FWP_E_INVALID_FLAGS");
    wfp_case(&suite, no_more_than_the_callers_share, NULL,
             "FwpmEngineOpen0 beyond the caller's share: RPC_E_SERVERCALL_RETRYLATER; of all: "
             "RPC_E_OUT_OF_RESOURCES");
    wfp_sentence(&suite, opening_needs_its_right,
                 "FwpmEngineOpen0 without FWPM_ACTRL_OPEN: ERROR_ACCESS_DENIED");
    wfp_sentence(&suite, an_unknown_handle, "any call in an unknown session: ERROR_INVALID_HANDLE");
    wfp_sentence(&suite, a_handle_of_another_principal,
                 "any call in another principal's session: ERROR_INVALID_HANDLE");
    wfp_sentence(&suite, a_closed_handle, "any call in a closed session: ERROR_INVALID_HANDLE");
    wfp_sentence(&suite, a_session_that_was_cancelled,
                 "any call but FwpmEngineClose0 in a cancelled session: FWP_E_SESSION_ABORTED");
    wfp_sentence(&suite, contexts_outlive_the_session_that_made_them,
                 "FwpmEngineClose0 leaves the SA contexts of its session");
    wfp_sentence(&suite, beginning_needs_the_right_of_its_kind,
                 "FwpmTransactionBegin0 without the right of its kind: ERROR_ACCESS_DENIED");
    wfp_sentence(&suite, run_lock,
                 "FwpmTransactionBegin0 beside a writer: FWP_E_TIMEOUT; many may read");
    wfp_sentence(&suite, closing_aborts_the_transaction, "FwpmEngineClose0 aborts the transaction");
    wfp_sentence(&suite, create_does_not_wait_for_a_writer,
                 "IPsecSaContextCreate0 does not wait for another session's transaction");
    wfp_sentence(&suite, a_failing_call_leaves_the_transaction_open,
                 "a call that fails leaves its transaction open");
    wfp_sentence(&suite, a_transaction_held_too_long,
                 "the call after a transaction was held too long: FWP_E_TXN_ABORTED, once");
    wfp_case(&suite, what_a_restart_leaves, NULL,
             "a restart leaves static objects and SA contexts, no dynamic ones; sessions: "
             "FWP_E_SESSION_ABORTED until closed");
    return wfp_run_suite(&suite, "WFP sessions and transactions");
}
