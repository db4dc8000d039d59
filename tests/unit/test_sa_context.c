/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sa_context.c: creating, reading, listing and deleting SA contexts. */
#include "engine/sa_context.h"

#include "tests/unit/engine_fixture.h"

static enum ipsec_status
create(struct fixture *fixture, const struct ipsec_traffic *traffic)
{
    uint64_t inbound;
    uint64_t id;

    return ipsec_sa_context_create(&fixture->session, traffic, &inbound, &id);
}

static void
session_then_rights_then_members_then_references_then_meaning(void **state)
{
    struct fixture *fixture = *state;
    uint64_t filter = add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    size_t changes = fixture->state.batch.change_count;
    struct ipsec_traffic traffic = transport_traffic(filter + 1); /* names no filter */

    /* All is wrong at once; each step mends the first. */
    fixture->session.transaction = IPSEC_WRITE_TRANSACTION;
    fixture->session.flags = IPSEC_SESSION_DYNAMIC;
    fixture->caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE] = 0;
    traffic.remote_address = address("224.0.0.1");
    traffic.ip_version = 2;
    fixture->state.max_contexts = 1;
    assert_int_equal(create(fixture, &traffic), IPSEC_TXN_IN_PROGRESS);
    fixture->session.transaction = IPSEC_NO_TRANSACTION;
    assert_int_equal(create(fixture, &traffic), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    fixture->session.flags = 0;
    assert_int_equal(create(fixture, &traffic), IPSEC_ACCESS_DENIED);
    fixture->caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE] = FWPM_ACTRL_ADD;
    assert_int_equal(create(fixture, &traffic), IPSEC_INVALID_ENUMERATOR);
    traffic.ip_version = IPSEC_IP_VERSION_V4;
    assert_int_equal(create(fixture, &traffic), IPSEC_FILTER_NOT_FOUND);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_BODY);
    assert_string_equal(fixture->fault.pointer, "/ipsecFilterId");
    traffic.ipsec_filter_id = filter;
    assert_int_equal(create(fixture, &traffic), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/remoteAddress");
    traffic.remote_address = address("198.51.100.7");
    assert_int_equal(fixture->state.batch.change_count, changes);
    assert_int_equal(create(fixture, &traffic), IPSEC_OK);
    assert_int_equal(create(fixture, &traffic), IPSEC_RPC_OUT_OF_RESOURCES);
    assert_int_equal(fixture->state.contexts.count, 1);
}

static void
a_filter_the_caller_may_not_read_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_traffic traffic =
        transport_traffic(add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4));

    fixture->caller.rights.granted[IPSEC_CONTAINER_FILTERS] = ~(uint32_t)FWPM_ACTRL_READ;
    assert_int_equal(create(fixture, &traffic), IPSEC_FILTER_NOT_FOUND);
}

static void
a_filter_that_does_not_suit_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_traffic traffic =
        transport_traffic(add_transport_filter(fixture, IPSEC_LAYER_INBOUND_TRANSPORT_V4));

    assert_int_equal(create(fixture, &traffic), IPSEC_INCOMPATIBLE_LAYER);
    assert_string_equal(fixture->fault.pointer, "/ipsecFilterId");
}

static void
a_tunnel_policy_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_traffic traffic = transport_traffic(0);

    traffic.type = IPSEC_TRAFFIC_TYPE_TUNNEL;
    traffic.tunnel_policy_id = add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    traffic.remote_port = 80; /* no tunnel's, but what it refers to comes first */
    assert_int_equal(create(fixture, &traffic), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_BODY);
    assert_string_equal(fixture->fault.pointer, "/tunnelPolicyId");
}

