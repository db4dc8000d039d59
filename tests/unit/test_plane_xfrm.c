/* SPDX-License-Identifier: Apache-2.0
 *
 * test_plane_xfrm.c: what is the kernel's own in the plane "xfrm": objects outlive the process,
 * others have theirs beside ours, and SAs end by themselves.  Where the kernel makes no ESP this is
 * left out; tests/vm runs it in one that does. */
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <linux/netlink.h>

#include "engine/plane/netlink.h"
#include "engine/plane/xfrm_msg.h"
#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"
#include "engine/plane/xfrm_udp.h"
#include "tests/conformance/plane_fixture.h"

static struct ipsec_filter
outbound_filter(uint64_t id, uint8_t last_byte)
{
    return (struct ipsec_filter){
        .id = id,
        .layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
        .action = IPSEC_ACTION_CALLOUT_TERMINATING,
        .callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4,
        .condition_count = 1,
        .conditions = { { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
                          .prefix_length = 32,
                          .address = { .bytes = { 198, 51, 100, last_byte } } } },
    };
}

static void
count_message(void *context, const struct nlmsghdr *message, size_t size)
{
    struct xfrm_msg read;

    assert_true(xfrm_msg_read(message, size, &read));
    ++*(size_t *)context;
}

static size_t
count_states(struct netlink *netlink)
{
    size_t count = 0;

    assert_int_not_equal(xfrm_msg_dump_sas(netlink_room(netlink), XFRM_MSG_MAX_SIZE), 0);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, count_message, &count), 0);
    return count;
}

static size_t
count_policies(struct netlink *netlink)
{
    size_t count = 0;

    assert_int_not_equal(xfrm_msg_dump_policies(netlink_room(netlink), XFRM_MSG_MAX_SIZE), 0);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, count_message, &count), 0);
    return count;
}

/* The permits for neighbour discovery. */
#define OWN_POLICIES 6

static void
sas_outlive_the_process_and_are_adopted(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample kept[2];
    struct plane_sample left_over;
    struct plane_sample never;
    struct plane_drift drift;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    plane_test_add_foreign(netlink);
    plane_sample_init(&kept[0], 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_init(&kept[1], 7, IPSEC_DIRECTION_INBOUND, 0x1002);
    plane_sample_add_ah(&kept[1], 0x1003);
    plane_sample_init(&left_over, 8, IPSEC_DIRECTION_OUTBOUND, 0x1004);
    plane_sample_init(&never, 9, IPSEC_DIRECTION_OUTBOUND, 0x1005);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &kept[0].what), IPSEC_OK);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &kept[1].what), IPSEC_OK);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &left_over.what), IPSEC_OK);
    plane_test_close(&test);
    assert_int_equal(count_states(netlink), 5);

    plane_test_open(&test);
    assert_int_equal(test.ops->resume(test.plane, &kept[0].what), IPSEC_OK);
    assert_int_equal(test.ops->resume(test.plane, &kept[1].what), IPSEC_OK);
    assert_int_equal(test.ops->resume(test.plane, &never.what), IPSEC_NOT_FOUND);
    /* The SPI is there, but for another context. */
    never.bundle.sas[0].spi = 0x1001;
    assert_int_equal(test.ops->resume(test.plane, &never.what), IPSEC_NOT_FOUND);
    test.ops->resume_done(test.plane);
    assert_int_equal(count_states(netlink), 4);
    assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.bundles_missing, 0);
    assert_int_equal(drift.bundles_left_over, 0);
    assert_int_equal(drift.foreign, 2);

    /* What was adopted can be deleted. */
    assert_int_equal(plane_do(&test, PLANE_DELETE_BUNDLE, &kept[0].what), IPSEC_OK);
    assert_int_equal(plane_do(&test, PLANE_DELETE_BUNDLE, &kept[1].what), IPSEC_OK);
    assert_int_equal(count_states(netlink), 1);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
drift_tells_what_others_deleted(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample sample;
    struct plane_drift drift;
    const struct ipsec_filter filter = outbound_filter(11, 7);
    const struct plane_filter what = { .filter = &filter };
    const struct kernel_sa_id id = { .destination = { .bytes = { 198, 51, 100, 7 } },
                                     .spi = 0x1001,
                                     .protocol = IPPROTO_ESP };
    const struct kernel_selector selector = { .destination_prefix = 32,
                                              .destination = id.destination };
    struct netlink_result results[2];
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.bundles_missing + drift.filters_missing, 0);
    assert_int_equal(drift.bundles_left_over + drift.filters_left_over + drift.foreign, 0);

    assert_int_not_equal(xfrm_msg_delete_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id), 0);
    netlink_add(netlink);
    assert_int_not_equal(xfrm_msg_delete_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &selector,
                                                KERNEL_POLICY_OUT),
                         0);
    netlink_add(netlink);
    netlink_send(netlink, results, NULL, NULL);
    assert_int_equal(results[0].error, 0);
    assert_int_equal(results[1].error, 0);
    assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.bundles_missing, 1);
    assert_int_equal(drift.filters_missing, 1);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
