/* SPDX-License-Identifier: Apache-2.0
 *
 * test_condition.c: which conditions there may be, and when a flow meets one. */
#include "engine/condition.h"

#include "tests/unit/engine_fixture.h"

static void
each_layer_has_its_fields(void **state)
{
    (void)state;
    /* By pair of layers: inbound, outbound, forward, IPSEC, IKEEXT. */
    static const bool available[5][IPSEC_CONDITION_FIELD_COUNT] = {
        { true, true, true, true, true, true, false, true, true },
        { true, true, true, true, true, true, true, true, true },
        { true, true, false, false, false, false, false, false, false },
        { true, true, true, true, true, false, false, true, false },
        { true, true, false, false, false, false, false, true, false },
    };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    for (uint8_t layer = 0; layer < IPSEC_LAYER_COUNT; layer++) {
        for (uint8_t field = 0; field < IPSEC_CONDITION_FIELD_COUNT; field++) {
            const struct ipsec_condition condition = { .field = field };

            assert_int_equal(condition_check(&condition, 2, (enum ipsec_layer)layer, &fault),
                             available[layer / 2][field] ? IPSEC_OK : IPSEC_CONDITION_NOT_FOUND);
            if (!available[layer / 2][field])
                assert_string_equal(fault.pointer, "/conditions/2/field");
        }
    }
}

static void
each_field_has_its_matches(void **state)
{
    (void)state;
    struct ipsec_fault fault = { .status = IPSEC_OK };

    for (uint8_t field = 0; field < IPSEC_CONDITION_FIELD_COUNT; field++) {
        bool is_address = field <= IPSEC_CONDITION_IP_REMOTE_ADDRESS;

        for (uint8_t match = 0; match < IPSEC_MATCH_COUNT; match++) {
            const struct ipsec_condition condition = { .field = field,
                                                       .match = match,
                                                       .prefix_length = is_address ? 32 : 0 };
            bool is_flag_test =
                match >= IPSEC_MATCH_FLAGS_ALL_SET && match <= IPSEC_MATCH_FLAGS_NONE_SET;
            bool fits =
                match != IPSEC_MATCH_EQUAL_CASE_INSENSITIVE && !(is_address && is_flag_test);

            assert_int_equal(
                condition_check(&condition, 0, IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, &fault),
                fits ? IPSEC_OK : IPSEC_MATCH_TYPE_MISMATCH);
            if (!fits)
                assert_string_equal(fault.pointer, "/conditions/0/match");
        }
    }
}

static struct ipsec_condition
make(uint8_t field, uint8_t match, uint64_t low, uint64_t high)
{
    return (struct ipsec_condition){
        .field = field,
        .match = match,
        .number = low,
        .number_high = high,
    };
}

static void
numbers_fit_their_fields(void **state)
{
    (void)state;
    static const struct {
        uint8_t field;
        uint64_t maximum;
        enum ipsec_status above;
    } cases[] = {
        { IPSEC_CONDITION_IP_PROTOCOL, 255, IPSEC_OUT_OF_BOUNDS },
        { IPSEC_CONDITION_IP_LOCAL_PORT, 65535, IPSEC_OUT_OF_BOUNDS },
        { IPSEC_CONDITION_IP_REMOTE_PORT, 65535, IPSEC_OUT_OF_BOUNDS },
        { IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, 4, IPSEC_INVALID_ENUMERATOR },
        { IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE, 4, IPSEC_INVALID_ENUMERATOR },
        { IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE, 255, IPSEC_OUT_OF_BOUNDS },
        { IPSEC_CONDITION_FLAGS, UINT32_MAX, IPSEC_OUT_OF_BOUNDS },
        { IPSEC_CONDITION_IP_LOCAL_INTERFACE, UINT64_MAX, IPSEC_OK },
    };
    const enum ipsec_layer layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4;
    struct ipsec_fault fault = { .status = IPSEC_OK };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t above = cases[i].maximum + 1;
        struct ipsec_condition condition =
            make(cases[i].field, IPSEC_MATCH_EQUAL, cases[i].maximum, 0);

        if (cases[i].maximum != 255 || cases[i].field == IPSEC_CONDITION_IP_PROTOCOL)
            assert_int_equal(condition_check(&condition, 0, layer, &fault), IPSEC_OK);
        condition.number = above;
        assert_int_equal(condition_check(&condition, 0, layer, &fault), cases[i].above);
        condition = make(cases[i].field, IPSEC_MATCH_RANGE, 0, above);
        assert_int_equal(condition_check(&condition, 0, layer, &fault), cases[i].above);
        condition = make(cases[i].field, IPSEC_MATCH_RANGE, 3, 2);
        assert_int_equal(condition_check(&condition, 0, layer, &fault), IPSEC_INVALID_RANGE);
        assert_string_equal(fault.pointer, "/conditions/0/value");
        condition = make(cases[i].field, IPSEC_MATCH_RANGE, 2, 2);
        assert_int_equal(condition_check(&condition, 0, layer, &fault), IPSEC_OK);
    }
}

