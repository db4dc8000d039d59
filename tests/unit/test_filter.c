/* SPDX-License-Identifier: Apache-2.0
 *
 * test_filter.c: adding, reading, listing and deleting filters. */
#include "engine/filter.h"

#include "tests/unit/engine_fixture.h"

static void
each_operation_needs_its_rights(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    uint64_t id = add_filter(fixture, &filter);
    uint32_t *granted = &fixture->caller.rights.granted[IPSEC_CONTAINER_FILTERS];
    const struct ipsec_filter *found;
    struct ipsec_filter_page page;
    struct ipsec_guid key;
    uint64_t other;

    *granted = ~(uint32_t)FWPM_ACTRL_ADD;
    assert_int_equal(ipsec_filter_add(session, &filter, &other, &key), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_READ;
    assert_int_equal(ipsec_filter_get_by_id(session, id, &found), IPSEC_ACCESS_DENIED);
    assert_int_equal(ipsec_filter_enum(session, -1, 0, 10, &page), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)FWPM_ACTRL_ENUM;
    assert_int_equal(ipsec_filter_enum(session, -1, 0, 10, &page), IPSEC_ACCESS_DENIED);
    *granted = ~(uint32_t)RIGHT_DELETE;
    assert_int_equal(ipsec_filter_delete_by_id(session, id), IPSEC_ACCESS_DENIED);
    assert_int_equal(fixture->state.filters.ids.count, 1);
}

static void
a_filter_is_found_by_its_key(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_filter *found;

    memset(&filter.key, 7, sizeof filter.key);
    uint64_t id = add_filter(fixture, &filter);
    assert_int_equal(ipsec_filter_get_by_key(session, &filter.key, &found), IPSEC_OK);
    assert_int_equal(found->id, id);
    ipsec_filter_unref(found);

    struct ipsec_guid other = filter.key;
    other.bytes[15] = 8;
    assert_int_equal(ipsec_filter_get_by_key(session, &other, &found), IPSEC_FILTER_NOT_FOUND);
    fixture->caller.rights.granted[IPSEC_CONTAINER_FILTERS] = ~(uint32_t)FWPM_ACTRL_READ;
    assert_int_equal(ipsec_filter_get_by_key(session, &filter.key, &found), IPSEC_ACCESS_DENIED);
    fixture->caller.rights.granted[IPSEC_CONTAINER_FILTERS] = UINT32_MAX;
    assert_int_equal(ipsec_filter_delete_by_id(session, id), IPSEC_OK);
    assert_int_equal(ipsec_filter_get_by_key(session, &filter.key, &found), IPSEC_FILTER_NOT_FOUND);
}

static void
adding_needs_the_right_to_link_too(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    uint32_t *granted = &fixture->caller.rights.granted[IPSEC_CONTAINER_FILTERS];
    struct ipsec_guid key;
    uint64_t id;

    *granted = FWPM_ACTRL_ADD;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key), IPSEC_ACCESS_DENIED);
    assert_string_equal(fixture->fault.detail, "the caller lacks FWPM_ACTRL_ADD_LINK on filters");
    *granted = FWPM_ACTRL_ADD_LINK;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key), IPSEC_ACCESS_DENIED);
    *granted = FWPM_ACTRL_ADD | FWPM_ACTRL_ADD_LINK;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key), IPSEC_OK);
}

static void
the_shapes_of_a_layer_are_limited(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    struct ipsec_guid key;
    uint64_t id;

    filter.condition_count = 2;
    for (unsigned i = 0; i < CLASSIFY_SHAPES_MAXIMUM; i++) {
        filter.conditions[0] =
            address_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS, "0.0.0.0", (uint8_t)(i % 32));
        filter.conditions[1] =
            address_condition(IPSEC_CONDITION_IP_REMOTE_ADDRESS, "0.0.0.0", (uint8_t)(i / 32));
        id = add_filter(fixture, &filter);
    }
    filter.conditions[0].prefix_length = 32;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key),
                     IPSEC_RPC_OUT_OF_RESOURCES);
    assert_string_equal(fixture->fault.pointer, "/conditions");
    filter.conditions[0].prefix_length = 31;
    (void)add_filter(fixture, &filter);
    filter.conditions[0].prefix_length = 32;
    filter.layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4;
    filter.callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4;
    (void)add_filter(fixture, &filter);
}

