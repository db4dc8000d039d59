/* SPDX-License-Identifier: Apache-2.0
 *
 * test_plane_watch.c: the plane "xfrm" doubts what it has when somebody else takes it away or the
 * kernel does not say what it did, and does not when nothing of its own is touched.  Where the
 * kernel makes no ESP this is left out; tests/vm runs it in one that does. */
#include <errno.h>
#include <unistd.h>

#include <netinet/in.h>

#include <linux/netlink.h>
#include <linux/xfrm.h>

#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"
#include "tests/conformance/plane_fixture.h"
#include "tests/unit/lost_answers.h"

/* A plane with an SA and a filter, a stranger beside it, and an SA and a policy of his. */
struct scene {
    struct plane_under_test test;
    struct netlink *stranger;
    struct plane_sample sample;
    struct ipsec_filter filter;
    struct plane_filter what;
};

static const struct kernel_sa_id our_sa = {
    .destination = { .bytes = { 198, 51, 100, 7 } },
    .spi = 0x1001,
    .protocol = IPPROTO_ESP,
};
static const struct kernel_policy our_policy = {
    .selector = { .destination_prefix = 32, .destination = { .bytes = { 198, 51, 100, 7 } } },
    .direction = KERNEL_POLICY_OUT,
    .priority = 4242,
};
static const struct kernel_policy foreign_policy = {
    .selector = { .source_prefix = 32, .source = { .bytes = { 10, 0, 0, 1 } } },
    .direction = KERNEL_POLICY_OUT,
    .priority = 4242,
};

static enum plane_doubt
doubt(struct scene *scene)
{
    return scene->test.ops->take_doubt(scene->test.plane);
}

/* What was just written for the stranger, which the kernel does. */
static void
ask_as_stranger(struct scene *scene)
{
    struct netlink_result result;

    netlink_add(scene->stranger);
    netlink_send(scene->stranger, &result, NULL, NULL);
    assert_int_equal(result.error, 0);
}

static void
delete_sa(struct scene *scene, const struct kernel_sa_id *id)
{
    assert_int_not_equal(xfrm_msg_delete_sa(netlink_room(scene->stranger), XFRM_MSG_MAX_SIZE, id),
                         0);
    ask_as_stranger(scene);
}

static void
delete_policy(struct scene *scene, const struct kernel_policy *policy)
{
    assert_int_not_equal(xfrm_msg_delete_policy(netlink_room(scene->stranger), XFRM_MSG_MAX_SIZE,
                                                &policy->selector,
                                                (enum kernel_policy_direction)policy->direction),
                         0);
    ask_as_stranger(scene);
}

static void
set_policy(struct scene *scene, const struct kernel_policy *policy)
{
    assert_int_not_equal(
        xfrm_msg_set_policy(netlink_room(scene->stranger), XFRM_MSG_MAX_SIZE, policy), 0);
    ask_as_stranger(scene);
}

/* As "ip xfrm state flush" and "ip xfrm policy flush" ask for it. */
static void
flush_all(struct scene *scene, uint16_t type)
{
    struct nlmsghdr *message = netlink_room(scene->stranger);
    struct xfrm_usersa_flush all = { .proto = 0 };

    memset(message, 0, NLMSG_SPACE(sizeof all));
    message->nlmsg_len = type == XFRM_MSG_FLUSHSA ? NLMSG_LENGTH(sizeof all) : NLMSG_LENGTH(0);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST;
    ask_as_stranger(scene);
}

static void
add_sa(struct scene *scene, uint32_t spi)
{
    static const uint8_t key[20] = { 9 };
    const struct kernel_sa sa = {
        .protocol = IPPROTO_ESP,
        .spi = spi,
        .reqid = 1,
        .source = { .bytes = { 192, 0, 2, 1 } },
        .destination = { .bytes = { 198, 51, 100, 7 } },
        .aead = { .name = "rfc4106(gcm(aes))", .key = key, .key_bits = 160, .icv_bits = 128 },
    };

    assert_int_not_equal(xfrm_msg_add_sa(netlink_room(scene->stranger), XFRM_MSG_MAX_SIZE, &sa), 0);
    ask_as_stranger(scene);
}

