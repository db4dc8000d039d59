/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wfp_life.c: the life of an SA context (specification section 9): what every call does in
 * every state, and what time does, on a clock that the cases move. */
#include "tests/conformance/wfp.h"
#include "tests/unit/sa_fixture.h"

#define CREATED IPSEC_SA_CONTEXT_CREATED
#define SPI_SET IPSEC_SA_CONTEXT_SPI_SET
#define INBOUND IPSEC_SA_CONTEXT_INBOUND
#define ACTIVE IPSEC_SA_CONTEXT_ACTIVE
#define EXPIRING IPSEC_SA_CONTEXT_EXPIRING
#define GONE IPSEC_SA_CONTEXT_STATE_COUNT
#define STATE IPSEC_INCOMPATIBLE_SA_STATE

static const char *const state_names[] = { "CREATED",  "SPI_SET", "INBOUND", "ACTIVE",
                                           "EXPIRING", "EXPIRED", "(gone)" };

/* --- The table: what is answered, and the state afterwards --- */

enum call {
    GET_SPI = 0,
    SET_SPI, /* another one */
    SET_SPI_AGAIN,
    GET_SPI_OTHER_TRAFFIC,
    ADD_INBOUND,
    ADD_OUTBOUND,
    UPDATE_INBOUND,
    UPDATE_OUTBOUND,
    UPDATE_TRAFFIC,
    UPDATE_LABELS,
    EXPIRE,
    DELETE_BY_ID,
    CALL_COUNT
};
static const char *const call_names[CALL_COUNT] = {
    "IPsecSaContextGetSpi1",
    "IPsecSaContextSetSpi0",
    "IPsecSaContextSetSpi0 of the same SPI",
    "IPsecSaContextGetSpi1 for other traffic",
    "IPsecSaContextAddInbound1",
    "IPsecSaContextAddOutbound1",
    "IPsecSaContextUpdate0 of the inbound SAs",
    "IPsecSaContextUpdate0 of the outbound SAs",
    "IPsecSaContextUpdate0 of the traffic",
    "IPsecSaContextUpdate0 of labels",
    "IPsecSaContextExpire0",
    "IPsecSaContextDeleteById0",
};

struct cell {
    enum ipsec_status status;
    enum ipsec_sa_context_state after;
};
#define TO(state)                                                                                  \
    {                                                                                              \
        IPSEC_OK, state                                                                            \
    }
#define REFUSED(state)                                                                             \
    {                                                                                              \
        STATE, state                                                                               \
    }
#define MISMATCH(state)                                                                            \
    {                                                                                              \
        IPSEC_TRAFFIC_MISMATCH, state                                                              \
    }
#define NOT_FOUND                                                                                  \
    {                                                                                              \
        IPSEC_NOT_FOUND, GONE                                                                      \
    }
static const uint8_t states[] = { CREATED, SPI_SET, INBOUND, ACTIVE, EXPIRING, GONE };
#define STATES (sizeof states / sizeof *states)

/* clang-format off */
static const struct cell table[CALL_COUNT][STATES] = {
    /*                          CREATED            SPI_SET            INBOUND            ACTIVE            EXPIRING           gone */
    [GET_SPI]               = { TO(SPI_SET),       TO(SPI_SET),       REFUSED(INBOUND),  REFUSED(ACTIVE),  REFUSED(EXPIRING),  NOT_FOUND },
    [SET_SPI]               = { TO(SPI_SET),       REFUSED(SPI_SET),  REFUSED(INBOUND),  REFUSED(ACTIVE),  REFUSED(EXPIRING),  NOT_FOUND },
    [SET_SPI_AGAIN]         = { TO(SPI_SET),       TO(SPI_SET),       REFUSED(INBOUND),  REFUSED(ACTIVE),  REFUSED(EXPIRING),  NOT_FOUND },
    [GET_SPI_OTHER_TRAFFIC] = { MISMATCH(CREATED), MISMATCH(SPI_SET), MISMATCH(INBOUND), MISMATCH(ACTIVE), MISMATCH(EXPIRING), NOT_FOUND },
    [ADD_INBOUND]           = { REFUSED(CREATED),  TO(INBOUND),       REFUSED(INBOUND),  REFUSED(ACTIVE),  REFUSED(EXPIRING),  NOT_FOUND },
    [ADD_OUTBOUND]          = { REFUSED(CREATED),  REFUSED(SPI_SET),  TO(ACTIVE),        REFUSED(ACTIVE),  REFUSED(EXPIRING),  NOT_FOUND },
    [UPDATE_INBOUND]        = { REFUSED(CREATED),  REFUSED(SPI_SET),  TO(INBOUND),       TO(ACTIVE),       REFUSED(EXPIRING),  NOT_FOUND },
    [UPDATE_OUTBOUND]       = { REFUSED(CREATED),  REFUSED(SPI_SET),  REFUSED(INBOUND),  TO(ACTIVE),       REFUSED(EXPIRING),  NOT_FOUND },
    [UPDATE_TRAFFIC]        = { REFUSED(CREATED),  REFUSED(SPI_SET),  REFUSED(INBOUND),  TO(ACTIVE),       REFUSED(EXPIRING),  NOT_FOUND },
    [UPDATE_LABELS]         = { TO(CREATED),       TO(SPI_SET),       TO(INBOUND),       TO(ACTIVE),       TO(EXPIRING),       NOT_FOUND },
    [EXPIRE]                = { TO(GONE),          TO(GONE),          TO(EXPIRING),      TO(EXPIRING),     TO(EXPIRING),       NOT_FOUND },
    [DELETE_BY_ID]          = { TO(GONE),          TO(GONE),          TO(GONE),          TO(GONE),         TO(GONE),           NOT_FOUND },
};
/* clang-format on */