static void
addresses_fit_their_layer(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        uint8_t layer;
        uint8_t match;
        const char *low;
        const char *high;
        uint8_t prefix_length;
        enum ipsec_status status;
        const char *pointer;
    } cases[] = {
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_EQUAL, "192.0.2.0", "::", 24, IPSEC_OK, NULL },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_EQUAL, "192.0.2.0", "::", 33, IPSEC_INVALID_NET_MASK, "/conditions/0/value" },
        { IPSEC_LAYER_IPFORWARD_V6, IPSEC_MATCH_EQUAL, "2001:db8::", "::", 128, IPSEC_OK, NULL },
        { IPSEC_LAYER_IPFORWARD_V6, IPSEC_MATCH_EQUAL, "2001:db8::", "::", 129, IPSEC_INVALID_NET_MASK, "/conditions/0/value" },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_EQUAL, "2001:db8::1", "::", 32, IPSEC_TYPE_MISMATCH, "/conditions/0/value" },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_RANGE, "192.0.2.0", "2001:db8::1", 32, IPSEC_TYPE_MISMATCH, "/conditions/0/value" },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_RANGE, "192.0.2.9", "192.0.2.8", 32, IPSEC_INVALID_RANGE, "/conditions/0/value" },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_RANGE, "192.0.2.9", "192.0.2.9", 32, IPSEC_OK, NULL },
        { IPSEC_LAYER_IPFORWARD_V6, IPSEC_MATCH_RANGE, "2001:db8::9", "2001:db8::8", 0, IPSEC_INVALID_RANGE, "/conditions/0/value" },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_GREATER, "192.0.2.9", "::", 32, IPSEC_OK, NULL },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_GREATER, "192.0.2.0", "::", 24, IPSEC_MATCH_TYPE_MISMATCH, "/conditions/0/match" },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_MATCH_NOT_EQUAL, "192.0.2.0", "::", 24, IPSEC_MATCH_TYPE_MISMATCH, "/conditions/0/match" },
        { IPSEC_LAYER_IPFORWARD_V6, IPSEC_MATCH_NOT_EQUAL, "2001:db8::", "::", 128, IPSEC_OK, NULL },
    };
    /* clang-format on */
    struct ipsec_fault fault = { .status = IPSEC_OK };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ipsec_condition condition = {
            .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
            .match = cases[i].match,
            .prefix_length = cases[i].prefix_length,
            .address = address(cases[i].low),
            .address_high = address(cases[i].high),
        };

        assert_int_equal(condition_check(&condition, 0, (enum ipsec_layer)cases[i].layer, &fault),
                         cases[i].status);
        if (cases[i].pointer != NULL)
            assert_string_equal(fault.pointer, cases[i].pointer);
    }
}

static void
equal_conditions_become_equal_bytes(void **state)
{
    (void)state;
    struct ipsec_condition range = {
        .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS,
        .match = IPSEC_MATCH_RANGE,
        .number = 7,
        .number_high = 7,
        .address = address("192.0.2.3"),
        .address_high = address("192.0.2.9"),
    };
    struct ipsec_condition port = make(IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_LESS, 7, 9);

    condition_normalise(&range, IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    assert_int_equal(range.prefix_length, 32);
    assert_int_equal(range.number, 0);
    assert_int_equal(range.number_high, 0);
    assert_int_equal(range.address_high.bytes[3], 9);
    port.address = address("192.0.2.3");
    condition_normalise(&port, IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    assert_int_equal(port.number, 7);
    assert_int_equal(port.number_high, 0);
    assert_int_equal(port.address.bytes[0], 0);
}

static void
what_a_flow_does_not_tell_is_not_known(void **state)
{
    (void)state;
    const struct classify_flow flow = {
        .local_address = address("192.0.2.1"),
        .remote_address = address("198.51.100.7"),
        .local_port = 1000,
    };
    /* clang-format off */
    static const struct {
        uint8_t field;
        uint8_t match;
        uint64_t low;
        uint64_t high;
        enum condition_verdict verdict;
    } cases[] = {
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_RANGE, 1000, 2000, CONDITION_MET },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_RANGE, 1001, 2000, CONDITION_FAILED },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_GREATER, 1000, 0, CONDITION_FAILED },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_GREATER_OR_EQUAL, 1000, 0, CONDITION_MET },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_LESS, 1001, 0, CONDITION_MET },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_LESS_OR_EQUAL, 999, 0, CONDITION_FAILED },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_NOT_EQUAL, 999, 0, CONDITION_MET },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_FLAGS_ALL_SET, 0x8, 0, CONDITION_MET },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_FLAGS_ALL_SET, 0x9, 0, CONDITION_FAILED },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_FLAGS_ANY_SET, 0x9, 0, CONDITION_MET },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_FLAGS_NONE_SET, 0x9, 0, CONDITION_FAILED },
        { IPSEC_CONDITION_IP_REMOTE_PORT, IPSEC_MATCH_NOT_EQUAL, 80, 0, CONDITION_UNKNOWN },
        { IPSEC_CONDITION_IP_PROTOCOL, IPSEC_MATCH_EQUAL, 6, 0, CONDITION_UNKNOWN },
        { IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, IPSEC_MATCH_EQUAL, 1, 0, CONDITION_MET },
        { IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, IPSEC_MATCH_EQUAL, 2, 0, CONDITION_UNKNOWN },
        { IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, IPSEC_MATCH_EQUAL, 3, 0, CONDITION_FAILED },
        { IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE, IPSEC_MATCH_NOT_EQUAL, 4, 0, CONDITION_MET },
        { IPSEC_CONDITION_IP_LOCAL_INTERFACE, IPSEC_MATCH_NOT_EQUAL, 4, 0, CONDITION_UNKNOWN },
        { IPSEC_CONDITION_FLAGS, IPSEC_MATCH_FLAGS_NONE_SET, 0, 0, CONDITION_UNKNOWN },
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ipsec_condition condition =
            make(cases[i].field, cases[i].match, cases[i].low, cases[i].high);

        assert_int_equal(condition_judge(&condition, &flow), cases[i].verdict);
    }
}

