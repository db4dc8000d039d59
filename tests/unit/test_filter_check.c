/* SPDX-License-Identifier: Apache-2.0
 *
 * test_filter_check.c: what makes a filter valid. */
#include "engine/filter_check.h"

#include "tests/unit/engine_fixture.h"

static enum ipsec_status
check(const struct ipsec_filter *filter,
      const struct ipsec_provider_context *context,
      struct ipsec_fault *fault)
{
    enum ipsec_status status = filter_check_values(filter, fault);

    return status == IPSEC_OK ? filter_check_meaning(filter, context, fault) : status;
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
    assert_int_equal(check(&filter, NULL, &fault), IPSEC_INVALID_PARAMETER);
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
static void unknown_match(struct ipsec_filter *filter) { filter->conditions[1].match = IPSEC_MATCH_COUNT; }
static void long_prefix(struct ipsec_filter *filter) { filter->conditions[0].prefix_length = 33; }
static void long_v6_prefix(struct ipsec_filter *filter) { filter->layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V6; filter->callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6; filter->conditions[0].prefix_length = 129; }
static void longest_v6_prefix(struct ipsec_filter *filter) { long_v6_prefix(filter); filter->conditions[0].prefix_length = 128; }
static void large_protocol(struct ipsec_filter *filter) { filter->conditions[1] = number_condition(IPSEC_CONDITION_IP_PROTOCOL, 256); }
static void duplicate_field(struct ipsec_filter *filter) { filter->conditions[1].field = IPSEC_CONDITION_IP_LOCAL_ADDRESS; }
static void port_without_protocol(struct ipsec_filter *filter) { filter->conditions[1] = number_condition(IPSEC_CONDITION_IP_LOCAL_PORT, 65535); }
static void inbound_callout(struct ipsec_filter *filter) { filter->callout = IPSEC_CALLOUT_INBOUND_TRANSPORT_V4; }
static void v6_callout(struct ipsec_filter *filter) { filter->callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6; }
static void plain_block(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_BLOCK; filter->callout = IPSEC_CALLOUT_NONE; }
static void no_context(struct ipsec_filter *filter) { filter->flags = IPSEC_FILTER_HAS_PROVIDER_CONTEXT; }
static void boot_time(struct ipsec_filter *filter) { filter->flags = IPSEC_FILTER_BOOTTIME; }
static void disabled(struct ipsec_filter *filter) { filter->flags = IPSEC_FILTER_DISABLED; }
static void unknown_flag(struct ipsec_filter *filter) { filter->flags = 0x80; }
static void all_flags(struct ipsec_filter *filter) { filter->flags = IPSEC_FILTER_PERSISTENT | IPSEC_FILTER_CLEAR_ACTION_RIGHT | IPSEC_FILTER_PERMIT_IF_CALLOUT_UNREGISTERED | IPSEC_FILTER_INDEXED; }
static void unregistered_block(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_BLOCK; filter->callout = IPSEC_CALLOUT_NONE; filter->flags = IPSEC_FILTER_PERMIT_IF_CALLOUT_UNREGISTERED; }
static void unknown_sub_layer(struct ipsec_filter *filter) { filter->sub_layer = IPSEC_SUB_LAYER_COUNT; }
static void inspecting_sub_layer(struct ipsec_filter *filter) { filter->sub_layer = IPSEC_SUB_LAYER_INSPECTION; }
static void blocking_inspecting_sub_layer(struct ipsec_filter *filter) { plain_block(filter); filter->sub_layer = IPSEC_SUB_LAYER_INSPECTION; }
static void other_sub_layer(struct ipsec_filter *filter) { filter->sub_layer = IPSEC_SUB_LAYER_LIPS; }
static void long_provider_data(struct ipsec_filter *filter) { filter->provider_data_size = IPSEC_PROVIDER_DATA_MAX + 1; }
static void known_raw_context(struct ipsec_filter *filter) { filter->raw_context = 3; }
static void unknown_raw_context(struct ipsec_filter *filter) { filter->raw_context = 4; }
static void reserved_raw_context(struct ipsec_filter *filter) { filter->raw_context = UINT64_C(1) << 63; }
static void raw_context_of_a_permit(struct ipsec_filter *filter) { plain_block(filter); filter->action = IPSEC_ACTION_PERMIT; filter->raw_context = 77; }
static void ike_layer(struct ipsec_filter *filter) { filter->layer = IPSEC_LAYER_IKEEXT_V4; filter->condition_count = 1; }
static void ike_layer_permit(struct ipsec_filter *filter) { ike_layer(filter); filter->action = IPSEC_ACTION_PERMIT; filter->callout = IPSEC_CALLOUT_NONE; }
static void ipsec_layer(struct ipsec_filter *filter) { filter->layer = IPSEC_LAYER_IPSEC_V4; }
static void ipsec_layer_permit(struct ipsec_filter *filter) { ipsec_layer(filter); filter->action = IPSEC_ACTION_PERMIT; filter->callout = IPSEC_CALLOUT_NONE; }
static void forward_layer(struct ipsec_filter *filter) { filter->layer = IPSEC_LAYER_IPFORWARD_V4; filter->condition_count = 1; }
static void forward_layer_block(struct ipsec_filter *filter) { forward_layer(filter); plain_block(filter); }
static void forward_layer_protocol(struct ipsec_filter *filter) { forward_layer_block(filter); filter->condition_count = 2; }
static void tunnel_callout(struct ipsec_filter *filter) { filter->callout = IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4; }
static void inspection(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_CALLOUT_INSPECTION; }
static void unknown_kind(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_CALLOUT_UNKNOWN; }
static void block_with_callout(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_BLOCK; }
static void permit_with_callout(struct ipsec_filter *filter) { filter->action = IPSEC_ACTION_PERMIT; }
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
        { unknown_match, IPSEC_INVALID_ENUMERATOR, "/conditions/1/match" },
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
        { no_context, IPSEC_NULL_POINTER, "/providerContextKey" },
        { boot_time, IPSEC_INVALID_FLAGS, "/flags" },
        { disabled, IPSEC_INVALID_FLAGS, "/flags" },
        { unknown_flag, IPSEC_INVALID_FLAGS, "/flags" },
        { unregistered_block, IPSEC_INVALID_FLAGS, "/flags" },
        { unknown_sub_layer, IPSEC_SUBLAYER_NOT_FOUND, "/subLayer" },
        { inspecting_sub_layer, IPSEC_ACTION_INCOMPATIBLE_WITH_SUBLAYER, "/subLayer" },
        { blocking_inspecting_sub_layer, IPSEC_ACTION_INCOMPATIBLE_WITH_SUBLAYER, "/subLayer" },
        { long_provider_data, IPSEC_OUT_OF_BOUNDS, "/providerData" },
        { unknown_raw_context, IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT, "/rawContext" },
        { reserved_raw_context, IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT, "/rawContext" },
        { ike_layer, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER, "/action/callout" },
        { ipsec_layer, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER, "/action/callout" },
        { forward_layer, IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER, "/action/callout" },
        { forward_layer_protocol, IPSEC_CONDITION_NOT_FOUND, "/conditions/1/field" },
        { all_flags, IPSEC_OK, NULL },
        { other_sub_layer, IPSEC_OK, NULL },
        { known_raw_context, IPSEC_OK, NULL },
        { raw_context_of_a_permit, IPSEC_OK, NULL },
        { ike_layer_permit, IPSEC_OK, NULL },
        { ipsec_layer_permit, IPSEC_OK, NULL },
        { forward_layer_block, IPSEC_OK, NULL },
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
        assert_int_equal(check(&filter, NULL, &fault), cases[i].status);
        if (cases[i].status != IPSEC_OK)
            assert_string_equal(fault.pointer, cases[i].pointer);
    }
}