a_flush_takes_what_is_ours_and_nothing_else(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct plane_under_test test;
    struct plane_sample sample;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    plane_test_add_foreign(netlink);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct ipsec_filter filter = outbound_filter(1000 + i, (uint8_t)i);
        const struct plane_filter what = { .filter = &filter };

        plane_sample_init(&sample, 2000 + i, IPSEC_DIRECTION_OUTBOUND, 0x9000 + i);
        assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
        assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    }
    assert_int_equal(count_states(netlink), COUNT + 1);
    assert_int_equal(count_policies(netlink), COUNT + OWN_POLICIES + 1);
    assert_int_equal(test.ops->flush(test.plane), IPSEC_OK);
    assert_int_equal(count_states(netlink), 1);
    assert_int_equal(count_policies(netlink), 1);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
two_instances_leave_each_other_alone(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample first;
    struct plane *second = NULL;
    struct ipsec_fault fault;
    struct plane_drift drift;

    plane_test_begin(&test, &plane_xfrm);
    plane_sample_init(&first, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &first.what), IPSEC_OK);
    assert_int_equal(plane_xfrm.open("instance=4294967295", &fault, &second), IPSEC_OK);
    assert_int_equal(plane_xfrm.resume(second, &first.what), IPSEC_NOT_FOUND);
    plane_xfrm.resume_done(second);
    assert_int_equal(plane_xfrm.flush(second), IPSEC_OK);
    plane_xfrm.close(second);
    assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.bundles_missing, 0);
    plane_test_close(&test);
}

struct heard {
    size_t count;
    struct plane_event last;
};

static void
hear(void *context, const struct plane_event *event)
{
    struct heard *heard = context;

    heard->count++;
    heard->last = *event;
}

static void
an_sa_that_expires_is_told(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample sample;
    struct plane_counters counters;
    struct heard heard = { .count = 0 };
    struct pollfd waiting;

    plane_test_begin(&test, &plane_xfrm);
    plane_sample_init(&sample, 77, IPSEC_DIRECTION_INBOUND, 0x1001);
    sample.bundle.lifetime.seconds = 1;
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    /* Nothing yet, and reading does not wait. */
    assert_true(test.ops->read_events(test.plane, hear, &heard));
    assert_int_equal(heard.count, 0);
    waiting = (struct pollfd){ .fd = test.ops->event_fd(test.plane), .events = POLLIN };
    assert_int_equal(poll(&waiting, 1, 10000), 1);
    assert_true(test.ops->read_events(test.plane, hear, &heard));
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.last.context_id, 77);
    assert_int_equal(heard.last.direction, IPSEC_DIRECTION_INBOUND);
    assert_int_equal(test.ops->read_counters(test.plane, &sample.what, &counters), IPSEC_NOT_FOUND);
    plane_test_close(&test);
}

/* Whether somebody hears on the UDP port; the test's namespace has no others. */
static bool
is_open(uint16_t port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_free = false;

    assert_true(fd >= 0);
    is_free = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return !is_free;
}

static void
encapsulated(struct plane_sample *sample, uint64_t context_id, uint32_t spi, uint16_t port)
{
    plane_sample_init(sample, context_id, IPSEC_DIRECTION_INBOUND, spi);
    sample->bundle.udp_encapsulation.local_port = port;
    sample->bundle.udp_encapsulation.remote_port = 4500;
}

static void
a_udp_port_is_open_as_long_as_an_sa_hears_on_it(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample first;
    struct plane_sample second;
    struct plane_sample refused;
    struct plane_sample moved;
    struct plane_action move = { .kind = PLANE_UPDATE_BUNDLE };

    plane_test_begin(&test, &plane_xfrm);
    encapsulated(&first, 7, 0x1001, 4500);
    encapsulated(&second, 8, 0x1002, 4500);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &first.what), IPSEC_OK);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &second.what), IPSEC_OK);
    assert_int_equal(plane_do(&test, PLANE_DELETE_BUNDLE, &first.what), IPSEC_OK);
    assert_true(is_open(4500));

    /* An SA that is refused opens none, and closes none of the one in whose place it would be. */
    encapsulated(&refused, 9, 0x1002, 4501);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &refused.what), IPSEC_ALREADY_EXISTS);
    assert_false(is_open(4501));
    assert_true(is_open(4500));

    encapsulated(&moved, 8, 0x1002, 4502);
    move.was = second.what;
    move.what = moved.what;
    test.ops->apply(test.plane, &move, 1);
    assert_int_equal(move.status, IPSEC_OK);
    /* The peer sends to the one before until it is told. */
    assert_true(is_open(4500));
    assert_true(is_open(4502));
    assert_int_equal(plane_do(&test, PLANE_DELETE_BUNDLE, &moved.what), IPSEC_OK);
    assert_false(is_open(4500));
    assert_false(is_open(4502));

    /* More than may be open at a time, one after another. */
    for (uint16_t i = 0; i < 2 * XFRM_UDP_PORTS_MAX; i++) {
        encapsulated(&first, 7, 0x2001U + i, (uint16_t)(5000 + i));
        assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &first.what), IPSEC_OK);
        assert_int_equal(plane_do(&test, PLANE_DELETE_BUNDLE, &first.what), IPSEC_OK);
    }
    plane_test_close(&test);
}

