/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sa_life.c: the life of an SA context, cell by cell: which call does what in which state. */
#include "tests/unit/sa_fixture.h"

#define GONE IPSEC_SA_CONTEXT_STATE_COUNT
#define CREATED IPSEC_SA_CONTEXT_CREATED
#define SPI_SET IPSEC_SA_CONTEXT_SPI_SET
#define INBOUND IPSEC_SA_CONTEXT_INBOUND
#define ACTIVE IPSEC_SA_CONTEXT_ACTIVE
#define EXPIRING IPSEC_SA_CONTEXT_EXPIRING
#define REFUSED IPSEC_INCOMPATIBLE_SA_STATE

static enum ipsec_status
call_get_spi(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_traffic traffic = { .ipsec_filter_id = sa->inbound_filter };
    uint32_t spi = 0;
    enum ipsec_status status = ipsec_sa_context_get_spi(sa->session, id, &traffic, &spi);

    assert_int_equal(status == IPSEC_OK, spi >= 256);
    return status;
}

/* Another SPI than that of the context. */
static enum ipsec_status
call_set_spi(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_traffic traffic = { .ipsec_filter_id = sa->inbound_filter };

    return ipsec_sa_context_set_spi(sa->session, id, &traffic, 0x4711);
}

static enum ipsec_status
call_set_own_spi(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_traffic traffic = { .ipsec_filter_id = sa->inbound_filter };
    const struct ipsec_sa_context *context = sa_find(sa->state, id);
    uint32_t spi = context == NULL || context->spi == 0 ? 0x4712 : context->spi;

    return ipsec_sa_context_set_spi(sa->session, id, &traffic, spi);
}

static enum ipsec_status
call_add_inbound(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_sa_context *context = sa_find(sa->state, id);
    uint32_t spi = context == NULL || context->spi == 0 ? 0x4713 : context->spi;
    struct ipsec_sa_bundle_input input = gcm_bundle(spi, 1);
    enum ipsec_status status = try_inbound(sa, id, &input);

    bundle_clear(&input);
    return status;
}

static enum ipsec_status
call_add_outbound(const struct sa_fixture *sa, uint64_t id)
{
    struct ipsec_sa_bundle_input input = gcm_bundle(PEER_SPI, 101);
    enum ipsec_status status = try_outbound(sa, id, &input);

    bundle_clear(&input);
    return status;
}

static enum ipsec_status
update(const struct sa_fixture *sa, uint64_t id, const struct ipsec_sa_context_update *values)
{
    struct ipsec_sa_context context;
    enum ipsec_status status = ipsec_sa_context_update(sa->session, id, values, &context);

    ipsec_sa_context_unref(&context);
    return status;
}

static enum ipsec_status
call_update_inbound(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_sa_context_update values = { .inbound_parts = IPSEC_UPDATE_NAP_CONTEXT,
                                                    .inbound = { .nap_context = 7 } };

    return update(sa, id, &values);
}

static enum ipsec_status
call_update_outbound(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_sa_context_update values = { .outbound_parts = IPSEC_UPDATE_MM_SA_ID,
                                                    .outbound = { .mm_sa_id = 9 } };

    return update(sa, id, &values);
}

static enum ipsec_status
call_update_traffic(const struct sa_fixture *sa, uint64_t id)
{
    const struct ipsec_sa_context_update values = {
        .parts = IPSEC_UPDATE_TRAFFIC,
        .traffic = { .local_address = address("192.0.2.9"),
                     .remote_address = address("198.51.100.9") },
    };

    return update(sa, id, &values);
}

static enum ipsec_status
call_update_labels(const struct sa_fixture *sa, uint64_t id)
{
    char name[] = "site";
    char value[] = "b";
    const struct ipsec_labels labels = { .count = 1,
                                         .pairs = { { .name = name, .value = value } } };
    const struct ipsec_sa_context_update values = { .parts = IPSEC_UPDATE_LABELS,
                                                    .labels = &labels };

    return update(sa, id, &values);
}

static enum ipsec_status
call_expire(const struct sa_fixture *sa, uint64_t id)
{
    return ipsec_sa_context_expire(sa->session, id);
}

static enum ipsec_status
call_delete(const struct sa_fixture *sa, uint64_t id)
{
    return ipsec_sa_context_delete_by_id(sa->session, id);
}