static void
begin(struct scene *scene)
{
    *scene = (struct scene){
        .filter = {
            .id = 11,
            .layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
            .action = IPSEC_ACTION_CALLOUT_TERMINATING,
            .callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4,
            .condition_count = 1,
            .conditions = { { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
                              .prefix_length = 32,
                              .address = { .bytes = { 198, 51, 100, 7 } } } },
        },
    };
    scene->what.filter = &scene->filter;
    plane_test_begin(&scene->test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &scene->stranger), 0);
    plane_sample_init(&scene->sample, 7, IPSEC_DIRECTION_OUTBOUND, our_sa.spi);
    assert_int_equal(plane_do(&scene->test, PLANE_ADD_BUNDLE, &scene->sample.what), IPSEC_OK);
    assert_int_equal(plane_do_filter(&scene->test, PLANE_ADD_FILTER, &scene->what), IPSEC_OK);
    set_policy(scene, &foreign_policy);
    add_sa(scene, 0x7777);
    (void)doubt(scene);
}

static void
end(struct scene *scene)
{
    plane_test_close(&scene->test);
    netlink_close(scene->stranger);
}

/* --- Others ----------------------------------------------------------------------------------- */

static void
what_is_ours_and_is_taken_away_is_doubted_once(void **state)
{
    (void)state;
    struct scene scene;

    begin(&scene);
    delete_sa(&scene, &our_sa);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    delete_policy(&scene, &our_policy);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    end(&scene);
}

static void
a_permit_of_the_service_is_ours(void **state)
{
    (void)state;
    struct scene scene;
    const struct xfrm_exemption *exemption = NULL;

    begin(&scene);
    exemption = &scene.test.plane->exemptions[0];
    delete_policy(&scene, &(const struct kernel_policy){ .selector = exemption->selector,
                                                         .direction = exemption->direction });
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    end(&scene);
}

static void
a_flush_of_all_is_doubted(void **state)
{
    (void)state;
    struct scene scene;
    struct plane_drift drift;

    begin(&scene);
    flush_all(&scene, XFRM_MSG_FLUSHSA);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    flush_all(&scene, XFRM_MSG_FLUSHPOLICY);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    assert_int_equal(scene.test.ops->find_drift(scene.test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.bundles_missing, 1);
    assert_int_equal(drift.filters_missing, 1 + scene.test.plane->exemption_count);
    end(&scene);
}

static void
a_policy_that_is_replaced_may_have_been_ours(void **state)
{
    (void)state;
    struct scene scene;
    struct plane_drift drift;

    begin(&scene);
    set_policy(&scene, &our_policy);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_FAINT);
    assert_int_equal(scene.test.ops->find_drift(scene.test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.filters_missing, 1);
    /* Nobody can tell the difference from the event. */
    set_policy(&scene, &foreign_policy);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_FAINT);
    end(&scene);
}

/* A filter that should be there and is not, for somebody else has its place. */
static void
what_stood_in_the_way_of_a_filter_and_goes_is_doubted(void **state)
{
    (void)state;
    struct scene scene;
    struct kernel_policy other_way = our_policy;

    begin(&scene);
    set_policy(&scene, &our_policy);
    scene.what.is_stored = true;
    assert_int_equal(plane_do_filter(&scene.test, PLANE_ADD_FILTER, &scene.what),
                     IPSEC_ALREADY_EXISTS);
    (void)doubt(&scene);
    /* What stands in nobody's way may come and go. */
    other_way.direction = KERNEL_POLICY_IN;
    set_policy(&scene, &other_way);
    (void)doubt(&scene);
    delete_policy(&scene, &other_way);
    delete_policy(&scene, &foreign_policy);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    delete_policy(&scene, &our_policy);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);

    /* It has its place: somebody else's is replaced, not waited for. */
    assert_int_equal(plane_do_filter(&scene.test, PLANE_ADD_FILTER, &scene.what), IPSEC_OK);
    assert_int_equal(scene.test.plane->blocked.count, 0);
    set_policy(&scene, &our_policy);
    assert_int_equal(plane_do_filter(&scene.test, PLANE_ADD_FILTER, &scene.what),
                     IPSEC_ALREADY_EXISTS);
    assert_int_equal(plane_do_filter(&scene.test, PLANE_ADD_FILTER, &scene.what),
                     IPSEC_ALREADY_EXISTS);
    assert_int_equal(scene.test.plane->blocked.count, 1);
    /* Nor is it for a filter that is no more. */
    assert_int_equal(plane_do_filter(&scene.test, PLANE_DELETE_FILTER, &scene.what), IPSEC_OK);
    (void)doubt(&scene);
    delete_policy(&scene, &our_policy);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    end(&scene);
}