static void
a_udp_port_is_closed_when_its_sa_has_ended(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample sample;
    struct heard heard = { .count = 0 };
    struct pollfd waiting;
    struct netlink *netlink = NULL;
    struct netlink_result result;
    const struct kernel_sa_id id = {
        .destination = { .bytes = { 192, 0, 2, 1 } },
        .spi = 0x1003,
        .protocol = IPPROTO_ESP,
    };

    plane_test_begin(&test, &plane_xfrm);
    encapsulated(&sample, 7, 0x1001, 4500);
    sample.bundle.lifetime.seconds = 1;
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    waiting = (struct pollfd){ .fd = test.ops->event_fd(test.plane), .events = POLLIN };
    assert_int_equal(poll(&waiting, 1, 10000), 1);
    assert_true(is_open(4500));
    assert_true(test.ops->read_events(test.plane, hear, &heard));
    assert_int_equal(heard.count, 1);
    assert_false(is_open(4500));

    /* A restart opens what its SAs need, and no more. */
    encapsulated(&sample, 8, 0x1002, 4501);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    plane_test_close(&test);
    assert_false(is_open(4501));
    plane_test_open(&test);
    assert_int_equal(test.ops->resume(test.plane, &sample.what), IPSEC_OK);
    test.ops->resume_done(test.plane);
    assert_true(is_open(4501));
    assert_int_equal(test.ops->flush(test.plane), IPSEC_OK);
    assert_false(is_open(4501));

    /* Somebody deleted it: a comparison finds out. */
    encapsulated(&sample, 9, 0x1003, 4502);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    assert_int_not_equal(xfrm_msg_delete_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &id), 0);
    netlink_add(netlink);
    netlink_send(netlink, &result, NULL, NULL);
    assert_int_equal(result.error, 0);
    assert_int_equal(test.ops->resume(test.plane, &sample.what), IPSEC_NOT_FOUND);
    test.ops->resume_done(test.plane);
    assert_false(is_open(4502));
    netlink_close(netlink);
    plane_test_close(&test);
}

static void
a_filter_that_is_spoken_for_is_refused(void **state)
{
    (void)state;
    struct plane_under_test test;
    const struct ipsec_filter first = outbound_filter(11, 7);
    const struct ipsec_filter second = outbound_filter(12, 7);
    const struct plane_filter one = { .filter = &first };
    const struct plane_filter two = { .filter = &second };
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &one), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &two), IPSEC_ALREADY_EXISTS);
    /* Deleting the refused one must not delete the other. */
    assert_int_equal(plane_do_filter(&test, PLANE_DELETE_FILTER, &two), IPSEC_OK);
    assert_int_equal(count_policies(netlink), OWN_POLICIES + 1);
    assert_int_equal(plane_do_filter(&test, PLANE_DELETE_FILTER, &one), IPSEC_OK);
    assert_int_equal(count_policies(netlink), OWN_POLICIES);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
