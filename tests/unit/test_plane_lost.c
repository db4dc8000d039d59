/* SPDX-License-Identifier: Apache-2.0
 *
 * test_plane_lost.c: the kernel's answers to the plane "xfrm" get lost: what came of each request
 * is found out, nothing is half made, and nothing of somebody else's is touched.  Where the kernel
 * makes no ESP this is left out; tests/vm runs it in one that does. */
#include <unistd.h>

#include <netinet/in.h>

#include "engine/plane/xfrm_owner.h"
#include "engine/plane/xfrm_plane.h"
#include "tests/conformance/plane_fixture.h"
#include "tests/unit/lost_answers.h"

enum { BUNDLES = 60, REFUSED = 40, FOREIGN_REQID = 1 };

/* The permits for neighbour discovery. */
#define OWN_POLICIES 6

static struct plane_under_test test;
static struct netlink *netlink; /* another look at the same network namespace */

static void
begin(void)
{
    plane_test_begin(&test, &plane_xfrm);
    assert_int_equal(netlink_open(NETWORK_HERE, NULL, &netlink), 0);
}

static void
end(void)
{
    plane_test_close(&test);
    netlink_close(netlink);
}

/* What the kernel has. */
struct tally {
    size_t states;
    size_t foreign_states;
    size_t policies;
};

static void
tell(void *context, const struct nlmsghdr *message, size_t size)
{
    struct tally *tally = context;
    struct xfrm_msg read;

    assert_true(xfrm_msg_read(message, size, &read));
    tally->policies += read.kind == XFRM_MSG_KIND_POLICY;
    tally->states += read.kind == XFRM_MSG_KIND_SA;
    tally->foreign_states += read.kind == XFRM_MSG_KIND_SA && read.sa.reqid == FOREIGN_REQID;
}

static struct tally
look(void)
{
    struct tally tally = { .states = 0 };

    assert_int_not_equal(xfrm_msg_dump_sas(netlink_room(netlink), XFRM_MSG_MAX_SIZE), 0);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, tell, &tally), 0);
    assert_int_not_equal(xfrm_msg_dump_policies(netlink_room(netlink), XFRM_MSG_MAX_SIZE), 0);
    netlink_add(netlink);
    assert_int_equal(netlink_ask(netlink, tell, &tally), 0);
    return tally;
}

/* What answers the request that comes after so many others. */
static void
lose_answer_of(uint32_t others)
{
    lose_answer(test.plane->requests, next_sequence(test.plane->requests) + others);
}

/* Somebody else's state in the place of an outbound one of plane_sample_init(). */
static void
take_place(uint32_t spi, uint8_t protocol)
{
    static const uint8_t key[32] = { 9 };
    struct kernel_sa sa = {
        .protocol = protocol,
        .spi = spi,
        .reqid = FOREIGN_REQID,
        .source = { .bytes = { 192, 0, 2, 1 } },
        .destination = { .bytes = { 198, 51, 100, 7 } },
    };
    struct netlink_result result;

    if (protocol == IPPROTO_ESP)
        sa.aead = (struct kernel_algorithm){
            .name = "rfc4106(gcm(aes))", .key = key, .key_bits = 160, .icv_bits = 128
        };
    else
        sa.auth = (struct kernel_algorithm){
            .name = "hmac(sha256)", .key = key, .key_bits = 256, .icv_bits = 128
        };
    assert_int_not_equal(xfrm_msg_add_sa(netlink_room(netlink), XFRM_MSG_MAX_SIZE, &sa), 0);
    netlink_add(netlink);
    netlink_send(netlink, &result, NULL, NULL);
    assert_int_equal(result.error, 0);
}

static struct plane_drift
find_drift(void)
{
    struct plane_drift drift;

    assert_int_equal(test.ops->find_drift(test.plane, &drift), IPSEC_OK);
    return drift;
}

