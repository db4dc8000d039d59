/* SPDX-License-Identifier: Apache-2.0
 *
 * test_validate.c: what traffic and filters may say, one flaw at a time. */
#include "engine/validate.h"

#include "tests/unit/engine_fixture.h"

struct traffic_case {
    const char *local;
    const char *remote;
    uint64_t filter_id;
    uint64_t policy_id;
    uint16_t local_port;
    uint16_t remote_port;
    uint8_t protocol;
    uint8_t ip_version;
    uint8_t type;
    enum ipsec_status status;
    const char *pointer;
};

#define V4 IPSEC_IP_VERSION_V4
#define V6 IPSEC_IP_VERSION_V6
#define TRANSPORT IPSEC_TRAFFIC_TYPE_TRANSPORT
#define TUNNEL IPSEC_TRAFFIC_TYPE_TUNNEL

static void
traffic_is_judged_member_by_member(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct traffic_case cases[] = {
        { "192.0.2.1", "192.0.2.2", 1, 0, 0, 0, 0, V4, 2,         IPSEC_INVALID_ENUMERATOR, "/trafficType" },
        { "192.0.2.1", "192.0.2.2", 0, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_NULL_POINTER, "/ipsecFilterId" },
        { "192.0.2.1", "192.0.2.2", 0, 0, 0, 0, 0, V4, TUNNEL,    IPSEC_NULL_POINTER, "/tunnelPolicyId" },
        { "192.0.2.1", "192.0.2.2", 1, 0, 0, 0, 0, 2,  TRANSPORT, IPSEC_INVALID_ENUMERATOR, "/ipVersion" },
        { "192.0.2.1", "192.0.2.2", 1, 0, 0, 0, 0, 3,  TRANSPORT, IPSEC_INVALID_ENUMERATOR, "/ipVersion" },
        { "192.0.2.1", "192.0.2.2", 1, 1, 0, 0, 0, V4, TRANSPORT, IPSEC_INVALID_PARAMETER, "/tunnelPolicyId" },
        { "192.0.2.1", "192.0.2.2", 1, 1, 0, 0, 0, V4, TUNNEL,    IPSEC_INVALID_PARAMETER, "/ipsecFilterId" },
        { "192.0.2.1", "192.0.2.2", 0, 1, 1, 0, 0, V4, TUNNEL,    IPSEC_INVALID_PARAMETER, "/localPort" },
        { "192.0.2.1", "192.0.2.2", 0, 1, 0, 1, 0, V4, TUNNEL,    IPSEC_INVALID_PARAMETER, "/remotePort" },
        { "192.0.2.1", "192.0.2.2", 0, 1, 0, 0, 1, V4, TUNNEL,    IPSEC_INVALID_PARAMETER, "/ipProtocol" },
        { "192.0.2.1", "192.0.2.1", 0, 1, 0, 0, 0, V4, TUNNEL,    IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { "0.0.0.0",   "192.0.2.2", 1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_INVALID_PARAMETER, "/localAddress" },
        { "192.0.2.1", "0.0.0.0",   1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { "192.0.2.1", "224.0.0.1", 1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { "192.0.2.1", "239.255.255.255", 1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { "192.0.2.1", "255.255.255.255", 1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { "2001:db8::1", "192.0.2.2",     1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_INVALID_PARAMETER, "/localAddress" },
        { "::",          "2001:db8::2",   1, 0, 0, 0, 0, V6, TRANSPORT, IPSEC_INVALID_PARAMETER, "/localAddress" },
        { "2001:db8::1", "ff02::1",       1, 0, 0, 0, 0, V6, TRANSPORT, IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { "2001:db8::1", "::ffff:192.0.2.2", 1, 0, 0, 0, 0, V6, TRANSPORT, IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { "192.0.2.1", "192.0.2.2", 1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_OK, NULL },
        { "192.0.2.1", "192.0.2.1", 1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_OK, NULL },
        { "127.0.0.1", "127.0.0.1", 1, 0, 7, 8, 6, V4, TRANSPORT, IPSEC_OK, NULL },
        { "192.0.2.1", "240.0.0.1", 1, 0, 0, 0, 0, V4, TRANSPORT, IPSEC_OK, NULL },
        { "::1",       "::2",       1, 0, 0, 0, 0, V6, TRANSPORT, IPSEC_OK, NULL },
        { "fe80::1",   "fe80::2",   0, 1, 0, 0, 0, V6, TUNNEL,    IPSEC_OK, NULL },
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct traffic_case *row = &cases[i];
        const struct ipsec_traffic traffic = {
            .local_address = address(row->local),
            .remote_address = address(row->remote),
            .ipsec_filter_id = row->filter_id,
            .tunnel_policy_id = row->policy_id,
            .local_port = row->local_port,
            .remote_port = row->remote_port,
            .ip_protocol = row->protocol,
            .ip_version = row->ip_version,
            .type = row->type,
        };
        struct ipsec_fault fault = { .status = IPSEC_OK };

        enum ipsec_status status = validate_traffic_members(&traffic, &fault);

        if (status == IPSEC_OK)
            status = validate_traffic_meaning(&traffic, &fault);
        assert_int_equal(status, row->status);
        assert_int_equal(fault.status, row->status);
        if (row->status != IPSEC_OK) {
            assert_string_equal(fault.pointer, row->pointer);
            assert_int_equal(fault.place, IPSEC_FAULT_BODY);
        }
    }
}

static void
traffic_must_be_of_the_filter_it_names(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        uint8_t layer;
        uint8_t action_has_callout;
        uint8_t field; /* of the one condition; COUNT: none */
        const char *prefix;
        uint8_t prefix_length;
        uint16_t number;
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { IPSEC_LAYER_INBOUND_TRANSPORT_V4, 1, 5, "::", 0, 0, IPSEC_INCOMPATIBLE_LAYER, "/ipsecFilterId" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V6, 1, 5, "::", 0, 0, IPSEC_INCOMPATIBLE_LAYER, "/ipsecFilterId" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 0, 5, "::", 0, 0, IPSEC_INVALID_PARAMETER, "/ipsecFilterId" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 0, "192.0.2.2", 32, 0, IPSEC_INVALID_PARAMETER, "/localAddress" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 1, "198.51.100.8", 30, 0, IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 2, "::", 0, 17, IPSEC_INVALID_PARAMETER, "/ipProtocol" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 3, "::", 0, 81, IPSEC_INVALID_PARAMETER, "/localPort" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 4, "::", 0, 1, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 3, "::", 0, 80, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 2, "::", 0, 6, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 1, "198.51.100.4", 30, 0, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 0, "0.0.0.0", 0, 0, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 5, "::", 0, 0, IPSEC_OK, NULL },
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipsec_filter filter = transport_filter(cases[i].layer);
        struct ipsec_traffic traffic = transport_traffic(1);
        struct ipsec_fault fault = { .status = IPSEC_OK };

        traffic.ip_protocol = 6;
        traffic.local_port = 80;
        if (cases[i].action_has_callout == 0) {
            filter.action = IPSEC_ACTION_PERMIT;
            filter.callout = IPSEC_CALLOUT_NONE;
        }
        if (cases[i].field < IPSEC_CONDITION_FIELD_COUNT) {
            filter.condition_count = 1;
            filter.conditions[0] =
                address_condition(cases[i].field, cases[i].prefix, cases[i].prefix_length);
            filter.conditions[0].number = cases[i].number;
        }
        assert_int_equal(validate_traffic_filter(&traffic, &filter, &fault), cases[i].status);
        if (cases[i].status != IPSEC_OK)
            assert_string_equal(fault.pointer, cases[i].pointer);
    }
}

static void
texts_of_a_filter_come_before_what_it_refers_to(void **state)
{
    (void)state;
    static char text[] = "a\nb";
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    struct ipsec_fault fault = { .status = IPSEC_OK };

    filter.name = text;
    filter.condition_count = 1;
    filter.conditions[0].field = IPSEC_CONDITION_FIELD_COUNT;
    assert_int_equal(validate_filter(&filter, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/displayData/name");
}

/* Each makes one change to a filter that is valid. */
/* clang-format off */
static char long_name[IPSEC_DISPLAY_NAME_MAX + 2];
static char long_description[IPSEC_DISPLAY_DESCRIPTION_MAX + 2];

static void no_name(struct ipsec_filter *filter) { filter->name = NULL; }
static void empty_name(struct ipsec_filter *filter) { filter->name = long_name + sizeof long_name - 1; }
static void too_long_name(struct ipsec_filter *filter) { filter->name = long_name; }
static void longest_name(struct ipsec_filter *filter) { filter->name = long_name + 1; }
static void too_long_description(struct ipsec_filter *filter) { filter->description = long_description; }
static void longest_description(struct ipsec_filter *filter) { filter->description = long_description + 1; }
static void control_in_name(struct ipsec_filter *filter) { static char text[] = "a\nb"; filter->name = text; }
static void delete_in_name(struct ipsec_filter *filter) { static char text[] = "a\x7f"; filter->name = text; }
static void c1_in_name(struct ipsec_filter *filter) { static char text[] = "a\xc2\x85"; filter->name = text; }
static void latin1_name(struct ipsec_filter *filter) { static char text[] = "caf\xe9"; filter->name = text; }
static void overlong_name(struct ipsec_filter *filter) { static char text[] = "\xc0\xaf"; filter->name = text; }
static void overlong3_name(struct ipsec_filter *filter) { static char text[] = "\xe0\x80\xaf"; filter->name = text; }
static void surrogate_name(struct ipsec_filter *filter) { static char text[] = "\xed\xa0\x80"; filter->name = text; }
static void beyond_unicode_name(struct ipsec_filter *filter) { static char text[] = "\xf4\x90\x80\x80"; filter->name = text; }
static void cut_name(struct ipsec_filter *filter) { static char text[] = "\xf0\x9f\x94"; filter->name = text; }
static void wide_name(struct ipsec_filter *filter) { static char text[] = "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\x92"; filter->name = text; }
static void control_in_description(struct ipsec_filter *filter) { static char text[] = "\t"; filter->description = text; }
static void no_callout(struct ipsec_filter *filter) { filter->callout = IPSEC_CALLOUT_NONE; }
static void unknown_layer(struct ipsec_filter *filter) { filter->layer = IPSEC_LAYER_COUNT; }
static void verdict_action(struct ipsec_filter *filter) { filter->action = 0x2006; }
static void unknown_callout(struct ipsec_filter *filter) { filter->callout = IPSEC_CALLOUT_COUNT; }
static void weight_type(struct ipsec_filter *filter) { filter->weight_type = 3; }
static void weight_range(struct ipsec_filter *filter) { filter->weight_type = IPSEC_WEIGHT_RANGE; filter->weight = 16; }
static void highest_range(struct ipsec_filter *filter) { filter->weight_type = IPSEC_WEIGHT_RANGE; filter->weight = 15; }
static void explicit_weight(struct ipsec_filter *filter) { filter->weight_type = IPSEC_WEIGHT_EXPLICIT; filter->weight = UINT64_MAX; }
static void too_many_conditions(struct ipsec_filter *filter) { filter->condition_count = 10; }
static void unknown_field(struct ipsec_filter *filter) { filter->conditions[1].field = IPSEC_CONDITION_FIELD_COUNT; }
static void unknown_match(struct ipsec_filter *filter) { filter->conditions[1].match = 1; }
static void long_prefix(struct ipsec_filter *filter) { filter->conditions[0].prefix_length = 33; }
static void long_v6_prefix(struct ipsec_filter *filter) { filter->layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V6; filter->callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6; filter->conditions[0].prefix_length = 129; }
static void longest_v6_prefix(struct ipsec_filter *filter) { long_v6_prefix(filter); filter->conditions[0].prefix_length = 128; }
static void large_protocol(struct ipsec_filter *filter) { filter->conditions[1] = number_condition(IPSEC_CONDITION_IP_PROTOCOL, 256); }
static void duplicate_field(struct ipsec_filter *filter) { filter->conditions[1].field = IPSEC_CONDITION_IP_LOCAL_ADDRESS; }
static void port_without_protocol(struct ipsec_filter *filter) { filter->conditions[1] = number_condition(IPSEC_CONDITION_IP_LOCAL_PORT, 65535); }
static void inbound_callout(struct ipsec_filter *filter) { filter->callout = IPSEC_CALLOUT_INBOUND_TRANSPORT_V4; }
static void v6_callout(struct ipsec_filter *filter) { filter->callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6; }
static void tunnel_callout(struct ipsec_filter *filter) { filter->callout = IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4; }
static void inspection(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_CALLOUT_INSPECTION; }
static void unknown_kind(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_CALLOUT_UNKNOWN; }
static void block_with_callout(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_BLOCK; }
static void permit_with_callout(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_PERMIT; }
static void plain_block(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_BLOCK; filter->callout = IPSEC_CALLOUT_NONE; }
static void nothing(struct ipsec_filter *filter) { (void)filter; }
/* clang-format on */

static void
filters_are_judged_member_by_member(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct ipsec_filter *filter);
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { no_name, IPSEC_NULL_DISPLAY_NAME, "/displayData/name" },
        { empty_name, IPSEC_NULL_DISPLAY_NAME, "/displayData/name" },
        { too_long_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { too_long_description, IPSEC_INVALID_PARAMETER, "/displayData/description" },
        { control_in_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { delete_in_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { c1_in_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { latin1_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { overlong_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { overlong3_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { surrogate_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { beyond_unicode_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { cut_name, IPSEC_INVALID_PARAMETER, "/displayData/name" },
        { control_in_description, IPSEC_INVALID_PARAMETER, "/displayData/description" },
        { no_callout, IPSEC_NULL_POINTER, "/action/callout" },
        { unknown_layer, IPSEC_LAYER_NOT_FOUND, "/layer" },
        { verdict_action, IPSEC_INVALID_ACTION_TYPE, "/action/type" },
        { unknown_callout, IPSEC_CALLOUT_NOT_FOUND, "/action/callout" },
        { weight_type, IPSEC_INVALID_WEIGHT, "/weight" },
        { weight_range, IPSEC_INVALID_WEIGHT, "/weight" },
        { too_many_conditions, IPSEC_DUPLICATE_CONDITION, "/conditions" },
        { unknown_field, IPSEC_CONDITION_NOT_FOUND, "/conditions/1/field" },
        { unknown_match, IPSEC_MATCH_TYPE_MISMATCH, "/conditions/1/match" },
        { long_prefix, IPSEC_INVALID_NET_MASK, "/conditions/0/value" },
        { long_v6_prefix, IPSEC_INVALID_NET_MASK, "/conditions/0/value" },
        { large_protocol, IPSEC_OUT_OF_BOUNDS, "/conditions/1/value" },
        { duplicate_field, IPSEC_DUPLICATE_CONDITION, "/conditions/1/field" },
        { inbound_callout, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER, "/action/callout" },
        { v6_callout, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER, "/action/callout" },
        { tunnel_callout, IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT, "/action/callout" },
        { inspection, IPSEC_INVALID_PARAMETER, "/action/type" },
        { block_with_callout, IPSEC_INVALID_PARAMETER, "/action/callout" },
        { permit_with_callout, IPSEC_INVALID_PARAMETER, "/action/callout" },
        { longest_name, IPSEC_OK, NULL },
        { longest_description, IPSEC_OK, NULL },
        { wide_name, IPSEC_OK, NULL },
        { highest_range, IPSEC_OK, NULL },
        { explicit_weight, IPSEC_OK, NULL },
        { longest_v6_prefix, IPSEC_OK, NULL },
        { port_without_protocol, IPSEC_OK, NULL },
        { unknown_kind, IPSEC_OK, NULL },
        { plain_block, IPSEC_OK, NULL },
        { nothing, IPSEC_OK, NULL },
    };

    memset(long_name, 'n', sizeof long_name - 1);
    memset(long_description, 'd', sizeof long_description - 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
        struct ipsec_fault fault = { .status = IPSEC_OK };

        filter.condition_count = 2;
        filter.conditions[0] = address_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS, "192.0.2.1", 32);
        filter.conditions[1] = number_condition(IPSEC_CONDITION_IP_PROTOCOL, 6);
        cases[i].change(&filter);
        assert_int_equal(validate_filter(&filter, &fault), cases[i].status);
        if (cases[i].status != IPSEC_OK)
            assert_string_equal(fault.pointer, cases[i].pointer);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traffic_is_judged_member_by_member),
        cmocka_unit_test(traffic_must_be_of_the_filter_it_names),
        cmocka_unit_test(texts_of_a_filter_come_before_what_it_refers_to),
        cmocka_unit_test(filters_are_judged_member_by_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