who_is_in_the_way_is_said(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample sample;
    struct plane_action action = { .kind = PLANE_ADD_BUNDLE };
    const struct ipsec_filter first = outbound_filter(11, 7);
    const struct ipsec_filter second = outbound_filter(12, 7);
    struct ipsec_filter third = outbound_filter(13, 8);
    struct plane_action add = { .kind = PLANE_ADD_FILTER, .filter = { .filter = &first } };
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    plane_test_add_foreign(netlink);
    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x7777);
    action.what = sample.what;
    test.ops->apply(test.plane, &action, 1);
    assert_int_equal(action.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(action.refused_sa, 1);
    assert_non_null(strstr(action.reason, "another owner"));

    /* The second of two, and one that this service has. */
    plane_sample_init(&sample, 8, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_add_ah(&sample, 0x1002);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    sample.what.context_id = 9;
    sample.bundle.sas[0].spi = 0x1003;
    action.what = sample.what;
    test.ops->apply(test.plane, &action, 1);
    assert_int_equal(action.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(action.refused_sa, 2);
    assert_non_null(strstr(action.reason, "this service"));
    assert_int_equal(count_states(netlink), 3);

    test.ops->apply(test.plane, &add, 1);
    assert_int_equal(add.status, IPSEC_OK);
    add.filter.filter = &second;
    test.ops->apply(test.plane, &add, 1);
    assert_int_equal(add.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(add.holder, 11);
    /* The one from 10.0.0.1 to anywhere is foreign. */
    third.conditions[0].field = IPSEC_CONDITION_IP_LOCAL_ADDRESS;
    third.conditions[0].address = (struct ipsec_address){ .bytes = { 10, 0, 0, 1 } };
    add.filter.filter = &third;
    test.ops->apply(test.plane, &add, 1);
    assert_int_equal(add.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(add.holder, 0);
    assert_string_equal(add.reason,
                        "a policy of another owner is there for exactly these packets: dir out "
                        "action allow priority 0 src 10.0.0.1/32 dst 0.0.0.0/0");
    plane_test_close(&test);
    netlink_close(netlink);
}

static struct plane_action
try_filter(struct plane_under_test *test, const struct ipsec_filter *filter)
{
    struct plane_action action = { .kind = PLANE_TRY_FILTER, .filter = { .filter = filter } };

    test->ops->apply(test->plane, &action, 1);
    return action;
}

static void
a_try_says_what_adding_would_and_changes_nothing(void **state)
{
    (void)state;
    struct plane_under_test test;
    const struct ipsec_filter first = outbound_filter(11, 7);
    const struct ipsec_filter second = outbound_filter(12, 7);
    const struct ipsec_filter third = outbound_filter(13, 8);
    const struct ipsec_filter fourth = outbound_filter(14, 8);
    struct ipsec_filter foreign = outbound_filter(15, 0);
    const struct plane_filter there = { .filter = &first };
    const struct plane_filter tried = { .filter = &third };
    struct plane_action action;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    plane_test_add_foreign(netlink);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &there), IPSEC_OK);

    action = try_filter(&test, &second);
    assert_int_equal(action.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(action.holder, 11);
    /* One that is about to go makes room, until it stays. */
    assert_int_equal(plane_do_filter(&test, PLANE_RELEASE_FILTER, &there), IPSEC_OK);
    action = try_filter(&test, &second);
    assert_int_equal(action.status, IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_KEEP_FILTER, &action.filter), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_KEEP_FILTER, &there), IPSEC_OK);
    assert_int_equal(try_filter(&test, &second).status, IPSEC_ALREADY_EXISTS);

    /* Two that are tried together. */
    assert_int_equal(try_filter(&test, &third).status, IPSEC_OK);
    action = try_filter(&test, &fourth);
    assert_int_equal(action.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(action.holder, 13);
    assert_int_equal(plane_do_filter(&test, PLANE_KEEP_FILTER, &tried), IPSEC_OK);
    action = try_filter(&test, &fourth);
    assert_int_equal(action.status, IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_KEEP_FILTER, &action.filter), IPSEC_OK);
    assert_int_equal(test.plane->tried.count, 0);

    foreign.conditions[0].field = IPSEC_CONDITION_IP_LOCAL_ADDRESS;
    foreign.conditions[0].address = (struct ipsec_address){ .bytes = { 10, 0, 0, 1 } };
    action = try_filter(&test, &foreign);
    assert_int_equal(action.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(action.holder, 0);
    assert_non_null(strstr(action.reason, "dir out action allow priority 0 src 10.0.0.1/32"));

    assert_int_equal(count_policies(netlink), OWN_POLICIES + 2);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
who_is_in_the_way_is_said_whole(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct kernel_policy policy = {
        .selector = { .ip_version = IPSEC_IP_VERSION_V6,
                      .ip_protocol = IPPROTO_TCP,
                      .source_prefix = 128,
                      .destination_prefix = 128,
                      .source_port = 40000,
                      .source_port_mask = 0xfff0,
                      .destination_port = 50000,
                      .destination_port_mask = 0xfff0 },
        .direction = KERNEL_POLICY_OUT,
        .priority = UINT32_MAX,
    };
    struct ipsec_filter filter = {
        .id = 11,
        .layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V6,
        .action = IPSEC_ACTION_PERMIT,
        .condition_count = 5,
        .conditions = { { .field = IPSEC_CONDITION_IP_PROTOCOL, .number = IPPROTO_TCP },
                        { .field = IPSEC_CONDITION_IP_LOCAL_ADDRESS, .prefix_length = 128 },
                        { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS, .prefix_length = 128 },
                        { .field = IPSEC_CONDITION_IP_LOCAL_PORT,
                          .match = IPSEC_MATCH_RANGE,
                          .number = 40000,
                          .number_high = 40015 },
                        { .field = IPSEC_CONDITION_IP_REMOTE_PORT,
                          .match = IPSEC_MATCH_RANGE,
                          .number = 50000,
                          .number_high = 50015 } },
    };
    const struct xfrm_owner owner = { .instance = UINT32_MAX, .id = 11 };
    struct ipsec_fault fault;
    struct netlink_result result;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    memset(policy.selector.source.bytes, 0x2a, 16);
    memset(policy.selector.destination.bytes, 0x2b, 16);
    xfrm_owner_write(&owner, policy.owner);
    assert_int_not_equal(xfrm_msg_add_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &policy), 0);
    netlink_add(netlink);
    netlink_send(netlink, &result, NULL, NULL);
    assert_int_equal(result.error, 0);
    filter.conditions[1].address = policy.selector.source;
    filter.conditions[2].address = policy.selector.destination;

    struct plane_action action = try_filter(&test, &filter);
    assert_int_equal(action.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(ipsec_fault_set(&fault, action.status, IPSEC_FAULT_BODY, NULL,
                                     "the data plane refuses the filter: %s", action.reason),
                     IPSEC_ALREADY_EXISTS);
    assert_non_null(strstr(fault.detail, "plane-instance 4294967295, "));
    assert_non_null(strstr(fault.detail, " dport 50000/0xfff0"));
    plane_test_close(&test);
    netlink_close(netlink);
}

/* A delete that is undone while somebody else has a part of its place. */
static void
what_cannot_be_added_again_is_released_no_more(void **state)
{
    (void)state;
    struct plane_under_test test;
    const struct ipsec_provider_context context = {
        .ip_version = IPSEC_IP_VERSION_V4,
        .local_endpoint = { .bytes = { 192, 0, 2, 1 } },
        .remote_endpoint = { .bytes = { 192, 0, 2, 2 } },
    };
    struct ipsec_filter tunnel = outbound_filter(11, 7);
    struct ipsec_filter other = outbound_filter(12, 7);
    const struct plane_filter what = { .filter = &tunnel, .policy = &context };
    const struct kernel_policy foreign = {
        .selector = { .source_prefix = 32, .source = { .bytes = { 198, 51, 100, 7 } } },
        .direction = KERNEL_POLICY_FORWARD,
    };
    struct netlink_result result;
    struct netlink *netlink = NULL;

    tunnel.layer = other.layer = IPSEC_LAYER_INBOUND_TRANSPORT_V4;
    tunnel.callout = IPSEC_CALLOUT_INBOUND_TUNNEL_V4;
    other.callout = IPSEC_CALLOUT_INBOUND_TRANSPORT_V4;
    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_RELEASE_FILTER, &what), IPSEC_OK);
    assert_int_not_equal(xfrm_msg_set_policy(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &foreign),
                         0);
    netlink_add(netlink);
    netlink_send(netlink, &result, NULL, NULL);
    assert_int_equal(result.error, 0);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_ALREADY_EXISTS);
    assert_int_equal(try_filter(&test, &other).holder, 11);
    plane_test_close(&test);
    netlink_close(netlink);
}