static void
a_read_only_transaction_refuses_changes(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    uint64_t id = add_filter(fixture, &filter);
    struct ipsec_guid key;
    uint64_t other;

    fixture->session.transaction = IPSEC_READ_TRANSACTION;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &other, &key),
                     IPSEC_INCOMPATIBLE_TXN);
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, id), IPSEC_INCOMPATIBLE_TXN);
}

static void
an_unknown_filter_is_not_found_in_the_path(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_filter *found;

    assert_int_equal(ipsec_filter_get_by_id(&fixture->session, 1, &found), IPSEC_FILTER_NOT_FOUND);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_PATH);
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, 1), IPSEC_FILTER_NOT_FOUND);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_PATH);
}

static void
a_flaw_leaves_no_trace(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_guid key;
    uint64_t id;

    filter.name = NULL;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key),
                     IPSEC_NULL_DISPLAY_NAME);
    assert_int_equal(fixture->state.batch.change_count, 0);
    assert_int_equal(fixture->state.luids.last, 0);
    assert_int_equal(fixture->state.filters.ids.count, 0);
}

static void
a_key_is_taken_while_its_filter_exists(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_guid key;
    uint64_t id;

    filter.key.bytes[0] = 1;
    assert_int_equal(ipsec_filter_add(session, &filter, &id, &key), IPSEC_OK);
    assert_memory_equal(&key, &filter.key, sizeof key);
    uint64_t other;
    assert_int_equal(ipsec_filter_add(session, &filter, &other, &key), IPSEC_ALREADY_EXISTS);
    assert_string_equal(fixture->fault.pointer, "/key");
    assert_int_equal(ipsec_filter_delete_by_id(session, id), IPSEC_OK);
    assert_int_equal(ipsec_filter_add(session, &filter, &other, &key), IPSEC_OK);
    assert_int_not_equal(id, other);
}

static void
a_missing_key_is_made_as_a_random_guid(void **state)
{
    struct fixture *fixture = *state;
    const struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_guid keys[2];
    uint64_t id;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &keys[i]), IPSEC_OK);
        assert_int_equal(keys[i].bytes[6] & 0xf0, 0x40);
        assert_int_equal(keys[i].bytes[8] & 0xc0, 0x80);
    }
    assert_memory_not_equal(&keys[0], &keys[1], sizeof keys[0]);
}

static void
what_is_stored_is_normalised_and_a_copy(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    char name[] = "net b";
    char description[] = "the branch office";
    const struct ipsec_filter *found;

    filter.id = 77;
    filter.created_by = 77;
    filter.name = name;
    filter.description = description;
    filter.weight = 5; /* means nothing with an automatic weight */
    filter.condition_count = 2;
    filter.conditions[0] =
        address_condition(IPSEC_CONDITION_IP_REMOTE_ADDRESS, "198.51.100.77", 24);
    filter.conditions[0].number = 9;
    filter.conditions[1] = number_condition(IPSEC_CONDITION_IP_PROTOCOL, 6);
    filter.conditions[1].prefix_length = 9;
    uint64_t id = add_filter(fixture, &filter);
    memset(name, 'x', sizeof name - 1);
    memset(description, 'x', sizeof description - 1);

    assert_int_equal(id, 1);
    assert_int_equal(ipsec_filter_get_by_id(&fixture->session, id, &found), IPSEC_OK);
    assert_int_equal(found->id, 1);
    assert_int_equal(found->created_by, 1);
    assert_int_equal(found->created_at_ms, fixture->state.now_ms);
    assert_int_equal(found->weight, 0);
    assert_string_equal(found->name, "net b");
    assert_string_equal(found->description, "the branch office");
    struct ipsec_address expected = address("198.51.100.0");
    assert_memory_equal(&found->conditions[0].address, &expected, sizeof expected);
    assert_int_equal(found->conditions[0].number, 0);
    assert_int_equal(found->conditions[1].prefix_length, 0);

    /* The reader's reference outlives the filter. */
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, id), IPSEC_OK);
    state_settle(&fixture->state);
    assert_string_equal(found->name, "net b");
    ipsec_filter_unref(found);
    ipsec_filter_unref(NULL);
}