static void
assert_no_drift(void)
{
    const struct plane_drift drift = find_drift();

    assert_int_equal(drift.bundles_missing, 0);
    assert_int_equal(drift.bundles_left_over, 0);
    assert_int_equal(drift.filters_missing, 0);
    assert_int_equal(drift.filters_left_over, 0);
}

/* --- SAs -------------------------------------------------------------------------------------- */

static void
an_answer_that_got_lost_is_found_out(void **state)
{
    (void)state;
    struct plane_sample sample;

    begin();
    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_add_ah(&sample, 0x1002);
    lose_answer_of(1);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    assert_int_equal(look().states, 2);
    assert_no_drift();

    /* Both are asked what they carried, and deleted. */
    lose_answer_of(3);
    assert_int_equal(plane_do(&test, PLANE_DELETE_BUNDLE, &sample.what), IPSEC_OK);
    assert_int_equal(look().states, 0);
    assert_no_drift();
    end();
}

static void
refusals_that_found_no_room_are_found_out(void **state)
{
    (void)state;
    static struct plane_sample samples[BUNDLES];
    static struct plane_action actions[BUNDLES];
    struct tally tally;

    begin();
    for (uint32_t i = 0; i < BUNDLES; i++) {
        if (i < REFUSED)
            take_place(0x1000 + i, IPPROTO_ESP);
        plane_sample_init(&samples[i], 100 + i, IPSEC_DIRECTION_OUTBOUND, 0x1000 + i);
        actions[i] = (struct plane_action){ .kind = PLANE_ADD_BUNDLE, .what = samples[i].what };
    }
    shrink_receive_buffer(test.plane->requests);
    test.ops->apply(test.plane, actions, BUNDLES);
    assert_int_not_equal(count_lost(test.plane->requests), 0);
    for (uint32_t i = 0; i < BUNDLES; i++)
        assert_int_equal(actions[i].status, i < REFUSED ? IPSEC_ALREADY_EXISTS : IPSEC_OK);
    tally = look();
    assert_int_equal(tally.states, BUNDLES);
    assert_int_equal(tally.foreign_states, REFUSED);
    assert_no_drift();
    end();
}

static void
half_a_bundle_goes_when_the_refusal_of_the_other_half_got_lost(void **state)
{
    (void)state;
    struct plane_sample sample;
    struct tally tally;

    begin();
    take_place(0x1002, IPPROTO_AH);
    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_add_ah(&sample, 0x1002);
    lose_answer_of(1);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_ALREADY_EXISTS);
    tally = look();
    assert_int_equal(tally.states, 1);
    assert_int_equal(tally.foreign_states, 1);
    assert_no_drift();
    end();
}

/* Then nobody knows, and what is there is left over. */
static void
what_no_answer_tells_goes_with_the_next_comparison(void **state)
{
    (void)state;
    struct plane_sample sample;
    struct plane_sample kept;

    begin();
    plane_sample_init(&kept, 6, IPSEC_DIRECTION_OUTBOUND, 0x1003);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &kept.what), IPSEC_OK);
    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_add_ah(&sample, 0x1002);
    lose_all_answers(test.plane->requests);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_RPC_TIMEOUT);
    lose_none(test.plane->requests);
    assert_int_equal(find_drift().bundles_left_over, 2);
    assert_int_equal(test.ops->resume(test.plane, &kept.what), IPSEC_OK);
    test.ops->resume_done(test.plane);
    assert_int_equal(look().states, 1);
    assert_no_drift();
    end();
}

static void
an_sa_that_could_not_be_deleted_goes_with_the_next_comparison(void **state)
{
    (void)state;
    struct plane_sample sample;

    begin();
    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    assert_int_equal(seteuid(65534), 0);
    assert_int_not_equal(plane_do(&test, PLANE_DELETE_BUNDLE, &sample.what), IPSEC_OK);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(look().states, 1);
    assert_int_equal(find_drift().bundles_left_over, 1);
    test.ops->resume_done(test.plane);
    assert_int_equal(look().states, 0);
    assert_no_drift();
    end();
}

