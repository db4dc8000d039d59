/* SPDX-License-Identifier: Apache-2.0
 *
 * test_xfrm_filter.c: which policies a filter means to the kernel, and which it can't have. */
#include "engine/plane/xfrm_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <netinet/in.h>

#include <linux/xfrm.h>

#include <cmocka.h>

#include "engine/plane/xfrm_owner.h"

/* From 192.0.2.0/24 here to 198.51.100.7, TCP port 443 there. */
static struct ipsec_filter
example(uint8_t layer, uint8_t callout)
{
    return (struct ipsec_filter){
        .id = 42,
        .layer = layer,
        .action = IPSEC_ACTION_CALLOUT_TERMINATING,
        .callout = callout,
        .condition_count = 4,
        .conditions = {
            { .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS,
              .prefix_length = 24,
              .address = { .bytes = { 192, 0, 2 } } },
            { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
              .prefix_length = 32,
              .address = { .bytes = { 198, 51, 100, 7 } } },
            { .field = IPSEC_CONDITION_IP_PROTOCOL, .number = IPPROTO_TCP },
            { .field = IPSEC_CONDITION_IP_REMOTE_PORT, .number = 443 },
        },
    };
}

static size_t
translate(const struct ipsec_filter *filter,
          const struct ipsec_provider_context *context,
          struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX])
{
    const struct plane_filter what = { .filter = filter, .policy = context, .rank = 7 };
    struct ipsec_fault fault = { .status = IPSEC_OK };
    size_t count = 99;

    assert_int_equal(xfrm_filter_policies(&what, 3, policies, &count, &fault), IPSEC_OK);
    return count;
}

static void
assert_bytes(const struct ipsec_address *address, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const struct ipsec_address expected = { .bytes = { a, b, c, d } };

    assert_memory_equal(address, &expected, sizeof expected);
}

static void
outbound_is_from_local_to_remote(void **state)
{
    (void)state;
    const struct ipsec_filter filter =
        example(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4);
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];
    struct xfrm_owner owner;

    assert_int_equal(translate(&filter, NULL, policies), 1);
    assert_int_equal(policies[0].direction, KERNEL_POLICY_OUT);
    assert_bytes(&policies[0].selector.source, 192, 0, 2, 0);
    assert_int_equal(policies[0].selector.source_prefix, 24);
    assert_bytes(&policies[0].selector.destination, 198, 51, 100, 7);
    assert_int_equal(policies[0].selector.destination_prefix, 32);
    assert_int_equal(policies[0].selector.ip_protocol, IPPROTO_TCP);
    assert_int_equal(policies[0].selector.source_port_mask, 0);
    assert_int_equal(policies[0].selector.destination_port, 443);
    assert_int_equal(policies[0].selector.destination_port_mask, 0xffff);
    assert_int_equal(policies[0].priority, XFRM_PRIORITY_FILTERS + 7);
    assert_false(policies[0].is_block);
    assert_int_equal(policies[0].template_count, 1);
    assert_int_equal(policies[0].templates[0].protocol, IPPROTO_ESP);
    assert_int_equal(policies[0].templates[0].mode, XFRM_MODE_TRANSPORT);
    assert_int_equal(policies[0].templates[0].reqid, xfrm_owner_reqid(42));
    assert_true(xfrm_owner_read(policies[0].owner, &owner));
    assert_int_equal(owner.id, 42);
    assert_int_equal(owner.instance, 3);
}