static enum ipsec_status
update(const struct sa_fixture *sa, uint64_t id, const struct ipsec_sa_context_update *update)
{
    struct ipsec_sa_context context;
    enum ipsec_status status = ipsec_sa_context_update(sa->session, id, update, &context);

    ipsec_sa_context_unref(&context);
    return status;
}

static enum ipsec_status
make_call(const struct sa_fixture *sa, enum call call, uint64_t id)
{
    const struct ipsec_sa_context *context = sa_find(sa->state, id);
    uint32_t own_spi = context == NULL || context->spi == 0 ? 0x4711 : context->spi;
    const struct ipsec_traffic same = { .ipsec_filter_id = sa->inbound_filter };
    const struct ipsec_traffic other = {
        .ipsec_filter_id = sa->inbound_filter,
        .local_address = address("192.0.2.1"),
        .remote_address = address("203.0.113.9"),
    };
    struct ipsec_sa_bundle_input bundle = gcm_bundle(own_spi, 1);
    enum ipsec_status status = IPSEC_RPC_UNEXPECTED;
    uint32_t spi = 0;

    switch (call) {
    case GET_SPI:
        status = ipsec_sa_context_get_spi(sa->session, id, &same, &spi);
        break;
    case SET_SPI:
        status = ipsec_sa_context_set_spi(sa->session, id, &same, 0x4712);
        break;
    case SET_SPI_AGAIN:
        status = ipsec_sa_context_set_spi(sa->session, id, &same, own_spi);
        break;
    case GET_SPI_OTHER_TRAFFIC:
        status = ipsec_sa_context_get_spi(sa->session, id, &other, &spi);
        break;
    case ADD_INBOUND:
        status = try_inbound(sa, id, &bundle);
        break;
    case ADD_OUTBOUND:
        set_key(&bundle.keys[0].cipher, 20, 101);
        status = try_outbound(sa, id, &bundle);
        break;
    case UPDATE_INBOUND:
        status = update(
            sa, id, &(struct ipsec_sa_context_update){ .inbound_parts = IPSEC_UPDATE_MM_SA_ID });
        break;
    case UPDATE_OUTBOUND:
        status = update(
            sa, id, &(struct ipsec_sa_context_update){ .outbound_parts = IPSEC_UPDATE_MM_SA_ID });
        break;
    case UPDATE_TRAFFIC:
        status = update(
            sa, id,
            &(struct ipsec_sa_context_update){ .parts = IPSEC_UPDATE_TRAFFIC, .traffic = other });
        break;
    case UPDATE_LABELS:
        status = update(sa, id, &(struct ipsec_sa_context_update){ .parts = IPSEC_UPDATE_LABELS });
        break;
    case EXPIRE:
        status = ipsec_sa_context_expire(sa->session, id);
        break;
    case DELETE_BY_ID:
        status = ipsec_sa_context_delete_by_id(sa->session, id);
        break;
    case CALL_COUNT:
        break;
    }
    bundle_clear(&bundle);
    return status;
}