/* --- Layers, callouts and contexts --- */

static void
each_callout_works_at_one_layer(void **state)
{
    (void)state;
    /* By callout, from the first behind NONE: inbound and outbound transport, the same of tunnels,
     * forward. */
    static const uint8_t layers[] = { 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 4, 5 };
    const struct ipsec_provider_context tunnel = { .type = IPSEC_CONTEXT_IKE_QM_TUNNEL };

    for (uint8_t callout = 1; callout < IPSEC_CALLOUT_COUNT; callout++) {
        bool is_tunnel = callout >= IPSEC_CALLOUT_INBOUND_TUNNEL_V4;

        for (uint8_t layer = 0; layer < IPSEC_LAYER_COUNT; layer++) {
            struct ipsec_filter filter = transport_filter((enum ipsec_layer)layer);
            struct ipsec_fault fault = { .status = IPSEC_OK };

            filter.callout = callout;
            assert_int_equal(check(&filter, is_tunnel ? &tunnel : NULL, &fault),
                             layer == layers[callout - 1] ? IPSEC_OK
                                                          : IPSEC_ACTION_INCOMPATIBLE_WITH_LAYER);
        }
    }
}

/* What a provider context of each type is to a filter. */
enum kind { TRANSPORT = 1, TUNNEL = 2, MAIN = 4 };
static const uint8_t kinds[IPSEC_CONTEXT_TYPE_COUNT] = { 0, 1, 2, 1, 2, 4, 4, 0, 0, 2, 4, 0, 1, 0 };