static void
inbound_is_from_remote_to_local(void **state)
{
    (void)state;
    struct ipsec_filter filter =
        example(IPSEC_LAYER_INBOUND_TRANSPORT_V4, IPSEC_CALLOUT_INBOUND_TRANSPORT_V4);
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];

    assert_int_equal(translate(&filter, NULL, policies), 1);
    assert_int_equal(policies[0].direction, KERNEL_POLICY_IN);
    assert_bytes(&policies[0].selector.source, 198, 51, 100, 7);
    assert_bytes(&policies[0].selector.destination, 192, 0, 2, 0);
    assert_int_equal(policies[0].selector.source_port, 443);
    assert_int_equal(policies[0].selector.destination_port_mask, 0);

    /* The type of ICMP, a local port to WFP, is the source port to the kernel in both directions.
     */
    filter.conditions[2].number = IPPROTO_ICMP;
    filter.conditions[3].field = IPSEC_CONDITION_IP_LOCAL_PORT;
    filter.conditions[3].number = 8;
    assert_int_equal(translate(&filter, NULL, policies), 1);
    assert_int_equal(policies[0].selector.source_port, 8);
    assert_int_equal(policies[0].selector.source_port_mask, 0xffff);
    assert_int_equal(policies[0].selector.destination_port_mask, 0);
}

static void
tunnels_have_their_ends_from_the_context(void **state)
{
    (void)state;
    struct ipsec_provider_context context = {
        .type = IPSEC_CONTEXT_IKE_QM_TUNNEL,
        .ip_version = IPSEC_IP_VERSION_V4,
        .local_endpoint = { .bytes = { 203, 0, 113, 1 } },
        .remote_endpoint = { .bytes = { 203, 0, 113, 2 } },
        .proposal_count = 1,
        .proposals = { { .transform_count = 2,
                         .transforms = { { .type = IPSEC_TRANSFORM_ESP_AUTH_AND_CIPHER },
                                         { .type = IPSEC_TRANSFORM_AH } } } },
    };
    /* Inner packets of the other family. */
    struct ipsec_filter filter = {
        .id = 43,
        .tunnel_id = 40,
        .layer = IPSEC_LAYER_INBOUND_TRANSPORT_V6,
        .action = IPSEC_ACTION_CALLOUT_TERMINATING,
        .callout = IPSEC_CALLOUT_INBOUND_TUNNEL_V6,
    };
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];
    const struct plane_filter without = { .filter = &filter };
    struct ipsec_fault fault = { .status = IPSEC_OK };
    size_t count = 0;

    assert_int_equal(translate(&filter, &context, policies), 2);
    assert_int_equal(policies[0].direction, KERNEL_POLICY_IN);
    assert_int_equal(policies[1].direction, KERNEL_POLICY_FORWARD);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(policies[i].selector.ip_version, IPSEC_IP_VERSION_V6);
        assert_int_equal(policies[i].template_count, 2);
        assert_int_equal(policies[i].templates[0].mode, XFRM_MODE_TUNNEL);
        assert_int_equal(policies[i].templates[0].ip_version, IPSEC_IP_VERSION_V4);
        assert_bytes(&policies[i].templates[0].source, 203, 0, 113, 2);
        assert_bytes(&policies[i].templates[0].destination, 203, 0, 113, 1);
        assert_int_equal(policies[i].templates[0].reqid, xfrm_owner_reqid(40));
        assert_int_equal(policies[i].templates[1].protocol, IPPROTO_AH);
        assert_int_equal(policies[i].templates[1].mode, XFRM_MODE_TRANSPORT);
        assert_int_equal(policies[i].templates[1].reqid, xfrm_owner_reqid(40));
    }
    assert_memory_not_equal(policies[0].owner, policies[1].owner, KERNEL_OWNER_SIZE);

    filter.layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V6;
    filter.callout = IPSEC_CALLOUT_OUTBOUND_TUNNEL_V6;
    filter.tunnel_id = 0;
    filter.provider_context_id = 41;
    assert_int_equal(translate(&filter, &context, policies), 1);
    assert_int_equal(policies[0].direction, KERNEL_POLICY_OUT);
    assert_bytes(&policies[0].templates[0].source, 203, 0, 113, 1);
    assert_int_equal(policies[0].templates[0].reqid, xfrm_owner_reqid(41));

    assert_int_equal(xfrm_filter_policies(&without, 0, policies, &count, &fault),
                     IPSEC_CALLOUT_NOTIFICATION_FAILED);
    assert_string_equal(fault.pointer, "/providerContextKey");
}