/* As one that another plane took, or an older kernel: no packet goes by it, and that shows. */
static void
a_stored_filter_that_cannot_be_expressed_is_missing(void **state)
{
    (void)state;
    struct plane_under_test test;
    static struct plane_drift drift;
    struct ipsec_filter filter = outbound_filter(11, 7);
    const struct plane_filter what = { .filter = &filter, .is_stored = true };

    filter.conditions[0] = (struct ipsec_condition){
        .field = IPSEC_CONDITION_FLAGS,
        .match = IPSEC_MATCH_FLAGS_ALL_SET,
        .number = 1,
    };
    plane_test_begin(&test, &plane_xfrm);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what),
                         IPSEC_CALLOUT_NOTIFICATION_FAILED);
        assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
        assert_int_equal(drift.filters_missing, 1);
        assert_int_equal(drift.names.filters_missing.count, 1);
        assert_int_equal(drift.names.filters_missing.ids[0], 11);
    }

    /* It goes like one that is there, and may stay after all. */
    assert_int_equal(plane_do_filter(&test, PLANE_RELEASE_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_KEEP_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_RELEASE_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_DELETE_FILTER, &what), IPSEC_OK);
    assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.filters_missing, 0);
    plane_test_close(&test);
}

/* Neither the service's nor those of a keying daemon: they decide on packets of one socket. */
static void
policies_of_sockets_are_nobody_elses(void **state)
{
    (void)state;
    struct plane_under_test test;
    static struct plane_drift drift;
    int v4 = -1;
    int v6 = -1;

    plane_test_begin(&test, &plane_xfrm);
    v4 = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    v6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(test.ops->bypass(v4, IPSEC_IP_VERSION_V4), IPSEC_OK);
    assert_int_equal(test.ops->bypass(v6, IPSEC_IP_VERSION_V6), IPSEC_OK);
    assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.foreign, 0);
    assert_int_equal(drift.filters_left_over + drift.filters_missing, 0);
    close(v4);
    close(v6);
    plane_test_close(&test);
}