static void
a_context_is_what_was_asked_for(void **state)
{
    struct fixture *fixture = *state;
    uint64_t filter = add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_traffic traffic = transport_traffic(filter);
    struct ipsec_sa_context context;
    uint64_t id = 0;

    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, NULL, &id), IPSEC_OK);
    assert_true(id > filter);
    assert_int_equal(ipsec_sa_context_get_by_id(&fixture->session, id, &context), IPSEC_OK);
    assert_int_equal(context.id, id);
    assert_memory_equal(&context.outbound_traffic.remote_address, &traffic.remote_address,
                        sizeof(uint8_t[16]));
    assert_int_equal(context.outbound_traffic.ipsec_filter_id, filter);
    assert_int_equal(context.inbound_filter_id, 0);
    assert_int_equal(context.created_at_ms, fixture->state.now_ms);
    assert_int_equal(context.created_by, 1);
    assert_int_equal(context.revision, fixture->state.revision);
    assert_int_equal(context.state, IPSEC_SA_CONTEXT_CREATED);
    assert_int_equal(fixture->state.contexts_by_state[IPSEC_SA_CONTEXT_CREATED], 1);
}

static void
the_inbound_filter_mirrors_the_effective_traffic(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    filter.condition_count = 1;
    filter.conditions[0] = number_condition(IPSEC_CONDITION_IP_PROTOCOL, 6);
    uint64_t tcp_out = add_filter(fixture, &filter);
    filter.condition_count = 0;
    uint64_t any_out = add_filter(fixture, &filter);

    filter = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    filter.condition_count = 2;
    filter.conditions[0] = address_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS, "192.0.2.0", 24);
    filter.conditions[1] = number_condition(IPSEC_CONDITION_IP_PROTOCOL, 6);
    uint64_t tcp_in = add_filter(fixture, &filter);
    filter.condition_count = 3;
    filter.conditions[2] = number_condition(IPSEC_CONDITION_IP_LOCAL_PORT, 5432);
    uint64_t database_in = add_filter(fixture, &filter);

    const struct {
        uint64_t outbound_filter;
        uint16_t local_port;
        uint8_t protocol;
        uint64_t expected;
    } cases[] = {
        { any_out, 0, 0, 0 }, /* the protocol is not known */
        { any_out, 0, 17, 0 },
        { any_out, 0, 6, tcp_in },
        { tcp_out, 0, 0, tcp_in },         /* the protocol is the outbound filter's */
        { tcp_out, 5432, 0, database_in }, /* more specific, so heavier */
        { tcp_out, 5433, 0, tcp_in },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipsec_traffic traffic = transport_traffic(cases[i].outbound_filter);
        uint64_t inbound = 99;
        uint64_t id;

        traffic.local_port = cases[i].local_port;
        traffic.ip_protocol = cases[i].protocol;
        assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &inbound, &id),
                         IPSEC_OK);
        assert_int_equal(inbound, cases[i].expected);
    }

    /* An inbound filter with another action classifies nothing for IPsec. */
    filter.condition_count = 0;
    filter.action = IPSEC_ACTION_PERMIT;
    filter.callout = IPSEC_CALLOUT_NONE;
    filter.weight_type = IPSEC_WEIGHT_RANGE;
    filter.weight = 15;
    (void)add_filter(fixture, &filter);
    struct ipsec_traffic traffic = transport_traffic(tcp_out);
    uint64_t inbound = 99;
    uint64_t id;
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &inbound, &id), IPSEC_OK);
    assert_int_equal(inbound, tcp_in);
}