static void
what_is_forwarded_is_checked_coming_in_and_sent_going_out(void **state)
{
    (void)state;
    const struct ipsec_provider_context context = { .type = IPSEC_CONTEXT_IKE_QM_TUNNEL };
    struct ipsec_filter filter = { .id = 44,
                                   .layer = IPSEC_LAYER_IPFORWARD_V4,
                                   .action = IPSEC_ACTION_CALLOUT_TERMINATING,
                                   .callout = IPSEC_CALLOUT_FORWARD_OUTBOUND_TUNNEL_V4 };
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];

    assert_int_equal(translate(&filter, &context, policies), 1);
    assert_int_equal(policies[0].direction, KERNEL_POLICY_OUT);
    filter.callout = IPSEC_CALLOUT_FORWARD_INBOUND_TUNNEL_V4;
    assert_int_equal(translate(&filter, &context, policies), 1);
    assert_int_equal(policies[0].direction, KERNEL_POLICY_FORWARD);
    /* Of a whole tunnel the filters of the transport layers cover it: the same policies twice would
     * be refused. */
    filter.tunnel_id = 7;
    assert_int_equal(translate(&filter, &context, policies), 0);
}

static void
permit_and_block_take_no_sa(void **state)
{
    (void)state;
    struct ipsec_filter filter = example(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, IPSEC_CALLOUT_NONE);
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];

    filter.action = IPSEC_ACTION_PERMIT;
    assert_int_equal(translate(&filter, NULL, policies), 1);
    assert_false(policies[0].is_block);
    assert_int_equal(policies[0].template_count, 0);
    filter.action = IPSEC_ACTION_BLOCK;
    assert_int_equal(translate(&filter, NULL, policies), 1);
    assert_true(policies[0].is_block);
    assert_int_equal(policies[0].template_count, 0);
}

static void
layers_without_packets_and_disabled_filters_mean_nothing(void **state)
{
    (void)state;
    struct ipsec_filter filter = example(IPSEC_LAYER_IPSEC_V4, IPSEC_CALLOUT_NONE);
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];

    assert_int_equal(translate(&filter, NULL, policies), 0);
    filter.layer = IPSEC_LAYER_IKEEXT_V6;
    assert_int_equal(translate(&filter, NULL, policies), 0);
    filter = example(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4);
    filter.flags = IPSEC_FILTER_DISABLED;
    assert_int_equal(translate(&filter, NULL, policies), 0);
}

static void
ranges_become_masks_where_one_covers_them(void **state)
{
    (void)state;
    struct ipsec_filter filter =
        example(IPSEC_LAYER_OUTBOUND_TRANSPORT_V4, IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4);
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];
    struct ipsec_condition *address = &filter.conditions[1];
    struct ipsec_condition *port = &filter.conditions[3];

    port->match = IPSEC_MATCH_RANGE;
    port->number = 1024;
    port->number_high = 2047;
    address->match = IPSEC_MATCH_RANGE;
    address->address = (struct ipsec_address){ .bytes = { 198, 51, 100, 64 } };
    address->address_high = (struct ipsec_address){ .bytes = { 198, 51, 100, 127 } };
    assert_int_equal(translate(&filter, NULL, policies), 1);
    assert_int_equal(policies[0].selector.destination_port, 1024);
    assert_int_equal(policies[0].selector.destination_port_mask, 0xfc00);
    assert_int_equal(policies[0].selector.destination_prefix, 26);

    port->number = 0;
    port->number_high = 65535;
    address->address = (struct ipsec_address){ .bytes = { 0 } };
    address->address_high = (struct ipsec_address){ .bytes = { 255, 255, 255, 255 } };
    assert_int_equal(translate(&filter, NULL, policies), 1);
    assert_int_equal(policies[0].selector.destination_port_mask, 0);
    assert_int_equal(policies[0].selector.destination_prefix, 0);
}