/* --- A kernel that refuses -------------------------------------------------------------------- */

/* Every request is EPERM from now on, dumps too; false: none is any more. */
static void
lose_the_right(bool lost)
{
    assert_int_equal(seteuid(lost ? 65534 : 0), 0);
}

static void
sas_that_the_kernel_does_not_list_are_neither_lost_nor_left_over(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample sample;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    plane_test_close(&test);

    plane_test_open(&test);
    lose_the_right(true);
    assert_int_equal(test.ops->resume(test.plane, &sample.what), IPSEC_RPC_DISCONNECTED);
    test.ops->resume_done(test.plane);
    lose_the_right(false);
    assert_int_equal(count_states(netlink), 1);
    assert_int_equal(test.ops->resume(test.plane, &sample.what), IPSEC_OK);
    test.ops->resume_done(test.plane);
    assert_int_equal(count_states(netlink), 1);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
a_policy_that_could_not_be_deleted_goes_with_the_next_comparison(void **state)
{
    (void)state;
    struct plane_under_test test;
    const struct ipsec_filter filter = outbound_filter(11, 7);
    const struct plane_filter what = { .filter = &filter };
    struct plane_drift drift;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    lose_the_right(true);
    assert_int_not_equal(plane_do_filter(&test, PLANE_DELETE_FILTER, &what), IPSEC_OK);
    lose_the_right(false);
    assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.filters_left_over, 1);
    test.ops->resume_done(test.plane);
    assert_int_equal(count_policies(netlink), OWN_POLICIES);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
a_flush_that_the_kernel_refuses_is_told(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct plane_sample sample;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    lose_the_right(true);
    assert_int_equal(test.ops->flush(test.plane), IPSEC_RPC_DISCONNECTED);
    lose_the_right(false);
    assert_int_equal(count_states(netlink), 1);
    assert_int_equal(test.ops->flush(test.plane), IPSEC_OK);
    assert_int_equal(count_states(netlink), 0);
    assert_int_equal(count_policies(netlink), 0);
    plane_test_close(&test);
    netlink_close(netlink);
}

/* --- Filters without a quick-mode policy ------------------------------------------------------ */

static void
see_templates(void *context, const struct nlmsghdr *message, size_t size)
{
    struct xfrm_msg read;

    assert_true(xfrm_msg_read(message, size, &read));
    if (read.policy.template_count > 0)
        *(struct kernel_policy *)context = read.policy;
}

/* By which protocols the one filter's packets are to be protected, the inner one first. */
static void
assert_templates(struct netlink *netlink, uint8_t count, uint8_t first)
{
    struct kernel_policy policy = { .template_count = 0 };

    assert_int_not_equal(xfrm_msg_dump_policies(netlink_room(netlink), XFRM_MSG_MAX_SIZE), 0);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, see_templates, &policy), 0);
    assert_int_equal(policy.template_count, count);
    assert_int_equal(policy.templates[0].protocol, first);
    if (count == 2)
        assert_int_equal(policy.templates[1].protocol, IPPROTO_AH);
}

/* AH alone, for the filter. */
static void
ah_sample_init(struct plane_sample *sample, uint64_t filter_id, uint32_t spi)
{
    plane_sample_init(sample, 7, IPSEC_DIRECTION_OUTBOUND, spi);
    plane_sample_add_ah(sample, spi);
    sample->bundle.sa_count = 1;
    sample->bundle.sas[0] = sample->bundle.sas[1];
    sample->auth_keys[0] = sample->auth_keys[1];
    sample->cipher_keys[0] = sample->cipher_keys[1];
    sample->what.filter_id = filter_id;
}