static void
automatic_weights_grow_with_what_conditions_fix(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V6);
    static const uint8_t order[] = { IPSEC_CONDITION_IP_PROTOCOL, IPSEC_CONDITION_IP_LOCAL_PORT,
                                     IPSEC_CONDITION_IP_REMOTE_PORT,
                                     IPSEC_CONDITION_IP_LOCAL_ADDRESS,
                                     IPSEC_CONDITION_IP_REMOTE_ADDRESS };
    uint64_t previous = 0;

    for (size_t i = 0; i <= sizeof order; i++) {
        uint64_t id = add_filter(fixture, &filter);
        uint64_t weight = filter_table_find(&fixture->state.filters, id)->filter->effective_weight;

        assert_true(i == 0 ? weight == 0 : weight > previous);
        assert_true(weight < UINT64_C(1) << 60);
        previous = weight;
        if (i < sizeof order) {
            filter.condition_count++;
            filter.conditions[i] = number_condition(order[i], 1);
            filter.conditions[i].prefix_length =
                order[i] <= IPSEC_CONDITION_IP_REMOTE_ADDRESS ? 128 : 0;
        }
    }

    filter.weight_type = IPSEC_WEIGHT_RANGE;
    filter.weight = 15;
    uint64_t id = add_filter(fixture, &filter);
    assert_true(filter_table_find(&fixture->state.filters, id)->filter->effective_weight ==
                (UINT64_C(15) << 60 | previous));
    filter.weight_type = IPSEC_WEIGHT_EXPLICIT;
    filter.weight = 3;
    id = add_filter(fixture, &filter);
    assert_int_equal(filter_table_find(&fixture->state.filters, id)->filter->effective_weight, 3);
}

static void
a_filter_in_use_is_not_deleted(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id = add_transport_filter(fixture, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    uint64_t context = add_context(fixture, id);

    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, id), IPSEC_IN_USE);
    assert_int_equal(ipsec_sa_context_delete_by_id(&fixture->session, context), IPSEC_OK);
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, id), IPSEC_OK);
}

static void
filters_with_comparisons_are_limited_where_they_look_alike(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    struct ipsec_guid key;
    uint64_t id;

    filter.condition_count = 2;
    filter.conditions[0] = address_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS, "192.0.2.1", 32);
    filter.conditions[1] = number_condition(IPSEC_CONDITION_IP_LOCAL_PORT, 1000);
    filter.conditions[1].match = IPSEC_MATCH_GREATER;
    for (unsigned i = 0; i < CLASSIFY_INEXACT_MAXIMUM; i++)
        id = add_filter(fixture, &filter);
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key),
                     IPSEC_RPC_OUT_OF_RESOURCES);
    assert_string_equal(fixture->fault.pointer, "/conditions");
    /* Not so other values, and filters without comparisons. */
    filter.conditions[0].address.bytes[3]++;
    id = add_filter(fixture, &filter);
    filter.conditions[0].address.bytes[3]--;
    filter.conditions[1].match = IPSEC_MATCH_EQUAL;
    (void)add_filter(fixture, &filter);
    filter.condition_count = 1;
    (void)add_filter(fixture, &filter);
    state_settle(&fixture->state);
    assert_int_equal(ipsec_filter_delete_by_id(&fixture->session, id), IPSEC_OK);
    state_settle(&fixture->state);
}

