/* SPDX-License-Identifier: Apache-2.0
 *
 * test_tunnel.c: tunnels: one call makes policy and filters, one call takes them away. */
#include "engine/filter.h"
#include "engine/guid.h"
#include "engine/provider_context.h"
#include "tests/unit/provider_context_fixture.h"

static struct ipsec_tunnel
make_tunnel(const struct ipsec_provider_context *policy)
{
    struct ipsec_tunnel tunnel = {
        .tunnel_policy = policy,
        .condition_count = 2,
        .ip_version = IPSEC_IP_VERSION_V4,
    };

    tunnel.conditions[0] = address_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS, "10.1.0.0", 16);
    tunnel.conditions[1] = address_condition(IPSEC_CONDITION_IP_REMOTE_ADDRESS, "10.2.0.0", 16);
    return tunnel;
}

static struct ipsec_provider_context
main_mode_policy(void)
{
    static char name[] = "who we are";
    static char policy[] = "{\"softExpirationTime\":1}";

    return (struct ipsec_provider_context){
        .name = name,
        .type = IPSEC_CONTEXT_IKE_MM,
        .policy = policy,
    };
}

static struct ipsec_tunnel_made
add_tunnel(struct ipsec_session *session, const struct ipsec_tunnel *tunnel)
{
    struct ipsec_tunnel_made made;

    assert_int_equal(ipsec_tunnel_add(session, tunnel, &made), IPSEC_OK);
    return made;
}

static const struct ipsec_filter *
filter_of(const struct fixture *fixture, uint64_t id)
{
    return filter_table_find(&fixture->state.filters, id)->filter;
}

/* Member by member: there is padding between them. */
static void
assert_same(const struct ipsec_tunnel_made *a, const struct ipsec_tunnel_made *b)
{
    assert_int_equal(a->id, b->id);
    assert_memory_equal(&a->key, &b->key, sizeof a->key);
    assert_int_equal(a->revision, b->revision);
    assert_int_equal(a->main_mode_id, b->main_mode_id);
    assert_int_equal(a->filter_count, b->filter_count);
    assert_memory_equal(a->filter_ids, b->filter_ids, a->filter_count * sizeof *a->filter_ids);
}

static void
assert_nothing_left(const struct fixture *fixture)
{
    assert_int_equal(fixture->state.filters.ids.count, 0);
    assert_int_equal(fixture->state.filters.keys.count, 0);
    assert_int_equal(fixture->state.provider_contexts.ids.count, 0);
    assert_int_equal(fixture->state.provider_contexts.keys.count, 0);
}

static void
a_tunnel_of_networks_has_transport_and_forward_filters(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_tunnel tunnel = make_tunnel(&policy);
    const struct ipsec_tunnel_made made = add_tunnel(&fixture->session, &tunnel);
    static const struct {
        uint8_t layer;
        uint8_t callout;
        uint8_t sub_layer;
        uint8_t local_network; /* the second byte of what local or source must be in */
    } expected[] = {
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4,
          IPSEC_SUB_LAYER_IPSEC_TUNNEL, 1 },
        { IPSEC_LAYER_INBOUND_TRANSPORT_V4, IPSEC_CALLOUT_INBOUND_TUNNEL_V4,
          IPSEC_SUB_LAYER_IPSEC_TUNNEL, 1 },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4,
          IPSEC_SUB_LAYER_IPSEC_FORWARD_OUTBOUND_TUNNEL, 1 },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V4,
          IPSEC_SUB_LAYER_IPSEC_TUNNEL, 2 },
    };

    assert_int_equal(made.filter_count, 4);
    assert_int_equal(made.main_mode_id, 0);
    for (size_t i = 0; i < 4; i++) {
        const struct ipsec_filter *filter = filter_of(fixture, made.filter_ids[i]);
        const struct ipsec_condition *local =
            filter_condition(filter, IPSEC_CONDITION_IP_LOCAL_ADDRESS);
        const struct ipsec_condition *remote =
            filter_condition(filter, IPSEC_CONDITION_IP_REMOTE_ADDRESS);

        assert_int_equal(filter->layer, expected[i].layer);
        assert_int_equal(filter->callout, expected[i].callout);
        assert_int_equal(filter->sub_layer, expected[i].sub_layer);
        assert_int_equal(filter->action, IPSEC_ACTION_CALLOUT_TERMINATING);
        assert_int_equal(filter->tunnel_id, made.id);
        assert_int_equal(filter->provider_context_id, made.id);
        assert_memory_equal(&filter->provider_context_key, &made.key, sizeof made.key);
        assert_int_equal(local->address.bytes[1], expected[i].local_network);
        assert_int_equal(remote->address.bytes[1], 3 - expected[i].local_network);
        assert_int_equal(local->prefix_length, 16);
    }
    assert_int_equal(count_changes(fixture, STORE_PUT_FILTER), 4);
    assert_int_equal(count_changes(fixture, STORE_PUT_PROVIDER_CONTEXT), 1);
}