static void
what_a_filter_follows_is_known_after_a_restart(void **state)
{
    (void)state;
    struct plane_under_test test;
    const struct ipsec_filter filter = outbound_filter(11, 7);
    const struct plane_filter what = { .filter = &filter };
    struct plane_sample ah;
    struct plane_sample esp;
    struct plane_sample both;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    assert_templates(netlink, 1, IPPROTO_ESP);
    ah_sample_init(&ah, 11, 0x1001);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &ah.what), IPSEC_OK);
    assert_templates(netlink, 1, IPPROTO_AH);
    plane_test_close(&test);

    plane_test_open(&test);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    assert_templates(netlink, 1, IPPROTO_AH);
    /* It is noted as it is: what is another protocol's makes it follow. */
    plane_sample_init(&esp, 8, IPSEC_DIRECTION_OUTBOUND, 0x1002);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &esp.what), IPSEC_OK);
    assert_templates(netlink, 1, IPPROTO_ESP);
    plane_sample_init(&both, 9, IPSEC_DIRECTION_OUTBOUND, 0x1003);
    plane_sample_add_ah(&both, 0x1004);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &both.what), IPSEC_OK);
    assert_templates(netlink, 2, IPPROTO_ESP);
    plane_test_close(&test);

    plane_test_open(&test);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    assert_templates(netlink, 2, IPPROTO_ESP);
    assert_int_equal(plane_do(&test, PLANE_DELETE_BUNDLE, &ah.what), IPSEC_OK);
    ah.bundle.sas[0].spi = 0x1005;
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &ah.what), IPSEC_OK);
    assert_templates(netlink, 1, IPPROTO_AH);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
a_filter_that_gets_its_place_back_follows_what_it_did(void **state)
{
    (void)state;
    struct plane_under_test test;
    const struct ipsec_filter first = outbound_filter(11, 7);
    const struct ipsec_filter second = outbound_filter(12, 7);
    const struct plane_filter old = { .filter = &first };
    const struct plane_filter new = { .filter = &second };
    struct plane_action add = { .kind = PLANE_ADD_FILTER, .filter = new };
    struct plane_sample ah;
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &old), IPSEC_OK);
    ah_sample_init(&ah, 11, 0x1001);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &ah.what), IPSEC_OK);

    /* As the engine swaps two and takes it back. */
    assert_int_equal(plane_do_filter(&test, PLANE_RELEASE_FILTER, &old), IPSEC_OK);
    test.ops->apply(test.plane, &add, 1);
    assert_int_equal(add.status, IPSEC_OK);
    assert_int_equal(add.replaced[0], 11);
    assert_templates(netlink, 1, IPPROTO_ESP);
    assert_int_equal(plane_do_filter(&test, PLANE_RELEASE_FILTER, &new), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &old), IPSEC_OK);
    assert_int_equal(plane_do_filter(&test, PLANE_DELETE_FILTER, &new), IPSEC_OK);
    assert_int_equal(count_policies(netlink), OWN_POLICIES + 1);
    assert_templates(netlink, 1, IPPROTO_AH);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