static void
only_known_providers_own_filters(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_builtin *providers;
    struct ipsec_guid key;
    size_t count;
    uint64_t id;

    filter.provider_key.bytes[3] = 1;
    assert_int_equal(ipsec_filter_add(&fixture->session, &filter, &id, &key),
                     IPSEC_PROVIDER_NOT_FOUND);
    assert_int_equal(fixture->fault.place, IPSEC_FAULT_BODY);
    assert_string_equal(fixture->fault.pointer, "/providerKey");
    assert_int_equal(
        ipsec_builtin_enum(&fixture->session, IPSEC_BUILTIN_PROVIDER, &providers, &count),
        IPSEC_OK);
    filter.provider_key = providers[0].key;
    (void)add_filter(fixture, &filter);
}

static void
provider_data_is_copied(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    uint8_t data[IPSEC_PROVIDER_DATA_MAX] = { 1, 2, 3 };
    const struct ipsec_filter *found;

    filter.provider_data = data;
    filter.provider_data_size = sizeof data;
    uint64_t id = add_filter(fixture, &filter);
    data[0] = 9;
    assert_int_equal(ipsec_filter_get_by_id(&fixture->session, id, &found), IPSEC_OK);
    assert_int_equal(found->provider_data_size, sizeof data);
    assert_int_equal(found->provider_data[0], 1);
    ipsec_filter_unref(found);
}

/* What manual keying asks for: both filters for unicast only, ports as ranges. */
static void
traffic_of_ranges_finds_its_mirrored_filter(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter out = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_filter in = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    struct ipsec_filter *both[] = { &out, &in };
    uint64_t mirrored;
    uint64_t id;

    for (size_t i = 0; i < 2; i++) {
        both[i]->condition_count = 3;
        both[i]->conditions[0] = number_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, 1);
        both[i]->conditions[1] = number_condition(IPSEC_CONDITION_IP_LOCAL_PORT, 5000);
        both[i]->conditions[1].match = IPSEC_MATCH_RANGE;
        both[i]->conditions[1].number_high = 5999;
        both[i]->conditions[2] =
            address_condition(IPSEC_CONDITION_IP_REMOTE_ADDRESS, "198.51.100.4", 0);
        both[i]->conditions[2].match = IPSEC_MATCH_RANGE;
        both[i]->conditions[2].address_high = address("198.51.100.8");
    }
    struct ipsec_traffic traffic = transport_traffic(add_filter(fixture, &out));
    uint64_t in_id = add_filter(fixture, &in);

    /* The range does not tell which port it is: the real one has to be given. */
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &mirrored, &id),
                     IPSEC_OK);
    assert_int_equal(mirrored, 0);
    traffic.local_port = 5001;
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &mirrored, &id),
                     IPSEC_OK);
    assert_int_equal(mirrored, in_id);
    traffic.local_port = 6000;
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &mirrored, &id),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/localPort");
    traffic.local_port = 5001;
    traffic.remote_address.bytes[3] = 9;
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &mirrored, &id),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/remoteAddress");
}

static void
what_traffic_does_not_tell_is_left_to_the_packets(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_filter out = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_filter in = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    uint64_t mirrored;
    uint64_t id;

    out.condition_count = 1;
    out.conditions[0] = number_condition(IPSEC_CONDITION_IP_LOCAL_INTERFACE, 5);
    in.condition_count = 1;
    in.conditions[0] = number_condition(IPSEC_CONDITION_IP_LOCAL_INTERFACE, 5);
    struct ipsec_traffic traffic = transport_traffic(add_filter(fixture, &out));
    (void)add_filter(fixture, &in);
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &mirrored, &id),
                     IPSEC_OK);
    assert_int_equal(mirrored, 0);

    out.conditions[0] = number_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, 3);
    traffic.ipsec_filter_id = add_filter(fixture, &out);
    assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, &mirrored, &id),
                     IPSEC_INVALID_PARAMETER);
    assert_string_equal(fixture->fault.pointer, "/localAddress");
}

