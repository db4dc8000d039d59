/* SPDX-License-Identifier: Apache-2.0
 *
 * test_classify.c: the classifier against a linear search over the same filters. */
#include "engine/classify.h"

#include "tests/unit/engine_fixture.h"
#include "tests/unit/test_random.h"

enum { FILTERS = 400, FLOWS = 300 };

static struct {
    struct ipsec_filter filter;
    struct classify_node node;
    bool present;
} filters[FILTERS];

static bool
order_holds(uint8_t match, uint64_t number, uint64_t low, uint64_t high)
{
    switch ((enum ipsec_match_type)match) {
    case IPSEC_MATCH_EQUAL:
        return number == low;
    case IPSEC_MATCH_GREATER:
        return number > low;
    case IPSEC_MATCH_LESS:
        return number < low;
    case IPSEC_MATCH_GREATER_OR_EQUAL:
        return number >= low;
    case IPSEC_MATCH_LESS_OR_EQUAL:
        return number <= low;
    case IPSEC_MATCH_RANGE:
        return low <= number && number <= high;
    case IPSEC_MATCH_FLAGS_ALL_SET:
        return (~number & low) == 0;
    case IPSEC_MATCH_FLAGS_ANY_SET:
        return (number & low) != 0;
    case IPSEC_MATCH_FLAGS_NONE_SET:
        return (number & low) == 0;
    case IPSEC_MATCH_NOT_EQUAL:
        return number != low;
    case IPSEC_MATCH_EQUAL_CASE_INSENSITIVE:
    case IPSEC_MATCH_COUNT:
        break;
    }
    return false;
}

/* All addresses here differ in their first four bytes only. */
static uint64_t
number_of(const struct ipsec_address *address)
{
    return (uint64_t)address->bytes[0] << 24 | (uint64_t)address->bytes[1] << 16 |
           (uint64_t)address->bytes[2] << 8 | address->bytes[3];
}

static bool
address_holds(const struct ipsec_condition *condition, const struct ipsec_address *address)
{
    if (condition->match == IPSEC_MATCH_EQUAL)
        return condition->prefix_length == 0 ||
               (number_of(address) ^ number_of(&condition->address)) >>
                       (32 - condition->prefix_length) ==
                   0;
    return order_holds(condition->match, number_of(address), number_of(&condition->address),
                       number_of(&condition->address_high));
}

static bool
number_holds(const struct ipsec_condition *condition, uint64_t number)
{
    return number != 0 &&
           order_holds(condition->match, number, condition->number, condition->number_high);
}

static bool
condition_holds(const struct ipsec_condition *condition, const struct classify_flow *flow)
{
    switch ((enum ipsec_condition_field)condition->field) {
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS:
        return address_holds(condition, &flow->local_address);
    case IPSEC_CONDITION_IP_REMOTE_ADDRESS:
        return address_holds(condition, &flow->remote_address);
    case IPSEC_CONDITION_IP_PROTOCOL:
        return number_holds(condition, flow->ip_protocol);
    case IPSEC_CONDITION_IP_LOCAL_PORT:
        return number_holds(condition, flow->local_port);
    case IPSEC_CONDITION_IP_REMOTE_PORT:
        return number_holds(condition, flow->remote_port);
    case IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE: /* a flow is unicast */
        return number_holds(condition, 1);
    case IPSEC_CONDITION_IP_DESTINATION_ADDRESS_TYPE:
    case IPSEC_CONDITION_IP_LOCAL_INTERFACE:
    case IPSEC_CONDITION_FLAGS:
    case IPSEC_CONDITION_FIELD_COUNT:
        break;
    }
    return false;
}

static uint64_t
search_linearly(const struct classify_flow *flow)
{
    const struct ipsec_filter *best = NULL;
    uint8_t layer = flow->ip_version == IPSEC_IP_VERSION_V4 ? IPSEC_LAYER_INBOUND_TRANSPORT_V4
                                                            : IPSEC_LAYER_INBOUND_TRANSPORT_V6;

    for (size_t i = 0; i < FILTERS; i++) {
        const struct ipsec_filter *filter = &filters[i].filter;
        bool matches = filters[i].present && filter->layer == layer;

        for (size_t j = 0; j < filter->condition_count; j++)
            matches = matches && condition_holds(&filter->conditions[j], flow);
        /* Ids ascend, so the first of equal weight has the lowest. */
        if (matches && (best == NULL || filter->effective_weight > best->effective_weight))
            best = filter;
    }
    return best == NULL ? 0 : best->id;
}