the_services_own_port_is_exempt(void **state)
{
    (void)state;
    struct plane_under_test test;
    const struct ipsec_address any = { .bytes = { 0 } };
    const struct ipsec_address one = { .bytes = { 192, 0, 2, 1 } };
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    assert_int_equal(test.ops->exempt(test.plane, IPSEC_IP_VERSION_V4, &one, 8443), IPSEC_OK);
    assert_int_equal(test.ops->exempt(test.plane, IPSEC_IP_VERSION_V6, &any, 8443), IPSEC_OK);
    assert_int_equal(count_policies(netlink), OWN_POLICIES + 4);
    /* After a restart they are there already. */
    assert_int_equal(test.ops->exempt(test.plane, IPSEC_IP_VERSION_V4, &one, 8443), IPSEC_OK);
    assert_int_equal(count_policies(netlink), OWN_POLICIES + 4);
    /* Who wants a filter of just these packets is told of no other owner. */
    const struct ipsec_filter filter = {
        .id = 11,
        .layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V6,
        .action = IPSEC_ACTION_BLOCK,
        .condition_count = 2,
        .conditions = { { .field = IPSEC_CONDITION_IP_PROTOCOL, .number = IPPROTO_TCP },
                        { .field = IPSEC_CONDITION_IP_LOCAL_PORT, .number = 8443 } },
    };
    struct plane_action action = { .kind = PLANE_ADD_FILTER, .filter = { .filter = &filter } };
    test.ops->apply(test.plane, &action, 1);
    assert_int_equal(action.status, IPSEC_ALREADY_EXISTS);
    assert_int_equal(action.holder, 0);
    assert_non_null(strstr(action.reason, "the service's own packets are exempt"));
    assert_string_equal(try_filter(&test, &filter).reason, action.reason);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
change_policy(struct netlink *netlink, const struct kernel_policy *policy, bool is_delete)
{
    struct netlink_result result;
    void *room = netlink_room(netlink);
    size_t size = is_delete
                      ? xfrm_msg_delete_policy(room, XFRM_MSG_MAX_SIZE, &policy->selector,
                                               (enum kernel_policy_direction)policy->direction)
                      : xfrm_msg_set_policy(room, XFRM_MSG_MAX_SIZE, policy);

    assert_int_not_equal(size, 0);
    netlink_add(netlink);
    netlink_send(netlink, &result, NULL, NULL);
    assert_int_equal(result.error, 0);
}

static uint64_t
missing_filters(struct plane_under_test *test)
{
    static struct plane_drift drift;

    assert_int_equal(test->ops->find_drift(test->plane, &drift), IPSEC_OK);
    return drift.filters_missing;
}

/* Whoever lets the packets pass that the service needs; another service needs the same ones. */
static void
what_the_service_needs_is_missed_until_somebody_lets_it_pass(void **state)
{
    (void)state;
    struct plane_under_test test;
    struct kernel_policy policy = {
        .selector = { .ip_version = IPSEC_IP_VERSION_V6,
                      .ip_protocol = IPPROTO_ICMPV6,
                      .source_port = 136,
                      .source_port_mask = 0xfffe },
        .direction = KERNEL_POLICY_IN,
        .is_block = true,
    };
    const struct xfrm_owner other = { .instance = 5, .direction = KERNEL_POLICY_IN };
    struct netlink *netlink = NULL;

    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
    assert_int_equal(missing_filters(&test), 0);

    change_policy(netlink, &policy, false);
    assert_int_equal(missing_filters(&test), 1);
    test.ops->resume_done(test.plane); /* somebody else's is not touched */
    assert_int_equal(missing_filters(&test), 1);

    policy.is_block = false;
    policy.priority = UINT32_MAX; /* below filters */
    change_policy(netlink, &policy, false);
    assert_int_equal(missing_filters(&test), 1);
    policy.priority = 1;
    xfrm_owner_write(&other, policy.owner);
    change_policy(netlink, &policy, false);
    assert_int_equal(missing_filters(&test), 0);

    /* The other service ends and takes its own away. */
    (void)test.ops->take_doubt(test.plane);
    change_policy(netlink, &policy, true);
    assert_int_equal(test.ops->take_doubt(test.plane), PLANE_DOUBT_SURE);
    assert_int_equal(missing_filters(&test), 1);
    test.ops->resume_done(test.plane);
    assert_int_equal(missing_filters(&test), 0);
    assert_int_equal(count_policies(netlink), OWN_POLICIES);

    /* What was made of this service's own is put right. */
    const struct xfrm_owner own = { .instance = 0, .direction = KERNEL_POLICY_IN };
    xfrm_owner_write(&own, policy.owner);
    policy.is_block = true;
    change_policy(netlink, &policy, false);
    assert_int_equal(missing_filters(&test), 1);
    test.ops->resume_done(test.plane);
    assert_int_equal(missing_filters(&test), 0);
    plane_test_close(&test);
    netlink_close(netlink);
}

static void
arguments_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const arguments[] = {
        "x",
        "netns",
        "instance=",
        "instance=-1",
        "instance=4294967296",
        "instance=1x",
        "instance=1,,",
        "netns=../1",
        "netns=none-of-this-name",
    };
    struct plane *plane = NULL;

    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        struct ipsec_fault fault = { .status = IPSEC_OK };

        assert_int_not_equal(plane_xfrm.open(arguments[i], &fault, &plane), IPSEC_OK);
        assert_null(plane);
        assert_true(fault.detail[0] != '\0');
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sas_outlive_the_process_and_are_adopted),
        cmocka_unit_test(drift_tells_what_others_deleted),
        cmocka_unit_test(a_flush_takes_what_is_ours_and_nothing_else),
        cmocka_unit_test(two_instances_leave_each_other_alone),
        cmocka_unit_test(an_sa_that_expires_is_told),
        cmocka_unit_test(a_udp_port_is_open_as_long_as_an_sa_hears_on_it),
        cmocka_unit_test(a_udp_port_is_closed_when_its_sa_has_ended),
        cmocka_unit_test(a_filter_that_is_spoken_for_is_refused),
        cmocka_unit_test(a_try_says_what_adding_would_and_changes_nothing),
        cmocka_unit_test(who_is_in_the_way_is_said_whole),
        cmocka_unit_test(what_cannot_be_added_again_is_released_no_more),
        cmocka_unit_test(a_stored_filter_that_cannot_be_expressed_is_missing),
        cmocka_unit_test(policies_of_sockets_are_nobody_elses),
        cmocka_unit_test(who_is_in_the_way_is_said),
        cmocka_unit_test(sas_that_the_kernel_does_not_list_are_neither_lost_nor_left_over),
        cmocka_unit_test(a_flush_that_the_kernel_refuses_is_told),
        cmocka_unit_test(a_policy_that_could_not_be_deleted_goes_with_the_next_comparison),
        cmocka_unit_test(what_a_filter_follows_is_known_after_a_restart),
        cmocka_unit_test(a_filter_that_gets_its_place_back_follows_what_it_did),
        cmocka_unit_test(the_services_own_port_is_exempt),
        cmocka_unit_test(what_the_service_needs_is_missed_until_somebody_lets_it_pass),
        cmocka_unit_test(arguments_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