static uint64_t
context_that_is(const struct sa_fixture *sa, uint8_t state)
{
    uint64_t id = context_in(sa, state == GONE ? CREATED : (enum ipsec_sa_context_state)state);

    if (state == GONE)
        WFP_ASSERT(ipsec_sa_context_delete_by_id(sa->session, id), IPSEC_OK);
    settle(sa);
    return id;
}

static void
run_cell(void **state)
{
    const size_t index = (size_t)((const struct cell *)*state - &table[0][0]);
    const struct cell *cell = *state;
    void *fixture = NULL;

    assert_int_equal(fixture_setup(&fixture), 0);
    struct sa_fixture sa = sa_begin(&fixture);
    uint64_t id = context_that_is(&sa, states[index % STATES]);
    WFP_ASSERT(make_call(&sa, (enum call)(index / STATES), id), cell->status);
    assert_string_equal(state_names[state_of(&sa, id)], state_names[cell->after]);
    (void)fixture_teardown(&fixture);
}

/* --- Repeats --- */

static void
a_repeated_getspi_gives_the_same_spi(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = new_context(&sa);
    uint32_t first = get_spi(&sa, id);

    assert_int_equal(get_spi(&sa, id), first);
    assert_true(first >= 256);
}

static void
an_spi_of_another_context(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t first = context_in(&sa, SPI_SET);
    uint64_t second = new_context(&sa);
    const struct ipsec_traffic traffic = { .ipsec_filter_id = sa.inbound_filter };

    WFP_ASSERT(ipsec_sa_context_set_spi(sa.session, second, &traffic, spi_of(&sa, first)),
               IPSEC_ALREADY_EXISTS);
}

static void
reserved_spis(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = new_context(&sa);
    const struct ipsec_traffic traffic = { .ipsec_filter_id = sa.inbound_filter };

    WFP_ASSERT(ipsec_sa_context_set_spi(sa.session, id, &traffic, 0), IPSEC_OUT_OF_BOUNDS);
    WFP_ASSERT(ipsec_sa_context_set_spi(sa.session, id, &traffic, 255), IPSEC_OUT_OF_BOUNDS);
    WFP_ASSERT(ipsec_sa_context_set_spi(sa.session, id, &traffic, 256), IPSEC_OK);
}

static void
another_spi_in_the_inbound_bundle(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = context_in(&sa, SPI_SET);
    struct ipsec_sa_bundle_input bundle = gcm_bundle(spi_of(&sa, id) ^ 1, 1);

    WFP_ASSERT(try_inbound(&sa, id, &bundle), IPSEC_INVALID_PARAMETER);
    bundle_clear(&bundle);
}

/* --- What time does --- */

enum ending { NEVER = 0, LARVAL, GRACE, LIFETIME, IDLE };
static const struct timed {
    const char *name;
    uint8_t state;
    uint32_t larval_ms;
    struct ipsec_lifetime inbound;
    struct ipsec_lifetime outbound;
    uint32_t inbound_idle;
    uint32_t outbound_idle;
    int64_t after_ms; /* nothing happens before this */
    uint8_t then;     /* the state that it changes to */
    uint8_t reason;
} timed[] = {
    { "CREATED ends after the larval timeout", CREATED, .larval_ms = 120000, .after_ms = 120000,
      .then = GONE, .reason = IPSEC_REASON_LARVAL },
    { "SPI_SET ends after the larval timeout, counted from Create", SPI_SET, .larval_ms = 120000,
      .after_ms = 120000, .then = GONE, .reason = IPSEC_REASON_LARVAL },
    { "EXPIRING ends after a minute", EXPIRING, .after_ms = 60000, .then = GONE,
      .reason = IPSEC_REASON_GRACE },
    { "ACTIVE becomes EXPIRING when the outbound lifetime ends", ACTIVE,
      .outbound = { .seconds = 10 }, .after_ms = 10000, .then = EXPIRING,
      .reason = IPSEC_REASON_LIFETIME },
    { "ACTIVE ends when the inbound lifetime ends", ACTIVE, .inbound = { .seconds = 10 },
      .outbound = { .seconds = 20 }, .after_ms = 10000, .then = GONE,
      .reason = IPSEC_REASON_LIFETIME },
    { "INBOUND ends when its lifetime ends", INBOUND, .inbound = { .seconds = 10 },
      .after_ms = 10000, .then = GONE, .reason = IPSEC_REASON_LIFETIME },
    { "ACTIVE becomes EXPIRING when outbound was idle", ACTIVE, .outbound_idle = 5,
      .after_ms = 5000, .then = EXPIRING, .reason = IPSEC_REASON_IDLE },
    { "ACTIVE ends when inbound was idle", ACTIVE, .inbound_idle = 5, .after_ms = 5000,
      .then = GONE, .reason = IPSEC_REASON_IDLE },
    { "INBOUND has no larval timeout", INBOUND, .larval_ms = 1000, .after_ms = 0, .then = INBOUND },
    { "a zero lifetime has no limit", ACTIVE, .after_ms = 0, .then = ACTIVE },
};

