/* SPDX-License-Identifier: Apache-2.0
 *
 * test_plane.c: what the engine relies on, of every data plane.
 *
 * The same body runs over each.  A plane without 'resume' keeps no SAs and so never misses one;
 * what only makes sense where SAs can be missing asks for that first. */
#include "tests/conformance/plane_fixture.h"

static bool
remembers(const struct plane_under_test *test)
{
    return test->ops->resume != NULL;
}

static bool
has(struct plane_under_test *test, const struct plane_bundle *what)
{
    struct plane_counters counters;

    return test->ops->read_counters(test->plane, what, &counters) == IPSEC_OK;
}

static void
a_bundle_is_there_until_it_is_deleted(struct plane_under_test *test)
{
    struct plane_sample sample;
    struct plane_counters counters = { .bytes = 1 };

    for (uint8_t direction = 0; direction <= 1; direction++) {
        plane_sample_init(&sample, 7, direction, 0x1001);
        if (remembers(test))
            assert_false(has(test, &sample.what));
        assert_int_equal(plane_do(test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
        assert_int_equal(test->ops->read_counters(test->plane, &sample.what, &counters), IPSEC_OK);
        assert_int_equal(counters.bytes, 0);
        assert_int_equal(counters.packets, 0);
        assert_int_equal(counters.last_used_ms, 0);
        assert_int_equal(plane_do(test, PLANE_DELETE_BUNDLE, &sample.what), IPSEC_OK);
        if (remembers(test))
            assert_false(has(test, &sample.what));
    }
}

static void
deleting_what_is_not_there_is_no_failure(struct plane_under_test *test)
{
    struct plane_sample sample;

    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_int_equal(plane_do(test, PLANE_DELETE_BUNDLE, &sample.what), IPSEC_OK);
}

static void
every_transform_it_says_it_has_works(struct plane_under_test *test)
{
    const struct xfrm_transform *transform = NULL;
    struct plane_sample sample;

    for (size_t i = 0; (transform = xfrm_algorithm_list(i)) != NULL; i++) {
        const struct plane_capability *capability =
            test->ops->capability == NULL ? NULL : test->ops->capability(test->plane, i);

        if (test->ops->capability != NULL)
            assert_non_null(capability);
        for (uint8_t direction = 0; direction <= 1; direction++) {
            plane_sample_init(&sample, 100 + i, direction, (uint32_t)(0x2000 + i));
            plane_sample_set(&sample, 0, transform);
            if (capability != NULL && !capability->is_supported) {
                assert_non_null(capability->reason);
                assert_int_not_equal(plane_do(test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
                continue;
            }
            assert_int_equal(plane_do(test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
            assert_true(has(test, &sample.what));
        }
    }
}

static void
a_bundle_of_two_comes_and_goes_whole(struct plane_under_test *test)
{
    struct plane_sample both;
    struct plane_sample blocker;
    struct plane_sample alone;

    plane_sample_init(&both, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_add_ah(&both, 0x1002);
    assert_int_equal(plane_do(test, PLANE_ADD_BUNDLE, &both.what), IPSEC_OK);
    assert_true(has(test, &both.what));
    assert_int_equal(plane_do(test, PLANE_DELETE_BUNDLE, &both.what), IPSEC_OK);
    if (!remembers(test))
        return;

    /* Its second SA meets one of another context: nothing of the first may stay. */
    plane_sample_init(&blocker, 8, IPSEC_DIRECTION_OUTBOUND, 0x1002);
    plane_sample_set(
        &blocker, 0,
        &(const struct xfrm_transform){
            .transform = { .type = IPSEC_TRANSFORM_AH, .auth = IPSEC_AUTH_HMAC_SHA_256_128 },
            .auth_key_size = 32 });
    assert_int_equal(plane_do(test, PLANE_ADD_BUNDLE, &blocker.what), IPSEC_OK);
    assert_int_equal(plane_do(test, PLANE_ADD_BUNDLE, &both.what), IPSEC_ALREADY_EXISTS);
    plane_sample_init(&alone, 9, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_false(has(test, &alone.what));
    assert_true(has(test, &blocker.what));
    /* And deleting what was refused leaves the other one alone. */
    assert_int_equal(plane_do(test, PLANE_DELETE_BUNDLE, &both.what), IPSEC_OK);
    assert_true(has(test, &blocker.what));
}

static void
an_spi_that_is_taken_is_refused(struct plane_under_test *test)
{
    struct plane_sample first;
    struct plane_sample second;

    if (!remembers(test))
        return;
    plane_sample_init(&first, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    plane_sample_init(&second, 8, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_int_equal(plane_do(test, PLANE_ADD_BUNDLE, &first.what), IPSEC_OK);
    assert_int_equal(plane_do(test, PLANE_ADD_BUNDLE, &second.what), IPSEC_ALREADY_EXISTS);
    assert_true(has(test, &first.what));
}

static void
of_many_actions_each_has_its_own_outcome(struct plane_under_test *test)
{
    enum { COUNT = 300 };
    static struct plane_sample samples[COUNT];
    static struct plane_action actions[COUNT];

    for (uint32_t i = 0; i < COUNT; i++) {
        /* Each tenth has the SPI of the one before it. */
        uint32_t spi = 0x5000 + (i % 10 == 9 ? i - 1 : i);

        plane_sample_init(&samples[i], 1000 + i, IPSEC_DIRECTION_INBOUND, spi);
        actions[i] = (struct plane_action){ .kind = PLANE_ADD_BUNDLE,
                                            .what = samples[i].what,
                                            .status = IPSEC_RPC_SERVERFAULT };
    }
    test->ops->apply(test->plane, actions, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        enum ipsec_status expected =
            remembers(test) && i % 10 == 9 ? IPSEC_ALREADY_EXISTS : IPSEC_OK;

        assert_int_equal(actions[i].status, expected);
        actions[i].kind = PLANE_DELETE_BUNDLE;
    }
    test->ops->apply(test->plane, actions, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(actions[i].status, IPSEC_OK);
        if (remembers(test))
            assert_false(has(test, &samples[i].what));
    }
}

static void
a_bundle_moves_and_keeps_what_it_has(struct plane_under_test *test)
{
    struct plane_sample sample;
    struct plane_action action = { .kind = PLANE_UPDATE_BUNDLE };
    struct ipsec_sa_bundle encapsulated;

    plane_sample_init(&sample, 7, IPSEC_DIRECTION_OUTBOUND, 0x1001);
    assert_int_equal(plane_do(test, PLANE_ADD_BUNDLE, &sample.what), IPSEC_OK);
    action.was = sample.what;
    action.what = sample.what;
    action.what.traffic.remote_address.bytes[3] = 99;
    encapsulated = sample.bundle;
    encapsulated.udp_encapsulation.local_port = 4500;
    encapsulated.udp_encapsulation.remote_port = 4500;
    action.what.bundle = &encapsulated;
    action.was.auth_keys = action.was.cipher_keys = NULL;
    action.what.auth_keys = action.what.cipher_keys = NULL;
    test->ops->apply(test->plane, &action, 1);
    assert_int_equal(action.status, IPSEC_OK);
    assert_true(has(test, &action.what));
    if (remembers(test))
        assert_false(has(test, &action.was));
    assert_int_equal(plane_do(test, PLANE_DELETE_BUNDLE, &action.what), IPSEC_OK);
    if (remembers(test))
        assert_false(has(test, &action.what));
}

static void
filters_come_change_their_rank_and_go(struct plane_under_test *test)
{
    const struct ipsec_filter filter = {
        .id = 11,
        .layer = IPSEC_LAYER_OUTBOUND_TRANSPORT_V4,
        .action = IPSEC_ACTION_CALLOUT_TERMINATING,
        .callout = IPSEC_CALLOUT_OUTBOUND_TRANSPORT_V4,
        .condition_count = 1,
        .conditions = { { .field = IPSEC_CONDITION_IP_REMOTE_ADDRESS,
                          .prefix_length = 32,
                          .address = { .bytes = { 198, 51, 100, 7 } } } },
    };
    struct plane_filter what = { .filter = &filter, .rank = 10 };

    assert_int_equal(plane_do_filter(test, PLANE_DELETE_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(test, PLANE_TRY_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(test, PLANE_KEEP_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(test, PLANE_ADD_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(test, PLANE_RELEASE_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(test, PLANE_KEEP_FILTER, &what), IPSEC_OK);
    what.rank = 5;
    assert_int_equal(plane_do_filter(test, PLANE_UPDATE_FILTER, &what), IPSEC_OK);
    assert_int_equal(plane_do_filter(test, PLANE_DELETE_FILTER, &what), IPSEC_OK);
}

typedef void plane_check(struct plane_under_test *test);

static const struct plane_row {
    const char *name;
    plane_check *check;
} rows[] = {
    { "a bundle is there until it is deleted", a_bundle_is_there_until_it_is_deleted },
    { "deleting what is not there is no failure", deleting_what_is_not_there_is_no_failure },
    { "every transform it says it has works", every_transform_it_says_it_has_works },
    { "a bundle of two comes and goes whole", a_bundle_of_two_comes_and_goes_whole },
    { "an SPI that is taken is refused", an_spi_that_is_taken_is_refused },
    { "of many actions each has its own outcome", of_many_actions_each_has_its_own_outcome },
    { "a bundle moves and keeps what it has", a_bundle_moves_and_keeps_what_it_has },
    { "filters come, change their rank and go", filters_come_change_their_rank_and_go },
};

static void
run(const struct plane_ops *ops)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct plane_under_test test;

        plane_test_begin(&test, ops);
        print_message("%s: %s\n", ops->name, rows[i].name);
        rows[i].check(&test);
        plane_test_close(&test);
    }
}

static void
the_plane_none_is_as_it_should_be(void **state)
{
    (void)state;
    run(&plane_none);
}

static void
the_plane_xfrm_is_as_it_should_be(void **state)
{
    (void)state;
    run(&plane_xfrm);
}

static void
planes_are_found_by_their_name(void **state)
{
    (void)state;
    const char *argument = NULL;

    assert_ptr_equal(plane_find("none", &argument), &plane_none);
    assert_string_equal(argument, "");
    assert_ptr_equal(plane_find("xfrm:netns=blue,instance=3", &argument), &plane_xfrm);
    assert_string_equal(argument, "netns=blue,instance=3");
    assert_null(plane_find("xfr", &argument));
    assert_null(plane_find("", &argument));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_are_found_by_their_name),
        cmocka_unit_test(the_plane_none_is_as_it_should_be),
        cmocka_unit_test(the_plane_xfrm_is_as_it_should_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