static void
what_others_do_with_their_own_is_not_doubted(void **state)
{
    (void)state;
    struct scene scene;
    struct kernel_sa_id id = our_sa;
    struct plane *second = NULL;
    struct ipsec_fault fault;
    struct ipsec_filter filter;
    struct plane_filter other = { .rank = 8 };
    struct plane_under_test beside;

    begin(&scene);
    filter = scene.filter;
    filter.conditions[0].address.bytes[3] = 9;
    id.spi = 0x7777;
    delete_sa(&scene, &id);
    delete_policy(&scene, &foreign_policy);
    add_sa(&scene, 0x7778);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    /* A service with another instance beside it. */
    assert_int_equal(plane_xfrm.open("instance=5", &fault, &second), IPSEC_OK);
    beside = (struct plane_under_test){ .ops = &plane_xfrm, .plane = second };
    other.filter = &filter;
    assert_int_equal(plane_do_filter(&beside, PLANE_ADD_FILTER, &other), IPSEC_OK);
    other.rank = 9;
    assert_int_equal(plane_do_filter(&beside, PLANE_UPDATE_FILTER, &other), IPSEC_OK);
    assert_int_equal(plane_xfrm.flush(second), IPSEC_OK);
    plane_xfrm.close(second);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    end(&scene);
}

static void
what_the_service_does_itself_is_not_doubted(void **state)
{
    (void)state;
    struct scene scene;
    struct plane_sample moved;
    struct plane_action move = { .kind = PLANE_UPDATE_BUNDLE };
    struct plane_filter lower;

    begin(&scene);
    plane_sample_init(&moved, 7, IPSEC_DIRECTION_OUTBOUND, our_sa.spi);
    moved.what.traffic.remote_address.bytes[3] = 8;
    move.was = scene.sample.what;
    move.what = moved.what;
    scene.test.ops->apply(scene.test.plane, &move, 1);
    assert_int_equal(move.status, IPSEC_OK);
    lower = scene.what;
    lower.rank = 5;
    assert_int_equal(plane_do_filter(&scene.test, PLANE_UPDATE_FILTER, &lower), IPSEC_OK);
    assert_int_equal(plane_do(&scene.test, PLANE_DELETE_BUNDLE, &moved.what), IPSEC_OK);
    assert_int_equal(plane_do_filter(&scene.test, PLANE_DELETE_FILTER, &lower), IPSEC_OK);
    scene.test.ops->resume_done(scene.test.plane);
    assert_int_equal(scene.test.ops->flush(scene.test.plane), IPSEC_OK);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    end(&scene);
}

/* More than there is room for: what got lost may have been of this service.  No end of an SA is
 * lost with it. */
static void
a_storm_of_changes_is_doubted_and_costs_no_event(void **state)
{
    (void)state;
    struct scene scene;
    struct kernel_sa_id id = our_sa;

    begin(&scene);
    shrink_receive_buffer(scene.test.plane->changes);
    for (uint32_t i = 0; i < 40; i++) {
        add_sa(&scene, 0x9000 + i);
        id.spi = 0x9000 + i;
        delete_sa(&scene, &id);
    }
    assert_int_not_equal(count_lost(scene.test.plane->changes), 0);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    assert_int_equal(count_lost(scene.test.plane->events), 0);
    end(&scene);
}

/* --- What a comparison names ------------------------------------------------------------------ */