/* Few different addresses, ports and weights, so that much collides. */
static struct ipsec_address
random_address(void)
{
    struct ipsec_address result = { .bytes = { 10, (uint8_t)random_below(2), 0, 0 } };

    result.bytes[3] = (uint8_t)random_below(8);
    return result;
}

/* Any match that suits the field. */
static void
compare_otherwise(struct ipsec_condition *condition)
{
    static const uint8_t matches[] = {
        IPSEC_MATCH_NOT_EQUAL,     IPSEC_MATCH_GREATER,       IPSEC_MATCH_LESS,
        IPSEC_MATCH_LESS_OR_EQUAL, IPSEC_MATCH_RANGE,         IPSEC_MATCH_GREATER_OR_EQUAL,
        IPSEC_MATCH_FLAGS_ALL_SET, IPSEC_MATCH_FLAGS_ANY_SET, IPSEC_MATCH_FLAGS_NONE_SET,
    };
    bool is_address = condition->field <= IPSEC_CONDITION_IP_REMOTE_ADDRESS;

    condition->match = matches[random_below(is_address ? 6 : 9)];
    condition->number_high = condition->number + random_below(80);
    condition->address_high = condition->address;
    condition->address_high.bytes[3] =
        (uint8_t)(condition->address_high.bytes[3] + random_below(8));
    condition->prefix_length = 32;
}

static void
make_random_filter(struct ipsec_filter *filter, uint64_t id)
{
    static const uint8_t prefix_lengths[] = { 0, 8, 15, 16, 29, 31, 32 };
    uint16_t numbers[] = { 6, 17, 80, 443 };

    *filter = (struct ipsec_filter){ .id = id, .effective_weight = (uint64_t)random_below(20) };
    filter->layer =
        random_below(4) == 0 ? IPSEC_LAYER_INBOUND_TRANSPORT_V6 : IPSEC_LAYER_INBOUND_TRANSPORT_V4;
    for (uint8_t field = 0; field <= IPSEC_CONDITION_IP_REMOTE_PORT; field++) {
        if (random_below(2) == 0)
            continue;
        struct ipsec_condition *condition = &filter->conditions[filter->condition_count++];

        condition->field = field;
        condition->number = numbers[random_below(4)];
        condition->prefix_length = prefix_lengths[random_below(7)];
        condition->address = random_address();
        if (random_below(4) == 0)
            compare_otherwise(condition);
        condition_normalise(condition, (enum ipsec_layer)filter->layer);
    }
    if (random_below(8) == 0)
        filter->conditions[filter->condition_count++] =
            number_condition(IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, (uint16_t)random_below(4));
    if (random_below(16) == 0)
        filter->conditions[filter->condition_count++] = number_condition(
            random_below(2) == 0 ? IPSEC_CONDITION_FLAGS : IPSEC_CONDITION_IP_LOCAL_INTERFACE, 0);
}

static struct classify_flow
random_flow(void)
{
    uint8_t protocols[] = { 0, 6, 17 };
    uint16_t ports[] = { 0, 6, 17, 80, 443 };

    return (struct classify_flow){
        .local_address = random_address(),
        .remote_address = random_address(),
        .local_port = ports[random_below(5)],
        .remote_port = ports[random_below(5)],
        .ip_protocol = protocols[random_below(3)],
        .ip_version = random_below(4) == 0 ? IPSEC_IP_VERSION_V6 : IPSEC_IP_VERSION_V4,
    };
}

static void
assert_agrees(struct classify *classify)
{
    for (int i = 0; i < FLOWS; i++) {
        struct classify_flow flow = random_flow();
        uint64_t expected = search_linearly(&flow);

        assert_int_equal(classify_flow(classify, &flow), expected);
        assert_int_equal(classify_flow(classify, &flow), expected); /* from the cache */
    }
}

static void
an_empty_classifier_answers_none(void **state)
{
    (void)state;
    struct classify classify;
    struct classify_flow flow = random_flow();

    assert_true(classify_init(&classify));
    assert_int_equal(classify_flow(&classify, &flow), 0);
    classify_clear(&classify);
}

