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
        { IPSEC_LAYER_INBOUND_TRANSPORT_V4, 1, IPSEC_CONDITION_FIELD_COUNT, "::", 0, 0, IPSEC_INCOMPATIBLE_LAYER, "/ipsecFilterId" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V6, 1, IPSEC_CONDITION_FIELD_COUNT, "::", 0, 0, IPSEC_INCOMPATIBLE_LAYER, "/ipsecFilterId" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 0, IPSEC_CONDITION_FIELD_COUNT, "::", 0, 0, IPSEC_INVALID_PARAMETER, "/ipsecFilterId" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 0, "192.0.2.2", 32, 0, IPSEC_INVALID_PARAMETER, "/localAddress" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 1, "198.51.100.8", 30, 0, IPSEC_INVALID_PARAMETER, "/remoteAddress" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 2, "::", 0, 17, IPSEC_INVALID_PARAMETER, "/ipProtocol" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 3, "::", 0, 81, IPSEC_INVALID_PARAMETER, "/localPort" },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 4, "::", 0, 1, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 3, "::", 0, 80, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 2, "::", 0, 6, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 1, "198.51.100.4", 30, 0, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, 0, "0.0.0.0", 0, 0, IPSEC_OK, NULL },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, 1, IPSEC_CONDITION_FIELD_COUNT, "::", 0, 0, IPSEC_OK, NULL },
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traffic_is_judged_member_by_member),
        cmocka_unit_test(traffic_must_be_of_the_filter_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