static uint64_t
timed_context(const struct sa_fixture *sa, const struct timed *row)
{
    if (row->state != INBOUND && row->state != ACTIVE)
        return context_in(sa, (enum ipsec_sa_context_state)row->state);

    uint64_t id = context_in(sa, SPI_SET);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(spi_of(sa, id), 1);
    struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI, 101);

    inbound.bundle.lifetime = row->inbound;
    inbound.bundle.idle_timeout_seconds = row->inbound_idle;
    outbound.bundle.lifetime = row->outbound;
    outbound.bundle.idle_timeout_seconds = row->outbound_idle;
    WFP_ASSERT(try_inbound(sa, id, &inbound), IPSEC_OK);
    if (row->state == ACTIVE)
        WFP_ASSERT(try_outbound(sa, id, &outbound), IPSEC_OK);
    bundle_clear(&inbound);
    bundle_clear(&outbound);
    return id;
}

static void
run_timed(void **state)
{
    const struct timed *row = *state;
    void *fixture = NULL;

    assert_int_equal(fixture_setup(&fixture), 0);
    struct sa_fixture sa = sa_begin(&fixture);
    sa.state->sa.settings.larval_timeout_ms = row->larval_ms;
    uint64_t id = timed_context(&sa, row);
    uint8_t before = (uint8_t)state_of(&sa, id);
    if (row->after_ms == 0) {
        advance(&sa, INT64_C(1000) * 86400 * 365);
        run_due(&sa);
        assert_string_equal(state_names[state_of(&sa, id)], state_names[before]);
    } else {
        advance(&sa, row->after_ms - 1);
        run_due(&sa);
        assert_string_equal(state_names[state_of(&sa, id)], state_names[before]);
        advance(&sa, 1);
        run_due(&sa);
        assert_string_equal(state_names[state_of(&sa, id)], state_names[row->then]);
        const struct batch *batch = &sa.state->batch;
        assert_true(batch->event_count > 0);
        assert_int_equal(batch->events[batch->event_count - 1].reason, row->reason);
    }
    (void)fixture_teardown(&fixture);
}

static void
the_id_is_valid_for_the_minute_and_not_found_after(void **state)
{
    struct sa_fixture sa = sa_begin(state);
    uint64_t id = context_in(&sa, ACTIVE);

    WFP_ASSERT(ipsec_sa_context_expire(sa.session, id), IPSEC_OK);
    advance(&sa, 59999);
    run_due(&sa);
    WFP_ASSERT(ipsec_sa_context_expire(sa.session, id), IPSEC_OK);
    advance(&sa, 1);
    run_due(&sa);
    WFP_ASSERT(ipsec_sa_context_expire(sa.session, id), IPSEC_NOT_FOUND);
}

/* --- Rekeying --- */

static void
run_duplicate(void **state)
{
    static const struct {
        uint32_t flags;
        bool same_traffic;
        uint8_t older;
    } rows[] = {
        { 0, true, EXPIRING },
        { 0, false, ACTIVE },
        { IPSEC_SA_BUNDLE_SUPPRESS_DUPLICATE_DELETION, true, ACTIVE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *fixture = NULL;

        assert_int_equal(fixture_setup(&fixture), 0);
        struct sa_fixture sa = sa_begin(&fixture);
        uint64_t older = context_in(&sa, ACTIVE);
        struct ipsec_traffic traffic = transport_traffic(sa.outbound_filter);
        const struct ipsec_traffic inbound = { .ipsec_filter_id = sa.inbound_filter };
        struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI + 1, 101);
        uint64_t id = 0;
        uint32_t spi = 0;

        traffic.remote_port = rows[i].same_traffic ? 0 : 443;
        outbound.bundle.flags = rows[i].flags;
        WFP_ASSERT(ipsec_sa_context_create(sa.session, &traffic, NULL, &id), IPSEC_OK);
        WFP_ASSERT(ipsec_sa_context_get_spi(sa.session, id, &inbound, &spi), IPSEC_OK);
        add_inbound(&sa, id, spi);
        assert_int_equal(state_of(&sa, older), ACTIVE);
        WFP_ASSERT(try_outbound(&sa, id, &outbound), IPSEC_OK);
        assert_int_equal(state_of(&sa, older), rows[i].older);
        assert_int_equal(state_of(&sa, id), ACTIVE);
        bundle_clear(&outbound);
        (void)fixture_teardown(&fixture);
    }
}