static void
addresses_are_compared_as_numbers(void **state)
{
    (void)state;
    const struct classify_flow flow = {
        .local_address = address("192.0.2.1"),
        .remote_address = address("198.51.100.7"),
    };
    /* clang-format off */
    static const struct {
        uint8_t match;
        const char *low;
        const char *high;
        enum condition_verdict verdict;
    } cases[] = {
        { IPSEC_MATCH_RANGE, "198.51.100.7", "198.51.100.7", CONDITION_MET },
        { IPSEC_MATCH_RANGE, "198.51.99.255", "198.51.100.6", CONDITION_FAILED },
        { IPSEC_MATCH_GREATER, "198.51.99.255", "::", CONDITION_MET },
        { IPSEC_MATCH_GREATER, "198.51.100.7", "::", CONDITION_FAILED },
        { IPSEC_MATCH_LESS, "198.51.100.200", "::", CONDITION_MET },
        { IPSEC_MATCH_NOT_EQUAL, "198.51.100.8", "::", CONDITION_MET },
        { IPSEC_MATCH_NOT_EQUAL, "198.51.100.7", "::", CONDITION_FAILED },
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ipsec_condition condition = {
            .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
            .match = cases[i].match,
            .prefix_length = 32,
            .address = address(cases[i].low),
            .address_high = address(cases[i].high),
        };

        assert_int_equal(condition_judge(&condition, &flow), cases[i].verdict);
    }
}

static void
bits_are_counted_by_what_is_left_open(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        uint8_t field;
        uint8_t match;
        uint64_t low;
        uint64_t high;
        unsigned bits;
    } cases[] = {
        { IPSEC_CONDITION_IP_PROTOCOL, IPSEC_MATCH_EQUAL, 6, 0, 8 },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_EQUAL, 6, 0, 16 },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_RANGE, 0, 65535, 0 },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_RANGE, 80, 80, 16 },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_RANGE, 1024, 2047, 6 },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_GREATER, 65535, 0, 16 },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_GREATER_OR_EQUAL, 32768, 0, 1 },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_LESS, 1024, 0, 5 },
        { IPSEC_CONDITION_IP_LOCAL_PORT, IPSEC_MATCH_NOT_EQUAL, 80, 0, 0 },
        { IPSEC_CONDITION_IP_LOCAL_INTERFACE, IPSEC_MATCH_EQUAL, 6, 0, 64 },
        { IPSEC_CONDITION_IP_LOCAL_INTERFACE, IPSEC_MATCH_RANGE, 0, UINT64_MAX, 0 },
        { IPSEC_CONDITION_FLAGS, IPSEC_MATCH_FLAGS_ALL_SET, 0x101, 0, 2 },
        { IPSEC_CONDITION_FLAGS, IPSEC_MATCH_FLAGS_NONE_SET, 0x100, 0, 1 },
        { IPSEC_CONDITION_FLAGS, IPSEC_MATCH_FLAGS_ANY_SET, 0x101, 0, 0 },
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ipsec_condition condition =
            make(cases[i].field, cases[i].match, cases[i].low, cases[i].high);

        assert_int_equal(condition_fixed_bits(&condition), cases[i].bits);
    }
    struct ipsec_condition range =
        address_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS, "192.0.2.4", 32);
    range.match = IPSEC_MATCH_RANGE;
    range.address_high = address("192.0.2.7");
    assert_int_equal(condition_common_prefix(&range), 30);
    assert_int_equal(condition_fixed_bits(&range), 30);
    range.address_high = range.address;
    assert_int_equal(condition_common_prefix(&range), 32);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_layer_has_its_fields),
        cmocka_unit_test(each_field_has_its_matches),
        cmocka_unit_test(numbers_fit_their_fields),
        cmocka_unit_test(addresses_fit_their_layer),
        cmocka_unit_test(equal_conditions_become_equal_bytes),
        cmocka_unit_test(what_a_flow_does_not_tell_is_not_known),
        cmocka_unit_test(addresses_are_compared_as_numbers),
        cmocka_unit_test(bits_are_counted_by_what_is_left_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