/* --- SAs that move ---------------------------------------------------------------------------- */

static enum ipsec_status
move(const struct plane_sample *from, const struct plane_sample *to)
{
    struct plane_action action = { .kind = PLANE_UPDATE_BUNDLE,
                                   .was = from->what,
                                   .what = to->what,
                                   .status = IPSEC_RPC_SERVERFAULT };

    test.ops->apply(test.plane, &action, 1);
    return action.status;
}

static bool
has(const struct plane_sample *sample)
{
    struct plane_counters counters;

    return test.ops->read_counters(test.plane, &sample->what, &counters) == IPSEC_OK;
}

static void
a_move_whose_answer_got_lost_is_found_out(void **state)
{
    (void)state;
    struct plane_sample from;
    struct plane_sample to;

    begin();
    plane_sample_init(&from, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_init(&to, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    to.what.traffic.remote_address.bytes[3] = 8;
    assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &from.what), IPSEC_OK);
    /* Asked for, deleted, added. */
    lose_answer_of(2);
    assert_int_equal(move(&from, &to), IPSEC_OK);
    assert_true(has(&to));
    assert_int_equal(look().states, 1);
    assert_no_drift();
    end();
}

static void
an_sa_does_not_move_to_where_somebody_elses_is(void **state)
{
    (void)state;
    for (int loses = 0; loses < 2; loses++) {
        struct plane_sample from;
        struct plane_sample to;
        struct tally tally;

        begin();
        plane_sample_init(&from, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
        plane_sample_init(&to, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
        from.what.traffic.remote_address.bytes[3] = 8;
        take_place(0x1001, IPPROTO_ESP);
        assert_int_equal(plane_do(&test, PLANE_ADD_BUNDLE, &from.what), IPSEC_OK);
        if (loses)
            lose_answer_of(2);
        assert_int_equal(move(&from, &to), loses ? IPSEC_RPC_TIMEOUT : IPSEC_ALREADY_EXISTS);
        assert_true(has(&from));
        tally = look();
        assert_int_equal(tally.states, 2);
        assert_int_equal(tally.foreign_states, 1);
        assert_no_drift();
        end();
    }
}

/* --- Filters ---------------------------------------------------------------------------------- */

/* One that is two policies of the kernel. */
static struct ipsec_filter
inbound_filter(uint64_t id)
{
    return (struct ipsec_filter){
        .id = id,
        .layer = IPSEC_LAYER_INBOUND_TRANSPORT_V4,
        .action = IPSEC_ACTION_CALLOUT_TERMINATING,
        .callout = IPSEC_CALLOUT_INBOUND_TRANSPORT_V4,
        .condition_count = 1,
        .conditions = { { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
                          .prefix_length = 32,
                          .address = { .bytes = { 198, 51, 100, 7 } } } },
    };
}

static void
a_filter_whose_answers_got_lost_is_found_out(void **state)
{
    (void)state;
    const struct ipsec_filter filter = inbound_filter(11);
    const struct plane_filter what = { .filter = &filter };
    const struct plane_filter lower = { .filter = &filter, .rank = 5 };
    size_t there = 0;

    begin();
    lose_answer_of(0);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    there = look().policies;
    assert_true(there > OWN_POLICIES);
    assert_no_drift();

    /* There already, asked for, set to another priority. */
    lose_answer_of(2);
    assert_int_equal(plane_do_filter(&test, PLANE_UPDATE_FILTER, &lower), IPSEC_OK);
    assert_int_equal(look().policies, there);

    /* Asked for, deleted. */
    lose_answer_of(1);
    assert_int_equal(plane_do_filter(&test, PLANE_DELETE_FILTER, &lower), IPSEC_OK);
    assert_int_equal(look().policies, OWN_POLICIES);
    assert_no_drift();
    end();
}

static void
a_filter_that_no_answer_tells_of_goes_with_the_next_comparison(void **state)
{
    (void)state;
    const struct ipsec_filter filter = inbound_filter(11);
    const struct plane_filter what = { .filter = &filter };

    begin();
    lose_all_answers(test.plane->requests);
    assert_int_equal(plane_do_filter(&test, PLANE_ADD_FILTER, &what), IPSEC_RPC_TIMEOUT);
    lose_none(test.plane->requests);
    assert_int_equal(find_drift().filters_left_over, 1);
    test.ops->resume_done(test.plane);
    assert_int_equal(look().policies, OWN_POLICIES);
    assert_no_drift();
    end();
}

/* --- The service's own permits ---------------------------------------------------------------- */

static void
remove_permit(size_t index)
{
    const struct xfrm_exemption *exemption = &test.plane->exemptions[index];
    const struct kernel_policy policy = { .selector = exemption->selector,
                                          .direction = exemption->direction };

    assert_int_equal(xfrm_policies_change(test.plane, &policy, XFRM_POLICY_REMOVE), 0);
}

static void
a_permit_that_could_not_be_put_back_is_still_missed(void **state)
{
    (void)state;
    begin();
    remove_permit(0);
    assert_int_equal(find_drift().filters_missing, 1);
    lose_all_answers(test.plane->requests);
    xfrm_exemptions_look(test.plane);
    xfrm_exemptions_restore(test.plane);
    lose_none(test.plane->requests);
    remove_permit(0);
    assert_int_equal(find_drift().filters_missing, 1);
    test.ops->resume_done(test.plane);
    assert_int_equal(look().policies, OWN_POLICIES);
    assert_no_drift();
    end();
}

/* That stays, and packets that the service needs do not pass: how often it is tried again is for
 * who compares. */
static void
a_permit_whose_place_somebody_took_stays_missed(void **state)
{
    (void)state;
    struct kernel_policy foreign = { .priority = 77, .is_block = true };
    struct kernel_policy there;

    begin();
    remove_permit(0);
    foreign.selector = test.plane->exemptions[0].selector;
    foreign.direction = test.plane->exemptions[0].direction;
    assert_int_equal(xfrm_policies_change(test.plane, &foreign, XFRM_POLICY_ADD), 0);
    assert_int_equal(find_drift().filters_missing, 1);
    test.ops->resume_done(test.plane);
    assert_int_equal(find_drift().filters_missing, 1);
    assert_int_equal(xfrm_policies_ask(test.plane, &foreign, &there), 0);
    assert_true(there.is_block);

    /* Once it is gone, the permit comes back with the next comparison. */
    remove_permit(0);
    test.ops->resume_done(test.plane);
    assert_int_equal(xfrm_policies_ask(test.plane, &foreign, &there), 0);
    assert_false(there.is_block);
    assert_no_drift();
    end();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_got_lost_is_found_out),
        cmocka_unit_test(refusals_that_found_no_room_are_found_out),
        cmocka_unit_test(half_a_bundle_goes_when_the_refusal_of_the_other_half_got_lost),
        cmocka_unit_test(what_no_answer_tells_goes_with_the_next_comparison),
        cmocka_unit_test(an_sa_that_could_not_be_deleted_goes_with_the_next_comparison),
        cmocka_unit_test(a_move_whose_answer_got_lost_is_found_out),
        cmocka_unit_test(an_sa_does_not_move_to_where_somebody_elses_is),
        cmocka_unit_test(a_filter_whose_answers_got_lost_is_found_out),
        cmocka_unit_test(a_filter_that_no_answer_tells_of_goes_with_the_next_comparison),
        cmocka_unit_test(a_permit_that_could_not_be_put_back_is_still_missed),
        cmocka_unit_test(a_permit_whose_place_somebody_took_stays_missed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