/* --- Statistics --- */

static struct ipsec_statistics
statistics(const struct sa_fixture *sa)
{
    struct ipsec_statistics now;

    WFP_ASSERT(ipsec_get_statistics(sa->session, &now), IPSEC_OK);
    return now;
}

static void
statistics_count_by_state(void **state)
{
    struct sa_fixture sa = sa_begin(state);

    (void)context_in(&sa, CREATED);
    (void)context_in(&sa, SPI_SET);
    (void)context_in(&sa, INBOUND);
    uint64_t first = context_in(&sa, ACTIVE);
    settle(&sa);
    struct ipsec_statistics now = statistics(&sa);
    assert_int_equal(now.pending_sa_negotiations, 3);
    assert_int_equal(now.active_sas, 1);
    assert_int_equal(now.total_sas_added, 1);
    assert_int_equal(now.total_sas_deleted, 0);
    assert_int_equal(now.successful_rekeys, 0);

    (void)context_in(&sa, ACTIVE); /* the same traffic: a rekey */
    settle(&sa);
    now = statistics(&sa);
    assert_int_equal(state_of(&sa, first), EXPIRING);
    assert_int_equal(now.active_sas, 1);
    assert_int_equal(now.total_sas_added, 2);
    assert_int_equal(now.successful_rekeys, 1);
    assert_int_equal(now.total_sas_deleted, 1);
}

#define SENTENCE(suite, test, name)                                                                \
    do {                                                                                           \
        wfp_case(suite, test, NULL, "%s", name);                                                   \
        (suite)->cases[(suite)->count - 1].setup_func = fixture_setup;                             \
        (suite)->cases[(suite)->count - 1].teardown_func = fixture_teardown;                       \
    } while (0)

int
main(void)
{
    struct wfp_suite suite = { .count = 0 };

    for (size_t i = 0; i < CALL_COUNT; i++) {
        for (size_t j = 0; j < STATES; j++)
            wfp_case(&suite, run_cell, &table[i][j], "%s in %s: %s, then %s", call_names[i],
                     state_names[states[j]], ipsec_status_name(table[i][j].status),
                     state_names[table[i][j].after]);
    }
    for (size_t i = 0; i < sizeof timed / sizeof *timed; i++)
        wfp_case(&suite, run_timed, &timed[i], "%s", timed[i].name);
    SENTENCE(&suite, a_repeated_getspi_gives_the_same_spi,
             "IPsecSaContextGetSpi1 repeated: the same SPI, never below 256");
    SENTENCE(&suite, an_spi_of_another_context,
             "IPsecSaContextSetSpi0 of another context's SPI: FWP_E_ALREADY_EXISTS");
    SENTENCE(&suite, reserved_spis,
             "IPsecSaContextSetSpi0 of an SPI that IANA reserves: FWP_E_OUT_OF_BOUNDS");
    SENTENCE(&suite, another_spi_in_the_inbound_bundle,
             "IPsecSaContextAddInbound1 with another SPI: FWP_E_INVALID_PARAMETER");
    SENTENCE(&suite, the_id_is_valid_for_the_minute_and_not_found_after,
             "IPsecSaContextExpire0: the id stays valid for a minute, then FWP_E_NOT_FOUND; again "
             "does not restart it");
    SENTENCE(&suite, run_duplicate,
             "IPsecSaContextAddOutbound1 ends older outbound SAs of equal traffic, unless "
             "SUPPRESS_DUPLICATE_DELETION");
    SENTENCE(&suite, statistics_count_by_state,
             "IPsecGetStatistics1 counts active, pending, added, deleted and rekeyed SAs");
    return wfp_run_suite(&suite, "WFP life of an SA context");
}