static void
reading_and_deleting_need_their_rights(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    uint64_t id =
        add_context(fixture, add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4));
    uint32_t *granted = &fixture->caller.rights.granted[IPSEC_CONTAINER_SA_DATABASE];
    const struct ipsec_sa_context_template all = { .state_given = false };
    struct ipsec_sa_context_page page;
    struct ipsec_sa_context context;

    *granted = ~(uint32_t)FWPM_ACTRL_READ;
    assert_int_equal(ipsec_sa_context_get_by_id(session, id, &context), IPSEC_ACCESS_DENIED);
    assert_int_equal(ipsec_sa_context_enum(session, &all, 0, 10, &page), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_ENUM;
    assert_int_equal(ipsec_sa_context_enum(session, &all, 0, 10, &page), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)RIGHT_DELETE;
    assert_int_equal(ipsec_sa_context_delete_by_id(session, id), IPSEC_ACCESS_DENIED);
    session->flags = IPSEC_SESSION_DYNAMIC;
    assert_int_equal(ipsec_sa_context_delete_by_id(session, id), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    session->transaction = IPSEC_READ_TRANSACTION;
    assert_int_equal(ipsec_sa_context_delete_by_id(session, id), IPSEC_TXN_IN_PROGRESS);
    /* Reading is no part of the transaction and allowed in it. */
    assert_int_equal(ipsec_sa_context_get_by_id(session, id, &context), IPSEC_OK);
}

static void
a_deleted_context_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    uint64_t id =
        add_context(fixture, add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4));
    struct ipsec_sa_context context;

    assert_int_equal(ipsec_sa_context_delete_by_id(session, id + 1), IPSEC_NOT_FOUND);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_PATH);
    assert_int_equal(ipsec_sa_context_delete_by_id(session, id), IPSEC_OK);
    assert_int_equal(ipsec_sa_context_delete_by_id(session, id), IPSEC_NOT_FOUND);
    assert_int_equal(ipsec_sa_context_get_by_id(session, id, &context), IPSEC_NOT_FOUND);
    assert_int_equal(fixture->state.contexts_by_state[IPSEC_SA_CONTEXT_CREATED], 0);
}

static void
a_template_that_can_t_be_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_subnet v4 = { .given = true, .prefix_length = 32 };
    struct ipsec_subnet v6 = { .given = true, .ip_version = IPSEC_IP_VERSION_V6 };
    struct ipsec_subnet long_v4 = { .given = true, .prefix_length = 33 };
    struct ipsec_subnet long_v6 = { .given = true,
                                    .ip_version = IPSEC_IP_VERSION_V6,
                                    .prefix_length = 129 };
    struct ipsec_subnet neither = { .given = true, .ip_version = 2 };
    const struct {
        struct ipsec_sa_context_template match;
        size_t limit;
        enum ipsec_status status;
        const char *name;
    } cases[] = {
        { { .local_subnet = v4, .remote_subnet = v6 }, 1, IPSEC_NEVER_MATCH, "remoteAddress" },
        { { .local_subnet = long_v4 }, 1, IPSEC_INVALID_NET_MASK, "localAddress" },
        { { .remote_subnet = long_v6 }, 1, IPSEC_INVALID_NET_MASK, "remoteAddress" },
        { { .remote_subnet = neither }, 1, IPSEC_INVALID_ENUMERATOR, "remoteAddress" },
        { { .state_given = true, .state = IPSEC_SA_CONTEXT_STATE_COUNT },
          1,
          IPSEC_INVALID_ENUMERATOR,
          "state" },
        { { .state_given = false }, 0, IPSEC_OUT_OF_BOUNDS, "limit" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipsec_sa_context_page page;

        assert_int_equal(
            ipsec_sa_context_enum(&fixture->session, &cases[i].match, 0, cases[i].limit, &page),
            cases[i].status);
        assert_string_equal(fixture->fault.pointer, cases[i].name);
        assert_int_equal(fixture->fault.place, IPSEC_FAULT_QUERY);
    }
}

/* How many contexts the template shows, walked in pages of 'limit'. */
static size_t
count_matches(struct fixture *fixture, const struct ipsec_sa_context_template *match, size_t limit)
{
    uint64_t after = 0;
    uint64_t last = 0;
    size_t count = 0;

    do {
        struct ipsec_sa_context_page page;

        assert_int_equal(ipsec_sa_context_enum(&fixture->session, match, after, limit, &page),
                         IPSEC_OK);
        assert_true(page.context_count <= limit);
        for (size_t i = 0; i < page.context_count; i++) {
            assert_true(page.contexts[i].id > last);
            last = page.contexts[i].id;
        }
        count += page.context_count;
        after = page.next;
        ipsec_sa_context_page_clear(&page);
    } while (after != 0);
    return count;
}