static void
a_tunnel_between_two_points_has_no_forward_filters(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_provider_context policy = tunnel_policy();
    struct ipsec_tunnel tunnel = make_tunnel(&policy);
    struct ipsec_tunnel_made again;

    tunnel.flags = IPSEC_TUNNEL_POINT_TO_POINT;
    tunnel.conditions[tunnel.condition_count++] = number_condition(IPSEC_CONDITION_IP_PROTOCOL, 6);
    const struct ipsec_tunnel_made made = add_tunnel(&fixture->session, &tunnel);
    assert_int_equal(made.filter_count, 2);
    assert_int_equal(ipsec_tunnel_get(&fixture->session, made.id, &again), IPSEC_OK);
    assert_same(&again, &made);
    assert_int_equal(ipsec_tunnel_delete(&fixture->session, made.id), IPSEC_OK);
    assert_int_equal(ipsec_tunnel_get(&fixture->session, made.id, &again),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    end_batch(fixture);
    assert_nothing_left(fixture);
}

static void
a_main_mode_policy_comes_and_goes_with_its_tunnel(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_provider_context main_mode = main_mode_policy();
    struct ipsec_tunnel tunnel = make_tunnel(&policy);
    struct ipsec_tunnel_made again;

    policy.ip_version = IPSEC_IP_VERSION_V6;
    policy.local_endpoint = address("2001:db8::1");
    policy.remote_endpoint = address("2001:db8::2");
    tunnel.main_mode_policy = &main_mode;
    const struct ipsec_tunnel_made made = add_tunnel(&fixture->session, &tunnel);
    assert_int_equal(made.filter_count, 5);
    assert_int_not_equal(made.main_mode_id, 0);
    const struct ipsec_filter *filter = filter_of(fixture, made.filter_ids[4]);
    assert_int_equal(filter->layer, IPSEC_LAYER_IKEEXT_V6);
    assert_int_equal(filter->provider_context_id, made.main_mode_id);
    assert_memory_equal(&filter->conditions[1].address, &policy.remote_endpoint, 16);
    assert_int_equal(ipsec_tunnel_get(&fixture->session, made.id, &again), IPSEC_OK);
    assert_int_equal(again.main_mode_id, made.main_mode_id);
    assert_int_equal(ipsec_tunnel_delete(&fixture->session, made.main_mode_id),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    end_batch(fixture);
    assert_int_equal(ipsec_tunnel_delete(&fixture->session, made.id), IPSEC_OK);
    assert_int_equal(count_changes(fixture, STORE_DELETE_FILTER), 5);
    assert_int_equal(count_changes(fixture, STORE_DELETE_PROVIDER_CONTEXT), 2);
    end_batch(fixture);
    assert_nothing_left(fixture);
}

static void
no_part_goes_alone(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_provider_context main_mode = main_mode_policy();
    struct ipsec_tunnel tunnel = make_tunnel(&policy);

    tunnel.main_mode_policy = &main_mode;
    const struct ipsec_tunnel_made made = add_tunnel(&fixture->session, &tunnel);
    for (size_t i = 0; i < made.filter_count; i++) {
        assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, made.filter_ids[i]),
                         IPSEC_IN_USE);
        assert_int_equal(ipsec_filter_delete_by_id(&dynamic, made.filter_ids[i]),
                         IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
    }
    assert_int_equal(ipsec_provider_context_delete_by_id(&fixture->session, made.id), IPSEC_IN_USE);
    assert_int_equal(ipsec_provider_context_delete_by_id(&fixture->session, made.main_mode_id),
                     IPSEC_IN_USE);
    assert_int_equal(ipsec_tunnel_delete(&dynamic, made.id), IPSEC_DYNAMIC_SESSION_IN_PROGRESS);
}

static void
a_tunnel_in_use_stays_whole(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_tunnel tunnel = make_tunnel(&policy);
    const struct ipsec_tunnel_made made = add_tunnel(&fixture->session, &tunnel);
    const struct ipsec_traffic traffic = tunnel_traffic(made.id);
    struct ipsec_tunnel_made again;
    uint64_t context;

    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, NULL, &context),
                     IPSEC_OK);
    end_batch(fixture);
    assert_int_equal(ipsec_tunnel_delete(&fixture->session, made.id), IPSEC_IN_USE);
    assert_int_equal(ipsec_tunnel_get(&fixture->session, made.id, &again), IPSEC_OK);
    assert_same(&again, &made);
    assert_int_equal(fixture->state.batch.change_count, 0);
    assert_int_equal(ipsec_sa_context_delete_by_id(&fixture->session, context), IPSEC_OK);

    /* A filter of somebody else's may go by the policy, too. */
    const struct ipsec_filter filter = tunnel_filter(&fixture->session, made.id);
    uint64_t other = add_filter(fixture, &filter);
    assert_int_equal(ipsec_tunnel_delete(&fixture->session, made.id), IPSEC_IN_USE);
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, other), IPSEC_OK);
    assert_int_equal(ipsec_tunnel_delete(&fixture->session, made.id), IPSEC_OK);
    end_batch(fixture);
    assert_nothing_left(fixture);
}