static void
each_place_takes_its_types_of_contexts(void **state)
{
    (void)state;
    static const struct {
        uint8_t layer;
        uint8_t callout;
        uint8_t kinds;
        bool needed;
        enum ipsec_status refusal;
    } places[] = {
        { IPSEC_LAYER_INBOUND_TRANSPORT_V4, IPSEC_CALLOUT_INBOUND_TRANSPORT_V4, TRANSPORT, false,
          IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V6, IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V6, TRANSPORT, false,
          IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT },
        { IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, IPSEC_CALLOUT_OUTBOUND_TUNNEL_V4, TUNNEL, true,
          IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT },
        { IPSEC_LAYER_IPFORWARD_V6, IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V6, TUNNEL, true,
          IPSEC_CONTEXT_INCOMPATIBLE_WITH_CALLOUT },
        { IPSEC_LAYER_INBOUND_TRANSPORT_V4, IPSEC_CALLOUT_NONE, 0, false,
          IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER },
        { IPSEC_LAYER_IPFORWARD_V4, IPSEC_CALLOUT_NONE, 0, false,
          IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER },
        { IPSEC_LAYER_IPSEC_V4, IPSEC_CALLOUT_NONE, TRANSPORT | TUNNEL, false,
          IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER },
        { IPSEC_LAYER_IKEEXT_V6, IPSEC_CALLOUT_NONE, MAIN, false,
          IPSEC_CONTEXT_INCOMPATIBLE_WITH_LAYER },
    };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct ipsec_filter filter = transport_filter((enum ipsec_layer)places[i].layer);
        struct ipsec_fault fault = { .status = IPSEC_OK };

        filter.callout = places[i].callout;
        if (filter.callout == IPSEC_CALLOUT_NONE)
            filter.action = IPSEC_ACTION_PERMIT;
        assert_int_equal(check(&filter, NULL, &fault),
                         places[i].needed ? places[i].refusal : IPSEC_OK);
        for (uint8_t type = 0; type < IPSEC_CONTEXT_TYPE_COUNT; type++) {
            const struct ipsec_provider_context context = { .type = type };
            bool fits = (kinds[type] & places[i].kinds) != 0;

            assert_int_equal(check(&filter, &context, &fault), fits ? IPSEC_OK : places[i].refusal);
            if (!fits)
                assert_string_equal(fault.pointer, "/providerContextKey");
        }
    }
}

static void
a_raw_context_excludes_a_provider_context(void **state)
{
    (void)state;
    struct ipsec_filter filter = transport_filter(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4);
    const struct ipsec_provider_context context = { .type = IPSEC_CONTEXT_IKE_QM_TRANSPORT };
    struct ipsec_fault fault = { .status = IPSEC_OK };

    filter.raw_context = 1;
    assert_int_equal(check(&filter, &context, &fault), IPSEC_INVALID_PARAMETER);
    assert_string_equal(fault.pointer, "/rawContext");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_a_filter_come_before_what_it_refers_to),
        cmocka_unit_test(filters_are_judged_member_by_member),
        cmocka_unit_test(each_callout_works_at_one_layer),
        cmocka_unit_test(each_place_takes_its_types_of_contexts),
        cmocka_unit_test(a_raw_context_excludes_a_provider_context),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