static void
pages_show_what_matches_once_in_id_order(void **state)
{
    struct fixture *fixture = *state;
    uint64_t filter = add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_sa_context_template all = { .state_given = false };
    struct ipsec_sa_context_template match = all;

    assert_int_equal(count_matches(fixture, &all, 10), 0);
    for (uint8_t i = 1; i <= 100; i++) {
        struct ipsec_traffic traffic = transport_traffic(filter);

        traffic.remote_address.bytes[3] = i;
        assert_int_equal(create(fixture, &traffic), IPSEC_OK);
    }
    for (size_t limit = 1; limit <= 101; limit += 10)
        assert_int_equal(count_matches(fixture, &all, limit), 100);
    assert_int_equal(count_matches(fixture, &all, SIZE_MAX), 100);

    match.remote_subnet = (struct ipsec_subnet){ .given = true,
                                                 .prefix_length = 28,
                                                 .address = address("198.51.100.16") };
    assert_int_equal(count_matches(fixture, &match, 3), 16);
    match.local_subnet = (struct ipsec_subnet){ .given = true,
                                                .prefix_length = 32,
                                                .address = address("192.0.2.2") };
    assert_int_equal(count_matches(fixture, &match, 3), 0);
    match = all;
    match.state_given = true;
    match.state = IPSEC_SA_CONTEXT_ACTIVE;
    assert_int_equal(count_matches(fixture, &match, 3), 0);
    match.state = IPSEC_SA_CONTEXT_CREATED;
    assert_int_equal(count_matches(fixture, &match, 3), 100);
}

static void
one_call_and_one_batch_look_at_a_bounded_number(void **state)
{
    struct fixture *fixture = *state;
    uint64_t filter = add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_sa_context_template active = { .state_given = true,
                                                      .state = IPSEC_SA_CONTEXT_ACTIVE };
    struct ipsec_sa_context_page page;

    for (int i = 0; i < 50000; i++)
        (void)add_context(fixture, filter);
    assert_int_equal(ipsec_sa_context_enum(&fixture->session, &active, 0, 10, &page), IPSEC_OK);
    assert_int_equal(page.context_count, 0);
    assert_int_equal(page.next, filter + 20000);
    ipsec_sa_context_page_clear(&page);

    /* All calls of a batch have one measure too, and yet each gets on. */
    uint64_t after = 0;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ipsec_sa_context_enum(&fixture->session, &active, 0, 10, &page), IPSEC_OK);
        assert_true(page.next > filter);
        after = page.next;
        ipsec_sa_context_page_clear(&page);
    }
    assert_in_range(after, filter + 1, filter + 100);
    assert_in_range(fixture->state.scanned, 50000, 60000);
    state_begin_batch(&fixture->state, fixture->state.now_ms, fixture->state.clock_ms);
    assert_int_equal(ipsec_sa_context_enum(&fixture->session, &active, 0, 10, &page), IPSEC_OK);
    assert_int_equal(page.next, filter + 20000);
    ipsec_sa_context_page_clear(&page);
    assert_int_equal(count_matches(fixture, &active, 10), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(session_then_rights_then_members_then_references_then_meaning),
        FIXTURE_TEST(a_filter_the_caller_may_not_read_is_not_found),
        FIXTURE_TEST(a_filter_that_does_not_suit_is_refused),
        FIXTURE_TEST(a_tunnel_policy_is_not_found),
        FIXTURE_TEST(a_context_is_what_was_asked_for),
        FIXTURE_TEST(the_inbound_filter_mirrors_the_effective_traffic),
        FIXTURE_TEST(reading_and_deleting_need_their_rights),
        FIXTURE_TEST(a_deleted_context_is_not_found),
        FIXTURE_TEST(a_template_that_can_t_be_is_refused),
        FIXTURE_TEST(pages_show_what_matches_once_in_id_order),
        FIXTURE_TEST(one_call_and_one_batch_look_at_a_bounded_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