static void
what_is_missing_or_left_over_is_named(void **state)
{
    (void)state;
    struct scene scene;
    static struct plane_drift drift;
    struct plane_sample both;
    struct kernel_sa_id id = our_sa;

    begin(&scene);
    /* One half of a bundle. */
    plane_sample_init(&both, 8, IPSEC_DIRECTION_OUTBOUND, 0x1005);
    plane_sample_add_ah(&both, 0x1006);
    assert_int_equal(plane_do(&scene.test, PLANE_ADD_BUNDLE, &both.what), IPSEC_OK);
    id.spi = 0x1006;
    id.protocol = IPPROTO_AH;
    delete_sa(&scene, &id);
    /* Another filter's, in the kernel alone; permits have no name. */
    assert_int_equal(seteuid(65534), 0);
    assert_int_not_equal(plane_do(&scene.test, PLANE_DELETE_BUNDLE, &scene.sample.what), IPSEC_OK);
    assert_int_not_equal(plane_do_filter(&scene.test, PLANE_DELETE_FILTER, &scene.what), IPSEC_OK);
    assert_int_equal(seteuid(0), 0);
    delete_policy(&scene, &(const struct kernel_policy){
                              .selector = scene.test.plane->exemptions[0].selector,
                              .direction = scene.test.plane->exemptions[0].direction });
    assert_int_equal(scene.test.ops->find_drift(scene.test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.bundles_missing, 1);
    assert_int_equal(drift.names.contexts_missing.count, 1);
    assert_int_equal(drift.names.contexts_missing.ids[0], 8);
    assert_int_equal(drift.bundles_left_over, 1);
    assert_int_equal(drift.names.sa_left_over_count, 1);
    assert_int_equal(drift.names.sas_left_over[0].sa_context_id, 7);
    assert_int_equal(drift.names.sas_left_over[0].spi, our_sa.spi);
    assert_int_equal(drift.names.sas_left_over[0].ip_protocol, IPPROTO_ESP);
    assert_int_equal(drift.names.sas_left_over[0].ip_version, IPSEC_IP_VERSION_V4);
    assert_memory_equal(&drift.names.sas_left_over[0].destination, &our_sa.destination, 4);
    assert_int_equal(drift.filters_left_over, 1);
    assert_int_equal(drift.names.filters_left_over.count, 1);
    assert_int_equal(drift.names.filters_left_over.ids[0], 11);
    assert_int_equal(drift.filters_missing, 1);
    assert_int_equal(drift.names.filters_missing.count, 0);

    assert_int_equal(plane_do_filter(&scene.test, PLANE_ADD_FILTER, &scene.what), IPSEC_OK);
    delete_policy(&scene, &our_policy);
    assert_int_equal(scene.test.ops->find_drift(scene.test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.filters_missing, 2);
    assert_int_equal(drift.names.filters_missing.count, 1);
    assert_int_equal(drift.names.filters_missing.ids[0], 11);
    assert_int_equal(drift.names.filters_left_over.count, 0);
    end(&scene);
}

static void
a_hundred_are_named_and_all_are_counted(void **state)
{
    (void)state;
    enum { COUNT = IPSEC_DRIFT_NAMES_MAX + 20 };
    struct scene scene;
    static struct plane_drift drift;
    struct plane_sample sample;

    begin(&scene);
    for (uint32_t i = 0; i < COUNT; i++) {
        plane_sample_init(&sample, 100 + i, IPSEC_DIRECTION_OUTBOUND, 0x2000 + i);
        assert_int_equal(plane_do(&scene.test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    }
    flush_all(&scene, XFRM_MSG_FLUSHSA);
    assert_int_equal(scene.test.ops->find_drift(scene.test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.bundles_missing, COUNT + 1);
    assert_int_equal(drift.names.contexts_missing.count, IPSEC_DRIFT_NAMES_MAX);
    for (size_t i = 0; i < IPSEC_DRIFT_NAMES_MAX; i++)
        assert_true(drift.names.contexts_missing.ids[i] == 7 ||
                    drift.names.contexts_missing.ids[i] >= 100);
    end(&scene);
}

/* --- What the kernel does not say ------------------------------------------------------------- */

static void
an_sa_that_the_kernel_says_nothing_of_is_doubted(void **state)
{
    (void)state;
    struct scene scene;
    struct plane_sample other;

    begin(&scene);
    plane_sample_init(&other, 8, IPSEC_DIRECTION_OUTBOUND, 0x1005);
    lose_all_answers(scene.test.plane->requests);
    assert_int_equal(plane_do(&scene.test, PLANE_ADD_BUNDLE, &other.what), IPSEC_RPC_TIMEOUT);
    lose_none(scene.test.plane->requests);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);

    /* What was found out is known. */
    plane_sample_init(&other, 9, IPSEC_DIRECTION_OUTBOUND, 0x1006);
    lose_answer(scene.test.plane->requests, next_sequence(scene.test.plane->requests));
    assert_int_equal(plane_do(&scene.test, PLANE_ADD_BUNDLE, &other.what), IPSEC_OK);
    lose_none(scene.test.plane->requests);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_NONE);
    end(&scene);
}

/* Before all contexts were asked for. */
static void
permits_come_back_first(void **state)
{
    (void)state;
    struct scene scene;
    static struct plane_drift drift;

    begin(&scene);
    flush_all(&scene, XFRM_MSG_FLUSHPOLICY);
    assert_int_equal(scene.test.ops->find_drift(scene.test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.filters_missing, 1 + scene.test.plane->exemption_count);
    assert_int_equal(scene.test.ops->resume(scene.test.plane, &scene.sample.what), IPSEC_OK);
    assert_int_equal(scene.test.ops->find_drift(scene.test.plane, &drift), IPSEC_OK);
    assert_int_equal(drift.filters_missing, 1);
    scene.test.ops->resume_done(scene.test.plane);
    end(&scene);
}

static void
what_could_not_be_deleted_is_doubted(void **state)
{
    (void)state;
    struct scene scene;

    begin(&scene);
    assert_int_equal(seteuid(65534), 0);
    assert_int_not_equal(plane_do(&scene.test, PLANE_DELETE_BUNDLE, &scene.sample.what), IPSEC_OK);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    assert_int_not_equal(plane_do_filter(&scene.test, PLANE_DELETE_FILTER, &scene.what), IPSEC_OK);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    end(&scene);
}

static void
a_filter_that_the_kernel_says_nothing_of_is_doubted(void **state)
{
    (void)state;
    struct scene scene;
    struct plane_filter lower;

    begin(&scene);
    lower = scene.what;
    lower.rank = 5;
    lose_all_answers(scene.test.plane->requests);
    assert_int_equal(plane_do_filter(&scene.test, PLANE_UPDATE_FILTER, &lower), IPSEC_RPC_TIMEOUT);
    lose_none(scene.test.plane->requests);
    assert_int_equal(doubt(&scene), PLANE_DOUBT_SURE);
    end(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ours_and_is_taken_away_is_doubted_once),
        cmocka_unit_test(a_permit_of_the_service_is_ours),
        cmocka_unit_test(a_flush_of_all_is_doubted),
        cmocka_unit_test(a_policy_that_is_replaced_may_have_been_ours),
        cmocka_unit_test(what_stood_in_the_way_of_a_filter_and_goes_is_doubted),
        cmocka_unit_test(what_others_do_with_their_own_is_not_doubted),
        cmocka_unit_test(what_the_service_does_itself_is_not_doubted),
        cmocka_unit_test(a_storm_of_changes_is_doubted_and_costs_no_event),
        cmocka_unit_test(what_is_missing_or_left_over_is_named),
        cmocka_unit_test(a_hundred_are_named_and_all_are_counted),
        cmocka_unit_test(an_sa_that_the_kernel_says_nothing_of_is_doubted),
        cmocka_unit_test(permits_come_back_first),
        cmocka_unit_test(what_could_not_be_deleted_is_doubted),
        cmocka_unit_test(a_filter_that_the_kernel_says_nothing_of_is_doubted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