static void
flaws_are_named_and_leave_no_trace(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_provider_context policy = tunnel_policy();
    struct ipsec_provider_context main_mode = main_mode_policy();
    const struct ipsec_tunnel good = make_tunnel(&policy);
    struct ipsec_tunnel tunnel = good;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_tunnel_made made;

    tunnel.tunnel_policy = NULL;
    assert_int_equal(ipsec_tunnel_add(session, &tunnel, &made), IPSEC_NULL_POINTER);
    assert_string_equal(fixture->fault.pointer, "/tunnelPolicy");
    tunnel = good;
    tunnel.flags = 2;
    assert_int_equal(ipsec_tunnel_add(session, &tunnel, &made), IPSEC_INVALID_FLAGS);
    tunnel = good;
    tunnel.ip_version = 2;
    assert_int_equal(ipsec_tunnel_add(session, &tunnel, &made), IPSEC_INVALID_ENUMERATOR);
    tunnel = good;
    tunnel.tunnel_policy = &main_mode;
    assert_int_equal(ipsec_tunnel_add(session, &tunnel, &made), IPSEC_PROVIDER_CONTEXT_MISMATCH);
    assert_string_equal(fixture->fault.pointer, "/tunnelPolicy/type");
    tunnel = good;
    tunnel.main_mode_policy = &policy;
    assert_int_equal(ipsec_tunnel_add(session, &tunnel, &made), IPSEC_PROVIDER_CONTEXT_MISMATCH);
    assert_string_equal(fixture->fault.pointer, "/mainModePolicy/type");
    tunnel = good;
    tunnel.conditions[1] = number_condition(IPSEC_CONDITION_IP_PROTOCOL, 6);
    assert_int_equal(ipsec_tunnel_add(session, &tunnel, &made), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/conditions/1/field");
    /* What shows only when much of it is made. */
    tunnel = good;
    tunnel.conditions[1].field = IPSEC_CONDITION_IP_LOCAL_ADDRESS;
    assert_int_equal(ipsec_tunnel_add(session, &tunnel, &made), IPSEC_DUPLICATE_CONDITION);
    assert_string_equal(fixture->fault.pointer, "/conditions/1/field");
    tunnel = good;
    tunnel.main_mode_policy = &main_mode;
    main_mode.name = NULL;
    assert_int_equal(ipsec_tunnel_add(session, &tunnel, &made), IPSEC_NULL_DISPLAY_NAME);
    assert_string_equal(fixture->fault.pointer, "/mainModePolicy/displayData/name");
    policy.proposal_count = 0;
    assert_int_equal(ipsec_tunnel_add(session, &good, &made), IPSEC_ZERO_LENGTH_ARRAY);
    assert_string_equal(fixture->fault.pointer, "/tunnelPolicy/tunnelPolicy/ipsecProposals");

    assert_nothing_left(fixture);
    assert_int_equal(fixture->state.batch.change_count, 0);
    assert_int_equal(fixture->state.luids.last, 0);
    assert_int_equal(fixture->state.revision, 0);
}

static void
the_rights_are_those_of_the_objects(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_tunnel tunnel = make_tunnel(&policy);
    const struct ipsec_tunnel_made made = add_tunnel(&fixture->session, &tunnel);
    static const enum ipsec_container containers[] = { IPSEC_CONTAINER_FILTERS,
                                                       IPSEC_CONTAINER_PROVIDER_CONTEXTS };
    struct ipsec_tunnel_made other;

    for (size_t i = 0; i < 2; i++) {
        uint32_t *granted = &fixture->caller.rights.granted[containers[i]];

        *granted = ~(uint32_t)FWPM_ACTRL_ADD;
        assert_int_equal(ipsec_tunnel_add(&fixture->session, &tunnel, &other), IPSEC_ACCESS_DENIED);
        *granted = ~(uint32_t)FWPM_ACTRL_ADD_LINK;
        assert_int_equal(ipsec_tunnel_add(&fixture->session, &tunnel, &other), IPSEC_ACCESS_DENIED);
        *granted = ~(uint32_t)FWPM_ACTRL_READ;
        assert_int_equal(ipsec_tunnel_get(&fixture->session, made.id, &other), IPSEC_ACCESS_DENIED);
        *granted = ~(uint32_t)RIGHT_DELETE;
        assert_int_equal(ipsec_tunnel_delete(&fixture->session, made.id), IPSEC_ACCESS_DENIED);
        *granted = UINT32_MAX;
    }
}

static void
transactions_and_sessions_hold_the_whole_tunnel(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    struct ipsec_session dynamic = open_session(fixture, IPSEC_SESSION_DYNAMIC);
    struct ipsec_session reader = open_session(fixture, 0);
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_provider_context main_mode = main_mode_policy();
    struct ipsec_tunnel tunnel = make_tunnel(&policy);
    struct ipsec_tunnel_made made;
    struct ipsec_tunnel_made again;

    tunnel.main_mode_policy = &main_mode;
    end_batch(fixture);
    begin(&reader, true);
    assert_int_equal(ipsec_tunnel_add(&reader, &tunnel, &made), IPSEC_INCOMPATIBLE_TXN);
    assert_int_equal(ipsec_tunnel_delete(&reader, 1), IPSEC_INCOMPATIBLE_TXN);
    assert_int_equal(ipsec_tunnel_add(&fixture->session, &tunnel, &made), IPSEC_TIMEOUT);
    assert_true(fixture->session.must_wait);
    assert_nothing_left(fixture);
    commit(fixture, &reader);

    begin(&writer, false);
    made = add_tunnel(&writer, &tunnel);
    assert_int_equal(ipsec_tunnel_get(&fixture->session, made.id, &again),
                     IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    assert_int_equal(ipsec_tunnel_get(&writer, made.id, &again), IPSEC_OK);
    end_batch(fixture);
    roll_back(fixture, &writer);
    assert_nothing_left(fixture);

    begin(&writer, false);
    made = add_tunnel(&writer, &tunnel);
    commit(fixture, &writer);
    begin(&writer, false);
    end_batch(fixture);
    assert_int_equal(ipsec_tunnel_delete(&writer, made.id), IPSEC_OK);
    assert_int_equal(ipsec_tunnel_get(&writer, made.id, &again), IPSEC_PROVIDER_CONTEXT_NOT_FOUND);
    assert_int_equal(ipsec_tunnel_get(&fixture->session, made.id, &again), IPSEC_OK);
    assert_int_equal(again.filter_count, 5);
    commit(fixture, &writer);
    assert_nothing_left(fixture);

    made = add_tunnel(&dynamic, &tunnel);
    end_batch(fixture);
    const struct ipsec_guid key = dynamic.entry->record.key;
    assert_int_equal(ipsec_session_close(&fixture->session, &key), IPSEC_OK);
    end_batch(fixture);
    assert_nothing_left(fixture);
}

/* The page of one behind 'after' has 'expected', null: nothing.  Returns where the next begins. */
static uint64_t
expect_page(struct ipsec_session *session, uint64_t after, const struct ipsec_tunnel_made *expected)
{
    struct ipsec_tunnel_page page;

    assert_int_equal(ipsec_tunnel_enum(session, after, 1, &page), IPSEC_OK);
    assert_int_equal(page.tunnel_count, expected != NULL);
    if (expected != NULL)
        assert_same(&page.tunnels[0], expected);
    uint64_t next = page.next;
    ipsec_tunnel_page_clear(&page);
    return next;
}

static void
tunnels_are_listed_with_their_parts_page_by_page(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    const struct ipsec_provider_context policy = tunnel_policy();
    const struct ipsec_provider_context main_mode = main_mode_policy();
    struct ipsec_tunnel tunnel = make_tunnel(&policy);
    struct ipsec_tunnel_page page;
    struct ipsec_guid key;
    uint64_t by_hand;

    assert_int_equal(expect_page(&fixture->session, 0, NULL), 0);
    assert_int_equal(ipsec_provider_context_add(&fixture->session, &policy, &by_hand, &key),
                     IPSEC_OK);
    tunnel.main_mode_policy = &main_mode;
    const struct ipsec_tunnel_made first = add_tunnel(&fixture->session, &tunnel);
    end_batch(fixture);
    begin(&writer, false);
    tunnel.main_mode_policy = NULL;
    const struct ipsec_tunnel_made second = add_tunnel(&writer, &tunnel);

    /* What is in a transaction only its session sees. */
    uint64_t next = expect_page(&fixture->session, 0, &first);
    assert_int_equal(expect_page(&fixture->session, next, NULL), 0);
    next = expect_page(&writer, 0, &first);
    assert_int_equal(expect_page(&writer, next, &second), 0);
    commit(fixture, &writer);
    next = expect_page(&fixture->session, 0, &first);
    assert_int_equal(expect_page(&fixture->session, next, &second), 0);
    assert_int_equal(ipsec_tunnel_enum(&fixture->session, 0, 0, &page), IPSEC_OUT_OF_BOUNDS);

    static const enum ipsec_container containers[] = { IPSEC_CONTAINER_FILTERS,
                                                       IPSEC_CONTAINER_PROVIDER_CONTEXTS };
    for (size_t i = 0; i < 2; i++) {
        uint32_t *granted = &fixture->caller.rights.granted[containers[i]];

        *granted = ~(uint32_t)FWPM_ACTRL_ENUM;
        assert_int_equal(ipsec_tunnel_enum(&fixture->session, 0, 1, &page), IPSEC_ACCESS_DENIED);
        *granted = ~(uint32_t)FWPM_ACTRL_READ;
        assert_int_equal(ipsec_tunnel_enum(&fixture->session, 0, 1, &page), IPSEC_ACCESS_DENIED);
        *granted = UINT32_MAX;
    }
}

/* What is wrong comes before the lock: nobody waits for it only to be refused then. */
static void
who_is_refused_does_not_wait(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session writer = open_session(fixture, 0);
    struct ipsec_provider_context policy = tunnel_policy();
    struct ipsec_provider_context main_mode = main_mode_policy();
    const struct ipsec_tunnel good = make_tunnel(&policy);
    struct ipsec_tunnel tunnel = good;
    const struct ipsec_tunnel_made made = add_tunnel(&fixture->session, &good);
    const struct ipsec_traffic traffic = tunnel_traffic(made.id);
    struct ipsec_tunnel_made other;
    uint64_t context;

    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, NULL, &context),
                     IPSEC_OK);
    end_batch(fixture);
    begin(&writer, false);
    assert_int_equal(ipsec_tunnel_delete(&fixture->session, made.id), IPSEC_IN_USE);
    assert_false(fixture->session.must_wait);

    tunnel.conditions[1].field = IPSEC_CONDITION_IP_LOCAL_ADDRESS;
    assert_int_equal(ipsec_tunnel_add(&fixture->session, &tunnel, &other),
                     IPSEC_DUPLICATE_CONDITION);
    policy.key = made.key; /* taken, but values come first */
    assert_int_equal(ipsec_tunnel_add(&fixture->session, &tunnel, &other),
                     IPSEC_DUPLICATE_CONDITION);
    tunnel = good;
    tunnel.main_mode_policy = &main_mode;
    policy.key = main_mode.key = guid_new();
    assert_int_equal(ipsec_tunnel_add(&fixture->session, &tunnel, &other), IPSEC_ALREADY_EXISTS);
    assert_string_equal(fixture->fault.pointer, "/mainModePolicy/key");
    main_mode.key = guid_new();
    main_mode.name = NULL;
    assert_int_equal(ipsec_tunnel_add(&fixture->session, &tunnel, &other), IPSEC_NULL_DISPLAY_NAME);
    assert_false(fixture->session.must_wait);

    assert_int_equal(ipsec_tunnel_add(&fixture->session, &good, &other), IPSEC_TIMEOUT);
    assert_true(fixture->session.must_wait);
    roll_back(fixture, &writer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_tunnel_of_networks_has_transport_and_forward_filters),
        FIXTURE_TEST(a_tunnel_between_two_points_has_no_forward_filters),
        FIXTURE_TEST(a_main_mode_policy_comes_and_goes_with_its_tunnel),
        FIXTURE_TEST(no_part_goes_alone),
        FIXTURE_TEST(a_tunnel_in_use_stays_whole),
        FIXTURE_TEST(flaws_are_named_and_leave_no_trace),
        FIXTURE_TEST(the_rights_are_those_of_the_objects),
        FIXTURE_TEST(transactions_and_sessions_hold_the_whole_tunnel),
        FIXTURE_TEST(tunnels_are_listed_with_their_parts_page_by_page),
        FIXTURE_TEST(who_is_refused_does_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