static void
what_the_kernel_cannot_express_is_refused_by_name(void **state)
{
    (void)state;
    static const struct ipsec_condition conditions[] = {
        { .field = IPSEC_CONDITION_IP_REMOTE_PORT, .match = IPSEC_MATCH_NOT_EQUAL, .number = 80 },
        { .field = IPSEC_CONDITION_IP_REMOTE_PORT, .match = IPSEC_MATCH_GREATER, .number = 80 },
        { .field = IPSEC_CONDITION_IP_REMOTE_PORT,
          .match = IPSEC_MATCH_RANGE,
          .number = 1,
          .number_high = 4 },
        { .field = IPSEC_CONDITION_IP_REMOTE_PORT,
          .match = IPSEC_MATCH_RANGE,
          .number = 4,
          .number_high = 6 },
        { .field = IPSEC_CONDITION_IP_REMOTE_PORT,
          .match = IPSEC_MATCH_RANGE,
          .number = 9,
          .number_high = 4 },
        { .field = IPSEC_CONDITION_IP_PROTOCOL, .match = IPSEC_MATCH_NOT_EQUAL, .number = 6 },
        { .field = IPSEC_CONDITION_IP_PROTOCOL, .number = 0 },
        { .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS, .match = IPSEC_MATCH_NOT_EQUAL },
        { .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS,
          .match = IPSEC_MATCH_RANGE,
          .address = { .bytes = { 10, 0, 0, 1 } },
          .address_high = { .bytes = { 10, 0, 0, 2 } } },
        { .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, .number = 3 },
        { .field = IPSEC_CONDITION_IP_LOCAL_INTERFACE, .number = 1 },
        { .field = IPSEC_CONDITION_FLAGS, .match = IPSEC_MATCH_FLAGS_ALL_SET, .number = 1 },
    };
    struct ipsec_filter filter = { .id = 1,
                                   .layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
                                   .action = IPSEC_ACTION_PERMIT,
                                   .condition_count = 2,
                                   .conditions = {
                                       { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS } } };
    const struct plane_filter what = { .filter = &filter };
    struct kernel_policy policies[XFRM_FILTER_POLICIES_MAX];
    size_t count = 0;

    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        struct ipsec_fault fault = { .status = IPSEC_OK };

        filter.conditions[1] = conditions[i];
        assert_int_equal(xfrm_filter_policies(&what, 0, policies, &count, &fault),
                         IPSEC_CALLOUT_NOTIFICATION_FAILED);
        assert_string_equal(fault.pointer, "/conditions/1");
        assert_int_equal(count, 0);
    }
    /* Unicast says nothing new. */
    filter.conditions[1] =
        (struct ipsec_condition){ .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS_TYPE, .number = 1 };
    assert_int_equal(translate(&filter, NULL, policies), 1);
    filter.conditions[1] = filter.conditions[0];
    assert_int_equal(xfrm_filter_policies(&what, 0, policies, &count, NULL),
                     IPSEC_CALLOUT_NOTIFICATION_FAILED);
    filter.condition_count = 1;
    filter.action = IPSEC_ACTION_CALLOUT_INSPECTION;
    assert_int_equal(xfrm_filter_policies(&what, 0, policies, &count, NULL),
                     IPSEC_CALLOUT_NOTIFICATION_FAILED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outbound_is_from_local_to_remote),
        cmocka_unit_test(inbound_is_from_remote_to_local),
        cmocka_unit_test(tunnels_have_their_ends_from_the_context),
        cmocka_unit_test(what_is_forwarded_is_checked_coming_in_and_sent_going_out),
        cmocka_unit_test(permit_and_block_take_no_sa),
        cmocka_unit_test(layers_without_packets_and_disabled_filters_mean_nothing),
        cmocka_unit_test(ranges_become_masks_where_one_covers_them),
        cmocka_unit_test(what_the_kernel_cannot_express_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