static void
only_outbound_transport_filters_have_sa_contexts(void **state)
{
    struct fixture *fixture = *state;
    uint64_t id;

    for (int layer = 0; layer < IPSEC_LAYER_COUNT; layer++) {
        struct ipsec_filter filter = transport_filter((enum ipsec_layer)layer);

        if (filter.callout == IPSEC_CALLOUT_NONE)
            filter.action = IPSEC_ACTION_PERMIT;
        const struct ipsec_traffic traffic = transport_traffic(add_filter(fixture, &filter));
        assert_int_equal(ipsec_sa_context_create(&fixture->session, &traffic, NULL, &id),
                         layer == IPSEC_LAYER_OUTBOUND_TRANSPORT_V4 ? IPSEC_OK
                                                                    : IPSEC_INCOMPATIBLE_LAYER);
    }
}

static void
pages_go_in_id_order_by_layer(void **state)
{
    struct fixture *fixture = *state;
    struct ipsec_session *session = &fixture->session;
    struct ipsec_filter_page page;

    assert_int_equal(ipsec_filter_enum(session, -1, 0, 10, &page), IPSEC_OK);
    assert_int_equal(page.filter_count, 0);
    assert_int_equal(page.next, 0);
    ipsec_filter_page_clear(&page);
    assert_int_equal(ipsec_filter_enum(session, IPSEC_LAYER_COUNT, 0, 10, &page),
                     IPSEC_LAYER_NOT_FOUND);
    assert_int_equal(ipsec_filter_enum(session, -1, 0, 0, &page), IPSEC_OUT_OF_BOUNDS);

    for (int i = 0; i < 20; i++)
        (void)add_transport_filter(fixture, i % 2 == 0 ? IPSEC_LAYER_OUTBOUND_TRANSPORT_V4
                                                       : IPSEC_LAYER_INBOUND_TRANSPORT_V6);
    for (int layer = -1; layer < IPSEC_LAYER_COUNT; layer++) {
        size_t expected = layer == -1                                  ? 20
                          : layer == IPSEC_LAYER_OUTBOUND_TRANSPORT_V4 ? 10
                          : layer == IPSEC_LAYER_INBOUND_TRANSPORT_V6  ? 10
                                                                       : 0;
        uint64_t after = 0;
        uint64_t last = 0;
        size_t seen = 0;

        do {
            assert_int_equal(ipsec_filter_enum(session, layer, after, 3, &page), IPSEC_OK);
            for (size_t i = 0; i < page.filter_count; i++) {
                assert_true(page.filters[i]->id > last);
                assert_true(layer < 0 || page.filters[i]->layer == layer);
                last = page.filters[i]->id;
                seen++;
            }
            after = page.next;
            ipsec_filter_page_clear(&page);
        } while (after != 0);
        assert_int_equal(seen, expected);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(each_operation_needs_its_rights),
        FIXTURE_TEST(a_filter_is_found_by_its_key),
        FIXTURE_TEST(adding_needs_the_right_to_link_too),
        FIXTURE_TEST(the_shapes_of_a_layer_are_limited),
        FIXTURE_TEST(a_read_only_transaction_refuses_changes),
        FIXTURE_TEST(an_unknown_filter_is_not_found_in_the_path),
        FIXTURE_TEST(a_flaw_leaves_no_trace),
        FIXTURE_TEST(a_key_is_taken_while_its_filter_exists),
        FIXTURE_TEST(a_missing_key_is_made_as_a_random_guid),
        FIXTURE_TEST(what_is_stored_is_normalised_and_a_copy),
        FIXTURE_TEST(automatic_weights_grow_with_what_conditions_fix),
        FIXTURE_TEST(a_filter_in_use_is_not_deleted),
        FIXTURE_TEST(filters_with_comparisons_are_limited_where_they_look_alike),
        FIXTURE_TEST(only_known_providers_own_filters),
        FIXTURE_TEST(provider_data_is_copied),
        FIXTURE_TEST(traffic_of_ranges_finds_its_mirrored_filter),
        FIXTURE_TEST(what_traffic_does_not_tell_is_left_to_the_packets),
        FIXTURE_TEST(only_outbound_transport_filters_have_sa_contexts),
        FIXTURE_TEST(pages_go_in_id_order_by_layer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