static enum ipsec_status
call_rotate(const struct sa_fixture *sa, uint64_t id)
{
    struct ipsec_sa_bundle_input input = gcm_bundle(0, 33);
    const struct ipsec_sa_context_options options = { .inbound = &input };
    struct ipsec_sa_context context;
    enum ipsec_status status = ipsec_sa_context_rotate(sa->session, id, &options, &context);

    ipsec_sa_context_unref(&context);
    bundle_clear(&input);
    return status;
}

static enum ipsec_status
call_get(const struct sa_fixture *sa, uint64_t id)
{
    struct ipsec_sa_context context;
    enum ipsec_status status = ipsec_sa_context_get_by_id(sa->session, id, &context);

    ipsec_sa_context_unref(&context);
    return status;
}

/* What each call says in each state, and what it leaves. */
struct cell {
    enum ipsec_status status;
    enum ipsec_sa_context_state after;
};
static const struct {
    const char *name;
    enum ipsec_status (*call)(const struct sa_fixture *sa, uint64_t id);
    struct cell cells[5]; /* CREATED to EXPIRING */
} rows[] = {
    { "GetSpi",
      call_get_spi,
      { { IPSEC_OK, SPI_SET },
        { IPSEC_OK, SPI_SET },
        { REFUSED, INBOUND },
        { REFUSED, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "SetSpi of another",
      call_set_spi,
      { { IPSEC_OK, SPI_SET },
        { REFUSED, SPI_SET },
        { REFUSED, INBOUND },
        { REFUSED, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "SetSpi of the same",
      call_set_own_spi,
      { { IPSEC_OK, SPI_SET },
        { IPSEC_OK, SPI_SET },
        { REFUSED, INBOUND },
        { REFUSED, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "AddInbound",
      call_add_inbound,
      { { REFUSED, CREATED },
        { IPSEC_OK, INBOUND },
        { REFUSED, INBOUND },
        { REFUSED, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "AddOutbound",
      call_add_outbound,
      { { REFUSED, CREATED },
        { REFUSED, SPI_SET },
        { IPSEC_OK, ACTIVE },
        { REFUSED, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "Update inbound",
      call_update_inbound,
      { { REFUSED, CREATED },
        { REFUSED, SPI_SET },
        { IPSEC_OK, INBOUND },
        { IPSEC_OK, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "Update outbound",
      call_update_outbound,
      { { REFUSED, CREATED },
        { REFUSED, SPI_SET },
        { REFUSED, INBOUND },
        { IPSEC_OK, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "Update traffic",
      call_update_traffic,
      { { REFUSED, CREATED },
        { REFUSED, SPI_SET },
        { REFUSED, INBOUND },
        { IPSEC_OK, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "Update labels",
      call_update_labels,
      { { IPSEC_OK, CREATED },
        { IPSEC_OK, SPI_SET },
        { IPSEC_OK, INBOUND },
        { IPSEC_OK, ACTIVE },
        { IPSEC_OK, EXPIRING } } },
    { "Expire",
      call_expire,
      { { IPSEC_OK, GONE },
        { IPSEC_OK, GONE },
        { IPSEC_OK, EXPIRING },
        { IPSEC_OK, EXPIRING },
        { IPSEC_OK, EXPIRING } } },
    { "Delete",
      call_delete,
      { { IPSEC_OK, GONE },
        { IPSEC_OK, GONE },
        { IPSEC_OK, GONE },
        { IPSEC_OK, GONE },
        { IPSEC_OK, GONE } } },
    { "Rotate",
      call_rotate,
      { { REFUSED, CREATED },
        { REFUSED, SPI_SET },
        { REFUSED, INBOUND },
        { IPSEC_OK, ACTIVE },
        { REFUSED, EXPIRING } } },
    { "GetById",
      call_get,
      { { IPSEC_OK, CREATED },
        { IPSEC_OK, SPI_SET },
        { IPSEC_OK, INBOUND },
        { IPSEC_OK, ACTIVE },
        { IPSEC_OK, EXPIRING } } },
};

static void
each_call_does_in_each_state_what_the_table_says(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (enum ipsec_sa_context_state before = CREATED; before <= EXPIRING; before++) {
            const struct cell *cell = &rows[i].cells[before];
            uint64_t id = context_in(&sa, before);

            settle(&sa);
            assert_int_equal(state_of(&sa, id), before);
            enum ipsec_status status = rows[i].call(&sa, id);
            if (status != cell->status || state_of(&sa, id) != cell->after)
                fail_msg("%s in state %d: %s, then state %d", rows[i].name, (int)before,
                         ipsec_status_name(status), (int)state_of(&sa, id));
            assert_int_equal(status == IPSEC_OK || sa.state->batch.change_count == 0, true);
            settle(&sa);
        }
    }
}

static void
gone_is_not_found_everywhere(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = new_context(&sa);

    assert_int_equal(call_delete(&sa, id), IPSEC_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(rows[i].call(&sa, id), IPSEC_NOT_FOUND);
        assert_int_equal(sa.base->fault.place, IPSEC_FAULT_PATH);
    }
}

static void
keying_needs_its_right_and_no_transaction(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = context_in(&sa, ACTIVE);
    uint32_t *granted = &sa.base->caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool reads = rows[i].call == call_get;

        sa.session->transaction = IPSEC_READ_TRANSACTION;
        assert_int_equal(rows[i].call(&sa, id), reads ? IPSEC_OK : IPSEC_TXN_IN_PROGRESS);
        sa.session->transaction = IPSEC_NO_TRANSACTION;
        *granted = 0;
        assert_int_equal(rows[i].call(&sa, id), IPSEC_ACCESS_DENIED);
        *granted = UINT32_MAX;
    }
    /* What keys a context may be done in a dynamic session, what makes or deletes one may not. */
    sa.session->flags = IPSEC_SESSION_DYNAMIC;
    assert_int_equal(call_rotate(&sa, id), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    assert_int_equal(call_delete(&sa, id), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    assert_int_equal(call_update_inbound(&sa, id), IPSEC_OK);
    assert_int_equal(call_expire(&sa, id), IPSEC_OK);
}

static void
getspi_is_for_one_traffic(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t other_filter = add_transport_filter(sa.base, IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    uint64_t v6_filter = add_transport_filter(sa.base, IPSEC_LAYER_INBOUND_TRANSPORT_V6);
    uint64_t id = new_context(&sa);
    struct ipsec_traffic whole = transport_traffic(sa.inbound_filter);
    struct ipsec_traffic other = whole;
    const struct {
        struct ipsec_traffic traffic;
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { { .ipsec_filter_id = 999 }, IPSEC_FILTER_NOT_FOUND, "/ipsecFilterId" },
        { { .ipsec_filter_id = sa.outbound_filter }, IPSEC_INCOMPATIBLE_LAYER, "/ipsecFilterId" },
        { { .ipsec_filter_id = v6_filter }, IPSEC_INCOMPATIBLE_LAYER, "/ipsecFilterId" },
        { { .ipsec_filter_id = sa.inbound_filter, .tunnel_policy_id = 4 },
          IPSEC_TRAFFIC_MISMATCH,
          "/tunnelPolicyId" },
        { { .ipsec_filter_id = sa.inbound_filter, .remote_port = 4 },
          IPSEC_TRAFFIC_MISMATCH,
          "/remotePort" },
    };
    uint32_t first = 0;
    uint32_t again = 0;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(ipsec_sa_context_get_spi(sa.session, id, &cases[i].traffic, &first),
                         cases[i].status);
        assert_string_equal(sa.base->fault.pointer, cases[i].pointer);
        assert_int_equal(sa.base->fault.place, IPSEC_FAULT_BODY);
    }
    other.remote_address = address("198.51.100.8");
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, id, &other, &first),
                     IPSEC_TRAFFIC_MISMATCH);
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, id, &whole, &first), IPSEC_OK);
    assert_true(first >= 256);
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, id, &whole, &again), IPSEC_OK);
    assert_int_equal(again, first);
    other = (struct ipsec_traffic){ .ipsec_filter_id = 0 };
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, id, &other, &again), IPSEC_OK);
    assert_int_equal(again, first);
    other.ipsec_filter_id = other_filter;
    assert_int_equal(ipsec_sa_context_get_spi(sa.session, id, &other, &again),
                     IPSEC_TRAFFIC_MISMATCH);
    assert_int_equal(sa_find(sa.state, id)->inbound_filter_id, sa.inbound_filter);
}

static void
without_a_mirrored_filter_the_caller_names_one(void **test_state)
{
    struct fixture *base = *test_state;
    uint64_t outbound = add_transport_filter(base, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_filter elsewhere = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    const struct ipsec_traffic none = { .ipsec_filter_id = 0 };
    uint64_t id = add_context(base, outbound);
    uint32_t spi = 0;

    assert_int_equal(ipsec_sa_context_get_spi(&base->session, id, &none, &spi), IPSEC_NULL_POINTER);
    elsewhere.condition_count = 1;
    elsewhere.conditions[0] =
        address_condition(IPSEC_CONDITION_IP_REMOTE_ADDRESS, "203.0.113.0", 24);
    const struct ipsec_traffic named = { .ipsec_filter_id = add_filter(base, &elsewhere) };
    assert_int_equal(ipsec_sa_context_get_spi(&base->session, id, &named, &spi),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(base->fault.pointer, "/ipsecFilterId");
}

static void
setspi_takes_what_is_free_and_not_reserved(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t owner = context_in(&sa, SPI_SET);
    uint64_t id = new_context(&sa);
    const struct ipsec_traffic traffic = { .ipsec_filter_id = sa.inbound_filter };

    assert_int_equal(ipsec_sa_context_set_spi(sa.session, id, &traffic, 0), IPSEC_OUT_OF_BOUNDS);
    assert_int_equal(ipsec_sa_context_set_spi(sa.session, id, &traffic, 255), IPSEC_OUT_OF_BOUNDS);
    assert_string_equal(sa.base->fault.pointer, "/spi");
    assert_int_equal(ipsec_sa_context_set_spi(sa.session, id, &traffic, spi_of(&sa, owner)),
                     IPSEC_ALREADY_EXISTS);
    assert_int_equal(ipsec_sa_context_set_spi(sa.session, id, &traffic, 256), IPSEC_OK);
    assert_int_equal(spi_of(&sa, id), 256);
    assert_int_equal(get_spi(&sa, id), 256);
}

static void
a_newer_outbound_sa_ends_the_older_of_its_traffic(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t first = context_in(&sa, ACTIVE);
    uint64_t second = context_in(&sa, INBOUND);
    struct ipsec_sa_bundle_input polite = gcm_bundle(PEER_SPI + 1, 120);
    struct ipsec_statistics statistics;

    assert_int_equal(state_of(&sa, first), ACTIVE);
    polite.bundle.flags = IPSEC_SA_BUNDLE_SUPPRESS_DUPLICATE_DELETION;
    assert_int_equal(try_outbound(&sa, second, &polite), IPSEC_OK);
    bundle_clear(&polite);
    assert_int_equal(state_of(&sa, first), ACTIVE);
    uint64_t third = context_in(&sa, ACTIVE);
    assert_int_equal(state_of(&sa, first), EXPIRING);
    assert_int_equal(state_of(&sa, second), EXPIRING);
    assert_int_equal(state_of(&sa, third), ACTIVE);
    assert_null(sa_find(sa.state, first)->outbound);
    assert_non_null(sa_find(sa.state, first)->inbound);

    /* Another remote address is other traffic. */
    const struct ipsec_traffic elsewhere = {
        .local_address = address("192.0.2.1"),
        .remote_address = address("198.51.100.8"),
        .ipsec_filter_id = sa.outbound_filter,
    };
    uint64_t other = 0;
    assert_int_equal(ipsec_sa_context_create(sa.session, &elsewhere, NULL, &other), IPSEC_OK);
    add_inbound(&sa, other, get_spi(&sa, other));
    add_outbound(&sa, other);
    assert_int_equal(state_of(&sa, third), ACTIVE);

    assert_int_equal(ipsec_get_statistics(sa.session, &statistics), IPSEC_OK);
    assert_int_equal(statistics.active_sas, 2);
    assert_int_equal(statistics.pending_sa_negotiations, 0);
    assert_int_equal(statistics.total_sas_added, 4);
    assert_int_equal(statistics.total_sas_deleted, 2);
    assert_int_equal(statistics.successful_rekeys, 2);
    state_undo(sa.state, (struct batch_mark){ .change_count = 0 });
    assert_int_equal(ipsec_get_statistics(sa.session, &statistics), IPSEC_OK);
    assert_int_equal(statistics.total_sas_added + statistics.total_sas_deleted +
                         statistics.successful_rekeys + statistics.active_sas,
                     0);
}

static void
a_successor_ends_its_predecessor(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(0, 33);
    struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI + 7, 77);
    struct ipsec_sa_context_options options = { .inbound = NULL };
    struct ipsec_sa_context successor;

    assert_int_equal(call_update_labels(&sa, context_in(&sa, ACTIVE)), IPSEC_OK);
    uint64_t old = sa.state->luids.last;
    assert_int_equal(ipsec_sa_context_rotate(sa.session, old, &options, &successor),
                     IPSEC_NULL_POINTER);
    assert_string_equal(sa.base->fault.pointer, "/inbound");
    options.inbound = &inbound;
    assert_int_equal(ipsec_sa_context_rotate(sa.session, old, &options, &successor), IPSEC_OK);
    assert_int_equal(successor.state, INBOUND);
    assert_int_equal(successor.predecessor_id, old);
    assert_int_equal(successor.inbound_filter_id, sa.inbound_filter);
    assert_true(successor.spi >= 256 && successor.spi != spi_of(&sa, old));
    assert_int_equal(successor.inbound->sas[0].spi, successor.spi);
    assert_string_equal(successor.labels->pairs[0].value, "b");
    assert_int_equal(state_of(&sa, old), ACTIVE);

    /* Whatever the flags say. */
    outbound.bundle.flags = IPSEC_SA_BUNDLE_SUPPRESS_DUPLICATE_DELETION;
    assert_int_equal(try_outbound(&sa, successor.id, &outbound), IPSEC_OK);
    assert_int_equal(state_of(&sa, old), EXPIRING);
    assert_int_equal(state_of(&sa, successor.id), ACTIVE);
    ipsec_sa_context_unref(&successor);
    bundle_clear(&inbound);
    bundle_clear(&outbound);
}

/* Nothing tells a repeated rotation from a second one but the Idempotency-Key of the request. */
static void
two_rotations_make_two_successors(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    struct ipsec_sa_bundle_input inbounds[] = { gcm_bundle(0, 33), gcm_bundle(0, 44) };
    struct ipsec_sa_bundle_input outbounds[] = { gcm_bundle(PEER_SPI + 7, 77),
                                                 gcm_bundle(PEER_SPI + 8, 88) };
    struct ipsec_sa_context successors[2];
    uint64_t old = context_in(&sa, ACTIVE);

    for (size_t i = 0; i < 2; i++) {
        const struct ipsec_sa_context_options options = { .inbound = &inbounds[i] };

        assert_int_equal(ipsec_sa_context_rotate(sa.session, old, &options, &successors[i]),
                         IPSEC_OK);
        assert_int_equal(successors[i].predecessor_id, old);
        assert_int_equal(state_of(&sa, successors[i].id), INBOUND);
    }
    assert_true(successors[0].spi != successors[1].spi);

    assert_int_equal(try_outbound(&sa, successors[0].id, &outbounds[0]), IPSEC_OK);
    assert_int_equal(state_of(&sa, old), EXPIRING);
    assert_int_equal(state_of(&sa, successors[1].id), INBOUND);
    /* The traffic is the same, so this one is a duplicate. */
    assert_int_equal(try_outbound(&sa, successors[1].id, &outbounds[1]), IPSEC_OK);
    assert_int_equal(state_of(&sa, successors[0].id), EXPIRING);
    assert_int_equal(state_of(&sa, successors[1].id), ACTIVE);
    for (size_t i = 0; i < 2; i++) {
        ipsec_sa_context_unref(&successors[i]);
        bundle_clear(&inbounds[i]);
        bundle_clear(&outbounds[i]);
    }
}

static void
one_call_makes_a_keyed_context_or_none(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    const struct ipsec_traffic traffic = transport_traffic(sa.outbound_filter);
    struct ipsec_sa_bundle_input inbound = gcm_bundle(0, 1);
    struct ipsec_sa_bundle_input outbound = gcm_bundle(PEER_SPI, 101);
    struct ipsec_sa_bundle_input same_key = gcm_bundle(PEER_SPI, 1);
    struct ipsec_sa_bundle_input low_spi = gcm_bundle(255, 101);
    const struct {
        struct ipsec_sa_context_options options;
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { { .spi = 5 }, IPSEC_OUT_OF_BOUNDS, "/spi" },
        { { .spi = 500, .wants_spi = true }, IPSEC_INVALID_PARAMETER, "/getSpi" },
        { { .wants_spi = true, .inbound_filter_id = 99 },
          IPSEC_FILTER_NOT_FOUND,
          "/inboundFilterId" },
        { { .inbound = &inbound }, IPSEC_INCOMPATIBLE_SA_STATE, "/inbound" },
        { { .wants_spi = true, .outbound = &outbound }, IPSEC_INCOMPATIBLE_SA_STATE, "/outbound" },
        { { .wants_spi = true, .inbound = &inbound, .outbound = &low_spi },
          IPSEC_OUT_OF_BOUNDS,
          "/outbound/saList/0/spi" },
        { { .wants_spi = true, .inbound = &inbound, .outbound = &same_key },
          IPSEC_INVALID_CIPHER_TRANSFORM,
          "/outbound/saList/0/cipherKey" },
    };
    const struct ipsec_sa_context_options all = { .wants_spi = true,
                                                  .inbound = &inbound,
                                                  .outbound = &outbound };
    struct ipsec_sa_context context;

    settle(&sa);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct batch_mark mark = batch_mark(&sa.state->batch);

        assert_int_equal(
            ipsec_sa_context_create_with(sa.session, &traffic, &cases[i].options, &context),
            cases[i].status);
        assert_string_equal(sa.base->fault.pointer, cases[i].pointer);
        assert_null(context.inbound);
        state_undo(sa.state, mark);
        assert_int_equal(sa.state->contexts.count, 0);
        assert_int_equal(sa.state->sa.spis.taken, 0);
    }
    assert_int_equal(ipsec_sa_context_create_with(sa.session, &traffic, &all, &context), IPSEC_OK);
    assert_int_equal(context.state, ACTIVE);
    assert_int_equal(context.inbound->sas[0].spi, context.spi);
    assert_int_equal(context.inbound->sas[0].cipher_key_length, 20);
    assert_int_equal(context.inbound->sas[0].auth_key_length, 0);
    assert_int_equal(sa.state->batch.event_count, 1);
    assert_int_equal(sa.state->batch.plane.action_count, 2);
    ipsec_sa_context_unref(&context);

    /* The second one replaces the first. */
    assert_int_equal(ipsec_sa_context_create_with(sa.session, &traffic, &all, &context), IPSEC_OK);
    assert_int_equal(state_of(&sa, context.id - 1), EXPIRING);
    ipsec_sa_context_unref(&context);
    bundle_clear(&inbound);
    bundle_clear(&outbound);
    bundle_clear(&same_key);
    bundle_clear(&low_spi);
}

static void
if_match_is_asked_of_the_context(void **test_state)
{
    struct sa_fixture sa = sa_begin(test_state);
    uint64_t id = context_in(&sa, ACTIVE);
    struct ipsec_call call = { .if_match = { sa_find(sa.state, id)->revision + 1 },
                               .if_match_count = 1 };

    sa.session->call = &call;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].call != call_get)
            assert_int_equal(rows[i].call(&sa, id), IPSEC_HTTP_PRECONDITION_FAILED);
    }
    call.if_match[0] = sa_find(sa.state, id)->revision;
    assert_int_equal(call_update_inbound(&sa, id), IPSEC_OK);
    assert_int_equal(call_update_inbound(&sa, id), IPSEC_HTTP_PRECONDITION_FAILED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_call_does_in_each_state_what_the_table_says),
        FIXTURE_TEST(gone_is_not_found_everywhere),
        FIXTURE_TEST(keying_needs_its_right_and_no_transaction),
        FIXTURE_TEST(getspi_is_for_one_traffic),
        FIXTURE_TEST(without_a_mirrored_filter_the_caller_names_one),
        FIXTURE_TEST(setspi_takes_what_is_free_and_not_reserved),
        FIXTURE_TEST(a_newer_outbound_sa_ends_the_older_of_its_traffic),
        FIXTURE_TEST(a_successor_ends_its_predecessor),
        FIXTURE_TEST(two_rotations_make_two_successors),
        FIXTURE_TEST(one_call_makes_a_keyed_context_or_none),
        FIXTURE_TEST(if_match_is_asked_of_the_context),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