static void
random_filters_agree_with_a_linear_search(void **state)
{
    (void)state;
    struct classify classify;

    assert_true(classify_init(&classify));
    for (uint64_t i = 0; i < FILTERS; i++) {
        make_random_filter(&filters[i].filter, i + 1);
        assert_true(classify_add(&classify, &filters[i].node, &filters[i].filter));
        filters[i].present = true;
        if (i % 40 == 0)
            assert_agrees(&classify);
    }
    assert_agrees(&classify);

    /* Take half out, put some of them back, drop the rest for good. */
    for (size_t i = 0; i < FILTERS; i += 2) {
        classify_remove(&classify, &filters[i].node);
        filters[i].present = false;
    }
    assert_agrees(&classify);
    for (size_t i = 0; i < FILTERS; i += 6) {
        classify_restore(&classify, &filters[i].node);
        filters[i].present = true;
    }
    assert_agrees(&classify);
    for (size_t i = 0; i < FILTERS; i++) {
        if (!filters[i].present)
            classify_release(&classify, &filters[i].node);
    }
    assert_agrees(&classify);
    for (size_t i = 0; i < FILTERS; i++) {
        if (!filters[i].present)
            continue;
        classify_remove(&classify, &filters[i].node);
        classify_release(&classify, &filters[i].node);
        filters[i].present = false;
    }
    assert_agrees(&classify);
    assert_int_equal(classify.cells.count, 0);
    for (size_t i = 0; i < IPSEC_LAYER_COUNT; i++)
        assert_null(classify.tuples[i]);
    classify_clear(&classify);
}

static void
shapes_stand_in_the_order_of_their_weights(void **state)
{
    struct classify classify;
    struct classify_node nodes[9];
    struct ipsec_filter filter = { .layer = IPSEC_LAYER_INBOUND_TRANSPORT_V4 };
    struct classify_flow flow = { .ip_version = IPSEC_IP_VERSION_V4 };

    (void)state;
    assert_true(classify_init(&classify));
    filter.condition_count = 1;
    for (uint8_t i = 0; i < 9; i++) {
        filter.id = i + 1u;
        filter.effective_weight = (i * 5u) % 7; /* 0 5 3 1 6 4 2 0 5 */
        filter.conditions[0] = (struct ipsec_condition){ .prefix_length = i };
        assert_true(classify_has_room(&classify, &filter));
        assert_true(classify_add(&classify, &nodes[i], &filter));
    }
    assert_int_equal(classify_flow(&classify, &flow), 5);
    /* The weight of a shape is a bound: what weighs as much further on is still found. */
    classify_remove(&classify, &nodes[4]);
    assert_int_equal(classify_flow(&classify, &flow), 2);
    classify_remove(&classify, &nodes[1]);
    assert_int_equal(classify_flow(&classify, &flow), 9);
    classify_restore(&classify, &nodes[1]);
    assert_int_equal(classify_flow(&classify, &flow), 2);
    classify_clear(&classify);
}

static void
a_new_filter_drops_what_the_cache_knew(void **state)
{
    (void)state;
    struct ipsec_filter wide = transport_filter(IPSEC_LAYER_INBOUND_TRANSPORT_V4);
    struct ipsec_filter heavy = wide;
    struct classify_flow flow = { .local_address = address("192.0.2.1"),
                                  .remote_address = address("198.51.100.7") };
    struct classify_node nodes[2];
    struct classify classify;

    wide.id = 1;
    heavy.id = 2;
    heavy.effective_weight = 9;
    assert_true(classify_init(&classify));
    assert_int_equal(classify_flow(&classify, &flow), 0);
    assert_true(classify_add(&classify, &nodes[0], &wide));
    assert_int_equal(classify_flow(&classify, &flow), 1);
    assert_true(classify_add(&classify, &nodes[1], &heavy));
    assert_int_equal(classify_flow(&classify, &flow), 2);
    classify_remove(&classify, &nodes[1]);
    assert_int_equal(classify_flow(&classify, &flow), 1);
    classify_clear(&classify);
}

static void
masks_cut_at_any_bit(void **state)
{
    (void)state;
    for (unsigned length = 0; length <= 128; length++) {
        struct ipsec_address masked;

        memset(&masked, 0xff, sizeof masked);
        address_mask(&masked, length);
        for (unsigned bit = 0; bit < 128; bit++) {
            bool is_set = (masked.bytes[bit / 8] & (0x80u >> (bit % 8))) != 0;

            assert_int_equal(is_set, bit < length);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_classifier_answers_none),
        cmocka_unit_test(random_filters_agree_with_a_linear_search),
        cmocka_unit_test(shapes_stand_in_the_order_of_their_weights),
        cmocka_unit_test(a_new_filter_drops_what_the_cache_knew),
        cmocka_unit_test(masks_cut_at_any_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
